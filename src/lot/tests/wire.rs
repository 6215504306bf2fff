//! Phones that are real user agents, and the wire between them and the lot.

use super::super::memory::{Entry, Past};
use super::super::*;
use crate::media::{Command, Report, Source, StreamConfig, StreamId};
use crate::sip::message::{Headers, Method, NameAddr, Uri};
use crate::sip::sdp::{self, Codec, Direction, LocalMedia};
use crate::sip::{Account, AccountKey, Event, Invite, ReferKey, Subscribe, SubscriptionKey};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::time::Duration;

/// The wall clock at moment zero.
const WALL_MS: u64 = 1_800_000_000_000;
/// One way through the wire.
const DELAY: Duration = Duration::from_millis(1);

pub struct Phone {
    pub name: String,
    pub display: String,
    pub agent: UserAgent,
    pub address: Peer,
    pub account: AccountKey,
    /// Everything that happened, oldest first.
    pub events: Vec<Event>,
    /// Its calls' media: the next call takes the next port.
    ports: BTreeMap<CallKey, u16>,
    offers: BTreeMap<CallKey, Vec<u8>>,
    pub codecs: Vec<Codec>,
    /// How it answers an offer inside a call.
    pub direction: Direction,
    next_port: u16,
    /// Unplugged: hears and says nothing.
    pub dead: bool,
    /// What it answers to a MESSAGE.
    pub message_status: u16,
}

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
    }

    pub fn lot_address(&self) -> Peer {
        self.lot.config.listen.into()
    }

    pub fn add_phone(&mut self, user: &str, password: &str, display: &str) -> usize {
        let index = self.phones.len();
        let address = Peer::udp(([192, 0, 2, 10 + index as u8], 5060).into());
        let mut agent = UserAgent::new(UaConfig::new(address.address, "phone", 1_000 + index as u64));
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
        self.phones.push(Phone {
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
            message_status: 200,
        });
        index
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
            Command::Close { stream } => {
                self.engine.open.remove(&stream).expect("closed once");
                self.engine.prompts.remove(&stream);
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

    // What phones do.

    pub fn register(&mut self, phone: usize) {
        let account = self.phones[phone].account;
        self.phones[phone].agent.register(self.now, account);
    }

    pub fn uri(&self, extension: &str) -> Uri {
        Uri::at(extension, self.lot_address().address)
    }

    pub fn dial(&mut self, phone: usize, extension: &str) -> CallKey {
        self.dial_with(phone, extension, &[])
    }

    pub fn dial_with(&mut self, phone: usize, extension: &str, headers: &[(&str, &str)]) -> CallKey {
        self.invite(phone, self.uri(extension), headers)
    }

    /// Dials an address as it is.
    pub fn dial_uri(&mut self, phone: usize, target: Uri) -> CallKey {
        self.invite(phone, target, &[])
    }

    fn invite(&mut self, phone: usize, target: Uri, headers: &[(&str, &str)]) -> CallKey {
        let send_to = self.lot_address();
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let now = self.now;
        let phone = &mut self.phones[phone];
        let port = phone.take_port();
        let sdp = sdp::offer(&phone.local(port, Direction::SendRecv, 1));
        let account = Some(phone.account);
        let call = phone.agent.invite(now, Invite { account, from: None, target, send_to, sdp, headers });
        phone.ports.insert(call, port);
        call
    }

    /// The last call that came in and is neither answered nor over.
    pub fn ringing(&self, phone: usize) -> CallKey {
        self.try_ringing(phone)
            .unwrap_or_else(|| panic!("{} doesn't ring: {:?}", self.phones[phone].name, self.notices))
    }

    pub fn try_ringing(&self, phone: usize) -> Option<CallKey> {
        let came = self.phones[phone].events.iter().rev().filter_map(|event| match event {
            Event::CallReceived { call, .. } => Some(*call),
            _ => None,
        });
        let mut open =
            came.filter(|call| !self.is_over(phone, *call) && !self.phones[phone].ports.contains_key(call));
        open.next()
    }

    /// The INVITE of a call that came in.
    pub fn invite_of(&self, phone: usize, wanted: CallKey) -> crate::sip::message::Request {
        let mut came = self.phones[phone].events.iter().filter_map(|event| match event {
            Event::CallReceived { call, request, .. } if *call == wanted => Some((**request).clone()),
            _ => None,
        });
        came.next().expect("a call that came in")
    }

    pub fn ring(&mut self, phone: usize, call: CallKey) {
        self.phones[phone].agent.ring(self.now, call, None);
    }

    pub fn answer(&mut self, phone: usize, call: CallKey) {
        let answer = self.answer_to(phone, call);
        self.phones[phone].agent.accept(self.now, call, answer);
    }

    /// The answer to a call's offer, not sent yet.
    pub fn answer_to(&mut self, phone: usize, call: CallKey) -> Vec<u8> {
        let phone = &mut self.phones[phone];
        let offer = phone.offers.get(&call).cloned().unwrap_or_default();
        let port = phone.take_port();
        let (answer, _) =
            sdp::answer(&offer, &phone.local(port, Direction::SendRecv, 1)).expect("a usable offer");
        phone.ports.insert(call, port);
        answer
    }

    pub fn bind_ports(&mut self, count: usize) {
        for _ in 0..count {
            self.bind_port();
        }
    }

    pub fn reject(&mut self, phone: usize, call: CallKey, status: u16) {
        self.phones[phone].agent.reject(self.now, call, status, Vec::new());
    }

    pub fn hang_up(&mut self, phone: usize, call: CallKey) {
        self.phones[phone].agent.hang_up(self.now, call);
    }

    /// re-INVITE with that direction.
    pub fn hold(&mut self, phone: usize, call: CallKey, direction: Direction) {
        let now = self.now;
        let phone = &mut self.phones[phone];
        let port = phone.ports[&call];
        let sdp = sdp::offer(&phone.local(port, direction, now.as_millis() as u64));
        phone.agent.reoffer(now, call, sdp);
    }

    pub fn refer(
        &mut self,
        phone: usize,
        call: CallKey,
        extension: &str,
        headers: &[(&str, &str)],
    ) -> ReferKey {
        let target = NameAddr::new(self.uri(extension));
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.phones[phone].agent.refer(self.now, call, target, headers)
    }

    /// REFER with Replaces: `call` is to be joined with, or put into the place of, `other`.
    pub fn refer_to_call(
        &mut self,
        phone: usize,
        call: CallKey,
        extension: &str,
        other: CallKey,
    ) -> ReferKey {
        let replaces = self.replaces_of(phone, other);
        let mut target = NameAddr::new(self.uri(extension));
        target.uri.headers.push(("Replaces".to_owned(), replaces));
        self.phones[phone].agent.refer(self.now, call, target, Vec::new())
    }

    /// The value of a Replaces that names a phone's own dialog with the lot, as the lot has to read it.
    pub fn replaces_of(&self, phone: usize, call: CallKey) -> String {
        let dialog = self.phones[phone].agent.dialog_id(call).expect("a dialog");
        let (call_id, to, from) = (dialog.call_id, dialog.remote_tag, dialog.local_tag);
        format!("{call_id};to-tag={to};from-tag={from}")
    }

    pub fn watch(&mut self, phone: usize, extension: &str) -> SubscriptionKey {
        let (target, send_to) = (self.uri(extension), self.lot_address());
        let phone = &mut self.phones[phone];
        let subscribe = Subscribe {
            account: Some(phone.account),
            target,
            send_to,
            event: "dialog".to_owned(),
            accept: "application/dialog-info+xml".to_owned(),
            expires_s: 600,
            list: false,
        };
        phone.agent.subscribe(self.now, subscribe)
    }

    pub fn message(&mut self, phone: usize, extension: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        let (target, send_to) = (self.uri(extension), self.lot_address());
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let account = Some(self.phones[phone].account);
        let (from, body) = (None, body.as_bytes().to_vec());
        let ask = crate::sip::Ask { account, from, method: Method::Message, target, send_to, headers, body };
        let asked = self.phones[phone].agent.request(self.now, ask);
        self.run_ms(50);
        let mut answers = self.phones[phone].events.iter().filter_map(|event| match event {
            Event::RequestAnswered { sent, status, .. } if *sent == asked => Some(*status),
            _ => None,
        });
        answers.next().expect("an answer")
    }

    // What can be seen.

    pub fn is_over(&self, phone: usize, wanted: CallKey) -> bool {
        self.end_of(phone, wanted).is_some()
    }

    /// Status and words of a call's end.
    pub fn end_of(&self, phone: usize, wanted: CallKey) -> Option<(Option<u16>, String)> {
        self.phones[phone].events.iter().find_map(|event| match event {
            Event::CallEnded { call, cause } if *call == wanted => Some((cause.status, cause.reason.clone())),
            _ => None,
        })
    }

    /// The last final answer to an INVITE of a phone, whole: status line and headers.
    pub fn last_refusal(&self) -> &str {
        let refusal = |text: &&String| {
            text.starts_with("SIP/2.0 4") || text.starts_with("SIP/2.0 5") || text.starts_with("SIP/2.0 6")
        };
        self.traffic.iter().rev().find(refusal).map(String::as_str).unwrap_or_default()
    }

    pub fn is_answered(&self, phone: usize, wanted: CallKey) -> bool {
        let answered = |e: &Event| matches!(e, Event::CallAnswered { call, .. } if *call == wanted);
        self.phones[phone].events.iter().any(answered)
    }

    /// The slot in the answer to a REFER.
    pub fn parked_slot(&self, phone: usize, refer: ReferKey) -> String {
        let value = self.slot_header(phone, refer);
        value.split(';').next().unwrap_or_default().to_owned()
    }

    pub fn slot_header(&self, phone: usize, wanted: ReferKey) -> String {
        let accepted = self.phones[phone].events.iter().find_map(|event| match event {
            Event::ReferAccepted { refer, headers, .. } if *refer == wanted => headers.get("Parkdeck-Slot"),
            _ => None,
        });
        accepted.unwrap_or_else(|| panic!("not parked: {:?}", self.notices)).to_owned()
    }

    pub fn ticket(&self, phone: usize, refer: ReferKey) -> String {
        self.slot_header(phone, refer).split_once("ticket=").expect("a ticket").1.to_owned()
    }

    /// The status and the words with which a REFER was refused.
    pub fn refusal(&self, phone: usize, wanted: ReferKey) -> Option<u16> {
        self.phones[phone].events.iter().find_map(|event| match event {
            Event::ReferRefused { refer, status, .. } if *refer == wanted => Some(*status),
            _ => None,
        })
    }

    pub fn progress(&self, phone: usize, wanted: ReferKey) -> Vec<u16> {
        let said = self.phones[phone].events.iter().filter_map(|event| match event {
            Event::ReferProgress { refer, status, .. } if *refer == wanted => Some(*status),
            _ => None,
        });
        said.collect()
    }

    /// The last identity that the lot told this phone for a call, as the header's value.
    pub fn told_identity(&self, phone: usize, wanted: CallKey) -> Option<String> {
        let asserted = |headers: &Headers| headers.get("P-Asserted-Identity").map(str::to_owned);
        self.phones[phone].events.iter().rev().find_map(|event| match event {
            Event::IdentityChanged { call, headers } if *call == wanted => asserted(headers),
            Event::CallAnswered { call, headers, .. } if *call == wanted => asserted(headers),
            _ => None,
        })
    }

    /// The last state of a lamp.
    pub fn lamp(&self, phone: usize, wanted: SubscriptionKey) -> crate::sip::dialog_info::DialogInfo {
        let body = self.phones[phone].events.iter().rev().find_map(|event| match event {
            Event::Notified { subscription, body, .. } if *subscription == wanted => Some(body),
            _ => None,
        });
        crate::sip::dialog_info::read(body.expect("a NOTIFY")).expect("a dialog-info")
    }

    pub fn lamps_told(&self, phone: usize, wanted: SubscriptionKey) -> usize {
        let told = |e: &&Event| matches!(e, Event::Notified { subscription, .. } if *subscription == wanted);
        self.phones[phone].events.iter().filter(told).count()
    }

    /// The stream to a phone's live call; the newest.
    fn streams_of(&self, phone: usize) -> Vec<StreamId> {
        let ip = self.phones[phone].address.ip();
        let to = |config: &Option<StreamConfig>| config.is_some_and(|config| config.remote.ip() == ip);
        self.engine.open.iter().filter(|(_, (_, config, _))| to(config)).map(|(stream, _)| *stream).collect()
    }

    fn hears(&self, stream: StreamId) -> &Heard {
        &self.engine.open[&stream].2
    }

    /// Whether some call of one is joined with some call of the other, both ways.
    pub fn talk(&self, a: usize, b: usize) -> bool {
        self.streams_of(a).iter().any(|x| {
            let joined =
                |y: &StreamId| *self.hears(*x) == Heard::Stream(*y) && *self.hears(*y) == Heard::Stream(*x);
            self.streams_of(b).iter().any(joined)
        })
    }

    /// Whether one hears anything of the other, in whatever state.
    pub fn hears_anything_of(&self, a: usize, b: usize) -> bool {
        let of_b = self.streams_of(b);
        self.streams_of(a).iter().any(|x| matches!(self.hears(*x), Heard::Stream(y) if of_b.contains(y)))
    }

    pub fn hears_music(&self, phone: usize) -> bool {
        self.streams_of(phone).iter().any(|stream| *self.hears(*stream) == Heard::Music)
    }

    /// How many seconds the recordings last that a phone hears.
    pub fn hears_prompt_s(&self, phone: usize) -> Option<f32> {
        let mut heard = self.streams_of(phone).into_iter().filter_map(|stream| match self.hears(stream) {
            Heard::Prompt(samples) => Some(*samples as f32 / 48_000.0),
            _ => None,
        });
        heard.next()
    }

    pub fn hears_ringing(&self, phone: usize) -> bool {
        self.streams_of(phone).iter().any(|stream| *self.hears(*stream) == Heard::Ringing)
    }

    pub fn hears_silence(&self, phone: usize) -> bool {
        self.streams_of(phone).iter().all(|stream| *self.hears(*stream) == Heard::Silence)
    }

    pub fn codec_to(&self, phone: usize) -> Option<crate::media::Codec> {
        let stream = *self.streams_of(phone).last()?;
        self.engine.open[&stream].1.map(|config| config.codec)
    }

    pub fn press(&mut self, phone: usize, digit: char) -> Vec<(usize, char)> {
        let stream = *self.streams_of(phone).last().expect("a call");
        self.lot.report(self.now, Report::Digit { stream, digit });
        self.collect();
        self.digits()
    }

    /// All keys that went on, and to whom.
    pub fn digits(&self) -> Vec<(usize, char)> {
        let owner = |stream: &StreamId| {
            (0..self.phones.len()).find(|p| self.streams_of(*p).contains(stream)).unwrap()
        };
        self.engine.digits.iter().map(|(stream, digit)| (owner(stream), *digit)).collect()
    }

    /// Words of 100 ms a letter, and a courtesy tone of 250 ms where a lot wants one.
    pub fn give_sounds(&mut self) {
        let letters = "0123456789*#".chars().map(|letter| (letter, vec![1_000; 4_800])).collect();
        self.lot.set_words(Words { parked_on: vec![1_000; 9_600], letters });
        let wanting = self.lot.config.lots.iter().filter(|lot| lot.courtesytone.is_some());
        for lot in wanting.map(|lot| lot.name.clone()).collect::<Vec<_>>() {
            self.lot.set_courtesy_tone(&lot, crate::media::Clip::new(&[1_000; 12_000], 48_000));
        }
    }

    /// The recordings that play now never end.
    pub fn forget_prompts(&mut self) {
        self.engine.prompts.clear();
    }

    /// The media engine reports that nothing is heard from a phone.
    pub fn silent(&mut self, phone: usize, silent_ms: u32) {
        let stream = *self.streams_of(phone).last().expect("a call");
        self.lot.report(self.now, Report::StreamSilent { stream, silent_ms });
        self.collect();
    }

    pub fn open_streams(&self) -> usize {
        self.engine.open.len()
    }

    pub fn noticed(&self, wanted: impl Fn(&Notice) -> bool) -> usize {
        self.notices.iter().filter(|notice| wanted(notice)).count()
    }

    /// Nothing of any call is left.
    pub fn assert_at_rest(&mut self) {
        self.run_s(120);
        let census = self.lot.census();
        assert_eq!((census.legs, census.attempts, census.parked), (0, 0, 0), "{census:?}");
        assert_eq!(self.open_streams(), 0);
        let agent = census.agent;
        assert_eq!(
            (agent.calls, agent.client_transactions, agent.server_transactions, agent.refers, agent.requests),
            (0, 0, 0, 0, 0),
            "{agent:?}"
        );
    }
}

impl Phone {
    fn take_port(&mut self) -> u16 {
        self.next_port += 2;
        self.next_port
    }

    fn local(&self, port: u16, direction: Direction, version: u64) -> LocalMedia {
        let codecs = self.codecs.clone();
        let security = sdp::LocalSecurity::default();
        let session_id = port.into();
        let redundancy = false;
        LocalMedia {
            address: self.address.ip(),
            port,
            codecs,
            redundancy,
            direction,
            session_id,
            version,
            security,
        }
    }

    fn on_event(&mut self, now: Moment, event: Event) {
        match &event {
            Event::CallReceived { call, request, .. } => {
                self.offers.insert(*call, request.body.clone());
            }
            Event::RequestReceived { key, request, .. } if request.method == Method::Message => {
                self.agent.answer(now, *key, self.message_status, Vec::new(), Vec::new());
            }
            Event::OfferReceived { call, sdp, .. } => {
                let port = self.ports.get(call).copied().unwrap_or(9);
                let local = self.local(port, self.direction, now.as_millis() as u64);
                let answer = if sdp.is_empty() {
                    Ok(sdp::offer(&local))
                } else {
                    sdp::answer(sdp, &local).map(|(answer, _)| answer).map_err(|_| 488)
                };
                self.agent.answer_offer(now, *call, answer);
            }
            _ => {}
        }
        self.events.push(event);
    }
}
