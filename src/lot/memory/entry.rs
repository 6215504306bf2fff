//! What is written down of a lot, as plain data: one [`Entry`] a line, and the [`Past`] that such lines add up to.
//! Times are by the wall clock, in milliseconds since 1970, for no other clock outlives a process.

use super::super::config::MAX_USERS;
use super::super::legs::MAX_LEGS;
use super::super::presence::MAX_WATCHERS;
use super::super::slots::Return;
use crate::parking::{Identity, SlotId, Text};
use crate::sip::{SavedCall, SavedWatcher};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format's number, in the first line of every journal.
pub const FORMAT: u32 = 1;
/// The longest line that is read, in bytes.
pub const MAX_LINE: usize = 64 * 1024;

/// One thing that has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Entry {
    /// The first line: whose journal it is.
    Begun {
        /// [`FORMAT`].
        format: u32,
        /// The lot's realm: another lot's journal means nothing here.
        realm: String,
    },
    /// A call is this from now on.
    Leg(Box<SavedLeg>),
    /// A call rings, or is rung for: see [`SavedRing`].
    Ring(Box<SavedRing>),
    /// A call has ended, or is in a state that nobody could go on from.
    LegEnded {
        /// Which.
        id: u64,
    },
    /// A user has these phones from now on.
    Phones {
        /// Whose.
        user: String,
        /// All of them; none when the last has gone.
        phones: Vec<SavedPhone>,
    },
    /// Somebody watches.
    Watching(Box<SavedWatch>),
    /// He doesn't any more.
    WatcherLeft {
        /// Who.
        id: u64,
    },
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedLeg {
    /// Its number in the process that wrote this.
    pub id: u64,
    /// Whose phone.
    pub user: Option<String>,
    /// Who is at that end.
    pub identity: Identity,
    /// Where its signalling comes from.
    pub source: String,
    /// Whether it called in.
    pub placed: bool,
    /// Its dialog.
    pub call: SavedCall,
    /// Where it is.
    pub place: SavedPlace,
    /// The trunk that it came by, or goes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
}

/// A call that is not answered. Nobody can go on with its transaction, so what is written down is how to end it in good
/// order: of one that came in its INVITE, without what proves and what describes, so that its phone is asked to send it again;
/// of one that rings a phone the CANCEL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedRing {
    /// Its number in the process that wrote this.
    pub id: u64,
    /// Where the phone is.
    pub peer: String,
    /// Whether it called in.
    pub placed: bool,
    /// The message.
    pub message: String,
}

/// Where a call is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SavedPlace {
    /// In a slot.
    Parked(Box<SavedParking>),
    /// Talking with that call.
    With {
        /// Its number.
        id: u64,
    },
    /// Sent on by somebody who is gone, and not there yet.
    Stranded {
        /// Who is rung for it.
        sent_by: String,
    },
}

/// One call in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedParking {
    /// Of which lot.
    pub lot: String,
    /// Which slot.
    pub slot: SlotId,
    /// Its ticket.
    pub ticket: String,
    /// Who is parked.
    pub parkee: Identity,
    /// The user who parked.
    pub parker_user: String,
    /// As he is shown.
    pub parker: Identity,
    /// Since when.
    pub since_ms: u64,
    /// What somebody wrote about the call.
    pub note: Text,
    /// When its time is over; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_ms: Option<u64>,
    /// Whether that time is over already, and it is its parker's end of another call that is waited for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaits_parker: bool,
    /// Why it comes back.
    #[serde(default, skip_serializing_if = "Return::is_usual")]
    pub returns: Return,
}

/// One phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPhone {
    /// Its Contact.
    pub contact: String,
    /// Where it was heard from.
    pub source: String,
    /// Until when it is registered.
    pub expires_ms: u64,
    /// `+sip.instance`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Which of the connections of this instance it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reg_id: Option<u32>,
    /// The proxies that requests to it pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// Call-ID of its registration.
    pub call_id: String,
    /// CSeq of its registration.
    pub cseq: u32,
}

/// One watcher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedWatch {
    /// Its number in the process that wrote this.
    pub id: u64,
    /// What is watched.
    pub extension: String,
    /// Who watches.
    pub user: String,
    /// The version that its next document would have had.
    pub version: u32,
    /// Its dialog.
    pub watcher: SavedWatcher,
    /// Until when.
    pub ends_ms: u64,
}

/// What a journal adds up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Whose it is.
    pub realm: Option<String>,
    /// Calls by their numbers.
    pub legs: BTreeMap<u64, SavedLeg>,
    /// Those that were not answered.
    pub rings: BTreeMap<u64, SavedRing>,
    /// Phones by their users.
    pub phones: BTreeMap<String, Vec<SavedPhone>>,
    /// Watchers by their numbers.
    pub watchers: BTreeMap<u64, SavedWatch>,
}

impl Past {
    /// Takes the next line of a journal.
    ///
    /// # Errors
    /// In words, when it is none; everything before it still counts.
    pub fn read_line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.len() > MAX_LINE {
            return Err("a line is too long".to_owned());
        }
        let entry = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        match (entry, &self.realm) {
            (Entry::Begun { format, .. }, _) if format != FORMAT => {
                Err(format!("it has format {format}, this program knows {FORMAT}"))
            }
            (entry @ Entry::Begun { .. }, None) => {
                self.take(entry);
                Ok(())
            }
            (Entry::Begun { .. }, Some(_)) => Err("it begins twice".to_owned()),
            (_, None) => Err("its first line is missing".to_owned()),
            (entry, Some(_)) => {
                self.take(entry);
                Ok(())
            }
        }
    }

    /// What has changed. More than a lot can have is left out.
    pub fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Begun { realm, .. } => self.realm = Some(realm),
            Entry::Leg(leg) if self.legs.len() < MAX_LEGS || self.legs.contains_key(&leg.id) => {
                self.rings.remove(&leg.id);
                self.legs.insert(leg.id, *leg);
            }
            Entry::Ring(ring) if self.rings.len() < MAX_LEGS || self.rings.contains_key(&ring.id) => {
                self.legs.remove(&ring.id);
                self.rings.insert(ring.id, *ring);
            }
            Entry::LegEnded { id } => {
                self.legs.remove(&id);
                self.rings.remove(&id);
            }
            Entry::Phones { user, phones } if phones.is_empty() => {
                self.phones.remove(&user);
            }
            Entry::Phones { user, phones }
                if self.phones.len() < MAX_USERS || self.phones.contains_key(&user) =>
            {
                self.phones.insert(user, phones);
            }
            Entry::Watching(watch)
                if self.watchers.len() < MAX_WATCHERS || self.watchers.contains_key(&watch.id) =>
            {
                self.watchers.insert(watch.id, *watch);
            }
            Entry::WatcherLeft { id } => {
                self.watchers.remove(&id);
            }
            Entry::Leg(_) | Entry::Ring(_) | Entry::Phones { .. } | Entry::Watching(_) => {}
        }
    }

    /// Whether there is nothing to go on with.
    pub fn is_empty(&self) -> bool {
        self.legs.is_empty() && self.rings.is_empty() && self.phones.is_empty() && self.watchers.is_empty()
    }
}
