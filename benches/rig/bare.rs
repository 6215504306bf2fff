//! A bare script: a phone of a few SIP texts on a socket, with nothing between it and the server. It does what a console
//! does in the fewest steps, so that what the server itself takes is known in the same run.

use super::peers::LOOPBACK;
use super::peers::voice::Voice;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(5);

/// The phone of one user; it answers whatever it is asked inside its calls with 200.
pub struct Bare {
    socket: UdpSocket,
    server: SocketAddr,
    user: String,
    password: String,
    voice: Voice,
    sequence: u32,
    serial: u32,
    /// The call that is up.
    dialog: Option<Dialog>,
}

#[derive(Clone)]
struct Dialog {
    call_id: String,
    ours: String,
    theirs: String,
    target: String,
}

/// A message, taken apart only as far as this script needs.
struct Heard(String);

impl Heard {
    fn header(&self, name: &str) -> &str {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        let named = |line: &&str| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name));
        head.lines().find(named).and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    }

    fn all(&self, name: &str) -> String {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        let named = |line: &&str| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name));
        head.lines().filter(named).map(|line| format!("{line}\r\n")).collect()
    }

    fn status(&self) -> Option<u16> {
        self.0.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    fn is_answer(&self, method: &str) -> bool {
        self.status().is_some_and(|s| s >= 200) && self.header("CSeq").ends_with(method)
    }
}

impl Bare {
    /// Registers, and watches one slot.
    pub fn register(server: SocketAddr, user: &str, password: &str, slot: &str) -> Self {
        let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        let voice = Voice::new(LOOPBACK, Some(440.0));
        let (user, password) = (user.to_owned(), password.to_owned());
        let mut bare = Self { socket, server, user, password, voice, sequence: 1, serial: 0, dialog: None };
        let contact = format!("Contact: <{}>\r\n", bare.contact());
        let domain = format!("sip:{server}");
        bare.ask_outside("REGISTER", &domain, &bare.own(), &format!("{contact}Expires: 3600\r\n"), "");
        let more =
            format!("{contact}Event: dialog\r\nAccept: application/dialog-info+xml\r\nExpires: 3600\r\n");
        let target = format!("sip:{slot}@{server}");
        bare.ask_outside("SUBSCRIBE", &target, &target, &more, "");
        bare
    }

    fn own(&self) -> String {
        format!("sip:{}@{}", self.user, self.server)
    }

    fn contact(&self) -> String {
        format!("sip:{}@{}", self.user, self.socket.local_addr().unwrap())
    }

    fn sdp(&self) -> String {
        format!(
            "v=0\r\no=- 1 1 IN IP4 {LOOPBACK}\r\ns=-\r\nc=IN IP4 {LOOPBACK}\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
            self.voice.port()
        )
    }

    fn send(&self, text: &str) -> Instant {
        self.socket.send_to(text.as_bytes(), self.server).unwrap();
        Instant::now()
    }

