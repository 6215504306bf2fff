//! Proof of a park: which sign is enough, when our leg may end, and what is done when no sign comes.

use super::{Attempt, DOUBT_WITHIN, HARD_DEADLINE, Phone, Stage};
use crate::desk::{CallId, Event, LotId, Notice, Severity};
use crate::dialect::preset::{By, LegEnder, Sign};
use crate::parking::{Identity, Lamp, Moment, SlotId, Text};
use crate::sip::message::NameAddr;
use crate::sip::{EndedBy, ReferKey};
use std::time::Duration;

/// How long the probe's answer is waited for. Asterisk needs 0.4 to 8 ms; a caller whose phone is silent delays it by
/// 500 ms; the rest is for lost datagrams.
pub(super) const PROBE_PATIENCE: Duration = Duration::from_millis(1_600);
/// How long after a lamp the manager interface may tell of the same park.
const AMI_LAG: Duration = Duration::from_millis(250);
/// How long after a refusal a probe may still park the caller after all, because a slot became free meanwhile.
const AFTERMATH: Duration = Duration::from_secs(6);
/// How long a lamp may still light after the server's sign of failure.
const AFTER_SIGN: Duration = Duration::from_millis(300);
/// How long a server that ends our leg itself may take from the lamp to its BYE: Asterisk says the slot first, 2.5 s.
const LEG_PATIENCE: Duration = Duration::from_secs(8);
/// How long a lamp may be behind the server's BYE (a NOTIFY that is lost is repeated within this time).
const LAMP_BEHIND: Duration = Duration::from_secs(4);

impl Phone {
    /// Takes the answer to a probe: refused means that nobody is left to transfer, so the caller is parked.
    /// False if `refer` is no probe.
    ///
    /// Asterisk's NOTIFYs name no REFER (RFC 3515 §2.4.6 wants an id for the second one): the probe's answer, which is
    /// the first to come, arrives as that of the REFER before it. A refusal while the probe is out is a refusal of the
    /// probe, for the park itself has lit a lamp.
    pub(super) fn probe_answered_with(&mut self, now: Moment, refer: ReferKey, status: u16) -> bool {
        let refused = (300..=499).contains(&status) && !matches!(status, 401 | 407 | 408 | 487 | 491);
        let probed = |a: &Attempt| matches!(a.stage, Stage::Probed | Stage::Aftermath) && a.probe.is_some();
        // Asterisk's answer to the probe names no REFER: it arrives as one to the first.
        let unnamed = |a: &Attempt| refused && probed(a) && a.refer == Some(refer);
        let Some(attempt) = self.attempts.iter().find(|a| a.probe == Some(refer) || unnamed(a)) else {
            return false;
        };
        let (call, open) = (attempt.call, probed(attempt));
        if refused && open {
            self.prove(now, call);
        }
        // A 503 says that the caller has gone, whichever REFER it answers.
        status != 503
    }

    /// A lamp that was free has lit; `names` is whom it names.
    pub(in crate::dialect) fn lamp_lit(&mut self, now: Moment, slot: &SlotId, names: Option<&Identity>) {
        if self.sign() == Sign::Answer {
            // Our lot has named the slot; the lamp of another one says nothing of ours.
            let named = self.attempts.iter().find(|a| a.slot.as_ref() == Some(slot)).map(|a| a.call);
            return named.into_iter().for_each(|call| self.judge(now, call));
        }
        // A lamp that names somebody else is somebody else's, and so is one of another lot.
        let fits = |a: &Attempt| {
            self.speaks_of(slot, a.wish.lot)
                && names.is_none_or(|who| !a.party.is_comparable() || a.party.agrees_with(who))
        };
        // A park that waits for its lamp goes before one that was refused.
        let waits = |a: &Attempt| {
            matches!(a.stage, Stage::Asked | Stage::Accepted | Stage::LegGone) && a.left.is_none() && fits(a)
        };
        let waiting = self.attempts.iter().position(waits);
        let waiting =
            waiting.or_else(|| self.attempts.iter().position(|a| a.stage == Stage::Aftermath && fits(a)));
        if let Some(attempt) = waiting.and_then(|i| self.attempts.get_mut(i)) {
            let named =
                names.is_some_and(|who| attempt.party.is_comparable() && attempt.party.agrees_with(who));
            // With a dialplan prefix it may be another slot than was wished for: the next free one, without a word.
            if attempt.slot.is_none() || attempt.stage == Stage::Aftermath || named {
                attempt.slot = Some(slot.clone());
                attempt.named = named;
            } else {
                attempt.doubt(slot);
            }
            let call = attempt.call;
            return self.judge(now, call);
        }
        let meant = self.attempts_in_lot_of(slot);
        let undecided = |a: &&mut Attempt| a.is_undecided() && !meant.contains(&a.call);
        for attempt in self.attempts.iter_mut().filter(undecided) {
            attempt.elsewhere.get_or_insert_with(|| slot.clone());
        }
        self.doubt(now, slot, names);
    }

