//! Calls between extensions: the INVITE comes in here, and what happens to legs whatever they are for: answered,
//! confirmed, held, ended.

use super::Lot;
use super::gate::Admission;
use super::legs::{Leg, MAX_LEGS, MAX_LEGS_PER_USER, Place, Purpose, RING_TIME};
use super::notice::Notice;
use super::plan::Destination;
use super::slots::Departure;
use super::sound::Hears;
use super::words::{Refusal, asserted_in, identity_of};
use crate::media::StreamId;
use crate::parking::{Identity, Moment};
use crate::sip::message::{Headers, Method, Request};
use crate::sip::replaces::Replaces;
use crate::sip::sdp::Codec;
use crate::sip::{CallKey, EndCause, EndedBy, RequestKey};
use std::net::SocketAddr;

/// What is said to whoever guesses passwords.
const TOO_MANY_GUESSES: &str = "Too many wrong passwords. Wait a minute.";

impl Lot {
    /// The user who proves himself in a request, or the status and headers of the answer.
    pub(super) fn prove(
        &mut self,
        now: Moment,
        from: SocketAddr,
        request: &Request,
    ) -> Result<String, (u16, Vec<(String, String)>)> {
        match self.gate.admit(now, from, request.method.as_str(), &request.headers, &self.plan) {
            Admission::User(user) => Ok(user),
            Admission::Challenge(headers) => Err((401, headers)),
            Admission::PutOff { mut headers, name, first } => {
                if first {
                    self.say(Notice::Guessing { from, user: crate::parking::Text::new(&name).to_string() });
                }
                headers.extend(Refusal::new(403, TOO_MANY_GUESSES).headers());
                Err((403, headers))
            }
        }
    }

    /// A REGISTER.
    pub(super) fn on_register(&mut self, now: Moment, key: RequestKey, from: SocketAddr, request: &Request) {
        use super::registrar::Change;
        let user = match self.prove(now, from, request) {
            Ok(user) => user,
            Err((status, headers)) => return self.agent.answer(now, key, status, headers, Vec::new()),
        };
        let Some(config) = self.plan.user(&user) else {
            return self.agent.answer(now, key, 403, Vec::new(), Vec::new());
        };
        let (answer, changes) = self.registrar.register(now, config, self.config.max_expires, from, request);
        self.agent.answer(now, key, answer.status, answer.headers, Vec::new());
        for change in changes {
            let user = user.clone();
            self.say(match change {
                Change::Registered { source, expires_s } => Notice::Registered { user, source, expires_s },
                Change::Unregistered => Notice::Unregistered { user },
            });
        }
    }

    /// An INVITE outside a dialog.
    pub(super) fn on_invite(&mut self, now: Moment, call: CallKey, from: SocketAddr, request: &Request) {
        let user = match self.prove(now, from, request) {
            Ok(user) => user,
            Err((status, headers)) => return self.agent.reject(now, call, status, headers),
        };
        if let Err(refusal) = self.route(now, call, from, &user, request) {
            if let Some(leg) = self.legs.remove(&call)
                && let Some(sound) = leg.sound
            {
                self.sound.close(sound);
            }
            self.agent.reject(now, call, refusal.status, refusal.headers());
            self.note_refusal(Method::Invite, from, Some(user), &refusal);
        }
    }

    pub(super) fn note_refusal(
        &mut self,
        method: Method,
        from: SocketAddr,
        user: Option<String>,
        refusal: &Refusal,
    ) {
        let reason = refusal.words.clone();
        self.say(Notice::Refused { method, from, user, status: refusal.status, reason });
    }

