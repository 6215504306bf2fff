//! Whether anybody answers at an address at all, before a phone waits for half a minute: an OPTIONS by UDP, else whether a
//! TCP connection can be made.

use crate::io::clock::entropy;
use crate::sip::{Peer, Transport};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// How long each of the [`TRIES`] waits for an answer: RFC 3261 17.1.2.1 retransmits in growing steps as well.
const PATIENCE: [Duration; TRIES] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_millis(1_500)];
/// How often it is asked.
const TRIES: usize = 3;
/// How long a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

/// Who answers there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    /// As it was asked.
    Asked,
    /// Not by UDP, but something takes TCP connections there.
    OnlyTcp,
    /// The computer says that nobody listens there.
    Refused,
    /// Nothing at all comes back.
    Silence,
}

/// Asks there. Blocks for a few seconds where nobody answers.
pub(super) fn probe(server: Peer) -> Answers {
    if server.transport != Transport::Udp {
        return connect(server.address);
    }
    match by_udp(server.address) {
        Answers::Asked => Answers::Asked,
        without => match connect(server.address) {
            Answers::Asked => Answers::OnlyTcp,
            _ => without,
        },
    }
}

fn connect(server: SocketAddr) -> Answers {
    match TcpStream::connect_timeout(&server, CONNECT_PATIENCE) {
        Ok(_) => Answers::Asked,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Answers::Refused,
        Err(_) => Answers::Silence,
    }
}

fn by_udp(server: SocketAddr) -> Answers {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let Ok(socket) = UdpSocket::bind(SocketAddr::new(any, 0)) else { return Answers::Silence };
    // Connected: nobody else's datagrams come in, and the other computer's refusal does.
    if socket.connect(server).is_err() {
        return Answers::Silence;
    }
    let Ok(local) = socket.local_addr() else { return Answers::Silence };
    let request = options(local, server, entropy());
    for patience in PATIENCE {
        let sent = socket.send(request.as_bytes());
        let heard = sent.and_then(|_| {
            socket.set_read_timeout(Some(patience))?;
            socket.recv(&mut [0; 2_048])
        });
        match heard {
            Ok(_) => return Answers::Asked,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Answers::Refused,
            Err(_) => {}
        }
    }
    Answers::Silence
}

/// RFC 3261 11: any answer to it, a refusal too, is a sign of life.
fn options(local: SocketAddr, server: SocketAddr, seed: u64) -> String {
    format!(
        "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{seed:016x};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:parkdeck@{local}>;tag={seed:016x}\r\nTo: <sip:{server}>\r\nCall-ID: {seed:016x}@{}\r\n\
         CSeq: 1 OPTIONS\r\nAccept: application/sdp\r\nUser-Agent: parkdeck-setup/{}\r\nContent-Length: 0\r\n\r\n",
        local.ip(),
        env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::read_datagram;
    use std::net::TcpListener;

    #[test]
    fn who_answers_who_refuses_and_who_takes_only_tcp_are_told_apart() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = socket.local_addr().unwrap();
        let answering = std::thread::spawn(move || {
            let mut bytes = [0; 2_048];
            let (length, from) = socket.recv_from(&mut bytes).unwrap();
            socket.send_to(b"SIP/2.0 401 Unauthorized\r\n\r\n", from).unwrap();
            bytes[..length].to_vec()
        });
        assert_eq!(probe(Peer::new(Transport::Udp, server)), Answers::Asked);
        assert!(read_datagram(&answering.join().unwrap()).is_ok(), "the question is good SIP");
        assert_eq!(probe(Peer::new(Transport::Udp, server)), Answers::Refused);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let only_tcp = listener.local_addr().unwrap();
        assert_eq!(probe(Peer::new(Transport::Udp, only_tcp)), Answers::OnlyTcp);
        assert_eq!(probe(Peer::new(Transport::Tcp, only_tcp)), Answers::Asked);
    }
}
