//! One stream of a sound device on a thread of its own: found, opened by the sound server or the system itself, and
//! kept until its life ends.

use super::devices::Wants;
use super::options::{Device, Driver};
use super::place::{Found, Place, System, choose, instead};
use super::voice::{Tap, Ways};
use super::{native, pulse};
use crate::media::Country;
use cpal::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

/// How often a stream's thread looks whether it should end, if nobody wakes it.
const REST: Duration = Duration::from_secs(1);

/// What the stream's thread, its callbacks and the device thread share.
#[derive(Default)]
pub(super) struct Life {
    callbacks: AtomicU64,
    errors: AtomicU64,
    /// How often the device had nothing to play.
    dry: AtomicU64,
    /// What the device keeps itself, in ms.
    latency_ms: AtomicU32,
    /// 0, or why the library says that it is over.
    over: AtomicU8,
    end: AtomicBool,
    ended: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Life {
    /// Callbacks and errors so far.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.callbacks.load(Ordering::Relaxed), self.errors.load(Ordering::Relaxed))
    }

    /// Why it is over, if the library has said so.
    pub(super) fn end_reason(&self) -> Option<String> {
        match self.over.load(Ordering::Acquire) {
            0 => None,
            1 => Some("it was unplugged".to_owned()),
            _ => Some("the sound system has ended it".to_owned()),
        }
    }

