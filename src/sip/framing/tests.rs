//! Streams whole, sliced, slow and hostile.

use super::*;
use crate::sip::message::read_datagram;
use proptest::prelude::*;

const HEAD: &str = "OPTIONS sip:100@10.0.0.5 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bKabc\r\n\
    From: <sip:100@pbx.example>;tag=a1\r\nTo: <sip:701@pbx.example>\r\nCall-ID: x@y\r\nCSeq: 1 OPTIONS\r\n";

fn with(rest: &str) -> Vec<u8> {
    format!("{HEAD}{rest}").into_bytes()
}

/// Every frame of `bytes`, given in slices of these sizes in turn.
fn frames(bytes: &[u8], sizes: &[usize]) -> Vec<Frame> {
    let mut framer = Framer::new();
    let mut frames = Vec::new();
    let mut rest = bytes;
    for size in sizes.iter().cycle() {
        let mut slice = &rest[..rest.len().min((*size).max(1))];
        rest = &rest[slice.len()..];
        while !slice.is_empty() {
            let taken = framer.push(slice);
            assert!(taken > 0, "with every frame taken something always fits");
            slice = &slice[taken..];
            frames.extend(std::iter::from_fn(|| framer.next_frame()));
        }
        if rest.is_empty() {
            break;
        }
    }
    frames
}

fn whole(bytes: &[u8]) -> Vec<Frame> {
    frames(bytes, &[usize::MAX])
}

/// What is said of a stream that begins with a head and that.
fn refused(rest: &str) -> (Option<u16>, &'static str, bool) {
    let mut bytes = with(rest);
    bytes.extend(with("Content-Length: 0\r\n\r\n"));
    let mut all = whole(&bytes);
    assert_eq!(all.len(), 1, "{rest:?}: {all:?}");
    assert_eq!(frames(&bytes, &[1]), all, "{rest:?}");
    match all.remove(0) {
        Frame::Fatal(refusal) => (refusal.status, refusal.reason, refusal.request_head.is_some()),
        other => panic!("{rest:?}: {other:?}"),
    }
}

#[test]
fn messages_and_keep_alives_come_out_in_their_order() {
    let (first, second) = (with("Content-Length: 3\r\n\r\nabc"), with("l:\r\n 0\r\n\r\n"));
    let stream = [&first[..], b"\r\n\r\n", &second, b"\r\n", &first].concat();
    let message = |bytes: &[u8]| Frame::Message(bytes.to_vec());
    let expected =
        [message(&first), Frame::Pong, Frame::Ping, message(&second), Frame::Pong, message(&first)];
    assert_eq!(whole(&stream), expected);
    assert_eq!(frames(&stream, &[1]), expected);
}

#[test]
fn a_pong_is_told_as_soon_as_it_is_there_and_a_second_pair_is_a_ping_again() {
    assert_eq!(whole(b"\r\n"), [Frame::Pong]);
    assert_eq!(whole(b"\r\n\r\n\r\n\r\n"), [Frame::Pong, Frame::Ping, Frame::Pong, Frame::Ping]);
    assert_eq!(whole(b"\r"), []);
}

#[test]
fn a_body_is_bytes_and_may_look_like_a_message() {
    let inner = String::from_utf8(with("Content-Length: 0\r\n\r\n")).unwrap();
    let bytes = with(&format!("Content-Length: {}\r\n\r\n{inner}", inner.len()));
    assert_eq!(whole(&bytes), [Frame::Message(bytes.clone())]);
}

#[test]
fn what_is_framed_is_read_with_the_same_body() {
    let bytes = with("content-length : 0005\r\nSubject: a\r\n\tb\r\n\r\nabcde");
    let [Frame::Message(framed)] = &whole(&bytes)[..] else { panic!("one message") };
    assert_eq!(read_datagram(framed).unwrap().body(), b"abcde");
}

