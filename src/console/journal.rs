//! The journal's window: the newest calls with search and filters, and who is called back; and the shift report.

use super::overlay::{MAX_SEARCH, Outcome, dialled, edit_line};
use super::paint::Canvas;
use super::windows::{input_line, open};
use crate::desk::{CallRecord, CallWay, Command, History, Outcome as Ended};
use crate::directory::fold;
use crossterm::event::{KeyCode, KeyEvent};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::layout::{Position, Rect};
use std::sync::Arc;
use tui_input::Input;

/// The most rows of one look.
const MAX_ROWS: usize = 500;

/// Which calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Filter {
    #[default]
    All,
    Missed,
    In,
    Out,
    Parked,
}

impl Filter {
    fn next(self, back: bool) -> Self {
        let all = [Self::All, Self::Missed, Self::In, Self::Out, Self::Parked];
        let here = all.iter().position(|filter| *filter == self).unwrap_or(0);
        all[(here + if back { all.len() - 1 } else { 1 }) % all.len()]
    }

    fn word(self) -> &'static str {
        match self {
            Self::All => "all calls",
            Self::Missed => "missed",
            Self::In => "came in",
            Self::Out => "went out",
            Self::Parked => "parked",
        }
    }

    fn takes(self, call: &CallRecord) -> bool {
        match self {
            Self::All => true,
            Self::Missed => call.is_missed(),
            Self::In => matches!(call.way, CallWay::In | CallWay::CameBack),
            Self::Out => call.way == CallWay::Out,
            Self::Parked => call.slot.is_some(),
        }
    }
}

/// The window.
#[derive(Clone, Debug, Default)]
pub(super) struct JournalWindow {
    pub(super) search: Input,
    filter: Filter,
    pub(super) chosen: usize,
    rows: Vec<Arc<CallRecord>>,
}

impl JournalWindow {
    /// Opens on this history.
    pub(super) fn new(history: &History) -> Self {
        let mut window = Self::default();
        window.look(history);
        window
    }

    /// Looks again: something else is typed, or something new has happened.
    pub(super) fn look(&mut self, history: &History) {
        let words = fold(self.search.value());
        let has = |call: &&Arc<CallRecord>| {
            if words.is_empty() {
                return true;
            }
            let all =
                [&call.party.name, &call.party.number, &call.known, &call.called, &call.note, &call.detail];
            let all = fold(&all.map(|text| text.as_str()).join(" "));
            words.split_whitespace().all(|word| all.contains(word))
        };
        let chosen = self.rows.get(self.chosen).map(|row| row.id);
        let wanted = history.calls.iter().filter(|call| self.filter.takes(call)).filter(has);
        self.rows = wanted.take(MAX_ROWS).cloned().collect();
        // The row under the cursor stays under it when a new call comes in above.
        let same = chosen.and_then(|id| self.rows.iter().position(|row| row.id == id));
        self.chosen = same.unwrap_or(self.chosen).min(self.rows.len().saturating_sub(1));
    }

    /// Looks for these words.
    pub(super) fn search_for(&mut self, history: &History, words: &str) {
        self.search = Input::new(words.to_owned());
        self.look(history);
    }

    /// What was found.
    pub(super) fn rows(&self) -> &[Arc<CallRecord>] {
        &self.rows
    }

    pub(super) fn key(&mut self, history: &History, key: KeyEvent) -> Outcome {
        match key.code {
            KeyCode::Enter => return self.call_back(),
            KeyCode::Up => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Down => self.chosen = (self.chosen + 1).min(self.rows.len().saturating_sub(1)),
            KeyCode::PageUp => self.chosen = self.chosen.saturating_sub(10),
            KeyCode::PageDown => self.chosen = (self.chosen + 10).min(self.rows.len().saturating_sub(1)),
            KeyCode::Tab | KeyCode::BackTab => {
                self.filter = self.filter.next(key.code == KeyCode::BackTab);
                (self.chosen, self.rows) = (0, Vec::new());
                self.look(history);
            }
            _ => {
                let before = self.search.value().to_owned();
                edit_line(&mut self.search, key, MAX_SEARCH);
                if self.search.value() != before {
                    (self.chosen, self.rows) = (0, Vec::new());
                    self.look(history);
                }
            }
        }
        Outcome::Stays
    }

    fn call_back(&self) -> Outcome {
        match self.rows.get(self.chosen) {
            None => Outcome::Closes,
            Some(call) if call.party.number.is_empty() => {
                Outcome::Refuses("that caller withheld the number: nobody to call back".into())
            }
            Some(call) => Outcome::Says(vec![Command::Dial(dialled(call.party.number.as_str()))]),
        }
    }

