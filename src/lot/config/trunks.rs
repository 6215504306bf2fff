//! Trunks: the lot's accounts at providers or at other phone systems. Nothing here reaches the outside by itself: calls
//! go out only for users who may, and only by a rule that matches the number.

use super::{LotConfig, MAX_TIME_S, hide_secret, read_secret};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// The most trunks.
pub const MAX_TRUNKS: usize = 8;
/// The most rules of one trunk, of either direction.
pub const MAX_RULES: usize = 64;
/// The longest number that is dialled outside, in digits (E.164 has 15; a prefix may stand before it).
pub const MAX_NUMBER: usize = 24;

/// One trunk.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkConfig {
    /// What the log calls it.
    pub name: String,
    /// The provider's server: a host or an address, with a port where it isn't the usual one. Without a port the host
    /// is looked up by NAPTR and SRV (RFC 3263).
    pub server: String,
    /// How it is spoken to.
    #[serde(default)]
    pub transport: TrunkTransport,
    /// Whether we register there; without, calls come because the other side knows our address.
    #[serde(default = "yes")]
    pub register: bool,
    /// The name of the account, and the user part of its address of record.
    pub username: String,
    /// The name for the digest, where it is another one.
    #[serde(default)]
    pub auth_username: Option<String>,
    /// The secret of the account. Never printed.
    #[serde(default, deserialize_with = "read_secret", serialize_with = "hide_secret")]
    pub secret: SecretString,
    /// The domain of the address of record; the server's host when absent.
    #[serde(default)]
    pub domain: Option<String>,
    /// The number that is shown to the people who are called; the account's name when absent.
    #[serde(default)]
    pub number: Option<String>,
    /// For how long a registration shall hold, in seconds.
    #[serde(default = "ten_minutes")]
    pub expires: u32,
    /// How many calls may be up over this trunk at once.
    #[serde(default = "eight")]
    pub max_calls: u16,
    /// Where calls go that come in, by the number that was called; the first rule that fits counts.
    #[serde(default)]
    pub inbound: Vec<InboundRule>,
    /// Which numbers go out here; the first rule that fits counts.
    #[serde(default)]
    pub outbound: Vec<OutboundRule>,
    /// The user whose message lamp shows that messages wait at the provider.
    #[serde(default)]
    pub mailbox: Option<String>,
}

/// How a trunk's server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrunkTransport {
    /// Datagrams.
    #[default]
    Udp,
    /// A connection.
    Tcp,
    /// An encrypted one, to a server that proves its name.
    Tls,
}

/// Where a call goes that comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboundRule {
    /// The number that was called, as the provider sends it; every number when absent.
    #[serde(default)]
    pub number: Option<String>,
    /// The extension that rings: a user's, a group's, or a park extension.
    pub to: String,
}

/// Which numbers go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboundRule {
    /// What a number begins with to fit, `"0"` for example; empty: anything.
    #[serde(default)]
    pub prefix: String,
    /// How many digits a number that fits has at least, the prefix included.
    #[serde(default = "three")]
    pub min_digits: u8,
    /// How many it has at most.
    #[serde(default = "most_digits")]
    pub max_digits: u8,
    /// How many characters are taken from its beginning …
    #[serde(default)]
    pub strip: u8,
    /// … and what is put there instead.
    #[serde(default)]
    pub prepend: String,
}

impl OutboundRule {
    /// What is dialled at the provider for this number; `None` when the rule doesn't fit.
    pub fn rewrite(&self, dialled: &str) -> Option<String> {
        let fits = is_number(dialled)
            && dialled.starts_with(&self.prefix)
            && (usize::from(self.min_digits)..=usize::from(self.max_digits)).contains(&dialled.len());
        let rest = dialled.get(usize::from(self.strip)..).filter(|rest| fits && !rest.is_empty())?;
        Some(format!("{}{rest}", self.prepend)).filter(|number| number.len() <= MAX_NUMBER)
    }
}

/// Whether that is a number as people dial it: digits, `*`, `#`, and `+` in front.
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty()
        && text.len() <= MAX_NUMBER
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#')
}

/// Two ways to write one number: without separators and without what stands for "international".
pub fn same_number(one: &str, other: &str) -> bool {
    let bare = |text: &str| {
        let kept: String = text.chars().filter(|c| !" -./()".contains(*c)).collect();
        let kept = kept.strip_prefix('+').or(kept.strip_prefix("00")).unwrap_or(&kept).to_owned();
        kept.to_ascii_lowercase()
    };
    bare(one) == bare(other)
}

impl TrunkConfig {
    /// The host and the port of the server.
    pub fn host_port(&self) -> Option<(String, Option<u16>)> {
        let uri = crate::sip::message::Uri::parse(&format!("sip:{}", self.server))?;
        let plain = uri.user.is_none() && uri.params.iter().next().is_none() && uri.headers.is_empty();
        (plain && !uri.host.is_empty()).then_some((uri.host, uri.port))
    }

    /// The domain of the address of record.
    pub fn domain(&self) -> String {
        let host = || self.host_port().map_or_else(|| self.server.clone(), |(host, _)| host);
        self.domain.clone().unwrap_or_else(host)
    }

    /// Whether both are one account: what else they say can change while it is open.
    pub fn is_same_account(&self, other: &Self) -> bool {
        let words = |t: &Self| {
            let names =
                [Some(t.name.clone()), Some(t.username.clone()), t.auth_username.clone(), t.domain.clone()];
            (names, t.server.clone(), t.transport, t.register, t.expires)
        };
        words(self) == words(other)
            && self.mailbox.is_some() == other.mailbox.is_some()
            && self.secret.expose_secret() == other.secret.expose_secret()
    }

