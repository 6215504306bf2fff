//! Parking as a server does it: asking for it by the dialect's way (`asking.rs`), the wait for proof and what is done
//! when it doesn't come (`proof.rs`), and the call of our own that some servers want (`errand.rs`).
//!
//! A 202 and a sipfrag 200 are "maybe" (a full Asterisk lot says both). Where a lamp is the sign, one that was free must
//! light after our request; but somebody else's park may have lit it. So much more is wanted before our leg ends:
//!
//! - A server that is asked twice (Asterisk): the same REFER once more, as a *probe*. A server that has parked the caller
//!   has nobody left to transfer and says 400 within milliseconds; one that has not is silent, or tells our leg that it is
//!   connected again (UPDATE or re-INVITE). Where the probe stays without an answer, a slot that was free all the time
//!   speaks for us: a lot with room can't have refused.
//! - A server that ends our leg itself, and only when the park has worked: we wait for its BYE, and never send ours.
//! - Any other: a lot with room, a lamp that names our caller, or the server's BYE. Else the caller stays with us.

mod asking;
mod errand;
mod proof;

use super::phone::Phone;
use super::preset::Sign;
use crate::desk::{CallId, DialogKey, Event, LotId};
use crate::parking::{Identity, Moment, SlotId, Text};
use crate::sip::{CallKey, ReferKey};
use std::time::Duration;

/// When the lamps are asked anew because none has lit.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// The longest wait of all: the transaction's own (Timer F is 32 s) and a little.
const HARD_DEADLINE: Duration = Duration::from_secs(34);
/// How long a server that is asked twice may take to tell of a park by its manager interface. (A silent caller delays
/// it by 500 ms.)
const AMI_PATIENCE: Duration = Duration::from_secs(2);
/// How long after our request a second lamp casts doubt on the first. A silent caller delays Asterisk by 500 ms.
const DOUBT_WITHIN: Duration = Duration::from_millis(700);

/// The most parks that are kept at once: one for each call, and those just proven.
const MAX_ATTEMPTS: usize = 2 * crate::desk::MAX_CALLS;

/// The most other slots that a park is kept in doubt about.
const MAX_IN_DOUBT: usize = 8;

/// How far a park has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Another park of ours is under way; two at once could not be told apart.
    Queued,
    /// The call is being held, or taken off hold, because the way wants it so.
    Preparing,
    /// The request is out.
    Asked,
    /// Taken by the server; the proof is missing.
    Accepted,
    /// A lamp has lit; the probe is out.
    Probed,
    /// The server has ended our leg; the lamp is missing.
    LegGone,
    /// Refused, but the probe may park it yet.
    Aftermath,
    /// Decided. Kept for a moment, because a second lamp would cast doubt.
    Proven,
}

/// Where a call is to be parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// In which lot.
    pub lot: LotId,
    /// In which slot of it, where one is named.
    pub slot: Option<SlotId>,
}

/// One park under way.
pub(super) struct Attempt {
    pub call: CallId,
    refer: Option<ReferKey>,
    /// The same REFER once more, to find out whether the first one has worked.
    probe: Option<ReferKey>,
    /// The call to a feature code, with the media port that it has.
    errand: Option<(CallKey, u16)>,
    /// Where the operator wants it. What another lot's lamps say is no word about this park.
    wish: Wish,
    note: Text,
    /// Who is parked: a lamp may name him.
    party: Identity,
    stage: Stage,
    /// The slot in which the call is, as far as is known.
    slot: Option<SlotId>,
    /// Slots whose lamps lit as well before anything was proven: it may be any of them.
    or_in: Vec<SlotId>,
    /// A slot that was found taken, by somebody who may have been there before.
    found: Option<SlotId>,
    /// A slot of another lot whose lamp lit meanwhile: where the server takes two lots' park extensions for one, he may be
    /// there.
    elsewhere: Option<SlotId>,
    /// The slot whose lamp lit for this park and went out again before it was proven: whoever lights it next is another.
    left: Option<SlotId>,
    /// Whether that slot's lamp names our caller.
    named: bool,
    /// Whether the server says that it has done what the REFER asked (sipfrag 2xx).
    done: bool,
    /// Whether the leg was on hold before, where preparing has changed that.
    was_held: Option<bool>,
    /// When the request was sent.
    asked_at: Moment,
    /// When something has to be decided.
    decide_at: Moment,
    /// When the lamps are asked anew.
    ask_at: Option<Moment>,
    /// The server has said no, or nothing: from now on only a refused probe is proof, never that there was room.
    refused: bool,
}

impl Attempt {
    fn new(now: Moment, call: CallId, wish: Wish, note: &Text, party: &Identity) -> Self {
        Self {
            call,
            refer: None,
            probe: None,
            errand: None,
            wish,
            note: note.clone(),
            party: party.clone(),
            stage: Stage::Queued,
            slot: None,
            or_in: Vec::new(),
            found: None,
            elsewhere: None,
            left: None,
            named: false,
            done: false,
            was_held: None,
            asked_at: now,
            decide_at: now + HARD_DEADLINE,
            ask_at: None,
            refused: false,
        }
    }

    pub(super) fn next_wake(&self) -> Moment {
        self.ask_at.map_or(self.decide_at, |ask| ask.min(self.decide_at))
    }

