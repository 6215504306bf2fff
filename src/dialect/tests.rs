//! The phone against a scripted server that says what a real Asterisk was heard to say, in virtual time.

use super::*;
use crate::desk::{CallId, Effect, Event, LineId};
use crate::parking::{Lamp, Moment, Text};
use crate::sip::dialog_info::{self, DialogElement, DialogInfo, DialogState};
use crate::sip::message::{Method, NameAddr, Uri};
use crate::sip::sdp::{self, Codec, LocalMedia};
use crate::sip::{self, Account, CallKey, Invite, ReferKey, UaConfig, UserAgent, WatcherKey};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

const CALL: CallId = CallId(7);

fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 5060))
}

fn slot(id: &str) -> SlotId {
    SlotId::new(id).unwrap()
}

/// A server that lets everybody in, lights lamps when told to and keeps every REFER for the test to answer.
struct Server {
    ua: UserAgent,
    watchers: BTreeMap<String, (WatcherKey, u32, bool)>,
    refers: Vec<(ReferKey, String)>,
    call: Option<CallKey>,
    ended: Option<bool>,
    methods: Vec<Method>,
}

struct Scene {
    now: Moment,
    phone: Switchboard,
    server: Server,
    heard: Vec<Event>,
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
                sip::Event::CallEnded { cause, .. } => self.ended = Some(cause.by == sip::EndedBy::Remote),
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
        let state = if lit { DialogState::Confirmed } else { DialogState::Terminated };
        let dialog = DialogElement { id: user.into(), state, ..DialogElement::default() };
        let info =
            DialogInfo { version, full: true, entity: format!("sip:{user}@pbx"), dialogs: vec![dialog] };
        let (watcher, ..) = self.watchers[user];
        self.ua.notify(now, watcher, "application/dialog-info+xml", dialog_info::write(&info));
    }
}

impl Scene {
    /// Registered, three lamps free, Jane talks.
    fn talking() -> Self {
        let account = Account {
            realm: None,
            expires_s: 300,
            ..Account::new(
                NameAddr::new(Uri::sip("reception", "10.0.0.1")),
                address(1),
                "reception",
                "secret".into(),
            )
        };
        let config = PhoneConfig {
            local: address(2),
            media_address: address(2).ip(),
            account,
            dialect: Dialect::named("asterisk", slot("700"), None).unwrap(),
            slots: ["701", "702", "703"].map(slot).to_vec(),
            codecs: vec![Codec::Pcmu],
            tls_verified: true,
            seed: 1.into(),
        };
        let mut phone = Switchboard::new([config]).unwrap();
        phone.add_ports(&[20_000, 20_002]);
        let server = Server {
            ua: UserAgent::new(UaConfig::server(address(1), "scripted", 2)),
            watchers: BTreeMap::new(),
            refers: vec![],
            call: None,
            ended: None,
            methods: vec![],
        };
        let mut scene = Self { now: Duration::from_secs(1), phone, server, heard: vec![] };
        scene.phone.start(scene.now);
        scene.run(Duration::from_secs(2));
        assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
        scene.ring(address(1));
        scene.run(Duration::from_millis(100));
        scene.phone.perform(scene.now, LineId(0), Effect::Answer(CALL));
        scene.run(Duration::from_millis(100));
        assert!(scene.heard.contains(&Event::CallAnswered { call: CALL }));
        scene.heard.clear();
        scene
    }

