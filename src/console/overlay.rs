//! What lies over the board: prompts with one line of input, the keypad, help, palette and the question before
//! leaving. Each prompt is bound to the caller it was opened for: what was typed never reaches another one.

use super::commands::{CommandRow, Deed, command_table};
use super::finder::Finder;
use super::journal::JournalWindow;
use super::keymap::Keymap;
use super::ladder::LadderWindow;
use super::settings::SettingsWindow;
use super::tell::Tell;
use crate::desk::{Call, CallId, Command, Desk, History, Slot, SlotKey};
use crate::directory::Directory;
use crate::parking::{Identity, SlotId, Text};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};
use unicode_segmentation::UnicodeSegmentation;

/// The longest number or address that can be typed, in graphemes.
pub const MAX_NUMBER: usize = 64;
/// The longest search that can be typed, in graphemes.
pub const MAX_SEARCH: usize = 40;

/// What lies over the board.
#[derive(Clone, Debug)]
pub(super) enum Overlay {
    /// One line of input.
    Prompt(Prompt),
    /// Digits go into this call.
    Keypad(CallId),
    /// All keys.
    Help {
        /// What is looked for.
        search: Input,
        /// First line shown.
        first: usize,
    },
    /// All commands by name.
    Palette {
        /// What is looked for.
        search: Input,
        /// Which of the found ones is chosen.
        chosen: usize,
    },
    /// Who waits where, for others.
    Tell(Tell),
    /// How every account stands.
    Accounts {
        /// First line shown.
        first: usize,
    },
    /// The calls of these days.
    Journal(JournalWindow),
    /// What today was like.
    Report {
        /// Its lines.
        lines: Vec<String>,
        /// First line shown.
        first: usize,
    },
    /// Headset, ringer, theme, keys and the rest.
    Settings(SettingsWindow),
    /// How the call in hand sounds.
    Quality,
    /// The SIP messages of a call.
    Ladder(LadderWindow),
    /// "2 calls would be lost".
    Quit,
}

/// What a prompt asks for, and for whom.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asks {
    /// A number to dial.
    Dial,
    /// Where this call goes.
    Transfer(CallId),
    /// Where this ringing call goes.
    Redirect(CallId),
    /// Which slot; with the call in hand, if one was.
    Slot(Option<CallId>),
    /// The note of a call; who it was, should he be parked meanwhile.
    CallNote(CallId, Identity),
    /// Nothing, because nobody is there for whom it could be. It opens all the same and takes what is typed: on the
    /// board those digits and letters would be slot keys and commands.
    Nothing {
        /// What was wanted.
        title: &'static str,
        /// Why it can't be.
        why: &'static str,
    },
    /// The note of a parked call; who it was, should another one be there meanwhile.
    SlotNote(SlotKey, Identity),
}

/// A prompt.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    pub(super) asks: Asks,
    pub(super) input: Input,
    /// Whom a number to dial may be of.
    pub(super) finder: Finder,
}

/// What becomes of an overlay after a key.
pub(super) enum Outcome {
    /// It stays.
    Stays,
    /// It closes.
    Closes,
    /// It closes and this is said to the desk.
    Says(Vec<Command>),
    /// It stays, this is said to the desk.
    SaysAndStays(Vec<Command>),
    /// It stays and shows why.
    Refuses(String),
    /// It closes and this is done.
    Does(Deed),
    /// It closes and this is put on the clipboard.
    Copies(String),
}

