//! What the far end sends: from the jitter buffer by decoding, filling gaps and stretching to slices.

use crate::media::codec::{Decoder, LONGEST};
use crate::media::comfort::Comfort;
use crate::media::jitter::{JitterBuffer, MADE_UP_MS, Next};
use crate::media::level::Meter;
use crate::media::pace::{Change, Pace};
use crate::media::stretch::Where;
use crate::media::{FRAME, RATE_HZ, Resampler, SLICE, StreamConfig, StreamFigures, events, stretch};
use std::time::Duration;

/// Decoded sound that can wait: the longest packet twice over.
const SOUND: usize = 2 * LONGEST;
/// Samples made up at a time while nothing is there.
const MADE_UP: usize = MADE_UP_MS as usize * RATE_HZ as usize / 1_000;
/// Pieces made up in a row before it is silence, without asking the codec any more: half a second.
pub(super) const CONCEALED_MAX: u32 = 50;
/// Samples that a bent rate may use up beyond a slice.
const SPARE: usize = 4;
/// Samples over which sound swells that begins somewhere in the middle: 5 ms.
const SWELL: usize = 5 * RATE_HZ as usize / 1_000;
/// Samples of silence before the first packet's sound, so that the next packet need not be there at once.
const AHEAD: usize = 3 * RATE_HZ as usize / 1_000;

/// What the far end sends.
pub(super) struct Inbound {
    pub decoder: Decoder,
    pub jitter: JitterBuffer,
    pub events: events::Receiver,
    pub comfort: Comfort,
    pub meter: Meter,
    pace: Pace,
    resampler: Resampler,
    sound: Box<[i16; SOUND]>,
    sound_length: usize,
    scratch: Box<[i16; LONGEST]>,
    pub ssrc: Option<u32>,
    pub transit: Option<i64>,
    pub jitter_ticks: f32,
    /// Samples over which what is decoded next swells.
    swells: usize,
    pub concealed_in_row: u32,
    pub heard_at: Option<Duration>,
}

impl Inbound {
    pub(super) fn new(config: &StreamConfig) -> Self {
        Self {
            decoder: Decoder::new(config.codec),
            jitter: JitterBuffer::new(config.codec.clock_hz()),
            events: events::Receiver::default(),
            comfort: Comfort::new(),
            meter: Meter::new(),
            pace: Pace::default(),
            resampler: Resampler::new(RATE_HZ, RATE_HZ),
            sound: Box::new([0; SOUND]),
            sound_length: 0,
            scratch: Box::new([0; LONGEST]),
            ssrc: None,
            transit: None,
            jitter_ticks: 0.0,
            swells: 0,
            concealed_in_row: 0,
            heard_at: None,
        }
    }

    /// The next 5 ms to be heard.
    pub(super) fn pull(&mut self, now: Duration, slice: &mut [i16; SLICE], figures: &mut StreamFigures) {
        let change = match self.jitter.delay_us(now) {
            Some(delay) => self.pace.look(delay, self.jitter.target_us(), micros(self.sound_length)),
            None => Change::Bend(self.pace.drift_ppm()),
        };
        while self.sound_length < SLICE {
            self.fill(now, figures);
        }
        let mut ppm = match change {
            Change::Bend(ppm) => ppm,
            // Periods are looked for where a whole packet's sound is at hand.
            _ if self.sound_length < FRAME => self.pace.drift_ppm(),
            Change::Shorten(by_us, place) => self.shorten(now, by_us, place, figures),
            Change::Lengthen(by_us, place) => self.lengthen(by_us, place, figures),
        };
        if ppm > 0.0 && self.sound_length < SLICE + SPARE {
            if self.jitter.has_next() {
                self.fill(now, figures);
            } else {
                ppm = 0.0;
            }
        }
        self.hand_out(ppm, slice);
        self.meter.measure(slice);
    }

    fn hand_out(&mut self, ppm: f64, slice: &mut [i16; SLICE]) {
        self.resampler.bend(RATE_HZ, RATE_HZ, ppm);
        let mut used = 0;
        for sample in slice.iter_mut() {
            *sample = self.resampler.draw(|| {
                let next = if used < self.sound_length { self.sound[used] } else { 0 };
                used += 1;
                next
            });
        }
        let used = used.min(self.sound_length);
        self.sound.copy_within(used..self.sound_length, 0);
        self.sound_length -= used;
    }

