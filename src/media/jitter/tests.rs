//! Arrivals and ticks by the millisecond, and what is played.

use super::*;

const CLOCK: u32 = 8_000;
const TICKS: u32 = 160;

struct Play {
    buffer: JitterBuffer,
    heard: Vec<String>,
}

impl Play {
    /// A buffer that knows the network as an even one.
    fn new() -> Self {
        let mut buffer = JitterBuffer::new(CLOCK);
        (0..600).for_each(|_| buffer.delays.note(0));
        buffer.delays.forget_clock();
        Self { buffer, heard: Vec::new() }
    }

    fn arrive(&mut self, at_ms: u64, number: u16) -> Arrival {
        let timestamp = u32::from(number).wrapping_mul(TICKS);
        let payload = number.to_be_bytes();
        self.buffer.insert(Duration::from_millis(at_ms), number, timestamp, TICKS, &payload)
    }

    fn tick(&mut self, at_ms: u64) {
        let frame = i64::from(TICKS);
        let said = match self.buffer.next(Duration::from_millis(at_ms)) {
            Next::Begin => return self.tick(at_ms),
            Next::Packet(at) => {
                let bytes = self.buffer.payload(at);
                let number = u16::from_be_bytes([bytes[0], bytes[1]]);
                self.buffer.free(at);
                number.to_string()
            }
            Next::Lost { ticks, .. } => {
                self.buffer.fill(ticks.min(frame), true);
                "lost".to_owned()
            }
            Next::Pause { ticks } => {
                self.buffer.fill(ticks.min(frame), false);
                "pause".to_owned()
            }
            Next::Empty { begun } => {
                // Half a frame is made up; when that has been heard, the other half.
                let half = Duration::from_millis(at_ms + MADE_UP_MS as u64);
                assert!(!begun || matches!(self.buffer.next(half), Next::Empty { .. }));
                "-".to_owned()
            }
        };
        self.heard.push(said);
    }

    fn heard(&self) -> String {
        self.heard.join(" ")
    }
}

#[test]
fn packets_in_time_play_in_order_and_at_once() {
    let mut play = Play::new();
    for n in 0..5_u16 {
        play.arrive(u64::from(n) * 20, n);
        play.tick(u64::from(n) * 20 + 5);
    }
    assert_eq!(play.heard(), "0 1 2 3 4");
}

#[test]
fn reordered_and_doubled_packets_play_once_and_in_order() {
    let mut play = Play::new();
    play.arrive(0, 10);
    play.arrive(1, 12);
    assert_eq!(play.arrive(2, 11), Arrival::Stored { reordered: true });
    assert_eq!(play.arrive(3, 11), Arrival::Duplicate);
    for tick in 1..4 {
        play.tick(tick * 20);
    }
    assert_eq!(play.heard(), "10 11 12");
    assert_eq!(play.buffer.lost(), 0);
}

#[test]
fn a_lost_packet_costs_one_frame_and_no_delay() {
    let mut play = Play::new();
    for n in 0..6_u16 {
        if n != 2 {
            play.arrive(u64::from(n) * 20, n);
        }
        play.tick(u64::from(n) * 20 + 19);
    }
    // At 2's time 3 is not there yet: a frame is made up, and 3 then plays in its own time.
    assert_eq!(play.heard(), "0 1 - 3 4 5");
    assert_eq!(play.buffer.lost(), 1);
}

#[test]
fn a_late_packet_is_waited_for_and_the_delay_stays() {
    let mut play = Play::new();
    play.arrive(0, 0);
    play.arrive(20, 1);
    for tick in 1..5 {
        play.tick(tick * 20);
    }
    play.arrive(90, 2);
    play.arrive(91, 3);
    play.arrive(92, 4);
    for tick in 5..8 {
        play.tick(tick * 20);
    }
    assert_eq!(play.heard(), "0 1 - - 2 3 4");
}

#[test]
fn too_late_is_counted_and_thrown_away() {
    let mut play = Play::new();
    play.arrive(0, 0);
    play.arrive(1, 2);
    play.arrive(2, 3);
    for tick in 1..4 {
        play.tick(tick * 20);
    }
    assert_eq!(play.heard(), "0 lost 2");
    assert_eq!(play.arrive(61, 1), Arrival::Late);
    assert_eq!(play.buffer.lost(), 0, "it did come");
}

#[test]
fn numbers_and_timestamps_wrap_unnoticed() {
    let mut play = Play::new();
    let mut heard = 0;
    for n in 0..70_100_u64 {
        // Timestamps that wrap on the way, too.
        let timestamp = (n as u32).wrapping_mul(TICKS).wrapping_sub(1_000_000);
        play.buffer.insert(Duration::from_millis(n * 20), n as u16, timestamp, TICKS, &[0, 0]);
        play.tick(n * 20 + 19);
        heard += usize::from(play.heard.pop().is_some_and(|said| said == "0"));
    }
    assert!(heard >= 70_000);
    assert_eq!(play.buffer.lost(), 0);
}

