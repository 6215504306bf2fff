//! The phone against a scripted server that says what a real Asterisk was heard to say, in virtual time.

mod secure;
mod told;
mod told_by_ami;
mod ways;

use super::*;
use crate::desk::{CallId, Effect, Event, LineId};
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

impl Scene {
    /// Registered, three lamps free, Jane talks.
    fn talking() -> Self {
        Self::talking_in("asterisk")
    }

    /// The same with a server of that kind.
    fn talking_in(dialect: &str) -> Self {
        let dialect = Dialect::named(dialect, slot("700"), None).unwrap();
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
        Self::registered_in(Dialect::named("asterisk", slot("700"), None).unwrap(), security)
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
            slots: ["701", "702", "703"].map(slot).to_vec(),
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
            Effect::Park { call: CALL, slot: None, note: Text::default(), party: Identity::default() },
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

#[test]
fn our_leg_ends_only_when_lamp_and_probe_have_proven_the_park() {
    let mut scene = Scene::talking();
    scene.park();
    assert_eq!(scene.server.refers[0].1, "700");
    assert_eq!(scene.server.ended, None);
    scene.report(0, 200);
    assert_eq!((scene.proven(), scene.server.ended), (None, None), "neither 202 nor sipfrag 200 is proof");
    scene.light("701");
    assert_eq!((scene.proven(), scene.server.ended), (None, None), "the lamp may be somebody else's");
    assert_eq!(scene.server.refers[1].1, "700", "the probe");
    scene.report(1, 400);
    assert_eq!(scene.proven(), Some(Some(slot("701"))));
    assert_eq!(scene.server.ended, Some(true));
    assert_eq!(scene.phone.legs(), 0);
}

/// As a real Asterisk does it: its NOTIFYs have no id, so the probe's answer arrives as that of the first REFER.
#[test]
fn the_answer_to_a_probe_proves_the_park_though_it_names_no_refer() {
    let mut scene = Scene::talking();
    scene.light("702");
    scene.light("703");
    scene.park();
    scene.light("701");
    scene.report(0, 400);
    assert_eq!(scene.proven(), Some(Some(slot("701"))), "{:?}", scene.refused());
    assert_eq!(scene.server.ended, Some(true));
}

#[test]
fn a_refusal_that_names_no_refer_is_the_probes_as_asterisk_sends_it() {
    let mut scene = Scene::talking();
    scene.light("701");
    scene.light("702");
    scene.park();
    scene.light("703");
    assert_eq!(scene.server.refers.len(), 2, "the probe is out");
    scene.report(0, 400);
    assert_eq!(scene.proven(), Some(Some(slot("703"))), "the last slot is ours, and no timeout was needed");
    assert_eq!((scene.refused(), scene.server.ended), (None, Some(true)));
}

#[test]
fn the_last_slot_taken_by_somebody_else_keeps_the_caller_here() {
    let mut scene = Scene::talking();
    scene.light("701");
    scene.light("702");
    scene.park();
    scene.light("703");
    scene.run(Duration::from_secs(4));
    assert_eq!(scene.proven(), None);
    assert!(scene.refused().unwrap().contains("full"), "{:?}", scene.refused());
    assert_eq!(scene.server.ended, None, "the caller is still with us");
}

#[test]
fn a_probe_that_parks_after_all_is_noticed() {
    let mut scene = Scene::talking();
    scene.light("701");
    scene.light("702");
    scene.park();
    scene.light("703");
    scene.run(Duration::from_secs(2));
    assert!(scene.refused().is_some());
    // 702 becomes free, and the server gets round to the probe.
    scene.server.light(scene.now, "702", false);
    scene.run(Duration::from_millis(50));
    scene.light("702");
    assert_eq!(scene.server.refers.len(), 3, "a lamp in the aftermath is probed again");
    scene.report(2, 400);
    assert_eq!(scene.proven(), Some(Some(slot("702"))));
}

#[test]
fn the_servers_sign_that_the_leg_is_connected_again_means_failure() {
    let mut scene = Scene::talking();
    scene.light("701");
    scene.light("702");
    scene.park();
    scene.light("703");
    let call = scene.server.call.unwrap();
    let identity = ("P-Asserted-Identity".to_owned(), "<sip:0161@10.0.0.1>".to_owned());
    scene.server.ua.update(scene.now, call, vec![identity]);
    scene.run(Duration::from_millis(20));
    assert!(scene.refused().unwrap().contains("last slot"), "{:?}", scene.refused());
    assert_eq!(scene.server.ended, None);
}

#[test]
fn without_a_lamp_the_lamps_are_asked_again_and_the_caller_stays() {
    let mut scene = Scene::talking();
    scene.park();
    let asked = |scene: &Scene| scene.server.methods.iter().filter(|m| **m == Method::Subscribe).count();
    let before = asked(&scene);
    scene.run(Duration::from_secs(4));
    assert!(asked(&scene) >= before, "renewals stay in their dialogs");
    scene.run(Duration::from_secs(8));
    assert!(scene.refused().unwrap().contains("no lamp lit"), "{:?}", scene.refused());
    assert_eq!(scene.server.ended, None);
}

#[test]
fn a_lost_lamp_is_found_by_asking_again() {
    let mut scene = Scene::talking();
    scene.park();
    // Lit, but its NOTIFY never came.
    scene.server.watchers.get_mut("702").unwrap().2 = true;
    scene.run(Duration::from_secs(4));
    assert_eq!(scene.server.refers.len(), 2, "found by the renewed subscription, and probed");
    scene.report(1, 400);
    assert_eq!(scene.proven(), Some(Some(slot("702"))));
}

#[test]
fn a_second_lamp_within_a_moment_casts_doubt_on_the_first() {
    let mut scene = Scene::talking();
    scene.park();
    scene.light("702");
    scene.report(1, 400);
    assert_eq!(scene.proven(), Some(Some(slot("702"))));
    scene.light("701");
    let doubted = Event::ParkDoubted { slots: vec![slot("702"), slot("701")] };
    assert!(scene.heard.contains(&doubted), "{:?}", scene.heard);
}

#[test]
fn nothing_is_ever_referred_to_a_slot() {
    let mut scene = Scene::talking();
    for typed in ["701", "700"] {
        let effect = Effect::Park {
            call: CALL,
            slot: Some(slot("701")),
            note: Text::default(),
            party: Identity::default(),
        };
        if typed == "701" {
            scene.phone.perform(scene.now, LineId(0), effect);
        } else {
            scene.phone.perform(scene.now, LineId(0), Effect::Transfer { call: CALL, to: typed.into() });
        }
        scene.run(Duration::from_millis(5));
    }
    assert!(scene.server.refers.iter().all(|(_, target)| target == "700"), "{:?}", scene.server.refers);
}

#[test]
fn an_older_state_changes_nothing_and_is_asked_about() {
    let mut scene = Scene::talking();
    scene.light("701");
    scene.heard.clear();
    scene.server.say_lamp(scene.now, "701", false, 0);
    scene.run(Duration::from_millis(1));
    assert_eq!(scene.lamps()[0], Lamp::Parked);
    assert!(!scene.heard.iter().any(|e| matches!(e, Event::LampChanged { .. })));
}

#[test]
fn a_silent_server_makes_every_lamp_stale_and_a_talking_one_fresh() {
    let mut scene = Scene::talking();
    // The wire is cut: what the phone sends goes nowhere.
    let until = scene.now + Duration::from_secs(30);
    while scene.now < until {
        while scene.phone.poll_transmit().is_some() {}
        while let Some(said) = scene.phone.poll_said() {
            if let (_, Said::Desk(event)) = said {
                scene.heard.push(event);
            }
        }
        scene.now =
            scene.phone.next_wake().unwrap_or(until).clamp(scene.now + Duration::from_millis(1), until);
        scene.phone.wake(scene.now);
    }
    assert!(scene.heard.contains(&Event::Unreachable));
    assert!(scene.lamps().iter().all(|l| matches!(l, Lamp::Stale { .. })), "{:?}", scene.lamps());
    scene.run(Duration::from_secs(12));
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
}

#[test]
fn what_an_operator_types_becomes_a_uri_of_ours() {
    let scene = Scene::talking();
    let typed = |text: &str| scene.phone.first().uri_typed(text).map(|u| u.to_string());
    assert_eq!(typed("0161 496-0100").as_deref(), Some("sip:01614960100@10.0.0.1"));
    assert_eq!(typed("+44 (20) 7946").as_deref(), Some("sip:+44207946@10.0.0.1"));
    assert_eq!(typed("sam").as_deref(), Some("sip:sam@10.0.0.1"));
    assert_eq!(typed("sam@example.com").as_deref(), Some("sip:sam@example.com"));
    assert_eq!(typed("a b"), None);
    assert_eq!(typed(&"9".repeat(400)), None);
    assert_eq!(typed("1\r\nVia: x"), None);
}

/// Asterisk holds our leg for up to a minute then, without a BYE.
#[test]
fn a_caller_who_goes_just_after_a_failed_park_is_told_and_nothing_is_ended_on_the_hint() {
    let mut scene = Scene::talking();
    scene.light("701");
    scene.light("702");
    scene.park();
    scene.light("703");
    scene.run(Duration::from_secs(2));
    assert!(scene.refused().is_some());
    scene.report(0, 503);
    let told =
        |e: &Event| matches!(e, Event::Told(notice) if notice.text.as_str().contains("this caller has gone"));
    assert!(scene.heard.iter().any(told), "{:?}", scene.heard);
    assert_eq!(scene.server.ended, None);
}
