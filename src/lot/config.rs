//! What an administrator says about the lot: plain serde types with the defaults of a small office, and a check of
//! what the types alone can't say. Names are those of Asterisk's `res_parking.conf` where it has one.
//! No file is read here: the config module turns TOML into these and maps a [`Problem`] to its line.

mod features;
mod groups;
mod parking;
mod trunks;

pub use features::{Code, Feature, FeatureMap, Granted, MAX_CODE};
pub use groups::{
    GroupConfig, ListConfig, MAX_GROUPS, MAX_LISTED, MAX_LISTS, MAX_MEMBERS, MAX_PAGED, PageConfig, Strategy,
};
pub use parking::{
    FindSlot, Key, MAX_ANNOUNCED, MAX_FALLBACKS, ParkedHears, ParkedPlay, ParkingConfig, SaySlot, SlotRange,
};
pub use trunks::{
    InboundRule, MAX_NUMBER, MAX_RULES, MAX_TRUNKS, OutboundRule, TrunkConfig, TrunkTransport, is_number,
};

use crate::parking::SlotId;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The most users a lot serves.
pub const MAX_USERS: usize = 1_000;
/// The most named parking lots.
pub const MAX_LOTS: usize = 16;
/// The most slots of one parking lot.
pub const MAX_SLOTS: usize = 500;
/// The most contacts one user may register.
pub const MAX_CONTACTS: u8 = 16;
/// The longest time, in seconds, that any option may name: a day.
pub const MAX_TIME_S: u32 = 86_400;

/// The whole lot: where it listens, who may use it, and its parking lots.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LotConfig {
    /// Address and port for SIP over UDP.
    pub listen: SocketAddr,
    /// Address and port for SIP over TCP; none when absent.
    pub listen_tcp: Option<SocketAddr>,
    /// Address and port for SIP over TLS; none when absent. Wants `tls_certificate` and `tls_key`.
    pub listen_tls: Option<SocketAddr>,
    /// File of the certificate (PEM, followed by those up to its authority) that is shown over TLS.
    pub tls_certificate: Option<PathBuf>,
    /// File of the certificate's key (PEM).
    pub tls_key: Option<PathBuf>,
    /// What Contact, Via and SDP say when `listen` is not what the phones reach (wildcard address, NAT).
    pub advertise: Option<SocketAddr>,
    /// The digest realm, and the domain of every address of record.
    pub realm: String,
    /// Which digest algorithms phones are offered.
    pub digest: DigestOffer,
    /// Whether the sound of every leg is encrypted: keys in the signalling for phones on TLS, by DTLS for others.
    pub secure_media: SecureMedia,
    /// Longest registration that is granted, in seconds.
    pub max_expires: u32,
    /// Who may register and call.
    pub users: Vec<UserConfig>,
    /// The parking lots; the first is where a call goes that names none.
    pub lots: Vec<ParkingConfig>,
    /// Whether lots may be made on demand, for users with `parkingdynpos`.
    pub parkeddynamic: bool,
    /// What can be typed into a call.
    pub features: FeatureMap,
    /// Folder of the words that are spoken, with files like `parked-on.wav` and `7.wav`; our own for those that it
    /// hasn't.
    pub prompts: Option<PathBuf>,
    /// Extensions that ring several people.
    pub groups: Vec<GroupConfig>,
    /// Extensions that are heard on several phones.
    pub pages: Vec<PageConfig>,
    /// Lamps that are watched by one subscription.
    pub lists: Vec<ListConfig>,
    /// What is dialled before an extension to take a call that rings there; empty: nobody can.
    pub pickup: String,
    /// Accounts at providers, over which calls come in and go out.
    pub trunks: Vec<TrunkConfig>,
    /// File of the music on hold for held calls; the lot's own music, or silence, when absent.
    pub music: Option<PathBuf>,
    /// File in which is kept what goes on after a restart; in the state directory when absent.
    pub journal: Option<PathBuf>,
    /// Where metrics are told over HTTP, on this machine only; nowhere when absent.
    pub metrics: Option<SocketAddr>,
    /// What is written down beside the log.
    pub log: LogConfig,
}

impl Default for LotConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5060),
            listen_tcp: None,
            listen_tls: None,
            tls_certificate: None,
            tls_key: None,
            advertise: None,
            realm: "parkdeck".to_owned(),
            digest: DigestOffer::default(),
            secure_media: SecureMedia::default(),
            max_expires: 3_600,
            users: Vec::new(),
            lots: vec![ParkingConfig::default()],
            parkeddynamic: false,
            features: FeatureMap::default(),
            prompts: None,
            groups: Vec::new(),
            pages: Vec::new(),
            lists: Vec::new(),
            pickup: "*8".to_owned(),
            trunks: Vec::new(),
            music: None,
            journal: None,
            metrics: None,
            log: LogConfig::default(),
        }
    }
}

