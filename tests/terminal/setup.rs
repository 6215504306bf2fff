//! `parkdeck setup` as a new user meets it: against the lot and against a real Asterisk, with each wrong answer on the way.

use crate::peers::asterisk::{Asterisk, AsteriskOptions, Streams, password};
use crate::peers::certificates::Authority;
use crate::peers::pty::Terminal;
use crate::peers::{LOOPBACK, free_udp_port};
use crate::rig::{PASSWORD, PASSWORD_VARIABLE, SOON, config_file, leave, parkdeck, run};
use crate::server::lot;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// A whole test call, parked and fetched twice, with sound measured.
const CALL: Duration = Duration::from_secs(60);

/// Waits until this question stands at the end, and answers it.
#[track_caller]
fn answer(terminal: &Terminal, question: &str, typed: &str) {
    let asks = |screen: &str| flat(screen).ends_with(question);
    terminal.wait_for(&format!("the question “{question}”"), CALL, asks);
    terminal.keys(&format!("{typed}<enter>"));
}

/// Waits for words, wrapped or not.
#[track_caller]
fn says(terminal: &Terminal, words: &str) {
    terminal.wait_for(&format!("“{words}”"), CALL, |screen| flat(screen).contains(words));
}

fn flat(screen: &str) -> String {
    screen.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_user_comes_from_wrong_answers_to_a_working_call_at_the_lot() {
    let lot = lot();
    let mut terminal = parkdeck(&["setup", "--no-sound"]).size(100, 50).start();
    answer(&terminal, "Server (host or host:port):", "no-such-host.invalid");
    says(&terminal, "an't find the server");
    answer(&terminal, "Server (host or host:port):", "pbx:99999");
    says(&terminal, "can't be a server");
    answer(&terminal, "Server (host or host:port):", &format!("127.0.0.1:{}", free_udp_port(LOOPBACK)));
    says(&terminal, "Nobody answers at 127.0.0.1:");
    answer(&terminal, "Server (host or host:port):", &lot.address.to_string());
    answer(&terminal, "User:", "reception");
    answer(&terminal, "Password (it does not show):", "battery staple");
    says(&terminal, "The server refuses this user with this password");
    answer(&terminal, "User [reception]:", "");
    answer(&terminal, "Password (it does not show):", PASSWORD);
    says(&terminal, "The server calls itself parkdeck");
    answer(&terminal, "Slots (as 701-709, 711) [701-704]:", "801-802");
    answer(&terminal, "Extension that parks [700]:", "801");
    says(&terminal, "801 is a slot itself");
    answer(&terminal, "Extension that parks [700]:", "");
    says(&terminal, "The server tells nothing of 801–802. It does of 701–704.");
    answer(&terminal, "Other slots, or another park extension? [Y/n]:", "");
    answer(&terminal, "Slots (as 701-709, 711) [701-704]:", "");
    answer(&terminal, "Extension that parks [700]:", "");
    says(&terminal, "The lamps of 701–704 are told");
    answer(&terminal, "Whoever calls meanwhile hears busy. [Y/n]:", "");
    answer(&terminal, "Which number rings this account? [reception]:", "100");
    says(&terminal, "The call works.");
    says(&terminal, "Written:");
    answer(&terminal, "Open the board now? [Y/n]:", "");
    terminal.wait_line(&["reachable", "lamps fresh"], SOON);
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    for typed in [PASSWORD, "battery staple"] {
        assert!(!raw.contains(typed), "“{typed}” is shown");
    }
    let file = config_file(terminal.home().path());
    assert_eq!((mode(&file), mode(&file.with_file_name("password"))), (0o600, 0o600));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("dialect = \"parkdeck\"") && text.contains("slots = \"701-704\""), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
    terminal.keys("q");
    assert_eq!(terminal.wait_exit(SOON).exit_code(), 0);
}

#[test]
fn the_wizard_finds_a_real_asterisk_its_slots_and_a_call_that_works() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let terminal = parkdeck(&["setup", "--no-sound", "--call", "100"]).size(100, 50).start();
    answer(&terminal, "Server (host or host:port):", &format!("reception@{}", asterisk.sip()));
    answer(&terminal, "User [reception]:", "");
    answer(&terminal, "Password (it does not show):", &password("reception"));
    says(&terminal, "The server calls itself Asterisk");
    answer(&terminal, "Slots (as 701-709, 711) [701-709]:", "");
    answer(&terminal, "Extension that parks [700]:", "");
    says(&terminal, "The lamps of 701–709 are told");
    says(&terminal, "The call works.");
    answer(&terminal, "Open the board now? [Y/n]:", "");
    terminal.wait_line(&["reachable", "lamps fresh"], SOON);
    leave(terminal);
}

