//! The codecs, each behind frames of 20 ms at 48 kHz. Making one allocates; encoding and decoding don't.

mod g722;
mod opus;

use super::comfort::Comfort;
use super::conceal::Concealer;
use super::resample::{Down, Up};
use super::{Codec, FRAME, OpusTerms};
use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

/// Bytes of a G.711 or G.722 frame of 20 ms.
const NARROW: usize = 160;
/// Samples of a G.722 frame of 20 ms, and 48 kHz over their rate.
const WIDE: usize = 320;
const WIDE_FACTOR: usize = 3;
/// 48 kHz over G.711's rate.
const NARROW_FACTOR: usize = 6;
/// Longest packet that is decoded: 120 ms (RFC 6716 2.1.4), at 48 kHz.
pub(crate) const LONGEST: usize = 5_760;
/// Most of a G.711 or G.722 packet that is decoded: 120 ms.
const NARROW_LONGEST: usize = 960;
/// How long a payload lasts, in ticks of its RTP clock; 0 when it can't be decoded.
pub(crate) fn duration_ticks(codec: Codec, payload: &[u8]) -> u32 {
    match codec {
        // G.722's clock counts as if it were half as fast as it is (RFC 3551 4.5.2).
        Codec::Pcmu | Codec::Pcma | Codec::G722 if payload.len() <= NARROW_LONGEST => payload.len() as u32,
        Codec::Pcmu | Codec::Pcma | Codec::G722 => 0,
        Codec::Opus => {
            let samples = opus::duration(payload);
            if samples <= LONGEST { samples as u32 } else { 0 }
        }
    }
}

/// A payload as it is worth to be sent again, in `out`; its length.
pub(crate) fn to_be_repeated(codec: Codec, payload: &[u8], out: &mut [u8]) -> usize {
    if codec == Codec::Opus {
        return opus::without_padding(payload, out);
    }
    let Some(out) = out.get_mut(..payload.len()) else { return 0 };
    out.copy_from_slice(payload);
    payload.len()
}

fn law_encode(codec: Codec, sample: i16) -> u8 {
    if codec == Codec::Pcma { encode_alaw(sample) } else { encode_ulaw(sample) }
}

fn law_decode(codec: Codec, byte: u8) -> i16 {
    if codec == Codec::Pcma { decode_alaw(byte) } else { decode_ulaw(byte) }
}

/// Frames to payloads.
pub(crate) enum Encoder {
    Opus(Box<opus::Encoder>),
    G711 { codec: Codec, down: Down },
    G722 { encoder: Box<g722::Encoder>, down: Down },
}

impl Encoder {
    pub(crate) fn new(codec: Codec, terms: OpusTerms) -> Self {
        match codec {
            Codec::Opus => Self::Opus(Box::new(opus::Encoder::new(terms))),
            Codec::Pcmu | Codec::Pcma => Self::G711 { codec, down: Down::new(NARROW_FACTOR) },
            Codec::G722 => {
                Self::G722 { encoder: Box::new(g722::Encoder::new()), down: Down::new(WIDE_FACTOR) }
            }
        }
    }

    /// Whether several frames are encoded as one.
    pub(crate) fn takes_long_frames(&self) -> bool {
        matches!(self, Self::Opus(_))
    }

    /// Encodes a frame (Opus: or two, or three) and returns the payload's length; 0 when the encoder refuses, or has
    /// nothing to say.
    pub(crate) fn encode(&mut self, frame: &[i16], payload: &mut [u8]) -> usize {
        match self {
            Self::Opus(encoder) => encoder.encode(frame, payload),
            Self::G711 { codec, down } => {
                let mut narrow = [0; NARROW];
                down.process(frame, &mut narrow);
                for (byte, sample) in payload.iter_mut().zip(narrow) {
                    *byte = law_encode(*codec, sample);
                }
                NARROW.min(payload.len())
            }
            Self::G722 { encoder, down } => {
                let mut wide = [0; WIDE];
                down.process(frame, &mut wide);
                encoder.encode(&wide, payload)
            }
        }
    }
}

impl Encoder {
    /// The far end has missed so many percent lately.
    pub(crate) fn set_loss(&mut self, percent: f32, repeats: bool) {
        if let Self::Opus(encoder) = self {
            encoder.set_loss(percent, repeats);
        }
    }

