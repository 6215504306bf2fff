//! What a lamp says of its slot, and of who is in it.

use super::event::LampReport;
use super::line::SlotKey;
use super::slot::{AskingFor, ParkedCall};
use super::{Call, Desk, Effect};
use crate::parking::{Lamp, Moment, Strength, Text};
use std::time::Duration;

impl Desk {
    pub(super) fn lamp_changed(&mut self, id: &SlotKey, report: LampReport) -> Vec<Effect> {
        let now = self.now;
        let inferred_end = self.comes_back_at(id, now);
        let ceiling = self.abilities(id.line).strength;
        let memory = self.remembered.iter().position(|(slot, _)| slot == id);
        let Some(slot) = self.slots.iter_mut().find(|s| s.is(id)) else { return Vec::new() };
        let fresh = !matches!(report.lamp, Lamp::Stale { .. } | Lamp::Unknown);
        if fresh {
            slot.heard_at = Some(now);
        }
        slot.fresh_until = report.fresh_until.filter(|_| fresh);
        let was_asking = slot.asking.clone();
        let before = std::mem::replace(&mut slot.lamp, report.lamp.clone());
        let mut effects = Vec::new();
        match report.lamp {
            Lamp::Parked | Lamp::RingingBack => {
                let known = slot.parked.take().filter(|p| p.may_be(&report));
                let remembered = memory.filter(|_| known.is_none()).map(|i| self.remembered.swap_remove(i).1);
                let remembered = remembered.filter(|p| p.may_be(&report)).map(ParkedCall::into_remembered);
                // Nobody watched the lamp meanwhile: the same slot may hold another by now.
                slot.remembered |= remembered.is_some() || report.gap;
                // A lamp that was free a moment ago has lit now, and not at some time before we looked.
                let watched = before == Lamp::Free && !report.gap;
                let lit = || ParkedCall { since_inferred: !watched, ..ParkedCall::unknown(now) };
                let mut parked = known.or(remembered).unwrap_or_else(lit);
                parked.take_in(&report, now, ceiling);
                let named = report.parkee.is_some() || report.key.is_some();
                slot.remembered &= !named && parked.is_known();
                if slot.remembered {
                    parked.strength = Strength::Unverified;
                }
                if parked.comes_back_at.is_none() {
                    parked.comes_back_at = inferred_end.filter(|_| !parked.since_inferred || watched);
                }
                slot.parked = Some(parked);
            }
            Lamp::Free => {
                slot.remembered = false;
                let fetched = matches!(was_asking.as_ref().map(|a| &a.what), Some(AskingFor::Retrieve(_)));
                let parked = slot.parked.take().filter(|_| !fetched);
                // Whom we have fetched already is with us, though the lamp is told of only now.
                let with_us = |parked: &ParkedCall| {
                    let fetched = |call: &Call| call.line == id.line && call.strength.is_some();
                    let same = |call: &Call| fetched(call) && parked.parkee.agrees_with(&call.party);
                    self.calls.iter().any(same)
                };
                if let Some(parked) = parked.filter(|parked| !with_us(parked)) {
                    self.has_departed(id.clone(), parked, &before);
                }
                if before != Lamp::Free {
                    effects.push(Effect::SaveMemory);
                }
                if let Some(i) = memory {
                    self.remembered.swap_remove(i);
                }
            }
            // What we knew stays on the screen, drawn as stale.
            Lamp::Unknown | Lamp::Stale { .. } | Lamp::Refused { .. } => {}
        }
        self.lamp_meets_hearsay(id);
        if fresh {
            effects.extend(self.state_told(id, was_asking.map(|a| a.what)));
        }
        effects
    }

    /// A lamp that was asked for because its key was pressed has answered.
    fn state_told(&mut self, id: &SlotKey, asked: Option<AskingFor>) -> Vec<Effect> {
        let Some(AskingFor::State { then_park }) = asked else { return Vec::new() };
        let Some(slot) = self.slot_mut(id) else { return Vec::new() };
        slot.asking = None;
        let lamp = slot.lamp.clone();
        let place = self.place(id);
        match lamp {
            Lamp::Free if then_park.is_some() && then_park == self.in_hand => {
                self.obey(self.now, super::Command::PressSlot(id.clone()))
            }
            Lamp::Free => self.nothing(&format!("{place} is free")),
            Lamp::Parked | Lamp::RingingBack => {
                let who = self.slot(id).and_then(|s| s.parked.as_ref()).map(|p| self.called(&p.parkee));
                let who = who.filter(|w| w != "withheld").unwrap_or_else(|| "somebody".into());
                self.nothing(&format!("{place} holds {who}: press its key again to retrieve"))
            }
            _ => Vec::new(),
        }
    }
}

impl ParkedCall {
    /// Whether a lit lamp can still be about this call: a server that names its calls decides; else it may.
    fn may_be(&self, report: &LampReport) -> bool {
        match (&self.key, &report.key) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => report
                .parkee
                .as_ref()
                .is_none_or(|p| !self.parkee.is_comparable() || p.agrees_with(&self.parkee)),
        }
    }

    /// Whether anything is known of this call that may be wrong if it is another.
    fn is_known(&self) -> bool {
        self.ours || self.parkee.is_comparable() || !self.parker.is_withheld() || !self.note.is_empty()
    }

    /// Takes in what the server told; what it is silent about stays as we know it.
    pub(super) fn take_in(&mut self, report: &LampReport, now: Moment, ceiling: Strength) {
        if let Some(parkee) = report.parkee.as_ref().filter(|p| p.is_comparable()) {
            self.parkee = parkee.clone();
            self.told_by = Text::default();
        }
        if let Some(parker) = report.parker.as_ref().filter(|_| !self.ours) {
            self.parker = parker.clone();
        }
        if let Some(seconds) = report.parked_for_s {
            let told = now.saturating_sub(Duration::from_secs(seconds.into()));
            // Whole seconds on the wire: a second's difference is no news, and the wait must not jump back.
            if self.since_inferred || told + Duration::from_secs(2) < self.since {
                self.since = told;
            }
            self.since_inferred = false;
        }
        if let Some(left_s) = report.comes_back_in_s {
            let at = now + Duration::from_secs(left_s.into());
            // Whole seconds on the wire, as above.
            let known = self.comes_back_at.filter(|(_, inferred)| !inferred).map(|(at, _)| at);
            if known.is_none_or(|known| known.abs_diff(at) > Duration::from_secs(2)) {
                self.comes_back_at = Some((at, false));
            }
        }
        if let Some(note) = &report.note {
            self.note = note.clone();
        }
        if report.key.is_some() {
            self.key.clone_from(&report.key);
        }
        self.strength = match (&self.key, ceiling) {
            (Some(_), Strength::Exact) => Strength::Exact,
            _ if self.parkee.is_comparable() && ceiling != Strength::Unverified => Strength::Verified,
            _ => Strength::Unverified,
        };
    }

    /// What an earlier session remembered: to be believed only when the retrieve has verified it.
    fn into_remembered(self) -> Self {
        Self { since_inferred: true, key: None, ..self }
    }
}
