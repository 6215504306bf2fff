//! Where we say that we are (Via, Contact), and what happens when that changes: another address of ours, a resume from
//! suspend, a NAT that sees us otherwise, a connection that had to be opened anew.

use super::call::Phase;
use super::{AccountKey, CallKey, Event, UserAgent, WatcherKey};
use crate::sip::message::{NameAddr, Response, Scheme, Uri, Via};
use crate::sip::{Moment, Peer, Transport};
use std::net::{IpAddr, SocketAddr};

impl UserAgent {
    /// We are reached at that address as well, by the family of addresses in which we had none. Nothing follows from it
    /// but what is sent there from now on.
    pub fn add_address(&mut self, local: SocketAddr) {
        self.config.move_to(local);
    }

    /// Our address changed to `local`, or (with the same address) we have just resumed: registers again at once, then
    /// renews the subscriptions and asks for new descriptions of running calls ([`Event::MediaAddressWanted`]).
    pub fn network_changed(&mut self, now: Moment, local: SocketAddr) {
        self.config.move_to(local);
        for standing in self.accounts.values_mut() {
            standing.place.seen = None;
        }
        // What hangs on an account follows once the registrar knows the new address.
        let accounts: Vec<AccountKey> = self.accounts.keys().copied().collect();
        // Until it is told again, whatever was told may have changed.
        accounts.iter().for_each(|account| self.doubt_subscriptions(*account));
        let (registered, others): (Vec<_>, Vec<_>) =
            accounts.into_iter().partition(|account| self.is_to_be_registered(*account));
        for account in &registered {
            self.forget_registration(*account);
        }
        self.close_own_flows(now, "our address changed");
        self.transactions.lose_datagrams("our address changed");
        for account in registered {
            self.register(now, account);
        }
        for account in others.into_iter().map(Some).chain([None]) {
            self.renew_account(now, account);
        }
        self.take_news(now);
    }

    /// The far end of these calls and watchers, which was at `from`, has proven to be at `to` now: where they stay with
    /// the address that they came from ([`super::UaConfig::bound_to_peer`], watchers), they go on there. Which ones are
    /// his is the owner's to say: several may share one address. What was agreed over TLS stays where TLS is.
    pub fn peer_moved(&mut self, calls: &[CallKey], watchers: &[WatcherKey], from: Peer, to: Peer) {
        if from.transport == Transport::Tls && to.transport != Transport::Tls {
            return;
        }
        let calls = self.calls.iter_mut().filter(|(key, _)| calls.contains(key)).map(|(_, c)| &mut c.dialog);
        let watchers = self.watchers.iter_mut().filter(|(key, _)| watchers.contains(key));
        for dialog in calls.chain(watchers.map(|(_, watcher)| &mut watcher.dialog)) {
            if dialog.peer == from {
                dialog.peer = to;
            }
        }
    }

    /// Brings what an account holds to the address that its server now knows: subscriptions, at the pace that all keep
    /// to, and running calls, whose owner gives the new descriptions.
    pub(super) fn renew_account(&mut self, now: Moment, account: Option<AccountKey>) {
        let watched = self.subscriptions.iter().filter(|(_, held)| held.account() == account);
        for subscription in watched.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.renew(now, subscription);
        }
        let calls = self.calls.iter().filter(|(_, call)| {
            call.account == account && !call.ended && matches!(call.phase, Phase::Accepted | Phase::Confirmed)
        });
        for call in calls.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.tell(Event::MediaAddressWanted { call });
        }
    }

    /// Our Contact with that user part, for whoever is at `to`: the transport by which he reaches us, and the address
    /// that he can use.
    pub(super) fn contact(&self, user: &str, to: Peer) -> String {
        let standing = self.account_at(to, user).and_then(|key| self.accounts.get(&key));
        if let Some(gruu) = standing.and_then(|standing| standing.place.gruu.as_ref()) {
            return NameAddr::new(gruu.clone()).to_string();
        }
        let mut uri = self.contact_uri(user, to);
        if standing.is_some_and(|standing| standing.place.outbound) {
            uri.params.set_flag("ob");
        }
        NameAddr::new(uri).to_string()
    }

    /// The same as a plain URI, as it is registered.
    pub(super) fn contact_uri(&self, user: &str, to: Peer) -> Uri {
        let standing = self.account_at(to, user).and_then(|key| self.accounts.get(&key));
        let seen = standing.and_then(|standing| standing.place.seen).filter(|(by, _)| is_seen_by(*by, to));
        let mut uri =
            Uri::at(user, seen.map_or_else(|| self.config.local_towards(to), |(_, address)| address));
        if standing.is_some_and(|standing| standing.is_sips()) {
            uri.scheme = Scheme::Sips;
        } else if to.transport != Transport::Udp {
            uri.params.set("transport", to.transport.uri_word());
        }
        uri
    }

    /// A fresh Via (RFC 3581: we ask for the port that our messages really come from; over a connection too, since that is
    /// how a server tells us by which address it knows it).
    pub(super) fn fresh_via(&mut self, to: Peer) -> String {
        let branch = format!("{}{}", Via::MAGIC, self.token());
        let local = self.config.local_towards(to);
        let host = match local.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        format!("SIP/2.0/{} {host}:{};branch={branch};rport", to.transport.via_word(), local.port())
    }

    /// Notes from where the account's server sees us come (`received` and `rport` of our Via).
    pub(super) fn learn_address(&mut self, account: AccountKey, from: Peer, response: &Response) {
        let local = self.config.local_towards(from);
        let Some(standing) = self.accounts.get_mut(&account).filter(|s| s.is_own(from)) else { return };
        if !standing.account.learns_address {
            return;
        }
        let Some(via) = response.headers.via() else { return };
        let port =
            via.params.get("rport").and_then(|port| port.parse::<u16>().ok()).filter(|port| *port != 0);
        let named = |host: &str| host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let ip = via.params.get("received").and_then(named);
        if port.is_none() && ip.is_none() {
            // A server that tells neither knows us by what we said.
            return;
        }
        let seen = SocketAddr::new(ip.unwrap_or(local.ip()), port.unwrap_or(local.port()));
        let differs = seen != local && !seen.ip().is_unspecified();
        standing.place.seen = differs.then_some((from, seen));
    }
}

/// Whether where `by` sees us come from is good for `to` too: what one of a family sees says nothing to the other.
fn is_seen_by(by: Peer, to: Peer) -> bool {
    by.transport == to.transport && by.address.is_ipv4() == to.address.is_ipv4()
}
