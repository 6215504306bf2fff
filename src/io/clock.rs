//! The only clock: monotonic time since the program began, and the wall clock for what is written down or shown.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time since an origin, as the pure modules take it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    began_wall: Duration,
}

/// What the clock shows when it starts: what happened in the day before the program began (a caller parked by the
/// last session) has a moment as well, and so a true wait.
const HEAD_START: Duration = Duration::from_secs(24 * 3600);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        let began_wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), began_wall }
    }

    /// Now, since the origin.
    pub fn now(&self) -> Duration {
        HEAD_START + self.began.elapsed()
    }

    /// Since it was started.
    pub fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    /// The instant of a moment, for sleeping.
    pub fn instant(&self, moment: Duration) -> Instant {
        // A moment in the far future (`Duration::MAX` as "never") can't be an instant.
        const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
        self.began + moment.saturating_sub(HEAD_START).min(FAR)
    }

    /// The wall clock at the origin, in ms since 1970.
    pub fn origin_wall_ms(&self) -> u64 {
        let origin_wall = self.began_wall.saturating_sub(HEAD_START);
        u64::try_from(origin_wall.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Unguessable bits from the system, for jitter and the like.
pub fn entropy() -> u64 {
    rand::random()
}

/// As many as a key has: for a user agent's tags, nonces and keys.
pub fn key_entropy() -> [u8; 32] {
    rand::random()
}
