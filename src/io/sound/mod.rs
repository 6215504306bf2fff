//! The media engine: a media thread outside tokio (UDP sockets by mio, the 20 ms tick), the sound devices and the
//! handshakes for encrypted sound on threads of their own. Commands go in by a wait-free ring, reports come out by one.

mod board;
mod card;
mod devices;
mod engine;
mod handshake;
mod native;
mod options;
mod order;
mod place;
mod ports;
mod processing;
mod pulse;
mod socket;
mod tape;
mod voice;

pub use card::{ListedDevice, device_names, devices_there};
pub use options::{Device, Driver, Format, Recordings, SoundOptions};

use crate::media::{
    Command, Country, Cover, Prepared, Processing, Protection, Report, Role, SrtpSession, Stream,
    StreamConfig, StreamId,
};
use devices::{DeviceThread, Wants};
use engine::{Engine, Links};
use handshake::{Certificate, Handshakes, RECORDS, Rings, Wanted};
use mio::{Poll, Waker};
use order::{DeviceOrder, Feed, Notice, Order, Trash};
use ports::Pool;
use processing::{ProcessingThread, Switches};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tape::Tapes;

/// Commands that may wait for the media thread, and again as many reports for the owner.
pub const QUEUE: usize = 4096;
/// Reports of the device thread, and ring ends on their way to the media thread, that may wait.
const DEVICE_QUEUE: usize = 64;
/// How long a telephone event of [`Command::Digit`] lasts.
const DIGIT_MS: u16 = 160;

/// The owner's wake-up call.
type Wake = Arc<dyn Fn() + Send + Sync>;

/// The media engine: made by [`MediaEngine::start`], steered by the [`MediaHandle`].
pub struct MediaEngine;

impl MediaEngine {
    /// Starts the threads. `wake` is called (from them; it must not block) whenever reports wait for
    /// [`MediaHandle::try_recv`]; a `tokio::sync::Notify::notify_one` is good.
    ///
    /// # Errors
    /// When the poller, the threads or a certificate can't be made, or not one port can be bound on `options.address`.
    pub fn start(options: SoundOptions, wake: impl Fn() + Send + Sync + 'static) -> io::Result<MediaHandle> {
        let wake: Wake = Arc::new(wake);
        let pool = Pool::new(&options)?;
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), engine::WAKE)?);
        let stop = Arc::new(AtomicBool::new(false));
        let (orders_in, orders) = rtrb::RingBuffer::new(QUEUE);
        let (notices, notices_out) = rtrb::RingBuffer::new(QUEUE);
        let (trash, trash_out) = rtrb::RingBuffer::new(QUEUE);
        let (wiring_in, wiring) = rtrb::RingBuffer::new(DEVICE_QUEUE);
        let (device_reports_in, device_reports) = rtrb::RingBuffer::new(DEVICE_QUEUE);
        let wants = Arc::new(Wants::default());
        let (device_orders_in, device_orders) = rtrb::RingBuffer::new(DEVICE_QUEUE);
        let switches = Arc::new(Switches::new([options.echo, options.noise, options.gain]));
        let (work_in, work) = std::sync::mpsc::channel();
        let processing = ProcessingThread::new(switches.clone(), work);
        let processing =
            std::thread::Builder::new().name("sound-processing".into()).spawn(move || processing.run())?;
        let devices = DeviceThread::new(
            &options,
            device_orders,
            wants.clone(),
            (wiring_in, work_in),
            switches.clone(),
            (device_reports_in, wake.clone()),
        );
        let devices =
            std::thread::Builder::new().name("sound-devices".into()).spawn(move || devices.run())?;
        let certificate = Certificate::generate()?;
        let (wanted_in, wanted) = rtrb::RingBuffer::new(QUEUE);
        let (records_in, records) = rtrb::RingBuffer::new(RECORDS);
        let (shaken_in, shaken) = rtrb::RingBuffer::new(RECORDS);
        let (handshake_reports_in, handshake_reports) = rtrb::RingBuffer::new(QUEUE);
        let rings = Rings {
            wanted,
            records,
            shaken: shaken_in,
            reports: handshake_reports_in,
            media: waker.clone(),
            wake: wake.clone(),
            stop: stop.clone(),
        };
        let handshakes = Handshakes::new(rings, &certificate)?;
        let handshakes =
            std::thread::Builder::new().name("handshakes".into()).spawn(move || handshakes.run())?;
        let (tape_reports_in, tape_reports) = std::sync::mpsc::channel();
        let tapes = Tapes::new(options.recordings.clone(), tape_reports_in, wake.clone());
        let country = options.country;
        let links = Links {
            shaken,
            records: records_in,
            handshake_thread: handshakes.thread().clone(),
            orders,
            notices,
            trash,
            wiring,
            wants: wants.clone(),
            switches: switches.clone(),
            device_thread: devices.thread().clone(),
            wake: wake.clone(),
            stop: stop.clone(),
            country,
            has_second_ear: options.second_ear != Device::Off,
        };
        let engine = Engine::new(poll, pool, options.streams_max, links);
        let media = std::thread::Builder::new().name("media".into()).spawn(move || engine.run())?;
        Ok(MediaHandle {
            orders: orders_in,
            notices: notices_out,
            trash: trash_out,
            device_orders: device_orders_in,
            device_reports,
            handshake_reports,
            wanted: wanted_in,
            fingerprint: certificate.fingerprint,
            waker,
            stop,
            wants,
            switches,
            processing_told: Processing::default(),
            wake,
            tapes,
            tape_reports,
            country,
            threads: [Some(media), Some(devices), Some(processing), Some(handshakes)],
            known: HashMap::new(),
            random: SmallRng::seed_from_u64(options.seed),
        })
    }
}

