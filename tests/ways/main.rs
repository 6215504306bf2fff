//! Ways to lose or join a caller, each tried against a model of the servers that people have.
//!
//! `list.md` is the written list: what happens, what must hold, on which servers. Each way is the test of the same name;
//! [`the_list_and_the_tests_are_the_same`] holds them together. Beside it stands the property over seeds
//! (`seeds.rs`): consoles, a colleague and callers do what they like in any weather, and nobody is lost or joined.
//!
//! The real engine (desk, dialect, user agent) speaks SIP with a model server in virtual time. There is no sound: a
//! reference model (`model.rs`) knows who would hear whom, by the rules of each server as they were measured
//! (`asterisk.rs`) or as its documentation gives them.

// A step that fails here is a test that fails, inside `#[test]` or not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asterisk;
mod comebacks;
mod console;
mod gone;
mod lamps;
mod model;
#[path = "../simulation/net.rs"]
mod net;
mod parks;
mod pbx;
mod retrieves;
mod seeds;
mod world;
