//! Legs that hear something once: the parker his slot, whoever retrieves a courtesy tone, a page group where somebody is
//! parked. What they hear afterwards follows from their place.

use super::Lot;
use super::attempts::Bell;
use super::config::{ParkedPlay, SaySlot};
use super::legs::{Place, Purpose, Retrieved};
use super::prompts::{Prompt, Words};
use super::slots::ParkedCall;
use super::sound::CODECS;
use crate::media::{Clip, StreamId};
use crate::parking::Moment;
use crate::sip::CallKey;
use crate::sip::message::{NameAddr, Uri};
use std::time::Duration;

/// For how long a leg listens at most: one whose sound never runs is not kept.
const LISTEN_TIME: Duration = Duration::from_secs(20);
/// For how long a phone may take to answer by itself.
const ANNOUNCE_TIME: Duration = Duration::from_secs(5);

impl Lot {
    /// The words that are spoken. Without any, nobody is told his slot by voice.
    pub fn set_words(&mut self, words: Words) {
        self.sound.prompts.set_words(words);
    }

    /// The tone that is played when a call is retrieved from this lot.
    pub fn set_courtesy_tone(&mut self, lot: &str, tone: Clip) {
        self.sound.prompts.set_courtesy_tone(lot, tone);
    }

    /// No lot has a tone any more, until it is given one.
    pub fn clear_courtesy_tones(&mut self) {
        self.sound.prompts.clear_courtesy_tones();
    }

    /// Lets a leg hear something, if there is a recording of it. False when there is none.
    pub(super) fn prompt(&mut self, call: CallKey, prompt: Prompt) -> bool {
        let Some(leg) = self.legs.get_mut(&call).filter(|leg| leg.sound.is_some()) else { return false };
        if self.sound.prompts.clip(&prompt).is_none() {
            return false;
        }
        leg.prompt = Some(prompt);
        self.resound(call);
        true
    }

    /// Lets a leg that talks with nobody hear something, and ends it then.
    pub(super) fn listen(&mut self, now: Moment, call: CallKey, prompt: Prompt) {
        self.move_to(call, Place::Listening);
        if self.prompt(call, prompt) {
            self.listeners.insert(call, now + LISTEN_TIME);
        } else {
            self.hang_up(now, call);
        }
    }

    /// A recording was sent to its end.
    pub(super) fn on_prompt_ended(&mut self, now: Moment, stream: StreamId) {
        let heard = self.legs.iter_mut().find(|(_, l)| l.sound.as_ref().is_some_and(|s| s.stream == stream));
        let Some((call, leg)) = heard else { return };
        let (call, place) = (*call, leg.place.clone());
        leg.prompt = None;
        if place == Place::Listening {
            self.listeners.remove(&call);
            self.hang_up(now, call);
        } else {
            self.resound(call);
        }
    }

    /// Ends those who have listened for too long.
    pub(super) fn end_overdue_listeners(&mut self, now: Moment) {
        let legs = &self.legs;
        self.listeners.retain(|call, _| legs.contains_key(call));
        let overdue: Vec<CallKey> =
            self.listeners.iter().filter(|(_, until)| **until <= now).map(|(call, _)| *call).collect();
        for call in overdue {
            self.listeners.remove(&call);
            self.hang_up(now, call);
        }
    }

    /// The parker's leg has done what it was for: he hears where the call is, where that is wanted, and is hung up.
    pub(super) fn dismiss_parker(
        &mut self,
        now: Moment,
        leg: CallKey,
        lot: usize,
        parked: &ParkedCall<CallKey>,
        by_keys: bool,
    ) {
        let told = match self.parking(lot).map(|parking| parking.sayslot).unwrap_or_default() {
            SaySlot::Never => false,
            SaySlot::Keys => by_keys,
            SaySlot::Always => true,
        };
        if told { self.listen(now, leg, Prompt::Slot(parked.slot.clone())) } else { self.hang_up(now, leg) }
    }

    /// Somebody dialled the park extension: he hears his slot, then the music.
    pub(super) fn say_own_slot(&mut self, call: CallKey, lot: usize, parked: &ParkedCall<CallKey>) {
        if self.parking(lot).is_some_and(|parking| parking.sayslot != SaySlot::Never) {
            self.prompt(call, Prompt::Slot(parked.slot.clone()));
        }
    }

    /// Two who have just been brought together by a retrieve: what the lot grants them, and its tone.
    pub(super) fn note_retrieve(&mut self, lot: usize, caller: CallKey, retriever: CallKey) {
        let Some(parking) = self.parking(lot) else { return };
        let (name, play) = (parking.name.clone(), parking.parkedplay);
        let tone = parking.sounds().to_owned();
        for (call, is_retriever) in [(caller, false), (retriever, true)] {
            if let Some(leg) = self.legs.get_mut(&call) {
                leg.retrieved = Some(Retrieved { lot: name.clone(), retriever: is_retriever });
            }
        }
        let parked_hears = matches!(play, ParkedPlay::Parked | ParkedPlay::Both);
        let retriever_hears = matches!(play, ParkedPlay::Caller | ParkedPlay::Both);
        for (call, hears) in [(caller, parked_hears), (retriever, retriever_hears)] {
            if hears {
                self.prompt(call, Prompt::Courtesy(tone.clone()));
            }
        }
    }

    /// Calls those who are to hear where somebody was parked, except whoever is on the phone.
    pub(super) fn announce(&mut self, now: Moment, lot: usize, parked: &ParkedCall<CallKey>) {
        let Some(parking) = self.parking(lot) else { return };
        let listeners = parking.announce.clone();
        if self.sound.prompts.clip(&Prompt::Page(parked.slot.clone())).is_none() {
            return;
        }
        let slot = Uri::sip(parked.slot.as_str(), &self.config.realm);
        let from = NameAddr::new(slot.clone()).with_display(&format!("Parked on {}", parked.slot));
        // As many ways to ask for it as there are phones (RFC 5373; the others are older than it).
        let headers = [
            ("Alert-Info", "<http://www.notused.invalid>;info=alert-autoanswer;delay=0".to_owned()),
            ("Call-Info", format!("<{slot}>;answer-after=0")),
            ("Answer-Mode", "Auto".to_owned()),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let caller = Some(parked.parker.user.clone());
        let bell = Bell { from, caller, headers, codecs: CODECS.to_vec(), time: ANNOUNCE_TIME };
        for name in listeners {
            let Some(user) = self.plan.user_at(&name).map(|user| user.name.clone()) else { continue };
            if !self.is_on_the_phone(&user) {
                let purpose = Purpose::Announce { ticket: parked.ticket.clone(), slot: parked.slot.clone() };
                // Whoever can't be rung hears nothing; the call is parked all the same.
                let _ = self.ring_user(now, purpose, &user, &bell);
            }
        }
    }
}
