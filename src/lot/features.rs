//! What is typed into a call: who has which feature, and what it does. As `features.conf` has it: one-step parking, blind
//! transfer, hang up.

use super::Lot;
use super::config::Feature;
use super::legs::{Leg, Place};
use super::notice::Notice;
use super::plan::Destination;
use super::prompts::Prompt;
use super::words::Refusal;
use crate::media::StreamId;
use crate::parking::{Moment, Text};
use crate::sip::CallKey;

impl Lot {
    /// What the lot from which this leg was retrieved, or to whose caller it went, says about a feature.
    pub(super) fn is_granted(&self, leg: &Leg, feature: Feature) -> Option<bool> {
        let retrieved = leg.retrieved.as_ref()?;
        let lot = self.lots.iter().find(|lot| lot.config().name == retrieved.lot)?;
        lot.config().granted(feature).map(|granted| granted.to(retrieved.retriever))
    }

    /// The features that a leg may type now, with their codes.
    pub(super) fn features_of(&self, call: CallKey) -> Vec<(Feature, String)> {
        let Some(leg) = self.legs.get(&call).filter(|leg| leg.peer().is_some()) else { return Vec::new() };
        let user = leg.user.as_deref().and_then(|user| self.plan.user(user));
        let has = |feature: Feature| {
            self.is_granted(leg, feature).unwrap_or_else(|| {
                let own = user.is_some_and(|user| user.features.contains(&feature));
                own && (feature != Feature::ParkCall || user.is_some_and(|user| user.permissions.park))
            })
        };
        let codes = self.config.features.codes().filter(|(feature, _)| has(*feature));
        codes.map(|(feature, code)| (feature, code.to_owned())).collect()
    }

