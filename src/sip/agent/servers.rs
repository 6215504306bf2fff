//! The servers of an account (RFC 3263 4.3): which of them serves at the moment, which are passed over for a while since
//! they failed, and what else its registrar has told us about the way (RFC 3608, RFC 5626, RFC 5627).

use super::credentials::Standing;
use super::errand::{Errand, Purpose};
use super::{AccountKey, Event, UserAgent};
use crate::sip::message::{Method, NameAddr, Request, Scheme, Uri};
use crate::sip::{Moment, Peer, Transport};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// The most servers of an account that are kept.
pub const MAX_SERVERS_OF_ACCOUNT: usize = 32;
/// How long a server is passed over that did not answer, or could not be reached; doubled with every time in a row.
const SHUN: Duration = Duration::from_secs(30);
/// The longest that one is passed over.
const SHUN_MAX: Duration = Duration::from_secs(600);
/// How old the list may become before it is asked for again.
const LIST_AGE: Duration = Duration::from_secs(1800);
/// How often it is asked for at most.
const WANTED_AGAIN: Duration = Duration::from_secs(10);

/// Where an account is, seen from here.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The server that serves at the moment; `None` means the first.
    current: Option<Peer>,
    /// Until when which servers are passed over, and how often in a row they failed.
    shunned: BTreeMap<Peer, (Moment, u32)>,
    /// When the list of servers was new, and when a new one was asked for last.
    list_made: Option<Moment>,
    list_wanted: Option<Moment>,
    /// The way that the registrar wants requests to take.
    pub(super) service_route: Vec<NameAddr>,
    /// From where which server sees us come, if that is not our own address.
    pub(super) seen: Option<(Peer, SocketAddr)>,
    /// Whether the registrar keeps to RFC 5626.
    pub(super) outbound: bool,
    /// An address of this device that everybody can use (RFC 5627).
    pub(super) gruu: Option<Uri>,
}

/// What is wrong with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No connection to it could be had.
    Unreachable,
    /// The network says that nobody takes datagrams there. Anybody can say so: the request may have arrived.
    Refused,
    /// The connection to it was lost: the request may have arrived.
    Cut,
    /// No answer from it.
    Silent,
    /// 503, perhaps with the seconds of its Retry-After.
    Busy(Option<u64>),
}

/// Which way a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To a server of that account, whichever answers.
    Servers(AccountKey),
    /// Along its dialog, or where the owner said.
    Fixed,
}

impl Standing {
    /// Whether that is one of the account's own servers, by the transport that the account wants. Over TCP a server that
    /// is spoken to by datagrams is the same one, if long requests go there.
    pub(super) fn is_own(&self, peer: Peer) -> bool {
        let servers = &self.account.servers;
        let grown = peer.transport == Transport::Tcp && self.account.udp_to_tcp;
        servers.contains(&peer) || (grown && servers.contains(&Peer::udp(peer.address)))
    }

    pub(super) fn server(&self) -> Option<Peer> {
        self.place.current.or_else(|| self.account.servers.first().copied())
    }

    /// The first that is not passed over, else the one that will be so for the shortest time.
    fn best(&self, now: Moment, except: &[Peer]) -> Option<Peer> {
        let shunned = |peer: &Peer| self.place.shunned.get(peer).is_some_and(|(until, _)| *until > now);
        let left = || self.account.servers.iter().filter(|peer| !except.contains(peer));
        let until = |peer: &&Peer| self.place.shunned.get(*peer).map(|(until, _)| *until);
        left().find(|peer| !shunned(peer)).or_else(|| left().min_by_key(until)).copied()
    }

    /// Whether requests of this account go only over TLS.
    pub(super) fn is_sips(&self) -> bool {
        self.account.aor.uri.scheme == Scheme::Sips
    }
}

impl UserAgent {
    /// The servers of an account anew, in order of preference, as its names were looked up; at most
    /// [`MAX_SERVERS_OF_ACCOUNT`]. An empty list changes nothing.
    pub fn set_servers(&mut self, now: Moment, account: AccountKey, mut servers: Vec<Peer>) {
        let Some(standing) = self.accounts.get_mut(&account).filter(|_| !servers.is_empty()) else { return };
        servers.truncate(MAX_SERVERS_OF_ACCOUNT);
        let place = &mut standing.place;
        place.list_made = Some(now);
        place.shunned.retain(|peer, _| servers.contains(peer));
        let kept = standing.server().is_some_and(|current| servers.contains(&current));
        standing.account.servers = servers;
        if !kept {
            standing.place.current = standing.best(now, &[]);
            self.register_again(now, account);
        }
    }

    /// The server that serves an account at the moment: where to send what is for its phone system.
    pub fn server_of(&self, account: AccountKey) -> Option<Peer> {
        self.accounts.get(&account)?.server()
    }

    /// Whether that is a server of this account, and so one that its phone system may speak through.
    pub fn is_own_server(&self, account: AccountKey, peer: Peer) -> bool {
        self.is_server_of(Some(account), peer)
    }

