//! What proves to the server that we know the secret, without telling it.

use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};
use std::fmt::Write as _;

/// The longest challenge that is answered, in bytes.
const MAX_CHALLENGE: usize = 256;

/// The key of `AuthType: MD5`: challenge and secret hashed, in lower-case hexadecimal. `None` if that is no challenge.
pub(super) fn key(challenge: &str, secret: &SecretString) -> Option<String> {
    if challenge.is_empty() || challenge.len() > MAX_CHALLENGE {
        return None;
    }
    let mut hash = Md5::new();
    hash.update(challenge.as_bytes());
    hash.update(secret.expose_secret().as_bytes());
    let mut key = String::new();
    for byte in hash.finalize() {
        // Writing to a String can't fail.
        let _ = write!(key, "{byte:02x}");
    }
    Some(key)
}
