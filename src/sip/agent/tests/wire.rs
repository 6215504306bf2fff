//! A wire in virtual time with seeded loss, duplication and reorder, and agents at its ends.

use super::super::*;
use crate::sip::message::{Message, Response};
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub type Script = Box<dyn FnMut(&mut UserAgent, Moment, &Event)>;

/// How bad the wire is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub loss: f64,
    pub duplicates: f64,
    /// The longest extra delay of a datagram.
    pub reorder: Duration,
}

impl Weather {
    /// Loss, duplicates and reorder of `percent` each.
    pub fn foul(percent: u32) -> Self {
        let share = f64::from(percent) / 100.0;
        Self { loss: share, duplicates: share, reorder: Duration::from_millis(u64::from(percent) * 10) }
    }
}

pub struct World {
    pub now: Moment,
    pub weather: Weather,
    pub agents: BTreeMap<Peer, UserAgent>,
    pub scripts: BTreeMap<Peer, Script>,
    pub events: Vec<(Moment, Peer, Event)>,
    /// Everything that was sent, lost or not.
    pub sent: Vec<(Moment, Peer, Peer, Message)>,
    /// What came for an address without an agent.
    pub mail: Vec<(Peer, Peer, Message)>,
    flying: BTreeMap<(Moment, u64), (Peer, Peer, Vec<u8>)>,
    rng: StdRng,
    count: u64,
}

pub fn at(port: u16) -> Peer {
    Peer::udp(([127, 0, 0, 1], port).into())
}

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

