//! The streams of the media thread: their sockets, what each sends and where it is heard, and the tick: every
//! 5 ms a slice is heard, every 20 ms a frame is sent. Nothing here allocates, locks or logs.

mod receive;
mod tick;

use super::order::{Feed, Notice, Trash};
use super::socket::MediaSocket;
use super::tape::Tape;
use crate::media::{
    Codec, Cover, FRAME, MAX_PACKET, Pattern, SILENCE_DBFS, Sink, Stream, StreamConfig, StreamId, level_dbfs,
};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Streams that can take what one other receives (a bridge, and somebody listening in).
const LISTENERS: usize = 32;
/// Packets taken from one socket before the others have their turn.
const BURST: usize = 128;
/// How long a telephone event lasts that a transcoding bridge passes on.
const DIGIT_MS: u16 = super::DIGIT_MS;
/// When silence of the far end is told, in ms; after the last every 30 s.
const SILENCE_TOLD_MS: [u32; 3] = [3_000, 10_000, 30_000];
const SILENCE_AGAIN_MS: u32 = 30_000;
/// First bytes of DTLS records (RFC 7983).
const DTLS: std::ops::RangeInclusive<u8> = 20..=63;

/// Where the board puts what it has to tell and what is to be dropped.
pub(super) trait Outlet {
    fn tell(&mut self, notice: Notice);
    fn discard(&mut self, trash: Trash);
    /// A record of a DTLS handshake came (RFC 7983: told by its first byte).
    fn shake(&mut self, stream: StreamId, from: SocketAddr, record: &[u8]);
}

pub(super) struct Line {
    pub id: StreamId,
    pub socket: MediaSocket,
    /// Where reports come in that don't share the sound's port.
    pub reports: Option<MediaSocket>,
    media: Option<Box<Stream>>,
    feed: Feed,
    sink: Sink,
    /// Its recording.
    tape: Option<Box<Tape>>,
    /// Indices of the lines that send what this one receives.
    listeners: [Option<usize>; LISTENERS],
    /// Its sound is wanted decoded.
    decodes: bool,
    /// It sends what another receives, as it is.
    passes: bool,
    /// More packets wait than one turn took.
    pub pending: bool,
    silent_from: Duration,
    silence_told: u32,
}

impl Line {
    /// Sends a report: from its own socket where reports don't share the sound's port.
    fn send_report(&self, media: &Stream, report: &[u8]) {
        let socket = if media.config().rtcp_mux { Some(&self.socket) } else { self.reports.as_ref() };
        if let (Some(socket), Some(to), false) = (socket, media.reports_to(), report.is_empty()) {
            let _ = socket.send_to(report, to);
        }
    }

    /// Whether reports want a socket of their own and have none.
    pub(super) fn lacks_reports(&self) -> bool {
        let apart = |media: &Stream| !media.config().rtcp_mux && media.config().rtcp_remote.is_some();
        self.reports.is_none() && self.media.as_deref().is_some_and(apart)
    }
}

/// All streams.
pub(super) struct Board {
    lines: Vec<Option<Line>>,
    places: HashMap<StreamId, usize>,
    /// What each line hears in this frame, slice by slice.
    heard: Vec<[i16; FRAME]>,
    packet: [u8; MAX_PACKET + 1],
    out: [u8; MAX_PACKET],
    pub cue: Pattern,
    /// Microphone and headset are wanted without a stream, for their meters.
    pub tried: bool,
    /// Steps by which encoding is cheaper than it could be.
    relief: u8,
}

impl Board {
    pub(super) fn new(streams_max: usize) -> Self {
        Self {
            lines: (0..streams_max).map(|_| None).collect(),
            // Twice, so that entries that come and go never make it grow.
            places: HashMap::with_capacity(2 * streams_max),
            heard: vec![[0; FRAME]; streams_max],
            packet: [0; MAX_PACKET + 1],
            out: [0; MAX_PACKET],
            cue: Pattern::OFF,
            tried: false,
            relief: 0,
        }
    }

    /// Makes encoding cheaper by so many steps, for the tick runs late.
    pub(super) fn relieve(&mut self, steps: u8) {
        self.relief = steps;
        self.lines.iter_mut().flatten().filter_map(|line| line.media.as_mut()).for_each(|m| m.relieve(steps));
    }

    /// A place for a new stream, if there is one and the id is new.
    pub(super) fn vacancy(&self, id: StreamId) -> Option<usize> {
        if self.places.contains_key(&id) {
            return None;
        }
        self.lines.iter().position(Option::is_none)
    }

