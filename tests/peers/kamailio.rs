//! A real Kamailio of the test's own: a proxy that asks who is there before an Asterisk, or a registrar with a
//! presence server. Own folder, own free ports on loopback; it and its children end with the value.

use super::certificates::Pair;
use super::kamailio_files;
use super::process::{Process, last_lines, signal};
use super::{LOOPBACK, free_sip_port, peers_folder, wait_for, wait_until};
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What it is for.
#[derive(Debug, Clone)]
pub enum Role {
    /// In front of an Asterisk, with Path and Record-Route.
    Proxy { server: SocketAddr },
    /// Registrar, router between its phones, and presence server (RFC 3856, 3903, 4235).
    Presence,
    /// Registrar and router, with lots behind it as `assets/kamailio-lots.cfg` has them: the first is number 1.
    Lots { lots: Vec<SocketAddr> },
}

/// What the test wants of its Kamailio.
#[derive(Debug, Clone)]
pub struct KamailioOptions {
    pub role: Role,
    /// A proxy asks with 407 before it passes anything on.
    pub asks: bool,
    /// In which realm a proxy asks. The password is the same in all.
    pub realm: &'static str,
    /// A proxy names itself in a Service-Route to whoever registers (RFC 3608).
    pub service_route: bool,
    /// A proxy refuses what doesn't name it in a Route.
    pub insists: bool,
    /// It listens on TLS as well, one port higher, with this certificate.
    pub tls: Option<Pair>,
}

impl KamailioOptions {
    /// A proxy that asks, insists, and tells its Service-Route.
    pub fn proxy(server: SocketAddr) -> Self {
        let realm = kamailio_files::PROXY_REALM;
        Self {
            role: Role::Proxy { server },
            asks: true,
            realm,
            service_route: true,
            insists: true,
            tls: None,
        }
    }

    pub fn presence() -> Self {
        let realm = kamailio_files::REALM;
        Self { role: Role::Presence, asks: true, realm, service_route: false, insists: false, tls: None }
    }

    pub fn lots(lots: Vec<SocketAddr>) -> Self {
        Self { role: Role::Lots { lots }, ..Self::presence() }
    }
}

/// A running Kamailio.
pub struct Kamailio {
    process: Process,
    folder: tempfile::TempDir,
    sip: SocketAddr,
    publisher: UdpSocket,
    published: AtomicU32,
}

/// How long a Kamailio may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(15);

impl Kamailio {
    /// Starts one at this address, which nobody else has; the lots behind it are told it before.
    pub fn start_at(options: &KamailioOptions, sip: SocketAddr) -> Self {
        Self::try_start(options, sip).expect("the port that was chosen is still free")
    }

    /// Starts one and waits until it answers.
    pub fn start(options: &KamailioOptions) -> Self {
        // Between choosing a port and binding it somebody else may take it: then the next.
        for _ in 0..3 {
            let sip = SocketAddr::V4(SocketAddrV4::new(LOOPBACK, free_sip_port(LOOPBACK)));
            if let Some(running) = Self::try_start(options, sip) {
                return running;
            }
        }
        panic!("Kamailio found its port taken three times");
    }

    fn try_start(options: &KamailioOptions, sip: SocketAddr) -> Option<Self> {
        let unpacked = peers_folder().join("kamailio");
        assert!(
            unpacked.join("kamailio").exists(),
            "there is no Kamailio in {}: run tests/setup.sh first",
            unpacked.display()
        );
        let folder = tempfile::Builder::new().prefix("parkdeck-kamailio-").tempdir().unwrap();
        let config = kamailio_files::config(options, sip, folder.path());
        std::fs::write(folder.path().join("kamailio.cfg"), config).unwrap();
        std::fs::write(folder.path().join("tls.cfg"), kamailio_files::tls(options)).unwrap();
        std::fs::write(folder.path().join("lots.list"), kamailio_files::lots_list(options)).unwrap();
        let publisher = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        publisher.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let process = launch(folder.path());
        let mut running = Self { process, folder, sip, publisher, published: AtomicU32::new(0) };
        running.wait_up().then_some(running)
    }

