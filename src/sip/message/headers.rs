//! The headers of a message: ordered, names without case, compact names expanded, and the typed readings of them.
//! rsip's `Headers` is the store; what goes in has been cleared of line ends here.

use super::lexis;
use super::method::Method;
use super::name_addr::NameAddr;
use super::via::Via;
use rsip::Header;
use rsip::headers::{UntypedHeader as _, untyped};
use std::borrow::Cow;
use std::fmt;

/// The most values that are read from one kind of list header (Via, Contact, Route, Allow …).
pub const MAX_LIST: usize = 128;

/// The headers that rsip has a kind of its own for, which keeps the value alone, and their usual spelling.
macro_rules! kinds {
    ($($kind:ident $name:literal),* $(,)?) => {
        /// Names in their usual spelling; those that nearly every message has come first.
        const KINDS: &[&str] = &[$($name),*];

        /// A header of the kind with that name, or the value back if there is none.
        fn of_kind(name: &str, value: String) -> Result<Header, String> {
            match name {
                $($name => Ok(Header::$kind(untyped::$kind::new(value))),)*
                _ => Err(value),
            }
        }

        /// Name and value of a header.
        fn parts(line: &Header) -> (&str, &str) {
            match line {
                $(Header::$kind(held) => ($name, held.value()),)*
                Header::Other(name, value) => (name, value),
                // Kinds that aren't in the table are never stored.
                _ => ("", ""),
            }
        }
    };
}

kinds! {
    Via "Via",
    From "From",
    To "To",
    CallId "Call-ID",
    CSeq "CSeq",
    Contact "Contact",
    ContentLength "Content-Length",
    ContentType "Content-Type",
    MaxForwards "Max-Forwards",
    UserAgent "User-Agent",
    Allow "Allow",
    Supported "Supported",
    Accept "Accept",
    AcceptEncoding "Accept-Encoding",
    AlertInfo "Alert-Info",
    Authorization "Authorization",
    CallInfo "Call-Info",
    ContentDisposition "Content-Disposition",
    ContentEncoding "Content-Encoding",
    Date "Date",
    Event "Event",
    Expires "Expires",
    MinExpires "Min-Expires",
    ProxyAuthenticate "Proxy-Authenticate",
    ProxyAuthorization "Proxy-Authorization",
    ProxyRequire "Proxy-Require",
    RecordRoute "Record-Route",
    Require "Require",
    RetryAfter "Retry-After",
    Route "Route",
    Server "Server",
    Subject "Subject",
    SubscriptionState "Subscription-State",
    Unsupported "Unsupported",
    Warning "Warning",
    WwwAuthenticate "WWW-Authenticate",
}

/// Further names that we write and compare often, in their usual spelling.
const KNOWN: [&str; 10] = [
    "Allow-Events",
    "Diversion",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Privacy",
    "Reason",
    "Refer-To",
    "Referred-By",
    "Remote-Party-ID",
    "Replaces",
];

/// The full name behind a compact one (RFC 3261 7.3.3 and the IANA registry).
fn expanded(letter: char) -> Option<&'static str> {
    Some(match letter {
        'a' => "Accept-Contact",
        'b' => "Referred-By",
        'c' => "Content-Type",
        'd' => "Request-Disposition",
        'e' => "Content-Encoding",
        'f' => "From",
        'i' => "Call-ID",
        'j' => "Reject-Contact",
        'k' => "Supported",
        'l' => "Content-Length",
        'm' => "Contact",
        'o' => "Event",
        'r' => "Refer-To",
        's' => "Subject",
        't' => "To",
        'u' => "Allow-Events",
        'v' => "Via",
        'x' => "Session-Expires",
        'y' => "Identity",
        _ => return None,
    })
}

/// The name in its usual spelling, without characters that no name has.
fn canonical(name: &str) -> Cow<'_, str> {
    let mut letters = name.chars();
    if let (Some(letter), None) = (letters.next(), letters.next())
        && let Some(full) = expanded(letter.to_ascii_lowercase())
    {
        return Cow::Borrowed(full);
    }
    if let Some(known) = KINDS.iter().chain(&KNOWN).find(|known| known.eq_ignore_ascii_case(name)) {
        return Cow::Borrowed(known);
    }
    match lexis::is_token(name) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(name.chars().filter(|c| lexis::is_token_char(*c)).collect()),
    }
}

