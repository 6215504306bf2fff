//! Parking the test call the way the console does it: what the server answers, which lamp lights, and whether it goes out
//! again when the parked party hangs up.

use super::examiner::{Examiner, Outcome, Stage};
use super::finding::{Finding, Verdict};
use super::legs::PARKER_HZ;
use super::witness::Park;
use crate::desk::{Effect, LotId};
use crate::parking::{Identity, Lamp, Moment, SlotId, Text};
use std::time::Duration;

/// The phone decides within its own deadline (34 s); this only keeps a bug from waiting for ever.
const PARK_PATIENCE: Duration = Duration::from_secs(40);
/// How long a second lamp would cast doubt on the first, and the parked party is listened to.
const SETTLING: Duration = Duration::from_millis(1_300);
/// A lamp goes out within this time after the parked party has hung up.
const LAMP_OFF_PATIENCE: Duration = Duration::from_secs(5);

impl Examiner {
    /// What is called or pressed to park.
    fn park_extension(&self) -> String {
        let extension = self.plan.park_extension.as_ref().map(ToString::to_string);
        extension.or_else(|| self.plan.feature_code.clone()).unwrap_or_default()
    }

    /// Whether any lamp works.
    fn has_lamps(&self) -> bool {
        let mut lamps = self.facts.lamps.values().map(|report| &report.lamp);
        lamps.any(|lamp| matches!(lamp, Lamp::Free | Lamp::Parked | Lamp::RingingBack))
    }

    /// Whether a park would leave somebody else's phone where no lamp shows it.
    fn would_strand(&self) -> bool {
        self.other_phone && !self.has_lamps()
    }

    /// Whether nothing must be sent because every slot that is known is taken.
    fn is_full(&self) -> bool {
        let lamps = self.facts.lamps.values().map(|report| &report.lamp);
        let told: Vec<&Lamp> =
            lamps.filter(|lamp| !matches!(lamp, Lamp::Refused { .. } | Lamp::Unknown)).collect();
        !told.is_empty() && !told.contains(&&Lamp::Free)
    }

    pub(super) fn park(&mut self, now: Moment) {
        self.facts.park = None;
        self.facts.lit.clear();
        self.facts.doubted.clear();
        self.facts.digits.clear();
        let Some(call) = self.parker else { return };
        if !self.is_full() && !self.would_strand() {
            let party = self.expected_party();
            self.perform(
                now,
                Effect::Park { call, lot: LotId::default(), slot: None, note: Text::default(), party },
            );
        }
    }

    pub(super) fn look_at_park(&mut self, now: Moment) -> Option<Stage> {
        if self.facts.park.is_none() && self.is_full() {
            let seen = "every slot is taken: nothing was sent. Try again when one is free";
            self.find(Finding::new("park", Verdict::Doubtful, seen));
            return Some(Stage::HangingUp);
        }
        if self.facts.park.is_none() && self.would_strand() {
            let seen = "no lamp works: somebody else's phone isn't parked where nobody could find it";
            self.find(Finding::new("park", Verdict::Skipped, seen));
            return Some(Stage::HangingUp);
        }
        let call_id = self.leg(self.parker).and_then(|leg| leg.call_id.clone()).unwrap_or_default();
        let wire = self.witness.park(&call_id);
        match self.facts.park.take() {
            Some(Outcome::Proven(slot)) => {
                self.parked_at = Some(now);
                self.slot.clone_from(&slot);
                self.facts.park_extension_found = slot.is_some() && self.facts.park_extension_tried.is_some();
                let finding = self.judge_park(slot.is_some(), &wire);
                if !self.second_call || finding.verdict != Verdict::Good {
                    self.find(finding);
                }
                Some(Stage::Parked)
            }
            Some(Outcome::Refused(reason)) => Some(self.park_failed(now, &wire, &reason)),
            None if !self.is_up(self.parker) => {
                let reason = "the call was handed over and no lamp lit: that doesn't park";
                Some(self.park_failed(now, &wire, reason))
            }
            None if self.lasted(now) >= PARK_PATIENCE => {
                Some(self.park_failed(now, &wire, "nothing came of it"))
            }
            None => None,
        }
    }

