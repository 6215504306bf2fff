//! A real Asterisk of the test's own: own folder, own free ports on loopback, killed on drop.
//! What it is configured to do is in `asterisk_files`.

use super::asterisk_files::{self, Places};
use super::certificates::Pair;
use super::process::{Process, last_lines, read_text};
use super::{LOOPBACK, free_rtp_range, free_sip_port, free_tcp_port, peers_folder, wait_for, wait_until};
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// How many RTP ports one Asterisk gets: two for each leg of 50 calls.
const RTP_PORTS: u16 = 200;

/// Which of the two that `tests/setup.sh` brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V22,
    V16,
}

impl Version {
    fn folder(self) -> PathBuf {
        peers_folder().join(match self {
            Self::V22 => "asterisk",
            Self::V16 => "asterisk16",
        })
    }
}

/// What the test wants of its Asterisk. The default is the reception of a small office: nine slots
/// 701–709, park extension 700, 45 s of parking, then back to the parker for 20 s.
#[derive(Debug, Clone)]
pub struct AsteriskOptions {
    pub version: Version,
    /// First slot's number.
    pub first_slot: u16,
    /// How many slots there are; 1 or 2 make a lot that is soon full.
    pub slots: u16,
    /// Seconds until the comeback.
    pub parking_s: u32,
    /// Seconds that the comeback rings at the parker before the caller is dropped.
    pub comeback_ring_s: u32,
    /// Back to the parker, or to the dialplan's own place (`timeout_lines`).
    pub comeback_to_origin: bool,
    /// A lot beside the first, which then is parked into by its own park extension only.
    pub second_lot: Option<SecondLot>,
    /// Lists by which several lamps are watched at once.
    pub lists: Vec<ResourceList>,
    /// Instead of music, what the dialplan does with a caller whose time is up and who doesn't go back to the parker:
    /// steps behind the first, `same => n,…`.
    pub timeout_lines: String,
    /// Extra lines for every phone's endpoint section (`send_rpid=yes`, …), `{user}` standing for the phone's name; later
    /// lines win.
    pub endpoint_lines: String,
    /// Extra lines for one phone alone: user, lines of its endpoint, lines of its AOR.
    pub phone_lines: Vec<(&'static str, &'static str, &'static str)>,
    /// Extra lines for the trunk's endpoint.
    pub trunk_lines: String,
    /// Extra lines for the lot in `res_parking.conf`.
    pub lot_lines: String,
    /// Extra lines at the end of the dialplan's `[phones]`.
    pub dialplan_lines: String,
    /// The feature map, `name => keys` a line.
    pub features: String,
    /// Codecs that phones may use, in Asterisk's notation.
    pub allow: String,
    /// Whether the parking module is loaded at all: false is "a server without park".
    pub parking: bool,
    /// How calls with phones are protected.
    pub media: Media,
    /// TCP, and TLS when there is a certificate: on the port of UDP, and on the next.
    pub streams: Option<Streams>,
    /// Whether the manager interface listens (`ami` names its address; user `parkdeck`, secret `ami-secret`).
    pub manager: bool,
    /// More sections of `manager.conf`: other users.
    pub manager_lines: String,
    /// More sections of `pjsip.conf`: other phones.
    pub pjsip_lines: String,
    /// How many RTP ports it may use, two for each leg.
    pub rtp_ports: u16,
    /// Logs warnings and errors only: where its cost is measured.
    pub quiet: bool,
}

impl Default for AsteriskOptions {
    fn default() -> Self {
        Self {
            version: Version::V22,
            first_slot: 701,
            slots: 9,
            parking_s: 45,
            comeback_ring_s: 20,
            comeback_to_origin: true,
            second_lot: None,
            lists: Vec::new(),
            timeout_lines: String::new(),
            endpoint_lines: String::new(),
            phone_lines: Vec::new(),
            trunk_lines: String::new(),
            lot_lines: String::new(),
            dialplan_lines: String::new(),
            features: "parkcall => #72\nblindxfer => ##\n".into(),
            allow: "ulaw,alaw,opus".into(),
            parking: true,
            media: Media::Plain,
            streams: None,
            manager: false,
            manager_lines: String::new(),
            pjsip_lines: String::new(),
            rtp_ports: RTP_PORTS,
            quiet: false,
        }
    }
}

impl AsteriskOptions {
    /// The default of this version. Debian's 16 can pass Opus through and no more: a phone that answers with it is cut
    /// off from a trunk that has none.
    pub fn of(version: Version) -> Self {
        let allow = match version {
            Version::V22 => Self::default().allow,
            Version::V16 => "ulaw,alaw".into(),
        };
        Self { version, allow, ..Self::default() }
    }

