//! Rates: 8 or 16 ↔ 48 kHz for the telephone codecs, and any ratio for devices and recordings. Nothing allocates after `new`.

/// Taps of a phase of the codecs' filters; a multiple of four, as `dot` wants it.
const TAPS: usize = 24;
/// The filters' edge, as a share of the codec's rate.
const EDGE: f32 = 0.4625;

/// A windowed-sinc low pass of gain 1 at 48 kHz, for a codec at a rate that many times lower.
fn low_pass(factor: usize) -> Vec<f32> {
    let edge_hz = EDGE * 48_000.0 / factor as f32;
    let mut taps = vec![0.0; TAPS * factor];
    let last = (taps.len() - 1) as f32;
    let middle = (taps.len() - 1) as f32 / 2.0;
    let edge = edge_hz / 48_000.0;
    for (at, tap) in taps.iter_mut().enumerate() {
        let x = at as f32 - middle;
        *tap = sinc(2.0 * edge * x) * blackman(at as f32 / last);
    }
    let sum: f32 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap /= sum);
    taps
}

fn sinc(x: f32) -> f32 {
    let y = std::f32::consts::PI * x;
    if y.abs() < 1e-6 { 1.0 } else { y.sin() / y }
}

fn blackman(x: f32) -> f32 {
    let turn = std::f32::consts::TAU * x;
    0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos()
}

fn to_sample(value: f32) -> i16 {
    // `as` saturates; `round` would be a call for each sample.
    (value + 0.5_f32.copysign(value)) as i16
}

/// A codec's rate to 48 kHz.
pub(crate) struct Up {
    phases: Vec<[f32; TAPS]>,
    past: [f32; TAPS],
}

impl Up {
    /// From a rate of which 48 kHz is `factor` times as much.
    pub(crate) fn new(factor: usize) -> Self {
        let mut phases = vec![[0.0; TAPS]; factor];
        for (at, tap) in low_pass(factor).iter().enumerate() {
            phases[at % factor][at / factor] = tap * factor as f32;
        }
        Self { phases, past: [0.0; TAPS] }
    }

    /// Writes `factor` samples for each of `input`; `output` must have room for them (what has none is left out).
    pub(crate) fn process(&mut self, input: &[i16], output: &mut [i16]) {
        for (sample, several) in input.iter().zip(output.chunks_exact_mut(self.phases.len())) {
            self.past.copy_within(0..TAPS - 1, 1);
            self.past[0] = f32::from(*sample);
            for (out, phase) in several.iter_mut().zip(&self.phases) {
                *out = to_sample(dot(phase, &self.past));
            }
        }
    }
}

/// 48 kHz to a codec's rate.
pub(crate) struct Down {
    factor: usize,
    taps: Vec<f32>,
    past: Vec<f32>,
}

impl Down {
    /// To a rate of which 48 kHz is `factor` times as much.
    pub(crate) fn new(factor: usize) -> Self {
        // Symmetric, so the order of the taps doesn't matter.
        Self { factor, taps: low_pass(factor), past: vec![0.0; TAPS * factor] }
    }

    /// Writes one sample for each `factor` of `input`.
    pub(crate) fn process(&mut self, input: &[i16], output: &mut [i16]) {
        for (several, out) in input.chunks_exact(self.factor).zip(output) {
            self.past.copy_within(self.factor.., 0);
            for (past, sample) in self.past[(TAPS - 1) * self.factor..].iter_mut().zip(several) {
                *past = f32::from(*sample);
            }
            *out = to_sample(dot(&self.taps, &self.past));
        }
    }
}

/// In four sums by a plain loop: it is the hottest place of all, and iterators are slow where nothing is optimised.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let length = if a.len() < b.len() { a.len() } else { b.len() };
    let (mut s0, mut s1, mut s2, mut s3) = (0.0, 0.0, 0.0, 0.0);
    let mut at = 0;
    while at + 3 < length {
        s0 += a[at] * b[at];
        s1 += a[at + 1] * b[at + 1];
        s2 += a[at + 2] * b[at + 2];
        s3 += a[at + 3] * b[at + 3];
        at += 4;
    }
    s0 + s1 + s2 + s3
}

/// Positions between two samples for which the filter of [`Resampler`] is tabulated.
const STEPS: usize = 64;
/// Taps of [`Resampler`]; a multiple of four.
const REACH: usize = 16;

/// Any ratio, which may be changed on the way (a device's clock is never quite ours).
pub struct Resampler {
    table: Vec<[f32; REACH]>,
    /// The newest inputs, twice in a row, so that from `newest` on they are always in one piece, the oldest first.
    past: [f32; 2 * REACH],
    newest: usize,
    /// Input samples for one output sample.
    step: f64,
    /// Where the next output lies behind the newest input but `REACH / 2`, in input samples.
    at: f64,
}

