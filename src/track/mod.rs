//! Observations and time to quota state.
