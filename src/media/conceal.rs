//! Filling gaps from the sound itself: waveform repetition with a fade (after the idea of G.711 Appendix I).

/// The concealment works at the codec's 8 kHz.
const RATE: usize = 8_000;
/// History kept: 50 ms.
const HISTORY: usize = RATE / 20;
/// Shortest and longest pitch period: 400 Hz and 66 Hz.
const PERIOD_MIN: usize = RATE / 400;
const PERIOD_MAX: usize = RATE / 66;
/// Samples compared when looking for the pitch: 20 ms.
const COMPARED: usize = RATE / 50;
/// Length of the cross-fade where sound and concealment meet: 2.5 ms.
const OVERLAP: usize = RATE / 400;
/// After so many concealed samples the fade begins (20 ms), and after so many it is silent (100 ms).
const FADE_FROM: usize = RATE / 50;
const FADE_TO: usize = RATE / 10;

/// Conceals lost frames of 8 kHz sound.
pub(crate) struct Concealer {
    history: [i16; HISTORY],
    period: usize,
    concealed: usize,
    phase: usize,
}

impl Concealer {
    pub(crate) fn new() -> Self {
        Self { history: [0; HISTORY], period: PERIOD_MAX, concealed: 0, phase: 0 }
    }

    /// Sound that arrived; its beginning is faded in when a gap came before it.
    pub(crate) fn good(&mut self, frame: &mut [i16]) {
        if self.concealed > 0 {
            for at in 0..OVERLAP.min(frame.len()) {
                let old = f32::from(self.next_sample());
                let share = (at + 1) as f32 / (OVERLAP + 1) as f32;
                frame[at] = (f32::from(frame[at]) * share + old * (1.0 - share)) as i16;
            }
            self.concealed = 0;
        }
        let keep = frame.len().min(HISTORY);
        self.history.copy_within(keep.., 0);
        self.history[HISTORY - keep..].copy_from_slice(&frame[frame.len() - keep..]);
    }

    /// Makes up sound for a gap.
    pub(crate) fn conceal(&mut self, frame: &mut [i16]) {
        if self.concealed == 0 {
            self.period = best_period(&self.history, PERIOD_MIN, PERIOD_MAX, COMPARED);
            self.phase = 0;
            self.smooth_seam();
        }
        for sample in frame.iter_mut() {
            *sample = self.next_sample();
        }
    }

    /// Bends the end of the last period towards what came before its beginning, so that repeating it has no step.
    fn smooth_seam(&mut self) {
        for at in 0..OVERLAP.min(self.period) {
            let end = HISTORY - OVERLAP.min(self.period) + at;
            let before = f32::from(self.history[end - self.period]);
            let share = (at + 1) as f32 / (OVERLAP + 1) as f32;
            self.history[end] = (f32::from(self.history[end]) * (1.0 - share) + before * share) as i16;
        }
    }

    fn next_sample(&mut self) -> i16 {
        let sample = self.history[HISTORY - self.period + self.phase];
        self.phase = (self.phase + 1) % self.period;
        let gone = self.concealed;
        self.concealed = self.concealed.saturating_add(1);
        if gone <= FADE_FROM {
            return sample;
        }
        let left = FADE_TO.saturating_sub(gone) as f32 / (FADE_TO - FADE_FROM) as f32;
        (f32::from(sample) * left) as i16
    }
}

/// The period within the bounds at which the newest `compared` samples are most like the older ones.
fn best_period(history: &[i16], min: usize, max: usize, compared: usize) -> usize {
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
            at += 1;
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
        let mut concealer = Concealer::new();
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
        let mut concealer = Concealer::new();
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
        let mut concealer = Concealer::new();
        let mut frame = [0; 160];
        concealer.conceal(&mut frame);
        assert_eq!(frame, [0; 160]);
    }
}
