//! A network in virtual time: datagrams that get lost, and connections that are refused, accepted late, cut, silenced and
//! sliced. Agents at its ends, a NAT before some of them.

use super::super::*;
use crate::sip::Transport;
use crate::sip::framing::{Frame, Framer};
use crate::sip::message::{Message, Method, Request, Response};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

pub type Script = Box<dyn FnMut(&mut UserAgent, Moment, &Event)>;

/// An agent by the address that it has of itself.
pub fn host(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 5060))
}

pub fn udp(number: u8) -> Peer {
    Peer::udp(host(number))
}

pub fn tcp(number: u8) -> Peer {
    Peer::new(Transport::Tcp, host(number))
}

pub fn tls(number: u8) -> Peer {
    Peer::new(Transport::Tls, SocketAddr::from(([10, 0, 0, number], 5061)))
}

/// A connection between two agents: who opened it and how he is seen, who accepted it and how he is named.
pub struct Line {
    pub client: SocketAddr,
    pub client_seen: Peer,
    pub server: SocketAddr,
    pub server_named: Peer,
    pub open: bool,
    /// Whether bytes vanish on it although both think that it stands.
    pub silent: bool,
}

enum Flight {
    Datagram { from: Peer, to: SocketAddr, bytes: Vec<u8> },
    Opened { line: usize },
    Refused { who: SocketAddr, peer: Peer },
    Bytes { line: usize, to_server: bool, bytes: Vec<u8> },
    Closed { line: usize, to_server: bool, reason: &'static str },
}

pub struct Net {
    pub now: Moment,
    pub loss: f64,
    pub accept_delay: Duration,
    /// Where nobody listens.
    pub refused: BTreeSet<Peer>,
    /// Where nobody answers at all.
    pub dead: BTreeSet<SocketAddr>,
    /// The public address of an agent behind a NAT.
    pub nat: BTreeMap<SocketAddr, SocketAddr>,
    pub agents: BTreeMap<SocketAddr, UserAgent>,
    pub scripts: BTreeMap<SocketAddr, Script>,
    pub events: Vec<(Moment, SocketAddr, Event)>,
    /// What was sent: by whom, to where.
    pub sent: Vec<(Moment, SocketAddr, Peer, Vec<u8>)>,
    pub lines: Vec<Line>,
    pub connects: Vec<(Moment, SocketAddr, Peer)>,
    flying: BTreeMap<(Moment, u64), Flight>,
    rng: StdRng,
    count: u64,
    next_port: u16,
}

impl Net {
    pub fn new(seed: u64) -> Self {
        Self {
            now: Duration::from_secs(1000),
            loss: 0.0,
            accept_delay: Duration::from_millis(2),
            refused: BTreeSet::new(),
            dead: BTreeSet::new(),
            nat: BTreeMap::new(),
            agents: BTreeMap::new(),
            scripts: BTreeMap::new(),
            events: Vec::new(),
            sent: Vec::new(),
            lines: Vec::new(),
            connects: Vec::new(),
            flying: BTreeMap::new(),
            rng: StdRng::seed_from_u64(seed),
            count: 0,
            next_port: 40_000,
        }
    }

    pub fn add_phone(&mut self, number: u8) -> SocketAddr {
        let seed = self.rng.next_u64();
        self.agents.insert(host(number), UserAgent::new(UaConfig::new(host(number), "phone", seed)));
        host(number)
    }

    pub fn add_server(&mut self, number: u8) -> SocketAddr {
        let seed = self.rng.next_u64();
        // Follows a Contact that moves, as most phone systems do.
        let config = UaConfig { bound_to_peer: false, ..UaConfig::server(host(number), "server", seed) };
        self.agents.insert(host(number), UserAgent::new(config));
        host(number)
    }

    pub fn script(&mut self, who: SocketAddr, script: impl FnMut(&mut UserAgent, Moment, &Event) + 'static) {
        self.scripts.insert(who, Box::new(script));
    }

    pub fn with<T>(&mut self, who: SocketAddr, deed: impl FnOnce(&mut UserAgent, Moment) -> T) -> T {
        let now = self.now;
        let result = deed(self.agents.get_mut(&who).unwrap(), now);
        self.drain(who);
        result
    }

    fn drain(&mut self, who: SocketAddr) {
        loop {
            let agent = self.agents.get_mut(&who).unwrap();
            if let Some(transmit) = agent.poll_transmit() {
                self.send(who, transmit);
            } else if let Some(peer) = agent.poll_close() {
                self.close(who, peer);
            } else if let Some(event) = agent.poll_event() {
                if let Some(script) = self.scripts.get_mut(&who) {
                    script(self.agents.get_mut(&who).unwrap(), self.now, &event);
                }
                self.events.push((self.now, who, event));
            } else {
                return;
            }
        }
    }

