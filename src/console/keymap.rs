//! Which key gives which command: the table's keys with the configuration's over them, checked for conflicts.

use super::commands::{CommandRow, Deed, command_table};
use super::keys::{Chord, key_names};
use crossterm::event::KeyEvent;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// The most keys one command can have.
pub const MAX_KEYS: usize = 8;

/// What is wrong with a configured key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeymapProblem {
    /// There is no such command.
    UnknownCommand {
        /// The name given.
        name: String,
        /// What was probably meant.
        meant: Option<&'static str>,
    },
    /// There is no such key.
    UnknownKey {
        /// The command.
        command: String,
        /// The key string given.
        key: String,
        /// What was probably meant.
        meant: Option<&'static str>,
    },
    /// Two commands want the same key.
    Conflict {
        /// The key.
        key: String,
        /// One of them.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// More than [`MAX_KEYS`] keys for one command.
    TooManyKeys {
        /// The command.
        command: &'static str,
    },
}

impl fmt::Display for KeymapProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let did_you_mean = |f: &mut fmt::Formatter<'_>, meant: &Option<&str>| match meant {
            Some(meant) => write!(f, ": did you mean “{meant}”?"),
            None => Ok(()),
        };
        match self {
            Self::UnknownCommand { name, meant } => {
                write!(f, "there is no command “{}”", name.escape_debug())?;
                did_you_mean(f, meant)
            }
            Self::UnknownKey { command, key, meant } => {
                write!(f, "“{}” for {} is not a key", key.escape_debug(), command.escape_debug())?;
                did_you_mean(f, meant)
            }
            Self::Conflict { key, first, second } => {
                write!(
                    f,
                    "the key “{key}” would mean both {first} and {second}: give one of them another key"
                )
            }
            Self::TooManyKeys { command } => write!(f, "{command} has more than {MAX_KEYS} keys"),
        }
    }
}

impl std::error::Error for KeymapProblem {}

/// Which key gives which command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    by_key: HashMap<Chord, Deed>,
    by_deed: HashMap<Deed, Vec<Chord>>,
}

impl Default for Keymap {
    fn default() -> Self {
        // The table's own keys don't conflict: a test sees to that.
        Self::build(|row| row.keys.iter().filter_map(|k| Chord::read(k)).collect()).0
    }
}

impl Keymap {
    /// The default keys, with these commands' keys replaced. An empty list leaves a command without a key.
    ///
    /// # Errors
    /// All problems at once: unknown commands and keys with what was probably meant, and keys that two commands want,
    /// also when one of them has it only by default.
    pub fn with_overrides(overrides: &BTreeMap<String, Vec<String>>) -> Result<Self, Vec<KeymapProblem>> {
        let mut problems = Vec::new();
        let mut replaced: HashMap<&'static str, Vec<Chord>> = HashMap::new();
        for (name, keys) in overrides {
            let Some(row) = command_table().iter().find(|r| r.name == name) else {
                let meant = nearest(name, command_table().iter().map(|r| r.name));
                problems.push(KeymapProblem::UnknownCommand { name: name.clone(), meant });
                continue;
            };
            if keys.len() > MAX_KEYS {
                problems.push(KeymapProblem::TooManyKeys { command: row.name });
                continue;
            }
            let chords = replaced.entry(row.name).or_default();
            for key in keys {
                match Chord::read(key) {
                    Some(chord) => chords.push(chord),
                    None => {
                        let meant = nearest(key, key_names());
                        let (command, key) = (name.clone(), key.clone());
                        problems.push(KeymapProblem::UnknownKey { command, key, meant });
                    }
                }
            }
        }
        let by_default = |row: &CommandRow| row.keys.iter().filter_map(|k| Chord::read(k)).collect();
        // A colleague's key is only a convenience: it gives way to whatever the configuration wants it for.
        let wanted: Vec<Chord> = replaced.values().flatten().copied().collect();
        let keys_of = |row: &CommandRow| {
            replaced.get(row.name).cloned().unwrap_or_else(|| {
                let keys: Vec<Chord> = by_default(row);
                let yields = matches!(row.deed, Deed::Colleague(_));
                keys.into_iter().filter(|key| !(yields && wanted.contains(key))).collect()
            })
        };
        let (keymap, conflicts) = Self::build(keys_of);
        problems.extend(conflicts);
        if problems.is_empty() { Ok(keymap) } else { Err(problems) }
    }

    fn build(keys_of: impl Fn(&CommandRow) -> Vec<Chord>) -> (Self, Vec<KeymapProblem>) {
        let mut owner: HashMap<Chord, &CommandRow> = HashMap::new();
        let mut by_deed: HashMap<Deed, Vec<Chord>> = HashMap::new();
        let mut problems = Vec::new();
        for row in command_table() {
            for chord in keys_of(row) {
                match owner.get(&chord) {
                    Some(first) if first.name != row.name => problems.push(KeymapProblem::Conflict {
                        key: chord.to_string(),
                        first: first.name,
                        second: row.name,
                    }),
                    Some(_) => {}
                    None => {
                        owner.insert(chord, row);
                        by_deed.entry(row.deed).or_default().push(chord);
                    }
                }
            }
        }
        // Whatever is rebound, there is a way out.
        if let Some((chord, row)) =
            Chord::read("ctrl-c").zip(command_table().iter().find(|r| r.deed == Deed::Quit))
        {
            owner.entry(chord).or_insert(row);
        }
        let by_key = owner.into_iter().map(|(chord, row)| (chord, row.deed)).collect();
        (Self { by_key, by_deed }, problems)
    }

    /// What a key means on the board.
    pub fn deed(&self, key: KeyEvent) -> Option<Deed> {
        self.by_key.get(&Chord::of(key)).copied()
    }

    /// The first key of a command, as shown; `None` when it has none.
    pub fn key_of(&self, deed: Deed) -> Option<String> {
        self.by_deed.get(&deed).and_then(|keys| keys.first()).map(Chord::to_string)
    }

    /// All keys of a command, as shown in the help.
    pub fn keys_of(&self, deed: Deed) -> String {
        let keys: Vec<_> = self.by_deed.get(&deed).into_iter().flatten().map(Chord::to_string).collect();
        keys.join(" ")
    }
}

/// The known word nearest to a mistyped one, if one is near.
pub(super) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed: String = typed.chars().take(40).flat_map(char::to_lowercase).collect();
    known
        .map(|word| {
            let swapped = strsim::damerau_levenshtein(&typed, word) <= 1 && word.len() > 2;
            (strsim::jaro_winkler(&typed, word) + f64::from(u8::from(swapped)), word)
        })
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}
