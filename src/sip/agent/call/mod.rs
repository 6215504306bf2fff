//! Calls: one INVITE dialog each, caller's or callee's side, from the first INVITE until nothing of it is left.
//!
//! `Phase` says how far the dialog is; `Inbound` is the far end's INVITE or UPDATE that we have yet to answer or to see
//! acknowledged; wishes of ours (`wishes.rs`) wait until neither side has an INVITE under way.

mod callee;
mod caller;
mod description;
mod early;
mod ending;
mod forks;
mod inside;
mod redirect;
mod reliable;
mod session;
mod wishes;

use super::{AccountKey, CallKey, DialogId, EndCause, Event, ReferKey, Usage, UserAgent};
use crate::sip::Peer;
use crate::sip::alarms::Alarm;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Request, Uri};
use crate::sip::reason::Reason;
use crate::sip::replaces::Replaces;
use crate::sip::target_dialog::TargetDialog;
use crate::sip::transaction::{ClientId, ServerId};
use forks::Fork;
use redirect::Redirects;
use reliable::{EarlyOffer, Reliable};
pub use session::MIN_SESSION_S;
use session::Session;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;
pub(super) use wishes::Wish;

/// How far a call's dialog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Our INVITE has no final answer.
    Calling {
        /// Whether a provisional response came: only then may it be cancelled (RFC 3261 9.1).
        heard: bool,
        /// Whether it is to be, or has been, cancelled.
        cancelled: bool,
    },
    /// Their INVITE has no final answer.
    Ringing,
    /// Our 2xx has no ACK.
    Accepted,
    /// Both sides agree.
    Confirmed,
    /// The dialog is over: BYE sent or received, or it was never made.
    Over,
}

/// The far end's INVITE or UPDATE in hand.
pub(super) struct Inbound {
    pub(super) server: ServerId,
    pub(super) request: Request,
    /// Whether our 2xx is out and the ACK awaited.
    pub(super) accepted: bool,
    /// Until the next repetition of that 2xx.
    pub(super) interval: Duration,
    /// Whether offer and answer were complete before the 2xx.
    pub(super) agreed_early: bool,
    /// How we ring where the caller requires that it arrives.
    pub(super) reliable: Option<Box<Reliable>>,
    /// Repeats the 2xx, or the ringing.
    pub(super) repeat: Option<Alarm>,
    /// Ends the waiting for the ACK, or for the owner.
    pub(super) lapse: Option<Alarm>,
}

/// A description and headers for a 2xx.
pub(super) type AnswerDue = (Vec<u8>, Vec<(String, String)>);

/// A call.
pub(super) struct Call {
    pub(super) account: Option<AccountKey>,
    /// Whether the dialog began with our INVITE; decides whose back-off is longer (RFC 3261 14.1).
    pub(super) is_caller: bool,
    /// Until our INVITE is answered the makings of one: its early dialogs are `forks`.
    pub(super) dialog: Dialog,
    pub(super) forks: Vec<Fork>,
    /// The branch that was heard last, and how many there were.
    pub(super) latest: u32,
    pub(super) heard_forks: u32,
    pub(super) phase: Phase,
    /// Whether `CallEnded` was told: what still happens is between us and the far end.
    pub(super) ended: bool,
    /// Our INVITE or re-INVITE under way.
    pub(super) invite: Option<ClientId>,
    pub(super) inbound: Option<Inbound>,
    /// Our user part in Contact.
    pub(super) contact_user: String,
    /// What our last offer or answer said, for a re-INVITE that changes nothing.
    pub(super) local_sdp: Vec<u8>,
    /// What we said last, answered or not: the next description's version follows from it.
    pub(super) sent_sdp: Vec<u8>,
    /// Whether the far end could not take an offer of ours before the call was answered.
    pub(super) no_early_offers: bool,
    /// An offer of theirs before the call is answered.
    pub(super) early_offer: Option<Box<EarlyOffer>>,
    /// Our 2xx, while it has to wait for a PRACK.
    pub(super) answer_due: Option<AnswerDue>,
    pub(super) session: Session,
    pub(super) redirects: Redirects,
    /// Allow of the far end, if it said.
    pub(super) peer_allows: Option<Vec<String>>,
    /// The wish under way.
    pub(super) in_hand: Option<Wish>,
    pub(super) wishes: VecDeque<Wish>,
    /// How often the re-INVITE in hand met another one.
    pub(super) glares: u32,
    pub(super) glare: Option<Alarm>,
    pub(super) cancel_lapse: Option<Alarm>,
    /// Why we end it, if there is more to say than that we do.
    pub(super) farewell: Option<Reason>,
    /// BYE is due as soon as the ACK has come, or is under way.
    pub(super) bye_due: bool,
    pub(super) bye_sent: bool,
    /// REFERs that keep the dialog (RFC 5057 4).
    pub(super) refers: Vec<ReferKey>,
    /// How many REFERs were received in this dialog: from the second on they need an id (RFC 3515 2.4.6).
    pub(super) refers_received: u32,
    /// Numbers up to this one are those of a process before us; 0: there was none.
    pub(super) inherited_cseq: u32,
    /// A 2xx of the process before us that may not have been heard.
    pub(super) inherited_answer: Option<String>,
}

