//! Fuzzes with `user_agent` of `tests/corpus/agent.rs`: each input is a script for a whole user agent.
#![no_main]

#[path = "../../tests/corpus/agent.rs"]
mod agent;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| agent::user_agent(bytes));
