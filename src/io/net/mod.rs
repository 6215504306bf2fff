//! The network as one source of events and one way out: UDP sockets, connections that we open and connections that
//! others open, all keyed by [`Peer`]. It knows no SIP; the user agent says what to send and what to close.
//!
//! Limits: [`LINKS_MAX`] connections, [`LINKS_PER_SOURCE_MAX`] from one address, of which those to which nothing was
//! ever answered give way first and last at most [`PROBATION`]; [`QUEUE`] events wait for the owner, then nobody is
//! read; [`connection::WRITES_BYTES_MAX`] bytes wait for a peer, then it is left.

pub(super) mod connection;
mod listener;
mod refusal;
#[cfg(test)]
mod tests;
mod udp;
mod watch;
mod words;

pub use udp::{address_towards, bind_sip};

use crate::io::tls::{TlsClient, TlsName, TlsServer};
use crate::sip::{Peer, Transmit, Transport};
use connection::{Connection, HANDSHAKE_PATIENCE, Told, WRITES_BYTES_MAX, WRITES_MAX, Way, What};
use listener::Listener;
use refusal::RefusalEar;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Interval, MissedTickBehavior};
use watch::{AddressWatch, SleepWatch};

/// The longest datagram that UDP carries.
const DATAGRAM_MAX: usize = 65_535;
/// What connections have brought and nobody has taken yet; while it is full, they are not read.
const QUEUE: usize = 256;
/// Connections at a time.
pub const LINKS_MAX: usize = 4_096;
/// Connections from one address.
pub const LINKS_PER_SOURCE_MAX: usize = 64;
/// Connections that we open.
const OPENED_MAX: usize = 1_024;
/// How long somebody who connected may go without anything that is worth an answer.
pub const PROBATION: Duration = Duration::from_secs(30);
/// Peers that connected to us and are gone; nothing is ever opened towards them. Beyond it the oldest are forgotten.
const GONE_MAX: usize = 8_192;
/// Names that servers have to prove; beyond it the connection's own address has to be proven.
const EXPECTED_MAX: usize = 1_024;
/// How long the last words may take.
const FINISH_PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks at addresses, sleep and probation.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What happens on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetEvent {
    /// A datagram came.
    Datagram {
        /// From whom.
        from: Peer,
        /// Its payload.
        bytes: Vec<u8>,
    },
    /// A connection brought bytes, sliced as the network pleased.
    Bytes {
        /// The connection.
        from: Peer,
        /// At least one.
        bytes: Vec<u8>,
    },
    /// A connection is up, whoever opened it.
    Opened {
        /// The connection.
        peer: Peer,
    },
    /// A connection has ended, or could not be made. Not told of those that [`Net::close`] ended.
    Closed {
        /// The connection.
        peer: Peer,
        /// In words, for people.
        reason: String,
    },
    /// The network says that nobody takes our datagrams there. Anybody could have said so.
    Refused {
        /// To where they went.
        to: SocketAddr,
    },
    /// Our address towards a watched server is another one now, or was away for a while. The socket is bound to it.
    AddressChanged {
        /// What it was.
        old: SocketAddr,
        /// What it is.
        local: SocketAddr,
    },
    /// The computer slept for so long. Connections that we had opened are dropped (and told of before).
    Resumed {
        /// Our timers stood still meanwhile.
        slept: Duration,
    },
}

/// What is to be opened.
#[derive(Debug, Default)]
pub struct NetOptions {
    /// UDP sockets, at most one of each family.
    pub udp: Vec<SocketAddr>,
    /// Where connections are accepted.
    pub tcp: Vec<SocketAddr>,
    /// Where TLS connections are accepted; wants `server`.
    pub tls: Vec<SocketAddr>,
    /// For `tls`.
    pub server: Option<TlsServer>,
    /// For TLS connections that we open.
    pub client: Option<TlsClient>,
}

struct Datagrams {
    socket: UdpSocket,
    local: SocketAddr,
    watch: Option<AddressWatch>,
    _ear: RefusalEar,
}