    /// Where a call goes that was made to a number with these names.
    pub fn inbound_for(&self, called: &[String]) -> Option<&str> {
        let is_called = |number: &str| called.iter().any(|name| same_number(number, name));
        let fits = |rule: &&InboundRule| rule.number.as_deref().is_none_or(is_called);
        self.inbound.iter().find(fits).map(|rule| rule.to.as_str())
    }

    /// What is dialled here for a number; `None` when it doesn't go out here.
    pub fn outbound_for(&self, dialled: &str) -> Option<String> {
        self.outbound.iter().find_map(|rule| rule.rewrite(dialled))
    }

    fn problems(&self, path: &str, known: impl Fn(&str) -> bool, say: &mut impl FnMut(String, String)) {
        if self.host_port().is_none() {
            let message = "the server is a host or an address, with “:” and its port where needed";
            say(format!("{path}.server"), message.to_owned());
        }
        let word = |text: &str| {
            !text.is_empty()
                && text.len() <= 64
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
        };
        for (key, text) in [("username", Some(&self.username)), ("domain", self.domain.as_ref())] {
            if text.is_some_and(|text| !word(text)) {
                say(format!("{path}.{key}"), "letters, digits, “-”, “_”, “.” and “+”".to_owned());
            }
        }
        if self.number.as_deref().is_some_and(|number| !is_number(number)) {
            say(format!("{path}.number"), "a number: digits, with or without “+” in front".to_owned());
        }
        if !(60..=MAX_TIME_S).contains(&self.expires) {
            say(format!("{path}.expires"), format!("between 60 and {MAX_TIME_S} seconds"));
        }
        if self.max_calls == 0 {
            say(format!("{path}.max_calls"), "at least 1".to_owned());
        }
        if self.inbound.len() > MAX_RULES || self.outbound.len() > MAX_RULES {
            say(path.to_owned(), format!("at most {MAX_RULES} rules"));
        }
        for (n, rule) in self.inbound.iter().enumerate().filter(|(_, rule)| !known(&rule.to)) {
            let message = format!("“{}” is no user, no group and no park extension", rule.to);
            say(format!("{path}.inbound.{n}.to"), message);
        }
        for (n, rule) in self.outbound.iter().enumerate() {
            let path = format!("{path}.outbound.{n}");
            if !rule.prefix.is_empty() && !is_number(&rule.prefix) && rule.prefix != "+" {
                say(format!("{path}.prefix"), "digits, “*”, “#”, with or without “+” in front".to_owned());
            }
            if !rule.prepend.is_empty() && !is_number(&rule.prepend) && rule.prepend != "+" {
                say(format!("{path}.prepend"), "digits, “*”, “#”, with or without “+” in front".to_owned());
            }
            if rule.min_digits > rule.max_digits || usize::from(rule.max_digits) > MAX_NUMBER {
                say(format!("{path}.max_digits"), format!("between `min_digits` and {MAX_NUMBER}"));
            }
        }
    }
}

impl LotConfig {
    /// What is wrong with the trunks.
    pub(super) fn trunk_problems(&self, say: &mut impl FnMut(String, String)) {
        if self.trunks.len() > MAX_TRUNKS {
            say("trunks".to_owned(), format!("at most {MAX_TRUNKS} trunks"));
        }
        let group = |to: &str| self.groups.iter().any(|group| group.extension.as_str() == to);
        let lot = |to: &str| self.lots.iter().any(|lot| lot.parkext.as_str() == to);
        for (i, trunk) in self.trunks.iter().enumerate() {
            trunk.problems(&format!("trunks.{i}"), |to| self.is_user(to) || group(to) || lot(to), say);
            if self.trunks.iter().take(i).any(|other| other.name == trunk.name) {
                say(format!("trunks.{i}.name"), format!("there is a trunk “{}” already", trunk.name));
            }
            if trunk.mailbox.as_deref().is_some_and(|who| !self.is_user(who)) {
                say(format!("trunks.{i}.mailbox"), "this is no user and no user's extension".to_owned());
            }
        }
    }
}

fn yes() -> bool {
    true
}

fn three() -> u8 {
    3
}

fn eight() -> u16 {
    8
}

fn most_digits() -> u8 {
    20
}

fn ten_minutes() -> u32 {
    600
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_takes_what_fits_and_rewrites_it() {
        let rule: OutboundRule = toml::from_str("prefix='0'\nmin_digits=4\nstrip=1\nprepend='+49'").unwrap();
        assert_eq!(rule.rewrite("0301234").as_deref(), Some("+49301234"));
        for nothing in ["0", "012", "1301234", "0a23456", "", "+0301234", "0123456789012345678901"] {
            assert_eq!(rule.rewrite(nothing), None, "{nothing}");
        }
        let everything: OutboundRule = toml::from_str("").unwrap();
        assert_eq!(everything.rewrite("112").as_deref(), Some("112"));
        assert_eq!(everything.rewrite("11"), None, "too short to be meant");
    }

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        for (one, other, same) in [
            ("+49 30 123", "004930123", true),
            ("4930123", "+4930123", true),
            ("4930123", "4930124", false),
            ("", "1", false),
        ] {
            assert_eq!(same_number(one, other), same, "{one} {other}");
        }
    }
}
