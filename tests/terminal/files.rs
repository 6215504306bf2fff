//! Configuration and passwords as a careless administrator leaves them, and the plain commands.

use crate::peers::pty::xdg_folders;
use crate::rig::{PASSWORD, PASSWORD_VARIABLE, SOON, config_file, home_with, leave, nobody, parkdeck, run};
use std::os::unix::fs::PermissionsExt;

/// Both `parkdeck` and `parkdeck check` refuse this configuration with all of these words.
#[track_caller]
fn both_say(config: &str, words: &[&str]) {
    let home = home_with(config);
    let board = run(home.path(), &[], &[(PASSWORD_VARIABLE, PASSWORD)]);
    let check = run(home.path(), &["check"], &[]);
    assert_eq!((board.code, board.out.as_str(), check.code), (Some(1), "", Some(1)));
    for words in words {
        assert!(board.err.contains(words), "“{words}” is not in:\n{}", board.err);
        assert!(check.out.contains(words), "“{words}” is not in check's:\n{}", check.out);
    }
    for text in [&board.err, &check.out] {
        assert!(!text.contains("hunter2") && !text.contains('\x1b'), "{text}");
    }
}

#[test]
fn without_a_configuration_it_says_how_to_get_one_and_what_works_without() {
    let home = tempfile::tempdir().unwrap();
    let ran = run(home.path(), &[], &[]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    let file = config_file(home.path()).display().to_string();
    assert!(ran.out.contains(&file) && ran.out.contains("parkdeck demo"), "{}", ran.out);
    // What it says to type works as it stands.
    for line in ran.out.lines().map(str::trim).filter(|l| l.starts_with("mkdir") || l.contains(" > ")) {
        let line = line.replacen("parkdeck example", &format!("{} example", crate::rig::PARKDECK), 1);
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(&line).env("HOME", home.path()).envs(xdg_folders(home.path()));
        assert!(shell.status().unwrap().success(), "{line}");
    }
    let check = run(home.path(), &["check"], &[]);
    assert!(check.out.contains("config.toml: well formed"), "{}", check.out);
    let named = run(home.path(), &["--config", "/no/such.toml"], &[]);
    assert_eq!((named.code, named.out.as_str()), (Some(1), ""));
    assert_eq!(named.err, "parkdeck: /no/such.toml: there is no such file\n");
}

#[test]
fn a_mistyped_key_is_shown_with_line_column_caret_and_what_was_meant() {
    both_say(
        "[account]\nuser = \"reception\"\nsever = \"pbx\"\npassword_env = \"X\"\n",
        &[
            "config.toml:3:1: there is no key “sever” in [account]",
            " 3 | sever = \"pbx\"\n   | ^^^^^\n   = did you mean “server”?",
            "config.toml:1:1: [account] lacks “server”",
        ],
    );
}

#[test]
fn broken_toml_is_shown_where_it_breaks() {
    let open = "[account]\nuser = \"reception\nserver = \"pbx\"\n";
    both_say(open, &["config.toml:2:18: the closing quote is missing", " 2 | user = \"reception\n"]);
    both_say("[account\nuser = \"a\"\n", &["config.toml:1:9:", " 1 | [account\n"]);
    both_say("", &["config.toml:1:1:", "account"]);
}

#[test]
fn every_wrong_value_is_told_at_once() {
    both_say(
        "[account]\nuser = \"reception\"\nserver = \"pbx\"\npassword_env = \"X\"\nexpires = \"300\"\n\
         [lot]\nslots = \"709-701\"\n[screen]\nmose = true\n",
        &[
            "config.toml:5:11: expected a whole number, found string",
            "config.toml:7:9: the slots run backwards: write \"701-709\"",
            "config.toml:9:1: there is no key “mose” in [screen]",
            "did you mean “mouse”?",
        ],
    );
}

#[test]
fn a_password_in_the_file_is_refused_and_not_repeated() {
    both_say(
        "[account]\nuser = \"reception\"\nserver = \"pbx\"\npassword = \"hunter2\"\n",
        &["config.toml:4:1: a password is not kept in this file", "chmod 600", " 4 | password = "],
    );
}

#[test]
fn terminal_codes_in_a_configuration_do_not_reach_the_terminal() {
    both_say("[account]\nuser = \"a\"\n\"se\x1b]52;c;aGk=\x07rver\" = \"pbx\"\n", &["config.toml:3:"]);
}

#[test]
fn a_password_file_that_others_may_read_is_refused_with_the_remedy() {
    let home = home_with("[account]\nuser = \"r\"\nserver = \"127.0.0.1\"\npassword_file = \"password\"\n");
    let file = config_file(home.path()).with_file_name("password");
    let absent = run(home.path(), &[], &[]);
    assert!(absent.err.contains("can't be read: No such file"), "{}", absent.err);
    std::fs::write(&file, "hunter2\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    for (arguments, code) in [(&[][..], 1), (&["check"], 1)] {
        let ran = run(home.path(), arguments, &[]);
        let remedy = format!("(mode 0644): run `chmod 600 {}`", file.display());
        let said = format!("{}{}", ran.out, ran.err);
        assert!(ran.code == Some(code) && said.contains(&remedy) && !said.contains("hunter2"), "{said}");
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(run(home.path(), &["check"], &[]).code, Some(0), "and the remedy helps");
}

#[test]
fn the_secret_of_a_manager_interface_is_looked_at_as_strictly_as_a_password() {
    let home = home_with(
        "[account]\nuser = \"r\"\nserver = \"127.0.0.1\"\npassword_command = \"echo x\"\n\
         [lot.ami]\nuser = \"parkdeck\"\nsecret_file = \"ami.secret\"\n",
    );
    let file = config_file(home.path()).with_file_name("ami.secret");
    let absent = run(home.path(), &["check"], &[]);
    assert!(absent.out.contains("AMI: the secret file") && absent.code == Some(1), "{}", absent.out);
    std::fs::write(&file, "hunter2\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    for arguments in [&[][..], &["check"]] {
        let ran = run(home.path(), arguments, &[]);
        let remedy = format!("secret file {0} (mode 0640): run `chmod 600 {0}`", file.display());
        let said = format!("{}{}", ran.out, ran.err);
        assert!(ran.code == Some(1) && said.contains(&remedy) && !said.contains("hunter2"), "{said}");
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(run(home.path(), &["check"], &[]).code, Some(0), "and the remedy helps");
}

#[test]
fn a_password_that_is_not_in_the_environment_is_named() {
    let config = "[account]\nuser = \"r\"\nserver = \"127.0.0.1\"\npassword_env = \"PARKDECK_NO_SUCH\"\n";
    let ran = run(home_with(config).path(), &[], &[]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("PARKDECK_NO_SUCH") && ran.err.contains("is not set"), "{}", ran.err);
}

#[test]
fn the_examples_pass_the_check() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, check, name) in [
        (&["example"][..], &["--config", "written", "check"][..], "written"),
        (&["example", "--lot"], &["check", "--lot", "lot"], "lot"),
    ] {
        let example = run(home.path(), arguments, &[]);
        assert_eq!((example.code, example.err.as_str()), (Some(0), ""));
        let file = home.path().join(name);
        std::fs::write(&file, example.out).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let ran = run(home.path(), check, &[]);
        assert!(ran.out.contains(&format!("{name}: well formed")), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn help_shows_examples_and_the_version_is_the_packages() {
    let home = tempfile::tempdir().unwrap();
    let help = run(home.path(), &["--help"], &[]);
    assert_eq!(help.code, Some(0));
    for words in ["Examples:", "parkdeck demo", "check", "lot", "--config"] {
        assert!(help.out.contains(words), "{words}");
    }
    let version = run(home.path(), &["--version"], &[]);
    assert_eq!(version.out, format!("parkdeck {}\n", env!("CARGO_PKG_VERSION")));
    let wrong = run(home.path(), &["demo", "--sed", "3"], &[]);
    assert!(wrong.code == Some(2) && wrong.err.contains("'--seed'"), "{}", wrong.err);
    let shell = run(home.path(), &["completions", "bash"], &[]);
    assert!(shell.code == Some(0) && shell.out.contains("_parkdeck"));
}

#[test]
fn the_lot_says_what_is_wrong_with_its_file_and_ends() {
    let home = tempfile::tempdir().unwrap();
    let absent = run(home.path(), &["lot", "--config", "/no/such"], &[]);
    assert!(absent.code == Some(1) && absent.err.contains("/no/such: there is no such file"));
    let file = home.path().join("lot.toml");
    std::fs::write(&file, "listen = \"192.0.2.1:5060\"\n[[lots]]\nparkpos = \"712-701\"\n").unwrap();
    let ran = run(home.path(), &["lot", "--config", file.to_str().unwrap()], &[]);
    assert!(ran.code == Some(1) && ran.err.contains("lot.toml:3:11: the slots run backwards"), "{}", ran.err);
    std::fs::write(&file, "listen = \"192.0.2.1:5060\"\n").unwrap();
    let ran = run(home.path(), &["lot", "--config", file.to_str().unwrap()], &[]);
    assert!(ran.code == Some(1) && ran.err.contains("can't listen on 192.0.2.1:5060"), "{}", ran.err);
}

#[test]
fn a_state_folder_that_cannot_be_written_does_not_keep_the_board_away() {
    let home = crate::rig::Setup::towards(nobody()).home();
    let terminal = parkdeck(&[]).home(home).environment("XDG_STATE_HOME", "/dev/null/no").start();
    terminal.wait_text("parked · lot “front”", SOON);
    crate::rig::a_key_works(&terminal);
    leave(terminal);
}
