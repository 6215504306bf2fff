//! Lamps by list, by dialog, by presence and by callpark, and the voicemail lamp, against a scripted server.

use super::*;
use crate::desk::{Effect, Event, LampReport, LineId, Messages, SlotKey};
use crate::parking::{Lamp, Moment};
use crate::sip::callpark::{self, CallPark};
use crate::sip::dialog_info::{self, DialogElement, DialogInfo, DialogState, Party};
use crate::sip::message::{Method, NameAddr, Uri};
use crate::sip::presence::{self, Activity, Presence, Tuple};
use crate::sip::sdp::Codec;
use crate::sip::{self, Account, UaConfig, UserAgent, WatcherKey, message_summary};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

pub(super) const DIALOG: &str = "application/dialog-info+xml";
const LIST: &str = "multipart/related;type=\"application/rlmi+xml\";boundary=amwbz";

fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 5060))
}

fn slot(id: &str) -> SlotId {
    SlotId::new(id).unwrap()
}

pub(super) fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Which status a SUBSCRIBE for this user and package gets; `None` admits it.
pub(super) type Policy = fn(&str, &str) -> Option<u16>;

pub(super) struct Scene {
    pub now: Moment,
    pub phone: Switchboard,
    server: UserAgent,
    policy: Policy,
    /// By user and package.
    watchers: BTreeMap<(String, String), WatcherKey>,
    /// Every SUBSCRIBE: user and package.
    asked: Vec<(String, String)>,
    /// What is told at the beginning and with every refresh.
    states: BTreeMap<(String, String), (String, Vec<u8>)>,
    pub heard: Vec<Event>,
}

impl Scene {
    fn new(change: impl FnOnce(&mut Dialect), policy: Policy) -> Self {
        Self::with_staff(change, policy, &[])
    }

    pub fn with_staff(change: impl FnOnce(&mut Dialect), policy: Policy, staff: &[&str]) -> Self {
        let mut dialect = Dialect::named("asterisk", slot("700"), None).unwrap();
        change(&mut dialect);
        let aor = NameAddr::new(Uri::sip("reception", "10.0.0.1"));
        let config = PhoneConfig {
            local: address(2),
            media_address: address(2).ip(),
            account: Account::new(aor, address(1), "reception", "secret".into()),
            dialect,
            slots: ["701", "702", "703"].map(slot).to_vec(),
            codecs: vec![Codec::Pcmu],
            security: crate::dialect::MediaSecurity::default(),
            staff: staff.iter().map(ToString::to_string).collect(),
            team: Vec::new(),
            seed: 1.into(),
        };
        Self {
            now: s(1),
            phone: Switchboard::new([config]).unwrap(),
            server: UserAgent::new(UaConfig::server(address(1), "scripted", 2)),
            policy,
            watchers: BTreeMap::new(),
            asked: vec![],
            states: BTreeMap::new(),
            heard: vec![],
        }
    }

    pub fn start(mut self) -> Self {
        self.phone.start(self.now);
        self.run(s(2));
        self
    }

    pub fn keep(&mut self, user: &str, package: &str, content_type: &str, body: &[u8]) {
        self.states.insert((user.into(), package.into()), (content_type.into(), body.to_vec()));
    }

    /// The same for all slots, by dialog.
    fn keep_all(&mut self, body: &[u8]) {
        for id in ["701", "702", "703"] {
            self.keep(id, "dialog", DIALOG, body);
        }
    }

    pub fn tell(&mut self, user: &str, package: &str, content_type: &str, body: &[u8]) {
        let watcher = self.watchers[&(user.to_owned(), package.to_owned())];
        self.server.notify(self.now, watcher, content_type, body.to_vec());
        self.run(Duration::from_millis(1));
    }

    fn lamps(&self) -> [Lamp; 3] {
        ["701", "702", "703"].map(|id| self.phone.first().lamp(&slot(id)).cloned().unwrap())
    }

