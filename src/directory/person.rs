//! One person and his numbers.

use super::MAX_NUMBERS;
use crate::parking::Text;
use serde::{Deserialize, Serialize};

/// What a number reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An extension of the house.
    Extension,
    /// The desk at work, and whatever is not said to be anything else.
    #[default]
    Work,
    /// The phone in the pocket.
    Mobile,
    /// At home.
    Home,
    /// Where messages are left.
    Voicemail,
}

impl Kind {
    /// The word on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Extension => "ext",
            Self::Work => "work",
            Self::Mobile => "mobile",
            Self::Home => "home",
            Self::Voicemail => "voicemail",
        }
    }
}

/// One number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// What it reaches.
    pub kind: Kind,
    /// As it was written.
    pub written: Text,
}

/// One person, or a company that has only its own number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name; the organisation's where nobody is named.
    pub name: Text,
    /// Where he works; empty when not told, or when it is the name already.
    pub organisation: Text,
    /// Department, title or whatever helps to tell two of the same name apart.
    pub role: Text,
    /// A word for whoever takes the call.
    pub note: Text,
    /// At least one, at most [`MAX_NUMBERS`], none twice.
    pub numbers: Vec<Number>,
}

impl Person {
    /// Takes a number of his, unless it is empty, known already, or one too many.
    pub fn add(&mut self, kind: Kind, written: &str) {
        let written = Text::new(written.strip_prefix("tel:").unwrap_or(written));
        let dialled = written.as_str().chars().any(|c| c.is_ascii_alphanumeric());
        let known = self.numbers.iter().any(|number| number.written == written);
        if dialled && !known && self.numbers.len() < MAX_NUMBERS {
            self.numbers.push(Number { kind, written });
        }
    }

    /// Whole when somebody is named and can be called; the organisation stands in for a missing name.
    pub fn complete(mut self) -> Option<Self> {
        if self.name.is_empty() {
            self.name = std::mem::take(&mut self.organisation);
        }
        if self.name == self.organisation {
            self.organisation = Text::default();
        }
        (!self.name.is_empty() && !self.numbers.is_empty()).then_some(self)
    }
}
