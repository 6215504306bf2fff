//! The one table of commands: names, keys, what they are for and when they apply. The keymap, the footer, the help,
//! the palette and the README's list of keys are all made from it.

use crate::desk::{Desk, Phase};

/// What a command does: a word to the desk, or a step of the console's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Answer, resume, or open the microphone; on a chosen slot, press its key.
    Enter,
    /// Hang up, or turn a ringing call away.
    HangUp,
    /// Hold or resume.
    Hold,
    /// Mute or unmute.
    Mute,
    /// Park to the next free slot.
    Park,
    /// Ask which slot, then park there (or press its key when no call is in hand).
    ParkOn,
    /// Press the key of the n-th slot, counted from 0.
    Slot(u8),
    /// The n-th colleague, counted from 0: pick up what rings there, hand over to him, or call him.
    Colleague(u8),
    /// Take the parked call that has waited longest.
    RetrieveLongest,
    /// Take back the last park.
    Undo,
    /// Write a note.
    Note,
    /// Dial a number.
    Dial,
    /// Call the mailbox.
    Voicemail,
    /// Transfer blindly.
    Transfer,
    /// Send digits into the call.
    Keypad,
    /// Choose the next call, or move down in the slots.
    Down,
    /// Choose the previous call, or move up in the slots.
    Up,
    /// Move left in the slots.
    Left,
    /// Move right in the slots.
    Right,
    /// Move between the calls and the slots.
    OtherPanel,
    /// Copy a sentence that tells somebody which slot to dial.
    Copy,
    /// Tell people who waits where.
    Tell,
    /// Park, then let the page group hear where.
    Page,
    /// Bring the caller and whoever was asked together.
    Join,
    /// From the caller to whoever was asked, and back.
    Swap,
    /// Send a ringing caller to where messages are left.
    ToVoicemail,
    /// Take no new calls, or take them again.
    DoNotDisturb,
    /// Night, or day.
    Night,
    /// Hand the caller to whom the note names.
    TransferToNamed,
    /// Record the call in hand, or stop.
    Record,
    /// Join the call in hand and the one on hold, or take them apart.
    Conference,
    /// How the call in hand sounds.
    Quality,
    /// The SIP messages of the call in hand.
    Ladder,
    /// Take the sound device that is offered instead of one that is gone.
    TakeDevice,
    /// Let parks go into the next lot.
    NextLot,
    /// Take the loudspeaker's echo out of the microphone's sound, or not.
    Echo,
    /// Lower steady noise in it, or not.
    Noise,
    /// Bring it to a level at which it is understood, or not.
    Gain,
    /// Let new calls go out by the next account.
    NextAccount,
    /// How every account stands.
    Accounts,
    /// The calls of these days, to search and to call back.
    Journal,
    /// What today was like so far.
    Report,
    /// Headset, ringer, theme, keys and the rest.
    Settings,
    /// Begin the tour, or end it.
    Tour,
    /// All keys, with search.
    Help,
    /// All commands by name.
    Palette,
    /// Close what is open.
    Close,
    /// Leave.
    Quit,
}

/// When a command has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Whenever.
    Always,
    /// While a call rings, is held, or waits to be proven.
    Answerable,
    /// With a call in hand.
    CallInHand,
    /// With a call in hand that is up.
    CallUp,
    /// While somebody is parked.
    SomebodyParked,
    /// With a call in hand, or while somebody is parked.
    SomebodyKnown,
    /// For some seconds after a park.
    JustParked,
    /// With a call in hand whose note names somebody.
    NoteNames,
    /// Somebody was called for a caller who waits.
    Consulting,
    /// A call rings, and there is where to leave a message.
    RingingWithMailbox,
    /// Callers have somewhere to go at night.
    NightRoute,
    /// While there are slots.
    Slots,
    /// With more than one lot at one server.
    SeveralLots,
    /// With more than one account.
    SeveralAccounts,
    /// With an account that has a mailbox.
    Mailbox,
    /// While colleagues' phones are watched.
    Staff,
    /// While there are calls.
    Calls,
    /// While another sound device is offered.
    DeviceOffered,
}

