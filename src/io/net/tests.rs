//! Real sockets on loopback: who is served, who is cut off, and what is told of it.

use super::*;
use crate::io::tls::rig::{Authority, server_params};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(30);

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

async fn listening() -> (Net, Peer) {
    let net = Net::open(NetOptions { tcp: vec![loopback()], ..NetOptions::default() }).await.unwrap();
    let at = net.listening().next().unwrap();
    (net, at)
}

async fn client() -> Net {
    Net::open(NetOptions { udp: vec![loopback()], ..NetOptions::default() }).await.unwrap()
}

async fn event(net: &mut Net) -> NetEvent {
    timeout(LONG, net.next()).await.expect("nothing happened on the network")
}

async fn closed(net: &mut Net) -> String {
    loop {
        if let NetEvent::Closed { reason, .. } = event(net).await {
            return reason;
        }
    }
}

/// Answers whatever begins like a message with the same bytes.
fn echo(mut net: Net) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            if let NetEvent::Bytes { from, bytes } = net.next().await
                && bytes.first() != Some(&0x16)
            {
                net.send(Transmit { to: from, bytes });
            }
        }
    })
}

async fn hears_itself(stream: &mut TcpStream, text: &[u8]) {
    stream.write_all(text).await.unwrap();
    let mut back = vec![0; text.len()];
    timeout(LONG, stream.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, text);
}

#[tokio::test]
async fn a_datagram_goes_both_ways() {
    let (mut a, mut b) = (client().await, client().await);
    let to = Peer::udp(b.local_for(loopback()).unwrap());
    a.send(Transmit { to, bytes: b"hello".to_vec() });
    let from = Peer::udp(a.local_for(loopback()).unwrap());
    assert_eq!(event(&mut b).await, NetEvent::Datagram { from, bytes: b"hello".to_vec() });
}

