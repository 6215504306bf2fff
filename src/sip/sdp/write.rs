//! Our own descriptions: the offer, and the stream of an answer.

use super::{COMFORT_NOISE, Codec, DEEP, Direction, LocalMedia, RED};
use sdp_types::{Attribute, Connection, Media, Origin, Session, Time};

/// Describes what we offer: all our codecs in order, telephone-event at each of their clocks, 20 ms packets.
pub fn offer(local: &LocalMedia) -> Vec<u8> {
    let mut stream = Stream::new(local.security.offering().0.name());
    for codec in &local.codecs {
        stream.add_codec(*codec, codec.payload_type());
    }
    for (codec, number) in RED.iter().filter(|(codec, _)| is_sent_again(local, *codec)) {
        stream.add_red(*codec, *number, codec.payload_type());
    }
    let mut clocks = Vec::new();
    for codec in &local.codecs {
        if !clocks.contains(&codec.clock_hz()) {
            clocks.push(codec.clock_hz());
            stream.add_dtmf(codec.clock_hz(), codec.dtmf_payload_type());
        }
    }
    let mut session = head(local);
    stream.attributes.extend(local.security.offered_lines());
    stream.add_rtcp_mux();
    session.medias.push(stream.finish(local.port, local.direction));
    bytes(&session)
}

/// Whether RFC 2198 is offered for that codec: for the one we like best and for the first of G.711. With all of them an
/// INVITE with credentials would be too long for a datagram (RFC 3261 18.1.1).
fn is_sent_again(local: &LocalMedia, codec: Codec) -> bool {
    let narrow = local.codecs.iter().find(|codec| matches!(codec, Codec::Pcmu | Codec::Pcma));
    local.redundancy && (local.codecs.first() == Some(&codec) || narrow == Some(&codec))
}

/// The session part of our descriptions.
pub(super) fn head(local: &LocalMedia) -> Session {
    let mut session = Session::new(Origin::with_ip_addr(local.session_id, local.version, local.address), "-");
    session.connection = Some(Connection::from_ip_addr(local.address));
    session.times.push(Time::new(0, 0));
    session
}

/// An `m=` line refused: the same with port 0 (RFC 3264 6).
pub(super) fn refused(offered: &Media) -> Media {
    Media {
        attributes: Vec::new(),
        connections: Vec::new(),
        ..stream(&offered.media, 0, &offered.proto, &offered.fmt)
    }
}

/// The description as bytes; writing to memory can't fail, and nothing of it is longer than what was read.
pub(super) fn bytes(session: &Session) -> Vec<u8> {
    let mut bytes = Vec::new();
    match session.write(&mut bytes) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}

fn stream(media: &str, port: u16, proto: &str, fmt: &str) -> Media {
    Media {
        media: media.to_owned(),
        port,
        num_ports: None,
        proto: proto.to_owned(),
        fmt: fmt.to_owned(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

/// An audio stream in the making.
pub(super) struct Stream {
    proto: String,
    formats: Vec<String>,
    pub(super) attributes: Vec<Attribute>,
}

impl Stream {
    pub(super) fn new(proto: &str) -> Self {
        Self { proto: proto.to_owned(), formats: Vec::new(), attributes: Vec::new() }
    }

    fn add(&mut self, name: &str, value: String) {
        self.attributes.push(Attribute::with_value(name, value));
    }

    pub(super) fn add_codec(&mut self, codec: Codec, number: u8) {
        self.formats.push(number.to_string());
        let channels = if codec == Codec::Opus { "/2" } else { "" };
        self.add("rtpmap", format!("{number} {}/{}{channels}", codec.name(), codec.clock_hz()));
        if codec == Codec::Opus {
            self.add("fmtp", format!("{number} useinbandfec=1;minptime=10;{DEEP}=1"));
        }
    }

    /// Redundancy (RFC 2198) of the codec with that number: up to three earlier packets beside a new one.
    pub(super) fn add_red(&mut self, codec: Codec, number: u8, of: u8) {
        self.formats.push(number.to_string());
        let channels = if codec == Codec::Opus { "/2" } else { "" };
        self.add("rtpmap", format!("{number} red/{}{channels}", codec.clock_hz()));
        self.add("fmtp", format!("{number} {of}/{of}/{of}/{of}"));
    }

    pub(super) fn add_dtmf(&mut self, clock_hz: u32, number: u8) {
        self.formats.push(number.to_string());
        self.add("rtpmap", format!("{number} telephone-event/{clock_hz}"));
        self.add("fmtp", format!("{number} 0-15"));
    }

    /// What silence sounds like may be said (RFC 3389).
    pub(super) fn add_comfort_noise(&mut self) {
        self.formats.push(COMFORT_NOISE.to_owned());
        self.add("rtpmap", format!("{COMFORT_NOISE} CN/8000"));
    }

    /// RTCP may share our port (RFC 5761).
    pub(super) fn add_rtcp_mux(&mut self) {
        self.attributes.push(Attribute::new("rtcp-mux"));
    }

    pub(super) fn finish(mut self, port: u16, direction: Direction) -> Media {
        self.add("ptime", "20".to_owned());
        self.attributes.push(Attribute::new(direction.name()));
        Media { attributes: self.attributes, ..stream("audio", port, &self.proto, &self.formats.join(" ")) }
    }
}