    pub fn asked(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.asked)
    }

    fn report(&self, id: &str) -> LampReport {
        let of = |event: &Event| match event {
            Event::LampChanged { slot, report } if slot.as_str() == id => Some(report.clone()),
            _ => None,
        };
        self.heard.iter().rev().find_map(of).unwrap()
    }

    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.exchange();
            let next = [self.phone.next_wake(), self.server.next_wake()].into_iter().flatten().min();
            match next.filter(|at| *at <= until) {
                Some(at) => self.now = at.max(self.now),
                None => break,
            }
            self.phone.wake(self.now);
            self.server.wake(self.now);
        }
        self.now = until;
    }

    fn exchange(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(event) = self.server.poll_event() {
                self.serve(event);
            }
            while let Some(t) = self.phone.poll_transmit() {
                quiet = false;
                self.server.receive(self.now, address(2), &t.bytes);
            }
            while let Some(t) = self.server.poll_transmit() {
                quiet = false;
                self.phone.receive(self.now, address(1), &t.bytes);
            }
            while let Some((_, said)) = self.phone.poll_said() {
                if let Said::Desk(event) = said {
                    self.heard.push(event);
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn serve(&mut self, event: sip::Event) {
        let now = self.now;
        match event {
            sip::Event::RequestReceived { key, request, .. } if request.method == Method::Subscribe => {
                let user = request.uri.user.clone().unwrap_or_default();
                let package = request.headers.get("Event").unwrap_or_default().to_owned();
                self.asked.push((user.clone(), package.clone()));
                if let Some(status) = (self.policy)(&user, &package) {
                    return self.server.answer(now, key, status, vec![], vec![]);
                }
                let watcher = self.server.admit_watcher(now, key, 300).unwrap();
                if let Some((content_type, body)) = self.states.get(&(user.clone(), package.clone())) {
                    self.server.notify(now, watcher, content_type, body.clone());
                }
                self.watchers.insert((user, package), watcher);
            }
            sip::Event::RequestReceived { key, request, .. } => {
                let contact = request.headers.get("Contact").unwrap_or_default().to_owned();
                let headers = vec![("Contact".into(), contact), ("Expires".into(), "3600".into())];
                self.server.answer(now, key, 200, headers, vec![]);
            }
            sip::Event::WatcherRefreshed { watcher } => {
                let name =
                    self.watchers.iter().find(|(_, held)| **held == watcher).map(|(name, _)| name.clone());
                let Some(name) = name else { return };
                self.asked.push(name.clone());
                if let Some((content_type, body)) = self.states.get(&name) {
                    self.server.notify(now, watcher, content_type, body.clone());
                }
            }
            _ => {}
        }
    }
}

fn dialogs(version: u32, state: DialogState) -> Vec<u8> {
    let dialog = DialogElement { id: "d".into(), state, ..DialogElement::default() };
    dialog_info::write(&DialogInfo { version, full: true, entity: "sip:x@pbx".into(), dialogs: vec![dialog] })
}

/// A list's NOTIFY as Asterisk writes it: slots with their state, `None` for one that is terminated.
fn list(version: u32, full: bool, slots: &[(&str, Option<(u32, DialogState)>)]) -> Vec<u8> {
    let mut resources = String::new();
    let mut parts = String::new();
    for (id, state) in slots {
        let instance = match state {
            Some((version, state)) => {
                let body = String::from_utf8(dialogs(*version, *state)).unwrap();
                parts +=
                    &format!("--amwbz\r\nContent-ID: <c{id}@h>\r\nContent-Type: {DIALOG}\r\n\r\n{body}\r\n");
                format!("<instance id=\"i\" state=\"active\" cid=\"c{id}@h\"/>")
            }
            None => "<instance id=\"i\" state=\"terminated\" reason=\"noresource\"/>".to_owned(),
        };
        resources += &format!("<resource uri=\"sip:{id}@10.0.0.1\">{instance}</resource>");
    }
    format!(
        "--amwbz\r\nContent-ID: <r@h>\r\nContent-Type: application/rlmi+xml\r\n\r\n<list uri=\"sip:parks@h\" \
         version=\"{version}\" fullState=\"{full}\">{resources}</list>\r\n{parts}--amwbz--\r\n"
    )
    .into_bytes()
}

const FREE: Option<(u32, DialogState)> = Some((0, DialogState::Terminated));

fn with_list(policy: Policy) -> Scene {
    let mut scene = Scene::new(|dialect| dialect.list = SlotId::new("parks"), policy);
    scene.keep("parks", "dialog", LIST, &list(0, true, &[("701", FREE), ("702", FREE), ("703", FREE)]));
    scene
}

fn asks(users: &[&str], package: &str) -> Vec<(String, String)> {
    users.iter().map(|user| ((*user).to_owned(), package.to_owned())).collect()
}

#[test]
fn one_subscription_to_a_list_lights_all_lamps() {
    let mut scene = with_list(|_, _| None).start();
    assert_eq!(scene.asked(), asks(&["parks"], "dialog"));
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
    let lit = list(1, false, &[("702", Some((1, DialogState::Confirmed)))]);
    scene.tell("parks", "dialog", LIST, &lit);
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Parked, Lamp::Free]);
    assert!(scene.asked().is_empty());
}

