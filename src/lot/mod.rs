//! The lot: a small call-park server, sans-IO. Datagrams, media reports and time come in; datagrams, media commands
//! and notices go out. It is a back-to-back user agent: every phone is one *leg* (one dialog of the user agent, one
//! stream of the media engine), and a leg is in exactly one [`Place`](legs::Place). It speaks SIP and RTP to
//! everybody, a console in the same process included.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `config`, `import` | what an administrator says; what he said to an Asterisk |
//! | `plan` | what an extension means |
//! | `gate`, `registrar`, `rights` | who may come in, where the phones are, who may do what in which lot |
//! | `slots`, `dynamic` | the slot book: pure parking, no SIP; lots that are made on demand |
//! | `invite` | who comes in, and where he goes |
//! | `legs`, `calls` | what a leg is; its life |
//! | `hunt`, `attempts`, `pickup` | whom a call rings; ringing them, for whatever reason; taking a call that rings another |
//! | `redirect` | a phone sends a call on (3xx) |
//! | `page` | one speaks on several phones |
//! | `trunk` | calls from and to the outside |
//! | `park`, `retrieve`, `comeback`, `transfer` | what the lot is for |
//! | `keys`, `features` | what is typed into a call |
//! | `listening`, `prompts` | what a leg hears once: its slot, a tone, an announcement |
//! | `presence`, `notes` | lamps and what is written on parked calls |
//! | `relay` | messages from user to user |
//! | `figures` | how full the lots are, for metrics |
//! | `memory` | what is written down, and how it goes on after a restart |
//! | `sound` | ports, offers and answers, and what each leg hears |
//!
//! Promises: no caller is lost by anything but his own hang-up; no two callers are joined: a leg is joined with
//! another only because a person called, answered, retrieved or transferred it.

mod attempts;
mod calls;
mod comeback;
pub mod config;
mod dynamic;
mod features;
mod figures;
mod gate;
mod hunt;
pub mod import;
mod invite;
mod keys;
mod legs;
mod listening;
pub mod memory;
mod notes;
mod notice;
mod page;
mod park;
mod pickup;
mod plan;
mod presence;
mod prompts;
mod redirect;
mod registrar;
mod relay;
mod retrieve;
mod rights;
pub mod slots;
mod sound;
mod transfer;
mod trunk;
mod words;

pub use config::LotConfig;
pub use dynamic::MAX_DYNAMIC_LOTS;
pub use figures::ParkingFigures;
pub use legs::{MAX_LEGS, MAX_LEGS_PER_USER};
pub use notice::{MAX_NOTICES, Notice};
pub use prompts::{Words, beep};
pub use sound::FIRST_STREAM;
pub use trunk::TrunkLookup;

use crate::media::{Command, Music, Report};
use crate::parking::Moment;
use crate::sip::message::Method;
use crate::sip::{CallKey, Event, Peer, Secured, Seed, Transmit, Transport, UaConfig, UserAgent};
use config::ParkingConfig;
use gate::Gate;
use legs::{Attempt, AttemptId, Leg};
use plan::{Destination, Plan};
use presence::Presence;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use registrar::Registrar;
use slots::ParkingLot;
use sound::Sound;
use std::collections::{BTreeMap, VecDeque};
use trunk::Trunks;

/// What the lot calls itself in Server and User-Agent.
pub const PRODUCT: &str = concat!("parkdeck-lot/", env!("CARGO_PKG_VERSION"));

/// After so much silence a phone is asked whether it is still there.
const SILENT_MS: u32 = 30_000;

/// The park server. After every method that takes `now`, drain [`Lot::poll_transmit`], [`Lot::poll_close`],
/// [`Lot::poll_media`] and [`Lot::poll_notice`].
pub struct Lot {
    config: LotConfig,
    plan: Plan,
    agent: UserAgent,
    gate: Gate,
    registrar: Registrar,
    lots: Vec<ParkingLot<CallKey>>,
    legs: BTreeMap<CallKey, Leg>,
    attempts: BTreeMap<AttemptId, Attempt>,
    next_attempt: u64,
    gone: VecDeque<retrieve::GoneDialog>,
    presence: Presence,
    relays: relay::Relays,
    keyboard: keys::Keyboard,
    listeners: BTreeMap<CallKey, Moment>,
    trunks: Trunks,
    memory: memory::Memory,
    sound: Sound,
    notices: VecDeque<Notice>,
    chance: StdRng,
}

