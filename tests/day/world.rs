//! A day at the reception in virtual time: the demo's lot, its callers and Sam, and in front of them the console's own
//! engine and screen. Keys go in as key strings, the screen comes out as text. The same seed plays the same day.

use parkdeck::app::Engine;
use parkdeck::console::{self, Console, Keymap, Theme, key_events};
use parkdeck::demo::{self, RECEPTION, RECEPTION_USER, Script, Seat, Troupe, Voices};
use parkdeck::desk::{
    CallRecord, Desk, Entry, History, LotId, NewLine, NewLot, PageGroup, ParkRecord, RecordId,
};
use parkdeck::dialect::{Dialect, LotNumbers, MediaSecurity, PhoneConfig};
use parkdeck::journal::Follower;
use parkdeck::lot::Lot;
use parkdeck::media::{Command, Report, Source, StreamId};
use parkdeck::parking::{Identity, SlotId};
use parkdeck::sip::Account;
use parkdeck::sip::message::{NameAddr, Uri};
use parkdeck::sip::sdp::Codec;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const LOT: u16 = 5060;
const OUTSIDE: u16 = 6001;
const SAM: u16 = 6002;
const DESK: u16 = 6003;
/// Between two keys: nobody types quicker in a task, and the same key twice is no slip.
const KEY: Duration = Duration::from_millis(750);
/// When the day begins: 2026-11-27 08:00 UTC, a Friday.
const MORNING_MS: u64 = 1_795_766_400_000;
/// The first moment.
const BEGIN: Duration = Duration::from_secs(100);

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

pub struct Day {
    pub now: Duration,
    lot: Lot,
    troupe: Troupe,
    pub engine: Engine,
    console: Console,
    theme: Theme,
    terminal: Terminal<TestBackend>,
    wire: VecDeque<(u16, u16, Vec<u8>)>,
    closed: BTreeMap<u16, u16>,
    /// Callers who rang, by the Call-ID of their INVITE to the lot.
    pub rang: BTreeSet<String>,
    pub calls: BTreeMap<RecordId, CallRecord>,
    pub parks: BTreeMap<RecordId, ParkRecord>,
    /// Keys pressed since it was asked last.
    keys: usize,
    /// What happened, printed of a day that broke a promise.
    pub story: Vec<String>,
}

impl Day {
    pub fn new(seed: u64) -> Self {
        let users = demo::users(seed);
        let config = demo::lot_config(local(LOT), &users);
        let parking = config.lots[0].clone();
        let slots: Vec<SlotId> = parking.parkpos.slots().collect();
        let secret = users.iter().find(|user| user.name == RECEPTION_USER).unwrap().secret.clone();
        let domain = config.realm.clone();
        let script = Script {
            lot: local(LOT),
            domain: domain.clone(),
            reception: RECEPTION.to_owned(),
            slots: slots.clone(),
            users,
            seed,
        };
        let park = parking.parkext.clone();
        let dialect = Dialect::named("parkdeck", LotNumbers::new(park, slots.clone())).unwrap();
        let mut desk = Desk::with_lines([NewLine {
            label: "reception@lot".to_owned(),
            lots: vec![NewLot {
                name: parking.name.clone(),
                slots: slots.clone(),
                abilities: dialect.abilities(LotId::default(), Some(parking.parkingtime)),
                page: Some(PageGroup { number: demo::COLLEAGUE.to_owned(), live: false }),
                ..NewLot::default()
            }],
            team: vec![Identity::new("Sam", demo::COLLEAGUE)],
            staff: vec![Identity::new("Sam", demo::COLLEAGUE)],
            ..NewLine::default()
        }]);
        desk.people = vec![Identity::new("Sam", demo::COLLEAGUE)];
        desk.waiting_tone = true;
        let account = Account {
            expires_s: 600,
            ..Account::new(
                NameAddr::new(Uri::sip(RECEPTION_USER, &domain)).with_display("Reception"),
                local(LOT),
                RECEPTION_USER,
                secret,
            )
        };
        let phone = PhoneConfig {
            local: local(DESK),
            media_address: local(DESK).ip(),
            account,
            dialect,
            codecs: vec![Codec::Opus, Codec::Pcma],
            security: MediaSecurity::default(),
            staff: vec![demo::COLLEAGUE.to_owned()],
            team: vec![demo::COLLEAGUE.to_owned()],
            seed: seed.into(),
        };
        let mut engine = Engine::new(desk, [phone]).unwrap();
        engine.keep_journal(Follower::new(1, MORNING_MS - millis(BEGIN), Vec::new()));
        let at = [local(OUTSIDE), local(SAM)];
        let mut day = Self {
            now: BEGIN,
            lot: Lot::new(config, seed),
            troupe: Troupe::new(script, Voices::silent(), at, BEGIN, seed),
            engine,
            console: Console::new(Keymap::default()),
            theme: Theme::named("mono").unwrap(),
            terminal: Terminal::new(TestBackend::new(80, 24)).unwrap(),
            wire: VecDeque::new(),
            closed: BTreeMap::new(),
            rang: BTreeSet::new(),
            calls: BTreeMap::new(),
            parks: BTreeMap::new(),
            keys: 0,
            story: Vec::new(),
        };
        day.begin();
        day
    }

