//! Asterisk's rules for parking, as they were measured on 22 and 16: what a REFER and a dialled slot do.

use super::model::{Leg, Place, Why};
use super::pbx::{COLLEAGUE, Later, Parking, Pbx};
use parkdeck::parking::Moment;
use parkdeck::sip::{CallKey, ReferKey};
use std::time::Duration;

/// The extension that parks.
pub const PARK: &str = "700";
/// The one that parks in the second lot, where there is one.
pub const SECOND_PARK: &str = "800";
/// What the dialplan puts before a slot's number to park into it.
pub const PREFIX: &str = "9";
/// How long the voice takes to say the slot.
const SLOT_VOICE: Duration = Duration::from_millis(2_600);
/// How long it takes to say that the park failed.
const FAILED_VOICE: Duration = Duration::from_millis(1_720);
/// How long it says that nobody is parked there.
const EMPTY_VOICE: Duration = Duration::from_secs(5);
/// How long after its 200 the server says who it is.
const IDENTITY_AFTER: Duration = Duration::from_millis(20);
/// From `#72` to the server's BYE.
const FEATURE_VOICE: Duration = Duration::from_millis(2_500);

impl Pbx {
    pub fn asterisk_referred(&mut self, now: Moment, leg: Leg, refer: ReferKey, target: &str) {
        self.ua.answer_refer(now, refer, 202, Vec::new());
        if self.setup.swallows_refer {
            return;
        }
        if self.model.who_is(Place::With(leg)).is_none() {
            // Nobody to transfer: he is parked, or gone.
            return self.in_future(now + Duration::from_millis(1), Later::Report(refer, 400));
        }
        let at = now + self.setup.silent_callers;
        match at == now {
            true => self.asterisk_move(now, leg, refer, target),
            false => self.in_future(at, Later::Refer(leg, refer, target.to_owned())),
        }
    }

    /// Moves the caller of that leg to where the REFER says.
    pub fn asterisk_move(&mut self, now: Moment, leg: Leg, refer: ReferKey, target: &str) {
        let Some(caller) = self.model.who_is(Place::With(leg)) else {
            return self.ua.report_refer(now, refer, 400);
        };
        let Some(held) = self.legs.get(&leg) else { return };
        let parking = Parking { parker: Some(held.console), by_refer: true, since: now };
        let by_prefix = target.strip_prefix(PREFIX).and_then(|number| self.slot_numbered(number));
        if target == PARK || target == SECOND_PARK {
            match if target == PARK { self.free_slot() } else { self.free_slot_of_the_second() } {
                Some(slot) => {
                    self.park(now, caller, slot, parking);
                    self.in_future(now + SLOT_VOICE, Later::Report(refer, 200));
                }
                None => self.fail(now, leg, refer),
            }
        } else if let Some(slot) = by_prefix {
            // An occupied one is not refused: it becomes the next free one, without a word.
            let taken = self.model.who_is(Place::Slot(slot)).is_some();
            match if taken { self.free_slot() } else { Some(slot) } {
                Some(slot) => self.park(now, caller, slot, parking),
                None if self.setup.full_goes_on => {
                    let console = held.console;
                    self.ring(now, caller, console, false);
                }
                None => self.model.ends(now, caller, Why::Lost("the dialplan ended at a full lot")),
            }
            self.in_future(now + Duration::from_millis(7), Later::Report(refer, 200));
        } else if let Some(slot) = self.slot_numbered(target) {
            match self.model.who_is(Place::Slot(slot)) {
                Some(other) => self.model.join(now, caller, other),
                None => self.model.ends(now, caller, Why::Lost("he was referred to a free slot")),
            }
            self.in_future(now + Duration::from_millis(5), Later::Report(refer, 200));
        } else {
            self.model.moves(now, caller, Place::Colleague);
            self.in_future(now + Duration::from_millis(30), Later::Report(refer, 200));
            self.in_future(now + Duration::from_millis(40), Later::HangUp(leg));
        }
    }

    /// A full lot: 202, a voice, 200. The caller is with the leg, and goes with it.
    fn fail(&mut self, now: Moment, leg: Leg, refer: ReferKey) {
        if let Some(held) = self.legs.get_mut(&leg) {
            held.failing = true;
        }
        self.model.note(now, "the lot is full");
        self.in_future(now + FAILED_VOICE, Later::Failed(leg));
        self.in_future(now + FAILED_VOICE, Later::Report(refer, 200));
    }

    pub fn asterisk_dialled(&mut self, now: Moment, call: CallKey, number: &str, answer: Vec<u8>) {
        let leg = call.number();
        let slot = self.slot_numbered(number);
        match slot.map(|slot| (slot, self.model.who_is(Place::Slot(slot)))) {
            Some((slot, Some(caller))) => {
                self.ua.accept(now, call, answer);
                self.model.moves(now, caller, Place::With(leg));
                self.parkings.remove(&caller);
                self.leaving.insert(slot);
                let at = now + IDENTITY_AFTER + self.setup.silent_callers;
                self.in_future(at, Later::Identify(leg));
                self.in_future(at + self.setup.lamps_late, Later::Lamp(slot));
            }
            // Answered all the same; a voice says that nobody is there.
            Some((_, None)) => {
                self.ua.accept(now, call, answer);
                self.in_future(now + EMPTY_VOICE, Later::HangUp(leg));
            }
            None if number == COLLEAGUE => self.ua.accept(now, call, answer),
            None => {
                if number == PARK || number == SECOND_PARK {
                    self.model.breaks(now, "the operator parked himself");
                }
                self.legs.remove(&leg);
                self.ua.reject(now, call, 404, Vec::new());
            }
        }
    }

    /// A digit in the sound of a leg (RFC 4733).
    pub fn digit(&mut self, now: Moment, leg: Leg, digit: char) {
        let codes = self.setup.feature_codes;
        let Some(held) = self.legs.get_mut(&leg) else { return };
        held.digits.push(digit);
        if !codes || !held.digits.ends_with("#72") {
            return;
        }
        let parking = Parking { parker: Some(held.console), by_refer: false, since: now };
        let Some(caller) = self.model.who_is(Place::With(leg)) else { return };
        if let Some(slot) = self.free_slot() {
            self.park(now, caller, slot, parking);
            self.in_future(now + FEATURE_VOICE, Later::HangUp(leg));
        }
    }
}
