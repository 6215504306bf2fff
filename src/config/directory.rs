//! The directory as the configuration names it: files, an LDAP server, and the country of its numbers.

use super::PasswordSource;
use std::path::PathBuf;

/// The most directory files.
pub const MAX_DIRECTORY_FILES: usize = 16;

/// Where people and their numbers are read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Files: TOML, CSV or vCard, told apart by their names' endings. Relative ones are beside the configuration.
    pub files: Vec<PathBuf>,
    /// The country of numbers without a country's code, as two letters (ISO 3166).
    pub country: Option<String>,
    /// An LDAP server.
    pub ldap: Option<Ldap>,
}

/// An LDAP server, and whom to look for there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ldap {
    /// `ldaps://host`, or `ldap://host` (with StartTLS unless it is on this computer).
    pub url: String,
    /// Under which entry people are looked for.
    pub base: String,
    /// Which of the entries are people with a number.
    pub filter: String,
    /// As whom to bind; `None`: as nobody.
    pub user: Option<String>,
    /// Where his password is.
    pub password: Option<PasswordSource>,
    /// Seconds after which everybody is read anew.
    pub refresh_s: u32,
    /// Whether an unencrypted connection to another computer will do.
    pub allow_plain: bool,
}

impl Ldap {
    /// Everybody with a number.
    pub const FILTER: &str = "(&(objectClass=person)(|(telephoneNumber=*)(mobile=*)(ipPhone=*)))";
    /// Ten minutes.
    pub const REFRESH_S: u32 = 600;
}