    /// Does what was typed. What can't be done is told by a tone, and the call goes on.
    pub(super) fn use_feature(&mut self, now: Moment, call: CallKey, feature: Feature) {
        // Whoever sends a call on has really taken it.
        self.on_confirmed(now, call);
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.takes = None;
        }
        match feature {
            Feature::ParkCall => {
                let parked = self.park_by_keys(now, call);
                self.tell_refusal(call, parked);
            }
            Feature::BlindXfer => self.begin_dialling(now, call),
            Feature::AutoMixMon => self.toggle_recording(call),
            Feature::Disconnect => {
                let peer = self.legs.get(&call).and_then(Leg::peer);
                for leg in [Some(call), peer].into_iter().flatten() {
                    self.hang_up(now, leg);
                }
            }
        }
    }

    /// One-step parking: the other end is parked, and whoever typed it hears where.
    fn park_by_keys(&mut self, now: Moment, call: CallKey) -> Result<(), Refusal> {
        self.refuse_in_transfer(call)?;
        if let Some(user) = self.legs.get(&call).and_then(|leg| leg.user.clone()) {
            self.make_home_lot(&user);
        }
        let lot = self.lot_for_keys(call);
        let parked = self.park_other_end(now, call, lot, None, Text::default())?;
        self.dismiss_parker(now, call, lot, &parked, true);
        self.announce(now, lot, &parked);
        Ok(())
    }

    /// The lot in which a leg parks without naming one: the one the call was retrieved from, the user's own, or the
    /// first in which he may.
    fn lot_for_keys(&self, call: CallKey) -> usize {
        let Some(leg) = self.legs.get(&call) else { return 0 };
        let named = |name: &str| self.lots.iter().position(|lot| lot.config().name == name);
        let user = leg.user.as_deref().unwrap_or_default();
        let before = leg.retrieved.as_ref().and_then(|retrieved| named(&retrieved.lot));
        let granted = self.is_granted(leg, Feature::ParkCall) == Some(true);
        let first = || (0..self.lots.len()).find(|lot| self.may_park(user, *lot).is_ok());
        let may = |lot: &usize| granted || self.may_park(user, *lot).is_ok();
        before.filter(may).or_else(|| self.home_lot(user)).or_else(first).unwrap_or(0)
    }

    /// Records the call of a leg, as that leg hears and says it, or no longer. It ends with the leg, and when it is parked.
    fn toggle_recording(&mut self, call: CallKey) {
        let Some(peer) = self.legs.get(&call).and_then(Leg::peer) else { return };
        let label = self.legs.get(&peer).map(|leg| leg.identity.label().to_owned()).unwrap_or_default();
        let Some(leg) = self.legs.get_mut(&call) else { return };
        let Some(sound) = &leg.sound else { return };
        if leg.recorded {
            self.sound.stop_recording(sound);
        } else {
            self.sound.record(sound, label);
        }
        leg.recorded = !leg.recorded;
    }

    /// Whoever is parked is recorded no longer.
    pub(super) fn stop_recording(&mut self, call: CallKey) {
        let Some(leg) = self.legs.get_mut(&call) else { return };
        if std::mem::take(&mut leg.recorded)
            && let Some(sound) = &leg.sound
        {
            self.sound.stop_recording(sound);
        }
    }

    /// A recording that was asked for has begun, or can't be made or went wrong: who wanted it is told by a tone.
    pub(super) fn on_recording(&mut self, stream: StreamId, told: Result<String, String>) {
        let of_stream = |leg: &Leg| leg.sound.as_ref().is_some_and(|sound| sound.stream == stream);
        let found = self.legs.iter_mut().find(|(_, leg)| of_stream(leg));
        let Some((call, leg)) = found else { return };
        let (call, by) = (*call, leg.identity.clone());
        match told {
            Ok(file) => self.say(Notice::RecordingStarted { by, file }),
            Err(reason) => {
                leg.recorded = false;
                if matches!(leg.place, Place::With(_)) {
                    self.prompt(call, Prompt::Refused);
                }
                self.say(Notice::RecordingFailed { by, reason });
            }
        }
    }

    fn refuse_in_transfer(&self, call: CallKey) -> Result<(), Refusal> {
        let peer = self.legs.get(&call).and_then(Leg::peer);
        if self.is_in_transfer(&[Some(call), peer]) {
            return Err(Refusal::new(491, "A transfer is under way."));
        }
        Ok(())
    }

    /// An extension was dialled inside a call: the other end goes there.
    pub(super) fn transfer_by_keys(&mut self, now: Moment, call: CallKey, dialled: &str) {
        let done = self.try_transfer_by_keys(now, call, dialled);
        self.tell_refusal(call, done);
    }

    fn try_transfer_by_keys(&mut self, now: Moment, call: CallKey, dialled: &str) -> Result<(), Refusal> {
        self.refuse_in_transfer(call)?;
        let user = self.legs.get(&call).and_then(|leg| leg.user.clone()).unwrap_or_default();
        match self.reach_destination(&user, dialled) {
            Some(Destination::Park { lot }) => {
                let parked = self.park_other_end(now, call, lot, None, Text::default())?;
                self.dismiss_parker(now, call, lot, &parked, true);
                self.announce(now, lot, &parked);
                Ok(())
            }
            Some(Destination::Slot { lot, slot }) => {
                let parked = self.park_other_end(now, call, lot, Some(&slot), Text::default())?;
                self.dismiss_parker(now, call, lot, &parked, true);
                self.announce(now, lot, &parked);
                Ok(())
            }
            Some(destination) => self.ring_for_transfer(now, call, &user, &destination, None),
            None => {
                let outside = self.outside_for(&user, dialled).map_err(Refusal::and_the_call_stays)?;
                self.ring_for_transfer(now, call, &user, &outside, None)
            }
        }
    }

    /// What can't be done is told by a tone, and the call goes on.
    fn tell_refusal(&mut self, call: CallKey, done: Result<(), Refusal>) {
        let Err(refusal) = done else { return };
        let leg = self.legs.get(&call);
        let user = leg.and_then(|leg| leg.user.clone());
        if leg.is_some_and(|leg| matches!(leg.place, Place::With(_))) {
            self.prompt(call, Prompt::Refused);
        }
        self.say(Notice::KeysRefused { user, reason: refusal.words });
    }
}
