//! `a=crypto` lines (RFC 4568): suites, keys and their lifetimes, read within bounds. A line that asks for anything we
//! don't do is no line for us: better none than a protection weaker than it seems.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::{CryptoRng, Rng};
use sdp_types::Attribute;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The longest value that is read.
const MAX_LINE: usize = 512;
/// The highest tag (RFC 4568 9.1: nine digits).
const MAX_TAG: u32 = 999_999_999;
/// A key must be good for that many packets at least (six hours of sound), or the call would end with it.
const LIFETIME_MIN: u64 = 1 << 20;
/// No key is good for more (RFC 3711 9.2).
const LIFETIME_MAX: u64 = 1 << 48;

/// How packets are encrypted and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// `AEAD_AES_256_GCM` (RFC 7714).
    AeadAes256Gcm,
    /// `AEAD_AES_128_GCM` (RFC 7714).
    AeadAes128Gcm,
    /// `AES_CM_128_HMAC_SHA1_80` (RFC 4568).
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32` (RFC 4568).
    AesCm128HmacSha1_32,
}

impl Suite {
    /// All, in the order of our offers.
    pub const ALL: [Self; 4] =
        [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    fn name(self) -> &'static str {
        match self {
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// Bytes of master key and master salt together.
    pub fn key_length(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32 + 12,
            Self::AeadAes128Gcm => 16 + 12,
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 16 + 14,
        }
    }
}

/// A master key with its salt. Can't be printed, and is wiped when dropped.
#[derive(Clone)]
pub struct MediaKey {
    suite: Suite,
    bytes: Zeroizing<Vec<u8>>,
    lifetime: u64,
}

impl MediaKey {
    pub(super) fn random(suite: Suite, random: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new(vec![0; suite.key_length()]);
        Rng::fill_bytes(random, &mut bytes);
        Self { suite, bytes, lifetime: LIFETIME_MAX }
    }

    /// What it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Key and salt in one row, for whoever encrypts.
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// How many packets it is good for.
    pub fn lifetime(&self) -> u64 {
        self.lifetime
    }
}

impl fmt::Debug for MediaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MediaKey({}, [redacted])", self.suite.name())
    }
}

impl PartialEq for MediaKey {
    fn eq(&self, other: &Self) -> bool {
        self.suite == other.suite && bool::from(self.bytes.as_slice().ct_eq(other.bytes.as_slice()))
    }
}

impl Eq for MediaKey {}

/// Whether a message has a description with keys in it.
pub fn carries_keys(message: &[u8]) -> bool {
    let has = |wanted: &[u8]| message.windows(wanted.len()).any(|window| window == wanted);
    has(b"\na=crypto:") && has(b"application/sdp")
}

/// Our line.
pub(super) fn line(tag: u32, key: &MediaKey) -> Attribute {
    let inline = Zeroizing::new(STANDARD.encode(key.expose()));
    Attribute::with_value("crypto", format!("{tag} {} inline:{}", key.suite.name(), inline.as_str()))
}

/// Reads the value of a line; or says in words why it is of no use.
pub(super) fn read(value: &str) -> Result<(u32, MediaKey), &'static str> {
    if value.len() > MAX_LINE {
        return Err("the line is too long");
    }
    let mut words = value.split_ascii_whitespace();
    let tag = words.next().filter(|tag| tag.len() <= 9 && tag.bytes().all(|b| b.is_ascii_digit()));
    let tag =
        tag.and_then(|tag| tag.parse().ok()).filter(|tag| *tag <= MAX_TAG).ok_or("its tag is no number")?;
    let name = words.next().ok_or("it names no suite")?;
    let suite = Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name));
    let suite = suite.ok_or("its suite isn't known here")?;
    let key = words.next().ok_or("it has no key")?;
    for parameter in words {
        // A hint is no matter; whatever else is asked for would change how packets look (RFC 4568 6.3).
        if !parameter.to_ascii_uppercase().starts_with("WSH=") && !parameter.starts_with('-') {
            return Err("it asks for what isn't done here");
        }
    }
    Ok((tag, read_key(suite, key)?))
}

fn read_key(suite: Suite, parameters: &str) -> Result<MediaKey, &'static str> {
    if parameters.contains(';') {
        return Err("it has several keys");
    }
    let inline = parameters.get(..7).filter(|method| method.eq_ignore_ascii_case("inline:"));
    let mut fields = inline.and_then(|_| parameters.get(7..)).ok_or("its key isn't inline")?.split('|');
    let encoded = fields.next().unwrap_or_default();
    let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| "its key can't be read")?);
    if bytes.len() != suite.key_length() {
        return Err("its key has the wrong length");
    }
    let mut lifetime = LIFETIME_MAX;
    for (at, field) in fields.enumerate() {
        if at > 1 || field.contains(':') {
            // A master key identifier would be part of every packet.
            return Err("it names a master key identifier");
        }
        lifetime = read_lifetime(field).ok_or("its lifetime can't be read")?;
    }
    if lifetime < LIFETIME_MIN {
        return Err("its key lives too short");
    }
    Ok(MediaKey { suite, bytes, lifetime: lifetime.min(LIFETIME_MAX) })
}

/// `2^20` or a number; nothing beyond what SRTP allows.
fn read_lifetime(field: &str) -> Option<u64> {
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse::<u64>().ok()).flatten()
    };
    let packets = match field.strip_prefix("2^") {
        Some(power) => 1_u64.checked_shl(u32::try_from(number(power)?).ok()?)?,
        None => number(field)?,
    };
    (packets <= LIFETIME_MAX).then_some(packets)
}
