mod decode_stream;
