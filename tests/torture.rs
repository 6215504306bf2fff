//! Every message of the torture collection with a stated verdict: what is understood of it, or how it is refused and why
//! (RFC 4475 for `valid` and `invalid`; `real` and `asterisk` are what phones and an Asterisk 22 send). Then thousands of
//! mutations of them all: nothing panics, and whatever is read writes and reads back the same.

#![allow(clippy::expect_used, clippy::panic, reason = "a helper of a test may fail the test")]

use parkdeck::sip::digest::Challenge;
use parkdeck::sip::message::{Message, read_datagram};
use parkdeck::sip::sdp::{self, Codec, Direction, LocalMedia};
use parkdeck::sip::{Event, UaConfig, UserAgent, dialog_info, replaces::Replaces, sipfrag};
use std::collections::BTreeMap;
use std::path::Path;

#[path = "torture/verdicts.rs"]
mod verdicts;

use verdicts::{VERDICTS, Verdict};

/// Every file of the collection by its name below `tests/torture`.
fn files() -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let mut files = BTreeMap::new();
    for folder in ["valid", "invalid", "real", "asterisk"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("the collection is there");
        for path in entries.map(|entry| entry.expect("a file").path()) {
            files.insert(name(folder, &path), std::fs::read(&path).expect("readable"));
        }
    }
    files
}

fn name(folder: &str, path: &Path) -> String {
    format!("{folder}/{}", path.file_stem().expect("a name").to_string_lossy())
}

/// What was understood of a message, in one line.
fn understood(message: &Message) -> String {
    let start = match message {
        Message::Request(request) => format!("{} {}", request.method, request.uri),
        Message::Response(response) => format!("{} {}", response.status, response.reason),
    };
    let headers = message.headers();
    let vias: Vec<_> = headers.vias().iter().map(|via| via.branch().unwrap_or("-").to_owned()).collect();
    let from = headers.from().map(|from| from.to_string()).unwrap_or_default();
    let to = headers.to().map(|to| to.to_string()).unwrap_or_default();
    let (count, _) = headers.cseq().expect("what is read has a CSeq");
    let contacts: Vec<_> = headers.contacts().iter().map(ToString::to_string).collect();
    let contacts = contacts.join(", ");
    let body = message.body().len();
    format!("{start} | via {} | {from} | {to} | {count} | {contacts} | {body}", vias.join(" "))
}

