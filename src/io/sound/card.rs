//! One stream of a sound device by cpal, on a thread of its own: found by name, opened in the format that suits best,
//! and kept until its life ends.

use super::devices::Wants;
use super::options::Device;
use super::voice::{Player, Recorder, Ringer, Sound};
use crate::media::RATE_HZ;
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize,
    SupportedStreamConfigRange,
};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

/// Frames asked for in a callback: 10 ms. Through ALSA's pulse plug-in 480 and 960 are the sizes almost free of xruns.
const PERIOD: u32 = 480;
/// How long the library may take to build a stream, where it heeds that.
const BUILD_MAX: Duration = Duration::from_secs(3);
/// How often a stream's thread looks whether it should end, if nobody wakes it.
const REST: Duration = Duration::from_secs(1);
/// Channels of a device that are handled.
const CHANNELS_MAX: u16 = 16;

/// What the stream's thread, its callbacks and the device thread share.
#[derive(Default)]
pub(super) struct Life {
    callbacks: AtomicU64,
    errors: AtomicU64,
    /// 0, or why the library says that it is over.
    over: AtomicU8,
    end: AtomicBool,
    ended: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Life {
    /// Callbacks and errors so far.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.callbacks.load(Ordering::Relaxed), self.errors.load(Ordering::Relaxed))
    }

    /// Why it is over, if the library has said so.
    pub(super) fn end_reason(&self) -> Option<String> {
        match self.over.load(Ordering::Acquire) {
            0 => None,
            1 => Some("it was unplugged".to_owned()),
            _ => Some("the sound system has ended it".to_owned()),
        }
    }

    /// Tells the thread to drop the stream.
    pub(super) fn end(&self) {
        self.end.store(true, Ordering::Release);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// The thread is through: it did not hang.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn beat(&self) {
        self.callbacks.fetch_add(1, Ordering::Relaxed);
    }

    fn take_error(&self, kind: ErrorKind) {
        match kind {
            ErrorKind::DeviceNotAvailable => self.over.store(1, Ordering::Release),
            ErrorKind::StreamInvalidated | ErrorKind::HostUnavailable => {
                self.over.store(2, Ordering::Release)
            }
            // Lost samples, or a wish that was not granted: it goes on.
            ErrorKind::Xrun | ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged => {}
            _ => {
                self.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// What a stream does.
pub(super) enum Job {
    Capture(rtrb::Producer<i16>),
    Playback(rtrb::Consumer<i16>),
    Ringer(Arc<Wants>),
}

/// Opens a stream, answers with the device's name or the reason, and keeps it until its life ends.
pub(super) fn live(choice: &Device, job: Job, life: &Arc<Life>, answer: &Sender<Result<String, String>>) {
    let _ = life.thread.set(std::thread::current());
    match open(choice, job, life) {
        Ok((stream, name)) => {
            let _ = answer.send(Ok(name));
            while !life.end.load(Ordering::Acquire) {
                std::thread::park_timeout(REST);
            }
            // May hang, which is why it happens here.
            drop(stream);
        }
        Err(reason) => {
            let _ = answer.send(Err(reason));
        }
    }
    life.ended.store(true, Ordering::Release);
}

fn open(choice: &Device, job: Job, life: &Arc<Life>) -> Result<(cpal::Stream, String), String> {
    let input = matches!(job, Job::Capture(_));
    let host = cpal::default_host();
    let device = find(&host, choice, input)?;
    let name = device.to_string();
    let (config, format) =
        suit(&device, input).ok_or_else(|| format!("“{name}” offers no format we know"))?;
    let built = match job {
        Job::Capture(ring) => capture(&device, config, format, ring, life),
        Job::Playback(ring) => play(&device, config, format, Player::new(ring, config.sample_rate), life),
        Job::Ringer(wants) => play(&device, config, format, Ringer::new(wants, config.sample_rate), life),
    };
    let stream = built.map_err(|error| format!("“{name}” can't be opened: {error}"))?;
    stream.play().map_err(|error| format!("“{name}” can't be started: {error}"))?;
    Ok((stream, name))
}

/// The device of that name: exactly, or else one whose name contains it. A speaker's monitor is never a microphone
/// unless it was named as such.
fn find(host: &cpal::Host, choice: &Device, input: bool) -> Result<cpal::Device, String> {
    let what = if input { "microphone" } else { "speaker" };
    let wanted = match choice {
        Device::Off => return Err("switched off".to_owned()),
        Device::Default => {
            let device = if input { host.default_input_device() } else { host.default_output_device() };
            let device = device.ok_or_else(|| format!("there is no {what}"))?;
            if input && is_monitor(&device.to_string()) {
                return Err("the default microphone is a speaker's monitor".to_owned());
            }
            return Ok(device);
        }
        Device::Named(name) => name.to_lowercase(),
    };
    let devices = host.devices().map_err(|error| format!("devices can't be listed: {error}"))?;
    let mut like = None;
    for device in devices {
        let names = names_of(&device);
        if input && !is_monitor(&wanted) && names.iter().any(|name| is_monitor(name)) {
            continue;
        }
        if names.contains(&wanted) {
            return Ok(device);
        }
        if like.is_none() && names.iter().any(|name| name.contains(&wanted)) {
            like = Some(device);
        }
    }
    like.ok_or_else(|| format!("there is no {what} “{}”", shown(&wanted)))
}

/// The name as configured, shortened: it came from a file.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn is_monitor(name: &str) -> bool {
    name.to_lowercase().contains("monitor")
}

/// The names a device goes by, in small letters.
fn names_of(device: &cpal::Device) -> Vec<String> {
    let id = device.id().map(|id| id.id().to_lowercase()).ok();
    let described = device.description().map(|description| description.name().to_lowercase()).ok();
    [Some(device.to_string().to_lowercase()), described, id].into_iter().flatten().collect()
}

/// The names of the devices there are: microphones, and speakers. Takes its time (devices are tried): not for a thread
/// that mustn't wait.
pub fn device_names() -> (Vec<String>, Vec<String>) {
    let Ok(devices) = cpal::default_host().devices() else { return Default::default() };
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for device in devices {
        let name = device.to_string();
        if device.supports_input() && !is_monitor(&name) {
            inputs.push(name.clone());
        }
        if device.supports_output() {
            outputs.push(name);
        }
    }
    (inputs, outputs)
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
    ring: rtrb::Producer<i16>,
    life: &Arc<Life>,
) -> Result<cpal::Stream, cpal::Error> {
    let recorder = Recorder::new(ring, config.sample_rate);
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
