//! TOML to types: strict, with line, column, meaning and "did you mean" for everything that is wrong at once.
//!
//! [`Config`] is the console's file; [`read`] reads any other type as strictly (the lot's file). Parsing is pure;
//! only [`load`](mod@load), [`save`] and [`secret`] touch files, environment and processes, and [`paths`] asks where files belong.

mod account;
mod calls;
mod change;
mod check;
mod directory;
mod hours;
pub mod load;
mod mask;
mod meaning;
mod outside;
pub mod paths;
mod problem;
mod raw;
pub mod save;
pub mod secret;
mod server;
mod slots;
mod strict;
#[cfg(test)]
mod tests;

pub use account::{
    Account, Ami, Digest, IdentitySource, KeyExchange, Lamps, Lot, MAX_ACCOUNTS, MAX_AUTO_ANSWERS,
    MAX_FURTHER_REALMS, MAX_TEAM, PageVoice, PasswordCommand, PasswordSource, Proxy, SecureMedia, Server,
    TransportChoice,
};
pub use calls::Calls;
pub use change::Change;
pub use directory::{Directory, Ldap, MAX_DIRECTORY_FILES};
pub use hours::{MAX_NIGHT_HOURS, NightHours};
pub use outside::{CallersShown, HookEvent, Notify, Outside, Wallboard};
pub use problem::{ConfigError, MAX_PROBLEMS, Problem};
pub use slots::slot_list;
pub use strict::{MAX_FILE, read};

use crate::desk::SoundRole;
use crate::parking::Identity;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// The dialects that come with the program: the names of the files under `assets/dialects`.
pub const DIALECTS: [&str; 7] =
    ["asterisk", "asterisk-dtmf", "freeswitch", "broadworks", "portsip", "generic", "parkdeck"];

/// The countries whose tones are known, by ISO 3166.
pub const COUNTRIES: [&str; 16] =
    ["at", "be", "ca", "ch", "de", "dk", "es", "fi", "fr", "gb", "it", "nl", "no", "pl", "se", "us"];

/// The annotated example of the console's file.
const EXAMPLE: &str = include_str!("../../assets/config.example.toml");
/// The annotated example of the lot's file.
const LOT_EXAMPLE: &str = include_str!("../../assets/lot.example.toml");

/// The console's configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// With whom the console registers, and as whom: at least one, at most [`MAX_ACCOUNTS`].
    pub accounts: Vec<Account>,
    /// Certificates, for the accounts that use TLS.
    pub tls: Tls,
    /// Headset and ringer.
    pub sound: Sound,
    /// Recordings of calls.
    pub recording: Recording,
    /// What the board looks like.
    pub screen: Screen,
    /// Rebound keys: a command's name and the keys for it, as written. The console knows the names.
    pub keys: BTreeMap<String, Vec<String>>,
    /// The log.
    pub log: Log,
    /// Local addresses and ports.
    pub network: Network,
    /// People and their numbers; at most [`crate::desk::MAX_PEOPLE`].
    pub people: Vec<Identity>,
    /// Where more people are read from.
    pub directory: Directory,
    /// The journal of calls.
    pub journal: Journal,
    /// Where callers are sent whom nobody can answer.
    pub calls: Calls,
    /// What other programs hear and may do.
    pub outside: Outside,
    /// What a wallboard shows.
    pub wallboard: Wallboard,
}

impl Config {
    /// Reads the console's file; `file_name` is for the messages.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, ConfigError> {
        Self::parse_with(text, file_name, &[])
    }

    /// The same where there are `dialects` of the user's own, besides [`DIALECTS`].
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse_with(text: &str, file_name: &str, dialects: &[String]) -> Result<Self, ConfigError> {
        check::parse(text, file_name, dialects)
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

/// Certificates of TLS connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Authorities that are trusted besides the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate (with its chain) in PEM, and its key.
    pub own: Option<OwnCertificate>,
    /// Whether a server must prove who it is.
    pub verify: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self { ca_file: None, own: None, verify: true }
    }
}

