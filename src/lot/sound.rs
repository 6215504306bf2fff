//! The sound of the legs: ports from the pool, offers and answers, and what each leg is to hear, said in
//! `media::Command`s. What a leg hears follows from where it is; nothing else decides it.

use super::config::SecureMedia;
use super::prompts::{Prompt, Prompts};
use crate::media::{
    self, Command, Cue, FRAMES_MAX, Music, OpusTerms, Source, SrtpKey, SrtpSuite, StreamConfig, StreamId,
};
use crate::sip::sdp::{self, Codec, Direction, LocalMedia, LocalSecurity, Negotiated};
use crate::sip::{Peer, Transport};
use rand::rngs::StdRng;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// The streams of the lot are numbered from here, so that they can share a media engine with a console's.
pub const FIRST_STREAM: u64 = 1 << 32;
/// The most free ports that are remembered.
pub const MAX_FREE_PORTS: usize = 4_096;
/// What the lot speaks, in order of preference.
pub(super) const CODECS: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

/// What a leg hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hears {
    Silence,
    /// The music of that lot; `None`: of held calls.
    Music(Option<String>),
    Leg(StreamId),
    /// A phone that rings.
    Ringing,
    /// A recording, once.
    Prompt(Prompt),
}

/// One leg's stream.
#[derive(Debug)]
pub(super) struct LegSound {
    pub stream: StreamId,
    port: u16,
    session_id: u64,
    version: u64,
    /// What was last offered to the far end.
    offered: Vec<Codec>,
    /// What both sides settled.
    pub settled: Option<Negotiated>,
    hears: Hears,
    security: LocalSecurity,
    /// The host of its signalling.
    signalling: IpAddr,
}

impl LegSound {
    /// The codec in use.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.settled.as_ref().map(|settled| settled.codec)
    }

    /// Whether the far end has told us not to send: it holds us.
    pub(super) fn is_held(&self) -> bool {
        let may_send = |d: &Direction| matches!(d, Direction::SendRecv | Direction::SendOnly);
        self.settled.as_ref().is_some_and(|settled| !may_send(&settled.direction))
    }

    fn local(&self, address: IpAddr, codecs: &[Codec]) -> LocalMedia {
        LocalMedia {
            address,
            port: self.port,
            codecs: codecs.to_vec(),
            redundancy: false,
            direction: Direction::SendRecv,
            session_id: self.session_id,
            version: self.version,
            security: self.security.clone(),
        }
    }
}

/// The pool of ports and the commands that wait for the media engine.
pub(super) struct Sound {
    address: IpAddr,
    free: VecDeque<u16>,
    commands: VecDeque<Command>,
    next: u64,
    lot_music: BTreeMap<String, Music>,
    hold_music: Option<Music>,
    pub(super) prompts: Prompts,
    policy: SecureMedia,
    /// Our certificate's, for handshakes.
    fingerprint: Option<sdp::Fingerprint>,
    /// Where keys come from.
    keys: StdRng,
}

impl Sound {
    pub(super) fn new(address: IpAddr, policy: SecureMedia, keys: StdRng) -> Self {
        Self {
            address,
            free: VecDeque::new(),
            commands: VecDeque::new(),
            next: FIRST_STREAM,
            lot_music: BTreeMap::new(),
            hold_music: None,
            prompts: Prompts::default(),
            policy,
            fingerprint: None,
            keys,
        }
    }

    pub(super) fn set_policy(&mut self, policy: SecureMedia) {
        self.policy = policy;
    }

    pub(super) fn set_fingerprint(&mut self, fingerprint: [u8; 32]) {
        self.fingerprint = Some(sdp::Fingerprint(fingerprint));
    }

    /// How a leg is protected whose signalling goes there.
    fn security(&mut self, peer: Peer) -> LocalSecurity {
        let policy = match self.policy {
            SecureMedia::Off => return LocalSecurity::default(),
            SecureMedia::Optional => sdp::SecureMedia::Optional,
            SecureMedia::Required => sdp::SecureMedia::Required,
        };
        let sealed = peer.transport == Transport::Tls;
        let keys = sealed.then(|| sdp::SdesKeys::new(&mut self.keys));
        LocalSecurity { policy, sealed, keys, fingerprint: self.fingerprint, ..LocalSecurity::default() }
    }

