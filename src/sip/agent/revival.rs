//! Calls and watchers of a process that is gone, taken up by this one: the owner wrote them down, and gives them back.
//! The far end sees the same dialog go on.

use super::call::{Call, Phase};
use super::watcher::Watcher;
use super::{AccountKey, CallKey, MAX_CALLS, MAX_WATCHERS, Usage, UserAgent, WatcherKey, Why};
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::dialog::{Dialog, SavedDialog};
use crate::sip::message::{Method, Response};
use crate::sip::transaction::cancel_of;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest `o=` line that is read back.
const MAX_ORIGIN: usize = 256;

/// A confirmed call as it is written down. No description stands in it, for those may have keys; only whose it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedCall {
    /// Its dialog.
    pub dialog: SavedDialog,
    is_caller: bool,
    contact_user: String,
    /// The `o=` line of what we described last: the next description goes on from its version (RFC 3264 8).
    origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allows: Option<Vec<String>>,
    /// Our 2xx, if no ACK had come for it: the far end may not have heard it, and until it has, it takes no INVITE of
    /// ours (RFC 3261 14.2), so it is to be repeated first. None where it had keys, or went over a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unacknowledged: Option<String>,
}

impl SavedCall {
    /// The session that our descriptions name (RFC 8866 5.2): the next one must name the same.
    pub fn session_id(&self) -> Option<u64> {
        self.origin.strip_prefix("o=")?.split(' ').nth(1)?.parse().ok()
    }
}

/// Somebody who watches us, as he is written down. His time is the owner's to keep: wall clocks are not known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedWatcher {
    /// His dialog.
    pub dialog: SavedDialog,
    contact_user: String,
    event: String,
    #[serde(default)]
    list: bool,
    granted_s: u32,
}

impl SavedWatcher {
    /// The value of Event, with its id.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Whether he watches a list (RFC 4662).
    pub fn is_of_list(&self) -> bool {
        self.list
    }
}

impl UserAgent {
    /// A call to be written down; `None` unless both sides have agreed on it and it still goes on.
    pub fn save_call(&self, call: CallKey) -> Option<SavedCall> {
        let unacknowledged = self.unacknowledged(call);
        let call = self.calls.get(&call)?;
        if call.ended || !matches!(call.phase, Phase::Accepted | Phase::Confirmed) {
            return None;
        }
        let said = if call.sent_sdp.is_empty() { &call.local_sdp } else { &call.sent_sdp };
        let origin = said.split(|b| *b == b'\n').find(|line| line.starts_with(b"o=")).unwrap_or_default();
        Some(SavedCall {
            dialog: call.dialog.saved()?,
            is_caller: call.is_caller,
            contact_user: call.contact_user.clone(),
            origin: String::from_utf8_lossy(origin.trim_ascii_end()).into_owned(),
            allows: call.peer_allows.clone(),
            unacknowledged,
        })
    }

    /// The 2xx to the INVITE of a call, as long as its ACK has not come.
    fn unacknowledged(&self, call: CallKey) -> Option<String> {
        let call = self.calls.get(&call)?;
        if call.inherited_answer.is_some() {
            return call.inherited_answer.clone();
        }
        if call.phase != Phase::Accepted || call.dialog.peer.transport.is_reliable() {
            return None;
        }
        let server = call.inbound.as_ref()?.server;
        let answer = String::from_utf8(self.transactions.last_response(server)?.to_vec()).ok()?;
        let has_keys = answer.contains("a=crypto") || answer.contains("a=key-mgmt");
        (answer.starts_with("SIP/2.0 2") && !has_keys).then_some(answer)
    }

    /// Goes on with a call that was written down, as a confirmed one. Nothing is sent: whether the far end is still
    /// there shows when the owner offers it new sound (`reoffer`), which it needs after a restart anyway. `None` when it
    /// can't be a call, there are [`MAX_CALLS`], or its dialog is here already.
    pub fn adopt_call(&mut self, saved: &SavedCall) -> Option<CallKey> {
        let dialog = Dialog::restored(&saved.dialog)?;
        let words = (dialog.call_id.clone(), dialog.local_tag.clone());
        if self.calls.len() >= MAX_CALLS || self.dialogs.contains_key(&words) {
            return None;
        }
        let key = CallKey(self.next_key());
        let mut call = Call::new(None, saved.is_caller, dialog, Phase::Confirmed);
        call.contact_user.clone_from(&saved.contact_user);
        call.peer_allows.clone_from(&saved.allows);
        if saved.origin.len() <= MAX_ORIGIN {
            call.sent_sdp = format!("{}\r\n", saved.origin).into_bytes();
        }
        call.inherited_cseq = call.dialog.local_cseq;
        call.inherited_answer.clone_from(&saved.unacknowledged);
        self.dialogs.insert(words, Usage::Call(key));
        self.calls.insert(key, call);
        Some(key)
    }