/// An editing key as the input line understands it.
fn edit(key: KeyEvent) -> Option<InputRequest> {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('a') if ctrl => InputRequest::GoToStart,
        KeyCode::Char('e') if ctrl => InputRequest::GoToEnd,
        KeyCode::Char('u') if ctrl => InputRequest::DeleteLine,
        KeyCode::Char('w') if ctrl => InputRequest::DeletePrevWord,
        KeyCode::Char('k') if ctrl => InputRequest::DeleteTillEnd,
        KeyCode::Char(_) if ctrl || key.modifiers.contains(KeyModifiers::ALT) => return None,
        KeyCode::Char(c) => InputRequest::InsertChar(c),
        KeyCode::Backspace => InputRequest::DeletePrevChar,
        KeyCode::Delete => InputRequest::DeleteNextChar,
        KeyCode::Left if ctrl => InputRequest::GoToPrevWord,
        KeyCode::Right if ctrl => InputRequest::GoToNextWord,
        KeyCode::Left => InputRequest::GoToPrevChar,
        KeyCode::Right => InputRequest::GoToNextChar,
        KeyCode::Home => InputRequest::GoToStart,
        KeyCode::End => InputRequest::GoToEnd,
        _ => return None,
    })
}

/// Edits a line, unless that would make it longer than `most` graphemes or put in a character that can't be shown.
pub(super) fn edit_line(input: &mut Input, key: KeyEvent, most: usize) {
    let Some(request) = edit(key) else { return };
    if let InputRequest::InsertChar(c) = request {
        let shows = c == ' ' || !Text::new(c.encode_utf8(&mut [0; 4])).is_empty();
        if !shows || input.value().graphemes(true).count() >= most || input.value().len() >= Text::MAX_BYTES {
            return;
        }
    }
    input.handle(request);
}

/// Puts pasted text in at the cursor, scrubbed and cut to what there is room for.
fn paste_line(input: &mut Input, pasted: &str, most: usize) {
    let pasted = Text::new(pasted);
    let room = most.saturating_sub(input.value().graphemes(true).count());
    for grapheme in pasted.as_str().graphemes(true).take(room) {
        for c in grapheme.chars() {
            input.handle(InputRequest::InsertChar(c));
        }
    }
}

/// A typed number as it is dialled: when it is nothing but a number, without the marks that people write in it.
pub(super) fn dialled(typed: &str) -> String {
    let typed = typed.trim();
    let number = typed.chars().all(|c| c.is_ascii_digit() || "+*# ()-./".contains(c));
    if number { typed.chars().filter(|c| !" ()-./".contains(*c)).collect() } else { typed.to_owned() }
}

impl Prompt {
    pub(super) fn new(asks: Asks, value: &str) -> Self {
        Self { asks, input: Input::new(value.to_owned()), finder: Finder::default() }
    }

    /// Looks for whom a number may be of, where one is asked for.
    pub(super) fn find(&mut self, desk: &Desk, directory: &Directory, history: &History) {
        if matches!(self.asks, Asks::Dial | Asks::Transfer(_) | Asks::Redirect(_)) {
            self.finder.look(desk, directory, history, self.input.value());
        }
    }

    /// The most graphemes it takes.
    pub(super) fn most(&self) -> usize {
        match self.asks {
            Asks::Dial | Asks::Transfer(_) | Asks::Redirect(_) | Asks::Nothing { .. } => MAX_NUMBER,
            Asks::Slot(_) => SlotId::MAX_LEN,
            Asks::CallNote(..) | Asks::SlotNote(..) => Text::MAX_GRAPHEMES,
        }
    }

    /// The slot that was typed: of the caller's own lot, or the one that is meant where there is no caller. Two lots may
    /// have the same number: then the one where somebody is.
    ///
    /// # Errors
    /// Why it is none, in words.
    pub(super) fn slot(&self, desk: &Desk, call: Option<CallId>) -> Result<SlotKey, String> {
        let typed = self.input.value().trim();
        let Some(id) = SlotId::new(typed) else { return Err("a slot is a number such as 703".into()) };
        if let Some(call) = call.and_then(|call| desk.call(call)) {
            return Ok(SlotKey { line: call.line, id });
        }
        let named: Vec<&Slot> = desk.slots.iter().filter(|slot| slot.id == id).collect();
        let taken: Vec<&Slot> = named.iter().copied().filter(|slot| slot.holds_somebody()).collect();
        match (named.as_slice(), taken.as_slice()) {
            ([only], _) | (_, [only]) => Ok(only.key()),
            ([], _) => Err(format!("there is no slot {id}")),
            _ => Err(format!("{id} is in several lots: choose it there with tab and the arrow keys")),
        }
    }

