//! A dialog as it is written down, so that another process can go on with it: everything that RFC 3261 12 calls its
//! state, as text. Read back as carefully as anything from a file: what can't be a dialog is none.

use super::Dialog;
use crate::sip::Peer;
use crate::sip::message::{NameAddr, Uri};
use serde::{Deserialize, Serialize};

/// By how much our numbers leap over those that may have been used since the dialog was written down. Gaps are allowed
/// (RFC 3261 12.2.2), numbers that fall back are not; small enough that nobody takes it for another dialog's number.
const CSEQ_LEAP: u32 = 10_000;
/// The most routes that are read back.
const MAX_ROUTES: usize = 32;

/// The state of a dialog (RFC 3261 12). Its tags are authority over the call: a file that has them is its owner's alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedDialog {
    call_id: String,
    local_tag: String,
    remote_tag: String,
    /// From of our requests, tag included.
    local: String,
    /// To of our requests, without the tag.
    remote: String,
    local_cseq: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote_cseq: Option<u32>,
    target: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    routes: Vec<String>,
    peer: String,
    bound: bool,
}

impl SavedDialog {
    /// The Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Where the far end was.
    pub fn peer(&self) -> Option<Peer> {
        self.peer.parse().ok()
    }

    /// Whether its requests go by way of proxies (RFC 3261 16.6: Record-Route).
    pub fn is_routed(&self) -> bool {
        !self.routes.is_empty()
    }
}

impl Dialog {
    /// The dialog to be written down; `None` while the far end has no tag.
    pub(crate) fn saved(&self) -> Option<SavedDialog> {
        Some(SavedDialog {
            call_id: self.call_id.clone(),
            local_tag: self.local_tag.clone(),
            remote_tag: self.remote_tag.clone()?,
            local: self.local.to_string(),
            remote: self.remote.to_string(),
            local_cseq: self.local_cseq,
            remote_cseq: self.remote_cseq,
            target: self.remote_target.to_string(),
            routes: self.route_set.iter().map(ToString::to_string).collect(),
            peer: self.peer.to_string(),
            bound: self.bound,
        })
    }

    /// The dialog that was written down, its numbers ahead of any that were used since. `None` when it can't be one.
    pub(crate) fn restored(saved: &SavedDialog) -> Option<Self> {
        let local = NameAddr::parse(&saved.local)?;
        let routes: Option<Vec<NameAddr>> =
            saved.routes.iter().take(MAX_ROUTES + 1).map(|route| NameAddr::parse(route)).collect();
        let route_set = routes.filter(|routes| routes.len() <= MAX_ROUTES)?;
        let whole = !saved.call_id.is_empty() && !saved.local_tag.is_empty();
        if !whole || local.tag() != Some(saved.local_tag.as_str()) {
            return None;
        }
        Some(Self {
            call_id: saved.call_id.clone(),
            local_tag: saved.local_tag.clone(),
            remote_tag: Some(saved.remote_tag.clone()),
            local,
            remote: NameAddr::parse(&saved.remote)?,
            local_cseq: saved.local_cseq.saturating_add(CSEQ_LEAP),
            remote_cseq: saved.remote_cseq,
            remote_target: Uri::parse(&saved.target)?,
            route_set,
            peer: saved.peer()?,
            follows_target: !saved.bound,
            bound: saved.bound,
        })
    }
}
