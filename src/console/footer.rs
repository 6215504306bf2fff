//! The last line: the keys that make sense at this moment, each of them clickable.

use super::commands::{Deed, When};
use super::overlay::{Asks, Overlay, Prompt};
use super::paint::{Canvas, columns};
use super::state::Console;
use crate::desk::{Availability, Call, Desk, LineId, ParkBar, Phase};
use crate::parking::Lamp;
use ratatui::layout::{Position, Rect};

/// One key with what it does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    /// The key as it is read.
    pub(super) key: String,
    words: String,
    off: bool,
}

/// Collects hints, leaving out commands that have no key.
struct Hints<'c> {
    console: &'c Console,
    all: Vec<Hint>,
}

impl Hints<'_> {
    fn deed(&mut self, deed: Deed, words: &str) {
        if let Some(key) = self.console.keymap.key_of(deed) {
            self.key(&key, words);
        }
    }

    fn off(&mut self, deed: Deed, words: &str) {
        self.deed(deed, words);
        if let Some(last) = self.all.last_mut() {
            last.off = true;
        }
    }

    fn key(&mut self, key: &str, words: &str) {
        self.all.push(Hint { key: key.to_owned(), words: words.to_owned(), off: false });
    }
}

/// The hints for this moment, the most useful first; help is always the last.
fn hints(desk: &Desk, console: &Console) -> Vec<Hint> {
    let mut hints = Hints { console, all: Vec::new() };
    if let Some(overlay) = &console.overlay {
        overlay_hints(&mut hints, desk, overlay);
        return hints.all;
    }
    if console.slots_chosen(desk) {
        slot_hints(&mut hints, desk);
    } else {
        call_hints(&mut hints, desk);
        board_hints(&mut hints, desk);
    }
    hints.deed(Deed::Help, "help");
    hints.all
}

fn overlay_hints(hints: &mut Hints<'_>, desk: &Desk, overlay: &Overlay) {
    let several = desk.lines.len() > 1;
    match overlay {
        Overlay::Prompt(Prompt { asks: Asks::Nothing { .. }, .. }) => {}
        Overlay::Prompt(prompt) => hints.key(
            "enter",
            match prompt.asks {
                Asks::Dial | Asks::Nothing { .. } => "call",
                Asks::Transfer(_) => "hand over",
                Asks::Redirect(_) => "send on",
                Asks::Slot(Some(_)) => "park there",
                Asks::Slot(None) => "press its key",
                Asks::CallNote(..) | Asks::SlotNote(..) => "keep",
            },
        ),
        Overlay::Keypad(_) => hints.key("0-9 * # A-D", "send"),
        Overlay::Help { .. } => hints.key("↑ ↓", "scroll · type to search"),
        Overlay::Palette { .. } => {
            hints.key("enter", "do it");
            hints.key("↑ ↓", "choose · type to search");
        }
        Overlay::Tell(_) => {
            hints.key("enter", "do it");
            hints.key("↑ ↓", "choose · type a name or number");
        }
        Overlay::Accounts { .. } => {
            hints.key("↑ ↓", "scroll");
            if several {
                hints.key("a", "new calls by the next");
            }
        }
        Overlay::Journal(_) => {
            hints.key("enter", "call back");
            hints.key("tab", "missed, in, out …");
            hints.key("↑ ↓", "choose · type to search");
        }
        Overlay::Report { .. } => hints.key("↑ ↓", "scroll"),
        Overlay::Settings(window) => {
            for (key, words) in window.hints(desk) {
                hints.key(key, words);
            }
        }
        Overlay::Quality => {}
        Overlay::Ladder(_) => {
            hints.key("↑ ↓", "choose");
            hints.key("enter", "open, or back");
        }
        Overlay::Quit => {
            hints.deed(Deed::Quit, "leave");
            hints.key("esc", "stay");
            return;
        }
    }
    if matches!(overlay, Overlay::Prompt(Prompt { asks: Asks::Transfer(_), .. })) {
        hints.key("tab", "ask there first");
    }
    hints.key("esc", "close");
}

