//! Jitter buffer and pace together, against generated arrivals and clocks that drift, without sound: what delay and how
//! much made-up sound come of it. The figures in the table may only get better.

use super::jitter::{JitterBuffer, MADE_UP_MS, Next};
use super::pace::{Change, Pace};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::time::Duration;

const PACKET_US: i64 = 20_000;
const SLICE_US: i64 = 5_000;
const CLOCK: u32 = 8_000;
const TICKS: u32 = 160;

/// A receiver that hears a voice without pauses, whose period is always 5 ms.
struct Receiver {
    buffer: JitterBuffer,
    pace: Pace,
    ahead_us: f64,
    made_up_us: i64,
    recovered: u32,
    changes: u32,
    delay_sum_us: f64,
    delay_most_us: f64,
}

impl Receiver {
    fn new(reach_ms: i64) -> Self {
        let mut buffer = JitterBuffer::new(CLOCK);
        buffer.set_reach(reach_ms);
        Self {
            buffer,
            pace: Pace::default(),
            ahead_us: 0.0,
            made_up_us: 0,
            recovered: 0,
            changes: 0,
            delay_sum_us: 0.0,
            delay_most_us: 0.0,
        }
    }

    fn arrive(&mut self, at_us: i64, number: i64) {
        let timestamp = (number as u32).wrapping_mul(TICKS);
        self.buffer.insert(time(at_us), number as u16, timestamp, TICKS, &[0]);
    }

    fn fill(&mut self, now: Duration, reach_ms: i64) {
        match self.buffer.next(now) {
            Next::Packet(at) => self.buffer.free(at),
            Next::Begin => {
                self.pace.begin_anew();
                self.ahead_us += 3_000.0;
                return;
            }
            Next::Lost { ticks, .. } => {
                let brought = ticks <= reach_ms * 8;
                self.recovered += u32::from(brought);
                let filled = ticks.min(i64::from(TICKS));
                self.made_up_us += if brought { 0 } else { filled * 125 };
                self.buffer.fill(filled, true);
                self.ahead_us += (filled * 125) as f64;
                return;
            }
            Next::Pause { ticks } => self.buffer.fill(ticks, false),
            Next::Empty { begun } => {
                self.made_up_us += if begun { MADE_UP_MS * 1_000 } else { 0 };
                self.ahead_us += (MADE_UP_MS * 1_000) as f64;
                return;
            }
        }
        self.ahead_us += PACKET_US as f64;
    }

    fn slice(&mut self, at_us: i64, reach_ms: i64) {
        let now = time(at_us);
        let delay = self.buffer.delay_us(now);
        let change = delay.map_or(Change::Bend(0.0), |delay| {
            let played = delay as f64 + self.ahead_us;
            self.delay_sum_us += played;
            self.delay_most_us = self.delay_most_us.max(played);
            self.pace.look(delay, self.buffer.target_us(), self.ahead_us as i64)
        });
        while self.ahead_us < SLICE_US as f64 {
            self.fill(now, reach_ms);
        }
        let mut ppm = self.pace.drift_ppm();
        match change {
            Change::Bend(bend) => ppm = bend,
            _ if self.ahead_us < PACKET_US as f64 => {}
            Change::Shorten(_, super::stretch::Where::Pause)
            | Change::Lengthen(_, super::stretch::Where::Pause) => {}
            Change::Shorten(by_us, _) => {
                while self.ahead_us < (PACKET_US + 15_000) as f64 && self.buffer.has_next() {
                    self.fill(now, reach_ms);
                }
                let by = by_us.min(5_000).min(self.ahead_us as i64 - SLICE_US);
                if by >= 2_500 {
                    self.change(-by);
                }
            }
            Change::Lengthen(by_us, _) => self.change(by_us.clamp(2_500, 5_000)),
        }
        if ppm > 0.0 && self.ahead_us < (SLICE_US + 80) as f64 {
            if self.buffer.has_next() { self.fill(now, reach_ms) } else { ppm = 0.0 }
        }
        self.ahead_us -= SLICE_US as f64 * (1.0 + ppm * 1e-6);
    }

    fn change(&mut self, by_us: i64) {
        self.ahead_us += by_us as f64;
        self.pace.changed(by_us);
        self.changes += 1;
    }
}

fn time(us: i64) -> Duration {
    Duration::from_micros(us.unsigned_abs())
}

