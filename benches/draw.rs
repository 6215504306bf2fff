//! What a picture costs, what a copy of the desk costs, and what a storm of NOTIFYs costs.
//!
//! Run: `cargo bench --bench draw`. No terminal, network or peer is needed: pictures go to ratatui's `TestBackend`,
//! and the storm is a recording in virtual time, played to the very engine that the console runs.
//!
//! - *first picture*: everything is new, as after a resize; *a second later*: every timer has moved on; *nothing new*:
//!   drawn and compared, nothing to write. A picture should stay far below 1 ms: sixty a second are drawn at most.
//! - *copy*: `Desk::clone`, what the engine's thread pays to show a change; *compare*: to find that nothing changed.
//! - *storm*: a server tells 12 (and 500) slots' lamps on and off, 2,000 NOTIFYs a second of virtual time, with the
//!   caller in each. CPU seconds for 10,000 of them: reading, answering, deciding. Divide by five for the share of a
//!   core at 2,000 a second. *and shown*: with the copy for the screen after each one.
//!
//! - *a key amid the storm*: the 500 slots' storm in real time, 2,000 NOTIFYs a second; now and then a key is pressed, and
//!   what counts is the time until its picture is drawn, all that had come before it taken in first. One frame is 16.7 ms.
//!
//! - *a full house*: 200 calls, 500 slots and 50,000 people; a name is typed into the window that dials, letter by letter
//!   and away again: from the key to its finished picture. Below 8 ms at p99.
//!
//! Times are of one thread by the wall clock, the storm's by the scheduler's count too. p99 suffers from neighbours:
//! mind the load average.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../tests/screens/desks.rs"]
#[allow(dead_code)]
mod desks;
#[path = "rig/figures.rs"]
#[allow(dead_code)]
mod figures;
#[path = "rig/people.rs"]
mod people;

use figures::{Samples, machine};
use parkdeck::app::Engine;
use parkdeck::console::{Console, draw};
use parkdeck::desk::{Desk, LotId, Phase};
use parkdeck::dialect::{Dialect, LotNumbers, PhoneConfig};
use parkdeck::directory::{Country, Directory};
use parkdeck::media::Report;
use parkdeck::parking::{Lamp, SlotId};
use parkdeck::sip::dialog_info::{self, DialogElement, DialogInfo, DialogState, Party};
use parkdeck::sip::message::{Method, NameAddr, Uri};
use parkdeck::sip::sdp::Codec;
use parkdeck::sip::{Account, Event, UaConfig, UserAgent, WatcherKey};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PICTURES: usize = 3_000;
const NOTIFIES: usize = 10_000;
/// 2,000 a second.
const BETWEEN: Duration = Duration::from_micros(500);

fn main() {
    println!("\npictures and copies · {}\n", machine());
    let boards = [("12 slots, 8 calls", desks::full()), ("500 slots, 8 calls", large())];
    println!("{:<42}{:>12}{:>12}", "a picture, ms", "p50", "p99");
    for (name, desk) in &boards {
        for (width, height) in [(80, 24), (200, 60)] {
            pictures(name, desk, width, height);
        }
    }
    println!("\n{:<42}{:>12}{:>12}", "the desk, ms", "p50", "p99");
    for (name, desk) in &boards {
        desk_row(&format!("copy, {name}"), || drop(black_box(black_box(desk).clone())));
        let same = desk.clone();
        desk_row(&format!("compare, {name}"), || {
            black_box(black_box(desk) == black_box(&same));
        });
    }
    println!(
        "\n{:<42}{:>12}{:>12}{:>12}",
        "10,000 NOTIFYs at 2,000/s, CPU seconds", "wall", "scheduler", "share"
    );
    for slots in [12, 500] {
        let storm = Storm::record(slots);
        storm_row(&format!("storm, {slots} slots"), &storm, false);
        storm_row(&format!("storm, {slots} slots, and shown"), &storm, true);
    }
    println!("\n{:<42}{:>12}{:>12}", "a key amid the storm, to its picture, ms", "p50", "p99");
    row("2,000 NOTIFYs a second, 500 slots, 200×60", &Storm::record(500).keys());
    println!("\n{:<42}{:>12}{:>12}", "a full house: a key to its picture, ms", "p50", "p99");
    for (width, height) in [(80, 24), (200, 60)] {
        let [typed, moved] = full_house(width, height);
        row(&format!("a letter of a name, {width}×{height}"), &typed);
        row(&format!("the next call chosen, {width}×{height}"), &moved);
    }
}