    /// The extension that calls are parked by: the one before the first slot.
    pub fn park_extension(&self) -> u16 {
        self.first_slot - 1
    }
}

/// A lot of its own, with the extension before its first slot to park by.
#[derive(Debug, Clone)]
pub struct SecondLot {
    pub name: &'static str,
    pub slots: std::ops::Range<u16>,
}

/// `type=resource_list` (RFC 4662).
#[derive(Debug, Clone)]
pub struct ResourceList {
    /// The extension that is subscribed to.
    pub name: &'static str,
    /// The extensions whose hints it tells.
    pub items: Vec<u16>,
}

/// How the sound of phones travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    Plain,
    /// Keys in the SDP (RFC 4568).
    Sdes,
    /// Keys by a handshake on the media path (RFC 5763).
    Dtls,
}

/// Asterisk takes connections too.
#[derive(Debug, Clone)]
pub struct Streams {
    /// For TLS; without one there is only TCP.
    pub tls: Option<Pair>,
}

/// The phones that may register: user, extension, name. The password is [`password`].
pub const PHONES: [(&str, &str, &str); 6] = [
    ("reception", "100", "Reception"),
    ("alice", "101", "Alice Adams"),
    ("bob", "102", "Bob Brown"),
    ("carol", "103", "Carol Clark"),
    ("dave", "104", "Dave Dunn"),
    ("desk2", "105", "Second Desk"),
];

/// The password of a phone of [`PHONES`].
pub fn password(user: &str) -> String {
    format!("{user}-secret")
}

/// One SIP message as the server logged it.
#[derive(Debug, Clone)]
pub struct SipMessage {
    /// By the server.
    pub received: bool,
    /// "UDP", "TCP" or "TLS".
    pub transport: String,
    /// The other end's address and port.
    pub far: String,
    pub text: String,
}

impl SipMessage {
    /// The request or status line.
    pub fn head(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// `REFER`, `200`, … with the method that a response answers: `200 INVITE`.
    pub fn kind(&self) -> String {
        let method =
            self.header("CSeq").and_then(|value| value.split_whitespace().nth(1)).unwrap_or_default();
        match self.head().strip_prefix("SIP/2.0 ") {
            Some(status) => format!("{} {method}", status.split_whitespace().next().unwrap_or_default()),
            None => method.to_string(),
        }
    }

    /// The status in a sipfrag.
    pub fn fragment(&self) -> Option<&str> {
        let body = self.text.split_once("\n\n")?.1;
        body.lines().find_map(|line| line.strip_prefix("SIP/2.0 ")?.get(..3))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.lines().take_while(|line| !line.is_empty());
        lines.filter_map(|line| line.split_once(':')).find(|(n, _)| n.trim() == name).map(|(_, v)| v.trim())
    }
}

/// A running Asterisk.
pub struct Asterisk {
    // Before the folder: the process must be gone when the folder is removed.
    process: Process,
    folder: tempfile::TempDir,
    options: AsteriskOptions,
    sip: SocketAddrV4,
    ami: Option<SocketAddrV4>,
    places: Places,
}

impl Asterisk {
    /// Starts one and waits until it has booted and listens.
    pub fn start(options: AsteriskOptions) -> Self {
        // Between choosing a port and binding it somebody else may take it: then the next.
        for _ in 0..3 {
            if let Some(running) = Self::try_start(&options) {
                return running;
            }
        }
        panic!("Asterisk found its SIP port taken three times");
    }

    fn try_start(options: &AsteriskOptions) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("parkdeck-asterisk-").tempdir().unwrap();
        let ami = options.manager.then(|| SocketAddrV4::new(LOOPBACK, free_tcp_port(LOOPBACK)));
        let sip = SocketAddrV4::new(LOOPBACK, free_sip_port(LOOPBACK));
        let places = Places {
            unpacked: options.version.folder(),
            folder: folder.path().to_path_buf(),
            sip,
            rtp_first: free_rtp_range(LOOPBACK, options.rtp_ports),
            rtp_last: 0,
            ami,
        };
        let places = Places { rtp_last: places.rtp_first + options.rtp_ports - 1, ..places };
        assert!(
            places.program().exists(),
            "there is no Asterisk in {}: run tests/setup.sh first",
            places.unpacked.display()
        );
        asterisk_files::write(&places, options);
        let arguments = ["-C".into(), places.main_file(), "-f".into(), "-g".into()];
        let output = folder.path().join("console.txt");
        let process = Process::start(&places.program(), &arguments, folder.path(), &output);
        let mut running = Self { process, folder, options: options.clone(), sip, ami, places };
        running.wait_until_booted();
        let bound = wait_for(Duration::from_secs(2), || UdpSocket::bind(sip).is_err().then_some(()));
        let log = running.log();
        (bound.is_some() && !log.contains("Address already in use")).then_some(running)
    }