/// A connection, from its owner's side. Dropped, the task that drives it ends at once.
struct Link {
    id: u64,
    writes: mpsc::Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    task: AbortHandle,
    opened_by_us: bool,
    up: bool,
    /// Something was answered: whoever is there speaks SIP.
    proven: bool,
    since: Instant,
}

impl Link {
    /// Whether the owner has heard of it, or waits to hear.
    fn is_known(&self) -> bool {
        self.up || self.opened_by_us
    }
}

/// The network.
pub struct Net {
    udp: Vec<Datagrams>,
    listeners: Vec<Listener>,
    accept_again_at: Option<std::pin::Pin<Box<tokio::time::Sleep>>>,
    client: Arc<TlsClient>,
    server: Option<Arc<TlsServer>>,
    links: HashMap<Peer, Link>,
    tasks: JoinSet<()>,
    links_total: u64,
    expected: HashMap<Peer, TlsName>,
    gone: HashSet<Peer>,
    gone_order: VecDeque<Peer>,
    told: mpsc::Receiver<Told>,
    teller: mpsc::Sender<Told>,
    refused: mpsc::Receiver<SocketAddr>,
    refuser: mpsc::Sender<SocketAddr>,
    pending: VecDeque<NetEvent>,
    ticks: Interval,
    sleep: SleepWatch,
    buffer: Vec<u8>,
    turn: usize,
    probation: Duration,
    handshake: Duration,
}

impl Net {
    /// Binds everything.
    ///
    /// # Errors
    /// When an address isn't ours, a port is taken, or `tls` has no certificate.
    pub async fn open(options: NetOptions) -> io::Result<Self> {
        let mut udp = Vec::new();
        let (refuser, refused) = mpsc::channel(refusal::QUEUE);
        for address in options.udp {
            udp.push(Datagrams::bind(address, &refuser).await?);
        }
        let server = options.server.map(Arc::new);
        if server.is_none() && !options.tls.is_empty() {
            return Err(io::Error::other("TLS wants a certificate"));
        }
        let mut listeners = Vec::new();
        for (addresses, transport) in [(options.tcp, Transport::Tcp), (options.tls, Transport::Tls)] {
            for address in addresses {
                listeners.push(Listener::bind(address, transport)?);
            }
        }
        if !listeners.is_empty() {
            listener::allow_files(LINKS_MAX);
        }
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (teller, told) = mpsc::channel(QUEUE);
        Ok(Self {
            udp,
            listeners,
            accept_again_at: None,
            client: Arc::new(options.client.unwrap_or_else(|| TlsClient::new(Default::default()))),
            server,
            links: HashMap::new(),
            tasks: JoinSet::new(),
            links_total: 0,
            expected: HashMap::new(),
            gone: HashSet::new(),
            gone_order: VecDeque::new(),
            told,
            teller,
            refused,
            refuser,
            pending: VecDeque::new(),
            ticks,
            sleep: SleepWatch::default(),
            buffer: vec![0; DATAGRAM_MAX],
            turn: 0,
            probation: PROBATION,
            handshake: HANDSHAKE_PATIENCE,
        })
    }

    /// Our UDP address of the family of `to`.
    pub fn local_for(&self, to: SocketAddr) -> Option<SocketAddr> {
        self.udp.iter().map(|end| end.local).find(|local| local.is_ipv4() == to.is_ipv4())
    }

    /// Where connections are accepted.
    pub fn listening(&self) -> impl Iterator<Item = Peer> {
        self.listeners.iter().map(|listener| Peer::new(listener.transport, listener.local))
    }

    /// How many connections there are, those included that are being made.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// Binds one more UDP socket, if there is none of that family.
    ///
    /// # Errors
    /// When the address isn't ours or the port is taken.
    pub async fn bind(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        if let Some(local) = self.local_for(address) {
            return Ok(local);
        }
        let end = Datagrams::bind(address, &self.refuser).await?;
        let local = end.local;
        self.udp.push(end);
        Ok(local)
    }