/// Types a name and takes it away again, with everything on the board that it can hold; then goes through the calls.
fn full_house(width: u16, height: u16) -> [Samples; 2] {
    const ROUNDS: usize = 60;
    let mut desk = large();
    for nth in 0..192_u64 {
        let phase = if nth % 3 == 0 { Phase::Held } else { Phase::Ringing };
        desks::call(&mut desk, phase, nth, &format!("Caller {nth}"), &format!("0161 496 {nth:04}"));
    }
    assert_eq!(desk.calls.len(), 200);
    let (mut console, theme) = (desks::console(), desks::dark());
    let directory = Directory::new(people::made_up(), Country::new("GB"));
    desk.directory_size = directory.len();
    console.set_directory(Arc::new(directory));
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut press = |console: &mut Console, desk: &mut Desk, keys: &str, samples: &mut Samples| {
        for key in parkdeck::console::key_events(keys).unwrap() {
            let began = Instant::now();
            black_box(console.key(desk, key));
            terminal.draw(|frame| draw(frame, desk, console, &theme)).unwrap();
            samples.add(began.elapsed());
            desk.now += Duration::from_secs(1);
        }
    };
    let [mut typed, mut moved, mut unseen] = [Samples::default(), Samples::default(), Samples::default()];
    for _ in 0..ROUNDS {
        press(&mut console, &mut desk, "d", &mut unseen);
        press(&mut console, &mut desk, "m u l l", &mut typed);
        press(&mut console, &mut desk, "backspace backspace backspace", &mut typed);
        press(&mut console, &mut desk, "esc", &mut unseen);
        press(&mut console, &mut desk, "down down down", &mut moved);
    }
    [typed, moved]
}

/// Every slot taken.
fn large() -> Desk {
    let mut desk = desks::full();
    let twelve = desk.slots.clone();
    desk.slots = desks::board(500).slots;
    for (slot, like) in desk.slots.iter_mut().zip(twelve.iter().cycle()) {
        let id = std::mem::replace(slot, like.clone()).id;
        slot.id = id;
    }
    desk
}

/// What makes the next picture of its kind.
type Preparation = fn(&mut Terminal<TestBackend>, &mut Desk);

fn pictures(name: &str, desk: &Desk, width: u16, height: u16) {
    let (console, theme) = (desks::console(), desks::dark());
    let mut desk = desk.clone();
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let kinds: [(&str, Preparation); 3] = [
        ("first picture", |terminal, _| terminal.clear().unwrap()),
        ("a second later", |_, desk| desk.now += Duration::from_secs(1)),
        ("nothing new", |_, _| {}),
    ];
    for (kind, prepare) in kinds {
        let mut samples = Samples::default();
        for _ in 0..PICTURES {
            prepare(&mut terminal, &mut desk);
            samples.add(picture(&mut terminal, &desk, &console, &theme));
        }
        row(&format!("{name}, {width}×{height}, {kind}"), &samples);
    }
}

fn picture(
    terminal: &mut Terminal<TestBackend>,
    desk: &Desk,
    console: &Console,
    theme: &parkdeck::console::Theme,
) -> Duration {
    let began = Instant::now();
    terminal.draw(|frame| draw(frame, desk, console, theme)).unwrap();
    began.elapsed()
}

fn desk_row(name: &str, deed: impl Fn()) {
    let mut samples = Samples::default();
    for _ in 0..PICTURES {
        let began = Instant::now();
        deed();
        samples.add(began.elapsed());
    }
    row(name, &samples);
}

fn row(name: &str, samples: &Samples) {
    println!("{name:<42}{:>12.4}{:>12.4}", samples.p50_ms(), samples.p99_ms());
}

fn storm_row(name: &str, storm: &Storm, shown: bool) {
    let (wall, scheduled) = storm.play(shown);
    let share = wall.as_secs_f64() / (BETWEEN * NOTIFIES as u32).as_secs_f64() * 100.0;
    println!("{name:<42}{:>12.3}{:>12.3}{:>10.1} %", wall.as_secs_f64(), scheduled.as_secs_f64(), share);
}

/// All that happened to an engine, and when: a datagram, or (`None`) its own clock.
struct Storm {
    slots: u32,
    happened: Vec<(Duration, Option<Vec<u8>>)>,
    /// Where the lamps are lit and the storm begins.
    begins: usize,
}

fn server_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 5060))
}

fn console_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 5060))
}

