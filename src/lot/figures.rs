//! How full the parking lots are, as plain figures for whoever watches the server.

use super::Lot;
use crate::parking::Moment;

/// One parking lot at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkingFigures {
    /// Its name.
    pub name: String,
    /// How many slots it has, those included that only a call from before a reload still holds.
    pub slots: usize,
    /// How many of them are taken.
    pub parked: usize,
    /// How long whoever waits longest has waited, in seconds; 0 when nobody does.
    pub longest_wait_s: u32,
}

impl Lot {
    /// Every parking lot.
    pub fn parking_figures(&self, now: Moment) -> Vec<ParkingFigures> {
        let of = |lot: &super::slots::ParkingLot<crate::sip::CallKey>| ParkingFigures {
            name: lot.config().name.clone(),
            slots: lot.slots().count(),
            parked: lot.calls().count(),
            longest_wait_s: lot.calls().map(|call| call.waited_s(now)).max().unwrap_or_default(),
        };
        self.lots.iter().map(of).collect()
    }

    /// How many datagrams were no SIP message.
    pub fn malformed_total(&self) -> u64 {
        self.agent.malformed_total()
    }
}
