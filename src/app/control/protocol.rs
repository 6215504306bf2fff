//! What is said over the control socket: a request a line, an answer a line.

use crate::desk::{CallId, Command, Desk, SlotKey, Wish};
use crate::parking::{SlotId, Text};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Request {
    /// Given back with the answer: a number or a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// What to do.
    #[serde(flatten)]
    pub verb: Verb,
}

/// What can be done. Whatever is about a call names it by its number (`call` in the status).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// Everything on the board.
    Status,
    /// Everything that changes from now on, a line each.
    Watch,
    /// Call somebody.
    Dial {
        /// Number or address.
        to: String,
    },
    /// Show a number on the board, to be dialled by the operator's key.
    Offer {
        /// Number, address, or a `tel:` or `sip:` link.
        to: String,
    },
    /// Answer.
    Answer {
        /// Which.
        call: u64,
    },
    /// Hang up or turn away.
    HangUp {
        /// Which.
        call: u64,
    },
    /// Hold.
    Hold {
        /// Which.
        call: u64,
    },
    /// Take off hold.
    Resume {
        /// Which.
        call: u64,
    },
    /// Park.
    Park {
        /// Which.
        call: u64,
        /// Where; else the server chooses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<String>,
        /// In which lot, where its server has several and no slot is named; else the chosen one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lot: Option<String>,
    },
    /// Retrieve whoever is in a slot.
    Retrieve {
        /// Which.
        slot: String,
        /// At which account, where several have it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
    },
    /// Hand over blindly.
    Transfer {
        /// Which.
        call: u64,
        /// To whom.
        to: String,
    },
    /// Send a ringing call elsewhere.
    Redirect {
        /// Which.
        call: u64,
        /// Where.
        to: String,
    },
    /// Send digits.
    Digits {
        /// Into which.
        call: u64,
        /// `0-9 * # A-D`.
        digits: String,
    },
    /// Write the note of a call.
    Note {
        /// Which.
        call: u64,
        /// Empty removes it.
        text: String,
    },
    /// Mute or unmute the microphone.
    Mute {
        /// On or off.
        on: bool,
    },
    /// Do not disturb.
    DoNotDisturb {
        /// On or off.
        on: bool,
    },
    /// Night.
    Night {
        /// On or off.
        on: bool,
    },
    /// Take back the last park.
    Undo,
}

/// The most digits of one request.
const MAX_DIGITS: usize = 64;

impl Verb {
    /// The desk's commands for it; none for what only asks.
    ///
    /// # Errors
    /// Why it can't be done, in words.
    pub fn commands(&self, desk: &Desk) -> Result<Vec<Command>, String> {
        let on = |call: &u64, wish: Wish| -> Result<Vec<Command>, String> {
            let call = known(desk, *call)?;
            Ok(vec![Command::For { call, wish }])
        };
        match self {
            Self::Status | Self::Watch => Ok(Vec::new()),
            Self::Dial { to } => Ok(vec![Command::Dial(to.clone())]),
            Self::Offer { to } => Ok(vec![Command::Offer { to: dialable(to)? }]),
            Self::Answer { call } => on(call, Wish::Answer),
            Self::HangUp { call } => on(call, Wish::HangUp),
            Self::Hold { call } => on(call, Wish::Hold),
            Self::Resume { call } => on(call, Wish::Resume),
            Self::Park { call, slot: None, lot: None } => on(call, Wish::Park(None)),
            Self::Park { call, slot: None, lot: Some(lot) } => {
                let line = desk.call(known(desk, *call)?).map(|call| call.line).unwrap_or_default();
                let same = |name: &Text| name.as_str().eq_ignore_ascii_case(lot);
                let mut own = desk.numbered_lots().filter(|(key, _)| key.line == line);
                let found = own.find(|(_, there)| same(&there.name)).map(|(key, _)| key);
                let lot = Text::new(lot);
                on(call, Wish::ParkIn(found.ok_or_else(|| format!("this call's server has no lot “{lot}”"))?))
            }
            Self::Park { lot: Some(_), slot: Some(_), .. } => {
                Err("a slot is in one lot: name the slot or the lot".to_owned())
            }
            Self::Park { call, slot: Some(slot), lot: None } => {
                let line = desk.call(known(desk, *call)?).map(|call| call.line).unwrap_or_default();
                let id = SlotId::new(slot).ok_or("a slot is a number such as 703")?;
                on(call, Wish::Park(Some(SlotKey { line, id })))
            }
            Self::Retrieve { slot, account } => {
                Ok(vec![Command::PressSlot(occupied(desk, slot, account.as_deref())?)])
            }
            Self::Transfer { call, to } => on(call, Wish::Transfer(to.clone())),
            Self::Redirect { call, to } => on(call, Wish::Redirect(to.clone())),
            Self::Digits { call, digits } => {
                let call = known(desk, *call)?;
                let valid = |c: char| c.is_ascii_digit() || "*#ABCDabcd".contains(c);
                if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.chars().all(valid) {
                    return Err("digits are 0-9 * # A-D, at most 64".to_owned());
                }
                let digit = |digit| Command::For { call, wish: Wish::Digit(digit) };
                Ok(digits.chars().map(digit).collect())
            }
            Self::Note { call, text } => {
                Ok(vec![Command::NoteCall { call: known(desk, *call)?, text: text.clone() }])
            }
            Self::Mute { on } if *on == desk.sound.muted => Ok(Vec::new()),
            Self::Mute { .. } => Ok(vec![Command::Mute]),
            Self::DoNotDisturb { on } => Ok(vec![Command::DoNotDisturb(Some(*on))]),
            Self::Night { on } => Ok(vec![Command::Night(Some(*on))]),
            Self::Undo => Ok(vec![Command::Undo]),
        }
    }
}

