//! The checks of one lot.

use super::super::meaning::nearest;
use super::super::raw::RawLot;
use super::super::{DIALECTS, Lot, PageVoice, slot_list};
use super::{Check, MAX_TIME_S};
use crate::parking::{SlotId, Text};
use toml::Spanned;

impl Check<'_> {
    /// Checks a lot of a server of that dialect; `name` is what it is called when the file doesn't say.
    pub(super) fn lot(&mut self, raw: &RawLot, name: &str, dialect: &str) -> Option<Lot> {
        let park_extension =
            raw.park_extension.as_ref().map(|e| e.get_ref().clone()).or_else(|| SlotId::new("700"))?;
        let default = ["701-709"];
        let slots = match &raw.slots {
            None => slot_list(default),
            Some(slots) => slot_list(slots.get_ref().items.iter().map(String::as_str)),
        };
        match (&raw.slots, &slots) {
            (Some(at), Err(meaning)) => self.say(at, meaning.clone(), None),
            (Some(at), Ok(slots)) if slots.contains(&park_extension) => {
                self.say(at, format!("{park_extension} is the park extension, not a slot"), None);
            }
            (None, Ok(slots)) if slots.contains(&park_extension) => {
                if let Some(at) = &raw.park_extension {
                    self.say(at, format!("{park_extension} is a slot already (slots are \"701-709\")"), None);
                }
            }
            _ => {}
        }
        if let (Some(list), Ok(slots)) = (&raw.list, &slots)
            && (slots.contains(list.get_ref()) || *list.get_ref() == park_extension)
        {
            let words = "the list of all lamps has an extension of its own, not that of a slot or of the lot";
            self.say(list, words, None);
        }
        if let Some(time) = raw.parking_time.as_ref().filter(|time| *time.get_ref() > MAX_TIME_S) {
            self.say(time, format!("between 0 (never) and {MAX_TIME_S} seconds"), None);
        }
        if let Some(prefix) = &raw.directed_prefix {
            if SlotId::new(prefix.get_ref()).is_none() {
                self.say(
                    prefix,
                    "the prefix is what is dialled before the slot: digits, letters, “*” or “#”",
                    None,
                );
            } else if dialect == "parkdeck" {
                self.say(
                    prefix,
                    "the parkdeck lot takes a slot's number as it is: leave directed_prefix out",
                    None,
                );
            }
        }
        self.escalation(raw);
        self.page(raw, slots.as_deref().unwrap_or_default(), &park_extension);
        Some(Lot {
            name: Text::new(
                raw.name
                    .as_ref()
                    .map(|n| n.get_ref().as_str())
                    .filter(|n| !n.trim().is_empty())
                    .unwrap_or(name),
            ),
            park_extension,
            slots: slots.ok()?,
            list: raw.list.as_ref().map(|list| list.get_ref().clone()),
            parking_time_s: raw.parking_time.as_ref().map(|time| *time.get_ref()),
            directed_prefix: raw.directed_prefix.as_ref().map(|prefix| prefix.get_ref().clone()),
            escalate_s: raw.escalate.as_ref().map(|steps| steps.get_ref().clone()),
            page: raw.page.as_ref().map(|page| page.get_ref().clone()),
            page_live: raw.page_voice.as_ref().is_some_and(|voice| *voice.get_ref() == PageVoice::Live),
            comeback_prefix: Text::new(raw.comeback_prefix.as_deref().unwrap_or_default()),
        })
    }

    /// A dialect's name: one that comes with the program, or that of a file of the user's.
    pub(super) fn dialect<'n>(&mut self, name: &'n Spanned<String>) -> &'n str {
        let known = || DIALECTS.iter().copied().chain(self.dialects.iter().map(String::as_str));
        let wanted = name.get_ref().as_str();
        if known().all(|there| there != wanted) {
            let all: Vec<&str> = known().collect();
            let near = nearest(wanted, known()).map(|near| format!("“{near}”"));
            let wanted = Text::new(wanted);
            let words = format!(
                "there is no dialect “{wanted}”: it is one of {}, or the name of a file in dialects/ beside this one",
                all.join(", ")
            );
            self.say(name, words, near);
        }
        wanted
    }
}
