//! Leaving: calls, subscriptions and registration are given back, whatever the examination had come to, and it is said
//! what could not be.

use super::examiner::{Examiner, Stage};
use super::finding::{Finding, Verdict};
use crate::parking::{Lamp, Moment, Text};
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
            Stage::HangingUp | Stage::Leaving | Stage::Over => {}
            // What is parked there isn't a leg of ours, which would end with us.
            _ if self.other_phone && self.slot.is_some() && !self.is_up(self.retriever) => {
                self.enter(now, Stage::FetchingBack);
            }
            _ => self.enter(now, Stage::HangingUp),
        }
    }

    /// Whether everything that we have asked of the server is answered, the last BYE included.
    fn is_answered(&self, now: Moment) -> bool {
        self.lasted(now) >= BREATH && self.witness.unanswered() == 0 && self.enquirer.watches_nothing()
    }

    pub(super) fn look_at_hanging_up(&mut self, now: Moment) -> Option<Stage> {
        let done = !self.facts.registered || self.is_answered(now);
        (done || self.lasted(now) >= GOODBYE_PATIENCE).then_some(Stage::Leaving)
    }

    /// Who was never let in has nothing to give back, and needn't be refused once more.
    pub(super) fn leave(&mut self, now: Moment) {
        if self.facts.registered {
            self.phones.stop(now);
        }
    }

    pub(super) fn look_at_leaving(&mut self, now: Moment) -> Option<Stage> {
        let unwatched = self.phones.census().subscriptions == 0;
        let unregistered = self.witness.register_granted(self.since);
        // Who was never let in has left nothing.
        let gone = !self.facts.registered || self.is_answered(now) && unwatched && unregistered;
        if !gone && self.lasted(now) < LEAVE_PATIENCE {
            return None;
        }
        self.judge_turned_away();
        let finding = match (gone, self.slot.clone()) {
            (true, Some(slot)) if self.other_phone && self.lamp(&slot) == Lamp::Parked => {
                let seen = format!("{} waits on {slot}: dial {slot}", Text::new(&self.plan.number));
                Finding::new("left behind", Verdict::Bad, seen)
            }
            (true, _) => Finding::new(
                "left behind",
                Verdict::Good,
                "nothing: calls ended, lamps unsubscribed, registration taken back",
            ),
            (false, _) => {
                let seen = "the server did not confirm everything: what it still has ends by its own timers";
                Finding::new("left behind", Verdict::Bad, seen)
            }
        };
        if self.facts.registered {
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
