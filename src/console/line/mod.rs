//! Line mode: the board for screen readers, braille and pipes. A line typed is a command, a line written is an event; no
//! line is ever drawn again, and nothing that a terminal would obey is written.
//!
//! It decides nothing of its own: [`Console`] makes commands of deeds here as on the board, with the same questions bound
//! to the same callers.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `typed` | what a typed line means |
//! | `ask` | questions with one line of answer: whom to call, which slot, what note |
//! | `windows` | what the board shows in windows, read out |
//! | `news` | what is new, found by comparing desks |
//! | `remind` | who waits, told again ever more rarely |
//! | `who` | who is where, on request |
//! | `spoken` | numbers, waits and sentences in words |

mod ask;
mod news;
mod remind;
mod spoken;
#[cfg(test)]
mod tests;
mod typed;
mod who;
mod windows;

use super::commands::{Deed, row_of};
use super::ladder::LadderMessage;
use super::overlay::{Asks, Overlay};
use super::state::Console;
use crate::desk::{CallId, Command, Desk, History, Slot, Wish};
use crate::directory::Directory;
use ask::Sends;
use crossterm::event::{KeyCode, KeyEvent};
use jiff::tz::TimeZone;
use news::News;
use std::sync::Arc;
use std::time::Duration;
use typed::{Extra, Typed};

/// The longest line that is taken, in bytes; of a longer one the rest is left out.
pub const MAX_TYPED: usize = 4_096;
/// How many sentences `again` says.
const AGAIN: usize = 8;

/// The console in line mode.
#[derive(Clone, Debug)]
pub struct LineConsole {
    console: Console,
    news: News,
    /// How the open question is to be sent.
    sends: Sends,
    /// What was said last.
    said: Vec<String>,
}

/// What a typed line came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answered {
    /// To be said at once.
    pub said: Vec<String>,
    /// For the desk.
    pub commands: Vec<Command>,
}

impl Answered {
    fn says(text: impl Into<String>) -> Self {
        Self { said: vec![text.into()], commands: Vec::new() }
    }

    fn does(commands: Vec<Command>) -> Self {
        Self { said: Vec::new(), commands }
    }
}

impl LineConsole {
    /// Line mode with the keys of this console.
    pub fn new(console: Console) -> Self {
        Self { console, news: News::default(), sends: Sends::Plainly, said: Vec::new() }
    }

    /// Whom names are looked for in from now on.
    pub fn set_directory(&mut self, directory: Arc<Directory>) {
        self.console.set_directory(directory);
    }

    /// The newest calls.
    pub fn set_history(&mut self, history: Arc<History>) {
        self.console.set_history(history);
    }

    /// The wall clock in milliseconds since 1970, and whose hours are told.
    pub fn set_wall(&mut self, wall_ms: u64, zone: TimeZone) {
        self.console.set_wall(wall_ms, zone);
    }

    /// What the desktop is to be told, as on the board.
    pub fn notification(&mut self, desk: &Desk) -> Option<String> {
        self.console.notification(desk)
    }

    /// What is new on this desk, a sentence for each event, in the order in which they are to be written.
    pub fn hear(&mut self, desk: &Desk) -> Vec<String> {
        let mut said = self.news.hear(desk);
        let closed = self.console.overlay.is_none();
        self.console.heed_offer(desk);
        if closed && self.console.overlay.is_some() {
            said.extend(self.question(desk));
        }
        self.written(said, true)
    }

    /// How long nothing need be heard of if nothing happens.
    pub fn patience(&self, desk: &Desk) -> Duration {
        self.news.patience(desk)
    }

    /// A line was typed; `ladder` gives the messages of a call (else of all), should they be asked for.
    pub fn enter(
        &mut self,
        desk: &Desk,
        line: &str,
        ladder: impl FnOnce(Option<CallId>) -> Vec<LadderMessage>,
    ) -> Answered {
        let mut end = line.len().min(MAX_TYPED);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let line = line[..end].trim();
        let mut answered = match &self.console.overlay {
            Some(_) => self.answer(desk, line),
            None => self.command(desk, line),
        };
        if let Some(call) = self.console.ladder_wanted() {
            self.console.set_ladder(ladder(call));
            answered.said = self.ladder();
            self.close(desk);
        }
        Answered { said: self.written(answered.said, false), commands: answered.commands }
    }

    /// Sentences as they are written; what is an event is kept for `again`.
    fn written(&mut self, said: Vec<String>, keep: bool) -> Vec<String> {
        let said: Vec<String> =
            said.iter().map(|text| spoken::sentence(text)).filter(|text| !text.is_empty()).collect();
        if keep {
            self.said.extend(said.iter().cloned());
            let surplus = self.said.len().saturating_sub(AGAIN);
            self.said.drain(..surplus);
        }
        said
    }

    fn command(&mut self, desk: &Desk, line: &str) -> Answered {
        let is_slot = |word: &str| desk.slots.iter().any(|slot| slot.id.as_str() == word);
        match typed::read(&self.console.keymap, is_slot, line) {
            Typed::Unknown(why) => Answered::says(why),
            Typed::Slot(slot) => self.press(desk, &slot),
            Typed::Extra(Extra::Who, _) => Answered { said: who::who(desk), ..Answered::default() },
            Typed::Extra(Extra::Again, _) => match self.said.is_empty() {
                true => Answered::says("nothing was said yet"),
                false => Answered { said: self.said.clone(), ..Answered::default() },
            },
            Typed::Extra(Extra::Ask, to) => self.ask_first(desk, &to),
            Typed::Deed(deed, rest) => self.act(desk, deed, &rest),
        }
    }

