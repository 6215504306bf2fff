//! What the receptionist sees and decides. Pure and serialisable: [`Desk`] is all that the console draws.
//!
//! [`Desk::obey`] takes the operator's [`Command`]s, [`Desk::learn`] takes what the world says ([`Event`]s); both
//! return the [`Effect`]s that somebody else performs. No server, no protocol and no clock is known here.

mod call;
mod comeback;
mod command;
mod conference;
mod consult;
mod departed;
mod escalation;
mod event;
mod freshness;
mod hearing;
mod hearsay;
mod history;
mod key_to_wire;
mod lamp_told;
mod learn;
mod line;
mod line_told;
mod lot;
mod manager_told;
mod names;
mod notice;
mod obey;
mod page;
mod park;
mod quality;
mod record;
mod remote;
mod retrieve;
mod rush;
#[cfg(test)]
mod rush_tests;
mod security;
mod settings;
mod shift;
mod slot;
mod sound;
mod staff;
mod team;
mod tell;
#[cfg(test)]
mod tests;

pub use call::{Call, CallId, Comeback, Direction, Phase, RetrieveTarget};
pub use command::Command;
pub use conference::Conference;
pub use escalation::{Ladder, Step, TONE_LASTS};
pub use event::{CallArrival, Effect, Event, LampReport, Messages};
pub use freshness::Freshness;
pub use hearing::{Recording, SoundDeed, SoundWish};
pub use history::{History, MAX_HISTORY};
pub use key_to_wire::{KeyTimes, KeyToWire};
pub use line::{
    Account, Line, LineId, MAX_LINES, ManagerInterface, NewLine, Protection, Registration, SlotKey, Way,
};
pub use lot::{LotId, LotKey, MAX_LOTS, NewLot, ParkingLot};
pub use names::Known;
pub use notice::{Notice, Severity};
pub use page::PageGroup;
pub use park::{ParkBar, Undo};
pub use quality::{OneWay, Quality};
pub use record::{CallRecord, CallWay, Entry, Fate, Outcome, ParkRecord, RecordId};
pub use remote::{Offer, Wish};
pub use rush::{Presence, Routes};
pub use security::{MediaCover, Security, SignallingCover};
pub use settings::Settings;
pub use shift::{Hour, ShiftReport, Waits};
pub use slot::{Asking, AskingFor, Claim, DialogKey, ParkedCall, Slot};
pub use sound::{
    ListedDevice, MAX_DEVICES, Process, Processed, RingTone, SoundPlan, SoundRole, SoundState, Switch,
};
pub use staff::{Availability, Colleague, MAX_STAFF, StaffLamp};
pub use team::{MAX_TOLD_AT_ONCE, TeamDeed, TeamNews, ToldCall};
pub use tell::{MAX_PEOPLE, MAX_TOLD};

use crate::parking::{Identity, Moment, SlotId, Text};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// The most calls the desk holds at once; one more is turned away as busy by the phone.
pub const MAX_CALLS: usize = 64;
/// The most slots a board shows.
pub const MAX_SLOTS: usize = 500;
/// The most notices that are kept for the message list.
pub const MAX_NOTICES: usize = 200;

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
    /// Whether a slot's own number is what is dialled to retrieve from it; else it may be somebody's extension.
    #[serde(default)]
    pub slots_are_dialled: bool,
    /// Whether a ringing caller can be sent elsewhere; where not, he would be refused.
    #[serde(default)]
    pub redirects: bool,
}

impl Default for Abilities {
    fn default() -> Self {
        Self {
            park: true,
            directed_park: false,
            strength: crate::parking::Strength::Unverified,
            parking_time_s: None,
            lamps_name_callers: false,
            slots_are_dialled: true,
            redirects: true,
        }
    }
}

