//! A whole user agent under a script that is made of bytes: datagrams (raw, made up, answers to what it sent,
//! repetitions), time, and what an owner may ask of it, also with keys that are long gone. What must hold: nothing
//! panics; what it keeps is bounded by what was asked; every call ends exactly once and is silent from then on; and
//! when all is ended and time has passed, nothing is left.

#![allow(clippy::expect_used, clippy::panic, reason = "a check fails by panicking")]

use parkdeck::sip::message::{Headers, Message, Method, NameAddr, Request, Response, Uri, read_datagram};
use parkdeck::sip::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// The most steps of a script.
const MAX_STEPS: usize = 400;
/// How many messages each way are remembered to be answered or repeated.
const MAX_REMEMBERED: usize = 24;

/// The rest of the script.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn index(&mut self, length: usize) -> Option<usize> {
        let byte = usize::from(self.byte()?);
        (length > 0).then(|| byte % length)
    }

    fn pick<'b, T>(&mut self, from: &'b [T]) -> Option<&'b T> {
        let at = self.index(from.len())?;
        from.get(at)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.byte()?) * 8;
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        Some(taken)
    }
}

/// What a call has come to, as its events tell.
#[derive(Default)]
struct Told {
    ended: bool,
}

struct World {
    agent: UserAgent,
    now: Duration,
    /// What the agent sent, newest last, and to whom.
    sent: VecDeque<(Peer, Message)>,
    /// What it was given, newest last.
    given: VecDeque<(Peer, Request)>,
    calls: BTreeMap<CallKey, Told>,
    refers: Vec<ReferKey>,
    requests: Vec<RequestKey>,
    watchers: Vec<WatcherKey>,
    subscriptions: Vec<SubscriptionKey>,
    accounts: Vec<AccountKey>,
    /// Connections that are up.
    flows: BTreeSet<Peer>,
    /// Those that the agent wants opened.
    wanted: BTreeSet<Peer>,
    steps: usize,
    made_up: u32,
}

/// Runs a script.
pub fn user_agent(bytes: &[u8]) {
    let mut script = Script(bytes);
    let Some(kind) = script.byte() else { return };
    let mut world = World::new(kind);
    for _ in 0..MAX_STEPS {
        world.steps += 1;
        if world.step(&mut script).is_none() && script.0.is_empty() {
            break;
        }
        world.settle();
    }
    world.end();
}

