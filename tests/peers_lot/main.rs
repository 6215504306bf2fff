//! The console against our own lot, run alone as the park server of a small office, with baresips as its phones.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod office;
#[path = "../peers/mod.rs"]
mod peers;
mod staff;

use peers::LOOPBACK;
use peers::baresip::{Baresip, BaresipOptions};
use peers::console::{Console, ConsoleOptions, SOON};
use peers::process::Process;
use peers::sound_card::SoundCard;
use peers::{free_udp_port, wait_for, wait_until};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

const OPERATOR_HZ: f64 = 2600.0;
const ALICE_HZ: f64 = 1730.0;
const BOB_HZ: f64 = 2210.0;

/// The office: user, extension, name.
const USERS: [(&str, &str, &str); 4] = [
    ("reception", "100", "Reception"),
    ("alice", "101", "Alice Adams"),
    ("bob", "102", "Bob Brown"),
    ("carol", "103", "Carol Clark"),
];

/// `parkdeck lot` as a process.
struct Lot {
    // Before the folder: the process must be gone when it is removed.
    process: Process,
    folder: tempfile::TempDir,
    sip: SocketAddr,
    slots: std::ops::Range<u16>,
}

impl Lot {
    /// baresip 1.0 gives up when it is offered SHA-256: hence MD5. Slots from 701; seconds until a comeback, and for which it rings.
    fn start(slots: u16, parking_s: u32) -> Self {
        Self::start_with(slots, parking_s, "")
    }

    /// The same with more tables: groups, trunks. Everybody may call outside where there is a trunk.
    fn start_with(slots: u16, parking_s: u32, more: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-lot-").tempdir().unwrap();
        let sip = SocketAddr::from((LOOPBACK, free_udp_port(LOOPBACK)));
        let mut text = format!("listen = \"{sip}\"\nrealm = \"office.test\"\ndigest = \"md5\"\n");
        for (user, extension, name) in USERS {
            text += &format!(
                "[[users]]\nname = \"{user}\"\nsecret = \"{user}-secret\"\ndisplay_name = \"{name}\"\nextension = \"{extension}\"\n\
                 permissions = {{ trunk = true }}\n"
            );
        }
        text += &format!(
            "[[lots]]\nname = \"front\"\nparkext = \"700\"\nparkpos = \"701-{}\"\nparkingtime = {parking_s}\n\
             comebackdialtime = 20\n[log]\ntrace = \"on\"\ntrace_file = \"trace.txt\"\n{more}",
            700 + slots
        );
        let file = folder.path().join("lot.toml");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let arguments = ["lot".to_string(), "--config".into(), file.to_string_lossy().into_owned()];
        let output = folder.path().join("output.txt");
        let program = Path::new(env!("CARGO_BIN_EXE_parkdeck"));
        let mut process = Process::start(program, &arguments, folder.path(), &output);
        wait_until("the lot to open", Duration::from_secs(10), || {
            assert!(process.exited().is_none(), "the lot ended at once:\n{}", process.output());
            process.output().contains("the lot is open").then_some(())
        });
        Self { process, folder, sip, slots: 701..701 + slots }
    }

    /// Its trace, as a stranger may have it.
    fn trace(&self) -> String {
        let file = self.folder.path().join("trace.txt");
        let program = env!("CARGO_BIN_EXE_parkdeck");
        let printed =
            std::process::Command::new(program).args(["trace", "--anonymous"]).arg(&file).output().unwrap();
        assert!(printed.status.success(), "{printed:?}");
        let own = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(own, 0o600, "for its owner alone");
        String::from_utf8(printed.stdout).unwrap()
    }

    fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.sip)
    }

    fn console(&self) -> ConsoleOptions<'static> {
        ConsoleOptions {
            dialect: "parkdeck",
            ..ConsoleOptions::new(self.sip, "reception", "reception-secret", self.slots.clone())
        }
    }

    fn phone(&self, user: &str, hz: f64) -> Baresip {
        let options = BaresipOptions::new(user, &format!("{user}-secret"), self.sip).tone(hz);
        let phone = Baresip::start(&options);
        phone.wait_registered();
        phone
    }

    /// Waits until the lot's log has said this so often.
    fn wait_said(&self, words: &str, times: usize) {
        let said = || self.process.output().matches(words).count() >= times;
        if wait_for(SOON, || said().then_some(())).is_none() {
            panic!("the lot never said “{words}” {times} times:\n{}", self.process.output());
        }
    }
}

