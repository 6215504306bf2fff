//! Type-ahead: who is meant by what was typed so far, one row for each number that could be dialled.

use super::overlay::dialled;
use super::paint::Canvas;
use super::staff;
use crate::desk::{Colleague, Desk, History, LineId};
use crate::directory::{Directory, Hit, Kind, fold};
use ratatui::layout::{Position, Rect};

/// The most rows.
pub(super) const MAX_FOUND: usize = 8;
/// How many of the last calls are looked through.
const RECENT: usize = 500;

/// One row: somebody, and one of his numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Who.
    pub name: String,
    /// Where he works and the like.
    pub about: String,
    /// What is dialled.
    pub number: String,
    /// `work`, `mobile` …
    pub kind: &'static str,
}

impl Found {
    /// What his phone does, where it is watched by the line that a call would go by: glyph, word and scope.
    fn doing(&self, desk: &Desk, line: LineId) -> Option<(&'static str, &'static str, &'static str)> {
        let number = dialled(&self.number);
        let is_his = |one: &&Colleague| one.line == line && one.who.number.as_str() == number;
        let lamp = &desk.staff.iter().find(is_his)?.lamp;
        let (glyph, scope) = staff::look(lamp);
        Some((glyph, lamp.word(), scope))
    }
}

/// What was found for what was typed, and which row is chosen; none: what was typed itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Finder {
    typed: String,
    pub(super) rows: Vec<Found>,
    pub(super) chosen: Option<usize>,
}

impl Finder {
    /// Looks again if something else is typed now.
    pub(super) fn look(&mut self, desk: &Desk, directory: &Directory, history: &History, typed: &str) {
        let typed = typed.trim();
        if self.typed == typed {
            return;
        }
        self.typed = typed.to_owned();
        self.rows = rows(desk, directory, history, typed);
        // Digits and addresses are dialled as they are typed; a name means whoever has it.
        let named = typed.chars().any(char::is_alphabetic) && !typed.contains(['@', ':']);
        let exact = self.rows.iter().any(|row| row.number.eq_ignore_ascii_case(typed));
        self.chosen = (named && !exact && !self.rows.is_empty()).then_some(0);
    }

    /// Moves the choice; above the first row is what was typed.
    pub(super) fn step(&mut self, down: bool) {
        let last = self.rows.len().checked_sub(1);
        self.chosen = match (self.chosen, down) {
            (None, true) => last.map(|_| 0),
            (None, false) | (Some(0), false) => None,
            (Some(row), true) => last.map(|last| (row + 1).min(last)),
            (Some(row), false) => Some(row - 1),
        };
    }

    /// The row that enter means.
    pub(super) fn meant(&self) -> Option<&Found> {
        self.rows.get(self.chosen?)
    }

    /// What enter dials: the chosen row's number, else what was typed.
    pub(super) fn number(&self, typed: &str) -> String {
        self.meant().map_or_else(|| dialled(typed), |found| dialled(&found.number))
    }

    /// The row at a position, in a window whose list begins at its third line.
    pub(super) fn row_at(&self, area: Rect, position: Position) -> Option<usize> {
        let list = Rect { y: area.y + 3, height: area.height.saturating_sub(4), ..area };
        let row = usize::from(position.y.checked_sub(list.y)?);
        (list.contains(position) && row < self.rows.len()).then_some(row)
    }

    /// Draws the rows; a call would go by `line`.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, desk: &Desk, line: LineId, inside: Rect) {
        let by = line;
        for ((nth, row), y) in self.rows.iter().enumerate().zip(inside.y..inside.bottom()) {
            let line = Rect { y, height: 1, ..inside };
            let chosen = self.chosen == Some(nth);
            if chosen {
                let style = canvas.style("chosen");
                canvas.tint(line, style);
            }
            let mut pen = canvas.line(line, y);
            pen.say(if chosen { "▸ " } else { "  " }, "overlay.key");
            pen.right(9, row.kind, "dim");
            if let Some((glyph, word, scope)) = row.doing(desk, by) {
                pen.right(10, &format!("{glyph} {word}"), scope);
            }
            pen.right(20, &row.number, "call.facts");
            let name = if row.about.is_empty() { pen.room() } else { 24.min(pen.room()) };
            pen.column(name, &row.name, "overlay.title");
            pen.skip(1);
            pen.say(&row.about, "dim");
        }
    }
}

