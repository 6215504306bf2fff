//! Replays the fuzzers' corpus, and every file of the torture collection, with the very checks that the fuzzers make.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper of a test may fail the test"
)]

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[path = "corpus/agent.rs"]
mod agent;
#[path = "corpus/checks.rs"]
mod checks;

fn files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(&root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

fn replay(folder: &str, check: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let files = files(folder);
    assert!(!files.is_empty(), "{folder} is empty");
    for file in &files {
        let bytes = std::fs::read(file).expect("readable");
        if catch_unwind(|| check(&bytes)).is_err() {
            panic!("{} fails", file.display());
        }
    }
}

#[test]
fn every_message_reads_back() {
    for folder in ["valid", "invalid", "real", "asterisk"] {
        replay(&format!("tests/torture/{folder}"), checks::message);
    }
    replay("fuzz/corpus/message", checks::message);
}

#[test]
fn every_stream_is_cut_the_same_however_it_is_sliced() {
    replay("fuzz/corpus/framing", checks::framing);
}

#[test]
fn every_session_description_is_answered_or_refused() {
    replay("fuzz/corpus/sdp", checks::session);
}

#[test]
fn every_dialog_document_reads_back() {
    replay("fuzz/corpus/dialog_info", checks::dialogs);
}

#[test]
fn every_script_leaves_the_agent_as_it_was() {
    replay("fuzz/corpus/user_agent", agent::user_agent);
}

/// Scripts of random bytes, the same every time.
#[test]
fn five_hundred_random_scripts_leave_the_agent_as_it_was() {
    let mut state = 20_261_121_u64;
    let mut dice = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let rounds = std::env::var("PARKDECK_SCRIPTS").ok().and_then(|n| n.parse().ok()).unwrap_or(500);
    for round in 0..rounds {
        let script: Vec<u8> = (0..dice() % 900).map(|_| dice() as u8).collect();
        if catch_unwind(|| agent::user_agent(&script)).is_err() {
            panic!("round {round} fails");
        }
    }
}
