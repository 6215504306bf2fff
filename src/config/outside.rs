//! What other programs hear of calls, and whether they may steer the console.

use std::collections::BTreeMap;

/// What other programs hear and may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// Whether there is a control socket.
    pub socket: bool,
    /// How the desktop is told of a ringing call.
    pub notify: Notify,
    /// The program for an event, with its arguments; none is run by a shell.
    pub hooks: BTreeMap<HookEvent, Vec<String>>,
}

impl Default for Outside {
    fn default() -> Self {
        Self { socket: true, notify: Notify::default(), hooks: BTreeMap::new() }
    }
}

/// How the desktop is told of a ringing call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notify {
    /// Not at all.
    #[default]
    Off,
    /// By the terminal: `OSC 777`, as VTE, foot, WezTerm and Ghostty know it.
    Osc777,
    /// By the terminal: `OSC 9`, as iTerm2, kitty and Windows Terminal know it.
    Osc9,
    /// By the program `notify-send`.
    NotifySend,
}

/// What a wallboard shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wallboard {
    /// How much of callers.
    pub callers: CallersShown,
}

/// How much of a caller is shown where everybody can read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallersShown {
    /// Initials, and the last digits of the number. No notes.
    #[default]
    Masked,
    /// Nothing but that somebody waits.
    Hidden,
    /// Name, number and note.
    Shown,
}

/// What a hook is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookEvent {
    /// A call rings here.
    Ringing,
    /// A call is made.
    Dialled,
    /// A call is up.
    Answered,
    /// A call is over.
    Ended,
    /// A call is over that nobody answered.
    Missed,
    /// Somebody is parked.
    Parked,
    /// Somebody is parked no longer.
    Left,
}

impl HookEvent {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Ringing, Self::Dialled, Self::Answered, Self::Ended, Self::Missed, Self::Parked, Self::Left];

    /// Its name in the file and in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ringing => "ringing",
            Self::Dialled => "dialled",
            Self::Answered => "answered",
            Self::Ended => "ended",
            Self::Missed => "missed",
            Self::Parked => "parked",
            Self::Left => "left",
        }
    }
}
