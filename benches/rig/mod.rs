//! What the benchmarks share: the tests' real peers, a terminal and a wire that say *when*, a caller, our lot as a
//! process, and figures. Nothing here is part of a timed test.

// Each benchmark takes what it needs; a step that fails may panic here, and a table is printed.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

pub mod bare;
pub mod board;
pub mod caller;
pub mod crowd;
pub mod figures;
pub mod office;
#[path = "../../tests/peers/mod.rs"]
pub mod peers;
pub mod wire;

use std::path::PathBuf;

/// The program that is measured: the release build, since `cargo bench` builds that, or what `PARKDECK_PROGRAM` names
/// (an older build, to compare).
pub fn parkdeck() -> PathBuf {
    std::env::var_os("PARKDECK_PROGRAM")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_parkdeck")), PathBuf::from)
}
