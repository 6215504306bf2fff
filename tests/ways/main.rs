//! Ways to lose or join a caller, each tried against a model of the servers that people have.
//!
//! `list.md` is the written list: what happens, what must hold, on which servers. Each way is the test of the same name;
//! [`the_list_and_the_tests_are_the_same`] holds them together. Beside it stands the property over seeds
//! (`seeds.rs`): consoles, a colleague and callers do what they like in any weather, and nobody is lost or joined.
//!
//! The real engine (desk, dialect, user agent) speaks SIP with a model server in virtual time. There is no sound: a
//! reference model (`model.rs`) knows who would hear whom, by the rules of each server as they were measured
//! (`asterisk.rs`) or as its documentation gives them.

// A step that fails here is a test that fails, inside `#[test]` or not.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asterisk;
mod broadworks;
mod broken;
mod comebacks;
mod console;
mod freeswitch;
mod generic;
mod gone;
mod lamps;
mod model;
#[path = "../simulation/net.rs"]
mod net;
mod others;
mod parks;
mod pbx;
mod retrieves;
mod seeds;
mod world;

use std::collections::BTreeSet;

/// Each file of ways with its text.
const WAYS: [(&str, &str); 6] = [
    ("parks.rs", include_str!("parks.rs")),
    ("retrieves.rs", include_str!("retrieves.rs")),
    ("lamps.rs", include_str!("lamps.rs")),
    ("comebacks.rs", include_str!("comebacks.rs")),
    ("gone.rs", include_str!("gone.rs")),
    ("others.rs", include_str!("others.rs")),
];

#[test]
fn the_list_and_the_tests_are_the_same() {
    let list = include_str!("list.md");
    let mut file = "";
    let mut listed = BTreeSet::new();
    for line in list.lines() {
        if let Some(head) = line.strip_prefix("## ") {
            file = head.split(':').next().unwrap();
        } else if let Some(row) = line.strip_prefix("| `") {
            let cells: Vec<&str> = row.split(" | ").collect();
            assert!(cells.len() == 4 && cells.iter().all(|cell| !cell.trim().is_empty()), "{line}");
            assert!(listed.insert((file, cells[0].trim_end_matches('`'))), "listed twice: {line}");
        }
    }
    let mut tests = BTreeSet::new();
    for (file, text) in WAYS {
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line == "#[test]" {
                let name = lines.next().and_then(|line| line.strip_prefix("fn ")?.split('(').next());
                tests.insert((file, name.expect("a test has a name")));
            }
        }
    }
    let unlisted: Vec<_> = tests.difference(&listed).collect();
    let untested: Vec<_> = listed.difference(&tests).collect();
    assert!(unlisted.is_empty() && untested.is_empty(), "unlisted {unlisted:#?}, untested {untested:#?}");
    assert!(listed.len() >= 40);
}
