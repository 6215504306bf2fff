//! Notes on parked calls: MESSAGE to the slot, plain text or JSON, bound to the call that the writer saw. A MESSAGE to
//! a user is relayed (`relay`).

use super::Lot;
use super::notice::Notice;
use super::plan::Destination;
use super::slots::Ticket;
use super::words::{CALL_HEADER, Refusal, TICKET_HEADER};
use crate::parking::{Moment, Text};
use crate::sip::Peer;
use crate::sip::message::{Method, Request};
use crate::sip::replaces::Replaces;
use crate::sip::{CallKey, RequestKey};
use serde::Deserialize;

/// The longest body of a MESSAGE that is read, in bytes.
pub const MAX_NOTE_BODY: usize = 4_096;

#[derive(Deserialize)]
struct JsonNote {
    note: String,
}

impl Lot {
    /// A MESSAGE.
    pub(super) fn on_message(&mut self, now: Moment, key: RequestKey, from: Peer, request: &Request) {
        let user = match self.prove(now, from, request) {
            Ok(user) => user,
            Err((status, headers)) => return self.agent.answer(now, key, status, headers, Vec::new()),
        };
        if let Some(Destination::User(to)) =
            self.destination_for(&user, request.uri.user.as_deref().unwrap_or_default())
        {
            return self.relay(now, key, from, &user, &to, request);
        }
        match self.write_note(now, &user, request) {
            Ok(()) => self.agent.answer(now, key, 200, Vec::new(), Vec::new()),
            Err(refusal) => {
                self.agent.answer(now, key, refusal.status, refusal.headers(), Vec::new());
                self.note_refusal(Method::Message, from, Some(user), &refusal);
            }
        }
    }

    fn write_note(&mut self, now: Moment, user: &str, request: &Request) -> Result<(), Refusal> {
        let extension = request.uri.user.clone().unwrap_or_default();
        let Some(Destination::Slot { lot, slot }) = self.destination_for(user, &extension) else {
            return Err(Refusal::new(404, "There is nobody to write to; notes are written on slots."));
        };
        let note = read_note(request)?;
        let ticket = self.noted_call(now, user, lot, slot.as_str(), request)?;
        let Some((lot, parked)) = self.parked(&ticket) else {
            return Err(Refusal::new(404, "The call is gone."));
        };
        if !self.sees(user, lot) && parked.parker.user != user {
            return Err(Refusal::new(403, "You may not write on that call."));
        }
        for lot in &mut self.lots {
            lot.annotate(&ticket, note.clone());
        }
        self.presence.touch(parked.slot.as_str());
        self.say(Notice::NoteWritten { slot: parked.slot, by: user.to_owned() });
        Ok(())
    }

    /// The call that a note is for: the one in the slot, provided it is the one that the writer names.
    fn noted_call(
        &self,
        now: Moment,
        user: &str,
        lot: usize,
        slot: &str,
        request: &Request,
    ) -> Result<Ticket, Refusal> {
        let named_ticket = request.headers.get(TICKET_HEADER).map(str::trim);
        let named_call = request.headers.get(CALL_HEADER).map(str::trim);
        if named_ticket.is_none() && named_call.is_none() {
            return Err(Refusal::new(400, "Name the call: Parkdeck-Ticket or Parkdeck-Call."));
        }
        let Some(parking) = self.lots.get(lot) else {
            return Err(Refusal::new(404, "There is no such lot."));
        };
        let Some(parked) = parking.in_slot(slot) else {
            return Err(self.too_late_for(now, user, lot, slot, parking.departed_lately(now, slot)));
        };
        let same = named_ticket.is_none_or(|ticket| ticket == parked.ticket.as_str())
            && named_call.is_none_or(|call| self.is_dialog_of(parked.occupant, call));
        if same { Ok(parked.ticket.clone()) } else { Err(Refusal::new(404, "Another call is there now.")) }
    }

    /// Whether `name`, a bare Call-ID or the value of a Replaces, names the lot's dialog with this leg.
    fn is_dialog_of(&self, leg: CallKey, name: &str) -> bool {
        match Replaces::read(name) {
            Some(replaces) => self.agent.find_call(&replaces) == Some(leg),
            None => self.agent.dialog_id(leg).is_some_and(|dialog| dialog.call_id == name),
        }
    }
}

/// The note in a body: text as it is, or the `note` of a JSON object.
fn read_note(request: &Request) -> Result<Text, Refusal> {
    if request.body.len() > MAX_NOTE_BODY {
        return Err(Refusal::new(413, "The note is too long."));
    }
    let kind =
        request.headers.get("Content-Type").and_then(|t| t.split(';').next()).unwrap_or("text/plain").trim();
    match kind.to_ascii_lowercase().as_str() {
        "text/plain" => Ok(Text::from_bytes(&request.body)),
        "application/json" => serde_json::from_slice::<JsonNote>(&request.body)
            .map(|json| Text::new(&json.note))
            .map_err(|_| Refusal::new(400, "An object with a `note` is wanted.")),
        _ => Err(Refusal::new(415, "Text or JSON is wanted.")),
    }
}