impl Call {
    pub(super) fn new(account: Option<AccountKey>, is_caller: bool, dialog: Dialog, phase: Phase) -> Self {
        Self {
            account,
            is_caller,
            dialog,
            forks: Vec::new(),
            latest: 0,
            heard_forks: 0,
            phase,
            ended: false,
            invite: None,
            inbound: None,
            contact_user: String::new(),
            local_sdp: Vec::new(),
            sent_sdp: Vec::new(),
            no_early_offers: false,
            early_offer: None,
            answer_due: None,
            session: Session::default(),
            redirects: Redirects::default(),
            peer_allows: None,
            in_hand: None,
            wishes: VecDeque::new(),
            glares: 0,
            glare: None,
            cancel_lapse: None,
            farewell: None,
            bye_due: false,
            bye_sent: false,
            refers: Vec::new(),
            refers_received: 0,
            inherited_cseq: 0,
            inherited_answer: None,
        }
    }

    /// Notes what the far end says it understands.
    pub(super) fn learn_abilities(&mut self, headers: &crate::sip::message::Headers) {
        let allow = headers.list("Allow");
        if !allow.is_empty() {
            self.peer_allows = Some(allow);
        }
    }

    pub(super) fn peer_takes(&self, method: &str) -> bool {
        self.peer_allows.as_ref().is_some_and(|allow| allow.iter().any(|m| m.eq_ignore_ascii_case(method)))
    }
}

impl UserAgent {
    /// The Call-ID of a call, while it is kept.
    pub fn call_id(&self, call: CallKey) -> Option<&str> {
        self.calls.get(&call).map(|call| call.dialog.call_id.as_str())
    }

    /// A call's dialog, bound to its peer where the owner wants that.
    fn bind(&self, dialog: Dialog) -> Dialog {
        if self.config.bound_to_peer { dialog.bound_to_peer() } else { dialog }
    }

    /// The three words that name a call's dialog; `None` while the far end has no tag.
    pub fn dialog_id(&self, call: CallKey) -> Option<DialogId> {
        let dialog = self.calls.get(&call)?.current();
        Some(DialogId {
            call_id: dialog.call_id.clone(),
            local_tag: dialog.local_tag.clone(),
            remote_tag: dialog.remote_tag.clone()?,
        })
    }

    /// The call that a Replaces header means (RFC 3891 3), if it lives. Whether it may be replaced is the owner's matter.
    pub fn find_call(&self, replaces: &Replaces) -> Option<CallKey> {
        let words = (replaces.call_id.clone(), replaces.to_tag.clone());
        let Some(Usage::Call(key)) = self.dialogs.get(&words) else { return None };
        let call = self.calls.get(key)?;
        (!call.ended && call.is_with(&replaces.from_tag)).then_some(*key)
    }

