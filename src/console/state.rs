//! The console's own state: where the cursor is, what is open, what was typed. Keys become the desk's commands here.

mod cursor;

use super::commands::{Deed, row_of};
use super::journal::JournalWindow;
use super::keymap::Keymap;
use super::keys::Chord;
use super::ladder::{LadderMessage, LadderWindow};
use super::layout::SMALLEST;
use super::overlay::{Asks, Outcome, Overlay, Prompt};
use super::settings::{Kept, SettingsWindow};
use super::tell::Tell;
use super::theme::THEMES;
use super::tour::Tour;
use crate::desk::{
    CallId, CallRecord, Command, Desk, History, Phase, Process, ShiftReport, Slot, SlotKey, SoundWish,
    StaffLamp,
};
use crate::directory::Directory;
use crate::parking::{Moment, Text};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::layout::Rect;
use std::sync::Arc;
use std::time::Duration;
use tui_input::Input;

/// A second press of the same key within this time is a slip, or a key held down: it must not act on the next caller.
const SLIP: Duration = Duration::from_millis(700);
/// Faster than this, the same key is a key held down on a terminal that doesn't say so: hold and mute would flutter.
const FLUTTER: Duration = Duration::from_millis(150);
/// The slots keep the arrow and enter keys for this long after the last one; then enter answers calls again.
const FOCUS_LASTS: Duration = Duration::from_secs(15);
/// How old a number offered from outside may be to be shown.
const OFFER_LASTS: Duration = Duration::from_secs(60);
/// Rows of the journal whose people a recording is told of.
const PEOPLE_SHOWN: usize = 200;
/// How long a hint of the console's own is shown.
const HINT_LASTS: Duration = Duration::from_secs(5);

/// Which panel the arrow keys move in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Focus {
    #[default]
    Calls,
    Slots,
}

/// View state: cursor, overlay, typed text and hints. It decides nothing about calls.
///
/// The caller brings the desk to the present (`Event::Ticked`) before it hands over a key: slips are told from second
/// wishes by `Desk::now`.
#[derive(Clone, Debug)]
pub struct Console {
    pub(super) keymap: Keymap,
    focus: Focus,
    focused_at: Moment,
    cursor: Option<SlotKey>,
    pub(super) overlay: Option<Overlay>,
    pub(super) hint: Option<(String, Moment)>,
    last: Option<(Chord, Moment)>,
    /// Who waits on hold and was about to be hung up on, and when that was asked.
    hang_up_asked: Option<(CallId, Moment)>,
    clock: Text,
    copy: Option<String>,
    area: Rect,
    directory: Arc<Directory>,
    history: Arc<History>,
    /// Up to when missed calls were looked at.
    journal_seen_ms: u64,
    /// The last number offered from outside that was shown.
    offer_seen: u64,
    /// The last ringing call that was told to the desktop.
    rung: CallId,
    wall_ms: u64,
    zone: TimeZone,
    pub(super) kept: Kept,
    pub(super) tour: Option<Tour>,
}

impl Console {
    /// A console with these keys.
    pub fn new(keymap: Keymap) -> Self {
        Self {
            keymap,
            focus: Focus::default(),
            focused_at: Moment::ZERO,
            cursor: None,
            overlay: None,
            hint: None,
            last: None,
            hang_up_asked: None,
            clock: Text::default(),
            copy: None,
            area: Rect::new(0, 0, SMALLEST.0, SMALLEST.1),
            directory: Arc::default(),
            history: Arc::default(),
            journal_seen_ms: 0,
            offer_seen: 0,
            rung: CallId(0),
            wall_ms: 0,
            zone: TimeZone::UTC,
            kept: Kept { themes: THEMES.iter().map(|name| (*name).to_owned()).collect(), ..Kept::default() },
            tour: None,
        }
    }

    /// The time of day for the top line, as it is to be read; empty shows none.
    pub fn set_clock(&mut self, clock: &str) {
        self.clock = Text::new(clock);
    }

    /// Whom names are looked for in from now on.
    pub fn set_directory(&mut self, directory: Arc<Directory>) {
        self.directory = directory;
    }

