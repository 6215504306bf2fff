//! A model server's SIP: it registers consoles, tells lamps, rings, answers, hangs up, and lets its rules
//! (`asterisk.rs` …) decide what a REFER or a dialled number does. Its sound is the model: who is connected to whom.

mod callers;
mod lamps;
mod legs;

use super::model::{CallerId, JANE, Leg, Model, NOBODY, Place, Why};
use parkdeck::parking::Moment;
use parkdeck::sip::callpark::{self, CallPark};
use parkdeck::sip::dialog_info::{self, DialogElement, DialogInfo, DialogState, Party};
use parkdeck::sip::message::{Method, NameAddr, Request, Uri};
use parkdeck::sip::sdp::{self, Codec, Direction, LocalMedia};
use parkdeck::sip::{
    CallKey, EndCause, EndedBy, Event, Invite, ReferKey, RequestKey, Transmit, UaConfig, UserAgent,
    WatcherKey, dtmf_info,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// The host part of this house.
const HOST: &str = "10.0.0.1";
/// Where a colleague has a plain phone.
pub const COLLEAGUE: &str = "110";
/// What lights no sooner than this after what happened in the slot (2 ms on Asterisk).
const LAMP_AFTER: Duration = Duration::from_millis(2);

/// From the lamp to the INVITE of a comeback.
const COMEBACK_AFTER: Duration = Duration::from_millis(2);

/// Which server this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Asterisk,
    /// The same server, parked on by feature code.
    AsteriskDtmf,
    FreeSwitch,
    BroadWorks,
    PortSip,
    /// Any other that is parked on by REFER.
    Generic,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Asterisk,
        Self::AsteriskDtmf,
        Self::FreeSwitch,
        Self::BroadWorks,
        Self::PortSip,
        Self::Generic,
    ];

    fn is_asterisk(self) -> bool {
        matches!(self, Self::Asterisk | Self::AsteriskDtmf)
    }

    /// Whether slots are extensions that the operator has to name.
    pub fn names_slots(self) -> bool {
        matches!(self, Self::BroadWorks | Self::PortSip)
    }
}

/// How a server tells the parker's leg, or the retriever's, who is at the other end now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// UPDATE with P-Asserted-Identity (`send_pai=yes`).
    Identity,
    /// Not at all.
    Nothing,
}

/// How the server is set up, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Setup {
    pub kind: Kind,
    /// How many slots have a lamp; they are 701 and so on.
    pub slots: usize,
    /// How many slots the lot has behind those, which no lamp shows.
    pub hidden: usize,
    /// How many of the slots, the last ones, are a lot of their own, with its own park extension (Asterisk).
    pub second: usize,
    pub tells: Tells,
    /// Whether parties may park by feature code (Dial's `K` and `k`).
    pub feature_codes: bool,
    pub parking_time: Duration,
    pub comeback_rings: Duration,
    /// How much later than they should lamps are told.
    pub lamps_late: Duration,
    /// How long the server waits for a caller's first packet before it moves him.
    pub silent_callers: Duration,
    /// What a full lot does with a caller whom the dialplan has already (a prefix on Asterisk, every transfer on
    /// FreeSWITCH): whether the dialplan goes on to the reception, or ends.
    pub full_goes_on: bool,
    /// Whether FreeSWITCH says the stall to the caller before it tells its lamp.
    pub announces: bool,
    /// The status that every REFER gets.
    pub refuses_refer: Option<u16>,
    /// Says 202 and forgets it.
    pub swallows_refer: bool,
}

impl Setup {
    pub fn asterisk() -> Self {
        Self::of(Kind::Asterisk)
    }

    /// How far a lamp is behind because the server says the slot first.
    pub fn announced(&self) -> Duration {
        let says_first = self.announces && self.kind == Kind::FreeSwitch;
        if says_first { super::freeswitch::ANNOUNCED } else { Duration::ZERO }
    }

    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            slots: 3,
            hidden: 0,
            second: 0,
            tells: Tells::Identity,
            feature_codes: true,
            parking_time: Duration::from_secs(45),
            comeback_rings: Duration::from_secs(20),
            lamps_late: Duration::ZERO,
            silent_callers: Duration::ZERO,
            full_goes_on: true,
            announces: false,
            refuses_refer: None,
            swallows_refer: false,
        }
    }
}

/// A console's leg.
pub struct LegState {
    pub key: CallKey,
    pub console: SocketAddr,
    /// Where the console receives its sound: what it calls the same leg by.
    pub port: Option<u16>,
    /// A park of its caller has failed, and its voice says so.
    pub failing: bool,
    /// Its REFERs.
    pub refers: Vec<ReferKey>,
    pub digits: String,
    /// Since when it is on hold.
    pub held_at: Option<Moment>,
}

/// How somebody came to be parked.
#[derive(Clone, Copy, Debug)]
pub struct Parking {
    /// The console that parked him; `None` for the colleague.
    pub parker: Option<SocketAddr>,
    pub by_refer: bool,
    pub since: Moment,
}

