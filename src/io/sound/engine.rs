//! The media thread: sleeps until a packet, an order or the next tick, and does what is due.

use super::board::{Board, Outlet, Peak};
use super::devices::Wants;
use super::handshake::{Record, Shaken};
use super::order::{Notice, Order, Trash, Wiring};
use super::ports::Pool;
use super::processing::Switches;
use super::voice::Inlet;
use super::{QUEUE, Wake};
use crate::media::{
    Country, Cover, Cue, DeviceDelay, FRAME, FRAME_TIME, Pattern, Relief, SLICE, SLICE_TIME, SLICES, StreamId,
};
use mio::{Events, Interest, Poll, Token};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// The token of orders; sockets have their place on the board.
pub(super) const WAKE: Token = Token(usize::MAX);
/// The token of a place's reports, besides that of its sound.
const REPORTS: usize = 1 << (usize::BITS - 2);
/// How often streams are reviewed.
const REVIEW: Duration = Duration::from_millis(250);
/// Frames between two level reports.
const LEVEL_TICKS: u32 = 5;
/// Slices for which a tone waits until its device is open: 3 s.
const TONE_WAIT_TICKS: u32 = 600;
/// Being later than this, the ticks that were missed are left out (a suspended machine).
const TOO_LATE: Duration = Duration::from_millis(120);
/// The last quarter of the report ring is kept for what must not be lost.
const KEPT: usize = QUEUE / 4;
/// Events taken from the poller at a time.
const EVENTS: usize = 256;

/// What the media thread is connected with.
pub(super) struct Links {
    pub orders: rtrb::Consumer<Order>,
    pub notices: rtrb::Producer<Notice>,
    pub trash: rtrb::Producer<Trash>,
    pub wiring: rtrb::Consumer<Wiring>,
    pub wants: Arc<Wants>,
    pub switches: Arc<Switches>,
    pub device_thread: Thread,
    pub wake: Wake,
    pub stop: Arc<AtomicBool>,
    pub country: &'static Country,
    pub has_second_ear: bool,
    /// From the thread of the handshakes.
    pub shaken: rtrb::Consumer<Shaken>,
    /// To it.
    pub records: rtrb::Producer<Record>,
    pub handshake_thread: Thread,
}

/// The way out for notices and trash.
struct Out {
    notices: rtrb::Producer<Notice>,
    trash: rtrb::Producer<Trash>,
    records: rtrb::Producer<Record>,
    handshake_thread: Thread,
    told: bool,
    dropped: u32,
}

