//! What the callbacks of a sound device do, sample by sample: record, play the mix, or ring; and the media thread's end of
//! a microphone. Wait-free.

use super::devices::Wants;
use super::processing::Switches;
use crate::media::{Country, Elastic, FRAME, Pattern, RATE_HZ, Resampler, RingPattern, Take};
use std::sync::Arc;

/// The processing thread is woken each time that so many samples have come for it: 5 ms.
const WAKE_EACH: u32 = RATE_HZ / 200;

/// Where a microphone's sound goes: past the processing, or to it.
pub(super) struct Ways {
    pub direct: rtrb::Producer<i16>,
    pub raw: rtrb::Producer<i16>,
    pub switches: Arc<Switches>,
}

/// Sound from the device to the media thread.
pub(super) struct Recorder {
    ways: Ways,
    resampler: Option<Resampler>,
    since_woken: u32,
}

impl Recorder {
    pub(super) fn new(ways: Ways, rate_hz: u32) -> Self {
        let resampler = (rate_hz != RATE_HZ).then(|| Resampler::new(rate_hz, RATE_HZ));
        Self { ways, resampler, since_woken: 0 }
    }

    /// Takes a sample at the device's rate.
    pub(super) fn take(&mut self, sample: i16) {
        let processed = self.ways.switches.active();
        let ring = if processed { &mut self.ways.raw } else { &mut self.ways.direct };
        let mut put = |sample| {
            // Full: nobody reads, and old sound is worth no more than new.
            let _ = ring.push(sample);
        };
        match &mut self.resampler {
            Some(resampler) => resampler.push(sample, put),
            None => put(sample),
        }
        self.since_woken += 1;
        if processed && self.since_woken >= WAKE_EACH {
            self.since_woken = 0;
            self.ways.switches.wake();
        }
    }
}

/// Samples over which sound comes up after a hole, and over which it is faded across what is left out: 2.5 ms.
const SEAM: usize = 120;

/// A ring between two clocks: what is taken at one comes at the other, without holes and without growing old.
struct Reservoir {
    ring: rtrb::Consumer<i16>,
    elastic: Elastic,
    /// What was left out, faded: it comes before what is in the ring. `SEAM`: nothing.
    seam: [i16; SEAM],
    seam_at: usize,
    last: i16,
    /// How far sound has come up after a hole, in samples.
    up: usize,
}

impl Reservoir {
    fn new(ring: rtrb::Consumer<i16>) -> Self {
        Self { ring, elastic: Elastic::default(), seam: [0; SEAM], seam_at: SEAM, last: 0, up: 0 }
    }

    fn waiting(&self) -> usize {
        self.ring.slots() + SEAM - self.seam_at
    }

    /// Forgets what waits.
    fn begin_anew(&mut self) {
        if let Ok(all) = self.ring.read_chunk(self.ring.slots()) {
            all.commit_all();
        }
        (self.elastic, self.seam_at, self.up) = (Elastic::default(), SEAM, 0);
    }

    /// So many samples are about to be taken; by how many parts in a million the rate is to be bent, or `None`: none are
    /// to be taken yet.
    fn begin(&mut self, wanted: usize) -> Option<f64> {
        match self.elastic.look(self.waiting(), wanted) {
            Take::Wait => None,
            Take::Now { surplus, ppm } => {
                self.leave_out(surplus);
                Some(ppm)
            }
        }
    }

    fn leave_out(&mut self, surplus: usize) {
        if surplus == 0 {
            return;
        }
        // Nothing was heard before: then nothing is torn.
        let seam = if self.up == 0 { 0 } else { SEAM };
        let Ok(chunk) = self.ring.read_chunk((surplus + seam).min(self.ring.slots())) else { return };
        let (first, second) = chunk.as_slices();
        let at = |at: usize| {
            first.get(at).or_else(|| second.get(at.wrapping_sub(first.len()))).copied().unwrap_or(0)
        };
        for place in 0..seam {
            let share = (place + 1) as f32 / (SEAM + 1) as f32;
            self.seam[place] =
                (f32::from(at(place)) * (1.0 - share) + f32::from(at(surplus + place)) * share) as i16;
        }
        chunk.commit_all();
        self.seam_at = SEAM - seam;
    }

    /// The next sample; where there is none, the last one dies away.
    fn next(&mut self) -> i16 {
        let sample = match self.seam.get(self.seam_at) {
            Some(sample) => {
                self.seam_at += 1;
                Some(*sample)
            }
            None => self.ring.pop().ok(),
        };
        match sample {
            Some(sample) if self.up >= SEAM => self.last = sample,
            Some(sample) => {
                self.up += 1;
                self.last = (i32::from(sample) * self.up as i32 / SEAM as i32) as i16;
            }
            None => {
                self.up = 0;
                self.last = (i32::from(self.last) * 15 / 16) as i16;
            }
        }
        self.last
    }
}

/// The media thread's end of a microphone: frames by the computer's clock of what comes by the card's, as it comes or as
/// processing leaves it.
pub(super) struct Inlet {
    direct: Reservoir,
    processed: Reservoir,
    /// Which of the two is taken.
    is_processed: bool,
    resampler: Resampler,
}

