//! The lot beside Asterisk as a park server, in one run on the same machine: what a parked caller costs, how fast calls are
//! parked and retrieved, how soon two hundred watchers are told, how evenly the music goes out.
//!
//! Run: `tests/setup.sh`, then `cargo bench --bench lot` (about four minutes). The lot is the release binary with its journal
//! on; Asterisk logs warnings only. Both know their callers by address, all sound is G.711, and nobody is asked for a
//! password. The load is a crowd of a few SIP texts on eight sockets (`rig/crowd`), the same towards both, one server after
//! the other.
//!
//! - *parked callers per core*: a second of one core, divided by what a parked caller costs the server in CPU time
//!   (`schedstat`; the server's own idle time taken off), with 300 parked who speak and hear music. Goal: 5 times Asterisk's.
//! - *memory*: pages that nobody else uses, more with 300 parked than with none, for each.
//! - *music*: how far the gaps between packets are from 20 ms at eight of the 300, seen by the receiver.
//! - *park, retrieve*: 300 calls to the park extension, then 300 to the slots, sixteen at a time; from INVITE to 200.
//! - *lamps*: 200 watchers of one slot; from the parked caller's INVITE or BYE until each has the NOTIFY. Goal: p99 no slower.
//! - *retrieve at 1,000*: one call after another with nobody else parked, and with 1,000 who hear music (the lot only).
//!   Goal: no slower.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod rig;

use rig::crowd::{Call, Crowd, LINES, Wish};
use rig::figures::{Samples, cpu_of, machine, memory_of};
use rig::parkdeck;
use rig::peers::asterisk::{Asterisk, AsteriskOptions};
use rig::peers::process::Process;
use rig::peers::{LOOPBACK, OUTSIDE, free_udp_port, wait_until};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PARKED: usize = 300;
const MANY: usize = 1_000;
const WATCHERS: usize = 200;
const AT_ONCE: usize = 16;
/// Callers whose music is looked at.
const EARS: usize = 8;
const PARK: &str = "5000";
const FIRST_SLOT: usize = 5_001;
const SETTLING: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(15);
const ROUNDS: usize = 30;

/// What is measured of one server.
#[derive(Default)]
struct Figures {
    cpu_us: f64,
    memory_kib: f64,
    gaps: Samples,
    parks: (f64, Samples),
    retrieves: (f64, Samples),
    lamps: Samples,
    alone: Samples,
    beside_many: Option<Samples>,
}

fn main() {
    println!("\nlot · {}\n", machine());
    let ours = {
        let (lines, addresses) = Crowd::lines();
        let (process, sip, _folder) = lot(&addresses);
        let ears = Ears::new();
        let mut crowd = Crowd::new(lines, sip);
        let figures = measure(process.pid(), &mut crowd, &ears);
        Figures { beside_many: Some(beside_many(&mut crowd, &ears)), ..figures }
    };
    let theirs = {
        let (lines, _) = Crowd::lines();
        let asterisk = Asterisk::start(AsteriskOptions {
            first_slot: FIRST_SLOT as u16,
            slots: 1_100,
            parking_s: 3_600,
            rtp_ports: 4_000,
            quiet: true,
            ..AsteriskOptions::default()
        });
        let ears = Ears::new();
        measure(asterisk.pid(), &mut Crowd::new(lines, asterisk.sip()), &ears)
    };
    print(&ours, &theirs);
    println!("\nat the end: {}", machine());
}

