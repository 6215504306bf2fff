//! SRTP and SRTCP (RFC 3711) with AES-CM/HMAC-SHA1 and AES-GCM (RFC 7714): one stream's keys and counters, in place.
//!
//! Nothing here allocates once a session is made, so that packets are protected and opened within the media tick; the
//! crates that exist give back a new buffer for each packet and keep a state for every SSRC that anybody claims, genuine
//! or not. The primitives are RustCrypto's.
//!
//! A session has one key for each direction. What comes in is checked in this order: shape, replay, authenticity; only
//! then a state is made or changed. What goes out is never protected twice under one index, because two packets under
//! one keystream give both away.

mod cipher;
mod key;
#[cfg(test)]
mod tests;
mod window;

pub use key::{MAX_MKI, SrtpKey};

use cipher::Cipher;
use window::Window;

/// The most packets that one master key may protect (RFC 3711 9.2).
pub const MAX_PACKETS: u64 = 1 << 48;
/// The most RTCP packets.
const MAX_RTCP: u32 = 1 << 31;
/// The most bytes that protection adds to a packet: AES-GCM's tag, SRTCP's index and the name of the key.
pub const OVERHEAD: usize = 20 + MAX_MKI;
/// The most keys that one end may use by turns.
pub const MAX_KEYS: usize = 8;
/// SSRCs of the far end that are known at a time; beyond it the one that was silent longest is forgotten.
const SOURCES: usize = 64;
/// Rollovers that are tried for a packet that isn't genuine where it is expected: who joins late, or was on hold for
/// long, can't know how often the far end's sequence numbers have wrapped (RFC 3711 3.3.1). 21 minutes each.
const ROLLOVERS_TRIED: u64 = 4;
/// Packets under a new key during which the earlier one still counts: two seconds.
const GRACE: u32 = 100;
/// The shortest RTP header, and the shortest RTCP packet.
const RTP_HEADER: usize = 12;
const RTCP_HEADER: usize = 8;

/// How packets are encrypted and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SrtpSuite {
    /// AES in counter mode, HMAC-SHA1 of 80 bits.
    AesCm128HmacSha1_80,
    /// AES in counter mode, HMAC-SHA1 of 32 bits (80 for RTCP).
    AesCm128HmacSha1_32,
    /// AES-128 in Galois/counter mode.
    AeadAes128Gcm,
    /// AES-256 in Galois/counter mode.
    AeadAes256Gcm,
}

impl SrtpSuite {
    /// Bytes of the master key.
    pub fn key_length(self) -> usize {
        if self == Self::AeadAes256Gcm { 32 } else { 16 }
    }

    /// Bytes of the master salt.
    pub fn salt_length(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }
}

/// What became of a packet that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Genuine and new: so many bytes are left.
    Genuine(usize),
    /// Genuine perhaps, but it was here before, or is too old to know.
    Replayed,
    /// Not from who has the key, or not a packet at all.
    Forged,
}

/// Both directions of one stream.
pub struct SrtpSession {
    send: Sender,
    receive: Option<Receiver>,
    /// The far end's key before it changed: what was on its way then is still genuine.
    earlier: Option<Receiver>,
    /// Packets under the new key until the earlier one is worth nothing any more.
    grace: u32,
}

impl SrtpSession {
    /// A session with counters of its own. Allocates; nothing after that does.
    pub fn new(send: &SrtpKey, receive: &SrtpKey) -> Option<Self> {
        Self::with_keys(send, std::slice::from_ref(receive))
    }

    /// The same where the far end has several keys, which its packets name; at most [`MAX_KEYS`].
    pub fn with_keys(send: &SrtpKey, receive: &[SrtpKey]) -> Option<Self> {
        let receive = Some(Receiver::new(receive)?);
        Some(Self { send: Sender::new(send)?, receive, earlier: None, grace: 0 })
    }

    /// Takes over from the session before what belongs to the same keys: rollovers and replay lists live as long as
    /// the key, or a keystream would be used twice (RFC 3711 9.1). What `before` keeps is of no use any more.
    pub(crate) fn continues(&mut self, before: &mut Self) {
        if self.send.key.is_same_secret(&before.send.key) {
            self.send.continues(&before.send);
        }
        let continued = match (&mut self.receive, &mut before.receive) {
            (Some(now), Some(before)) => now.continues(before),
            _ => false,
        };
        if continued {
            std::mem::swap(&mut self.earlier, &mut before.earlier);
            self.grace = before.grace;
        } else {
            std::mem::swap(&mut self.earlier, &mut before.receive);
            self.grace = GRACE;
        }
    }

    /// Whether a key of either end has come near the end of its lifetime since this was asked last: it is time for fresh
    /// ones. Said again from time to time for as long as none come.
    pub(crate) fn wants_fresh_keys(&mut self) -> bool {
        let receive = self.receive.as_mut().is_some_and(|receive| std::mem::take(&mut receive.aging));
        std::mem::take(&mut self.send.aging) || receive
    }

