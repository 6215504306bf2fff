//! Keys that people press, as telephone events (RFC 4733) or in INFO: what the lot itself understands, and what goes on
//! to the other end.

use super::Lot;
use super::legs::{Leg, Place};
use crate::media::StreamId;
use crate::parking::Moment;
use crate::sip::CallKey;

/// The longest INFO that is read, in bytes.
const MAX_INFO_BODY: usize = 1024;
/// What INFO is passed on: keys, as phones without RFC 4733 send them.
const INFO_KINDS: [&str; 2] = ["application/dtmf-relay", "application/dtmf"];

impl Lot {
    /// The media engine heard a key.
    pub(super) fn on_digit(&mut self, now: Moment, stream: StreamId, digit: char) {
        let pressed =
            self.legs.iter().find(|(_, leg)| leg.sound.as_ref().is_some_and(|s| s.stream == stream));
        let Some(call) = pressed.map(|(call, _)| *call) else { return };
        if !self.understands(now, call, digit) {
            self.pass_on(call, digit);
        }
    }

    /// An INFO: keys that were pressed, and nothing else that one phone might say to another.
    pub(super) fn on_info(&mut self, now: Moment, call: CallKey, content_type: &str, body: Vec<u8>) {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if !INFO_KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind)) || body.len() > MAX_INFO_BODY {
            return;
        }
        if key_in(&body).is_some_and(|digit| self.understands(now, call, digit)) {
            return;
        }
        if let Some(peer) = self.legs.get(&call).and_then(Leg::peer) {
            self.agent.info(now, peer, content_type, body);
        }
    }

    /// Whether the lot itself does something about this key.
    fn understands(&mut self, now: Moment, call: CallKey, digit: char) -> bool {
        match self.legs.get(&call).map(|leg| leg.place.clone()) {
            Some(Place::Parked(ticket)) => self.leave_by_key(now, &ticket, digit),
            _ => false,
        }
    }

    /// A key, to the other end.
    fn pass_on(&mut self, call: CallKey, digit: char) {
        let peer = self.legs.get(&call).and_then(Leg::peer).and_then(|peer| self.legs.get(&peer));
        if let Some(sound) = peer.and_then(|leg| leg.sound.as_ref()) {
            self.sound.press(sound, digit);
        }
    }
}

/// The key in the body of an INFO: `Signal=5` among other lines, or the key alone.
fn key_in(body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let signal = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("signal").then(|| value.trim())
    });
    let key = match signal.unwrap_or(text.trim()) {
        // Some phones send the event's number (RFC 4733 3.2).
        "10" => "*",
        "11" => "#",
        key => key,
    };
    let mut letters = key.chars();
    letters
        .next()
        .and_then(super::config::Key::new)
        .map(super::config::Key::letter)
        .filter(|_| letters.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::key_in;

    #[test]
    fn a_key_is_read_as_phones_write_it_and_nothing_else_is_one() {
        for (body, key) in [
            ("Signal=5\r\nDuration=160\r\n", Some('5')),
            ("signal = #\nduration=100", Some('#')),
            ("Signal=11\r\n", Some('#')),
            ("*", Some('*')),
            ("a", Some('A')),
            ("", None),
            ("Signal=\r\n", None),
            ("55", None),
            ("Duration=160", None),
        ] {
            assert_eq!(key_in(body.as_bytes()), key, "{body:?}");
        }
        assert_eq!(key_in(b"\xff"), None);
    }
}
