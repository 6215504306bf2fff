//! REFER: the same dial plan as INVITE. To a slot or the park extension it parks; to a user it is a blind transfer;
//! with Replaces it joins with, or puts into the place of, another call of the same user.

use super::Lot;
use super::attempts::Bell;
use super::legs::{Place, Purpose, TRANSFER_RING_TIME};
use super::notice::Notice;
use super::park::wants_no_reports;
use super::plan::Destination;
use super::slots::{Arrival, Parker};
use super::words::{Refusal, identity_of, note_in};
use crate::parking::Moment;
use crate::sip::Peer;
use crate::sip::message::{Method, Request};
use crate::sip::replaces::Replaces;
use crate::sip::{CallKey, ReferKey};

impl Lot {
    /// Somebody wants the party he talks with to be sent somewhere.
    pub(super) fn on_refer(
        &mut self,
        now: Moment,
        call: Option<CallKey>,
        refer: ReferKey,
        request: &Request,
        from: Peer,
    ) {
        let call = match call.filter(|call| self.legs.contains_key(call)) {
            Some(call) => Ok(call),
            None => self.refer_target_dialog(now, from, request),
        };
        let call = match call {
            Ok(call) => call,
            Err((status, headers)) => return self.agent.answer_refer(now, refer, status, headers),
        };
        let user = self.legs.get(&call).and_then(|leg| leg.user.clone());
        if let Err(refusal) = self.carry_out_refer(now, call, refer, request, from) {
            self.agent.answer_refer(now, refer, refusal.status, refusal.headers());
            if let Some(leg) = self.legs.get_mut(&call) {
                leg.refused_at = Some(now);
            }
            self.note_refusal(Method::Refer, from, user, &refusal);
        }
    }

    /// A REFER outside a dialog: only with a password, and only for a call of one's own that Target-Dialog names
    /// (RFC 4538).
    fn refer_target_dialog(
        &mut self,
        now: Moment,
        from: Peer,
        request: &Request,
    ) -> Result<CallKey, (u16, Vec<(String, String)>)> {
        let user = self.prove(now, from, request)?;
        let refusal = Refusal::new(403, "That call is not yours.");
        // The same three words as Replaces, in other names: seen from the sender, remote-tag is our local one.
        let named = request.headers.get("Target-Dialog").and_then(|value| {
            let value = value.replace("local-tag", "from-tag").replace("remote-tag", "to-tag");
            self.agent.find_call(&Replaces::read(&value)?)
        });
        let own = |call: &CallKey| self.legs.get(call).is_some_and(|leg| leg.user.as_deref() == Some(&user));
        named.filter(own).ok_or((refusal.status, refusal.headers()))
    }

