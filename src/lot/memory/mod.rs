//! What must survive the lot's process: who is parked and who talks, which phones are registered, who watches. Every
//! change is told as an [`Entry`] to be written down *before* the datagrams that it caused leave (so that nothing is
//! lost that anybody was told), and [`Lot::revive`] goes on from what the last process wrote.
//!
//! Nothing is stored here but marks: what has changed is looked up when it is asked for, and costs nothing where
//! nobody asks.

mod entry;
mod revive;

pub use entry::{
    Entry, FORMAT, MAX_LINE, Past, SavedLeg, SavedParking, SavedPhone, SavedPlace, SavedRing, SavedWatch,
};

use super::Lot;
use super::legs::Place;
use super::legs::Purpose;
use super::slots::{ParkedCall, Phase};
use crate::parking::Moment;
use crate::sip::{CallKey, WatcherKey};
use revive::Waking;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What has changed and is not written down yet.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The wall clock at moment zero; `None`: nobody writes anything down, and nothing is marked.
    origin_ms: Option<u64>,
    legs: BTreeSet<CallKey>,
    /// Calls and watchers that stand in the journal.
    written_legs: BTreeSet<CallKey>,
    written_watchers: BTreeSet<WatcherKey>,
    /// Calls of the last process whose far ends have not answered yet.
    waking: BTreeMap<CallKey, Waking>,
    /// Before then no more of them are asked.
    next_waking: Moment,
    /// Whether what the last process had not answered is being answered.
    replaying: bool,
    /// What users are to be told as soon as they have a phone.
    unsaid: VecDeque<(String, String)>,
}

impl Memory {
    /// Something about this call may have changed.
    pub(super) fn mark(&mut self, call: CallKey) {
        if self.origin_ms.is_some() {
            self.legs.insert(call);
        }
    }

    fn wall(&self, moment: Moment) -> u64 {
        let since_origin = u64::try_from(moment.as_millis()).unwrap_or(u64::MAX);
        self.origin_ms.unwrap_or_default().saturating_add(since_origin)
    }

    fn moment(&self, wall_ms: u64) -> Moment {
        Moment::from_millis(wall_ms.saturating_sub(self.origin_ms.unwrap_or_default()))
    }
}

impl Lot {
    /// From now on every change is told by [`Lot::poll_entry`]. `origin_ms` is the wall-clock time of moment zero, in
    /// milliseconds since 1970.
    pub fn keep(&mut self, origin_ms: u64) {
        self.memory.origin_ms = Some(origin_ms);
        self.memory.legs.extend(self.legs.keys());
        self.presence.keep();
        self.registrar.keep();
    }

    /// The next change to write down, before what [`Lot::poll_transmit`] has to send.
    pub fn poll_entry(&mut self) -> Option<Entry> {
        while let Some(extension) = self.presence.take_touched() {
            let parked = self.lots.iter().find_map(|lot| lot.in_slot(&extension));
            if let Some(call) = parked.map(|parked| parked.occupant) {
                self.memory.mark(call);
            }
        }
        while let Some(call) = self.memory.legs.pop_first() {
            let leg = self.save_leg(call).map(|leg| Entry::Leg(Box::new(leg)));
            match leg.or_else(|| Some(Entry::Ring(Box::new(self.save_ring(call)?)))) {
                Some(entry) => {
                    self.memory.written_legs.insert(call);
                    return Some(entry);
                }
                None if self.memory.written_legs.remove(&call) => {
                    return Some(Entry::LegEnded { id: call.number() });
                }
                None => {}
            }
        }
        if let Some(user) = self.registrar.take_changed() {
            return Some(self.save_phones(user));
        }
        while let Some(watcher) = self.presence.take_marked() {
            match self.save_watch(watcher) {
                Some(watch) => {
                    self.memory.written_watchers.insert(watcher);
                    return Some(Entry::Watching(Box::new(watch)));
                }
                None if self.memory.written_watchers.remove(&watcher) => {
                    return Some(Entry::WatcherLeft { id: watcher.number() });
                }
                None => {}
            }
        }
        None
    }

    /// Everything there is, as a journal would have it that began now. What [`Lot::poll_entry`] had to tell is in it.
    pub fn snapshot(&mut self) -> Vec<Entry> {
        while self.poll_entry().is_some() {}
        let mut entries = vec![Entry::Begun { format: FORMAT, realm: self.config.realm.clone() }];
        let calls: Vec<CallKey> = self.memory.written_legs.iter().copied().collect();
        entries.extend(calls.iter().filter_map(|call| Some(Entry::Leg(Box::new(self.save_leg(*call)?)))));
        entries.extend(calls.iter().filter_map(|call| Some(Entry::Ring(Box::new(self.save_ring(*call)?)))));
        let users: Vec<String> = self.registrar.users().map(str::to_owned).collect();
        entries.extend(users.into_iter().map(|user| self.save_phones(user)));
        let watchers: Vec<WatcherKey> = self.memory.written_watchers.iter().copied().collect();
        let watching = watchers.iter().filter_map(|watcher| self.save_watch(*watcher));
        entries.extend(watching.map(|watch| Entry::Watching(Box::new(watch))));
        entries
    }

