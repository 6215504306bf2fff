//! What the lot lets people hear, from files: music, tones and words, as WAV or as Ogg with Opus (RFC 7845).

use crate::lot::{Lot, LotConfig, Words};
use crate::media::{Clip, Music};
use color_eyre::eyre::{Context, eyre};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The longest sound that is loaded, in samples (10 minutes at 48 kHz).
const SAMPLES_MAX: usize = 10 * 60 * 48_000;
/// The biggest file that is read: ten minutes of two channels at 48 kHz, uncompressed.
const FILE_MAX: u64 = 128 << 20;
/// The rate of everything that an Opus decoder gives, and its longest packet: 120 ms.
const OPUS_HZ: u32 = 48_000;
const OPUS_PACKET: usize = 5_760;

/// A piece of music for one lot, or for held calls (`lot: None`).
pub struct LotMusic {
    /// The lot's name.
    pub lot: Option<String>,
    /// Encoded and ready.
    pub music: Music,
}

/// Everything that the lot lets people hear.
pub struct LotSounds {
    /// Music for each lot and for held calls.
    pub music: Vec<LotMusic>,
    /// What is played when a call is retrieved, by the lot's name.
    pub courtesy_tones: Vec<(String, Clip)>,
    /// What is spoken.
    pub words: Words,
}

impl LotSounds {
    /// Gives all of it to the lot.
    pub(super) fn give_to(self, lot: &mut Lot) {
        for LotMusic { lot: name, music } in self.music {
            lot.set_music(name.as_deref(), music);
        }
        lot.clear_courtesy_tones();
        for (name, tone) in self.courtesy_tones {
            lot.set_courtesy_tone(&name, tone);
        }
        lot.set_words(self.words);
    }
}

/// A file that a sound comes from: for what, where, and when it was written.
pub(super) type SoundFile = (String, Option<PathBuf>, Option<SystemTime>);

/// The files of all sounds: the same again means that none has to be read again, which takes a while.
pub(super) fn sound_files(config: &LotConfig, base: &Path) -> Vec<SoundFile> {
    let home = crate::config::paths::home();
    let general = [("prompts".to_owned(), &config.prompts), ("music".to_owned(), &config.music)];
    let of_lots = config.lots.iter().flat_map(|lot| {
        [(format!("{}/music", lot.name), &lot.music), (format!("{}/tone", lot.name), &lot.courtesytone)]
    });
    let written = |file: &PathBuf| {
        std::fs::metadata(crate::config::paths::resolve(file, base, home.as_deref())).ok()?.modified().ok()
    };
    let file =
        |(what, file): (String, &Option<PathBuf>)| (what, file.clone(), file.as_ref().and_then(written));
    general.into_iter().chain(of_lots).map(file).collect()
}

/// The sounds that a configuration names, and our own for what it doesn't.
///
/// # Errors
/// When a named file can't be read.
pub fn load_sounds(config: &LotConfig, base: &Path) -> color_eyre::Result<LotSounds> {
    let home = crate::config::paths::home();
    let place = |file: &PathBuf| crate::config::paths::resolve(file, base, home.as_deref());
    let mut courtesy_tones = Vec::new();
    for lot in &config.lots {
        let tone = match &lot.courtesytone {
            None => continue,
            Some(file) if file == Path::new("beep") => crate::lot::beep(),
            Some(file) => {
                let told = || format!("courtesytone {}", place(file).display());
                let (samples, rate_hz) =
                    read_file(&place(file)).and_then(|bytes| samples_of(&bytes)).wrap_err_with(told)?;
                Clip::new(&samples, rate_hz)
            }
        };
        courtesy_tones.push((lot.name.clone(), tone));
    }
    let folder = config.prompts.as_ref().map(place);
    if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(eyre!("prompts: {} is no folder", folder.display()));
    }
    let words = super::announce::words(folder.as_deref())?;
    Ok(LotSounds { music: load_music(config, base)?, courtesy_tones, words })
}

/// The music files that a configuration names, and our own for lots without one. A file that several lots play is encoded
/// once.
fn load_music(config: &LotConfig, base: &Path) -> color_eyre::Result<Vec<LotMusic>> {
    let home = crate::config::paths::home();
    let mut known: BTreeMap<PathBuf, Music> = BTreeMap::new();
    let mut load = |file: &PathBuf| -> color_eyre::Result<Music> {
        let file = crate::config::paths::resolve(file, base, home.as_deref());
        if let Some(music) = known.get(&file) {
            return Ok(music.clone());
        }
        let music = read_file(&file)
            .and_then(|bytes| read_sound(&bytes))
            .wrap_err_with(|| format!("music {}", file.display()))?;
        known.insert(file, music.clone());
        Ok(music)
    };
    let general = match &config.music {
        Some(file) => load(file)?,
        None => read_sound(OWN_MUSIC)?,
    };
    let mut pieces = Vec::new();
    for lot in &config.lots {
        let music = match &lot.music {
            Some(file) => load(file)?,
            None => general.clone(),
        };
        pieces.push(LotMusic { lot: Some(lot.name.clone()), music });
    }
    pieces.push(LotMusic { lot: None, music: general });
    Ok(pieces)
}

