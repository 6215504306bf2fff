//! The only effects: sockets, clock, sound card, terminal.

pub mod clock;
pub mod net;
pub mod sound;
pub mod terminal;
