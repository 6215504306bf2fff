//! Parking the test call and fetching it again, the way the console does it; who was parked hangs up; who was parked comes
//! back. Whatever is in the slot is spoken to only when it is known to be ours.

use super::examiner::{Examiner, Outcome, Stage};
use super::finding::{Finding, Verdict};
use super::legs::{PARKEE_HZ, PARKER_HZ, RETRIEVER_HZ};
use crate::desk::{CallArrival, CallId, Effect, ParkedCall, RetrieveTarget};
use crate::parking::{Identity, Lamp, Moment, SlotId, Strength, Text};
use std::time::Duration;

/// The phone decides within its own deadline (34 s); this only keeps a bug from waiting for ever.
const PARK_PATIENCE: Duration = Duration::from_secs(40);
/// How long a second lamp would cast doubt on the first, and the parked party is listened to.
const SETTLING: Duration = Duration::from_millis(1_300);
const RETRIEVE_PATIENCE: Duration = Duration::from_secs(12);
/// Until the fetched party is heard.
const RECOGNISE_PATIENCE: Duration = Duration::from_secs(8);
/// How long after the answer the server may still say who it is.
const IDENTITY_PATIENCE: Duration = Duration::from_millis(1_500);
const PUT_BACK_PATIENCE: Duration = Duration::from_secs(14);
/// A lamp goes out within this time after the parked party has hung up.
const LAMP_OFF_PATIENCE: Duration = Duration::from_secs(5);
/// A comeback is waited for as long when nobody has said how long a call is parked; and so much longer than was said.
const COMEBACK_UNKNOWN: Duration = Duration::from_secs(180);
const COMEBACK_MARGIN: Duration = Duration::from_secs(10);

impl Examiner {
    fn park_extension(&self) -> String {
        self.plan.park_extension.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// Whether any lamp works.
    fn has_lamps(&self) -> bool {
        let mut lamps = self.facts.lamps.values().map(|report| &report.lamp);
        lamps.any(|lamp| matches!(lamp, Lamp::Free | Lamp::Parked | Lamp::RingingBack))
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
        let Some(call) = self.parker else { return };
        if !self.is_full() {
            self.perform(now, Effect::Park { call, slot: None, note: Text::default() });
        }
    }

    pub(super) fn look_at_park(&mut self, now: Moment) -> Option<Stage> {
        let extension = self.park_extension();
        if self.facts.park.is_none() && self.is_full() {
            let seen = "every slot is taken: nothing was sent. Try again when one is free";
            self.find(Finding::new("park", Verdict::Doubtful, seen));
            return Some(Stage::HangingUp);
        }
        let call_id = self.leg(self.parker).and_then(|leg| leg.call_id.clone()).unwrap_or_default();
        let wire = self.witness.park(&call_id);
        let answers = || {
            let status = wire.status.map(|status| status.to_string());
            let parts = status.into_iter().chain(wire.fragments.iter().map(|f| format!("sipfrag {f}")));
            let parts: Vec<String> = parts.collect();
            if parts.is_empty() { "no answer".to_owned() } else { parts.join(", ") }
        };
        match self.facts.park.take() {
            Some(Outcome::Proven(slot)) => {
                self.parked_at = Some(now);
                let lamp = wire.asked_at.zip(self.facts.lit.first().map(|(at, _)| *at));
                let lamp = lamp.map(|(asked, lit)| {
                    format!("; its lamp lit after {} ms", lit.saturating_sub(asked).as_millis())
                });
                let leg = match wire.ended_by_server {
                    Some(true) => "; the server ended our leg",
                    _ => "; we ended our leg",
                };
                let probe = wire.probe.last().map(|status| format!("; asked again: {status}, so it is true"));
                let seen = format!(
                    "REFER to {extension}: {}{}{}{leg}",
                    answers(),
                    lamp.unwrap_or_default(),
                    probe.unwrap_or_default()
                );
                self.slot.clone_from(&slot);
                let finding = match slot {
                    Some(_) => Finding::new("park", Verdict::Good, seen),
                    None => {
                        let seen = format!("{seen}; parked, but none of the configured lamps lit");
                        let advice = self.words().parked_elsewhere(&extension, self.has_lamps());
                        Finding::new("park", Verdict::Bad, seen).advise(advice)
                    }
                };
                if !self.second_call || finding.verdict != Verdict::Good {
                    self.find(finding);
                }
                Some(Stage::Parked)
            }
            Some(Outcome::Refused(reason)) => {
                let seen = format!("REFER to {extension} failed ({}): {reason}", answers());
                let advice = self.words().park(&extension, &wire.fragments);
                self.find(Finding::new("park", Verdict::Bad, seen).advise(advice));
                Some(self.end_calls(now))
            }
            None if !self.is_up(self.parker) => {
                let seen = format!(
                    "REFER to {extension}: {}; the call was handed over and no lamp lit: {extension} doesn't park",
                    answers()
                );
                let advice = self.words().park(&extension, &wire.fragments);
                self.find(Finding::new("park", Verdict::Bad, seen).advise(advice));
                Some(self.end_calls(now))
            }
            None if self.lasted(now) >= PARK_PATIENCE => {
                self.find(Finding::new("park", Verdict::Bad, "nothing came of it"));
                Some(self.end_calls(now))
            }
            None => None,
        }
    }

    /// The calls end; whether every codec is taken can still be tried.
    fn end_calls(&mut self, now: Moment) -> Stage {
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
            let seen = "the lamp lit, but the call was never parked: somebody else parked at that moment. Try again";
            self.find(Finding::new("parked", Verdict::Bad, seen));
            return Some(self.end_calls(now));
        }
        if self.second_call {
            return Some(Stage::ComingBack);
        }
        let lit: Vec<SlotId> = self.facts.lit.iter().map(|(_, slot)| slot.clone()).collect();
        match self.slot.clone() {
            Some(slot) => Some(self.judge_slot(&slot, &lit)),
            None => Some(self.give_up()),
        }
    }

