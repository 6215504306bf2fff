//! A caller from outside: SIPp speaks SIP from a scenario written here, a [`Voice`] speaks and hears RTP.
//!
//! The scenario takes orders while it runs: a request that no phone would send, put into the call by its
//! Call-ID, makes it cancel, hang up or hold.

use super::baresip::on_path;
use super::process::{Process, read_text};
use super::voice::Voice;
use super::{OUTSIDE, free_udp_port, wait_for};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// Who calls whom.
#[derive(Debug, Clone)]
pub struct CallerOptions {
    pub server: SocketAddr,
    /// User part of what is dialled.
    pub extension: String,
    pub name: String,
    pub number: String,
    /// Calls as "Anonymous" with `Privacy: id`; name and number are then only in the P-Asserted-Identity.
    pub withheld: bool,
    /// What the caller says, Hz.
    pub tone_hz: f64,
    /// User and password for a server that asks for them.
    pub login: Option<(String, String)>,
    /// The caller's address; [`OUTSIDE`] is Asterisk's trunk.
    pub from: Ipv4Addr,
    /// More header lines for the INVITE.
    pub header_lines: Vec<String>,
    /// The port that the server knows the caller by; any when absent.
    pub port: Option<u16>,
}

impl CallerOptions {
    /// Somebody from outside who calls `extension`.
    pub fn new(server: SocketAddr, extension: &str, name: &str, number: &str) -> Self {
        Self {
            server,
            extension: extension.into(),
            name: name.into(),
            number: number.into(),
            withheld: false,
            tone_hz: 440.0,
            login: None,
            from: OUTSIDE,
            header_lines: Vec::new(),
            port: None,
        }
    }

    pub fn tone(self, hz: f64) -> Self {
        Self { tone_hz: hz, ..self }
    }

    pub fn withheld(self) -> Self {
        Self { withheld: true, ..self }
    }
}

/// One call by SIPp.
pub struct Caller {
    process: Process,
    folder: tempfile::TempDir,
    voice: Voice,
    call_id: String,
    sip: SocketAddr,
    server: SocketAddr,
    orders: u32,
}

