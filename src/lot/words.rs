//! The lot's own headers and words: who somebody is, why something is refused, which slot and ticket.

use super::Lot;
use super::config::UserConfig;
use super::slots::{Departed, Departure, ParkRefusal, ParkedCall, Ticket};
use crate::parking::{Identity, Moment, SlotId, Text};
use crate::sip::CallKey;
use crate::sip::message::{Headers, NameAddr, Request, Uri};

/// `slot;lot="name";ticket=…`: where a call is parked. In the answer to a REFER that parks, and in a comeback.
pub const SLOT_HEADER: &str = "Parkdeck-Slot";
/// The ticket of a parked call: authority to retrieve it, and a check that it is still the same call.
pub const TICKET_HEADER: &str = "Parkdeck-Ticket";
/// The lot's dialog with a parked caller, as lamps tell it: a Call-ID, or all of it as the value of a Replaces. Names a
/// call where a ticket isn't known.
pub const CALL_HEADER: &str = "Parkdeck-Call";
/// The note of a parked call.
pub const NOTE_HEADER: &str = "Parkdeck-Note";
/// For how many seconds a call that comes back was parked.
pub const WAITED_HEADER: &str = "Parkdeck-Waited";

/// `<sip:701@host;ticket=…>`: what any phone can dial to get this very call, and no other.
pub const ORBIT_HEADER: &str = "Parkdeck-Orbit";
/// The parameter of such an address.
pub const ORBIT_TICKET: &str = "ticket";
/// Why a parked call comes back: `parking-time`, `returned` or `exit-key`, and the same in words as `text`.
pub const REASON_HEADER: &str = "Parkdeck-Reason";

/// A refusal: the status, and the reason in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub words: String,
}

impl Refusal {
    pub(super) fn new(status: u16, words: impl Into<String>) -> Self {
        Self { status, words: words.into() }
    }

    /// The same, said to somebody who has a call in hand.
    pub(super) fn and_the_call_stays(self) -> Self {
        Self { words: format!("{} The call stays with you.", self.words), ..self }
    }

    /// Says it twice: Warning (RFC 3261 20.43) for people, Reason (RFC 3326) for those who read only that.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let words = quotable(&self.words);
        vec![
            ("Warning".to_owned(), format!("399 parkdeck \"{words}\"")),
            ("Reason".to_owned(), format!("SIP;cause={};text=\"{words}\"", self.status)),
        ]
    }
}

impl From<ParkRefusal> for Refusal {
    fn from(refusal: ParkRefusal) -> Self {
        match refusal {
            // Not 503: that would say that the whole server is in trouble (RFC 3261 21.5.4).
            ParkRefusal::Full => Self::new(480, "The lot is full. The call stays with you."),
            ParkRefusal::Occupied(slot) => {
                Self::new(486, format!("Slot {slot} is occupied. The call stays with you."))
            }
            ParkRefusal::NoSuchSlot => Self::new(404, "There is no such slot. The call stays with you."),
        }
    }
}

/// Text as it may stand between double quotes in a header.
pub(super) fn quotable(text: &str) -> String {
    Text::new(text).as_str().replace(['"', '\\'], "'")
}

/// The slot header's value.
pub(super) fn slot_header(slot: &SlotId, lot: &str, ticket: &Ticket) -> (String, String) {
    let value = format!("{slot};lot=\"{}\";ticket={}", quotable(lot), ticket.as_str());
    (SLOT_HEADER.to_owned(), value)
}

/// Who a configured user is.
pub(super) fn identity_of(user: &UserConfig) -> Identity {
    Identity::new(user.label(), user.number())
}

/// Who an address is.
pub(super) fn identity_in(address: &NameAddr) -> Identity {
    Identity::new(
        address.display.as_deref().unwrap_or_default(),
        address.uri.user.as_deref().unwrap_or_default(),
    )
}

/// Whom somebody who speaks for others says the caller is: P-Asserted-Identity, else Remote-Party-ID, else From;
/// nobody when privacy is asked for (RFC 3323, 3325).
pub(super) fn asserted_in(headers: &Headers) -> Identity {
    let private =
        headers.list("Privacy").iter().any(|p| p.split(';').any(|p| p.trim() == "id" || p.trim() == "user"));
    if private {
        return Identity::default();
    }
    let named =
        ["P-Asserted-Identity", "Remote-Party-ID", "From"].iter().find_map(|name| headers.name_addr(name));
    named.map(|address| identity_in(&address)).unwrap_or_default()
}

/// What became of a call that somebody wants who comes too late.
pub(super) fn too_late(now: Moment, slot: &str, departed: Option<&Departed>) -> Refusal {
    let Some(departed) = departed else {
        return Refusal::new(404, format!("Nobody is parked in {slot}."));
    };
    let ago_s = now.saturating_sub(departed.at).as_secs();
    let who = departed.parkee.label();
    match &departed.how {
        Departure::Retrieved { by } => {
            Refusal::new(486, format!("{} took {who} from {} {ago_s} s ago.", by.label(), departed.slot))
        }
        Departure::CameBack { by } => {
            Refusal::new(486, format!("{who} came back to {} {ago_s} s ago.", by.label()))
        }
        Departure::FellBack { by } => {
            Refusal::new(486, format!("{who} went to {} {ago_s} s ago.", by.label()))
        }
        Departure::GaveUp => Refusal::new(404, format!("{who} hung up {ago_s} s ago.")),
        Departure::Lost => {
            Refusal::new(404, format!("{who} was lost {ago_s} s ago, when the lot restarted."))
        }
    }
}

/// The note that comes with a request.
pub(super) fn note_in(request: &Request) -> Text {
    Text::new(request.headers.get(NOTE_HEADER).unwrap_or_default())
}

impl Lot {
    /// The address of record of somebody, as other phones are shown it; anonymous when withheld.
    pub(super) fn address(&self, identity: &Identity) -> NameAddr {
        if identity.is_withheld() {
            return NameAddr::new(Uri::sip("anonymous", "anonymous.invalid")).with_display("Anonymous");
        }
        let number = if identity.number.is_empty() { "unknown" } else { identity.number.as_str() };
        NameAddr::new(Uri::sip(number, &self.config.realm)).with_display(identity.name.as_str())
    }

    /// Where a call is parked, for whoever parked it: the slot with its ticket, an address to hand on, and the same in
    /// words, for phones that show no more than a Warning (RFC 3261 20.43).
    pub(super) fn parked_headers(&self, lot: usize, parked: &ParkedCall<CallKey>) -> Vec<(String, String)> {
        let name = self.parking(lot).map(|parking| parking.name.clone()).unwrap_or_default();
        let mut orbit = Uri::at(parked.slot.as_str(), self.config.contact_address());
        orbit.params.set(ORBIT_TICKET, parked.ticket.as_str());
        let who = quotable(parked.parkee.label());
        vec![
            slot_header(&parked.slot, &name, &parked.ticket),
            (ORBIT_HEADER.to_owned(), format!("<{orbit}>")),
            ("Warning".to_owned(), format!("399 parkdeck \"{who} is parked on {}.\"", parked.slot)),
        ]
    }

    /// P-Asserted-Identity (RFC 3325), with Privacy when withheld.
    pub(super) fn asserted(&self, identity: &Identity) -> Vec<(String, String)> {
        let mut headers = vec![("P-Asserted-Identity".to_owned(), self.address(identity).to_string())];
        if identity.is_withheld() {
            headers.push(("Privacy".to_owned(), "id".to_owned()));
        }
        headers
    }
}