    fn save_leg(&self, call: CallKey) -> Option<SavedLeg> {
        let leg = self.legs.get(&call)?;
        Some(SavedLeg {
            id: call.number(),
            user: leg.user.clone(),
            identity: leg.identity.clone(),
            source: leg.source.to_string(),
            placed: leg.offer.is_some(),
            call: self.agent.save_call(call)?,
            place: self.save_place(call)?,
            trunk: leg.trunk.clone(),
        })
    }

    /// How a call that is not answered is ended in good order. Over a connection that can't be: it goes with the process.
    fn save_ring(&self, call: CallKey) -> Option<SavedRing> {
        let placed = match self.legs.get(&call)?.place {
            Place::Asking(_) => true,
            Place::Dialled(_) => false,
            _ => return None,
        };
        let (peer, message) = match placed {
            true => self.agent.unanswered_invite(call)?,
            false => self.agent.cancellation(call)?,
        };
        let message = String::from_utf8(message).ok().filter(|_| !peer.transport.is_reliable())?;
        Some(SavedRing { id: call.number(), peer: peer.to_string(), placed, message })
    }

    /// Where a call will be found again; `None` where nobody could go on from.
    fn save_place(&self, call: CallKey) -> Option<SavedPlace> {
        let leg = self.legs.get(&call)?;
        match &leg.place {
            Place::Parked(ticket) => {
                let (lot, parked) = self.parked(ticket)?;
                Some(SavedPlace::Parked(Box::new(self.save_parking(lot, &parked)?)))
            }
            // Who is only about to take a parked call doesn't have it yet.
            Place::With(_) if leg.takes.is_some() && !leg.confirmed => None,
            Place::With(peer) => match self.legs.get(peer)? {
                taker if !taker.confirmed && taker.takes.is_some() => {
                    let parked = taker.takes.as_ref()?;
                    let lot = self.lots.iter().position(|lot| lot.keeps(&parked.ticket))?;
                    Some(SavedPlace::Parked(Box::new(self.save_parking(lot, parked)?)))
                }
                _ => Some(SavedPlace::With { id: peer.number() }),
            },
            Place::Transferring(attempt) => match &self.attempts.get(attempt)?.purpose {
                Purpose::Transfer { sent_by, .. } => Some(SavedPlace::Stranded { sent_by: sent_by.clone() }),
                _ => None,
            },
            Place::Stranded => {
                Some(SavedPlace::Stranded { sent_by: leg.sent_by.clone().unwrap_or_default() })
            }
            Place::Asking(_)
            | Place::Dialled(_)
            | Place::Listening
            | Place::Paging
            | Place::Hearing(_)
            | Place::Leaving => None,
        }
    }

    fn save_parking(&self, lot: usize, parked: &ParkedCall<CallKey>) -> Option<SavedParking> {
        let due = match parked.phase {
            Phase::Waiting { until } => until,
            Phase::AwaitingParker { until } => Some(until),
            Phase::RingingBack => Some(parked.since),
        };
        Some(SavedParking {
            lot: self.parking(lot)?.name.clone(),
            slot: parked.slot.clone(),
            ticket: parked.ticket.as_str().to_owned(),
            parkee: parked.parkee.clone(),
            parker_user: parked.parker.user.clone(),
            parker: parked.parker.identity.clone(),
            since_ms: self.memory.wall(parked.since),
            note: parked.note.clone(),
            due_ms: due.map(|due| self.memory.wall(due)),
            awaits_parker: matches!(parked.phase, Phase::AwaitingParker { .. }),
            returns: parked.returns,
        })
    }

    fn save_phones(&self, user: String) -> Entry {
        let save = |phone: &super::registrar::Binding| phone.saved(self.memory.wall(phone.expires_at));
        let phones = self.registrar.phones(&user).iter().map(save).collect();
        Entry::Phones { user, phones }
    }

    fn save_watch(&self, key: WatcherKey) -> Option<SavedWatch> {
        let (extension, user, version) = self.presence.watching(key)?;
        let (watcher, ends) = self.agent.save_watcher(key)?;
        let (extension, user) = (extension.to_owned(), user.to_owned());
        let ends_ms = self.memory.wall(ends);
        Some(SavedWatch { id: key.number(), extension, user, version, watcher, ends_ms })
    }
}
