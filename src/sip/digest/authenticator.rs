//! The side that challenges: nonces bound to the source, nonce counts enforced, memory bounded.

use super::Asking;
use super::fields::Fields;
use super::hash::{Algorithm, Asked, Protection, seal};
use crate::sip::message::{Uri, lexis};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long a nonce can be used.
pub const NONCE_LIFE: Duration = Duration::from_secs(300);
/// The most nonces whose counts are remembered. When there are more, the oldest is forgotten, and with it every nonce
/// that is older still becomes stale: forgetting never makes a replay possible.
pub const MAX_NONCES: usize = 4_096;
/// How many hexadecimal digits of a nonce prove that it is ours.
const SEAL_DIGITS: usize = 32;
/// How far a nonce count may lag behind the highest seen (datagrams overtake each other).
const WINDOW: u32 = 64;

/// What became of the credentials in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right.
    Accepted {
        /// The user whose it is.
        username: String,
    },
    /// The nonce isn't one of ours for this source, is too old, or its count was used before: challenge again with
    /// [`Authenticator::challenge_stale`]. Says nothing about the password.
    Stale,
    /// Unknown user, wrong password or unusable credentials; which of them nobody learns.
    Refused,
    /// No digest credentials were given.
    Absent,
}

/// Challenges requests for one realm and judges their answers.
pub struct Authenticator {
    realm: String,
    secret: [u8; 32],
    issued: u64,
    counts: BTreeMap<NonceId, Counts>,
    floor: Option<NonceId>,
}

/// When a nonce was issued (ms) and its number; older is smaller.
type NonceId = (u64, u64);

/// The counts used with one nonce: the highest, and which of the [`WINDOW`] below it.
#[derive(Default)]
struct Counts {
    highest: u32,
    seen: u64,
}

impl Counts {
    /// Marks `count` as used; false if it was, or may have been.
    fn take(&mut self, count: u32) -> bool {
        if count == 0 {
            return false;
        }
        if count > self.highest {
            let ahead = count - self.highest;
            self.seen = if ahead >= WINDOW { 0 } else { self.seen << ahead };
            self.seen |= 1;
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        let fresh = behind < WINDOW && self.seen & (1 << behind) == 0;
        if fresh {
            self.seen |= 1 << behind;
        }
        fresh
    }
}

impl Authenticator {
    /// Challenges for `realm`; `secret` is random and lives as long as the program.
    pub fn new(realm: &str, secret: [u8; 32]) -> Self {
        let realm = lexis::single_line(realm);
        Self { realm, secret, issued: 0, counts: BTreeMap::new(), floor: None }
    }

    /// The values of as many WWW-Authenticate headers: SHA-256 first, then MD5 (RFC 8760 2.3).
    pub fn challenge(&mut self, now: Duration, from: SocketAddr) -> Vec<String> {
        self.challenges(now, from, "")
    }

    /// The same after [`Verdict::Stale`]: the client tries again without asking its user.
    pub fn challenge_stale(&mut self, now: Duration, from: SocketAddr) -> Vec<String> {
        self.challenges(now, from, ", stale=true")
    }

    fn challenges(&mut self, now: Duration, from: SocketAddr, stale: &str) -> Vec<String> {
        self.issued = self.issued.wrapping_add(1);
        let nonce = self.nonce((millis(now), self.issued), from);
        let realm = lexis::quote(&self.realm);
        [Algorithm::Sha256, Algorithm::Md5]
            .map(|algorithm| {
                let name = algorithm.name();
                format!("Digest realm={realm}, nonce=\"{nonce}\", algorithm={name}, qop=\"auth\"{stale}")
            })
            .to_vec()
    }

    /// Judges the value of an Authorization header; an empty one is absent. `password_of` gives a user's password.
    /// Credentials that were made for another Request-URI than the one they came with prove nothing (RFC 7616 3.4.6).
    ///
    /// Takes the same time for an unknown user as for a wrong password, as far as `password_of` does.
    pub fn verify(
        &mut self,
        now: Duration,
        from: SocketAddr,
        asking: Asking<'_>,
        header: &str,
        password_of: impl Fn(&str) -> Option<SecretString>,
    ) -> Verdict {
        if !header.trim_start().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("digest")) {
            return Verdict::Absent;
        }
        let Some(fields) = Fields::read(header) else { return Verdict::Refused };
        let Some(given) = Given::read(&fields, &self.realm, asking) else { return Verdict::Refused };
        let Some(id) = self.recognise(now, from, given.asked.nonce) else { return Verdict::Stale };
        let password = password_of(given.asked.username);
        let known = password.is_some();
        let password = password.unwrap_or_else(|| SecretString::from("no user has this password"));
        let right = given.asked.response(&password);
        if !(bool::from(right.as_bytes().ct_eq(given.response.as_bytes())) & known) {
            return Verdict::Refused;
        }
        // Only who knows a password can fill the memory of counts.
        if !self.take_count(now, id, given.count) {
            return Verdict::Stale;
        }
        Verdict::Accepted { username: given.asked.username.to_owned() }
    }

