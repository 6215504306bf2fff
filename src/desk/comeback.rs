//! A call begins to ring: is it somebody new, or a parked caller who comes back (T5)? Known by what the server says, or
//! by who left a slot a moment ago.

use super::departed::Departed;
use super::event::CallArrival;
use super::line::{LineId, SlotKey};
use super::slot::ParkedCall;
use super::{Call, Comeback, Desk, Direction, Effect, MAX_CALLS, Phase, Severity};
use crate::parking::{Identity, Lamp, SlotId};
use std::time::Duration;

/// How long after leaving a slot a ringing caller counts as its comeback. Asterisk rings within 2 ms of the lamp.
const COMEBACK_WITHIN: Duration = Duration::from_secs(5);
/// How many departures are kept in mind.
const MAX_DEPARTED: usize = 64;

/// A comeback, as far as it is understood.
struct Recognised {
    slot: Option<SlotId>,
    parked: Option<ParkedCall>,
    waited: Duration,
    /// Who it is, without what the server put before the name.
    party: Identity,
}

impl Desk {
    /// A call left its slot by itself.
    pub(super) fn has_departed(&mut self, slot: SlotKey, parked: ParkedCall, before: &Lamp) {
        let at = self.now;
        self.departed.retain(|d| at.saturating_sub(d.at) <= COMEBACK_WITHIN);
        if self.departed.len() < MAX_DEPARTED {
            self.departed.push(Departed::new(slot, parked, at, before));
        }
    }

    /// A call rings here.
    pub(super) fn call_arrived(&mut self, line: LineId, arrival: CallArrival) -> Vec<Effect> {
        if self.calls.len() >= MAX_CALLS {
            return vec![Effect::Reject(arrival.call)];
        }
        let mut call =
            self.fresh_call(arrival.call, line, Direction::Inbound, arrival.party.clone(), Phase::Ringing);
        call.called = arrival.called.clone();
        call.note = arrival.note.clone();
        if let Some(Recognised { slot, parked, waited, party }) = self.recognise_comeback(line, &arrival) {
            call.party = party;
            self.mark_comeback(&mut call, slot, parked, waited);
        }
        self.calls.push(call);
        if self.in_hand.is_none() {
            self.in_hand = Some(arrival.call);
        }
        self.turn_away(arrival.call).unwrap_or_default()
    }

    /// Notes in a ringing call where it comes back from, and says so.
    pub(super) fn mark_comeback(
        &mut self,
        call: &mut Call,
        slot: Option<SlotId>,
        parked: Option<ParkedCall>,
        waited: Duration,
    ) {
        call.waiting_since = self.now.saturating_sub(waited);
        let waited_s = u32::try_from(waited.as_secs()).unwrap_or(u32::MAX);
        if let Some(parked) = parked {
            if call.note.is_empty() {
                call.note = parked.note;
            }
            if call.party.is_withheld() {
                call.party = parked.parkee;
            }
        }
        let place = slot.as_ref().map(|slot| self.place(&call.slot_key(slot)));
        let place = place.unwrap_or_else(|| "a slot".to_owned());
        let who = self.called(&call.party);
        call.comeback = Some(Comeback { slot, waited_s });
        let (minutes, seconds) = (waited_s / 60, waited_s % 60);
        let note = if call.note.is_empty() { String::new() } else { format!(" · {}", call.note) };
        let text = format!("{who} comes back from {place}, waited {minutes}:{seconds:02}{note}");
        self.say(Severity::Warning, &text);
    }

