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
pub mod log;
pub mod lot;
pub mod lot_keeper;
mod lot_metrics;
mod lot_sounds;
pub mod people;
mod records;
mod screen;
mod server;
mod settings;
pub mod sound;
mod theme;
pub mod trace;
pub mod wallboard;

pub use engine::{Deed, Engine};