    /// The next message that is `wanted`; what is asked of us meanwhile is granted.
    fn hear(&mut self, what: &str, wanted: impl Fn(&Heard) -> bool) -> Heard {
        let until = Instant::now() + PATIENCE;
        let mut datagram = vec![0; 65_535];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the bare script waited for {what} in vain");
            self.socket.set_read_timeout(Some(left)).unwrap();
            let Ok(length) = self.socket.recv(&mut datagram) else { continue };
            let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
            let heard = Heard(text);
            if heard.status().is_none() && !heard.0.starts_with("ACK ") {
                self.grant(&heard);
            }
            if wanted(&heard) {
                return heard;
            }
        }
    }

    fn grant(&mut self, request: &Heard) {
        let mut answer = String::from("SIP/2.0 200 OK\r\n");
        for name in ["Via", "From", "Call-ID", "CSeq", "Record-Route"] {
            answer += &request.all(name);
        }
        let to = request.header("To");
        let tag = if to.contains("tag=") { "" } else { ";tag=bare" };
        let offered = request.0.starts_with("INVITE ") || request.0.starts_with("UPDATE ");
        let body = if offered && request.0.contains("m=audio") || request.0.starts_with("INVITE ") {
            self.speak_to(request);
            self.sdp()
        } else {
            String::new()
        };
        if request.0.starts_with("INVITE ") && !to.contains("tag=") {
            self.dialog = Some(Dialog {
                call_id: request.header("Call-ID").to_owned(),
                ours: format!("{to}{tag}"),
                theirs: request.header("From").to_owned(),
                target: bracketed(request.header("Contact")),
            });
        }
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let _ = write!(
            answer,
            "To: {to}{tag}\r\nContact: <{}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            self.contact(),
            body.len()
        );
        self.send(&answer);
    }

    fn speak_to(&self, message: &Heard) {
        let port = message.0.split("m=audio ").nth(1).and_then(|rest| rest.split(' ').next());
        let host = message.0.split("c=IN IP4 ").nth(1).and_then(|rest| rest.lines().next());
        if let (Some(Ok(port)), Some(Ok(host))) = (port.map(str::parse), host.map(|h| h.trim().parse())) {
            self.voice.speak_to(SocketAddr::new(host, port));
        }
    }

    fn request(&mut self, method: &str, within: &Dialog, more: &str, body: &str) -> String {
        self.serial += 1;
        let address = self.socket.local_addr().unwrap();
        let Dialog { call_id, ours, theirs, target } = within;
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {address};rport;branch=z9hG4bKbare{}\r\nMax-Forwards: 70\r\n\
             From: {ours}\r\nTo: {theirs}\r\nCall-ID: {call_id}\r\nCSeq: {} {method}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            self.serial,
            self.sequence,
            body.len()
        )
    }

    /// A request outside of calls, asked a second time with credentials; its final answer.
    fn ask_outside(&mut self, method: &str, target: &str, to: &str, more: &str, body: &str) -> Heard {
        let mut asked = Dialog {
            call_id: format!("bare{}-{}", self.serial, std::process::id()),
            ours: format!("<{}>;tag=b{}", self.own(), self.serial),
            theirs: format!("<{to}>"),
            target: target.to_owned(),
        };
        let mut credentials = String::new();
        loop {
            self.sequence += 1;
            let text = self.request(method, &asked, &format!("{more}{credentials}"), body);
            self.send(&text);
            let answer = self.hear(&format!("the answer to {method}"), |heard| heard.is_answer(method));
            if method == "INVITE" {
                self.acknowledge(&answer, &asked);
            }
            match answer.status() {
                Some(401) if credentials.is_empty() => {
                    credentials = self.credentials(method, target, answer.header("WWW-Authenticate"));
                }
                Some(200..300) => {
                    if method == "INVITE" {
                        self.speak_to(&answer);
                        asked.theirs = answer.header("To").to_owned();
                        asked.target = bracketed(answer.header("Contact"));
                        self.dialog = Some(asked);
                    }
                    return answer;
                }
                _ => panic!("{method} was refused:\n{}", answer.0),
            }
        }
    }

    fn acknowledge(&mut self, answer: &Heard, asked: &Dialog) {
        let theirs = answer.header("To").to_owned();
        if matches!(answer.status(), Some(200..300)) {
            let target = bracketed(answer.header("Contact"));
            let text = self.request("ACK", &Dialog { theirs, target, ..asked.clone() }, "", "");
            self.send(&text);
            return;
        }
        // The ACK of a refusal has the Via of its INVITE (RFC 3261 17.1.1.3).
        let text = self.request("ACK", &Dialog { theirs, ..asked.clone() }, "", "");
        let lines = text.split("\r\n").map(|line| match line.starts_with("Via:") {
            true => answer.all("Via").trim_end().to_owned(),
            false => line.to_owned(),
        });
        self.send(&lines.collect::<Vec<_>>().join("\r\n"));
    }

    fn credentials(&self, method: &str, target: &str, challenge: &str) -> String {
        let fields: HashMap<&str, &str> = challenge
            .trim_start_matches("Digest ")
            .split(',')
            .filter_map(|field| field.trim().split_once('='))
            .map(|(name, value)| (name, value.trim_matches('"')))
            .collect();
        let (realm, nonce) = (fields["realm"], fields["nonce"]);
        let a1 = md5(&format!("{}:{realm}:{}", self.user, self.password));
        let a2 = md5(&format!("{method}:{target}"));
        let response = md5(&format!("{a1}:{nonce}:00000001:bare:auth:{a2}"));
        let opaque = fields.get("opaque").map(|o| format!(", opaque=\"{o}\"")).unwrap_or_default();
        format!(
            "Authorization: Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", \
             algorithm=MD5, qop=auth, nc=00000001, cnonce=\"bare\", response=\"{response}\"{opaque}\r\n",
            self.user
        )
    }

    fn ask_inside(&mut self, method: &str, more: &str) -> Instant {
        let dialog = self.dialog.clone().expect("a call that is up");
        self.sequence += 1;
        let text = self.request(method, &dialog, more, "");
        self.send(&text)
    }

    /// Waits for a call and takes it.
    pub fn answer(&mut self) {
        self.hear("a call", |heard| heard.0.starts_with("INVITE "));
        self.hear("its ACK", |heard| heard.0.starts_with("ACK "));
    }

    fn refer(&mut self, extension: &str) -> Instant {
        let more = format!(
            "Refer-To: <sip:{extension}@{}>\r\nReferred-By: <{}>\r\nContact: <{}>\r\n",
            self.server,
            self.own(),
            self.contact()
        );
        self.ask_inside("REFER", &more)
    }

    /// Parks as a console does, with proof: REFER, the lamp, the same REFER again, its refusal, BYE. From the first to
    /// the last.
    pub fn park(&mut self) -> Duration {
        let began = self.refer("700");
        let lit = |heard: &Heard| heard.0.starts_with("NOTIFY ") && heard.0.contains("<state>confirmed");
        self.hear("the lamp", lit);
        self.refer("700");
        let refused = |heard: &Heard| heard.0.starts_with("NOTIFY ") && heard.0.contains("SIP/2.0 400");
        self.hear("the second REFER's refusal", refused);
        let ended = self.ask_inside("BYE", "");
        self.hear("the BYE's answer", |heard| heard.is_answer("BYE"));
        self.dialog = None;
        ended - began
    }

    /// Retrieves, and says when the INVITE went out. Where its sound arrives is [`Bare::port`].
    pub fn retrieve(&mut self, slot: &str) -> Instant {
        let target = format!("sip:{slot}@{}", self.server);
        let more = format!(
            "Contact: <{}>\r\nContent-Type: application/sdp\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE, NOTIFY, REFER\r\n",
            self.contact()
        );
        let (began, sdp) = (Instant::now(), self.sdp());
        self.ask_outside("INVITE", &target, &target, &more, &sdp);
        // The server tells whom we have got, and takes no REFER before.
        let named = |heard: &Heard| heard.0.starts_with("UPDATE ") || heard.0.starts_with("INVITE ");
        self.hear("the caller's name", named);
        began
    }

    /// Where its sound arrives.
    pub fn port(&self) -> u16 {
        self.voice.port()
    }
}

/// What stands between `<` and `>`.
fn bracketed(value: &str) -> String {
    value.split('<').nth(1).and_then(|rest| rest.split('>').next()).unwrap_or(value).to_owned()
}

fn md5(text: &str) -> String {
    use md5::{Digest, Md5};
    Md5::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