/// The header of that name, in its usual spelling, and that value, which holds no line end.
fn header(name: &str, value: String) -> Header {
    // Most names come in their usual spelling.
    of_kind(name, value).unwrap_or_else(|value| {
        let name = canonical(name);
        of_kind(&name, value).unwrap_or_else(|value| Header::Other(name.into_owned(), value))
    })
}

/// So many headers have room without the store being moved while a message is read.
const USUAL: usize = 20;

/// Headers in their order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(rsip::Headers);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// No headers yet, and room for as many as a usual message has.
    pub(super) fn with_room() -> Self {
        Self(Vec::with_capacity(USUAL).into())
    }

    /// The value of the first header of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The values of all headers of that name, a header line each.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Appends a header; CR and LF in it are dropped, a compact name is expanded.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push(cleared(name, &value.into()));
    }

    /// Appends a header whose name is a token and whose value holds no line end, as the reader has made sure. Tells how
    /// long its line is when it is written.
    pub(super) fn push_read(&mut self, name: &str, value: &str) -> usize {
        let line = header(name, value.to_owned());
        let (name, value) = parts(&line);
        let length = name.len() + ": ".len() + value.len();
        self.0.push(line);
        length
    }

    /// Puts a header before all others.
    pub fn push_front(&mut self, name: &str, value: impl Into<String>) {
        let mut lines = vec![cleared(name, &value.into())];
        lines.extend(std::mem::take(&mut self.0));
        self.0 = lines.into();
    }

    /// Replaces all headers of that name by this one, in the place of the first.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let new = cleared(name, &value.into());
        let mut held = None;
        for line in self.0.iter_mut().filter(|line| is_named(line, name)) {
            held.get_or_insert(line);
        }
        let Some(line) = held else { return self.0.push(new) };
        *line = new;
        let mut first = true;
        self.0.retain(|line| !is_named(line, name) || std::mem::take(&mut first));
    }

    /// Takes away all headers of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|line| !is_named(line, name));
    }

    /// Takes Content-Length away, which follows from the body.
    pub(super) fn remove_length(&mut self) {
        self.0.retain(|line| !matches!(line, Header::ContentLength(_)));
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(parts)
    }

    /// The headers by their kinds, in order.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &Header> {
        self.0.iter()
    }

    /// The topmost Via.
    pub fn via(&self) -> Option<Via> {
        Via::parse(lexis::split_outside(self.get("Via")?, ',')?.next()?)
    }

    /// Every Via, topmost first; those that can't be read are left out.
    pub fn vias(&self) -> Vec<Via> {
        self.values("Via").filter_map(|value| Via::parse(&value)).collect()
    }

    /// From; a list of addresses is none.
    pub fn from(&self) -> Option<NameAddr> {
        NameAddr::parse(self.get("From")?)
    }

    /// To; a list of addresses is none.
    pub fn to(&self) -> Option<NameAddr> {
        NameAddr::parse(self.get("To")?)
    }

    /// Every Contact, comma lists split. Empty for `Contact: *`, which [`Headers::get`] tells.
    pub fn contacts(&self) -> Vec<NameAddr> {
        self.routes("Contact")
    }

    /// Call-ID.
    pub fn call_id(&self) -> Option<&str> {
        self.get("Call-ID").filter(|id| !id.is_empty())
    }

    /// CSeq: a number below 2³¹ and a method (RFC 3261 8.1.1.5).
    pub fn cseq(&self) -> Option<(u32, Method)> {
        cseq_of(self.get("CSeq")?)
    }

    /// Expires in seconds; one too large for 32 bits counts as the largest (RFC 3261 20.19), one that isn't a number
    /// as none.
    pub fn expires(&self) -> Option<u32> {
        let value = self.get("Expires")?;
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| value.parse().unwrap_or(u32::MAX))
    }

    /// Every address of a list header (Route, Record-Route, Contact …); those that can't be read are left out.
    pub fn routes(&self, name: &str) -> Vec<NameAddr> {
        self.values(name).filter_map(|value| NameAddr::parse(&value)).collect()
    }

    /// The address in the first header of that name: Refer-To, Referred-By, P-Asserted-Identity, Remote-Party-ID …
    pub fn name_addr(&self, name: &str) -> Option<NameAddr> {
        let line = self.get(name)?;
        if let Some(addr) = NameAddr::parse(line) {
            return Some(addr);
        }
        // P-Asserted-Identity may be a list of a sip: and a tel: URI (RFC 3325 9.1).
        lexis::split_outside(line, ',').and_then(|mut values| NameAddr::parse(values.next()?))
    }

    /// The comma-separated tokens of all headers of that name: Allow, Supported, Require …
    pub fn list(&self, name: &str) -> Vec<String> {
        self.values(name).filter(|value| !value.is_empty()).collect()
    }

    /// The comma-separated values of all headers of that name, trimmed, at most [`MAX_LIST`].
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        self.get_all(name)
            .flat_map(|line| lexis::split_outside(line, ',').into_iter().flatten())
            .map(|value| value.trim_ascii().to_owned())
            .take(MAX_LIST)
    }

    /// Writes the header lines, each with its line end; `Content-Length` is left out, the writer of the message adds it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in self.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("Content-Length")) {
            for piece in [name, ": ", value, "\r\n"] {
                out.extend_from_slice(piece.as_bytes());
            }
        }
    }

    /// How many bytes [`Headers::write`] writes at most.
    pub(super) fn written_length(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len() + 4).sum()
    }
}

