//! Parking: REFER to the park extension or to a slot parks the other party of the call; INVITE to the park extension
//! parks the caller himself (and a REFER with Replaces then puts another into his place).

use super::Lot;
use super::config::Feature;
use super::legs::Place;
use super::notice::Notice;
use super::slots::{Arrival, ParkedCall, Parker, ParkingLot};
use super::words::{Refusal, identity_in, note_in};
use crate::parking::{Identity, Moment, SlotId, Text};
use crate::sip::message::Request;
use crate::sip::{CallKey, ReferKey};

impl Lot {
    /// Parks the party that `parker_leg` talks with, answers the REFER, and ends the parker's leg: that it ends is the
    /// proof that the call is parked.
    pub(super) fn park_peer(
        &mut self,
        now: Moment,
        parker_leg: CallKey,
        refer: ReferKey,
        request: &Request,
        lot: usize,
        slot: Option<&SlotId>,
    ) -> Result<(), Refusal> {
        let parked = self.park_other_end(now, parker_leg, lot, slot, note_in(request))?;
        let headers = self.parked_headers(lot, &parked);
        self.finish_refer(now, refer, request, headers);
        self.dismiss_parker(now, parker_leg, lot, &parked, false);
        self.announce(now, lot, &parked);
        Ok(())
    }

    /// Takes the party that `parker_leg` talks with into a slot; the parker's leg is left to whoever calls this.
    pub(super) fn park_other_end(
        &mut self,
        now: Moment,
        parker_leg: CallKey,
        lot: usize,
        slot: Option<&SlotId>,
        note: Text,
    ) -> Result<ParkedCall<CallKey>, Refusal> {
        let Some(leg) = self.legs.get(&parker_leg) else {
            return Err(Refusal::new(481, "The call is gone."));
        };
        let granted = self.is_granted(leg, Feature::ParkCall) == Some(true);
        let user = leg.user.clone().unwrap_or_default();
        let Some(peer) = leg.peer() else { return Err(Refusal::new(403, "There is nobody to park.")) };
        let parker = Parker { user, identity: leg.identity.clone() };
        if !granted {
            self.may_park(&parker.user, lot)?;
        }
        let Some(parkee) = self.legs.get(&peer).map(|leg| leg.identity.clone()) else {
            return Err(Refusal::new(481, "The call is gone."));
        };
        let arrival = Arrival { occupant: peer, parkee, parker, note };
        let Some(parking) = self.lots.get_mut(lot) else {
            return Err(Refusal::new(404, "There is no such lot."));
        };
        let parked = parking.park(now, slot, arrival)?.clone();
        self.seat(peer, &parked);
        Ok(parked)
    }

    /// 202 and, unless the phone wants none, the sipfrag that says it was done.
    pub(super) fn finish_refer(
        &mut self,
        now: Moment,
        refer: ReferKey,
        request: &Request,
        mut headers: Vec<(String, String)>,
    ) {
        let silent = wants_no_reports(request);
        if silent {
            headers.push(("Refer-Sub".to_owned(), "false".to_owned()));
        }
        self.agent.answer_refer(now, refer, 202, headers);
        if !silent {
            self.agent.report_refer(now, refer, 200);
        }
    }

    /// A phone calls the park extension: it is parked itself.
    pub(super) fn park_oneself(
        &mut self,
        now: Moment,
        call: CallKey,
        user: &str,
        lot: usize,
        request: &Request,
    ) -> Result<(), Refusal> {
        self.may_park(user, lot)?;
        self.park_himself(now, call, user, lot, None, request)
    }

    /// Parks a leg that called in, in that slot or in any; `user` is who is asked to take it back, nobody when empty.
    pub(super) fn park_himself(
        &mut self,
        now: Moment,
        call: CallKey,
        user: &str,
        lot: usize,
        slot: Option<&SlotId>,
        request: &Request,
    ) -> Result<(), Refusal> {
        let answer = self.answer_offer_of(call, None)?;
        let identity = self.legs.get(&call).map(|leg| leg.identity.clone()).unwrap_or_default();
        let sender = self.sender_of(user, request);
        let sent = sender.is_some();
        let parker = Parker { user: user.to_owned(), identity: sender.unwrap_or_else(|| identity.clone()) };
        let arrival = Arrival { occupant: call, parkee: identity, parker, note: note_in(request) };
        let Some(parking) = self.lots.get_mut(lot) else {
            return Err(Refusal::new(404, "There is no such lot."));
        };
        let parked = parking.park(now, slot, arrival).map_err(|refusal| {
            let said = Refusal::from(refusal);
            // He has no call to whom anything could stay.
            Refusal { words: said.words.replace(" The call stays with you.", ""), ..said }
        })?;
        let parked = parked.clone();
        let headers = self.parked_headers(lot, &parked);
        self.agent.accept_with(now, call, answer, headers);
        self.seat(call, &parked);
        if sent {
            // Whoever was sent here is told nothing; phones that are called to say the slot are, as for any park.
            self.announce(now, lot, &parked);
        } else {
            self.say_own_slot(call, lot, &parked);
        }
        Ok(())
    }

