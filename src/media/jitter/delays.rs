//! How late packets come: a histogram of their delay beyond the fastest one, with forgetting, and the waiting time that
//! it calls for.

/// Width of a bin, in µs.
const BIN_US: i64 = 2_000;
/// Bins: delays up to 400 ms; what is later counts as never.
const BINS: usize = 200;
/// Packets that are remembered: six seconds of usual ones.
const MEMORY: f32 = 300.0;
/// What a share of the sound that comes too late is worth: one in a hundred against 40 ms of delay for all of it. That is
/// what the E-model (ITU-T G.107) charges for either beyond a mouth-to-ear delay of 177 ms; below that, delay is cheaper.
const PRICE_US: f32 = 4_000_000.0;
/// What is expected of an unknown network: one packet of this delay.
const EXPECTED_US: i64 = 30_000;
/// Packets of a window in which the fastest is looked for; the last window counts as well as the present one.
const WINDOW: u32 = 250;

/// The statistics of a stream's arrivals. Times are in µs; a transit is the time of arrival less the packet's timestamp
/// and says nothing by itself, for the clocks have no common zero.
pub(crate) struct Delays {
    weights: [f32; BINS],
    /// Weight of what came later than the last bin.
    beyond: f32,
    total: f32,
    /// The least transit of this window and of the one before.
    least: Option<i64>,
    least_before: Option<i64>,
    in_window: u32,
    target_us: i64,
}

impl Delays {
    pub(crate) fn new() -> Self {
        let mut delays = Self {
            weights: [0.0; BINS],
            beyond: 0.0,
            total: 0.0,
            least: None,
            least_before: None,
            in_window: 0,
            target_us: 0,
        };
        delays.enter(EXPECTED_US);
        delays
    }

    /// Another clock: transits are of no use any more. What was learned of the network stays.
    pub(crate) fn forget_clock(&mut self) {
        (self.least, self.least_before, self.in_window) = (None, None, 0);
    }

    /// The transit of the fastest packet lately.
    pub(crate) fn base_us(&self) -> Option<i64> {
        match (self.least, self.least_before) {
            (Some(now), Some(before)) => Some(now.min(before)),
            (now, before) => now.or(before),
        }
    }

    /// Takes a packet's transit.
    pub(crate) fn note(&mut self, transit_us: i64) {
        let base = self.base_us();
        self.least = Some(self.least.map_or(transit_us, |least| least.min(transit_us)));
        self.in_window += 1;
        if self.in_window >= WINDOW {
            (self.least_before, self.least, self.in_window) = (self.least, None, 0);
        }
        let Some(new) = self.base_us() else { return };
        if let Some(risen) = base.map(|old| new - old).filter(|risen| *risen > 0) {
            self.lower(risen);
        }
        self.enter(transit_us - new);
    }

    /// Takes the time beyond the fastest packet's at which a lost frame could be had again from a later packet.
    pub(crate) fn note_recovery(&mut self, transit_us: i64) {
        if let Some(base) = self.base_us() {
            self.enter(transit_us - base);
        }
    }

    /// The waiting time beyond the fastest packet at which delay and loss together cost least, in µs.
    pub(crate) fn target_us(&self) -> i64 {
        self.target_us
    }

    fn enter(&mut self, delay_us: i64) {
        let kept = 1.0 - 1.0 / MEMORY.min(self.total + 1.0).max(2.0);
        if self.total + 1.0 >= MEMORY {
            self.weights.iter_mut().for_each(|weight| *weight *= kept);
            self.beyond *= kept;
            self.total *= kept;
        }
        let at = usize::try_from(delay_us.max(0) / BIN_US).unwrap_or(BINS);
        match self.weights.get_mut(at) {
            Some(weight) => *weight += 1.0,
            None => self.beyond += 1.0,
        }
        self.total += 1.0;
        self.target_us = self.cheapest();
    }

    /// The fastest packet is so much slower than before: everything is that much nearer to it.
    fn lower(&mut self, by_us: i64) {
        let bins = usize::try_from(by_us / BIN_US).unwrap_or(BINS).min(BINS);
        if bins == 0 {
            return;
        }
        let merged: f32 = self.weights[..bins].iter().sum();
        self.weights.copy_within(bins.., 0);
        self.weights[BINS - bins..].fill(0.0);
        self.weights[0] += merged;
    }

    fn cheapest(&self) -> i64 {
        let (mut best, mut least) = (0, f32::MAX);
        let (mut at, mut later) = (0, self.total);
        while at < BINS {
            later -= self.weights[at];
            let wait = (at as i64 + 1) * BIN_US;
            let cost = wait as f32 + PRICE_US * later / self.total;
            if cost < least {
                (best, least) = (wait, cost);
            }
            at += 1;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(transits: impl Iterator<Item = i64>) -> Delays {
        let mut delays = Delays::new();
        transits.for_each(|transit| delays.note(transit));
        delays
    }

    #[test]
    fn an_even_network_needs_next_to_no_waiting_once_it_is_known() {
        assert!(learned((0..20).map(|_| -5_000_000)).target_us() >= 30_000, "unknown: with care");
        assert_eq!(learned((0..600).map(|n| -5_000_000 + n % 2_000)).target_us(), BIN_US);
    }

    #[test]
    fn even_jitter_is_waited_out_and_a_rare_straggler_is_not() {
        let jitter = |n: i64| (n * 7_919) % 60_000;
        let target = learned((0..1_000).map(jitter)).target_us();
        assert!((58_000..=62_000).contains(&target), "{target}");
        let stragglers = learned((0..1_000).map(|n| if n % 250 == 0 { 200_000 } else { n % 1_000 }));
        assert!(stragglers.target_us() < 10_000, "{}", stragglers.target_us());
        let every_tenth = learned((0..1_000).map(|n| if n % 10 == 0 { 100_000 } else { n % 1_000 }));
        assert!(every_tenth.target_us() >= 100_000, "{}", every_tenth.target_us());
    }

    #[test]
    fn jitter_that_is_over_is_forgotten() {
        let mut delays = learned((0..1_000).map(|n| (n * 7_919) % 60_000));
        (0..2_000).for_each(|n| delays.note(n % 1_000));
        assert!(delays.target_us() < 30_000, "{}", delays.target_us());
        (0..2_000).for_each(|n| delays.note(n % 1_000));
        assert!(delays.target_us() <= 2 * BIN_US, "{}", delays.target_us());
    }

    #[test]
    fn a_longer_way_raises_the_base_and_not_the_waiting() {
        let mut delays = learned((0..600).map(|n| n % 1_000));
        (0..1_200).for_each(|n| delays.note(80_000 + n % 1_000));
        assert_eq!(delays.base_us(), Some(80_000));
        assert!(delays.target_us() <= 2 * BIN_US, "{}", delays.target_us());
    }

    #[test]
    fn a_clock_that_runs_otherwise_moves_the_base_along() {
        for ppm in [-300_i64, 300] {
            let mut delays = Delays::new();
            for n in 0..180_000_i64 {
                delays.note(n * 20_000 * ppm / 1_000_000);
            }
            let last = 180_000 * 20_000 * ppm / 1_000_000;
            assert!((delays.base_us().unwrap() - last).abs() < 3_500, "{:?}", delays.base_us());
            assert!(delays.target_us() <= 3 * BIN_US, "{}", delays.target_us());
        }
    }
}
