//! The SIP trace: what came and went, redacted before it is written, and printed again for a stranger.

use crate::config::Trace;
use crate::io::clock::Clock;
use crate::io::net::NetEvent;
use crate::io::trace::{MAX_FILE, TraceFile};
use crate::sip::framing::{Frame, Framer};
pub use crate::sip::trace::Wish;
use crate::sip::trace::{Redactor, unescaped};
use crate::sip::{Peer, Transmit, Transport};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::Path;

/// The name of the trace's file in the state directory.
pub const FILE_NAME: &str = "trace.txt";
/// The name of the lot's there.
pub const LOT_FILE_NAME: &str = "lot-trace.txt";
/// What stands before each line of a message in the file, so that no message can look like the next entry.
const INDENT: &str = "  ";
/// Connections whose messages are told apart; those of one more are only counted.
const MAX_STREAMS: usize = 64;

/// Writes down every message while it is switched on.
#[derive(Debug)]
pub struct Recorder {
    redactor: Redactor,
    file: TraceFile,
    cutter: Cutter,
}

/// Hands on whole messages, however they came: streams are cut, for of a part nobody could tell what in it is secret.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    streams: BTreeMap<Peer, Framer>,
}

impl Cutter {
    /// Something came from the network.
    pub(super) fn heard(&mut self, event: &NetEvent, mut each: impl FnMut(Peer, &[u8])) {
        match event {
            NetEvent::Datagram { from, bytes } => each(*from, bytes),
            NetEvent::Bytes { from, bytes } => self.received_stream(*from, bytes, each),
            NetEvent::Closed { peer, .. } => self.closed(*peer),
            _ => {}
        }
    }

    fn received_stream(&mut self, from: Peer, bytes: &[u8], mut each: impl FnMut(Peer, &[u8])) {
        if self.streams.len() >= MAX_STREAMS && !self.streams.contains_key(&from) {
            return;
        }
        let framer = self.streams.entry(from).or_default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = framer.push(rest);
            rest = &rest[taken..];
            while let Some(frame) = framer.next_frame() {
                if let Frame::Message(message) = frame {
                    each(from, &message);
                }
            }
            if taken == 0 {
                break;
            }
        }
    }

    /// A connection is gone.
    pub(super) fn closed(&mut self, peer: Peer) {
        self.streams.remove(&peer);
    }
}

impl Recorder {
    /// Opens the trace in that file; `None` when it is switched off, or the file can't be written (which is logged).
    pub fn open(trace: Trace, file: &Path) -> Option<Self> {
        let anonymous = match trace {
            Trace::Off => return None,
            Trace::On => false,
            Trace::Anonymous => true,
        };
        match TraceFile::open(file) {
            Ok(file) => {
                let redactor = Redactor::new(Wish { anonymous, ..Wish::default() });
                Some(Self { redactor, file, cutter: Cutter::default() })
            }
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "no SIP trace: its file can't be written");
                None
            }
        }
    }

    /// Something came from the network.
    pub fn heard(&mut self, clock: &Clock, event: &NetEvent) {
        let Self { redactor, file, cutter } = self;
        cutter.heard(event, |from, bytes| record(redactor, file, clock, "received from", from, bytes));
    }

    /// A connection is gone.
    pub fn closed(&mut self, peer: Peer) {
        self.cutter.closed(peer);
    }

    /// A message went out.
    pub fn sent(&mut self, clock: &Clock, transmit: &Transmit) {
        record(&mut self.redactor, &mut self.file, clock, "sent to", transmit.to, &transmit.bytes);
    }
}

