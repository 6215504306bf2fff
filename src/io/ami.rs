//! Connections to manager interfaces, at most one for each line: TCP or TLS, bytes in and out. When one is opened, and
//! again after it was lost, is not decided here.
//!
//! Limits: [`QUEUE`] events wait for the owner, then nobody is read; what waits to be written is bounded as for SIP.

use super::names::{self, Wanted};
use super::net::connection::{Connection, HANDSHAKE_PATIENCE, Told, WRITES_BYTES_MAX, WRITES_MAX, Way, What};
use super::tls::{TlsClient, TlsName};
use crate::sip::{Peer, Transport};
use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

/// What connections have brought and nobody has taken yet.
const QUEUE: usize = 64;
/// How long the last words may take.
const FINISH_PATIENCE: Duration = Duration::from_secs(1);

/// Where manager interfaces listen as a rule, for the end of a sentence.
const USUAL_PORTS: &str = " (the manager interface is usually on 5038, over TLS on 5039)";

/// Where a manager interface is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmiServer {
    /// Host name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether it speaks TLS there.
    pub tls: bool,
}

/// What happened to the connection of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum AmiEvent {
    /// It is up.
    Opened {
        /// Whose.
        line: usize,
        /// Whether nobody on the way can read it: it stays in this computer, or a server that proved who it is encrypts.
        private: bool,
    },
    /// It brought this.
    Bytes {
        /// Whose.
        line: usize,
        /// At least one.
        bytes: Vec<u8>,
    },
    /// It has ended, or did not come about. Not told of one that [`AmiLinks::close`] ended.
    Closed {
        /// Whose.
        line: usize,
        /// In words.
        reason: String,
    },
}

struct Link {
    id: u64,
    writes: mpsc::Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    task: AbortHandle,
    up: bool,
}

/// The connections.
pub struct AmiLinks {
    client: Arc<TlsClient>,
    links: HashMap<usize, Link>,
    tasks: JoinSet<()>,
    /// Connections ever: an event of one that is gone is known by its number.
    total: u64,
    told: mpsc::Receiver<Told>,
    teller: mpsc::Sender<Told>,
    pending: VecDeque<AmiEvent>,
}

impl AmiLinks {
    /// None yet.
    pub fn new(client: TlsClient) -> Self {
        let (teller, told) = mpsc::channel(QUEUE);
        Self {
            client: Arc::new(client),
            links: HashMap::new(),
            tasks: JoinSet::new(),
            total: 0,
            told,
            teller,
            pending: VecDeque::new(),
        }
    }

    /// Opens the connection of a line, in place of the one that it has.
    pub fn open(&mut self, line: usize, server: AmiServer, seed: u64) {
        self.close(line);
        while self.tasks.try_join_next().is_some() {}
        self.total += 1;
        let (writes, written) = mpsc::channel(WRITES_MAX);
        let waiting = Arc::new(AtomicUsize::new(0));
        let attempt = Attempt {
            id: self.total,
            server,
            client: self.client.clone(),
            writes: written,
            waiting: waiting.clone(),
            told: self.teller.clone(),
        };
        let task = self.tasks.spawn(attempt.live(seed));
        self.links.insert(line, Link { id: self.total, writes, waiting, task, up: false });
    }

    /// Sends on the connection of a line, if there is one.
    pub fn send(&mut self, line: usize, bytes: Vec<u8>) {
        let Some(link) = self.links.get(&line) else { return };
        let length = bytes.len();
        let waiting = link.waiting.fetch_add(length, Ordering::Relaxed);
        if waiting + length > WRITES_BYTES_MAX || link.writes.try_send(bytes).is_err() {
            link.task.abort();
            self.links.remove(&line);
            let reason = "the manager interface does not read what is sent to it".to_owned();
            self.pending.push_back(AmiEvent::Closed { line, reason });
        }
    }

    /// Ends the connection of a line after what was sent on it has gone out.
    pub fn close(&mut self, line: usize) {
        if let Some(link) = self.links.remove(&line)
            && !link.up
        {
            link.task.abort();
        }
    }

    /// Ends all in good order; waits at most a second.
    pub async fn finish(&mut self) {
        let lines: Vec<usize> = self.links.keys().copied().collect();
        lines.into_iter().for_each(|line| self.close(line));
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        // Whoever takes longer is cut off.
        let _ = tokio::time::timeout(FINISH_PATIENCE, ended).await;
    }

    /// What happens next. May be dropped at any time without losing anything.
    pub async fn next(&mut self) -> AmiEvent {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return event;
            }
            let Some(told) = self.told.recv().await else { return std::future::pending().await };
            if let Some(event) = self.take(told) {
                return event;
            }
        }
    }

    /// What has happened already, without waiting.
    pub fn try_next(&mut self) -> Option<AmiEvent> {
        if let Some(event) = self.pending.pop_front() {
            return Some(event);
        }
        while let Ok(told) = self.told.try_recv() {
            if let Some(event) = self.take(told) {
                return Some(event);
            }
        }
        None
    }

    /// `None`: it is about a connection that is no more.
    fn take(&mut self, told: Told) -> Option<AmiEvent> {
        let Told { id, peer, what } = told;
        let (&line, link) = self.links.iter_mut().find(|(_, link)| link.id == id)?;
        Some(match what {
            What::Opened => {
                link.up = true;
                let proven = peer.transport == Transport::Tls && self.client.verifies();
                AmiEvent::Opened { line, private: proven || peer.ip().is_loopback() }
            }
            What::Bytes(bytes) => AmiEvent::Bytes { line, bytes },
            What::Closed(reason) => {
                self.links.remove(&line);
                AmiEvent::Closed { line, reason }
            }
        })
    }
}

