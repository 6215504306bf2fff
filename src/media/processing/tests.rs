//! The processing in a simulated room: off line, exact, and the same each time.

use super::*;
use crate::media::{Resampler, resample};
use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};

const S: usize = RATE_HZ as usize;

/// A voice of ours at 48 kHz, over and over, for so long, at a level in dB below full scale.
fn voice(name: &str, samples: usize, level: f32) -> Vec<i16> {
    let path = format!("{}/assets/speech/{name}.wav", env!("CARGO_MANIFEST_DIR"));
    let mut file = hound::WavReader::open(path).unwrap();
    let rate = file.spec().sample_rate;
    let sound: Vec<i16> = file.samples::<i16>().map(Result::unwrap).collect();
    let sound = resample(&sound, rate, RATE_HZ);
    let gain = 10.0_f32.powf((level - level_dbfs(&sound)) / 20.0);
    sound.iter().cycle().take(samples).map(|sample| (f32::from(*sample) * gain) as i16).collect()
}

/// What a microphone hears of a loudspeaker: the direct sound after 40 ms at -10 dB, and a tail of reflections that dies
/// away within 120 ms.
fn room(played: &[i16], seed: u64) -> Vec<i16> {
    let mut random = SmallRng::seed_from_u64(seed);
    let first = 40 * S / 1_000;
    let mut paths = vec![(first, 0.316_f32)];
    for _ in 0..60 {
        let later = random.random_range(48..120 * S / 1_000);
        let dies = (-6.9 * later as f32 / (120 * S / 1_000) as f32).exp();
        paths.push((first + later, random.random_range(-0.08_f32..0.08) * dies));
    }
    let mut heard = vec![0.0_f32; played.len()];
    for (delay, gain) in paths {
        for (out, sample) in heard[delay.min(played.len())..].iter_mut().zip(played) {
            *out += gain * f32::from(*sample);
        }
    }
    // A room is never quite silent.
    heard.iter().map(|sample| (sample + random.random_range(-3.0_f32..3.0)) as i16).collect()
}

/// Through the processing: what is played, and what the microphone picks up.
fn processed(wanted: Processing, played: &[i16], microphone: &[i16]) -> (Vec<i16>, Processor) {
    let mut processor = Processor::new(wanted);
    let mut out = Vec::with_capacity(microphone.len());
    let pieces = played.as_chunks::<PIECE>().0.iter().zip(microphone.as_chunks::<PIECE>().0);
    for (far, near) in pieces {
        let mut near = *near;
        if wanted.echo {
            processor.hear(far);
        }
        processor.process(&mut near);
        out.extend(near);
    }
    (out, processor)
}

fn added(a: &[i16], b: &[i16]) -> Vec<i16> {
    a.iter().zip(b).map(|(a, b)| a.saturating_add(*b)).collect()
}

