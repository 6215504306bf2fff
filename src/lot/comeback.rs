//! Comeback: a parked call whose time is over rings its parker, then the fallback, then waits again in its slot. It
//! never leaves the slot before somebody has answered, and can be retrieved all the while.

use super::Lot;
use super::attempts::Bell;
use super::config::{Key, ParkingConfig};
use super::hunt::{Callee, Step};
use super::legs::{Place, Purpose};
use super::notice::Notice;
use super::slots::{Departure, Due, ParkedCall, Parker, Return, Ticket};
use super::words::{NOTE_HEADER, REASON_HEADER, TICKET_HEADER, WAITED_HEADER, quotable, slot_header};
use crate::parking::Moment;
use crate::sip::CallKey;
use crate::sip::message::NameAddr;
use std::time::Duration;

impl Lot {
    /// Rings back every call whose time is over.
    pub(super) fn ring_back_overdue_calls(&mut self, now: Moment) {
        let due: Vec<Due> = self.lots.iter_mut().flat_map(|lot| lot.ring_back_due(now)).collect();
        for Due { ticket, awaited } in due {
            if awaited || !self.awaits_parker(now, &ticket) {
                self.ring_parker(now, &ticket);
            }
        }
    }

    /// Whether the comeback waits because its parker is on the phone, where the lot wants that.
    fn awaits_parker(&mut self, now: Moment, ticket: &Ticket) -> bool {
        let Some((lot, parked)) = self.parked(ticket) else { return false };
        let patient = |parking: &ParkingConfig| parking.comebackwhenidle && parking.comebacktoorigin;
        // Whether somebody behind a server talks is not known here.
        let known = matches!(self.callee_of(&parked.parker), Callee::User(_));
        if !known || !self.parking(lot).is_some_and(patient) || !self.is_on_the_phone(&parked.parker.user) {
            return false;
        }
        if let Some(parking) = self.lots.get_mut(lot) {
            parking.await_parker(now, ticket);
        }
        true
    }

    /// Rings the parkers who have hung up and are waited for.
    pub(super) fn ring_idle_parkers(&mut self, now: Moment) {
        if !self.lots.iter().any(|lot| lot.config().comebackwhenidle) {
            return;
        }
        let mut lots = std::mem::take(&mut self.lots);
        let free: Vec<Ticket> =
            lots.iter_mut().flat_map(|lot| lot.ring_back_idle(|user| self.is_on_the_phone(user))).collect();
        self.lots = lots;
        for ticket in free {
            self.ring_parker(now, &ticket);
        }
    }

    pub(super) fn is_on_the_phone(&self, user: &str) -> bool {
        let busy = |place: &Place| {
            matches!(place, Place::With(_) | Place::Asking(_) | Place::Dialled(_) | Place::Transferring(_))
        };
        self.legs.values().any(|leg| leg.user.as_deref() == Some(user) && busy(&leg.place))
    }

    /// A parked caller pressed the lot's exit key: whoever was rung for him is rung no more, and the fallback is. False
    /// when the key means nothing here.
    pub(super) fn leave_by_key(&mut self, now: Moment, ticket: &Ticket, key: char) -> bool {
        let Some((lot, parked)) = self.parked(ticket) else { return false };
        let Some(options) = self.parking(lot) else { return false };
        if options.exitkey.map(Key::letter) != Some(key)
            || self.fallback_for(options, &parked.parker.user).is_none()
            || parked.returns == Return::ExitKey
        {
            return false;
        }
        self.cancel_ringing_for(now, ticket, None);
        if let Some(parking) = self.lots.get_mut(lot) {
            parking.leave_waiting(ticket);
        }
        self.presence.touch(parked.slot.as_str());
        self.ring_fallback(now, ticket);
        true
    }

    /// Who gets the calls that this user parked in a lot with these options.
    fn fallback_for(&self, options: &ParkingConfig, parker: &str) -> Option<String> {
        let own = self.plan.user(parker).map(|parker| options.fallback_of(parker));
        own.unwrap_or(options.fallback.as_deref()).map(str::to_owned)
    }

    /// Who is rung for a parker: the user, or whoever he is behind a server.
    fn callee_of(&self, parker: &Parker) -> Callee {
        let number = parker.identity.number.as_str();
        match self.plan.user(&parker.user).filter(|user| user.speaks_for_others()) {
            Some(server) if !number.is_empty() && number != server.number() => {
                Callee::Behind { server: server.name.clone(), number: number.to_owned() }
            }
            _ => Callee::User(parker.user.clone()),
        }
    }

    fn ring_parker(&mut self, now: Moment, ticket: &Ticket) {
        let Some((lot, parked)) = self.parked(ticket) else { return };
        self.presence.touch(parked.slot.as_str());
        let Some(options) = self.parking(lot).cloned() else { return };
        // Who parked himself would only be joined with himself.
        let himself = self.legs.get(&parked.occupant).is_some_and(|leg| {
            leg.user.as_deref() == Some(&parked.parker.user) && leg.identity == parked.parker.identity
        });
        if !options.comebacktoorigin || himself {
            return self.ring_fallback(now, ticket);
        }
        let bell = self.comeback_bell(now, lot, &parked, &options, options.comebackdialtime);
        let purpose = Purpose::Comeback { ticket: ticket.clone() };
        let steps = [Step::of(self.callee_of(&parked.parker))].into();
        match self.ring(now, purpose, steps, &bell) {
            Ok(_) => {
                let to = parked.parker.identity.label().to_owned();
                self.say(Notice::RingingBack { slot: parked.slot, parkee: parked.parkee, to });
            }
            Err(_) => self.ring_fallback(now, ticket),
        }
    }