    /// What was done to park, and what the server answered.
    fn asked(&self, wire: &Park) -> String {
        let status = wire.status.map(|status| status.to_string());
        let parts = status.into_iter().chain(wire.fragments.iter().map(|status| format!("sipfrag {status}")));
        let answers: Vec<String> = parts.collect();
        let way = self.plan.way();
        if answers.is_empty() { way } else { format!("{way}: {}", answers.join(", ")) }
    }

    fn judge_park(&self, lamp: bool, wire: &Park) -> Finding {
        let asked_at = wire.asked_at.unwrap_or(self.since);
        let lit = self.facts.lit.first().map(|(at, _)| at.saturating_sub(asked_at).as_millis());
        let lit = lit.map(|ms| format!("; its lamp lit after {ms} ms")).unwrap_or_default();
        let probe = wire.probe.last().map(|status| format!("; asked again: {status}, so it is true"));
        let leg = match wire.ended_by_server {
            Some(true) => "the server ended our leg",
            _ => "we ended our leg",
        };
        let seen = format!("{}{lit}{}; {leg}", self.asked(wire), probe.unwrap_or_default());
        if lamp {
            return Finding::new("park", Verdict::Good, seen);
        }
        let advice = self.words().parked_elsewhere(&self.park_extension(), self.has_lamps());
        let seen = format!("{seen}; parked, but none of the configured lamps lit");
        Finding::new("park", Verdict::Bad, seen).advise(advice)
    }

    fn park_failed(&mut self, now: Moment, wire: &Park, reason: &str) -> Stage {
        let extension = self.park_extension();
        let advice = match &self.plan.feature_code {
            Some(keys) => self.words().feature_code(keys, &self.facts.digits),
            None => self.words().park(&extension, &wire.fragments),
        };
        let seen = format!("{}; {reason}", self.asked(wire));
        self.find(Finding::new("park", Verdict::Bad, seen).advise(advice));
        self.end_calls_or_park_anew(now)
    }

    /// The calls end. Where the park extension may be another, they are made once more, to park by that one.
    fn end_calls_or_park_anew(&mut self, now: Moment) -> Stage {
        let other = self.facts.other_park_extension.take().filter(|_| !self.other_phone && !self.second_call);
        let Some(other) = other else { return self.end_calls(now) };
        let seen = format!("{other} can be dialled, and is beside the slots: once more, by that one");
        self.find(Finding::new("park extension", Verdict::Doubtful, seen));
        self.park_by(other);
        self.parks_anew = true;
        self.hang_up_all(now);
        Stage::Dialling
    }

    /// The calls end; whether every codec is taken can still be tried.
    pub(super) fn end_calls(&mut self, now: Moment) -> Stage {
        self.hang_up_all(now);
        Stage::Codecs
    }

    pub(super) fn look_at_parked(&mut self, now: Moment) -> Option<Stage> {
        if self.lasted(now) < SETTLING {
            return None;
        }
        if !self.other_phone && !self.is_up(self.parkee) {
            let seen = "the parked party was hung up: a real caller would have been lost";
            self.find(Finding::new("parked", Verdict::Bad, seen));
            return Some(self.end_calls(now));
        }
        if !self.other_phone && self.still_hears(now, self.parkee, PARKER_HZ) {
            let seen =
                "the lamp lit, but the call was never parked: somebody else parked at that moment. Try again";
            self.find(Finding::new("parked", Verdict::Bad, seen));
            return Some(self.end_calls(now));
        }
        if self.second_call {
            return Some(Stage::ComingBack);
        }
        let lit: Vec<SlotId> = self.facts.lit.iter().map(|(_, slot)| slot.clone()).collect();
        match self.slot.clone() {
            Some(slot) => {
                let next = self.judge_slot(&slot, &lit);
                if next == Stage::Retrieving {
                    self.judge_manager_events(&slot);
                }
                Some(next)
            }
            None if self.other_phone => Some(self.give_up()),
            None => Some(self.end_calls_or_park_anew(now)),
        }
    }

    /// Our own parked party hangs up; another phone's person is told where he waits.
    pub(super) fn give_up(&self) -> Stage {
        if self.other_phone { Stage::HangingUp } else { Stage::Abandoning }
    }