impl Caller {
    /// Starts calling.
    pub fn call(options: &CallerOptions) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-sipp-").tempdir().unwrap();
        let voice = Voice::new(options.from, Some(options.tone_hz));
        let port = options.port.unwrap_or_else(|| free_udp_port(options.from));
        let sip = SocketAddr::from((options.from, port));
        let call_id = format!("caller-{}-{}", std::process::id(), sip.port());
        std::fs::write(folder.path().join("caller.xml"), scenario(options, voice.port())).unwrap();
        let mut arguments: Vec<String> = vec![options.server.to_string()];
        let settings = format!(
            "-sf caller.xml -s {} -i {} -p {} -cp {} -cid_str {call_id} -m 1 -l 1 -nostdin -timeout 600s \
             -default_behaviors none -trace_err -error_file errors.txt -trace_logs -log_file story.txt \
             -trace_msg -message_file messages.txt",
            options.extension,
            sip.ip(),
            sip.port(),
            // SIPp takes orders on this UDP port of every address.
            free_udp_port(Ipv4Addr::UNSPECIFIED),
        );
        arguments.extend(settings.split_whitespace().map(String::from));
        let output = folder.path().join("output.txt");
        let process = Process::start(&on_path("sipp"), &arguments, folder.path(), &output);
        Self { process, folder, voice, call_id, sip, server: options.server, orders: 0 }
    }

    /// What has happened, a line each: `ringing`, `answered`, `refused 486 …`, `cancelled`, `peer hung up`,
    /// `hung up`, `update`, `reinvite`, `transfer accepted`.
    pub fn story(&self) -> Vec<String> {
        read_text(&self.folder.path().join("story.txt")).lines().map(String::from).collect()
    }

    /// Every SIP message as SIPp saw it.
    pub fn messages(&self) -> String {
        read_text(&self.folder.path().join("messages.txt"))
    }

    /// Whether a line of the story begins so.
    pub fn has(&self, happened: &str) -> bool {
        self.story().iter().any(|line| line.starts_with(happened))
    }

    /// Waits for a line of the story; panics after `timeout`.
    pub fn wait(&self, happened: &str, timeout: Duration) {
        if wait_for(timeout, || self.has(happened).then_some(())).is_none() {
            let errors = read_text(&self.folder.path().join("errors.txt"));
            panic!(
                "the caller waited {timeout:?} in vain for “{happened}”; story: {:?}\nSIPp's errors: {errors}\n{}",
                self.story(),
                self.messages()
            );
        }
    }

    pub fn wait_ringing(&self, timeout: Duration) {
        self.wait("ringing", timeout);
    }

    /// Waits until somebody answers, then speaks.
    pub fn wait_answered(&self, timeout: Duration) {
        self.wait("answered", timeout);
        let story = self.story();
        let port =
            story.iter().rev().find_map(|line| line.strip_prefix("media ")?.trim().parse::<u16>().ok());
        // One machine: the media is where the signalling is.
        self.voice.speak_to(SocketAddr::new(self.server.ip(), port.expect("an answer names a port")));
    }

    /// Waits until the other side has hung up.
    pub fn wait_ended_by_peer(&self, timeout: Duration) {
        self.wait("peer hung up", timeout);
    }

    /// Whether the call is up: answered and ended by nobody.
    pub fn is_up(&self) -> bool {
        self.has("answered") && !self.has("peer hung up") && !self.has("hung up")
    }

    /// Sends REFER: to an address, or to `consulted`, a second call of the same person's (an attended transfer).
    pub fn transfer_to(&mut self, uri: &str, consulted: Option<&Self>) {
        let replaces = consulted.map(|call| format!("?Replaces={}", call.dialog())).unwrap_or_default();
        self.order("REFER", &format!("Refer-To: <{uri}{replaces}>\r\n"));
    }

    /// Its dialog's name as a Replaces parameter of a URI, for the other end (RFC 3891: its own tag is the to-tag).
    fn dialog(&self) -> String {
        let messages = self.messages();
        let answer = messages.split("SIP/2.0 200").nth(1).expect("the call is answered");
        let tag = |header: &str| {
            let line = answer.lines().find(|line| line.starts_with(header)).expect(header);
            line.split_once(";tag=").expect("a tag").1.trim().to_string()
        };
        format!("{}%3Bto-tag%3D{}%3Bfrom-tag%3D{}", self.call_id, tag("To:"), tag("From:"))
    }

    /// Says BYE, or CANCEL while it rings.
    pub fn hang_up(&mut self) {
        self.order("INFO", "");
        self.wait_any(&["hung up", "cancelled"]);
    }

    fn wait_any(&self, happened: &[&str]) {
        let found = || happened.iter().any(|line| self.has(line)).then_some(());
        if wait_for(Duration::from_secs(5), found).is_none() {
            panic!("the caller was told to hang up, but: {:?}\n{}", self.story(), self.messages());
        }
    }

    /// What the caller says and hears.
    pub fn voice(&self) -> &Voice {
        &self.voice
    }

    /// SIPp's end, when it has ended: true when the scenario went through.
    pub fn succeeded(&mut self, timeout: Duration) -> bool {
        self.process.wait(timeout).is_some_and(|status| status.success())
    }

    /// Puts a request into the call that only the scenario understands.
    fn order(&mut self, method: &str, headers: &str) {
        self.orders += 1;
        let text = format!(
            "{method} sip:caller@{sip} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK-order-{id}-{n}\r\n\
             From: <sip:test@127.0.0.1>;tag=order\r\nTo: <sip:caller@{sip}>\r\nCall-ID: {id}\r\n\
             CSeq: {n} {method}\r\n{headers}Content-Length: 0\r\n\r\n",
            sip = self.sip,
            id = self.call_id,
            n = 900_000 + self.orders,
        );
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().send_to(text.as_bytes(), self.sip).unwrap();
    }
}

fn log(line: &str) -> String {
    format!("<action><log message=\"{line}\"/></action>")
}

