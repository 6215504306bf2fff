//! One call's media: frames to RTP packets, and packets by way of the jitter buffer to frames.

mod care;
mod inbound;
mod outbound;
mod reports;

use super::codec::{Decoder, Encoder, duration_ticks, to_be_repeated};
use super::gate::Gate;
use super::jitter::{Arrival, MAX_PAYLOAD};
use super::rtcp::Reports;
use super::rtp::{self, Packet};
use super::srtp::{OVERHEAD, Opened, SrtpSession};
use super::{Codec, FRAME, FRAMES_MAX, MAX_PACKET, OpusTerms, SLICE, StreamConfig, StreamFigures, red};
use care::Care;
use inbound::{CONCEALED_MAX, Inbound};
use outbound::Outbound;
use std::net::SocketAddr;
use std::time::Duration;

/// What isn't counted of a packet in reports (RFC 3550 6.4.1).
const RTP_HEADER: usize = 12;
/// The static payload type of comfort noise (RFC 3551 table 4).
const COMFORT_NOISE: u8 = 13;

/// One call's media, sans-IO. Making one allocates; nothing after that does, but for a change of codec.
pub struct Stream {
    config: StreamConfig,
    figures: StreamFigures,
    gate: Gate,
    inbound: Inbound,
    outbound: Outbound,
    cover: Cover,
    reports: Reports,
    /// Where reports of the far end come from, when it isn't where they were agreed to (RTCP behind NAT).
    reports_from: Option<SocketAddr>,
    care: Care,
}

/// What covers a stream's packets.
#[derive(Default)]
pub enum Cover {
    /// Nothing: they go in clear.
    #[default]
    Clear,
    /// There will be keys: nothing goes, nothing is taken.
    Awaited,
    /// SRTP.
    Srtp(Box<SrtpSession>),
}

/// What a packet carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sound,
    /// Sound with earlier sound beside it (RFC 2198).
    Redundant,
    /// A telephone event (RFC 4733).
    Event,
    /// What silence sounds like there (RFC 3389).
    Comfort,
}

/// A packet that passed the gate.
pub(crate) struct Admitted<'a> {
    packet: Packet<'a>,
    kind: Kind,
    /// A key, heard for the first time.
    pub(crate) digit: Option<char>,
    /// The same packet came before.
    repeated: bool,
}

impl Admitted<'_> {
    /// Whether it is part of a key.
    pub(crate) fn is_event(&self) -> bool {
        self.kind == Kind::Event
    }
}

/// Codec states for a new [`Stream::reconfigure`], made where allocation is welcome.
pub struct Prepared {
    encoder: Encoder,
    decoder: Decoder,
    codec: Codec,
    opus: OpusTerms,
}

impl Prepared {
    /// For this configuration.
    pub fn new(config: &StreamConfig) -> Self {
        Self {
            encoder: Encoder::new(config.codec, config.opus),
            decoder: Decoder::new(config.codec),
            codec: config.codec,
            opus: config.opus,
        }
    }
}

impl Stream {
    /// A stream whose SSRC, first sequence number and first timestamp come from `seed` (RFC 3550 5.1).
    pub fn new(config: StreamConfig, seed: u64) -> Self {
        Self {
            config,
            figures: StreamFigures::default(),
            gate: Gate::new(config.remote, config.signalling),
            inbound: Inbound::new(&config),
            outbound: Outbound::new(&config, seed),
            cover: Cover::Clear,
            reports: Reports::new(seed.rotate_left(32)),
            reports_from: None,
            care: Care::default(),
        }
    }

    /// Covers the packets from now on; what is returned is to be dropped. Keys that stay the same keep their counters.
    #[must_use]
    pub fn cover(&mut self, mut new: Cover) -> Cover {
        if let (Cover::Srtp(new), Cover::Srtp(old)) = (&mut new, &mut self.cover) {
            new.continues(old);
        }
        std::mem::replace(&mut self.cover, new)
    }

    /// Whether packets are covered, with keys.
    pub fn is_covered(&self) -> bool {
        matches!(self.cover, Cover::Srtp(_))
    }

    fn may_send(&self) -> bool {
        self.config.send && !matches!(self.cover, Cover::Awaited)
    }