    /// Makes encoding cheaper by so many steps (0: as good as it gets): the machine is behind.
    pub(crate) fn relieve(&mut self, steps: u8) {
        if let Self::Opus(encoder) = self {
            encoder.relieve(steps);
        }
    }
}

/// What became of a gap.
pub(crate) struct Filled {
    /// Samples at 48 kHz that were written.
    pub samples: usize,
    /// They are what was said, and not made up.
    pub recovered: bool,
}

/// Payloads to sound.
pub(crate) enum Decoder {
    Opus(Box<opus::Decoder>),
    G711 { codec: Codec, up: Box<Up>, concealer: Box<Concealer> },
    G722 { decoder: Box<g722::Decoder>, up: Box<Up>, concealer: Box<Concealer> },
}

impl Decoder {
    pub(crate) fn new(codec: Codec) -> Self {
        match codec {
            Codec::Opus => Self::Opus(Box::new(opus::Decoder::new())),
            Codec::Pcmu | Codec::Pcma => {
                let (up, concealer) = (Up::new(NARROW_FACTOR), Concealer::new(8_000));
                Self::G711 { codec, up: Box::new(up), concealer: Box::new(concealer) }
            }
            Codec::G722 => {
                let (up, concealer) = (Up::new(WIDE_FACTOR), Concealer::new(16_000));
                let decoder = Box::new(g722::Decoder::new());
                Self::G722 { decoder, up: Box::new(up), concealer: Box::new(concealer) }
            }
        }
    }

    /// Decodes a payload to 48 kHz; returns the number of samples, 0 when it can't be decoded.
    pub(crate) fn decode(&mut self, payload: &[u8], sound: &mut [i16; LONGEST]) -> usize {
        match self {
            Self::Opus(_) if payload.is_empty() => 0,
            Self::Opus(decoder) => decoder.decode(payload, sound, false),
            Self::G711 { codec, up, concealer } => {
                let mut narrow = [0; NARROW_LONGEST];
                let count = payload.len().min(NARROW_LONGEST);
                for (sample, byte) in narrow.iter_mut().zip(payload) {
                    *sample = law_decode(*codec, *byte);
                }
                let narrow = &mut narrow[..count];
                concealer.good(narrow);
                up.process(narrow, sound);
                count * NARROW_FACTOR
            }
            Self::G722 { decoder, up, concealer } => {
                let mut wide = [0; 2 * NARROW_LONGEST];
                let payload = payload.get(..NARROW_LONGEST).unwrap_or(payload);
                let count = decoder.decode(payload, &mut wide);
                let wide = &mut wide[..count];
                concealer.good(wide);
                up.process(wide, sound);
                count * WIDE_FACTOR
            }
        }
    }

    /// Fills a gap of `gap` samples at 48 kHz right before the payload `after`: from what that holds of it, or else with
    /// made-up sound, in pieces of a frame. Call again for what is left.
    pub(crate) fn fill(&mut self, after: &[u8], gap: usize, sound: &mut [i16; LONGEST]) -> Filled {
        if let Self::Opus(decoder) = self
            && let Some(filled) = decoder.fill(after, gap, sound)
        {
            return Filled { samples: filled, recovered: true };
        }
        let mut made_up = [0; FRAME];
        self.conceal(&mut made_up);
        let samples = gap.clamp(1, FRAME);
        sound[..samples].copy_from_slice(&made_up[..samples]);
        Filled { samples, recovered: false }
    }

    /// How many ms of lost sound the packet after it may bring back, as far as packets have shown.
    pub(crate) fn reach_ms(&self) -> i64 {
        match self {
            Self::Opus(decoder) => decoder.reach_ms(),
            Self::G711 { .. } | Self::G722 { .. } => 0,
        }
    }

