//! What the benchmarks share: the tests' real peers, a terminal and a wire that say *when*, a caller, our lot as a
//! process, and figures. Nothing here is part of a timed test.

// Each benchmark takes what it needs; a step that fails may panic here, and a table is printed.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

pub mod board;
pub mod caller;
pub mod figures;
pub mod office;
#[path = "../../tests/peers/mod.rs"]
pub mod peers;
pub mod wire;

use std::path::Path;

/// The program that is measured: the release build, since `cargo bench` builds that.
pub fn parkdeck() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_parkdeck"))
}
