//! Two streams that talk to each other over a network of our choosing.

mod covered;
mod terms;

use super::*;
use crate::media::level::{level_dbfs, tone_level_dbfs};
use crate::media::tone::Sine;
use crate::media::{FRAME_TIME, SLICE_TIME, SLICES};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::f32::consts::TAU;

const A: &str = "192.0.2.1:4000";
const B: &str = "192.0.2.2:4000";
const CODECS: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

fn pair(codec: Codec) -> (Stream, Stream) {
    let mut a = Stream::new(StreamConfig::new(B.parse().unwrap(), codec), 1);
    let mut b = Stream::new(StreamConfig::new(A.parse().unwrap(), codec), 2);
    a.gate.listen_from(Duration::ZERO);
    b.gate.listen_from(Duration::ZERO);
    (a, b)
}

/// A network with loss, jitter, reordering and duplicates, always the same for a seed.
struct Network {
    random: SmallRng,
    loss_percent: u32,
    jitter_ms: u64,
    duplicate_percent: u32,
    on_the_way: Vec<(Duration, Vec<u8>)>,
}

impl Network {
    fn new(seed: u64, loss_percent: u32, jitter_ms: u64) -> Self {
        let random = SmallRng::seed_from_u64(seed);
        Self { random, loss_percent, jitter_ms, duplicate_percent: 2, on_the_way: Vec::new() }
    }

    fn send(&mut self, now: Duration, packet: &[u8]) {
        if packet.is_empty() || self.random.next_u32() % 100 < self.loss_percent {
            return;
        }
        let copies = 1 + usize::from(self.random.next_u32() % 100 < self.duplicate_percent);
        for _ in 0..copies {
            let wait_ms =
                if self.jitter_ms == 0 { 0 } else { u64::from(self.random.next_u32()) % self.jitter_ms };
            self.on_the_way.push((now + Duration::from_millis(5 + wait_ms), packet.to_vec()));
        }
    }

    /// Brings what arrives in the 20 ms from `start` on, and hears them.
    fn hear(&mut self, stream: &mut Stream, start: Duration, frame: &mut [i16; FRAME]) {
        for (at, slice) in slices(start) {
            for (arrived, packet) in self.arrived(at) {
                stream.receive(arrived, A.parse().unwrap(), &packet);
            }
            stream.pull(at, slice_of(frame, slice));
        }
    }

    fn arrived(&mut self, now: Duration) -> Vec<(Duration, Vec<u8>)> {
        let (mut here, away): (Vec<_>, Vec<_>) = self.on_the_way.drain(..).partition(|(at, _)| *at <= now);
        self.on_the_way = away;
        here.sort_by_key(|(at, _)| *at);
        here
    }
}

/// The level of 400 Hz, by half seconds: over longer ones a bent rate is another frequency.
fn tone_left(heard: &[i16]) -> f32 {
    let halves = heard.chunks_exact(24_000).map(|half| tone_level_dbfs(half, 48_000, 400.0));
    let count = halves.len() as f32;
    halves.sum::<f32>() / count
}

fn tick(n: u64) -> Duration {
    FRAME_TIME * n as u32
}

/// When the slices of 20 ms from `start` on are heard.
fn slices(start: Duration) -> impl Iterator<Item = (Duration, usize)> {
    (0..SLICES).map(move |slice| (start + Duration::from_millis(4) + SLICE_TIME * slice as u32, slice))
}

fn slice_of(frame: &mut [i16; FRAME], slice: usize) -> &mut [i16; SLICE] {
    frame.as_chunks_mut().0.get_mut(slice).unwrap()
}

/// Hears 20 ms.
fn hear(stream: &mut Stream, start: Duration, frame: &mut [i16; FRAME]) {
    slices(start).for_each(|(at, slice)| stream.pull(at, slice_of(frame, slice)));
}

