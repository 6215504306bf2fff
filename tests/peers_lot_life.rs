//! The life of a lot as a process: killed and started again under the calls of real baresips, told to read its
//! configuration again, asked for its figures.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod peers;

use peers::baresip::{Baresip, BaresipOptions};
use peers::process::Process;
use peers::{LOOPBACK, free_tcp_port, free_udp_port, wait_for, wait_until};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PARKDECK: &str = env!("CARGO_BIN_EXE_parkdeck");
const SOON: Duration = Duration::from_secs(20);
const ANN_HZ: f64 = 2600.0;
const JANE_HZ: f64 = 1730.0;
const BOB_HZ: f64 = 2210.0;

struct Lot {
    process: Process,
    folder: tempfile::TempDir,
    sip: SocketAddr,
    metrics: SocketAddr,
}

impl Lot {
    fn file(&self) -> PathBuf {
        self.folder.path().join("lot.toml")
    }

    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-lot-").tempdir().unwrap();
        let sip = SocketAddr::from((LOOPBACK, free_udp_port(LOOPBACK)));
        let metrics = SocketAddr::from((LOOPBACK, free_tcp_port(LOOPBACK)));
        let mut text = format!(
            "listen = \"{sip}\"\nrealm = \"office.test\"\ndigest = \"md5\"\nmetrics = \"{metrics}\"\n\
             journal = \"lot.journal\"\n"
        );
        for (user, extension, name) in [
            ("ann", "100", "Ann"),
            ("bob", "101", "Bob"),
            ("jane", "102", "Jane Doe"),
            ("kurt", "103", "Kurt"),
        ] {
            text += &format!(
                "[[users]]\nname = \"{user}\"\nsecret = \"{user}-secret\"\ndisplay_name = \"{name}\"\nextension = \"{extension}\"\n"
            );
        }
        text += "[log]\nformat = \"json\"\n[[lots]]\nparkpos = \"701-703\"\nparkingtime = 0\n";
        let file = folder.path().join("lot.toml");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let process = run(folder.path(), 0);
        let mut lot = Self { process, folder, sip, metrics };
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

    /// kill -9, and another process after a while.
    fn crash(&mut self, nth: u32) {
        self.process.signal("KILL");
        self.process.wait(SOON).expect("it ends");
        std::thread::sleep(Duration::from_millis(300));
        self.process = run(self.folder.path(), nth);
        self.wait_open();
    }

    fn phone(&self, user: &str, hz: f64) -> Baresip {
        let phone = Baresip::start(&BaresipOptions::new(user, &format!("{user}-secret"), self.sip).tone(hz));
        phone.wait_registered();
        phone
    }

    fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.sip)
    }

    fn page(&self) -> String {
        let mut stream = TcpStream::connect(self.metrics).expect("metrics are told");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: lot\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }

    fn wait_figure(&self, line: &str) {
        if wait_for(SOON, || self.page().lines().any(|l| l == line).then_some(())).is_none() {
            panic!("never {line}:\n{}\n{}", self.page(), self.process.output());
        }
    }

    fn reload(&self) -> (bool, String) {
        let mut command = std::process::Command::new(PARKDECK);
        command.args(["lot", "reload", "--config"]).arg(self.file());
        let done = command.env("XDG_STATE_HOME", self.folder.path().join("state")).output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    }
}

fn run(folder: &Path, nth: u32) -> Process {
    let arguments = ["lot", "--config", "lot.toml"].map(str::to_owned);
    Process::start(Path::new(PARKDECK), &arguments, folder, &folder.join(format!("output-{nth}.txt")))
}

/// Somebody calls Ann, who parks him by transfer.
fn parked(lot: &Lot, ann: &mut Baresip, caller: &mut Baresip, nth: usize) {
    caller.dial(&lot.uri("100"));
    ann.wait_event("CALL_INCOMING", nth, SOON);
    ann.answer();
    caller.wait_event("CALL_ESTABLISHED", 1, SOON);
    assert!(caller.hears(ANN_HZ, SOON), "they talk");
    ann.transfer(&lot.uri("700"));
    ann.wait_event("CALL_CLOSED", nth, SOON);
}

