//! The console's file as serde reads it, and the checks that turn it into a [`Config`]: each value keeps its place,
//! so that whatever is wrong can be pointed at.

use super::mask::is_secret_key;
use super::meaning::nearest;
use super::problem::{ConfigError, Problem, Source};
use super::strict::Reading;
use super::{
    Account, Codec, Config, Dialect, Log, LogLevel, Lot, Network, PasswordCommand, PasswordSource, Screen,
};
use super::{Server, Sound, slot_list};
use crate::parking::{SlotId, Text};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use toml::Spanned;

/// Longest time an option may name, in seconds: a day.
const MAX_TIME_S: u32 = 86_400;
/// The most characters of a name, a host or a path.
const MAX_LENGTH: usize = 1_024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    account: Spanned<RawAccount>,
    #[serde(default)]
    lot: RawLot,
    #[serde(default)]
    sound: RawSound,
    #[serde(default)]
    screen: RawScreen,
    #[serde(default)]
    keys: BTreeMap<String, OneOrMany>,
    #[serde(default)]
    log: RawLog,
    #[serde(default)]
    network: RawNetwork,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccount {
    user: Spanned<String>,
    server: Spanned<String>,
    display_name: Option<String>,
    auth_user: Option<Spanned<String>>,
    realm: Option<Spanned<String>>,
    password_file: Option<Spanned<PathBuf>>,
    password_env: Option<Spanned<String>>,
    password_command: Option<Spanned<OneOrMany>>,
    expires: Option<Spanned<u32>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLot {
    name: Option<String>,
    dialect: Dialect,
    park_extension: Option<Spanned<SlotId>>,
    slots: Option<Spanned<OneOrMany>>,
    parking_time: Option<Spanned<u32>>,
    directed_prefix: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSound {
    enabled: Option<bool>,
    headset_in: Option<String>,
    headset_out: Option<String>,
    ringer: Option<String>,
    codecs: Option<Spanned<Vec<Codec>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawScreen {
    theme: Option<String>,
    mouse: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    level: LogLevel,
    file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawNetwork {
    address: Option<IpAddr>,
    port: Option<u16>,
    rtp_ports: Option<Spanned<String>>,
}

/// `"a"` or `["a", "b"]`.
struct OneOrMany {
    items: Vec<String>,
    listed: bool,
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

/// Which keys belong where, to say so when one stands elsewhere.
const KEYS: [(&str, &[&str]); 6] = [
    ("account", &["user", "server", "display_name", "auth_user", "realm", "password_file", "password_env"]),
    ("account", &["password_command", "expires"]),
    ("lot", &["dialect", "park_extension", "slots", "parking_time", "directed_prefix"]),
    ("sound", &["headset_in", "headset_out", "ringer", "enabled", "codecs"]),
    ("screen", &["theme", "mouse"]),
    ("network", &["address", "port", "rtp_ports"]),
];

/// Better words than the reader's, where a mistake has a likely reason.
fn remedy(path: &[String]) -> Option<(String, Option<String>)> {
    let (key, parent) = path.split_last()?;
    let section = parent.first().map_or("", String::as_str);
    if section == "keys" {
        return None;
    }
    if is_secret_key(key) && !section.is_empty() {
        let words = "a password is not kept in this file: put it into a file of its own, `chmod 600` that file, and \
                     name it with password_file (or use password_env or password_command)";
        return Some((words.to_owned(), None));
    }
    let here = |(s, keys): &&(&str, &[&str])| *s == section && nearest(key, keys.iter().copied()).is_some();
    let elsewhere = |(_, keys): &&(&str, &[&str])| keys.contains(&key.as_str());
    match (KEYS.iter().find(here), KEYS.iter().find(elsewhere)) {
        (None, Some((owner, _))) => Some((format!("“{key}” belongs in [{owner}]"), None)),
        _ => None,
    }
}

pub(super) fn parse(text: &str, file_name: &str) -> Result<Config, ConfigError> {
    let source = Source::new(text, file_name);
    let mut reading = Reading::<RawConfig>::of(&source, remedy)?;
    let mut check =
        Check { source: &source, problems: std::mem::take(&mut reading.problems), reading: &reading };
    let config = reading.value.as_ref().and_then(|raw| check.config(raw));
    match (config, ConfigError::of(file_name, check.problems)) {
        (Some(config), None) => Ok(config),
        (_, Some(error)) => Err(error),
        (None, None) => Err(source.refusal("the file can't be read".to_owned())),
    }
}

/// The second look: what the types alone can't say.
struct Check<'t> {
    source: &'t Source<'t>,
    reading: &'t Reading<RawConfig>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn say<T>(&mut self, at: &Spanned<T>, meaning: impl Into<String>, did_you_mean: Option<String>) {
        self.problems.push(self.source.problem(at.span(), meaning.into(), did_you_mean));
    }

    fn config(&mut self, raw: &RawConfig) -> Option<Config> {
        let account = self.account(&raw.account);
        let lot = self.lot(&raw.lot);
        let sound = self.sound(&raw.sound);
        let rtp_ports = raw.network.rtp_ports.as_ref().and_then(|ports| self.rtp_ports(ports));
        Some(Config {
            account: account?,
            lot: lot?,
            sound,
            screen: Screen { theme: raw.screen.theme.clone(), mouse: raw.screen.mouse.unwrap_or(true) },
            keys: raw.keys.iter().map(|(command, keys)| (command.clone(), keys.items.clone())).collect(),
            log: Log { level: raw.log.level, file: raw.log.file.clone() },
            network: Network { address: raw.network.address, port: raw.network.port.unwrap_or(0), rtp_ports },
        })
    }

    fn account(&mut self, raw: &Spanned<RawAccount>) -> Option<Account> {
        let account = raw.get_ref();
        let server = self.server(&account.server);
        self.user(&account.user);
        if let Some(name) = &account.auth_user {
            self.printable(name, "a name");
        }
        if let Some(realm) = &account.realm {
            self.printable(realm, "a realm");
        }
        let password = self.password(raw);
        let expires_s = account.expires.as_ref().map_or(300, |expires| {
            if !(60..=MAX_TIME_S).contains(expires.get_ref()) {
                self.say(expires, format!("a registration lasts between 60 and {MAX_TIME_S} seconds"), None);
            }
            *expires.get_ref()
        });
        let user = account.user.get_ref().clone();
        Some(Account {
            server: server?,
            display_name: Text::new(account.display_name.as_deref().unwrap_or("")),
            auth_user: account.auth_user.as_ref().map_or_else(|| user.clone(), |name| name.get_ref().clone()),
            realm: account.realm.as_ref().map(|realm| realm.get_ref().clone()),
            password: password?,
            expires_s,
            user,
        })
    }

    fn user(&mut self, user: &Spanned<String>) {
        if let Some((name, _)) = user.get_ref().split_once('@') {
            let name = format!("\"{}\"", Text::new(name.trim_start_matches("sip:")));
            self.say(
                user,
                "the user is only the part before “@”; the server has a key of its own",
                Some(name),
            );
        } else if user.get_ref().contains(char::is_whitespace) {
            self.say(user, "a user's name has no blanks in it", None);
        } else {
            self.printable(user, "a user's name");
        }
    }

    fn printable(&mut self, text: &Spanned<String>, what: &str) {
        let inside = text.get_ref();
        if inside.is_empty() {
            self.say(text, format!("{what} can't be empty"), None);
        } else if inside.len() > MAX_LENGTH || inside.chars().any(char::is_control) {
            self.say(text, format!("{what} has no control characters and at most {MAX_LENGTH} bytes"), None);
        }
    }

    fn server(&mut self, server: &Spanned<String>) -> Option<Server> {
        let text = server.get_ref().trim();
        let bare =
            ["sip:", "sips:", "udp:", "udp://", "sip://"].iter().rev().find_map(|s| text.strip_prefix(s));
        if let Some(bare) = bare {
            let bare = format!("\"{}\"", Text::new(bare.trim_start_matches('/')));
            self.say(server, "the server is a host, or host:port, without a scheme", Some(bare));
            return None;
        }
        let read = read_server(text);
        if let Err(meaning) = &read {
            self.say(server, *meaning, None);
        }
        read.ok()
    }

    fn password(&mut self, raw: &Spanned<RawAccount>) -> Option<PasswordSource> {
        let account = raw.get_ref();
        let mut found: Vec<(std::ops::Range<usize>, PasswordSource)> = Vec::new();
        if let Some(file) = &account.password_file {
            if file.get_ref().as_os_str().is_empty() {
                self.say(file, "the name of the password file is empty", None);
            }
            found.push((file.span(), PasswordSource::File(file.get_ref().clone())));
        }
        if let Some(name) = &account.password_env {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            if name.get_ref().is_empty() || !name.get_ref().bytes().all(plain) {
                // What stands here may be the password itself: it isn't repeated.
                self.problems.push(self.source.hidden(name.span(), "the name of an environment variable has letters, digits and “_”; the password itself doesn't belong here"));
            }
            found.push((name.span(), PasswordSource::Environment(name.get_ref().clone())));
        }
        if let Some(command) = &account.password_command {
            let OneOrMany { items, listed } = command.get_ref();
            let source = match items.first().filter(|first| !first.trim().is_empty()) {
                Some(_) if *listed => PasswordCommand::Program(items.clone()),
                Some(line) => PasswordCommand::Shell(line.clone()),
                None => {
                    self.say(command, "the command is empty", None);
                    PasswordCommand::Program(Vec::new())
                }
            };
            found.push((command.span(), PasswordSource::Command(source)));
        }
        found.sort_by_key(|(span, _)| span.start);
        if let Some((second, _)) = found.get(1) {
            let meaning =
                "the password has two sources: keep one of password_file, password_env, password_command";
            self.problems.push(self.source.problem(second.clone(), meaning.to_owned(), None));
        }
        let keys = ["password_file", "password_env", "password_command"];
        let refused = keys.iter().any(|key| self.reading.left_out(&["account", key]))
            || self.reading.left_out_secret("account");
        if found.is_empty() && !refused {
            let meaning = "[account] doesn't say where the password is: add password_file = \"…\" (a file with `chmod \
                           600`), password_env or password_command";
            self.say(raw, meaning, None);
        }
        found.into_iter().next().map(|(_, source)| source)
    }

    fn lot(&mut self, raw: &RawLot) -> Option<Lot> {
        let park_extension =
            raw.park_extension.as_ref().map(|e| e.get_ref().clone()).or_else(|| SlotId::new("700"))?;
        let default = ["701-709"];
        let slots = match &raw.slots {
            None => slot_list(default),
            Some(slots) => slot_list(slots.get_ref().items.iter().map(String::as_str)),
        };
        match (&raw.slots, &slots) {
            (Some(at), Err(meaning)) => self.say(at, meaning.clone(), None),
            (Some(at), Ok(slots)) if slots.contains(&park_extension) => {
                self.say(at, format!("{park_extension} is the park extension, not a slot"), None);
            }
            (None, Ok(slots)) if slots.contains(&park_extension) => {
                if let Some(at) = &raw.park_extension {
                    self.say(at, format!("{park_extension} is a slot already (slots are \"701-709\")"), None);
                }
            }
            _ => {}
        }
        if let Some(time) = raw.parking_time.as_ref().filter(|time| *time.get_ref() > MAX_TIME_S) {
            self.say(time, format!("between 0 (never) and {MAX_TIME_S} seconds"), None);
        }
        if let Some(prefix) = &raw.directed_prefix {
            if SlotId::new(prefix.get_ref()).is_none() {
                self.say(
                    prefix,
                    "the prefix is what is dialled before the slot: digits, letters, “*” or “#”",
                    None,
                );
            } else if raw.dialect == Dialect::Parkdeck {
                self.say(
                    prefix,
                    "the parkdeck lot takes a slot's number as it is: leave directed_prefix out",
                    None,
                );
            }
        }
        Some(Lot {
            name: Text::new(raw.name.as_deref().unwrap_or("front")),
            dialect: raw.dialect,
            park_extension,
            slots: slots.ok()?,
            parking_time_s: raw.parking_time.as_ref().map(|time| *time.get_ref()),
            directed_prefix: raw.directed_prefix.as_ref().map(|prefix| prefix.get_ref().clone()),
        })
    }

    fn sound(&mut self, raw: &RawSound) -> Sound {
        let default = Sound::default();
        if let Some(codecs) = &raw.codecs {
            let list = codecs.get_ref();
            if list.is_empty() {
                self.say(codecs, "at least one codec is needed: \"opus\", \"pcmu\", \"pcma\"", None);
            } else if (1..list.len()).any(|i| list[..i].contains(&list[i])) {
                self.say(codecs, "a codec is listed twice", None);
            }
        }
        let device = |name: &Option<String>| name.clone().filter(|n| !n.is_empty() && n != "default");
        Sound {
            enabled: raw.enabled.unwrap_or(default.enabled),
            headset_in: device(&raw.headset_in),
            headset_out: device(&raw.headset_out),
            ringer: device(&raw.ringer),
            codecs: raw.codecs.as_ref().map_or(default.codecs, |codecs| codecs.get_ref().clone()),
        }
    }

    fn rtp_ports(&mut self, ports: &Spanned<String>) -> Option<(u16, u16)> {
        let ends = ports.get_ref().split_once('-').map(|(a, b)| (a.trim().parse(), b.trim().parse()));
        match ends {
            Some((Ok(first), Ok(last))) if first >= 1_024 && last > first => Some((first, last)),
            _ => {
                self.say(ports, "ports are written first-last, from 1024 on: \"16384-16484\"", None);
                None
            }
        }
    }
}

/// Reads `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
fn read_server(text: &str) -> Result<Server, &'static str> {
    const SHAPE: &str = "the server is a host, or host:port, for example \"pbx.example.com:5060\"";
    const PORT: &str = "the port is a number from 1 to 65535";
    let (host, port) = if text.parse::<std::net::Ipv6Addr>().is_ok() {
        (text, None)
    } else if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) = rest.split_once(']').ok_or("the bracket of the IPv6 address isn't closed")?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| "what is in brackets is no IPv6 address")?;
        match tail {
            "" => (host, None),
            tail => (host, Some(tail.strip_prefix(':').ok_or(SHAPE)?)),
        }
    } else {
        text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let port = match port {
        None => Server::DEFAULT_PORT,
        Some(port) => port.parse().ok().filter(|p| *p != 0).ok_or(PORT)?,
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
    if host.is_empty() || host.len() > 253 || !host.bytes().all(plain) {
        return Err(SHAPE);
    }
    Ok(Server { host: host.to_owned(), port })
}
