//! A screen too small for the board: it says so, and keeps what matters most. All keys work.

use super::banner;
use super::layout::SMALLEST;
use super::overlay::Overlay;
use super::paint::{Canvas, wrap};
use super::state::Console;
use super::windows::input_line;
use super::words;
use crate::desk::{Call, Desk, Slot};
use ratatui::layout::Rect;

/// Draws it, a line each, most important first: what is typed, the newest notice, the call in hand, calls, parked.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, console: &Console, area: Rect) {
    let mut lines: Vec<(String, &'static str)> = Vec::new();
    let (columns, rows) = SMALLEST;
    lines.push((format!("make the window larger: {columns}×{rows} needed"), "notice.warning"));
    if let Some(undo) = banner::announced(desk) {
        lines.push((banner::headline(desk, undo), "banner"));
    }
    let said = console.hint(desk).or_else(|| desk.current_notice().map(|n| n.text.as_str()));
    if let Some(text) = said {
        lines.extend(wrap(text, area.width).into_iter().map(|line| (line, "notice")));
    }
    if desk.sound.muted {
        lines.push(("MUTED".into(), "muted"));
    }
    let hand = desk.hand().map(|c| c.id);
    lines.extend(desk.calls.iter().filter(|c| Some(c.id) == hand).map(|c| call_line(desk, c, "▶")));
    lines.extend(desk.calls.iter().filter(|c| Some(c.id) != hand).map(|c| call_line(desk, c, " ")));
    lines.extend(desk.slots.iter().filter(|s| s.holds_somebody()).map(|s| slot_line(desk, s)));
    let input = match &console.overlay {
        Some(Overlay::Prompt(prompt)) => Some(&prompt.input),
        Some(Overlay::Help { search, .. } | Overlay::Palette { search, .. }) => Some(search),
        _ => None,
    };
    let mut free = area;
    if let Some(input) = input.filter(|_| area.height > 0) {
        free.height -= 1;
        input_line(canvas, Rect { y: area.bottom() - 1, height: 1, ..area }, ">", input);
    } else if matches!(console.overlay, Some(Overlay::Quit)) {
        lines.insert(
            0,
            (format!("{} calls would be lost: q again leaves", desk.calls.len()), "notice.warning"),
        );
    }
    for (y, (text, scope)) in (free.top()..free.bottom()).zip(lines) {
        canvas.line(free, y).say(&text, scope);
    }
}

fn call_line(desk: &Desk, call: &Call, mark: &str) -> (String, &'static str) {
    let (word, scope) = words::phase_word(desk.now, call);
    (format!("{mark} {word} {} {}", words::call_timer(desk.now, call), desk.label(&call.party)), scope)
}

fn slot_line(desk: &Desk, slot: &Slot) -> (String, &'static str) {
    let look = words::lamp(desk, slot);
    let mark = words::parked_urgency(desk, slot).mark();
    (
        format!(
            "{} {} {}{mark} {}",
            desk.place(&slot.key()),
            look.glyph,
            look.word,
            words::who(desk, slot).unwrap_or_default()
        ),
        look.scope,
    )
}
