//! Parking: whether it can be done and why not, asking, proof, and undo.

use super::event::Effect;
use super::line::{LineId, SlotKey};
use super::lot::LotKey;
use super::slot::{Asking, AskingFor, ParkedCall, Slot};
use super::{Call, CallId, Desk, Phase, RetrieveTarget, Severity};
use crate::parking::{Identity, Lamp, Moment, SlotId, Strength, Text};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a park can be taken back with one key.
pub const UNDO_FOR: Duration = Duration::from_secs(10);
/// The desk's own limit on a park: a net below the dialect, which decides earlier, also of a park that waited for
/// another one.
const PARK_DEADLINE: Duration = Duration::from_secs(90);
/// Two lamps that lit within this time, one of them by a park of ours, can't be told apart. A silent caller delays
/// Asterisk by 500 ms.
const MET_WITHIN: Duration = Duration::from_millis(700);
/// How long a slot's state is waited for when its key was pressed on an unknown or stale lamp.
const STATE_DEADLINE: Duration = Duration::from_secs(3);

/// The park that one key takes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    /// Whose lot the call is in.
    pub line: LineId,
    /// Where it is there.
    pub slot: SlotId,
    /// What was parked.
    pub parked: ParkedCall,
    /// Until when the key works.
    pub until: Moment,
}

impl Undo {
    /// The slot on this desk.
    pub fn key(&self) -> SlotKey {
        SlotKey { line: self.line, id: self.slot.clone() }
    }
}

/// Why the park key is off (feature P3), in an order from the general to the particular.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParkBar {
    /// No call in hand.
    NoCall,
    /// The call isn't up yet, or something else is under way with it.
    NotUp,
    /// The server has no way to park.
    ServerCannot,
    /// The server has no way to park into a named slot.
    ServerChoosesSlot,
    /// Not registered, or the server doesn't answer.
    Offline,
    /// The server refuses every lamp: it has none of these slots, or shows them to nobody.
    NoLamps,
    /// No lamp is fresh, so a park could not be proven.
    LampsStale,
    /// Every slot is taken.
    LotFull,
    /// Every slot of this lot is taken.
    ThisLotFull {
        /// The lot.
        lot: Text,
        /// Another lot of the same server, which has a free slot.
        room_in: Text,
    },
    /// This slot is in another account's lot.
    OtherLot {
        /// The slot.
        slot: SlotId,
        /// The lot that it is in.
        there: Text,
        /// The lot of the call's own line.
        own: Text,
    },
    /// This slot is taken.
    Occupied(SlotId),
    /// Something was asked of this slot already.
    Asked(SlotId),
    /// This slot's state isn't known.
    NotKnownFree(SlotId),
    /// No such slot.
    NoSuchSlot(SlotId),
}

impl ParkBar {
    /// The reason and the remedy, in one line.
    pub fn sentence(&self) -> String {
        match self {
            Self::NoCall => "no call in hand to park: answer one, or choose one with the arrow keys".into(),
            Self::NotUp => "this call can't be parked before it is up".into(),
            Self::ServerCannot => "this server can't park calls: hold (h) or transfer (t) instead".into(),
            Self::ServerChoosesSlot => "this server chooses the slot itself: press p".into(),
            Self::Offline => "the server doesn't answer: the call stays with you; hold (h) works".into(),
            Self::NoLamps => {
                "the server has no lamp for any of these slots: hold (h) or transfer (t) instead".into()
            }
            Self::LampsStale => "no lamp is fresh, so a park could not be proven: hold (h) instead".into(),
            Self::LotFull => "every slot is taken: the call stays with you; hold (h) or transfer (t)".into(),
            Self::ThisLotFull { lot, room_in } => format!(
                "every slot of lot “{lot}” is taken: the call stays with you; “{room_in}” has room, L chooses it"
            ),
            Self::OtherLot { slot, there, own } => format!(
                "{slot} is in lot “{there}”, but this caller can only be parked in “{own}”: nothing was sent, p parks there"
            ),
            Self::Occupied(slot) => format!("{slot} is taken: nothing was sent, the call stays with you"),
            Self::Asked(slot) => format!("{slot} was asked already: wait for its lamp"),
            Self::NotKnownFree(slot) => format!("{slot} isn't known to be free: nothing was sent"),
            Self::NoSuchSlot(slot) => format!("there is no slot {slot}"),
        }
    }
}

