//! TOML to types: strict, with line, column, meaning and "did you mean" for everything that is wrong at once.
//!
//! [`Config`] is the console's file; [`read`] reads any other type as strictly (the lot's file). Parsing is pure;
//! only [`load`](mod@load) and [`secret`] touch files, environment and processes, and [`paths`] asks where files belong.

pub mod load;
mod mask;
mod meaning;
pub mod paths;
mod problem;
mod raw;
pub mod secret;
mod slots;
mod strict;
#[cfg(test)]
mod tests;

pub use problem::{ConfigError, MAX_PROBLEMS, Problem};
pub use slots::slot_list;
pub use strict::{MAX_FILE, read};

use crate::parking::{SlotId, Text};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// The annotated example of the console's file.
const EXAMPLE: &str = include_str!("../../assets/config.example.toml");
/// The annotated example of the lot's file.
const LOT_EXAMPLE: &str = include_str!("../../assets/lot.example.toml");

/// The console's configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// With whom the console registers, and as whom.
    pub account: Account,
    /// The parking lot of that server.
    pub lot: Lot,
    /// Headset and ringer.
    pub sound: Sound,
    /// What the board looks like.
    pub screen: Screen,
    /// Rebound keys: a command's name and the keys for it, as written. The console knows the names.
    pub keys: BTreeMap<String, Vec<String>>,
    /// The log.
    pub log: Log,
    /// Local addresses and ports.
    pub network: Network,
}

impl Config {
    /// Reads the console's file; `file_name` is for the messages.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, ConfigError> {
        raw::parse(text, file_name)
    }

    /// The annotated example, which parses as it is.
    pub fn example() -> &'static str {
        EXAMPLE
    }

    /// The annotated example of the lot's file, for `parkdeck lot --config`.
    pub fn lot_example() -> &'static str {
        LOT_EXAMPLE
    }
}

/// An account at a SIP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user part of the address of record.
    pub user: String,
    /// The registrar.
    pub server: Server,
    /// The name that others see; empty for none.
    pub display_name: Text,
    /// The name in the digest; the user's when the file says nothing.
    pub auth_user: String,
    /// The only realm that is given credentials; `None`: the first that the registrar names.
    pub realm: Option<String>,
    /// Where the password is.
    pub password: PasswordSource,
    /// Seconds that a registration lasts.
    pub expires_s: u32,
}

/// A server by name or address. Shown as `host` or `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// UDP port.
    pub port: u16,
}

impl Server {
    /// The port of SIP over UDP (RFC 3261 19.1.2).
    pub const DEFAULT_PORT: u16 = 5060;

    /// The host as it stands in a URI: an IPv6 address in brackets.
    pub fn uri_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri_host())?;
        if self.port == Self::DEFAULT_PORT { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// Where a password is kept. The file never has it; [`secret::password`] fetches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordSource {
    /// A file that only its owner may read.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// What a command prints: a program with its arguments, or a line for `sh -c`.
    Command(PasswordCommand),
}

/// A command that prints a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordCommand {
    /// Run by the shell.
    Shell(String),
    /// Run as it is: program and arguments. Never empty.
    Program(Vec<String>),
}

/// How the server parks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Asterisk's `res_parking`.
    #[default]
    Asterisk,
    /// Our own lot.
    Parkdeck,
}

/// A parking lot as the console needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The name in the panel's title.
    pub name: Text,
    /// How the server parks.
    pub dialect: Dialect,
    /// What a call is referred to in order to be parked in any slot.
    pub park_extension: SlotId,
    /// The slots in the order of the board; at least one, none twice.
    pub slots: Vec<SlotId>,
    /// Seconds until a parked call comes back; 0: never; `None`: not known.
    pub parking_time_s: Option<u32>,
    /// What is dialled before a slot's number to park there, where the dialplan has such a thing.
    pub directed_prefix: Option<String>,
}

/// Headset and ringer. A device is named as the system names it; `None` is the system's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Whether to use sound devices at all.
    pub enabled: bool,
    /// The microphone.
    pub headset_in: Option<String>,
    /// The ear.
    pub headset_out: Option<String>,
    /// Where it rings.
    pub ringer: Option<String>,
    /// Offered in this order; at least one, none twice.
    pub codecs: Vec<Codec>,
}

impl Default for Sound {
    fn default() -> Self {
        let codecs = vec![Codec::Opus, Codec::Pcmu, Codec::Pcma];
        Self { enabled: true, headset_in: None, headset_out: None, ringer: None, codecs }
    }
}

/// A codec's name in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Opus.
    Opus,
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

/// What the board looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// The theme's name; `None`: the console's own choice.
    pub theme: Option<String>,
    /// Whether the mouse works.
    pub mouse: bool,
}

impl Default for Screen {
    fn default() -> Self {
        Self { theme: None, mouse: true }
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// And what is odd.
    Warn,
    /// And what happened.
    #[default]
    Info,
    /// And why.
    Debug,
    /// And every message, with secrets left out.
    Trace,
}

impl LogLevel {
    /// The word, as `RUST_LOG` knows it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// How much.
    pub level: LogLevel,
    /// Where; `None`: the state directory (see [`paths`]).
    pub file: Option<PathBuf>,
}

/// Local addresses and ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The local address to speak from; `None`: the one that the route to the server has.
    pub address: Option<IpAddr>,
    /// The local SIP port; 0: any.
    pub port: u16,
    /// First and last UDP port for sound; `None`: any.
    pub rtp_ports: Option<(u16, u16)>,
}
