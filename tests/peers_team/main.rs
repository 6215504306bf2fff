//! Two real consoles at a real Asterisk tell each other who is where, and a real phone is paged.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "../peers/mod.rs"]
mod peers;
mod staff;

use peers::asterisk::{Asterisk, AsteriskOptions, PHONES, password};
use peers::baresip::{Baresip, BaresipOptions};
use peers::console::{Console, ConsoleOptions, SOON};
use peers::sipp::{Caller, CallerOptions};
use peers::tone::read_wav;
use std::fmt::Write as _;
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

/// From the key at one console to the words on the other's board.
const WITHIN: Duration = Duration::from_secs(1);

/// An Asterisk that relays messages between phones, each under the name and number of the phone that has proven who it
/// is: as the README tells an administrator.
fn relaying() -> Asterisk {
    let mut dialplan = String::new();
    for (user, extension, name) in PHONES {
        let _ = writeln!(
            dialplan,
            "[messages-{user}]\nexten => _X.,1,Set(WRITER=\"{name}\" <sip:{extension}@pbx>)\n same => n,Goto(messages,${{EXTEN}},1)"
        );
    }
    dialplan += "[messages-outside]\nexten => _X.,1,Set(WRITER=<sip:outside@pbx>)\n same => n,Goto(messages,${EXTEN},1)\n[messages]\n";
    for (user, extension, _) in PHONES {
        let _ = writeln!(dialplan, "exten => {extension},1,MessageSend(pjsip:{user},${{WRITER}})");
    }
    Asterisk::start(AsteriskOptions {
        endpoint_lines: "message_context=messages-{user}\n".into(),
        trunk_lines: "message_context=messages-outside\n".into(),
        dialplan_lines: dialplan,
        ..Default::default()
    })
}

fn desk(asterisk: &Asterisk, user: &str, more: &str) -> ConsoleOptions<'static> {
    ConsoleOptions {
        more: more.into(),
        ..ConsoleOptions::new(asterisk.sip(), user, &password(user), asterisk.slots())
    }
}

fn jane(asterisk: &Asterisk) -> CallerOptions {
    CallerOptions::new(asterisk.sip(), "100", "Jane Doe", "01614960100")
}

