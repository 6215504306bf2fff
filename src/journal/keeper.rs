//! The journal's thread: it is handed what is new and writes it, a batch at a time. Nobody waits for the disk; while it
//! fails, the newest of each record is kept and written when it works again.

use super::database::Database;
use crate::desk::{Entry, RecordId};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The most records that wait for the disk; beyond it the oldest are lost, and that is told.
const MAX_WAITING: usize = 20_000;
/// How long a failed write waits before it is tried again.
const PAUSE: Duration = Duration::from_secs(5);

/// What the thread has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalReport {
    /// Writing fails; it is tried again by itself. One line for the operator.
    Failed(String),
    /// It works again.
    Resumed,
}

/// Writes the journal on a thread of its own. Dropped, it writes what is left and ends the session.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: BTreeMap<RecordId, Entry>,
    writing: bool,
    closing: bool,
    lost: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    /// Starts the thread; `tell` must not wait.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(database: Database, tell: impl Fn(JournalReport) + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread =
            thread::Builder::new().name("calls".to_owned()).spawn(move || work(&theirs, database, &tell))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Has these written soon. A newer state of a record takes the place of one that is not written yet.
    pub fn record(&self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        let mut state = self.shared.lock();
        for entry in entries {
            state.waiting.insert(entry.id(), entry);
        }
        while state.waiting.len() > MAX_WAITING {
            state.waiting.pop_first();
            state.lost += 1;
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until everything is on disk, at most `patience`; false when it isn't by then.
    pub fn flush(&self, patience: Duration) -> bool {
        let unwritten = |state: &mut State| !state.waiting.is_empty() || state.writing;
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), patience, unwritten);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn work(shared: &Shared, mut database: Database, tell: &impl Fn(JournalReport)) {
    let mut failing = false;
    loop {
        let mut state = shared.lock();
        while state.waiting.is_empty() && !state.closing {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.waiting.is_empty() {
            break;
        }
        let batch = std::mem::take(&mut state.waiting);
        let closing = state.closing;
        state.writing = true;
        drop(state);
        let written = database.write(batch.values());
        let mut state = shared.lock();
        state.writing = false;
        let lost = std::mem::take(&mut state.lost);
        if written.is_err() {
            for (id, entry) in batch {
                state.waiting.entry(id).or_insert(entry);
            }
        }
        shared.changed.notify_all();
        match written {
            Ok(()) if std::mem::take(&mut failing) => tell(JournalReport::Resumed),
            Ok(()) => {}
            Err(_) if closing => return,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tell(JournalReport::Failed(format!(
                        "the journal is not being written ({error}); calls go on, and it is tried again"
                    )));
                }
                let until = Instant::now() + PAUSE;
                while !state.closing && Instant::now() < until {
                    let left = until.saturating_duration_since(Instant::now());
                    state =
                        shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        if lost > 0 {
            tell(JournalReport::Failed(format!("{lost} calls found no room in the journal")));
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if let Err(error) = database.close(u64::try_from(now.as_millis()).unwrap_or(u64::MAX)) {
        tracing::warn!(%error, "the journal could not be closed");
    }
}
