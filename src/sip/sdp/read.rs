//! What stands in somebody else's description, within limits, and why one is refused.

use super::{COMFORT_NOISE, Codec, DEEP, Direction, OpusTerms, Profile};
use sdp_types::{Attribute, Media, Session};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The largest description that is read, in bytes.
pub const MAX_SDP: usize = 16_384;
/// The most `m=` lines of a description.
pub const MAX_MEDIA: usize = 16;
/// The most lines of a description.
const MAX_LINES: usize = 512;
/// The most formats read from one `m=` line.
const MAX_FORMATS: usize = 64;

/// The longest complaint of the parser that is passed on, in characters.
const MAX_COMPLAINT: usize = 120;

/// Why a description can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpRefusal {
    /// Longer than [`MAX_SDP`], or too many lines or media.
    #[error("the session description is too large")]
    TooLarge,
    /// Not SDP.
    #[error("the session description can't be read: {0}")]
    Unreadable(String),
    /// No `m=audio` over RTP that isn't switched off.
    #[error("the session description has no usable audio stream")]
    NoAudio,
    /// No address, or one that nobody can send to.
    #[error("the session description names no address that can be sent to")]
    NoAddress,
    /// None of our codecs.
    #[error("the session description has no codec that we speak")]
    NoCodec,
    /// An answer that doesn't fit the offer.
    #[error("the answer doesn't fit the offer")]
    NotOurOffer,
    /// They insist on protection, and ours is off.
    #[error("they want their sound encrypted, and secure_media is off here")]
    SecureOff,
    /// They don't protect, and we insist.
    #[error("their sound wouldn't be encrypted, and secure_media is required here")]
    NotSecured,
    /// SDES without TLS.
    #[error("keys for encrypted sound don't travel over signalling that isn't encrypted itself")]
    KeysInClear,
    /// No usable `a=crypto` line.
    #[error("no key for encrypted sound can be used: {0}")]
    NoKey(&'static str),
    /// No usable `a=fingerprint`.
    #[error("their certificate's fingerprint for encrypted sound can't be used")]
    NoFingerprint,
    /// The keys would come another way than the configuration allows.
    #[error("the keys for encrypted sound would come in another way than key_exchange allows")]
    OtherExchange,
}

impl SdpRefusal {
    /// The status to refuse an INVITE with: 400 for what can't be read, 488 for what can't be agreed on.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge | Self::Unreadable(_) => 400,
            _ => 488,
        }
    }
}

/// Reads a description within the limits.
pub(super) fn session(sdp: &[u8]) -> Result<Session, SdpRefusal> {
    let lines = sdp.iter().filter(|b| **b == b'\n').count();
    if sdp.len() > MAX_SDP || lines > MAX_LINES {
        return Err(SdpRefusal::TooLarge);
    }
    let session = Session::parse(sdp).map_err(|error| SdpRefusal::Unreadable(plain(&error.to_string())))?;
    if session.medias.len() > MAX_MEDIA {
        return Err(SdpRefusal::TooLarge);
    }
    Ok(session)
}

/// A parser's complaint without what it quotes of the sender's bytes beyond plain characters.
fn plain(complaint: &str) -> String {
    complaint.chars().filter(|c| matches!(c, ' '..='~')).take(MAX_COMPLAINT).collect()
}

/// One payload number that a description explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) number: u8,
    pub(super) kind: Kind,
}

/// What a payload number stands for, as far as we care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Codec(Codec),
    /// telephone-event at that clock.
    Dtmf(u32),
    /// Redundancy (RFC 2198) of the codec with that number.
    Red(u8),
}

/// The payloads of an `m=` line that we understand, in its order.
pub(super) fn payloads(media: &Media) -> Vec<Payload> {
    let numbers = media.fmt.split_ascii_whitespace().take(MAX_FORMATS).filter_map(|f| f.parse::<u8>().ok());
    numbers
        .filter(|number| *number < 128)
        .filter_map(|number| kind(media, number).map(|kind| Payload { number, kind }))
        .collect()
}

fn kind(media: &Media, number: u8) -> Option<Kind> {
    let Some(map) = parameter(media, "rtpmap", number) else {
        // Static numbers need no rtpmap (RFC 3551 6).
        return [Codec::G722, Codec::Pcmu, Codec::Pcma]
            .into_iter()
            .find(|codec| codec.payload_type() == number)
            .map(Kind::Codec);
    };
    let mut parts = map.trim().split('/');
    let (name, clock) = (parts.next()?, parts.next()?.trim().parse::<u32>().ok()?);
    let channels = parts.next().unwrap_or("1").trim();
    if name.eq_ignore_ascii_case("telephone-event") {
        return Some(Kind::Dtmf(clock));
    }
    if name.eq_ignore_ascii_case("red") {
        // Of one codec only: the first number, and every other one the same.
        let mut of = parameter(media, "fmtp", number)?.trim().split('/').map(|of| of.trim().parse::<u8>());
        let first = of.next()?.ok()?;
        return of.all(|other| other == Ok(first)).then_some(Kind::Red(first));
    }
    let codec = Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))?;
    // Opus always says two channels (RFC 7587 7); some say none at all.
    let fits = clock == codec.clock_hz() && (channels == "1" || channels == "2" && codec == Codec::Opus);
    fits.then_some(Kind::Codec(codec))
}

