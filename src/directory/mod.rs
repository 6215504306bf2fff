//! The people whose numbers are known: read from files and an LDAP server, searched as somebody types, and asked who a
//! caller is. Pure: whoever reads files hands over their bytes.
//!
//! A directory is made once of everything that was read and never changes; a new one takes its place.

mod book;
mod fold;
mod number;
mod person;
pub mod read;
mod search;
#[cfg(test)]
mod tests;

pub use book::{Directory, Match};
pub use fold::fold;
pub use number::{Country, NumberKey};
pub use person::{Kind, Number, Person};
pub use search::Hit;

/// The most people of one directory; more are left out, and that is told.
pub const MAX_ENTRIES: usize = 100_000;
/// The most numbers of one person.
pub const MAX_NUMBERS: usize = 8;
/// The longest directory file in bytes.
pub const MAX_FILE: usize = 64 << 20;
