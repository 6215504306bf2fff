//! One TCP or TLS connection: a task that opens it, carries bytes both ways, and says once why it ended. It decides
//! nothing; what it may keep is bounded by [`WRITES_BYTES_MAX`] and the queue to the owner.

use super::words;
use crate::io::tls::{TlsClient, TlsName, TlsServer, server_name};
use crate::sip::Peer;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// How long a server may take to answer an attempt to connect.
pub(super) const CONNECT_PATIENCE: Duration = Duration::from_secs(8);
/// How long a TLS handshake may take, on either side.
pub(in crate::io) const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// How long the far end may take none of what we write.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);
/// How long an orderly end may take.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(1);
/// Bytes that may wait to be written; a peer that lets more pile up doesn't read, and is left.
pub(in crate::io) const WRITES_BYTES_MAX: usize = 1 << 20;
/// Messages that may wait to be written.
pub(in crate::io) const WRITES_MAX: usize = 1024;
/// Bytes read at a time.
const READ_MAX: usize = 8 * 1024;
/// Silence after which the kernel asks whether the far end is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
/// And how often it asks.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMES: u32 = 3;

/// What a connection tells its owner.
pub(in crate::io) struct Told {
    /// Which of all connections, ever: an address can have another one by now.
    pub id: u64,
    pub peer: Peer,
    pub what: What,
}

pub(in crate::io) enum What {
    Opened,
    Bytes(Vec<u8>),
    Closed(String),
}

/// How the connection comes about.
pub(in crate::io) enum Way {
    /// We open it, from this address and port if they can be had; `others` are tried in turn where the peer can't be
    /// reached, and `usual` ends the sentence that nobody listens there.
    Out {
        local: Option<SocketAddr>,
        others: Vec<SocketAddr>,
        tls: Option<(Arc<TlsClient>, TlsName)>,
        usual: &'static str,
    },
    /// They opened it.
    In { stream: TcpStream, tls: Option<Arc<TlsServer>> },
}

/// Everything a connection's task needs.
pub(in crate::io) struct Connection {
    pub id: u64,
    pub peer: Peer,
    pub writes: mpsc::Receiver<Vec<u8>>,
    /// Bytes in `writes`.
    pub waiting: Arc<AtomicUsize>,
    pub told: mpsc::Sender<Told>,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
}

impl Connection {
    /// Lives until it ends.
    pub(in crate::io) async fn live(mut self, way: Way) {
        let reason = match self.open(way).await {
            Ok(Open::Plain(stream)) => self.carry(stream).await,
            Ok(Open::Secured(stream)) => self.carry(stream).await,
            Err(reason) => reason,
        };
        self.tell(What::Closed(reason)).await;
    }

    async fn tell(&self, what: What) {
        // The owner is gone, and with it everybody who could want to know.
        let _ = self.told.send(Told { id: self.id, peer: self.peer, what }).await;
    }

    async fn open(&mut self, way: Way) -> Result<Open, String> {
        match way {
            Way::Out { local, others, tls, usual } => {
                let mut reached = connect(self.peer, local, usual).await;
                for other in others {
                    if reached.is_err() {
                        self.peer.address = other;
                        reached = connect(self.peer, local, usual).await;
                    }
                }
                let stream = reached?;
                let Some((client, name)) = tls else { return Ok(Open::Plain(stream)) };
                let name = server_name(&name)?;
                // Reads files.
                let config = tokio::task::spawn_blocking(move || client.config()).await;
                let config = config.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
                let handshake = TlsConnector::from(config).connect(name, stream);
                self.secured(timeout(self.handshake, handshake).await.map(|s| s.map(TlsStream::from)), usual)
            }
            Way::In { stream, tls } => {
                prepare(&stream);
                let Some(server) = tls else { return Ok(Open::Plain(stream)) };
                let handshake = TlsAcceptor::from(server.config()).accept(stream);
                self.secured(timeout(self.handshake, handshake).await.map(|s| s.map(TlsStream::from)), "")
            }
        }
    }

