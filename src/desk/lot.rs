//! The parking lots of a line: its server may have several, each with its own slots, options and park extension. No slot's
//! number is in two of them.

use super::line::{LineId, SlotKey};
use super::{Abilities, Desk, Ladder, PageGroup, ParkBar, Severity, Slot};
use crate::parking::{SlotId, Text};
use serde::{Deserialize, Serialize};

/// The most lots of one line.
pub const MAX_LOTS: usize = 8;

/// Which lot of its line: in the order of the configuration, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LotId(pub u8);

impl LotId {
    /// As an index into [`super::Line::lots`].
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// Which lot on this desk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LotKey {
    /// Whose.
    pub line: LineId,
    /// Which of his.
    pub lot: LotId,
}

/// One parking lot of a line's server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkingLot {
    /// What the board calls it.
    pub name: Text,
    /// What can be done there.
    pub abilities: Abilities,
    /// The page group, if there is one.
    #[serde(default)]
    pub page: Option<PageGroup>,
    /// When a parked call has waited long.
    #[serde(default)]
    pub ladder: Ladder,
    /// What the server puts before the name of a caller who comes back; empty where it puts nothing.
    #[serde(default)]
    pub comeback_prefix: Text,
}

/// What a lot is made of.
#[derive(Clone, Debug, Default)]
pub struct NewLot {
    /// What the board calls it.
    pub name: String,
    /// Its slots, in their order on the board.
    pub slots: Vec<SlotId>,
    /// What can be done there.
    pub abilities: Abilities,
    /// The page group, if there is one.
    pub page: Option<PageGroup>,
    /// Seconds after which a parked call has waited long, too long, and so long that it is paged; `None`: as the lot's
    /// time suggests.
    pub escalate_s: Option<Vec<u32>>,
    /// What the server puts before the name of a caller who comes back.
    pub comeback_prefix: String,
}

impl From<&NewLot> for ParkingLot {
    fn from(new: &NewLot) -> Self {
        Self {
            name: Text::new(&new.name),
            abilities: new.abilities.clone(),
            page: new.page.clone(),
            ladder: Ladder::new(new.escalate_s.as_deref(), new.abilities.parking_time_s),
            comeback_prefix: Text::new(&new.comeback_prefix),
        }
    }
}

impl Desk {
    /// A lot of this desk.
    pub fn lot(&self, key: LotKey) -> Option<&ParkingLot> {
        self.line(key.line)?.lots.get(key.lot.index())
    }

    /// The lot that a slot is in.
    pub fn lot_of(&self, slot: &SlotKey) -> Option<&ParkingLot> {
        self.lot(self.slot(slot)?.lot_key())
    }

    /// All lots with what names them, in the order of the board.
    pub fn numbered_lots(&self) -> impl Iterator<Item = (LotKey, &ParkingLot)> {
        let of = |(line, there)| lots_of(there).map(move |(lot, it)| (LotKey { line, lot }, it));
        self.numbered_lines().flat_map(of)
    }

    /// The slots of one lot.
    pub fn slots_in(&self, lot: LotKey) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(move |slot| slot.lot_key() == lot)
    }

    /// What can be done in the lot that this slot is in.
    pub fn abilities_at(&self, slot: &SlotKey) -> Abilities {
        let nothing = || Abilities { park: false, ..Abilities::default() };
        self.lot_of(slot).map_or_else(nothing, |lot| lot.abilities.clone())
    }

    /// The lot that the park key parks a call of this line in: the operator's choice, else the first.
    pub fn lot_out(&self, line: LineId) -> LotKey {
        LotKey { line, lot: self.line(line).map(|there| there.chosen_lot).unwrap_or_default() }
    }

    /// Whether some line has more than one lot, so that there is something to choose.
    pub fn has_lots_to_choose(&self) -> bool {
        self.lines.iter().any(|line| line.lots.len() > 1)
    }

    /// The line whose lots are chosen from: that of the call in hand, else the one that new calls go out by, else the first
    /// that has several.
    pub fn line_of_lots(&self) -> LineId {
        let several = |line: &LineId| self.line(*line).is_some_and(|there| there.lots.len() > 1);
        let hand = self.hand().map(|call| call.line);
        let first = || self.numbered_lines().map(|(id, _)| id).find(several);
        hand.or_else(|| Some(self.line_out()).filter(several)).or_else(first).unwrap_or_default()
    }

    /// Parks go into this lot from now on, or into the next one of the line that is in hand.
    pub(super) fn choose_lot(&mut self, lot: Option<LotKey>) -> Vec<super::Effect> {
        let line = lot.map_or_else(|| self.line_of_lots(), |lot| lot.line);
        let count = self.line(line).map_or(0, |there| there.lots.len());
        if count < 2 {
            return self.nothing("there is only one lot");
        }
        let next = (self.lot_out(line).lot.index() + 1) % count;
        let next = LotKey { line, lot: LotId(u8::try_from(next).unwrap_or(0)) };
        let lot = lot.filter(|lot| self.lot(*lot).is_some()).unwrap_or(next);
        if let Some(there) = self.line_mut(line) {
            there.chosen_lot = lot.lot;
        }
        let free = self.slots_in(lot).filter(|slot| slot.is_known_free()).count();
        let name = self.lot(lot).map(|there| there.name.to_string()).unwrap_or_default();
        let of = self.of_line(line);
        self.say(Severity::Info, &format!("{of}p parks in lot “{name}” now, where {free} slots are free"));
        Vec::new()
    }

    /// No slot of that lot is free: is there room in another one of the same server?
    pub(super) fn full(&self, lot: LotKey) -> ParkBar {
        let has_room = |key: &LotKey| key.line == lot.line && self.slots_in(*key).any(Slot::is_known_free);
        let other = self.numbered_lots().find(|(key, _)| has_room(key)).map(|(_, it)| it.name.clone());
        match (other, self.lot(lot)) {
            (Some(room_in), Some(full)) => ParkBar::ThisLotFull { lot: full.name.clone(), room_in },
            _ => ParkBar::LotFull,
        }
    }
}

/// The lots of one line with their numbers.
fn lots_of(line: &super::Line) -> impl Iterator<Item = (LotId, &ParkingLot)> {
    (0u8..).map(LotId).zip(&line.lots)
}
