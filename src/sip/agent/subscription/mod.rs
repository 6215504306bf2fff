//! What we watch (RFC 6665 4.1): subscribed, refreshed, and subscribed to again when the server has forgotten us.
//!
//! `asking.rs` sends SUBSCRIBE and takes its answers, `hearing.rs` takes NOTIFY, `pace.rs` keeps to the rate,
//! `restart.rs` notices that a server has lost its memory, `state.rs` reads Subscription-State.

mod asking;
mod hearing;
mod pace;
mod restart;
mod state;
#[cfg(test)]
pub(super) mod table_tests;

use super::errand::bare;
use super::{AccountKey, Event, MAX_SUBSCRIPTIONS, Subscribe, SubscriptionKey, Usage, UserAgent, Why};
use crate::sip::Moment;
use crate::sip::alarms::Alarm;
use crate::sip::dialog::Dialog;
use crate::sip::message::NameAddr;
pub(super) use pace::Pace;
use std::collections::VecDeque;
use std::time::Duration;

/// The longest wait between two attempts to reach a silent server.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);
/// How soon a server that says no is asked again. RFC 6665 would have us never ask again after `rejected` and
/// `noresource`; but a hint that is taken away by a reload and put back would then leave its lamp dead for ever.
const REFUSED_WAIT: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(600));
/// How soon a server that puts us off (`probation`) without saying until when is asked again.
const PROBATION_WAIT: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(60));
/// The longest Expires and Min-Expires that are heeded.
const EXPIRES_MAX_S: u32 = 86_400;
/// Timer N (RFC 6665 4.1.2): how long the NOTIFY that follows a SUBSCRIBE is awaited; the last one too.
const NOTIFY_WAIT: Duration = crate::sip::transaction::timers::LIMIT;
/// A subscription that has lasted so long was no failure: when it is lost, the next attempt is the first again.
const STEADY: Duration = Duration::from_secs(10);
/// How many numbers of NOTIFYs are kept to know their repetitions by.
const MAX_RECENT: usize = 8;

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
    /// How many dialogs it has had.
    dialogs: u32,
    /// Whether it is to end.
    leaving: bool,
    /// Whether the SUBSCRIBE that ends it was sent.
    goodbye_said: bool,
    expires_s: u32,
    failures: u32,
    /// When the server granted this dialog.
    granted_at: Option<Moment>,
    /// Until when the server's word holds.
    until: Moment,
    /// When the NOTIFY that a SUBSCRIBE is followed by must be there at the latest.
    notify_by: Option<Moment>,
    /// Before this the server does not want to be asked (Retry-After).
    not_before: Moment,
    /// The numbers of the last NOTIFYs that were accepted.
    recent: VecDeque<u32>,
    /// The highest number of those that came out of order since the last good one.
    old: Option<Old>,
    last_heard: Moment,
    next: Option<Alarm>,
    lapse: Option<Alarm>,
}

impl Subscription {
    pub(super) fn account(&self) -> Option<AccountKey> {
        self.order.account
    }
}

/// A NOTIFY out of order.
#[derive(Clone, Copy, Debug)]
struct Old {
    number: u32,
    /// Whether a SUBSCRIBE was sent since: the NOTIFY that follows it must be in order.
    asked_since: bool,
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
            dialogs: 1,
            leaving: false,
            goodbye_said: false,
            failures: 0,
            granted_at: None,
            until: now,
            notify_by: None,
            not_before: now,
            recent: VecDeque::new(),
            old: None,
            last_heard: now,
            next: None,
            lapse: None,
        };
        self.subscriptions.insert(key, subscription);
        self.queue_subscribe(now, key);
        key
    }

    /// Until when the server's word about a subscription holds, unless it is told otherwise before; `None` while it
    /// doesn't tell us.
    pub fn fresh_until(&self, subscription: SubscriptionKey) -> Option<Moment> {
        self.subscriptions.get(&subscription).filter(|s| s.health == Health::Active).map(|s| s.until)
    }

    /// How many dialogs a subscription has had with its server so far: what was counted in one (versions of a state, say)
    /// means nothing in the next, and between two of them a change may have gone unheard.
    pub fn dialogs_of(&self, subscription: SubscriptionKey) -> u32 {
        self.subscriptions.get(&subscription).map_or(0, |held| held.dialogs)
    }

    /// Asks for the full state again (a version gap, or after a suspend), now rather than when the refresh is due; not
    /// before the server wants to be asked.
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

    /// Leaves the old dialog to the server and begins another, with the server that serves the account now.
    fn begin_afresh(&mut self, key: SubscriptionKey) {
        let serving = |order: &Subscribe| order.account.and_then(|account| self.server_of(account));
        let Some(mut order) = self.subscriptions.get(&key).map(|s| s.order.clone()) else { return };
        order.send_to = serving(&order).unwrap_or(order.send_to);
        let dialog = self.dialog_to_watch(&order);
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        self.dialogs.remove(&(held.dialog.call_id.clone(), held.dialog.local_tag.clone()));
        self.dialogs.insert((dialog.call_id.clone(), dialog.local_tag.clone()), Usage::Subscription(key));
        held.dialog = dialog;
        held.order.send_to = order.send_to;
        held.afresh = false;
        held.dialogs = held.dialogs.wrapping_add(1);
        held.granted_at = None;
        held.recent.clear();
        held.old = None;
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

    /// The server tells us, for so long; but first the NOTIFY that was promised must come.
    fn mark_active(&mut self, now: Moment, key: SubscriptionKey, expires_s: u32) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.last_heard = now;
        if held.leaving {
            return;
        }
        held.until = now + Duration::from_secs(u64::from(expires_s));
        let lapse_at = held.notify_by.map_or(held.until, |by| by.min(held.until));
        self.alarms.reset(&mut held.lapse, lapse_at, Why::SubscriptionLapses(key));
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
            let at = (now + wait).max(held.not_before);
            self.alarms.reset(&mut held.next, at, Why::SubscribeDue(key));
        }
    }
}

impl Subscription {
    /// Whether the server's last grant still holds, so that a failed refresh is only a failed refresh.
    fn is_in_force(&self) -> bool {
        self.health == Health::Active && !self.afresh && self.granted_at.is_some()
    }
}