fn known(desk: &Desk, call: u64) -> Result<CallId, String> {
    let call = CallId(call);
    desk.call(call).map(|call| call.id).ok_or_else(|| format!("there is no call {}", call.0))
}

/// An occupied slot: with nobody in it, pressing its key would park whoever is in hand.
fn occupied(desk: &Desk, slot: &str, account: Option<&str>) -> Result<SlotKey, String> {
    let id = SlotId::new(slot).ok_or("a slot is a number such as 703")?;
    let of = |line| desk.line(line).map(|line| line.account.called());
    let here = |s: &&crate::desk::Slot| s.id == id && account.is_none_or(|name| of(s.line) == Some(name));
    let found: Vec<_> = desk.slots.iter().filter(here).collect();
    match found.as_slice() {
        [] => Err(format!("there is no slot {id}")),
        [only] if only.holds_somebody() => Ok(only.key()),
        [_] => Err(format!("nobody is parked on {id}")),
        _ => Err(format!("{id} is in several lots: name the account")),
    }
}

/// What a link names: `tel:+44-161-496-0100`, `sip:101@pbx`, `callto:…`, or a number as it is.
pub(super) fn dialable(link: &str) -> Result<String, String> {
    let link = link.trim();
    let (scheme, rest) = match link.split_once(':') {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+') => {
            (scheme, rest)
        }
        _ => ("", link),
    };
    let plain = |text: &str| -> Result<String, String> {
        let text = percent_decode_str(text).decode_utf8_lossy();
        let number: String = text.chars().filter(|c| !" -().".contains(*c)).take(128).collect();
        let good =
            !number.is_empty() && number.chars().all(|c| c.is_ascii_alphanumeric() || "+*#_".contains(c));
        good.then_some(number).ok_or_else(|| format!("“{}” is no number", crate::parking::Text::new(&text)))
    };
    match scheme.to_ascii_lowercase().as_str() {
        // RFC 3966: parameters stand behind a semicolon.
        "tel" | "callto" => plain(rest.trim_start_matches('/').split(';').next().unwrap_or_default()),
        // Headers of a link could make more of a call than one: they are not taken.
        "sip" | "sips" if rest.len() <= 256 && !rest.chars().any(|c| c.is_control() || c == ' ') => {
            Ok(format!("{}:{}", scheme.to_ascii_lowercase(), rest.split('?').next().unwrap_or_default()))
        }
        "" if link.contains('@') => Ok(link.to_owned()),
        "" => plain(link),
        _ => Err("only tel:, sip:, sips: and callto: links can be dialled".to_owned()),
    }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Reply {
    /// That of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// Whether something was done.
    pub ok: bool,
    /// What the board says of it, or why nothing was done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub say: String,
    /// Everything on the board, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<super::View>,
}
