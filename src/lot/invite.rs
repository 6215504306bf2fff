//! Who comes in and where he goes: REGISTER, and the INVITE of a proven user through the dial plan to another user, a
//! slot, or the park extension.

use super::Lot;
use super::attempts::Bell;
use super::gate::Admission;
use super::legs::{Leg, MAX_LEGS, MAX_LEGS_PER_USER, Place, Purpose, RING_TIME};
use super::notice::Notice;
use super::plan::Destination;
use super::words::{Refusal, asserted_in, identity_of};
use crate::parking::Moment;
use crate::sip::Peer;
use crate::sip::message::{Method, Request};
use crate::sip::replaces::Replaces;
use crate::sip::sdp::Codec;
use crate::sip::{CallKey, RequestKey};

/// What is said to whoever guesses passwords.
const TOO_MANY_GUESSES: &str = "Too many wrong passwords. Wait a minute.";

impl Lot {
    /// The user whose request this is: a server of ours by its address, anybody else by his password. Else the status and
    /// headers of the answer.
    pub(super) fn prove(
        &mut self,
        now: Moment,
        from: Peer,
        request: &Request,
    ) -> Result<String, (u16, Vec<(String, String)>)> {
        match self.plan.server_at(from) {
            Some(server) => Ok(server.name.clone()),
            None => self.prove_by_password(now, from, request),
        }
    }

    /// The user who proves himself in a request, or the status and headers of the answer.
    fn prove_by_password(
        &mut self,
        now: Moment,
        from: Peer,
        request: &Request,
    ) -> Result<String, (u16, Vec<(String, String)>)> {
        match self.gate.admit(now, from, request, &self.plan) {
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
    pub(super) fn on_register(&mut self, now: Moment, key: RequestKey, from: Peer, request: &Request) {
        use super::registrar::Change;
        // A server may carry the registrations of phones to us; its own word is none.
        let user = match self.prove_by_password(now, from, request) {
            Ok(user) => user,
            Err((status, headers)) => return self.agent.answer(now, key, status, headers, Vec::new()),
        };
        let Some(config) = self.plan.user(&user) else {
            return self.agent.answer(now, key, 403, Vec::new(), Vec::new());
        };
        let (answer, changes) = self.registrar.register(now, config, self.config.max_expires, from, request);
        self.agent.answer(now, key, answer.status, answer.headers, Vec::new());
        self.touch_user(&user);
        self.say_unsaid(now);
        for change in changes {
            let user = user.clone();
            match change {
                Change::Registered { source, expires_s } => {
                    self.say(Notice::Registered { user, source, expires_s });
                }
                Change::Unregistered => self.say(Notice::Unregistered { user }),
                Change::Moved { from, to } => self.follow_phone(now, &user, from, to),
            }
        }
    }

    /// The lamps of this user may have changed.
    pub(super) fn touch_user(&mut self, user: &str) {
        if let Some(user) = self.plan.user(user) {
            self.presence.touch_all(&[user.number(), &user.name]);
        }
    }

    /// A phone of this user has registered from another address: its calls and lamps, and nobody else's, go on there.
    fn follow_phone(&mut self, now: Moment, user: &str, from: Peer, to: Peer) {
        let mut calls = Vec::new();
        for (call, leg) in &mut self.legs {
            if leg.user.as_deref() == Some(user) && leg.source == from {
                leg.source = to;
                calls.push(*call);
            }
        }
        let watchers = self.presence.all_of(user);
        self.agent.peer_moved(&calls, &watchers, from, to);
        calls.iter().for_each(|call| self.memory.mark(*call));
        self.phone_is_back(now, user, to);
    }

    /// An INVITE outside a dialog.
    pub(super) fn on_invite(&mut self, now: Moment, call: CallKey, from: Peer, request: &Request) {
        if self.is_left_over(from) {
            let refusal = Refusal::new(480, "The lot was restarted: call again.");
            return self.turn_away(now, call, &refusal);
        }
        if let Some(trunk) = self.trunk_at(from, request) {
            return self.on_trunk_invite(now, call, from, trunk, request);
        }
        let user = match self.prove(now, from, request) {
            Ok(user) => user,
            Err((status, headers)) => return self.agent.reject_unkept(now, call, status, headers),
        };
        if let Err(refusal) = self.route(now, call, from, &user, request) {
            self.turn_away(now, call, &refusal);
            self.note_refusal(Method::Invite, from, Some(user), &refusal);
        }
    }

    /// Refuses a leg that called in.
    pub(super) fn turn_away(&mut self, now: Moment, call: CallKey, refusal: &Refusal) {
        if let Some(leg) = self.legs.remove(&call)
            && let Some(sound) = leg.sound
        {
            self.sound.close(sound);
        }
        self.agent.reject(now, call, refusal.status, refusal.headers());
    }

    pub(super) fn note_refusal(
        &mut self,
        method: Method,
        from: Peer,
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
        from: Peer,
        user: &str,
        request: &Request,
    ) -> Result<(), Refusal> {
        if self.legs.len() >= MAX_LEGS {
            return Err(Refusal::new(503, "Too many calls."));
        }
        // Calls to him don't count: nobody shall keep a user from calling by calling him.
        let placed = |leg: &&Leg| leg.offer.is_some() && leg.user.as_deref() == Some(user);
        if self.legs.values().filter(placed).count() >= MAX_LEGS_PER_USER {
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
        if let Some(extension) = self.picks_up(&dialled) {
            return self.pick_up(now, call, user, &extension);
        }
        match self.reach_destination(user, &dialled) {
            Some(Destination::Park { lot }) => self.park_oneself(now, call, user, lot, request),
            Some(Destination::Slot { lot, slot }) if self.sender_of(user, request).is_some() => {
                // Sent here by a transfer behind a server: he is to be parked there, and joined with nobody.
                self.may_park(user, lot)?;
                self.park_himself(now, call, user, lot, Some(&slot), request)
            }
            Some(Destination::Slot { lot, slot }) => self.retrieve_from(now, call, user, lot, &slot, request),
            Some(Destination::Page { page }) => self.page(now, call, user, page),
            Some(destination) => self.place_call(now, call, &destination),
            None => {
                let destination = self.outside_for(user, &dialled)?;
                self.place_call(now, call, &destination)
            }
        }
    }

    /// Rings whom a leg that called in wants.
    pub(super) fn place_call(
        &mut self,
        now: Moment,
        call: CallKey,
        destination: &Destination,
    ) -> Result<(), Refusal> {
        let caller = self.legs.get(&call).map(|leg| leg.identity.clone()).unwrap_or_default();
        let offer = self.legs.get(&call).and_then(|leg| leg.offer.clone()).unwrap_or_default();
        let codecs = self.codecs_like(&offer);
        let (from, headers) = (self.address(&caller), self.asserted(&caller));
        let user = self.legs.get(&call).and_then(|leg| leg.user.clone());
        let bell = Bell { from, caller: user, headers, codecs, time: RING_TIME };
        let steps = self.steps_to(destination);
        let attempt = self.ring(now, Purpose::Call { caller: call }, steps, &bell)?;
        self.move_to(call, Place::Asking(attempt));
        let to = self.who_is(destination);
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
            leg.sound = self.sound.open(leg.source);
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
}
