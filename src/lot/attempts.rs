//! Ringing somebody, for whatever reason: one INVITE to every phone he has, the first 2xx wins, the others are
//! cancelled (RFC 3261 16.7 without the proxy). Whom, and who comes after him, is decided in `hunt`.

use super::Lot;
use super::hunt::{Callee, Step};
use super::legs::{Attempt, AttemptId, Leg, MAX_LEGS, Place, Purpose, better_refusal};
use super::prompts::Prompt;
use super::slots::Ticket;
use super::words::Refusal;
use crate::parking::{Identity, Moment};
use crate::sip::Peer;
use crate::sip::message::{NameAddr, Uri};
use crate::sip::sdp::Codec;
use crate::sip::{AccountKey, CallKey, Invite, Reason};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// How somebody is rung.
#[derive(Clone, Debug)]
pub(super) struct Bell {
    /// Who is shown as calling.
    pub from: NameAddr,
    /// The user of ours for whom it rings.
    pub caller: Option<String>,
    /// Further headers of the INVITE.
    pub headers: Vec<(String, String)>,
    /// What is offered, in order of preference.
    pub codecs: Vec<Codec>,
    /// For how long it rings, where the one who is rung has no time of his own.
    pub time: Duration,
}

/// One phone to ring.
pub(super) struct Target {
    pub user: Option<String>,
    pub trunk: Option<String>,
    pub identity: Identity,
    pub contact: Uri,
    pub source: Peer,
    /// What is said to this phone alone; `None`: as the bell says.
    pub from: Option<NameAddr>,
    pub headers: Vec<(String, String)>,
    pub account: Option<AccountKey>,
}

impl Lot {
    /// Rings all phones of a user.
    ///
    /// # Errors
    /// 480 when he has none, 486 when he has as many calls as he wants, 503 when there is no room; nothing has happened
    /// then.
    pub(super) fn ring_user(
        &mut self,
        now: Moment,
        purpose: Purpose,
        user: &str,
        bell: &Bell,
    ) -> Result<AttemptId, Refusal> {
        self.ring(now, purpose, [Step::of(Callee::User(user.to_owned()))].into(), bell)
    }

    /// Rings those of the first step that can be rung, and the others after them.
    ///
    /// # Errors
    /// What keeps the last of them from being rung; nothing has happened then.
    pub(super) fn ring(
        &mut self,
        now: Moment,
        purpose: Purpose,
        mut steps: VecDeque<Step>,
        bell: &Bell,
    ) -> Result<AttemptId, Refusal> {
        let id = AttemptId(self.next_attempt);
        let mut why = Refusal::new(480, "There is nobody to ring.");
        while let Some(step) = steps.pop_front() {
            match self.ring_step(now, id, &step, bell) {
                Ok(branches) => {
                    self.next_attempt += 1;
                    let ends_at = now + step.time.unwrap_or(bell.time);
                    self.touch_step(&step);
                    let (then, bell, sent_on_by) = (steps, bell.clone(), Vec::new());
                    let attempt =
                        Attempt { purpose, branches, ends_at, refusal: 0, step, then, bell, sent_on_by };
                    self.attempts.insert(id, attempt);
                    return Ok(id);
                }
                Err(refusal) => why = refusal,
            }
        }
        Err(why)
    }

    /// Sends an INVITE to every phone of one step.
    fn ring_step(
        &mut self,
        now: Moment,
        id: AttemptId,
        step: &Step,
        bell: &Bell,
    ) -> Result<BTreeSet<CallKey>, Refusal> {
        let targets = self.targets_of(step, bell.caller.as_deref())?;
        let mut branches = BTreeSet::new();
        for target in targets {
            if self.legs.len() >= MAX_LEGS {
                break;
            }
            let Some(mut sound) = self.sound.open(target.source) else { break };
            let sdp = self.sound.offer(&mut sound, bell.codecs.clone());
            let headers = if target.account.is_some() { Vec::new() } else { bell.headers.clone() };
            let invite = Invite {
                account: target.account,
                from: Some(target.from.unwrap_or_else(|| bell.from.clone())),
                target: target.contact,
                send_to: target.source,
                sdp,
                headers: headers.into_iter().chain(target.headers).collect(),
            };
            let call = self.agent.invite(now, invite);
            let mut leg = Leg::new(target.user, target.identity, target.source, Place::Dialled(id));
            leg.sound = Some(sound);
            leg.trunk = target.trunk;
            self.legs.insert(call, leg);
            self.move_to(call, Place::Dialled(id));
            branches.insert(call);
        }
        if branches.is_empty() {
            return Err(Refusal::new(503, "No media port is free."));
        }
        Ok(branches)
    }

