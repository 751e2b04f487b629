//! Bytes in: live capture, capture files, lines of logs.
