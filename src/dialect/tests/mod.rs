//! The phone against a scripted server that says what a real Asterisk was heard to say, in virtual time.

mod lots;
mod proof;
mod rules;
mod secure;
mod told;
mod told_by_ami;
mod ways;

use super::*;
use crate::desk::{CallId, Effect, Event, LineId, LotId};
use crate::parking::{Identity, Lamp, Moment, Text};
use crate::sip::callpark::{self, CallPark};
use crate::sip::dialog_info::{self, DialogElement, DialogInfo, DialogState, Party};
use crate::sip::message::{Method, NameAddr, Uri};
use crate::sip::sdp::{self, Codec, LocalMedia};
use crate::sip::{self, Account, CallKey, Invite, ReferKey, UaConfig, UserAgent, WatcherKey};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const CALL: CallId = CallId(7);
/// The server over TLS, and the phone's end of that connection.
const SERVER_BY_TLS: sip::Peer =
    sip::Peer::new(sip::Transport::Tls, SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 5061));
const CLIENT: sip::Peer =
    sip::Peer::new(sip::Transport::Tls, SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 40_000));

fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 5060))
}

fn slot(id: &str) -> SlotId {
    SlotId::new(id).unwrap()
}

/// A server that lets everybody in, lights lamps when told to and keeps every REFER for the test to answer.
struct Server {
    ua: UserAgent,
    refuses_codes: bool,
    /// Whom a 200 to such a call names.
    answers_as: Option<String>,
    refuses_offers: bool,
    /// Who is watched by BroadWorks' package.
    by_callpark: BTreeSet<String>,
    /// Calls from the phone, to feature codes, with what was called.
    errands: Vec<(CallKey, String)>,
    /// The directions of the phone's offers in its running call.
    offers: Vec<sdp::Direction>,
    watchers: BTreeMap<String, (WatcherKey, u32, bool)>,
    refers: Vec<(ReferKey, String)>,
    call: Option<CallKey>,
    ended: Option<bool>,
    /// What the phone has offered in calls.
    descriptions: Vec<Vec<u8>>,
    methods: Vec<Method>,
}

struct Scene {
    now: Moment,
    phone: Switchboard,
    server: Server,
    heard: Vec<Event>,
    /// Whether the connection that the phone opens, where its server wants one, is up.
    connected: bool,
    /// Keys that were pressed in the sound.
    keys: String,
}

/// The server's side of a session.
fn media() -> LocalMedia {
    LocalMedia {
        address: address(1).ip(),
        port: 30_000,
        codecs: vec![Codec::Pcmu],
        redundancy: false,
        direction: sdp::Direction::SendRecv,
        session_id: 1,
        version: 1,
        security: sdp::LocalSecurity::default(),
    }
}

impl Server {
    fn take_in(&mut self, now: Moment) {
        while let Some(event) = self.ua.poll_event() {
            match event {
                sip::Event::RequestReceived { key, request, .. } => {
                    self.methods.push(request.method.clone());
                    match request.method {
                        Method::Subscribe => {
                            let user = request.uri.user.clone().unwrap_or_default();
                            if request.headers.get("Event").is_some_and(|event| event.contains("callpark")) {
                                self.by_callpark.insert(user.clone());
                            }
                            let watcher = self.ua.admit_watcher(now, key, 300).unwrap();
                            self.watchers.insert(user.clone(), (watcher, 0, false));
                            self.light(now, &user, false);
                        }
                        Method::Register => {
                            let contact = request.headers.get("Contact").unwrap().to_owned();
                            let headers = vec![("Contact".into(), contact), ("Expires".into(), "300".into())];
                            self.ua.answer(now, key, 200, headers, vec![]);
                        }
                        _ => self.ua.answer(now, key, 200, vec![], vec![]),
                    }
                }
                sip::Event::WatcherRefreshed { watcher } => {
                    let found = self.watchers.iter().find(|(_, (w, ..))| *w == watcher);
                    if let Some((user, lit)) = found.map(|(user, (_, _, lit))| (user.clone(), *lit)) {
                        self.light(now, &user, lit);
                    }
                }
                sip::Event::ReferReceived { refer, request, .. } => {
                    let target = request.headers.name_addr("Refer-To").unwrap().uri.user.unwrap();
                    self.ua.answer_refer(now, refer, 202, vec![]);
                    self.refers.push((refer, target));
                }
                sip::Event::CallEnded { call, cause } if self.call == Some(call) => {
                    self.ended = Some(cause.by == sip::EndedBy::Remote);
                }
                sip::Event::CallReceived { call, .. } if self.refuses_codes => {
                    self.ua.reject(now, call, 603, vec![]);
                }
                sip::Event::OfferReceived { call, .. } if self.refuses_offers => {
                    self.ua.answer_offer(now, call, Err(488));
                }
                sip::Event::CallReceived { call, request, .. } => {
                    self.errands.push((call, request.uri.user.clone().unwrap_or_default()));
                    let answer = sdp::answer(&request.body, &media()).unwrap().0;
                    let named = self.answers_as.iter();
                    let named =
                        named.map(|who| ("P-Asserted-Identity".into(), format!("<sip:{who}@10.0.0.1>")));
                    self.ua.accept_with(now, call, answer, named.collect());
                }
                sip::Event::OfferReceived { call, sdp: offer, .. } => {
                    self.descriptions.push(offer.clone());
                    // One that makes no sense is never answered.
                    if let Ok((answer, negotiated)) = sdp::answer(&offer, &media()) {
                        self.offers.push(negotiated.direction);
                        self.ua.answer_offer(now, call, Ok(answer));
                    }
                }
                _ => {}
            }
        }
    }

