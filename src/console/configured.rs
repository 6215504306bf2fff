//! The console and its configuration: what is in force, what is worn, and what the settings change.

use super::keymap::Keymap;
use super::keys::Chord;
use super::overlay::Overlay;
use super::state::Console;
use crate::config::{Change, Config};
use crate::desk::{Command, Desk};
use crossterm::event::{KeyCode, KeyEvent};
use std::sync::Arc;

impl Console {
    /// Another configuration is in force; `in_file`: what is changed here is kept in its file.
    pub fn configure(&mut self, mut config: Arc<Config>, in_file: bool) {
        // What is on its way to the file while the window is open must not jump back meanwhile.
        if matches!(self.overlay, Some(Overlay::Settings(_))) && !self.kept.recent.is_empty() {
            let config = Arc::make_mut(&mut config);
            self.kept.recent.iter().for_each(|change| change.apply(config));
        }
        // Keys that can't be are refused before: then those of before stay.
        if let Ok(keymap) = Keymap::with_overrides(&config.keys) {
            self.keymap = keymap;
        }
        (self.kept.config, self.kept.in_file) = (Some(config), in_file);
    }

    /// The name of the theme to be worn now: one that is tried on, else the configured one; `None`: ours.
    pub fn theme_shown(&self) -> Option<&str> {
        let tried = match &self.overlay {
            Some(Overlay::Settings(window)) => window.theme_tried(&self.kept),
            _ => None,
        };
        tried.or(self.kept.theme())
    }

    /// What the operator has changed of the configuration since this was asked last.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.kept.changes)
    }

    /// Whether the list of themes has just become interesting.
    pub fn wants_themes(&mut self) -> bool {
        std::mem::take(&mut self.kept.themes_wanted)
    }

    /// The names of all themes.
    pub fn set_themes(&mut self, themes: Vec<String>) {
        self.kept.themes = themes;
    }

    /// A key while the settings are open.
    pub(super) fn settings_key(&mut self, desk: &Desk, key: KeyEvent, held_down: bool) -> Vec<Command> {
        let Self { overlay, kept, keymap, .. } = self;
        let Some(Overlay::Settings(window)) = overlay else { return Vec::new() };
        let interrupted = Chord::read("ctrl-c") == Some(Chord::of(key));
        if held_down && (key.code == KeyCode::Enter || window.catches()) {
            return Vec::new();
        }
        let key = if interrupted { KeyCode::Esc.into() } else { key };
        let reaction = window.key(desk, kept, keymap, key);
        if reaction.closes {
            self.overlay = None;
        }
        match reaction.says {
            Some(text) => self.show_hint(desk.now, &text),
            None => self.hint = None,
        }
        reaction.commands
    }
}
