//! The device thread: opens and closes sound devices as they are wanted, notices when one is lost, and takes it again
//! when it returns. It never waits for a device itself: each stream lives on a thread of its own, which may hang.

use super::Wake;
use super::card::{self, Job, Life, Refusal, Wanted};
use super::options::{Device, Driver, SoundOptions};
use super::order::{DeviceOrder, Wiring};
use super::place::{Found, Place};
use super::processing::{Switches, Work};
use super::voice::{Inlet, Tap, Ways};
use crate::media::{Country, Report, RingPattern, Role};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

/// How often devices that run are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long a device stays open after its last use, so that hold and resume don't reopen it.
const LINGER: Duration = Duration::from_secs(3);
/// How long opening may take.
const OPENING_MAX: Duration = Duration::from_secs(5);
/// How long a device may go without a callback.
const SILENT_MAX: Duration = Duration::from_millis(600);
/// The same before its first.
const START_MAX: Duration = Duration::from_secs(3);
/// So many errors since the last callback mean that it is lost: ALSA says so by calling its error handler without end.
const ERRORS_MAX: u64 = 10;
/// And so long without a callback: an overrun brings errors, too, but is soon over.
const ERRING_MAX: Duration = Duration::from_millis(120);
/// When it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Threads that may hang in the sound library at a time; beyond, devices are given up until one returns.
const HUNG_MAX: usize = 32;
/// Samples a ring between the media thread and a device holds: 170 ms.
const RING: usize = 8_192;

/// What is wanted of the devices: written by the media thread, read by the device thread and the ringer's callback.
#[derive(Default)]
pub(super) struct Wants {
    microphone: AtomicBool,
    headset: AtomicBool,
    ring: AtomicU8,
    /// Percent that the ringer is quieter than it could be.
    ring_softer: AtomicU8,
    second_ear: AtomicBool,
    /// What microphone and headset keep themselves, in ms.
    latencies: [AtomicU32; 2],
    stop: AtomicBool,
}

impl Wants {
    /// Whether anything changed.
    pub(super) fn headset(&self, microphone: bool, headset: bool) -> bool {
        let microphone_before = self.microphone.swap(microphone, Ordering::AcqRel);
        let headset_before = self.headset.swap(headset, Ordering::AcqRel);
        (microphone_before, headset_before) != (microphone, headset)
    }

    /// Whether it changed.
    pub(super) fn second_ear(&self, wanted: bool) -> bool {
        self.second_ear.swap(wanted, Ordering::AcqRel) != wanted
    }

    /// Whether it changed.
    pub(super) fn ring(&self, pattern: RingPattern) -> bool {
        let code = match pattern {
            RingPattern::Off => 0,
            RingPattern::Call => 1,
            RingPattern::Comeback => 2,
        };
        self.ring.swap(code, Ordering::AcqRel) != code
    }

    /// How loud the ringer rings, in percent.
    pub(super) fn ring_volume(&self, percent: u8) {
        self.ring_softer.store(100u8.saturating_sub(percent), Ordering::Relaxed);
    }

    /// What a sample of the ringer is multiplied by, in 1/32768: the ear hears half the percent as half as loud.
    pub(super) fn ring_gain(&self) -> i32 {
        let percent = 100 - i32::from(self.ring_softer.load(Ordering::Relaxed).min(100));
        32_768 * percent * percent / 10_000
    }

    /// What microphone and headset keep themselves, in ms.
    pub(super) fn latencies(&self) -> (u32, u32) {
        let [microphone, headset] = &self.latencies;
        (microphone.load(Ordering::Relaxed), headset.load(Ordering::Relaxed))
    }

    fn tell_latency(&self, role: Role, ms: u32) {
        let [microphone, headset] = &self.latencies;
        match role {
            Role::Microphone => microphone.store(ms, Ordering::Relaxed),
            Role::Headset => headset.store(ms, Ordering::Relaxed),
            Role::Ringer | Role::SecondEar => {}
        }
    }