/// The owner's end. Dropping it ends the threads and closes the ports.
pub struct MediaHandle {
    orders: rtrb::Producer<Order>,
    notices: rtrb::Consumer<Notice>,
    trash: rtrb::Consumer<Trash>,
    device_orders: rtrb::Producer<DeviceOrder>,
    device_reports: rtrb::Consumer<Report>,
    handshake_reports: rtrb::Consumer<Report>,
    wanted: rtrb::Producer<Wanted>,
    fingerprint: [u8; 32],
    waker: Arc<Waker>,
    stop: Arc<AtomicBool>,
    wants: Arc<Wants>,
    switches: Arc<Switches>,
    /// The processing in force as the owner was told.
    processing_told: Processing,
    wake: Wake,
    tapes: Tapes,
    tape_reports: std::sync::mpsc::Receiver<Report>,
    country: &'static Country,
    threads: [Option<JoinHandle<()>>; 4],
    known: HashMap<StreamId, Known>,
    random: SmallRng,
}

/// What a stream was last told, to know when codecs, keys or a handshake have to be made.
#[derive(Default)]
struct Known {
    config: Option<StreamConfig>,
    protection: Protection,
    /// From the next configuration on.
    wanted: Option<Protection>,
}

impl MediaHandle {
    /// Gives a command. `false`: [`QUEUE`] commands wait already and this one is dropped.
    pub fn send(&mut self, command: Command) -> bool {
        self.empty_trash();
        // A bridge is two orders, and so are new keys with their configuration: all or nothing.
        if self.orders.slots() < 2 || self.wanted.is_full() {
            return false;
        }
        if let Command::Bridge { a, b } = command {
            self.put(Order::Send { stream: a, feed: Feed::Bridge(b) });
            self.put(Order::Send { stream: b, feed: Feed::Bridge(a) });
        } else if let Some(order) = self.order(command) {
            self.put(order);
        }
        // An error here means that the poller is gone, and with it the thread.
        let _ = self.waker.wake();
        true
    }

    fn put(&mut self, order: Order) {
        let _ = self.orders.push(order);
    }

    /// The order for a command; `None` when it names a stream that isn't open.
    fn order(&mut self, command: Command) -> Option<Order> {
        Some(match command {
            Command::Open { stream, port } => {
                if self.known.contains_key(&stream) {
                    return None;
                }
                self.known.insert(stream, Known::default());
                Order::Open { stream, port }
            }
            Command::Configure { stream, config } => return self.configure(stream, config),
            Command::Protect { stream, protection } => {
                self.known.get_mut(&stream)?.wanted = Some(protection);
                return None;
            }
            Command::Send { stream, source } => Order::Send { stream, feed: Feed::of(source, self.country) },
            Command::Hear { stream, sink } => Order::Hear { stream, sink },
            Command::Bridge { a, b } => Order::Send { stream: a, feed: Feed::Bridge(b) },
            Command::Digit { stream, digit } => Order::Digit { stream, digit },
            Command::Close { stream } => {
                if matches!(self.known.remove(&stream)?.protection, Protection::Dtls { .. }) {
                    self.want(Wanted::End { stream });
                }
                Order::Close { stream }
            }
            Command::Ring { pattern } => Order::Ring { pattern },
            Command::RingVolume { percent } => {
                self.wants.ring_volume(percent);
                return None;
            }
            Command::Mute { on } => Order::Mute { on },
            Command::Try { on } => Order::Try { on },
            Command::Play { cue } => Order::Play { cue },
            Command::Record { stream, label } => {
                self.known.get(&stream)?;
                Order::Tape { stream, tape: self.tapes.begin(stream, &label) }
            }
            Command::StopRecording { stream } => Order::Tape { stream, tape: None },
            Command::Use { role, device } => {
                let there = device != Device::Off;
                self.order_devices(DeviceOrder::Use { role, device });
                return (role == Role::SecondEar).then_some(Order::SecondEar { there });
            }
            Command::TakeOffered => {
                self.order_devices(DeviceOrder::TakeOffered);
                return None;
            }
            Command::Process { process, switch } => {
                self.switches.set(process, switch);
                (self.wake)();
                return None;
            }
        })
    }

