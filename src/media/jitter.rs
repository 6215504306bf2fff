//! The jitter buffer: packets wait in it until their time, and it says what to play next.
//!
//! How long they wait is learned from the arrivals ([`Delays`]); [`JitterBuffer::delay_us`] and
//! [`JitterBuffer::target_us`] tell how long they do and should, and who plays them shortens or lengthens the sound
//! accordingly. When nothing is there in time, sound is made up and the delay grows by it. Bounded in packets and in time.

mod delays;
mod seen;

use delays::Delays;
use seen::Seen;
use std::time::Duration;

/// Packets that can wait.
pub(crate) const SLOTS: usize = 40;
/// Largest payload that can wait: an Opus frame is at most 1,275 bytes (RFC 6716 3.4).
pub(crate) const MAX_PAYLOAD: usize = 1_275;
/// Most sound that may wait; older sound is dropped.
const MAX_WAIT_MS: i64 = 400;
/// Sound that is made up at a time while nothing is there: what comes a little late is then heard a little late.
pub(crate) const MADE_UP_MS: i64 = 10;
/// A gap longer than this is jumped instead of being filled.
const MAX_GAP_MS: i64 = 300;
/// Nothing for so long: the next packet begins anew.
const PAUSE: Duration = Duration::from_millis(1_000);

/// What became of a packet that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Stored {
        reordered: bool,
    },
    Duplicate,
    Late,
    /// The far end began anew; stored.
    Restarted,
    Refused,
}

/// What to play next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This packet ([`JitterBuffer::payload`]; give it back with [`JitterBuffer::free`]).
    Packet(usize),
    /// So many ticks are lost, up to the packet `after`, which may hold some of them again. Say with
    /// [`JitterBuffer::fill`] how many were made up.
    Lost { after: usize, ticks: i64 },
    /// The far end sent nothing on purpose for so many ticks (silence suppression). [`JitterBuffer::fill`] as above.
    Pause { ticks: i64 },
    /// The first packet is there, and its time has come.
    Begin,
    /// Nothing is there: not begun, or late.
    Empty { begun: bool },
}

struct Slot {
    used: bool,
    sequence: i64,
    timestamp: i64,
    ticks: i64,
    arrived: Duration,
    /// It came in a later packet.
    restored: bool,
    length: usize,
    bytes: [u8; MAX_PAYLOAD],
}

impl Slot {
    const EMPTY: Self = Self {
        used: false,
        sequence: 0,
        timestamp: 0,
        ticks: 0,
        arrived: Duration::ZERO,
        restored: false,
        length: 0,
        bytes: [0; MAX_PAYLOAD],
    };
}

pub(crate) struct JitterBuffer {
    slots: Box<[Slot]>,
    ticks_per_ms: i64,
    /// Lost ticks that the packet after them may bring back.
    reach: i64,
    seen: Option<Seen>,
    delays: Delays,
    lost_before: u64,
    /// The timestamp to play next.
    due: Option<i64>,
    last_played: Option<i64>,
    /// Ticks that were filled because nothing was there, since the last packet.
    debt: i64,
    empty_since: Option<Duration>,
    /// From that timestamp on the far end has told that it is silent, and hasn't spoken since.
    silent_from: Option<i64>,
}

impl JitterBuffer {
    pub(crate) fn new(clock_hz: u32) -> Self {
        let slots = (0..SLOTS).map(|_| Slot::EMPTY).collect();
        Self {
            slots,
            ticks_per_ms: i64::from(clock_hz / 1_000).max(1),
            reach: 0,
            seen: None,
            delays: Delays::new(),
            lost_before: 0,
            due: None,
            last_played: None,
            debt: 0,
            empty_since: None,
            silent_from: None,
        }
    }

    /// Another codec: what waits is of no use any more.
    pub(crate) fn set_clock(&mut self, clock_hz: u32) {
        self.ticks_per_ms = i64::from(clock_hz / 1_000).max(1);
        self.reach = 0;
        self.flush();
    }

