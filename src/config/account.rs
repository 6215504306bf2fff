//! The accounts of a configuration as checked values: where to register and as whom, how to get there, what to believe,
//! and the parking lots there.

use super::Codec;
use crate::parking::{SlotId, Text};
use std::fmt;
use std::path::PathBuf;

/// The most accounts of one console.
pub const MAX_ACCOUNTS: usize = 8;

/// The most realms of an account beside its own.
pub const MAX_FURTHER_REALMS: usize = 3;

/// The most colleagues of one account.
pub const MAX_TEAM: usize = 32;
/// The most users of an account whose calls answer themselves.
pub const MAX_AUTO_ANSWERS: usize = 32;

/// An account at a SIP server, with that server's parking lots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What the board calls it: never empty, and no two accounts have the same. `user@server` when the file names none.
    pub name: Text,
    /// The user part of the address of record.
    pub user: String,
    /// The registrar: its host is the domain of our address.
    pub server: Server,
    /// How to get there.
    pub transport: TransportChoice,
    /// Where everything is sent instead of to `server`.
    pub outbound_proxy: Option<Proxy>,
    /// The name that others see; empty for none.
    pub display_name: Text,
    /// The name in the digest; the user's when the file says nothing.
    pub auth_user: String,
    /// The only realm that is given credentials; `None`: the first that the registrar names.
    pub realm: Option<String>,
    /// Others that are given them too: proxies' on the way; at most [`MAX_FURTHER_REALMS`].
    pub further_realms: Vec<String>,
    /// Where the password is.
    pub password: PasswordSource,
    /// The weakest digest that is answered.
    pub digest: Digest,
    /// Seconds that a registration lasts.
    pub expires_s: u32,
    /// Whether sound is encrypted.
    pub secure_media: SecureMedia,
    /// How the keys of encrypted sound are agreed on.
    pub key_exchange: KeyExchange,
    /// What names a caller, the most trusted first; at least one, none twice.
    pub identity: Vec<IdentitySource>,
    /// Whose calls answer themselves when they ask to be: users of the same server; at most [`MAX_AUTO_ANSWERS`].
    pub auto_answer: Vec<String>,
    /// Offered in this order at this server; `None`: as `[sound]` says.
    pub codecs: Option<Vec<Codec>>,
    /// What is dialled to hear messages.
    pub voicemail: Option<String>,
    /// The extensions of the colleagues whose consoles are told things, and believed some; at most [`MAX_TEAM`].
    pub team: Vec<String>,
    /// The extensions of the colleagues whose phones are watched; at most [`crate::desk::MAX_STAFF`].
    pub watch: Vec<String>,
    /// What is dialled before a colleague's extension to pick up what rings there.
    pub pickup_prefix: Option<String>,
    /// The name of the dialect, which says how that server parks: a preset's, or that of the user's own file.
    pub dialect: String,
    /// By which event package the lamps are asked for first.
    pub lamps: Lamps,
    /// Asterisk's manager interface, which tells who is parked in any of the lots.
    pub ami: Option<Ami>,
    /// The parking lots of that server: at least one, at most [`MAX_LOTS`](crate::desk::MAX_LOTS); no slot is in two of them.
    pub lots: Vec<Lot>,
}

impl Account {
    /// An account with everything else as it is when the file says nothing.
    pub fn new(user: &str, server: Server, password: PasswordSource, lots: Vec<Lot>) -> Self {
        Self {
            name: Text::new(&format!("{user}@{server}")),
            user: user.to_owned(),
            server,
            transport: TransportChoice::default(),
            outbound_proxy: None,
            display_name: Text::default(),
            auth_user: user.to_owned(),
            realm: None,
            further_realms: Vec::new(),
            password,
            digest: Digest::default(),
            expires_s: 300,
            secure_media: SecureMedia::default(),
            key_exchange: KeyExchange::default(),
            identity: IdentitySource::ALL.to_vec(),
            auto_answer: Vec::new(),
            codecs: None,
            voicemail: None,
            team: Vec::new(),
            watch: Vec::new(),
            pickup_prefix: None,
            dialect: "asterisk".to_owned(),
            lamps: Lamps::default(),
            ami: None,
            lots,
        }
    }

    /// `user@server`, for people.
    pub fn label(&self) -> String {
        format!("{}@{}", self.user, self.server)
    }
}

/// A server by name or address. Shown as `host` or `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// The port; `None` when the file names none: then NAPTR and SRV say (RFC 3263 4.2), or the transport's own.
    pub port: Option<u16>,
}

impl Server {
    /// The port of SIP over UDP and TCP (RFC 3261 19.1.2).
    pub const DEFAULT_PORT: u16 = 5060;

