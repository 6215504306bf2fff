//! The console's file: what it may say, and what it may not.

use super::*;

const ACCOUNT: &str = "[account]\nuser = \"reception\"\nserver = \"pbx\"\npassword_env = \"PW\"\n";

fn config(more: &str) -> Config {
    Config::parse(&format!("{ACCOUNT}{more}"), "config.toml").unwrap()
}

/// Line, meaning and remedy of the only problem of [`ACCOUNT`] with `more` behind it.
fn refusal(more: &str) -> (usize, String, Option<String>) {
    wrong(&format!("{ACCOUNT}{more}"))
}

fn wrong(text: &str) -> (usize, String, Option<String>) {
    let mut problems = Config::parse(text, "config.toml").unwrap_err().problems;
    assert_eq!(problems.len(), 1, "{text}: {problems:#?}");
    let problem = problems.remove(0);
    (problem.line, problem.meaning, problem.did_you_mean)
}

/// An account with this line in place of the password's source.
fn with_source(line: &str) -> String {
    ACCOUNT.replace("password_env = \"PW\"", line)
}

#[test]
fn the_example_parses_and_is_the_default_with_a_password_file() {
    let example = Config::parse(Config::example(), "example").unwrap();
    let plain = Config::parse(
        "[account]\nuser = \"reception\"\nserver = \"pbx.example.com\"\npassword_file = \"~/.config/parkdeck/password\"",
        "plain",
    );
    assert_eq!(example, plain.unwrap());
    assert_eq!(example.accounts[0].server, Server { host: "pbx.example.com".to_owned(), port: None });
    assert_eq!(example.accounts[0].lots[0].slots.len(), 9);
}

#[test]
fn every_line_that_the_example_has_commented_out_parses_as_well() {
    let sources = ["# password_env", "# password_command"];
    let lines = Config::example().lines().map(|line| match line.strip_prefix("# ") {
        Some(rest)
            if rest.contains(" = ")
                && !rest.starts_with(' ')
                && !sources.iter().any(|s| line.starts_with(s)) =>
        {
            rest
        }
        _ => line,
    });
    let text: Vec<&str> = lines.collect();
    let full = Config::parse(&text.join("\n"), "full").unwrap();
    let account = &full.accounts[0];
    assert_eq!(full.keys["answer"], ["enter", "f12"]);
    assert_eq!(full.network.rtp_ports, Some((16384, 16484)));
    assert_eq!(
        (account.lots[0].parking_time_s, account.lots[0].directed_prefix.as_deref()),
        (Some(45), Some("97"))
    );
    assert_eq!(full.screen.theme.as_deref(), Some("dark"));
    assert_eq!(account.realm.as_deref(), Some("asterisk"));
    assert_eq!((account.name.as_str(), account.voicemail.as_deref()), ("front desk", Some("*97")));
    assert_eq!(account.outbound_proxy.as_ref().unwrap().uri(), "sip:proxy.example.com;transport=tls;lr");
    assert_eq!(
        account.ami.as_ref().map(|ami| (ami.host.as_str(), ami.port)),
        Some(("pbx.example.com", 5038))
    );
    assert_eq!(account.lots[0].list.as_ref().unwrap().as_str(), "lamps");
    assert_eq!(full.tls.own.unwrap().key_file, PathBuf::from("reception.key"));
}

#[test]
fn the_examples_several_accounts_parse_as_they_stand() {
    let lines: Vec<&str> = Config::example().lines().filter_map(|line| line.strip_prefix("#  ")).collect();
    let (lots, accounts) =
        lines.split_at(lines.iter().position(|line| line.contains("[[accounts]]")).unwrap());
    let config = Config::parse(&accounts.join("\n"), "several").unwrap();
    let names: Vec<&str> = config.accounts.iter().map(|account| account.name.as_str()).collect();
    assert_eq!(names, ["front desk", "warehouse"]);
    let config = Config::parse(&format!("{ACCOUNT}{}", lots.join("\n")), "lots").unwrap();
    let lots = &config.accounts[0].lots;
    assert_eq!(lots.iter().map(|lot| lot.name.as_str()).collect::<Vec<_>>(), ["front", "sales"]);
}

#[test]
fn the_lots_example_is_toml() {
    let table: toml::Table = read(Config::lot_example(), "lot.example.toml").unwrap();
    assert!(table["users"].as_array().is_some_and(|users| users.len() == 2));
}

