//! The lamps, each slot's, and what can be dialled: what is wrong with a lamp is seen from both together.

use super::carrier::Examined;
use super::enquiry::Hint;
use super::examiner::{Examiner, Stage};
use super::finding::{Finding, Verdict};
use super::plan::in_short;
use crate::desk::LotKey;
use crate::parking::{Lamp, Moment, SlotId};
use std::time::Duration;

/// How long the first NOTIFY of each slot is waited for.
const LAMP_PATIENCE: Duration = Duration::from_secs(6);
/// The same for the answers to OPTIONS and further SUBSCRIBEs.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// Extensions beside the configured slots that are looked at when none of those exists.
const MAX_NEIGHBOURS: u64 = 20;
/// Refused slots of which it is asked whether they can be dialled.
const MAX_DIALLED: usize = 20;

/// Slots of which the server said the same.
struct Group {
    what: Heard,
    slots: Vec<SlotId>,
}

#[derive(Clone, PartialEq, Eq)]
enum Heard {
    /// The lamp works, by this package.
    Works(String),
    Refused(u16, String),
    /// SUBSCRIBE was granted and no NOTIFY came, or nothing at all.
    Nothing,
}

impl Examiner {
    pub(super) fn look_at_lamps(&mut self, now: Moment) -> Option<Stage> {
        let known = |slot: &SlotId| self.lamp(slot) != Lamp::Unknown;
        let all = self.plan.slots.iter().all(known);
        (all || self.lasted(now) >= LAMP_PATIENCE).then_some(Stage::Extensions)
    }

    fn heard(&self, slot: &SlotId) -> Heard {
        let told = self.witness.subscription(&self.plan.watched(slot));
        let by_list = self.plan.list.as_ref().and_then(|list| self.witness.subscription(list.as_str()));
        let package = |told: Option<(u16, String)>| told.map(|(_, event)| event).unwrap_or_default();
        match self.lamp(slot) {
            Lamp::Free | Lamp::Parked | Lamp::RingingBack => Heard::Works(package(told.or(by_list))),
            Lamp::Refused { reason } => {
                let status = told.map(|(status, _)| status).unwrap_or_default();
                Heard::Refused(status, reason.to_string())
            }
            Lamp::Unknown | Lamp::Stale { .. } => Heard::Nothing,
        }
    }

    fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for slot in &self.plan.slots {
            let what = self.heard(slot);
            match groups.iter_mut().find(|group| group.what == what) {
                Some(group) => group.slots.push(slot.clone()),
                None => groups.push(Group { what, slots: vec![slot.clone()] }),
            }
        }
        groups
    }

    fn refused(&self) -> Vec<SlotId> {
        let refused = |slot: &&SlotId| matches!(self.heard(slot), Heard::Refused(404, _));
        self.plan.slots.iter().filter(refused).cloned().collect()
    }

    /// OPTIONS to an extension tells on Asterisk whether our context has it; it rings nobody.
    pub(super) fn ask_extensions(&mut self, now: Moment) {
        if let Some(park) = self.plan.park_extension.clone() {
            self.enquirer.ask_extension(now, park.as_str());
            for other in self.plan.likely_park_extensions() {
                self.enquirer.ask_extension(now, other.as_str());
            }
        }
        let refused = self.refused();
        for slot in refused.iter().take(MAX_DIALLED) {
            let number = self.plan.fetched_by(slot);
            self.enquirer.ask_extension(now, &number);
            for other in other_cases(slot) {
                self.enquirer.ask_hint(now, &other);
            }
        }
        if !refused.is_empty() && refused.len() == self.plan.slots.len() {
            for neighbour in self.neighbours() {
                self.enquirer.ask_hint(now, &neighbour);
            }
        }
    }

    /// Where the slots would be as a rule: right behind the park extension.
    fn neighbours(&self) -> Vec<String> {
        let park = self.plan.park_extension.as_ref().map(SlotId::as_str).unwrap_or_default();
        let Ok(first) = park.parse::<u64>() else { return Vec::new() };
        let behind = (1..=MAX_NEIGHBOURS).filter_map(|step| first.checked_add(step));
        let numbers = behind.map(|number| format!("{number:0width$}", width = park.len()));
        numbers.filter(|number| !self.plan.slots.iter().any(|slot| slot.as_str() == number)).collect()
    }

    /// Slots that exist where the configured ones don't: those behind the park extension, up to the first gap.
    pub(super) fn evident_slots(&self) -> Vec<SlotId> {
        let refused = self.refused();
        if refused.is_empty() {
            return Vec::new();
        }
        let as_it_is = |slot: &SlotId| match refused.contains(slot) {
            true => self.written_otherwise(slot),
            false => Some(slot.clone()),
        };
        if let Some(slots) = self.plan.slots.iter().map(as_it_is).collect() {
            return slots;
        }
        if refused.len() < self.plan.slots.len() {
            // What is left of the configured ones works, and that is all that is certain.
            let works = |slot: &&SlotId| matches!(self.heard(slot), Heard::Works(_));
            return self.plan.slots.iter().filter(works).cloned().collect();
        }
        let told = |number: &&String| self.enquirer.lamps.get(*number) == Some(&Hint::Told);
        self.neighbours().iter().take_while(told).filter_map(|number| SlotId::new(number)).collect()
    }

    /// The extension that exists where a slot differs from it only in upper and lower case.
    fn written_otherwise(&self, slot: &SlotId) -> Option<SlotId> {
        let exists = |other: &String| self.enquirer.lamps.get(other) == Some(&Hint::Told);
        other_cases(slot).into_iter().find(exists).and_then(|other| SlotId::new(&other))
    }

    /// Slots whose lamp is told: of the configured ones, else of those behind the park extension.
    fn told_slots(&self) -> Vec<SlotId> {
        let works = |slot: &&SlotId| matches!(self.heard(slot), Heard::Works(_));
        let told: Vec<SlotId> = self.plan.slots.iter().filter(works).cloned().collect();
        if told.is_empty() { self.evident_slots() } else { told }
    }

    /// Everything that is known when the examination is over, but the findings.
    pub(super) fn examined(&self) -> Examined {
        Examined {
            changes: self.changes(),
            product: self.witness.server().map(str::to_owned),
            registered: self.facts.registered,
            status: self.witness.registration().status,
            slots: self.told_slots(),
            goes_on: self.may_go_on(),
            parks: self.plan.park_extension.as_ref().and_then(|park| self.dialled(park.as_str())),
            ..Examined::default()
        }
    }

    /// The package by which the lamps work, when it is not the first that was asked with.
    pub(super) fn working_package(&self) -> Option<String> {
        let mut works = self.groups().into_iter().filter_map(|group| match group.what {
            Heard::Works(package) => Some(package),
            _ => None,
        });
        works.next().filter(|package| package != "dialog")
    }

    pub(super) fn look_at_extensions(&mut self, now: Moment) -> Option<Stage> {
        if !self.enquirer.is_answered() && self.lasted(now) < ANSWER_PATIENCE {
            return None;
        }
        self.judge_list();
        for group in self.groups() {
            let finding = self.judge_group(&group);
            self.find(finding);
        }
        self.judge_park_extension();
        Some(Stage::Consent)
    }

    fn judge_list(&mut self) {
        let Some(list) = &self.plan.list else { return };
        let finding = match self.witness.subscription(list.as_str()) {
            Some((200 | 202, _)) => {
                Finding::new("list", Verdict::Good, format!("{list} tells of all slots at once (RFC 4662)"))
            }
            Some((status, _)) => {
                let advice = format!(
                    "pjsip.conf: a section [{list}] of type=resource_list with event=dialog and list_item= for each slot; or leave `list` out"
                );
                let seen = format!("{list} is no list ({status}); each slot is watched by itself");
                Finding::new("list", Verdict::Doubtful, seen).advise([advice])
            }
            None => Finding::new("list", Verdict::Doubtful, format!("{list} was not answered")),
        };
        self.find(finding);
    }

    /// Whether a number can be dialled, by the answer to OPTIONS.
    fn dialled(&self, number: &str) -> Option<bool> {
        match self.enquirer.extensions.get(number)? {
            200 => Some(true),
            404 => Some(false),
            _ => None,
        }
    }

    fn judge_group(&self, group: &Group) -> Finding {
        let which = in_short(&group.slots);
        match &group.what {
            Heard::Works(package) => {
                let lit = group.slots.iter().filter(|slot| self.lamp(slot) != Lamp::Free).count();
                let state = match lit {
                    0 => "free".to_owned(),
                    lit if lit == group.slots.len() => "all taken".to_owned(),
                    lit => format!("{} free, {lit} taken", group.slots.len() - lit),
                };
                let by = if package.is_empty() { String::new() } else { format!(", by `{package}`") };
                Finding::new("lamps", Verdict::Good, format!("{which} told{by}: {state}"))
            }
            Heard::Refused(status, reason) => {
                let dialled = group.slots.first().and_then(|slot| self.dialled(&self.plan.fetched_by(slot)));
                // The lot is there when its park extension is: then only the slots are others.
                let park = self.plan.park_extension.as_ref().and_then(|park| self.dialled(park.as_str()));
                let all = group.slots.len() == self.plan.slots.len() && park != Some(true);
                let mut advice = self.words().lamps(*status, &group.slots, dialled, all);
                for slot in &group.slots {
                    if let Some(other) = self.written_otherwise(slot) {
                        advice = self.words().case(slot, other.as_str());
                    }
                }
                let evident = self.evident_slots();
                if group.slots.len() == self.plan.slots.len() && !evident.is_empty() {
                    advice.push(format!("{} have lamps: are those the slots?", in_short(&evident)));
                }
                Finding::new("lamps", Verdict::Bad, format!("{which}: {reason}")).advise(advice)
            }
            Heard::Nothing => {
                let advice =
                    "the server's NOTIFY doesn't reach us: a firewall, or a Contact that it can't route to";
                let seen = format!("{which}: nothing was told");
                Finding::new("lamps", Verdict::Bad, seen).advise([advice.to_owned()])
            }
        }
    }

    fn judge_park_extension(&mut self) {
        let Some(park) = self.plan.park_extension.clone() else { return };
        // Only what answers 404 here has said something: many servers answer OPTIONS for whatever extension.
        let beside = self.plan.likely_park_extensions();
        let other = beside.into_iter().find(|other| self.dialled(other.as_str()) == Some(true));
        self.facts.other_park_extension = other.filter(|_| self.words().knows_extensions());
        if self.dialled(park.as_str()) == Some(false) {
            let mut advice = self.words().park_extension(park.as_str());
            if let Some(other) = self.facts.other_park_extension.clone() {
                advice.push(format!("{other} can be dialled, and is beside the slots: is that it?"));
                self.park_by(other);
            }
            let seen = format!("{park} can't be dialled by this account (404)");
            self.find(Finding::new("park extension", Verdict::Bad, seen).advise(advice));
        }
    }
}

