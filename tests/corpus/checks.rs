//! What must hold for whatever bytes come: the same checks for the fuzzer and for the corpus that the ordinary tests
//! replay. Each takes the bytes of one file and fails by panicking.

#![allow(clippy::expect_used, clippy::panic, reason = "a check fails by panicking")]

use parkdeck::sip::digest::Challenge;
use parkdeck::sip::framing::{Frame, Framer, MAX_BUFFER, MAX_MESSAGE};
use parkdeck::sip::message::{MAX_DATAGRAM, MAX_HEADER_LINE, Message, NameAddr, Uri, Via, read_datagram};
use parkdeck::sip::sdp::{self, Codec, Direction, LocalMedia};
use parkdeck::sip::{dialog_info, replaces::Replaces, sipfrag};

/// What is read is written, and reads back the same; what isn't is refused with an answer that holds together.
pub fn message(bytes: &[u8]) {
    match read_datagram(bytes) {
        Ok(message) => {
            let written = message.to_bytes();
            // Escapes make a start line longer, and with it the message: the largest are read but can't be written.
            let start = written.iter().position(|b| *b == b'\r').unwrap_or_default();
            if start > MAX_HEADER_LINE || written.len() > MAX_DATAGRAM {
                return;
            }
            let again = read_datagram(&written);
            assert_eq!(again.as_ref(), Ok(&message), "{}", String::from_utf8_lossy(&written));
            assert_eq!(again.map(|again| again.to_bytes()), Ok(written));
            values(&message);
        }
        Err(refusal) => {
            assert!(refusal.status.is_some() || refusal.request_head.is_none());
            if let Some(answer) = refusal.request_head {
                assert_eq!(Some(answer.status), refusal.status);
                assert_lines(&answer.to_bytes(), answer.headers.iter().count());
            }
        }
    }
    let text = String::from_utf8_lossy(bytes);
    if let Some(uri) = Uri::parse(&text) {
        assert_eq!(Uri::parse(&uri.to_string()), Some(uri), "{text:?}");
    }
    if let Some(addr) = NameAddr::parse(&text) {
        assert_eq!(NameAddr::parse(&addr.to_string()), Some(addr), "{text:?}");
    }
    if let Some(via) = Via::parse(&text) {
        assert_eq!(Via::parse(&via.to_string()), Some(via), "{text:?}");
    }
}

/// No header may have become two: as many lines as headers, the start line, Content-Length and the empty line.
fn assert_lines(written: &[u8], headers: usize) {
    let lines = written.iter().filter(|b| **b == b'\n').count();
    assert_eq!(lines, headers + 3, "{}", String::from_utf8_lossy(written));
}

/// Every typed reading of a message.
fn values(message: &Message) {
    let headers = message.headers();
    let head_end = message.to_bytes().len() - message.body().len();
    assert_lines(&message.to_bytes()[..head_end], headers.iter().count());
    assert!(headers.cseq().is_some() && headers.call_id().is_some() && headers.via().is_some());
    let lists = ["Route", "Record-Route", "Contact", "P-Asserted-Identity", "Diversion"];
    let single = ["From", "To", "Refer-To", "Referred-By", "Remote-Party-ID"];
    let listed = lists.iter().flat_map(|name| headers.routes(name));
    for addr in listed.chain(single.iter().filter_map(|name| headers.name_addr(name))) {
        let printed = addr.to_string();
        assert!(!printed.contains(['\r', '\n']), "{printed:?}");
        assert_eq!(NameAddr::parse(&printed).as_ref(), Some(&addr), "{printed:?}");
        if let Some(replaces) = addr.uri.header("Replaces").and_then(Replaces::read) {
            assert_eq!(Replaces::read(&replaces.to_string()), Some(replaces));
        }
    }
    for via in headers.vias() {
        assert_eq!(Via::parse(&via.to_string()), Some(via));
    }
    let _ = (headers.expires(), headers.list("Allow"), headers.list("Require"));
    let _ = (Challenge::read_all(headers, false), Challenge::read_all(headers, true));
    let _ = sipfrag::read(message.body());
}