#[test]
fn a_length_that_two_readers_could_read_in_two_ways_ends_the_stream() {
    let lengths = [
        ("", "Content-Length is missing"),
        ("Content-Length: 0\r\nContent-Length: 50\r\n", "more than one Content-Length"),
        ("Content-Length: 0\r\nl: 0\r\n", "more than one Content-Length"),
        ("Content-Length: 0, 0\r\n", "Content-Length isn't a length"),
        ("Content-Length: -1\r\n", "Content-Length isn't a length"),
        ("Content-Length: +1\r\n", "Content-Length isn't a length"),
        ("Content-Length: 0x10\r\n", "Content-Length isn't a length"),
        ("Content-Length: 1 0\r\n", "Content-Length isn't a length"),
        ("Content-Length: 1\r\n 0\r\n", "Content-Length isn't a length"),
        ("Content-Length: 1e1\r\n", "Content-Length isn't a length"),
        ("Content-Length: \u{a0}1\r\n", "Content-Length isn't a length"),
        ("Content-Length: ٣\r\n", "Content-Length isn't a length"),
        ("Content-Length:\r\n", "Content-Length isn't a length"),
        ("Content-Length: 99999999999999999999999\r\n", "Content-Length isn't a length"),
        ("Content-Length: 8000000\r\n", "Content-Length is beyond the largest message"),
        ("Content-Length: 65535\r\n", "Content-Length is beyond the largest message"),
        ("Content-Length: 0\r\nContent-Length\u{b}: 50\r\n", "a header's name isn't one"),
        ("Content-Length: 0\r\nContent-Length\r\n", "a header has no colon"),
    ];
    for (length, reason) in lengths {
        assert_eq!(refused(&format!("{length}\r\n")), (Some(400), reason, true), "{length:?}");
    }
}

#[test]
fn a_line_that_ends_in_its_own_way_ends_the_stream() {
    let reason = "a line doesn't end in CRLF";
    for rest in [
        "X: a\nContent-Length: 0\r\n\r\n",
        "X: a\rContent-Length: 50\r\nContent-Length: 0\r\n\r\n",
        "Content-Length: 0\r\n\n",
        "Content-Length: 0\r\r\n\r\n",
    ] {
        assert_eq!(refused(rest), (Some(400), reason, true), "{rest:?}");
    }
    assert_eq!(refused("\n").1, reason);
}

#[test]
fn what_the_answer_goes_to_is_what_stood_above_the_fault() {
    let bytes = with("Content-Length: -1\r\nTimestamp: 9\r\n\r\n");
    let [Frame::Fatal(refusal)] = &whole(&bytes)[..] else { panic!("one frame") };
    let answer = refusal.request_head.as_ref().unwrap();
    assert_eq!((answer.status, answer.headers.call_id()), (400, Some("x@y")));
    let early = "OPTIONS sip:a@b SIP/2.0\r\n fold\r\n";
    let [Frame::Fatal(refusal)] = &whole(early.as_bytes())[..] else { panic!("one frame") };
    assert_eq!((refusal.status, &refusal.request_head), (Some(400), &None));
}

#[test]
fn nothing_is_answered_to_an_ack_a_response_or_a_stranger() {
    let head = String::from_utf8(with("\r\n")).unwrap();
    let ack = head.replace("OPTIONS", "ACK");
    let reply = head.replace("OPTIONS sip:100@10.0.0.5 SIP/2.0", "SIP/2.0 200 OK");
    for bytes in [
        ack.as_bytes(),
        reply.as_bytes(),
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01",
        b"\0",
        b"\n",
        b"\r\r",
        b" x",
        b"hello\r\n",
        b"\xff\xf4",
    ] {
        let [Frame::Fatal(refusal)] = &whole(bytes)[..] else { panic!("{bytes:?}") };
        assert_eq!((refusal.status, &refusal.request_head), (None, &None), "{bytes:?}");
    }
}

#[test]
fn a_start_line_of_another_version_is_framed_so_that_it_can_be_refused() {
    let bytes = String::from_utf8(with("Content-Length: 0\r\n\r\n")).unwrap().replace(" SIP/2.0", " SIP/7.0");
    assert_eq!(whole(bytes.as_bytes()), [Frame::Message(bytes.clone().into_bytes())]);
    assert_eq!(read_datagram(bytes.as_bytes()).unwrap_err().status, Some(505));
}