    /// The row at a position, in a window of this size.
    pub(super) fn row_at(&self, area: Rect, position: Position) -> Option<usize> {
        let list = Rect { y: area.y + 3, height: area.height.saturating_sub(4), ..area };
        let row = usize::from(position.y.checked_sub(list.y)?) + self.first(list.height);
        (list.contains(position) && row < self.rows.len()).then_some(row)
    }

    fn first(&self, shown: u16) -> usize {
        self.chosen.saturating_sub(usize::from(shown).max(1) - 1)
    }

    /// Draws it; `now_ms` is the wall clock.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, area: Rect, now_ms: u64, zone: &TimeZone) {
        let inside = open(canvas, area, &format!("journal · {} · tab: others", self.filter.word()));
        input_line(canvas, inside, "search", &self.search);
        let list = Rect { y: inside.y + 2, height: inside.height.saturating_sub(2), ..inside };
        let first = self.first(list.height);
        for ((nth, call), y) in self.rows.iter().enumerate().skip(first).zip(list.y..list.bottom()) {
            draw_row(canvas, call, Rect { y, height: 1, ..list }, nth == self.chosen, (now_ms, zone));
        }
        if self.rows.is_empty() {
            let mut pen = canvas.line(inside, list.y);
            pen.say("no call is like that", "dim");
        }
    }
}

fn draw_row(
    canvas: &mut Canvas<'_>,
    call: &CallRecord,
    line: Rect,
    chosen: bool,
    (now_ms, zone): (u64, &TimeZone),
) {
    if chosen {
        let style = canvas.style("chosen");
        canvas.tint(line, style);
    }
    let (glyph, scope) = match (call.is_missed(), call.way) {
        (true, _) => ("✕", "notice.warning"),
        (_, CallWay::In) => ("↙", "call.facts"),
        (_, CallWay::Out) => ("↗", "call.facts"),
        (_, CallWay::Retrieved) => ("↑", "call.facts"),
        (_, CallWay::CameBack) => ("↺", "call.facts"),
    };
    let began = Timestamp::from_millisecond(i64::try_from(call.began_ms).unwrap_or(0));
    let began = began.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone());
    let today = u64::try_from(Timestamp::UNIX_EPOCH.as_millisecond()).unwrap_or(0).max(now_ms);
    let today =
        Timestamp::from_millisecond(i64::try_from(today).unwrap_or(0)).unwrap_or(Timestamp::UNIX_EPOCH);
    let same_day = today.to_zoned(zone.clone()).date() == began.date();
    let when = began.strftime(if same_day { "%H:%M" } else { "%d %b" }).to_string();
    let clock = |ms: u64| format!("{}:{:02}", ms / 60_000, ms / 1_000 % 60);
    let mut pen = canvas.line(line, line.y);
    pen.say(if chosen { "▸ " } else { "  " }, "overlay.key");
    pen.column(6, &when, "dim");
    pen.column(2, glyph, scope);
    let name = if line.width >= 100 { 28 } else { 20 };
    pen.column(name, call.label(), "overlay.title");
    pen.skip(1);
    pen.column(16, call.party.number.as_str(), "call.facts");
    pen.skip(1);
    pen.column_right(6, &clock(call.talked_ms(now_ms)), "dim");
    pen.skip(1);
    pen.say(&outcome(call, now_ms), scope);
}

/// How it ended, with what belongs to that.
fn outcome(call: &CallRecord, now_ms: u64) -> String {
    let waited = call.waited_ms(now_ms) / 1_000;
    let mut text = match (call.outcome, &call.slot) {
        (Ended::Parked, Some(slot)) => format!("parked on {slot}"),
        (Ended::Transferred, _) => format!("to {}", call.detail),
        (Ended::Missed, _) => format!("MISSED after {waited} s"),
        (outcome, _) => outcome.word().to_owned(),
    };
    if !call.detail.is_empty() && call.outcome != Ended::Transferred {
        text.push_str(&format!(" ({})", call.detail));
    }
    if !call.note.is_empty() {
        text.push_str(&format!(" → {}", call.note));
    }
    text
}

/// Draws the shift report's lines.
pub(super) fn draw_report(canvas: &mut Canvas<'_>, lines: &[String], first: usize, area: Rect) {
    let inside = open(canvas, area, "today so far");
    let first = first.min(lines.len().saturating_sub(usize::from(inside.height)));
    for (line, y) in lines.iter().skip(first).zip(inside.y..inside.bottom()) {
        let mut pen = canvas.line(inside, y);
        pen.say(line, "overlay");
    }
}