/// What happens later.
#[derive(Debug)]
pub enum Later {
    /// What the server says to a REFER.
    Report(ReferKey, u16),
    /// The caller's first packet came: now the REFER is done.
    Refer(Leg, ReferKey, String),
    /// UPDATE with the identity of whoever is there now.
    Identify(Leg),
    /// The voice that said that the park failed has ended.
    Failed(Leg),
    Lamp(usize),
    HangUp(Leg),
    /// His time in the slot, which began then, is over.
    TimeUp(CallerId, Moment),
    /// He rings at his parker's.
    ComesBack(CallerId),
    StopRinging(Leg),
}

/// Somebody who watches a slot.
struct Watcher {
    slot: usize,
    /// How many documents were sent.
    version: u32,
    /// Whether it wants BroadWorks' callpark documents.
    callpark: bool,
}

pub struct Pbx {
    pub ua: UserAgent,
    pub address: SocketAddr,
    pub setup: Setup,
    pub model: Model,
    pub legs: BTreeMap<Leg, LegState>,
    pub parkings: BTreeMap<CallerId, Parking>,
    /// Slots whose caller is being fetched: nobody else is put there before their lamps are told.
    pub leaving: BTreeSet<usize>,
    /// Operators who parked themselves, by the stall (FreeSWITCH).
    pub selves: BTreeMap<usize, Leg>,
    /// Legs that the operator ended, or turned away, by a key.
    pub excused: BTreeSet<Leg>,
    registered: BTreeMap<SocketAddr, Uri>,
    watchers: BTreeMap<WatcherKey, Watcher>,
    later: BTreeMap<(Moment, u64), Later>,
    /// Slots whose lamps were told lit last.
    told_lit: BTreeSet<usize>,
    /// Slots that changed hands without a lamp that went out between.
    pub blurred: BTreeSet<usize>,
    /// Slots whose lamps tell no truth, and what they say instead.
    pub lies: BTreeMap<usize, bool>,
    pub refers_seen: Vec<String>,
    pub invites_seen: Vec<String>,
    order: u64,
    lives: u64,
}

impl Pbx {
    pub fn new(address: SocketAddr, setup: Setup, seed: u64) -> Self {
        Self {
            ua: UserAgent::new(UaConfig::server(address, "model", seed)),
            address,
            setup,
            model: Model::new(),
            legs: BTreeMap::new(),
            parkings: BTreeMap::new(),
            leaving: BTreeSet::new(),
            selves: BTreeMap::new(),
            excused: BTreeSet::new(),
            registered: BTreeMap::new(),
            watchers: BTreeMap::new(),
            later: BTreeMap::new(),
            told_lit: BTreeSet::new(),
            blurred: BTreeSet::new(),
            lies: BTreeMap::new(),
            refers_seen: Vec::new(),
            invites_seen: Vec::new(),
            order: 0,
            lives: seed,
        }
    }

    pub fn next_wake(&self) -> Option<Moment> {
        let later = self.later.first_key_value().map(|((at, _), _)| *at);
        [self.ua.next_wake(), later].into_iter().flatten().min()
    }

    pub fn wake(&mut self, now: Moment) {
        self.ua.wake(now);
        while self.later.first_key_value().is_some_and(|((at, _), _)| *at <= now) {
            if let Some((_, what)) = self.later.pop_first() {
                self.happen(now, what);
            }
        }
        self.take_in(now);
    }

    pub fn receive(&mut self, now: Moment, from: SocketAddr, bytes: &[u8]) {
        self.ua.receive(now, from, bytes);
        self.take_in(now);
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let mut transmit = self.ua.poll_transmit()?;
        if self.setup.kind.is_asterisk() && transmit.bytes.starts_with(b"NOTIFY") {
            transmit.bytes = without_refer_id(transmit.bytes);
        }
        Some(transmit)
    }

    pub fn in_future(&mut self, at: Moment, what: Later) {
        self.order += 1;
        self.later.insert((at, self.order), what);
    }

    /// The server forgets everything but who is registered; everybody's call ends.
    pub fn restart(&mut self, now: Moment) {
        let everybody: Vec<_> = self.model.inside().map(|(who, _)| who).collect();
        everybody.into_iter().for_each(|who| self.model.ends(now, who, Why::ServersRule));
        self.lives += 1_000_003;
        self.ua = UserAgent::new(UaConfig::server(self.address, "model", self.lives));
        self.watchers.clear();
        self.legs.clear();
        self.later.clear();
        self.parkings.clear();
        self.excused.clear();
        self.selves.clear();
        self.leaving.clear();
        self.told_lit.clear();
        self.blurred.clear();
        self.model.note(now, "restarted");
    }

