//! The wallboard: who waits where, large enough to be read across a room. It shows and can do nothing.

use super::banner::{short, tall};
use super::paint::{Canvas, columns};
use super::theme::Theme;
use super::words;
use crate::parking::Text;
use ratatui::Frame;
use ratatui::layout::Rect;

/// Seconds after which somebody parked has waited long, and too long.
const LONG_S: [u64; 2] = [60, 120];
/// Seconds after which somebody rings for long, and for too long.
const RINGS_S: [u64; 2] = [10, 20];

/// A lamp on the wall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WallLamp {
    /// Nothing is known: never told, or the console has ended.
    #[default]
    Unknown,
    /// Nobody is there.
    Free,
    /// Somebody is.
    Parked,
    /// Somebody is, and it rings at whoever parked him.
    RingingBack,
    /// What was heard last holds no longer.
    Stale,
    /// The server won't tell.
    Refused,
}

/// A slot on the wall. What callers chose to be called is masked already, and scrubbed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WallSlot {
    /// Its number.
    pub id: Text,
    /// Its lamp.
    pub lamp: WallLamp,
    /// Who is there, as far as it may be shown.
    pub who: Text,
    /// How long, in seconds.
    pub wait_s: u64,
}

/// Everything on the wall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wall {
    /// Whose board it is.
    pub title: Text,
    /// What is wrong, in words; empty while the console tells.
    pub trouble: String,
    /// The time of day.
    pub clock: String,
    /// The slots, in their order.
    pub slots: Vec<WallSlot>,
    /// How many callers ring, and how long the first of them has, in seconds.
    pub ringing: (usize, u64),
    /// How many are talked to.
    pub talking: usize,
    /// How many are on hold.
    pub held: usize,
    /// New calls go where they go at night.
    pub night: bool,
    /// New calls are turned away.
    pub do_not_disturb: bool,
}

impl WallSlot {
    fn is_taken(&self) -> bool {
        matches!(self.lamp, WallLamp::Parked | WallLamp::RingingBack)
    }

    /// Glyph, word with mark, and scope: no two states share glyph and word.
    fn look(&self) -> (&'static str, String, &'static str) {
        let wait = words::wait(self.wait_s);
        match self.lamp {
            WallLamp::Unknown => ("?", "unknown".into(), "lamp.unknown"),
            WallLamp::Free => ("□", "free".into(), "lamp.free"),
            WallLamp::Stale => ("?", "stale".into(), "lamp.stale"),
            WallLamp::Refused => ("✕", "refused".into(), "lamp.refused"),
            WallLamp::RingingBack => ("◉", format!("{wait} rings back"), "lamp.back"),
            WallLamp::Parked => match mark(self.wait_s, LONG_S) {
                "" => ("■", wait, "lamp.parked"),
                "!" => ("■", format!("{wait} ! long"), "lamp.parked.long"),
                _ => ("■", format!("{wait} !! TOO LONG"), "lamp.parked.late"),
            },
        }
    }
}

fn mark(waited_s: u64, [long, late]: [u64; 2]) -> &'static str {
    match waited_s {
        s if s >= late => "!!",
        s if s >= long => "!",
        _ => "",
    }
}

/// How large a slot is drawn: lines and least width of its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    /// Digits of five lines.
    Tall,
    /// Digits of three.
    Short,
    /// Two lines of text.
    Plain,
    /// One.
    Line,
}

impl Size {
    const ALL: [(Self, u16, u16); 4] =
        [(Self::Tall, 9, 25), (Self::Short, 6, 24), (Self::Plain, 3, 26), (Self::Line, 1, 36)];
}

