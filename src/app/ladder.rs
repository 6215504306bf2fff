//! The newest SIP messages, kept for the screen's ladder: as they were, and redacted only when somebody looks. Pushing one
//! costs the engine a copy; all else is done on the screen's thread.

use super::trace::{Cutter, Wish};
use crate::console::{LadderMessage, MAX_LADDER};
use crate::desk::CallId;
use crate::io::net::NetEvent;
use crate::parking::Moment;
use crate::sip::trace::Redactor;
use crate::sip::{Peer, Transmit};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// The most messages that are kept.
const MAX_KEPT: usize = 600;
/// The most bytes of all of them.
const MAX_BYTES: usize = 1 << 20;
/// Of one message so much is kept: longer ones are bodies.
const MAX_MESSAGE: usize = 16 << 10;
/// Calls whose messages can be told apart.
const MAX_CALLS: usize = 256;

/// One message as it came or went.
#[derive(Debug)]
struct Seen {
    at: Moment,
    ours: bool,
    peer: Peer,
    call_id: String,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Kept {
    seen: VecDeque<Arc<Seen>>,
    bytes: usize,
    /// Counts every message, so that a look tells whether there is a new one.
    nth: u64,
    names: VecDeque<(CallId, String)>,
}

/// What both threads share. The engine's side holds the lock for a push, the screen's for a copy of pointers.
#[derive(Clone, Debug, Default)]
pub struct Ladder(Arc<Mutex<Kept>>);

impl Ladder {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, at: Moment, ours: bool, peer: Peer, bytes: &[u8]) {
        let call_id = call_id(bytes).unwrap_or_default();
        let bytes = bytes.get(..MAX_MESSAGE).unwrap_or(bytes).to_vec();
        let mut kept = self.kept();
        kept.nth += 1;
        kept.bytes += bytes.len();
        kept.seen.push_back(Arc::new(Seen { at, ours, peer, call_id, bytes }));
        while kept.seen.len() > MAX_KEPT || kept.bytes > MAX_BYTES {
            let Some(oldest) = kept.seen.pop_front() else { return };
            kept.bytes -= oldest.bytes.len();
        }
    }

    /// That call has this Call-ID.
    pub(super) fn name(&self, call: CallId, call_id: &str) {
        let mut kept = self.kept();
        if kept.names.iter().any(|(known, id)| *known == call && id == call_id) {
            return;
        }
        if kept.names.len() >= MAX_CALLS {
            kept.names.pop_front();
        }
        kept.names.push_back((call, call_id.to_owned()));
    }

    /// How many messages there have been.
    pub(super) fn nth(&self) -> u64 {
        self.kept().nth
    }

    /// The messages of a call, else the newest of all, redacted; the oldest first.
    pub(super) fn messages(&self, call: Option<CallId>, wish: Wish) -> Vec<LadderMessage> {
        let (seen, ids) = {
            let kept = self.kept();
            let names = kept.names.iter().filter(|(known, _)| Some(*known) == call);
            let ids: Vec<String> = names.map(|(_, id)| id.clone()).collect();
            (kept.seen.iter().cloned().collect::<Vec<_>>(), ids)
        };
        let meant = |seen: &&Arc<Seen>| call.is_none() || ids.contains(&seen.call_id);
        let mut newest: Vec<_> = seen.iter().rev().filter(meant).take(MAX_LADDER).collect();
        newest.reverse();
        let mut redactor = Redactor::new(wish);
        newest.into_iter().map(|seen| shown(&mut redactor, seen)).collect()
    }
}

fn shown(redactor: &mut Redactor, seen: &Seen) -> LadderMessage {
    let text = redactor.message(&seen.bytes);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    LadderMessage {
        at: seen.at,
        ours: seen.ours,
        peer: redactor.peer(seen.peer),
        summary: summary(&lines),
        lines,
    }
}

