//! Parking as a server does it: the REFER, the wait for proof, and what is done when proof doesn't come.
//!
//! A 202 and a sipfrag 200 are "maybe" (a full Asterisk lot says both). With [`Proof::Lamp`] a lamp that was free must
//! light after our REFER; but somebody else's park may have lit it. So the same REFER is sent once more, as a probe: a
//! server that has parked the caller has nobody left to transfer and says 400 within milliseconds, one that has not is
//! silent, or tells our leg that it is connected again (UPDATE or re-INVITE). Only then is our leg ended. Where the
//! probe stays without an answer, a slot that was free all the time speaks for us: a lot with room can't have refused.

use super::phone::Phone;
use super::{Proof, words};
use crate::desk::{CallId, DialogKey, Event, Notice, Severity};
use crate::parking::{Lamp, Moment, SlotId, Text};
use crate::sip::message::{Headers, NameAddr};
use crate::sip::{CallKey, ReferKey};
use std::time::Duration;

/// How long after a 202 the lamp is waited for (a NOTIFY lost again and again is repeated within this time).
const LAMP_PATIENCE: Duration = Duration::from_secs(8);
/// When the lamps are asked anew because none has lit.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// How long the probe's answer is waited for. Asterisk needs 0.4 to 8 ms; a caller whose phone is silent delays it by
/// 500 ms; the rest is for lost datagrams.
const PROBE_PATIENCE: Duration = Duration::from_millis(1_600);
/// How long after a refusal a probe may still park the caller after all, because a slot became free meanwhile.
const AFTERMATH: Duration = Duration::from_secs(6);
/// How long a lamp may still light after the server's sign of failure.
const AFTER_SIGN: Duration = Duration::from_millis(300);
/// How long our lot may take to end our leg after it named the slot.
const BYE_PATIENCE: Duration = Duration::from_secs(2);
/// How long after our REFER a second lamp casts doubt on the first. A silent caller delays Asterisk by 500 ms.
const DOUBT_WITHIN: Duration = Duration::from_millis(700);
/// The longest wait of all: the transaction's own (Timer F is 32 s) and a little.
const HARD_DEADLINE: Duration = Duration::from_secs(34);

/// The most parks that are kept at once: one for each call, and those just proven.
const MAX_ATTEMPTS: usize = 2 * crate::desk::MAX_CALLS;

/// The most other slots that a park is kept in doubt about.
const MAX_IN_DOUBT: usize = 8;

/// How far a park has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Another park of ours is under way; two at once could not be told apart.
    Queued,
    /// The REFER is out.
    Asked,
    /// 202; the proof is missing.
    Accepted,
    /// A lamp has lit; the probe is out.
    Probed,
    /// Refused, but the probe may park it yet.
    Aftermath,
    /// Decided. Kept for a moment, because a second lamp would cast doubt.
    Proven,
}

/// One park under way.
pub(super) struct Attempt {
    pub call: CallId,
    refer: Option<ReferKey>,
    /// The same REFER once more, to find out whether the first one has worked.
    probe: Option<ReferKey>,
    /// The slot wished for.
    wish: Option<SlotId>,
    note: Text,
    stage: Stage,
    /// The slot in which the call is, as far as is known.
    slot: Option<SlotId>,
    /// Slots whose lamps lit as well before anything was proven: it may be any of them.
    or_in: Vec<SlotId>,
    /// When the REFER was sent.
    asked_at: Moment,
    /// When something has to be decided.
    decide_at: Moment,
    /// When the lamps are asked anew.
    ask_at: Option<Moment>,
    /// The server has said no, or nothing: from now on only a refused probe is proof, never that there was room.
    refused: bool,
}

impl Attempt {
    pub(super) fn next_wake(&self) -> Moment {
        self.ask_at.map_or(self.decide_at, |ask| ask.min(self.decide_at))
    }

    /// Another slot's lamp has lit as well.
    fn doubt(&mut self, slot: &SlotId) {
        if self.slot.as_ref() != Some(slot) && self.or_in.len() < MAX_IN_DOUBT {
            self.or_in.push(slot.clone());
        }
    }