/// Plays `seconds` of packets that `arrival` brings (`None`: lost) on a sender's clock off by `ppm`. What happened in
/// the first five seconds isn't counted: the network is unknown.
fn play(seconds: i64, ppm: f64, reach_ms: i64, mut arrival: impl FnMut(i64) -> Option<i64>) -> Receiver {
    let mut receiver = Receiver::new(reach_ms);
    let mut on_the_way: Vec<(i64, i64)> = Vec::new();
    let mut sent = 0;
    for slice in 0..seconds * 200 {
        let now = slice * SLICE_US + 2_000;
        while (sent as f64 * PACKET_US as f64 / (1.0 + ppm * 1e-6)) as i64 <= now {
            let at = (sent as f64 * PACKET_US as f64 / (1.0 + ppm * 1e-6)) as i64;
            on_the_way.extend(arrival(sent).map(|delay| (at + delay, sent)));
            sent += 1;
        }
        on_the_way.sort_unstable();
        while let Some((at, number)) = on_the_way.first().copied().filter(|(at, _)| *at <= now) {
            on_the_way.remove(0);
            receiver.arrive(at, number);
        }
        receiver.slice(now, reach_ms);
        if slice == 1_000 {
            (receiver.made_up_us, receiver.recovered, receiver.changes) = (0, 0, 0);
            (receiver.delay_sum_us, receiver.delay_most_us) = (0.0, 0.0);
        }
    }
    receiver
}

#[test]
fn a_clock_that_drifts_for_an_hour_costs_no_frame_and_no_delay() {
    for ppm in [-300.0, 300.0] {
        let receiver = play(3_600, ppm, 0, |_| Some(0));
        assert_eq!(receiver.made_up_us, 0, "{ppm} ppm");
        assert!(receiver.delay_most_us <= 42_000.0, "{ppm} ppm: {} µs", receiver.delay_most_us);
        // Until the clock is known, a period once in a while, in a voice without pauses.
        assert!(receiver.changes <= 50, "{ppm} ppm: {}", receiver.changes);
    }
}

#[test]
fn delay_and_made_up_sound_are_no_more_than_they_were() {
    type Arrival = fn(&mut SmallRng, i64) -> Option<i64>;
    fn even(random: &mut SmallRng, most_ms: i64) -> i64 {
        random.random_range(0..most_ms * 1_000)
    }
    // What arrives when, what can be brought back by the next packet, the most delay on average in ms, the most frames
    // made up in a thousand.
    let traces: [(&str, i64, Arrival, f64, f64); 7] = [
        ("a cable", 0, |random, _| Some(even(random, 1)), 8.5, 0.0),
        ("20 ms of jitter", 0, |random, _| Some(even(random, 20)), 26.5, 0.0),
        ("60 ms of jitter", 0, |random, _| Some(even(random, 60)), 66.5, 0.0),
        (
            "a radio that stalls for 120 ms each second",
            0,
            |random, n| {
                let stalled = 6 - n % 50;
                Some(if stalled > 0 { stalled * PACKET_US } else { 0 } + even(random, 3))
            },
            130.0,
            0.0,
        ),
        (
            "a spike of 200 ms each half minute",
            0,
            |random, n| Some(if n % 1_500 == 0 { 200_000 } else { 0 } + even(random, 3)),
            10.0,
            0.7,
        ),
        (
            "10 % lost, brought back",
            20,
            |random, _| (random.random_range(0..10) > 0).then(|| even(random, 3)),
            30.5,
            10.2,
        ),
        (
            "10 % lost, gone",
            0,
            |random, _| (random.random_range(0..10) > 0).then(|| even(random, 3)),
            9.5,
            98.8,
        ),
    ];
    let mut worse = Vec::new();
    for (name, reach_ms, arrival, delay_ms, made_up) in traces {
        let mut random = SmallRng::seed_from_u64(1);
        let receiver = play(125, 0.0, reach_ms, |n| arrival(&mut random, n));
        let is = (receiver.delay_sum_us / 24e6, receiver.made_up_us as f64 / 20_000.0 / 6.0);
        if is.0 > delay_ms || is.1 > made_up {
            worse.push(format!("{name}: {:.1} ms and {:.1} ‰, {} changes", is.0, is.1, receiver.changes));
        }
    }
    assert!(worse.is_empty(), "{worse:#?}");
}
