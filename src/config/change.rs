//! What the operator changes on the board, as an edit of the configuration file: everything else in the file stays, its
//! comments too. The same change can be made to a [`Config`] directly, where there is no file.

use super::Config;
use crate::desk::SoundRole;
use toml_edit::{Array, DocumentMut, Item, Table, Value};

/// One thing that is set to another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The theme's name.
    Theme(String),
    /// A sound device by its name; `None`: the system's default, and no second ear.
    Device {
        /// What for.
        role: SoundRole,
        /// Which.
        name: Option<String>,
    },
    /// How loud it rings, in percent.
    RingVolume(u8),
    /// The keys of a command, all of them.
    Keys {
        /// Its name.
        command: String,
        /// As they are written.
        keys: Vec<String>,
    },
}

impl Change {
    /// Makes the change in a configuration.
    pub fn apply(&self, config: &mut Config) {
        match self {
            Self::Theme(name) => config.screen.theme = Some(name.clone()),
            Self::Device { role, name } => *config.sound.device_mut(*role) = name.clone(),
            Self::RingVolume(percent) => config.sound.ring_volume = (*percent).min(100),
            Self::Keys { command, keys } => {
                config.keys.insert(command.clone(), keys.clone());
            }
        }
    }

    /// The text of a configuration file with the change in it.
    ///
    /// # Errors
    /// Why the file can't be edited, in words.
    pub fn edit(&self, text: &str) -> Result<String, String> {
        let mut document: DocumentMut = text.parse().map_err(|_| "the file can't be edited".to_owned())?;
        let (section, key) = self.place();
        let section_item = document.entry(section).or_insert_with(|| Item::Table(Table::new()));
        let table = section_item.as_table_like_mut().ok_or_else(|| format!("“{section}” is no table"))?;
        let Some(value) = self.value(table.contains_key(key)) else { return Ok(text.to_owned()) };
        match table.get_mut(key).and_then(Item::as_value_mut) {
            // What stands around the old value (a comment behind it) stays.
            Some(old) => {
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            None => {
                table.insert(key, Item::Value(value));
            }
        }
        Ok(document.to_string())
    }

    /// Whether both set the same thing, so that the later one is enough.
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        self.place() == other.place()
    }

    /// Section and key.
    fn place(&self) -> (&'static str, &str) {
        match self {
            Self::Theme(_) => ("screen", "theme"),
            Self::Device { role, .. } => ("sound", role.key()),
            Self::RingVolume(_) => ("sound", "ring_volume"),
            Self::Keys { command, .. } => ("keys", command),
        }
    }

    /// The value as it is written; `None`: what isn't written means the same.
    fn value(&self, is_written: bool) -> Option<Value> {
        Some(match self {
            Self::Theme(name) => name.as_str().into(),
            Self::Device { name: Some(name), .. } => name.as_str().into(),
            Self::Device { name: None, .. } if !is_written => return None,
            Self::Device { role: SoundRole::SecondEar, name: None } => "".into(),
            Self::Device { name: None, .. } => "default".into(),
            Self::RingVolume(percent) => i64::from((*percent).min(100)).into(),
            Self::Keys { keys, .. } => match keys.as_slice() {
                [one] => one.as_str().into(),
                several => several.iter().map(String::as_str).collect::<Array>().into(),
            },
        })
    }
}

impl SoundRole {
    /// The key of `[sound]` that names the device.
    pub fn key(self) -> &'static str {
        match self {
            Self::Microphone => "headset_in",
            Self::Headset => "headset_out",
            Self::Ringer => "ringer",
            Self::SecondEar => "second_ear",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# mine\n[account]\nuser = \"a\"\nserver = \"pbx.test\"\npassword_file = \"p\"\n\n[lot]\n\
                        slots = \"701-703\"\n\n[sound]\nheadset_in = \"Old\"   # the blue one\n# ringer = \"x\"\n\n[screen]\n\
                        # theme = \"dark\"\nmouse = true\n";

    fn all() -> Vec<Change> {
        let device = |role, name: Option<&str>| Change::Device { role, name: name.map(str::to_owned) };
        let keys = |command: &str, keys: &[&str]| Change::Keys {
            command: command.to_owned(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        vec![
            Change::Theme("light".to_owned()),
            device(SoundRole::Microphone, Some("Jabra \"Evolve\" 2")),
            device(SoundRole::Microphone, None),
            device(SoundRole::Headset, None),
            device(SoundRole::Ringer, Some("Speakers")),
            device(SoundRole::SecondEar, None),
            Change::RingVolume(40),
            keys("park", &["z"]),
            keys("hold", &["f10", "ctrl-h"]),
            keys("mute", &[]),
        ]
    }

    #[test]
    fn the_edited_file_says_what_was_changed_and_nothing_else() {
        let before = Config::parse(FILE, "x").unwrap();
        for change in all() {
            let text = change.edit(FILE).unwrap();
            let mut wanted = before.clone();
            change.apply(&mut wanted);
            assert_eq!(Config::parse(&text, "x").unwrap(), wanted, "{change:?}\n{text}");
            for line in ["# mine", "# the blue one", "# ringer = \"x\"", "# theme = \"dark\"", "mouse = true"]
            {
                assert!(text.contains(line), "{change:?} lost {line}:\n{text}");
            }
        }
    }

    #[test]
    fn changes_add_up_and_the_last_one_counts() {
        let mut text = Config::example().to_owned();
        let mut wanted = Config::parse(&text, "x").unwrap();
        for change in all() {
            text = change.edit(&text).unwrap();
            change.apply(&mut wanted);
        }
        assert_eq!(Config::parse(&text, "x").unwrap(), wanted, "{text}");
        let comments = |text: &str| text.matches('#').count();
        assert_eq!(comments(&text), comments(Config::example()));
    }

    #[test]
    fn what_is_no_table_is_not_written_over() {
        assert!(Change::RingVolume(1).edit("sound = 3").is_err());
        assert!(Change::RingVolume(1).edit("x = ").is_err());
        let inline = Change::RingVolume(1).edit("sound = { ringer = \"a\" }").unwrap();
        assert!(inline.contains("ring_volume = 1") && inline.starts_with("sound = {"), "{inline}");
    }
}
