//! Who is at the other end of the wire: the transport and the address. For a stream that names the connection too, for
//! a pair of addresses has one connection at a time (RFC 5626 calls it the flow).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// How SIP is carried (RFC 3261 18; the `transport` parameter of a URI and the protocol of a Via).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// One message a datagram; loss is repaired by the transactions.
    #[default]
    Udp,
    /// A stream of messages, each with its Content-Length.
    Tcp,
    /// The same, encrypted, with a verified far end.
    Tls,
}

impl Transport {
    /// The word in a Via: `UDP`, `TCP`, `TLS`.
    pub fn via_word(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// The word in a URI: `udp`, `tcp`, `tls`.
    pub fn uri_word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// The transport of that word, in any case.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls].into_iter().find(|t| t.uri_word().eq_ignore_ascii_case(word.trim()))
    }

    /// Whether nothing is lost, repeated or reordered on the way: the transactions then repeat nothing (RFC 3261 17).
    pub fn is_reliable(self) -> bool {
        self != Self::Udp
    }

    /// 5060, and 5061 for TLS (RFC 3261 19.1.2).
    pub fn default_port(self) -> u16 {
        if self == Self::Tls { 5061 } else { 5060 }
    }
}

/// The far end of a datagram, or of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// How it is reached.
    pub transport: Transport,
    /// Where it is. Of a connection that it opened: the port it came from.
    pub address: SocketAddr,
}

impl Peer {
    /// That address over UDP.
    pub fn udp(address: SocketAddr) -> Self {
        Self { transport: Transport::Udp, address }
    }

    /// That address over that transport.
    pub const fn new(transport: Transport, address: SocketAddr) -> Self {
        Self { transport, address }
    }

    /// The host's address.
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self::udp(address)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.uri_word(), self.address)
    }
}

/// What [`Peer`]'s `Display` writes: `udp:192.0.2.7:5060`.
impl std::str::FromStr for Peer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "a peer is written as transport:address:port";
        let (transport, address) = text.split_once(':').ok_or(SHAPE)?;
        let transport = Transport::of_word(transport).ok_or(SHAPE)?;
        Ok(Self { transport, address: address.parse().map_err(|_| SHAPE)? })
    }
}

impl serde::Serialize for Peer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
