//! A small SIP server of our own, for what a well-bred one would never say. It registers everybody, lights lamps as
//! the test wishes, rings the console under any name, and keeps what it hears. Its words are bytes, not text.

use crate::peers::{LOOPBACK, wait_until};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A message that was heard, as text.
#[derive(Clone)]
pub struct Heard {
    pub from: SocketAddr,
    pub text: String,
}

impl Heard {
    pub fn start_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> &str {
        let named =
            |line: &&str| line.split_once(':').is_some_and(|(n, _)| n.trim().eq_ignore_ascii_case(name));
        self.text.lines().find(named).and_then(|line| line.split_once(':')).map_or("", |(_, v)| v.trim())
    }

    fn is_response(&self) -> bool {
        self.text.starts_with("SIP/2.0")
    }
}

/// A subscription to one slot.
struct Watcher {
    subscribe: Heard,
    versions: u32,
}

/// The server, on a thread of its own until it is dropped.
pub struct Speaker {
    socket: Arc<UdpSocket>,
    heard: Arc<Mutex<Vec<Heard>>>,
    watchers: Arc<Mutex<Vec<Watcher>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    count: AtomicU32,
}

impl Speaker {
    pub fn start() -> Self {
        Self::at((LOOPBACK, 0).into())
    }

    pub fn at(address: SocketAddr) -> Self {
        let socket = Arc::new(UdpSocket::bind(address).unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (heard, watchers) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (socket, heard, watchers, stop) =
                (socket.clone(), heard.clone(), watchers.clone(), stop.clone());
            move || serve(&socket, &heard, &watchers, &stop)
        });
        Self { socket, heard, watchers, stop, thread: Some(thread), count: AtomicU32::new(0) }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Everything heard so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Requests of this method so far.
    pub fn count(&self, method: &str) -> usize {
        let start = format!("{method} ");
        self.heard.lock().unwrap().iter().filter(|heard| heard.text.starts_with(&start)).count()
    }

    /// Where the console is, once it has registered and watches all of its four slots.
    pub fn console(&self) -> SocketAddr {
        wait_until("the console registers and watches", Duration::from_secs(15), || {
            let heard = self.heard();
            let watching = self.watchers.lock().unwrap().len() >= 4;
            heard.iter().find(|h| h.text.starts_with("REGISTER ")).map(|h| h.from).filter(|_| watching)
        })
    }

    /// Sends a request whose From display name (or whatever stands there) is these bytes. Returns its Call-ID.
    pub fn ring(&self, to: SocketAddr, from: &[u8]) -> String {
        let call = self.next("call");
        let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";
        let mut invite = self.head("INVITE", to, &call, from);
        let body = format!(
            "Contact: <sip:caller@{}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            self.address(),
            sdp.len()
        );
        invite.extend(body.as_bytes());
        self.send(to, &invite);
        call
    }

    /// Takes a call back that still rings.
    pub fn cancel(&self, to: SocketAddr, call: &str, from: &[u8]) {
        let mut cancel = self.head("CANCEL", to, call, from);
        cancel.extend(b"Content-Length: 0\r\n\r\n");
        self.send(to, &cancel);
    }

    /// Asks with OPTIONS and waits for the answer's status.
    pub fn ask(&self, to: SocketAddr, patience: Duration) -> u16 {
        let call = self.next("ask");
        let mut options = self.head("OPTIONS", to, &call, b"<sip:lot@127.0.0.1>");
        options.extend(b"Content-Length: 0\r\n\r\n");
        self.send(to, &options);
        wait_until("an answer to OPTIONS", patience, || self.answer_to(&call))
    }

    /// The last status that a request with this Call-ID was answered with.
    pub fn answer_to(&self, call: &str) -> Option<u16> {
        let heard = self.heard.lock().unwrap();
        let answer = heard.iter().rev().find(|h| h.is_response() && h.header("Call-ID") == call)?;
        answer.start_line().split(' ').nth(1)?.parse().ok()
    }

