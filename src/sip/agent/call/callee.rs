//! The callee's side: an INVITE comes in, rings, is accepted, refused or cancelled; its 2xx is repeated until the ACK
//! (RFC 3261 13.3, 9.2). A re-INVITE's 2xx is repeated here as well.

use super::super::inbound::user_of;
use super::super::reply::add_headers;
use super::super::{CallKey, EndCause, EndedBy, Event, MAX_CALLS, OWNER_PATIENCE, Usage, UserAgent, Why};
use super::caller::sdp_of;
use super::reliable::{Reliable, requires};
use super::{Call, Inbound, Phase};
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Method, Request, Response};
use crate::sip::reason::{self, Reason};
use crate::sip::transaction::{ServerId, timers};
use rand::Rng;
use std::time::Duration;

/// How often ringing is told again, lest a proxy gives up (RFC 3261 13.3.1.1).
const RINGING_INTERVAL: Duration = Duration::from_secs(60);

impl UserAgent {
    pub(in super::super) fn receive_invite(&mut self, from: Peer, request: Request) {
        if self.calls.len() >= MAX_CALLS {
            return self.answer_at_once(from, &request, 503);
        }
        if self.ringing.len() >= self.config.ringing_max.min(super::super::MAX_RINGING_SERVER) {
            return self.answer_at_once(from, &request, 486);
        }
        if self.refuses_session(from, &request) {
            return;
        }
        let tag = self.token();
        let Some(dialog) = Dialog::begun_by(&request, from, tag) else { return };
        let dialog = self.bind(dialog);
        let Some(server) = self.open(from, &request) else { return };
        let key = CallKey(self.next_key());
        self.untried.insert(key);
        self.dialogs.insert((dialog.call_id.clone(), dialog.local_tag.clone()), Usage::Call(key));
        let account = self.account_at(from, &user_of(&request));
        let mut call = Call::new(account, false, dialog, Phase::Ringing);
        call.contact_user = user_of(&request);
        call.learn_abilities(&request.headers);
        let mut inbound = Inbound::new(server, request.clone());
        if requires(&request.headers, "100rel") {
            inbound.reliable = Some(Box::new(Reliable::new(self.rng.next_u32())));
        }
        call.inbound = Some(inbound);
        self.calls.insert(key, call);
        self.ringing.insert(key);
        self.tell(Event::CallReceived { call: key, from, request: Box::new(request) });
    }

    /// 180, or 183 with a description of early media. Again for each call of it, and every minute.
    pub fn ring(&mut self, now: Moment, call: CallKey, early_sdp: Option<Vec<u8>>) {
        let status = if early_sdp.is_some() { 183 } else { 180 };
        if self.ringing.contains(&call) {
            if self.rings_reliably(call) {
                self.ring_reliably(now, call, status, early_sdp);
            } else {
                self.respond_to_invite(now, call, status, &[], early_sdp);
            }
            self.schedule_ringing(now, call);
        }
    }

    fn schedule_ringing(&mut self, now: Moment, key: CallKey) {
        let inbound = self.calls.get_mut(&key).and_then(|call| call.inbound.as_mut());
        if let Some(inbound) = inbound {
            self.alarms.reset(&mut inbound.repeat, now + RINGING_INTERVAL, Why::RingingRepeats(key));
        }
    }

    pub(in super::super) fn repeat_ringing(&mut self, now: Moment, key: CallKey) {
        let inbound = self.calls.get(&key).and_then(|call| call.inbound.as_ref());
        if let Some(server) = inbound.map(|inbound| inbound.server) {
            if self.rings_reliably(key) {
                self.ring_reliably(now, key, 180, None);
            } else {
                self.transactions.repeat_last(server);
            }
            self.schedule_ringing(now, key);
        }
    }

    /// 200 with our description (the answer, or the offer if the INVITE had none), repeated until its ACK comes.
    pub fn accept(&mut self, now: Moment, call: CallKey, sdp: Vec<u8>) {
        self.accept_with(now, call, sdp, Vec::new());
    }

