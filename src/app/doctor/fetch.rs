//! Fetching the parked call. Whoever is in the slot is spoken to only when it is known to be ours; else he goes back.

use super::examiner::{Examiner, Outcome, Stage};
use super::finding::{Finding, Verdict};
use super::legs::{PARKEE_HZ, RETRIEVER_HZ};
use crate::desk::{CallId, Effect, LotId, ParkedCall, RetrieveTarget};
use crate::parking::{Identity, Moment, SlotId, Strength, Text};
use std::time::Duration;

const RETRIEVE_PATIENCE: Duration = Duration::from_secs(12);
/// Until the fetched party is heard, and until he hears us.
const RECOGNISE_PATIENCE: Duration = Duration::from_secs(8);
/// How long after the answer the server may still say who it is.
const IDENTITY_PATIENCE: Duration = Duration::from_millis(1_500);
const PUT_BACK_PATIENCE: Duration = Duration::from_secs(14);

impl Examiner {
    /// Whom a retrieve should bring.
    pub(super) fn expected_party(&self) -> Identity {
        let parties = self.leg(self.parker).map(|leg| leg.parties.clone()).unwrap_or_default();
        parties.last().cloned().unwrap_or_default()
    }

    pub(super) fn retrieve(&mut self, now: Moment) {
        let Some(slot) = self.slot.clone() else { return };
        let call = self.new_leg(None);
        (self.retriever, self.spoke_at) = (Some(call), None);
        let key = self.facts.lamps.get(&slot).and_then(|report| report.key.clone());
        let strength = if key.is_some() { Strength::Exact } else { Strength::Verified };
        let seen = ParkedCall {
            parkee: self.expected_party(),
            parker: Identity::default(),
            told_by: Text::default(),
            since: self.parked_at.unwrap_or(now),
            since_inferred: false,
            note: Text::default(),
            comes_back_at: None,
            ours: true,
            strength,
            key: key.clone(),
        };
        let target = RetrieveTarget { slot, seen, strength, key };
        self.perform(now, Effect::Retrieve { call, target });
    }

    pub(super) fn look_at_retrieve(&mut self, now: Moment) -> Option<Stage> {
        let slot = self.slot.clone()?;
        let since = self.since;
        let call_id = self.witness.began_call(true, since).map(str::to_owned);
        let leg = self.legs.get_mut(&self.retriever?)?;
        leg.call_id = leg.call_id.take().or(call_id);
        let (call_id, ended, up) = (leg.call_id.clone(), leg.ended.clone(), leg.is_up());
        if up {
            return Some(Stage::Recognising);
        }
        let reason =
            ended.or_else(|| (self.lasted(now) >= RETRIEVE_PATIENCE).then(|| "no answer".to_owned()))?;
        let status = call_id.and_then(|call_id| self.witness.invite_status(&call_id));
        let advice = self.words().retrieve(status, slot.as_str());
        self.find(
            Finding::new("retrieve", Verdict::Bad, format!("INVITE to {slot}: {reason}")).advise(advice),
        );
        self.hang_up(now, self.retriever);
        Some(self.give_up())
    }

    pub(super) fn look_at_identity(&mut self, now: Moment) -> Option<Stage> {
        let (slot, call) = (self.slot.clone()?, self.retriever?);
        let ended = self.leg(self.retriever)?.ended.is_some();
        if self.other_phone {
            let heard = self.leg(self.retriever)?.figures.packets > 0;
            if heard && self.lasted(now) >= IDENTITY_PATIENCE {
                self.judge_retrieve(&slot, "their sound arrives");
                return Some(Stage::HangingUp);
            }
        } else if self.hears(self.retriever, PARKEE_HZ) {
            return self.look_at_speech(now, &slot, call);
        }
        if !ended && self.lasted(now) < RECOGNISE_PATIENCE {
            return None;
        }
        let heard = self.leg(self.retriever).map(|leg| leg.heard()).unwrap_or_default();
        let seen = format!("{slot} was answered, but by nobody whom we had parked: who fetches {heard}");
        self.find(Finding::new("retrieve", Verdict::Bad, seen));
        Some(if ended { Stage::Abandoning } else { Stage::PuttingBack })
    }

