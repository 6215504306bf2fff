//! The settings' window, drawn.

use super::{Kept, Page, Row, SettingsWindow, commands, devices, rebound};
use crate::console::keymap::Keymap;
use crate::console::paint::{Canvas, Pen, wrap};
use crate::console::top;
use crate::console::windows::{input_line, open};
use crate::desk::{Desk, SoundRole};
use ratatui::layout::{Position, Rect};

/// Columns of a row's name.
const NAME_COLUMNS: u16 = 15;
/// Columns of a meter.
const METER: u16 = 12;

/// Draws it.
pub(in crate::console) fn draw(
    canvas: &mut Canvas<'_>,
    desk: &Desk,
    window: &SettingsWindow,
    kept: &Kept,
    keymap: &Keymap,
    area: Rect,
) {
    let inside = open(canvas, area, &window.title(kept));
    match &window.page {
        Page::Rows => draw_rows(canvas, desk, window, (kept, keymap), inside),
        Page::Devices { role, chosen, asked } => {
            draw_devices(canvas, desk, kept, (*role, *chosen, *asked), inside)
        }
        Page::Themes { chosen } => draw_themes(canvas, kept, *chosen, inside),
        Page::Keys { search, chosen, catching } => {
            input_line(canvas, inside, "search", search);
            let list = window.list(inside);
            let rows = commands(search.value());
            for (nth, y) in (window.first(list)..rows.len()).zip(list.y..list.bottom()) {
                let Some(row) = rows.get(nth) else { break };
                let mut pen = chosen_line(canvas, list, y, nth == *chosen);
                pen.column(18, row.name, "overlay.title");
                if nth == *chosen && *catching {
                    pen.say("press the key that it shall have · esc: as it was", "notice.warning");
                    continue;
                }
                pen.right(16, &keymap.keys_of(row.deed), "overlay.key");
                pen.say(row.about, "overlay");
            }
            if rows.is_empty() {
                canvas.line(list, list.y).say("no command has these words", "dim");
            }
        }
    }
}

impl SettingsWindow {
    fn title(&self, kept: &Kept) -> String {
        let lasts = if kept.in_file { "" } else { " · until you leave" };
        match &self.page {
            Page::Rows => format!("settings{lasts}"),
            Page::Devices { role, .. } => format!("settings · {}{lasts}", role.word()),
            Page::Themes { .. } => format!("settings · theme{lasts}"),
            Page::Keys { .. } => format!("settings · keys{lasts}"),
        }
    }

    /// The keys that work on this page, for the footer.
    pub(in crate::console) fn hints(&self, desk: &Desk) -> Vec<(&'static str, &'static str)> {
        match &self.page {
            Page::Rows => match Row::all(desk).get(self.chosen) {
                Some(Row::Device(SoundRole::Microphone)) => {
                    vec![("enter", "choose"), ("↑ ↓", "other settings")]
                }
                Some(Row::Device(_)) => vec![("enter", "choose"), ("t", "tone"), ("↑ ↓", "other settings")],
                Some(Row::Volume) => {
                    vec![("← →", "softer, louder"), ("t", "ring"), ("↑ ↓", "other settings")]
                }
                Some(Row::Account(_)) => vec![("enter", "register again"), ("↑ ↓", "other settings")],
                _ => vec![("enter", "change"), ("↑ ↓", "other settings")],
            },
            Page::Devices { asked: true, .. } => vec![("y", "use it all the same")],
            Page::Devices { .. } => vec![("enter", "use it"), ("t", "tone"), ("↑ ↓", "choose")],
            Page::Themes { .. } => vec![("enter", "keep it"), ("↑ ↓", "try on")],
            Page::Keys { catching: true, .. } => Vec::new(),
            Page::Keys { .. } => {
                vec![
                    ("enter", "press another key"),
                    ("delete", "the first ones"),
                    ("↑ ↓", "choose · type to search"),
                ]
            }
        }
    }

