//! A real baresip phone: says a tone of its own, keeps what it hears, is told what to do over its JSON
//! control port.

use super::process::Process;
use super::tone::{RATE, Sine, read_wav, tone_ms, write_wav};
use super::{LOOPBACK, free_rtp_range, free_tcp_port, free_udp_port, wait_for, wait_until};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// baresip hangs up when the file it says comes to its end: longer than any test.
const TONE_S: usize = 300;

/// What kind of phone.
#[derive(Debug, Clone)]
pub struct BaresipOptions {
    pub user: String,
    pub password: String,
    /// Registrar and proxy.
    pub server: SocketAddr,
    /// Shown to others; empty for none.
    pub display: String,
    /// What it says, Hz.
    pub tone_hz: f64,
    /// Answers by itself, or waits for [`Baresip::answer`].
    pub auto_answer: bool,
    /// More account parameters, as `;dtmfmode=info`.
    pub account_parameters: String,
    /// `pcmu` or `opus`.
    pub codec: String,
    /// Whether what it hears is kept in a file; off where its own cost is measured.
    pub keeps: bool,
    /// `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// Whom it is told to trust when it speaks TLS (version 1.0 believes everybody all the same); with it, SDES is
    /// demanded for its media (`RTP/SAVP`).
    pub authority: Option<PathBuf>,
}

impl BaresipOptions {
    /// A phone that answers only when told to.
    pub fn new(user: &str, password: &str, server: SocketAddr) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
            server,
            display: String::new(),
            tone_hz: 440.0,
            auto_answer: false,
            account_parameters: String::new(),
            codec: "pcmu".into(),
            keeps: true,
            transport: "udp",
            authority: None,
        }
    }

    /// A phone that speaks TLS with `server`, whose certificate this authority signed, and whose media is SRTP.
    pub fn secure(self, server: SocketAddr, authority: PathBuf) -> Self {
        let account_parameters = format!("{};mediaenc=srtp-mand", self.account_parameters);
        Self { server, transport: "tls", authority: Some(authority), account_parameters, ..self }
    }

    pub fn tone(self, hz: f64) -> Self {
        Self { tone_hz: hz, ..self }
    }

    pub fn answering(self) -> Self {
        Self { auto_answer: true, ..self }
    }

    /// A phone of which only the cost counts, in this codec.
    pub fn bare(self, codec: &str) -> Self {
        Self { codec: codec.into(), keeps: false, ..self }
    }

    pub fn display(self, name: &str) -> Self {
        Self { display: name.into(), ..self }
    }
}

/// A running baresip.
pub struct Baresip {
    process: Process,
    folder: tempfile::TempDir,
    control: TcpStream,
    said: Arc<Mutex<Vec<String>>>,
    sip: SocketAddr,
}