    fn begin(&mut self) {
        let ports = |first: u16| (0..60).map(|nth| first + 2 * nth).collect();
        self.lot.report(self.now, Report::PortsBound { ports: ports(40_000) });
        self.engine.report(self.now, Report::PortsBound { ports: ports(20_000) });
        self.troupe.report(self.now, Report::PortsBound { ports: ports(30_000) });
        self.closed = BTreeMap::from([(LOT, 41_000), (DESK, 21_000), (OUTSIDE, 31_000)]);
        self.engine.sound_is_off(self.now);
        self.engine.start(self.now);
        self.troupe.start(self.now);
        self.settle();
    }

    pub fn desk(&self) -> &Desk {
        self.engine.desk()
    }

    /// Presses keys, written as in the configuration and set apart by blanks.
    #[track_caller]
    pub fn keys(&mut self, keys: &str) {
        self.story.push(format!("{} keys {keys}", self.clock()));
        for key in key_events(keys).unwrap_or_else(|| panic!("no keys: {keys}")) {
            self.pass(KEY);
            self.keys += 1;
            let desk = self.engine.desk().clone();
            for command in self.console.key(&desk, key) {
                self.engine.obey(self.now, command);
            }
            // As on a terminal nobody wants anything of: the clipboard has its text.
            let _ = self.console.copy_request();
            self.settle();
            self.draw();
        }
    }

    /// Types a text, letter by letter.
    #[track_caller]
    pub fn types(&mut self, text: &str) {
        let keys: Vec<String> =
            text.chars().map(|c| if c == ' ' { "space".to_owned() } else { c.to_string() }).collect();
        self.keys(&keys.join(" "));
    }

    /// How many keys were pressed since this was asked last.
    pub fn keys_pressed(&mut self) -> usize {
        std::mem::take(&mut self.keys)
    }

    /// Lets time go on until that is so; whether it came to be within so many seconds.
    pub fn wait(&mut self, seconds: u64, is_so: impl Fn(&Desk) -> bool) -> bool {
        let end = self.now + Duration::from_secs(seconds);
        while !is_so(self.engine.desk()) {
            if self.now >= end {
                return false;
            }
            self.step(end.min(self.now + Duration::from_millis(500)));
        }
        true
    }