#[test]
fn a_certificate_that_nobody_knows_is_told_and_its_authority_can_be_named() {
    let authority = Authority::new("our own");
    let tls = Some(authority.sign("server", &["127.0.0.1"]));
    let asterisk =
        Asterisk::start(AsteriskOptions { streams: Some(Streams { tls }), ..AsteriskOptions::default() });
    let server = asterisk.tls().to_string();
    let arguments = [
        "setup",
        "--no-sound",
        "--no-call",
        "--transport",
        "tls",
        "--server",
        &server,
        "--user",
        "reception",
    ];
    let terminal = parkdeck(&arguments).size(100, 50).start();
    answer(&terminal, "Password (it does not show):", &password("reception"));
    says(&terminal, "The server's certificate isn't accepted");
    answer(&terminal, "Which [1]:", "");
    answer(&terminal, "File of the authority:", &authority.file().to_string_lossy());
    says(&terminal, "The server calls itself Asterisk");
}

#[test]
fn a_script_gives_every_answer_as_a_flag_and_hears_what_is_missing_or_wrong() {
    let lot = lot();
    let home = tempfile::tempdir().unwrap();
    let environment = [(PASSWORD_VARIABLE, PASSWORD), ("WRONG", "wrong")];
    let address = lot.address.to_string();
    let with = |more: &[&str]| {
        run(home.path(), &[&["setup", "--yes", "--no-sound", "--no-call"], more].concat(), &environment)
    };
    let missing = with(&[]);
    assert!(missing.code == Some(1) && missing.err.contains("--server is missing"), "{}", missing.err);
    let account = ["--server", &address, "--user", "reception", "--password-env"];
    let wrong = with(&[&account[..], &["WRONG"]].concat());
    assert!(
        wrong.code == Some(1) && wrong.err.contains("refuses this user with this password"),
        "{}",
        wrong.err
    );
    let file = config_file(home.path());
    assert!(!file.exists(), "nothing is written before the end");
    let right = with(&[&account[..], &[PASSWORD_VARIABLE]].concat());
    assert_eq!(right.code, Some(0), "{}{}", right.out, right.err);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains(&format!("password_env = \"{PASSWORD_VARIABLE}\""))
            && text.contains("slots = \"701-704\""),
        "{text}"
    );
    assert!(!file.with_file_name("password").exists());
    let again = with(&[&account[..], &[PASSWORD_VARIABLE]].concat());
    assert!(again.code == Some(1) && again.err.contains("--overwrite"), "{}", again.err);
    std::fs::write(&file, "# mine\n").unwrap();
    let replaced = with(&[&account[..], &[PASSWORD_VARIABLE, "--overwrite"]].concat());
    assert_eq!(replaced.code, Some(0), "{}", replaced.err);
    let kept = file.with_file_name("config.toml.bak");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "# mine\n");
}

#[test]
fn without_a_configuration_set_up_and_demo_are_offered() {
    let mut terminal = parkdeck(&[]).start();
    terminal.wait_text("Set it up now (s), see the demo (d), or leave (enter)?", SOON);
    terminal.keys("s<enter>");
    terminal.wait_text("Server (host or host:port):", SOON);
    terminal.keys("<c-c>");
    terminal.wait_text("interrupted: nothing was written", SOON);
    assert_eq!(terminal.wait_exit(SOON).exit_code(), 1);
    assert_eq!(terminal.unrestored(), Vec::<String>::new());
}