    /// Takes in the leg of a proven user and sends it where it wants to go.
    fn route(
        &mut self,
        now: Moment,
        call: CallKey,
        from: SocketAddr,
        user: &str,
        request: &Request,
    ) -> Result<(), Refusal> {
        if self.legs.len() >= MAX_LEGS {
            return Err(Refusal::new(503, "Too many calls."));
        }
        if self.legs.values().filter(|leg| leg.user.as_deref() == Some(user)).count() >= MAX_LEGS_PER_USER {
            return Err(Refusal::new(486, "Too many calls of this user."));
        }
        let Some(config) = self.plan.user(user) else { return Err(Refusal::new(403, "No such user.")) };
        let identity = if config.permissions.assert_identity {
            asserted_in(&request.headers)
        } else {
            identity_of(config)
        };
        let mut leg = Leg::new(Some(user.to_owned()), identity, from, Place::Leaving);
        leg.offer = Some(request.body.clone());
        self.legs.insert(call, leg);
        if let Some(value) = request.headers.get("Replaces") {
            let replaces =
                Replaces::read(value).ok_or_else(|| Refusal::new(400, "Replaces can't be read."))?;
            return self.replace(now, call, user, &replaces);
        }
        let dialled = request.uri.user.clone().unwrap_or_default();
        match self.destination(&dialled) {
            Some(Destination::User(callee)) => self.place_call(now, call, &callee),
            Some(Destination::Park { lot }) => self.park_oneself(now, call, user, lot, request),
            Some(Destination::Slot { lot, slot }) => self.retrieve_from(now, call, user, lot, &slot, request),
            None => Err(Refusal::new(404, "There is no such extension.")),
        }
    }

    fn place_call(&mut self, now: Moment, call: CallKey, callee: &str) -> Result<(), Refusal> {
        let caller = self.legs.get(&call).map(|leg| leg.identity.clone()).unwrap_or_default();
        let offer = self.legs.get(&call).and_then(|leg| leg.offer.clone()).unwrap_or_default();
        let codecs = self.codecs_like(&offer);
        let headers = self.asserted(&caller);
        let from = self.address(&caller);
        let purpose = Purpose::Call { caller: call };
        let attempt = self.ring_user(now, purpose, callee, from, &headers, codecs, RING_TIME)?;
        self.move_to(call, Place::Asking(attempt));
        let to = self.plan.user(callee).map(identity_of).unwrap_or_default();
        self.say(Notice::CallPlaced { from: caller, to });
        Ok(())
    }

    /// Our codecs in the order of an offer, those that it doesn't name behind them: they are bridged as sound.
    pub(super) fn codecs_like(&self, offer: &[u8]) -> Vec<Codec> {
        let mut codecs = crate::sip::sdp::codecs_of(offer);
        codecs
            .extend(super::sound::CODECS.iter().filter(|c| !codecs.contains(c)).copied().collect::<Vec<_>>());
        codecs
    }

    /// Answers a leg that called in, its far end's codec preferred; 200 is not sent yet.
    pub(super) fn answer_offer_of(
        &mut self,
        call: CallKey,
        preferred: Option<Codec>,
    ) -> Result<Vec<u8>, Refusal> {
        let no_sound = |words: String| Refusal::new(488, words);
        let Some(leg) = self.legs.get_mut(&call) else { return Err(Refusal::new(481, "The call is gone.")) };
        if leg.sound.is_none() {
            leg.sound = self.sound.open();
        }
        let Some(sound) = &mut leg.sound else { return Err(Refusal::new(503, "No media port is free.")) };
        match leg.offer.as_deref() {
            Some([]) | None => {
                let codecs = super::sound::preferring(preferred, &super::sound::CODECS);
                Ok(self.sound.offer(sound, codecs))
            }
            Some(offer) => self.sound.answer(sound, offer, preferred).map_err(no_sound),
        }
    }

    /// The person who was called has answered: 200 to the caller, and they talk.
    pub(super) fn connect_call(&mut self, now: Moment, caller: CallKey, callee: CallKey) {
        let codec = self.codec_of(callee);
        let early = self.legs.get_mut(&caller).and_then(|leg| leg.early.take());
        let answer = match early {
            Some((answer, _)) => Ok(answer),
            None => self.answer_offer_of(caller, codec),
        };
        match answer {
            Ok(answer) => {
                let answerer =
                    self.legs.get(&callee).map(|leg| self.asserted(&leg.identity)).unwrap_or_default();
                self.agent.accept_with(now, caller, answer, answerer);
                self.join(caller, callee);
                let who =
                    |call| self.legs.get(&call).map(|leg: &Leg| leg.identity.clone()).unwrap_or_default();
                let notice = Notice::CallAnswered { from: who(caller), by: who(callee) };
                self.say(notice);
            }
            Err(refusal) => {
                self.hang_up(now, callee);
                self.agent.reject(now, caller, refusal.status, refusal.headers());
                self.move_to(caller, Place::Leaving);
            }
        }
    }

