//! One call as the operator sees it, from the first ring to the last word.

use super::line::{LineId, SlotKey};
use super::security::Security;
use super::slot::{DialogKey, ParkedCall};
use crate::parking::{Identity, Moment, SlotId, Strength, Text};
use serde::{Deserialize, Serialize};

/// A call's number on this desk. Not the SIP Call-ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId(pub u64);

/// Who began the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// They called us.
    Inbound,
    /// We called them, or we took them from a slot.
    Outbound,
}

/// What a retrieve is bound to: the parked call that was on the screen when the key was pressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrieveTarget {
    /// The slot.
    pub slot: SlotId,
    /// What was on the screen.
    pub seen: ParkedCall,
    /// How the call is going to be recognised.
    pub strength: Strength,
    /// The dialog to replace, where the server told it.
    pub key: Option<DialogKey>,
}

/// Where a call stands. Anything asked for but not yet confirmed by the server has a phase of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Rings here.
    Ringing,
    /// We answered; the media isn't up yet.
    Answering,
    /// We dialled; nothing rings yet.
    Dialling,
    /// It rings at the other end.
    RingingThere,
    /// We asked the server for a parked call.
    Retrieving {
        /// What for.
        target: RetrieveTarget,
    },
    /// The server answered our retrieve; who it is isn't proven. The microphone is closed.
    Verifying {
        /// What for.
        target: RetrieveTarget,
        /// When the wait for proof ends.
        until: Moment,
    },
    /// A stranger was in the slot; he is on his way back. The microphone is closed.
    PuttingBack {
        /// Where he came from.
        slot: SlotId,
    },
    /// Both can hear each other.
    Talking,
    /// Hold was asked for.
    Holding,
    /// On hold.
    Held,
    /// Resume was asked for.
    Resuming,
    /// Park was asked for; nothing proven.
    Parking {
        /// The slot named, if one was.
        slot: Option<SlotId>,
        /// Whether the call was on hold before, to be put there again if the park fails.
        was_held: bool,
    },
    /// Blind transfer was asked for.
    Transferring {
        /// Where to.
        to: Text,
        /// Whether the call was on hold before.
        was_held: bool,
    },
}

/// A parked call that came back to its parker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comeback {
    /// The slot it was in, where that is known.
    pub slot: Option<SlotId>,
    /// Seconds it was parked.
    pub waited_s: u32,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its number here.
    pub id: CallId,
    /// The line that it came by or goes out by. Never changes: the call is known to no other server.
    pub line: LineId,
    /// Who began it.
    pub direction: Direction,
    /// Where it stands.
    pub phase: Phase,
    /// Who is at the other end.
    pub party: Identity,
    /// The line that was called, or the number that we dialled.
    pub called: Text,
    /// Since when the phase is what it is.
    pub since: Moment,
    /// Since when this caller has been waiting or, once answered, talking.
    pub waiting_since: Moment,
    /// The note that stays with the caller.
    pub note: Text,
    /// Set when this call came back from a slot.
    pub comeback: Option<Comeback>,
    /// How sure we are of who this is, when it was retrieved.
    pub strength: Option<Strength>,
    /// Who the server said this is before it answered our retrieve (packets overtake each other).
    pub told: Option<Identity>,
    /// What else is worth knowing: where it was diverted from or to.
    pub remark: Text,
    /// Digits typed into the call, newest last, at most 32.
    pub digits: String,
    /// Who could listen in.
    #[serde(default)]
    pub security: Security,
    /// Whether a park or a transfer of it has failed and the operator has not said since that he is there: he hears the
    /// caller, but whoever stands beside him is not to be heard by a caller whom everybody believed parked.
    #[serde(default)]
    pub returned: bool,
    /// The caller on whose behalf this call was made.
    #[serde(default)]
    pub consult_for: Option<CallId>,
    /// How it sounds, as last measured.
    #[serde(default)]
    pub quality: Option<super::Quality>,
    /// Its recording, if it is recorded or about to be.
    #[serde(default)]
    pub recording: Option<super::Recording>,
}

impl Call {
    /// Whether sound from the other end is worth hearing in this phase.
    pub fn is_audible(&self) -> bool {
        matches!(
            self.phase,
            Phase::Answering
                | Phase::Dialling
                | Phase::RingingThere
                | Phase::Verifying { .. }
                | Phase::Talking
        )
    }

    /// Whether this call could be parked or transferred now.
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Talking | Phase::Held | Phase::Holding | Phase::Resuming)
    }

    /// Whether the operator is engaged with this call, so that another one must hold it first.
    pub fn is_engaged(&self) -> bool {
        matches!(
            self.phase,
            Phase::Answering
                | Phase::Dialling
                | Phase::RingingThere
                | Phase::Retrieving { .. }
                | Phase::Verifying { .. }
                | Phase::Talking
                | Phase::Resuming
        )
    }

    /// A slot of the lot that this call could be parked in.
    pub(super) fn slot_key(&self, id: &SlotId) -> SlotKey {
        SlotKey { line: self.line, id: id.clone() }
    }

    /// Enters a phase at `now`.
    pub(super) fn enter(&mut self, phase: Phase, now: Moment) {
        if self.phase != phase {
            self.phase = phase;
            self.since = now;
            self.returned = false;
        }
    }

    /// Comes back from a park or a transfer that has failed: to be heard, and spoken to at the operator's key.
    pub(super) fn come_back(&mut self, was_held: bool, now: Moment) {
        self.enter(if was_held { Phase::Held } else { Phase::Talking }, now);
        self.returned = !was_held;
    }

    /// Whether the operator hears this caller and is not heard.
    pub fn waits_for_key(&self) -> bool {
        self.phase == Phase::Talking && self.returned
    }
}