impl Desk {
    /// Whether the call in hand can be parked (into `slot`, if one is named), and if not, why.
    pub fn can_park(&self, slot: Option<&SlotKey>) -> Result<CallId, ParkBar> {
        let call = self.hand().ok_or(ParkBar::NoCall)?;
        let of_slot = slot.and_then(|slot| self.slot(slot)).map(Slot::lot_key);
        self.can_park_call(call, of_slot.unwrap_or_else(|| self.lot_out(call.line)), slot)
    }

    /// The same for any slot of this lot.
    pub fn can_park_in(&self, lot: LotKey) -> Result<CallId, ParkBar> {
        self.can_park_call(self.hand().ok_or(ParkBar::NoCall)?, lot, None)
    }

    fn can_park_call(&self, call: &Call, lot: LotKey, slot: Option<&SlotKey>) -> Result<CallId, ParkBar> {
        if !call.is_up() {
            return Err(ParkBar::NotUp);
        }
        let Some(line) = self.line(call.line) else { return Err(ParkBar::ServerCannot) };
        let name = |lot| self.lot(lot).map(|there| there.name.clone()).unwrap_or_default();
        // Said first of all: whatever else may be the matter, it is the wrong lot.
        if let Some(wanted) = slot.filter(|wanted| wanted.line != call.line) {
            let first = LotKey { line: wanted.line, ..LotKey::default() };
            let there = name(self.slot(wanted).map_or(first, Slot::lot_key));
            let own = name(self.lot_out(call.line));
            return Err(ParkBar::OtherLot { slot: wanted.id.clone(), there, own });
        }
        if lot.line != call.line || self.lot(lot).is_none_or(|there| !there.abilities.park) {
            return Err(ParkBar::ServerCannot);
        }
        if matches!(line.account.registration, super::Registration::Failed { .. }) {
            return Err(ParkBar::Offline);
        }
        let fresh = |s: &Slot| matches!(s.lamp, Lamp::Free | Lamp::Parked | Lamp::RingingBack);
        if let Some(wanted) = slot {
            self.slot_takes_a_park(wanted)?;
        } else if self.slots_in(lot).all(|s| matches!(s.lamp, Lamp::Refused { .. })) {
            return Err(ParkBar::NoLamps);
        } else if !self.slots_in(lot).any(fresh) {
            return Err(ParkBar::LampsStale);
        } else if !self.slots_in(lot).any(Slot::is_known_free) {
            return Err(self.full(lot));
        }
        Ok(call.id)
    }

    fn slot_takes_a_park(&self, key: &SlotKey) -> Result<(), ParkBar> {
        let wanted = &key.id;
        let slot = self.slot(key).ok_or_else(|| ParkBar::NoSuchSlot(wanted.clone()))?;
        if !self.abilities_at(key).directed_park {
            return Err(ParkBar::ServerChoosesSlot);
        }
        if slot.holds_somebody() {
            return Err(ParkBar::Occupied(wanted.clone()));
        }
        if slot.asking.as_ref().is_some_and(|a| !matches!(a.what, AskingFor::State { .. })) {
            return Err(ParkBar::Asked(wanted.clone()));
        }
        if !slot.is_known_free() {
            return Err(ParkBar::NotKnownFree(wanted.clone()));
        }
        Ok(())
    }

    /// Parks the call in hand in this slot, or in any of the lot that is chosen; or says why not.
    pub(super) fn park(&mut self, slot: Option<SlotKey>) -> Vec<Effect> {
        let of_slot = slot.as_ref().and_then(|key| self.slot(key)).map(Slot::lot_key);
        let line = self.hand().map(|call| call.line).unwrap_or_default();
        let lot = of_slot.unwrap_or_else(|| self.lot_out(line));
        let may = self.can_park(slot.as_ref());
        self.park_if(may, lot, slot)
    }

