//! Secrets found in any text, wherever they stand; and text made printable.

use std::fmt::Write as _;

/// Fields whose values prove or help to guess a password (RFC 7616 3.3 to 3.5), and the lot's ticket: who has it may
/// fetch the caller.
const SECRET_FIELDS: [&str; 10] = [
    "response",
    "nonce",
    "cnonce",
    "nextnonce",
    "rspauth",
    "opaque",
    "password",
    "passwd",
    "ticket",
    "parkdeck-ticket",
];

/// What is shown in place of a secret.
pub(super) const BLANK: &str = "…";

/// `text` without the secrets that can be told by how they are written: passwords in URIs, fields of digests, keys.
pub(super) fn scrub(text: &str) -> String {
    let text = without_uri_passwords(text);
    let text = without_fields(&text);
    without_behind(&without_behind(&text, "inline:"), "authorization=")
}

/// `sip:user:password@host` as `sip:user:…@host`.
fn without_uri_passwords(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(colon) = rest.find(':') {
        let scheme = rest[..colon].bytes().rev().take_while(u8::is_ascii_alphabetic).count();
        let scheme = &rest[colon - scheme..colon];
        clean.push_str(&rest[..=colon]);
        rest = &rest[colon + 1..];
        if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
            continue;
        }
        let end =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"')).unwrap_or(rest.len());
        // The last @: a password may hold one although it should not.
        let Some(at) = rest[..end].rfind('@') else { continue };
        if let Some(password) = rest[..at].find(':') {
            clean.push_str(&rest[..=password]);
            clean.push_str(BLANK);
            rest = &rest[at..];
        }
    }
    clean.push_str(rest);
    clean
}

/// `response="abc"` as `response=…`, wherever it stands.
fn without_fields(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(equals) = rest.find('=') {
        let before = rest[..equals].trim_end();
        let name = before.bytes().rev().take_while(|b| b.is_ascii_alphanumeric() || *b == b'-').count();
        let name = &before[before.len() - name..];
        clean.push_str(&rest[..=equals]);
        rest = &rest[equals + 1..];
        if SECRET_FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name)) {
            clean.push_str(BLANK);
            rest = &rest[value_end(rest)..];
        }
    }
    clean.push_str(rest);
    clean
}

/// Where a field's value ends, quoted or not; an open quotation goes to the end.
fn value_end(text: &str) -> usize {
    let blanks = text.len() - text.trim_start().len();
    let value = &text[blanks..];
    let end = match value.starts_with('"') {
        true => crate::sip::message::lexis::quoted_end(value),
        false => value.find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '>' | '&')),
    };
    end.map_or(text.len(), |end| blanks + end)
}

/// Whatever follows `mark` (in any case) up to a blank, `>` or `&` becomes a blank.
fn without_behind(text: &str, mark: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = lower[at..].find(mark).map(|found| at + found + mark.len()) {
        clean.push_str(&text[at..found]);
        clean.push_str(BLANK);
        let end = text[found..].find(|c: char| c.is_whitespace() || matches!(c, '>' | '&' | '"'));
        at = end.map_or(text.len(), |end| found + end);
    }
    clean.push_str(&text[at..]);
    clean
}

/// `text` with everything that isn't plainly visible written as `\u{…}`, a backslash doubled.
pub(super) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => shown.push_str("\\\\"),
            ' '..='~' | '…' => shown.push(c),
            c if c.is_alphanumeric() => shown.push(c),
            c => drop(write!(shown, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    shown
}

/// What [`escaped`] was made of; an escape that is none stays as it is.
pub fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let braced = rest.strip_prefix("u{").and_then(|code| code.split_once('}'));
        let found = braced
            .and_then(|(code, tail)| Some((char::from_u32(u32::from_str_radix(code, 16).ok()?)?, tail)));
        match (found, rest.strip_prefix('\\')) {
            (Some((c, tail)), _) => {
                plain.push(c);
                rest = tail;
            }
            (None, tail) => {
                plain.push('\\');
                rest = tail.unwrap_or(rest);
            }
        }
    }
    plain.push_str(rest);
    plain
}