    /// Lost sound of so many ms can be had from the packet after it: that is worth waiting for.
    pub(crate) fn set_reach(&mut self, ms: i64) {
        self.reach = ms * self.ticks_per_ms;
    }

    /// Forgets what waits; the next packet begins anew. Counters go on.
    pub(crate) fn flush(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.used = false);
        self.lost_before = self.lost();
        self.seen = None;
        self.delays.forget_clock();
        self.silent_from = None;
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        (self.due, self.last_played, self.empty_since, self.debt) = (None, None, None, 0);
    }

    /// Packets that never came, up to the newest (RFC 3550 A.3).
    pub(crate) fn lost(&self) -> u64 {
        self.lost_before + self.seen.as_ref().map_or(0, Seen::lost)
    }

    /// How many packets are lost in a row where one is, on average of late.
    pub(crate) fn burst(&self) -> f32 {
        self.seen.as_ref().map_or(1.0, Seen::burst)
    }

    /// The highest sequence number seen, with its wraps counted (RFC 3550 6.4.1).
    pub(crate) fn highest(&self) -> u32 {
        self.seen.as_ref().map_or(0, |seen| seen.highest as u32)
    }

    /// Counts a packet that is not for playing here, so that its number is not missed (telephone events, and what a
    /// bridge forwards). `false`: it came before.
    pub(crate) fn count(&mut self, sequence: u16, timestamp: u32) -> bool {
        !matches!(self.note(sequence, timestamp), Arrival::Duplicate)
    }

    /// Counts a packet that says that the far end is silent from then on. `false`: it came before, or is older than what
    /// was heard since.
    pub(crate) fn silence(&mut self, sequence: u16, timestamp: u32) -> bool {
        let newest = self.seen.as_ref().map(|seen| seen.highest);
        if !self.count(sequence, timestamp) {
            return false;
        }
        let Some(seen) = &self.seen else { return false };
        let (number, timestamp) = seen.extend(sequence, timestamp);
        if newest.is_some_and(|newest| number < newest) {
            return false;
        }
        // Told again, it is the same silence.
        self.silent_from.get_or_insert(timestamp);
        true
    }

    /// Whether what is to be played now is a silence that was told.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent_from.is_some_and(|from| self.due.is_none_or(|due| due >= from))
    }

    /// Takes a packet that lasts `ticks` of its clock.
    pub(crate) fn insert(
        &mut self,
        now: Duration,
        sequence: u16,
        timestamp: u32,
        ticks: u32,
        payload: &[u8],
    ) -> Arrival {
        if payload.len() > MAX_PAYLOAD || ticks == 0 {
            return Arrival::Refused;
        }
        let arrival = self.note(sequence, timestamp);
        if arrival == Arrival::Duplicate {
            return arrival;
        }
        let Some((sequence, timestamp)) = self.seen.as_ref().map(|seen| seen.extend(sequence, timestamp))
        else {
            return Arrival::Refused;
        };
        self.delays.note(micros(now) - self.us(timestamp));
        let ticks = i64::from(ticks);
        if self.due.is_some_and(|due| timestamp + ticks / 2 < due) {
            // Its sound was made up already.
            return Arrival::Late;
        }
        if self.slots.iter().any(|slot| slot.used && slot.sequence == sequence) {
            // A later packet brought it first.
            return arrival;
        }
        if self.store(now, (sequence, timestamp, ticks), payload, false) { arrival } else { Arrival::Refused }
    }

    /// Takes what a later packet brings again of the packet with that number, if it is missed and in time. Counts
    /// nothing: it is still lost.
    pub(crate) fn restore(
        &mut self,
        now: Duration,
        sequence: u16,
        timestamp: u32,
        ticks: u32,
        payload: &[u8],
    ) {
        let Some(seen) = self.seen.as_mut().filter(|_| payload.len() <= MAX_PAYLOAD && ticks > 0) else {
            return;
        };
        let (sequence, timestamp) = seen.extend(sequence, timestamp);
        if !seen.restore(sequence) {
            return;
        }
        self.delays.note_recovery(micros(now) - self.us(timestamp));
        let ticks = i64::from(ticks);
        if self.due.is_none_or(|due| timestamp + ticks / 2 >= due) {
            self.store(now, (sequence, timestamp, ticks), payload, true);
        }
    }

    /// Whether the packet at that place came in a later one.
    pub(crate) fn is_restored(&self, at: usize) -> bool {
        self.slots.get(at).is_some_and(|slot| slot.restored)
    }

    fn store(&mut self, now: Duration, numbers: (i64, i64, i64), payload: &[u8], restored: bool) -> bool {
        let (sequence, timestamp, ticks) = numbers;
        self.drop_surplus(timestamp + ticks);
        let Some(slot) = self.free_slot() else { return false };
        slot.used = true;
        (slot.sequence, slot.timestamp, slot.ticks, slot.arrived) = (sequence, timestamp, ticks, now);
        (slot.restored, slot.length) = (restored, payload.len());
        if let Some(bytes) = slot.bytes.get_mut(..payload.len()) {
            bytes.copy_from_slice(payload);
        }
        true
    }

    /// Enters a packet's number; begins anew where it jumps.
    fn note(&mut self, sequence: u16, timestamp: u32) -> Arrival {
        let Some(seen) = self.seen.as_mut() else {
            self.seen = Some(Seen::new(sequence, timestamp));
            return Arrival::Stored { reordered: false };
        };
        seen.note(sequence, timestamp, self.ticks_per_ms).unwrap_or_else(|| {
            self.flush();
            self.seen = Some(Seen::new(sequence, timestamp));
            Arrival::Restarted
        })
    }

    fn us(&self, timestamp: i64) -> i64 {
        timestamp * 1_000 / self.ticks_per_ms
    }

    /// Drops the oldest sound where more than the most would wait, or no slot is free.
    fn drop_surplus(&mut self, end: i64) {
        while let Some(oldest) = self.earliest() {
            let waits = end - self.slots[oldest].timestamp;
            let full = self.slots.iter().all(|slot| slot.used);
            if waits <= MAX_WAIT_MS * self.ticks_per_ms && !full {
                break;
            }
            let gone = &mut self.slots[oldest];
            gone.used = false;
            let (after, sequence) = (gone.timestamp + gone.ticks, gone.sequence);
            if self.due.is_some() {
                (self.due, self.last_played) = (Some(after), Some(sequence));
            }
        }
    }

    fn free_slot(&mut self) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| !slot.used)
    }

    fn earliest(&self) -> Option<usize> {
        let used = self.slots.iter().enumerate().filter(|(_, slot)| slot.used);
        used.min_by_key(|(_, slot)| slot.timestamp).map(|(at, _)| at)
    }

    /// Ticks of the codec's clock in a ms.
    pub(crate) fn ticks_per_ms(&self) -> i64 {
        self.ticks_per_ms
    }

    /// What to play next.
    pub(crate) fn next(&mut self, now: Duration) -> Next {
        let Some(first) = self.earliest() else { return self.nothing(now) };
        let (timestamp, sequence) = (self.slots[first].timestamp, self.slots[first].sequence);
        self.empty_since = None;
        let Some(due) = self.due else { return self.begin(now, timestamp) };
        let gap = timestamp - due;
        if gap <= 5 * self.ticks_per_ms || gap > MAX_GAP_MS * self.ticks_per_ms {
            return self.play(first);
        }
        let lost = self.last_played.is_none_or(|last| sequence != last + 1);
        // Sound was made up while we waited for what now turns out to be lost: that filled the gap already.
        if self.debt > 0 {
            let paid = self.debt.min(gap);
            if lost {
                self.note_recoverable(first, due, due + paid);
            }
            self.debt -= paid;
            self.due = Some(due + paid);
            return self.next(now);
        }
        if !lost {
            return Next::Pause { ticks: gap };
        }
        Next::Lost { after: first, ticks: gap }
    }

    /// The owner made up so many ticks of what was lost or left out.
    pub(crate) fn fill(&mut self, ticks: i64, lost: bool) {
        let Some(due) = self.due else { return };
        if lost && let Some(first) = self.earliest() {
            self.note_recoverable(first, due, due + ticks);
        }
        self.due = Some(due + ticks);
    }

    /// Enters when the frames between two timestamps could have been had from the packet at `after`.
    fn note_recoverable(&mut self, after: usize, from: i64, to: i64) {
        let (timestamp, arrived) = (self.slots[after].timestamp, micros(self.slots[after].arrived));
        let frame = 20 * self.ticks_per_ms;
        let mut at = from;
        while at < to {
            if timestamp - at <= self.reach {
                self.delays.note_recovery(arrived - self.us(at));
            }
            at += frame;
        }
    }

    /// Begins with the packet of that timestamp when its time has come.
    fn begin(&mut self, now: Duration, timestamp: i64) -> Next {
        if self.wait_us(now, timestamp) < self.target_us() {
            return Next::Empty { begun: false };
        }
        self.due = Some(timestamp);
        Next::Begin
    }

    fn play(&mut self, at: usize) -> Next {
        let slot = &self.slots[at];
        if self.silent_from.is_some_and(|from| slot.timestamp >= from) {
            self.silent_from = None;
        }
        let slot = &self.slots[at];
        (self.due, self.last_played, self.debt) = (Some(slot.timestamp + slot.ticks), Some(slot.sequence), 0);
        Next::Packet(at)
    }

    fn nothing(&mut self, now: Duration) -> Next {
        if self.due.is_none() {
            return Next::Empty { begun: false };
        }
        let since = *self.empty_since.get_or_insert(now);
        if now.saturating_sub(since) > PAUSE {
            self.begin_anew();
            return Next::Empty { begun: false };
        }
        self.debt += MADE_UP_MS * self.ticks_per_ms;
        Next::Empty { begun: true }
    }

    /// How long ago the fastest packet could have brought the sound of a timestamp, in µs.
    fn wait_us(&self, now: Duration, timestamp: i64) -> i64 {
        micros(now) - self.us(timestamp) - self.delays.base_us().unwrap_or(0)
    }

    /// How long after the fastest packet could have brought it the next sound is decoded, if that is now. `None`:
    /// nothing is being played.
    pub(crate) fn delay_us(&self, now: Duration) -> Option<i64> {
        let due = self.due.filter(|_| self.debt == 0 && self.delays.base_us().is_some())?;
        Some(self.wait_us(now, due))
    }

    /// What [`JitterBuffer::delay_us`] should be.
    pub(crate) fn target_us(&self) -> i64 {
        self.delays.target_us()
    }

    /// Whether the next sound to be played is there.
    pub(crate) fn has_next(&self) -> bool {
        let next = self.earliest().map(|first| self.slots[first].timestamp);
        matches!((next, self.due), (Some(next), Some(due)) if next - due <= 5 * self.ticks_per_ms)
    }

    pub(crate) fn payload(&self, at: usize) -> &[u8] {
        self.slots.get(at).and_then(|slot| slot.bytes.get(..slot.length)).unwrap_or(&[])
    }

    pub(crate) fn free(&mut self, at: usize) {
        if let Some(slot) = self.slots.get_mut(at) {
            slot.used = false;
        }
    }

    /// Sound that waits, in ms.
    pub(crate) fn waiting_ms(&self) -> f32 {
        let ticks: i64 = self.slots.iter().filter(|slot| slot.used).map(|slot| slot.ticks).sum();
        ticks as f32 / self.ticks_per_ms as f32
    }
}

/// A point in time in µs.
fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests;
