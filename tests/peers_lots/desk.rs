//! SIPp as a desk phone and as a lamp of one: the same scenarios towards every server, which knows them by their addresses.
//! Orders are requests that no server would send, put into a call by its Call-ID.

use super::peers::baresip::on_path;
use super::peers::process::{Process, read_text};
use super::peers::voice::Voice;
use super::peers::{OUTSIDE, free_udp_port, wait_for};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// What both have: a SIPp that tells a story.
struct Sipp {
    process: Process,
    folder: tempfile::TempDir,
}

impl Sipp {
    fn start(scenario: &str, server: Option<SocketAddr>, port: u16, more: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-sipp-").tempdir().unwrap();
        std::fs::write(folder.path().join("scenario.xml"), scenario).unwrap();
        let settings = format!(
            "-sf scenario.xml -i {OUTSIDE} -p {port} -cp {} -nostdin -timeout 600s -default_behaviors none -trace_err \
             -error_file errors.txt -trace_logs -log_file story.txt -trace_msg -message_file messages.txt {more}",
            free_udp_port(Ipv4Addr::UNSPECIFIED),
        );
        let arguments: Vec<String> = server
            .map(|server| server.to_string())
            .into_iter()
            .chain(settings.split_whitespace().map(String::from))
            .collect();
        let output = folder.path().join("output.txt");
        let process = Process::start(&on_path("sipp"), &arguments, folder.path(), &output);
        Self { process, folder }
    }

    fn file(&self, name: &str) -> String {
        read_text(&self.folder.path().join(name))
    }

    /// How many lines of the story begin so.
    fn count(&self, happened: &str) -> usize {
        self.file("story.txt").lines().filter(|line| line.starts_with(happened)).count()
    }

    fn wait(&self, happened: &str, times: usize, timeout: Duration) {
        if wait_for(timeout, || (self.count(happened) >= times).then_some(())).is_none() {
            panic!(
                "waited in vain for “{happened}” {times} times; story: {}\n{}\n{}\n{}",
                self.file("story.txt"),
                self.file("errors.txt"),
                self.file("messages.txt"),
                self.process.output()
            );
        }
    }
}

/// A desk phone that answers every call at once.
pub struct Desk {
    sipp: Sipp,
    sip: SocketAddr,
    server: SocketAddr,
    voice: Voice,
    orders: u32,
}

impl Desk {
    /// At this port of [`OUTSIDE`], saying this tone.
    pub fn start(server: SocketAddr, port: u16, hz: f64) -> Self {
        let voice = Voice::new(OUTSIDE, Some(hz));
        let sipp = Sipp::start(&desk(voice.port()), None, port, "");
        let sip = SocketAddr::from((OUTSIDE, port));
        // Until it listens.
        let bound = || UdpSocket::bind(sip).is_err().then_some(());
        wait_for(Duration::from_secs(5), bound).expect("SIPp listens");
        Self { sipp, sip, server, voice, orders: 0 }
    }

    pub fn wait(&self, happened: &str, times: usize, timeout: Duration) {
        self.sipp.wait(happened, times, timeout);
    }

    pub fn count(&self, happened: &str) -> usize {
        self.sipp.count(happened)
    }

    /// Waits for the `nth` call, and speaks to where its sound is to go.
    pub fn wait_call(&self, nth: usize, timeout: Duration) -> &Voice {
        self.wait("rings", nth, timeout);
        self.wait("up", nth, timeout);
        let story = self.sipp.file("story.txt");
        let port =
            story.lines().rev().find_map(|line| line.strip_prefix("media ")?.trim().parse::<u16>().ok());
        self.voice.speak_to(SocketAddr::new(self.server.ip(), port.expect("a port for the sound")));
        &self.voice
    }

    /// All of its messages.
    pub fn messages(&self) -> String {
        self.sipp.file("messages.txt")
    }

    /// Sends the other end of its call there (REFER).
    pub fn transfer(&mut self, uri: &str) {
        self.order("REFER", &format!("Refer-To: <{uri}>\r\n"));
    }

    /// Types `#72` into its call (INFO).
    pub fn type_park_code(&mut self) {
        self.order("MESSAGE", "");
    }

    pub fn hang_up(&mut self) {
        self.order("PUBLISH", "");
    }

    fn order(&mut self, method: &str, headers: &str) {
        self.orders += 1;
        let messages = self.messages();
        let last = messages.rsplit("INVITE sip:").next().unwrap_or_default();
        let call_id = last.lines().find_map(|line| line.strip_prefix("Call-ID: ")).expect("a call").trim();
        let text = format!(
            "{method} sip:desk@{sip} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK-order-{n}\r\n\
             From: <sip:test@127.0.0.1>;tag=order\r\nTo: <sip:desk@{sip}>\r\nCall-ID: {call_id}\r\n\
             CSeq: {n} {method}\r\n{headers}Content-Length: 0\r\n\r\n",
            sip = self.sip,
            n = 900_000 + self.orders,
        );
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().send_to(text.as_bytes(), self.sip).unwrap();
    }
}

/// A lamp: what a slot's dialogs are told to be.
pub struct Lamp(Sipp);

impl Lamp {
    pub fn start(server: SocketAddr, port: u16, slot: &str) -> Self {
        let more = format!("-s {slot} -m 1 -l 1");
        let lamp = Self(Sipp::start(&lamp(), Some(server), port, &more));
        lamp.wait("terminated", 1);
        lamp
    }