/// What is written down beside the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Whether every SIP message is written down.
    pub trace: Trace,
    /// Where; a file in the state directory when absent.
    pub trace_file: Option<PathBuf>,
    /// For people or for programs.
    pub format: LogFormat,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether a trace of all SIP messages is written. Credentials and keys are never in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trace {
    /// No.
    #[default]
    Off,
    /// Yes.
    On,
    /// Yes, with numbers and names replaced.
    Anonymous,
}

/// Which digest algorithms a challenge offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DigestOffer {
    /// SHA-256 first, then MD5 (RFC 8760): a phone takes the first that it knows.
    #[default]
    #[serde(rename = "sha-256")]
    Sha256,
    /// MD5 alone, for phones that stumble over an offer they don't know (baresip before 2.0, many desk phones).
    #[serde(rename = "md5")]
    Md5,
}

/// Whether sound is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecureMedia {
    /// Never.
    #[default]
    Off,
    /// Where the phone can.
    Optional,
    /// Or there is no call.
    Required,
}

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
        }
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

/// Something the types allow and a lot can't be run with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, as keys and indices: `users.2.name`.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl LotConfig {
    /// The address that goes into Contact and Via.
    pub fn contact_address(&self) -> SocketAddr {
        self.advertise.unwrap_or(self.listen)
    }

    /// The address that goes into Contact and Via over a connection: the advertised host, if there is one, with the
    /// port that is listened on.
    pub fn stream_address(&self, listen: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.advertise.map_or(listen.ip(), |advertised| advertised.ip()), listen.port())
    }

    /// The lots that may be made on demand, and which user's they are; the first of several of one name.
    pub fn dynamic_lots(&self) -> Vec<(usize, ParkingConfig)> {
        let mut lots: Vec<(usize, ParkingConfig)> = Vec::new();
        for (i, user) in self.users.iter().enumerate().filter(|_| self.parkeddynamic) {
            let (Some(name), Some(parkpos)) = (&user.parkinglot, user.parkingdynpos) else { continue };
            let template = match &user.parkingdynamic {
                Some(template) => self.lots.iter().find(|lot| lot.name == *template),
                None => self.lots.first(),
            };
            let known = |lot: &ParkingConfig| lot.name == *name;
            let Some(template) = template else { continue };
            if self.lots.iter().any(known) || lots.iter().any(|(_, lot)| known(lot)) {
                continue;
            }
            let parkext = user.parkingdynexten.clone().unwrap_or_else(|| template.parkext.clone());
            let sounds_of = Some(template.name.clone());
            lots.push((
                i,
                ParkingConfig { name: name.clone(), parkext, parkpos, sounds_of, ..template.clone() },
            ));
        }
        lots
    }

    fn stream_problems(&self, say: &mut impl FnMut(String, String)) {
        let both = [("listen_tcp", self.listen_tcp), ("listen_tls", self.listen_tls)];
        for (key, listen) in both.into_iter().filter_map(|(key, listen)| Some((key, listen?))) {
            if self.stream_address(listen).ip().is_unspecified() {
                let message =
                    "phones can't reach a wildcard address: add `advertise` with this machine's address";
                say(key.to_owned(), message.to_owned());
            }
        }
        if self.listen_tcp.is_some() && self.listen_tcp == self.listen_tls {
            say("listen_tls".to_owned(), "TCP and TLS want a port each; 5061 is usual for TLS".to_owned());
        }
        let files = [("tls_certificate", &self.tls_certificate), ("tls_key", &self.tls_key)];
        for (key, file) in files {
            match (self.listen_tls, file) {
                (Some(_), None) => {
                    say(
                        "listen_tls".to_owned(),
                        format!("TLS wants a certificate: add `{key}` with its file"),
                    );
                }
                (None, Some(_)) => {
                    say(
                        key.to_owned(),
                        "nothing is listened on: add `listen_tls`, or leave this out".to_owned(),
                    );
                }
                _ => {}
            }
        }
    }

    /// Everything that is wrong; empty when the lot can run.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut say = |path: String, message: String| found.push(Problem { path, message });
        if self.contact_address().ip().is_unspecified() {
            let message =
                "phones can't reach a wildcard address: add `advertise` with this machine's address";
            say("listen".to_owned(), message.to_owned());
        }
        self.stream_problems(&mut say);
        if self.metrics.is_some_and(|at| !at.ip().is_loopback()) {
            let message = "metrics are told on this machine only: 127.0.0.1 or [::1]; let a proxy of yours carry them on";
            say("metrics".to_owned(), message.to_owned());
        }
        if self.realm.is_empty()
            || !self.realm.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
        {
            say("realm".to_owned(), "the realm is a domain name: letters, digits, “-” and “.”".to_owned());
        }
        if !(60..=MAX_TIME_S).contains(&self.max_expires) {
            say("max_expires".to_owned(), format!("between 60 and {MAX_TIME_S} seconds"));
        }
        if self.users.len() > MAX_USERS {
            say("users".to_owned(), format!("at most {MAX_USERS} users"));
        }
        if self.lots.is_empty() || self.lots.len() > MAX_LOTS {
            say("lots".to_owned(), format!("between 1 and {MAX_LOTS} lots"));
        }
        self.features.problems(&mut say);
        // Who owns which dialled number; one number must mean one thing.
        let mut numbers: BTreeMap<String, String> = BTreeMap::new();
        for (i, user) in self.users.iter().enumerate() {
            user.problems(i, &mut numbers, &mut say);
        }
        for (i, lot) in self.lots.iter().enumerate() {
            lot.problems(i, self, &mut numbers, &mut say);
        }
        self.group_problems(&mut numbers, &mut say);
        self.page_problems(&mut numbers, &mut say);
        self.list_problems(&mut numbers, &mut say);
        self.trunk_problems(&mut say);
        self.pickup_problems(&numbers, &mut say);
        for (i, lot) in self.lots.iter().enumerate() {
            lot.people_problems(i, self, &mut say);
        }
        let dynamic = self.dynamic_lots();
        for (i, user) in self.users.iter().enumerate() {
            user.lot_problems(i, self, &dynamic, &mut say);
        }
        for (i, lot) in &dynamic {
            lot.dynamic_problems(*i, self, &mut numbers, &mut say);
        }
        for (i, group) in self.groups.iter().enumerate() {
            let known = |target: &&str| self.is_user(target) || self.is_reached(target);
            if let Some(target) = group.fallback.as_deref().filter(|t| !known(t)) {
                let message = format!("“{target}” is no user, no extension and no number of a trunk");
                say(format!("groups.{i}.fallback"), message);
            }
        }
        found
    }

    /// Whether that is a group, or a number that some trunk takes.
    fn is_reached(&self, target: &str) -> bool {
        self.groups.iter().any(|group| group.extension.as_str() == target)
            || self.trunks.iter().any(|trunk| trunk.outbound_for(target).is_some())
    }

    /// What is dialled to pick a call up must not be how some number begins.
    fn pickup_problems(&self, numbers: &BTreeMap<String, String>, say: &mut impl FnMut(String, String)) {
        if self.pickup.is_empty() {
            return;
        }
        if SlotId::new(&self.pickup).is_none() {
            say("pickup".to_owned(), "digits, letters, “*” and “#”, for example \"*8\"".to_owned());
        }
        let begins = numbers.iter().find(|(number, _)| number.starts_with(&self.pickup));
        if let Some((number, owner)) = begins {
            say("pickup".to_owned(), format!("“{number}” of {owner} begins like this"));
        }
    }
}

