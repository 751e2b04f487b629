//! Endpoint templates, and the bounds on what one run may name.