    /// Watches our address on the way to `server`; [`NetEvent::AddressChanged`] says when it is another. `fixed`: the
    /// operator chose the address, and it is only missed.
    pub fn watch(&mut self, server: SocketAddr, fixed: bool) {
        if let Some(end) = self.udp.iter_mut().find(|end| end.local.is_ipv4() == server.is_ipv4()) {
            end.watch = Some(AddressWatch::new(server, end.local.ip(), fixed));
        }
    }

    /// Says whom a TLS server must prove to be. Without, it is its own address.
    pub fn expect(&mut self, peer: Peer, name: TlsName) {
        if self.expected.len() < EXPECTED_MAX || self.expected.contains_key(&peer) {
            self.expected.insert(peer, name);
        }
    }

    /// Sends. A connection is opened if there is none, but never towards somebody who had connected to us.
    pub fn send(&mut self, transmit: Transmit) {
        if transmit.to.transport == Transport::Udp {
            self.send_datagram(&transmit);
            return;
        }
        let peer = transmit.to;
        if !self.links.contains_key(&peer) && !self.open_link(peer) {
            return;
        }
        let Some(link) = self.links.get_mut(&peer) else { return };
        // An answer to a keep-alive proves nothing (RFC 5626 3.5.1).
        link.proven |= !transmit.bytes.iter().all(u8::is_ascii_whitespace);
        let length = transmit.bytes.len();
        let waiting = link.waiting.fetch_add(length, Ordering::Relaxed);
        if waiting + length > WRITES_BYTES_MAX || link.writes.try_send(transmit.bytes).is_err() {
            self.drop_link(peer, "the far end does not read what is sent to it");
        }
    }

    fn send_datagram(&mut self, transmit: &Transmit) {
        let to = transmit.to.address;
        let Some(end) = self.udp.iter().find(|end| end.local.is_ipv4() == to.is_ipv4()) else {
            tracing::debug!(target: "net", %to, "no socket of that family");
            return;
        };
        let send = || end.socket.try_send_to(&transmit.bytes, to);
        // What was said of an earlier datagram, to wherever, is told once to whoever sends next: then it has not gone out.
        let sent = send().or_else(|error| if is_refusal(&error) { send() } else { Err(error) });
        // A full buffer is a lost datagram: SIP repeats it.
        if let Err(error) = sent {
            tracing::debug!(target: "net", %to, %error, "datagram not sent");
            if is_refusal(&error) && self.pending.len() < QUEUE {
                self.pending.push_back(NetEvent::Refused { to });
            }
        }
    }

    /// Ends a connection after what was sent on it has gone out. No event follows.
    pub fn close(&mut self, peer: Peer) {
        if let Some(link) = self.links.remove(&peer) {
            self.remember_gone(peer, &link);
            // Without writers the task says good-bye and ends by itself.
            if !link.up {
                link.task.abort();
            }
        }
    }

    /// Ends all connections in good order, after what was sent on them has gone out; waits at most a second.
    pub async fn finish(&mut self) {
        let peers: Vec<Peer> = self.links.keys().copied().collect();
        for peer in peers {
            self.close(peer);
        }
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        // Whoever takes longer is cut off.
        let _ = tokio::time::timeout(FINISH_PATIENCE, ended).await;
    }