    /// The call that a Replaces header may take the place of, or the status of the refusal (RFC 3891 3). Who may do so is
    /// the owner's matter.
    pub fn replaceable(&self, replaces: &Replaces) -> Result<CallKey, u16> {
        let words = (replaces.call_id.clone(), replaces.to_tag.clone());
        let Some(Usage::Call(key)) = self.dialogs.get(&words).copied() else { return Err(481) };
        let call = self.calls.get(&key).filter(|call| call.is_with(&replaces.from_tag)).ok_or(481_u16)?;
        match call.phase {
            _ if call.ended => Err(603),
            Phase::Over => Err(603),
            Phase::Confirmed | Phase::Accepted if replaces.early_only => Err(486),
            // Only an early dialog that we began ourselves may be replaced.
            Phase::Ringing => Err(481),
            Phase::Confirmed | Phase::Accepted | Phase::Calling { .. } => Ok(key),
        }
    }

    /// The call that a Target-Dialog header means (RFC 4538 4), if it lives. It proves that its sender knows the dialog,
    /// which at a server that publishes dialogs proves nothing.
    pub fn find_dialog(&self, target: &TargetDialog) -> Option<CallKey> {
        let words = (target.call_id.clone(), target.remote_tag.clone());
        let Some(Usage::Call(key)) = self.dialogs.get(&words).copied() else { return None };
        let call = self.calls.get(&key)?;
        (!call.ended && call.is_with(&target.local_tag)).then_some(key)
    }

    /// The description with the version that follows from what was said before in this call; it is now what was said.
    pub(super) fn stamp(&mut self, key: CallKey, sdp: Vec<u8>) -> Vec<u8> {
        let Some(call) = self.calls.get_mut(&key).filter(|_| !sdp.is_empty()) else { return sdp };
        let stamped = description::restamped(&call.sent_sdp, sdp);
        call.sent_sdp.clone_from(&stamped);
        stamped
    }

    /// The offer that goes out, from another address of ours; of a running call it counts once it is agreed to.
    pub(super) fn readdress(&mut self, key: CallKey, old: IpAddr, new: IpAddr, sdp: Vec<u8>) -> Vec<u8> {
        let sdp = description::readdressed(sdp, old, new);
        if let Some(call) = self.calls.get_mut(&key) {
            if matches!(call.phase, Phase::Calling { .. }) {
                call.local_sdp.clone_from(&sdp);
            }
            call.sent_sdp.clone_from(&sdp);
        }
        sdp
    }

    /// Where the far end wants the requests of this call (its Contact).
    pub fn remote_target(&self, call: CallKey) -> Option<Uri> {
        Some(self.calls.get(&call)?.current().remote_target.clone())
    }

    /// The address the call came from, or its INVITE went to.
    pub fn peer_address(&self, call: CallKey) -> Option<Peer> {
        Some(self.calls.get(&call)?.current().peer)
    }

    /// Tells the end of a call, once.
    pub(super) fn tell_ended(&mut self, key: CallKey, cause: EndCause) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        self.ringing.remove(&key);
        if !std::mem::replace(&mut call.ended, true) {
            self.drop_wishes(key);
            self.drop_early_offer(key);
            self.stop_session(key);
            self.tell(Event::CallEnded { call: key, cause });
        }
    }

    /// Forgets a call of which nothing is left: ended, no INVITE or BYE under way, no REFER that needs its dialog.
    pub(super) fn settle(&mut self, key: CallKey) {
        let Some(call) = self.calls.get(&key) else { return };
        let busy = call.invite.is_some()
            || call.inbound.is_some()
            || call.bye_due
            || call.bye_sent
            || !call.refers.is_empty();
        if !call.ended || call.phase != Phase::Over || busy {
            return;
        }
        if let Some(mut call) = self.calls.remove(&key) {
            self.alarms.cancel(&mut call.glare);
            self.alarms.cancel(&mut call.cancel_lapse);
            self.dialogs.remove(&(call.dialog.call_id, call.dialog.local_tag));
        }
    }

    /// Takes the far end's INVITE or UPDATE out of hand, with its timers.
    pub(super) fn take_inbound(&mut self, key: CallKey) -> Option<Inbound> {
        self.untried.remove(&key);
        let mut inbound = self.calls.get_mut(&key)?.inbound.take()?;
        self.alarms.cancel(&mut inbound.repeat);
        self.alarms.cancel(&mut inbound.lapse);
        if let Some(reliable) = inbound.reliable.as_deref_mut() {
            self.drop_reliable(reliable);
        }
        Some(inbound)
    }
}