    fn light(&mut self, now: Moment, user: &str, lit: bool) {
        let version = self.watchers.get(user).map_or(0, |(_, v, _)| *v);
        self.say_lamp(now, user, lit, version);
        if let Some((_, next, was)) = self.watchers.get_mut(user) {
            (*next, *was) = (version + 1, lit);
        }
    }

    fn say_lamp(&mut self, now: Moment, user: &str, lit: bool, version: u32) {
        if self.by_callpark.contains(user) {
            let parkee = Party { uri: "sip:0161@pbx".into(), ..Party::default() };
            return self.say_parked(now, user, lit.then_some(parkee));
        }
        let state = if lit { DialogState::Confirmed } else { DialogState::Terminated };
        let dialog = DialogElement { id: user.into(), state, ..DialogElement::default() };
        let info =
            DialogInfo { version, full: true, entity: format!("sip:{user}@pbx"), dialogs: vec![dialog] };
        let (watcher, ..) = self.watchers[user];
        self.ua.notify(now, watcher, "application/dialog-info+xml", dialog_info::write(&info));
    }

    /// A lamp of BroadWorks.
    fn say_parked(&mut self, now: Moment, user: &str, parked: Option<Party>) {
        let (watcher, ..) = self.watchers[user];
        self.ua.notify(now, watcher, callpark::CONTENT_TYPE, callpark::write(&CallPark { parked }));
    }
}

/// The only lot of the server.
fn front() -> LotNumbers {
    LotNumbers::new(slot("700"), ["701", "702", "703"].map(slot).to_vec())
}

impl Scene {
    /// Registered, three lamps free, Jane talks.
    fn talking() -> Self {
        Self::talking_in("asterisk")
    }

    /// The same with a server of that kind.
    fn talking_in(dialect: &str) -> Self {
        let dialect = Dialect::named(dialect, front()).unwrap();
        let mut scene = Self::registered_in(dialect, crate::dialect::MediaSecurity::default());
        scene.ring(address(1));
        scene.run(Duration::from_millis(100));
        scene.phone.perform(scene.now, LineId::default(), Effect::Answer(CALL));
        scene.run(Duration::from_millis(100));
        assert!(scene.heard.contains(&Event::CallAnswered { call: CALL }));
        scene.heard.clear();
        scene
    }

    /// Registered, three lamps free.
    fn registered(security: crate::dialect::MediaSecurity) -> Self {
        Self::registered_in(Dialect::named("asterisk", front()).unwrap(), security)
    }

    fn registered_in(dialect: Dialect, security: crate::dialect::MediaSecurity) -> Self {
        Self::registered_at(address(1).into(), dialect, security)
    }

    /// The same at a server that is reached so.
    fn registered_at(server: sip::Peer, dialect: Dialect, security: crate::dialect::MediaSecurity) -> Self {
        let account = Account {
            realm: None,
            expires_s: 300,
            ..Account::new(
                NameAddr::new(Uri::sip("reception", "10.0.0.1")),
                server,
                "reception",
                "secret".into(),
            )
        };
        let config = PhoneConfig {
            local: address(2),
            media_address: address(2).ip(),
            account,
            dialect,
            codecs: vec![Codec::Pcmu],
            security,
            staff: Vec::new(),
            team: vec!["101".into(), "105".into()],
            seed: 1.into(),
        };
        let mut phone = Switchboard::new([config]).unwrap();
        phone.add_ports(&[20_000, 20_002]);
        let server = Server {
            ua: UserAgent::new(UaConfig::server(address(1), "scripted", 2)),
            refuses_codes: false,
            answers_as: None,
            refuses_offers: false,
            by_callpark: BTreeSet::new(),
            errands: vec![],
            offers: vec![],
            watchers: BTreeMap::new(),
            refers: vec![],
            call: None,
            ended: None,
            descriptions: vec![],
            methods: vec![],
        };
        let mut scene = Self {
            now: Duration::from_secs(1),
            phone,
            server,
            heard: vec![],
            connected: false,
            keys: String::new(),
        };
        scene.phone.start(scene.now);
        scene.run(Duration::from_secs(2));
        assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
        scene
    }