impl Outlet for Out {
    fn tell(&mut self, notice: Notice) {
        self.told = true;
        let spare = matches!(notice, Notice::Figures { .. } | Notice::Levels { .. });
        if (spare && self.notices.slots() < KEPT) || self.notices.push(notice).is_err() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn discard(&mut self, trash: Trash) {
        // Nobody collects: then it is freed here after all.
        drop(self.trash.push(trash));
    }

    fn shake(&mut self, stream: StreamId, from: SocketAddr, record: &[u8]) {
        // Full: lost, as it might have been on its way; it comes again.
        if let Some(record) = Record::new(stream, Some(from), record) {
            let _ = self.records.push(record);
            self.handshake_thread.unpark();
        }
    }
}

pub(super) struct Engine {
    poll: Poll,
    pool: Pool,
    board: Board,
    out: Out,
    orders: rtrb::Consumer<Order>,
    shaken: rtrb::Consumer<Shaken>,
    wiring: rtrb::Consumer<Wiring>,
    wants: Arc<Wants>,
    switches: Arc<Switches>,
    device_thread: Thread,
    wake: Wake,
    stop: Arc<AtomicBool>,
    origin: Instant,
    capture: Option<Inlet>,
    playback: Option<rtrb::Producer<i16>>,
    second_ear: Option<rtrb::Producer<i16>>,
    /// There is a second ear-piece, for tones.
    has_second_ear: bool,
    country: &'static Country,
    /// What it plays.
    tone: Pattern,
    /// Ticks for which the tone has waited for the device.
    tone_waited: u32,
    muted: bool,
    next_tick: Option<Duration>,
    /// Which slice of a frame it hears.
    slice: usize,
    relief: Relief,
    next_review: Option<Duration>,
    levels_in: u32,
    microphone_peak: Peak,
    headset_peak: Peak,
}

impl Engine {
    pub(super) fn new(poll: Poll, pool: Pool, streams_max: usize, links: Links) -> Self {
        Self {
            poll,
            pool,
            board: Board::new(streams_max),
            out: Out {
                notices: links.notices,
                trash: links.trash,
                records: links.records,
                handshake_thread: links.handshake_thread,
                told: false,
                dropped: 0,
            },
            shaken: links.shaken,
            orders: links.orders,
            wiring: links.wiring,
            wants: links.wants,
            switches: links.switches,
            device_thread: links.device_thread,
            wake: links.wake,
            stop: links.stop,
            origin: Instant::now(),
            capture: None,
            playback: None,
            second_ear: None,
            has_second_ear: links.has_second_ear,
            country: links.country,
            tone: Pattern::OFF,
            tone_waited: 0,
            muted: false,
            next_tick: None,
            slice: 0,
            relief: Relief::default(),
            next_review: None,
            levels_in: LEVEL_TICKS,
            microphone_peak: Peak::NONE,
            headset_peak: Peak::NONE,
        }
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            self.tell_ports();
            if std::mem::take(&mut self.out.told) {
                (self.wake)();
            }
            // Interrupted by a signal: look around and sleep again.
            let _ = self.poll.poll(&mut events, self.sleep());
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            self.obey();
            let now = self.origin.elapsed();
            for event in &events {
                match event.token() {
                    WAKE => {}
                    Token(reports) if reports >= REPORTS => {
                        self.board.receive_reports(reports - REPORTS, now)
                    }
                    Token(place) => self.board.receive(place, now, &mut self.out),
                }
            }
            for place in 0..self.board.places() {
                if self.board.is_pending(place) {
                    self.board.receive(place, now, &mut self.out);
                }
            }
            self.schedule();
            self.tick_if_due();
            self.review_if_due();
        }
    }

    /// How long nothing is due; `None`: for ever.
    fn sleep(&self) -> Option<Duration> {
        if self.board.pending() {
            return Some(Duration::ZERO);
        }
        let next = [self.next_tick, self.next_review].into_iter().flatten().min()?;
        Some(next.saturating_sub(self.origin.elapsed()))
    }

    fn tell_ports(&mut self) {
        while !self.out.notices.is_full() {
            let Some(spare) = self.pool.untold() else { break };
            spare.told = true;
            let port = spare.port;
            self.out.tell(Notice::PortBound(port));
        }
        if self.out.dropped > 0 && self.out.notices.slots() > KEPT {
            let count = std::mem::take(&mut self.out.dropped);
            self.out.tell(Notice::Dropped { count });
        }
    }

    fn obey(&mut self) {
        let mut obeyed = false;
        while let Ok(order) = self.orders.pop() {
            obeyed = true;
            self.execute(order);
        }
        while let Ok(shaken) = self.shaken.pop() {
            match shaken {
                Shaken::Record(record) => self.board.shake(record.stream, record.other, record.bytes()),
                Shaken::Keys { stream, session } => {
                    self.board.cover(stream, Cover::Srtp(session), &mut self.out);
                }
            }
        }
        if obeyed {
            self.want();
        }
    }

