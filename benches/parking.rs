//! Parking and retrieving on a real Asterisk, beside what Asterisk itself takes for the same steps.
//!
//! Run: `tests/setup.sh`, then as root (or with CAP_NET_RAW) `cargo bench --bench parking`; `PARKDECK_ROUNDS` sets how
//! many rounds (60). The console is the release binary in a pseudo-terminal; the *bare script* is a socket with a few SIP
//! texts that does the same steps at another extension of the same server, in turn with the console.
//!
//! - *park, to proof*: from the key, or the script's REFER, until the BYE that ends our leg is on the wire: REFER, lamp,
//!   the same REFER again, its refusal. Nobody ends a leg before that.
//! - *retrieve, to first sound*: from the slot's key, or the script's INVITE, until the first packet of the caller's
//!   sound arrives; both answer the server's challenge first.
//!
//! *more* is how much later the console is than the script at the same rank. The goal is 5 ms at p50. The console's part
//! holds terminal, keymap, desk, dialect and user agent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod rig;

use rig::bare::Bare;
use rig::board::Board;
use rig::figures::{Samples, machine};
use rig::office::Office;
use rig::wire::Wire;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(5);
/// How much later than the script the console may be at p50, in ms.
const GOAL_MS: f64 = 5.0;
/// Rounds before counting starts.
const WARM_UP: usize = 3;
/// Between two steps: the server's own aftermath of the one before.
const PAUSE: Duration = Duration::from_millis(180);

fn main() {
    let rounds = std::env::var("PARKDECK_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let before = machine();
    let office = Office::asterisk();
    let wire = Wire::watch_all();
    let mut board = office.console("\"pcmu\"", 100, 30);
    let jane = office.caller("100", "Jane Doe", "01614960100");
    board.see(SOON, &[("a ringing call", &|text| text.contains("RINGING"))]);
    board.keys("\r");
    board.see(SOON, &[("the call talked to", &|text| text.contains("talking"))]);
    std::thread::sleep(PAUSE);
    board.keys("p");
    board.see(SOON, &[("the banner", &|text| text.contains("PARKED ON 701"))]);
    // The script's caller sits in the slot behind.
    let mut bare = Bare::register(office.sip(), "desk2", &office.password("desk2"), "702");
    let mary = office.caller("105", "Mary Roe", "01614960200");
    bare.answer();
    std::thread::sleep(PAUSE);
    bare.park();
    let mut samples: [Samples; 4] = Default::default();
    for round in 0..WARM_UP + rounds {
        assert!(jane.is_up() && mary.is_up(), "a caller was lost");
        std::thread::sleep(Duration::from_millis(120 + (round * 37 % 97) as u64));
        let ours = console_round(&office, &mut board, &wire);
        std::thread::sleep(Duration::from_millis(120 + (round * 59 % 97) as u64));
        let began = bare.retrieve("702");
        let port = bare.port();
        let retrieved = wire.first_since(began, SOON, |p| p.to.port() == port).expect("sound").at - began;
        std::thread::sleep(PAUSE);
        let parked = bare.park();
        if round >= WARM_UP {
            let all = [ours.0, parked, ours.1, retrieved];
            samples.iter_mut().zip(all).for_each(|(samples, figure)| samples.add(figure));
        }
        wire.forget();
    }
    print(&samples, &before);
}

/// One park and one retrieve of the console.
fn console_round(office: &Office, board: &mut Board, wire: &Wire) -> (Duration, Duration) {
    let server = office.sip().port();
    let key = board.keys("1");
    let invite = |p: &rig::wire::Passed| p.to.port() == server && p.text.starts_with("INVITE ");
    let invite = wire.first_since(key, SOON, invite).expect("an INVITE");
    let port = invite.text.split("m=audio ").nth(1).and_then(|rest| rest.split(' ').next());
    let port: u16 = port.and_then(|port| port.parse().ok()).expect("a media port");
    let sound = wire.first_since(key, SOON, |p| p.to.port() == port).expect("sound").at;
    board.see(SOON, &[("talking", &|text| text.contains("talking"))]);
    std::thread::sleep(PAUSE);
    let settled = |text: &str| !text.contains("PARKED ON 701") && !text.contains("701 ■");
    board.see(SOON, &[("the banner gone", &settled)]);
    let press: Instant = board.keys("p");
    let bye = |p: &rig::wire::Passed| p.to.port() == server && p.text.starts_with("BYE ");
    let bye = wire.first_since(press, SOON, bye).expect("a BYE").at;
    board.see(SOON, &[("the banner", &|text| text.contains("PARKED ON 701"))]);
    (bye - press, sound - key)
}

fn print(samples: &[Samples; 4], before: &str) {
    println!("\nparking on Asterisk, ms · n = {} each · {}", samples[0].count(), machine());
    println!("at the start: {before}\n");
    println!("{:<28}{:>9}{:>9} │{:>9}{:>9} │{:>9}{:>9}", "", "console", "", "script", "", "more", "");
    println!("{:<28}{:>9}{:>9} │{:>9}{:>9} │{:>9}{:>9}", "", "p50", "p99", "p50", "p99", "p50", "p99");
    let names = ["park, to proof", "retrieve, to first sound"];
    for (name, pair) in names.iter().zip(samples.chunks_exact(2)) {
        let (a, b, c, d) = (pair[0].p50_ms(), pair[0].p99_ms(), pair[1].p50_ms(), pair[1].p99_ms());
        println!("{name:<28}{a:>9.2}{b:>9.2} │{c:>9.2}{d:>9.2} │{:>9.2}{:>9.2}", a - c, b - d);
        let kept = if a - c <= GOAL_MS { "kept" } else { "MISSED" };
        println!("{:<28}at most {GOAL_MS} ms more at p50: {kept}", "");
    }
}
