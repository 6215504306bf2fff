//! The top line: accounts and servers, lamps, headset and meters, the time of day.

use super::paint::{Canvas, Pen, columns};
use super::state::Console;
use super::words;
use crate::desk::{Account, Desk, Messages, Protection, Registration, SoundState};
use crate::parking::Lamp;
use ratatui::layout::{Position, Rect};

/// Draws it.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, console: &Console, area: Rect) {
    let mut pen = canvas.line(area, area.y);
    if !console.clock().is_empty() {
        pen.right(12, &format!("{} ", console.clock()), "top");
    }
    if desk.presence.night {
        pen.right(7, "NIGHT ", "notice.warning");
    }
    if desk.presence.do_not_disturb {
        pen.right(5, "DND ", "notice.warning");
    }
    sound(&mut pen, desk);
    pen.skip(1);
    match desk.lines.as_slice() {
        [] => pen.say("parkdeck", "top.product"),
        [only] => one(&mut pen, desk, &only.account, area.width),
        _ => several(&mut pen, desk),
    }
    if let Some(mail) = mail(desk).filter(|mail| pen.room() >= columns(mail) + 3) {
        pen.say(" · ", "dim");
        pen.say(&mail, "top.good");
    }
}

/// The voicemail lamp, over all accounts: `✉ 2 new`; `None` while nothing waits.
fn mail(desk: &Desk) -> Option<String> {
    let told = desk.lines.iter().filter_map(|line| line.account.messages);
    let waiting: Vec<_> = told.filter(Messages::has_news).collect();
    let new: u32 = waiting.iter().filter_map(|m| m.new).fold(0, u32::saturating_add);
    match (waiting.is_empty(), new) {
        (true, _) => None,
        (false, 0) => Some("✉ waits".into()),
        (false, new) => Some(format!("✉ {new} new")),
    }
}

/// The one account: what changes goes before its address.
fn one(pen: &mut Pen<'_, '_>, desk: &Desk, account: &Account, width: u16) {
    pen.say("parkdeck", "top.product");
    pen.skip(1);
    let (reach, scope) = reach(account, width >= 120);
    let (lamps, lamps_scope) = lamps(desk, pen.room().saturating_sub(columns(&reach) + 3));
    let mail = mail(desk).map_or(0, |mail| columns(&mail) + 3);
    let rest = columns(&reach) + columns(&lamps) + mail + 4;
    let label = account.called();
    let room = pen.room().saturating_sub(rest);
    if room >= 6 && !label.is_empty() {
        pen.column(room.min(columns(label)), label, "top");
        pen.skip(if width >= 100 { 3 } else { 1 });
    }
    pen.say(&reach, scope);
    pen.say(" · ", "dim");
    pen.say(&lamps, lamps_scope);
}

/// Several accounts, each with its light; `›` stands before the one that new calls go out by. Names give way to lights
/// and words.
fn several(pen: &mut Pen<'_, '_>, desk: &Desk) {
    let out = desk.line_out();
    let state: Vec<_> = desk.lines.iter().map(|line| state(&line.account)).collect();
    // Glyph, blanks and mark of each, and its word.
    let fixed: u16 = state.iter().map(|(_, word, _)| columns(word) + 5).sum();
    let (lamps, lamps_scope) = lamps(desk, 0);
    let names: u16 = desk.lines.iter().map(|line| columns(line.account.called())).sum();
    let wanted = fixed + names + columns(&lamps) + 3;
    let product = pen.room() >= wanted + columns("parkdeck ");
    if product {
        pen.say("parkdeck ", "top.product");
    }
    let count = u16::try_from(desk.lines.len()).unwrap_or(u16::MAX).max(1);
    let lamps_shown = pen.room() >= fixed + 4 * count + columns(&lamps) + 3;
    let for_lamps = if lamps_shown { columns(&lamps) + 3 } else { 0 };
    let for_names = pen.room().saturating_sub(fixed + for_lamps);
    let each =
        shared(for_names, &desk.lines.iter().map(|line| columns(line.account.called())).collect::<Vec<_>>());
    for (((id, line), (glyph, word, scope)), room) in desk.numbered_lines().zip(state).zip(each) {
        pen.say(if id == out { "›" } else { " " }, "top");
        pen.say(glyph, scope);
        pen.skip(1);
        if room > 0 {
            pen.column(room, line.account.called(), "top");
            pen.skip(1);
        }
        pen.say(&word, scope);
        pen.skip(1);
    }
    if lamps_shown {
        pen.say("· ", "dim");
        pen.say(&lamps, lamps_scope);
    }
}

