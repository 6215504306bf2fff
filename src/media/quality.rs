//! How a call sounds, estimated from what is measured: ITU-T G.107's E-model with the terms that RFC 3611 4.7 (RTCP XR,
//! VoIP metrics) reports, and which direction of a call is dead.

use super::{Codec, StreamFigures};
use std::time::Duration;

/// R of a connection that does nothing to the voice (G.107 table 3, all values at their defaults).
const R_BEST: f32 = 93.2;
/// How fast past seconds are forgotten in the estimate for now: as many seconds.
const MEMORY_S: f32 = 8.0;
/// Frames in a second.
const FRAMES_PER_S: f32 = 50.0;
/// Delay of coding itself, in ms: a frame of 20 ms, and what the codec looks ahead.
const FRAME_MS: f32 = 20.0;
const OPUS_AHEAD_MS: f32 = 6.5;
/// So long may nothing come before the direction counts as dead.
const DEAD: Duration = Duration::from_millis(2_500);
/// Packets after which the far end should have told that it hears us, if it tells anything of the kind.
const SENT_MANY: u64 = 250;

/// How much a codec itself takes away, and how robust it is against loss: Ie and Bpl of G.113 appendix I.
///
/// Opus has no published values, and G.722 none on this narrow-band scale; they are counted as G.711 with concealment, which is less than it gives.
fn impairment(codec: Codec) -> (f32, f32) {
    match codec {
        Codec::Opus | Codec::G722 | Codec::Pcmu | Codec::Pcma => (0.0, 25.1),
    }
}

/// The rating R (0 to 100) of a call of this codec that misses `lost_percent` of its sound at random and takes
/// `delay_ms` from mouth to ear (G.107 clause 7, with everything else at its default).
pub fn rating(codec: Codec, lost_percent: f32, delay_ms: f32) -> f32 {
    let (codec_loss, robustness) = impairment(codec);
    let lost = lost_percent.clamp(0.0, 100.0);
    // Equation 7-29 with a burst ratio of 1.
    let by_loss = codec_loss + (95.0 - codec_loss) * lost / (lost + robustness);
    (R_BEST - by_loss - by_delay(delay_ms)).clamp(0.0, 100.0)
}

/// Idd, what delay alone takes away (G.107 equations 7-27 and 7-28).
fn by_delay(delay_ms: f32) -> f32 {
    if delay_ms <= 100.0 {
        return 0.0;
    }
    let x = (delay_ms / 100.0).log2();
    let root = |value: f32| (1.0 + value.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}

/// The mean opinion, 1 to 4.5, that goes with a rating (G.107 annex B).
pub fn opinion(rating: f32) -> f32 {
    let r = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

/// The delay of the devices on our side, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DeviceDelay {
    /// From the microphone to the encoder.
    pub capture_ms: f32,
    /// From the decoder to the ear.
    pub playback_ms: f32,
}

/// What is known of a call's sound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// Packets lost or come too late, of all expected lately, in percent: before anything was mended.
    pub lost_percent: f32,
    /// Sound that had to be made up lately, in percent: what loss and lateness left after recovery.
    pub concealed_percent: f32,
    /// Interarrival jitter (RFC 3550 6.4.1), in ms.
    pub jitter_ms: f32,
    /// One way through the network: half the round trip, where the far end reports; `None` where it doesn't.
    pub network_ms: Option<f32>,
    /// Coding and the jitter buffer, in ms.
    pub buffer_ms: f32,
    /// Our ear-piece, in ms; their microphone is theirs to know.
    pub device_ms: f32,
    /// The estimate for now, 1 to 4.5.
    pub opinion: f32,
    /// The same for the whole call.
    pub opinion_of_call: f32,
    /// The worst there was for a second or more.
    pub opinion_worst: f32,
    /// What the far end lost of ours lately, in percent, as it reports.
    pub remote_lost_percent: Option<f32>,
}

impl Quality {
    /// Mouth to ear as far as it is known here, in ms.
    pub fn delay_ms(&self) -> f32 {
        self.network_ms.unwrap_or(0.0) + self.buffer_ms + self.device_ms
    }
}

/// Why a call is heard in one direction only, or in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OneWay {
    /// Nothing comes from the far end, and nothing ever has.
    NothingCame,
    /// Nothing comes from the far end any more.
    NothingComes,
    /// The far end reports, and has not heard anything of ours.
    NotHeard,
    /// Our microphone brings digital silence: it is switched off at the device.
    DeadMicrophone,
}

/// Follows one call's figures.
#[derive(Clone, Debug)]
pub struct QualityMeter {
    before: Option<(Duration, StreamFigures)>,
    lost: f32,
    expected: f32,
    concealed: f32,
    frames: f32,
    sum: f64,
    count: u32,
    worst: f32,
    quality: Quality,
    came_at: Option<Duration>,
    began: Duration,
    voice_at: Duration,
}

