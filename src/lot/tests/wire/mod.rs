//! Phones that are real user agents, and the wire between them and the lot.

mod doing;
mod phone;
mod seeing;

pub use phone::Phone;

use super::super::memory::{Entry, Past};
use super::super::*;
use crate::media::{Command, Report, Source, StreamConfig, StreamId};
use crate::sip::Account;
use crate::sip::message::{NameAddr, Uri};
use crate::sip::sdp::{Codec, Direction};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The wall clock at moment zero.
const WALL_MS: u64 = 1_800_000_000_000;
/// One way through the wire.
const DELAY: Duration = Duration::from_millis(1);

struct Packet {
    at: Moment,
    from: Peer,
    to: Peer,
    bytes: Vec<u8>,
}

/// What the media engine would do.
#[derive(Default)]
struct Engine {
    open: BTreeMap<StreamId, (u16, Option<StreamConfig>, Heard)>,
    digits: Vec<(StreamId, char)>,
    /// Streams that are recorded.
    recorded: BTreeSet<StreamId>,
    /// When the recordings that play are over.
    prompts: BTreeMap<StreamId, Moment>,
    next_port: u16,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    Silence,
    Music,
    Ringing,
    /// A recording of so many samples.
    Prompt(usize),
    Stream(StreamId),
}

pub struct World {
    pub now: Moment,
    pub lot: Lot,
    pub phones: Vec<Phone>,
    pub notices: Vec<Notice>,
    wire: Vec<Packet>,
    engine: Engine,
    chance: StdRng,
    /// Of 100 datagrams, how many are lost.
    pub loss_percent: u32,
    /// Every datagram to or from the lot, as text.
    pub traffic: Vec<String>,
    /// What a journal would have, where one is kept, and how many lines were written.
    pub past: Option<Past>,
    pub lines: usize,
}

impl World {
    pub fn new(config: LotConfig, seed: u64) -> Self {
        let mut lot = Lot::new(config, seed);
        let silence = crate::media::Music::new(&[0; 960], 48_000);
        lot.set_music(None, silence);
        let mut world = Self {
            now: Moment::from_secs(1),
            lot,
            phones: Vec::new(),
            notices: Vec::new(),
            wire: Vec::new(),
            engine: Engine { next_port: 20_000, ..Engine::default() },
            chance: StdRng::seed_from_u64(seed),
            loss_percent: 0,
            traffic: Vec::new(),
            past: None,
            lines: 0,
        };
        for _ in 0..16 {
            world.bind_port();
        }
        world
    }

    fn bind_port(&mut self) {
        let port = self.engine.next_port;
        self.engine.next_port += 2;
        self.lot.report(self.now, Report::PortsBound { ports: vec![port] });
    }

    /// From now on a journal is kept.
    pub fn keep(&mut self) {
        self.lot.keep(WALL_MS);
        self.past = Some(Past::default());
        let snapshot = self.lot.snapshot();
        self.write(snapshot);
    }

    fn write_down(&mut self) {
        while let Some(entry) = self.lot.poll_entry() {
            self.write(vec![entry]);
        }
    }

