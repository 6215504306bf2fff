//! The console and a real Asterisk over connections: TCP, TLS with keys in the SDP, TLS with DTLS-SRTP. The same
//! reception as over UDP, and what only connections can suffer.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod peers;

use peers::asterisk::{Asterisk, AsteriskOptions, Media, Streams, password};
use peers::baresip::{Baresip, BaresipOptions};
use peers::certificates::Authority;
use peers::console::{Console, ConsoleOptions, SOON};
use peers::process::Process;
use peers::sipp::{Caller, CallerOptions};
use peers::sound_card::SoundCard;
use peers::wire::Wire;
use std::net::SocketAddr;
use std::time::Duration;

const OPERATOR_HZ: f64 = 2600.0;
const JANE_HZ: f64 = 1730.0;
const ALICE_HZ: f64 = 2210.0;
/// Back-off after a connection was lost, and the registration after it.
const RECOVERY: Duration = Duration::from_secs(20);
/// The lock, as the board has it.
const LOCKED: &str = "⚿ encrypted";

/// How the console is connected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Tcp,
    TlsSdes,
    TlsDtls,
}

impl Way {
    fn is_tls(self) -> bool {
        self != Self::Tcp
    }
}

/// An Asterisk that takes connections, and the wire to it.
struct Office {
    asterisk: Asterisk,
    wire: Wire,
    authority: Authority,
    way: Way,
}

impl Office {
    fn open(way: Way) -> Self {
        let authority = Authority::new("the office");
        let pair = authority.sign("pbx", &["localhost", "127.0.0.1"]);
        let media = match way {
            Way::Tcp => Media::Plain,
            Way::TlsSdes => Media::Sdes,
            Way::TlsDtls => Media::Dtls,
        };
        let streams = Some(Streams { tls: way.is_tls().then_some(pair) });
        let asterisk = Asterisk::start(AsteriskOptions { media, streams, ..Default::default() });
        let wire = Wire::to(if way.is_tls() { asterisk.tls() } else { asterisk.sip() });
        asterisk.log_sip();
        Self { asterisk, wire, authority, way }
    }

    fn console(&self) -> ConsoleOptions<'static> {
        let (account, more) = match self.way {
            Way::Tcp => ("transport = \"tcp\"\n".to_owned(), String::new()),
            Way::TlsSdes | Way::TlsDtls => {
                let exchange = if self.way == Way::TlsSdes { "sdes" } else { "dtls" };
                (
                    format!(
                        "transport = \"tls\"\nsecure_media = \"required\"\nkey_exchange = \"{exchange}\"\n"
                    ),
                    trusting(&self.authority),
                )
            }
        };
        let server = self.wire.entrance();
        ConsoleOptions {
            account,
            more,
            ..ConsoleOptions::new(server, "reception", &password("reception"), self.asterisk.slots())
        }
    }

    fn caller(&self, name: &str, number: &str) -> Caller {
        let options = CallerOptions::new(self.asterisk.sip(), "100", name, number);
        Caller::call(&options.tone(JANE_HZ))
    }
}

/// The lines of the console's file that make it believe this authority.
fn trusting(authority: &Authority) -> String {
    format!("[tls]\nca_file = \"{}\"\n", authority.file().display())
}

