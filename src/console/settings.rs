//! The settings' window: devices with a tone and a moving meter, ring volume, theme, keys, do not disturb, night, and how
//! the accounts stand. What is changed counts at once; whoever keeps the configuration writes it into the file.

mod draw;

pub(super) use draw::draw;

use super::commands::{CommandRow, Deed, command_table};
use super::keymap::Keymap;
use super::keys::Chord;
use super::overlay::{MAX_SEARCH, edit_line};
use crate::config::{Change, Config};
use crate::desk::{Command, Desk, LineId, ListedDevice, SoundRole, SoundWish};
use crossterm::event::{KeyCode, KeyEvent};
use std::sync::Arc;
use std::time::Duration;
use tui_input::Input;

/// A step of the ring volume, in percent.
const STEP: u8 = 10;
/// Microphone and ear are kept open while somebody is at it: asked for again when less than this is left.
const KEEP_OPEN: Duration = Duration::from_secs(30);

/// What the window knows besides the desk.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// The configuration in force; `None` where the console runs without one (tests).
    pub(super) config: Option<Arc<Config>>,
    /// Whether changes are kept in a file.
    pub(super) in_file: bool,
    /// The names of all themes.
    pub(super) themes: Vec<String>,
    /// What is changed and was not passed on yet.
    pub(super) changes: Vec<Change>,
    /// What was changed since the window was opened.
    pub(super) recent: Vec<Change>,
    /// The list of themes is wanted.
    pub(super) themes_wanted: bool,
}

impl Kept {
    /// The configured theme.
    pub(super) fn theme(&self) -> Option<&str> {
        self.config.as_ref()?.screen.theme.as_deref()
    }

    /// Changes something, here at once.
    fn change(&mut self, change: Change) {
        if let Some(config) = &mut self.config {
            change.apply(Arc::make_mut(config));
        }
        self.recent.retain(|before| !before.is_of_the_same(&change));
        self.recent.push(change.clone());
        self.changes.push(change);
    }

    fn device(&self, role: SoundRole) -> Option<&str> {
        self.config.as_ref()?.sound.device(role)
    }

    fn ring_volume(&self) -> u8 {
        self.config.as_ref().map_or(100, |config| config.sound.ring_volume)
    }
}

/// A line of the first page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Device(SoundRole),
    Volume,
    Theme,
    Keys,
    DoNotDisturb,
    Night,
    Account(LineId),
}

impl Row {
    fn all(desk: &Desk) -> Vec<Self> {
        let devices = SoundRole::ALL.into_iter().map(Self::Device);
        let rest = [Self::Volume, Self::Theme, Self::Keys, Self::DoNotDisturb, Self::Night];
        let accounts = desk.numbered_lines().map(|(line, _)| Self::Account(line));
        devices.chain(rest).chain(accounts).collect()
    }
}

/// Which page shows.
#[derive(Clone, Debug, Default)]
enum Page {
    #[default]
    Rows,
    /// Which device; `asked`: a monitor was chosen, and only a yes takes it.
    Devices { role: SoundRole, chosen: usize, asked: bool },
    /// Which theme: the chosen one is worn already.
    Themes { chosen: usize },
    /// Which command gets another key; `catching`: the next key is that.
    Keys { search: Input, chosen: usize, catching: bool },
}

/// The window.
#[derive(Clone, Debug, Default)]
pub(super) struct SettingsWindow {
    chosen: usize,
    page: Page,
}

/// What follows from a key.
#[derive(Debug, Default)]
pub(super) struct Reaction {
    pub(super) commands: Vec<Command>,
    /// Shown for a while.
    pub(super) says: Option<String>,
    pub(super) closes: bool,
}

impl Reaction {
    fn says(text: impl Into<String>) -> Self {
        Self { says: Some(text.into()), ..Self::default() }
    }

    fn commands(commands: Vec<Command>) -> Self {
        Self { commands, ..Self::default() }
    }
}

