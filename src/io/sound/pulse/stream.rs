//! A stream of PulseAudio or PipeWire: sound on request, and sound as it comes. Bound to its device: the server may
//! not move it to another one, it ends instead.

use super::{Came, Connection, Words, find};
use crate::io::sound::card::{Job, Life};
use crate::io::sound::options::Device;
use crate::io::sound::place::{Found, Place};
use crate::io::sound::voice::{Player, Recorder, Ringer, Sound};
use crate::media::RATE_HZ;
use pulseaudio::protocol::{
    ChannelMap, ChannelVolume, Command, CorkStreamParams, CreatePlaybackStreamReply, CreateRecordStreamReply,
    DESCRIPTOR_SIZE, Descriptor, DescriptorFlags, PlaybackStreamParams, Prop, Props, RecordStreamParams,
    SampleFormat, SampleSpec, SetPlaybackStreamBufferAttrParams, encode_descriptor,
    stream::{BufferAttr, StreamFlags},
};
use std::io::Write;
use std::time::Duration;

/// Bytes of a sample: 16 bits, little-endian, mono.
const SAMPLE: usize = 2;
/// Bytes of a millisecond.
const MS: u32 = RATE_HZ / 1_000 * SAMPLE as u32;
/// Sound comes from the microphone in pieces of this many ms.
const FRAGMENT_MS: u32 = 5;
/// Sound is asked for in pieces of at least this many ms.
const REQUEST_MS: u32 = 5;
/// Sound that waits at the server before the device, at first: the least of what cards manage.
const TARGET_FIRST_MS: u32 = 12;
/// And at most, after a device has shown that it needs more.
const TARGET_MAX_MS: u32 = 120;
/// Sound that is kept for us while this thread isn't run, in ms.
const KEPT_MS: u32 = 400;
/// A device that ran dry so often without [`CALM_MS`] between gets more.
const DRY_MAX: u32 = 2;
/// Sound played without running dry, after which a lack is forgotten.
const CALM_MS: u32 = 4_000;
/// How often the thread looks whether it should end, if nothing comes.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes that are made at a time.
const PIECE: usize = 16 << 10;

/// Opens a stream; [`Running::run`] serves it.
pub(in crate::io::sound) fn open(
    choice: &Device,
    pinned: Option<&Place>,
    job: Job,
) -> Result<(Running, Found), Words> {
    let input = matches!(job, Job::Capture(_));
    let (mut connection, found) = find(choice, pinned, input)?;
    let work = match job {
        Job::Capture(ways) => {
            let channel = connection.record(&found)?;
            Work::Record { channel, recorder: Recorder::new(ways, RATE_HZ) }
        }
        Job::Playback(ring, tap) => {
            let (channel, wanted) = connection.play(&found, c"phone")?;
            Work::Play(Playback::new(channel, wanted, Box::new(Player::new(ring, RATE_HZ, tap))))
        }
        Job::Ringer(wants, country) => {
            let (channel, wanted) = connection.play(&found, c"event")?;
            Work::Play(Playback::new(channel, wanted, Box::new(Ringer::new(wants, country, RATE_HZ))))
        }
    };
    Ok((Running { connection, work }, found))
}

/// A stream that runs.
pub(in crate::io::sound) struct Running {
    connection: Connection,
    work: Work,
}

enum Work {
    Record { channel: u32, recorder: Recorder },
    Play(Playback),
}

struct Playback {
    channel: u32,
    /// Bytes the server wants.
    wanted: u32,
    sound: Box<dyn Sound>,
    target_ms: u32,
    /// How often it ran dry lately.
    dry: u32,
    /// Bytes played since.
    since_dry: u32,
    piece: Vec<u8>,
}

impl Playback {
    fn new(channel: u32, wanted: u32, sound: Box<dyn Sound>) -> Self {
        Self {
            channel,
            wanted,
            sound,
            target_ms: TARGET_FIRST_MS,
            dry: 0,
            since_dry: 0,
            piece: vec![0; DESCRIPTOR_SIZE + PIECE],
        }
    }
}

impl Connection {
    fn record(&mut self, device: &Found) -> Result<u32, Words> {
        let attributes =
            BufferAttr { max_length: KEPT_MS * MS, fragment_size: FRAGMENT_MS * MS, ..BufferAttr::default() };
        let params = RecordStreamParams {
            sample_spec: spec(),
            channel_map: ChannelMap::mono(),
            source_name: device.place.c_name(),
            buffer_attr: attributes,
            flags: bound(),
            props: role(c"phone"),
            ..RecordStreamParams::default()
        };
        let reply: CreateRecordStreamReply = self.ask(&Command::CreateRecordStream(params))?;
        self.say(&Command::CorkRecordStream(CorkStreamParams { channel: reply.channel, cork: false }))?;
        Ok(reply.channel)
    }

    /// The stream's channel, and how many bytes it wants at once.
    fn play(&mut self, device: &Found, purpose: &std::ffi::CStr) -> Result<(u32, u32), Words> {
        let params = PlaybackStreamParams {
            sample_spec: spec(),
            channel_map: ChannelMap::mono(),
            sink_name: device.place.c_name(),
            buffer_attr: attributes(TARGET_FIRST_MS),
            cvolume: Some(ChannelVolume::norm(1)),
            flags: bound(),
            props: role(purpose),
            ..PlaybackStreamParams::default()
        };
        let reply: CreatePlaybackStreamReply = self.ask(&Command::CreatePlaybackStream(params))?;
        self.say(&Command::CorkPlaybackStream(CorkStreamParams { channel: reply.channel, cork: false }))?;
        Ok((reply.channel, reply.requested_bytes))
    }
}