    fn carry_out_refer(
        &mut self,
        now: Moment,
        call: CallKey,
        refer: ReferKey,
        request: &Request,
        from: Peer,
    ) -> Result<(), Refusal> {
        let Some(leg) = self.legs.get(&call) else { return Err(Refusal::new(481, "The call is gone.")) };
        let Some(user) = leg.user.clone() else {
            return Err(Refusal::new(403, "You may not transfer calls."));
        };
        // Inside a dialog the sender is who began it, as long as he sends from the same place.
        if leg.source != from && !self.registrar.knows(&user, from) {
            return Err(Refusal::new(403, "This call came from somewhere else."));
        }
        // Whoever sends a call on has really taken it.
        self.on_confirmed(now, call);
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.takes = None;
        }
        let target = request.headers.name_addr("Refer-To");
        let Some(target) = target.map(|target| target.uri).filter(crate::sip::message::Uri::is_sip) else {
            return Err(Refusal::new(400, "Refer-To can't be read."));
        };
        if target.params.get("method").is_some_and(|method| !method.eq_ignore_ascii_case("INVITE")) {
            return Err(Refusal::new(403, "Only calls can be transferred."));
        }
        let peer = self.legs.get(&call).and_then(super::legs::Leg::peer);
        if self.is_in_transfer(&[Some(call), peer]) {
            return Err(Refusal::new(491, "A transfer is under way."));
        }
        let destination = self.reach_destination(&user, target.user.as_deref().unwrap_or_default());
        if let Some(value) = target.header("Replaces") {
            let replaces =
                Replaces::read(value).ok_or_else(|| Refusal::new(400, "Replaces can't be read."))?;
            return self.transfer_attended(now, call, refer, request, &user, &replaces, destination.as_ref());
        }
        match destination {
            Some(Destination::Park { lot }) => self.park_peer(now, call, refer, request, lot, None),
            Some(Destination::Slot { lot, slot }) => {
                self.park_peer(now, call, refer, request, lot, Some(&slot))
            }
            Some(destination) => self.transfer_blind(now, call, refer, request, &user, &destination),
            None => {
                let dialled = target.user.as_deref().unwrap_or_default();
                let destination = self.outside_for(&user, dialled).map_err(Refusal::and_the_call_stays)?;
                self.transfer_blind(now, call, refer, request, &user, &destination)
            }
        }
    }

    fn transfer_blind(
        &mut self,
        now: Moment,
        call: CallKey,
        refer: ReferKey,
        request: &Request,
        user: &str,
        destination: &Destination,
    ) -> Result<(), Refusal> {
        let silent = wants_no_reports(request);
        self.ring_for_transfer(now, call, user, destination, (!silent).then_some(refer))?;
        let answer = if silent { vec![("Refer-Sub".to_owned(), "false".to_owned())] } else { Vec::new() };
        self.agent.answer_refer(now, refer, 202, answer);
        Ok(())
    }

    /// Rings the recipient of a blind transfer; `refer` is told how it goes.
    pub(super) fn ring_for_transfer(
        &mut self,
        now: Moment,
        call: CallKey,
        user: &str,
        destination: &Destination,
        refer: Option<ReferKey>,
    ) -> Result<(), Refusal> {
        let Some(peer) = self.legs.get(&call).and_then(|leg| leg.peer()) else {
            return Err(Refusal::new(403, "There is nobody to transfer."));
        };
        let Some(who) = self.legs.get(&peer).map(|leg| leg.identity.clone()) else {
            return Err(Refusal::new(481, "The call is gone."));
        };
        let mut headers = self.asserted(&who);
        if let Some(by) = self.plan.user(user).map(identity_of) {
            headers.push(("Referred-By".to_owned(), self.address(&by).to_string()));
        }
        let purpose =
            Purpose::Transfer { transferee: peer, transferor: Some(call), refer, sent_by: user.to_owned() };
        let codecs = super::sound::preferring(self.codec_of(peer), &super::sound::CODECS);
        let caller = Some(user.to_owned());
        let bell = Bell { from: self.address(&who), caller, headers, codecs, time: TRANSFER_RING_TIME };
        let steps = self.steps_to(destination);
        self.ring(now, purpose, steps, &bell)?;
        Ok(())
    }

    /// Whether somebody is being rung to take over one of these: until that is decided they stay where they are.
    pub(super) fn is_in_transfer(&self, calls: &[Option<CallKey>]) -> bool {
        calls.iter().flatten().any(|call| self.transfer_of(*call).is_some())
    }

    /// The attempt that transfers `call`, or that `call` has asked for.
    fn transfer_of(&self, call: CallKey) -> Option<super::legs::AttemptId> {
        let concerns = |purpose: &Purpose| match purpose {
            Purpose::Transfer { transferee, transferor, .. } => {
                *transferee == call || *transferor == Some(call)
            }
            _ => false,
        };
        self.attempts.iter().find(|(_, attempt)| concerns(&attempt.purpose)).map(|(id, _)| *id)
    }

    /// The recipient of a blind transfer answered.
    pub(super) fn transfer_answered(
        &mut self,
        now: Moment,
        transferee: CallKey,
        transferor: Option<CallKey>,
        refer: Option<ReferKey>,
        by: CallKey,
    ) {
        if let Some(refer) = refer {
            self.agent.report_refer(now, refer, 200);
        }
        if let Some(transferor) = transferor {
            self.hang_up(now, transferor);
        }
        self.join(transferee, by);
        self.introduce(now, by, transferee);
        self.note_transfer(transferee, by);
    }

    fn note_transfer(&mut self, who: CallKey, to: CallKey) {
        let identity = |call| self.legs.get(&call).map(|leg| leg.identity.clone()).unwrap_or_default();
        let notice = Notice::CallTransferred { who: identity(who), to: identity(to) };
        self.say(notice);
    }

    /// Nobody answered a blind transfer: the call stays with its sender; if he is gone, it comes back to him.
    pub(super) fn transfer_failed(
        &mut self,
        now: Moment,
        transferee: CallKey,
        transferor: Option<CallKey>,
        refer: Option<ReferKey>,
        sent_by: &str,
        status: u16,
    ) {
        if let Some(refer) = refer {
            self.agent.report_refer(now, refer, status);
        }
        if transferor.is_none() {
            self.strand(now, transferee, sent_by);
        }
    }

    /// `gone` hung up and `peer` is being transferred by him: `peer` stays. False when it isn't so.
    pub(super) fn transferor_left(&mut self, gone: CallKey, peer: CallKey) -> bool {
        let Some(id) = self.transfer_of(gone) else { return false };
        let Some(attempt) = self.attempts.get_mut(&id) else { return false };
        match &mut attempt.purpose {
            Purpose::Transfer { transferor, transferee, .. }
                if *transferor == Some(gone) && *transferee == peer =>
            {
                *transferor = None;
                self.move_to(peer, Place::Transferring(id));
                true
            }
            _ => false,
        }
    }

    /// `gone` hung up while he was being transferred: nobody is rung for him any more.
    pub(super) fn transferee_left(&mut self, now: Moment, gone: CallKey) {
        let Some(id) = self.transfer_of(gone) else { return };
        if let Some(Purpose::Transfer { refer: Some(refer), .. }) =
            self.attempts.get(&id).map(|a| a.purpose.clone())
        {
            self.agent.report_refer(now, refer, 487);
        }
        self.cancel_attempt(now, id, None);
    }

    /// REFER with Replaces: both calls must be the sender's own. Never answered 481, which would say that the call in
    /// which the REFER came is gone (RFC 3261 12.2.1.2): the phone would hang up on the caller.
    #[allow(clippy::too_many_arguments)]
    fn transfer_attended(
        &mut self,
        now: Moment,
        call: CallKey,
        refer: ReferKey,
        request: &Request,
        user: &str,
        replaces: &Replaces,
        destination: Option<&Destination>,
    ) -> Result<(), Refusal> {
        let Some(peer) = self.legs.get(&call).and_then(|leg| leg.peer()) else {
            return Err(Refusal::new(403, "There is nobody to transfer."));
        };
        let named = self.agent.find_call(replaces).filter(|named| *named != call && *named != peer);
        let Some((other, leg)) = named.and_then(|named| Some((named, self.legs.get(&named)?))) else {
            return Err(Refusal::new(404, "There is no such call. The call stays with you."));
        };
        if leg.user.as_deref() != Some(user) {
            return Err(Refusal::new(403, "That call is not yours. The call stays with you."));
        }
        if self.is_in_transfer(&[Some(other), leg.peer()]) {
            return Err(Refusal::new(491, "A transfer is under way."));
        }
        let parks = matches!(destination, Some(Destination::Park { .. } | Destination::Slot { .. }));
        match leg.place.clone() {
            Place::Parked(ticket) => {
                let Some(parkee) = self.legs.get(&peer).map(|leg| leg.identity.clone()) else {
                    return Err(Refusal::new(481, "The call is gone."));
                };
                let lot = self.lot_with(&ticket).unwrap_or_default();
                self.may_park(user, lot)?;
                let identity = self.plan.user(user).map(identity_of).unwrap_or_default();
                let parker = Parker { user: user.to_owned(), identity };
                let arrival = Arrival { occupant: peer, parkee, parker, note: note_in(request) };
                self.cancel_ringing_for(now, &ticket, None);
                let parking = self.lots.get_mut(lot);
                let swapped = parking.and_then(|parking| parking.swap(now, &ticket, arrival).cloned());
                let Some(parked) = swapped else { return Err(Refusal::new(481, "The call is gone.")) };
                self.seat(peer, &parked);
                let headers = self.parked_headers(lot, &parked);
                self.finish_refer(now, refer, request, headers);
                self.announce(now, lot, &parked);
            }
            // He means to park; the slot he was in has been emptied meanwhile. Nobody is joined by mistake.
            _ if parks => {
                return Err(Refusal::new(404, "You are not parked there any more. The call stays with you."));
            }
            Place::With(third) if third != peer && third != call => {
                self.finish_refer(now, refer, request, Vec::new());
                self.join(peer, third);
                self.introduce(now, third, peer);
                self.introduce(now, peer, third);
                self.note_transfer(peer, third);
            }
            _ => {
                return Err(Refusal::new(480, "The other call isn't answered yet. The call stays with you."));
            }
        }
        self.hang_up(now, call);
        self.hang_up(now, other);
        Ok(())
    }
}