    pub(super) fn codec_of(&self, call: CallKey) -> Option<Codec> {
        self.legs.get(&call)?.sound.as_ref()?.codec()
    }

    /// The three-way handshake is done: what was lent for this leg is really taken.
    pub(super) fn on_confirmed(&mut self, now: Moment, call: CallKey) {
        let Some(leg) = self.legs.get_mut(&call) else { return };
        if std::mem::replace(&mut leg.confirmed, true) {
            return;
        }
        let peer = leg.peer();
        if let Some(taken) = leg.takes.take() {
            for lot in &mut self.lots {
                lot.release(&taken.ticket);
            }
            if let Some(peer) = peer {
                self.introduce(now, peer, call);
            }
            self.seat_the_stranded(now);
        }
    }

    /// Tells `to` that he is connected with the person on `who` (UPDATE with P-Asserted-Identity).
    pub(super) fn introduce(&mut self, now: Moment, who: CallKey, to: CallKey) {
        let Some(identity) = self.legs.get(&who).map(|leg| leg.identity.clone()) else { return };
        let headers = self.asserted(&identity);
        self.agent.update(now, to, headers);
    }

    /// A re-INVITE or UPDATE with an offer: hold, resume, another address. The lot answers by itself.
    pub(super) fn on_offer(&mut self, now: Moment, call: CallKey, offer: &[u8]) {
        self.on_confirmed(now, call);
        let Some(leg) = self.legs.get_mut(&call) else { return self.agent.answer_offer(now, call, Err(481)) };
        let Some(sound) = &mut leg.sound else { return self.agent.answer_offer(now, call, Err(488)) };
        let codec = sound.codec();
        let answer = if offer.is_empty() {
            Ok(self.sound.offer(sound, super::sound::preferring(codec, &super::sound::CODECS)))
        } else {
            self.sound.answer(sound, offer, codec).map_err(|_| 488)
        };
        self.agent.answer_offer(now, call, answer);
        self.resound(call);
    }

    /// The answer to an offer of ours.
    pub(super) fn on_offer_answered(&mut self, now: Moment, call: CallKey, answer: &[u8]) {
        let Some(leg) = self.legs.get_mut(&call) else { return };
        let Some(sound) = &mut leg.sound else { return };
        if self.sound.accept(sound, answer).is_err() {
            // A call without sound is no call; a parked caller has nothing to lose by being told.
            return self.hang_up(now, call);
        }
        self.resound(call);
    }

    /// Somebody who speaks for others says that the person at his end is another.
    pub(super) fn on_identity(&mut self, now: Moment, call: CallKey, headers: &Headers) {
        let Some(leg) = self.legs.get_mut(&call) else { return };
        let speaks = leg.user.as_deref().and_then(|user| self.plan.user(user));
        if !speaks.is_some_and(|user| user.permissions.assert_identity) {
            return;
        }
        let identity: Identity = asserted_in(headers);
        leg.identity = identity.clone();
        match leg.place.clone() {
            Place::With(peer) => self.introduce(now, call, peer),
            Place::Parked(_) => {
                for lot in &mut self.lots {
                    if let Some(slot) = lot.rename(call, identity.clone()) {
                        self.presence.touch(slot.as_str());
                    }
                }
            }
            _ => {}
        }
    }

