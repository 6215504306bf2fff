//! A model server's SIP: it registers consoles, tells lamps, rings, answers, hangs up, and lets its rules
//! (`asterisk.rs` …) decide what a REFER or a dialled number does. Its sound is the model: who is connected to whom.

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

    /// The number of a slot.
    pub fn number(&self, slot: usize) -> String {
        (701 + slot).to_string()
    }

    pub fn slot_numbered(&self, number: &str) -> Option<usize> {
        (0..self.setup.slots + self.setup.hidden).find(|slot| self.number(*slot) == number)
    }

    /// The first slot that nobody is in.
    pub fn free_slot(&self) -> Option<usize> {
        let free = |slot: &usize| {
            let empty = self.model.who_is(Place::Slot(*slot)).is_none();
            empty && !self.selves.contains_key(slot) && !self.leaving.contains(slot)
        };
        (0..self.setup.slots + self.setup.hidden).find(free)
    }

    /// The lamp of a slot is told once the server gets round to it.
    pub fn lamp_changes(&mut self, now: Moment, slot: usize) {
        self.in_future(now + LAMP_AFTER + self.setup.lamps_late, Later::Lamp(slot));
    }

    pub fn tell_lamp(&mut self, now: Moment, slot: usize) {
        if self.model.who_is(Place::Slot(slot)).is_some() || self.selves.contains_key(&slot) {
            self.told_lit.insert(slot);
        } else {
            self.told_lit.remove(&slot);
            self.blurred.remove(&slot);
        }
        let watchers = self.watchers.iter().filter(|(_, watcher)| watcher.slot == slot);
        let watchers: Vec<_> = watchers.map(|(key, _)| *key).collect();
        watchers.into_iter().for_each(|watcher| self.tell_watcher(now, watcher, false));
    }

    /// What the server says of a slot, of its own accord or because it was `asked`.
    fn tell_watcher(&mut self, now: Moment, key: WatcherKey, asked: bool) {
        let Some(watcher) = self.watchers.get_mut(&key) else { return };
        let (slot, version, callpark) = (watcher.slot, watcher.version, watcher.callpark);
        watcher.version += 1;
        let there = self.model.who_is(Place::Slot(slot));
        let truth = there.is_some() || self.selves.contains_key(&slot);
        let lit = self.lies.get(&slot).copied().unwrap_or(truth);
        if callpark {
            let parked = lit.then(|| there.unwrap_or(JANE)).map(|caller| Party {
                display: Some(caller.name().to_owned()).filter(|_| caller != NOBODY),
                uri: match caller {
                    NOBODY => "sip:anonymous@anonymous.invalid".to_owned(),
                    caller => format!("sip:{}@{HOST}", caller.number()),
                },
                ..Party::default()
            });
            let body = callpark::write(&CallPark { parked });
            return self.ua.notify(now, key, callpark::CONTENT_TYPE, body);
        }
        let state = match (lit, self.setup.kind) {
            // Its source has it so: early to whoever asks, confirmed when it changes.
            (true, Kind::FreeSwitch) if asked => DialogState::Early,
            (true, _) => DialogState::Confirmed,
            (false, _) => DialogState::Terminated,
        };
        let number = self.number(slot);
        let dialog = DialogElement { id: number.clone(), state, ..DialogElement::default() };
        let entity = format!("sip:{number}@{HOST}");
        let info = DialogInfo { version, full: true, entity, dialogs: vec![dialog] };
        self.ua.notify(now, key, dialog_info::CONTENT_TYPE, dialog_info::write(&info));
    }

    fn media(&self) -> LocalMedia {
        LocalMedia {
            address: self.address.ip(),
            port: 30_000,
            codecs: vec![Codec::Pcmu],
            redundancy: false,
            direction: Direction::SendRecv,
            session_id: 1,
            version: 1,
            security: sdp::LocalSecurity::default(),
        }
    }

    /// A caller dials the console, or comes back to it.
    pub fn ring(&mut self, now: Moment, caller: CallerId, console: SocketAddr, referred: bool) {
        let Some(contact) = self.registered.get(&console).cloned() else {
            return self.model.ends(now, caller, Why::ServersRule);
        };
        let mut headers = identity_of(caller);
        if referred {
            let user = contact.user.clone().unwrap_or_default();
            headers.push(("Referred-By".to_owned(), format!("<sip:{user}@{HOST}>")));
        }
        let from = match caller {
            NOBODY => NameAddr::new(Uri::sip("anonymous", "anonymous.invalid")).with_display("Anonymous"),
            caller => NameAddr::new(Uri::sip(caller.number(), HOST)).with_display(caller.name()),
        };
        let sdp = sdp::offer(&self.media());
        let invite = Invite {
            account: None,
            from: Some(from),
            target: contact,
            send_to: console.into(),
            sdp,
            headers,
        };
        let key = self.ua.invite(now, invite);
        self.insert_leg(key, console, None);
        self.model.moves(now, caller, Place::Ringing(key.number()));
    }

    fn insert_leg(&mut self, key: CallKey, console: SocketAddr, port: Option<u16>) {
        let leg = LegState {
            key,
            console,
            port,
            failing: false,
            refers: Vec::new(),
            digits: String::new(),
            held_at: None,
        };
        self.legs.insert(key.number(), leg);
    }

    fn answered(&mut self, now: Moment, leg: Leg, sdp: Option<Vec<u8>>) {
        let port =
            sdp.and_then(|sdp| sdp::accept(&self.media(), &sdp).ok()).map(|agreed| agreed.remote.port());
        if let Some(held) = self.legs.get_mut(&leg) {
            held.port = port;
        }
        if let Some(caller) = self.model.who_is(Place::Ringing(leg)) {
            self.model.moves(now, caller, Place::With(leg));
            self.parkings.remove(&caller);
        }
    }

    fn dialled(&mut self, now: Moment, call: CallKey, console: SocketAddr, request: &Request) {
        let number = request.uri.user.clone().unwrap_or_default();
        self.invites_seen.push(number.clone());
        let Ok((answer, agreed)) = sdp::answer(&request.body, &self.media()) else {
            return self.ua.reject(now, call, 488, Vec::new());
        };
        self.insert_leg(call, console, Some(agreed.remote.port()));
        match self.setup.kind {
            Kind::Asterisk | Kind::AsteriskDtmf => self.asterisk_dialled(now, call, &number, answer),
            Kind::FreeSwitch => self.freeswitch_dialled(now, call, &number, answer),
            Kind::BroadWorks => self.broadworks_dialled(now, call, &number, answer),
            Kind::PortSip | Kind::Generic => self.generic_dialled(now, call, &number, answer),
        }
    }

    fn referred(&mut self, now: Moment, call: Option<CallKey>, refer: ReferKey, target: &str) {
        let leg = call.map(CallKey::number).and_then(|leg| self.legs.get_mut(&leg));
        let (Some(leg), None) = (leg, self.setup.refuses_refer) else {
            let status = self.setup.refuses_refer.unwrap_or(481);
            return self.ua.answer_refer(now, refer, status, Vec::new());
        };
        leg.refers.push(refer);
        let leg = leg.key.number();
        match self.setup.kind {
            Kind::Asterisk | Kind::AsteriskDtmf => self.asterisk_referred(now, leg, refer, target),
            Kind::FreeSwitch => self.freeswitch_referred(now, leg, refer, target),
            Kind::BroadWorks => self.broadworks_referred(now, leg, refer, target),
            Kind::PortSip | Kind::Generic => self.generic_referred(now, leg, refer, target),
        }
    }

    /// Says who is at the other end of a leg now, if this server says such things.
    fn identify(&mut self, now: Moment, leg: Leg) {
        let (Some(held), Tells::Identity) = (self.legs.get(&leg), self.setup.tells) else { return };
        if let Some(caller) = self.model.who_is(Place::With(leg)) {
            self.ua.update(now, held.key, identity_of(caller));
        }
    }

    pub fn identity_headers(&self, caller: CallerId) -> Vec<(String, String)> {
        if self.setup.tells == Tells::Identity { identity_of(caller) } else { Vec::new() }
    }

    /// The server ends a leg.
    pub fn hang_up(&mut self, now: Moment, leg: Leg) {
        self.leave_stall(now, leg);
        if let Some(held) = self.legs.remove(&leg) {
            self.ua.hang_up(now, held.key);
        }
    }

    /// An operator who parked himself is gone.
    fn leave_stall(&mut self, now: Moment, leg: Leg) {
        let stall = self.selves.iter().find(|(_, there)| **there == leg).map(|(stall, _)| *stall);
        if let Some(stall) = stall {
            self.selves.remove(&stall);
            self.lamp_changes(now, stall);
        }
    }

    /// As if the console had sent a BYE.
    pub fn console_ended(&mut self, now: Moment, leg: Leg) {
        let cause = EndCause { by: EndedBy::Remote, status: None, reason: String::new() };
        self.leg_ended(now, leg, &cause);
    }

    /// A leg ended, by the console or for lack of one.
    fn leg_ended(&mut self, now: Moment, leg: Leg, cause: &EndCause) {
        let Some(held) = self.legs.remove(&leg) else { return };
        self.leave_stall(now, leg);
        let excused = self.excused.remove(&leg);
        let Some(caller) = self.model.caller_of(leg) else { return };
        let rang = self.model.place(caller) == Place::Ringing(leg);
        let why = match cause.by {
            _ if excused => Why::Dismissed,
            EndedBy::Remote if rang && self.parkings.contains_key(&caller) => {
                Why::Lost("his comeback was turned away, and no key said so")
            }
            EndedBy::Remote if rang => Why::ServersRule,
            EndedBy::Remote if held.failing => Why::Lost("our leg was ended while his park failed"),
            EndedBy::Remote => Why::Lost("his leg was ended, and no key said so"),
            EndedBy::Local | EndedBy::Timeout => Why::ServersRule,
        };
        self.model.ends(now, caller, why);
    }

    /// A caller dials the console. False if he has a call already.
    pub fn caller_dials(&mut self, now: Moment, caller: CallerId, console: SocketAddr) -> bool {
        let idle = self.model.place(caller) == Place::Outside;
        if idle {
            self.parkings.remove(&caller);
            self.ring(now, caller, console, false);
        }
        idle
    }

    /// The caller himself hangs up.
    pub fn caller_hangs_up(&mut self, now: Moment, caller: CallerId) {
        let place = self.model.place(caller);
        if place == Place::Outside {
            return;
        }
        self.model.ends(now, caller, Why::OwnWish);
        match place {
            // Measured: after a park that failed the server says 503, and keeps the leg for up to a minute.
            Place::With(leg) if self.legs.get(&leg).is_some_and(|held| held.failing) => {
                let refers = self.legs.get(&leg).map(|held| held.refers.clone()).unwrap_or_default();
                refers.into_iter().for_each(|refer| self.ua.report_refer(now, refer, 503));
                self.in_future(now + Duration::from_secs(60), Later::HangUp(leg));
            }
            Place::With(leg) | Place::Ringing(leg) => self.hang_up(now, leg),
            Place::Slot(slot) => self.lamp_changes(now, slot),
            Place::Outside | Place::Colleague | Place::Returning => {}
        }
    }

    /// Puts a caller into a slot.
    pub fn park(&mut self, now: Moment, caller: CallerId, slot: usize, parking: Parking) {
        self.park_told(now, caller, slot, parking, Duration::ZERO);
    }

    /// The same, with a lamp that is told only so much later.
    pub fn park_told(
        &mut self,
        now: Moment,
        caller: CallerId,
        slot: usize,
        parking: Parking,
        later: Duration,
    ) {
        if self.told_lit.contains(&slot) {
            self.blurred.insert(slot);
        }
        self.model.moves(now, caller, Place::Slot(slot));
        self.parkings.insert(caller, parking);
        self.lamp_changes(now + later, slot);
        self.in_future(now + self.setup.parking_time, Later::TimeUp(caller, parking.since));
    }

    fn time_up(&mut self, now: Moment, caller: CallerId, since: Moment) {
        let there = self.parkings.get(&caller).copied().filter(|parking| parking.since == since);
        let (Place::Slot(slot), Some(parking)) = (self.model.place(caller), there) else { return };
        self.in_future(now + self.setup.lamps_late, Later::Lamp(slot));
        if parking.parker.is_none() {
            return self.model.moves(now, caller, Place::Colleague);
        }
        self.model.moves(now, caller, Place::Returning);
        self.in_future(now + COMEBACK_AFTER, Later::ComesBack(caller));
    }

    fn comes_back(&mut self, now: Moment, caller: CallerId) {
        let parking = self.parkings.get(&caller).copied();
        let Some(parking) = parking.filter(|_| self.model.place(caller) == Place::Returning) else { return };
        let Some(console) = parking.parker else { return };
        self.ring(now, caller, console, parking.by_refer && self.setup.kind.is_asterisk());
        if let Place::Ringing(leg) = self.model.place(caller) {
            self.in_future(now + self.setup.comeback_rings, Later::StopRinging(leg));
        }
    }

    /// The colleague takes whoever is in a slot. True if somebody was there.
    pub fn colleague_takes(&mut self, now: Moment, slot: usize) -> bool {
        let Some(caller) = self.model.who_is(Place::Slot(slot)) else { return false };
        self.model.moves(now, caller, Place::Colleague);
        self.lamp_changes(now, slot);
        true
    }

    /// The colleague parks the caller who is with him, or who calls him now.
    pub fn colleague_parks(&mut self, now: Moment, caller: CallerId) -> Option<usize> {
        let slot = self.free_slot()?;
        self.park(now, caller, slot, Parking { parker: None, by_refer: false, since: now });
        Some(slot)
    }

    /// The leg that a console calls by that port.
    pub fn leg_at(&self, console: SocketAddr, port: u16) -> Option<Leg> {
        let same = |leg: &&LegState| leg.console == console && leg.port == Some(port);
        self.legs.values().find(same).map(|leg| leg.key.number())
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
