//! Connections as the agent sees them (RFC 3261 18, RFC 5626): what they bring, whether their far end still answers, and
//! which of them are worth keeping. The owner opens and closes them.
//!
//! One that we opened is kept while an account, a dialog or a transaction needs it, and gets a ping every two minutes.
//! One that was opened to us must show within [`UNUSED_AFTER`] what it is for: a granted registration, a dialog, an
//! answer that is awaited; talking alone is not enough, else anybody could hold thousands open.

use super::{Event, MAX_EVENTS, MAX_TRANSMITS, UserAgent};
use crate::sip::alarms::{Alarm, Alarms};
use crate::sip::framing::{Frame, Framer};
use crate::sip::transaction::timers;
use crate::sip::{AccountKey, Moment, Peer, Transmit, Transport};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// How many connections an agent looks after; one more is closed at once, or not opened.
pub const MAX_FLOWS: usize = 16_384;
/// How long a connection may take to open.
pub const OPENING_PATIENCE: Duration = Duration::from_secs(10);
/// The same for one that is only wanted because a request is too long for a datagram: many who take datagrams take no
/// connection, and some of their firewalls don't even say so.
const GROWN_PATIENCE: Duration = Duration::from_secs(3);
/// How long a connection may be of no use; how often that is looked at.
pub const UNUSED_AFTER: Duration = Duration::from_secs(25);
/// How long the answer to our ping may take (RFC 5626 4.4.1).
pub const PONG_PATIENCE: Duration = Duration::from_secs(10);
/// Between two pings on a connection, when the server names no time (RFC 5626 4.4.1).
const PING_EVERY: (Duration, Duration) = (Duration::from_secs(95), Duration::from_secs(120));
/// Between two datagrams that keep a NAT binding open (RFC 5626 4.4.2).
const BINDING_EVERY: (Duration, Duration) = (Duration::from_secs(24), Duration::from_secs(29));
/// The shortest Flow-Timer that is heeded, in seconds.
const FLOW_TIMER_MIN_S: u64 = 20;
/// For so long a host that refused a connection is not asked for another only because a request is long.
const TCP_REFUSED_FOR: Duration = Duration::from_secs(600);
/// How many such hosts are remembered.
const MAX_REFUSED: usize = 256;
/// What a ping is, and what answers it.
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// Whether a connection is encrypted and its far end proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secured {
    /// Plain TCP.
    No,
    /// TLS.
    Tls,
}

/// One connection.
#[derive(Debug)]
struct Flow {
    framer: Framer,
    /// Whether we opened it, or want it opened.
    ours: bool,
    /// False while it is being opened.
    open: bool,
    last_heard: Moment,
    /// When it was last of use: opened, or brought a request whose sender has proven himself.
    last_useful: Moment,
    /// Until when a registration that we granted holds that came by it.
    registered_until: Moment,
    /// Whether its far end answers pings: it promised, or has done so.
    pongs: bool,
    /// Between two pings.
    ping_every: (Duration, Duration),
    ping: Option<Alarm>,
    pong: Option<Alarm>,
    /// Until it must be open, then until somebody looks whether it is still of use.
    check: Option<Alarm>,
}

/// Why a timer of the connections goes off.
#[derive(Clone, Copy, Debug)]
enum Why {
    Check(Peer),
    PingDue(Peer),
    PongLapses(Peer),
    BindingFades(AccountKey),
}

/// All connections of one agent.
#[derive(Debug)]
pub(super) struct Flows {
    held: BTreeMap<Peer, Flow>,
    /// To be closed, each after so many messages have been taken away.
    closing: VecDeque<(Peer, u64)>,
    /// Messages for a connection that is to be closed before they may go.
    waiting: VecDeque<Transmit>,
    taken_total: u64,
    alarms: Alarms<Why>,
    bindings: BTreeMap<AccountKey, Option<Alarm>>,
    tcp_refused: BTreeMap<SocketAddr, Moment>,
    /// Servers that have answered a ping.
    pongers: BTreeMap<Peer, ()>,
}

impl Default for Flows {
    fn default() -> Self {
        Self {
            held: BTreeMap::new(),
            closing: VecDeque::new(),
            waiting: VecDeque::new(),
            taken_total: 0,
            alarms: Alarms::new(),
            bindings: BTreeMap::new(),
            tcp_refused: BTreeMap::new(),
            pongers: BTreeMap::new(),
        }
    }
}

