//! The lot: a small call-park server, sans-IO.

pub mod config;
pub mod slots;
