//! The window that tells how the call in hand sounds: loss, jitter, delay by its parts, the estimated opinion, and what to
//! do where one side hears nothing.

use super::paint::{Canvas, wrap};
use super::{windows, words};
use crate::desk::{Call, Desk, Quality};
use ratatui::layout::Rect;

/// From this estimate on (hundredths) a call is good; G.107 annex B: most users are satisfied.
const GOOD: u16 = 400;
/// Below it many are not.
const POOR: u16 = 310;

/// The call that the window is about: the one in hand, else the first that has sound.
fn call(desk: &Desk) -> Option<&Call> {
    desk.hand().or_else(|| desk.calls.iter().find(|call| call.quality.is_some()))
}

/// Draws it.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, area: Rect) {
    let mut lines = Vec::new();
    for (text, scope) in told(desk) {
        let wrapped = wrap(&text, area.width.saturating_sub(6));
        lines.extend(wrapped.into_iter().map(|text| (text, scope)));
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2).min(area.height);
    let inside = windows::open(canvas, Rect { height, ..area }, "how it sounds");
    for (y, (text, scope)) in (inside.top()..inside.bottom()).zip(&lines) {
        canvas.line(inside, y).say(text, scope);
    }
}

/// The same for whoever has it read out.
pub(super) fn read_out(desk: &Desk) -> Vec<String> {
    told(desk).into_iter().map(|(text, _)| text).collect()
}

fn told(desk: &Desk) -> Vec<(String, &'static str)> {
    let Some(call) = call(desk) else {
        let mut lines = vec![("no call: nothing to measure".into(), "overlay")];
        lines.extend(keys(desk).map(|text| (text, "overlay")));
        return lines;
    };
    let mut lines = vec![(call.party.label().to_owned(), "overlay.title")];
    match &call.quality {
        None => lines.push(("no sound yet".into(), "overlay")),
        Some(quality) => lines.extend(figures(quality)),
    }
    lines.push((devices(desk), "overlay"));
    lines.extend(keys(desk).map(|text| (text, "overlay")));
    lines
}

/// How long keys took to the packets that they caused.
fn keys(desk: &Desk) -> Option<String> {
    let times = desk.key_to_wire?;
    let ms = |us: u32| format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10);
    let keys = if times.keys == 1 { "1 key".to_owned() } else { format!("{} keys", times.keys) };
    Some(format!(
        "key to wire half within {} · 99 % within {} ({keys})",
        ms(times.median_us),
        ms(times.p99_us)
    ))
}

fn figures(quality: &Quality) -> Vec<(String, &'static str)> {
    let mut lines = Vec::new();
    if let Some(one_way) = quality.one_way {
        lines.push((format!("! {}", one_way.words()), "notice.warning"));
    }
    lines.push(opinion(quality));
    let heard = format!(
        "you hear {} lost or late · {} made up · jitter {} ms",
        percent(quality.lost_permille),
        percent(quality.concealed_permille),
        quality.jitter_ms
    );
    lines.push((heard, "overlay"));
    let theirs = match quality.remote_lost_permille {
        Some(lost) => format!("they hear {} of yours lost", percent(lost)),
        None => "they hear the far end doesn't report".to_owned(),
    };
    lines.push((theirs, "overlay"));
    lines.push((delay(quality), "overlay"));
    lines
}

/// The estimate, with a word for it: colour alone says nothing.
fn opinion(quality: &Quality) -> (String, &'static str) {
    let now = quality.mos_hundredths;
    let (word, scope) = match now {
        GOOD.. => ("good", "top.good"),
        POOR.. => ("fair", "top.trying"),
        _ => ("POOR", "top.bad"),
    };
    let text = format!(
        "MOS {} {word} (estimate) · whole call {} · worst {}",
        hundredths(now),
        hundredths(quality.mos_of_call_hundredths),
        hundredths(quality.mos_worst_hundredths)
    );
    (text, scope)
}

fn delay(quality: &Quality) -> String {
    let here = quality.buffer_ms + quality.device_ms;
    let (all, network) = match quality.network_ms {
        Some(network) => (format!("{} ms", here + network), format!("{network} network")),
        None => (format!("{here} ms and the network"), "network unknown".to_owned()),
    };
    format!(
        "delay {all} to your ear: {network} · {} buffer · {} device",
        quality.buffer_ms, quality.device_ms
    )
}

fn devices(desk: &Desk) -> String {
    let name = |device: &Option<Result<crate::parking::Text, crate::parking::Text>>| match device {
        Some(Ok(name)) => name.to_string(),
        Some(Err(_)) => "none".to_owned(),
        None => "not open".to_owned(),
    };
    let (ear, microphone) = (name(&desk.sound.headset), name(&desk.sound.microphone));
    format!("devices ear {ear} · microphone {microphone}")
}

fn percent(permille: u16) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

fn hundredths(value: u16) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

/// What of a call's sound belongs into its row: the recording's mark, the three-way call, a dead direction.
pub(super) fn marks(desk: &Desk, call: &Call) -> Vec<String> {
    let mut marks = Vec::new();
    let dead = call.quality.and_then(|quality| quality.one_way);
    if let Some(dead) = dead.filter(|_| call.phase == crate::desk::Phase::Talking) {
        marks.push(dead.mark().into());
    }
    match &call.recording {
        Some(crate::desk::Recording::Running { since, .. }) => {
            let seconds = desk.now.as_secs().saturating_sub(since.as_secs());
            marks.push(format!("● REC {}", words::wait(seconds)));
        }
        Some(crate::desk::Recording::Asked) => marks.push("REC…".into()),
        None => {}
    }
    if desk.is_joined(call.id)
        && let Some(three) = desk.three_way()
    {
        let other = if three.first == call.id { three.second } else { three.first };
        if let Some(other) = desk.call(other) {
            marks.push(format!("three-way with {}", other.party.label()));
        }
    }
    marks
}
