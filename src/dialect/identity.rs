//! Who somebody is, for people: what the headers say (`sip::identity`) as the desk's words; and what servers add for desks.

use crate::parking::{Identity, SlotId, Text};
use crate::sip::identity::{self, Party, Source};
use crate::sip::message::{Headers, NameAddr};
use crate::sip::ring;

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

/// Who asks that his call be answered at once: a user of one of these hosts, by the server's word and not by his own;
/// nobody who withholds his number.
pub fn asks_to_be_answered(headers: &Headers, trusted: &[Source], hosts: &[&str]) -> Option<Text> {
    if !ring::announcement(headers).wants_auto_answer {
        return None;
    }
    let party = identity::asserted(headers, trusted).filter(|party| !party.withheld)?;
    let uri = party.address.uri;
    let ours = uri.is_sip() && hosts.iter().any(|host| uri.host.eq_ignore_ascii_case(host));
    uri.user.filter(|user| ours && !user.is_empty()).map(|user| Text::new(&user))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_user_of_our_own_server_whom_it_asserts_can_ask_to_be_answered() {
        let ask = ("Call-Info", "<sip:pbx.example>;answer-after=0");
        let alert = ("Alert-Info", "<http://x>;info=alert-autoanswer");
        let sam = ("P-Asserted-Identity", "\"Sam\" <sip:sam@PBX.example>");
        let from = ("From", "<sip:sam@pbx.example>;tag=1");
        for (lines, asked) in [
            (vec![ask, sam], Some("sam")),
            (vec![alert, sam], Some("sam")),
            (vec![("Remote-Party-ID", "<sip:101@10.0.0.1>;party=calling"), ask], Some("101")),
            (vec![sam], None),
            (vec![ask, from], None),
            (vec![ask, ("P-Asserted-Identity", "<sip:sam@elsewhere.example>")], None),
            (vec![ask, ("P-Asserted-Identity", "<tel:+441>")], None),
            (vec![ask, ("P-Asserted-Identity", "<sip:pbx.example>")], None),
            (vec![ask, sam, ("Privacy", "id")], None),
        ] {
            let mut headers = Headers::new();
            lines.iter().for_each(|(name, value)| headers.push(name, *value));
            let told = asks_to_be_answered(&headers, &Source::ALL, &["pbx.example", "10.0.0.1"]);
            assert_eq!(told.as_ref().map(Text::as_str), asked, "{lines:?}");
            assert_eq!(asks_to_be_answered(&headers, &[Source::From], &["pbx.example"]), None);
        }
    }
}
