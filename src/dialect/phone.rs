//! The phone of one line: one account, one dialect. The desk's effects go in, the desk's events come out. The user
//! agent is all phones' together: [`super::Switchboard`] lends it to whichever has its turn.

use super::Dialect;
use super::calls::Leg;
use super::lamps::Subscribed;
use super::lists::WatchedList;
use super::parking::{Attempt, Wish};
use super::secure::{MediaSecurity, key_source};
use super::staff::Colleague;
use super::team::TeamWire;
use super::told_by_ami::Witness;
use super::watched::Watched;
use crate::desk::{CallId, Effect, Event, Way};
use crate::parking::{Moment, SlotId, Text};
use crate::sip::message::{NameAddr, Uri};
use crate::sip::sdp::{Codec, Direction, LocalMedia, LocalSecurity, Negotiated};
use crate::sip::{self, Account, AccountKey, CallKey, ProbeKey, Seed, SubscriptionKey, UaConfig, UserAgent};
use rand::rngs::StdRng;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The longest number or URI that is dialled.
const MAX_DIALLED: usize = 256;

/// What a line's phone needs to know.
#[derive(Clone, Debug)]
pub struct PhoneConfig {
    /// What SIP says of us: the address that the server can reach.
    pub local: SocketAddr,
    /// Where media is received.
    pub media_address: IpAddr,
    /// The account.
    pub account: Account,
    /// How the server parks, and its lots.
    pub dialect: Dialect,
    /// Codecs in preference.
    pub codecs: Vec<Codec>,
    /// How sound is protected, and whether a TLS server must prove who it is: what TLS is worth on the board.
    pub security: MediaSecurity,
    /// The extensions of the colleagues whose phones are watched.
    pub staff: Vec<String>,
    /// The extensions of the colleagues whose consoles tell us things and are told them.
    pub team: Vec<String>,
    /// Where tags, jitter and keys come from.
    pub seed: Seed,
}

/// A step of the sound path; the app performs it on the media threads.
#[derive(Clone, Debug, PartialEq)]
pub enum SoundStep {
    /// A call uses this port from now on.
    Open {
        /// Which call.
        call: CallId,
        /// A port that was announced with [`super::Switchboard::add_ports`].
        port: u16,
    },
    /// What the two sides agreed on.
    Configure {
        /// Which call.
        call: CallId,
        /// The agreement.
        negotiated: Negotiated,
        /// The host that the call's signalling comes from.
        signalling: Option<IpAddr>,
    },
    /// Send a digit (RFC 4733).
    Digit {
        /// Which call.
        call: CallId,
        /// `0-9 * # A-D`.
        digit: char,
    },
    /// The call is over; its port is given back to its maker.
    Close {
        /// Which call.
        call: CallId,
    },
}

/// What a phone says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// To the desk.
    Desk(Event),
    /// To the sound path.
    Sound(SoundStep),
    /// To whoever looks names up: this line's servers all failed, or were looked up long ago. See
    /// [`super::Switchboard::set_servers`].
    ServersWanted,
}