    /// How high it wants to be.
    pub(in crate::console) fn height(&self, desk: &Desk, kept: &Kept) -> u16 {
        let rows = match &self.page {
            Page::Rows => Row::all(desk).len(),
            Page::Devices { role, .. } => devices(desk, *role).len() + 4,
            Page::Themes { .. } => kept.themes.len(),
            Page::Keys { .. } => 40,
        };
        u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2).max(9)
    }

    /// The part of the inside that has the list.
    fn list(&self, inside: Rect) -> Rect {
        let above = if matches!(self.page, Page::Keys { .. }) { 2 } else { 0 };
        Rect { y: inside.y + above, height: inside.height.saturating_sub(above), ..inside }
    }

    fn at(&self) -> usize {
        match &self.page {
            Page::Rows => self.chosen,
            Page::Devices { chosen, .. } | Page::Themes { chosen } | Page::Keys { chosen, .. } => *chosen,
        }
    }

    fn first(&self, list: Rect) -> usize {
        self.at().saturating_sub(usize::from(list.height).max(1) - 1)
    }

    /// The line of the list at a position, counted from the first that shows, and which that is.
    pub(in crate::console) fn row_at(&self, area: Rect, position: Position) -> Option<(usize, usize)> {
        let inside = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
        let list = self.list(inside);
        let nth = usize::from(position.y.checked_sub(list.y)?);
        list.contains(position).then_some((nth, self.first(list)))
    }
}

/// A line of a list, with the mark of the chosen one.
fn chosen_line<'c>(canvas: &'c mut Canvas<'_>, list: Rect, y: u16, chosen: bool) -> Pen<'c, 'c> {
    let line = Rect { y, height: 1, ..list };
    if chosen {
        let style = canvas.style("chosen");
        canvas.tint(line, style);
    }
    let mut pen = canvas.line(line, y);
    pen.say(if chosen { "▸ " } else { "  " }, "overlay.key");
    pen
}

fn draw_rows(
    canvas: &mut Canvas<'_>,
    desk: &Desk,
    window: &SettingsWindow,
    (kept, keymap): (&Kept, &Keymap),
    inside: Rect,
) {
    let rows = Row::all(desk);
    for (nth, y) in (window.first(inside)..rows.len()).zip(inside.y..inside.bottom()) {
        let Some(row) = rows.get(nth) else { break };
        let mut pen = chosen_line(canvas, inside, y, nth == window.chosen);
        draw_row(&mut pen, desk, *row, kept, keymap);
    }
}

fn draw_row(pen: &mut Pen<'_, '_>, desk: &Desk, row: Row, kept: &Kept, keymap: &Keymap) {
    match row {
        Row::Device(role) => {
            pen.column(NAME_COLUMNS, role.word(), "overlay.title");
            device(pen, desk, role, kept);
        }
        Row::Volume => {
            pen.column(NAME_COLUMNS, "ring volume", "overlay.title");
            let volume = kept.ring_volume();
            pen.say(&meter(volume), "meter");
            pen.say(&format!(" {volume} %"), "overlay");
        }
        Row::Theme => {
            pen.column(NAME_COLUMNS, "theme", "overlay.title");
            pen.say(kept.theme().unwrap_or("dark"), "overlay");
        }
        Row::Keys => {
            pen.column(NAME_COLUMNS, "keys", "overlay.title");
            let text = match rebound(keymap) {
                0 => "as they come".to_owned(),
                1 => "1 command has others".to_owned(),
                n => format!("{n} commands have others"),
            };
            pen.say(&text, "overlay");
        }
        Row::DoNotDisturb => {
            pen.column(NAME_COLUMNS, "do not disturb", "overlay.title");
            match desk.presence.do_not_disturb {
                true => pen.say("ON: new callers hear busy", "notice.warning"),
                false => pen.say("off", "overlay"),
            }
        }
        Row::Night => {
            pen.column(NAME_COLUMNS, "night", "overlay.title");
            night(pen, desk, kept);
        }
        Row::Account(line) => {
            let Some(line) = desk.line(line) else { return };
            pen.column(NAME_COLUMNS - 1, line.account.called(), "overlay.title");
            pen.skip(1);
            let (glyph, word, scope) = top::state(&line.account);
            pen.say(&format!("{glyph} {word}"), scope);
            if let crate::desk::Registration::Failed { reason, .. } = &line.account.registration {
                pen.say(&format!(" · {reason}"), "notice.error");
            }
        }
    }
}

fn night(pen: &mut Pen<'_, '_>, desk: &Desk, kept: &Kept) {
    let hours = kept.config.as_ref().is_some_and(|config| !config.calls.night_hours.is_empty());
    let by_hours = if hours { " · changes by the hours in [calls]" } else { "" };
    match (desk.presence.night, desk.routes.night.as_str()) {
        (_, "") => pen.say("nowhere to send callers: night in [calls]", "dim"),
        (true, to) => pen.say(&format!("NIGHT: new callers go to {to}{by_hours}"), "notice.warning"),
        (false, _) => pen.say(&format!("day{by_hours}"), "overlay"),
    }
}

