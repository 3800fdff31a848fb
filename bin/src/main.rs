//! The holdfast executable.
fn main() {}
