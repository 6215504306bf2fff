//! How the sound is to be protected: the policy, the keys and fingerprints that descriptions carry (RFC 4568, RFC 5763),
//! and what of it an offer and an answer agree on. No key is used here; none can be printed.

use super::crypto::{self, MediaKey, Suite};
use super::read::{self, SdpRefusal};
use rand::CryptoRng;
use sdp_types::{Attribute, Media, Session};
use std::fmt;

/// The most `a=crypto` or `a=fingerprint` lines read from one stream.
const MAX_LINES: usize = 32;

/// What an account wants of its sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SecureMedia {
    /// In clear; who insists on protection is refused.
    #[default]
    Off,
    /// Protected where the other side can, else in clear.
    Optional,
    /// Protected, or no call.
    Required,
}

/// How keys are exchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyExchange {
    /// What is offered to us; ours is SDES where the signalling is encrypted, DTLS elsewhere.
    #[default]
    Auto,
    /// In the description itself (RFC 4568); only where the signalling is encrypted.
    Sdes,
    /// By a handshake on the media path (RFC 5763).
    Dtls,
}

/// Who begins a DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// We do: the client.
    Active,
    /// They do: we are the server.
    Passive,
}

/// The SHA-256 hash of a certificate (RFC 8122).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads `sha-256 AB:CD:…`; `None` for another hash or anything else.
    pub fn parse(value: &str) -> Option<Self> {
        let (hash, hex) = value.trim().split_once(char::is_whitespace)?;
        if !hash.eq_ignore_ascii_case("sha-256") {
            return None;
        }
        let mut bytes = [0; 32];
        let mut pairs = hex.trim().split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        pairs.next().is_none().then_some(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha-256 ")?;
        for (at, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if at > 0 { ":" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// How the sound of a call is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Not at all.
    Clear,
    /// With the keys of the descriptions.
    Sdes {
        /// For what we send.
        send: MediaKey,
        /// For what they send: one, or those that their packets name.
        receive: Vec<MediaKey>,
    },
    /// With keys of a handshake that is still to come.
    Dtls {
        /// Who begins it.
        role: DtlsRole,
        /// The certificate that they must show.
        fingerprint: Fingerprint,
    },
}

/// The transport of an `m=` line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `RTP/AVP`.
    #[default]
    Avp,
    /// `RTP/AVPF`.
    Avpf,
    /// `RTP/SAVP`.
    Savp,
    /// `RTP/SAVPF`.
    Savpf,
    /// `UDP/TLS/RTP/SAVP`.
    TlsSavp,
    /// `UDP/TLS/RTP/SAVPF`.
    TlsSavpf,
}

impl Profile {
    const ALL: [Self; 6] = [Self::Avp, Self::Avpf, Self::Savp, Self::Savpf, Self::TlsSavp, Self::TlsSavpf];

    pub(super) fn parse(proto: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name().eq_ignore_ascii_case(proto))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Avp => "RTP/AVP",
            Self::Avpf => "RTP/AVPF",
            Self::Savp => "RTP/SAVP",
            Self::Savpf => "RTP/SAVPF",
            Self::TlsSavp => "UDP/TLS/RTP/SAVP",
            Self::TlsSavpf => "UDP/TLS/RTP/SAVPF",
        }
    }

    /// Whether sound in clear would break it.
    pub fn must_protect(self) -> bool {
        !matches!(self, Self::Avp | Self::Avpf)
    }
}

/// The keys that we offer in one call, one for each suite. The same in every offer of the call: keys change only when
/// the suite does, or where they come near the end of their lifetime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdesKeys(Vec<MediaKey>);

impl SdesKeys {
    /// Fresh keys. `random` must not be guessable.
    pub fn new(random: &mut impl CryptoRng) -> Self {
        Self(Suite::ALL.into_iter().map(|suite| MediaKey::random(suite, random)).collect())
    }

    fn of(&self, suite: Suite) -> Option<&MediaKey> {
        self.0.iter().find(|key| key.suite() == suite)
    }