impl Inlet {
    pub(super) fn new(direct: rtrb::Consumer<i16>, processed: rtrb::Consumer<i16>) -> Self {
        Self {
            direct: Reservoir::new(direct),
            processed: Reservoir::new(processed),
            is_processed: false,
            resampler: Resampler::new(RATE_HZ, RATE_HZ),
        }
    }

    /// Samples that wait.
    pub(super) fn waiting(&self) -> usize {
        if self.is_processed { self.processed.waiting() } else { self.direct.waiting() }
    }

    /// The next frame; silence where there is none yet.
    pub(super) fn take(&mut self, processed: bool, frame: &mut [i16; FRAME]) {
        if processed != self.is_processed {
            self.is_processed = processed;
            // What waits is of another time.
            self.direct.begin_anew();
            self.processed.begin_anew();
        }
        let reservoir = if processed { &mut self.processed } else { &mut self.direct };
        let Some(ppm) = reservoir.begin(FRAME) else { return frame.fill(0) };
        self.resampler.bend(RATE_HZ, RATE_HZ, ppm);
        for sample in frame {
            *sample = self.resampler.draw(|| reservoir.next());
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

/// Lets the echo canceller know what is played, while it wants to.
pub(super) struct Tap {
    pub ring: rtrb::Producer<i16>,
    pub switches: Arc<Switches>,
}

impl Tap {
    fn put(&mut self, sample: i16) {
        if self.switches.active() {
            let _ = self.ring.push(sample);
        }
    }
}

/// The headset: what the media thread mixed, by the card's clock.
pub(super) struct Player {
    reservoir: Reservoir,
    tap: Option<Tap>,
    resampler: Resampler,
    runs: bool,
    rate_hz: u32,
}

impl Player {
    pub(super) fn new(ring: rtrb::Consumer<i16>, rate_hz: u32, tap: Option<Tap>) -> Self {
        let resampler = Resampler::new(RATE_HZ, rate_hz);
        Self { reservoir: Reservoir::new(ring), tap, resampler, runs: false, rate_hz }
    }
}

impl Sound for Player {
    fn begin(&mut self, count: usize) {
        let wanted = count as u64 * u64::from(RATE_HZ) / u64::from(self.rate_hz.max(1));
        let bend = self.reservoir.begin(wanted as usize);
        self.runs = bend.is_some();
        if let Some(ppm) = bend {
            self.resampler.bend(RATE_HZ, self.rate_hz, ppm);
        }
    }

    fn next(&mut self) -> i16 {
        let (reservoir, tap, runs) = (&mut self.reservoir, &mut self.tap, self.runs);
        self.resampler.draw(|| {
            let sample = if runs { reservoir.next() } else { 0 };
            if let Some(tap) = tap {
                tap.put(sample);
            }
            sample
        })
    }
}

/// The ringer: makes its tones itself, so that ringing needs no media thread.
pub(super) struct Ringer {
    wants: Arc<Wants>,
    country: &'static Country,
    rings: RingPattern,
    pattern: Pattern,
    /// In 1/32768.
    gain: i32,
    resampler: Option<Resampler>,
}

impl Ringer {
    pub(super) fn new(wants: Arc<Wants>, country: &'static Country, rate_hz: u32) -> Self {
        let resampler = (rate_hz != RATE_HZ).then(|| Resampler::new(RATE_HZ, rate_hz));
        let gain = wants.ring_gain();
        Self { wants, country, rings: RingPattern::Off, pattern: Pattern::OFF, gain, resampler }
    }
}

impl Sound for Ringer {
    fn begin(&mut self, _: usize) {
        self.gain = self.wants.ring_gain();
        let wanted = self.wants.pattern();
        if wanted != self.rings {
            self.rings = wanted;
            self.pattern = Pattern::ring(wanted, self.country);
        }
    }

    fn next(&mut self) -> i16 {
        let (pattern, gain) = (&mut self.pattern, self.gain);
        // At most full loudness, so it fits again.
        let mut sample = || ((i32::from(pattern.sample()) * gain) >> 15) as i16;
        match &mut self.resampler {
            Some(resampler) => resampler.draw(sample),
            None => sample(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Switch;
    use crate::media::{SLICE, SLICES, Sine};

    fn ways(direct: rtrb::Producer<i16>, on: Switch) -> (Ways, rtrb::Consumer<i16>) {
        let (raw, processing) = rtrb::RingBuffer::new(8_192);
        let switches = Arc::new(Switches::new([on, Switch::Off, Switch::Off]));
        (Ways { direct, raw, switches }, processing)
    }

    #[test]
    fn what_is_played_is_told_to_the_echo_canceller_while_there_is_one() {
        let (mut media, ring) = rtrb::RingBuffer::new(8_192);
        let (tap_ring, mut told) = rtrb::RingBuffer::new(8_192);
        let switches = Arc::new(Switches::new([Switch::Off; 3]));
        let tap = Tap { ring: tap_ring, switches: switches.clone() };
        let mut player = Player::new(ring, 44_100, Some(tap));
        let mut play = |player: &mut Player| {
            media.push_entire_slice(&[7; FRAME]).unwrap();
            player.begin(882);
            (0..882).for_each(|_| {
                player.next();
            });
        };
        (0..3).for_each(|_| play(&mut player));
        assert!(told.is_empty());
        switches.set(crate::media::Process::Echo, Switch::On);
        (0..3).for_each(|_| play(&mut player));
        assert!(told.slots().abs_diff(3 * FRAME) < 8, "at 48 kHz: {}", told.slots());
        assert_eq!(told.pop(), Ok(7));
    }

    #[test]
    fn sound_that_is_to_be_processed_goes_the_other_way() {
        let (producer, ring) = rtrb::RingBuffer::new(8_192);
        let (ways, processing) = ways(producer, Switch::On);
        let mut recorder = Recorder::new(ways, RATE_HZ);
        (0..480).for_each(|_| recorder.take(1_000));
        assert_eq!((ring.slots(), processing.slots()), (0, 480));
    }

    #[test]
    fn the_player_waits_for_enough_and_then_plays_without_a_hole() {
        let (mut media, ring) = rtrb::RingBuffer::new(8_192);
        let mut player = Player::new(ring, RATE_HZ, None);
        let mut heard = Vec::new();
        for tick in 0..400_i16 {
            media.push_entire_slice(&[1_000 + tick; SLICE]).unwrap();
            player.begin(SLICE);
            heard.extend((0..SLICE).map(|_| player.next()));
        }
        let start = heard.iter().position(|s| *s != 0).unwrap();
        assert!(start <= 2 * SLICE, "{start}");
        let heard = &heard[start + SEAM + 16..];
        assert!(heard.windows(2).all(|w| (w[1] - w[0]).abs() <= 2), "a hole or a leap");
        assert!(player.reservoir.waiting() <= SLICE, "{}", player.reservoir.waiting());
    }

    #[test]
    fn sound_that_piles_up_is_left_out_without_a_click_and_never_gets_old() {
        let (mut media, ring) = rtrb::RingBuffer::new(16_384);
        let mut player = Player::new(ring, RATE_HZ, None);
        let mut sine = Sine::new(200, -10.0);
        let mut steepest = 0;
        let mut last = 0;
        for tick in 0..600 {
            let mut frame = [0; FRAME];
            // The card stands still for 200 ms.
            for _ in 0..if tick == 100 { 10 } else { 1 } {
                sine.fill(&mut frame);
                media.push_entire_slice(&frame).unwrap();
            }
            for _ in 0..SLICES {
                player.begin(SLICE);
                for _ in 0..SLICE {
                    let sample = i32::from(player.next());
                    steepest = steepest.max((sample - last).abs());
                    last = sample;
                }
            }
        }
        assert!(player.reservoir.waiting() <= 2 * FRAME, "{}", player.reservoir.waiting());
        assert!(steepest < 600, "a click: {steepest}");
    }

    #[test]
    fn a_microphone_that_stutters_fades_and_comes_up_again() {
        let (mut card, ring) = rtrb::RingBuffer::new(8_192);
        let mut inlet = Inlet::new(ring, rtrb::RingBuffer::new(1).1);
        let mut frame = [1; FRAME];
        inlet.take(false, &mut frame);
        assert_eq!(frame, [0; FRAME], "nothing has come");
        let mut heard = Vec::new();
        for tick in 0..20 {
            // 5 ms come late once.
            let count = match tick {
                10 => FRAME - SLICE,
                0 | 11 => FRAME + SLICE,
                _ => FRAME,
            };
            card.push_entire_slice(&vec![8_000; count]).unwrap();
            inlet.take(false, &mut frame);
            heard.extend(frame);
        }
        let steepest = heard.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap();
        assert!(steepest <= 700, "a click: {steepest}");
        assert!(heard[18 * FRAME..].iter().all(|sample| *sample >= 7_990));
        assert!(inlet.waiting() >= SLICE / 2, "more is in hand than before");
    }

    #[test]
    fn a_recorder_at_another_rate_brings_48_khz_and_stops_when_nobody_reads() {
        let (producer, mut ring) = rtrb::RingBuffer::new(8_192);
        let (ways, _processing) = ways(producer, Switch::Off);
        let mut recorder = Recorder::new(ways, 16_000);
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

    #[test]
    fn the_ringer_is_as_loud_as_wanted_from_the_next_callback_on() {
        let wants = Arc::new(Wants::default());
        let mut ringer = Ringer::new(wants.clone(), Country::INTERNATIONAL, RATE_HZ);
        wants.ring(RingPattern::Call);
        let mut peak = |percent| {
            wants.ring_volume(percent);
            ringer.begin(4_800);
            (0..4_800).map(|_| i32::from(ringer.next()).abs()).max().unwrap_or(0)
        };
        peak(100);
        let (full, half, off) = (peak(100), peak(50), peak(0));
        assert!(full > 1_000 && off == 0);
        assert!((half * 4).abs_diff(full) < 64, "{half} of {full}");
    }
}
