//! Callers who left their slots without our doing: a moment later they ring here, or the operator is told that they are
//! gone.

use super::line::SlotKey;
use super::slot::ParkedCall;
use super::{Call, Desk, Severity};
use crate::parking::{Identity, Lamp, Moment};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long is waited for the ring before the operator is told. Asterisk rings within 2 ms of the lamp.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// A call that left its slot by itself: it may be about to ring here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Departed {
    pub slot: SlotKey,
    pub parked: ParkedCall,
    pub at: Moment,
    /// When the operator is told, unless it rings before; `None` once told, and for calls that others parked.
    pub tell_at: Option<Moment>,
    /// Whether the slot's lamp was stale until then.
    unseen: bool,
}

impl Departed {
    /// It left now; until then this was the lamp.
    pub(super) fn new(slot: SlotKey, parked: ParkedCall, now: Moment, before: &Lamp) -> Self {
        let tell_at = parked.ours.then_some(now + TOLD_AFTER);
        Self { slot, parked, at: now, tell_at, unseen: matches!(before, Lamp::Stale { .. }) }
    }
}

impl Desk {
    /// Tells of our callers who have left and not rung here. A lamp says no more than that they have.
    pub(super) fn tell_of_departed(&mut self) {
        let now = self.now;
        let due = self.departed.iter_mut().filter(|d| d.tell_at.is_some_and(|at| now >= at));
        let due: Vec<(SlotKey, Identity, bool)> = due
            .map(|d| {
                d.tell_at = None;
                (d.slot.clone(), d.parked.parkee.clone(), d.unseen)
            })
            .collect();
        for (slot, parkee, unseen) in due {
            // Who took him is said at the slot already.
            let told = self.slot(&slot).and_then(|slot| slot.remark.as_ref());
            if told.is_some_and(|(_, until)| now < *until) {
                continue;
            }
            let (who, place, back) = (self.called(&parkee), self.place(&slot), way_to_call_back(&parkee));
            if unseen {
                let text =
                    format!("{who} was on {place} before the server fell silent, and is there no longer");
                self.say(Severity::Warning, &(text + &back));
            } else {
                let text = format!("{who} is no longer on {place}: taken elsewhere, or hung up");
                self.say(Severity::Info, &(text + &back));
            }
        }
    }

    /// A comeback stopped ringing: the caller hung up, or the server dropped him because nobody answered in time. It
    /// doesn't tell which.
    pub(super) fn comeback_unanswered(&mut self, call: &Call) {
        let (who, back) = (self.called(&call.party), way_to_call_back(&call.party));
        let slot = call.comeback.as_ref().and_then(|back| back.slot.as_ref());
        let place = slot.map_or_else(|| "a slot".to_owned(), |slot| self.place(&call.slot_key(slot)));
        let text = format!("{who} came back from {place} and nobody answered: the call is over");
        self.say(Severity::Warning, &(text + &back));
    }
}

/// The number to dial, where it isn't what the caller is called by anyway.
fn way_to_call_back(who: &Identity) -> String {
    let number = who.number.as_str();
    if number.is_empty() || number == who.label() { String::new() } else { format!(" · {number}") }
}
