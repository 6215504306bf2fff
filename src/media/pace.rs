//! How sound is brought to its right delay: by pitch periods where it is far off, by a bent rate where it is near.
//!
//! Sound is decoded when a slice wants it, so a packet must be there up to a slice before its sound is heard: that much
//! beyond the jitter buffer's target is wanted. A clock that runs otherwise than ours shows as a delay that creeps; a
//! rate bent by as much holds it still without anybody hearing it.

use super::SLICE_TIME;
use super::stretch::Where;

/// Slices over which the least delay is found (half a second); twice that is remembered.
const WATCH: u32 = 100;
/// What is wanted beyond the target: the time between two slices.
const BEYOND_US: i64 = SLICE_TIME.as_micros() as i64;
/// Less than wanted by this, and sound is put in; more by that, and nothing is done about it; more by the last, and
/// sound is taken out as well.
const SHORT_US: i64 = 1_000;
const PLAY_US: i64 = 3_000;
const SURPLUS_US: i64 = 8_000;
/// Bend for each ms off, in parts in a million; what a slice adds to it for as long as it stays off; and the most: less
/// than a cent, which nobody hears.
const PPM_PER_MS: f64 = 60.0;
const PPM_PER_MS_AND_SLICE: f64 = 0.02;
const PPM_MAX: f64 = 500.0;
/// Slices between two changes by pitch periods, so that the pitch doesn't tremble; and where much is to be made up for.
const REST: u32 = 16;
const REST_HURRIED: u32 = 8;
/// Off by so much, nothing is waited for; by so much, no pause is.
const HURRIED_US: i64 = 60_000;
const MUCH_US: i64 = 40_000;
/// Slices for which a pause is waited for, and then for a place where two periods are alike: with too little delay, and
/// with too much.
const PATIENCE_SHORT: [u32; 2] = [160, 400];
const PATIENCE_LONG: [u32; 2] = [600, 2_000];

/// What is to be done to the sound now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Change {
    /// Only bend its rate (positive: use it up faster), in parts in a million.
    Bend(f64),
    /// Take about so many µs out.
    Shorten(i64, Where),
    /// Put about so many µs in.
    Lengthen(i64, Where),
}

/// Watches a delay.
#[derive(Default)]
pub(crate) struct Pace {
    /// The least delay of play in this watch and the one before.
    least: Option<i64>,
    least_before: Option<i64>,
    watched: u32,
    rested: u32,
    /// Slices for which a change has been wanted.
    wanted: u32,
    /// The bend that holds what is ahead still: how much faster the other clock runs, in parts in a million.
    drift_ppm: f64,
}

impl Pace {
    /// One slice: how long after the fastest packet could have brought it sound is decoded now, how long that should be,
    /// and how much is ahead of it; in µs.
    pub(crate) fn look(&mut self, decoded_us: i64, target_us: i64, ahead_us: i64) -> Change {
        let played = decoded_us + ahead_us;
        self.least = Some(self.least.map_or(played, |least| least.min(played)));
        let least = self.least.into_iter().chain(self.least_before).min().unwrap_or(played);
        self.watched += 1;
        if self.watched >= WATCH {
            (self.least_before, self.least, self.watched) = (self.least, None, 0);
        }
        self.rested = self.rested.saturating_add(1);
        let over = least - target_us - BEYOND_US;
        let bend = self.bend(over);
        let by = if over < -SHORT_US || (over > SURPLUS_US && self.least_before.is_some()) {
            PLAY_US / 2 - over
        } else {
            self.wanted = 0;
            return Change::Bend(bend);
        };
        self.wanted = self.wanted.saturating_add(1);
        let hurried = by.abs() > HURRIED_US;
        if self.rested < if hurried { REST_HURRIED } else { REST } {
            return Change::Bend(bend);
        }
        let [pause, alike] = if by > 0 { PATIENCE_SHORT } else { PATIENCE_LONG };
        let place = match self.wanted {
            _ if hurried => Where::Anywhere,
            wanted if wanted < pause && by.abs() <= MUCH_US => Where::Pause,
            wanted if wanted < alike => Where::Alike,
            _ => Where::Anywhere,
        };
        if by > 0 { Change::Lengthen(by, place) } else { Change::Shorten(-by, place) }
    }

    /// The bend for so much more than is wanted, in µs.
    fn bend(&mut self, over_us: i64) -> f64 {
        // What is put right by pitch periods says little of the clocks.
        let over_us = over_us.clamp(-2 * SHORT_US, SURPLUS_US);
        let off_ms = (over_us - over_us.clamp(0, PLAY_US)) as f64 / 1_000.0;
        self.drift_ppm = (self.drift_ppm + PPM_PER_MS_AND_SLICE * off_ms).clamp(-PPM_MAX, PPM_MAX);
        (self.drift_ppm + PPM_PER_MS * off_ms).clamp(-PPM_MAX, PPM_MAX)
    }

    /// The bend while nothing more is known.
    pub(crate) fn drift_ppm(&self) -> f64 {
        self.drift_ppm
    }

    /// The delay was changed by so many µs.
    pub(crate) fn changed(&mut self, by_us: i64) {
        self.least = self.least.map(|least| least + by_us);
        self.least_before = self.least_before.map(|least| least + by_us);
        self.rested = 0;
    }

    /// What was seen has nothing to do with what comes. The clocks are the same.
    pub(crate) fn begin_anew(&mut self) {
        *self = Self { drift_ppm: self.drift_ppm, ..Self::default() };
    }
}