impl Flows {
    pub(super) fn next_wake(&self) -> Option<Moment> {
        self.alarms.next()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there is such a connection, even if it is to be closed.
    pub(super) fn knows(&self, peer: Peer) -> bool {
        self.held.contains_key(&peer) || self.closing.iter().any(|(closing, _)| *closing == peer)
    }

    /// A REGISTER that came by this connection was granted for so long.
    pub(super) fn note_registration(&mut self, now: Moment, peer: Peer, expires_s: u32) {
        if let Some(flow) = self.held.get_mut(&peer) {
            flow.registered_until = now + Duration::from_secs(u64::from(expires_s));
            flow.last_useful = now;
        }
    }

    /// Somebody who has proven himself spoke on this connection.
    pub(super) fn note_use(&mut self, now: Moment, peer: Peer) {
        if let Some(flow) = self.held.get_mut(&peer) {
            flow.last_useful = now;
        }
    }

    /// The server has said how it keeps connections (RFC 5626 4.4.1): pings are answered, and wanted so often.
    pub(super) fn note_promise(&mut self, peer: Peer, flow_timer_s: Option<u64>) {
        let Some(flow) = self.held.get_mut(&peer) else { return };
        flow.pongs = true;
        if let Some(timer_s) = flow_timer_s {
            let whole = Duration::from_secs(timer_s.clamp(FLOW_TIMER_MIN_S, 3_600));
            flow.ping_every = (whole * 4 / 5, whole);
        }
    }

    /// A connection was refused that was only wanted because a request is long.
    pub(super) fn note_refused(&mut self, now: Moment, address: SocketAddr) {
        if self.tcp_refused.len() >= MAX_REFUSED {
            self.tcp_refused.pop_first();
        }
        self.tcp_refused.insert(address, now + TCP_REFUSED_FOR);
    }

    pub(super) fn takes_tcp(&self, now: Moment, address: SocketAddr) -> bool {
        self.tcp_refused.get(&address).is_none_or(|until| *until <= now)
    }

    fn remove(&mut self, peer: Peer) -> Option<Flow> {
        let mut flow = self.held.remove(&peer)?;
        for slot in [&mut flow.ping, &mut flow.pong, &mut flow.check] {
            self.alarms.cancel(slot);
        }
        Some(flow)
    }

    /// Asks for a connection, unless there is one. An error says why it can't be had.
    pub(super) fn want(
        &mut self,
        now: Moment,
        peer: Peer,
        grown: bool,
        opens: bool,
    ) -> Result<(), &'static str> {
        if !peer.transport.is_reliable() {
            return Ok(());
        }
        if self.held.contains_key(&peer) {
            return Ok(());
        }
        if !opens {
            return Err("the connection is closed");
        }
        if self.held.len() >= MAX_FLOWS {
            return Err("too many connections");
        }
        let mut flow = Flow::new(now, true);
        let patience = if grown { GROWN_PATIENCE } else { OPENING_PATIENCE };
        flow.check = Some(self.alarms.set(now + patience, Why::Check(peer)));
        self.held.insert(peer, flow);
        Ok(())
    }

    /// Whether that message must wait until the old connection to its peer is closed.
    fn holds_back(&self, to: Peer) -> bool {
        self.closing.iter().any(|(peer, after)| *peer == to && self.taken_total >= *after)
    }
}

impl Flow {
    fn new(now: Moment, ours: bool) -> Self {
        Self {
            framer: Framer::new(),
            ours,
            open: !ours,
            last_heard: now,
            last_useful: now,
            registered_until: Moment::ZERO,
            pongs: false,
            ping_every: PING_EVERY,
            ping: None,
            pong: None,
            check: None,
        }
    }
}

impl UserAgent {
    /// A connection is up, whoever opened it.
    pub fn flow_opened(&mut self, now: Moment, peer: Peer, secured: Secured) {
        let fits = match peer.transport {
            Transport::Udp => return,
            Transport::Tcp => secured == Secured::No,
            Transport::Tls => secured == Secured::Tls,
        };
        let known = self.flows.held.contains_key(&peer);
        if !fits || (!known && self.flows.held.len() >= MAX_FLOWS) {
            return self.close_flow(now, peer, "not wanted");
        }
        let pongs = self.flows.pongers.contains_key(&peer);
        let flow = self.flows.held.entry(peer).or_insert_with(|| Flow::new(now, false));
        flow.open = true;
        flow.framer = Framer::new();
        flow.pongs = pongs;
        (flow.last_heard, flow.last_useful) = (now, now);
        self.flows.alarms.reset(&mut flow.check, now + UNUSED_AFTER, Why::Check(peer));
        if flow.ours {
            self.schedule_ping(now, peer);
        }
    }

