//! Hundreds of callers and watchers in one thread: a few SIP texts on a few sockets, the same towards every server, and
//! nothing between them and the moment at which a datagram is there. Known to the server by their addresses.

use super::figures::Samples;
use super::peers::OUTSIDE;
use socket2::{Domain, Socket, Type};
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How many sockets they share.
pub const LINES: usize = 8;
/// After so long a request is sent again, and after so many times the benchmark is over.
const AGAIN: Duration = Duration::from_millis(1_000);
const TRIES: u32 = 20;

/// A call that is up.
#[derive(Clone, Debug)]
pub struct Call {
    line: usize,
    call_id: String,
    ours: String,
    theirs: String,
    target: String,
    routes: String,
    number: u32,
    /// Where its sound goes.
    pub media: SocketAddr,
}

/// A call that is wanted.
#[derive(Clone, Debug)]
pub struct Wish {
    pub extension: String,
    pub name: String,
    /// Where its sound is to come.
    pub ear: u16,
}

/// An INVITE that is out.
struct Asked {
    wish: usize,
    line: usize,
    text: String,
    at: Instant,
    sent: Instant,
    tries: u32,
}

/// All of them.
pub struct Crowd {
    lines: Vec<UdpSocket>,
    server: SocketAddr,
    serial: u64,
    datagram: Vec<u8>,
    /// When each subscription was told something, by its Call-ID, since it was asked for last.
    told: Vec<(String, Instant, String)>,
    /// Calls that the server has ended.
    ended: Vec<String>,
}

fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let named = |line: &&str| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name));
    head.lines().find(named).and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
}

fn all_of(text: &str, name: &str) -> String {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let named = |line: &&str| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name));
    head.lines().filter(named).map(|line| format!("{line}\r\n")).collect()
}

fn bracketed(value: &str) -> String {
    let inside = value.split('<').nth(1).and_then(|rest| rest.split('>').next());
    inside.unwrap_or(value).to_owned()
}

