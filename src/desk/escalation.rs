//! The ladder that a parked call climbs before it comes back: drawn stronger, then a tone in the free ear, then the
//! page offered. The tone is for an idle headset: never into a conversation, never while anything is heard or rings.

use super::{Desk, Phase, Severity, Slot};
use crate::parking::Moment;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long the tone takes.
pub const TONE_LASTS: Duration = Duration::from_millis(700);
/// When a call has waited long, too long, and so long that others should be told, in seconds, where nobody says.
const DEFAULT_S: [u32; 3] = [60, 120, 180];
/// The same in hundredths of the time until a parked call comes back, where that is known.
const OF_PARKING_TIME: [u32; 3] = [50, 75, 90];

/// How far a parked call has climbed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// Nothing to think of.
    #[default]
    Calm,
    /// Waits long.
    Long,
    /// Waits too long: the tone.
    Late,
    /// Waits so long that somebody else should know: the page is offered.
    Page,
}

/// When a parked call takes each step, in seconds; 0: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder([u32; 3]);

impl Ladder {
    /// The steps as configured, the missing ones never taken; else from the time until a parked call comes back; else
    /// one, two and three minutes.
    pub fn new(configured: Option<&[u32]>, parking_time_s: Option<u32>) -> Self {
        let derived =
            |time_s: u32| OF_PARKING_TIME.map(|share| (u64::from(time_s) * u64::from(share) / 100).max(1));
        match (configured, parking_time_s.filter(|time_s| *time_s > 0)) {
            (Some(steps), _) => {
                let nth = |n: usize| steps.get(n).copied().unwrap_or(0);
                Self([nth(0), nth(1), nth(2)])
            }
            (None, Some(time_s)) => Self(derived(time_s).map(|s| u32::try_from(s).unwrap_or(u32::MAX))),
            (None, None) => Self(DEFAULT_S),
        }
    }

    /// The step of somebody who has waited for so long.
    pub fn step(self, waited_s: u64) -> Step {
        let [long, late, page] = self.0;
        let beyond = |at: u32| at > 0 && waited_s >= at.into();
        match () {
            () if beyond(page) => Step::Page,
            () if beyond(late) => Step::Late,
            () if beyond(long) => Step::Long,
            () => Step::Calm,
        }
    }

    /// When somebody who waits since then takes his next step.
    fn next(self, since: Moment, now: Moment) -> Option<Moment> {
        let steps = self.0.into_iter().filter(|at| *at > 0).map(|at| since + Duration::from_secs(at.into()));
        steps.filter(|at| *at > now).min()
    }
}

/// What was done about a call's steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Climbed {
    step: Step,
    /// Whether the tone has sounded, or need not.
    toned: bool,
}

impl Desk {
    /// How long the call in this slot has waited, as a step.
    pub fn step_of(&self, slot: &Slot) -> Step {
        let Some(parked) = slot.parked.as_ref().filter(|_| slot.holds_somebody()) else { return Step::Calm };
        // Counted in whole seconds of the clock, as the board counts.
        let waited_s = self.now.as_secs().saturating_sub(parked.since.as_secs());
        self.lot(slot.lot_key()).map_or(Step::Calm, |lot| lot.ladder.step(waited_s))
    }

    /// Whether nothing is heard or said in the headset, and nothing is about to be.
    pub(super) fn headset_is_idle(&self) -> bool {
        let busy = |c: &super::Call| c.is_engaged() || c.phase == Phase::Ringing;
        !self.calls.iter().any(busy) && self.hand().is_none_or(|hand| !hand.is_audible())
    }

    /// Takes the steps that are due.
    pub(super) fn escalate(&mut self) {
        let now = self.now;
        if self.tone_until.is_some_and(|until| now >= until) {
            self.tone_until = None;
        }
        let idle = self.headset_is_idle();
        let (mut sounds, mut offered) = (false, Vec::new());
        for at in 0..self.slots.len() {
            let Some(slot) = self.slots.get(at) else { break };
            let (step, before) = (self.step_of(slot), slot.escalated);
            // Somebody else is there now, or nobody.
            let mut climbed = if step < before.step { Climbed { step, toned: false } } else { before };
            if step >= Step::Late && !climbed.toned && (idle || !self.waiting_tone) {
                climbed.toned = true;
                sounds |= self.waiting_tone;
            }
            if step == Step::Page && climbed.step < Step::Page {
                offered.push(slot.key());
            }
            climbed.step = step;
            if let Some(slot) = self.slots.get_mut(at) {
                slot.escalated = climbed;
            }
        }
        if sounds {
            self.tone_until = Some(now + TONE_LASTS);
        }
        for slot in offered {
            if let Some(text) = self.waits(&slot) {
                self.say(Severity::Warning, &format!("{text} · g tells the team"));
            }
        }
    }

    /// When [`Desk::escalate`] has something to do next.
    pub(super) fn next_step(&self) -> Option<Moment> {
        let now = self.now;
        let climbing = |slot: &Slot| {
            let parked = slot.parked.as_ref().filter(|_| slot.holds_somebody())?;
            self.lot(slot.lot_key())?.ladder.next(Duration::from_secs(parked.since.as_secs()), now)
        };
        self.slots.iter().filter_map(climbing).chain(self.tone_until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_is_as_configured_else_of_the_parking_time_else_minutes() {
        let steps = |ladder: Ladder| [30, 60, 120, 180, 300].map(|s| ladder.step(s));
        use Step::{Calm, Late, Long, Page};
        assert_eq!(steps(Ladder::new(None, None)), [Calm, Long, Late, Page, Page]);
        assert_eq!(
            steps(Ladder::new(None, Some(0))),
            [Calm, Long, Late, Page, Page],
            "0: it never comes back"
        );
        assert_eq!(steps(Ladder::new(None, Some(60))), [Long, Page, Page, Page, Page]);
        assert_eq!(steps(Ladder::new(Some(&[100]), Some(60))), [Calm, Calm, Long, Long, Long]);
        assert_eq!(steps(Ladder::new(Some(&[0, 0, 200]), None)), [Calm, Calm, Calm, Calm, Page]);
        for off in [&[][..], &[0]] {
            assert_eq!(steps(Ladder::new(Some(off), Some(60))), [Calm; 5]);
        }
    }
}
