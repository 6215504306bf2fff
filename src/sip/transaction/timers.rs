//! The timers of RFC 3261 (table 4 and section 17) with the corrections of RFC 6026. Nothing but their
//! values. Over streams A, E and G don't run and D, I, J and K are zero.

use std::time::Duration;

/// Round-trip estimate; the first resending interval.
pub const T1: Duration = Duration::from_millis(500);
/// The longest resending interval of non-INVITE requests and INVITE responses.
pub const T2: Duration = Duration::from_secs(4);
/// How long a message may stay in the network.
pub const T4: Duration = Duration::from_secs(5);
/// 64·T1: timers B, F, H, J, and L and M of RFC 6026.
pub const LIMIT: Duration = Duration::from_secs(32);
/// Timer D: how long an INVITE client answers repeated refusals with ACK.
pub const D: Duration = Duration::from_secs(32);
/// Timer I: how long an INVITE server absorbs repeated ACKs.
pub const I: Duration = T4;
/// Timer K: how long a non-INVITE client absorbs repeated responses.
pub const K: Duration = T4;
