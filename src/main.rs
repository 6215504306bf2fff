//! parkdeck: parse the arguments, run, restore the terminal.
fn main() {}
