//! The reference model of a day: a slot book that is kept from what the lot says it did, in a few lines, and compared with
//! the lot's own. It knows nothing of SIP.

use crate::lot::Notice;
use crate::parking::{Identity, SlotId};
use std::collections::BTreeMap;

/// Who is where, by the lot's own word.
#[derive(Debug, Default)]
pub struct Book {
    slots: BTreeMap<SlotId, Identity>,
    read: usize,
    pub parks: usize,
    pub retrieves: usize,
    pub comebacks: usize,
    pub lost: usize,
}

impl Book {
    /// Takes what the lot has said since.
    ///
    /// # Errors
    /// What it said that can't be true.
    pub fn follow(&mut self, notices: &[Notice]) -> Result<(), String> {
        for notice in &notices[self.read..] {
            self.read += 1;
            match notice {
                Notice::CallParked { slot, parkee, by } => {
                    self.parks += 1;
                    // Whoever sits there himself may have another put into his place (attended park).
                    if self.slots.get(slot).is_some_and(|there| there.label() == by.label()) {
                        self.slots.remove(slot);
                    }
                    self.enter(slot, parkee)?;
                }
                Notice::CallPutBack { slot, parkee } => self.enter(slot, parkee)?,
                Notice::CallRetrieved { slot, parkee, .. } => {
                    self.retrieves += 1;
                    self.leave(slot, parkee)?;
                }
                Notice::CameBack { slot, parkee, .. } | Notice::FallbackReached { slot, parkee, .. } => {
                    self.comebacks += 1;
                    self.leave(slot, parkee)?;
                }
                Notice::GivenUp { slot, parkee, .. } => self.leave(slot, parkee)?,
                Notice::Lost { slot: Some(slot), who, .. } => {
                    self.lost += 1;
                    self.leave(slot, who)?;
                }
                Notice::RingingBack { slot, parkee, .. } | Notice::WaitsAgain { slot, parkee } => {
                    self.is_there(slot, parkee)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn enter(&mut self, slot: &SlotId, who: &Identity) -> Result<(), String> {
        match self.slots.insert(slot.clone(), who.clone()) {
            None => Ok(()),
            Some(other) => Err(format!("{} is put onto {} in {slot}", who.label(), other.label())),
        }
    }

    fn leave(&mut self, slot: &SlotId, who: &Identity) -> Result<(), String> {
        self.is_there(slot, who)?;
        self.slots.remove(slot);
        Ok(())
    }

    fn is_there(&self, slot: &SlotId, who: &Identity) -> Result<(), String> {
        match self.slots.get(slot) {
            Some(there) if there.label() == who.label() => Ok(()),
            Some(other) => Err(format!("{} is in {slot}, and not {}", other.label(), who.label())),
            None => Err(format!("{} is said to be in {slot}, which is empty", who.label())),
        }
    }

    /// Who is in a slot.
    pub fn in_slot(&self, slot: &str) -> Option<&Identity> {
        self.slots.get(&SlotId::new(slot)?)
    }

    /// Whether the lot's own book is the same.
    pub fn agrees<'a>(&self, other: impl Iterator<Item = (&'a SlotId, &'a Identity)>) -> bool {
        let other: BTreeMap<&SlotId, &str> = other.map(|(slot, who)| (slot, who.label())).collect();
        self.slots.iter().map(|(slot, who)| (slot, who.label())).collect::<BTreeMap<_, _>>() == other
    }

    /// After a restart: everybody is where he was. Whoever had just been taken out, by somebody whose phone had not said
    /// ACK yet, may be there again. The first `said` notices are of before that.
    ///
    /// # Errors
    /// Who is missing.
    pub fn restarted<'a>(
        &mut self,
        other: impl Iterator<Item = (&'a SlotId, &'a Identity)>,
        said: usize,
    ) -> Result<(), String> {
        let other: BTreeMap<SlotId, Identity> =
            other.map(|(slot, who)| (slot.clone(), who.clone())).collect();
        for (slot, who) in &self.slots {
            if other.get(slot).is_none_or(|there| there.label() != who.label()) {
                return Err(format!("{} was in {slot} before the restart", who.label()));
            }
        }
        self.slots = other;
        self.read = said;
        Ok(())
    }
}