    /// The calls whose parks may have lit that lamp, as far as the lot goes.
    fn attempts_in_lot_of(&self, slot: &SlotId) -> Vec<CallId> {
        self.attempts.iter().filter(|a| self.speaks_of(slot, a.wish.lot)).map(|a| a.call).collect()
    }

    /// A lamp that was free when it was last heard is lit now that it can be heard again. Whoever is there may have come
    /// long before our request: it is no sign of our park, but perhaps where it ended.
    pub(in crate::dialect) fn lamp_found_lit(&mut self, now: Moment, slot: &SlotId) {
        let meant: Vec<CallId> = self.attempts_in_lot_of(slot);
        for attempt in self.attempts.iter_mut().filter(|a| a.is_undecided() && meant.contains(&a.call)) {
            attempt.found.get_or_insert_with(|| slot.clone());
        }
        // What the lamp can't tell, the server can be asked.
        let accepted = |a: &&Attempt| a.stage == Stage::Accepted && meant.contains(&a.call);
        let accepted = self.attempts.iter().find(accepted).map(|a| a.call);
        if let Some(call) = accepted.filter(|_| self.config.dialect.preset.proof.ask_twice) {
            self.send_probe(now, call);
        }
    }

    /// A lamp has gone out. Where the server says only by its BYE that a park has worked, and this was the lamp of one, its
    /// caller was fetched already: whoever lights it next is another.
    pub(in crate::dialect) fn lamp_out(&mut self, slot: &SlotId) {
        let proof = &self.config.dialect.preset.proof;
        if proof.sign == Sign::Answer || proof.ends_leg == LegEnder::Us {
            return;
        }
        let ours = |a: &&mut Attempt| a.is_undecided() && a.slot.as_ref() == Some(slot);
        if let Some(attempt) = self.attempts.iter_mut().find(ours) {
            attempt.left = attempt.slot.take();
        }
    }

    /// The park has worked, but its lamp has gone out since: nobody knows where the caller is now.
    fn say_fetched(&mut self, call: CallId, slot: &SlotId) {
        let reason = format!("parked: {slot} lit, and has gone out again");
        self.say(Event::CallEnded { call, reason: Text::new(&reason), by_them: true });
    }

    /// A lamp that nobody here waits for has lit so soon after a park of ours that it may be the one that we lit.
    fn doubt(&mut self, now: Moment, slot: &SlotId, names: Option<&Identity>) {
        let meant = self.attempts_in_lot_of(slot);
        let recent = self.attempts.iter_mut().find(|a| {
            meant.contains(&a.call)
                && matches!(a.stage, Stage::Proven | Stage::Probed)
                && now.saturating_sub(a.asked_at) <= DOUBT_WITHIN
                && !a.named
                && a.slot.as_ref() != Some(slot)
        });
        let Some(attempt) = recent.filter(|_| names.is_none()) else { return };
        if attempt.stage == Stage::Probed {
            // Nobody is said to be anywhere yet: the doubt is told with the proof.
            return attempt.doubt(slot);
        }
        if let Some(first) = attempt.slot.clone() {
            self.say(Event::ParkDoubted { slots: vec![first, slot.clone()] });
        }
    }

