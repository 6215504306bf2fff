//! What is to be examined, taken from the configuration once: the only place here that knows how a dialect is written.

use super::ami::ManagerPlan;
use crate::config;
use crate::dialect::{By, Dialect, PhoneConfig};
use crate::parking::SlotId;
use crate::sip::Peer;
use crate::sip::message::NameAddr;
use crate::sip::sdp::Codec;
use std::net::IpAddr;

/// The longest number that is counted with.
const MAX_NUMBER: usize = 15;

/// What the administrator asked for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The account's name, where there are several.
    pub account: Option<String>,
    /// The number that the test call dials; `None`: the account's own user.
    pub call: Option<String>,
    /// The number that the account's own calls show, where it is not the one dialled.
    pub caller_id: Option<String>,
    /// Nothing that makes a call.
    pub quick: bool,
    /// Ask nothing.
    pub yes: bool,
    /// Wait for a parked call to come back.
    pub comeback: bool,
    /// Put what was found into the configuration.
    pub write: bool,
    /// Findings as JSON.
    pub json: bool,
}

/// The account as the examiner needs it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub user: String,
    pub aor: NameAddr,
    pub dialect: Dialect,
    /// What is called to park; none where keys are pressed.
    pub park_extension: Option<SlotId>,
    /// The keys that park, where keys do.
    pub feature_code: Option<String>,
    pub slots: Vec<SlotId>,
    pub list: Option<SlotId>,
    /// Whether a call can be parked into a chosen slot.
    pub directed: bool,
    pub codecs: Vec<Codec>,
    /// Where sound arrives, in the family of addresses of the first server.
    pub media_address: IpAddr,
    /// Where the server is, in the order in which that is tried.
    pub servers: Vec<Peer>,
    pub parking_time_s: Option<u32>,
    /// The number to dial, and whether somebody named it.
    pub number: String,
    pub number_named: bool,
    /// Numbers by which a call of ours is known when it rings here.
    pub own_numbers: Vec<String>,
    pub quick: bool,
    pub comeback: bool,
    /// The manager interface, where one is configured.
    pub manager: Option<ManagerPlan>,
}

impl Plan {
    pub fn new(account: &config::Account, phone: &PhoneConfig, wish: &Wish) -> Self {
        let number = wish.call.clone().unwrap_or_else(|| account.user.clone());
        let own = [Some(number.clone()), Some(account.user.clone()), wish.caller_id.clone()];
        let dialect: &Dialect = &phone.dialect;
        let (by, to) = dialect.way(None).unzip();
        Self {
            user: account.user.clone(),
            aor: phone.account.aor.clone(),
            dialect: dialect.clone(),
            park_extension: to.as_deref().filter(|_| by != Some(By::Digits)).and_then(SlotId::new),
            feature_code: to.filter(|_| by == Some(By::Digits)),
            slots: phone.slots.clone(),
            list: dialect.list.clone(),
            directed: dialect.abilities(None).directed_park,
            codecs: phone.codecs.clone(),
            media_address: phone.media_address,
            servers: phone.account.servers.clone(),
            parking_time_s: account.lot.parking_time_s,
            number,
            number_named: wish.call.is_some(),
            own_numbers: own.into_iter().flatten().collect(),
            quick: wish.quick,
            comeback: wish.comeback,
            manager: ManagerPlan::new(account),
        }
    }
}

impl Plan {
    /// The configured name of how the server parks.
    pub fn dialect_name(&self) -> &str {
        &self.dialect.name
    }

    /// Whether a lamp says who is parked.
    pub fn lamps_name_callers(&self) -> bool {
        self.dialect.preset.lamps.name_callers
    }

    /// The user part that is watched for a slot.
    pub fn watched(&self, slot: &SlotId) -> String {
        self.dialect.watched_user(slot).unwrap_or_else(|| slot.to_string())
    }

    /// What is called to fetch from a slot.
    pub fn fetched_by(&self, slot: &SlotId) -> String {
        self.dialect.retrieve_number(slot).unwrap_or_else(|| slot.to_string())
    }

    /// Where park extensions are as a rule: right before the slots, or right behind them.
    pub fn likely_park_extensions(&self) -> Vec<SlotId> {
        let beside = |slot: Option<&SlotId>, step: i64| {
            let slot = slot?.as_str();
            let number = slot.parse::<i64>().ok().filter(|_| slot.len() <= MAX_NUMBER)?.checked_add(step)?;
            SlotId::new(&format!("{number:0width$}", width = slot.len())).filter(|_| number > 0)
        };
        let found = [beside(self.slots.first(), -1), beside(self.slots.last(), 1)].into_iter().flatten();
        found.filter(|it| self.park_extension.as_ref() != Some(it) && !self.slots.contains(it)).collect()
    }

    /// Parks by that extension from now on.
    pub fn park_by(&mut self, extension: SlotId) {
        self.dialect.park_extension = Some(extension.clone());
        self.park_extension = Some(extension);
    }

    /// What is done to park, for people.
    pub fn way(&self) -> String {
        match self.dialect.way(None) {
            Some((By::Refer, to)) => format!("REFER to {to}"),
            Some((By::Digits, keys)) => format!("keys {keys}"),
            Some((By::Call, to)) => format!("a call to {to}"),
            None => "no way".to_owned(),
        }
    }
}

/// Slots as people write them: `701–709, 711`.
pub(super) fn in_short(slots: &[SlotId]) -> String {
    let mut parts: Vec<(String, String)> = Vec::new();
    for slot in slots {
        match parts.last_mut() {
            Some((_, last)) if follows(last, slot.as_str()) => slot.as_str().clone_into(last),
            _ => parts.push((slot.to_string(), slot.to_string())),
        }
    }
    let written = parts.into_iter().map(|(first, last)| match first == last {
        true => first,
        false => format!("{first}–{last}"),
    });
    written.collect::<Vec<_>>().join(", ")
}

/// Whether a number comes right after another of the same length.
fn follows(before: &str, slot: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    before.len() == slot.len()
        && number(before).and_then(|n| n.checked_add(1)) == number(slot)
        && number(slot).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_in_a_row_are_one_range() {
        let slots = |numbers: &[&str]| numbers.iter().filter_map(|n| SlotId::new(n)).collect::<Vec<_>>();
        assert_eq!(in_short(&slots(&["701", "702", "703", "711", "lot1"])), "701–703, 711, lot1");
        assert_eq!(in_short(&[]), "");
        assert_eq!(in_short(&slots(&["99", "100"])), "99, 100");
    }
}
