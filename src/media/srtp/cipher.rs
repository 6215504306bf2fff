//! Encryption and authentication of one kind of packet in one direction, in place and without allocation: AES in counter
//! mode with HMAC-SHA1 (RFC 3711 4.1.1, 4.2) and AES-GCM (RFC 7714).

use super::SrtpSuite;
use super::key::{Label, Mki, SrtpKey, keystream};
use aes::Aes128;
use aes::cipher::KeyInit;
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Length of AES-GCM's tag (RFC 7714 13.2: the only one for SRTP).
const GCM_TAG: usize = 16;
/// The tag of SRTCP with HMAC-SHA1, also with the short one for SRTP (RFC 4568 6.2).
const RTCP_TAG: usize = 10;
/// The word behind an SRTCP packet: encrypted or not, and its index.
const TRAILER: usize = 4;
/// The flag in it.
const ENCRYPTED: u32 = 1 << 31;
/// What stays readable of an RTCP packet.
const RTCP_HEADER: usize = 8;

enum Kind {
    Counter { aes: Aes128, mac: Hmac<Sha1>, tag: usize },
    Gcm128(Aes128Gcm),
    Gcm256(Aes256Gcm),
}

/// The session keys of RTP or of RTCP.
pub(super) struct Cipher {
    kind: Kind,
    salt: Zeroizing<[u8; 14]>,
    /// What each packet names its key by: before the tag of HMAC-SHA1 (RFC 3711 3.1), behind that of AES-GCM (RFC 7714 8).
    mki: Mki,
}

impl Cipher {
    /// `None` can't come from a key of the right length.
    pub(super) fn new(key: &SrtpKey, rtcp: bool) -> Option<Self> {
        let mut salt = Zeroizing::new([0; 14]);
        key.derive(Label::Salt, rtcp, salt.get_mut(..key.suite().salt_length())?);
        let mut session = Zeroizing::new([0; 32]);
        let session = session.get_mut(..key.suite().key_length())?;
        key.derive(Label::Encryption, rtcp, session);
        let counter = |tag| {
            let mut authentication = Zeroizing::new([0; 20]);
            key.derive(Label::Authentication, rtcp, authentication.as_mut_slice());
            let aes = Aes128::new_from_slice(session).ok()?;
            let mac = <Hmac<Sha1> as KeyInit>::new_from_slice(authentication.as_slice()).ok()?;
            Some(Kind::Counter { aes, mac, tag: if rtcp { RTCP_TAG } else { tag } })
        };
        let kind = match key.suite() {
            SrtpSuite::AesCm128HmacSha1_80 => counter(10)?,
            SrtpSuite::AesCm128HmacSha1_32 => counter(4)?,
            SrtpSuite::AeadAes128Gcm => Kind::Gcm128(Aes128Gcm::new_from_slice(session).ok()?),
            SrtpSuite::AeadAes256Gcm => Kind::Gcm256(Aes256Gcm::new_from_slice(session).ok()?),
        };
        Some(Self { kind, salt, mki: key.mki() })
    }

    /// With session keys as RFC 7714's examples name them.
    #[cfg(test)]
    pub(super) fn with_session_keys(suite: SrtpSuite, session: &[u8], salt: &[u8]) -> Self {
        let kind = match suite {
            SrtpSuite::AeadAes128Gcm => Kind::Gcm128(Aes128Gcm::new_from_slice(session).unwrap()),
            _ => Kind::Gcm256(Aes256Gcm::new_from_slice(session).unwrap()),
        };
        let mut padded = Zeroizing::new([0; 14]);
        padded[..salt.len()].copy_from_slice(salt);
        Self { kind, salt: padded, mki: Mki::default() }
    }

    /// Protects the RTP packet of `length` bytes at the beginning of `buffer`, whose header has `header`; returns its new
    /// length, or `None` where there is no room for the tag.
    pub(super) fn seal_rtp(
        &self,
        buffer: &mut [u8],
        header: usize,
        length: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        match &self.kind {
            Kind::Counter { aes, mac, tag } => {
                let named = length + self.mki.length();
                let packet = buffer.get_mut(..named + tag)?;
                keystream(aes, self.counter(ssrc, index), packet.get_mut(header..length)?);
                let made = authenticate(mac, packet.get(..length)?, &rollover(index));
                packet.get_mut(length..named)?.copy_from_slice(self.mki.bytes());
                packet.get_mut(named..)?.copy_from_slice(made.get(..*tag)?);
                Some(named + tag)
            }
            gcm => {
                let end = length + GCM_TAG;
                buffer.get_mut(end..end + self.mki.length())?.copy_from_slice(self.mki.bytes());
                let (clear, rest) = buffer.get_mut(..end)?.split_at_mut_checked(header)?;
                let (body, tag) = rest.split_at_mut_checked(length - header)?;
                tag.copy_from_slice(&gcm_seal(gcm, &self.rtp_nonce(ssrc, index), clear, body)?);
                Some(end + self.mki.length())
            }
        }
    }