    /// Decides whether what is known is enough.
    pub(super) fn judge(&mut self, now: Moment, call: CallId) {
        let Some(attempt) = self.attempts.iter().find(|a| a.call == call) else { return };
        let Some(slot) = attempt.slot.clone() else { return };
        let (stage, named, asked_at) = (attempt.stage, attempt.named, attempt.asked_at);
        let lot = attempt.wish.lot;
        // A lamp may be told of late, and be somebody else's who came before us: the server must have acted as well.
        let done = attempt.done;
        let proof = &self.config.dialect.preset.proof;
        let (sign, ask_twice, ender) = (proof.sign, proof.ask_twice, proof.ends_leg);
        match (stage, sign) {
            // The server's BYE and a lit lamp: both are there.
            (Stage::LegGone, _) => self.prove(now, call),
            // Our lot ends our leg itself; its lamp is as good.
            (Stage::Accepted | Stage::Aftermath, Sign::Answer)
                if self.lamp(&slot).is_some_and(|l| *l == Lamp::Parked) =>
            {
                self.prove(now, call);
            }
            // The server's own word is on its way, and better than a probe.
            (Stage::Accepted, Sign::Lamp) if ask_twice && self.witness.is_in_sync() => {
                self.decide_by(call, now + AMI_LAG);
            }
            (Stage::Accepted | Stage::Aftermath, Sign::Lamp) if ask_twice => self.send_probe(now, call),
            (Stage::Accepted, Sign::Lamp) => match ender {
                // The slot is told; whose it is, the server's BYE says.
                LegEnder::Server => self.decide_by(call, now + LEG_PATIENCE),
                LegEnder::Us if named || done && self.had_room_since(lot, asked_at) => self.prove(now, call),
                LegEnder::Us => self.decide_by(call, now + LEG_PATIENCE),
            },
            _ => {}
        }
    }

    fn decide_by(&mut self, call: CallId, at: Moment) {
        if let Some(attempt) = self.attempt_for(call) {
            attempt.decide_at = at;
            attempt.ask_at = None;
        }
    }

    /// Sends the probe. It goes to the lot's park extension, never to a slot: should the first REFER have failed, it parks.
    fn send_probe(&mut self, now: Moment, call: CallId) {
        let Some(lot) = self.attempts.iter().find(|a| a.call == call).map(|a| a.wish.lot) else { return };
        let Some((By::Refer, number)) = self.config.dialect.way(lot, None) else { return };
        let Some(key) = self.legs.get(&call).map(|l| l.key) else { return };
        let target = NameAddr::new(self.uri_of(&number));
        let referred_by = ("Referred-By".to_owned(), self.ourselves().to_string());
        let probe = self.ua.refer(now, key, target, vec![referred_by]);
        if let Some(attempt) = self.attempts.iter_mut().find(|a| a.call == call) {
            attempt.probe = Some(probe);
            attempt.stage = Stage::Probed;
            // It may have to wait for a re-INVITE; its time begins when it is sent.
            attempt.decide_at = now + HARD_DEADLINE;
            attempt.ask_at = None;
        }
    }

    /// The park under way of a call with this person, if there is one: the server has parked somebody for us.
    pub(in crate::dialect) fn parking_of(&self, is_party: impl Fn(&Identity) -> bool) -> Option<CallId> {
        let open = |a: &&Attempt| a.is_undecided() || a.stage == Stage::Aftermath;
        // Who it is the desk knows best; else what the server said of the leg.
        let fits = |a: &&Attempt| match self.legs.get(&a.call) {
            Some(leg) if !a.party.is_comparable() => is_party(&leg.party),
            _ => is_party(&a.party),
        };
        self.attempts.iter().filter(open).find(fits).map(|a| a.call)
    }

    /// The server itself has said that this call is parked there: nothing is left to find out, and nothing to doubt.
    pub(in crate::dialect) fn proven_by_server(&mut self, now: Moment, call: CallId, slot: &SlotId) {
        let Some(attempt) = self.attempts.iter_mut().find(|a| a.call == call) else { return };
        attempt.slot = Some(slot.clone());
        self.prove(now, call);
        self.attempts.retain(|a| a.call != call);
    }