/// With the cursor in the slots.
fn slot_hints(hints: &mut Hints<'_>, desk: &Desk) {
    let Some(slot) = hints.console.cursor_index(desk).and_then(|i| desk.slots.get(i)) else { return };
    let up = desk.hand().is_some_and(Call::is_up);
    let id = &slot.id;
    match slot.lamp {
        Lamp::Parked | Lamp::RingingBack => {
            hints.deed(Deed::Enter, &format!("take from {id}"));
            hints.deed(Deed::Note, "note");
            hints.deed(Deed::Copy, "copy");
            hints.deed(Deed::Tell, "tell");
        }
        // Another account's lot is no place for the call in hand.
        Lamp::Free if up && desk.hand().is_some_and(|call| call.line != slot.line) => {}
        Lamp::Free if up && desk.abilities_at(&slot.key()).directed_park => {
            hints.deed(Deed::Enter, &format!("park on {id}"))
        }
        Lamp::Free if up => hints.deed(Deed::Enter, "park (the server chooses)"),
        Lamp::Free => {}
        Lamp::Refused { .. } => {}
        Lamp::Unknown | Lamp::Stale { .. } => hints.deed(Deed::Enter, &format!("ask for {id}")),
    }
    hints.key("↑ ↓ ← →", "choose");
    hints.deed(Deed::Close, "calls");
}

/// For the call in hand, or the one that rings.
fn call_hints(hints: &mut Hints<'_>, desk: &Desk) {
    let ringing = desk.longest_ringing().is_some();
    let Some(hand) = desk.hand() else {
        if ringing {
            hints.deed(Deed::Enter, "answer");
        } else if let [only] = desk.calls.as_slice()
            && only.phase == Phase::Held
        {
            hints.deed(Deed::Enter, "resume");
        }
        return;
    };
    match hand.phase {
        Phase::Ringing => {
            hints.deed(Deed::Enter, "answer");
            hints.deed(Deed::HangUp, "turn away");
            hints.deed(Deed::Transfer, "send on");
            if When::RingingWithMailbox.holds(desk) {
                hints.deed(Deed::ToVoicemail, "to voicemail");
            }
            return;
        }
        Phase::Verifying { .. } => {
            hints.deed(Deed::Enter, "speak anyway");
            hints.deed(Deed::HangUp, "put back");
            return;
        }
        Phase::Answering | Phase::Dialling | Phase::RingingThere | Phase::Retrieving { .. } => {
            hints.deed(Deed::HangUp, "give up");
            consult_hints(hints, desk);
            return;
        }
        Phase::Parking { .. } | Phase::Transferring { .. } | Phase::PuttingBack { .. } => {
            hints.key("…", "waiting for the server's word");
            return;
        }
        Phase::Talking | Phase::Held | Phase::Holding | Phase::Resuming => {}
    }
    if hand.waits_for_key() {
        hints.deed(Deed::Enter, "speak");
    } else if ringing {
        hints.deed(Deed::Enter, "answer next");
    }
    consult_hints(hints, desk);
    let lot = desk.lot_out(hand.line);
    let several = desk.line(hand.line).is_some_and(|line| line.lots.len() > 1);
    match desk.can_park(None) {
        Ok(_) => match desk.lot(lot).filter(|_| several) {
            Some(lot) => hints.deed(Deed::Park, &format!("park in {}", lot.name)),
            None => hints.deed(Deed::Park, "park"),
        },
        Err(bar) => hints.off(Deed::Park, &format!("off: {}", short_bar(&bar))),
    }
    if several {
        hints.deed(Deed::NextLot, "other lot");
    }
    if let Some(person) = desk.person_meant(hand) {
        match desk.availability(hand.line, person.number.as_str()) {
            Availability::Free => {
                hints.deed(Deed::TransferToNamed, &format!("hand to {}: free", person.label()));
            }
            // Nobody is offered of whom nobody knows that he can take a call; the key works all the same.
            other => hints.off(Deed::TransferToNamed, &format!("{}: {}", person.label(), other.word())),
        }
    }
    let held = matches!(hand.phase, Phase::Held | Phase::Holding);
    hints.deed(Deed::Hold, if held { "resume" } else { "hold" });
    let takes = |slot: &crate::desk::Slot| {
        slot.is_known_free() && desk.lot(slot.lot_key()).is_some_and(|lot| lot.abilities.directed_park)
    };
    if desk.slots_of(hand.line).any(takes) {
        let keys = slot_keys(hints.console, desk, Some(hand.line));
        if !keys.is_empty() {
            hints.key(&keys, "park there");
        }
    }
    hints.deed(Deed::HangUp, "hang up");
    if desk.consulted_for().is_none() {
        hints.deed(Deed::Transfer, "transfer");
    }
    hints.deed(Deed::Note, "note");
}

/// While somebody is asked for a caller who waits.
fn consult_hints(hints: &mut Hints<'_>, desk: &Desk) {
    if let Some(caller) = desk.consulted_for() {
        hints.deed(Deed::Join, &format!("join with {}", desk.label(&caller.party)));
        hints.deed(Deed::Swap, "to the caller");
    }
}