impl QualityMeter {
    /// For a call whose sound begins `now`.
    pub fn new(now: Duration) -> Self {
        Self {
            before: None,
            lost: 0.0,
            expected: 0.0,
            concealed: 0.0,
            frames: 0.0,
            sum: 0.0,
            count: 0,
            worst: 4.5,
            quality: Quality::default(),
            came_at: None,
            began: now,
            voice_at: now,
        }
    }

    /// Takes the figures of `now`; figures since the stream was opened, a few times a second.
    pub fn take(
        &mut self,
        now: Duration,
        codec: Codec,
        figures: &StreamFigures,
        device: DeviceDelay,
    ) -> Quality {
        let (then, old) = self.before.replace((now, *figures)).unwrap_or((now, StreamFigures::default()));
        if figures.packets > old.packets {
            self.came_at = Some(now);
        }
        let passed_s = now.saturating_sub(then).as_secs_f32();
        let kept = (-passed_s / MEMORY_S).exp();
        let more = |new: u64, old: u64| new.saturating_sub(old) as f32;
        let lost = more(figures.lost, old.lost) + more(figures.late, old.late);
        self.lost = self.lost * kept + lost;
        self.expected =
            self.expected * kept + more(figures.packets, old.packets) + more(figures.lost, old.lost);
        self.concealed = self.concealed * kept + more(figures.concealed, old.concealed);
        self.frames = self.frames * kept + passed_s * FRAMES_PER_S;
        let share = |part: f32, whole: f32| if whole < 1.0 { 0.0 } else { (100.0 * part / whole).min(100.0) };
        let ahead = if codec == Codec::Opus { OPUS_AHEAD_MS } else { 0.0 };
        let mut quality = Quality {
            lost_percent: share(self.lost, self.expected),
            concealed_percent: share(self.concealed, self.frames),
            jitter_ms: figures.jitter_ms,
            network_ms: figures.round_trip_ms.map(|ms| ms / 2.0),
            buffer_ms: figures.buffer_ms + FRAME_MS + ahead,
            device_ms: device.playback_ms,
            remote_lost_percent: figures.remote_lost_percent,
            ..self.quality
        };
        quality.opinion = opinion(rating(codec, quality.concealed_percent, quality.delay_ms()));
        if self.frames > FRAMES_PER_S {
            self.sum += f64::from(quality.opinion);
            self.count = self.count.saturating_add(1);
            self.worst = self.worst.min(quality.opinion);
        }
        quality.opinion_worst = self.worst.min(quality.opinion);
        quality.opinion_of_call = match self.count {
            0 => quality.opinion,
            count => (self.sum / f64::from(count)) as f32,
        };
        self.quality = quality;
        quality
    }

    /// Takes the level of our own microphone, dB below full scale; `None`: muted, or there is none.
    pub fn hear_ourselves(&mut self, now: Duration, level_dbfs: Option<f32>) {
        // A live microphone always has some noise: only one that is switched off is silent to the last bit.
        if level_dbfs.is_none_or(|level| level > super::SILENCE_DBFS) {
            self.voice_at = now;
        }
    }

    /// Which direction is dead `now`, for a call that should be heard both ways.
    pub fn one_way(&self, now: Duration) -> Option<OneWay> {
        let figures = self.before.map(|(_, figures)| figures).unwrap_or_default();
        match self.came_at {
            None if now.saturating_sub(self.began) >= DEAD => return Some(OneWay::NothingCame),
            Some(at) if now.saturating_sub(at) >= DEAD => return Some(OneWay::NothingComes),
            _ => {}
        }
        let unheard = figures.reports > 1 && figures.remote_lost_percent.is_none_or(|lost| lost >= 99.0);
        if unheard && figures.sent > SENT_MANY {
            return Some(OneWay::NotHeard);
        }
        (now.saturating_sub(self.voice_at) >= DEAD).then_some(OneWay::DeadMicrophone)
    }

