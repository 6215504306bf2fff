//! Our own lot: everything exact, and what an administrator sees without a real server.

use super::*;

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
    let advice = of("lamps")[1]["advice"][0].as_str().unwrap();
    assert!(advice.contains("parkpos has no 710–712"), "{json:#}");
    assert_eq!(json["changes"][0]["value"], "\"701-709\"");
}
