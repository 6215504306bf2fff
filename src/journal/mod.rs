//! What must survive the console's end, also by kill -9: who is parked where, since when, by whom and why.
//!
//! [`Memory`] is the data and its JSON, pure; [`store`] writes and reads it on disk; [`Writer`] does the writing on a
//! thread of its own. A memory is a help, never an authority: the desk believes it only where a lamp is lit.

pub mod memory;
pub mod store;
mod writer;

pub use memory::Memory;
pub use store::{Opened, Store, StoreError};
pub use writer::{Report, Writer};
