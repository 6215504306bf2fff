//! Protection of a call's sound: what the account wants, what this call's signalling allows, and what the desk is told.

use super::phone::{Phone, SoundStep};
use crate::desk::{CallId, Event, MediaCover, Notice, Security, Severity, SignallingCover};
use crate::parking::{Moment, Text};
use crate::sip::message::Request;
use crate::sip::sdp::{
    self, Fingerprint, KeyExchange, LocalSecurity, Negotiated, Protection, SdesKeys, SdpRefusal, SecureMedia,
};
use crate::sip::{CallKey, Peer, Seed, Transport};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// What an account wants of its sound's protection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaSecurity {
    /// Whether it is encrypted.
    pub policy: SecureMedia,
    /// How keys are exchanged.
    pub exchange: KeyExchange,
    /// Our certificate for handshakes; `None`: there is no media engine, and no handshake.
    pub fingerprint: Option<Fingerprint>,
    /// Servers over TLS prove who they are. Where they needn't, nobody knows who reads along.
    pub certificates_checked: bool,
}

/// The generator of media keys: all bits of the seed, and nothing that tags or nonces are made of.
pub(super) fn key_source(seed: &Seed) -> StdRng {
    let mut bits = [0; 32];
    for (part, bytes) in bits.chunks_exact_mut(8).enumerate() {
        bytes.copy_from_slice(&seed.number(&format!("media keys {part}")).to_be_bytes());
    }
    StdRng::from_seed(bits)
}

impl Phone {
    /// The protection of a new call whose signalling goes to or comes from there.
    pub(super) fn security_with(&mut self, peer: Option<Peer>) -> LocalSecurity {
        let wanted = &self.config.security;
        let sealed = peer.is_some_and(|peer| peer.transport == Transport::Tls);
        let sdes = sealed && wanted.policy != SecureMedia::Off && wanted.exchange != KeyExchange::Dtls;
        LocalSecurity {
            policy: wanted.policy,
            exchange: wanted.exchange,
            sealed,
            keys: sdes.then(|| SdesKeys::new(&mut self.keys)),
            fingerprint: wanted.fingerprint,
            agreed: None,
        }
    }

    /// Turns a call away whose offer can't be agreed on, in words for both sides. True: it is gone.
    pub(super) fn unagreeable(&mut self, now: Moment, key: CallKey, from: Peer, request: &Request) -> bool {
        if request.body.is_empty() {
            return false;
        }
        let security = self.security_with(Some(from));
        let local = self.local_media(from, 0, security);
        let Err(refusal) = sdp::answer(&request.body, &local) else { return false };
        let warning = format!("399 {} \"{refusal}\"", self.config.account.aor.uri.host);
        self.ua.reject(now, key, refusal.status(), vec![("Warning".to_owned(), warning)]);
        if about_protection(&refusal) {
            let who = super::identity::caller(&request.headers, &self.config.account.identity);
            let text = format!("a call from {} was turned away: {refusal}", who.label());
            let notice = Notice { at: now, severity: Severity::Warning, text: Text::new(&text) };
            self.say(Event::Told(notice));
        }
        true
    }

    /// Offer and answer agree: the sound path and the desk are told.
    pub(super) fn configure(&mut self, call: CallId, negotiated: Negotiated) {
        let Some(leg) = self.legs.get_mut(&call) else { return };
        let before = leg.local.security.agreed.take();
        leg.local.security.settle(&negotiated);
        leg.takes_tone_events = negotiated.dtmf_payload_type.is_some();
        let changed = before.as_ref().map(|(_, protection)| protection) != Some(&negotiated.protection);
        let (peer, policy) = (leg.signalling, leg.local.security.policy);
        let signalling = match peer.map(|peer| peer.transport) {
            Some(Transport::Tls) if self.config.security.certificates_checked => SignallingCover::Encrypted,
            Some(Transport::Tls) => SignallingCover::Unproven,
            _ => SignallingCover::Clear,
        };
        if changed {
            let media = match negotiated.protection {
                Protection::Clear => MediaCover::Clear,
                Protection::Sdes { .. } => MediaCover::Encrypted,
                Protection::Dtls { .. } => MediaCover::Awaited,
            };
            let security = Security { wanted: policy != SecureMedia::Off, signalling, media };
            self.say(Event::CallSecured { call, security });
        }
        let signalling = peer.map(|peer| peer.ip());
        self.say_sound(SoundStep::Configure { call, negotiated, signalling });
    }
}

/// Whether a refusal is about protection: the operator should know, since the caller doesn't get through.
fn about_protection(refusal: &SdpRefusal) -> bool {
    use SdpRefusal as R;
    matches!(
        refusal,
        R::SecureOff | R::NotSecured | R::KeysInClear | R::NoKey(_) | R::NoFingerprint | R::OtherExchange
    )
}
