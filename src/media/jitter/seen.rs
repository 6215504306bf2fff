//! The numbers of the packets that came: which are new, doubled or lost, and where the far end began anew (RFC 3550 A.1
//! and A.3).

use super::Arrival;
use crate::media::rtp::{extend_sequence, extend_timestamp};

/// A step in sequence beyond this means that the far end began anew (RFC 3550 A.1: MAX_DROPOUT).
const MAX_SEQUENCE_STEP: i64 = 3_000;
/// The same for timestamps.
const MAX_TIME_STEP_MS: i64 = 10_000;

/// Losses over which their length is averaged, and the longest that counts.
const BURSTS: f32 = 16.0;
const BURST_MAX: i64 = 25;

/// Sequence numbers seen, and how many.
pub(super) struct Seen {
    base: i64,
    pub highest: i64,
    pub highest_timestamp: i64,
    recent: u128,
    /// Of those, which were brought back by later packets.
    restored: u128,
    received: u64,
    /// How many are lost in a row where one is, on average of late.
    burst: f32,
}

impl Seen {
    /// From its first packet on.
    pub(super) fn new(sequence: u16, timestamp: u32) -> Self {
        let (sequence, timestamp) = (i64::from(sequence), i64::from(timestamp));
        Self {
            base: sequence,
            highest: sequence,
            highest_timestamp: timestamp,
            recent: 1,
            restored: 0,
            received: 1,
            burst: 1.0,
        }
    }

    /// The 64-bit numbers of a packet.
    pub(super) fn extend(&self, sequence: u16, timestamp: u32) -> (i64, i64) {
        (extend_sequence(self.highest, sequence), extend_timestamp(self.highest_timestamp, timestamp))
    }

    /// How many packets are lost in a row where one is.
    pub(super) fn burst(&self) -> f32 {
        self.burst
    }

    /// Packets that never came, up to the newest.
    pub(super) fn lost(&self) -> u64 {
        let expected = u64::try_from(self.highest - self.base + 1).unwrap_or(0);
        expected.saturating_sub(self.received)
    }

    /// Whether a packet of that number is still missed; from now on it isn't, for a later one has brought it.
    pub(super) fn restore(&mut self, number: i64) -> bool {
        let back = self.highest - number;
        if !(1..128).contains(&back) || number < self.base {
            return false;
        }
        let bit = 1 << back;
        let missed = (self.recent | self.restored) & bit == 0;
        self.restored |= bit;
        missed
    }

    /// Enters a packet's numbers. `None`: they have nothing to do with those before.
    pub(super) fn note(&mut self, sequence: u16, timestamp: u32, ticks_per_ms: i64) -> Option<Arrival> {
        let (number, time) = self.extend(sequence, timestamp);
        let (ahead, time_ahead) = (number - self.highest, time - self.highest_timestamp);
        let jumped = ahead.abs() > MAX_SEQUENCE_STEP
            || time_ahead.abs() > MAX_TIME_STEP_MS * ticks_per_ms
            // A later packet from an earlier time: another clock took over (a frame's leeway for sloppy senders).
            || (ahead > 0 && time_ahead < -20 * ticks_per_ms);
        if jumped {
            return None;
        }
        if ahead > 0 {
            if ahead > 1 {
                self.burst += ((ahead - 1).min(BURST_MAX) as f32 - self.burst) / BURSTS;
            }
            self.recent = if ahead < 128 { (self.recent << ahead) | 1 } else { 1 };
            self.restored = if ahead < 128 { self.restored << ahead } else { 0 };
            (self.highest, self.highest_timestamp) = (number, time);
            self.received += 1;
            return Some(Arrival::Stored { reordered: false });
        }
        let back = -ahead;
        if back >= 128 {
            return Some(Arrival::Late);
        }
        if self.recent & (1 << back) != 0 {
            return Some(Arrival::Duplicate);
        }
        self.recent |= 1 << back;
        self.received += 1;
        Some(Arrival::Stored { reordered: true })
    }
}
