//! Reliable provisional responses (RFC 3262): PRACK from the caller's side, repetition and order on the callee's; and
//! the offers that may come in PRACK or UPDATE before the call is answered (RFC 3311 5, RFC 6337 2.2).

use super::super::errand::Purpose;
use super::super::inbound::user_of;
use super::super::{CallKey, EndedBy, Event, OWNER_PATIENCE, UserAgent, Why};
use super::caller::sdp_of;
use super::{Call, Phase};
use crate::sip::alarms::Alarm;
use crate::sip::message::{Headers, Method, Request};
use crate::sip::transaction::{ServerId, timers};
use crate::sip::{Moment, Peer};
use std::time::Duration;

/// The greatest RSeq (RFC 3262 3 begins anywhere below 2³¹).
const RSEQ_MAX: u32 = (1 << 31) - 1;

/// Our provisional responses to a caller who requires that they arrive.
#[derive(Debug)]
pub(in super::super) struct Reliable {
    /// Of the last one sent.
    rseq: u32,
    /// Whether its PRACK is awaited.
    awaits: bool,
    /// Whether it carries our description.
    describes: bool,
    /// Whether a description of ours has gone out: it is not said again in the 2xx.
    pub(super) described: bool,
    /// Whether offer and answer are complete.
    pub(super) agreed: bool,
    interval: Duration,
    repeat: Option<Alarm>,
    lapse: Option<Alarm>,
    /// What is to be said next; the newest counts.
    next: Option<(u16, Option<Vec<u8>>)>,
}

/// An offer in an early dialog that the owner has to answer, beside the INVITE.
#[derive(Debug)]
pub(in super::super) struct EarlyOffer {
    server: ServerId,
    request: Request,
    lapse: Option<Alarm>,
}

/// Whether a message requires that option.
pub(super) fn requires(headers: &Headers, option: &str) -> bool {
    headers.list("Require").iter().any(|tag| tag.eq_ignore_ascii_case(option))
}

impl Reliable {
    pub(super) fn new(random: u32) -> Self {
        Self {
            rseq: random % (RSEQ_MAX / 2),
            awaits: false,
            describes: false,
            described: false,
            agreed: false,
            interval: timers::T1,
            repeat: None,
            lapse: None,
            next: None,
        }
    }
}

impl UserAgent {
    // ---- the caller's side

    /// Takes the next reliable response of a branch and acknowledges it. False if it is a repetition, or comes before
    /// its turn: the callee repeats it.
    pub(super) fn acknowledge(&mut self, now: Moment, key: CallKey, number: u32, headers: &Headers) -> bool {
        let rseq = headers.get("RSeq").and_then(|value| value.trim().parse::<u32>().ok());
        let (Some(rseq), Some((cseq, _))) = (rseq, headers.cseq()) else { return true };
        let Some(call) = self.calls.get_mut(&key) else { return false };
        let account = call.account;
        let Some(fork) = call.forks.iter_mut().find(|fork| fork.number == number) else { return false };
        if fork.rseq.is_some_and(|last| last.checked_add(1) != Some(rseq)) {
            return false;
        }
        fork.rseq = Some(rseq);
        let (mut prack, to) = fork.dialog.request(Method::Prack);
        prack.headers.push("RAck", format!("{rseq} {cseq} INVITE"));
        self.send_errand(now, Purpose::Prack(key, number), account, to, prack);
        true
    }

    // ---- the callee's side

    /// Whether ringing is to be told reliably.
    pub(super) fn rings_reliably(&self, key: CallKey) -> bool {
        self.reliable(key).is_some()
    }

    fn reliable(&self, key: CallKey) -> Option<&Reliable> {
        self.calls.get(&key)?.inbound.as_ref()?.reliable.as_deref()
    }

    fn reliable_mut(&mut self, key: CallKey) -> Option<&mut Reliable> {
        self.calls.get_mut(&key)?.inbound.as_mut()?.reliable.as_deref_mut()
    }

    /// A provisional response that must arrive; one at a time (RFC 3262 3).
    pub(super) fn ring_reliably(&mut self, now: Moment, key: CallKey, status: u16, sdp: Option<Vec<u8>>) {
        let Some(reliable) = self.reliable_mut(key) else { return };
        if reliable.awaits {
            reliable.next = Some((status, sdp));
            return;
        }
        let sdp = sdp.filter(|_| !reliable.described);
        reliable.rseq += 1;
        reliable.awaits = true;
        reliable.describes = sdp.is_some();
        reliable.described |= sdp.is_some();
        reliable.interval = timers::T1;
        let headers =
            [("Require".to_owned(), "100rel".to_owned()), ("RSeq".to_owned(), reliable.rseq.to_string())];
        self.respond_to_invite(now, key, status, &headers, sdp);
        self.schedule_reliable(now, key, true);
    }

