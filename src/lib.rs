//! parkdeck: a receptionist's console with a built-in softphone, and *the lot*, a small call-park server.

pub mod app;
pub mod cli;
pub mod config;
pub mod console;
pub mod demo;
pub mod desk;
pub mod dialect;
pub mod io;
pub mod journal;
pub mod lot;
pub mod media;
pub mod parking;
pub mod sip;
