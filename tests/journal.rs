//! The journal under kill -9: a program that writes calls is killed at random moments, and nothing that was confirmed to it
//! is missing afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that can't go on shall say so"
)]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parkdeck::desk::{CallRecord, CallWay, Entry, Outcome};
use parkdeck::journal::Database;
use parkdeck::parking::{Identity, Text};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Names the file to write to; set only in the program that is killed.
const VICTIM: &str = "PARKDECK_TEST_JOURNAL";
/// How often it is killed.
const KILLS: u64 = 12;

fn record(id: u64, outcome: Outcome) -> CallRecord {
    CallRecord {
        id,
        account: "front".into(),
        way: CallWay::In,
        party: Identity::new("Jane Doe", &format!("0161{id}")),
        known: Text::default(),
        called: Text::default(),
        slot: None,
        note: Text::new(&"n".repeat(100)),
        began_ms: id,
        answered_ms: Some(id),
        ended_ms: None,
        held_ms: 0,
        outcome,
        detail: Text::default(),
        quality: None,
    }
}

/// Writes calls until it is killed: each is begun, then over; a number is printed once it is confirmed.
fn be_the_victim(file: &Path) {
    let found = Database::open(file, 1, 0).unwrap();
    let (session, mut database) = (found.session, found.database);
    let mut out = std::io::stdout();
    for nth in 1.. {
        let id = session * 1_000_000 + nth;
        database.write(&[Entry::Call(record(id, Outcome::Open))]).unwrap();
        writeln!(out, "open {id}").unwrap();
        database.write(&[Entry::Call(record(id, Outcome::HungUp))]).unwrap();
        writeln!(out, "over {id}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn nothing_confirmed_is_lost_by_kill_9() {
    if let Some(file) = std::env::var_os(VICTIM) {
        return be_the_victim(Path::new(&file));
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.sqlite");
    let seed = std::env::var("PARKDECK_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("PARKDECK_SEED={seed}");
    let mut over = Vec::new();
    for _ in 0..KILLS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "nothing_confirmed_is_lost_by_kill_9", "--nocapture"])
            .env(VICTIM, &file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap());
        // Killed within a write or between two, once it has begun to write.
        let mut first = String::new();
        while !first.contains("open") {
            first.clear();
            assert!(lines.read_line(&mut first).unwrap() > 0, "it wrote nothing");
        }
        std::thread::sleep(Duration::from_micros(seed >> 49));
        kill(Pid::from_raw(i32::try_from(victim.id()).unwrap()), Signal::SIGKILL).unwrap();
        victim.wait().unwrap();
        let told: Vec<String> = std::iter::once(first).chain(lines.lines().map_while(Result::ok)).collect();
        let number = |line: &String, word: &str| {
            line.split_once(word).and_then(|(_, id)| id.trim().parse::<u64>().ok())
        };
        let opened: Vec<u64> = told.iter().filter_map(|line| number(line, "open ")).collect();
        over.extend(told.iter().filter_map(|line| number(line, "over ")));
        let found = Database::open(&file, 2, 0).unwrap();
        assert_eq!(found.warning, None, "the file is sound");
        let calls = found.database.newest(1_000_000).unwrap();
        for id in &over {
            let kept = calls.iter().find(|call| call.id == *id);
            assert_eq!(kept.map(|call| call.outcome), Some(Outcome::HungUp), "{id} was confirmed as over");
        }
        for id in &opened {
            assert!(calls.iter().any(|call| call.id == *id), "{id} was confirmed as begun");
        }
        assert!(found.interrupted.len() <= 1, "one call at most was going on");
        assert!(calls.iter().all(|call| call.outcome != Outcome::Open), "and none goes on now");
    }
    assert!(!over.is_empty(), "something was confirmed");
}
