//! Who may connect to us: as many as there is room for, and nobody so many that there is no room for the others.

use super::connection::{Way, source_of};
use super::{LINKS_MAX, LINKS_PER_SOURCE_MAX, Link, Net};
use crate::sip::{Peer, Transport};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Connections that the kernel may keep for us until we look.
const BACKLOG: i32 = 1_024;
/// Accepted in a row before anything else gets its turn.
const ACCEPTS_IN_A_ROW: usize = 64;
/// Between two attempts when the system has no files left.
const NO_FILES_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Listener {
    pub transport: Transport,
    pub local: SocketAddr,
    socket: TcpListener,
}

impl Listener {
    pub(super) fn bind(address: SocketAddr, transport: Transport) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // Connections of the last run that cool down don't keep us from listening again.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            // `[::]` and `0.0.0.0` are two addresses, as an administrator writes them.
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from_std(socket.into())?;
        Ok(Self { transport, local: socket.local_addr()?, socket })
    }
}

/// Lets the process have as many open files as `links` connections want, as far as the system permits.
pub(super) fn allow_files(links: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = (2 * links as u64).min(limit.maximum.unwrap_or(u64::MAX));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
        tracing::debug!(target: "net", wanted, ?raised, "open files");
    }
}

impl Net {
    /// Takes in who waits. Whether there may be more to do.
    pub(super) fn poll_listeners(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(pause) = &mut self.accept_again_at {
            if pause.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.accept_again_at = None;
        }
        for at in 0..self.listeners.len() {
            let mut taken = 0;
            while let Some(listener) = self.listeners.get(at) {
                if taken == ACCEPTS_IN_A_ROW {
                    return true;
                }
                taken += 1;
                let transport = listener.transport;
                match listener.socket.poll_accept(cx) {
                    Poll::Ready(Ok((stream, from))) => self.admit(Peer::new(transport, from), stream),
                    Poll::Ready(Err(error)) if is_about_them(&error) => {}
                    Poll::Ready(Err(error)) => {
                        tracing::warn!(target: "net", %error, "can't accept connections");
                        self.evict(None);
                        self.accept_again_at = Some(Box::pin(tokio::time::sleep(NO_FILES_PAUSE)));
                        return true;
                    }
                    Poll::Pending => break,
                }
            }
        }
        false
    }

    fn admit(&mut self, peer: Peer, stream: TcpStream) {
        let source = source_of(peer.ip());
        let from_there = self.accepted().filter(|(other, _)| source_of(other.ip()) == source).count();
        let full = self.links.len() >= LINKS_MAX;
        if from_there >= LINKS_PER_SOURCE_MAX && !self.evict(Some(source)) || full && !self.evict(None) {
            tracing::debug!(target: "net", %peer, "too many connections: one more is refused");
            return;
        }
        let tls = match peer.transport {
            Transport::Tls => self.server.clone(),
            _ => None,
        };
        self.start_link(peer, Way::In { stream, tls });
    }

    fn accepted(&self) -> impl Iterator<Item = (&Peer, &Link)> {
        self.links.iter().filter(|(_, link)| !link.opened_by_us)
    }

    /// Drops the oldest connection to which nothing was ever answered, of that source or of all. `false`: all have
    /// shown that they are honest.
    fn evict(&mut self, source: Option<IpAddr>) -> bool {
        let of_source = |peer: &Peer| source.is_none_or(|source| source_of(peer.ip()) == source);
        let oldest = self
            .accepted()
            .filter(|(peer, link)| !link.proven && of_source(peer))
            .min_by_key(|(_, link)| link.id)
            .map(|(peer, _)| *peer);
        match oldest {
            Some(peer) => {
                self.drop_link(peer, "made room for others");
                true
            }
            None => false,
        }
    }
}

/// Whether the one who connected is to blame (he has gone again), not the want of something here.
fn is_about_them(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
