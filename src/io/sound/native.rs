//! Devices of the system itself by cpal (on Linux: ALSA), opened in the format that suits best.

use super::card::{Job, Life};
use super::options::Device;
use super::place::{Found, Place, System, choose, is_monitor, sounds_loud};
use super::voice::{Player, Recorder, Ringer, Sound, Ways};
use crate::media::RATE_HZ;
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, FromSample, Sample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize,
    SupportedStreamConfigRange,
};
use std::sync::Arc;
use std::time::Duration;

/// Frames asked for in a callback: 10 ms. Through ALSA's pulse plug-in 480 and 960 are the sizes almost free of xruns.
const PERIOD: u32 = 480;
/// How long the library may take to build a stream, where it heeds that.
const BUILD_MAX: Duration = Duration::from_secs(3);
/// Channels of a device that are handled.
const CHANNELS_MAX: u16 = 16;

/// Finds the device and opens a stream on it, which runs until it is dropped (and that may hang).
pub(super) fn open(
    choice: &Device,
    pinned: Option<&Place>,
    job: Job,
    life: &Arc<Life>,
) -> Result<(cpal::Stream, Found), String> {
    let input = matches!(job, Job::Capture(_));
    let (device, found) = find(choice, pinned, input)?;
    let name = &found.label;
    let (config, format) =
        suit(&device, input).ok_or_else(|| format!("“{name}” offers no format we know"))?;
    let built = match job {
        Job::Capture(ways) => capture(&device, config, format, ways, life),
        Job::Playback(ring, tap) => {
            play(&device, config, format, Player::new(ring, config.sample_rate, tap), life)
        }
        Job::Ringer(wants, country) => {
            play(&device, config, format, Ringer::new(wants, country, config.sample_rate), life)
        }
    };
    let stream = built.map_err(|error| format!("“{name}” can't be opened: {error}"))?;
    // A period in the device, and one on its way.
    life.set_latency_ms(2 * PERIOD * 1_000 / config.sample_rate.max(1));
    stream.play().map_err(|error| format!("“{name}” can't be started: {error}"))?;
    Ok((stream, found))
}

/// The default first; the rest only where it is asked for, because trying devices takes its time.
fn find(choice: &Device, pinned: Option<&Place>, input: bool) -> Result<(cpal::Device, Found), String> {
    let host = cpal::default_host();
    let default = if input { host.default_input_device() } else { host.default_output_device() };
    let mut devices: Vec<cpal::Device> = default.into_iter().collect();
    let first: Vec<Found> = devices.iter().map(|device| found(device, true)).collect();
    if let Ok(chosen) = choose(&first, choice, pinned, input)
        && let Some(device) = devices.pop()
    {
        return Ok((device, chosen.clone()));
    }
    devices.extend(host.devices().map_err(|error| format!("devices can't be listed: {error}"))?);
    let all: Vec<Found> = devices.iter().enumerate().map(|(at, d)| found(d, at < first.len())).collect();
    let chosen = choose(&all, choice, pinned, input)?;
    let at = all.iter().position(|device| device == chosen).unwrap_or_default();
    Ok((devices.swap_remove(at), all[at].clone()))
}

fn found(device: &cpal::Device, is_default: bool) -> Found {
    let label = device.to_string();
    let id = device.id().map_or_else(|_| label.clone(), |id| id.id().to_owned());
    Found {
        monitor: is_monitor(&label) || is_monitor(&id),
        loud: sounds_loud(&label),
        place: Place { system: System::Native, id },
        label,
        is_default,
    }
}

/// The devices of one direction, the default first. Takes its time.
pub(super) fn devices(input: bool) -> Vec<Found> {
    let host = cpal::default_host();
    let default = if input { host.default_input_device() } else { host.default_output_device() };
    let mut all: Vec<Found> = default.iter().map(|device| found(device, true)).collect();
    for device in host.devices().into_iter().flatten() {
        let fits = if input { device.supports_input() } else { device.supports_output() };
        let one = found(&device, false);
        if fits && !all.iter().any(|other| other.place == one.place) {
            all.push(one);
        }
    }
    all
}