fn engine(slots: u32) -> Engine {
    let ids: Vec<SlotId> = (701..701 + slots).map(|n| desks::slot_id(&n.to_string())).collect();
    let dialect = Dialect::named("parkdeck", LotNumbers::new(desks::slot_id("700"), ids.clone())).unwrap();
    let desk = Desk::new("reception@lot", "front", ids, dialect.abilities(LotId(0), Some(120)));
    let account = Account {
        realm: None,
        expires_s: 3600,
        ..Account::new(
            NameAddr::new(Uri::sip("reception", "10.0.0.1")),
            server_address(),
            "reception",
            "unused".to_owned().into(),
        )
    };
    let local = console_address();
    let codecs = vec![Codec::Pcmu];
    let phone = PhoneConfig {
        local,
        media_address: local.ip(),
        account,
        dialect,
        codecs,
        security: parkdeck::dialect::MediaSecurity::default(),
        staff: Vec::new(),
        team: Vec::new(),
        seed: 7.into(),
    };
    let mut engine = Engine::new(desk, [phone]).unwrap();
    engine.report(Duration::ZERO, Report::PortsBound { ports: (0..64).map(|i| 40_000 + 2 * i).collect() });
    engine
}

impl Storm {
    /// Lets an engine and a server talk, without a network between them, and keeps what the engine was sent.
    fn record(slots: u32) -> Self {
        let mut storm = Self { slots, happened: Vec::new(), begins: 0 };
        let mut engine = engine(slots);
        let mut server = Server::new();
        let mut now = Duration::from_secs(1);
        engine.start(now);
        storm.talk(now, &mut engine, &mut server);
        // The user agent asks for lamps at a bounded rate.
        while server.watchers.len() < slots as usize {
            now += Duration::from_millis(100);
            assert!(now < Duration::from_secs(60), "only {} lamps were asked for", server.watchers.len());
            storm.wake(now, &mut engine);
            storm.talk(now, &mut engine, &mut server);
        }
        storm.begins = storm.happened.len();
        for nth in 0..NOTIFIES {
            now += BETWEEN;
            if engine.next_wake().is_some_and(|at| at <= now) {
                storm.wake(now, &mut engine);
            }
            server.change(now, nth);
            storm.talk(now, &mut engine, &mut server);
        }
        let stormy = &storm.happened[storm.begins..];
        let told =
            stormy.iter().filter(|(_, b)| b.as_ref().is_some_and(|b| b.starts_with(b"NOTIFY"))).count();
        assert!(told >= NOTIFIES, "{told} NOTIFYs of {NOTIFIES}");
        let lit = (NOTIFIES as u32 / slots) % 2 == 1;
        let last = &engine.desk().slots[0];
        assert!(
            (last.lamp == Lamp::Parked) == lit || slots == 12,
            "the storm was understood: {:?}",
            last.lamp
        );
        storm
    }

    fn wake(&mut self, now: Duration, engine: &mut Engine) {
        engine.wake(now);
        self.happened.push((now, None));
    }

    fn talk(&mut self, now: Duration, engine: &mut Engine, server: &mut Server) {
        loop {
            let mut silent = true;
            while let Some(transmit) = engine.poll_transmit() {
                silent = false;
                server.agent.receive(now, console_address(), &transmit.bytes);
            }
            server.turn(now);
            while let Some(transmit) = server.agent.poll_transmit() {
                silent = false;
                engine.receive(now, server_address(), &transmit.bytes);
                self.happened.push((now, Some(transmit.bytes)));
            }
            while engine.poll_sound().is_some() || engine.poll_deed().is_some() {}
            if silent {
                return;
            }
        }
    }

    /// Plays the storm in real time and presses keys meanwhile: from the key to the picture that shows its effect.
    fn keys(&self) -> Samples {
        let mut engine = engine(self.slots);
        engine.start(Duration::from_secs(1));
        let (console, theme) = (desks::console(), desks::dark());
        let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
        let mut samples = Samples::default();
        let mut began = Instant::now();
        let begins_at = self.happened.get(self.begins).map_or(Duration::ZERO, |(now, _)| *now);
        let mut pressed_at: Option<Instant> = None;
        for (nth, (now, bytes)) in self.happened.iter().enumerate() {
            if nth == self.begins {
                began = Instant::now();
            }
            let due = now.saturating_sub(begins_at);
            // A key comes while the NOTIFYs of the last frame have yet to be read, as from a queue in order.
            if nth > self.begins && nth % 97 == 0 && pressed_at.is_none() {
                pressed_at = Some(Instant::now());
            }
            match bytes {
                Some(bytes) => engine.receive(*now, server_address(), bytes),
                None => engine.wake(*now),
            }
            while let Some(transmit) = engine.poll_transmit() {
                black_box(transmit);
            }
            while engine.poll_sound().is_some() || engine.poll_deed().is_some() {}
            // A frame's worth of them has been read: the key's turn, then the picture.
            if nth > self.begins && nth % 33 == 0 {
                if let Some(pressed) = pressed_at.take() {
                    engine.obey(*now, parkdeck::desk::Command::Mute);
                    let desk = engine.desk().clone();
                    picture(&mut terminal, &desk, &console, &theme);
                    samples.add(pressed.elapsed());
                }
                if nth > self.begins {
                    std::thread::sleep(due.saturating_sub(began.elapsed()));
                }
            }
        }
        samples
    }