/// Everything the console draws and every decision is made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Desk {
    /// The time of the last command or event.
    pub now: Moment,
    /// The accounts, each with its lot; a call, a slot and a lamp belong to one of them.
    pub lines: Vec<Line>,
    /// The calls, in the order in which they came; a row never moves while it lives.
    pub calls: Vec<Call>,
    /// The slots, in the order of the lines and in their configured order.
    pub slots: Vec<Slot>,
    /// The call that keys act on: the one talked to, else the operator's choice.
    pub in_hand: Option<CallId>,
    /// The line that the operator chose for new calls; see [`Desk::line_out`].
    pub chosen_line: Option<LineId>,
    /// Headset and ringer.
    pub sound: SoundState,
    /// The park that `u` would take back.
    pub undo: Option<Undo>,
    /// The newest last.
    pub notices: VecDeque<Notice>,
    /// Whether the operator asked to leave (the app ends when calls allow it).
    pub leaving: bool,
    /// People and their numbers, at whatever server.
    #[serde(default)]
    pub people: Vec<Identity>,
    /// What the directory knows of the numbers on the board.
    #[serde(default)]
    names: BTreeMap<crate::parking::Text, Known>,
    /// How many people the directory has; 0 where there is none.
    #[serde(default)]
    pub directory_size: usize,
    /// Where callers are sent whom nobody can answer.
    #[serde(default)]
    pub routes: Routes,
    /// Whether this desk takes calls.
    #[serde(default)]
    pub presence: Presence,
    /// The number that somebody outside offered last.
    #[serde(default)]
    pub offer: Offer,
    /// The colleagues whose phones are watched, in the order of the lines and in their configured order.
    #[serde(default)]
    pub staff: Vec<Colleague>,
    /// Whether an idle headset hears a tone when a parked call waits too long.
    #[serde(default)]
    pub waiting_tone: bool,
    /// How long keys took to the packets that they caused; `None` before the first.
    #[serde(default)]
    pub key_to_wire: Option<KeyToWire>,
    /// The two calls that are joined to a three-way call, or about to be.
    #[serde(default)]
    conference: Option<Conference>,
    /// Until when that tone sounds.
    tone_until: Option<Moment>,
    /// What the colleagues were told.
    #[serde(default)]
    team: team::Team,
    /// The message that is on its way to people.
    telling: Option<tell::Telling>,
    /// The call that is paged for once its park is proven.
    page_after: Option<CallId>,
    /// The announcement on its way.
    paging: Option<page::Paging>,
    /// Calls that left a slot a moment ago: a comeback is recognised by them.
    departed: Vec<departed::Departed>,
    /// Who was parked where before this console started; believed only when a lamp is lit.
    remembered: Vec<(SlotKey, ParkedCall)>,
    /// The caller who was not handed to a busy colleague, with that one's number: the same key again does it.
    #[serde(default)]
    warned_of: Option<(CallId, Text)>,
    next_call: u64,
}

impl Desk {
    /// A desk with one line and the given slots, all lamps unknown.
    pub fn new(label: &str, lot_name: &str, slots: Vec<SlotId>, abilities: Abilities) -> Self {
        let lot = NewLot { name: lot_name.to_owned(), slots, abilities, ..NewLot::default() };
        Self::with_lines([NewLine { label: label.to_owned(), lots: vec![lot], ..NewLine::default() }])
    }

    /// The call with this id.
    pub fn call(&self, id: CallId) -> Option<&Call> {
        self.calls.iter().find(|c| c.id == id)
    }

    /// The slot of this line with this extension.
    pub fn slot(&self, key: &SlotKey) -> Option<&Slot> {
        self.slots.iter().find(|s| s.is(key))
    }

    /// The call in hand.
    pub fn hand(&self) -> Option<&Call> {
        self.in_hand.and_then(|id| self.call(id))
    }

    /// The ringing call that has waited longest; comebacks count from their first park.
    pub fn longest_ringing(&self) -> Option<&Call> {
        self.calls.iter().filter(|c| c.phase == Phase::Ringing).min_by_key(|c| c.waiting_since)
    }

    /// The parked call that has waited longest, of those that can be retrieved; one that a colleague is fetching comes
    /// last.
    pub fn longest_parked(&self) -> Option<&Slot> {
        self.longest_parked_in(None)
    }

    /// The same of one lot, or of all.
    pub fn longest_parked_in(&self, lot: Option<LotKey>) -> Option<&Slot> {
        let since = |s: &Slot| s.parked.as_ref().map_or(Moment::MAX, |p| p.since);
        let waits = |s: &&Slot| (s.claimed(self.now).is_some(), since(s));
        let there = |s: &&Slot| s.holds_somebody() && lot.is_none_or(|lot| s.lot_key() == lot);
        self.slots.iter().filter(there).min_by_key(waits)
    }

    /// Gives the next call its id; the phone and the operator share one row of numbers.
    pub fn new_call_id(&mut self) -> CallId {
        self.next_call += 1;
        CallId(self.next_call - 1)
    }

    /// What was known of a line's parked calls when the last session ended.
    pub fn remember(&mut self, line: LineId, parked: Vec<(SlotId, ParkedCall)>) {
        let room = MAX_SLOTS.saturating_sub(self.remembered.len());
        let keyed = parked.into_iter().map(|(id, parked)| (SlotKey { line, id }, parked));
        self.remembered.extend(keyed.take(room));
    }

    /// What the next session should know of a line's parked calls.
    pub fn memory(&self, line: LineId) -> Vec<(SlotId, ParkedCall)> {
        let live = self.slots_of(line).filter_map(|s| s.parked.clone().map(|p| (s.id.clone(), p)));
        let waiting = self.remembered.iter().filter(|(key, _)| {
            key.line == line && self.slot(key).is_some_and(|s| s.parked.is_none() && !s.is_known_free())
        });
        live.chain(waiting.map(|(key, parked)| (key.id.clone(), parked.clone()))).collect()
    }

    fn call_mut(&mut self, id: CallId) -> Option<&mut Call> {
        self.calls.iter_mut().find(|c| c.id == id)
    }

    fn slot_mut(&mut self, key: &SlotKey) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|s| s.is(key))
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

    /// How to name a party in a sentence: by the directory, else as the network does.
    fn called(&self, party: &Identity) -> String {
        self.label(party).to_owned()
    }

    /// The same for the other side of a call.
    fn called_of(&self, id: CallId) -> String {
        self.call(id).map(|call| self.called(&call.party)).unwrap_or_default()
    }
}
