//! The slots panel: one cell for each lamp, and more of one slot where there is room below.

use super::layout::SlotGrid;
use super::paint::{Canvas, Pen, columns, wrap};
use super::state::Console;
use super::{top, words};
use crate::desk::{Desk, LotKey, Slot};
use crate::parking::Lamp;
use ratatui::layout::Rect;

/// The least lines below the cells in which more of one slot is told.
const DETAIL_LINES: u16 = 4;

/// How the slots stand now.
pub(super) fn layout(desk: &Desk, console: &Console, area: Rect) -> SlotGrid {
    SlotGrid::of(desk, area, console.cursor_place(desk).unwrap_or(0))
}

/// Draws them.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, console: &Console, area: Rect) {
    let grid = layout(desk, console, area);
    let cursor = console.cursor_index(desk);
    let id_columns = desk.slots.iter().map(|s| columns(s.id.as_str())).max().unwrap_or(3).min(8);
    for (index, slot) in desk.slots.iter().enumerate() {
        if let Some(place) = grid.place(index) {
            draw_cell(canvas, desk, slot, place, &Cell { index, id_columns, chosen: cursor == Some(index) });
        }
    }
    for (first, place) in grid.names() {
        if let Some(slot) = desk.slots.get(first) {
            draw_lot_name(canvas, desk, slot.lot_key(), place);
        }
    }
    if desk.slots.is_empty() {
        let mut pen = canvas.line(area, area.y);
        pen.skip(2);
        pen.say("no slots are configured", "dim");
    }
    draw_page(canvas, desk, area, &grid);
    let below = grid.cells.below();
    if grid.cells.lines == 1 && below.height > DETAIL_LINES {
        draw_detail(canvas, desk, cursor, below);
    }
}

/// A lot's name over its slots: how many are taken, and whether its server can be trusted. Where a server has several, `›`
/// stands before the one that the park key parks in.
fn draw_lot_name(canvas: &mut Canvas<'_>, desk: &Desk, key: LotKey, place: Rect) {
    let Some((there, lot)) = desk.line(key.line).zip(desk.lot(key)) else { return };
    let taken = desk.slots_in(key).filter(|slot| slot.holds_somebody()).count();
    let chosen = there.lots.len() > 1 && desk.lot_out(key.line) == key;
    let y = place.y + place.height - 1;
    let border = canvas.style("border");
    canvas.put(place.x, y, place.width, &"─".repeat(place.width.into()), border);
    let mut pen = canvas.line(place, y);
    pen.skip(1);
    pen.say(if chosen { " › " } else { " " }, "title");
    pen.say(&format!("{} ", lot.name), if chosen { "title.focus" } else { "title" });
    pen.say(&format!("{taken} of {} ", desk.slots_in(key).count()), "dim");
    let (glyph, word, scope) = top::state(&there.account);
    if !there.account.is_reachable() {
        pen.say(&format!("{glyph} {word} "), scope);
    }
}

/// Where more slots are than the panel holds: which ones show, and whether somebody is parked on the others.
fn draw_page(canvas: &mut Canvas<'_>, desk: &Desk, area: Rect, grid: &SlotGrid) {
    let shown = grid.page();
    if shown.len() >= desk.slots.len() {
        return;
    }
    let elsewhere =
        desk.slots.iter().enumerate().filter(|(i, s)| !shown.contains(i) && s.holds_somebody()).count();
    let (first, last) = (shown.start + 1, shown.end);
    let text = format!(" {first}–{last} shown, {elsewhere} parked elsewhere · tab ↓ ");
    let style = canvas.style("title.focus");
    let x = area.right().saturating_sub(columns(&text) + 1).max(area.x);
    canvas.put(x, area.bottom(), area.width, &text, style);
}

/// What a cell needs to know beside its slot.
struct Cell {
    index: usize,
    id_columns: u16,
    chosen: bool,
}

fn draw_cell(canvas: &mut Canvas<'_>, desk: &Desk, slot: &Slot, place: Rect, cell: &Cell) {
    if cell.chosen {
        let style = canvas.style("slot.cursor");
        canvas.tint(place, style);
    }
    let roomy = place.height >= 2;
    let mut pen = canvas.line(place, place.y);
    let key = match cell.index {
        index @ 0..=8 => (index + 1).to_string(),
        9 => "0".into(),
        _ => " ".into(),
    };
    pen.say(&key, "slot.key");
    pen.say(if cell.chosen { "▸" } else { " " }, "slot.id");
    pen.column_right(cell.id_columns, slot.id.as_str(), "slot.id");
    pen.skip(1);
    let look = words::lamp(desk, slot);
    pen.say(look.glyph, look.scope);
    match slot.lamp {
        Lamp::Parked | Lamp::RingingBack => {
            let mark = words::parked_urgency(desk, slot).mark();
            pen.column_right(6, &look.word, look.scope);
            if place.width >= 18 {
                pen.column(2, mark, look.scope);
            }
            pen.skip(1);
            draw_occupant(&mut pen, desk, slot, roomy);
        }
        _ => {
            pen.skip(1);
            pen.say(&look.word, look.scope);
            pen.skip(2);
            draw_empty(&mut pen, desk, slot);
        }
    }
    if roomy {
        let line =
            Rect { x: place.x + cell.id_columns + 3, width: place.width - cell.id_columns - 3, ..place };
        draw_second_line(&mut canvas.line(line, place.y + 1), desk, slot, look.scope);
    }
}

