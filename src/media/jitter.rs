//! The jitter buffer: packets wait in it until their time, and it says what to play next.
//!
//! It grows by playing made-up sound when nothing is there in time, and shrinks (by asking for a shortening) when for a
//! second and more every packet came earlier than needed. Bounded in packets and in time.

use super::rtp::{extend_sequence, extend_timestamp};
use std::time::Duration;

/// Packets that can wait.
pub(crate) const SLOTS: usize = 40;
/// Largest payload that can wait: an Opus frame is at most 1,275 bytes (RFC 6716 3.4).
pub(crate) const MAX_PAYLOAD: usize = 1_275;
/// Most sound that may wait; older sound is dropped.
const MAX_WAIT_MS: i64 = 400;
/// A gap longer than this is jumped instead of being filled.
const MAX_GAP_MS: i64 = 300;
/// A step in sequence or timestamp beyond this means that the far end began anew (RFC 3550 A.1: MAX_DROPOUT).
const MAX_SEQUENCE_STEP: i64 = 3_000;
const MAX_TIME_STEP_MS: i64 = 10_000;
/// How long the first packet waits before playing begins.
const START_WAIT: Duration = Duration::from_millis(18);
/// Nothing for so long: the next packet begins anew.
const PAUSE: Duration = Duration::from_millis(1_000);
/// Packets over which the least waiting time is observed; twice that is remembered.
const WATCH: u32 = 50;
/// Waiting time that is kept in hand beyond the worst that was seen.
const MARGIN: Duration = Duration::from_millis(12);
/// What is kept in hand besides, so that the packet after a lost one is there to recover it from.
const RECOVERY: Duration = Duration::from_millis(20);
/// Packets after a loss during which [`RECOVERY`] is kept.
const LOSS_MEMORY: u32 = 500;

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
    /// One frame is lost; the packet right after it is there and may hold it again.
    Lost { after: Option<usize> },
    /// The far end sent nothing on purpose (silence suppression).
    Pause,
    /// Nothing is there: not begun, or late.
    Empty { begun: bool },
}

struct Slot {
    used: bool,
    sequence: i64,
    timestamp: i64,
    ticks: i64,
    arrived: Duration,
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
        length: 0,
        bytes: [0; MAX_PAYLOAD],
    };
}

/// Sequence numbers seen, and how many.
struct Seen {
    base: i64,
    highest: i64,
    highest_timestamp: i64,
    recent: u128,
    received: u64,
}

pub(crate) struct JitterBuffer {
    slots: Box<[Slot]>,
    ticks_per_ms: i64,
    recovers: bool,
    seen: Option<Seen>,
    lost_before: u64,
    /// The timestamp to play next.
    due: Option<i64>,
    last_played: Option<i64>,
    /// Ticks that were filled because nothing was there, since the last packet.
    debt: i64,
    empty_since: Option<Duration>,
    since_loss: u32,
    least: Duration,
    least_before: Option<Duration>,
    watched: u32,
}

impl JitterBuffer {
    /// `recovers`: a lost frame can be had from the packet after it.
    pub(crate) fn new(clock_hz: u32, recovers: bool) -> Self {
        let slots = (0..SLOTS).map(|_| Slot::EMPTY).collect();
        let mut buffer = Self {
            slots,
            ticks_per_ms: 0,
            recovers,
            seen: None,
            lost_before: 0,
            due: None,
            last_played: None,
            debt: 0,
            empty_since: None,
            since_loss: LOSS_MEMORY,
            least: Duration::MAX,
            least_before: None,
            watched: 0,
        };
        buffer.set_codec(clock_hz, recovers);
        buffer
    }

    /// Another codec: what waits is of no use any more.
    pub(crate) fn set_codec(&mut self, clock_hz: u32, recovers: bool) {
        self.ticks_per_ms = i64::from(clock_hz / 1_000);
        self.recovers = recovers;
        self.flush();
    }

