//! SIPp without manners: a server or a caller whose every step is written here, for what polite peers never do.
//!
//! The console takes calls from its own server only. So a server has a *front*, one address for itself and for all who
//! ring through it, and the front tells by the Call-ID whose a message is; it changes nothing and repeats nothing.
//!
//! A scenario is text made of the small pieces below. What it has seen it tells as lines of a *story*; an INFO with
//! its Call-ID, from the test, lets it go on where it waits for an [`order`].

use super::baresip::on_path;
use super::process::{Process, read_text};
use super::{LOOPBACK, free_udp_port, wait_for};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A running SIPp.
pub struct Rude {
    process: Process,
    folder: tempfile::TempDir,
    /// Its own address, behind the front.
    own: SocketAddr,
    /// What the console knows.
    sip: SocketAddr,
    orders: u32,
    _front: Option<Front>,
}

impl Rude {
    /// A server that registers everybody and says that every slot is free; `calls` is what it does with an INVITE.
    pub fn server(calls: &str) -> Self {
        Self::serve(&ServerScript { calls: calls.into(), ..ServerScript::default() })
    }

    pub fn serve(script: &ServerScript) -> Self {
        let own = SocketAddr::from((LOOPBACK, free_udp_port(LOOPBACK)));
        let front = Front::before(own);
        let mut server = Self::start(&script.scenario(), own, front.address, "-timeout 600s");
        server._front = Some(front);
        server
    }

    /// One caller who rings at the console by way of this server, and goes through `steps`.
    pub fn caller(server: &Self, steps: &str) -> Self {
        Self::callers(server, steps, 1)
    }

    /// So many callers at the same moment.
    pub fn callers(server: &Self, steps: &str, count: usize) -> Self {
        let own = SocketAddr::from((LOOPBACK, free_udp_port(LOOPBACK)));
        let limits = format!("-m {count} -l {count} -r {count} -rp 1000 -timeout 600s {}", server.sip);
        Self::start(&scenario(steps), own, server.sip, &limits)
    }

    fn start(scenario: &str, own: SocketAddr, sip: SocketAddr, more: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-rude-").tempdir().unwrap();
        // Whoever answers is to find the front.
        let scenario = scenario.replace("[local_ip]:[local_port]", &sip.to_string());
        std::fs::write(folder.path().join("rude.xml"), scenario).unwrap();
        let settings = format!(
            "-sf rude.xml -i {LOOPBACK} -p {port} -cp {} -cid_str rude-%u-{port} -nostdin -default_behaviors none \
             -deadcall_wait 0 -trace_err -error_file errors.txt -trace_logs -log_file story.txt -trace_msg \
             -message_file messages.txt {more}",
            // SIPp takes orders on this UDP port of every address.
            free_udp_port(std::net::Ipv4Addr::UNSPECIFIED),
            port = own.port(),
        );
        let arguments: Vec<String> = settings.split_whitespace().map(String::from).collect();
        let process =
            Process::start(&on_path("sipp"), &arguments, folder.path(), &folder.path().join("output.txt"));
        let mut running = Self { process, folder, own, sip, orders: 0, _front: None };
        let up = wait_for(Duration::from_secs(5), || match running.process.exited() {
            // A caller may have been quick.
            Some(status) => Some(status.success()),
            None => UdpSocket::bind(own).is_err().then_some(true),
        });
        assert_eq!(up, Some(true), "SIPp doesn't start");
        running
    }

    /// Where the console finds it.
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// What it told, a line each.
    pub fn story(&self) -> Vec<String> {
        read_text(&self.folder.path().join("story.txt")).lines().map(String::from).collect()
    }

    /// How often this line was told.
    pub fn told(&self, line: &str) -> usize {
        self.story().iter().filter(|told| told.trim() == line).count()
    }

    /// Waits until this line was told so often.
    pub fn wait_told(&self, line: &str, times: usize, timeout: Duration) {
        if wait_for(timeout, || (self.told(line) >= times).then_some(())).is_none() {
            panic!("waited {timeout:?} in vain for “{line}” ×{times}\n{}", self.what_happened());
        }
    }