fn record(redactor: &mut Redactor, file: &mut TraceFile, clock: &Clock, way: &str, peer: Peer, bytes: &[u8]) {
    let wall_ms = clock.origin_wall_ms().saturating_add(clock.now().as_millis() as u64);
    let at = i64::try_from(wall_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let at = at.unwrap_or_default();
    let head = format!("{at:.3} {way} {}, {} bytes", redactor.peer(peer), bytes.len());
    file.write(entry(&head, &redactor.message(bytes)));
}

fn entry(head: &str, message: &str) -> String {
    let mut text = format!("-- {head}\n");
    for line in message.lines() {
        let _ = writeln!(text, "{INDENT}{line}");
    }
    text
}

/// Prints a trace as it may be handed to a stranger: redacted again, for the file may be older or stem from somebody
/// else, and as `wish` has it.
///
/// # Errors
/// When the file can't be read or the text not be written.
pub fn print(file: &Path, wish: Wish, out: &mut impl Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(MAX_FILE * 2).read_to_end(&mut bytes)?;
    out.write_all(redacted(&String::from_utf8_lossy(&bytes), wish).as_bytes())
}

/// The text of a trace, redacted once more.
fn redacted(trace: &str, wish: Wish) -> String {
    let mut redactor = Redactor::new(wish);
    let mut text = String::new();
    let mut lines = trace.lines().peekable();
    while let Some(line) = lines.next() {
        // Whatever stands between the entries is none of ours.
        let Some(head) = line.strip_prefix("-- ") else { continue };
        let mut message = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with(INDENT)) {
            message.push_str(&unescaped(&line[INDENT.len()..]));
            message.push_str("\r\n");
        }
        if let Some(head) = heading(head, &mut redactor) {
            text.push_str(&entry(&head, &redactor.message(message.as_bytes())));
        }
    }
    text
}

/// The heading of an entry, its peer redacted; `None` if it is none.
fn heading(head: &str, redactor: &mut Redactor) -> Option<String> {
    let (at, rest) = head.split_once(' ')?;
    let at: jiff::Timestamp = at.parse().ok()?;
    let (way, rest) = ["received from", "sent to"]
        .into_iter()
        .find_map(|way| rest.strip_prefix(way).map(|rest| (way, rest.trim_start())))?;
    let (peer, size) = rest.split_once(", ")?;
    let (transport, address) = peer.split_once(':')?;
    let peer = Peer::new(Transport::of_word(transport)?, address.parse().ok()?);
    let size: u32 = size.strip_suffix(" bytes")?.parse().ok()?;
    Some(format!("{at:.3} {way} {}, {size} bytes", redactor.peer(peer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"OPTIONS sip:100@10.9.8.7 SIP/2.0\r\nVia: SIP/2.0/TCP 10.9.8.7;branch=z9hG4bKx\r\n\
        From: \"Zoe\" <sip:4711@pbx.example>;tag=1\r\nTo: <sip:100@pbx.example>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\
        Authorization: Digest username=\"4711\", response=\"secretsecret\"\r\nContent-Length: 0\r\n\r\n";

    fn wait_for(file: &Path, what: &str) -> String {
        for _ in 0..500 {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            if text.contains(what) {
                return text;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{what} is never written");
    }

    #[test]
    fn what_came_in_pieces_is_written_whole_redacted_and_for_the_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state").join(FILE_NAME);
        let mut recorder = Recorder::open(Trace::On, &file).unwrap();
        let clock = Clock::start();
        let peer = Peer::new(Transport::Tcp, "10.9.8.7:5060".parse().unwrap());
        for part in [&MESSAGE[..150], &MESSAGE[150..]] {
            recorder.heard(&clock, &NetEvent::Bytes { from: peer, bytes: part.to_vec() });
        }
        recorder.sent(&clock, &Transmit { to: peer, bytes: b"SIP/2.0 200 OK\r\n\r\n".to_vec() });
        let text = wait_for(&file, "200 OK");
        assert!(text.contains(" received from tcp:10.9.8.7:5060, "), "{text}");
        assert!(text.contains("\n  From: \"Zoe\" <sip:4711@pbx.example>;tag=1\n"), "{text}");
        assert!(!text.contains("secretsecret"), "{text}");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let mut printed = Vec::new();
        print(&file, Wish { anonymous: true, ..Wish::default() }, &mut printed).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.contains(" received from tcp:192.0.2.1:5060, "), "{printed}");
        assert!(
            printed.contains("\n  From: \"name-1\" <sip:number-2@host-1.invalid>;tag=tag-1\n"),
            "{printed}"
        );
        for hidden in ["Zoe", "4711", "pbx.example", "10.9.8.7"] {
            assert!(!printed.contains(hidden), "{hidden} in {printed}");
        }
    }

    #[test]
    fn what_is_no_entry_is_not_printed() {
        let trace = "hello 4711\n-- nonsense 4711\n  X: 4711\n";
        assert_eq!(redacted(trace, Wish::default()), "");
    }

    #[test]
    fn a_trace_that_is_switched_off_makes_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        assert!(Recorder::open(Trace::Off, &file).is_none() && !file.exists());
    }
}