/// For the board.
fn board_hints(hints: &mut Hints<'_>, desk: &Desk) {
    if desk.sound.offered.is_some() {
        hints.deed(Deed::TakeDevice, "use the other device");
    }
    let free_hand = desk.hand().is_none();
    let parked = desk.longest_parked().is_some();
    if desk.undo.as_ref().is_some_and(|u| desk.now < u.until) {
        hints.deed(Deed::Undo, "undo");
    }
    if parked {
        hints.deed(Deed::RetrieveLongest, "take longest");
        if free_hand {
            hints.key(&slot_keys(hints.console, desk, None), "take");
            hints.deed(Deed::Note, "note");
            hints.deed(Deed::Tell, "tell");
        }
    }
    if free_hand {
        hints.deed(Deed::Dial, "dial");
    }
    hints.deed(Deed::Mute, if desk.sound.muted { "unmute" } else { "mute" });
    if !free_hand {
        hints.deed(Deed::Dial, "dial");
    }
    if desk.hand().is_some_and(Call::is_audible) {
        hints.deed(Deed::Keypad, "keys");
    }
    if !desk.slots.is_empty() {
        hints.deed(Deed::OtherPanel, "slots");
    }
    hints.deed(Deed::Palette, "all");
    hints.deed(Deed::Settings, "settings");
    hints.deed(Deed::Quit, "quit");
}

/// `1-9`, or what the first and the last slot's key are.
fn slot_keys(console: &Console, desk: &Desk, line: Option<LineId>) -> String {
    let key = |nth: usize| console.keymap.key_of(Deed::Slot(u8::try_from(nth).ok()?));
    let own =
        desk.slots.iter().take(9).enumerate().filter(|(_, slot)| line.is_none_or(|line| slot.line == line));
    let mut keys = own.filter_map(|(nth, _)| key(nth));
    let first = keys.next().unwrap_or_default();
    keys.next_back().map_or_else(|| first.clone(), |last| format!("{first}-{last}"))
}

/// Why the park key is off, in a word or two.
fn short_bar(bar: &ParkBar) -> String {
    match bar {
        ParkBar::NoCall => "no call".into(),
        ParkBar::NotUp => "not up yet".into(),
        ParkBar::ServerCannot => "server can't".into(),
        ParkBar::ServerChoosesSlot => "server chooses".into(),
        ParkBar::Offline => "server is away".into(),
        ParkBar::NoLamps => "no lamps here".into(),
        ParkBar::LampsStale => "lamps not fresh".into(),
        ParkBar::LotFull => "lot full".into(),
        ParkBar::ThisLotFull { lot, .. } => format!("{lot} is full"),
        ParkBar::OtherLot { slot, .. } => format!("{slot} is another lot's"),
        ParkBar::Occupied(slot) => format!("{slot} taken"),
        ParkBar::Asked(slot) => format!("{slot} asked"),
        ParkBar::NotKnownFree(slot) => format!("{slot} not known free"),
        ParkBar::NoSuchSlot(slot) => format!("no slot {slot}"),
    }
}

/// The hints that there is room for, with their places. The last one (help) always has its place.
pub(super) fn placed(desk: &Desk, console: &Console, area: Rect) -> Vec<(Rect, Hint)> {
    let mut all = hints(desk, console);
    let width = |hint: &Hint| columns(&hint.key) + 1 + columns(&hint.words);
    let Some(last) = all.pop() else { return Vec::new() };
    let end = area.right().saturating_sub(width(&last) + 2);
    let mut x = area.x + 1;
    let mut placed = Vec::new();
    for hint in all {
        let taken = width(&hint);
        if x + taken + 2 > end {
            break;
        }
        placed.push((Rect::new(x, area.y, taken, 1), hint));
        x += taken + 3;
    }
    let taken = width(&last);
    placed.push((Rect::new(x, area.y, taken.min(area.right().saturating_sub(x)), 1), last));
    placed
}

/// Draws them.
pub(super) fn draw(canvas: &mut Canvas<'_>, desk: &Desk, console: &Console, area: Rect) {
    let style = canvas.style("footer");
    canvas.tint(area, style);
    let placed = placed(desk, console, area);
    let count = placed.len();
    for (nth, (place, hint)) in placed.into_iter().enumerate() {
        let mut pen = canvas.line(Rect { width: area.right() - place.x, ..place }, area.y);
        pen.say(&hint.key, if hint.off { "footer.off" } else { "footer.key" });
        pen.skip(1);
        pen.say(&hint.words, if hint.off { "footer.off" } else { "footer" });
        if nth + 1 < count {
            pen.say(" ·", "footer.off");
        }
    }
}

/// The hint at a position.
pub(super) fn at(desk: &Desk, console: &Console, area: Rect, position: Position) -> Option<Hint> {
    placed(desk, console, area).into_iter().find(|(place, _)| place.contains(position)).map(|(_, hint)| hint)
}
