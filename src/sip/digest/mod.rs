//! Digest authentication as SIP uses it (RFC 3261 22, RFC 7616, RFC 8760): what a challenge asks, what answers it, and
//! the side that asks. Passwords come in as secrets and leave only as hashes.

mod authenticator;
mod hash;
#[cfg(test)]
mod tests;

use super::message::{Headers, lexis};
use secrecy::SecretString;

pub use authenticator::{Authenticator, MAX_NONCES, NONCE_LIFE, Verdict};
pub use hash::Algorithm;
pub(in crate::sip) use hash::seal;

/// The most parameters that are read from one challenge or answer.
const MAX_FIELDS: usize = 32;
/// The longest challenge or answer that is read, in bytes.
const MAX_LENGTH: usize = 4_096;

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
    /// Whether `qop=auth` is offered; without it there is no nonce count (RFC 2069).
    pub qop_auth: bool,
    /// Whether the password was right and only the nonce too old.
    pub stale: bool,
}

impl Challenge {
    /// Reads the value of a WWW-Authenticate or Proxy-Authenticate header. `None` for another scheme, an unknown
    /// algorithm, or a protection of the body that we don't offer (`qop="auth-int"` alone).
    pub fn read(header: &str) -> Option<Self> {
        let fields = Fields::read(header)?;
        let qop = fields.get("qop");
        let qop_auth = qop.is_some_and(|q| q.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")));
        if qop.is_some() && !qop_auth {
            return None;
        }
        Some(Self {
            realm: fields.get("realm")?.to_owned(),
            nonce: fields.get("nonce").filter(|nonce| !nonce.is_empty())?.to_owned(),
            opaque: fields.get("opaque").map(str::to_owned),
            algorithm: fields.get("algorithm").map_or(Some(Algorithm::Md5), Algorithm::read)?,
            qop_auth,
            stale: fields.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// Every challenge that can be answered, the strongest algorithm first (RFC 8760 2.4), else in the server's order.
    pub fn read_all(headers: &Headers, proxy: bool) -> Vec<Self> {
        let name = if proxy { "Proxy-Authenticate" } else { "WWW-Authenticate" };
        let mut challenges: Vec<_> = headers.get_all(name).filter_map(Self::read).collect();
        challenges.sort_by_key(|challenge| std::cmp::Reverse(challenge.algorithm.strength()));
        challenges
    }
}

/// The value of the Authorization or Proxy-Authorization header that answers `challenge`.
///
/// `uri` is the Request-URI as it is sent; `nonce_count` starts at 1 and grows with every use of the nonce; `cnonce` is
/// fresh randomness.
pub fn answer(
    challenge: &Challenge,
    username: &str,
    password: &SecretString,
    method: &str,
    uri: &str,
    nonce_count: u32,
    cnonce: &str,
) -> String {
    let count = format!("{nonce_count:08x}");
    let asked = hash::Asked {
        algorithm: challenge.algorithm,
        username,
        realm: &challenge.realm,
        nonce: &challenge.nonce,
        count_and_qop: challenge.qop_auth.then_some((count.as_str(), "auth")),
        cnonce,
        method,
        uri,
    };
    let response = asked.response(password);
    let mut value = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\", algorithm={}",
        lexis::quote(username),
        lexis::quote(&challenge.realm),
        lexis::quote(&challenge.nonce),
        lexis::quote(uri),
        challenge.algorithm.name(),
    );
    if let Some(opaque) = &challenge.opaque {
        value.push_str(&format!(", opaque={}", lexis::quote(opaque)));
    }
    if challenge.qop_auth {
        value.push_str(&format!(", qop=auth, cnonce={}, nc={count}", lexis::quote(cnonce)));
    } else if challenge.algorithm.is_session() {
        value.push_str(&format!(", cnonce={}", lexis::quote(cnonce)));
    }
    value
}

/// The `name=value` fields behind `Digest`, unquoted. A field given twice is refused: nobody can say which is meant.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn read(header: &str) -> Option<Self> {
        if header.len() > MAX_LENGTH {
            return None;
        }
        let (scheme, rest) = header.trim().split_once(char::is_whitespace)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut fields: Vec<(String, String)> = Vec::new();
        for part in lexis::split_outside(rest, ',')? {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let (name, value) = part.split_once('=')?;
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            let value = if value.starts_with('"') { lexis::unquote(value)? } else { value.to_owned() };
            if fields.len() >= MAX_FIELDS || fields.iter().any(|(held, _)| *held == name) {
                return None;
            }
            fields.push((name, value));
        }
        Some(Self(fields))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }
}