    /// Checks and opens an RTP packet; returns its length without the tag. Nothing is changed when it is not genuine.
    pub(super) fn open_rtp(&self, packet: &mut [u8], header: usize, ssrc: u32, index: u64) -> Option<usize> {
        match &self.kind {
            Kind::Counter { aes, mac, tag } => {
                let length =
                    packet.len().checked_sub(tag + self.mki.length()).filter(|length| *length >= header)?;
                let (message, given) = packet.split_at_mut_checked(length)?;
                let made = authenticate(mac, message, &rollover(index));
                if !bool::from(made.get(..*tag)?.ct_eq(given.get(self.mki.length()..)?)) {
                    return None;
                }
                keystream(aes, self.counter(ssrc, index), message.get_mut(header..)?);
                Some(length)
            }
            gcm => {
                let length = packet.len().checked_sub(GCM_TAG + self.mki.length())?;
                let packet = packet.get_mut(..length + GCM_TAG).filter(|_| length >= header)?;
                let (clear, rest) = packet.split_at_mut_checked(header)?;
                let (body, tag) = rest.split_at_mut_checked(length - header)?;
                gcm_open(gcm, &self.rtp_nonce(ssrc, index), clear, body, tag)?;
                Some(length)
            }
        }
    }

    /// Protects the RTCP packet of `length` bytes at the beginning of `buffer`.
    pub(super) fn seal_rtcp(&self, buffer: &mut [u8], length: usize, ssrc: u32, index: u32) -> Option<usize> {
        let trailer = (index | ENCRYPTED).to_be_bytes();
        match &self.kind {
            Kind::Counter { aes, mac, tag } => {
                let indexed = length + TRAILER;
                let named = indexed + self.mki.length();
                let packet = buffer.get_mut(..named + tag)?;
                keystream(aes, self.counter(ssrc, index.into()), packet.get_mut(RTCP_HEADER..length)?);
                packet.get_mut(length..indexed)?.copy_from_slice(&trailer);
                let made = authenticate(mac, packet.get(..indexed)?, &[]);
                packet.get_mut(indexed..named)?.copy_from_slice(self.mki.bytes());
                packet.get_mut(named..)?.copy_from_slice(made.get(..*tag)?);
                Some(named + tag)
            }
            gcm => {
                let sealed = length + GCM_TAG + TRAILER;
                buffer.get_mut(sealed..sealed + self.mki.length())?.copy_from_slice(self.mki.bytes());
                let (clear, rest) = buffer.get_mut(..sealed)?.split_at_mut_checked(RTCP_HEADER)?;
                let (body, rest) = rest.split_at_mut_checked(length - RTCP_HEADER)?;
                let (tag, end) = rest.split_at_mut_checked(GCM_TAG)?;
                end.copy_from_slice(&trailer);
                let known = known_of(clear, trailer)?;
                tag.copy_from_slice(&gcm_seal(gcm, &self.rtcp_nonce(ssrc, index), &known, body)?);
                Some(sealed + self.mki.length())
            }
        }
    }

    /// Whether a packet names this key; any packet does where none is to be named.
    pub(super) fn is_named_by(&self, packet: &[u8]) -> bool {
        let end = packet.len().checked_sub(self.tag_behind());
        let name = end.and_then(|end| packet.get(end.checked_sub(self.mki.length())?..end));
        name == Some(self.mki.bytes())
    }

    /// What stands behind the name of the key.
    fn tag_behind(&self) -> usize {
        match &self.kind {
            Kind::Counter { tag, .. } => *tag,
            Kind::Gcm128(_) | Kind::Gcm256(_) => 0,
        }
    }

    /// The index that an SRTCP packet claims; `None` for one that isn't encrypted or is too short (RFC 3711 3.4).
    pub(super) fn rtcp_index(&self, packet: &[u8]) -> Option<u32> {
        let trailer = packet.len().checked_sub(self.tag_behind() + self.mki.length() + TRAILER)?;
        let word = packet.get(trailer..trailer + TRAILER)?;
        let word = u32::from_be_bytes(word.try_into().ok()?);
        (word & ENCRYPTED != 0).then_some(word & !ENCRYPTED)
    }

