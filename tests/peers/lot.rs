//! `parkdeck lot` as a process of the test's own: own folder, own free ports on loopback, ended with the value; killed
//! and started again with its journal where a test wants that.

use super::baresip::{Baresip, BaresipOptions};
use super::process::Process;
use super::{LOOPBACK, free_sip_port, free_tcp_port, wait_for, wait_until};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// How long anything of a lot's may take.
const SOON: Duration = Duration::from_secs(20);

/// A running lot.
pub struct Lot {
    // Before the folder: the process must be gone when it is removed.
    process: Process,
    folder: tempfile::TempDir,
    /// Where it takes SIP over UDP, and over TCP where its configuration says so.
    pub sip: SocketAddr,
    metrics: SocketAddr,
    runs: u32,
}

impl Lot {
    /// A free address for a lot, and for what it shall listen on.
    pub fn free_address() -> SocketAddr {
        SocketAddr::from((LOOPBACK, free_sip_port(LOOPBACK)))
    }

    /// Starts one at `sip` with these tables, beside address, realm `office.test`, a journal and metrics. MD5 alone is
    /// offered, for baresip 1.0 gives up at the sight of SHA-256.
    pub fn start(sip: SocketAddr, head: &str, tables: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-lot-").tempdir().unwrap();
        let metrics = SocketAddr::from((LOOPBACK, free_tcp_port(LOOPBACK)));
        let text = format!(
            "listen = \"{sip}\"\nrealm = \"office.test\"\ndigest = \"md5\"\nmetrics = \"{metrics}\"\n\
             journal = \"lot.journal\"\n{head}\n{tables}\n[log]\nformat = \"json\"\ntrace = \"on\"\n\
             trace_file = \"trace.txt\"\n"
        );
        let file = folder.path().join("lot.toml");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let process = run(folder.path(), 0);
        let mut lot = Self { process, folder, sip, metrics, runs: 1 };
        lot.wait_open();
        lot
    }

    fn wait_open(&mut self) {
        wait_until("the lot to open", SOON, || {
            assert!(self.process.exited().is_none(), "it ended at once:\n{}", self.process.output());
            self.process.output().contains("the lot is open").then_some(())?;
            TcpStream::connect(self.metrics).ok().map(drop)
        });
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process.signal("KILL");
        self.process.wait(SOON).expect("it ends");
    }

    /// Another process on the same address with the same journal.
    pub fn start_again(&mut self) {
        self.process = run(self.folder.path(), self.runs);
        self.runs += 1;
        self.wait_open();
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.sip)
    }

    /// A registered baresip of that user, whose secret is `USER-secret`.
    pub fn phone(&self, user: &str, hz: f64) -> Baresip {
        let options = BaresipOptions::new(user, &format!("{user}-secret"), self.sip).tone(hz);
        let phone = Baresip::start(&options);
        phone.wait_registered();
        phone
    }

    /// What this process has logged, a JSON object a line.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// How often an event was logged by this process.
    pub fn count(&self, event: &str) -> usize {
        self.log().matches(&format!("\"event\":\"{event}\"")).count()
    }

    /// Waits until an event was logged so often.
    pub fn wait_count(&self, event: &str, times: usize) {
        if wait_for(SOON, || (self.count(event) >= times).then_some(())).is_none() {
            panic!("the lot never logged “{event}” {times} times:\n{}", self.log());
        }
    }

    /// The value of a metric, by its name and labels as they stand in the page.
    pub fn figure(&self, name: &str) -> Option<f64> {
        let mut stream = TcpStream::connect(self.metrics).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: lot\r\n\r\n").ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// How many are parked in all its lots.
    pub fn parked(&self) -> usize {
        self.figure("parkdeck_lot_parked_calls{lot=\"front\"}").unwrap_or_default() as usize
    }

    /// Waits until so many are parked.
    pub fn wait_parked(&self, count: usize) {
        wait_until("callers to be parked", SOON, || (self.parked() == count).then_some(()));
    }
}

/// A table of one user.
pub fn user(name: &str, extension: &str, display: &str) -> String {
    format!(
        "[[users]]\nname = \"{name}\"\nsecret = \"{name}-secret\"\ndisplay_name = \"{display}\"\nextension = \"{extension}\"\n"
    )
}

fn run(folder: &Path, nth: u32) -> Process {
    let arguments = ["lot", "--config", "lot.toml"].map(str::to_owned);
    let program = Path::new(env!("CARGO_BIN_EXE_parkdeck"));
    Process::start(program, &arguments, folder, &folder.join(format!("output-{nth}.txt")))
}