#[test]
fn what_is_not_said_has_a_default() {
    let config = config("");
    let [account] = config.accounts.as_slice() else { panic!("{config:?}") };
    assert_eq!((account.auth_user.as_str(), account.expires_s), ("reception", 300));
    assert_eq!((account.name.as_str(), account.transport), ("reception@pbx", TransportChoice::Auto));
    assert_eq!((account.digest, account.secure_media), (Digest::Md5, SecureMedia::Off));
    assert_eq!(account.identity, [IdentitySource::Pai, IdentitySource::Rpid, IdentitySource::From]);
    assert_eq!(account.lots[0].park_extension.as_str(), "700");
    assert_eq!((account.lots[0].slots[0].as_str(), account.lots[0].slots.len()), ("701", 9));
    assert_eq!((account.lots[0].name.as_str(), &config.tls), ("front", &Tls::default()));
    assert_eq!(config.log.trace, Trace::Off);
    assert_eq!(config.sound, Sound::default());
    assert_eq!(config.log.level.word(), "info");
    assert!(config.screen.mouse && config.keys.is_empty());
}

#[test]
fn servers_are_hosts_with_or_without_a_port() {
    for (text, host, port, shown) in [
        ("pbx", "pbx", None, "pbx"),
        ("pbx:5060", "pbx", Some(5060), "pbx"),
        ("10.0.0.1:5080", "10.0.0.1", Some(5080), "10.0.0.1:5080"),
        ("[::1]:5070", "::1", Some(5070), "[::1]:5070"),
        ("[2001:db8::1]", "2001:db8::1", None, "[2001:db8::1]"),
        ("::1", "::1", None, "[::1]"),
    ] {
        let text = ACCOUNT.replace("\"pbx\"", &format!("\"{text}\""));
        let server = Config::parse(&text, "c").unwrap().accounts.remove(0).server;
        assert_eq!((server.host.as_str(), server.port, server.to_string().as_str()), (host, port, shown));
    }
    for (text, part, remedy) in [
        ("sip:pbx:5060", "without a scheme", Some("\"pbx:5060\"")),
        ("", "host:port", None),
        ("pbx:0", "the port", None),
        ("pbx:65536", "the port", None),
        ("pbx sip", "host:port", None),
        ("[::1", "bracket", None),
        ("[pbx]", "no IPv6", None),
        ("[::1]5060", "host:port", None),
    ] {
        let (line, meaning, did_you_mean) = wrong(&ACCOUNT.replace("\"pbx\"", &format!("\"{text}\"")));
        assert!(line == 3 && meaning.contains(part), "{text}: {meaning}");
        assert_eq!(did_you_mean.as_deref(), remedy);
    }
}

#[test]
fn a_user_is_only_the_part_before_the_at_sign() {
    let (line, meaning, remedy) = wrong(&ACCOUNT.replace("\"reception\"", "\"sip:ann@pbx\""));
    assert_eq!((line, remedy.as_deref()), (2, Some("\"ann\"")), "{meaning}");
    assert!(wrong(&ACCOUNT.replace("\"reception\"", "\"\"")).1.contains("empty"));
    assert!(wrong(&ACCOUNT.replace("\"reception\"", "\"a b\"")).1.contains("blanks"));
}

#[test]
fn a_password_in_the_file_is_refused_with_the_remedy_and_never_shown() {
    for key in ["password", "secret", "pasword", "auth_password"] {
        let text = with_source(&format!("{key} = \"hunter2\""));
        let error = Config::parse(&text, "config.toml").unwrap_err();
        assert_eq!(error.problems.len(), 1, "{error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("chmod 600") && shown.contains("password_file"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let slipped = Config::parse(&with_source("password_env = \"hunter2!\""), "c").unwrap_err();
    assert!(!format!("{slipped} {slipped:?}").contains("hunter2"), "{slipped}");
}

#[test]
fn there_is_exactly_one_source_of_the_password() {
    let (line, meaning, _) = wrong(&with_source(""));
    assert!(line == 1 && meaning.contains("doesn't say where the password is"), "{meaning}");
    let (line, meaning, _) = refusal("password_file = \"x\"");
    assert!(line == 5 && meaning.contains("two sources"), "{meaning}");
    let (_, meaning, _) = wrong(&with_source("password_file = 3"));
    assert!(meaning.contains("expected"), "what was refused is not missing as well: {meaning}");
    assert!(wrong(&with_source("password_file = \"\"")).1.contains("empty"));
    assert!(wrong(&with_source("password_command = []")).1.contains("empty"));
}

#[test]
fn a_password_command_is_a_line_or_a_list() {
    let of = |line: &str| Config::parse(&with_source(line), "c").unwrap().accounts.remove(0).password;
    let shell = PasswordCommand::Shell("pass pbx | head -1".to_owned());
    assert_eq!(of("password_command = \"pass pbx | head -1\""), PasswordSource::Command(shell));
    let program = PasswordCommand::Program(vec!["pass".to_owned(), "pbx".to_owned()]);
    assert_eq!(of("password_command = [\"pass\", \"pbx\"]"), PasswordSource::Command(program));
    assert!(wrong(&with_source("password_command = 3")).1.contains("text in quotes, or a list of such"));
}