    /// Protects the RTP packet of `length` bytes at the beginning of `buffer`; returns its new length, 0 when it must not
    /// be sent: the index was used before, or the key is worn out.
    pub fn seal(&mut self, buffer: &mut [u8], length: usize) -> usize {
        self.send.seal(buffer, length).unwrap_or(0)
    }

    /// The same for an RTCP packet.
    pub(crate) fn seal_rtcp(&mut self, buffer: &mut [u8], length: usize) -> usize {
        self.send.seal_rtcp(buffer, length).unwrap_or(0)
    }

    /// Opens an RTP packet in place. One that isn't genuine is left as it came.
    pub fn open(&mut self, packet: &mut [u8]) -> Opened {
        self.open_with(packet, Receiver::open)
    }

    /// The same for an RTCP packet.
    pub(crate) fn open_rtcp(&mut self, packet: &mut [u8]) -> Opened {
        self.open_with(packet, Receiver::open_rtcp)
    }

    fn open_with(&mut self, packet: &mut [u8], open: fn(&mut Receiver, &mut [u8]) -> Opened) -> Opened {
        let Some(receive) = &mut self.receive else { return Opened::Forged };
        let opened = open(receive, packet);
        if matches!(opened, Opened::Genuine(_)) {
            self.grace = self.grace.saturating_sub(1);
        }
        match (&mut self.earlier, opened) {
            (Some(earlier), Opened::Forged) if self.grace > 0 => open(earlier, packet),
            _ => opened,
        }
    }
}

/// What we send.
struct Sender {
    key: SrtpKey,
    rtp: Cipher,
    rtcp: Cipher,
    window: Window,
    sent: u64,
    aging: bool,
    rtcp_index: u32,
}

impl Sender {
    fn new(key: &SrtpKey) -> Option<Self> {
        Some(Self {
            rtp: Cipher::new(key, false)?,
            rtcp: Cipher::new(key, true)?,
            key: key.clone(),
            window: Window::default(),
            sent: 0,
            aging: false,
            rtcp_index: 0,
        })
    }

    fn seal(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let packet = buffer.get(..length)?;
        let (header, ssrc, sequence) = rtp_header(packet)?;
        // We have one SSRC only.
        let index = match self.window.highest() {
            Some(highest) => nearest(highest, sequence)?,
            None => u64::from(sequence),
        };
        if self.sent >= self.key.lifetime() || index >= MAX_PACKETS || !self.window.is_new(index) {
            return None;
        }
        let sealed = self.rtp.seal_rtp(buffer, header, length, ssrc, index)?;
        self.window.note(index);
        self.sent += 1;
        self.aging |= is_aging(self.sent, self.key.lifetime());
        Some(sealed)
    }

    /// The counters of the same key.
    fn continues(&mut self, before: &Self) {
        (self.window, self.sent, self.rtcp_index) = (before.window, before.sent, before.rtcp_index);
    }

    fn seal_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let ssrc = rtcp_ssrc(buffer.get(..length)?)?;
        if self.rtcp_index >= MAX_RTCP - 1 {
            return None;
        }
        self.rtcp_index += 1;
        self.rtcp.seal_rtcp(buffer, length, ssrc, self.rtcp_index)
    }
}

/// What is known of one SSRC of the far end.
#[derive(Clone, Copy)]
struct Source {
    ssrc: u32,
    window: Window,
    rtcp: Window,
    /// When it was last heard, counted in packets.
    heard: u64,
}

/// What the far end sends.
struct Receiver {
    keys: Box<[ReceiverKey]>,
    sources: Box<[Option<Source>; SOURCES]>,
    count: u64,
    aging: bool,
}

/// One key of the far end.
struct ReceiverKey {
    key: SrtpKey,
    rtp: Cipher,
    rtcp: Cipher,
    opened: u64,
}

impl ReceiverKey {
    fn new(key: &SrtpKey) -> Option<Self> {
        let (rtp, rtcp) = (Cipher::new(key, false)?, Cipher::new(key, true)?);
        Some(Self { key: key.clone(), rtp, rtcp, opened: 0 })
    }
}

impl Receiver {
    fn new(keys: &[SrtpKey]) -> Option<Self> {
        let made: Option<Box<[ReceiverKey]>> = keys.iter().take(MAX_KEYS).map(ReceiverKey::new).collect();
        Some(Self {
            keys: made.filter(|keys| !keys.is_empty())?,
            aging: false,
            sources: Box::new([None; SOURCES]),
            count: 0,
        })
    }

