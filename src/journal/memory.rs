//! The memory of parked calls as the app uses it: open, recall, save. Nothing here stops a console: what goes wrong
//! becomes one line to show.

use super::{Report, Snapshot, Store, Writer};
use crate::desk::ParkedCall;
use crate::parking::{Moment, SlotId};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reports that may wait to be shown; there are two for each trouble, so more would only repeat them.
const MAX_REPORTS: usize = 8;

/// The memory of the accounts' parked calls. Dropped, it writes what is not yet written.
#[derive(Debug)]
pub struct Memory {
    accounts: Vec<String>,
    origin_ms: u64,
    found: Option<Snapshot>,
    /// What went wrong at the opening, until it is told.
    warning: Option<String>,
    writer: Option<Writer>,
    reports: mpsc::Receiver<Report>,
}

impl Memory {
    /// Opens the memory in `file` for `accounts` (any words that name account and server); another account's is left
    /// alone until these are saved. `origin_ms` is the wall-clock time of moment zero, see [`super::HEAD_START`].
    pub fn open(file: &Path, accounts: &[String], origin_ms: u64) -> Self {
        let (tell, reports) = mpsc::sync_channel(MAX_REPORTS);
        // A full channel means that nobody reads; the writer must not wait for him.
        let start = |store| Writer::start(store, move |report| drop(tell.try_send(report)));
        let (found, warning, writer) = match Store::open(file) {
            Ok(opened) => match start(opened.store) {
                Ok(writer) => (opened.memory, opened.warning, Some(writer)),
                Err(error) => (opened.memory, Some(format!("parked calls are not saved: {error}")), None),
            },
            Err(error) => (None, Some(error.to_string()), None),
        };
        Self { accounts: accounts.to_vec(), origin_ms, found, warning, writer, reports }
    }

    /// Who was parked at each account when the last session ended, in this program's moments.
    ///
    /// # Errors
    /// One line to show when the memory could not be read, or can't be kept. Told once.
    pub fn recall(&mut self) -> Result<Vec<Vec<(SlotId, ParkedCall)>>, String> {
        if let Some(warning) = self.warning.take() {
            return Err(warning);
        }
        let (found, now) = (self.found.take(), self.now());
        let of = |account: &String| {
            found.as_ref().map(|snapshot| snapshot.recall(account, self.origin_ms, now)).unwrap_or_default()
        };
        Ok(self.accounts.iter().map(of).collect())
    }

    /// Has this written soon, what is parked at each account. Never waits.
    pub fn save(&self, parked: &[Vec<(SlotId, ParkedCall)>]) {
        if let Some(writer) = &self.writer {
            let accounts = self.accounts.iter().map(String::as_str).zip(parked.iter().map(Vec::as_slice));
            writer.save(Snapshot::of(accounts, self.origin_ms));
        }
    }

    /// What the writer has to say, if anything: look now and then.
    pub fn poll_report(&self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    /// Waits until everything is on disk, at most `patience`; false when it isn't by then.
    pub fn flush(&self, patience: Duration) -> bool {
        self.writer.as_ref().is_none_or(|writer| writer.flush(patience))
    }

    /// The moment by the wall clock, which is what the file's times are in.
    fn now(&self) -> Moment {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        wall.saturating_sub(Duration::from_millis(self.origin_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::HEAD_START;
    use crate::parking::{Identity, Strength, Text};

    fn wall_ms() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
    }

    fn parked(since: Moment) -> Vec<Vec<(SlotId, ParkedCall)>> {
        let call = ParkedCall {
            parkee: Identity::new("Jane Doe", "100"),
            parker: Identity::default(),
            since,
            since_inferred: true,
            note: Text::new("for Sam"),
            comes_back_at: None,
            ours: true,
            strength: Strength::Verified,
            key: None,
            told_by: Text::default(),
        };
        vec![vec![(SlotId::new("701").unwrap(), call)]]
    }

    #[test]
    fn a_session_finds_what_the_last_one_left() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("memory.json");
        let origin = wall_ms() - HEAD_START.as_millis() as u64;
        let mut first = Memory::open(&file, &["a@pbx".to_owned()], origin);
        assert_eq!(first.recall(), Ok(vec![vec![]]));
        first.save(&parked(HEAD_START - Duration::from_secs(90)));
        assert!(first.flush(Duration::from_secs(5)));
        drop(first);
        // Ten seconds later by the program's own clock: the wait is that much longer.
        let mut second = Memory::open(&file, &["a@pbx".to_owned()], origin + 10_000);
        let recalled = second.recall().unwrap();
        assert_eq!(recalled, parked(HEAD_START - Duration::from_secs(100)));
        assert_eq!(second.recall(), Ok(vec![vec![]]), "told once");
        drop(second);
        assert_eq!(Memory::open(&file, &["b@other".to_owned()], origin).recall(), Ok(vec![vec![]]));
    }

    #[test]
    fn what_can_not_be_read_or_kept_is_one_line_and_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("memory.json");
        std::fs::write(&file, "{").unwrap();
        let mut first = Memory::open(&file, &["a".to_owned()], wall_ms());
        assert!(first.recall().unwrap_err().contains("unreadable"));
        assert_eq!(first.recall(), Ok(vec![vec![]]));
        let mut second = Memory::open(&file, &["a".to_owned()], wall_ms());
        assert!(second.recall().unwrap_err().contains("another parkdeck"));
        second.save(&parked(Moment::ZERO));
        assert!(second.flush(Duration::ZERO), "there is nothing to wait for");
        assert_eq!(second.poll_report(), None);
    }
}