    /// Shows a number that was offered from outside, when nothing else is open. Nobody is called before `enter`.
    pub fn heed_offer(&mut self, desk: &Desk) {
        if desk.offer.nth == self.offer_seen || self.overlay.is_some() {
            return;
        }
        self.offer_seen = desk.offer.nth;
        let fresh = desk.now.saturating_sub(desk.offer.at) < OFFER_LASTS;
        if fresh && !desk.offer.to.is_empty() {
            self.ask(Asks::Dial, desk.offer.to.as_str());
            self.find(desk);
        }
    }

    /// What the desktop is to be told: who began to ring since it was asked last.
    pub fn notification(&mut self, desk: &Desk) -> Option<String> {
        let newest =
            desk.calls.iter().filter(|call| call.phase == Phase::Ringing).max_by_key(|call| call.id)?;
        if newest.id <= self.rung {
            return None;
        }
        self.rung = newest.id;
        Some(format!("{} {}", desk.label(&newest.party), newest.party.number).trim().to_owned())
    }

    /// The newest calls, for the journal's window and for type-ahead.
    pub fn set_history(&mut self, history: Arc<History>) {
        self.history = history;
        if let Some(Overlay::Journal(window)) = &mut self.overlay {
            window.look(&self.history);
        }
    }

    /// The wall clock in milliseconds since 1970, and whose hours are shown.
    pub fn set_wall(&mut self, wall_ms: u64, zone: TimeZone) {
        (self.wall_ms, self.zone) = (wall_ms, zone);
    }

    /// Calls that nobody answered since the journal was looked at.
    pub(super) fn missed(&self) -> usize {
        self.history.missed_since(self.journal_seen_ms)
    }

    /// The wall clock and whose hours are shown.
    pub(super) fn wall(&self) -> (u64, &TimeZone) {
        (self.wall_ms, &self.zone)
    }

