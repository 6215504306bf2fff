//! Telling people who is where: the sentence to paste or to send, and the messages that were sent.

use super::line::{LineId, SlotKey};
use super::{Desk, Effect, Severity};
use crate::parking::{Identity, Text};
use serde::{Deserialize, Serialize};

/// The most people that one message is sent to.
pub const MAX_TOLD: usize = 64;
/// The most people that `[people]` has room for.
pub const MAX_PEOPLE: usize = 200;

/// A message on its way, until everybody's phone has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Telling {
    line: LineId,
    /// Of which call.
    about: Text,
    /// Who has not answered yet: address, and name.
    waiting: Vec<(String, String)>,
    told: Vec<String>,
    failed: Vec<(String, Text)>,
}

impl Desk {
    /// "Jane Doe waits on 701 for Sam, bay 3": who is in an occupied slot; `None` where nobody is.
    pub fn waits(&self, slot: &SlotKey) -> Option<String> {
        let parked = self.slot(slot).filter(|s| s.holds_somebody())?.parked.as_ref()?;
        let who = if parked.parkee.is_withheld() { "a caller" } else { parked.parkee.label() };
        let place = self.place(slot);
        let note = parked.note.as_str();
        let lower = note.to_lowercase();
        let joined = match note {
            "" => String::new(),
            _ if lower.starts_with("for ") || lower.starts_with("wants ") => format!(" {note}"),
            _ => format!(" for {note}"),
        };
        Some(format!("{who} waits on {place}{joined}"))
    }

    /// The whole sentence for a page or a chat: who waits where for whom, and what to dial, as a number and as a `sip:` URI.
    pub fn page_text(&self, slot: &SlotKey) -> Option<String> {
        let waits = self.waits(slot)?;
        let orbit = self.orbit(slot).map(|uri| format!(" ({uri})")).unwrap_or_default();
        Some(format!("{waits} · dial {}{orbit}", slot.id))
    }

    /// What any SIP phone can call to take whoever is in a slot; `None` where the server isn't known.
    pub fn orbit(&self, slot: &SlotKey) -> Option<String> {
        let (_, domain) = self.line(slot.line)?.account.label.as_str().rsplit_once('@')?;
        Some(format!("sip:{}@{domain}", slot.id.as_str().replace('#', "%23")))
    }

    /// The slot that is meant when none is chosen: of the last park while it can be undone, else who waits longest.
    pub fn slot_to_tell(&self) -> Option<&super::Slot> {
        let undo = self.undo.as_ref().filter(|u| self.now < u.until).and_then(|u| self.slot(&u.key()));
        undo.filter(|s| s.holds_somebody()).or_else(|| self.longest_parked())
    }

    /// Everybody whose name is known, at the server of a line: colleagues first. Nobody twice.
    pub fn known_people(&self, line: LineId) -> Vec<Identity> {
        let mut all: Vec<Identity> = Vec::new();
        let staff = self.staff.iter().filter(|one| one.line == line).map(|one| &one.who);
        for person in self.team_of(line).iter().chain(staff).chain(&self.people) {
            if !all.iter().any(|known| known.number == person.number) {
                all.push(person.clone());
            }
        }
        all
    }

