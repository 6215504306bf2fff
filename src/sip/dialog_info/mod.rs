//! dialog-info documents (RFC 4235): who is in a dialog with whom, as servers tell watchers and as our lot does.
//! What these documents mean for a lamp is decided elsewhere; here they are read within limits, and written.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{MAX_BODY, MAX_DEPTH, MAX_DIALOGS, read};
pub use write::write;

/// The Content-Type of these documents.
pub const CONTENT_TYPE: &str = "application/dialog-info+xml";
/// The namespace of what RFC 4235 has no place for: a parked call's note and its seconds in the slot.
pub const PARKDECK_NAMESPACE: &str = "urn:x-parkdeck:dialog-info";

/// One document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialogInfo {
    /// One more in every document of a subscription.
    pub version: u32,
    /// Whether every dialog is listed, or only those that changed.
    pub full: bool,
    /// The URI that is watched; empty if the document named none.
    pub entity: String,
    /// The dialogs; none means that the entity is idle.
    pub dialogs: Vec<DialogElement>,
}

/// One dialog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialogElement {
    /// The same for this dialog in all documents of a subscription.
    pub id: String,
    /// Call-ID.
    pub call_id: Option<String>,
    /// The watched side's tag.
    pub local_tag: Option<String>,
    /// The other side's tag.
    pub remote_tag: Option<String>,
    /// Whether the watched side called or was called.
    pub direction: Option<Direction>,
    /// How far the dialog is.
    pub state: DialogState,
    /// The watched side.
    pub local: Option<Party>,
    /// The other side: for a slot, the parked caller.
    pub remote: Option<Party>,
    /// Who brought the dialog about: for a slot, who parked it.
    pub referred_by: Option<Party>,
    /// For how many seconds the dialog has been there; for a slot, parked.
    pub duration_s: Option<u32>,
    /// What was written down about a parked call (our own element).
    pub note: Option<String>,
}

/// Which side began the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The watched side called.
    Initiator,
    /// The watched side was called.
    Recipient,
}

/// How far a dialog is (RFC 4235 3.7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DialogState {
    /// An INVITE was sent, nothing came back.
    Trying,
    /// A provisional answer without a tag.
    Proceeding,
    /// It rings.
    Early,
    /// It was answered.
    Confirmed,
    /// It is over, or there is none.
    #[default]
    Terminated,
}

impl DialogState {
    const ALL: [Self; 5] = [Self::Trying, Self::Proceeding, Self::Early, Self::Confirmed, Self::Terminated];

    /// The word in the document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Proceeding => "proceeding",
            Self::Early => "early",
            Self::Confirmed => "confirmed",
            Self::Terminated => "terminated",
        }
    }

    fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word().eq_ignore_ascii_case(word))
    }
}

/// One side of a dialog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// Display name; hostile text for all we know.
    pub display: Option<String>,
    /// The identity's URI as it was written; empty if there was none.
    pub uri: String,
    /// The URI to reach this side by.
    pub target: Option<String>,
    /// Parameters of the target (`+sip.rendering` …).
    pub params: Vec<(String, String)>,
}
