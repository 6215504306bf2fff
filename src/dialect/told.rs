//! What the other end tells or asks beside the call itself: digits, messages, a transfer it wishes, a call that is to
//! take the place of another. Nothing of it is done without the operator but what a server of ours decides anyway.

use super::calls::LegState;
use super::identity;
use super::phone::{Phone, SoundStep};
use super::team;
use crate::desk::{CallId, Event, Notice, Severity};
use crate::parking::{Moment, Text};
use crate::sip::history::{self, Cause, Diverted};
use crate::sip::message::{Headers, Method, NameAddr, Request};
use crate::sip::replaces::Replaces;
use crate::sip::sdp;
use crate::sip::{CallKey, Peer, ReferKey, RequestKey, dtmf_info, ring};

/// The content type of messages that are shown.
const PLAIN_TEXT: &str = "text/plain";

impl Phone {
    /// A digit goes in the sound (RFC 4733), or in INFO where the other end takes no telephone-event.
    pub(super) fn send_digit(&mut self, now: Moment, call: CallId, digit: char) {
        match self.legs.get(&call) {
            Some(leg) if !leg.takes_tone_events && leg.state == LegState::Up => {
                let key = leg.key;
                self.ua.info(now, key, dtmf_info::CONTENT_TYPE, dtmf_info::write(digit));
            }
            _ => self.say_sound(SoundStep::Digit { call, digit }),
        }
    }

    pub(super) fn info_received(&mut self, key: CallKey, content_type: &str, body: &[u8]) {
        let digit = dtmf_info::read(content_type, body);
        if let (Some(&call), Some(digit)) = (self.by_key.get(&key), digit) {
            self.say(Event::DigitHeard { call, digit });
        }
    }

    /// A REFER: nobody but the operator moves a call, so it is refused, and he is told what was asked.
    pub(super) fn refer_received(
        &mut self,
        now: Moment,
        key: Option<CallKey>,
        refer: ReferKey,
        request: &Request,
        from: Peer,
    ) {
        self.ua.answer_refer(now, refer, 603, Vec::new());
        let call = key.and_then(|key| self.by_key.get(&key).copied());
        let target = request.headers.name_addr("Refer-To");
        if let (Some(call), Some(target), true) = (call, target, self.ua.is_own_server(self.account, from)) {
            let wished = identity::of_address(&target);
            self.say(Event::TransferWished { call, to: wished.label().into() });
        }
    }

    /// A request outside of calls: a message is shown, everything else is nothing to us.
    pub(super) fn request_received(&mut self, now: Moment, key: RequestKey, from: Peer, request: &Request) {
        if request.method != Method::Message {
            return self.ua.answer(now, key, 405, Vec::new(), Vec::new());
        }
        // Only our own server speaks here: anybody else could claim any name.
        if !self.ua.is_own_server(self.account, from) {
            return self.ua.answer(now, key, 403, Vec::new(), Vec::new());
        }
        let kind = request.headers.get("Content-Type").unwrap_or(PLAIN_TEXT);
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(PLAIN_TEXT) {
            let accept = vec![("Accept".to_owned(), PLAIN_TEXT.to_owned())];
            return self.ua.answer(now, key, 415, accept, Vec::new());
        }
        let who = identity::caller(&request.headers, &self.config.account.identity);
        if team::is_teams(&request.body) {
            return self.team_received(now, key, who, &request.body);
        }
        self.ua.answer(now, key, 200, Vec::new(), Vec::new());
        let words = Text::from_bytes(&request.body);
        let text = Text::new(&format!("{} writes: {words}", who.label()));
        self.say(Event::Told(Notice { at: now, severity: Severity::Info, text }));
    }

    /// Our call is on its way to another place.
    pub(super) fn redirected(&mut self, key: CallKey, to: &NameAddr) {
        if let Some(&call) = self.by_key.get(&key) {
            let place = identity::of_address(to);
            let remark = Text::new(&format!("diverted to {}", place.label()));
            self.say(Event::CallRemarked { call, remark });
        }
    }

    /// What an INVITE says of the way the call came, and of how it wants to be announced.
    pub(super) fn remark_on(&mut self, call: CallId, headers: &Headers) {
        let mut remarks: Vec<String> =
            history::diversions(headers).first().map(diverted).into_iter().collect();
        if ring::announcement(headers).kind == ring::Kind::Priority {
            remarks.push("priority".to_owned());
        }
        if !remarks.is_empty() {
            self.say(Event::CallRemarked { call, remark: Text::new(&remarks.join(" · ")) });
        }
    }

    /// An INVITE that is to take the place of a call of ours (RFC 3891): only from our own server, which could join
    /// anybody to us anyway. The operator's call goes on, with somebody else at the other end. True if it was one.
    pub(super) fn takes_over(&mut self, now: Moment, new: CallKey, from: Peer, request: &Request) -> bool {
        let mut named = request.headers.get_all("Replaces");
        let Some(value) = named.next() else { return false };
        let status = match (named.next(), self.ua.is_own_server(self.account, from)) {
            (_, false) => Err(403),
            (Some(_), _) => Err(400),
            (None, true) => self.take_over(now, new, value, (from, request)),
        };
        if let Err(status) = status {
            self.ua.reject(now, new, status, Vec::new());
        }
        true
    }

    fn take_over(
        &mut self,
        now: Moment,
        new: CallKey,
        value: &str,
        (from, request): (Peer, &Request),
    ) -> Result<(), u16> {
        let replaces = Replaces::read(value).ok_or(400_u16)?;
        let old = self.ua.replaceable(&replaces)?;
        let call = *self.by_key.get(&old).ok_or(481_u16)?;
        let address = self.media_address(from);
        // A call that is being handed over or parked is somebody else's already.
        let leaving = self.attempts.iter().any(|attempt| attempt.call == call);
        let leg = self.legs.get_mut(&call).filter(|leg| leg.transfer.is_none() && !leaving).ok_or(486_u16)?;
        (leg.local.address, leg.signalling) = (address, Some(from));
        let (answer, negotiated) = if request.body.is_empty() {
            (sdp::offer(&leg.local), None)
        } else {
            let (answer, negotiated) = sdp::answer(&request.body, &leg.local).map_err(|_| 488_u16)?;
            (answer, Some(negotiated))
        };
        leg.key = new;
        leg.state = LegState::Accepted;
        leg.offer.clone_from(&request.body);
        (leg.asked_hold, leg.next_hold) = (None, None);
        self.by_key.remove(&old);
        self.by_key.insert(new, call);
        self.ua.accept(now, new, answer);
        self.ua.hang_up(now, old);
        if let Some(negotiated) = negotiated {
            self.configure(call, negotiated);
        }
        let party = identity::caller(&request.headers, &self.config.account.identity);
        let remark = Text::new(&format!("joined to {}", party.label()));
        self.party_told(call, party);
        self.say(Event::CallRemarked { call, remark });
        Ok(())
    }
}

/// "diverted from Sam (busy)"
fn diverted(by: &Diverted) -> String {
    let why = match by.cause {
        Cause::Busy => " (busy)",
        Cause::NoAnswer => " (no answer)",
        Cause::Unavailable => " (unavailable)",
        Cause::Unconditional | Cause::Deflection | Cause::Unknown => "",
    };
    let who = identity::of_address(&by.by);
    if by.withheld { format!("diverted{why}") } else { format!("diverted from {}{why}", who.label()) }
}