    /// Waits until it answers; false when its port was taken.
    fn wait_up(&mut self) -> bool {
        let up = wait_for(PATIENCE, || match self.process.exited() {
            Some(_) => Some(false),
            None => answers(&self.publisher, self.sip).then_some(true),
        });
        let taken = self.process.output().contains("Address already in use");
        assert!(up == Some(true) || taken, "Kamailio hasn't come up:\n{}", self.process.output());
        up == Some(true)
    }

    /// Where it takes SIP over UDP and TCP.
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// Where it takes SIP over TLS, when it does.
    pub fn tls(&self) -> SocketAddr {
        SocketAddr::new(self.sip.ip(), self.sip.port() + 1)
    }

    /// `sip:USER@ADDRESS` on this server.
    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.sip)
    }

    /// What it wrote: a line `heard METHOD URI from PROTO:IP:PORT CALL-ID` for each request, `asked METHOD …`,
    /// `proven METHOD …` and `registered STATUS …` where it did so.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// How many lines of the log have this text.
    pub fn count(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    /// Waits until so many lines of the log have this text.
    pub fn wait_count(&self, text: &str, count: usize, timeout: Duration) {
        if wait_for(timeout, || (self.count(text) >= count).then_some(())).is_none() {
            panic!("Kamailio has not seen “{text}” {count} times:\n{}", last_lines(&self.log(), 60));
        }
    }

    /// Publishes a state of `user` for an hour (RFC 3903), as a phone or another server would.
    pub fn publish(&self, user: &str, event: &str, content_type: &str, body: &str) {
        let number = self.published.fetch_add(1, Ordering::Relaxed);
        let us = self.publisher.local_addr().unwrap();
        let uri = self.uri(user);
        let head = format!(
            "PUBLISH {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bKpublish{number}\r\nMax-Forwards: 70\r\n\
             From: <{uri}>;tag=p{number}\r\nTo: <{uri}>\r\nCall-ID: publish-{number}@{us}\r\nCSeq: 1 PUBLISH\r\n\
             Event: {event}\r\nExpires: 3600\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = wait_until("Kamailio takes what is published", PATIENCE, || {
            self.publisher.send_to(head.as_bytes(), self.sip).unwrap();
            listen(&self.publisher).filter(|answer| answer.contains("CSeq: 1 PUBLISH"))
        });
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    }

    /// Ends it, and starts it again on the same ports with nothing remembered.
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    /// Ends it and leaves it away until [`Kamailio::start_again`].
    pub fn stop(&mut self) {
        self.end();
    }

    /// After [`Kamailio::stop`].
    pub fn start_again(&mut self) {
        self.process = launch(self.folder.path());
        assert!(self.wait_up(), "somebody else has taken Kamailio's port");
    }

    /// Asks it to end, and its children with it; ends them all when it doesn't.
    fn end(&mut self) {
        let children = children_of(self.process.pid());
        if self.process.exited().is_none() {
            self.process.signal("TERM");
        }
        if self.process.wait(PATIENCE).is_none() {
            for child in children {
                signal(child, "KILL");
            }
            self.process.kill();
        }
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        self.end();
    }
}

fn launch(folder: &Path) -> Process {
    let unpacked = peers_folder().join("kamailio");
    let tables = folder.join("tables");
    let _ = std::fs::remove_dir_all(&tables);
    copy_tables(&unpacked.join("dbtext"), &tables);
    let (own, config) = (folder.to_string_lossy(), folder.join("kamailio.cfg"));
    let arguments =
        ["-f", &config.to_string_lossy(), "-DD", "-E", "-m", "64", "-M", "8", "-Y", &own, "-w", &own]
            .map(String::from);
    let program = unpacked.join("kamailio");
    // It has children: only when it is asked does it end them too.
    Process::start_with("TERM", &program, &arguments, folder, &folder.join("output.txt"))
}

fn answers(socket: &UdpSocket, sip: SocketAddr) -> bool {
    let us = socket.local_addr().unwrap();
    let head = format!(
        "OPTIONS sip:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bKup\r\nMax-Forwards: 0\r\n\
         From: <sip:test@{us}>;tag=up\r\nTo: <sip:{sip}>\r\nCall-ID: up@{us}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let _ = socket.send_to(head.as_bytes(), sip);
    listen(socket).is_some()
}

/// What comes within the socket's patience.
fn listen(socket: &UdpSocket) -> Option<String> {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

fn children_of(pid: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn copy_tables(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
