//! `parkdeck doctor` against real servers, healthy and deliberately misconfigured: what is wrong is named in the server's
//! own words, and nothing of ours is left there.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod peers;

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
             [sound]\ncodecs = [\"opus\", \"pcmu\"]\n[log]\nfile = \"{}\"\nlevel = \"debug\"\n{}[lot]\n{}",
            self.user,
            self.server,
            self.account,
            folder.join("doctor.log").display(),
            self.more,
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
fn what_is_wrong_with_an_endpoint_is_named_by_its_option() {
    let asterisk = Asterisk::start(AsteriskOptions {
        phone_lines: vec![
            ("alice", "send_pai=no\n", ""),
            ("bob", "send_connected_line=no\n", ""),
            ("carol", "trust_id_outbound=no\n", ""),
            ("dave", "disallow=all\nallow=ulaw\n", ""),
            ("desk2", "direct_media=yes\n", ""),
        ],
        dialplan_lines: "exten => 115,1,Dial(PJSIP/desk2,60)\n".into(),
        ..Default::default()
    });
    let found = whole_run(&asterisk, "alice", "101", LOT);
    found.says("identity", '!', &["doesn't say who", "[alice]", "send_pai=yes"]);
    assert!(found.healthy, "a warning is no failure");
    whole_run(&asterisk, "bob", "102", LOT).says("identity", '!', &["[bob]", "send_connected_line=yes"]);
    let found = whole_run(&asterisk, "carol", "103", LOT);
    found.says("identity", '✓', &["P-Asserted-Identity"]);
    let found = whole_run(&asterisk, "dave", "104", LOT);
    found.says("codecs", '!', &["takes pcmu", "refuses opus", "[dave]", "allow=opus"]);
    // Only where Dial() has no features does Asterisk take itself out of the way.
    let setup = of_asterisk(&asterisk, "desk2", LOT);
    let found = Run::start(&setup, &["--yes", "--call", "115", "--caller-id", "105"]).finish();
    found.says("direct media", '!', &["[desk2]", "direct_media=no"]);
}

#[test]
fn what_keeps_a_console_from_registering_or_from_its_lamps_is_named() {
    let asterisk = Asterisk::start(AsteriskOptions {
        phone_lines: vec![
            ("alice", "allow_subscribe=no\n", ""),
            ("bob", "context=elsewhere\n", ""),
            ("carol", "", "max_contacts=0\n"),
            ("dave", "aors=nowhere\n", ""),
        ],
        dialplan_lines: "[elsewhere]\nexten => 102,1,Dial(PJSIP/bob,60,kK)\n".into(),
        ..Default::default()
    });
    let server = asterisk.sip().to_string();
    let wrong = Setup::new(&server, "reception", "not-the-password", LOT);
    let found = Run::start(&wrong, &["--quick", "--yes"]).finish();
    found.says("registration", '✗', &["password", "[reception]", "type=auth"]);
    assert!(!found.healthy);
    let unknown = Setup::new(&server, "nobody", "not-the-password", LOT);
    let found = Run::start(&unknown, &["--quick", "--yes"]).finish();
    found.says("registration", '✗', &["endpoint [nobody] at all?"]);
    quick_run(&asterisk, "carol", LOT).says("registration", '✗', &["403", "[carol]", "max_contacts"]);
    quick_run(&asterisk, "dave", LOT).says("registration", '✗', &["404", "[dave]", "aors="]);
    quick_run(&asterisk, "alice", LOT).says("lamps", '✗', &["[alice]", "allow_subscribe=yes"]);
    let found = quick_run(&asterisk, "bob", LOT);
    found.says("lamps", '✗', &["701–709", "[bob]", "include => parkedcalls", "upper and lower case"]);
    found.says("park extension", '✗', &["700 can't be dialled"]);
    let beyond = "park_extension = \"700\"\nslots = \"701-712\"\n";
    let found = quick_run(&asterisk, "reception", beyond);
    found.says("lamps", '✓', &["701–709 told, by `dialog`: free"]);
    assert!(found.text.contains("✗ FAILED   lamps          710–712"), "{}", found.text);
    assert!(
        found.text.contains("beyond parkpos") && found.text.contains("slots = \"701-709\""),
        "{}",
        found.text
    );
    let elsewhere = "park_extension = \"700\"\nslots = \"801-804\"\n";
    let found = quick_run(&asterisk, "reception", elsewhere);
    found.says("lamps", '✗', &["701–709 have lamps"]);
    nothing_is_left(&asterisk, "reception");
    // Calls: the dialplan of bob's context has no lot, and someone's park extension is a number that doesn't exist.
    let found = whole_run(&asterisk, "bob", "102", LOT);
    found.says("park", '✗', &["700", "[bob]"]);
    let mut run = Run::start(
        &of_asterisk(&asterisk, "reception", "slots = \"701-709\"\npark_extension = \"799\"   # wrong\n"),
        &["--yes", "--call", "100", "--write"],
    );
    let found = run.finish();
    found.says("park extension", '✗', &["799", "parkext", "700 can be dialled"]);
    found.says("park", '✓', &["REFER to 700: 202"]);
    found.says("retrieve", '✓', &["both sides hear each other again"]);
    let written = run.read("config.toml");
    assert!(written.ends_with("slots = \"701-709\"\npark_extension = \"700\"   # wrong\n"), "{written}");
    nothing_is_left(&asterisk, "reception");
    let found = whole_run(&asterisk, "reception", "100", "park_extension = \"602\"\nslots = \"701-709\"\n");
    found.says("park", '✗', &["none of the configured lamps lit", "602 isn't a park extension"]);
    found.says("park extension", '!', &["700 can be dialled", "once more"]);
    assert!(found.text.contains("✓ ok       park           REFER to 700: 202"), "{}", found.text);
    assert!(
        found.text.contains("park_extension = \"700\"   # the test call was parked by it"),
        "{}",
        found.text
    );
}

#[test]
fn what_is_wrong_with_a_lot_is_named() {
    let asterisk = Asterisk::start(AsteriskOptions {
        slots: 3,
        lot_lines:
            "[second]\nparkext => 800\nparkpos => 801-803\ncontext => parkedcalls\nparkinghints => yes\n\
                    [dark]\nparkext => 900\nparkpos => 901-903\ncontext => parkedcalls\nparkinghints => no\n\
                    parkext_exclusive => yes\n"
                .into(),
        ..Default::default()
    });
    let second = "park_extension = \"800\"\nslots = \"801-803\"\n";
    let found = whole_run(&asterisk, "reception", "100", second);
    found.says("park", '✗', &["none of the configured lamps lit", "parkext_exclusive=yes"]);
    let dark = "park_extension = \"900\"\nslots = \"901-903\"\n";
    let found = whole_run(&asterisk, "alice", "101", dark);
    found.says("lamps", '✗', &["901–903", "can be dialled", "parkinghints=yes"]);
    found.says("park", '✗', &["none of the configured lamps lit"]);
    // Every slot of the lot is taken: nothing is sent there.
    for _ in 0..3 {
        asterisk.rx("channel originate Local/602@phones application Park default");
    }
    peers::wait_until("three parked calls", Duration::from_secs(8), || {
        (asterisk.parked().len() == 3).then_some(())
    });
    let full = "park_extension = \"700\"\nslots = \"701-703\"\n";
    let found = Run::start(&of_asterisk(&asterisk, "bob", full), &["--yes", "--call", "102"]).finish();
    found.says("lamps", '✓', &["701–703", "all taken"]);
    found.says("park", '!', &["every slot is taken", "nothing was sent"]);
    assert_eq!(asterisk.parked(), [701, 702, 703], "whoever was parked is parked still");
}

#[test]
fn a_server_without_parking_is_told_apart() {
    let asterisk = Asterisk::start(AsteriskOptions { parking: false, ..Default::default() });
    let found = whole_run(&asterisk, "reception", "100", LOT);
    found.says("lamps", '✗', &["module show like res_parking"]);
    found.says("park", '✗', &["700"]);
}

#[test]
fn a_feature_code_parks_and_a_dial_without_k_is_named() {
    let asterisk = Asterisk::start(AsteriskOptions {
        dialplan_lines: "exten => 110,1,Dial(PJSIP/reception,60)\n".into(),
        ..Default::default()
    });
    let keys = "dialect = \"asterisk-dtmf\"\nslots = \"701-709\"\n";
    let found = whole_run(&asterisk, "reception", "100", keys);
    found.says("park", '✓', &["keys #72", "its lamp lit", "the server ended our leg"]);
    found.says("retrieve", '✓', &["both sides hear each other again"]);
    let setup = of_asterisk(&asterisk, "reception", keys);
    let found = Run::start(&setup, &["--yes", "--call", "110", "--caller-id", "100"]).finish();
    found.says("park", '✗', &["the digits #72 reached the other phone", "lacks k"]);
    nothing_is_left(&asterisk, "reception");
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

/// Nobody at the keyboard is no consent.
#[test]
fn without_a_yes_nobody_is_called() {
    let lot = Lot::start(45);
    let found = Run::start(&lot.setup(LOT), &["--call", "100"]).finish();
    // The question, which nobody answered, stands before it on the same line.
    assert!(found.text.contains("· skipped  test call      not wanted"), "{}", found.text);
    assert!(found.healthy, "{}", found.text);
}

#[test]
fn json_has_every_finding_with_its_advice() {
    let lot = Lot::start(45);
    let setup = lot.setup("slots = \"701-712\"\n");
    let found = Run::start(&setup, &["--quick", "--yes", "--json"]).finish();
    // What is said beside it, on standard error, comes behind it here.
    let mut values = serde_json::Deserializer::from_str(&found.text).into_iter::<serde_json::Value>();
    let json = values.next().unwrap().expect(&found.text);
    assert_eq!(json["healthy"], false);
    let findings = json["findings"].as_array().unwrap();
    let of = |name: &str| findings.iter().filter(|f| f["examination"] == name).collect::<Vec<_>>();
    assert_eq!(of("registration")[0]["verdict"], "good");
    assert_eq!(of("lamps")[1]["verdict"], "bad");
    assert!(of("lamps")[1]["advice"][0].as_str().unwrap().contains("parkpos has no 710–712"));
    assert_eq!(json["changes"][0]["value"], "\"701-709\"");
}

/// The lines of a lot about its manager interface.
fn ami(port: u16, user: &str, secret: &str, more: &str) -> String {
    format!(
        "{LOT}[lot.ami]\nuser = \"{user}\"\nport = {port}\nsecret_command = [\"printf\", \"%s\", \"{secret}\"]\n{more}"
    )
}

#[test]
fn what_keeps_the_manager_interface_from_telling_is_named() {
    let authority = peers::certificates::Authority::new("Office");
    let pair = authority.sign("pbx", &["localhost"]);
    let asterisk = Asterisk::start(AsteriskOptions {
        manager: true,
        manager_lines: "[blind]\nsecret=blind-secret\nread=call\nwrite=system\n".into(),
        streams: Some(peers::asterisk::Streams { tls: Some(pair) }),
        ..Default::default()
    });
    let (clear, tls) = (asterisk.ami().unwrap().port(), asterisk.ami_tls().unwrap().port());
    let trusted = format!("[tls]\nca_file = \"{}\"\n", authority.file().display());
    let run = |lot: &str, tables: &str| {
        let setup = Setup { more: tables.to_owned(), ..of_asterisk(&asterisk, "reception", lot) };
        Run::start(&setup, &["--quick", "--yes"]).finish()
    };
    let found = run(&ami(clear, "parkdeck", "ami-secret", ""), "");
    found.says("manager", '✓', &["logged in as parkdeck", "within this computer", "“default”, 0 parked"]);
    assert!(found.healthy, "{}", found.text);
    let found = run(&ami(clear, "parkdeck", "not-the-secret", ""), "");
    found.says("manager", '✗', &["refuses this user or his secret", "[parkdeck]", "permit/deny/acl"]);
    assert!(!found.healthy && !found.text.contains("not-the-secret"), "{}", found.text);
    let found = run(&ami(clear, "parkdeck", "ami-secret", "lot = \"front\"\n"), "");
    found.says("manager", '✗', &["no parking lot “front”, but: default", "res_parking.conf"]);
    let found = run(&ami(clear, "blind", "blind-secret", ""), "");
    found.says("manager", '✗', &["Permission denied", "[blind]", "read = call and write = call"]);
    // Ports: one where nobody listens, and that of the way without TLS.
    let nobody = peers::free_tcp_port(peers::LOOPBACK);
    let found = run(&ami(nobody, "parkdeck", "ami-secret", ""), "");
    found.says("manager", '✗', &["refuses connections", "usually on 5038", "enabled=yes"]);
    let found = run(&ami(clear, "parkdeck", "ami-secret", "tls = true\n"), "");
    found.says("manager", '✗', &["does not speak TLS", "usually on 5038, over TLS on 5039", "tlsenable=yes"]);
    let found = run(&ami(tls, "parkdeck", "ami-secret", "tls = true\nhost = \"localhost\"\n"), &trusted);
    found.says("manager", '✓', &["over TLS, the server has proven its name"]);
    let found = run(&ami(tls, "parkdeck", "ami-secret", "tls = true\n"), &trusted);
    found.says("manager", '✗', &["not for “127.0.0.1”", "localhost", "`host` of [lot.ami]"]);
}

/// A desk phone's endpoint that has another name than its user.
const DESK_7: &str = "[desk-7]\ntype=endpoint\ncontext=phones\ndisallow=all\nallow=ulaw\nauth=desk-7\naors=desk-7\n\
    identify_by=auth_username\ncallerid=\"Front\" <110>\nsend_pai=yes\ntrust_id_outbound=yes\ndirect_media=no\n\
    [desk-7]\ntype=auth\nauth_type=userpass\nusername=desk-7\npassword=front-secret\n\
    [desk-7]\ntype=aor\nmax_contacts=1\nremove_existing=yes\n";

#[test]
fn what_the_server_calls_the_phone_is_found_and_written_and_a_deaf_manager_user_is_named() {
    let asterisk = Asterisk::start(AsteriskOptions {
        manager: true,
        manager_lines: "[deaf]\nsecret=deaf-secret\nread=system\nwrite=call\n".into(),
        pjsip_lines: DESK_7.into(),
        dialplan_lines: "exten => 110,1,Dial(PJSIP/desk-7,60,kK)\n".into(),
        ..Default::default()
    });
    let port = asterisk.ami().unwrap().port();
    let server = asterisk.sip().to_string();
    let lot = ami(port, "parkdeck", "ami-secret", "");
    let config = Setup {
        account: "auth_user = \"desk-7\"\n".into(),
        ..Setup::new(&server, "front", "front-secret", &lot)
    };
    let mut run = Run::start(&config, &["--yes", "--call", "110", "--write"]);
    let found = run.finish();
    found.says(
        "manager events",
        '!',
        &["parked by PJSIP/desk-7", "only PJSIP/front", "device = \"PJSIP/desk-7\""],
    );
    assert!(found.healthy, "{}", found.text);
    assert!(run.read("config.toml").ends_with("device = \"PJSIP/desk-7\"\n"), "{}", run.read("config.toml"));
    let deaf = of_asterisk(&asterisk, "reception", &ami(port, "deaf", "deaf-secret", ""));
    let found = Run::start(&deaf, &["--yes", "--call", "100"]).finish();
    found.says("manager events", '✗', &["nothing was said of it", "[deaf]", "read = call"]);
    nothing_is_left(&asterisk, "reception");
}

/// `parkdeck lot` as a process, for one user.
struct Lot {
    // Before the folder: the process must be gone when it is removed.
    process: Process,
    _folder: tempfile::TempDir,
    sip: SocketAddr,
}

impl Lot {
    fn start(parking_s: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-lot-").tempdir().unwrap();
        let sip = SocketAddr::from((peers::LOOPBACK, peers::free_udp_port(peers::LOOPBACK)));
        let text = format!(
            "listen = \"{sip}\"\nrealm = \"office.test\"\n[[users]]\nname = \"reception\"\nsecret = \"lot-secret\"\n\
             display_name = \"Reception\"\nextension = \"100\"\n[[lots]]\nname = \"front\"\nparkext = \"700\"\n\
             parkpos = \"701-709\"\nparkingtime = {parking_s}\ncomebackdialtime = 20\n"
        );
        let file = folder.path().join("lot.toml");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let arguments = ["lot".to_string(), "--config".into(), file.to_string_lossy().into_owned()];
        let output = folder.path().join("output.txt");
        let program = Path::new(env!("CARGO_BIN_EXE_parkdeck"));
        let mut process = Process::start(program, &arguments, folder.path(), &output);
        peers::wait_until("the lot to open", Duration::from_secs(10), || {
            assert!(process.exited().is_none(), "the lot ended at once:\n{}", process.output());
            process.output().contains("the lot is open").then_some(())
        });
        Self { process, _folder: folder, sip }
    }

    fn setup(&self, lot: &str) -> Setup {
        let lot = format!("dialect = \"parkdeck\"\n{lot}");
        Setup::new(&self.sip.to_string(), "reception", "lot-secret", &lot)
    }
}

#[test]
fn our_own_lot_passes_every_examination_exactly() {
    let lot = Lot::start(45);
    let mut run = Run::start(&lot.setup(LOT), &["--yes", "--call", "100"]);
    let found = run.finish();
    let bad = found.text.lines().find(|line| line.starts_with(['!', '✗', '·']));
    assert_eq!(bad, None, "{}\n{}", found.text, run.read("doctor.log"));
    assert!(found.healthy);
    found.says("park", '✓', &["REFER to 700: 202", "the server ended our leg"]);
    found.says("retrieve", '✓', &["exact (Replaces)"]);
    found.says("identity", '✓', &["“Reception”", "of the answer"]);
    found.says("slot", '✓', &["which names “Reception”"]);
    assert!(lot.process.output().contains("Unregistered"), "{}", lot.process.output());
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

#[test]
fn the_dialect_of_our_lot_is_found_and_written_when_the_configuration_says_asterisk() {
    let lot = Lot::start(45);
    let wrong =
        Setup { lot: "dialect = \"asterisk\"   # is it?\nslots = \"701-712\"\n".into(), ..lot.setup("") };
    let mut run = Run::start(&wrong, &["--quick", "--yes", "--write"]);
    let found = run.finish();
    assert!(found.text.contains("dialect = \"parkdeck\""), "{}", found.text);
    let written = run.read("config.toml");
    assert!(written.contains("dialect = \"parkdeck\"   # is it?\nslots = \"701-709\"\n"), "{written}");
}

/// Whenever it is broken off, and however: what was begun is taken back.
#[test]
fn nothing_of_ours_is_left_whenever_the_doctor_is_interrupted() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let setup = of_asterisk(&asterisk, "reception", LOT);
    for after_ms in [60, 90, 130, 200, 600, 1_100, 1_900, 2_600, 3_300, 3_900, 4_500] {
        let mut run = Run::start(&setup, &["--yes", "--call", "100"]);
        std::thread::sleep(Duration::from_millis(after_ms));
        run.process.signal("INT");
        let found = run.finish();
        println!("── after {after_ms} ms ──\n{}", found.text);
        nothing_is_left(&asterisk, "reception");
    }
}

#[test]
fn a_server_that_goes_away_in_the_middle_is_told_and_the_doctor_comes_to_an_end() {
    let mut asterisk = Asterisk::start(AsteriskOptions { parking_s: 45, ..Default::default() });
    let setup = of_asterisk(&asterisk, "reception", LOT);
    let mut run = Run::start(&setup, &["--yes", "--call", "100", "--comeback"]);
    peers::wait_until("the test call to be parked", Duration::from_secs(20), || {
        run.process.output().contains("free again").then_some(())
    });
    asterisk.stop();
    let found = run.finish();
    found.says("server", '✓', &[]);
    assert!(found.text.contains("it fell silent during the test call") && !found.healthy, "{}", found.text);
    found.says("left behind", '✗', &["own timers"]);
}

#[test]
fn a_certificate_of_another_name_is_told_with_the_names_that_it_has() {
    let authority = peers::certificates::Authority::new("Office");
    let pair = authority.sign("other", &["other.test"]);
    let asterisk = Asterisk::start(AsteriskOptions {
        streams: Some(peers::asterisk::Streams { tls: Some(pair) }),
        ..Default::default()
    });
    let server = format!("localhost:{}", asterisk.tls().port());
    let setup = Setup {
        account: "transport = \"tls\"\n".into(),
        more: format!("[tls]\nca_file = \"{}\"\n", authority.file().display()),
        ..Setup::new(&server, "reception", &password("reception"), LOT)
    };
    let found = Run::start(&setup, &["--quick", "--yes"]).finish();
    found.says("registration", '✗', &["not for “localhost”", "other.test"]);
    assert!(!found.healthy);
}