    pub(super) fn open(&mut self, place: usize, id: StreamId, socket: MediaSocket, now: Duration) {
        if let Some(line) = self.lines.get_mut(place) {
            *line = Some(Line {
                id,
                socket,
                reports: None,
                media: None,
                feed: Feed::Silence,
                sink: Sink::Discard,
                tape: None,
                listeners: [None; LISTENERS],
                decodes: false,
                passes: false,
                pending: false,
                silent_from: now,
                silence_told: 0,
            });
            self.places.insert(id, place);
        }
        self.relink();
    }

    /// Takes a stream out and says good-bye; its sockets are for the caller to deregister and drop.
    pub(super) fn close(
        &mut self,
        id: StreamId,
        now: Duration,
        outlet: &mut impl Outlet,
    ) -> Option<(MediaSocket, Option<MediaSocket>)> {
        let place = self.places.remove(&id)?;
        let mut line = self.lines.get_mut(place)?.take()?;
        if let Some(mut media) = line.media.take() {
            let length = media.farewell(now, &mut self.out);
            line.send_report(&media, self.out.get(..length).unwrap_or(&[]));
            outlet.discard(Trash::Stream(media));
        }
        outlet.discard(Trash::Feed(line.feed));
        if let Some(tape) = line.tape.take() {
            outlet.discard(Trash::Tape(tape));
        }
        for other in self.lines.iter_mut().flatten() {
            match other.feed {
                Feed::Bridge(of) if of == id => other.feed = Feed::Silence,
                Feed::Joined(of) if of == id => other.feed = Feed::Headset,
                _ => {}
            }
        }
        self.relink();
        Some((line.socket, line.reports))
    }

