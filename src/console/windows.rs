//! What lies over the board, drawn: prompts and the larger windows with lists (help, palette, accounts).

use super::accounts;
use super::journal;
use super::layout::{Places, window};
use super::overlay::{Overlay, help_rows, palette_rows};
use super::paint::{Canvas, columns};
use super::prompts;
use super::quality;
use super::settings;
use super::state::Console;
use super::tell;
use crate::desk::Desk;
use ratatui::layout::{Position, Rect};
use tui_input::Input;

/// Draws the overlay that is open, if one is.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, console: &Console, places: &Places) {
    match &console.overlay {
        None => {}
        Some(Overlay::Help { search, first }) => {
            help(canvas, console, search, *first, place(console, desk, places))
        }
        Some(Overlay::Palette { search, chosen }) => {
            palette(canvas, console, search, *chosen, place(console, desk, places));
        }
        Some(Overlay::Accounts { first }) => {
            accounts::draw(canvas, desk, *first, place(console, desk, places))
        }
        Some(Overlay::Journal(window)) => {
            let (now_ms, zone) = console.wall();
            window.draw(canvas, place(console, desk, places), now_ms, zone);
        }
        Some(Overlay::Report { lines, first }) => {
            journal::draw_report(canvas, lines, *first, place(console, desk, places));
        }
        Some(Overlay::Settings(window)) => {
            let area = place(console, desk, places);
            settings::draw(canvas, desk, window, &console.kept, &console.keymap, area);
        }
        Some(Overlay::Ladder(window)) => window.draw(canvas, place(console, desk, places)),
        Some(Overlay::Quality) => quality::draw(canvas, desk, place(console, desk, places)),
        Some(Overlay::Tell(window)) => tell::draw(canvas, desk, window, place(console, desk, places)),
        Some(overlay) => prompts::draw(canvas, desk, overlay, place(console, desk, places)),
    }
}

/// Where the overlay that is open stands.
pub(super) fn place(console: &Console, desk: &Desk, places: &Places) -> Rect {
    let board = places.frame;
    match &console.overlay {
        Some(Overlay::Help { .. }) => window(board, 100, 60),
        Some(Overlay::Palette { .. }) => window(board, 84, 20),
        Some(Overlay::Accounts { .. }) => window(board, 100, 40),
        Some(Overlay::Journal(_)) => window(board, 120, 40),
        Some(Overlay::Report { lines, .. }) => {
            window(board, 78, u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2))
        }
        Some(Overlay::Settings(settings)) => window(board, 84, settings.height(desk, &console.kept)),
        Some(Overlay::Quality) => window(board, 78, 13),
        Some(Overlay::Ladder(_)) => window(board, 140, 60),
        Some(Overlay::Tell(tell)) => window(board, 84, tell.height(desk)),
        // Prompts stand at the foot of the board, so that calls and lamps stay in sight.
        _ => {
            let found = match &console.overlay {
                Some(Overlay::Prompt(prompt)) => prompt.finder.rows.len(),
                _ => 0,
            };
            let height = 4 + u16::try_from(found).unwrap_or(0);
            let at = window(board, 100.min(board.width.saturating_sub(2)), height);
            Rect { y: board.bottom().saturating_sub(at.height + 1), ..at }
        }
    }
}

/// An empty window with its title; returns its inside.
pub(super) fn open(canvas: &mut Canvas<'_>, area: Rect, title: &str) -> Rect {
    let (ground, border, heading) =
        (canvas.style("overlay"), canvas.style("overlay.border"), canvas.style("overlay.title"));
    canvas.clear(area, ground);
    canvas.frame(area, title, border, heading);
    Rect {
        x: area.x + 2.min(area.width),
        y: area.y + 1.min(area.height),
        width: area.width.saturating_sub(4),
        height: area.height.saturating_sub(2),
    }
}

