//! Lamps against a scripted server: here is the bench. By which package they are asked for is in `packages`, many at once in
//! `lists`, what is believed of what is told in `words`.

mod lists;
mod packages;
mod words;

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
        let lot = LotNumbers::new(slot("700"), ["701", "702", "703"].map(slot).to_vec());
        let mut dialect = Dialect::named("asterisk", lot).unwrap();
        change(&mut dialect);
        let aor = NameAddr::new(Uri::sip("reception", "10.0.0.1"));
        let config = PhoneConfig {
            local: address(2),
            media_address: address(2).ip(),
            account: Account::new(aor, address(1), "reception", "secret".into()),
            dialect,
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

fn asks(users: &[&str], package: &str) -> Vec<(String, String)> {
    users.iter().map(|user| ((*user).to_owned(), package.to_owned())).collect()
}

/// What the last word about a slot said of a gap.
fn gap(scene: &Scene, id: &str) -> bool {
    scene.report(id).gap
}