#[tokio::test]
async fn a_message_opens_the_connection_that_it_needs_and_the_answer_comes_on_it() {
    let (mut server, at) = listening().await;
    let mut client = client().await;
    client.send(Transmit { to: at, bytes: b"one ".to_vec() });
    client.send(Transmit { to: at, bytes: b"two".to_vec() });
    let NetEvent::Opened { peer } = event(&mut server).await else { panic!("not opened") };
    let mut heard = Vec::new();
    while heard != b"one two" {
        let NetEvent::Bytes { from, bytes } = event(&mut server).await else { panic!("no bytes") };
        assert_eq!(from, peer);
        heard.extend(bytes);
    }
    // Our Contact names our UDP port: the connection leaves from the same number, so that both find the way back.
    assert_eq!(peer.address, client.local_for(loopback()).unwrap());
    server.send(Transmit { to: peer, bytes: b"three".to_vec() });
    assert_eq!(event(&mut client).await, NetEvent::Opened { peer: at });
    assert_eq!(event(&mut client).await, NetEvent::Bytes { from: at, bytes: b"three".to_vec() });
    assert_eq!((client.links(), server.links()), (1, 1));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn whom_the_network_refuses_is_told_and_nothing_that_goes_elsewhere_is_lost_by_it() {
    for local in [loopback(), (std::net::Ipv6Addr::LOCALHOST, 0).into()] {
        let bound =
            || async { Net::open(NetOptions { udp: vec![local], ..NetOptions::default() }).await.unwrap() };
        let (mut a, mut b) = (bound().await, bound().await);
        let free = std::net::UdpSocket::bind(local).unwrap();
        let nobody = free.local_addr().unwrap();
        drop(free);
        let to = Peer::udp(b.local_for(local).unwrap());
        for _ in 0..20 {
            a.send(Transmit { to: Peer::udp(nobody), bytes: b"x".to_vec() });
            a.send(Transmit { to, bytes: b"hello".to_vec() });
        }
        assert_eq!(event(&mut a).await, NetEvent::Refused { to: nobody });
        for _ in 0..20 {
            assert!(matches!(event(&mut b).await, NetEvent::Datagram { .. }));
        }
        // And who answers is heard as before.
        let from = Peer::udp(a.local_for(local).unwrap());
        b.send(Transmit { to: from, bytes: b"back".to_vec() });
        while event(&mut a).await != (NetEvent::Datagram { from: to, bytes: b"back".to_vec() }) {}
    }
}

#[tokio::test]
async fn what_was_said_before_closing_still_goes_out() {
    let (mut server, at) = listening().await;
    let mut stream = TcpStream::connect(at.address).await.unwrap();
    let NetEvent::Opened { peer } = event(&mut server).await else { panic!("not opened") };
    let last = vec![b'x'; 200_000];
    server.send(Transmit { to: peer, bytes: last.clone() });
    server.close(peer);
    assert_eq!(server.links(), 0);
    let mut heard = Vec::new();
    timeout(LONG, stream.read_to_end(&mut heard)).await.unwrap().unwrap();
    assert_eq!(heard.len(), last.len());
}

#[tokio::test]
async fn nothing_is_opened_towards_somebody_who_had_connected_to_us() {
    let (mut server, at) = listening().await;
    // Somebody listens on the very port that the client had come from.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(loopback()).unwrap();
    let from = socket.local_addr().unwrap();
    let mut stream = socket.connect(at.address).await.unwrap();
    stream.write_all(b"x").await.unwrap();
    let NetEvent::Opened { peer } = event(&mut server).await else { panic!("not opened") };
    drop(stream);
    assert_eq!(closed(&mut server).await, "the far end closed the connection");
    server.send(Transmit { to: peer, bytes: b"late".to_vec() });
    assert_eq!(peer.address, from);
    assert_eq!(closed(&mut server).await, "the connection that it came on is closed");
    assert_eq!(server.links(), 0);
}

#[tokio::test]
async fn each_way_in_which_a_connection_fails_has_its_words() {
    let mut net = client().await;
    let free = TcpListener::bind(loopback()).await.unwrap();
    let at = free.local_addr().unwrap();
    drop(free);
    net.send(Transmit { to: Peer::new(Transport::Tcp, at), bytes: b"x".to_vec() });
    let port = at.port();
    assert_eq!(
        closed(&mut net).await,
        format!("127.0.0.1 refuses connections to port {port}: nothing listens there")
    );
    net.send(Transmit { to: Peer::new(Transport::Tls, at), bytes: b"x".to_vec() });
    assert!(
        closed(&mut net).await.ends_with("nothing listens there (TLS is usually on 5061, without it 5060)")
    );

    // A server that breaks off.
    let server = TcpListener::bind(loopback()).await.unwrap();
    net.send(Transmit { to: Peer::new(Transport::Tcp, server.local_addr().unwrap()), bytes: b"x".to_vec() });
    let (stream, _) = server.accept().await.unwrap();
    assert!(matches!(event(&mut net).await, NetEvent::Opened { .. }));
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    assert_eq!(closed(&mut net).await, "the connection was broken off");
}

#[tokio::test]
async fn a_far_end_that_does_not_read_is_left_and_what_it_costs_is_bounded() {
    let (mut server, at) = listening().await;
    let stream = TcpStream::connect(at.address).await.unwrap();
    let NetEvent::Opened { peer } = event(&mut server).await else { panic!("not opened") };
    let mut sent = 0;
    while server.links() == 1 {
        server.send(Transmit { to: peer, bytes: vec![b'x'; 64 * 1024] });
        sent += 64 * 1024;
        assert!(sent < 256 << 20, "nobody counts");
        tokio::task::yield_now().await;
    }
    assert_eq!(closed(&mut server).await, "the far end does not read what is sent to it");
    drop(stream);
}

#[tokio::test]
async fn a_message_cut_into_single_bytes_arrives_whole_and_in_order() {
    let (server, at) = listening().await;
    let _running = echo(server);
    let mut stream = TcpStream::connect(at.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let text: Vec<u8> = (0..500u32).map(|i| b'a' + (i % 26) as u8).collect();
    for byte in &text {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut back = vec![0; text.len()];
    timeout(LONG, stream.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, text);
}

#[tokio::test]
async fn a_flood_on_one_connection_does_not_starve_another() {
    let (server, at) = listening().await;
    let _running = echo(server);
    let mut flood = TcpStream::connect(at.address).await.unwrap();
    let flooding = tokio::spawn(async move {
        let (mut reader, mut writer) = flood.split();
        let block = vec![b'f'; 64 * 1024];
        let mut sink = vec![0; 64 * 1024];
        tokio::join!(async { while writer.write_all(&block).await.is_ok() {} }, async {
            while matches!(reader.read(&mut sink).await, Ok(1..)) {}
        });
    });
    let mut honest = TcpStream::connect(at.address).await.unwrap();
    for _ in 0..50 {
        hears_itself(&mut honest, b"still there?").await;
    }
    flooding.abort();
}

#[tokio::test]
async fn hundreds_of_half_open_clients_keep_no_honest_one_waiting() {
    let authority = Authority::new("Office CA");
    let files = authority.issue(&server_params(&["sip.test"]));
    let server = Some(TlsServer::new(files).unwrap());
    let options =
        NetOptions { tls: vec![loopback()], tcp: vec![loopback()], server, ..NetOptions::default() };
    let net = Net::open(options).await.unwrap();
    let at: Vec<Peer> = net.listening().collect();
    let _running = echo(net);
    let (tcp, tls) = (at[0], at[1]);
    let mut held = Vec::new();
    // `PARKDECK_HALF_OPEN=10000` measures with more, where the system allows as many files.
    let count: u32 = std::env::var("PARKDECK_HALF_OPEN").map_or(400, |n| n.parse().unwrap());
    let sources = 4.max(count / 100);
    for i in 0..count {
        // From several addresses, the honest client's own among them; half of them begin a handshake.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, 1 + (i % sources) as u8), 0).into()).unwrap();
        let mut stream = socket.connect(if i % 2 == 0 { tcp.address } else { tls.address }).await.unwrap();
        if i % 4 < 2 {
            let _ = stream.write_all(b"\x16\x03").await;
        }
        held.push(stream);
    }
    let began = Instant::now();
    let mut honest = TcpStream::connect(tcp.address).await.unwrap();
    hears_itself(&mut honest, b"OPTIONS").await;
    let plain = began.elapsed();
    let mut client =
        Net::open(NetOptions { client: Some(TlsClient::new(authority.client())), ..NetOptions::default() })
            .await
            .unwrap();
    client.expect(tls, TlsName::Domain("sip.test".into()));
    let began = Instant::now();
    client.send(Transmit { to: tls, bytes: b"OPTIONS".to_vec() });
    while !matches!(event(&mut client).await, NetEvent::Bytes { .. }) {}
    println!("behind {} half-open clients: TCP {plain:?}, TLS {:?}", held.len(), began.elapsed());
    // The promise is a second; the machine that runs the tests may be busy.
    assert!(plain < Duration::from_secs(5) && began.elapsed() < Duration::from_secs(5));
    // Neither is an answered client displaced by those who come later.
    for _ in 0..100 {
        held.push(TcpStream::connect(tcp.address).await.unwrap());
    }
    hears_itself(&mut honest, b"OPTIONS").await;
}

#[tokio::test]
async fn one_address_holds_at_most_its_share_and_the_oldest_silent_one_gives_way() {
    let (server, at) = listening().await;
    let _running = echo(server);
    let mut held = Vec::new();
    for _ in 0..LINKS_PER_SOURCE_MAX {
        let mut stream = TcpStream::connect(at.address).await.unwrap();
        hears_itself(&mut stream, b"hello").await;
        held.push(stream);
    }
    // All of them have shown that they are honest: one more is refused.
    let mut extra = TcpStream::connect(at.address).await.unwrap();
    assert!(matches!(timeout(LONG, extra.read(&mut [0; 1])).await.unwrap(), Ok(0) | Err(_)));
    let _ = hears_itself(&mut held[0], b"hello").await;
    // Another address has its own share.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).unwrap();
    let mut other = socket.connect(at.address).await.unwrap();
    hears_itself(&mut other, b"hello").await;
}

#[tokio::test]
async fn who_says_nothing_that_can_be_answered_is_cut_off() {
    let (mut server, at) = listening().await;
    server.probation = Duration::from_millis(1_500);
    let mut mute = TcpStream::connect(at.address).await.unwrap();
    let mut dribbling = TcpStream::connect(at.address).await.unwrap();
    let mut honest = TcpStream::connect(at.address).await.unwrap();
    honest.write_all(b"hello").await.unwrap();
    let running = tokio::spawn(async move {
        loop {
            match server.next().await {
                NetEvent::Bytes { from, bytes } if bytes == b"hello" => {
                    server.send(Transmit { to: from, bytes })
                }
                // A keep-alive's answer earns nobody a place.
                NetEvent::Bytes { from, .. } => server.send(Transmit { to: from, bytes: b"\r\n".to_vec() }),
                _ => {}
            }
        }
    });
    let mut cut = false;
    let began = Instant::now();
    while !cut && began.elapsed() < LONG {
        cut = dribbling.write_all(b"\r\n\r\n").await.is_err();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(cut);
    assert!(matches!(timeout(LONG, mute.read(&mut [0; 1])).await.unwrap(), Ok(0) | Err(_)));
    hears_itself(&mut honest, b"hello").await;
    running.abort();
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_in_time_and_in_words() {
    let silent = TcpListener::bind(loopback()).await.unwrap();
    let to = Peer::new(Transport::Tls, silent.local_addr().unwrap());
    let mut net = client().await;
    net.handshake = Duration::from_millis(300);
    net.send(Transmit { to, bytes: b"x".to_vec() });
    let (_stream, _) = silent.accept().await.unwrap();
    let reason = closed(&mut net).await;
    assert!(reason.contains("said nothing (no TLS handshake)"), "{reason}");
    assert_eq!(HANDSHAKE_PATIENCE, Duration::from_secs(10));
}

#[tokio::test]
async fn after_a_connection_is_killed_the_next_message_opens_another() {
    let server = TcpListener::bind(loopback()).await.unwrap();
    let to = Peer::new(Transport::Tcp, server.local_addr().unwrap());
    let mut net = client().await;
    for round in 0..3 {
        net.send(Transmit { to, bytes: b"hello".to_vec() });
        let (mut stream, from) = server.accept().await.unwrap();
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(event(&mut net).await, NetEvent::Opened { peer: to }, "round {round}");
        assert_eq!(from, net.local_for(loopback()).unwrap(), "from our port each time, round {round}");
        drop(stream);
        assert_eq!(closed(&mut net).await, "the far end closed the connection");
    }
}

#[tokio::test]
async fn the_end_is_in_good_order() {
    let server = TcpListener::bind(loopback()).await.unwrap();
    let to = Peer::new(Transport::Tcp, server.local_addr().unwrap());
    let mut net = client().await;
    net.send(Transmit { to, bytes: b"BYE".to_vec() });
    let (mut stream, _) = server.accept().await.unwrap();
    event(&mut net).await;
    net.send(Transmit { to, bytes: b" REGISTER".to_vec() });
    net.finish().await;
    let mut heard = Vec::new();
    timeout(LONG, stream.read_to_end(&mut heard)).await.unwrap().unwrap();
    assert_eq!(heard, b"BYE REGISTER");
}

#[tokio::test]
async fn a_taken_port_and_a_missing_certificate_are_errors_at_once() {
    let (net, at) = listening().await;
    let again = Net::open(NetOptions { tcp: vec![at.address], ..NetOptions::default() }).await;
    assert_eq!(again.err().unwrap().kind(), io::ErrorKind::AddrInUse);
    let bare = Net::open(NetOptions { tls: vec![loopback()], ..NetOptions::default() }).await;
    assert!(bare.err().unwrap().to_string().contains("certificate"));
    drop(net);
}
