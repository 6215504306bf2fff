//! Who is parked as the server's manager interface tells it (`crate::ami`): lamps get names and times, parks their
//! proof, comebacks their slot. The lamp itself stays what the lamp's subscription says.

use super::calls::{Leg, LegState};
use super::phone::Phone;
use crate::ami::{Device, Fact, Parked};
use crate::desk::{Event, LampReport, ManagerInterface, Notice, Severity};
use crate::parking::{Identity, Lamp, Moment, SlotId, Text};
use std::collections::BTreeMap;
use std::time::Duration;

/// For how long a lamp and the manager interface may tell different things: they come by different ways.
const MAY_DISAGREE_FOR: Duration = Duration::from_secs(1);
/// How long after a time-out the INVITE of the comeback is waited for. Asterisk sends it within ms.
const COMEBACK_WITHIN: Duration = Duration::from_secs(5);
/// The most comebacks that are waited for.
const MAX_DUE: usize = 64;

/// What was told, and when.
struct Seen {
    call: Parked,
    at: Moment,
}

/// A lamp that says other than we are told.
struct Doubt {
    until: Moment,
    told: bool,
}

/// Who is parked where. Empty while the manager interface isn't connected.
#[derive(Default)]
pub(super) struct Witness {
    in_sync: bool,
    was_lost: bool,
    parked: BTreeMap<SlotId, Seen>,
    doubts: BTreeMap<SlotId, Doubt>,
    due: Vec<(Parked, Moment)>,
}

/// Whether both are the same person, by their numbers, one of which may be known by its digest only.
fn same(one: &Identity, other: &Identity) -> bool {
    let mark = |who: &Identity| who.mark.or_else(|| Identity::withheld(who.number.as_str()).mark);
    mark(one).is_some_and(|ours| mark(other) == Some(ours))
}

impl Phone {
    /// Takes in what the manager interface of our server says.
    pub(super) fn hear_ami(&mut self, now: Moment, fact: Fact) {
        match fact {
            Fact::Connected(all) => {
                self.say(Event::ManagerTold(ManagerInterface::Connected));
                self.list_told(now, all);
                if std::mem::take(&mut self.witness.was_lost) && self.registered {
                    self.remind_server(now);
                }
            }
            Fact::Listed(all) => self.list_told(now, all),
            Fact::Lost { reason, retry_at } => self.ami_lost(now, reason, retry_at),
            Fact::Troubled { reason } => {
                self.say(Event::LineTroubled { reason: reason.clone() });
                self.say(Event::Told(Notice { at: now, severity: Severity::Warning, text: reason }));
            }
            Fact::Parked(call) => {
                self.take_proof(now, &call);
                self.somebody_told(now, call);
            }
            Fact::Swapped(call) => self.somebody_told(now, call),
            Fact::Vetted(call) => {
                let seen = self.witness.parked.get_mut(&call.slot);
                if let Some(seen) = seen.filter(|seen| seen.call.unique_id == call.unique_id) {
                    let slot = call.slot.clone();
                    (seen.call.parkee, seen.call.vetted, seen.call.parker) =
                        (call.parkee, call.vetted, call.parker);
                    self.retell_lamp(now, &slot);
                }
            }
            Fact::Unparked(call) => self.has_left(now, &call),
            Fact::Retrieved { call, device, by } => {
                if !self.is_our_phone(&device) {
                    self.say(Event::Fetched { slot: call.slot, parkee: call.parkee, by });
                }
            }
            Fact::GaveUp(call) => {
                self.has_left(now, &call);
                let Parked { slot, parkee, parked_for_s: waited_s, .. } = call;
                self.say(Event::GaveUp { slot, parkee, waited_s });
            }
            Fact::TimedOut(call) => {
                self.has_left(now, &call);
                if self.is_our_phone(&call.parker_device) {
                    self.comeback_told(now, call);
                }
            }
        }
    }

