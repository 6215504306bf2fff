//! Requests of the far end inside a call: re-INVITE, UPDATE, BYE, INFO, REFER, NOTIFY (RFC 3261 12.2.2, 14.2, RFC 3311).

use super::super::inbound::user_of;
use super::super::{CallKey, Event, UserAgent};
use super::Phase;
use super::caller::sdp_of;
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::message::{Headers, Method, Request};

impl UserAgent {
    pub(in super::super) fn receive_in_call(
        &mut self,
        now: Moment,
        from: Peer,
        key: CallKey,
        request: Request,
    ) {
        // Lamps publish the tags of dialogs to those who may watch, so that knowing them is no authority: the request must
        // come from where the far end is, and nothing is learned from it before that is clear. What remains is somebody
        // who forges the far end's address without being on the way.
        if self.calls.get(&key).is_some_and(|call| call.dialog.is_elsewhere(from)) {
            return self.receive_from_elsewhere(now, from, key, request);
        }
        if !self.fits_dialog(key, &request) {
            return self.answer_at_once(from, &request, 481);
        }
        let Some(call) = self.calls.get_mut(&key) else { return };
        let number = request.headers.cseq().map_or(0, |(number, _)| number);
        let tag = request.headers.from().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        if !call.dialog_with(&tag).is_some_and(|dialog| dialog.advance(number)) {
            return self.answer_at_once(from, &request, 500);
        }
        call.dialog.moves_to(from);
        // The owner was told that it has ended: nothing of it is his any more, though our CANCEL may be under way.
        let over = call.phase == Phase::Over || call.ended;
        match request.method {
            Method::Bye => self.receive_bye(now, from, key, &request),
            Method::Notify => self.receive_refer_notify(now, from, key, &request),
            Method::Options => self.answer_options(from, &request),
            _ if over => self.answer_at_once(from, &request, 481),
            Method::Invite => self.receive_reinvite(now, from, key, request),
            Method::Update => self.receive_update(now, from, key, request),
            Method::Prack => self.receive_prack(now, from, key, request),
            Method::Info => {
                self.answer_within(now, from, &request, 200);
                // A call whose end was told (it is being cancelled) has nothing more to tell.
                if self.calls.get(&key).is_some_and(|call| !call.ended) {
                    let content_type = request.headers.get("Content-Type").unwrap_or_default().to_owned();
                    self.tell(Event::InfoReceived { call: key, content_type, body: request.body });
                }
            }
            Method::Refer => self.receive_refer(now, from, Some(key), request),
            Method::Message => self.receive_visit(now, from, request),
            _ => self.answer_at_once(from, &request, 405),
        }
    }

    /// A request in the dialog from an address that is not the far end's. A REFER is the owner's to judge, who may know
    /// the sender in another way (another phone of the same user); the dialog learns nothing from it, not even a number.
    fn receive_from_elsewhere(&mut self, now: Moment, from: Peer, key: CallKey, request: Request) {
        let tag = request.headers.from().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        let lives = |call: &&super::Call| call.phase != Phase::Over && call.dialog.is_with(&tag);
        if request.method == Method::Refer && self.calls.get(&key).filter(lives).is_some() {
            return self.receive_refer(now, from, Some(key), request);
        }
        self.answer_at_once(from, &request, 481);
    }

    /// Whether a request belongs to this very dialog. One that overtook the first response is how a caller learns the
    /// far end's tag: Asterisk's UPDATE follows its 200 by 20 ms.
    fn fits_dialog(&mut self, key: CallKey, request: &Request) -> bool {
        let Some(call) = self.calls.get_mut(&key) else { return false };
        let tag = request.headers.from().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        if matches!(call.phase, Phase::Calling { .. }) {
            return call.meet(&tag, |dialog| dialog.learn_from_request(request)).is_some();
        }
        call.dialog.is_with(&tag)
    }

    fn receive_reinvite(&mut self, now: Moment, from: Peer, key: CallKey, request: Request) {
        let Some(call) = self.calls.get(&key) else { return };
        if call.inbound.as_ref().is_some_and(|inbound| inbound.accepted) {
            // Nobody begins a second INVITE before the first is through: the ACK was lost.
            self.confirm(now, key, None);
        }
        let Some(call) = self.calls.get(&key) else { return };
        if call.inbound.is_some() {
            return self.answer_later(now, from, &request);
        }
        if call.invite.is_some() || call.phase != Phase::Confirmed {
            return self.answer_within(now, from, &request, 491);
        }
        if self.refuses_session(from, &request) {
            return;
        }
        let Some(server) = self.open(from, &request) else { return };
        let trying = self.reply(&request, 100, "");
        self.transactions.respond(now, server, &trying);
        self.take_target(key, &request.headers);
        let sdp = sdp_of(&request.headers, request.body.clone()).unwrap_or_default();
        let headers = Box::new(request.headers.clone());
        self.hold_inbound(now, key, server, request);
        self.tell(Event::OfferReceived { call: key, sdp, headers });
    }

