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

use crate::desk::{Abilities, LotId};
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

/// What one lot of a server has for the placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LotNumbers {
    /// The extension or code that calls are parked with.
    pub park_extension: Option<SlotId>,
    /// What is put before a slot's number to park into it, where the dialplan has such a thing.
    pub directed_prefix: Option<String>,
    /// The extension of a list of all its lamps (RFC 4662), watched instead of each slot by itself.
    pub list: Option<SlotId>,
    /// Its slots, in their order on the board.
    pub slots: Vec<SlotId>,
}

/// What one kind of server does, with its lots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Its name in the configuration.
    pub name: String,
    /// What its file says.
    pub preset: Preset,
    /// The lots of this server, as the desk counts them. No slot is in two of them.
    pub lots: Vec<LotNumbers>,
    /// The account's user.
    pub own: String,
    /// The server's name for our phone (`PJSIP/desk-7`), where the manager interface knows it by another than the user's.
    pub device: Option<String>,
    /// Whether we have a mailbox there, so that it is worth asking how many messages wait.
    pub has_mailbox: bool,
}

impl LotNumbers {
    /// A lot with these slots, parked in by that extension.
    pub fn new(park_extension: SlotId, slots: Vec<SlotId>) -> Self {
        Self { park_extension: Some(park_extension), slots, ..Self::default() }
    }
}

impl Dialect {
    /// The dialect of a preset for a server with these lots.
    pub fn new(name: &str, preset: Preset, lots: Vec<LotNumbers>) -> Self {
        Self { name: name.to_owned(), preset, lots, own: String::new(), device: None, has_mailbox: false }
    }

    /// The dialect of the preset of this name for a server with one lot.
    pub fn named(name: &str, lot: LotNumbers) -> Option<Self> {
        Some(Self::new(name, Preset::named(name)?, vec![lot]))
    }

    /// The slots of all lots, in their order on the board.
    pub fn slots(&self) -> impl Iterator<Item = &SlotId> {
        self.lots.iter().flat_map(|lot| &lot.slots)
    }

    /// The lot that this slot is in.
    pub fn lot_of(&self, slot: &SlotId) -> Option<LotId> {
        self.numbered_lots().find(|(_, lot)| lot.slots.contains(slot)).map(|(id, _)| id)
    }

    fn numbered_lots(&self) -> impl Iterator<Item = (LotId, &LotNumbers)> {
        (0u8..).map(LotId).zip(&self.lots)
    }

    fn places<'d>(&'d self, lot: Option<LotId>, slot: Option<&'d SlotId>) -> Places<'d> {
        let lot = lot.and_then(|lot| self.lots.get(lot.index()));
        let prefix = lot.and_then(|lot| lot.directed_prefix.as_deref()).filter(|prefix| !prefix.is_empty());
        Places { park: lot.and_then(|lot| lot.park_extension.as_ref()), slot, prefix, own: Some(&self.own) }
    }

    /// How to park in that lot, into `slot` or wherever the server likes, and what is then referred to, pressed or called.
    /// `None` where the server has no such way.
    pub fn way(&self, lot: LotId, slot: Option<&SlotId>) -> Option<(By, String)> {
        let way = if slot.is_some() { &self.preset.park_on } else { &self.preset.park }.as_ref()?;
        Some((way.by, way.to.fill(self.places(Some(lot), slot))?))
    }

    /// What is called to retrieve from a slot.
    pub fn retrieve_number(&self, slot: &SlotId) -> Option<String> {
        self.retrieve_number_in(self.lot_of(slot), slot)
    }

    fn retrieve_number_in(&self, lot: Option<LotId>, slot: &SlotId) -> Option<String> {
        self.preset.retrieve.to.fill(self.places(lot, Some(slot)))
    }

    /// The user part that is watched for a slot.
    pub fn watched_user(&self, slot: &SlotId) -> Option<String> {
        self.watched_user_in(self.lot_of(slot), slot)
    }

    fn watched_user_in(&self, lot: Option<LotId>, slot: &SlotId) -> Option<String> {
        self.preset.lamps.watch.fill(self.places(lot, Some(slot)))
    }

    /// The slot whose lamp this user part is.
    pub fn slot_watched(&self, user: &str) -> Option<&SlotId> {
        let mut all = self.numbered_lots().flat_map(|(lot, it)| it.slots.iter().map(move |slot| (lot, slot)));
        let means = |lot, slot| self.watched_user_in(Some(lot), slot).is_some_and(|watched| watched == user);
        all.find(|(lot, slot)| means(*lot, slot)).map(|(_, slot)| slot)
    }

    /// Whether calling this number parks the caller, or fetches somebody, of one of the slots.
    pub fn leads_into_a_slot(&self, number: &str) -> bool {
        let means = |way: Option<String>| way.is_some_and(|to| to == number);
        let parks_there = |lot, slot| self.way(lot, Some(slot)).map(|(_, number)| number);
        self.numbered_lots().any(|(lot, numbers)| {
            let fetched_by = |slot| self.retrieve_number_in(Some(lot), slot);
            let leads = |slot| means(fetched_by(slot)) || means(parks_there(lot, slot));
            numbers.slots.iter().any(leads)
        })
    }

    /// Whether a park in one of these lots may end in the other, because the same is done for both: keys or a code that no
    /// lot is named in.
    pub fn park_alike(&self, one: LotId, other: LotId) -> bool {
        one == other || self.way(one, None).is_some_and(|way| Some(way) == self.way(other, None))
    }

    /// The lot that a call is parked in by being sent to this number, if that is what it means.
    pub fn lot_parked_by(&self, number: &str) -> Option<LotId> {
        let parks = |way: (By, String)| way.0 != By::Digits && way.1 == number;
        self.numbered_lots().map(|(lot, _)| lot).find(|lot| self.way(*lot, None).is_some_and(parks))
    }

    /// What the desk may offer in such a lot; a call stays there for so many seconds.
    pub fn abilities(&self, lot: LotId, parking_time_s: Option<u32>) -> Abilities {
        let any = SlotId::new("0");
        let directed_park = self.way(lot, any.as_ref()).is_some();
        Abilities {
            park: self.way(lot, None).is_some() || directed_park,
            directed_park,
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
