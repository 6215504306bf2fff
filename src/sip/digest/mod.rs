//! Digest authentication as SIP uses it (RFC 3261 22, RFC 7616, RFC 8760): what a challenge asks, what answers it, what
//! the server proves in return, and the side that asks. Passwords come in as secrets and leave only as hashes.

mod authenticator;
mod fields;
mod hash;
#[cfg(test)]
mod tests;

use super::message::{Headers, lexis};
use fields::Fields;
use secrecy::SecretString;
use subtle::ConstantTimeEq;

pub use authenticator::{Authenticator, MAX_NONCES, NONCE_LIFE, Verdict};
pub(in crate::sip) use hash::seal;
pub use hash::{Algorithm, Protection};

/// The most challenges that are read from one response.
pub const MAX_OFFERED: usize = 32;

/// What a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Whose password is asked for.
    pub realm: String,
    /// The server's nonce.
    pub nonce: String,
    /// To be given back unchanged.
    pub opaque: Option<String>,
    /// The hash to use.
    pub algorithm: Algorithm,
    /// What the answer protects: `auth` where it is offered, `auth-int` where nothing else is.
    pub protection: Protection,
    /// Whether the password was right and only the nonce too old.
    pub stale: bool,
    /// Whether the user's name is sent as a hash (RFC 7616 3.4.4).
    pub userhash: bool,
    /// Whether the server says that it reads UTF-8 (RFC 7616 3.4).
    pub utf8: bool,
}

impl Challenge {
    /// Reads a header value with one challenge. `None` for another scheme, an unknown algorithm, or a protection that
    /// is unknown.
    pub fn read(header: &str) -> Option<Self> {
        match Fields::read_challenges(header).as_slice() {
            [fields] => Self::of(fields),
            _ => None,
        }
    }

    fn of(fields: &Fields) -> Option<Self> {
        let offers = |qop: &str, name: &str| qop.split(',').any(|q| q.trim().eq_ignore_ascii_case(name));
        let protection = match fields.get("qop") {
            None => Protection::Bare,
            Some(qop) if offers(qop, "auth") => Protection::Auth,
            Some(qop) if offers(qop, "auth-int") => Protection::AuthInt,
            Some(_) => return None,
        };
        Some(Self {
            realm: fields.get("realm")?.to_owned(),
            nonce: fields.get("nonce").filter(|nonce| !nonce.is_empty())?.to_owned(),
            opaque: fields.get("opaque").map(str::to_owned),
            algorithm: fields.get("algorithm").map_or(Some(Algorithm::Md5), Algorithm::read)?,
            protection,
            stale: fields.is_true("stale"),
            userhash: fields.is_true("userhash"),
            utf8: fields.get("charset").is_some_and(|charset| charset.eq_ignore_ascii_case("UTF-8")),
        })
    }

    /// Every challenge that can be answered, the strongest algorithm first (RFC 8760 2.4), else in the server's order.
    pub fn read_all(headers: &Headers, proxy: bool) -> Vec<Self> {
        let lines = headers.get_all(challenge_name(proxy)).flat_map(Fields::read_challenges);
        let mut challenges: Vec<_> = lines.filter_map(|fields| Self::of(&fields)).take(MAX_OFFERED).collect();
        challenges.sort_by_key(|challenge| std::cmp::Reverse(challenge.algorithm.strength()));
        challenges
    }

    /// The names of the algorithms that are asked for and that nobody here knows.
    pub fn unknown_algorithms(headers: &Headers, proxy: bool) -> Vec<String> {
        let lines = headers.get_all(challenge_name(proxy)).flat_map(Fields::read_challenges);
        let names = lines.filter_map(|fields| fields.get("algorithm").map(str::to_owned));
        names.filter(|name| Algorithm::read(name).is_none()).take(MAX_OFFERED).collect()
    }
}

fn challenge_name(proxy: bool) -> &'static str {
    if proxy { "Proxy-Authenticate" } else { "WWW-Authenticate" }
}

/// The request that is to be proven.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Its method.
    pub method: &'a str,
    /// The Request-URI as it is sent.
    pub uri: &'a str,
    /// Its body.
    pub body: &'a [u8],
}

