//! Retrieving the call that was on the screen, and no other: exact, verified, or plainly unverified.

use super::line::{LineId, SlotKey};
use super::lot::LotKey;
use super::slot::{Asking, AskingFor, ParkedCall, Slot};
use super::{Call, CallId, Desk, Direction, Effect, MAX_CALLS, Phase, RetrieveTarget, Severity};
use crate::parking::{Identity, Moment, SlotId, Strength, Text};
use std::time::Duration;

/// How long the answer to a retrieve is waited for.
const RETRIEVE_DEADLINE: Duration = Duration::from_secs(32);
/// How long proof of who it is is waited for once the server has answered. Asterisk tells within 20 ms, or 520 ms
/// when the caller's phone is silent.
const PROOF_DEADLINE: Duration = Duration::from_secs(2);

impl Desk {
    /// `r`: the caller who has waited longest, on the whole board or in this lot.
    pub(super) fn retrieve_longest(&mut self, lot: Option<LotKey>) -> Vec<Effect> {
        match (self.longest_parked_in(lot).map(Slot::key), lot.and_then(|lot| self.lot(lot))) {
            (Some(slot), _) => self.press_occupied(&slot),
            (None, Some(lot)) => self.nothing(&format!("nobody is parked in lot “{}”", lot.name)),
            (None, None) => self.nothing("nobody is parked"),
        }
    }

    /// An occupied slot's key: holds the call in hand, then fetches what was on the screen.
    pub(super) fn press_occupied(&mut self, key: &SlotKey) -> Vec<Effect> {
        let Some(slot) = self.slot(key) else { return Vec::new() };
        if slot.asking.is_some() {
            let place = self.place(key);
            return self.nothing(&format!("{place}: asked already, wait for the server's word"));
        }
        if let Some(claim) = slot.claimed(self.now).filter(|claim| !claim.told) {
            let text =
                format!("{} is retrieving {} · press again to try all the same", claim.by, self.place(key));
            if let Some(claim) = self.slot_mut(key).and_then(|s| s.claim.as_mut()) {
                claim.told = true;
            }
            self.say(Severity::Warning, &text);
            return Vec::new();
        }
        let seen = slot.parked.clone().unwrap_or_else(|| ParkedCall::unknown(self.now));
        let (slot, strength) = (key.id.clone(), seen.strength);
        self.retrieve(key.line, RetrieveTarget { slot, strength, key: seen.key.clone(), seen })
    }

    /// Fetches it by the line whose lot it is in.
    pub(super) fn retrieve(&mut self, line: LineId, target: RetrieveTarget) -> Vec<Effect> {
        if self.calls.len() >= MAX_CALLS {
            return self.nothing("too many calls at once");
        }
        let now = self.now;
        let id = self.new_call_id();
        let mut effects = self.free_the_hand(id);
        let key = SlotKey { line, id: target.slot.clone() };
        if let Some(slot) = self.slot_mut(&key) {
            let what = AskingFor::Retrieve(id);
            slot.asking = Some(Asking { what, since: now, until: now + RETRIEVE_DEADLINE });
        }
        let phase = Phase::Retrieving { target: target.clone() };
        let mut call = self.fresh_call(id, line, Direction::Outbound, target.seen.parkee.clone(), phase);
        call.called = Text::new(target.slot.as_str());
        call.note = target.seen.note.clone();
        call.waiting_since = target.seen.since;
        self.calls.push(call);
        self.in_hand = Some(id);
        effects.push(Effect::Retrieve { call: id, target });
        effects
    }

    /// The server answered our retrieve. A 200 is no proof, except where the request named the dialog itself.
    pub(super) fn retrieve_answered(&mut self, id: CallId, target: RetrieveTarget) -> Vec<Effect> {
        if target.strength == Strength::Exact && target.key.is_some() {
            return self.retrieve_settled(id, Strength::Exact);
        }
        let until = self.now + PROOF_DEADLINE;
        let now = self.now;
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        call.enter(Phase::Verifying { target: target.clone(), until }, now);
        match call.told.take() {
            Some(party) => self.retrieve_told(id, &target, &party),
            None => Vec::new(),
        }
    }

    /// The server told who we have got; the microphone is still closed.
    pub(super) fn retrieve_told(
        &mut self,
        id: CallId,
        target: &RetrieveTarget,
        party: &Identity,
    ) -> Vec<Effect> {
        // Nobody's name, or the slot's own (as some servers put it into their 200), tells nothing.
        if !party.is_comparable() || party.number.as_str() == target.slot.as_str() {
            return Vec::new();
        }
        if let Some(call) = self.call_mut(id) {
            call.party = party.clone();
        }
        let expected = &target.seen.parkee;
        if !expected.is_comparable() {
            // Somebody else parked him and the server's lamp names nobody: there is nothing to compare with.
            return self.retrieve_settled(id, Strength::Unverified);
        }
        if expected.agrees_with(party) {
            return self.retrieve_settled(id, Strength::Verified);
        }
        let slot = target.slot.clone();
        self.is_not_there(id);
        let place = self.call(id).map_or_else(|| slot.to_string(), |c| self.place(&c.slot_key(&slot)));
        let text = format!(
            "{place} holds {} now, not {}: not spoken to, going back",
            party.label(),
            target.seen.parkee.label()
        );
        self.say(Severity::Error, &text);
        self.put_back(id, slot)
    }

