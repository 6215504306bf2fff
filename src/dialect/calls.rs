//! Ordinary calls: answering, dialling, holding, handing over, ending, and what each side agreed on.

use super::parking::Wish;
use super::phone::{Phone, SoundStep};
use super::{identity, words};
use crate::desk::{CallArrival, CallId, Event, RetrieveTarget};
use crate::parking::{Identity, Moment, Text};
use crate::sip::Peer;
use crate::sip::message::{Headers, NameAddr, Request};
use crate::sip::replaces::Replaces;
use crate::sip::sdp::{self, Direction, LocalMedia, SdpRefusal};
use crate::sip::{CallKey, EndCause, EndedBy, Invite, Reason, ReferKey};

/// What this phone keeps of one call.
pub(super) struct Leg {
    pub key: CallKey,
    pub local: LocalMedia,
    /// The INVITE's offer, until it is answered.
    pub offer: Vec<u8>,
    pub state: LegState,
    /// Hold as last asked for, while the answer is awaited.
    pub asked_hold: Option<bool>,
    /// What was asked for meanwhile: one re-INVITE at a time, or their answers could not be told apart.
    pub next_hold: Option<bool>,
    /// The blind transfer under way.
    pub transfer: Option<ReferKey>,
    /// Whether the sound path knows the port.
    pub open: bool,
    /// Where the signalling comes from or goes to.
    pub signalling: Option<Peer>,
    /// Whether the other end takes telephone-event; else digits go in INFO.
    pub takes_tone_events: bool,
    /// What was called to retrieve somebody: a server that names it names nobody.
    pub retrieved_by: Option<String>,
    /// Who is at the other end, as the server said last.
    pub party: Identity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LegState {
    Ringing,
    Accepted,
    Calling,
    Up,
}

impl Phone {
    /// A call came in and got its id.
    pub(super) fn call_received(
        &mut self,
        now: Moment,
        call: CallId,
        key: CallKey,
        from: Peer,
        request: &Request,
    ) {
        // Only our own server rings here: anybody else could claim any name.
        if !self.ua.is_own_server(self.account, from) {
            return self.ua.reject_unkept(now, key, 403, Vec::new());
        }
        let offered = sdp::codecs_of(&request.body);
        if !request.body.is_empty() && !offered.iter().any(|c| self.config.codecs.contains(c)) {
            return self.ua.reject(now, key, 488, Vec::new());
        }
        if self.unagreeable(now, key, from, request) {
            return;
        }
        let security = self.security_with(Some(from));
        let Some(local) = self.take_port(from, security) else {
            return self.ua.reject(now, key, 486, Vec::new());
        };
        let headers = &request.headers;
        let party = identity::caller(headers, &self.config.account.identity);
        let called = headers.to().and_then(|to| to.uri.user).unwrap_or_default();
        let ours = self.config.account.aor.uri.user.clone();
        let referred_by = headers.name_addr("Referred-By").and_then(|r| r.uri.user);
        self.insert(call, key, local, LegState::Ringing, request.body.clone(), Some(from));
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.party = party.clone();
        }
        let comeback = identity::comeback(headers).or_else(|| self.witness.comeback_due(now, &party));
        self.ua.ring(now, key, None);
        self.say(Event::CallArrived(CallArrival {
            call,
            party,
            called: Text::new(&called),
            comeback,
            referred_by_us: referred_by.is_some() && referred_by == ours,
            note: identity::note(headers),
        }));
        self.remark_on(call, headers);
        let (domain, address) = (self.config.account.aor.uri.host.clone(), from.ip().to_string());
        let trusted = &self.config.account.identity;
        if let Some(by) = identity::asks_to_be_answered(headers, trusted, &[&domain, &address]) {
            self.say(Event::AutoAnswerAsked { call, by });
        }
    }

