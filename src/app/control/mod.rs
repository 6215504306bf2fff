//! The console from outside: JSON lines over a socket that only its owner can open.
//!
//! [`protocol`] is what is said, [`view`] what is shown of the desk, [`server`] the console's side, [`client`] the side of
//! the one-shot commands. What is written here is described in `assets/control.md`.

pub mod client;
mod protocol;
mod server;
#[cfg(test)]
mod tests;
mod view;

pub use protocol::{Reply, Request, Verb};
pub(super) use server::{Asked, Server};
pub use view::{AccountView, CallView, ParkedView, SlotView, View};

use std::path::{Path, PathBuf};

/// The longest line, in bytes.
pub const MAX_LINE: usize = 16 * 1024;
/// The most connections at once.
pub const MAX_CLIENTS: usize = 16;

/// Where the socket is: in the user's own runtime directory, else beside what survives a restart.
pub fn socket(state: &Path) -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    match runtime.filter(|dir| dir.is_absolute() && dir.is_dir()) {
        Some(dir) => dir.join("parkdeck").join("control.sock"),
        None => state.join("control.sock"),
    }
}

/// Where the demo's console listens: beside the real one, and in nobody's way.
pub fn demo_socket(state: &Path) -> PathBuf {
    socket(state).with_file_name("demo.sock")
}