    /// Another slot's lamp has lit as well.
    fn doubt(&mut self, slot: &SlotId) {
        if !self.named && self.slot.as_ref() != Some(slot) && self.or_in.len() < MAX_IN_DOUBT {
            self.or_in.push(slot.clone());
        }
    }

    fn is_undecided(&self) -> bool {
        use Stage as S;
        matches!(self.stage, S::Preparing | S::Asked | S::Accepted | S::Probed | S::LegGone)
    }
}

impl Phone {
    /// Begins a park, or queues it behind the one under way.
    pub(super) fn park(&mut self, now: Moment, call: CallId, wish: Wish, note: &Text, party: &Identity) {
        if self.attempts.iter().any(|a| a.call == call && (a.is_undecided() || a.stage == Stage::Queued)) {
            return;
        }
        // A new wish: what an earlier probe may still do is this attempt's matter now.
        self.attempts.retain(|a| a.call != call || a.stage == Stage::Proven);
        let busy = self.attempts.iter().any(Attempt::is_undecided);
        self.attempts.push(Attempt::new(now, call, wish, note, party));
        self.attempts.truncate(MAX_ATTEMPTS);
        if !busy {
            self.ask_next(now);
        }
    }

    /// Whether a park or a transfer of this phone sent that REFER.
    pub(super) fn asked_by(&self, refer: ReferKey) -> bool {
        self.attempts.iter().any(|a| a.refer == Some(refer) || a.probe == Some(refer))
            || self.transferring(refer).is_some()
    }

    fn attempt_of(&mut self, refer: ReferKey) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|a| a.refer == Some(refer))
    }

    /// The park of this call that is under way.
    fn attempt_for(&mut self, call: CallId) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|a| a.call == call && a.is_undecided())
    }

    fn sign(&self) -> Sign {
        self.config.dialect.preset.proof.sign
    }

    fn patience(&self) -> Duration {
        let proof = &self.config.dialect.preset.proof;
        let patience = Duration::from_secs(proof.patience.into());
        // Where every park is told of at once, and the server can be asked once more.
        if proof.ask_twice && self.witness.is_in_sync() { patience.min(AMI_PATIENCE) } else { patience }
    }

    /// The call is gone; a proven park of it is kept for the moment in which a second lamp casts doubt, and one whose leg
    /// the server has ended until a lamp tells.
    pub(super) fn forget_attempts(&mut self, call: CallId) {
        self.attempts.retain(|a| a.call != call || matches!(a.stage, Stage::Proven | Stage::LegGone));
    }

    /// What has run out of time.
    pub(super) fn decide_attempts(&mut self, now: Moment) {
        let mut ask = false;
        for attempt in &mut self.attempts {
            if attempt.ask_at.is_some_and(|at| now >= at) {
                attempt.ask_at = None;
                ask = true;
            }
        }
        if ask {
            self.ask_free_lamps(now);
        }
        let due: Vec<(CallId, Stage)> =
            self.attempts.iter().filter(|a| now >= a.decide_at).map(|a| (a.call, a.stage)).collect();
        for (call, stage) in due {
            // Deciding one may have set another going.
            if self.attempts.iter().any(|a| a.call == call && a.stage == stage && now >= a.decide_at) {
                self.decide(now, call, stage);
            }
        }
    }

    /// Whether some slot of that lot has been free all the time since then: a lot with room can't have refused. One that
    /// became free only later says nothing of what the server found when it was asked, and one of another lot nothing at all.
    fn had_room_since(&self, lot: LotId, then: Moment) -> bool {
        let dialect = &self.config.dialect;
        let free = |slot| self.watched.get(slot).is_some_and(|watched| watched.has_been_free_since(then));
        let mut meant =
            dialect.numbered_lots().filter(|(other, _)| dialect.park_alike(lot, *other)).peekable();
        meant.peek().is_some() && meant.all(|(_, numbers)| numbers.slots.iter().any(free))
    }

    /// Whether what a slot's lamp says may be about a park in that lot.
    fn speaks_of(&self, slot: &SlotId, lot: LotId) -> bool {
        let dialect = &self.config.dialect;
        dialect.lot_of(slot).is_some_and(|of_slot| dialect.park_alike(of_slot, lot))
    }

    /// Tells the server the note of a parked call, where it keeps any.
    pub(super) fn tell_note(&mut self, now: Moment, slot: &SlotId, key: Option<&DialogKey>, note: &Text) {
        let Some(key) = key.filter(|_| self.config.dialect.preset.notes.kept) else { return };
        let ask = crate::sip::Ask {
            account: Some(self.account),
            from: None,
            method: crate::sip::message::Method::Message,
            target: self.uri_of(slot.as_str()),
            send_to: self.server(),
            headers: vec![
                ("Content-Type".to_owned(), "text/plain;charset=utf-8".to_owned()),
                ("Parkdeck-Call".to_owned(), key.0.clone()),
            ],
            body: note.as_str().as_bytes().to_vec(),
        };
        self.ua.request(now, ask);
    }

    /// The operator and the desk are told that it came to nothing.
    fn say_refused(&mut self, call: CallId, reason: &str) {
        self.say(Event::ParkRefused { call, reason: Text::new(reason) });
    }
}
