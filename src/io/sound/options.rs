//! How the media engine is started.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

pub use super::tape::{Format, Recordings};
pub use crate::media::Device;
use crate::media::{Country, Switch};

/// By which of the computer's sound systems devices are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driver {
    /// The sound server, if one runs; else the system itself.
    #[default]
    Auto,
    /// PulseAudio or PipeWire only.
    Pulse,
    /// The system itself only (on Linux: ALSA).
    Native,
}

/// How the media engine is started.
#[derive(Clone, Debug)]
pub struct SoundOptions {
    /// The address RTP is sent from and received on; what SDP says.
    pub address: IpAddr,
    /// Whether every port takes IPv4 and IPv6 alike, where the computer can: from everywhere, or if `address` is a
    /// loopback one from this computer only. Without, `address` alone.
    pub both_families: bool,
    /// Ports RTP may use (even ones are taken); `None`: the system chooses.
    pub ports: Option<RangeInclusive<u16>>,
    /// Ports kept bound and free.
    pub spare: usize,
    /// Most streams at a time; `Open` is refused beyond.
    pub streams_max: usize,
    /// Where devices are looked for.
    pub driver: Driver,
    /// The microphone.
    pub microphone: Device,
    /// The ear-piece.
    pub headset: Device,
    /// The ringer.
    pub ringer: Device,
    /// A second ear-piece, for tones that don't belong to the conversation; without, they are heard in the headset.
    pub second_ear: Device,
    /// Whether the echo of a loudspeaker is taken out of the microphone's sound.
    pub echo: Switch,
    /// Whether steady noise is lowered in it.
    pub noise: Switch,
    /// Whether its level is brought to where it is understood.
    pub gain: Switch,
    /// Whose tones are played.
    pub country: &'static Country,
    /// Where recordings go; `None`: none are made.
    pub recordings: Option<Recordings>,
    /// Where SSRCs, sequence numbers and timestamps come from; take it from the system's randomness.
    pub seed: u64,
}

impl SoundOptions {
    /// No sound devices: for the lot and for tests.
    pub fn silent(address: IpAddr, spare: usize, seed: u64) -> Self {
        Self {
            address,
            both_families: false,
            ports: None,
            spare,
            streams_max: 1024,
            driver: Driver::Auto,
            microphone: Device::Off,
            headset: Device::Off,
            ringer: Device::Off,
            second_ear: Device::Off,
            echo: Switch::Auto,
            noise: Switch::Auto,
            gain: Switch::Auto,
            country: Country::INTERNATIONAL,
            recordings: None,
            seed,
        }
    }
}

impl Default for SoundOptions {
    fn default() -> Self {
        Self {
            microphone: Device::Default,
            headset: Device::Default,
            ringer: Device::Default,
            ..Self::silent(IpAddr::V4(Ipv4Addr::LOCALHOST), 8, 0)
        }
    }
}
