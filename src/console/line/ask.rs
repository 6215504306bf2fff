//! Questions with one line of answer: whom to call, which slot, what note. They are the board's own prompts, with the
//! caller each was opened for; an empty line leaves things as they are.

use super::spoken::list;
use super::{Answered, LineConsole};
use crate::console::commands::Deed;
use crate::console::finder::Found;
use crate::console::overlay::{Asks, Overlay, Prompt};
use crate::console::{prompts, tell};
use crate::desk::{Availability, Desk, LineId};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// With which key the answer to the open question is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sends {
    /// Enter.
    Plainly,
    /// Tab: there is asked first.
    AskingFirst,
}

impl LineConsole {
    /// `ask`: the transfer's question, sent with the other key.
    pub(super) fn ask_first(&mut self, desk: &Desk, to: &str) -> Answered {
        let up = desk.hand().is_some_and(crate::desk::Call::is_up);
        if !up || desk.consulted_for().is_some() {
            return Answered::says("ask needs a caller in hand, and nobody else asked for that caller yet");
        }
        let commands = self.console.act(desk, Deed::Transfer);
        self.sends = Sends::AskingFirst;
        match (&self.console.overlay, to) {
            (None, _) => self.done(desk, commands),
            (Some(_), "") => Answered { said: self.question(desk), ..Answered::default() },
            (Some(_), to) => self.answer(desk, to),
        }
    }

    /// What the open question asks.
    pub(super) fn question(&self, desk: &Desk) -> Vec<String> {
        let leave = "an empty line leaves it";
        match &self.console.overlay {
            Some(Overlay::Prompt(prompt)) => {
                let mut said = vec![self.prompt_question(desk, prompt)];
                said.extend(listed(&prompt.finder.rows).filter(|_| prompt.finder.rows.len() > 1));
                said.push(leave.to_owned());
                said
            }
            Some(Overlay::Keypad(call)) => {
                let who = desk.call(*call).map(|call| desk.label(&call.party).to_owned()).unwrap_or_default();
                vec![format!("digits for {who}: 0 to 9, star, hash, A to D. {leave}")]
            }
            Some(Overlay::Tell(window)) => {
                tell::read_out(desk, window).into_iter().chain([leave.to_owned()]).collect()
            }
            Some(Overlay::Quit) => {
                vec![format!("{}. quit again leaves, an empty line stays", prompts::lost(desk))]
            }
            _ => Vec::new(),
        }
    }

    fn prompt_question(&self, desk: &Desk, prompt: &Prompt) -> String {
        let typed = prompt.input.value().trim();
        let title = prompts::title(desk, prompt);
        match &prompt.asks {
            Asks::CallNote(..) | Asks::SlotNote(..) if typed.is_empty() => {
                format!("{title}: what shall it say?")
            }
            Asks::CallNote(..) | Asks::SlotNote(..) => {
                format!("{title}. It says now: {typed}. A dash removes it")
            }
            Asks::Slot(_) => format!("{title} {}", prompts::free_slots(desk, prompt)),
            Asks::Nothing { why, .. } => (*why).to_owned(),
            Asks::Dial | Asks::Transfer(_) | Asks::Redirect(_) if typed.is_empty() => match self.sends {
                Sends::Plainly => format!("{title}: to whom? a number, address or name"),
                Sends::AskingFirst => format!("{title}: whom to ask first? a number, address or name"),
            },
            Asks::Dial | Asks::Transfer(_) | Asks::Redirect(_) => {
                format!("{title}: {}{}? yes does it", meant(prompt, typed), state(desk, prompt, typed))
            }
        }
    }

    /// A line while something is open.
    pub(super) fn answer(&mut self, desk: &Desk, line: &str) -> Answered {
        match &self.console.overlay {
            Some(Overlay::Quit) => {
                let leaves = matches!(line, "quit" | "q" | "yes" | "ctrl-c" | "qui" | "qu");
                if leaves { self.leave(desk) } else { self.leave_it(desk) }
            }
            _ if line.is_empty() => self.leave_it(desk),
            Some(Overlay::Prompt(_)) => self.answer_prompt(desk, line),
            Some(Overlay::Keypad(_)) => self.digits(desk, line),
            Some(Overlay::Tell(_)) => self.tell(desk, line),
            _ => {
                self.close(desk);
                self.command(desk, line)
            }
        }
    }

    fn leave_it(&mut self, desk: &Desk) -> Answered {
        self.press_key(desk, KeyCode::Esc);
        Answered::says("left as it was")
    }

    /// Leaving was asked for twice.
    fn leave(&mut self, desk: &Desk) -> Answered {
        // The question is open: the deed itself is the second word.
        let commands = self.console.act(desk, Deed::Quit);
        Answered { said: vec!["leaving".to_owned()], commands }
    }