    /// Who sent a caller into the lot, where a server of ours says so (Referred-By, RFC 3892): behind a proxy or another
    /// phone system a transfer to the park extension arrives as a call of the transferee's.
    pub(super) fn sender_of(&self, user: &str, request: &Request) -> Option<Identity> {
        self.plan.user(user).filter(|user| user.speaks_for_others())?;
        let by = identity_in(&request.headers.name_addr("Referred-By")?);
        (!by.number.is_empty()).then_some(by)
    }

    /// A call has got a place in the slot book: its leg follows, the lamp lights.
    pub(super) fn seat(&mut self, call: CallKey, parked: &ParkedCall<CallKey>) {
        let dialog = self.agent.dialog_id(call);
        self.stop_recording(call);
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.dialog = dialog;
            (leg.prompt, leg.retrieved, leg.dials) = (None, None, false);
        }
        self.move_to(call, Place::Parked(parked.ticket.clone()));
        self.presence.touch(parked.slot.as_str());
        self.say(Notice::CallParked {
            slot: parked.slot.clone(),
            parkee: parked.parkee.clone(),
            by: parked.parker.identity.clone(),
        });
    }

    /// A call that somebody was about to take goes back into its slot.
    pub(super) fn put_back(&mut self, now: Moment, call: CallKey, taken: ParkedCall<CallKey>) {
        if !self.legs.contains_key(&call) {
            for lot in &mut self.lots {
                lot.release(&taken.ticket);
            }
            return;
        }
        let his = |lot: &ParkingLot<CallKey>| lot.keeps(&taken.ticket) || lot.has_slot(taken.slot.as_str());
        let lot = self.lots.iter().position(his).unwrap_or(0);
        let parker = taken.parker.user.clone();
        match self.lots.get_mut(lot).and_then(|lot| lot.put_back(now, taken).cloned()) {
            Some(parked) => {
                if let Some(leg) = self.legs.get_mut(&call) {
                    (leg.prompt, leg.retrieved, leg.dials) = (None, None, false);
                }
                self.move_to(call, Place::Parked(parked.ticket.clone()));
                self.gone.retain(|gone| gone.ticket != parked.ticket);
                self.presence.touch(parked.slot.as_str());
                self.say(Notice::CallPutBack { slot: parked.slot, parkee: parked.parkee });
            }
            None => self.strand(now, call, &parker),
        }
    }

    /// A caller without a place: into any free slot and from there back to whoever sent him; music until there is one.
    pub(super) fn strand(&mut self, now: Moment, call: CallKey, sent_by: &str) {
        let Some(leg) = self.legs.get_mut(&call) else { return };
        leg.sent_by = Some(sent_by.to_owned());
        let who = leg.identity.clone();
        self.move_to(call, Place::Stranded);
        self.seat_the_stranded(now);
        if self.legs.get(&call).is_some_and(|leg| leg.place == Place::Stranded) {
            self.say(Notice::Stranded { who });
        }
    }

    /// Parks those who wait for a place, as long as there is one; their time is over at once.
    pub(super) fn seat_the_stranded(&mut self, now: Moment) {
        let stranded: Vec<CallKey> =
            self.legs.iter().filter(|(_, leg)| leg.place == Place::Stranded).map(|(call, _)| *call).collect();
        for call in stranded {
            let Some(leg) = self.legs.get(&call) else { continue };
            let user = leg.sent_by.clone().unwrap_or_default();
            let identity = self.plan.user(&user).map(super::words::identity_of).unwrap_or_default();
            let parker = Parker { user, identity };
            let arrival =
                Arrival { occupant: call, parkee: leg.identity.clone(), parker, note: Default::default() };
            let parked = self.lots.iter_mut().find_map(|lot| {
                let parked = lot.seat(now, arrival.clone())?.clone();
                lot.hurry(now, &parked.ticket);
                Some(parked)
            });
            let Some(parked) = parked else { return };
            self.seat(call, &parked);
        }
    }

    /// When there is a place again for those who wait for one, if that is known.
    pub(super) fn next_seat(&self) -> Option<Moment> {
        self.legs.values().find(|leg| leg.place == Place::Stranded)?;
        self.lots.iter().filter_map(super::slots::ParkingLot::next_seat).min()
    }
}

/// `Refer-Sub: false` (RFC 4488).
pub(super) fn wants_no_reports(request: &Request) -> bool {
    request.headers.get("Refer-Sub").is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
}