    fn schedule_reliable(&mut self, now: Moment, key: CallKey, first: bool) {
        let inbound = self.calls.get_mut(&key).and_then(|call| call.inbound.as_mut());
        let Some(reliable) = inbound.and_then(|inbound| inbound.reliable.as_deref_mut()) else { return };
        self.alarms.reset(&mut reliable.repeat, now + reliable.interval, Why::ReliableRepeats(key));
        if first {
            self.alarms.reset(&mut reliable.lapse, now + timers::LIMIT, Why::ReliableLapses(key));
        }
    }

    pub(in super::super) fn repeat_reliable(&mut self, now: Moment, key: CallKey) {
        let Some(reliable) = self.reliable_mut(key) else { return };
        reliable.interval *= 2;
        if let Some(server) = self.calls.get(&key).and_then(|c| c.inbound.as_ref()).map(|i| i.server) {
            self.transactions.repeat_last(server);
        }
        self.schedule_reliable(now, key, false);
    }

    /// Nobody acknowledged: whoever called doesn't hear us (RFC 3262 3 wants a 5xx).
    pub(in super::super) fn lapse_reliable(&mut self, now: Moment, key: CallKey) {
        if !self.ringing.remove(&key) {
            return;
        }
        self.respond_to_invite(now, key, 504, &[], None);
        self.take_inbound(key);
        self.finish_unmade(key, EndedBy::Timeout, None, "our ringing was never acknowledged".to_owned());
    }

    /// Whether a 2xx has to wait: our description has not arrived, or an offer of theirs has no answer.
    pub(super) fn must_wait_for_prack(&self, key: CallKey) -> bool {
        let undelivered = self.reliable(key).is_some_and(|reliable| reliable.awaits && reliable.describes);
        undelivered || self.calls.get(&key).is_some_and(|call| call.early_offer.is_some())
    }

