//! parkdeck: a receptionist's console with a built-in softphone, and *the lot*, a small call-park server.

pub mod console;
pub mod desk;
pub mod media;
pub mod parking;
pub mod sip;
