//! Timers in virtual time: what is due when, and why. Cancelling one really removes it.

use super::Moment;
use std::collections::BTreeMap;

/// A timer that was set; needed to cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Alarm(Moment, u64);

impl Alarm {
    /// When it goes off.
    pub(crate) fn at(self) -> Moment {
        self.0
    }
}

/// Timers in the order in which they are due; those of one moment in the order in which they were set.
#[derive(Debug)]
pub(crate) struct Alarms<Why> {
    due: BTreeMap<Alarm, Why>,
    set_total: u64,
}

impl<Why> Alarms<Why> {
    pub(crate) fn new() -> Self {
        Self { due: BTreeMap::new(), set_total: 0 }
    }

    /// Sets a timer.
    pub(crate) fn set(&mut self, at: Moment, why: Why) -> Alarm {
        self.set_total += 1;
        let alarm = Alarm(at, self.set_total);
        self.due.insert(alarm, why);
        alarm
    }

    /// Cancels the timer in `slot`, if there is one that has not gone off.
    pub(crate) fn cancel(&mut self, slot: &mut Option<Alarm>) {
        if let Some(alarm) = slot.take() {
            self.due.remove(&alarm);
        }
    }

    /// Cancels the timer in `slot` and sets it anew.
    pub(crate) fn reset(&mut self, slot: &mut Option<Alarm>, at: Moment, why: Why) {
        self.cancel(slot);
        *slot = Some(self.set(at, why));
    }

    /// The next timer that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Moment) -> Option<Why> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// When the next timer is due.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.due.first_key_value().map(|(alarm, _)| alarm.0)
    }

    /// How many are set.
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }
}