fn status(text: &str) -> Option<u16> {
    text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

impl Crowd {
    /// The sockets; the server is told their addresses before it starts.
    pub fn lines() -> (Vec<UdpSocket>, Vec<SocketAddr>) {
        let line = || {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
            let _ = socket.set_recv_buffer_size(4 << 20);
            socket.bind(&SocketAddr::from((OUTSIDE, 0)).into()).unwrap();
            let socket = UdpSocket::from(socket);
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let lines: Vec<UdpSocket> = (0..LINES).map(|_| line()).collect();
        let addresses = lines.iter().map(|line| line.local_addr().unwrap()).collect();
        (lines, addresses)
    }

    pub fn new(lines: Vec<UdpSocket>, server: SocketAddr) -> Self {
        let (told, ended) = (Vec::new(), Vec::new());
        Self { lines, server, serial: 0, datagram: vec![0; 65_535], told, ended }
    }

    fn head(&mut self, method: &str, target: &str, line: usize, within: [&str; 3], number: u32) -> String {
        self.serial += 1;
        let at = self.lines[line].local_addr().unwrap();
        let [call_id, from, to] = within;
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {at};rport;branch=z9hG4bKcrowd{}\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\nContact: <sip:crowd@{at}>\r\n",
            self.serial
        )
    }

    fn send(&self, line: usize, text: &str) {
        // A full send buffer is emptied by the kernel in no time.
        while self.lines[line].send_to(text.as_bytes(), self.server).is_err() {
            std::thread::yield_now();
        }
    }

    /// Takes one datagram if there is one: grants what is asked, notes what is told, and gives back answers.
    fn take(&mut self) -> Option<(usize, String)> {
        for line in 0..self.lines.len() {
            let Ok(length) = self.lines[line].recv(&mut self.datagram) else { continue };
            let at = Instant::now();
            let text = String::from_utf8_lossy(&self.datagram[..length]).into_owned();
            if text.starts_with("SIP/2.0 ") {
                return Some((line, text));
            }
            if !text.starts_with("ACK ") {
                self.grant(line, &text, at);
            }
            return Some((line, String::new()));
        }
        None
    }

    fn grant(&mut self, line: usize, request: &str, at: Instant) {
        let call_id = header(request, "Call-ID").to_owned();
        if request.starts_with("NOTIFY ") {
            self.told.push((
                call_id.clone(),
                at,
                request.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned(),
            ));
        }
        if request.starts_with("BYE ") {
            self.ended.push(call_id);
        }
        let mut answer = String::from("SIP/2.0 200 OK\r\n");
        for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
            answer += &all_of(request, name);
        }
        let own = self.lines[line].local_addr().unwrap();
        let body = match request.contains("m=audio ") {
            true => request.split("\r\n\r\n").nth(1).map(|_| sdp(9)).unwrap_or_default(),
            false => String::new(),
        };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let _ = write!(
            answer,
            "Contact: <sip:crowd@{own}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(line, &answer);
    }

    /// Everything that waits.
    pub fn settle(&mut self, over: Duration) {
        let until = Instant::now() + over;
        while Instant::now() < until {
            if self.take().is_none() {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    /// Makes these calls, so many at once, and confirms each; how long each took to be answered.
    pub fn call(&mut self, wishes: &[Wish], at_once: usize) -> (Vec<Call>, Samples) {
        let (mut waiting, mut out): (VecDeque<usize>, HashMap<String, Asked>) =
            ((0..wishes.len()).collect(), HashMap::new());
        let mut calls: Vec<Option<Call>> = vec![None; wishes.len()];
        let mut samples = Samples::default();
        while !waiting.is_empty() || !out.is_empty() {
            while out.len() < at_once
                && let Some(next) = waiting.pop_front()
            {
                let (call_id, asked) = self.invite(next, &wishes[next]);
                self.send(asked.line, &asked.text);
                out.insert(call_id, asked);
            }
            let Some((_, answer)) = self.take() else {
                self.repeat(&mut out);
                continue;
            };
            let Some(code) = status(&answer).filter(|code| *code >= 200) else { continue };
            if !header(&answer, "CSeq").ends_with("INVITE") {
                continue;
            }
            let Some(asked) = out.remove(header(&answer, "Call-ID")) else { continue };
            assert!(code < 300, "{}: {answer}", wishes[asked.wish].extension);
            samples.add(asked.at.elapsed());
            calls[asked.wish] = Some(self.confirm(asked.line, &answer));
        }
        (calls.into_iter().flatten().collect(), samples)
    }

    fn invite(&mut self, wish: usize, wanted: &Wish) -> (String, Asked) {
        let line = wish % self.lines.len();
        let call_id = format!("crowd{}-{}", self.serial, std::process::id());
        let from = format!("\"{0}\" <sip:{0}@{OUTSIDE}>;tag=c{1}", wanted.name, self.serial);
        let target = format!("sip:{}@{}", wanted.extension, self.server);
        let body = sdp(wanted.ear);
        let head = self.head("INVITE", &target, line, [&call_id, &from, &format!("<{target}>")], 1);
        let text =
            format!("{head}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let now = Instant::now();
        (call_id, Asked { wish, line, text, at: now, sent: now, tries: 1 })
    }

    fn repeat(&mut self, out: &mut HashMap<String, Asked>) {
        let now = Instant::now();
        for asked in out.values_mut().filter(|asked| now - asked.sent > AGAIN) {
            assert!(asked.tries < TRIES, "no answer to {}", asked.text);
            (asked.sent, asked.tries) = (now, asked.tries + 1);
            self.send(asked.line, &asked.text);
        }
    }

    fn confirm(&mut self, line: usize, answer: &str) -> Call {
        let port = answer.split("m=audio ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        let host = answer.split("c=IN IP4 ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        let call = Call {
            line,
            call_id: header(answer, "Call-ID").to_owned(),
            ours: header(answer, "From").to_owned(),
            theirs: header(answer, "To").to_owned(),
            target: bracketed(header(answer, "Contact")),
            routes: all_of(answer, "Record-Route").replace("Record-Route:", "Route:"),
            number: 1,
            media: SocketAddr::new(host.trim().parse().unwrap(), port.parse().unwrap()),
        };
        self.within("ACK", &call, 1);
        call
    }

    fn within(&mut self, method: &str, call: &Call, number: u32) {
        let words = [call.call_id.as_str(), &call.ours, &call.theirs];
        let head = self.head(method, &call.target, call.line, words, number);
        let text = format!("{head}{}Content-Length: 0\r\n\r\n", call.routes);
        self.send(call.line, &text);
    }

    /// Ends these calls and waits until the server has answered each; those that it has ended itself meanwhile too.
    pub fn hang_up(&mut self, calls: Vec<Call>, at_once: usize) {
        let mut waiting: VecDeque<Call> = calls.into();
        let mut out: HashMap<String, (Call, Instant)> = HashMap::new();
        while !waiting.is_empty() || !out.is_empty() {
            while out.len() < at_once
                && let Some(mut call) = waiting.pop_front()
            {
                if self.ended.contains(&call.call_id) {
                    continue;
                }
                call.number += 1;
                self.within("BYE", &call, call.number);
                out.insert(call.call_id.clone(), (call, Instant::now()));
            }
            match self.take() {
                Some((_, answer)) if header(&answer, "CSeq").ends_with("BYE") => {
                    out.remove(header(&answer, "Call-ID"));
                }
                Some(_) => {}
                None => {
                    out.retain(|call_id, _| !self.ended.contains(call_id));
                    let late: Vec<Call> = out
                        .values_mut()
                        .filter(|(_, sent)| sent.elapsed() > AGAIN)
                        .map(|(call, sent)| {
                            *sent = Instant::now();
                            call.clone()
                        })
                        .collect();
                    late.iter().for_each(|call| self.within("BYE", call, call.number));
                }
            }
        }
        self.ended.clear();
    }

    /// So many watchers of one extension, each somebody else, spread over the sockets. Returns when all were told its state.
    pub fn watch(&mut self, extension: &str, count: usize) {
        let mut out = HashMap::new();
        for nth in 0..count {
            let line = nth % self.lines.len();
            let call_id = format!("watch{nth}-{}-{}", extension, std::process::id());
            let target = format!("sip:{extension}@{}", self.server);
            let from = format!("<sip:w{nth}@{OUTSIDE}>;tag=w{nth}");
            let head = self.head("SUBSCRIBE", &target, line, [&call_id, &from, &format!("<{target}>")], 1);
            let text = format!(
                "{head}Event: dialog\r\nAccept: application/dialog-info+xml\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n"
            );
            self.send(line, &text);
            let now = Instant::now();
            out.insert(call_id, Asked { wish: nth, line, text, at: now, sent: now, tries: 1 });
            // They don't come all in the same moment.
            self.settle(Duration::from_millis(2));
            let told: Vec<String> = self.told.drain(..).map(|(call_id, ..)| call_id).collect();
            told.iter().for_each(|call_id| drop(out.remove(call_id)));
        }
        while !out.is_empty() {
            self.settle(Duration::from_millis(20));
            let told: Vec<String> = self.told.drain(..).map(|(call_id, ..)| call_id).collect();
            told.iter().for_each(|call_id| drop(out.remove(call_id)));
            self.repeat(&mut out);
        }
    }

    /// Waits until `count` watchers were told something in which this text is; how long after `since` each was, and the
    /// calls that were answered meanwhile.
    pub fn hear_of(
        &mut self,
        count: usize,
        text: &str,
        since: Instant,
        within: Duration,
    ) -> (Samples, Vec<Call>) {
        let mut heard: HashMap<String, Instant> = HashMap::new();
        let mut calls = Vec::new();
        while heard.len() < count && since.elapsed() < within {
            if let Some((line, answer)) = self.take()
                && header(&answer, "CSeq").ends_with("INVITE")
                && matches!(status(&answer), Some(200..300))
            {
                calls.push(self.confirm(line, &answer));
            }
            for (call_id, at, body) in self.told.drain(..) {
                if body.contains(text) {
                    heard.entry(call_id).or_insert(at);
                }
            }
        }
        assert_eq!(heard.len(), count, "watchers that were told “{text}”");
        let mut samples = Samples::default();
        heard.values().for_each(|at| samples.add(at.saturating_duration_since(since)));
        (samples, calls)
    }

    /// Calls without waiting for the answer; the moment just before.
    pub fn begin(&mut self, wish: &Wish) -> Instant {
        let (_, asked) = self.invite(0, wish);
        let at = Instant::now();
        self.send(asked.line, &asked.text);
        at
    }

    /// Hangs up without waiting for the answer; the moment just before.
    pub fn leave(&mut self, mut call: Call) -> Instant {
        call.number += 1;
        let at = Instant::now();
        self.within("BYE", &call, call.number);
        at
    }
}

fn sdp(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {OUTSIDE}\r\ns=-\r\nc=IN IP4 {OUTSIDE}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
         a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"
    )
}
