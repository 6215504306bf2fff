//! Real messages and those of the torture collection, bent out of shape, by the ten thousand: nothing brings the console
//! down, and in the end it is as it was.

use crate::rig::*;
use parkdeck::desk::Command;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::Path;

/// How many in the ordinary run, and in the long one.
const A_FEW: usize = 20_000;
const A_MILLION: usize = 1_000_000;

fn torture() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let mut files: Vec<Vec<u8>> = ["valid", "invalid", "real", "asterisk"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    files.sort();
    assert!(files.len() > 30, "the collection is there");
    files
}

/// Bytes changed, cut, doubled, moved; lines dropped, doubled, swapped; numbers grown beyond bounds.
fn bend(bytes: &mut Vec<u8>, chance: &mut StdRng, others: &[Vec<u8>]) {
    for _ in 0..chance.random_range(1..5) {
        let at = chance.random_range(0..=bytes.len());
        match chance.random_range(0..9) {
            0 if at < bytes.len() => bytes[at] = chance.random(),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, b"\r\n:;,<>\"\0%=@?"[chance.random_range(0..13)]),
            3 => {
                let piece = bytes[at / 2..at].to_vec();
                bytes.splice(at..at, piece.into_iter().take(400));
            }
            4 => {
                let digits = bytes.iter().position(u8::is_ascii_digit).unwrap_or(at);
                bytes.splice(digits..digits, *b"4294967295");
            }
            5 => {
                let other = &others[chance.random_range(0..others.len())];
                let cut = chance.random_range(0..=other.len());
                bytes.splice(at.., other[cut..].iter().copied());
            }
            kind => {
                let mut lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
                let (one, two) = (chance.random_range(0..lines.len()), chance.random_range(0..lines.len()));
                match kind {
                    6 => drop(lines.remove(one)),
                    7 => lines.insert(one, lines[two].clone()),
                    _ => lines.swap(one, two),
                }
                *bytes = lines.join(&b'\n');
            }
        }
        bytes.truncate(65_507);
    }
}

fn pelt(count: usize, seed: u64) {
    eprintln!("seed {seed}, {count} messages");
    let mut chance = StdRng::seed_from_u64(seed);
    let mut office = Office::open(8, seed);
    office.forgetful = false;
    // What this very console would hear: answers to its own requests, requests in its own dialogs.
    let call = office.talking();
    office.key(Command::Dial("200".into()));
    office.run(ms(5));
    let invite = office.requests("INVITE").pop().expect("an INVITE");
    let mut pool = torture();
    for (method, cseq) in
        [("INVITE", 2), ("BYE", 3), ("UPDATE", 4), ("REFER", 5), ("INFO", 6), ("OPTIONS", 7), ("ACK", 1)]
    {
        pool.push(office.inside(
            method,
            &call,
            cseq,
            "Content-Type: application/sdp\r\nRefer-To: <sip:a@b>\r\n",
            SDP,
        ));
    }
    for watcher in 0..office.watchers.len() {
        pool.push(office.notification(watcher, &taken("Jane")));
    }
    let response = |head: &str| {
        let tags = format!("From: {}\r\nTo: {};tag=x", invite.header("From"), invite.header("To"));
        format!(
            "SIP/2.0 {head}\r\nVia: {}\r\n{tags}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:a@10.0.0.1>\r\nContent-Length: {}\r\n\r\n",
            invite.header("Via"),
            invite.header("Call-ID"),
            invite.header("CSeq"),
            SDP.len()
        )
        .into_bytes()
    };
    for head in [
        "100 Trying",
        "180 Ringing",
        "183 Progress\r\nRequire: 100rel\r\nRSeq: 1",
        "200 OK",
        "302 Moved",
        "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"office.test\", nonce=\"n\"",
        "486 Busy",
    ] {
        pool.push([response(head), SDP.to_vec()].concat());
    }
    office.forgetful = true;
    office.heard.clear();
    let before = memory_kb();
    for nth in 0..count {
        let mut bytes = pool[chance.random_range(0..pool.len())].clone();
        bend(&mut bytes, &mut chance, &pool);
        office.tell(if chance.random_bool(0.7) { SERVER } else { STRANGER }, &bytes);
        office.run(ms(1));
        if nth % 1_000 == 999 {
            // Whoever rings or talks by now is shown the door, and life goes on.
            while !office.engine.desk().calls.is_empty() && chance.random_bool(0.9) {
                let id = office.engine.desk().calls[0].id;
                office.key(Command::Take(id));
                office.key(Command::HangUp);
            }
            office.run(s(1));
        }
    }
    for id in office.engine.desk().calls.iter().map(|call| call.id).collect::<Vec<_>>() {
        office.key(Command::Take(id));
        office.key(Command::HangUp);
    }
    office.run(s(900));
    office.forgetful = false;
    let (call, options) = office.request("OPTIONS", b"<sip:eve@office.test>", "", b"");
    office.tell(SERVER, &options);
    assert_eq!(office.status_of(&call), Some(200), "it answers as before");
    let census = office.engine.census();
    assert_eq!((census.calls, census.requests, census.refers), (0, 0, 0), "{census:?}");
    assert_eq!(census.subscriptions, 8, "{census:?}");
    assert!(census.dialogs <= 8, "{census:?}");
    let growth = memory_kb().saturating_sub(before);
    eprintln!("growth {growth} kB");
    assert!(growth < 20 * 1024, "{growth} kB");
}

#[test]
fn twenty_thousand_bent_messages_bring_nothing_down_and_leave_nothing() {
    pelt(A_FEW, 7);
}

#[test]
#[ignore = "some minutes: run with --run-ignored after a change to what reads messages"]
fn a_million_bent_messages_bring_nothing_down_and_leave_nothing() {
    pelt(A_MILLION, 8);
}