    /// Says of a key what was agreed on, so that the next offer says the same.
    fn settle(&mut self, agreed: &MediaKey) {
        if let Some(key) = self.0.iter_mut().find(|key| key.expose() == agreed.expose()) {
            *key = agreed.clone();
        }
    }
}

/// Our side's protection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalSecurity {
    /// What is wanted.
    pub policy: SecureMedia,
    /// How.
    pub exchange: KeyExchange,
    /// The signalling of this call is encrypted: only then keys are written into it, or taken from it.
    pub sealed: bool,
    /// Keys for SDES.
    pub keys: Option<SdesKeys>,
    /// Our certificate's, for DTLS.
    pub fingerprint: Option<Fingerprint>,
    /// What an earlier offer and answer of this call agreed on.
    pub agreed: Option<(Profile, Protection)>,
}

/// What our offer says of protection.
pub(super) enum Offering {
    Clear,
    Sdes,
    Dtls,
}

impl LocalSecurity {
    /// Keeps what was agreed on, so that the next offer of this call says the same.
    pub fn settle(&mut self, negotiated: &super::Negotiated) {
        self.agreed = Some((negotiated.profile, negotiated.protection.clone()));
        if let (Some(keys), Protection::Sdes { send, .. }) = (&mut self.keys, &negotiated.protection) {
            keys.settle(send);
        }
    }

    /// Makes fresh keys for the offers of this call from now on; those in use stay in use until one is answered. False
    /// where no keys stand in its descriptions.
    pub fn renew_keys(&mut self, random: &mut impl CryptoRng) -> bool {
        let Some((_, Protection::Sdes { send, .. })) = &self.agreed else { return false };
        let mut fresh = SdesKeys::new(random);
        if let Some(key) = fresh.0.iter_mut().find(|key| key.suite() == send.suite()) {
            *key = key.named_after(send);
        }
        self.keys.replace(fresh).is_some()
    }

    fn may_sdes(&self) -> Result<&SdesKeys, SdpRefusal> {
        if self.exchange == KeyExchange::Dtls {
            return Err(SdpRefusal::OtherExchange);
        }
        if !self.sealed {
            return Err(SdpRefusal::KeysInClear);
        }
        self.keys.as_ref().ok_or(SdpRefusal::OtherExchange)
    }

    fn may_dtls(&self) -> Result<Fingerprint, SdpRefusal> {
        match (self.exchange, self.fingerprint) {
            (KeyExchange::Sdes, _) | (_, None) => Err(SdpRefusal::OtherExchange),
            (_, Some(fingerprint)) => Ok(fingerprint),
        }
    }

    /// Whether an offer of ours can say what the policy wants.
    ///
    /// # Errors
    /// When protection is required and no way to exchange keys is left.
    pub fn offerable(&self) -> Result<(), SdpRefusal> {
        match (self.policy, self.may_sdes(), self.may_dtls()) {
            (SecureMedia::Required, Err(refusal), Err(_)) => Err(refusal),
            _ => Ok(()),
        }
    }

    /// What our next offer says, and in which profile.
    pub(super) fn offering(&self) -> (Profile, Offering) {
        match &self.agreed {
            Some((profile, Protection::Clear)) => return (*profile, Offering::Clear),
            Some((profile, Protection::Sdes { .. })) if self.may_sdes().is_ok() => {
                return (*profile, Offering::Sdes);
            }
            Some((profile, Protection::Dtls { .. })) => return (*profile, Offering::Dtls),
            _ => {}
        }
        let strict = self.policy == SecureMedia::Required;
        match (self.policy, self.may_sdes(), self.may_dtls()) {
            (SecureMedia::Off, ..) => (Profile::Avp, Offering::Clear),
            // Opportunistic (RFC 8643): an attribute that nobody need understand. Servers with encryption switched off
            // take it as an ordinary offer, which they don't do with RTP/SAVP.
            (_, Ok(_), _) => (if strict { Profile::Savp } else { Profile::Avp }, Offering::Sdes),
            (_, _, Ok(_)) => (if strict { Profile::TlsSavp } else { Profile::Avp }, Offering::Dtls),
            // Nobody can answer this: better than sound in clear.
            _ => (if strict { Profile::Savp } else { Profile::Avp }, Offering::Clear),
        }
    }