#[test]
fn the_lot_is_checked() {
    for (more, part, remedy) in [
        ("[lot]\nslots = \"709-701\"", "write \"701-709\"", None),
        ("[lot]\nslots = [\"701\", \"701\"]", "twice", None),
        ("[lot]\nslots = \"700-709\"", "700 is the park extension", None),
        ("[lot]\npark_extension = \"705\"", "705 is a slot already", None),
        ("[lot]\npark_extension = 700", "expected text in quotes, found integer", None),
        ("[lot]\npark_extension = \"a b\"", "“a b” is not an extension", None),
        ("[lot]\ndialect = \"asterix\"", "there is no dialect “asterix”", Some("“asterisk”")),
        ("[lot]\nparking_time = 90000", "seconds", None),
        ("[lot]\nparking_time = -1", "whole number", None),
        ("[lot]\ndirected_prefix = \"9 7\"", "dialled before", None),
        ("[lot]\nslot = \"701\"", "no key “slot” in [lot]", Some("“slots”")),
    ] {
        let (line, meaning, did_you_mean) = refusal(more);
        assert!(line == 6 && meaning.contains(part), "{more}: line {line}: {meaning}");
        assert_eq!(did_you_mean.as_deref(), remedy, "{more}");
    }
    assert!(
        refusal("[lot]\ndialect = \"parkdeck\"\ndirected_prefix = \"9\"")
            .1
            .contains("leave directed_prefix out")
    );
}

#[test]
fn sound_log_screen_and_network_are_checked() {
    for (more, part, remedy) in [
        ("[sound]\ncodecs = []", "at least one codec", None),
        ("[sound]\ncodecs = [\"opus\", \"opus\"]", "listed twice", None),
        ("[sound]\ncodecs = [\"opus\", \"pcmü\"]", "not one of: opus, g722, pcmu, pcma", Some("\"pcmu\"")),
        ("[sound]\nenabled = \"yes\"", "expected true or false", None),
        ("[log]\nlevel = \"loud\"", "not one of: off", None),
        ("[screen]\nmousse = true", "no key “mousse”", Some("“mouse”")),
        ("[network]\nrtp_ports = \"20000-10000\"", "first-last", None),
        ("[network]\nrtp_ports = \"80-90\"", "from 1024", None),
        ("[network]\nport = 70000", "expected a whole number", None),
        ("[network]\naddress = \"pbx\"", "IP address", None),
        ("[keys]\npark = 3", "text in quotes, or a list of such", None),
    ] {
        let (line, meaning, did_you_mean) = refusal(more);
        assert!(line == 6 && meaning.contains(part), "{more}: line {line}: {meaning}");
        assert_eq!(did_you_mean.as_deref(), remedy, "{more}");
    }
    assert!(refusal("expires = 5").1.contains("between 60"));
}

#[test]
fn the_device_called_default_is_the_default() {
    let sound = config("[sound]\nheadset_in = \"default\"\nringer = \"USB\"\nenabled = false").sound;
    assert_eq!((sound.headset_in, sound.ringer.as_deref(), sound.enabled), (None, Some("USB"), false));
}

#[test]
fn a_key_in_the_wrong_section_is_sent_to_the_right_one() {
    let (line, meaning, _) = refusal("slots = \"701-709\"\n");
    assert_eq!((line, meaning.as_str()), (5, "“slots” belongs in [lot]"));
    let (_, meaning, _) = wrong(&format!("mouse = true\n{ACCOUNT}"));
    assert_eq!(meaning, "“mouse” belongs in [screen]");
    let (_, meaning, remedy) = refusal("[sond]\nenabled = true");
    assert_eq!(
        (meaning.as_str(), remedy.as_deref()),
        ("there is no key “sond” in the file", Some("“sound”"))
    );
}

#[test]
fn an_empty_file_lacks_the_account() {
    assert_eq!(wrong(""), (1, "the file lacks “account”".to_owned(), None));
}

#[test]
fn everything_wrong_is_told_at_once() {
    let text =
        "[account]\nuser = \"a@b\"\nservr = \"pbx\"\npassword = \"x\"\n[lot]\nslots = \"9-1\"\ndialect = 3\n";
    let error = Config::parse(text, "config.toml").unwrap_err();
    let lines: Vec<usize> = error.problems.iter().map(|p| p.line).collect();
    // Line 1: the server is missing. Without a server the account is not looked at further.
    assert_eq!(lines, [1, 3, 4, 7], "{error}");
}