/// What the value of a CSeq says.
pub(super) fn cseq_of(value: &str) -> Option<(u32, Method)> {
    let end = value.bytes().position(|octet| !octet.is_ascii_digit())?;
    let number = u32::try_from(lexis::number(&value[..end], (1 << 31) - 1)?).ok()?;
    let method = value[end..].strip_prefix(char::is_whitespace)?;
    Some((number, Method::read(method.trim_ascii_start())?))
}

/// Names whose values let somebody log in as us; never shown by `Debug`.
const SECRET: [&str; 2] = ["Authorization", "Proxy-Authorization"];

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value)| if SECRET.contains(&name) { (name, "…") } else { (name, value) };
        f.debug_map().entries(self.iter().map(shown)).finish()
    }
}

/// A header without what could end its line.
fn cleared(name: &str, value: &str) -> Header {
    header(name, lexis::without_line_ends(value).trim_ascii().to_owned())
}

fn is_named(line: &Header, name: &str) -> bool {
    parts(line).0.eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_without_case_and_compact_ones_expanded() {
        let mut headers = Headers::new();
        headers.push("v", "SIP/2.0/UDP a;branch=z9hG4bKx");
        headers.push("X-Own", "1");
        assert_eq!(headers.get("via"), Some("SIP/2.0/UDP a;branch=z9hG4bKx"));
        assert_eq!(headers.get("x-own"), Some("1"));
        assert_eq!(headers.via().unwrap().host, "a");
    }

    #[test]
    fn set_replaces_all_in_the_place_of_the_first() {
        let mut headers = Headers::new();
        for (name, value) in [("X-A", "1"), ("X-B", "2"), ("X-A", "3"), ("X-C", "4")] {
            headers.push(name, value);
        }
        headers.set("x-a", "5");
        headers.push_front("Via", "x");
        let held: Vec<_> = headers.iter().collect();
        assert_eq!(held, [("Via", "x"), ("x-a", "5"), ("X-B", "2"), ("X-C", "4")]);
    }

    #[test]
    fn lists_are_split_but_not_inside_quotations() {
        let mut headers = Headers::new();
        headers.push("Contact", r#""a, b" <sip:z@10.0.0.1>;expires=60, <sip:z@10.0.0.2>;q=0.5"#);
        headers.push("Allow", "INVITE,ACK , BYE");
        let contacts = headers.contacts();
        assert_eq!(contacts.len(), 2);
        assert_eq!(contacts[0].display.as_deref(), Some("a, b"));
        assert_eq!(headers.list("allow"), ["INVITE", "ACK", "BYE"]);
    }

    #[test]
    fn a_line_end_in_a_value_starts_no_header() {
        let mut headers = Headers::new();
        headers.push("X\r\nEvil", "1\r\nEvil: 2");
        let mut lines = Vec::new();
        headers.write(&mut lines);
        assert_eq!(lines, b"XEvil: 1Evil: 2\r\n");
    }

    #[test]
    fn debug_shows_no_credentials() {
        let mut headers = Headers::new();
        headers.push("Authorization", "Digest response=\"secret\"");
        assert!(!format!("{headers:?}").contains("secret"));
    }

    #[test]
    fn numbers_have_limits() {
        let mut headers = Headers::new();
        headers.push("CSeq", "36893488147419103232 REGISTER");
        headers.push("Expires", "100000000000000000000");
        assert_eq!(headers.cseq(), None);
        assert_eq!(headers.expires(), Some(u32::MAX));
    }
}
