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
/// The longest name of a key, in bytes.
const MAX_NAME: usize = 8;
/// The most keys of one line.
const MAX_KEYS: usize = 8;
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
    name: Option<KeyName>,
}

/// The master key identifier by which packets name a key (RFC 4568 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyName {
    /// The number.
    pub value: u64,
    /// Its bytes in each packet, 1 to [`MAX_NAME`].
    pub length: usize,
}

impl MediaKey {
    pub(super) fn random(suite: Suite, random: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new(vec![0; suite.key_length()]);
        Rng::fill_bytes(random, &mut bytes);
        Self { suite, bytes, lifetime: LIFETIME_MAX, name: None }
    }

    /// What it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Key and salt in one row, for whoever encrypts.
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// How its packets name it.
    pub fn name(&self) -> Option<KeyName> {
        self.name
    }

    /// The same, named in packets as the far end names its own.
    pub(super) fn named_like(&self, theirs: &Self) -> Self {
        let name = theirs.name.map(|name| KeyName { value: 1, ..name });
        Self { name, ..self.clone() }
    }

    /// The same, named as the next after that one.
    pub(super) fn named_after(&self, old: &Self) -> Self {
        let next = |name: KeyName| {
            let value = name.value.wrapping_add(1);
            let fits = name.length == MAX_NAME || value >> (8 * name.length) == 0;
            KeyName { value: if fits { value } else { 1 }, ..name }
        };
        Self { name: old.name.map(next), ..self.clone() }
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
        let same = self.suite == other.suite && self.name == other.name;
        same && bool::from(self.bytes.as_slice().ct_eq(other.bytes.as_slice()))
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
    let name = key.name.map(|name| format!("|{}:{}", name.value, name.length)).unwrap_or_default();
    Attribute::with_value("crypto", format!("{tag} {} inline:{}{name}", key.suite.name(), inline.as_str()))
}

/// Reads the value of a line; or says in words why it is of no use.
pub(super) fn read(value: &str) -> Result<(u32, Vec<MediaKey>), &'static str> {
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
    Ok((tag, read_keys(suite, key)?))
}

/// The keys of a line: one, or several that packets name (RFC 4568 6.1).
fn read_keys(suite: Suite, parameters: &str) -> Result<Vec<MediaKey>, &'static str> {
    let mut keys: Vec<MediaKey> = Vec::new();
    for parameter in parameters.split(';') {
        if keys.len() >= MAX_KEYS {
            return Err("it has too many keys");
        }
        keys.push(read_key(suite, parameter)?);
    }
    let length = |key: &MediaKey| key.name.map(|name| name.length);
    let told_apart = |at: usize, key: &MediaKey| keys.iter().skip(at + 1).all(|other| other.name != key.name);
    let first = keys.first().and_then(length);
    if keys.len() > 1
        && (first.is_none()
            || keys.iter().any(|key| length(key) != first)
            || !keys.iter().enumerate().all(|(at, key)| told_apart(at, key)))
    {
        return Err("its keys can't be told apart");
    }
    Ok(keys)
}

fn read_key(suite: Suite, parameter: &str) -> Result<MediaKey, &'static str> {
    let inline = parameter.get(..7).filter(|method| method.eq_ignore_ascii_case("inline:"));
    let mut fields =
        inline.and_then(|_| parameter.get(7..)).ok_or("its key isn't inline")?.split('|').peekable();
    let encoded = fields.next().unwrap_or_default();
    let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| "its key can't be read")?);
    if bytes.len() != suite.key_length() {
        return Err("its key has the wrong length");
    }
    let lifetime = match fields.next_if(|field| !field.contains(':')) {
        Some(field) => read_lifetime(field).ok_or("its lifetime can't be read")?,
        None => LIFETIME_MAX,
    };
    if lifetime < LIFETIME_MIN {
        return Err("its key lives too short");
    }
    let name = match fields.next() {
        Some(field) => Some(read_name(field).ok_or("its master key identifier can't be used")?),
        None => None,
    };
    match fields.next() {
        Some(_) => Err("its key says more than can be read"),
        None => Ok(MediaKey { suite, bytes, lifetime: lifetime.min(LIFETIME_MAX), name }),
    }
}

/// `1:4`: the number, and how many bytes of each packet it takes.
fn read_name(field: &str) -> Option<KeyName> {
    let (value, length) = field.split_once(':')?;
    let plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let (value, length): (u64, usize) = match plain(value) && plain(length) {
        true => (value.parse().ok()?, length.parse().ok()?),
        false => return None,
    };
    let fits = (1..=MAX_NAME).contains(&length) && (length == MAX_NAME || value >> (8 * length) == 0);
    fits.then_some(KeyName { value, length })
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