    /// How the slot was learned; it is fetched from only when there is no doubt which it is.
    fn judge_slot(&mut self, slot: &SlotId, lit: &[SlotId]) -> Stage {
        if lit.len() > 1 || !self.facts.doubted.is_empty() {
            let seen =
                "two lamps lit at once: nobody can say which is ours, so nothing is fetched. Try again";
            self.find(Finding::new("slot", Verdict::Doubtful, seen));
            return self.give_up();
        }
        let music = match self.is_audible(self.parkee) {
            true => "music is heard there",
            false => "it is silent there",
        };
        let who = self.facts.lamps.get(slot).and_then(|report| report.parkee.clone());
        let by = match &who {
            Some(who) => format!("its lamp, which names “{}”", who.label()),
            None => "its lamp".to_owned(),
        };
        let heard = if self.other_phone { String::new() } else { format!("; {music}") };
        let mut finding = Finding::new("slot", Verdict::Good, format!("{slot}, told by {by}{heard}"));
        if who.is_none() && self.plan.lamps_name_callers() {
            finding =
                Finding::new("slot", Verdict::Doubtful, format!("{slot}, told by a lamp that names nobody"));
        }
        self.find(finding);
        Stage::Retrieving
    }

    /// Into a chosen slot where the server has that, else into any.
    pub(super) fn park_again(&mut self, now: Moment) {
        self.facts.park = None;
        self.facts.lit.clear();
        let free = self.plan.slots.iter().rev().find(|slot| self.lamp(slot) == Lamp::Free).cloned();
        self.wished = free.filter(|_| self.plan.directed);
        self.slot = None;
        if let Some(call) = self.retriever {
            self.perform(
                now,
                Effect::Park {
                    call,
                    lot: LotId::default(),
                    slot: self.wished.clone(),
                    note: Text::default(),
                    party: Identity::default(),
                },
            );
        }
    }

    pub(super) fn look_at_second_park(&mut self, now: Moment) -> Option<Stage> {
        let name = if self.wished.is_some() { "directed park" } else { "park again" };
        match self.facts.park.take() {
            Some(Outcome::Proven(slot)) => {
                self.slot.clone_from(&slot);
                let finding = match (&self.wished, &slot) {
                    (Some(wished), Some(slot)) if wished == slot => {
                        Finding::new(name, Verdict::Good, format!("into {slot}, as wished"))
                    }
                    (Some(wished), slot) => {
                        let slot = slot.as_ref().map_or("nobody knows where".to_owned(), ToString::to_string);
                        let advice = "is `directed_prefix` the one of the dialplan?".to_owned();
                        Finding::new(name, Verdict::Bad, format!("into {slot}; {wished} was wished"))
                            .advise([advice])
                    }
                    (None, Some(slot)) => Finding::new(name, Verdict::Good, format!("on {slot}")),
                    (None, None) => Finding::new(name, Verdict::Bad, "nobody knows where"),
                };
                self.find(finding);
                Some(Stage::Abandoning)
            }
            Some(Outcome::Refused(reason)) => {
                self.find(Finding::new(name, Verdict::Bad, reason));
                Some(Stage::Abandoning)
            }
            None if !self.is_up(self.retriever) || self.lasted(now) >= PARK_PATIENCE => {
                self.find(Finding::new(name, Verdict::Bad, "the call ended, and no lamp lit"));
                Some(Stage::Abandoning)
            }
            None => None,
        }
    }

    pub(super) fn look_at_lamp_off(&mut self, now: Moment) -> Option<Stage> {
        let wanted = self.plan.comeback && !self.second_call;
        let next = if wanted && self.may_come_back() { Stage::Dialling } else { Stage::Codecs };
        let next = match self.slot.clone() {
            None => next,
            Some(slot) if self.lamp(&slot) == Lamp::Free => {
                let ms = self.lasted(now).as_millis();
                let seen = format!("{slot} {ms} ms after the parked party had hung up");
                self.find(Finding::new("free again", Verdict::Good, seen));
                next
            }
            Some(slot) if self.lasted(now) >= LAMP_OFF_PATIENCE => {
                let advice = self.words().stuck_lamp();
                let seen = format!("the lamp of {slot} still shines although the parked party has hung up");
                self.find(Finding::new("free again", Verdict::Bad, seen).advise(advice));
                next
            }
            Some(_) => return None,
        };
        if wanted && next == Stage::Codecs {
            let seen = "our lot rings nobody who has parked himself: he waits on in his slot";
            self.find(Finding::new("comeback", Verdict::Skipped, seen));
        }
        self.hang_up_all(now);
        self.slot = None;
        self.second_call |= next == Stage::Dialling;
        Some(next)
    }
}
