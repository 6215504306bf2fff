//! Text that somebody else chose, made safe to draw, log and write: scrubbed once, here, at the boundary.

use serde::{Deserialize, Serialize};
use std::fmt;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Caller-controlled text that can neither move the cursor, colour the screen, reorder the line nor hide characters.
///
/// The only way to make one is [`Text::new`], so whoever holds a `Text` need not scrub again. Control characters,
/// escape sequences' introducers, bidirectional overrides, zero-width and private-use characters, tags and the glyphs
/// that the board draws lamps with are dropped; any run of white space becomes one blank; at most
/// [`Text::MAX_GRAPHEMES`] graphemes of at most [`Text::MAX_BYTES`] bytes are kept.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Text(String);

impl Text {
    /// The most graphemes that are kept; more end in `…`.
    pub const MAX_GRAPHEMES: usize = 128;
    /// The most bytes that are kept (one grapheme can have any number of combining marks).
    pub const MAX_BYTES: usize = 1024;
    /// The most code points of one grapheme: a letter and its accents, not a tower of them.
    const MAX_MARKS: usize = 8;

    /// Scrubs `raw`.
    pub fn new(raw: &str) -> Self {
        let mut kept = String::new();
        let mut blank = false;
        // Nothing behind this many bytes can reach the kept text, however it is scrubbed.
        let raw = head(raw, 16 * Self::MAX_BYTES);
        let visible: String = raw.chars().filter_map(visible).collect();
        for (count, grapheme) in visible.graphemes(true).enumerate() {
            if count >= Self::MAX_GRAPHEMES || kept.len() + grapheme.len() > Self::MAX_BYTES {
                kept.push('…');
                break;
            }
            if grapheme == " " {
                blank = !kept.is_empty();
                continue;
            }
            if std::mem::take(&mut blank) {
                kept.push(' ');
            }
            kept.extend(plain(grapheme).chars().take(Self::MAX_MARKS));
        }
        Self(kept)
    }

    /// Scrubs bytes that may not be UTF-8: what can't be read shows as U+FFFD.
    pub fn from_bytes(raw: &[u8]) -> Self {
        let raw = raw.get(..16 * Self::MAX_BYTES).unwrap_or(raw);
        Self::new(&String::from_utf8_lossy(raw))
    }

    /// A whole line scrubbed in the same way but not cut, and its white space left as wide as it is: for sentences of ours
    /// that others' text is part of, before they are written where no `Text` is.
    pub fn visible(line: &str) -> String {
        line.chars().filter_map(visible).collect()
    }

    /// The scrubbed text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing was left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The grapheme, if every terminal gives it the same width: some draw a thumb and its skin in two columns, some in
/// four, and the row bends. Of any other the first character says enough.
fn plain(grapheme: &str) -> &str {
    let each: usize = grapheme.chars().filter_map(UnicodeWidthChar::width).sum();
    match grapheme.chars().next() {
        Some(first) if each != grapheme.width() => &grapheme[..first.len_utf8()],
        _ => grapheme,
    }
}

/// The first `max` bytes of `raw`, cut at a character's boundary.
fn head(raw: &str, max: usize) -> &str {
    let mut end = raw.len().min(max);
    while !raw.is_char_boundary(end) {
        end -= 1;
    }
    &raw[..end]
}

/// The character as it may be shown, or `None` if it may not.
fn visible(c: char) -> Option<char> {
    match c {
        '\t' | '\n' | '\r' => Some(' '),
        c if c.is_control() => None,
        c if c.is_whitespace() => Some(' '),
        // Soft hyphen, joiners and fillers that draw nothing; Arabic letter mark and bidi controls (UAX #9);
        // interlinear marks; variation selectors; tags.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => None,
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => None,
        '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' => None,
        '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => None,
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' => None,
        // Box drawing, blocks and geometric shapes: a name must not look like a lamp, a meter or a border.
        '\u{2500}'..='\u{25ff}' | '\u{2b00}'..='\u{2bff}' | '\u{2800}'..='\u{28ff}' => None,
        c => Some(c),
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl From<String> for Text {
    fn from(raw: String) -> Self {
        Self::new(&raw)
    }
}

impl From<&str> for Text {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terminals_draw_in_different_widths_is_made_plain() {
        let family = "Eve 👩\u{200d}👩\u{200d}👧 👍🏽 ❤\u{fe0f}";
        assert_eq!(Text::new(family).as_str(), "Eve 👩👩👧 👍 ❤");
        for kept in ["María", "שלום", "한국어", "会議", "E\u{301}ve", "👍"] {
            assert_eq!(Text::new(kept).as_str(), kept);
        }
    }

    #[test]
    fn an_ordinary_name_is_left_alone() {
        for name in ["Jane Doe", "Żółć Müller", "李小龙", "محمد", "O'Brien (Acme) <1>"] {
            assert_eq!(Text::new(name).as_str(), name);
        }
    }

    #[test]
    fn nothing_that_steers_a_terminal_survives() {
        let hostile = "\u{1b}[2J\u{1b}]52;c;ZXZpbA==\u{7}A\u{202e}B\u{200b}C\u{9b}31m\u{0}\u{e0041}■";
        let text = Text::new(hostile);
        assert_eq!(text.as_str(), "[2J]52;c;ZXZpbA==ABC31m");
        assert_eq!(Text::new(text.as_str()), text, "scrubbing twice changes nothing");
    }

    #[test]
    fn white_space_folds_and_is_trimmed() {
        assert_eq!(Text::new("  a \r\n\t b\u{2028}c  ").as_str(), "a b c");
    }

    #[test]
    fn length_is_bounded_in_graphemes_and_in_bytes() {
        let long = Text::new(&"x".repeat(60_000));
        assert_eq!(long.as_str().chars().count(), Text::MAX_GRAPHEMES + 1);
        let tower = format!("a{}", "\u{301}".repeat(60_000));
        assert!(Text::new(&tower).as_str().len() <= Text::MAX_BYTES + 3);
        assert!(Text::from_bytes(&[0xff; 70_000]).as_str().len() <= Text::MAX_BYTES + 3);
    }
}