/// Somebody calls the reception and is answered.
fn answered(console: &Console, options: &CallerOptions) -> Caller {
    let caller = Caller::call(options);
    console.wait_call(&["RINGING", &options.name], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.wait_call(&["▶", "talking", &options.name], SOON);
    caller
}

#[test]
fn a_colleague_sees_who_was_parked_by_whom_with_the_note_and_the_parker_sees_who_fetches() {
    let asterisk = relaying();
    let reception = Console::start(&desk(&asterisk, "reception", "[team]\nmembers = [\"100\", \"105\"]\n"));
    let second = Console::start(&desk(&asterisk, "desk2", "[team]\nmembers = [\"100\", \"105\"]\n"));
    reception.wait_ready(asterisk.slots());
    second.wait_ready(asterisk.slots());
    let caller = answered(&reception, &jane(&asterisk));
    reception.keys("n");
    reception.keys("for Sam<enter>");
    reception.wait_call(&["talking", "for Sam"], SOON);
    reception.keys("p");
    reception.wait_slot(701, &["■", "Jane Doe", "by you"], SOON);
    let told = Instant::now();
    second.wait_slot(701, &["■", "Jane Doe", "for Sam", "by Reception, told", "verified"], SOON);
    assert!(told.elapsed() < WITHIN, "{:?}", told.elapsed());
    reception.keys("n");
    reception.keys(", bay 3<enter>");
    second.wait_slot(701, &["Jane Doe", "for Sam, bay 3"], WITHIN);

    // Who starts late asks, and is told.
    second.leave();
    let second = Console::start(&desk(&asterisk, "desk2", "[team]\nmembers = [\"100\"]\n"));
    second.wait_slot(701, &["■", "Jane Doe", "for Sam, bay 3", "by Reception, told"], SOON);

    second.keys("1");
    let shown = Instant::now();
    reception.wait_slot(701, &["Second Desk"], WITHIN);
    assert!(shown.elapsed() < WITHIN);
    second.wait_call(&["▶", "talking", "Jane Doe", "verified", "for Sam, bay 3"], SOON);
    reception.wait_slot(701, &["□ free", "Second Desk took Jane Doe"], SOON);
    assert!(caller.is_up() && asterisk.parked().is_empty());
}

/// A message as somebody would forge it, and the status that it was answered with.
fn forge(from: &UdpSocket, to: std::net::SocketAddr, target: &str, n: u32) -> String {
    let local = from.local_addr().unwrap();
    let body = format!(
        "parkdeck-team/1 {{\"run\":\"evil\",\"n\":{n},\"say\":\"parked\",\"slot\":\"701\",\"name\":\"Mallory\",\"number\":\"666\",\"waited_s\":1}}"
    );
    let request = format!(
        "MESSAGE sip:{target}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKforged{n};rport\r\n\
         Max-Forwards: 70\r\nFrom: \"Second Desk\" <sip:105@pbx>;tag=f{n}\r\nTo: <sip:{target}@pbx>\r\n\
         P-Asserted-Identity: <sip:105@pbx>\r\nCall-ID: forged{n}\r\nCSeq: 1 MESSAGE\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    from.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    from.send_to(request.as_bytes(), to).unwrap();
    let mut answer = [0; 4_096];
    let length = from.recv(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer[..length]).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_strangers_forged_message_changes_nothing_on_the_board() {
    let asterisk = relaying();
    let mut options = desk(&asterisk, "reception", "[team]\nmembers = [\"105\"]\n");
    let contact = options.choose_port();
    let console = Console::start(&options);
    console.wait_ready(asterisk.slots());
    // Somebody whom no lamp names.
    let parked = Caller::call(&CallerOptions::new(asterisk.sip(), "700", "Eve", "0300"));
    parked.wait_answered(SOON);
    console.wait_slot(701, &["■", "~somebody"], SOON);
    let elsewhere = UdpSocket::bind((peers::LOOPBACK, 0)).unwrap();
    assert!(forge(&elsewhere, contact, "reception", 1).contains(" 403 "), "not from our server");
    let outside = UdpSocket::bind((peers::OUTSIDE, 0)).unwrap();
    let relayed = forge(&outside, asterisk.sip(), "100", 2);
    assert!(relayed.contains(" 202 ") || relayed.contains(" 200 "), "the server relays it: {relayed}");
    console.terminal.never("a forged name", Duration::from_secs(2), |screen| screen.contains("Mallory"));
    console.wait_slot(701, &["■", "~somebody"], SOON);
    console.keys("A");
    console.wait_text("but is not in [team]");
}

/// How much of a recording is in what was heard: the best normalised correlation over all shifts, 0 to 1.
fn likeness(heard: &[i16], recording: &[i16]) -> f64 {
    let power = |samples: &[i16]| samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>();
    let own = power(recording);
    let at = |shift: usize| {
        let part = heard.get(shift..shift + recording.len())?;
        let product: f64 = part.iter().zip(recording).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        Some(product.abs() / (power(part) * own).sqrt().max(1.0))
    };
    (0..heard.len().saturating_sub(recording.len())).filter_map(at).fold(0.0, f64::max)
}

#[test]
fn park_and_announce_is_heard_by_the_paged_phone_and_not_by_the_parked_caller() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let bob = Baresip::start(&BaresipOptions::new("bob", &password("bob"), asterisk.sip()).answering());
    asterisk.wait_for_registration("bob", SOON);
    let mut options = desk(&asterisk, "reception", "");
    options.lot = "page = \"102\"\n".into();
    let console = Console::start(&options);
    console.wait_ready(asterisk.slots());
    let caller = answered(&console, &jane(&asterisk));
    let before = Instant::now();
    console.keys("G");
    console.wait_slot(701, &["■", "Jane Doe"], SOON);
    bob.wait_established(SOON);
    console.wait_calls(0, SOON);
    bob.wait_closed(Duration::from_secs(20));
    console.wait_text("701 was announced");
    assert!(caller.is_up());
    assert_eq!(asterisk.parked(), [701]);
    let words = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/announce/parked-on.wav");
    // A quarter of a second from its middle.
    let words: Vec<i16> = read_wav(&words).into_iter().skip(3_200).take(2_000).collect();
    let (paged, parked) =
        (likeness(&bob.heard(), &words), likeness(&caller.voice().heard_since(before), &words));
    assert!(paged > 0.6 && parked < 0.4, "the paged phone {paged:.2}, the parked caller {parked:.2}");
}