    fn is_undecided(&self) -> bool {
        matches!(self.stage, Stage::Asked | Stage::Accepted | Stage::Probed)
    }
}

impl Phone {
    /// Begins a park, or queues it behind the one under way.
    pub(super) fn park(&mut self, now: Moment, call: CallId, slot: Option<SlotId>, note: &Text) {
        if self.attempts.iter().any(|a| a.call == call && (a.is_undecided() || a.stage == Stage::Queued)) {
            return;
        }
        // A new wish: what an earlier probe may still do is this attempt's matter now.
        self.attempts.retain(|a| a.call != call || a.stage == Stage::Proven);
        let busy = self.attempts.iter().any(Attempt::is_undecided);
        self.attempts.push(Attempt {
            call,
            refer: None,
            probe: None,
            wish: slot,
            note: note.clone(),
            stage: Stage::Queued,
            slot: None,
            or_in: Vec::new(),
            asked_at: now,
            decide_at: now + HARD_DEADLINE,
            ask_at: None,
            refused: false,
        });
        self.attempts.truncate(MAX_ATTEMPTS);
        if !busy {
            self.ask_next(now);
        }
    }

    /// Sends the REFER of the oldest queued park, unless one is under way.
    pub(super) fn ask_next(&mut self, now: Moment) {
        if self.attempts.iter().any(Attempt::is_undecided) {
            return;
        }
        let Some(i) = self.attempts.iter().position(|a| a.stage == Stage::Queued) else { return };
        let (call, wish, note) = {
            let attempt = &self.attempts[i];
            (attempt.call, attempt.wish.clone(), attempt.note.clone())
        };
        // It waited in the queue: the slot must still be free now.
        let taken = wish.as_ref().filter(|slot| self.lamp(slot) != Some(&Lamp::Free)).cloned();
        let target = self.park_target(wish.as_ref());
        let key = self.legs.get(&call).map(|l| l.key);
        let (Some(target), Some(key), None) = (target, key, taken) else {
            self.attempts.remove(i);
            let reason = Text::new("the slot was taken meanwhile; nothing was sent");
            self.say(Event::ParkRefused { call, reason });
            return self.ask_next(now);
        };
        let mut headers = vec![("Referred-By".to_owned(), self.ourselves().to_string())];
        if !note.is_empty() && self.config.dialect.proof == Proof::ServersWord {
            headers.push(("Parkdeck-Note".to_owned(), note.to_string()));
        }
        let refer = self.ua.refer(now, key, target, headers);
        if let Some(attempt) = self.attempts.get_mut(i) {
            attempt.refer = Some(refer);
            attempt.stage = Stage::Asked;
            attempt.asked_at = now;
            attempt.decide_at = now + HARD_DEADLINE;
        }
    }

    /// Where the REFER points. Never a slot itself, unless the dialect says that this is safe.
    fn park_target(&self, wish: Option<&SlotId>) -> Option<NameAddr> {
        let dialect = &self.config.dialect;
        let user = match wish {
            Some(slot) => format!("{}{slot}", dialect.directed_prefix.as_ref()?),
            None => dialect.park_extension.as_ref()?.to_string(),
        };
        Some(NameAddr::new(self.uri_of(&user)))
    }

    /// Whether a park or a transfer of this phone sent that REFER.
    pub(super) fn asked_by(&self, refer: ReferKey) -> bool {
        self.attempts.iter().any(|a| a.refer == Some(refer) || a.probe == Some(refer))
            || self.transferring(refer).is_some()
    }

