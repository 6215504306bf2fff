//! The servers of an account (RFC 3263 4.3): which of them serves at the moment.

use super::{AccountKey, UserAgent};
use crate::sip::{Moment, Peer};

impl UserAgent {
    /// The servers of an account anew, in order of preference, as its names were looked up. An empty list changes nothing.
    pub fn set_servers(&mut self, now: Moment, account: AccountKey, servers: Vec<Peer>) {
        let _ = now;
        if let Some(standing) = self.accounts.get_mut(&account).filter(|_| !servers.is_empty()) {
            standing.account.servers = servers;
        }
    }

    /// The server that serves an account at the moment: where to send what is for its phone system.
    pub fn server_of(&self, account: AccountKey) -> Option<Peer> {
        self.accounts.get(&account)?.account.servers.first().copied()
    }

    /// Whether that is a server of this account, and so one that its phone system may speak through.
    pub fn is_own_server(&self, account: AccountKey, peer: Peer) -> bool {
        self.is_server_of(Some(account), peer)
    }
}
