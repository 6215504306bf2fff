//! One small file, replaced as a whole: a new file is written and synced beside it and then takes its name, so that
//! whoever reads finds the old content or the new, whatever happened in between.

use super::Snapshot;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The longest file that is read: [`crate::desk::MAX_SLOTS`] calls with the longest names fit.
pub const MAX_FILE: u64 = 4 << 20;

/// Why the memory can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another program has it.
    #[error("another parkdeck uses {0}: parked calls are not remembered by this one")]
    Taken(PathBuf),
    /// The directory can't be made, or the file can't be opened.
    #[error("parked calls can't be remembered in {directory}: {reason}")]
    Unusable {
        /// Where.
        directory: PathBuf,
        /// Why.
        reason: String,
    },
}

/// The place of the memory, ours alone while it lives (a lock that ends with the process, however that ends).
#[derive(Debug)]
pub struct Store {
    file: PathBuf,
    _lock: File,
}

/// What was found when the store was opened.
#[derive(Debug)]
pub struct Opened {
    /// To write to.
    pub store: Store,
    /// What the last session left; `None` when there was nothing that could be read.
    pub memory: Option<Snapshot>,
    /// One line for the operator when something was there and could not be read.
    pub warning: Option<String>,
}

impl Store {
    /// Opens the memory at `file`, making its directory (0700) where needed, and reads what is there.
    ///
    /// A file that can't be understood is set aside under the name `….corrupt` and told in
    /// [`Opened::warning`]; it never stops the program.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(file: &Path) -> Result<Opened, StoreError> {
        let (lock, _) = claim(file)?;
        let store = Self { file: file.to_owned(), _lock: lock };
        let (memory, warning) = store.read();
        Ok(Opened { store, memory, warning })
    }

    fn read(&self) -> (Option<Snapshot>, Option<String>) {
        let mut bytes = Vec::new();
        let opened = File::open(&self.file).and_then(|f| f.take(MAX_FILE + 1).read_to_end(&mut bytes));
        let reason = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return (None, None),
            Err(error) => error.to_string(),
            Ok(_) if bytes.len() as u64 > MAX_FILE => "it is too long".to_owned(),
            Ok(_) => match Snapshot::from_json(&bytes) {
                Ok(memory) => return (Some(memory), None),
                Err(reason) => reason,
            },
        };
        let aside = beside(&self.file, "corrupt");
        let fate = match fs::rename(&self.file, &aside) {
            Ok(()) => format!("it is kept as {}", aside.display()),
            Err(error) => format!("and could not be set aside ({error})"),
        };
        (None, Some(format!("the memory of parked calls was unreadable ({reason}); {fate}")))
    }

    /// Replaces the file's content and waits until the disk has it.
    ///
    /// # Errors
    /// As the system says; the old content is then still there.
    pub fn write(&self, content: &[u8]) -> io::Result<()> {
        let fresh = beside(&self.file, "new");
        let written = private().truncate(true).open(&fresh).and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        });
        if let Err(error) = written {
            // On a full disk even an empty leftover is in the way.
            let _ = fs::remove_file(&fresh);
            return Err(error);
        }
        fs::rename(&fresh, &self.file)?;
        // The new name is on disk only when its directory is.
        File::open(super::directory_of(&self.file))?.sync_all()
    }
}

/// Makes the directory of `file` and takes the lock beside it; also how to say that the place is of no use.
pub(super) fn claim(file: &Path) -> Result<(File, impl Fn(io::Error) -> StoreError + use<>), StoreError> {
    let directory = super::directory_of(file).to_owned();
    let unusable = {
        let directory = directory.clone();
        move |error: io::Error| StoreError::Unusable {
            directory: directory.clone(),
            reason: error.to_string(),
        }
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(&unusable)?;
    let lock = private().truncate(false).open(beside(file, "lock")).map_err(&unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok((lock, unusable)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Taken(file.to_owned())),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// How our files are opened for writing: only for their owner.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// `memory.json` and `new` make `memory.json.new`.
pub(super) fn beside(file: &Path, tail: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(tail);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state/parkdeck/memory.json");
        (dir, file)
    }

    fn some() -> Snapshot {
        Snapshot::of([("a", &[][..])], 1)
    }

    #[test]
    fn the_first_time_there_is_nothing_and_no_complaint() {
        let (_dir, file) = place();
        let opened = Store::open(&file).unwrap();
        assert!(opened.memory.is_none() && opened.warning.is_none());
        opened.store.write(&some().to_json()).unwrap();
        drop(opened);
        assert_eq!(Store::open(&file).unwrap().memory, Some(some()));
    }

    #[test]
    fn only_the_owner_can_read_it() {
        let (_dir, file) = place();
        Store::open(&file).unwrap().store.write(b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn a_corrupt_file_is_set_aside_with_a_warning() {
        let (_dir, file) = place();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        for content in [&b""[..], b"{", b"\xff\xfe", b"[]", &vec![b' '; MAX_FILE as usize + 1]] {
            fs::write(&file, content).unwrap();
            let opened = Store::open(&file).unwrap();
            assert!(opened.memory.is_none());
            assert!(opened.warning.unwrap().contains("memory.json.corrupt"));
            assert_eq!(fs::read(beside(&file, "corrupt")).unwrap(), content);
            assert!(!file.exists());
        }
    }

    #[test]
    fn a_directory_in_its_place_is_a_warning_too() {
        let (_dir, file) = place();
        fs::create_dir_all(&file).unwrap();
        assert!(Store::open(&file).unwrap().warning.unwrap().contains("unreadable"));
    }

    #[test]
    fn a_second_console_is_told_and_changes_nothing() {
        let (_dir, file) = place();
        let first = Store::open(&file).unwrap();
        assert!(matches!(Store::open(&file), Err(StoreError::Taken(_))));
        drop(first);
        assert!(Store::open(&file).is_ok());
    }

    #[test]
    fn a_place_that_can_not_be_made_is_told() {
        let (dir, _) = place();
        fs::write(dir.path().join("file"), "").unwrap();
        let error = Store::open(&dir.path().join("file/memory.json")).unwrap_err();
        assert!(error.to_string().starts_with("parked calls can't be remembered in"), "{error}");
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_content_and_no_litter() {
        let (_dir, file) = place();
        let opened = Store::open(&file).unwrap();
        opened.store.write(b"old").unwrap();
        fs::create_dir(beside(&file, "new")).unwrap();
        assert!(opened.store.write(b"fresh").is_err());
        assert_eq!(fs::read(&file).unwrap(), b"old");
    }
}
