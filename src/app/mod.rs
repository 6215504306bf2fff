//! The one event loop, and what the pure centre's effects become. The only place where everything meets.

mod ami;
mod announce;
pub mod check;
pub mod console;
pub mod control;
pub mod dialects;
pub mod doctor;
pub mod engine;
pub mod history;
mod hooks;
pub mod import;
mod keeping;
mod ladder;
mod line;
pub mod log;
pub mod lot;
pub mod lot_keeper;
mod lot_metrics;
mod lot_sounds;
pub mod people;
mod records;
pub mod replay;
mod screen;
mod server;
mod settings;
pub mod setup;
pub mod sound;
mod theme;
pub mod trace;
pub mod wallboard;

pub use engine::{Deed, Engine};