    fn fly(&mut self, wait: Duration, flight: Flight) {
        self.count += 1;
        self.flying.insert((self.now + wait, self.count), flight);
    }

    fn send(&mut self, who: SocketAddr, transmit: Transmit) {
        self.sent.push((self.now, who, transmit.to, transmit.bytes.clone()));
        if transmit.to.transport == Transport::Udp {
            let from = Peer::udp(self.nat.get(&who).copied().unwrap_or(who));
            let behind =
                self.nat.iter().find(|(_, public)| **public == transmit.to.address).map(|(own, _)| *own);
            let to = behind.unwrap_or(transmit.to.address);
            if self.refused.contains(&transmit.to) {
                self.fly(Duration::from_millis(1), Flight::Refused { who, peer: transmit.to });
            } else if !self.rng.random_bool(self.loss) {
                self.fly(Duration::from_millis(1), Flight::Datagram { from, to, bytes: transmit.bytes });
            }
            return;
        }
        let line = self.line_of(who, transmit.to).or_else(|| self.connect(who, transmit.to));
        let Some(line) = line else { return };
        let to_server = self.lines[line].client == who && self.lines[line].server_named == transmit.to;
        // Bytes that were given before the connection is open wait for it; each slice flies on its own, in order.
        let mut rest = &transmit.bytes[..];
        let wait = if self.lines[line].open { Duration::ZERO } else { self.accept_delay };
        while !rest.is_empty() {
            let (slice, left) = rest.split_at(self.rng.random_range(1..=rest.len()));
            rest = left;
            self.fly(
                wait + Duration::from_millis(1),
                Flight::Bytes { line, to_server, bytes: slice.to_vec() },
            );
        }
    }

    /// The connection that an agent knows by that name.
    fn line_of(&self, who: SocketAddr, peer: Peer) -> Option<usize> {
        self.lines.iter().position(|line| {
            (line.client == who && line.server_named == peer)
                || (line.server == who && line.client_seen == peer)
        })
    }

    fn connect(&mut self, who: SocketAddr, peer: Peer) -> Option<usize> {
        self.connects.push((self.now, who, peer));
        if self.dead.contains(&peer.address) {
            return None;
        }
        let listens = [5060, 5061].contains(&peer.port());
        let server = SocketAddr::new(peer.ip(), 5060);
        if self.refused.contains(&peer) || !listens || !self.agents.contains_key(&server) {
            self.fly(Duration::from_millis(2), Flight::Refused { who, peer });
            return None;
        }
        self.next_port += 1;
        let ip = self.nat.get(&who).map_or(who.ip(), SocketAddr::ip);
        let client_seen = Peer::new(peer.transport, SocketAddr::new(ip, self.next_port));
        let line = Line { client: who, client_seen, server, server_named: peer, open: false, silent: false };
        self.lines.push(line);
        let line = self.lines.len() - 1;
        self.fly(self.accept_delay, Flight::Opened { line });
        Some(line)
    }

    /// An agent closes a connection: the other side hears of it.
    fn close(&mut self, who: SocketAddr, peer: Peer) {
        let Some(line) = self.line_of(who, peer) else { return };
        let to_server = self.lines[line].client == who;
        self.fly(
            Duration::from_millis(1),
            Flight::Closed { line, to_server, reason: "closed by the other side" },
        );
        self.forget(line, to_server);
    }

    /// One end no longer knows the connection.
    fn forget(&mut self, line: usize, client: bool) {
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        if client {
            self.lines[line].client = nobody;
        } else {
            self.lines[line].server = nobody;
        }
    }

    /// Cuts every connection of an agent: both ends hear of it.
    pub fn cut(&mut self, who: SocketAddr, reason: &'static str) {
        for line in 0..self.lines.len() {
            let held = &self.lines[line];
            if held.client == who || held.server == who {
                self.fly(Duration::ZERO, Flight::Closed { line, to_server: true, reason });
                self.fly(Duration::ZERO, Flight::Closed { line, to_server: false, reason });
            }
        }
    }

    pub fn silence(&mut self, who: SocketAddr) {
        for line in &mut self.lines {
            line.silent |= line.client == who || line.server == who;
        }
    }

