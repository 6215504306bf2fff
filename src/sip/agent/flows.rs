//! Connections as the agent sees them (RFC 3261 18, RFC 5626): what they bring, and which of them are worth keeping.

use super::UserAgent;
use crate::sip::{Moment, Peer};
use std::collections::VecDeque;

/// How many connections an agent looks after; one more is closed at once.
pub const MAX_FLOWS: usize = 16_384;

/// Whether a connection is encrypted and its far end proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secured {
    /// Plain TCP.
    No,
    /// TLS.
    Tls,
}

/// All connections of one agent.
#[derive(Debug, Default)]
pub(super) struct Flows {
    closing: VecDeque<Peer>,
}

impl UserAgent {
    /// A connection is up, whoever opened it.
    pub fn flow_opened(&mut self, now: Moment, peer: Peer, secured: Secured) {
        let _ = (now, peer, secured);
    }

    /// Takes what a connection brought, sliced in any way.
    pub fn receive_stream(&mut self, now: Moment, from: Peer, bytes: &[u8]) {
        let _ = (now, from, bytes);
    }

    /// A connection is gone, or could not be opened; `reason` says why, in words for people.
    pub fn flow_closed(&mut self, now: Moment, peer: Peer, reason: &str) {
        let _ = (now, peer, reason);
    }

    /// The next connection that is to be closed. What was to be sent on it before is sent first.
    pub fn poll_close(&mut self) -> Option<Peer> {
        self.flows.closing.pop_front()
    }
}
