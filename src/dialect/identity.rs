//! Who somebody is, for people: what the headers say (`sip::identity`) as the desk's words; and what servers add for desks.

use crate::parking::{Identity, SlotId, Text};
use crate::sip::identity::{self, Party, Source};
use crate::sip::message::{Headers, NameAddr};

/// The number and name in one address.
pub fn of_address(address: &NameAddr) -> Identity {
    let name = address.display.as_deref().unwrap_or_default();
    let number = address.uri.user.as_deref().unwrap_or_default();
    Identity::new(name, number)
}

/// What the server says of who is at the other end now, by the headers that are trusted. One that its owner withholds
/// can only be known again, not shown.
pub fn asserted(headers: &Headers, trusted: &[Source]) -> Option<Identity> {
    identity::asserted(headers, trusted).map(|party| of_party(&party))
}

fn of_party(party: &Party) -> Identity {
    match party.withheld && party.source != Source::From {
        true => Identity::withheld(party.address.uri.user.as_deref().unwrap_or_default()),
        false => of_address(&party.address),
    }
}

/// Who calls or writes, in a message that came from our own server.
pub fn caller(headers: &Headers, trusted: &[Source]) -> Identity {
    let Some(party) = identity::party(headers, trusted) else { return Identity::default() };
    let (named, from) = (of_party(&party), headers.from().map(|a| of_address(&a)));
    match from.filter(|_| party.source != Source::From) {
        // "anonymous" in From is the caller's wish (RFC 3323); the number behind it is not for the screen.
        Some(from) if from.is_withheld() && named.mark.is_none() => Identity::withheld(named.number.as_str()),
        // The same number: From may know its name.
        Some(from)
            if named.name.is_empty() && named.number == from.number && trusted.contains(&Source::From) =>
        {
            from
        }
        _ => named,
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
