//! The lexical rules that all header readers share: tokens, quoted strings, separators, percent escapes (RFC 3261 25.1).
//! Nothing here knows a header by name.

use memchr::{memchr, memchr2};
use std::borrow::Cow;
use std::fmt;

/// May stand in a token (RFC 3261 25.1).
const TOKEN: u8 = 1;
/// May stand in a host's name.
const HOST: u8 = 2;
/// Ends a URI, or must be escaped in one wherever it stands: blanks, controls, `<`, `>`, `"`.
const OUTSIDE_URI: u8 = 4;

/// Changes what a separator means, or is one: quotation marks, backslash, brackets, comma, semicolon.
const STRUCTURE: u8 = 8;

/// What each octet may be: looked up for every octet that is read.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let c = octet as u8;
        if c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_') {
            classes[octet] |= TOKEN | HOST;
        }
        if matches!(c, b'!' | b'%' | b'*' | b'+' | b'`' | b'\'' | b'~') {
            classes[octet] |= TOKEN;
        }
        if c <= b' ' || matches!(c, 127 | b'<' | b'>' | b'"') {
            classes[octet] |= OUTSIDE_URI;
        }
        if matches!(c, b'"' | b'\\' | b'<' | b'>' | b',' | b';') {
            classes[octet] |= STRUCTURE;
        }
        octet += 1;
    }
    classes
};

fn is(octet: u8, class: u8) -> bool {
    CLASSES[usize::from(octet)] & class != 0
}

/// Whether `octet` may stand in a token (RFC 3261 25.1).
pub(in crate::sip) fn is_token_octet(octet: u8) -> bool {
    is(octet, TOKEN)
}

/// Whether `c` may stand in a token (RFC 3261 25.1).
pub(in crate::sip) fn is_token_char(c: char) -> bool {
    u8::try_from(c).is_ok_and(|octet| is(octet, TOKEN))
}

/// Whether `text` is a token: at least one character, all of them token characters.
pub(in crate::sip) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| is(octet, TOKEN))
}

/// Whether every character of `text` may stand in a URI, escaped or not: no blanks, controls, brackets, quotation marks.
pub(in crate::sip) fn is_uri_text(text: &str) -> bool {
    // In one pass without branches: most URIs are short and sound.
    let (classes, octets) = text
        .bytes()
        .fold((0, 0), |(classes, octets), octet| (classes | CLASSES[usize::from(octet)], octets | octet));
    let foreign = |c: char| c.is_whitespace() || c.is_control();
    classes & OUTSIDE_URI == 0 && (octets.is_ascii() || !text.contains(foreign))
}

/// Without the two characters that could start a header of its own: nothing we print can be split in two lines.
pub(in crate::sip) fn single_line(text: &str) -> String {
    without_line_ends(text).into_owned()
}

/// The same, borrowed when there is nothing to take away.
pub(in crate::sip) fn without_line_ends(text: &str) -> Cow<'_, str> {
    if one_line(text).is_some() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect())
}

/// `text` if no line ends in it: the value of a header never holds one, so neither does anything that is read from it.
pub(in crate::sip) fn one_line(text: &str) -> Option<&str> {
    memchr2(b'\r', b'\n', text.as_bytes()).is_none().then_some(text)
}

/// The parts of a text between separators that stand neither in a quoted string nor between `<` and `>`.
#[derive(Clone, Debug)]
pub(in crate::sip) struct Parts<'a> {
    rest: Option<&'a str>,
    separator: u8,
    /// Whether there is neither a quotation mark nor a bracket, so that every separator separates.
    plain: bool,
    /// Whether the part given last ended outside of a quotation.
    closed: bool,
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest?;
        if self.plain {
            let at = memchr(self.separator, text.as_bytes());
            self.rest = at.map(|at| &text[at + 1..]);
            return Some(&text[..at.unwrap_or(text.len())]);
        }
        let (mut quoted, mut escaped, mut angled) = (false, false, false);
        for (at, octet) in text.bytes().enumerate() {
            match octet {
                _ if escaped => escaped = false,
                octet if !is(octet, STRUCTURE) => {}
                b'\\' if quoted => escaped = true,
                b'"' if !angled => quoted = !quoted,
                _ if quoted => {}
                b'<' => angled = true,
                b'>' => angled = false,
                octet if octet == self.separator && !angled => {
                    self.rest = Some(&text[at + 1..]);
                    return Some(&text[..at]);
                }
                _ => {}
            }
        }
        self.closed = !quoted;
        self.rest = None;
        Some(text)
    }
}

/// Splits at `separator`, a comma or semicolon, where it stands neither in a quoted string nor between `<` and `>`.
///
/// `None` when a quotation isn't closed: what follows can't be told from what is quoted.
pub(in crate::sip) fn split_outside(text: &str, separator: char) -> Option<Parts<'_>> {
    let separator = u8::try_from(separator).ok()?;
    let quotation = memchr2(b'"', b'<', text.as_bytes());
    let parts = Parts { rest: Some(text), separator, plain: quotation.is_none(), closed: true };
    if quotation.is_some_and(|at| memchr(b'"', &text.as_bytes()[at..]).is_some()) {
        let mut tried = parts.clone();
        tried.by_ref().for_each(drop);
        if !tried.closed {
            return None;
        }
    }
    Some(parts)
}