/// Draws it on the whole screen.
pub fn draw_wall(frame: &mut Frame<'_>, wall: &Wall, theme: &Theme) {
    let area = frame.area();
    let mut canvas = Canvas { buffer: frame.buffer_mut(), theme };
    canvas.clear(area, theme.style("board"));
    if area.height < 4 || area.width < 20 {
        canvas.line(area, area.y).say("make the window larger", "notice.warning");
        return;
    }
    draw_top(&mut canvas, wall, area);
    let body = Rect { y: area.y + 3, height: area.height - 3, ..area };
    // Where not all have room, those where somebody waits go first.
    let mut shown: Vec<&WallSlot> = wall.slots.iter().collect();
    let (size, across, down) = fit(shown.len(), body);
    let room = across * down;
    let hidden = shown.len().saturating_sub(room);
    if hidden > 0 {
        shown.sort_by_key(|slot| (!slot.is_taken(), std::cmp::Reverse(slot.wait_s)));
        shown.truncate(room);
    }
    let rows = shown.len().div_ceil(across.max(1)).max(1);
    let (width, height) = (
        body.width / u16::try_from(across.max(1)).unwrap_or(1),
        body.height / u16::try_from(rows).unwrap_or(1),
    );
    for (nth, slot) in shown.iter().enumerate() {
        let (column, row) = (nth % across.max(1), nth / across.max(1));
        let (Ok(column), Ok(row)) = (u16::try_from(column), u16::try_from(row)) else { break };
        let cell = Rect {
            x: body.x + column * width,
            y: body.y + row * height,
            width: width.saturating_sub(1),
            height,
        };
        draw_slot(&mut canvas, slot, size, cell.intersection(area));
    }
    if hidden > 0 {
        let text = format!(" {hidden} more slots have no room here ");
        let style = theme.style("dim");
        canvas.put(area.x, area.bottom() - 1, area.width, &text, style);
    }
}

/// How the slots are drawn: the largest size in which all have room, with so many across and down.
fn fit(count: usize, body: Rect) -> (Size, usize, usize) {
    let shape = |(size, lines, least): (Size, u16, u16)| {
        (size, usize::from((body.width / least).max(1)), usize::from((body.height / lines).max(1)))
    };
    let fits = |(_, across, down): &(Size, usize, usize)| across * down >= count;
    let (size, across, down) =
        Size::ALL.into_iter().map(shape).find(fits).unwrap_or_else(|| shape(Size::ALL[Size::ALL.len() - 1]));
    // No more columns than are needed to fill the lines evenly.
    let rows = count.div_ceil(across).clamp(1, down);
    (size, count.div_ceil(rows).clamp(1, across), down)
}

fn draw_top(canvas: &mut Canvas<'_>, wall: &Wall, area: Rect) {
    let mut pen = canvas.line(area, area.y);
    pen.right(12, &format!("{} ", wall.clock), "top");
    if wall.night {
        pen.right(7, "NIGHT ", "notice.warning");
    }
    if wall.do_not_disturb {
        pen.right(5, "DND ", "notice.warning");
    }
    pen.skip(1);
    pen.say("parkdeck", "top.product");
    pen.skip(1);
    pen.say(wall.title.as_str(), "top");
    let mut pen = canvas.line(area, area.y + 1);
    pen.skip(1);
    if !wall.trouble.is_empty() {
        pen.say(&format!("✕ {}", wall.trouble), "notice.error");
        return;
    }
    let (ringing, longest_s) = wall.ringing;
    if ringing > 0 {
        let text = format!("{ringing} RINGING {}{}", words::wait(longest_s), mark(longest_s, RINGS_S));
        pen.say(&text, "call.ringing");
    } else {
        pen.say("nobody rings", "dim");
    }
    let taken: Vec<&WallSlot> = wall.slots.iter().filter(|slot| slot.is_taken()).collect();
    let longest_s = taken.iter().map(|slot| slot.wait_s).max().unwrap_or(0);
    let parked = match taken.len() {
        0 => "nobody is parked".to_owned(),
        n => format!("{n} parked, the longest {}{}", words::wait(longest_s), mark(longest_s, LONG_S)),
    };
    pen.say(&format!(" · {parked} · {} talked to · {} on hold", wall.talking, wall.held), "top");
}

