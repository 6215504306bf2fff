//! Who may come in: digest over every request, the same answer whether a user exists or not, and guesses slowed.

use super::config::DigestOffer;
use super::plan::Plan;
use crate::parking::Moment;
use crate::sip::Peer;
use crate::sip::digest::{Asking, Authenticator, Verdict};
use crate::sip::message::Request;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// How many wrong passwords one source may try for one user in [`GUESS_WINDOW`]; then it is put off.
pub const MAX_GUESSES: u32 = 10;
/// See [`MAX_GUESSES`]; a source that goes on is put off for twice, three times … this long.
pub const GUESS_WINDOW: Duration = Duration::from_secs(60);
/// How often the time for which a source is put off grows.
const MAX_STRIKES: u32 = 10;
/// How many sources and users are watched; beyond it the one with the fewest guesses is forgotten, among equals the one
/// that was quiet for longest, and one that is put off last of all.
pub const MAX_SUSPECTS: usize = 4_096;
/// The longest name that is remembered of a guess.
const MAX_NAME: usize = 64;

/// What the gate says to a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// This user, proven.
    User(String),
    /// Prove who you are: 401 with these headers.
    Challenge(Vec<(String, String)>),
    /// Too many wrong passwords: 403 with these headers, and the password was not even looked at.
    PutOff {
        /// Headers of the answer.
        headers: Vec<(String, String)>,
        /// The name that was tried.
        name: String,
        /// Whether this is the first time since it was put off: worth a line in the log, the others are not.
        first: bool,
    },
}

#[derive(Debug)]
struct Suspect {
    guesses: u32,
    window_ends: Moment,
    put_off_until: Moment,
    strikes: u32,
    told: bool,
    last: Moment,
}

/// The gate: nonces, and who guessed how often.
pub(super) struct Gate {
    authenticator: Authenticator,
    offer: DigestOffer,
    suspects: BTreeMap<(IpAddr, String), Suspect>,
}

impl Gate {
    pub(super) fn new(realm: &str, secret: [u8; 32]) -> Self {
        let authenticator = Authenticator::new(realm, secret);
        Self { authenticator, offer: DigestOffer::default(), suspects: BTreeMap::new() }
    }

    /// The same, offering these algorithms.
    pub(super) fn offering(mut self, offer: DigestOffer) -> Self {
        self.offer(offer);
        self
    }

    /// Which algorithms are offered from now on.
    pub(super) fn offer(&mut self, offer: DigestOffer) {
        self.offer = offer;
    }

    /// Looks at the credentials of a request.
    pub(super) fn admit(&mut self, now: Moment, from: Peer, request: &Request, plan: &Plan) -> Admission {
        let Some(credentials) = request.headers.get("Authorization") else {
            return self.challenge(now, from);
        };
        // The name is taken where the authenticator asks for its password: no second reading of the header that
        // could find another name in it and count the guess against nobody.
        let claimed = Cell::new(None);
        let suspects = &self.suspects;
        let password_of = |name: &str| {
            let key = (from.ip(), name.chars().take(MAX_NAME).collect::<String>());
            let put_off = suspects.get(&key).map(|s| s.put_off_until).filter(|until| now < *until);
            claimed.set(Some((key, put_off)));
            if put_off.is_some() { None } else { plan.user(name).map(|user| user.secret.clone()) }
        };
        let uri = request.uri.to_string();
        let asking = Asking { method: request.method.as_str(), uri: &uri, body: &request.body };
        let verdict = self.authenticator.verify(now, from.address, asking, credentials, password_of);
        match (verdict, claimed.take()) {
            (_, Some((key, Some(until)))) => {
                let wait_s = until.saturating_sub(now).as_secs() + 1;
                let first =
                    self.suspects.get_mut(&key).is_some_and(|s| !std::mem::replace(&mut s.told, true));
                Admission::PutOff {
                    headers: vec![("Retry-After".to_owned(), wait_s.to_string())],
                    name: key.1,
                    first,
                }
            }
            (Verdict::Accepted { username }, claimed) => {
                claimed.and_then(|(key, _)| self.suspects.remove(&key));
                Admission::User(username)
            }
            (Verdict::Refused, Some((key, None))) => {
                self.count_guess(now, key);
                self.challenge(now, from)
            }
            (Verdict::Stale, _) => {
                let values = self.authenticator.challenge_stale(now, from.address);
                self.offered(values)
            }
            (Verdict::Refused | Verdict::Absent, _) => self.challenge(now, from),
        }
    }

