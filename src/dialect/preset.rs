//! A dialect as its TOML file says it: how one kind of server parks, proves, tells and retrieves, and what is never done
//! to it. The presets are files under `assets/dialects`; an administrator's own are read by the same types.

use super::LampEvent;
use super::pattern::Pattern;
use crate::parking::Strength;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The presets by name, the common ones first.
const PRESETS: [(&str, &str); 7] = [
    ("asterisk", include_str!("../../assets/dialects/asterisk.toml")),
    ("asterisk-dtmf", include_str!("../../assets/dialects/asterisk-dtmf.toml")),
    ("freeswitch", include_str!("../../assets/dialects/freeswitch.toml")),
    ("broadworks", include_str!("../../assets/dialects/broadworks.toml")),
    ("portsip", include_str!("../../assets/dialects/portsip.toml")),
    ("generic", include_str!("../../assets/dialects/generic.toml")),
    ("parkdeck", include_str!("../../assets/dialects/parkdeck.toml")),
];

/// Seconds that proof may take at most, whatever a file says: the desk gives up after 90.
const MAX_PATIENCE_S: u32 = 30;
/// The most keys of a feature code.
const MAX_DIGITS: usize = 16;

/// How a request to park is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// REFER without Replaces (RFC 5589 6).
    Refer,
    /// Keys pressed in the call (RFC 4733): a feature code.
    Digits,
    /// The call is held, and the code is called: the server moves the held call.
    Call,
}

/// A way to park.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// How.
    pub by: By,
    /// Where the REFER points, what is pressed, or what is called.
    pub to: Pattern,
}

/// What shows that a park has worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sign {
    /// A lamp that was free lights.
    Lamp,
    /// The answer to the REFER names the slot.
    Answer,
}

/// Who ends the parker's leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LegEnder {
    /// We do, once the park is proven.
    Us,
    /// The server does, and only when the park has worked.
    Server,
}

/// What proves a park. Answers like 202 and sipfrag 200 never do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The sign.
    pub sign: Sign,
    /// Whether the same REFER is sent once more, because a refusal of it proves that the first has worked.
    #[serde(default)]
    pub ask_twice: bool,
    /// Who ends our leg.
    pub ends_leg: LegEnder,
    /// Seconds that the sign may take.
    pub patience: u32,
}

/// How a parked call is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetrieveBy {
    /// INVITE to the slot's extension or code.
    Call,
    /// INVITE with Replaces naming the parked dialog (RFC 3891); as [`RetrieveBy::Call`] where a lamp told none.
    Replaces,
}

/// Retrieving.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retrieve {
    /// How.
    pub by: RetrieveBy,
    /// What is called.
    pub to: Pattern,
    /// The best that it can be.
    pub strength: Strength,
}

/// Lamps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lamps {
    /// The packages by which a lamp is asked for: the next one where the server doesn't know the one before.
    pub events: Vec<LampEvent>,
    /// The user part that is watched for a slot.
    pub watch: Pattern,
    /// Whether a lamp says who is parked.
    pub name_callers: bool,
    /// Whether the server calls a parked call's dialog `early` and means no ringing by it.
    #[serde(default)]
    pub early_is_parked: bool,
}

/// Notes of parked calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// Whether the server keeps them.
    pub kept: bool,
}

/// What is never done to a server. Each stands in the file with the reason, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Never {
    /// REFER to a slot's own number, free or not.
    ReferToSlot,
    /// Calling a slot that is free.
    CallFreeSlot,
    /// Sending anybody into a slot that is taken. (Nobody ever is; here it stands for the reader.)
    EnterTakenSlot,
    /// Sending a ringing caller elsewhere (302).
    Redirect,
}

/// A dialect file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What it is for, in a line.
    pub title: String,
    /// On what it was tried.
    pub tried_on: String,
    /// Parking without naming a slot.
    pub park: Option<Way>,
    /// Parking into a named slot.
    pub park_on: Option<Way>,
    /// What proves it.
    pub proof: Proof,
    /// Retrieving.
    pub retrieve: Retrieve,
    /// Lamps.
    pub lamps: Lamps,
    /// Notes.
    #[serde(default)]
    pub notes: Notes,
    /// What is never done, and why.
    #[serde(default)]
    pub never: BTreeMap<Never, String>,
}

