//! Opus (RFC 6716) by libopus: the encoder with what it puts in against loss, and the decoder with three ways to fill a
//! gap: the next packet's forward error correction, deep redundancy of a later packet, and concealment.

use super::LONGEST;
use crate::media::{FRAME, OpusTerms};
use opusic_c::{Application, Bandwidth, Bitrate, Channels, ErrorCode, InbandFec, SampleRate, Signal};

/// Bits a second of our Opus while nothing is lost: wide-band speech, and what is enough for narrower.
const BITRATE: u32 = 24_000;
const BITRATE_MEDIUM: u32 = 18_000;
const BITRATE_NARROW: u32 = 14_000;
/// Bits a second more for each percent that is lost, for the redundancy; and the percent beyond which there is no more.
const BITRATE_PER_PERCENT: u32 = 1_200;
const LOSS_MAX: u8 = 10;
/// The loss told to the encoder is at most this: beyond, it would spend everything on redundancy.
const TOLD_MAX: u8 = 30;
/// How far back deep redundancy reaches, in frames of 10 ms; and the bits a second that it gets.
const DEEP_FRAMES: u8 = 24;
const DEEP_BITRATE: u32 = 14_000;
/// What our encoder makes of the machine's time at most; 10 is the most there is.
const COMPLEXITY: u8 = 9;
/// From this decoder complexity on libopus conceals by its neural model.
const DEEP: u8 = 5;
/// Largest Opus frame we make.
const PAYLOAD_MAX: usize = 400;
/// Longest gap that deep redundancy fills, in samples: 100 ms.
const DEEP_MAX: usize = 5 * FRAME;
/// Packets after which forward error correction that doesn't come any more isn't counted upon.
const HOPE: u32 = 250;

/// A packet of this length or less says that nobody speaks, and needn't be sent (discontinuous transmission).
const NOTHING: usize = 2;

/// The encoder.
pub(crate) struct Encoder {
    inner: Option<opusic_c::Encoder>,
    terms: OpusTerms,
    loss: u8,
    /// Packets are sent again as they are, so that forward error correction is of no use.
    repeats: bool,
}

impl Encoder {
    pub(crate) fn new(terms: OpusTerms) -> Self {
        Self { inner: make(terms).ok(), terms, loss: 0, repeats: false }
    }

    /// The far end has missed so many percent lately: as much is put in against it. `repeats`: packets are sent again
    /// beside new ones.
    pub(crate) fn set_loss(&mut self, percent: f32, repeats: bool) {
        let loss = (percent.ceil() as u8).min(TOLD_MAX);
        if (loss, repeats) == (self.loss, self.repeats) {
            return;
        }
        (self.loss, self.repeats) = (loss, repeats);
        let terms = self.terms;
        // Deep redundancy reaches farther back than copies do, but what it brings is a likeness of the voice: alone it
        // sounds worse than forward error correction, which can't be had beside it.
        let deep = terms.deep && loss > 0 && (repeats || !terms.fec);
        let fec = terms.fec && !repeats && !deep;
        let more = match (deep, fec) {
            (true, _) => DEEP_BITRATE,
            (false, true) => BITRATE_PER_PERCENT * u32::from(loss.min(LOSS_MAX)),
            (false, false) => 0,
        };
        let bitrate = bitrate(terms, more);
        if let Some(encoder) = &mut self.inner {
            // None can fail within its range; if one did, things stay as they were.
            let _ = encoder
                .set_packet_loss(if fec || deep { loss } else { 0 })
                .and_then(|()| encoder.set_inband_fec(if fec { InbandFec::Mode1 } else { InbandFec::Off }))
                .and_then(|()| encoder.set_dred_duration(if deep { DEEP_FRAMES } else { 0 }))
                .and_then(|()| encoder.set_bitrate(Bitrate::Value(bitrate)));
        }
    }

    /// Makes the encoding cheaper by so many steps of complexity: the machine is behind.
    pub(crate) fn relieve(&mut self, steps: u8) {
        if let Some(encoder) = &mut self.inner {
            let _ = encoder.set_complexity(COMPLEXITY.saturating_sub(steps));
        }
    }