fn sound(wish: SoundWish) -> Command {
    Command::Sound(wish)
}

impl SettingsWindow {
    /// What is to be said when it opens.
    pub(super) fn opening(desk: &Desk) -> Vec<Command> {
        match desk.sound.off {
            true => Vec::new(),
            false => vec![sound(SoundWish::ListDevices), sound(SoundWish::Try(true))],
        }
    }

    /// What is to be said when it closes: the microphone is open for nobody any more.
    pub(super) fn closing(desk: &Desk) -> Vec<Command> {
        if desk.sound.off { Vec::new() } else { vec![sound(SoundWish::Try(false))] }
    }

    /// The theme that is tried on.
    pub(super) fn theme_tried<'k>(&self, kept: &'k Kept) -> Option<&'k str> {
        match &self.page {
            Page::Themes { chosen } => kept.themes.get(*chosen).map(String::as_str),
            _ => None,
        }
    }

    /// Whether the next key is to be a command's, whatever it means otherwise.
    pub(super) fn catches(&self) -> bool {
        matches!(self.page, Page::Keys { catching: true, .. })
    }

    /// A key while it is open.
    pub(super) fn key(
        &mut self,
        desk: &Desk,
        kept: &mut Kept,
        keymap: &mut Keymap,
        key: KeyEvent,
    ) -> Reaction {
        let mut reaction = match &mut self.page {
            Page::Rows => self.rows_key(desk, kept, key),
            Page::Devices { role, chosen, asked } => {
                match devices_key(desk, kept, (*role, chosen, asked), key) {
                    Some(reaction) => reaction,
                    None => self.back(),
                }
            }
            Page::Themes { chosen } => match themes_key(kept, chosen, key) {
                true => self.back(),
                false => Reaction::default(),
            },
            Page::Keys { search, chosen, catching } => {
                match keys_key(kept, keymap, (search, chosen, catching), key) {
                    Some(reaction) => reaction,
                    None => self.back(),
                }
            }
        };
        if reaction.closes {
            reaction.commands.extend(Self::closing(desk));
        } else if !desk.sound.off
            && desk.sound.tried_until.is_none_or(|until| until.saturating_sub(desk.now) < KEEP_OPEN)
        {
            reaction.commands.push(sound(SoundWish::Try(true)));
        }
        reaction
    }

    fn back(&mut self) -> Reaction {
        self.page = Page::Rows;
        Reaction::default()
    }

    fn rows_key(&mut self, desk: &Desk, kept: &mut Kept, key: KeyEvent) -> Reaction {
        let rows = Row::all(desk);
        let last = rows.len().saturating_sub(1);
        self.chosen = self.chosen.min(last);
        let row = rows.get(self.chosen).copied();
        match key.code {
            KeyCode::Esc => return Reaction { closes: true, ..Reaction::default() },
            KeyCode::Up => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Down | KeyCode::Tab => self.chosen = (self.chosen + 1).min(last),
            KeyCode::Home => self.chosen = 0,
            KeyCode::End => self.chosen = last,
            KeyCode::Left | KeyCode::Right if row == Some(Row::Volume) => {
                let volume = kept.ring_volume();
                let next = match key.code {
                    KeyCode::Left => volume.saturating_sub(STEP),
                    _ => volume.saturating_add(STEP).min(100),
                };
                if next != volume {
                    kept.change(Change::RingVolume(next));
                }
            }
            KeyCode::Char('t') => match row {
                Some(Row::Device(role)) => return Reaction::commands(vec![sound(SoundWish::Test(role))]),
                Some(Row::Volume) => {
                    return Reaction::commands(vec![sound(SoundWish::Test(SoundRole::Ringer))]);
                }
                _ => {}
            },
            KeyCode::Enter => {
                if let Some(row) = row {
                    return self.open(desk, kept, row);
                }
            }
            _ => {}
        }
        Reaction::default()
    }

    fn open(&mut self, desk: &Desk, kept: &mut Kept, row: Row) -> Reaction {
        match row {
            Row::Device(_) if desk.sound.off => {
                return Reaction::says("sound is switched off: enabled = false in [sound]");
            }
            Row::Device(role) => {
                let named = kept.device(role);
                let is_it = |device: &&ListedDevice| Some(device.name.as_str()) == named;
                let chosen = devices(desk, role).iter().position(is_it).map_or(0, |nth| nth + 1);
                self.page = Page::Devices { role, chosen, asked: false };
                return Reaction::commands(vec![sound(SoundWish::ListDevices)]);
            }
            Row::Volume => return Reaction::commands(vec![sound(SoundWish::Test(SoundRole::Ringer))]),
            Row::Theme => {
                let worn = kept.theme().unwrap_or("dark");
                let chosen = kept.themes.iter().position(|name| name == worn).unwrap_or(0);
                self.page = Page::Themes { chosen };
            }
            Row::Keys => {
                self.page = Page::Keys { search: Input::default(), chosen: 0, catching: false };
            }
            Row::DoNotDisturb => return Reaction::commands(vec![Command::DoNotDisturb(None)]),
            Row::Night => return Reaction::commands(vec![Command::Night(None)]),
            Row::Account(line) => return Reaction::commands(vec![Command::Register(line)]),
        }
        Reaction::default()
    }

    /// A click on the list's line `nth`, counted from the first that shows: like choosing it, then enter.
    pub(super) fn click(&mut self, desk: &Desk, kept: &Kept, nth: usize, first: usize) -> bool {
        let chosen = first + nth;
        match &mut self.page {
            Page::Rows if chosen < Row::all(desk).len() => self.chosen = chosen,
            Page::Devices { role, chosen: at, asked } if chosen <= devices(desk, *role).len() => {
                (*at, *asked) = (chosen, false);
            }
            Page::Themes { chosen: at } if chosen < kept.themes.len() => *at = chosen,
            Page::Keys { search, chosen: at, catching: false } if chosen < commands(search.value()).len() => {
                *at = chosen;
            }
            _ => return false,
        }
        true
    }
}