    /// Forgets what waits; the next packet begins anew. Counters go on.
    pub(crate) fn flush(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.used = false);
        self.lost_before = self.lost();
        self.seen = None;
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        (self.due, self.last_played, self.empty_since, self.debt) = (None, None, None, 0);
        (self.least, self.least_before, self.watched) = (Duration::MAX, None, 0);
    }

    /// Packets that never came, up to the newest (RFC 3550 A.3).
    pub(crate) fn lost(&self) -> u64 {
        let now = self.seen.as_ref().map_or(0, |seen| {
            let expected = u64::try_from(seen.highest - seen.base + 1).unwrap_or(0);
            expected.saturating_sub(seen.received)
        });
        self.lost_before + now
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
        let (sequence, timestamp) = match &self.seen {
            Some(seen) => {
                (extend_sequence(seen.highest, sequence), extend_timestamp(seen.highest_timestamp, timestamp))
            }
            None => return Arrival::Refused,
        };
        let ticks = i64::from(ticks);
        if self.due.is_some_and(|due| timestamp + ticks / 2 < due) {
            // Its sound was made up already. It still tells how much later it came than the buffer waits.
            return Arrival::Late;
        }
        self.drop_surplus(timestamp + ticks);
        let Some(slot) = self.free_slot() else { return Arrival::Refused };
        slot.used = true;
        (slot.sequence, slot.timestamp, slot.ticks, slot.arrived) = (sequence, timestamp, ticks, now);
        slot.length = payload.len();
        if let Some(bytes) = slot.bytes.get_mut(..payload.len()) {
            bytes.copy_from_slice(payload);
        }
        arrival
    }

    /// Enters a packet's number; begins anew where it jumps.
    fn note(&mut self, sequence: u16, timestamp: u32) -> Arrival {
        let Some(seen) = self.seen.as_mut() else {
            self.start_at(sequence, timestamp);
            return Arrival::Stored { reordered: false };
        };
        let number = extend_sequence(seen.highest, sequence);
        let time = extend_timestamp(seen.highest_timestamp, timestamp);
        let (ahead, time_ahead) = (number - seen.highest, time - seen.highest_timestamp);
        let limit = MAX_TIME_STEP_MS * self.ticks_per_ms;
        let jumped = ahead.abs() > MAX_SEQUENCE_STEP
            || time_ahead.abs() > limit
            // A later packet from an earlier time: another clock took over (a frame's leeway for sloppy senders).
            || (ahead > 0 && time_ahead < -20 * self.ticks_per_ms);
        if jumped {
            self.flush();
            self.start_at(sequence, timestamp);
            return Arrival::Restarted;
        }
        if ahead > 0 {
            seen.recent = if ahead < 128 { (seen.recent << ahead) | 1 } else { 1 };
            (seen.highest, seen.highest_timestamp) = (number, time);
            seen.received += 1;
            return Arrival::Stored { reordered: false };
        }
        let back = -ahead;
        if back >= 128 {
            return Arrival::Late;
        }
        if seen.recent & (1 << back) != 0 {
            return Arrival::Duplicate;
        }
        seen.recent |= 1 << back;
        seen.received += 1;
        Arrival::Stored { reordered: true }
    }

    fn start_at(&mut self, sequence: u16, timestamp: u32) {
        let (sequence, timestamp) = (i64::from(sequence), i64::from(timestamp));
        self.seen = Some(Seen {
            base: sequence,
            highest: sequence,
            highest_timestamp: timestamp,
            recent: 1,
            received: 1,
        });
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

    /// What to play in the next 20 ms.
    pub(crate) fn next(&mut self, now: Duration) -> Next {
        let Some(first) = self.earliest() else { return self.nothing(now) };
        let (timestamp, sequence, ticks, arrived) = {
            let slot = &self.slots[first];
            (slot.timestamp, slot.sequence, slot.ticks, slot.arrived)
        };
        self.empty_since = None;
        let due = match self.due {
            Some(due) => due,
            None if now.saturating_sub(arrived) >= START_WAIT => timestamp,
            None => return Next::Empty { begun: false },
        };
        let gap = timestamp - due;
        let frame = 20 * self.ticks_per_ms;
        if gap <= frame / 4 || gap > MAX_GAP_MS * self.ticks_per_ms {
            return self.play(now, first);
        }
        let lost = self.last_played.is_none_or(|last| sequence != last + 1);
        // Sound was made up while we waited for what now turns out to be lost: that filled the gap already. Unless the
        // lost frame can be recovered, and time in hand for that is still to be gained.
        let recover_late = lost && self.recovers && now.saturating_sub(arrived) < RECOVERY;
        if self.debt > 0 && !recover_late {
            let paid = self.debt.min(gap);
            self.debt -= paid;
            self.due = Some(due + paid);
            return self.next(now);
        }
        self.debt = 0;
        self.due = Some(due + gap.min(frame));
        if !lost {
            return Next::Pause;
        }
        self.since_loss = 0;
        let adjacent = gap <= frame + frame / 4 && ticks >= frame;
        Next::Lost { after: adjacent.then_some(first) }
    }

    fn play(&mut self, now: Duration, at: usize) -> Next {
        let slot = &self.slots[at];
        (self.due, self.last_played, self.debt) = (Some(slot.timestamp + slot.ticks), Some(slot.sequence), 0);
        self.least = self.least.min(now.saturating_sub(slot.arrived));
        self.since_loss = self.since_loss.saturating_add(1);
        self.watched += 1;
        if self.watched >= WATCH {
            self.least_before = Some(self.least);
            (self.least, self.watched) = (Duration::MAX, 0);
        }
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
        self.debt += 20 * self.ticks_per_ms;
        Next::Empty { begun: true }
    }

    /// The next packet's length, if it is there and everything could be played that much sooner.
    pub(crate) fn surplus(&self) -> Option<Duration> {
        let before = self.least_before?;
        let slot = &self.slots[self.earliest()?];
        let frame = 20 * self.ticks_per_ms;
        if slot.timestamp - self.due? > frame / 4 {
            return None;
        }
        let kept = if self.recovers && self.since_loss < LOSS_MEMORY { MARGIN + RECOVERY } else { MARGIN };
        let length = Duration::from_millis(u64::try_from(slot.ticks / self.ticks_per_ms).unwrap_or(0));
        (before.min(self.least) >= kept + length).then_some(length)
    }

    /// The owner played a packet ahead of its time: from now on they are wanted that much sooner.
    pub(crate) fn hurried(&mut self, by: Duration) {
        self.least_before = self.least_before.map(|least| least.saturating_sub(by));
        if self.least < Duration::MAX {
            self.least = self.least.saturating_sub(by);
        }
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
        ticks as f32 / self.ticks_per_ms.max(1) as f32
    }
}

#[cfg(test)]
mod tests;
