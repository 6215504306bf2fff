//! What travels between the owner's handle, the media thread and the device thread: everything that allocates or frees
//! is made and dropped on the owner's side.

use super::tape::Tape;
use super::voice::Inlet;
use crate::media::{
    Clip, Codec, Country, Cover, Cue, Device, DeviceDelay, FRAME, Music, Pattern, Prepared,
    ProcessingFigures, Report, RingPattern, Role, Sine, Sink, Source, Stream, StreamConfig, StreamFigures,
    StreamId,
};
use std::io;

/// A command with all that it takes, made by the handle.
pub(super) enum Order {
    Open {
        stream: StreamId,
        port: u16,
    },
    /// The first configuration.
    Begin {
        stream: StreamId,
        media: Box<Stream>,
    },
    Configure {
        stream: StreamId,
        config: StreamConfig,
        prepared: Option<Box<Prepared>>,
    },
    /// Covers the stream's packets in another way.
    Cover {
        stream: StreamId,
        cover: Cover,
    },
    Send {
        stream: StreamId,
        feed: Feed,
    },
    Hear {
        stream: StreamId,
        sink: Sink,
    },
    Digit {
        stream: StreamId,
        digit: char,
    },
    Close {
        stream: StreamId,
    },
    Ring {
        pattern: RingPattern,
    },
    Mute {
        on: bool,
    },
    /// Keeps the headset open without a stream.
    Try {
        on: bool,
    },
    Play {
        cue: Cue,
    },
    /// Records the stream, or stops.
    Tape {
        stream: StreamId,
        tape: Option<Box<Tape>>,
    },
    /// There is a second ear-piece from now on, or none.
    SecondEar {
        there: bool,
    },
}

/// A source as it runs.
pub(super) enum Feed {
    Silence,
    Headset,
    Music { music: Music, frame: usize },
    Prompt { clip: Clip, at: usize },
    Tone(Sine),
    Cue(Pattern),
    Bridge(StreamId),
    Joined(StreamId),
}

impl Feed {
    /// The source with that country's tones.
    pub(super) fn of(source: Source, country: &'static Country) -> Self {
        match source {
            Source::Silence => Self::Silence,
            Source::Headset => Self::Headset,
            Source::Music(music) => Self::Music { music, frame: 0 },
            Source::Prompt(clip) => Self::Prompt { clip, at: 0 },
            Source::Tone { hz, level_dbfs } => Self::Tone(Sine::new(hz, level_dbfs)),
            Source::Cue(cue) => Self::Cue(Pattern::cue(cue, country)),
            Source::Joined(other) => Self::Joined(other),
            Source::Bridge(other) => Self::Bridge(other),
        }
    }
}

/// A frame to send, as a feed gives it.
pub(super) enum Frame<'a> {
    /// Samples, in the buffer that was lent.
    Sound,
    /// Encoded already.
    Encoded(&'a [u8]),
    /// What another stream receives.
    Of(StreamId),
    /// Samples in the buffer, and what another stream receives.
    With(StreamId),
    /// Nothing more: the prompt has ended.
    Over,
}

impl Feed {
    /// The next 20 ms, in `sound` or encoded for `codec`.
    pub(super) fn next<'a>(
        &'a mut self,
        codec: Codec,
        microphone: &[i16; FRAME],
        sound: &mut [i16; FRAME],
    ) -> Frame<'a> {
        match self {
            Self::Silence => sound.fill(0),
            Self::Headset => sound.copy_from_slice(microphone),
            Self::Tone(sine) => sine.fill(sound),
            Self::Cue(pattern) => {
                sound.fill(0);
                pattern.mix_into(sound);
            }
            Self::Bridge(other) => return Frame::Of(*other),
            Self::Joined(other) => {
                sound.copy_from_slice(microphone);
                return Frame::With(*other);
            }
            Self::Prompt { clip, at } => {
                if !clip.frame(*at, sound) {
                    return Frame::Over;
                }
                *at += FRAME;
            }
            Self::Music { music, frame } => {
                let now = *frame;
                *frame = if now + 1 >= music.frames() { 0 } else { now + 1 };
                return Frame::Encoded(music.payload(codec, now));
            }
        }
        Frame::Sound
    }
}

/// What the media thread has no more use for; dropped by the owner.
#[expect(dead_code, reason = "held only to be dropped elsewhere")]
pub(super) enum Trash {
    Stream(Box<Stream>),
    Prepared(Box<Prepared>),
    Feed(Feed),
    Cover(Cover),
    Capture(Inlet),
    Playback(rtrb::Producer<i16>),
    Tape(Box<Tape>),
}

/// A report without anything that allocates.
#[derive(Clone, Copy)]
pub(super) enum Notice {
    PortBound(u16),
    PortsExhausted(io::ErrorKind),
    OpenRefused {
        stream: StreamId,
        port: u16,
    },
    Digit {
        stream: StreamId,
        digit: char,
    },
    Figures {
        stream: StreamId,
        figures: StreamFigures,
    },
    Levels {
        microphone_dbfs: f32,
        processing: Option<ProcessingFigures>,
        headset_dbfs: f32,
        delay: DeviceDelay,
    },
    PromptEnded {
        stream: StreamId,
    },
    StreamSilent {
        stream: StreamId,
        silent_ms: u32,
    },
    StreamHeard {
        stream: StreamId,
    },
    KeysAging {
        stream: StreamId,
    },
    Dropped {
        count: u32,
    },
}

impl Notice {
    pub(super) fn into_report(self) -> Report {
        match self {
            Self::PortBound(port) => Report::PortsBound { ports: vec![port] },
            Self::PortsExhausted(kind) => Report::PortsExhausted { reason: kind.to_string() },
            Self::OpenRefused { stream, port } => Report::OpenRefused { stream, port },
            Self::Digit { stream, digit } => Report::Digit { stream, digit },
            Self::Figures { stream, figures } => Report::Figures { stream, figures },
            Self::Levels { microphone_dbfs, processing, headset_dbfs, delay } => {
                Report::Levels { microphone_dbfs, processing, headset_dbfs, delay }
            }
            Self::PromptEnded { stream } => Report::PromptEnded { stream },
            Self::StreamSilent { stream, silent_ms } => Report::StreamSilent { stream, silent_ms },
            Self::StreamHeard { stream } => Report::StreamHeard { stream },
            Self::KeysAging { stream } => Report::KeysAging { stream },
            Self::Dropped { count } => Report::ReportsDropped { count },
        }
    }
}

/// The device thread hands the media thread its ends of the rings; `None` takes them away.
pub(super) enum Wiring {
    Capture(Option<Inlet>),
    Playback(Option<rtrb::Producer<i16>>),
    SecondEar(Option<rtrb::Producer<i16>>),
}

/// What the owner wants of the device thread.
pub(super) enum DeviceOrder {
    Use { role: Role, device: Device },
    TakeOffered,
}