impl When {
    /// In words, for the help.
    pub fn words(self) -> &'static str {
        match self {
            Self::Always => "",
            Self::Answerable => "a call rings or is held",
            Self::CallInHand => "a call in hand",
            Self::CallUp => "a call in hand, up or held",
            Self::SomebodyParked => "somebody is parked",
            Self::SomebodyKnown => "a call in hand or parked",
            Self::JustParked => "10 s after a park",
            Self::NoteNames => "the note names somebody",
            Self::Consulting => "somebody was asked",
            Self::RingingWithMailbox => "a call rings, [calls] voicemail",
            Self::NightRoute => "[calls] night",
            Self::Slots => "",
            Self::SeveralLots => "several lots",
            Self::SeveralAccounts => "several accounts",
            Self::Mailbox => "an account with a mailbox",
            Self::Staff => "phones are watched",
            Self::Calls => "calls on the board",
            Self::DeviceOffered => "a headset is gone",
        }
    }

    /// Whether that is so now.
    pub fn holds(self, desk: &Desk) -> bool {
        let parked = || desk.longest_parked().is_some();
        match self {
            Self::Always => true,
            Self::Answerable => desk.calls.iter().any(|c| {
                matches!(c.phase, Phase::Ringing | Phase::Held | Phase::Verifying { .. }) || c.waits_for_key()
            }),
            Self::CallInHand => desk.hand().is_some(),
            Self::CallUp => desk.hand().is_some_and(crate::desk::Call::is_up),
            Self::SomebodyParked => parked(),
            Self::SomebodyKnown => desk.hand().is_some() || parked(),
            Self::JustParked => desk.undo.as_ref().is_some_and(|u| desk.now < u.until),
            Self::NoteNames => {
                desk.hand().is_some_and(|call| call.is_up() && desk.person_meant(call).is_some())
            }
            Self::Consulting => desk.consulted_for().is_some(),
            Self::RingingWithMailbox => desk.longest_ringing().is_some() && !desk.routes.voicemail.is_empty(),
            Self::NightRoute => !desk.routes.night.is_empty(),
            Self::Slots => !desk.slots.is_empty(),
            Self::SeveralLots => desk.has_lots_to_choose(),
            Self::SeveralAccounts => desk.lines.len() > 1,
            Self::Mailbox => desk.mailbox_line().is_some(),
            Self::Staff => !desk.staff.is_empty(),
            Self::Calls => !desk.calls.is_empty(),
            Self::DeviceOffered => desk.sound.offered.is_some(),
        }
    }
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub struct CommandRow {
    /// Its name in the configuration and in the palette.
    pub name: &'static str,
    /// Its keys, unless the configuration says otherwise.
    pub keys: &'static [&'static str],
    /// What it is for, in one line.
    pub about: &'static str,
    /// When it has something to do.
    pub when: When,
    /// What it does.
    pub deed: Deed,
    /// Whether holding the key down may repeat it. Never true of what changes a call.
    pub repeats: bool,
    /// Whether a second press of the same key at once is taken for a slip: it would act on the next caller.
    pub once: bool,
    /// What other programs ask for over the control socket to have the same done: `{"do":"…"}`.
    pub outside: &'static [&'static str],
}

impl CommandRow {
    /// The same, which other programs can ask for by these names.
    const fn outside(mut self, names: &'static [&'static str]) -> Self {
        self.outside = names;
        self
    }
}

/// A command that changes a call and must not be done twice by a slip.
const fn once(
    name: &'static str,
    keys: &'static [&'static str],
    deed: Deed,
    when: When,
    about: &'static str,
) -> CommandRow {
    CommandRow { name, keys, about, when, deed, repeats: false, once: true, outside: &[] }
}

/// A command that may be given twice in a row.
const fn plain(
    name: &'static str,
    keys: &'static [&'static str],
    deed: Deed,
    when: When,
    about: &'static str,
) -> CommandRow {
    CommandRow { name, keys, about, when, deed, repeats: false, once: false, outside: &[] }
}

/// A command that only moves about.
const fn moves(
    name: &'static str,
    keys: &'static [&'static str],
    deed: Deed,
    when: When,
    about: &'static str,
) -> CommandRow {
    CommandRow { name, keys, about, when, deed, repeats: true, once: false, outside: &[] }
}

const SLOT: &str = "the slot's key: park there, take from there, or ask";

const COLLEAGUE: &str = "a colleague: pick up there, hand over to, or call";