    fn insert(
        &mut self,
        call: CallId,
        key: CallKey,
        local: LocalMedia,
        state: LegState,
        offer: Vec<u8>,
        signalling: Option<Peer>,
    ) {
        let port = local.port;
        let leg = Leg {
            key,
            local,
            offer,
            state,
            asked_hold: None,
            next_hold: None,
            transfer: None,
            open: true,
            signalling,
            takes_tone_events: true,
            retrieved_by: None,
            party: Identity::default(),
        };
        self.legs.insert(call, leg);
        self.by_key.insert(key, call);
        self.say_sound(SoundStep::Open { call, port });
    }

    pub(super) fn answer(&mut self, now: Moment, call: CallId) {
        self.readdress(call);
        let Some(leg) = self.legs.get_mut(&call).filter(|l| l.state == LegState::Ringing) else { return };
        leg.state = LegState::Accepted;
        let key = leg.key;
        if leg.offer.is_empty() {
            // An INVITE without an offer: ours goes in the 200, theirs comes in the ACK (RFC 3264 §4).
            let offer = sdp::offer(&leg.local);
            return self.ua.accept(now, key, offer);
        }
        match sdp::answer(&leg.offer, &leg.local) {
            Ok((answer, negotiated)) => {
                self.ua.accept(now, key, answer);
                self.configure(call, negotiated);
            }
            Err(refusal) => {
                let reason = format!("their phone can't be understood: {refusal}");
                self.ua.reject(now, key, 488, Vec::new());
                self.say(Event::CallEnded { call, reason: Text::new(&reason), by_them: false });
                self.forget(call);
            }
        }
    }

    pub(super) fn reject(&mut self, now: Moment, call: CallId) {
        if let Some(leg) = self.legs.get(&call) {
            self.ua.reject(now, leg.key, 486, Vec::new());
            self.forget(call);
        }
    }

    pub(super) fn hang_up(&mut self, now: Moment, call: CallId) {
        if let Some(leg) = self.legs.get(&call) {
            self.ua.hang_up(now, leg.key);
            self.forget(call);
            self.ask_next(now);
        }
    }

    /// Nothing of this call is ours any more; what the user agent still says of it is ignored.
    pub(super) fn forget(&mut self, call: CallId) {
        if let Some(leg) = self.legs.remove(&call) {
            self.by_key.remove(&leg.key);
            if leg.open {
                self.say_sound(SoundStep::Close { call });
            }
        }
        self.forget_attempts(call);
    }

    pub(super) fn dial(&mut self, now: Moment, call: CallId, to: &str) {
        match self.uri_typed(to) {
            Some(target) => self.invite(now, call, target, Vec::new()),
            None => {
                let reason = Text::new("that is no number that can be dialled");
                self.say(Event::CallEnded { call, reason, by_them: false });
            }
        }
    }

    pub(super) fn invite(
        &mut self,
        now: Moment,
        call: CallId,
        target: crate::sip::message::Uri,
        headers: Vec<(String, String)>,
    ) {
        let Some(server) = self.ua.server_of(self.account) else {
            let reason = Text::new("this account's server has not been found yet");
            return self.say(Event::CallEnded { call, reason, by_them: false });
        };
        let security = self.security_with(Some(server));
        if let Err(refusal) = security.offerable() {
            let reason = Text::new(&refusal.to_string());
            return self.say(Event::CallEnded { call, reason, by_them: false });
        }
        let Some(local) = self.take_port(server, security) else {
            let reason = Text::new("no media port is free");
            return self.say(Event::CallEnded { call, reason, by_them: false });
        };
        let offer = sdp::offer(&local);
        let key = self.ua.invite(
            now,
            Invite {
                account: Some(self.account),
                from: None,
                target,
                send_to: server,
                sdp: offer.clone(),
                headers,
            },
        );
        self.insert(call, key, local, LegState::Calling, offer, Some(server));
    }