    /// The same with further headers in the 200 (P-Asserted-Identity of whoever answers …).
    pub fn accept_with(&mut self, now: Moment, call: CallKey, sdp: Vec<u8>, headers: Vec<(String, String)>) {
        if !self.ringing.contains(&call) {
            return;
        }
        if self.must_wait_for_prack(call) {
            return self.keep_answer(call, sdp, headers);
        }
        self.ringing.remove(&call);
        let Some(held) = self.calls.get_mut(&call) else { return };
        held.phase = Phase::Accepted;
        let sdp = Some(sdp).filter(|_| !held.was_described());
        self.respond_to_invite(now, call, 200, &headers, sdp);
        self.await_ack(now, call);
    }

    /// A final refusal, 300 to 699. Ends the call.
    pub fn reject(&mut self, now: Moment, call: CallKey, status: u16, headers: Vec<(String, String)>) {
        if !self.ringing.remove(&call) {
            return;
        }
        let status = status.clamp(300, 699);
        let response = self.respond_to_invite(now, call, status, &headers, None);
        self.take_inbound(call);
        self.finish_unmade(call, EndedBy::Local, Some(status), response.unwrap_or_default());
    }

    /// A final refusal of somebody who has proven nothing: given once, and nothing is kept (RFC 3261 8.2.7). No
    /// transaction means no repetitions towards whoever's address that was, and no room taken by a flood; a lost answer
    /// is given again to the repeated INVITE, which is then a new call to the owner, and its ACK finds nobody. For that
    /// the caller must not have heard a provisional response, so decide before datagrams are asked for; later it is the
    /// same as [`UserAgent::reject`]. Ends the call.
    pub fn reject_unkept(&mut self, now: Moment, call: CallKey, status: u16, headers: Vec<(String, String)>) {
        if !self.untried.contains(&call) || !self.ringing.contains(&call) {
            return self.reject(now, call, status, headers);
        }
        let Some((to, inbound)) = self.peer_address(call).and_then(|to| Some((to, self.take_inbound(call)?)))
        else {
            return;
        };
        self.transactions.forget_server(inbound.server);
        let status = status.clamp(300, 699);
        let mut response = self.reply_outside(&inbound.request, status);
        add_headers(&mut response.headers, &headers);
        self.transactions.transmit(to, response.to_bytes());
        self.finish_unmade(call, EndedBy::Local, Some(status), response.reason);
    }

    /// 100 to the INVITEs to which nothing was said yet. Not before the owner has seen them: whoever hears 100 repeats
    /// no more, so that a refusal would have to be kept for him.
    pub(in super::super) fn send_trying(&mut self) {
        while let Some(key) = self.untried.pop_first() {
            let inbound = self.calls.get(&key).and_then(|call| call.inbound.as_ref());
            if let Some(inbound) = inbound {
                let trying = self.reply(&inbound.request, 100, "");
                self.transactions.respond_first(inbound.server, &trying);
            }
        }
    }

