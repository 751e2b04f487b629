//! Rules and their state machine.
