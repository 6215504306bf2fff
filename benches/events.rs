//! What subscriptions and dialogs weigh, and what a storm of NOTIFYs leaves behind.
//!
//! Run: `cargo bench --bench events`. No network: two user agents in virtual time, and an allocator that counts.
//!
//! - *a subscription*, *a watcher*, *a call*: bytes that one more of them takes for as long as it lasts, transactions
//!   that linger for half a minute not counted, on the subscriber's side, the server's, and the callee's.
//! - *storm*: 10,000 NOTIFYs at 2,000 a second to 500 lamps: the most that was held above the beginning while it lasted
//!   and what is left right after it (goal: at most 10 MB), and the time that one NOTIFY takes to be read, answered and
//!   told.

#![allow(unsafe_code, reason = "a counting allocator can't be had without")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use parkdeck::sip::dialog_info::{self, DialogElement, DialogInfo, DialogState};
use parkdeck::sip::message::{NameAddr, Uri};
use parkdeck::sip::{Event, Invite, Moment, Peer, Subscribe, UaConfig, UserAgent, WatcherKey};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

const LAMPS: usize = 500;
const NOTIFIES: u32 = 10_000;

fn at(host: u8) -> Peer {
    Peer::udp(([10, 0, 0, host], 5060).into())
}

fn phone() -> UserAgent {
    UserAgent::new(UaConfig::new(at(1).address, "bench", 1))
}

/// Two agents and the time; the second one is the server.
struct Pair {
    now: Moment,
    phone: UserAgent,
    server: UserAgent,
    watchers: Vec<WatcherKey>,
    heard: usize,
}

impl Pair {
    fn new() -> Self {
        let server = UserAgent::new(UaConfig::server(at(9).address, "bench", 2));
        Self { now: Duration::from_secs(1000), phone: phone(), server, watchers: vec![], heard: 0 }
    }

    fn talk(&mut self) {
        loop {
            let mut silent = true;
            while let Some(transmit) = self.phone.poll_transmit() {
                silent = false;
                self.server.receive(self.now, at(1), &transmit.bytes);
            }
            while let Some(event) = self.server.poll_event() {
                self.serve(event);
            }
            while let Some(transmit) = self.server.poll_transmit() {
                silent = false;
                self.phone.receive(self.now, at(9), &transmit.bytes);
            }
            while let Some(event) = self.phone.poll_event() {
                match event {
                    Event::CallReceived { call, .. } => self.phone.accept(self.now, call, b"v=0".to_vec()),
                    Event::Notified { .. } => self.heard += 1,
                    _ => {}
                }
            }
            if silent {
                return;
            }
        }
    }

    fn serve(&mut self, event: Event) {
        match event {
            Event::RequestReceived { key, .. } => {
                let watcher = self.server.admit_watcher(self.now, key, 3600).unwrap();
                self.watchers.push(watcher);
                self.server.notify(self.now, watcher, dialog_info::CONTENT_TYPE, state(0, false));
            }
            Event::WatcherRefreshed { watcher } => {
                self.server.notify(self.now, watcher, dialog_info::CONTENT_TYPE, state(0, false));
            }
            _ => {}
        }
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.talk();
            let next = [self.phone.next_wake(), self.server.next_wake()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            self.phone.wake(self.now);
            self.server.wake(self.now);
        }
        self.now = until;
    }

    fn watch(&mut self, slot: usize) {
        let subscribe = Subscribe {
            account: None,
            target: Uri::sip(&slot.to_string(), "10.0.0.9"),
            send_to: at(9),
            event: "dialog".to_owned(),
            accept: dialog_info::CONTENT_TYPE.to_owned(),
            expires_s: 3600,
            list: false,
        };
        self.phone.subscribe(self.now, subscribe);
    }

    fn call(&mut self) {
        let invite = Invite {
            account: None,
            from: Some(NameAddr::new(Uri::sip("caller", "10.0.0.9"))),
            target: Uri::at("me", at(1).address),
            send_to: at(1),
            sdp: b"v=0 offer".to_vec(),
            headers: Vec::new(),
        };
        self.server.invite(self.now, invite);
    }
}