/// Our lot, with three parking lots of 500 slots and the crowd's sockets as servers of its own.
fn lot(addresses: &[SocketAddr]) -> (Process, SocketAddr, tempfile::TempDir) {
    let folder = tempfile::Builder::new().prefix("parkdeck-lot-").tempdir().unwrap();
    let sip = SocketAddr::from((LOOPBACK, free_udp_port(LOOPBACK)));
    let mut text = format!("listen = \"{sip}\"\njournal = \"lot.journal\"\n");
    for (nth, address) in addresses.iter().enumerate() {
        text += &format!(
            "[[users]]\nname = \"town{nth}\"\nsecret = \"nobody uses it\"\naddress = \"{address}\"\n\
             permissions = {{ assert_identity = true }}\n"
        );
    }
    for nth in 0..3 {
        let first = FIRST_SLOT + 1_000 * nth;
        text += &format!(
            "[[lots]]\nname = \"lot{nth}\"\nparkext = \"{}\"\nparkpos = \"{first}-{}\"\nparkingtime = 3600\n\
             sayslot = \"never\"\n",
            first - 1,
            first + 499
        );
    }
    let file = folder.path().join("lot.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let arguments = ["lot".into(), "--config".into(), file.to_string_lossy().into_owned()];
    let mut process = Process::start(&parkdeck(), &arguments, folder.path(), &folder.path().join("output"));
    wait_until("the lot to listen", Duration::from_secs(20), || {
        assert!(process.exited().is_none(), "the lot ended:\n{}", process.output());
        process.output().contains("the lot is open").then_some(())
    });
    (process, sip, folder)
}

fn wish(extension: &str, name: &str, ear: u16) -> Wish {
    Wish { extension: extension.to_owned(), name: name.to_owned(), ear }
}

fn slot(nth: usize) -> String {
    (FIRST_SLOT + nth).to_string()
}

fn measure(pid: u32, crowd: &mut Crowd, ears: &Ears) -> Figures {
    let mut figures = Figures::default();
    // Warm: what is allocated once is allocated.
    let warm: Vec<Wish> = (0..AT_ONCE).map(|nth| wish(PARK, &format!("warm{nth}"), ears.deaf())).collect();
    let (calls, _) = crowd.call(&warm, AT_ONCE);
    crowd.hang_up(calls, AT_ONCE);
    crowd.settle(SETTLING);
    figures.alone = retrieves_alone(crowd, ears, FIRST_SLOT);
    figures.lamps = lamps(crowd, ears);
    crowd.settle(SETTLING);
    let idle = cpu_over(pid, crowd, Duration::from_secs(5));
    let before = memory_of(pid).private_kib;

    let wishes: Vec<Wish> = (0..PARKED)
        .map(|nth| wish(PARK, &format!("caller{nth}"), if nth < EARS { ears.port(nth) } else { ears.deaf() }))
        .collect();
    let began = Instant::now();
    let (parked, times) = crowd.call(&wishes, AT_ONCE);
    figures.parks = (PARKED as f64 / began.elapsed().as_secs_f64(), times);
    let speaking = ears.speak_to(&parked);
    crowd.settle(SETTLING);
    ears.forget();
    let busy = cpu_over(pid, crowd, MEASURED);
    figures.gaps = ears.gaps();
    figures.memory_kib = memory_of(pid).private_kib.saturating_sub(before) as f64 / PARKED as f64;
    figures.cpu_us = (busy - idle) * 1e6 / PARKED as f64;
    speaking.store(false, Ordering::Relaxed);

    let wishes: Vec<Wish> = (0..PARKED).map(|nth| wish(&slot(nth), "desk", ears.deaf())).collect();
    let began = Instant::now();
    let (taken, times) = crowd.call(&wishes, AT_ONCE);
    figures.retrieves = (PARKED as f64 / began.elapsed().as_secs_f64(), times);
    // Whoever hangs up in the first moment didn't want the caller.
    crowd.settle(SETTLING);
    crowd.hang_up(taken, AT_ONCE);
    crowd.settle(SETTLING);
    figures
}

/// Seconds of CPU time in a second.
fn cpu_over(pid: u32, crowd: &mut Crowd, over: Duration) -> f64 {
    let (before, began) = (cpu_of(pid), Instant::now());
    crowd.settle(over);
    (cpu_of(pid) - before).as_secs_f64() / began.elapsed().as_secs_f64()
}

/// One is parked in the slot and taken, again and again: how long it took to be answered.
fn retrieves_alone(crowd: &mut Crowd, ears: &Ears, first: usize) -> Samples {
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        let (parked, _) = crowd.call(&[wish(&(first - 1).to_string(), "jane", ears.deaf())], 1);
        crowd.settle(Duration::from_millis(150));
        let (taken, times) = crowd.call(&[wish(&first.to_string(), "desk", ears.deaf())], 1);
        samples.extend(times);
        crowd.settle(Duration::from_millis(900));
        crowd.hang_up(taken, 1);
        crowd.hang_up(parked, 1);
        crowd.settle(Duration::from_millis(50));
    }
    samples
}

/// The same beside a thousand, in a lot of its own.
fn beside_many(crowd: &mut Crowd, ears: &Ears) -> Samples {
    let park = |nth: usize| if nth < 500 { "5000" } else { "6000" };
    let wishes: Vec<Wish> =
        (0..MANY).map(|nth| wish(park(nth), &format!("caller{nth}"), ears.deaf())).collect();
    let (parked, _) = crowd.call(&wishes, AT_ONCE);
    crowd.settle(SETTLING);
    let samples = retrieves_alone(crowd, ears, FIRST_SLOT + 2_000);
    crowd.hang_up(parked, AT_ONCE);
    samples
}

/// From the deed until each of the watchers has been told.
fn lamps(crowd: &mut Crowd, ears: &Ears) -> Samples {
    crowd.watch(&slot(0), WATCHERS);
    let mut samples = Samples::default();
    for round in 0..ROUNDS {
        crowd.settle(Duration::from_millis(400));
        let began = crowd.begin(&wish(PARK, "jane", ears.deaf()));
        let (lit, mut calls) = crowd.hear_of(WATCHERS, ">confirmed<", began, Duration::from_secs(10));
        crowd.settle(Duration::from_millis(400));
        let began = crowd.leave(calls.pop().expect("a parked call"));
        let (out, _) = crowd.hear_of(WATCHERS, ">terminated<", began, Duration::from_secs(10));
        if round > 1 {
            samples.extend(lit);
            samples.extend(out);
        }
    }
    samples
}

/// Where sound is heard: eight sockets with a thread each that note when packets come, and one that nobody reads.
struct Ears {
    deaf: UdpSocket,
    hearing: Vec<UdpSocket>,
    came: Arc<Vec<std::sync::Mutex<Vec<Instant>>>>,
}

