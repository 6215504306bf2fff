//! What a session knows, past tense.

use super::parked::{Device, Parked};
use crate::parking::{Identity, Moment, Text};

/// Something that the server said, or that happened to the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Logged in and listening; this is everybody who is parked now.
    Connected(Vec<Parked>),
    /// The server's whole list once more: it counts, whatever was said before.
    Listed(Vec<Parked>),
    /// The server no longer tells us anything: nothing that it said holds.
    Lost {
        /// In words.
        reason: Text,
        /// When it is tried again.
        retry_at: Moment,
    },
    /// Something is not as it should be; the session goes on.
    Troubled {
        /// In words.
        reason: Text,
    },
    /// Somebody was parked.
    Parked(Parked),
    /// More is known of somebody who is parked: whether he may be shown.
    Vetted(Parked),
    /// Another took the place of the one who was parked: an attended transfer was completed.
    Swapped(Parked),
    /// He was fetched. Who did it follows with [`Fact::Retrieved`].
    Unparked(Parked),
    /// Who fetched him; withheld when it may not be shown.
    Retrieved {
        /// Which call.
        call: Parked,
        /// By which phone.
        device: Device,
        /// Who.
        by: Identity,
    },
    /// He hung up while he was parked.
    GaveUp(Parked),
    /// His time was over: the phone that parked him is being rung.
    TimedOut(Parked),
}
