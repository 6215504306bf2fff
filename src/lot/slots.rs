//! The slot book of one parking lot: who is in which slot, since when, until when. It knows time and chance and
//! nothing of SIP: a parked call is whatever key its owner gives (`K`).
//!
//! What it promises: a slot never holds two calls; a call leaves its slot only by [`ParkingLot::leave`]; a ticket
//! names one parking of one call and is never given twice.

use super::config::{FindSlot, ParkingConfig};
use crate::parking::{Identity, Moment, SlotId, Text};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

/// How many departures are remembered, so that whoever comes too late can be told what became of the call.
pub const MAX_DEPARTURES: usize = 256;
/// For how long a departure answers for a slot that was dialled by number.
pub const RECENT: Duration = Duration::from_secs(30);

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
    /// Its time is over and somebody is being rung. It can still be retrieved.
    RingingBack,
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
            None => self.find_slot().ok_or(ParkRefusal::Full)?,
        };
        let ticket = self.new_ticket();
        let call = ParkedCall {
            ticket,
            slot: slot.clone(),
            occupant: arrival.occupant,
            parkee: arrival.parkee,
            parker: arrival.parker,
            since: now,
            note: arrival.note,
            phase: Phase::Waiting { until: self.deadline(now) },
        };
        self.last_taken = Some(slot.clone());
        Ok(self.parked.entry(slot).insert_entry(call).into_mut())
    }

    /// Puts a call back that had left, with its ticket, note and wait: into its slot, else into any other.
    ///
    /// # Errors
    /// The call itself, when every slot is taken.
    #[allow(clippy::result_large_err)]
    pub fn put_back(
        &mut self,
        now: Moment,
        mut call: ParkedCall<K>,
    ) -> Result<&ParkedCall<K>, ParkedCall<K>> {
        let kept = self.reserved.get(&call.slot) == Some(&call.ticket);
        let free = self.order.contains(&call.slot) && self.is_free(&call.slot);
        let slot = if kept || free { Some(call.slot.clone()) } else { self.find_slot() };
        let Some(slot) = slot else { return Err(call) };
        self.release(&call.ticket);
        self.departed.retain(|d| d.ticket != call.ticket);
        call.slot = slot.clone();
        call.phase = Phase::Waiting { until: self.deadline(now) };
        Ok(self.parked.entry(slot).insert_entry(call).into_mut())
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
                Phase::RingingBack => None,
            })
            .min()
    }

    /// The calls whose time is over; they are ringing back from now on.
    pub fn ring_back_due(&mut self, now: Moment) -> Vec<Ticket> {
        let over =
            |call: &&mut ParkedCall<K>| matches!(call.phase, Phase::Waiting { until: Some(t) } if t <= now);
        let due = self.parked.values_mut().filter(over);
        due.map(|call| {
            call.phase = Phase::RingingBack;
            call.ticket.clone()
        })
        .collect()
    }

    /// Nobody took the call that came back: it waits another time. It keeps its slot, its ticket and its wait.
    pub fn wait_again(&mut self, now: Moment, ticket: &Ticket) -> Option<&ParkedCall<K>> {
        let until = self.deadline(now);
        let call = self.parked.values_mut().find(|call| call.ticket == *ticket)?;
        call.phase = Phase::Waiting { until };
        Some(call)
    }

    /// Ends the wait of the call with `ticket` at once, as if its time were over.
    pub fn hurry(&mut self, now: Moment, ticket: &Ticket) {
        if let Some(call) = self.parked.values_mut().find(|call| call.ticket == *ticket) {
            call.phase = Phase::Waiting { until: Some(now) };
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

    fn is_free(&self, slot: &SlotId) -> bool {
        !self.parked.contains_key(slot) && !self.reserved.contains_key(slot)
    }

    fn deadline(&self, now: Moment) -> Option<Moment> {
        let time_s = self.config.parkingtime;
        (time_s > 0).then(|| now + Duration::from_secs(time_s.into()))
    }

    fn find_slot(&mut self) -> Option<SlotId> {
        let free: Vec<&SlotId> = self.order.iter().filter(|slot| self.is_free(slot)).collect();
        let chosen = match self.config.findslot {
            FindSlot::First => free.first(),
            FindSlot::Random if free.is_empty() => None,
            FindSlot::Random => free.get(self.chance.random_range(0..free.len())),
            FindSlot::Next => {
                let taken =
                    self.last_taken.as_ref().and_then(|last| self.order.iter().position(|s| s == last));
                let later =
                    taken.and_then(|at| self.order.iter().skip(at + 1).find(|slot| self.is_free(slot)));
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
mod tests {
    use super::super::config::SlotRange;
    use super::*;
    use proptest::prelude::*;

    const NOW: Moment = Moment::from_secs(1_000);

    fn arrival(key: u32) -> Arrival<u32> {
        let parker = Parker { user: "ann".into(), identity: Identity::new("Ann", "100") };
        Arrival { occupant: key, parkee: Identity::new("Jane Doe", "0161"), parker, note: Text::default() }
    }

    fn lot(findslot: FindSlot, last: u32, parkingtime: u32) -> ParkingLot<u32> {
        let parkpos = SlotRange { first: 701, last };
        ParkingLot::new(ParkingConfig { findslot, parkpos, parkingtime, ..ParkingConfig::default() }, 7)
    }

    fn slot(number: &str) -> SlotId {
        SlotId::new(number).unwrap()
    }

    fn park(lot: &mut ParkingLot<u32>, key: u32) -> String {
        lot.park(NOW, None, arrival(key)).unwrap().slot.to_string()
    }

    fn take(lot: &mut ParkingLot<u32>, number: &str) -> ParkedCall<u32> {
        let ticket = lot.in_slot(number).unwrap().ticket.clone();
        lot.leave(NOW, &ticket, Departure::GaveUp).unwrap()
    }

    #[test]
    fn first_takes_the_lowest_free_slot() {
        let mut lot = lot(FindSlot::First, 703, 45);
        assert_eq!([park(&mut lot, 1), park(&mut lot, 2)], ["701", "702"]);
        take(&mut lot, "701");
        assert_eq!(park(&mut lot, 3), "701");
    }

    #[test]
    fn next_goes_round_and_round() {
        let mut lot = lot(FindSlot::Next, 703, 45);
        assert_eq!(park(&mut lot, 1), "701");
        take(&mut lot, "701");
        assert_eq!([park(&mut lot, 2), park(&mut lot, 3)], ["702", "703"]);
        take(&mut lot, "702");
        assert_eq!([park(&mut lot, 4), park(&mut lot, 5)], ["701", "702"]);
    }

    #[test]
    fn random_uses_every_slot_once_and_is_repeatable() {
        let fill = || {
            let mut lot = lot(FindSlot::Random, 712, 45);
            (0..12).map(|key| park(&mut lot, key)).collect::<Vec<_>>()
        };
        let order = fill();
        assert_eq!(order, fill());
        let mut sorted = order.clone();
        sorted.sort();
        assert_ne!(order, sorted, "seed 7 doesn't happen to give the natural order");
        sorted.dedup();
        assert_eq!(sorted.len(), 12);
    }

    #[test]
    fn a_full_lot_and_an_occupied_slot_refuse_and_change_nothing() {
        let mut lot = lot(FindSlot::First, 702, 45);
        let first = lot.park(NOW, Some(&slot("702")), arrival(1)).unwrap().ticket.clone();
        let occupied = lot.park(NOW, Some(&slot("702")), arrival(2)).unwrap_err();
        assert_eq!(occupied, ParkRefusal::Occupied(slot("702")));
        assert_eq!(lot.park(NOW, Some(&slot("799")), arrival(2)).unwrap_err(), ParkRefusal::NoSuchSlot);
        park(&mut lot, 3);
        assert_eq!(lot.park(NOW, None, arrival(4)).unwrap_err(), ParkRefusal::Full);
        assert_eq!(lot.by_ticket(&first).unwrap().occupant, 1);
        assert_eq!(lot.calls().count(), 2);
    }

    #[test]
    fn a_call_rings_back_when_its_time_is_over_and_waits_again_when_nobody_takes_it() {
        let mut lot = lot(FindSlot::First, 703, 45);
        park(&mut lot, 1);
        assert_eq!(lot.next_due(), Some(NOW + Duration::from_secs(45)));
        assert!(lot.ring_back_due(NOW + Duration::from_secs(44)).is_empty());
        let due = lot.ring_back_due(NOW + Duration::from_secs(45));
        assert_eq!(due.len(), 1);
        assert_eq!(lot.next_due(), None, "it rings once");
        let later = NOW + Duration::from_secs(75);
        let call = lot.wait_again(later, &due[0]).unwrap();
        assert_eq!((call.slot.as_str(), call.waited_s(later)), ("701", 75));
        assert_eq!(lot.next_due(), Some(later + Duration::from_secs(45)));
    }

    #[test]
    fn parkingtime_0_never_comes_back() {
        let mut lot = lot(FindSlot::First, 703, 0);
        park(&mut lot, 1);
        assert_eq!(lot.next_due(), None);
        assert!(lot.ring_back_due(Moment::MAX).is_empty());
    }

    #[test]
    fn who_comes_too_late_can_be_told_what_happened_for_a_while() {
        let mut lot = lot(FindSlot::First, 703, 45);
        park(&mut lot, 1);
        let ticket = lot.in_slot("701").unwrap().ticket.clone();
        let by = Identity::new("Sam", "101");
        lot.leave(NOW, &ticket, Departure::Retrieved { by: by.clone() });
        assert!(lot.leave(NOW, &ticket, Departure::GaveUp).is_none(), "a call leaves once");
        assert_eq!(lot.departed_lately(NOW, "701").unwrap().how, Departure::Retrieved { by });
        assert!(lot.departed_lately(NOW + RECENT * 2, "701").is_none());
        assert!(lot.departed_by_ticket(ticket.as_str()).is_some());
    }

    #[test]
    fn a_call_that_is_put_back_keeps_ticket_note_and_wait() {
        let mut lot = lot(FindSlot::First, 702, 45);
        park(&mut lot, 1);
        let call = take(&mut lot, "701");
        let ticket = call.ticket.clone();
        park(&mut lot, 2);
        let back = lot.put_back(NOW + Duration::from_secs(9), call).unwrap();
        assert_eq!((back.slot.as_str(), back.since), ("702", NOW), "701 was taken meanwhile");
        assert_eq!(lot.by_ticket(&ticket).unwrap().occupant, 1);
        assert!(lot.departed_by_ticket(ticket.as_str()).is_none());
    }

    #[test]
    fn a_lent_call_finds_its_slot_kept() {
        let mut lot = lot(FindSlot::First, 701, 45);
        park(&mut lot, 1);
        let ticket = lot.in_slot("701").unwrap().ticket.clone();
        let call = lot.lend(NOW, &ticket, Departure::GaveUp).unwrap();
        assert!(lot.in_slot("701").is_none());
        assert_eq!(lot.park(NOW, None, arrival(2)).unwrap_err(), ParkRefusal::Full);
        assert_eq!(
            lot.park(NOW, Some(&slot("701")), arrival(2)).unwrap_err(),
            ParkRefusal::Occupied(slot("701"))
        );
        assert_eq!(lot.put_back(NOW, call).unwrap().occupant, 1);
        lot.lend(NOW, &ticket, Departure::GaveUp);
        lot.release(&ticket);
        assert_eq!(park(&mut lot, 2), "701");
    }

    #[test]
    fn a_swap_keeps_the_slot_and_the_timer_and_changes_the_ticket() {
        let mut lot = lot(FindSlot::First, 702, 45);
        park(&mut lot, 1);
        let old = lot.in_slot("701").unwrap().ticket.clone();
        let due = lot.next_due();
        let new = lot.swap(NOW + Duration::from_secs(5), &old, arrival(2)).unwrap().ticket.clone();
        assert_ne!(old, new);
        assert_eq!((lot.next_due(), lot.in_slot("701").unwrap().occupant), (due, 2));
        assert!(lot.by_ticket(&old).is_none());
    }

    #[test]
    fn a_reload_keeps_calls_in_slots_that_are_gone() {
        let mut lot = lot(FindSlot::First, 702, 45);
        park(&mut lot, 1);
        let parkpos = SlotRange { first: 801, last: 802 };
        lot.reload(ParkingConfig { parkpos, ..lot.config().clone() });
        assert!(lot.has_slot("701") && !lot.has_slot("702"));
        assert_eq!(park(&mut lot, 2), "801");
        take(&mut lot, "701");
        assert!(!lot.has_slot("701"));
    }

    #[test]
    fn a_ticket_is_not_printed_whole() {
        let mut lot = lot(FindSlot::First, 702, 45);
        let ticket = lot.park(NOW, None, arrival(1)).unwrap().ticket.clone();
        assert!(!format!("{ticket:?}").contains(ticket.as_str()));
        assert_eq!(ticket.as_str().len(), 32);
    }

    proptest! {
        #[test]
        fn however_it_is_used_no_call_is_lost_doubled_or_joined(
            steps in prop::collection::vec((0u8..5, 0u32..8), 1..200), findslot in 0u8..3,
        ) {
            let order = [FindSlot::First, FindSlot::Next, FindSlot::Random][findslot as usize];
            let mut lot = lot(order, 705, 10);
            let mut here: BTreeMap<u32, Ticket> = BTreeMap::new();
            let mut now = NOW;
            for (key, (what, n)) in (0u32..).zip(steps) {
                match what {
                    0 => if let Ok(call) = lot.park(now, None, arrival(key)) {
                        here.insert(key, call.ticket.clone());
                    },
                    1 => if let Ok(call) = lot.park(now, Some(&slot(&format!("70{n}"))), arrival(key)) {
                        here.insert(key, call.ticket.clone());
                    },
                    2 => if let Some(gone) = here.keys().nth(n as usize).copied() {
                        let ticket = here.remove(&gone).unwrap();
                        prop_assert_eq!(lot.leave(now, &ticket, Departure::GaveUp).unwrap().occupant, gone);
                    },
                    3 => for ticket in lot.ring_back_due(now) {
                        prop_assert!(lot.wait_again(now, &ticket).is_some());
                    },
                    _ => now += Duration::from_secs(n.into()),
                }
                prop_assert_eq!(lot.calls().count(), here.len());
                for (key, ticket) in &here {
                    prop_assert_eq!(lot.by_ticket(ticket).map(|c| c.occupant), Some(*key));
                }
            }
        }
    }
}