    /// Waits until it was told this state so often.
    pub fn wait(&self, state: &str, times: usize) {
        self.0.wait(&format!("state {state}"), times, Duration::from_secs(10));
    }
}

fn log(line: &str) -> String {
    format!("<action><log message=\"{line}\"/></action>")
}

fn sdp(port: u16) -> String {
    format!(
        "v=0\no=desk 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\nm=audio {port} RTP/AVP 0\n\
         a=rtpmap:0 PCMU/8000\na=ptime:20\n"
    )
}

fn response(status: &str, to: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    let text = format!(
        "SIP/2.0 {status}\n[last_Via:]\n[last_Record-Route:]\n[last_From:]\n{to}\n[last_Call-ID:]\n[last_CSeq:]\n\
         Contact: <sip:desk@[local_ip]:[local_port]>\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, REFER, NOTIFY\n\
         {kind}Content-Length: [len]\n\n{body}"
    );
    format!("<send><![CDATA[\n{text}\n]]></send>\n")
}

/// A request within the call, from the one who was called.
fn request(method: &str, number: u32, more: &str, body: &str) -> String {
    let text = format!(
        "{method} [next_url] SIP/2.0\nVia: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[call_id]-{number}\n[routes]\n\
         From:[$us];tag=[pid]d[call_number]\nTo:[$them]\nCall-ID: [call_id]\nCSeq: {number} {method}\nMax-Forwards: 70\n\
         Contact: <sip:desk@[local_ip]:[local_port]>\n{more}Content-Length: [len]\n\n{body}"
    );
    format!("<send retrans=\"500\"><![CDATA[\n{text}\n]]></send>\n")
}

/// The life of each call.
fn desk(media: u16) -> String {
    let own = "[last_To:];tag=[pid]d[call_number]";
    let key = |number: u32, key: char| {
        let body = format!("Signal={key}\nDuration=160\n");
        let info = request("INFO", number, "Content-Type: application/dtmf-relay\n", &body);
        format!("{info}<recv response=\"200\"/>\n<pause milliseconds=\"120\"/>\n")
    };
    let refusals: String = [403, 404, 480, 486, 488, 491, 603]
        .iter()
        .map(|status| {
            let told = log(&format!("refused {status}"));
            format!("<recv response=\"{status}\" optional=\"true\" next=\"talking\">{told}</recv>\n")
        })
        .collect();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a desk phone">
<recv request="INVITE" rrs="true"><action>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="them"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="us"/>
<ereg regexp="m=audio ([0-9]+)" search_in="body" assign_to="line,port"/>
<log message="media [$port]"/><log message="rings"/></action></recv>
{ringing}{ok}
<recv request="ACK">{up}</recv>
<label id="talking"/>
<recv request="UPDATE" optional="true" next="update"/>
<recv request="INVITE" optional="true" next="reinvite"/>
<recv request="ACK" optional="true" next="talking"/>
<recv request="NOTIFY" optional="true" next="update"/>
<recv request="REFER" optional="true" next="refer"><action>
<ereg regexp=".*" search_in="hdr" header="Refer-To:" assign_to="refer_to"/></action></recv>
<recv request="MESSAGE" optional="true" next="keys"/>
<recv request="PUBLISH" optional="true" next="bye"/>
<recv request="BYE">{ended}</recv>
{plain}
<nop next="end"/>
<label id="update"/>
{plain}
<nop next="talking"/>
<label id="reinvite"/>
{again}
<nop next="talking"/>
<label id="refer"/>
{refer}
{refusals}<recv response="202" next="talking">{accepted}</recv>
<label id="keys"/>
{keys}
<nop next="talking"><action><log message="typed"/></action></nop>
<label id="bye"/>
{bye}
<recv request="BYE" optional="true"/>
<recv response="200" optional="true" next="end"/>
<recv response="481"/>
<label id="end"/>
<nop/>
<Reference variables="line"/>
</scenario>
"#,
        ringing = response("180 Ringing", own, ""),
        ok = response("200 OK", own, &sdp(media)),
        up = log("up"),
        ended = log("peer hung up"),
        plain = response("200 OK", "[last_To:]", ""),
        again = response("200 OK", "[last_To:]", &sdp(media)),
        refer = request("REFER", 101, "Refer-To:[$refer_to]\n", ""),
        accepted = log("transfer accepted"),
        keys = key(111, '#') + &key(112, '7') + &key(113, '2'),
        bye = request("BYE", 131, "", ""),
    )
}

fn lamp() -> String {
    let subscribe = "SUBSCRIBE sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n\
        Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]\n\
        From: <sip:lamp@[local_ip]>;tag=[pid]l[call_number]\nTo: <sip:[service]@[remote_ip]:[remote_port]>\n\
        Call-ID: [call_id]\nCSeq: 1 SUBSCRIBE\nContact: <sip:lamp@[local_ip]:[local_port]>\nMax-Forwards: 70\n\
        Event: dialog\nAccept: application/dialog-info+xml\nExpires: 600\nContent-Length: 0\n";
    let read = "<action><ereg regexp=\"(confirmed|terminated|early)\" search_in=\"body\" assign_to=\"state\"/>\
                <log message=\"state [$state]\"/></action>";
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a lamp">
<send retrans="500"><![CDATA[
{subscribe}
]]></send>
<label id="told"/>
<recv response="200" optional="true" next="told"/>
<recv request="NOTIFY">{read}</recv>
{ok}
<nop next="told"/>
</scenario>
"#,
        ok = response("200 OK", "[last_To:]", ""),
    )
}
