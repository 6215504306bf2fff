//! BroadWorks' rules, by its documentation: a held call is parked against an extension by a second call to `*68` and
//! that extension, and retrieved by `*88` and it; the callpark documents name who is there.

use super::model::{Leg, Place};
use super::pbx::{COLLEAGUE, Later, Parking, Pbx};
use parkdeck::parking::Moment;
use parkdeck::sip::{CallKey, ReferKey};
use std::time::Duration;

/// The feature access codes.
pub const PARK_CODE: &str = "*68";
pub const RETRIEVE_CODE: &str = "*88";
/// How long the voice says that it is done, or that it can't be.
const VOICE: Duration = Duration::from_millis(1_800);
const IDENTITY_AFTER: Duration = Duration::from_millis(10);

impl Pbx {
    /// A REFER is an ordinary transfer; codes are not for transfers.
    pub fn broadworks_referred(&mut self, now: Moment, leg: Leg, refer: ReferKey, target: &str) {
        let caller = self.model.who_is(Place::With(leg)).filter(|_| target == COLLEAGUE);
        let Some(caller) = caller else { return self.ua.answer_refer(now, refer, 404, Vec::new()) };
        self.ua.answer_refer(now, refer, 202, Vec::new());
        self.model.moves(now, caller, Place::Colleague);
        self.in_future(now + Duration::from_millis(30), Later::Report(refer, 200));
        self.in_future(now + Duration::from_millis(40), Later::HangUp(leg));
    }

    pub fn broadworks_dialled(&mut self, now: Moment, call: CallKey, number: &str, answer: Vec<u8>) {
        let leg = call.number();
        let parks = number.strip_prefix(PARK_CODE).and_then(|number| self.slot_numbered(number));
        let retrieves = number.strip_prefix(RETRIEVE_CODE).and_then(|number| self.slot_numbered(number));
        if let Some(slot) = parks {
            self.ua.accept(now, call, answer);
            self.park_the_held(now, leg, slot);
            return self.in_future(now + VOICE, Later::HangUp(leg));
        }
        if let Some(slot) = retrieves {
            self.ua.accept(now, call, answer);
            return match self.model.who_is(Place::Slot(slot)) {
                Some(caller) => {
                    self.model.moves(now, caller, Place::With(leg));
                    self.parkings.remove(&caller);
                    self.in_future(now + IDENTITY_AFTER, Later::Identify(leg));
                    self.lamp_changes(now, slot);
                }
                None => self.in_future(now + VOICE, Later::HangUp(leg)),
            };
        }
        if number == COLLEAGUE {
            return self.ua.accept(now, call, answer);
        }
        self.legs.remove(&leg);
        self.ua.reject(now, call, 404, Vec::new());
    }

    /// The call that this user put on hold last goes to the extension, if nobody is parked there.
    fn park_the_held(&mut self, now: Moment, code: Leg, slot: usize) {
        let Some(console) = self.legs.get(&code).map(|leg| leg.console) else { return };
        let held = self.legs.values().filter(|leg| leg.console == console && leg.held_at.is_some());
        let held = held.max_by_key(|leg| leg.held_at).map(|leg| leg.key.number());
        let caller = held.and_then(|leg| self.model.who_is(Place::With(leg)));
        let free = self.model.who_is(Place::Slot(slot)).is_none();
        let (Some(leg), Some(caller), true) = (held, caller, free) else {
            return self.model.note(now, "nothing was parked");
        };
        let parking = Parking { parker: Some(console), by_refer: false, since: now };
        self.park(now, caller, slot, parking);
        self.in_future(now + Duration::from_millis(4), Later::HangUp(leg));
    }
}