/// A connection that is being made.
struct Attempt {
    id: u64,
    server: AmiServer,
    client: Arc<TlsClient>,
    writes: mpsc::Receiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    told: mpsc::Sender<Told>,
}

impl Attempt {
    /// Looks the server up, then lives as a connection. Of several addresses `seed` chooses the first to be tried.
    async fn live(self, seed: u64) {
        let Self { id, server, client, writes, waiting, told } = self;
        let transport = if server.tls { Transport::Tls } else { Transport::Tcp };
        let wanted =
            Wanted { host: server.host.clone(), port: Some(server.port), transport: Some(transport) };
        let found = names::resolve(&wanted, seed).await;
        let mut peers = found.clone().unwrap_or_default();
        if let Ok(count) = u64::try_from(peers.len())
            && count > 0
        {
            peers.rotate_left(usize::try_from(seed % count).unwrap_or(0));
        }
        let Some((peer, others)) = peers.split_first() else {
            let reason =
                found.err().map_or_else(|| "the server has no address".to_owned(), |e| e.to_string());
            let peer = Peer::new(transport, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
            // The owner is gone, and with it everybody who could want to know.
            let _ = told.send(Told { id, peer, what: What::Closed(reason) }).await;
            return;
        };
        let (peer, others) = (*peer, others.iter().map(|other| other.address).collect());
        let tls = server.tls.then(|| (client, TlsName::of_host(&server.host)));
        let handshake = HANDSHAKE_PATIENCE;
        Connection { id, peer, writes, waiting, told, handshake }
            .live(Way::Out { local: None, others, tls, usual: USUAL_PORTS })
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tls::TlsClientFiles;
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_secs(5);

    fn links() -> AmiLinks {
        AmiLinks::new(TlsClient::new(TlsClientFiles::default()))
    }

    async fn next(links: &mut AmiLinks) -> AmiEvent {
        timeout(SOON, links.next()).await.unwrap()
    }

    fn here(listener: &TcpListener) -> AmiServer {
        AmiServer { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port(), tls: false }
    }

    #[tokio::test]
    async fn bytes_go_both_ways_and_the_last_words_go_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut links = links();
        links.open(3, here(&listener), 1);
        let (mut there, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        assert_eq!(next(&mut links).await, AmiEvent::Opened { line: 3, private: true });
        there.write_all(b"Asterisk").await.unwrap();
        assert_eq!(next(&mut links).await, AmiEvent::Bytes { line: 3, bytes: b"Asterisk".to_vec() });
        links.send(3, b"Action: Logoff".to_vec());
        links.finish().await;
        let mut heard = Vec::new();
        timeout(SOON, there.read_to_end(&mut heard)).await.unwrap().unwrap();
        assert_eq!(heard, b"Action: Logoff");
        assert_eq!(links.try_next(), None, "an end of our own is not told");
    }

    #[tokio::test]
    async fn a_server_with_two_addresses_is_reached_at_the_one_that_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Where localhost is ::1 as well, one of the two seeds tries that first.
        for seed in [0, 1] {
            let mut links = links();
            links.open(3, AmiServer { host: "localhost".into(), ..here(&listener) }, seed);
            assert_eq!(next(&mut links).await, AmiEvent::Opened { line: 3, private: true });
        }
    }

    #[tokio::test]
    async fn why_there_is_no_connection_is_told_in_words() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = here(&listener);
        drop(listener);
        let mut links = links();
        links.open(0, server, 1);
        let AmiEvent::Closed { line: 0, reason } = next(&mut links).await else { panic!() };
        assert!(reason.contains("refuses connections to port") && reason.ends_with(USUAL_PORTS), "{reason}");
        let server = AmiServer { host: "not a name".into(), port: 1, tls: true };
        links.open(1, server, 1);
        assert!(matches!(next(&mut links).await, AmiEvent::Closed { line: 1, .. }));
    }

    #[tokio::test]
    async fn what_an_earlier_connection_still_says_is_not_heard() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut links = links();
        links.open(0, here(&listener), 1);
        let (mut old, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        assert!(matches!(next(&mut links).await, AmiEvent::Opened { .. }));
        links.open(0, here(&listener), 1);
        let (mut new, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        // It may be closed already.
        let _ = old.write_all(b"old").await;
        assert!(matches!(next(&mut links).await, AmiEvent::Opened { .. }));
        new.write_all(b"new").await.unwrap();
        assert_eq!(next(&mut links).await, AmiEvent::Bytes { line: 0, bytes: b"new".to_vec() });
        drop(new);
        assert!(matches!(next(&mut links).await, AmiEvent::Closed { line: 0, .. }));
    }

    #[tokio::test]
    async fn a_far_end_that_does_not_read_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut links = links();
        links.open(0, here(&listener), 1);
        let (_silent, _) = timeout(SOON, listener.accept()).await.unwrap().unwrap();
        assert!(matches!(next(&mut links).await, AmiEvent::Opened { .. }));
        for _ in 0..2 * WRITES_MAX {
            links.send(0, vec![b'x'; 64 * 1024]);
        }
        let AmiEvent::Closed { reason, .. } = next(&mut links).await else { panic!() };
        assert!(reason.contains("does not read"), "{reason}");
        assert_eq!(links.try_next(), None);
    }
}