    /// How many nonces are remembered.
    pub fn remembered(&self) -> usize {
        self.counts.len()
    }

    fn nonce(&self, id: NonceId, from: SocketAddr) -> String {
        let stamp = format!("{:x}.{:x}", id.0, id.1);
        let seal = seal(&self.secret, &format!("{stamp} {from}"));
        // 128 bits of it cannot be guessed, and a challenge goes to whoever asks: the shorter, the less it is worth to have
        // it sent to somebody else.
        format!("{stamp}.{}", seal.get(..SEAL_DIGITS).unwrap_or(&seal))
    }

    /// The nonce's id if we issued it to that source, not too long ago.
    fn recognise(&self, now: Duration, from: SocketAddr, nonce: &str) -> Option<NonceId> {
        let (at, rest) = nonce.split_once('.')?;
        let (number, _) = rest.split_once('.')?;
        let id = (u64::from_str_radix(at, 16).ok()?, u64::from_str_radix(number, 16).ok()?);
        let ours = bool::from(self.nonce(id, from).as_bytes().ct_eq(nonce.as_bytes()));
        let age = millis(now).checked_sub(id.0)?;
        let forgotten = self.floor.is_some_and(|floor| id <= floor) && !self.counts.contains_key(&id);
        (ours && u128::from(age) < NONCE_LIFE.as_millis() && !forgotten).then_some(id)
    }

    fn take_count(&mut self, now: Duration, id: NonceId, count: u32) -> bool {
        let expired = millis(now.saturating_sub(NONCE_LIFE));
        self.counts = self.counts.split_off(&(expired, 0));
        if !self.counts.contains_key(&id) && self.counts.len() >= MAX_NONCES {
            self.floor = self.counts.pop_first().map(|(oldest, _)| oldest).max(self.floor);
            if self.floor.is_some_and(|floor| id <= floor) {
                return false;
            }
        }
        self.counts.entry(id).or_default().take(count)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("realm", &self.realm).finish_non_exhaustive()
    }
}

/// Credentials that are complete and of the kind that we asked for.
struct Given<'a> {
    asked: Asked<'a>,
    response: &'a str,
    count: u32,
}

impl<'a> Given<'a> {
    fn read(fields: &'a Fields, realm: &str, asking: Asking<'a>) -> Option<Self> {
        let algorithm = fields.get("algorithm").map_or(Some(Algorithm::Md5), Algorithm::read)?;
        let protection = match fields.get("qop")? {
            "auth" => Protection::Auth,
            "auth-int" => Protection::AuthInt,
            _ => return None,
        };
        let count =
            fields.get("nc").filter(|nc| nc.len() == 8 && nc.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let uri = fields.get("uri").filter(|uri| means_the_same(uri, asking.uri))?;
        if algorithm.is_session() || fields.get("realm")? != realm {
            return None;
        }
        let asked = Asked {
            algorithm,
            username: fields.get("username")?,
            realm: fields.get("realm")?,
            nonce: fields.get("nonce")?,
            count,
            protection,
            cnonce: fields.get("cnonce").filter(|cnonce| !cnonce.is_empty())?,
            method: asking.method,
            uri,
            body: asking.body,
        };
        let count = u32::from_str_radix(count, 16).ok()?;
        Some(Self { asked, response: fields.get("response")?, count })
    }
}

/// Whether two URIs name the same resource: scheme, user, host and port. Phones leave parameters out of one of them.
fn means_the_same(given: &str, asked: &str) -> bool {
    let (Some(given), Some(asked)) = (Uri::parse(given), Uri::parse(asked)) else { return given == asked };
    given.scheme == asked.scheme
        && given.user == asked.user
        && given.host.eq_ignore_ascii_case(&asked.host)
        && given.port.unwrap_or(5060) == asked.port.unwrap_or(5060)
}

fn millis(moment: Duration) -> u64 {
    u64::try_from(moment.as_millis()).unwrap_or(u64::MAX)
}
