//! Sam, the colleague: registers a desk phone, watches the slots' lamps as any phone does, now and then dials a lit
//! slot, and answers when he is called.

use super::cast::Cast;
use super::phone::{Exchange, Phone};
use crate::media::Clip;
use crate::parking::{Moment, SlotId};
use crate::sip::dialog_info::{self, DialogState};
use crate::sip::message::Method;
use crate::sip::{Ask, CallKey, Event, Subscribe, SubscriptionKey};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a lamp's subscription is asked for, in seconds.
const LAMP_EXPIRES_S: u32 = 600;
/// How long Sam lets his phone ring.
const RINGS: Duration = Duration::from_millis(2_500);
/// Before he speaks.
const BREATH: Duration = Duration::from_millis(600);
/// How long he talks in all.
const TALKS: Duration = Duration::from_secs(16);
/// Between his saying that he fetches somebody and his dialling.
const REACHES: Duration = Duration::from_secs(3);
/// How long he waits for a retrieve to be answered.
const DIALS: Duration = Duration::from_secs(10);

/// One lamp on Sam's phone.
#[derive(Debug)]
struct LampKey {
    slot: SlotId,
    /// The dialogs that keep it lit, by id.
    lit_by: BTreeSet<String>,
    /// When Sam means to fetch whoever is there.
    fetch_at: Option<Moment>,
    /// Whether he has told the reception so.
    claimed: bool,
}

/// Sam's call; he has one at a time.
#[derive(Debug)]
struct Talk {
    call: CallKey,
    /// The offer of a call that rings here.
    offer: Option<Vec<u8>>,
    /// When he answers (ringing), or speaks (up).
    act_at: Option<Moment>,
    ends_at: Moment,
}

/// Sam.
pub(super) struct Colleague {
    pub phone: Phone,
    slots: Vec<SlotId>,
    reception: String,
    /// How many things he has told.
    told: u64,
    line: Clip,
    lamps: BTreeMap<SubscriptionKey, LampKey>,
    talk: Option<Talk>,
}

impl Colleague {
    pub fn new(phone: Phone, slots: Vec<SlotId>, reception: String, line: Clip) -> Self {
        Self { phone, slots, reception, told: 0, line, lamps: BTreeMap::new(), talk: None }
    }

    /// Switches the phone on.
    pub fn start(&mut self, now: Moment) {
        self.phone.agent.register(now, self.phone.account);
    }

    /// Switches it off.
    pub fn stop(&mut self, now: Moment) {
        for subscription in std::mem::take(&mut self.lamps).into_keys() {
            self.phone.agent.unsubscribe(now, subscription);
        }
        self.phone.agent.unregister(now, self.phone.account);
    }

    /// Everything that has happened on the phone.
    pub fn settle(&mut self, now: Moment, exchange: &mut Exchange, cast: &mut Cast) {
        while let Some(event) = self.phone.poll_event(now, exchange) {
            match event {
                Event::Registered { .. } => self.watch(now),
                Event::Notified { subscription, body, .. } => self.see(now, subscription, &body, cast),
                Event::CallReceived { call, request, .. } => self.is_called(now, call, request.body),
                Event::CallAnswered { call, .. } | Event::CallConfirmed { call } => self.is_up(now, call),
                Event::CallEnded { call, .. } => {
                    self.talk.take_if(|talk| talk.call == call);
                }
                _ => {}
            }
        }
    }

    fn watch(&mut self, now: Moment) {
        if !self.lamps.is_empty() {
            return;
        }
        for slot in &self.slots {
            let subscribe = Subscribe {
                account: Some(self.phone.account),
                target: self.phone.uri(slot.as_str()),
                send_to: self.phone.server(),
                event: "dialog".to_owned(),
                accept: dialog_info::CONTENT_TYPE.to_owned(),
                expires_s: LAMP_EXPIRES_S,
                list: false,
            };
            let key = self.phone.agent.subscribe(now, subscribe);
            let lamp =
                LampKey { slot: slot.clone(), lit_by: BTreeSet::new(), fetch_at: None, claimed: false };
            self.lamps.insert(key, lamp);
        }
    }