    /// Takes what a connection brought, sliced in any way.
    pub fn receive_stream(&mut self, now: Moment, from: Peer, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            let Some(flow) = self.flows.held.get_mut(&from).filter(|flow| flow.open) else { return };
            flow.last_heard = now;
            let taken = flow.framer.push(rest);
            rest = rest.get(taken..).unwrap_or_default();
            match flow.framer.next_frame() {
                Some(frame) => self.take_frame(now, from, frame),
                None if rest.is_empty() || taken == 0 => return,
                None => {}
            }
            self.take_news(now);
        }
    }

    fn take_frame(&mut self, now: Moment, from: Peer, frame: Frame) {
        match frame {
            // Nobody takes the events away: on a stream nothing may be left out, so it ends.
            Frame::Message(_) if self.events.len() >= MAX_EVENTS => {
                self.close_flow(now, from, "too much to do")
            }
            Frame::Message(bytes) => self.receive_message(now, from, &bytes),
            Frame::Pong => self.take_pong(from),
            Frame::Ping => {
                let ours = self.flows.held.get(&from).is_some_and(|flow| flow.ours);
                // Two answers in a row look like a ping; only whoever accepted the connection answers one.
                if ours { self.take_pong(from) } else { self.transactions.transmit(from, PONG.to_vec()) }
            }
            Frame::Fatal(refusal) => {
                if let Some(answer) = refusal.request_head {
                    self.answer_unreadable(from, *answer);
                }
                self.tell_malformed(now, from, refusal.reason.to_owned());
                self.close_flow(now, from, refusal.reason);
            }
        }
    }

    fn take_pong(&mut self, from: Peer) {
        let Some(flow) = self.flows.held.get_mut(&from).filter(|flow| flow.ours) else { return };
        flow.pongs = true;
        self.flows.alarms.cancel(&mut flow.pong);
        if self.flows.pongers.len() >= MAX_REFUSED {
            self.flows.pongers.pop_first();
        }
        self.flows.pongers.insert(from, ());
    }

    /// A connection is gone, or could not be opened; `reason` says why, in words for people. Not to be told of one that
    /// [`UserAgent::poll_close`] asked to close.
    pub fn flow_closed(&mut self, now: Moment, peer: Peer, reason: &str) {
        if let Some(flow) = self.flows.remove(peer) {
            self.lose_flow(now, peer, flow.open, reason);
            self.take_news(now);
        }
    }

    /// The next connection that is to be closed. What was to be sent on it before has been given out before; what comes
    /// after it is for a new one. So drain `poll_transmit` and this one in turn until both have nothing.
    pub fn poll_close(&mut self) -> Option<Peer> {
        let (peer, _) = self.flows.closing.pop_front()?;
        Some(peer)
    }

    /// The next message to send, but none that is for a connection which must be closed first.
    pub(super) fn next_transmit(&mut self) -> Option<Transmit> {
        let free = self.flows.waiting.iter().position(|transmit| !self.flows.holds_back(transmit.to));
        if let Some(transmit) = free.and_then(|at| self.flows.waiting.remove(at)) {
            return Some(transmit);
        }
        loop {
            let transmit = self.transactions.poll_transmit()?;
            let stream = transmit.to.transport.is_reliable();
            let held_back = stream && self.flows.holds_back(transmit.to);
            self.flows.taken_total += 1;
            if held_back {
                if self.flows.waiting.len() < MAX_TRANSMITS {
                    self.flows.waiting.push_back(transmit);
                }
                continue;
            }
            // For a connection that is gone, and that is not ours to open again.
            if stream && !self.opens_to(transmit.to) && !self.flows.knows(transmit.to) {
                continue;
            }
            return Some(transmit);
        }
    }

    /// Ends a connection: what hung on it learns so at once.
    pub(super) fn close_flow(&mut self, now: Moment, peer: Peer, reason: &str) {
        let open = self.flows.remove(peer).is_some_and(|flow| flow.open);
        let after = self.flows.taken_total + self.transactions.transmits_waiting() as u64;
        self.flows.closing.push_back((peer, after));
        self.lose_flow(now, peer, open, reason);
    }

    fn lose_flow(&mut self, now: Moment, peer: Peer, was_open: bool, reason: &str) {
        let opens = self.opens_to(peer);
        self.transactions.lose_flow(peer, was_open, reason, opens);
        if was_open {
            self.lose_registrations(now, peer, reason);
        }
    }

    /// A request on that connection met with silence, while nothing else came: it only looks open.
    pub(super) fn doubt_flow(&mut self, now: Moment, peer: Peer) {
        let silent = |flow: &Flow| flow.ours && now >= flow.last_heard + timers::LIMIT;
        if self.flows.held.get(&peer).is_some_and(silent) {
            self.close_flow(now, peer, "nothing came back on the connection");
        }
    }

    /// Closes what we opened, after a change of our address: none of it can be trusted.
    pub(super) fn close_own_flows(&mut self, now: Moment, reason: &str) {
        let own = self.flows.held.iter().filter(|(_, flow)| flow.ours).map(|(peer, _)| *peer);
        for peer in own.collect::<Vec<_>>() {
            self.close_flow(now, peer, reason);
        }
    }

    /// Does what is due for the connections.
    pub(super) fn wake_flows(&mut self, now: Moment) {
        while let Some(why) = self.flows.alarms.pop_due(now) {
            match why {
                Why::Check(peer) => self.check_flow(now, peer),
                Why::PingDue(peer) => self.ping(now, peer),
                Why::PongLapses(peer) => {
                    self.close_flow(now, peer, "the server no longer answers on the connection")
                }
                Why::BindingFades(account) => self.keep_binding(now, account),
            }
            self.take_news(now);
        }
    }

    fn check_flow(&mut self, now: Moment, peer: Peer) {
        let Some(flow) = self.flows.held.get_mut(&peer) else { return };
        flow.check = None;
        if !flow.open {
            return self.close_flow(now, peer, "no connection in time");
        }
        if self.is_useful(now, peer) {
            if let Some(flow) = self.flows.held.get_mut(&peer) {
                flow.check = Some(self.flows.alarms.set(now + UNUSED_AFTER, Why::Check(peer)));
            }
        } else {
            self.close_flow(now, peer, "of no use");
        }
    }

    fn is_useful(&self, now: Moment, peer: Peer) -> bool {
        let Some(flow) = self.flows.held.get(&peer) else { return false };
        let recent = flow.registered_until > now || now < flow.last_useful + UNUSED_AFTER;
        recent
            || (flow.ours && self.accounts.values().any(|standing| standing.is_held_by(peer)))
            || self.transactions.has_use_for(peer)
            || self.calls.values().any(|call| call.dialog.peer == peer)
            || self.watchers.values().any(|watcher| watcher.dialog.peer == peer)
            || self.subscriptions.values().any(|subscription| subscription.dialog.peer == peer)
    }

    fn schedule_ping(&mut self, now: Moment, peer: Peer) {
        let Some((least, most)) = self.flows.held.get(&peer).map(|flow| flow.ping_every) else { return };
        let wait = self.jitter(least, most);
        if let Some(flow) = self.flows.held.get_mut(&peer) {
            self.flows.alarms.reset(&mut flow.ping, now + wait, Why::PingDue(peer));
        }
    }

    /// Not every server answers pings, so that silence only counts where one has done so or said so.
    fn ping(&mut self, now: Moment, peer: Peer) {
        self.transactions.transmit(peer, PING.to_vec());
        let Some(flow) = self.flows.held.get_mut(&peer) else { return };
        if flow.pongs && flow.pong.is_none() {
            flow.pong = Some(self.flows.alarms.set(now + PONG_PATIENCE, Why::PongLapses(peer)));
        }
        self.schedule_ping(now, peer);
    }

    /// From now on a NAT in front of us is kept open towards the server, or no longer.
    pub(super) fn watch_binding(&mut self, now: Moment, account: AccountKey, behind_nat: bool) {
        let wait = self.jitter(BINDING_EVERY.0, BINDING_EVERY.1);
        let slot = self.flows.bindings.entry(account).or_default();
        self.flows.alarms.cancel(slot);
        if behind_nat {
            *slot = Some(self.flows.alarms.set(now + wait, Why::BindingFades(account)));
        } else {
            self.flows.bindings.remove(&account);
        }
    }

    fn keep_binding(&mut self, now: Moment, account: AccountKey) {
        if let Some(server) = self.registered_at(account) {
            self.transactions.transmit(server, PING.to_vec());
            self.watch_binding(now, account, true);
        } else {
            self.flows.bindings.remove(&account);
        }
    }

    pub(super) fn tell_flow_lost(&mut self, account: AccountKey, reason: &str) {
        self.tell(Event::FlowLost { account, reason: reason.to_owned() });
        // What comes by it comes no more: no lamp of the account is to be believed until it is told again.
        self.doubt_subscriptions(account);
    }
}