    /// Takes the counters over where a key is the same as before: the far end's indices go on (RFC 3711 3.3.1), also from
    /// one of its keys to the next. False if no key is.
    fn continues(&mut self, before: &mut Self) -> bool {
        let mut same = false;
        for key in &mut self.keys {
            if let Some(old) = before.keys.iter().find(|old| old.key.is_same_secret(&key.key)) {
                (key.opened, same) = (old.opened, true);
            }
        }
        if same {
            std::mem::swap(&mut self.sources, &mut before.sources);
            self.count = before.count;
        }
        same
    }

    fn source(&self, ssrc: u32) -> Option<&Source> {
        self.sources.iter().flatten().find(|source| source.ssrc == ssrc)
    }

    fn open(&mut self, packet: &mut [u8]) -> Opened {
        let Some((header, ssrc, sequence)) = rtp_header(packet) else { return Opened::Forged };
        let window = self.source(ssrc).map(|source| source.window).unwrap_or_default();
        let near = window.highest().and_then(|highest| nearest(highest, sequence));
        let expected = near.unwrap_or(u64::from(sequence));
        let seen = !window.is_new(expected);
        let Some(key) = self.keys.iter_mut().find(|key| key.rtp.is_named_by(packet)) else {
            return Opened::Forged;
        };
        for rollovers in u64::from(seen)..=ROLLOVERS_TRIED {
            let index = expected + (rollovers << 16);
            if let Some(length) = key.rtp.open_rtp(packet, header, ssrc, index) {
                key.opened += 1;
                self.aging |= is_aging(key.opened, key.key.lifetime());
                self.note(ssrc, |source| source.window.note(index));
                return Opened::Genuine(length);
            }
        }
        if seen { Opened::Replayed } else { Opened::Forged }
    }

    fn open_rtcp(&mut self, packet: &mut [u8]) -> Opened {
        let key = self.keys.iter().find(|key| key.rtcp.is_named_by(packet));
        let named = key.and_then(|key| Some((key, rtcp_ssrc(packet)?, key.rtcp.rtcp_index(packet)?)));
        let Some((key, ssrc, index)) = named else { return Opened::Forged };
        if self.source(ssrc).is_some_and(|source| !source.rtcp.is_new(index.into())) {
            return Opened::Replayed;
        }
        match key.rtcp.open_rtcp(packet, ssrc, index) {
            Some(length) => {
                self.note(ssrc, |source| source.rtcp.note(index.into()));
                Opened::Genuine(length)
            }
            None => Opened::Forged,
        }
    }

    /// Changes the state of a source that has proven to have the key; makes one for a new one.
    fn note(&mut self, ssrc: u32, change: impl FnOnce(&mut Source)) {
        self.count += 1;
        let known = self.sources.iter().position(|place| place.as_ref().is_some_and(|s| s.ssrc == ssrc));
        // An empty place, or the one that was silent longest.
        let oldest = || (0..SOURCES).min_by_key(|at| self.sources[*at].as_ref().map_or(0, |s| s.heard));
        let Some(place) = known.or_else(oldest).and_then(|at| self.sources.get_mut(at)) else { return };
        let fresh = Source { ssrc, window: Window::default(), rtcp: Window::default(), heard: 0 };
        let mut source = place.filter(|source| source.ssrc == ssrc).unwrap_or(fresh);
        source.heard = self.count;
        change(&mut source);
        *place = Some(source);
    }
}

/// Whether a key that is good for so many packets has come to the last sixteenth of them, or a quarter of that further.
fn is_aging(used: u64, lifetime: u64) -> bool {
    let old = lifetime - lifetime / 16;
    used >= old && (used - old).is_multiple_of((lifetime / 64).max(1))
}

/// The index nearest to `highest` whose low 16 bits are `sequence` (RFC 3711 3.3.1); `None` before the first.
fn nearest(highest: u64, sequence: u16) -> Option<u64> {
    let step = sequence.wrapping_sub(highest as u16) as i16;
    highest.checked_add_signed(step.into())
}

/// Length, SSRC and sequence number of an RTP packet's header (RFC 3550 5.1).
fn rtp_header(packet: &[u8]) -> Option<(usize, u32, u16)> {
    let first = *packet.first()?;
    let sequence = u16::from_be_bytes(packet.get(2..4)?.try_into().ok()?);
    let ssrc = u32::from_be_bytes(packet.get(8..RTP_HEADER)?.try_into().ok()?);
    let mut length = RTP_HEADER + 4 * usize::from(first & 0x0F);
    if first & 0x10 != 0 {
        let words = u16::from_be_bytes(packet.get(length + 2..length + 4)?.try_into().ok()?);
        length += 4 + 4 * usize::from(words);
    }
    (first >> 6 == 2 && length <= packet.len()).then_some((length, ssrc, sequence))
}

fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let version = *packet.first()? >> 6;
    let ssrc = u32::from_be_bytes(packet.get(4..RTCP_HEADER)?.try_into().ok()?);
    (version == 2).then_some(ssrc)
}
