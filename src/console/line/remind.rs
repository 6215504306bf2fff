//! Who waits is told again, ever more rarely: a ringing call after a quarter of a minute, half a minute and then each half
//! minute; one on hold and one in a slot when it has waited long, and too long.

use super::spoken::{count, wait};
use super::who::called;
use crate::console::words::{self, Urgency, seconds};
use crate::desk::{CallId, Desk, Phase, SlotKey, Step};
use crate::parking::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two sentences about ringing calls at least.
const RING_AGAIN: Duration = Duration::from_secs(15);
/// And from the second on.
const RING_RARELY: Duration = Duration::from_secs(30);
/// A caller on hold for too long is told of this often.
const HELD_AGAIN_S: u64 = 120;

/// What was said already.
#[derive(Clone, Debug, Default)]
pub(super) struct Reminders {
    /// When ringing was last spoken of, and how often since a call began to ring.
    rang: Option<(Moment, u32)>,
    held: BTreeMap<CallId, u64>,
    parked: BTreeMap<SlotKey, Step>,
}

impl Reminders {
    /// The sentences that are due now.
    pub(super) fn due(&mut self, desk: &Desk) -> Vec<String> {
        let mut said: Vec<String> = self.ringing(desk).into_iter().collect();
        said.extend(self.held(desk));
        said.extend(self.parked(desk));
        said
    }

    fn ringing(&mut self, desk: &Desk) -> Option<String> {
        let ringing = desk.calls.iter().filter(|call| call.phase == Phase::Ringing).count();
        let Some(longest) = desk.longest_ringing() else {
            self.rang = None;
            return None;
        };
        let (at, times) = *self.rang.get_or_insert((desk.now, 0));
        let every = if times < 2 { RING_AGAIN } else { RING_RARELY };
        if desk.now.saturating_sub(at) < every {
            return None;
        }
        self.rang = Some((desk.now, times + 1));
        let who = called(desk, &longest.party);
        let waited = wait(seconds(desk.now, longest.waiting_since));
        Some(match ringing {
            1 => format!("{who} still rings, after {waited}"),
            n => format!("{} ring. {who} has waited longest, {waited}", count(n, "call", "calls")),
        })
    }

    fn held(&mut self, desk: &Desk) -> Vec<String> {
        self.held.retain(|id, _| desk.call(*id).is_some_and(|call| call.phase == Phase::Held));
        let mut said = Vec::new();
        for call in desk.calls.iter().filter(|call| call.phase == Phase::Held) {
            let held_s = seconds(desk.now, call.since);
            let nth = match words::call_urgency(desk.now, call) {
                Urgency::Calm => 0,
                Urgency::Long => 1,
                Urgency::Late => 1 + held_s / HELD_AGAIN_S,
            };
            let told = self.held.entry(call.id).or_default();
            if nth > *told {
                *told = nth;
                said.push(format!("{} has been on hold for {}", called(desk, &call.party), wait(held_s)));
            }
        }
        said
    }

    fn parked(&mut self, desk: &Desk) -> Vec<String> {
        self.parked.retain(|key, _| desk.slot(key).is_some_and(crate::desk::Slot::holds_somebody));
        let mut said = Vec::new();
        for slot in desk.slots.iter().filter(|slot| slot.holds_somebody()) {
            let step = desk.step_of(slot);
            let told = self.parked.entry(slot.key()).or_default();
            let risen = step > *told;
            *told = step;
            // Of the last step the desk speaks itself.
            if !risen || step == Step::Page {
                continue;
            }
            let Some(parked) = &slot.parked else { continue };
            let who = called(desk, &parked.parkee);
            let waited = wait(seconds(desk.now, parked.since));
            let too = if step == Step::Late { ": too long" } else { "" };
            let place = desk.place(&slot.key());
            let back = match words::countdown(desk, slot) {
                Some((left_s, _)) => format!(", and comes back in {}", wait(left_s)),
                None => String::new(),
            };
            said.push(format!("{who} has waited on {place} for {waited}{too}{back}"));
        }
        said
    }
}
