//! The file of a recording: named by time and caller, readable by its owner only, and whole up to its last second
//! whatever happens, also on a disk that is full.

use super::{BOTH, Format, Recordings};
use crate::media::{FRAME, RATE_HZ, Resampler};
use ogg::writing::{PacketWriteEndInfo, PacketWriter};
use opusic_c::{Application, Bitrate, Channels, SampleRate};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Frames after which what was made is written: a second.
const ROUND: u32 = 50;
/// Characters of the caller in the file's name.
const LABEL_MAX: usize = 48;
/// Recordings of the same second and caller.
const SAME_MAX: u32 = 100;
/// Bits a second of both sides.
const OPUS_BITRATE: u32 = 32_000;
/// The longest Opus packet of a frame, in bytes.
const OPUS_PACKET: usize = 1_275;
/// The stream's number within the file: there is only one.
const SERIAL: u32 = 1;
/// The sample rate of WAV files, in Hz: speech has little above the half of it.
const WAV_HZ: u32 = 16_000;
/// Length of a WAV file's head.
const WAV_HEAD: u64 = 44;
/// The longest a WAV file can say it is.
const WAV_MAX: u64 = u32::MAX as u64 - WAV_HEAD;

/// An error of a disk in words for the operator.
pub(super) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".to_owned(),
        io::ErrorKind::PermissionDenied => "the folder for recordings may not be written".to_owned(),
        io::ErrorKind::FileTooLarge => "the file has grown as long as it can".to_owned(),
        _ => error.to_string(),
    }
}

/// A recording's file.
pub(super) struct TapeFile {
    path: PathBuf,
    file: File,
    /// Bytes that are in the file and make sense.
    written: u64,
    /// Made, and not yet written.
    frames: u32,
    kind: Kind,
}

enum Kind {
    Opus {
        encoder: Box<opusic_c::Encoder>,
        pages: PacketWriter<'static, Vec<u8>>,
        position: u64,
        held: Option<Vec<u8>>,
    },
    Wav {
        sides: Box<[Resampler; 2]>,
        bytes: Vec<u8>,
    },
}

impl TapeFile {
    /// Makes it, and its folder.
    pub(super) fn create(recordings: &Recordings, label: &str) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&recordings.folder)?;
        let stem = format!("{}_{}", jiff::Zoned::now().strftime("%Y-%m-%d_%H-%M-%S"), plain(label));
        let ending = if recordings.format == Format::Opus { "opus" } else { "wav" };
        let (path, file) = unlike(&recordings.folder, &stem, ending)?;
        let kind = match recordings.format {
            Format::Wav => Kind::Wav {
                sides: Box::new([Resampler::new(RATE_HZ, WAV_HZ), Resampler::new(RATE_HZ, WAV_HZ)]),
                bytes: Vec::new(),
            },
            Format::Opus => opus_kind(label)?,
        };
        let mut made = Self { path, file, written: 0, frames: 0, kind };
        made.flush()?;
        Ok(made)
    }

    /// Its whole name.
    pub(super) fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Takes 20 ms of both sides.
    pub(super) fn put(&mut self, both: &[i16; BOTH]) -> io::Result<()> {
        match &mut self.kind {
            Kind::Wav { sides, bytes } => {
                let (mut left, mut right) = ([0; FRAME], [0; FRAME]);
                let mut count = 0;
                for two in both.chunks_exact(2) {
                    let mut out = None;
                    sides[0].push(two[0], |sample| out = Some(sample));
                    if let (Some(sample), Some(place)) = (out, left.get_mut(count)) {
                        *place = sample;
                    }
                    // Both are fed alike, so both give a sample at the same moments.
                    sides[1].push(two[1], |sample| {
                        if let Some(place) = right.get_mut(count) {
                            *place = sample;
                        }
                        count += 1;
                    });
                }
                let samples = left.iter().zip(&right).take(count);
                bytes.extend(samples.flat_map(|(l, r)| [l.to_le_bytes(), r.to_le_bytes()]).flatten());
            }
            Kind::Opus { encoder, pages, position, held } => {
                let mut packet = vec![0; OPUS_PACKET];
                let sound = both.map(|sample| f32::from(sample) / 32_768.0);
                let length = encoder.encode_float_to_slice(&sound, &mut packet).map_err(refused)?;
                packet.truncate(length);
                *position += FRAME as u64;
                // One is held back, so that the last can be marked as the last.
                if let Some(before) = held.replace(packet) {
                    let page = self.frames + 1 >= ROUND;
                    let end =
                        if page { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket };
                    pages.write_packet(before, SERIAL, end, *position - FRAME as u64)?;
                }
            }
        }
        self.frames += 1;
        if self.frames >= ROUND {
            self.frames = 0;
            self.flush()?;
        }
        Ok(())
    }

    /// Ends it.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if let Kind::Opus { pages, position, held, .. } = &mut self.kind
            && let Some(last) = held.take()
        {
            pages.write_packet(last, SERIAL, PacketWriteEndInfo::EndStream, *position)?;
        }
        self.flush()?;
        self.file.sync_all()
    }

    /// Writes what was made. Where that fails, the file ends with what was written whole before.
    fn flush(&mut self) -> io::Result<()> {
        let (head, bytes) = match &mut self.kind {
            Kind::Opus { pages, .. } => (None, std::mem::take(pages.inner_mut())),
            Kind::Wav { bytes, .. } => {
                let data = self.written.saturating_sub(WAV_HEAD) + bytes.len() as u64;
                if data > WAV_MAX {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                (Some(wav_head(data as u32)), std::mem::take(bytes))
            }
        };
        let at = if head.is_some() { self.written.max(WAV_HEAD) } else { self.written };
        let new = head.is_some() && self.written == 0;
        let done = if new { self.file.write_all_at(&wav_head(0), 0) } else { Ok(()) };
        let done = done.and_then(|()| self.file.write_all_at(&bytes, at));
        // The head lies in a block that the file has already: it says the new length only once that is there.
        let done = done.and_then(|()| head.map_or(Ok(()), |head| self.file.write_all_at(&head, 0)));
        match done {
            Ok(()) => {
                self.written = at + bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                let _ = self.file.set_len(self.written);
                Err(error)
            }
        }
    }
}