/// The devices that could be used for a role: monitors last.
fn devices(desk: &Desk, role: SoundRole) -> Vec<&ListedDevice> {
    let fits = |device: &&ListedDevice| device.records == (role == SoundRole::Microphone);
    let mut devices: Vec<&ListedDevice> = desk.sound.devices.iter().filter(fits).collect();
    devices.sort_by_key(|device| device.monitor);
    devices
}

/// A key while a device is chosen; `None`: back to the first page.
fn devices_key(
    desk: &Desk,
    kept: &mut Kept,
    (role, chosen, asked): (SoundRole, &mut usize, &mut bool),
    key: KeyEvent,
) -> Option<Reaction> {
    let devices = devices(desk, role);
    *chosen = (*chosen).min(devices.len());
    if std::mem::take(asked) {
        let monitor = chosen.checked_sub(1).and_then(|nth| devices.get(nth));
        return match (key.code, monitor) {
            (KeyCode::Char('y' | 'Y'), Some(monitor)) => {
                kept.change(Change::Device { role, name: Some(monitor.name.to_string()) });
                None
            }
            _ => Some(Reaction::says("nothing was changed")),
        };
    }
    match key.code {
        KeyCode::Esc => return None,
        KeyCode::Up => *chosen = chosen.saturating_sub(1),
        KeyCode::Down | KeyCode::Tab => *chosen = (*chosen + 1).min(devices.len()),
        KeyCode::Char('t') => return Some(Reaction::commands(vec![sound(SoundWish::Test(role))])),
        KeyCode::Enter => {
            let device = chosen.checked_sub(1).and_then(|nth| devices.get(nth));
            if device.is_some_and(|device| device.monitor && role == SoundRole::Microphone) {
                *asked = true;
                return Some(Reaction::default());
            }
            kept.change(Change::Device { role, name: device.map(|device| device.name.to_string()) });
            return None;
        }
        _ => {}
    }
    Some(Reaction::default())
}

