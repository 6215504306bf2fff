//! The slot book of one parking lot: who is in which slot, since when, until when. It knows time and chance and
//! nothing of SIP: a parked call is whatever key its owner gives (`K`).
//!
//! What it promises: a slot never holds two calls; a call leaves its slot only by [`ParkingLot::leave`]; a ticket
//! names one parking of one call and is never given twice.

mod restore;

use super::config::{FindSlot, ParkingConfig};
use crate::parking::{Identity, Moment, SlotId, Text};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

/// How many departures are remembered, so that whoever comes too late can be told what became of the call.
pub const MAX_DEPARTURES: usize = 256;
/// For how long a departure answers for a slot that was dialled by number.
pub const RECENT: Duration = Duration::from_secs(30);
/// For how long a slot that somebody has left is given to nobody whom the lot seats by itself.
const REST: Duration = Duration::from_secs(2);

/// Names one parking of one call: 128 bits of chance in hexadecimal. Whoever can show it may retrieve that call.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(String);

impl Ticket {
    /// As written in a header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A ticket is authority: logs get enough to compare, not enough to use.
        write!(f, "Ticket({}…)", self.0.get(..6).unwrap_or_default())
    }
}

/// Who parked a call, and so is rung when the time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parker {
    /// The user's name in the configuration.
    pub user: String,
    /// Name and number to show.
    pub identity: Identity,
}

/// What a parked call is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// For somebody to retrieve it; comes back at `until` (`None`: never).
    Waiting {
        /// When its time is over.
        until: Option<Moment>,
    },
    /// Its time is over and its parker is on the phone: he is rung when he has hung up, or at `until` all the same.
    AwaitingParker {
        /// When he is rung whatever he does.
        until: Moment,
    },
    /// Its time is over and somebody is being rung. It can still be retrieved.
    RingingBack,
}

/// Why a call comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Return {
    /// It has been parked for as long as the lot allows.
    #[default]
    TimeOver,
    /// Whoever it was sent to can't be reached, and its sender is gone.
    SentBack,
    /// The caller pressed the exit key.
    ExitKey,
}

impl Return {
    /// Whether there is nothing special about it.
    pub fn is_usual(&self) -> bool {
        *self == Self::TimeOver
    }
}

/// A call whose time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which.
    pub ticket: Ticket,
    /// Whether its parker has been waited for long enough.
    pub awaited: bool,
}

/// One call in one slot.
#[derive(Clone, Debug)]
pub struct ParkedCall<K> {
    /// Names this parking.
    pub ticket: Ticket,
    /// Where.
    pub slot: SlotId,
    /// The owner's key for the call.
    pub occupant: K,
    /// Who is parked.
    pub parkee: Identity,
    /// Who parked.
    pub parker: Parker,
    /// Since when.
    pub since: Moment,
    /// What somebody wrote about the call.
    pub note: Text,
    /// Waiting or ringing back.
    pub phase: Phase,
    /// Why it comes back when it does.
    pub returns: Return,
}

impl<K> ParkedCall<K> {
    /// How long the call has been parked, in whole seconds.
    pub fn waited_s(&self, now: Moment) -> u32 {
        u32::try_from(now.saturating_sub(self.since).as_secs()).unwrap_or(u32::MAX)
    }
}

/// Who is put into a slot, with everything that is known about him.
#[derive(Clone, Debug)]
pub struct Arrival<K> {
    /// The owner's key for the call.
    pub occupant: K,
    /// Who is parked.
    pub parkee: Identity,
    /// Who parks.
    pub parker: Parker,
    /// A note that came with the call; may be empty.
    pub note: Text,
}

/// Why a call can't be parked. It stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParkRefusal {
    /// Every slot is taken.
    Full,
    /// Somebody is in that slot.
    Occupied(SlotId),
    /// The lot has no such slot.
    NoSuchSlot,
}

/// How a call left its slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Somebody took it.
    Retrieved {
        /// Name and number of the retriever.
        by: Identity,
    },
    /// It came back to its parker.
    CameBack {
        /// Who answered.
        by: Identity,
    },
    /// It went to the fallback.
    FellBack {
        /// Who answered.
        by: Identity,
    },
    /// The caller hung up.
    GaveUp,
    /// The lot restarted, and nobody answered at his end.
    Lost,
}

/// A call that was here.
#[derive(Clone, Debug)]
pub struct Departed {
    /// Its ticket.
    pub ticket: Ticket,
    /// Its slot.
    pub slot: SlotId,
    /// Who it was.
    pub parkee: Identity,
    /// When it left.
    pub at: Moment,
    /// How.
    pub how: Departure,
}