    fn receive_update(&mut self, now: Moment, from: Peer, key: CallKey, request: Request) {
        let offer = sdp_of(&request.headers, request.body.clone());
        if self.refuses_session(from, &request) {
            return;
        }
        let Some(call) = self.calls.get(&key) else { return };
        let Some(sdp) = offer else {
            self.take_target(key, &request.headers);
            return self.agree_to_update(now, from, key, &request);
        };
        if matches!(call.phase, Phase::Calling { .. } | Phase::Ringing) {
            self.take_target(key, &request.headers);
            return self.receive_early_update(now, from, key, request, sdp);
        }
        // RFC 3311 5.2: an offer of theirs in hand makes theirs wait, one of ours under way makes them back off.
        if call.inbound.as_ref().is_some_and(|inbound| !inbound.accepted) {
            return self.answer_later(now, from, &request);
        }
        if call.invite.is_some() || call.inbound.is_some() || call.phase != Phase::Confirmed {
            return self.answer_within(now, from, &request, 491);
        }
        let Some(server) = self.open(from, &request) else { return };
        self.take_target(key, &request.headers);
        let headers = Box::new(request.headers.clone());
        self.hold_inbound(now, key, server, request);
        self.tell(Event::OfferReceived { call: key, sdp, headers });
    }

    /// 200 to an UPDATE without an offer.
    fn agree_to_update(&mut self, now: Moment, from: Peer, key: CallKey, request: &Request) {
        let confirmed = self.calls.get(&key).is_some_and(|call| call.phase == Phase::Confirmed);
        let Some(server) = self.open(from, request) else { return };
        let mut response = self.reply_outside(request, 200);
        response.headers.push("Contact", self.contact(&user_of(request), from));
        self.add_abilities(&mut response.headers);
        if confirmed {
            for (name, value) in self.grant_session(now, key, &request.headers) {
                response.headers.push(&name, value);
            }
        }
        self.transactions.respond(now, server, &response);
    }

    /// New remote target, and perhaps a new person at the other end.
    fn take_target(&mut self, key: CallKey, headers: &Headers) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let tag = headers.from().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        if let Some(dialog) = call.dialog_with(&tag) {
            dialog.refresh_target(headers);
        }
        call.learn_abilities(headers);
        let named = ["P-Asserted-Identity", "Remote-Party-ID"].iter().any(|name| headers.get(name).is_some());
        if named && !call.ended {
            self.tell(Event::IdentityChanged { call: key, headers: Box::new(headers.clone()) });
        }
    }

    /// 500 with Retry-After 0 to 10 s (RFC 3261 14.2).
    pub(super) fn answer_later(&mut self, now: Moment, from: Peer, request: &Request) {
        let wait = self.jitter(std::time::Duration::ZERO, std::time::Duration::from_secs(10));
        let Some(server) = self.open(from, request) else { return };
        let mut response = self.reply_outside(request, 500);
        response.headers.push("Retry-After", wait.as_secs().to_string());
        self.transactions.respond(now, server, &response);
    }

    /// The reply to `OfferReceived`: a description, or the status of a refusal (488 …).
    pub fn answer_offer(&mut self, now: Moment, call: CallKey, answer: Result<Vec<u8>, u16>) {
        if self.answer_early_offer(now, call, &answer) {
            return;
        }
        let asked = self.calls.get(&call).filter(|call| call.phase != Phase::Ringing);
        let Some(inbound) = asked.and_then(|call| call.inbound.as_ref()).filter(|i| !i.accepted) else {
            return;
        };
        let invite = inbound.is_invite();
        match answer {
            Ok(sdp) if invite => {
                self.respond_to_invite(now, call, 200, &[], Some(sdp));
                self.await_ack(now, call);
            }
            Ok(sdp) => {
                self.respond_to_invite(now, call, 200, &[], Some(sdp));
                self.take_inbound(call);
                self.pump(now, call);
            }
            Err(status) => {
                self.refuse_inbound(now, call, status.clamp(300, 699));
                self.pump(now, call);
            }
        }
    }

    pub(super) fn keep_sdp(&mut self, key: CallKey, sdp: &[u8]) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.local_sdp = sdp.to_vec();
        }
    }

    pub(in super::super) fn lapse_offer(&mut self, now: Moment, key: CallKey) {
        self.answer_offer(now, key, Err(500));
    }
}
