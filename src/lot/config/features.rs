//! Features that are typed into a call, as in Asterisk's `features.conf`: their codes, who has them, and in which
//! direction a lot grants them after a retrieve.

use super::Key;
use serde::{Deserialize, Serialize};

/// The longest code, in keys.
pub const MAX_CODE: usize = 8;

/// What can be typed into a call, and how long to wait for the next key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureMap {
    /// Parks the other end (one-step parking); empty: cannot be typed.
    pub parkcall: Code,
    /// Then an extension: transfers the other end there.
    pub blindxfer: Code,
    /// Ends the call.
    pub disconnect: Code,
    /// Records the call from now on, or no longer.
    pub automixmon: Code,
    /// How many milliseconds may pass between two keys of a code; then they go to the other end.
    pub featuredigittimeout: u32,
    /// How many seconds may pass between two keys of an extension that is transferred to.
    pub transferdigittimeout: u32,
}

impl Default for FeatureMap {
    fn default() -> Self {
        Self {
            parkcall: Code("#72".to_owned()),
            blindxfer: Code("#1".to_owned()),
            disconnect: Code("*0".to_owned()),
            automixmon: Code("*3".to_owned()),
            featuredigittimeout: 1_000,
            transferdigittimeout: 3,
        }
    }
}

impl FeatureMap {
    /// The features with their codes; those that cannot be typed are left out.
    pub fn codes(&self) -> impl Iterator<Item = (Feature, &str)> {
        let all = [
            (Feature::ParkCall, &self.parkcall),
            (Feature::BlindXfer, &self.blindxfer),
            (Feature::Disconnect, &self.disconnect),
            (Feature::AutoMixMon, &self.automixmon),
        ];
        all.into_iter().map(|(feature, code)| (feature, code.0.as_str())).filter(|(_, code)| !code.is_empty())
    }

    pub(super) fn problems(&self, say: &mut impl FnMut(String, String)) {
        for (feature, code) in self.codes() {
            let longer = |(other, longer): &(Feature, &str)| *other != feature && longer.starts_with(code);
            if let Some((other, longer)) = self.codes().find(longer) {
                let path = format!("features.{}", other.key());
                say(path, format!("“{longer}” can't be typed: “{code}” is {} already", feature.key()));
            }
        }
        if !(100..=10_000).contains(&self.featuredigittimeout) {
            say("features.featuredigittimeout".to_owned(), "between 100 and 10000 milliseconds".to_owned());
        }
        if !(1..=30).contains(&self.transferdigittimeout) {
            say("features.transferdigittimeout".to_owned(), "between 1 and 30 seconds".to_owned());
        }
    }
}

/// Keys that are typed one after the other; may be none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

impl TryFrom<String> for Code {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let keys: Option<String> = text.chars().map(|c| Key::new(c).map(Key::letter)).collect();
        let keys = keys.filter(|keys| keys.len() <= MAX_CODE);
        keys.map(Self).ok_or_else(|| format!("at most {MAX_CODE} keys of a telephone: 0 to 9, * and #"))
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0
    }
}

/// Something that can be typed into a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Feature {
    /// One-step parking (Asterisk's `k` and `K`).
    ParkCall,
    /// Blind transfer (`t`, `T`).
    BlindXfer,
    /// Hang up (`h`, `H`).
    Disconnect,
    /// Record (`x`, `X`).
    AutoMixMon,
}

impl Feature {
    /// Its key in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            Self::ParkCall => "parkcall",
            Self::BlindXfer => "blindxfer",
            Self::Disconnect => "disconnect",
            Self::AutoMixMon => "automixmon",
        }
    }
}

/// Which of two who talk after a retrieve has a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granted {
    /// Whoever was parked.
    Callee,
    /// Whoever retrieved him.
    Caller,
    /// Both.
    Both,
    /// Neither.
    No,
}

impl Granted {
    /// Whether the retriever, or else the one who was parked, has it.
    pub fn to(self, retriever: bool) -> bool {
        match self {
            Self::Both => true,
            Self::No => false,
            Self::Caller => retriever,
            Self::Callee => !retriever,
        }
    }
}