impl Ears {
    fn new() -> Self {
        let came: Arc<Vec<_>> = Arc::new((0..EARS).map(|_| std::sync::Mutex::new(Vec::new())).collect());
        let mut hearing = Vec::new();
        for nth in 0..EARS {
            let socket = UdpSocket::bind((OUTSIDE, 0)).unwrap();
            hearing.push(socket.try_clone().unwrap());
            let came = came.clone();
            std::thread::spawn(move || {
                let mut packet = [0; 2_048];
                while socket.recv(&mut packet).is_ok() {
                    came[nth].lock().unwrap().push(Instant::now());
                }
            });
        }
        let deaf = UdpSocket::bind((OUTSIDE, 0)).unwrap();
        Self { deaf, hearing, came }
    }

    fn port(&self, nth: usize) -> u16 {
        self.hearing[nth].local_addr().unwrap().port()
    }

    fn deaf(&self) -> u16 {
        self.deaf.local_addr().unwrap().port()
    }

    /// Everybody speaks from now on, until the flag is lowered: a packet each 20 ms. From where he hears: a server that
    /// learns where somebody is (symmetric RTP) sends music there.
    fn speak_to(&self, calls: &[Call]) -> Arc<AtomicBool> {
        let (on, deaf) = (Arc::new(AtomicBool::new(true)), self.deaf.try_clone().unwrap());
        let hearing: Vec<UdpSocket> = self.hearing.iter().map(|socket| socket.try_clone().unwrap()).collect();
        let (mine, targets) = (on.clone(), calls.iter().map(|call| call.media).collect::<Vec<_>>());
        std::thread::spawn(move || {
            let mut packet = [0xff_u8; 172];
            let began = Instant::now();
            for tick in 0_u32.. {
                if !mine.load(Ordering::Relaxed) {
                    return;
                }
                packet[..2].copy_from_slice(&[0x80, 0]);
                packet[2..4].copy_from_slice(&(tick as u16).to_be_bytes());
                packet[4..8].copy_from_slice(&(tick * 160).to_be_bytes());
                for (nth, target) in targets.iter().enumerate() {
                    packet[8..12].copy_from_slice(&(nth as u32 + 1).to_be_bytes());
                    let _ = hearing.get(nth).unwrap_or(&deaf).send_to(&packet, target);
                }
                let next = Duration::from_millis(20) * (tick + 1);
                std::thread::sleep(next.saturating_sub(began.elapsed()));
            }
        });
        on
    }

    fn forget(&self) {
        self.came.iter().for_each(|came| came.lock().unwrap().clear());
    }

    /// How far the gaps between packets were from 20 ms.
    fn gaps(&self) -> Samples {
        let mut samples = Samples::default();
        for came in self.came.iter() {
            for pair in came.lock().unwrap().windows(2) {
                let gap = (pair[1] - pair[0]).as_secs_f64() - 0.020;
                samples.add(Duration::from_secs_f64(gap.abs()));
            }
        }
        samples
    }
}

fn print(ours: &Figures, theirs: &Figures) {
    println!("{:<44}{:>12}{:>12}{:>10}", "", "lot", "Asterisk", "ratio");
    let row = |name: &str, a: f64, b: f64| println!("{name:<44}{a:>12.2}{b:>12.2}{:>10.2}", a / b);
    row("CPU for a parked caller, µs in a second", ours.cpu_us, theirs.cpu_us);
    row("parked callers with music per core", 1e6 / ours.cpu_us, 1e6 / theirs.cpu_us);
    row("memory for a parked call, KiB", ours.memory_kib, theirs.memory_kib);
    row("music, off 20 ms, p50, ms", ours.gaps.p50_ms(), theirs.gaps.p50_ms());
    row("music, off 20 ms, p99, ms", ours.gaps.p99_ms(), theirs.gaps.p99_ms());
    row("parks a second", ours.parks.0, theirs.parks.0);
    row("retrieves a second", ours.retrieves.0, theirs.retrieves.0);
    row("lamps, p50, ms", ours.lamps.p50_ms(), theirs.lamps.p50_ms());
    row("lamps, p99, ms", ours.lamps.p99_ms(), theirs.lamps.p99_ms());
    row("one retrieve, p50, ms", ours.alone.p50_ms(), theirs.alone.p50_ms());
    row("one retrieve, p99, ms", ours.alone.p99_ms(), theirs.alone.p99_ms());
    if let Some(many) = &ours.beside_many {
        println!("\nthe lot's retrieve, ms{:>32}{:>12}{:>10}", "alone", "beside 1000", "ratio");
        let row = |name: &str, a: f64, b: f64| println!("{name:<42}{a:>12.2}{b:>12.2}{:>10.2}", b / a);
        row("p50", ours.alone.p50_ms(), many.p50_ms());
        row("p99", ours.alone.p99_ms(), many.p99_ms());
    }
    println!("\nn: {} gaps, {} lamps, {LINES} sockets", ours.gaps.count(), ours.lamps.count());
}