    /// Whoever was fetched is ours: now he may hear us.
    fn look_at_speech(&mut self, now: Moment, slot: &SlotId, call: CallId) -> Option<Stage> {
        let spoke_at = *self.spoke_at.get_or_insert(now);
        if self.leg(Some(call))?.is_silent() {
            self.play(call, Some(RETRIEVER_HZ));
        }
        let heard = self.has_heard(self.parkee, RETRIEVER_HZ, spoke_at);
        let waits = !heard && now < spoke_at + RECOGNISE_PATIENCE;
        if waits || self.lasted(now) < IDENTITY_PATIENCE {
            return None;
        }
        match heard {
            true => self.judge_retrieve(slot, "both sides hear each other again"),
            false => {
                let heard = self.leg(self.parkee).map(|leg| leg.heard()).unwrap_or_default();
                let seen = format!("from {slot}, but one-way: who was parked {heard}");
                let advice = self.words().sound();
                self.find(Finding::new("retrieve", Verdict::Bad, seen).advise(advice));
            }
        }
        Some(Stage::ParkingAgain)
    }

    fn judge_retrieve(&mut self, slot: &SlotId, sound: &str) {
        let call_id = self.leg(self.retriever).and_then(|leg| leg.call_id.clone()).unwrap_or_default();
        let by = if self.witness.replaced(&call_id) { ", exact (Replaces)" } else { "" };
        self.find(Finding::new("retrieve", Verdict::Good, format!("from {slot}{by}; {sound}")));
        let told = self.witness.identity(&call_id);
        let party = self.leg(self.retriever).and_then(|leg| leg.parties.last().cloned());
        let expected = self.expected_party();
        let finding = match (told, party) {
            (Some(told), Some(party)) => {
                let by = match told.by {
                    "the answer" => format!("{} of the answer", told.header),
                    by => format!("{}, by {by} {} ms after the answer", told.header, told.after.as_millis()),
                };
                let seen = format!("“{}”: {by}", party.label());
                match self.other_phone || party.agrees_with(&expected) {
                    true => Finding::new("identity", Verdict::Good, seen),
                    false => {
                        let seen = format!("{seen}; whoever was parked showed “{}” before", expected.label());
                        Finding::new("identity", Verdict::Doubtful, seen)
                    }
                }
            }
            _ => {
                let parker = self.leg(self.parker).and_then(|leg| leg.call_id.clone()).unwrap_or_default();
                let arrives = self.witness.arrived_with_identity(&parker);
                let advice = self.words().identity(arrives);
                let seen =
                    "the server doesn't say who was fetched (no UPDATE, no re-INVITE, nothing in the answer)";
                Finding::new("identity", Verdict::Doubtful, seen).advise(advice)
            }
        };
        self.find(finding);
    }

    /// Whoever is in the slot goes back to where he was.
    pub(super) fn put_back(&mut self, now: Moment) {
        self.facts.park = None;
        if let Some(call) = self.retriever {
            let (lot, note, party) = (LotId::default(), Text::default(), Identity::default());
            self.perform(now, Effect::Park { call, lot, slot: None, note, party });
        }
    }

    pub(super) fn look_at_putting_back(&mut self, now: Moment) -> Option<Stage> {
        // Where it is refused there may be nobody but a recorded voice, which ends by itself; a person is given all the time.
        let parked = matches!(self.facts.park, Some(Outcome::Proven(_)));
        if !parked && self.is_up(self.retriever) && self.lasted(now) < PUT_BACK_PATIENCE {
            return None;
        }
        if parked {
            self.find(Finding::new("put back", Verdict::Doubtful, "whoever it was is parked again"));
        }
        self.hang_up(now, self.retriever);
        Some(Stage::Abandoning)
    }

    /// Somebody else's phone waits in a slot, and we are leaving.
    pub(super) fn look_at_fetching(&mut self, now: Moment) -> Option<Stage> {
        let up = self.is_up(self.retriever);
        (up || self.lasted(now) >= RETRIEVE_PATIENCE || self.retriever.is_none()).then_some(Stage::HangingUp)
    }
}