    /// The role that this call's handshake has given us, if there was one.
    fn role(&self) -> Option<DtlsRole> {
        match self.agreed {
            Some((_, Protection::Dtls { role, .. })) => Some(role),
            _ => None,
        }
    }

    /// The attributes of our offer.
    pub(super) fn offered_lines(&self) -> Vec<Attribute> {
        match (self.offering().1, &self.keys, self.fingerprint) {
            (Offering::Sdes, Some(keys), _) => {
                let numbered = keys.0.iter().enumerate();
                numbered.map(|(at, key)| crypto::line(at as u32 + 1, key)).collect()
            }
            (Offering::Dtls, _, Some(fingerprint)) => {
                // Later offers say what is, so that no second handshake begins (RFC 8842 5.5).
                let setup = match self.role() {
                    None => "actpass",
                    Some(role) => setup_name(role),
                };
                dtls_lines(fingerprint, setup)
            }
            _ => Vec::new(),
        }
    }

    /// What we make of an offered stream, and the attributes of our answer.
    pub(super) fn answer(
        &self,
        session: &Session,
        media: &Media,
        profile: Profile,
    ) -> Result<(Protection, Vec<Attribute>), SdpRefusal> {
        if self.policy == SecureMedia::Off {
            let refused = profile.must_protect();
            return if refused { Err(SdpRefusal::SecureOff) } else { Ok((Protection::Clear, Vec::new())) };
        }
        let theirs = Theirs::read(session, media);
        let by_tls = matches!(profile, Profile::TlsSavp | Profile::TlsSavpf);
        let sdes = (theirs.crypto.is_some() && !by_tls).then(|| self.answer_sdes(&theirs));
        let dtls = theirs.dtls.is_some().then(|| self.answer_dtls(&theirs));
        let mut refusal = None;
        for attempt in [sdes, dtls].into_iter().flatten() {
            match attempt {
                Ok(agreed) => return Ok(agreed),
                Err(reason) => refusal = refusal.or(Some(reason)),
            }
        }
        let clear_will_do = self.policy == SecureMedia::Optional && !profile.must_protect();
        if clear_will_do {
            Ok((Protection::Clear, Vec::new()))
        } else {
            Err(refusal.unwrap_or(SdpRefusal::NotSecured))
        }
    }

    fn answer_sdes(&self, theirs: &Theirs) -> Result<(Protection, Vec<Attribute>), SdpRefusal> {
        let ours = self.may_sdes()?;
        let offered = theirs.crypto.as_ref().ok_or(SdpRefusal::NotSecured)?;
        // The first that we can use: the order is theirs (RFC 4568 5.1.2).
        let mut reason = None;
        for line in offered {
            match line {
                Ok((tag, receive)) => {
                    let first = receive.first().ok_or(SdpRefusal::OtherExchange)?;
                    let send = ours.of(first.suite()).ok_or(SdpRefusal::OtherExchange)?.named_like(first);
                    let line = crypto::line(*tag, &send);
                    return Ok((Protection::Sdes { send, receive: receive.clone() }, vec![line]));
                }
                Err(why) => reason = reason.or(Some(*why)),
            }
        }
        Err(SdpRefusal::NoKey(reason.unwrap_or("none is there")))
    }

    fn answer_dtls(&self, theirs: &Theirs) -> Result<(Protection, Vec<Attribute>), SdpRefusal> {
        let ours = self.may_dtls()?;
        let (fingerprint, setup) = theirs.dtls.as_ref().ok_or(SdpRefusal::NotSecured)?;
        let fingerprint = fingerprint.ok_or(SdpRefusal::NoFingerprint)?;
        let role = match setup.as_deref() {
            // The answerer begins (RFC 5763 5), unless the roles are given already.
            Some("actpass") => self.role().unwrap_or(DtlsRole::Active),
            Some("passive") => DtlsRole::Active,
            Some("active") | None => DtlsRole::Passive,
            Some(_) => return Err(SdpRefusal::NoFingerprint),
        };
        Ok((Protection::Dtls { role, fingerprint }, dtls_lines(ours, setup_name(role))))
    }