#[test]
fn every_file_has_the_verdict_that_is_stated() {
    let files = files();
    let mut wrong = Vec::new();
    for (name, verdict, why) in VERDICTS {
        let bytes = files.get(*name).unwrap_or_else(|| panic!("{name} is missing"));
        let found = match read_datagram(bytes) {
            Ok(message) => {
                reads_back(name, &message);
                understood(&message)
            }
            Err(refusal) => match refusal.status {
                Some(status) if refusal.request_head.is_some() => format!("{status}: {}", refusal.reason),
                Some(status) => format!("{status}, unanswerable: {}", refusal.reason),
                None => format!("dropped: {}", refusal.reason),
            },
        };
        let stated = match verdict {
            Verdict::Read(summary) => (*summary).to_owned(),
            Verdict::Refused(status, reason) => format!("{status}: {reason}"),
            Verdict::Unanswerable(status, reason) => format!("{status}, unanswerable: {reason}"),
            Verdict::Dropped(reason) => format!("dropped: {reason}"),
        };
        let same = match stated.strip_suffix('…') {
            Some(start) => found.starts_with(start),
            None => found == stated,
        };
        if !same {
            wrong.push(format!("{name} ({why})\n  stated {stated}\n  found  {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for name in files.keys().filter(|name| !name.starts_with("asterisk/")) {
        assert!(VERDICTS.iter().any(|(stated, ..)| stated == name), "{name} has no verdict");
    }
}

#[test]
fn whatever_an_asterisk_sends_is_read_to_the_bottom() {
    let files = files();
    let captured: Vec<_> = files.iter().filter(|(name, _)| name.starts_with("asterisk/")).collect();
    assert!(captured.len() > 20);
    for (name, bytes) in captured {
        let message = read_datagram(bytes).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        reads_back(name, &message);
        let content = message.headers().get("Content-Type").unwrap_or_default();
        if content == "application/sdp" {
            let (answer, agreed) = sdp::answer(message.body(), &local()).expect(name);
            assert!(sdp::accept(&local(), &answer).is_ok(), "{name}");
            assert!(agreed.dtmf_payload_type.is_some(), "{name}");
        } else if content == "application/dialog-info+xml" {
            let info = dialog_info::read(message.body()).expect(name);
            assert_eq!(dialog_info::read(&dialog_info::write(&info)).as_ref(), Ok(&info), "{name}");
        } else if content.starts_with("message/sipfrag") {
            assert!(sipfrag::read(message.body()).is_some(), "{name}");
        }
        if name.contains("/401-") {
            assert_eq!(Challenge::read_all(message.headers(), false).len(), 1, "{name}");
        }
    }
}

/// What comes of the requests that can be read once a user agent has them: its status, or what its owner is told.
#[rustfmt::skip]
const ANSWERS: &[(&str, &str, &str)] = &[
    ("valid/wsinv", "481", "3.1.1.1: understood; its To has the tag of a dialog that we don’t have"),
    ("valid/intmeth", "501", "3.1.1.2: a well-formed method that nobody knows"),
    ("valid/esc01", "CallReceived", "3.1.1.3: a call like any other"),
    ("valid/escnull", "RequestReceived", "3.1.1.4: a registration, its two Contacts are two"),
    ("valid/esc02", "501", "3.1.1.5: not REGISTER, for methods have no escapes"),
    ("valid/lwsdisp", "200", "3.1.1.6"),
    ("valid/longreq", "CallReceived", "3.1.1.7"),
    ("valid/dblreq", "RequestReceived", "3.1.1.8: one request, the registration"),
    ("valid/semiuri", "200", "3.1.1.9"),
    ("valid/transports", "200", "3.1.1.10"),
    ("valid/mpart01", "RequestReceived", "3.1.1.11: the body is the owner's to judge"),
    ("invalid/badinv01", "400", "3.1.2.1"),
    ("invalid/clerr", "400", "3.1.2.2"),
    ("invalid/ncl", "400", "3.1.2.3"),
    ("invalid/scalar02", "400", "3.1.2.4"),
    ("invalid/scalarlg", "nothing", "3.1.2.5: a response"),
    ("invalid/quotbal", "400", "3.1.2.6"),
    ("invalid/ltgtruri", "400", "3.1.2.7"),
    ("invalid/lwsruri", "400", "3.1.2.8"),
    ("invalid/lwsstart", "400", "3.1.2.9"),
    ("invalid/trws", "400", "3.1.2.10"),
    ("invalid/escruri", "400", "3.1.2.11"),
    ("invalid/baddate", "CallReceived", "3.1.2.12: the Date is not looked at, and may be ignored"),
    ("invalid/regbadct", "400", "3.1.2.13"),
    ("invalid/badaspec", "200", "3.1.2.14: may be refused with 400; the liberal reading is allowed"),
    ("invalid/badvers", "505", "3.1.2.16"),
    ("invalid/mismatch01", "400", "3.1.2.17"),
    ("invalid/mismatch02", "501", "3.1.2.18: 400 and 501 are both allowed"),
    ("invalid/bigcode", "nothing", "3.1.2.19: a response"),
    ("invalid/badbranch", "400", "3.2.1"),
    ("invalid/insuf", "nothing", "3.3.1: without From, To and Call-ID no answer would be matched"),
    ("invalid/unkscm", "416", "3.3.2"),
    ("invalid/novelsc", "416", "3.3.3"),
    ("invalid/unksm2", "RequestReceived", "3.3.4: the registrar's to refuse"),
    ("invalid/bext01", "420", "3.3.5"),
    ("invalid/invut", "415", "3.3.6"),
    ("invalid/regaut01", "RequestReceived", "3.3.7: the registrar's to challenge"),
    ("invalid/multi01", "400", "3.3.8"),
    ("invalid/mcl01", "400", "3.3.9"),
    ("invalid/bcast", "nothing", "3.3.10: a response of which the second Via is not ours"),
    ("invalid/zeromf", "200", "3.3.11: an endpoint takes no notice of Max-Forwards"),
    ("invalid/cparam01", "RequestReceived", "3.3.12"),
    ("invalid/cparam02", "RequestReceived", "3.3.13"),
    ("invalid/regescrt", "RequestReceived", "3.3.14"),
    ("invalid/sdp01", "406", "3.3.15"),
    ("invalid/inv2543", "CallReceived", "3.4.1: a call, although the Via has no branch"),
];

#[test]
fn a_user_agent_answers_each_as_the_rfc_has_it() {
    let files = files();
    let mut wrong = Vec::new();
    for (name, stated, why) in ANSWERS {
        let local = std::net::SocketAddr::from(([127, 0, 0, 1], 5060));
        let from = std::net::SocketAddr::from(([192, 0, 2, 7], 5060));
        let now = std::time::Duration::from_secs(1_000);
        let mut agent = UserAgent::new(UaConfig::server(local, "torture", 1));
        agent.receive(now, from, files.get(*name).unwrap_or_else(|| panic!("{name} is missing")));
        let told = std::iter::from_fn(|| agent.poll_event()).find_map(|event| match event {
            Event::CallReceived { .. } => Some("CallReceived".to_owned()),
            Event::RequestReceived { .. } => Some("RequestReceived".to_owned()),
            _ => None,
        });
        let answered = std::iter::from_fn(|| agent.poll_transmit()).find_map(|sent| {
            let text = String::from_utf8_lossy(&sent.bytes).into_owned();
            let status = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)).unwrap_or_default();
            (status != "100").then(|| status.to_owned())
        });
        let found = told.or(answered).unwrap_or_else(|| "nothing".to_owned());
        if found != *stated {
            wrong.push(format!("{name} ({why}): stated {stated}, found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let requests =
        VERDICTS.iter().filter(|(name, ..)| name.starts_with("invalid/") && !name.ends_with("/test"));
    for (name, ..) in requests.filter(|(name, ..)| *name != "invalid/baddn") {
        assert!(ANSWERS.iter().any(|(stated, ..)| stated == name), "{name} has no stated answer");
    }
}

fn local() -> LocalMedia {
    LocalMedia {
        address: [127, 0, 0, 1].into(),
        port: 40_000,
        codecs: Codec::ALL.to_vec(),
        redundancy: false,
        direction: Direction::SendRecv,
        session_id: 1,
        version: 1,
        security: sdp::LocalSecurity::default(),
    }
}

fn reads_back(name: &str, message: &Message) {
    let written = message.to_bytes();
    let shown = || String::from_utf8_lossy(&written).into_owned();
    assert_eq!(read_datagram(&written).as_ref(), Ok(message), "{name}: {}", shown());
}

/// Calls every reader there is on a message, and on bytes that may be no message.
///
/// Tells whether they were a message.
fn read_to_the_bottom(name: &str, bytes: &[u8]) -> bool {
    let read = read_datagram(bytes);
    let was_message = read.is_ok();
    let body = match read {
        Ok(message) => {
            reads_back(name, &message);
            understood(&message);
            let headers = message.headers();
            for route in ["Route", "Record-Route", "Refer-To", "Referred-By", "P-Asserted-Identity"] {
                for addr in headers.routes(route).iter().chain(headers.name_addr(route).as_ref()) {
                    let printed = addr.to_string();
                    assert!(!printed.contains(['\r', '\n']), "{name}: {printed:?}");
                    let replaces = addr.uri.header("Replaces").and_then(Replaces::read);
                    replaces
                        .iter()
                        .for_each(|r| assert_eq!(Replaces::read(&r.to_string()).as_ref(), Some(r)));
                }
            }
            for addr in headers.contacts().iter().chain(&headers.from()).chain(&headers.to()) {
                let again = parkdeck::sip::message::NameAddr::parse(&addr.to_string());
                assert_eq!(again.as_ref(), Some(addr), "{name}: {addr}");
            }
            let _ = (headers.expires(), headers.list("Allow"), Challenge::read_all(headers, false));
            message.body().to_vec()
        }
        Err(refusal) => {
            if let Some(answer) = refusal.request_head {
                answer.to_bytes();
            }
            let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(0, |at| at + 4);
            bytes[end..].to_vec()
        }
    };
    if let Ok((answer, agreed)) = sdp::answer(&body, &local()) {
        let codecs = LocalMedia { codecs: vec![agreed.codec], ..local() };
        assert!(sdp::answer(&answer, &codecs).is_ok(), "{name}: {}", String::from_utf8_lossy(&answer));
    }
    let _ = (sdp::accept(&local(), &body), sdp::codecs_of(&body), sipfrag::read(&body));
    if let Ok(info) = dialog_info::read(&body) {
        let again = dialog_info::read(&dialog_info::write(&info));
        assert_eq!(again.map(|info| info.dialogs.len()), Ok(info.dialogs.len()), "{name}");
    }
    was_message
}

/// A small generator of its own (SplitMix64), so that a seed means the same for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % below.max(1)
    }
}

/// What is hard on readers of SIP, SDP and XML.
const SPITE: [&[u8]; 26] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b"\"",
    b"\\",
    b"<",
    b">",
    b";",
    b",",
    b"%",
    b"%00",
    b"=",
    b"@",
    b":",
    b"[",
    b"]]>",
    b"&#0;",
    b"<!DOCTYPE a>",
    b"4294967296",
    b"-1",
    b" \r\n ",
    b"\r\nv: ",
    b"\r\nl: 99999",
    "é\u{202e}".as_bytes(),
];

fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = dice.roll(bytes.len() + 1);
    let end = (at + dice.roll(40)).min(bytes.len());
    match dice.roll(8) {
        0 if at < bytes.len() => bytes[at] = dice.roll(256) as u8,
        1 => drop(bytes.drain(at..end)),
        2 => bytes.extend_from_within(at..end),
        3 => drop(bytes.splice(at..at, SPITE[dice.roll(SPITE.len())].iter().copied())),
        4 => drop(bytes.splice(at..end, SPITE[dice.roll(SPITE.len())].iter().copied())),
        5 => bytes.truncate(at.max(bytes.len() / 2)),
        6 => {
            let from = dice.roll(other.len());
            let to = (from + dice.roll(200)).min(other.len());
            drop(bytes.splice(at..end, other[from..to].iter().copied()));
        }
        _ => {
            let piece = bytes[at..end].repeat(dice.roll(60));
            drop(bytes.splice(at..at, piece));
        }
    }
}

/// The message with one header or its body mutated, its Content-Length right.
fn mutated_inside(dice: &mut Dice, mut message: Message, other: &[u8]) -> Vec<u8> {
    let headers: Vec<_> = message.headers().iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let (name, value) = &headers[dice.roll(headers.len())];
    let body = !message.body().is_empty() && dice.roll(2) == 0;
    let mut bytes = if body { message.body().to_vec() } else { value.clone().into_bytes() };
    for _ in 0..=dice.roll(3) {
        mutate(dice, &mut bytes, other);
    }
    match &mut message {
        Message::Request(request) if body => request.body = bytes,
        Message::Response(response) if body => response.body = bytes,
        message => message.headers_mut().set(name, String::from_utf8_lossy(&bytes)),
    }
    message.to_bytes()
}

#[test]
fn no_mutation_panics_and_what_is_read_reads_back() {
    let number = |name, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (seed, rounds) = (number("PARKDECK_SEED", 20_261_120), number("PARKDECK_MUTATIONS", 20_000));
    println!("PARKDECK_SEED={seed} PARKDECK_MUTATIONS={rounds}");
    let files: Vec<_> = files().into_iter().collect();
    let mut read = 0;
    for round in 0..rounds {
        // Each round can be had again alone: its dice depend on the seed and its number only.
        let mut dice = Dice(seed ^ (round << 32));
        let (name, bytes) = &files[dice.roll(files.len())];
        let other = &files[dice.roll(files.len())].1;
        let mut bytes = match read_datagram(bytes) {
            Ok(message) if dice.roll(4) > 0 => mutated_inside(&mut dice, message, other),
            _ => bytes.clone(),
        };
        for _ in 0..dice.roll(3) {
            mutate(&mut dice, &mut bytes, other);
        }
        read += u64::from(read_to_the_bottom(&format!("seed {seed}, round {round}, {name}"), &bytes));
    }
    println!("{read} of {rounds} were still messages");
    assert!(read * 5 > rounds && read * 5 < rounds * 4, "mutations must spoil some messages, but not all");
}