const OFFER: &[u8] =
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const METHODS: [&str; 18] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "SUBSCRIBE",
    "NOTIFY",
    "REFER",
    "UPDATE",
    "INFO",
    "MESSAGE",
    "PRACK",
    "PUBLISH",
    "INVITE",
    "NOTIFY",
    "INVITE",
    "FOO",
];
const STATUSES: [u16; 26] = [
    100, 180, 183, 199, 200, 200, 200, 202, 204, 301, 302, 400, 401, 403, 404, 407, 408, 412, 422, 423, 481,
    486, 487, 491, 503, 603,
];
/// Headers that change what a message means.
const HEADERS: [(&str, &str); 44] = [
    ("Contact", "<sip:127.0.0.1:7001>"),
    ("Contact", "<sip:x@127.0.0.1:7002;transport=tcp>;expires=5"),
    ("Contact", "*"),
    ("Contact", "<tel:+1555>"),
    ("Record-Route", "<sip:127.0.0.1:7001;lr>, <sip:127.0.0.1:7002>"),
    ("Route", "<sip:127.0.0.1:6000;lr>"),
    ("Expires", "0"),
    ("Expires", "3"),
    ("Expires", "4294967295"),
    ("Min-Expires", "900"),
    ("Retry-After", "0"),
    ("Retry-After", "99999999999"),
    ("Event", "dialog"),
    ("Event", "refer"),
    ("Event", "refer;id=1"),
    ("Event", "message-summary"),
    ("Event", "presence;id=2"),
    ("Subscription-State", "active;expires=60"),
    ("Subscription-State", "pending"),
    ("Subscription-State", "terminated;reason=deactivated"),
    ("Subscription-State", "terminated;reason=giveup;retry-after=5"),
    ("Subscription-State", "terminated;reason=noresource"),
    ("Content-Type", "application/sdp"),
    ("Content-Type", "message/sipfrag;version=2.0"),
    ("Content-Type", "application/dialog-info+xml"),
    ("Content-Type", "multipart/related;boundary=b"),
    ("Refer-To", "<sip:b@127.0.0.1:7002>"),
    ("Refer-To", "<sip:b@127.0.0.1:7002?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>"),
    ("Refer-Sub", "false"),
    ("Replaces", "a;to-tag=1;from-tag=2"),
    ("Require", "100rel"),
    ("Require", "replaces"),
    ("Require", "timer"),
    ("Require", "nonsense"),
    ("Supported", "100rel, timer, replaces, outbound, path, gruu"),
    ("RSeq", "1"),
    ("RAck", "1 1 INVITE"),
    ("Session-Expires", "90;refresher=uas"),
    ("Session-Expires", "4;refresher=uac"),
    ("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=\"auth\""),
    (
        "Proxy-Authenticate",
        "Digest realm=\"r\", nonce=\"m\", algorithm=SHA-256, qop=\"auth,auth-int\", stale=true",
    ),
    ("Max-Forwards", "0"),
    ("P-Asserted-Identity", "\"Z\" <sip:z@127.0.0.1>"),
    ("Target-Dialog", "a;local-tag=1;remote-tag=2"),
];
const BODIES: [&[u8]; 5] = [
    b"",
    OFFER,
    b"SIP/2.0 200 OK\r\n",
    b"SIP/2.0 100 Trying\r\n",
    b"<?xml version=\"1.0\"?><dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"1\" state=\"full\" entity=\"sip:a@b\"><dialog id=\"1\"><state>confirmed</state></dialog></dialog-info>",
];

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn peers() -> [Peer; 4] {
    let stream = |transport, port| Peer::new(transport, address(port));
    [
        Peer::udp(address(7001)),
        Peer::udp(address(7002)),
        stream(Transport::Tcp, 7003),
        stream(Transport::Tls, 7004),
    ]
}

fn me() -> Option<NameAddr> {
    Some(NameAddr::new(Uri::sip("me", "127.0.0.1")))
}