    /// What an answer to our offer agrees to.
    pub(super) fn accept(
        &self,
        session: &Session,
        media: &Media,
        profile: Profile,
    ) -> Result<Protection, SdpRefusal> {
        let (ours, offering) = self.offering();
        let theirs = Theirs::read(session, media);
        let agreed = match offering {
            Offering::Sdes if theirs.crypto.is_some() => Some(self.accept_sdes(&theirs)?),
            Offering::Dtls if theirs.dtls.is_some() => Some(self.accept_dtls(&theirs)?),
            _ => None,
        };
        match agreed {
            Some(protection) => Ok(protection),
            None if profile.must_protect() || ours.must_protect() => Err(SdpRefusal::NotSecured),
            None if self.policy == SecureMedia::Required => Err(SdpRefusal::NotSecured),
            None => Ok(Protection::Clear),
        }
    }

    fn accept_sdes(&self, theirs: &Theirs) -> Result<Protection, SdpRefusal> {
        let ours = self.may_sdes()?;
        match theirs.crypto.as_ref().and_then(|lines| lines.first()) {
            Some(Ok((tag, receive))) => {
                // The tag names the line of our offer, and with it the suite.
                let send = usize::try_from(*tag).ok().and_then(|tag| ours.0.get(tag.checked_sub(1)?));
                let send = send.filter(|key| receive.iter().all(|theirs| theirs.suite() == key.suite()));
                let send = send.ok_or(SdpRefusal::NotOurOffer)?;
                Ok(Protection::Sdes { send: send.clone(), receive: receive.clone() })
            }
            Some(Err(why)) => Err(SdpRefusal::NoKey(why)),
            None => Err(SdpRefusal::NotSecured),
        }
    }

    fn accept_dtls(&self, theirs: &Theirs) -> Result<Protection, SdpRefusal> {
        let (fingerprint, setup) = theirs.dtls.as_ref().ok_or(SdpRefusal::NotSecured)?;
        let fingerprint = fingerprint.ok_or(SdpRefusal::NoFingerprint)?;
        let role = match (setup.as_deref(), self.role()) {
            (Some("passive"), None | Some(DtlsRole::Active)) => DtlsRole::Active,
            // Nothing said is active (RFC 4145 4).
            (Some("active") | None, None | Some(DtlsRole::Passive)) => DtlsRole::Passive,
            _ => return Err(SdpRefusal::NotOurOffer),
        };
        Ok(Protection::Dtls { role, fingerprint })
    }
}

fn setup_name(role: DtlsRole) -> &'static str {
    match role {
        DtlsRole::Active => "active",
        DtlsRole::Passive => "passive",
    }
}

fn dtls_lines(fingerprint: Fingerprint, setup: &str) -> Vec<Attribute> {
    vec![
        Attribute::with_value("fingerprint", fingerprint.to_string()),
        Attribute::with_value("setup", setup.to_owned()),
    ]
}

/// A line's tag and keys, or why it can't be used.
type CryptoLine = Result<(u32, Vec<MediaKey>), &'static str>;

/// What a description says of protecting one stream.
struct Theirs {
    /// `None`: no line at all.
    crypto: Option<Vec<CryptoLine>>,
    /// The sha-256 fingerprint, if any line has one, and `a=setup`.
    dtls: Option<(Option<Fingerprint>, Option<String>)>,
}

impl Theirs {
    fn read(session: &Session, media: &Media) -> Self {
        let crypto: Vec<CryptoLine> =
            read::values(&media.attributes, "crypto").take(MAX_LINES).map(crypto::read).collect();
        let either = |name: &'static str| {
            let mut own = read::values(&media.attributes, name).peekable();
            let all = if own.peek().is_some() { &media.attributes } else { &session.attributes };
            read::values(all, name).take(MAX_LINES)
        };
        let mut fingerprints = either("fingerprint").peekable();
        let dtls = fingerprints.peek().is_some().then(|| {
            let setup = either("setup").next().map(|setup| setup.trim().to_ascii_lowercase());
            (fingerprints.find_map(Fingerprint::parse), setup)
        });
        Self { crypto: (!crypto.is_empty()).then_some(crypto), dtls }
    }
}
