//! Follows the desk and tells what is new for the journal. Pure: it hears what the desk hears, looks at the desk
//! afterwards, and compares.

use crate::desk::{
    Call, CallArrival, CallId, CallRecord, CallWay, Desk, Direction, Effect, Entry, Event, Fate, LineId,
    MAX_CALLS, Outcome, ParkRecord, ParkedCall, Phase, Quality, RecordId, SlotKey,
};
use crate::parking::{Lamp, Moment, SlotId, Text};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Numbers of one session; a desk that has had more calls begins to write over its first ones.
pub const RECORDS_PER_SESSION: u64 = 1_000_000;
/// How long after somebody left a slot it may still be told why. A comeback rings within milliseconds.
const TOLD_WITHIN: Duration = Duration::from_secs(10);
/// Stays of an earlier session and this one are the same if they began within this time of each other.
const SAME_STAY_MS: u64 = 2_000;

/// What is known of a call besides what the desk shows.
#[derive(Debug, Default)]
struct Ending {
    outcome: Option<Outcome>,
    detail: Text,
    slot: Option<SlotId>,
}

#[derive(Debug)]
struct Followed {
    record: CallRecord,
    held_since: Option<Moment>,
    held: Duration,
    was: Phase,
    /// How it sounds: written down when it is over, for it changes all the time.
    quality: Option<Quality>,
}

/// Somebody who has left his slot: the reason may be told a moment later.
#[derive(Debug)]
struct Gone {
    record: ParkRecord,
    at: Moment,
}

/// Follows one desk.
#[derive(Debug)]
pub struct Follower {
    session: u64,
    origin_ms: u64,
    next: u64,
    calls: BTreeMap<CallId, Followed>,
    endings: HashMap<CallId, Ending>,
    parks: BTreeMap<SlotKey, ParkRecord>,
    gone: Vec<(SlotKey, Gone)>,
    /// Who rang since the last look, at most [`MAX_CALLS`]: the desk may have turned them away at once.
    arrived: Vec<(LineId, CallArrival)>,
    /// What was told of a slot before its lamp went out.
    fates: HashMap<SlotKey, (Fate, Text, Moment)>,
    /// Open stays of the last session, until their lamps are seen.
    inherited: Vec<ParkRecord>,
}

impl Follower {
    /// Follows from now on. `session` is a number of its own in the journal, `origin_ms` the wall-clock time of moment
    /// zero, `inherited` who was parked when the last session ended.
    pub fn new(session: u64, origin_ms: u64, inherited: Vec<ParkRecord>) -> Self {
        Self {
            session,
            origin_ms,
            next: 0,
            calls: BTreeMap::new(),
            endings: HashMap::new(),
            parks: BTreeMap::new(),
            gone: Vec::new(),
            arrived: Vec::new(),
            fates: HashMap::new(),
            inherited,
        }
    }

    /// An event, before the desk learns it.
    pub fn hear(&mut self, now: Moment, line: LineId, event: &Event) {
        let key = |id: &SlotId| SlotKey { line, id: id.clone() };
        match event {
            Event::CallArrived(arrival) if self.arrived.len() < MAX_CALLS => {
                self.arrived.push((line, arrival.clone()));
            }
            Event::CallEnded { call, reason, by_them } => {
                let ending = self.endings.entry(*call).or_default();
                ending.detail = reason.clone();
                ending.outcome = match by_them {
                    true => Some(Outcome::HungUp),
                    false => ending.outcome,
                };
            }
            Event::ParkProven { call, slot } => {
                let ending = self.endings.entry(*call).or_default();
                ending.outcome = Some(Outcome::Parked);
                ending.slot.clone_from(slot);
            }
            Event::TransferDone { call } => {
                self.endings.entry(*call).or_default().outcome = Some(Outcome::Transferred);
            }
            Event::GaveUp { slot, .. } => self.tell_fate(now, key(slot), Fate::GaveUp, Text::default()),
            Event::Fetched { slot, by, .. } => {
                let by = if by.is_withheld() { Text::default() } else { Text::new(by.label()) };
                self.tell_fate(now, key(slot), Fate::RetrievedElsewhere, by);
            }
            Event::CameBack { slot, .. } => self.tell_fate(now, key(slot), Fate::CameBack, Text::default()),
            _ => {}
        }
    }

    /// What the desk wants done, before it is.
    pub fn see(&mut self, effect: &Effect) {
        let (call, outcome) = match effect {
            Effect::Reject(call) => (*call, Outcome::TurnedAway),
            Effect::Redirect { call, to } => {
                self.endings.entry(*call).or_default().detail = Text::new(to);
                (*call, Outcome::Redirected)
            }
            Effect::HangUp(call) => (*call, Outcome::Ended),
            _ => return,
        };
        let ending = self.endings.entry(call).or_default();
        ending.outcome = ending.outcome.or(Some(outcome));
    }

