//! What the network itself says of datagrams that did not arrive: ICMP's “destination unreachable”, which Linux keeps in
//! a queue beside the socket's data. Other systems don't tell whom it is about, so that nothing is heard of it there.
//!
//! Whoever guesses our port can make such a message up. Here it is only read; what follows from it is bounded where that
//! is decided ([`crate::sip::UserAgent::datagram_refused`]). At most [`QUEUE`] wait to be taken, the rest is forgotten.

use std::net::SocketAddr;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Refusals that nobody has taken yet; a request that is repeated is refused again.
pub(super) const QUEUE: usize = 64;

/// Listens for as long as it is kept.
pub(super) struct RefusalEar(Option<AbortHandle>);

impl Drop for RefusalEar {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl RefusalEar {
    /// Tells `teller` to where a datagram of this socket could not be delivered. Where the system doesn't say so, silence.
    pub(super) fn of(socket: &tokio::net::UdpSocket, teller: mpsc::Sender<SocketAddr>) -> Self {
        #[cfg(target_os = "linux")]
        match linux::queue_of(socket) {
            Ok(queue) => return Self(Some(tokio::spawn(linux::listen(queue, teller)).abort_handle())),
            Err(error) => tracing::debug!(target: "net", %error, "refused datagrams go unnoticed"),
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (socket, teller);
        Self(None)
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use nix::cmsg_space;
    use nix::errno::Errno;
    use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
    use socket2::SockRef;
    use std::io::{self, IoSliceMut};
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::AsRawFd;
    use tokio::io::Interest;
    use tokio::net::UdpSocket;
    use tokio::sync::mpsc;

    /// `ee_origin` of what an ICMP message said, and the type that says “destination unreachable” (RFC 792, RFC 4443 3.1).
    const UNREACHABLE_V4: (u8, u8) = (2, 3);
    const UNREACHABLE_V6: (u8, u8) = (3, 1);
    /// Read in a row before anybody else gets his turn.
    const IN_A_ROW: usize = 32;

    /// The socket once more, with its queue of errors switched on.
    pub(super) fn queue_of(socket: &UdpSocket) -> io::Result<UdpSocket> {
        match socket.local_addr()?.is_ipv4() {
            true => setsockopt(socket, Ipv4RecvErr, &true)?,
            false => setsockopt(socket, Ipv6RecvErr, &true)?,
        }
        UdpSocket::from_std(SockRef::from(socket).try_clone()?.into())
    }

    pub(super) async fn listen(queue: UdpSocket, teller: mpsc::Sender<SocketAddr>) {
        while queue.ready(Interest::ERROR).await.is_ok() {
            for _ in 0..IN_A_ROW {
                match queue.try_io(Interest::ERROR, || next(&queue).map_err(io::Error::from)) {
                    Ok(Some(to)) => drop(teller.try_send(to)),
                    Ok(None) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => {
                        tracing::debug!(target: "net", %error, "refused datagrams go unnoticed from now on");
                        return;
                    }
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes the next error out of the queue: to where the datagram went that nobody takes, if it says that.
    fn next(queue: &UdpSocket) -> Result<Option<SocketAddr>, Errno> {
        let mut control = cmsg_space!([u8; 128]);
        let mut payload = [0; 1];
        let mut slices = [IoSliceMut::new(&mut payload)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let told = recvmsg::<SockaddrStorage>(queue.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
        let unreachable = |message| match message {
            ControlMessageOwned::Ipv4RecvErr(error, _) => (error.ee_origin, error.ee_type) == UNREACHABLE_V4,
            ControlMessageOwned::Ipv6RecvErr(error, _) => (error.ee_origin, error.ee_type) == UNREACHABLE_V6,
            _ => false,
        };
        if !told.cmsgs()?.any(unreachable) {
            return Ok(None);
        }
        let v4 = |to: &SockaddrStorage| to.as_sockaddr_in().map(|to| SocketAddr::V4(SocketAddrV4::from(*to)));
        let v6 =
            |to: &SockaddrStorage| to.as_sockaddr_in6().map(|to| SocketAddr::V6(SocketAddrV6::from(*to)));
        Ok(told.address.as_ref().and_then(|to| v4(to).or_else(|| v6(to))))
    }
}
