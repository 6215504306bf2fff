//! Who is at the other end, by the headers that say so: P-Asserted-Identity (RFC 3325), Remote-Party-ID, From, in the
//! order in which an account trusts them. Only for messages from the account's own server: anybody else may claim
//! any name.

use super::message::{Headers, NameAddr};

/// The most addresses that are read from one header.
const MAX_ADDRESSES: usize = 8;

/// What names somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// P-Asserted-Identity: the server vouches for it.
    Asserted,
    /// Remote-Party-ID: its older form.
    RemoteParty,
    /// From: the caller's own word.
    From,
}

impl Source {
    /// All of them, the most trustworthy first.
    pub const ALL: [Self; 3] = [Self::Asserted, Self::RemoteParty, Self::From];
}

/// Who somebody is, as far as a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The address; of several the first with a name, or the first.
    pub address: NameAddr,
    /// What said so.
    pub source: Source,
    /// Whether he asked that nobody be told (RFC 3323, RFC 3325 9.3): to be known again, not to be shown.
    pub withheld: bool,
}

/// Who a message is from, by the first of `trusted` that says so.
pub fn party(headers: &Headers, trusted: &[Source]) -> Option<Party> {
    trusted.iter().find_map(|source| by(headers, *source))
}

/// Who a server says is at the other end now; From is no news inside a dialog.
pub fn asserted(headers: &Headers, trusted: &[Source]) -> Option<Party> {
    trusted.iter().filter(|source| **source != Source::From).find_map(|source| by(headers, *source))
}

fn by(headers: &Headers, source: Source) -> Option<Party> {
    let (address, withheld) = match source {
        Source::Asserted => (best(headers.routes("P-Asserted-Identity"))?, is_private(headers)),
        Source::RemoteParty => {
            // RFC draft-ietf-sip-privacy: several parties may be told of; the one who calls is the default.
            let party =
                |a: &NameAddr| a.params.get("party").is_none_or(|p| p.eq_ignore_ascii_case("calling"));
            let told = headers.routes("Remote-Party-ID");
            let address = told.iter().find(|a| party(a)).or(told.first()).cloned()?;
            let hidden = address.params.get("privacy").is_some_and(|value| {
                value.split(['-', ';', ',']).any(|word| matches!(word.trim(), "full" | "name" | "uri"))
            });
            (address, hidden || is_private(headers))
        }
        Source::From => {
            let from = headers.from()?;
            let anonymous = from.uri.host.eq_ignore_ascii_case("anonymous.invalid");
            (from, anonymous)
        }
    };
    Some(Party { address, source, withheld })
}

/// P-Asserted-Identity may hold a `sip:` and a `tel:` address (RFC 3325 9.1).
fn best(addresses: Vec<NameAddr>) -> Option<NameAddr> {
    let addresses: Vec<NameAddr> = addresses.into_iter().take(MAX_ADDRESSES).collect();
    let named = addresses.iter().position(|a| a.display.is_some()).unwrap_or(0);
    addresses.into_iter().nth(named)
}

/// Whether the caller asked that nobody be told who he is (RFC 3323 4.2, RFC 3325 9.3).
pub fn is_private(headers: &Headers) -> bool {
    let hides = |word: &str| ["id", "user", "header"].iter().any(|w| word.trim().eq_ignore_ascii_case(w));
    headers.get("Privacy").is_some_and(|value| value.split([';', ',']).any(hides))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        lines.iter().for_each(|(name, value)| headers.push(name, *value));
        headers
    }

    #[test]
    fn the_first_trusted_header_that_is_there_names_the_caller() {
        let all = headers(&[
            ("From", "\"Liar\" <sip:1@x>;tag=1"),
            ("Remote-Party-ID", "\"Old\" <sip:2@x>;party=calling;privacy=off"),
            ("P-Asserted-Identity", "\"Jane\" <sip:3@x>"),
        ]);
        let user = |trusted: &[Source]| party(&all, trusted).and_then(|p| p.address.uri.user);
        assert_eq!(user(&Source::ALL).as_deref(), Some("3"));
        assert_eq!(user(&[Source::RemoteParty, Source::Asserted]).as_deref(), Some("2"));
        assert_eq!(user(&[Source::From]).as_deref(), Some("1"), "what is left out isn't believed");
        assert_eq!(user(&[]), None);
        assert_eq!(asserted(&all, &[Source::From]), None);
    }

    #[test]
    fn of_a_sip_and_a_tel_address_the_one_with_a_name_counts() {
        // RFC 3325 9.1 and 10.2.
        let lines =
            [("P-Asserted-Identity", "<tel:+14085264000>, \"Cullen Jennings\" <sip:fluffy@cisco.com>")];
        let party = party(&headers(&lines), &Source::ALL).unwrap();
        assert_eq!(party.address.display.as_deref(), Some("Cullen Jennings"));
    }

    #[test]
    fn who_asks_for_privacy_has_it_whatever_the_spelling() {
        for (name, value, withheld) in [
            ("Privacy", "id", true),
            ("Privacy", "critical; ID", true),
            ("Privacy", "none", false),
            ("Privacy", "session", false),
        ] {
            let told = headers(&[("P-Asserted-Identity", "<sip:3@x>"), (name, value)]);
            assert_eq!(party(&told, &Source::ALL).unwrap().withheld, withheld, "{value}");
        }
        for (privacy, withheld) in [("full", true), ("full-network", true), ("off", false), ("name", true)] {
            let told = headers(&[("Remote-Party-ID", &format!("<sip:2@x>;privacy={privacy}"))]);
            assert_eq!(party(&told, &Source::ALL).unwrap().withheld, withheld, "{privacy}");
        }
        let anonymous = headers(&[("From", "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1")]);
        assert!(party(&anonymous, &Source::ALL).unwrap().withheld);
    }
}