/// What we show to a server that asks who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCertificate {
    /// The certificate and its chain, in PEM.
    pub certificate_file: PathBuf,
    /// Its private key, in PEM, readable by its owner only.
    pub key_file: PathBuf,
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
    /// How loud, in percent.
    pub ring_volume: u8,
    /// For tones that don't belong to the conversation; `None`: they are heard in the headset.
    pub second_ear: Option<String>,
    /// By which sound system devices are reached.
    pub driver: Driver,
    /// Whether a loudspeaker's echo is taken out of the microphone's sound.
    pub echo_canceller: Switch,
    /// Whether steady noise is lowered in it.
    pub noise_suppression: Switch,
    /// Whether its level is evened out.
    pub gain_control: Switch,
    /// Whose tones are played, one of [`COUNTRIES`]; `None`: the language settings say.
    pub country: Option<String>,
    /// Offered in this order; at least one, none twice.
    pub codecs: Vec<Codec>,
    /// Whether an idle headset hears a tone when a parked call waits too long.
    pub waiting_tone: bool,
}

impl Default for Sound {
    fn default() -> Self {
        let codecs = vec![Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];
        let (headset_in, headset_out, ringer) = (None, None, None);
        Self {
            enabled: true,
            headset_in,
            headset_out,
            ringer,
            ring_volume: 100,
            second_ear: None,
            driver: Driver::Auto,
            echo_canceller: Switch::Auto,
            noise_suppression: Switch::Auto,
            gain_control: Switch::Auto,
            country: None,
            codecs,
            waiting_tone: true,
        }
    }
}

impl Sound {
    /// The device for a role, as it is named; `None`: the system's default, and no second ear.
    pub fn device(&self, role: SoundRole) -> Option<&str> {
        match role {
            SoundRole::Microphone => self.headset_in.as_deref(),
            SoundRole::Headset => self.headset_out.as_deref(),
            SoundRole::Ringer => self.ringer.as_deref(),
            SoundRole::SecondEar => self.second_ear.as_deref(),
        }
    }

    /// The same, to be named anew.
    pub(super) fn device_mut(&mut self, role: SoundRole) -> &mut Option<String> {
        match role {
            SoundRole::Microphone => &mut self.headset_in,
            SoundRole::Headset => &mut self.headset_out,
            SoundRole::Ringer => &mut self.ringer,
            SoundRole::SecondEar => &mut self.second_ear,
        }
    }
}

/// Whether something is done to the microphone's sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// With a loudspeaker, and not with a headset.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// By which sound system devices are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// The sound server where one runs, else the system.
    #[default]
    Auto,
    /// PulseAudio or PipeWire.
    Pulse,
    /// The system itself: ALSA on Linux.
    #[serde(alias = "alsa")]
    System,
}

/// A codec's name in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Opus.
    Opus,
    /// G.722.
    G722,
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

/// Recordings of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// Where they go; `None`: into the state directory.
    pub folder: Option<PathBuf>,
    /// Their format.
    pub format: RecordingFormat,
    /// Whether both sides hear a tone every 15 s.
    pub tone: bool,
}

/// A recording's format in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordingFormat {
    /// Opus in Ogg.
    #[default]
    Opus,
    /// WAV.
    Wav,
}

/// What the board looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// The theme's name; `None`: the console's own choice.
    pub theme: Option<String>,
    /// Whether the mouse works.
    pub mouse: bool,
    /// Where the session's screens are recorded; `None`: nowhere.
    pub record: Option<PathBuf>,
}

impl Default for Screen {
    fn default() -> Self {
        Self { theme: None, mouse: true, record: None }
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

/// Whether a trace of all SIP messages is written. Credentials and keys are never in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
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

/// The log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// How much.
    pub level: LogLevel,
    /// The trace of SIP messages.
    pub trace: Trace,
    /// Where; `None`: the state directory (see [`paths`]).
    pub file: Option<PathBuf>,
}

/// The journal of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Whether calls are written down at all.
    pub enabled: bool,
    /// How many days they are kept; 0: for ever.
    pub keep_days: u32,
}

impl Default for Journal {
    fn default() -> Self {
        Self { enabled: true, keep_days: 365 }
    }
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
