//! Memory and CPU of the console beside baresip, and of the lot beside Asterisk, on the same machine in the same run.
//!
//! Run: `tests/setup.sh`, then `cargo bench --bench footprint` (about three minutes; `PARKDECK_SECONDS` changes the 20 s
//! idle and 30 s in a call to so many seconds each). The console is the release binary in a pseudo-terminal of 100×30,
//! registered with nine lamps at a real Asterisk; baresip is registered there too, without lamps and without a screen.
//! Console and baresip are measured at the same time. In a call both have dialled Asterisk's music (602), so they
//! decode music and encode silence; neither has a sound device, for there is none to share fairly: what a sound card
//! costs (a wake-up each 10 to 20 ms, resampling) comes on top for both.
//!
//! - *cpu*: time on a processor by `/proc/PID/task/*/schedstat`, in ms for each second. *wakes*: context switches for
//!   each second, a laptop's battery in one figure.
//! - *rss*, *pss*, *private*: from `smaps_rollup`, MiB. Rss counts libraries that others use as well; private is what
//!   ending the process would give back.
//! - The ratio is ours : theirs, 0.5 is half.
//!
//! The lot is measured beside Asterisk as a lot, at the same time: idle (one console registered that watches all lamps)
//! and with nine parked callers each, who speak and hear music, all in G.711. A peer that is missing is an error.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod rig;

use rig::caller::Caller;
use rig::figures::{Memory, cpu_of, machine, memory_of, switches_of};
use rig::office::Office;
use rig::peers::baresip::{Baresip, BaresipOptions};
use rig::peers::wait_until;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(5);
/// After a call is up, or a program has started: until it does nothing but go on.
const SETTLING: Duration = Duration::from_secs(3);
/// As many as the smaller of the two, Asterisk's, has slots.
const PARKED: usize = 9;

fn main() {
    println!("\nfootprint · {}\n", machine());
    println!("{:<44}{:>9}{:>9}{:>9}{:>9}{:>9}", "", "cpu ms/s", "wakes/s", "rss MiB", "pss MiB", "private");
    consoles();
    lots();
    println!("\nat the end: {}", machine());
}

/// What was measured over a while.
#[derive(Clone, Copy)]
struct Figures {
    cpu_ms: f64,
    wakes: f64,
    memory: Memory,
}

/// Measures all of these processes over the same time.
fn measure<const N: usize>(pids: [u32; N], over: Duration) -> [Figures; N] {
    std::thread::sleep(SETTLING);
    let read = |pid| (cpu_of(pid), switches_of(pid));
    let (before, began) = (pids.map(read), Instant::now());
    std::thread::sleep(over);
    let (after, seconds) = (pids.map(read), began.elapsed().as_secs_f64());
    std::array::from_fn(|i| Figures {
        cpu_ms: (after[i].0 - before[i].0).as_secs_f64() * 1e3 / seconds,
        wakes: (after[i].1 - before[i].1) as f64 / seconds,
        memory: memory_of(pids[i]),
    })
}

fn seconds(usual: u64) -> Duration {
    let asked = std::env::var("PARKDECK_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(asked.unwrap_or(usual))
}

fn consoles() {
    let office = Office::asterisk();
    for codec in ["pcmu", "opus"] {
        let mut board = office.console(&format!("\"{codec}\""), 100, 30);
        let options =
            BaresipOptions::new("alice", &office.password("alice"), office.sip()).tone(0.0).bare(codec);
        let mut baresip = Baresip::start(&options);
        baresip.wait_registered();
        if codec == "pcmu" {
            // What was said at the start has faded after 10 s: then nothing on the board counts time.
            std::thread::sleep(Duration::from_secs(10));
            compare("idle", measure([board.pid(), baresip.pid()], seconds(20)));
        }
        board.keys("d602\r");
        baresip.dial(&format!("sip:602@{}", office.sip()));
        board.see(SOON, &[("the call talked to", &|text| text.contains("talking"))]);
        baresip.wait_established(SOON);
        compare(&format!("in a call, {codec}"), measure([board.pid(), baresip.pid()], seconds(30)));
        assert!(board.shows(|text| text.contains("talking")), "the call lasted:\n{}", board.text());
        assert_eq!(baresip.count("CALL_CLOSED"), 0, "baresip's call lasted");
    }
}

fn compare(name: &str, figures: [Figures; 2]) {
    against(["console", "baresip"], name, figures);
}

fn against(whose: [&str; 2], name: &str, [ours, theirs]: [Figures; 2]) {
    row(&format!("{}, {name}", whose[0]), ours);
    row(&format!("{}, {name}", whose[1]), theirs);
    let [a, b] = [ours, theirs].map(|f| f.values());
    // A phone that does nothing at all for so long makes no ratio.
    let ratio = |(a, b): (&f64, f64)| match b {
        b if b < 0.005 => format!("{:>9}", "–"),
        b => format!("{:>9.2}", a / b),
    };
    let ratios: String = a.iter().zip(b).map(ratio).collect();
    println!("{:<44}{ratios}", "    ratio");
}

/// Our lot and Asterisk, each idle and with as many parked callers, measured at the same time.
fn lots() {
    let offices = [Office::ours(), Office::asterisk()];
    let pids = [offices[0].pid(), offices[1].pid()];
    let boards = [0, 1].map(|nth: usize| offices[nth].console("\"pcmu\"", 100, 30));
    let idle = measure(pids, seconds(20));
    against(["lot", "Asterisk"], "idle, watched by a console", idle);
    let callers: Vec<Caller> = (0..PARKED)
        .flat_map(|nth| offices.each_ref().map(|office| (nth, office)))
        .map(|(nth, office)| {
            let caller = office.caller("700", &format!("Caller {nth}"), &format!("0161496010{nth}"));
            wait_until("the caller to be parked", SOON, || caller.is_answered().then_some(()));
            caller
        })
        .collect();
    let [ours, theirs, watching] = measure([pids[0], pids[1], boards[0].pid()], seconds(20));
    assert!(callers.iter().all(Caller::is_up), "the callers are still parked");
    against(["lot", "Asterisk"], &format!("{PARKED} parked callers with music"), [ours, theirs]);
    row("console that shows the lot's", watching);
    for (name, idle, busy) in [("lot", idle[0], ours), ("Asterisk", idle[1], theirs)] {
        let each = (busy.cpu_ms - idle.cpu_ms) / PARKED as f64;
        let more = busy.memory.private_kib.saturating_sub(idle.memory.private_kib) as f64 / PARKED as f64;
        println!("    {name}, for each parked caller: {each:.2} ms CPU a second, {more:.0} KiB");
    }
}

impl Figures {
    fn values(&self) -> [f64; 5] {
        let mib = |kib: u64| kib as f64 / 1024.0;
        let Memory { rss_kib, pss_kib, private_kib } = self.memory;
        [self.cpu_ms, self.wakes, mib(rss_kib), mib(pss_kib), mib(private_kib)]
    }
}

fn row(name: &str, figures: Figures) {
    let values: String = figures.values().iter().map(|value| format!("{value:>9.2}")).collect();
    println!("{name:<44}{values}");
}