/// Sends a 400 Hz tone for `frames` and returns what is heard.
fn hear_through(codec: Codec, network: &mut Network, frames: u64) -> (Vec<i16>, StreamFigures) {
    let (mut a, mut b) = pair(codec);
    let mut sine = Sine::new(400, -15.0);
    let (mut frame, mut packet) = ([0; FRAME], [0; 1_472]);
    let mut heard = Vec::new();
    for n in 0..frames {
        sine.fill(&mut frame);
        let length = a.push(tick(n), &frame, &mut packet);
        network.send(tick(n), &packet[..length]);
        network.hear(&mut b, tick(n), &mut frame);
        heard.extend(frame);
    }
    (heard, b.figures())
}

#[test]
fn a_tone_is_heard_as_it_was_sent() {
    for codec in CODECS {
        let mut network = Network::new(1, 0, 0);
        network.duplicate_percent = 0;
        let (heard, figures) = hear_through(codec, &mut network, 150);
        let level = tone_level_dbfs(&heard[10 * FRAME..], 48_000, 400.0);
        assert!((level - -15.0).abs() < 1.0, "{codec:?}: {level} dB");
        assert_eq!(
            (figures.packets, figures.lost, figures.late, figures.concealed),
            (150, 0, 0, 0),
            "{codec:?}"
        );
        assert_eq!(figures.tone_hz, Some(400), "{codec:?}");
        assert!(figures.buffer_ms <= 52.0, "{codec:?} {figures:?}");
    }
}

#[test]
fn loss_jitter_reordering_and_duplicates_leave_the_tone_whole() {
    for codec in CODECS {
        for seed in 0..5 {
            let (heard, figures) = hear_through(codec, &mut Network::new(seed, 5, 45), 500);
            let heard = &heard[25 * FRAME..];
            let level = tone_left(heard);
            assert!((level_dbfs(heard) - -15.0).abs() < 1.5, "{codec:?} seed {seed}: {}", level_dbfs(heard));
            assert!(level > -18.0, "{codec:?} seed {seed}: {level} dB of the tone are left");
            assert!(figures.buffer_ms < 120.0, "{codec:?} seed {seed}: {} ms wait", figures.buffer_ms);
            assert!(figures.late < 25, "{codec:?} seed {seed}: {figures:?}");
            assert!(figures.reordered > 20 && figures.duplicates > 0);
            assert!(figures.jitter_ms > 5.0 && figures.jitter_ms < 30.0, "{}", figures.jitter_ms);
        }
    }
}

/// Something that an encoder takes for speech: a voice of 130 Hz with its harmonics, in syllables.
fn voice(n: u64, frame: &mut [i16; FRAME]) {
    for (at, sample) in frame.iter_mut().enumerate() {
        let t = (n as usize * FRAME + at) as f32 / 48_000.0;
        let pitch = 130.0 + 15.0 * (TAU * 0.7 * t).sin();
        let syllable = (TAU * 2.0 * t).sin().abs().sqrt();
        let sum: f32 = (1..25).map(|k| (TAU * pitch * k as f32 * t).sin() / k as f32).sum();
        *sample = (5_000.0 * syllable * sum) as i16;
    }
}

#[test]
fn forward_error_correction_brings_most_lost_frames_back() {
    let (mut a, mut b) = pair(Codec::Opus);
    a.outbound.encoder.set_loss(10.0, false);
    let mut network = Network::new(3, 10, 0);
    let (mut frame, mut packet) = ([0; FRAME], [0; 1_472]);
    for n in 0..1_000 {
        voice(n, &mut frame);
        let length = a.push(tick(n), &frame, &mut packet);
        network.send(tick(n), &packet[..length]);
        network.hear(&mut b, tick(n), &mut frame);
    }
    let figures = b.figures();
    assert!(figures.lost > 60, "{figures:?}");
    // The first of two in a row can't be had back.
    assert!(figures.recovered * 10 > figures.lost * 6, "{figures:?}");
}

