//! What of a SIP message may be shown to a stranger: passwords, keys and pressed digits never; numbers, names and
//! addresses under pseudonyms, if that is wished.
//!
//! Works line by line, so that also a message which nobody can read is shown as far as that is safe. With `anonymous` the
//! rule is turned round: only what is known to tell nothing about anybody is let through, all else is left out.

mod body;
mod head;
mod names;
mod scrub;
#[cfg(test)]
mod tests;

use super::Peer;
use super::message::{is_start_line, lexis};
use names::Names;
use scrub::escaped;
pub use scrub::unescaped;
use std::fmt::Write as _;

/// The longest text that one message becomes, in bytes; the rest is left out.
pub const MAX_TEXT: usize = 65_536;
/// The most lines of a message that are looked at.
pub const MAX_LINES: usize = 1_024;
/// The most names, numbers and addresses that are told apart in one trace; those beyond share a pseudonym.
pub const MAX_PSEUDONYMS: usize = 16_384;

/// What is to be removed beyond secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Numbers, names, users and hosts get pseudonyms, the same one throughout a trace; what could tell of anybody is
    /// left out.
    pub anonymous: bool,
    /// What people wrote to each other (MESSAGE) is left out; with `anonymous` it always is.
    pub without_texts: bool,
}

/// Redacts the messages of one trace.
#[derive(Debug, Default)]
pub struct Redactor {
    wish: Wish,
    names: Names,
}

impl Redactor {
    /// At the beginning of a trace.
    pub fn new(wish: Wish) -> Self {
        Self { wish, names: Names::default() }
    }

    /// A message, or what was to be one, as printable lines that end in `\n`. Nothing in it can move a cursor.
    pub fn message(&mut self, bytes: &[u8]) -> String {
        let start = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len());
        let (head, body) = split(&bytes[start..]);
        let lines = logical_lines(head);
        let mut text = String::new();
        let Some((first, headers)) = lines.split_first().filter(|(first, _)| is_start_line(first)) else {
            let _ = writeln!(text, "({} bytes that are no SIP)", bytes.len());
            return text;
        };
        push(&mut text, &self.start_line(&String::from_utf8_lossy(first)));
        let mut content_type = String::new();
        for line in headers {
            let line = String::from_utf8_lossy(line);
            let (name, shown) = self.header(&line);
            if matches!(name.as_str(), "Content-Type") {
                content_type =
                    lexis::cut(&line, b':').map_or("", |(_, value)| value).trim().to_ascii_lowercase();
            }
            push(&mut text, &shown);
        }
        if !body.is_empty() {
            text.push('\n');
            self.body(&mut text, &content_type, body);
        }
        text
    }

    /// The far end of a message.
    pub fn peer(&mut self, peer: Peer) -> String {
        if !self.wish.anonymous {
            return peer.to_string();
        }
        let host = self.names.host(&peer.ip().to_string());
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        format!("{}:{host}:{}", peer.transport.uri_word(), peer.port())
    }
}

/// Adds a line, escaped, unless the text has become too long.
fn push(text: &mut String, line: &str) {
    const LEFT_OUT: &str = "(the rest is left out)\n";
    if text.len() + line.len() < MAX_TEXT {
        text.push_str(&escaped(line));
        text.push('\n');
    } else if !text.ends_with(LEFT_OUT) {
        text.push_str(LEFT_OUT);
    }
}

/// Head and body; the empty line belongs to neither.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while let Some(end) = bytes[at..].iter().position(|b| *b == b'\n').map(|end| at + end) {
        if matches!(&bytes[at..end], b"" | b"\r") {
            return (&bytes[..at], &bytes[end + 1..]);
        }
        at = end + 1;
    }
    (bytes, &[])
}

/// The lines of a head, folded ones joined. A lone CR ends a line here: what some reader takes for a header of its own
/// must not pass as the tail of another.
fn logical_lines(head: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let raw = head.split(|b| matches!(b, b'\r' | b'\n')).filter(|line| !line.is_empty());
    for line in raw.take(MAX_LINES) {
        match lines.last_mut() {
            Some(last) if matches!(line.first(), Some(b' ' | b'\t')) => last.extend_from_slice(line),
            _ => lines.push(line.to_vec()),
        }
    }
    lines
}
