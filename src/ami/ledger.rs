//! Who is parked in our lots, and the questions to the server whether he may be shown.

use super::block::Block;
use super::fact::Fact;
use super::parked::{self, Device, Parked, Read};
use crate::parking::{Identity, Moment, SlotId};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The most parked calls that are kept; more are not known of.
pub(super) const MAX_PARKED: usize = 1_000;
/// The most fetched calls whose retriever is still asked about; the oldest is given up.
const MAX_RETRIEVALS: usize = 32;
/// The most questions that are out at once; the others wait.
const MAX_QUESTIONS: usize = 16;
/// How long an answer is waited for. None: he is not shown.
const ANSWER_PATIENCE: Duration = Duration::from_secs(3);

/// Whether somebody may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    /// To be asked.
    Wanted,
    /// Asked.
    Asked,
    /// Known, either way.
    Settled,
}

#[derive(Debug)]
struct Entry {
    read: Read,
    parkee: Leave,
    parker: Leave,
}

#[derive(Debug)]
struct Retrieval {
    call: Parked,
    channel: String,
    who: Identity,
    asked: bool,
}

/// About whom the server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum About {
    Parkee(SlotId, String),
    Parker(SlotId, String),
    Retriever(String),
}

/// A question that goes out: `Getvar` of this function on this channel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub channel: String,
    pub variable: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    lots: Vec<String>,
    parked: BTreeMap<SlotId, Entry>,
    retrievals: VecDeque<Retrieval>,
    out: BTreeMap<u64, (About, Moment)>,
}

impl Ledger {
    pub(super) fn new(lots: &[String]) -> Self {
        Self { lots: lots.to_vec(), ..Self::default() }
    }

    /// Nothing is known any more.
    pub(super) fn clear(&mut self) {
        self.parked.clear();
        self.retrievals.clear();
        self.out.clear();
    }

    /// Reads a parked call of one of our lots out of a block.
    pub(super) fn read(&self, block: &Block) -> Option<Read> {
        parked::read(block).filter(|read| self.lots.contains(&read.lot))
    }

    /// The server's whole list: it replaces what was known, but what may be shown is not asked twice.
    pub(super) fn replace(&mut self, listed: Vec<Read>) {
        let mut before = std::mem::take(&mut self.parked);
        for read in listed.into_iter().take(MAX_PARKED) {
            let known =
                before.remove(&read.call.slot).filter(|e| e.read.call.unique_id == read.call.unique_id);
            let entry = match known {
                Some(known) => known.counted_on(&read),
                None => Entry::new(read),
            };
            self.parked.insert(entry.read.call.slot.clone(), entry);
        }
    }

    /// All parked calls, in the order of their slots.
    pub(super) fn all(&self) -> Vec<Parked> {
        self.parked.values().map(|entry| entry.read.call.clone()).collect()
    }

    /// Whether this very call is known.
    pub(super) fn knows(&self, call: &Parked) -> bool {
        self.parked.get(&call.slot).is_some_and(|entry| entry.read.call.unique_id == call.unique_id)
    }

    /// Takes in an event; what it says, if it is about one of our lots.
    pub(super) fn apply(&mut self, block: &Block) -> Option<Fact> {
        let read = self.read(block)?;
        match block.get("Event")? {
            "ParkedCall" => self.settle_in(read).map(Fact::Parked),
            "ParkedCallSwap" => self.settle_in(read).map(Fact::Swapped),
            "ParkedCallGiveUp" => Some(Fact::GaveUp(self.take_out(read))),
            "ParkedCallTimeOut" => Some(Fact::TimedOut(self.take_out(read))),
            "UnParkedCall" => {
                let call = self.take_out(read);
                self.ask_retriever(block, call.clone());
                Some(Fact::Unparked(call))
            }
            _ => None,
        }
    }

    fn settle_in(&mut self, read: Read) -> Option<Parked> {
        // Told again what the list said already.
        if self.knows(&read.call) {
            return None;
        }
        let slot = read.call.slot.clone();
        if self.parked.len() >= MAX_PARKED && !self.parked.contains_key(&slot) {
            return None;
        }
        let call = read.call.clone();
        self.parked.insert(slot, Entry::new(read));
        Some(call)
    }

    /// The call leaves; with what was known of him.
    fn take_out(&mut self, read: Read) -> Parked {
        match self.parked.remove(&read.call.slot) {
            Some(entry) if entry.read.call.unique_id == read.call.unique_id => {
                entry.counted_on(&read).read.call
            }
            Some(other) => {
                self.parked.insert(read.call.slot.clone(), other);
                read.call
            }
            None => read.call,
        }
    }