    fn open_report(&mut self) {
        let zoned = |ms: u64| {
            let stamp = Timestamp::from_millisecond(i64::try_from(ms).unwrap_or(0));
            stamp.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.zone.clone())
        };
        let midnight = zoned(self.wall_ms).start_of_day().map_or(0, |day| day.timestamp().as_millisecond());
        let midnight = u64::try_from(midnight).unwrap_or(0);
        let calls = self.history.calls.iter().map(AsRef::as_ref);
        let parks = self.history.parks.iter().map(AsRef::as_ref);
        let hour = |ms: u64| u8::try_from(zoned(ms).hour()).unwrap_or(0);
        let shift = ShiftReport::of(calls, parks, (midnight, self.wall_ms.saturating_add(1)), hour);
        self.overlay = Some(Overlay::Report { lines: shift.lines(), first: 0 });
    }

    /// The screen's size, at the start and whenever it changes: the arrow keys move by what is shown.
    pub fn set_area(&mut self, area: Rect) {
        self.area = area;
    }

    /// Shows a short line of the console's own for some seconds, for example that something was copied.
    pub fn show_hint(&mut self, now: Moment, hint: &str) {
        self.hint = Some((Text::new(hint).as_str().to_owned(), now));
    }

    /// Names, numbers and notes that only the open window shows: for a recording that says who is on its screens.
    pub fn people_shown(&self) -> Vec<String> {
        let of_record = |call: &Arc<CallRecord>| {
            let texts = [call.label(), call.party.number.as_str(), call.note.as_str(), call.detail.as_str()];
            texts.map(str::to_owned)
        };
        match &self.overlay {
            Some(Overlay::Prompt(prompt)) => {
                let found = prompt.finder.rows.iter();
                let found = found.flat_map(|row| [row.name.clone(), row.number.clone(), row.about.clone()]);
                found.chain([prompt.input.value().to_owned()]).collect()
            }
            Some(Overlay::Journal(window)) => {
                let rows = window.rows().iter().take(PEOPLE_SHOWN).flat_map(of_record);
                rows.chain([window.search.value().to_owned()]).collect()
            }
            Some(Overlay::Tell(tell)) => vec![tell.input.value().to_owned()],
            // Those of its lines that name somebody.
            Some(Overlay::Ladder(window)) => {
                let lines = window.messages().iter().flat_map(|message| &message.lines);
                lines.filter(|line| line.contains("sip:") || line.contains("tel:")).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whose messages the open ladder shows (`None` inside: everybody's); `None`: none is open.
    pub fn ladder_wanted(&self) -> Option<Option<CallId>> {
        match &self.overlay {
            Some(Overlay::Ladder(window)) => Some(window.call),
            _ => None,
        }
    }

    /// The messages for the open ladder, redacted.
    pub fn set_ladder(&mut self, messages: Vec<LadderMessage>) {
        if let Some(Overlay::Ladder(window)) = &mut self.overlay {
            window.take(messages);
        }
    }

    /// The hint that was set last, once: where no hint is drawn it is said.
    pub(super) fn take_hint(&mut self) -> Option<String> {
        self.hint.take().map(|(hint, _)| hint)
    }

    /// The newest calls.
    pub(super) fn history(&self) -> Arc<History> {
        Arc::clone(&self.history)
    }

    /// Text that the operator wants on the clipboard (OSC 52); each is given once.
    pub fn copy_request(&mut self) -> Option<String> {
        self.copy.take()
    }

    /// What a key means now. Releases mean nothing; repeats of a key held down only move about and edit text.
    pub fn key(&mut self, desk: &Desk, key: KeyEvent) -> Vec<Command> {
        if key.kind == KeyEventKind::Release {
            return Vec::new();
        }
        let chord = Chord::of(key);
        let held_down = key.kind == KeyEventKind::Repeat;
        let slip = held_down || self.is_slip(desk.now, chord, SLIP);
        let flutters = held_down || self.is_slip(desk.now, chord, FLUTTER);
        self.last = Some((chord, desk.now));
        let deed = self.keymap.deed(key);
        if deed == Some(Deed::Quit) && matches!(self.overlay, None | Some(Overlay::Quit)) {
            return if slip { Vec::new() } else { self.quit(desk) };
        }
        if matches!(self.overlay, Some(Overlay::Settings(_))) {
            return self.settings_key(desk, key, held_down);
        }
        if let Some(overlay) = &mut self.overlay {
            let interrupted = Chord::read("ctrl-c") == Some(chord);
            let key = if interrupted { KeyCode::Esc.into() } else { key };
            let outcome = match overlay {
                Overlay::Journal(window) if key.code != KeyCode::Esc => {
                    if held_down && key.code == KeyCode::Enter {
                        Outcome::Stays
                    } else {
                        window.key(&self.history, key)
                    }
                }
                overlay => overlay.key(desk, &self.keymap, key, held_down),
            };
            let commands = self.settle(desk, outcome);
            self.find(desk);
            return commands;
        }
        let Some(row) = deed.and_then(row_of) else {
            self.unbound(desk, chord);
            return Vec::new();
        };
        if (flutters && !row.repeats) || (slip && row.once) {
            return Vec::new();
        }
        self.hint = None;
        self.act(desk, row.deed)
    }

    /// Pasted text goes into the line that is open, scrubbed; else nowhere.
    pub fn paste(&mut self, desk: &Desk, pasted: &str) {
        if let Some(overlay) = &mut self.overlay {
            overlay.paste(pasted);
        }
        self.find(desk);
    }

    /// Looks for whom the open prompt may mean.
    fn find(&mut self, desk: &Desk) {
        if let Some(Overlay::Prompt(prompt)) = &mut self.overlay {
            prompt.find(desk, &self.directory, &self.history);
        }
    }

    fn is_slip(&self, now: Moment, chord: Chord, within: Duration) -> bool {
        self.last.is_some_and(|(last, at)| last == chord && now.saturating_sub(at) < within)
    }

    /// Takes note of a click like of a key, for the slips.
    pub(super) fn click_slips(&mut self, now: Moment) -> bool {
        let Some(click) = Chord::read("alt-f24") else { return false };
        let slip = self.is_slip(now, click, SLIP);
        self.last = Some((click, now));
        slip
    }

    fn unbound(&mut self, desk: &Desk, chord: Chord) {
        let help = self.keymap.key_of(Deed::Help).unwrap_or_else(|| ":".into());
        self.show_hint(desk.now, &format!("“{chord}” does nothing here · {help} shows all keys"));
    }

    fn settle(&mut self, desk: &Desk, outcome: Outcome) -> Vec<Command> {
        match outcome {
            Outcome::Stays => Vec::new(),
            Outcome::Closes => {
                self.overlay = None;
                self.hint = None;
                Vec::new()
            }
            Outcome::Says(commands) => {
                self.overlay = None;
                self.hint = None;
                commands
            }
            Outcome::SaysAndStays(commands) => commands,
            Outcome::Refuses(why) => {
                self.show_hint(desk.now, &why);
                Vec::new()
            }
            Outcome::Copies(text) => {
                self.overlay = None;
                self.copy_text(desk, text);
                Vec::new()
            }
            Outcome::Does(deed) => {
                self.overlay = None;
                self.hint = None;
                self.act(desk, deed)
            }
        }
    }

    /// Does what a command means at this moment.
    pub(super) fn act(&mut self, desk: &Desk, deed: Deed) -> Vec<Command> {
        match deed {
            Deed::Enter => self.enter(desk),
            Deed::HangUp => self.hang_up(desk),
            Deed::Hold => vec![Command::Hold],
            Deed::Mute => vec![Command::Mute],
            Deed::Park => vec![self.cursor_lot(desk).map_or(Command::Park { slot: None }, Command::ParkIn)],
            Deed::Slot(nth) => self.press_nth(desk, nth),
            Deed::Colleague(nth) => self.press_colleague(desk, nth.into()),
            Deed::RetrieveLongest => {
                vec![self.cursor_lot(desk).map_or(Command::RetrieveLongest, Command::RetrieveLongestIn)]
            }
            Deed::Undo => vec![Command::Undo],
            Deed::Voicemail => vec![Command::CallVoicemail],
            Deed::TransferToNamed => vec![Command::TransferToNamed],
            Deed::Transfer if desk.consulted_for().is_some() => vec![Command::Join],
            Deed::Join => vec![Command::Join],
            Deed::Swap => vec![Command::Swap],
            Deed::ToVoicemail => vec![Command::ToVoicemail],
            Deed::DoNotDisturb => vec![Command::DoNotDisturb(None)],
            Deed::Night => vec![Command::Night(None)],
            Deed::Page => vec![Command::Page {
                slot: self.chosen_slot(desk).filter(|s| s.holds_somebody()).map(Slot::key),
            }],
            Deed::Record => vec![Command::Sound(SoundWish::Record)],
            Deed::Conference => vec![Command::Sound(SoundWish::Conference)],
            Deed::TakeDevice => vec![Command::Sound(SoundWish::TakeDevice)],
            Deed::Echo => vec![switch(Process::Echo)],
            Deed::Noise => vec![switch(Process::Noise)],
            Deed::Gain => vec![switch(Process::Gain)],
            Deed::NextAccount => vec![Command::ChooseLine(None)],
            Deed::NextLot => vec![Command::ChooseLot(None)],
            Deed::Down | Deed::Up | Deed::Left | Deed::Right => self.step(desk, deed),
            Deed::Quit => self.quit(desk),
            Deed::Settings => {
                self.kept.themes_wanted = true;
                self.kept.recent.clear();
                self.overlay = Some(Overlay::Settings(SettingsWindow::default()));
                SettingsWindow::opening(desk)
            }
            _ => {
                self.open(desk, deed);
                Vec::new()
            }
        }
    }

    /// Hangs up. Whoever waits on hold hears nothing of it coming: that is asked first.
    fn hang_up(&mut self, desk: &Desk) -> Vec<Command> {
        let waits = desk.hand().filter(|call| matches!(call.phase, Phase::Held | Phase::Holding));
        let asked = self.hang_up_asked.take();
        match waits {
            Some(call)
                if asked
                    .is_none_or(|(of, at)| of != call.id || desk.now.saturating_sub(at) >= HINT_LASTS) =>
            {
                self.hang_up_asked = Some((call.id, desk.now));
                let key = self.keymap.key_of(Deed::HangUp).unwrap_or_default();
                let text = format!("{} waits on hold: {key} again hangs up", desk.label(&call.party));
                self.show_hint(desk.now, &text);
                Vec::new()
            }
            _ => vec![Command::HangUp],
        }
    }

    /// The deeds that say nothing to the desk yet.
    fn open(&mut self, desk: &Desk, deed: Deed) {
        let up = desk.hand().filter(|c| c.is_up()).map(|c| c.id);
        match deed {
            Deed::Dial => self.ask(Asks::Dial, ""),
            Deed::ParkOn => self.ask(Asks::Slot(up), ""),
            Deed::Transfer => match up {
                Some(call) => self.ask(Asks::Transfer(call), ""),
                None if desk.hand().is_some_and(|call| call.phase == Phase::Ringing) => {
                    let call = desk.hand().map(|call| call.id).unwrap_or(CallId(0));
                    self.ask(Asks::Redirect(call), "");
                }
                None => self.ask_nothing("transfer", "no call in hand to transfer"),
            },
            Deed::Keypad => match desk.hand().filter(|c| c.is_audible()) {
                Some(call) => self.overlay = Some(Overlay::Keypad(call.id)),
                None => self.ask_nothing("keys", "no call in hand to send digits to"),
            },
            Deed::Note => self.open_note(desk),
            Deed::OtherPanel if self.slots_chosen(desk) || desk.slots.is_empty() => self.focus = Focus::Calls,
            Deed::OtherPanel => self.move_cursor(desk, 0),
            Deed::Copy => self.copy_slot(desk),
            Deed::Tell => self.open_tell(desk),
            Deed::Quality => self.overlay = Some(Overlay::Quality),
            Deed::Ladder => self.overlay = Some(Overlay::Ladder(LadderWindow::new(desk))),
            Deed::Accounts => self.overlay = Some(Overlay::Accounts { first: 0 }),
            Deed::Journal => {
                self.journal_seen_ms = self.wall_ms;
                self.overlay = Some(Overlay::Journal(JournalWindow::new(&self.history)));
            }
            Deed::Report => self.open_report(),
            Deed::Tour => match self.tour.take() {
                Some(_) => self.show_hint(desk.now, "the tour is over"),
                None => self.begin_tour(),
            },
            Deed::Help => self.overlay = Some(Overlay::Help { search: Input::default(), first: 0 }),
            Deed::Palette => self.overlay = Some(Overlay::Palette { search: Input::default(), chosen: 0 }),
            _ => self.focus = Focus::Calls,
        }
    }

    /// A colleague's key: hands the call in hand over to him, or picks up what rings at his phone, or calls him. What moves
    /// a caller or calls somebody is asked first, in the line that `t` or `d` opens.
    pub(super) fn press_colleague(&mut self, desk: &Desk, nth: usize) -> Vec<Command> {
        let Some(one) = desk.staff.get(nth) else { return Vec::new() };
        let number = one.who.number.clone();
        match desk.hand().filter(|call| call.is_up()) {
            Some(call) if call.line == one.line => self.ask(Asks::Transfer(call.id), number.as_str()),
            Some(_) => self.ask_nothing("transfer", "he is at another server than the call in hand"),
            None if one.lamp == StaffLamp::Ringing => {
                return vec![Command::PickUp { line: one.line, number }];
            }
            None => self.ask(Asks::Dial, number.as_str()),
        }
        Vec::new()
    }

    fn ask(&mut self, asks: Asks, value: &str) {
        self.overlay = Some(Overlay::Prompt(Prompt::new(asks, value)));
    }

    fn ask_nothing(&mut self, title: &'static str, why: &'static str) {
        self.ask(Asks::Nothing { title, why }, "");
    }

    fn enter(&mut self, desk: &Desk) -> Vec<Command> {
        if let Some(slot) = self.cursor_index(desk).and_then(|i| desk.slots.get(i)) {
            self.focus = Focus::Calls;
            return vec![Command::PressSlot(slot.key())];
        }
        match desk.hand() {
            Some(hand) if hand.phase == Phase::Ringing => vec![Command::Take(hand.id)],
            _ => vec![Command::Answer],
        }
    }

    fn press_nth(&mut self, desk: &Desk, nth: u8) -> Vec<Command> {
        match desk.slots.get(usize::from(nth)) {
            Some(slot) => vec![Command::PressSlot(slot.key())],
            None => {
                self.show_hint(desk.now, &format!("there is no slot number {}", nth + 1));
                Vec::new()
            }
        }
    }

    fn open_note(&mut self, desk: &Desk) {
        let slot = match (self.chosen_slot(desk), desk.hand()) {
            (Some(slot), _) => Some(slot),
            (None, Some(hand)) => {
                return self.ask(Asks::CallNote(hand.id, hand.party.clone()), hand.note.as_str());
            }
            (None, None) => desk.longest_parked(),
        };
        match slot.and_then(|s| s.parked.as_ref().filter(|_| s.holds_somebody()).map(|p| (s, p))) {
            Some((slot, parked)) => {
                self.ask(Asks::SlotNote(slot.key(), parked.parkee.clone()), parked.note.as_str());
            }
            None => self.ask_nothing("note", "no call in hand and nobody parked there to write a note for"),
        }
    }

    fn copy_slot(&mut self, desk: &Desk) {
        match self.slot_told_of(desk).and_then(|slot| desk.page_text(&slot.key())) {
            Some(text) => self.copy_text(desk, text),
            None => self.show_hint(desk.now, "nobody is parked there: nothing to copy"),
        }
    }

    fn copy_text(&mut self, desk: &Desk, text: String) {
        self.show_hint(desk.now, &format!("copied: {text}"));
        self.copy = Some(text);
    }

    fn open_tell(&mut self, desk: &Desk) {
        let slot = self.slot_told_of(desk);
        match slot.and_then(|slot| Some((slot.key(), slot.parked.as_ref()?.parkee.clone()))) {
            Some((slot, seen)) => self.overlay = Some(Overlay::Tell(Tell::new(slot, seen))),
            None => self.ask_nothing("tell the team", "nobody is parked there: nobody to tell of"),
        }
    }

    /// The slot that others are told of: the chosen one, else of the last park, else where somebody waits longest.
    fn slot_told_of<'d>(&self, desk: &'d Desk) -> Option<&'d Slot> {
        self.chosen_slot(desk).or_else(|| desk.slot_to_tell()).filter(|slot| slot.holds_somebody())
    }

    fn chosen_slot<'d>(&self, desk: &'d Desk) -> Option<&'d Slot> {
        self.cursor_index(desk).and_then(|i| desk.slots.get(i))
    }

    /// First press with calls on the board: the question. Second: meant; the desk asks for the word twice itself.
    fn quit(&mut self, desk: &Desk) -> Vec<Command> {
        let asked = matches!(self.overlay, Some(Overlay::Quit));
        if !asked && !desk.calls.is_empty() {
            self.overlay = Some(Overlay::Quit);
            return Vec::new();
        }
        self.overlay = None;
        let desk_asks = !desk.leaving && desk.calls.iter().any(|c| c.phase != Phase::Ringing);
        vec![Command::Quit; if desk_asks { 2 } else { 1 }]
    }
}

impl Console {
    /// The hint that shows now.
    pub(super) fn hint(&self, desk: &Desk) -> Option<&str> {
        let (hint, at) = self.hint.as_ref()?;
        (desk.now.saturating_sub(*at) < HINT_LASTS).then_some(hint.as_str())
    }

    /// The time of day.
    pub(super) fn clock(&self) -> &str {
        self.clock.as_str()
    }

    /// Closes what is open.
    pub(super) fn close(&mut self, desk: &Desk) -> Vec<Command> {
        match self.overlay.take() {
            Some(Overlay::Settings(_)) => SettingsWindow::closing(desk),
            _ => Vec::new(),
        }
    }
}

/// The other of on and off.
fn switch(process: Process) -> Command {
    Command::Sound(SoundWish::Process { process, switch: None })
}