    fn ring(&mut self, _from: SocketAddr) {
        let media = LocalMedia {
            address: address(1).ip(),
            port: 30_000,
            codecs: vec![Codec::Pcmu],
            direction: sdp::Direction::SendRecv,
            session_id: 1,
            version: 1,
            security: sdp::LocalSecurity::default(),
        };
        let invite = Invite {
            account: None,
            from: Some(NameAddr::new(Uri::sip("0161", "10.0.0.1")).with_display("Jane Doe")),
            target: Uri::sip("reception", "10.0.0.2"),
            send_to: address(2).into(),
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
            Effect::Park { call: CALL, slot: None, note: Text::default() },
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
                self.server.ua.receive(self.now, address(2), &t.bytes);
                self.server.take_in(self.now);
            }
            while let Some(t) = self.server.ua.poll_transmit() {
                quiet = false;
                self.phone.receive(self.now, address(1), &t.bytes);
            }
            if self.phone.has_arrival() {
                self.phone.admit(self.now, CALL);
            }
            while let Some(said) = self.phone.poll_said() {
                if let (_, Said::Desk(event)) = said {
                    self.heard.push(event);
                }
            }
            if quiet {
                return;
            }
        }
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
        let effect = Effect::Park { call: CALL, slot: Some(slot("701")), note: Text::default() };
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

impl Scene {
    /// A request of the server's own in Jane's call, or outside of it.
    fn server_says(&mut self, deed: impl FnOnce(&mut UserAgent, Moment, CallKey)) {
        let call = self.server.call.unwrap();
        deed(&mut self.server.ua, self.now, call);
        self.run(Duration::from_millis(10));
    }

    /// Another call of the server's with these headers, which gets the number 7 unless it takes the place of one.
    fn ring_with(&mut self, headers: &[(&str, &str)]) -> CallKey {
        let media = LocalMedia {
            address: address(1).ip(),
            port: 30_002,
            codecs: vec![Codec::Pcmu],
            direction: sdp::Direction::SendRecv,
            session_id: 2,
            version: 1,
            security: sdp::LocalSecurity::default(),
        };
        let invite = Invite {
            account: None,
            from: Some(NameAddr::new(Uri::sip("0999", "10.0.0.1")).with_display("Mallory")),
            target: Uri::sip("reception", "10.0.0.2"),
            send_to: address(2).into(),
            sdp: sdp::offer(&media),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        };
        self.server.ua.invite(self.now, invite)
    }

