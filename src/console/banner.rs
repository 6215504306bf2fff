//! The slot of a park just proven, big enough to be read from the corner of an eye, while `u` can take it back.

use super::paint::Canvas;
use super::words;
use crate::desk::{Desk, Undo};
use ratatui::layout::Rect;

/// Where the banner stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Banner {
    /// There is none.
    None,
    /// Large, in this part of the calls panel.
    Large(Rect),
    /// No room for it there: a line among the notices.
    Line,
}

/// The digits, three columns by five rows of one bit each, the highest bit to the left.
const DIGITS: [(char, [u8; 5]); 12] = [
    ('0', [7, 5, 5, 5, 7]),
    ('1', [2, 6, 2, 2, 7]),
    ('2', [7, 1, 7, 4, 7]),
    ('3', [7, 1, 7, 1, 7]),
    ('4', [5, 5, 7, 1, 1]),
    ('5', [7, 4, 7, 1, 7]),
    ('6', [7, 4, 7, 5, 7]),
    ('7', [7, 1, 1, 2, 2]),
    ('8', [7, 5, 7, 5, 7]),
    ('9', [7, 5, 7, 1, 7]),
    ('*', [0, 5, 2, 5, 0]),
    ('#', [5, 7, 5, 7, 5]),
];

/// The park that is announced now.
pub(super) fn announced(desk: &Desk) -> Option<&Undo> {
    desk.undo.as_ref().filter(|u| desk.now < u.until)
}

/// `PARKED ON 703 · Jane Doe`.
pub(super) fn headline(desk: &Desk, undo: &Undo) -> String {
    let several = desk.numbered_lots().count() > 1;
    let lot = desk.lot_of(&undo.key()).filter(|_| several).map(|lot| format!(" {}", lot.name));
    format!(
        "PARKED ON {}{} · {}",
        undo.slot,
        lot.unwrap_or_default(),
        words::somebody(desk, &undo.parked.parkee)
    )
}

/// `u undo · 8 s`.
pub(super) fn remedy(desk: &Desk, undo: &Undo) -> String {
    let left_s = undo.until.as_secs().saturating_sub(desk.now.as_secs());
    format!("u undo · {left_s} s")
}

/// Where the banner goes, given what the calls leave of their panel.
pub(super) fn place(desk: &Desk, free: Rect) -> Banner {
    let Some(undo) = announced(desk) else { return Banner::None };
    let known = undo.slot.as_str().chars().all(|c| DIGITS.iter().any(|(d, _)| *d == c));
    let count = u16::try_from(undo.slot.as_str().len()).unwrap_or(u16::MAX);
    let large = (9, count.saturating_mul(7));
    let small = (6, count.saturating_mul(4));
    let fits = |(height, width): (u16, u16)| known && free.height > height && free.width >= width + 4;
    let bottom = |height: u16| Rect { y: free.bottom() - height, height, ..free };
    match () {
        () if fits(large) => Banner::Large(bottom(large.0)),
        () if fits(small) => Banner::Large(bottom(small.0)),
        () => Banner::Line,
    }
}

/// Draws the large banner if there is room for it; tells where it stands.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, free: Rect) -> Banner {
    let banner = place(desk, free);
    let (Banner::Large(area), Some(undo)) = (banner, announced(desk)) else { return banner };
    let style = canvas.style("banner");
    canvas.tint(Rect { height: 1, ..area }, style);
    let mut pen = canvas.line(area, area.y);
    pen.skip(1);
    pen.say(&headline(desk, undo), "banner");
    let digits = if area.height >= 9 { tall(undo.slot.as_str()) } else { short(undo.slot.as_str()) };
    let style = canvas.style("banner.digits");
    for (y, row) in (area.y + 2..).zip(&digits) {
        canvas.put(area.x + 4, y, area.width - 4, row, style);
    }
    let mut pen = canvas.line(area, area.bottom() - 1);
    pen.skip(4);
    pen.say(&remedy(desk, undo), "hint");
    banner
}

fn bits(digit: char, row: usize) -> u8 {
    DIGITS.iter().find(|(d, _)| *d == digit).and_then(|(_, rows)| rows.get(row)).copied().unwrap_or(0)
}

/// Five rows, two columns for a bit.
pub(super) fn tall(digits: &str) -> Vec<String> {
    let row = |row| {
        let digit = |d| (0..3).map(move |bit| if bits(d, row) & (4 >> bit) != 0 { "██" } else { "  " });
        digits.chars().map(|d| digit(d).chain([" "]).collect::<String>()).collect()
    };
    (0..5).map(row).collect()
}

/// Three rows of half blocks, one column for a bit.
pub(super) fn short(digits: &str) -> Vec<String> {
    let row = |row: usize| {
        let half = |d, bit: u8| match (bits(d, row * 2) & (4 >> bit), bits(d, row * 2 + 1) & (4 >> bit)) {
            (0, 0) => ' ',
            (_, 0) => '▀',
            (0, _) => '▄',
            _ => '█',
        };
        digits.chars().map(|d| (0..3).map(|bit| half(d, bit)).chain([' ']).collect::<String>()).collect()
    };
    (0..3).map(row).collect()
}