    /// Both directions are looked at from `now` on: after a hold, or a mute.
    pub fn begin_again(&mut self, now: Duration) {
        (self.began, self.voice_at) = (now, now);
        if self.came_at.is_some() {
            self.came_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_model_gives_the_published_values() {
        // G.107's default connection, and its delay impairment at 400 ms (about 31 with 93.2 at 100 ms).
        assert!((rating(Codec::Pcmu, 0.0, 50.0) - 93.2).abs() < 0.01);
        assert!((opinion(93.2) - 4.41).abs() < 0.01);
        assert!((opinion(50.0) - 2.58).abs() < 0.01);
        assert!((opinion(0.0) - 1.0).abs() < 0.01 && (opinion(4.0) - 1.0).abs() < 0.01);
        let late = by_delay(400.0);
        assert!((20.0..32.0).contains(&late), "{late}");
        // 5 % random loss of G.711 with concealment: Ie-eff = 95 · 5 / 30.1.
        assert!((rating(Codec::Pcma, 5.0, 0.0) - (93.2 - 95.0 * 5.0 / 30.1)).abs() < 0.01);
    }

    fn figures(second: u64, lost_each: u64) -> StreamFigures {
        StreamFigures {
            packets: second * (50 - lost_each),
            lost: second * lost_each,
            concealed: second * lost_each,
            sent: second * 50,
            round_trip_ms: Some(40.0),
            buffer_ms: 40.0,
            ..StreamFigures::default()
        }
    }

    #[test]
    fn loss_shows_within_seconds_and_is_forgotten_but_for_the_whole_call() {
        let mut meter = QualityMeter::new(ms(0));
        let device = DeviceDelay { capture_ms: 10.0, playback_ms: 20.0 };
        let mut last = Quality::default();
        for second in 1..=10 {
            last = meter.take(ms(second * 1_000), Codec::Pcmu, &figures(second, 5), device);
        }
        assert!((last.lost_percent - 10.0).abs() < 0.5, "{last:?}");
        assert!((last.delay_ms() - 100.0).abs() < 0.01, "20 network, 60 buffer, 20 device");
        assert!(last.opinion < 3.6);
        let spoilt = figures(10, 5);
        for second in 1..=60 {
            let clean = figures(second, 0);
            let now = StreamFigures {
                packets: spoilt.packets + clean.packets,
                lost: spoilt.lost,
                concealed: spoilt.concealed,
                ..clean
            };
            last = meter.take(ms(10_000 + second * 1_000), Codec::Pcmu, &now, device);
        }
        assert!(last.opinion > 4.3, "{last:?}");
        assert!(last.opinion_worst < 3.6 && last.opinion_of_call < last.opinion, "{last:?}");
    }

    #[test]
    fn a_dead_direction_is_known_within_three_seconds_and_each_by_its_cause() {
        let device = DeviceDelay::default();
        let mut meter = QualityMeter::new(ms(0));
        let mute = StreamFigures { sent: 150, ..StreamFigures::default() };
        meter.take(ms(2_000), Codec::Opus, &mute, device);
        meter.hear_ourselves(ms(2_000), Some(-60.0));
        assert_eq!(meter.one_way(ms(2_000)), None);
        assert_eq!(meter.one_way(ms(2_750)), Some(OneWay::NothingCame));
        meter.take(ms(3_000), Codec::Opus, &figures(1, 0), device);
        meter.hear_ourselves(ms(3_000), Some(-60.0));
        assert_eq!(meter.one_way(ms(3_000)), None);
        meter.take(ms(5_750), Codec::Opus, &figures(1, 0), device);
        assert_eq!(meter.one_way(ms(5_750)), Some(OneWay::NothingComes));
        let unheard = StreamFigures { reports: 2, sent: 600, ..figures(10, 0) };
        meter.take(ms(6_000), Codec::Opus, &unheard, device);
        meter.hear_ourselves(ms(6_000), Some(-55.0));
        assert_eq!(meter.one_way(ms(6_000)), Some(OneWay::NotHeard));
        let heard = StreamFigures { reports: 3, remote_lost_percent: Some(0.0), ..figures(11, 0) };
        meter.take(ms(6_250), Codec::Opus, &heard, device);
        assert_eq!(meter.one_way(ms(6_250)), None);
    }

    #[test]
    fn a_microphone_that_is_switched_off_is_told_from_one_in_a_quiet_room() {
        let mut meter = QualityMeter::new(ms(0));
        for second in 1..=4 {
            meter.take(ms(second * 1_000), Codec::Opus, &figures(second, 0), DeviceDelay::default());
            meter.hear_ourselves(ms(second * 1_000), Some(-78.0));
        }
        assert_eq!(meter.one_way(ms(4_000)), None);
        for second in 5..=7 {
            meter.take(ms(second * 1_000), Codec::Opus, &figures(second, 0), DeviceDelay::default());
            meter.hear_ourselves(ms(second * 1_000), Some(crate::media::SILENCE_DBFS));
        }
        assert_eq!(meter.one_way(ms(7_000)), Some(OneWay::DeadMicrophone));
        meter.hear_ourselves(ms(7_250), None);
        assert_eq!(meter.one_way(ms(7_250)), None, "muted by the operator's own key is no fault");
    }
}
