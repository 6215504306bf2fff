//! What a colleague's console says, judged: it names callers and tells claims, but it is never the server's word. No
//! lamp changes by it, nobody is hung up by it, and whoever it names is compared like any other when he is retrieved.

use super::line::{LineId, SlotKey};
use super::slot::{Claim, ParkedCall};
use super::team::{TeamDeed, TeamNews, ToldCall};
use super::{Desk, Effect, LampReport, Severity};
use crate::parking::{Identity, Moment, Text};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a claim is believed without another word: as long as a retrieve may take.
const CLAIM_LASTS: Duration = Duration::from_secs(40);
/// How far apart the colleague's park and the lamp that we saw may be, to be about the same call.
const SAME_PARK_WITHIN: Duration = Duration::from_secs(5);
/// How long what was told of a slot waits for its lamp.
const PENDING_FOR: Duration = Duration::from_secs(10);
/// How many such words wait; beyond it the oldest is forgotten.
const MAX_PENDING: usize = 64;

/// What was told of a slot before its lamp lit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Pending {
    slot: SlotKey,
    from: Identity,
    call: ToldCall,
    at: Moment,
}

impl Desk {
    /// A colleague's console told something; `from` is who the server says it is.
    pub(super) fn team_told(&mut self, line: LineId, from: Identity, news: TeamNews) -> Vec<Effect> {
        let Some(from) = self.colleague(line, &from) else { return Vec::new() };
        let TeamNews::About { slot, deed, call } = news else {
            // Whoever starts anew fetches nobody.
            self.forget_claims_of(line, &from);
            self.answer_hello(line, &from);
            return Vec::new();
        };
        let slot = SlotKey { line, id: slot };
        if self.slot(&slot).is_none() {
            return Vec::new();
        }
        match deed {
            TeamDeed::Claimed => self.claim(&slot, &from),
            TeamDeed::Released => self.release(&slot, &from),
            TeamDeed::Retrieved => self.retrieved_by(&slot, &from, &call),
            TeamDeed::Withdrawn => self.withdraw(&slot, &from),
            TeamDeed::Parked | TeamDeed::Noted => {
                let lit = self.slot(&slot).is_some_and(super::Slot::holds_somebody);
                match lit {
                    true => self.believe(&slot, &from, &call, deed == TeamDeed::Noted),
                    false => self.wait_for_lamp(slot, from, call),
                }
            }
        }
        Vec::new()
    }

    /// The member that somebody is, under the name by which we know him.
    fn colleague(&mut self, line: LineId, from: &Identity) -> Option<Identity> {
        let members = &mut self.line_mut(line)?.team;
        let member = members.iter_mut().find(|m| !m.number.is_empty() && m.number == from.number)?;
        if member.name.is_empty() && !from.name.is_empty() {
            member.name = from.name.clone();
        }
        Some(member.clone())
    }

    fn claim(&mut self, slot: &SlotKey, from: &Identity) {
        let until = self.now + CLAIM_LASTS;
        if let Some(slot) = self.slot_mut(slot).filter(|s| s.holds_somebody()) {
            slot.claim =
                Some(Claim { by: Text::new(from.label()), number: from.number.clone(), until, told: false });
        }
    }

    fn release(&mut self, slot: &SlotKey, from: &Identity) {
        if let Some(slot) = self.slot_mut(slot) {
            slot.claim.take_if(|claim| claim.number == from.number);
        }
    }

    fn forget_claims_of(&mut self, line: LineId, from: &Identity) {
        for slot in self.slots.iter_mut().filter(|s| s.line == line) {
            slot.claim.take_if(|claim| claim.number == from.number);
        }
    }

    /// The colleague has got him. If we were after him too, the operator hears who was quicker; our leg is ended by
    /// nobody but the server or the operator, for the colleague may be wrong.
    fn retrieved_by(&mut self, slot: &SlotKey, from: &Identity, call: &ToldCall) {
        self.release(slot, from);
        let who = match call.parkee.is_withheld() {
            true => "this caller".to_owned(),
            false => call.parkee.label().to_owned(),
        };
        let took = format!("{} took {who}", from.label());
        self.remark(slot, &took);
        let ours = |c: &&super::Call| match &c.phase {
            super::Phase::Retrieving { target } | super::Phase::Verifying { target, .. } => {
                c.slot_key(&target.slot) == *slot
            }
            _ => false,
        };
        if self.calls.iter().any(|c| ours(&c)) {
            let place = self.place(slot);
            self.say(Severity::Warning, &format!("{place}: {took}, it seems · x ends your attempt"));
        }
    }

