//! Users: a name and a secret to register with, what rings them, and what they may do.

use super::{Feature, LotConfig, MAX_CONTACTS, ParkingConfig, SlotRange, claim, hide_secret, read_secret};
use crate::parking::SlotId;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// One user: a name and a secret to register with, and the extension that rings his phones.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserConfig {
    /// The name in the address of record and in the digest.
    pub name: String,
    /// The digest secret. Never printed.
    #[serde(deserialize_with = "read_secret", serialize_with = "hide_secret")]
    pub secret: SecretString,
    /// What other phones show; the name when empty.
    #[serde(default)]
    pub display_name: String,
    /// The number that rings this user; none for one who only calls.
    #[serde(default)]
    pub extension: Option<SlotId>,
    /// What the user may do beside calling.
    #[serde(default)]
    pub permissions: Permissions,
    /// How many phones may be registered at once.
    #[serde(default = "four")]
    pub max_contacts: u8,
    /// What he may type into a call. To park he needs the right to park, too.
    #[serde(default = "one_step_parking")]
    pub features: Vec<Feature>,
    /// The contexts whose lots this user reaches, besides those lots that have none.
    #[serde(default)]
    pub contexts: Vec<String>,
    /// The lot in which he parks where he names none; the first when absent.
    #[serde(default)]
    pub parkinglot: Option<String>,
    /// Makes his `parkinglot` a dynamic one, and is its slots: it comes to be when somebody first dials one of its numbers.
    #[serde(default)]
    pub parkingdynpos: Option<SlotRange>,
    /// The park extension of that lot; its template's when absent.
    #[serde(default)]
    pub parkingdynexten: Option<SlotId>,
    /// The lot whose options it takes over; the first when absent.
    #[serde(default)]
    pub parkingdynamic: Option<String>,
    /// The lots in which he may park; all that he reaches when absent.
    #[serde(default)]
    pub park_in: Option<Vec<String>>,
    /// The lots of which he may retrieve what others parked, and see who is there; all that he reaches when absent.
    #[serde(default)]
    pub retrieve_from: Option<Vec<String>>,
    /// How many calls the user may have before further ones to him are refused as busy; 0: as many as there are.
    #[serde(default)]
    pub max_calls: u8,
    /// The number that people outside are shown when this user calls them; the trunk's when absent.
    #[serde(default)]
    pub outside_number: Option<String>,
    /// For a server of ours that has proven its callers itself (a proxy, another phone system): its address. Datagrams
    /// from exactly there are this user's without a password, except REGISTER.
    #[serde(default)]
    pub address: Option<SocketAddr>,
}

impl UserConfig {
    /// A user with the rights of everybody, and no number.
    pub fn new(name: impl Into<String>, secret: SecretString) -> Self {
        Self {
            name: name.into(),
            secret,
            display_name: String::new(),
            extension: None,
            permissions: Permissions::default(),
            max_contacts: four(),
            features: one_step_parking(),
            max_calls: 0,
            outside_number: None,
            contexts: Vec::new(),
            parkinglot: None,
            parkingdynpos: None,
            parkingdynexten: None,
            parkingdynamic: None,
            park_in: None,
            retrieve_from: None,
            address: None,
        }
    }

    /// Whether this is a server with people of its own behind it.
    pub fn speaks_for_others(&self) -> bool {
        self.permissions.assert_identity
    }

    /// The name to show: the display name, else the user's name.
    pub fn label(&self) -> &str {
        if self.display_name.is_empty() { &self.name } else { &self.display_name }
    }

    /// The number to show: the extension, else the user's name.
    pub fn number(&self) -> &str {
        self.extension.as_ref().map_or(&self.name, |e| e.as_str())
    }
}

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Permissions {
    /// May park calls.
    pub park: bool,
    /// May retrieve calls that others parked, and see who is parked.
    pub retrieve: bool,
    /// Speaks for others: the identity in this user's From or P-Asserted-Identity is believed (a gateway, a demo's
    /// callers). Everybody else is who the configuration says.
    pub assert_identity: bool,
    /// May take calls that ring somebody else, and see who calls there.
    pub pickup: bool,
    /// May call and transfer to numbers outside, over a trunk.
    pub trunk: bool,
}

impl Permissions {
    /// Whether calls may be taken that ring somebody else: never by those who speak for others, whose callers would.
    pub fn may_pick_up(&self) -> bool {
        self.pickup && !self.assert_identity
    }
}