/// One line's phone.
pub(super) struct Phone {
    pub(super) config: PhoneConfig,
    /// The same as `config.media_address` for servers of the other family of addresses.
    media_address_other: Option<IpAddr>,
    /// The real one while this phone has its turn; between turns one that nobody asks anything.
    pub(super) ua: Box<UserAgent>,
    /// The media ports that are free, lent with it.
    pub(super) ports: VecDeque<u16>,
    pub(super) account: AccountKey,
    pub(super) legs: BTreeMap<CallId, Leg>,
    pub(super) by_key: BTreeMap<CallKey, CallId>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) watched: BTreeMap<SlotId, Watched>,
    pub(super) subscribed: BTreeMap<SubscriptionKey, Subscribed>,
    /// Who is parked, as the server's manager interface tells it.
    pub(super) witness: Witness,
    /// The lists of lamps that are watched.
    pub(super) lists: BTreeMap<SubscriptionKey, WatchedList>,
    /// The colleagues whose phones are watched, by their extensions.
    pub(super) staff: BTreeMap<String, Colleague>,
    pub(super) registered: bool,
    pub(super) said: VecDeque<Said>,
    pub(super) probing: Option<(ProbeKey, Moment)>,
    pub(super) next_probe: Option<Moment>,
    pub(super) reachable: bool,
    /// Whether our REGISTER met with silence, or would: then the first sign of life is worth another.
    pub(super) met_silence: bool,
    pub(super) registered_until: Option<Moment>,
    /// Whether it is known where the server is.
    pub(super) located: bool,
    /// What the desk was last told of the way to the server.
    pub(super) told: Option<(Way, Option<Moment>)>,
    next_session: u64,
    pub(super) keys: StdRng,
    pub(super) team: TeamWire,
    /// Calls that arrived and await an id from the desk.
    arriving: VecDeque<(CallKey, sip::Peer, Box<sip::message::Request>)>,
}

impl Phone {
    /// A phone that has not said anything yet, for an account that `ua` is told of here.
    pub(super) fn new(config: PhoneConfig, ua: &mut UserAgent) -> Self {
        let account = ua.add_account(config.account.clone());
        let idle = UaConfig::new(config.local, PRODUCT, config.seed.clone());
        let user = config.account.aor.uri.user.as_deref().unwrap_or_default();
        let run = format!("{:016x}", config.seed.number(&format!("team of {user}")));
        Self {
            next_session: (config.seed.number("session") >> 16) | 1,
            keys: key_source(&config.seed),
            team: TeamWire::new(&config.team, run),
            config,
            media_address_other: None,
            ua: Box::new(UserAgent::new(idle)),
            ports: VecDeque::new(),
            account,
            legs: BTreeMap::new(),
            by_key: BTreeMap::new(),
            attempts: Vec::new(),
            watched: BTreeMap::new(),
            subscribed: BTreeMap::new(),
            witness: Witness::default(),
            lists: BTreeMap::new(),
            staff: BTreeMap::new(),
            registered: false,
            said: VecDeque::new(),
            probing: None,
            next_probe: None,
            reachable: false,
            met_silence: false,
            registered_until: None,
            located: true,
            told: None,
            arriving: VecDeque::new(),
        }
    }

    /// The user agent that all phones share, as the configuration of the first says.
    pub(super) fn user_agent(config: &PhoneConfig) -> UserAgent {
        let mut ua_config = UaConfig::new(config.local, PRODUCT, config.seed.clone());
        ua_config.ringing_max = crate::desk::MAX_CALLS;
        // A silent server is no reason to end a call whose sound may well go on.
        ua_config.keeps_silent_calls = true;
        UserAgent::new(ua_config)
    }

    /// Registers, and begins to probe. Lamps follow once registered. Nothing is sent before it is known where the server
    /// is.
    pub(super) fn start(&mut self, now: Moment) {
        if self.ua.server_of(self.account).is_none() {
            self.located = false;
            return self.said.push_back(Said::ServersWanted);
        }
        self.located = true;
        self.ua.register(now, self.account);
        self.next_probe = Some(now);
        self.tell_way();
    }

    /// Registers again, as the operator wishes. Where the server is not known yet, it is looked up again.
    fn register(&mut self, now: Moment) {
        if self.located {
            self.ua.register(now, self.account);
            self.next_probe = Some(now);
        } else {
            self.said.push_back(Said::ServersWanted);
        }
    }

    /// The account has servers, or others than before.
    pub(super) fn servers_found(&mut self, now: Moment) {
        if !self.located {
            self.start(now);
        }
        self.tell_way();
    }

    /// Ends registration and subscriptions; calls were ended by the desk's effects.
    pub(super) fn stop(&mut self, now: Moment) {
        for subscription in self.subscribed.keys().copied().collect::<Vec<_>>() {
            self.ua.unsubscribe(now, subscription);
        }
        if self.located {
            self.ua.unregister(now, self.account);
        }
        self.next_probe = None;
    }