impl Baresip {
    /// Starts it; it registers by itself.
    pub fn start(options: &BaresipOptions) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-baresip-").tempdir().unwrap();
        let sip = SocketAddr::from((LOOPBACK, free_udp_port(LOOPBACK)));
        let control = SocketAddr::from((LOOPBACK, free_tcp_port(LOOPBACK)));
        write_files(folder.path(), options, sip, control);
        let arguments = ["-f".into(), folder.path().to_string_lossy().into_owned()];
        let program = on_path("baresip");
        let mut process =
            Process::start(&program, &arguments, folder.path(), &folder.path().join("output.txt"));
        let stream = wait_until("baresip's control port", Duration::from_secs(10), || {
            if let Some(status) = process.exited() {
                panic!("baresip ended at once ({status}):\n{}", process.output());
            }
            TcpStream::connect(control).ok()
        });
        let said = Arc::new(Mutex::new(Vec::new()));
        let reader = stream.try_clone().unwrap();
        let collected = said.clone();
        std::thread::spawn(move || collect(reader, &collected));
        Self { process, folder, control: stream, said, sip }
    }

    /// Sends one command of baresip's menu and returns at once.
    pub fn command(&mut self, command: &str, parameters: &str) {
        let text = format!("{{\"command\":\"{command}\",\"params\":\"{parameters}\"}}");
        write!(self.control, "{}:{text},", text.len()).unwrap();
    }

    /// Calls this address.
    pub fn dial(&mut self, uri: &str) {
        self.command("dial", uri);
    }

    pub fn answer(&mut self) {
        self.command("accept", "");
    }

    pub fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    pub fn hold(&mut self) {
        self.command("hold", "");
    }

    pub fn resume(&mut self) {
        self.command("resume", "");
    }

    /// Blind REFER of the call in hand.
    pub fn transfer(&mut self, uri: &str) {
        self.command("transfer", uri);
    }

    /// Types digits into the call (RFC 4733 unless the account says otherwise).
    pub fn digits(&mut self, digits: &str) {
        for digit in digits.chars() {
            self.command("sndcode", &digit.to_string());
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// Every event and answer so far, as JSON text.
    pub fn events(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// How many events of this type there have been (`CALL_INCOMING`, `CALL_ESTABLISHED`, `CALL_CLOSED`, …).
    pub fn count(&self, kind: &str) -> usize {
        let wanted = format!("\"type\":\"{kind}\"");
        self.said.lock().unwrap().iter().filter(|event| event.contains(&wanted)).count()
    }

    /// Waits until there have been `count` events of this type in all; returns the newest.
    pub fn wait_event(&self, kind: &str, count: usize, timeout: Duration) -> String {
        let wanted = format!("\"type\":\"{kind}\"");
        let found = wait_for(timeout, || {
            (self.count(kind) >= count)
                .then(|| self.events().into_iter().rfind(|event| event.contains(&wanted)))?
        });
        found.unwrap_or_else(|| {
            panic!("baresip had no {kind} number {count} within {timeout:?}:\n{}", self.events().join("\n"))
        })
    }

    pub fn wait_registered(&self) {
        // The event may come before the control port is connected; the output says it too.
        if wait_for(Duration::from_secs(10), || self.process.output().contains("200 OK").then_some(()))
            .is_none()
        {
            panic!("baresip hasn't registered:\n{}", self.process.output());
        }
    }

    pub fn wait_ringing(&self, timeout: Duration) -> String {
        self.wait_event("CALL_INCOMING", self.count("CALL_CLOSED") + 1, timeout)
    }

    pub fn wait_established(&self, timeout: Duration) {
        self.wait_event("CALL_ESTABLISHED", 1, timeout);
    }

    pub fn wait_closed(&self, timeout: Duration) -> String {
        self.wait_event("CALL_CLOSED", 1, timeout)
    }

    /// What it has heard in its newest call, 8 kHz.
    pub fn heard(&self) -> Vec<i16> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().flatten().map(|entry| entry.path());
        let heard = files.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).max();
        heard.map(|path| read_wav(&path)).unwrap_or_default()
    }

    /// Waits until a tone of `hz` has been heard for 300 ms, counted from now; false after `timeout`.
    pub fn hears(&self, hz: f64, timeout: Duration) -> bool {
        let before = self.heard().len();
        wait_for(timeout, || {
            let heard = self.heard();
            // A new call begins a new, shorter file.
            let start = if heard.len() < before { 0 } else { before };
            (tone_ms(&heard[start..], hz) >= 300).then_some(())
        })
        .is_some()
    }

    /// Listens for `listen` and says whether the tone was absent all that time.
    pub fn hears_nothing_of(&self, hz: f64, listen: Duration) -> bool {
        let before = self.heard().len();
        std::thread::sleep(listen);
        let heard = self.heard();
        tone_ms(heard.get(before..).unwrap_or(&heard), hz) == 0
    }

    /// Where it takes SIP.
    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    pub fn output(&self) -> String {
        self.process.output()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Ends it as a power cut does: no BYE, no unregistering.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// A program's full path, with a message that says what to do.
pub fn on_path(program: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{program} isn't installed: run tests/setup.sh first"))
}

/// Reads netstrings (`LENGTH:TEXT,`) until baresip goes away.
fn collect(mut stream: TcpStream, said: &Mutex<Vec<String>>) {
    let mut pending: Vec<u8> = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut chunk) {
        pending.extend_from_slice(&chunk[..length]);
        while let Some((text, rest)) = split_netstring(&pending) {
            said.lock().unwrap().push(text);
            pending = rest;
        }
    }
}

fn split_netstring(bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = bytes.iter().position(|&byte| byte == b':')?;
    let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
    let text = bytes.get(colon + 1..colon + 1 + length)?;
    let rest = bytes.get(colon + 2 + length..)?;
    Some((String::from_utf8_lossy(text).into_owned(), rest.to_vec()))
}

fn write_files(folder: &Path, options: &BaresipOptions, sip: SocketAddr, control: SocketAddr) {
    let own = folder.display();
    let rtp = free_rtp_range(LOOPBACK, 40);
    write_wav(&folder.join("tone.wav"), &Sine::new(options.tone_hz).take(TONE_S * RATE as usize));
    let codec = if options.codec == "opus" { "module opus.so" } else { "module g711.so" };
    let authority = match &options.authority {
        Some(file) => format!("module srtp.so\nsip_cafile {}\n", file.display()),
        None => String::new(),
    };
    let keep = if options.keeps { format!("module sndfile.so\nsnd_path {own}") } else { String::new() };
    // aubridge is a player without a device; sndfile keeps what passes on its way to it.
    let config = format!(
        "poll_method epoll
sip_listen {sip}
net_interface {LOOPBACK}
rtp_ports {rtp}-{}
call_max_calls 8
audio_source aufile,{own}/tone.wav
audio_player aubridge,nowhere
audio_alert aubridge,nowhere
ausrc_srate {RATE}
auplay_srate {RATE}
ausrc_channels 1
auplay_channels 1
audio_txmode thread
module_path {}
{codec}
module aufile.so
module aubridge.so
{keep}
{authority}
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {control}
",
        rtp + 39,
        module_folder().display(),
    );
    std::fs::write(folder.join("config"), config).unwrap();
    std::fs::write(folder.join("contacts"), "").unwrap();
    let BaresipOptions { user, password, server, display, account_parameters, codec, transport, .. } =
        options;
    let mode = if options.auto_answer { "auto" } else { "manual" };
    let display = if display.is_empty() { String::new() } else { format!("\"{display}\" ") };
    let account = format!(
        "{display}<sip:{user}@{server};transport={transport}>;auth_user={user};auth_pass={password};regint=60;\
         answermode={mode};audio_codecs={codec}{account_parameters}\n"
    );
    std::fs::write(folder.join("accounts"), account).unwrap();
}

/// Debian and Ubuntu put them in one of two places.
fn module_folder() -> PathBuf {
    let library = Path::new("/usr/lib");
    let multiarch = format!("{}-linux-gnu", std::env::consts::ARCH);
    [library.join("baresip/modules"), library.join(multiarch).join("baresip/modules")]
        .into_iter()
        .find(|folder| folder.join("ctrl_tcp.so").exists())
        .expect("baresip's modules aren't installed: run tests/setup.sh first")
}