const TABLE: &[CommandRow] = &[
    once(
        "answer",
        &["enter", "space"],
        Deed::Enter,
        When::Answerable,
        "answer the chosen or longest ringing call; resume a held one",
    )
    .outside(&["answer", "resume"]),
    once(
        "hang-up",
        &["x", "delete"],
        Deed::HangUp,
        When::CallInHand,
        "hang up; a ringing call is turned away as busy",
    )
    .outside(&["hang_up"]),
    plain("hold", &["h"], Deed::Hold, When::CallInHand, "hold the call in hand, or resume it")
        .outside(&["hold"]),
    plain("mute", &["m"], Deed::Mute, When::Always, "mute or unmute the microphone").outside(&["mute"]),
    once("park", &["p"], Deed::Park, When::CallUp, "park the call in hand on the next free slot")
        .outside(&["park"]),
    plain("park-on", &["P"], Deed::ParkOn, When::Slots, "ask which slot, then press its key"),
    once("slot-1", &["1"], Deed::Slot(0), When::Slots, SLOT),
    once("slot-2", &["2"], Deed::Slot(1), When::Slots, SLOT),
    once("slot-3", &["3"], Deed::Slot(2), When::Slots, SLOT),
    once("slot-4", &["4"], Deed::Slot(3), When::Slots, SLOT),
    once("slot-5", &["5"], Deed::Slot(4), When::Slots, SLOT),
    once("slot-6", &["6"], Deed::Slot(5), When::Slots, SLOT),
    once("slot-7", &["7"], Deed::Slot(6), When::Slots, SLOT),
    once("slot-8", &["8"], Deed::Slot(7), When::Slots, SLOT),
    once("slot-9", &["9"], Deed::Slot(8), When::Slots, SLOT),
    once("slot-10", &["0"], Deed::Slot(9), When::Slots, SLOT),
    once("colleague-1", &["f1"], Deed::Colleague(0), When::Staff, COLLEAGUE),
    once("colleague-2", &["f2"], Deed::Colleague(1), When::Staff, COLLEAGUE),
    once("colleague-3", &["f3"], Deed::Colleague(2), When::Staff, COLLEAGUE),
    once("colleague-4", &["f4"], Deed::Colleague(3), When::Staff, COLLEAGUE),
    once("colleague-5", &["f5"], Deed::Colleague(4), When::Staff, COLLEAGUE),
    once("colleague-6", &["f6"], Deed::Colleague(5), When::Staff, COLLEAGUE),
    once("colleague-7", &["f7"], Deed::Colleague(6), When::Staff, COLLEAGUE),
    once("colleague-8", &["f8"], Deed::Colleague(7), When::Staff, COLLEAGUE),
    once(
        "retrieve-longest",
        &["r"],
        Deed::RetrieveLongest,
        When::SomebodyParked,
        "take the parked caller who has waited longest",
    )
    .outside(&["retrieve"]),
    once(
        "undo",
        &["u"],
        Deed::Undo,
        When::JustParked,
        "take back the last park: exactly that caller, or none",
    )
    .outside(&["undo"]),
    plain("note", &["n"], Deed::Note, When::SomebodyKnown, "write a note that stays with the caller")
        .outside(&["note"]),
    plain("dial", &["d", "/"], Deed::Dial, When::Always, "dial a number, or somebody by name")
        .outside(&["dial"]),
    once("voicemail", &["v"], Deed::Voicemail, When::Mailbox, "call the mailbox"),
    plain("transfer", &["t"], Deed::Transfer, When::CallUp, "hand the caller over, or send a ringing one on")
        .outside(&["transfer", "redirect"]),
    once("join", &["b"], Deed::Join, When::Consulting, "bring the caller and whoever was asked together"),
    plain("swap", &["w"], Deed::Swap, When::Consulting, "from the caller to whoever was asked, and back"),
    once(
        "to-voicemail",
        &["M"],
        Deed::ToVoicemail,
        When::RingingWithMailbox,
        "send the ringing caller to where messages are left",
    ),
    plain(
        "do-not-disturb",
        &["D"],
        Deed::DoNotDisturb,
        When::Always,
        "take no new calls, or take them again",
    )
    .outside(&["do_not_disturb"]),
    plain("night", &["N"], Deed::Night, When::NightRoute, "send new callers where they go at night, or not")
        .outside(&["night"]),
    once(
        "transfer-named",
        &["T"],
        Deed::TransferToNamed,
        When::NoteNames,
        "hand the caller over to whom the note names",
    ),
    plain("keypad", &["#"], Deed::Keypad, When::CallInHand, "send digits into the call").outside(&["digits"]),
    moves("next", &["down", "j"], Deed::Down, When::Calls, "choose the next call, or the slot below"),
    moves("previous", &["up", "k"], Deed::Up, When::Calls, "choose the call before, or the slot above"),
    moves("left", &["left"], Deed::Left, When::Slots, "choose the slot to the left"),
    moves("right", &["right"], Deed::Right, When::Slots, "choose the slot to the right"),
    moves(
        "other-panel",
        &["tab", "shift-tab"],
        Deed::OtherPanel,
        When::Slots,
        "between the calls and the slots",
    ),
    plain("copy", &["c"], Deed::Copy, When::SomebodyParked, "copy a sentence that says which slot to dial"),
    plain(
        "tell",
        &["g"],
        Deed::Tell,
        When::SomebodyParked,
        "tell the team who waits where: copy, message or page",
    ),
    once("page", &["G"], Deed::Page, When::SomebodyKnown, "park, then let the page group hear the slot"),
    plain("next-lot", &["L"], Deed::NextLot, When::SeveralLots, "let the park key park in the next lot"),
    plain(
        "next-account",
        &["a"],
        Deed::NextAccount,
        When::SeveralAccounts,
        "let new calls go out by the next account",
    ),
    plain(
        "accounts",
        &["A"],
        Deed::Accounts,
        When::Always,
        "every account: server, transport, registration, trouble",
    ),
    plain("record", &["ctrl-r"], Deed::Record, When::CallUp, "record the call in hand, or stop recording"),
    once(
        "three-way",
        &["C"],
        Deed::Conference,
        When::CallUp,
        "join the call in hand and the held one, or part them",
    ),
    plain(
        "quality",
        &["Q"],
        Deed::Quality,
        When::Always,
        "how the call sounds: loss, delay, MOS, what to do",
    ),
    plain("ladder", &["l"], Deed::Ladder, When::Always, "the SIP messages of the call in hand, redacted"),
    plain(
        "take-device",
        &["S"],
        Deed::TakeDevice,
        When::DeviceOffered,
        "use the sound device that is offered instead of the lost one",
    ),
    plain(
        "echo-canceller",
        &["ctrl-e"],
        Deed::Echo,
        When::Always,
        "take a loudspeaker's echo out of what you say, or not",
    ),
    plain("noise-suppression", &["ctrl-n"], Deed::Noise, When::Always, "lower the noise around you, or not"),
    plain("gain-control", &["ctrl-g"], Deed::Gain, When::Always, "even out how loud you are, or not"),
    plain("journal", &["J"], Deed::Journal, When::Always, "calls so far: search, call back, missed ones"),
    plain("report", &["R"], Deed::Report, When::Always, "what today was like: calls, waits, parked callers"),
    plain("settings", &[","], Deed::Settings, When::Always, "headset, ringer, theme, keys, night, accounts"),
    plain("tour", &["ctrl-t"], Deed::Tour, When::Always, "the first day's tour: begin it, or end it"),
    plain("help", &["?"], Deed::Help, When::Always, "all keys, with search"),
    plain("palette", &[":"], Deed::Palette, When::Always, "all commands by name"),
    moves("close", &["esc"], Deed::Close, When::Always, "close what is open; back to the calls"),
    once("quit", &["q", "ctrl-c"], Deed::Quit, When::Always, "leave; asks first when a caller would be lost"),
];

/// Every command of the console, in the order of the help.
pub fn command_table() -> &'static [CommandRow] {
    TABLE
}

/// The row of a deed.
pub(super) fn row_of(deed: Deed) -> Option<&'static CommandRow> {
    TABLE.iter().find(|row| row.deed == deed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_command_has_its_own_name_deed_and_a_key() {
        let names: HashSet<_> = TABLE.iter().map(|r| r.name).collect();
        let deeds: HashSet<_> = TABLE.iter().map(|r| r.deed).collect();
        assert_eq!((names.len(), deeds.len()), (TABLE.len(), TABLE.len()));
        assert!(TABLE.iter().all(|r| !r.keys.is_empty() && !r.about.is_empty()));
        let long = TABLE.iter().find(|r| r.about.chars().count() > 61);
        assert!(long.is_none(), "{long:?} is cut off in the help at 80 columns");
    }

    #[test]
    fn what_changes_a_call_is_never_repeated_by_a_key_held_down() {
        use Deed::*;
        for row in TABLE.iter().filter(|r| r.repeats) {
            assert!(matches!(row.deed, Down | Up | Left | Right | OtherPanel | Close), "{}", row.name);
        }
    }
}
