//! The `drawbridge` binary.

fn main() {}
