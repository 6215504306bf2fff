//! All lines on one user agent: each line's phone plays its own dialect for its own account, and knows nothing of the
//! others. What the user agent says goes to the phone that it is about.

use super::phone::{Phone, PhoneConfig, Said};
use crate::ami::Fact;
use crate::desk::{CallId, Effect, LineId, LotKey, MAX_LINES};
use crate::parking::{Moment, SlotId};
use crate::sip::{self, Peer, Secured, UserAgent};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// The most media ports that are kept ready.
const MAX_PORTS: usize = 1024;

/// The phones of all lines. Drain [`Switchboard::poll_transmit`], [`Switchboard::poll_close`] and
/// [`Switchboard::poll_said`] after each call that takes `now`.
pub struct Switchboard {
    ua: Box<UserAgent>,
    ports: VecDeque<u16>,
    phones: Vec<Phone>,
    said: VecDeque<(LineId, Said)>,
}

impl Switchboard {
    /// Phones that have not said anything yet, one a line, at most [`MAX_LINES`]. What is the user agent's own (address,
    /// seed) is the first's; `None` without any.
    pub fn new(lines: impl IntoIterator<Item = PhoneConfig>) -> Option<Self> {
        let mut lines = lines.into_iter().take(MAX_LINES);
        let first = lines.next()?;
        let mut ua = Box::new(Phone::user_agent(&first));
        let phones = [first].into_iter().chain(lines).map(|line| Phone::new(line, &mut ua)).collect();
        Some(Self { ua, ports: VecDeque::new(), phones, said: VecDeque::new() })
    }

    fn lines(&self) -> impl Iterator<Item = LineId> + use<> {
        (0..u8::try_from(self.phones.len()).unwrap_or(u8::MAX)).map(LineId)
    }

    /// Gives a phone its turn: for so long it has the user agent and the free ports.
    fn turn(&mut self, line: LineId, deed: impl FnOnce(&mut Phone)) {
        let Some(phone) = self.phones.get_mut(line.index()) else { return };
        std::mem::swap(&mut phone.ua, &mut self.ua);
        std::mem::swap(&mut phone.ports, &mut self.ports);
        deed(phone);
        std::mem::swap(&mut phone.ua, &mut self.ua);
        std::mem::swap(&mut phone.ports, &mut self.ports);
        self.said.extend(phone.said.drain(..).map(|said| (line, said)));
    }

    /// Hands out all that the user agent has to say.
    fn settle(&mut self, now: Moment) {
        while let Some(event) = self.ua.poll_event() {
            let line = self.line_of(&event);
            self.turn(line, |phone| phone.take_in(now, event));
        }
    }

    /// Whom an event is about. What is nobody's (any more) is the first's, which turns it away as any phone would.
    fn line_of(&self, event: &sip::Event) -> LineId {
        let meant = match event {
            sip::Event::CallReceived { from, request, .. }
            | sip::Event::RequestReceived { from, request, .. } => self.line_meant(*from, request),
            event => self.position(|phone| phone.owns(event)),
        };
        meant.unwrap_or_default()
    }

    /// The line whose server sent this, and of several at one server the one that was called.
    fn line_meant(&self, from: Peer, request: &sip::message::Request) -> Option<LineId> {
        let fits = |(line, phone): (LineId, &Phone)| Some((phone.is_meant(&self.ua, from, request)?, line));
        let found = self.lines().zip(&self.phones).filter_map(fits);
        // Of those that fit equally well the first.
        found.max_by_key(|(fit, line)| (*fit, std::cmp::Reverse(*line))).map(|(_, line)| line)
    }

    fn position(&self, is: impl Fn(&Phone) -> bool) -> Option<LineId> {
        self.lines().zip(&self.phones).find(|(_, phone)| is(phone)).map(|(line, _)| line)
    }

    /// Registers all lines, and begins to probe. Lamps follow once registered.
    pub fn start(&mut self, now: Moment) {
        for line in self.lines() {
            self.turn(line, |phone| phone.start(now));
        }
        self.settle(now);
    }

    /// Ends registrations and subscriptions; calls were ended by the desk's effects.
    pub fn stop(&mut self, now: Moment) {
        for line in self.lines() {
            self.turn(line, |phone| phone.stop(now));
        }
        self.settle(now);
    }

    /// From now on calls are parked in that lot by that extension: another than was configured has turned out to be the
    /// server's.
    pub fn park_by(&mut self, key: LotKey, extension: SlotId) {
        let phone = self.phones.get_mut(key.line.index());
        if let Some(lot) = phone.and_then(|phone| phone.config.dialect.lots.get_mut(key.lot.index())) {
            lot.park_extension = Some(extension);
        }
    }

    /// The Call-ID by which the server knows a call, while there is one.
    pub fn sip_call_id(&self, call: CallId) -> Option<&str> {
        let leg = self.phones.iter().find_map(|phone| phone.legs.get(&call))?;
        self.ua.call_id(leg.key)
    }

    /// Media ports that are bound and free.
    pub fn add_ports(&mut self, ports: &[u16]) {
        self.ports.extend(ports);
        self.ports.truncate(MAX_PORTS);
    }

