//! A socket for one call's sound: of one family of addresses, or one that takes both (RFC 3493 3.7). Where it takes both,
//! the system writes IPv4 addresses as IPv6; nobody else here sees that.

use mio::event::Source;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Expedited forwarding (RFC 3246) in the type-of-service octet.
const EXPEDITED: u32 = 0xB8;

/// Where sockets are bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    address: IpAddr,
    /// Sockets take both families.
    dual: bool,
}

impl Room {
    /// At that address alone; or, `both` asked and the computer knowing IPv6, at those of both families.
    pub(super) fn new(address: IpAddr, both: bool) -> Self {
        Self { address, dual: both && dual(address, 0).is_ok() }
    }

    /// Binds a port; 0: any.
    pub(super) fn bind(self, port: u16) -> io::Result<MediaSocket> {
        let socket = match self.dual {
            true => dual(self.address, port)?,
            false => UdpSocket::bind(SocketAddr::new(self.address, port))?,
        };
        expedite(&socket, self.dual || self.address.is_ipv4(), self.dual || self.address.is_ipv6());
        Ok(MediaSocket { socket, dual: self.dual })
    }
}

/// A socket at all addresses of both families; where `address` is a loopback one, for this computer only.
fn dual(address: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_only_v6(false)?;
    if address.is_loopback() {
        stay_here(&socket)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port).into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// Nobody on the network is to reach it.
#[cfg(target_os = "linux")]
fn stay_here(socket: &Socket) -> io::Result<()> {
    socket.bind_device(Some(b"lo"))
}

/// There is no way to say so here: one family then has to do.
#[cfg(not(target_os = "linux"))]
fn stay_here(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Marks the packets as voice, where the system lets us.
fn expedite(socket: &UdpSocket, v4: bool, v6: bool) {
    let reference = SockRef::from(socket);
    if v4 {
        let _ = reference.set_tos_v4(EXPEDITED);
    }
    if v6 {
        let _ = reference.set_tclass_v6(EXPEDITED);
    }
}

/// A bound socket.
#[derive(Debug)]
pub(super) struct MediaSocket {
    socket: UdpSocket,
    dual: bool,
}

impl MediaSocket {
    pub(super) fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    pub(super) fn recv_from(&self, packet: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, from) = self.socket.recv_from(packet)?;
        Ok((length, if self.dual { plain(from) } else { from }))
    }

    pub(super) fn send_to(&self, packet: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket.send_to(packet, if self.dual { mapped(to) } else { to })
    }
}

impl Source for MediaSocket {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.socket.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.socket.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.socket.deregister(registry)
    }
}

fn mapped(to: SocketAddr) -> SocketAddr {
    match to {
        SocketAddr::V4(to) => SocketAddr::new(to.ip().to_ipv6_mapped().into(), to.port()),
        v6 => v6,
    }
}

fn plain(from: SocketAddr) -> SocketAddr {
    match from.ip().to_canonical() {
        v4 @ IpAddr::V4(_) => SocketAddr::new(v4, from.port()),
        IpAddr::V6(_) => from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::{Duration, Instant};

    fn receive(socket: &MediaSocket, packet: &mut [u8]) -> (usize, SocketAddr) {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            match socket.recv_from(packet) {
                Ok(received) => return received,
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn one_port_takes_both_families_and_names_each_as_it_is() {
        let socket = Room::new(Ipv4Addr::LOCALHOST.into(), true).bind(0).unwrap();
        let port = socket.port().unwrap();
        for here in [IpAddr::V4(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let other = std::net::UdpSocket::bind(SocketAddr::new(here, 0)).unwrap();
            other.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            other.send_to(b"there", SocketAddr::new(here, port)).unwrap();
            let mut packet = [0; 16];
            let (length, from) = receive(&socket, &mut packet);
            assert_eq!((&packet[..length], from), (&b"there"[..], other.local_addr().unwrap()));
            socket.send_to(b"back", from).unwrap();
            let (length, from) = other.recv_from(&mut packet).unwrap();
            assert_eq!((&packet[..length], from), (&b"back"[..], SocketAddr::new(here, port)));
        }
    }

    #[test]
    fn a_port_of_one_family_is_taken_in_both() {
        let room = Room::new(Ipv4Addr::LOCALHOST.into(), true);
        let socket = room.bind(0).unwrap();
        assert!(room.bind(socket.port().unwrap()).is_err());
    }
}