/// How much the lot keeps: back to the same figures when every call has ended (leak tests).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LotCensus {
    /// Legs.
    pub legs: usize,
    /// People who are being rung.
    pub attempts: usize,
    /// Parked calls.
    pub parked: usize,
    /// Phones.
    pub phones: usize,
    /// Watchers.
    pub watchers: usize,
    /// Messages on their way.
    pub messages: usize,
    /// What the user agent keeps.
    pub agent: crate::sip::Census,
}

impl Lot {
    /// A lot that runs with `config` (which has no [`LotConfig::problems`]). `seed` decides tickets, tags and nonces
    /// and must not be guessable outside of tests.
    pub fn new(config: LotConfig, seed: impl Into<Seed>) -> Self {
        let mut chance = StdRng::from_seed(seed.into().bits());
        let local = config.contact_address();
        let lots = config.lots.iter().map(|lot| ParkingLot::new(lot.clone(), chance.random())).collect();
        Self {
            plan: Plan::new(&config),
            agent: UserAgent::new(ua_config(&config, chance.random())),
            gate: Gate::new(&config.realm, chance.random()).offering(config.digest),
            registrar: Registrar::default(),
            lots,
            legs: BTreeMap::new(),
            attempts: BTreeMap::new(),
            next_attempt: 0,
            gone: VecDeque::new(),
            presence: Presence::default(),
            relays: relay::Relays::default(),
            keyboard: keys::Keyboard::default(),
            listeners: BTreeMap::new(),
            trunks: Trunks::new(&config),
            memory: memory::Memory::default(),
            sound: Sound::new(local.ip(), config.secure_media, StdRng::from_seed(chance.random())),
            notices: VecDeque::new(),
            chance,
            config,
        }
    }

    /// The music that parked callers of a lot hear; of held calls, and of lots without any, when `lot` is `None`.
    /// Takes effect with the next caller.
    pub fn set_music(&mut self, lot: Option<&str>, music: Music) {
        self.sound.set_music(lot, music);
    }

    /// A datagram came.
    pub fn receive(&mut self, now: Moment, from: impl Into<Peer>, bytes: &[u8]) {
        let from = from.into();
        self.agent.receive(now, from, bytes);
        self.settle(now);
    }

    /// A connection brought bytes, sliced in any way.
    pub fn receive_stream(&mut self, now: Moment, from: Peer, bytes: &[u8]) {
        self.agent.receive_stream(now, from, bytes);
        self.settle(now);
    }

    /// A phone has connected.
    pub fn flow_opened(&mut self, now: Moment, peer: Peer) {
        let secured = if peer.transport == Transport::Tls { Secured::Tls } else { Secured::No };
        self.agent.flow_opened(now, peer, secured);
        self.settle(now);
    }

    /// A connection has ended; why, in words.
    pub fn flow_closed(&mut self, now: Moment, peer: Peer, reason: &str) {
        self.agent.flow_closed(now, peer, reason);
        self.settle(now);
    }

    /// The next connection that is to be closed.
    pub fn poll_close(&mut self) -> Option<Peer> {
        self.agent.poll_close()
    }

    /// The moment of [`Lot::next_wake`] has come.
    pub fn wake(&mut self, now: Moment) {
        if self.agent.next_wake().is_some_and(|at| at <= now) {
            self.agent.wake(now);
        }
        for user in self.registrar.expire(now) {
            self.touch_user(&user);
            self.say(Notice::Unregistered { user });
        }
        self.settle(now);
        self.end_overdue_attempts(now);
        self.end_overdue_relays(now);
        self.end_overdue_keys(now);
        self.end_overdue_listeners(now);
        self.look_up_overdue_trunks(now);
        self.end_overdue_pages(now);
        self.ring_back_overdue_calls(now);
        self.seat_the_stranded(now);
        self.ask_waking(now);
        self.settle(now);
    }