    /// Does what is due; the user agent has been woken already.
    pub(super) fn wake(&mut self, now: Moment) {
        self.probe_when_due(now);
        self.decide_attempts(now);
        self.ask_lamps_when_due(now);
        self.doubt_when_due(now);
    }

    /// When [`Phone::wake`] is wanted next.
    pub(super) fn next_wake(&self) -> Option<Moment> {
        let probe = self.probing.as_ref().map(|(_, until)| *until).or(self.next_probe);
        let attempts = self.attempts.iter().map(Attempt::next_wake).min();
        [probe, attempts, self.next_lamp_wake(), self.witness.next_wake()].into_iter().flatten().min()
    }

    /// Whether a call has arrived that awaits its id from the desk.
    pub(super) fn has_arrival(&self) -> bool {
        !self.arriving.is_empty()
    }

    /// Names the oldest arrived call `call` and tells the desk of it.
    pub(super) fn admit(&mut self, now: Moment, call: CallId) {
        if let Some((key, from, request)) = self.arriving.pop_front() {
            self.call_received(now, call, key, from, &request);
        }
    }

    /// Performs one effect of the desk. What isn't the phone's (saving, leaving) is the app's.
    pub(super) fn perform(&mut self, now: Moment, effect: Effect) {
        match effect {
            Effect::Answer(call) => self.answer(now, call),
            Effect::Reject(call) => self.reject(now, call),
            Effect::HangUp(call) => self.hang_up(now, call),
            Effect::Hold(call) => self.set_hold(now, call, true),
            Effect::Resume(call) => self.set_hold(now, call, false),
            Effect::Dial { call, to } => self.dial(now, call, &to),
            Effect::Park { call, lot, slot, note, party } => {
                self.park(now, call, Wish { lot, slot }, &note, &party);
            }
            Effect::Retrieve { call, target } => self.retrieve(now, call, &target),
            Effect::AskLamp(slot) => self.ask_lamp(now, &slot.id),
            Effect::Transfer { call, to } => self.transfer(now, call, &to),
            Effect::Join { call, with } => self.join(now, call, with),
            Effect::Redirect { call, to } => self.redirect(now, call, &to),
            Effect::SendDigit { call, digit } => self.send_digit(now, call, digit),
            Effect::TellNote { slot, key, note } => self.tell_note(now, &slot.id, key.as_ref(), &note),
            Effect::TellTeam { to, news, .. } => self.tell_team(now, to.as_ref(), &news),
            Effect::SendMessage { to, text, .. } => self.send_message(now, to, &text),
            Effect::Page { call, to, .. } => self.page(now, call, &to),
            Effect::Register { .. } => self.register(now),
            Effect::Announce { .. } | Effect::Sound(_) | Effect::SaveMemory | Effect::Leave => {}
        }
    }