impl Resampler {
    /// From one rate to another, in Hz; rates of 0 count as 1.
    pub fn new(from_hz: u32, to_hz: u32) -> Self {
        let step = f64::from(from_hz.max(1)) / f64::from(to_hz.max(1));
        // Below the lower of the two rates' halves, with room for the slope.
        let edge = (0.92 / step.max(1.0)).min(0.92) as f32;
        let table = (0..=STEPS)
            .map(|step| {
                let offset = step as f32 / STEPS as f32;
                let mut taps = [0.0; REACH];
                for (at, tap) in taps.iter_mut().enumerate() {
                    let x = at as f32 - (REACH as f32 / 2.0 - 1.0) - offset;
                    let window = blackman(((x + REACH as f32 / 2.0) / REACH as f32).clamp(0.0, 1.0));
                    *tap = sinc(edge * x) * window;
                }
                let sum: f32 = taps.iter().sum();
                taps.map(|tap| tap / sum)
            })
            .collect();
        Self { table, past: [0.0; 2 * REACH], newest: 0, step, at: 0.0 }
    }

    /// Bends the ratio by so many parts in a million (positive: more input for each output).
    pub fn bend(&mut self, from_hz: u32, to_hz: u32, ppm: f64) {
        self.step = f64::from(from_hz.max(1)) / f64::from(to_hz.max(1)) * (1.0 + ppm * 1e-6);
    }

    /// Puts one input sample in and hands out what lies before the next one.
    pub fn push(&mut self, sample: i16, mut out: impl FnMut(i16)) {
        self.enter(sample);
        while self.at < 1.0 {
            out(self.read());
            self.at += self.step;
        }
        self.at -= 1.0;
    }

    /// The next output sample, drawing as many input samples as it takes.
    pub fn draw(&mut self, mut input: impl FnMut() -> i16) -> i16 {
        while self.at >= 1.0 {
            self.enter(input());
            self.at -= 1.0;
        }
        let out = self.read();
        self.at += self.step;
        out
    }

    fn enter(&mut self, sample: i16) {
        self.past[self.newest] = f32::from(sample);
        self.past[self.newest + REACH] = f32::from(sample);
        self.newest = (self.newest + 1) % REACH;
    }

    fn read(&self) -> i16 {
        let place = (self.at as f32).clamp(0.0, 1.0) * STEPS as f32;
        let low = (place as usize).min(STEPS - 1);
        let share = place - low as f32;
        let (Some(a), Some(b)) = (self.table.get(low), self.table.get(low + 1)) else { return 0 };
        let past = &self.past[self.newest..self.newest + REACH];
        to_sample(dot(a, past) * (1.0 - share) + dot(b, past) * share)
    }
}

/// Mono samples at `from_hz` as samples at `to_hz`.
pub fn resample(samples: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    if from_hz == to_hz {
        return samples.to_vec();
    }
    let mut resampler = Resampler::new(from_hz, to_hz);
    let mut out = Vec::with_capacity((samples.len() as f64 / resampler.step) as usize + 1);
    for sample in samples {
        resampler.push(*sample, |sample| out.push(sample));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::level::tone_level_dbfs;

    fn sine(hz: f32, rate: u32, samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|at| (10_000.0 * (std::f32::consts::TAU * hz * at as f32 / rate as f32).sin()) as i16)
            .collect()
    }

    #[test]
    fn a_tone_keeps_pitch_and_level_up_and_down() {
        let mut up = Up::new(6);
        let mut down = Down::new(6);
        let mut wide = vec![0; 48_000];
        up.process(&sine(1_000.0, 8_000, 8_000), &mut wide);
        let level = tone_level_dbfs(&wide[4_800..], 48_000, 1_000.0);
        assert!((level - -13.3).abs() < 0.3, "{level}");
        assert!(tone_level_dbfs(&wide[4_800..], 48_000, 7_000.0) < -65.0, "an image remains");
        let mut narrow = vec![0; 8_000];
        down.process(&wide, &mut narrow);
        let level = tone_level_dbfs(&narrow[800..], 8_000, 1_000.0);
        assert!((level - -13.3).abs() < 0.3, "{level}");
    }

    #[test]
    fn what_8_khz_cannot_carry_does_not_fold_back() {
        let mut narrow = vec![0; 8_000];
        Down::new(6).process(&sine(6_000.0, 48_000, 48_000), &mut narrow);
        assert!(tone_level_dbfs(&narrow[800..], 8_000, 2_000.0) < -60.0);
    }

    #[test]
    fn any_ratio_keeps_a_tone() {
        for (from, to) in
            [(44_100, 48_000), (48_000, 44_100), (16_000, 48_000), (48_000, 16_000), (8_000, 48_000)]
        {
            let out = resample(&sine(1_000.0, from, from as usize), from, to);
            assert!(out.len().abs_diff(to as usize) < 4, "{from} to {to}: {}", out.len());
            let level = tone_level_dbfs(&out[to as usize / 10..], to, 1_000.0);
            assert!((level - -13.3).abs() < 0.5, "{from} to {to}: {level} dB");
        }
    }

    #[test]
    fn drawing_is_the_same_as_pushing() {
        let input = sine(500.0, 44_100, 4_410);
        let pushed = resample(&input, 44_100, 48_000);
        let mut resampler = Resampler::new(44_100, 48_000);
        resampler.at = 1.0;
        let mut source = input.iter().copied();
        let drawn: Vec<i16> = (0..4_000).map(|_| resampler.draw(|| source.next().unwrap())).collect();
        assert_eq!(drawn[..], pushed[..4_000]);
    }
}
