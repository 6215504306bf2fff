//! A directory: everybody in the order of their names, and who has which number.

use super::fold::fold;
use super::number::{Country, NumberKey};
use super::person::Person;
use super::search::Index;
use super::{Kind, MAX_ENTRIES};
use crate::parking::Text;
use std::collections::HashMap;

/// Everybody whose number is known.
#[derive(Debug, Default)]
pub struct Directory {
    people: Vec<Person>,
    by_number: HashMap<NumberKey, Vec<u32>>,
    pub(super) index: Index,
    country: Option<Country>,
    left_out: usize,
}

/// Who has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// What to call him: a name, or what several have in common.
    pub name: Text,
    /// Where he works, and the word for whoever takes the call.
    pub about: Text,
}

impl Directory {
    /// Makes a directory; of more than [`MAX_ENTRIES`] people the rest is left out. Numbers without a country's code are
    /// of this one.
    pub fn new(people: impl IntoIterator<Item = Person>, country: Option<Country>) -> Self {
        let mut people: Vec<Person> = people.into_iter().filter_map(Person::complete).collect();
        let left_out = people.len().saturating_sub(MAX_ENTRIES);
        people.truncate(MAX_ENTRIES);
        people.sort_by_cached_key(|person| fold(person.name.as_str()));
        people.dedup();
        people.shrink_to_fit();
        let mut by_number: HashMap<NumberKey, Vec<u32>> = HashMap::new();
        let mut index = Index::default();
        for (nth, person) in (0u32..).zip(&people) {
            let keys: Vec<NumberKey> = person
                .numbers
                .iter()
                .filter_map(|number| NumberKey::of(number.written.as_str(), country))
                .collect();
            index.add(person, &keys);
            // Where messages for somebody are left is not where he calls from.
            let calls = person.numbers.iter().zip(&keys).filter(|(number, _)| number.kind != Kind::Voicemail);
            for (_, key) in calls {
                let who = by_number.entry(key.clone()).or_default();
                if who.last() != Some(&nth) {
                    who.push(nth);
                }
            }
        }
        index.finish();
        Self { people, by_number, index, country, left_out }
    }

    /// How many people are in it.
    pub fn len(&self) -> usize {
        self.people.len()
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// How many found no room.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The person with this number in the row, as a [`super::Hit`] names him.
    pub fn person(&self, nth: usize) -> Option<&Person> {
        self.people.get(nth)
    }

    /// Who has a number, as a call shows it; `None` where nobody does.
    ///
    /// Of several, what they have in common: `Jane Doe or Sam Hill`; the organisation where all are of the same one; else
    /// how many there are. A name that might be another's is never shown as the caller's.
    pub fn match_number(&self, number: &str) -> Option<Match> {
        let who = self.by_number.get(&NumberKey::of(number, self.country)?)?;
        let people: Vec<&Person> = who.iter().filter_map(|nth| self.people.get(*nth as usize)).collect();
        match people.as_slice() {
            [] => None,
            [only] => Some(Match { name: only.name.clone(), about: about(only) }),
            [first, rest @ ..] => {
                let organisation = &first.organisation;
                let common = !organisation.is_empty() && rest.iter().all(|p| p.organisation == *organisation);
                let name = match (common, rest) {
                    (true, _) => organisation.clone(),
                    (false, [second]) => Text::new(&format!("{} or {}", first.name, second.name)),
                    (false, _) => Text::new(&format!("{} or {} others", first.name, rest.len())),
                };
                Some(Match { name, about: Text::default() })
            }
        }
    }
}

/// Organisation, role and note in one line.
fn about(person: &Person) -> Text {
    let parts = [&person.organisation, &person.role, &person.note];
    let parts: Vec<&str> = parts.into_iter().map(Text::as_str).filter(|part| !part.is_empty()).collect();
    Text::new(&parts.join(", "))
}