    /// The parker didn't take it, or isn't asked: the fallback, and with none the slot again.
    pub(super) fn ring_fallback(&mut self, now: Moment, ticket: &Ticket) {
        let Some((lot, parked)) = self.parked(ticket) else { return };
        let Some(options) = self.parking(lot).cloned() else { return };
        let Some(target) = self.fallback_for(&options, &parked.parker.user) else {
            return self.wait_again(now, ticket);
        };
        let bell = self.comeback_bell(now, lot, &parked, &options, options.fallbackdialtime);
        let purpose = Purpose::Fallback { ticket: ticket.clone() };
        match self.ring_written_down(now, purpose, &target, &bell) {
            Ok(_) => self.say(Notice::RingingBack { slot: parked.slot, parkee: parked.parkee, to: target }),
            Err(_) => self.wait_again(now, ticket),
        }
    }

    /// Nobody took it: another round in the slot.
    pub(super) fn wait_again(&mut self, now: Moment, ticket: &Ticket) {
        let waiting = self.lots.iter_mut().find_map(|lot| lot.wait_again(now, ticket));
        let said = waiting.map(|parked| (parked.slot.clone(), parked.parkee.clone()));
        if let Some((slot, parkee)) = said {
            self.presence.touch(slot.as_str());
            self.say(Notice::WaitsAgain { slot, parkee });
        }
    }

    /// Somebody answered a comeback or the fallback: he talks with the caller from now on.
    pub(super) fn comeback_answered(&mut self, now: Moment, ticket: &Ticket, by: CallKey, fell_back: bool) {
        let Some((_, parked)) = self.parked(ticket) else { return self.hang_up(now, by) };
        let who = self.legs.get(&by).map(|leg| leg.identity.clone()).unwrap_or_default();
        let how = if fell_back {
            Departure::FellBack { by: who.clone() }
        } else {
            Departure::CameBack { by: who.clone() }
        };
        let dialog = self.legs.get(&parked.occupant).and_then(|leg| leg.dialog.clone());
        self.remember_gone(dialog, ticket);
        for lot in &mut self.lots {
            lot.leave(now, ticket, how.clone());
        }
        self.presence.touch(parked.slot.as_str());
        self.join(parked.occupant, by);
        self.introduce(now, by, parked.occupant);
        let (slot, parkee) = (parked.slot, parked.parkee);
        self.say(if fell_back {
            Notice::FallbackReached { slot, parkee, by: who }
        } else {
            Notice::CameBack { slot, parkee, by: who }
        });
        self.seat_the_stranded(now);
    }

    pub(super) fn parked(&self, ticket: &Ticket) -> Option<(usize, ParkedCall<CallKey>)> {
        let found = self.lots.iter().enumerate().find_map(|(at, lot)| Some((at, lot.by_ticket(ticket)?)));
        found.map(|(at, parked)| (at, parked.clone()))
    }

    fn comeback_bell(
        &self,
        now: Moment,
        lot: usize,
        parked: &ParkedCall<CallKey>,
        options: &ParkingConfig,
        time_s: u32,
    ) -> Bell {
        Bell {
            from: self.comeback_from(parked, options.comebackprefix),
            caller: Some(parked.parker.user.clone()),
            headers: self.comeback_headers(now, lot, parked),
            codecs: super::sound::preferring(self.codec_of(parked.occupant), &super::sound::CODECS),
            time: Duration::from_secs(time_s.into()),
        }
    }

    /// From is the caller, so that the phone shows him; with the slot before his name if that is wanted.
    fn comeback_from(&self, parked: &ParkedCall<CallKey>, prefix: bool) -> NameAddr {
        let address = self.address(&parked.parkee);
        if prefix {
            address.with_display(&format!("{} {}", parked.slot, parked.parkee.label()))
        } else {
            address
        }
    }

    /// Why a call comes back: a word for programs, and a sentence for people.
    fn reminder(&self, now: Moment, parked: &ParkedCall<CallKey>) -> (&'static str, String) {
        let (slot, by, waited_s) = (&parked.slot, parked.parker.identity.label(), parked.waited_s(now));
        match parked.returns {
            Return::TimeOver => ("parking-time", format!("Parked on {slot} by {by} for {waited_s} s")),
            Return::SentBack => ("returned", format!("Sent back to {by}: nobody took the call")),
            Return::ExitKey => ("exit-key", format!("Asked out of {slot} after {waited_s} s")),
        }
    }

    fn comeback_headers(
        &self,
        now: Moment,
        lot: usize,
        parked: &ParkedCall<CallKey>,
    ) -> Vec<(String, String)> {
        let mut headers = self.asserted(&parked.parkee);
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
        if let Some(options) = self.parking(lot) {
            add("Alert-Info", format!("<{}>;info=park-return", options.comebackalertinfo));
            let (name, value) = slot_header(&parked.slot, &options.name, &parked.ticket);
            add(&name, value);
        }
        let (reason, text) = self.reminder(now, parked);
        add(REASON_HEADER, format!("{reason};text=\"{}\"", quotable(&text)));
        add("Subject", text);
        add(TICKET_HEADER, parked.ticket.as_str().to_owned());
        add(WAITED_HEADER, parked.waited_s(now).to_string());
        add("Referred-By", self.address(&parked.parker.identity).to_string());
        if !parked.note.is_empty() {
            add(NOTE_HEADER, parked.note.to_string());
        }
        headers
    }
}