    /// The same in any slot of this lot.
    pub(super) fn park_in(&mut self, lot: LotKey) -> Vec<Effect> {
        let may = self.can_park_in(lot);
        self.park_if(may, lot, None)
    }

    fn park_if(&mut self, may: Result<CallId, ParkBar>, lot: LotKey, slot: Option<SlotKey>) -> Vec<Effect> {
        let id = match may {
            Ok(id) => id,
            Err(bar) => {
                self.say(Severity::Warning, &format!("not parked: {}", bar.sentence()));
                return Vec::new();
            }
        };
        let now = self.now;
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        let was_held = matches!(call.phase, Phase::Held | Phase::Holding);
        let id_there = slot.as_ref().map(|key| key.id.clone());
        call.enter(Phase::Parking { slot: id_there.clone(), was_held }, now);
        let (note, party) = (call.note.clone(), call.party.clone());
        if let Some(slot) = slot.as_ref().and_then(|wanted| self.slot_mut(wanted)) {
            slot.asking = Some(Asking { what: AskingFor::Park(id), since: now, until: now + PARK_DEADLINE });
        }
        vec![Effect::Park { call: id, lot: lot.lot, slot: id_there, note, party }]
    }

    /// Asks for a slot's state because its lamp can't be trusted; what was wanted is done when it is found free.
    pub(super) fn ask_state(&mut self, slot: &SlotKey, then_park: Option<CallId>) -> Vec<Effect> {
        let now = self.now;
        let place = self.place(slot);
        if let Some(slot) = self.slot_mut(slot) {
            let what = AskingFor::State { then_park };
            slot.asking = Some(Asking { what, since: now, until: now + STATE_DEADLINE });
        }
        self.say(Severity::Info, &format!("{place}: its lamp isn't fresh, asking the server first"));
        vec![Effect::AskLamp(slot.clone())]
    }

    /// A park was proven: the call leaves the list and is remembered where it is.
    pub(super) fn park_proven(&mut self, id: CallId, slot: Option<SlotId>) -> Vec<Effect> {
        let Some(call) = self.call(id).cloned() else { return Vec::new() };
        let put_back = matches!(call.phase, Phase::PuttingBack { .. });
        let parked = self.parked_from(&call, slot.as_ref());
        let who = self.called(&call.party);
        let rivals = self.lit_meanwhile(&call, slot.as_ref());
        let fetched = self.was_fetched_meanwhile(&call, slot.as_ref());
        self.drop_call(id);
        if fetched {
            self.say(Severity::Info, &format!("{who} was parked, and was fetched again already"));
            return vec![Effect::SaveMemory];
        }
        let key = slot.as_ref().map(|slot| call.slot_key(slot));
        match &key {
            Some(key) if put_back => {
                let place = self.place(key);
                self.say(Severity::Warning, &format!("{who} is back in {place}; nobody spoke to them"));
            }
            Some(key) => {
                let place = self.place(key);
                self.say(Severity::Info, &format!("{who} is parked on {place} · u takes it back"));
            }
            None => {
                let text = format!(
                    "{who} is parked, but the server doesn't say where: is park_extension right? (parkdeck doctor)"
                );
                self.say(Severity::Warning, &text);
            }
        }
        if let Some(key) = &key {
            self.settle_in(key, parked);
        }
        let settled = key.filter(|_| !put_back);
        let mut effects = self.page_if_wanted(id, settled.as_ref());
        effects.push(Effect::SaveMemory);
        self.undo = settled.and_then(|key| {
            let parked = self.slot(&key)?.parked.clone()?;
            Some(Undo { line: key.line, slot: key.id, parked, until: self.now + UNDO_FOR })
        });
        if !rivals.is_empty() {
            return self.park_doubted(call.line, &rivals);
        }
        effects
    }

