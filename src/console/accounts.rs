//! The window that tells how every account stands: server, transport, protection, registration, trouble, lot.

use super::paint::{Canvas, wrap};
use super::{top, windows, words};
use crate::desk::{
    Account, Desk, Line, LineId, LotKey, ManagerInterface, ParkingLot, Protection, Registration,
};
use crate::parking::Lamp;
use ratatui::layout::Rect;

/// About how many lines an account takes: how far a page is.
pub(super) const LINES_EACH: usize = 6;

/// Draws it, from its line `first` on.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, first: usize, area: Rect) {
    let title = if desk.lines.len() == 1 { "the account" } else { "all accounts" };
    let mut lines: Vec<(String, &'static str)> = Vec::new();
    for (id, line) in desk.numbered_lines() {
        if id.0 > 0 {
            lines.push((String::new(), "overlay"));
        }
        for (text, scope) in told(desk, id, line) {
            let wrapped = wrap(&text, area.width.saturating_sub(6));
            let indent = |i: usize| if i == 0 { "" } else { "  " };
            lines.extend(
                wrapped.into_iter().enumerate().map(|(i, text)| (format!("{}{text}", indent(i)), scope)),
            );
        }
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2).min(area.height);
    let area = Rect { height, ..area };
    let inside = windows::open(canvas, area, title);
    let shown = usize::from(inside.height);
    let first = first.min(lines.len().saturating_sub(shown));
    for (y, (text, scope)) in (inside.top()..inside.bottom()).zip(lines.iter().skip(first)) {
        canvas.line(inside, y).say(text, scope);
    }
    let below = lines.len().saturating_sub(first + shown);
    if below > 0 {
        let style = canvas.style("overlay.title");
        let y = area.bottom().saturating_sub(1);
        canvas.put(area.x + 2, y, area.width, &format!(" {below} more · ↓ "), style);
    }
}

/// The same for whoever has it read out.
pub(super) fn read_out(desk: &Desk) -> Vec<String> {
    let of =
        |(id, line)| told(desk, id, line).into_iter().map(|(text, _)| text).collect::<Vec<_>>().join(" · ");
    desk.numbered_lines().map(of).collect()
}

/// Everything of one account, line by line.
fn told(desk: &Desk, id: LineId, line: &Line) -> Vec<(String, &'static str)> {
    let account = &line.account;
    let out = desk.lines.len() > 1 && desk.line_out() == id;
    let head = match (account.name.is_empty(), out) {
        (true, _) => account.label.to_string(),
        (false, true) => format!("{} · {} · › new calls go out by it", account.name, account.label),
        (false, false) => format!("{} · {}", account.name, account.label),
    };
    let (glyph, word, scope) = top::state(account);
    let mut lines =
        vec![(head, "overlay.title"), (format!("{glyph} {}", standing(desk, account, &word)), scope)];
    if let Registration::Failed { reason, retry_at } = &account.registration {
        let again =
            retry_at.map_or_else(String::new, |at| format!(" · again in {}", words::told(left_s(desk, at))));
        lines.push((format!("{reason}{again}"), "notice.error"));
    }
    lines.push(way(account));
    if let Some((trouble, at)) = &account.last_trouble {
        let ago = words::told(words::seconds(desk.now, *at));
        lines.push((format!("last trouble {ago} ago: {trouble}"), "overlay"));
    }
    lines.extend(manager(desk, account));
    let own = desk.numbered_lots().filter(|(key, _)| key.line == id);
    let mut lots: Vec<String> = own.map(|(key, there)| lot(desk, key, there)).collect();
    if let Some(last) = lots.last_mut() {
        *last += &format!(" · {}", calls(desk, id));
    }
    lines.extend(lots.into_iter().map(|text| (text, "overlay")));
    lines
}

fn left_s(desk: &Desk, at: std::time::Duration) -> u64 {
    at.as_secs().saturating_sub(desk.now.as_secs())
}

fn standing(desk: &Desk, account: &Account, word: &str) -> String {
    let reach = match account.round_trip_ms {
        Some(ms) => format!("reachable {ms} ms (OPTIONS, end to end)"),
        None => "the server answers no OPTIONS".to_owned(),
    };
    match (&account.registration, account.registered_until) {
        (Registration::Registered, Some(until)) => {
            format!("registered for {} more · {reach}", words::told(left_s(desk, until)))
        }
        (Registration::Registered, None) => format!("registered · {reach}"),
        _ => word.to_owned(),
    }
}

/// How the server is reached, and what that is worth.
fn way(account: &Account) -> (String, &'static str) {
    let way = &account.way;
    if way.server.is_empty() {
        return ("its server has not been found yet".to_owned(), "overlay");
    }
    let (worth, scope) = match way.protection {
        Protection::None => ("not protected: whoever is on the way can read it", "overlay"),
        Protection::Verified => ("locked: the server proved who it is", "top.good"),
        Protection::Unverified => ("encrypted, but NOT VERIFIED (verify = false)", "notice.warning"),
    };
    (format!("{} to {} · {worth}", way.transport, way.server), scope)
}

/// Whether the server itself tells who is parked, where it is asked to.
fn manager(desk: &Desk, account: &Account) -> Option<(String, &'static str)> {
    match &account.manager {
        ManagerInterface::Unused => None,
        ManagerInterface::Connected => {
            Some(("the manager interface tells who is parked (AMI)".to_owned(), "top.good"))
        }
        ManagerInterface::Lost { reason, retry_at } => {
            let again = words::told(left_s(desk, *retry_at));
            Some((format!("who is parked isn't told (AMI): {reason} · again in {again}"), "notice.warning"))
        }
    }
}

fn lot(desk: &Desk, key: LotKey, lot: &ParkingLot) -> String {
    let count = |is: fn(&Lamp) -> bool| desk.slots_in(key).filter(|slot| is(&slot.lamp)).count();
    let taken = count(|lamp| matches!(lamp, Lamp::Parked | Lamp::RingingBack));
    let fresh = taken + count(|lamp| matches!(lamp, Lamp::Free));
    let all = desk.slots_in(key).count();
    format!("lot “{}”: {taken} of {all} slots taken, {fresh} lamps fresh", lot.name)
}

fn calls(desk: &Desk, id: LineId) -> String {
    let calls = desk.calls.iter().filter(|call| call.line == id).count();
    match calls {
        0 => "no calls".to_owned(),
        1 => "1 call".to_owned(),
        n => format!("{n} calls"),
    }
}
