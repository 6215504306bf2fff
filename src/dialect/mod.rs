//! How a server parks, tells and retrieves: the desk's wishes become SIP steps, SIP events become the desk's events.
//!
//! [`Dialect`] is data: what one kind of server does and never does. A phone plays it for one account; the
//! [`Switchboard`] has the phones of all accounts, on one [`crate::sip::UserAgent`].
//! Pure: no socket, no clock; media is only spoken of ([`SoundStep`]), never touched.

mod calls;
mod identity;
#[cfg(test)]
mod lamp_tests;
mod lamps;
mod lists;
mod messages;
mod ownership;
mod parking;
mod phone;
mod secure;
mod switchboard;
mod team;
#[cfg(test)]
mod tests;
mod told;
mod words;

pub use phone::{PhoneConfig, Said, SoundStep};
pub use secure::MediaSecurity;
pub use switchboard::Switchboard;
pub use team::MAX_MEMBERS;

use crate::desk::Abilities;
use crate::parking::{SlotId, Strength};

/// What ends a park: the sign after which our leg may be ended without losing the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A lamp that was free lights up, and the lot can't have been full (Asterisk answers 202 and sipfrag 200 to a
    /// park that failed).
    Lamp,
    /// The answer to the REFER names the slot, and the server ends our leg itself.
    ServersWord,
}

/// How a parked call is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetrieveBy {
    /// INVITE to the slot's extension.
    Dialling,
    /// INVITE with Replaces naming the parked dialog (RFC 3891); by dialling where a lamp told none.
    Replaces,
}

/// The event package by which a server tells of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LampEvent {
    /// `dialog` (RFC 4235): tells most.
    Dialog,
    /// `presence` (RFC 3856): busy or open, and nothing more.
    Presence,
    /// BroadWorks' callpark: who is parked.
    CallPark,
}

/// What one kind of server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The preset's name.
    pub name: &'static str,
    /// The extension that calls are referred to, for the server to choose the slot.
    pub park_extension: Option<SlotId>,
    /// What is put before a slot's number to park into it; `Some("")` where the slot itself may be referred to.
    pub directed_prefix: Option<String>,
    /// What proves a park.
    pub proof: Proof,
    /// How a call is retrieved.
    pub retrieve_by: RetrieveBy,
    /// Whether lamps say who is parked.
    pub lamps_name_callers: bool,
    /// The best that a retrieve can be.
    pub strength: Strength,
    /// The packages by which a lamp is asked for: the next one where the server doesn't know the one before.
    pub lamp_events: Vec<LampEvent>,
    /// The extension of a list of all lamps (RFC 4662), watched instead of each slot by itself.
    pub list: Option<SlotId>,
    /// Whether we have a mailbox there, so that it is worth asking how many messages wait.
    pub has_mailbox: bool,
}

impl Dialect {
    /// The presets by name.
    pub const NAMES: [&'static str; 2] = ["asterisk", "parkdeck"];

    /// The preset of this name.
    pub fn named(name: &str, park_extension: SlotId, directed_prefix: Option<String>) -> Option<Self> {
        match name {
            // Never REFER to a slot: free, the caller is hung up; occupied, two callers are joined (both measured).
            // A dialplan prefix takes the next free slot without a word when the slot is occupied, which is safe.
            "asterisk" => Some(Self {
                name: "asterisk",
                park_extension: Some(park_extension),
                directed_prefix: directed_prefix.filter(|p| !p.is_empty()),
                proof: Proof::Lamp,
                retrieve_by: RetrieveBy::Dialling,
                lamps_name_callers: false,
                strength: Strength::Verified,
                lamp_events: vec![LampEvent::Dialog, LampEvent::Presence],
                list: None,
                has_mailbox: false,
            }),
            "parkdeck" => Some(Self {
                name: "parkdeck",
                park_extension: Some(park_extension),
                directed_prefix: Some(String::new()),
                proof: Proof::ServersWord,
                retrieve_by: RetrieveBy::Replaces,
                lamps_name_callers: true,
                strength: Strength::Exact,
                lamp_events: vec![LampEvent::Dialog],
                list: None,
                has_mailbox: false,
            }),
            _ => None,
        }
    }

    /// What the desk may offer on such a server.
    pub fn abilities(&self, parking_time_s: Option<u32>) -> Abilities {
        Abilities {
            park: self.park_extension.is_some(),
            directed_park: self.directed_prefix.is_some(),
            strength: self.strength,
            parking_time_s,
            lamps_name_callers: self.lamps_name_callers,
        }
    }
}
