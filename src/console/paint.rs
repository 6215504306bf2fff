//! Putting text into the frame's buffer, always cut to its room. Nothing here can write outside the area, and every
//! string but printable ASCII goes through `Buffer::set_stringn`, the one path of ratatui that drops control characters.

use super::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::borrow::Cow;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Printable ASCII: each byte is one column and none a control character.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Columns that a text takes.
pub(super) fn columns(text: &str) -> u16 {
    if is_plain(text) {
        return u16::try_from(text.len()).unwrap_or(u16::MAX);
    }
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// The text if it fits in `room` columns, else its head and `…`. Never cuts a grapheme or half of a wide one.
pub(super) fn fit(text: &str, room: u16) -> Cow<'_, str> {
    if columns(text) <= room {
        return Cow::Borrowed(text);
    }
    if room == 0 {
        return Cow::Borrowed("");
    }
    let mut kept = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        used += columns(grapheme);
        if used > room - 1 {
            break;
        }
        kept.push_str(grapheme);
    }
    let kept = kept.trim_end();
    Cow::Owned(format!("{kept}…"))
}

/// Breaks a text at blanks into lines of at most `room` columns; a word longer than a line is broken inside.
pub(super) fn wrap(text: &str, room: u16) -> Vec<String> {
    let mut lines = vec![String::new()];
    'text: for word in text.split(' ').filter(|w| !w.is_empty()) {
        let mut rest = word;
        while !rest.is_empty() {
            let line = lines.last().map_or("", String::as_str);
            let blank = u16::from(!line.is_empty());
            if columns(line) + blank + columns(rest) <= room {
                push_word(&mut lines, rest);
                break;
            }
            if !line.is_empty() && (columns(rest) <= room || columns(line) + 8 > room) {
                lines.push(String::new());
                continue;
            }
            let head = head(rest, room.saturating_sub(columns(line) + blank));
            if head == 0 {
                if line.is_empty() {
                    break 'text;
                }
                lines.push(String::new());
                continue;
            }
            push_word(&mut lines, &rest[..head]);
            rest = &rest[head..];
            lines.push(String::new());
        }
    }
    lines.retain(|l| !l.is_empty());
    lines
}

fn push_word(lines: &mut [String], word: &str) {
    if let Some(line) = lines.last_mut() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
}

/// How many bytes of `word` fit in `room` columns, at a grapheme's end.
fn head(word: &str, room: u16) -> usize {
    let mut used = 0;
    let mut end = 0;
    for (at, grapheme) in word.grapheme_indices(true) {
        used += columns(grapheme);
        if used > room {
            break;
        }
        end = at + grapheme.len();
    }
    end
}

/// The frame's buffer with the theme, and the only way to draw.
pub(super) struct Canvas<'a> {
    pub(super) buffer: &'a mut Buffer,
    pub(super) theme: &'a Theme,
}

impl Canvas<'_> {
    /// The style of a scope.
    pub(super) fn style(&self, scope: &str) -> Style {
        self.theme.style(scope)
    }

    /// Writes a text cut to `room` columns; returns the columns used.
    pub(super) fn put(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
            return 0;
        }
        let text = fit(text, room.min(area.right() - x));
        if is_plain(&text) {
            return self.put_plain(x, y, &text, style);
        }
        let (end, _) = self.buffer.set_stringn(x, y, &text, room.into(), style);
        end.saturating_sub(x)
    }

    /// The same for what is one column a byte, without looking for graphemes: that was a fifth of a picture.
    fn put_plain(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        let mut end = x;
        for letter in text.bytes() {
            let Some(cell) = self.buffer.cell_mut((end, y)) else { break };
            cell.set_char(char::from(letter)).set_style(style);
            end += 1;
        }
        end - x
    }

    /// Lays a style over an area, for example a chosen row's background.
    pub(super) fn tint(&mut self, area: Rect, style: Style) {
        self.buffer.set_style(area.intersection(self.buffer.area), style);
    }

    /// Empties an area for an overlay; the half of a wide character that would stand out is taken away too.
    pub(super) fn clear(&mut self, area: Rect, style: Style) {
        let area = area.intersection(self.buffer.area);
        for y in area.top()..area.bottom() {
            if let Some(cell) = area.left().checked_sub(1).and_then(|x| self.buffer.cell_mut((x, y)))
                && columns(cell.symbol()) > 1
            {
                cell.set_symbol(" ");
            }
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                    cell.set_style(style);
                }
            }
        }
    }

    /// A box with a title in its upper border.
    pub(super) fn frame(&mut self, area: Rect, title: &str, style: Style, title_style: Style) {
        if area.width < 2 || area.height < 2 {
            return;
        }
        let bar = "─".repeat(usize::from(area.width - 2));
        self.put(area.x, area.y, area.width, &format!("┌{bar}┐"), style);
        for y in area.y + 1..area.bottom() - 1 {
            self.put(area.x, y, 1, "│", style);
            self.put(area.right() - 1, y, 1, "│", style);
        }
        self.put(area.x, area.bottom() - 1, area.width, &format!("└{bar}┘"), style);
        self.title(area.x + 1, area.y, area.width - 2, title, title_style);
    }

    /// A title set into a border, with a blank on either side.
    pub(super) fn title(&mut self, x: u16, y: u16, room: u16, title: &str, style: Style) {
        if !title.is_empty() && room > 4 {
            let title = fit(title, room - 3).into_owned();
            self.put(x, y, room, &format!(" {title} "), style);
        }
    }

    /// A pen for one line.
    pub(super) fn line(&mut self, area: Rect, y: u16) -> Pen<'_, '_> {
        Pen { x: area.x, end: area.right(), y, buffer: self.buffer, theme: self.theme }
    }
}

