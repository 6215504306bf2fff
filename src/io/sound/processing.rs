//! The thread that processes the microphone's sound, between the card and the media thread: it allocates, which neither
//! of them may. While nothing is switched on it sleeps, and sound goes past it.
//!
//! ```text
//! microphone ─┬─ direct ──────────────────────────► media thread
//!             └─ raw ──► processing ── processed ──► media thread     (while anything is switched on)
//! loudspeaker ── played ──►┘
//! ```

use crate::media::{
    FRAME, PIECE, Process, Processing, ProcessingFigures, Processor, SILENCE_DBFS, Switch, piece_level_dbfs,
};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

/// How often the thread looks around while it works, if no sound wakes it.
const LOOK: Duration = Duration::from_millis(100);
/// Pieces between two looks at what the processing says of itself.
const FIGURES_EACH: u32 = 25;
/// What the loudspeaker played that may wait before some of it is left out: two frames beyond a piece.
const PLAYED_MAX: usize = PIECE + 2 * FRAME;
/// What must wait before the first of it is taken, so that a device that takes its sound in pieces is covered.
const PLAYED_FIRST: usize = 2 * PIECE;

/// What is switched on, and what the processing says of itself: shared by everybody, and nobody waits.
pub(super) struct Switches {
    set: [AtomicU8; 3],
    /// The headset is a loudspeaker.
    loud: AtomicBool,
    active: AtomicBool,
    /// Bits of levels in dB; NaN: none.
    before: AtomicU32,
    erle: AtomicU32,
    /// In ms; the largest: none.
    delay: AtomicU32,
    stop: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Switches {
    /// For echo, noise and gain.
    pub(super) fn new(switches: [Switch; 3]) -> Self {
        Self {
            set: switches.map(|switch| AtomicU8::new(code(switch))),
            loud: AtomicBool::new(false),
            active: AtomicBool::new(switches.contains(&Switch::On)),
            before: AtomicU32::new(SILENCE_DBFS.to_bits()),
            erle: AtomicU32::new(f32::NAN.to_bits()),
            delay: AtomicU32::new(u32::MAX),
            stop: AtomicBool::new(false),
            thread: OnceLock::new(),
        }
    }

    pub(super) fn set(&self, process: Process, switch: Switch) {
        if let Some(set) = self.set.get(place(process)) {
            set.store(code(switch), Ordering::SeqCst);
        }
        self.changed();
    }

    /// The headset is a loudspeaker, or none.
    pub(super) fn set_loud(&self, loud: bool) {
        self.loud.store(loud, Ordering::SeqCst);
        self.changed();
    }

    fn changed(&self) {
        self.active.store(self.in_force().any(), Ordering::SeqCst);
        self.wake();
    }

    /// What is in force now.
    pub(super) fn in_force(&self) -> Processing {
        let loud = self.loud.load(Ordering::SeqCst);
        let on = |process| {
            let set = self.set.get(place(process)).map_or(0, |set| set.load(Ordering::SeqCst));
            set == code(Switch::On) || (set == code(Switch::Auto) && loud)
        };
        Processing { echo: on(Process::Echo), noise: on(Process::Noise), gain: on(Process::Gain) }
    }

    /// Whether anything is.
    pub(super) fn active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Sound has come for the thread.
    pub(super) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// What the processing says of itself since the last look, while it works.
    pub(super) fn figures(&self) -> Option<ProcessingFigures> {
        let known = |bits: &AtomicU32| {
            Some(f32::from_bits(bits.load(Ordering::Relaxed))).filter(|value| value.is_finite())
        };
        self.active().then(|| ProcessingFigures {
            before_dbfs: f32::from_bits(self.before.swap(SILENCE_DBFS.to_bits(), Ordering::Relaxed)),
            erle_db: known(&self.erle),
            echo_delay_ms: Some(self.delay.load(Ordering::Relaxed)).filter(|ms| *ms != u32::MAX),
        })
    }

    fn tell_before(&self, level_dbfs: f32) {
        let louder = f32::from_bits(self.before.load(Ordering::Relaxed)).max(level_dbfs);
        self.before.store(louder.to_bits(), Ordering::Relaxed);
    }

    fn tell(&self, figures: &ProcessingFigures) {
        self.erle.store(figures.erle_db.unwrap_or(f32::NAN).to_bits(), Ordering::Relaxed);
        self.delay.store(figures.echo_delay_ms.unwrap_or(u32::MAX), Ordering::Relaxed);
    }
}

fn place(process: Process) -> usize {
    match process {
        Process::Echo => 0,
        Process::Noise => 1,
        Process::Gain => 2,
    }
}

fn code(switch: Switch) -> u8 {
    match switch {
        Switch::Auto => 0,
        Switch::On => 1,
        Switch::Off => 2,
    }
}

/// The thread's ends of the rings of a device that was opened.
pub(super) enum Work {
    /// The microphone's sound, and where it goes.
    Microphone { raw: rtrb::Consumer<i16>, processed: rtrb::Producer<i16> },
    /// What the loudspeaker plays.
    Loudspeaker(rtrb::Consumer<i16>),
}

/// The thread.
pub(super) struct ProcessingThread {
    switches: Arc<Switches>,
    work: Receiver<Work>,
    microphone: Option<(rtrb::Consumer<i16>, rtrb::Producer<i16>)>,
    played: Option<Played>,
    processor: Option<Processor>,
    figures_in: u32,
}

impl ProcessingThread {
    pub(super) fn new(switches: Arc<Switches>, work: Receiver<Work>) -> Self {
        Self { switches, work, microphone: None, played: None, processor: None, figures_in: FIGURES_EACH }
    }

