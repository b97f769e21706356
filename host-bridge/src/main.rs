//! The `ipae` command.
fn main() {}
