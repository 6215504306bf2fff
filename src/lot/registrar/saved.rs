//! Registrations as they are written down, and back.

use super::{Binding, Registrar};
use crate::lot::memory::SavedPhone;
use crate::parking::Moment;
use crate::sip::message::{NameAddr, Uri};

impl Binding {
    /// To be written down, with the wall-clock time at which it expires.
    pub(crate) fn saved(&self, expires_ms: u64) -> SavedPhone {
        SavedPhone {
            contact: self.contact.to_string(),
            source: self.source.to_string(),
            expires_ms,
            instance: self.instance.clone(),
            reg_id: self.reg_id,
            path: self.path.clone(),
            call_id: self.call_id.clone(),
            cseq: self.cseq,
        }
    }
}

impl Registrar {
    /// Whose phones change is noted from now on.
    pub(in crate::lot) fn keep(&mut self) {
        self.keeps = true;
        self.changed.extend(self.bindings.keys().cloned());
    }

    /// A user whose phones have changed since they were last asked for.
    pub(in crate::lot) fn take_changed(&mut self) -> Option<String> {
        self.changed.pop_first()
    }

    /// Users who have phones.
    pub(in crate::lot) fn users(&self) -> impl Iterator<Item = &str> {
        self.bindings.keys().map(String::as_str)
    }

    pub(super) fn mark(&mut self, user: &str) {
        if self.keeps {
            self.changed.insert(user.to_owned());
        }
    }

    /// A phone of the process before this one: registered still, until then. False when it can't be one.
    pub(in crate::lot) fn restore(
        &mut self,
        now: Moment,
        user: &str,
        saved: &SavedPhone,
        expires_at: Moment,
    ) -> bool {
        let (Some(contact), Ok(source)) = (Uri::parse(&saved.contact), saved.source.parse()) else {
            return false;
        };
        if expires_at <= now || !contact.is_sip() {
            return false;
        }
        let binding = Binding {
            contact,
            source,
            expires_at,
            instance: saved.instance.clone(),
            reg_id: saved.reg_id,
            path: saved.path.iter().filter_map(|p| NameAddr::parse(p)).map(|p| p.to_string()).collect(),
            call_id: saved.call_id.clone(),
            cseq: saved.cseq,
            refreshed: now,
        };
        self.bindings.entry(user.to_owned()).or_default().push(binding);
        self.mark(user);
        true
    }
}
