//! A ring that one clock fills and another drains: how much is kept in hand, and the bend of the rate that holds it there.
//! A card's clock is never quite the computer's; a ring that only waits would fill or run dry once in a while, and either
//! is heard.

use super::RATE_HZ;

/// Samples of a ms.
const MS: usize = RATE_HZ as usize / 1_000;
/// What is in hand at the least moment, at first: the unevenness of threads on a machine that is not busy.
const IN_HAND: usize = 3 * MS;
/// And at most, after it ran dry.
const IN_HAND_MAX: usize = 30 * MS;
/// What running dry adds to that, beyond what was lacking; and what a calm minute takes away.
const DRY_MORE: usize = MS;
const CALM_LESS: usize = MS / 2;
const CALM_WINDOWS: u32 = 60;
/// Samples over which the least is found: a second.
const WINDOW: usize = RATE_HZ as usize;
/// So much more than what is wanted in hand is left alone; and from so much on, it is cut off.
const PLAY: usize = MS;
const SURPLUS: usize = 15 * MS;
/// Bend for each ms off, in parts in a million; what a window adds for as long as it stays off; and the most.
const PPM_PER_MS: f64 = 60.0;
const PPM_PER_MS_AND_WINDOW: f64 = 4.0;
const PPM_MAX: f64 = 500.0;
/// Taken in vain for so long, it begins anew: nobody fills it.
const GIVEN_UP: usize = 200 * MS;

/// What to do before taking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Take {
    /// Nothing is taken yet.
    Wait,
    /// Drop so many samples (the oldest) and take what is wanted, at a rate bent by so many parts in a million.
    Now {
        /// Samples to be dropped; their seam wants a cross-fade, unless it begins here.
        surplus: usize,
        /// Positive: more samples are used up.
        ppm: f64,
    },
}

/// Watches a ring. Times are counted in samples at 48 kHz.
#[derive(Debug)]
pub struct Elastic {
    runs: bool,
    in_hand: usize,
    /// The least in hand in this window, and how much of the window has passed.
    least: usize,
    passed: usize,
    calm: u32,
    lacking: usize,
    drift_ppm: f64,
    ppm: f64,
}

impl Default for Elastic {
    fn default() -> Self {
        Self {
            runs: false,
            in_hand: IN_HAND,
            least: usize::MAX,
            passed: 0,
            calm: 0,
            lacking: 0,
            drift_ppm: 0.0,
            ppm: 0.0,
        }
    }
}

impl Elastic {
    /// `waiting` samples are in the ring and `wanted` are about to be taken. Where there are too few, all are taken, and
    /// the lack is made up for by silence.
    pub fn look(&mut self, waiting: usize, wanted: usize) -> Take {
        if !self.runs {
            if waiting < wanted + self.in_hand {
                return Take::Wait;
            }
            self.runs = true;
            self.begin_window();
            return Take::Now { surplus: waiting - wanted - self.in_hand, ppm: self.drift_ppm };
        }
        if waiting < wanted {
            self.run_dry(wanted - waiting);
            return if self.runs { Take::Now { surplus: 0, ppm: self.ppm } } else { Take::Wait };
        }
        self.lacking = 0;
        self.least = self.least.min(waiting - wanted);
        self.passed += wanted;
        let mut surplus = 0;
        if self.passed >= WINDOW {
            surplus = self.conclude();
        }
        Take::Now { surplus, ppm: self.ppm }
    }

    fn run_dry(&mut self, lack: usize) {
        // The longer it lasts, the less it is mere unevenness, which is all that more in hand could help against.
        if self.lacking == 0 {
            self.in_hand = (self.in_hand + lack.min(10 * MS) + DRY_MORE).min(IN_HAND_MAX);
        }
        self.lacking += lack;
        self.calm = 0;
        if self.lacking >= GIVEN_UP {
            (self.runs, self.lacking) = (false, 0);
        }
        self.begin_window();
    }

    fn begin_window(&mut self) {
        (self.least, self.passed) = (usize::MAX, 0);
    }

