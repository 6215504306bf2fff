//! The way to the servers: found by name, bound towards, tried again until it works; and the signals that end the wait.

use super::settings::first_desk;
use crate::config::{Account, Config};
use crate::desk::{Command, Desk, Effect, Event, LineId};
use crate::io::clock::Clock;
use crate::io::net;
use crate::parking::Text;
use crate::sip::Peer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Between two attempts to find a server whose name isn't known or to which no route leads.
pub(super) const FIND_AGAIN: Duration = Duration::from_secs(10);

/// The signals that ask us to leave.
pub(super) struct Signals([Signal; 3]);

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        let [terminate, hang_up, interrupt] =
            [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()].map(signal);
        Ok(Self([terminate?, hang_up?, interrupt?]))
    }

    /// Until one of them comes.
    pub(super) async fn come(&mut self) {
        let [terminate, hang_up, interrupt] = &mut self.0;
        tokio::select! { _ = terminate.recv() => {}, _ = hang_up.recv() => {}, _ = interrupt.recv() => {} }
    }
}

/// What was found at the start: the servers of each account (none where its name isn't known yet), and a socket.
pub(super) struct Found {
    pub servers: Vec<Vec<Peer>>,
    pub socket: UdpSocket,
}

/// Finds the servers and binds a socket towards the first that is found; shows what is wrong until there is one. `None`:
/// the operator left.
pub(super) async fn find_servers(
    config: &Config,
    clock: &Clock,
    commanded: &mut mpsc::Receiver<Command>,
    shown: &watch::Sender<Arc<Desk>>,
) -> Option<Found> {
    let mut desk = first_desk(config);
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
    commanded: &mut mpsc::Receiver<Command>,
    shown: &watch::Sender<Arc<Desk>>,
) {
    // No more commands: the screen's thread is gone.
    while let Some(command) = commanded.recv().await {
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
    let socket = socket_towards(config, first.address).await.map_err(|e| vec![e; config.accounts.len()])?;
    Ok(Found { servers: found.into_iter().map(Result::unwrap_or_default).collect(), socket })
}

/// Where an account's server is.
pub(super) async fn look_up(account: &Account) -> Result<Vec<Peer>, String> {
    let server = &account.server;
    let address = net::resolve(&server.host, server.port_or_default()).await;
    let address = address.map_err(|e| format!("can't find the server “{}”: {e}", server.host))?;
    Ok(vec![address.into()])
}

async fn socket_towards(config: &Config, address: SocketAddr) -> Result<UdpSocket, String> {
    let local = match config.network.address {
        Some(local) => local,
        None => net::address_towards(address).map_err(|e| format!("no way to {address}: {e}"))?,
    };
    let bind = SocketAddr::new(local, config.network.port);
    let socket = net::bind_sip(bind).map_err(|e| format!("can't listen on {bind}: {e}"))?;
    // Until it has been polled once, a fresh socket refuses to send at once: the first REGISTER would be lost.
    socket.writable().await.map_err(|e| format!("can't send from {bind}: {e}"))?;
    Ok(socket)
}