/// The value of the Authorization or Proxy-Authorization header that answers `challenge`.
///
/// `nonce_count` starts at 1 and grows with every use of the nonce; `cnonce` is fresh randomness.
pub fn answer(
    challenge: &Challenge,
    username: &str,
    password: &SecretString,
    asking: Asking<'_>,
    nonce_count: u32,
    cnonce: &str,
) -> String {
    let count = format!("{nonce_count:08x}");
    let asked = hash::Asked {
        algorithm: challenge.algorithm,
        username,
        realm: &challenge.realm,
        nonce: &challenge.nonce,
        count: &count,
        protection: challenge.protection,
        cnonce,
        method: asking.method,
        uri: asking.uri,
        body: asking.body,
    };
    let response = asked.response(password);
    let mut value = format!(
        "Digest {}, realm={}, nonce={}, uri={}, response=\"{response}\", algorithm={}",
        user_field(challenge, username),
        lexis::quote(&challenge.realm),
        lexis::quote(&challenge.nonce),
        lexis::quote(asking.uri),
        challenge.algorithm.name(),
    );
    if let Some(opaque) = &challenge.opaque {
        value.push_str(&format!(", opaque={}", lexis::quote(opaque)));
    }
    if let Some(qop) = challenge.protection.name() {
        value.push_str(&format!(", qop={qop}, cnonce={}, nc={count}", lexis::quote(cnonce)));
    } else if challenge.algorithm.is_session() {
        value.push_str(&format!(", cnonce={}", lexis::quote(cnonce)));
    }
    if challenge.userhash {
        value.push_str(", userhash=true");
    }
    value
}

/// The user's name as the challenge wants it. Beyond ASCII it takes the extended form where the server said that it
/// reads UTF-8; SIP's own quoted strings hold it as well (RFC 3261 25.1).
fn user_field(challenge: &Challenge, username: &str) -> String {
    if challenge.userhash {
        let hashed = challenge.algorithm.hash(format!("{username}:{}", challenge.realm).as_bytes());
        return format!("username=\"{}\"", *hashed);
    }
    if challenge.utf8 && !username.is_ascii() {
        return format!("username*=UTF-8''{}", lexis::escape(username, "!#$&+-.^_`|~"));
    }
    format!("username={}", lexis::quote(username))
}

/// The realm of an Authorization or Proxy-Authorization header of ours.
pub fn realm_of(authorization: &str) -> Option<String> {
    Fields::read(authorization)?.get("realm").map(str::to_owned)
}

/// What Authentication-Info says (RFC 7616 3.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The nonce for the next request.
    pub next_nonce: Option<String>,
    /// Whether the server has proven that it knows the password; `None` if it did not try.
    pub proven: Option<bool>,
}

/// Reads Authentication-Info or Proxy-Authentication-Info, given with a response that has `body`, to a request that
/// carried `authorization`.
pub fn acknowledgement(
    info: &str,
    authorization: &str,
    username: &str,
    password: &SecretString,
    body: &[u8],
) -> Acknowledgement {
    let (Some(info), Some(given)) = (Fields::read_info(info), Fields::read(authorization)) else {
        return Acknowledgement::default();
    };
    let next_nonce = info.get("nextnonce").filter(|nonce| !nonce.is_empty()).map(str::to_owned);
    let proven = info.get("rspauth").map(|told| {
        let right = expected_proof(&given, &info, username, password, body);
        right.is_some_and(|right| bool::from(right.as_bytes().ct_eq(told.as_bytes())))
    });
    Acknowledgement { next_nonce, proven }
}

/// The `rspauth` that only who knows the password can make: that of our request, without a method, with their body.
fn expected_proof(
    given: &Fields,
    info: &Fields,
    username: &str,
    password: &SecretString,
    body: &[u8],
) -> Option<String> {
    let protection = match info.get("qop").or(given.get("qop")) {
        Some(qop) if qop.eq_ignore_ascii_case("auth-int") => Protection::AuthInt,
        Some(_) => Protection::Auth,
        None => Protection::Bare,
    };
    // Count and cnonce must be ours, or it proves nothing about this request.
    let ours = |name: &str| info.get(name).is_none_or(|told| Some(told) == given.get(name));
    let asked = hash::Asked {
        algorithm: given.get("algorithm").map_or(Some(Algorithm::Md5), Algorithm::read)?,
        username,
        realm: given.get("realm")?,
        nonce: given.get("nonce")?,
        count: given.get("nc").unwrap_or_default(),
        protection,
        cnonce: given.get("cnonce").unwrap_or_default(),
        method: "",
        uri: given.get("uri")?,
        body,
    };
    (ours("nc") && ours("cnonce")).then(|| asked.response(password))
}
