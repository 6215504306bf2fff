//! Asking the server to park: by REFER, by keys, or by a call to a feature code; and what it says to that.

use super::{ASK_AGAIN_AFTER, Attempt, HARD_DEADLINE, Phone, Stage};
use crate::desk::{CallId, Event, Notice, Severity};
use crate::dialect::calls::LegState;
use crate::dialect::preset::{By, Sign};
use crate::dialect::words;
use crate::parking::{Lamp, Moment, SlotId, Text};
use crate::sip::message::{Headers, NameAddr};
use crate::sip::sdp::Direction;
use crate::sip::{CallKey, ReferKey};
use std::time::Duration;

/// How long our lot may take to end our leg after it named the slot.
const BYE_PATIENCE: Duration = Duration::from_secs(2);
/// How long one key of a feature code takes, with the pause behind it.
const KEY_TIME: Duration = Duration::from_millis(200);

impl Phone {
    /// Begins the oldest queued park, unless one is under way.
    pub(in crate::dialect) fn ask_next(&mut self, now: Moment) {
        if self.attempts.iter().any(Attempt::is_undecided) {
            return;
        }
        let Some(attempt) = self.attempts.iter().find(|a| a.stage == Stage::Queued) else { return };
        let (call, wish) = (attempt.call, attempt.wish.clone());
        // It waited in the queue: the slot must still be free now.
        let taken = wish.slot.as_ref().is_some_and(|slot| self.lamp(slot) != Some(&Lamp::Free));
        let way = self.config.dialect.way(wish.lot, wish.slot.as_ref());
        let up = self.legs.get(&call).is_some_and(|leg| leg.state == LegState::Up);
        let reason = match way {
            _ if taken => "the slot was taken meanwhile; nothing was sent",
            Some(_) if !up => "the call isn't up; nothing was sent",
            Some((by, number)) => return self.ask_by(now, call, by, &number),
            None => "this server has no way to park there; nothing was sent",
        };
        self.drop_queued(now, call, reason);
    }

    /// What was queued can't be asked for.
    fn drop_queued(&mut self, now: Moment, call: CallId, reason: &str) {
        self.attempts.retain(|a| a.call != call || a.stage == Stage::Proven);
        self.say_refused(call, reason);
        self.ask_next(now);
    }

    fn ask_by(&mut self, now: Moment, call: CallId, by: By, number: &str) {
        match by {
            By::Refer => self.ask_by_refer(now, call, number),
            // A server listens for keys in a conversation only; a code is called beside a call on hold.
            By::Digits => self.prepare(now, call, false),
            By::Call => self.prepare(now, call, true),
        }
    }

    fn ask_by_refer(&mut self, now: Moment, call: CallId, number: &str) {
        let target = NameAddr::new(self.uri_of(number));
        let mut headers = vec![("Referred-By".to_owned(), self.ourselves().to_string())];
        let kept = self.config.dialect.preset.notes.kept;
        let note = self.attempts.iter().find(|a| a.call == call && a.stage == Stage::Queued).map(|a| &a.note);
        if let Some(note) = note.filter(|note| kept && !note.is_empty()) {
            headers.push(("Parkdeck-Note".to_owned(), note.to_string()));
        }
        let Some(key) = self.legs.get(&call).map(|leg| leg.key) else { return };
        let refer = self.ua.refer(now, key, target, headers);
        if let Some(attempt) = self.queued(call) {
            attempt.refer = Some(refer);
            attempt.stage = Stage::Asked;
            attempt.asked_at = now;
            attempt.decide_at = now + HARD_DEADLINE;
        }
    }