#[test]
fn packets_sent_again_beside_new_ones_fill_the_gaps_whole() {
    for codec in CODECS {
        let (mut a, mut b) = pair(codec);
        for stream in [&mut a, &mut b] {
            let red = Some(120);
            let config =
                StreamConfig { red_payload_type: red, red_receive_payload_type: red, ..*stream.config() };
            stream.reconfigure(Duration::ZERO, config);
        }
        a.outbound.plan = red::plan(10.0, 1.0);
        let mut network = Network::new(3, 10, 0);
        let (mut sine, mut frame, mut packet) = (Sine::new(400, -15.0), [0; FRAME], [0; 1_472]);
        let mut heard = Vec::new();
        for n in 0..500 {
            sine.fill(&mut frame);
            let length = a.push(tick(n), &frame, &mut packet);
            network.send(tick(n), &packet[..length]);
            network.hear(&mut b, tick(n), &mut frame);
            heard.extend(frame);
        }
        let figures = b.figures();
        assert!(figures.lost > 30, "{codec:?}: what was lost counts as lost: {figures:?}");
        assert!(figures.recovered * 100 >= figures.lost * 90, "{codec:?}: {figures:?}");
        let level = tone_left(&heard[50 * FRAME..]);
        assert!((level - -15.0).abs() < 1.0, "{codec:?}: {level} dB");
    }
}

#[test]
fn a_senders_clock_that_runs_otherwise_is_followed_without_a_gap() {
    for ppm in [-300_i64, 300] {
        let (mut a, mut b) = pair(Codec::Pcmu);
        let (mut sine, mut frame, mut packet) = (Sine::new(400, -15.0), [0; FRAME], [0; 1_472]);
        let mut sent = 0_u64;
        for n in 0..4_000 {
            for (at, slice) in slices(tick(n)) {
                while sent * 20_000 * 1_000_000 <= at.as_micros() as u64 * (1_000_000 + ppm).unsigned_abs() {
                    sine.fill(&mut frame);
                    let length = a.push(tick(sent), &frame, &mut packet);
                    b.receive(at, A.parse().unwrap(), &packet[..length]);
                    sent += 1;
                }
                b.pull(at, slice_of(&mut frame, slice));
            }
        }
        let figures = b.figures();
        assert_eq!((figures.concealed, figures.late, figures.lost), (0, 0, 0), "{ppm} ppm: {figures:?}");
        assert!(figures.buffer_ms <= 45.0 && figures.stretched < 24, "{ppm} ppm: {figures:?}");
    }
}

#[test]
fn delay_grows_with_jitter_and_shrinks_when_it_is_over() {
    for codec in CODECS {
        let (mut a, mut b) = pair(codec);
        let mut sine = Sine::new(200, -15.0);
        let mut network = Network::new(5, 0, 100);
        network.duplicate_percent = 0;
        let (mut frame, mut packet) = ([0; FRAME], [0; 1_472]);
        let mut shaken = 0.0_f32;
        for n in 0..2_500 {
            if n == 250 {
                network.jitter_ms = 0;
            }
            sine.fill(&mut frame);
            let length = a.push(tick(n), &frame, &mut packet);
            network.send(tick(n), &packet[..length]);
            if n < 250 {
                shaken = shaken.max(b.figures().buffer_ms);
            }
            network.hear(&mut b, tick(n), &mut frame);
        }
        let figures = b.figures();
        assert!(shaken >= 60.0, "{codec:?}: {shaken}");
        assert!(figures.buffer_ms <= 40.0, "{codec:?}: {} ms still wait", figures.buffer_ms);
        assert_eq!(figures.lost, 0);
    }
}

#[test]
fn packets_of_other_lengths_play_whole() {
    for frames_in_packet in [1_usize, 3, 4, 6] {
        let (_, mut b) = pair(Codec::Pcmu);
        let payload: Vec<u8> =
            (0..80 * frames_in_packet).map(|at| if at / 4 % 2 == 0 { 0x90 } else { 0x10 }).collect();
        let mut packet = [0; 1_472];
        let (mut frame, mut loud) = ([0; FRAME], 0);
        let (mut sent_ticks, mut sequence) = (0_usize, 0_u16);
        for n in 0..200_usize {
            while sent_ticks <= n * 160 {
                let head = Packet {
                    marker: false,
                    payload_type: 0,
                    sequence,
                    timestamp: sent_ticks as u32,
                    ssrc: 5,
                    payload: &payload,
                };
                let length = rtp::write(&mut packet, &head);
                b.receive(tick(n as u64), A.parse().unwrap(), &packet[..length]);
                sent_ticks += payload.len();
                sequence += 1;
            }
            hear(&mut b, tick(n as u64), &mut frame);
            loud += usize::from(level_dbfs(&frame) > -30.0);
        }
        assert!(loud >= 190, "{} ms: {loud} of 200 frames sound", 10 * frames_in_packet);
        assert!(b.figures().concealed <= 3, "{} ms: {:?}", 10 * frames_in_packet, b.figures());
    }
}