    /// Tells the thread to drop the stream.
    pub(super) fn end(&self) {
        self.end.store(true, Ordering::Release);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// The thread is through: it did not hang.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Whether it should end.
    pub(super) fn is_ending(&self) -> bool {
        self.end.load(Ordering::Acquire)
    }

    /// It is over: `unplugged`, or the sound system has gone.
    pub(super) fn lose(&self, unplugged: bool) {
        self.over.store(if unplugged { 1 } else { 2 }, Ordering::Release);
    }

    /// What the device keeps itself, in ms.
    pub(super) fn latency_ms(&self) -> u32 {
        self.latency_ms.load(Ordering::Relaxed)
    }

    pub(super) fn set_latency_ms(&self, ms: u32) {
        self.latency_ms.store(ms, Ordering::Relaxed);
    }

    /// The device had nothing to play.
    pub(super) fn count_dry(&self) {
        self.dry.fetch_add(1, Ordering::Relaxed);
    }

    /// A callback.
    pub(super) fn beat(&self) {
        self.callbacks.fetch_add(1, Ordering::Relaxed);
    }

    /// An error of the library.
    pub(super) fn take_error(&self, kind: ErrorKind) {
        match kind {
            ErrorKind::DeviceNotAvailable => self.lose(true),
            ErrorKind::StreamInvalidated | ErrorKind::HostUnavailable => self.lose(false),
            ErrorKind::Xrun => self.count_dry(),
            // A wish that was not granted: it goes on.
            ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged => {}
            _ => {
                self.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// What a stream does.
pub(super) enum Job {
    Capture(Ways),
    Playback(rtrb::Consumer<i16>, Option<Tap>),
    Ringer(Arc<Wants>, &'static Country),
}

/// Why a device could not be opened, and which one could be instead.
pub(super) struct Refusal {
    pub reason: String,
    pub instead: Option<Found>,
}

impl Refusal {
    /// For this reason, and with nothing instead.
    pub(super) fn because(reason: &str) -> Self {
        Self { reason: reason.to_owned(), instead: None }
    }
}

/// What a stream is opened by.
pub(super) struct Wanted {
    pub driver: Driver,
    pub choice: Device,
    /// The device that was in use before.
    pub pinned: Option<Place>,
}

impl Wanted {
    /// In which systems the device is looked for, in order.
    fn systems(&self) -> Vec<System> {
        match (self.driver, &self.choice, &self.pinned) {
            (Driver::Pulse, ..) => vec![System::Pulse],
            (Driver::Native, ..) => vec![System::Native],
            (Driver::Auto, Device::Default, Some(pinned)) => vec![pinned.system],
            (Driver::Auto, ..) if !pulse::is_there() => vec![System::Native],
            // A name that the server doesn't know may be one of the kernel's.
            (Driver::Auto, Device::Named(_), _) => vec![System::Pulse, System::Native],
            (Driver::Auto, ..) => vec![System::Pulse],
        }
    }
}

/// Opens a stream, answers with the device or the reason, and keeps it until its life ends.
pub(super) fn live(wanted: &Wanted, job: Job, life: &Arc<Life>, answer: &Sender<Result<Found, Refusal>>) {
    let _ = life.thread.set(std::thread::current());
    let input = matches!(job, Job::Capture(_));
    let system = find(wanted, input);
    let opened = system.and_then(|system| serve(system, wanted, job, life, answer));
    if let Err(reason) = opened {
        let _ = answer.send(Err(Refusal { reason, instead: offer(wanted, input) }));
    }
    life.ended.store(true, Ordering::Release);
}

/// The system that has the device.
fn find(wanted: &Wanted, input: bool) -> Result<System, String> {
    let systems = wanted.systems();
    let (first, rest) = systems.split_first().ok_or("switched off")?;
    if rest.is_empty() {
        return Ok(*first);
    }
    let has = |system: &&System| {
        let devices = devices(**system, input);
        choose(&devices, &wanted.choice, wanted.pinned.as_ref(), input).is_ok()
    };
    Ok(*systems.iter().find(has).unwrap_or(first))
}

/// Serves a stream to its end.
fn serve(
    system: System,
    wanted: &Wanted,
    job: Job,
    life: &Arc<Life>,
    answer: &Sender<Result<Found, Refusal>>,
) -> Result<(), String> {
    match system {
        System::Pulse => {
            let (stream, found) = pulse::stream::open(&wanted.choice, wanted.pinned.as_ref(), job)?;
            let _ = answer.send(Ok(found));
            stream.run(life);
        }
        System::Native => {
            let (stream, found) = native::open(&wanted.choice, wanted.pinned.as_ref(), job, life)?;
            let _ = answer.send(Ok(found));
            while !life.is_ending() {
                std::thread::park_timeout(REST);
            }
            // May hang, which is why it happens here.
            drop(stream);
        }
    }
    Ok(())
}

fn devices(system: System, input: bool) -> Vec<Found> {
    match system {
        System::Pulse => pulse::devices(input).unwrap_or_default(),
        System::Native => native::devices(input),
    }
}

/// What there is instead of a device that is gone.
fn offer(wanted: &Wanted, input: bool) -> Option<Found> {
    let gone = matches!(wanted.choice, Device::Named(_)) || wanted.pinned.is_some();
    let system = wanted.systems().first().copied().filter(|_| gone)?;
    instead(&devices(system, input), input).cloned()
}

/// The names of the devices there are: microphones, and speakers. Takes its time (devices are tried): not for a thread
/// that mustn't wait.
pub fn device_names(driver: Driver) -> (Vec<String>, Vec<String>) {
    let wanted = Wanted { driver, choice: Device::Default, pinned: None };
    let system = wanted.systems().first().copied().unwrap_or(System::Native);
    let names = |input| {
        let there = devices(system, input).into_iter().filter(|device| !(input && device.monitor));
        there.map(|device| device.label).collect()
    };
    (names(true), names(false))
}

/// A sound device that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDevice {
    /// Its name, by which it can be chosen.
    pub name: String,
    /// It records; else it plays.
    pub records: bool,
    /// It is no microphone: it records what a speaker plays.
    pub monitor: bool,
    /// It is heard in the room.
    pub loud: bool,
}

/// All devices there are, those that record first. Takes its time, as [`device_names`] does.
pub fn devices_there(driver: Driver) -> Vec<ListedDevice> {
    let wanted = Wanted { driver, choice: Device::Default, pinned: None };
    let system = wanted.systems().first().copied().unwrap_or(System::Native);
    let listed = |records| {
        let there = devices(system, records).into_iter();
        there.map(move |Found { label, monitor, loud, .. }| ListedDevice {
            name: label,
            records,
            monitor,
            loud,
        })
    };
    listed(true).chain(listed(false)).collect()
}
