//! The user agent: calls, registration, subscriptions, watchers and REFER over one transaction layer.
//! Bytes and time in, bytes and events out; what a call is for, who may do what: the owner decides.

mod account;
mod call;
mod config;
mod credentials;
mod errand;
mod event;
mod flows;
mod inbound;
mod keys;
mod moving;
mod reception;
mod refer;
mod registration;
mod reply;
mod revival;
mod servers;
mod subscription;
#[cfg(test)]
mod tests;
mod wallet;
mod watcher;

pub use account::*;
pub use call::MIN_SESSION_S;
pub use config::*;
pub use event::*;
pub use flows::{MAX_FLOWS, OPENING_PATIENCE, PONG_PATIENCE, Secured, UNUSED_AFTER};
pub use keys::*;
pub use revival::{SavedCall, SavedWatcher};
pub use servers::MAX_SERVERS_OF_ACCOUNT;
pub use wallet::MAX_REALMS;

use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::alarms::Alarms;
use crate::sip::message::{Message, read_datagram};
use crate::sip::transaction::{ClientId, Transactions};
use call::Call;
use credentials::Standing;
use errand::Errand;
use flows::Flows;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use reception::Visit;
use refer::Refer;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use subscription::{Pace, Subscription};
use watcher::Watcher;

/// A SIP user agent, sans-IO. After every call of a method that takes `now`, drain `poll_transmit` and `poll_event`.
pub struct UserAgent {
    config: UaConfig,
    rng: StdRng,
    transactions: Transactions,
    alarms: Alarms<Why>,
    events: VecDeque<Event>,
    accounts: BTreeMap<AccountKey, Standing>,
    errands: BTreeMap<ClientId, Errand>,
    calls: BTreeMap<CallKey, Call>,
    ringing: BTreeSet<CallKey>,
    /// Calls that get 100 as soon as datagrams are asked for, unless the owner has answered or refused them by then.
    untried: BTreeSet<CallKey>,
    /// By Call-ID and our tag.
    dialogs: BTreeMap<(String, String), Usage>,
    refers: BTreeMap<ReferKey, Refer>,
    subscriptions: BTreeMap<SubscriptionKey, Subscription>,
    pace: Pace,
    watchers: BTreeMap<WatcherKey, Watcher>,
    visits: BTreeMap<RequestKey, Visit>,
    malformed: Malformed,
    flows: Flows,
    /// Makes the tags of answers of which nothing is kept.
    tag_key: [u8; 32],
    keys_total: u64,
}

/// What a dialog is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Usage {
    Call(CallKey),
    Refer(ReferKey),
    Subscription(SubscriptionKey),
    Watcher(WatcherKey),
}

/// Why a timer of the agent goes off.
#[derive(Clone, Copy, Debug)]
enum Why {
    /// Our 2xx has no ACK yet: send it again.
    AcceptRepeats(CallKey),
    /// Our 2xx has had no ACK for 64·T1.
    AcceptLapses(CallKey),
    /// The owner has not answered an offer.
    OfferLapses(CallKey),
    /// A reliable provisional response has no PRACK yet: send it again.
    ReliableRepeats(CallKey),
    /// It has had none for 64·T1.
    ReliableLapses(CallKey),
    /// The session is to be refreshed.
    SessionRefreshDue(CallKey),
    /// Nobody has refreshed the session.
    SessionEnds(CallKey),
    /// A ringing response is due again (RFC 3261 13.3.1.1).
    RingingRepeats(CallKey),
    /// Our CANCEL brought no final response.
    CancelLapses(CallKey),
    /// The back-off after 491 is over (RFC 3261 14.1).
    GlareEnds(CallKey),
    /// The owner has not answered a request.
    VisitLapses(RequestKey),
    /// The owner has not answered a REFER, or its subscription is over.
    ReferLapses(ReferKey),
    /// A REGISTER is due.
    RegisterDue(AccountKey),
    /// A SUBSCRIBE is due.
    SubscribeDue(SubscriptionKey),
    /// The server has not refreshed a subscription in time.
    SubscriptionLapses(SubscriptionKey),
    /// The next SUBSCRIBEs may go.
    PaceAllows,
    /// A watcher's time is over.
    WatcherLapses(WatcherKey),
    /// A NOTIFY that a watcher could not take is tried again.
    NotifyDue(WatcherKey),
}

