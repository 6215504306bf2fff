//! Keys that people press, as telephone events (RFC 4733) or in INFO: what the lot itself understands, and what goes on
//! to the other end. Keys that may become a code are held back until it is clear.

use super::Lot;
use super::config::{Key, MAX_CODE};
use super::legs::{Leg, Place};
use crate::media::StreamId;
use crate::parking::Moment;
use crate::sip::CallKey;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The longest INFO that is read, in bytes.
const MAX_INFO_BODY: usize = 1024;
/// What INFO is passed on: keys, as phones without RFC 4733 send them.
const INFO_KINDS: [&str; 2] = ["application/dtmf-relay", "application/dtmf"];
/// The longest extension that can be dialled inside a call, in keys.
const MAX_DIALLED: usize = 32;

/// A key, and how it came: it goes on in the same way.
#[derive(Clone, Debug)]
struct Press {
    key: char,
    info: Option<(String, Vec<u8>)>,
}

/// Keys of one leg that nobody has got yet.
#[derive(Debug, Default)]
struct Typed {
    held: VecDeque<Press>,
    /// An extension is being dialled, for a transfer.
    dialled: Option<String>,
    until: Moment,
}

/// The legs whose keys wait for further ones.
#[derive(Debug, Default)]
pub(super) struct Keyboard {
    typed: BTreeMap<CallKey, Typed>,
}

impl Keyboard {
    /// When somebody has waited too long with the next key.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.typed.values().map(|typed| typed.until).min()
    }
}

impl Lot {
    /// The media engine heard a key.
    pub(super) fn on_digit(&mut self, now: Moment, stream: StreamId, digit: char) {
        let pressed =
            self.legs.iter().find(|(_, leg)| leg.sound.as_ref().is_some_and(|s| s.stream == stream));
        let Some(call) = pressed.map(|(call, _)| *call) else { return };
        self.on_key(now, call, Press { key: digit, info: None });
    }

    /// An INFO: keys that were pressed, and nothing else that one phone might say to another.
    pub(super) fn on_info(&mut self, now: Moment, call: CallKey, content_type: &str, body: Vec<u8>) {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if !INFO_KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind)) || body.len() > MAX_INFO_BODY {
            return;
        }
        match key_in(&body) {
            Some(key) => self.on_key(now, call, Press { key, info: Some((content_type.to_owned(), body)) }),
            None => self.pass_on(now, call, Press { key: ' ', info: Some((content_type.to_owned(), body)) }),
        }
    }

    fn on_key(&mut self, now: Moment, call: CallKey, press: Press) {
        match self.legs.get(&call).map(|leg| leg.place.clone()) {
            Some(Place::Parked(ticket)) => {
                self.leave_by_key(now, &ticket, press.key);
            }
            Some(Place::With(_)) if self.legs.get(&call).is_some_and(|leg| leg.dials) => {
                self.dial_key(now, call, press.key);
            }
            Some(Place::With(_)) => self.collect(now, call, press),
            _ => {}
        }
    }

    /// A key in a conversation: part of a code, or for the other end.
    fn collect(&mut self, now: Moment, call: CallKey, press: Press) {
        let codes = self.features_of(call);
        let mut typed = self.keyboard.typed.remove(&call).unwrap_or_default();
        typed.held.push_back(press);
        loop {
            let keys: String = typed.held.iter().map(|press| press.key).collect();
            if let Some((feature, _)) = codes.iter().find(|(_, code)| *code == keys) {
                return self.use_feature(now, call, *feature);
            }
            if !keys.is_empty()
                && keys.len() < MAX_CODE
                && codes.iter().any(|(_, code)| code.starts_with(&keys))
            {
                let wait_ms = self.config.features.featuredigittimeout;
                typed.until = now + Duration::from_millis(wait_ms.into());
                self.keyboard.typed.insert(call, typed);
                return;
            }
            // The first can't begin a code: it was meant for the other end.
            let Some(first) = typed.held.pop_front() else { return };
            self.pass_on(now, call, first);
        }
    }

    /// From now on the keys of this leg are an extension; the other end hears music.
    pub(super) fn begin_dialling(&mut self, now: Moment, call: CallKey) {
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.dials = true;
        }
        let until = now + self.dialling_time();
        self.keyboard.typed.insert(call, Typed { dialled: Some(String::new()), until, ..Typed::default() });
        self.resound(call);
    }

    fn dialling_time(&self) -> Duration {
        Duration::from_secs(self.config.features.transferdigittimeout.into())
    }

    /// A key of the extension; `#` ends it.
    fn dial_key(&mut self, now: Moment, call: CallKey, key: char) {
        let until = now + self.dialling_time();
        let Some(typed) = self.keyboard.typed.get_mut(&call) else { return };
        let dialled = typed.dialled.get_or_insert_default();
        let ends = key == '#' && !dialled.is_empty();
        if !ends && dialled.len() < MAX_DIALLED {
            dialled.push(key);
            typed.until = until;
        } else {
            self.end_dialling(now, call);
        }
    }

    fn end_dialling(&mut self, now: Moment, call: CallKey) {
        let dialled = self.keyboard.typed.remove(&call).and_then(|typed| typed.dialled).unwrap_or_default();
        let Some(leg) = self.legs.get_mut(&call).filter(|leg| leg.dials) else { return };
        leg.dials = false;
        self.resound(call);
        self.transfer_by_keys(now, call, &dialled);
    }

    /// Those who have waited too long with the next key: an extension is complete, a code is none.
    pub(super) fn end_overdue_keys(&mut self, now: Moment) {
        let typed = self.keyboard.typed.iter();
        let overdue: Vec<CallKey> = typed.filter(|(_, t)| t.until <= now).map(|(call, _)| *call).collect();
        for call in overdue {
            if self.legs.get(&call).is_some_and(|leg| leg.dials && leg.peer().is_some()) {
                self.end_dialling(now, call);
                continue;
            }
            let held = self.keyboard.typed.remove(&call).map(|typed| typed.held).unwrap_or_default();
            for press in held {
                self.pass_on(now, call, press);
            }
        }
    }

    /// A key, to the other end.
    fn pass_on(&mut self, now: Moment, call: CallKey, press: Press) {
        let Some(peer) = self.legs.get(&call).and_then(Leg::peer) else { return };
        match press.info {
            Some((content_type, body)) => self.agent.info(now, peer, &content_type, body),
            None => {
                if let Some(sound) = self.legs.get(&peer).and_then(|leg| leg.sound.as_ref()) {
                    self.sound.press(sound, press.key);
                }
            }
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
    letters.next().and_then(Key::new).map(Key::letter).filter(|_| letters.next().is_none())
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