/// Somebody calls and is answered.
fn answered(office: &Office, console: &Console, name: &str, number: &str) -> Caller {
    let caller = office.caller(name, number);
    console.wait_call(&["RINGING", name], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.wait_call(&["▶", "talking", name], SOON);
    caller
}

/// A whole day at the reception, in short.
fn answers_parks_retrieves_and_recovers(way: Way) {
    let office = Office::open(way);
    let asterisk = &office.asterisk;
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let console = Console::start(&ConsoleOptions { card: Some(&card), ..office.console() });
    console.wait_ready(asterisk.slots());
    assert_eq!(office.wire.made(), 1, "one connection carries everything");

    let caller = answered(&office, &console, "Jane Doe", "01614960100");
    assert!(caller.voice().hears(OPERATOR_HZ, SOON), "the caller must hear the operator");
    assert!(card.hears(JANE_HZ, SOON), "the operator must hear the caller");
    let locked = console.calls().iter().any(|call| call.contains(LOCKED));
    assert_eq!(locked, way.is_tls(), "the lock is shown when both are protected: {:?}", console.calls());

    console.keys("p");
    console.wait_slot(701, &["■", "Jane Doe", "by you", "verified"], SOON);
    console.wait_calls(0, SOON);
    assert_eq!(asterisk.parked(), [701]);
    console.keys("1");
    console.wait_call(&["▶", "talking", "Jane Doe", "verified"], SOON);
    console.wait_slot(701, &["□ free"], SOON);
    assert!(
        caller.voice().hears(OPERATOR_HZ, SOON) && card.hears(JANE_HZ, SOON),
        "both hear each other again"
    );

    // The connection dies in the middle of the call: the call goes on, and everything else comes back by itself.
    office.wire.cut();
    peers::wait_until("a new connection", RECOVERY, || (office.wire.made() >= 2).then_some(()));
    console.terminal.wait_line(&["registered, reachable", "lamps fresh"], RECOVERY);
    assert!(caller.voice().hears(OPERATOR_HZ, SOON), "the call in hand didn't notice");
    console.keys("x");
    caller.wait_ended_by_peer(SOON);
    console.wait_calls(0, SOON);
    asterisk.wait_for_channels(0, SOON);
    // Somebody else: who redials at once after leaving a slot is taken for one who comes back.
    let another = answered(&office, &console, "Peter Walsh", "02079460123");
    console.keys("x");
    another.wait_ended_by_peer(SOON);

    let transport = if way.is_tls() { "TLS" } else { "TCP" };
    let messages = asterisk.sip_messages();
    let of_console = |m: &&peers::asterisk::SipMessage| m.received && m.text.contains("parkdeck/");
    assert!(
        messages.iter().filter(of_console).all(|m| m.transport == transport),
        "nothing goes by another way"
    );
    assert!(messages.iter().filter(of_console).any(|m| m.kind() == "REFER"));
    console.leave();
    assert!(!asterisk.is_registered("reception"));
}

#[test]
fn over_tcp_the_console_answers_parks_retrieves_and_survives_a_cut_wire() {
    answers_parks_retrieves_and_recovers(Way::Tcp);
}

#[test]
fn over_tls_with_keys_in_the_sdp_the_console_does_the_same_behind_a_lock() {
    answers_parks_retrieves_and_recovers(Way::TlsSdes);
}

#[test]
fn over_tls_with_keys_by_dtls_the_console_does_the_same_behind_a_lock() {
    answers_parks_retrieves_and_recovers(Way::TlsDtls);
}

#[test]
fn a_baresip_with_tls_and_sdes_and_the_console_call_each_other_behind_a_lock() {
    let office = Office::open(Way::TlsSdes);
    let asterisk = &office.asterisk;
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let console = Console::start(&ConsoleOptions { card: Some(&card), ..office.console() });
    console.wait_ready(asterisk.slots());
    let phone = BaresipOptions::new("alice", &password("alice"), asterisk.sip()).tone(ALICE_HZ);
    let mut alice = Baresip::start(&phone.secure(asterisk.tls(), office.authority.file()));
    asterisk.wait_for_registration("alice", SOON);

    alice.dial(&format!("sip:100@{};transport=tls", asterisk.tls()));
    console.wait_call(&["RINGING", "Alice Adams"], SOON);
    console.keys("<enter>");
    alice.wait_established(SOON);
    console.wait_call(&["▶", "talking", "Alice Adams", LOCKED], SOON);
    assert!(alice.hears(OPERATOR_HZ, SOON) && card.hears(ALICE_HZ, SOON), "they hear each other");
    alice.hang_up();
    console.wait_calls(0, SOON);

    console.keys("d");
    console.wait_text("enter call");
    console.keys("101<enter>");
    let ended = alice.count("CALL_CLOSED");
    alice.wait_event("CALL_INCOMING", 1, SOON);
    alice.answer();
    console.wait_call(&["▶", "talking", "101", LOCKED], SOON);
    assert!(alice.hears(OPERATOR_HZ, SOON) && card.hears(ALICE_HZ, SOON), "they hear each other again");
    console.keys("x");
    alice.wait_event("CALL_CLOSED", ended + 1, SOON);
    console.leave();
}

/// What the board says when the server's certificate is no good, and that no password went there.
fn refuses(pair_of: impl FnOnce(&Authority) -> peers::certificates::Pair, words: &[&str]) {
    let authority = Authority::new("the office");
    refuses_of(&authority, pair_of(&authority), words);
}

fn refuses_of(authority: &Authority, pair: peers::certificates::Pair, words: &[&str]) {
    let asterisk =
        Asterisk::start(AsteriskOptions { streams: Some(Streams { tls: Some(pair) }), ..Default::default() });
    asterisk.log_sip();
    let console = Console::start(&ConsoleOptions {
        account: "transport = \"tls\"\n".into(),
        more: trusting(authority),
        ..ConsoleOptions::new(asterisk.tls(), "reception", &password("reception"), asterisk.slots())
    });
    let flat = |screen: &str| screen.split_whitespace().collect::<Vec<_>>().join(" ");
    console.terminal.wait_for(&format!("{words:?}"), SOON, |screen| {
        screen.contains("NOT REGISTERED") && words.iter().all(|word| flat(screen).contains(word))
    });
    assert_eq!(asterisk.sip_messages().len(), 0, "not a word was said to it");
    console.leave();
}

#[test]
fn a_certificate_of_nobody_we_know_is_refused_in_words() {
    let (office, stranger) = (Authority::new("the office"), Authority::new("somebody else"));
    refuses_of(&office, stranger.sign("pbx", &["127.0.0.1"]), &["certificate"]);
}

#[test]
fn a_certificate_for_another_name_an_old_one_and_a_self_signed_one_are_refused_in_words() {
    refuses(|authority| authority.sign("pbx", &["pbx.example.com"]), &["certificate", "pbx.example.com"]);
    refuses(|authority| authority.sign_expired("pbx", &["127.0.0.1"]), &["certificate", "2021-01-01"]);
    refuses(|authority| authority.sign_early("pbx", &["127.0.0.1"]), &["certificate", "2090-01-01"]);
    refuses(|authority| authority.self_signed("pbx", &["127.0.0.1"]), &["certificate"]);
}

#[test]
fn a_server_that_takes_the_connection_and_says_nothing_is_told_as_such() {
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address: SocketAddr = silent.local_addr().unwrap();
    let console = Console::start(&ConsoleOptions {
        account: "transport = \"tls\"\n".into(),
        ..ConsoleOptions::new(address, "reception", "secret", 701..703)
    });
    console.terminal.wait_text("NOT REGISTERED", SOON);
    console.terminal.wait_text("no connection in time", Duration::from_secs(40));
    console.leave();
}

#[test]
fn a_server_that_speaks_only_tls_1_1_is_refused_in_words() {
    let authority = Authority::new("the office");
    let pair = authority.sign("pbx", &["127.0.0.1"]);
    let address = SocketAddr::from((peers::LOOPBACK, peers::free_tcp_port(peers::LOOPBACK)));
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "s_server -accept {address} -cert {} -key {} -tls1_1 -cipher DEFAULT@SECLEVEL=0 -www",
        pair.certificate.display(),
        pair.key.display()
    );
    let arguments: Vec<String> = settings.split_whitespace().map(String::from).collect();
    let program = std::path::Path::new("openssl");
    let server = Process::start(program, &arguments, folder.path(), &folder.path().join("output.txt"));
    peers::wait_until("openssl listens", SOON, || std::net::TcpStream::connect(address).ok());
    let console = Console::start(&ConsoleOptions {
        account: "transport = \"tls\"\n".into(),
        more: trusting(&authority),
        ..ConsoleOptions::new(address, "reception", "secret", 701..703)
    });
    let flat = |screen: &str| screen.split_whitespace().collect::<Vec<_>>().join(" ");
    console.terminal.wait_for("why, and what to do", SOON, |screen| {
        let screen = flat(screen);
        screen.contains("NOT REGISTERED") && screen.contains("no TLS newer than 1.1")
    });
    assert!(!server.output().contains("REGISTER"), "not a word was said to it");
    console.leave();
}
