//! What the far end sends: from the jitter buffer by decoding, concealing and shortening to frames.

use crate::media::codec::{Decoder, LONGEST};
use crate::media::conceal::{SHORTEN_MIN, shorten};
use crate::media::jitter::{JitterBuffer, Next};
use crate::media::level::Meter;
use crate::media::{Codec, FRAME, StreamConfig, StreamFigures, events};
use std::time::Duration;

/// Decoded sound that can wait: the longest packet twice over.
const SOUND: usize = 2 * LONGEST;
/// Frames made up in a row before it is silence, without asking the codec any more: half a second.
pub(super) const CONCEALED_MAX: u32 = 25;
/// Frames between two shortenings, so that the pitch doesn't tremble.
const SHORTEN_EVERY: u32 = 4;

/// What the far end sends.
pub(super) struct Inbound {
    pub decoder: Decoder,
    pub jitter: JitterBuffer,
    pub events: events::Receiver,
    pub meter: Meter,
    pub sound: Box<[i16; SOUND]>,
    pub sound_length: usize,
    pub scratch: Box<[i16; LONGEST]>,
    pub ssrc: Option<u32>,
    pub transit: Option<i64>,
    pub jitter_ticks: f32,
    pub concealed_in_row: u32,
    pub since_shortened: u32,
    /// Samples decoded ahead of their time and still to be taken out.
    pub owed: usize,
    pub heard_at: Option<Duration>,
}

impl Inbound {
    pub(super) fn new(config: &StreamConfig) -> Self {
        Self {
            decoder: Decoder::new(config.codec),
            jitter: JitterBuffer::new(config.codec.clock_hz(), recovers(config)),
            events: events::Receiver::default(),
            meter: Meter::new(),
            sound: Box::new([0; SOUND]),
            sound_length: 0,
            scratch: Box::new([0; LONGEST]),
            ssrc: None,
            transit: None,
            jitter_ticks: 0.0,
            concealed_in_row: 0,
            since_shortened: 0,
            owed: 0,
            heard_at: None,
        }
    }

    /// The next 20 ms to be heard.
    pub(super) fn pull(&mut self, now: Duration, frame: &mut [i16; FRAME], figures: &mut StreamFigures) {
        while self.sound_length < FRAME {
            self.fill(now, figures);
        }
        self.shorten_if_due(now, figures);
        frame.copy_from_slice(&self.sound[..FRAME]);
        self.sound.copy_within(FRAME..self.sound_length, 0);
        self.sound_length -= FRAME;
        self.meter.measure(frame);
    }

    /// Brings at least some more sound.
    fn fill(&mut self, now: Duration, figures: &mut StreamFigures) {
        let mut made_up = [0; FRAME];
        match self.jitter.next(now) {
            Next::Packet(at) => {
                let count = self.decoder.decode(self.jitter.payload(at), &mut self.scratch);
                self.jitter.free(at);
                if count > 0 {
                    self.concealed_in_row = 0;
                    self.append_scratch(count);
                    return;
                }
                self.decoder.conceal(&mut made_up);
                figures.concealed += 1;
            }
            Next::Lost { after } => {
                let after = after.map_or(&[][..], |at| self.jitter.payload(at));
                if self.decoder.recover(after, &mut made_up) {
                    figures.recovered += 1;
                } else {
                    figures.concealed += 1;
                }
            }
            Next::Pause => self.conceal_waiting(&mut made_up),
            Next::Empty { begun } => {
                if begun && self.concealed_in_row < CONCEALED_MAX {
                    figures.concealed += 1;
                }
                self.conceal_waiting(&mut made_up);
            }
        }
        self.append(&made_up);
    }

    /// Takes pitch periods out where more sound waits than is needed: one packet is decoded ahead of its time, and then
    /// bit by bit as much sound is removed.
    fn shorten_if_due(&mut self, now: Duration, figures: &mut StreamFigures) {
        self.since_shortened = self.since_shortened.saturating_add(1);
        if self.since_shortened < SHORTEN_EVERY {
            return;
        }
        if self.owed < SHORTEN_MIN
            && let Some(surplus) = self.jitter.surplus()
            && self.sound_length + LONGEST <= SOUND
        {
            let before = self.sound_length;
            self.fill(now, figures);
            self.owed += self.sound_length - before;
            self.jitter.hurried(surplus);
        }
        if self.owed < SHORTEN_MIN {
            return;
        }
        let most = self.owed.min(self.sound_length - FRAME);
        let gone = shorten(&mut self.sound[..self.sound_length], most);
        self.sound_length -= gone;
        // Where nothing can be taken out any more, the rest is as good as gone.
        self.owed = if gone > 0 { self.owed - gone } else { 0 };
        self.since_shortened = 0;
    }

    /// RFC 3550 A.8.
    pub(super) fn measure_jitter(&mut self, now: Duration, timestamp: u32, clock_hz: u32) {
        let arrival = (now.as_micros() * u128::from(clock_hz) / 1_000_000) as i64;
        let transit = i64::from((arrival as u32).wrapping_sub(timestamp) as i32);
        if let Some(before) = self.transit.replace(transit) {
            let difference = transit.wrapping_sub(before) as i32;
            let limited = difference.unsigned_abs().min(10 * clock_hz) as f32;
            self.jitter_ticks += (limited - self.jitter_ticks) / 16.0;
        }
    }

    fn append_scratch(&mut self, count: usize) {
        let count = count.min(LONGEST).min(SOUND - self.sound_length);
        let (from, to) = (self.sound_length, self.sound_length + count);
        self.sound[from..to].copy_from_slice(&self.scratch[..count]);
        self.sound_length = to;
    }

    fn append(&mut self, frame: &[i16; FRAME]) {
        let to = (self.sound_length + FRAME).min(SOUND);
        let from = self.sound_length;
        self.sound[from..to].copy_from_slice(&frame[..to - from]);
        self.sound_length = to;
    }

    /// Made-up sound while nothing is there, that becomes silence.
    fn conceal_waiting(&mut self, frame: &mut [i16; FRAME]) {
        if self.concealed_in_row < CONCEALED_MAX {
            self.concealed_in_row += 1;
            self.decoder.conceal(frame);
        }
    }
}

/// A lost frame can be had from the packet after it.
pub(super) fn recovers(config: &StreamConfig) -> bool {
    config.codec == Codec::Opus && config.fec
}