    /// Tells the device thread. Full: it stands still, and asking again won't move it.
    fn order_devices(&mut self, order: DeviceOrder) {
        let _ = self.device_orders.push(order);
        if let Some(devices) = self.threads.get(1).and_then(Option::as_ref) {
            devices.thread().unpark();
        }
    }

    fn configure(&mut self, stream: StreamId, config: StreamConfig) -> Option<Order> {
        let known = self.known.get_mut(&stream)?;
        let before = known.config.replace(config);
        let moved = before.is_some_and(|before| before.remote != config.remote);
        let cover = self.protect(stream, moved);
        let Some(before) = before else {
            let mut media = Box::new(Stream::new(config, self.random.next_u64()));
            drop(media.cover(cover.unwrap_or_default()));
            return Some(Order::Begin { stream, media });
        };
        if let Some(cover) = cover {
            self.put(Order::Cover { stream, cover });
        }
        let changes = (before.codec, before.opus) != (config.codec, config.opus);
        let prepared = changes.then(|| Box::new(Prepared::new(&config)));
        Some(Order::Configure { stream, config, prepared })
    }

    /// Puts the protection that was asked for in force. Returns the new cover, if the old one doesn't stay.
    fn protect(&mut self, stream: StreamId, moved: bool) -> Option<Cover> {
        let known = self.known.get_mut(&stream)?;
        let wanted = known.wanted.take().unwrap_or_else(|| known.protection.clone());
        let by_dtls = matches!(wanted, Protection::Dtls { .. });
        // Another address is another association (RFC 5763 6.6).
        if wanted == known.protection && !(moved && by_dtls) {
            return None;
        }
        let before = std::mem::replace(&mut known.protection, wanted.clone());
        if matches!(before, Protection::Dtls { .. }) && !by_dtls {
            self.want(Wanted::End { stream });
        }
        match wanted {
            Protection::Clear => Some(Cover::Clear),
            // Keys of the right length make a session; anything else is no reason to go on in clear.
            Protection::Srtp { send, receive } => Some(
                SrtpSession::with_keys(&send, &receive)
                    .map_or(Cover::Awaited, |session| Cover::Srtp(Box::new(session))),
            ),
            Protection::Dtls { role, fingerprint } => {
                self.want(Wanted::Begin { stream, role, fingerprint });
                // The keys in use stay until the new ones are there; sound in clear doesn't.
                (before == Protection::Clear).then_some(Cover::Awaited)
            }
        }
    }

    fn want(&mut self, wanted: Wanted) {
        let _ = self.wanted.push(wanted);
        if let Some(thread) = self.threads.last().and_then(Option::as_ref) {
            thread.thread().unpark();
        }
    }

    /// SHA-256 of the certificate that this engine shows in handshakes.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// The next report, if one waits.
    pub fn try_recv(&mut self) -> Option<Report> {
        self.empty_trash();
        let in_force = self.switches.in_force();
        if std::mem::replace(&mut self.processing_told, in_force) != in_force {
            return Some(Report::ProcessingChanged { in_force });
        }
        if let Ok(report) = self.device_reports.pop() {
            return Some(report);
        }
        if let Ok(report) = self.handshake_reports.pop() {
            return Some(report);
        }
        if let Ok(report) = self.tape_reports.try_recv() {
            return Some(report);
        }
        let mut report = self.notices.pop().ok()?.into_report();
        if let Report::PortsBound { ports } = &mut report {
            while let Ok(Notice::PortBound(port)) = self.notices.peek().copied() {
                ports.push(port);
                let _ = self.notices.pop();
            }
        }
        if let Report::OpenRefused { stream, .. } = &report {
            self.known.remove(stream);
        }
        Some(report)
    }

    fn empty_trash(&mut self) {
        while self.trash.pop().is_ok() {}
    }
}

impl Drop for MediaHandle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.wants.stop();
        self.switches.stop();
        let _ = self.waker.wake();
        for thread in self.threads.iter_mut().filter_map(Option::take) {
            thread.thread().unpark();
            // A panic over there is reported by the panic hook already.
            let _ = thread.join();
        }
        self.empty_trash();
        self.tapes.finish();
    }
}

#[cfg(test)]
mod tests;
