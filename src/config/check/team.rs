//! The checks of what is for the team: colleagues, people, the page group, and when a parked call has waited long.

use super::super::MAX_TEAM;
use super::super::raw::{RawLot, RawTeam};
use super::{Check, MAX_TIME_S};
use crate::desk::{MAX_PEOPLE, MAX_STAFF};
use crate::parking::{Identity, SlotId, Text};
use std::collections::BTreeMap;
use toml::Spanned;

/// How many steps the ladder has.
const STEPS: usize = 3;

impl Check<'_> {
    /// The extensions of the colleagues with consoles.
    pub(super) fn team(&mut self, raw: &RawTeam) -> Vec<String> {
        let colleagues = self.colleagues(&raw.members);
        if let Some(beyond) = raw.members.get(MAX_TEAM) {
            self.say(beyond, format!("a team has at most {MAX_TEAM} members"), None);
        }
        colleagues.into_iter().take(MAX_TEAM).collect()
    }

    /// The extensions of the colleagues whose phones are watched, and the code before them.
    pub(super) fn watch(&mut self, raw: &RawTeam) -> Vec<String> {
        let colleagues = self.colleagues(&raw.watch);
        if let Some(beyond) = raw.watch.get(MAX_STAFF) {
            self.say(beyond, format!("at most {MAX_STAFF} phones are watched"), None);
        }
        if let Some(prefix) = &raw.pickup_prefix {
            if SlotId::new(prefix.get_ref()).is_none() {
                self.say(prefix, "a prefix is what is dialled: digits, “*” or “#”", None);
            } else if raw.watch.is_empty() {
                self.say(
                    prefix,
                    "nobody is watched, so nothing can be picked up: add watch = [\"101\"]",
                    None,
                );
            }
        }
        colleagues.into_iter().take(MAX_STAFF).collect()
    }

    fn colleagues(&mut self, listed: &[Spanned<String>]) -> Vec<String> {
        for (nth, member) in listed.iter().enumerate() {
            let number = member.get_ref();
            if SlotId::new(number).is_none() {
                self.say(member, "a colleague is named by his extension: digits, letters, “*” or “#”", None);
            } else if listed.iter().take(nth).any(|other| other.get_ref() == number) {
                self.say(member, "this colleague is listed twice", None);
            }
        }
        listed.iter().map(|member| member.get_ref().clone()).collect()
    }

    /// Who has which number.
    pub(super) fn people(&mut self, raw: &BTreeMap<String, Spanned<String>>) -> Vec<Identity> {
        for (name, number) in raw {
            if Text::new(name).is_empty() {
                self.say(number, "whose number is this? a name stands before the “=”", None);
            }
            if SlotId::new(number.get_ref()).is_none() {
                self.say(
                    number,
                    "people are given by what is dialled: digits, letters, “+”, “*” or “#”",
                    None,
                );
            }
        }
        if let Some(beyond) = raw.values().nth(MAX_PEOPLE) {
            self.say(beyond, format!("[people] has room for {MAX_PEOPLE}"), None);
        }
        raw.iter().take(MAX_PEOPLE).map(|(name, number)| Identity::new(name, number.get_ref())).collect()
    }

    /// When a parked call has waited long.
    pub(super) fn escalation(&mut self, raw: &RawLot) {
        let Some(steps) = &raw.escalate else { return };
        let given: Vec<u32> = steps.get_ref().iter().copied().filter(|step| *step > 0).collect();
        if steps.get_ref().len() > STEPS {
            self.say(steps, "at most three steps: drawn stronger, the tone, the page", None);
        } else if !given.is_sorted_by(|a, b| a < b) {
            self.say(steps, "each step comes later than the one before, in seconds: [60, 120, 180]", None);
        } else if given.iter().any(|step| *step > MAX_TIME_S) {
            self.say(steps, format!("between 0 (never) and {MAX_TIME_S} seconds"), None);
        }
    }

    /// The page group.
    pub(super) fn page(&mut self, raw: &RawLot, slots: &[SlotId], park_extension: &SlotId) {
        match (&raw.page, &raw.page_voice) {
            (Some(page), _) if slots.contains(page.get_ref()) || page.get_ref() == park_extension => {
                self.say(
                    page,
                    "the page group has an extension of its own, not that of a slot or of the lot",
                    None,
                );
            }
            (None, Some(voice)) => {
                self.say(voice, "there is no page group to speak to: add page = \"…\", its extension", None);
            }
            _ => {}
        }
    }
}