/// Music on hold of our own making, so that nobody waits in silence.
const OWN_MUSIC: &[u8] = include_bytes!("../../assets/music.wav");

/// Reads a file, if it isn't bigger than any that could be used.
pub(super) fn read_file(file: &Path) -> color_eyre::Result<Vec<u8>> {
    if std::fs::metadata(file)?.len() > FILE_MAX {
        return Err(eyre!("the file is too big: at most ten minutes"));
    }
    Ok(std::fs::read(file)?)
}

/// Reads music: see [`samples_of`].
///
/// # Errors
/// When it is no such file, or too long.
pub fn read_sound(bytes: &[u8]) -> color_eyre::Result<Music> {
    let (samples, rate) = samples_of(bytes)?;
    Ok(Music::new(&samples, rate))
}

/// The samples and the rate of a WAV file (16-bit, 8 to 48 kHz; of several channels the first) or of an Ogg file with one
/// Opus stream (mono or stereo, mixed to one).
///
/// # Errors
/// When it is no such file, or longer than ten minutes.
pub fn samples_of(bytes: &[u8]) -> color_eyre::Result<(Vec<i16>, u32)> {
    if bytes.starts_with(b"OggS") { opus_samples(bytes) } else { wav_samples(bytes) }
}

fn wav_samples(bytes: &[u8]) -> color_eyre::Result<(Vec<i16>, u32)> {
    let reader = hound::WavReader::new(bytes).wrap_err("neither WAV nor Ogg with Opus")?;
    let spec = reader.spec();
    if spec.sample_format != hound::SampleFormat::Int || spec.bits_per_sample != 16 {
        return Err(eyre!("a 16-bit PCM WAV file is wanted"));
    }
    if reader.duration() as usize > SAMPLES_MAX || !(8_000..=48_000).contains(&spec.sample_rate) {
        return Err(eyre!("at most ten minutes at 8 to 48 kHz"));
    }
    let step = usize::from(spec.channels.max(1));
    let samples: Result<Vec<i16>, _> = reader.into_samples::<i16>().step_by(step).collect();
    Ok((samples?, spec.sample_rate))
}

/// What an Ogg file's head says of its Opus stream (RFC 7845 5.1).
struct OpusHead {
    /// Samples at the beginning that are not for ears: the decoder settles in.
    pre_skip: usize,
    /// In 256ths of a decibel.
    gain: i16,
}

fn opus_head(packet: &[u8]) -> color_eyre::Result<OpusHead> {
    let fixed = packet.strip_prefix(b"OpusHead").and_then(|rest| rest.get(..11));
    let Some(&[version, channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, mapping]) = fixed
    else {
        return Err(eyre!("the Ogg file's sound is not Opus"));
    };
    if version & 0xf0 != 0 || mapping != 0 || !(1..=2).contains(&channels) {
        return Err(eyre!("Opus of one or two channels is wanted"));
    }
    let pre_skip = usize::from(u16::from_le_bytes([skip_low, skip_high]));
    Ok(OpusHead { pre_skip, gain: i16::from_le_bytes([gain_low, gain_high]) })
}

fn opus_samples(bytes: &[u8]) -> color_eyre::Result<(Vec<i16>, u32)> {
    let mut packets = ogg::reading::PacketReader::new(std::io::Cursor::new(bytes));
    let first = packets.read_packet()?.ok_or_else(|| eyre!("the Ogg file is empty"))?;
    let (head, serial) = (opus_head(&first.data)?, first.stream_serial());
    let mono = opusic_c::Channels::Mono;
    let refused = |error: opusic_c::ErrorCode| eyre!("an Opus packet can't be read ({})", error.message());
    let mut decoder = opusic_c::Decoder::new(mono, opusic_c::SampleRate::Hz48000).map_err(refused)?;
    decoder.set_gain(i32::from(head.gain)).map_err(refused)?;
    let (mut samples, mut sound, mut end, mut seen) = (Vec::new(), vec![0.0_f32; OPUS_PACKET], None, 0);
    while let Some(packet) = packets.read_packet()? {
        if packet.stream_serial() != serial {
            return Err(eyre!("one stream of sound is wanted, and nothing beside it"));
        }
        seen += 1;
        if seen == 1 {
            // The comments (RFC 7845 5.2).
            continue;
        }
        let count = decoder.decode_float_to_slice(&packet.data, &mut sound, false).map_err(refused)?;
        samples.extend(sound.iter().take(count).map(|sample| to_i16(*sample)));
        if samples.len() > SAMPLES_MAX + OPUS_PACKET + head.pre_skip {
            return Err(eyre!("at most ten minutes"));
        }
        if packet.last_in_stream() {
            // The last page says where the sound ends (RFC 7845 4.4).
            end = usize::try_from(packet.absgp_page()).ok();
            break;
        }
    }
    samples.truncate(end.unwrap_or(usize::MAX));
    Ok((samples.split_off(head.pre_skip.min(samples.len())), OPUS_HZ))
}

fn to_i16(sample: f32) -> i16 {
    (sample * 32_767.0).clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
#[path = "lot_sounds_tests.rs"]
mod tests;