    pub(super) fn run(mut self) {
        let _ = self.switches.thread.set(std::thread::current());
        while !self.switches.stop.load(Ordering::SeqCst) && self.take_work() {
            if self.work() {
                std::thread::park_timeout(LOOK);
            } else {
                std::thread::park();
            }
        }
    }

    /// Takes over the rings of devices that came; `false`: there will never be any again.
    fn take_work(&mut self) -> bool {
        loop {
            match self.work.try_recv() {
                Ok(Work::Microphone { raw, processed }) => self.microphone = Some((raw, processed)),
                Ok(Work::Loudspeaker(ring)) => self.played = Some(Played::new(ring)),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Processes what has come; `false`: there is nothing to do until somebody wakes us.
    fn work(&mut self) -> bool {
        let wanted = self.switches.in_force();
        if self.microphone.as_ref().is_some_and(|(raw, _)| raw.is_abandoned() && raw.is_empty()) {
            self.microphone = None;
        }
        let Some((raw, processed)) = self.microphone.as_mut().filter(|_| wanted.any()) else {
            self.processor = None;
            return false;
        };
        if self.processor.as_ref().map(Processor::wanted) != Some(wanted) {
            if self.processor.is_none() {
                // What waits is of another time.
                drain(raw);
                self.played.iter_mut().for_each(Played::begin_anew);
            }
            self.processor = Some(Processor::new(wanted));
        }
        let Some(processor) = &mut self.processor else { return false };
        let mut piece = [0; PIECE];
        while raw.slots() >= PIECE && raw.pop_entire_slice(&mut piece).is_ok() {
            self.switches.tell_before(piece_level_dbfs(&piece));
            if wanted.echo {
                let mut far = [0; PIECE];
                if let Some(played) = &mut self.played {
                    played.take(&mut far);
                }
                processor.hear(&far);
            }
            processor.process(&mut piece);
            // Full: nobody listens.
            let _ = processed.push_entire_slice(&piece);
            self.figures_in -= 1;
            if self.figures_in == 0 {
                self.figures_in = FIGURES_EACH;
                self.switches.tell(&processor.figures());
            }
        }
        true
    }
}

fn drain(ring: &mut rtrb::Consumer<i16>) {
    if let Ok(all) = ring.read_chunk(ring.slots()) {
        all.commit_all();
    }
}

/// What the loudspeaker played. Where its card's clock isn't the microphone's, a piece is left out or lacking every minute
/// or two; in between the echo canceller follows.
struct Played {
    ring: rtrb::Consumer<i16>,
    runs: bool,
}

impl Played {
    fn new(ring: rtrb::Consumer<i16>) -> Self {
        Self { ring, runs: false }
    }

    fn begin_anew(&mut self) {
        drain(&mut self.ring);
        self.runs = false;
    }

    /// The next piece; silence where nothing was played.
    fn take(&mut self, piece: &mut [i16; PIECE]) {
        let waiting = self.ring.slots();
        if waiting > PLAYED_MAX
            && let Ok(surplus) = self.ring.read_chunk(waiting - PLAYED_FIRST)
        {
            surplus.commit_all();
        }
        let waiting = self.ring.slots();
        self.runs = if self.runs { waiting >= PIECE } else { waiting >= PLAYED_FIRST };
        if self.runs {
            let _ = self.ring.pop_entire_slice(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_loudspeaker_switches_on_what_is_left_to_itself_and_a_headset_does_not() {
        let switches = Switches::new([Switch::Auto, Switch::On, Switch::Off]);
        assert_eq!(switches.in_force(), Processing { echo: false, noise: true, gain: false });
        switches.set_loud(true);
        assert_eq!(switches.in_force(), Processing { echo: true, noise: true, gain: false });
        switches.set(Process::Noise, Switch::Off);
        switches.set(Process::Echo, Switch::Off);
        assert!(!switches.active() && switches.figures().is_none());
        switches.set(Process::Gain, Switch::On);
        switches.set_loud(false);
        assert!(switches.active() && switches.in_force().has(Process::Gain));
    }

    #[test]
    fn what_the_microphone_hears_of_the_loudspeaker_is_taken_out_and_sound_goes_on_when_it_stops() {
        let switches = Arc::new(Switches::new([Switch::On, Switch::Off, Switch::Off]));
        let (work_in, work) = channel();
        let mut thread = ProcessingThread::new(switches.clone(), work);
        let (mut raw_in, raw) = rtrb::RingBuffer::new(8_192);
        let (processed, mut out) = rtrb::RingBuffer::new(8_192);
        let (mut played_in, played) = rtrb::RingBuffer::new(8_192);
        assert!(work_in.send(Work::Microphone { raw, processed }).is_ok());
        assert!(work_in.send(Work::Loudspeaker(played)).is_ok());
        assert!(thread.take_work() && thread.work());
        let mut random = 1_u32;
        let mut past = vec![[0_i16; PIECE]; 4];
        let (mut echo, mut left) = (0.0_f64, 0.0_f64);
        for n in 0..400 {
            let mut loud = [0_i16; PIECE];
            for sample in &mut loud {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample = ((random >> 16) as i16) / 8;
            }
            assert!(played_in.push_entire_slice(&loud).is_ok());
            past.rotate_right(1);
            past[0] = loud;
            // Thirty ms later, at a third.
            assert!(raw_in.push_entire_slice(&past[3].map(|sample| sample / 3)).is_ok());
            assert!(thread.work());
            let mut clean = [0_i16; PIECE];
            if out.pop_entire_slice(&mut clean).is_ok() && n >= 300 {
                let power = |piece: &[i16; PIECE]| piece.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
                (echo, left) = (echo + power(&past[3]) / 9.0, left + power(&clean));
            }
        }
        assert!(echo > 0.0 && 10.0 * (echo / left.max(1.0)).log10() > 25.0, "{echo} became {left}");
        assert!(switches.figures().is_some_and(|figures| figures.before_dbfs > -40.0));
        drop((raw_in, played_in));
        assert!(!thread.work(), "the microphone is closed");
    }
}