#[test]
fn keys_go_through_once_each_and_sound_follows_them() {
    for codec in CODECS {
        let (mut a, mut b) = pair(codec);
        let mut network = Network::new(9, 10, 30);
        let frame = [0; FRAME];
        let mut packet = [0; 1_472];
        let mut heard = String::new();
        for key in "12*#AD99".chars() {
            assert!(a.send_digit(key, 100));
        }
        for n in 0..200 {
            let length = a.push(tick(n), &frame, &mut packet);
            network.send(tick(n), &packet[..length]);
            for (at, packet) in network.arrived(tick(n)) {
                heard.extend(b.receive(at, A.parse().unwrap(), &packet));
            }
        }
        assert_eq!(heard, "12*#AD99", "{codec:?}");
        assert!(!a.is_dialling());
    }
}

#[test]
fn a_key_is_not_counted_as_loss_and_timestamps_stay_in_step() {
    let (mut a, mut b) = pair(Codec::Pcmu);
    let frame = [0; FRAME];
    let mut packet = [0; 1_472];
    a.send_digit('7', 100);
    let mut timestamps = Vec::new();
    for n in 0..20 {
        let length = a.push(tick(n), &frame, &mut packet);
        let read = rtp::read(&packet[..length]).unwrap();
        timestamps.push((read.payload_type, read.timestamp, read.marker));
        b.receive(tick(n), A.parse().unwrap(), &packet[..length]);
    }
    let first = timestamps[0].1;
    assert_eq!(timestamps[0], (101, first, true));
    assert!(timestamps[1..7].iter().all(|t| *t == (101, first, false)));
    assert_eq!(timestamps[7], (0, first.wrapping_add(7 * 160), true));
    assert_eq!(timestamps[8], (0, first.wrapping_add(8 * 160), false));
    assert_eq!(b.figures().lost, 0);
}

#[test]
fn nothing_goes_out_or_in_that_was_not_agreed() {
    let (mut a, mut b) = pair(Codec::Pcmu);
    let mut packet = [0; 1_472];
    let length = a.push(tick(0), &[0; FRAME], &mut packet);
    b.receive(tick(0), A.parse().unwrap(), &packet[..10]);
    packet[1] = 8;
    b.receive(tick(0), A.parse().unwrap(), &packet[..length]);
    packet[1] = 0;
    b.receive(tick(0), "203.0.113.9:9".parse().unwrap(), &packet[..length]);
    assert_eq!((b.figures().packets, b.figures().refused), (0, 3));
    let held = StreamConfig { send: false, receive: false, ..*b.config() };
    b.reconfigure(tick(1), held);
    b.receive(tick(1), A.parse().unwrap(), &packet[..length]);
    assert_eq!(b.figures().packets, 0);
    assert_eq!(b.push(tick(1), &[0; FRAME], &mut packet), 0);
    assert!(!Stream::new(StreamConfig { dtmf_payload_type: None, ..held }, 1).send_digit('1', 100));
}

