//! A phone sends a call on (3xx, RFC 3261 8.1.3.4): night service, do not disturb, a mailbox. It is followed within the
//! lot's own dial plan and with its user's rights, as if he had transferred the call. What the phone names as a host isn't
//! looked at, as in every request: the plan has nothing outside the lot but numbers of trunks, for users who may.

use super::Lot;
use super::legs::{Attempt, AttemptId, Leg, Purpose};
use super::notice::Notice;
use super::plan::Destination;
use super::words::identity_of;
use crate::parking::Moment;
use crate::sip::message::{NameAddr, Uri};
use crate::sip::{CallKey, Reason};

/// How often one call is sent on, all in all.
pub const MAX_SENT_ON: usize = 5;

impl Lot {
    /// A phone names other places; that its leg has ended is heard next.
    pub(super) fn on_moved(&mut self, call: CallKey, places: Vec<NameAddr>) {
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.moved_to = places;
        }
    }

    /// Rings where a phone that was rung sends the call. Whoever does so does it for all his phones, as who says no for
    /// everybody; but no member of a group for the group. False when there is no way on: the phone has just refused.
    pub(super) fn follow(&mut self, now: Moment, id: AttemptId, branch: CallKey, leg: &Leg) -> bool {
        let Some(attempt) = self.attempts.get(&id) else { return false };
        let Some(user) = leg.user.as_deref().filter(|_| !leg.moved_to.is_empty()) else { return false };
        let called = matches!(
            attempt.purpose,
            Purpose::Call { .. }
                | Purpose::Transfer { .. }
                | Purpose::Comeback { .. }
                | Purpose::Fallback { .. }
        );
        if !called || attempt.step.is_group() || attempt.sent_on_by.len() >= MAX_SENT_ON {
            return false;
        }
        let Some(destination) = leg.moved_to.iter().find_map(|place| self.way_on(user, place, attempt))
        else {
            return false;
        };
        let Some(mut attempt) = self.attempts.remove(&id) else { return false };
        attempt.branches.remove(&branch);
        for other in std::mem::take(&mut attempt.branches) {
            self.hang_up_because(now, other, Some(Reason::of_status(302)));
        }
        if let Some(by) = self.plan.user(user).map(identity_of) {
            // To whom it was meant for: a mailbox wants to know (RFC 5806).
            let diverted = format!("{};reason=deflection", self.address(&by));
            attempt.bell.headers.push(("Diversion".to_owned(), diverted));
            let to = self.who_is(&destination);
            self.say(Notice::SentOn { by, to });
        }
        attempt.bell.caller = Some(user.to_owned());
        attempt.sent_on_by.push(user.to_owned());
        for step in self.steps_to(&destination).into_iter().rev() {
            attempt.then.push_front(step);
        }
        if let Err(attempt) = self.ring_next(now, id, attempt) {
            self.give_up(now, *attempt);
        }
        true
    }

    /// Where that place leads, for a user: to people, and to nobody who has sent the call on himself.
    fn way_on(&self, user: &str, place: &NameAddr, attempt: &Attempt) -> Option<Destination> {
        let dialled = Some(&place.uri).filter(|uri| Uri::is_sip(uri))?.user.as_deref()?;
        let known = self.destination_for(user, dialled).or_else(|| self.outside_for(user, dialled).ok())?;
        match &known {
            Destination::User(to) if to == user || attempt.sent_on_by.contains(to) => None,
            Destination::User(_) | Destination::Group { .. } | Destination::Outside { .. } => Some(known),
            Destination::Park { .. } | Destination::Slot { .. } | Destination::Page { .. } => None,
        }
    }
}
