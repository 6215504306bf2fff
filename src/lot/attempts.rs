//! Ringing somebody, for whatever reason: one INVITE to every phone he has, the first 2xx wins, the others are
//! cancelled (RFC 3261 16.7 without the proxy).

use super::Lot;
use super::legs::{Attempt, AttemptId, Leg, MAX_LEGS, Place, Purpose, better_refusal};
use super::prompts::Prompt;
use super::slots::Ticket;
use super::words::{Refusal, identity_of};
use crate::parking::{Identity, Moment};
use crate::sip::Peer;
use crate::sip::message::{NameAddr, Uri};
use crate::sip::sdp::Codec;
use crate::sip::{CallKey, Invite, Reason};
use std::collections::BTreeSet;
use std::time::Duration;

/// How somebody is rung.
pub(super) struct Bell {
    /// Who is shown as calling.
    pub from: NameAddr,
    /// Further headers of the INVITE.
    pub headers: Vec<(String, String)>,
    /// What is offered, in order of preference.
    pub codecs: Vec<Codec>,
    /// For how long it rings.
    pub time: Duration,
}

/// One phone to ring.
struct Target {
    user: Option<String>,
    identity: Identity,
    contact: Uri,
    source: Peer,
}

impl Lot {
    /// Rings all phones of a user.
    ///
    /// # Errors
    /// 480 when he has none, 503 when there is no room; nothing has happened then.
    pub(super) fn ring_user(
        &mut self,
        now: Moment,
        purpose: Purpose,
        user: &str,
        bell: &Bell,
    ) -> Result<AttemptId, Refusal> {
        let identity = self.plan.user(user).map(identity_of).unwrap_or_default();
        let phone = |b: &super::registrar::Binding| Target {
            user: Some(user.to_owned()),
            identity: identity.clone(),
            contact: b.contact.clone(),
            source: b.source,
        };
        let targets: Vec<Target> = self.registrar.phones(user).iter().map(phone).collect();
        if targets.is_empty() {
            return Err(Refusal::new(480, format!("{} has no phone registered.", identity.label())));
        }
        self.ring(now, purpose, targets, bell)
    }

    /// Rings a URI that the administrator wrote down; its host is a literal address.
    ///
    /// # Errors
    /// 404 when it can't be reached by this lot, 503 when there is no room.
    pub(super) fn ring_uri(
        &mut self,
        now: Moment,
        purpose: Purpose,
        uri: &Uri,
        bell: &Bell,
    ) -> Result<AttemptId, Refusal> {
        let Some(source) = uri.host_port_addr() else {
            return Err(Refusal::new(404, format!("{uri} has no literal address.")));
        };
        let identity = Identity::new("", uri.user.as_deref().unwrap_or_default());
        let target = Target { user: None, identity, contact: uri.clone(), source: source.into() };
        self.ring(now, purpose, vec![target], bell)
    }

    fn ring(
        &mut self,
        now: Moment,
        purpose: Purpose,
        targets: Vec<Target>,
        bell: &Bell,
    ) -> Result<AttemptId, Refusal> {
        let id = AttemptId(self.next_attempt);
        let mut branches = BTreeSet::new();
        for target in targets {
            if self.legs.len() >= MAX_LEGS {
                break;
            }
            let Some(mut sound) = self.sound.open(target.source) else { break };
            let sdp = self.sound.offer(&mut sound, bell.codecs.clone());
            let invite = Invite {
                account: None,
                from: Some(bell.from.clone()),
                target: target.contact,
                send_to: target.source,
                sdp,
                headers: bell.headers.clone(),
            };
            let call = self.agent.invite(now, invite);
            let mut leg = Leg::new(target.user, target.identity, target.source, Place::Dialled(id));
            leg.sound = Some(sound);
            self.legs.insert(call, leg);
            self.move_to(call, Place::Dialled(id));
            branches.insert(call);
        }
        if branches.is_empty() {
            return Err(Refusal::new(503, "No media port is free."));
        }
        self.next_attempt += 1;
        self.attempts.insert(id, Attempt { purpose, branches, ends_at: now + bell.time, refusal: 0 });
        Ok(id)
    }

    /// A phone rings, or plays something before it answers.
    pub(super) fn on_progress(&mut self, now: Moment, call: CallKey, status: u16, sdp: Option<&[u8]>) {
        let Some(Place::Dialled(id)) = self.legs.get(&call).map(|leg| leg.place.clone()) else { return };
        let Some(attempt) = self.attempts.get(&id) else { return };
        let alone = attempt.branches.len() == 1;
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
            | Purpose::Announce { .. } => {}
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
        let Some(attempt) = self.attempts.remove(&id) else { return self.hang_up(now, call) };
        for other in attempt.branches.iter().filter(|branch| **branch != call) {
            self.hang_up_because(now, *other, Some(Reason::answered_elsewhere()));
        }
        match attempt.purpose {
            Purpose::Call { caller } => self.connect_call(now, caller, call),
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
        attempt.refusal = if attempt.refusal == 0 { status } else { better_refusal(attempt.refusal, status) };
        if attempt.branches.is_empty() || status >= 600 {
            self.fail_attempt(now, id);
        }
    }

    /// Stops ringing because nobody wants it any more.
    pub(super) fn cancel_attempt(&mut self, now: Moment, id: AttemptId, why: Option<Reason>) {
        let Some(attempt) = self.attempts.remove(&id) else { return };
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

    /// Nobody answered.
    fn fail_attempt(&mut self, now: Moment, id: AttemptId) {
        let Some(attempt) = self.attempts.remove(&id) else { return };
        // One who says no for everybody (RFC 3261 16.7).
        let why = (attempt.refusal >= 600).then(|| Reason::of_status(attempt.refusal));
        for branch in attempt.branches {
            self.hang_up_because(now, branch, why.clone());
        }
        // What a phone says to the lot is not always what the lot says to the caller: a challenge, for one.
        let status = match attempt.refusal {
            0 | 408 | 487 => 480,
            401 | 407 => 403,
            status => status,
        };
        match attempt.purpose {
            Purpose::Call { caller } => {
                self.move_to(caller, Place::Leaving);
                self.agent.reject(now, caller, status, Vec::new());
            }
            Purpose::Comeback { ticket } => self.ring_fallback(now, &ticket),
            Purpose::Fallback { ticket } => self.wait_again(now, &ticket),
            Purpose::Announce { .. } => {}
            Purpose::Transfer { transferee, transferor, refer, sent_by } => {
                self.transfer_failed(now, transferee, transferor, refer, &sent_by, status);
            }
        }
    }
}
