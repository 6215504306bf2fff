//! Offer and answer (RFC 3264): which stream, which codec, which numbers, which way.

use super::read::{self, Kind, Payload};
use super::write::{self, Stream};
use super::{Codec, LocalMedia, Negotiated, Profile, Protection, RED, SdpRefusal};
use sdp_types::{Attribute, Media, Session};

/// Answers an offer: the first audio stream with a codec of ours and a protection that our policy allows is taken, all
/// others are refused with port 0. Keeps the offer's payload numbers and the order of its streams, and mirrors its hold.
pub fn answer(offer: &[u8], local: &LocalMedia) -> Result<(Vec<u8>, Negotiated), SdpRefusal> {
    let offered = read::session(offer)?;
    let Taken { at, profile, protection, lines } = take(&offered, local)?;
    let media = &offered.medias[at];
    let (codec, number, dtmf) = chosen(media, local).ok_or(SdpRefusal::NoCodec)?;
    let red = red(&read::payloads(media), number).filter(|_| local.redundancy);
    let agreed = Numbers {
        codec,
        send: number,
        receive: number,
        dtmf_send: dtmf,
        dtmf_receive: dtmf,
        red_send: red,
        red_receive: red,
    };
    let negotiated = agreed.with(&offered, media, local, (profile, protection))?;
    let mut stream = Stream::new(&media.proto);
    stream.add_codec(codec, number);
    if let Some(red) = red {
        stream.add_red(codec, red, number);
    }
    if let Some(dtmf) = dtmf {
        stream.add_dtmf(codec.clock_hz(), dtmf);
    }
    if codec != Codec::Opus && read::has_comfort_noise(media) {
        stream.add_comfort_noise();
    }
    stream.attributes.extend(lines);
    if negotiated.rtcp_mux {
        stream.add_rtcp_mux();
    }
    let mut ours = Some(stream.finish(local.port, negotiated.direction));
    let mut session = write::head(local);
    session.medias = (offered.medias.iter().enumerate())
        .map(|(i, media)| ours.take_if(|_| i == at).unwrap_or_else(|| write::refused(media)))
        .collect();
    if let (Some(time), Some(ours)) = (offered.times.first(), session.times.first_mut()) {
        // The answer's t= is the offer's (RFC 3264 6).
        (ours.start_time, ours.stop_time) = (time.start_time, time.stop_time);
    }
    Ok((write::bytes(&session), negotiated))
}

/// The stream of an offer that is taken.
struct Taken {
    at: usize,
    profile: Profile,
    protection: Protection,
    /// What the answer says of protection.
    lines: Vec<Attribute>,
}

/// Chooses among an offer's streams: one that can be protected before one in clear.
fn take(offered: &Session, local: &LocalMedia) -> Result<Taken, SdpRefusal> {
    let mut refusal = SdpRefusal::NoAudio;
    let mut clear = None;
    for (at, media) in offered.medias.iter().enumerate() {
        let Some(profile) = read::live_audio(media) else { continue };
        if chosen(media, local).is_none() {
            if refusal == SdpRefusal::NoAudio {
                refusal = SdpRefusal::NoCodec;
            }
            continue;
        }
        match local.security.answer(offered, media, profile) {
            Ok((Protection::Clear, lines)) if clear.is_none() => {
                clear = Some(Taken { at, profile, protection: Protection::Clear, lines });
            }
            Ok((Protection::Clear, _)) => {}
            Ok((protection, lines)) => return Ok(Taken { at, profile, protection, lines }),
            Err(reason) => refusal = reason,
        }
    }
    clear.ok_or(refusal)
}

