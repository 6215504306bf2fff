//! From a key to the wire and back to the screen, in milliseconds, with our lot and with Asterisk side by side.
//!
//! Run: `tests/setup.sh`, then as root (or with CAP_NET_RAW) `cargo bench --bench latency`; `PARKDECK_ROUNDS` sets how
//! many rounds (60). Both servers are real processes, and so is the console: the release binary in a pseudo-terminal,
//! 100×30, one for each server. Rounds alternate between the two, so that both have the same weather.
//!
//! A round: with a caller in slot 701 and no call in hand the slot's key is pressed, and when the call is talked to,
//! `p` parks it again. What is counted, from the moment before the key's byte is written to the terminal:
//! - *key to REFER*, *key to INVITE*: until the datagram is seen on loopback by a raw socket (nothing stands in
//!   between). This is ours alone: terminal, keymap, desk, dialect, user agent.
//! - *REFER to lamp's NOTIFY*: the server's part of a park, also on the wire.
//! - *key to lit lamp*: until the bytes that make `701 ■` on an emulated screen have come out of the terminal. Never
//!   before the server has said so.
//! - *key to PARKED banner*: the park is proven. On Asterisk that takes a second REFER whose refusal proves it.
//! - *lamp's NOTIFY to lit lamp*: ours alone again; a picture may wait for the one before it.
//! - *slot key to talking*: the retrieve is answered, and proven to be this caller: by our lot at once, by Asterisk
//!   with an UPDATE about 20 ms later.
//!
//! The ratio is ours to Asterisk: 0.5 is half the time. A busy machine adds milliseconds to all of it: mind the load
//! average. A peer that is missing is an error.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod rig;

use rig::board::Board;
use rig::caller::Caller;
use rig::figures::{Samples, machine};
use rig::office::Office;
use rig::wire::{Passed, Wire};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(5);
/// Rounds before counting starts: caches, and the first frames of everything.
const WARM_UP: usize = 3;

/// What is counted, in the order of the table.
const ROWS: [&str; 7] = [
    "p: key to REFER on the wire",
    "p: REFER to the lamp's NOTIFY (server)",
    "p: lamp's NOTIFY to lit lamp on screen",
    "p: key to lit lamp on screen",
    "p: key to PARKED banner",
    "slot: key to INVITE on the wire",
    "slot: key to talking on screen",
];

struct Side {
    office: Office,
    board: Board,
    caller: Caller,
    rows: [Samples; 7],
}

fn main() {
    let rounds = std::env::var("PARKDECK_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let before = machine();
    let offices = [Office::ours(), Office::asterisk()];
    let wire = Wire::watch(&offices.iter().map(|office| office.sip().port()).collect::<Vec<_>>());
    let mut sides = offices.map(begin);
    for round in 0..WARM_UP + rounds {
        for (nth, side) in sides.iter_mut().enumerate() {
            // Never in step with anything: frames, ticks, the other side.
            std::thread::sleep(Duration::from_millis(120 + ((round * 37 + nth * 59) % 97) as u64));
            let figures = side.round(&wire);
            if round >= WARM_UP {
                side.rows.iter_mut().zip(figures).for_each(|(row, figure)| row.add(figure));
            }
            wire.forget();
        }
    }
    print(&sides, &before);
}

/// A console with one caller in slot 701.
fn begin(office: Office) -> Side {
    let mut board = office.console("\"pcmu\"", 100, 30);
    let caller = office.caller("100", "Jane Doe", "01614960100");
    board.see(SOON, &[("a ringing call", &|text| text.contains("RINGING"))]);
    board.keys("\r");
    board.see(SOON, &[("the call talked to", &|text| text.contains("talking"))]);
    std::thread::sleep(Duration::from_millis(300));
    board.keys("p");
    board.see(SOON, &[("the lamp", &lamp_is_lit), ("the banner", &banner_shows)]);
    Side { office, board, caller, rows: Default::default() }
}

fn lamp_is_lit(text: &str) -> bool {
    text.contains("701 ■")
}

fn banner_shows(text: &str) -> bool {
    text.contains("PARKED ON 701")
}

impl Side {
    fn round(&mut self, wire: &Wire) -> [Duration; 7] {
        assert!(self.caller.is_up(), "the caller of {} was lost", self.office.name());
        let key = self.board.keys("1");
        let talking = self.board.see(SOON, &[("talking", &|text| text.contains("talking"))])[0];
        let invite = self
            .pass(wire, key, "INVITE", |p, server| p.to.port() == server && p.text.starts_with("INVITE "));
        let (to_invite, to_talking) = (invite - key, talking - key);

        std::thread::sleep(Duration::from_millis(180));
        let settled = |text: &str| !banner_shows(text) && !lamp_is_lit(text);
        self.board.see(SOON, &[("the banner gone", &settled)]);

        let key = self.board.keys("p");
        let seen = self.board.see(SOON, &[("the lamp", &lamp_is_lit), ("the banner", &banner_shows)]);
        let refer =
            self.pass(wire, key, "REFER", |p, server| p.to.port() == server && p.text.starts_with("REFER "));
        let notify = self.pass(wire, key, "NOTIFY", |p, server| p.from.port() == server && is_lit_lamp(p));
        [
            refer - key,
            notify - refer,
            seen[0].saturating_duration_since(notify),
            seen[0] - key,
            seen[1] - key,
            to_invite,
            to_talking,
        ]
    }

    fn pass(&self, wire: &Wire, key: Instant, what: &str, wanted: impl Fn(&Passed, u16) -> bool) -> Instant {
        let server = self.office.sip().port();
        let passed = wire.first_since(key, SOON, |p| wanted(p, server));
        passed.unwrap_or_else(|| panic!("no {what} on the wire:\n{}", wire.told_since(key))).at
    }
}

/// A NOTIFY that says that slot 701 is taken.
fn is_lit_lamp(passed: &Passed) -> bool {
    passed.text.starts_with("NOTIFY ")
        && passed.text.contains("dialog-info")
        && passed.text.contains("confirmed")
        && passed.text.contains("701")
}

fn print(sides: &[Side; 2], before: &str) {
    let [ours, theirs] = sides;
    println!("\nlatency, ms · n = {} each · {}", ours.rows[0].count(), machine());
    println!("at the start: {before}\n");
    println!("{:<42}{:>9}{:>9} │{:>9}{:>9} │{:>7}{:>7}", "", "our lot", "", "Asterisk", "", "ratio", "");
    println!("{:<42}{:>9}{:>9} │{:>9}{:>9} │{:>7}{:>7}", "", "p50", "p99", "p50", "p99", "p50", "p99");
    for ((name, ours), theirs) in ROWS.iter().zip(&ours.rows).zip(&theirs.rows) {
        let (a, b, c, d) = (ours.p50_ms(), ours.p99_ms(), theirs.p50_ms(), theirs.p99_ms());
        println!("{name:<42}{a:>9.2}{b:>9.2} │{c:>9.2}{d:>9.2} │{:>7.2}{:>7.2}", a / c, b / d);
    }
}