fn refused(code: opusic_c::ErrorCode) -> io::Error {
    io::Error::other(format!("libopus: {code:?}"))
}

fn opus_kind(label: &str) -> io::Result<Kind> {
    let made = opusic_c::Encoder::new(Channels::Stereo, SampleRate::Hz48000, Application::Voip);
    let mut encoder = Box::new(made.map_err(refused)?);
    encoder.set_bitrate(Bitrate::Value(OPUS_BITRATE)).map_err(refused)?;
    let skip = encoder.get_look_ahead().ok().and_then(|ahead| u16::try_from(ahead).ok()).unwrap_or(312);
    let mut pages = PacketWriter::new(Vec::new());
    // RFC 7845 5.1: version, channels, samples to skip, rate of the input, gain, mapping.
    let mut head = b"OpusHead\x01\x02".to_vec();
    head.extend(skip.to_le_bytes());
    head.extend(RATE_HZ.to_le_bytes());
    head.extend([0, 0, 0]);
    pages.write_packet(head, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
    // RFC 7845 5.2.
    let vendor = concat!("parkdeck ", env!("CARGO_PKG_VERSION"));
    let title = format!("TITLE={}", plain(label));
    let mut tags = b"OpusTags".to_vec();
    let length = |text: &str| (text.len() as u32).to_le_bytes();
    tags.extend(length(vendor));
    tags.write_all(vendor.as_bytes())?;
    tags.extend(1_u32.to_le_bytes());
    tags.extend(length(&title));
    tags.write_all(title.as_bytes())?;
    pages.write_packet(tags, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
    Ok(Kind::Opus { encoder, pages, position: u64::from(skip), held: None })
}

fn wav_head(data: u32) -> [u8; WAV_HEAD as usize] {
    const CHANNELS: u16 = 2;
    const BYTES: u16 = 2 * CHANNELS;
    let mut head = [0; WAV_HEAD as usize];
    let parts: [&[u8]; 13] = [
        b"RIFF",
        &(data.saturating_add(WAV_HEAD as u32 - 8)).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16_u32.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &CHANNELS.to_le_bytes(),
        &WAV_HZ.to_le_bytes(),
        &(WAV_HZ * u32::from(BYTES)).to_le_bytes(),
        &BYTES.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &data.to_le_bytes(),
    ];
    for (place, byte) in head.iter_mut().zip(parts.concat()) {
        *place = byte;
    }
    head
}

/// A file of a name that no other has.
fn unlike(folder: &Path, stem: &str, ending: &str) -> io::Result<(PathBuf, File)> {
    for number in 1..=SAME_MAX {
        let same = if number == 1 { String::new() } else { format!("_{number}") };
        let path = folder.join(format!("{stem}{same}.{ending}"));
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return Ok((path, made?)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Who it is, as part of a file's name: letters and digits, the rest as single dashes.
fn plain(label: &str) -> String {
    let mut name = String::new();
    for c in label.chars().take(4 * LABEL_MAX) {
        let c = if c.is_alphanumeric() || c == '+' { c } else { '-' };
        if !(c == '-' && (name.is_empty() || name.ends_with('-'))) {
            name.push(c);
        }
    }
    let name: String = name.chars().take(LABEL_MAX).collect();
    let name = name.trim_end_matches('-');
    if name.is_empty() { "call".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_makes_a_plain_name_and_never_a_path() {
        assert_eq!(plain("Jane Doe · +44 161/0100"), "Jane-Doe-+44-161-0100");
        assert_eq!(plain("../../etc/passwd"), "etc-passwd");
        assert_eq!(plain("\u{202e}\n\0"), "call");
        assert!(plain(&"x".repeat(500)).len() <= LABEL_MAX);
    }

    #[test]
    fn two_recordings_of_one_second_have_two_names() {
        let folder = tempfile::tempdir().unwrap();
        let first = unlike(folder.path(), "same", "wav").unwrap().0;
        let second = unlike(folder.path(), "same", "wav").unwrap().0;
        assert_ne!(first, second);
    }
}
