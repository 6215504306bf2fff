//! The hashing of RFC 7616 3.4: A1, A2, the response and its counterpart, for the six algorithms SIP knows.

use md5::Md5;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256, Sha512_256};
use zeroize::Zeroizing;

/// A digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// MD5, which RFC 3261 knows.
    Md5,
    /// MD5 with a session key.
    Md5Sess,
    /// SHA-256 (RFC 8760).
    Sha256,
    /// SHA-256 with a session key.
    Sha256Sess,
    /// SHA-512/256 (RFC 8760): not the first half of SHA-512.
    Sha512256,
    /// SHA-512/256 with a session key.
    Sha512256Sess,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 6] =
        [Self::Md5, Self::Md5Sess, Self::Sha256, Self::Sha256Sess, Self::Sha512256, Self::Sha512256Sess];

    /// The algorithm of that name, without case.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The name as it stands in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            Self::Sha512256 => "SHA-512-256",
            Self::Sha512256Sess => "SHA-512-256-sess",
        }
    }

    /// Whether A1 is hashed with the nonces.
    pub fn is_session(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess | Self::Sha512256Sess)
    }

    /// Greater is stronger.
    pub fn strength(self) -> u8 {
        match self {
            Self::Md5 | Self::Md5Sess => 0,
            Self::Sha256 | Self::Sha256Sess => 1,
            Self::Sha512256 | Self::Sha512256Sess => 2,
        }
    }

    /// In lower-case hexadecimal.
    pub(super) fn hash(self, octets: &[u8]) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Md5 | Self::Md5Sess => hex(&Md5::digest(octets)),
            Self::Sha256 | Self::Sha256Sess => hex(&Sha256::digest(octets)),
            Self::Sha512256 | Self::Sha512256Sess => hex(&Sha512_256::digest(octets)),
        })
    }
}

/// What a response protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Without a count (RFC 2069): the challenge named no `qop`.
    Bare,
    /// `auth`: method and URI.
    Auth,
    /// `auth-int`: the body as well.
    AuthInt,
}

impl Protection {
    /// The value of `qop`; none in the old form.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Bare => None,
            Self::Auth => Some("auth"),
            Self::AuthInt => Some("auth-int"),
        }
    }
}

/// Everything but the password that a response is made from.
pub(super) struct Asked<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) username: &'a str,
    pub(super) realm: &'a str,
    pub(super) nonce: &'a str,
    /// The nonce count as it is sent.
    pub(super) count: &'a str,
    pub(super) protection: Protection,
    pub(super) cnonce: &'a str,
    /// Empty for `rspauth` (RFC 7616 3.5).
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) body: &'a [u8],
}

impl Asked<'_> {
    /// The response, in lower-case hexadecimal.
    pub(super) fn response(&self, password: &SecretString) -> String {
        let hash = |text: &str| self.algorithm.hash(text.as_bytes());
        let a1 = Zeroizing::new(format!("{}:{}:{}", self.username, self.realm, password.expose_secret()));
        let mut key = hash(&a1);
        if self.algorithm.is_session() {
            key = hash(&Zeroizing::new(format!("{}:{}:{}", *key, self.nonce, self.cnonce)));
        }
        let asked = match self.protection {
            Protection::AuthInt => {
                hash(&format!("{}:{}:{}", self.method, self.uri, *self.algorithm.hash(self.body)))
            }
            Protection::Auth | Protection::Bare => hash(&format!("{}:{}", self.method, self.uri)),
        };
        let sealed = Zeroizing::new(match self.protection.name() {
            Some(qop) => {
                format!("{}:{}:{}:{}:{qop}:{}", *key, self.nonce, self.count, self.cnonce, *asked)
            }
            None => format!("{}:{}:{}", *key, self.nonce, *asked),
        });
        hash(&sealed).to_string()
    }
}

/// Keyed hash (HMAC-SHA-256, RFC 2104) for nonces and tags that only their maker can make.
pub(in crate::sip) fn seal(secret: &[u8; 32], text: &str) -> String {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(secret).for_each(|(b, s)| *b ^= s);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    hex(&Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().flat_map(|o| [o >> 4, o & 15]).filter_map(|d| char::from_digit(d.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seal_is_hmac_sha_256() {
        // RFC 4231 test case 1, whose key of 20 octets is padded with zeros as HMAC does.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(seal(&key, "Hi There"), expected);
    }
}
