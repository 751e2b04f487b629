//! The wiring: sources to decoders to the engine to the edges.