    pub fn wait(&self, line: &str, timeout: Duration) {
        self.wait_told(line, 1, timeout);
    }

    /// Every SIP message that it sent or received, with their times.
    pub fn messages(&self) -> Vec<Passed> {
        let text = read_text(&self.folder.path().join("messages.txt"));
        let pieces = text.split("-----------------------------------------------").skip(1);
        pieces.filter_map(Passed::read).collect()
    }

    /// Those that came from the console and begin so.
    pub fn heard(&self, start: &str) -> Vec<Passed> {
        self.messages().into_iter().filter(|m| m.received && m.text.starts_with(start)).collect()
    }

    /// Lets the `number`th call, from 1, go on where it waits for an [`order`].
    pub fn order(&mut self, number: usize) {
        let call_id = format!("rude-{number}-{}", self.own.port());
        self.order_call(&call_id);
    }

    /// The same for a call that the console made.
    pub fn order_call(&mut self, call_id: &str) {
        self.orders += 1;
        let text = format!(
            "INFO sip:rude@{sip} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK-order-{n}\r\n\
             From: <sip:test@127.0.0.1>;tag=order\r\nTo: <sip:rude@{sip}>\r\nCall-ID: {call_id}\r\n\
             CSeq: {n} INFO\r\nContent-Length: 0\r\n\r\n",
            sip = self.own,
            n = 900_000 + self.orders,
        );
        UdpSocket::bind((LOOPBACK, 0)).unwrap().send_to(text.as_bytes(), self.own).unwrap();
    }

    /// Waits for its end, and demands that every step went as written.
    pub fn wait_done(&mut self, timeout: Duration) {
        match self.process.wait(timeout) {
            Some(status) if status.success() => {}
            other => panic!("SIPp's scenario went wrong ({other:?})\n{}", self.what_happened()),
        }
    }

    fn what_happened(&self) -> String {
        let errors = read_text(&self.folder.path().join("errors.txt"));
        let heads: Vec<String> = self.messages().iter().map(Passed::short).collect();
        format!("story: {:#?}\nmessages: {heads:#?}\nerrors: {errors}", self.story())
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("── what SIPp saw ──\n{}", self.what_happened());
        }
    }
}

/// One address for a server and for those who ring through it.
struct Front {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    fn before(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        // A crowd at once overruns the usual buffer.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        let thread = std::thread::spawn(move || pass_on(&socket, server, &asked));
        Self { address, stop, thread: Some(thread) }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn pass_on(socket: &UdpSocket, server: SocketAddr, stop: &AtomicBool) {
    let mut buffer = vec![0; 65_535];
    let mut console = None;
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let text = String::from_utf8_lossy(&buffer[..length]);
        let call_id = text.lines().find_map(|line| line.strip_prefix("Call-ID:")).unwrap_or_default().trim();
        // "rude-NUMBER-PORT" is a caller's.
        let caller = call_id.strip_prefix("rude-").and_then(|rest| rest.rsplit_once('-')?.1.parse().ok());
        let whose = caller.map_or(server, |port: u16| SocketAddr::from((LOOPBACK, port)));
        let to = match from == whose {
            true => console,
            false => {
                console = Some(from);
                Some(whose)
            }
        };
        let _ = to.map(|to| socket.send_to(&buffer[..length], to));
    }
}

/// One message as SIPp saw it.
#[derive(Debug, Clone)]
pub struct Passed {
    /// By SIPp.
    pub received: bool,
    /// Seconds of the day.
    pub at_s: f64,
    pub text: String,
}

impl Passed {
    /// "-… 2026-11-21 03:05:01.123456\nUDP message received [n] bytes:\n\n…"
    fn read(piece: &str) -> Option<Self> {
        let (head, rest) = piece.split_once('\n')?;
        let (kind, text) = rest.split_once("\n\n")?;
        let clock = head.split_whitespace().find(|word| word.matches(':').count() == 2)?;
        let at_s =
            clock.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))?;
        Some(Self { received: kind.contains("received"), at_s, text: text.trim_start().to_string() })
    }

    pub fn head(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.lines().take_while(|line| !line.trim().is_empty());
        lines.filter_map(|line| line.split_once(':')).find(|(n, _)| n.trim() == name).map(|(_, v)| v.trim())
    }

    fn short(&self) -> String {
        let way = if self.received { '<' } else { '>' };
        format!("{:.3} {way} {} · {}", self.at_s, self.head(), self.header("CSeq").unwrap_or_default())
    }
}