    /// Plays the recording to a fresh engine of the same seed; the time that the storm took, by two clocks.
    fn play(&self, shown: bool) -> (Duration, Duration) {
        let mut engine = engine(self.slots);
        engine.start(Duration::from_secs(1));
        let mut held = Arc::new(engine.desk().clone());
        let (mut began, mut ran) = (Instant::now(), scheduled());
        for (nth, (now, bytes)) in self.happened.iter().enumerate() {
            if nth == self.begins {
                (began, ran) = (Instant::now(), scheduled());
            }
            match bytes {
                Some(bytes) => engine.receive(*now, server_address(), bytes),
                None => engine.wake(*now),
            }
            while let Some(transmit) = engine.poll_transmit() {
                black_box(transmit);
            }
            while engine.poll_sound().is_some() || engine.poll_deed().is_some() {}
            if shown {
                held = Arc::new(engine.desk().clone());
                black_box(&held);
            }
        }
        let taken = (began.elapsed(), scheduled().saturating_sub(ran));
        assert!(held.slots.len() == self.slots as usize);
        let heard = engine.desk().slots.iter().filter(|slot| slot.heard_at.is_some()).count();
        assert_eq!(heard, self.slots as usize, "the recording fits the engine");
        taken
    }
}

/// The time that this thread has run.
fn scheduled() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0))
}

/// A server that takes every REGISTER and tells every lamp.
struct Server {
    agent: UserAgent,
    watchers: Vec<(WatcherKey, String, u32, bool)>,
}

impl Server {
    fn new() -> Self {
        let config = UaConfig::server(server_address(), "storm", 9);
        Self { agent: UserAgent::new(config), watchers: Vec::new() }
    }

    fn turn(&mut self, now: Duration) {
        self.agent.wake(now);
        while let Some(event) = self.agent.poll_event() {
            let Event::RequestReceived { key, request, .. } = event else { continue };
            match request.method {
                Method::Subscribe => {
                    let slot = request.uri.user.clone().unwrap_or_default();
                    let watcher = self.agent.admit_watcher(now, key, 3600).unwrap();
                    self.watchers.push((watcher, slot, 0, false));
                    let nth = self.watchers.len() - 1;
                    self.tell(now, nth);
                }
                _ => {
                    let contact = request.headers.get("Contact").unwrap_or_default().to_owned();
                    let headers = vec![("Contact".into(), contact), ("Expires".into(), "3600".into())];
                    self.agent.answer(now, key, 200, headers, Vec::new());
                }
            }
        }
    }

    /// The next lamp changes.
    fn change(&mut self, now: Duration, nth: usize) {
        let nth = nth % self.watchers.len();
        self.watchers[nth].3 ^= true;
        self.tell(now, nth);
    }

    fn tell(&mut self, now: Duration, nth: usize) {
        let (watcher, slot, version, lit) = &mut self.watchers[nth];
        let party = |name: &str, user: &str| Party {
            display: Some(name.into()),
            uri: format!("sip:{user}@10.0.0.1"),
            ..Party::default()
        };
        let caller = DialogElement {
            id: "1".into(),
            call_id: Some(format!("{slot}-{version}@10.0.0.1")),
            local_tag: Some("parked".into()),
            remote_tag: Some("caller".into()),
            state: DialogState::Confirmed,
            local: Some(party("Parked", slot)),
            remote: Some(party("Jane Doe", "01614960100")),
            referred_by: Some(party("Reception", "100")),
            duration_s: Some(0),
            ..DialogElement::default()
        };
        let dialogs = if *lit { vec![caller] } else { Vec::new() };
        let entity = format!("sip:{slot}@10.0.0.1");
        let body = dialog_info::write(&DialogInfo { version: *version, full: true, entity, dialogs });
        *version += 1;
        self.agent.notify(now, *watcher, dialog_info::CONTENT_TYPE, body);
    }
}
