//! Taking a pitch period out of 48 kHz sound, or putting one in, by a cross-fade between two places that are alike.

/// Shortest and longest piece: 2.5 ms and 15 ms, the periods of 400 Hz and 67 Hz.
pub(crate) const SHORTEST: usize = 120;
pub(crate) const LONGEST: usize = 720;
/// The step of the coarse search.
const COARSE: usize = 6;
/// Two places count as alike from here on (1 is the same).
const ALIKE: f32 = 0.75;

/// Where sound may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    /// In a pause: as good as silence.
    Pause,
    /// Where two places are alike, too.
    Alike,
    /// Wherever it is.
    Anywhere,
}

/// Mean square of what counts as silence, where any place is as good as any other: −50 dB below full scale.
const SILENCE: f32 = 10_737.0;

/// Takes one period of at most `most` samples out at the beginning; returns how many fewer there are. 0: there is none,
/// that may be taken.
pub(crate) fn shorten(samples: &mut [i16], most: usize, place: Where) -> usize {
    let Some(period) = period(samples, most, place) else { return 0 };
    for at in 0..period {
        samples[at] = faded(samples[at], samples[at + period], at, period);
    }
    samples.copy_within(2 * period.., period);
    period
}

/// Puts one period of at most `most` samples in at the beginning of the first `length` samples, behind which there must
/// be room for it; returns how many more there are.
pub(crate) fn lengthen(samples: &mut [i16], length: usize, most: usize, place: Where) -> usize {
    let most = most.min(samples.len().saturating_sub(length));
    let Some(period) = samples.get(..length).and_then(|sound| period(sound, most, place)) else { return 0 };
    // The period, the passage from its end back to its beginning, and then what followed it.
    samples.copy_within(period..length, 2 * period);
    for at in 0..period {
        samples[period + at] = faded(samples[2 * period + at], samples[at], at, period);
    }
    period
}

fn faded(from: i16, to: i16, at: usize, length: usize) -> i16 {
    let share = (at + 1) as f32 / (length + 1) as f32;
    (f32::from(from) * (1.0 - share) + f32::from(to) * share) as i16
}

/// The lag at which the beginning is most like what follows; in a pause the longest there is.
fn period(samples: &[i16], most: usize, place: Where) -> Option<usize> {
    let most = most.min(LONGEST).min(samples.len() / 2);
    if most < SHORTEST {
        return None;
    }
    let energy: f32 = samples[..2 * most].iter().map(|s| f32::from(*s) * f32::from(*s)).sum();
    if energy / (2 * most) as f32 <= SILENCE {
        return Some(most);
    }
    if place == Where::Pause {
        return None;
    }
    let (mut best, mut best_score) = (most, f32::MIN);
    let mut lag = SHORTEST;
    while lag <= most {
        let score = likeness(samples, lag, COARSE);
        if score > best_score {
            (best, best_score) = (lag, score);
        }
        lag += COARSE;
    }
    let (from, to) = ((best - COARSE + 1).max(SHORTEST), (best + COARSE - 1).min(most));
    for lag in from..=to {
        let score = likeness(samples, lag, 2);
        if score > best_score {
            (best, best_score) = (lag, score);
        }
    }
    (place == Where::Anywhere || best_score >= ALIKE).then_some(best)
}

/// How alike the beginning and what lies `lag` behind it are, at most 1.
fn likeness(samples: &[i16], lag: usize, step: usize) -> f32 {
    let (mut cross, mut energy) = (0.0_f32, 1.0_f32);
    let mut at = 0;
    while at + lag < samples.len() && at < LONGEST {
        let (a, b) = (samples[at] as f32, samples[at + lag] as f32);
        cross += a * b;
        energy += a * a + b * b;
        at += step;
    }
    2.0 * cross / energy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::level::level_dbfs;

    fn tone(hz: f32, count: usize) -> Vec<i16> {
        let turn = std::f32::consts::TAU * hz / 48_000.0;
        (0..count).map(|at| (8_000.0 * (turn * at as f32).sin()) as i16).collect()
    }

    fn steepest(samples: &[i16]) -> i32 {
        samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn whole_periods_go_and_come_and_nothing_clicks() {
        for hz in [90.0, 200.0, 440.0] {
            let plain = tone(hz, 2_880);
            let mut short = plain.clone();
            let gone = shorten(&mut short, LONGEST, Where::Alike);
            let mut long = [plain.clone(), vec![0; LONGEST]].concat();
            let come = lengthen(&mut long, 2_880, LONGEST, Where::Alike);
            for (sound, count) in [(&short[..2_880 - gone], gone), (&long[..2_880 + come], come)] {
                assert!((SHORTEST..=LONGEST).contains(&count), "{hz} Hz: {count}");
                assert!(steepest(sound) <= steepest(&plain) * 6 / 5, "{hz} Hz clicks: {}", steepest(sound));
                assert!((level_dbfs(sound) - -15.3).abs() < 0.5, "{hz} Hz: {} dB", level_dbfs(sound));
            }
        }
    }

    #[test]
    fn what_has_no_period_is_left_alone_unless_it_must_be() {
        use rand::{Rng, SeedableRng, rngs::SmallRng};
        let mut random = SmallRng::seed_from_u64(1);
        let noise: Vec<i16> = (0..2_880).map(|_| (random.next_u32() as i16) / 4).collect();
        assert_eq!(shorten(&mut noise.clone(), LONGEST, Where::Alike), 0);
        assert!(shorten(&mut noise.clone(), LONGEST, Where::Anywhere) >= SHORTEST);
        assert!(shorten(&mut [3; 2_880], LONGEST, Where::Alike) >= SHORTEST, "silence can always go");
        assert_eq!(shorten(&mut [0; 100], 500, Where::Anywhere), 0);
        assert_eq!(lengthen(&mut [0; 1_000], 1_000, 500, Where::Anywhere), 0, "no room");
    }
}