    /// Takes in what the user agent says of this line.
    pub(super) fn take_in(&mut self, now: Moment, event: sip::Event) {
        use sip::Event as E;
        match event {
            E::Registered { expires_s, .. } => self.registered(now, expires_s),
            E::RegistrationFailed { server, status, reason, retry_in, .. } => {
                self.registration_failed(now, server, status, &reason, retry_in);
            }
            E::ProbeAnswered { probe, round_trip, .. } => self.probe_answered(now, probe, round_trip),
            E::ProbeLost { probe } => self.probe_lost(now, probe),
            event if self.errand_heard(now, &event) => {}
            E::CallReceived { call, from, request } if self.takes_over(now, call, from, &request) => {}
            E::CallReceived { call, from, request } => self.arriving.push_back((call, from, request)),
            E::CallRedirected { call, to, .. } => self.redirected(call, &to),
            E::CallProgress { call, sdp, .. } => self.progressed(call, sdp),
            E::CallAnswered { call, headers, sdp, .. } => self.answered(now, call, &headers, sdp),
            E::CallConfirmed { call } => self.confirmed(call),
            E::CallEnded { call, cause } => self.ended(now, call, &cause),
            E::OfferReceived { call, sdp, .. } => self.offer_received(now, call, &sdp),
            E::OfferAnswered { call, sdp } => self.offer_answered(now, call, &sdp),
            E::OfferFailed { call, status, reason } => self.offer_failed(now, call, status, &reason),
            E::IdentityChanged { call, headers } => self.identity_changed(now, call, &headers),
            E::ReferAccepted { refer, headers, .. } => self.refer_accepted(now, refer, &headers),
            E::ReferRefused { refer, status, reason, .. } => self.refer_refused(now, refer, status, &reason),
            E::ReferProgress { call, refer, status, ended, .. } => {
                self.refer_progressed(now, call, refer, status, ended);
            }
            E::ReferSent { refer } => self.refer_sent(now, refer),
            E::ReferReceived { call, refer, request, from } => {
                self.refer_received(now, call, refer, &request, from);
            }
            E::Notified { subscription, content_type, body, .. } => {
                self.notified(now, subscription, &content_type, &body);
            }
            E::NotifiedUnasked { account, body, .. } if account == self.account => self.hear_messages(&body),
            E::SubscriptionRefreshed { subscription, .. } => self.subscription_refreshed(subscription),
            E::SubscriptionActive { subscription, .. } => self.subscription_active(subscription),
            E::SubscriptionStale { subscription, since } => self.lamp_stale(now, subscription, since),
            E::SubscriptionRefused { subscription, status, reason } => {
                self.lamp_refused(now, subscription, status, &reason);
            }
            E::RequestReceived { key, from, request } => self.request_received(now, key, from, &request),
            E::InfoReceived { call, content_type, body } => self.info_received(call, &content_type, &body),
            E::ServersWanted { .. } => self.said.push_back(Said::ServersWanted),
            E::MediaAddressWanted { call } => self.tell_new_address(now, call),
            E::FlowLost { reason, .. } => self.say(Event::LineTroubled { reason: Text::new(&reason) }),
            E::RequestAnswered { sent, status, reason, .. } => self.message_answered(sent, status, &reason),
            E::Unregistered { .. }
            | E::NotifiedUnasked { .. }
            | E::WatcherRefreshed { .. }
            | E::WatcherLeft { .. }
            | E::CallMoved { .. }
            | E::Malformed { .. } => {}
        }
    }

    fn registered(&mut self, now: Moment, expires_s: u32) {
        self.met_silence = false;
        self.registered_until = Some(now + Duration::from_secs(expires_s.into()));
        self.say(Event::Registered);
        self.tell_way();
        if !std::mem::replace(&mut self.registered, true) {
            self.watch_slots(now);
            self.watch_staff(now);
            self.watch_messages(now);
        }
    }

    pub(super) fn registration_failed(
        &mut self,
        now: Moment,
        server: sip::Peer,
        status: Option<u16>,
        reason: &str,
        retry: Option<Duration>,
    ) {
        let words = match status {
            // The user agent says in words whose credentials, and why.
            Some(401 | 403 | 404 | 407) => reason.to_owned(),
            Some(status) => format!("the server refused: {reason} ({status})"),
            // Why there is no connection (its certificate, a refusal), or else that nobody answers.
            None => match reason.split_once(": ") {
                Some(("no connection to the server", why)) => why.to_owned(),
                _ => format!("no answer from {}", server.address),
            },
        };
        let retry_at = retry.map(|d| now + d);
        self.met_silence = status.is_none();
        self.registered_until = None;
        self.tell_way();
        self.say(Event::RegistrationFailed { reason: Text::new(&words), retry_at });
    }

    /// Where requests for our phone system go at the moment.
    pub(super) fn server(&self) -> sip::Peer {
        let first = || self.config.account.servers.first().copied();
        self.ua.server_of(self.account).or_else(first).unwrap_or_else(|| self.config.local.into())
    }

