//! The SIP user agent, sans-IO (RFC 3261): bytes and time come in, bytes and events go out.

mod alarms;
mod dialog;
mod transaction;

pub mod agent;
pub mod dialog_info;
pub mod digest;
pub mod message;
pub mod replaces;
pub mod sdp;
pub mod sipfrag;

pub use agent::*;
pub use transaction::timers;

/// A moment, as the time since an origin that the caller chose.
pub type Moment = std::time::Duration;
