//! parkdeck: a receptionist's console with a built-in softphone, and *the lot*, a small call-park server.
//!
//! This is the map of the house and what keeps it standing. A pure centre knows no clock, lock, thread, socket or
//! file; a thin shell around it does all that. `tests/architecture.rs` holds the table below against the code.
//!
//! | module | what lives there | may import of ours |
//! | --- | --- | --- |
//! | [`parking`] | the leaf words: slot, lamp, identity, strength, scrubbed text | – |
//! | [`sip`] | the user agent, sans-IO: messages, transactions, dialogs, subscriptions | – |
//! | [`media`] | one call's sound: frames to RTP and back | – |
//! | [`desk`] | what the receptionist sees and decides | parking |
//! | [`ami`] | Asterisk's manager interface, sans-IO: who is parked, told by the server itself | parking |
//! | [`dialect`] | how a server parks, tells and retrieves | sip, ami, desk, parking |
//! | [`lot`] | the park server, sans-IO | sip, media, parking |
//! | [`directory`] | people and their numbers: files to names, search, who a caller is | parking |
//! | [`journal`], [`config`] | what survives; TOML to types | desk, parking |
//! | [`console`] | ratatui only: draws, never decides | desk, directory, config, parking |
//! | [`io`] | the only effects: sockets, clock, sound card, terminal | sip, media |
//! | [`app`] | the event loops; effects become deeds | all but demo |
//! | [`demo`] | callers and a colleague who are real user agents | app, lot, sip, media, io, config, desk, parking |
//!
//! # A key press `p`, as the data would tell it
//!
//! The screen's thread makes a key of bytes ([`io::terminal`], [`app`]), the keymap makes
//! [`desk::Command::Park`] of the key. [`desk::Desk::obey`] moves the call to *parking* and returns
//! [`desk::Effect::Park`]. [`dialect::Phone`] sends the REFER through [`sip::UserAgent`], whose bytes [`app`] puts on
//! the socket. 202, NOTIFY and the probe's answer come back the same road; the dialect says
//! [`desk::Event::LampChanged`] and, once it is proven, [`desk::Event::ParkProven`]; only then does our leg end.
//!
//! # Invariants
//!
//! 1. A lamp changes only when the server says so. A wish is drawn as *asking* and has a deadline.
//! 2. A leg is ended only after the park is proven: a caller is never lost to a full lot.
//! 3. Nothing is sent into a slot that isn't known to be free: two callers are never joined.
//! 4. The microphone opens for the caller who was on the screen, by the operator's key, or for whom the configuration names.
//! 5. Pure modules take time, bytes and randomness as arguments; a run is decided by its inputs and its seed.
//! 6. One loop, one order of events; [`console::draw`] mutates nothing; a stalled terminal stalls no call.
//! 7. The audio callback and the 20 ms tick never allocate, lock, log or wait.
//! 8. Console and lot speak only SIP and RTP to each other, also in one process.
//! 9. Every queue, list and buffer has a named maximum and a behaviour at it.
//! 10. What others wrote (names, notes, reasons) is a [`parking::Text`]: scrubbed once, where it comes in.
//! 11. A secret has a type that can't be printed.

pub mod ami;
pub mod app;
pub mod cli;
pub mod config;
pub mod console;
pub mod demo;
pub mod desk;
pub mod dialect;
pub mod directory;
pub mod io;
pub mod journal;
pub mod lot;
pub mod media;
pub mod parking;
pub mod sip;