fn rows(desk: &Desk, directory: &Directory, history: &History, typed: &str) -> Vec<Found> {
    if typed.is_empty() {
        return Vec::new();
    }
    let mut rows: Vec<Found> = Vec::new();
    for hit in directory.search(typed, MAX_FOUND) {
        numbers_of(desk, directory, hit, &mut rows);
    }
    // Where no directory is, colleagues and [people] are known all the same.
    let lower = typed.to_lowercase();
    for person in desk.known_people(desk.line_out()) {
        let known = rows.iter().any(|row| row.number == person.number.as_str());
        let name = person.name.as_str().to_lowercase();
        let begins = |typed: &str| name.split_whitespace().any(|word| word.starts_with(typed));
        let fits = lower.split_whitespace().all(begins) || person.number.as_str().starts_with(typed);
        if fits && !known {
            rows.push(Found {
                name: person.label().to_owned(),
                about: String::new(),
                number: person.number.to_string(),
                kind: "ext",
            });
        }
    }
    recent(history, typed, &mut rows);
    rows.truncate(MAX_FOUND);
    rows
}

/// People of the last calls who are in no directory.
fn recent(history: &History, typed: &str, rows: &mut Vec<Found>) {
    let folded = fold(typed);
    let words: Vec<&str> = folded.split_whitespace().collect();
    for call in history.calls.iter().take(RECENT) {
        if rows.len() >= MAX_FOUND {
            return;
        }
        let number = call.party.number.as_str();
        let all = fold(&format!("{} {number}", call.label()));
        let known = number.is_empty() || rows.iter().any(|row| dialled(&row.number) == dialled(number));
        if !known && words.iter().all(|word| all.contains(word)) {
            rows.push(Found {
                name: call.label().to_owned(),
                about: call.note.to_string(),
                number: number.to_owned(),
                kind: "recent",
            });
        }
    }
}

fn numbers_of(desk: &Desk, directory: &Directory, hit: Hit, rows: &mut Vec<Found>) {
    let Some(person) = directory.person(hit.person) else { return };
    let about = [&person.organisation, &person.role, &person.note];
    let about: Vec<&str> = about.into_iter().map(|t| t.as_str()).filter(|t| !t.is_empty()).collect();
    let about = about.join(", ");
    let wanted = |nth: usize| hit.number.is_none_or(|number| number == nth);
    for (_, number) in person.numbers.iter().enumerate().filter(|(nth, _)| wanted(*nth)) {
        rows.push(Found {
            name: person.name.to_string(),
            about: about.clone(),
            number: number.written.to_string(),
            kind: number.kind.word(),
        });
    }
    let prefix = desk.routes.voicemail_prefix.as_str();
    let extension = person.numbers.iter().find(|number| number.kind == Kind::Extension);
    let has_mailbox = person.numbers.iter().any(|number| number.kind == Kind::Voicemail);
    if let Some(extension) = extension.filter(|_| !prefix.is_empty() && !has_mailbox && hit.number.is_none())
    {
        rows.push(Found {
            name: person.name.to_string(),
            about,
            number: format!("{prefix}{}", extension.written),
            kind: Kind::Voicemail.word(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Person;

    fn directory() -> Directory {
        let mut sam = Person { name: "Sam Hill".into(), role: "Bay 3".into(), ..Person::default() };
        sam.add(Kind::Extension, "101");
        sam.add(Kind::Mobile, "07700 900 123");
        Directory::new([sam], None)
    }

    fn typed(text: &str) -> Finder {
        let mut finder = Finder::default();
        finder.look(&Desk::default(), &directory(), &History::default(), text);
        finder
    }

    #[test]
    fn a_name_means_its_first_number_and_the_arrows_the_others() {
        let mut finder = typed("sam");
        assert_eq!(finder.number("sam"), "101");
        finder.step(true);
        assert_eq!((finder.number("sam"), finder.meant().unwrap().kind), ("07700900123".into(), "mobile"));
        finder.step(true);
        assert_eq!(finder.chosen, Some(1), "below the last is nothing");
        finder.step(false);
        finder.step(false);
        assert_eq!(finder.number("sam"), "sam", "above the first is what was typed");
    }

    #[test]
    fn digits_and_addresses_are_dialled_as_typed() {
        for text in ["10", "101", "sip:sam@pbx", "sam@pbx", "*97"] {
            assert_eq!(typed(text).number(text), text, "{text}");
        }
        assert_eq!(typed("10").rows.len(), 1);
    }
}
