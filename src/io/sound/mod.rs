//! The media engine: a media thread outside tokio (UDP sockets by mio, the 20 ms tick), and the sound devices on
//! threads of their own. Commands go in by a wait-free ring, reports come out by one.

mod options;

pub use options::{Device, SoundOptions};

use crate::media::{Command, Report};
use std::io;

/// Commands that may wait for the media thread, and again as many reports for the owner.
pub const QUEUE: usize = 4096;

/// The media engine: made by [`MediaEngine::start`], steered by the [`MediaHandle`].
pub struct MediaEngine;

impl MediaEngine {
    /// Starts the threads. `wake` is called (from them; it must not block) whenever reports wait for
    /// [`MediaHandle::try_recv`]; a `tokio::sync::Notify::notify_one` is good.
    ///
    /// # Errors
    /// When the poller or the threads can't be made, or not one port can be bound on `options.address`.
    pub fn start(options: SoundOptions, wake: impl Fn() + Send + Sync + 'static) -> io::Result<MediaHandle> {
        let _ = (options, wake);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The owner's end. Dropping it ends the threads and closes the ports.
pub struct MediaHandle {}

impl MediaHandle {
    /// Gives a command. `false`: [`QUEUE`] commands wait already and this one is dropped.
    pub fn send(&mut self, command: Command) -> bool {
        let _ = command;
        false
    }

    /// The next report, if one waits.
    pub fn try_recv(&mut self) -> Option<Report> {
        None
    }
}
