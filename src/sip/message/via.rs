//! Via: the road that a response takes back (RFC 3261 20.42, RFC 3581).

use super::lexis;
use super::params::Params;
use std::fmt;

/// One Via value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Via {
    /// `UDP`, `TCP`, `TLS` … as sent.
    pub transport: String,
    /// The sender's name or address; IPv6 in brackets.
    pub host: String,
    /// The sender's port, if named.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport` …
    pub params: Params,
}

impl Via {
    /// What a branch of RFC 3261 begins with.
    pub const MAGIC: &'static str = "z9hG4bK";

    /// The transaction's branch, if there is one that isn't empty.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// Reads one Via value; blanks around the slashes are allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let found = Found::read(text)?;
        Some(Self {
            transport: found.transport.to_owned(),
            host: found.host.to_owned(),
            port: found.port,
            params: Params::of_header(found.params)?,
        })
    }

    /// Whether [`Via::parse`] would read all of `text`, and its branch is none that says nothing: [`Via::MAGIC`] alone.
    pub(super) fn look(text: &str) -> Seen {
        let Some(found) = Found::read(text) else { return Seen::Unreadable };
        let mut branch = None;
        let sound = Params::each_of_header(found.params, |name, value| {
            if branch.is_none() && name.eq_ignore_ascii_case("branch") {
                branch = Some(value.is_some_and(|value| value == Self::MAGIC));
            }
        });
        match (sound, branch) {
            (false, _) => Seen::Unreadable,
            (true, Some(true)) => Seen::NoIdentifier,
            (true, _) => Seen::Sound,
        }
    }
}

/// What a look at a Via value shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It can be read.
    Sound,
    /// It can be read, and its branch is [`Via::MAGIC`] with nothing behind it.
    NoIdentifier,
    /// It can't be read.
    Unreadable,
}

/// A Via value in its text; the parameters are still to be read.
struct Found<'a> {
    transport: &'a str,
    host: &'a str,
    port: Option<u16>,
    params: lexis::Parts<'a>,
}

impl<'a> Found<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut params = lexis::split_outside(lexis::one_line(text)?.trim_ascii(), ';')?;
        let mut road = params.next()?.splitn(3, '/').map(str::trim_ascii);
        let (name, version, rest) = (road.next()?, road.next()?, road.next()?);
        if !name.eq_ignore_ascii_case("SIP") || !lexis::is_token(version) {
            return None;
        }
        let (transport, sent_by) = rest.split_once(char::is_whitespace)?;
        let (host, port) = lexis::host_port(sent_by)?;
        lexis::is_token(transport).then_some(Self { transport, host, port, params })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host: String = self.host.chars().filter(char::is_ascii_graphic).collect();
        write!(f, "SIP/2.0/{} {host}", lexis::without_line_ends(&self.transport))?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_via_full_of_blanks_is_read() {
        let via =
            Via::parse("SIP  / 2.0  / TCP     spindle.example.com   ; branch  =   z9hG4bK9ikj8  ").unwrap();
        assert_eq!((via.transport.as_str(), via.host.as_str()), ("TCP", "spindle.example.com"));
        assert_eq!(via.branch(), Some("z9hG4bK9ikj8"));
    }

    #[test]
    fn an_ipv6_via_prints_as_it_was_read() {
        let text = "SIP/2.0/UDP [2001:db8::9]:5060;received=2001:db8::10;rport;branch=z9hG4bKabc";
        let via = Via::parse(text).unwrap();
        assert_eq!(via.params.get("received"), Some("2001:db8::10"));
        assert_eq!(via.params.get("rport"), Some(""));
        assert_eq!(via.to_string(), text);
    }

    #[test]
    fn what_is_no_via_is_refused() {
        for bad in ["", ";", "SIP/2.0/UDP", "SIP/2.0 h", "HTTP/1.1/TCP h", "SIP/2.0/UDP a b"] {
            assert_eq!(Via::parse(bad), None, "{bad}");
        }
    }
}
