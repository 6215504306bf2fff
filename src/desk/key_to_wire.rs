//! How long it takes from a key to the packet that it caused. The times are measured elsewhere; here they become figures.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// So many of the newest times count.
const TIMES_MAX: usize = 2_000;

/// The figures, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyToWire {
    /// How many keys caused a packet so far.
    pub keys: u64,
    /// Half of them took no longer (of the newest two thousand).
    pub median_us: u32,
    /// One in a hundred took longer.
    pub p99_us: u32,
}

/// The times that were measured.
#[derive(Clone, Debug, Default)]
pub struct KeyTimes {
    times_us: VecDeque<u32>,
    keys: u64,
}

impl KeyTimes {
    /// Takes one more.
    pub fn add(&mut self, time: Duration) {
        if self.times_us.len() >= TIMES_MAX {
            self.times_us.pop_front();
        }
        self.times_us.push_back(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
        self.keys += 1;
    }

    /// The figures so far; `None` before the first.
    pub fn figures(&self) -> Option<KeyToWire> {
        let mut sorted: Vec<u32> = self.times_us.iter().copied().collect();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        Some(KeyToWire {
            keys: self.keys,
            median_us: sorted[last / 2],
            p99_us: sorted[(sorted.len() * 99).div_ceil(100).saturating_sub(1).min(last)],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_of_the_newest_times_and_all_keys_are_counted() {
        let mut times = KeyTimes::default();
        assert_eq!(times.figures(), None);
        times.add(Duration::from_micros(300));
        assert_eq!(times.figures(), Some(KeyToWire { keys: 1, median_us: 300, p99_us: 300 }));
        for us in 1..=100 {
            times.add(Duration::from_micros(us));
        }
        let figures = times.figures().unwrap();
        assert_eq!((figures.keys, figures.median_us, figures.p99_us), (101, 51, 100));
        for _ in 0..TIMES_MAX {
            times.add(Duration::from_secs(5_000));
        }
        assert_eq!(times.figures().unwrap().median_us, u32::MAX, "what doesn't fit is the most there is");
    }
}
