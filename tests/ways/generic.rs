//! A server that is parked on by REFER as RFC 3515 has it, and says the truth about it (PortSIP by its documentation,
//! with codes before the extension; many small ones without): a full lot is a failure in the sipfrag, and the caller
//! stays where he was.

use super::model::{Leg, Place};
use super::pbx::{COLLEAGUE, Kind, Later, Parking, Pbx};
use parkdeck::parking::Moment;
use parkdeck::sip::{CallKey, ReferKey};
use std::time::Duration;

/// What parks in a slot of the server's choice.
pub const PARK: &str = "700";
/// PortSIP's codes: before an extension, they park at it and fetch from it.
pub const PORTSIP_PARK: &str = "*68";
pub const PORTSIP_RETRIEVE: &str = "*88";
const DONE_AFTER: Duration = Duration::from_millis(8);

impl Pbx {
    fn park_code(&self) -> &'static str {
        if self.setup.kind == Kind::PortSip { PORTSIP_PARK } else { "" }
    }

    fn retrieve_code(&self) -> &'static str {
        if self.setup.kind == Kind::PortSip { PORTSIP_RETRIEVE } else { "" }
    }

    pub fn generic_referred(&mut self, now: Moment, leg: Leg, refer: ReferKey, target: &str) {
        self.ua.answer_refer(now, refer, 202, Vec::new());
        if self.setup.swallows_refer {
            return;
        }
        let (Some(caller), Some(held)) = (self.model.who_is(Place::With(leg)), self.legs.get(&leg)) else {
            return self.in_future(now + DONE_AFTER, Later::Report(refer, 481));
        };
        let parking = Parking { parker: Some(held.console), by_refer: true, since: now };
        let named = target.strip_prefix(self.park_code());
        let slot = match named.and_then(|number| self.slot_numbered(number)) {
            Some(slot) => Some(slot).filter(|slot| self.model.who_is(Place::Slot(*slot)).is_none()),
            // At the parker's own extension: here the first one.
            None if self.setup.kind == Kind::PortSip && target == PORTSIP_PARK => {
                Some(0).filter(|slot| self.model.who_is(Place::Slot(*slot)).is_none())
            }
            None if self.setup.kind == Kind::Generic && target == PARK => self.free_slot(),
            None => {
                self.model.moves(now, caller, Place::Colleague);
                self.in_future(now + DONE_AFTER, Later::Report(refer, 200));
                return self.in_future(now + DONE_AFTER, Later::HangUp(leg));
            }
        };
        match slot {
            Some(slot) => {
                self.park(now, caller, slot, parking);
                self.in_future(now + DONE_AFTER, Later::Report(refer, 200));
                // PortSIP leaves that to the parker.
                if self.setup.kind == Kind::Generic {
                    self.in_future(now + DONE_AFTER, Later::HangUp(leg));
                }
            }
            None => self.in_future(now + DONE_AFTER, Later::Report(refer, 486)),
        }
    }

    pub fn generic_dialled(&mut self, now: Moment, call: CallKey, number: &str, answer: Vec<u8>) {
        let leg = call.number();
        let slot = number.strip_prefix(self.retrieve_code()).and_then(|number| self.slot_numbered(number));
        match slot.and_then(|slot| Some((slot, self.model.who_is(Place::Slot(slot))?))) {
            Some((slot, caller)) => {
                let headers = self.identity_headers(caller);
                self.ua.accept_with(now, call, answer, headers);
                self.model.moves(now, caller, Place::With(leg));
                self.parkings.remove(&caller);
                self.lamp_changes(now, slot);
            }
            None if number == COLLEAGUE => self.ua.accept(now, call, answer),
            None => {
                self.legs.remove(&leg);
                self.ua.reject(now, call, 404, Vec::new());
            }
        }
    }
}