    /// A phone rings, or plays something before it answers.
    pub(super) fn on_progress(&mut self, now: Moment, call: CallKey, status: u16, sdp: Option<&[u8]>) {
        let Some(Place::Dialled(id)) = self.legs.get(&call).map(|leg| leg.place.clone()) else { return };
        let Some(attempt) = self.attempts.get(&id) else { return };
        // What one member of a group plays is not what the caller has called for.
        let alone = attempt.branches.len() == 1 && !attempt.step.is_group();
        match attempt.purpose.clone() {
            Purpose::Call { caller } => {
                if let Some(sdp) = sdp.filter(|sdp| alone && !sdp.is_empty()) {
                    return self.early_media(now, caller, call, sdp);
                }
                let first =
                    self.legs.get_mut(&caller).is_some_and(|leg| !std::mem::replace(&mut leg.rang, true));
                if first {
                    self.agent.ring(now, caller, None);
                }
            }
            Purpose::Transfer { refer: Some(refer), .. } => self.agent.report_refer(now, refer, status),
            Purpose::Transfer { .. }
            | Purpose::Comeback { .. }
            | Purpose::Fallback { .. }
            | Purpose::Announce { .. }
            | Purpose::Page { .. } => {}
        }
    }

    /// 183 with sound from the only phone that rings: the caller hears it.
    fn early_media(&mut self, now: Moment, caller: CallKey, branch: CallKey, sdp: &[u8]) {
        let already = self.legs.get(&caller).is_some_and(|leg| leg.early.is_some());
        let asks_us =
            self.legs.get(&caller).is_none_or(|leg| leg.offer.as_deref().is_none_or(<[u8]>::is_empty));
        if already || asks_us {
            return;
        }
        let Some(sound) = self.legs.get_mut(&branch).and_then(|leg| leg.sound.as_mut()) else { return };
        if self.sound.accept(sound, sdp).is_err() {
            return;
        }
        let codec = self.codec_of(branch);
        let Ok(answer) = self.answer_offer_of(caller, codec) else { return };
        if let Some(leg) = self.legs.get_mut(&caller) {
            leg.early = Some((answer.clone(), branch));
            leg.rang = true;
        }
        if let Some(leg) = self.legs.get_mut(&branch) {
            leg.early = Some((Vec::new(), caller));
        }
        self.resound(caller);
        self.agent.ring(now, caller, Some(answer));
    }

    /// A phone answered. The first wins; one that answers when nobody rings it any more is hung up.
    pub(super) fn on_answered(&mut self, now: Moment, call: CallKey, sdp: Option<&[u8]>) {
        let Some(leg) = self.legs.get_mut(&call) else { return self.agent.hang_up(now, call) };
        leg.confirmed = true;
        leg.confirmed_at = now;
        leg.early = None;
        let Place::Dialled(id) = leg.place else { return self.hang_up(now, call) };
        let agreed = match (&mut leg.sound, sdp) {
            (Some(sound), Some(sdp)) => self.sound.accept(sound, sdp).is_ok(),
            _ => false,
        };
        if !agreed {
            self.branch_failed(now, id, call, 488);
            return self.hang_up_because(now, call, Some(Reason::of_status(488)));
        }
        if let Some(Purpose::Page { pager }) = self.attempts.get(&id).map(|attempt| attempt.purpose.clone()) {
            return self.page_answered(now, id, pager, call);
        }
        let Some(attempt) = self.attempts.remove(&id) else { return self.hang_up(now, call) };
        self.touch_step(&attempt.step);
        for other in attempt.branches.iter().filter(|branch| **branch != call) {
            self.hang_up_because(now, *other, Some(Reason::answered_elsewhere()));
        }
        match attempt.purpose {
            Purpose::Call { caller } => self.connect_call(now, caller, call),
            // Seen to above: everybody who answers hears it.
            Purpose::Page { .. } => self.hang_up(now, call),
            Purpose::Comeback { ticket } => self.comeback_answered(now, &ticket, call, false),
            Purpose::Fallback { ticket } => self.comeback_answered(now, &ticket, call, true),
            Purpose::Announce { slot, .. } => self.listen(now, call, Prompt::Page(slot)),
            Purpose::Transfer { transferee, transferor, refer, .. } => {
                self.transfer_answered(now, transferee, transferor, refer, call);
            }
        }
    }

    /// A phone refused, or can't be reached. When it was the last one, the attempt has failed.
    pub(super) fn branch_failed(&mut self, now: Moment, id: AttemptId, call: CallKey, status: u16) {
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        attempt.branches.remove(&call);
        let said = if status >= 600 && attempt.step.is_group() { 480 } else { status };
        attempt.refusal = if attempt.refusal == 0 { said } else { better_refusal(attempt.refusal, said) };
        if status < 600 {
            if attempt.branches.is_empty() {
                self.fail_attempt(now, id);
            }
            return;
        }
        // Who says no for everybody (RFC 3261 16.7) says it for all his phones; in a group for nobody else.
        if !attempt.step.is_group() {
            return self.fail_attempt(now, id);
        }
        let user = self.legs.get(&call).and_then(|leg| leg.user.clone());
        self.stop_ringing(now, id, user.as_deref(), status);
    }