    fn ask_retriever(&mut self, block: &Block, call: Parked) {
        let Some(channel) = parked::name(block, "RetrieverChannel") else { return };
        if self.retrievals.len() >= MAX_RETRIEVALS {
            self.retrievals.pop_front();
        }
        let who = parked::identity(block, "RetrieverCallerID");
        self.retrievals.push_back(Retrieval { call, channel, who, asked: false });
    }

    /// The next question that is to go out as action `number`, which the next one will have.
    pub(super) fn ask(&mut self, now: Moment, number: u64) -> Option<Question> {
        if self.out.len() >= MAX_QUESTIONS {
            return None;
        }
        let (about, question) = self.next_question()?;
        self.out.insert(number, (about, now + ANSWER_PATIENCE));
        Some(question)
    }

    fn next_question(&mut self) -> Option<(About, Question)> {
        if let Some(retrieval) = self.retrievals.iter_mut().find(|r| !r.asked) {
            retrieval.asked = true;
            let question = Question { channel: retrieval.channel.clone(), variable: "CALLERID(pres)" };
            return Some((About::Retriever(retrieval.call.unique_id.clone()), question));
        }
        let wanted = |e: &&mut Entry| e.parkee == Leave::Wanted || e.parker == Leave::Wanted;
        let entry = self.parked.values_mut().find(wanted)?;
        let call = &entry.read.call;
        let (slot, unique_id) = (call.slot.clone(), call.unique_id.clone());
        let channel = entry.read.channel.clone();
        if entry.parkee == Leave::Wanted {
            entry.parkee = Leave::Asked;
            return Some((About::Parkee(slot, unique_id), Question { channel, variable: "CALLERID(pres)" }));
        }
        entry.parker = Leave::Asked;
        Some((About::Parker(slot, unique_id), Question { channel, variable: "CONNECTEDLINE(pres)" }))
    }

    /// Whether this action asked one of our questions.
    pub(super) fn asked(&self, number: u64) -> bool {
        self.out.contains_key(&number)
    }

    /// The server's answer to a question, or none at all.
    pub(super) fn answered(&mut self, number: u64, presentation: Option<&str>) -> Option<Fact> {
        let (about, _) = self.out.remove(&number)?;
        // "allowed", "allowed_not_screened" …; everything else ("prohib…", "unavailable", a refusal) is a no.
        let may = presentation.is_some_and(|word| word.starts_with("allowed"));
        match about {
            About::Parkee(slot, unique_id) => {
                let entry = self.entry(&slot, &unique_id)?;
                entry.parkee = Leave::Settled;
                entry.read.call.vetted = true;
                if let Some(shown) = shown(may, &entry.read.parkee) {
                    entry.read.call.parkee = shown;
                }
                Some(Fact::Vetted(entry.read.call.clone()))
            }
            About::Parker(slot, unique_id) => {
                let entry = self.entry(&slot, &unique_id)?;
                entry.parker = Leave::Settled;
                entry.read.call.parker = shown(may, &entry.read.connected)?;
                Some(Fact::Vetted(entry.read.call.clone()))
            }
            About::Retriever(unique_id) => {
                let at = self.retrievals.iter().position(|r| r.call.unique_id == unique_id && r.asked)?;
                let Retrieval { call, channel, who, .. } = self.retrievals.remove(at)?;
                let by = shown(may, &who).unwrap_or_default();
                Some(Fact::Retrieved { call, device: Device::of(&channel), by })
            }
        }
    }

    fn entry(&mut self, slot: &SlotId, unique_id: &str) -> Option<&mut Entry> {
        self.parked.get_mut(slot).filter(|entry| entry.read.call.unique_id == unique_id)
    }

    /// A question whose answer is overdue.
    pub(super) fn overdue(&self, now: Moment) -> Option<u64> {
        self.out.iter().find(|(_, (_, until))| now >= *until).map(|(number, _)| *number)
    }

    /// When one will be.
    pub(super) fn next_wake(&self) -> Option<Moment> {
        self.out.values().map(|(_, until)| *until).min()
    }

    /// How much is kept.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize, usize) {
        (self.parked.len(), self.retrievals.len(), self.out.len())
    }
}

/// Who may be shown: somebody whom the server lets be shown and who doesn't call himself anonymous.
fn shown(may: bool, who: &Identity) -> Option<Identity> {
    let anonymous = who.name.as_str().eq_ignore_ascii_case("anonymous");
    (may && !anonymous && who.is_comparable()).then(|| who.clone())
}

impl Entry {
    fn new(read: Read) -> Self {
        let parker = if read.connected.is_comparable() { Leave::Wanted } else { Leave::Settled };
        Self { read, parkee: Leave::Wanted, parker }
    }

    /// The same call as told now: its times are newer.
    fn counted_on(mut self, told: &Read) -> Self {
        self.read.call.parked_for_s = told.call.parked_for_s;
        self.read.call.comes_back_in_s = told.call.comes_back_in_s;
        self
    }
}