impl Default for Permissions {
    fn default() -> Self {
        Self { park: true, retrieve: true, assert_identity: false, pickup: true, trunk: false }
    }
}

impl UserConfig {
    pub(super) fn problems(
        &self,
        i: usize,
        numbers: &mut BTreeMap<String, String>,
        say: &mut impl FnMut(String, String),
    ) {
        let path = format!("users.{i}");
        let owner = format!("user {} ({})", i + 1, self.name);
        if SlotId::new(&self.name).is_none() {
            say(
                format!("{path}.name"),
                "a name has 1 to 32 letters, digits, “_”, “.”, “-” or “+”".to_owned(),
            );
        }
        if self.secret.expose_secret().is_empty() {
            say(format!("{path}.secret"), "the secret is empty".to_owned());
        }
        if !(1..=MAX_CONTACTS).contains(&self.max_contacts) {
            say(format!("{path}.max_contacts"), format!("between 1 and {MAX_CONTACTS}"));
        }
        if let Some(address) = self.address {
            if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
                let message = "the address and port that a server sends from, for example \"192.0.2.5:5060\"";
                say(format!("{path}.address"), message.to_owned());
            }
            if !self.speaks_for_others() {
                let message = "who is behind that server? Add `permissions = { assert_identity = true }`: what it \
                               says of its callers is believed";
                say(format!("{path}.address"), message.to_owned());
            }
        }
        claim(numbers, &self.name, &owner, &format!("{path}.name"), say);
        if let Some(extension) = &self.extension {
            claim(numbers, extension.as_str(), &owner, &format!("{path}.extension"), say);
        }
    }

    /// What is wrong with the lots that he names.
    pub(super) fn lot_problems(
        &self,
        i: usize,
        config: &LotConfig,
        dynamic: &[(usize, ParkingConfig)],
        say: &mut impl FnMut(String, String),
    ) {
        let written = |name: &str| config.lots.iter().any(|lot| lot.name == name);
        let known = |name: &str| written(name) || dynamic.iter().any(|(_, lot)| lot.name == name);
        let named = [("park_in", &self.park_in), ("retrieve_from", &self.retrieve_from)];
        let lists =
            named.into_iter().flat_map(|(key, list)| list.iter().flatten().map(move |name| (key, name)));
        let own = self.parkinglot.iter().map(|name| ("parkinglot", name));
        for (key, name) in own.chain(lists).filter(|(_, name)| !known(name)) {
            say(format!("users.{i}.{key}"), format!("there is no lot “{name}”"));
        }
        if let Some(name) = self.parkingdynamic.as_deref().filter(|name| !written(name)) {
            say(format!("users.{i}.parkingdynamic"), format!("there is no lot “{name}”"));
        }
        let path = format!("users.{i}.parkingdynpos");
        let his = dynamic.iter().find(|(_, lot)| Some(&lot.name) == self.parkinglot.as_ref());
        match (self.parkingdynpos, his) {
            (None, _) => {}
            (Some(_), _) if !config.parkeddynamic => {
                say(path, "no lot is made on demand: add `parkeddynamic = true`".to_owned());
            }
            (Some(_), _) if self.parkinglot.as_deref().is_none_or(written) => {
                say(path, "give the lot a name of its own with `parkinglot`".to_owned());
            }
            (Some(slots), Some((_, lot))) if lot.parkpos != slots => {
                say(path, format!("another user's “{}” has the slots {}", lot.name, lot.parkpos));
            }
            _ => {}
        }
        let contexts = |name: &&String| !config.lots.iter().any(|lot| lot.context.as_ref() == Some(*name));
        for name in self.contexts.iter().filter(contexts) {
            say(format!("users.{i}.contexts"), format!("no lot has the context “{name}”"));
        }
    }
}

impl LotConfig {
    /// Two servers can't be at one address.
    pub(super) fn address_problems(&self, say: &mut impl FnMut(String, String)) {
        let mut taken: BTreeMap<SocketAddr, &str> = BTreeMap::new();
        for (i, user) in self.users.iter().enumerate() {
            let Some(address) = user.address else { continue };
            let path = format!("users.{i}.address");
            if address == self.contact_address() {
                say(path.clone(), "that is the lot's own address".to_owned());
            }
            if let Some(other) = taken.insert(address, &user.name) {
                say(path, format!("“{other}” has this address already"));
            }
        }
    }
}

fn one_step_parking() -> Vec<Feature> {
    vec![Feature::ParkCall]
}

fn four() -> u8 {
    4
}