fn spec() -> SampleSpec {
    SampleSpec { format: SampleFormat::S16Le, channels: 1, sample_rate: RATE_HZ }
}

fn bound() -> StreamFlags {
    StreamFlags { no_move: true, adjust_latency: true, start_corked: true, ..StreamFlags::default() }
}

fn role(purpose: &std::ffi::CStr) -> Props {
    let mut props = Props::new();
    props.set(Prop::MediaName, c"call");
    props.set(Prop::MediaRole, purpose);
    props
}

/// What runs dry goes on with what comes next, not later and later: no pre-buffering.
fn attributes(target_ms: u32) -> BufferAttr {
    BufferAttr {
        max_length: (target_ms + KEPT_MS) * MS,
        target_length: target_ms * MS,
        pre_buffering: 0,
        minimum_request_length: REQUEST_MS * MS,
        ..BufferAttr::default()
    }
}

impl Running {
    /// Serves the stream until its life ends, or the server ends it. Nothing is allocated while sound flows.
    pub(in crate::io::sound) fn run(mut self, life: &Life) {
        if self.connection.socket.set_read_timeout(Some(LOOK)).is_err() {
            return life.lose(false);
        }
        life.set_latency_ms(match &self.work {
            Work::Record { .. } => FRAGMENT_MS,
            Work::Play(playback) => playback.target_ms,
        });
        while !life.is_ending() {
            let served = self.feed(life).and_then(|()| match self.connection.next() {
                Ok(Came::Nothing) => Ok(true),
                Ok(Came::Sound(channel)) => {
                    self.take(channel, life);
                    Ok(true)
                }
                Ok(Came::Control) => Ok(self.heed(life)),
                Err(error) => Err(super::gone(error)),
            });
            match served {
                Ok(true) => {}
                Ok(false) => return life.lose(true),
                Err(_) => return life.lose(false),
            }
        }
    }

    /// Gives the server what it wants.
    fn feed(&mut self, life: &Life) -> Result<(), Words> {
        let Work::Play(playback) = &mut self.work else { return Ok(()) };
        while playback.wanted >= SAMPLE as u32 {
            let length = (playback.wanted as usize).min(PIECE) / SAMPLE * SAMPLE;
            let (head, body) = playback.piece.split_at_mut(DESCRIPTOR_SIZE);
            let head: &mut [u8; DESCRIPTOR_SIZE] =
                head.try_into().map_err(|_| "no room for a message".to_owned())?;
            let descriptor = Descriptor {
                length: length as u32,
                channel: playback.channel,
                offset: 0,
                flags: DescriptorFlags::empty(),
            };
            encode_descriptor(head, &descriptor);
            life.beat();
            playback.sound.begin(length / SAMPLE);
            for two in body[..length].chunks_exact_mut(SAMPLE) {
                two.copy_from_slice(&playback.sound.next().to_le_bytes());
            }
            playback.wanted -= length as u32;
            playback.since_dry = playback.since_dry.saturating_add(length as u32);
            self.connection
                .socket
                .write_all(&playback.piece[..DESCRIPTOR_SIZE + length])
                .map_err(super::gone)?;
        }
        if playback.since_dry > CALM_MS * MS {
            playback.dry = 0;
        }
        Ok(())
    }

    /// Takes sound that came.
    fn take(&mut self, from: u32, life: &Life) {
        let Work::Record { channel, recorder } = &mut self.work else { return };
        if from != *channel {
            return;
        }
        life.beat();
        for two in self.connection.message().chunks_exact(SAMPLE) {
            recorder.take(i16::from_le_bytes([two[0], two[1]]));
        }
    }

    /// Heeds what the server says; `false`: the stream has ended.
    fn heed(&mut self, life: &Life) -> bool {
        let mut bytes = self.connection.message();
        let Ok((_, command)) = Command::read_tag_prefixed(&mut bytes, self.connection.version) else {
            // An answer, or a word of a newer server.
            return true;
        };
        match (command, &mut self.work) {
            (Command::PlaybackStreamKilled(_) | Command::RecordStreamKilled(_), _) => false,
            // Moved in spite of all: to a device that nobody has chosen.
            (Command::PlaybackStreamMoved(_) | Command::RecordStreamMoved(_), _) => false,
            (Command::Request(request), Work::Play(playback)) if request.channel == playback.channel => {
                // More than fits can't be wanted.
                let most = (TARGET_MAX_MS + KEPT_MS) * MS;
                playback.wanted = playback.wanted.saturating_add(request.length).min(most);
                true
            }
            (Command::Underflow(_), Work::Play(_)) => {
                life.count_dry();
                let goes_on = self.ran_dry().is_ok();
                if let Work::Play(playback) = &self.work {
                    life.set_latency_ms(playback.target_ms);
                }
                goes_on
            }
            _ => true,
        }
    }

    /// A device that keeps running dry gets more in hand.
    fn ran_dry(&mut self) -> Result<(), Words> {
        let Work::Play(playback) = &mut self.work else { return Ok(()) };
        playback.dry += 1;
        playback.since_dry = 0;
        if playback.dry < DRY_MAX || playback.target_ms >= TARGET_MAX_MS {
            return Ok(());
        }
        playback.dry = 0;
        playback.target_ms = (playback.target_ms * 3 / 2).min(TARGET_MAX_MS);
        let params = SetPlaybackStreamBufferAttrParams {
            index: playback.channel,
            buffer_attr: attributes(playback.target_ms),
            adjust_latency: true,
            early_requests: false,
        };
        self.connection.say(&Command::SetPlaybackStreamBufferAttr(params)).map(|_| ())
    }
}
