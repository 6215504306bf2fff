//! How much cheaper encoding has to be because the tick runs late: more at once, less again after a calm time.

use std::time::Duration;

/// A tick that begins later than this is late.
const LATE: Duration = Duration::from_millis(8);
/// Steps more for a late tick, and the most.
const MORE: u8 = 2;
const MOST: u8 = 8;
/// Ticks that a change is given to show; and calm ticks for a step back: ten seconds.
const SHOWN: u32 = 10;
const CALM: u32 = 500;

/// Watches the ticks.
#[derive(Default)]
pub struct Relief {
    steps: u8,
    since: u32,
}

impl Relief {
    /// A tick began so late; says the steps when they change (0: none, everything as good as it gets).
    pub fn tick(&mut self, late: Duration) -> Option<u8> {
        self.since = self.since.saturating_add(1);
        let steps = if late > LATE {
            if self.since < SHOWN && self.steps > 0 {
                return None;
            }
            self.since = 0;
            (self.steps + MORE).min(MOST)
        } else if self.since >= CALM {
            self.since = 0;
            self.steps.saturating_sub(1)
        } else {
            self.steps
        };
        (std::mem::replace(&mut self.steps, steps) != steps).then_some(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_ticks_make_it_cheaper_at_once_and_calm_ones_dearer_again_in_time() {
        let mut relief = Relief::default();
        let ms = Duration::from_millis;
        assert_eq!((0..1_000).find_map(|_| relief.tick(ms(1))), None);
        assert_eq!(relief.tick(ms(15)), Some(2));
        assert_eq!(relief.tick(ms(15)), None, "what was done must show first");
        assert_eq!((0..200).filter_map(|_| relief.tick(ms(15))).last(), Some(MOST));
        let calm: Vec<_> = (0..5_000).filter_map(|_| relief.tick(ms(1))).collect();
        assert_eq!(calm, [7, 6, 5, 4, 3, 2, 1, 0]);
    }
}