    fn key(&mut self, desk: &Desk, key: KeyEvent) -> Outcome {
        match key.code {
            KeyCode::Enter => self.send(desk),
            KeyCode::Tab if matches!(self.asks, Asks::Transfer(_)) => self.consult(desk),
            KeyCode::Down | KeyCode::Up if !self.finder.rows.is_empty() => {
                self.finder.step(key.code == KeyCode::Down);
                Outcome::Stays
            }
            KeyCode::Tab if self.asks == Asks::Dial && desk.lines.len() > 1 => {
                Outcome::SaysAndStays(vec![Command::ChooseLine(None)])
            }
            _ => {
                let most = self.most();
                edit_line(&mut self.input, key, most);
                Outcome::Stays
            }
        }
    }

    /// Tab in a transfer: whoever is meant is asked first.
    fn consult(&self, desk: &Desk) -> Outcome {
        let typed = self.input.value().trim();
        match self.asks {
            Asks::Transfer(call) if desk.hand().is_none_or(|hand| hand.id != call) => gone(),
            _ if typed.is_empty() => Outcome::Refuses("whom to ask? type a number or a name".into()),
            _ => Outcome::Says(vec![Command::Consult { to: self.finder.number(typed) }]),
        }
    }

    /// Enter was pressed.
    fn send(&self, desk: &Desk) -> Outcome {
        let typed = self.input.value().trim();
        let still = |call: CallId| desk.hand().is_some_and(|hand| hand.id == call);
        match &self.asks {
            Asks::CallNote(call, party) => Self::send_call_note(desk, *call, party, typed),
            Asks::SlotNote(slot, party) => Self::send_slot_note(desk, slot, party, typed),
            _ if typed.is_empty() => Outcome::Closes,
            Asks::Nothing { why, .. } => Outcome::Refuses(format!("{why}: nothing was sent · esc closes")),
            Asks::Dial => Outcome::Says(vec![Command::Dial(self.finder.number(typed))]),
            Asks::Transfer(call) if still(*call) => {
                Outcome::Says(vec![Command::Transfer { to: self.finder.number(typed) }])
            }
            Asks::Redirect(call) => {
                let to = self.finder.number(typed);
                Outcome::Says(vec![Command::Redirect { call: *call, to }])
            }
            Asks::Slot(Some(call)) if !still(*call) => gone(),
            Asks::Transfer(_) => gone(),
            Asks::Slot(call) => match (self.slot(desk, *call), call) {
                (Ok(slot), Some(_)) => Outcome::Says(vec![Command::Park { slot: Some(slot) }]),
                (Ok(slot), None) => Outcome::Says(vec![Command::PressSlot(slot)]),
                (Err(why), _) => Outcome::Refuses(why),
            },
        }
    }

    /// The note follows the caller: if he was parked while it was typed, it goes to his slot.
    fn send_call_note(desk: &Desk, call: CallId, party: &Identity, typed: &str) -> Outcome {
        let text = typed.to_owned();
        if desk.call(call).is_some() {
            return Outcome::Says(vec![Command::NoteCall { call, text }]);
        }
        let his = |p: &crate::desk::ParkedCall| p.ours && p.parkee == *party && !party.is_withheld();
        let mut slots = desk.slots.iter().filter(|s| s.parked.as_ref().is_some_and(his));
        match (slots.next(), slots.next()) {
            (Some(slot), None) => Outcome::Says(vec![Command::NoteSlot { slot: slot.key(), text }]),
            _ => {
                Outcome::Refuses("that call has ended: the note has nobody to stay with · esc closes".into())
            }
        }
    }

