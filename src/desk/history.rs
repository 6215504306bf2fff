//! The newest part of the journal, to look at and to search: what the screen shows of it.

use super::record::{CallRecord, Entry, Outcome, ParkRecord};
use std::collections::VecDeque;
use std::sync::Arc;

/// The most calls and the most stays in slots that are kept at hand; older ones are in the journal.
pub const MAX_HISTORY: usize = 5_000;

/// The newest calls and stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Calls, the newest first.
    pub calls: VecDeque<Arc<CallRecord>>,
    /// Stays in slots, the newest first.
    pub parks: VecDeque<Arc<ParkRecord>>,
    /// When this session began, milliseconds since 1970.
    pub since_ms: u64,
}

impl History {
    /// What the journal has, each the newest first.
    pub fn new(calls: Vec<CallRecord>, parks: Vec<ParkRecord>, since_ms: u64) -> Self {
        Self {
            calls: calls.into_iter().take(MAX_HISTORY).map(Arc::new).collect(),
            parks: parks.into_iter().take(MAX_HISTORY).map(Arc::new).collect(),
            since_ms,
        }
    }

    /// Takes in what is new.
    pub fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Call(record) => put(&mut self.calls, Arc::new(record), |record| record.id),
            Entry::Park(record) => put(&mut self.parks, Arc::new(record), |record| record.id),
        }
    }

    /// The missed calls of this session since `seen_ms`, of people who were not spoken to since.
    pub fn missed_since(&self, seen_ms: u64) -> usize {
        let from = seen_ms.max(self.since_ms);
        let newer = || self.calls.iter().take_while(|call| call.began_ms >= from);
        let settled = |missed: &CallRecord| {
            newer().any(|call| {
                call.began_ms > missed.began_ms
                    && call.answered_ms.is_some()
                    && call.outcome != Outcome::Missed
                    && call.party.agrees_with(&missed.party)
            })
        };
        newer().filter(|call| call.is_missed() && !settled(call)).count()
    }
}

/// Puts a record first, or in the place of its older state.
fn put<T>(records: &mut VecDeque<Arc<T>>, record: Arc<T>, id: impl Fn(&T) -> u64) {
    match records.iter_mut().find(|known| id(known) == id(&record)) {
        Some(known) => *known = record,
        None => {
            records.push_front(record);
            records.truncate(MAX_HISTORY);
        }
    }
}
