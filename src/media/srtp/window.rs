//! Which of the newest indices have been seen (RFC 3711 3.3.2): the replay list of a receiver, and the guard of a sender
//! against using a keystream twice.

/// How many indices behind the newest are still told apart; older ones count as seen.
pub(super) const WIDTH: u64 = 128;

/// A sliding window over packet indices.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    highest: Option<u64>,
    /// Bit n: the index n below the highest was seen.
    seen: u128,
}

impl Window {
    pub(super) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether this index is news.
    pub(super) fn is_new(&self, index: u64) -> bool {
        let Some(highest) = self.highest else { return true };
        if index > highest {
            return true;
        }
        let behind = highest - index;
        behind < WIDTH && self.seen & (1 << behind) == 0
    }

    /// Notes an index that is news.
    pub(super) fn note(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => {
                let behind = highest - index;
                if behind < WIDTH {
                    self.seen |= 1 << behind;
                }
            }
            before => {
                let ahead = before.map_or(WIDTH, |highest| index - highest);
                self.seen = if ahead < WIDTH { self.seen << ahead } else { 0 } | 1;
                self.highest = Some(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_is_news_once_and_the_old_never() {
        let mut window = Window::default();
        for index in [1_000, 1_001, 1_005, 1_003, 1_000 + WIDTH] {
            assert!(window.is_new(index), "{index}");
            window.note(index);
            assert!(!window.is_new(index), "{index}");
        }
        assert!(window.is_new(1_002) && window.is_new(1_004));
        assert!(!window.is_new(1_000), "fell out of the window");
        assert!(!window.is_new(0));
        window.note(u64::MAX >> 16);
        assert!(!window.is_new(1_002));
    }
}