    fn land(&mut self, flight: Flight) {
        let now = self.now;
        match flight {
            Flight::Datagram { from, to, bytes } if !self.dead.contains(&to) => {
                if let Some(agent) = self.agents.get_mut(&to) {
                    agent.receive(now, from, &bytes);
                    self.drain(to);
                }
            }
            Flight::Datagram { .. } => {}
            Flight::Opened { line } => {
                self.lines[line].open = true;
                let Line { client, client_seen, server, server_named, .. } = self.lines[line];
                let secured =
                    if client_seen.transport == Transport::Tls { Secured::Tls } else { Secured::No };
                for (who, peer) in [(server, client_seen), (client, server_named)] {
                    if self.agents.contains_key(&who) {
                        self.with(who, |ua, now| ua.flow_opened(now, peer, secured));
                    }
                }
            }
            Flight::Refused { who, peer } => {
                self.with(who, |ua, now| match peer.transport {
                    Transport::Udp => ua.datagram_refused(now, peer.address),
                    _ => ua.flow_closed(now, peer, "connection refused"),
                });
            }
            Flight::Bytes { line, to_server, bytes } => {
                let Line { client, client_seen, server, server_named, silent, .. } = self.lines[line];
                let (who, peer) = if to_server { (server, client_seen) } else { (client, server_named) };
                if !silent && self.agents.contains_key(&who) && !self.dead.contains(&who) {
                    self.with(who, |ua, now| ua.receive_stream(now, peer, &bytes));
                }
            }
            Flight::Closed { line, to_server, reason } => {
                let Line { client, client_seen, server, server_named, .. } = self.lines[line];
                let (who, peer) = if to_server { (server, client_seen) } else { (client, server_named) };
                self.forget(line, !to_server);
                if self.agents.contains_key(&who) {
                    self.with(who, |ua, now| ua.flow_closed(now, peer, reason));
                }
            }
        }
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let flight = self.flying.first_key_value().map(|((at, _), _)| *at);
            let wake = self.agents.iter().filter_map(|(who, a)| Some((a.next_wake()?, *who))).min();
            let next = flight.into_iter().chain(wake.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if flight == Some(next) {
                let (_, flight) = self.flying.pop_first().unwrap();
                self.land(flight);
            } else if let Some((_, who)) = wake {
                self.with(who, |ua, now| ua.wake(now));
            }
        }
        self.now = until;
    }

    /// Somebody without an agent opens a connection to an agent.
    pub fn dial(&mut self, from: Peer, to: SocketAddr) {
        self.with(to, |ua, now| {
            let secured = if from.transport == Transport::Tls { Secured::Tls } else { Secured::No };
            ua.flow_opened(now, from, secured);
        });
    }

    /// The requests of that method that an agent has sent.
    pub fn requests(&self, who: SocketAddr, method: &str) -> Vec<(Moment, Peer, Request)> {
        let mut requests = Vec::new();
        for (at, _, to, bytes) in self.sent.iter().filter(|(_, from, _, _)| *from == who) {
            match message_of(bytes) {
                Some(Message::Request(request)) if request.method.as_str() == method => {
                    requests.push((*at, *to, request));
                }
                _ => {}
            }
        }
        requests
    }

    /// The responses that an agent has sent.
    pub fn responses(&self, who: SocketAddr) -> Vec<(Moment, Peer, Response)> {
        let ours = self.sent.iter().filter(|(_, from, _, _)| *from == who);
        let read = ours.filter_map(|(at, _, to, bytes)| match message_of(bytes)? {
            Message::Response(response) => Some((*at, *to, response)),
            Message::Request(_) => None,
        });
        read.collect()
    }

    /// The names of the events of one agent so far, taken away.
    pub fn names(&mut self, who: SocketAddr) -> Vec<String> {
        let (ours, others) = std::mem::take(&mut self.events).into_iter().partition(|(_, w, _)| *w == who);
        self.events = others;
        let ours: Vec<(Moment, SocketAddr, Event)> = ours;
        ours.iter().map(|(_, _, event)| super::wire::name(event)).collect()
    }
}

/// The message in what was sent, if it is one and whole.
pub fn message_of(bytes: &[u8]) -> Option<Message> {
    let mut framer = Framer::new();
    let _ = framer.push(bytes);
    match framer.next_frame()? {
        Frame::Message(bytes) => read_datagram(&bytes).ok(),
        _ => None,
    }
}

/// A registrar, callee and server for subscriptions that lets everybody in and says yes to everything.
pub fn obliging(ua: &mut UserAgent, now: Moment, event: &Event) {
    match event {
        Event::CallReceived { call, .. } => {
            ua.ring(now, *call, None);
            ua.accept(now, *call, b"v=0 answer".to_vec());
        }
        Event::OfferReceived { call, .. } => ua.answer_offer(now, *call, Ok(b"v=0 answer".to_vec())),
        Event::RequestReceived { key, request, .. } => match request.method {
            Method::Subscribe => {
                if let Some(watcher) = ua.admit_watcher(now, *key, 600) {
                    ua.notify(now, watcher, "text/plain", b"state".to_vec());
                }
            }
            Method::Register => {
                let contacts = request.headers.get_all("Contact").filter(|c| !c.contains("expires=0"));
                let headers = contacts.map(|c| ("Contact".to_owned(), c.to_owned())).collect();
                ua.answer(now, *key, 200, headers, Vec::new());
            }
            _ => ua.answer(now, *key, 200, Vec::new(), Vec::new()),
        },
        Event::WatcherRefreshed { watcher } => ua.notify(now, *watcher, "text/plain", b"state".to_vec()),
        _ => {}
    }
}