/// However a stream is sliced, the same frames come out, they cover it without a gap, and each message in them ends
/// where Content-Length says, for every reader. The first byte sets the slices.
pub fn framing(bytes: &[u8]) {
    let Some((pattern, stream)) = bytes.split_first() else { return };
    let whole = frames(stream, &[usize::MAX]);
    let pattern = usize::from(*pattern);
    assert_eq!(frames(stream, &[1 + (pattern & 7), 1 + (pattern >> 3)]), whole);
    if stream.len() < 2_000 {
        assert_eq!(frames(stream, &[1]), whole);
    }
    let mut at = 0;
    for frame in &whole {
        let covered = match frame {
            Frame::Message(message) => message.as_slice(),
            Frame::Ping | Frame::Pong => b"\r\n",
            Frame::Fatal(_) => break,
        };
        assert_eq!(stream.get(at..at + covered.len()), Some(covered), "a gap");
        if let Frame::Message(message) = frame {
            assert!(message.len() <= MAX_MESSAGE);
            sees_the_same(message, &stream[at..]);
        }
        at += covered.len();
    }
    let ends = whole.iter().position(|frame| matches!(frame, Frame::Fatal(_)));
    assert!(ends.is_none_or(|at| at + 1 == whole.len()), "nothing follows the end");
}

/// Nobody who reads on behind the frame sees another message than who stops at its end.
fn sees_the_same(frame: &[u8], rest: &[u8]) {
    let longer = &rest[..rest.len().min(MAX_MESSAGE)];
    let (framed, seen) = (read_datagram(frame), read_datagram(longer));
    assert_eq!(framed, seen);
    if let Ok(message) = framed {
        assert!(frame.ends_with(message.body()));
    }
}

fn frames(stream: &[u8], sizes: &[usize]) -> Vec<Frame> {
    let mut framer = Framer::new();
    let mut frames = Vec::new();
    let mut rest = stream;
    for size in sizes.iter().cycle() {
        let (mut slice, later) = rest.split_at((*size).min(rest.len()));
        rest = later;
        while !slice.is_empty() {
            let taken = framer.push(slice);
            assert!(taken > 0 && framer.waiting() <= MAX_BUFFER);
            slice = &slice[taken..];
            frames.extend(std::iter::from_fn(|| framer.next_frame()));
        }
        if rest.is_empty() {
            break;
        }
    }
    frames
}

/// Offers are answered or refused; an answer of ours is one that we would accept and answer ourselves.
pub fn session(bytes: &[u8]) {
    let _ = sdp::codecs_of(bytes);
    let _ = sdp::accept(&local(), bytes);
    match sdp::answer(bytes, &local()) {
        Ok((answer, agreed)) => {
            assert!(answer.len() <= sdp::MAX_SDP * 2);
            let codecs = LocalMedia { codecs: vec![agreed.codec], ..local() };
            let again = sdp::answer(&answer, &codecs);
            assert!(again.is_ok(), "{again:?}: {}", String::from_utf8_lossy(&answer));
        }
        Err(refusal) => assert!(matches!(refusal.status(), 400 | 488)),
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

/// What is read writes and reads back; what was cleaned once needs no second cleaning.
pub fn dialogs(bytes: &[u8]) {
    let Ok(info) = dialog_info::read(bytes) else { return };
    let Ok(again) = dialog_info::read(&dialog_info::write(&info)) else {
        // What is written of the largest document may be larger than what is read.
        assert!(bytes.len() > 1_000, "{info:?}");
        return;
    };
    assert_eq!(again.dialogs.len(), info.dialogs.len());
    let once_more = dialog_info::read(&dialog_info::write(&again));
    assert_eq!(once_more.as_ref(), Ok(&again));
}