#[test]
fn a_gap_in_the_list_changes_nothing_and_asks_for_all_of_it() {
    for version in [0, 2, 7] {
        let mut scene = with_list(|_, _| None).start();
        scene.asked();
        scene.tell(
            "parks",
            "dialog",
            LIST,
            &list(version, false, &[("702", Some((1, DialogState::Confirmed)))]),
        );
        assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free], "version {version}");
        scene.keep(
            "parks",
            "dialog",
            LIST,
            &list(9, true, &[("701", FREE), ("702", Some((5, DialogState::Confirmed))), ("703", FREE)]),
        );
        scene.run(s(1));
        assert_eq!(scene.asked(), asks(&["parks"], "dialog"), "version {version}");
        assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Parked, Lamp::Free], "version {version}");
    }
}

#[test]
fn where_the_server_has_no_list_every_slot_is_asked_for() {
    for policy in [
        (|user, _| (user == "parks").then_some(404)) as Policy,
        |user, _| (user == "parks").then_some(420),
        |user, _| (user == "parks").then_some(489),
    ] {
        let mut scene = with_list(policy);
        scene.keep_all(&dialogs(0, DialogState::Terminated));
        let mut scene = scene.start();
        assert_eq!(scene.asked(), asks(&["parks", "701", "702", "703"], "dialog"));
        assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
        scene.run(s(1000));
        assert!(!scene.asked().iter().any(|(user, _)| user == "parks"));
    }
    // And where "parks" turns out to be a slot like any other.
    let mut scene = with_list(|_, _| None);
    scene.keep("parks", "dialog", DIALOG, &dialogs(0, DialogState::Terminated));
    scene.keep_all(&dialogs(0, DialogState::Terminated));
    let mut scene = scene.start();
    assert_eq!(scene.asked().len(), 4);
}

#[test]
fn a_slot_that_the_list_leaves_out_or_gives_up_is_asked_for_by_itself() {
    let mut scene = with_list(|_, _| None);
    scene.keep("parks", "dialog", LIST, &list(0, true, &[("701", FREE), ("703", FREE)]));
    scene.keep("702", "dialog", DIALOG, &dialogs(0, DialogState::Confirmed));
    let mut scene = scene.start();
    assert_eq!(scene.asked(), asks(&["parks", "702"], "dialog"));
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Parked, Lamp::Free]);
    scene.keep("703", "dialog", DIALOG, &dialogs(4, DialogState::Terminated));
    scene.tell("parks", "dialog", LIST, &list(1, false, &[("703", None)]));
    assert_eq!(scene.asked(), asks(&["703"], "dialog"));
    // Once the list has it again, one subscription is enough.
    scene.tell("parks", "dialog", LIST, &list(2, true, &[("701", FREE), ("702", FREE), ("703", FREE)]));
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
    assert_eq!(scene.phone.census().subscriptions, 1);
}

#[test]
fn a_server_that_knows_only_presence_is_asked_for_that() {
    let busy = |word: bool, open: bool| {
        presence::write(&Presence {
            tuples: vec![Tuple { id: "t".into(), open: Some(open), ..Tuple::default() }],
            activities: if word { vec![Activity::OnThePhone] } else { vec![] },
            ..Presence::default()
        })
    };
    let mut scene = Scene::new(|_| {}, |_, package| (package == "dialog").then_some(489));
    scene.keep("701", "presence", presence::CONTENT_TYPE, &busy(true, true));
    scene.keep("702", "presence", presence::CONTENT_TYPE, &busy(false, true));
    scene.keep("703", "presence", presence::CONTENT_TYPE, &busy(false, false));
    let mut scene = scene.start();
    assert_eq!(
        scene.lamps(),
        [Lamp::Parked, Lamp::Free, Lamp::Unknown],
        "closed says nothing of parked calls"
    );
    let asked = scene.asked();
    // The one that is unknown is asked for once more when the server first answers a probe.
    assert!((3..=4).contains(&asked.iter().filter(|(_, package)| package == "presence").count()));
    scene.run(s(2000));
    assert!(scene.asked().iter().all(|(_, package)| package == "presence"), "the other is not tried again");
}

