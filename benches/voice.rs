//! How a voice sounds after a lossy network, in virtual time: encoder → loss and jitter → our receiver → a WAV file to be
//! scored (PESQ) and a line of figures.
//!
//! Run: `cargo bench --bench voice -- IN.wav OUT.wav [codec=opus] [loss=10] [burst=1] [jitter=0] [red=1] [deep=0] [seed=1]`. IN is 48 kHz
//! mono; `loss` in percent comes in bursts of that mean length (a Gilbert model), `jitter` is even between 0 and so many
//! ms and reorders; `red=0` is a far end without RFC 2198, `deep=1` one that reads DRED. Both ends send reports, so that redundancy follows the loss. The first second is spared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use parkdeck::media::{
    Codec, FRAME, FRAME_TIME, MAX_PACKET, OpusTerms, SLICE, SLICE_TIME, SLICES, Stream, StreamConfig,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::time::{Duration, Instant};

struct Setting {
    codec: Codec,
    loss: f64,
    burst: f64,
    jitter_ms: f64,
    red: bool,
    deep: bool,
    seed: u64,
}

impl Setting {
    fn read(words: &[String]) -> Self {
        let said = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let number = |name, default| said(name).map_or(default, |word| word.parse().expect("a number"));
        let codec = match said("codec").unwrap_or("opus") {
            "pcmu" => Codec::Pcmu,
            "pcma" => Codec::Pcma,
            "g722" => Codec::G722,
            _ => Codec::Opus,
        };
        Self {
            codec,
            loss: number("loss", 0.0) / 100.0,
            burst: number("burst", 1.0),
            jitter_ms: number("jitter", 0.0),
            red: number("red", 1.0) > 0.0,
            deep: number("deep", 0.0) > 0.0,
            seed: number("seed", 1.0) as u64,
        }
    }
}

/// A way through the network; both are of the same kind.
struct Network {
    random: SmallRng,
    bad: bool,
    sent: u32,
    lost: u32,
    bytes: usize,
    on_the_way: Vec<(Duration, Vec<u8>)>,
}

impl Network {
    fn send(&mut self, setting: &Setting, now: Duration, packet: &[u8]) {
        if packet.is_empty() {
            return;
        }
        let stay = 1.0 / setting.burst;
        let begin =
            if setting.burst <= 1.0 { setting.loss } else { setting.loss * stay / (1.0 - setting.loss) };
        let dice: f64 = self.random.random_range(0.0..1.0);
        self.bad = if self.bad && setting.burst > 1.0 { dice >= stay } else { dice < begin };
        self.sent += 1;
        self.bytes += packet.len();
        let wait: f64 = self.random.random_range(0.0..1.0) * setting.jitter_ms;
        if self.bad && self.sent > 50 {
            self.lost += 1;
            return;
        }
        self.on_the_way.push((now + Duration::from_secs_f64((5.0 + wait) / 1_000.0), packet.to_vec()));
    }

    fn arrived(&mut self, now: Duration) -> Vec<(Duration, Vec<u8>)> {
        let (mut here, away): (Vec<_>, Vec<_>) = self.on_the_way.drain(..).partition(|(at, _)| *at <= now);
        self.on_the_way = away;
        here.sort_by_key(|(at, _)| *at);
        here
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [input, output, rest @ ..] = words.as_slice() else {
        println!("voice: says nothing without IN.wav OUT.wav; see the head of benches/voice.rs");
        return;
    };
    let setting = Setting::read(rest);
    let samples: Vec<i16> = hound::WavReader::open(input).unwrap().samples().map(|s| s.unwrap()).collect();
    let [here, there] = ["192.0.2.1:4000", "192.0.2.2:4000"].map(|a| a.parse().unwrap());
    let mut a = Stream::new(StreamConfig::new(there, setting.codec), 2 * setting.seed);
    let mut b = Stream::new(StreamConfig::new(here, setting.codec), 2 * setting.seed + 1);
    for stream in [&mut a, &mut b] {
        let red = setting.red.then_some(120);
        let opus = OpusTerms { deep: setting.deep, ..OpusTerms::default() };
        let config =
            StreamConfig { red_payload_type: red, red_receive_payload_type: red, opus, ..*stream.config() };
        stream.reconfigure(Duration::ZERO, config);
    }
    let [mut way, mut back_way] = [setting.seed, setting.seed + 1_000].map(|seed| {
        let random = SmallRng::seed_from_u64(seed);
        Network { random, bad: false, sent: 0, lost: 0, bytes: 0, on_the_way: Vec::new() }
    });
    let mut heard = Vec::new();
    let (mut packet, mut sum_buffer, mut spent) = ([0; MAX_PACKET], 0.0, Duration::ZERO);
    // Two seconds of silence first, as in a real call.
    let silence = vec![0; 100 * FRAME];
    let all = [silence.as_slice(), &samples, &silence[..25 * FRAME]].concat();
    let frames = all.as_chunks::<FRAME>().0;
    for (n, frame) in frames.iter().enumerate() {
        let now = FRAME_TIME * n as u32;
        let begin = Instant::now();
        let length = a.push(now, frame, &mut packet);
        spent += begin.elapsed();
        way.send(&setting, now, &packet[..length]);
        let length = b.push(now, &[0; FRAME], &mut packet);
        back_way.send(&setting, now, &packet[..length]);
        for (at, packet) in back_way.arrived(now) {
            a.receive(at, there, &packet);
        }
        (0..SLICES).for_each(|_| a.pull(now, &mut [0; SLICE]));
        if n % 12 == 0 {
            let length = a.report(now, &mut packet);
            b.receive_report(now, here, &mut packet[..length]);
            let length = b.report(now, &mut packet);
            a.receive_report(now, there, &mut packet[..length]);
        }
        for slice in 0..SLICES {
            let now = now + Duration::from_millis(4) + SLICE_TIME * slice as u32;
            for (at, packet) in way.arrived(now) {
                b.receive(at, here, &packet);
            }
            let mut out = [0; SLICE];
            let begin = Instant::now();
            b.pull(now, &mut out);
            spent += begin.elapsed();
            heard.extend(out);
        }
        sum_buffer += b.figures().target_ms;
    }
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(output, spec).unwrap();
    heard[100 * FRAME..].iter().for_each(|sample| writer.write_sample(*sample).unwrap());
    writer.finalize().unwrap();
    let f = b.figures();
    println!(
        "{:?}: sent {} lost {} · late {} recovered {} concealed {} stretched {} · target now {:.0} ms, mean {:.0} ms · \
         {:.1} kb/s · {:.0} µs a frame both ends",
        setting.codec,
        way.sent,
        way.lost,
        f.late,
        f.recovered,
        f.concealed,
        f.stretched,
        f.target_ms,
        sum_buffer / frames.len() as f32,
        way.bytes as f64 * 8.0 / (frames.len() as f64 * 20.0),
        spent.as_secs_f64() * 1e6 / frames.len() as f64,
    );
}