    /// The caller rings here in a moment, or does so already: the INVITE comes by another way.
    fn comeback_told(&mut self, now: Moment, parked: Parked) {
        let rings = |leg: &Leg| leg.state == LegState::Ringing && same(&leg.party, &parked.parkee);
        let ringing = self.legs.iter().find(|(_, leg)| rings(leg)).map(|(call, _)| *call);
        match ringing {
            Some(call) => {
                let Parked { slot, parked_for_s: waited_s, .. } = parked;
                self.say(Event::CameBack { call, slot, waited_s });
            }
            None => self.witness.await_comeback(now, parked),
        }
    }

    /// Whether the manager interface means our own phone: by the name that was configured, else by the account's user.
    fn is_our_phone(&self, device: &Device) -> bool {
        match &self.config.dialect.device {
            Some(name) => device.is_called(name),
            None => device.is_phone_of(self.config.account.aor.uri.user.as_deref().unwrap_or_default()),
        }
    }

    /// A server that was away a moment ago, too short a time for a probe to miss it, may have forgotten us and our lamps.
    fn remind_server(&mut self, now: Moment) {
        self.ua.register(now, self.account);
        self.own_slots().iter().for_each(|slot| self.ask_lamp(now, slot));
    }

    fn own_slots(&self) -> Vec<SlotId> {
        self.config.dialect.slots().cloned().collect()
    }

    fn list_told(&mut self, now: Moment, all: Vec<Parked>) {
        self.witness.in_sync = true;
        self.witness.parked.clear();
        for call in all.into_iter().filter(|call| self.config.dialect.lot_of(&call.slot).is_some()) {
            self.witness.parked.insert(call.slot.clone(), Seen { call, at: now });
        }
        for slot in self.own_slots() {
            self.retell_lamp(now, &slot);
            self.doubt_dark_lamp(now, &slot);
        }
    }

    /// Somebody is there, and the lamp says that the slot is free: for how long?
    fn doubt_dark_lamp(&mut self, now: Moment, slot: &SlotId) {
        if self.lamp(slot) == Some(&Lamp::Free) && self.witness.parked.contains_key(slot) {
            self.witness.doubt(now, slot);
        }
    }

    fn somebody_told(&mut self, now: Moment, call: Parked) {
        let slot = call.slot.clone();
        if self.config.dialect.lot_of(&slot).is_some() {
            self.witness.parked.insert(slot.clone(), Seen { call, at: now });
            self.retell_lamp(now, &slot);
            self.doubt_dark_lamp(now, &slot);
        }
    }

    fn has_left(&mut self, now: Moment, call: &Parked) {
        let there = |seen: &Seen| seen.call.unique_id == call.unique_id;
        if self.witness.parked.get(&call.slot).is_some_and(there) {
            self.witness.parked.remove(&call.slot);
            self.witness.doubts.remove(&call.slot);
            self.retell_lamp(now, &call.slot);
        }
    }

    /// Everything goes on as without; nothing that was told is believed any more.
    fn ami_lost(&mut self, now: Moment, reason: Text, retry_at: Moment) {
        let before = std::mem::replace(&mut self.witness, Witness { was_lost: true, ..Witness::default() });
        if before.in_sync {
            // A lamp that was lit by the manager interface alone is what its subscription says again.
            self.own_slots().iter().for_each(|slot| self.retell_lamp(now, slot));
        }
        self.say(Event::ManagerTold(ManagerInterface::Lost { reason, retry_at }));
    }

    /// Somebody was parked by our phone: the caller of a park of ours, or another console's on the same account. Who it
    /// is decides; where that can't be told, the park is proven as without.
    fn take_proof(&mut self, now: Moment, parked: &Parked) {
        let ours = self.is_our_phone(&parked.parker_device) && parked.device != parked.parker_device;
        if let Some(call) = self.parking_of(|party| same(party, &parked.parkee)).filter(|_| ours) {
            self.proven_by_server(now, call, &parked.slot);
        }
    }