/// A key while a theme is chosen; whether that is done.
fn themes_key(kept: &mut Kept, chosen: &mut usize, key: KeyEvent) -> bool {
    let last = kept.themes.len().saturating_sub(1);
    match key.code {
        KeyCode::Esc => return true,
        KeyCode::Up => *chosen = chosen.saturating_sub(1),
        KeyCode::Down | KeyCode::Tab => *chosen = (*chosen + 1).min(last),
        KeyCode::Enter => {
            if let Some(name) = kept.themes.get(*chosen).cloned() {
                kept.change(Change::Theme(name));
            }
            return true;
        }
        _ => {}
    }
    false
}

/// The commands that have these words.
fn commands(search: &str) -> Vec<&'static CommandRow> {
    let search = search.to_lowercase();
    let has = |row: &&CommandRow| {
        search.split_whitespace().all(|word| row.name.contains(word) || row.about.contains(word))
    };
    command_table().iter().filter(has).collect()
}

/// A key in the list of keys; `None`: back to the first page.
fn keys_key(
    kept: &mut Kept,
    keymap: &mut Keymap,
    (search, chosen, catching): (&mut Input, &mut usize, &mut bool),
    key: KeyEvent,
) -> Option<Reaction> {
    let rows = commands(search.value());
    let last = rows.len().saturating_sub(1);
    *chosen = (*chosen).min(last);
    let row = rows.get(*chosen).copied();
    if std::mem::take(catching) {
        let Some(row) = row.filter(|_| key.code != KeyCode::Esc) else {
            return Some(Reaction::says("nothing was changed"));
        };
        let chord = Chord::of(key);
        // What can't be written down can't be read again.
        if Chord::read(&chord.to_string()) != Some(chord) {
            return Some(Reaction::says("that key has no name: another one"));
        }
        return Some(rebind(kept, keymap, row, vec![chord.to_string()]));
    }
    match key.code {
        KeyCode::Esc => return None,
        KeyCode::Up => *chosen = chosen.saturating_sub(1),
        KeyCode::Down | KeyCode::Tab => *chosen = (*chosen + 1).min(last),
        KeyCode::PageUp => *chosen = chosen.saturating_sub(10),
        KeyCode::PageDown => *chosen = (*chosen + 10).min(last),
        KeyCode::Enter => *catching = row.is_some(),
        KeyCode::Delete => {
            let row = row?;
            return Some(rebind(kept, keymap, row, row.keys.iter().map(|key| (*key).to_owned()).collect()));
        }
        _ => {
            edit_line(search, key, MAX_SEARCH);
            *chosen = 0;
        }
    }
    Some(Reaction::default())
}

/// Gives a command these keys, unless another one has one of them: then that one is named.
fn rebind(kept: &mut Kept, keymap: &mut Keymap, row: &CommandRow, keys: Vec<String>) -> Reaction {
    let mut overrides = kept.config.as_ref().map(|config| config.keys.clone()).unwrap_or_default();
    overrides.insert(row.name.to_owned(), keys.clone());
    match Keymap::with_overrides(&overrides) {
        Ok(rebound) => {
            *keymap = rebound;
            let text = format!("{} is {} now", row.name, keys.join(" "));
            kept.change(Change::Keys { command: row.name.to_owned(), keys });
            Reaction::says(text)
        }
        Err(problems) => Reaction::says(problems.first().map(ToString::to_string).unwrap_or_default()),
    }
}

/// How many commands have other keys than the table gives them.
fn rebound(keymap: &Keymap) -> usize {
    let changed = |row: &&CommandRow| {
        let own: Vec<String> =
            row.keys.iter().filter_map(|key| Chord::read(key)).map(|c| c.to_string()).collect();
        keymap.keys_of(row.deed) != own.join(" ") && !matches!(row.deed, Deed::Colleague(_))
    };
    command_table().iter().filter(changed).count()
}
