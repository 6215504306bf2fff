//! What is said to the operator, above the footer: always in full, and an error for a whole minute.

use super::banner::{self, Banner};
use super::paint::{Canvas, wrap};
use super::state::Console;
use super::top;
use crate::desk::{Desk, Notice, Severity};
use ratatui::layout::Rect;

/// How long an error is shown even if newer things are said.
const ERROR_LASTS_S: u64 = 60;

/// One thing that is said.
struct Saying {
    text: String,
    scope: &'static str,
    /// Shown whole, however many lines it takes.
    must: bool,
}

/// The glyph and scope of a severity. The glyph tells it without colour.
fn look(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Info => ("·", "notice.info"),
        Severity::Warning => ("!", "notice.warning"),
        Severity::Error => ("✕", "notice.error"),
    }
}

fn say(notice: &Notice, must: bool) -> Saying {
    let (glyph, scope) = look(notice.severity);
    Saying { text: format!("{glyph} {}", notice.text), scope, must }
}

/// Everything there is to say, the most pressing first.
fn sayings(desk: &Desk, console: &Console, banner: Banner) -> Vec<Saying> {
    let mut all = Vec::new();
    let announced = banner::announced(desk);
    if let (Banner::Line, Some(undo)) = (banner, announced) {
        let text = format!(" {} · {} ", banner::headline(desk, undo), banner::remedy(desk, undo));
        all.push(Saying { text, scope: "banner", must: true });
    }
    if let Some(hint) = console.hint(desk) {
        all.push(Saying { text: format!("· {hint}"), scope: "hint", must: true });
    }
    let now = desk.current_notice();
    // The banner says it already, and bigger.
    let is_banners = |n: &&Notice| {
        let words = announced.map(|u| format!("is parked on {}", u.slot));
        n.severity == Severity::Info && words.is_some_and(|w| n.text.as_str().contains(&w))
    };
    all.extend(now.filter(|n| !is_banners(n)).map(|n| say(n, true)));
    let young = |n: &&Notice| desk.now.saturating_sub(n.at).as_secs() < ERROR_LASTS_S;
    let error = desk.notices.iter().rev().filter(young).find(|n| n.severity == Severity::Error);
    all.extend(error.filter(|e| now.is_none_or(|n| n != *e)).map(|n| say(n, true)));
    all.extend(top::standing(desk).into_iter().map(|(text, scope)| Saying { text, scope, must: false }));
    all
}

/// The lines that show, from the top: what must be said is said in full, the rest while there is room.
fn lines(desk: &Desk, console: &Console, area: Rect, banner: Banner) -> Vec<(String, &'static str)> {
    let mut lines: Vec<(String, &'static str)> = Vec::new();
    for saying in sayings(desk, console, banner) {
        let wrapped = wrap(&saying.text, area.width.saturating_sub(3));
        if saying.must || lines.len() + wrapped.len() <= usize::from(area.height) {
            let indented = |(i, text): (usize, String)| if i == 0 { text } else { format!("  {text}") };
            lines.extend(wrapped.into_iter().enumerate().map(indented).map(|text| (text, saying.scope)));
        }
    }
    lines
}

/// Draws them. When two lines aren't enough, the board gives way from below: nothing is cut off.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, console: &Console, area: Rect, banner: Banner) {
    let lines = lines(desk, console, area, banner);
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).max(area.height).min(area.bottom());
    let area = Rect { y: area.bottom() - height, height, ..area };
    let style = canvas.style("board");
    canvas.clear(area, style);
    for (y, (text, scope)) in (area.top()..area.bottom()).zip(lines) {
        let mut pen = canvas.line(area, y);
        pen.skip(1);
        pen.say(&text, scope);
    }
}
