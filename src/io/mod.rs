//! The only effects: sockets, clock, sound card, files, terminal. What is decided is decided elsewhere.

pub mod sound;
