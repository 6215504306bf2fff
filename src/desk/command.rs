//! What the operator can say. Imperative; the keymap, the palette and the control socket all speak these.

use super::call::CallId;
use super::line::{LineId, SlotKey};
use super::lot::LotKey;
use crate::parking::{Identity, Text};
use serde::{Deserialize, Serialize};

/// One wish of the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Answer the longest ringing call (holding the one in hand); with a retrieve waiting for proof, open the
    /// microphone; with the call in hand on hold and nothing ringing, resume it.
    Answer,
    /// Answer, or take in hand, this very call.
    Take(CallId),
    /// Put the next or the previous call under the keys without answering or resuming it.
    Choose {
        /// Forward or back.
        forward: bool,
    },
    /// Hang up (or turn away) the call in hand; with none in hand, the ringing one that was chosen.
    HangUp,
    /// Hold or resume the call in hand.
    Hold,
    /// Mute or unmute the microphone.
    Mute,
    /// Park the call in hand, in a lot of its own line: in the next free slot of the chosen one, or in this slot.
    Park {
        /// The slot, or `None` for the server's choice.
        slot: Option<SlotKey>,
    },
    /// Park the call in hand in the next free slot of this lot, whichever is chosen.
    ParkIn(LotKey),
    /// Press a slot's lamp key: park there, retrieve from there, or ask.
    PressSlot(SlotKey),
    /// Retrieve the longest parked call.
    RetrieveLongest,
    /// Retrieve the longest parked call of this lot.
    RetrieveLongestIn(LotKey),
    /// Let parks go into this lot, or into the next one of the line in hand.
    ChooseLot(Option<LotKey>),
    /// Let new calls go out by this line, or by the next one.
    ChooseLine(Option<LineId>),
    /// Register this line again at once.
    Register(LineId),
    /// Call this number or URI.
    Dial(String),
    /// Call the mailbox: of the line that has new messages, else of the one that new calls go out by.
    CallVoicemail,
    /// Send one digit into the call in hand (`0-9 * # A-D`).
    SendDigit(char),
    /// Write the note of the call in hand, or of a parked one. Empty removes it.
    NoteCall {
        /// The call.
        call: CallId,
        /// The text.
        text: String,
    },
    /// Write the note of a parked call.
    NoteSlot {
        /// The slot.
        slot: SlotKey,
        /// The text.
        text: String,
    },
    /// Transfer the call in hand blindly.
    Transfer {
        /// The number or URI.
        to: String,
    },
    /// Call somebody for the call in hand, which waits on hold meanwhile.
    Consult {
        /// The number or URI.
        to: String,
    },
    /// Bring together the caller and whoever was called for him.
    Join,
    /// Go from the caller to whoever was called for him, or back.
    Swap,
    /// Send a ringing call elsewhere.
    Redirect {
        /// Which.
        call: CallId,
        /// The number or URI.
        to: String,
    },
    /// Send the ringing call in hand, or the longest ringing one, to where messages are left.
    ToVoicemail,
    /// Do not disturb, on or off; `None`: the other of the two.
    DoNotDisturb(Option<bool>),
    /// Night, on or off; `None`: the other of the two.
    Night(Option<bool>),
    /// Do something with a call that is named, whichever is in hand.
    For {
        /// Which.
        call: CallId,
        /// What.
        wish: super::Wish,
    },
    /// Somebody outside offers a number to dial: it is shown, and nobody is called.
    Offer {
        /// The number or URI.
        to: String,
    },
    /// Transfer the call in hand blindly to the person whom its note names.
    TransferToNamed,
    /// Answer here what rings at a colleague's phone.
    PickUp {
        /// By which line.
        line: LineId,
        /// His extension.
        number: Text,
    },
    /// Send people the sentence that says who waits where.
    Tell {
        /// The slot.
        slot: SlotKey,
        /// Who was there when the operator chose it.
        seen: Identity,
        /// Numbers or URIs, as typed.
        to: Vec<String>,
    },
    /// Call the page group and let it hear the slot: this one's; else park the call in hand first; else of whoever was
    /// parked last or waits longest.
    Page {
        /// The slot, if one was chosen.
        slot: Option<SlotKey>,
    },
    /// Something about headset and sound.
    Sound(super::SoundWish),
    /// Take back the last park.
    Undo,
    /// Leave; asked for a second time while calls are up, it is meant.
    Quit,
}
