//! FreeSWITCH's rules for `valet_park`, by its documentation and source: whoever is sent into a stall is parked there,
//! or bridged with whoever is there already; a blind transfer takes the caller from us, whatever becomes of him.

use super::model::{Leg, Place, Why};
use super::pbx::{COLLEAGUE, Later, Parking, Pbx};
use parkdeck::parking::Moment;
use parkdeck::sip::{CallKey, ReferKey};
use std::time::Duration;

/// The extension of `valet_park <lot> auto in 701 …`.
pub const AUTO_IN: &str = "700";
/// From the REFER to its sipfrag and our BYE.
const TRANSFER: Duration = Duration::from_millis(5);
/// How long the stall's number is said to the caller before its lamp is told (`valet_announce_slot`).
pub const ANNOUNCED: Duration = Duration::from_millis(3_500);
/// From the 200 to the identity.
const IDENTITY_AFTER: Duration = Duration::from_millis(30);

impl Pbx {
    pub fn freeswitch_referred(&mut self, now: Moment, leg: Leg, refer: ReferKey, target: &str) {
        self.ua.answer_refer(now, refer, 202, Vec::new());
        if self.setup.swallows_refer {
            return;
        }
        let (Some(caller), Some(held)) = (self.model.who_is(Place::With(leg)), self.legs.get(&leg)) else {
            return self.in_future(now + TRANSFER, Later::Report(refer, 403));
        };
        let console = held.console;
        self.in_future(now + TRANSFER, Later::Report(refer, 200));
        self.in_future(now + TRANSFER + Duration::from_millis(1), Later::HangUp(leg));
        let stall = match target {
            AUTO_IN => self.free_slot(),
            number => self.slot_numbered(number),
        };
        match stall {
            Some(stall) => match self.in_stall(stall) {
                Some(InStall::Caller(other)) => {
                    self.model.join(now, caller, other);
                    self.model.ends(now, caller, Why::ServersRule);
                }
                Some(InStall::Console(operator)) => {
                    self.selves.remove(&stall);
                    self.model.moves(now, caller, Place::With(operator));
                    self.lamp_changes(now, stall);
                }
                None => {
                    let parking = Parking { parker: Some(console), by_refer: true, since: now };
                    self.park_announced(now, caller, stall, parking);
                }
            },
            // "auto in" said that the lot is full, and the dialplan goes on.
            None if target == AUTO_IN && self.setup.full_goes_on => self.ring(now, caller, console, false),
            None if target == AUTO_IN => {
                self.model.ends(now, caller, Why::Lost("the dialplan ended at a full lot"));
            }
            None => self.model.moves(now, caller, Place::Colleague),
        }
    }

    fn park_announced(
        &mut self,
        now: Moment,
        caller: super::model::CallerId,
        stall: usize,
        parking: Parking,
    ) {
        self.park_told(now, caller, stall, parking, self.setup.announced());
    }

    pub fn freeswitch_dialled(&mut self, now: Moment, call: CallKey, number: &str, answer: Vec<u8>) {
        let leg = call.number();
        if number == COLLEAGUE {
            return self.ua.accept(now, call, answer);
        }
        let Some(stall) = self.slot_numbered(number) else {
            self.legs.remove(&leg);
            return self.ua.reject(now, call, 404, Vec::new());
        };
        self.ua.accept(now, call, answer);
        match self.in_stall(stall) {
            Some(InStall::Caller(caller)) => {
                self.model.moves(now, caller, Place::With(leg));
                self.parkings.remove(&caller);
                self.in_future(now + IDENTITY_AFTER, Later::Identify(leg));
                self.lamp_changes(now, stall);
            }
            // Two operators hear each other; no caller is the worse for it.
            Some(InStall::Console(_)) => {
                self.selves.remove(&stall);
                self.lamp_changes(now, stall);
            }
            // An empty stall parks whoever dials it.
            None => {
                self.model.note(now, "an operator parked himself");
                self.selves.insert(stall, leg);
                self.lamp_changes(now, stall);
            }
        }
    }

    fn in_stall(&self, stall: usize) -> Option<InStall> {
        let caller = self.model.who_is(Place::Slot(stall)).map(InStall::Caller);
        caller.or_else(|| self.selves.get(&stall).copied().map(InStall::Console))
    }
}

/// Who is in a stall.
enum InStall {
    Caller(super::model::CallerId),
    /// An operator who dialled it when it was empty.
    Console(Leg),
}
