//! The life of a leg, whatever it is for: confirmed, held, told who is at the other end, moved, ended; and what each
//! leg hears, which follows from where it is.

use super::Lot;
use super::config::ParkedHears;
use super::legs::{EARLY_BYE, Leg, Place, SECOND_THOUGHTS};
use super::notice::Notice;
use super::slots::{Departure, Ticket};
use super::sound::Hears;
use super::words::asserted_in;
use crate::media::StreamId;
use crate::parking::{Identity, Moment};
use crate::sip::message::Headers;
use crate::sip::sdp::Codec;
use crate::sip::{CallKey, EndCause, EndedBy, Reason};

impl Lot {
    pub(super) fn codec_of(&self, call: CallKey) -> Option<Codec> {
        self.legs.get(&call)?.sound.as_ref()?.codec()
    }

    /// The three-way handshake is done: what was lent for this leg is really taken.
    pub(super) fn on_confirmed(&mut self, now: Moment, call: CallKey) {
        let Some(leg) = self.legs.get_mut(&call) else { return };
        if std::mem::replace(&mut leg.confirmed, true) {
            return;
        }
        leg.confirmed_at = now;
        let peer = leg.peer();
        [Some(call), peer].into_iter().flatten().for_each(|call| self.memory.mark(call));
        let Some(ticket) = leg.takes.as_ref().map(|taken| taken.ticket.clone()) else { return };
        self.release(now, &ticket);
        if let Some(peer) = peer {
            self.introduce(now, peer, call);
        }
    }

    /// Gives up the place that was kept for a call.
    fn release(&mut self, now: Moment, ticket: &Ticket) {
        for lot in &mut self.lots {
            lot.release(ticket);
        }
        self.seat_the_stranded(now);
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
        self.memory.mark(call);
        self.sound_for_waking(call);
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
        self.is_awake(call);
        self.memory.mark(call);
        self.resound(call);
    }