#[test]
fn a_new_ssrc_and_a_new_codec_play_at_once() {
    let (_, mut b) = pair(Codec::Pcmu);
    let mut sine = Sine::new(400, -15.0);
    let (mut frame, mut packet) = ([0; FRAME], [0; 1_472]);
    let mut n = 0;
    for (seed, codec) in [(1, Codec::Pcmu), (7, Codec::Pcmu), (8, Codec::Opus), (9, Codec::Pcma)] {
        let mut a = Stream::new(StreamConfig::new(B.parse().unwrap(), codec), seed);
        b.reconfigure(tick(n), StreamConfig::new(A.parse().unwrap(), codec));
        let mut quiet = 0;
        for _ in 0..50 {
            sine.fill(&mut frame);
            let length = a.push(tick(n), &frame, &mut packet);
            b.receive(tick(n), A.parse().unwrap(), &packet[..length]);
            hear(&mut b, tick(n), &mut frame);
            quiet += usize::from(level_dbfs(&frame) < -40.0);
            n += 1;
        }
        assert!(quiet <= 2, "{codec:?}: {quiet} quiet frames");
    }
    assert_eq!(b.figures().lost, 0);
}

#[test]
fn a_forwarded_stream_keeps_its_gaps_and_follows_our_own_sound() {
    let (mut caller, mut lot_in) = pair(Codec::Pcmu);
    let (mut lot_out, mut phone) = pair(Codec::Pcmu);
    let (mut frame, mut packet, mut onward) = ([0; FRAME], [0; 1_472], [0; 1_472]);
    let mut sine = Sine::new(400, -15.0);
    let mut seen: Vec<(u16, u32)> = Vec::new();
    for n in 0..90 {
        sine.fill(&mut frame);
        let length = if !(30..60).contains(&n) {
            lot_out.push(tick(n), &frame, &mut onward)
        } else {
            let length = caller.push(tick(n), &frame, &mut packet);
            if n == 40 {
                continue;
            }
            let mut admitted = lot_in.admit(tick(n), A.parse().unwrap(), &mut packet[..length]).unwrap();
            lot_in.count(&mut admitted);
            lot_out.forward(tick(n), &admitted, &mut onward)
        };
        let read = rtp::read(&onward[..length]).unwrap();
        seen.push((read.sequence, read.timestamp));
        phone.receive(tick(n), A.parse().unwrap(), &onward[..length]);
        hear(&mut phone, tick(n), &mut frame);
    }
    let (sequence, timestamp) = seen[0];
    for (at, (s, t)) in seen.iter().enumerate() {
        let number = if at < 40 { at } else { at + 1 };
        assert_eq!(*s, sequence.wrapping_add(number as u16), "at {at}");
        assert_eq!(*t, timestamp.wrapping_add(160 * number as u32), "at {at}");
    }
    assert_eq!(phone.figures().lost, 1);
    assert_eq!(phone.figures().packets, 89);
}

#[test]
fn a_key_passes_the_bridge_and_a_repeated_packet_does_not() {
    let (mut caller, mut lot_in) = pair(Codec::Pcma);
    let (mut lot_out, mut phone) = pair(Codec::Pcma);
    let (mut packet, mut onward) = ([0; 1_472], [0; 1_472]);
    caller.send_digit('4', 60);
    let mut heard = String::new();
    for n in 0..20 {
        let length = caller.push(tick(n), &[0; FRAME], &mut packet);
        for copy in 0..2 {
            let mut admitted = lot_in.admit(tick(n), A.parse().unwrap(), &mut packet[..length]).unwrap();
            lot_in.count(&mut admitted);
            let length = lot_out.forward(tick(n), &admitted, &mut onward);
            assert_eq!(length == 0, copy == 1);
            heard.extend(phone.receive(tick(n), A.parse().unwrap(), &onward[..length]));
        }
    }
    assert_eq!(heard, "4");
    assert_eq!(phone.figures().packets, 20);
}

#[test]
fn a_flood_of_garbage_from_the_right_place_is_survived() {
    let (_, mut b) = pair(Codec::Opus);
    let mut random = SmallRng::seed_from_u64(4);
    let (mut bytes, mut frame) = ([0; 400], [0; FRAME]);
    for n in 0..2_000 {
        for _ in 0..10 {
            random.fill_bytes(&mut bytes);
            bytes[0] = 0x80;
            bytes[1] = 111;
            let length = random.next_u32() as usize % bytes.len();
            b.receive(tick(n), A.parse().unwrap(), &bytes[..length]);
        }
        hear(&mut b, tick(n), &mut frame);
    }
    assert!(b.figures().buffer_ms <= 640.0);
}
