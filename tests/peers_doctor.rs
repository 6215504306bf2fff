//! `parkdeck doctor` against real servers, healthy and deliberately misconfigured: what is wrong is named in the server's
//! own words, and nothing of ours is left there.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod peers;

use peers::asterisk::{Asterisk, AsteriskOptions, password};
use peers::process::Process;
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

/// A configuration for a user of this server; later lines win nothing, so the lot's are all given here.
fn configuration(server: &str, user: &str, password: &str, lot: &str) -> String {
    format!(
        "# kept\n[account]\nuser = \"{user}\"\nserver = \"{server}\"\npassword_env = \"DOCTOR_TEST_{password}\"\n\
         [sound]\ncodecs = [\"opus\", \"pcmu\"]\n[lot]\n{lot}"
    )
}

impl Run {
    fn start(config: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-doctor-").tempdir().unwrap();
        // Passwords stand in the environment's name here, and in a file where the doctor finds them.
        let (name, secret) = config
            .lines()
            .find_map(|line| line.strip_prefix("password_env = \"DOCTOR_TEST_"))
            .map(|rest| ("password", rest.trim_end_matches('"')))
            .unwrap();
        let config = config.replace(
            &format!("password_env = \"DOCTOR_TEST_{secret}\""),
            &format!("password_file = \"{name}\""),
        );
        let file = folder.path().join("config.toml");
        std::fs::write(&file, config).unwrap();
        let kept = folder.path().join(name);
        std::fs::write(&kept, secret).unwrap();
        std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o600)).unwrap();
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

    fn file(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("config.toml")).unwrap()
    }
}

impl Findings {
    /// The line of an examination, with the advice beneath it.
    fn of(&self, examination: &str) -> String {
        let mut lines = self.text.lines().skip_while(|line| line.get(11..).is_none_or(|rest| {
            !rest.trim_start().starts_with(&format!("{examination} "))
        }));
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

fn of_asterisk(asterisk: &Asterisk, user: &str, lot: &str) -> String {
    configuration(&asterisk.sip().to_string(), user, &password(user), lot)
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
    let found = Run::start(&config, &["--yes", "--call", "100"]).finish();
    println!("{}", found.text);
    assert!(found.healthy, "{}", found.text);
    let bad = found.text.lines().find(|line| line.starts_with(['!', '✗', '·']));
    assert_eq!(bad, None, "{}", found.text);
    nothing_is_left(&asterisk, "reception");
}
