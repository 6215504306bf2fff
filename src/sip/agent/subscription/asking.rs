//! SUBSCRIBE and its answers (RFC 6665 4.1.2).

use super::super::errand::{Answer, Purpose};
use super::super::{Event, SubscriptionKey, UserAgent};
use super::{BACK_OFF_MAX, EXPIRES_MAX_S, Health, NOTIFY_WAIT, REFUSED_WAIT, STEADY};
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
        held.notify_by = Some(now + NOTIFY_WAIT);
        if let Some(old) = &mut held.old {
            old.asked_since = true;
        }
        let expires_s = if held.leaving { 0 } else { held.expires_s };
        let (mut request, to) = held.dialog.request(Method::Subscribe);
        let (account, order) = (held.order.account, held.order.clone());
        let user = held.dialog.local.uri.user.clone().unwrap_or_default();
        request.headers.push("Contact", self.contact(&user, to));
        request.headers.push("Event", order.event);
        request.headers.push("Accept", order.accept);
        request.headers.push("Expires", expires_s.to_string());
        self.add_abilities(&mut request.headers);
        if order.list {
            let mut supported = self.config.supported.clone();
            supported.push(crate::sip::rlmi::OPTION_TAG.to_owned());
            request.headers.set("Supported", supported.join(", "));
        }
        self.send_errand(now, Purpose::Subscribe(key), account, to, request);
    }

    pub(in super::super) fn conclude_subscribe(&mut self, now: Moment, key: SubscriptionKey, answer: Answer) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.under_way = false;
        if held.leaving {
            return self.conclude_leaving(now, key, answer);
        }
        let in_force = held.is_in_force() && !answer.silent;
        if !answer.is_ok() {
            held.notify_by = None;
        }
        let after_s = answer.retry_after_s();
        match answer.status() {
            200..300 => self.take_subscribed(now, key, &answer),
            423 if self.take_min_expires_of(key, &answer) => self.queue_subscribe(now, key),
            481 => self.take_forgotten(now, key),
            401 | 403..=407 | 410 | 415 | 416 | 420 | 485 | 489 | 501 | 600..700 => {
                self.take_subscription_refused(now, key, answer.status(), answer.words(), after_s);
            }
            _ if in_force => self.resubscribe_later(now, key, after_s),
            _ => self.subscribe_anew(now, key, after_s),
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
        let refreshed = held.granted_at.is_some() && held.health == Health::Active;
        if refreshed {
            held.failures = 0;
        }
        held.granted_at.get_or_insert(now);
        if answer.status() == 204 {
            // No NOTIFY follows (RFC 5839 5.2).
            held.notify_by = None;
        }
        self.mark_active(now, key, granted_s);
        if refreshed {
            self.tell(Event::SubscriptionRefreshed { subscription: key, expires_s: granted_s });
        }
        let wait = self.refresh_wait(granted_s);
        let wait = if refreshed { wait } else { self.spread(wait) };
        self.schedule_subscribe(now, key, wait);
    }

    /// Many that begin together are not to be refreshed together. And the more there are the sooner one of them finds
    /// out that the server has restarted.
    fn spread(&mut self, wait: Duration) -> Duration {
        if self.subscriptions.len() > 1 { self.jitter(wait / 8, wait) } else { wait }
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

    /// The server knows this dialog no more; perhaps none of ours.
    fn take_forgotten(&mut self, now: Moment, key: SubscriptionKey) {
        let held_until_now = self.subscriptions.get(&key).is_some_and(|held| held.health == Health::Active);
        self.subscribe_anew(now, key, None);
        if held_until_now {
            self.suspect_restart(now, key);
        }
    }

    /// A refresh failed while the last grant still holds (RFC 6665 4.1.2.2): it is tried again in the same dialog.
    fn resubscribe_later(&mut self, now: Moment, key: SubscriptionKey, after_s: Option<u64>) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.failures = held.failures.saturating_add(1);
        let failures = held.failures;
        let wait = self.wait_after(now, key, after_s, failures);
        self.schedule_subscribe(now, key, wait);
    }

    /// Retry-After, which also holds against all who would ask sooner; else the back-off.
    fn wait_after(
        &mut self,
        now: Moment,
        key: SubscriptionKey,
        after_s: Option<u64>,
        failures: u32,
    ) -> Duration {
        let Some(after_s) = after_s else { return self.back_off(failures, BACK_OFF_MAX) };
        let wait = self.retry_after(after_s);
        if let Some(held) = self.subscriptions.get_mut(&key) {
            held.not_before = now + wait;
        }
        wait
    }

    /// The server is gone or has forgotten us: stale, and again in a dialog of its own, later each time.
    pub(super) fn subscribe_anew(&mut self, now: Moment, key: SubscriptionKey, after_s: Option<u64>) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        if held.granted_at.is_some_and(|at| now >= at + STEADY) {
            held.failures = 0;
        }
        held.afresh = true;
        held.granted_at = None;
        held.failures = held.failures.saturating_add(1);
        let failures = held.failures;
        self.mark_stale(key);
        let wait = match after_s {
            None if failures == 1 => self.jitter(Duration::ZERO, Duration::from_secs(1)),
            after_s => self.wait_after(now, key, after_s, failures.saturating_sub(1)),
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
        after_s: Option<u64>,
    ) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.afresh = true;
        held.health = Health::Refused;
        self.alarms.cancel(&mut held.lapse);
        self.tell(Event::SubscriptionRefused { subscription: key, status, reason });
        let wait = match after_s {
            Some(_) => self.wait_after(now, key, after_s, 0),
            None => self.jitter(REFUSED_WAIT.0, REFUSED_WAIT.1),
        };
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
            let at = now + NOTIFY_WAIT;
            self.alarms.reset(&mut held.lapse, at, super::super::Why::SubscriptionLapses(key));
        } else {
            self.queue_subscribe(now, key);
        }
    }
}
