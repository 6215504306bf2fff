//! Telephone events (RFC 4733): keys pressed, sent and received. A key is reported once, however often its packets come.

use std::collections::VecDeque;

/// Keys that may wait to be sent.
pub(crate) const QUEUE: usize = 32;
/// How often the end of an event is sent (RFC 4733 2.5.1.4).
const ENDS: u8 = 3;
/// Frames of sound between two keys: 60 ms.
const PAUSE_FRAMES: u8 = 3;
/// Volume of our events: −10 dBm0.
const VOLUME: u8 = 10;
const KEYS: &[u8; 16] = b"0123456789*#ABCD";

/// The event code of a key.
fn code(digit: char) -> Option<u8> {
    let upper = u8::try_from(digit).ok()?.to_ascii_uppercase();
    KEYS.iter().position(|key| *key == upper).map(|at| at as u8)
}

/// One packet's worth of an event being sent.
pub(crate) struct Outgoing {
    pub payload: [u8; 4],
    /// The RTP marker: the event begins.
    pub first: bool,
}

struct Sending {
    code: u8,
    age_frames: u32,
    frames: u32,
    ends: u8,
    final_ticks: u32,
}

/// The keys we press.
pub(crate) struct Sender {
    queue: VecDeque<(u8, u32)>,
    sending: Option<Sending>,
    pause: u8,
}

impl Sender {
    pub(crate) fn new() -> Self {
        Self { queue: VecDeque::with_capacity(QUEUE), sending: None, pause: 0 }
    }

    pub(crate) fn press(&mut self, digit: char, duration_ms: u16) -> bool {
        let Some(code) = code(digit) else { return false };
        if self.queue.len() >= QUEUE {
            return false;
        }
        // At least two frames, so that a far end that wants 40 ms hears it; at most what 16 bits hold at 48 kHz.
        let frames = u32::from(duration_ms.clamp(40, 1_300) / 20);
        self.queue.push_back((code, frames));
        true
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.sending = None;
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.sending.is_some() || !self.queue.is_empty()
    }

    /// What to send in this frame instead of sound; `frame_ticks` is a frame in the RTP clock.
    pub(crate) fn next(&mut self, frame_ticks: u32) -> Option<Outgoing> {
        if self.sending.is_none() {
            if self.pause > 0 {
                self.pause -= 1;
                return None;
            }
            let (code, frames) = self.queue.pop_front()?;
            self.sending = Some(Sending { code, age_frames: 0, frames, ends: 0, final_ticks: 0 });
        }
        let sending = self.sending.as_mut()?;
        let age_ticks = sending.age_frames * frame_ticks;
        sending.age_frames += 1;
        let over = sending.age_frames >= sending.frames;
        if over && sending.ends == 0 {
            sending.final_ticks = sending.age_frames * frame_ticks;
        }
        let duration = if over { sending.final_ticks } else { sending.age_frames * frame_ticks };
        let duration = u16::try_from(duration).unwrap_or(u16::MAX).to_be_bytes();
        let flags = if over { 0x80 | VOLUME } else { VOLUME };
        let payload = [sending.code, flags, duration[0], duration[1]];
        if over {
            sending.ends += 1;
            if sending.ends >= ENDS {
                self.sending = None;
                self.pause = PAUSE_FRAMES;
            }
        }
        Some(Outgoing { payload, first: age_ticks == 0 })
    }
}

/// The keys the far end presses.
#[derive(Default)]
pub(crate) struct Receiver {
    last: Option<u32>,
}

impl Receiver {
    /// Takes an event's payload; returns the key when this event (known by its timestamp) is heard for the first time.
    pub(crate) fn take(&mut self, timestamp: u32, payload: &[u8]) -> Option<char> {
        let (&code, rest) = payload.split_first()?;
        if rest.len() < 3 {
            return None;
        }
        let key = *KEYS.get(usize::from(code))?;
        if let Some(last) = self.last {
            // The same event again, or an older one that was overtaken.
            if timestamp.wrapping_sub(last) as i32 <= 0 {
                return None;
            }
        }
        self.last = Some(timestamp);
        Some(char::from(key))
    }

    /// The far end has begun anew: its timestamps say nothing about the past.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_growing_event_with_three_ends() {
        let mut sender = Sender::new();
        assert!(sender.press('5', 100));
        let packets: Vec<Outgoing> = std::iter::from_fn(|| sender.next(160)).collect();
        assert_eq!(packets.len(), 4 + 3);
        let durations: Vec<u16> =
            packets.iter().map(|p| u16::from_be_bytes([p.payload[2], p.payload[3]])).collect();
        assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800]);
        let ends: Vec<bool> = packets.iter().map(|p| p.payload[1] & 0x80 != 0).collect();
        assert_eq!(ends, [false, false, false, false, true, true, true]);
        assert!(packets[0].first && packets.iter().skip(1).all(|p| !p.first));
        assert!(packets.iter().all(|p| p.payload[0] == 5));
    }

    #[test]
    fn keys_follow_each_other_with_a_pause() {
        let mut sender = Sender::new();
        assert!(sender.press('*', 40) && sender.press('d', 40));
        let mut pattern = String::new();
        for _ in 0..14 {
            pattern.push(sender.next(960).map_or('.', |p| if p.payload[0] == 10 { '*' } else { 'D' }));
        }
        assert_eq!(pattern, "****...DDDD...");
    }

    #[test]
    fn what_is_no_key_or_too_much_is_refused() {
        let mut sender = Sender::new();
        assert!(!sender.press('x', 100) && !sender.press('é', 100));
        assert_eq!((0..QUEUE + 5).filter(|_| sender.press('1', 100)).count(), QUEUE);
    }

    #[test]
    fn a_key_is_heard_once_even_twice_over_and_out_of_order() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.take(1_000, &[1, 10, 0, 160]), Some('1'));
        assert_eq!(receiver.take(1_000, &[1, 0x8A, 3, 32]), None);
        // The same key pressed again: all but its last packet lost.
        assert_eq!(receiver.take(3_000, &[1, 0x8A, 3, 32]), Some('1'));
        assert_eq!(receiver.take(1_000, &[1, 0x8A, 3, 32]), None);
        assert_eq!(receiver.take(4_000, &[11, 0x8A, 3]), None, "cut short");
        assert_eq!(receiver.take(4_000, &[16, 0x8A, 3, 32]), None, "flash is no key");
        assert_eq!(receiver.take(u32::MAX, &[]), None);
    }
}
