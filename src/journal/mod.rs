//! What must survive the console's end, also by kill -9: who is parked where, since when, by whom and why.
//!
//! [`Memory`] is what the app uses; [`Snapshot`] is the data and its JSON, pure; [`Store`] keeps it on disk; [`Writer`]
//! writes on a thread of its own. A memory is a help, never an authority: the desk believes it only where a lamp is lit.

mod memory;
mod snapshot;
mod store;
mod writer;

pub use memory::Memory;
pub use snapshot::{HEAD_START, MAX_AGE, Snapshot};
pub use store::{MAX_FILE, Opened, Store, StoreError};
pub use writer::{Report, Writer};
