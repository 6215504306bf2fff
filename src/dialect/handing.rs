//! Callers handed on: joined with whoever was asked first, or sent elsewhere unanswered.

use super::phone::Phone;
use crate::desk::{CallId, Event};
use crate::parking::{Moment, Text};
use crate::sip::message::NameAddr;
use crate::sip::replaces::Replaces;

impl Phone {
    /// Hands a caller over to whoever is at the other end of another call of ours: REFER with Replaces (RFC 5589
    /// section 7). The tags are as whoever is replaced sees them (RFC 3891 section 3).
    pub(super) fn join(&mut self, now: Moment, call: CallId, with: CallId) {
        let refuse = |reason: &str| Event::TransferRefused { call, reason: Text::new(reason) };
        let (Some(caller), Some(asked)) =
            (self.legs.get(&call).map(|l| l.key), self.legs.get(&with).map(|l| l.key))
        else {
            return self.say(refuse("one of the two has hung up"));
        };
        let Some((dialog, mut target)) = self.ua.dialog_id(asked).zip(self.ua.remote_target(asked)) else {
            return self.say(refuse("the other call is not up"));
        };
        let replaces = Replaces {
            call_id: dialog.call_id,
            to_tag: dialog.remote_tag,
            from_tag: dialog.local_tag,
            early_only: false,
        };
        target.headers = vec![("Replaces".to_owned(), replaces.to_string())];
        let referred_by = ("Referred-By".to_owned(), self.ourselves().to_string());
        let refer = self.ua.refer(now, caller, NameAddr::new(target), vec![referred_by]);
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.transfer = Some(refer);
        }
    }

    /// Sends a ringing call elsewhere: 302 with the place as Contact (RFC 3261 section 21.3.3). What is no number is
    /// answered as busy: the caller hears something.
    pub(super) fn redirect(&mut self, now: Moment, call: CallId, to: &str) {
        let Some(target) = self.uri_typed(to) else { return self.reject(now, call) };
        let user = target.user.as_deref().unwrap_or_default();
        let dialect = &self.config.dialect;
        if dialect.lot_parked_by(user).is_some() || dialect.leads_into_a_slot(user) {
            return self.reject(now, call);
        }
        if let Some(leg) = self.legs.get(&call) {
            let contact = ("Contact".to_owned(), NameAddr::new(target).to_string());
            self.ua.reject(now, leg.key, 302, vec![contact]);
            self.forget(call);
        }
    }
}
