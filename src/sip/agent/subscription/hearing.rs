//! NOTIFY for something we watch (RFC 6665 4.1.3): from the right server, in order, or not at all.

use super::super::inbound::user_of;
use super::super::watcher::same_event;
use super::super::{Event, SubscriptionKey, UserAgent};
use super::Health;
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::message::{Method, Request};
use std::time::Duration;

/// A step of CSeq that no server makes by itself; who follows it is deaf to everything after (measured on others).
const CSEQ_JUMP: u32 = 100_000;

/// What a NOTIFY's number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Next,
    Old,
    Jump,
}

impl UserAgent {
    pub(in super::super) fn receive_notify(
        &mut self,
        now: Moment,
        from: Peer,
        key: SubscriptionKey,
        request: Request,
    ) {
        if request.method != Method::Notify {
            return self.answer_at_once(from, &request, 405);
        }
        if !self.is_ours(from, key, &request) {
            return self.answer_at_once(from, &request, 481);
        }
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        if !same_event(&held.order.event, request.headers.get("Event").unwrap_or_default()) {
            return self.answer_at_once(from, &request, 489);
        }
        let Some(state) = request.headers.get("Subscription-State").map(State::read) else {
            return self.answer_at_once(from, &request, 400);
        };
        let number = request.headers.cseq().map_or(0, |(number, _)| number);
        match self.order_of(key, number) {
            Order::Next => {}
            Order::Old => return self.take_old(now, from, key, &request),
            Order::Jump => return self.take_jump(now, from, key, &request),
        }
        self.accept_notify(now, from, &request);
        self.hear(now, key, request, state);
    }

    /// Whether a NOTIFY belongs to this dialog and comes from its server. The first one may overtake the 200.
    fn is_ours(&mut self, from: Peer, key: SubscriptionKey, request: &Request) -> bool {
        let Some(held) = self.subscriptions.get(&key) else { return false };
        let server = from == held.order.send_to || self.is_server_of(held.order.account, from);
        let Some(held) = self.subscriptions.get_mut(&key) else { return false };
        let tag = request.headers.from().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        if !server || held.afresh || tag.is_empty() {
            return false;
        }
        if held.dialog.remote_tag.is_none() {
            held.dialog.learn_from_request(request);
        }
        held.dialog.is_with(&tag)
    }

    fn order_of(&mut self, key: SubscriptionKey, number: u32) -> Order {
        let Some(held) = self.subscriptions.get_mut(&key) else { return Order::Old };
        let jumped = held.dialog.remote_cseq.is_some_and(|last| number > last.saturating_add(CSEQ_JUMP));
        if jumped {
            Order::Jump
        } else if held.dialog.advance(number) {
            Order::Next
        } else {
            Order::Old
        }
    }

    fn accept_notify(&mut self, now: Moment, from: Peer, request: &Request) {
        if let Some(server) = self.open(from, request) {
            let mut response = self.reply_outside(request, 200);
            response.headers.push("Contact", self.contact(&user_of(request), from));
            self.transactions.respond(now, server, &response);
        }
    }

    /// Out of order: changes nothing. Since some servers give up a subscription over a 500, it is soon refreshed.
    fn take_old(&mut self, now: Moment, from: Peer, key: SubscriptionKey, request: &Request) {
        self.answer_within(now, from, request, 500);
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.jumps = held.jumps.saturating_add(1);
        let first = held.jumps == 1;
        if first && !held.leaving && !held.under_way && !held.queued {
            let wait = self.jitter(Duration::from_secs(1), Duration::from_secs(3));
            self.schedule_subscribe(now, key, wait);
        }
    }

    /// A number far ahead: whoever sent it, after it nothing here could be told from old. Begin another dialog.
    fn take_jump(&mut self, now: Moment, from: Peer, key: SubscriptionKey, request: &Request) {
        self.accept_notify(now, from, request);
        let Some(held) = self.subscriptions.get(&key) else { return };
        if held.leaving {
            return self.forget_subscription(key);
        }
        let waiting = held.under_way || held.queued;
        self.subscribe_anew(now, key, None);
        if let Some(held) = self.subscriptions.get_mut(&key).filter(|_| waiting) {
            self.alarms.cancel(&mut held.next);
        }
    }

    fn hear(&mut self, now: Moment, key: SubscriptionKey, request: Request, state: State) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.jumps = 0;
        held.last_heard = now;
        if held.leaving {
            if state.terminated {
                self.forget_subscription(key);
            }
            return;
        }
        if !state.terminated {
            let granted_s = state.expires_s.unwrap_or(held.expires_s).clamp(1, held.expires_s.max(1));
            if held.health != Health::Active || state.expires_s.is_some() {
                self.mark_active(now, key, granted_s);
            }
        }
        if !request.body.is_empty() {
            let content_type = request.headers.get("Content-Type").unwrap_or_default().to_owned();
            let (body, headers) = (request.body, Box::new(request.headers));
            self.tell(Event::Notified { subscription: key, content_type, body, headers });
        }
        if state.terminated {
            self.take_terminated(now, key, &state);
        }
    }

    /// RFC 6665 4.1.3: what a reason says about trying again.
    fn take_terminated(&mut self, now: Moment, key: SubscriptionKey, state: &State) {
        match state.reason.as_str() {
            "rejected" | "noresource" | "invariant" => {
                let (status, word) =
                    if state.reason == "rejected" { (403, "rejected") } else { (404, "no such resource") };
                self.take_subscription_refused(now, key, status, word.to_owned());
            }
            _ => {
                let waiting = self.subscriptions.get(&key).is_some_and(|s| s.under_way || s.queued);
                self.subscribe_anew(now, key, state.retry_after_s);
                if let Some(held) = self.subscriptions.get_mut(&key).filter(|_| waiting) {
                    self.alarms.cancel(&mut held.next);
                }
            }
        }
    }
}

/// Subscription-State.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    terminated: bool,
    reason: String,
    expires_s: Option<u32>,
    retry_after_s: Option<u64>,
}

impl State {
    fn read(value: &str) -> Self {
        let value = value.to_ascii_lowercase();
        let mut parts = value.split(';').map(str::trim);
        let terminated = parts.next() == Some("terminated");
        let params: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let param = |name: &str| params.iter().find(|(n, _)| n.trim() == name).map(|(_, v)| v.trim());
        Self {
            terminated,
            reason: param("reason").unwrap_or_default().to_owned(),
            expires_s: param("expires").and_then(|v| v.parse().ok()),
            retry_after_s: param("retry-after").and_then(|v| v.parse().ok()),
        }
    }
}
