//! NOTIFY for something we watch (RFC 6665 4.1.3): from the right server, in order, or not at all. And those that
//! nobody asked for.
//!
//! No transaction is kept for a NOTIFY: the numbers of the last ones tell a repetition, which gets the same answer. A
//! storm of them then leaves nothing behind.

use super::super::inbound::user_of;
use super::super::watcher::same_event;
use super::super::{Event, SubscriptionKey, UserAgent};
use super::state::{Reason, State};
use super::{Health, MAX_RECENT, Old, PROBATION_WAIT};
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::message::{Method, Request};
use std::time::Duration;

/// A step of CSeq that no server makes by itself; who follows it is deaf to everything after (measured on others).
const CSEQ_JUMP: u32 = 100_000;
/// The largest body of a NOTIFY that nobody asked for.
const MAX_UNASKED: usize = 16_384;

/// What a NOTIFY's number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Next,
    Repeated,
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
            Order::Next => {
                self.accept_notify(from, &request);
                self.hear(now, key, request, state);
            }
            Order::Repeated => self.accept_notify(from, &request),
            Order::Old => self.take_old(now, from, key, &request, number),
            Order::Jump => self.take_jump(now, from, key, &request),
        }
    }

    /// Whether a NOTIFY belongs to this dialog and comes from its server. The first one may overtake the 200.
    fn is_ours(&mut self, from: Peer, key: SubscriptionKey, request: &Request) -> bool {
        let account = self.subscriptions.get(&key).and_then(|held| held.order.account);
        let own = self.is_server_of(account, from);
        let Some(held) = self.subscriptions.get_mut(&key) else { return false };
        let tag = request.headers.from().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        // A server may open a connection of its own to us: then the port says nothing.
        let same_host = from.ip().to_canonical() == held.order.send_to.ip().to_canonical();
        let server = from == held.order.send_to || (from.transport.is_reliable() && same_host) || own;
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
            if held.recent.len() >= MAX_RECENT {
                held.recent.pop_front();
            }
            held.recent.push_back(number);
            Order::Next
        } else if held.recent.contains(&number) {
            Order::Repeated
        } else {
            Order::Old
        }
    }

    fn accept_notify(&mut self, from: Peer, request: &Request) {
        let mut response = self.reply_outside(request, 200);
        response.headers.push("Contact", self.contact(&user_of(request), from));
        self.transactions.transmit(from, response.to_bytes());
    }

    /// Out of order: changes nothing. Since some servers give up a subscription over a 500, it is soon refreshed. If
    /// even what follows the refresh is out of order, the server counts from anew: it has restarted with our dialog.
    fn take_old(&mut self, now: Moment, from: Peer, key: SubscriptionKey, request: &Request, number: u32) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        let went_backwards = held.old.is_some_and(|old| old.asked_since && number > old.number);
        if went_backwards {
            return self.take_jump(now, from, key, request);
        }
        let first = held.old.is_none();
        let old = held.old.get_or_insert(Old { number, asked_since: false });
        old.number = old.number.max(number);
        if first && !held.leaving && !held.under_way && !held.queued {
            let wait = self.jitter(Duration::from_secs(1), Duration::from_secs(3));
            self.schedule_subscribe(now, key, wait);
        }
        self.answer_at_once(from, request, 500);
    }

    /// A number far ahead, or a count begun anew: whoever sent it, after it nothing here could be told from old. Begin
    /// another dialog.
    fn take_jump(&mut self, now: Moment, from: Peer, key: SubscriptionKey, request: &Request) {
        self.accept_notify(from, request);
        let Some(held) = self.subscriptions.get(&key) else { return };
        if held.leaving {
            return self.forget_subscription(key);
        }
        self.subscribe_anew_unless_asking(now, key, None);
    }

    fn hear(&mut self, now: Moment, key: SubscriptionKey, request: Request, state: State) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        held.old = None;
        held.notify_by = None;
        held.last_heard = now;
        if held.leaving {
            if state.ended.is_some() {
                self.forget_subscription(key);
            }
            return;
        }
        if state.ended.is_none() {
            let left_s = u32::try_from(held.until.saturating_sub(now).as_secs()).unwrap_or(u32::MAX);
            let known_s = if held.health == Health::Active { left_s } else { held.expires_s };
            let granted_s = state.expires_s.unwrap_or(known_s).clamp(1, held.expires_s.max(1));
            self.mark_active(now, key, granted_s);
            self.refresh_in_time(now, key, granted_s);
        }
        if !request.body.is_empty() {
            let content_type = request.headers.get("Content-Type").unwrap_or_default().to_owned();
            let (body, headers) = (request.body, Box::new(request.headers));
            self.tell(Event::Notified { subscription: key, content_type, body, headers });
        }
        if let Some(reason) = state.ended {
            self.take_terminated(now, key, reason, state.retry_after_s);
        }
    }

    /// A NOTIFY may shorten what was granted (RFC 6665 4.2.2): then the refresh must come sooner.
    fn refresh_in_time(&mut self, now: Moment, key: SubscriptionKey, granted_s: u32) {
        let Some(held) = self.subscriptions.get(&key) else { return };
        let too_late = held.next.is_some_and(|next| next.at() >= held.until);
        if too_late && !held.under_way && !held.queued {
            let wait = self.refresh_wait(granted_s);
            self.schedule_subscribe(now, key, wait);
        }
    }

    /// RFC 6665 4.1.3: what a reason says about trying again.
    fn take_terminated(&mut self, now: Moment, key: SubscriptionKey, reason: Reason, after_s: Option<u64>) {
        match reason {
            Reason::Rejected => self.take_subscription_refused(now, key, 403, "rejected".to_owned(), None),
            Reason::NoResource => {
                self.take_subscription_refused(now, key, 404, "no such resource".to_owned(), None);
            }
            Reason::AtOnce | Reason::AnyTime => self.subscribe_anew_unless_asking(now, key, after_s),
            Reason::Later => {
                let (least, most) = PROBATION_WAIT;
                let after_s = after_s.unwrap_or_else(|| self.jitter(least, most).as_secs());
                self.subscribe_anew_unless_asking(now, key, Some(after_s));
            }
            Reason::Invariant => {
                let Some(held) = self.subscriptions.get_mut(&key) else { return };
                held.health = Health::Active;
                held.afresh = true;
                held.until = Moment::MAX;
                self.alarms.cancel(&mut held.lapse);
                self.alarms.cancel(&mut held.next);
            }
        }
    }

    /// The same as `subscribe_anew`; a SUBSCRIBE that is under way or waits for its turn will do.
    fn subscribe_anew_unless_asking(&mut self, now: Moment, key: SubscriptionKey, after_s: Option<u64>) {
        let asking = self.subscriptions.get(&key).is_some_and(|s| s.under_way || s.queued);
        self.subscribe_anew(now, key, after_s);
        if let Some(held) = self.subscriptions.get_mut(&key).filter(|_| asking) {
            self.alarms.cancel(&mut held.next);
        }
    }

    /// A NOTIFY outside all we asked for: some servers send message summaries so. Believed only from the server of the
    /// account that it is for, and never of any consequence here.
    pub(in super::super) fn receive_unasked_notify(&mut self, from: Peer, request: Request) {
        let user = user_of(&request);
        let of_user =
            |s: &super::super::Standing| s.account.aor.uri.user.as_deref().unwrap_or_default() == user;
        let account =
            self.accounts.iter().find(|(key, s)| of_user(s) && self.is_server_of(Some(**key), from));
        let Some(account) = account.map(|(key, _)| *key) else {
            return self.answer_at_once(from, &request, 481);
        };
        let event = request.headers.get("Event").and_then(|e| e.split(';').next()).unwrap_or_default();
        let event = event.trim().to_ascii_lowercase();
        if event != crate::sip::message_summary::EVENT {
            return self.answer_at_once(from, &request, 489);
        }
        if request.body.len() > MAX_UNASKED {
            return self.answer_at_once(from, &request, 413);
        }
        self.accept_notify(from, &request);
        let content_type = request.headers.get("Content-Type").unwrap_or_default().to_owned();
        self.tell(Event::NotifiedUnasked { account, event, content_type, body: request.body });
    }
}