    /// A lamp changed: newly lit, it may be worth fetching.
    fn see(&mut self, now: Moment, subscription: SubscriptionKey, body: &[u8], cast: &mut Cast) {
        let Some(lamp) = self.lamps.get_mut(&subscription) else { return };
        let Ok(info) = dialog_info::read(body) else { return };
        let was_lit = !lamp.lit_by.is_empty();
        if info.full {
            lamp.lit_by.clear();
        }
        for dialog in info.dialogs {
            if dialog.state == DialogState::Confirmed {
                lamp.lit_by.insert(dialog.id);
            } else {
                lamp.lit_by.remove(&dialog.id);
            }
        }
        lamp.claimed &= !lamp.lit_by.is_empty();
        match (was_lit, !lamp.lit_by.is_empty()) {
            (false, true) => lamp.fetch_at = cast.colleague_cares().map(|after| now + after),
            (_, false) => lamp.fetch_at = None,
            _ => {}
        }
    }

    fn is_called(&mut self, now: Moment, call: CallKey, offer: Vec<u8>) {
        if self.talk.is_some() {
            return self.phone.agent.reject(now, call, 486, Vec::new());
        }
        self.phone.agent.ring(now, call, None);
        let talk = Talk { call, offer: Some(offer), act_at: Some(now + RINGS), ends_at: now + RINGS + TALKS };
        self.talk = Some(talk);
    }

    fn is_up(&mut self, now: Moment, call: CallKey) {
        if let Some(talk) = self.talk.as_mut().filter(|talk| talk.call == call && talk.offer.is_none()) {
            talk.act_at = Some(now + BREATH);
            talk.ends_at = now + TALKS;
        }
    }

    /// Answers, speaks, hangs up and fetches where it is time.
    pub fn wake(&mut self, now: Moment, exchange: &mut Exchange) {
        if let Some(talk) = &mut self.talk {
            if talk.ends_at <= now {
                talk.ends_at = Moment::MAX;
                talk.act_at = None;
                self.phone.agent.hang_up(now, talk.call);
            } else if talk.act_at.is_some_and(|at| at <= now) {
                talk.act_at = None;
                match talk.offer.take() {
                    Some(offer) => self.phone.answer(now, exchange, talk.call, &offer),
                    None => self.phone.speak(exchange, talk.call, &self.line),
                }
            }
        }
        let due = self.lamps.values_mut().find(|lamp| lamp.fetch_at.is_some_and(|at| at <= now));
        let Some(lamp) = due.filter(|_| self.talk.is_none()) else { return };
        let slot = lamp.slot.clone();
        if !std::mem::replace(&mut lamp.claimed, true) {
            lamp.fetch_at = Some(now + REACHES);
            return self.tell_reception(now, &slot, "claimed");
        }
        lamp.fetch_at = None;
        let codecs = [crate::sip::sdp::Codec::Opus, crate::sip::sdp::Codec::Pcma];
        let call = self.phone.call(now, exchange, slot.as_str(), None, &codecs, Vec::new());
        self.talk = call.map(|call| Talk { call, offer: None, act_at: None, ends_at: now + DIALS });
    }

    /// Sam's desk tells the reception's console what he does, as a console would.
    fn tell_reception(&mut self, now: Moment, slot: &SlotId, say: &str) {
        self.told += 1;
        let word = serde_json::json!({ "run": "sam", "n": self.told, "say": say, "slot": slot });
        let ask = Ask {
            account: Some(self.phone.account),
            from: None,
            method: Method::Message,
            target: self.phone.uri(&self.reception),
            send_to: self.phone.server(),
            headers: vec![("Content-Type".to_owned(), "text/plain".to_owned())],
            body: format!("parkdeck-team/1 {word}").into_bytes(),
        };
        self.phone.agent.request(now, ask);
    }

    /// When to call [`Colleague::wake`] next.
    pub fn next_wake(&self) -> Option<Moment> {
        let talk = self.talk.iter().flat_map(|talk| [Some(talk.ends_at), talk.act_at]).flatten();
        // While he talks, whoever he means to fetch waits until he is done.
        let fetch = self.lamps.values().filter_map(|lamp| lamp.fetch_at).filter(|_| self.talk.is_none());
        talk.chain(fetch).min().filter(|at| *at < Moment::MAX)
    }

    /// Whether he is in a call.
    pub fn is_busy(&self) -> bool {
        self.talk.is_some()
    }
}