    /// Stops ringing one member of a group who has said no.
    fn stop_ringing(&mut self, now: Moment, id: AttemptId, user: Option<&str>, status: u16) {
        let Some(attempt) = self.attempts.get_mut(&id) else { return };
        let legs = &self.legs;
        let his = |call: &CallKey| legs.get(call).is_some_and(|leg| leg.user.as_deref() == user);
        let (his, others) = attempt.branches.iter().partition::<BTreeSet<CallKey>, _>(|call| his(call));
        attempt.branches = others;
        let nobody = attempt.branches.is_empty();
        for branch in his {
            self.hang_up_because(now, branch, Some(Reason::of_status(status)));
        }
        if nobody {
            self.fail_attempt(now, id);
        }
    }

    /// Stops ringing because nobody wants it any more.
    pub(super) fn cancel_attempt(&mut self, now: Moment, id: AttemptId, why: Option<Reason>) {
        let Some(attempt) = self.attempts.remove(&id) else { return };
        self.touch_step(&attempt.step);
        for branch in attempt.branches {
            self.hang_up_because(now, branch, why.clone());
        }
    }

    /// Stops ringing for a parked call.
    pub(super) fn cancel_ringing_for(&mut self, now: Moment, ticket: &Ticket, why: Option<Reason>) {
        let rings_for = |attempt: &Attempt| match &attempt.purpose {
            Purpose::Comeback { ticket: t }
            | Purpose::Fallback { ticket: t }
            | Purpose::Announce { ticket: t, .. } => t == ticket,
            _ => false,
        };
        let ringing: Vec<AttemptId> =
            self.attempts.iter().filter(|(_, attempt)| rings_for(attempt)).map(|(id, _)| *id).collect();
        for id in ringing {
            self.cancel_attempt(now, id, why.clone());
        }
    }

    /// Gives up on whoever has rung for long enough.
    pub(super) fn end_overdue_attempts(&mut self, now: Moment) {
        let overdue: Vec<AttemptId> =
            self.attempts.iter().filter(|(_, attempt)| attempt.ends_at <= now).map(|(id, _)| *id).collect();
        for id in overdue {
            self.fail_attempt(now, id);
        }
    }

    /// Rings those who come next. Gives the attempt back when there is nobody left.
    pub(super) fn ring_next(
        &mut self,
        now: Moment,
        id: AttemptId,
        mut attempt: Attempt,
    ) -> Result<(), Box<Attempt>> {
        while let Some(step) = attempt.then.pop_front() {
            if let Ok(branches) = self.ring_step(now, id, &step, &attempt.bell) {
                attempt.ends_at = now + step.time.unwrap_or(attempt.bell.time);
                self.touch_step(&step);
                (attempt.branches, attempt.step) = (branches, step);
                self.attempts.insert(id, attempt);
                return Ok(());
            }
        }
        Err(Box::new(attempt))
    }

    /// Nobody answered: the next ones are rung, and with none the attempt has failed.
    fn fail_attempt(&mut self, now: Moment, id: AttemptId) {
        let Some(mut attempt) = self.attempts.remove(&id) else { return };
        self.touch_step(&attempt.step);
        // One who says no for everybody (RFC 3261 16.7).
        let why = (attempt.refusal >= 600).then(|| Reason::of_status(attempt.refusal));
        for branch in std::mem::take(&mut attempt.branches) {
            self.hang_up_because(now, branch, why.clone());
        }
        let Err(attempt) = self.ring_next(now, id, attempt) else { return };
        self.give_up(now, *attempt);
    }

    /// Whoever wanted somebody to be rung learns that it was in vain.
    pub(super) fn give_up(&mut self, now: Moment, attempt: Attempt) {
        // What a phone says to the lot is not always what the lot says to the caller: a challenge, for one.
        let status = match attempt.refusal {
            0 | 300..=399 | 408 | 487 => 480,
            401 | 407 => 403,
            status => status,
        };
        match attempt.purpose {
            Purpose::Call { caller } => {
                self.move_to(caller, Place::Leaving);
                self.agent.reject(now, caller, status, Vec::new());
            }
            Purpose::Page { pager } => self.review_page(now, pager),
            Purpose::Comeback { ticket } => self.ring_fallback(now, &ticket),
            Purpose::Fallback { ticket } => self.wait_again(now, &ticket),
            Purpose::Announce { .. } => {}
            Purpose::Transfer { transferee, transferor, refer, sent_by } => {
                self.transfer_failed(now, transferee, transferor, refer, &sent_by, status);
            }
        }
    }
}
