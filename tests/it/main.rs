
mod decode_stream;