    fn answer_prompt(&mut self, desk: &Desk, line: &str) -> Answered {
        let Some(Overlay::Prompt(prompt)) = &self.console.overlay else { return Answered::default() };
        let names = matches!(prompt.asks, Asks::Dial | Asks::Transfer(_) | Asks::Redirect(_));
        let note = matches!(prompt.asks, Asks::CallNote(..) | Asks::SlotNote(..));
        let there = !prompt.input.value().is_empty();
        let rows = prompt.finder.rows.len();
        let nth =
            line.parse::<usize>().ok().filter(|nth| names && rows > 1 && there && (1..=rows).contains(nth));
        if names && there && matches!(line, "yes" | "y") {
            return self.send(desk);
        }
        if let Some(nth) = nth {
            return self.send_row(desk, nth - 1);
        }
        self.console.key(desk, KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
        if !(note && line == "-") {
            self.console.paste(desk, line);
        }
        match &self.console.overlay {
            Some(Overlay::Prompt(prompt)) if names && is_doubtful(prompt) => {
                Answered { said: self.question(desk), ..Answered::default() }
            }
            _ => self.send(desk),
        }
    }

    /// Chooses a row of the people found and sends it.
    fn send_row(&mut self, desk: &Desk, row: usize) -> Answered {
        if let Some(Overlay::Prompt(prompt)) = &mut self.console.overlay {
            prompt.finder.chosen = Some(row);
        }
        self.send(desk)
    }

    /// Sends the open prompt, and says to whom.
    fn send(&mut self, desk: &Desk) -> Answered {
        let said = match &self.console.overlay {
            Some(Overlay::Prompt(prompt)) if prompt.finder.meant().is_some() => {
                let typed = prompt.input.value();
                Some(format!("to {}{}", meant(prompt, typed), state(desk, prompt, typed)))
            }
            _ => None,
        };
        let key = if self.sends == Sends::AskingFirst { KeyCode::Tab } else { KeyCode::Enter };
        let commands = self.press_key(desk, key);
        let refused = self.console.overlay.is_some() && commands.is_empty();
        let mut answered = self.done(desk, commands);
        match refused {
            // What was refused is not asked again by itself: the next line would be taken for an answer.
            true => self.close(desk),
            false => answered.said.extend(said),
        }
        answered
    }

    fn digits(&mut self, desk: &Desk, line: &str) -> Answered {
        let digits: Vec<char> = line.chars().filter(|c| !c.is_whitespace()).collect();
        let known = |c: &char| c.is_ascii_digit() || "*#ABCDabcd".contains(*c);
        if !digits.iter().all(known) || digits.len() > 64 {
            self.close(desk);
            return Answered::says(
                "only 0 to 9, star, hash and A to D can be sent, 64 at most: nothing was sent",
            );
        }
        let commands =
            digits.into_iter().flat_map(|digit| self.press_key(desk, KeyCode::Char(digit))).collect();
        let answered = self.done(desk, commands);
        self.close(desk);
        answered
    }

    fn tell(&mut self, desk: &Desk, line: &str) -> Answered {
        let Some(Overlay::Tell(window)) = &mut self.console.overlay else { return Answered::default() };
        let ways = tell::ways_in_words(desk, window);
        match line.parse::<usize>().ok().filter(|nth| (1..=ways.len()).contains(nth)) {
            Some(nth) => window.chosen = nth - 1,
            None => {
                self.console.key(desk, KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
                self.console.paste(desk, line);
                let Some(Overlay::Tell(window)) = &self.console.overlay else { return Answered::default() };
                if tell::ways_in_words(desk, window).len() > 1 {
                    return Answered { said: self.question(desk), ..Answered::default() };
                }
            }
        }
        self.send(desk)
    }
}

/// Whether several people could be meant by what was typed, so that somebody must say which.
fn is_doubtful(prompt: &Prompt) -> bool {
    let typed = prompt.input.value().trim().to_lowercase();
    let Some(chosen) = prompt.finder.meant() else { return false };
    let same = prompt.finder.rows.iter().filter(|row| row.name.to_lowercase() == typed).count();
    prompt.finder.rows.len() > 1 && !(same == 1 && chosen.name.to_lowercase() == typed)
}

/// The people found, with the numbers by which they are chosen.
fn listed(rows: &[Found]) -> Option<String> {
    let each = rows.iter().enumerate().map(|(nth, row)| {
        let about = if row.about.is_empty() { String::new() } else { format!(", {}", row.about) };
        format!("{}: {}{about}, {} {}", nth + 1, row.name, row.kind, row.number)
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| format!("type which: {}", list(&each, "or")))
}

/// Who would be called.
fn meant(prompt: &Prompt, typed: &str) -> String {
    match prompt.finder.meant() {
        Some(found) => format!("{}, {} {}", found.name, found.kind, found.number),
        None => prompt.finder.number(typed),
    }
}

/// What the phone of whoever is meant does, where that is watched.
fn state(desk: &Desk, prompt: &Prompt, typed: &str) -> String {
    let call = match prompt.asks {
        Asks::Transfer(call) | Asks::Redirect(call) => desk.call(call),
        _ => None,
    };
    let line = call.map_or_else(|| desk.line_out(), |call| call.line);
    match availability(desk, line, &prompt.finder.number(typed)) {
        Some(word) => format!(", {word}"),
        None => String::new(),
    }
}

fn availability(desk: &Desk, line: LineId, number: &str) -> Option<&'static str> {
    match desk.availability(line, number) {
        Availability::Unknown => None,
        known => Some(known.word()),
    }
}