    /// Whether the caller of a park that is only proven now was fetched from his slot before: its lamp may have lit for
    /// somebody else since.
    fn was_fetched_meanwhile(&self, parked: &Call, slot: Option<&SlotId>) -> bool {
        let same = |call: &Call| {
            let from_there = slot.is_some_and(|slot| call.called.as_str() == slot.as_str());
            let settled = call.strength.is_some() && call.waiting_since >= parked.since;
            match &call.phase {
                Phase::Retrieving { target } | Phase::Verifying { target, .. } => {
                    call.since >= parked.since && slot == Some(&target.slot)
                }
                _ => settled && (from_there || parked.party.agrees_with(&call.party)),
            }
        };
        self.calls.iter().any(|call| call.id != parked.id && call.line == parked.line && same(call))
    }

    /// The slots in question when a park is proven: `proven`, and those that have lit since it was asked for and at the
    /// same time. None where there is only one, or where the server names who is there.
    fn lit_meanwhile(&self, call: &Call, proven: Option<&SlotId>) -> Vec<SlotId> {
        let nameless = |p: &&ParkedCall| !p.ours && p.parkee.is_withheld();
        let lit_at = |slot: &Slot| slot.parked.as_ref().filter(nameless).map(|p| p.since);
        let proven = proven.and_then(|id| self.slot(&call.slot_key(id)));
        let Some((proven, first)) = proven.and_then(|slot| Some((slot, lit_at(slot)?))) else {
            return Vec::new();
        };
        let met = |at: Moment| at >= call.since && at.abs_diff(first) <= MET_WITHIN;
        let rivals = self.slots_in(proven.lot_key()).filter(|s| s.id != proven.id && s.holds_somebody());
        let rivals: Vec<SlotId> =
            rivals.filter(|s| lit_at(s).is_some_and(met)).map(|s| s.id.clone()).collect();
        if rivals.is_empty() { rivals } else { [proven.id.clone()].into_iter().chain(rivals).collect() }
    }

    /// What will be known of `call` in its slot, from what we know of it now.
    fn parked_from(&self, call: &Call, slot: Option<&SlotId>) -> ParkedCall {
        let slot = slot.map(|slot| call.slot_key(slot));
        ParkedCall {
            parkee: call.party.clone(),
            parker: Identity::new("you", ""),
            since: self.now,
            since_inferred: false,
            note: call.note.clone(),
            comes_back_at: slot.and_then(|slot| self.comes_back_at(&slot, self.now)),
            ours: true,
            strength: self.abilities(call.line).strength,
            key: None,
            told_by: Text::default(),
        }
    }

    /// When a call parked there at `since` comes back, by the lot's configured time.
    pub(super) fn comes_back_at(&self, slot: &SlotKey, since: Moment) -> Option<(Moment, bool)> {
        let seconds = self.lot_of(slot)?.abilities.parking_time_s.filter(|s| *s > 0)?;
        Some((since + Duration::from_secs(seconds.into()), true))
    }

    /// Writes what we know into the slot. What the server told of the same call (its key above all) stays.
    fn settle_in(&mut self, slot: &SlotKey, parked: ParkedCall) {
        let Some(slot) = self.slot_mut(slot) else { return };
        let mut merged = parked;
        if let Some(told) = slot.parked.take() {
            if told.is_the_servers_word(&merged) {
                merged.parkee = told.parkee;
            }
            merged.key = told.key;
            merged.since = told.since.min(merged.since);
            if !told.note.is_empty() {
                merged.note = told.note;
            }
            merged.comes_back_at = told.comes_back_at.or(merged.comes_back_at);
        }
        slot.parked = Some(merged);
        slot.remembered = false;
        slot.asking = None;
    }

