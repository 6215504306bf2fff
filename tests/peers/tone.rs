//! Tones and how to recognise them: G.711, a generator, Goertzel's filter, and WAV files. Own code on
//! purpose: the product's codecs are what the tests put on trial.

use std::f64::consts::TAU;
use std::path::Path;

/// Samples a second of everything here.
pub const RATE: u32 = 8000;
/// One packet's worth, 20 ms.
pub const PACKET: usize = 160;
/// A tone is judged in pieces of this length, 100 ms.
const WINDOW: usize = 800;
/// A window has the tone when it carries at least this part of the window's energy …
const PURITY: f64 = 0.6;
/// … and isn't just noise: root mean square of a 16-bit sample.
const AUDIBLE: f64 = 200.0;

/// A sine at a quarter of full scale that goes on where it stopped.
#[derive(Debug, Clone)]
pub struct Sine {
    hz: f64,
    phase: f64,
}

impl Sine {
    pub fn new(hz: f64) -> Self {
        Self { hz, phase: 0.0 }
    }

    pub fn next_sample(&mut self) -> i16 {
        let sample = (self.phase.sin() * 8192.0) as i16;
        self.phase = (self.phase + TAU * self.hz / f64::from(RATE)) % TAU;
        sample
    }

    pub fn take(&mut self, count: usize) -> Vec<i16> {
        (0..count).map(|_| self.next_sample()).collect()
    }
}

/// Part of the energy of `samples` that lies at `hz`: 1.0 for a pure tone, near 0 for anything else.
pub fn purity(samples: &[i16], hz: f64) -> f64 {
    let total: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    if total == 0.0 {
        return 0.0;
    }
    // Goertzel: the energy at one frequency, without the whole spectrum.
    let coefficient = 2.0 * (TAU * hz / f64::from(RATE)).cos();
    let (mut before, mut last) = (0.0, 0.0);
    for &sample in samples {
        (before, last) = (last, f64::from(sample) + coefficient * last - before);
    }
    let energy = last * last + before * before - coefficient * last * before;
    energy / (total * samples.len() as f64 / 2.0)
}

/// Root mean square.
pub fn loudness(samples: &[i16]) -> f64 {
    let total: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    (total / samples.len().max(1) as f64).sqrt()
}

/// Milliseconds of `samples` in which the tone at `hz` is heard, counted in windows of 100 ms.
pub fn tone_ms(samples: &[i16], hz: f64) -> u32 {
    let windows = samples.chunks_exact(WINDOW);
    let with_tone = windows.filter(|window| loudness(window) >= AUDIBLE && purity(window, hz) >= PURITY);
    with_tone.count() as u32 * (WINDOW as u32 * 1000 / RATE)
}

/// µ-law, ITU-T G.711.
pub fn ulaw_encode(sample: i16) -> u8 {
    const BIAS: i32 = 132;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(32_635) + BIAS;
    let exponent = (24 - magnitude.leading_zeros() as i32).max(0);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | (exponent << 4) | mantissa) as u8
}

pub fn ulaw_decode(byte: u8) -> i16 {
    let byte = i32::from(!byte);
    let magnitude = (((byte & 0x0f) << 3) + 132) << ((byte >> 4) & 7);
    (if byte & 0x80 != 0 { 132 - magnitude } else { magnitude - 132 }) as i16
}

pub fn alaw_decode(byte: u8) -> i16 {
    let byte = i32::from(byte ^ 0x55);
    let (exponent, mantissa) = ((byte >> 4) & 7, (byte & 0x0f) << 4);
    let magnitude = if exponent == 0 { mantissa + 8 } else { (mantissa + 0x108) << (exponent - 1) };
    (if byte & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

/// Writes a mono 16-bit WAV file at [`RATE`].
pub fn write_wav(path: &Path, samples: &[i16]) {
    let bytes = samples.len() as u32 * 2;
    let mut file = Vec::with_capacity(44 + bytes as usize);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&RATE.to_le_bytes());
    file.extend_from_slice(&(RATE * 2).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    std::fs::write(path, file).unwrap();
}

/// Samples of a mono 16-bit WAV file that may still be growing: the lengths in its head aren't believed.
pub fn read_wav(path: &Path) -> Vec<i16> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let Some(data) = bytes.windows(4).position(|four| four == b"data") else { return Vec::new() };
    let samples = bytes.get(data + 8..).unwrap_or_default();
    samples.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect()
}