    fn wait_until_booted(&mut self) {
        let control = self.folder.path().join("asterisk.ctl");
        wait_until("Asterisk's control socket", Duration::from_secs(30), || {
            if let Some(status) = self.process.exited() {
                panic!("Asterisk ended while booting ({status}):\n{}", self.process.output());
            }
            control.exists().then_some(())
        });
        wait_until("Asterisk to boot", Duration::from_secs(30), || {
            self.try_rx("core waitfullybooted").filter(|answer| answer.contains("fully booted"))
        });
    }

    /// Where it takes SIP over UDP.
    pub fn sip(&self) -> SocketAddr {
        SocketAddr::V4(self.sip)
    }

    /// Where it takes SIP over TLS, when it does.
    pub fn tls(&self) -> SocketAddr {
        SocketAddr::V4(SocketAddrV4::new(*self.sip.ip(), self.sip.port() + 1))
    }

    /// `sip:USER@ADDRESS` on this server.
    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.sip)
    }

    /// Where the manager interface listens, when it was asked for.
    pub fn ami(&self) -> Option<SocketAddr> {
        self.ami.map(SocketAddr::V4)
    }

    /// Where it listens for TLS, when there is a certificate.
    pub fn ami_tls(&self) -> Option<SocketAddr> {
        self.ami.map(|ami| SocketAddr::V4(SocketAddrV4::new(*ami.ip(), ami.port() + 1)))
    }

    pub fn options(&self) -> &AsteriskOptions {
        &self.options
    }

    /// The numbers of the slots.
    pub fn slots(&self) -> std::ops::Range<u16> {
        self.options.first_slot..self.options.first_slot + self.options.slots
    }

    /// "Asterisk 22.10.1…"
    pub fn version(&self) -> String {
        read_text(&self.places.unpacked.join("version")).trim().to_string()
    }

    /// Runs a command of Asterisk's own console and returns what it prints.
    pub fn rx(&self, command: &str) -> String {
        self.try_rx(command).unwrap_or_else(|| panic!("Asterisk doesn't answer to: {command}"))
    }

    fn try_rx(&self, command: &str) -> Option<String> {
        let asked = Command::new(self.places.program())
            .args(["-C", &self.places.main_file(), "-rx", command])
            .output()
            .unwrap();
        asked.status.success().then(|| String::from_utf8_lossy(&asked.stdout).into_owned())
    }

    /// The full log: notices, warnings, verbose lines, and all SIP after [`Asterisk::log_sip`].
    pub fn log(&self) -> String {
        read_text(&self.folder.path().join("full"))
    }

    /// Puts every SIP message into the log from now on.
    pub fn log_sip(&self) {
        self.rx("pjsip set logger on");
    }

    /// Every SIP message since [`Asterisk::log_sip`], in order.
    pub fn sip_messages(&self) -> Vec<SipMessage> {
        let log = self.log();
        let mut messages: Vec<SipMessage> = Vec::new();
        let lines = log.lines();
        let mut inside = false;
        for line in lines {
            let received = line.contains("<--- Received SIP");
            if received || line.contains("<--- Transmitting SIP") {
                let far = line.split_whitespace().find_map(|word| {
                    let (transport, far) = word.split_once(':')?;
                    matches!(transport, "UDP" | "TCP" | "TLS").then_some((transport, far))
                });
                let (transport, far) = far.unwrap_or_default();
                messages.push(SipMessage {
                    received,
                    transport: transport.to_string(),
                    far: far.to_string(),
                    text: String::new(),
                });
                inside = true;
            } else if line.starts_with('[') && line.contains("] VERBOSE[") {
                inside = false;
            } else if inside && let Some(message) = messages.last_mut() {
                message.text += line.trim_end();
                message.text.push('\n');
            }
        }
        messages
    }

    /// The newest of these messages, a line each: `<` came in, `>` went out, with what a sipfrag says.
    fn sip_in_short(&self) -> String {
        let messages = self.sip_messages();
        let newest = &messages[messages.len().saturating_sub(80)..];
        let short = |m: &SipMessage| {
            let way = if m.received { '<' } else { '>' };
            let fragment = m.fragment().map(|status| format!(" ({status})")).unwrap_or_default();
            format!("{way} {} {:16}{fragment} {}", m.far, m.kind(), m.header("Call-ID").unwrap_or_default())
        };
        newest.iter().map(short).collect::<Vec<_>>().join("\n")
    }

    /// Channels up just now; 0 when nobody talks, rings or is parked.
    pub fn channels(&self) -> usize {
        let counted = self.rx("core show channels count");
        let first = counted.lines().find(|line| line.contains("active channel")).unwrap_or("0");
        first.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    /// Waits until there are exactly `count` channels.
    pub fn wait_for_channels(&self, count: usize, timeout: Duration) {
        if wait_for(timeout, || (self.channels() == count).then_some(())).is_none() {
            panic!("expected {count} channels after {timeout:?}, have\n{}", self.rx("core show channels"));
        }
    }

    /// Numbers of the occupied slots as the server itself knows them.
    pub fn parked(&self) -> Vec<u16> {
        self.parked_in("default")
    }

    /// The same of this lot.
    pub fn parked_in(&self, lot: &str) -> Vec<u16> {
        let shown = self.rx(&format!("parking show {lot}"));
        let slots = shown.lines().filter_map(|line| line.trim().strip_prefix("Space")?.split(':').nth(1));
        let mut parked: Vec<u16> = slots.filter_map(|number| number.trim().parse().ok()).collect();
        parked.sort_unstable();
        parked
    }

    /// In which slot of the first lot the server has the caller of this number.
    pub fn slot_of(&self, number: &str) -> Option<u16> {
        let shown = self.rx("parking show default");
        let pieces = shown.split("Space").skip(1);
        let found = pieces.filter_map(|piece| {
            let value = |key: &str| piece.lines().find_map(|l| l.trim().strip_prefix(key)?.split(':').nth(1));
            let slot = piece.split_once(':')?.1.lines().next()?.trim().parse().ok()?;
            Some((slot, value("Channel")?.trim().to_string()))
        });
        let caller = format!("Caller ID: {number}");
        let is_his = |(_, channel): &(u16, String)| {
            self.rx(&format!("core show channel {channel}")).lines().any(|line| line.trim() == caller)
        };
        found.collect::<Vec<_>>().into_iter().find(is_his).map(|(slot, _)| slot)
    }

    /// Waits until `user` has a contact.
    pub fn wait_for_registration(&self, user: &str, timeout: Duration) {
        let contact = format!("{user}/sip:");
        if wait_for(timeout, || self.rx("pjsip show contacts").contains(&contact).then_some(())).is_none() {
            panic!("{user} hasn't registered within {timeout:?}:\n{}", self.rx("pjsip show contacts"));
        }
    }

    /// Whether `user` has a contact now.
    pub fn is_registered(&self, user: &str) -> bool {
        self.rx("pjsip show contacts").contains(&format!("{user}/sip:"))
    }

    /// Ends Asterisk at once, as a power cut does, and starts it again on the same ports with nothing
    /// remembered. Phones have to find that out by themselves.
    pub fn restart(&mut self) {
        self.process.kill();
        self.start_again();
    }

    /// What `core restart now` does: everybody gets his BYE, and it starts again with the contacts and subscriptions
    /// that it keeps in its database. (Its own way of starting itself again knows nothing of the loader it came by.)
    pub fn restart_now(&mut self) {
        self.try_rx("core stop now");
        assert!(self.process.wait(Duration::from_secs(20)).is_some(), "Asterisk goes on");
        self.begin();
    }

    /// Ends it and leaves it away until [`Asterisk::start_again`].
    pub fn stop(&mut self) {
        self.process.kill();
    }

    /// After [`Asterisk::stop`].
    pub fn start_again(&mut self) {
        asterisk_files::forget_state(&self.places);
        self.begin();
    }

    fn begin(&mut self) {
        let _ = std::fs::remove_file(self.folder.path().join("asterisk.ctl"));
        let arguments = ["-C".into(), self.places.main_file(), "-f".into(), "-g".into()];
        let output = self.folder.path().join("console.txt");
        self.process = Process::start(&self.places.program(), &arguments, self.folder.path(), &output);
        self.wait_until_booted();
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Its own console's comings and goings say nothing.
            let log: String =
                self.log().lines().filter(|line| !line.contains("UNIX conn")).collect::<Vec<_>>().join("\n");
            eprintln!("── SIP as Asterisk saw it ──\n{}", self.sip_in_short());
            eprintln!("── last lines of Asterisk's log ──\n{}", last_lines(&log, 60));
        }
    }
}