    /// Covers the packet of `length` bytes at the beginning of `out`; 0 when it must not go.
    fn seal(&mut self, out: &mut [u8], length: usize) -> usize {
        let sealed = match &mut self.cover {
            Cover::Clear => length,
            Cover::Awaited => 0,
            Cover::Srtp(_) if length == 0 => 0,
            Cover::Srtp(session) => session.seal(out, length),
        };
        if sealed > 0 {
            self.figures.sent += 1;
            self.outbound.octets += length.saturating_sub(RTP_HEADER) as u64;
        }
        sealed
    }

    /// Whether it is time for fresh keys; said once, and again from time to time.
    pub fn wants_fresh_keys(&mut self) -> bool {
        match &mut self.cover {
            Cover::Srtp(session) => session.wants_fresh_keys(),
            Cover::Clear | Cover::Awaited => false,
        }
    }

    /// Uncovers a packet in place with `open`; its length, and whether it has proven to be the far end's. Counts others.
    fn uncover(
        &mut self,
        packet: &mut [u8],
        open: fn(&mut SrtpSession, &mut [u8]) -> Opened,
    ) -> Option<(usize, bool)> {
        match &mut self.cover {
            Cover::Clear => Some((packet.len(), false)),
            Cover::Awaited => None,
            Cover::Srtp(session) => match open(session, packet) {
                Opened::Genuine(length) => Some((length, true)),
                Opened::Replayed => {
                    self.figures.replayed += 1;
                    None
                }
                Opened::Forged => {
                    self.figures.forged += 1;
                    None
                }
            },
        }
    }

    /// Takes over what a new offer and answer settled. Allocates when codec or FEC change.
    pub fn reconfigure(&mut self, now: Duration, config: StreamConfig) {
        let mut prepared = self.needs(&config).then(|| Prepared::new(&config));
        self.reconfigure_with(now, config, prepared.as_mut());
    }

    /// Whether [`Stream::reconfigure`] would allocate.
    pub fn needs(&self, config: &StreamConfig) -> bool {
        (config.codec, config.opus) != (self.config.codec, self.config.opus)
    }

    /// As [`Stream::reconfigure`], with codec states made elsewhere, that are exchanged for the old ones where codec or
    /// FEC change. Allocates nothing; without states of the right kind, codec and FEC must be the same.
    pub fn reconfigure_with(&mut self, now: Duration, config: StreamConfig, prepared: Option<&mut Prepared>) {
        let fits = |new: &&mut Prepared| (new.codec, new.opus) == (config.codec, config.opus);
        if self.needs(&config)
            && let Some(new) = prepared.filter(fits)
        {
            if config.codec != self.config.codec {
                self.inbound.fade_away();
            }
            std::mem::swap(&mut self.outbound.encoder, &mut new.encoder);
            std::mem::swap(&mut self.inbound.decoder, &mut new.decoder);
            if config.codec != self.config.codec {
                self.inbound.jitter.set_clock(config.codec.clock_hz());
                self.inbound.events.forget();
                self.outbound.begin_anew();
            }
        }
        self.gate.renegotiate(config.remote, config.signalling);
        if config.rtcp_remote != self.config.rtcp_remote {
            self.reports_from = None;
        }
        self.gate.listen_from(now);
        if config.dtmf_payload_type.is_none() {
            self.outbound.events.clear();
        }
        if config.send && !self.config.send {
            self.outbound.mark = true;
        }
        self.config = config;
    }

