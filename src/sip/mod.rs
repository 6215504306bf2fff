//! The SIP user agent, sans-IO (RFC 3261): bytes and time come in, bytes and events go out.
//!
//! `framing` cuts streams, `message` reads and writes, `transaction` repeats and absorbs, `dialog` numbers and routes, `agent` holds what lives:
//! calls, registrations, subscriptions, watchers, REFERs. An owner gives a [`UserAgent`] every datagram (`receive`) and
//! every due moment (`wake` at `next_wake`), then takes what it has to send and to tell (`poll_transmit`, `poll_event`).
//! Nothing here reads a clock or opens a socket, and the same seed tells the same story.

mod alarms;
mod dialog;
mod peer;
mod transaction;
mod xml;

pub mod agent;
pub mod callpark;
pub mod dialog_info;
pub mod digest;
pub mod dtmf_info;
pub mod framing;
pub mod history;
pub mod identity;
pub mod message;
pub mod message_summary;
pub mod multipart;
pub mod presence;
pub mod reason;
pub mod replaces;
pub mod ring;
pub mod rlmi;
pub mod sdp;
pub mod sipfrag;
pub mod target_dialog;
pub mod trace;

pub use agent::*;
pub use dialog::SavedDialog;
pub use peer::{Peer, Transport};
pub use reason::Reason;
pub use transaction::timers;

/// A moment, as the time since an origin that the caller chose.
pub type Moment = std::time::Duration;