/// The slots of one lot and the calls in them.
#[derive(Debug)]
pub struct ParkingLot<K> {
    config: ParkingConfig,
    order: Vec<SlotId>,
    parked: BTreeMap<SlotId, ParkedCall<K>>,
    /// Slots of calls that are being taken out and may still come back: nobody else is put there.
    reserved: BTreeMap<SlotId, Ticket>,
    departed: VecDeque<Departed>,
    last_taken: Option<SlotId>,
    chance: StdRng,
}

impl<K: Copy + Eq> ParkingLot<K> {
    /// An empty lot. `seed` decides tickets and the random slot order.
    pub fn new(config: ParkingConfig, seed: u64) -> Self {
        Self {
            order: config.parkpos.slots().collect(),
            config,
            parked: BTreeMap::new(),
            reserved: BTreeMap::new(),
            departed: VecDeque::new(),
            last_taken: None,
            chance: StdRng::seed_from_u64(seed),
        }
    }

    /// The options it runs with.
    pub fn config(&self) -> &ParkingConfig {
        &self.config
    }

    /// Whether nobody is parked here, and no place is kept for anybody.
    pub fn is_idle(&self) -> bool {
        self.parked.is_empty() && self.reserved.is_empty()
    }

    /// Takes new options. Calls in slots that no longer exist stay where they are until they leave.
    pub fn reload(&mut self, config: ParkingConfig) {
        self.order = config.parkpos.slots().collect();
        self.config = config;
    }

    /// The slots in order, with those that only a call from before a reload still holds.
    pub fn slots(&self) -> impl Iterator<Item = &SlotId> {
        let left_over = self.parked.keys().filter(|slot| !self.order.contains(slot));
        self.order.iter().chain(left_over)
    }

    /// Whether `extension` is one of the slots.
    pub fn has_slot(&self, extension: &str) -> bool {
        self.config.parkpos.contains(extension) || self.parked.keys().any(|s| s.as_str() == extension)
    }

    /// Puts a call into `slot`, or into the slot that `findslot` names.
    ///
    /// # Errors
    /// The reason, when there is no such slot or no room; nothing has changed then.
    pub fn park(
        &mut self,
        now: Moment,
        slot: Option<&SlotId>,
        arrival: Arrival<K>,
    ) -> Result<&ParkedCall<K>, ParkRefusal> {
        let slot = match slot {
            Some(slot) if !self.order.contains(slot) => return Err(ParkRefusal::NoSuchSlot),
            Some(slot) if !self.is_free(slot) => return Err(ParkRefusal::Occupied(slot.clone())),
            Some(slot) => slot.clone(),
            None => self.find_slot(None).ok_or(ParkRefusal::Full)?,
        };
        let ticket = self.new_ticket();
        let call = ParkedCall {
            ticket,
            slot,
            occupant: arrival.occupant,
            parkee: arrival.parkee,
            parker: arrival.parker,
            since: now,
            note: arrival.note,
            phase: Phase::Waiting { until: self.deadline(now) },
            returns: Return::TimeOver,
        };
        self.last_taken = Some(call.slot.clone());
        Ok(self.enter(call))
    }

    /// Puts a call into a slot that nobody has just left, by nobody's choice: whoever dials the slot of a call that he
    /// saw, and comes too late for it, must not get this one. `None` when there is none.
    pub fn seat(&mut self, now: Moment, arrival: Arrival<K>) -> Option<&ParkedCall<K>> {
        let slot = self.find_slot(Some(now))?;
        self.park(now, Some(&slot), arrival).ok()
    }

    /// When [`ParkingLot::seat`] finds a slot that it doesn't find yet, as far as is known.
    pub fn next_seat(&self) -> Option<Moment> {
        let free = self.order.iter().filter(|slot| self.is_free(slot));
        free.filter_map(|slot| self.rests_until(slot)).min()
    }

    /// Puts a call back that had left, with its ticket, note and wait: into its slot, else into any other.
    /// `None` when every slot is taken.
    pub fn put_back(&mut self, now: Moment, mut call: ParkedCall<K>) -> Option<&ParkedCall<K>> {
        let kept = self.reserved.get(&call.slot) == Some(&call.ticket);
        let free = self.order.contains(&call.slot) && self.is_free(&call.slot);
        let slot = if kept || free { call.slot.clone() } else { self.find_slot(None)? };
        self.release(&call.ticket);
        self.departed.retain(|d| d.ticket != call.ticket);
        call.slot = slot;
        call.phase = Phase::Waiting { until: self.deadline(now) };
        Some(self.enter(call))
    }

