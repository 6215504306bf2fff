//! What a stream's far end misses of us, by its reports: risen at once, fallen slowly.

use std::time::Duration;

/// The half-life of loss that isn't reported any more.
const HALF_LIFE_S: f32 = 10.0;
/// Below this it is none.
const NONE_PERCENT: f32 = 0.5;

/// The loss to be prepared for.
#[derive(Default)]
pub(super) struct Care {
    percent: f32,
    at: Duration,
}

impl Care {
    /// A report came that says so much is lost; returns what to prepare for, in percent.
    pub(super) fn report(&mut self, now: Duration, percent: f32) -> f32 {
        let gone_s = now.saturating_sub(self.at).as_secs_f32();
        self.at = now;
        self.percent = percent.max(self.percent * 0.5_f32.powf(gone_s / HALF_LIFE_S));
        if self.percent < NONE_PERCENT {
            self.percent = 0.0;
        }
        self.percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_believed_at_once_and_forgotten_slowly() {
        let mut care = Care::default();
        let s = Duration::from_secs;
        assert_eq!(care.report(s(5), 0.0), 0.0);
        assert_eq!(care.report(s(10), 12.0), 12.0);
        let later = care.report(s(20), 0.0);
        assert!((later - 6.0).abs() < 0.1, "{later}");
        assert_eq!(care.report(s(21), 20.0), 20.0);
        assert_eq!((0..30).map(|n| care.report(s(26 + 5 * n), 0.0)).last(), Some(0.0));
    }
}
