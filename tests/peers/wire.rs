//! A wire between a client and a server, for connections: whatever passes passes, until the test cuts it.

use super::LOOPBACK;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The wire, until it is dropped.
pub struct Wire {
    entrance: SocketAddr,
    ends: Arc<Mutex<Vec<TcpStream>>>,
    /// Connections that were ever made.
    made: Arc<AtomicUsize>,
    /// While it is false, whoever knocks is turned away.
    open: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    /// A wire to `server`.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let entrance = listener.local_addr().unwrap();
        let ends = Arc::new(Mutex::new(Vec::new()));
        let (made, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (ends, made, open, stop) = (ends.clone(), made.clone(), open.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    match listener.accept() {
                        Ok((client, _)) if open.load(Ordering::Relaxed) => {
                            join(client, server, &ends);
                            made.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(_) => {}
                        Err(_) => std::thread::sleep(Duration::from_millis(10)),
                    }
                }
            }
        });
        Self { entrance, ends, made, open, stop, thread: Some(thread) }
    }

    /// Where the client is to go.
    pub fn entrance(&self) -> SocketAddr {
        self.entrance
    }

    /// How many connections there have been.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// Cuts every connection; new ones are possible at once.
    pub fn cut(&self) {
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Cuts every connection, and turns away those who come until [`Wire::mend`].
    pub fn break_off(&self) {
        self.open.store(false, Ordering::Relaxed);
        self.cut();
    }

    pub fn mend(&self) {
        self.open.store(true, Ordering::Relaxed);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.cut();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn join(client: TcpStream, server: SocketAddr, ends: &Mutex<Vec<TcpStream>>) {
    let _ = client.set_nonblocking(false);
    let Ok(server) = TcpStream::connect(server) else { return };
    let mut ends = ends.lock().unwrap();
    for (from, to) in [(&client, &server), (&server, &client)] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || carry(from, to));
    }
    ends.extend([client, server]);
}

/// Until either end closes.
fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
