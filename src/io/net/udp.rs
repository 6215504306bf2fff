//! UDP sockets for SIP, and which address of ours a server sees.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// What a SIP socket asks the kernel to keep for it: a burst of 200 CANCELs overran the default.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A bound, non-blocking UDP socket with room for bursts.
///
/// # Errors
/// When the address isn't ours or the port is taken.
pub fn bind_sip(address: SocketAddr) -> io::Result<tokio::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // The kernel may grant less; bursts are then repeated by their senders.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    tokio::net::UdpSocket::from_std(UdpSocket::from(socket))
}

/// The local address that the route to `server` has. Nothing is sent.
///
/// # Errors
/// When there is no route.
pub fn address_towards(server: SocketAddr) -> io::Result<IpAddr> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let probe = UdpSocket::bind(any)?;
    probe.connect(server)?;
    Ok(probe.local_addr()?.ip())
}

/// Whether the address is one of this computer's.
pub(super) fn is_ours(address: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}
