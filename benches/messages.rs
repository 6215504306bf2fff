//! What reading and writing a message costs, ours beside rsip's, in one run.
//!
//! Run: `cargo bench --bench messages`. No network or peer is needed.
//!
//! - *read*: bytes to a message. Ours also checks limits, Content-Length, that Via, From, To, Call-ID, CSeq and Contact
//!   can be read and that CSeq names the method; rsip keeps headers as they are.
//! - *and look*: the same, then what every message is asked for: topmost Via with its branch, From and To with their
//!   tags, CSeq, typed.
//! - *write*: a message to bytes.
//! - *frame*: from a stream in slices of 1,460 bytes to whole messages (there is no such thing in rsip).
//!
//! The messages are what an Asterisk 22 and its phones sent. Ours and rsip's take turns in small batches; a figure is
//! the median of the batches, so that a neighbour on the machine hits both alike. The ratio is what counts: below 1.00
//! ours is the faster. Mind the load average.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "rig/figures.rs"]
#[allow(dead_code)]
mod figures;

use parkdeck::sip::framing::{Frame, Framer};
use parkdeck::sip::message::{Message, read_datagram};
use rsip::headers::ToTypedHeader;
use rsip::prelude::*;
use std::hint::black_box;
use std::time::{Duration, Instant};

const MESSAGES: [(&str, &[u8]); 4] = [
    ("REGISTER", include_bytes!("../tests/torture/asterisk/register.sip")),
    ("INVITE with SDP", include_bytes!("../tests/torture/asterisk/invite-sdp-pai.sip")),
    ("NOTIFY with dialog-info", include_bytes!("../tests/torture/asterisk/notify-dialog-info-confirmed.sip")),
    ("200 with SDP", include_bytes!("../tests/torture/asterisk/200-invite-sdp.sip")),
];

const BATCHES: usize = 400;
const IN_A_BATCH: u32 = 100;

fn main() {
    println!("\nmessages, ns · {}\n", figures::machine());
    println!("{:<26}{:>7}{:<13}{:>9}{:>9}{:>8}", "", "bytes", "", "ours", "rsip", "ratio");
    for (name, bytes) in MESSAGES {
        let ours = read_datagram(bytes).expect("ours reads it");
        let theirs = rsip::SipMessage::try_from(bytes).expect("rsip reads it");
        let row = |what: &str, [ours, theirs]: [f64; 2]| {
            let (size, ratio) = (bytes.len(), ours / theirs);
            println!("{name:<26}{size:>7}  {what:<11}{ours:>9.0}{theirs:>9.0}{ratio:>8.2}");
        };
        row(
            "read",
            both(|| read_datagram(black_box(bytes)), || rsip::SipMessage::try_from(black_box(bytes))),
        );
        row("and look", both(|| our_look(black_box(bytes)), || their_look(black_box(bytes))));
        row("write", both(|| black_box(&ours).to_bytes(), || black_box(&theirs).to_string().into_bytes()));
    }
    // Written again, for what follows the body of a datagram is not part of it.
    let stream = MESSAGES.map(|(_, bytes)| read_datagram(bytes).expect("ours reads it").to_bytes()).concat();
    let [framed, _] = both(|| frame(black_box(&stream)), || ());
    println!("{:<26}{:>7}  {:<11}{:>9.0}", "all four", stream.len(), "frame", framed);
}

/// Nanoseconds of each, the median of batches in turn.
fn both<A, B>(mut ours: impl FnMut() -> A, mut theirs: impl FnMut() -> B) -> [f64; 2] {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        first.push(batch(&mut ours));
        second.push(batch(&mut theirs));
    }
    [median(first), median(second)]
}

fn batch<T>(mut deed: impl FnMut() -> T) -> Duration {
    let begun = Instant::now();
    for _ in 0..IN_A_BATCH {
        drop(black_box(deed()));
    }
    begun.elapsed()
}

fn median(mut batches: Vec<Duration>) -> f64 {
    batches.sort_unstable();
    batches[batches.len() / 2].as_nanos() as f64 / f64::from(IN_A_BATCH)
}

fn our_look(bytes: &[u8]) -> Message {
    let message = read_datagram(bytes).expect("ours reads it");
    let headers = message.headers();
    black_box((headers.via(), headers.from(), headers.to(), headers.cseq()));
    message
}

fn their_look(bytes: &[u8]) -> rsip::SipMessage {
    let message = rsip::SipMessage::try_from(bytes).expect("rsip reads it");
    let via = message.via_header().expect("a Via").typed();
    let (from, to) = (message.from_header().expect("From").typed(), message.to_header().expect("To").typed());
    let read = black_box((via, from, to, message.cseq_header().expect("CSeq").typed()));
    drop(read);
    message
}

fn frame(stream: &[u8]) -> usize {
    let mut framer = Framer::new();
    let mut count = 0;
    for slice in stream.chunks(1_460) {
        let taken = framer.push(slice);
        assert_eq!(taken, slice.len());
        while let Some(frame) = framer.next_frame() {
            assert!(matches!(frame, Frame::Message(_)));
            count += 1;
        }
    }
    assert_eq!(count, MESSAGES.len());
    count
}