    pub(super) fn pattern(&self) -> RingPattern {
        match self.ring.load(Ordering::Acquire) {
            1 => RingPattern::Call,
            2 => RingPattern::Comeback,
            _ => RingPattern::Off,
        }
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// A device that went a moment ago: nothing is said if it is back at once.
struct Lost {
    name: String,
    reason: String,
}

/// The other ends of a device's rings.
#[derive(Default)]
struct Rings {
    /// The media thread's.
    media: Option<Wiring>,
    /// The processing thread's.
    processing: Option<Work>,
}

enum State {
    Closed,
    Opening {
        since: Instant,
        life: Arc<Life>,
        answer: Receiver<Result<Found, Refusal>>,
        rings: Rings,
        lost: Option<Lost>,
    },
    Open {
        name: String,
        life: Arc<Life>,
        callbacks: u64,
        errors: u64,
        moved: Instant,
        started: bool,
    },
    Failed {
        retry: Instant,
    },
}

/// One of the devices.
struct Unit {
    role: Role,
    choice: Device,
    /// The device in use, or last in use: where the system chooses, it stays with that one.
    pinned: Option<Place>,
    /// What could be used instead, as it was told.
    offered: Option<Found>,
    state: State,
    last_wanted: Option<Instant>,
    /// The reason last told, so that it is told once.
    told: Option<String>,
}

pub(super) struct DeviceThread {
    units: [Unit; 4],
    driver: Driver,
    country: &'static Country,
    orders: rtrb::Consumer<DeviceOrder>,
    wants: Arc<Wants>,
    wiring: rtrb::Producer<Wiring>,
    processing: Sender<Work>,
    switches: Arc<Switches>,
    reports: rtrb::Producer<Report>,
    wake: Wake,
    /// Streams that were told to end, until their thread has.
    ending: Vec<Arc<Life>>,
}

impl DeviceThread {
    pub(super) fn new(
        options: &SoundOptions,
        orders: rtrb::Consumer<DeviceOrder>,
        wants: Arc<Wants>,
        (wiring, processing): (rtrb::Producer<Wiring>, Sender<Work>),
        switches: Arc<Switches>,
        (reports, wake): (rtrb::Producer<Report>, Wake),
    ) -> Self {
        let unit = |role, choice: &Device| Unit {
            role,
            choice: choice.clone(),
            pinned: None,
            offered: None,
            state: State::Closed,
            last_wanted: None,
            told: None,
        };
        let units = [
            unit(Role::Microphone, &options.microphone),
            unit(Role::Headset, &options.headset),
            unit(Role::Ringer, &options.ringer),
            unit(Role::SecondEar, &options.second_ear),
        ];
        Self {
            units,
            driver: options.driver,
            country: options.country,
            orders,
            wants,
            wiring,
            processing,
            switches,
            reports,
            wake,
            ending: Vec::new(),
        }
    }

    pub(super) fn run(mut self) {
        while !self.wants.stop.load(Ordering::Acquire) {
            let now = Instant::now();
            let mut idle = true;
            while let Ok(order) = self.orders.pop() {
                self.obey(order);
            }
            for at in 0..self.units.len() {
                idle &= self.look_after(at, now);
            }
            self.ending.retain(|life| !life.has_ended());
            if idle {
                std::thread::park();
            } else {
                std::thread::park_timeout(LOOK);
            }
        }
        for at in 0..self.units.len() {
            self.close(at);
        }
    }

    fn obey(&mut self, order: DeviceOrder) {
        for at in 0..self.units.len() {
            let unit = &mut self.units[at];
            match &order {
                DeviceOrder::Use { role, device } if *role == unit.role => {
                    (unit.choice, unit.pinned) = (device.clone(), None);
                }
                // The same place in the same system, whatever else bears its name.
                DeviceOrder::TakeOffered => match unit.offered.take() {
                    Some(found) => (unit.choice, unit.pinned) = (Device::Default, Some(found.place)),
                    None => continue,
                },
                DeviceOrder::Use { .. } => continue,
            }
            (unit.told, unit.offered) = (None, None);
            self.close(at);
        }
    }

    /// Moves one device on; `true`: there is nothing to do until something is wanted.
    fn look_after(&mut self, at: usize, now: Instant) -> bool {
        let wanted = self.is_wanted(at, now);
        let unit = &mut self.units[at];
        match &mut unit.state {
            State::Closed if unit.choice == Device::Off => return true,
            State::Closed if wanted => self.open(at, now, None),
            State::Closed => return true,
            State::Opening { .. } | State::Open { .. } | State::Failed { .. } if !wanted => {
                self.close(at);
                return true;
            }
            State::Failed { retry } if now >= *retry => self.open(at, now, None),
            State::Failed { .. } => {}
            State::Opening { .. } => self.await_opening(at, now),
            State::Open { .. } => self.check(at, now),
        }
        false
    }

    fn is_wanted(&mut self, at: usize, now: Instant) -> bool {
        let unit = &mut self.units[at];
        let (wanted, linger) = match unit.role {
            Role::Microphone => (self.wants.microphone.load(Ordering::Acquire), true),
            Role::Headset => (self.wants.headset.load(Ordering::Acquire), true),
            Role::Ringer => (self.wants.pattern() != RingPattern::Off, true),
            Role::SecondEar => (self.wants.second_ear.load(Ordering::Acquire), true),
        };
        if wanted {
            unit.last_wanted = Some(now);
        }
        wanted || (linger && unit.last_wanted.is_some_and(|last| now.duration_since(last) < LINGER))
    }

    fn open(&mut self, at: usize, now: Instant, lost: Option<Lost>) {
        if self.ending.len() >= HUNG_MAX {
            self.fail(at, now, lost, "the sound system does not answer".to_owned());
            return;
        }
        let unit = &mut self.units[at];
        let (job, rings) = match unit.role {
            Role::Microphone => microphone(&self.switches),
            Role::Headset => headset(&self.switches),
            Role::SecondEar => {
                let (producer, consumer) = rtrb::RingBuffer::new(RING);
                let media = Some(Wiring::SecondEar(Some(producer)));
                (Job::Playback(consumer, None), Rings { media, processing: None })
            }
            Role::Ringer => (Job::Ringer(self.wants.clone(), self.country), Rings::default()),
        };
        let life = Arc::new(Life::default());
        let (answer_in, answer) = channel();
        let wanted = Wanted { driver: self.driver, choice: unit.choice.clone(), pinned: unit.pinned.clone() };
        let of_thread = life.clone();
        let thread = std::thread::Builder::new()
            .name("sound-stream".into())
            .spawn(move || card::live(&wanted, job, &of_thread, &answer_in));
        match thread {
            Ok(_) => unit.state = State::Opening { since: now, life, answer, rings, lost },
            Err(error) => self.fail(at, now, lost, error.to_string()),
        }
    }

    fn await_opening(&mut self, at: usize, now: Instant) {
        let State::Opening { since, life, answer, rings, lost } = &mut self.units[at].state else {
            return;
        };
        let result = match answer.try_recv() {
            Ok(result) => result,
            Err(TryRecvError::Empty) if now.duration_since(*since) < OPENING_MAX => return,
            Err(TryRecvError::Empty) => Err(Refusal::because("the sound system does not answer")),
            Err(TryRecvError::Disconnected) => Err(Refusal::because("the sound library gave up")),
        };
        let (life, rings, lost) = (life.clone(), std::mem::take(rings), lost.take());
        match result {
            Ok(found) => self.opened(at, now, found, life, rings, lost),
            Err(Refusal { reason, instead }) => {
                self.close(at);
                self.fail(at, now, lost, reason);
                self.offer(at, instead);
            }
        }
    }

    fn opened(
        &mut self,
        at: usize,
        now: Instant,
        found: Found,
        life: Arc<Life>,
        rings: Rings,
        lost: Option<Lost>,
    ) {
        let unit = &mut self.units[at];
        let role = unit.role;
        let (name, loud) = (found.label, found.loud);
        (unit.told, unit.offered, unit.pinned) = (None, None, Some(found.place));
        unit.state =
            State::Open { name: name.clone(), life, callbacks: 0, errors: 0, moved: now, started: false };
        if role == Role::Headset {
            self.switches.set_loud(loud);
        }
        if let Some(media) = rings.media {
            // Full: the media thread stands still, and with it all else.
            let _ = self.wiring.push(media);
        }
        if let Some(processing) = rings.processing {
            let _ = self.processing.send(processing);
            self.switches.wake();
        }
        match lost {
            Some(lost) if lost.name == name => {}
            lost => {
                self.tell_loss(role, lost);
                self.report(Report::DeviceReady { role, name, loud });
            }
        }
    }

    /// Whether an open device still lives. One that doesn't is opened anew at once.
    fn check(&mut self, at: usize, now: Instant) {
        let unit = &mut self.units[at];
        let State::Open { life, callbacks, errors, moved, started, name } = &mut unit.state else { return };
        let (callbacks_now, errors_now) = life.counts();
        self.wants.tell_latency(unit.role, life.latency_ms());
        if callbacks_now != *callbacks {
            (*callbacks, *errors, *moved, *started) = (callbacks_now, errors_now, now, true);
        }
        let still = now.duration_since(*moved);
        let patience = if *started { SILENT_MAX } else { START_MAX };
        let reason = if let Some(reason) = life.end_reason() {
            reason
        } else if errors_now - *errors >= ERRORS_MAX && still > ERRING_MAX {
            "the sound system reports nothing but errors".to_owned()
        } else if still > patience {
            "it has stopped".to_owned()
        } else {
            return;
        };
        let lost = Lost { name: std::mem::take(name), reason };
        self.close(at);
        self.open(at, now, Some(lost));
    }

    fn fail(&mut self, at: usize, now: Instant, lost: Option<Lost>, reason: String) {
        let unit = &mut self.units[at];
        unit.state = State::Failed { retry: now + RETRY };
        let role = unit.role;
        // After a loss everything that fails is the same loss.
        let told = unit.told.replace(reason.clone()).is_some();
        if lost.is_some() {
            self.tell_loss(role, lost);
        } else if !told {
            self.report(Report::NoDevice { role, reason });
        }
    }

    /// Names another device, once.
    fn offer(&mut self, at: usize, instead: Option<Found>) {
        let unit = &mut self.units[at];
        if let Some(found) = instead
            && unit.offered.as_ref() != Some(&found)
        {
            let (role, name) = (unit.role, found.label.clone());
            unit.offered = Some(found);
            self.report(Report::DeviceOffered { role, name });
        }
    }

    fn tell_loss(&mut self, role: Role, lost: Option<Lost>) {
        if let Some(Lost { name, reason }) = lost {
            self.report(Report::DeviceLost { role, name, reason });
        }
    }

    fn close(&mut self, at: usize) {
        let unit = &mut self.units[at];
        let was_open = matches!(unit.state, State::Open { .. });
        let state = std::mem::replace(&mut unit.state, State::Closed);
        if let State::Opening { life, .. } | State::Open { life, .. } = state {
            life.end();
            self.ending.push(life);
        }
        if was_open {
            let _ = match unit.role {
                Role::Microphone => self.wiring.push(Wiring::Capture(None)),
                Role::Headset => self.wiring.push(Wiring::Playback(None)),
                Role::SecondEar => self.wiring.push(Wiring::SecondEar(None)),
                Role::Ringer => Ok(()),
            };
        }
    }

    fn report(&mut self, report: Report) {
        // Full: the owner hasn't looked for a long time, and what he finds is as good.
        let _ = self.reports.push(report);
        (self.wake)();
    }
}

/// A microphone's job, and the other ends of its rings.
fn microphone(switches: &Arc<Switches>) -> (Job, Rings) {
    let (direct, direct_out) = rtrb::RingBuffer::new(RING);
    let (raw, raw_out) = rtrb::RingBuffer::new(RING);
    let (processed, processed_out) = rtrb::RingBuffer::new(RING);
    let media = Some(Wiring::Capture(Some(Inlet::new(direct_out, processed_out))));
    let processing = Some(Work::Microphone { raw: raw_out, processed });
    (Job::Capture(Ways { direct, raw, switches: switches.clone() }), Rings { media, processing })
}

/// A headset's, which lets the echo canceller hear what it plays.
fn headset(switches: &Arc<Switches>) -> (Job, Rings) {
    let (producer, consumer) = rtrb::RingBuffer::new(RING);
    let (played, played_out) = rtrb::RingBuffer::new(RING);
    let media = Some(Wiring::Playback(Some(producer)));
    let tap = Tap { ring: played, switches: switches.clone() };
    (Job::Playback(consumer, Some(tap)), Rings { media, processing: Some(Work::Loudspeaker(played_out)) })
}