#[test]
fn heads_have_limits() {
    let long = format!("X: {}\r\n", "x".repeat(MAX_HEADER_LINE));
    assert_eq!(refused(&format!("{long}\r\n")), (Some(513), "a header is too long", true));
    let folded = format!("X: x\r\n{}", " x\r\n".repeat(MAX_HEADER_LINE / 2));
    assert_eq!(refused(&format!("{folded}\r\n")), (Some(513), "a header is too long", true));
    assert_eq!(refused(&"X: x\r\n".repeat(MAX_HEADERS)), (Some(513), "too many headers", true));
    let many = format!("X: {}\r\n", "x".repeat(4_000)).repeat(9);
    assert_eq!(refused(&many), (Some(513), "the head is too large", true));
    let endless = vec![b'A'; MAX_HEADER_LINE + 2];
    let [Frame::Fatal(refusal)] = &whole(&endless)[..] else { panic!("one frame") };
    assert_eq!((refusal.status, refusal.reason), (None, "the start line is too long"));
}

#[test]
fn the_largest_message_fits_and_one_byte_more_does_not() {
    let length = MAX_MESSAGE - HEAD.len() - "Content-Length: 65000\r\n\r\n".len();
    let bytes = with(&format!("Content-Length: {length}\r\n\r\n{}", "x".repeat(length)));
    assert_eq!(bytes.len(), MAX_MESSAGE);
    assert_eq!(whole(&bytes), [Frame::Message(bytes.clone())]);
    assert!(read_datagram(&bytes).is_ok());
    let reason = refused(&format!("Content-Length: {}\r\n\r\n", length + 1)).1;
    assert_eq!(reason, "Content-Length is beyond the largest message");
}

#[test]
fn no_more_than_the_buffer_is_kept_and_nothing_is_lost() {
    let one = with(&format!("Content-Length: 60000\r\n\r\n{}", "x".repeat(60_000)));
    let stream = one.repeat(5);
    let mut framer = Framer::new();
    let first = framer.push(&stream);
    assert!(first <= MAX_BUFFER && framer.push(&stream[first..]) == 0);
    assert_eq!(whole(&stream), vec![Frame::Message(one); 5]);
}

#[test]
fn after_the_end_bytes_are_swallowed_and_nothing_is_kept() {
    let mut framer = Framer::new();
    assert_eq!(framer.push(b"\0\0"), 2);
    assert!(matches!(framer.next_frame(), Some(Frame::Fatal(_))));
    assert_eq!(framer.push(&with("Content-Length: 0\r\n\r\n")), HEAD.len() + 21);
    assert_eq!((framer.next_frame(), framer.waiting()), (None, 0));
}

#[test]
fn a_message_that_arrives_byte_by_byte_costs_no_more_than_its_bytes() {
    let mut framer = Framer::new();
    let bytes = with(&format!("X: {}\r\n", "x".repeat(8_000)));
    for byte in &bytes {
        assert_eq!(framer.push(&[*byte]), 1);
        assert_eq!(framer.next_frame(), None);
        let State::Head(head) = &framer.state else { panic!("in the head") };
        assert_eq!(head.searched, framer.waiting(), "no byte is searched twice");
    }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..80).prop_map(|body| {
            let mut bytes = with(&format!("Content-Length: {}\r\n\r\n", body.len()));
            bytes.extend(body);
            bytes
        }),
        1 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r\n\r\n".to_vec()),
        1 => Just(with("l:\r\n\t0\r\nX: a\r\n b\r\n\r\n")),
        1 => Just(with("l: 0\r\nl: 5\r\n\r\n")),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #[test]
    fn slices_make_no_difference(
        pieces in prop::collection::vec(piece(), 0..8),
        sizes in prop::collection::vec(1usize..90, 1..8),
    ) {
        let stream = pieces.concat();
        prop_assert_eq!(frames(&stream, &sizes), whole(&stream));
    }
}