    /// The account whose server that is; of several the one whose user part it uses.
    pub(super) fn account_at(&self, peer: Peer, user: &str) -> Option<AccountKey> {
        let at = || self.accounts.iter().filter(|(_, standing)| standing.is_own(peer));
        let named = at().find(|(_, standing)| standing.account.aor.uri.user.as_deref() == Some(user));
        named.or_else(|| at().next()).map(|(key, _)| *key)
    }

    /// Where the next REGISTER goes: to the preferred server as soon as it is no longer passed over. What else goes out
    /// follows once that has worked.
    pub(super) fn registrar(&mut self, now: Moment, account: AccountKey) -> Option<Peer> {
        let standing = self.accounts.get_mut(&account)?;
        let made = *standing.place.list_made.get_or_insert(now);
        let best = standing.best(now, &[]);
        if now >= made + LIST_AGE {
            self.want_servers(now, account);
        }
        best
    }

    /// That server has granted a registration.
    pub(super) fn settle_at(&mut self, account: AccountKey, server: Peer) {
        let Some(standing) = self.accounts.get_mut(&account) else { return };
        let named = standing.account.servers.iter().find(|known| known.address == server.address);
        standing.place.current = named.copied();
        standing.place.shunned.remove(&server);
    }

    fn want_servers(&mut self, now: Moment, account: AccountKey) {
        let Some(standing) = self.accounts.get_mut(&account) else { return };
        let asked = &mut standing.place.list_wanted;
        if asked.is_none_or(|asked| now >= asked + WANTED_AGAIN) {
            *asked = Some(now);
            self.tell(Event::ServersWanted { account });
        }
    }

    /// Passes a server over for a while.
    fn shun(&mut self, now: Moment, account: AccountKey, server: Peer, trouble: Trouble) {
        let failures =
            self.accounts.get(&account).and_then(|s| s.place.shunned.get(&server)).map_or(0, |(_, n)| *n);
        let wait = match trouble {
            Trouble::Busy(Some(after_s)) => self.retry_after(after_s),
            _ => {
                let whole = (SHUN * 2u32.saturating_pow(failures.min(8))).min(SHUN_MAX);
                self.jitter(whole / 2, whole)
            }
        };
        let Some(standing) = self.accounts.get_mut(&account) else { return };
        standing.place.shunned.insert(server, (now + wait, failures.saturating_add(1)));
        let was = standing.server();
        standing.place.current = standing.best(now, &[]);
        if was == Some(server) && standing.server() != was {
            // The registration belongs where the calls go.
            self.register_again(now, account);
        }
    }

    /// A request has failed for a reason that says nothing about the request: sends it another way, if there is one and
    /// it can do no harm. False if there is none.
    pub(super) fn try_elsewhere(
        &mut self,
        now: Moment,
        errand: &Errand,
        request: &Request,
        trouble: Trouble,
    ) -> bool {
        if !self.wants_retry(errand.purpose) {
            return false;
        }
        let mut errand = errand.begun_again();
        let unreachable = matches!(trouble, Trouble::Unreachable | Trouble::Cut | Trouble::Refused);
        if errand.grown && trouble == Trouble::Unreachable {
            // RFC 3261 18.1.1: the request was only too long for a datagram, and goes as one all the same.
            self.flows.note_refused(now, errand.to.address);
            errand.to = Peer::udp(errand.to.address);
            self.send_again(now, errand, request.clone());
            return true;
        }
        if trouble != Trouble::Unreachable && !can_repeat(&request.method) {
            return false;
        }
        // A connection that was open and is gone says little about its server: once it is opened anew.
        if trouble == Trouble::Cut && !errand.reopened && self.opens_to(errand.to) {
            errand.reopened = true;
            self.send_again(now, errand, request.clone());
            return true;
        }
        let account = match errand.way {
            Way::Servers(account) => account,
            Way::Fixed => {
                match errand.account.filter(|key| unreachable && self.routes_by_name(*key, &errand, request))
                {
                    Some(account) => account,
                    None => return false,
                }
            }
        };
        // Nothing is given up because of what anybody can have said: only where there is another server is it heeded.
        if trouble == Trouble::Refused && !self.has_another(account, &errand) {
            return false;
        }
        // One call that finds no free line says nothing about the server.
        let one_call = trouble == Trouble::Busy(None) && request.method == Method::Invite;
        errand.tried.push(errand.to);
        if !one_call {
            self.shun(now, account, errand.to, trouble);
        }
        let next = self.accounts.get(&account).and_then(|standing| standing.best(now, &errand.tried));
        let Some(next) = next.filter(|_| errand.tried.len() <= MAX_SERVERS_OF_ACCOUNT) else {
            self.want_servers(now, account);
            return false;
        };
        let mut request = request.clone();
        self.change_family(&errand, &mut request, next);
        change_server(&mut request, &mut errand, next);
        self.send_again(now, errand, request);
        true
    }

