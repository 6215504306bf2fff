//! Parked calls of a process that is gone, in their slots again: same ticket, same wait.

use super::{ParkedCall, ParkingLot, Ticket};

impl Ticket {
    /// A ticket as it was written down; `None` when it can't be one.
    pub(in crate::lot) fn restored(text: &str) -> Option<Self> {
        let plain = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then(|| Self(text.to_owned()))
    }
}

impl<K: Copy + Eq> ParkingLot<K> {
    /// Puts a call where it was, though its slot may be one that the configuration has no more. `Err` gives it back
    /// when somebody is there.
    pub(in crate::lot) fn restore(
        &mut self,
        call: ParkedCall<K>,
    ) -> Result<&ParkedCall<K>, Box<ParkedCall<K>>> {
        if !self.is_free(&call.slot) {
            return Err(Box::new(call));
        }
        self.last_taken = Some(call.slot.clone());
        Ok(self.enter(call))
    }
}
