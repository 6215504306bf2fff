//! What the server's own manager interface tells beside the lamps: who fetched whom, who gave up; and what becomes of
//! what it told when it falls silent.

use super::line::{LineId, ManagerInterface, SlotKey};
use super::slot::ParkedCall;
use super::{Call, CallId, Desk, Effect, Phase, Severity};
use crate::parking::{Identity, SlotId, Strength, Text};
use std::time::Duration;

/// How long a call may have rung when the server says that it is a comeback.
const COMEBACK_TOLD_WITHIN: Duration = Duration::from_secs(2);

impl Desk {
    /// The manager interface tells, or no longer does. Then what only it could know is as good as remembered.
    pub(super) fn manager_told(&mut self, line: LineId, manager: ManagerInterface) -> Vec<Effect> {
        let (now, of) = (self.now, self.of_line(line));
        let Some(there) = self.line_mut(line) else { return Vec::new() };
        let before = std::mem::replace(&mut there.account.manager, manager.clone());
        match (before, manager) {
            (ManagerInterface::Lost { .. }, ManagerInterface::Connected) => {
                self.say(Severity::Info, &format!("{of}the server tells again who is parked"));
            }
            (before, ManagerInterface::Lost { reason, .. }) => {
                there.account.last_trouble = Some((reason.clone(), now));
                let same = matches!(&before, ManagerInterface::Lost { reason: old, .. } if *old == reason);
                if !same {
                    let text = format!(
                        "{of}the server no longer tells who is parked: {reason} · calls and lamps go on without"
                    );
                    self.say(Severity::Warning, &text);
                }
                self.doubt_what_was_told(line);
            }
            _ => {}
        }
        Vec::new()
    }

    /// What we didn't park ourselves was told by somebody who may be wrong from now on.
    fn doubt_what_was_told(&mut self, line: LineId) {
        for slot in self.slots.iter_mut().filter(|slot| slot.line == line) {
            if let Some(parked) = slot.parked.as_mut() {
                slot.remembered |= !parked.ours;
                if slot.remembered {
                    parked.strength = Strength::Unverified;
                }
                if let Some((_, inferred)) = parked.comes_back_at.as_mut() {
                    *inferred = true;
                }
            }
        }
    }

    /// Another phone has fetched a call: said at its slot, and to whoever of us wanted the same one.
    pub(super) fn fetched(&mut self, key: &SlotKey, parkee: &Identity, by: &Identity) -> Vec<Effect> {
        let place = self.place(key);
        let who = if by.is_withheld() { "somebody" } else { by.label() };
        let remark = format!("{who} retrieved {place}");
        self.remark(key, &remark);
        let wanted = |phase: &Phase| match phase {
            Phase::Retrieving { target } | Phase::Verifying { target, .. } => {
                target.slot == key.id && target.seen.may_be_of(parkee)
            }
            _ => false,
        };
        let mut lost = false;
        for call in self.calls.iter_mut().filter(|call| call.line == key.line && wanted(&call.phase)) {
            call.remark = Text::new(&remark);
            lost = true;
        }
        if lost {
            self.say(
                Severity::Warning,
                &format!("{place}: {who} was quicker · nothing is left to fetch there"),
            );
        }
        self.forget_parked(key, parkee);
        Vec::new()
    }

    /// A parked caller hung up: who rings a moment later is a new call.
    pub(super) fn gave_up(&mut self, key: &SlotKey, parkee: &Identity, waited_s: u32) -> Vec<Effect> {
        let known = self.forget_parked(key, parkee);
        let known = known.map(|parked| parked.parkee).filter(|known| !known.is_withheld());
        let who = known.unwrap_or_else(|| parkee.clone());
        let who = if who.is_withheld() { "a withheld caller" } else { who.label() };
        let (place, minutes, seconds) = (self.place(key), waited_s / 60, waited_s % 60);
        let text = format!("{who} hung up while parked on {place}, waited {minutes}:{seconds:02}");
        self.say(Severity::Warning, &text);
        Vec::new()
    }

    /// The server says of a call that rings already that its time in the lot is over. One that has rung for longer is
    /// somebody else's, of the same number.
    pub(super) fn came_back(&mut self, id: CallId, slot: &SlotId, waited_s: u32) -> Vec<Effect> {
        let now = self.now;
        let fits = |call: &&Call| {
            let fresh = now.saturating_sub(call.since) <= COMEBACK_TOLD_WITHIN;
            call.phase == Phase::Ringing && call.comeback.is_none() && fresh
        };
        let Some(mut call) = self.call(id).filter(fits).cloned() else { return Vec::new() };
        let key = call.slot_key(slot);
        let parked = self.forget_parked(&key, &call.party.clone());
        self.mark_comeback(&mut call, Some(slot.clone()), parked, Duration::from_secs(waited_s.into()));
        if let Some(there) = self.call_mut(id) {
            *there = call;
        }
        Vec::new()
    }

    /// He will not come back from there, whether his lamp is off already or not. What was known of him.
    fn forget_parked(&mut self, key: &SlotKey, parkee: &Identity) -> Option<ParkedCall> {
        let at = self.departed.iter().position(|d| d.slot == *key && d.parked.may_be_of(parkee));
        let gone = at.map(|at| self.departed.swap_remove(at).parked);
        let slot =
            self.slot_mut(key).filter(|slot| slot.parked.as_ref().is_some_and(|p| p.may_be_of(parkee)));
        gone.or(slot.and_then(|slot| slot.parked.take()))
    }
}

impl ParkedCall {
    /// Whether this can be that person, as far as both are known.
    pub(super) fn may_be_of(&self, who: &Identity) -> bool {
        !self.parkee.is_comparable() || !who.is_comparable() || self.parkee.agrees_with(who)
    }
}
