//! What is to be examined, taken from the configuration once: the only place here that knows how a dialect is written.

use super::ami::ManagerPlan;
use crate::config;
use crate::desk::LotId;
use crate::dialect::{By, Dialect, PhoneConfig};
use crate::parking::{SlotId, Text};
use crate::sip::message::NameAddr;
use crate::sip::sdp::{Codec, KeyExchange, SecureMedia};
use crate::sip::{Peer, Transport};
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
    /// Ask nothing, for somebody has been asked already: `setup` does so in words of its own.
    pub consented: bool,
    /// Wait for a parked call to come back.
    pub comeback: bool,
    /// Put what was found into the configuration.
    pub write: bool,
    /// Findings as JSON.
    pub json: bool,
}

/// How the keys of encrypted sound are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// In the session description.
    Sdes,
    /// By a handshake in the media path.
    Dtls,
}

impl Keys {
    fn of(phone: &PhoneConfig) -> Option<Self> {
        let by_tls = phone.account.servers.first().is_some_and(|server| server.transport == Transport::Tls);
        match (phone.security.policy, phone.security.exchange) {
            (SecureMedia::Off, _) => None,
            (_, KeyExchange::Dtls) => Some(Self::Dtls),
            (_, KeyExchange::Auto) if !by_tls => Some(Self::Dtls),
            (_, KeyExchange::Sdes | KeyExchange::Auto) => Some(Self::Sdes),
        }
    }
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
    /// The lot, where the account has several.
    pub lot: Option<Text>,
    /// Whether everything but parking was examined already, for another lot of the same account.
    pub only_parking: bool,
    pub slots: Vec<SlotId>,
    pub list: Option<SlotId>,
    /// Whether a call can be parked into a chosen slot.
    pub directed: bool,
    pub codecs: Vec<Codec>,
    /// How the keys of encrypted sound are offered, where the account wants any.
    pub keys: Option<Keys>,
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
    /// For an account with the one lot that is to be examined: of several the `nth`, from 0.
    pub fn new(account: &config::Account, phone: &PhoneConfig, wish: &Wish, nth: Option<usize>) -> Self {
        let number = wish.call.clone().unwrap_or_else(|| account.user.clone());
        let own = [Some(number.clone()), Some(account.user.clone()), wish.caller_id.clone()];
        let dialect: &Dialect = &phone.dialect;
        let (by, to) = dialect.way(LotId::default(), None).unzip();
        let lot = account.lots.first();
        let numbers = dialect.lots.first().cloned().unwrap_or_default();
        Self {
            user: account.user.clone(),
            aor: phone.account.aor.clone(),
            dialect: dialect.clone(),
            park_extension: to.as_deref().filter(|_| by != Some(By::Digits)).and_then(SlotId::new),
            feature_code: to.filter(|_| by == Some(By::Digits)),
            lot: lot.filter(|_| nth.is_some()).map(|lot| lot.name.clone()),
            only_parking: nth.is_some_and(|nth| nth > 0),
            slots: numbers.slots,
            list: numbers.list,
            directed: dialect.abilities(LotId::default(), None).directed_park,
            codecs: phone.codecs.clone(),
            keys: Keys::of(phone),
            media_address: phone.media_address,
            servers: phone.account.servers.clone(),
            parking_time_s: lot.and_then(|lot| lot.parking_time_s),
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
        if let Some(lot) = self.dialect.lots.first_mut() {
            lot.park_extension = Some(extension.clone());
        }
        self.park_extension = Some(extension);
    }

    /// What is done to park, for people.
    pub fn way(&self) -> String {
        match self.dialect.way(LotId::default(), None) {
            Some((By::Refer, to)) => format!("REFER to {to}"),
            Some((By::Digits, keys)) => format!("keys {keys}"),
            Some((By::Call, to)) => format!("a call to {to}"),
            None => "no way".to_owned(),
        }
    }
}

/// Slots as people write them: `701–709, 711`.
pub(in crate::app) fn in_short(slots: &[SlotId]) -> String {
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
