//! Tones that we make ourselves: ringing, ring-back, busy, beeps. They begin and end in a ramp, so nothing clicks.

mod country;

pub use country::Country;

use super::{Cue, FRAME, RATE_HZ, RingPattern};
use std::f32::consts::TAU;

/// One stretch of a pattern: one or two sines, or a pause.
#[derive(Clone, Copy, Debug, PartialEq)]
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

const BEEP: &[Part] = &[beep(880.0, 150)];
const WAITING: &[Part] = &[beep(660.0, 120), pause(120), beep(660.0, 120)];
const COMEBACK: &[Part] = &[beep(523.0, 110), pause(20), beep(659.0, 110), pause(20), beep(784.0, 180)];
/// Both sides hear that a call is recorded: 1,400 Hz, half a second every 15 s.
const RECORDING: &[Part] = &[beep(1_400.0, 500), pause(14_500)];
/// The bell: it rings in the rhythm of the country's ring-back tone.
const BELL_HZ: (f32, f32) = (880.0, 1_108.0);
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
    /// Two pitches for every part, whatever its own.
    pitch: Option<(f32, f32)>,
    part: usize,
    at: u32,
    phase: f32,
    second_phase: f32,
}

impl Pattern {
    /// Silence.
    pub const OFF: Self =
        Self { parts: &[], repeats: false, pitch: None, part: 0, at: 0, phase: 0.0, second_phase: 0.0 };

    /// A cue from its beginning, as that country's network has it.
    pub fn cue(cue: Cue, country: &'static Country) -> Self {
        let (parts, repeats): (&'static [Part], bool) = match cue {
            Cue::Off => (&[], false),
            Cue::RingBack => (country.ring_back, true),
            Cue::Busy => (country.busy, true),
            Cue::CallWaiting => (country.waiting, true),
            Cue::Beep => (BEEP, false),
            Cue::Waiting => (WAITING, false),
            Cue::Comeback => (COMEBACK, false),
        };
        Self { parts, repeats, ..Self::OFF }
    }

    /// The ringer's pattern from its beginning.
    pub fn ring(pattern: RingPattern, country: &'static Country) -> Self {
        let (parts, pitch): (&'static [Part], _) = match pattern {
            RingPattern::Off => (&[], None),
            RingPattern::Call => (country.ring_back, Some(BELL_HZ)),
            RingPattern::Comeback => (RING_COMEBACK, None),
        };
        Self { parts, pitch, repeats: true, ..Self::OFF }
    }

    /// What both sides hear while a call is recorded.
    pub fn recording() -> Self {
        Self { parts: RECORDING, repeats: true, ..Self::OFF }
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
        let sounds = part.hz > 0.0;
        let (hz, second_hz) = self.pitch.filter(|_| sounds).unwrap_or((part.hz, part.second_hz));
        let value = match (sounds, second_hz > 0.0) {
            (false, _) => 0.0,
            (true, false) => (TAU * self.phase).sin(),
            (true, true) => 0.5 * ((TAU * self.phase).sin() + (TAU * self.second_phase).sin()),
        };
        self.phase = (self.phase + hz / RATE_HZ as f32).fract();
        self.second_phase = (self.second_phase + second_hz / RATE_HZ as f32).fract();
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
    pub fn mix_into(&mut self, sound: &mut [i16]) {
        for sample in sound {
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

    fn home() -> &'static Country {
        Country::INTERNATIONAL
    }

    #[test]
    fn a_sine_has_its_pitch_and_level() {
        let mut frame = [0; FRAME];
        Sine::new(1_000, -20.0).fill(&mut frame);
        assert!((level_dbfs(&frame) - -20.0).abs() < 0.1);
        assert!((tone_level_dbfs(&frame, RATE_HZ, 1_000.0) - -20.0).abs() < 0.1);
    }

    #[test]
    fn no_pattern_clicks() {
        let cues = [Cue::RingBack, Cue::Busy, Cue::Beep, Cue::Waiting, Cue::CallWaiting, Cue::Comeback];
        let countries = Country::codes().filter_map(Country::find);
        let all = countries.flat_map(|country| cues.map(|cue| (cue, Pattern::cue(cue, country))));
        let bell = Pattern::ring(RingPattern::Call, home());
        for (cue, mut pattern) in all.chain([(Cue::Off, bell), (Cue::Off, Pattern::recording())]) {
            let mut before = 0_i16;
            for _ in 0..3 * RATE_HZ {
                let sample = pattern.sample();
                // The steepest slope of 1,400 Hz at this amplitude is 751 a sample.
                assert!((i32::from(sample) - i32::from(before)).abs() < 800, "{cue:?} clicks");
                before = sample;
            }
        }
    }

    #[test]
    fn a_beep_ends_and_ringing_does_not() {
        let mut beep = Pattern::cue(Cue::Beep, home());
        let mut ring = Pattern::ring(RingPattern::Comeback, home());
        let mut frame = [0; FRAME];
        for _ in 0..500 {
            beep.mix_into(&mut frame);
            ring.mix_into(&mut frame);
        }
        assert!(beep.is_over());
        assert!(!ring.is_over());
        assert!(Pattern::ring(RingPattern::Off, home()).is_over());
    }
}