/// `INVITE sip:701@pbx`, or `200 OK (INVITE)`; with a word for what is in the body.
fn summary(lines: &[String]) -> String {
    let first = lines.first().map(String::as_str).unwrap_or_default();
    let header = |name: &str| {
        let head = lines.iter().take_while(|line| !line.is_empty());
        let mut named = head.filter_map(|line| line.split_once(':'));
        named.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let method = header("CSeq").and_then(|cseq| cseq.split_whitespace().nth(1)).unwrap_or_default();
    let body = match header("Content-Type").unwrap_or_default() {
        "" => "",
        kind if kind.contains("sdp") => " +SDP",
        kind if kind.contains("dialog-info") => " +lamp",
        kind if kind.contains("sipfrag") => " +outcome",
        _ => " +body",
    };
    match first.strip_prefix("SIP/2.0 ") {
        Some(status) => format!("{status} ({method}){body}"),
        None => format!("{}{body}", first.trim_end_matches(" SIP/2.0")),
    }
}

/// The Call-ID of a message, without reading the rest of it.
fn call_id(bytes: &[u8]) -> Option<String> {
    for line in bytes.split(|byte| *byte == b'\n').skip(1) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return None;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = line[..colon].trim_ascii();
        if name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i") {
            return Some(String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned());
        }
    }
    None
}

/// The engine's side: streams are cut into messages here.
#[derive(Debug, Default)]
pub(super) struct Tap {
    ladder: Ladder,
    cutter: Cutter,
}

impl Tap {
    /// What it collects goes there.
    pub(super) fn new(ladder: Ladder) -> Self {
        Self { ladder, cutter: Cutter::default() }
    }

    /// Something came from the network.
    pub(super) fn heard(&mut self, at: Moment, event: &NetEvent) {
        let ladder = &self.ladder;
        self.cutter.heard(event, |from, bytes| ladder.push(at, false, from, bytes));
    }

    /// A message went out.
    pub(super) fn sent(&self, at: Moment, transmit: &Transmit) {
        self.ladder.push(at, true, transmit.to, &transmit.bytes);
    }

    /// A connection of ours is closed.
    pub(super) fn closed(&mut self, peer: Peer) {
        self.cutter.closed(peer);
    }

    /// That call has this Call-ID.
    pub(super) fn name(&self, call: CallId, call_id: &str) {
        self.ladder.name(call, call_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn invite(call_id: &str) -> Vec<u8> {
        format!(
            "INVITE sip:701@pbx SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\nFrom: \"Zoe\u{1b}[2J\" <sip:1@pbx>;tag=1\r\n\
             To: <sip:701@pbx>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\nAuthorization: Digest username=\"1\", \
             response=\"secretsecret\"\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    fn ladder() -> Ladder {
        let ladder = Ladder::default();
        let peer: Peer = "10.0.0.5:5060".parse::<std::net::SocketAddr>().unwrap().into();
        ladder.push(Duration::from_secs(1), true, peer, &invite("a"));
        ladder.push(Duration::from_secs(2), false, peer, b"SIP/2.0 200 OK\r\ni: a\r\nCSeq: 1 INVITE\r\n\r\n");
        ladder.push(Duration::from_secs(3), true, peer, &invite("b"));
        ladder.name(CallId(7), "a");
        ladder
    }

    #[test]
    fn a_calls_ladder_has_its_messages_alone_redacted_and_harmless() {
        let messages = ladder().messages(Some(CallId(7)), Wish::default());
        let summaries: Vec<&str> = messages.iter().map(|message| message.summary.as_str()).collect();
        assert_eq!(summaries, ["INVITE sip:701@pbx", "200 OK (INVITE)"]);
        let all = format!("{messages:?}");
        assert!(!all.contains("secretsecret"), "{all}");
        assert!(
            messages.iter().flat_map(|m| &m.lines).all(|line| !line.chars().any(char::is_control)),
            "{all}"
        );
        assert_eq!(ladder().messages(None, Wish::default()).len(), 3);
        assert!(ladder().messages(Some(CallId(8)), Wish::default()).is_empty());
        let anonymous = ladder().messages(None, Wish { anonymous: true, ..Wish::default() });
        assert!(!format!("{anonymous:?}").contains("Zoe"), "{anonymous:?}");
    }

    #[test]
    fn it_is_bounded_in_messages_and_bytes() {
        let ladder = Ladder::default();
        let peer: Peer = "10.0.0.5:5060".parse::<std::net::SocketAddr>().unwrap().into();
        for nth in 0..2_000u64 {
            ladder.push(Duration::from_millis(nth), false, peer, &vec![b'x'; 60_000]);
            ladder.name(CallId(nth), "x");
        }
        let kept = ladder.kept();
        assert!(kept.seen.len() <= MAX_KEPT && kept.bytes <= MAX_BYTES && kept.names.len() <= MAX_CALLS);
        assert_eq!(kept.nth, 2_000);
    }
}