    /// What happens next. May be dropped at any time without losing anything.
    pub async fn next(&mut self) -> NetEvent {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// What has happened already, without waiting.
    pub fn try_next(&mut self) -> Option<NetEvent> {
        if let Some(event) = self.pending.pop_front() {
            return Some(event);
        }
        while let Ok(told) = self.told.try_recv() {
            if let Some(event) = self.take_told(told) {
                return Some(event);
            }
        }
        if let Ok(to) = self.refused.try_recv() {
            return Some(NetEvent::Refused { to });
        }
        self.try_datagram()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<NetEvent> {
        loop {
            while self.ticks.poll_tick(cx).is_ready() {
                self.look();
            }
            if let Some(event) = self.pending.pop_front() {
                return Poll::Ready(event);
            }
            if let Poll::Ready(Some(to)) = self.refused.poll_recv(cx) {
                return Poll::Ready(NetEvent::Refused { to });
            }
            // Nobody who is loud can shut the others out.
            self.turn = (self.turn + 1) % 3;
            let mut more = false;
            for source in 0..3 {
                match (self.turn + source) % 3 {
                    0 => {
                        if let Poll::Ready(event) = self.poll_datagrams(cx) {
                            return Poll::Ready(event);
                        }
                    }
                    1 => {
                        while let Poll::Ready(Some(told)) = self.told.poll_recv(cx) {
                            if let Some(event) = self.take_told(told) {
                                return Poll::Ready(event);
                            }
                        }
                    }
                    _ => more |= self.poll_listeners(cx),
                }
            }
            if !more && self.pending.is_empty() {
                return Poll::Pending;
            }
        }
    }

    fn poll_datagrams(&mut self, cx: &mut Context<'_>) -> Poll<NetEvent> {
        for end in &self.udp {
            loop {
                let mut buffer = ReadBuf::new(&mut self.buffer);
                match end.socket.poll_recv_from(cx, &mut buffer) {
                    Poll::Ready(Ok(from)) => {
                        let bytes = buffer.filled().to_vec();
                        return Poll::Ready(NetEvent::Datagram { from: Peer::udp(from), bytes });
                    }
                    // An ICMP answer to something we sent: to what, the queue of errors tells.
                    Poll::Ready(Err(_)) => {}
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    }

    fn try_datagram(&mut self) -> Option<NetEvent> {
        for end in &self.udp {
            loop {
                match end.socket.try_recv_from(&mut self.buffer) {
                    Ok((length, from)) => {
                        let bytes = self.buffer.get(..length).unwrap_or_default().to_vec();
                        return Some(NetEvent::Datagram { from: Peer::udp(from), bytes });
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {}
                }
            }
        }
        None
    }

    /// `None`: it is about a connection that is no more.
    fn take_told(&mut self, told: Told) -> Option<NetEvent> {
        let Told { id, peer, what } = told;
        let link = self.links.get_mut(&peer).filter(|link| link.id == id)?;
        Some(match what {
            What::Opened => {
                link.up = true;
                NetEvent::Opened { peer }
            }
            What::Bytes(bytes) => NetEvent::Bytes { from: peer, bytes },
            What::Closed(reason) => {
                let link = self.links.remove(&peer)?;
                self.remember_gone(peer, &link);
                tracing::debug!(target: "net", %peer, %reason, "connection ended");
                if !link.is_known() {
                    return None;
                }
                NetEvent::Closed { peer, reason }
            }
        })
    }

    /// Whether there is a connection now.
    fn open_link(&mut self, peer: Peer) -> bool {
        let refused = if self.gone.contains(&peer) {
            Some("the connection that it came on is closed")
        } else if self.links.values().filter(|link| link.opened_by_us).count() >= OPENED_MAX {
            Some("too many connections")
        } else {
            None
        };
        if let Some(reason) = refused {
            self.tell_closed(peer, reason);
            return false;
        }
        let tls = (peer.transport == Transport::Tls).then(|| {
            let name = self.expected.get(&peer).cloned().unwrap_or(TlsName::Address(peer.ip()));
            (self.client.clone(), name)
        });
        let local = self.local_for(peer.address).filter(|local| !local.ip().is_unspecified());
        let usual = words::usual_sip_port(peer.transport);
        self.start_link(peer, Way::Out { local, others: Vec::new(), tls, usual });
        true
    }

    fn start_link(&mut self, peer: Peer, way: Way) {
        self.links_total += 1;
        let (writes, written) = mpsc::channel(WRITES_MAX);
        let waiting = Arc::new(AtomicUsize::new(0));
        let opened_by_us = matches!(way, Way::Out { .. });
        let connection = Connection {
            id: self.links_total,
            peer,
            writes: written,
            waiting: waiting.clone(),
            told: self.teller.clone(),
            handshake: self.handshake,
        };
        let task = self.tasks.spawn(connection.live(way));
        let link = Link {
            id: self.links_total,
            writes,
            waiting,
            task,
            opened_by_us,
            up: false,
            proven: opened_by_us,
            since: Instant::now(),
        };
        if let Some(old) = self.links.insert(peer, link) {
            // The far end reuses its port: the old connection is dead, whether we know it or not.
            old.task.abort();
            if old.is_known() {
                self.tell_closed(peer, "the far end opened the connection anew");
            }
        }
    }

    fn tell_closed(&mut self, peer: Peer, reason: &str) {
        self.pending.push_back(NetEvent::Closed { peer, reason: reason.to_owned() });
    }

    /// Ends a connection at once, and tells of it.
    fn drop_link(&mut self, peer: Peer, reason: &str) {
        if let Some(link) = self.links.remove(&peer) {
            link.task.abort();
            self.remember_gone(peer, &link);
            tracing::debug!(target: "net", %peer, %reason, "connection dropped");
            if link.is_known() {
                self.tell_closed(peer, reason);
            }
        }
    }

    fn remember_gone(&mut self, peer: Peer, link: &Link) {
        if link.opened_by_us || !self.gone.insert(peer) {
            return;
        }
        self.gone_order.push_back(peer);
        if self.gone_order.len() > GONE_MAX
            && let Some(oldest) = self.gone_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    /// Looks around: who has been silent for too long, where we are, whether we slept.
    fn look(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        let silent: Vec<Peer> = self
            .links
            .iter()
            .filter(|(_, link)| !link.proven && link.since.elapsed() >= self.probation)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in silent {
            self.drop_link(peer, "nothing that can be answered came on the connection");
        }
        if let Some(slept) = self.sleep.look() {
            tracing::info!(target: "net", slept_s = slept.as_secs(), "the computer slept");
            self.drop_opened("the computer slept");
            self.pending.push_back(NetEvent::Resumed { slept });
        }
        for at in 0..self.udp.len() {
            let Some(end) = self.udp.get_mut(at) else { continue };
            let Some(address) = end.watch.as_mut().and_then(AddressWatch::look) else { continue };
            let old = end.local;
            match end.move_to(address, &self.refuser) {
                Ok(local) => {
                    tracing::info!(target: "net", %old, %local, "our address has changed");
                    self.drop_opened("this computer's address has changed");
                    self.pending.push_back(NetEvent::AddressChanged { old, local });
                }
                Err(error) => {
                    tracing::warn!(target: "net", %address, %error, "can't listen on our new address")
                }
            }
        }
    }

    /// Connections that we opened lead from an address, or a time, that is no more.
    fn drop_opened(&mut self, reason: &str) {
        let opened: Vec<Peer> =
            self.links.iter().filter(|(_, link)| link.opened_by_us).map(|(peer, _)| *peer).collect();
        for peer in opened {
            self.drop_link(peer, reason);
        }
    }
}

impl Datagrams {
    async fn bind(address: SocketAddr, refuser: &mpsc::Sender<SocketAddr>) -> io::Result<Self> {
        let socket = bind_sip(address)?;
        // Until it has been polled once, a fresh socket refuses to send at once: the first message would be lost.
        socket.writable().await?;
        let ear = RefusalEar::of(&socket, refuser.clone());
        Ok(Self { local: socket.local_addr()?, socket, watch: None, _ear: ear })
    }

    /// Binds the same port on another address, or any port if that is taken there.
    fn move_to(
        &mut self,
        address: std::net::IpAddr,
        refuser: &mpsc::Sender<SocketAddr>,
    ) -> io::Result<SocketAddr> {
        if address == self.local.ip() {
            return Ok(self.local);
        }
        let same = SocketAddr::new(address, self.local.port());
        self.socket = bind_sip(same).or_else(|_| bind_sip(SocketAddr::new(address, 0)))?;
        self._ear = RefusalEar::of(&self.socket, refuser.clone());
        self.local = self.socket.local_addr()?;
        Ok(self.local)
    }
}

/// Whether the network, ours or another, says that there is no way or nobody.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionRefused | K::HostUnreachable | K::NetworkUnreachable)
}