impl World {
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self {
            now: s(1000),
            weather,
            agents: BTreeMap::new(),
            scripts: BTreeMap::new(),
            events: Vec::new(),
            sent: Vec::new(),
            mail: Vec::new(),
            flying: BTreeMap::new(),
            rng: StdRng::seed_from_u64(seed),
            count: 0,
        }
    }

    pub fn add(&mut self, port: u16) -> Peer {
        let seed = self.rng.next_u64();
        // Takes everything, as a server does, and follows Contact, as a phone does.
        let config = UaConfig { bound_to_peer: false, ..UaConfig::server(at(port).address, "test", seed) };
        self.agents.insert(at(port), UserAgent::new(config));
        at(port)
    }

    /// An agent whose calls stay with the address that they came from or went to.
    pub fn add_server(&mut self, port: u16) -> Peer {
        let seed = self.rng.next_u64();
        self.agents.insert(at(port), UserAgent::new(UaConfig::server(at(port).address, "test", seed)));
        at(port)
    }

    pub fn script(&mut self, who: Peer, script: impl FnMut(&mut UserAgent, Moment, &Event) + 'static) {
        self.scripts.insert(who, Box::new(script));
    }

    /// Lets an agent do something, and what it sends fly.
    pub fn with<T>(&mut self, who: Peer, deed: impl FnOnce(&mut UserAgent, Moment) -> T) -> T {
        let now = self.now;
        let result = deed(self.agents.get_mut(&who).unwrap(), now);
        self.drain(who);
        result
    }

    /// A datagram from an address without an agent.
    pub fn inject(&mut self, from: Peer, to: Peer, bytes: Vec<u8>) {
        self.fly(from, to, bytes);
    }

    fn drain(&mut self, who: Peer) {
        loop {
            let agent = self.agents.get_mut(&who).unwrap();
            if let Some(transmit) = agent.poll_transmit() {
                self.fly(who, transmit.to, transmit.bytes);
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

    fn fly(&mut self, from: Peer, to: Peer, bytes: Vec<u8>) {
        match read_datagram(&bytes) {
            Ok(message) => self.sent.push((self.now, from, to, message)),
            // An answer to something broken says what was broken.
            Err(_) => assert!(!self.agents.contains_key(&from) || bytes.starts_with(b"SIP/2.0 ")),
        }
        let copies = if self.rng.random_bool(self.weather.duplicates) { 2 } else { 1 };
        for _ in 0..copies {
            if self.rng.random_bool(self.weather.loss) {
                continue;
            }
            let extra = self.rng.random_range(0..=self.weather.reorder.as_millis() as u64);
            self.count += 1;
            self.flying.insert((self.now + ms(1 + extra), self.count), (from, to, bytes.clone()));
        }
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let packet = self.flying.first_key_value().map(|((at, _), _)| *at);
            let wake = self.agents.iter().filter_map(|(who, a)| Some((a.next_wake()?, *who))).min();
            let next = packet.into_iter().chain(wake.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if packet == Some(next) {
                let (_, (from, to, bytes)) = self.flying.pop_first().unwrap();
                if let Some(agent) = self.agents.get_mut(&to) {
                    agent.receive(self.now, from, &bytes);
                    self.drain(to);
                } else {
                    self.mail.push((from, to, read_datagram(&bytes).unwrap()));
                }
            } else if let Some((_, who)) = wake {
                self.agents.get_mut(&who).unwrap().wake(self.now);
                self.drain(who);
            }
        }
        self.now = until;
    }

    /// The events of one agent so far, taken away.
    pub fn take_events(&mut self, who: Peer) -> Vec<Event> {
        let (ours, others) = std::mem::take(&mut self.events).into_iter().partition(|(_, w, _)| *w == who);
        self.events = others;
        let ours: Vec<(Moment, Peer, Event)> = ours;
        ours.into_iter().map(|(_, _, event)| event).collect()
    }

    /// The names of the events of one agent so far, taken away.
    pub fn names(&mut self, who: Peer) -> Vec<String> {
        self.take_events(who).iter().map(name).collect()
    }

    /// `METHOD` and `status METHOD` of everything that one sent to the other since the last call.
    pub fn ladder(&mut self) -> String {
        let mut lines = String::new();
        for (_, from, to, message) in self.sent.drain(..) {
            let what = match &message {
                Message::Request(request) => request.method.to_string(),
                Message::Response(response) => {
                    format!("{} {}", response.status, response.headers.cseq().unwrap().1)
                }
            };
            writeln!(lines, "{} > {} {what}", from.port(), to.port()).unwrap();
        }
        lines
    }

    /// Asserts that nobody keeps anything, once every timer has gone off.
    pub fn assert_empty(&mut self) {
        self.run(s(700));
        for (who, agent) in &self.agents {
            assert_eq!(agent.census(), Census::default(), "left over at {who}");
        }
    }
}

/// The variant of an event, with the status if it has one.
pub fn name(event: &Event) -> String {
    let text = format!("{event:?}");
    let name = text.split([' ', '{']).next().unwrap().to_owned();
    match event {
        Event::CallProgress { status, .. }
        | Event::OfferFailed { status, .. }
        | Event::ReferAccepted { status, .. }
        | Event::ReferRefused { status, .. }
        | Event::ReferProgress { status, .. }
        | Event::SubscriptionRefused { status, .. }
        | Event::RequestAnswered { status, .. }
        | Event::ProbeAnswered { status, .. } => format!("{name} {status}"),
        Event::CallEnded { cause, .. } => match cause.status {
            Some(status) => format!("{name} {:?} {status}", cause.by),
            None => format!("{name} {:?}", cause.by),
        },
        Event::RegistrationFailed { status, .. } => format!("{name} {status:?}"),
        _ => name,
    }
}

/// The answer of somebody who is no agent.
pub fn reply_to(message: &Message, status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let Message::Request(request) = message else { panic!("not a request") };
    let mut response = Response::to(request, status);
    let to = response.headers.to().unwrap();
    if to.tag().is_none() {
        response.headers.set("To", to.with_tag("script").to_string());
    }
    for (name, value) in headers {
        response.headers.push(name, *value);
    }
    response.to_bytes()
}

pub fn is_request(message: &Message, method: &str) -> bool {
    matches!(message, Message::Request(request) if request.method.as_str() == method)
}
