//! Our offers before the call is answered (RFC 3311 5.1): by UPDATE, where a first offer has its answer already and the far
//! end says that it takes UPDATE. What can't go so waits for the answer and goes in a re-INVITE.

use super::super::errand::{Answer, Purpose};
use super::super::{CallKey, Event, UserAgent};
use super::caller::sdp_of;
use super::wishes::{MAX_GLARES, Wish};
use super::{Call, Phase};
use crate::sip::Moment;
use crate::sip::dialog::Dialog;
use crate::sip::message::Method;

/// The branch of a call that we were sent, which has but one.
pub(super) const THEIR_BRANCH: u32 = 0;

impl Call {
    /// The branch in which an offer of ours may go now.
    fn open_branch(&self) -> Option<u32> {
        let busy = self.ended || self.in_hand.is_some() || self.early_offer.is_some() || self.glare.is_some();
        if busy || self.no_early_offers || !self.peer_takes("UPDATE") {
            return None;
        }
        match self.phase {
            Phase::Calling { cancelled: false, .. } => {
                let heard = self.forks.iter().find(|fork| fork.number == self.latest);
                heard.filter(|fork| fork.agreed).map(|fork| fork.number)
            }
            Phase::Ringing => {
                let reliable = self.inbound.as_ref().and_then(|inbound| inbound.reliable.as_deref());
                reliable.filter(|reliable| reliable.agreed && self.answer_due.is_none()).map(|_| THEIR_BRANCH)
            }
            _ => None,
        }
    }

    /// The dialog with that branch, or what has become of it.
    pub(in super::super) fn dialog_of_branch(&mut self, branch: u32) -> Option<&mut Dialog> {
        match self.phase {
            _ if branch == THEIR_BRANCH => Some(&mut self.dialog),
            Phase::Calling { .. } => self.dialog_of(branch),
            _ => (self.latest == branch).then_some(&mut self.dialog),
        }
    }

    /// Whether an offer of ours before the answer has none yet.
    pub(super) fn offers_early(&self) -> bool {
        matches!(self.in_hand, Some(Wish::Reoffer(_)))
            && matches!(self.phase, Phase::Calling { .. } | Phase::Ringing)
    }
}

impl UserAgent {
    /// Sends the offer that waits, if it may go before the call is answered.
    pub(super) fn pump_early(&mut self, now: Moment, key: CallKey) {
        let Some(call) = self.calls.get(&key) else { return };
        let (Some(Wish::Reoffer(sdp)), Some(branch)) = (call.wishes.front(), call.open_branch()) else {
            return;
        };
        let sdp = self.stamp(key, sdp.clone());
        let contact = self.contact_in(key);
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.in_hand = call.wishes.pop_front();
        let account = call.account;
        let Some(dialog) = call.dialog_of_branch(branch) else { return };
        let (mut update, to) = dialog.request(Method::Update);
        update.headers.push("Contact", contact);
        update.headers.push("Content-Type", "application/sdp");
        update.body = sdp;
        self.send_errand(now, Purpose::EarlyOffer(key, branch), account, to, update);
    }

    /// Our offer before the answer has its own.
    pub(in super::super) fn conclude_early_offer(
        &mut self,
        now: Moment,
        key: CallKey,
        branch: u32,
        answer: Answer,
    ) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let Some(wish) = call.in_hand.take() else { return };
        if call.ended {
            return self.settle(key);
        }
        // Another branch has answered the call meanwhile: what this one says is nobody's.
        let ours = match call.phase {
            Phase::Calling { .. } => call.forks.iter().any(|fork| fork.number == branch),
            _ => branch == THEIR_BRANCH || call.latest == branch,
        };
        let status = answer.status();
        let later = matches!(status, 500 | 503).then(|| answer.retry_after_s()).flatten();
        let busy = status == 491 || later.is_some_and(|after_s| after_s <= 10);
        if answer.is_ok() && ours {
            call.glares = 0;
            let offered = call.sent_sdp.clone();
            self.keep_sdp(key, &offered);
            let described = sdp_of(&answer.response.headers, answer.response.body);
            let reason = || "accepted without a description".to_owned();
            self.tell(match described {
                Some(sdp) => Event::OfferAnswered { call: key, sdp },
                None => Event::OfferFailed { call: key, status, reason: reason() },
            });
        } else if busy && call.glares < MAX_GLARES {
            return self.try_after_glare(now, key, wish, later);
        } else if !ours || answer.is_ok() || matches!(status, 405 | 408 | 481 | 501) {
            // Said again in the dialog that comes of the call.
            call.no_early_offers = true;
            call.wishes.push_front(wish);
        } else {
            self.fail_wish(key, wish, status, &answer.words());
        }
        self.pump(now, key);
    }
}