    /// When to call [`Lot::wake`] next.
    pub fn next_wake(&self) -> Option<Moment> {
        let attempts = self.attempts.values().map(|attempt| attempt.ends_at).min();
        let lots = self.lots.iter().filter_map(ParkingLot::next_due).min();
        let others = [
            self.registrar.next_expiry(),
            self.relays.next_due(),
            self.keyboard.next_due(),
            self.trunks.next_due(),
            self.next_page_end(),
            self.next_waking(),
            self.next_seat(),
        ];
        let listeners = self.listeners.values().copied().min();
        [self.agent.next_wake(), attempts, lots, listeners].into_iter().chain(others).flatten().min()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.agent.poll_transmit()
    }

    /// The next command for the media engine.
    pub fn poll_media(&mut self) -> Option<Command> {
        self.sound.poll()
    }

    /// The SHA-256 fingerprint of the media engine's certificate: without it no handshake protects any sound.
    pub fn set_fingerprint(&mut self, fingerprint: [u8; 32]) {
        self.sound.set_fingerprint(fingerprint);
    }

    /// The next thing to log.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// The media engine reports: free ports, digits, silence.
    pub fn report(&mut self, now: Moment, report: Report) {
        match report {
            Report::PortsBound { ports } => {
                self.sound.add_ports(ports);
                self.ask_waking(now);
            }
            Report::Digit { stream, digit } => self.on_digit(now, stream, digit),
            Report::PromptEnded { stream } => self.on_prompt_ended(now, stream),
            Report::StreamSilent { stream, silent_ms } if silent_ms >= SILENT_MS => self.knock(now, stream),
            Report::KeysAging { stream } => self.renew_keys(now, stream),
            Report::OpenRefused { stream, .. } => self.replace_stream(now, stream),
            Report::RecordingStarted { stream, file } => self.on_recording(stream, Ok(file)),
            Report::RecordingFailed { stream, reason, .. } => self.on_recording(stream, Err(reason)),
            _ => {}
        }
        self.settle(now);
    }

    /// Takes a new configuration (one without [`LotConfig::problems`]; a bad one never comes here and the old runs on).
    /// Calls, and parked calls in slots that are no more, stay. A new address needs a restart.
    pub fn reload(&mut self, now: Moment, config: LotConfig) {
        if config.realm != self.config.realm {
            self.gate = Gate::new(&config.realm, self.chance.random()).offering(config.digest);
        } else if config.digest != self.config.digest {
            self.gate.offer(config.digest);
        }
        self.plan = Plan::new(&config);
        self.sound.set_policy(config.secure_media);
        let mut old = std::mem::take(&mut self.lots);
        for parking in &config.lots {
            let known = old.iter().position(|lot| lot.config().name == parking.name);
            let lot = match known {
                Some(at) => {
                    let mut lot = old.remove(at);
                    lot.reload(parking.clone());
                    lot
                }
                None => ParkingLot::new(parking.clone(), self.chance.random()),
            };
            self.lots.push(lot);
        }
        for parking in self.plan.dynamic_lots() {
            if let Some(at) = old.iter().position(|lot| lot.config().name == parking.name) {
                let mut lot = old.remove(at);
                lot.reload(parking.clone());
                self.lots.push(lot);
            }
        }
        // A lot that is no more stays, behind the others, until its last caller has left.
        self.lots.extend(old.into_iter().filter(|lot| lot.calls().next().is_some()));
        self.registrar.retain_users(|user| self.plan.user(user).is_some());
        self.relays.retain_users(|user| self.plan.user(user).is_some());
        self.reload_trunks(now, &config);
        self.config = config;
        self.review_watchers(now);
        self.settle(now);
    }

    /// What is being kept.
    pub fn census(&self) -> LotCensus {
        LotCensus {
            legs: self.legs.len(),
            attempts: self.attempts.len(),
            parked: self.lots.iter().map(|lot| lot.calls().count()).sum(),
            phones: self.registrar.count(),
            watchers: self.presence.count(),
            messages: self.relays.count(),
            agent: self.agent.census(),
        }
    }

    /// Carries out everything that has happened, then tells the watchers.
    fn settle(&mut self, now: Moment) {
        while let Some(event) = self.agent.poll_event() {
            self.handle(now, event);
        }
        self.ring_idle_parkers(now);
        self.tell_watchers(now);
    }