    fn execute(&mut self, order: Order) {
        let now = self.origin.elapsed();
        match order {
            Order::Open { stream, port } => self.open(stream, port, now),
            Order::Begin { stream, media } => {
                self.board.begin(stream, media, now, &mut self.out);
                self.open_reports(stream);
            }
            Order::Cover { stream, cover } => self.board.cover(stream, cover, &mut self.out),
            Order::Configure { stream, config, prepared } => {
                self.board.configure(stream, config, prepared, now, &mut self.out);
                self.open_reports(stream);
            }
            Order::Send { stream, feed } => self.board.send(stream, feed, &mut self.out),
            Order::Hear { stream, sink } => self.board.hear(stream, sink),
            Order::Digit { stream, digit } => self.board.press(stream, digit),
            Order::Close { stream } => {
                if let Some((socket, reports)) = self.board.close(stream, now, &mut self.out) {
                    for mut socket in std::iter::once(socket).chain(reports) {
                        let _ = self.poll.registry().deregister(&mut socket);
                    }
                }
                self.top_up();
            }
            Order::Ring { pattern } => {
                if self.wants.ring(pattern) {
                    self.device_thread.unpark();
                }
            }
            Order::Mute { on } => self.muted = on,
            Order::Try { on } => self.board.tried = on,
            Order::Tape { stream, tape } => self.board.record(stream, tape, &mut self.out),
            Order::Play { cue } => self.play(cue),
            Order::SecondEar { there } => (self.has_second_ear, self.tone) = (there, Pattern::OFF),
        }
    }

    fn open(&mut self, stream: StreamId, port: u16, now: Duration) {
        let place = self.board.vacancy(stream);
        let socket = place.and_then(|_| self.pool.take(port));
        let (Some(place), Some(mut socket)) = (place, socket) else {
            self.out.tell(Notice::OpenRefused { stream, port });
            return;
        };
        if self.poll.registry().register(&mut socket, Token(place), Interest::READABLE).is_ok() {
            self.board.open(place, stream, socket, now);
        } else {
            self.out.tell(Notice::OpenRefused { stream, port });
        }
        self.top_up();
    }

    /// Binds the port after the sound's for reports, where they don't share it. Where it is taken, there are none.
    fn open_reports(&mut self, stream: StreamId) {
        let Some(place) = self.board.place(stream) else { return };
        let Some(line) = self.board.line_mut(stream).filter(|line| line.lacks_reports()) else { return };
        let Ok(mut socket) = self.pool.next_to(&line.socket) else { return };
        let token = Token(REPORTS + place);
        if self.poll.registry().register(&mut socket, token, Interest::READABLE).is_ok() {
            line.reports = Some(socket);
        }
    }

    fn top_up(&mut self) {
        if let Err(error) = self.pool.top_up() {
            self.out.tell(Notice::PortsExhausted(error.kind()));
        }
    }

    /// Plays a cue: what belongs to no conversation in the second ear, if there is one.
    fn play(&mut self, cue: Cue) {
        let apart = matches!(cue, Cue::Waiting | Cue::CallWaiting | Cue::Comeback);
        let pattern = Pattern::cue(cue, self.country);
        match cue {
            Cue::CallWaiting if !self.has_second_ear => {}
            _ if apart && self.has_second_ear => (self.tone, self.tone_waited) = (pattern, 0),
            Cue::Off => (self.board.cue, self.tone) = (pattern, Pattern::OFF),
            _ => self.board.cue = pattern,
        }
    }

    /// Plays the second ear's tone, once its device is open. One that never opens loses the tone: it is not for the ear
    /// that listens to a caller.
    fn play_apart(&mut self) {
        if self.tone.is_over() {
            return;
        }
        let Some(ear) = self.second_ear.as_mut() else {
            self.tone_waited += 1;
            if self.tone_waited > TONE_WAIT_TICKS {
                self.tone = Pattern::OFF;
            }
            return;
        };
        let mut slice = [0; SLICE];
        self.tone.mix_into(&mut slice);
        let _ = ear.push_entire_slice(&slice);
    }

    /// Tells the device thread which devices are needed.
    fn want(&mut self) {
        let (microphone, headset) = self.board.wants();
        let changed = self.wants.headset(microphone, headset);
        if self.wants.second_ear(!self.tone.is_over()) || changed {
            self.device_thread.unpark();
        }
    }

    /// Starts and stops ticks and reviews as streams come and go.
    fn schedule(&mut self) {
        let now = self.origin.elapsed();
        if !self.board.ticks() && self.tone.is_over() {
            self.next_tick = None;
        } else if self.next_tick.is_none() {
            self.next_tick = Some(now);
        }
        if self.board.is_empty() {
            self.next_review = None;
        } else if self.next_review.is_none() {
            self.next_review = Some(now + REVIEW);
        }
    }