/// Writes one line piece by piece, from the left and from the right, until the room is used up.
pub(super) struct Pen<'b, 't> {
    buffer: &'b mut Buffer,
    theme: &'t Theme,
    y: u16,
    x: u16,
    end: u16,
}

impl Pen<'_, '_> {
    /// Columns that are left.
    pub(super) fn room(&self) -> u16 {
        self.end.saturating_sub(self.x)
    }

    /// Writes what fits.
    pub(super) fn say(&mut self, text: &str, scope: &str) {
        let room = self.room();
        let style = self.theme.style(scope);
        let mut canvas = Canvas { buffer: self.buffer, theme: self.theme };
        self.x += canvas.put(self.x, self.y, room, text, style);
    }

    /// Writes into a column of this width, to its left side.
    pub(super) fn column(&mut self, width: u16, text: &str, scope: &str) {
        let end = self.x.saturating_add(width).min(self.end);
        self.say(&fit(text, width), scope);
        self.x = end;
    }

    /// Writes into a column of this width, to its right side.
    pub(super) fn column_right(&mut self, width: u16, text: &str, scope: &str) {
        let text = fit(text, width);
        self.skip(width.saturating_sub(columns(&text)));
        self.say(&text, scope);
    }

    /// Leaves columns blank.
    pub(super) fn skip(&mut self, width: u16) {
        self.x = self.x.saturating_add(width).min(self.end);
    }

    /// Writes at the right end, cut to `most` columns; what follows ends one blank before it.
    pub(super) fn right(&mut self, most: u16, text: &str, scope: &str) {
        let text = fit(text, most.min(self.room()));
        let width = columns(&text);
        if width == 0 {
            return;
        }
        let x = self.end - width;
        let style = self.theme.style(scope);
        Canvas { buffer: self.buffer, theme: self.theme }.put(x, self.y, width, &text, style);
        self.end = x.saturating_sub(1).max(self.x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::buffer::Cell;

    #[test]
    fn a_cut_text_fits_and_never_shows_half_a_character() {
        for text in ["Jonathan", "李小龙李小龙", "e\u{301}e\u{301}e\u{301}e\u{301}", ""] {
            for room in 0..12 {
                let cut = fit(text, room);
                assert!(columns(&cut) <= room, "{cut} in {room}");
                assert!(cut == text || cut.ends_with('…') || room == 0);
            }
        }
    }

    #[test]
    fn plain_text_is_put_as_ratatui_puts_it_and_control_characters_are_dropped() {
        let theme = Theme::default();
        let area = Rect::new(0, 0, 12, 1);
        for text in
            ["Jane Doe", "0161 496 0100", "a text that is too long", "", "e\u{301}", "a\x1b[31mb", "李小"]
        {
            let (mut ours, mut theirs) =
                (Buffer::filled(area, Cell::new("李")), Buffer::filled(area, Cell::new("李")));
            let used = Canvas { buffer: &mut ours, theme: &theme }.put(2, 0, 8, text, Style::new().bold());
            let (end, _) = theirs.set_stringn(2, 0, fit(text, 8), 8, Style::new().bold());
            assert_eq!((&ours, used), (&theirs, end - 2), "{text:?}");
            assert!(!ours.content.iter().any(|cell| cell.symbol().contains('\x1b')), "{text:?}");
        }
    }

    #[test]
    fn a_wrapped_text_loses_nothing() {
        let text =
            "park failed: 503 Service Unavailable · 李小龙李小龙李小龙李小龙 is with you · p tries again";
        let letters = |t: &str| t.chars().filter(|c| *c != ' ').collect::<String>();
        for room in 2..90 {
            let lines = wrap(text, room);
            assert!(lines.iter().all(|l| columns(l) <= room), "{lines:?} in {room}");
            assert_eq!(letters(&lines.concat()), letters(text), "in {room}");
        }
        assert!(wrap("李", 1).is_empty(), "no room for one character");
        assert!(wrap("", 9).is_empty());
    }
}