    pub(super) fn place(&self, id: StreamId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    pub(super) fn line_mut(&mut self, id: StreamId) -> Option<&mut Line> {
        let place = *self.places.get(&id)?;
        self.lines.get_mut(place)?.as_mut()
    }

    pub(super) fn begin(
        &mut self,
        id: StreamId,
        mut media: Box<Stream>,
        now: Duration,
        outlet: &mut impl Outlet,
    ) {
        let config = *media.config();
        media.reconfigure_with(now, config, None);
        media.relieve(self.relief);
        let old = match self.line_mut(id) {
            Some(line) => {
                line.silent_from = now;
                line.media.replace(media)
            }
            None => Some(media),
        };
        if let Some(old) = old {
            outlet.discard(Trash::Stream(old));
        }
        self.relink();
    }

    pub(super) fn configure(
        &mut self,
        id: StreamId,
        config: StreamConfig,
        mut prepared: Option<Box<crate::media::Prepared>>,
        now: Duration,
        outlet: &mut impl Outlet,
    ) {
        let relief = self.relief;
        if let Some(line) = self.line_mut(id)
            && let Some(media) = line.media.as_mut()
        {
            if config.receive && !media.config().receive {
                (line.silent_from, line.silence_told) = (now, 0);
            }
            media.reconfigure_with(now, config, prepared.as_deref_mut());
            media.relieve(relief);
        }
        if let Some(prepared) = prepared {
            outlet.discard(Trash::Prepared(prepared));
        }
        self.relink();
    }

    pub(super) fn cover(&mut self, id: StreamId, cover: Cover, outlet: &mut impl Outlet) {
        let old = match self.line_mut(id).and_then(|line| line.media.as_mut()) {
            Some(media) => media.cover(cover),
            None => cover,
        };
        outlet.discard(Trash::Cover(old));
    }

    /// Sends a record of our handshake.
    pub(super) fn shake(&mut self, id: StreamId, to: Option<SocketAddr>, record: &[u8]) {
        let Some(line) = self.line_mut(id) else { return };
        let Some(media) = &line.media else { return };
        let _ = line.socket.send_to(record, to.unwrap_or(media.remote()));
    }

    pub(super) fn send(&mut self, id: StreamId, feed: Feed, outlet: &mut impl Outlet) {
        let old = match self.line_mut(id) {
            Some(line) => std::mem::replace(&mut line.feed, feed),
            None => feed,
        };
        outlet.discard(Trash::Feed(old));
        self.relink();
    }

    pub(super) fn hear(&mut self, id: StreamId, sink: Sink) {
        if let Some(line) = self.line_mut(id) {
            line.sink = sink;
        }
        self.relink();
    }

    /// Records a stream from now on, or no longer.
    pub(super) fn record(&mut self, id: StreamId, tape: Option<Box<Tape>>, outlet: &mut impl Outlet) {
        let old = match self.line_mut(id) {
            Some(line) => std::mem::replace(&mut line.tape, tape),
            None => tape,
        };
        if let Some(old) = old {
            outlet.discard(Trash::Tape(old));
        }
        self.relink();
    }

    pub(super) fn press(&mut self, id: StreamId, digit: char) {
        if let Some(media) = self.line_mut(id).and_then(|line| line.media.as_mut()) {
            media.send_digit(digit, DIGIT_MS);
        }
    }

    fn codec(&self, place: usize) -> Option<Codec> {
        Some(self.lines.get(place)?.as_ref()?.media.as_ref()?.config().codec)
    }

    /// Finds out again who listens to whom, and which streams need decoding.
    fn relink(&mut self) {
        for line in self.lines.iter_mut().flatten() {
            line.listeners = [None; LISTENERS];
            line.passes = false;
        }
        for place in 0..self.lines.len() {
            let Some(Feed::Bridge(of)) = self.lines[place].as_ref().map(|line| &line.feed) else { continue };
            let Some(from) = self.places.get(of).copied() else { continue };
            // What is recorded is wanted as sound, on both of its ways.
            let recorded = [place, from].iter().any(|at| self.is_recorded(*at));
            let passes = !recorded && self.codec(place).is_some() && self.codec(place) == self.codec(from);
            if let Some(line) = self.lines[place].as_mut() {
                line.passes = passes;
            }
            if let Some(line) = self.lines[from].as_mut()
                && let Some(free) = line.listeners.iter_mut().find(|listener| listener.is_none())
            {
                *free = Some(place);
            }
        }
        for place in 0..self.lines.len() {
            let Some(line) = self.lines[place].as_ref() else { continue };
            let transcoded = line.listeners.iter().flatten().any(|listener| !self.passes(*listener));
            let wanted = line.sink != Sink::Discard || line.tape.is_some();
            let decodes = line.media.is_some() && (wanted || transcoded);
            if let Some(line) = self.lines[place].as_mut() {
                if line.decodes
                    && !decodes
                    && let Some(media) = line.media.as_mut()
                {
                    media.stop_hearing();
                }
                if decodes && !line.decodes {
                    self.heard[place].fill(0);
                }
                line.decodes = decodes;
            }
        }
    }

    fn is_recorded(&self, place: usize) -> bool {
        self.lines.get(place).and_then(Option::as_ref).is_some_and(|line| line.tape.is_some())
    }

    fn passes(&self, place: usize) -> bool {
        self.lines.get(place).and_then(Option::as_ref).is_some_and(|line| line.passes)
    }

    /// The microphone, the headset, or neither is wanted.
    pub(super) fn wants(&self) -> (bool, bool) {
        let lines = || self.lines.iter().flatten().filter(|line| line.media.is_some());
        let microphone = lines().any(|line| matches!(line.feed, Feed::Headset | Feed::Joined(_)));
        let headset = !self.cue.is_over() || lines().any(|line| line.sink == Sink::Headset);
        (microphone || self.tried, headset || self.tried)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Some stream has something to do every 20 ms.
    pub(super) fn ticks(&self) -> bool {
        let busy = |line: &Line| {
            let Some(media) = &line.media else { return false };
            line.decodes || (media.config().send && !line.passes) || media.is_dialling()
        };
        self.tried || !self.cue.is_over() || self.lines.iter().flatten().any(busy)
    }

    pub(super) fn pending(&self) -> bool {
        self.lines.iter().flatten().any(|line| line.pending)
    }

    pub(super) fn places(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn is_pending(&self, place: usize) -> bool {
        self.lines.get(place).and_then(Option::as_ref).is_some_and(|line| line.pending)
    }
}

/// Sends without waiting: a packet the system has no room for is lost, as it would be on the way.
fn send(socket: &MediaSocket, media: &Stream, packet: &[u8]) {
    if !packet.is_empty() {
        let _ = socket.send_to(packet, media.remote());
    }
}

/// The loudest of some frames, for the meters.
pub(super) struct Peak(f32);

impl Peak {
    pub(super) const NONE: Self = Self(SILENCE_DBFS);

    pub(super) fn add(&mut self, frame: &[i16]) {
        self.0 = self.0.max(level_dbfs(frame));
    }

    pub(super) fn take(&mut self) -> f32 {
        std::mem::replace(&mut self.0, SILENCE_DBFS)
    }
}