    fn told(&self) -> Vec<String> {
        let text = |e: &Event| match e {
            Event::Told(notice) => Some(notice.text.to_string()),
            Event::CallRemarked { remark, .. } => Some(remark.to_string()),
            Event::TransferWished { to, .. } => Some(format!("wishes {to}")),
            Event::DigitHeard { digit, .. } => Some(format!("digit {digit}")),
            _ => None,
        };
        self.heard.iter().filter_map(text).collect()
    }
}

#[test]
fn a_transfer_that_the_other_end_asks_for_is_refused_and_told() {
    let mut scene = Scene::talking();
    scene.server_says(|ua, now, call| {
        let to = NameAddr::new(Uri::sip("205", "10.0.0.1")).with_display("Sa\u{1b}[31mm");
        ua.refer(now, call, to, Vec::new());
    });
    assert_eq!(scene.told(), ["wishes Sa[31mm"]);
    assert_eq!((scene.phone.legs(), scene.server.ended), (1, None), "nobody was called, nothing was ended");
}

#[test]
fn a_message_of_our_server_is_shown_scrubbed_and_one_of_a_stranger_is_not() {
    let mut scene = Scene::talking();
    let ask = |from: &str| sip::Ask {
        account: None,
        from: Some(NameAddr::new(Uri::sip("202", "10.0.0.1")).with_display(from)),
        method: Method::Message,
        target: Uri::sip("reception", "10.0.0.2"),
        send_to: address(2).into(),
        headers: vec![("Content-Type".into(), "text/plain".into())],
        body: b"Mr. \x1b]52;c;x\x07Lopez is \xffhere".to_vec(),
    };
    scene.server_says(|ua, now, _| {
        ua.request(now, ask("Sam"));
    });
    scene.server_says(|ua, now, call| ua.message(now, call, "text/plain", b"two minutes".to_vec()));
    let told = scene.told();
    assert_eq!(told.len(), 2);
    assert!(told[0].starts_with("Sam writes: Mr. ") && !told[0].contains('\u{1b}'), "{told:?}");
    assert!(told[1].ends_with("two minutes"));
    let mut stranger = UserAgent::new(UaConfig::new(address(9), "stranger", 9));
    stranger.request(scene.now, ask("The boss"));
    while let Some(t) = stranger.poll_transmit() {
        scene.phone.receive(scene.now, address(9), &t.bytes);
    }
    scene.run(Duration::from_millis(10));
    assert_eq!(scene.told().len(), 2);
}

#[test]
fn digits_in_info_are_heard() {
    let mut scene = Scene::talking();
    scene.server_says(|ua, now, call| ua.info(now, call, "application/dtmf-relay", b"Signal=5\r\n".to_vec()));
    scene.server_says(|ua, now, call| ua.info(now, call, "application/dtmf", b"#".to_vec()));
    scene.server_says(|ua, now, call| ua.info(now, call, "application/media_control+xml", b"5".to_vec()));
    assert_eq!(scene.told(), ["digit 5", "digit #"]);
}

#[test]
fn a_call_tells_where_it_was_diverted_from() {
    let mut scene = Scene::talking();
    scene.phone.perform(scene.now, LineId::default(), Effect::HangUp(CALL));
    scene.run(Duration::from_secs(1));
    scene.heard.clear();
    scene.ring_with(&[("Diversion", "\"Sam\" <sip:202@10.0.0.1>;reason=user-busy")]);
    scene.run(Duration::from_millis(10));
    assert_eq!(scene.told(), ["diverted from Sam (busy)"]);
}

#[test]
fn a_call_of_our_server_may_take_the_place_of_another_and_nobody_elses_may() {
    let mut scene = Scene::talking();
    let id = scene.server.ua.dialog_id(scene.server.call.unwrap()).unwrap();
    let named = format!("{};to-tag={};from-tag={}", id.call_id, id.remote_tag, id.local_tag);
    // A stranger who knows the tags.
    let mut stranger = UserAgent::new(UaConfig::new(address(9), "stranger", 9));
    let stolen = Invite {
        account: None,
        from: Some(NameAddr::new(Uri::sip("0161", "10.0.0.1"))),
        target: Uri::sip("reception", "10.0.0.2"),
        send_to: address(2).into(),
        sdp: b"v=0".to_vec(),
        headers: vec![("Replaces".into(), named.clone())],
    };
    let theft = stranger.invite(scene.now, stolen);
    while let Some(t) = stranger.poll_transmit() {
        scene.phone.receive(scene.now, address(9), &t.bytes);
    }
    scene.run(Duration::from_millis(10));
    assert_eq!((scene.phone.legs(), scene.server.ended), (1, None));
    let _ = theft;
    // Tags of no call of ours.
    scene.ring_with(&[("Replaces", "nobody;to-tag=1;from-tag=2")]);
    scene.run(Duration::from_millis(10));
    assert!(scene.heard.iter().all(|e| !matches!(e, Event::PartyTold { .. } | Event::CallArrived(_))));
    scene.ring_with(&[("Replaces", &named), ("Require", "replaces")]);
    scene.run(Duration::from_millis(50));
    let joined =
        |e: &Event| matches!(e, Event::PartyTold { call: CALL, party } if party.name.as_str() == "Mallory");
    assert!(scene.heard.iter().any(joined), "{:?}", scene.heard);
    assert_eq!(scene.server.ended, Some(true), "the old leg got its BYE");
    assert_eq!(scene.phone.legs(), 1, "and the operator's call goes on");
    assert!(!scene.heard.iter().any(|e| matches!(e, Event::CallEnded { .. } | Event::CallArrived(_))));
}

#[test]
fn a_call_that_somebody_else_answered_is_not_one_that_gave_up() {
    for (reason, expected) in [
        ("SIP;cause=200;text=\"Call completed elsewhere\"", "answered elsewhere"),
        ("SIP;cause=603", "declined elsewhere"),
        ("SIP;cause=487;text=\"ORIGINATOR_CANCEL\"", ""),
        ("Q.850;cause=16", ""),
    ] {
        let mut scene = Scene::talking();
        scene.phone.perform(scene.now, LineId::default(), Effect::HangUp(CALL));
        scene.run(Duration::from_secs(1));
        scene.heard.clear();
        let call = scene.ring_with(&[]);
        scene.run(Duration::from_millis(10));
        scene.server.ua.hang_up(scene.now, call);
        scene.server.take_in(scene.now);
        while let Some(t) = scene.server.ua.poll_transmit() {
            let text = String::from_utf8(t.bytes).unwrap();
            let text = text.replace("Max-Forwards", &format!("Reason: {reason}\r\nMax-Forwards"));
            scene.phone.receive(scene.now, address(1), text.as_bytes());
        }
        scene.run(Duration::from_millis(10));
        let why = scene.heard.iter().find_map(|e| match e {
            Event::CallEnded { reason, .. } => Some(reason.to_string()),
            _ => None,
        });
        assert_eq!(why.as_deref(), Some(expected), "{reason}");
    }
}

#[test]
fn a_probe_that_has_to_wait_is_given_its_time_when_it_is_sent() {
    let mut scene = Scene::talking();
    scene.park();
    // The server is in the middle of a re-INVITE without an answer to it: the probe can't go out yet.
    let now = scene.now;
    scene.phone.with_first(now, |phone| {
        let key = *phone.by_key.keys().next().unwrap();
        phone.ua.reoffer(now, key, b"v=0".to_vec());
    });
    scene.light("701");
    scene.run(Duration::from_secs(5));
    assert_eq!((scene.refused(), scene.proven()), (None, None), "it has not even been asked");
    assert_eq!(scene.server.refers.len(), 1);
}

#[test]
fn a_park_that_was_given_up_before_it_was_asked_for_is_never_asked_for() {
    let mut scene = Scene::talking();
    let now = scene.now;
    scene.phone.with_first(now, |phone| {
        let key = *phone.by_key.keys().next().unwrap();
        phone.ua.reoffer(now, key, b"v=0".to_vec());
    });
    scene.run(Duration::from_millis(10));
    scene.park();
    // The server never answers the re-INVITE; the operator is told that the park failed.
    scene.run(Duration::from_secs(19));
    assert!(scene.server.refers.is_empty());
    let later = scene.now + Duration::from_secs(60);
    scene.phone.with_first(later, |phone| phone.decide_attempts(later));
    assert!(scene.phone.first().attempts.is_empty());
    scene.run(Duration::from_secs(40));
    assert!(scene.server.refers.is_empty(), "the REFER that waited was taken back");
}

#[test]
fn digits_go_in_info_where_the_other_end_takes_no_telephone_event() {
    let mut scene = Scene::talking();
    scene.phone.perform(scene.now, LineId::default(), Effect::SendDigit { call: CALL, digit: '5' });
    let by_sound = |said: &Said| matches!(said, Said::Sound(SoundStep::Digit { digit: '5', .. }));
    assert!(std::iter::from_fn(|| scene.phone.poll_said()).any(|(_, said)| by_sound(&said)));
    let offer =
        b"v=0\r\no=- 1 9 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n";
    let now = scene.now;
    scene.phone.with_first(now, |phone| {
        let key = *phone.by_key.keys().next().unwrap();
        phone.offer_received(now, key, offer);
    });
    scene.phone.perform(scene.now, LineId::default(), Effect::SendDigit { call: CALL, digit: '6' });
    assert!(
        !std::iter::from_fn(|| scene.phone.poll_said())
            .any(|(_, s)| matches!(s, Said::Sound(SoundStep::Digit { .. })))
    );
    let sent = std::iter::from_fn(|| scene.phone.poll_transmit()).map(|t| t.bytes);
    let told: Vec<String> = sent.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    assert!(told.iter().any(|text| text.starts_with("INFO ") && text.contains("Signal=6")), "{told:?}");
}
