//! What must survive the console's end, also by kill -9: who is parked where, since when, by whom and why.
//!
//! [`Follower`] tells what is new of calls and of stays in slots, [`Journal`] writes that into a [`Database`],
//! [`report`] counts it.
//!
//! [`Memory`] is what the app uses; [`Snapshot`] is the data and its JSON, pure; [`Store`] keeps it on disk; [`Writer`]
//! writes on a thread of its own. What a lot keeps is more, and changes line by line: [`ledger`]. A memory is a help,
//! never an authority: the desk believes it only where a lamp is lit.

mod database;
mod follower;
mod keeper;
pub mod ledger;
mod memory;
pub mod report;
mod snapshot;
mod store;
mod writer;

pub use database::{Database, Found, JournalError, Reader};
pub use follower::Follower;
pub use keeper::{Journal, JournalReport};
pub use memory::Memory;
pub use snapshot::{HEAD_START, MAX_AGE, Snapshot};
pub use store::{MAX_FILE, Opened, Store, StoreError};
pub use writer::{Report, Writer};

use std::path::Path;

/// The directory that `file` is in; of a name alone the working directory, which `Path::parent` calls "".
fn directory_of(file: &Path) -> &Path {
    file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