    /// The INVITE of a call that came in and is not answered, with where it came from: without credentials and description.
    pub fn unanswered_invite(&self, call: CallKey) -> Option<(Peer, Vec<u8>)> {
        let held = self.calls.get(&call).filter(|call| matches!(call.phase, Phase::Ringing))?;
        let mut invite = held.inbound.as_ref()?.request.clone();
        invite.body.clear();
        for name in
            ["Authorization", "Proxy-Authorization", "Content-Type", "Content-Length", "Content-Encoding"]
        {
            invite.headers.remove(name);
        }
        Some((held.dialog.peer, invite.to_bytes()))
    }

    /// The CANCEL of a call of ours that is not answered (RFC 3261 9.1), with where it goes.
    pub fn cancellation(&self, call: CallKey) -> Option<(Peer, Vec<u8>)> {
        let held = self.calls.get(&call).filter(|call| matches!(call.phase, Phase::Calling { .. }))?;
        let (invite, to) = self.transactions.request_of(held.invite?)?;
        Some((to, cancel_of(invite).to_bytes()))
    }

    /// Repeats the answer of the process before us, unless the far end has shown that it heard it.
    pub fn repeat_answer(&mut self, call: CallKey) {
        let Some(call) = self.calls.get(&call).filter(|call| !call.ended) else { return };
        if let Some(answer) = &call.inherited_answer {
            self.transactions.transmit(call.dialog.peer, answer.clone().into_bytes());
        }
    }

    /// Sends a message that another process has written, once and as it is.
    pub fn send_written(&mut self, to: Peer, message: Vec<u8>) {
        self.transactions.transmit(to, message);
    }

    /// From now on the call is this account's: its server's challenges are answered.
    pub fn assign_call(&mut self, call: CallKey, account: AccountKey) {
        if let Some(call) = self.calls.get_mut(&call) {
            call.account = Some(account);
        }
    }

    /// A watcher to be written down, with the moment at which his time is over; `None` when he is gone or leaves.
    pub fn save_watcher(&self, watcher: WatcherKey) -> Option<(SavedWatcher, Moment)> {
        let held = self.watchers.get(&watcher).filter(|held| held.farewell.is_none())?;
        let saved = SavedWatcher {
            dialog: held.dialog.saved()?,
            contact_user: held.contact_user.clone(),
            event: held.event.clone(),
            list: held.list,
            granted_s: held.granted_s,
        };
        Some((saved, held.ends))
    }

    /// Goes on with a watcher who was written down, until `ends`; `notify` him the full state. `None` when he can't be
    /// one, his time is over, there are [`MAX_WATCHERS`], or his dialog is here already.
    pub fn adopt_watcher(&mut self, now: Moment, saved: &SavedWatcher, ends: Moment) -> Option<WatcherKey> {
        let dialog = Dialog::restored(&saved.dialog)?.bound_to_peer();
        let words = (dialog.call_id.clone(), dialog.local_tag.clone());
        let ends = ends.min(now + Duration::from_secs(saved.granted_s.into()));
        if ends <= now || self.watchers.len() >= MAX_WATCHERS || self.dialogs.contains_key(&words) {
            return None;
        }
        let key = WatcherKey(self.next_key());
        let lapse = Some(self.alarms.set(ends, Why::WatcherLapses(key)));
        self.dialogs.insert(words, Usage::Watcher(key));
        let (user, event) = (saved.contact_user.clone(), saved.event.clone());
        self.watchers
            .insert(key, Watcher::restored(dialog, user, event, saved.list, saved.granted_s, ends, lapse));
        Some(key)
    }

    /// A 2xx to a re-INVITE of the process before us: nobody else is left to acknowledge it, and until that is done the
    /// far end takes no other INVITE (RFC 3261 13.2.2.4, 14.2). True if it was one.
    pub(super) fn is_inherited(&mut self, from: Peer, response: &Response) -> bool {
        if !(200..300).contains(&response.status) {
            return false;
        }
        let headers = &response.headers;
        let Some((number, Method::Invite)) = headers.cseq() else { return false };
        let (Some(call_id), Some(local)) = (headers.call_id(), headers.from()) else { return false };
        let words = (call_id.to_owned(), local.tag().unwrap_or_default().to_owned());
        let Some(Usage::Call(key)) = self.dialogs.get(&words).copied() else { return false };
        let Some(call) = self.calls.get(&key) else { return false };
        if number > call.inherited_cseq || call.dialog.is_elsewhere(from) {
            return false;
        }
        let (mut ack, to) = call.dialog.request_numbered(Method::Ack, number);
        self.add_via(&mut ack, to);
        self.transactions.transmit(to, ack.to_bytes());
        true
    }

    /// Whether there is a connection to `peer`.
    pub fn has_flow(&self, peer: Peer) -> bool {
        self.flows.knows(peer)
    }

    /// Where a watcher is told.
    pub fn watcher_address(&self, watcher: WatcherKey) -> Option<Peer> {
        Some(self.watchers.get(&watcher)?.dialog.peer)
    }
}
