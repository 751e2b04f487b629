//! The five providers on loopback, and clients that drive them.
