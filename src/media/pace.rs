//! How sound is brought to its right delay: by pitch periods where it is far off, by a bent rate where it is near.
//!
//! Sound is decoded when a tick wants it, so a packet must be there at a tick, and what is decoded and not yet played
//! (what is *ahead*) only adds to the delay. The best there is: every packet is decoded at the first tick at which all but
//! a few are there, and next to nothing is ahead. A clock that runs otherwise than ours shows as an *ahead* that creeps;
//! a rate bent by as much holds it still without anybody hearing it.

use super::stretch::Where;

/// Ticks over which the least delay is found; twice that is remembered.
const WATCH: u32 = 25;
/// The time between two ticks, in µs.
const TICK_US: i64 = 20_000;
/// Sound is decoded a tick sooner when it would still wait so much longer than it has to.
const SPARE_US: i64 = 2_000;
/// What the bent rate wants ahead, and so much more or less; beyond the last, pauses are shortened as well.
const AHEAD_US: i64 = 3_000;
const PLAY_US: i64 = 2_000;
const AHEAD_MAX_US: i64 = 8_000;
/// Bend for each ms off, in parts in a million; what a tick adds to it for as long as it stays off; and the most: less
/// than a cent, which nobody hears.
const PPM_PER_MS: f64 = 20.0;
const PPM_PER_MS_AND_TICK: f64 = 0.02;
const PPM_MAX: f64 = 500.0;
/// Ticks between two changes by pitch periods, so that the pitch doesn't tremble; and where much is to be made up for.
const REST: u32 = 4;
const REST_HURRIED: u32 = 2;
/// Off by so much, nothing is waited for.
const HURRIED_US: i64 = 60_000;
/// Ticks for which a pause is waited for, and then for a place where two periods are alike: with too little delay, and
/// with too much.
const PATIENCE_SHORT: [u32; 2] = [40, 100];
const PATIENCE_LONG: [u32; 2] = [150, 500];

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
    /// Ticks for which a change has been wanted.
    wanted: u32,
    /// The bend that holds what is ahead still: how much faster the other clock runs, in parts in a million.
    drift_ppm: f64,
}

impl Pace {
    /// One tick: how long after the fastest packet could have brought it sound is decoded now, how long that should be,
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
        let spare = least - ahead_us - target_us;
        let by = if spare < 0 {
            // As many ticks later as it takes.
            let ticks = (-spare + TICK_US - 1) / TICK_US;
            ticks * TICK_US - ahead_us + AHEAD_US
        } else {
            let ticks = (spare - SPARE_US).max(0) / TICK_US;
            let surplus = ticks * TICK_US + ahead_us - AHEAD_US;
            if surplus > AHEAD_MAX_US - AHEAD_US && self.least_before.is_some() { -surplus } else { 0 }
        };
        if by == 0 {
            self.wanted = 0;
            return Change::Bend(self.bend(ahead_us));
        }
        self.wanted = self.wanted.saturating_add(1);
        let hurried = by.abs() > HURRIED_US;
        if self.rested < if hurried { REST_HURRIED } else { REST } {
            return Change::Bend(self.drift_ppm);
        }
        let [pause, alike] = if by > 0 { PATIENCE_SHORT } else { PATIENCE_LONG };
        let place = match self.wanted {
            _ if hurried => Where::Anywhere,
            wanted if wanted < pause && by.abs() <= 2 * TICK_US => Where::Pause,
            wanted if wanted < alike => Where::Alike,
            _ => Where::Anywhere,
        };
        if by > 0 { Change::Lengthen(by, place) } else { Change::Shorten(-by, place) }
    }

    /// The bend for so much ahead.
    fn bend(&mut self, ahead_us: i64) -> f64 {
        let beyond = ahead_us - AHEAD_US;
        let off_ms = (beyond - beyond.clamp(-PLAY_US, PLAY_US)) as f64 / 1_000.0;
        self.drift_ppm = (self.drift_ppm + PPM_PER_MS_AND_TICK * off_ms).clamp(-PPM_MAX, PPM_MAX);
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