/// How often garbage is told of.
#[derive(Clone, Copy, Debug, Default)]
struct Malformed {
    total: u64,
    window_began: Moment,
    told: u32,
}

impl UserAgent {
    /// An agent that knows nobody yet.
    pub fn new(config: UaConfig) -> Self {
        let mut rng = StdRng::from_seed(config.seed.bits());
        Self {
            tag_key: rng.random(),
            rng,
            config,
            transactions: Transactions::new(),
            alarms: Alarms::new(),
            events: VecDeque::new(),
            accounts: BTreeMap::new(),
            errands: BTreeMap::new(),
            calls: BTreeMap::new(),
            ringing: BTreeSet::new(),
            untried: BTreeSet::new(),
            dialogs: BTreeMap::new(),
            refers: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            pace: Pace::default(),
            watchers: BTreeMap::new(),
            visits: BTreeMap::new(),
            malformed: Malformed::default(),
            flows: Flows::default(),
            keys_total: 0,
        }
    }

    /// What it was told when it was made.
    pub fn config(&self) -> &UaConfig {
        &self.config
    }

    /// Takes one datagram. While [`MAX_EVENTS`] events wait it is dropped unread.
    pub fn receive(&mut self, now: Moment, from: impl Into<Peer>, bytes: &[u8]) {
        let from = from.into();
        // Line ends and zeros keep a NAT binding open; they are no message.
        let keep_alive = bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | b' ' | 0));
        if keep_alive || self.events.len() >= MAX_EVENTS {
            return;
        }
        self.receive_message(now, from, bytes);
        self.take_news(now);
    }

    /// One message, from a datagram or cut from a stream.
    fn receive_message(&mut self, now: Moment, from: Peer, bytes: &[u8]) {
        match read_datagram(bytes) {
            Ok(Message::Request(request)) => self.receive_request(now, from, request),
            Ok(Message::Response(response)) if self.is_inherited(from, &response) => {}
            Ok(Message::Response(response)) => self.transactions.receive_response(now, from, response),
            Err(refusal) => {
                if let Some(answer) = refusal.request_head {
                    self.answer_unreadable(from, *answer);
                }
                self.tell_malformed(now, from, refusal.reason.to_owned());
            }
        }
    }

    /// Does what is due at `now`.
    pub fn wake(&mut self, now: Moment) {
        self.transactions.wake(now);
        self.take_news(now);
        while let Some(why) = self.alarms.pop_due(now) {
            self.go_off(now, why);
            self.take_news(now);
        }
        self.wake_flows(now);
    }

    /// When `wake` is to be called next: at once, if something has failed that its caller is still to be told of.
    pub fn next_wake(&self) -> Option<Moment> {
        let at_once = self.transactions.has_news().then_some(Moment::ZERO);
        let timers = [self.transactions.next_wake(), self.alarms.next(), self.flows.next_wake()];
        timers.into_iter().chain([at_once]).flatten().min()
    }

    /// The next message to send; see [`Self::poll_close`] for the order of the two. Keys of encrypted sound leave over TLS
    /// only: anything else that carries them is thrown away unsent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.send_trying();
        // Whatever went wrong before: a route that changed, a server that was exchanged for another.
        loop {
            let transmit = self.next_transmit()?;
            if transmit.to.transport == super::Transport::Tls || !super::sdp::carries_keys(&transmit.bytes) {
                return Some(transmit);
            }
        }
    }

    /// The next event, in the order in which things happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether nothing is left over: no transaction, dialog, or request of anybody's.
    pub fn is_idle(&self) -> bool {
        let registering = self.accounts.values().filter(|a| a.registration.has_alarm()).count();
        Census { alarms: registering, flows: self.flows.len(), ..Census::default() } == self.census()
    }

    /// How many of everything it keeps.
    pub fn census(&self) -> Census {
        let (client_transactions, server_transactions) = self.transactions.counts();
        Census {
            client_transactions,
            server_transactions,
            calls: self.calls.len(),
            dialogs: self.dialogs.len(),
            subscriptions: self.subscriptions.len(),
            watchers: self.watchers.len(),
            refers: self.refers.len(),
            requests: self.visits.len(),
            errands: self.errands.len(),
            alarms: self.alarms.len() + self.transactions.alarms_set(),
            flows: self.flows.len(),
        }
    }

    /// How many datagrams were no SIP message.
    pub fn malformed_total(&self) -> u64 {
        self.malformed.total
    }

    fn go_off(&mut self, now: Moment, why: Why) {
        match why {
            Why::AcceptRepeats(call) => self.repeat_accept(now, call),
            Why::AcceptLapses(call) => self.lapse_accept(now, call),
            Why::OfferLapses(call) => self.lapse_offer(now, call),
            Why::ReliableRepeats(call) => self.repeat_reliable(now, call),
            Why::ReliableLapses(call) => self.lapse_reliable(now, call),
            Why::SessionRefreshDue(call) => self.refresh_session(now, call),
            Why::SessionEnds(call) => self.end_session(now, call),
            Why::RingingRepeats(call) => self.repeat_ringing(now, call),
            Why::CancelLapses(call) => self.lapse_cancel(now, call),
            Why::GlareEnds(call) => self.end_glare(now, call),
            Why::VisitLapses(key) => self.lapse_visit(now, key),
            Why::ReferLapses(key) => self.lapse_refer(now, key),
            Why::RegisterDue(account) => self.send_register(now, account),
            Why::SubscribeDue(key) => self.queue_subscribe(now, key),
            Why::SubscriptionLapses(key) => self.lapse_subscription(now, key),
            Why::PaceAllows => self.run_pace(now),
            Why::WatcherLapses(key) => self.lapse_watcher(now, key),
            Why::NotifyDue(key) => self.renotify(now, key),
        }
    }

    fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    fn tell_malformed(&mut self, now: Moment, from: Peer, reason: String) {
        self.malformed.total += 1;
        if now >= self.malformed.window_began + MALFORMED_WINDOW {
            self.malformed.window_began = now;
            self.malformed.told = 0;
        }
        if self.malformed.told < MAX_MALFORMED_EVENTS {
            self.malformed.told += 1;
            self.tell(Event::Malformed { from, reason });
        }
    }

    fn next_key(&mut self) -> u64 {
        self.keys_total += 1;
        self.keys_total
    }

    /// 64 unguessable bits for a tag or branch.
    fn token(&mut self) -> String {
        token_of(&mut self.rng)
    }

    /// 128 unguessable bits for a Call-ID.
    fn long_token(&mut self) -> String {
        format!("{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64())
    }

    /// A duration between `low` and `high`.
    fn jitter(&mut self, low: Duration, high: Duration) -> Duration {
        let (low, high) = (low.as_millis() as u64, high.as_millis() as u64);
        Duration::from_millis(self.rng.random_range(low..=high.max(low)))
    }

    /// How long to wait after so many failures in a row: doubling from one second, half of it jitter, at most `most`.
    fn back_off(&mut self, failures: u32, most: Duration) -> Duration {
        let full = Duration::from_secs(1 << failures.clamp(1, 12)).min(most);
        self.jitter(full / 2, full)
    }
}

fn token_of(rng: &mut StdRng) -> String {
    format!("{:016x}", rng.next_u64())
}
