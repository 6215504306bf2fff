//! The lexical rules that all header readers share: tokens, quoted strings, separators, percent escapes (RFC 3261 25.1).
//! Nothing here knows a header by name.

/// Whether `c` may stand in a token (RFC 3261 25.1).
pub(in crate::sip) fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c)
}

/// Whether `text` is a token: at least one character, all of them token characters.
pub(in crate::sip) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

/// Without the two characters that could start a header of its own: nothing we print can be split in two lines.
pub(in crate::sip) fn single_line(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect()
}

/// Splits at `separator` where it stands neither in a quoted string nor between `<` and `>`.
///
/// `None` when a quotation isn't closed: what follows can't be told from what is quoted.
pub(in crate::sip) fn split_outside(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped, mut angled) = (0, false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if !angled => quoted = !quoted,
            _ if quoted => {}
            '<' => angled = true,
            '>' => angled = false,
            c if c == separator && !angled => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// Where the quoted string that `text` starts with ends (behind its closing quotation mark).
pub(in crate::sip) fn quoted_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The text that a quoted string stands for; `None` unless all of `text` is one quoted string.
pub(in crate::sip) fn unquote(text: &str) -> Option<String> {
    if !text.starts_with('"') || quoted_end(text)? != text.len() {
        return None;
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text[1..text.len() - 1].chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next()? } else { c });
    }
    Some(plain)
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
pub(in crate::sip) fn unescape(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
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
    String::from_utf8(octets).ok()
}

/// `text` with every octet that is neither alphanumeric nor in `plain` written as `%HH`.
pub(in crate::sip) fn escape(text: &str, plain: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        let c = char::from(octet);
        if octet.is_ascii_alphanumeric() || octet.is_ascii() && plain.contains(c) {
            escaped.push(c);
        } else {
            escaped.push_str(&format!("%{octet:02X}"));
        }
    }
    escaped
}

/// The value of one hexadecimal digit.
fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// A decimal number of at most `max`; leading zeros allowed (RFC 4475 3.1.1.1), sign and blanks not.
pub(in crate::sip) fn number(text: &str, max: u64) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse::<u64>().ok()).flatten().filter(|n| *n <= max)
}

/// Reads `host` or `host:port`: a name, an IPv4 address, or an IPv6 address in brackets.
pub(in crate::sip) fn host_port(text: &str) -> Option<(String, Option<u16>)> {
    let text = text.trim();
    let (host, port) = if text.starts_with('[') {
        let end = text.find(']')? + 1;
        text[1..end - 1].parse::<std::net::Ipv6Addr>().ok()?;
        (&text[..end], text[end..].trim_start())
    } else {
        let end = text.find(':').unwrap_or(text.len());
        let host = text[..end].trim_end();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if host.is_empty() || !host.bytes().all(plain) {
            return None;
        }
        (host, &text[end..])
    };
    if port.is_empty() {
        return Some((host.to_owned(), None));
    }
    let port = number(port.strip_prefix(':')?.trim_start(), u64::from(u16::MAX))?;
    Some((host.to_owned(), u16::try_from(port).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_quotations_and_brackets_do_not_separate() {
        let parts = split_outside(r#""a, \"b" <sip:c,d@e>, f"#, ',').unwrap();
        assert_eq!(parts, [r#""a, \"b" <sip:c,d@e>"#, " f"]);
        assert_eq!(split_outside(r#""open, a"#, ','), None);
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
        assert_eq!(escape("a b@é\0", "-"), "a%20b%40%C3%A9%00");
    }

    #[test]
    fn hosts_and_ports() {
        assert_eq!(host_port("[2001:db8::1]:5061"), Some(("[2001:db8::1]".into(), Some(5061))));
        assert_eq!(host_port("a.example : 5060"), Some(("a.example".into(), Some(5060))));
        for bad in ["", ":5060", "a:65536", "a:", "a b", "2001:db8::1", "[::1", "[x]", "a:-1", "a/b"] {
            assert_eq!(host_port(bad), None, "{bad}");
        }
    }
}
