//! URIs: `sip:`, `sips:`, `tel:`, and any other scheme kept whole (RFC 3261 19.1, RFC 3966).

use super::lexis;
use super::params::Params;
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// What a user part may hold unescaped (RFC 3261 25.1: `mark`, `user-unreserved`).
const USER_PLAIN: &str = "-_.!~*'()&=+$,;?/";
/// What a password may hold unescaped.
const PASSWORD_PLAIN: &str = "-_.!~*'()&=+$,";
/// What a telephone number may hold unescaped (RFC 3966 3: `phonedigit`, and `*#` of a local number).
const TEL_PLAIN: &str = "+-.()*#";
/// What a header of a URI may hold unescaped (RFC 3261 25.1: `hnv-unreserved`, `mark`).
const HEADER_PLAIN: &str = "[]/?:+$-_.!~*'()";
/// The most `?name=value` headers that a URI may carry.
const MAX_URI_HEADERS: usize = 16;

/// A URI's scheme.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// Any other, in lower case; the rest of such a URI is kept as it is in [`Uri::host`].
    Other(String),
}

/// A URI, its parts unescaped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uri {
    /// The scheme.
    pub scheme: Scheme,
    /// The user part, unescaped; of a `tel:` the number, with its `+`.
    pub user: Option<String>,
    /// The password, unescaped. Nobody should use one (RFC 3261 19.1.1); it is kept so that a URI stays what it was.
    pub password: Option<String>,
    /// Name or address; IPv6 in brackets; empty for `tel:`; everything behind the colon for an unknown scheme.
    pub host: String,
    /// The port, if one is named.
    pub port: Option<u16>,
    /// Parameters such as `transport`, `lr`, `user`.
    pub params: Params,
    /// `?name=value` headers, unescaped, such as `Replaces` in a Refer-To.
    pub headers: Vec<(String, String)>,
}

impl Uri {
    /// `sip:user@host`; `user` may be empty, and then there is none. `host` as in [`Uri::host`].
    pub fn sip(user: &str, host: &str) -> Self {
        Self {
            scheme: Scheme::Sip,
            user: (!user.is_empty()).then(|| user.to_owned()),
            password: None,
            host: host.to_owned(),
            port: None,
            params: Params::new(),
            headers: Vec::new(),
        }
    }

    /// `sip:user@address:port`, IPv6 bracketed.
    pub fn at(user: &str, address: SocketAddr) -> Self {
        let host = match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Self::sip(user, &host).with_port(address.port())
    }

    /// The same with that port.
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Reads a URI; `None` unless all of `text` is one.
    pub fn parse(text: &str) -> Option<Self> {
        let found = Found::read(text)?;
        Some(Self {
            scheme: found.scheme,
            user: found.user.map(Cow::into_owned),
            password: found.password.map(Cow::into_owned),
            host: found.host.to_owned(),
            port: found.port,
            params: Params::of_uri(found.params)?,
            headers: headers_of(found.headers).map(|part| part.map(owned)).collect::<Option<_>>()?,
        })
    }

    /// Whether [`Uri::parse`] would read all of `text`.
    pub(super) fn is_uri(text: &str) -> bool {
        Found::read(text).is_some_and(|found| {
            Params::are_of_uri(found.params)
                && (found.headers.is_empty() || headers_of(found.headers).all(|part| part.is_some()))
        })
    }

    /// Whether a request can be sent there: `sip:` or `sips:`.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The address to send to when the host is a literal IP address; port 5060 (`sips:` 5061) unless one is named.
    pub fn host_port_addr(&self) -> Option<SocketAddr> {
        let default = if self.scheme == Scheme::Sips { 5061 } else { 5060 };
        let port = self.port.unwrap_or(default);
        let host = self.host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&self.host);
        let ip: IpAddr = host.parse().ok()?;
        (port != 0 && self.is_sip()).then(|| SocketAddr::new(ip, port))
    }

    /// The value of the `?name=value` header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A URI in its text, its parts found and sound but for parameters and headers, which are still to be read.
struct Found<'a> {
    scheme: Scheme,
    user: Option<Cow<'a, str>>,
    password: Option<Cow<'a, str>>,
    host: &'a str,
    port: Option<u16>,
    params: &'a str,
    headers: &'a str,
}

impl<'a> Found<'a> {
    fn read(text: &'a str) -> Option<Self> {
        if !lexis::is_uri_text(text) {
            return None;
        }
        let (scheme, rest) = lexis::cut(text, b':')?;
        if scheme.eq_ignore_ascii_case("sip") {
            return Self::read_sip(Scheme::Sip, rest);
        }
        if scheme.eq_ignore_ascii_case("sips") {
            return Self::read_sip(Scheme::Sips, rest);
        }
        if scheme.eq_ignore_ascii_case("tel") {
            return Self::read_tel(rest);
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
        let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(plain);
        let scheme = Scheme::Other(scheme.to_ascii_lowercase());
        (named && !rest.is_empty()).then_some(Self { host: rest, ..Self::empty(scheme) })
    }

    fn empty(scheme: Scheme) -> Self {
        Self { scheme, user: None, password: None, host: "", port: None, params: "", headers: "" }
    }

    fn read_sip(scheme: Scheme, rest: &'a str) -> Option<Self> {
        // The user part may hold `;`, `?` and `/`, so it is cut off first (RFC 4475 3.1.1.2).
        let (userinfo, rest) = match lexis::cut(rest, b'@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (user, password) = match userinfo.map(|u| lexis::cut(u, b':').unwrap_or((u, ""))) {
            Some(("", _)) => return None,
            Some((user, "")) => (Some(lexis::unescape(user)?), None),
            Some((user, password)) => (Some(lexis::unescape(user)?), Some(lexis::unescape(password)?)),
            None => (None, None),
        };
        let (rest, headers) = lexis::cut(rest, b'?').unwrap_or((rest, ""));
        let (sent_by, params) = lexis::cut(rest, b';').unwrap_or((rest, ""));
        let (host, port) = lexis::host_port(sent_by)?;
        Some(Self { scheme, user, password, host, port, params, headers })
    }

    fn read_tel(rest: &'a str) -> Option<Self> {
        let (number, params) = lexis::cut(rest, b';').unwrap_or((rest, ""));
        let number = lexis::unescape(number)?;
        let dialled = |b: u8| b.is_ascii_alphanumeric() || TEL_PLAIN.as_bytes().contains(&b);
        let sound = !number.is_empty() && number.bytes().all(dialled);
        sound.then_some(Self { user: Some(number), params, ..Self::empty(Scheme::Tel) })
    }
}

/// The `?name=value` headers of a URI, unescaped; `None` for one that can't be read, and for one too many.
fn headers_of(text: &str) -> impl Iterator<Item = Option<(Cow<'_, str>, Cow<'_, str>)>> {
    text.split('&').filter(|part| !part.is_empty()).enumerate().map(|(at, part)| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if name.is_empty() || at >= MAX_URI_HEADERS {
            return None;
        }
        Some((lexis::unescape(name)?, lexis::unescape(value)?))
    })
}