/// The caller's whole life. The INVITE stands twice in it when the server asks who is there.
fn scenario(options: &CallerOptions, media_port: u16) -> String {
    let ask = if options.login.is_some() {
        let (user, password) = options.login.clone().unwrap();
        let ack = request("ACK", "[last_To:]", 1, "", false);
        let credentials = format!("[authentication username={user} password={password}]\n");
        format!(
            "<recv response=\"100\" optional=\"true\"/>\n<recv response=\"401\" auth=\"true\"/>\n{ack}{}",
            invite(options, media_port, 2, &credentials)
        )
    } else {
        String::new()
    };
    let number = if options.login.is_some() { 2 } else { 1 };
    let ack = request("ACK", "To:[$to]", number, "", true);
    let refer = request("REFER", "To:[$to]\nRefer-To:[$refer_to]", number + 1, " retrans=\"500\"", true);
    let bye = request("BYE", "To:[$to]", number + 2, " retrans=\"500\"", true);
    let cancel = request("CANCEL", "To: <sip:[service]@[remote_ip]:[remote_port]>", number, "", false);
    let refused_ack = request("ACK", "[last_To:]", number, "", false);
    let ok = response("");
    let ok_sdp = response(&sdp(media_port));
    let refusals: String = [400, 401, 403, 407, 404, 408, 480, 481, 486, 488, 500, 503, 600, 603, 606]
        .iter()
        .map(|status| {
            let told = log(&format!("refused {status}"));
            format!("<recv response=\"{status}\" optional=\"true\" next=\"refused\">{told}</recv>\n")
        })
        .collect();
    let learn = "<action>\
        <ereg regexp=\".*\" search_in=\"hdr\" header=\"To:\" assign_to=\"to\"/>\
        <ereg regexp=\"m=audio ([0-9]+)\" search_in=\"body\" assign_to=\"line,port\"/>\
        <log message=\"media [$port]\"/><log message=\"answered\"/></action>";
    let where_to = "<action>\
        <ereg regexp=\".*\" search_in=\"hdr\" header=\"Refer-To:\" assign_to=\"refer_to\"/></action>";
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a caller">
{invite}{ask}
<label id="ringing"/>
<recv response="100" optional="true" next="ringing"/>
<recv response="180" optional="true" next="ringing">{ringing}</recv>
<recv response="183" optional="true" next="ringing">{ringing}</recv>
<recv request="INFO" optional="true" next="cancel"/>
{refusals}<recv response="200" rrs="true">{learn}</recv>
{ack}
<label id="talking"/>
<recv request="UPDATE" optional="true" next="update">{told_update}</recv>
<recv request="INVITE" optional="true" next="reinvite">{told_reinvite}</recv>
<recv request="ACK" optional="true" next="talking"/>
<recv request="NOTIFY" optional="true" next="update"/>
<recv request="REFER" optional="true" next="refer">{where_to}</recv>
<recv request="INFO" optional="true" next="bye"/>
<recv request="BYE"/>
{ok}
<nop>{told_peer}</nop>
<nop next="end"><action><log message="end"/></action></nop>
<label id="update"/>
{ok}
<nop next="talking"/>
<label id="reinvite"/>
{ok_sdp}
<nop next="talking"/>
<label id="refer"/>
{refer}
<recv response="202" next="talking">{told_accepted}</recv>
<label id="bye"/>
{bye}
<recv request="UPDATE" optional="true"/>
<recv request="INVITE" optional="true"/>
<recv response="200"><action><log message="hung up"/></action></recv>
<nop next="end"/>
<label id="cancel"/>
{cancel}
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200"/>
<recv response="487">{told_cancelled}</recv>
{refused_ack}
<nop next="end"/>
<label id="refused"/>
{refused_ack}
<label id="end"/>
<nop/>
<Reference variables="line"/>
</scenario>
"#,
        invite = invite(options, media_port, 1, ""),
        ringing = log("ringing"),
        told_update = log("update"),
        told_reinvite = log("reinvite"),
        told_accepted = log("transfer accepted"),
        told_peer = log("peer hung up"),
        told_cancelled = log("cancelled"),
    )
    .replace("[FROM]", &format!("From: {}", from(options)))
}

fn sdp(port: u16) -> String {
    format!(
        "v=0\no=caller 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\nm=audio {port} RTP/AVP 0 101\n\
         a=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=ptime:20\n"
    )
}

fn from(options: &CallerOptions) -> String {
    match options.withheld {
        true => "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=[pid]c[call_number]".into(),
        false => format!("\"{}\" <sip:{}@[local_ip]>;tag=[pid]c[call_number]", options.name, options.number),
    }
}

fn invite(options: &CallerOptions, media_port: u16, number: u32, credentials: &str) -> String {
    let CallerOptions { name, number: caller, .. } = options;
    let mut lines: String = options.header_lines.iter().map(|line| format!("{line}\n")).collect();
    if options.withheld {
        lines += &format!("P-Asserted-Identity: \"{name}\" <sip:{caller}@[local_ip]>\nPrivacy: id\n");
    }
    let text = format!(
        "INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n\
         Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[call_id]-{number}\n[FROM]\n\
         To: <sip:[service]@[remote_ip]:[remote_port]>\nCall-ID: [call_id]\nCSeq: {number} INVITE\n\
         Contact: <sip:caller@[local_ip]:[local_port]>\nMax-Forwards: 70\n\
         Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE\n{credentials}{lines}\
         Content-Type: application/sdp\nContent-Length: [len]\n\n{}",
        sdp(media_port)
    );
    format!("<send retrans=\"500\"><![CDATA[\n{text}\n]]></send>\n")
}

/// A request within the call; `routed` once there is a remote target.
fn request(method: &str, to: &str, number: u32, attributes: &str, routed: bool) -> String {
    let target = if routed { "[next_url]" } else { "sip:[service]@[remote_ip]:[remote_port]" };
    // ACK to a refusal and CANCEL belong to the INVITE's transaction (RFC 3261 9.1, 17.1.1.3).
    let branch = if routed { format!("{number}-{method}") } else { number.to_string() };
    let routes = if routed { "[routes]\n" } else { "" };
    let text = format!(
        "{method} {target} SIP/2.0\nVia: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[call_id]-{branch}\n{routes}\
         [FROM]\n{to}\nCall-ID: [call_id]\nCSeq: {number} {method}\nMax-Forwards: 70\n\
         Contact: <sip:caller@[local_ip]:[local_port]>\nContent-Length: 0\n"
    );
    format!("<send{attributes}><![CDATA[\n{text}\n]]></send>\n")
}

fn response(body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    let text = format!(
        "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n\
         Contact: <sip:caller@[local_ip]:[local_port]>\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE\n\
         {kind}Content-Length: [len]\n\n{body}"
    );
    format!("<send><![CDATA[\n{text}\n]]></send>\n")
}
