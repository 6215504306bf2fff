//! The window that tells the team who waits where: the sentence as others will read it, and what can be done with it.

use super::overlay::{MAX_NUMBER, Outcome, dialled, edit_line};
use super::paint::{Canvas, wrap};
use super::windows::{input_line, open};
use super::words;
use crate::desk::{Command, Desk, SlotKey};
use crate::parking::Identity;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::{Position, Rect};
use tui_input::Input;

/// Lines that the sentence may take.
const SENTENCE_LINES: u16 = 2;

/// The window, bound to the caller who was in the slot when it was opened.
#[derive(Clone, Debug)]
pub(super) struct Tell {
    pub(super) slot: SlotKey,
    pub(super) seen: Identity,
    /// A number, or part of a name.
    pub(super) input: Input,
    pub(super) chosen: usize,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    Copy,
    Everybody(Vec<String>),
    Page(String),
    Person(String),
}

impl Tell {
    pub(super) fn new(slot: SlotKey, seen: Identity) -> Self {
        Self { slot, seen, input: Input::default(), chosen: 0 }
    }

    /// The ways, each with its words; those about whom or what was typed.
    fn ways(&self, desk: &Desk) -> Vec<(Way, String)> {
        let typed = self.input.value().trim();
        let mut all = vec![(Way::Copy, "copy the sentence".to_owned())];
        let team = desk.team_of(self.slot.line);
        if !team.is_empty() {
            let names: Vec<&str> = team.iter().map(Identity::label).collect();
            let numbers = team.iter().map(|member| member.number.to_string()).collect();
            all.push((Way::Everybody(numbers), format!("message to all colleagues: {}", names.join(", "))));
        }
        if let Some(group) = desk.lot_of(&self.slot).and_then(|lot| lot.page.as_ref()) {
            let how = if group.live { "and speak yourself" } else { "and let it hear the slot" };
            all.push((Way::Page(group.number.clone()), format!("page {} {how}", group.number)));
        }
        for person in desk.known_people(self.slot.line) {
            let (name, number) = (person.label(), person.number.as_str());
            let words = if name == number { number.to_owned() } else { format!("{name} ({number})") };
            all.push((Way::Person(number.to_owned()), format!("message to {words}")));
        }
        let searched = typed.to_lowercase();
        // Every one of them begins with "message to": that is nobody's name.
        let about = |words: &str| words.trim_start_matches("message to ").to_lowercase();
        all.retain(|(_, words)| about(words).contains(&searched));
        let known = all.iter().any(|(way, _)| matches!(way, Way::Person(number) if number == typed));
        if !typed.is_empty() && !known {
            all.push((Way::Person(dialled(typed)), format!("message to {}", dialled(typed))));
        }
        all
    }

    pub(super) fn key(&mut self, desk: &Desk, key: KeyEvent) -> Outcome {
        let ways = self.ways(desk);
        match key.code {
            KeyCode::Enter => match ways.into_iter().nth(self.chosen) {
                Some((way, _)) => self.go(desk, way),
                None => Outcome::Stays,
            },
            KeyCode::Up => {
                self.chosen = self.chosen.saturating_sub(1);
                Outcome::Stays
            }
            KeyCode::Down | KeyCode::Tab => {
                self.chosen = (self.chosen + 1).min(ways.len().saturating_sub(1));
                Outcome::Stays
            }
            _ => {
                let before = self.input.value().to_owned();
                edit_line(&mut self.input, key, MAX_NUMBER);
                if self.input.value() != before {
                    self.chosen = 0;
                }
                Outcome::Stays
            }
        }
    }

    fn go(&self, desk: &Desk, way: Way) -> Outcome {
        let there = desk.slot(&self.slot).filter(|s| s.holds_somebody()).and_then(|s| s.parked.as_ref());
        let text = desk.page_text(&self.slot).filter(|_| there.is_some_and(|p| p.parkee == self.seen));
        let Some(text) = text else {
            let place = desk.place(&self.slot);
            return Outcome::Refuses(format!("that caller has left {place}: nobody is told · esc closes"));
        };
        let (slot, seen) = (self.slot.clone(), self.seen.clone());
        match way {
            Way::Copy => Outcome::Copies(text),
            Way::Page(_) => Outcome::Says(vec![Command::Page { slot: Some(slot) }]),
            Way::Everybody(to) => Outcome::Says(vec![Command::Tell { slot, seen, to }]),
            Way::Person(to) => Outcome::Says(vec![Command::Tell { slot, seen, to: vec![to] }]),
        }
    }

    /// How high the window wants to be.
    pub(super) fn height(&self, desk: &Desk) -> u16 {
        let ways = u16::try_from(self.ways(desk).len()).unwrap_or(u16::MAX);
        SENTENCE_LINES.saturating_add(4).saturating_add(ways).max(9)
    }

    /// Where the list begins, inside the window.
    fn list(inside: Rect) -> Rect {
        let above = SENTENCE_LINES + 2;
        Rect { y: inside.y + above, height: inside.height.saturating_sub(above), ..inside }
    }

    fn first(&self, list: Rect) -> usize {
        self.chosen.saturating_sub(usize::from(list.height).max(1) - 1)
    }

    /// The row of the list at a position of the screen.
    pub(super) fn row_at(&self, area: Rect, position: Position) -> Option<usize> {
        let inside = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
        let list = Self::list(inside);
        let row = usize::from(position.y.checked_sub(list.y)?);
        list.contains(position).then_some(self.first(list) + row)
    }
}

/// The ways in words, in their order.
pub(super) fn ways_in_words(desk: &Desk, tell: &Tell) -> Vec<String> {
    tell.ways(desk).into_iter().map(|(_, words)| words).collect()
}

/// The window for whoever has it read out: the sentence, and the ways with the numbers by which they are chosen.
pub(super) fn read_out(desk: &Desk, tell: &Tell) -> Vec<String> {
    let sentence = desk.page_text(&tell.slot);
    let ways =
        ways_in_words(desk, tell).into_iter().enumerate().map(|(nth, words)| format!("{}: {words}", nth + 1));
    sentence.into_iter().chain(ways).collect()
}

/// Draws it.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, tell: &Tell, area: Rect) {
    let who = words::somebody(desk, &tell.seen);
    let inside = open(canvas, area, &format!("tell the team: {who} on {}", desk.place(&tell.slot)));
    let there = desk.slot(&tell.slot).and_then(|s| s.parked.as_ref()).is_some_and(|p| p.parkee == tell.seen);
    let text = desk.page_text(&tell.slot).filter(|_| there);
    let text = text.unwrap_or_else(|| "that caller has left: nobody would be told".to_owned());
    for (y, line) in (inside.y..inside.y + SENTENCE_LINES).zip(wrap(&text, inside.width)) {
        canvas.line(inside, y).say(&line, "slot.who");
    }
    let input = Rect { y: inside.y + SENTENCE_LINES, height: 1, ..inside };
    input_line(canvas, input, "to", &tell.input);
    let list = Tell::list(inside);
    let ways = tell.ways(desk);
    for (nth, y) in (tell.first(list)..ways.len()).zip(list.y..list.bottom()) {
        let line = Rect { y, height: 1, ..list };
        if nth == tell.chosen {
            let style = canvas.style("chosen");
            canvas.tint(line, style);
        }
        let Some((_, words)) = ways.get(nth) else { break };
        let mut pen = canvas.line(line, y);
        pen.say(if nth == tell.chosen { "▸ " } else { "  " }, "overlay.key");
        pen.say(words, "overlay");
    }
}
