//! Fuzzes with `session` of `tests/corpus/checks.rs`.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/corpus/checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::session(bytes));