    /// The call ends before there was a dialog to say BYE in.
    pub(super) fn finish_unmade(&mut self, key: CallKey, by: EndedBy, status: Option<u16>, reason: String) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.phase = Phase::Over;
        }
        self.tell_ended(key, EndCause { by, status, reason });
        self.settle(key);
    }

    /// Answers the INVITE in hand; says with which phrase.
    pub(super) fn respond_to_invite(
        &mut self,
        now: Moment,
        key: CallKey,
        status: u16,
        headers: &[(String, String)],
        sdp: Option<Vec<u8>>,
    ) -> Option<String> {
        let call = self.calls.get(&key)?;
        let inbound = call.inbound.as_ref()?;
        let mut response = self.reply(&inbound.request, status, &call.dialog.local_tag);
        if status < 300 {
            for route in inbound.request.headers.get_all("Record-Route") {
                response.headers.push("Record-Route", route);
            }
            response.headers.push("Contact", self.contact(&call.contact_user, call.dialog.peer));
            self.add_abilities(&mut response.headers);
        }
        let server = inbound.server;
        let asked = inbound.request.headers.clone();
        if let Some(sdp) = sdp.filter(|sdp| !sdp.is_empty()) {
            response.headers.push("Content-Type", "application/sdp");
            response.body = self.stamp(key, sdp);
            if status < 300 {
                self.keep_sdp(key, &response.body);
            }
        }
        add_headers(&mut response.headers, headers);
        if (200..300).contains(&status) {
            for (name, value) in self.grant_session(now, key, &asked) {
                response.headers.push(&name, value);
            }
        }
        self.transactions.respond(now, server, &response);
        self.untried.remove(&key);
        Some(response.reason)
    }

    /// Repeats the 2xx just sent until the ACK comes, or 64·T1 have gone (RFC 3261 13.3.1.4).
    pub(super) fn await_ack(&mut self, now: Moment, key: CallKey) {
        let inbound = self.calls.get_mut(&key).and_then(|call| call.inbound.as_mut());
        let Some(inbound) = inbound else { return };
        inbound.accepted = true;
        if let Some(mut reliable) = inbound.reliable.take() {
            inbound.agreed_early = reliable.agreed;
            self.drop_reliable(&mut reliable);
        }
        let inbound = self.calls.get_mut(&key).and_then(|call| call.inbound.as_mut());
        let Some(inbound) = inbound else { return };
        inbound.interval = timers::T1;
        self.alarms.reset(&mut inbound.repeat, now + timers::T1, Why::AcceptRepeats(key));
        self.alarms.reset(&mut inbound.lapse, now + timers::LIMIT, Why::AcceptLapses(key));
    }

    pub(in super::super) fn repeat_accept(&mut self, now: Moment, key: CallKey) {
        let inbound = self.calls.get_mut(&key).and_then(|call| call.inbound.as_mut());
        let Some(inbound) = inbound else { return };
        inbound.interval = (inbound.interval * 2).min(timers::T2);
        let at = now + inbound.interval;
        self.alarms.reset(&mut inbound.repeat, at, Why::AcceptRepeats(key));
        let server = inbound.server;
        self.transactions.repeat_last(server);
    }

    pub(in super::super) fn lapse_accept(&mut self, now: Moment, key: CallKey) {
        self.take_inbound(key);
        let reason = "our answer was never acknowledged".to_owned();
        self.give_reason(key, Reason::of_status(408).saying("no ACK came"));
        self.tell_ended(key, EndCause { by: EndedBy::Timeout, status: None, reason });
        self.send_bye(now, key);
    }

    /// ACK of a 2xx: the call is agreed, and what waited for that may go.
    pub(in super::super) fn receive_ack(
        &mut self,
        now: Moment,
        from: Peer,
        local_tag: &str,
        request: &Request,
    ) {
        let call_id = request.headers.call_id().unwrap_or_default().to_owned();
        let usage = self.dialogs.get(&(call_id, local_tag.to_owned()));
        let Some(Usage::Call(key)) = usage.copied() else { return };
        let number = request.headers.cseq().map(|(number, _)| number);
        let remote_tag = request.headers.from().and_then(|from| from.tag().map(str::to_owned));
        let Some(call) = self.calls.get(&key).filter(|call| !call.dialog.is_elsewhere(from)) else { return };
        let Some(inbound) = call.inbound.as_ref().filter(|inbound| inbound.accepted) else { return };
        let same = inbound.request.headers.cseq().map(|(number, _)| number) == number;
        if same && call.dialog.is_with(remote_tag.as_deref().unwrap_or_default()) {
            self.confirm(now, key, sdp_of(&request.headers, request.body.clone()));
        }
    }

    /// The ACK of our 2xx came, or something that proves it: the far end has moved on.
    pub(super) fn confirm(&mut self, now: Moment, key: CallKey, ack_sdp: Option<Vec<u8>>) {
        let Some(inbound) = self.take_inbound(key) else { return };
        let Some(call) = self.calls.get_mut(&key) else { return };
        let first = call.phase == Phase::Accepted;
        if first {
            call.phase = Phase::Confirmed;
        }
        if call.bye_due {
            return self.send_bye(now, key);
        }
        if call.ended {
            return self.settle(key);
        }
        if first {
            self.tell(Event::CallConfirmed { call: key });
        }
        // An INVITE without an offer has the answer to ours in its ACK (RFC 3261 13.2.1), unless it was in a PRACK.
        match ack_sdp {
            Some(sdp) if inbound.is_offerless() && !inbound.agreed_early => {
                self.tell(Event::OfferAnswered { call: key, sdp });
            }
            None if inbound.is_offerless() && !inbound.agreed_early => {
                let reason = "our offer was acknowledged without an answer".to_owned();
                self.tell(Event::OfferFailed { call: key, status: 488, reason });
            }
            _ => {}
        }
        self.pump(now, key);
    }

    pub(in super::super) fn receive_cancel(
        &mut self,
        now: Moment,
        from: Peer,
        cancel: &Request,
        invite: ServerId,
    ) {
        let in_hand = |call: &Call| call.inbound.as_ref().is_some_and(|inbound| inbound.server == invite);
        let Some((key, call)) = self.calls.iter().find(|(_, call)| in_hand(call)) else {
            // Answered already, and the far end has not heard it yet.
            return self.answer_at_once(from, cancel, 200);
        };
        let (key, phase) = (*key, call.phase);
        let too_late = call.inbound.as_ref().is_some_and(|inbound| inbound.accepted);
        // The same tag as in the INVITE's own answers (RFC 3261 9.2).
        let ok = self.reply(cancel, 200, &call.dialog.local_tag);
        self.transactions.transmit(from, ok.to_bytes());
        if too_late {
            return;
        }
        self.respond_to_invite(now, key, 487, &[], None);
        self.take_inbound(key);
        if phase == Phase::Ringing {
            self.ringing.remove(&key);
            let (status, reason) = reason::read(&cancel.headers, "cancelled");
            self.finish_unmade(key, EndedBy::Remote, status, reason);
        } else {
            self.pump(now, key);
        }
    }
}