/// The delay of what comes out, in samples, at which it is most like what went in; and how like they are, at most 1.
/// Measured where speech is understood: the lowest notes are turned in phase by a high pass, which nobody hears.
fn likeness(out: &[i16], near: &[i16]) -> (usize, f64) {
    let sharpened = |sound: &[i16]| -> Vec<f64> {
        sound.windows(7).map(|w| f64::from(w[6]) - 1.9 * f64::from(w[3]) + 0.91 * f64::from(w[0])).collect()
    };
    let (out, near) = (sharpened(out), sharpened(near));
    let correlation = |lag: usize| {
        let (mut cross, mut a2, mut b2) = (0.0_f64, 1.0_f64, 1.0_f64);
        for (a, b) in out[lag..].iter().zip(&near).step_by(5) {
            (cross, a2, b2) = (cross + a * b, a2 + a * a, b2 + b * b);
        }
        cross / (a2 * b2).sqrt()
    };
    let best = |lags: &mut dyn Iterator<Item = usize>| {
        lags.map(|lag| (lag, correlation(lag))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
    };
    let (near_it, _) = best(&mut (0..16 * 48).step_by(3));
    best(&mut (near_it.saturating_sub(2)..near_it + 3))
}

const ECHO: Processing = Processing { echo: true, noise: false, gain: false };

/// Echo return loss enhancement from then on, in dB.
fn erle_db(microphone: &[i16], out: &[i16], from: usize) -> f32 {
    level_dbfs(&microphone[from..out.len()]) - level_dbfs(&out[from..])
}

#[test]
fn the_echo_of_a_room_is_gone_after_three_seconds() {
    for (name, seed) in [("harold-green", 1), ("maria-lopez", 2)] {
        let played = voice(name, 9 * S, -20.0);
        let echo = room(&played, seed);
        let (out, processor) = processed(ECHO, &played, &echo);
        let erle = erle_db(&echo, &out, 3 * S);
        assert!(erle >= 30.0, "{name}: {erle:.1} dB");
        let delay = processor.figures().echo_delay_ms.unwrap();
        assert!((20..=60).contains(&delay), "{name}: {delay} ms");
    }
}

#[test]
fn an_echo_path_that_drifts_is_followed() {
    let played = voice("peter-walsh", 12 * S, -20.0);
    for ppm in [-100.0, 100.0] {
        // The microphone's card runs otherwise than the loudspeaker's: in twelve seconds they are more than a ms apart.
        let mut card = Resampler::new(RATE_HZ, RATE_HZ);
        card.bend(RATE_HZ, RATE_HZ, ppm);
        let mut source = room(&played, 3).into_iter();
        let echo: Vec<i16> =
            (0..played.len() - S / 10).map(|_| card.draw(|| source.next().unwrap_or(0))).collect();
        let (out, _) = processed(ECHO, &played, &echo);
        let erle = erle_db(&echo, &out, 3 * S);
        assert!(erle >= 30.0, "{ppm} ppm: {erle:.1} dB");
    }
}

#[test]
fn in_double_talk_the_near_voice_is_heard() {
    let played = voice("harold-green", 12 * S, -20.0);
    let echo = room(&played, 4);
    // Somebody speaks here after four seconds, while the far end goes on.
    let mut near = voice("maria-lopez", 12 * S, -20.0);
    near[..4 * S].fill(0);
    let (out, _) = processed(ECHO, &played, &added(&near, &echo));
    let (spoken, heard) = (&near[4 * S..11 * S], &out[4 * S..]);
    let (delay, like) = likeness(heard, spoken);
    let before = likeness(&added(&near, &echo)[4 * S..], spoken).1;
    assert!(delay <= 16 * 48, "{delay} samples late");
    assert!(like > 0.75, "like the voice: {like:.3}, unprocessed {before:.3}");
    // Not gated: where the voice is, it is as loud as it was; of all its pieces few are lost.
    let mut lost = 0;
    let mut pieces = 0;
    for (was, is) in spoken.as_chunks::<PIECE>().0.iter().zip(heard[delay..].as_chunks::<PIECE>().0) {
        if level_dbfs(was) > -28.0 {
            pieces += 1;
            lost += u32::from(level_dbfs(is) < level_dbfs(was) - 10.0);
        }
    }
    assert!(pieces > 200 && lost * 10 < pieces, "{lost} of {pieces} pieces of the voice are gone");
}

#[test]
fn without_an_echo_the_voice_passes_as_it_was() {
    let near = voice("jane-doe", 8 * S, -26.0);
    let (out, _) = processed(ECHO, &vec![0; near.len()], &near);
    let (_, like) = likeness(&out[S..], &near[S..7 * S]);
    assert!(like > 0.97, "{like:.3}");
}

#[test]
fn steady_noise_is_lowered_and_the_voice_is_not() {
    let mut random = SmallRng::seed_from_u64(5);
    let mut last = 0.0_f32;
    // Something like a fan: more below than above.
    let noise: Vec<i16> = (0..10 * S)
        .map(|_| {
            last = 0.9 * last + f32::from(random.next_u32() as i16) / 60.0;
            last as i16
        })
        .collect();
    let mut spoken = voice("dr-patel", 10 * S, -22.0);
    spoken[..4 * S].fill(0);
    spoken[8 * S..].fill(0);
    let wanted = Processing { noise: true, ..Processing::default() };
    let both = added(&spoken, &noise);
    let (out, _) = processed(wanted, &vec![0; both.len()], &both);
    let lower = level_dbfs(&both[3 * S..4 * S]) - level_dbfs(&out[3 * S..4 * S]);
    assert!(lower > 8.0, "the noise is {lower:.1} dB lower");
    let voice = level_dbfs(&both[4 * S..8 * S]) - level_dbfs(&out[4 * S..8 * S]);
    assert!(voice.abs() < 2.0, "the voice is {voice:.1} dB lower");
}

#[test]
fn a_quiet_voice_is_lifted_and_a_loud_one_is_not() {
    let wanted = Processing { gain: true, ..Processing::default() };
    let level_of = |level: f32| {
        let spoken = voice("sam", 16 * S, level);
        let (out, _) = processed(wanted, &vec![0; spoken.len()], &spoken);
        let clipped = out.iter().filter(|sample| sample.unsigned_abs() >= i16::MAX as u16).count();
        assert!(clipped * 10_000 < out.len(), "{level}: {clipped} of {} clipped", out.len());
        level_dbfs(&out[10 * S..])
    };
    let (quiet, loud) = (level_of(-45.0), level_of(-18.0));
    assert!(quiet > -32.0, "{quiet:.1} dB");
    assert!((-26.0..-12.0).contains(&loud), "{loud:.1} dB");
}

#[test]
fn nothing_on_is_nothing_done() {
    let spoken = voice("sam", 2 * S, -26.0);
    let (out, processor) = processed(Processing::default(), &vec![0; spoken.len()], &spoken);
    assert!(likeness(&out, &spoken[..S]).1 > 0.99);
    assert!(processor.figures().erle_db.is_none());
    for process in [Process::Echo, Process::Noise, Process::Gain] {
        assert!(!processor.wanted().has(process));
    }
}