fn draw_slot(canvas: &mut Canvas<'_>, slot: &WallSlot, size: Size, cell: Rect) {
    let (glyph, word, scope) = slot.look();
    let style = canvas.style(scope);
    let digits = match size {
        Size::Tall => tall(slot.id.as_str()),
        Size::Short => short(slot.id.as_str()),
        Size::Plain | Size::Line => Vec::new(),
    };
    // A number that has no digits of ours, or too many, is written small.
    let drawn = digits.iter().any(|row| !row.trim().is_empty())
        && digits.iter().all(|row| columns(row.trim_end()) + 1 < cell.width)
        && slot.id.as_str().chars().all(|c| c.is_ascii_digit() || "*#".contains(c));
    let mut y = cell.y;
    if drawn {
        for row in &digits {
            if y < cell.bottom() {
                canvas.put(cell.x + 1, y, cell.width.saturating_sub(1), row, style);
            }
            y += 1;
        }
    }
    if y >= cell.bottom() {
        return;
    }
    let mut pen = canvas.line(cell, y);
    pen.skip(1);
    if !drawn {
        pen.say(slot.id.as_str(), "slot.id");
        pen.skip(1);
    }
    pen.say(&format!("{glyph} {word}"), scope);
    if size == Size::Line {
        pen.skip(1);
        return pen.say(slot.who.as_str(), "slot.who");
    }
    if y + 1 < cell.bottom() && slot.is_taken() {
        let mut pen = canvas.line(cell, y + 1);
        pen.skip(1);
        pen.say(slot.who.as_str(), "slot.who");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn slot(id: usize, lamp: WallLamp, who: &str, wait_s: u64) -> WallSlot {
        WallSlot { id: Text::new(&id.to_string()), lamp, who: Text::new(who), wait_s }
    }

    fn shown(wall: &Wall, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let theme = Theme::named("mono").unwrap();
        terminal.draw(|frame| draw_wall(frame, wall, &theme)).unwrap();
        terminal.backend().to_string()
    }

    fn office(count: usize) -> Wall {
        let mut slots: Vec<WallSlot> = (0..count).map(|nth| slot(701 + nth, WallLamp::Free, "", 0)).collect();
        slots[1] = slot(702, WallLamp::Parked, "J. D. …00", 75);
        slots[count - 1] = slot(700 + count, WallLamp::Parked, "A. L. …46", 200);
        Wall { slots, ringing: (2, 17), clock: "14:03:22".into(), ..Wall::default() }
    }

    #[test]
    fn no_two_lamps_on_the_wall_look_alike_without_colour() {
        use WallLamp::*;
        let all = [
            (Unknown, 0),
            (Free, 0),
            (Parked, 5),
            (Parked, 65),
            (Parked, 125),
            (RingingBack, 5),
            (Stale, 0),
            (Refused, 0),
        ];
        let looks: Vec<String> = all
            .iter()
            .map(|(lamp, wait_s)| {
                let (glyph, word, _) = slot(701, *lamp, "", *wait_s).look();
                // The wait itself says nothing of the state.
                format!("{glyph}{}", word.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':'))
            })
            .collect();
        for (nth, look) in looks.iter().enumerate() {
            assert!(!looks[..nth].contains(look), "{look}");
        }
    }

    #[test]
    fn whoever_waits_is_on_the_wall_whatever_its_size() {
        for count in [3, 9, 12, 40, 500] {
            for (width, height) in [(80, 24), (120, 40), (300, 100), (40, 12)] {
                let wall = shown(&office(count), width, height);
                assert!(
                    wall.contains("J. D. …00") && wall.contains("A. L. …46"),
                    "{count} at {width}×{height}\n{wall}"
                );
                assert!(wall.contains("2 RINGING 00:17!"), "{wall}");
                assert!(wall.contains("!! TOO LONG"), "{wall}");
            }
        }
    }

    #[test]
    fn any_size_and_any_number_of_slots_is_drawn() {
        for count in [2, 7, 12, 61, 500] {
            for width in (1..160).step_by(7) {
                for height in (1..60).step_by(5) {
                    shown(&office(count), width, height);
                }
            }
        }
        shown(&Wall::default(), 80, 24);
    }

    #[test]
    fn a_dozen_slots_have_large_digits_on_an_ordinary_screen() {
        let (size, across, _) = fit(12, Rect::new(0, 3, 160, 47));
        assert_eq!((size, across), (Size::Tall, 6));
        assert_eq!(fit(9, Rect::new(0, 3, 80, 21)).0, Size::Short);
        let wall = Wall { trouble: "the console has ended".into(), ..office(9) };
        assert!(shown(&wall, 80, 24).contains("✕ the console has ended"));
    }
}