    /// INVITE to the slot; exact where the lamp told the dialog's name.
    pub(super) fn retrieve(&mut self, now: Moment, call: CallId, target: &RetrieveTarget) {
        let Some(number) = self.config.dialect.retrieve_number(&target.slot) else {
            let reason = Text::new("this server has no way to retrieve from there");
            return self.say(Event::CallEnded { call, reason, by_them: false });
        };
        let uri = self.uri_of(&number);
        let by_name = self.config.dialect.preset.retrieve.by == super::RetrieveBy::Replaces;
        let named = target.key.as_ref().filter(|key| by_name && Replaces::read(&key.0).is_some());
        let headers = match named {
            Some(key) => {
                vec![("Replaces".to_owned(), key.0.clone()), ("Require".to_owned(), "replaces".to_owned())]
            }
            None => Vec::new(),
        };
        self.invite(now, call, uri, headers);
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.retrieved_by = Some(number);
        }
    }

    /// What the server says of who is at the other end now, if anything.
    fn asserted_of(&mut self, call: CallId, headers: &Headers) {
        if let Some(party) = identity::asserted(headers, &self.config.account.identity) {
            self.party_told(call, party);
        }
    }

    /// The server says who is at the other end now. While it parks a call it may name its park extension, and when it
    /// answers a retrieve what was called: that is nobody.
    pub(super) fn party_told(&mut self, call: CallId, party: Identity) {
        let parking = self.attempts.iter().any(|attempt| attempt.call == call);
        if let Some(leg) = self.legs.get_mut(&call) {
            if leg.retrieved_by.as_deref() == Some(party.number.as_str()) {
                return;
            }
            if !parking && party.is_comparable() {
                leg.party = party.clone();
            }
        }
        self.say(Event::PartyTold { call, party });
    }

    pub(super) fn progressed(&mut self, key: CallKey, early: Option<Vec<u8>>) {
        let Some(&call) = self.by_key.get(&key) else { return };
        self.readdress(call);
        if let Some(Ok(negotiated)) = early.map(|sdp| self.agree(call, &sdp)) {
            self.configure(call, negotiated);
        }
        self.say(Event::CallProgressed { call });
    }

    /// Reads the far end's answer to the offer we made for this call.
    fn agree(&self, call: CallId, answer: &[u8]) -> Result<sdp::Negotiated, SdpRefusal> {
        let leg = self.legs.get(&call).ok_or(SdpRefusal::NotOurOffer)?;
        sdp::accept(&leg.local, answer)
    }

    pub(super) fn answered(&mut self, now: Moment, key: CallKey, headers: &Headers, answer: Option<Vec<u8>>) {
        let Some(&call) = self.by_key.get(&key) else { return self.ua.hang_up(now, key) };
        self.readdress(call);
        if let Some(answer) = answer {
            let negotiated = match self.agree(call, &answer) {
                Ok(negotiated) => negotiated,
                Err(refusal) => {
                    let why = Reason::of_status(refusal.status()).saying(&refusal.to_string());
                    self.ua.hang_up_because(now, key, why);
                    let reason = Text::new(&format!("their answer can't be used: {refusal}"));
                    self.say(Event::CallEnded { call, reason, by_them: true });
                    return self.forget(call);
                }
            };
            self.configure(call, negotiated);
        }
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.state = LegState::Up;
        }
        self.say(Event::CallAnswered { call });
        self.asserted_of(call, headers);
    }

    pub(super) fn confirmed(&mut self, key: CallKey) {
        let Some(&call) = self.by_key.get(&key) else { return };
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.state = LegState::Up;
        }
        self.say(Event::CallAnswered { call });
    }

    pub(super) fn ended(&mut self, now: Moment, key: CallKey, cause: &EndCause) {
        let Some(&call) = self.by_key.get(&key) else { return };
        if self.leg_ended_while_parking(now, call, cause.by) {
            self.forget(call);
            return self.ask_next(now);
        }
        let rang = self.legs.get(&call).is_some_and(|l| l.state == LegState::Ringing);
        let was_up =
            self.legs.get(&call).is_some_and(|l| matches!(l.state, LegState::Up | LegState::Accepted));
        let transferring = self.legs.get(&call).is_some_and(|l| l.transfer.is_some());
        if transferring && cause.by == EndedBy::Remote {
            // A server that takes the call over ends our leg itself.
            self.say(Event::TransferDone { call });
            return self.forget(call);
        }
        let reason = match (cause.by, cause.status) {
            (EndedBy::Timeout, None) if was_up && !cause.reason.is_empty() => cause.reason.clone(),
            (EndedBy::Timeout, _) => "the other end no longer answers".to_owned(),
            // RFC 3326 3.1: whoever else was called has taken it, or turned it away; nobody gave up.
            (EndedBy::Remote, Some(200..300)) if rang => "answered elsewhere".to_owned(),
            (EndedBy::Remote, Some(603 | 600)) if rang => "declined elsewhere".to_owned(),
            (EndedBy::Remote, _) if rang => String::new(),
            (EndedBy::Remote, Some(status)) if !was_up && status >= 300 => {
                words::of_status(status, &cause.reason)
            }
            _ => String::new(),
        };
        self.say(Event::CallEnded { call, reason: Text::new(&reason), by_them: cause.by != EndedBy::Local });
        self.forget(call);
        // A park that waited for this call's need wait no longer.
        self.ask_next(now);
    }

    /// Hold by re-INVITE: `sendonly` lets the server play its music (RFC 3264 §8.4).
    pub(super) fn set_hold(&mut self, now: Moment, call: CallId, hold: bool) {
        self.readdress(call);
        let Some(leg) = self.legs.get_mut(&call) else { return };
        if leg.state != LegState::Up {
            let reason = "the call isn't up";
            if !self.prepared(now, call, Some(reason)) {
                self.say(Event::HoldRefused { call, reason: Text::new(reason) });
            }
            return;
        }
        if leg.asked_hold.is_some() {
            leg.next_hold = Some(hold);
            return;
        }
        leg.local.direction = if hold { Direction::SendOnly } else { Direction::SendRecv };
        leg.local.version += 1;
        leg.asked_hold = Some(hold);
        let (key, offer) = (leg.key, sdp::offer(&leg.local));
        self.ua.reoffer(now, key, offer);
    }

    /// Gives a running call a new description from where we are now; held or not, it stays as it is. Where an offer of
    /// ours is under way, the user agent queues this one behind it.
    pub(super) fn tell_new_address(&mut self, now: Moment, key: CallKey) {
        let Some(&call) = self.by_key.get(&key) else { return };
        self.readdress(call);
        let Some(leg) = self.legs.get_mut(&call) else { return };
        leg.local.version += 1;
        let offer = sdp::offer(&leg.local);
        self.ua.reoffer(now, key, offer);
    }

    /// The keys of a call's sound come near the end of their lifetime: an offer brings fresh ones.
    pub(super) fn renew_keys(&mut self, now: Moment, call: CallId) {
        self.readdress(call);
        let Some(leg) = self.legs.get_mut(&call).filter(|leg| leg.state == LegState::Up) else { return };
        if leg.local.security.renew_keys(&mut self.keys) {
            leg.local.version += 1;
            let (key, offer) = (leg.key, sdp::offer(&leg.local));
            self.ua.reoffer(now, key, offer);
        }
    }

    pub(super) fn offer_answered(&mut self, now: Moment, key: CallKey, answer: &[u8]) {
        let Some(&call) = self.by_key.get(&key) else { return };
        match self.agree(call, answer) {
            Ok(negotiated) => self.configure(call, negotiated),
            Err(refusal) => return self.offer_failed(now, key, 488, &refusal.to_string()),
        }
        let asked = self.legs.get_mut(&call).and_then(|l| l.asked_hold.take());
        if self.hold_next(now, call, asked) || asked.is_some() && self.prepared(now, call, None) {
            return;
        }
        match asked {
            Some(true) => self.say(Event::CallHeld { call }),
            Some(false) => self.say(Event::CallResumed { call }),
            None => {}
        }
    }

    /// Sends the hold or resume that was asked for while another was under way. True if that is what counts now.
    fn hold_next(&mut self, now: Moment, call: CallId, done: Option<bool>) -> bool {
        match self.legs.get_mut(&call).and_then(|l| l.next_hold.take()) {
            Some(next) if done != Some(next) => {
                self.set_hold(now, call, next);
                true
            }
            _ => false,
        }
    }

    pub(super) fn offer_failed(&mut self, now: Moment, key: CallKey, status: u16, reason: &str) {
        let Some(&call) = self.by_key.get(&key) else { return };
        let Some(leg) = self.legs.get_mut(&call) else { return };
        if let Some(hold) = leg.asked_hold.take() {
            leg.local.direction = if hold { Direction::SendRecv } else { Direction::SendOnly };
            if self.hold_next(now, call, Some(!hold)) {
                return;
            }
            let reason = words::of_status(status, reason);
            if !self.prepared(now, call, Some(&reason)) {
                self.say(Event::HoldRefused { call, reason: Text::new(&reason) });
            }
        }
    }

    /// The far end wants to change the session: answered from our side of it as it is.
    pub(super) fn offer_received(&mut self, now: Moment, key: CallKey, offer: &[u8]) {
        let Some(&call) = self.by_key.get(&key) else { return self.ua.answer_offer(now, key, Err(481)) };
        self.sign_of_failure(now, call);
        self.readdress(call);
        let Some(leg) = self.legs.get_mut(&call) else { return };
        leg.local.version += 1;
        if offer.is_empty() {
            let ours = sdp::offer(&leg.local);
            return self.ua.answer_offer(now, key, Ok(ours));
        }
        match sdp::answer(offer, &leg.local) {
            Ok((answer, negotiated)) => {
                self.ua.answer_offer(now, key, Ok(answer));
                self.configure(call, negotiated);
            }
            Err(_) => self.ua.answer_offer(now, key, Err(488)),
        }
    }

    pub(super) fn identity_changed(&mut self, now: Moment, key: CallKey, headers: &Headers) {
        let Some(&call) = self.by_key.get(&key) else { return };
        self.sign_of_failure(now, call);
        self.asserted_of(call, headers);
    }

    /// Blind transfer (RFC 5589 §6). The park extension is parked to, with all the care that takes.
    pub(super) fn transfer(&mut self, now: Moment, call: CallId, to: &str) {
        let Some(target) = self.uri_typed(to) else {
            let reason = Text::new("that is no number that can be dialled");
            return self.say(Event::TransferRefused { call, reason });
        };
        // Judged by what would be sent, not by what was typed: "7-00" and "sip:701@pbx" are the lot as well.
        let user = target.user.as_deref().unwrap_or_default();
        if let Some(lot) = self.config.dialect.lot_parked_by(user) {
            let wish = Wish { lot, slot: None };
            return self.park(now, call, wish, &Text::default(), &Identity::default());
        }
        if self.config.dialect.leads_into_a_slot(user) {
            let reason = Text::new("that is a park slot: press its key");
            return self.say(Event::TransferRefused { call, reason });
        }
        let Some(key) = self.legs.get(&call).map(|l| l.key) else { return };
        let referred_by = ("Referred-By".to_owned(), self.ourselves().to_string());
        let refer = self.ua.refer(now, key, NameAddr::new(target), vec![referred_by]);
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.transfer = Some(refer);
        }
    }

    /// The call whose transfer is `refer`.
    pub(super) fn transferring(&self, refer: ReferKey) -> Option<CallId> {
        self.legs.iter().find(|(_, l)| l.transfer == Some(refer)).map(|(call, _)| *call)
    }

    /// A transfer ended well: our leg isn't needed any more.
    pub(super) fn transfer_done(&mut self, now: Moment, call: CallId) {
        self.say(Event::TransferDone { call });
        self.hang_up(now, call);
    }

    pub(super) fn transfer_failed(&mut self, call: CallId, reason: &str) {
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.transfer = None;
        }
        self.say(Event::TransferRefused { call, reason: Text::new(reason) });
    }
}
