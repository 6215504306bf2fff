//! Another address of ours, or a resume from suspend: what holds by the old address is brought to the new one.

use super::UserAgent;
use crate::sip::Moment;
use std::net::SocketAddr;

impl UserAgent {
    /// Our address changed to `local`, or (with the same address) we have just resumed: registers again at once, then
    /// renews the subscriptions and asks for new descriptions of running calls ([`super::Event::MediaAddressWanted`]).
    pub fn network_changed(&mut self, now: Moment, local: SocketAddr) {
        self.config.local = local;
        let registered: Vec<_> = self.accounts.keys().copied().collect();
        for account in registered {
            self.register_again(now, account);
            self.begin_subscriptions_afresh(now, account);
        }
    }
}
