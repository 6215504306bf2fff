//! Retrieving: INVITE to a slot, with or without a ticket, and INVITE with Replaces that names the parked dialog.
//! Of two who want the same call one gets it and the other is told who was quicker.

use super::Lot;
use super::legs::Place;
use super::notice::Notice;
use super::slots::{Departed, Departure, Ticket};
use super::words::{ORBIT_TICKET, Refusal, TICKET_HEADER, too_late};
use crate::parking::{Moment, SlotId};
use crate::sip::message::Request;
use crate::sip::replaces::Replaces;
use crate::sip::{CallKey, DialogId, Reason};

/// How many dialogs of parked calls are remembered after they have left their slot.
pub const MAX_GONE: usize = 256;

/// The dialog of a call that was parked, so that a Replaces that comes too late is told what became of it.
#[derive(Debug)]
pub(super) struct GoneDialog {
    pub dialog: DialogId,
    pub ticket: Ticket,
}

impl Lot {
    /// INVITE to a slot.
    pub(super) fn retrieve_from(
        &mut self,
        now: Moment,
        call: CallKey,
        user: &str,
        lot: usize,
        slot: &SlotId,
        request: &Request,
    ) -> Result<(), Refusal> {
        let in_uri = || request.uri.params.get(ORBIT_TICKET);
        if let Some(ticket) = request.headers.get(TICKET_HEADER).or_else(in_uri) {
            // Whoever shows the ticket of a call may have that call, wherever it is by now, and no other.
            let named = self.lots.iter().find_map(|lot| lot.by_ticket_text(ticket.trim()));
            let Some(ticket) = named.map(|parked| parked.ticket.clone()) else {
                let departed = self.lots.iter().find_map(|lot| lot.departed_by_ticket(ticket.trim()));
                return Err(match departed {
                    Some(_) => too_late(now, slot.as_str(), departed),
                    None => Refusal::new(404, "The call of that ticket is not here."),
                });
            };
            return self.retrieve(now, call, &ticket);
        }
        let Some(parking) = self.lots.get(lot) else {
            return Err(Refusal::new(404, "There is no such lot."));
        };
        let Some(parked) = parking.in_slot(slot.as_str()) else {
            let departed = parking.departed_lately(now, slot.as_str());
            return Err(self.too_late_for(now, user, lot, slot.as_str(), departed));
        };
        let (ticket, parker) = (parked.ticket.clone(), parked.parker.user.clone());
        self.may_retrieve(user, &parker, lot)?;
        self.retrieve(now, call, &ticket)
    }

    /// What became of the call that was in a slot: who was there and who took him is for those who may retrieve, the
    /// others hear that nobody is there.
    pub(super) fn too_late_for(
        &self,
        now: Moment,
        user: &str,
        lot: usize,
        slot: &str,
        departed: Option<&Departed>,
    ) -> Refusal {
        let permitted = self.sees(user, lot);
        too_late(now, slot, departed.filter(|_| permitted))
    }

    /// INVITE with Replaces (RFC 3891 3). To know a dialog is no authority to take it.
    pub(super) fn replace(
        &mut self,
        now: Moment,
        call: CallKey,
        user: &str,
        replaces: &Replaces,
    ) -> Result<(), Refusal> {
        let named = self.agent.find_call(replaces).filter(|named| *named != call);
        let Some((named, leg)) = named.and_then(|named| Some((named, self.legs.get(&named)?))) else {
            return Err(self.what_became_of(now, user, replaces));
        };
        if let Place::Parked(ticket) = leg.place.clone() {
            let Some((lot, parked)) = self.parked(&ticket) else {
                return Err(self.what_became_of(now, user, replaces));
            };
            self.may_retrieve(user, &parked.parker.user, lot)?;
            if replaces.early_only {
                return Err(Refusal::new(486, "The dialog is confirmed."));
            }
            return self.retrieve(now, call, &ticket);
        }
        if let Some(attempt) = self.attempt_about(named) {
            return self.take_named(now, call, user, attempt);
        }
        // A user may go on with his own call on another of his phones, and with nobody else's.
        match leg.peer() {
            Some(peer) if leg.user.as_deref() == Some(user) => {
                if replaces.early_only {
                    return Err(Refusal::new(486, "The dialog is confirmed."));
                }
                self.take_over(now, call, named, peer)
            }
            _ if self.gone.iter().any(|gone| gone.is(replaces)) => {
                Err(self.what_became_of(now, user, replaces))
            }
            _ => Err(Refusal::new(403, "That call is not yours.")),
        }
    }