    /// Sends the sentence about a slot to people; `seen` is who was there when the operator chose.
    pub(super) fn tell(&mut self, slot: &SlotKey, seen: &Identity, to: &[String]) -> Vec<Effect> {
        let place = self.place(slot);
        let there = self.slot(slot).and_then(|s| s.parked.as_ref());
        let (Some(text), Some(true)) = (self.page_text(slot), there.map(|p| p.parkee == *seen)) else {
            return self.nothing(&format!("that caller has left {place}: nobody was told"));
        };
        let about = self.waits(slot).unwrap_or_default();
        let people = self.known_people(slot.line);
        let named = |to: &String| {
            let known = people.iter().find(|p| p.number.as_str() == to);
            (to.clone(), known.map_or_else(|| Text::new(to).to_string(), |p| p.label().to_owned()))
        };
        let waiting: Vec<(String, String)> =
            to.iter().filter(|to| !to.trim().is_empty()).take(MAX_TOLD).map(named).collect();
        if waiting.is_empty() {
            return self.nothing("nobody to tell: name colleagues in [team], or type a number");
        }
        let message = |(to, _): &(String, String)| Effect::SendMessage {
            line: slot.line,
            to: to.clone(),
            text: text.clone(),
        };
        let effects = waiting.iter().map(message).collect();
        let names: Vec<&str> = waiting.iter().map(|(_, name)| name.as_str()).collect();
        self.say(Severity::Info, &format!("telling {}: {about}", names.join(", ")));
        let (told, failed) = (Vec::new(), Vec::new());
        self.telling = Some(Telling { line: slot.line, about: Text::new(&about), waiting, told, failed });
        effects
    }

    /// Somebody's phone, or the server for it, has answered a message.
    pub(super) fn message_answered(
        &mut self,
        line: LineId,
        to: &str,
        outcome: Result<(), Text>,
    ) -> Vec<Effect> {
        let Some(telling) = self.telling.as_mut().filter(|telling| telling.line == line) else {
            return Vec::new();
        };
        let Some(at) = telling.waiting.iter().position(|(waiting, _)| waiting == to) else {
            return Vec::new();
        };
        let (_, name) = telling.waiting.remove(at);
        match outcome {
            Ok(()) => telling.told.push(name),
            Err(reason) => telling.failed.push((name, reason)),
        }
        if !telling.waiting.is_empty() {
            return Vec::new();
        }
        let Some(Telling { about, told, failed, .. }) = self.telling.take() else { return Vec::new() };
        let failed: Vec<String> = failed.iter().map(|(name, why)| format!("{name} ({why})")).collect();
        match (told.is_empty(), failed.is_empty()) {
            (_, true) => self.say(Severity::Info, &format!("told {}: {about}", told.join(", "))),
            (true, _) => {
                self.say(Severity::Warning, &format!("not told: {} · c copies it", failed.join(", ")))
            }
            _ => {
                let text = format!("told {} · not told: {}", told.join(", "), failed.join(", "));
                self.say(Severity::Warning, &text);
            }
        }
        Vec::new()
    }

    /// The person whom the note of a call names, if it names exactly one whose number is known: whole words, whatever
    /// their case; of "Sam" and "Sam Hill" the longer.
    pub fn person_meant(&self, call: &super::Call) -> Option<Identity> {
        let words = |text: &str| -> Vec<String> {
            text.to_lowercase()
                .split(|c: char| !c.is_alphanumeric())
                .filter(|w| !w.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let note = words(call.note.as_str());
        let named = |person: &Identity| {
            let name = words(person.name.as_str());
            let there = !name.is_empty() && note.windows(name.len()).any(|at| at == name.as_slice());
            (there && person.number != call.party.number).then_some(name.len())
        };
        let people = self.known_people(call.line);
        let mut found: Vec<(usize, &Identity)> = people.iter().filter_map(|p| Some((named(p)?, p))).collect();
        let longest = found.iter().map(|(length, _)| *length).max()?;
        found.retain(|(length, _)| *length == longest);
        match found.as_slice() {
            [(_, only)] => Some((*only).clone()),
            _ => None,
        }
    }

    /// `T`: hands the call in hand to the person whom its note names.
    pub(super) fn transfer_to_named(&mut self) -> Vec<Effect> {
        let Some(call) = self.hand().filter(|call| call.is_up()) else {
            return self.nothing("no call in hand to transfer");
        };
        let (id, line) = (call.id, call.line);
        match self.person_meant(call) {
            Some(person) if !self.hands_to_busy(id, line, &person) => Vec::new(),
            Some(person) => self.transfer(person.number.as_str()),
            None => self.nothing("the note names nobody whose number is known: t asks for a number"),
        }
    }
}
