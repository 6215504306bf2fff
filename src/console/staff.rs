//! The colleagues' panel: one cell for each phone that is watched, with its key, its state by glyph, word and colour.

use super::commands::Deed;
use super::layout::{Places, StaffGrid};
use super::paint::{Canvas, columns};
use super::state::Console;
use crate::desk::{Colleague, Desk, StaffLamp};

/// Draws it, with the line above it; nothing where nobody is watched.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, console: &Console, places: &Places) {
    if desk.staff.is_empty() {
        return;
    }
    let (frame, style) = (places.frame, canvas.style("border"));
    let y = places.slots.bottom();
    let divider = places.slots.x - 1;
    let (left, right) = (divider - frame.x - 1, frame.right() - divider - 2);
    let line = format!("├{}┴{}┤", "─".repeat(left.into()), "─".repeat(right.into()));
    canvas.put(frame.x, y, frame.width, &line, style);
    let title = canvas.style("title");
    canvas.title(places.staff.x, y, places.staff.width, &heading(desk), title);
    let grid = StaffGrid::of(desk.staff.len(), places.staff);
    for (index, one) in desk.staff.iter().enumerate() {
        let Some(place) = grid.place(index) else { break };
        let mut pen = canvas.line(place, place.y);
        if grid.more && index == grid.shown {
            pen.say(&rest(&desk.staff[index..]), "dim");
            break;
        }
        let key = u8::try_from(index).ok().and_then(|nth| console.keymap.key_of(Deed::Colleague(nth)));
        pen.column(3, &key.unwrap_or_default().to_uppercase(), "slot.key");
        let (glyph, scope) = look(&one.lamp);
        pen.say(glyph, scope);
        pen.skip(1);
        // The state is always there in a word; of who rings there as much as the name leaves room for.
        let name = columns(one.who.label()).min(10);
        let most = pen.room().saturating_sub(name + 1).max(columns(one.lamp.word()));
        pen.right(most, &word(one), scope);
        pen.say(one.who.label(), "slot.who");
    }
}

fn heading(desk: &Desk) -> String {
    let ringing = desk.staff.iter().filter(|one| one.lamp == StaffLamp::Ringing).count();
    if ringing > 0 { format!("staff · {ringing} ringing") } else { "staff".to_owned() }
}

/// `… 4 more, 1 ringing`
fn rest(hidden: &[Colleague]) -> String {
    let ringing = hidden.iter().filter(|one| one.lamp == StaffLamp::Ringing).count();
    let ringing = if ringing > 0 { format!(", {ringing} RINGING") } else { String::new() };
    format!("… {} more{ringing}", hidden.len())
}

/// Glyph and scope of a colleague's lamp.
pub(super) fn look(lamp: &StaffLamp) -> (&'static str, &'static str) {
    match lamp {
        StaffLamp::Free => ("○", "lamp.free"),
        StaffLamp::Ringing => ("◌", "lamp.back"),
        StaffLamp::Talking => ("●", "lamp.parked"),
        StaffLamp::Held => ("◍", "lamp.parked.long"),
        StaffLamp::Away => ("–", "dim"),
        StaffLamp::Unknown => ("?", "lamp.unknown"),
        StaffLamp::Stale { .. } => ("?", "lamp.stale"),
        StaffLamp::Refused { .. } => ("✕", "lamp.refused"),
    }
}

fn word(one: &Colleague) -> String {
    match &one.lamp {
        StaffLamp::Ringing if !one.caller.is_withheld() => format!("RINGING {}", one.caller.label()),
        StaffLamp::Ringing => "RINGING".to_owned(),
        lamp => lamp.word().to_owned(),
    }
}