    /// A command of the table, with what stood behind it.
    fn act(&mut self, desk: &Desk, deed: Deed, rest: &str) -> Answered {
        if let Some(answered) = self.act_on(desk, deed, rest) {
            return answered;
        }
        let commands = match (deed, rest) {
            (Deed::Park, slot) if !slot.is_empty() => self.console.act(desk, Deed::ParkOn),
            _ => self.console.act(desk, deed),
        };
        self.sends = Sends::Plainly;
        match &self.console.overlay {
            None => match self.done(desk, commands) {
                nothing if nothing == Answered::default() => Answered::says(nothing_now(deed)),
                answered => answered,
            },
            Some(_) => self.opened(desk, deed, rest),
        }
    }

    /// A command that is about a call named by its number.
    fn act_on(&mut self, desk: &Desk, deed: Deed, rest: &str) -> Option<Answered> {
        let wish = match deed {
            Deed::Enter => None,
            Deed::HangUp => Some(Wish::HangUp),
            Deed::Hold => Some(Wish::Hold),
            _ => return None,
        };
        let number = rest.strip_prefix("call").unwrap_or(rest).trim();
        if number.is_empty() {
            return None;
        }
        let call = number.parse().ok().map(CallId).and_then(|id| desk.call(id));
        let Some(call) = call else { return Some(Answered::says(format!("there is no call {number}"))) };
        let command = match wish {
            None => Command::Take(call.id),
            Some(wish) => Command::For { call: call.id, wish },
        };
        Some(Answered::does(vec![command]))
    }

    /// The key of the slot with this number.
    fn press(&mut self, desk: &Desk, number: &str) -> Answered {
        let named: Vec<&Slot> = desk.slots.iter().filter(|slot| slot.id.as_str() == number).collect();
        let line = desk.hand().filter(|hand| hand.is_up()).map(|hand| hand.line);
        let meant = named.iter().find(|slot| named.len() == 1 || line == Some(slot.line));
        match meant {
            Some(slot) => Answered::does(vec![Command::PressSlot(slot.key())]),
            None => self.act(desk, Deed::ParkOn, number),
        }
    }

    /// What the console says of its own after a deed.
    fn done(&mut self, desk: &Desk, commands: Vec<Command>) -> Answered {
        let copied = self.console.copy_request();
        let hint = self.console.take_hint();
        let said = match copied {
            // Nothing is put on a clipboard here: the sentence is read out instead.
            Some(text) => Some(format!("to pass on: {text}")),
            None => hint.map(|hint| hint.replace(" · esc closes", "")),
        };
        let chosen =
            self.console.cursor_index(desk).and_then(|i| desk.slots.get(i)).filter(|_| commands.is_empty());
        let chosen = chosen.map(|slot| self.chosen_slot(desk, slot));
        Answered { said: said.into_iter().chain(chosen).collect(), commands }
    }

    /// The slot that the arrow commands have come to.
    fn chosen_slot(&self, desk: &Desk, slot: &Slot) -> String {
        match slot.holds_somebody() {
            true => format!("chosen: {}", who::of_slot(desk, slot)),
            false => format!("chosen: {}, {}", desk.place(&slot.key()), super::words::lamp(desk, slot).word),
        }
    }

    /// Something lies over the board now: a question is put or answered, a window is read out.
    fn opened(&mut self, desk: &Desk, deed: Deed, rest: &str) -> Answered {
        match &self.console.overlay {
            Some(Overlay::Prompt(prompt)) => {
                if let Asks::Nothing { why, .. } = prompt.asks {
                    self.close(desk);
                    return Answered::says(why);
                }
                if rest.is_empty() {
                    return Answered { said: self.question(desk), ..Answered::default() };
                }
                self.answer(desk, rest)
            }
            Some(Overlay::Keypad(_) | Overlay::Tell(_)) if !rest.is_empty() => self.answer(desk, rest),
            Some(Overlay::Keypad(_) | Overlay::Tell(_) | Overlay::Quit) => {
                Answered { said: self.question(desk), ..Answered::default() }
            }
            // It is read out by whoever has the messages.
            Some(Overlay::Ladder(_)) => Answered::default(),
            _ => {
                let said = self.read_out(desk, deed, rest);
                self.close(desk);
                Answered { said, ..Answered::default() }
            }
        }
    }

    /// Closes what is open. A window of the board was only read out, so nothing has begun that would have to end.
    fn close(&mut self, desk: &Desk) {
        drop(self.console.close(desk));
    }

    /// A key for what is open.
    fn press_key(&mut self, desk: &Desk, code: KeyCode) -> Vec<Command> {
        self.console.key(desk, KeyEvent::from(code))
    }
}

/// Why a command does nothing now: silence would say that it did something.
fn nothing_now(deed: Deed) -> String {
    match row_of(deed).map(|row| row.when.words()).filter(|words| !words.is_empty()) {
        Some(words) => format!("nothing to do now. It needs: {words}"),
        None => "nothing to do now".to_owned(),
    }
}