    fn send_slot_note(desk: &Desk, slot: &SlotKey, party: &Identity, typed: &str) -> Outcome {
        let text = typed.to_owned();
        let now_there = desk.slot(slot).and_then(|s| s.parked.as_ref());
        if now_there.is_some_and(|p| p.parkee == *party) {
            return Outcome::Says(vec![Command::NoteSlot { slot: slot.clone(), text }]);
        }
        let back = |c: &&Call| {
            let from = |b: &crate::desk::Comeback| c.line == slot.line && b.slot.as_ref() == Some(&slot.id);
            c.party == *party && c.comeback.as_ref().is_some_and(from)
        };
        match desk.calls.iter().find(back) {
            Some(call) => Outcome::Says(vec![Command::NoteCall { call: call.id, text }]),
            None => Outcome::Refuses(format!(
                "that caller has left {}: the note was not written · esc closes",
                desk.place(slot)
            )),
        }
    }
}

fn gone() -> Outcome {
    Outcome::Refuses("the call in hand is another one now: nothing was sent · esc closes".into())
}

impl Overlay {
    /// A key while this is open. `escape` is whether the key is one that closes.
    pub(super) fn key(&mut self, desk: &Desk, keymap: &Keymap, key: KeyEvent, repeated: bool) -> Outcome {
        if key.code == KeyCode::Esc {
            return Outcome::Closes;
        }
        if repeated && key.code == KeyCode::Enter {
            return Outcome::Stays;
        }
        match self {
            Self::Prompt(prompt) => prompt.key(desk, key),
            Self::Keypad(call) => keypad(desk, *call, key, repeated),
            Self::Help { search, first } => {
                help_key(search, first, help_rows(keymap, "").len(), key);
                Outcome::Stays
            }
            Self::Palette { search, chosen } => palette_key(search, chosen, key),
            Self::Tell(tell) => tell.key(desk, key),
            Self::Accounts { first } => accounts_key(desk, first, key),
            Self::Report { lines, first } => {
                report_key(first, lines.len(), key);
                Outcome::Stays
            }
            // Their keys need more than the desk: see `Console::key`.
            Self::Journal(_) | Self::Settings(_) => Outcome::Stays,
            Self::Ladder(window) => window.key(key),
            Self::Quality | Self::Quit => Outcome::Closes,
        }
    }

    /// Pasted text while this is open.
    pub(super) fn paste(&mut self, pasted: &str) {
        match self {
            Self::Prompt(prompt) => {
                let most = prompt.most();
                paste_line(&mut prompt.input, pasted, most);
            }
            Self::Help { search, .. } | Self::Palette { search, .. } => {
                paste_line(search, pasted, MAX_SEARCH)
            }
            Self::Tell(tell) => paste_line(&mut tell.input, pasted, MAX_NUMBER),
            Self::Journal(journal) => paste_line(&mut journal.search, pasted, MAX_SEARCH),
            Self::Keypad(_)
            | Self::Accounts { .. }
            | Self::Report { .. }
            | Self::Settings(_)
            | Self::Quality
            | Self::Ladder(_)
            | Self::Quit => {}
        }
    }
}

fn keypad(desk: &Desk, call: CallId, key: KeyEvent, repeated: bool) -> Outcome {
    if desk.hand().is_none_or(|hand| hand.id != call) {
        return gone();
    }
    match key.code {
        KeyCode::Enter => Outcome::Closes,
        KeyCode::Char(digit @ ('0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d')) if !repeated => {
            Outcome::SaysAndStays(vec![Command::SendDigit(digit.to_ascii_uppercase())])
        }
        KeyCode::Char(_) if !repeated => Outcome::Refuses("only 0-9 * # A-D can be sent into a call".into()),
        _ => Outcome::Stays,
    }
}

/// In the accounts' window; its last page is found when it is drawn.
fn accounts_key(desk: &Desk, first: &mut usize, key: KeyEvent) -> Outcome {
    let most = desk.lines.len() * super::accounts::LINES_EACH;
    match key.code {
        KeyCode::Enter => return Outcome::Closes,
        KeyCode::Up => *first = first.saturating_sub(1),
        KeyCode::Down => *first = (*first + 1).min(most),
        KeyCode::PageUp => *first = first.saturating_sub(super::accounts::LINES_EACH),
        KeyCode::PageDown => *first = (*first + super::accounts::LINES_EACH).min(most),
        KeyCode::Tab | KeyCode::Char('a') => return Outcome::SaysAndStays(vec![Command::ChooseLine(None)]),
        _ => {}
    }
    Outcome::Stays
}

