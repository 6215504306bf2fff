//! What we watch (RFC 6665 4.1): subscribed, refreshed, and subscribed to again when the server has forgotten us.
//!
//! `asking.rs` sends SUBSCRIBE and takes its answers, `hearing.rs` takes NOTIFY, `pace.rs` keeps to the rate.

mod asking;
mod hearing;
mod pace;

use super::errand::bare;
use super::{AccountKey, Event, MAX_SUBSCRIPTIONS, Subscribe, SubscriptionKey, Usage, UserAgent, Why};
use crate::sip::Moment;
use crate::sip::alarms::Alarm;
use crate::sip::dialog::Dialog;
use crate::sip::message::NameAddr;
pub(super) use pace::Pace;
use std::time::Duration;

/// The longest wait between two attempts to reach a silent server.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);
/// How soon a server that says no is asked again.
const REFUSED_WAIT: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(600));
/// The longest Expires and Min-Expires that are heeded.
const EXPIRES_MAX_S: u32 = 86_400;
/// How long the last NOTIFY after an unsubscribe is awaited.
const FAREWELL_WAIT: Duration = crate::sip::transaction::timers::LIMIT;

/// Whether the server tells us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// Not yet.
    New,
    /// It does.
    Active,
    /// It did.
    Stale,
    /// It won't.
    Refused,
}

/// Something we watch.
pub(super) struct Subscription {
    order: Subscribe,
    pub(super) dialog: Dialog,
    health: Health,
    /// Whether a SUBSCRIBE waits for its turn.
    queued: bool,
    under_way: bool,
    /// Whether the dialog is worth nothing any more: the next SUBSCRIBE begins another.
    afresh: bool,
    /// Whether it is to end.
    leaving: bool,
    /// Whether the SUBSCRIBE that ends it was sent.
    goodbye_said: bool,
    expires_s: u32,
    failures: u32,
    /// NOTIFYs out of order since the last good one.
    jumps: u32,
    last_heard: Moment,
    next: Option<Alarm>,
    lapse: Option<Alarm>,
}

impl Subscription {
    pub(super) fn account(&self) -> Option<AccountKey> {
        self.order.account
    }
}

impl UserAgent {
    /// Watches something, until `unsubscribe`. At [`MAX_SUBSCRIPTIONS`] it is refused at once.
    pub fn subscribe(&mut self, now: Moment, subscribe: Subscribe) -> SubscriptionKey {
        let key = SubscriptionKey(self.next_key());
        if self.subscriptions.len() >= MAX_SUBSCRIPTIONS {
            let (status, reason) = (503, "too many subscriptions".to_owned());
            self.tell(Event::SubscriptionRefused { subscription: key, status, reason });
            return key;
        }
        let dialog = self.dialog_to_watch(&subscribe);
        self.dialogs.insert((dialog.call_id.clone(), dialog.local_tag.clone()), Usage::Subscription(key));
        let subscription = Subscription {
            expires_s: subscribe.expires_s,
            order: subscribe,
            dialog,
            health: Health::New,
            queued: false,
            under_way: false,
            afresh: false,
            leaving: false,
            goodbye_said: false,
            failures: 0,
            jumps: 0,
            last_heard: now,
            next: None,
            lapse: None,
        };
        self.subscriptions.insert(key, subscription);
        self.queue_subscribe(now, key);
        key
    }

    /// Asks for the full state again (a version gap, or after a suspend), now rather than when the refresh is due.
    pub fn renew(&mut self, now: Moment, subscription: SubscriptionKey) {
        let Some(held) = self.subscriptions.get_mut(&subscription).filter(|s| !s.leaving) else { return };
        if !held.under_way && !held.queued {
            let jitter = self.jitter(Duration::ZERO, Duration::from_millis(200));
            self.schedule_subscribe(now, subscription, jitter);
        }
    }

    /// Watches no longer. No event comes of this subscription any more.
    pub fn unsubscribe(&mut self, now: Moment, subscription: SubscriptionKey) {
        let Some(held) = self.subscriptions.get_mut(&subscription).filter(|s| !s.leaving) else { return };
        held.leaving = true;
        self.alarms.cancel(&mut held.next);
        if held.under_way {
            return;
        }
        if held.dialog.remote_tag.is_none() || held.afresh {
            return self.forget_subscription(subscription);
        }
        self.queue_subscribe(now, subscription);
    }

    fn dialog_to_watch(&mut self, order: &Subscribe) -> Dialog {
        let from = self.sender(order.account, None).with_tag(&self.token());
        let target = bare(order.target.clone());
        Dialog::to_begin(self.long_token(), from, NameAddr::new(target.clone()), target, order.send_to)
    }

    /// Leaves the old dialog to the server and begins another.
    fn begin_afresh(&mut self, key: SubscriptionKey) {
        let Some(order) = self.subscriptions.get(&key).map(|s| s.order.clone()) else { return };
        let dialog = self.dialog_to_watch(&order);
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        self.dialogs.remove(&(held.dialog.call_id.clone(), held.dialog.local_tag.clone()));
        self.dialogs.insert((dialog.call_id.clone(), dialog.local_tag.clone()), Usage::Subscription(key));
        held.dialog = dialog;
        held.afresh = false;
        held.jumps = 0;
    }

    fn forget_subscription(&mut self, key: SubscriptionKey) {
        let Some(mut held) = self.subscriptions.remove(&key) else { return };
        self.alarms.cancel(&mut held.next);
        self.alarms.cancel(&mut held.lapse);
        self.dialogs.remove(&(held.dialog.call_id, held.dialog.local_tag));
        self.pace.forget(key);
    }

    /// What was heard no longer holds.
    fn mark_stale(&mut self, key: SubscriptionKey) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        self.alarms.cancel(&mut held.lapse);
        if held.health == Health::Active && !held.leaving {
            held.health = Health::Stale;
            let since = held.last_heard;
            self.tell(Event::SubscriptionStale { subscription: key, since });
        }
    }

    /// The server tells us, for so long.
    fn mark_active(&mut self, now: Moment, key: SubscriptionKey, expires_s: u32) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.last_heard = now;
        if held.leaving {
            return;
        }
        let until = now + Duration::from_secs(u64::from(expires_s));
        self.alarms.reset(&mut held.lapse, until, Why::SubscriptionLapses(key));
        if std::mem::replace(&mut held.health, Health::Active) != Health::Active {
            self.tell(Event::SubscriptionActive { subscription: key, expires_s });
        }
    }

    /// The server let the time pass: it is not there, or has forgotten us.
    pub(super) fn lapse_subscription(&mut self, now: Moment, key: SubscriptionKey) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.lapse = None;
        if held.leaving {
            return self.forget_subscription(key);
        }
        held.afresh = true;
        let waiting = held.under_way || held.queued;
        self.mark_stale(key);
        if !waiting {
            let jitter = self.jitter(Duration::ZERO, Duration::from_secs(1));
            self.schedule_subscribe(now, key, jitter);
        }
    }

    fn schedule_subscribe(&mut self, now: Moment, key: SubscriptionKey, wait: Duration) {
        if let Some(held) = self.subscriptions.get_mut(&key) {
            self.alarms.reset(&mut held.next, now + wait, Why::SubscribeDue(key));
        }
    }
}