/// Somebody's phone calls the reception and is answered.
fn answered(lot: &Lot, console: &Console, phone: &mut Baresip, name: &str) {
    let before = phone.count("CALL_ESTABLISHED");
    phone.dial(&lot.uri("100"));
    console.wait_call(&["RINGING", name], SOON);
    console.keys("<enter>");
    phone.wait_event("CALL_ESTABLISHED", before + 1, SOON);
    console.wait_call(&["▶", "talking", name], SOON);
}

#[test]
fn a_caller_is_answered_parked_retrieved_exactly_and_parked_again_for_a_phone_that_dials_the_slot() {
    let lot = Lot::start(9, 45);
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let console = Console::start(&ConsoleOptions {
        card: Some(&card),
        codecs: r#"["opus", "pcmu"]"#,
        parking_time_s: Some(45),
        ..lot.console()
    });
    console.wait_ready(lot.slots.clone());
    let mut alice = lot.phone("alice", ALICE_HZ);
    answered(&lot, &console, &mut alice, "Alice Adams");
    assert!(alice.hears(OPERATOR_HZ, SOON), "the caller must hear the operator");
    assert!(card.hears(ALICE_HZ, SOON), "the operator must hear the caller");

    console.keys("p");
    console.wait_slot(701, &["■", "Alice Adams", "101", "by you", "exact"], SOON);
    console.wait_text("PARKED ON 701");
    console.wait_calls(0, SOON);
    // What baresip keeps of the sound lags behind.
    let silent = || alice.hears_nothing_of(OPERATOR_HZ, Duration::from_millis(400)).then_some(());
    wait_until("the operator to be heard no more", SOON, silent);
    assert_eq!(alice.count("CALL_CLOSED"), 0);

    console.keys("1");
    console.wait_call(&["▶", "talking", "Alice Adams", "exact"], SOON);
    console.wait_slot(701, &["□ free"], SOON);
    assert!(alice.hears(OPERATOR_HZ, SOON) && card.hears(ALICE_HZ, SOON), "both hear each other again");

    // Into a slot of the operator's choice, for Bob, who dials it.
    console.keys("3");
    console.wait_slot(703, &["■", "Alice Adams", "by you"], SOON);
    console.wait_calls(0, SOON);
    let mut bob = lot.phone("bob", BOB_HZ);
    bob.dial(&lot.uri("703"));
    bob.wait_established(SOON);
    assert!(bob.hears(ALICE_HZ, SOON) && alice.hears(BOB_HZ, SOON), "Bob and Alice talk");
    console.wait_slot(703, &["□ free"], SOON);
    assert!(console.calls().is_empty());
    // Had he gone within a second, she would be put back: that might be a CANCEL that came too late.
    std::thread::sleep(Duration::from_secs(1));
    bob.hang_up();
    alice.wait_closed(SOON);
    console.leave();
}

#[test]
fn a_caller_who_hangs_up_while_parked_frees_the_slot_and_nothing_comes_back() {
    let lot = Lot::start(9, 3);
    let console = Console::start(&ConsoleOptions { parking_time_s: Some(3), ..lot.console() });
    console.wait_ready(lot.slots.clone());
    let mut alice = lot.phone("alice", ALICE_HZ);
    answered(&lot, &console, &mut alice, "Alice Adams");
    console.keys("p");
    console.wait_slot(701, &["■", "Alice Adams"], SOON);
    console.wait_calls(0, SOON);
    alice.hang_up();
    console.wait_slot(701, &["□ free"], SOON);
    // Past the time at which she would have come back.
    let rings = |screen: &str| screen.contains("RINGING") || screen.contains("BACK");
    console.terminal.never("a comeback of somebody who has gone", Duration::from_secs(5), rings);
    console.leave();
    let trace = lot.trace();
    for method in ["REGISTER", "REFER", "INVITE", "200 OK"] {
        assert!(trace.contains(method), "{method} in {trace:.2000}");
    }
    for hidden in ["Alice", "alice", "reception-secret", "office.test"] {
        assert!(!trace.contains(hidden), "{hidden} in {trace:.2000}");
    }
}

