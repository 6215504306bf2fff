//! Who may reach which lot, park in it, retrieve from it and see who is there; and which lot is meant where several
//! share a park extension. The same answers for INVITE, REFER, SUBSCRIBE, MESSAGE and keys.

use super::Lot;
use super::plan::Destination;
use super::words::Refusal;

impl Lot {
    /// What `dialled` means for this user: nothing, where it is an extension of a lot that he doesn't reach.
    pub(super) fn destination_for(&self, user: &str, dialled: &str) -> Option<Destination> {
        let mut destination = self.destination(dialled)?;
        if let Destination::Park { lot } = &mut destination
            && let Some(home) = self.home_lot(user).filter(|home| self.shares_parkext(*home, *lot))
        {
            *lot = home;
        }
        match destination {
            Destination::Park { lot } | Destination::Slot { lot, .. } if !self.reaches(user, lot) => None,
            _ => Some(destination),
        }
    }

    /// The same, and a lot that is made on demand is made now.
    pub(super) fn reach_destination(&mut self, user: &str, dialled: &str) -> Option<Destination> {
        if !self.plan.dynamic_lots().is_empty() {
            self.make_lot_at(dialled);
            if matches!(self.destination(dialled), Some(Destination::Park { .. })) {
                self.make_home_lot(user);
            }
        }
        self.destination_for(user, dialled)
    }

    fn shares_parkext(&self, a: usize, b: usize) -> bool {
        let parkext = |lot: usize| self.parking(lot).map(|parking| &parking.parkext);
        parkext(a).is_some() && parkext(a) == parkext(b)
    }

    /// The lot in which this user parks where he names none.
    pub(super) fn home_lot(&self, user: &str) -> Option<usize> {
        let name = self.plan.user(user)?.parkinglot.as_ref()?;
        self.lots.iter().position(|lot| lot.config().name == *name)
    }

    /// Whether the lot's extensions exist for this user: it has no context, or one of his.
    pub(super) fn reaches(&self, user: &str, lot: usize) -> bool {
        let Some(parking) = self.parking(lot) else { return false };
        let Some(context) = &parking.context else { return true };
        self.plan.user(user).is_some_and(|user| user.contexts.contains(context))
    }

    /// Whether this user may park in the lot; with words for him if not.
    pub(super) fn may_park(&self, user: &str, lot: usize) -> Result<(), Refusal> {
        let Some(config) = self.plan.user(user).filter(|user| user.permissions.park) else {
            return Err(Refusal::new(403, "You may not park calls."));
        };
        if self.is_listed(config.park_in.as_deref(), lot) && self.reaches(user, lot) {
            Ok(())
        } else {
            Err(Refusal::new(403, "You may not park calls in that lot. The call stays with you."))
        }
    }

    /// Whether this user may retrieve what others parked in the lot, and so see who is there.
    pub(super) fn sees(&self, user: &str, lot: usize) -> bool {
        let config = self.plan.user(user).filter(|user| user.permissions.retrieve);
        config.is_some_and(|config| self.is_listed(config.retrieve_from.as_deref(), lot))
            && self.reaches(user, lot)
    }

    /// Those who have the right, and whoever parked the call himself.
    pub(super) fn may_retrieve(&self, user: &str, parker: &str, lot: usize) -> Result<(), Refusal> {
        if self.sees(user, lot) || user == parker {
            Ok(())
        } else {
            Err(Refusal::new(403, "You may not retrieve calls."))
        }
    }

    fn is_listed(&self, names: Option<&[String]>, lot: usize) -> bool {
        let Some(names) = names else { return true };
        self.parking(lot).is_some_and(|parking| names.contains(&parking.name))
    }
}
