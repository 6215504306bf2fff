//! Dynamic lots: made when somebody first dials a number of theirs, from the options of another lot. Which there can be is
//! written down (`parkinglot` with `parkingdynpos` of a user), so that no request can make one of its own.

use super::Lot;
use super::slots::ParkingLot;
use rand::RngExt;

/// The most dynamic lots at once; beyond it an empty one goes, and with none nothing is made.
pub const MAX_DYNAMIC_LOTS: usize = 64;

impl Lot {
    /// Makes the lot to which an extension belongs, where there is none yet but should be.
    pub(super) fn make_lot_at(&mut self, dialled: &str) {
        if self.plan.resolve(dialled).is_some() || self.lot_at(dialled).is_some() {
            return;
        }
        let wanted = self.plan.dynamic_lots().iter();
        let wanted = wanted.filter(|lot| lot.parkext.as_str() == dialled || lot.parkpos.contains(dialled));
        if let Some(name) = wanted.map(|lot| lot.name.clone()).next() {
            self.make_lot(&name);
        }
    }

    /// Makes the lot in which this user parks, where it is a dynamic one.
    pub(super) fn make_home_lot(&mut self, user: &str) {
        if let Some(name) = self.plan.user(user).and_then(|user| user.parkinglot.clone()) {
            self.make_lot(&name);
        }
    }

    /// Makes the dynamic lot of that name, where it may be and isn't yet.
    pub(super) fn make_lot(&mut self, name: &str) {
        if self.lots.iter().any(|lot| lot.config().name == *name) {
            return;
        }
        let Some(options) = self.plan.dynamic_lots().iter().find(|lot| lot.name == *name).cloned() else {
            return;
        };
        let written_down = self.config.lots.len();
        if self.lots.len() >= written_down + MAX_DYNAMIC_LOTS {
            let is_idle = |lot: &ParkingLot<_>| lot.is_idle();
            let idle = self.lots.iter().skip(written_down).position(is_idle);
            let Some(idle) = idle else { return };
            self.lots.remove(written_down + idle);
        }
        self.lots.push(ParkingLot::new(options, self.chance.random()));
    }

    /// The lot that has this extension now, as park extension or slot.
    pub(super) fn lot_at(&self, dialled: &str) -> Option<usize> {
        let has = |lot: &ParkingLot<_>| lot.has_slot(dialled) || lot.config().parkext.as_str() == dialled;
        self.lots.iter().position(has)
    }
}