    /// Puts another call into the place of the one with `ticket`: same slot, same time, a new ticket.
    /// (Attended transfer onto a slot in which the parker himself is waiting.) `None` when the ticket's call is gone.
    pub fn swap(&mut self, now: Moment, ticket: &Ticket, arrival: Arrival<K>) -> Option<&ParkedCall<K>> {
        let slot = self.by_ticket(ticket)?.slot.clone();
        let fresh = self.new_ticket();
        let call = self.parked.get_mut(&slot)?;
        call.ticket = fresh;
        call.occupant = arrival.occupant;
        call.parkee = arrival.parkee;
        call.parker = arrival.parker;
        call.since = now;
        if !arrival.note.is_empty() {
            call.note = arrival.note;
        }
        Some(call)
    }

    /// Takes a call out of its slot and remembers how it left.
    pub fn leave(&mut self, now: Moment, ticket: &Ticket, how: Departure) -> Option<ParkedCall<K>> {
        let slot = self.by_ticket(ticket)?.slot.clone();
        let call = self.parked.remove(&slot)?;
        if self.departed.len() >= MAX_DEPARTURES {
            self.departed.pop_front();
        }
        let parkee = call.parkee.clone();
        self.departed.push_back(Departed { ticket: ticket.clone(), slot, parkee, at: now, how });
        Some(call)
    }

    /// Takes a call out as [`ParkingLot::leave`] does and keeps its slot for it until [`ParkingLot::release`], so that
    /// it can always be put back: a retriever whose phone never says ACK must not cost the caller his place.
    pub fn lend(&mut self, now: Moment, ticket: &Ticket, how: Departure) -> Option<ParkedCall<K>> {
        let call = self.leave(now, ticket, how)?;
        self.reserved.insert(call.slot.clone(), call.ticket.clone());
        Some(call)
    }

    /// Whether a place is kept for the call with `ticket`.
    pub fn keeps(&self, ticket: &Ticket) -> bool {
        self.reserved.values().any(|kept| kept == ticket)
    }

    /// Gives up the place that was kept for the call with `ticket`.
    pub fn release(&mut self, ticket: &Ticket) {
        self.reserved.retain(|_, kept| kept != ticket);
    }

    /// The call in `slot`.
    pub fn in_slot(&self, slot: &str) -> Option<&ParkedCall<K>> {
        SlotId::new(slot).and_then(|slot| self.parked.get(&slot))
    }

    /// The call that `ticket` names, wherever it is now.
    pub fn by_ticket(&self, ticket: &Ticket) -> Option<&ParkedCall<K>> {
        self.parked.values().find(|call| call.ticket == *ticket)
    }

    /// The call that a ticket names as it came in a header.
    pub fn by_ticket_text(&self, ticket: &str) -> Option<&ParkedCall<K>> {
        self.parked.values().find(|call| call.ticket.as_str() == ticket)
    }

    /// The call with the owner's key.
    pub fn by_occupant(&self, occupant: K) -> Option<&ParkedCall<K>> {
        self.parked.values().find(|call| call.occupant == occupant)
    }

    /// Everybody who is parked, in slot order.
    pub fn calls(&self) -> impl Iterator<Item = &ParkedCall<K>> {
        self.parked.values()
    }

    /// Writes a note on the call with `ticket`; false when it is gone.
    pub fn annotate(&mut self, ticket: &Ticket, note: Text) -> bool {
        let call = self.parked.values_mut().find(|call| call.ticket == *ticket);
        call.map(|call| call.note = note).is_some()
    }

    /// Takes note that the parked party is somebody else than was thought.
    pub fn rename(&mut self, occupant: K, parkee: Identity) -> Option<SlotId> {
        let call = self.parked.values_mut().find(|call| call.occupant == occupant)?;
        call.parkee = parkee;
        Some(call.slot.clone())
    }

    /// When the next call's time is over.
    pub fn next_due(&self) -> Option<Moment> {
        self.parked
            .values()
            .filter_map(|call| match call.phase {
                Phase::Waiting { until } => until,
                Phase::AwaitingParker { until } => Some(until),
                Phase::RingingBack => None,
            })
            .min()
    }

    /// The calls whose time is over; they are ringing back from now on.
    pub fn ring_back_due(&mut self, now: Moment) -> Vec<Due> {
        let due = self.parked.values_mut().filter_map(|call| {
            let awaited = match call.phase {
                Phase::Waiting { until: Some(until) } if until <= now => false,
                Phase::AwaitingParker { until } if until <= now => true,
                _ => return None,
            };
            call.phase = Phase::RingingBack;
            Some(Due { ticket: call.ticket.clone(), awaited })
        });
        due.collect()
    }