    /// Why a Replaces names nothing that could be taken: 486 when somebody took it, 603 when it is over (RFC 3891 3),
    /// 481 when it was never here. Only those who may retrieve are told who.
    fn what_became_of(&self, now: Moment, user: &str, replaces: &Replaces) -> Refusal {
        let never = Refusal::new(481, "There is no such call.");
        let Some(gone) = self.gone.iter().rev().find(|gone| gone.is(replaces)) else { return never };
        let departed = self.lots.iter().enumerate();
        let departed = departed.map(|(lot, parking)| (lot, parking.departed_by_ticket(gone.ticket.as_str())));
        match departed.into_iter().find_map(|(lot, departed)| departed.filter(|_| self.sees(user, lot))) {
            Some(departed) => {
                let told = too_late(now, departed.slot.as_str(), Some(departed));
                let status = if matches!(departed.how, Departure::GaveUp | Departure::Lost) {
                    603
                } else {
                    told.status
                };
                Refusal { status, ..told }
            }
            None => never,
        }
    }

    /// Takes a parked call out and joins it with the leg that called for it. All checks have been made.
    pub(super) fn retrieve(
        &mut self,
        now: Moment,
        retriever: CallKey,
        ticket: &Ticket,
    ) -> Result<(), Refusal> {
        let Some((lot, parked)) = self.parked(ticket) else {
            return Err(Refusal::new(404, "The call is not here any more."));
        };
        let (caller, slot, parkee) = (parked.occupant, parked.slot, parked.parkee);
        let by = self.legs.get(&retriever).map(|leg| leg.identity.clone()).unwrap_or_default();
        // First everything that can fail.
        let codec = self.codec_of(caller);
        let answer = self.answer_offer_of(retriever, codec)?;
        self.cancel_ringing_for(now, ticket, Some(Reason::answered_elsewhere()));
        let dialog = self.legs.get(&caller).and_then(|leg| leg.dialog.clone());
        self.remember_gone(dialog, ticket);
        let how = Departure::Retrieved { by: by.clone() };
        let taken = self.lots.iter_mut().find_map(|lot| lot.lend(now, ticket, how.clone()));
        if let Some(leg) = self.legs.get_mut(&retriever) {
            leg.takes = taken;
        }
        let headers = self.asserted(&parkee);
        self.agent.accept_with(now, retriever, answer, headers);
        self.join(caller, retriever);
        self.note_retrieve(lot, caller, retriever);
        self.introduce(now, retriever, caller);
        self.presence.touch(slot.as_str());
        self.say(Notice::CallRetrieved { slot, parkee, by });
        Ok(())
    }

    /// The same user goes on with his call on another phone.
    fn take_over(&mut self, now: Moment, call: CallKey, old: CallKey, peer: CallKey) -> Result<(), Refusal> {
        if self.is_in_transfer(&[Some(old), Some(peer)]) {
            return Err(Refusal::new(491, "A transfer is under way."));
        }
        let codec = self.codec_of(peer);
        let answer = self.answer_offer_of(call, codec)?;
        let headers = self.legs.get(&peer).map(|leg| self.asserted(&leg.identity)).unwrap_or_default();
        self.agent.accept_with(now, call, answer, headers);
        let taken = self.legs.get_mut(&old).and_then(|leg| leg.takes.take());
        if let (Some(taken), Some(leg)) = (taken, self.legs.get_mut(&call)) {
            leg.takes = Some(taken);
        }
        self.hang_up(now, old);
        self.join(call, peer);
        Ok(())
    }

    /// Remembers the dialog of a parked call that is leaving its slot.
    pub(super) fn remember_gone(&mut self, dialog: Option<DialogId>, ticket: &Ticket) {
        let Some(dialog) = dialog else { return };
        if self.gone.len() >= MAX_GONE {
            self.gone.pop_front();
        }
        self.gone.push_back(GoneDialog { dialog, ticket: ticket.clone() });
    }
}

impl GoneDialog {
    fn is(&self, replaces: &Replaces) -> bool {
        let d = &self.dialog;
        d.call_id == replaces.call_id && d.local_tag == replaces.to_tag && d.remote_tag == replaces.from_tag
    }
}
