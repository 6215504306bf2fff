//! What callers and colleagues do, and what becomes of whoever is parked.

use super::*;

impl Pbx {
    /// A caller dials the console. False if he has a call already.
    pub fn caller_dials(&mut self, now: Moment, caller: CallerId, console: SocketAddr) -> bool {
        let idle = self.model.place(caller) == Place::Outside;
        if idle {
            self.parkings.remove(&caller);
            self.ring(now, caller, console, false);
        }
        idle
    }

    /// The caller himself hangs up.
    pub fn caller_hangs_up(&mut self, now: Moment, caller: CallerId) {
        let place = self.model.place(caller);
        if place == Place::Outside {
            return;
        }
        self.model.ends(now, caller, Why::OwnWish);
        match place {
            // Measured: after a park that failed the server says 503, and keeps the leg for up to a minute.
            Place::With(leg) if self.legs.get(&leg).is_some_and(|held| held.failing) => {
                let refers = self.legs.get(&leg).map(|held| held.refers.clone()).unwrap_or_default();
                refers.into_iter().for_each(|refer| self.ua.report_refer(now, refer, 503));
                self.in_future(now + Duration::from_secs(60), Later::HangUp(leg));
            }
            Place::With(leg) | Place::Ringing(leg) => self.hang_up(now, leg),
            Place::Slot(slot) => self.lamp_changes(now, slot),
            Place::Outside | Place::Colleague | Place::Returning => {}
        }
    }

    /// Puts a caller into a slot.
    pub fn park(&mut self, now: Moment, caller: CallerId, slot: usize, parking: Parking) {
        self.park_told(now, caller, slot, parking, Duration::ZERO);
    }

    /// The same, with a lamp that is told only so much later.
    pub fn park_told(
        &mut self,
        now: Moment,
        caller: CallerId,
        slot: usize,
        parking: Parking,
        later: Duration,
    ) {
        if self.told_lit.contains(&slot) {
            self.blurred.insert(slot);
        }
        self.model.moves(now, caller, Place::Slot(slot));
        self.parkings.insert(caller, parking);
        self.lamp_changes(now + later, slot);
        self.in_future(now + self.setup.parking_time, Later::TimeUp(caller, parking.since));
    }

    pub(super) fn time_up(&mut self, now: Moment, caller: CallerId, since: Moment) {
        let there = self.parkings.get(&caller).copied().filter(|parking| parking.since == since);
        let (Place::Slot(slot), Some(parking)) = (self.model.place(caller), there) else { return };
        self.in_future(now + self.setup.lamps_late, Later::Lamp(slot));
        if parking.parker.is_none() {
            return self.model.moves(now, caller, Place::Colleague);
        }
        self.model.moves(now, caller, Place::Returning);
        self.in_future(now + COMEBACK_AFTER, Later::ComesBack(caller));
    }

    pub(super) fn comes_back(&mut self, now: Moment, caller: CallerId) {
        let parking = self.parkings.get(&caller).copied();
        let Some(parking) = parking.filter(|_| self.model.place(caller) == Place::Returning) else { return };
        let Some(console) = parking.parker else { return };
        self.ring(now, caller, console, parking.by_refer && self.setup.kind.is_asterisk());
        if let Place::Ringing(leg) = self.model.place(caller) {
            self.in_future(now + self.setup.comeback_rings, Later::StopRinging(leg));
        }
    }

    /// The colleague takes whoever is in a slot. True if somebody was there.
    pub fn colleague_takes(&mut self, now: Moment, slot: usize) -> bool {
        let Some(caller) = self.model.who_is(Place::Slot(slot)) else { return false };
        self.model.moves(now, caller, Place::Colleague);
        self.lamp_changes(now, slot);
        true
    }

    /// The colleague parks the caller who is with him, or who calls him now.
    pub fn colleague_parks(&mut self, now: Moment, caller: CallerId) -> Option<usize> {
        let slot = self.free_slot().or_else(|| self.free_slot_of_the_second())?;
        self.park_with_colleague(now, caller, slot);
        Some(slot)
    }

    /// The same in the second lot.
    pub fn colleague_parks_in_the_second(&mut self, now: Moment, caller: CallerId) -> Option<usize> {
        let slot = self.free_slot_of_the_second()?;
        self.park_with_colleague(now, caller, slot);
        Some(slot)
    }

    fn park_with_colleague(&mut self, now: Moment, caller: CallerId, slot: usize) {
        self.park(now, caller, slot, Parking { parker: None, by_refer: false, since: now });
    }

    /// The leg that a console calls by that port.
    pub fn leg_at(&self, console: SocketAddr, port: u16) -> Option<Leg> {
        let same = |leg: &&LegState| leg.console == console && leg.port == Some(port);
        self.legs.values().find(same).map(|leg| leg.key.number())
    }
}