    fn handle(&mut self, now: Moment, event: Event) {
        match event {
            Event::CallReceived { call, from, request } => self.on_invite(now, call, from, &request),
            Event::CallProgress { call, status, sdp, .. } => {
                self.on_progress(now, call, status, sdp.as_deref())
            }
            Event::CallAnswered { call, sdp, .. } => self.on_answered(now, call, sdp.as_deref()),
            Event::CallMoved { call, places, .. } => self.on_moved(call, places),
            Event::CallConfirmed { call } => self.on_confirmed(now, call),
            Event::CallEnded { call, cause } => self.on_ended(now, call, &cause),
            Event::OfferReceived { call, sdp, .. } => self.on_offer(now, call, &sdp),
            Event::OfferAnswered { call, sdp } => self.on_offer_answered(now, call, &sdp),
            Event::OfferFailed { call, .. } => self.on_offer_refused(now, call),
            Event::IdentityChanged { call, headers } => self.on_identity(now, call, &headers),
            Event::InfoReceived { call, content_type, body } => self.on_info(now, call, &content_type, body),
            Event::ReferReceived { call, refer, request, from } => {
                self.on_refer(now, call, refer, &request, from);
            }
            Event::RequestReceived { key, from, request } => match request.method {
                Method::Register => self.on_register(now, key, from, &request),
                Method::Subscribe => self.on_subscribe(now, key, from, &request),
                Method::Message => self.on_message(now, key, from, &request),
                Method::Options => self.agent.answer(now, key, 200, Vec::new(), Vec::new()),
                _ => self.agent.answer(now, key, 405, Vec::new(), Vec::new()),
            },
            Event::RequestAnswered { sent, status, .. } => self.on_relayed(now, sent, status),
            Event::WatcherRefreshed { watcher } => self.on_watcher_refreshed(now, watcher),
            Event::WatcherLeft { watcher } => self.presence.forget(watcher),
            Event::Registered { account, expires_s } => self.on_trunk_registered(now, account, expires_s),
            Event::RegistrationFailed { account, reason, .. } | Event::FlowLost { account, reason } => {
                self.on_trunk_failed(account, reason);
            }
            Event::ServersWanted { account } => self.on_servers_wanted(account),
            Event::NotifiedUnasked { account, body, .. } => {
                self.on_messages_told(Some(account), None, &body);
            }
            Event::Notified { subscription, body, .. } => {
                self.on_messages_told(None, Some(subscription), &body);
            }
            // The lot sends no REFER, and asks nobody whether he is there.
            _ => {}
        }
    }

    fn say(&mut self, notice: Notice) {
        if self.notices.len() >= MAX_NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    /// What `dialled` means; slots that a reload took away count as long as somebody is in them.
    fn destination(&self, dialled: &str) -> Option<Destination> {
        if let Some(Destination::Slot { .. }) | None = self.plan.resolve(dialled)
            && let Some(slot) = crate::parking::SlotId::new(dialled)
            && let Some(lot) = self.lots.iter().position(|lot| lot.has_slot(dialled))
        {
            return Some(Destination::Slot { lot, slot });
        }
        match self.plan.resolve(dialled) {
            Some(destination) => Some(destination.clone()),
            // The park extension of a lot that was made on demand.
            None => self.lot_at(dialled).map(|lot| Destination::Park { lot }),
        }
    }

    /// The options of the lot that has the call with this ticket.
    fn lot_with(&self, ticket: &slots::Ticket) -> Option<usize> {
        self.lots.iter().position(|lot| lot.by_ticket(ticket).is_some())
    }

    fn parking(&self, lot: usize) -> Option<&ParkingConfig> {
        self.lots.get(lot).map(ParkingLot::config)
    }
}

/// What the user agent has to know.
fn ua_config(config: &LotConfig, seed: [u8; 32]) -> UaConfig {
    let listens = [(Transport::Tcp, config.listen_tcp), (Transport::Tls, config.listen_tls)];
    let listens =
        listens.into_iter().filter_map(|(how, at)| Some(Peer::new(how, config.stream_address(at?))));
    let mut ua =
        UaConfig { listens: listens.collect(), ..UaConfig::server(config.contact_address(), PRODUCT, seed) };
    ua.supported.extend([crate::sip::rlmi::OPTION_TAG.to_owned(), "outbound".to_owned(), "path".to_owned()]);
    ua
}

#[cfg(test)]
mod tests;