/// Shares so many columns among those who want so many each: who wants little gets it, the others the same.
fn shared(mut room: u16, wanted: &[u16]) -> Vec<u16> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|i| wanted[*i]);
    let mut given = vec![0; wanted.len()];
    for (served, i) in order.into_iter().enumerate() {
        let left = u16::try_from(wanted.len() - served).unwrap_or(u16::MAX);
        given[i] = wanted[i].min(room / left);
        room -= given[i];
    }
    given
}

/// An account's light: its glyph, the shortest word that says how it stands, and the scope.
pub(super) fn state(account: &Account) -> (&'static str, String, &'static str) {
    match (&account.registration, account.round_trip_ms) {
        (Registration::Trying, _) => ("◌", "registering…".into(), "top.trying"),
        (Registration::Registered, Some(ms)) => match account.way.protection {
            Protection::Unverified => ("●", format!("{ms} ms TLS?"), "top.trying"),
            _ => ("●", format!("{ms} ms"), "top.good"),
        },
        (Registration::Registered, None) => ("✕", "NO ANSWER".into(), "top.bad"),
        (Registration::Failed { .. }, _) => ("✕", "NOT REGISTERED".into(), "top.bad"),
    }
}

/// Registration and reachability of the only account: glyph, words and scope.
fn reach(account: &Account, roomy: bool) -> (String, &'static str) {
    let unverified = account.way.protection == Protection::Unverified;
    match (&account.registration, account.round_trip_ms) {
        (Registration::Trying, _) => ("◌ registering…".into(), "top.trying"),
        (Registration::Registered, Some(ms)) if unverified && roomy => {
            (format!("● registered, reachable {ms} ms, TLS UNVERIFIED"), "top.trying")
        }
        (Registration::Registered, Some(ms)) if unverified => {
            (format!("● {ms} ms TLS UNVERIFIED"), "top.trying")
        }
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
        Some(Ok(_)) if matches!(sound.microphone, Some(Err(_))) => pen.right(8, "✕ no mic", "top.bad"),
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
    for line in &desk.lines {
        let of = if desk.lines.len() > 1 { format!("{}: ", line.account.called()) } else { String::new() };
        lines.extend(standing_of(desk, &line.account, &of));
    }
    lines.extend(missing(&desk.sound).filter(|_| !desk.sound.off));
    lines
}

/// What is missing of headset and microphone, and what could be used instead.
fn missing(sound: &SoundState) -> Option<(String, &'static str)> {
    let (what, reason) = match (&sound.headset, &sound.microphone) {
        (Some(Err(reason)), _) => ("headset", reason),
        (_, Some(Err(reason))) => ("microphone", reason),
        _ => return None,
    };
    let text = match (&sound.offered, what) {
        (Some(name), _) => format!("! no {what}: {reason} · offered instead: {name}"),
        (None, "headset") => format!("! no headset: {reason} · calls work, without sound"),
        (None, _) => format!("! no microphone: {reason} · nobody hears you"),
    };
    Some((text, "notice.warning"))
}

/// The standing trouble of one account; `of` says whose it is.
fn standing_of(desk: &Desk, account: &Account, of: &str) -> Option<(String, &'static str)> {
    if let Registration::Failed { reason, retry_at } = &account.registration {
        let again = retry_at.map_or_else(String::new, |at| {
            let left_s = at.as_secs().saturating_sub(desk.now.as_secs());
            format!(" · tried again in {}", words::wait(left_s))
        });
        let text = format!("✕ {of}not registered: {reason}{again} · no call can come in");
        return Some((text, "notice.error"));
    }
    if account.registration == Registration::Registered && account.round_trip_ms.is_none() {
        let text = format!("! {of}the server doesn't answer probes: calls may not go through");
        return Some((text, "notice.warning"));
    }
    let unverified = account.way.protection == Protection::Unverified;
    unverified.then(|| {
        let text = format!("! {of}nobody proved to be the server (verify = false): anybody may listen");
        (text, "notice.warning")
    })
}