    /// The network says that nobody takes datagrams at that address: an ICMP message, or no route (RFC 3261 18.4).
    ///
    /// Anybody who guesses our port can write such a message (RFC 5461 3), so it moves a request of which nothing was
    /// heard yet on to the next server, and does nothing else: no request fails by it, none is moved where there is no
    /// other server, none that would do its deed twice if it had arrived after all, and each at most once to each server.
    pub fn datagram_refused(&mut self, now: Moment, to: SocketAddr) {
        for client in self.transactions.unheard(Peer::udp(to)) {
            let asked = self.transactions.request_of(client).map(|(request, _)| request.clone());
            let (Some(request), Some(errand)) = (asked, self.errands.remove(&client)) else { continue };
            match self.try_elsewhere(now, &errand, &request, Trouble::Refused) {
                true => self.transactions.forget_client(client),
                false => drop(self.errands.insert(client, errand)),
            }
        }
        self.take_news(now);
    }

    /// Whether the account has a server to which that request has not gone yet.
    fn has_another(&self, account: AccountKey, errand: &Errand) -> bool {
        let untried = |peer: &&Peer| **peer != errand.to && !errand.tried.contains(peer);
        let servers = self.accounts.get(&account).map(|standing| standing.account.servers.iter());
        servers.is_some_and(|mut servers| servers.any(|peer| untried(&peer)))
    }

    /// A call that goes to a server of the other family of addresses is to be heard there: its offer names where, that
    /// of a running call as well.
    fn change_family(&mut self, errand: &Errand, request: &mut Request, next: Peer) {
        let (Purpose::Invite(call) | Purpose::Reinvite(call)) = errand.purpose else { return };
        if errand.to.address.is_ipv4() != next.address.is_ipv4() && !request.body.is_empty() {
            let (old, new) = (self.config.local_towards(errand.to), self.config.local_towards(next));
            request.body = self.readdress(call, old.ip(), new.ip(), std::mem::take(&mut request.body));
        }
    }

    /// Whether a request inside a dialog went to one of the account's servers only because we know no better: the route, or
    /// the target, gives a name that all of them answer to.
    fn routes_by_name(&self, account: AccountKey, errand: &Errand, request: &Request) -> bool {
        let hop =
            request.headers.routes("Route").into_iter().next().map_or_else(|| request.uri.clone(), |r| r.uri);
        hop.host_port_addr().is_none() && self.is_server_of(Some(account), errand.to)
    }

    /// Which way a request of that account takes that the owner sends there, and to which server.
    pub(super) fn way_of(
        &self,
        purpose: Purpose,
        account: Option<AccountKey>,
        to: Peer,
        request: &Request,
    ) -> (Way, Peer) {
        let inside = request.headers.to().is_some_and(|to| to.tag().is_some());
        let standing = account.and_then(|key| Some((key, self.accounts.get(&key)?)));
        match standing.filter(|(_, standing)| !inside && standing.is_own(to)) {
            Some((key, _)) if matches!(purpose, Purpose::Register(_)) => (Way::Servers(key), to),
            Some((key, standing)) => (Way::Servers(key), standing.server().unwrap_or(to)),
            None => (Way::Fixed, to),
        }
    }

    /// The route of a request outside a dialog: the outbound proxy, and behind it what the registrar named (RFC 3608 5).
    pub(super) fn preload_route(&self, account: AccountKey, request: &mut Request) {
        let Some(standing) = self.accounts.get(&account) else { return };
        let mut routes: Vec<NameAddr> =
            standing.account.outbound.iter().cloned().map(NameAddr::new).collect();
        if request.method != Method::Register {
            let same = |one: &NameAddr, other: &NameAddr| {
                one.uri.host.eq_ignore_ascii_case(&other.uri.host) && one.uri.port == other.uri.port
            };
            let named = &standing.place.service_route;
            let known = routes.last().zip(named.first()).is_some_and(|(last, first)| same(last, first));
            routes.extend(named.iter().skip(usize::from(known)).cloned());
        }
        if routes.first().is_some_and(|first| !first.uri.params.has("lr")) {
            // A router of RFC 2543 wants itself in the Request-URI and the target last (RFC 3261 12.2.1.1).
            let target = std::mem::replace(&mut request.uri, routes.remove(0).uri);
            routes.push(NameAddr::new(target));
        }
        for route in routes {
            request.headers.push("Route", route.to_string());
        }
    }
}

/// Whether a request that may have been heard can be said again without doing its deed twice. A call that is asked for
/// twice is seen to be: its first server lost the connection to us, or never answered.
fn can_repeat(method: &Method) -> bool {
    !matches!(method, Method::Refer | Method::Info | Method::Message)
}

/// Addresses a request to another server: what was said to the old one alone is taken back.
fn change_server(request: &mut Request, errand: &mut Errand, next: Peer) {
    for name in ["Authorization", "Proxy-Authorization"] {
        request.headers.remove(name);
    }
    errand.answered = Default::default();
    errand.to = next;
}