    /// A key, to the other end.
    pub(super) fn pass_on_digit(&mut self, stream: StreamId, digit: char) {
        let pressed = self.legs.values().find(|leg| leg.sound.as_ref().is_some_and(|s| s.stream == stream));
        let peer = pressed.and_then(Leg::peer).and_then(|peer| self.legs.get(&peer));
        if let Some(sound) = peer.and_then(|leg| leg.sound.as_ref()) {
            self.sound.press(sound, digit);
        }
    }

    /// An INFO, to the other end.
    pub(super) fn pass_on_info(&mut self, now: Moment, call: CallKey, content_type: &str, body: Vec<u8>) {
        if let Some(peer) = self.legs.get(&call).and_then(Leg::peer) {
            self.agent.info(now, peer, content_type, body);
        }
    }

    /// Nothing has been heard from a phone for long. It may be on hold, or gone without a word: an UPDATE that nobody
    /// answers ends its leg.
    pub(super) fn knock(&mut self, now: Moment, stream: StreamId) {
        let silent = self.legs.iter().find(|(_, l)| l.sound.as_ref().is_some_and(|s| s.stream == stream));
        let Some((call, leg)) = silent else { return };
        let call = *call;
        match leg.place {
            Place::With(peer) => self.introduce(now, peer, call),
            Place::Parked(_) | Place::Stranded | Place::Transferring(_) => {
                self.agent.update(now, call, Vec::new());
            }
            Place::Asking(_) | Place::Dialled(_) | Place::Leaving => {}
        }
    }

    /// The engine couldn't take a port: another one, and another offer if the call is up.
    pub(super) fn replace_stream(&mut self, now: Moment, stream: StreamId) {
        let lame = self.legs.iter_mut().find(|(_, l)| l.sound.as_ref().is_some_and(|s| s.stream == stream));
        let Some((call, leg)) = lame else { return };
        let call = *call;
        leg.sound = self.sound.open();
        let Some(sound) = &mut leg.sound else { return self.hang_up(now, call) };
        let offer = self.sound.offer(sound, super::sound::CODECS.to_vec());
        self.agent.reoffer(now, call, offer);
        self.resound(call);
    }

    /// Puts two legs together.
    pub(super) fn join(&mut self, a: CallKey, b: CallKey) {
        self.move_to(a, Place::With(b));
        self.move_to(b, Place::With(a));
        self.resound(a);
    }

    /// Moves a leg, and lets the lamp of its user follow.
    pub(super) fn move_to(&mut self, call: CallKey, place: Place) {
        let Some(leg) = self.legs.get_mut(&call) else { return };
        leg.place = place;
        if let Some(user) = leg.user.as_deref().and_then(|user| self.plan.user(user)) {
            self.presence.touch(user.number());
            self.presence.touch(&user.name);
        }
        self.resound(call);
    }

    /// Lets a leg, and the one it talks with, hear what follows from where they are.
    pub(super) fn resound(&mut self, call: CallKey) {
        let peer =
            self.legs.get(&call).and_then(|leg| leg.peer().or(leg.early.as_ref().map(|(_, peer)| *peer)));
        for call in [Some(call), peer].into_iter().flatten() {
            let hears = self.what_hears(call);
            if let Some(sound) = self.legs.get_mut(&call).and_then(|leg| leg.sound.as_mut()) {
                self.sound.send(sound, hears);
            }
        }
    }

    fn what_hears(&self, call: CallKey) -> Hears {
        let Some(leg) = self.legs.get(&call) else { return Hears::Silence };
        let stream_of = |peer: &CallKey| self.legs.get(peer).and_then(|leg| leg.sound.as_ref());
        match &leg.place {
            Place::With(peer) => match stream_of(peer) {
                Some(sound) if sound.is_held() => Hears::Music(None),
                Some(sound) => Hears::Leg(sound.stream),
                None => Hears::Silence,
            },
            Place::Parked(ticket) => {
                let lot = self.lot_with(ticket).and_then(|lot| self.parking(lot));
                Hears::Music(lot.map(|lot| lot.name.clone()))
            }
            Place::Transferring(_) | Place::Stranded => Hears::Music(None),
            Place::Asking(_) | Place::Dialled(_) => match &leg.early {
                Some((_, peer)) => stream_of(peer).map_or(Hears::Silence, |sound| Hears::Leg(sound.stream)),
                None => Hears::Silence,
            },
            Place::Leaving => Hears::Silence,
        }
    }

