//! `parkdeck doctor` against real servers, healthy and deliberately misconfigured: what is wrong is named in the server's
//! own words, and nothing of ours is left there.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../peers/mod.rs"]
mod peers;

mod endpoints;
mod leaving;
mod lots;
mod manager;
mod own_lot;
mod sixteen;

use peers::asterisk::{Asterisk, AsteriskOptions, password};
use peers::process::Process;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Longer than any examination that doesn't wait for a comeback.
const ALL_OF_IT: Duration = Duration::from_secs(70);

/// One run of the doctor.
struct Run {
    process: Process,
    folder: tempfile::TempDir,
}

/// What it printed, and whether it found all well.
struct Findings {
    text: String,
    healthy: bool,
}

/// Where an account is, and how its server parks.
#[derive(Clone)]
struct Setup {
    server: String,
    user: &'static str,
    password: String,
    /// More lines of the account.
    account: String,
    lot: String,
    /// More tables.
    more: String,
}

impl Setup {
    fn new(server: &str, user: &'static str, password: &str, lot: &str) -> Self {
        let (account, more) = (String::new(), String::new());
        Self { server: server.into(), user, password: password.into(), account, lot: lot.into(), more }
    }

    fn text(&self, folder: &Path) -> String {
        format!(
            "# kept\n[account]\nuser = \"{}\"\nserver = \"{}\"\npassword_file = \"password\"\n{}\
             [sound]\ncodecs = [\"opus\", \"pcmu\"]\n[log]\nfile = \"{}\"\nlevel = \"debug\"\n{}{}{}",
            self.user,
            self.server,
            self.account,
            folder.join("doctor.log").display(),
            self.more,
            if self.lot.starts_with("[[lots]]") { "" } else { "[lot]\n" },
            self.lot,
        )
    }
}

impl Run {
    fn start(setup: &Setup, arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-doctor-").tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, setup.text(folder.path())).unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, &setup.password).unwrap();
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut all = vec!["--config".to_owned(), file.to_string_lossy().into_owned(), "doctor".to_owned()];
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let program = Path::new(env!("CARGO_BIN_EXE_parkdeck"));
        let output = folder.path().join("output.txt");
        let process = Process::start(program, &all, folder.path(), &output);
        Self { process, folder }
    }

    fn finish(&mut self) -> Findings {
        let status = self.process.wait(ALL_OF_IT);
        let text = self.process.output();
        let status = status.unwrap_or_else(|| panic!("the doctor doesn't come to an end:\n{text}"));
        Findings { text, healthy: status.success() }
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

impl Findings {
    /// The line of an examination, with the advice beneath it.
    fn of(&self, examination: &str) -> String {
        // A mark, a word of eight letters, and then the examination in a column of its own.
        let column = format!("{examination:<14} ");
        let is_it = |line: &&str| line.chars().skip(11).collect::<String>().starts_with(&column);
        let mut lines = self.text.lines().skip_while(|line| !is_it(line));
        let first = lines.next().unwrap_or_else(|| panic!("nothing on “{examination}” in:\n{}", self.text));
        let advice = lines.take_while(|line| line.trim_start().starts_with('→'));
        std::iter::once(first).chain(advice).collect::<Vec<_>>().join("\n")
    }

    fn says(&self, examination: &str, mark: char, words: &[&str]) {
        let found = self.of(examination);
        assert!(found.starts_with(mark), "{mark} was expected:\n{found}\n── all of it ──\n{}", self.text);
        for word in words {
            assert!(found.contains(word), "“{word}” was expected:\n{found}\n── all of it ──\n{}", self.text);
        }
    }
}

const LOT: &str = "park_extension = \"700\"\nslots = \"701-709\"\n";

fn of_asterisk(asterisk: &Asterisk, user: &'static str, lot: &str) -> Setup {
    Setup::new(&asterisk.sip().to_string(), user, &password(user), lot)
}

/// Nothing of ours is on the server: no channel, no parked call, no subscription, no registration.
fn nothing_is_left(asterisk: &Asterisk, user: &str) {
    asterisk.wait_for_channels(0, Duration::from_secs(6));
    assert!(asterisk.parked().is_empty());
    assert!(!asterisk.is_registered(user), "{user} is still registered");
    let subscribed = asterisk.rx("pjsip show subscriptions inbound");
    assert!(!subscribed.contains(user), "{subscribed}");
}

#[test]
fn a_healthy_asterisk_passes_every_examination_and_nothing_is_left_there() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let config = of_asterisk(&asterisk, "reception", &format!("{LOT}directed_prefix = \"9\"\n"));
    let mut run = Run::start(&config, &["--yes", "--call", "100"]);
    let found = run.finish();
    assert!(found.healthy, "{}\n{}", found.text, run.read("doctor.log"));
    let bad = found.text.lines().find(|line| line.starts_with(['!', '✗', '·']));
    assert_eq!(bad, None, "{}", found.text);
    nothing_is_left(&asterisk, "reception");
}

/// A run as this user against its own extension, everything unasked.
fn whole_run(asterisk: &Asterisk, user: &'static str, number: &str, lot: &str) -> Findings {
    let found = Run::start(&of_asterisk(asterisk, user, lot), &["--yes", "--call", number]).finish();
    println!("── {user} ──\n{}", found.text);
    nothing_is_left(asterisk, user);
    found
}

fn quick_run(asterisk: &Asterisk, user: &'static str, lot: &str) -> Findings {
    let found = Run::start(&of_asterisk(asterisk, user, lot), &["--quick", "--yes"]).finish();
    println!("── {user}, quick ──\n{}", found.text);
    found
}

#[test]
fn another_phone_is_called_parked_fetched_and_let_go() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let options = peers::baresip::BaresipOptions::new("alice", &password("alice"), asterisk.sip());
    let mut alice = peers::baresip::Baresip::start(&options.tone(440.0));
    asterisk.wait_for_registration("alice", Duration::from_secs(8));
    let mut run = Run::start(&of_asterisk(&asterisk, "reception", LOT), &["--yes", "--call", "101"]);
    alice.wait_ringing(Duration::from_secs(10));
    alice.answer();
    let found = run.finish();
    found.says("test call", '✓', &["101 answered (another phone)"]);
    found.says("retrieve", '✓', &["from 701", "their sound arrives"]);
    found.says("identity", '✓', &["Alice Adams"]);
    alice.wait_closed(Duration::from_secs(8));
    nothing_is_left(&asterisk, "reception");
}

#[test]
fn a_comeback_is_timed_recognised_and_written_down() {
    let asterisk = Asterisk::start(AsteriskOptions { parking_s: 6, ..Default::default() });
    let mut run = Run::start(
        &of_asterisk(&asterisk, "reception", LOT),
        &["--yes", "--call", "100", "--comeback", "--write"],
    );
    let found = run.finish();
    found.says("comeback", '✓', &["after 6 s", "known by Referred-By"]);
    assert!(found.healthy, "{}\n{}", found.text, run.read("doctor.log"));
    nothing_is_left(&asterisk, "reception");
    // What was measured stands in the file now, and everything else is as it was.
    let written = run.read("config.toml");
    assert!(written.starts_with("# kept\n[account]\nuser = \"reception\"\n"), "{written}");
    assert!(written.contains("slots = \"701-709\"\nparking_time = 6\n"), "{written}");
    assert_eq!(run.read("config.toml.bak"), written.replace("parking_time = 6\n", ""));
}