    /// A window is over; returns what is to be cut off.
    fn conclude(&mut self) -> usize {
        self.calm += 1;
        if self.calm >= CALM_WINDOWS {
            (self.calm, self.in_hand) = (0, (self.in_hand - CALM_LESS).max(IN_HAND));
        }
        let over = self.least as f64 - self.in_hand as f64;
        let surplus = if over > SURPLUS as f64 { self.least - self.in_hand } else { 0 };
        self.begin_window();
        if surplus > 0 {
            return surplus;
        }
        let off_ms = (over - over.clamp(0.0, PLAY as f64)) / MS as f64;
        self.drift_ppm = (self.drift_ppm + PPM_PER_MS_AND_WINDOW * off_ms).clamp(-PPM_MAX, PPM_MAX);
        self.ppm = (self.drift_ppm + PPM_PER_MS * off_ms).clamp(-PPM_MAX, PPM_MAX);
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring into which `piece` samples come at a time, on a clock off by `ppm`, and from which others are taken;
    /// `late` says by how many samples a piece comes late. Returns holes after the first minute, and the most that
    /// waited.
    fn run(
        seconds: usize,
        ppm: f64,
        piece: usize,
        taken: usize,
        late: impl Fn(usize) -> usize,
    ) -> (usize, usize) {
        let mut elastic = Elastic::default();
        let (mut waiting, mut used) = (0.0_f64, 0.0_f64);
        let (mut holes, mut most, mut pieces) = (0, 0, 0);
        for at in 0..seconds * RATE_HZ as usize {
            while (pieces as f64 * piece as f64 * (1.0 - ppm * 1e-6)) as usize + late(pieces) <= at {
                waiting += piece as f64;
                pieces += 1;
            }
            if !at.is_multiple_of(taken) {
                continue;
            }
            let settled = at > 60 * RATE_HZ as usize;
            if let Take::Now { surplus, ppm } = elastic.look(waiting as usize, taken) {
                waiting -= surplus as f64;
                let want = taken as f64 * (1.0 + ppm * 1e-6);
                used += want;
                holes += usize::from(settled && want.floor() > waiting);
                waiting = (waiting - want).max(0.0);
                if settled {
                    most = most.max(waiting as usize);
                    assert_eq!(surplus, 0);
                }
            } else {
                holes += usize::from(settled);
            }
        }
        assert!(used > 0.9 * (seconds * RATE_HZ as usize) as f64);
        (holes, most)
    }

    #[test]
    fn a_card_that_drifts_for_an_hour_is_followed_without_a_hole_and_without_delay() {
        for ppm in [-300.0, 0.0, 300.0] {
            let (holes, most) = run(3_600, ppm, 240, 480, |_| 0);
            assert_eq!(holes, 0, "{ppm} ppm");
            assert!(most <= 15 * MS, "{ppm} ppm: {most}");
        }
    }

    #[test]
    fn what_comes_unevenly_is_kept_in_hand_longer() {
        // Every 37th piece comes 8 ms late.
        let (holes, most) = run(600, 100.0, 240, 240, |n| if n % 37 == 0 { 8 * MS } else { 0 });
        assert!(holes <= 3, "{holes}");
        assert!(most <= 25 * MS, "{most}");
    }

    #[test]
    fn what_nobody_fills_waits_until_somebody_does() {
        let mut elastic = Elastic::default();
        assert_eq!(elastic.look(300, 240), Take::Wait);
        assert!(matches!(elastic.look(1_000, 240), Take::Now { surplus: 616, .. }));
        assert!(matches!(elastic.look(0, 240), Take::Now { surplus: 0, .. }));
        assert!((0..100).any(|_| elastic.look(0, 240) == Take::Wait));
        assert_eq!(elastic.look(240, 240), Take::Wait, "with nothing in hand it would stutter");
        assert!(matches!(elastic.look(2_400, 240), Take::Now { .. }));
    }

    #[test]
    fn a_pile_is_cut_off() {
        let mut elastic = Elastic::default();
        let mut cut = 0;
        for _ in 0..300 {
            if let Take::Now { surplus, .. } = elastic.look(4_000 - cut, 240) {
                cut += surplus;
            }
        }
        assert_eq!(4_000 - cut, 240 + IN_HAND);
    }
}
