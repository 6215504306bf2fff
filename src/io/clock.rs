//! The only clock: monotonic time since the program began, and the wall clock for what is written down or shown.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time since an origin, as the pure modules take it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    head_start: Duration,
    origin_wall: Duration,
}

impl Clock {
    /// A clock that shows `head_start` now, so that what happened before the program has a moment as well.
    pub fn start(head_start: Duration) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), head_start, origin_wall: wall.saturating_sub(head_start) }
    }

    /// Now, since the origin.
    pub fn now(&self) -> Duration {
        self.head_start + self.started.elapsed()
    }

    /// The instant of a moment, for sleeping.
    pub fn instant(&self, moment: Duration) -> Instant {
        // A moment in the far future (`Duration::MAX` as "never") can't be an instant.
        const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
        self.started + moment.saturating_sub(self.head_start).min(FAR)
    }

    /// The wall clock at the origin, in ms since 1970.
    pub fn origin_wall_ms(&self) -> u64 {
        u64::try_from(self.origin_wall.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Unguessable bits from the system, for tags, nonces and keys.
pub fn entropy() -> u64 {
    rand::random()
}