/// Which device, and its meter where it has one.
fn device(pen: &mut Pen<'_, '_>, desk: &Desk, role: SoundRole, kept: &Kept) {
    let (in_use, level) = match role {
        SoundRole::Microphone => (desk.sound.microphone.as_ref(), Some(desk.sound.microphone_level)),
        SoundRole::Headset => (desk.sound.headset.as_ref(), Some(desk.sound.ear_level)),
        SoundRole::Ringer | SoundRole::SecondEar => (None, None),
    };
    if desk.sound.off {
        return pen.say("sound is switched off", "dim");
    }
    if let Some(level) = level {
        pen.right(METER, &meter(level), "meter");
    }
    match (kept.device(role), in_use) {
        (_, Some(Err(why))) => pen.say(&format!("✕ {why}"), "notice.error"),
        (Some(name), _) => pen.say(name, "overlay"),
        (None, Some(Ok(name))) => pen.say(&format!("{name} (the system's choice)"), "overlay"),
        (None, None) if role == SoundRole::SecondEar => {
            pen.say("none: its tones are heard in the headset", "dim")
        }
        (None, None) => pen.say("the system's choice", "overlay"),
    }
}

/// A level of 0 to 100 as a bar; what isn't reached is a dot, so that it reads without colour.
fn meter(level: u8) -> String {
    let full = usize::from(level.min(100)).div_ceil(10);
    format!("{}{}", "▇".repeat(full), "·".repeat(10 - full))
}

fn draw_devices(
    canvas: &mut Canvas<'_>,
    desk: &Desk,
    kept: &Kept,
    (role, chosen, asked): (SoundRole, usize, bool),
    inside: Rect,
) {
    let devices = devices(desk, role);
    let named = kept.device(role);
    let none = if role == SoundRole::SecondEar { "none" } else { "the system's choice" };
    let list = Rect { height: inside.height.saturating_sub(3), ..inside };
    let first = chosen.saturating_sub(usize::from(list.height).max(1) - 1);
    for (nth, y) in (first..=devices.len()).zip(list.y..list.bottom()) {
        let mut pen = chosen_line(canvas, list, y, nth == chosen);
        let device = nth.checked_sub(1).and_then(|nth| devices.get(nth));
        let name = device.map_or(none, |device| device.name.as_str());
        let is_set = device.map(|device| device.name.as_str()) == named;
        pen.say(if is_set { "● " } else { "○ " }, "overlay.key");
        match device {
            Some(device) if device.monitor => {
                pen.right(32, "no microphone: hears the speaker", "notice.warning")
            }
            Some(device) if device.loud => pen.right(20, "heard in the room", "dim"),
            _ => {}
        }
        pen.say(name, "overlay");
    }
    let foot = Rect { y: list.bottom() + 1, height: 2, ..inside };
    if asked {
        let name =
            chosen.checked_sub(1).and_then(|nth| devices.get(nth)).map_or("", |device| device.name.as_str());
        let text = format!(
            "! “{name}” is no microphone: callers would hear what this computer plays. Use it all the same?"
        );
        for (y, line) in (foot.y..inside.bottom()).zip(wrap(&text, foot.width)) {
            canvas.line(foot, y).say(&line, "notice.warning");
        }
        return;
    }
    let mut pen = canvas.line(foot, foot.y);
    match role {
        SoundRole::Microphone => {
            pen.say("what it hears  ", "dim");
            pen.say(&meter(desk.sound.microphone_level), "meter");
        }
        _ => pen.say("the tone sounds where the one in use plays (●)", "dim"),
    }
}

fn draw_themes(canvas: &mut Canvas<'_>, kept: &Kept, chosen: usize, inside: Rect) {
    let worn = kept.theme().unwrap_or("dark");
    let first = chosen.saturating_sub(usize::from(inside.height).max(1) - 1);
    for (nth, y) in (first..kept.themes.len()).zip(inside.y..inside.bottom()) {
        let Some(name) = kept.themes.get(nth) else { break };
        let mut pen = chosen_line(canvas, inside, y, nth == chosen);
        pen.say(if name == worn { "● " } else { "○ " }, "overlay.key");
        pen.say(name, "overlay");
    }
}