    fn challenge(&mut self, now: Moment, from: Peer) -> Admission {
        let values = self.authenticator.challenge(now, from.address);
        self.offered(values)
    }

    fn offered(&self, mut values: Vec<String>) -> Admission {
        if self.offer == DigestOffer::Md5 {
            values.retain(|value| value.contains("algorithm=MD5"));
        }
        Admission::Challenge(values.into_iter().map(www_authenticate).collect())
    }

    fn count_guess(&mut self, now: Moment, key: (IpAddr, String)) {
        if self.suspects.len() >= MAX_SUSPECTS && !self.suspects.contains_key(&key) {
            // Whoever invents names may push out other inventions, but nobody who is put off or has tried often.
            let weight = |s: &Suspect| (s.put_off_until > now, s.strikes, s.guesses, s.last);
            let least = self.suspects.iter().min_by_key(|(_, s)| weight(s)).map(|(key, _)| key.clone());
            least.and_then(|key| self.suspects.remove(&key));
        }
        let suspect = self.suspects.entry(key).or_insert(Suspect {
            guesses: 0,
            window_ends: now + GUESS_WINDOW,
            put_off_until: Moment::ZERO,
            strikes: 0,
            told: false,
            last: now,
        });
        suspect.last = now;
        if now >= suspect.window_ends {
            suspect.guesses = 0;
            suspect.window_ends = now + GUESS_WINDOW;
        }
        suspect.guesses += 1;
        if suspect.guesses >= MAX_GUESSES {
            suspect.strikes = (suspect.strikes + 1).min(MAX_STRIKES);
            suspect.guesses = 0;
            suspect.told = false;
            suspect.put_off_until = now + GUESS_WINDOW * suspect.strikes;
            suspect.window_ends = suspect.put_off_until + GUESS_WINDOW;
        }
    }
}