/// Claims `number` for `owner`; says so when somebody has it already.
fn claim(
    numbers: &mut BTreeMap<String, String>,
    number: &str,
    owner: &str,
    path: &str,
    say: &mut impl FnMut(String, String),
) {
    match numbers.get(number) {
        Some(other) if other != owner => {
            say(path.to_owned(), format!("“{number}” belongs to {other} already"));
        }
        _ => {
            numbers.insert(number.to_owned(), owner.to_owned());
        }
    }
}

impl UserConfig {
    fn problems(
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
        claim(numbers, &self.name, &owner, &format!("{path}.name"), say);
        if let Some(extension) = &self.extension {
            claim(numbers, extension.as_str(), &owner, &format!("{path}.extension"), say);
        }
    }
}

impl UserConfig {
    /// What is wrong with the lots that he names.
    fn lot_problems(
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

fn one_step_parking() -> Vec<Feature> {
    vec![Feature::ParkCall]
}

fn four() -> u8 {
    4
}

fn read_secret<'de, D: Deserializer<'de>>(input: D) -> Result<SecretString, D::Error> {
    String::deserialize(input).map(SecretString::from)
}

fn hide_secret<S: Serializer>(_: &SecretString, output: S) -> Result<S::Ok, S::Error> {
    output.serialize_str("")
}

#[cfg(test)]
mod tests;
