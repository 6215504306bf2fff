//! Directed pickup: taking a call that rings somebody else, by a feature code and his extension, or by INVITE with
//! Replaces that names the dialog of the ringing call as his lamp tells it (RFC 3891, RFC 4235). Only for those who may.

use super::Lot;
use super::legs::{AttemptId, Place, Purpose};
use super::notice::Notice;
use super::plan::Destination;
use super::words::Refusal;
use crate::parking::Moment;
use crate::sip::{CallKey, Reason};

impl Lot {
    /// The extension behind the code, if that is what was dialled.
    pub(super) fn picks_up(&self, dialled: &str) -> Option<String> {
        let code = self.config.pickup.as_str();
        let extension = dialled.strip_prefix(code).filter(|rest| !code.is_empty() && !rest.is_empty())?;
        Some(extension.to_owned())
    }

    /// The code and an extension were dialled: the call that has rung there for longest.
    pub(super) fn pick_up(
        &mut self,
        now: Moment,
        call: CallKey,
        user: &str,
        extension: &str,
    ) -> Result<(), Refusal> {
        self.may_pick_up(user)?;
        let rings = match self.destination(extension) {
            Some(Destination::User(callee)) => {
                let rings = |id: &AttemptId| self.rings_phone_of(*id, &callee);
                self.attempts.keys().copied().find(rings)
            }
            Some(Destination::Group { .. }) => {
                let found = self.attempts.iter().find(|(_, attempt)| attempt.step.rings_group(extension));
                found.map(|(id, _)| *id)
            }
            Some(_) | None => return Err(Refusal::new(404, "There is no such extension.")),
        };
        let Some(id) = rings else { return Err(Refusal::new(404, "Nobody calls there.")) };
        self.take_ringing(now, call, user, id)
    }

    fn rings_phone_of(&self, id: AttemptId, user: &str) -> bool {
        let branches = self.attempts.get(&id).into_iter().flat_map(|attempt| &attempt.branches);
        let mut legs = branches.filter_map(|branch| self.legs.get(branch));
        legs.any(|leg| leg.user.as_deref() == Some(user))
    }

    /// The attempt that rings somebody for this leg, or that this leg is a phone of.
    pub(super) fn attempt_about(&self, call: CallKey) -> Option<AttemptId> {
        match self.legs.get(&call)?.place {
            Place::Asking(id) | Place::Transferring(id) | Place::Dialled(id) => Some(id),
            _ => None,
        }
    }

    /// Somebody named a ringing call by its dialog: one of his own phones rings, or he may take others' calls.
    pub(super) fn take_named(
        &mut self,
        now: Moment,
        call: CallKey,
        user: &str,
        id: AttemptId,
    ) -> Result<(), Refusal> {
        if !self.rings_phone_of(id, user) {
            self.may_pick_up(user)?;
        }
        self.take_ringing(now, call, user, id)
    }

    /// Those who have the right; never those who speak for others, whose callers would have it too.
    pub(super) fn may_pick_up(&self, user: &str) -> Result<(), Refusal> {
        match self.plan.user(user) {
            Some(user) if user.permissions.may_pick_up() => Ok(()),
            _ => Err(Refusal::new(403, "You may not take calls of others.")),
        }
    }

    /// This leg answers in the place of those who are being rung.
    fn take_ringing(&mut self, now: Moment, call: CallKey, user: &str, id: AttemptId) -> Result<(), Refusal> {
        let Some(attempt) = self.attempts.get(&id) else {
            return Err(Refusal::new(481, "Nobody calls there."));
        };
        let rung = attempt.branches.iter().filter_map(|branch| self.legs.get(branch)?.user.clone()).next();
        let waiting = match attempt.purpose.clone() {
            Purpose::Call { caller } => caller,
            Purpose::Transfer { transferee, .. } => transferee,
            Purpose::Page { .. } | Purpose::Announce { .. } => {
                return Err(Refusal::new(404, "Nobody calls there."));
            }
            Purpose::Comeback { ticket } | Purpose::Fallback { ticket } => {
                let Some((lot, parked)) = self.parked(&ticket) else {
                    return Err(Refusal::new(481, "The call is gone."));
                };
                self.may_retrieve(user, &parked.parker.user, lot)?;
                return self.retrieve(now, call, &ticket);
            }
        };
        if waiting == call {
            return Err(Refusal::new(404, "Nobody else calls there."));
        }
        // First everything that can fail.
        let offered = self.legs.get(&waiting).and_then(|leg| leg.offer.clone()).unwrap_or_default();
        let codec = self.codec_of(waiting).or_else(|| self.codecs_like(&offered).first().copied());
        let answer = self.answer_offer_of(call, codec)?;
        let Some(mut attempt) = self.attempts.remove(&id) else { return Ok(()) };
        self.touch_step(&attempt.step);
        for branch in std::mem::take(&mut attempt.branches) {
            self.hang_up_because(now, branch, Some(Reason::answered_elsewhere()));
        }
        let who = self.legs.get(&waiting).map(|leg| leg.identity.clone()).unwrap_or_default();
        let headers = self.asserted(&who);
        self.agent.accept_with(now, call, answer, headers);
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.picked_from = rung;
        }
        let by = self.legs.get(&call).map(|leg| leg.identity.clone()).unwrap_or_default();
        self.say(Notice::CallPickedUp { who, by });
        match attempt.purpose {
            Purpose::Transfer { transferee, transferor, refer, .. } => {
                self.transfer_answered(now, transferee, transferor, refer, call);
            }
            _ => self.connect_call(now, waiting, call),
        }
        Ok(())
    }
}
