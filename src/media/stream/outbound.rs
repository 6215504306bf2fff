//! What we send: encoder, keys, and the numbers of RTP packets, our own or those of a stream that is forwarded.

use crate::media::codec::Encoder;
use crate::media::rtp::Packet;
use crate::media::{FRAME, FRAME_TIME, FRAMES_MAX, StreamConfig, events, red};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::time::Duration;

/// How long a far end is waited for that has not reported yet: its first report is due after five seconds at most.
const UNREPORTED_MAX: Duration = Duration::from_secs(12);

/// Frames that can wait for each other, and bytes of each but Opus': 20 ms of G.711 or G.722.
const FRAMES: usize = FRAMES_MAX as usize;
const ENCODED: usize = 160;

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
    /// What was sent last, to be sent again beside new packets, and which of it.
    pub history: red::History,
    pub plan: &'static [usize],
    /// Until when that stays so if the far end reports nothing; not known before the first packet.
    pub unreported_until: Option<Duration>,
    /// Frames that wait for others to share their packet: as sound for Opus, else encoded.
    sound: Box<[i16; FRAMES * FRAME]>,
    encoded: [u8; FRAMES * ENCODED],
    held: usize,
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
            encoder: Encoder::new(config.codec, config.opus),
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
            plan: red::UNKNOWN,
            unreported_until: None,
            sound: Box::new([0; FRAMES * FRAME]),
            encoded: [0; FRAMES * ENCODED],
            held: 0,
            relayed: None,
        }
    }

    /// Encodes a frame, with those before it once there are so many; the payload's length in `payload`. `None`: it waits.
    pub(super) fn encode(
        &mut self,
        frame: &[i16; FRAME],
        frames: usize,
        payload: &mut [u8],
    ) -> Option<usize> {
        let frames = frames.clamp(1, FRAMES);
        if frames == 1 {
            self.held = 0;
            return Some(self.encoder.encode(frame, payload));
        }
        let at = if self.held < frames { self.held } else { 0 };
        self.held = at + 1;
        let whole = self.held == frames;
        if whole {
            self.held = 0;
        }
        if self.encoder.takes_long_frames() {
            self.sound[at * FRAME..][..FRAME].copy_from_slice(frame);
            return whole.then(|| self.encoder.encode(&self.sound[..frames * FRAME], payload));
        }
        let length = self.encoder.encode(frame, &mut self.encoded[at * ENCODED..][..ENCODED]);
        let all = self.encoded.get(..at * ENCODED + length)?;
        let out = payload.get_mut(..all.len()).filter(|_| whole)?;
        out.copy_from_slice(all);
        Some(all.len())
    }

    /// A frame's time passes in which no packet goes.
    pub(super) fn pass(&mut self, now: Duration, clock_hz: u32) {
        self.catch_up(now, clock_hz);
        self.timestamp = self.timestamp.wrapping_add(clock_hz / 50);
        self.sent_at = Some(now);
    }

    /// What waits for others isn't sent any more.
    pub(super) fn drop_held(&mut self) {
        self.held = 0;
    }

    /// Which packets are sent again now. A far end that reports nothing is taken to miss nothing, after a while.
    pub(super) fn plan(&mut self, now: Duration, reported: bool) -> &'static [usize] {
        let until = *self.unreported_until.get_or_insert(now + UNREPORTED_MAX);
        if !reported && now >= until {
            self.plan = &[];
        }
        self.plan
    }

    /// What is sent from now on doesn't continue what was.
    pub(super) fn begin_anew(&mut self) {
        self.relayed = None;
        self.held = 0;
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