#[test]
fn a_jump_in_time_or_number_begins_anew_at_once() {
    let mut play = Play::new();
    for n in 0..3 {
        play.arrive(u64::from(n) * 20, n);
        play.tick(u64::from(n) * 20 + 19);
    }
    assert_eq!(play.arrive(60, 30_000), Arrival::Restarted);
    play.tick(79);
    play.arrive(80, 30_001);
    play.tick(99);
    assert_eq!(play.heard(), "0 1 2 30000 30001");
    assert_eq!(play.buffer.lost(), 0);
    let back = play.buffer.insert(Duration::from_millis(120), 30_002, 5, TICKS, &[0, 7]);
    assert_eq!(back, Arrival::Restarted);
}

#[test]
fn silence_suppression_is_a_pause_and_no_loss() {
    let mut play = Play::new();
    play.arrive(0, 0);
    play.tick(20);
    // Number 1 is spoken 100 ms later, and comes in time.
    play.buffer.insert(Duration::from_millis(25), 1, 6 * TICKS, TICKS, &[0, 1]);
    for tick in 2..8 {
        play.tick(tick * 20);
    }
    assert_eq!(play.heard(), "0 pause pause pause pause pause 1");
    assert_eq!(play.buffer.lost(), 0);
}

#[test]
fn a_burst_after_a_freeze_is_bounded_and_old_sound_gives_way() {
    let mut play = Play::new();
    for n in 0..100 {
        play.arrive(0, n);
    }
    assert!(play.buffer.waiting_ms() <= MAX_WAIT_MS as f32);
    play.tick(20);
    assert_eq!(play.heard(), "80");
}

#[test]
fn delay_that_is_not_needed_is_found() {
    let mut play = Play::new();
    // The first 10 packets come 80 ms later than those that follow.
    let mut arrivals: Vec<(u64, u16)> =
        (0..300_u16).map(|n| (u64::from(n) * 20 + if n < 10 { 80 } else { 0 }, n)).collect();
    arrivals.sort_unstable();
    let mut arrivals = arrivals.into_iter().peekable();
    for tick in 1..300 {
        while let Some((at, n)) = arrivals.next_if(|(at, _)| *at < tick * 20) {
            play.arrive(at, n);
        }
        play.tick(tick * 20);
    }
    play.arrive(6_000, 300);
    let delay = play.buffer.delay_us(Duration::from_millis(6_000)).unwrap();
    assert!(delay - play.buffer.target_us() > 60_000, "{delay}, and {} would do", play.buffer.target_us());
}

#[test]
fn an_unknown_network_is_met_with_care() {
    let mut play = Play { buffer: JitterBuffer::new(CLOCK), heard: Vec::new() };
    for n in 0..5_u16 {
        play.arrive(u64::from(n) * 20, n);
        play.tick(u64::from(n) * 20 + 5);
    }
    assert_eq!(play.heard(), "- - 0 1 2");
}

#[test]
fn what_the_next_packet_brings_back_is_waited_for_where_it_does() {
    for (reach_ms, least, most) in [(0, 0, 4_000), (20, 20_000, 24_000)] {
        let mut play = Play::new();
        play.buffer.set_reach(reach_ms);
        for n in 0..600_u16 {
            if n % 10 != 9 {
                play.arrive(u64::from(n) * 20, n);
            }
            play.tick(u64::from(n) * 20 + 5);
        }
        let target = play.buffer.target_us();
        assert!((least..=most).contains(&target), "reach {reach_ms} ms: {target}");
    }
}

#[test]
fn any_storm_of_numbers_is_bounded_and_never_panics() {
    use rand::{Rng, SeedableRng, rngs::SmallRng};
    for seed in 0..20 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut buffer = JitterBuffer::new(48_000);
        for round in 0..20_000_u64 {
            let now = Duration::from_millis(round);
            let (a, b) = (random.next_u32(), random.next_u32());
            let sequence = if a % 3 == 0 { a as u16 } else { round as u16 };
            let ticks = [0, 1, 960, 5_760, u32::MAX][b as usize % 5];
            buffer.insert(now, sequence, b.wrapping_mul(a % 2), ticks, &[1, 2, 3]);
            if round % 20 == 0
                && let Next::Packet(at) = buffer.next(now)
            {
                buffer.free(at);
            }
            assert!(buffer.slots.iter().filter(|slot| slot.used).count() <= SLOTS);
        }
    }
}
