//! Default < file < environment < flag.
