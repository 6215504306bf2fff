//! A call of our own to a feature code, beside the held call that the server is to move (BroadWorks). The desk never
//! hears of it, and nobody listens to it.

use super::{ASK_AGAIN_AFTER, HARD_DEADLINE, Phone, Stage};
use crate::desk::CallId;
use crate::dialect::ownership::call_of;
use crate::dialect::words;
use crate::parking::Moment;
use crate::sip::message::Uri;
use crate::sip::{self, CallKey, EndCause, Invite, sdp};

impl Phone {
    /// Calls the code.
    pub(super) fn call_code(&mut self, now: Moment, call: CallId, code: &str) {
        let target: Uri = self.uri_of(code);
        let server = self.ua.server_of(self.account);
        let security = self.security_with(server);
        let local = match security.offerable() {
            Ok(()) => self.take_port(self.server(), security),
            Err(refusal) => return self.refuse(now, call, &refusal.to_string()),
        };
        let Some(local) = local else { return self.refuse(now, call, "no media port is free") };
        let invite = Invite {
            account: Some(self.account),
            from: None,
            target,
            send_to: self.server(),
            sdp: sdp::offer(&local),
            headers: Vec::new(),
        };
        let key = self.ua.invite(now, invite);
        match self.attempt_for(call) {
            Some(attempt) => {
                attempt.errand = Some((key, local.port));
                attempt.stage = Stage::Asked;
                attempt.asked_at = now;
                attempt.decide_at = now + HARD_DEADLINE;
            }
            None => self.ua.hang_up(now, key),
        }
    }

    /// Whether that call is an errand of this phone.
    pub(in crate::dialect) fn runs_errand(&self, key: CallKey) -> bool {
        self.attempts.iter().any(|a| a.errand.is_some_and(|(errand, _)| errand == key))
    }

    /// Takes in what the user agent says of an errand. False if it is about something else.
    pub(in crate::dialect) fn errand_heard(&mut self, now: Moment, event: &sip::Event) -> bool {
        use sip::Event as E;
        let Some(key) = call_of(event).filter(|key| self.runs_errand(*key)) else { return false };
        match event {
            E::CallAnswered { .. } => self.errand_answered(now, key),
            E::CallEnded { cause, .. } => self.errand_ended(now, key, cause),
            // What the server plays there is heard by nobody: no change of it is worth having.
            E::OfferReceived { .. } => self.ua.answer_offer(now, key, Err(488)),
            _ => {}
        }
        true
    }

    fn errand_answered(&mut self, now: Moment, key: CallKey) {
        let patience = self.patience();
        let of_errand = |a: &&mut super::Attempt| a.errand.is_some_and(|(errand, _)| errand == key);
        let Some(attempt) = self.attempts.iter_mut().find(of_errand) else { return };
        if attempt.stage == Stage::Asked {
            attempt.stage = Stage::Accepted;
            attempt.decide_at = now + patience;
            attempt.ask_at = Some(now + ASK_AGAIN_AFTER);
        }
        let call = attempt.call;
        self.judge(now, call);
    }

    fn errand_ended(&mut self, now: Moment, key: CallKey, cause: &EndCause) {
        let of_errand = |a: &&mut super::Attempt| a.errand.is_some_and(|(errand, _)| errand == key);
        let Some(attempt) = self.attempts.iter_mut().find(of_errand) else { return };
        let port = attempt.errand.take().map(|(_, port)| port);
        let (call, stage) = (attempt.call, attempt.stage);
        self.ports.extend(port);
        // Once it was answered, its end says nothing: the announcement is over.
        if stage == Stage::Asked {
            let text = words::of_status(cause.status.unwrap_or(408), &cause.reason);
            self.refuse(now, call, &format!("the park code was refused: {text}"));
        }
    }

    /// The park is decided: the errand is over, whatever is played there. Its port comes back when the user agent says
    /// that it has ended.
    pub(super) fn end_errand(&mut self, now: Moment, call: CallId) {
        let errand = self.attempts.iter_mut().find(|a| a.call == call).and_then(|a| a.errand.take());
        if let Some((key, port)) = errand {
            self.ua.hang_up(now, key);
            self.ports.push_back(port);
        }
    }
}
