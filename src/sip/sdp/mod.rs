//! Session descriptions for one audio stream (RFC 8866 over sdp-types, offer and answer by RFC 3264).
//! Nothing here sends sound; it says where to, in which codec and which way.

mod crypto;
mod negotiate;
mod read;
mod secure;
#[cfg(test)]
mod secure_tests;
#[cfg(test)]
mod tests;
mod write;

use std::net::{IpAddr, SocketAddr};

pub use crypto::{KeyName, MediaKey, Suite, carries_keys};
pub use negotiate::{accept, answer, codecs_of};
pub use read::{MAX_MEDIA, MAX_SDP, SdpRefusal};
pub use secure::{
    DtlsRole, Fingerprint, KeyExchange, LocalSecurity, Profile, Protection, SdesKeys, SecureMedia,
};
pub use write::offer;

/// A codec that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Opus, 48 kHz (RFC 7587).
    Opus,
    /// G.722, wide band; its clock is told as 8 kHz (RFC 3551 4.5.2).
    G722,
    /// G.711 µ-law, 8 kHz.
    Pcmu,
    /// G.711 A-law, 8 kHz.
    Pcma,
}

impl Codec {
    /// Every codec, the best sounding first.
    pub const ALL: [Self; 4] = [Self::Opus, Self::G722, Self::Pcmu, Self::Pcma];

    /// The RTP clock in Hz.
    pub fn clock_hz(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::G722 | Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// The encoding's name in `a=rtpmap`.
    fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::G722 => "G722",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The payload number in our offers; static for G.711 and G.722 (RFC 3551), dynamic for Opus.
    fn payload_type(self) -> u8 {
        match self {
            Self::Opus => 107,
            Self::G722 => 9,
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// The payload number of telephone-event at this codec's clock in our offers.
    fn dtmf_payload_type(self) -> u8 {
        match self {
            Self::Opus => 102,
            Self::G722 | Self::Pcmu | Self::Pcma => 101,
        }
    }
}

/// The payload numbers in our offers under which packets are sent again beside new ones (RFC 2198), by codec.
pub(super) const RED: [(Codec, u8); 4] =
    [(Codec::Opus, 108), (Codec::G722, 109), (Codec::Pcmu, 110), (Codec::Pcma, 112)];

/// The static payload number of comfort noise (RFC 3551 table 4). It is never offered: sound that goes on is better. Where it
/// is offered it is taken, and heard.
pub(super) const COMFORT_NOISE: &str = "13";

/// Our word for: deep redundancy is read. Others leave out what they don't know (RFC 7587 7.1).
pub(super) const DEEP: &str = "x-dred";

/// Which way sound flows, seen from the side that says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// Only towards the other side: it is on hold.
    SendOnly,
    /// Only from the other side.
    RecvOnly,
    /// Not at all.
    Inactive,
}

impl Direction {
    /// The same seen from the other side.
    pub fn reversed(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// Whether sound is sent.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether sound is received.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// What both allow.
    fn both(self, other: Self) -> Self {
        Self::of(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// The attribute's name.
    fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

/// Our side of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalMedia {
    /// Where we receive.
    pub address: IpAddr,
    /// The RTP port.
    pub port: u16,
    /// What we speak, in order of preference; an answer takes the first of these that was offered.
    pub codecs: Vec<Codec>,
    /// Whether packets may be sent again beside new ones (RFC 2198), both ways.
    pub redundancy: bool,
    /// What we want.
    pub direction: Direction,
    /// Of the `o=` line: the same for the whole call.
    pub session_id: u64,
    /// Of the `o=` line: one more whenever the description changes.
    pub version: u64,
    /// How the sound is to be protected.
    pub security: LocalSecurity,
}

/// What a description says of the Opus that its side wants to hear (RFC 7587 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusTerms {
    /// It reads in-band forward error correction (`useinbandfec`).
    pub fec: bool,
    /// It reads deep redundancy (`x-dred`, our own word: there is none of a standard yet).
    pub deep: bool,
    /// It wants nothing sent while nobody speaks (`usedtx`).
    pub dtx: bool,
    /// It wants every packet equally long (`cbr`).
    pub cbr: bool,
    /// The most bits a second that it wants on average (`maxaveragebitrate`).
    pub bitrate_max: Option<u32>,
    /// The highest sampling rate that it makes use of, in Hz (`maxplaybackrate`).
    pub playback_hz: u32,
}

/// What offer and answer have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Where to send; unspecified (0.0.0.0) when the other side holds in the old way, and then `direction` sends not.
    pub remote: SocketAddr,
    /// The codec of both ways.
    pub codec: Codec,
    /// The payload number to send.
    pub payload_type: u8,
    /// The payload number that comes in.
    pub receive_payload_type: u8,
    /// The payload number for telephone-events that we send, at the codec's clock; `None`: the other side takes none.
    pub dtmf_payload_type: Option<u8>,
    /// The same for those that come in.
    pub dtmf_receive_payload_type: Option<u8>,
    /// Which way sound flows, seen from us.
    pub direction: Direction,
    /// How much sound the other side likes in a packet, and bears at most.
    pub ptime_ms: u16,
    /// What the other side says of the Opus that it wants to hear.
    pub opus: OpusTerms,
    /// The payload number under which the other side reads packets that are sent again (RFC 2198).
    pub red_payload_type: Option<u8>,
    /// The same for those that come in.
    pub red_receive_payload_type: Option<u8>,
    /// The transport that the `m=` line names.
    pub profile: Profile,
    /// How the sound is protected.
    pub protection: Protection,
    /// RTCP shares RTP's port, both ways (RFC 5761).
    pub rtcp_mux: bool,
    /// Where RTCP goes.
    pub rtcp_remote: Option<SocketAddr>,
}
