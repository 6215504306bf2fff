//! Pseudonyms: the same for the same number, name, host or dialog within one trace, and nothing of it left in them.

use super::MAX_PSEUDONYMS;
use super::scrub::BLANK;
use crate::sip::message::Scheme;
use crate::sip::message::{NameAddr, Params, Uri};
use crate::sip::replaces::Replaces;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a pseudonym stands for; also what it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Number,
    User,
    Name,
    Host,
    V4,
    V6,
    Call,
    Tag,
    Branch,
    Session,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::User => "user",
            Self::Name => "name",
            Self::Host | Self::V4 | Self::V6 => "host",
            Self::Call => "call",
            Self::Tag => "tag",
            Self::Branch => "branch",
            Self::Session => "session",
        }
    }
}

/// The pseudonyms given so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    given: BTreeMap<(Kind, String), usize>,
    counts: BTreeMap<Kind, usize>,
}

/// URI parameters that tell nothing about anybody; their values are words of the protocol.
const URI_PARAMS: [&str; 5] = ["transport", "lr", "user", "method", "ob"];
/// The words themselves.
const URI_WORDS: [&str; 10] = ["", "udp", "tcp", "tls", "ws", "wss", "sctp", "phone", "ip", "on"];
/// Header parameters with a number.
const COUNTING: [&str; 4] = ["expires", "q", "reg-id", "counter"];
/// Header parameters with a word of a protocol.
const WORDED: [&str; 5] = ["privacy", "screen", "party", "reason", "id-type"];

impl Names {
    fn count(&mut self, kind: Kind, text: &str) -> usize {
        if let Some(number) = self.given.get(&(kind, text.to_owned())) {
            return *number;
        }
        if self.given.len() >= MAX_PSEUDONYMS {
            return 0;
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        self.given.insert((kind, text.to_owned()), *count);
        *count
    }

    /// The pseudonym of `text`; none for nothing.
    pub(super) fn of(&mut self, kind: Kind, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        format!("{}-{}", kind.word(), self.count(kind, text))
    }

    /// A user part: a number is the same with and without its separators.
    pub(super) fn user(&mut self, user: &str) -> String {
        let bare: String = user.chars().filter(|c| !"-.() ".contains(*c)).collect();
        match !bare.is_empty() && bare.chars().all(|c| c.is_ascii_digit() || "+*#".contains(c)) {
            true => self.of(Kind::Number, &bare),
            false => self.of(Kind::User, &user.to_lowercase()),
        }
    }

    /// A display name; one that is a number is that number.
    pub(super) fn display(&mut self, name: &str) -> String {
        let number = name.chars().all(|c| c.is_ascii_digit() || "+*#-.() ".contains(c));
        if number { self.user(name) } else { self.of(Kind::Name, name) }
    }

    /// A host: an address becomes one for documentation, a name one that no resolver knows. No address stays none.
    pub(super) fn host(&mut self, host: &str) -> String {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        match bare.parse::<IpAddr>() {
            Ok(ip) if ip.is_unspecified() => ip.to_string(),
            Ok(IpAddr::V4(ip)) => match self.count(Kind::V4, &ip.to_string()) {
                number @ 1..=254 => format!("192.0.2.{number}"),
                number => format!("198.18.{}.{}", (number >> 8) & 255, number & 255),
            },
            Ok(IpAddr::V6(ip)) => format!("2001:db8::{:x}", self.count(Kind::V6, &ip.to_string())),
            Err(_) => format!("{}.invalid", self.of(Kind::Host, &bare.to_ascii_lowercase())),
        }
    }

    fn host_of_uri(&mut self, host: &str) -> String {
        let host = self.host(host);
        if host.contains(':') { format!("[{host}]") } else { host }
    }

    /// A URI, or that there was one.
    pub(super) fn uri_text(&mut self, text: &str) -> String {
        Uri::parse(text.trim()).map_or_else(|| BLANK.to_owned(), |uri| self.uri(&uri))
    }

    /// A URI.
    pub(super) fn uri(&mut self, uri: &Uri) -> String {
        let mut plain = Uri::sip("", "");
        plain.scheme = match &uri.scheme {
            Scheme::Other(_) => return format!("other:{BLANK}"),
            known => known.clone(),
        };
        plain.user = uri.user.as_deref().map(|user| self.user(user));
        if uri.scheme != Scheme::Tel {
            plain.host = self.host_of_uri(&uri.host);
            plain.port = uri.port;
        }
        for (name, value) in uri.params.iter() {
            let value = value.unwrap_or_default().to_ascii_lowercase();
            let known = URI_PARAMS.iter().find(|known| known.eq_ignore_ascii_case(name));
            match known.filter(|_| URI_WORDS.contains(&value.as_str())) {
                Some(name) if value.is_empty() => plain.params.set_flag(name),
                Some(name) => plain.params.set(name, value),
                None => {}
            }
        }
        if let Some(replaces) = uri.header("Replaces") {
            plain.headers.push(("Replaces".to_owned(), self.dialog(replaces)));
        }
        plain.to_string()
    }

    /// The value of a Replaces: a dialog.
    pub(super) fn dialog(&mut self, text: &str) -> String {
        let Some(mut replaces) = Replaces::read(text) else { return BLANK.to_owned() };
        replaces.call_id = self.of(Kind::Call, &replaces.call_id);
        replaces.to_tag = self.of(Kind::Tag, &replaces.to_tag);
        replaces.from_tag = self.of(Kind::Tag, &replaces.from_tag);
        replaces.to_string()
    }

    /// An address with display name and parameters.
    pub(super) fn address(&mut self, address: &NameAddr) -> String {
        let display = address.display.as_deref().map(|name| format!("\"{}\" ", self.display(name)));
        let uri = self.uri(&address.uri);
        format!("{}<{uri}>{}", display.unwrap_or_default(), self.params(&address.params))
    }

    /// The parameters of a header value that tell nothing, and tags.
    pub(super) fn params(&mut self, params: &Params) -> String {
        let mut kept = Params::new();
        for (name, value) in params.iter() {
            let lower = name.to_ascii_lowercase();
            let value = value.unwrap_or_default();
            match lower.as_str() {
                "tag" | "to-tag" | "from-tag" | "local-tag" | "remote-tag" => {
                    kept.set(&lower, self.of(Kind::Tag, value));
                }
                "branch" => kept.set(&lower, self.of(Kind::Branch, value)),
                "received" => kept.set(&lower, self.host(value)),
                "rport" if value.is_empty() => kept.set_flag("rport"),
                "rport" if value.parse::<u16>().is_ok() => kept.set(&lower, value),
                lower if COUNTING.contains(&lower) && value.parse::<f32>().is_ok() && value.len() < 9 => {
                    kept.set(lower, value);
                }
                lower if WORDED.contains(&lower) && is_word(value) => kept.set(lower, value),
                _ => {}
            }
        }
        kept.to_string()
    }
}

/// Whether that is a word of a protocol and nobody's name or number: letters and hyphens, from a short list of lengths.
pub(super) fn is_word(text: &str) -> bool {
    const WORDS: [&str; 22] = [
        "full",
        "off",
        "on",
        "yes",
        "no",
        "id",
        "none",
        "header",
        "session",
        "user",
        "calling",
        "called",
        "unconditional",
        "user-busy",
        "no-answer",
        "deflection",
        "unknown",
        "unavailable",
        "time-of-day",
        "do-not-disturb",
        "follow-me",
        "away",
    ];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(text.trim_matches('"')))
}
