//! MESSAGE from user to user (RFC 3428): to every phone of the one who is meant, with the writer's identity asserted. The
//! writer is answered as his reader's phones answer: 2xx as soon as one has it.

use super::Lot;
use super::legs::better_refusal;
use super::words::{Refusal, identity_of};
use crate::parking::Moment;
use crate::sip::message::{Method, Request};
use crate::sip::{Ask, Peer, RequestKey, SentKey};
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest body of a MESSAGE that is relayed, in bytes (RFC 3428 8: 1300 for the whole of it).
pub const MAX_MESSAGE_BODY: usize = 1_200;
/// How many messages are on their way at once.
pub const MAX_RELAYS: usize = 256;
/// How many messages of a user are taken at once, and how many a second in the long run.
const BURST: u32 = 100;
const PER_S: u32 = 10;

/// How long phones may take to answer; the writer is told before he would ask again in vain (RFC 4320 4.2).
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A message that some phones have not answered yet.
#[derive(Debug)]
struct Relay {
    writer: RequestKey,
    waiting: usize,
    refusal: u16,
    until: Moment,
}

/// How much a user may still write.
#[derive(Debug)]
struct Allowance {
    left: u32,
    filled_at: Moment,
}

/// The messages on their way. There are no more allowances than users.
#[derive(Debug, Default)]
pub(super) struct Relays {
    next: u64,
    open: BTreeMap<u64, Relay>,
    sent: BTreeMap<SentKey, u64>,
    allowances: BTreeMap<String, Allowance>,
}

impl Relays {
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    fn may_write(&mut self, now: Moment, user: &str) -> bool {
        let full = || Allowance { left: BURST, filled_at: now };
        let allowance = self.allowances.entry(user.to_owned()).or_insert_with(full);
        let seconds = now.saturating_sub(allowance.filled_at).as_secs();
        let more = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(PER_S);
        allowance.left = allowance.left.saturating_add(more).min(BURST);
        allowance.filled_at += Duration::from_secs(seconds);
        let may = allowance.left > 0;
        allowance.left = allowance.left.saturating_sub(1);
        may
    }

    /// When somebody has waited long enough for an answer.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.open.values().map(|relay| relay.until).min()
    }

    /// Forgets what users may write who are no more.
    pub(super) fn retain_users(&mut self, stays: impl Fn(&str) -> bool) {
        self.allowances.retain(|user, _| stays(user));
    }
}

impl Lot {
    /// A MESSAGE of a proven user for another one.
    pub(super) fn relay(
        &mut self,
        now: Moment,
        key: RequestKey,
        from: Peer,
        user: &str,
        to: &str,
        request: &Request,
    ) {
        if let Err(refusal) = self.try_relay(now, key, user, to, request) {
            self.agent.answer(now, key, refusal.status, refusal.headers(), Vec::new());
            self.note_refusal(Method::Message, from, Some(user.to_owned()), &refusal);
        }
    }

    fn try_relay(
        &mut self,
        now: Moment,
        key: RequestKey,
        user: &str,
        to: &str,
        request: &Request,
    ) -> Result<(), Refusal> {
        if request.body.len() > MAX_MESSAGE_BODY {
            return Err(Refusal::new(413, "The message is too long."));
        }
        let kind = request.headers.get("Content-Type").unwrap_or("text/plain").to_owned();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/plain") {
            return Err(Refusal::new(415, "Text is wanted."));
        }
        if !self.relays.may_write(now, user) {
            // Not 503: that would say that the whole server is in trouble (RFC 3261 21.5.4).
            return Err(Refusal::new(480, "Too many messages: wait a moment."));
        }
        if self.relays.open.len() >= MAX_RELAYS {
            return Err(Refusal::new(480, "Too many messages are on their way."));
        }
        let writer = self.plan.user(user).map(identity_of).unwrap_or_default();
        let mut headers = self.asserted(&writer);
        headers.push(("Content-Type".to_owned(), kind));
        let phones: Vec<_> =
            self.registrar.phones(to).iter().map(|b| (b.contact.clone(), b.source)).collect();
        if phones.is_empty() {
            return Err(Refusal::new(480, "No phone is registered there."));
        }
        let id = self.relays.next;
        self.relays.next += 1;
        self.relays
            .open
            .insert(id, Relay { writer: key, waiting: phones.len(), refusal: 0, until: now + ANSWER_WITHIN });
        for (contact, source) in phones {
            let ask = Ask {
                account: None,
                from: Some(self.address(&writer)),
                method: Method::Message,
                target: contact,
                send_to: source,
                headers: headers.clone(),
                body: request.body.clone(),
            };
            let sent = self.agent.request(now, ask);
            self.relays.sent.insert(sent, id);
        }
        Ok(())
    }

    /// Tells the writers of messages that no phone has answered in time.
    pub(super) fn end_overdue_relays(&mut self, now: Moment) {
        let overdue: Vec<u64> =
            self.relays.open.iter().filter(|(_, relay)| relay.until <= now).map(|(id, _)| *id).collect();
        for id in overdue {
            if let Some(relay) = self.relays.open.remove(&id) {
                self.agent.answer(now, relay.writer, 480, Vec::new(), Vec::new());
            }
        }
    }

    /// A phone has answered a message, or will not (408).
    pub(super) fn on_relayed(&mut self, now: Moment, sent: SentKey, status: u16) {
        let Some(id) = self.relays.sent.remove(&sent) else { return };
        let Some(relay) = self.relays.open.get_mut(&id) else { return };
        relay.waiting = relay.waiting.saturating_sub(1);
        let writer = relay.writer;
        if (200..300).contains(&status) {
            self.relays.open.remove(&id);
            return self.agent.answer(now, writer, 200, Vec::new(), Vec::new());
        }
        relay.refusal = if relay.refusal == 0 { status } else { better_refusal(relay.refusal, status) };
        if relay.waiting > 0 {
            return;
        }
        // What a phone says to the lot is not always what the lot says to the writer: a challenge, for one.
        let status = match relay.refusal {
            401 | 407 => 403,
            408 | 503 => 480,
            status => status,
        };
        self.relays.open.remove(&id);
        self.agent.answer(now, writer, status, Vec::new(), Vec::new());
    }
}