    /// Looks at the desk; gives what has changed since the last look.
    pub fn follow(&mut self, now: Moment, desk: &Desk) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.follow_turned_away(now, desk, &mut entries);
        self.follow_calls(now, desk, &mut entries);
        self.follow_slots(now, desk, &mut entries);
        if self.calls.is_empty() {
            self.endings.clear();
        }
        entries
    }

    /// The desk is left: no call goes on any more. Whoever is parked stays parked.
    pub fn close(&mut self, now: Moment) -> Vec<Entry> {
        let calls = std::mem::take(&mut self.calls);
        let mut entries = Vec::new();
        for (id, followed) in calls {
            let undecided = matches!(
                followed.was,
                Phase::Parking { .. } | Phase::PuttingBack { .. } | Phase::Transferring { .. }
            );
            let mut ending = self.endings.remove(&id).unwrap_or_default();
            if undecided && ending.outcome.is_none() {
                ending.detail = "the console was left before the server had decided".into();
            }
            entries.push(Entry::Call(self.over(now, followed, ending)));
        }
        entries
    }

    fn wall(&self, moment: Moment) -> u64 {
        self.origin_ms.saturating_add(u64::try_from(moment.as_millis()).unwrap_or(u64::MAX))
    }

    fn id(&mut self) -> RecordId {
        self.next += 1;
        self.session * RECORDS_PER_SESSION + self.next % RECORDS_PER_SESSION
    }

    /// Whoever was turned away or sent on before he ever stood on the board: he called all the same.
    fn follow_turned_away(&mut self, now: Moment, desk: &Desk, entries: &mut Vec<Entry>) {
        for (line, arrival) in std::mem::take(&mut self.arrived) {
            let call = arrival.call;
            if desk.call(call).is_some() || self.calls.contains_key(&call) {
                continue;
            }
            let ending = self.endings.remove(&call).unwrap_or_default();
            let known = desk.known(&arrival.party).map(|known| known.name.clone()).unwrap_or_default();
            let back = arrival.comeback.map(|(slot, _)| slot);
            entries.push(Entry::Call(CallRecord {
                id: self.id(),
                account: account(desk, line),
                way: if back.is_some() { CallWay::CameBack } else { CallWay::In },
                party: arrival.party,
                known,
                called: arrival.called,
                slot: back.flatten(),
                note: arrival.note,
                began_ms: self.wall(now),
                answered_ms: None,
                ended_ms: Some(self.wall(now)),
                held_ms: 0,
                outcome: match ending.outcome {
                    Some(outcome @ (Outcome::TurnedAway | Outcome::Redirected)) => outcome,
                    _ => Outcome::Missed,
                },
                detail: ending.detail,
                quality: None,
            }));
        }
    }

    fn follow_calls(&mut self, now: Moment, desk: &Desk, entries: &mut Vec<Entry>) {
        let over: Vec<CallId> = self.calls.keys().filter(|id| desk.call(**id).is_none()).copied().collect();
        for id in over {
            if let Some(followed) = self.calls.remove(&id) {
                let ending = self.endings.remove(&id).unwrap_or_default();
                entries.push(Entry::Call(self.over(now, followed, ending)));
            }
        }
        for call in &desk.calls {
            let fresh = !self.calls.contains_key(&call.id);
            if fresh {
                let record = self.began(now, desk, call);
                let was = call.phase.clone();
                let followed =
                    Followed { record, held_since: None, held: Duration::ZERO, was, quality: None };
                self.calls.insert(call.id, followed);
            }
            let wall = self.wall(now);
            let Some(followed) = self.calls.get_mut(&call.id) else { continue };
            let before = followed.record.clone();
            followed.update(now, wall, desk, call);
            if fresh || followed.record != before {
                entries.push(Entry::Call(followed.record.clone()));
            }
        }
    }

    fn began(&mut self, now: Moment, desk: &Desk, call: &Call) -> CallRecord {
        let (way, slot) = match (&call.phase, &call.comeback) {
            (_, Some(back)) => (CallWay::CameBack, back.slot.clone()),
            (Phase::Retrieving { target }, _) => (CallWay::Retrieved, Some(target.slot.clone())),
            _ if call.direction == Direction::Inbound => (CallWay::In, None),
            _ => (CallWay::Out, None),
        };
        CallRecord {
            id: self.id(),
            account: account(desk, call.line),
            way,
            party: call.party.clone(),
            known: Text::default(),
            called: call.called.clone(),
            slot,
            note: call.note.clone(),
            began_ms: self.wall(now),
            answered_ms: None,
            ended_ms: None,
            held_ms: 0,
            outcome: Outcome::Open,
            detail: Text::default(),
            quality: None,
        }
    }

    fn over(&self, now: Moment, followed: Followed, ending: Ending) -> CallRecord {
        let Followed { mut record, held_since, held, was, quality } = followed;
        record.quality = quality;
        let held = held + held_since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
        record.held_ms = u64::try_from(held.as_millis()).unwrap_or(u64::MAX);
        record.ended_ms = Some(self.wall(now));
        let told = ending.outcome;
        (record.outcome, record.detail) = match was {
            _ if told == Some(Outcome::Parked) => (Outcome::Parked, ending.detail),
            Phase::Transferring { to, .. } if told == Some(Outcome::Transferred) => {
                (Outcome::Transferred, to)
            }
            // It was never up: who ended it decides.
            Phase::Ringing => match told {
                Some(ended @ (Outcome::TurnedAway | Outcome::Redirected)) => (ended, ending.detail),
                _ => (Outcome::Missed, ending.detail),
            },
            Phase::Dialling | Phase::RingingThere => match told {
                Some(Outcome::Ended) => (Outcome::GivenUp, ending.detail),
                _ => (Outcome::NotReached, ending.detail),
            },
            Phase::Retrieving { .. } | Phase::Verifying { .. } => (Outcome::NotRetrieved, ending.detail),
            // Whoever was asked first and is with the caller now.
            Phase::Transferring { .. } if record.way == CallWay::Out && told.is_some() => {
                (told.unwrap_or(Outcome::Ended), ending.detail)
            }
            Phase::Parking { .. } | Phase::PuttingBack { .. } | Phase::Transferring { .. } => {
                (Outcome::Lost, if ending.detail.is_empty() { "hung up".into() } else { ending.detail })
            }
            _ if told == Some(Outcome::HungUp) => (Outcome::HungUp, ending.detail),
            _ if told == Some(Outcome::Ended) => (Outcome::Ended, ending.detail),
            _ => (Outcome::Lost, ending.detail),
        };
        if ending.slot.is_some() {
            record.slot = ending.slot;
        }
        record
    }

    fn follow_slots(&mut self, now: Moment, desk: &Desk, entries: &mut Vec<Entry>) {
        self.gone.retain(|(_, gone)| now.saturating_sub(gone.at) <= TOLD_WITHIN);
        self.fates.retain(|_, (_, _, at)| now.saturating_sub(*at) <= TOLD_WITHIN);
        for slot in &desk.slots {
            let key = slot.key();
            let lit = matches!(slot.lamp, Lamp::Parked | Lamp::RingingBack);
            match &slot.parked {
                Some(parked) if lit => self.stays(now, desk, &key, parked, entries),
                _ if slot.is_known_free() => self.leaves(now, &key, desk, entries),
                _ => {}
            }
        }
        self.comebacks(now, desk, entries);
    }

    fn stays(
        &mut self,
        now: Moment,
        desk: &Desk,
        key: &SlotKey,
        parked: &ParkedCall,
        entries: &mut Vec<Entry>,
    ) {
        let same = |record: &ParkRecord, since_ms: u64| record.parked_ms.abs_diff(since_ms) <= SAME_STAY_MS;
        let since_ms = self.wall(parked.since);
        // Who waits is another one only where the wait began anew and the name is another.
        let other = self.parks.get(key).is_some_and(|record| {
            !same(record, since_ms)
                && record.party.is_comparable()
                && !record.party.agrees_with(&parked.parkee)
        });
        if other {
            self.leaves(now, key, desk, entries);
        }
        if !self.parks.contains_key(key) {
            let account = account(desk, key.line);
            let inherited = self
                .inherited
                .iter()
                .position(|r| r.slot == key.id && r.account == account && same(r, since_ms))
                .map(|at| self.inherited.swap_remove(at));
            let record = inherited.unwrap_or_else(|| ParkRecord {
                id: self.id(),
                account,
                slot: key.id.clone(),
                party: parked.parkee.clone(),
                known: Text::default(),
                parker: parked.parker.clone(),
                ours: parked.ours,
                note: Text::default(),
                parked_ms: since_ms,
                left_ms: None,
                fate: Fate::Waiting,
                by: Text::default(),
            });
            entries.push(Entry::Park(record.clone()));
            self.parks.insert(key.clone(), record);
        }
        let Some(record) = self.parks.get_mut(key) else { return };
        let party = if parked.parkee.is_comparable() { &parked.parkee } else { &record.party };
        let known = desk.known(party).map(|known| &known.name);
        // Every slot is looked at after each event, and nearly always there is nothing new in it.
        let unchanged = record.party == *party
            && known.map_or(record.known.is_empty(), |known| record.known == *known)
            && record.parker == parked.parker
            && (record.ours || !parked.ours)
            && record.note == parked.note;
        if unchanged {
            return;
        }
        record.known = known.cloned().unwrap_or_default();
        record.party = party.clone();
        record.parker = parked.parker.clone();
        record.ours |= parked.ours;
        record.note = parked.note.clone();
        entries.retain(|entry| entry.id() != record.id);
        entries.push(Entry::Park(record.clone()));
    }

    fn leaves(&mut self, now: Moment, key: &SlotKey, desk: &Desk, entries: &mut Vec<Entry>) {
        // An account's name is made anew each time: only where somebody may be waiting for it.
        let account = (!self.inherited.is_empty()).then(|| account(desk, key.line));
        let inherited = |r: &ParkRecord| r.slot == key.id && Some(&r.account) == account.as_ref();
        if let Some(at) = self.inherited.iter().position(inherited) {
            let mut record = self.inherited.swap_remove(at);
            (record.fate, record.left_ms) = (Fate::Left, Some(self.wall(now)));
            record.by = "while the console was not running".into();
            entries.push(Entry::Park(record));
        }
        let Some(mut record) = self.parks.remove(key) else { return };
        record.left_ms = Some(self.wall(now));
        let told = self.fates.remove(key).map(|(fate, by, _)| (fate, by));
        (record.fate, record.by) =
            told.or_else(|| retrieved(desk, key)).unwrap_or((Fate::Left, Text::default()));
        entries.push(Entry::Park(record.clone()));
        self.gone.push((key.clone(), Gone { record, at: now }));
    }

    /// What became of somebody who leaves a slot, or has just left it.
    fn tell_fate(&mut self, now: Moment, key: SlotKey, fate: Fate, by: Text) {
        self.fates.insert(key, (fate, by, now));
    }

    /// Reasons that came a moment after the lamp went out.
    fn comebacks(&mut self, now: Moment, desk: &Desk, entries: &mut Vec<Entry>) {
        for call in desk.calls.iter().filter(|call| call.phase == Phase::Ringing) {
            if let Some(slot) = call.comeback.as_ref().and_then(|back| back.slot.clone()) {
                let key = SlotKey { line: call.line, id: slot };
                if self.gone.iter().any(|(gone, _)| *gone == key) {
                    self.fates.insert(key, (Fate::CameBack, Text::default(), now));
                }
            }
        }
        for (key, gone) in &mut self.gone {
            let told = self.fates.remove(key).map(|(fate, by, _)| (fate, by));
            let told = told.or_else(|| retrieved(desk, key).filter(|_| gone.record.fate == Fate::Left));
            let Some((fate, by)) = told else { continue };
            if gone.record.fate != fate {
                (gone.record.fate, gone.record.by) = (fate, by);
                entries.push(Entry::Park(gone.record.clone()));
            }
        }
    }
}

