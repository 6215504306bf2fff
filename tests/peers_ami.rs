//! The console beside a real Asterisk's manager interface: who is parked by whom, for how long, who fetched him; the
//! server's word as proof; and everything as without it when it is lost.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod peers;

use peers::asterisk::{Asterisk, AsteriskOptions, SecondLot, Streams, Version, password};
use peers::baresip::{Baresip, BaresipOptions};
use peers::certificates::Authority;
use peers::console::{Console, ConsoleOptions, SOON};
use peers::sipp::{Caller, CallerOptions};
use peers::{LOOPBACK, free_tcp_port, wait_until};
use std::net::SocketAddr;
use std::time::Duration;

/// What the account's window says when it works.
const TELLS: &str = "the manager interface tells who is parked (AMI)";
/// After a restart: the pause, the connection, the login.
const RECOVERY: Duration = Duration::from_secs(20);

fn office() -> Asterisk {
    office_of(Version::V22)
}

fn office_of(version: Version) -> Asterisk {
    Asterisk::start(AsteriskOptions { manager: true, ..AsteriskOptions::of(version) })
}

/// The same on Asterisk 16, whose manager interface is four years older.
mod asterisk_16 {
    use super::*;

    #[test]
    fn whom_somebody_else_parked_the_board_names_with_parker_and_time_left_and_says_who_fetched_him() {
        names_whom_somebody_else_parked(Version::V16);
    }

    #[test]
    fn a_park_is_proven_by_the_servers_word_without_a_probe_and_with_its_time() {
        proves_a_park_by_the_servers_word(Version::V16);
    }
}

/// The lines of the file about the interface at `address`.
fn ami(address: SocketAddr, secret: &str, more: &str) -> String {
    format!(
        "[lot.ami]\nuser = \"parkdeck\"\nport = {}\nsecret_command = [\"printf\", \"%s\", \"{secret}\"]\n{more}",
        address.port()
    )
}

fn reception(asterisk: &Asterisk, ami: String) -> ConsoleOptions<'static> {
    let options = ConsoleOptions::new(asterisk.sip(), "reception", &password("reception"), asterisk.slots());
    ConsoleOptions { more: ami, parking_time_s: Some(30), ..options }
}

/// A console that is told.
fn told(asterisk: &Asterisk) -> Console {
    let address = asterisk.ami().expect("the manager interface was asked for");
    let console = Console::start(&reception(asterisk, ami(address, "ami-secret", "")));
    console.wait_ready(asterisk.slots());
    window_says(&console, TELLS, SOON);
    console
}

/// Looks into the accounts' window until it says this.
fn window_says(console: &Console, text: &str, timeout: Duration) {
    console.keys("A");
    console.terminal.wait_text(text, timeout);
    console.keys("<esc>");
}

fn phone(asterisk: &Asterisk, user: &str) -> BaresipOptions {
    BaresipOptions::new(user, &password(user), asterisk.sip()).tone(700.0)
}

/// Bob answers this caller and parks him, without the console.
fn parked_by_bob(asterisk: &Asterisk, options: &CallerOptions) -> (Caller, Baresip) {
    let mut bob = Baresip::start(&phone(asterisk, "bob").answering());
    bob.wait_registered();
    let caller = Caller::call(options);
    caller.wait_answered(SOON);
    bob.wait_established(SOON);
    bob.transfer(&asterisk.uri("700"));
    wait_until("the caller to be parked", SOON, || (asterisk.parked() == [701]).then_some(()));
    bob.hang_up();
    (caller, bob)
}

fn jane_for(asterisk: &Asterisk, extension: &str) -> CallerOptions {
    CallerOptions::new(asterisk.sip(), extension, "Jane Doe", "01614960100").tone(1730.0)
}

/// Carol dials the slot.
fn fetched_by_carol(asterisk: &Asterisk) -> Baresip {
    let mut carol = Baresip::start(&phone(asterisk, "carol"));
    carol.wait_registered();
    carol.dial(&asterisk.uri("701"));
    carol.wait_established(SOON);
    carol
}

