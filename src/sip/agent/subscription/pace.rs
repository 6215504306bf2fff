//! At most [`MAX_SUBSCRIBES_PER_SECOND`] SUBSCRIBEs in any second, over all subscriptions: a server that has just been
//! restarted is not run over by those who want to know.

use super::super::{MAX_SUBSCRIBES_PER_SECOND, SubscriptionKey, UserAgent, Why};
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::alarms::Alarm;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Who waits, and what was sent in the last second.
#[derive(Debug, Default)]
pub(in super::super) struct Pace {
    waiting: VecDeque<SubscriptionKey>,
    sent: VecDeque<Moment>,
    /// How many of those sent will probably be challenged and sent again.
    reserved: VecDeque<Moment>,
    alarm: Option<Alarm>,
    /// When a server was last caught having forgotten a subscription.
    pub(super) forgotten: BTreeMap<Peer, Moment>,
}

impl Pace {
    /// Counts a SUBSCRIBE that can't wait: the answer to a challenge. Its place was reserved.
    pub(in super::super) fn count(&mut self, now: Moment) {
        self.reserved.pop_front();
        self.sent.push_back(now);
    }

    pub(super) fn forget(&mut self, key: SubscriptionKey) {
        self.waiting.retain(|waiting| *waiting != key);
    }

    fn used(&mut self, now: Moment) -> usize {
        for times in [&mut self.sent, &mut self.reserved] {
            while times.front().is_some_and(|sent| *sent + SECOND <= now) {
                times.pop_front();
            }
        }
        self.sent.len() + self.reserved.len()
    }

    /// When the next place is free.
    fn free_at(&self) -> Option<Moment> {
        let oldest = [self.sent.front(), self.reserved.front()].into_iter().flatten().min()?;
        Some(*oldest + SECOND)
    }
}

impl UserAgent {
    /// A SUBSCRIBE is due: it goes as soon as its turn has come.
    pub(in super::super) fn queue_subscribe(&mut self, now: Moment, key: SubscriptionKey) {
        let Some(held) = self.subscriptions.get_mut(&key) else { return };
        self.alarms.cancel(&mut held.next);
        if held.queued || held.under_way {
            return;
        }
        held.queued = true;
        self.pace.waiting.push_back(key);
        self.run_pace(now);
    }

    /// Sends as many of the waiting as may go now.
    pub(in super::super) fn run_pace(&mut self, now: Moment) {
        while let Some(key) = self.pace.waiting.front().copied() {
            let account = self.subscriptions.get(&key).and_then(|held| held.order.account);
            let cost = if self.has_nonce(account) { 1 } else { 2 };
            if self.pace.used(now) + cost > MAX_SUBSCRIBES_PER_SECOND {
                let at = self.pace.free_at().unwrap_or(now + SECOND);
                return self.alarms.reset(&mut self.pace.alarm, at, Why::PaceAllows);
            }
            self.pace.waiting.pop_front();
            self.pace.sent.push_back(now);
            if cost > 1 {
                self.pace.reserved.push_back(now);
            }
            self.send_subscribe(now, key);
        }
        self.alarms.cancel(&mut self.pace.alarm);
    }
}
