//! A telephone: one user agent with one account, its calls, and the sound of each. Sans-IO; what to say and when to
//! hang up is decided by whoever holds it.

use crate::app::sound::stream_config;
use crate::media::{Clip, Command, Sink, Source, StreamId};
use crate::parking::Moment;
use crate::sip::message::{Method, NameAddr, Uri};
use crate::sip::sdp::{self, Codec, Direction, LocalMedia, Negotiated};
use crate::sip::{Account, AccountKey, CallKey, Event, Invite, Peer, UaConfig, UserAgent};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// The most free ports that are remembered.
const MAX_PORTS: usize = 256;

/// The media engine as the telephones share it: free ports, and commands that wait to be given.
#[derive(Debug)]
pub(super) struct Exchange {
    address: IpAddr,
    ports: VecDeque<u16>,
    pub commands: VecDeque<Command>,
    next_stream: u64,
}

impl Exchange {
    pub fn new(address: IpAddr) -> Self {
        Self { address, ports: VecDeque::new(), commands: VecDeque::new(), next_stream: 0 }
    }

    /// The engine has bound these.
    pub fn add_ports(&mut self, ports: Vec<u16>) {
        self.ports.extend(ports);
        self.ports.truncate(MAX_PORTS);
    }

    fn open(&mut self) -> Option<(StreamId, u16)> {
        let port = self.ports.pop_front()?;
        self.next_stream += 1;
        let stream = StreamId(self.next_stream);
        self.commands.push_back(Command::Open { stream, port });
        // Whoever listens for music must hear: only what is decoded is measured.
        self.commands.push_back(Command::Hear { stream, sink: Sink::Meter });
        Some((stream, port))
    }
}

/// One call's sound.
#[derive(Debug)]
struct Leg {
    stream: StreamId,
    local: LocalMedia,
    settled: Option<Negotiated>,
}

/// The telephone.
pub(super) struct Phone {
    pub agent: UserAgent,
    pub account: AccountKey,
    server: Peer,
    domain: String,
    codecs: Vec<Codec>,
    legs: BTreeMap<CallKey, Leg>,
}

impl Phone {
    /// A telephone at `local`; incoming calls are answered in one of `codecs`.
    pub fn new(local: SocketAddr, account: Account, codecs: &[Codec], seed: u64) -> Self {
        let product = concat!("parkdeck-demo/", env!("CARGO_PKG_VERSION"));
        let domain = account.aor.uri.host.clone();
        let server = account.servers.first().copied().unwrap_or_else(|| local.into());
        let mut agent = UserAgent::new(UaConfig::new(local, product, seed));
        let account = agent.add_account(account);
        Self { agent, account, server, domain, codecs: codecs.to_vec(), legs: BTreeMap::new() }
    }

    /// An address at the lot.
    pub fn uri(&self, user: &str) -> Uri {
        Uri::sip(user, &self.domain)
    }

    /// Where the lot is.
    pub fn server(&self) -> Peer {
        self.server
    }

    /// Calls `target`; `from` instead of the account's own address. `None` while no media port is free.
    pub fn call(
        &mut self,
        now: Moment,
        exchange: &mut Exchange,
        target: &str,
        from: Option<NameAddr>,
        codecs: &[Codec],
        headers: Vec<(String, String)>,
    ) -> Option<CallKey> {
        let leg = Leg::open(exchange, codecs)?;
        let invite = Invite {
            account: Some(self.account),
            from,
            target: self.uri(target),
            send_to: self.server,
            sdp: sdp::offer(&leg.local),
            headers,
        };
        let call = self.agent.invite(now, invite);
        self.legs.insert(call, leg);
        Some(call)
    }

    /// Answers an incoming call; turns it away when that can't be done.
    pub fn answer(&mut self, now: Moment, exchange: &mut Exchange, call: CallKey, offer: &[u8]) {
        let Some(mut leg) = Leg::open(exchange, &self.codecs) else {
            return self.agent.reject(now, call, 503, Vec::new());
        };
        let answer =
            if offer.is_empty() { Some(sdp::offer(&leg.local)) } else { leg.answer(exchange, offer) };
        match answer {
            Some(answer) => {
                self.agent.accept(now, call, answer);
                self.legs.insert(call, leg);
            }
            None => {
                leg.close(exchange);
                self.agent.reject(now, call, 488, Vec::new());
            }
        }
    }