    /// Lamps that have said something else for too long: no name is shown that may be wrong, and the server is asked.
    pub(super) fn doubt_when_due(&mut self, now: Moment) {
        let mut due = Vec::new();
        for (slot, doubt) in self.witness.doubts.iter_mut().filter(|(_, d)| !d.told && now >= d.until) {
            doubt.told = true;
            due.push(slot.clone());
        }
        for slot in due {
            self.retell_lamp(now, &slot);
            self.ask_lamp(now, &slot);
        }
    }
}

impl Witness {
    /// Whether it tells everything that happens.
    pub(super) fn is_in_sync(&self) -> bool {
        self.in_sync
    }

    pub(super) fn next_wake(&self) -> Option<Moment> {
        self.doubts.values().filter(|doubt| !doubt.told).map(|doubt| doubt.until).min()
    }

    /// Adds what is known of who is in a slot to what its lamp says.
    pub(super) fn enrich(&mut self, now: Moment, slot: &SlotId, report: LampReport) -> LampReport {
        if !self.in_sync {
            return report;
        }
        let seen = self.parked.get(slot);
        match (&report.lamp, seen) {
            (Lamp::Parked | Lamp::RingingBack, Some(seen)) => {
                self.doubts.remove(slot);
                seen.tell(now, report)
            }
            (Lamp::Parked | Lamp::RingingBack, None) => {
                // Somebody, perhaps; but nobody of whom we know.
                let parkee = if self.doubt(now, slot) { Some(Identity::default()) } else { report.parkee };
                LampReport { parkee, ..report }
            }
            (Lamp::Free, Some(_)) => {
                self.doubt(now, slot);
                report
            }
            (Lamp::Free, None) => {
                self.doubts.remove(slot);
                report
            }
            // The lamp is dark to us; whoever is there is there all the same.
            (Lamp::Unknown | Lamp::Stale { .. } | Lamp::Refused { .. }, Some(seen)) => {
                seen.tell(now, LampReport { lamp: Lamp::Parked, fresh_until: None, ..report })
            }
            (Lamp::Unknown | Lamp::Stale { .. } | Lamp::Refused { .. }, None) => report,
        }
    }

    /// The lamp of this slot says something else. True if it has done so for too long.
    fn doubt(&mut self, now: Moment, slot: &SlotId) -> bool {
        let until = now + MAY_DISAGREE_FOR;
        self.doubts.entry(slot.clone()).or_insert(Doubt { until, told: false }).told
    }

    fn await_comeback(&mut self, now: Moment, call: Parked) {
        self.due.retain(|(_, until)| now < *until);
        if self.due.len() < MAX_DUE {
            self.due.push((call, now + COMEBACK_WITHIN));
        }
    }

    /// The slot and the seconds waited, if who rings now is somebody whose time in the lot has just ended.
    pub(super) fn comeback_due(&mut self, now: Moment, party: &Identity) -> Option<(Option<SlotId>, u32)> {
        self.due.retain(|(_, until)| now < *until);
        let at = self.due.iter().position(|(call, _)| same(party, &call.parkee))?;
        let (call, _) = self.due.swap_remove(at);
        Some((Some(call.slot), call.parked_for_s))
    }
}

impl Seen {
    fn tell(&self, now: Moment, report: LampReport) -> LampReport {
        let gone = now.saturating_sub(self.at).as_secs();
        let gone_s = u32::try_from(gone).unwrap_or(u32::MAX);
        let shown = |who: &Identity| who.is_comparable().then(|| who.clone());
        LampReport {
            parkee: shown(&self.call.parkee).filter(|_| self.call.vetted).or(report.parkee),
            parker: shown(&self.call.parker).or(report.parker),
            parked_for_s: Some(self.call.parked_for_s.saturating_add(gone_s)),
            comes_back_in_s: self.call.comes_back_in_s.map(|left| left.saturating_sub(gone_s)),
            ..report
        }
    }
}