    pub(super) fn poll(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    pub(super) fn add_ports(&mut self, ports: Vec<u16>) {
        let room = MAX_FREE_PORTS.saturating_sub(self.free.len());
        self.free.extend(ports.into_iter().take(room));
    }

    pub(super) fn set_music(&mut self, lot: Option<&str>, music: Music) {
        match lot {
            Some(lot) => {
                self.lot_music.insert(lot.to_owned(), music);
            }
            None => self.hold_music = Some(music),
        }
    }

    /// Takes a port for a new stream of a leg whose signalling goes to `peer`; `None` when the pool is empty.
    pub(super) fn open(&mut self, peer: Peer) -> Option<LegSound> {
        let port = self.free.pop_front()?;
        let stream = StreamId(self.next);
        self.next += 1;
        self.commands.push_back(Command::Open { stream, port });
        Some(LegSound {
            stream,
            port,
            session_id: stream.0,
            version: 1,
            offered: Vec::new(),
            settled: None,
            hears: Hears::Silence,
            security: self.security(peer),
            signalling: peer.ip(),
        })
    }

    /// Whether a stream can be opened.
    pub(super) fn has_port(&self) -> bool {
        !self.free.is_empty()
    }

    /// The same for a leg that the last process described to its far end under that session.
    pub(super) fn reopen(&mut self, peer: Peer, session_id: u64) -> Option<LegSound> {
        Some(LegSound { session_id, ..self.open(peer)? })
    }

    /// Our offer to the far end, those codecs in that order.
    pub(super) fn offer(&mut self, leg: &mut LegSound, codecs: Vec<Codec>) -> Vec<u8> {
        leg.version += 1;
        leg.offered = codecs;
        sdp::offer(&leg.local(self.address, &leg.offered))
    }

    /// An offer of what is agreed on already, but with fresh keys; `None` where none stand in descriptions.
    pub(super) fn offer_fresh_keys(&mut self, leg: &mut LegSound) -> Option<Vec<u8>> {
        let codec = leg.settled.as_ref()?.codec;
        leg.security.renew_keys(&mut self.keys).then(|| self.offer(leg, vec![codec]))
    }

    /// Our answer to the far end's offer, `preferred` before the others; the stream follows it.
    ///
    /// # Errors
    /// In words, when nothing in the offer can be used.
    pub(super) fn answer(
        &mut self,
        leg: &mut LegSound,
        offer: &[u8],
        preferred: Option<Codec>,
    ) -> Result<Vec<u8>, String> {
        leg.version += 1;
        let local = leg.local(self.address, &preferring(preferred, &CODECS));
        let (answer, settled) = sdp::answer(offer, &local).map_err(|refusal| refusal.to_string())?;
        self.settle(leg, settled);
        Ok(answer)
    }

    /// Takes the far end's answer to our offer; the stream follows it.
    ///
    /// # Errors
    /// In words, when the answer can't be used.
    pub(super) fn accept(&mut self, leg: &mut LegSound, answer: &[u8]) -> Result<(), String> {
        let codecs = if leg.offered.is_empty() { CODECS.to_vec() } else { leg.offered.clone() };
        let settled =
            sdp::accept(&leg.local(self.address, &codecs), answer).map_err(|refusal| refusal.to_string())?;
        self.settle(leg, settled);
        Ok(())
    }

    fn settle(&mut self, leg: &mut LegSound, settled: Negotiated) {
        leg.security.settle(&settled);
        // Keys of another length than their suite's can't come from what was read; without them nothing is sent.
        let Some(protection) = protection(&settled) else { return };
        self.commands.push_back(Command::Protect { stream: leg.stream, protection });
        let config = StreamConfig { signalling: Some(leg.signalling), ..stream_config(&settled) };
        self.commands.push_back(Command::Configure { stream: leg.stream, config });
        leg.settled = Some(settled);
    }

    /// Lets a leg hear something; says nothing when it hears that already, so that music doesn't start afresh.
    pub(super) fn send(&mut self, leg: &mut LegSound, hears: Hears) {
        if leg.hears == hears {
            return;
        }
        let source = match &hears {
            Hears::Silence => Source::Silence,
            Hears::Leg(stream) => Source::Bridge(*stream),
            Hears::Ringing => Source::Cue(Cue::RingBack),
            Hears::Prompt(prompt) => self.prompts.clip(prompt).map_or(Source::Silence, Source::Prompt),
            Hears::Music(lot) => {
                let own = lot.as_ref().and_then(|lot| self.lot_music.get(lot));
                let music = own.or(self.hold_music.as_ref()).or(self.lot_music.values().next());
                music.cloned().map_or(Source::Silence, Source::Music)
            }
        };
        self.commands.push_back(Command::Send { stream: leg.stream, source });
        leg.hears = hears;
    }

    /// Passes on a key that the far end of the other leg pressed.
    pub(super) fn press(&mut self, leg: &LegSound, digit: char) {
        self.commands.push_back(Command::Digit { stream: leg.stream, digit });
    }

    /// Records what a leg hears and says from now on; `label` is for the file's name.
    pub(super) fn record(&mut self, leg: &LegSound, label: String) {
        self.commands.push_back(Command::Record { stream: leg.stream, label });
    }

    /// Ends that.
    pub(super) fn stop_recording(&mut self, leg: &LegSound) {
        self.commands.push_back(Command::StopRecording { stream: leg.stream });
    }

    /// Ends a stream; its port is bound anew by the engine and reported again.
    pub(super) fn close(&mut self, leg: LegSound) {
        self.commands.push_back(Command::Close { stream: leg.stream });
    }
}

/// `first` before the others.
pub(super) fn preferring(first: Option<Codec>, codecs: &[Codec]) -> Vec<Codec> {
    let others = codecs.iter().copied().filter(|codec| Some(*codec) != first);
    first.into_iter().chain(others).collect()
}

fn protection(settled: &Negotiated) -> Option<media::Protection> {
    let key = |key: &sdp::MediaKey| {
        let suite = match key.suite() {
            sdp::Suite::AeadAes256Gcm => SrtpSuite::AeadAes256Gcm,
            sdp::Suite::AeadAes128Gcm => SrtpSuite::AeadAes128Gcm,
            sdp::Suite::AesCm128HmacSha1_80 => SrtpSuite::AesCm128HmacSha1_80,
            sdp::Suite::AesCm128HmacSha1_32 => SrtpSuite::AesCm128HmacSha1_32,
        };
        let made = SrtpKey::new(suite, key.expose())?.lasting(key.lifetime());
        match key.name() {
            Some(name) => made.named(name.value, name.length),
            None => Some(made),
        }
    };
    Some(match &settled.protection {
        sdp::Protection::Clear => media::Protection::Clear,
        sdp::Protection::Sdes { send, receive } => media::Protection::Srtp {
            send: key(send)?,
            receive: receive.iter().map(key).collect::<Option<_>>()?,
        },
        sdp::Protection::Dtls { role, fingerprint } => media::Protection::Dtls {
            role: match role {
                sdp::DtlsRole::Active => media::DtlsRole::Active,
                sdp::DtlsRole::Passive => media::DtlsRole::Passive,
            },
            fingerprint: fingerprint.0,
        },
    })
}

fn stream_config(settled: &Negotiated) -> StreamConfig {
    let codec = match settled.codec {
        Codec::Opus => media::Codec::Opus,
        Codec::G722 => media::Codec::G722,
        Codec::Pcmu => media::Codec::Pcmu,
        Codec::Pcma => media::Codec::Pcma,
    };
    StreamConfig {
        remote: settled.remote,
        codec,
        payload_type: settled.payload_type,
        receive_payload_type: settled.receive_payload_type,
        dtmf_payload_type: settled.dtmf_payload_type,
        dtmf_receive_payload_type: settled.dtmf_receive_payload_type,
        send: matches!(settled.direction, Direction::SendRecv | Direction::SendOnly),
        receive: matches!(settled.direction, Direction::SendRecv | Direction::RecvOnly),
        opus: opus(&settled.opus),
        frames: (settled.ptime_ms / 20).clamp(1, u16::from(FRAMES_MAX)) as u8,
        // What is passed on is passed on as it is: nothing is sent twice here.
        red_payload_type: None,
        red_receive_payload_type: None,
        signalling: None,
        rtcp_mux: settled.rtcp_mux,
        rtcp_remote: settled.rtcp_remote,
    }
}

/// The same in the words of the media threads.
fn opus(terms: &sdp::OpusTerms) -> OpusTerms {
    let sdp::OpusTerms { fec, deep, dtx, cbr, bitrate_max, playback_hz } = *terms;
    OpusTerms { fec, deep, dtx, cbr, bitrate_max, playback_hz }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn sound(policy: SecureMedia, seed: u64) -> Sound {
        let mut sound = Sound::new([10, 0, 0, 1].into(), policy, StdRng::seed_from_u64(seed));
        sound.set_fingerprint([seed as u8; 32]);
        sound.add_ports(vec![20_000, 20_002, 20_004, 20_006]);
        sound
    }

    fn peer(transport: Transport) -> Peer {
        Peer::new(transport, "10.0.0.9:5061".parse().unwrap())
    }

    #[test]
    fn each_leg_is_protected_as_its_own_signalling_allows() {
        for (transport, profile, ours) in [
            (Transport::Tls, "RTP/SAVP ", "a=crypto:"),
            (Transport::Udp, "UDP/TLS/RTP/SAVP ", "a=fingerprint:"),
        ] {
            let (mut lot, mut phone) = (sound(SecureMedia::Required, 1), sound(SecureMedia::Optional, 2));
            let mut leg = lot.open(peer(transport)).unwrap();
            let mut other = phone.open(peer(transport)).unwrap();
            let offer = lot.offer(&mut leg, CODECS.to_vec());
            let text = String::from_utf8(offer.clone()).unwrap();
            assert!(text.contains(profile) && text.contains(ours), "{text}");
            let answer = phone.answer(&mut other, &offer, None).unwrap();
            lot.accept(&mut leg, &answer).unwrap();
            let commands: Vec<Command> = std::iter::from_fn(|| lot.poll()).collect();
            let protected = commands.iter().position(
                |c| matches!(c, Command::Protect { protection, .. } if *protection != media::Protection::Clear),
            );
            let configured = commands.iter().position(|c| {
                matches!(c, Command::Configure { config, .. } if config.signalling == Some([10, 0, 0, 9].into()))
            });
            assert!(protected.unwrap() < configured.unwrap(), "{commands:?}");
        }
    }

    /// The lot with a leg whose keys in descriptions are agreed on with a phone, and that phone's side of it.
    fn keys_agreed() -> (Sound, LegSound, Sound, LegSound) {
        let (mut lot, mut phone) = (sound(SecureMedia::Required, 1), sound(SecureMedia::Required, 2));
        let mut leg = lot.open(peer(Transport::Tls)).unwrap();
        let mut other = phone.open(peer(Transport::Tls)).unwrap();
        let offer = lot.offer(&mut leg, CODECS.to_vec());
        let answer = phone.answer(&mut other, &offer, None).unwrap();
        lot.accept(&mut leg, &answer).unwrap();
        (lot, leg, phone, other)
    }

    /// The keys that stand in a description.
    fn keys_in(description: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(description);
        let inline = text.lines().filter(|line| line.starts_with("a=crypto:"));
        inline.filter_map(|line| line.split("inline:").nth(1).map(str::to_owned)).collect()
    }

    #[test]
    fn fresh_keys_are_offered_with_what_is_agreed_on_and_used_once_they_are_answered() {
        let (mut lot, mut leg, mut phone, mut other) = keys_agreed();
        let first = lot.offer(&mut leg, CODECS.to_vec());
        while lot.poll().is_some() {}
        let codec = leg.codec().unwrap();
        let offer = lot.offer_fresh_keys(&mut leg).expect("keys stand in its descriptions");
        let (old, fresh) = (keys_in(&first), keys_in(&offer));
        assert!(!fresh.is_empty() && fresh.iter().all(|key| !old.contains(key)), "{old:?} {fresh:?}");
        assert_eq!(sdp::codecs_of(&offer), [codec], "nothing but the keys is new");
        assert!(lot.poll().is_none(), "the old ones are in use until the answer");
        let answer = phone.answer(&mut other, &offer, None).unwrap();
        lot.accept(&mut leg, &answer).unwrap();
        let commands: Vec<Command> = std::iter::from_fn(|| lot.poll()).collect();
        assert!(commands.iter().any(|command| matches!(command, Command::Protect { .. })), "{commands:?}");
        // A handshake makes its own keys, and in clear there are none.
        for (transport, policy) in
            [(Transport::Udp, SecureMedia::Required), (Transport::Tls, SecureMedia::Off)]
        {
            let (mut lot, mut phone) = (sound(policy, 1), sound(policy, 2));
            let mut leg = lot.open(peer(transport)).unwrap();
            let mut other = phone.open(peer(transport)).unwrap();
            let offer = lot.offer(&mut leg, CODECS.to_vec());
            assert!(lot.offer_fresh_keys(&mut leg).is_none(), "nothing is agreed on yet");
            let answer = phone.answer(&mut other, &offer, None).unwrap();
            lot.accept(&mut leg, &answer).unwrap();
            assert!(lot.offer_fresh_keys(&mut leg).is_none(), "{transport:?} {policy:?}");
        }
    }

    #[test]
    fn no_two_legs_share_a_key_and_what_is_required_is_not_given_up() {
        let mut lot = sound(SecureMedia::Required, 1);
        let mut legs: Vec<LegSound> = (0..3).map(|_| lot.open(peer(Transport::Tls)).unwrap()).collect();
        assert_ne!(legs[0].security.keys, legs[1].security.keys);
        let mut plain = sound(SecureMedia::Off, 2);
        let mut other = plain.open(peer(Transport::Tls)).unwrap();
        let offer = plain.offer(&mut other, CODECS.to_vec());
        assert!(lot.answer(&mut legs[2], &offer, None).unwrap_err().contains("encrypted"));
    }
}
