//! The file of a SIP trace: readable by its owner only, bounded, and written by a thread of its own, so that a slow disk
//! delays no call.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// When the file has grown to this many bytes it is put aside, in place of the one before it.
pub const MAX_FILE: u64 = 8 << 20;
/// Entries that may wait for the disk; beyond it one is lost, and counted.
const MAX_WAITING: usize = 512;

/// An open trace; ends with the last entry written when dropped.
#[derive(Debug)]
pub struct TraceFile {
    entries: SyncSender<String>,
    lost: u64,
}

impl TraceFile {
    /// Goes on writing at the end of that file, which is made if it isn't there.
    ///
    /// # Errors
    /// When the file can't be made or written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = append(path)?;
        let (entries, received) = sync_channel(MAX_WAITING);
        let path = path.to_owned();
        std::thread::Builder::new().name("trace".into()).spawn(move || write_all(&path, file, &received))?;
        Ok(Self { entries, lost: 0 })
    }

    /// Adds an entry; when the disk is behind it is lost, and the next one that isn't says how many were.
    pub fn write(&mut self, entry: String) {
        let entry = match self.lost {
            0 => entry,
            lost => format!("-- {lost} entries were lost: the disk is behind\n{entry}"),
        };
        match self.entries.try_send(entry) {
            Ok(()) => self.lost = 0,
            Err(_) => self.lost += 1,
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// Where the file goes when it is full.
pub fn previous(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".1");
    path.with_file_name(name)
}

fn write_all(path: &Path, mut file: File, entries: &Receiver<String>) {
    let mut size = file.metadata().map_or(0, |meta| meta.len());
    while let Ok(entry) = entries.recv() {
        if size > MAX_FILE && std::fs::rename(path, previous(path)).is_ok() {
            let Ok(fresh) = append(path) else { return };
            (file, size) = (fresh, 0);
        }
        // A full disk loses entries, nothing else; the file never grows beyond its limit by more than one of them.
        if size <= MAX_FILE && file.write_all(entry.as_bytes()).is_ok() {
            size += entry.len() as u64;
        }
    }
}