impl Preset {
    /// The presets that come with the program, by name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// The text of the preset of this name.
    pub fn text(name: &str) -> Option<&'static str> {
        PRESETS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The preset of this name.
    pub fn named(name: &str) -> Option<Self> {
        toml::from_str(Self::text(name)?).ok()
    }

    /// What the types alone can't say, as paths in the file with what is wrong there.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut say = |path, words: &str| found.push((path, words.to_owned()));
        for (path, way, slot_named) in [("park", &self.park, false), ("park_on", &self.park_on, true)] {
            let Some(way) = way else { continue };
            match way.by {
                By::Digits if !way.to.is_keys() || way.to.len() > MAX_DIGITS => {
                    say(path, "keys are 0-9, *, #, A-D and {slot}, 16 at most");
                }
                // What a probe asks twice, and what an answer names, is a REFER.
                By::Digits | By::Call if self.proof.ask_twice || self.proof.sign == Sign::Answer => {
                    say(path, "this proof is one of REFER: here it is sign = \"lamp\" without ask_twice");
                }
                _ => {}
            }
            match (slot_named, way.to.names_slot()) {
                (false, true) => say(path, "no slot is named here: {slot} belongs in [park_on]"),
                (true, false) => say(path, "a way into a named slot wants {slot}"),
                _ => {}
            }
        }
        let bare = self.park_on.as_ref().is_some_and(|way| way.by == By::Refer && way.to.is_bare_slot());
        if bare && self.never.contains_key(&Never::ReferToSlot) {
            say("park_on", "this refers callers to the slot itself, which [never] forbids: refer_to_slot");
        }
        if self.proof.ask_twice && self.park.as_ref().is_none_or(|way| way.by != By::Refer) {
            say("proof.ask_twice", "the second REFER goes to [park], and there is none by refer");
        }
        if !(1..=MAX_PATIENCE_S).contains(&self.proof.patience) {
            say("proof.patience", "between 1 and 30 seconds");
        }
        if !self.retrieve.to.names_slot() {
            say("retrieve.to", "which slot? {slot} stands for its number");
        }
        if !self.lamps.watch.names_slot() {
            say("lamps.watch", "which slot? {slot} stands for its number");
        }
        if self.lamps.events.is_empty() {
            say("lamps.events", "at least one package: \"dialog\", \"presence\" or \"callpark\"");
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(name: &str, from: &str, to: &str) -> Preset {
        let text = Preset::text(name).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        toml::from_str(&text.replacen(from, to, 1)).unwrap()
    }

    #[test]
    fn every_preset_can_be_read_and_contradicts_itself_nowhere() {
        for name in Preset::names() {
            let preset: Preset = toml::from_str(Preset::text(name).unwrap()).unwrap();
            assert_eq!(preset.problems(), [], "{name}");
            assert!(!preset.title.is_empty() && !preset.tried_on.is_empty());
        }
        assert_eq!(Preset::named("asterix"), None);
    }

    #[test]
    fn what_a_dialect_must_never_do_can_not_be_configured_either() {
        let refers = changed("asterisk", "\"{prefix}{slot}\"", "\"{slot}\"");
        let [(path, words)] = &refers.problems()[..] else { panic!("{:?}", refers.problems()) };
        assert!(*path == "park_on" && words.contains("[never]"), "{words}");
        for (name, from, to, part) in [
            ("asterisk-dtmf", "\"#72\"", "\"park\"", "keys are"),
            ("asterisk-dtmf", "ends_leg", "ask_twice = true\nends_leg", "one of REFER"),
            ("asterisk", "to = \"{park}\"", "to = \"{slot}\"", "[park_on]"),
            ("asterisk", "to = \"{slot}\"", "to = \"701\"", "which slot"),
            ("freeswitch", "watch = \"park+{slot}\"", "watch = \"park\"", "which slot"),
            ("generic", "patience = 8", "patience = 0", "between 1 and 30"),
            ("generic", "events = [\"dialog\", \"presence\", \"callpark\"]", "events = []", "at least one"),
        ] {
            let problems = changed(name, from, to).problems();
            assert!(problems.iter().any(|(_, words)| words.contains(part)), "{name} {to}: {problems:?}");
        }
    }
}
