//! parkdeck: parse the arguments, run, restore the terminal.

use std::process::ExitCode;

fn main() -> ExitCode {
    parkdeck::cli::main()
}
