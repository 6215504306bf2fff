//! Digest answers: given to the account's own server and realm only, and never twice to the same refusal.

use super::errand::Errand;
use super::registration::Registration;
use super::servers::Place;
use super::{Account, AccountKey, UserAgent};
use crate::sip::Peer;
use crate::sip::digest::{self, Challenge};
use crate::sip::message::{NameAddr, Request, Response};

/// An account and what has become of it.
pub(super) struct Standing {
    pub(super) account: Account,
    pub(super) registration: Registration,
    /// Configured, or the first that the server named.
    realm: Option<String>,
    nonce: Option<Nonce>,
    /// Where it is served.
    pub(super) place: Place,
}

/// A nonce that may be used again, so that not every request is refused once.
struct Nonce {
    challenge: Challenge,
    proxy: bool,
    count: u32,
}

/// How often one request may be challenged, stale nonces included.
const MAX_CHALLENGES: u8 = 3;

impl UserAgent {
    /// Adds an account. Nothing is sent before `register`. Beyond [`super::MAX_ACCOUNTS`] the last one is replaced.
    pub fn add_account(&mut self, account: Account) -> AccountKey {
        let full = self.accounts.len() >= super::MAX_ACCOUNTS;
        if let Some((_, mut last)) = full.then(|| self.accounts.pop_last()).flatten() {
            last.registration.cancel_alarm(&mut self.alarms);
        }
        let key = AccountKey(self.next_key());
        let registration = Registration::new(self.long_token(), self.token());
        let realm = account.realm.clone();
        self.accounts
            .insert(key, Standing { account, registration, realm, nonce: None, place: Place::default() });
        key
    }

    /// From for requests of an account, or as given, or nobody in particular.
    pub(super) fn sender(&self, account: Option<AccountKey>, from: Option<NameAddr>) -> NameAddr {
        let aor = account.and_then(|key| self.accounts.get(&key)).map(|s| s.account.aor.clone());
        from.or(aor).unwrap_or_else(|| {
            let anonymous = crate::sip::message::Uri::sip("anonymous", "anonymous.invalid");
            NameAddr::new(anonymous)
        })
    }

    /// Whether the next request of this account will not be refused for want of credentials, as far as we know.
    pub(super) fn has_nonce(&self, account: Option<AccountKey>) -> bool {
        match account {
            Some(key) => self.accounts.get(&key).is_some_and(|s| s.nonce.is_some()),
            None => true,
        }
    }

    /// The server has restarted: a nonce of before is probably refused, so that each request would be sent twice.
    pub(super) fn forget_nonce(&mut self, account: Option<AccountKey>) {
        if let Some(standing) = account.and_then(|key| self.accounts.get_mut(&key)) {
            standing.nonce = None;
        }
    }

    /// Whether this is the address of the account's own server: credentials go nowhere else.
    pub(super) fn is_server_of(&self, account: Option<AccountKey>, to: Peer) -> bool {
        account.and_then(|key| self.accounts.get(&key)).is_some_and(|s| s.is_own(to))
    }

    /// Answers the challenge that is still good, before it is asked again.
    pub(super) fn add_known_credentials(
        &mut self,
        account: Option<AccountKey>,
        to: Peer,
        request: &mut Request,
    ) {
        let cnonce = self.token();
        let standing = account.and_then(|key| self.accounts.get_mut(&key));
        if let Some(standing) = standing.filter(|s| s.is_own(to)) {
            standing.sign(request, &cnonce);
        }
    }

    /// The same request with an answer to the challenge in `response`; `None` if it must not be given.
    pub(super) fn answer_challenge(
        &mut self,
        errand: &mut Errand,
        from: Peer,
        request: &Request,
        response: &Response,
    ) -> Option<Request> {
        let proxy = response.status == 407;
        let cnonce = self.token();
        let standing = self.accounts.get_mut(&errand.account?)?;
        if !standing.is_own(errand.to) || from != errand.to {
            return None;
        }
        let challenge = standing.choose(response, proxy)?;
        let answered = if proxy { &mut errand.answered_proxy } else { &mut errand.answered_server };
        let again = std::mem::replace(answered, true);
        errand.challenges += 1;
        if errand.challenges > MAX_CHALLENGES || (again && !challenge.stale) {
            standing.nonce = None;
            return None;
        }
        standing.nonce = Some(Nonce { challenge, proxy, count: 0 });
        let mut request = request.clone();
        standing.sign(&mut request, &cnonce);
        Some(request)
    }
}

impl Standing {
    /// The strongest challenge of the pinned realm; the first realm that the server names is pinned.
    fn choose(&mut self, response: &Response, proxy: bool) -> Option<Challenge> {
        let offered = Challenge::read_all(&response.headers, proxy);
        if self.realm.is_none() {
            self.realm = offered.first().map(|challenge| challenge.realm.clone());
        }
        offered.into_iter().find(|challenge| Some(&challenge.realm) == self.realm.as_ref())
    }

    fn sign(&mut self, request: &mut Request, cnonce: &str) {
        let Some(nonce) = &mut self.nonce else { return };
        nonce.count = nonce.count.saturating_add(1);
        let value = digest::answer(
            &nonce.challenge,
            &self.account.username,
            &self.account.password,
            request.method.as_str(),
            &request.uri.to_string(),
            nonce.count,
            cnonce,
        );
        request.headers.set(if nonce.proxy { "Proxy-Authorization" } else { "Authorization" }, value);
    }
}