    /// Encodes a frame and returns the payload's length; 0 when the encoder refuses, or there is nothing to say.
    pub(crate) fn encode(&mut self, frame: &[i16], payload: &mut [u8]) -> usize {
        let Some(encoder) = &mut self.inner else { return 0 };
        let mut sound = [0.0; LONGEST];
        let Some(sound) = sound.get_mut(..frame.len()) else { return 0 };
        for (float, sample) in sound.iter_mut().zip(frame) {
            *float = f32::from(*sample) / 32_768.0;
        }
        let room = payload.len().min(PAYLOAD_MAX);
        let length =
            payload.get_mut(..room).map_or(0, |out| encoder.encode_float_to_slice(sound, out).unwrap_or(0));
        if self.terms.dtx && length <= NOTHING { 0 } else { length }
    }
}

/// Bits a second for that, and so many more, within what the far end wants.
fn bitrate(terms: OpusTerms, more: u32) -> u32 {
    let bitrate = match terms.playback_hz {
        ..12_000 => BITRATE_NARROW,
        12_000..16_000 => BITRATE_MEDIUM,
        16_000.. => BITRATE,
    };
    (bitrate + more).min(terms.bitrate_max.unwrap_or(u32::MAX))
}

fn make(terms: OpusTerms) -> Result<opusic_c::Encoder, ErrorCode> {
    let mut encoder = opusic_c::Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Value(bitrate(terms, 0)))?;
    encoder.set_complexity(COMPLEXITY)?;
    encoder.set_signal(Signal::Voice)?;
    // What lies above would take its bits from the voice; and the models against loss know nothing of it.
    encoder.set_max_bandwidth(match terms.playback_hz {
        ..12_000 => Bandwidth::Narrow,
        12_000..16_000 => Bandwidth::Medium,
        16_000.. => Bandwidth::Wide,
    })?;
    encoder.set_vbr(!terms.cbr)?;
    encoder.set_dtx(terms.dtx)?;
    encoder.set_inband_fec(if terms.fec { InbandFec::Mode1 } else { InbandFec::Off })?;
    Ok(encoder)
}

/// A packet without what its padding holds; its length. Deep redundancy says everything again in each packet: there is no
/// use in saying it twice.
pub(crate) fn without_padding(packet: &[u8], out: &mut [u8]) -> usize {
    let bare = padding(packet).filter(|_| packet.first().is_some_and(|toc| toc & 3 == 3));
    let (head, body) = match (bare, packet.first()) {
        // One frame, and nothing else (RFC 6716 3.2.2).
        (Some((from, to)), Some(toc)) => (toc & !3, packet.get(from..to)),
        (None, Some(toc)) => (*toc, packet.get(1..)),
        (_, None) => return 0,
    };
    let (Some(body), Some((first, rest))) = (body, out.split_first_mut()) else { return 0 };
    let Some(rest) = rest.get_mut(..body.len()) else { return 0 };
    *first = head;
    rest.copy_from_slice(body);
    1 + body.len()
}

