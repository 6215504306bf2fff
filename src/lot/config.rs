//! What an administrator says about the lot: plain serde types with the defaults of a small office, and a check of
//! what the types alone can't say. Names are those of Asterisk's `res_parking.conf` where it has one.
//! No file is read here: the config module turns TOML into these and maps a [`Problem`] to its line.

mod features;
mod groups;
mod parking;
mod trunks;
mod users;

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
pub use users::{Permissions, UserConfig};

use crate::parking::SlotId;
use secrecy::SecretString;
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
    /// File of an authority (PEM) that may have signed the certificates of trunks' servers, beside those that the system
    /// trusts.
    pub tls_authority: Option<PathBuf>,
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
    /// Folder of calls that were recorded by keys; one in the state directory when absent.
    pub recordings: Option<PathBuf>,
    /// Whether both sides hear a tone while a call is recorded.
    pub recording_tone: bool,
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
            tls_authority: None,
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
            recordings: None,
            recording_tone: true,
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
        self.address_problems(&mut say);
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

fn read_secret<'de, D: Deserializer<'de>>(input: D) -> Result<SecretString, D::Error> {
    String::deserialize(input).map(SecretString::from)
}

fn hide_secret<S: Serializer>(_: &SecretString, output: S) -> Result<S::Ok, S::Error> {
    output.serialize_str("")
}

#[cfg(test)]
mod tests;