    /// Makes noise of the kind that the far end has described, as much as there is room for up to 20 ms.
    pub(crate) fn noise(&mut self, comfort: &mut Comfort, sound: &mut [i16]) {
        match self {
            // Opus makes its own.
            Self::Opus(_) => self.conceal(sound),
            Self::G711 { up, concealer, .. } => {
                let mut narrow = [0; NARROW];
                let narrow = &mut narrow[..(sound.len() / NARROW_FACTOR).min(NARROW)];
                comfort.fill(narrow);
                concealer.good(narrow);
                up.process(narrow, sound);
            }
            Self::G722 { up, concealer, .. } => {
                let mut wide = [0; WIDE];
                let wide = &mut wide[..(sound.len() / WIDE_FACTOR).min(WIDE)];
                comfort.fill(wide);
                concealer.good(wide);
                up.process(wide, sound);
            }
        }
    }

    /// Makes up as much as there is room for: 20 ms, or 10 (no codec's model takes less).
    pub(crate) fn conceal(&mut self, sound: &mut [i16]) {
        match self {
            Self::Opus(decoder) => {
                if decoder.decode(&[], sound, false) == 0 {
                    sound.fill(0);
                }
            }
            Self::G711 { up, concealer, .. } => {
                let mut narrow = [0; NARROW];
                let narrow = &mut narrow[..(sound.len() / NARROW_FACTOR).min(NARROW)];
                concealer.conceal(narrow);
                up.process(narrow, sound);
            }
            Self::G722 { up, concealer, .. } => {
                let mut wide = [0; WIDE];
                let wide = &mut wide[..(sound.len() / WIDE_FACTOR).min(WIDE)];
                concealer.conceal(wide);
                up.process(wide, sound);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::level::{level_dbfs, tone_level_dbfs};
    use crate::media::tone::Sine;

    fn tone_through(codec: Codec, hz: u16) -> Vec<i16> {
        let mut encoder = Encoder::new(codec, OpusTerms::default());
        let mut decoder = Decoder::new(codec);
        let mut sine = Sine::new(hz, -15.0);
        let (mut frame, mut payload, mut sound) = ([0; FRAME], [0; 1_275], [0; LONGEST]);
        let mut heard = Vec::new();
        for _ in 0..60 {
            sine.fill(&mut frame);
            let length = encoder.encode(&frame, &mut payload);
            assert_eq!(duration_ticks(codec, &payload[..length]), codec.clock_hz() / 50);
            assert_eq!(decoder.decode(&payload[..length], &mut sound), FRAME);
            heard.extend(&sound[..FRAME]);
        }
        heard.split_off(10 * FRAME)
    }

    #[test]
    fn a_tone_survives_every_codec() {
        for (codec, least_snr_db) in
            [(Codec::Opus, 15.0), (Codec::G722, 30.0), (Codec::Pcmu, 33.0), (Codec::Pcma, 33.0)]
        {
            let heard = tone_through(codec, 1_000);
            let tone = tone_level_dbfs(&heard, 48_000, 1_000.0);
            assert!((tone - -15.0).abs() < 1.0, "{codec:?}: {tone} dB");
            let power = |db: f32| 10.0_f32.powf(db / 10.0);
            let noise = 10.0 * (power(level_dbfs(&heard)) - power(tone)).max(1e-9).log10();
            assert!(tone - noise > least_snr_db, "{codec:?}: SNR {} dB", tone - noise);
        }
    }

    #[test]
    fn opus_and_g722_are_wide_band_and_g711_is_not() {
        assert!(tone_level_dbfs(&tone_through(Codec::G722, 6_000), 48_000, 6_000.0) > -16.5);
        assert!(tone_level_dbfs(&tone_through(Codec::Opus, 6_000), 48_000, 6_000.0) > -18.0);
        assert!(level_dbfs(&tone_through(Codec::Pcma, 6_000)) < -50.0);
    }

    #[test]
    fn garbage_payloads_are_silent_at_worst() {
        use rand::{Rng, SeedableRng, rngs::SmallRng};
        let mut random = SmallRng::seed_from_u64(7);
        let mut sound = [0; LONGEST];
        let mut bytes = [0; 1_275];
        for codec in [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma] {
            let mut decoder = Decoder::new(codec);
            for _ in 0..200 {
                random.fill_bytes(&mut bytes);
                let length = random.next_u32() as usize % bytes.len();
                let payload = &bytes[..length];
                let ticks = duration_ticks(codec, payload);
                assert!(ticks as usize <= LONGEST);
                assert!(decoder.decode(payload, &mut sound) <= LONGEST);
            }
        }
    }
}
