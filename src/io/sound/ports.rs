//! The pool of bound RTP sockets, so that SDP can name a port before the call exists.

use super::options::SoundOptions;
use super::socket::{MediaSocket, Room};
use std::io;
use std::ops::RangeInclusive;

/// Attempts at an even port before an odd one is taken (RFC 3550 11 wants RTP on even ports).
const EVEN_ATTEMPTS: usize = 16;
/// Packets thrown away that came before a port was opened.
const STALE_MAX: usize = 4_096;

pub(super) struct Spare {
    pub port: u16,
    pub socket: MediaSocket,
    /// The owner knows of it.
    pub told: bool,
}

pub(super) struct Pool {
    room: Room,
    range: Option<RangeInclusive<u16>>,
    cursor: u16,
    wanted: usize,
    spares: Vec<Spare>,
}

impl Pool {
    /// Binds the first ports.
    pub(super) fn new(options: &SoundOptions) -> io::Result<Self> {
        let (range, wanted) = (options.ports.clone(), options.spare);
        let room = Room::new(options.address, options.both_families);
        let cursor = range.as_ref().map_or(0, |range| *range.start());
        let mut pool = Self { room, range, cursor, wanted, spares: Vec::with_capacity(wanted) };
        match pool.top_up() {
            Err(error) if pool.spares.is_empty() => Err(error),
            _ => Ok(pool),
        }
    }

    /// Binds as many as are missing.
    pub(super) fn top_up(&mut self) -> io::Result<()> {
        while self.spares.len() < self.wanted {
            let socket = self.bind()?;
            let port = socket.port()?;
            self.spares.push(Spare { port, socket, told: false });
        }
        Ok(())
    }

    /// Binds the port after a socket's (RFC 3550 11: RTCP's).
    pub(super) fn next_to(&self, socket: &MediaSocket) -> io::Result<MediaSocket> {
        self.room.bind(socket.port()?.checked_add(1).ok_or(io::ErrorKind::AddrNotAvailable)?)
    }

    fn bind(&mut self) -> io::Result<MediaSocket> {
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
            match self.room.bind(port) {
                Ok(socket) => return Ok(socket),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn bind_any(&self) -> io::Result<MediaSocket> {
        for _ in 0..EVEN_ATTEMPTS {
            let socket = self.room.bind(0)?;
            if socket.port()? % 2 == 0 {
                return Ok(socket);
            }
        }
        self.room.bind(0)
    }

    /// The next port the owner has not been told of.
    pub(super) fn untold(&mut self) -> Option<&mut Spare> {
        self.spares.iter_mut().find(|spare| !spare.told)
    }

    /// Takes a spare socket out, emptied of what came before.
    pub(super) fn take(&mut self, port: u16) -> Option<MediaSocket> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn pool(start: u16, spare: usize) -> Option<Pool> {
        let silent = SoundOptions::silent(IpAddr::V4(Ipv4Addr::LOCALHOST), spare, 1);
        Pool::new(&SoundOptions { ports: Some(start..=start + 6), ..silent }).ok()
    }

    #[test]
    fn a_range_gives_even_ports_of_its_own_and_says_when_it_is_used_up() {
        // Some range that nothing else on this machine uses.
        let free = (20_001..60_000).step_by(100).find_map(|start| {
            let mut pool = pool(start, 3)?;
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
