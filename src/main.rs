//! The `quotascope` program.

fn main() {}
