//! How a server parks, tells and retrieves: the desk's wishes become SIP steps, SIP events become the desk's events.
//!
//! A [`Dialect`] is data: what one kind of server does and never does, read from a TOML file ([`Preset`]). A phone plays
//! it for one account; the [`Switchboard`] has the phones of all accounts, on one [`crate::sip::UserAgent`].
//! Pure: no socket, no clock; media is only spoken of ([`SoundStep`]), never touched.

mod calls;
mod handing;
mod identity;
#[cfg(test)]
mod lamp_tests;
mod lamps;
mod lists;
mod messages;
mod ownership;
mod parking;
mod pattern;
mod phone;
mod preset;
mod reach;
mod secure;
mod staff;
#[cfg(test)]
mod staff_tests;
mod switchboard;
mod team;
#[cfg(test)]
mod tests;
mod told;
mod told_by_ami;
mod watched;
mod words;

pub use pattern::{Pattern, Places};
pub use phone::{PhoneConfig, Said, SoundStep};
pub use preset::{By, LegEnder, Never, Preset, Proof, RetrieveBy, Sign, Way};
pub use secure::MediaSecurity;
pub use switchboard::Switchboard;

use crate::desk::Abilities;
use crate::parking::{SlotId, Strength};
use serde::Deserialize;

/// The event package by which a server tells of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LampEvent {
    /// `dialog` (RFC 4235): tells most.
    Dialog,
    /// `presence` (RFC 3856): busy or open, and nothing more.
    Presence,
    /// BroadWorks' callpark: who is parked.
    CallPark,
}

/// What one kind of server does, with what this lot of it has for the placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Its name in the configuration.
    pub name: String,
    /// What its file says.
    pub preset: Preset,
    /// The extension or code that calls are parked with.
    pub park_extension: Option<SlotId>,
    /// What is put before a slot's number to park into it, where the dialplan has such a thing.
    pub directed_prefix: Option<String>,
    /// The account's user.
    pub own: String,
    /// The server's name for our phone (`PJSIP/desk-7`), where the manager interface knows it by another than the user's.
    pub device: Option<String>,
    /// The extension of a list of all lamps (RFC 4662), watched instead of each slot by itself.
    pub list: Option<SlotId>,
    /// Whether we have a mailbox there, so that it is worth asking how many messages wait.
    pub has_mailbox: bool,
}

impl Dialect {
    /// The dialect of a preset for one lot.
    pub fn new(name: &str, preset: Preset, park_extension: SlotId, directed_prefix: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            preset,
            park_extension: Some(park_extension),
            directed_prefix: directed_prefix.filter(|prefix| !prefix.is_empty()),
            own: String::new(),
            device: None,
            list: None,
            has_mailbox: false,
        }
    }

    /// The dialect of the preset of this name for one lot.
    pub fn named(name: &str, park_extension: SlotId, directed_prefix: Option<String>) -> Option<Self> {
        Some(Self::new(name, Preset::named(name)?, park_extension, directed_prefix))
    }

    fn places<'d>(&'d self, slot: Option<&'d SlotId>) -> Places<'d> {
        Places {
            park: self.park_extension.as_ref(),
            slot,
            prefix: self.directed_prefix.as_deref(),
            own: Some(&self.own),
        }
    }

    /// How to park, into `slot` or wherever the server likes, and what is then referred to, pressed or called. `None`
    /// where the server has no such way.
    pub fn way(&self, slot: Option<&SlotId>) -> Option<(By, String)> {
        let way = if slot.is_some() { &self.preset.park_on } else { &self.preset.park }.as_ref()?;
        Some((way.by, way.to.fill(self.places(slot))?))
    }

    /// What is called to retrieve from a slot.
    pub fn retrieve_number(&self, slot: &SlotId) -> Option<String> {
        self.preset.retrieve.to.fill(self.places(Some(slot)))
    }

    /// The user part that is watched for a slot.
    pub fn watched_user(&self, slot: &SlotId) -> Option<String> {
        self.preset.lamps.watch.fill(self.places(Some(slot)))
    }

    /// The slot whose lamp this user part is.
    pub fn slot_watched<'s>(
        &self,
        user: &str,
        mut slots: impl Iterator<Item = &'s SlotId>,
    ) -> Option<&'s SlotId> {
        slots.find(|slot| self.watched_user(slot).is_some_and(|watched| watched == user))
    }

    /// Whether calling this number parks the caller, or fetches somebody, of one of these slots.
    pub fn leads_into_a_slot(&self, number: &str, slots: &[SlotId]) -> bool {
        let means = |way: Option<String>| way.is_some_and(|to| to == number);
        slots.iter().any(|slot| {
            means(self.retrieve_number(slot)) || means(self.way(Some(slot)).map(|(_, number)| number))
        })
    }

    /// Whether a request to park is what this number means.
    pub fn is_park_extension(&self, number: &str) -> bool {
        self.way(None).is_some_and(|(by, to)| by != By::Digits && to == number)
    }

    /// What the desk may offer on such a server.
    pub fn abilities(&self, parking_time_s: Option<u32>) -> Abilities {
        let any = SlotId::new("0");
        Abilities {
            park: self.way(None).is_some() || self.way(any.as_ref()).is_some(),
            directed_park: self.way(any.as_ref()).is_some(),
            strength: self.preset.retrieve.strength,
            parking_time_s,
            lamps_name_callers: self.preset.lamps.name_callers,
            slots_are_dialled: self.preset.retrieve.to.is_bare_slot(),
            redirects: !self.preset.never.contains_key(&preset::Never::Redirect),
        }
    }

    /// The best that a retrieve can be.
    pub fn strength(&self) -> Strength {
        self.preset.retrieve.strength
    }
}