    fn ring(&mut self, _from: SocketAddr) {
        self.ring_protected(sdp::LocalSecurity::default());
    }

    fn ring_protected(&mut self, security: sdp::LocalSecurity) {
        let media = LocalMedia { security, ..media() };
        let invite = Invite {
            account: None,
            from: Some(NameAddr::new(Uri::sip("0161", "10.0.0.1")).with_display("Jane Doe")),
            target: Uri::sip("reception", "10.0.0.2"),
            send_to: if self.connected { CLIENT } else { address(2).into() },
            sdp: sdp::offer(&media),
            headers: vec![],
        };
        self.server.call = Some(self.server.ua.invite(self.now, invite));
    }

    fn lamps(&self) -> Vec<Lamp> {
        ["701", "702", "703"]
            .iter()
            .map(|s| self.phone.first().lamp(&slot(s)).cloned().unwrap_or_default())
            .collect()
    }

    fn park(&mut self) {
        self.phone.perform(
            self.now,
            LineId(0),
            Effect::Park {
                call: CALL,
                lot: LotId(0),
                slot: None,
                note: Text::default(),
                party: Identity::default(),
            },
        );
        self.run(Duration::from_millis(1));
    }

    fn light(&mut self, user: &str) {
        self.server.light(self.now, user, true);
        self.run(Duration::from_millis(1));
    }

    /// What the server says to the REFER number `i`, as a sipfrag.
    fn report(&mut self, i: usize, status: u16) {
        let (refer, _) = self.server.refers[i];
        self.server.ua.report_refer(self.now, refer, status);
        self.run(Duration::from_millis(1));
    }

    /// Lets time pass; datagrams take none.
    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.exchange();
            let next = [self.phone.next_wake(), self.server.ua.next_wake()].into_iter().flatten().min();
            match next.filter(|at| *at <= until) {
                Some(at) => self.now = at.max(self.now),
                None => break,
            }
            self.phone.wake(self.now);
            self.server.ua.wake(self.now);
        }
        self.now = until;
    }

    fn exchange(&mut self) {
        loop {
            self.server.take_in(self.now);
            let mut quiet = true;
            while let Some(t) = self.phone.poll_transmit() {
                quiet = false;
                self.carry(&t);
                self.server.take_in(self.now);
            }
            while let Some(t) = self.server.ua.poll_transmit() {
                quiet = false;
                match t.to.transport {
                    sip::Transport::Tls => self.phone.receive_stream(self.now, SERVER_BY_TLS, &t.bytes),
                    _ => self.phone.receive(self.now, address(1), &t.bytes),
                }
            }
            if self.phone.has_arrival() {
                self.phone.admit(self.now, CALL);
            }
            while let Some(said) = self.phone.poll_said() {
                match said {
                    (_, Said::Desk(event)) => self.heard.push(event),
                    (_, Said::Sound(SoundStep::Digit { digit, .. })) => self.keys.push(digit),
                    _ => {}
                }
            }
            if quiet {
                return;
            }
        }
    }

    /// Brings the server what the phone sends, by the connection that it opens for that if need be.
    fn carry(&mut self, transmit: &sip::Transmit) {
        if transmit.to.transport != sip::Transport::Tls {
            return self.server.ua.receive(self.now, address(2), &transmit.bytes);
        }
        if !std::mem::replace(&mut self.connected, true) {
            self.phone.flow_opened(self.now, transmit.to, sip::Secured::Tls);
            self.server.ua.flow_opened(self.now, CLIENT, sip::Secured::Tls);
        }
        self.server.ua.receive_stream(self.now, CLIENT, &transmit.bytes);
    }

    fn proven(&self) -> Option<Option<SlotId>> {
        self.heard.iter().find_map(|e| match e {
            Event::ParkProven { slot, .. } => Some(slot.clone()),
            _ => None,
        })
    }

    fn refused(&self) -> Option<String> {
        self.heard.iter().find_map(|e| match e {
            Event::ParkRefused { reason, .. } => Some(reason.to_string()),
            _ => None,
        })
    }
}
