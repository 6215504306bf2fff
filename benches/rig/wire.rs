//! Sees the datagrams of a SIP server on loopback as they pass and notes when. It takes no part: a raw socket gets a
//! copy of every UDP datagram that this machine receives, so neither side is slowed or knows of it.

use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A datagram that passed.
#[derive(Clone, Debug)]
pub struct Passed {
    pub at: Instant,
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub text: String,
}

/// The observer; it watches until the benchmark ends.
pub struct Wire {
    passed: Arc<Mutex<Vec<Passed>>>,
}

impl Wire {
    /// Watches what these ports send and receive. Needs the right to open raw sockets (root, or CAP_NET_RAW).
    pub fn watch(ports: &[u16]) -> Self {
        Self::watch_those(Some(ports.to_vec()))
    }

    /// Watches everything, sound as well.
    pub fn watch_all() -> Self {
        Self::watch_those(None)
    }

    fn watch_those(ports: Option<Vec<u16>>) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)).unwrap_or_else(|error| {
            panic!("the wire can't be watched ({error}): run as root, or with CAP_NET_RAW")
        });
        let _ = socket.set_recv_buffer_size(8 << 20);
        let socket = UdpSocket::from(socket);
        let passed = Arc::new(Mutex::new(Vec::new()));
        let shared = passed.clone();
        let watched = move |port: u16| ports.as_ref().is_none_or(|ports| ports.contains(&port));
        std::thread::spawn(move || {
            let mut packet = vec![0; 65_535];
            while let Ok(length) = socket.recv(&mut packet) {
                let at = Instant::now();
                let seen = read(at, packet.get(..length).unwrap_or_default());
                if let Some(seen) = seen.filter(|p| watched(p.from.port()) || watched(p.to.port())) {
                    shared.lock().unwrap().push(seen);
                }
            }
        });
        Self { passed }
    }

    /// The first datagram since `then` that is `wanted`, waited for at most `timeout`.
    pub fn first_since(
        &self,
        then: Instant,
        timeout: Duration,
        wanted: impl Fn(&Passed) -> bool,
    ) -> Option<Passed> {
        let until = Instant::now() + timeout;
        loop {
            let found = self.passed.lock().unwrap().iter().find(|p| p.at >= then && wanted(p)).cloned();
            if found.is_some() || Instant::now() >= until {
                return found;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Forgets what has passed so far.
    pub fn forget(&self) {
        self.passed.lock().unwrap().clear();
    }

    /// Everything since `then`, a line each (for a benchmark that went wrong).
    pub fn told_since(&self, then: Instant) -> String {
        let passed = self.passed.lock().unwrap();
        let lines = passed.iter().filter(|p| p.at >= then).map(|p| {
            let first = p.text.lines().next().unwrap_or_default();
            format!("{:9.3} ms  {} -> {}  {first}\n", (p.at - then).as_secs_f64() * 1e3, p.from, p.to)
        });
        lines.collect()
    }
}

/// IPv4 header, UDP header, text.
fn read(at: Instant, packet: &[u8]) -> Option<Passed> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let udp = packet.get(header..)?;
    let address = |start: usize| {
        let octets: [u8; 4] = packet.get(start..start + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets))
    };
    let port = |start: usize| Some(u16::from_be_bytes(udp.get(start..start + 2)?.try_into().ok()?));
    let from = SocketAddrV4::new(address(12)?, port(0)?);
    let to = SocketAddrV4::new(address(16)?, port(2)?);
    Some(Passed { at, from, to, text: String::from_utf8_lossy(udp.get(8..)?).into_owned() })
}
