//! The stage: two UDP sockets on loopback, a clock and a media engine for the troupe, on one thread with one
//! single-threaded runtime. Nobody sleeps on a thread of his own.

use super::troupe::{Script, Seat, Troupe, Voices};
use crate::io::clock::{Clock, entropy};
use crate::io::net;
use crate::io::sound::{MediaEngine, MediaHandle, SoundOptions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{Notify, oneshot};

/// The longest datagram that UDP carries.
const DATAGRAM_MAX: usize = 65_535;
/// Datagrams taken in a row before anything else gets its turn.
const DATAGRAMS_IN_A_ROW: usize = 64;
/// Media ports kept ready: everybody on stage at once, and some.
const SPARE_PORTS: usize = 8;
/// Media streams at a time.
const STREAMS_MAX: usize = 32;
/// How long the end waits for the lot to answer BYE and unREGISTER.
const CURTAIN: Duration = Duration::from_millis(500);

/// A show that runs. Dropped, it ends: everybody hangs up, and the thread is joined.
#[derive(Debug)]
pub struct Performance {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Performance {
    /// Ends the show and waits until it is over (at most about half a second).
    pub fn end(self) {}
}

impl Drop for Performance {
    fn drop(&mut self) {
        // Both fail only when the thread is gone already.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Starts the show on a thread of its own: callers and colleague play for the lot of `script` until the returned
/// [`Performance`] is dropped.
///
/// # Errors
/// When no socket, media engine or thread can be had.
pub fn perform(script: Script) -> io::Result<Performance> {
    let (stop, stopped) = oneshot::channel();
    let (ready, opened) = std::sync::mpsc::sync_channel(1);
    let thread = thread::Builder::new().name("demo".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let played = runtime.and_then(|runtime| {
            runtime.block_on(async {
                let room = Room::open()?;
                // Nobody waits for this any more only if the show is not wanted any more. The voices take a moment.
                let _ = ready.send(Ok(()));
                Stage::new(room, script)?.play(stopped).await;
                Ok(())
            })
        });
        if let Err(error) = played {
            let _ = ready.send(Err(error));
        }
    })?;
    let performance = Performance { stop: Some(stop), thread: Some(thread) };
    opened.recv().unwrap_or_else(|_| Err(io::Error::other("the demo's thread ended")))?;
    Ok(performance)
}

/// What the system gives.
struct Room {
    /// In the order of [`Seat::ALL`].
    sockets: [UdpSocket; 2],
    media: MediaHandle,
    heard: Arc<Notify>,
}

impl Room {
    fn open() -> io::Result<Self> {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let bind = || net::bind_sip(SocketAddr::new(address, 0));
        let sockets = [bind()?, bind()?];
        let heard = Arc::new(Notify::new());
        let wake = heard.clone();
        let mut options = SoundOptions::silent(address, SPARE_PORTS, entropy());
        options.streams_max = STREAMS_MAX;
        let media = MediaEngine::start(options, move || wake.notify_one())?;
        Ok(Self { sockets, media, heard })
    }
}

struct Stage {
    troupe: Troupe,
    sockets: [UdpSocket; 2],
    media: MediaHandle,
    heard: Arc<Notify>,
    clock: Clock,
}

impl Stage {
    fn new(room: Room, script: Script) -> io::Result<Self> {
        let Room { sockets, media, heard } = room;
        let clock = Clock::start();
        let at = [sockets[0].local_addr()?, sockets[1].local_addr()?];
        let troupe = Troupe::new(script, Voices::read(), at, clock.now(), entropy());
        Ok(Self { troupe, sockets, media, heard, clock })
    }

    async fn play(&mut self, stopped: oneshot::Receiver<()>) {
        // A fresh socket is not known to be writable: without this the first datagram would be dropped.
        for socket in &self.sockets {
            let _ = socket.writable().await;
        }
        self.troupe.start(self.clock.now());
        self.flush();
        self.run(async { drop(stopped.await) }).await;
        self.troupe.stop(self.clock.now());
        self.flush();
        self.run(tokio::time::sleep(CURTAIN)).await;
    }

    /// Carries bytes and reports until `end`.
    async fn run(&mut self, end: impl Future<Output = ()>) {
        let mut datagrams = [vec![0; DATAGRAM_MAX], vec![0; DATAGRAM_MAX]];
        let [first, second] = &mut datagrams;
        tokio::pin!(end);
        let heard = self.heard.clone();
        loop {
            let wake =
                self.troupe.next_wake().map(|at| tokio::time::Instant::from_std(self.clock.instant(at)));
            let sleep = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let [outside, colleague] = &self.sockets;
            tokio::select! {
                biased;
                () = &mut end => return,
                () = heard.notified() => {
                    while let Some(report) = self.media.try_recv() {
                        self.troupe.report(self.clock.now(), report);
                    }
                }
                came = outside.recv_from(first) => self.take(Seat::Outside, came, first),
                came = colleague.recv_from(second) => self.take(Seat::Colleague, came, second),
                () = sleep => self.troupe.wake(self.clock.now()),
            }
            self.flush();
        }
    }

    /// Takes the datagram that came and those that wait behind it.
    fn take(&mut self, seat: Seat, first: io::Result<(usize, SocketAddr)>, buffer: &mut [u8]) {
        let mut came = first;
        for _ in 0..DATAGRAMS_IN_A_ROW {
            // An error here is an ICMP answer to something we sent: the transaction's timers deal with it.
            if let Ok((length, from)) = came {
                self.troupe.receive(self.clock.now(), seat, from, buffer.get(..length).unwrap_or_default());
            }
            came = match self.sockets[seat as usize].try_recv_from(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                other => other,
            };
        }
    }

    fn flush(&mut self) {
        while let Some(command) = self.troupe.poll_media() {
            if !self.media.send(command) {
                tracing::warn!(target: "demo", "the media thread is behind: a command was dropped");
            }
        }
        while let Some((seat, transmit)) = self.troupe.poll_transmit() {
            // A full buffer is a lost datagram: SIP repeats it.
            if let Err(error) = self.sockets[seat as usize].try_send_to(&transmit.bytes, transmit.to.address)
            {
                tracing::debug!(target: "demo", to = %transmit.to, %error, "datagram not sent");
            }
        }
    }
}
