//! What the phones say, kept for the examination to look at. Calls that are no part of it are turned away, never answered.

use super::examiner::{Examiner, Outcome, Stage};
use crate::desk::{CallArrival, CallId, Effect, Event, LampReport};
use crate::parking::{Lamp, Moment, SlotId};

/// The most lamps that lit, and callers turned away, that are remembered one by one.
const MAX_REMEMBERED: usize = 256;

impl Examiner {
    pub(super) fn learn(&mut self, now: Moment, event: Event) {
        match event {
            Event::Registered => self.facts.registered = true,
            Event::WayTold { way, .. } => {
                self.facts.server = way.server.as_str().parse().ok();
                self.facts.way = Some(format!("{} {}", way.transport, way.server));
            }
            Event::RegistrationFailed { reason, .. } => {
                self.facts.registration_failed = Some(reason.to_string());
            }
            Event::Reached { round_trip_ms } => {
                self.facts.unreachable = false;
                self.facts.round_trip_ms.get_or_insert(round_trip_ms);
            }
            Event::Unreachable => self.facts.unreachable = true,
            Event::LampChanged { slot, report } => self.lamp_changed(now, slot, report),
            Event::CallArrived(arrival) => self.call_arrived(now, arrival),
            Event::CallAnswered { call } => {
                if let Some(leg) = self.legs.get_mut(&call) {
                    leg.up_at.get_or_insert(now);
                }
            }
            Event::CallEnded { call, reason, .. } => self.call_ended(call, reason.as_str()),
            Event::CallHeld { call } => self.held(call, Ok(true)),
            Event::CallResumed { call } => self.held(call, Ok(false)),
            Event::HoldRefused { call, reason } => self.held(call, Err(reason.to_string())),
            Event::PartyTold { call, party } => {
                if let Some(leg) = self.legs.get_mut(&call) {
                    leg.parties.push(party);
                    leg.parties.truncate(MAX_REMEMBERED);
                }
            }
            Event::ParkProven { call, slot } => {
                // The phone ends our leg by itself.
                self.call_ended(call, "");
                self.facts.park = Some(Outcome::Proven(slot));
            }
            Event::ParkRefused { reason, .. } => {
                self.facts.park = Some(Outcome::Refused(reason.to_string()));
            }
            Event::ParkDoubted { slots } => self.facts.doubted = slots,
            _ => {}
        }
    }

    fn held(&mut self, call: CallId, outcome: Result<bool, String>) {
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.held = Some(outcome);
        }
    }

    fn call_ended(&mut self, call: CallId, reason: &str) {
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.ended.get_or_insert_with(|| reason.to_owned());
        }
    }

    fn lamp_changed(&mut self, now: Moment, slot: SlotId, report: LampReport) {
        let before = self.lamp(&slot);
        if before == Lamp::Free && report.lamp == Lamp::Parked && self.facts.lit.len() < MAX_REMEMBERED {
            self.facts.lit.push((now, slot.clone()));
        }
        self.facts.lamps.insert(slot, report);
    }

    /// Only our own test call is answered: by its number, and at the moment at which it is expected.
    fn call_arrived(&mut self, now: Moment, arrival: CallArrival) {
        let call = arrival.call;
        let since = self.since;
        let call_id = self.witness.began_call(false, since).map(str::to_owned);
        let number = arrival.party.number.as_str();
        let own = self.plan.own_numbers.iter().any(|own| own == number);
        let expected = match self.stage {
            Stage::Dialling => self.parker.is_none(),
            Stage::ComingBack => self.retriever.is_none(),
            _ => false,
        };
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.incoming = true;
            leg.call_id = call_id;
            leg.parties.push(arrival.party.clone());
        }
        if own && expected {
            return match self.stage {
                Stage::Dialling => self.take_test_call(now, call),
                _ => self.take_comeback(now, call, &arrival),
            };
        }
        // A call in one codec only rings: it is taken back by the enquirer.
        if own && self.stage == Stage::Codecs {
            return;
        }
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.ended = Some("turned away".to_owned());
        }
        self.perform(now, Effect::Reject(call));
        if expected {
            self.facts.stranger = Some(number.to_owned());
        }
        if self.facts.turned_away.len() < MAX_REMEMBERED {
            self.facts.turned_away.push(arrival.party.label().to_owned());
        }
    }
}
