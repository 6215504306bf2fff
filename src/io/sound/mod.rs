//! The media engine: a media thread outside tokio (UDP sockets by mio, the 20 ms tick), and the sound devices on
//! threads of their own. Commands go in by a wait-free ring, reports come out by one.

mod board;
mod card;
mod devices;
mod engine;
mod options;
mod order;
mod ports;
mod voice;

pub use card::device_names;
pub use options::{Device, SoundOptions};

use crate::media::{Command, Prepared, Report, Source, Stream, StreamConfig, StreamId};
use devices::{DeviceThread, Wants};
use engine::{Engine, Links};
use mio::{Poll, Waker};
use order::{Feed, Notice, Order, Trash};
use ports::Pool;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

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
    /// When the poller or the threads can't be made, or not one port can be bound on `options.address`.
    pub fn start(options: SoundOptions, wake: impl Fn() + Send + Sync + 'static) -> io::Result<MediaHandle> {
        let wake: Wake = Arc::new(wake);
        let pool = Pool::new(options.address, options.ports.clone(), options.spare)?;
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), engine::WAKE)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (orders_in, orders) = rtrb::RingBuffer::new(QUEUE);
        let (notices, notices_out) = rtrb::RingBuffer::new(QUEUE);
        let (trash, trash_out) = rtrb::RingBuffer::new(QUEUE);
        let (wiring_in, wiring) = rtrb::RingBuffer::new(DEVICE_QUEUE);
        let (device_reports_in, device_reports) = rtrb::RingBuffer::new(DEVICE_QUEUE);
        let wants = Arc::new(Wants::default());
        let devices = DeviceThread::new(&options, wants.clone(), wiring_in, device_reports_in, wake.clone());
        let devices =
            std::thread::Builder::new().name("sound-devices".into()).spawn(move || devices.run())?;
        let links = Links {
            orders,
            notices,
            trash,
            wiring,
            wants: wants.clone(),
            device_thread: devices.thread().clone(),
            wake,
            stop: stop.clone(),
        };
        let engine = Engine::new(poll, pool, options.streams_max, links);
        let media = std::thread::Builder::new().name("media".into()).spawn(move || engine.run())?;
        Ok(MediaHandle {
            orders: orders_in,
            notices: notices_out,
            trash: trash_out,
            device_reports,
            waker,
            stop,
            wants,
            threads: [Some(media), Some(devices)],
            configured: HashMap::new(),
            random: SmallRng::seed_from_u64(options.seed),
        })
    }
}

/// The owner's end. Dropping it ends the threads and closes the ports.
pub struct MediaHandle {
    orders: rtrb::Producer<Order>,
    notices: rtrb::Consumer<Notice>,
    trash: rtrb::Consumer<Trash>,
    device_reports: rtrb::Consumer<Report>,
    waker: Waker,
    stop: Arc<AtomicBool>,
    wants: Arc<Wants>,
    threads: [Option<JoinHandle<()>>; 2],
    /// What each stream was last configured to, to know when codecs have to be made.
    configured: HashMap<StreamId, Option<StreamConfig>>,
    random: SmallRng,
}

impl MediaHandle {
    /// Gives a command. `false`: [`QUEUE`] commands wait already and this one is dropped.
    pub fn send(&mut self, command: Command) -> bool {
        self.empty_trash();
        // A bridge is two orders: all or nothing.
        if self.orders.slots() < 2 {
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
                if self.configured.contains_key(&stream) {
                    return None;
                }
                self.configured.insert(stream, None);
                Order::Open { stream, port }
            }
            Command::Configure { stream, config } => return self.configure(stream, config),
            Command::Send { stream, source } => Order::Send { stream, feed: source.into() },
            Command::Hear { stream, sink } => Order::Hear { stream, sink },
            Command::Bridge { a, b } => Order::Send { stream: a, feed: Source::Bridge(b).into() },
            Command::Digit { stream, digit } => Order::Digit { stream, digit },
            Command::Close { stream } => {
                self.configured.remove(&stream);
                Order::Close { stream }
            }
            Command::Ring { pattern } => Order::Ring { pattern },
            Command::Mute { on } => Order::Mute { on },
            Command::Play { cue } => Order::Play { cue },
        })
    }

    fn configure(&mut self, stream: StreamId, config: StreamConfig) -> Option<Order> {
        let before = self.configured.get_mut(&stream)?.replace(config);
        let Some(before) = before else {
            let media = Box::new(Stream::new(config, self.random.next_u64()));
            return Some(Order::Begin { stream, media });
        };
        let changes = (before.codec, before.fec) != (config.codec, config.fec);
        let prepared = changes.then(|| Box::new(Prepared::new(&config)));
        Some(Order::Configure { stream, config, prepared })
    }

    /// The next report, if one waits.
    pub fn try_recv(&mut self) -> Option<Report> {
        self.empty_trash();
        if let Ok(report) = self.device_reports.pop() {
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
            self.configured.remove(stream);
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
        let _ = self.waker.wake();
        for thread in self.threads.iter_mut().filter_map(Option::take) {
            thread.thread().unpark();
            // A panic over there is reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
