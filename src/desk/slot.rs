//! One park slot as the operator sees it: the server's lamp, who is there, and what was asked of it.

use super::call::CallId;
use super::line::{LineId, SlotKey};
use super::lot::{LotId, LotKey};
use crate::parking::{Identity, Lamp, Moment, SlotId, Strength, Text};
use serde::{Deserialize, Serialize};

/// What names one parked call beyond doubt to a server that offers such a thing. Opaque to the desk.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DialogKey(pub String);

/// Who is in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedCall {
    /// The caller; withheld when the server doesn't tell and we did not park him.
    pub parkee: Identity,
    /// Who parked him; withheld when unknown.
    pub parker: Identity,
    /// Since when he has been waiting there.
    pub since: Moment,
    /// Whether `since` is only when we first saw the lamp lit.
    pub since_inferred: bool,
    /// The note.
    pub note: Text,
    /// When the lot's time is over, with whether that is inferred; `None` = never, or not known.
    pub comes_back_at: Option<(Moment, bool)>,
    /// Whether this console parked him.
    pub ours: bool,
    /// How sure a retrieve would be.
    pub strength: Strength,
    /// What names this very call to the server.
    pub key: Option<DialogKey>,
    /// The colleague whose console told who this is; empty when nobody's word but the server's and ours is in it.
    #[serde(default)]
    pub told_by: Text,
}

/// A colleague says that he is fetching this call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// His name.
    pub by: Text,
    /// His extension.
    pub number: Text,
    /// Until when that is believed without another word.
    pub until: Moment,
    /// Whether the operator was told when he pressed this slot's key himself.
    pub told: bool,
}

/// What was asked of a slot and not yet answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AskingFor {
    /// A park into it.
    Park(CallId),
    /// A retrieve from it.
    Retrieve(CallId),
    /// Its state, because the lamp was unknown or stale when its key was pressed.
    State {
        /// The call that goes in there if it turns out to be free.
        then_park: Option<CallId>,
    },
}

impl AskingFor {
    /// The call this is about.
    pub fn call(&self) -> Option<CallId> {
        match self {
            Self::Park(call) | Self::Retrieve(call) => Some(*call),
            Self::State { then_park } => *then_park,
        }
    }
}

/// A wish under way, with its deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// What for.
    pub what: AskingFor,
    /// Since when.
    pub since: Moment,
    /// When we stop waiting.
    pub until: Moment,
}

/// One slot on the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Whose lot it is in.
    pub line: LineId,
    /// Which of that line's lots.
    #[serde(default)]
    pub lot: LotId,
    /// Its extension.
    pub id: SlotId,
    /// What the server says.
    pub lamp: Lamp,
    /// What we asked. Drawn over a free lamp, never in place of the server's word.
    pub asking: Option<Asking>,
    /// Who is there.
    pub parked: Option<ParkedCall>,
    /// When the lamp was last told, or confirmed, by the server.
    pub heard_at: Option<Moment>,
    /// Until when that holds; then it is stale, unless it was confirmed before.
    #[serde(default)]
    pub fresh_until: Option<Moment>,
    /// Who is there is only remembered: the lamp was out of sight for a while, or whoever told it tells nothing any more.
    /// Somebody else may be there by now. Drawn apart, and never called verified.
    #[serde(default, alias = "hearsay")]
    pub remembered: bool,
    /// What somebody else did with this call, in words, for a few seconds.
    pub remark: Option<(Text, Moment)>,
    /// The colleague who is fetching it.
    #[serde(default)]
    pub claim: Option<Claim>,
    /// How far up the ladder its call has come, as far as that was acted upon.
    #[serde(default)]
    pub(super) escalated: super::escalation::Climbed,
}

impl Slot {
    /// A slot nothing is known of.
    pub fn new(key: SlotKey, lot: LotId) -> Self {
        let SlotKey { line, id } = key;
        Self {
            line,
            lot,
            id,
            lamp: Lamp::Unknown,
            asking: None,
            parked: None,
            heard_at: None,
            fresh_until: None,
            remembered: false,
            remark: None,
            claim: None,
            escalated: super::escalation::Climbed::default(),
        }
    }

    /// What names it on this desk.
    pub fn key(&self) -> SlotKey {
        SlotKey { line: self.line, id: self.id.clone() }
    }

    /// The lot that it is in.
    pub fn lot_key(&self) -> LotKey {
        LotKey { line: self.line, lot: self.lot }
    }

    /// Whether it is the one of this name.
    pub fn is(&self, key: &SlotKey) -> bool {
        self.line == key.line && self.id == key.id
    }

    /// Free by the server's fresh word.
    pub fn is_known_free(&self) -> bool {
        self.lamp == Lamp::Free
    }

    /// The colleague who is fetching this call now, as far as he told.
    pub fn claimed(&self, now: Moment) -> Option<&Claim> {
        self.claim.as_ref().filter(|claim| now < claim.until && self.holds_somebody())
    }

    /// Occupied by the server's fresh word.
    pub fn holds_somebody(&self) -> bool {
        matches!(self.lamp, Lamp::Parked | Lamp::RingingBack)
    }
}