/// The decoder.
pub(crate) struct Decoder {
    inner: Option<opusic_c::dred::Dred>,
    /// Packets since the last one that held the frame before it again, and since one with deep redundancy.
    since_redundant: u32,
    since_deep: u32,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        let made = opusic_c::Decoder::new(Channels::Mono, SampleRate::Hz48000).and_then(|mut decoder| {
            decoder.set_complexity(DEEP)?;
            opusic_c::dred::Dred::new(decoder)
        });
        Self { inner: made.ok(), since_redundant: HOPE, since_deep: HOPE }
    }

    /// Decodes a payload; an empty one is concealed. Returns the number of samples, 0 when it can't be decoded.
    pub(crate) fn decode(&mut self, payload: &[u8], sound: &mut [i16], redundancy: bool) -> usize {
        if !payload.is_empty() && !redundancy {
            self.since_redundant =
                if carries_redundancy(payload) { 0 } else { self.since_redundant.saturating_add(1) };
            self.since_deep = if carries_deep(payload) { 0 } else { self.since_deep.saturating_add(1) };
        }
        let Some(dred) = &mut self.inner else { return 0 };
        let mut samples = [0_u16; LONGEST];
        let Some(room) = samples.get_mut(..sound.len().min(LONGEST)) else { return 0 };
        let count = dred.decoder_mut().decode_to_slice(payload, room, redundancy).unwrap_or(0);
        for (sample, raw) in sound.iter_mut().zip(&room[..count]) {
            *sample = *raw as i16;
        }
        count
    }

    /// Fills a gap before the packet `after` from what that holds of it; the number of samples, if anything.
    pub(crate) fn fill(&mut self, after: &[u8], gap: usize, sound: &mut [i16; LONGEST]) -> Option<usize> {
        let gap = gap.next_multiple_of(FRAME / 8);
        if gap <= FRAME && carries_redundancy(after) {
            let room = sound.get_mut(..FRAME)?;
            return (self.decode(after, room, true) == FRAME).then_some(gap.min(FRAME));
        }
        let room = sound.get_mut(..gap).filter(|_| gap <= DEEP_MAX && carries_deep(after))?;
        self.decode_deep(after, room).then_some(gap)
    }

    /// What is older than the redundancy reaches is concealed.
    fn decode_deep(&mut self, after: &[u8], sound: &mut [i16]) -> bool {
        let Some(dred) = &mut self.inner else { return false };
        let mut samples = [0_u16; DEEP_MAX];
        let Some(room) = samples.get_mut(..sound.len()) else { return false };
        // The wrapper wants the words of its own kind: the same bits.
        let count = dred.decode_to_slice(after, room).unwrap_or(0);
        for (sample, raw) in sound.iter_mut().zip(&*room) {
            *sample = *raw as i16;
        }
        count == sound.len()
    }

    /// How many ms of lost sound the packet after it may bring back.
    pub(crate) fn reach_ms(&self) -> i64 {
        match (self.since_deep < HOPE, self.since_redundant < HOPE) {
            (true, _) => (DEEP_MAX / 48) as i64,
            (false, true) => 20,
            (false, false) => 0,
        }
    }
}

/// How long a payload lasts, in samples at 48 kHz; 0 when it can't be decoded.
pub(crate) fn duration(payload: &[u8]) -> usize {
    opusic_c::utils::get_nb_samples(payload, SampleRate::Hz48000).unwrap_or(0)
}

/// Whether an Opus packet of one or two equal frames holds the frame before it again: the LBRR flag, which follows the
/// VAD flags (RFC 6716 4.2.3 and 4.2.4). The decoder itself doesn't say: it makes something up instead.
fn carries_redundancy(packet: &[u8]) -> bool {
    let Some(toc) = packet.first() else { return false };
    let configuration = toc >> 3;
    // Packets of one frame, also in the form that has padding, where extensions live (RFC 6716 3.2).
    let flags = match toc & 3 {
        0 | 1 => packet.get(1),
        3 => padding(packet).and_then(|(frame, _)| packet.get(frame)),
        _ => None,
    };
    let (Some(flags), false) = (flags, configuration >= 16) else { return false };
    // SILK's own frames of 20 ms in a frame: configurations go 10, 20, 40, 60 ms; hybrid ones 10, 20.
    let silk_frames = match (configuration < 12, configuration % 4) {
        (true, 2) => 2,
        (true, 3) => 3,
        _ => 1,
    };
    let middle = flags >> (7 - silk_frames) & 1 == 1;
    let stereo = toc & 4 != 0;
    middle || (stereo && silk_frames < 3 && flags >> (6 - 2 * silk_frames) & 1 == 1)
}

/// Whether a packet holds deep redundancy: the first extension in its padding (draft-ietf-mlcodec-opus-dred).
fn carries_deep(packet: &[u8]) -> bool {
    /// The number that libopus 1.6 gives the extension, above the bit that tells of its length.
    const EXTENSION: u8 = 126;
    let padding = packet.first().filter(|toc| *toc & 3 == 3).and_then(|_| padding(packet));
    padding.and_then(|(_, padding)| packet.get(padding)).is_some_and(|byte| byte >> 1 == EXTENSION)
}

/// Where the only frame of a packet of code 3 with padding begins, and where its padding does (RFC 6716 3.2.5).
fn padding(packet: &[u8]) -> Option<(usize, usize)> {
    let count = packet.get(1)?;
    if count & 0x3F != 1 || count & 0x40 == 0 {
        return None;
    }
    let (mut at, mut length) = (2, 0_usize);
    loop {
        let byte = usize::from(*packet.get(at)?);
        at += 1;
        length += byte.min(254);
        if byte < 255 {
            break;
        }
    }
    Some((at, packet.len().checked_sub(length).filter(|padding| *padding >= at)?))
}
