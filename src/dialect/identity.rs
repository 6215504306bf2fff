//! Who somebody is, from the headers of a message: P-Asserted-Identity, Remote-Party-ID, From, in that order of trust.

use crate::parking::{Identity, SlotId, Text};
use crate::sip::message::{Headers, NameAddr};

/// The number and name in one address.
pub fn of_address(address: &NameAddr) -> Identity {
    let name = address.display.as_deref().unwrap_or_default();
    let number = address.uri.user.as_deref().unwrap_or_default();
    Identity::new(name, number)
}

/// The identity that the server vouches for (RFC 3325, or the older Remote-Party-ID). One that its owner withholds
/// can only be known again, not shown.
pub fn asserted(headers: &Headers) -> Option<Identity> {
    let asserted = headers.name_addr("P-Asserted-Identity");
    let rpid = || headers.name_addr("Remote-Party-ID");
    let private =
        |a: &NameAddr| a.params.get("privacy").is_some_and(|p| matches!(p, "full" | "name" | "uri"));
    let withheld = is_withheld(headers);
    let named = asserted.map(|a| (withheld, a)).or_else(|| rpid().map(|a| (withheld || private(&a), a)));
    named.map(|(withheld, address)| match withheld {
        true => Identity::withheld(address.uri.user.as_deref().unwrap_or_default()),
        false => of_address(&address),
    })
}

/// Whether the caller asked that nobody be told who he is (RFC 3323 §4.2, RFC 3325 §9.3).
fn is_withheld(headers: &Headers) -> bool {
    headers.get("Privacy").is_some_and(|v| v.split(';').any(|p| matches!(p.trim(), "id" | "user" | "header")))
}

/// The caller of an INVITE that came from our own server.
pub fn caller(headers: &Headers) -> Identity {
    let from = headers.from().map(|a| of_address(&a));
    match (asserted(headers), from) {
        // "anonymous" in From is the caller's wish (RFC 3323); the number behind it is not for the screen.
        (Some(asserted), Some(from)) if from.is_withheld() && asserted.mark.is_none() => {
            Identity::withheld(asserted.number.as_str())
        }
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