    /// The park is certain: the desk is told and our leg ends, if the server hasn't ended it.
    fn prove(&mut self, now: Moment, call: CallId) {
        self.end_errand(now, call);
        let Some(attempt) = self.attempts.iter_mut().find(|a| a.call == call) else { return };
        attempt.stage = Stage::Proven;
        attempt.decide_at = attempt.asked_at.max(now) + DOUBT_WITHIN;
        attempt.ask_at = None;
        let slot = attempt.slot.clone();
        let elsewhere = attempt.elsewhere.take().filter(|_| slot.is_none());
        let in_doubt = if attempt.named { Vec::new() } else { std::mem::take(&mut attempt.or_in) };
        let in_doubt: Vec<SlotId> = slot.iter().cloned().chain(in_doubt).collect();
        self.say(Event::ParkProven { call, slot });
        if in_doubt.len() > 1 {
            self.say(Event::ParkDoubted { slots: in_doubt });
        }
        // Certain that he is parked, and in no slot of the lot that was meant.
        if let Some(lit) = elsewhere {
            let text = format!(
                "{lit} of another lot lit meanwhile: if that is the caller, the two lots share a park extension"
            );
            let text = Text::new(&text);
            self.say(Event::Told(Notice { at: now, severity: Severity::Warning, text }));
        }
        self.hang_up(now, call);
        self.ask_next(now);
    }

    /// The park has failed, as far as is known: the caller is with the operator again, on hold or not as before.
    pub(super) fn refuse(&mut self, now: Moment, call: CallId, reason: &str) {
        self.end_errand(now, call);
        let open = |a: &&mut Attempt| a.call == call && (a.is_undecided() || a.stage == Stage::Queued);
        let Some(attempt) = self.attempts.iter_mut().find(open) else { return };
        if attempt.stage == Stage::LegGone {
            // The caller hung up as we asked: there is no leg that he could be on.
            return self.lost_sight(now, call);
        }
        // What has not gone out must not park anybody after the operator was told that it failed.
        if let Some(refer) = attempt.refer {
            self.ua.withdraw_refer(refer);
        }
        attempt.probe = attempt.probe.filter(|probe| !self.ua.withdraw_refer(*probe));
        attempt.ask_at = None;
        attempt.refused = true;
        attempt.stage = Stage::Aftermath;
        attempt.decide_at = if attempt.probe.is_some() { now + AFTERMATH } else { now };
        let hold_again = attempt.was_held.take();
        self.say_refused(call, reason);
        if let Some(hold) = hold_again {
            self.set_hold(now, call, hold);
        }
        self.attempts.retain(|a| a.stage != Stage::Aftermath || a.decide_at > now);
        self.ask_next(now);
    }

    /// The far end speaks up on a leg whose park is undecided (re-INVITE, or UPDATE with an identity): of a server that
    /// is asked twice the sign that it is connected again, so that the park has failed.
    pub(in crate::dialect) fn sign_of_failure(&mut self, now: Moment, call: CallId) {
        if !self.config.dialect.preset.proof.ask_twice {
            return;
        }
        let Some(attempt) = self.attempt_for(call) else { return };
        match attempt.stage {
            Stage::Probed => self.refuse(now, call, "the lot is full: somebody took the last slot first"),
            // The lamp may be a step behind.
            Stage::Accepted => attempt.decide_at = attempt.decide_at.min(now + AFTER_SIGN),
            _ => {}
        }
    }

    /// Our leg ended while a park was undecided. True if the desk need not be told of the end: the park is settled, or
    /// waits for its lamp.
    pub(in crate::dialect) fn leg_ended_while_parking(
        &mut self,
        now: Moment,
        call: CallId,
        by: EndedBy,
    ) -> bool {
        let (sign, ender) = (self.sign(), self.config.dialect.preset.proof.ends_leg);
        let Some(attempt) = self.attempts.iter().find(|a| a.call == call && a.is_undecided()) else {
            return false;
        };
        let stage = attempt.stage;
        // The server ended our leg and its lamp is lit, or it named the slot before: the caller is there.
        let settled = attempt.slot.clone().filter(|slot| {
            let lit = |lamp: &Lamp| matches!(lamp, Lamp::Parked | Lamp::RingingBack);
            sign == Sign::Answer || self.lamp(slot).is_some_and(lit)
        });
        let or_in = if attempt.named { Vec::new() } else { attempt.or_in.clone() };
        self.end_errand(now, call);
        if let Some(slot) = settled {
            self.attempts.retain(|a| a.call != call);
            self.say(Event::ParkProven { call, slot: Some(slot.clone()) });
            if !or_in.is_empty() {
                self.say(Event::ParkDoubted { slots: [slot].into_iter().chain(or_in).collect() });
            }
            self.ask_next(now);
            return true;
        }
        // A BYE is what such a server says of a park that has worked. The lamp may be a step behind, or gone already.
        let awaited = sign == Sign::Lamp && ender == LegEnder::Server && by == EndedBy::Remote;
        let asked = matches!(stage, Stage::Asked | Stage::Accepted);
        let left =
            self.attempts.iter().find(|a| a.call == call && a.is_undecided()).and_then(|a| a.left.clone());
        if let Some(left) = left.filter(|_| awaited && asked) {
            self.attempts.retain(|a| a.call != call);
            self.say_fetched(call, &left);
            self.ask_next(now);
            return true;
        }
        if let Some(attempt) = self.attempt_for(call).filter(|_| awaited && asked) {
            attempt.stage = Stage::LegGone;
            attempt.decide_at = now + LAMP_BEHIND;
            attempt.ask_at = None;
            self.ask_free_lamps(now);
            return true;
        }
        false
    }

