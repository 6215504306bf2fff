//! The early dialogs of our INVITE: a proxy may ring several phones, each with a tag, a route and a sound of its own
//! (RFC 3261 12.1.2, 13.2.2.4).

use super::super::{CallKey, UserAgent};
use super::{Call, Phase};
use crate::sip::Peer;
use crate::sip::dialog::Dialog;
use crate::sip::message::Response;

/// How many branches of one INVITE are told apart, and acknowledged; those of more are not heard.
pub(super) const MAX_FORKS: usize = 16;

/// One branch that has spoken.
#[derive(Debug)]
pub(in super::super) struct Fork {
    /// From 1, in the order in which they were first heard.
    pub(super) number: u32,
    pub(super) dialog: Dialog,
    /// RSeq of its last reliable response (RFC 3262 4).
    pub(super) rseq: Option<u32>,
    /// The description that it gave before the final answer.
    pub(super) sdp: Option<Vec<u8>>,
    /// Whether that was given reliably: our offer has its answer.
    pub(super) agreed: bool,
}

impl Call {
    /// The dialog that the owner means: of a call that rings at several places the one heard last.
    pub(super) fn current(&self) -> &Dialog {
        let calling = matches!(self.phase, Phase::Calling { .. });
        let fork = self.forks.iter().find(|fork| calling && fork.number == self.latest);
        fork.map_or(&self.dialog, |fork| &fork.dialog)
    }

    /// The dialog with the far end of that tag.
    pub(super) fn dialog_with(&mut self, tag: &str) -> Option<&mut Dialog> {
        if matches!(self.phase, Phase::Calling { .. }) {
            return self.fork_mut(tag).map(|fork| &mut fork.dialog);
        }
        self.dialog.is_with(tag).then_some(&mut self.dialog)
    }

    /// The dialog of the branch of that number.
    pub(in super::super) fn dialog_of(&mut self, number: u32) -> Option<&mut Dialog> {
        self.forks.iter_mut().find(|fork| fork.number == number).map(|fork| &mut fork.dialog)
    }

    pub(super) fn fork_mut(&mut self, tag: &str) -> Option<&mut Fork> {
        self.forks.iter_mut().find(|fork| fork.dialog.is_with(tag))
    }

    pub(super) fn is_with(&self, tag: &str) -> bool {
        let calling = matches!(self.phase, Phase::Calling { .. });
        self.dialog.is_with(tag) || (calling && self.forks.iter().any(|fork| fork.dialog.is_with(tag)))
    }

    /// The branch with that tag, begun by `learn` if it was not heard before. `None` when there are too many.
    pub(super) fn meet(&mut self, tag: &str, learn: impl FnOnce(&mut Dialog)) -> Option<&mut Fork> {
        let at = self.forks.iter().position(|fork| fork.dialog.is_with(tag));
        let at = match at {
            Some(at) => at,
            None if self.forks.len() >= MAX_FORKS => return None,
            None => {
                let mut dialog = self.dialog.clone();
                learn(&mut dialog);
                self.heard_forks += 1;
                let number = self.heard_forks;
                // They stay as long as the call, most often one: no room for more than there are.
                self.forks.reserve_exact(1);
                self.forks.push(Fork { number, dialog, rseq: None, sdp: None, agreed: false });
                self.forks.len() - 1
            }
        };
        let fork = self.forks.get_mut(at)?;
        self.latest = fork.number;
        Some(fork)
    }

    /// The same for whoever sent this response; `None` if it names nobody.
    pub(super) fn meet_sender(&mut self, response: &Response, from: Peer) -> Option<&mut Fork> {
        let to = response.headers.to()?;
        let fork = self.meet(to.tag()?, |dialog| dialog.learn(response, from))?;
        fork.dialog.refresh_target(&response.headers);
        Some(fork)
    }
}

impl UserAgent {
    /// How many branches of our INVITE are heard at the moment.
    pub fn forks(&self, call: CallKey) -> usize {
        self.calls.get(&call).map_or(0, |call| call.forks.len())
    }
}
