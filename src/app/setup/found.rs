//! What is known so far of account and lot, and the configuration that follows from it.

use super::write::{self, PasswordPlace};
use crate::config::{Config, TransportChoice, slot_list};
use crate::dialect::Preset;
use crate::parking::SlotId;
use std::path::PathBuf;

/// The slots that are looked for first, and the extension that parks: Asterisk's own, and our lot's.
pub(super) const USUAL_SLOTS: &str = "701-720";
/// The extension that parks.
pub(super) const USUAL_PARK: &str = "700";
/// What is assumed of a server before it has said what it is.
const UNKNOWN: &str = "generic";

/// What is known so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub server: String,
    pub user: String,
    /// Another than what the server's records say.
    pub transport: Option<TransportChoice>,
    pub dialect: String,
    pub park_extension: String,
    pub slots: Vec<SlotId>,
    /// The server told the lamps of these very slots.
    pub slots_told: bool,
    /// What the server calls itself.
    pub product: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub verify: bool,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            server: String::new(),
            user: String::new(),
            transport: None,
            dialect: UNKNOWN.to_owned(),
            park_extension: USUAL_PARK.to_owned(),
            slots: slot_list([USUAL_SLOTS]).unwrap_or_default(),
            slots_told: false,
            product: None,
            ca_file: None,
            verify: true,
        }
    }
}

impl Found {
    /// The configuration so far. Its password source is never read.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn config(&self) -> Result<Config, String> {
        let text = write::text(self, &PasswordPlace::Environment("PARKDECK_SETUP".to_owned()));
        Config::parse(&text, "the answer").map_err(|error| match error.problems.first() {
            Some(problem) => problem.meaning.clone(),
            None => error.to_string(),
        })
    }
}

/// The dialect of a server, by what it calls itself; `None`: nobody knows.
pub(super) fn dialect_of(product: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 8] = [
        ("parkdeck", "parkdeck"),
        ("asterisk", "asterisk"),
        ("fpbx", "asterisk"),
        ("freepbx", "asterisk"),
        ("freeswitch", "freeswitch"),
        ("portsip", "portsip"),
        ("broadworks", "broadworks"),
        ("broadsoft", "broadworks"),
    ];
    let product = product.to_lowercase();
    KNOWN.iter().find(|(word, _)| product.contains(word)).map(|(_, dialect)| *dialect)
}

/// The dialects that can be named, for a question.
pub(super) fn dialects() -> String {
    Preset::names().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_what_it_calls_itself() {
        for (product, dialect) in [
            ("Asterisk PBX 22.10.1", Some("asterisk")),
            ("FPBX-16.0.40(18.9)", Some("asterisk")),
            ("FreeSWITCH-mod_sofia/1.10", Some("freeswitch")),
            ("parkdeck/0.1.0", Some("parkdeck")),
            ("kamailio (5.6.3)", None),
        ] {
            assert_eq!(dialect_of(product), dialect, "{product}");
        }
        assert!(Preset::named(UNKNOWN).is_some());
    }

    #[test]
    fn what_cannot_be_an_answer_is_refused_in_words() {
        let with = |server: &str, user: &str| {
            Found { server: server.into(), user: user.into(), ..Found::default() }.config()
        };
        assert!(with("pbx.test", "reception").is_ok());
        for (server, user) in
            [("", "reception"), ("pbx.test", ""), ("pbx test", "x"), ("pbx:99999", "x"), ("x\n[lot]", "y")]
        {
            let why = with(server, user).unwrap_err();
            assert!(!why.is_empty() && !why.contains('\n'), "{server:?} {user:?}: {why}");
        }
    }
}