/// What a server does with each kind of request that begins something.
pub struct ServerScript {
    /// Steps after an INVITE, told as `invited`; at their end the call is over.
    pub calls: String,
    /// Steps after a REGISTER.
    pub registers: String,
    /// Steps after a SUBSCRIBE.
    pub subscribes: String,
}

impl Default for ServerScript {
    fn default() -> Self {
        let registers = [
            label("registered"),
            response("200 OK", "registrar", "Contact: [$contact]\nExpires: 300\n", ""),
            // The same Call-ID comes again when it is refreshed.
            recv("REGISTER", &remember("contact", "Contact:")),
            go("registered"),
        ];
        let subscribes = [
            response("200 OK", "lot", "Contact: <sip:lot@[local_ip]:[local_port]>\nExpires: 600\n", ""),
            notify("[$subscribed]", 1),
            recv_status(200, ""),
            // Its end: no test lasts until it is refreshed.
            recv("SUBSCRIBE", ""),
            response_inside("200 OK", "Expires: 0\n", ""),
        ];
        Self {
            calls: response("486 Busy Here", "lot", "", ""),
            registers: registers.concat(),
            subscribes: subscribes.concat(),
        }
    }
}

impl ServerScript {
    fn scenario(&self) -> String {
        let optional = |method: &str, next: &str, action: &str| {
            format!(
                "<recv request=\"{method}\" optional=\"true\" next=\"{next}\">{}</recv>\n",
                actions(action)
            )
        };
        let steps = [
            optional("REGISTER", "register", &(remember("contact", "Contact:") + &tell("registering"))),
            optional("OPTIONS", "options", ""),
            optional(
                "SUBSCRIBE",
                "subscribe",
                &(remember("watcher", "From:")
                    + &remember("subscribed", "To:")
                    + &remember_target()
                    + &remember("via", "Via:")
                    + &remember("cseq", "CSeq:")),
            ),
            optional("BYE", "options", &tell("stray BYE")),
            optional("ACK", "end", ""),
            recv("INVITE", &(tell("invited") + &remember_dialog() + &find_moved())),
            self.calls.clone(),
            go("end"),
            label("register"),
            self.registers.clone(),
            go("end"),
            label("options"),
            response("200 OK", "lot", "", ""),
            go("end"),
            label("subscribe"),
            self.subscribes.clone(),
            label("end"),
            "<nop/>\n".into(),
        ];
        scenario(&steps.concat())
    }
}

/// Steps as a whole scenario.
pub fn scenario(steps: &str) -> String {
    // SIPp takes it amiss when a variable is only set, and when one is named that is never set.
    let set: Vec<&str> = [
        "contact",
        "target",
        "watcher",
        "subscribed",
        "theirs",
        "ours",
        "via",
        "cseq",
        "to",
        "rseq",
        "tag",
        "moved",
    ]
    .into_iter()
    .filter(|name| steps.contains(&format!("assign_to=\"{name}\"")))
    .collect();
    let used = match set.is_empty() {
        true => String::new(),
        false => format!("<Reference variables=\"{}\"/>\n", set.join(",")),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"rude\">\n{steps}\
         <nop><action><log message=\"end\"/></action></nop>\n{used}</scenario>\n"
    )
}

/// A description of a session that nobody listens to.
pub const SDP: &str = "v=0\no=rude 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 40000 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n";

fn actions(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<action>{text}</action>") }
}

/// An action: a line of the story.
pub fn tell(line: &str) -> String {
    format!("<log message=\"{line}\"/>")
}

/// An action: keeps a header's value.
pub fn remember(variable: &str, header: &str) -> String {
    format!("<ereg regexp=\".*\" search_in=\"hdr\" header=\"{header}\" assign_to=\"{variable}\"/>")
}

/// An action: keeps whereto requests in the dialog go, from the Contact of what came.
pub fn remember_target() -> String {
    "<ereg regexp=\"sip:[^>]*\" search_in=\"hdr\" header=\"Contact:\" assign_to=\"target\"/>".into()
}

