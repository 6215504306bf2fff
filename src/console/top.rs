//! The top line: account and server, lamps, headset and meters, the time of day.

use super::paint::{Canvas, Pen, columns};
use super::state::Console;
use super::words;
use crate::desk::{Desk, Registration};
use crate::parking::Lamp;
use ratatui::layout::{Position, Rect};

/// Draws it.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, console: &Console, area: Rect) {
    let mut pen = canvas.line(area, area.y);
    if !console.clock().is_empty() {
        pen.right(12, &format!("{} ", console.clock()), "top");
    }
    sound(&mut pen, desk);
    pen.skip(1);
    pen.say("parkdeck", "top.product");
    pen.skip(1);
    let (reach, scope) = reach(desk, area.width >= 120);
    let (lamps, lamps_scope) = lamps(desk, pen.room().saturating_sub(columns(&reach) + 3));
    // The account gives way to what changes.
    let rest = columns(&reach) + columns(&lamps) + 4;
    let label = desk.account.label.as_str();
    let room = pen.room().saturating_sub(rest);
    if room >= 6 && !label.is_empty() {
        pen.column(room.min(columns(label)), label, "top");
        pen.skip(if area.width >= 100 { 3 } else { 1 });
    }
    pen.say(&reach, scope);
    pen.say(" · ", "dim");
    pen.say(&lamps, lamps_scope);
}

/// Registration and reachability: glyph, words and scope.
pub(super) fn reach(desk: &Desk, roomy: bool) -> (String, &'static str) {
    match (&desk.account.registration, desk.account.round_trip_ms) {
        (Registration::Trying, _) => ("◌ registering…".into(), "top.trying"),
        (Registration::Registered, Some(ms)) if roomy => {
            (format!("● registered, reachable {ms} ms"), "top.good")
        }
        (Registration::Registered, Some(ms)) => (format!("● reachable {ms} ms"), "top.good"),
        (Registration::Registered, None) => ("✕ no answer".into(), "top.bad"),
        (Registration::Failed { .. }, _) => ("✕ NOT REGISTERED".into(), "top.bad"),
    }
}

/// How many lamps can't be trusted, and why if that fits.
fn lamps(desk: &Desk, room: u16) -> (String, &'static str) {
    let count = |is: fn(&Lamp) -> bool| desk.slots.iter().filter(|s| is(&s.lamp)).count();
    let stale = count(|l| matches!(l, Lamp::Stale { .. }));
    let unknown = count(|l| matches!(l, Lamp::Unknown));
    let refused = count(|l| matches!(l, Lamp::Refused { .. }));
    let bad: Vec<String> = [(stale, "stale"), (unknown, "unknown"), (refused, "refused")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    match bad.as_slice() {
        _ if desk.slots.is_empty() => ("no lamps".into(), "dim"),
        [] => ("lamps fresh".into(), "top"),
        bad => {
            let told = format!("lamps: {}", bad.join(", "));
            let brief = format!("{} lamps not fresh", stale + unknown + refused);
            (if columns(&told) <= room { told } else { brief }, "top.trying")
        }
    }
}

/// Headset, meters, mute. From the right.
fn sound(pen: &mut Pen<'_, '_>, desk: &Desk) {
    let sound = &desk.sound;
    match &sound.headset {
        _ if sound.off => pen.right(10, "sound off", "dim"),
        Some(Ok(_)) => {
            pen.right(7, &format!("ear {}", meter(sound.ear_level)), "meter");
            if !sound.muted {
                pen.right(7, &format!("mic {}", meter(sound.microphone_level)), "meter");
            }
        }
        Some(Err(_)) => pen.right(12, "✕ no headset", "top.bad"),
        None => pen.right(10, "◌ headset…", "top.trying"),
    }
    if sound.muted {
        pen.right(7, MUTED, "muted");
    }
}

/// The word for a closed microphone, where the meter is otherwise.
const MUTED: &str = " MUTED ";

/// A level of 0 to 100 as three steps; what isn't reached is a dot, so that it reads without colour.
fn meter(level: u8) -> String {
    let steps = [("▂", 1), ("▅", 25), ("█", 70)];
    steps.iter().map(|(bar, from)| if level >= *from { *bar } else { "·" }).collect()
}

/// Whether a click in the top line is meant for the microphone.
pub(super) fn is_microphone(console: &Console, area: Rect, position: Position) -> bool {
    let clock = if console.clock().is_empty() { 0 } else { columns(console.clock()) + 2 };
    let end = area.right().saturating_sub(clock);
    area.contains(position) && position.x < end && position.x >= end.saturating_sub(16)
}

/// The reason for a standing trouble, in a sentence for when nothing else is said.
pub(super) fn standing(desk: &Desk) -> Vec<(String, &'static str)> {
    let mut lines = Vec::new();
    if let Registration::Failed { reason, retry_at } = &desk.account.registration {
        let again = retry_at.map_or_else(String::new, |at| {
            let left_s = at.as_secs().saturating_sub(desk.now.as_secs());
            format!(" · tried again in {}", words::wait(left_s))
        });
        lines.push((format!("✕ not registered: {reason}{again} · no call can come in"), "notice.error"));
    } else if desk.account.registration == Registration::Registered && desk.account.round_trip_ms.is_none() {
        lines.push(("! the server doesn't answer probes: calls may not go through".into(), "notice.warning"));
    }
    if let Some(Err(reason)) = &desk.sound.headset
        && !desk.sound.off
    {
        lines.push((format!("! no headset: {reason} · calls work, without sound"), "notice.warning"));
    }
    lines
}