    /// Our own parked party hangs up; another phone's person is told where he waits.
    fn give_up(&self) -> Stage {
        if self.other_phone { Stage::HangingUp } else { Stage::Abandoning }
    }

    /// How the slot was learned; it is fetched from only when there is no doubt which it is.
    fn judge_slot(&mut self, slot: &SlotId, lit: &[SlotId]) -> Stage {
        if lit.len() > 1 || !self.facts.doubted.is_empty() {
            let seen = "two lamps lit at once: nobody can say which is ours, so nothing is fetched. Try again";
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
        if who.is_none() && self.plan.lamps_name_callers {
            finding = Finding::new("slot", Verdict::Doubtful, format!("{slot}, told by a lamp that names nobody"));
        }
        self.find(finding);
        Stage::Retrieving
    }

    /// Whom a retrieve should bring.
    fn expected_party(&self) -> Identity {
        let parties = self.leg(self.parker).map(|leg| leg.parties.clone()).unwrap_or_default();
        parties.last().cloned().unwrap_or_default()
    }

    pub(super) fn retrieve(&mut self, now: Moment) {
        let Some(slot) = self.slot.clone() else { return };
        let call = self.new_leg(None);
        (self.retriever, self.spoke_at) = (Some(call), None);
        let key = self.facts.lamps.get(&slot).and_then(|report| report.key.clone());
        let strength = if key.is_some() { Strength::Exact } else { Strength::Verified };
        let seen = ParkedCall {
            parkee: self.expected_party(),
            parker: Identity::default(),
            since: self.parked_at.unwrap_or(now),
            since_inferred: false,
            note: Text::default(),
            comes_back_at: None,
            ours: true,
            strength,
            key: key.clone(),
        };
        let target = RetrieveTarget { slot, seen, strength, key };
        self.perform(now, Effect::Retrieve { call, target });
    }

    pub(super) fn look_at_retrieve(&mut self, now: Moment) -> Option<Stage> {
        let slot = self.slot.clone()?;
        let since = self.since;
        let call_id = self.witness.began_call(true, since).map(str::to_owned);
        let leg = self.legs.get_mut(&self.retriever?)?;
        leg.call_id = leg.call_id.take().or(call_id);
        let (call_id, ended, up) = (leg.call_id.clone(), leg.ended.clone(), leg.is_up());
        if up {
            return Some(Stage::Recognising);
        }
        let reason = ended.or_else(|| (self.lasted(now) >= RETRIEVE_PATIENCE).then(|| "no answer".to_owned()))?;
        let status = call_id.and_then(|call_id| self.witness.invite_status(&call_id));
        let advice = self.words().retrieve(status, slot.as_str());
        self.find(Finding::new("retrieve", Verdict::Bad, format!("INVITE to {slot}: {reason}")).advise(advice));
        self.hang_up(now, self.retriever);
        Some(self.give_up())
    }

    pub(super) fn look_at_identity(&mut self, now: Moment) -> Option<Stage> {
        let (slot, call) = (self.slot.clone()?, self.retriever?);
        let ended = self.leg(self.retriever)?.ended.is_some();
        if self.other_phone {
            let heard = self.leg(self.retriever)?.figures.packets > 0;
            if heard && self.lasted(now) >= IDENTITY_PATIENCE {
                self.judge_retrieve(&slot, "their sound arrives");
                return Some(Stage::HangingUp);
            }
        } else if self.hears(self.retriever, PARKEE_HZ) {
            return self.look_at_speech(now, &slot, call);
        }
        if !ended && self.lasted(now) < RECOGNISE_PATIENCE {
            return None;
        }
        let heard = self.leg(self.retriever).map(|leg| leg.heard()).unwrap_or_default();
        let seen = format!("{slot} was answered, but by nobody whom we had parked: who fetches {heard}");
        self.find(Finding::new("retrieve", Verdict::Bad, seen));
        Some(if ended { Stage::Abandoning } else { Stage::PuttingBack })
    }

    /// Whoever was fetched is ours: now he may hear us.
    fn look_at_speech(&mut self, now: Moment, slot: &SlotId, call: CallId) -> Option<Stage> {
        let spoke_at = *self.spoke_at.get_or_insert(now);
        if self.leg(Some(call))?.is_silent() {
            self.play(call, Some(RETRIEVER_HZ));
        }
        let heard = self.has_heard(self.parkee, RETRIEVER_HZ, spoke_at);
        let waits = !heard && now < spoke_at + RECOGNISE_PATIENCE;
        if waits || self.lasted(now) < IDENTITY_PATIENCE {
            return None;
        }
        match heard {
            true => self.judge_retrieve(slot, "both sides hear each other again"),
            false => {
                let heard = self.leg(self.parkee).map(|leg| leg.heard()).unwrap_or_default();
                let seen = format!("from {slot}, but one-way: who was parked {heard}");
                let advice = self.words().sound();
                self.find(Finding::new("retrieve", Verdict::Bad, seen).advise(advice));
            }
        }
        Some(Stage::ParkingAgain)
    }

    fn judge_retrieve(&mut self, slot: &SlotId, sound: &str) {
        let call_id = self.leg(self.retriever).and_then(|leg| leg.call_id.clone()).unwrap_or_default();
        let by = if self.witness.replaced(&call_id) { ", exact (Replaces)" } else { "" };
        self.find(Finding::new("retrieve", Verdict::Good, format!("from {slot}{by}; {sound}")));
        let told = self.witness.identity(&call_id);
        let party = self.leg(self.retriever).and_then(|leg| leg.parties.last().cloned());
        let expected = self.expected_party();
        let finding = match (told, party) {
            (Some(told), Some(party)) => {
                let by = format!("{}, by {} {} ms after the answer", told.header, told.by, told.after.as_millis());
                let seen = format!("“{}”: {by}", party.label());
                match self.other_phone || party.agrees_with(&expected) {
                    true => Finding::new("identity", Verdict::Good, seen),
                    false => {
                        let seen = format!("{seen}; whoever was parked showed “{}” before", expected.label());
                        Finding::new("identity", Verdict::Doubtful, seen)
                    }
                }
            }
            _ => {
                let parker = self.leg(self.parker).and_then(|leg| leg.call_id.clone()).unwrap_or_default();
                let arrives = self.witness.arrived_with_identity(&parker);
                let advice = self.words().identity(arrives);
                let seen = "the server doesn't say who was fetched (no UPDATE, no re-INVITE, nothing in the answer)";
                Finding::new("identity", Verdict::Doubtful, seen).advise(advice)
            }
        };
        self.find(finding);
    }

    /// Whoever is in the slot goes back to where he was.
    pub(super) fn put_back(&mut self, now: Moment) {
        self.facts.park = None;
        if let Some(call) = self.retriever {
            self.perform(now, Effect::Park { call, slot: None, note: Text::default() });
        }
    }

    pub(super) fn look_at_putting_back(&mut self, now: Moment) -> Option<Stage> {
        let done = self.facts.park.is_some() || !self.is_up(self.retriever);
        if !done && self.lasted(now) < PUT_BACK_PATIENCE {
            return None;
        }
        if matches!(self.facts.park.take(), Some(Outcome::Proven(_))) {
            self.find(Finding::new("put back", Verdict::Doubtful, "whoever it was is parked again"));
        }
        self.hang_up(now, self.retriever);
        Some(Stage::Abandoning)
    }

    /// Into a chosen slot where the server has that, else into any.
    pub(super) fn park_again(&mut self, now: Moment) {
        self.facts.park = None;
        self.facts.lit.clear();
        let free = self.plan.slots.iter().rev().find(|slot| self.lamp(slot) == Lamp::Free).cloned();
        self.wished = free.filter(|_| self.plan.directed);
        self.slot = None;
        if let Some(call) = self.retriever {
            self.perform(now, Effect::Park { call, slot: self.wished.clone(), note: Text::default() });
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
                        Finding::new(name, Verdict::Bad, format!("into {slot}; {wished} was wished")).advise([advice])
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
        let next = if self.plan.comeback && !self.second_call { Stage::Dialling } else { Stage::Codecs };
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
        self.hang_up_all(now);
        self.slot = None;
        self.second_call |= next == Stage::Dialling;
        Some(next)
    }

    /// A parked call of ours rings here again.
    pub(super) fn take_comeback(&mut self, now: Moment, call: CallId, arrival: &CallArrival) {
        self.retriever = Some(call);
        let waited = now.saturating_sub(self.parked_at.unwrap_or(now));
        self.facts.came_back_after = Some(waited);
        let sign = match (&arrival.comeback, arrival.referred_by_us) {
            (Some((Some(slot), _)), _) => format!("the server says so, and that it was on {slot}"),
            (Some((None, _)), _) => "the server says so (Alert-Info)".to_owned(),
            (None, true) => "known by Referred-By".to_owned(),
            (None, false) => "known only by who calls".to_owned(),
        };
        let seen = format!("rings here after {} s, shows “{}”; {sign}", waited.as_secs(), arrival.party.label());
        self.find(Finding::new("comeback", Verdict::Good, seen));
        self.play(call, Some(RETRIEVER_HZ));
        self.perform(now, Effect::Answer(call));
    }

    pub(super) fn look_at_comeback(&mut self, now: Moment) -> Option<Stage> {
        if self.retriever.is_some() {
            let both = self.hears(self.retriever, PARKEE_HZ) && self.hears(self.parkee, RETRIEVER_HZ);
            let ended = self.leg(self.retriever).is_some_and(|leg| leg.ended.is_some());
            if both || ended || self.lasted(now) >= self.comeback_patience() + COMEBACK_MARGIN {
                if !both {
                    self.find(Finding::new("comeback", Verdict::Bad, "the two don't hear each other"));
                }
                return Some(self.end_calls(now));
            }
            return None;
        }
        if !self.is_up(self.parkee) {
            let seen = "the parked party was hung up before it came back: a real caller would have been lost";
            self.find(Finding::new("comeback", Verdict::Bad, seen));
            return Some(self.end_calls(now));
        }
        if self.lasted(now) < self.comeback_patience() {
            return None;
        }
        let seen = format!("nothing came back within {} s", self.comeback_patience().as_secs());
        let advice = "res_parking.conf, the lot's section: parkingtime and comebacktoorigin=yes".to_owned();
        self.find(Finding::new("comeback", Verdict::Bad, seen).advise([advice]));
        Some(self.end_calls(now))
    }

    fn comeback_patience(&self) -> Duration {
        match self.plan.parking_time_s {
            Some(0) | None => COMEBACK_UNKNOWN,
            Some(seconds) => Duration::from_secs(seconds.into()) + COMEBACK_MARGIN,
        }
    }

    /// Somebody else's phone waits in a slot, and we are leaving.
    pub(super) fn look_at_fetching(&mut self, now: Moment) -> Option<Stage> {
        let up = self.is_up(self.retriever);
        (up || self.lasted(now) >= RETRIEVE_PATIENCE || self.retriever.is_none()).then_some(Stage::HangingUp)
    }
}