/// An action: whether the INVITE that came is for somebody who has moved ([`if_moved`]).
pub fn find_moved() -> String {
    "<ereg regexp=\"INVITE sip:moved\" search_in=\"msg\" assign_to=\"moved\"/>".into()
}

/// Goes elsewhere if it is.
pub fn if_moved(next: &str) -> String {
    format!("<nop next=\"{next}\" test=\"moved\"/>\n")
}

/// Of an INVITE that came: what answers to it must repeat even after other requests.
pub fn remember_dialog() -> String {
    [("theirs", "From:"), ("ours", "To:"), ("via", "Via:"), ("cseq", "CSeq:")]
        .map(|(variable, header)| remember(variable, header))
        .concat()
        + &remember_target()
}

pub fn label(name: &str) -> String {
    format!("<label id=\"{name}\"/>\n")
}

pub fn go(name: &str) -> String {
    format!("<nop next=\"{name}\"/>\n")
}

/// A line of the story as a step.
pub fn say(line: &str) -> String {
    format!("<nop><action>{}</action></nop>\n", tell(line))
}

pub fn pause(ms: u32) -> String {
    format!("<pause milliseconds=\"{ms}\"/>\n")
}

/// Waits for a request.
pub fn recv(method: &str, action: &str) -> String {
    format!("<recv request=\"{method}\">{}</recv>\n", actions(action))
}

/// Waits until the test says so.
pub fn order() -> String {
    recv("INFO", "")
}

/// A request that may come before what is waited for next.
pub fn maybe(method: &str) -> String {
    format!("<recv request=\"{method}\" optional=\"true\"/>\n")
}

/// A request that leads elsewhere when it comes before what is waited for next.
pub fn if_comes(method: &str, next: &str, action: &str) -> String {
    format!("<recv request=\"{method}\" optional=\"true\" next=\"{next}\">{}</recv>\n", actions(action))
}

/// Waits for a response.
pub fn recv_status(status: u16, action: &str) -> String {
    format!("<recv response=\"{status}\">{}</recv>\n", actions(action))
}

/// Responses that may come before what is waited for next.
pub fn maybe_status(statuses: &[u16]) -> String {
    statuses.iter().map(|status| format!("<recv response=\"{status}\" optional=\"true\"/>\n")).collect()
}

/// A response that leads elsewhere when it comes before what is waited for next.
pub fn if_status(status: u16, next: &str, action: &str) -> String {
    format!("<recv response=\"{status}\" optional=\"true\" next=\"{next}\">{}</recv>\n", actions(action))
}

fn send(attributes: &str, text: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    format!("<send{attributes}><![CDATA[\n{text}{kind}Content-Length: [len]\n\n{body}\n]]></send>\n")
}

/// Answers the request that came last; `tag` makes ours the tag of a dialog when the request had none.
pub fn response(status: &str, tag: &str, headers: &str, body: &str) -> String {
    let text = format!(
        "SIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:];tag={tag}[call_number]\n[last_Call-ID:]\n\
         [last_CSeq:]\n{headers}"
    );
    send("", &text, body)
}

/// Answers a request of the dialog that came last.
pub fn response_inside(status: &str, headers: &str, body: &str) -> String {
    let text = format!(
        "SIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n{headers}"
    );
    send("", &text, body)
}

/// Answers the INVITE that [`remember_dialog`] has kept, with this tag of ours (none inside a dialog).
pub fn answer_invite(status: &str, tag: &str, headers: &str, body: &str) -> String {
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let text = format!(
        "SIP/2.0 {status}\nVia:[$via]\nFrom:[$theirs]\nTo:[$ours]{tag}\n[last_Call-ID:]\nCSeq:[$cseq]\n\
         Contact: <sip:rude@[local_ip]:[local_port]>\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK\n{headers}"
    );
    send("", &text, body)
}