    /// Takes a datagram that came `from` there. Returns a digit the far end pressed, once.
    ///
    /// Only the negotiated source is heard, or the far end behind NAT once it has proven itself; it is locked then.
    pub fn receive(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Option<char> {
        // Opened in place, and this is lent only.
        let mut packet = [0; MAX_PACKET];
        let packet = packet.get_mut(..datagram.len())?;
        packet.copy_from_slice(datagram);
        let mut admitted = self.admit(now, from, packet)?;
        self.store(now, &mut admitted);
        admitted.digit
    }

    /// The gate, the counters and the keys: everything but the sound.
    pub(crate) fn admit<'a>(
        &mut self,
        now: Duration,
        from: SocketAddr,
        datagram: &'a mut [u8],
    ) -> Option<Admitted<'a>> {
        let admitted = if self.config.receive { self.screen(now, from, datagram) } else { None };
        let Some((packet, kind)) = admitted else {
            self.figures.refused += 1;
            return None;
        };
        let inbound = &mut self.inbound;
        if inbound.ssrc != Some(packet.ssrc) {
            if inbound.ssrc.is_some() {
                inbound.jitter.flush();
                inbound.events.forget();
            }
            (inbound.ssrc, inbound.transit) = (Some(packet.ssrc), None);
        }
        inbound.heard_at = Some(now);
        self.figures.packets += 1;
        let is_event = kind == Kind::Event;
        let digit = if is_event { inbound.events.take(packet.timestamp, packet.payload) } else { None };
        if matches!(kind, Kind::Sound | Kind::Redundant) {
            inbound.measure_jitter(now, packet.timestamp, self.config.codec.clock_hz());
        }
        Some(Admitted { packet, kind, digit, repeated: false })
    }

    fn screen<'a>(
        &mut self,
        now: Duration,
        from: SocketAddr,
        datagram: &'a mut [u8],
    ) -> Option<(Packet<'a>, Kind)> {
        let (length, proven) = self.uncover(datagram, SrtpSession::open)?;
        let packet = rtp::read(datagram.get(..length)?)?;
        let kind = if packet.payload_type == self.config.receive_payload_type {
            Kind::Sound
        } else if Some(packet.payload_type) == self.config.red_receive_payload_type {
            Kind::Redundant
        } else if Some(packet.payload_type) == self.config.dtmf_receive_payload_type {
            Kind::Event
        } else if packet.payload_type == COMFORT_NOISE && self.config.codec != Codec::Opus {
            Kind::Comfort
        } else {
            return None;
        };
        self.gate.admits(now, from, &packet, proven).then_some((packet, kind))
    }

    /// Puts an admitted packet's sound into the jitter buffer.
    pub(crate) fn store(&mut self, now: Duration, admitted: &mut Admitted<'_>) {
        let packet = &admitted.packet;
        let payload = match admitted.kind {
            Kind::Sound => Some(packet.payload),
            Kind::Redundant => self.newest(packet.payload),
            Kind::Event => None,
            Kind::Comfort => {
                admitted.repeated = !self.inbound.jitter.silence(packet.sequence, packet.timestamp);
                if !admitted.repeated {
                    self.inbound.comfort.describe(packet.payload);
                }
                return;
            }
        };
        let jitter = &mut self.inbound.jitter;
        let Some(payload) = payload else {
            admitted.repeated = !jitter.count(packet.sequence, packet.timestamp);
            return;
        };
        let ticks = duration_ticks(self.config.codec, payload);
        match jitter.insert(now, packet.sequence, packet.timestamp, ticks, payload) {
            Arrival::Stored { reordered } => self.figures.reordered += u64::from(reordered),
            Arrival::Duplicate => {
                self.figures.duplicates += 1;
                admitted.repeated = true;
            }
            Arrival::Late => self.figures.late += 1,
            Arrival::Refused => self.figures.refused += 1,
            Arrival::Restarted => self.inbound.transit = None,
        }
        if admitted.kind == Kind::Redundant {
            self.restore(now, &admitted.packet, ticks);
        }
    }

    /// The new sound of a redundant payload.
    fn newest<'a>(&self, payload: &'a [u8]) -> Option<&'a [u8]> {
        let newest = red::read(payload).last()?;
        (newest.payload_type == self.config.receive_payload_type && !newest.payload.is_empty())
            .then_some(newest.payload)
    }

    /// Puts the earlier sound of a redundant packet into the jitter buffer, where that is missed. Packets in a row are
    /// taken to last as long as its new sound.
    fn restore(&mut self, now: Duration, packet: &Packet<'_>, ticks: u32) {
        for block in red::read(packet.payload) {
            let back = block.offset.checked_div(ticks).unwrap_or(0);
            let ours = block.payload_type == self.config.receive_payload_type && !block.payload.is_empty();
            if !ours || back == 0 || back * ticks != block.offset {
                continue;
            }
            let sequence = packet.sequence.wrapping_sub(back as u16);
            let timestamp = packet.timestamp.wrapping_sub(block.offset);
            let lasts = duration_ticks(self.config.codec, block.payload);
            self.inbound.jitter.restore(now, sequence, timestamp, lasts, block.payload);
        }
    }

    /// Counts an admitted packet that is forwarded and not heard here; a repeated one is not to be forwarded again.
    pub(crate) fn count(&mut self, admitted: &mut Admitted<'_>) {
        if !self.inbound.jitter.count(admitted.packet.sequence, admitted.packet.timestamp) {
            self.figures.duplicates += 1;
            admitted.repeated = true;
        }
    }

    /// Forgets the sound that waits: nobody will [`Stream::pull`] it for a while.
    pub(crate) fn stop_hearing(&mut self) {
        self.inbound.jitter.flush();
        self.inbound.forget_sound();
        self.inbound.concealed_in_row = CONCEALED_MAX;
    }

    /// Makes our packet of one that another stream with the same codec admitted (RFC 3550 7.1: a translator, but with
    /// numbers of its own, so that sound from elsewhere can follow). Returns its length, 0 when it isn't to be sent.
    pub(crate) fn forward(&mut self, now: Duration, admitted: &Admitted<'_>, out: &mut [u8]) -> usize {
        // While a key is being sent, it takes the sound's place.
        if !self.may_send() || admitted.repeated || (self.is_dialling() && admitted.kind != Kind::Event) {
            return 0;
        }
        let source = &admitted.packet;
        let mut payload = source.payload;
        let payload_type = match (admitted.kind, self.config.dtmf_payload_type) {
            (Kind::Sound, _) => self.config.payload_type,
            (Kind::Redundant, _) => {
                payload = red::read(source.payload).last().map_or(&[], |newest| newest.payload);
                self.config.payload_type
            }
            (Kind::Event, Some(payload_type)) => payload_type,
            // Nobody agreed to these.
            (Kind::Event, None) | (Kind::Comfort, _) => return 0,
        };
        let clock = self.config.codec.clock_hz();
        let (sequence, timestamp) = self.outbound.relay_numbers(now, clock, source);
        let marker = source.marker || std::mem::take(&mut self.outbound.mark);
        let packet = Packet { marker, payload_type, sequence, timestamp, ssrc: self.outbound.ssrc, payload };
        let length = rtp::write(out, &packet);
        self.outbound.sent_at = Some(now);
        self.seal(out, length)
    }

    /// The next 5 ms to be heard.
    pub fn pull(&mut self, now: Duration, slice: &mut [i16; SLICE]) {
        self.inbound.pull(now, slice, &mut self.figures);
    }

    /// Makes the packet for the next 20 ms in `packet`; returns its length, 0 when nothing is to be sent.
    pub fn push(&mut self, now: Duration, frame: &[i16; FRAME], packet: &mut [u8]) -> usize {
        let mut payload = [0; MAX_PAYLOAD];
        if !self.may_send() {
            return 0;
        }
        if self.is_dialling() {
            // The encoder hears the frame even when a key is sent instead, so that it doesn't stumble afterwards.
            self.outbound.drop_held();
            self.outbound.encoder.encode(frame, &mut payload);
            return self.push_payload(now, &[], 1, packet);
        }
        let frames = usize::from(self.config.frames.clamp(1, FRAMES_MAX));
        let Some(length) = self.outbound.encode(frame, frames, &mut payload) else {
            self.outbound.pass(now, self.config.codec.clock_hz());
            return 0;
        };
        self.push_payload(now, payload.get(..length).unwrap_or(&[]), frames as u32, packet)
    }

    /// As [`Stream::push`], with a frame of 20 ms that is encoded already.
    pub(crate) fn push_encoded(&mut self, now: Duration, payload: &[u8], packet: &mut [u8]) -> usize {
        if !self.may_send() {
            return 0;
        }
        self.outbound.drop_held();
        self.push_payload(now, payload, 1, packet)
    }

    /// Sends what lasts so many frames up to now.
    fn push_payload(&mut self, now: Duration, payload: &[u8], frames: u32, out: &mut [u8]) -> usize {
        let clock = self.config.codec.clock_hz();
        let frame_ticks = clock / 50;
        let outbound = &mut self.outbound;
        outbound.catch_up(now, clock);
        let timestamp = outbound.timestamp.wrapping_sub((frames - 1) * frame_ticks);
        outbound.timestamp = outbound.timestamp.wrapping_add(frame_ticks);
        outbound.sent_at = Some(now);
        let event =
            self.config.dtmf_payload_type.and_then(|pt| Some((pt, outbound.events.next(frame_ticks)?)));
        let mut packet = Packet {
            marker: outbound.mark,
            payload_type: self.config.payload_type,
            sequence: outbound.sequence,
            timestamp,
            ssrc: outbound.ssrc,
            payload,
        };
        if let Some((payload_type, event)) = &event {
            if event.first {
                outbound.event_timestamp = timestamp;
            }
            packet.marker = event.first;
            packet.payload_type = *payload_type;
            packet.timestamp = outbound.event_timestamp;
            packet.payload = &event.payload;
        }
        if packet.payload.is_empty() {
            // Nobody speaks: what comes next begins a talkspurt.
            outbound.mark = true;
            return 0;
        }
        let mut redundant = [0; MAX_PACKET - RTP_HEADER - OVERHEAD];
        if event.is_none()
            && let Some(payload_type) = self.config.red_payload_type
        {
            let new = (self.config.payload_type, timestamp, payload);
            let plan = outbound.plan(now, self.reports.heard.lost_percent.is_some());
            let length = outbound.history.write(plan, frames * frame_ticks, new, &mut redundant);
            if length > 0 {
                (packet.payload_type, packet.payload) = (payload_type, &redundant[..length]);
            }
            let mut again = [0; MAX_PAYLOAD];
            let length = to_be_repeated(self.config.codec, payload, &mut again);
            outbound.history.keep(timestamp, &again[..length]);
        }
        let length = rtp::write(out, &packet);
        if length > 0 {
            // Sound after a key begins a talkspurt.
            outbound.mark = event.is_some();
            outbound.sequence = outbound.sequence.wrapping_add(1);
        }
        self.seal(out, length)
    }

    /// Queues a telephone event; `false` when the far end takes none, the queue is full or it is no key.
    pub fn send_digit(&mut self, digit: char, duration_ms: u16) -> bool {
        self.config.dtmf_payload_type.is_some() && self.outbound.events.press(digit, duration_ms)
    }

    /// A key is being sent, or waits: [`Stream::push`] is wanted even from a bridge.
    pub(crate) fn is_dialling(&self) -> bool {
        self.outbound.events.is_busy()
    }

    /// Makes encoding cheaper by so many steps: the machine is behind ([`Relief`](super::Relief)).
    pub fn relieve(&mut self, steps: u8) {
        self.outbound.encoder.relieve(steps);
    }

    /// What was negotiated.
    pub fn config(&self) -> &StreamConfig {
        &self.config
    }

    /// Where packets go: the negotiated address, or the one learned (symmetric RTP, RFC 4961).
    pub fn remote(&self) -> SocketAddr {
        self.gate.locked().unwrap_or(self.config.remote)
    }

    /// When the far end was last heard.
    pub(crate) fn heard_at(&self) -> Option<Duration> {
        self.inbound.heard_at
    }

    /// Counters and state.
    pub fn figures(&self) -> StreamFigures {
        let clock_per_ms = self.config.codec.clock_hz() as f32 / 1_000.0;
        let heard = self.reports.heard;
        StreamFigures {
            lost: self.inbound.jitter.lost(),
            jitter_ms: self.inbound.jitter_ticks / clock_per_ms,
            buffer_ms: self.inbound.waiting_ms(),
            target_ms: self.inbound.jitter.target_us() as f32 / 1_000.0,
            level_dbfs: self.inbound.meter.level_dbfs(),
            tone_hz: self.inbound.meter.tone_hz(),
            locked: self.gate.locked().is_some(),
            reports: self.reports.packets,
            round_trip_ms: heard.round_trip_ms,
            remote_lost_percent: heard.lost_percent,
            remote_jitter_ms: heard.jitter_ticks.map(|ticks| ticks as f32 / clock_per_ms),
            ..self.figures
        }
    }
}

#[cfg(test)]
mod tests;