impl Examiner {
    /// Parks by that extension from now on; the one that was configured is not tried again.
    pub(super) fn park_by(&mut self, extension: SlotId) {
        self.facts.other_park_extension = None;
        self.facts.park_extension_tried = Some(extension.clone());
        self.phones.park_by(LotKey::default(), extension.clone());
        self.plan.park_by(extension);
    }
}

/// The same extension in small letters, in capitals and with a capital at its head, where that differs.
fn other_cases(slot: &SlotId) -> Vec<String> {
    let small = slot.as_str().to_ascii_lowercase();
    let (head, tail) = small.split_at(small.chars().next().map_or(0, char::len_utf8));
    let named = head.to_ascii_uppercase() + tail;
    let mut cases = vec![small.clone(), small.to_ascii_uppercase(), named];
    cases.dedup();
    cases.into_iter().filter(|other| other != slot.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_of_letters_may_be_written_otherwise_and_one_of_digits_not() {
        let cases = |id: &str| other_cases(&SlotId::new(id).unwrap());
        assert_eq!(cases("orbit1"), ["ORBIT1", "Orbit1"]);
        assert_eq!(cases("Orbit1"), ["orbit1", "ORBIT1"]);
        assert_eq!(cases("x"), ["X"]);
        assert!(cases("701").is_empty() && cases("*70").is_empty());
    }
}