    fn withdraw(&mut self, slot: &SlotKey, from: &Identity) {
        self.team.pending.retain(|p| p.slot != *slot || p.from.number != from.number);
        let by = Text::new(from.label());
        let now = self.now;
        let Some(parked) = self.slot_mut(slot).and_then(|s| s.parked.as_mut()) else { return };
        if parked.told_by == by {
            *parked = ParkedCall {
                comes_back_at: parked.comes_back_at,
                ..ParkedCall::unknown(parked.since.min(now))
            };
        }
    }

    fn wait_for_lamp(&mut self, slot: SlotKey, from: Identity, call: ToldCall) {
        let now = self.now;
        self.team.pending.retain(|p| now.saturating_sub(p.at) <= PENDING_FOR && p.slot != slot);
        if self.team.pending.len() >= MAX_PENDING {
            self.team.pending.remove(0);
        }
        self.team.pending.push(Pending { slot, from, call, at: now });
    }

    /// A lamp has lit: what was told of it meanwhile is taken up; or it went out, and what was told is over.
    pub(super) fn lamp_meets_hearsay(&mut self, slot: &SlotKey) {
        let Some(lit) = self.slot(slot).map(super::Slot::holds_somebody) else { return };
        let now = self.now;
        if !lit {
            let fetched = self.slot_mut(slot).filter(|s| s.is_known_free()).and_then(|s| s.claim.take());
            if let Some(claim) = fetched.filter(|claim| now < claim.until) {
                self.remark(slot, &format!("{} took it, it seems", claim.by));
            }
            return;
        }
        let Some(at) = self.team.pending.iter().position(|p| p.slot == *slot) else { return };
        let Pending { from, call, at, .. } = self.team.pending.remove(at);
        let aged = now.saturating_sub(at);
        if aged <= PENDING_FOR {
            let waited_s = call.waited_s.saturating_add(u32::try_from(aged.as_secs()).unwrap_or(u32::MAX));
            self.believe(slot, &from, &ToldCall { waited_s, ..call }, false);
        }
    }

    /// Takes up what was told of a parked call, if it can be about the one whose lamp is lit.
    fn believe(&mut self, slot: &SlotKey, from: &Identity, call: &ToldCall, noted: bool) {
        let now = self.now;
        let abilities = self.abilities(slot.line);
        let told_since = now.saturating_sub(Duration::from_secs(call.waited_s.into()));
        let comes_back_at = self.comes_back_at(slot, told_since);
        let Some(parked) = self.slot_mut(slot).and_then(|s| s.parked.as_mut()) else { return };
        let apart = parked.since.abs_diff(told_since);
        // First seen lit, he may have been there for long, but not for less than we have seen.
        let same_park = match parked.since_inferred {
            true => told_since <= parked.since + SAME_PARK_WITHIN,
            false => apart <= SAME_PARK_WITHIN,
        };
        let named_here = parked.ours || (abilities.lamps_name_callers && parked.told_by.is_empty());
        let known = parked.parkee.is_comparable();
        let agrees = !known || !call.parkee.is_comparable() || parked.parkee.agrees_with(&call.parkee);
        if !same_park || (named_here && !agrees) {
            return;
        }
        if !agrees && !parked.since_inferred && parked.told_by != Text::new(from.label()) {
            // Two colleagues, two names: the one who told first is not overruled, a retrieve will show.
            return;
        }
        if !named_here && (!known || !agrees) && call.parkee.is_comparable() {
            parked.parkee = call.parkee.clone();
            parked.told_by = Text::new(from.label());
        }
        if !parked.ours && parked.parker.is_withheld() {
            let by = if call.parker.is_empty() { from.label() } else { call.parker.as_str() };
            parked.parker = Identity::new(by, "");
            if parked.told_by.is_empty() && !named_here {
                parked.told_by = Text::new(from.label());
            }
        }
        if noted || parked.note.is_empty() {
            parked.note = call.note.clone();
        }
        if parked.since_inferred {
            parked.since = told_since.min(parked.since);
            parked.since_inferred = false;
        }
        if parked.comes_back_at.is_none() {
            parked.comes_back_at = comes_back_at;
        }
        parked.take_in(&LampReport::default(), now, abilities.strength);
        let (who, note) = (parked.parkee.clone(), parked.note.clone());
        self.now_known(slot, who, note);
    }
}