    /// Brings at least some more sound.
    fn fill(&mut self, now: Duration, figures: &mut StreamFigures) {
        match self.jitter.next(now) {
            Next::Packet(at) => {
                figures.recovered += u64::from(self.jitter.is_restored(at));
                let count = self.decoder.decode(self.jitter.payload(at), &mut self.scratch);
                self.jitter.free(at);
                if count > 0 {
                    self.concealed_in_row = 0;
                    swell(&mut self.scratch[..count], std::mem::take(&mut self.swells));
                    self.append_scratch(count);
                    self.jitter.set_reach(self.decoder.reach_ms());
                    return;
                }
                figures.concealed += 1;
                self.conceal(FRAME);
            }
            Next::Lost { after, ticks } => {
                let per_sample = self.jitter.ticks_per_ms() as usize;
                let gap = usize::try_from(ticks).unwrap_or(0) * 48 / per_sample;
                let filled = self.decoder.fill(self.jitter.payload(after), gap, &mut self.scratch);
                let frames = (filled.samples / FRAME).max(1) as u64;
                if filled.recovered {
                    figures.recovered += frames;
                } else {
                    figures.concealed += frames;
                }
                self.append_scratch(filled.samples);
                self.jitter.fill((filled.samples * per_sample / 48) as i64, true);
            }
            Next::Pause { ticks } => {
                let piece = MADE_UP_MS * self.jitter.ticks_per_ms();
                self.jitter.fill(ticks.min(piece), false);
                self.wait();
            }
            Next::Begin => {
                self.pace.begin_anew();
                // From whatever was heard meanwhile into what comes.
                self.decoder.conceal(&mut self.scratch[..MADE_UP]);
                fade(&mut self.scratch[..AHEAD]);
                self.append_scratch(AHEAD);
                self.swells = SWELL;
            }
            Next::Empty { begun } => {
                // Two pieces are a frame.
                let made_up = begun && self.concealed_in_row < CONCEALED_MAX && !self.jitter.is_silent();
                if made_up && self.concealed_in_row.is_multiple_of(2) {
                    figures.concealed += 1;
                }
                self.wait();
            }
        }
    }

    /// Takes a pitch period out, for which more is decoded if it is there. Returns the bend.
    fn shorten(&mut self, now: Duration, by_us: i64, place: Where, figures: &mut StreamFigures) -> f64 {
        while self.sound_length < FRAME + stretch::LONGEST && self.jitter.has_next() {
            self.fill(now, figures);
        }
        let most = samples(by_us).min(self.sound_length - SLICE);
        let gone = stretch::shorten(&mut self.sound[..self.sound_length], most, place);
        self.sound_length -= gone;
        self.stretched(-micros(gone), figures)
    }

    /// Puts a pitch period in. Returns the bend.
    fn lengthen(&mut self, by_us: i64, place: Where, figures: &mut StreamFigures) -> f64 {
        let length = self.sound_length;
        let come = stretch::lengthen(&mut self.sound[..], length, samples(by_us), place);
        self.sound_length += come;
        self.stretched(micros(come), figures)
    }

    fn stretched(&mut self, by_us: i64, figures: &mut StreamFigures) -> f64 {
        if by_us != 0 {
            self.pace.changed(by_us);
            figures.stretched += 1;
        }
        self.pace.drift_ppm()
    }

    /// The decoder is about to be exchanged, and what waits is of no use any more: what it has decoded already, and would
    /// make up, fades away over a frame.
    pub(super) fn fade_away(&mut self) {
        let ready = self.sound_length.min(FRAME);
        let mut made_up = [0; FRAME];
        self.decoder.conceal(&mut made_up);
        self.sound[ready..FRAME].copy_from_slice(&made_up[..FRAME - ready]);
        fade(&mut self.sound[..FRAME]);
        self.sound_length = FRAME;
        self.pace.begin_anew();
    }

    /// Nobody listens any more: what waits is of no use.
    pub(super) fn forget_sound(&mut self) {
        self.sound_length = 0;
        self.pace.begin_anew();
    }

    /// Sound that waits, in ms: in packets and decoded.
    pub(super) fn waiting_ms(&self) -> f32 {
        self.jitter.waiting_ms() + self.sound_length as f32 / (RATE_HZ / 1_000) as f32
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

    /// What is heard while nothing is there: the noise of the far end's room, where it has told that nobody speaks.
    fn wait(&mut self) {
        if !self.jitter.is_silent() {
            return self.conceal_waiting();
        }
        self.decoder.noise(&mut self.comfort, &mut self.scratch[..MADE_UP]);
        self.append_scratch(MADE_UP);
    }

    /// Made-up sound while nothing is there, that becomes silence.
    fn conceal_waiting(&mut self) {
        if self.concealed_in_row < CONCEALED_MAX {
            self.concealed_in_row += 1;
            self.conceal(MADE_UP);
        } else {
            self.scratch[..MADE_UP].fill(0);
            self.append_scratch(MADE_UP);
        }
    }

    fn conceal(&mut self, count: usize) {
        self.decoder.conceal(&mut self.scratch[..count]);
        self.append_scratch(count);
    }
}

/// Lets sound fade to nothing.
fn fade(sound: &mut [i16]) {
    let length = sound.len() as f32;
    for (at, sample) in sound.iter_mut().enumerate() {
        *sample = (f32::from(*sample) * (1.0 - at as f32 / length)) as i16;
    }
}

/// Lets the first samples of sound swell from nothing.
fn swell(sound: &mut [i16], over: usize) {
    for (at, sample) in sound.iter_mut().take(over).enumerate() {
        *sample = (f32::from(*sample) * at as f32 / over as f32) as i16;
    }
}

/// Samples of so many µs.
fn samples(us: i64) -> usize {
    usize::try_from(us * 48 / 1_000).unwrap_or(0)
}

/// So many samples in µs.
fn micros(samples: usize) -> i64 {
    samples as i64 * 1_000 / 48
}