/// Reads the answer to the offer that [`super::offer`] made of `local`.
pub fn accept(local: &LocalMedia, answer: &[u8]) -> Result<Negotiated, SdpRefusal> {
    let answered = read::session(answer)?;
    let media = answered.medias.first().ok_or(SdpRefusal::NotOurOffer)?;
    if !media.media.eq_ignore_ascii_case("audio") {
        return Err(SdpRefusal::NotOurOffer);
    }
    let profile = read::live_audio(media).ok_or(SdpRefusal::NoAudio)?;
    let payloads = read::payloads(media);
    // What the answer lists first is what it wants to hear.
    let (codec, number) =
        codecs(&payloads).find(|(c, _)| local.codecs.contains(c)).ok_or(SdpRefusal::NoCodec)?;
    let protection = local.security.accept(&answered, media, profile)?;
    let dtmf = dtmf(&payloads, codec);
    let red = red(&payloads, number).filter(|_| local.redundancy);
    Numbers {
        codec,
        send: number,
        receive: codec.payload_type(),
        dtmf_send: dtmf,
        dtmf_receive: dtmf.map(|_| codec.dtmf_payload_type()),
        red_send: red,
        red_receive: red.and_then(|_| RED.iter().find(|(of, _)| *of == codec)).map(|(_, number)| *number),
    }
    .with(&answered, media, local, (profile, protection))
}

/// Those of our codecs that a description's live audio streams name, in its order; none if it can't be read.
pub fn codecs_of(sdp: &[u8]) -> Vec<Codec> {
    let Ok(session) = read::session(sdp) else { return Vec::new() };
    let mut named = Vec::new();
    for media in session.medias.iter().filter(|media| read::live_audio(media).is_some()) {
        for (codec, _) in codecs(&read::payloads(media)) {
            if !named.contains(&codec) {
                named.push(codec);
            }
        }
    }
    named
}

/// The codec of ours that we like best in an offered stream, its number and that of its telephone-event.
fn chosen(media: &Media, local: &LocalMedia) -> Option<(Codec, u8, Option<u8>)> {
    let payloads = read::payloads(media);
    let find = |codec: &Codec| codecs(&payloads).find(|(offered, _)| offered == codec);
    let (codec, number) = local.codecs.iter().find_map(find)?;
    Some((codec, number, dtmf(&payloads, codec)))
}

fn codecs(payloads: &[Payload]) -> impl Iterator<Item = (Codec, u8)> {
    payloads.iter().filter_map(|payload| match payload.kind {
        Kind::Codec(codec) => Some((codec, payload.number)),
        Kind::Dtmf(_) | Kind::Red(_) => None,
    })
}

/// telephone-event shares the codec's clock (RFC 4733 2.1).
fn dtmf(payloads: &[Payload], codec: Codec) -> Option<u8> {
    payloads.iter().find(|p| p.kind == Kind::Dtmf(codec.clock_hz())).map(|p| p.number)
}

/// The number under which the codec with that number is sent again (RFC 2198).
fn red(payloads: &[Payload], codec: u8) -> Option<u8> {
    payloads.iter().find(|p| p.kind == Kind::Red(codec)).map(|p| p.number)
}

/// The payload numbers that were agreed on.
struct Numbers {
    codec: Codec,
    send: u8,
    receive: u8,
    dtmf_send: Option<u8>,
    dtmf_receive: Option<u8>,
    red_send: Option<u8>,
    red_receive: Option<u8>,
}

impl Numbers {
    /// Together with what the other side's description says of its stream.
    fn with(
        self,
        theirs: &Session,
        media: &Media,
        local: &LocalMedia,
        (profile, protection): (Profile, Protection),
    ) -> Result<Negotiated, SdpRefusal> {
        let (remote, stated) = read::destination(theirs, media)?;
        let (rtcp_mux, rtcp_remote) = read::rtcp(media, remote);
        Ok(Negotiated {
            remote,
            codec: self.codec,
            payload_type: self.send,
            receive_payload_type: self.receive,
            dtmf_payload_type: self.dtmf_send,
            dtmf_receive_payload_type: self.dtmf_receive,
            red_payload_type: self.red_send,
            red_receive_payload_type: self.red_receive,
            direction: local.direction.both(stated.reversed()),
            ptime_ms: read::ptime_ms(media),
            opus: read::opus(media, self.send),
            profile,
            protection,
            rtcp_mux,
            rtcp_remote,
        })
    }
}