    /// Ends a leg; whoever it talked with must have been taken care of.
    pub(super) fn hang_up(&mut self, now: Moment, call: CallKey) {
        self.move_to(call, Place::Leaving);
        if let Some(leg) = self.legs.get_mut(&call) {
            if let Some(sound) = leg.sound.take() {
                self.sound.close(sound);
            }
            if let Some(taken) = leg.takes.take() {
                for lot in &mut self.lots {
                    lot.release(&taken.ticket);
                }
            }
        }
        self.agent.hang_up(now, call);
    }

    /// A leg has ended, whoever ended it.
    pub(super) fn on_ended(&mut self, now: Moment, call: CallKey, cause: &EndCause) {
        if !self.legs.contains_key(&call) {
            return;
        }
        let place = self.legs.get(&call).map(|leg| leg.place.clone());
        self.move_to(call, Place::Leaving);
        let Some(mut leg) = self.legs.remove(&call) else { return };
        if let Some(sound) = leg.sound.take() {
            self.sound.close(sound);
        }
        match place {
            Some(Place::Asking(attempt) | Place::Transferring(attempt)) => self.cancel_attempt(now, attempt),
            Some(Place::Dialled(attempt)) => {
                self.branch_failed(now, attempt, call, cause.status.unwrap_or(408));
            }
            Some(Place::With(peer)) => self.peer_lost(now, call, leg, peer, cause.by),
            Some(Place::Parked(ticket)) => {
                self.remember_gone(leg.dialog, &ticket);
                self.caller_gave_up(now, &ticket);
            }
            Some(Place::Stranded | Place::Leaving) | None => {}
        }
    }

    /// One of two who talked has gone: what becomes of the other.
    fn peer_lost(&mut self, now: Moment, gone: CallKey, leg: Leg, peer: CallKey, by: EndedBy) {
        if let Some(taken) = leg.takes {
            // The retriever never got as far as ACK: the caller goes back into the slot that was kept for him.
            return self.put_back(now, peer, taken);
        }
        let taken = self.legs.get_mut(&peer).and_then(|leg| leg.takes.take());
        if let Some(taken) = taken {
            // The caller hung up on somebody who was just taking him.
            for lot in &mut self.lots {
                lot.release(&taken.ticket);
            }
            self.seat_the_stranded(now);
        }
        if self.transferor_left(gone, peer) {
            return;
        }
        self.transferee_left(now, gone);
        let outside = self.legs.get(&peer).is_some_and(|leg| self.is_outside(leg));
        match &leg.user {
            // The phone of one of ours died: his caller isn't dropped for that, but comes back to him.
            Some(user) if by == EndedBy::Timeout && outside && !self.is_outside(&leg) => {
                self.strand(now, peer, user);
            }
            _ => self.hang_up(now, peer),
        }
    }

    /// Whether a leg is a caller from outside, and not one of those who park and retrieve.
    fn is_outside(&self, leg: &Leg) -> bool {
        let user = leg.user.as_deref().and_then(|user| self.plan.user(user));
        user.is_none_or(|user| user.permissions.assert_identity || !user.permissions.park)
    }

    /// A parked caller has hung up: the lamp goes out at once, and whoever is rung for him stops ringing.
    fn caller_gave_up(&mut self, now: Moment, ticket: &super::slots::Ticket) {
        self.cancel_ringing_for(now, ticket);
        let left = self.lots.iter_mut().find_map(|lot| lot.leave(now, ticket, Departure::GaveUp));
        if let Some(parked) = left {
            self.presence.touch(parked.slot.as_str());
            let waited_s = parked.waited_s(now);
            self.say(Notice::GivenUp { slot: parked.slot, parkee: parked.parkee, waited_s });
            self.seat_the_stranded(now);
        }
    }
}
