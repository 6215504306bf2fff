//! The leaf words of parking that desk, dialect, lot and demo share: slots, lamps, identities, strength.
//! No behaviour beyond what a word needs to be well formed, and no import of any other module of ours.

mod text;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

pub use text::Text;

/// A moment, as the time since an origin that the caller chose (the start of the program, or of a simulation).
///
/// Pure modules never read a clock: every entry point takes `now` as one of these.
pub type Moment = Duration;

/// The extension of a park slot (an *orbit*), for example `701`. At most [`SlotId::MAX_LEN`] characters of `[0-9A-Za-z_.*#+-]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SlotId(String);

impl SlotId {
    /// Longest extension that is accepted.
    pub const MAX_LEN: usize = 32;

    /// Reads an extension; `None` if it is empty, too long or has a character no extension has.
    pub fn new(extension: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_LEN).contains(&extension.len());
        let plain = extension.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.*#+-".contains(&b));
        (fits && plain).then(|| Self(extension.to_owned()))
    }

    /// The extension as dialled.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SlotId {
    type Error = String;
    fn try_from(value: String) -> Result<Self, Self::Error> {
        Self::new(&value).ok_or_else(|| format!("“{}” is not an extension", Text::new(&value)))
    }
}

impl From<SlotId> for String {
    fn from(slot: SlotId) -> Self {
        slot.0
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({})", self.0)
    }
}

/// Who somebody is, as far as the network said: both parts are scrubbed [`Text`], either may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Display name; empty when none was sent.
    pub name: Text,
    /// Number or user part of the URI; empty when withheld.
    pub number: Text,
    /// A digest of a number that the caller withheld and the server told us all the same: never shown, only compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u64>,
}

impl Identity {
    /// Builds an identity from untrusted text.
    pub fn new(name: &str, number: &str) -> Self {
        Self { name: Text::new(name), number: Text::new(number), mark: None }
    }

    /// Somebody who withholds who he is (RFC 3323), though the server told it: enough to know him again.
    pub fn withheld(number: &str) -> Self {
        let mark = (!number.is_empty()).then(|| {
            let mut digest = DefaultHasher::new();
            number.hash(&mut digest);
            digest.finish()
        });
        Self { mark, ..Self::default() }
    }

    /// True when the network named nobody, or said "anonymous" (RFC 3323).
    pub fn is_withheld(&self) -> bool {
        let anonymous = |t: &Text| t.is_empty() || t.as_str().eq_ignore_ascii_case("anonymous");
        anonymous(&self.number) && anonymous(&self.name)
    }

    /// What to call this person in one phrase: the name, else the number, else `withheld`.
    pub fn label(&self) -> &str {
        if self.is_withheld() {
            "withheld"
        } else if self.name.is_empty() || self.name.as_str().eq_ignore_ascii_case("anonymous") {
            self.number.as_str()
        } else {
            self.name.as_str()
        }
    }

    /// Whether there is anything to compare: a number, a name, or a withheld number's digest.
    pub fn is_comparable(&self) -> bool {
        self.mark.is_some() || !self.is_withheld()
    }

    /// Whether two reports can be about the same person: the numbers decide when both have one, else the names.
    pub fn agrees_with(&self, other: &Self) -> bool {
        if self.mark.is_some() || other.mark.is_some() {
            self.mark == other.mark
        } else if !self.number.is_empty() && !other.number.is_empty() {
            self.number == other.number
        } else {
            !self.is_withheld() && self.name == other.name
        }
    }
}

/// What a server says about one slot. A wish of ours never shows here (see `desk::Slot::asking`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lamp {
    /// Never heard of, or the subscription is being made.
    #[default]
    Unknown,
    /// The server says that nobody is parked here.
    Free,
    /// Somebody is parked here.
    Parked,
    /// The parked call's time is over and its parker is being rung.
    RingingBack,
    /// The subscription has died; what was known holds only up to `since`. Never parked into.
    Stale {
        /// When the server was last heard.
        since: Moment,
        /// Whether somebody was parked here then.
        was_parked: bool,
    },
    /// The server won't tell us about this slot.
    Refused {
        /// Its words, with the status.
        reason: Text,
    },
}

/// How sure a retrieve is to bring the call that was on the screen (feature R13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Strength {
    /// Bound to the very dialog: Replaces, or the lot's ticket.
    #[serde(alias = "exact")]
    Exact,
    /// The caller's identity is compared before the microphone opens.
    #[serde(alias = "verified")]
    Verified,
    /// The server gives nothing to compare; the operator is told.
    #[serde(alias = "unverified")]
    Unverified,
}

impl Strength {
    /// The word shown on the board.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Verified => "verified",
            Self::Unverified => "unverified",
        }
    }
}
