//! The small windows at the foot of the board: one line of input, the keypad, the question before leaving.

use super::overlay::{Asks, Overlay, Prompt};
use super::paint::Canvas;
use super::windows::{input_line, open};
use super::words;
use crate::desk::{Call, CallId, Colleague, Desk, Phase, Slot};
use ratatui::layout::Rect;

/// Draws the prompt, the keypad or the question.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, overlay: &Overlay, area: Rect) {
    match overlay {
        Overlay::Prompt(prompt) => draw_prompt(canvas, desk, prompt, area),
        Overlay::Keypad(call) => draw_keypad(canvas, desk, *call, area),
        Overlay::Quit => draw_quit(canvas, desk, area),
        Overlay::Help { .. }
        | Overlay::Palette { .. }
        | Overlay::Accounts { .. }
        | Overlay::Journal(_)
        | Overlay::Report { .. }
        | Overlay::Settings(_)
        | Overlay::Quality
        | Overlay::Ladder(_)
        | Overlay::Tell(_) => {}
    }
}

fn name(desk: &Desk, call: CallId) -> &str {
    desk.call(call).map_or("a call that has ended", |c| desk.label(&c.party))
}

pub(super) fn title(desk: &Desk, prompt: &Prompt) -> String {
    match &prompt.asks {
        Asks::Dial => match desk.line(desk.line_out()).filter(|_| desk.lines.len() > 1) {
            Some(line) => format!("dial by {} · tab: another account", line.account.called()),
            None => "dial".into(),
        },
        Asks::Nothing { title, .. } => (*title).into(),
        Asks::Transfer(call) => format!("transfer {}", name(desk, *call)),
        Asks::Redirect(call) => format!("send {} on, unanswered", name(desk, *call)),
        Asks::Slot(Some(call)) => format!("park {} on which slot?", name(desk, *call)),
        Asks::Slot(None) => "which slot?".into(),
        Asks::CallNote(_, party) => format!("note for {}", desk.label(party)),
        Asks::SlotNote(slot, party) => {
            format!("note for {} on {}", words::somebody(desk, party), desk.place(slot))
        }
    }
}

/// What enter would do, or why it wouldn't: told before it is pressed.
fn advice(desk: &Desk, prompt: &Prompt) -> String {
    let typed = prompt.input.value().trim();
    match &prompt.asks {
        Asks::Dial => dial_advice(desk, prompt),
        Asks::Nothing { why, .. } => format!("{why} · esc closes"),
        Asks::Transfer(call) => match (typed, desk.call(*call)) {
            (_, None) => "that call has ended · esc closes".into(),
            ("", _) => "a number, address or name; enter hands the caller over, tab asks there first".into(),
            (to, Some(caller)) => {
                let doing = doing(desk, caller, &prompt.finder.number(to));
                format!("enter hands {} over to {}{doing}", name(desk, *call), meant(prompt, to))
            }
        },
        Asks::Redirect(call) => match (typed, desk.call(*call)) {
            (_, None) => "that call has ended · esc closes".into(),
            ("", _) => "where to? a number, address or name".into(),
            (to, Some(_)) => format!("enter sends {} to {}", name(desk, *call), meant(prompt, to)),
        },
        Asks::Slot(_) if typed.is_empty() => free_slots(desk, prompt),
        Asks::Slot(call) => slot_advice(desk, *call, prompt),
        Asks::CallNote(..) | Asks::SlotNote(..) => {
            "stays with the caller, parked or back again; empty removes it".into()
        }
    }
}

/// What the colleague with that number does, where his phone is watched.
fn doing(desk: &Desk, caller: &Call, number: &str) -> String {
    let is_his = |one: &Colleague| one.line == caller.line && one.who.number.as_str() == number;
    match desk.staff.iter().any(is_his) {
        true => format!(" · {}", desk.availability(caller.line, number).word()),
        false => String::new(),
    }
}

/// Whom enter would call: by name where one was found.
fn meant(prompt: &Prompt, typed: &str) -> String {
    let number = prompt.finder.number(typed);
    match prompt.finder.meant() {
        Some(found) => format!("{} · {} {number}", found.name, found.kind),
        None => number,
    }
}

fn dial_advice(desk: &Desk, prompt: &Prompt) -> String {
    let held = match desk.hand() {
        Some(hand) if hand.is_up() => format!(" · {} is put on hold", desk.label(&hand.party)),
        _ => String::new(),
    };
    match prompt.input.value().trim() {
        "" => format!("{}{held}", asks_for(desk)),
        to => format!("enter calls {}{held}", meant(prompt, to)),
    }
}