    /// A park has run out of time.
    pub(super) fn decide(&mut self, now: Moment, call: CallId, stage: Stage) {
        let Some(attempt) = self.attempts.iter().find(|a| a.call == call && a.stage == stage) else { return };
        let may_have_worked = self.had_room_since(attempt.wish.lot, attempt.asked_at)
            && !attempt.refused
            && attempt.slot.is_some();
        let (lit, probed) = (attempt.slot.clone(), attempt.probe.is_some());
        let slot_named = self.sign() == Sign::Answer && lit.is_some();
        let (wished, lot) = (attempt.wish.slot.is_some(), attempt.wish.lot);
        let proof = &self.config.dialect.preset.proof;
        let (ask_twice, ours_to_end) = (proof.ask_twice, proof.ends_leg == LegEnder::Us);
        match (stage, lit) {
            (Stage::Proven | Stage::Aftermath, _) => {
                self.attempts.retain(|a| a.call != call || a.stage != stage || now < a.decide_at);
            }
            (Stage::Probed, _) if may_have_worked => self.prove(now, call),
            (Stage::Probed, None) => self.refuse(now, call, "no lamp lit: the lot may be full"),
            (Stage::Probed, Some(_)) => self.refuse(now, call, "the lot is full"),
            (Stage::Accepted, _) if slot_named => self.prove(now, call),
            // The slot may be one that isn't on the board: the probe tells.
            (Stage::Accepted, _) if ask_twice && !probed => self.send_probe(now, call),
            // A server that never says how a REFER ends has had all the time that it needs. Room elsewhere says nothing of
            // a slot that was named: whoever was quicker has lit it.
            (Stage::Accepted, Some(_)) if may_have_worked && ours_to_end && !wished => self.prove(now, call),
            (Stage::Accepted, Some(slot)) => {
                let text =
                    format!("{slot} has lit, but the server keeps this call with you: it may be another's");
                self.refuse(now, call, &text);
            }
            (Stage::Accepted, None) => {
                let text = self.unlit(lot);
                self.refuse(now, call, &text);
            }
            (Stage::LegGone, _) => self.lost_sight(now, call),
            (Stage::Queued | Stage::Preparing | Stage::Asked, _) => {
                self.refuse(now, call, "no answer from the server");
            }
        }
    }

    /// Why no lamp may have lit.
    fn unlit(&self, lot: LotId) -> String {
        match self.config.dialect.way(lot, None) {
            Some((By::Digits, keys)) => {
                format!("no lamp lit after {keys}: the lot may be full, or you may not park here (K, k)")
            }
            _ => "no lamp lit: the lot may be full".to_owned(),
        }
    }

    /// The server has ended our leg and no lamp has lit: nobody here can say whether the caller hung up or sits in a slot
    /// that isn't on the board.
    fn lost_sight(&mut self, now: Moment, call: CallId) {
        let found = self.attempts.iter().find(|a| a.call == call && a.stage == Stage::LegGone);
        let reason = match found.and_then(|a| a.found.as_ref()) {
            Some(slot) => format!("the server ended the call; {slot} is taken, by them or somebody before"),
            None => "the server ended the call, and no lamp lit".to_owned(),
        };
        self.attempts.retain(|a| a.call != call || a.stage != Stage::LegGone);
        self.say(Event::CallEnded { call, reason: Text::new(&reason), by_them: true });
        self.ask_next(now);
    }
}