impl World {
    fn new(kind: u8) -> Self {
        let local = address(6000);
        let seed = u64::from(kind);
        let config = match kind % 2 {
            0 => UaConfig::new(local, "fuzzed", seed),
            _ => UaConfig::server(local, "fuzzed", seed),
        };
        Self {
            agent: UserAgent::new(config),
            now: Duration::from_secs(100),
            sent: VecDeque::new(),
            given: VecDeque::new(),
            calls: BTreeMap::new(),
            refers: Vec::new(),
            requests: Vec::new(),
            watchers: Vec::new(),
            subscriptions: Vec::new(),
            accounts: Vec::new(),
            flows: BTreeSet::new(),
            wanted: BTreeSet::new(),
            steps: 0,
            made_up: 0,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) -> Option<()> {
        match script.byte()? % 13 {
            0 => {
                let peer = *script.pick(&peers())?;
                let bytes = script.bytes()?;
                self.deliver(peer, bytes);
            }
            1 => self.ask_outside(script)?,
            2..=4 => self.respond(script)?,
            5 | 6 => self.ask_inside(script)?,
            7 => self.repeat(script)?,
            8 => self.pass(Duration::from_millis(u64::from(script.byte()?).pow(2) * 4)),
            9 | 10 => self.own_call(script)?,
            11 => self.own_other(script)?,
            _ => self.network(script)?,
        }
        Some(())
    }

    /// A datagram, or on a connection, which is up from then on, the same in two slices.
    fn deliver(&mut self, from: Peer, bytes: &[u8]) {
        if !from.transport.is_reliable() {
            return self.agent.receive(self.now, from, bytes);
        }
        self.open_flow(from);
        let (first, second) = bytes.split_at(bytes.len() / 3);
        self.agent.receive_stream(self.now, from, first);
        self.agent.receive_stream(self.now, from, second);
    }

    fn open_flow(&mut self, peer: Peer) {
        self.wanted.remove(&peer);
        if self.flows.insert(peer) {
            let secured = if peer.transport == Transport::Tls { Secured::Tls } else { Secured::No };
            self.agent.flow_opened(self.now, peer, secured);
        }
    }

    fn close_flow(&mut self, peer: Peer) {
        self.wanted.remove(&peer);
        self.flows.remove(&peer);
        self.agent.flow_closed(self.now, peer, "reset");
    }

    /// Connections come and go, servers are found, our own address changes.
    fn network(&mut self, script: &mut Script<'_>) -> Option<()> {
        let peer = *script.pick(&peers())?;
        match script.byte()? % 8 {
            0 | 1 if peer.transport.is_reliable() => self.open_flow(peer),
            2 | 3 if peer.transport.is_reliable() => self.close_flow(peer),
            4 if self.flows.contains(&peer) => self.agent.receive_stream(self.now, peer, b"\r\n\r\n\r\n"),
            5 if self.flows.contains(&peer) => self.agent.receive_stream(self.now, peer, script.bytes()?),
            6 => {
                let account = *script.pick(&self.accounts)?;
                let servers = peers()[..usize::from(script.byte()? % 5)].to_vec();
                self.agent.set_servers(self.now, account, servers);
            }
            7 => self.agent.network_changed(self.now, address(6000 + u16::from(script.byte()? % 2))),
            _ => {}
        }
        Some(())
    }

    /// A request that belongs to nothing yet.
    fn ask_outside(&mut self, script: &mut Script<'_>) -> Option<()> {
        let peer = *script.pick(&peers())?;
        let method = Method::new(script.pick(&METHODS)?);
        self.made_up += 1;
        let mut request = Request::new(method.clone(), Uri::at("me", address(6000)));
        let n = self.made_up;
        let headers = &mut request.headers;
        headers.push(
            "Via",
            format!("SIP/2.0/{} {};branch=z9hG4bKo{n}", peer.transport.via_word(), peer.address),
        );
        headers.push("From", format!("<sip:you@127.0.0.1>;tag=f{n}"));
        headers.push("To", "<sip:me@127.0.0.1>");
        headers.push("Call-ID", format!("c{n}"));
        headers.push("CSeq", format!("{n} {method}"));
        self.give(script, peer, request)
    }

    /// A request inside a dialog, or what its sender holds for one: the far end of something the agent sent.
    fn ask_inside(&mut self, script: &mut Script<'_>) -> Option<()> {
        let at = script.index(self.sent.len())?;
        let (peer, message) = self.sent.get(at)?.clone();
        let method = Method::new(script.pick(&METHODS)?);
        self.made_up += 1;
        let n = self.made_up;
        let (mut local, remote) = match &message {
            Message::Request(request) => (request.headers.to()?, request.headers.from()?),
            Message::Response(response) => (response.headers.from()?, response.headers.to()?),
        };
        if local.tag().is_none() {
            local = local.with_tag(if script.byte()? % 4 == 0 { "y" } else { "x" });
        }
        let mut request = Request::new(method.clone(), Uri::at("me", address(6000)));
        let headers = &mut request.headers;
        headers.push(
            "Via",
            format!("SIP/2.0/{} {};branch=z9hG4bKi{n}", peer.transport.via_word(), peer.address),
        );
        headers.push("From", local.to_string());
        headers.push("To", remote.to_string());
        headers.push("Call-ID", message.headers().call_id()?);
        let number = if script.byte()? % 8 == 0 { 1 << 30 } else { n + 1000 };
        headers.push("CSeq", format!("{number} {method}"));
        let from = if script.byte()? % 8 == 0 { *script.pick(&peers())? } else { peer };
        self.give(script, from, request)
    }

    /// Further headers and a body from the menu, then off with it.
    fn give(&mut self, script: &mut Script<'_>, peer: Peer, mut request: Request) -> Option<()> {
        dress(script, &mut request.headers, &mut request.body)?;
        self.deliver(peer, &request.to_bytes());
        remember(&mut self.given, (peer, request));
        Some(())
    }

    /// An answer to a request of the agent's.
    fn respond(&mut self, script: &mut Script<'_>) -> Option<()> {
        let at = self.sent.len().checked_sub(1 + script.index(self.sent.len())?)?;
        let (peer, message) = self.sent.get(at)?.clone();
        let Message::Request(request) = message else { return None };
        let mut response = Response::to(&request, *script.pick(&STATUSES)?);
        let tag = ["x", "y", "", "x"][usize::from(script.byte()? % 4)];
        if let Some(to) = response.headers.to().filter(|to| to.tag().is_none() && !tag.is_empty()) {
            response.headers.set("To", to.with_tag(tag).to_string());
        }
        dress(script, &mut response.headers, &mut response.body)?;
        let from = if script.byte()? % 16 == 0 { *script.pick(&peers())? } else { peer };
        self.deliver(from, &response.to_bytes());
        Some(())
    }

    /// A request once more, or the ACK or CANCEL that belongs to it.
    fn repeat(&mut self, script: &mut Script<'_>) -> Option<()> {
        let at = script.index(self.given.len())?;
        let (peer, mut request) = self.given.get(at)?.clone();
        let method = match script.byte()? % 3 {
            0 => request.method.clone(),
            1 => Method::Ack,
            _ => Method::Cancel,
        };
        let (number, _) = request.headers.cseq()?;
        request.headers.set("CSeq", format!("{number} {method}"));
        request.method = method;
        let call_id = request.headers.call_id()?.to_owned();
        let answer = self.sent.iter().rev().find_map(|(_, sent)| match sent {
            Message::Response(response) if response.headers.call_id() == Some(&call_id) => {
                response.headers.to()
            }
            _ => None,
        });
        if let Some(to) = answer.filter(|_| request.method == Method::Ack) {
            request.headers.set("To", to.to_string());
        }
        self.deliver(peer, &request.to_bytes());
        Some(())
    }

    fn own_call(&mut self, script: &mut Script<'_>) -> Option<()> {
        let what = script.byte()? % 16;
        let keys: Vec<CallKey> = self.calls.keys().rev().take(4).copied().collect();
        let (now, agent) = (self.now, &mut self.agent);
        if what == 0 || keys.is_empty() {
            let invite = Invite {
                account: script.pick(&self.accounts).copied(),
                from: me(),
                target: Uri::at("you", address(7001)),
                send_to: *script.pick(&peers())?,
                sdp: OFFER.to_vec(),
                headers: menu(script)?,
            };
            let key = agent.invite(now, invite);
            self.calls.entry(key).or_default();
            return Some(());
        }
        let call = *script.pick(&keys)?;
        match what {
            1 => agent.ring(now, call, None),
            2 => agent.ring(now, call, Some(OFFER.to_vec())),
            3 | 4 => agent.accept(now, call, OFFER.to_vec()),
            5 => agent.accept_with(now, call, OFFER.to_vec(), menu(script)?),
            6 => agent.reject(now, call, *script.pick(&STATUSES)?, menu(script)?),
            7 => agent.reject_unkept(now, call, *script.pick(&STATUSES)?, menu(script)?),
            8 => agent.reoffer(now, call, OFFER.to_vec()),
            9 => agent.answer_offer(now, call, Ok(OFFER.to_vec())),
            10 => agent.answer_offer(now, call, Err(*script.pick(&STATUSES)?)),
            11 => agent.update(now, call, menu(script)?),
            12 => agent.info(now, call, "application/dtmf-relay", b"Signal=1".to_vec()),
            13 | 14 => {
                let refer =
                    agent.refer(now, call, NameAddr::new(Uri::sip("700", "127.0.0.1")), menu(script)?);
                self.refers.push(refer);
            }
            _ => agent.hang_up(now, call),
        }
        Some(())
    }

    fn own_other(&mut self, script: &mut Script<'_>) -> Option<()> {
        let what = script.byte()? % 16;
        let (now, agent) = (self.now, &mut self.agent);
        match what {
            0 if self.accounts.len() < 3 => {
                let key = agent.add_account(account(*script.pick(&peers())?));
                self.accounts.push(key);
            }
            0 | 1 => agent.register(now, *script.pick(&self.accounts)?),
            2 => agent.unregister(now, *script.pick(&self.accounts)?),
            3 | 4 => {
                let key = agent.subscribe(now, subscribe(script, &self.accounts)?);
                self.subscriptions.push(key);
            }
            5 => agent.renew(now, *script.pick(&self.subscriptions)?),
            6 => agent.unsubscribe(now, *script.pick(&self.subscriptions)?),
            7 => {
                let expires_s = u32::from(script.byte()?) * 10;
                let admitted = agent.admit_watcher(now, *script.pick(&self.requests)?, expires_s);
                self.watchers.extend(admitted);
            }
            8 => agent.notify(now, *script.pick(&self.watchers)?, "text/plain", b"state".to_vec()),
            9 => agent.dismiss(now, *script.pick(&self.watchers)?, "noresource"),
            10 => {
                let status = *script.pick(&STATUSES)?;
                agent.answer(now, *script.pick(&self.requests)?, status, menu(script)?, Vec::new());
            }
            11 => {
                agent.answer_refer(now, *script.pick(&self.refers)?, *script.pick(&STATUSES)?, menu(script)?)
            }
            12 => agent.report_refer(now, *script.pick(&self.refers)?, *script.pick(&STATUSES)?),
            13 => {
                agent.probe(
                    now,
                    script.pick(&self.accounts).copied(),
                    Uri::sip("p", "127.0.0.1"),
                    peers()[0],
                );
            }
            _ => {
                let ask = Ask {
                    account: script.pick(&self.accounts).copied(),
                    from: me(),
                    method: Method::new(METHODS[10 + usize::from(script.byte()? % 2) * 3]),
                    target: Uri::at("you", address(7001)),
                    send_to: *script.pick(&peers())?,
                    headers: menu(script)?,
                    body: BODIES[usize::from(script.byte()? % 5)].to_vec(),
                };
                agent.request(now, ask);
            }
        }
        Some(())
    }

    /// Lets time pass, waking the agent whenever it wants to be.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let (mut woken, mut idle_turns) = (0, 0);
        while let Some(due) = self.agent.next_wake().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.agent.wake(self.now);
            self.settle();
            woken += 1;
            let still = self.agent.next_wake().is_some_and(|next| next <= self.now);
            idle_turns = if still { idle_turns + 1 } else { 0 };
            assert!(idle_turns < 20, "a timer that is due stays due");
            assert!(woken < 200_000, "the agent never rests");
        }
        self.now = until;
        self.agent.wake(self.now);
        self.settle();
    }

    /// Takes what the agent has to send and to tell, and checks it.
    fn settle(&mut self) {
        let mut transmits = 0;
        while let Some(transmit) = self.agent.poll_transmit() {
            transmits += 1;
            assert!(transmits < 4_000, "a storm");
            if transmit.to.transport.is_reliable() && !self.flows.contains(&transmit.to) {
                self.wanted.insert(transmit.to);
            }
            if let Ok(message) = read_datagram(&transmit.bytes) {
                remember(&mut self.sent, (transmit.to, message));
            } else {
                let text = String::from_utf8_lossy(&transmit.bytes);
                let keep_alive = text.trim().is_empty();
                assert!(keep_alive || text.starts_with("SIP/2.0 "), "what is asked can be read: {text}");
            }
        }
        while let Some(event) = self.agent.poll_event() {
            self.hear(&event);
        }
        while let Some(peer) = self.agent.poll_close() {
            self.flows.remove(&peer);
        }
        let census = self.agent.census();
        let most = 8 * (self.steps + 8);
        let kept = [
            census.calls,
            census.dialogs,
            census.subscriptions,
            census.watchers,
            census.refers,
            census.requests,
            census.errands,
            census.client_transactions,
            census.server_transactions,
            census.alarms,
        ];
        assert!(kept.iter().all(|count| *count <= most), "{census:?} after {} steps", self.steps);
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::CallReceived { call, .. } => {
                assert!(self.calls.insert(*call, Told::default()).is_none(), "a key twice");
            }
            Event::ReferReceived { refer, .. } => self.refers.push(*refer),
            Event::RequestReceived { key, .. } => self.requests.push(*key),
            _ => {}
        }
        if let Some(call) = call_of(event) {
            let told = self.calls.get_mut(&call).expect("a call that was told of or begun");
            assert!(!told.ended, "{event:?} after the end");
            told.ended = matches!(event, Event::CallEnded { .. });
        }
        if let Event::WatcherLeft { watcher } = event {
            self.watchers.retain(|held| held != watcher);
        }
    }

    /// Everything is ended, time passes, and nothing may be left.
    fn end(&mut self) {
        let now = self.now;
        for call in self.calls.keys().copied().collect::<Vec<_>>() {
            self.agent.hang_up(now, call);
        }
        self.subscriptions.drain(..).for_each(|key| self.agent.unsubscribe(now, key));
        self.watchers.clone().into_iter().for_each(|key| self.agent.dismiss(now, key, "noresource"));
        self.settle();
        self.pass(Duration::from_secs(120));
        self.wanted.clone().into_iter().for_each(|peer| self.close_flow(peer));
        let now = self.now;
        self.accounts.iter().for_each(|key| self.agent.unregister(now, *key));
        self.pass(Duration::from_secs(7_200));
        let left: Vec<Peer> = self.flows.union(&self.wanted).copied().collect();
        left.into_iter().for_each(|peer| self.close_flow(peer));
        self.pass(Duration::from_secs(7_200));
        assert!(self.agent.is_idle(), "left over: {:?}", self.agent.census());
        let open: Vec<_> = self.calls.iter().filter(|(_, told)| !told.ended).map(|(key, _)| key).collect();
        assert!(open.is_empty(), "never ended: {open:?}");
    }
}