    /// Keeps the answer until it may go.
    pub(super) fn keep_answer(&mut self, key: CallKey, sdp: Vec<u8>, headers: Vec<(String, String)>) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.answer_due = Some((sdp, headers));
        }
    }

    pub(super) fn receive_prack(&mut self, now: Moment, from: Peer, key: CallKey, request: Request) {
        let rack = request.headers.get("RAck").and_then(read_rack);
        let Some(call) = self.calls.get_mut(&key) else { return };
        let inbound = call.inbound.as_mut();
        let invite = inbound.as_ref().and_then(|inbound| inbound.request.headers.cseq()).map(|(n, _)| n);
        let reliable = inbound.and_then(|inbound| inbound.reliable.as_deref_mut());
        let meant = reliable.filter(|r| r.awaits && rack == invite.map(|cseq| (r.rseq, cseq)));
        let Some(reliable) = meant else { return self.answer_within(now, from, &request, 481) };
        reliable.awaits = false;
        let described = reliable.describes;
        self.alarms.cancel(&mut reliable.repeat);
        self.alarms.cancel(&mut reliable.lapse);
        let offerless = call.inbound.as_ref().is_some_and(|inbound| inbound.request.body.is_empty());
        let sdp = sdp_of(&request.headers, request.body.clone());
        self.set_agreed(key, described && (!offerless || sdp.is_some()));
        match sdp {
            // Our description was the offer: this is its answer (RFC 3262 5).
            Some(sdp) if offerless && described => {
                self.answer_within(now, from, &request, 200);
                self.tell(Event::OfferAnswered { call: key, sdp });
            }
            Some(sdp) => return self.hold_early_offer(now, from, key, request, sdp),
            None => self.answer_within(now, from, &request, 200),
        }
        self.go_on_ringing(now, key);
        self.pump(now, key);
    }

    fn set_agreed(&mut self, key: CallKey, agreed: bool) {
        if let Some(reliable) = self.reliable_mut(key) {
            reliable.agreed |= agreed;
        }
    }

    /// The PRACK has come, or the early offer is answered: says what waited for that.
    pub(super) fn go_on_ringing(&mut self, now: Moment, key: CallKey) {
        if self.must_wait_for_prack(key) || !self.ringing.contains(&key) {
            return;
        }
        let answer = self.calls.get_mut(&key).and_then(|call| call.answer_due.take());
        if let Some((sdp, headers)) = answer {
            return self.accept_with(now, key, sdp, headers);
        }
        let next = self.reliable_mut(key).and_then(|reliable| reliable.next.take());
        if let Some((status, sdp)) = next {
            self.ring_reliably(now, key, status, sdp);
        }
    }

    // ---- offers before the answer, both sides

    /// An UPDATE with an offer before the call is answered (RFC 3311 5.2).
    pub(super) fn receive_early_update(
        &mut self,
        now: Moment,
        from: Peer,
        key: CallKey,
        request: Request,
        sdp: Vec<u8>,
    ) {
        let tag = request.headers.from().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        let Some(call) = self.calls.get_mut(&key) else { return };
        let waits = call.early_offer.is_some();
        if call.offers_early() {
            return self.answer_within(now, from, &request, 491);
        }
        let (agreed, ours_is_out) = match call.phase {
            Phase::Calling { .. } => (call.fork_mut(&tag).is_some_and(|fork| fork.agreed), true),
            _ => self.reliable(key).map_or((false, false), |r| (r.agreed, r.described)),
        };
        match (agreed, ours_is_out) {
            (true, _) if !waits => self.hold_early_offer(now, from, key, request, sdp),
            (false, true) => self.answer_within(now, from, &request, 491),
            _ => self.answer_later(now, from, &request),
        }
    }

    fn hold_early_offer(&mut self, now: Moment, from: Peer, key: CallKey, request: Request, sdp: Vec<u8>) {
        if self.calls.get(&key).is_some_and(|call| call.early_offer.is_some()) {
            return self.answer_later(now, from, &request);
        }
        let Some(server) = self.open(from, &request) else { return };
        let headers = Box::new(request.headers.clone());
        let lapse = Some(self.alarms.set(now + OWNER_PATIENCE, Why::OfferLapses(key)));
        if let Some(call) = self.calls.get_mut(&key) {
            call.early_offer = Some(Box::new(EarlyOffer { server, request, lapse }));
            self.tell(Event::OfferReceived { call: key, sdp, headers });
        }
    }

    /// The owner's reply to an offer in an early dialog. False if there was none.
    pub(super) fn answer_early_offer(
        &mut self,
        now: Moment,
        key: CallKey,
        answer: &Result<Vec<u8>, u16>,
    ) -> bool {
        let Some(call) = self.calls.get_mut(&key) else { return false };
        let Some(mut offer) = call.early_offer.take() else { return false };
        self.alarms.cancel(&mut offer.lapse);
        let (tag, peer) = (call.dialog.local_tag.clone(), call.dialog.peer);
        let status = answer.as_ref().map_or_else(|status| (*status).clamp(300, 699), |_| 200);
        let mut response = self.reply(&offer.request, status, &tag);
        if let Ok(sdp) = answer {
            response.headers.push("Contact", self.contact(&user_of(&offer.request), peer));
            response.headers.push("Content-Type", "application/sdp");
            response.body = self.stamp(key, sdp.clone());
            self.keep_sdp(key, &response.body);
        }
        self.transactions.respond(now, offer.server, &response);
        self.go_on_ringing(now, key);
        self.pump(now, key);
        true
    }

    /// The call ends: an early offer is nobody's any more.
    pub(super) fn drop_early_offer(&mut self, key: CallKey) {
        let Some(mut offer) = self.calls.get_mut(&key).and_then(|call| call.early_offer.take()) else {
            return;
        };
        self.alarms.cancel(&mut offer.lapse);
        self.transactions.forget_server(offer.server);
    }

    /// Takes away the timers of reliable responses.
    pub(super) fn drop_reliable(&mut self, reliable: &mut Reliable) {
        self.alarms.cancel(&mut reliable.repeat);
        self.alarms.cancel(&mut reliable.lapse);
    }
}

impl Call {
    /// Whether our description went out before the 2xx, which then has none.
    pub(super) fn was_described(&self) -> bool {
        let reliable = self.inbound.as_ref().and_then(|inbound| inbound.reliable.as_deref());
        reliable.is_some_and(|reliable| reliable.described)
    }
}

/// `RAck: <RSeq> <CSeq number> INVITE`
fn read_rack(value: &str) -> Option<(u32, u32)> {
    let mut words = value.split_ascii_whitespace();
    let (rseq, cseq) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (words.next()? == "INVITE" && words.next().is_none()).then_some((rseq, cseq))
}
