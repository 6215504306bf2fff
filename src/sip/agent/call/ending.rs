//! The end of a call, in every state it may be in (RFC 3261 15).

use super::super::errand::Purpose;
use super::super::{CallKey, EndCause, EndedBy, UserAgent, Why};
use super::Phase;
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::message::{Method, Request};
use crate::sip::reason::{self, Reason};
use crate::sip::transaction::timers;

impl UserAgent {
    /// The same, and the far end learns why (RFC 3326).
    pub fn hang_up_because(&mut self, now: Moment, call: CallKey, reason: Reason) {
        self.give_reason(call, reason);
        self.hang_up(now, call);
    }

    /// What our CANCEL or BYE says of why; the first reason counts.
    pub(super) fn give_reason(&mut self, key: CallKey, reason: Reason) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.farewell.get_or_insert(reason);
        }
    }

    /// Ends a call, whatever its state: CANCEL, 486, BYE, or BYE after an answer that crossed the CANCEL. `CallEnded` is
    /// told at once; what remains to be done is done silently.
    pub fn hang_up(&mut self, now: Moment, call: CallKey) {
        let Some(phase) = self.calls.get(&call).filter(|c| !c.ended).map(|c| c.phase) else { return };
        match phase {
            Phase::Ringing => return self.reject(now, call, 486, Vec::new()),
            Phase::Calling { heard, .. } => {
                self.tell_ended(call, by_us());
                if let Some(call) = self.calls.get_mut(&call) {
                    call.phase = Phase::Calling { heard, cancelled: true };
                }
                if heard {
                    self.send_cancel(now, call);
                }
            }
            Phase::Accepted => {
                // The callee may not say BYE before the ACK (RFC 3261 15).
                self.tell_ended(call, by_us());
                if let Some(call) = self.calls.get_mut(&call) {
                    call.bye_due = true;
                }
            }
            Phase::Confirmed => {
                self.tell_ended(call, by_us());
                self.send_bye(now, call);
            }
            Phase::Over => {}
        }
        self.take_news(now);
    }

    /// BYE, and the dialog is over; an INVITE or UPDATE of theirs in hand is refused after it, lest they go on.
    pub(super) fn send_bye(&mut self, now: Moment, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.bye_due = false;
        if call.phase != Phase::Over {
            call.phase = Phase::Over;
            call.bye_sent = true;
            let account = call.account;
            let (mut bye, to) = call.dialog.request(Method::Bye);
            add_reason(&mut bye, call.farewell.as_ref());
            self.send_errand(now, Purpose::Bye(key), account, to, bye);
        }
        self.drop_invites(now, key);
        self.settle(key);
    }

    /// The dialog is over: what of INVITEs is still under way in it comes to nothing. Ours may have lost its final answer
    /// with the dialog, so it is not waited for without end.
    fn drop_invites(&mut self, now: Moment, key: CallKey) {
        if self.calls.get(&key).is_some_and(|c| c.inbound.as_ref().is_some_and(|i| !i.accepted)) {
            self.refuse_inbound(now, key, 487);
        }
        self.take_inbound(key);
        let Some(call) = self.calls.get_mut(&key) else { return };
        if call.invite.is_some() {
            self.alarms.reset(&mut call.cancel_lapse, now + timers::LIMIT, Why::CancelLapses(key));
        }
    }

    pub(in super::super) fn conclude_bye(&mut self, key: CallKey) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.bye_sent = false;
        }
        self.settle(key);
    }

    pub(super) fn receive_bye(&mut self, now: Moment, from: Peer, key: CallKey, request: &Request) {
        self.answer_within(now, from, request, 200);
        let Some(call) = self.calls.get_mut(&key) else { return };
        let (status, reason) = reason::read(&request.headers, "hung up");
        match call.phase {
            // A caller may say BYE in an early dialog; the INVITE still wants its answer (RFC 3261 15.1.2).
            Phase::Ringing => {
                self.refuse_inbound(now, key, 487);
                return self.finish_unmade(key, EndedBy::Remote, status, reason);
            }
            // Our INVITE's answer is still on its way: it will get ACK and BYE, or is cancelled.
            Phase::Calling { heard, .. } => {
                // One of several places that ring has gone; the others go on.
                let tag = request.headers.from().and_then(|from| from.tag().map(str::to_owned));
                if call.forks.len() > 1 {
                    return call
                        .forks
                        .retain(|fork| !fork.dialog.is_with(tag.as_deref().unwrap_or_default()));
                }
                call.phase = Phase::Calling { heard, cancelled: true };
                self.tell_ended(key, EndCause { by: EndedBy::Remote, status, reason });
                if heard {
                    self.send_cancel(now, key);
                }
                return;
            }
            Phase::Accepted | Phase::Confirmed | Phase::Over => {}
        }
        call.phase = Phase::Over;
        call.bye_due = false;
        self.drop_invites(now, key);
        self.tell_ended(key, EndCause { by: EndedBy::Remote, status, reason });
        self.settle(key);
    }

    /// A request inside the dialog found nobody (481) or no answer (408): the call is gone (RFC 3261 12.2.1.2).
    pub(super) fn end_lost(&mut self, now: Moment, key: CallKey, status: u16, reason: &str) {
        let cause = EndCause { by: EndedBy::Timeout, status: Some(status), reason: reason.to_owned() };
        self.give_reason(key, Reason::of_status(status));
        self.tell_ended(key, cause);
        self.send_bye(now, key);
    }
}

/// Says why, if that is known.
pub(super) fn add_reason(request: &mut Request, reason: Option<&Reason>) {
    if let Some(reason) = reason {
        request.headers.push("Reason", reason.write());
    }
}

fn by_us() -> EndCause {
    EndCause { by: EndedBy::Local, status: None, reason: "hung up".to_owned() }
}
