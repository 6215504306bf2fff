//! Which screen is shown at which moment: a terminal of our own reads the recording, and only its cells are drawn.

use super::film::{Film, Happens, MIN_SIZE};
use super::mask::Mask;
use crate::parking::Text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use std::num::NonZeroU16;
use std::time::Duration;

/// Code points of one cell that are drawn: a letter and its marks.
const MAX_MARKS: usize = 8;

/// A recording, and how far it is shown.
pub struct Projector {
    film: Film,
    terminal: vt100::Parser,
    /// How many events have been shown.
    shown: usize,
    mask: Option<Mask>,
}

impl Projector {
    /// At its beginning; `mask`: whoever is on its screens is hidden.
    pub fn new(film: Film, mask: bool) -> Self {
        let mask = mask.then(|| Mask::new(film.people.as_deref().unwrap_or_default()));
        let terminal = terminal(film.size);
        Self { film, terminal, shown: 0, mask }
    }

    /// Shows everything up to that moment.
    pub fn seek(&mut self, at: Duration) {
        let wanted = self.film.events.partition_point(|(when, _)| *when <= at);
        self.show(wanted);
    }

    /// To the next picture, or the one before; the moment at which it is shown.
    pub fn step(&mut self, forward: bool) -> Duration {
        let wanted = if forward { self.shown + 1 } else { self.shown.saturating_sub(1) };
        self.show(wanted.min(self.film.events.len()));
        self.moment()
    }

    /// The moment of what is shown.
    pub fn moment(&self) -> Duration {
        self.shown
            .checked_sub(1)
            .and_then(|nth| self.film.events.get(nth))
            .map_or(Duration::ZERO, |(at, _)| *at)
    }

    /// When the next picture comes; `None`: that was the last.
    pub fn next(&self) -> Option<Duration> {
        self.film.events.get(self.shown).map(|(at, _)| *at)
    }

    /// How long the whole of it is.
    pub fn length(&self) -> Duration {
        self.film.length()
    }

    /// Columns and rows now.
    pub fn size(&self) -> (u16, u16) {
        let (rows, columns) = self.terminal.screen().size();
        (columns.get(), rows.get())
    }

    fn show(&mut self, wanted: usize) {
        if wanted < self.shown {
            (self.terminal, self.shown) = (terminal(self.film.size), 0);
        }
        for (_, happens) in &self.film.events[self.shown..wanted] {
            match happens {
                Happens::Output(text) => self.terminal.process(text.as_bytes()),
                Happens::Resize(columns, rows) => {
                    self.terminal.screen_mut().set_size(at_least_one(*rows), at_least_one(*columns));
                }
            }
        }
        self.shown = wanted;
    }

    /// The lines of the screen as text, as they would be drawn.
    pub fn lines(&self) -> Vec<String> {
        let (columns, rows) = self.size();
        let cells = self.cells(columns, rows);
        cells.iter().map(|row| row.concat().trim_end().to_owned()).collect()
    }

    /// What each cell shows; the second half of a wide character is empty.
    fn cells(&self, columns: u16, rows: u16) -> Vec<Vec<String>> {
        let screen = self.terminal.screen();
        let of = |row, column| match screen.cell(row, column) {
            Some(cell) if cell.is_wide_continuation() => String::new(),
            Some(cell) if cell.has_contents() => drawn(cell.contents(), cell.is_wide()),
            _ => " ".to_owned(),
        };
        let mut cells: Vec<Vec<String>> =
            (0..rows).map(|row| (0..columns).map(|column| of(row, column)).collect()).collect();
        if let Some(mask) = &self.mask {
            for row in &mut cells {
                mask.hide(row);
            }
        }
        cells
    }

    /// Draws as much of the screen as there is room for.
    pub fn draw(&self, buffer: &mut Buffer, area: Rect) {
        let (columns, rows) = self.size();
        let (columns, rows) = (columns.min(area.width), rows.min(area.height));
        let cells = self.cells(columns, rows);
        for (row, texts) in (0..rows).zip(&cells) {
            for (column, text) in (0..columns).zip(texts) {
                let Some(cell) = self.terminal.screen().cell(row, column) else { continue };
                if text.is_empty() || (cell.is_wide() && column + 1 >= columns) {
                    continue;
                }
                buffer.set_stringn(area.x + column, area.y + row, text, 2, style(cell));
            }
        }
    }
}

/// What of a cell's text may be drawn: nothing that a terminal would take for an order, and the board's own glyphs.
fn drawn(contents: &str, wide: bool) -> String {
    let glyph =
        |c: char| matches!(c, '\u{2500}'..='\u{25ff}' | '\u{2800}'..='\u{28ff}' | '\u{2b00}'..='\u{2bff}');
    let shows = |c: &char| glyph(*c) || !Text::visible(c.encode_utf8(&mut [0; 4])).is_empty();
    let text: String = contents.chars().filter(shows).take(MAX_MARKS).collect();
    match (text.is_empty(), wide) {
        (false, _) => text,
        (true, true) => "  ".to_owned(),
        (true, false) => " ".to_owned(),
    }
}

fn at_least_one(size: u16) -> NonZeroU16 {
    NonZeroU16::new(size).unwrap_or(NonZeroU16::MIN)
}

fn terminal((columns, rows): (u16, u16)) -> vt100::Parser {
    vt100::Parser::new(at_least_one(rows.max(MIN_SIZE.1)), at_least_one(columns.max(MIN_SIZE.0)), 0)
}

fn style(cell: &vt100::Cell) -> Style {
    let mut style = Style::new().fg(colour(cell.fgcolor())).bg(colour(cell.bgcolor()));
    for (on, modifier) in [
        (cell.bold(), Modifier::BOLD),
        (cell.dim(), Modifier::DIM),
        (cell.italic(), Modifier::ITALIC),
        (cell.underline(), Modifier::UNDERLINED),
        (cell.inverse(), Modifier::REVERSED),
    ] {
        if on {
            style = style.add_modifier(modifier);
        }
    }
    style
}

fn colour(colour: vt100::Color) -> Color {
    match colour {
        vt100::Color::Default => Color::Reset,
        vt100::Color::Idx(index) => Color::Indexed(index),
        vt100::Color::Rgb(red, green, blue) => Color::Rgb(red, green, blue),
    }
}