    /// Lets time go on.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step(end);
        }
    }

    /// The time of day.
    pub fn clock(&self) -> String {
        let seconds = (self.now - BEGIN).as_secs() + 8 * 3600;
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// The screen as text.
    pub fn screen(&mut self) -> String {
        self.draw();
        let buffer = self.terminal.backend().buffer();
        let width = usize::from(buffer.area.width);
        let row = |cells: &[ratatui::buffer::Cell]| {
            let mut text = String::new();
            let mut skip = 0;
            for cell in cells {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                text.push_str(cell.symbol());
                skip = unicode_width::UnicodeWidthStr::width(cell.symbol()).saturating_sub(1);
            }
            text.trim_end().to_owned()
        };
        buffer.content().chunks(width).map(row).collect::<Vec<_>>().join("\n")
    }

    fn draw(&mut self) {
        let clock = self.clock();
        self.console.set_clock(&clock);
        self.console.set_wall(MORNING_MS + millis(self.now - BEGIN), jiff::tz::TimeZone::UTC);
        let Self { terminal, engine, console, theme, .. } = self;
        terminal.draw(|frame| console::draw(frame, engine.desk(), console, theme)).unwrap();
    }

    /// To the next thing that happens, at most to `limit`.
    fn step(&mut self, limit: Duration) {
        let wakes = [self.lot.next_wake(), self.troupe.next_wake(), self.engine.next_wake()];
        let next = wakes.into_iter().flatten().min().unwrap_or(limit);
        // A moment that is asked for again and again is due all the same.
        self.now =
            next.clamp(self.now + Duration::from_micros(1), limit.max(self.now + Duration::from_micros(1)));
        self.lot.wake(self.now);
        self.troupe.wake(self.now);
        self.engine.wake(self.now);
        self.settle();
    }

    /// Carries datagrams until nobody has any left.
    fn settle(&mut self) {
        loop {
            self.media();
            self.collect();
            let Some((from, to, bytes)) = self.wire.pop_front() else { break };
            let at = local(from);
            match to {
                LOT => {
                    self.witness(from, &bytes);
                    self.lot.receive(self.now, at, &bytes);
                }
                OUTSIDE => self.troupe.receive(self.now, Seat::Outside, at, &bytes),
                SAM => self.troupe.receive(self.now, Seat::Colleague, at, &bytes),
                DESK => self.engine.receive(self.now, at, &bytes),
                _ => {}
            }
        }
        while self.engine.poll_deed().is_some() {}
        let mut fresh = false;
        for entry in self.engine.take_entries() {
            fresh = true;
            match entry {
                Entry::Call(record) => drop(self.calls.insert(record.id, record)),
                Entry::Park(record) => drop(self.parks.insert(record.id, record)),
            }
        }
        if fresh {
            let calls = self.calls.values().rev().cloned().collect();
            let parks = self.parks.values().rev().cloned().collect();
            self.console.set_history(Arc::new(History::new(calls, parks, MORNING_MS)));
        }
        while let Some(notice) = self.lot.poll_notice() {
            self.story.push(format!("{} lot: {notice:?}", self.clock()));
        }
    }

    fn collect(&mut self) {
        while let Some(t) = self.lot.poll_transmit() {
            self.wire.push_back((LOT, t.to.address.port(), t.bytes));
        }
        while let Some((seat, t)) = self.troupe.poll_transmit() {
            let from = if seat == Seat::Outside { OUTSIDE } else { SAM };
            self.wire.push_back((from, t.to.address.port(), t.bytes));
        }
        while let Some(t) = self.engine.poll_transmit() {
            self.wire.push_back((DESK, t.to.address.port(), t.bytes));
        }
    }

    /// Counts who rings the reception.
    fn witness(&mut self, from: u16, bytes: &[u8]) {
        if from != OUTSIDE || !bytes.starts_with(b"INVITE ") {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        // One within a dialog has a tag behind To.
        let begins = header("To:").is_some_and(|to| !to.contains("tag="));
        if let Some(call_id) = header("Call-ID:").filter(|_| begins) {
            self.rang.insert(call_id.to_owned());
        }
    }

    /// The media threads' part: closed ports come back fresh, recordings and prompts come to their ends.
    fn media(&mut self) {
        let mut reports: Vec<(u16, Report)> = Vec::new();
        let mut hear = |at: u16, command: Command, closed: &mut BTreeMap<u16, u16>| match command {
            Command::Close { .. } => {
                let port = closed.entry(at).or_insert(50_000);
                *port = if *port > 60_000 { 50_000 } else { *port + 2 };
                reports.push((at, Report::PortsBound { ports: vec![*port] }));
            }
            Command::Send { stream, source: Source::Prompt(_) } => {
                reports.push((at, Report::PromptEnded { stream }));
            }
            Command::Record { stream, .. } => {
                reports.push((at, Report::RecordingStarted { stream, file: file(stream) }));
            }
            Command::StopRecording { stream } => {
                reports.push((at, Report::RecordingEnded { stream, file: file(stream) }));
            }
            _ => {}
        };
        while let Some(command) = self.lot.poll_media() {
            hear(LOT, command, &mut self.closed);
        }
        while let Some(command) = self.troupe.poll_media() {
            hear(OUTSIDE, command, &mut self.closed);
        }
        while let Some(command) = self.engine.poll_sound() {
            hear(DESK, command, &mut self.closed);
        }
        for (at, report) in reports {
            match at {
                LOT => self.lot.report(self.now, report),
                OUTSIDE => self.troupe.report(self.now, report),
                _ => self.engine.report(self.now, report),
            }
        }
    }

    /// Everybody goes home.
    pub fn end(&mut self) {
        self.troupe.stop(self.now);
        self.settle();
        self.pass(Duration::from_secs(120));
    }
}

fn file(stream: StreamId) -> String {
    format!("recordings/{}.opus", stream.0)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}
