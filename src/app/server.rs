//! The way to the servers: found by name, bound towards, tried again until it works; and the signals that end the wait.

use super::screen::Keyed;
use crate::config::{self, Account, Config, Proxy, Server, Tls, TransportChoice};
use crate::desk::{Desk, Effect, Event, LineId};
use crate::io::clock::{Clock, entropy};
use crate::io::names::{self, Wanted};
use crate::io::net::{self, Net, NetOptions};
use crate::io::tls::{TlsClient, TlsClientFiles, TlsName};
use crate::parking::Text;
use crate::sip::{Peer, Transport};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Between two attempts to find a server whose name isn't known or to which no route leads.
pub(super) const FIND_AGAIN: Duration = Duration::from_secs(10);

/// The signals that ask us to leave.
pub(super) struct Signals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Option<Signal>,
}

impl Signals {
    /// Listens; without `interrupt` to all but Ctrl-C, which somebody else takes for a key.
    pub(super) fn listen(interrupt: bool) -> std::io::Result<Self> {
        let interrupt = interrupt.then(|| signal(SignalKind::interrupt())).transpose()?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt,
        })
    }

    /// Until one of them comes.
    pub(super) async fn come(&mut self) {
        let interrupted = async {
            match &mut self.interrupt {
                Some(interrupt) => interrupt.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.hang_up.recv() => {}, _ = interrupted => {} }
    }
}

/// What was found at the start: the servers of each account (none where its name isn't known yet), a socket towards the
/// first of them, and one towards those of the other family of addresses, if there are any.
pub(super) struct Found {
    pub servers: Vec<Vec<Peer>>,
    pub net: Net,
    pub local: SocketAddr,
    pub other: Option<SocketAddr>,
}

/// Finds the servers and binds a socket towards the first that is found; shows what is wrong on `desk` until there is one. `None`:
/// the operator left.
pub(super) async fn find_servers(
    config: &Config,
    mut desk: Desk,
    clock: &Clock,
    commanded: &mut mpsc::Receiver<Keyed>,
    shown: &watch::Sender<Arc<Desk>>,
) -> Option<Found> {
    loop {
        // Looking a name up takes seconds where nobody answers: keys are heard meanwhile.
        let reached = tokio::select! {
            reached = reach(config) => reached,
            () = leave_asked(&mut desk, clock, commanded, shown) => return None,
        };
        let reasons = match reached {
            Ok(found) => return Some(found),
            Err(reasons) => reasons,
        };
        let retry_at = Some(clock.now() + FIND_AGAIN);
        for (line, reason) in (0u8..).map(LineId).zip(reasons) {
            let reason = Text::new(&reason);
            desk.learn_on(clock.now(), line, Event::RegistrationFailed { reason, retry_at });
        }
        shown.send_replace(Arc::new(desk.clone()));
        tokio::select! {
            () = tokio::time::sleep(FIND_AGAIN) => {}
            () = leave_asked(&mut desk, clock, commanded, shown) => return None,
        }
    }
}

/// Hears the operator while there is no phone yet, until he leaves.
async fn leave_asked(
    desk: &mut Desk,
    clock: &Clock,
    commanded: &mut mpsc::Receiver<Keyed>,
    shown: &watch::Sender<Arc<Desk>>,
) {
    // No more commands: the screen's thread is gone.
    while let Some(Keyed { command, .. }) = commanded.recv().await {
        let now = clock.now();
        for effect in desk.obey(now, command) {
            match effect {
                Effect::Leave => return,
                Effect::Dial { call, .. } => {
                    let reason = Text::new("there is no server to call through");
                    desk.learn(now, Event::CallEnded { call, reason, by_them: false });
                }
                _ => {}
            }
        }
        shown.send_replace(Arc::new(desk.clone()));
    }
}