/// A request to the caller of the INVITE that [`remember_dialog`] has kept, within the dialog with this tag of ours.
pub fn request_back(method: &str, number: u32, tag: &str, headers: &str, body: &str) -> String {
    let text = format!(
        "{method} [$target] SIP/2.0\n\
         Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[call_number]-{number}-{method}\n\
         From:[$ours];tag={tag}\nTo:[$theirs]\n[last_Call-ID:]\nCSeq: {number} {method}\nMax-Forwards: 70\n\
         Contact: <sip:rude@[local_ip]:[local_port]>\n{headers}"
    );
    send(" retrans=\"500\"", &text, body)
}

/// A NOTIFY of a free slot to who has just subscribed; `to` is the To of the SUBSCRIBE.
pub fn notify(to: &str, number: u32) -> String {
    let body = "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" \
                state=\"full\" entity=\"sip:slot@127.0.0.1\"></dialog-info>";
    let text = format!(
        "NOTIFY [$target] SIP/2.0\n\
         Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[call_number]-[cseq]-notify\n\
         From:{to};tag=lot[call_number]\nTo:[$watcher]\n[last_Call-ID:]\nCSeq: {number} NOTIFY\nMax-Forwards: 70\n\
         Contact: <sip:lot@[local_ip]:[local_port]>\nEvent: dialog\nSubscription-State: active;expires=600\n\
         Content-Type: application/dialog-info+xml\nContent-Length: [len]\n"
    );
    format!("<send retrans=\"500\"><![CDATA[\n{text}\n{body}\n]]></send>\n")
}

/// A caller's INVITE (`number` 1 begins the call, others are within it), repeated until it is answered.
pub fn invite(number: u32, headers: &str, body: &str) -> String {
    call_request(
        "INVITE",
        number,
        if number == 1 { "To: <sip:reception@[remote_ip]>" } else { "To:[$to]" },
        " retrans=\"500\"",
        headers,
        body,
    )
}

/// An action of the response that makes a caller's dialog: keeps its To.
pub fn join() -> String {
    remember("to", "To:")
}

/// A caller's request within the call, repeated until it is answered.
pub fn inside(method: &str, number: u32, headers: &str, body: &str) -> String {
    call_request(method, number, "To:[$to]", " retrans=\"500\"", headers, body)
}

/// The ACK to a 2xx.
pub fn ack(number: u32, body: &str) -> String {
    call_request("ACK", number, "To:[$to]", "", "", body)
}

/// The ACK to a refusal: it belongs to the INVITE's transaction (RFC 3261 17.1.1.3).
pub fn ack_refusal(number: u32) -> String {
    of_invite("ACK", number, "[last_To:]")
}

/// A CANCEL of the INVITE (RFC 3261 9.1).
pub fn cancel(number: u32) -> String {
    of_invite("CANCEL", number, "To: <sip:reception@[remote_ip]>")
}

fn of_invite(method: &str, number: u32, to: &str) -> String {
    call_text(method, number, &format!("{number}-INVITE"), to, "", "", "")
}

fn call_request(method: &str, number: u32, to: &str, attributes: &str, headers: &str, body: &str) -> String {
    call_text(method, number, &format!("{number}-{method}"), to, attributes, headers, body)
}

fn call_text(
    method: &str,
    number: u32,
    branch: &str,
    to: &str,
    attributes: &str,
    headers: &str,
    body: &str,
) -> String {
    let text = format!(
        "{method} sip:reception@[remote_ip]:[remote_port] SIP/2.0\n\
         Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[call_id]-{branch}\n\
         From: \"Jane Doe\" <sip:jane[call_number]@[local_ip]>;tag=jane[call_number]\n{to}\nCall-ID: [call_id]\n\
         CSeq: {number} {method}\nMax-Forwards: 70\nContact: <sip:jane@[local_ip]:[local_port]>\n\
         Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK\n{headers}"
    );
    send(attributes, &text, body)
}

/// The answer to a SUBSCRIBE after other messages of its call, from what was kept of it.
pub fn response_to_subscribe() -> String {
    let text = "SIP/2.0 200 OK\nVia:[$via]\nFrom:[$watcher]\nTo:[$subscribed];tag=lot[call_number]\n[last_Call-ID:]\n\
                CSeq:[$cseq]\nContact: <sip:lot@[local_ip]:[local_port]>\nExpires: 600\n";
    send("", text, "")
}