    fn tick_if_due(&mut self) {
        while let Some(due) = self.next_tick {
            let now = self.origin.elapsed();
            if now < due {
                return;
            }
            // On the schedule's own grid, so that lateness never adds up.
            let last = self.slice + 1 >= SLICES;
            if last && let Some(steps) = self.relief.tick(now - due) {
                self.board.relieve(steps);
            }
            let base = if now - due < TOO_LATE { due } else { now };
            self.tick(now);
            // Where nothing is heard, there is only sending, once a frame.
            let fine = !last || self.board.hears() || !self.tone.is_over();
            self.next_tick = Some(base + if fine { SLICE_TIME } else { FRAME_TIME });
            self.slice = if !fine { SLICES - 1 } else { (self.slice + 1) % SLICES };
        }
    }

    fn tick(&mut self, now: Duration) {
        self.rewire();
        let playing = |engine: &Self| (engine.board.cue.is_over(), engine.tone.is_over());
        let played = playing(self);
        self.play_apart();
        let mut headset = [0; SLICE];
        self.board.listen(now, self.slice, &mut headset);
        if let Some(playback) = self.playback.as_mut() {
            // The card takes it at its own pace; what it has no room for would only come later and later.
            let _ = playback.push_entire_slice(&headset);
        }
        if played != playing(self) {
            self.want();
        }
        self.headset_peak.add(&headset);
        if self.slice + 1 >= SLICES {
            self.speak(now);
        }
    }

    /// The last slice of a frame: the microphone's frame is taken, and every stream sent its own.
    fn speak(&mut self, now: Duration) {
        let mut microphone = [0; FRAME];
        if let Some(capture) = self.capture.as_mut() {
            capture.take(self.switches.active(), &mut microphone);
        }
        if self.muted {
            microphone.fill(0);
        }
        self.board.say(now, &microphone, &mut self.out);
        self.microphone_peak.add(&microphone);
        self.levels_in = self.levels_in.saturating_sub(1);
        if self.levels_in == 0 {
            self.levels_in = LEVEL_TICKS;
            let (microphone_dbfs, headset_dbfs) = (self.microphone_peak.take(), self.headset_peak.take());
            if self.capture.is_some() || self.playback.is_some() {
                let delay = self.delay();
                let processing = self.switches.figures();
                self.out.tell(Notice::Levels { microphone_dbfs, processing, headset_dbfs, delay });
            }
        }
    }

    /// What the devices add to the delay: what waits in the rings, and what they keep themselves.
    fn delay(&self) -> DeviceDelay {
        const PER_MS: f32 = (crate::media::RATE_HZ / 1_000) as f32;
        let (capture_ms, playback_ms) = self.wants.latencies();
        let captured = self.capture.as_ref().map_or(0, Inlet::waiting);
        let queued = self.playback.as_ref().map_or(0, |ring| ring.buffer().capacity() - ring.slots());
        DeviceDelay {
            capture_ms: captured as f32 / PER_MS + capture_ms as f32,
            playback_ms: queued as f32 / PER_MS + playback_ms as f32,
        }
    }

    /// Takes over the rings of devices that came, and lets those go that went.
    fn rewire(&mut self) {
        while let Ok(wiring) = self.wiring.pop() {
            match wiring {
                Wiring::Capture(new) => {
                    if let Some(old) = std::mem::replace(&mut self.capture, new) {
                        self.out.discard(Trash::Capture(old));
                    }
                }
                Wiring::Playback(new) => {
                    if let Some(old) = std::mem::replace(&mut self.playback, new) {
                        self.out.discard(Trash::Playback(old));
                    }
                }
                Wiring::SecondEar(new) => {
                    if let Some(old) = std::mem::replace(&mut self.second_ear, new) {
                        self.out.discard(Trash::Playback(old));
                    }
                }
            }
        }
    }

    fn review_if_due(&mut self) {
        let now = self.origin.elapsed();
        if self.next_review.is_some_and(|due| now >= due) {
            self.next_review = Some(now + REVIEW);
            self.board.review(now, &mut self.out);
        }
    }
}