/// Whether the call that was in a slot is the one in hand now.
fn retrieved(desk: &Desk, key: &SlotKey) -> Option<(Fate, Text)> {
    let ours = |call: &&Call| {
        let target = match &call.phase {
            Phase::Retrieving { target } | Phase::Verifying { target, .. } => Some(&target.slot),
            _ => None,
        };
        let was = call.strength.is_some() && call.called.as_str() == key.id.as_str();
        call.line == key.line && call.direction == Direction::Outbound && (was || target == Some(&key.id))
    };
    desk.calls.iter().find(ours).map(|_| (Fate::RetrievedHere, Text::default()))
}

fn account(desk: &Desk, line: LineId) -> Text {
    desk.line(line).map(|line| Text::new(line.account.called())).unwrap_or_default()
}

impl Followed {
    fn update(&mut self, now: Moment, wall_ms: u64, desk: &Desk, call: &Call) {
        let record = &mut self.record;
        record.party = call.party.clone();
        record.known = desk.known(&call.party).map(|known| known.name.clone()).unwrap_or_default();
        record.note = call.note.clone();
        if let Some(back) = &call.comeback {
            record.way = CallWay::CameBack;
            record.slot = back.slot.clone().or_else(|| record.slot.take());
        }
        if record.answered_ms.is_none() && (call.is_up() || matches!(call.phase, Phase::Answering)) {
            record.answered_ms = Some(wall_ms);
        }
        let held = matches!(call.phase, Phase::Held | Phase::Holding);
        match (held, self.held_since) {
            (true, None) => self.held_since = Some(now),
            (false, Some(since)) => {
                self.held += now.saturating_sub(since);
                self.held_since = None;
            }
            _ => {}
        }
        self.was = call.phase.clone();
        if let Some(quality) = call.quality {
            let dead = self.quality.and_then(|before| before.one_way);
            self.quality = Some(Quality { one_way: quality.one_way.or(dead), ..quality });
        }
    }
}

#[cfg(test)]
#[path = "follower_tests.rs"]
mod tests;
