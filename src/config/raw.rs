//! The console's file as serde reads it: each value keeps its place, so that whatever [`super::check`] finds wrong
//! can be pointed at.

use super::mask::is_secret_key;
use super::meaning::nearest;
use super::{
    CallersShown, Codec, Digest, Driver, IdentitySource, KeyExchange, Lamps, LogLevel, Notify, PageVoice,
    RecordingFormat, SecureMedia, Switch, Trace, TransportChoice,
};
use crate::parking::SlotId;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    pub account: Option<Spanned<RawAccount>>,
    #[serde(default)]
    pub accounts: Vec<Spanned<RawAccount>>,
    pub lot: Option<Spanned<RawLot>>,
    #[serde(default)]
    pub lots: Vec<Spanned<RawLot>>,
    #[serde(default)]
    pub sound: RawSound,
    #[serde(default)]
    pub recording: RawRecording,
    #[serde(default)]
    pub screen: RawScreen,
    #[serde(default)]
    pub keys: BTreeMap<String, OneOrMany>,
    #[serde(default)]
    pub log: RawLog,
    #[serde(default)]
    pub network: RawNetwork,
    #[serde(default)]
    pub tls: RawTls,
    pub team: Option<Spanned<RawTeam>>,
    #[serde(default)]
    pub people: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub directory: RawDirectory,
    #[serde(default)]
    pub journal: RawJournal,
    #[serde(default)]
    pub calls: RawCalls,
    #[serde(default)]
    pub control: RawControl,
    #[serde(default)]
    pub wallboard: RawWallboard,
    #[serde(default)]
    pub hooks: BTreeMap<String, Spanned<OneOrMany>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCalls {
    pub night: Option<Spanned<String>>,
    pub night_hours: Option<Spanned<OneOrMany>>,
    pub busy: Option<Spanned<String>>,
    pub overflow: Option<Spanned<String>>,
    pub overflow_after: Option<Spanned<u32>>,
    pub voicemail: Option<Spanned<String>>,
    pub voicemail_prefix: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawControl {
    pub socket: Option<bool>,
    pub notify: Option<Notify>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWallboard {
    pub callers: CallersShown,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawJournal {
    pub enabled: Option<bool>,
    pub keep_days: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDirectory {
    pub files: Vec<Spanned<PathBuf>>,
    pub country: Option<Spanned<String>>,
    pub ldap: Option<Spanned<RawLdap>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLdap {
    pub url: Spanned<String>,
    pub base: Spanned<String>,
    pub filter: Option<Spanned<String>>,
    pub user: Option<Spanned<String>>,
    pub password_file: Option<Spanned<PathBuf>>,
    pub password_env: Option<Spanned<String>>,
    pub password_command: Option<Spanned<OneOrMany>>,
    pub refresh: Option<Spanned<u32>>,
    pub allow_plain: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccount {
    pub user: Spanned<String>,
    pub server: Spanned<String>,
    pub name: Option<Spanned<String>>,
    pub transport: Option<Spanned<TransportChoice>>,
    pub outbound_proxy: Option<Spanned<String>>,
    pub display_name: Option<String>,
    pub auth_user: Option<Spanned<String>>,
    pub realm: Option<Spanned<String>>,
    pub further_realms: Option<Vec<Spanned<String>>>,
    pub password_file: Option<Spanned<PathBuf>>,
    pub password_env: Option<Spanned<String>>,
    pub password_command: Option<Spanned<OneOrMany>>,
    pub digest: Option<Digest>,
    pub expires: Option<Spanned<u32>>,
    pub secure_media: Option<SecureMedia>,
    pub key_exchange: Option<Spanned<KeyExchange>>,
    pub identity: Option<Spanned<Vec<IdentitySource>>>,
    pub auto_answer: Option<Vec<Spanned<String>>>,
    pub codecs: Option<Spanned<Vec<Codec>>>,
    pub voicemail: Option<Spanned<String>>,
    pub lot: Option<Spanned<RawLot>>,
    #[serde(default)]
    pub lots: Vec<Spanned<RawLot>>,
    pub team: Option<Spanned<RawTeam>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTeam {
    pub members: Vec<Spanned<String>>,
    pub watch: Vec<Spanned<String>>,
    pub pickup_prefix: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLot {
    pub name: Option<Spanned<String>>,
    pub dialect: Option<Spanned<String>>,
    pub lamps: Option<Spanned<Lamps>>,
    pub park_extension: Option<Spanned<SlotId>>,
    pub slots: Option<Spanned<OneOrMany>>,
    pub list: Option<Spanned<SlotId>>,
    pub parking_time: Option<Spanned<u32>>,
    pub directed_prefix: Option<Spanned<String>>,
    pub ami: Option<Spanned<RawAmi>>,
    pub escalate: Option<Spanned<Vec<u32>>>,
    pub page: Option<Spanned<SlotId>>,
    pub page_voice: Option<Spanned<PageVoice>>,
    pub comeback_prefix: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAmi {
    pub host: Option<Spanned<String>>,
    pub port: Option<Spanned<u16>>,
    pub user: Spanned<String>,
    pub secret_file: Option<Spanned<PathBuf>>,
    pub secret_env: Option<Spanned<String>>,
    pub secret_command: Option<Spanned<OneOrMany>>,
    pub tls: Option<bool>,
    pub lot: Option<Spanned<OneOrMany>>,
    pub device: Option<Spanned<String>>,
    pub allow_plain_login: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTls {
    pub ca_file: Option<Spanned<PathBuf>>,
    pub certificate_file: Option<Spanned<PathBuf>>,
    pub key_file: Option<Spanned<PathBuf>>,
    pub verify: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSound {
    pub enabled: Option<bool>,
    pub headset_in: Option<String>,
    pub headset_out: Option<String>,
    pub ringer: Option<String>,
    pub ring_volume: Option<Spanned<u32>>,
    pub second_ear: Option<String>,
    pub driver: Driver,
    pub echo_canceller: Switch,
    pub noise_suppression: Switch,
    pub gain_control: Switch,
    pub country: Option<Spanned<String>>,
    pub codecs: Option<Spanned<Vec<Codec>>>,
    pub waiting_tone: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRecording {
    pub folder: Option<PathBuf>,
    pub format: RecordingFormat,
    pub tone: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawScreen {
    pub theme: Option<String>,
    pub mouse: Option<bool>,
    pub record: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLog {
    pub level: LogLevel,
    pub trace: Trace,
    pub file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawNetwork {
    pub address: Option<IpAddr>,
    pub port: Option<u16>,
    pub rtp_ports: Option<Spanned<String>>,
}

/// `"a"` or `["a", "b"]`.
pub(super) struct OneOrMany {
    pub items: Vec<String>,
    /// Written as a list.
    pub listed: bool,
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMany;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text in quotes, or a list of such")
            }
            fn visit_str<E>(self, one: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany { items: vec![one.to_owned()], listed: false })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(OneOrMany { items, listed: true })
            }
        }
        input.deserialize_any(Either)
    }
}

/// Which keys belong where, to say so when one stands elsewhere. (`name` is at home in two places.)
const KEYS: [(&str, &[&str]); 21] = [
    ("account", &["user", "server", "display_name", "auth_user", "realm", "password_file", "password_env"]),
    ("account", &["password_command", "expires", "transport", "outbound_proxy", "digest", "secure_media"]),
    ("account", &["key_exchange", "identity", "voicemail", "further_realms", "auto_answer", "codecs"]),
    ("lot", &["dialect", "park_extension", "slots", "lamps", "list", "parking_time", "directed_prefix"]),
    ("lot.ami", &["host", "secret_file", "secret_env", "secret_command", "allow_plain_login", "device"]),
    ("lot", &["escalate", "page", "page_voice", "comeback_prefix"]),
    ("team", &["members", "watch", "pickup_prefix"]),
    ("sound", &["headset_in", "headset_out", "ringer", "second_ear", "driver", "country"]),
    ("sound", &["enabled", "codecs", "waiting_tone", "ring_volume"]),
    ("sound", &["echo_canceller", "noise_suppression", "gain_control"]),
    ("recording", &["folder", "format", "tone"]),
    ("screen", &["theme", "mouse"]),
    ("network", &["address", "port", "rtp_ports"]),
    ("tls", &["ca_file", "certificate_file", "key_file", "verify"]),
    ("log", &["trace", "level"]),
    ("journal", &["keep_days"]),
    ("calls", &["night", "night_hours", "busy", "overflow", "overflow_after", "voicemail_prefix"]),
    ("control", &["socket", "notify"]),
    ("wallboard", &["callers"]),
    ("directory", &["files", "country", "ldap"]),
    ("directory.ldap", &["url", "base", "filter", "refresh", "allow_plain"]),
];

/// Better words than the reader's, where a mistake has a likely reason.
pub(super) fn remedy(path: &[String]) -> Option<(String, Option<String>)> {
    let (key, parent) = path.split_last()?;
    let one_of_several = parent.first().is_some_and(|first| first == "accounts");
    let section = match parent {
        [.., ami] if ami == "ami" => "lot.ami",
        [.., lots, _] if lots == "lots" => "lot",
        [.., ldap] if ldap == "ldap" => "directory.ldap",
        [accounts, _] if accounts == "accounts" => "account",
        [accounts, _, lot, ..] if accounts == "accounts" => lot,
        [first, ..] => first,
        [] => "",
    };
    if matches!(section, "keys" | "people" | "hooks") {
        return None;
    }
    if parent.is_empty() && key == "accounts" {
        return Some((
            "several accounts are tables in double brackets, one behind the other".to_owned(),
            Some("[[accounts]]".to_owned()),
        ));
    }
    if key == "lots" && (parent.is_empty() || parent.first().is_some_and(|first| first == "accounts")) {
        let form = if parent.is_empty() { "[[lots]]" } else { "[[accounts.lots]]" };
        let words = "several lots are tables in double brackets, one behind the other";
        return Some((words.to_owned(), Some(form.to_owned())));
    }
    if path.first().is_some_and(|first| first == "account")
        && (path.len() == 1 || path.len() == 2 && key == "0")
    {
        let words =
            "the one account is a table in single brackets, [account]; several are written [[accounts]]";
        return Some((words.to_owned(), None));
    }
    if is_secret_key(key) && !section.is_empty() {
        if section == "lot.ami" {
            let words = "a secret is not kept in this file: put it into a file of its own, `chmod 600` that file, and \
                         name it with secret_file (or use secret_env or secret_command)";
            return Some((words.to_owned(), None));
        }
        let words = "a password is not kept in this file: put it into a file of its own, `chmod 600` that file, and \
                     name it with password_file (or use password_env or password_command)";
        return Some((words.to_owned(), None));
    }
    let here = |(s, keys): &&(&str, &[&str])| *s == section && nearest(key, keys.iter().copied()).is_some();
    let elsewhere = |(_, keys): &&(&str, &[&str])| keys.contains(&key.as_str());
    match (KEYS.iter().find(here), KEYS.iter().find(elsewhere)) {
        (None, Some((owner, _))) => {
            let owner = match *owner {
                "lot" if one_of_several => "accounts.lot",
                "lot.ami" if one_of_several => "accounts.lot.ami",
                "account" if one_of_several => "[accounts]",
                owner => owner,
            };
            Some((format!("“{key}” belongs in [{owner}]"), None))
        }
        _ => None,
    }
}