    /// The host as it stands in a URI: an IPv6 address in brackets.
    pub fn uri_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// The port, or the one of SIP over UDP and TCP.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(Self::DEFAULT_PORT)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri_host())?;
        match self.port {
            None | Some(Self::DEFAULT_PORT) => Ok(()),
            Some(port) => write!(f, ":{port}"),
        }
    }
}

/// How a server is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportChoice {
    /// As NAPTR and SRV say (RFC 3263 4.1), else UDP.
    #[default]
    Auto,
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
}

impl TransportChoice {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// An outbound proxy, which is always taken for a loose router (RFC 3261 16.12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Where it is.
    pub server: Server,
    /// How it is reached; the account's own choice unless its URI says otherwise.
    pub transport: TransportChoice,
}

impl Proxy {
    /// The URI of the route that leads there (RFC 3261 8.1.2).
    pub fn uri(&self) -> String {
        let port = self.server.port.map(|port| format!(":{port}")).unwrap_or_default();
        let transport = match self.transport {
            TransportChoice::Auto => String::new(),
            other => format!(";transport={}", other.word()),
        };
        format!("sip:{}{port}{transport};lr", self.server.uri_host())
    }
}

/// Where a password is kept. The file never has it; [`super::secret::password`] fetches it.
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

/// A digest by its name in the file, the weakest first (RFC 8760).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
pub enum Digest {
    /// MD5.
    #[default]
    #[serde(rename = "md5")]
    Md5,
    /// SHA-256.
    #[serde(rename = "sha-256")]
    Sha256,
    /// SHA-512/256.
    #[serde(rename = "sha-512-256")]
    Sha512_256,
}

/// Whether sound is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecureMedia {
    /// Never.
    #[default]
    Off,
    /// Where the other side can.
    Optional,
    /// Or there is no call.
    Required,
}

/// How the keys of encrypted sound are agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyExchange {
    /// As the offer has it; offered is what protects them on this transport.
    #[default]
    Auto,
    /// In the session description (RFC 4568): as private as the signalling.
    Sdes,
    /// In the media path (RFC 5763).
    Dtls,
}

/// What names a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentitySource {
    /// P-Asserted-Identity (RFC 3325).
    Pai,
    /// Remote-Party-ID.
    Rpid,
    /// From, which is the caller's own word.
    From,
}

impl IdentitySource {
    /// All, the most trusted first.
    pub const ALL: [Self; 3] = [Self::Pai, Self::Rpid, Self::From];
}

/// By which event package the lamps are asked for first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lamps {
    /// As the dialect has it.
    #[default]
    Auto,
    /// `dialog` (RFC 4235).
    Dialog,
    /// `presence` (RFC 3856): for servers that know only that.
    Presence,
    /// BroadWorks' callpark.
    Callpark,
}

/// Who speaks to a page group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageVoice {
    /// The program: "a call is parked on seven zero one".
    #[default]
    Spoken,
    /// The operator.
    Live,
}

/// A parking lot as the console needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The name in the panel's title.
    pub name: Text,
    /// What a call is referred to in order to be parked in any slot.
    pub park_extension: SlotId,
    /// The slots in the order of the board; at least one, none twice.
    pub slots: Vec<SlotId>,
    /// The extension of a list of all lamps (RFC 4662), watched instead of each slot by itself.
    pub list: Option<SlotId>,
    /// Seconds until a parked call comes back; 0: never; `None`: not known.
    pub parking_time_s: Option<u32>,
    /// What is dialled before a slot's number to park there, where the dialplan has such a thing.
    pub directed_prefix: Option<String>,
    /// Seconds after which a parked call has waited long, too long, and so long that it is paged; 0 and what is missing:
    /// never. `None`: as the parking time suggests.
    pub escalate_s: Option<Vec<u32>>,
    /// The extension of the page group.
    pub page: Option<SlotId>,
    /// Whether the operator speaks to it, and not the program.
    pub page_live: bool,
    /// What the server puts before the name of a caller who comes back; empty: nothing.
    pub comeback_prefix: Text,
}

/// A manager interface, and whom to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ami {
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The manager user.
    pub user: String,
    /// Where his secret is.
    pub secret: PasswordSource,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// The names that the parking lots have on the server, in the order of [`Account::lots`].
    pub lots: Vec<String>,
    /// The server's name for this account's phone (`PJSIP/desk-7`), where it is not named after the user.
    pub device: Option<String>,
    /// Whether the secret itself may be told over a connection that isn't encrypted.
    pub allow_plain_login: bool,
}

impl Ami {
    /// Its usual ports: in clear, and over TLS.
    pub const PORTS: (u16, u16) = (5038, 5039);
}
