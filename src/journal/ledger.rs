//! A journal of lines, for whoever has much to keep and changes little at a time: each change is appended, and handed to
//! the system before anything is said that follows from it. So a killed process has lost nothing of what it told others;
//! a power cut costs what a disk takes to sync, which happens on a thread of its own. When the lines have grown long, the
//! owner replaces them all by what they add up to.

use super::store::{StoreError, beside, claim, private};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// The longest journal that is read, in bytes.
pub const MAX_LEDGER: u64 = 256 << 20;
/// From this length on, and four times what it began with, it is worth replacing.
const LONG: u64 = 1 << 20;

/// A journal that is open, ours alone while it lives (a lock that ends with the process, however that ends).
#[derive(Debug)]
pub struct Ledger {
    file: PathBuf,
    open: File,
    /// How long it is, and how long it was when it was last replaced.
    length: u64,
    began: u64,
    sync: SyncSender<File>,
    lock: File,
}

impl Ledger {
    /// Opens the journal at `file`, making its directory (0700) where needed, and gives what is in it: whole lines only,
    /// for the last may be torn.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(file: &Path) -> Result<(Self, Vec<u8>), StoreError> {
        let (lock, unusable) = claim(file)?;
        let mut bytes = Vec::new();
        match File::open(file).and_then(|f| f.take(MAX_LEDGER).read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(error)),
        }
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        bytes.truncate(whole);
        let mut options = private();
        options.append(true);
        let open = options.open(file).map_err(&unusable)?;
        let length = bytes.len() as u64;
        // What was torn is cut off: the next line must not be glued to it.
        open.set_len(length).map_err(&unusable)?;
        // One place: while a sync is under way another waits, and more would only repeat it.
        let (sync, asked) = sync_channel::<File>(1);
        let work = move || asked.into_iter().for_each(|file| drop(file.sync_data()));
        thread::Builder::new().name("ledger".to_owned()).spawn(work).map_err(&unusable)?;
        Ok((Self { file: file.to_owned(), open, length, began: length, sync, lock }, bytes))
    }

    /// Adds whole lines, each with its line end.
    ///
    /// # Errors
    /// As the system says; nothing of them is in the journal then.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Err(error) = self.open.write_all(lines) {
            // Half a line may have got in.
            self.open.set_len(self.length)?;
            return Err(error);
        }
        self.length += lines.len() as u64;
        if let Ok(file) = self.open.try_clone() {
            let _ = self.sync.try_send(file);
        }
        Ok(())
    }

    /// Whether it has grown so long that it should be replaced.
    pub fn is_long(&self) -> bool {
        self.length > LONG.max(self.began.saturating_mul(4))
    }

    /// Replaces everything, and waits until the disk has it.
    ///
    /// # Errors
    /// As the system says; the old content is then still there.
    pub fn replace(&mut self, content: &[u8]) -> io::Result<()> {
        let fresh = beside(&self.file, "new");
        let written = private().truncate(true).open(&fresh).and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        });
        if let Err(error) = written.and_then(|()| fs::rename(&fresh, &self.file)) {
            let _ = fs::remove_file(&fresh);
            return Err(error);
        }
        let mut options = private();
        options.append(true);
        self.open = options.open(&self.file)?;
        self.length = content.len() as u64;
        self.began = self.length;
        File::open(super::directory_of(&self.file))?.sync_all()
    }

    /// Keeps a copy of what is there under another name, for somebody who can read it.
    ///
    /// # Errors
    /// As the system says.
    pub fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = beside(&self.file, "corrupt");
        let _ = fs::remove_file(&aside);
        fs::hard_link(&self.file, &aside)?;
        Ok(aside)
    }

    /// Writes a few words into the lock, for whoever asks who has it; see [`holder`].
    ///
    /// # Errors
    /// As the system says.
    pub fn announce(&mut self, words: &str) -> io::Result<()> {
        use std::os::unix::fs::FileExt;
        // Shorter words end with blanks: whoever reads meanwhile finds old or new ones, never half of both.
        self.lock.write_all_at(format!("{words:<1000}\n").as_bytes(), 0)
    }
}

/// What the process that has the journal at `file` announced; `None` when nobody has it.
///
/// # Errors
/// As the system says.
pub fn holder(file: &Path) -> io::Result<Option<String>> {
    let lock = match File::open(beside(file, "lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if lock.try_lock_shared().is_ok() {
        return Ok(None);
    }
    let mut words = Vec::new();
    Read::take(&lock, 4_096).read_to_end(&mut words)?;
    Ok(Some(String::from_utf8_lossy(words.trim_ascii()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state/lot.journal");
        (dir, file)
    }

    #[test]
    fn what_was_appended_is_there_again_and_a_torn_line_is_cut_off() {
        let (_dir, file) = place();
        let (mut ledger, found) = Ledger::open(&file).unwrap();
        assert_eq!(found, b"");
        ledger.append(b"one\n").unwrap();
        ledger.append(b"two\nthree\n").unwrap();
        drop(ledger);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        let mut torn = fs::read(&file).unwrap();
        torn.extend_from_slice(b"fou");
        fs::write(&file, torn).unwrap();
        let (mut ledger, found) = Ledger::open(&file).unwrap();
        assert_eq!(found, b"one\ntwo\nthree\n");
        ledger.append(b"five\n").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"one\ntwo\nthree\nfive\n");
    }

    #[test]
    fn it_is_replaced_as_a_whole_and_goes_on_from_there() {
        let (_dir, file) = place();
        let (mut ledger, _) = Ledger::open(&file).unwrap();
        ledger.append(&b"a line of some length\n".repeat(60_000)).unwrap();
        assert!(ledger.is_long());
        ledger.replace(b"all of it\n").unwrap();
        assert!(!ledger.is_long());
        ledger.append(b"more\n").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"all of it\nmore\n");
        // A folder in the way: the old content stays, and lines are still taken.
        fs::create_dir(beside(&file, "new")).unwrap();
        assert!(ledger.replace(b"other\n").is_err());
        ledger.append(b"end\n").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"all of it\nmore\nend\n");
    }

    #[test]
    fn one_process_has_it_and_says_who_it_is() {
        let (_dir, file) = place();
        assert_eq!(holder(&file).unwrap(), None);
        let (mut ledger, _) = Ledger::open(&file).unwrap();
        assert!(matches!(Ledger::open(&file), Err(StoreError::Taken(_))));
        ledger.announce("a longer text").unwrap();
        ledger.announce("me").unwrap();
        assert_eq!(holder(&file).unwrap().as_deref(), Some("me"));
        drop(ledger);
        assert_eq!(holder(&file).unwrap(), None);
    }

    #[test]
    fn a_copy_is_kept_of_what_can_not_be_understood() {
        let (_dir, file) = place();
        let (mut ledger, _) = Ledger::open(&file).unwrap();
        ledger.append(b"what?\n").unwrap();
        let aside = ledger.set_aside().unwrap();
        ledger.replace(b"new\n").unwrap();
        assert_eq!(fs::read(aside).unwrap(), b"what?\n");
    }
}