#[test]
fn a_killed_lot_goes_on_with_its_callers_and_tells_of_those_it_has_lost() {
    let mut lot = Lot::start();
    let (mut ann, mut jane, mut kurt) =
        (lot.phone("ann", ANN_HZ), lot.phone("jane", JANE_HZ), lot.phone("kurt", JANE_HZ));
    parked(&lot, &mut ann, &mut jane, 1);
    parked(&lot, &mut ann, &mut kurt, 2);
    lot.wait_figure("parkdeck_lot_parked_calls{lot=\"front\"} 2");
    let journal = lot.folder.path().join("lot.journal");
    assert_eq!(
        std::fs::metadata(&journal).unwrap().permissions().mode() & 0o777,
        0o600,
        "tickets are authority"
    );

    kurt.kill();
    lot.crash(1);
    lot.wait_figure("parkdeck_lot_events_total{event=\"recovered\"} 1");
    lot.wait_figure("parkdeck_lot_phones 3");
    assert_eq!(jane.count("CALL_CLOSED"), 0);
    // Bob has never been here before; Jane's phone and its call have.
    let mut bob = lot.phone("bob", BOB_HZ);
    bob.dial(&lot.uri("701"));
    bob.wait_established(SOON);
    assert!(bob.hears(JANE_HZ, SOON) && jane.hears(BOB_HZ, SOON), "the two talk");

    // Two who talk, talk on.
    lot.crash(2);
    lot.wait_figure("parkdeck_lot_events_total{event=\"recovered\"} 2");
    assert!(bob.hears(JANE_HZ, SOON) && jane.hears(BOB_HZ, SOON), "and again");
    bob.hang_up();
    jane.wait_closed(SOON);
    // Nobody answers for Kurt (32 s by RFC 3261); Ann's phone is told.
    let said = || lot.process.output().contains("\"event\":\"operator_told\"").then_some(());
    wait_until("Ann to be told of Kurt", Duration::from_secs(45), said);
    lot.wait_figure("parkdeck_lot_parked_calls{lot=\"front\"} 0");
    let line = lot.process.output().lines().find(|l| l.contains("\"event\":\"lost\"")).map(str::to_owned);
    let line: serde_json::Value = serde_json::from_str(&line.expect("a line of the log")).unwrap();
    assert_eq!((line["level"].as_str(), line["slot"].as_str()), (Some("WARN"), Some("702")), "{line}");
    assert_eq!(line["who"]["name"], "Kurt", "{line}");
}

#[test]
fn a_reload_that_fails_says_where_and_changes_nothing_and_one_that_works_keeps_every_call() {
    let lot = Lot::start();
    let (mut ann, mut jane) = (lot.phone("ann", ANN_HZ), lot.phone("jane", JANE_HZ));
    parked(&lot, &mut ann, &mut jane, 1);
    let text = std::fs::read_to_string(lot.file()).unwrap();
    std::fs::write(lot.file(), text.replace("parkpos = \"701-703\"", "parkpos = \"703-701\"")).unwrap();
    let (good, words) = lot.reload();
    assert!(!good && words.contains("lot.toml:") && words.contains("backwards"), "{words}");
    // Somebody who only sends the signal finds it in the log; the old configuration runs on.
    lot.process.signal("HUP");
    lot.wait_figure("parkdeck_lot_reloads_refused_total 1");
    assert!(lot.process.output().contains("the old configuration runs on"), "{}", lot.process.output());

    // Jane's slot is no more, and Kurt neither.
    let kurt = text.find("[[users]]\nname = \"kurt\"").unwrap();
    let end = text.find("[log]").unwrap();
    let fresh = format!("{}{}", &text[..kurt], &text[end..]).replace("701-703", "711-713");
    std::fs::write(lot.file(), fresh).unwrap();
    assert_eq!(lot.reload(), (true, "reloaded\n".to_owned()));
    lot.wait_figure("parkdeck_lot_slots{lot=\"front\"} 4");
    let mut bob = lot.phone("bob", BOB_HZ);
    bob.dial(&lot.uri("701"));
    bob.wait_established(SOON);
    assert!(bob.hears(JANE_HZ, SOON), "who was parked in a slot that is no more is found there");
    lot.wait_figure("parkdeck_lot_slots{lot=\"front\"} 3");
    drop(lot);
}

#[test]
fn without_a_lot_there_is_nobody_to_tell() {
    let mut lot = Lot::start();
    lot.process.signal("TERM");
    lot.process.wait(SOON).expect("it ends");
    let (good, words) = lot.reload();
    assert!(!good && words.contains("no lot of") && words.contains("is running"), "{words}");
}