    fn recognise_comeback(&mut self, line: LineId, arrival: &CallArrival) -> Option<Recognised> {
        let party = arrival.party.clone();
        if let Some((slot, waited_s)) = &arrival.comeback {
            return Some(self.comeback_told(line, slot.clone(), *waited_s, party));
        }
        // A server that names its callers says outright when one comes back: who rings without that dialled anew.
        if self.abilities(line).lamps_name_callers {
            return None;
        }
        if let Some((slot, party)) = self.without_prefix(line, &party) {
            // Words that anybody could have for a name: they count only where a slot has just become empty.
            let same = |d: &Departed| match &slot {
                Some(slot) => d.slot.id == *slot && d.parked.may_be_of(&party),
                None => d.parked.parkee.agrees_with(&party),
            };
            if let Some(departed) = self.departed_lately(line, same) {
                return Some(self.remembered_comeback(departed, party));
            }
        }
        // Once he was told of as gone, only the server's word that we sent him to the lot brings him back.
        let same = |d: &Departed| {
            d.parked.parkee.agrees_with(&party) && (d.tell_at.is_some() || arrival.referred_by_us)
        };
        if let Some(departed) = self.departed_lately(line, same) {
            return Some(self.remembered_comeback(departed, party));
        }
        // Handed over by us and still shown in a slot: he is quicker than his lamp.
        let there = |p: &ParkedCall| p.ours && p.parkee.agrees_with(&party);
        let slot = self.slots_of(line).find(|s| s.parked.as_ref().is_some_and(there));
        let (slot, parked) =
            slot.filter(|_| arrival.referred_by_us).map(|s| (s.id.clone(), s.parked.clone()))?;
        let waited = parked.as_ref().map(|p| self.now.saturating_sub(p.since)).unwrap_or_default();
        Some(Recognised { slot: Some(slot), parked, waited, party })
    }

    /// The server said that it is one. What it leaves out is known from the lamps.
    fn comeback_told(
        &mut self,
        line: LineId,
        slot: Option<SlotId>,
        waited_s: u32,
        party: Identity,
    ) -> Recognised {
        let waited = Duration::from_secs(waited_s.into());
        let ringing_back = |s: &&super::Slot| {
            s.line == line
                && s.lamp == Lamp::RingingBack
                && s.parked.as_ref().is_some_and(|p| p.parkee.agrees_with(&party))
        };
        let known = slot.as_ref().and_then(|id| self.slot(&SlotKey { line, id: id.clone() }));
        let known = known.or_else(|| self.slots.iter().find(ringing_back));
        let known = known.and_then(|s| Some((s.id.clone(), s.parked.clone()?)));
        let party_of = |d: &Departed| match &slot {
            // The lamp may have gone off a moment before it rings.
            Some(slot) => d.slot.id == *slot && d.parked.may_be_of(&party),
            None => d.parked.parkee.agrees_with(&party),
        };
        let left = || self.departed_lately(line, party_of).map(|d| (d.slot.id, d.parked));
        let Some((id, parked)) = known.or_else(left) else {
            return Recognised { slot, parked: None, waited, party };
        };
        let waited = if waited_s > 0 { waited } else { self.now.saturating_sub(parked.since) };
        Recognised { slot: slot.or(Some(id)), parked: Some(parked), waited, party }
    }

    fn remembered_comeback(&self, departed: Departed, party: Identity) -> Recognised {
        let Departed { slot, parked, .. } = departed;
        let waited = self.now.saturating_sub(parked.since);
        Recognised { slot: Some(slot.id), parked: Some(parked), waited, party }
    }

    /// Takes out of mind who left a slot of this line a moment ago.
    fn departed_lately(&mut self, line: LineId, same: impl Fn(&Departed) -> bool) -> Option<Departed> {
        let now = self.now;
        let lately = |d: &Departed| d.slot.line == line && now.saturating_sub(d.at) <= COMEBACK_WITHIN;
        let found = self.departed.iter().position(|d| lately(d) && same(d))?;
        Some(self.departed.swap_remove(found))
    }

    /// `Park-701: Jane Doe` where the server writes `Park-` before the names of those who come back: slot and name.
    fn without_prefix(&self, line: LineId, party: &Identity) -> Option<(Option<SlotId>, Identity)> {
        let named = party.name.as_str();
        let prefixes = self.line(line)?.lots.iter().map(|lot| lot.comeback_prefix.as_str());
        // Where one begins with another, the longer one is meant.
        let prefix = prefixes.filter(|p| !p.is_empty() && named.starts_with(p)).max_by_key(|p| p.len())?;
        let rest = named.strip_prefix(prefix)?.trim_start();
        let (head, tail) = rest.split_once([':', ' ']).unwrap_or((rest, ""));
        let slot = SlotId::new(head).filter(|id| self.slot(&SlotKey { line, id: id.clone() }).is_some());
        let name = if slot.is_some() { tail.trim() } else { rest.trim_start_matches(':').trim() };
        Some((slot, Identity { mark: party.mark, ..Identity::new(name, party.number.as_str()) }))
    }
}