/// The format that is least work: 48 kHz, few channels, samples as we have them.
fn suit(device: &cpal::Device, input: bool) -> Option<(StreamConfig, SampleFormat)> {
    let offers: Vec<SupportedStreamConfigRange> = if input {
        device.supported_input_configs().ok()?.collect()
    } else {
        device.supported_output_configs().ok()?.collect()
    };
    let known = offers.into_iter().filter(|offer| offer.channels() > 0 && offer.channels() <= CHANNELS_MAX);
    let best =
        known.filter_map(|offer| Some((score(&offer, input)?, offer))).min_by_key(|(score, _)| *score)?.1;
    let (low, high) = (best.min_sample_rate(), best.max_sample_rate());
    let buffer_size = match best.buffer_size() {
        SupportedBufferSize::Range { min, max } if (*min..=*max).contains(&PERIOD) => {
            BufferSize::Fixed(PERIOD)
        }
        SupportedBufferSize::Range { .. } => BufferSize::Default,
        SupportedBufferSize::Unknown => BufferSize::Fixed(PERIOD),
    };
    let config =
        StreamConfig { channels: best.channels(), sample_rate: RATE_HZ.clamp(low, high), buffer_size };
    Some((config, best.sample_format()))
}

/// Less is better; `None`: not a format we handle.
fn score(offer: &SupportedStreamConfigRange, input: bool) -> Option<u32> {
    let format = match offer.sample_format() {
        SampleFormat::I16 => 0,
        SampleFormat::F32 => 1,
        SampleFormat::I32 => 2,
        _ => return None,
    };
    let (low, high) = (offer.min_sample_rate(), offer.max_sample_rate());
    let rate = RATE_HZ.abs_diff(RATE_HZ.clamp(low, high));
    // A microphone is mono; to a headset both ears want something.
    let channels = match (input, offer.channels()) {
        (true, 1) | (false, 2) => 0,
        (true, 2) | (false, 1) => 1,
        (_, more) => u32::from(more),
    };
    Some(rate.saturating_mul(100) + channels * 10 + format)
}

fn capture(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    ways: Ways,
    life: &Arc<Life>,
) -> Result<cpal::Stream, cpal::Error> {
    let recorder = Recorder::new(ways, config.sample_rate);
    match format {
        SampleFormat::F32 => capture_as::<f32>(device, config, recorder, life),
        SampleFormat::I32 => capture_as::<i32>(device, config, recorder, life),
        _ => capture_as::<i16>(device, config, recorder, life),
    }
}

fn capture_as<T>(
    device: &cpal::Device,
    config: StreamConfig,
    mut recorder: Recorder,
    life: &Arc<Life>,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample,
    i16: FromSample<T>,
{
    let channels = usize::from(config.channels);
    let (alive, erring) = (life.clone(), life.clone());
    device.build_input_stream::<T, _, _>(
        config,
        move |data, _| {
            alive.beat();
            for moment in data.chunks_exact(channels) {
                let sum: i32 = moment.iter().map(|s| i32::from(i16::from_sample(*s))).sum();
                recorder.take((sum / channels as i32) as i16);
            }
        },
        move |error| erring.take_error(error.kind()),
        Some(BUILD_MAX),
    )
}

fn play(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    sound: impl Sound,
    life: &Arc<Life>,
) -> Result<cpal::Stream, cpal::Error> {
    match format {
        SampleFormat::F32 => play_as::<f32>(device, config, sound, life),
        SampleFormat::I32 => play_as::<i32>(device, config, sound, life),
        _ => play_as::<i16>(device, config, sound, life),
    }
}

fn play_as<T>(
    device: &cpal::Device,
    config: StreamConfig,
    mut sound: impl Sound,
    life: &Arc<Life>,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample + FromSample<i16>,
{
    let channels = usize::from(config.channels);
    let (alive, erring) = (life.clone(), life.clone());
    device.build_output_stream::<T, _, _>(
        config,
        move |data, _| {
            alive.beat();
            sound.begin(data.len() / channels);
            for moment in data.chunks_exact_mut(channels) {
                let sample = T::from_sample(sound.next());
                moment.fill(sample);
            }
        },
        move |error| erring.take_error(error.kind()),
        Some(BUILD_MAX),
    )
}