#[test]
fn a_server_that_knows_neither_says_so_on_the_lamp() {
    let scene = Scene::new(|_| {}, |_, _| Some(489)).start();
    assert!(scene.lamps().iter().all(|lamp| matches!(lamp, Lamp::Refused { .. })));
}

#[test]
fn a_callpark_body_names_who_is_parked() {
    let jane = || Party { display: Some("Jane".into()), uri: "sip:7@x".into(), ..Party::default() };
    let body = callpark::write(&CallPark { parked: Some(jane()) });
    let text = String::from_utf8(body.clone()).unwrap();
    let lamp = String::from_utf8(dialogs(0, DialogState::Confirmed)).unwrap();
    let mixed = format!(
        "--b\r\nContent-Type: {DIALOG}\r\n\r\n{lamp}\r\n--b\r\nContent-Type: {}\r\n\r\n{text}\r\n--b--\r\n",
        callpark::CONTENT_TYPE
    );
    let inside = lamp.replace(
        "</dialog>",
        "<callpark><parked><identity display=\"Jane\">sip:7@x</identity></parked></callpark></dialog>",
    );
    let mut scene = Scene::new(|_| {}, |_, _| None);
    scene.keep("701", "dialog", callpark::CONTENT_TYPE, &body);
    scene.keep("702", "dialog", "multipart/mixed; boundary=b", mixed.as_bytes());
    scene.keep("703", "dialog", DIALOG, inside.as_bytes());
    let mut scene = scene.start();
    for id in ["701", "702", "703"] {
        let report = scene.report(id);
        assert_eq!(
            (report.lamp, report.parkee.unwrap().name.to_string()),
            (Lamp::Parked, "Jane".into()),
            "{id}"
        );
    }
    scene.tell("701", "dialog", callpark::CONTENT_TYPE, &callpark::write(&CallPark::default()));
    assert_eq!(scene.report("701").lamp, Lamp::Free);
}

#[test]
fn messages_are_told_where_there_is_a_mailbox_and_forgotten_with_the_subscription() {
    let mut scene = Scene::new(|dialect| dialect.has_mailbox = true, |_, _| None);
    let body = b"Messages-Waiting: yes\r\nVoice-Message: 2/8 (1/0)\r\n";
    scene.keep("reception", message_summary::EVENT, message_summary::CONTENT_TYPE, body);
    let mut scene = scene.start();
    let told = Messages { waiting: true, new: Some(2), old: Some(8), urgent: 1 };
    assert!(scene.heard.contains(&Event::MessagesTold(Some(told))));
    let watcher = scene.watchers[&("reception".to_owned(), message_summary::EVENT.to_owned())];
    scene.policy = |_, _| Some(404);
    scene.server.dismiss(scene.now, watcher, "noresource");
    scene.run(s(1));
    let last = scene.heard.iter().rev().find(|event| matches!(event, Event::MessagesTold(_)));
    assert_eq!(last, Some(&Event::MessagesTold(None)));
    // Without a mailbox nobody asks.
    let mut scene = Scene::new(|_| {}, |_, _| None).start();
    assert!(!scene.asked().iter().any(|(_, package)| package == message_summary::EVENT));
}

#[test]
fn every_lamp_says_until_when_it_holds_and_is_confirmed_by_refreshes() {
    let mut scene = Scene::new(|_| {}, |_, _| None);
    scene.keep_all(&dialogs(0, DialogState::Terminated));
    let mut scene = scene.start();
    let until = scene.report("701").fresh_until.unwrap();
    assert!(until > scene.now + s(290) && until <= scene.now + s(300));
    scene.heard.clear();
    scene.run(s(290));
    for id in ["701", "702", "703"] {
        let confirmed = scene.heard.iter().any(
            |event| matches!(event, Event::LampConfirmed { slot, until: later } if slot.as_str() == id && *later > until),
        );
        assert!(confirmed, "{id}");
    }
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
}