/// Beside the lamp of an occupied slot: who, and to the right what presses most.
fn draw_occupant(pen: &mut Pen<'_, '_>, desk: &Desk, slot: &Slot, roomy: bool) {
    let who = words::who(desk, slot).unwrap_or_default();
    if roomy {
        if let Some(left) = words::countdown(desk, slot) {
            pen.right(11, &format!("back {}", words::countdown_text(left)), "slot.facts");
        }
        let name = 26.max(columns(&who)).min(pen.room());
        pen.column(name, &who, "slot.who");
        let number = slot.parked.as_ref().map_or("", |p| p.parkee.number.as_str());
        if !number.is_empty() && !who.ends_with(number) {
            pen.say("  ", "slot.who");
            pen.say(number, "slot.facts");
        }
        return;
    }
    if pen.room() < 4 {
        return;
    }
    let facts = words::slot_facts(desk, slot, false);
    let most = pen.room().saturating_sub(columns(&who).min(13) + 1);
    if most >= 6 {
        pen.right(most, &words::join(&facts, most), "slot.facts");
    }
    pen.say(&who, "slot.who");
}

/// Beside any other lamp: who was there, and what was asked.
fn draw_empty(pen: &mut Pen<'_, '_>, desk: &Desk, slot: &Slot) {
    let facts = words::slot_facts(desk, slot, false);
    let who = words::who(desk, slot).unwrap_or_default();
    if let Some(first) = facts.first().filter(|f| pen.room() >= columns(f).min(9)) {
        let most = pen.room().saturating_sub(columns(&who) + 1).max(14);
        pen.right(most, first, "lamp.asking");
    }
    pen.say(&who, "slot.was");
}

/// The second line of a roomy cell.
fn draw_second_line(pen: &mut Pen<'_, '_>, desk: &Desk, slot: &Slot, scope: &str) {
    if slot.holds_somebody() {
        pen.say(words::occupied_word(desk, slot), scope);
        for fact in words::slot_facts(desk, slot, true) {
            pen.say(" · ", "dim");
            pen.say(&fact, "slot.facts");
        }
    } else if let Some(phrase) = words::asking_phrase(slot) {
        pen.say(phrase, "lamp.asking");
    } else if let Lamp::Stale { .. } = slot.lamp {
        pen.say("not heard since: the server is asked first", "slot.was");
    }
}

/// More of one slot: the chosen one, else the one that `r` would take.
fn draw_detail(canvas: &mut Canvas<'_>, desk: &Desk, cursor: Option<usize>, area: Rect) {
    let chosen = cursor.and_then(|i| desk.slots.get(i));
    let Some(slot) = chosen.or_else(|| desk.longest_parked()) else { return };
    let title = match chosen {
        Some(slot) => desk.place(&slot.key()),
        None => format!("waits longest: {} · r takes it", desk.place(&slot.key())),
    };
    let border = canvas.style("border");
    let area = Rect { y: area.y + u16::from(area.height > DETAIL_LINES + 1), ..area };
    let area = Rect { height: area.height.min(DETAIL_LINES + 1), ..area };
    canvas.put(area.x, area.y, area.width, &"─".repeat(area.width.into()), border);
    let style = canvas.style("title");
    canvas.title(area.x + 1, area.y, area.width - 1, &title, style);
    let mut y = area.y + 1;
    for (text, scope) in detail(desk, slot) {
        for line in wrap(&text, area.width.saturating_sub(2)) {
            if y < area.y + 1 + DETAIL_LINES {
                let mut pen = canvas.line(area, y);
                pen.skip(1);
                pen.say(&line, scope);
                y += 1;
            }
        }
    }
}

/// Everything that is known of a slot, line by line, the most important first.
fn detail(desk: &Desk, slot: &Slot) -> Vec<(String, &'static str)> {
    let look = words::lamp(desk, slot);
    let mut lines = Vec::new();
    let occupied = slot.parked.as_ref().filter(|_| slot.holds_somebody());
    let Some(parked) = occupied else {
        let who = words::who(desk, slot).map_or_else(String::new, |w| format!(" · {w}"));
        lines.push((format!("{} {}{who}", look.glyph, look.word), look.scope));
        lines.extend(words::asking_phrase(slot).map(|phrase| (phrase.to_owned(), "lamp.asking")));
        lines.extend(words::confirmed(desk, slot).map(|age| (age, "slot.facts")));
        return lines;
    };
    let mark = words::parked_urgency(desk, slot).mark();
    let who = words::somebody(desk, &parked.parkee);
    let word = words::occupied_word(desk, slot);
    lines.push((format!("{} {word} {}{mark} · {who}", look.glyph, look.word), look.scope));
    let mut about = Vec::new();
    if !parked.note.is_empty() {
        about.push(format!("→ {}", parked.note));
    }
    if !parked.parkee.number.is_empty() && parked.parkee.number.as_str() != who {
        about.push(parked.parkee.number.to_string());
    }
    lines.push((about.join(" · "), "slot.who"));
    let mut facts = Vec::new();
    if let Some(claim) = slot.claimed(desk.now) {
        facts.push(format!("{} is retrieving", claim.by));
    }
    if let Some(phrase) = words::asking_phrase(slot) {
        facts.push(phrase.to_owned());
    }
    facts.extend(words::by_whom(desk, parked));
    if let Some(left) = words::countdown(desk, slot) {
        facts.push(format!("back in {}", words::countdown_text(left)));
    }
    if slot.remembered {
        facts.push("remembered: the lamp was out of sight, it may be another by now".to_owned());
    }
    facts.push(format!("{} retrieve", parked.strength.word()));
    facts.extend(words::confirmed(desk, slot));
    lines.push((facts.join(" · "), "slot.facts"));
    lines
}
