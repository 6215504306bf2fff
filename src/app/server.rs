//! The way to the server: found by name, bound towards, tried again until it works; and the signals that end the wait.

use super::settings::first_desk;
use crate::config::{Account, Config};
use crate::desk::{Command, Desk, Effect, Event};
use crate::io::clock::{Clock, entropy};
use crate::io::names::{self, Wanted};
use crate::io::net;
use crate::parking::Text;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Between two attempts to find a server whose name isn't known or to which no route leads.
const FIND_AGAIN: Duration = Duration::from_secs(10);

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

/// Finds the server and binds a socket towards it; shows what is wrong until it works. `None`: the operator left.
pub(super) async fn find_server(
    config: &Config,
    account: &Account,
    clock: &Clock,
    commanded: &mut mpsc::Receiver<Command>,
    shown: &watch::Sender<Arc<Desk>>,
) -> Option<(SocketAddr, UdpSocket)> {
    let mut desk = first_desk(account);
    loop {
        // Looking a name up takes seconds where nobody answers: keys are heard meanwhile.
        let reached = tokio::select! {
            reached = reach(config, account) => reached,
            () = leave_asked(&mut desk, clock, commanded, shown) => return None,
        };
        let reason = match reached {
            Ok(found) => return Some(found),
            Err(reason) => Text::new(&reason),
        };
        let retry_at = Some(clock.now() + FIND_AGAIN);
        desk.learn(clock.now(), Event::RegistrationFailed { reason, retry_at });
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

async fn reach(config: &Config, account: &Account) -> Result<(SocketAddr, UdpSocket), String> {
    let server = &account.server;
    let wanted = Wanted { host: server.host.clone(), port: Some(server.port_or_default()), transport: None };
    let found = names::resolve(&wanted, entropy()).await.map_err(|e| e.to_string())?;
    let address = found.first().ok_or("no server")?.address;
    let local = match config.network.address {
        Some(local) => local,
        None => net::address_towards(address).map_err(|e| format!("no way to {address}: {e}"))?,
    };
    let bind = SocketAddr::new(local, config.network.port);
    let socket = net::bind_sip(bind).map_err(|e| format!("can't listen on {bind}: {e}"))?;
    // Until it has been polled once, a fresh socket refuses to send at once: the first REGISTER would be lost.
    socket.writable().await.map_err(|e| format!("can't send from {bind}: {e}"))?;
    Ok((address, socket))
}
