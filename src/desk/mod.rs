//! What the receptionist sees and decides. Pure and serialisable: [`Desk`] is all that the console draws.
//!
//! [`Desk::obey`] takes the operator's [`Command`]s, [`Desk::learn`] takes what the world says ([`Event`]s); both
//! return the [`Effect`]s that somebody else performs. No server, no protocol and no clock is known here.

mod call;
mod command;
mod event;
mod freshness;
mod learn;
mod notice;
mod obey;
mod park;
mod retrieve;
mod security;
mod slot;
mod sound;
#[cfg(test)]
mod tests;

pub use call::{Call, CallId, Comeback, Direction, Phase, RetrieveTarget};
pub use command::Command;
pub use event::{CallArrival, Effect, Event, LampReport, Messages};
pub use freshness::Freshness;
pub use notice::{Notice, Severity};
pub use park::{ParkBar, Undo};
pub use security::{MediaCover, Security, SignallingCover};
pub use slot::{Asking, AskingFor, DialogKey, ParkedCall, Slot};
pub use sound::{RingTone, SoundPlan, SoundState};

use crate::parking::{Identity, Moment, SlotId, Text};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The most calls the desk holds at once; one more is turned away as busy by the phone.
pub const MAX_CALLS: usize = 64;
/// The most slots a board shows.
pub const MAX_SLOTS: usize = 500;
/// The most notices that are kept for the message list.
pub const MAX_NOTICES: usize = 200;

/// How the account stands with its server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registration {
    /// The first REGISTER is under way.
    #[default]
    Trying,
    /// Registered.
    Registered,
    /// Refused or unanswered; it is tried again by itself.
    Failed {
        /// What the server said, or what did not happen.
        reason: Text,
        /// When it is tried again.
        retry_at: Option<Moment>,
    },
}

/// One account as shown in the top line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// `user@server`.
    pub label: Text,
    /// How it stands.
    pub registration: Registration,
    /// Round trip of the last answered probe in ms; `None` while the server doesn't answer.
    pub round_trip_ms: Option<u32>,
    /// The messages in its mailbox; `None` where there is none, or nothing is known of it.
    #[serde(default)]
    pub messages: Option<Messages>,
}

/// What the server can do, as its dialect says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// Whether there is a way to park with the server choosing the slot.
    pub park: bool,
    /// Whether a named slot can be parked to.
    pub directed_park: bool,
    /// How sure a retrieve can be at best.
    pub strength: crate::parking::Strength,
    /// Seconds a call stays parked, when known; 0 = for ever.
    pub parking_time_s: Option<u32>,
    /// Whether the slots' lamps name the caller, so that nothing need be remembered here.
    pub lamps_name_callers: bool,
}

impl Default for Abilities {
    fn default() -> Self {
        Self {
            park: true,
            directed_park: false,
            strength: crate::parking::Strength::Unverified,
            parking_time_s: None,
            lamps_name_callers: false,
        }
    }
}

/// Everything the console draws and every decision is made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Desk {
    /// The time of the last command or event.
    pub now: Moment,
    /// The account in use.
    pub account: Account,
    /// The lot's name, for the panel's title.
    pub lot_name: Text,
    /// The calls, in the order in which they came; a row never moves while it lives.
    pub calls: Vec<Call>,
    /// The slots, in their configured order.
    pub slots: Vec<Slot>,
    /// The call that keys act on: the one talked to, else the operator's choice.
    pub in_hand: Option<CallId>,
    /// What the server can do.
    pub abilities: Abilities,
    /// Headset and ringer.
    pub sound: SoundState,
    /// The park that `u` would take back.
    pub undo: Option<Undo>,
    /// The newest last.
    pub notices: VecDeque<Notice>,
    /// Whether the operator asked to leave (the app ends when calls allow it).
    pub leaving: bool,
    /// Calls that left a slot a moment ago: a comeback is recognised by them.
    departed: Vec<slot::Departed>,
    /// Who was parked where before this console started; believed only when a lamp is lit.
    remembered: Vec<(SlotId, ParkedCall)>,
    /// Whether the operator was told that the server is silent.
    was_silent: bool,
    next_call: u64,
}

impl Desk {
    /// A desk with the given slots, all lamps unknown.
    pub fn new(label: &str, lot_name: &str, slots: Vec<SlotId>, abilities: Abilities) -> Self {
        Self {
            account: Account { label: Text::new(label), ..Account::default() },
            lot_name: Text::new(lot_name),
            slots: slots.into_iter().take(MAX_SLOTS).map(Slot::new).collect(),
            abilities,
            next_call: 1,
            ..Self::default()
        }
    }

    /// The call with this id.
    pub fn call(&self, id: CallId) -> Option<&Call> {
        self.calls.iter().find(|c| c.id == id)
    }

    /// The slot with this extension.
    pub fn slot(&self, id: &SlotId) -> Option<&Slot> {
        self.slots.iter().find(|s| &s.id == id)
    }

    /// The call in hand.
    pub fn hand(&self) -> Option<&Call> {
        self.in_hand.and_then(|id| self.call(id))
    }

    /// The ringing call that has waited longest; comebacks count from their first park.
    pub fn longest_ringing(&self) -> Option<&Call> {
        self.calls.iter().filter(|c| c.phase == Phase::Ringing).min_by_key(|c| c.waiting_since)
    }

    /// The parked call that has waited longest, of those that can be retrieved.
    pub fn longest_parked(&self) -> Option<&Slot> {
        self.slots.iter().filter(|s| s.holds_somebody()).min_by_key(|s| s.parked.as_ref().map(|p| p.since))
    }

    /// Gives the next call its id; the phone and the operator share one row of numbers.
    pub fn new_call_id(&mut self) -> CallId {
        self.next_call += 1;
        CallId(self.next_call - 1)
    }

    /// What was known of parked calls when the last session ended.
    pub fn remember(&mut self, parked: Vec<(SlotId, ParkedCall)>) {
        self.remembered = parked.into_iter().take(MAX_SLOTS).collect();
    }

    /// What the next session should know of parked calls.
    pub fn memory(&self) -> Vec<(SlotId, ParkedCall)> {
        let live = self.slots.iter().filter_map(|s| s.parked.clone().map(|p| (s.id.clone(), p)));
        let waiting = self
            .remembered
            .iter()
            .filter(|(id, _)| self.slot(id).is_some_and(|s| s.parked.is_none() && !s.is_known_free()));
        live.chain(waiting.cloned()).collect()
    }

    fn call_mut(&mut self, id: CallId) -> Option<&mut Call> {
        self.calls.iter_mut().find(|c| c.id == id)
    }

    fn slot_mut(&mut self, id: &SlotId) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|s| &s.id == id)
    }

    /// Takes a call off the board. The hand becomes empty rather than grabbing another caller unasked.
    fn drop_call(&mut self, id: CallId) {
        self.calls.retain(|c| c.id != id);
        if self.in_hand == Some(id) {
            self.in_hand = None;
        }
        self.forget_asking(id);
    }

    /// Nothing is asked of any slot for this call any more.
    fn forget_asking(&mut self, id: CallId) {
        for slot in &mut self.slots {
            if slot.asking.as_ref().is_some_and(|a| a.what.call() == Some(id)) {
                slot.asking = None;
            }
        }
    }

    /// How to name a party in a sentence.
    fn called(party: &Identity) -> String {
        party.label().to_owned()
    }
}