    fn attempt_of(&mut self, refer: ReferKey) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|a| a.refer == Some(refer))
    }

    pub(super) fn refer_accepted(&mut self, now: Moment, refer: ReferKey, headers: &Headers) {
        let proof = self.config.dialect.proof;
        if let Some(call) = self.transferring(refer)
            && headers.get("Refer-Sub").is_some_and(|v| v.trim().eq_ignore_ascii_case("false"))
        {
            return self.transfer_failed(call, "the server won't tell how it ends");
        }
        let Some(attempt) = self.attempt_of(refer) else { return };
        if attempt.stage == Stage::Asked {
            attempt.stage = Stage::Accepted;
            attempt.decide_at = now + LAMP_PATIENCE;
            attempt.ask_at = Some(now + ASK_AGAIN_AFTER);
        }
        if proof == Proof::ServersWord {
            let told = headers.get("Parkdeck-Slot").and_then(|v| SlotId::new(v.split(';').next()?.trim()));
            if let Some(slot) = told {
                attempt.slot = Some(slot);
                attempt.decide_at = now + BYE_PATIENCE;
                attempt.ask_at = None;
            }
        }
        let call = attempt.call;
        self.judge(now, call);
    }

    pub(super) fn refer_refused(&mut self, now: Moment, refer: ReferKey, status: u16, reason: &str) {
        if self.probe_answered_with(now, refer, status) {
            return;
        }
        let text = words::of_status(status, reason);
        match self.attempt_of(refer).map(|a| a.call) {
            Some(call) => self.refuse(now, call, &text),
            None => {
                if let Some(call) = self.transferring(refer) {
                    self.transfer_failed(call, &text);
                }
            }
        }
    }

    pub(super) fn refer_progressed(
        &mut self,
        now: Moment,
        key: Option<CallKey>,
        refer: ReferKey,
        status: u16,
        ended: bool,
    ) {
        if let Some(call) = self.transferring(refer) {
            match status {
                200..=299 => self.transfer_done(now, call),
                300.. => self.transfer_failed(call, &words::of_status(status, "")),
                _ if ended => self.transfer_failed(call, "the server fell silent"),
                _ => {}
            }
            return;
        }
        let answers_probe = self.probe_answered_with(now, refer, status);
        // 2xx proves nothing; a failure is believed at once, unless a lamp has lit already (the caller who hangs up
        // just after he was parked makes it a 503).
        if !answers_probe
            && status >= 300
            && status != 408
            && let Some(call) =
                self.attempt_of(refer).filter(|a| a.is_undecided() && a.slot.is_none()).map(|a| a.call)
        {
            return self.refuse(now, call, &words::of_status(status, ""));
        }
        // A caller who hangs up just after a park that failed: Asterisk says this, and holds our leg for up to a minute
        // without a BYE. Ending it on such a hint could lose somebody, so the operator does.
        if status == 503 && ended && key.is_some_and(|key| self.by_key.contains_key(&key)) {
            let text = Text::new("the server says that this caller has gone: x ends the call");
            self.say(Event::Told(Notice { at: now, severity: Severity::Warning, text }));
        }
    }

    /// Takes the answer to a probe: refused means that nobody is left to transfer, so the caller is parked.
    /// False if `refer` is no probe.
    ///
    /// Asterisk's NOTIFYs name no REFER (RFC 3515 §2.4.6 wants an id for the second one): the probe's answer, which is
    /// the first to come, arrives as that of the REFER before it. A refusal while the probe is out is a refusal of the
    /// probe, for the park itself has lit a lamp.
    fn probe_answered_with(&mut self, now: Moment, refer: ReferKey, status: u16) -> bool {
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

    /// A lamp that was free has lit.
    pub(super) fn lamp_lit(&mut self, now: Moment, slot: &SlotId) {
        if self.config.dialect.proof == Proof::ServersWord {
            // Our lot has named the slot; the lamp of another one says nothing of ours.
            let named = self.attempts.iter().find(|a| a.slot.as_ref() == Some(slot)).map(|a| a.call);
            return named.into_iter().for_each(|call| self.judge(now, call));
        }
        // A park that waits for its lamp goes before one that was refused.
        let asked = |a: &Attempt| matches!(a.stage, Stage::Asked | Stage::Accepted);
        let waiting = self.attempts.iter().position(asked);
        let waiting = waiting.or_else(|| self.attempts.iter().position(|a| a.stage == Stage::Aftermath));
        if let Some(attempt) = waiting.and_then(|i| self.attempts.get_mut(i)) {
            // With a dialplan prefix it may be another slot than was wished for: the next free one, without a word.
            if attempt.slot.is_none() || attempt.stage == Stage::Aftermath {
                attempt.slot = Some(slot.clone());
            } else {
                attempt.doubt(slot);
            }
            let call = attempt.call;
            return self.judge(now, call);
        }
        let recent = self.attempts.iter_mut().find(|a| {
            matches!(a.stage, Stage::Proven | Stage::Probed)
                && now.saturating_sub(a.asked_at) <= DOUBT_WITHIN
                && a.slot.as_ref() != Some(slot)
        });
        let Some(attempt) = recent else { return };
        if attempt.stage == Stage::Probed {
            // Nobody is said to be anywhere yet: the doubt is told with the proof.
            return attempt.doubt(slot);
        }
        if let Some(first) = attempt.slot.clone() {
            self.say(Event::ParkDoubted { slots: vec![first, slot.clone()] });
        }
    }

    /// Decides whether what is known is enough.
    fn judge(&mut self, now: Moment, call: CallId) {
        let Some(attempt) = self.attempts.iter().find(|a| a.call == call) else { return };
        let (Stage::Accepted | Stage::Aftermath, Some(slot)) = (attempt.stage, attempt.slot.clone()) else {
            return;
        };
        match self.config.dialect.proof {
            // Our lot ends our leg itself; its lamp is as good.
            Proof::ServersWord => {
                if self.lamp(&slot).is_some_and(|l| *l == Lamp::Parked) {
                    self.prove(now, call);
                }
            }
            Proof::Lamp => self.send_probe(now, call),
        }
    }

    /// Sends the probe. It goes to the park extension, never to a slot: should the first REFER have failed, it parks.
    fn send_probe(&mut self, now: Moment, call: CallId) {
        let (Some(target), Some(key)) = (self.park_target(None), self.legs.get(&call).map(|l| l.key)) else {
            return;
        };
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

    /// A REFER of ours has gone out: from now on its answer is waited for.
    pub(super) fn refer_sent(&mut self, now: Moment, refer: ReferKey) {
        for attempt in &mut self.attempts {
            if attempt.probe == Some(refer) && attempt.stage == Stage::Probed {
                attempt.decide_at = now + PROBE_PATIENCE;
            } else if attempt.refer == Some(refer) && attempt.stage == Stage::Asked {
                attempt.asked_at = now;
                attempt.decide_at = now + HARD_DEADLINE;
            }
        }
    }

    /// The park is certain: the desk is told and our leg ends.
    fn prove(&mut self, now: Moment, call: CallId) {
        let Some(attempt) = self.attempts.iter_mut().find(|a| a.call == call) else { return };
        attempt.stage = Stage::Proven;
        attempt.decide_at = attempt.asked_at.max(now) + DOUBT_WITHIN;
        attempt.ask_at = None;
        let slot = attempt.slot.clone();
        let in_doubt: Vec<SlotId> = slot.iter().cloned().chain(std::mem::take(&mut attempt.or_in)).collect();
        self.say(Event::ParkProven { call, slot });
        if in_doubt.len() > 1 {
            self.say(Event::ParkDoubted { slots: in_doubt });
        }
        self.hang_up(now, call);
        self.ask_next(now);
    }

    /// The call is gone; a proven park of it is kept for the moment in which a second lamp casts doubt.
    pub(super) fn forget_attempts(&mut self, call: CallId) {
        self.attempts.retain(|a| a.call != call || a.stage == Stage::Proven);
    }

    fn refuse(&mut self, now: Moment, call: CallId, reason: &str) {
        let open = |a: &&mut Attempt| a.call == call && (a.is_undecided() || a.stage == Stage::Queued);
        if let Some(attempt) = self.attempts.iter_mut().find(open) {
            // What has not gone out must not park anybody after the operator was told that it failed.
            if let Some(refer) = attempt.refer {
                self.ua.withdraw_refer(refer);
            }
            attempt.probe = attempt.probe.filter(|probe| !self.ua.withdraw_refer(*probe));
            attempt.ask_at = None;
            attempt.refused = true;
            attempt.stage = Stage::Aftermath;
            attempt.decide_at = if attempt.probe.is_some() { now + AFTERMATH } else { now };
            self.say(Event::ParkRefused { call, reason: Text::new(reason) });
        }
        self.attempts.retain(|a| a.stage != Stage::Aftermath || a.decide_at > now);
        self.ask_next(now);
    }

    /// The far end speaks up on a leg whose park is undecided (re-INVITE, or UPDATE with an identity): on Asterisk the
    /// sign that it is connected again, so that the park has failed.
    pub(super) fn sign_of_failure(&mut self, now: Moment, call: CallId) {
        if self.config.dialect.proof != Proof::Lamp {
            return;
        }
        let Some(attempt) = self.attempts.iter_mut().find(|a| a.call == call && a.is_undecided()) else {
            return;
        };
        match attempt.stage {
            Stage::Probed => self.refuse(now, call, "the lot is full: somebody took the last slot first"),
            // The lamp may be a step behind.
            Stage::Accepted => attempt.decide_at = attempt.decide_at.min(now + AFTER_SIGN),
            _ => {}
        }
    }

    /// Our leg ended while a park was undecided. True if that settles it.
    pub(super) fn leg_ended_while_parking(&mut self, now: Moment, call: CallId) -> bool {
        let Some(attempt) = self.attempts.iter().find(|a| a.call == call && a.is_undecided()) else {
            return false;
        };
        // The server ended our leg and its lamp is lit, or it named the slot before: the caller is there.
        let settled = attempt.slot.clone().filter(|slot| {
            self.config.dialect.proof == Proof::ServersWord
                || self.lamp(slot).is_some_and(|l| *l == Lamp::Parked)
        });
        let Some(slot) = settled else { return false };
        self.attempts.retain(|a| a.call != call);
        self.say(Event::ParkProven { call, slot: Some(slot) });
        self.ask_next(now);
        true
    }

    /// What has run out of time.
    pub(super) fn decide_attempts(&mut self, now: Moment) {
        let asks: Vec<usize> = (0..self.attempts.len())
            .filter(|&i| self.attempts.get(i).and_then(|a| a.ask_at).is_some_and(|at| now >= at))
            .collect();
        for i in asks {
            if let Some(attempt) = self.attempts.get_mut(i) {
                attempt.ask_at = None;
            }
            self.ask_free_lamps(now);
        }
        let due: Vec<(CallId, Stage)> =
            self.attempts.iter().filter(|a| now >= a.decide_at).map(|a| (a.call, a.stage)).collect();
        for (call, stage) in due {
            // Deciding one may have set another going.
            let current = |a: &&Attempt| a.call == call && a.stage == stage && now >= a.decide_at;
            let Some(attempt) = self.attempts.iter().find(current) else { continue };
            // A slot that became free only since then says nothing: the lot may have been full when it was asked.
            let had_room = self.watched.values().any(|w| w.has_been_free_since(attempt.asked_at));
            let may_have_worked = had_room && !attempt.refused && attempt.slot.is_some();
            let unprobed = self.config.dialect.proof == Proof::Lamp && attempt.probe.is_none();
            match stage {
                Stage::Proven | Stage::Aftermath => {
                    self.attempts.retain(|a| a.call != call || a.stage != stage || now < a.decide_at);
                }
                Stage::Probed if may_have_worked => self.prove(now, call),
                Stage::Probed if attempt.slot.is_none() => {
                    self.refuse(now, call, "no lamp lit: the lot may be full")
                }
                Stage::Probed => self.refuse(now, call, "the lot is full"),
                Stage::Accepted if self.slot_named(call) => self.prove(now, call),
                // The slot may be one that isn't on the board: the probe tells.
                Stage::Accepted if unprobed => self.send_probe(now, call),
                Stage::Accepted => self.refuse(now, call, "no lamp lit: the lot may be full"),
                Stage::Queued | Stage::Asked => self.refuse(now, call, "no answer from the server"),
            }
        }
    }

    /// Whether our lot has named the slot of this call's park.
    fn slot_named(&self, call: CallId) -> bool {
        self.config.dialect.proof == Proof::ServersWord
            && self.attempts.iter().any(|a| a.call == call && a.slot.is_some())
    }

    /// Tells our lot the note of a parked call; other servers keep none.
    pub(super) fn tell_note(&mut self, now: Moment, slot: &SlotId, key: Option<&DialogKey>, note: &Text) {
        if self.config.dialect.proof != Proof::ServersWord {
            return;
        }
        let Some(key) = key else { return };
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
}