    /// Two lamps lit at once and only one of them is ours: neither may claim to be our caller. A retrieve compares.
    pub(super) fn park_doubted(&mut self, line: LineId, slots: &[SlotId]) -> Vec<Effect> {
        // In the order of the board, whichever lit first.
        let meant = self.slots_of(line).filter(|slot| slots.contains(&slot.id));
        let keys: Vec<SlotKey> = meant.map(Slot::key).collect();
        let ours =
            keys.iter().filter_map(|id| self.slot(id)).find_map(|s| s.parked.clone().filter(|p| p.ours));
        let Some(ours) = ours else { return Vec::new() };
        for id in &keys {
            let Some(slot) = self.slot_mut(id) else { continue };
            slot.remembered = false;
            if let Some(parked) = slot.parked.as_mut() {
                parked.parkee = Identity::default();
                parked.parker = Identity::default();
                parked.strength = Strength::Unverified;
                parked.note = Text::default();
                parked.ours = false;
            }
        }
        self.undo = None;
        let places: Vec<String> = keys.iter().map(|key| self.place(key)).collect();
        let (who, places) = (ours.parkee.label().to_owned(), places.join(" or "));
        self.say(
            Severity::Warning,
            &format!("{who} is on {places}: two parks met, the server doesn't say which"),
        );
        vec![Effect::SaveMemory]
    }

    /// A park failed: the caller is in hand again, on hold if he was, with the reason.
    pub(super) fn park_refused(&mut self, id: CallId, reason: &Text) -> Vec<Effect> {
        let now = self.now;
        for slot in &mut self.slots {
            if slot.asking.as_ref().is_some_and(|a| a.what == AskingFor::Park(id)) {
                slot.asking = None;
            }
        }
        self.page_after.take_if(|wanted| *wanted == id);
        let who = self.called_of(id);
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        let phase = call.phase.clone();
        match phase {
            Phase::Parking { was_held, .. } | Phase::Transferring { was_held, .. } => {
                call.come_back(was_held, now);
                let where_now =
                    if was_held { "on hold" } else { "with you, microphone closed · enter speaks" };
                self.say(
                    Severity::Error,
                    &format!("park failed: {reason} · {who} is {where_now} · p tries again"),
                );
                // Another call may have been taken meanwhile: then this one waits on hold, not in silence.
                if !was_held && self.in_hand.is_some_and(|hand| hand != id) {
                    return self.hold_call(id);
                }
                if self.in_hand.is_none() {
                    self.in_hand = Some(id);
                }
                Vec::new()
            }
            Phase::PuttingBack { slot } => {
                call.enter(Phase::Holding, now);
                // Whoever takes him on speaks to somebody whom nobody vouches for.
                call.strength.get_or_insert(Strength::Unverified);
                let slot = call.slot_key(&slot);
                let slot = self.place(&slot);
                let text = format!(
                    "{who} could not be put back in {slot}: {reason} · held with you, microphone closed"
                );
                self.say(Severity::Error, &text);
                vec![Effect::Hold(id)]
            }
            _ => Vec::new(),
        }
    }

    /// `u`: retrieves exactly the call that was parked last, or says why it can't.
    pub(super) fn undo_park(&mut self) -> Vec<Effect> {
        let now = self.now;
        let Some(undo) = self.undo.take() else {
            self.say(Severity::Info, "nothing to undo");
            return Vec::new();
        };
        if now >= undo.until {
            let place = self.place(&undo.key());
            let text = format!("too late to undo: {} is on {place}", undo.parked.parkee.label());
            self.say(Severity::Warning, &text);
            return Vec::new();
        }
        // The park may have been proven by the server's answer, before the lamp told the call's name, or at all.
        let same = |p: &&ParkedCall| p.ours && (undo.parked.key.is_none() || p.key == undo.parked.key);
        let there = self.slot(&undo.key()).filter(|s| s.holds_somebody() || s.is_known_free());
        let Some(seen) = there.and_then(|s| s.parked.as_ref()).filter(same).cloned() else {
            let place = self.place(&undo.key());
            let text = format!("can't undo: {} has left {place}", undo.parked.parkee.label());
            self.say(Severity::Warning, &text);
            return Vec::new();
        };
        let (strength, key) = (seen.strength, seen.key.clone());
        self.retrieve(undo.line, RetrieveTarget { slot: undo.slot, seen, strength, key })
    }
}

impl ParkedCall {
    /// Whether the server itself told who this is, so that its word stands over our memory.
    fn is_the_servers_word(&self, ours: &Self) -> bool {
        !self.parkee.is_withheld() && (self.key.is_some() || self.parkee.agrees_with(&ours.parkee))
    }
}