fn www_authenticate(value: String) -> (String, String) {
    ("WWW-Authenticate".to_owned(), value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::digest::{self, Challenge};
    use crate::sip::message::{Method, Uri};
    use secrecy::SecretString;

    fn plan() -> Plan {
        Plan::new(&toml::from_str("[[users]]\nname='ann'\nsecret='right'").unwrap())
    }

    fn register() -> Request {
        Request::new(Method::Register, Uri::sip("", "parkdeck"))
    }

    fn from(last: u8) -> Peer {
        Peer::udp(([192, 0, 2, last], 5060).into())
    }

    /// One guess, with a fresh challenge from the same address; true when it is let in.
    #[test]
    fn phones_that_know_only_md5_are_offered_nothing_else_where_the_administrator_says_so() {
        let mut gate = Gate::new("parkdeck", [1; 32]);
        let offered = |gate: &mut Gate| match gate.admit(Moment::ZERO, from(1), &register(), &plan()) {
            Admission::Challenge(lines) => lines.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert!(offered(&mut gate)[0].contains("algorithm=SHA-256"));
        gate.offer(DigestOffer::Md5);
        let lines = offered(&mut gate);
        assert!(lines.len() == 1 && lines[0].contains("algorithm=MD5"), "{lines:?}");
    }

    fn guess(gate: &mut Gate, now: Moment, from: Peer, name: &str, password: &str) -> Admission {
        let Admission::Challenge(lines) = gate.admit(now, from, &register(), &plan()) else {
            panic!("no credentials are always challenged")
        };
        let challenge = Challenge::read(&lines[0].1).unwrap();
        let password = SecretString::from(password);
        let asking = Asking { method: "REGISTER", uri: "sip:parkdeck", body: b"" };
        let line = digest::answer(&challenge, name, &password, asking, 1, "c");
        let mut request = register();
        request.headers.push("Authorization", line);
        gate.admit(now, from, &request, &plan())
    }

    fn is_put_off(admission: &Admission) -> bool {
        matches!(admission, Admission::PutOff { .. })
    }

    #[test]
    fn ten_guesses_a_minute_and_the_owner_elsewhere_comes_in() {
        let mut gate = Gate::new("parkdeck", [1; 32]);
        let tried = (0..100)
            .map(|second| Moment::from_millis(600 * second))
            .filter(|now| !is_put_off(&guess(&mut gate, *now, from(1), "ann", "wrong")))
            .count();
        assert!(tried <= 10, "{tried} guesses in a minute");
        let now = Moment::from_secs(30);
        assert!(is_put_off(&guess(&mut gate, now, from(1), "ann", "right")), "not even looked at");
        assert_eq!(guess(&mut gate, now, from(2), "ann", "right"), Admission::User("ann".into()));
    }

    #[test]
    fn who_goes_on_is_put_off_for_longer_and_is_let_in_in_the_end() {
        let mut gate = Gate::new("parkdeck", [1; 32]);
        let waits: Vec<u64> = (0..2)
            .scan(Moment::ZERO, |now, _| {
                while !is_put_off(&guess(&mut gate, *now, from(1), "ann", "wrong")) {}
                let start = *now;
                while is_put_off(&guess(&mut gate, *now, from(1), "ann", "right")) {
                    *now += Duration::from_secs(1);
                    // Ask with a wrong one from here on, to be counted afresh.
                }
                guess(&mut gate, *now, from(1), "ann", "wrong");
                Some((*now - start).as_secs())
            })
            .collect();
        assert_eq!(waits, [60, 60], "the right password cleans the slate");
        let mut now = Moment::from_secs(10_000);
        for expected in [60, 120, 180] {
            while !is_put_off(&guess(&mut gate, now, from(1), "ann", "wrong")) {}
            let Admission::PutOff { headers, .. } = guess(&mut gate, now, from(1), "ann", "wrong") else {
                panic!()
            };
            assert_eq!(headers[0], ("Retry-After".to_owned(), (expected + 1).to_string()));
            now += Duration::from_secs(expected);
        }
    }

    #[test]
    fn nobody_learns_whether_a_user_exists() {
        let mut gate = Gate::new("parkdeck", [1; 32]);
        for name in ["ann", "nobody"] {
            let answers: Vec<bool> = (0..12)
                .map(|_| is_put_off(&guess(&mut gate, Moment::ZERO, from(3), name, "wrong")))
                .collect();
            assert_eq!(answers.iter().filter(|put_off| !**put_off).count(), 10, "{name}");
        }
    }

    #[test]
    fn invented_names_dont_wash_away_who_is_put_off() {
        let mut gate = Gate::new("parkdeck", [1; 32]);
        for _ in 0..10 {
            guess(&mut gate, Moment::ZERO, from(1), "ann", "wrong");
        }
        for n in 0..5_000 {
            guess(&mut gate, Moment::from_millis(n), from(1), &format!("user{n}"), "wrong");
        }
        assert!(is_put_off(&guess(&mut gate, Moment::from_secs(10), from(1), "ann", "right")));
        assert_eq!(gate.suspects.len(), MAX_SUSPECTS);
    }

    #[test]
    fn what_is_remembered_of_guesses_is_bounded() {
        let mut gate = Gate::new("parkdeck", [1; 32]);
        for n in 0..MAX_SUSPECTS + 50 {
            guess(&mut gate, Moment::ZERO, from(4), &format!("user{n}"), "wrong");
        }
        assert_eq!(gate.suspects.len(), MAX_SUSPECTS);
    }
}