fn state(version: u32, lit: bool) -> Vec<u8> {
    let state = if lit { DialogState::Confirmed } else { DialogState::Terminated };
    let dialog = DialogElement { id: "701".into(), state, ..DialogElement::default() };
    dialog_info::write(&DialogInfo {
        version,
        full: true,
        entity: "sip:701@pbx".into(),
        dialogs: vec![dialog],
    })
}

/// What dropping one of the two agents gives back, in bytes.
fn weight(agent: UserAgent) -> usize {
    let before = held();
    drop(agent);
    before - held()
}

fn main() {
    println!("\n{:<44}{:>12}", "bytes for one more", "");
    let empty = weight(phone());
    let mut pair = Pair::new();
    (0..LAMPS).for_each(|slot| pair.watch(slot));
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.watchers.len(), LAMPS);
    let Pair { phone: subscriber, server: notifier, .. } = pair;
    println!("{:<44}{:>12}", "a subscription", weight(subscriber).saturating_sub(empty) / LAMPS);
    println!("{:<44}{:>12}", "a watcher", weight(notifier).saturating_sub(empty) / LAMPS);
    let mut pair = Pair::new();
    for _ in 0..LAMPS {
        pair.call();
        pair.talk();
    }
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.phone.census().calls, LAMPS);
    let Pair { phone: callee, server: caller, .. } = pair;
    println!("{:<44}{:>12}", "a call (dialog), callee", weight(callee).saturating_sub(empty) / LAMPS);
    println!("{:<44}{:>12}", "a call (dialog), caller", weight(caller).saturating_sub(empty) / LAMPS);
    storm();
}

fn storm() {
    let mut pair = Pair::new();
    (0..LAMPS).for_each(|slot| pair.watch(slot));
    pair.run(Duration::from_secs(60));
    // Written beforehand by a server of which nothing else counts.
    let mut written = Vec::new();
    for nth in 0..NOTIFIES {
        pair.now += Duration::from_micros(500);
        let watcher = pair.watchers[nth as usize % LAMPS];
        let body = state(1 + nth / LAMPS as u32, nth / LAMPS as u32 % 2 == 0);
        pair.server.notify(pair.now, watcher, dialog_info::CONTENT_TYPE, body);
        while let Some(transmit) = pair.server.poll_transmit() {
            written.push((pair.now, transmit.bytes.clone()));
            // The server must hear an answer before it tells the next; the phone under test hears it all later.
            let answer = answer_to(&transmit.bytes);
            pair.server.receive(pair.now, at(1), &answer);
        }
    }
    let before = held();
    MOST.store(before, Ordering::Relaxed);
    let (began, heard) = (Instant::now(), pair.heard);
    for (now, bytes) in &written {
        if pair.phone.next_wake().is_some_and(|at| at <= *now) {
            pair.phone.wake(*now);
        }
        pair.phone.receive(*now, at(9), bytes);
        while pair.phone.poll_transmit().is_some() {}
        while let Some(event) = pair.phone.poll_event() {
            pair.heard += usize::from(matches!(event, Event::Notified { .. }));
        }
    }
    let taken = began.elapsed();
    assert_eq!(pair.heard - heard, written.len(), "every one was taken in");
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    println!("\nstorm of {} NOTIFYs for {LAMPS} lamps", written.len());
    println!(
        "{:<44}{:>12.3}",
        "most held above the beginning, MiB",
        mib(MOST.load(Ordering::Relaxed) - before)
    );
    println!("{:<44}{:>12.3}", "left over, MiB", mib(held().saturating_sub(before)));
    println!("{:<44}{:>12.1}", "one NOTIFY, µs", taken.as_secs_f64() * 1e6 / written.len() as f64);
}

/// 200 to a NOTIFY.
fn answer_to(notify: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(notify);
    let kept = text.lines().filter(|line| {
        ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name))
    });
    let kept: String = kept.map(|line| format!("{line}\r\n")).collect();
    format!("SIP/2.0 200 OK\r\n{kept}Content-Length: 0\r\n\r\n").into_bytes()
}
