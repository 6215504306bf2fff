//! One call's sound: frames to RTP and back. No device, no socket, no clock.
//!
//! A frame out: source → [`Stream::push`] → encoder → RTP → SRTP. A packet in: SRTP → gate (whose is it?) → jitter buffer →
//! [`Stream::pull`] → decoder, or concealment → frame. A bridge between two streams of one codec forwards the packet
//! with numbers of its own and touches nothing else.
//!
//! Inside, sound is 48 kHz mono `i16`. It is sent in frames of 20 ms ([`FRAME`]) and heard in slices of 5 ms ([`SLICE`]): a
//! packet is heard up to a slice after it could be, and that is delay. Codecs work at their own rate behind that.
//! [`Stream`] is one call's media; [`Command`] and [`Report`] are the plain data by which the owner of the calls
//! speaks with the media thread of `io::sound`.

mod clip;
mod codec;
mod comfort;
mod command;
mod conceal;
mod elastic;
mod events;
mod figures;
mod gate;
mod jitter;
mod level;
mod pace;
#[cfg(test)]
mod pace_tests;
mod processing;
mod quality;
mod red;
mod relief;
mod resample;
mod rtcp;
mod rtp;
mod srtp;
mod stream;
mod stretch;
mod tone;

pub use clip::{Clip, Music};
pub use command::{
    Command, Cue, Device, DtlsRole, FRAMES_MAX, OpusTerms, Process, Protection, Report, RingPattern, Role,
    Sink, Source, StreamConfig, StreamId, Switch,
};
pub use elastic::{Elastic, Take};
pub use figures::StreamFigures;
pub use level::{SILENCE_DBFS, level_dbfs, tone_level_dbfs};
pub use processing::{PIECE, Processing, ProcessingFigures, Processor, piece_level_dbfs};
pub use quality::{DeviceDelay, OneWay, Quality, QualityMeter, opinion, rating};
pub use relief::Relief;
pub use resample::{Resampler, resample};
pub use srtp::{Opened, SrtpKey, SrtpSession, SrtpSuite};
pub use stream::{Cover, Prepared, Stream};
pub use tone::{Country, Pattern, Sine};

use std::time::Duration;

/// Samples in a frame: 20 ms at 48 kHz, mono.
pub const FRAME: usize = 960;

/// Samples that are heard at a time: 5 ms at 48 kHz, mono.
pub const SLICE: usize = 240;

/// The time one slice lasts.
pub const SLICE_TIME: Duration = Duration::from_millis(5);

/// Slices in a frame.
pub const SLICES: usize = FRAME / SLICE;

/// The sample rate of everything between the codecs and the devices, in Hz.
pub const RATE_HZ: u32 = 48_000;

/// The time one frame lasts.
pub const FRAME_TIME: Duration = Duration::from_millis(20);

/// Largest RTP packet that is sent or taken, in bytes: an Ethernet frame's worth of UDP payload.
pub const MAX_PACKET: usize = 1472;

/// A codec of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Opus, 48 kHz clock (RFC 7587).
    Opus,
    /// G.722, 16 kHz in 64 kbit/s, with a clock of 8 kHz (RFC 3551 4.5.2).
    G722,
    /// G.711 µ-law, 8 kHz (RFC 3551).
    Pcmu,
    /// G.711 A-law, 8 kHz (RFC 3551).
    Pcma,
}

impl Codec {
    /// The RTP clock, in Hz.
    pub fn clock_hz(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::G722 | Self::Pcmu | Self::Pcma => 8_000,
        }
    }
}
