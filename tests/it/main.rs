//! Integration tests that need no rights.

mod decode_frames;
mod source;
