//! The hashing of RFC 7616 3.4: A1, A2 and the response, for the four algorithms SIP knows.

use md5::Md5;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
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
}

impl Algorithm {
    /// The algorithm of that name, without case.
    pub fn read(name: &str) -> Option<Self> {
        [Self::Md5, Self::Md5Sess, Self::Sha256, Self::Sha256Sess]
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The name as it stands in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
        }
    }

    /// Whether A1 is hashed with the nonces.
    pub fn is_session(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess)
    }

    /// Greater is stronger.
    pub fn strength(self) -> u8 {
        match self {
            Self::Md5 | Self::Md5Sess => 0,
            Self::Sha256 | Self::Sha256Sess => 1,
        }
    }

    fn hash(self, text: &str) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Md5 | Self::Md5Sess => hex(&Md5::digest(text)),
            Self::Sha256 | Self::Sha256Sess => hex(&Sha256::digest(text)),
        })
    }
}

/// Everything but the password that a response is made from.
pub(super) struct Asked<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) username: &'a str,
    pub(super) realm: &'a str,
    pub(super) nonce: &'a str,
    /// The nonce count as it is sent and the qop; `None` for the form of RFC 2069.
    pub(super) count_and_qop: Option<(&'a str, &'a str)>,
    pub(super) cnonce: &'a str,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
}

impl Asked<'_> {
    /// The response, in lower-case hexadecimal.
    pub(super) fn response(&self, password: &SecretString) -> String {
        let hash = |text: &str| self.algorithm.hash(text);
        let a1 = Zeroizing::new(format!("{}:{}:{}", self.username, self.realm, password.expose_secret()));
        let mut key = hash(&a1);
        if self.algorithm.is_session() {
            key = hash(&Zeroizing::new(format!("{}:{}:{}", *key, self.nonce, self.cnonce)));
        }
        let asked = hash(&format!("{}:{}", self.method, self.uri));
        let sealed = Zeroizing::new(match self.count_and_qop {
            Some((count, qop)) => {
                format!("{}:{}:{count}:{}:{qop}:{}", *key, self.nonce, self.cnonce, *asked)
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
