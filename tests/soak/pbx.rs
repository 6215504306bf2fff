//! The server of the soak: registers whoever asks, tells slots by dialog-info, calls now and then. A restart forgets
//! everything but who is parked where.

use parkdeck::sip::dialog_info::{self, DialogElement, DialogInfo, DialogState};
use parkdeck::sip::message::{Method, NameAddr, Request, Uri};
use parkdeck::sip::{CallKey, Event, Invite, Moment, Peer, UaConfig, UserAgent, WatcherKey};
use std::collections::BTreeMap;

pub struct Pbx {
    pub agent: UserAgent,
    address: Peer,
    /// By slot: whether somebody is parked there.
    pub slots: Vec<bool>,
    /// Who watches which slot, and the version told last.
    watchers: BTreeMap<WatcherKey, (usize, u32)>,
    /// Where the phone registered.
    pub contact: Option<Uri>,
    pub calls: Vec<CallKey>,
    lives: u64,
}

impl Pbx {
    pub fn new(address: Peer, slots: usize, seed: u64) -> Self {
        let agent = UserAgent::new(UaConfig::server(address.address, "soak", seed));
        let (watchers, slots) = (BTreeMap::new(), vec![false; slots]);
        Self { agent, address, slots, watchers, contact: None, calls: Vec::new(), lives: seed }
    }

    /// Everything is forgotten but the slots.
    pub fn restart(&mut self) {
        self.lives += 1_000_003;
        self.agent = UserAgent::new(UaConfig::server(self.address.address, "soak", self.lives));
        self.watchers.clear();
        self.contact = None;
        self.calls.clear();
    }

    /// Somebody is parked, or fetched.
    pub fn toggle(&mut self, now: Moment, slot: usize) {
        self.slots[slot] = !self.slots[slot];
        let keys: Vec<WatcherKey> =
            self.watchers.iter().filter(|(_, (watched, _))| *watched == slot).map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.tell(now, key));
    }

    fn tell(&mut self, now: Moment, key: WatcherKey) {
        let Some((slot, version)) = self.watchers.get_mut(&key) else { return };
        let state = if self.slots[*slot] { DialogState::Confirmed } else { DialogState::Terminated };
        let dialog = DialogElement { id: slot.to_string(), state, ..DialogElement::default() };
        let entity = format!("sip:{slot}@pbx");
        let info = DialogInfo { version: *version, full: true, entity, dialogs: vec![dialog] };
        *version += 1;
        self.agent.notify(now, key, dialog_info::CONTENT_TYPE, dialog_info::write(&info));
    }

    /// Rings the phone.
    pub fn call(&mut self, now: Moment, phone: Peer) {
        let Some(contact) = self.contact.clone() else { return };
        let call = self.agent.invite(
            now,
            Invite {
                account: None,
                from: Some(NameAddr::new(Uri::sip("0161", "pbx"))),
                target: contact,
                send_to: phone,
                sdp: b"v=0 offer".to_vec(),
                headers: Vec::new(),
            },
        );
        self.calls.push(call);
    }

    pub fn take_in(&mut self, now: Moment, event: Event) {
        match event {
            Event::RequestReceived { key, request, .. } => match request.method {
                Method::Register => {
                    let contacts = request.headers.contacts();
                    let leaving = request.headers.expires() == Some(0);
                    self.contact = contacts.first().map(|c| c.uri.clone()).filter(|_| !leaving);
                    let contact = request.headers.get("Contact").unwrap_or_default().to_owned();
                    let headers =
                        vec![("Contact".to_owned(), contact), ("Expires".to_owned(), "3600".to_owned())];
                    self.agent.answer(now, key, 200, headers, Vec::new());
                }
                Method::Subscribe => self.admit(now, key, &request),
                _ => self.agent.answer(now, key, 200, Vec::new(), Vec::new()),
            },
            Event::WatcherRefreshed { watcher } => self.tell(now, watcher),
            Event::WatcherLeft { watcher } => {
                self.watchers.remove(&watcher);
            }
            Event::OfferReceived { call, .. } => {
                self.agent.answer_offer(now, call, Ok(b"v=0 answer".to_vec()))
            }
            Event::CallEnded { call, .. } => self.calls.retain(|held| *held != call),
            _ => {}
        }
    }

    fn admit(&mut self, now: Moment, key: parkdeck::sip::RequestKey, request: &Request) {
        let slot = request.uri.user.as_deref().and_then(|user| user.parse::<usize>().ok());
        let Some(slot) = slot.filter(|slot| *slot < self.slots.len()) else {
            return self.agent.answer(now, key, 404, Vec::new(), Vec::new());
        };
        let asked = request.headers.expires().unwrap_or(3600);
        if let Some(watcher) = self.agent.admit_watcher(now, key, asked.min(3600)) {
            self.watchers.insert(watcher, (slot, 0));
            self.tell(now, watcher);
        }
    }
}
