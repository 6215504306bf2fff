//! What we send: encoder, keys, and the numbers of RTP packets, our own or those of a stream that is forwarded.

use crate::media::codec::Encoder;
use crate::media::rtp::Packet;
use crate::media::{FRAME_TIME, StreamConfig, events, red};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::time::Duration;

/// What we send.
pub(super) struct Outbound {
    pub encoder: Encoder,
    pub events: events::Sender,
    pub ssrc: u32,
    /// Of the next packet.
    pub sequence: u16,
    /// Of the next packet, if it comes a frame after the one before.
    pub timestamp: u32,
    pub event_timestamp: u32,
    pub sent_at: Option<Duration>,
    /// Bytes of payload and header, for reports.
    pub octets: u64,
    /// The next packet begins a talkspurt (RFC 3551 4.1).
    pub mark: bool,
    /// What was sent last, to be sent again beside new packets, and how many of them.
    pub history: red::History,
    pub copies: usize,
    relayed: Option<Relayed>,
}

/// How the numbers of a forwarded stream become ours.
struct Relayed {
    ssrc: u32,
    sequence_shift: u16,
    timestamp_shift: u32,
}

impl Outbound {
    pub(super) fn new(config: &StreamConfig, seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        Self {
            encoder: Encoder::new(config.codec, config.fec),
            events: events::Sender::new(),
            ssrc: random.next_u32(),
            // RFC 3550 5.1 wants it random; the upper half is left free so that SRTP's rollover starts clean.
            sequence: (random.next_u32() & 0x7FFF) as u16,
            timestamp: random.next_u32(),
            event_timestamp: 0,
            sent_at: None,
            octets: 0,
            mark: true,
            history: red::History::new(),
            copies: 0,
            relayed: None,
        }
    }

    /// What is sent from now on doesn't continue what was.
    pub(super) fn begin_anew(&mut self) {
        self.relayed = None;
        self.history.forget();
        self.mark = true;
    }

    /// After a pause in sending the timestamp has gone on with time.
    pub(super) fn catch_up(&mut self, now: Duration, clock_hz: u32) {
        if self.relayed.take().is_some() {
            self.mark = true;
        }
        if let Some(sent_at) = self.sent_at {
            let pause = now.saturating_sub(sent_at);
            if pause > 3 * FRAME_TIME {
                let missed = pause.saturating_sub(FRAME_TIME).as_micros() * u128::from(clock_hz) / 1_000_000;
                self.timestamp = self.timestamp.wrapping_add(missed as u32);
                self.mark = true;
            }
        }
    }

    /// Our numbers for a packet of another stream: gaps and order are kept, so that the far end can tell what was lost.
    pub(super) fn relay_numbers(&mut self, now: Duration, clock_hz: u32, source: &Packet<'_>) -> (u16, u32) {
        let fits = self.relayed.as_ref().filter(|relayed| {
            let step =
                source.sequence.wrapping_add(relayed.sequence_shift).wrapping_sub(self.sequence) as i16;
            let time =
                source.timestamp.wrapping_add(relayed.timestamp_shift).wrapping_sub(self.timestamp) as i32;
            relayed.ssrc == source.ssrc && step.unsigned_abs() < 3_000 && time.unsigned_abs() < 10 * clock_hz
        });
        if fits.is_none() {
            self.catch_up(now, clock_hz);
            self.mark = true;
            self.relayed = Some(Relayed {
                ssrc: source.ssrc,
                sequence_shift: self.sequence.wrapping_sub(source.sequence),
                timestamp_shift: self.timestamp.wrapping_sub(source.timestamp),
            });
        }
        let (sequence_shift, timestamp_shift) =
            self.relayed.as_ref().map_or((0, 0), |r| (r.sequence_shift, r.timestamp_shift));
        let sequence = source.sequence.wrapping_add(sequence_shift);
        let timestamp = source.timestamp.wrapping_add(timestamp_shift);
        // Sound of our own that may follow begins after the newest.
        if sequence.wrapping_sub(self.sequence) as i16 >= 0 {
            self.sequence = sequence.wrapping_add(1);
            // A key's packets all bear the time of its beginning: time never goes back for them.
            let after = timestamp.wrapping_add(clock_hz / 50);
            if after.wrapping_sub(self.timestamp) as i32 > 0 {
                self.timestamp = after;
            }
        }
        (sequence, timestamp)
    }
}
