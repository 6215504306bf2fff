//! What the callbacks of a sound device do, sample by sample: record, play the mix, or ring. Wait-free.

use super::devices::Wants;
use crate::media::{Country, FRAME, Pattern, RATE_HZ, Resampler, RingPattern};
use std::sync::Arc;

/// Sound from the device to the media thread.
pub(super) struct Recorder {
    ring: rtrb::Producer<i16>,
    resampler: Option<Resampler>,
}

impl Recorder {
    pub(super) fn new(ring: rtrb::Producer<i16>, rate_hz: u32) -> Self {
        let resampler = (rate_hz != RATE_HZ).then(|| Resampler::new(rate_hz, RATE_HZ));
        Self { ring, resampler }
    }

    /// Takes a sample at the device's rate.
    pub(super) fn take(&mut self, sample: i16) {
        let ring = &mut self.ring;
        let mut put = |sample| {
            // Full: nobody reads, and old sound is worth no more than new.
            let _ = ring.push(sample);
        };
        match &mut self.resampler {
            Some(resampler) => resampler.push(sample, put),
            None => put(sample),
        }
    }
}

/// Whatever plays: gives samples at the device's rate.
pub(super) trait Sound: Send + 'static {
    /// A callback begins that wants so many.
    fn begin(&mut self, count: usize);
    /// The next sample at the device's rate.
    fn next(&mut self) -> i16;
}

/// The headset: what the media thread mixed.
pub(super) struct Player {
    ring: rtrb::Consumer<i16>,
    resampler: Option<Resampler>,
    runs: bool,
    rate_hz: u32,
}

impl Player {
    pub(super) fn new(ring: rtrb::Consumer<i16>, rate_hz: u32) -> Self {
        let resampler = (rate_hz != RATE_HZ).then(|| Resampler::new(RATE_HZ, rate_hz));
        Self { ring, resampler, runs: false, rate_hz }
    }
}

impl Sound for Player {
    fn begin(&mut self, count: usize) {
        // The media thread brings a frame at a time; the callback takes its period. What is in hand covers both.
        let period = (count as u64 * u64::from(RATE_HZ) / u64::from(self.rate_hz.max(1))) as usize;
        let waiting = self.ring.slots();
        let in_hand = FRAME + period;
        if waiting > in_hand + 2 * FRAME
            && let Ok(surplus) = self.ring.read_chunk(waiting - in_hand)
        {
            surplus.commit_all();
        }
        self.runs = if self.runs { waiting > 0 } else { waiting >= in_hand };
    }

    fn next(&mut self) -> i16 {
        if !self.runs {
            return 0;
        }
        let ring = &mut self.ring;
        let mut pop = || ring.pop().unwrap_or(0);
        match &mut self.resampler {
            Some(resampler) => resampler.draw(pop),
            None => pop(),
        }
    }
}

/// The ringer: makes its tones itself, so that ringing needs no media thread.
pub(super) struct Ringer {
    wants: Arc<Wants>,
    country: &'static Country,
    rings: RingPattern,
    pattern: Pattern,
    resampler: Option<Resampler>,
}

impl Ringer {
    pub(super) fn new(wants: Arc<Wants>, country: &'static Country, rate_hz: u32) -> Self {
        let resampler = (rate_hz != RATE_HZ).then(|| Resampler::new(RATE_HZ, rate_hz));
        Self { wants, country, rings: RingPattern::Off, pattern: Pattern::OFF, resampler }
    }
}

impl Sound for Ringer {
    fn begin(&mut self, _: usize) {
        let wanted = self.wants.pattern();
        if wanted != self.rings {
            self.rings = wanted;
            self.pattern = Pattern::ring(wanted, self.country);
        }
    }

    fn next(&mut self) -> i16 {
        let pattern = &mut self.pattern;
        match &mut self.resampler {
            Some(resampler) => resampler.draw(|| pattern.sample()),
            None => pattern.sample(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_player_waits_for_enough_and_then_plays_without_a_hole() {
        let (mut media, ring) = rtrb::RingBuffer::new(8_192);
        let mut player = Player::new(ring, RATE_HZ);
        let mut heard = Vec::new();
        for tick in 0..50_i16 {
            media.push_entire_slice(&[tick + 1; FRAME]).unwrap();
            for _ in 0..3 {
                player.begin(320);
                heard.extend((0..320).map(|_| player.next()));
            }
        }
        let start = heard.iter().position(|s| *s != 0).unwrap();
        assert!(start <= 2 * FRAME);
        assert!(heard[start..].windows(2).all(|w| w[1] - w[0] == 0 || w[1] - w[0] == 1), "a hole or a leap");
    }

    #[test]
    fn sound_that_piles_up_is_dropped_and_never_gets_old() {
        let (mut media, ring) = rtrb::RingBuffer::new(8_192);
        let mut player = Player::new(ring, 44_100);
        for _ in 0..8 {
            media.push_entire_slice(&[1; FRAME]).unwrap();
        }
        player.begin(441);
        assert!(player.ring.slots() <= 2 * FRAME);
    }

    #[test]
    fn a_recorder_at_another_rate_brings_48_khz_and_stops_when_nobody_reads() {
        let (producer, mut ring) = rtrb::RingBuffer::new(8_192);
        let mut recorder = Recorder::new(producer, 16_000);
        (0..1_600).for_each(|_| recorder.take(1_000));
        assert!(ring.slots().abs_diff(4_800) < 4);
        (0..16_000).for_each(|_| recorder.take(1_000));
        assert_eq!(ring.slots(), 8_192);
        assert!(ring.pop().is_ok());
    }

    #[test]
    fn the_ringer_follows_what_is_wanted() {
        let wants = Arc::new(Wants::default());
        let mut ringer = Ringer::new(wants.clone(), Country::INTERNATIONAL, RATE_HZ);
        let mut loud = |pattern| {
            wants.ring(pattern);
            ringer.begin(4_800);
            (0..4_800).any(|_| ringer.next() != 0)
        };
        assert!(!loud(RingPattern::Off));
        assert!(loud(RingPattern::Comeback));
        assert!(loud(RingPattern::Call));
        assert!(!loud(RingPattern::Off));
    }
}
