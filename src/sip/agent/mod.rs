//! The user agent: calls, registration, subscriptions, watchers and REFER over one transaction layer.
//! Bytes and time in, bytes and events out; what a call is for, who may do what: the owner decides.

mod account;
mod config;
mod event;
mod keys;

pub use account::*;
pub use config::*;
pub use event::*;
pub use keys::*;

use crate::sip::Moment;
use crate::sip::message::NameAddr;
use crate::sip::message::Uri;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// A SIP user agent, sans-IO. After every call of a method that takes `now`, drain `poll_transmit` and `poll_event`.
pub struct UserAgent {
    config: UaConfig,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}
#[allow(unused_variables, missing_docs)]
impl UserAgent {
    pub fn new(config: UaConfig) -> Self {
        Self { config, transmits: VecDeque::new(), events: VecDeque::new() }
    }
    pub fn receive(&mut self, now: Moment, from: SocketAddr, bytes: &[u8]) {}
    pub fn wake(&mut self, now: Moment) {}
    pub fn next_wake(&self) -> Option<Moment> {
        None
    }
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
    pub fn is_idle(&self) -> bool {
        true
    }
    pub fn census(&self) -> Census {
        Census::default()
    }
    pub fn malformed_total(&self) -> u64 {
        0
    }
    pub fn config(&self) -> &UaConfig {
        &self.config
    }
    pub fn add_account(&mut self, account: Account) -> AccountKey {
        AccountKey(0)
    }
    pub fn register(&mut self, now: Moment, account: AccountKey) {}
    pub fn unregister(&mut self, now: Moment, account: AccountKey) {}
    pub fn invite(&mut self, now: Moment, invite: Invite) -> CallKey {
        CallKey(0)
    }
    pub fn ring(&mut self, now: Moment, call: CallKey, early_sdp: Option<Vec<u8>>) {}
    pub fn accept(&mut self, now: Moment, call: CallKey, sdp: Vec<u8>) {}
    pub fn reject(&mut self, now: Moment, call: CallKey, status: u16, headers: Vec<(String, String)>) {}
    pub fn hang_up(&mut self, now: Moment, call: CallKey) {}
    pub fn reoffer(&mut self, now: Moment, call: CallKey, sdp: Vec<u8>) {}
    pub fn answer_offer(&mut self, now: Moment, call: CallKey, answer: Result<Vec<u8>, u16>) {}
    pub fn update(&mut self, now: Moment, call: CallKey, headers: Vec<(String, String)>) {}
    pub fn refer(
        &mut self,
        now: Moment,
        call: CallKey,
        refer_to: NameAddr,
        headers: Vec<(String, String)>,
    ) -> ReferKey {
        ReferKey(0)
    }
    pub fn answer_refer(
        &mut self,
        now: Moment,
        refer: ReferKey,
        status: u16,
        headers: Vec<(String, String)>,
    ) {
    }
    pub fn report_refer(&mut self, now: Moment, refer: ReferKey, status: u16) {}
    pub fn info(&mut self, now: Moment, call: CallKey, content_type: &str, body: Vec<u8>) {}
    pub fn dialog_id(&self, call: CallKey) -> Option<DialogId> {
        None
    }
    pub fn remote_target(&self, call: CallKey) -> Option<Uri> {
        None
    }
    pub fn peer_address(&self, call: CallKey) -> Option<SocketAddr> {
        None
    }
    pub fn subscribe(&mut self, now: Moment, subscribe: Subscribe) -> SubscriptionKey {
        SubscriptionKey(0)
    }
    pub fn renew(&mut self, now: Moment, subscription: SubscriptionKey) {}
    pub fn unsubscribe(&mut self, now: Moment, subscription: SubscriptionKey) {}
    pub fn answer(
        &mut self,
        now: Moment,
        request: RequestKey,
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) {
    }
    pub fn admit_watcher(&mut self, now: Moment, request: RequestKey, expires_s: u32) -> Option<WatcherKey> {
        None
    }
    pub fn notify(&mut self, now: Moment, watcher: WatcherKey, content_type: &str, body: Vec<u8>) {}
    pub fn dismiss(&mut self, now: Moment, watcher: WatcherKey, reason: &str) {}
    pub fn probe(
        &mut self,
        now: Moment,
        account: Option<AccountKey>,
        target: Uri,
        send_to: SocketAddr,
    ) -> ProbeKey {
        ProbeKey(0)
    }
    pub fn request(&mut self, now: Moment, ask: Ask) -> SentKey {
        SentKey(0)
    }
}
