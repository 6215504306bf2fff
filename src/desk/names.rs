//! What the directory calls the people on the board. Kept apart from what the network says of them: a name that the
//! network sends is the caller's word, one of the directory is ours for that number.

use super::{Desk, Event};
use crate::parking::{Identity, Text};
use serde::{Deserialize, Serialize};

/// The most numbers whose names are kept; those of people who have left the board make room.
const MAX_NAMES: usize = 2_048;

/// What the directory knows of a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Who has it; empty: nobody.
    pub name: Text,
    /// Where he works and the like.
    pub about: Text,
}

impl Desk {
    /// What to call somebody: by the directory, else as the network does.
    pub fn label<'d>(&'d self, party: &'d Identity) -> &'d str {
        self.known(party).map_or_else(|| party.label(), |known| known.name.as_str())
    }

    /// What the directory knows of somebody.
    pub fn known(&self, party: &Identity) -> Option<&Known> {
        self.names.get(&party.number).filter(|known| !known.name.is_empty() && !party.is_withheld())
    }

    /// The name that the network sent, where the directory has another one.
    pub fn network_name<'d>(&self, party: &'d Identity) -> Option<&'d str> {
        let known = self.known(party)?;
        let differs = party.name.as_str().to_lowercase() != known.name.as_str().to_lowercase();
        (differs && !party.name.is_empty() && party.name != party.number).then_some(party.name.as_str())
    }

    /// The numbers on the board that the directory was not asked about yet.
    pub fn unnamed(&self) -> Vec<Text> {
        let calls = self.calls.iter().map(|call| &call.party);
        let parked = self.slots.iter().filter_map(|slot| slot.parked.as_ref());
        let people = calls.chain(parked.flat_map(|parked| [&parked.parkee, &parked.parker]));
        let numbers = people.map(|party| &party.number);
        let mut unnamed: Vec<Text> = numbers
            .filter(|number| !number.is_empty() && !self.names.contains_key(*number))
            .cloned()
            .collect();
        unnamed.sort();
        unnamed.dedup();
        unnamed
    }

    /// The directory's answer.
    pub(super) fn named(&mut self, number: Text, known: Known) {
        if self.names.len() >= MAX_NAMES {
            self.names.clear();
        }
        self.names.insert(number, known);
    }

    /// The directory is another one: it is asked anew.
    pub(super) fn directory_changed(&mut self, people: usize) {
        self.names.clear();
        self.directory_size = people;
    }
}

impl Event {
    /// What the directory says of a number; `None`: nobody has it.
    pub fn named(number: Text, known: Option<Known>) -> Self {
        Self::Named { number, known: known.unwrap_or_default() }
    }
}