/// Jane calls the reception, is answered, and parked by its key.
fn parked_by_the_console(asterisk: &Asterisk, console: &Console) -> Caller {
    let caller = Caller::call(&jane_for(asterisk, "100"));
    console.wait_call(&["RINGING", "Jane Doe"], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    console.keys("p");
    console.wait_slot(701, &["■", "Jane Doe", "by you", "verified"], SOON);
    console.wait_calls(0, SOON);
    caller
}

fn refers(asterisk: &Asterisk) -> usize {
    asterisk.sip_messages().iter().filter(|m| m.received && m.kind() == "REFER").count()
}

#[test]
fn whom_somebody_else_parked_the_board_names_with_parker_and_time_left_and_says_who_fetched_him() {
    names_whom_somebody_else_parked(Version::V22);
}

fn names_whom_somebody_else_parked(version: Version) {
    let asterisk = office_of(version);
    let console = told(&asterisk);
    let (caller, _bob) = parked_by_bob(&asterisk, &jane_for(&asterisk, "102"));
    let cell = console.wait_slot(
        701,
        &["■", "Jane Doe", "01614960100", "by Bob Brown", "verified", "back 00:"],
        SOON,
    );
    assert!(
        !cell.contains('≈') && !cell.contains('≥') && !cell.contains('~'),
        "nothing of it is a guess: {cell}"
    );
    let _carol = fetched_by_carol(&asterisk);
    console.wait_slot(701, &["□ free", "Carol Clark"], SOON);
    assert!(caller.is_up());
    // Who was parked while nobody told is in the list that is read at the start.
    drop(console);
    let mut dave = Baresip::start(&phone(&asterisk, "dave").answering());
    dave.wait_registered();
    let second = Caller::call(&CallerOptions::new(asterisk.sip(), "104", "Sam Late", "0555"));
    second.wait_answered(SOON);
    dave.wait_established(SOON);
    dave.transfer(&asterisk.uri("700"));
    wait_until("the caller to be parked", SOON, || (asterisk.parked() == [701]).then_some(()));
    let address = asterisk.ami().unwrap();
    let console = Console::start(&reception(&asterisk, ami(address, "ami-secret", "")));
    console.wait_slot(701, &["■", "Sam Late", "by Dave Dunn", "verified"], SOON);
    // And a retrieve compares him with what was told.
    console.keys("1");
    console.wait_call(&["▶", "talking", "Sam Late", "verified"], SOON);
}

#[test]
fn a_withheld_caller_stays_withheld_and_is_verified_all_the_same() {
    let asterisk = office();
    let console = told(&asterisk);
    let (caller, _bob) = parked_by_bob(&asterisk, &jane_for(&asterisk, "102").withheld());
    console.wait_slot(701, &["■", "somebody", "by Bob Brown", "verified"], SOON);
    let named = |screen: &str| screen.contains("Jane") || screen.contains("01614960100");
    console.terminal.never("the name of a withheld caller", Duration::from_secs(2), named);
    console.keys("1");
    console.wait_call(&["▶", "talking", "verified"], SOON);
    assert!(caller.is_up());
    assert!(!named(&console.terminal.screen_text()) && !named(&console.log()));
}

#[test]
fn a_park_is_proven_by_the_servers_word_without_a_probe_and_with_its_time() {
    proves_a_park_by_the_servers_word(Version::V22);
}

fn proves_a_park_by_the_servers_word(version: Version) {
    let asterisk = office_of(version);
    let console = told(&asterisk);
    asterisk.log_sip();
    let mut caller = parked_by_the_console(&asterisk, &console);
    assert_eq!(refers(&asterisk), 1, "no probe was needed");
    let cell = console.wait_slot(701, &["back 00:"], SOON);
    assert!(!cell.contains('≈'), "{cell}");
    assert_eq!(asterisk.parked(), [701]);
    // Who leaves by himself is named.
    caller.hang_up();
    console.wait_text("Jane Doe hung up while parked on 701");
    console.wait_slot(701, &["□ free"], SOON);
}

#[test]
fn a_comeback_is_told_before_it_rings() {
    let asterisk = Asterisk::start(AsteriskOptions { manager: true, parking_s: 6, ..Default::default() });
    let console = told(&asterisk);
    let caller = parked_by_the_console(&asterisk, &console);
    console.wait_call(&["BACK", "Jane Doe", "701, waited 0:0"], Duration::from_secs(12));
    assert!(caller.is_up());
}

#[test]
fn a_lot_that_is_full_is_found_out_sooner_and_nobody_is_lost() {
    // 702 looks free for ever, but the lot has only 701.
    let asterisk = Asterisk::start(AsteriskOptions {
        manager: true,
        slots: 1,
        dialplan_lines: "exten => 702,hint,Custom:mirage\n".into(),
        ..Default::default()
    });
    let address = asterisk.ami().unwrap();
    let options = reception(&asterisk, ami(address, "ami-secret", ""));
    let console = Console::start(&ConsoleOptions { slots: "701-702".into(), ..options });
    console.wait_ready(701..703);
    let _filler = Caller::call(&CallerOptions::new(asterisk.sip(), "700", "Filler", "0300"));
    console.wait_slot(701, &["■", "Filler"], SOON);
    let caller = Caller::call(&jane_for(&asterisk, "100"));
    console.wait_call(&["RINGING", "Jane Doe"], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.keys("p");
    console.wait_call(&["parking…"], SOON);
    console.terminal.wait_line(&["park failed:", "full", "Jane Doe is with you"], Duration::from_secs(6));
    assert!(caller.is_up());
    assert_eq!(asterisk.parked(), [701]);
}

#[test]
fn reloads_change_nothing_and_a_restart_empties_what_was_told_and_is_recovered_from() {
    let mut asterisk = office();
    let console = told(&asterisk);
    asterisk.rx("manager reload");
    asterisk.rx("core reload");
    let (_caller, bob) = parked_by_bob(&asterisk, &jane_for(&asterisk, "102"));
    console.wait_slot(701, &["■", "Jane Doe", "verified"], SOON);
    drop(bob);
    asterisk.stop();
    console.wait_text("the server no longer tells who is parked");
    window_says(&console, "who is parked isn't told (AMI)", SOON);
    let cell = console.slot(701);
    assert!(!cell.contains("verified") || cell.contains('~'), "{cell}");
    asterisk.start_again();
    console.terminal.wait_text("the server tells again who is parked", RECOVERY);
    console.wait_slot(701, &["□ free"], RECOVERY);
    window_says(&console, TELLS, SOON);
    asterisk.wait_for_registration("reception", RECOVERY);
    let _parked = parked_by_the_console(&asterisk, &console);
}

#[test]
fn core_restart_now_is_survived() {
    let asterisk = office();
    let console = told(&asterisk);
    let (caller, _bob) = parked_by_bob(&asterisk, &jane_for(&asterisk, "102"));
    console.wait_slot(701, &["■", "Jane Doe", "verified"], SOON);
    // The server hangs up on everybody who is parked.
    asterisk.rx("core restart now");
    caller.wait_ended_by_peer(SOON);
    console.wait_text("the server no longer tells who is parked");
    assert!(!console.slot(701).contains("verified"), "{}", console.slot(701));
}

#[test]
fn a_wrong_secret_is_told_in_words_and_everything_else_works() {
    let asterisk = office();
    let address = asterisk.ami().unwrap();
    let console = Console::start(&reception(&asterisk, ami(address, "not-the-secret", "")));
    console.wait_ready(asterisk.slots());
    window_says(&console, "refuses this user or his secret (Authentication failed)", SOON);
    asterisk.log_sip();
    let _caller = parked_by_the_console(&asterisk, &console);
    assert_eq!(refers(&asterisk), 2, "with a probe, as without the interface");
    console.wait_slot(701, &["≈"], SOON);
    let log = console.log();
    assert!(log.contains("Authentication failed") && !log.contains("not-the-secret"), "{log}");
    console.leave();
}

#[test]
fn where_nothing_listens_or_the_lot_has_another_name_it_is_said_and_everything_else_works() {
    let asterisk = office();
    let nobody = SocketAddr::from((LOOPBACK, free_tcp_port(LOOPBACK)));
    let console = Console::start(&reception(&asterisk, ami(nobody, "ami-secret", "")));
    console.wait_ready(asterisk.slots());
    window_says(&console, "refuses connections to port", SOON);
    let caller = parked_by_the_console(&asterisk, &console);
    drop(console);
    drop(caller);
    let address = asterisk.ami().unwrap();
    let console = Console::start(&reception(&asterisk, ami(address, "ami-secret", "lot = \"front\"\n")));
    window_says(&console, "the server has no parking lot “front”, but: default", SOON);
}

#[test]
fn over_tls_the_server_must_prove_who_it_is() {
    let authority = Authority::new("the office");
    let pair = authority.sign("pbx", &["localhost", "127.0.0.1"]);
    let streams = Some(Streams { tls: Some(pair) });
    let asterisk = Asterisk::start(AsteriskOptions { manager: true, streams, ..Default::default() });
    let address = asterisk.ami_tls().unwrap();
    let trusting = format!("tls = true\n[tls]\nca_file = \"{}\"\n", authority.file().display());
    let console = Console::start(&reception(&asterisk, ami(address, "ami-secret", &trusting)));
    console.wait_ready(asterisk.slots());
    window_says(&console, TELLS, SOON);
    let (_caller, _bob) = parked_by_bob(&asterisk, &jane_for(&asterisk, "102"));
    console.wait_slot(701, &["■", "Jane Doe", "by Bob Brown"], SOON);
    drop(console);
    let console = Console::start(&reception(&asterisk, ami(address, "ami-secret", "tls = true\n")));
    window_says(&console, "certificate", SOON);
}

/// `[[lots]]` of one account, both told of by one interface.
#[test]
fn one_interface_tells_of_two_lots() {
    let asterisk = Asterisk::start(AsteriskOptions {
        manager: true,
        slots: 2,
        second_lot: Some(SecondLot { name: "shop", slots: 801..803 }),
        ..Default::default()
    });
    const LOTS: &str = "[[lots]]\nname = \"front\"\npark_extension = \"700\"\nslots = \"701-702\"\n\
                        [[lots]]\nname = \"shop\"\npark_extension = \"800\"\nslots = \"801-802\"\n";
    let address = asterisk.ami().unwrap();
    let told =
        ami(address, "ami-secret", "lot = [\"default\", \"shop\"]\n").replace("[lot.ami]", "[lots.ami]");
    let options = reception(&asterisk, String::new());
    // The table of the interface belongs behind a lot, before any other.
    let lots: &'static str = Box::leak(format!("{LOTS}{told}").into_boxed_str());
    let console = Console::start(&ConsoleOptions { lots, ..options });
    console.terminal.wait_line(&["registered, reachable", "lamps fresh"], SOON);
    window_says(&console, TELLS, SOON);
    let mut bob = Baresip::start(&phone(&asterisk, "bob").answering());
    bob.wait_registered();
    let mut callers = Vec::new();
    for (park, slot, name) in [("800", 801, "Jane Doe"), ("700", 701, "Sam Late")] {
        let caller = Caller::call(&CallerOptions::new(asterisk.sip(), "102", name, "0555").tone(1730.0));
        caller.wait_answered(SOON);
        let before = bob.count("CALL_CLOSED");
        bob.transfer(&asterisk.uri(park));
        console.wait_slot(slot, &["■", name, "by Bob Brown", "verified"], SOON);
        bob.hang_up();
        bob.wait_event("CALL_CLOSED", before + 1, SOON);
        callers.push(caller);
    }
    asterisk.log_sip();
    let caller = Caller::call(&jane_for(&asterisk, "100"));
    console.wait_call(&["RINGING", "Jane Doe"], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.keys("L");
    console.keys("p");
    console.wait_slot(802, &["■", "Jane Doe", "by you", "verified"], SOON);
    console.wait_calls(0, SOON);
    assert_eq!(refers(&asterisk), 1, "the server's word was proof in the other lot too");
}