    /// Tells every watcher of `slot` this list of dialogs: the inside of a `dialog-info` document, as bytes.
    pub fn light(&self, slot: &str, dialogs: &[u8]) {
        let mut watchers = self.watchers.lock().unwrap();
        let of_slot =
            watchers.iter_mut().filter(|w| w.subscribe.start_line().contains(&format!("sip:{slot}@")));
        for watcher in of_slot {
            watcher.versions += 1;
            notify(&self.socket, &watcher.subscribe, watcher.versions, dialogs);
        }
    }

    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        self.socket.send_to(bytes, to).unwrap();
    }

    fn next(&self, what: &str) -> String {
        format!("{what}-{}", self.count.fetch_add(1, Ordering::Relaxed))
    }

    /// The start of a request outside a dialog; what follows From is the caller's.
    fn head(&self, method: &str, to: SocketAddr, call: &str, from: &[u8]) -> Vec<u8> {
        let us = self.address();
        let mut head = format!(
            "{method} sip:reception@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bK{call}\r\n\
             Max-Forwards: 70\r\nTo: <sip:reception@127.0.0.1>\r\nCall-ID: {call}\r\nCSeq: 1 {method}\r\nFrom: "
        )
        .into_bytes();
        head.extend(from);
        head.extend(b";tag=1\r\n");
        head
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve(socket: &UdpSocket, heard: &Mutex<Vec<Heard>>, watchers: &Mutex<Vec<Watcher>>, stop: &AtomicBool) {
    let mut buffer = vec![0; 65_535];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let message = Heard { from, text: String::from_utf8_lossy(&buffer[..length]).into_owned() };
        heard.lock().unwrap().push(message.clone());
        let method = message.start_line().split(' ').next().unwrap_or_default().to_owned();
        match method.as_str() {
            "SIP/2.0" | "ACK" => {}
            "SUBSCRIBE" => {
                answer(socket, &message, "202 Accepted", "Expires: 600\r\n");
                if message.header("Expires") != "0" && !message.header("To").contains("tag=") {
                    notify(socket, &message, 1, b"");
                    watchers.lock().unwrap().push(Watcher { subscribe: message, versions: 1 });
                }
            }
            "REGISTER" => {
                let contact = format!("Contact: {}\r\nExpires: 300\r\n", message.header("Contact"));
                answer(socket, &message, "200 OK", &contact);
            }
            "INVITE" => answer(socket, &message, "486 Busy Here", ""),
            _ => answer(socket, &message, "200 OK", ""),
        }
    }
}

fn answer(socket: &UdpSocket, request: &Heard, status: &str, more: &str) {
    let tag = if request.header("To").contains("tag=") { "" } else { ";tag=lot" };
    let us = socket.local_addr().unwrap();
    let contact =
        if more.contains("Contact") { String::new() } else { format!("Contact: <sip:lot@{us}>\r\n") };
    let text = format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{contact}{more}\
         Content-Length: 0\r\n\r\n",
        request.header("Via"),
        request.header("From"),
        request.header("To"),
        request.header("Call-ID"),
        request.header("CSeq"),
    );
    let _ = socket.send_to(text.as_bytes(), request.from);
}

fn notify(socket: &UdpSocket, subscribe: &Heard, version: u32, dialogs: &[u8]) {
    let us = socket.local_addr().unwrap();
    let mut body = format!(
        "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
         state=\"full\" entity=\"sip:slot@127.0.0.1\">"
    )
    .into_bytes();
    body.extend(dialogs);
    body.extend(b"</dialog-info>");
    let call = subscribe.header("Call-ID");
    let head = format!(
        "NOTIFY sip:reception@{} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bK{call}{version}\r\n\
         Max-Forwards: 70\r\nFrom: {};tag=lot\r\nTo: {}\r\nCall-ID: {call}\r\nCSeq: {version} NOTIFY\r\n\
         Contact: <sip:lot@{us}>\r\nEvent: dialog\r\nSubscription-State: active;expires=600\r\n\
         Content-Type: application/dialog-info+xml\r\nContent-Length: {}\r\n\r\n",
        subscribe.from,
        subscribe.header("To"),
        subscribe.header("From"),
        body.len()
    );
    let mut message = head.into_bytes();
    message.extend(body);
    let _ = socket.send_to(&message, subscribe.from);
}

/// A road between the console and a server that counts the REGISTERs on it. Ends with the value.
pub struct Road {
    pub entrance: SocketAddr,
    registers: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Road {
    pub fn to(server: SocketAddr) -> Self {
        let entrance = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        let address = entrance.local_addr().unwrap();
        let (registers, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (registers, stop) = (registers.clone(), stop.clone());
            move || carry(&entrance, server, &registers, &stop)
        });
        Self { entrance: address, registers, stop, thread: Some(thread) }
    }

    pub fn registers(&self) -> u32 {
        self.registers.load(Ordering::Relaxed)
    }
}

fn carry(entrance: &UdpSocket, server: SocketAddr, registers: &AtomicU32, stop: &AtomicBool) {
    let exit = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    for socket in [entrance, &exit] {
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    }
    let mut buffer = vec![0; 65_535];
    let mut console = None;
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, from)) = entrance.recv_from(&mut buffer) {
            console = Some(from);
            registers.fetch_add(u32::from(buffer.starts_with(b"REGISTER ")), Ordering::Relaxed);
            let _ = exit.send_to(&buffer[..length], server);
        }
        if let Ok((length, _)) = exit.recv_from(&mut buffer) {
            let _ = console.map(|console| entrance.send_to(&buffer[..length], console));
        }
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
