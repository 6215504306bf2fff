//! What phones do: register, call, answer, hold, refer, watch, write.

use super::super::super::*;
use super::World;
use crate::sip::message::{Method, NameAddr, Uri};
use crate::sip::sdp::{self, Direction};
use crate::sip::{Event, Invite, ReferKey, Subscribe, SubscriptionKey};

impl World {
    pub fn register(&mut self, phone: usize) {
        let account = self.phones[phone].account;
        self.phones[phone].agent.register(self.now, account);
    }

    pub fn uri(&self, extension: &str) -> Uri {
        Uri::at(extension, self.lot_address().address)
    }

    pub fn dial(&mut self, phone: usize, extension: &str) -> CallKey {
        self.dial_with(phone, extension, &[])
    }

    pub fn dial_with(&mut self, phone: usize, extension: &str, headers: &[(&str, &str)]) -> CallKey {
        self.invite(phone, self.uri(extension), headers)
    }

    /// Dials an address as it is.
    pub fn dial_uri(&mut self, phone: usize, target: Uri) -> CallKey {
        self.invite(phone, target, &[])
    }

    fn invite(&mut self, phone: usize, target: Uri, headers: &[(&str, &str)]) -> CallKey {
        let send_to = self.lot_address();
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let now = self.now;
        let phone = &mut self.phones[phone];
        let port = phone.take_port();
        let sdp = sdp::offer(&phone.local(port, Direction::SendRecv, 1));
        let account = Some(phone.account);
        let call = phone.agent.invite(now, Invite { account, from: None, target, send_to, sdp, headers });
        phone.ports.insert(call, port);
        call
    }

    /// The last call that came in and is neither answered nor over.
    pub fn ringing(&self, phone: usize) -> CallKey {
        self.try_ringing(phone)
            .unwrap_or_else(|| panic!("{} doesn't ring: {:?}", self.phones[phone].name, self.notices))
    }

    pub fn try_ringing(&self, phone: usize) -> Option<CallKey> {
        let came = self.phones[phone].events.iter().rev().filter_map(|event| match event {
            Event::CallReceived { call, .. } => Some(*call),
            _ => None,
        });
        let mut open =
            came.filter(|call| !self.is_over(phone, *call) && !self.phones[phone].ports.contains_key(call));
        open.next()
    }

    /// The INVITE of a call that came in.
    pub fn invite_of(&self, phone: usize, wanted: CallKey) -> crate::sip::message::Request {
        let mut came = self.phones[phone].events.iter().filter_map(|event| match event {
            Event::CallReceived { call, request, .. } if *call == wanted => Some((**request).clone()),
            _ => None,
        });
        came.next().expect("a call that came in")
    }

    pub fn ring(&mut self, phone: usize, call: CallKey) {
        self.phones[phone].agent.ring(self.now, call, None);
    }

    pub fn answer(&mut self, phone: usize, call: CallKey) {
        let answer = self.answer_to(phone, call);
        self.phones[phone].agent.accept(self.now, call, answer);
    }

    /// The answer to a call's offer, not sent yet.
    pub fn answer_to(&mut self, phone: usize, call: CallKey) -> Vec<u8> {
        let phone = &mut self.phones[phone];
        let offer = phone.offers.get(&call).cloned().unwrap_or_default();
        let port = phone.take_port();
        let (answer, _) =
            sdp::answer(&offer, &phone.local(port, Direction::SendRecv, 1)).expect("a usable offer");
        phone.ports.insert(call, port);
        answer
    }

    pub fn bind_ports(&mut self, count: usize) {
        for _ in 0..count {
            self.bind_port();
        }
    }

    pub fn reject(&mut self, phone: usize, call: CallKey, status: u16) {
        self.phones[phone].agent.reject(self.now, call, status, Vec::new());
    }

    pub fn hang_up(&mut self, phone: usize, call: CallKey) {
        self.phones[phone].agent.hang_up(self.now, call);
    }

    /// re-INVITE with that direction.
    pub fn hold(&mut self, phone: usize, call: CallKey, direction: Direction) {
        let now = self.now;
        let phone = &mut self.phones[phone];
        let port = phone.ports[&call];
        let sdp = sdp::offer(&phone.local(port, direction, now.as_millis() as u64));
        phone.agent.reoffer(now, call, sdp);
    }

    pub fn refer(
        &mut self,
        phone: usize,
        call: CallKey,
        extension: &str,
        headers: &[(&str, &str)],
    ) -> ReferKey {
        let target = NameAddr::new(self.uri(extension));
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.phones[phone].agent.refer(self.now, call, target, headers)
    }

    /// REFER with Replaces: `call` is to be joined with, or put into the place of, `other`.
    pub fn refer_to_call(
        &mut self,
        phone: usize,
        call: CallKey,
        extension: &str,
        other: CallKey,
    ) -> ReferKey {
        let replaces = self.replaces_of(phone, other);
        let mut target = NameAddr::new(self.uri(extension));
        target.uri.headers.push(("Replaces".to_owned(), replaces));
        self.phones[phone].agent.refer(self.now, call, target, Vec::new())
    }

    /// The value of a Replaces that names a phone's own dialog with the lot, as the lot has to read it.
    pub fn replaces_of(&self, phone: usize, call: CallKey) -> String {
        let dialog = self.phones[phone].agent.dialog_id(call).expect("a dialog");
        let (call_id, to, from) = (dialog.call_id, dialog.remote_tag, dialog.local_tag);
        format!("{call_id};to-tag={to};from-tag={from}")
    }

    pub fn watch(&mut self, phone: usize, extension: &str) -> SubscriptionKey {
        let (target, send_to) = (self.uri(extension), self.lot_address());
        let phone = &mut self.phones[phone];
        let subscribe = Subscribe {
            account: Some(phone.account),
            target,
            send_to,
            event: "dialog".to_owned(),
            accept: "application/dialog-info+xml".to_owned(),
            expires_s: 600,
            list: false,
        };
        phone.agent.subscribe(self.now, subscribe)
    }

    pub fn message(&mut self, phone: usize, extension: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        let (target, send_to) = (self.uri(extension), self.lot_address());
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let account = Some(self.phones[phone].account);
        let (from, body) = (None, body.as_bytes().to_vec());
        let ask = crate::sip::Ask { account, from, method: Method::Message, target, send_to, headers, body };
        let asked = self.phones[phone].agent.request(self.now, ask);
        self.run_ms(50);
        let mut answers = self.phones[phone].events.iter().filter_map(|event| match event {
            Event::RequestAnswered { sent, status, .. } if *sent == asked => Some(*status),
            _ => None,
        });
        answers.next().expect("an answer")
    }
}
