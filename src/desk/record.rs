//! What the journal keeps of a call and of a stay in a slot: plain data with wall-clock times, for the database, the
//! screen and the reports. Nothing on the board is decided by it.

use super::Quality;
use crate::parking::{Identity, SlotId, Text};
use serde::{Deserialize, Serialize};

/// A record's number: unique in a journal, and never given twice.
pub type RecordId = u64;

/// Which way a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallWay {
    /// They called.
    In,
    /// We called.
    Out,
    /// We took it from a slot.
    Retrieved,
    /// A parked call that came back here.
    CameBack,
}

/// How a call ended, or that it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It goes on.
    Open,
    /// They spoke, and we hung up.
    Ended,
    /// They spoke, and the other side hung up.
    HungUp,
    /// It rang here, and nobody answered.
    Missed,
    /// It rang here and was turned away.
    TurnedAway,
    /// It rang here and was sent elsewhere.
    Redirected,
    /// We called, and nobody answered, or the server refused.
    NotReached,
    /// We called, and gave up.
    GivenUp,
    /// It was parked.
    Parked,
    /// It was handed over.
    Transferred,
    /// It was to be retrieved, and wasn't.
    NotRetrieved,
    /// It broke off: the reason is in the detail.
    Lost,
    /// This program stopped in the middle of it.
    Interrupted,
}

impl Outcome {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 13] = [
        Self::Open,
        Self::Ended,
        Self::HungUp,
        Self::Missed,
        Self::TurnedAway,
        Self::Redirected,
        Self::NotReached,
        Self::GivenUp,
        Self::Parked,
        Self::Transferred,
        Self::NotRetrieved,
        Self::Lost,
        Self::Interrupted,
    ];

    /// The word on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "going on",
            Self::Ended => "ended",
            Self::HungUp => "they hung up",
            Self::Missed => "MISSED",
            Self::TurnedAway => "turned away",
            Self::Redirected => "sent on",
            Self::NotReached => "not reached",
            Self::GivenUp => "given up",
            Self::Parked => "parked",
            Self::Transferred => "handed over",
            Self::NotRetrieved => "not retrieved",
            Self::Lost => "LOST",
            Self::Interrupted => "cut off: the console stopped",
        }
    }

    /// Its name in the database, in JSON and in CSV.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ended => "ended",
            Self::HungUp => "hung_up",
            Self::Missed => "missed",
            Self::TurnedAway => "turned_away",
            Self::Redirected => "redirected",
            Self::NotReached => "not_reached",
            Self::GivenUp => "given_up",
            Self::Parked => "parked",
            Self::Transferred => "transferred",
            Self::NotRetrieved => "not_retrieved",
            Self::Lost => "lost",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One call. Times are milliseconds since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Its number.
    pub id: RecordId,
    /// Which account it came by or went out by.
    pub account: Text,
    /// Which way.
    pub way: CallWay,
    /// Who, as the network said.
    pub party: Identity,
    /// Who, as the directory has it; empty when it has nobody.
    pub known: Text,
    /// The line called, or what was dialled.
    pub called: Text,
    /// The slot it was taken from, came back from, or was parked in.
    pub slot: Option<SlotId>,
    /// The last note.
    pub note: Text,
    /// When it began.
    pub began_ms: u64,
    /// When it was answered, if it was.
    pub answered_ms: Option<u64>,
    /// When it was over here.
    pub ended_ms: Option<u64>,
    /// How long it was on hold here, in milliseconds, once it is over.
    pub held_ms: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// To whom or where, or why.
    pub detail: Text,
    /// How it sounded, once it is over, where sound was measured; a direction that was dead at any time is named.
    #[serde(default)]
    pub quality: Option<Quality>,
}

impl CallRecord {
    /// What to call the other side.
    pub fn label(&self) -> &str {
        if self.known.is_empty() { self.party.label() } else { self.known.as_str() }
    }

    /// How long the caller waited to be answered, in milliseconds: until now, or until it was over.
    pub fn waited_ms(&self, now_ms: u64) -> u64 {
        let until = self.answered_ms.or(self.ended_ms).unwrap_or(now_ms);
        until.saturating_sub(self.began_ms)
    }

    /// How long it was up, in milliseconds; 0 when it never was.
    pub fn talked_ms(&self, now_ms: u64) -> u64 {
        self.answered_ms.map_or(0, |from| self.ended_ms.unwrap_or(now_ms).saturating_sub(from))
    }

    /// How it sounded, in words: "MOS 4.2, worst 3.1"; empty where nothing was measured.
    pub fn sounded(&self) -> String {
        let mos = |hundredths: u16| f32::from(hundredths) / 100.0;
        self.quality.map_or_else(String::new, |quality| {
            let (whole, worst) = (quality.mos_of_call_hundredths, quality.mos_worst_hundredths);
            let dead =
                quality.one_way.map_or_else(String::new, |dead| format!(", {}", dead.mark().to_lowercase()));
            format!("MOS {:.1}, worst {:.1}{dead}", mos(whole), mos(worst))
        })
    }

    /// Whether a caller was not spoken to, and nobody has seen to it that somebody else does.
    pub fn is_missed(&self) -> bool {
        matches!(self.way, CallWay::In | CallWay::CameBack) && self.outcome == Outcome::Missed
    }
}

/// What became of a parked call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is parked still.
    Waiting,
    /// Retrieved at this desk.
    RetrievedHere,
    /// Retrieved by somebody else, who is named where that is known.
    RetrievedElsewhere,
    /// It came back to its parker.
    CameBack,
    /// The caller hung up.
    GaveUp,
    /// It left the slot, and the server doesn't say why: taken elsewhere, or hung up.
    Left,
}

impl Fate {
    /// Its name in the database, in JSON and in CSV.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::RetrievedHere => "retrieved_here",
            Self::RetrievedElsewhere => "retrieved_elsewhere",
            Self::CameBack => "came_back",
            Self::GaveUp => "gave_up",
            Self::Left => "left",
        }
    }
}

/// One stay in a slot. Times are milliseconds since 1970, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkRecord {
    /// Its number.
    pub id: RecordId,
    /// At whose server.
    pub account: Text,
    /// Where.
    pub slot: SlotId,
    /// Who.
    pub party: Identity,
    /// Who, as the directory has it.
    pub known: Text,
    /// Who parked him.
    pub parker: Identity,
    /// Whether that was this desk.
    pub ours: bool,
    /// The last note.
    pub note: Text,
    /// Since when.
    pub parked_ms: u64,
    /// Until when.
    pub left_ms: Option<u64>,
    /// What became of him.
    pub fate: Fate,
    /// By whom he was retrieved, where that is known.
    pub by: Text,
}

impl ParkRecord {
    /// What to call him.
    pub fn label(&self) -> &str {
        if self.known.is_empty() { self.party.label() } else { self.known.as_str() }
    }

    /// How long he waited, in milliseconds.
    pub fn waited_ms(&self, now_ms: u64) -> u64 {
        self.left_ms.unwrap_or(now_ms).saturating_sub(self.parked_ms)
    }
}

/// Something new for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A call began, went on or ended.
    Call(CallRecord),
    /// Somebody was parked, or left.
    Park(ParkRecord),
}

impl Entry {
    /// Its number.
    pub fn id(&self) -> RecordId {
        match self {
            Self::Call(record) => record.id,
            Self::Park(record) => record.id,
        }
    }
}