/// Behind the number in `a=NAME:NUMBER …`.
fn parameter<'a>(media: &'a Media, name: &str, number: u8) -> Option<&'a str> {
    values(&media.attributes, name).find_map(|value| {
        let (of, rest) = value.trim().split_once(char::is_whitespace)?;
        (of.parse::<u8>() == Ok(number)).then_some(rest)
    })
}

pub(super) fn values<'a>(attributes: &'a [Attribute], name: &str) -> impl Iterator<Item = &'a str> {
    let named = move |a: &&Attribute| a.attribute.eq_ignore_ascii_case(name);
    attributes.iter().filter(named).filter_map(|a| a.value.as_deref())
}

/// What that payload's receiver wants of Opus; of another codec it says nothing. Values out of their range (RFC 7587 6.1)
/// count as not said.
pub(super) fn opus(media: &Media, number: u8) -> OpusTerms {
    let said = |name: &str| {
        let fmtp = parameter(media, "fmtp", number)?;
        fmtp.split(';').find_map(|said| {
            let (word, value) = said.split_once('=')?;
            word.trim().eq_ignore_ascii_case(name).then(|| value.trim().parse::<u32>().ok())?
        })
    };
    let is = |name| said(name) == Some(1);
    OpusTerms {
        fec: is("useinbandfec"),
        deep: is(DEEP),
        dtx: is("usedtx"),
        cbr: is("cbr"),
        bitrate_max: said("maxaveragebitrate").filter(|bits| (6_000..=510_000).contains(bits)),
        playback_hz: said("maxplaybackrate").filter(|hz| (8_000..48_000).contains(hz)).unwrap_or(48_000),
    }
}

/// Whether the far end may say what its silence sounds like, under the static number (RFC 3389 4).
pub(super) fn has_comfort_noise(media: &Media) -> bool {
    media.fmt.split_ascii_whitespace().take(MAX_FORMATS).any(|format| format == COMFORT_NOISE)
}

/// The packet length that is asked for, and no more than is borne (`maxptime`); 20 ms unless a sensible one is named.
pub(super) fn ptime_ms(media: &Media) -> u16 {
    let named = |name: &str| {
        let named = values(&media.attributes, name).next().and_then(|value| value.trim().parse().ok());
        named.filter(|ms| (10..=120).contains(ms))
    };
    named("ptime").unwrap_or(20).min(named("maxptime").unwrap_or(120))
}

/// The direction of a stream as its description says it; `sendrecv` unless said (RFC 8866 6.7).
fn stated_direction(session: &Session, media: &Media) -> Direction {
    let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let stated = |attributes: &[Attribute]| {
        let named = |a: &Attribute| all.into_iter().find(|d| a.attribute.eq_ignore_ascii_case(d.name()));
        attributes.iter().find_map(named)
    };
    stated(&media.attributes).or_else(|| stated(&session.attributes)).unwrap_or(Direction::SendRecv)
}

/// Where a stream is to be sent and which way it flows, seen from who wrote the description.
pub(super) fn destination(session: &Session, media: &Media) -> Result<(SocketAddr, Direction), SdpRefusal> {
    let connection =
        media.connections.first().or(session.connection.as_ref()).ok_or(SdpRefusal::NoAddress)?;
    let ip: IpAddr = connection.connection_address.trim().parse().map_err(|_| SdpRefusal::NoAddress)?;
    let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    if ip.is_multicast() || broadcast {
        return Err(SdpRefusal::NoAddress);
    }
    let mut direction = stated_direction(session, media);
    if ip.is_unspecified() {
        // The hold of RFC 2543: who gives no address wants nothing sent (RFC 3264 8.4).
        direction = direction.both(Direction::SendOnly);
    }
    Ok((SocketAddr::new(ip, media.port), direction))
}

/// The profile of an `m=` line that is audio over RTP and switched on.
pub(super) fn live_audio(media: &Media) -> Option<Profile> {
    let live = media.media.eq_ignore_ascii_case("audio") && media.port != 0;
    Profile::parse(&media.proto).filter(|_| live)
}

/// Where RTCP is to be sent: with RTP (RFC 5761), where `a=rtcp` says (RFC 3605), or to the next port.
pub(super) fn rtcp(media: &Media, rtp: SocketAddr) -> (bool, Option<SocketAddr>) {
    let mux = media.attributes.iter().any(|a| a.attribute.eq_ignore_ascii_case("rtcp-mux"));
    if mux {
        return (true, Some(rtp));
    }
    let stated = values(&media.attributes, "rtcp").next().and_then(|value| {
        let mut words = value.split_ascii_whitespace();
        let port = words.next()?.parse::<u16>().ok().filter(|port| *port != 0)?;
        // Another host than RTP's would make us send reports to whomever.
        let elsewhere = words.nth(2).is_some_and(|ip| ip.parse::<IpAddr>() != Ok(rtp.ip()));
        (!elsewhere).then_some(port)
    });
    let port = stated.or_else(|| rtp.port().checked_add(1));
    (false, port.map(|port| SocketAddr::new(rtp.ip(), port)))
}