    /// As JSON and back, as a file would have it.
    fn write(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.lines += 1;
            let line = serde_json::to_vec(&entry).expect("an entry is plain data");
            self.past
                .as_mut()
                .expect("a journal is kept")
                .read_line(&line)
                .expect("what was written is read");
        }
    }

    /// The lot's process ends at this instant, and another begins with its journal, so much later.
    pub fn crash(&mut self, config: LotConfig, away: Duration) {
        let past = self.past.clone().expect("a journal is kept");
        self.wire.retain(|packet| packet.to != self.lot.config.listen.into());
        self.lot = Lot::new(config, 2 + self.lines as u64);
        self.lot.set_music(None, crate::media::Music::new(&[0; 960], 48_000));
        self.engine.open.clear();
        self.engine.prompts.clear();
        self.engine.recorded.clear();
        // Nobody is there meanwhile: what is sent to the lot is lost.
        let back = self.now + away;
        while self
            .wire
            .iter()
            .map(|p| p.at)
            .chain(self.phones.iter().filter_map(|p| p.agent.next_wake()))
            .min()
            .is_some_and(|at| at <= back)
        {
            let next = self
                .wire
                .iter()
                .map(|p| p.at)
                .chain(self.phones.iter().filter_map(|p| p.agent.next_wake()))
                .min();
            self.now = self.now.max(next.unwrap_or(back));
            let lot = self.lot_address();
            self.wire.retain(|packet| packet.to != lot);
            self.deliver();
            for phone in &mut self.phones {
                if phone.agent.next_wake().is_some_and(|at| at <= self.now) {
                    phone.agent.wake(self.now);
                }
            }
            self.collect();
        }
        self.now = back;
        self.lot.keep(WALL_MS);
        self.lot.revive(self.now, past);
        self.past = Some(Past::default());
        let snapshot = self.lot.snapshot();
        self.write(snapshot);
        self.bind_ports(16);
        self.collect();
    }

    pub fn lot_address(&self) -> Peer {
        self.lot.config.listen.into()
    }

    pub fn add_phone(&mut self, user: &str, password: &str, display: &str) -> usize {
        let phone = self.new_phone(self.phones.len(), 1_000, user, password, display);
        self.phones.push(phone);
        self.phones.len() - 1
    }

    /// A phone loses power and starts afresh, with nothing remembered; its user's password is his name.
    pub fn reboot(&mut self, phone: usize) {
        let (user, display) = (self.phones[phone].name.clone(), self.phones[phone].display.clone());
        let seed = 2_000 + self.now.as_millis() as u64;
        let fresh = self.new_phone(phone, seed, &user, &user, &display);
        let old = std::mem::replace(&mut self.phones[phone], fresh);
        self.phones[phone].reboots = old.reboots + 1;
        self.phones[phone].next_port = old.next_port;
    }

    /// The media engine's word of everybody from whom nothing is heard: phones without power or without this call.
    pub fn report_silence(&mut self, silent_ms: u32) {
        let silent = |(stream, (_, config, _)): (&StreamId, &(u16, Option<StreamConfig>, Heard))| {
            let remote = config.as_ref()?.remote;
            let phone = self.phones.iter().find(|phone| phone.address.ip() == remote.ip())?;
            let speaks = !phone.dead && phone.ports.values().any(|port| *port == remote.port());
            (!speaks).then_some(*stream)
        };
        let silent: Vec<StreamId> = self.engine.open.iter().filter_map(silent).collect();
        for stream in silent {
            self.lot.report(self.now, Report::StreamSilent { stream, silent_ms });
            self.collect();
        }
    }

    fn new_phone(&self, index: usize, seed: u64, user: &str, password: &str, display: &str) -> Phone {
        let address = Peer::udp(([192, 0, 2, 10 + index as u8], 5060).into());
        let mut agent = UserAgent::new(UaConfig::new(address.address, "phone", seed + index as u64));
        let account = agent.add_account(Account {
            realm: None,
            expires_s: 3_600,
            // This wire carries datagrams only.
            udp_to_tcp: false,
            ..Account::new(
                NameAddr::new(Uri::sip(user, "parkdeck")).with_display(display),
                self.lot_address(),
                user.to_owned(),
                secrecy::SecretString::from(password),
            )
        });
        Phone {
            name: user.to_owned(),
            display: display.to_owned(),
            agent,
            address,
            account,
            events: Vec::new(),
            ports: BTreeMap::new(),
            offers: BTreeMap::new(),
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            direction: Direction::SendRecv,
            next_port: 30_000,
            dead: false,
            reboots: 0,
            message_status: 200,
        }
    }

    pub fn run_ms(&mut self, ms: u64) {
        self.run_until(self.now + Duration::from_millis(ms));
    }

    pub fn run_s(&mut self, seconds: u64) {
        self.run_until(self.now + Duration::from_secs(seconds));
    }

    fn run_until(&mut self, end: Moment) {
        loop {
            self.collect();
            let packet = self.wire.iter().map(|p| p.at).min();
            let phones = self.phones.iter().filter_map(|p| p.agent.next_wake()).min();
            let prompts = self.engine.prompts.values().copied().min();
            let next = [packet, phones, prompts, self.lot.next_wake()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.deliver();
            self.end_prompts();
            if self.lot.next_wake().is_some_and(|at| at <= self.now) {
                self.lot.wake(self.now);
            }
            for phone in &mut self.phones {
                if phone.agent.next_wake().is_some_and(|at| at <= self.now) {
                    phone.agent.wake(self.now);
                }
            }
        }
        self.now = end;
        self.collect();
    }

    fn end_prompts(&mut self) {
        let over: Vec<StreamId> = self
            .engine
            .prompts
            .iter()
            .filter(|(_, at)| **at <= self.now)
            .map(|(stream, _)| *stream)
            .collect();
        for stream in over {
            self.engine.prompts.remove(&stream);
            self.engine.open.get_mut(&stream).expect("plays when open").2 = Heard::Silence;
            self.lot.report(self.now, Report::PromptEnded { stream });
            self.collect();
        }
    }

    fn deliver(&mut self) {
        let (due, later) = std::mem::take(&mut self.wire).into_iter().partition(|p| p.at <= self.now);
        self.wire = later;
        let due: Vec<Packet> = due;
        for packet in due {
            if self.chance.random_range(0..100) < self.loss_percent {
                continue;
            }
            if packet.to == self.lot_address() {
                self.lot.receive(self.now, packet.from, &packet.bytes);
            } else if let Some(phone) = self.phones.iter_mut().find(|p| p.address == packet.to && !p.dead) {
                phone.agent.receive(self.now, packet.from, &packet.bytes);
            }
            self.collect();
        }
    }

    /// Takes everything that anybody has to say.
    fn collect(&mut self) {
        loop {
            let before = self.wire.len();
            let lot_address = self.lot_address();
            self.write_down();
            while let Some(transmit) = self.lot.poll_transmit() {
                self.send(lot_address, transmit);
            }
            while let Some(command) = self.lot.poll_media() {
                self.execute(command);
            }
            while let Some(notice) = self.lot.poll_notice() {
                self.notices.push(notice);
            }
            for index in 0..self.phones.len() {
                while let Some(event) = self.phones[index].agent.poll_event() {
                    self.phones[index].on_event(self.now, event);
                }
                while let Some(transmit) = self.phones[index].agent.poll_transmit() {
                    let from = self.phones[index].address;
                    if !self.phones[index].dead {
                        self.send(from, transmit);
                    }
                }
            }
            if self.wire.len() == before {
                return;
            }
        }
    }

    fn send(&mut self, from: Peer, transmit: Transmit) {
        self.traffic.push(String::from_utf8_lossy(&transmit.bytes).into_owned());
        self.wire.push(Packet { at: self.now + DELAY, from, to: transmit.to, bytes: transmit.bytes });
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Open { stream, port } => {
                self.engine.open.insert(stream, (port, None, Heard::Silence));
            }
            // How a leg is protected is tested where it is decided.
            Command::Protect { .. } => {}
            Command::Configure { stream, config } => {
                self.engine.open.get_mut(&stream).expect("configured when open").1 = Some(config);
            }
            Command::Send { stream, source } => {
                self.engine.prompts.remove(&stream);
                if let Source::Prompt(clip) = &source {
                    let time = Duration::from_micros(clip.samples().len() as u64 * 1_000 / 48);
                    self.engine.prompts.insert(stream, self.now + time);
                }
                self.engine.open.get_mut(&stream).expect("sends when open").2 = match source {
                    Source::Music(_) => Heard::Music,
                    Source::Bridge(other) => Heard::Stream(other),
                    Source::Cue(_) => Heard::Ringing,
                    Source::Prompt(clip) => Heard::Prompt(clip.samples().len()),
                    _ => Heard::Silence,
                };
            }
            Command::Digit { stream, digit } => self.engine.digits.push((stream, digit)),
            Command::Record { stream, .. } => {
                self.engine.recorded.insert(stream);
            }
            Command::StopRecording { stream } => {
                self.engine.recorded.remove(&stream);
            }
            Command::Close { stream } => {
                self.engine.open.remove(&stream).expect("closed once");
                self.engine.prompts.remove(&stream);
                self.engine.recorded.remove(&stream);
                for heard in self.engine.open.values_mut() {
                    if heard.2 == Heard::Stream(stream) {
                        heard.2 = Heard::Silence;
                    }
                }
                self.bind_port();
            }
            other => panic!("the lot has no use for {other:?}"),
        }
    }
}
