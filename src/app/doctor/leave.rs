//! Leaving: calls, subscriptions and registration are given back, whatever the examination had come to, and it is said
//! what could not be.

use super::examiner::{Examiner, Stage};
use super::finding::{Finding, Verdict};
use crate::parking::{Moment, Text};
use std::time::Duration;

/// What was decided a moment ago must have gone out before its answer can be missed.
const BREATH: Duration = Duration::from_millis(100);
/// How long BYE and CANCEL may take.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(3);
/// How long unsubscribing and unregistering may take.
const LEAVE_PATIENCE: Duration = Duration::from_secs(4);

impl Examiner {
    /// The examination is broken off.
    pub(super) fn withdraw(&mut self, now: Moment) {
        match self.stage {
            Stage::FetchingBack | Stage::HangingUp | Stage::Leaving | Stage::Over => {}
            // Where somebody else's phone is going to be is known in a moment.
            Stage::Parking if self.other_phone => {}
            _ => self.enter(now, self.way_out()),
        }
    }

    /// What is to be done first by whoever leaves now.
    pub(super) fn way_out(&self) -> Stage {
        let waits = self.is_stranded() && self.slot.is_some();
        if waits { Stage::FetchingBack } else { Stage::HangingUp }
    }

    /// Whether somebody else's phone is parked: no leg of ours, which would end with us.
    fn is_stranded(&self) -> bool {
        let fetched = self.leg(self.retriever).is_some_and(|leg| leg.up_at.is_some());
        self.other_phone && self.parked_at.is_some() && !fetched
    }

    /// Whether everything that we have asked of the server is answered, the last BYE included.
    fn is_answered(&self, now: Moment) -> bool {
        let unwatched = self.enquirer.watched() <= self.witness.silent_goodbyes();
        self.lasted(now) >= BREATH && self.witness.unanswered() == 0 && unwatched
    }

    pub(super) fn look_at_hanging_up(&mut self, now: Moment) -> Option<Stage> {
        let done = (!self.may_be_registered() || self.is_answered(now)) && self.manager_is_known();
        (done || self.lasted(now) >= GOODBYE_PATIENCE).then_some(Stage::Leaving)
    }

    /// Whether a REGISTER of ours was granted, or may yet be.
    fn may_be_registered(&self) -> bool {
        self.facts.registered || self.facts.asked_in && !self.facts.refused
    }

    /// Who was never let in has nothing to give back, and needn't be refused once more.
    pub(super) fn leave(&mut self, now: Moment) {
        if self.may_be_registered() {
            self.phones.stop(now);
        }
    }

    pub(super) fn look_at_leaving(&mut self, now: Moment) -> Option<Stage> {
        let watched = self.phones.census().subscriptions + self.enquirer.watched();
        let unwatched = watched <= self.witness.silent_goodbyes();
        // Who was never let in has left nothing.
        let confirmed = self.is_answered(now) && unwatched && self.witness.unregistered();
        let gone = confirmed || !self.may_be_registered();
        if !gone && self.lasted(now) < LEAVE_PATIENCE {
            return None;
        }
        self.judge_turned_away();
        self.judge_manager();
        let finding = match gone {
            _ if self.is_stranded() => {
                let place = match &self.slot {
                    Some(slot) => format!("waits on {slot}: dial it"),
                    None => "is parked where no lamp shows it: somebody there must hang up".to_owned(),
                };
                let seen = format!("{} {place}", Text::new(&self.plan.number));
                Finding::new("left behind", Verdict::Bad, seen)
            }
            true => Finding::new(
                "left behind",
                Verdict::Good,
                "nothing: calls ended, lamps unsubscribed, registration taken back",
            ),
            false => {
                let seen = "the server did not confirm everything: what it still has ends by its own timers";
                Finding::new("left behind", Verdict::Bad, seen)
            }
        };
        if self.may_be_registered() {
            self.find(finding);
        }
        Some(Stage::Over)
    }

    fn judge_turned_away(&mut self) {
        let callers = std::mem::take(&mut self.facts.turned_away);
        if !callers.is_empty() {
            let seen = format!("turned away as busy meanwhile: {}", callers.join(", "));
            self.find(Finding::new("callers", Verdict::Doubtful, seen));
        }
    }
}