    /// A URI at our server; `user` empty for the server itself.
    pub(super) fn uri_of(&self, user: &str) -> Uri {
        let aor = &self.config.account.aor.uri;
        let mut uri = Uri::sip(user, &aor.host);
        uri.port = aor.port;
        if user.is_empty() {
            uri.user = None;
        }
        uri
    }

    /// What the operator typed, as a URI: a number or name at our server, or a whole URI.
    pub(super) fn uri_typed(&self, typed: &str) -> Option<Uri> {
        if typed.len() > MAX_DIALLED || typed.chars().any(char::is_control) {
            return None;
        }
        if typed.starts_with("sip:") || typed.starts_with("sips:") || typed.starts_with("tel:") {
            return Uri::parse(typed);
        }
        if typed.contains('@') {
            return Uri::parse(&format!("sip:{typed}"));
        }
        // Punctuation of written numbers means nothing to a server.
        let number: String = typed.chars().filter(|c| !matches!(c, ' ' | '(' | ')' | '/' | '-')).collect();
        let is_number = number.chars().all(|c| c.is_ascii_digit() || "+*#".contains(c)) && !number.is_empty();
        let user = if is_number { number.as_str() } else { typed.trim() };
        (!user.is_empty() && !user.contains(char::is_whitespace)).then(|| self.uri_of(user))
    }

    /// Ourselves, for Referred-By.
    pub(super) fn ourselves(&self) -> NameAddr {
        NameAddr::new(self.config.account.aor.uri.clone())
    }

    /// A free media port, with a fresh session description around it.
    pub(super) fn take_port(&mut self, peer: sip::Peer, security: LocalSecurity) -> Option<LocalMedia> {
        let port = self.ports.pop_front()?;
        self.next_session += 1;
        Some(self.local_media(peer, port, security))
    }

    /// Our side of the present session with whoever is behind that peer, at that port.
    pub(super) fn local_media(&self, peer: sip::Peer, port: u16, security: LocalSecurity) -> LocalMedia {
        LocalMedia {
            address: self.media_address(peer),
            port,
            codecs: self.config.codecs.clone(),
            redundancy: true,
            direction: Direction::SendRecv,
            session_id: self.next_session,
            version: 1,
            security,
        }
    }

    /// Where sound arrives that is agreed on with that peer: in his family of addresses, if we have one there.
    pub(super) fn media_address(&self, peer: sip::Peer) -> IpAddr {
        let ours = self.config.media_address;
        let other = || self.media_address_other.filter(|other| other.is_ipv4() == peer.address.is_ipv4());
        if ours.is_ipv4() == peer.address.is_ipv4() { ours } else { other().unwrap_or(ours) }
    }

    /// Notes which way a call's signalling goes now: another server may have taken it.
    pub(super) fn readdress(&mut self, call: CallId) {
        let Some(peer) = self.legs.get(&call).and_then(|leg| self.ua.peer_address(leg.key)) else { return };
        let address = self.media_address(peer);
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.signalling = Some(peer);
            leg.local.address = address;
        }
    }

    /// Sound is to arrive at another address of that family from now on. Running calls learn it when the user agent asks
    /// for them.
    pub(super) fn move_to(&mut self, address: IpAddr) {
        if address.is_unspecified() {
            return;
        }
        if address.is_ipv4() == self.config.media_address.is_ipv4() {
            self.config.media_address = address;
        } else {
            self.media_address_other = Some(address);
        }
    }

    pub(super) fn say(&mut self, event: Event) {
        self.said.push_back(Said::Desk(event));
    }

    pub(super) fn say_sound(&mut self, step: SoundStep) {
        self.said.push_back(Said::Sound(step));
    }
}

/// What User-Agent says.
const PRODUCT: &str = concat!("parkdeck/", env!("CARGO_PKG_VERSION"));