/// Every account's servers; the reasons, one for each account, when there is none at all.
async fn reach(config: &Config) -> Result<Found, Vec<String>> {
    let mut lookups = tokio::task::JoinSet::new();
    for (i, account) in config.accounts.iter().cloned().enumerate() {
        lookups.spawn(async move { (i, look_up(&account).await) });
    }
    let mut found = vec![Ok(Vec::new()); config.accounts.len()];
    for (i, servers) in lookups.join_all().await {
        if let Some(place) = found.get_mut(i) {
            *place = servers;
        }
    }
    let Some(first) = found.iter().flatten().flatten().next().copied() else {
        return Err(found.into_iter().filter_map(Result::err).collect());
    };
    let servers: Vec<Vec<Peer>> = found.into_iter().map(Result::unwrap_or_default).collect();
    let opened = open_net(config, first.address).await;
    let (mut net, local) = opened.map_err(|reason| vec![reason; config.accounts.len()])?;
    for (account, servers) in config.accounts.iter().zip(&servers) {
        expect(&mut net, account, servers);
    }
    let other = reach_also(&config.network, &mut net, servers.iter().flatten()).await;
    Ok(Found { servers, net, local, other })
}

/// Binds a socket towards those servers that no socket of ours leads to, being of the other family of addresses; where we
/// are then. Not where the operator chose our address: it is of one family.
pub(super) async fn reach_also(
    network: &config::Network,
    net: &mut Net,
    servers: impl IntoIterator<Item = &Peer>,
) -> Option<SocketAddr> {
    let server = servers.into_iter().map(|peer| peer.address).find(|to| net.local_for(*to).is_none())?;
    // Without a way there it is tried like any other server that does not answer.
    let address = net::address_towards(server).ok().filter(|_| network.address.is_none())?;
    let bind = SocketAddr::new(address, network.port);
    match net.bind(bind).await {
        Ok(local) => {
            net.watch(server, false);
            Some(local)
        }
        Err(error) => {
            tracing::warn!(%bind, %error, "can't listen there");
            None
        }
    }
}

/// Where an account's server is, or the outbound proxy through which everything goes: by NAPTR, SRV and addresses, in the
/// order in which they are to be tried.
pub(super) async fn look_up(account: &Account) -> Result<Vec<Peer>, String> {
    let (server, transport) = next_hop(account);
    let transport = match transport {
        TransportChoice::Auto => None,
        TransportChoice::Udp => Some(Transport::Udp),
        TransportChoice::Tcp => Some(Transport::Tcp),
        TransportChoice::Tls => Some(Transport::Tls),
    };
    let wanted = Wanted { host: server.host.clone(), port: server.port, transport };
    names::resolve(&wanted, entropy()).await.map_err(|e| e.to_string())
}

/// Over TLS, the domain that was configured is to be proven, whatever DNS made of it (RFC 5922 4).
pub(super) fn expect(net: &mut Net, account: &Account, servers: &[Peer]) {
    let (server, _) = next_hop(account);
    for peer in servers.iter().filter(|peer| peer.transport == Transport::Tls) {
        net.expect(*peer, TlsName::of_host(&server.host));
    }
}

fn next_hop(account: &Account) -> (&Server, TransportChoice) {
    match &account.outbound_proxy {
        Some(Proxy { server, transport: TransportChoice::Auto }) => (server, account.transport),
        Some(Proxy { server, transport }) => (server, *transport),
        None => (&account.server, account.transport),
    }
}

/// Our sockets: one from the address that leads to the server, watched from then on.
pub(super) async fn open_net(config: &Config, server: SocketAddr) -> Result<(Net, SocketAddr), String> {
    let local = match config.network.address {
        Some(local) => local,
        None => net::address_towards(server).map_err(|e| format!("no way to {server}: {e}"))?,
    };
    let bind = SocketAddr::new(local, config.network.port);
    let client = Some(TlsClient::new(tls_files(&config.tls)));
    let options = NetOptions { udp: vec![bind], client, ..NetOptions::default() };
    let cant = |e: std::io::Error| format!("can't listen on {bind}: {e}");
    let mut net = Net::open(options).await.map_err(cant)?;
    net.watch(server, config.network.address.is_some());
    let local = net.local_for(bind).unwrap_or(bind);
    Ok((net, local))
}

/// The files of TLS, in the words of the network.
pub(super) fn tls_files(tls: &Tls) -> TlsClientFiles {
    TlsClientFiles {
        ca: tls.ca_file.clone(),
        certificate: tls.own.as_ref().map(|own| own.certificate_file.clone()),
        key: tls.own.as_ref().map(|own| own.key_file.clone()),
        verify: tls.verify,
    }
}
