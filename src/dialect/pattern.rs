//! What is dialled, pressed or referred to, as a dialect writes it: characters of an extension, and placeholders.

use crate::parking::SlotId;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use std::fmt;

/// The most characters of a pattern.
const MAX_PATTERN: usize = 64;

/// A pattern like `*68{slot}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Park,
    Slot,
    Prefix,
    Own,
}

/// What the placeholders stand for; what isn't known can't be filled in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places<'p> {
    /// `{park}`: the extension or code that calls are parked with.
    pub park: Option<&'p SlotId>,
    /// `{slot}`
    pub slot: Option<&'p SlotId>,
    /// `{prefix}`: what the dialplan has before a slot to park there.
    pub prefix: Option<&'p str>,
    /// `{own}`: the account's user.
    pub own: Option<&'p str>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence for the administrator.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > MAX_PATTERN {
            return Err(format!("between 1 and {MAX_PATTERN} characters"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (plain, after) =
                rest.split_once('{').map_or((rest, None), |(plain, after)| (plain, Some(after)));
            let sound = |c: char| c.is_ascii_alphanumeric() || "+*#._-".contains(c);
            if let Some(odd) = plain.chars().find(|c| !sound(*c)) {
                return Err(format!("“{odd}” can't be dialled"));
            }
            if !plain.is_empty() {
                parts.push(Part::Text(plain.to_owned()));
            }
            let Some(after) = after else { break };
            let (name, after) = after.split_once('}').ok_or("a “{” wants its “}”")?;
            parts.push(match name {
                "park" => Part::Park,
                "slot" => Part::Slot,
                "prefix" => Part::Prefix,
                "own" => Part::Own,
                _ => return Err("the placeholders are {park}, {slot}, {prefix} and {own}".to_owned()),
            });
            rest = after;
        }
        Ok(Self(parts))
    }

    /// The whole of it; `None` where a placeholder stands for nothing.
    pub fn fill(&self, places: Places<'_>) -> Option<String> {
        let mut filled = String::new();
        for part in &self.0 {
            filled.push_str(match part {
                Part::Text(text) => text,
                Part::Park => places.park?.as_str(),
                Part::Slot => places.slot?.as_str(),
                Part::Prefix => places.prefix.filter(|prefix| !prefix.is_empty())?,
                Part::Own => places.own.filter(|own| !own.is_empty())?,
            });
        }
        Some(filled)
    }

    /// Whether `{slot}` is in it.
    pub fn names_slot(&self) -> bool {
        self.0.contains(&Part::Slot)
    }

    /// Whether it is a slot's own number and nothing else.
    pub fn is_bare_slot(&self) -> bool {
        self.0 == [Part::Slot]
    }

    /// Whether it can be typed into a call.
    pub fn is_keys(&self) -> bool {
        let keys = |text: &str| text.chars().all(|c| matches!(c, '0'..='9' | '*' | '#' | 'A'..='D'));
        self.0.iter().all(|part| match part {
            Part::Text(text) => keys(text),
            Part::Slot | Part::Park => true,
            Part::Prefix | Part::Own => false,
        })
    }

    /// Its length as written, placeholders counted as one.
    pub fn len(&self) -> usize {
        self.0.iter().map(|part| if let Part::Text(text) = part { text.len() } else { 1 }).sum()
    }

    /// Never: a pattern has at least one character.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Park => f.write_str("{park}"),
            Part::Slot => f.write_str("{slot}"),
            Part::Prefix => f.write_str("{prefix}"),
            Part::Own => f.write_str("{own}"),
        })
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::read(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_and_what_is_not_known_leaves_nothing() {
        let (park, slot) = (SlotId::new("700").unwrap(), SlotId::new("703").unwrap());
        let places = Places { park: Some(&park), slot: Some(&slot), prefix: Some("97"), own: Some("100") };
        for (pattern, filled) in [
            ("{park}", "700"),
            ("{prefix}{slot}", "97703"),
            ("*68{slot}", "*68703"),
            ("park+{slot}", "park+703"),
            ("{own}", "100"),
        ] {
            let read = Pattern::read(pattern).unwrap();
            assert_eq!(read.fill(places).as_deref(), Some(filled));
            assert_eq!(read.to_string(), pattern);
        }
        assert_eq!(
            Pattern::read("{prefix}{slot}").unwrap().fill(Places { prefix: Some(""), ..places }),
            None
        );
        assert_eq!(Pattern::read("{slot}").unwrap().fill(Places { slot: None, ..places }), None);
    }

    #[test]
    fn what_can_not_be_dialled_is_refused_in_words() {
        for (pattern, part) in [
            ("", "between 1"),
            ("7 00", "“ ” can't be dialled"),
            ("sip:700@pbx", "“:” can't"),
            ("{slot", "wants its"),
            ("{lot}", "the placeholders are"),
            ("7}", "“}” can't"),
            ("7\r\n00", "can't be dialled"),
        ] {
            let refusal = Pattern::read(pattern).unwrap_err();
            assert!(refusal.contains(part), "{pattern}: {refusal}");
        }
    }

    #[test]
    fn only_keys_of_a_phone_can_be_pressed() {
        for (pattern, keys) in
            [("#72", true), ("*68{slot}", true), ("park", false), ("+44", false), ("{own}", false)]
        {
            assert_eq!(Pattern::read(pattern).unwrap().is_keys(), keys, "{pattern}");
        }
    }
}
