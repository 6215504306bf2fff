//! How fresh each lamp is: since when the server's word is confirmed, and until when it holds. And the mailbox's lamp.

use super::{Desk, Effect, LineId, Messages, Slot, SlotKey};
use crate::parking::{Lamp, Moment};
use std::time::Duration;

/// How far the server's word about a slot can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing was heard, or nothing is told.
    Unknown,
    /// The server said or confirmed it so long ago.
    Confirmed {
        /// How long ago.
        ago: Duration,
        /// For how long it still holds, if the server said so.
        left: Option<Duration>,
    },
    /// It held once; that was so long ago.
    Stale {
        /// How long ago.
        ago: Duration,
    },
}

impl Slot {
    /// How far its lamp can be trusted.
    pub fn freshness(&self, now: Moment) -> Freshness {
        match (&self.lamp, self.heard_at) {
            (Lamp::Stale { since, .. }, _) => Freshness::Stale { ago: now.saturating_sub(*since) },
            (Lamp::Unknown | Lamp::Refused { .. }, _) | (_, None) => Freshness::Unknown,
            (_, Some(at)) => Freshness::Confirmed {
                ago: now.saturating_sub(at),
                left: self.fresh_until.filter(|u| *u != Moment::MAX).map(|until| until.saturating_sub(now)),
            },
        }
    }
}

impl Desk {
    /// The server would have told us of a change: what it said last is as good as said now.
    pub(super) fn lamp_confirmed(&mut self, key: &SlotKey, until: Moment) -> Vec<Effect> {
        let now = self.now;
        let held = self.slots.iter_mut().find(|s| s.is(key));
        if let Some(slot) = held.filter(|s| matches!(s.lamp, Lamp::Free | Lamp::Parked | Lamp::RingingBack)) {
            slot.heard_at = Some(now);
            slot.fresh_until = Some(until);
        }
        Vec::new()
    }

    /// No lamp outlives what the server granted, whoever fails to say so.
    pub(super) fn outdate_lamps(&mut self) {
        let now = self.now;
        for slot in &mut self.slots {
            if slot.fresh_until.is_some_and(|until| now > until) {
                let was_parked = slot.holds_somebody();
                let since = slot.heard_at.unwrap_or(now);
                slot.fresh_until = None;
                if slot.is_known_free() || was_parked {
                    slot.lamp = Lamp::Stale { since, was_parked };
                }
            }
        }
    }

    pub(super) fn messages_told(&mut self, line: LineId, messages: Option<Messages>) -> Vec<Effect> {
        if let Some(there) = self.line_mut(line) {
            there.account.messages = messages;
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Abilities, Event, LampReport};
    use super::*;
    use crate::parking::SlotId;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn desk() -> (Desk, SlotId) {
        let id = SlotId::new("701").unwrap();
        (Desk::new("me@pbx", "front", vec![id.clone()], Abilities::default()), id)
    }

    fn told(lamp: Lamp, until: u64) -> LampReport {
        LampReport { lamp, fresh_until: Some(s(until)), ..LampReport::default() }
    }

    #[test]
    fn a_lamp_knows_its_age_and_its_end() {
        let (mut desk, id) = desk();
        assert_eq!(desk.slots[0].freshness(s(5)), Freshness::Unknown);
        desk.learn(s(10), Event::LampChanged { slot: id.clone(), report: told(Lamp::Free, 310) });
        let age = Freshness::Confirmed { ago: s(7), left: Some(s(293)) };
        assert_eq!(desk.slots[0].freshness(s(17)), age);
        desk.learn(s(240), Event::LampConfirmed { slot: id, until: s(540) });
        let age = Freshness::Confirmed { ago: s(0), left: Some(s(300)) };
        assert_eq!(desk.slots[0].freshness(s(240)), age);
    }

    #[test]
    fn no_lamp_outlives_what_the_server_granted() {
        for (lamp, was_parked) in [(Lamp::Free, false), (Lamp::Parked, true), (Lamp::RingingBack, true)] {
            let (mut desk, id) = desk();
            desk.learn(s(10), Event::LampChanged { slot: id.clone(), report: told(lamp.clone(), 310) });
            desk.learn(s(310), Event::Ticked);
            assert_eq!(desk.slots[0].lamp, lamp);
            desk.learn(s(311), Event::Ticked);
            assert_eq!(desk.slots[0].lamp, Lamp::Stale { since: s(10), was_parked });
            assert_eq!(desk.slots[0].freshness(s(320)), Freshness::Stale { ago: s(310) });
            // Nothing but the server's word makes it fresh again.
            desk.learn(s(330), Event::LampConfirmed { slot: id, until: s(900) });
            assert_eq!(desk.slots[0].lamp, Lamp::Stale { since: s(10), was_parked });
        }
    }
}