#[test]
fn a_comeback_rings_with_slot_wait_and_note_and_is_answered() {
    let lot = Lot::start(9, 4);
    let console = Console::start(&ConsoleOptions { parking_time_s: Some(4), ..lot.console() });
    console.wait_ready(lot.slots.clone());
    let mut alice = lot.phone("alice", ALICE_HZ);
    answered(&lot, &console, &mut alice, "Alice Adams");
    console.keys("n");
    console.wait_text("note for Alice Adams");
    console.keys("for Sam, bay 3<enter>");
    console.wait_call(&["talking", "→ for Sam, bay 3"], SOON);
    console.keys("p");
    console.wait_slot(701, &["■", "Alice Adams", "for Sam, bay 3"], SOON);
    console
        .wait_call(&["BACK", "Alice Adams", "701, waited 0:0", "→ for Sam, bay 3"], Duration::from_secs(12));
    console.wait_slot(701, &["◉", "ringing back"], SOON);
    console.keys("<enter>");
    console.wait_call(&["▶", "talking", "Alice Adams", "→ for Sam, bay 3"], SOON);
    console.wait_slot(701, &["□ free"], SOON);
    lot.wait_said("CameBack", 1);
    assert_eq!(alice.count("CALL_CLOSED"), 0);
    console.keys("x");
    alice.wait_closed(SOON);
    console.wait_calls(0, SOON);
}

#[test]
fn a_full_lot_refuses_and_the_call_stays() {
    let lot = Lot::start(1, 45);
    // This console believes in a second slot: what it asks for is refused by the lot, not by itself.
    let console = Console::start(&ConsoleOptions { slots: "701-702".into(), ..lot.console() });
    console.wait_slot(701, &["□ free"], SOON);
    console.wait_slot(702, &["✕ refused"], SOON);
    let mut alice = lot.phone("alice", ALICE_HZ);
    let mut bob = lot.phone("bob", BOB_HZ);
    answered(&lot, &console, &mut alice, "Alice Adams");
    console.keys("p");
    console.wait_slot(701, &["■", "Alice Adams"], SOON);
    answered(&lot, &console, &mut bob, "Bob Brown");
    console.keys("p");
    console.wait_text("not parked: every slot is taken: the call stays with you");
    console.wait_call(&["▶", "talking", "Bob Brown"], SOON);
    assert_eq!((alice.count("CALL_CLOSED"), bob.count("CALL_CLOSED")), (0, 0));
    // Whoever hangs up while parked leaves a free slot, and nothing comes back.
    alice.hang_up();
    console.wait_slot(701, &["□ free"], SOON);
    console.keys("p");
    console.wait_slot(701, &["■", "Bob Brown"], SOON);
    console.wait_calls(0, SOON);
    assert_eq!(bob.count("CALL_CLOSED"), 0);
}

#[test]
fn of_two_who_want_the_same_parked_call_one_gets_it_and_the_other_is_told() {
    let lot = Lot::start(9, 45);
    let console = Console::start(&lot.console());
    console.wait_ready(lot.slots.clone());
    let mut alice = lot.phone("alice", ALICE_HZ);
    let mut bob = lot.phone("bob", BOB_HZ);
    for round in 0..3 {
        let (closed, established) = (alice.count("CALL_CLOSED"), bob.count("CALL_ESTABLISHED"));
        answered(&lot, &console, &mut alice, "Alice Adams");
        console.keys("p");
        console.wait_slot(701, &["■", "Alice Adams", "by you", "exact"], SOON);
        console.wait_calls(0, SOON);
        bob.dial(&lot.uri("701"));
        console.keys("1");
        let bob_has_her = || (bob.count("CALL_ESTABLISHED") > established).then_some(true);
        let console_has_her = || {
            let calls = console.calls();
            calls.iter().any(|c| c.contains("talking") && c.contains("Alice")).then_some(false)
        };
        let bobs = wait_until("one of them to get her", SOON, || bob_has_her().or_else(console_has_her));
        console.wait_slot(701, &["□ free"], SOON);
        assert_eq!(alice.count("CALL_CLOSED"), closed, "round {round}: she is never lost");
        if bobs {
            console.wait_any(&["was not retrieved", "701 is free"], SOON);
            console.wait_calls(0, SOON);
            assert!(alice.hears(BOB_HZ, SOON) && bob.hears(ALICE_HZ, SOON));
            bob.hang_up();
        } else {
            // Whoever hangs up in the first moment didn't want the caller: she would go back into her slot.
            console.wait_call(&["▶", "talking", "00:03", "Alice Adams", "exact"], SOON);
            console.keys("x");
        }
        alice.wait_event("CALL_CLOSED", closed + 1, SOON);
        console.wait_calls(0, SOON);
    }
}