/// A line of input with its cursor, scrolled so that the cursor shows.
pub(super) fn input_line(canvas: &mut Canvas<'_>, area: Rect, label: &str, input: &Input) {
    let label_style = canvas.style("overlay.key");
    let used = canvas.put(area.x, area.y, area.width, label, label_style);
    let x = area.x + used + u16::from(used > 0);
    let room = area.right().saturating_sub(x);
    if room < 2 {
        return;
    }
    let style = canvas.style("input");
    canvas.tint(Rect { x, y: area.y, width: room, height: 1 }, style);
    let scroll = input.visual_scroll(usize::from(room - 1));
    let (before, after) = split_at_column(input.value(), scroll);
    let hidden = columns(before);
    canvas.put(x, area.y, room, after, style);
    let at = u16::try_from(input.visual_cursor()).unwrap_or(u16::MAX).saturating_sub(hidden);
    if at < room {
        let cursor = canvas.style("input.cursor");
        canvas.tint(Rect { x: x + at, y: area.y, width: 1, height: 1 }, cursor);
    }
}

/// Splits a text at the first character that begins at this column or after it.
fn split_at_column(text: &str, column: usize) -> (&str, &str) {
    let end = text.char_indices().map(|(at, _)| at).find(|at| usize::from(columns(&text[..*at])) >= column);
    text.split_at(end.unwrap_or(text.len()))
}

fn help(canvas: &mut Canvas<'_>, console: &Console, search: &Input, first: usize, area: Rect) {
    let rows = help_rows(&console.keymap, search.value());
    let inside = open(canvas, area, "all keys");
    input_line(canvas, inside, "search", search);
    let room = inside.height.saturating_sub(2);
    let shown = usize::from(room);
    let first = first.min(rows.len().saturating_sub(shown));
    let when_columns = if inside.width >= 96 { 28 } else { 0 };
    for (y, row) in (inside.y + 2..inside.bottom()).zip(rows.iter().skip(first)) {
        let mut pen = canvas.line(inside, y);
        pen.column_right(if row.keys.len() > 13 { 19 } else { 13 }, &row.keys, "overlay.key");
        pen.skip(2);
        if when_columns > 0 {
            pen.right(when_columns, row.when, "dim");
        }
        pen.say(row.about, "overlay");
    }
    if rows.is_empty() {
        let mut pen = canvas.line(inside, inside.y + 2);
        pen.say("no key does that", "dim");
    }
    let below = rows.len().saturating_sub(first + shown);
    if below > 0 {
        let style = canvas.style("overlay.title");
        canvas.put(
            area.x + 2,
            area.bottom().saturating_sub(1),
            area.width,
            &format!(" {below} more · ↓ "),
            style,
        );
    }
}

fn palette(canvas: &mut Canvas<'_>, console: &Console, search: &Input, chosen: usize, area: Rect) {
    let rows = palette_rows(search.value());
    let inside = open(canvas, area, "all commands");
    input_line(canvas, inside, ":", search);
    let first = palette_first(chosen, inside);
    for (nth, y) in (first..rows.len()).zip(inside.y + 2..inside.bottom()) {
        let line = Rect { y, height: 1, ..inside };
        if nth == chosen {
            let style = canvas.style("chosen");
            canvas.tint(line, style);
        }
        let Some(row) = rows.get(nth) else { break };
        let mut pen = canvas.line(line, y);
        pen.say(if nth == chosen { "▸ " } else { "  " }, "overlay.key");
        pen.column(18, row.name, "overlay.title");
        pen.right(12, &console.keymap.keys_of(row.deed), "overlay.key");
        pen.say(row.about, "overlay");
    }
    if rows.is_empty() {
        let mut pen = canvas.line(inside, inside.y + 2);
        pen.say("no command has these words", "dim");
    }
}

fn palette_first(chosen: usize, inside: Rect) -> usize {
    let shown = usize::from(inside.height.saturating_sub(2)).max(1);
    chosen.saturating_sub(shown - 1)
}

/// The row of the palette's list at a position.
pub(super) fn palette_at(area: Rect, chosen: usize, position: Position) -> Option<usize> {
    let inside = Rect { y: area.y + 3, height: area.height.saturating_sub(4), ..area };
    let row = usize::from(position.y.checked_sub(inside.y)?);
    let list = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
    inside.contains(position).then_some(palette_first(chosen, list) + row)
}