fn report_key(first: &mut usize, most: usize, key: KeyEvent) {
    match key.code {
        KeyCode::Up => *first = first.saturating_sub(1),
        KeyCode::Down => *first = (*first + 1).min(most.saturating_sub(1)),
        _ => {}
    }
}

fn help_key(search: &mut Input, first: &mut usize, most: usize, key: KeyEvent) {
    let down = |first: usize, by: usize| (first + by).min(most.saturating_sub(1));
    match key.code {
        KeyCode::Up => *first = first.saturating_sub(1),
        KeyCode::Down => *first = down(*first, 1),
        KeyCode::PageUp => *first = first.saturating_sub(10),
        KeyCode::PageDown => *first = down(*first, 10),
        _ => {
            let before = search.value().to_owned();
            edit_line(search, key, MAX_SEARCH);
            if search.value() != before {
                *first = 0;
            }
        }
    }
}

fn palette_key(search: &mut Input, chosen: &mut usize, key: KeyEvent) -> Outcome {
    let found = palette_rows(search.value());
    match key.code {
        KeyCode::Enter => {
            return match found.get(*chosen) {
                Some(row) => Outcome::Does(row.deed),
                None => Outcome::Refuses("no such command: esc closes".into()),
            };
        }
        KeyCode::Up => *chosen = chosen.saturating_sub(1),
        KeyCode::Down | KeyCode::Tab => *chosen = (*chosen + 1).min(found.len().saturating_sub(1)),
        _ => {
            edit_line(search, key, MAX_SEARCH);
            *chosen = (*chosen).min(palette_rows(search.value()).len().saturating_sub(1));
        }
    }
    Outcome::Stays
}

/// The commands whose name or description has every typed word; names that begin with it first.
pub(super) fn palette_rows(search: &str) -> Vec<&'static CommandRow> {
    let search = search.to_lowercase();
    let words: Vec<&str> = search.split_whitespace().collect();
    let found = |row: &&CommandRow| words.iter().all(|w| row.name.contains(w) || row.about.contains(w));
    let mut rows: Vec<_> = command_table().iter().filter(|r| r.deed != Deed::Close).filter(found).collect();
    let first = words.first().copied().unwrap_or("");
    let is_slot = |row: &CommandRow| matches!(row.deed, Deed::Slot(_) | Deed::Colleague(_));
    rows.sort_by_key(|row| (!row.name.starts_with(first), !row.name.contains(first), is_slot(row)));
    rows
}

/// One line of the help.
pub(super) struct HelpRow {
    pub(super) name: &'static str,
    pub(super) keys: String,
    pub(super) about: &'static str,
    pub(super) when: &'static str,
}

/// The lines of the help that have every typed word. The slot keys are one line.
pub(super) fn help_rows(keymap: &Keymap, search: &str) -> Vec<HelpRow> {
    let search = search.to_lowercase();
    let of_all = |is: fn(Deed) -> bool| {
        let alike = command_table().iter().filter(|row| is(row.deed));
        alike.filter_map(|row| keymap.key_of(row.deed)).collect::<Vec<_>>().join(" ")
    };
    let mut rows = Vec::new();
    for row in command_table() {
        let keys = match row.deed {
            Deed::Slot(0) => of_all(|deed| matches!(deed, Deed::Slot(_))),
            Deed::Colleague(0) => of_all(|deed| matches!(deed, Deed::Colleague(_))),
            Deed::Slot(_) | Deed::Colleague(_) => continue,
            deed => keymap.keys_of(deed),
        };
        let all = format!("{} {} {} {}", row.name, keys.to_lowercase(), row.about, row.when.words());
        if search.split_whitespace().all(|word| all.contains(word)) {
            rows.push(HelpRow { name: row.name, keys, about: row.about, when: row.when.words() });
        }
    }
    rows
}
