//! The console by what is seen and typed: desks drawn as plain text at 80×24 and 160×50, key strings that become the
//! desk's commands, and the promise that no key, no desk and no size of the screen makes it panic.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on shall say so")]

#[path = "screens/desks.rs"]
mod desks;
#[path = "screens/keys.rs"]
mod keys;
#[path = "screens/people.rs"]
mod people;
#[path = "screens/pictures.rs"]
mod pictures;
#[path = "screens/promises.rs"]
mod promises;
#[path = "screens/settings.rs"]
mod settings;
#[path = "screens/team.rs"]
mod team;
