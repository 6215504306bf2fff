//! The only effects: sockets, names, clock, sound card, terminal.

pub mod ami;
pub mod clock;
pub mod ldap;
pub mod metrics;
pub mod names;
pub mod net;
pub mod sound;
pub mod terminal;
pub mod tls;
pub mod trace;
