//! Accounts, and where their credentials may go: to the account's own server only. Which challenge is answered, and how
//! often, is the wallet's matter.

use super::errand::Errand;
use super::registration::Registration;
use super::servers::Place;
use super::wallet::Wallet;
use super::{Account, AccountKey, UserAgent};
use crate::sip::Peer;
use crate::sip::message::{NameAddr, Request, Response};

/// An account and what has become of it.
pub(super) struct Standing {
    pub(super) account: Account,
    pub(super) registration: Registration,
    wallet: Wallet,
    /// Where it is served.
    pub(super) place: Place,
}

impl UserAgent {
    /// Adds an account. Nothing is sent before `register`. Beyond [`super::MAX_ACCOUNTS`] the last one is replaced.
    pub fn add_account(&mut self, account: Account) -> AccountKey {
        let full = self.accounts.len() >= super::MAX_ACCOUNTS;
        if let Some((_, mut last)) = full.then(|| self.accounts.pop_last()).flatten() {
            last.registration.cancel_alarm(&mut self.alarms);
        }
        let key = AccountKey(self.next_key());
        let registration = Registration::new(self.long_token(), self.token());
        let wallet = Wallet::new(&account);
        self.accounts.insert(key, Standing { account, registration, wallet, place: Place::default() });
        key
    }

    /// Forgets an account, whatever is under way for it: give its registration back first.
    pub fn remove_account(&mut self, account: AccountKey) {
        if let Some(mut standing) = self.accounts.remove(&account) {
            standing.registration.cancel_alarm(&mut self.alarms);
        }
    }

    /// Whether a connection to that peer may be opened, if there is none: to a server of ours always.
    pub(super) fn opens_to(&self, peer: Peer) -> bool {
        self.config.opens_connections || self.accounts.values().any(|standing| standing.is_own(peer))
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
            Some(key) => self.accounts.get(&key).is_some_and(|s| s.wallet.has_nonce()),
            None => true,
        }
    }

    /// The server has restarted: a nonce of before is probably refused, so that each request would be sent twice.
    pub(super) fn forget_nonce(&mut self, account: Option<AccountKey>) {
        if let Some(standing) = account.and_then(|key| self.accounts.get_mut(&key)) {
            standing.wallet.forget_nonces();
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
        let Self { accounts, rng, .. } = self;
        let standing = account.and_then(|key| accounts.get_mut(&key));
        if let Some(standing) = standing.filter(|s| s.is_own(to)) {
            standing.sign(request, || super::token_of(rng));
        }
    }

    /// The same request with an answer to the challenge in `response`. An error if none must be given; with words where
    /// there is more to say than that the password is wrong.
    pub(super) fn answer_challenge(
        &mut self,
        errand: &mut Errand,
        from: Peer,
        request: &Request,
        response: &Response,
    ) -> Result<Request, Option<String>> {
        let Self { accounts, rng, .. } = self;
        let standing = errand.account.and_then(|key| accounts.get_mut(&key)).ok_or(None)?;
        if !standing.is_own(errand.to) || from != errand.to {
            return Err(None);
        }
        let weakest = standing.account.weakest_digest;
        if let Err(words) = standing.wallet.take(response, &mut errand.answered, weakest) {
            standing.wallet.forget_nonces();
            return Err(words);
        }
        let mut request = request.clone();
        standing.sign(&mut request, || super::token_of(rng));
        Ok(request)
    }

    /// Reads Authentication-Info. False if the server claims to know the password and does not.
    pub(super) fn take_acknowledgement(
        &mut self,
        errand: (Option<AccountKey>, Peer),
        from: Peer,
        request: &Request,
        response: &Response,
    ) -> bool {
        let (account, to) = errand;
        let Some(standing) = account.and_then(|key| self.accounts.get_mut(&key)) else { return true };
        if !standing.is_own(to) || from != to {
            return true;
        }
        let Account { username, password, .. } = &standing.account;
        standing.wallet.take_acknowledgement(request, response, username, password)
    }
}

impl Standing {
    fn sign(&mut self, request: &mut Request, cnonce: impl FnMut() -> String) {
        let Account { username, password, .. } = &self.account;
        self.wallet.sign(request, username, password, cnonce);
    }
}
