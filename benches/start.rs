//! How long it takes until one can work: from the program's start to its first picture, to its registration on the wire,
//! and to lamps that are known; beside baresip's registration at the same server, round by round.
//!
//! Run: `tests/setup.sh`, then as root (or with CAP_NET_RAW) `cargo bench --bench start`; `PARKDECK_ROUNDS` sets how many
//! rounds (30). The server is our lot as a process of its own, the console the release binary in a pseudo-terminal of
//! 80×24. Counted from just before the process is made:
//! - *first picture*: the board is on the screen. Below 50 ms.
//! - *registered*: the lot's 200 to a REGISTER with credentials has passed on loopback. Below 150 ms. baresip's likewise.
//! - *lamps known*: the first slot is shown as free.
//!
//! Both log in by MD5, all that this baresip knows. The ratio is ours to baresip's, which has no screen and no lamps. A peer that is missing is an error.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod rig;

use rig::figures::{Samples, machine};
use rig::office::Office;
use rig::peers::baresip::{Baresip, BaresipOptions};
use rig::wire::Wire;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(10);

fn main() {
    let rounds = std::env::var("PARKDECK_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(30);
    println!("\nstart, ms · n = {rounds} each · {}\n", machine());
    let office = Office::ours();
    let wire = Wire::watch(&[office.sip().port()]);
    let mut rows: [Samples; 4] = Default::default();
    for _ in 0..rounds {
        let began = Instant::now();
        let (board, seen) = office.console_from_start();
        rows[0].add(seen[0] - began);
        rows[1].add(registered(&wire, &office, began) - began);
        rows[2].add(seen[1] - began);
        drop(board);
        wire.forget();

        let began = Instant::now();
        let baresip = Baresip::start(&BaresipOptions::new("sam", &office.password("sam"), office.sip()));
        rows[3].add(registered(&wire, &office, began) - began);
        drop(baresip);
        wire.forget();
    }
    println!("{:<36}{:>9}{:>9}", "", "p50", "p99");
    for (name, row) in ["first picture", "registered", "lamps known", "baresip registered"].iter().zip(&rows)
    {
        println!("{name:<36}{:>9.1}{:>9.1}", row.p50_ms(), row.p99_ms());
    }
    let (ours, theirs) = (&rows[1], &rows[3]);
    println!(
        "{:<36}{:>9.2}{:>9.2}",
        "ratio",
        ours.p50_ms() / theirs.p50_ms(),
        ours.p99_ms() / theirs.p99_ms()
    );
    println!("\nat the end: {}", machine());
}

/// When the server's 200 to a REGISTER passed.
fn registered(wire: &Wire, office: &Office, since: Instant) -> Instant {
    let port = office.sip().port();
    let granted = wire.first_since(since, SOON, |passed| {
        passed.from.port() == port
            && passed.text.starts_with("SIP/2.0 200")
            && passed.text.lines().any(|line| line.starts_with("CSeq:") && line.ends_with("REGISTER"))
    });
    granted.unwrap_or_else(|| panic!("nobody registered:\n{}", wire.told_since(since))).at
}
