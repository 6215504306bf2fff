//! Numbers made comparable: `0161 496 0100` in a British office is `+44 161 4960100` on the wire.

use phonenumber::country::Id;
use serde::{Deserialize, Serialize};

/// The longest text that is looked at as a number, in bytes; no number and no extension is longer.
const MAX_NUMBER: usize = 64;

/// In which country numbers without a country's code are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country(Id);

impl Country {
    /// By its code of two letters (ISO 3166): `GB`, `DE`.
    pub fn new(code: &str) -> Option<Self> {
        code.to_ascii_uppercase().parse().ok().map(Self)
    }
}

/// What two ways to write the same number have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NumberKey {
    /// A number of the world's numbering plan (E.164), as digits without `+`.
    World(u64),
    /// Anything else: an extension, a service code, a name.
    Local(Box<str>),
}

impl NumberKey {
    /// The key of a number; `None` where there is none to speak of.
    ///
    /// Without a country only numbers with `+` or of the same digits agree. A `sip:` or `tel:` address counts by its user
    /// part.
    pub fn of(written: &str, country: Option<Country>) -> Option<Self> {
        let bare = ["sips:", "sip:", "tel:"].iter().find_map(|s| written.strip_prefix(s)).unwrap_or(written);
        let user = bare.split(['@', ';']).next().unwrap_or_default().trim();
        if user.is_empty() || user.len() > MAX_NUMBER {
            return None;
        }
        // "+44 (0)161": the 0 in brackets is for those who dial without the +.
        let plain: String = user.replace("(0)", "");
        let digits: String =
            plain.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '*' | '#')).collect();
        let is_number = digits.chars().all(|c| c.is_ascii_digit() || c == '+');
        // What is shorter is an extension, whatever country it would be a number of.
        const SHORTEST: usize = 7;
        if is_number && digits.len() >= SHORTEST {
            let found = phonenumber::parse(country.map(|c| c.0), &digits);
            // Whether such a number is given out does not matter here: both ways to write it give the same key.
            if let Ok(number) = found {
                let whole = format!("{}{}", number.code().value(), number.national());
                return whole.parse().ok().map(Self::World);
            }
        }
        let digits = digits.trim_start_matches('+');
        (!digits.is_empty()).then(|| Self::Local(digits.to_ascii_lowercase().into()))
    }

    /// Its digits or letters, for a search.
    pub(super) fn text(&self) -> String {
        match self {
            Self::World(number) => number.to_string(),
            Self::Local(text) => text.to_string(),
        }
    }
}
