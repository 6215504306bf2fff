//! The calls panel, and the box around both panels.

use super::layout::{CallRows, Places};
use super::paint::{Canvas, columns};
use super::state::Console;
use super::words;
use crate::desk::{Call, Desk, Phase};
use ratatui::layout::Rect;

/// Draws the box with both titles.
pub(super) fn draw_frame(canvas: &mut Canvas<'_>, desk: &Desk, console: &Console, places: &Places) {
    let (frame, style) = (places.frame, canvas.style("border"));
    canvas.frame(frame, "", style, style);
    let divider = places.slots.x - 1;
    canvas.put(divider, frame.y, 1, "┬", style);
    let foot = places.slots.bottom();
    for y in frame.y + 1..foot {
        canvas.put(divider, y, 1, "│", style);
    }
    canvas.put(divider, foot, 1, "┴", style);
    let on_slots = console.slots_chosen(desk);
    let scope = |on| if on { "title.focus" } else { "title" };
    let (calls, slots) = (canvas.style(scope(!on_slots)), canvas.style(scope(on_slots)));
    canvas.title(places.calls.x, frame.y, places.calls.width, &calls_title(desk, console), calls);
    canvas.title(places.slots.x, frame.y, places.slots.width, &slots_title(desk), slots);
}

fn calls_title(desk: &Desk, console: &Console) -> String {
    let ringing = desk.calls.iter().filter(|c| c.phase == Phase::Ringing).count();
    let title = match (desk.calls.len(), ringing) {
        (0, _) => "calls".into(),
        (all, 0) => format!("calls · {all}"),
        (all, ringing) => format!("calls · {all} · {ringing} ringing"),
    };
    match console.missed() {
        0 => title,
        missed => format!("{title} · {missed} MISSED"),
    }
}

fn slots_title(desk: &Desk) -> String {
    let taken = desk.slots.iter().filter(|s| s.holds_somebody()).count();
    let mut lots = desk.numbered_lots().map(|(_, lot)| lot);
    let lot = match (lots.next(), lots.count()) {
        (Some(only), 0) if !only.name.is_empty() => format!(" · lot “{}”", only.name),
        (_, 0) => String::new(),
        (_, others) => format!(" · {} lots", others + 1),
    };
    format!("parked{lot} · {taken} of {}", desk.slots.len())
}

/// Draws the calls of this page.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, area: Rect, rows: &CallRows) {
    for (index, call) in desk.calls.iter().enumerate() {
        if let Some(place) = rows.place(index) {
            draw_call(canvas, desk, call, place);
        }
    }
    if rows.more {
        let (hidden, ringing) = rows.elsewhere(desk);
        let ringing = if ringing > 0 { format!(", {ringing} RINGING") } else { String::new() };
        let mut pen = canvas.line(area, area.bottom() - 1);
        pen.skip(3);
        pen.say(&format!("… {hidden} more{ringing} · ↑↓"), "call.ringing");
    }
    if desk.calls.is_empty() {
        let mut pen = canvas.line(area, area.y);
        pen.skip(2);
        pen.say("no calls", "dim");
    }
}

/// Columns for the phase word: `HOLDING…` and its like.
const PHASE_COLUMNS: u16 = 9;

fn draw_call(canvas: &mut Canvas<'_>, desk: &Desk, call: &Call, place: Rect) {
    let in_hand = desk.in_hand == Some(call.id);
    if in_hand {
        let style = canvas.style("call.hand");
        canvas.tint(place, style);
    }
    let (word, scope) = words::phase_word(desk.now, call);
    let mut pen = canvas.line(place, place.y);
    pen.say(if in_hand { "▶" } else { " " }, scope);
    pen.column_right(2, &call.id.0.to_string(), "dim");
    pen.skip(1);
    pen.column(PHASE_COLUMNS, &word, scope);
    pen.skip(1);
    pen.column_right(5, &words::call_timer(desk.now, call), scope);
    pen.skip(2);
    let roomy = place.width >= 56;
    let number = call.party.number.as_str();
    let number_shown = roomy && number != desk.label(&call.party) && !call.party.is_withheld();
    if number_shown {
        let name = pen.room().saturating_sub(columns(number).min(24) + 2).min(28);
        pen.column(name, desk.label(&call.party), "call.name");
        pen.skip(2);
        pen.say(number, "call.facts");
    } else {
        // A row of one line has no room for facts: but for whom to answer must be seen.
        let line = desk.line(call.line).filter(|_| desk.lines.len() > 1 && place.height == 1 && !roomy);
        if let Some(line) = line {
            pen.right(6, line.account.called(), "call.facts");
        }
        pen.say(desk.label(&call.party), "call.name");
    }
    let facts = words::call_facts(desk, call, number_shown);
    if place.height >= 2 {
        let mut pen = canvas.line(place, place.y + 1);
        pen.skip(4);
        let scope = if matters(call) { scope } else { "call.facts" };
        let text = words::join(&facts, pen.room());
        // What belongs to the state takes its colour; the rest is quiet.
        let head = facts.first().map_or(0, |first| first.len().min(text.len()));
        let (head, rest) = text.split_at(head);
        pen.say(head, scope);
        pen.say(rest, "call.facts");
    } else if roomy {
        pen.skip(2);
        let text = words::join(&facts, pen.room());
        pen.say(&text, "call.facts");
    }
}

/// Whether the first thing said of this call is part of its state and takes its colour.
fn matters(call: &Call) -> bool {
    words::phase_phrase(call).is_some() || call.comeback.is_some()
}