    /// A datagram came.
    pub fn receive(&mut self, now: Moment, from: impl Into<Peer>, bytes: &[u8]) {
        self.ua.receive(now, from, bytes);
        self.settle(now);
    }

    /// A connection brought this.
    pub fn receive_stream(&mut self, now: Moment, from: Peer, bytes: &[u8]) {
        self.ua.receive_stream(now, from, bytes);
        self.settle(now);
    }

    /// The manager interface of a line's server said something of its parking lot.
    pub fn hear_ami(&mut self, now: Moment, line: LineId, fact: Fact) {
        self.turn(line, |phone| phone.hear_ami(now, fact));
        self.settle(now);
    }

    /// A connection is up, whoever opened it.
    pub fn flow_opened(&mut self, now: Moment, peer: Peer, secured: Secured) {
        self.ua.flow_opened(now, peer, secured);
        self.settle(now);
    }

    /// A connection is gone, or could not be opened.
    pub fn flow_closed(&mut self, now: Moment, peer: Peer, reason: &str) {
        self.ua.flow_closed(now, peer, reason);
        self.settle(now);
    }

    /// The network says that nobody takes our datagrams there.
    pub fn datagram_refused(&mut self, now: Moment, to: SocketAddr) {
        self.ua.datagram_refused(now, to);
        self.settle(now);
    }

    /// The servers of a line anew, in order of preference.
    pub fn set_servers(&mut self, now: Moment, line: LineId, servers: Vec<Peer>) {
        if let Some(account) = self.phones.get(line.index()).map(|phone| phone.account) {
            self.ua.set_servers(now, account, servers);
            self.turn(line, |phone| phone.servers_found(now));
            self.settle(now);
        }
    }

    /// We are reached at that address as well, by the family of addresses in which we had none.
    pub fn add_address(&mut self, local: SocketAddr) {
        for phone in &mut self.phones {
            phone.move_to(local.ip());
        }
        self.ua.add_address(local);
    }

    /// We are reached at another address than before, or have just resumed.
    pub fn network_changed(&mut self, now: Moment, local: SocketAddr) {
        for phone in &mut self.phones {
            phone.move_to(local.ip());
        }
        self.ua.network_changed(now, local);
        self.settle(now);
    }

    /// A time that [`Switchboard::next_wake`] named has come.
    pub fn wake(&mut self, now: Moment) {
        self.ua.wake(now);
        for line in self.lines() {
            self.turn(line, |phone| phone.wake(now));
        }
        self.settle(now);
    }

    /// When [`Switchboard::wake`] is wanted next.
    pub fn next_wake(&self) -> Option<Moment> {
        let phones = self.phones.iter().map(Phone::next_wake);
        phones.chain([self.ua.next_wake()]).flatten().min()
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<sip::Transmit> {
        self.ua.poll_transmit()
    }

    /// The next connection to close.
    pub fn poll_close(&mut self) -> Option<Peer> {
        self.ua.poll_close()
    }

    /// The next thing that a phone says, and on which line.
    pub fn poll_said(&mut self) -> Option<(LineId, Said)> {
        self.said.pop_front()
    }

    /// Whether calls arrived: each gets its id from the desk, by [`Switchboard::admit`].
    pub fn has_arrival(&self) -> bool {
        self.phones.iter().any(Phone::has_arrival)
    }

    /// Names the oldest arrived call of a line `call` and tells the desk of it.
    pub fn admit(&mut self, now: Moment, call: CallId) {
        if let Some(line) = self.position(Phone::has_arrival) {
            self.turn(line, |phone| phone.admit(now, call));
            self.settle(now);
        }
    }

    /// Performs one effect of the desk. That of a call is done by the line that has the call, whatever `line` says. What
    /// isn't a phone's (saving, leaving) is the app's.
    pub fn perform(&mut self, now: Moment, line: LineId, effect: Effect) {
        let owner = effect.call().and_then(|call| self.position(|phone| phone.legs.contains_key(&call)));
        self.turn(owner.unwrap_or(line), |phone| phone.perform(now, effect));
        self.settle(now);
    }

    /// The keys of a call's sound come near the end of their lifetime.
    pub fn renew_keys(&mut self, now: Moment, call: CallId) {
        if let Some(line) = self.position(|phone| phone.legs.contains_key(&call)) {
            self.turn(line, |phone| phone.renew_keys(now, call));
            self.settle(now);
        }
    }

    /// How many of everything the user agent keeps (for leak tests).
    pub fn census(&self) -> sip::Census {
        self.ua.census()
    }

    /// The phone of the first line, to look into.
    #[cfg(test)]
    pub(super) fn first(&self) -> &Phone {
        &self.phones[0]
    }

    /// Lets the phone of the first line do something, and whatever follows from it.
    #[cfg(test)]
    pub(super) fn with_first(&mut self, now: Moment, deed: impl FnOnce(&mut Phone)) {
        self.turn(LineId::default(), deed);
        self.settle(now);
    }

    /// How many calls the phones keep, and media ports in use.
    pub fn legs(&self) -> usize {
        self.phones.iter().map(|phone| phone.legs.len()).sum()
    }
}