#[test]
fn a_server_that_talks_nonsense_is_asked_ever_more_rarely_and_the_lamp_says_why() {
    for body in [b"<dialog-info".to_vec(), dialogs(0, DialogState::Confirmed)[..60].to_vec()] {
        let mut scene = Scene::new(|_| {}, |_, _| None);
        scene.keep_all(&body);
        let mut scene = scene.start();
        scene.asked();
        scene.run(s(600));
        let asked = scene.asked().len();
        assert!(asked < 3 * 40, "{asked}");
        for lamp in scene.lamps() {
            let Lamp::Refused { reason } = lamp else { panic!("{lamp:?}") };
            assert!(reason.as_str().contains("can't be read"), "{reason}");
        }
    }
}

#[test]
fn a_repeated_state_changes_nothing_and_an_older_one_asks_once() {
    let mut scene = Scene::new(|_| {}, |_, _| None);
    scene.keep_all(&dialogs(5, DialogState::Terminated));
    let mut scene = scene.start();
    scene.asked();
    scene.tell("701", "dialog", DIALOG, &dialogs(5, DialogState::Terminated));
    scene.run(s(1));
    assert!(scene.asked().is_empty(), "the same again");
    scene.tell("701", "dialog", DIALOG, &dialogs(3, DialogState::Confirmed));
    assert_eq!(scene.lamps()[0], Lamp::Free);
    scene.run(s(1));
    assert_eq!(scene.asked(), asks(&["701"], "dialog"));
}

/// What the last word about a slot said of a gap.
fn gap(scene: &Scene, id: &str) -> bool {
    scene.report(id).gap
}

#[test]
fn a_word_that_was_missed_is_told_of_and_a_refresh_that_follows_the_last_word_is_none() {
    let mut scene = Scene::new(|_| (), |_, _| None);
    scene.keep_all(&dialogs(0, DialogState::Terminated));
    let mut scene = scene.start();
    scene.tell("701", "dialog", DIALOG, &dialogs(1, DialogState::Confirmed));
    assert!(!gap(&scene, "701"));
    // Asked of our own accord, told once more: nothing lay between.
    scene.keep("701", "dialog", DIALOG, &dialogs(2, DialogState::Confirmed));
    let now = scene.now;
    scene.phone.perform(now, LineId(0), Effect::AskLamp(SlotKey { line: LineId(0), id: slot("701") }));
    scene.run(s(1));
    assert!(!gap(&scene, "701"));
    scene.tell("701", "dialog", DIALOG, &dialogs(4, DialogState::Confirmed));
    assert!(gap(&scene, "701"), "the third word is missing");
    scene.tell("701", "dialog", DIALOG, &dialogs(5, DialogState::Confirmed));
    assert!(!gap(&scene, "701"), "said once");
}

#[test]
fn in_another_dialog_of_the_subscription_anything_may_have_happened_before() {
    let mut scene = Scene::new(|_| (), |_, _| None);
    scene.keep_all(&dialogs(0, DialogState::Terminated));
    let mut scene = scene.start();
    scene.tell("701", "dialog", DIALOG, &dialogs(1, DialogState::Confirmed));
    // The server gives it up; the new one begins as if it went on where the old one ended.
    scene.keep("701", "dialog", DIALOG, &dialogs(2, DialogState::Confirmed));
    let watcher = scene.watchers[&("701".to_owned(), "dialog".to_owned())];
    scene.server.dismiss(scene.now, watcher, "deactivated");
    scene.run(s(3));
    assert_eq!(scene.lamps()[0], Lamp::Parked);
    assert!(gap(&scene, "701"));
}

#[test]
fn a_list_that_missed_nothing_has_no_gap_though_its_slots_count_by_leaps() {
    let mut scene = with_list(|_, _| None).start();
    let lit = |list_version, version| {
        list(list_version, false, &[("702", Some((version, DialogState::Confirmed)))])
    };
    scene.tell("parks", "dialog", LIST, &lit(1, 1));
    scene.tell("parks", "dialog", LIST, &list(2, false, &[("701", Some((2, DialogState::Confirmed)))]));
    scene.tell("parks", "dialog", LIST, &lit(3, 3));
    assert!(!gap(&scene, "702"));
    // A list is missing: the full one is asked for, and whoever is there now is anybody.
    scene.keep(
        "parks",
        "dialog",
        LIST,
        &list(6, true, &[("701", FREE), ("702", Some((6, DialogState::Confirmed))), ("703", FREE)]),
    );
    scene.tell("parks", "dialog", LIST, &lit(5, 5));
    scene.run(s(2));
    assert!(gap(&scene, "702"));
}