fn slot_advice(desk: &Desk, call: Option<CallId>, prompt: &Prompt) -> String {
    let key = match prompt.slot(desk, call) {
        Ok(key) => key,
        Err(why) => return why,
    };
    let place = desk.place(&key);
    let Some(slot) = desk.slot(&key) else { return format!("there is no slot {place}") };
    if call.is_some() {
        return match desk.can_park(Some(&key)) {
            Ok(_) => format!("{place} is free: enter parks there"),
            Err(bar) => bar.sentence(),
        };
    }
    let look = words::lamp(desk, slot);
    match words::who(desk, slot) {
        Some(who) if slot.holds_somebody() => {
            format!("{} {who} {}: enter takes this call", look.glyph, look.word)
        }
        _ => format!("{} {}", look.glyph, look.word),
    }
}

/// Which slots could be typed: for a caller those of his own lot.
pub(super) fn free_slots(desk: &Desk, prompt: &Prompt) -> String {
    let call = if let Asks::Slot(call) = prompt.asks { call } else { None };
    let line = call.and_then(|call| desk.call(call)).map(|call| call.line);
    let fits = |s: &&Slot| match line {
        Some(line) => s.is_known_free() && s.line == line,
        None => s.holds_somebody(),
    };
    let slots = desk.slots.iter().filter(fits);
    let ids: Vec<String> =
        slots.map(|s| if line.is_some() { s.id.to_string() } else { desk.place(&s.key()) }).collect();
    match (ids.is_empty(), call) {
        (true, Some(_)) => "no slot is known to be free".into(),
        (true, None) => "nobody is parked".into(),
        (false, Some(_)) => format!("free: {}", ids.join(" ")),
        (false, None) => format!("taken: {}", ids.join(if desk.lines.len() > 1 { ", " } else { " " })),
    }
}

fn draw_prompt(canvas: &mut Canvas<'_>, desk: &Desk, prompt: &Prompt, area: Rect) {
    let inside = open(canvas, area, &title(desk, prompt));
    input_line(canvas, inside, "", &prompt.input);
    let mut pen = canvas.line(inside, inside.y + 1);
    pen.say(&advice(desk, prompt), "dim");
    let list = Rect { y: inside.y + 2, height: inside.height.saturating_sub(2), ..inside };
    let of = match prompt.asks {
        Asks::Transfer(call) | Asks::Redirect(call) => desk.call(call).map(|call| call.line),
        _ => None,
    };
    prompt.finder.draw(canvas, desk, of.unwrap_or_else(|| desk.line_out()), list);
}

/// What can be typed.
fn asks_for(desk: &Desk) -> &'static str {
    if desk.directory_size > 0 { "a number, address or name" } else { "a number or address" }
}

fn draw_keypad(canvas: &mut Canvas<'_>, desk: &Desk, call: CallId, area: Rect) {
    let inside = open(canvas, area, &format!("keys for {}", name(desk, call)));
    let mut pen = canvas.line(inside, inside.y);
    pen.say("sent ", "dim");
    pen.say(desk.call(call).map_or("", |c| c.digits.as_str()), "overlay.title");
    let mut pen = canvas.line(inside, inside.y + 1);
    pen.say("each key is sent as it is pressed: 0-9 * # A-D", "dim");
}

fn draw_quit(canvas: &mut Canvas<'_>, desk: &Desk, area: Rect) {
    let inside = open(canvas, area, "leave?");
    let mut pen = canvas.line(inside, inside.y);
    pen.say(&lost(desk), "notice.warning");
    let mut pen = canvas.line(inside, inside.y + 1);
    pen.say("parked callers stay parked, but nobody here sees their lamps", "dim");
}

/// `2 calls would be lost, 1 of them rings`.
pub(super) fn lost(desk: &Desk) -> String {
    let is_ringing = |c: &&Call| c.phase == Phase::Ringing;
    let ringing = desk.calls.iter().filter(is_ringing).count();
    match (desk.calls.len(), ringing) {
        (0, _) => "no call would be lost".into(),
        (1, 0) => "1 call would be lost".into(),
        (1, _) => "1 ringing caller would be turned away".into(),
        (all, 0) => format!("{all} calls would be lost"),
        (all, ringing) => format!("{all} calls would be lost, {ringing} of them ringing"),
    }
}
