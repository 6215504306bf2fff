//! Filling gaps from the sound itself: waveform repetition with a fade (after the idea of G.711 Appendix I).

/// History kept: 50 ms.
const HISTORY_MS: usize = 50;
/// Shortest and longest pitch: 400 Hz and 66 Hz.
const PITCH_MAX_HZ: usize = 400;
const PITCH_MIN_HZ: usize = 66;
/// Sound compared when looking for the pitch: 20 ms.
const COMPARED_MS: usize = 20;
/// After so much concealment the fade begins, and after so much it is silent.
const FADE_FROM_MS: usize = 20;
const FADE_TO_MS: usize = 100;

/// Conceals lost frames of sound at a codec's rate.
pub(crate) struct Concealer {
    /// Samples in a ms.
    per_ms: usize,
    /// Length of the cross-fade where sound and concealment meet: 2.5 ms.
    overlap: usize,
    history: Box<[i16]>,
    period: usize,
    concealed: usize,
    phase: usize,
}

impl Concealer {
    pub(crate) fn new(rate_hz: usize) -> Self {
        let per_ms = rate_hz / 1_000;
        Self {
            per_ms,
            overlap: rate_hz / 400,
            history: vec![0; HISTORY_MS * per_ms].into(),
            period: rate_hz / PITCH_MIN_HZ,
            concealed: 0,
            phase: 0,
        }
    }

    /// Sound that arrived; its beginning is faded in when a gap came before it.
    pub(crate) fn good(&mut self, frame: &mut [i16]) {
        if self.concealed > 0 {
            let overlap = self.overlap.min(frame.len());
            for (at, sample) in frame.iter_mut().take(overlap).enumerate() {
                let old = f32::from(self.next_sample());
                let share = (at + 1) as f32 / (overlap + 1) as f32;
                *sample = (f32::from(*sample) * share + old * (1.0 - share)) as i16;
            }
            self.concealed = 0;
        }
        let keep = frame.len().min(self.history.len());
        self.history.copy_within(keep.., 0);
        let from = self.history.len() - keep;
        self.history[from..].copy_from_slice(&frame[frame.len() - keep..]);
    }

    /// Makes up sound for a gap.
    pub(crate) fn conceal(&mut self, frame: &mut [i16]) {
        if self.concealed == 0 {
            self.period = best_period(&self.history, self.per_ms);
            self.phase = 0;
            self.smooth_seam();
        }
        for sample in frame.iter_mut() {
            *sample = self.next_sample();
        }
    }

    /// Bends the end of the last period towards what came before its beginning, so that repeating it has no step.
    fn smooth_seam(&mut self) {
        let overlap = self.overlap.min(self.period);
        for at in 0..overlap {
            let end = self.history.len() - overlap + at;
            let before = f32::from(self.history[end - self.period]);
            let share = (at + 1) as f32 / (overlap + 1) as f32;
            self.history[end] = (f32::from(self.history[end]) * (1.0 - share) + before * share) as i16;
        }
    }

    fn next_sample(&mut self) -> i16 {
        let sample = self.history[self.history.len() - self.period + self.phase];
        self.phase = (self.phase + 1) % self.period;
        let gone = self.concealed;
        self.concealed = self.concealed.saturating_add(1);
        let (from, to) = (FADE_FROM_MS * self.per_ms, FADE_TO_MS * self.per_ms);
        if gone <= from {
            return sample;
        }
        let left = to.saturating_sub(gone) as f32 / (to - from) as f32;
        (f32::from(sample) * left) as i16
    }
}

/// The period at which the newest samples are most like the older ones.
fn best_period(history: &[i16], per_ms: usize) -> usize {
    let (min, max) = (per_ms * 1_000 / PITCH_MAX_HZ, per_ms * 1_000 / PITCH_MIN_HZ);
    let compared = COMPARED_MS * per_ms;
    // Every second sample tells enough where they are dense.
    let step = (per_ms / 8).max(1);
    let (mut best, mut best_score) = (max, f32::MIN);
    for period in min..=max {
        let Some(start) = history.len().checked_sub(compared + period) else { break };
        let old = &history[start..start + compared];
        let new = &history[history.len() - compared..];
        let (mut cross, mut energy) = (0.0_f32, 1.0_f32);
        let mut at = 0;
        while at < compared {
            let (a, b) = (old[at] as f32, new[at] as f32);
            cross += a * b;
            energy += a * a;
            at += step;
        }
        // The smallest of equal ones wins: a multiple of the pitch repeats worse. Hence the slight lean.
        let score = cross.max(0.0) * cross / energy * (1.0 - 0.1 * period as f32 / max as f32);
        if score > best_score {
            (best, best_score) = (period, score);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::level::{level_dbfs, tone_level_dbfs};

    fn tone(hz: f32, rate: f32, from: usize, count: usize) -> Vec<i16> {
        (from..from + count)
            .map(|at| (8_000.0 * (std::f32::consts::TAU * hz * at as f32 / rate).sin()) as i16)
            .collect()
    }

    fn steepest(samples: &[i16]) -> i32 {
        samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn a_lost_frame_goes_on_as_it_was_and_returns_without_a_step() {
        let mut concealer = Concealer::new(8_000);
        let mut heard = Vec::new();
        for frame in 0..10 {
            let mut sound = tone(203.0, 8_000.0, frame * 160, 160);
            if frame == 5 {
                concealer.conceal(&mut sound);
            } else {
                concealer.good(&mut sound);
            }
            heard.extend(sound);
        }
        let gap = &heard[800..960];
        assert!((level_dbfs(gap) - level_dbfs(&heard[640..800])).abs() < 1.0);
        assert!(tone_level_dbfs(gap, 8_000, 203.0) > -17.5, "not the same tone");
        let steepest_of_tone = steepest(&tone(203.0, 8_000.0, 0, 400));
        assert!(
            steepest(&heard) < 2 * steepest_of_tone,
            "a click: {} > {steepest_of_tone}",
            steepest(&heard)
        );
    }

    #[test]
    fn a_long_gap_fades_to_silence_and_stays_there() {
        let mut concealer = Concealer::new(8_000);
        let mut sound = tone(150.0, 8_000.0, 0, 800);
        concealer.good(&mut sound);
        let mut levels = Vec::new();
        let mut frame = [0; 160];
        for _ in 0..8 {
            concealer.conceal(&mut frame);
            levels.push(level_dbfs(&frame));
        }
        assert!(levels[0] > -20.0 && levels[2] < levels[1] && levels[3] < levels[2], "{levels:?}");
        assert!(levels[6] < -85.0 && levels[7] < -85.0, "{levels:?}");
    }

    #[test]
    fn silence_and_noise_are_no_trouble() {
        let mut concealer = Concealer::new(8_000);
        let mut frame = [0; 160];
        concealer.conceal(&mut frame);
        assert_eq!(frame, [0; 160]);
    }
}