fn owned((name, value): (Cow<'_, str>, Cow<'_, str>)) -> (String, String) {
    (name.into_owned(), value.into_owned())
}

/// A host as it may be printed: whoever made the `Uri` by hand can't break out of it.
fn plain_host(host: &str) -> Cow<'_, str> {
    if lexis::is_uri_text(host) {
        return Cow::Borrowed(host);
    }
    let foreign = |c: &char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"');
    Cow::Owned(host.chars().filter(|c| !foreign(c)).collect())
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scheme {
            Scheme::Sip => f.write_str("sip:")?,
            Scheme::Sips => f.write_str("sips:")?,
            Scheme::Tel => {
                let number = self.user.as_deref().unwrap_or_default();
                return write!(f, "tel:{}{}", lexis::escape(number, TEL_PLAIN), self.params.for_uri());
            }
            Scheme::Other(scheme) => {
                let scheme: String = scheme.chars().filter(char::is_ascii_graphic).collect();
                return write!(f, "{scheme}:{}", plain_host(&self.host));
            }
        }
        if let Some(user) = &self.user {
            write!(f, "{}", lexis::escape(user, USER_PLAIN))?;
            if let Some(password) = &self.password {
                write!(f, ":{}", lexis::escape(password, PASSWORD_PLAIN))?;
            }
            f.write_str("@")?;
        }
        f.write_str(&plain_host(&self.host))?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params.for_uri())?;
        for (at, (name, value)) in self.headers.iter().enumerate() {
            let separator = if at == 0 { '?' } else { '&' };
            let (name, value) = (lexis::escape(name, HEADER_PLAIN), lexis::escape(value, HEADER_PLAIN));
            write!(f, "{separator}{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_prints_as_it_was_read() {
        for text in [
            "sip:100@pbx.example",
            "sips:[2001:db8::1]:5061;transport=tls",
            "sip:a;b=c%40d@host:5070;lr;gr=urn:uuid:1",
            "tel:+15551234567;phone-context=x",
            "sip:102@pbx.example?Replaces=abc%40pbx%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces",
            "sip:sips%3Auser%40example.com@example.net",
            "sip:null-%00-null@example.com",
            "sip:u:p@h",
            "urn:service:sos",
        ] {
            let uri = Uri::parse(text).unwrap();
            assert_eq!(uri.to_string(), text);
            assert_eq!(Uri::parse(&uri.to_string()), Some(uri));
        }
    }

    #[test]
    fn parts_are_unescaped_once() {
        let uri = Uri::parse("sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31").unwrap();
        assert_eq!(uri.user.as_deref(), Some("caller"));
        assert!(uri.params.has("lr"));
        assert_eq!(uri.params.get("name"), Some("value%41"));
        let refer = Uri::parse("sip:102@p?Replaces=abc%40pbx%3Bto-tag%3D1").unwrap();
        assert_eq!(refer.header("replaces"), Some("abc@pbx;to-tag=1"));
    }

    #[test]
    fn a_hash_or_blank_in_a_dialled_number_is_escaped() {
        assert_eq!(Uri::sip("#72 1", "pbx").to_string(), "sip:%2372%201@pbx");
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for bad in [
            "",
            "sip:",
            "sip:@h",
            "100",
            "sip:a b@h",
            "sip:h:x",
            "sip:h:99999",
            "<sip:h>",
            "sip:%4@h",
            "tel:",
            "tel:a/b",
            "1:x",
        ] {
            assert_eq!(Uri::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn literal_addresses_can_be_sent_to() {
        let address = |text| Uri::parse(text).unwrap().host_port_addr().map(|a| a.to_string());
        assert_eq!(address("sip:a@127.0.0.1").as_deref(), Some("127.0.0.1:5060"));
        assert_eq!(address("sip:[::1]:5070").as_deref(), Some("[::1]:5070"));
        assert_eq!(address("sip:pbx.example"), None);
        assert_eq!(address("sip:127.0.0.1:0"), None);
    }

    #[test]
    fn a_hand_made_uri_cannot_inject_a_header() {
        let mut uri = Uri::sip("a\r\nEvil: 1", "h\r\nEvil: 2");
        uri.params.set("p\r\n", "\r\nEvil: 3");
        uri.headers.push(("x\r\n".into(), "\r\ny".into()));
        assert!(!uri.to_string().contains(['\r', '\n', ' ']));
    }
}