    fn queued(&mut self, call: CallId) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|a| a.call == call && a.stage == Stage::Queued)
    }

    /// Brings the call on hold, or off it, before the server is asked.
    fn prepare(&mut self, now: Moment, call: CallId, hold: bool) {
        let Some(leg) = self.legs.get(&call) else { return };
        // As it is, or will be once what is under way has been answered.
        let is_held = leg.next_hold.unwrap_or(leg.local.direction == Direction::SendOnly);
        let under_way = leg.asked_hold.is_some();
        let Some(attempt) = self.queued(call) else { return };
        attempt.stage = Stage::Preparing;
        attempt.asked_at = now;
        attempt.decide_at = now + HARD_DEADLINE;
        match (is_held == hold, under_way) {
            (true, true) => {}
            (true, false) => drop(self.prepared(now, call, None)),
            (false, _) => {
                attempt.was_held = Some(is_held);
                self.set_hold(now, call, hold);
            }
        }
    }

    /// Hold or resume has been answered. True if it was a park that wanted it: then nobody else need hear of it.
    pub(in crate::dialect) fn prepared(&mut self, now: Moment, call: CallId, refused: Option<&str>) -> bool {
        let Some(attempt) = self.attempts.iter_mut().find(|a| a.call == call && a.stage == Stage::Preparing)
        else {
            return false;
        };
        let wish = attempt.wish.clone();
        if let Some(reason) = refused {
            // As it was, so it stayed.
            attempt.was_held = None;
            self.refuse(now, call, &format!("the server refused to hold or resume the call ({reason})"));
            return true;
        }
        match self.config.dialect.way(wish.lot, wish.slot.as_ref()) {
            Some((By::Digits, keys)) => self.press(now, call, &keys),
            Some((By::Call, code)) => self.call_code(now, call, &code),
            _ => self.refuse(now, call, "this server has no way to park there"),
        }
        true
    }

    /// Types a feature code into the call. Nothing answers it: from now on the sign is waited for.
    fn press(&mut self, now: Moment, call: CallId, keys: &str) {
        for key in keys.chars() {
            self.send_digit(now, call, key);
        }
        let typing = KEY_TIME * u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let patience = self.patience();
        if let Some(attempt) = self.attempt_for(call) {
            attempt.stage = Stage::Accepted;
            attempt.asked_at = now + typing;
            attempt.decide_at = now + typing + patience;
            attempt.ask_at = Some(now + typing + ASK_AGAIN_AFTER);
        }
    }

    pub(in crate::dialect) fn refer_accepted(&mut self, now: Moment, refer: ReferKey, headers: &Headers) {
        let (sign, patience) = (self.sign(), self.patience());
        if let Some(call) = self.transferring(refer)
            && headers.get("Refer-Sub").is_some_and(|v| v.trim().eq_ignore_ascii_case("false"))
        {
            return self.transfer_failed(call, "the server won't tell how it ends");
        }
        let Some(attempt) = self.attempt_of(refer) else { return };
        if attempt.stage == Stage::Asked {
            attempt.stage = Stage::Accepted;
            attempt.decide_at = now + patience;
            attempt.ask_at = Some(now + ASK_AGAIN_AFTER);
        }
        if sign == Sign::Answer {
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

    pub(in crate::dialect) fn refer_refused(
        &mut self,
        now: Moment,
        refer: ReferKey,
        status: u16,
        reason: &str,
    ) {
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

    pub(in crate::dialect) fn refer_progressed(
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
        let asked_twice = self.config.dialect.preset.proof.ask_twice;
        if let (200..=299, false, Some(attempt)) = (status, asked_twice, self.attempt_of(refer)) {
            attempt.done = true;
            let call = attempt.call;
            return self.judge(now, call);
        }
        // 2xx proves nothing by itself; a failure is believed at once, unless the server is one that is asked twice and
        // a lamp has lit already (the caller who hangs up just after he was parked makes it a 503).
        if !answers_probe
            && status >= 300
            && status != 408
            && let Some(call) = self
                .attempt_of(refer)
                .filter(|a| a.is_undecided() && (a.slot.is_none() || !asked_twice))
                .map(|a| a.call)
        {
            let text = match status {
                // Nobody is at the other end but the server itself: an echo, a mailbox, its music.
                400 => "the server has nobody on this call to park".to_owned(),
                status => words::of_status(status, ""),
            };
            return self.refuse(now, call, &text);
        }
        // A caller who hangs up just after a park that failed: Asterisk says this, and holds our leg for up to a minute
        // without a BYE. Ending it on such a hint could lose somebody, so the operator does.
        if status == 503 && ended && key.is_some_and(|key| self.by_key.contains_key(&key)) {
            let text = Text::new("the server says that this caller has gone: x ends the call");
            self.say(Event::Told(Notice { at: now, severity: Severity::Warning, text }));
        }
    }

    /// A REFER of ours has gone out: from now on its answer is waited for.
    pub(in crate::dialect) fn refer_sent(&mut self, now: Moment, refer: ReferKey) {
        for attempt in &mut self.attempts {
            if attempt.probe == Some(refer) && attempt.stage == Stage::Probed {
                attempt.decide_at = now + super::proof::PROBE_PATIENCE;
            } else if attempt.refer == Some(refer) && attempt.stage == Stage::Asked {
                attempt.asked_at = now;
                attempt.decide_at = now + HARD_DEADLINE;
            }
        }
    }
}