/// Whose call an event is about; events of a REFER may follow the end of its call.
fn call_of(event: &Event) -> Option<CallKey> {
    match event {
        Event::CallProgress { call, .. }
        | Event::CallAnswered { call, .. }
        | Event::CallConfirmed { call }
        | Event::CallEnded { call, .. }
        | Event::OfferReceived { call, .. }
        | Event::OfferAnswered { call, .. }
        | Event::OfferFailed { call, .. }
        | Event::IdentityChanged { call, .. }
        | Event::MediaAddressWanted { call }
        | Event::InfoReceived { call, .. } => Some(*call),
        _ => None,
    }
}

fn remember<T>(memory: &mut VecDeque<T>, item: T) {
    memory.push_back(item);
    if memory.len() > MAX_REMEMBERED {
        memory.pop_front();
    }
}

fn menu(script: &mut Script<'_>) -> Option<Vec<(String, String)>> {
    let count = script.byte()? % 4;
    let mut headers = Vec::new();
    for _ in 0..count {
        let (name, value) = *script.pick(&HEADERS)?;
        headers.push((name.to_owned(), value.to_owned()));
    }
    Some(headers)
}

fn dress(script: &mut Script<'_>, headers: &mut Headers, body: &mut Vec<u8>) -> Option<()> {
    for (name, value) in menu(script)? {
        headers.push(&name, value);
    }
    *body = script.pick(&BODIES)?.to_vec();
    Some(())
}

fn account(server: Peer) -> Account {
    let aor = NameAddr::new(Uri::sip("me", "127.0.0.1"));
    let mut account = Account::new(aor, server, "me", "secret".to_owned().into());
    account.expires_s = 600;
    account
}

fn subscribe(script: &mut Script<'_>, accounts: &[AccountKey]) -> Option<Subscribe> {
    Some(Subscribe {
        account: script.pick(accounts).copied(),
        target: Uri::at("you", address(7001)),
        send_to: *script.pick(&peers())?,
        event: ["dialog", "presence", "message-summary"][usize::from(script.byte()? % 3)].to_owned(),
        accept: "application/dialog-info+xml".to_owned(),
        expires_s: u32::from(script.byte()?) * 20,
        list: script.byte()? % 4 == 0,
    })
}