    fn happen(&mut self, now: Moment, what: Later) {
        match what {
            Later::Report(refer, status) => self.ua.report_refer(now, refer, status),
            Later::Refer(leg, refer, target) => self.asterisk_move(now, leg, refer, &target),
            Later::Identify(leg) => self.identify(now, leg),
            Later::Failed(leg) => {
                if let Some(held) = self.legs.get_mut(&leg) {
                    held.failing = false;
                    self.identify(now, leg);
                }
            }
            Later::Lamp(slot) => {
                self.leaving.remove(&slot);
                self.tell_lamp(now, slot);
            }
            Later::HangUp(leg) => self.hang_up(now, leg),
            Later::TimeUp(caller, since) => self.time_up(now, caller, since),
            Later::ComesBack(caller) => self.comes_back(now, caller),
            Later::StopRinging(leg) => {
                if let Some(caller) = self.model.who_is(Place::Ringing(leg)) {
                    self.model.ends(now, caller, Why::ServersRule);
                    self.hang_up(now, leg);
                }
            }
        }
    }

    fn take_in(&mut self, now: Moment) {
        while let Some(event) = self.ua.poll_event() {
            match event {
                Event::RequestReceived { key, from, request } => {
                    self.requested(now, key, from.address, &request);
                }
                Event::WatcherRefreshed { watcher } => self.tell_watcher(now, watcher, true),
                Event::WatcherLeft { watcher } => {
                    self.watchers.remove(&watcher);
                }
                Event::CallReceived { call, from, request } => {
                    self.dialled(now, call, from.address, &request);
                }
                Event::CallAnswered { call, sdp, .. } => self.answered(now, call.number(), sdp),
                Event::CallEnded { call, cause } => self.leg_ended(now, call.number(), &cause),
                Event::ReferReceived { call, refer, request, .. } => {
                    let target = request.headers.name_addr("Refer-To").and_then(|to| to.uri.user);
                    let target = target.unwrap_or_default();
                    self.refers_seen.push(target.clone());
                    self.referred(now, call, refer, &target);
                }
                Event::OfferReceived { call, sdp, .. } => {
                    let holds = sdp.windows(10).any(|words| words == b"a=sendonly");
                    if let Some(leg) = self.legs.get_mut(&call.number()) {
                        leg.held_at = holds.then_some(now);
                    }
                    let answer = sdp::answer(&sdp, &self.media()).map(|(answer, _)| answer);
                    self.ua.answer_offer(now, call, answer.map_err(|_| 488));
                }
                Event::InfoReceived { call, content_type, body } => {
                    if let Some(digit) = dtmf_info::read(&content_type, &body) {
                        self.digit(now, call.number(), digit);
                    }
                }
                _ => {}
            }
        }
    }

    fn requested(&mut self, now: Moment, key: RequestKey, from: SocketAddr, request: &Request) {
        match request.method {
            Method::Register => {
                let contacts = request.headers.contacts();
                match contacts.first().filter(|_| request.headers.expires() != Some(0)) {
                    Some(contact) => self.registered.insert(from, contact.uri.clone()),
                    None => self.registered.remove(&from),
                };
                let contact = request.headers.get("Contact").unwrap_or_default().to_owned();
                let headers = vec![("Contact".to_owned(), contact), ("Expires".to_owned(), "600".to_owned())];
                self.ua.answer(now, key, 200, headers, Vec::new());
            }
            Method::Subscribe => {
                let user = request.uri.user.as_deref().unwrap_or_default();
                // FreeSWITCH's lamps are those of `park+STALL`.
                let user = match self.setup.kind {
                    Kind::FreeSwitch => user.strip_prefix("park+").unwrap_or_default(),
                    _ => user,
                };
                match self.slot_numbered(user).filter(|slot| *slot < self.setup.slots) {
                    Some(slot) => {
                        if let Some(watcher) = self.ua.admit_watcher(now, key, 300) {
                            let event = request.headers.get("Event").unwrap_or_default();
                            let callpark = event.starts_with(callpark::EVENT);
                            self.watchers.insert(watcher, Watcher { slot, version: 0, callpark });
                            self.tell_watcher(now, watcher, true);
                        }
                    }
                    None => self.ua.answer(now, key, 404, Vec::new(), Vec::new()),
                }
            }
            _ => self.ua.answer(now, key, 200, Vec::new(), Vec::new()),
        }
    }
}

fn identity_of(caller: CallerId) -> Vec<(String, String)> {
    if caller == NOBODY {
        return Vec::new();
    }
    let identity = NameAddr::new(Uri::sip(caller.number(), HOST)).with_display(caller.name());
    vec![("P-Asserted-Identity".to_owned(), identity.to_string())]
}

/// Asterisk's NOTIFYs never name the REFER that they are about.
fn without_refer_id(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&bytes) else { return bytes };
    match text.split_once("Event: refer;id=") {
        Some((head, tail)) => {
            let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{head}Event: refer{tail}").into_bytes()
        }
        None => bytes,
    }
}
