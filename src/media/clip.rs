//! Recordings: a clip that plays once, and music that loops without a click and is encoded once for all listeners.

use super::codec::Encoder;
use super::resample::resample;
use super::{Codec, FRAME, OpusTerms, RATE_HZ};
use std::fmt;
use std::sync::Arc;

/// Longest recording that is taken: 10 minutes. What is beyond is left out.
const LONGEST_S: usize = 600;
/// How long the end of a loop is faded into its beginning: 50 ms.
const FADE: usize = 2_400;
/// Frames that a codec is given before the first: 400 ms.
const LEAD_FRAMES: usize = 20;

/// A recording, 48 kHz mono. Cheap to clone.
#[derive(Clone)]
pub struct Clip {
    samples: Arc<[i16]>,
}

impl Clip {
    /// From mono samples at any rate (1 Hz at least); at most ten minutes.
    pub fn new(samples: &[i16], rate_hz: u32) -> Self {
        let longest = LONGEST_S * rate_hz.max(1) as usize;
        let samples = samples.get(..longest).unwrap_or(samples);
        Self { samples: resample(samples, rate_hz, RATE_HZ).into() }
    }

    /// The samples at 48 kHz.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// The frame that begins at sample `at`, padded with silence; `false` at the end.
    pub(crate) fn frame(&self, at: usize, frame: &mut [i16; FRAME]) -> bool {
        frame.fill(0);
        let Some(rest) = self.samples.get(at..).filter(|rest| !rest.is_empty()) else { return false };
        for (to, from) in frame.iter_mut().zip(rest) {
            *to = *from;
        }
        true
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clip({} samples)", self.samples.len())
    }
}

/// A loop for callers on hold. Making one encodes it in every codec (some 10 ms for each second of music), so that
/// sending it to hundreds costs a copy. Cheap to clone.
#[derive(Clone)]
pub struct Music {
    encoded: Arc<Encoded>,
}

struct Encoded {
    samples: Vec<i16>,
    pcmu: Frames,
    pcma: Frames,
    g722: Frames,
    opus: Frames,
}

/// Payloads of 20 ms, one behind the other.
struct Frames {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Frames {
    /// Encodes the loop, after its last frames: so the codec knows what comes before the beginning.
    fn encode(samples: &[i16], codec: Codec) -> Self {
        let mut encoder = Encoder::new(codec, OpusTerms::default());
        let (mut frame, mut payload) = ([0; FRAME], [0; 1_275]);
        let count = samples.len() / FRAME;
        let mut frames = Self { bytes: Vec::new(), ends: Vec::with_capacity(count) };
        let lead = count.saturating_sub(LEAD_FRAMES) * FRAME;
        for chunk in samples[lead..].chunks_exact(FRAME) {
            frame.copy_from_slice(chunk);
            encoder.encode(&frame, &mut payload);
        }
        for chunk in samples.chunks_exact(FRAME) {
            frame.copy_from_slice(chunk);
            let length = encoder.encode(&frame, &mut payload);
            frames.bytes.extend_from_slice(&payload[..length]);
            frames.ends.push(frames.bytes.len());
        }
        frames
    }

    fn get(&self, at: usize) -> &[u8] {
        let Some(end) = self.ends.get(at).copied() else { return &[] };
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.bytes.get(start..end).unwrap_or(&[])
    }
}

impl Music {
    /// From mono samples at any rate; the end is faded into the beginning. Less than a tenth of a second is silence.
    pub fn new(samples: &[i16], rate_hz: u32) -> Self {
        let samples = seamless(Clip::new(samples, rate_hz).samples());
        let encode = |codec| Frames::encode(&samples, codec);
        let (pcmu, pcma) = (encode(Codec::Pcmu), encode(Codec::Pcma));
        let (g722, opus) = (encode(Codec::G722), encode(Codec::Opus));
        Self { encoded: Arc::new(Encoded { samples, pcmu, pcma, g722, opus }) }
    }

    /// Frames in a round.
    pub(crate) fn frames(&self) -> usize {
        self.encoded.samples.len() / FRAME
    }

    /// The loop's samples at 48 kHz, a whole number of frames.
    pub fn samples(&self) -> &[i16] {
        &self.encoded.samples
    }

    /// The payload of a frame.
    pub(crate) fn payload(&self, codec: Codec, frame: usize) -> &[u8] {
        let frames = match codec {
            Codec::Pcmu => &self.encoded.pcmu,
            Codec::Pcma => &self.encoded.pcma,
            Codec::G722 => &self.encoded.g722,
            Codec::Opus => &self.encoded.opus,
        };
        frames.get(frame)
    }
}

impl fmt::Debug for Music {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Music({} frames)", self.frames())
    }
}

/// Cuts to whole frames, and mixes what follows the cut into the beginning.
fn seamless(samples: &[i16]) -> Vec<i16> {
    let length = samples.len().saturating_sub(FADE) / FRAME * FRAME;
    if length < FADE {
        return vec![0; FRAME];
    }
    let mut looped = samples[..length].to_vec();
    for (at, (sample, beyond)) in looped.iter_mut().zip(&samples[length..]).take(FADE).enumerate() {
        let share = at as f32 / FADE as f32;
        *sample = (f32::from(*sample) * share + f32::from(*beyond) * (1.0 - share)) as i16;
    }
    looped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::{Decoder, LONGEST};
    use crate::media::level::level_dbfs;

    fn sine(hz: f32, samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|at| (9_000.0 * (std::f32::consts::TAU * hz * at as f32 / 48_000.0).sin()) as i16)
            .collect()
    }

    fn steepest(samples: &[i16]) -> i32 {
        samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn a_loop_has_no_click_at_its_seam() {
        // 313 Hz doesn't fit into the length, so a plain cut would step.
        let music = Music::new(&sine(313.0, 50_000), 48_000);
        let twice = [music.samples(), music.samples()].concat();
        assert!(steepest(&twice) <= steepest(&sine(313.0, 2_000)) + 10);
        assert_eq!(music.samples().len() % FRAME, 0);
    }

    #[test]
    fn the_encoded_loop_sounds_across_the_seam_in_every_codec() {
        let music = Music::new(&sine(400.0, 48_000), 48_000);
        for codec in [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma] {
            let mut decoder = Decoder::new(codec);
            let mut sound = [0; LONGEST];
            let mut heard = Vec::new();
            for at in 0..3 * music.frames() {
                let count = decoder.decode(music.payload(codec, at % music.frames()), &mut sound);
                assert_eq!(count, FRAME);
                heard.extend(&sound[..count]);
            }
            let after = &heard[20 * FRAME..];
            assert!((level_dbfs(after) - -14.2).abs() < 1.5, "{codec:?}: {}", level_dbfs(after));
            assert!(steepest(after) < 2 * steepest(&sine(400.0, 1_000)), "{codec:?} clicks");
        }
    }

    #[test]
    fn too_short_a_loop_is_silence_and_a_clip_ends() {
        assert!(Music::new(&[1_000; 50], 8_000).samples().iter().all(|s| *s == 0));
        let clip = Clip::new(&sine(400.0, 1_500), 48_000);
        let mut frame = [0; FRAME];
        assert!(clip.frame(0, &mut frame) && clip.frame(FRAME, &mut frame));
        assert_eq!(frame[1_500 - FRAME..], [0; 2 * FRAME - 1_500]);
        assert!(!clip.frame(2 * FRAME, &mut frame));
    }
}