    fn secured<E>(
        &self,
        shaken: Result<io::Result<TlsStream<TcpStream>>, E>,
        usual: &str,
    ) -> Result<Open, String> {
        match shaken {
            Ok(Ok(stream)) => Ok(Open::Secured(Box::new(stream))),
            Ok(Err(error)) => Err(words::not_secured(self.peer, &error, usual)),
            Err(_) => Err(words::stalled_handshake(self.peer)),
        }
    }

    /// Carries bytes until either side has enough; why.
    async fn carry<S: AsyncRead + AsyncWrite + OverTcp + Unpin>(&mut self, stream: S) -> String {
        self.tell(What::Opened).await;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let reason = tokio::select! {
            reason = read((self.id, self.peer), &self.told, &mut reader) => reason,
            reason = write(&mut self.writes, &self.waiting, &mut writer) => reason,
        };
        // The end is in good order: what was written goes out.
        let _ = SockRef::from(reader.unsplit(writer).tcp()).set_linger(None);
        reason
    }
}

enum Open {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

/// What carries a stream in the end.
trait OverTcp {
    fn tcp(&self) -> &TcpStream;
}

impl OverTcp for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl OverTcp for Box<TlsStream<TcpStream>> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

async fn read(
    (id, peer): (u64, Peer),
    told: &mpsc::Sender<Told>,
    reader: &mut (impl AsyncRead + Unpin),
) -> String {
    let mut buffer = vec![0; READ_MAX];
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) => return "the far end closed the connection".to_owned(),
            Ok(length) => {
                let bytes = buffer.get(..length).unwrap_or_default().to_vec();
                // While the owner is behind, nothing more is read: the peer has to wait.
                if told.send(Told { id, peer, what: What::Bytes(bytes) }).await.is_err() {
                    return "closed".to_owned();
                }
            }
            Err(error) => return words::ended(&error),
        }
    }
}

async fn write(
    writes: &mut mpsc::Receiver<Vec<u8>>,
    waiting: &AtomicUsize,
    writer: &mut (impl AsyncWrite + Unpin),
) -> String {
    while let Some(bytes) = writes.recv().await {
        let written = timeout(WRITE_PATIENCE, async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        });
        match written.await {
            Ok(Ok(())) => waiting.fetch_sub(bytes.len(), Ordering::Relaxed),
            Ok(Err(error)) => return words::ended(&error),
            Err(_) => return "the far end does not read what is sent to it".to_owned(),
        };
    }
    // The owner has closed us, and everything he said before has gone out.
    let _ = timeout(GOODBYE_PATIENCE, writer.shutdown()).await;
    "closed".to_owned()
}

async fn connect(peer: Peer, local: Option<SocketAddr>, usual: &str) -> Result<TcpStream, String> {
    let attempt = async {
        if let Some(local) = local {
            match connect_from(peer.address, Some(local)).await {
                // The port is somebody else's, or the pair of addresses is still cooling down.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable) => {
                }
                done => return done,
            }
        }
        connect_from(peer.address, None).await
    };
    match timeout(CONNECT_PATIENCE, attempt).await {
        Ok(Ok(stream)) => {
            prepare(&stream);
            Ok(stream)
        }
        Ok(Err(error)) => Err(words::not_connected(peer, &error, usual)),
        Err(_) => Err(words::no_answer(peer)),
    }
}

async fn connect_from(to: SocketAddr, from: Option<SocketAddr>) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = from {
        // Several connections, to different servers, from the one port that our Contact names.
        socket.set_reuseaddr(true)?;
        socket.bind(from)?;
    }
    socket.connect(to).await
}

/// Small messages leave at once, and a far end that is gone is noticed.
fn prepare(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    #[cfg(not(target_os = "windows"))]
    let keepalive = keepalive.with_retries(KEEPALIVE_TIMES);
    // Whatever the system won't grant, the agent's own timers make good.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(WRITE_PATIENCE));
    // A connection that is dropped, rather than ended, leaves no pair of addresses behind that has to cool down: the
    // next one can come from the same port.
    let _ = socket.set_linger(Some(Duration::ZERO));
}

/// Where a stranger comes from, as far as limits are concerned: an IPv6 customer has a whole /64.
pub(super) fn source_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => {
                let [a, b, c, d, ..] = v6.segments();
                [a, b, c, d, 0, 0, 0, 0].into()
            }
        },
    }
}