    /// The parker of the call with `ticket` is on the phone: the comeback waits for him, for another parking time.
    pub fn await_parker(&mut self, now: Moment, ticket: &Ticket) {
        let until = self.deadline(now).unwrap_or(now);
        if let Some(call) = self.parked.values_mut().find(|call| call.ticket == *ticket) {
            call.phase = Phase::AwaitingParker { until };
        }
    }

    /// The calls whose parker is waited for and, as `is_busy` says of his user, is free now; they are ringing back from
    /// now on.
    pub fn ring_back_idle(&mut self, is_busy: impl Fn(&str) -> bool) -> Vec<Ticket> {
        let mut free = Vec::new();
        for call in self.parked.values_mut() {
            if matches!(call.phase, Phase::AwaitingParker { .. }) && !is_busy(&call.parker.user) {
                call.phase = Phase::RingingBack;
                free.push(call.ticket.clone());
            }
        }
        free
    }

    /// Nobody took the call that came back: it waits another time. It keeps its slot, its ticket and its wait.
    pub fn wait_again(&mut self, now: Moment, ticket: &Ticket) -> Option<&ParkedCall<K>> {
        let until = self.deadline(now);
        let call = self.parked.values_mut().find(|call| call.ticket == *ticket)?;
        call.phase = Phase::Waiting { until };
        call.returns = Return::TimeOver;
        Some(call)
    }

    /// Ends the wait of the call with `ticket` at once: it was sent back.
    pub fn hurry(&mut self, now: Moment, ticket: &Ticket) {
        if let Some(call) = self.parked.values_mut().find(|call| call.ticket == *ticket) {
            call.phase = Phase::Waiting { until: Some(now) };
            call.returns = Return::SentBack;
        }
    }

    /// The caller with `ticket` waits no longer: somebody else than his parker is being rung.
    pub fn leave_waiting(&mut self, ticket: &Ticket) {
        if let Some(call) = self.parked.values_mut().find(|call| call.ticket == *ticket) {
            call.phase = Phase::RingingBack;
            call.returns = Return::ExitKey;
        }
    }

    /// What became of the call that a ticket named.
    pub fn departed_by_ticket(&self, ticket: &str) -> Option<&Departed> {
        self.departed.iter().rev().find(|d| d.ticket.as_str() == ticket)
    }

    /// Who left `slot` last, if that was a moment ago.
    pub fn departed_lately(&self, now: Moment, slot: &str) -> Option<&Departed> {
        let last = self.departed.iter().rev().find(|d| d.slot.as_str() == slot)?;
        (now.saturating_sub(last.at) <= RECENT).then_some(last)
    }

    /// Writes a call into its slot, which is free.
    fn enter(&mut self, call: ParkedCall<K>) -> &ParkedCall<K> {
        match self.parked.entry(call.slot.clone()) {
            Entry::Vacant(free) => free.insert(call),
            Entry::Occupied(mut taken) => {
                // Never: both callers have looked. The newer call would be the one to keep track of.
                taken.insert(call);
                taken.into_mut()
            }
        }
    }

    fn is_free(&self, slot: &SlotId) -> bool {
        !self.parked.contains_key(slot) && !self.reserved.contains_key(slot)
    }

    /// When somebody's having left `slot` is long enough ago.
    fn rests_until(&self, slot: &SlotId) -> Option<Moment> {
        Some(self.departed.iter().rev().find(|d| d.slot == *slot)?.at + REST)
    }

    fn deadline(&self, now: Moment) -> Option<Moment> {
        let time_s = self.config.parkingtime;
        (time_s > 0).then(|| now + Duration::from_secs(time_s.into()))
    }

    /// With a moment: only one that nobody has left just before it.
    fn find_slot(&mut self, rested_at: Option<Moment>) -> Option<SlotId> {
        let rested = |slot: &SlotId, now| self.rests_until(slot).is_none_or(|until| until <= now);
        let is_free = |slot: &&SlotId| self.is_free(slot) && rested_at.is_none_or(|now| rested(slot, now));
        let free: Vec<&SlotId> = self.order.iter().filter(is_free).collect();
        let chosen = match self.config.findslot {
            FindSlot::First => free.first(),
            FindSlot::Random if free.is_empty() => None,
            FindSlot::Random => free.get(self.chance.random_range(0..free.len())),
            FindSlot::Next => {
                let taken =
                    self.last_taken.as_ref().and_then(|last| self.order.iter().position(|s| s == last));
                let later = taken.and_then(|at| self.order.iter().skip(at + 1).find(is_free));
                return later.or_else(|| free.first().copied()).cloned();
            }
        };
        chosen.map(|slot| (*slot).clone())
    }

    fn new_ticket(&mut self) -> Ticket {
        Ticket(format!("{:016x}{:016x}", self.chance.random::<u64>(), self.chance.random::<u64>()))
    }
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
