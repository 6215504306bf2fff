//! The pool of bound RTP sockets, so that SDP can name a port before the call exists.

use mio::net::UdpSocket;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

/// Attempts at an even port before an odd one is taken (RFC 3550 11 wants RTP on even ports).
const EVEN_ATTEMPTS: usize = 16;
/// Packets thrown away that came before a port was opened.
const STALE_MAX: usize = 4_096;
/// Expedited forwarding (RFC 3246) in the type-of-service octet.
const EXPEDITED: u32 = 0xB8;

pub(super) struct Spare {
    pub port: u16,
    pub socket: UdpSocket,
    /// The owner knows of it.
    pub told: bool,
}

pub(super) struct Pool {
    address: IpAddr,
    range: Option<RangeInclusive<u16>>,
    cursor: u16,
    wanted: usize,
    spares: Vec<Spare>,
}

impl Pool {
    /// Binds the first ports.
    pub(super) fn new(
        address: IpAddr,
        range: Option<RangeInclusive<u16>>,
        wanted: usize,
    ) -> io::Result<Self> {
        let cursor = range.as_ref().map_or(0, |range| *range.start());
        let mut pool = Self { address, range, cursor, wanted, spares: Vec::with_capacity(wanted) };
        match pool.top_up() {
            Err(error) if pool.spares.is_empty() => Err(error),
            _ => Ok(pool),
        }
    }

    /// Binds as many as are missing.
    pub(super) fn top_up(&mut self) -> io::Result<()> {
        while self.spares.len() < self.wanted {
            let socket = self.bind()?;
            let port = socket.local_addr()?.port();
            self.spares.push(Spare { port, socket, told: false });
        }
        Ok(())
    }

    fn bind(&mut self) -> io::Result<UdpSocket> {
        let Some(range) = self.range.clone() else { return self.bind_any() };
        let span = usize::from(range.end().saturating_sub(*range.start())) / 2 + 1;
        let mut refused = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..span {
            let port = self.cursor.next_multiple_of(2);
            let next = port.saturating_add(2);
            self.cursor = if next > *range.end() { *range.start() } else { next };
            if !range.contains(&port) {
                continue;
            }
            match UdpSocket::bind(SocketAddr::new(self.address, port)) {
                Ok(socket) => return Ok(expedited(socket)),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn bind_any(&self) -> io::Result<UdpSocket> {
        for _ in 0..EVEN_ATTEMPTS {
            let socket = UdpSocket::bind(SocketAddr::new(self.address, 0))?;
            if socket.local_addr()?.port() % 2 == 0 {
                return Ok(expedited(socket));
            }
        }
        UdpSocket::bind(SocketAddr::new(self.address, 0)).map(expedited)
    }

    /// The next port the owner has not been told of.
    pub(super) fn untold(&mut self) -> Option<&mut Spare> {
        self.spares.iter_mut().find(|spare| !spare.told)
    }

    /// Takes a spare socket out, emptied of what came before.
    pub(super) fn take(&mut self, port: u16) -> Option<UdpSocket> {
        let at = self.spares.iter().position(|spare| spare.port == port)?;
        let spare = self.spares.swap_remove(at);
        let mut stale = [0; 1];
        let mut count = 0;
        while count < STALE_MAX && spare.socket.recv_from(&mut stale).is_ok() {
            count += 1;
        }
        Some(spare.socket)
    }
}

/// Binds the port after a socket's (RFC 3550 11: RTCP's).
pub(super) fn next_to(socket: &UdpSocket) -> io::Result<UdpSocket> {
    let mut address = socket.local_addr()?;
    let port = address.port().checked_add(1).ok_or(io::ErrorKind::AddrNotAvailable)?;
    address.set_port(port);
    UdpSocket::bind(address)
}

/// Marks the packets as voice, where the system lets us.
fn expedited(socket: UdpSocket) -> UdpSocket {
    let reference = socket2::SockRef::from(&socket);
    let v4 = socket.local_addr().is_ok_and(|address| address.is_ipv4());
    let _ = if v4 { reference.set_tos_v4(EXPEDITED) } else { reference.set_tclass_v6(EXPEDITED) };
    socket
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_range_gives_even_ports_of_its_own_and_says_when_it_is_used_up() {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        // Some range that nothing else on this machine uses.
        let free = (20_001..60_000).step_by(100).find_map(|start| {
            let mut pool = Pool::new(local, Some(start..=start + 6), 3).ok()?;
            (pool.spares.len() == 3 && pool.top_up().is_ok()).then_some((start, pool))
        });
        let (start, mut pool) = free.unwrap();
        let mut ports: Vec<u16> = pool.spares.iter().map(|spare| spare.port).collect();
        ports.sort_unstable();
        assert_eq!(ports, [start + 1, start + 3, start + 5]);
        let taken = pool.take(ports[0]).unwrap();
        assert!(pool.top_up().is_err(), "every port is used");
        drop(taken);
        assert!(pool.top_up().is_ok());
        assert!(pool.take(1).is_none());
    }
}
