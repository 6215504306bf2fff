//! Which challenges an account answers, with which of its nonces: the strongest known digest of its own realms, no
//! weaker than allowed, each realm once, and once more if only its nonce was old.

use super::Account;
use crate::sip::digest::{self, Acknowledgement, Algorithm, Asking, Challenge};
use crate::sip::message::{Request, Response};
use secrecy::SecretString;

/// The most realms of one account that are answered, proxies' and registrar's together.
pub const MAX_REALMS: usize = 4;
/// How often one request answers one realm: the second time only because the nonce was stale.
const MAX_ANSWERS: u8 = 2;
/// Where each kind of server looks for what was asked: the challenge's header, the answer's, the acknowledgement's.
const HEADERS: [(bool, &str, &str); 2] = [
    (false, "Authorization", "Authentication-Info"),
    (true, "Proxy-Authorization", "Proxy-Authentication-Info"),
];

/// What of one request's challenges was answered: realm, whether a proxy's, how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answered(Vec<(String, bool, u8)>);

impl Answered {
    /// Counts one more answer; false if there were too many, or the one before was not good enough.
    fn count(&mut self, challenge: &Challenge, proxy: bool) -> bool {
        let held = self.0.iter_mut().find(|(realm, p, _)| *realm == challenge.realm && *p == proxy);
        match held {
            Some((_, _, times)) if challenge.stale && *times < MAX_ANSWERS => *times += 1,
            Some(_) => return false,
            None => self.0.push((challenge.realm.clone(), proxy, 1)),
        }
        true
    }
}

/// A nonce that may be used again, so that not every request is refused once.
#[derive(Debug)]
struct Nonce {
    challenge: Challenge,
    proxy: bool,
    count: u32,
}

/// The nonces of an account, and what may be done with them.
#[derive(Debug, Default)]
pub(super) struct Wallet {
    /// Configured, or the first that the server named.
    realms: Vec<String>,
    nonces: Vec<Nonce>,
}

impl Wallet {
    pub(super) fn new(account: &Account) -> Self {
        let realms = account.realm.iter().chain(&account.further_realms);
        Self { realms: realms.take(MAX_REALMS).cloned().collect(), nonces: Vec::new() }
    }

    pub(super) fn has_nonce(&self) -> bool {
        !self.nonces.is_empty()
    }

    /// Takes in the challenges of a response to our request. An error means that they are not answered; in words, where
    /// there is more to say than that the password is wrong.
    pub(super) fn take(
        &mut self,
        response: &Response,
        answered: &mut Answered,
        weakest: Algorithm,
    ) -> Result<(), Option<String>> {
        let proxy = response.status == 407;
        let offered = Challenge::read_all(&response.headers, proxy);
        if self.realms.is_empty() {
            self.realms.extend(offered.first().map(|challenge| challenge.realm.clone()));
        }
        let mut chosen: Vec<&Challenge> = Vec::new();
        for challenge in &offered {
            let ours = self.realms.contains(&challenge.realm);
            let strong = challenge.algorithm.strength() >= weakest.strength();
            if ours && strong && !chosen.iter().any(|held| held.realm == challenge.realm) {
                chosen.push(challenge);
            }
        }
        if chosen.is_empty() {
            return Err(Some(self.refusal(response, proxy, &offered)));
        }
        for challenge in chosen {
            self.nonces.retain(|held| held.challenge.realm != challenge.realm || held.proxy != proxy);
            if !answered.count(challenge, proxy) {
                return Err(None);
            }
            self.nonces.push(Nonce { challenge: challenge.clone(), proxy, count: 0 });
        }
        Ok(())
    }

    /// Why none of these challenges is answered.
    fn refusal(&self, response: &Response, proxy: bool, offered: &[Challenge]) -> String {
        let of_ours: Vec<&Challenge> = offered.iter().filter(|c| self.realms.contains(&c.realm)).collect();
        if let Some(strongest) = of_ours.first() {
            let name = strongest.algorithm.name();
            return format!("the server offers only {name}, the configuration forbids it");
        }
        if let Some(other) = offered.first() {
            let ours = self.realms.join("\", \"");
            return format!(
                "the server asks for the password of \"{}\", ours is for \"{ours}\"",
                other.realm
            );
        }
        match Challenge::unknown_algorithms(&response.headers, proxy).first() {
            Some(name) => format!("the server offers only {name}, which is not known here"),
            None => "the server refuses us without saying how to prove who we are".to_owned(),
        }
    }

    /// Answers every challenge that is still good, each with the next number of its nonce (RFC 7616 3.3).
    pub(super) fn sign(
        &mut self,
        request: &mut Request,
        username: &str,
        password: &SecretString,
        mut cnonce: impl FnMut() -> String,
    ) {
        let uri = request.uri.to_string();
        for (_, header, _) in HEADERS {
            request.headers.remove(header);
        }
        for nonce in &mut self.nonces {
            nonce.count = nonce.count.saturating_add(1);
            let asking = Asking { method: request.method.as_str(), uri: &uri, body: &request.body };
            let value = digest::answer(&nonce.challenge, username, password, asking, nonce.count, &cnonce());
            let header = if nonce.proxy { "Proxy-Authorization" } else { "Authorization" };
            request.headers.push(header, value);
        }
    }

    /// Forgets nonces that were not good enough.
    pub(super) fn forget_nonces(&mut self) {
        self.nonces.clear();
    }

    /// Reads what a server says beside its answer to a signed request: the next nonce, and the proof that it knows the
    /// password as well. False if that proof is wrong.
    pub(super) fn take_acknowledgement(
        &mut self,
        request: &Request,
        response: &Response,
        username: &str,
        password: &SecretString,
    ) -> bool {
        let mut proven = true;
        for (proxy, given, told) in HEADERS {
            let (Some(info), Some(given)) = (response.headers.get(told), request.headers.get(given)) else {
                continue;
            };
            let Acknowledgement { next_nonce, proven: proof } =
                digest::acknowledgement(info, given, username, password, &response.body);
            proven &= proof.unwrap_or(true);
            let realm = digest::realm_of(given);
            let held = self
                .nonces
                .iter_mut()
                .find(|nonce| nonce.proxy == proxy && Some(&nonce.challenge.realm) == realm.as_ref());
            if let (Some(held), Some(next)) = (held.filter(|_| proven), next_nonce) {
                held.challenge.nonce = next;
                held.count = 0;
            }
        }
        proven
    }
}