/// What stands before and behind the first `separator`, which is ASCII. For the short texts of headers, where setting up
/// the search of `str::split_once` takes longer than searching.
pub(in crate::sip) fn cut(text: &str, separator: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|octet| octet == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Where the quoted string that `text` starts with ends (behind its closing quotation mark).
pub(in crate::sip) fn quoted_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, octet) in text.bytes().enumerate().skip(1) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The text that a quoted string stands for; `None` unless all of `text` is one quoted string.
pub(in crate::sip) fn unquote(text: &str) -> Option<String> {
    unquoted(text).map(Cow::into_owned)
}

/// The same, borrowed when nothing is escaped.
pub(in crate::sip) fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    if !text.starts_with('"') || quoted_end(text)? != text.len() {
        return None;
    }
    let inner = &text[1..text.len() - 1];
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next()? } else { c });
    }
    Some(Cow::Owned(plain))
}

/// `text` as a quoted string; CR and LF can't be quoted and are dropped.
pub(in crate::sip) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars().filter(|c| !matches!(c, '\r' | '\n')) {
        if matches!(c, '"' | '\\') || c.is_ascii_control() && c != '\t' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// Resolves `%hh`; `None` when an escape is cut short or the octets aren't UTF-8.
pub(in crate::sip) fn unescape(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        let octet = match octet {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        };
        octets.push(octet);
    }
    String::from_utf8(octets).ok().map(Cow::Owned)
}

/// `text` with every octet that is neither alphanumeric nor in `plain` written as `%HH`.
pub(in crate::sip) struct Escaped<'a> {
    text: &'a str,
    plain: &'static str,
}

/// See [`Escaped`].
pub(in crate::sip) fn escape<'a>(text: &'a str, plain: &'static str) -> Escaped<'a> {
    Escaped { text, plain }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |octet: &u8| octet.is_ascii_alphanumeric() || self.plain.as_bytes().contains(octet);
        let mut rest = self.text;
        loop {
            // What needs no escape goes out in one piece; it is ASCII, so that it ends at a character.
            let run = rest.bytes().position(|octet| !plain(&octet)).unwrap_or(rest.len());
            f.write_str(&rest[..run])?;
            let mut chars = rest[run..].chars();
            let Some(c) = chars.next() else { return Ok(()) };
            for octet in c.encode_utf8(&mut [0; 4]).bytes() {
                write!(f, "%{octet:02X}")?;
            }
            rest = chars.as_str();
        }
    }
}

/// The value of one hexadecimal digit.
fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// A decimal number of at most `max`; leading zeros allowed (RFC 4475 3.1.1.1), sign and blanks not.
pub(in crate::sip) fn number(text: &str, max: u64) -> Option<u64> {
    let digit = |octet: u8| octet.is_ascii_digit().then(|| u64::from(octet - b'0'));
    let read =
        text.bytes().try_fold(0_u64, |number, octet| number.checked_mul(10)?.checked_add(digit(octet)?))?;
    (!text.is_empty() && read <= max).then_some(read)
}

/// Reads `host` or `host:port`: a name, an IPv4 address, or an IPv6 address in brackets.
pub(in crate::sip) fn host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let text = text.trim_ascii();
    let (host, port) = if text.starts_with('[') {
        let end = text.find(']')? + 1;
        text[1..end - 1].parse::<std::net::Ipv6Addr>().ok()?;
        (&text[..end], text[end..].trim_ascii_start())
    } else {
        let end = text.bytes().position(|octet| !is(octet, HOST)).unwrap_or(text.len());
        if end == 0 {
            return None;
        }
        (&text[..end], text[end..].trim_ascii_start())
    };
    if port.is_empty() {
        return Some((host, None));
    }
    let port = number(port.strip_prefix(':')?.trim_ascii_start(), u64::from(u16::MAX))?;
    Some((host, u16::try_from(port).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_quotations_and_brackets_do_not_separate() {
        let parts = split_outside(r#""a, \"b" <sip:c,d@e>, f"#, ',').unwrap();
        assert_eq!(parts.collect::<Vec<_>>(), [r#""a, \"b" <sip:c,d@e>"#, " f"]);
        assert!(split_outside(r#""open, a"#, ',').is_none());
        assert!(split_outside(r#"a, "b\""#, ',').is_none());
        assert_eq!(split_outside(r#"<"a,b>,"#, ',').unwrap().collect::<Vec<_>>(), [r#"<"a,b>"#, ""]);
    }

    #[test]
    fn what_is_quoted_unquotes_to_the_same() {
        for text in ["", "plain", r#"a "b" \c"#, "tab\t bel\u{7} nul\0", "Zoë"] {
            assert_eq!(unquote(&quote(text)).as_deref(), Some(text));
        }
        assert_eq!(quote("a\r\nb"), "\"ab\"", "a line end can't be smuggled in");
        assert_eq!(unquote(r#""a" b"#), None);
        assert_eq!(unquote("\""), None);
    }

    #[test]
    fn escapes_are_resolved_once_and_broken_ones_refused() {
        assert_eq!(unescape("v%61lue%25%34%31").as_deref(), Some("value%41"));
        assert_eq!(unescape("%4"), None);
        assert_eq!(unescape("%zz"), None);
        assert_eq!(unescape("%ff"), None, "not UTF-8");
        assert_eq!(escape("a b@é\0", "-").to_string(), "a%20b%40%C3%A9%00");
    }

    #[test]
    fn hosts_and_ports() {
        assert_eq!(host_port("[2001:db8::1]:5061"), Some(("[2001:db8::1]", Some(5061))));
        assert_eq!(host_port("a.example : 5060"), Some(("a.example", Some(5060))));
        for bad in ["", ":5060", "a:65536", "a:", "a b", "2001:db8::1", "[::1", "[x]", "a:-1", "a/b"] {
            assert_eq!(host_port(bad), None, "{bad}");
        }
    }
}
