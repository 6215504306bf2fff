//! Lots that don't stand alone: several of them behind a real Kamailio, one behind a real Asterisk, and trunks to it over
//! every transport.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod behind_asterisk;
mod behind_kamailio;
mod desk;
#[path = "../peers/mod.rs"]
mod peers;
mod phones;
mod shared;
mod trunks;

use std::time::Duration;

const ALICE_HZ: f64 = 1730.0;
const BOB_HZ: f64 = 2210.0;
const CAROL_HZ: f64 = 1310.0;
/// Probes, time-outs, and what is tried after them.
const RECOVERY: Duration = Duration::from_secs(20);