    /// The retrieve is proven as far as it can be: the microphone opens, if the hand is still here.
    pub(super) fn retrieve_settled(&mut self, id: CallId, strength: Strength) -> Vec<Effect> {
        let now = self.now;
        let in_hand = self.in_hand == Some(id);
        self.forget_asking(id);
        let who = self.called_of(id);
        self.is_not_there(id);
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        call.strength = Some(strength);
        call.waiting_since = now;
        call.enter(Phase::Talking, now);
        let slot = SlotId::new(call.called.as_str()).map(|id| call.slot_key(&id));
        let slot = slot.map_or_else(String::new, |key| self.place(&key));
        let mut effects = Vec::new();
        if !in_hand {
            effects = self.hold_call(id);
        }
        let word = strength.word();
        self.say(Severity::Info, &format!("{who} is back from {slot} ({word})"));
        self.undo = None;
        effects
    }

    /// Whoever was thought to be in the slot isn't, or is with us now. Its lamp may be told late, and if another comes in
    /// there before it is, it never goes out: he must not be called by this one's name.
    fn is_not_there(&mut self, id: CallId) {
        let Some(Call { line, phase: Phase::Verifying { target, .. }, .. }) = self.call(id) else { return };
        let (key, seen) = (SlotKey { line: *line, id: target.slot.clone() }, target.seen.since);
        if let Some(slot) = self.slot_mut(&key) {
            slot.parked.take_if(|parked| parked.key.is_none() && parked.since == seen);
        }
    }

    /// `enter` while the proof is missing: the operator decides to speak.
    pub(super) fn accept_unproven(&mut self, id: CallId) -> Vec<Effect> {
        self.retrieve_settled(id, Strength::Unverified)
    }

    /// Sends a wrongly retrieved caller back into the lot, unheard.
    pub(super) fn put_back(&mut self, id: CallId, slot: SlotId) -> Vec<Effect> {
        let now = self.now;
        self.forget_asking(id);
        let (note, party) = self.call(id).map(|c| (c.note.clone(), c.party.clone())).unwrap_or_default();
        if let Some(call) = self.call_mut(id) {
            call.enter(Phase::PuttingBack { slot: slot.clone() }, now);
        }
        // The same slot only where the server lets us name it and says that it is free; else the server chooses.
        let key = self.call(id).map(|c| c.slot_key(&slot));
        let there = key.as_ref().and_then(|key| self.slot(key));
        // The lot is the one he was in, whichever is chosen.
        let lot = there.map(|slot| slot.lot).unwrap_or_default();
        let free = there.is_some_and(Slot::is_known_free);
        let same = free && key.is_some_and(|key| self.abilities_at(&key).directed_park);
        vec![Effect::Park { call: id, lot, slot: same.then_some(slot), note, party }]
    }

    /// The call ended while it was being retrieved: there was nobody, or somebody was quicker.
    pub(super) fn retrieve_failed(&mut self, call: &Call, slot: &SlotId, reason: &Text) {
        let who = match call.party.is_withheld() {
            true => "the caller".to_owned(),
            false => self.called(&call.party),
        };
        let key = call.slot_key(slot);
        let place = self.place(&key);
        // A colleague who told that he has him is the likely reason, where the server gives none.
        let taken = self.slot(&key).and_then(|s| s.remark.as_ref()).filter(|(_, until)| self.now < *until);
        let why = match (reason.is_empty(), taken) {
            // Somebody was quicker, and the server said who.
            _ if !call.remark.is_empty() => call.remark.to_string(),
            (false, _) => reason.to_string(),
            (true, Some((taken, _))) => taken.to_string(),
            (true, None) => "the slot was empty when the server looked".to_owned(),
        };
        self.say(Severity::Warning, &format!("{place}: {who} was not retrieved: {why}"));
    }
}

impl ParkedCall {
    /// Somebody whom nobody named, first seen at `now`.
    pub(super) fn unknown(now: Moment) -> Self {
        Self {
            parkee: Identity::default(),
            parker: Identity::default(),
            since: now,
            since_inferred: true,
            note: Text::default(),
            comes_back_at: None,
            ours: false,
            strength: Strength::Unverified,
            key: None,
            told_by: Text::default(),
        }
    }
}
