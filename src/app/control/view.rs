//! The desk as other programs see it: names that stay, no matter what the desk is like inside.

use crate::desk::{Call, Desk, Direction, Phase, Registration, Slot};
use crate::parking::Lamp;
use serde::{Deserialize, Serialize};

/// Everything on the board.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct View {
    /// The accounts.
    pub accounts: Vec<AccountView>,
    /// The calls, in the order in which they came.
    pub calls: Vec<CallView>,
    /// The slots.
    pub slots: Vec<SlotView>,
    /// The number of the call in hand.
    pub in_hand: Option<u64>,
    /// Whether the microphone is muted.
    pub muted: bool,
    /// Whether new calls are turned away.
    pub do_not_disturb: bool,
    /// Whether new calls go where they go at night.
    pub night: bool,
}

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct AccountView {
    /// What the board calls it.
    pub name: String,
    /// Whether it is registered.
    pub registered: bool,
    /// Round trip of the last answered probe in ms; absent while the server does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<u32>,
}

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct CallView {
    /// Its number, by which it is named.
    pub call: u64,
    /// The account.
    pub account: String,
    /// `in` or `out`.
    pub direction: String,
    /// `ringing`, `answering`, `dialling`, `ringing_there`, `retrieving`, `verifying`, `putting_back`, `talking`,
    /// `holding`, `held`, `resuming`, `parking` or `transferring`.
    pub state: String,
    /// What the board calls the other side.
    pub label: String,
    /// The name that the network sent.
    pub name: String,
    /// The number.
    pub number: String,
    /// The line called, or what was dialled.
    pub called: String,
    /// The note.
    pub note: String,
    /// Seconds in this state.
    pub seconds: u64,
    /// Seconds since the caller began to wait.
    pub waiting: u64,
    /// The slot it came back from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_back_from: Option<String>,
}

/// One slot.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct SlotView {
    /// Its extension.
    pub slot: String,
    /// The account.
    pub account: String,
    /// The lot that it is in.
    #[serde(default)]
    pub lot: String,
    /// `unknown`, `free`, `parked`, `ringing_back`, `stale` or `refused`.
    pub lamp: String,
    /// Who is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<ParkedView>,
}

/// Who is in a slot.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct ParkedView {
    /// What the board calls him.
    pub label: String,
    /// His number.
    pub number: String,
    /// Who parked him.
    pub parker: String,
    /// The note.
    pub note: String,
    /// Seconds parked.
    pub seconds: u64,
    /// `exact`, `verified` or `unverified`.
    pub strength: String,
}

impl View {
    /// The board as it is now.
    pub fn of(desk: &Desk) -> Self {
        let account = |line: &crate::desk::Line| AccountView {
            name: line.account.called().to_owned(),
            registered: line.account.registration == Registration::Registered,
            round_trip_ms: line.account.round_trip_ms,
        };
        Self {
            accounts: desk.lines.iter().map(account).collect(),
            calls: desk.calls.iter().map(|call| CallView::of(desk, call)).collect(),
            slots: desk.slots.iter().map(|slot| SlotView::of(desk, slot)).collect(),
            in_hand: desk.in_hand.map(|call| call.0),
            muted: desk.sound.muted,
            do_not_disturb: desk.presence.do_not_disturb,
            night: desk.presence.night,
        }
    }
}

impl CallView {
    fn of(desk: &Desk, call: &Call) -> Self {
        Self {
            call: call.id.0,
            account: desk.line(call.line).map(|l| l.account.called().to_owned()).unwrap_or_default(),
            direction: if call.direction == Direction::Inbound { "in" } else { "out" }.to_owned(),
            state: state(&call.phase).to_owned(),
            label: desk.label(&call.party).to_owned(),
            name: call.party.name.to_string(),
            number: call.party.number.to_string(),
            called: call.called.to_string(),
            note: call.note.to_string(),
            seconds: desk.now.saturating_sub(call.since).as_secs(),
            waiting: desk.now.saturating_sub(call.waiting_since).as_secs(),
            came_back_from: call
                .comeback
                .as_ref()
                .and_then(|back| back.slot.as_ref())
                .map(ToString::to_string),
        }
    }

    /// Without what time alone changes.
    pub(super) fn timeless(&self) -> Self {
        Self { seconds: 0, waiting: 0, ..self.clone() }
    }
}

impl SlotView {
    fn of(desk: &Desk, slot: &Slot) -> Self {
        let parked = slot.parked.as_ref().filter(|_| slot.holds_somebody());
        Self {
            slot: slot.id.to_string(),
            account: desk.line(slot.line).map(|l| l.account.called().to_owned()).unwrap_or_default(),
            lot: desk.lot(slot.lot_key()).map(|lot| lot.name.to_string()).unwrap_or_default(),
            lamp: lamp(&slot.lamp).to_owned(),
            parked: parked.map(|parked| ParkedView {
                label: desk.label(&parked.parkee).to_owned(),
                number: parked.parkee.number.to_string(),
                parker: desk.label(&parked.parker).to_owned(),
                note: parked.note.to_string(),
                seconds: desk.now.saturating_sub(parked.since).as_secs(),
                strength: parked.strength.word().to_owned(),
            }),
        }
    }

    /// Without what time alone changes.
    pub(super) fn timeless(&self) -> Self {
        let parked = self.parked.clone().map(|parked| ParkedView { seconds: 0, ..parked });
        Self { parked, ..self.clone() }
    }
}

fn state(phase: &Phase) -> &'static str {
    match phase {
        Phase::Ringing => "ringing",
        Phase::Answering => "answering",
        Phase::Dialling => "dialling",
        Phase::RingingThere => "ringing_there",
        Phase::Retrieving { .. } => "retrieving",
        Phase::Verifying { .. } => "verifying",
        Phase::PuttingBack { .. } => "putting_back",
        Phase::Talking => "talking",
        Phase::Holding => "holding",
        Phase::Held => "held",
        Phase::Resuming => "resuming",
        Phase::Parking { .. } => "parking",
        Phase::Transferring { .. } => "transferring",
    }
}

fn lamp(lamp: &Lamp) -> &'static str {
    match lamp {
        Lamp::Unknown => "unknown",
        Lamp::Free => "free",
        Lamp::Parked => "parked",
        Lamp::RingingBack => "ringing_back",
        Lamp::Stale { .. } => "stale",
        Lamp::Refused { .. } => "refused",
    }
}
