//! SUBSCRIBE and its answers (RFC 6665 4.1.2).

use super::super::errand::{Answer, Purpose};
use super::super::{Event, SubscriptionKey, UserAgent};
use super::{BACK_OFF_MAX, EXPIRES_MAX_S, FAREWELL_WAIT, Health, REFUSED_WAIT};
use crate::sip::Moment;
use crate::sip::message::Method;
use std::time::Duration;

impl UserAgent {
    /// The turn of this subscription has come.
    pub(super) fn send_subscribe(&mut self, now: Moment, key: SubscriptionKey) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.queued = false;
        if held.afresh {
            self.begin_afresh(key);
        }
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.under_way = true;
        held.goodbye_said = held.leaving;
        let expires_s = if held.leaving { 0 } else { held.expires_s };
        let (mut request, to) = held.dialog.request(Method::Subscribe);
        let (account, order) = (held.order.account, held.order.clone());
        let user = held.dialog.local.uri.user.clone().unwrap_or_default();
        request.headers.push("Contact", self.contact(&user, to));
        request.headers.push("Event", order.event);
        request.headers.push("Accept", order.accept);
        request.headers.push("Expires", expires_s.to_string());
        self.add_abilities(&mut request.headers);
        self.send_errand(now, Purpose::Subscribe(key), account, to, request);
    }

    pub(in super::super) fn conclude_subscribe(&mut self, now: Moment, key: SubscriptionKey, answer: Answer) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.under_way = false;
        if held.leaving {
            return self.conclude_leaving(now, key, answer);
        }
        match answer.status() {
            200..300 => self.take_subscribed(now, key, &answer),
            423 if self.take_min_expires_of(key, &answer) => self.queue_subscribe(now, key),
            481 => self.subscribe_anew(now, key, None),
            401 | 403..=405 | 407 | 410 | 416 | 485 | 489 | 501 | 600..700 => {
                self.take_subscription_refused(now, key, answer.status(), answer.words());
            }
            _ => {
                let after = answer.retry_after_s();
                self.subscribe_anew(now, key, after);
            }
        }
    }

    fn take_subscribed(&mut self, now: Moment, key: SubscriptionKey, answer: &Answer) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        if held.afresh {
            // It lapsed, or jumped, while this was under way: only a dialog of its own is worth something.
            return self.queue_subscribe(now, key);
        }
        if held.dialog.remote_tag.is_none() {
            held.dialog.learn(&answer.response, answer.from);
        } else {
            held.dialog.refresh_target(&answer.response.headers);
        }
        let granted_s = answer.response.headers.expires().unwrap_or(held.expires_s);
        let granted_s = granted_s.clamp(1, held.expires_s.max(1));
        held.failures = 0;
        self.mark_active(now, key, granted_s);
        let wait = self.refresh_wait(granted_s);
        self.schedule_subscribe(now, key, wait);
    }

    fn take_min_expires_of(&mut self, key: SubscriptionKey, answer: &Answer) -> bool {
        let Some(held) = self.subscriptions.get_mut(&key) else { return false };
        let least: Option<u32> =
            answer.response.headers.get("Min-Expires").and_then(|v| v.trim().parse().ok());
        let Some(least) = least.filter(|least| *least > held.expires_s && *least <= EXPIRES_MAX_S) else {
            return false;
        };
        held.expires_s = least;
        true
    }

    /// The server is gone or has forgotten us: stale, and again in a dialog of its own, later each time.
    pub(super) fn subscribe_anew(&mut self, now: Moment, key: SubscriptionKey, after_s: Option<u64>) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.afresh = true;
        held.failures = held.failures.saturating_add(1);
        let failures = held.failures;
        self.mark_stale(key);
        let wait = match after_s {
            Some(after_s) => self.retry_after(after_s),
            None if failures == 1 => self.jitter(Duration::ZERO, Duration::from_secs(1)),
            None => self.back_off(failures - 1, BACK_OFF_MAX),
        };
        self.schedule_subscribe(now, key, wait);
    }

    /// The server says no; perhaps it will say otherwise some day.
    pub(super) fn take_subscription_refused(
        &mut self,
        now: Moment,
        key: SubscriptionKey,
        status: u16,
        reason: String,
    ) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.afresh = true;
        held.health = Health::Refused;
        self.alarms.cancel(&mut held.lapse);
        self.tell(Event::SubscriptionRefused { subscription: key, status, reason });
        let wait = self.jitter(REFUSED_WAIT.0, REFUSED_WAIT.1);
        self.schedule_subscribe(now, key, wait);
    }

    /// An answer while we are leaving: to the SUBSCRIBE that ends it, or to the one before.
    fn conclude_leaving(&mut self, now: Moment, key: SubscriptionKey, answer: Answer) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        if !answer.is_ok() {
            return self.forget_subscription(key);
        }
        if held.dialog.remote_tag.is_none() {
            held.dialog.learn(&answer.response, answer.from);
        }
        if held.goodbye_said {
            // Only the last NOTIFY is still to come.
            let at = now + FAREWELL_WAIT;
            self.alarms.reset(&mut held.lapse, at, super::super::Why::SubscriptionLapses(key));
        } else {
            self.queue_subscribe(now, key);
        }
    }
}