    /// Plays a recording into the call, once.
    pub fn speak(&self, exchange: &mut Exchange, call: CallKey, clip: &Clip) {
        if let Some(leg) = self.legs.get(&call) {
            let source = Source::Prompt(clip.clone());
            exchange.commands.push_back(Command::Send { stream: leg.stream, source });
        }
    }

    /// The call that a stream belongs to.
    pub fn call_of(&self, stream: StreamId) -> Option<CallKey> {
        self.legs.iter().find(|(_, leg)| leg.stream == stream).map(|(call, _)| *call)
    }

    /// The next event for the person at the telephone; what only concerns the sound is done here.
    pub fn poll_event(&mut self, now: Moment, exchange: &mut Exchange) -> Option<Event> {
        loop {
            let event = self.agent.poll_event()?;
            match &event {
                Event::CallAnswered { call, sdp, .. } if !self.settle(exchange, *call, sdp.as_deref()) => {
                    self.agent.hang_up(now, *call);
                    continue;
                }
                Event::OfferAnswered { call, sdp } => {
                    self.settle(exchange, *call, Some(sdp));
                }
                Event::OfferReceived { call, sdp, .. } => {
                    let leg = self.legs.get_mut(call);
                    let answer = leg.and_then(|leg| leg.answer_again(exchange, sdp));
                    self.agent.answer_offer(now, *call, answer.ok_or(488));
                }
                // Nobody tells these people whom to call.
                Event::ReferReceived { refer, .. } => self.agent.answer_refer(now, *refer, 603, Vec::new()),
                Event::RequestReceived { key, request, .. } => {
                    // Messages are read; nothing else outside of a call means anything here.
                    let status = if request.method == Method::Message { 200 } else { 405 };
                    self.agent.answer(now, *key, status, Vec::new(), Vec::new());
                }
                Event::CallEnded { call, .. } => {
                    if let Some(leg) = self.legs.remove(call) {
                        leg.close(exchange);
                    }
                }
                _ => {}
            }
            return Some(event);
        }
    }

    /// Takes the far end's answer; false when there is none that could be used.
    fn settle(&mut self, exchange: &mut Exchange, call: CallKey, answer: Option<&[u8]>) -> bool {
        let Some(leg) = self.legs.get_mut(&call) else { return false };
        let settled = answer.and_then(|answer| sdp::accept(&leg.local, answer).ok());
        if let Some(settled) = settled {
            leg.configure(exchange, settled);
        }
        leg.settled.is_some()
    }

    /// Ends every call.
    pub fn hang_up_all(&mut self, now: Moment) {
        for call in self.legs.keys().copied().collect::<Vec<_>>() {
            self.agent.hang_up(now, call);
        }
    }
}

impl Leg {
    fn open(exchange: &mut Exchange, codecs: &[Codec]) -> Option<Self> {
        let (stream, port) = exchange.open()?;
        let local = LocalMedia {
            address: exchange.address,
            port,
            codecs: codecs.to_vec(),
            redundancy: false,
            direction: Direction::SendRecv,
            session_id: stream.0,
            version: 1,
            security: sdp::LocalSecurity::default(),
        };
        Some(Self { stream, local, settled: None })
    }

    fn answer(&mut self, exchange: &mut Exchange, offer: &[u8]) -> Option<Vec<u8>> {
        let (answer, settled) = sdp::answer(offer, &self.local).ok()?;
        self.configure(exchange, settled);
        Some(answer)
    }

    /// Answers an offer within the call; an empty one asks for ours.
    fn answer_again(&mut self, exchange: &mut Exchange, offer: &[u8]) -> Option<Vec<u8>> {
        self.local.version += 1;
        if offer.is_empty() { Some(sdp::offer(&self.local)) } else { self.answer(exchange, offer) }
    }

    fn configure(&mut self, exchange: &mut Exchange, settled: Negotiated) {
        let config = stream_config(&settled);
        exchange.commands.push_back(Command::Configure { stream: self.stream, config });
        self.settled = Some(settled);
    }

    fn close(self, exchange: &mut Exchange) {
        exchange.commands.push_back(Command::Close { stream: self.stream });
    }
}
