//! Tones that we make ourselves: ringing, ring-back, busy, beeps. They begin and end in a ramp, so nothing clicks.

use super::{Cue, FRAME, RATE_HZ, RingPattern};
use std::f32::consts::TAU;

/// One stretch of a pattern: one or two sines, or a pause.
#[derive(Clone, Copy)]
struct Part {
    hz: f32,
    second_hz: f32,
    ms: u32,
}

const fn beep(hz: f32, ms: u32) -> Part {
    Part { hz, second_hz: 0.0, ms }
}

const fn chord(hz: f32, second_hz: f32, ms: u32) -> Part {
    Part { hz, second_hz, ms }
}

const fn pause(ms: u32) -> Part {
    Part { hz: 0.0, second_hz: 0.0, ms }
}

const RING_BACK: &[Part] = &[chord(440.0, 480.0, 1_000), pause(3_000)];
const BUSY: &[Part] = &[beep(425.0, 500), pause(500)];
const BEEP: &[Part] = &[beep(880.0, 150)];
const WAITING: &[Part] = &[beep(660.0, 120), pause(120), beep(660.0, 120)];
const COMEBACK: &[Part] = &[beep(523.0, 110), pause(20), beep(659.0, 110), pause(20), beep(784.0, 180)];
const RING_CALL: &[Part] =
    &[chord(880.0, 1_108.0, 400), pause(200), chord(880.0, 1_108.0, 400), pause(2_000)];
const RING_COMEBACK: &[Part] =
    &[beep(523.0, 140), pause(20), beep(659.0, 140), pause(20), beep(784.0, 280), pause(1_400)];

/// How long a part takes to swell and to fade: 5 ms.
const RAMP: u32 = RATE_HZ / 200;
/// Amplitude of cues and ringing: −18 dB below full scale at the peak.
const AMPLITUDE: f32 = 4_100.0;

/// Makes a pattern's samples one by one.
pub struct Pattern {
    parts: &'static [Part],
    repeats: bool,
    part: usize,
    at: u32,
    phase: f32,
    second_phase: f32,
}

impl Pattern {
    /// Silence.
    pub const OFF: Self = Self { parts: &[], repeats: false, part: 0, at: 0, phase: 0.0, second_phase: 0.0 };

    /// A cue from its beginning.
    pub fn cue(cue: Cue) -> Self {
        let (parts, repeats): (&'static [Part], bool) = match cue {
            Cue::Off => (&[], false),
            Cue::RingBack => (RING_BACK, true),
            Cue::Busy => (BUSY, true),
            Cue::Beep => (BEEP, false),
            Cue::Waiting => (WAITING, false),
            Cue::Comeback => (COMEBACK, false),
        };
        Self { parts, repeats, ..Self::OFF }
    }

    /// The ringer's pattern from its beginning.
    pub fn ring(pattern: RingPattern) -> Self {
        let parts: &'static [Part] = match pattern {
            RingPattern::Off => &[],
            RingPattern::Call => RING_CALL,
            RingPattern::Comeback => RING_COMEBACK,
        };
        Self { parts, repeats: true, ..Self::OFF }
    }

    /// Nothing more will sound.
    pub fn is_over(&self) -> bool {
        self.part >= self.parts.len()
    }

    /// The next sample at 48 kHz.
    pub fn sample(&mut self) -> i16 {
        let Some(part) = self.parts.get(self.part) else { return 0 };
        let length = part.ms * (RATE_HZ / 1_000);
        let edge = self.at.min(length.saturating_sub(self.at + 1)).min(RAMP);
        let gain = AMPLITUDE * edge as f32 / RAMP as f32;
        let value = match (part.hz > 0.0, part.second_hz > 0.0) {
            (false, _) => 0.0,
            (true, false) => (TAU * self.phase).sin(),
            (true, true) => 0.5 * ((TAU * self.phase).sin() + (TAU * self.second_phase).sin()),
        };
        self.phase = (self.phase + part.hz / RATE_HZ as f32).fract();
        self.second_phase = (self.second_phase + part.second_hz / RATE_HZ as f32).fract();
        self.at += 1;
        if self.at >= length {
            self.next_part();
        }
        (gain * value) as i16
    }

    fn next_part(&mut self) {
        (self.at, self.phase, self.second_phase) = (0, 0.0, 0.0);
        self.part += 1;
        if self.part >= self.parts.len() && self.repeats {
            self.part = 0;
        }
    }

    /// Adds the next 20 ms to a frame.
    pub fn mix_into(&mut self, frame: &mut [i16; FRAME]) {
        for sample in frame.iter_mut() {
            if self.is_over() {
                return;
            }
            *sample = sample.saturating_add(self.sample());
        }
    }
}

/// A steady sine.
pub struct Sine {
    phase: f32,
    step: f32,
    amplitude: f32,
}

impl Sine {
    /// `level_dbfs` as [`level_dbfs`](super::level_dbfs) measures it; at most −3.01, the loudest a sine can be.
    pub fn new(hz: u16, level_dbfs: f32) -> Self {
        let level = level_dbfs.clamp(-90.0, -3.01);
        let amplitude = 32_767.0 * std::f32::consts::SQRT_2 * 10.0_f32.powf(level / 20.0);
        Self { phase: 0.0, step: f32::from(hz) / RATE_HZ as f32, amplitude }
    }

    /// The next 20 ms.
    pub fn fill(&mut self, frame: &mut [i16; FRAME]) {
        for sample in frame.iter_mut() {
            *sample = (self.amplitude * (TAU * self.phase).sin()) as i16;
            self.phase = (self.phase + self.step).fract();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::level::{level_dbfs, tone_level_dbfs};

    #[test]
    fn a_sine_has_its_pitch_and_level() {
        let mut frame = [0; FRAME];
        Sine::new(1_000, -20.0).fill(&mut frame);
        assert!((level_dbfs(&frame) - -20.0).abs() < 0.1);
        assert!((tone_level_dbfs(&frame, RATE_HZ, 1_000.0) - -20.0).abs() < 0.1);
    }

    #[test]
    fn no_pattern_clicks() {
        for cue in [Cue::RingBack, Cue::Busy, Cue::Beep, Cue::Waiting, Cue::Comeback] {
            let mut pattern = Pattern::cue(cue);
            let mut before = 0_i16;
            for _ in 0..5 * RATE_HZ {
                let sample = pattern.sample();
                // The steepest slope of 1,108 Hz at this amplitude is 600 a sample.
                assert!((i32::from(sample) - i32::from(before)).abs() < 650, "{cue:?} clicks");
                before = sample;
            }
        }
    }

    #[test]
    fn a_beep_ends_and_ringing_does_not() {
        let mut beep = Pattern::cue(Cue::Beep);
        let mut ring = Pattern::ring(RingPattern::Comeback);
        let mut frame = [0; FRAME];
        for _ in 0..500 {
            beep.mix_into(&mut frame);
            ring.mix_into(&mut frame);
        }
        assert!(beep.is_over());
        assert!(!ring.is_over());
        assert!(Pattern::ring(RingPattern::Off).is_over());
    }
}