    /// Checks and opens an RTCP packet that claims `index`; returns its length without what was added.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, index: u32) -> Option<usize> {
        match &self.kind {
            Kind::Counter { aes, mac, tag } => {
                let end = packet.len().checked_sub(tag + self.mki.length())?;
                let length = end.checked_sub(TRAILER).filter(|length| *length >= RTCP_HEADER)?;
                let (message, given) = packet.split_at_mut_checked(end)?;
                let made = authenticate(mac, message, &[]);
                if !bool::from(made.get(..*tag)?.ct_eq(given.get(self.mki.length()..)?)) {
                    return None;
                }
                keystream(aes, self.counter(ssrc, index.into()), message.get_mut(RTCP_HEADER..length)?);
                Some(length)
            }
            gcm => {
                let end = packet.len().checked_sub(self.mki.length())?;
                let length = end.checked_sub(GCM_TAG + TRAILER).filter(|length| *length >= RTCP_HEADER)?;
                let (clear, rest) = packet.get_mut(..end)?.split_at_mut_checked(RTCP_HEADER)?;
                let (body, rest) = rest.split_at_mut_checked(length - RTCP_HEADER)?;
                let (tag, end) = rest.split_at_mut_checked(GCM_TAG)?;
                let known = known_of(clear, (*end).try_into().ok()?)?;
                gcm_open(gcm, &self.rtcp_nonce(ssrc, index), &known, body, tag)?;
                Some(length)
            }
        }
    }

    /// RFC 3711 4.1.1.
    fn counter(&self, ssrc: u32, index: u64) -> [u8; 16] {
        let mut counter = [0; 16];
        counter[..14].copy_from_slice(self.salt.as_slice());
        xor(&mut counter[4..8], &ssrc.to_be_bytes());
        xor(&mut counter[8..14], &index.to_be_bytes()[2..]);
        counter
    }

    /// RFC 7714 8.1: the index is the rollover counter and the sequence number.
    fn rtp_nonce(&self, ssrc: u32, index: u64) -> [u8; 12] {
        self.nonce(ssrc, &index.to_be_bytes()[2..])
    }

    /// RFC 7714 9.1.
    fn rtcp_nonce(&self, ssrc: u32, index: u32) -> [u8; 12] {
        self.nonce(ssrc, &u64::from(index).to_be_bytes()[2..])
    }

    fn nonce(&self, ssrc: u32, index: &[u8]) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&self.salt[..12]);
        xor(&mut nonce[2..6], &ssrc.to_be_bytes());
        xor(&mut nonce[6..12], index);
        nonce
    }
}

fn xor(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to ^= from;
    }
}

/// The rollover counter of an index, as it is authenticated (RFC 3711 4.2).
fn rollover(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn authenticate(mac: &Hmac<Sha1>, message: &[u8], more: &[u8]) -> [u8; 20] {
    let mut mac = mac.clone();
    mac.update(message);
    mac.update(more);
    mac.finalize().into_bytes().into()
}

/// What AES-GCM authenticates besides an RTCP packet's body (RFC 7714 9.2).
fn known_of(header: &[u8], trailer: [u8; TRAILER]) -> Option<[u8; RTCP_HEADER + TRAILER]> {
    let mut known = [0; RTCP_HEADER + TRAILER];
    known.get_mut(..RTCP_HEADER)?.copy_from_slice(header);
    known.get_mut(RTCP_HEADER..)?.copy_from_slice(&trailer);
    Some(known)
}

fn gcm_seal(gcm: &Kind, nonce: &[u8; 12], known: &[u8], body: &mut [u8]) -> Option<[u8; GCM_TAG]> {
    let made = match gcm {
        Kind::Gcm128(aead) => aead.encrypt_inout_detached(nonce.into(), known, body.into()),
        Kind::Gcm256(aead) => aead.encrypt_inout_detached(nonce.into(), known, body.into()),
        Kind::Counter { .. } => return None,
    };
    made.ok().map(Into::into)
}

fn gcm_open(gcm: &Kind, nonce: &[u8; 12], known: &[u8], body: &mut [u8], tag: &[u8]) -> Option<()> {
    let tag: &[u8; GCM_TAG] = tag.try_into().ok()?;
    let opened = match gcm {
        Kind::Gcm128(aead) => aead.decrypt_inout_detached(nonce.into(), known, body.into(), tag.into()),
        Kind::Gcm256(aead) => aead.decrypt_inout_detached(nonce.into(), known, body.into(), tag.into()),
        Kind::Counter { .. } => return None,
    };
    opened.ok()
}
