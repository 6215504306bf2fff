//! Who somebody is, from the headers of a message: P-Asserted-Identity, Remote-Party-ID, From, in that order of trust.

use crate::parking::{Identity, SlotId, Text};
use crate::sip::message::{Headers, NameAddr};

/// The number and name in one address.
pub fn of_address(address: &NameAddr) -> Identity {
    let name = address.display.as_deref().unwrap_or_default();
    let number = address.uri.user.as_deref().unwrap_or_default();
    Identity::new(name, number)
}

/// The identity that the server vouches for (RFC 3325, or the older Remote-Party-ID).
pub fn asserted(headers: &Headers) -> Option<Identity> {
    let named = headers.name_addr("P-Asserted-Identity").or_else(|| headers.name_addr("Remote-Party-ID"));
    named.map(|a| of_address(&a))
}

/// The caller of an INVITE that came from our own server.
pub fn caller(headers: &Headers) -> Identity {
    let from = headers.from().map(|a| of_address(&a));
    let asserted = asserted(headers);
    match (asserted, from) {
        // "anonymous" in From is the caller's wish (RFC 3323); the number behind it is not for the screen.
        (Some(_), Some(from)) if from.is_withheld() => Identity::default(),
        (Some(asserted), Some(from)) if asserted.name.is_empty() && asserted.number == from.number => from,
        (Some(asserted), _) => asserted,
        (None, Some(from)) => from,
        (None, None) => Identity::default(),
    }
}

/// What an INVITE says of a comeback: the slot and the seconds waited.
pub fn comeback(headers: &Headers) -> Option<(Option<SlotId>, u32)> {
    let slot = headers.get("Parkdeck-Slot").or_else(|| headers.get("X-Park-Slot"));
    let slot = slot.and_then(|v| SlotId::new(v.split(';').next().unwrap_or_default().trim()));
    let returned = headers.get("Alert-Info").is_some_and(|v| v.contains("info=park-return"));
    if slot.is_none() && !returned {
        return None;
    }
    let waited = headers.get("Parkdeck-Waited").and_then(|v| v.trim().parse().ok()).unwrap_or(0);
    Some((slot, waited))
}

/// The note that our lot sends along.
pub fn note(headers: &Headers) -> Text {
    headers.get("Parkdeck-Note").map(Text::new).unwrap_or_default()
}