impl Inbound {
    pub(super) fn new(server: ServerId, request: Request) -> Self {
        Self {
            server,
            request,
            accepted: false,
            agreed_early: false,
            interval: timers::T1,
            reliable: None,
            repeat: None,
            lapse: None,
        }
    }

    /// Whether it asks us to offer.
    fn is_offerless(&self) -> bool {
        self.is_invite() && sdp_of(&self.request.headers, self.request.body.clone()).is_none()
    }

    pub(super) fn is_invite(&self) -> bool {
        self.request.method == Method::Invite
    }
}

impl UserAgent {
    /// Keeps the far end's INVITE or UPDATE in hand until the owner answers, but not for ever.
    pub(super) fn hold_inbound(&mut self, now: Moment, key: CallKey, server: ServerId, request: Request) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let mut inbound = Inbound::new(server, request);
        inbound.lapse = Some(self.alarms.set(now + OWNER_PATIENCE, Why::OfferLapses(key)));
        call.inbound = Some(inbound);
    }

    /// A refusal of the INVITE or UPDATE in hand, with the phrase and nothing more.
    pub(super) fn refuse_inbound(&mut self, now: Moment, key: CallKey, status: u16) -> Option<Response> {
        let inbound = self.take_inbound(key)?;
        let tag = self.calls.get(&key)?.dialog.local_tag.clone();
        let response = self.reply(&inbound.request, status, &tag);
        self.transactions.respond(now, inbound.server, &response);
        Some(response)
    }
}