    /// Somebody who speaks for others says that the person at his end is another.
    pub(super) fn on_identity(&mut self, now: Moment, call: CallKey, headers: &Headers) {
        let Some(leg) = self.legs.get_mut(&call) else { return };
        let user = leg.user.as_deref().and_then(|user| self.plan.user(user));
        let speaks = leg.trunk.is_some() || user.is_some_and(|user| user.permissions.assert_identity);
        if !speaks {
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

    /// Nothing has been heard from a phone for long. It may be on hold, or gone without a word: an UPDATE that nobody
    /// answers ends its leg.
    pub(super) fn knock(&mut self, now: Moment, stream: StreamId) {
        let silent = self.legs.iter().find(|(_, l)| l.sound.as_ref().is_some_and(|s| s.stream == stream));
        let Some((call, leg)) = silent else { return };
        let call = *call;
        match leg.place {
            Place::With(peer) => self.introduce(now, peer, call),
            Place::Parked(_) | Place::Stranded | Place::Transferring(_) | Place::Paging => {
                self.agent.update(now, call, Vec::new());
            }
            // Who only hears says nothing.
            Place::Asking(_) | Place::Dialled(_) | Place::Listening | Place::Hearing(_) | Place::Leaving => {}
        }
    }

    /// The engine couldn't take a port: another one, and another offer if the call is up.
    pub(super) fn replace_stream(&mut self, now: Moment, stream: StreamId) {
        let lame = self.legs.iter_mut().find(|(_, l)| l.sound.as_ref().is_some_and(|s| s.stream == stream));
        let Some((call, leg)) = lame else { return };
        let call = *call;
        leg.sound = self.sound.open(leg.source);
        let Some(sound) = &mut leg.sound else { return self.hang_up(now, call) };
        let offer = self.sound.offer(sound, super::sound::CODECS.to_vec());
        self.agent.reoffer(now, call, offer);
        self.resound(call);
    }

    /// The keys of a leg's sound come near the end of their lifetime: an offer brings fresh ones.
    pub(super) fn renew_keys(&mut self, now: Moment, stream: StreamId) {
        let aging = self.legs.iter_mut().find(|(_, l)| l.sound.as_ref().is_some_and(|s| s.stream == stream));
        let Some((call, leg)) = aging.filter(|(_, leg)| leg.confirmed) else { return };
        let offer = leg.sound.as_mut().and_then(|sound| self.sound.offer_fresh_keys(sound));
        if let Some(offer) = offer {
            self.agent.reoffer(now, *call, offer);
        }
    }

    /// Puts two legs together.
    pub(super) fn join(&mut self, a: CallKey, b: CallKey) {
        for call in [a, b] {
            if let Some(leg) = self.legs.get_mut(&call) {
                (leg.prompt, leg.retrieved, leg.dials) = (None, None, false);
            }
        }
        self.move_to(a, Place::With(b));
        self.move_to(b, Place::With(a));
        self.resound(a);
    }

    /// Moves a leg, and lets the lamp of its user follow.
    pub(super) fn move_to(&mut self, call: CallKey, place: Place) {
        self.memory.mark(call);
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
        if let Some(prompt) = &leg.prompt {
            return Hears::Prompt(prompt.clone());
        }
        let stream_of = |peer: &CallKey| self.legs.get(peer).and_then(|leg| leg.sound.as_ref());
        let dials = |peer: &CallKey| self.legs.get(peer).is_some_and(|leg| leg.dials);
        match &leg.place {
            Place::With(_) if leg.dials => Hears::Silence,
            Place::With(peer) if dials(peer) => Hears::Music(None),
            Place::With(peer) => match stream_of(peer) {
                Some(sound) if sound.is_held() => Hears::Music(None),
                Some(sound) => Hears::Leg(sound.stream),
                None => Hears::Silence,
            },
            Place::Parked(ticket) => {
                let lot = self.lot_with(ticket).and_then(|lot| self.parking(lot));
                match lot.map(|lot| lot.parkedhears).unwrap_or_default() {
                    ParkedHears::Music => Hears::Music(lot.map(|lot| lot.sounds().to_owned())),
                    ParkedHears::Ringing => Hears::Ringing,
                    ParkedHears::Silence => Hears::Silence,
                }
            }
            Place::Transferring(_) | Place::Stranded => Hears::Music(None),
            Place::Hearing(pager) => {
                let speaks = stream_of(pager).filter(|sound| !sound.is_held());
                speaks.map_or(Hears::Silence, |sound| Hears::Leg(sound.stream))
            }
            Place::Asking(_) | Place::Dialled(_) => match &leg.early {
                Some((_, peer)) => stream_of(peer).map_or(Hears::Silence, |sound| Hears::Leg(sound.stream)),
                None => Hears::Silence,
            },
            Place::Listening | Place::Paging | Place::Leaving => Hears::Silence,
        }
    }

    /// Ends a leg; whoever it talked with must have been taken care of.
    pub(super) fn hang_up(&mut self, now: Moment, call: CallKey) {
        self.hang_up_because(now, call, None);
    }

    /// The same, and its phone learns why, if there is more to say than that it is over.
    pub(super) fn hang_up_because(&mut self, now: Moment, call: CallKey, reason: Option<Reason>) {
        self.move_to(call, Place::Leaving);
        if let Some(sound) = self.legs.get_mut(&call).and_then(|leg| leg.sound.take()) {
            self.sound.close(sound);
        }
        let taken = self.legs.get_mut(&call).and_then(|leg| leg.takes.take());
        match reason {
            Some(reason) => self.agent.hang_up_because(now, call, reason),
            None => self.agent.hang_up(now, call),
        }
        if let Some(taken) = taken {
            self.release(now, &taken.ticket);
        }
    }

    /// A leg has ended, whoever ended it.
    pub(super) fn on_ended(&mut self, now: Moment, call: CallKey, cause: &EndCause) {
        if !self.legs.contains_key(&call) {
            return;
        }
        let place = self.legs.get(&call).map(|leg| leg.place.clone());
        if self.never_woke(now, call, cause) && matches!(place, Some(Place::Parked(_))) {
            self.seat_the_stranded(now);
        }
        self.move_to(call, Place::Leaving);
        let Some(mut leg) = self.legs.remove(&call) else { return };
        if let Some(sound) = leg.sound.take() {
            self.sound.close(sound);
        }
        match place {
            Some(Place::Asking(attempt) | Place::Transferring(attempt)) => {
                self.cancel_attempt(now, attempt, None)
            }
            Some(Place::Dialled(attempt)) if self.follow(now, attempt, call, &leg) => {}
            Some(Place::Dialled(attempt)) => {
                self.branch_failed(now, attempt, call, cause.status.unwrap_or(408));
            }
            Some(Place::With(peer)) => self.peer_lost(now, call, leg, peer, cause),
            Some(Place::Parked(ticket)) => {
                self.remember_gone(leg.dialog, &ticket);
                self.caller_gave_up(now, &ticket);
            }
            Some(Place::Paging) => self.end_page(now, call),
            Some(Place::Hearing(pager)) => self.review_page(now, pager),
            Some(Place::Stranded | Place::Listening | Place::Leaving) | None => {}
        }
    }

    /// One of two who talked has gone: what becomes of the other.
    fn peer_lost(&mut self, now: Moment, gone: CallKey, leg: Leg, peer: CallKey, cause: &EndCause) {
        let taken = leg.takes.as_ref().filter(|_| !leg.confirmed || now < leg.confirmed_at + SECOND_THOUGHTS);
        if let Some(taken) = taken.cloned() {
            // The retriever never got as far as ACK, or didn't want him after all.
            return self.put_back(now, peer, taken);
        }
        let brief = !leg.confirmed || now < leg.confirmed_at + SECOND_THOUGHTS;
        if let Some(rung) = leg.picked_from.as_deref().filter(|_| brief) {
            // Nor did he who took a call from another phone: that one rings no more, so its user is rung back.
            return self.strand(now, peer, rung);
        }
        if let Some(taken) = self.legs.get_mut(&peer).and_then(|leg| leg.takes.take()) {
            // The caller hung up on somebody who was just taking him.
            self.release(now, &taken.ticket);
        }
        if self.transferor_left(gone, peer) {
            return;
        }
        self.transferee_left(now, gone);
        let outside = self.legs.get(&peer).is_some_and(|leg| self.is_outside(leg));
        let early = leg.refused_at.is_some_and(|at| now < at + EARLY_BYE);
        // Nobody has hung up: the phone doesn't answer, or was cut off and ends the call because we didn't answer it (RFC
        // 3261 12.2.1.2, RFC 4028 10); then its BYE says 408.
        let by_accident = cause.by == EndedBy::Timeout || cause.status == Some(408);
        match &leg.user {
            Some(user) if early && cause.by == EndedBy::Remote => self.strand(now, peer, user),
            // The phone of one of ours died: his caller isn't dropped for that, but comes back to him.
            Some(user) if by_accident && outside && !self.is_outside(&leg) => {
                self.strand(now, peer, user);
            }
            _ => self.hang_up(now, peer),
        }
    }

    /// Whether a leg is a caller from outside, and not one of the house.
    fn is_outside(&self, leg: &Leg) -> bool {
        let user = leg.user.as_deref().and_then(|user| self.plan.user(user));
        user.is_none_or(|user| user.speaks_for_others())
    }

    /// A parked caller has hung up: the lamp goes out at once, and whoever is rung for him stops ringing.
    fn caller_gave_up(&mut self, now: Moment, ticket: &Ticket) {
        self.cancel_ringing_for(now, ticket, None);
        let left = self.lots.iter_mut().find_map(|lot| lot.leave(now, ticket, Departure::GaveUp));
        if let Some(parked) = left {
            self.presence.touch(parked.slot.as_str());
            let waited_s = parked.waited_s(now);
            self.say(Notice::GivenUp { slot: parked.slot, parkee: parked.parkee, waited_s });
            self.seat_the_stranded(now);
        }
    }
}
