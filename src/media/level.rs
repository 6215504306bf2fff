//! How loud it is, and whether it is a plain tone.

/// What silence measures, in dB below full scale.
pub const SILENCE_DBFS: f32 = -90.0;

/// Root mean square in dB below a full-scale square; [`SILENCE_DBFS`] at least.
pub fn level_dbfs(samples: &[i16]) -> f32 {
    let sum = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    from_power(sum, samples.len())
}

fn from_power(sum: f64, count: usize) -> f32 {
    let mean = sum / count.max(1) as f64 / (32_768.0 * 32_768.0);
    ((10.0 * mean.max(1e-12).log10()) as f32).max(SILENCE_DBFS)
}

/// The level of one frequency (Goertzel), in dB below full scale as [`level_dbfs`] has it: a sine alone measures the
/// same with both.
pub fn tone_level_dbfs(samples: &[i16], rate_hz: u32, hz: f32) -> f32 {
    let turn = std::f64::consts::TAU * f64::from(hz) / f64::from(rate_hz.max(1));
    let coefficient = 2.0 * turn.cos();
    let (mut one, mut two) = (0.0_f64, 0.0_f64);
    for sample in samples {
        let zero = f64::from(*sample) + coefficient * one - two;
        two = one;
        one = zero;
    }
    let power = (one * one + two * two - coefficient * one * two).max(0.0);
    // The amplitude is 2·√power/N; its mean square half the amplitude's square.
    let count = samples.len().max(1) as f64;
    from_power(2.0 * power / count, samples.len())
}

/// Samples over which a [`Meter`] measures: a quarter second.
const WINDOW: usize = 12_000;
/// A crossing counts only from below minus this to above plus this.
const DEAD_BAND: i16 = 60;

/// Measures level and pitch of a sound as it passes.
pub(crate) struct Meter {
    sum: f64,
    count: usize,
    armed: bool,
    since_crossing: u32,
    crossings: u32,
    periods: f64,
    squares: f64,
    level_dbfs: f32,
    tone_hz: Option<u16>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            sum: 0.0,
            count: 0,
            armed: false,
            since_crossing: 0,
            crossings: 0,
            periods: 0.0,
            squares: 0.0,
            level_dbfs: SILENCE_DBFS,
            tone_hz: None,
        }
    }

    pub(crate) fn level_dbfs(&self) -> f32 {
        self.level_dbfs
    }

    /// The pitch, if the last window was a steady tone.
    pub(crate) fn tone_hz(&self) -> Option<u16> {
        self.tone_hz
    }

    pub(crate) fn measure(&mut self, frame: &[i16]) {
        for sample in frame {
            self.sum += f64::from(*sample) * f64::from(*sample);
            self.since_crossing += 1;
            if *sample < -DEAD_BAND {
                self.armed = true;
            } else if *sample > DEAD_BAND && self.armed {
                self.cross();
            }
        }
        self.count += frame.len();
        if self.count >= WINDOW {
            self.conclude();
        }
    }

    fn cross(&mut self) {
        self.armed = false;
        if self.crossings > 0 {
            let period = f64::from(self.since_crossing);
            self.periods += period;
            self.squares += period * period;
        }
        self.crossings += 1;
        self.since_crossing = 0;
    }

    fn conclude(&mut self) {
        self.level_dbfs = from_power(self.sum, self.count);
        let periods = f64::from(self.crossings.saturating_sub(1));
        let mean = self.periods / periods.max(1.0);
        let spread = (self.squares / periods.max(1.0) - mean * mean).max(0.0).sqrt();
        // A tone fills the window with periods that are all alike (one sample of the grid's own spread allowed).
        let steady = periods >= 8.0 && self.periods > 0.9 * self.count as f64 && spread < 0.6 + 0.03 * mean;
        self.tone_hz = steady.then(|| (48_000.0 / mean).round() as u16);
        (self.sum, self.count, self.crossings, self.periods, self.squares) = (0.0, 0, 0, 0.0, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_measures_the_same_with_both() {
        let sine: Vec<i16> = (0..4_800)
            .map(|at| (16_384.0 * (std::f32::consts::TAU * at as f32 / 48.0).sin()) as i16)
            .collect();
        assert!((level_dbfs(&sine) - -9.03).abs() < 0.05);
        assert!((tone_level_dbfs(&sine, 48_000, 1_000.0) - -9.03).abs() < 0.05);
        assert!(tone_level_dbfs(&sine, 48_000, 1_500.0) < -60.0);
        assert_eq!(level_dbfs(&[0; 10]), SILENCE_DBFS);
    }

    #[test]
    fn a_tone_is_known_from_noise() {
        use rand::{Rng, SeedableRng, rngs::SmallRng};
        let mut meter = Meter::new();
        let mut frame = [0; 960];
        for round in 0..13 {
            for (at, sample) in frame.iter_mut().enumerate() {
                let t = (round * 960 + at) as f32 / 48_000.0;
                *sample = (3_000.0 * (std::f32::consts::TAU * 440.0 * t).sin()) as i16;
            }
            meter.measure(&frame);
        }
        assert_eq!(meter.tone_hz(), Some(440));
        let mut random = SmallRng::seed_from_u64(3);
        for _ in 0..26 {
            frame.fill_with(|| random.next_u32() as i16 / 8);
            meter.measure(&frame);
        }
        assert_eq!(meter.tone_hz(), None);
    }
}
