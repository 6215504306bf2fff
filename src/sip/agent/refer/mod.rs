//! REFER (RFC 3515, RFC 4488): those that we send, inside a call or outside, and those that we are sent. Nobody is ever called
//! because of one: that is the owner's doing.

mod asked;
mod asking;
mod outside;

use super::{CallKey, ReferKey, UserAgent};
use crate::sip::Moment;
use crate::sip::alarms::Alarm;
use crate::sip::dialog::Dialog;
use asked::Asked;

/// A REFER.
pub(super) enum Refer {
    /// Ours.
    Asking {
        call: Option<CallKey>,
        /// Of its own, outside of a call.
        dialog: Option<Box<Dialog>>,
        /// Its CSeq, which is its id (RFC 3515 2.4.6); 0 while it waits.
        number: u32,
        accepted: bool,
        /// Whether its last NOTIFY overtook the answer.
        finished: bool,
        alarm: Option<Alarm>,
    },
    /// Somebody's.
    Asked(Box<Asked>),
}

impl Refer {
    pub(super) fn own_dialog_mut(&mut self) -> Option<&mut Dialog> {
        match self {
            Self::Asked(asked) => asked.dialog.as_mut(),
            Self::Asking { dialog, .. } => dialog.as_deref_mut(),
        }
    }

    fn call(&self) -> Option<CallKey> {
        match self {
            Self::Asking { call, .. } => *call,
            Self::Asked(asked) => asked.call,
        }
    }

    fn alarm_mut(&mut self) -> &mut Option<Alarm> {
        match self {
            Self::Asking { alarm, .. } => alarm,
            Self::Asked(asked) => &mut asked.alarm,
        }
    }
}

impl UserAgent {
    /// Drops a REFER, and the call's dialog if that was only kept for it.
    pub(super) fn forget_refer(&mut self, key: ReferKey) {
        let Some(mut refer) = self.refers.remove(&key) else { return };
        self.alarms.cancel(refer.alarm_mut());
        if let Some(dialog) = refer.own_dialog_mut() {
            let words = (dialog.call_id.clone(), dialog.local_tag.clone());
            self.dialogs.remove(&words);
        }
        if let Some(call_key) = refer.call() {
            if let Some(call) = self.calls.get_mut(&call_key) {
                call.refers.retain(|kept| *kept != key);
            }
            self.settle(call_key);
        }
    }

    pub(super) fn lapse_refer(&mut self, now: Moment, key: ReferKey) {
        match self.refers.get(&key) {
            Some(Refer::Asking { .. }) => self.lapse_asking(key),
            Some(Refer::Asked(_)) => self.lapse_asked(now, key),
            None => {}
        }
    }
}
