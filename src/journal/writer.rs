//! The thread that writes the memory. It is handed the newest memory over a place for one, never a queue: while the
//! disk is slow or full, newer replaces older and nobody waits.

use super::{Snapshot, Store};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The first pause before a failed write is tried again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the writer has to say; at most two lines for one trouble, however long it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Writing fails; it is tried again by itself. One line for the operator.
    Failed(String),
    /// Writing works again, the newest memory is on disk.
    Resumed,
}

/// Writes memories on a thread of its own. Dropped, it writes the last one and ends.
#[derive(Debug)]
pub struct Writer {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// What the two sides share.
#[derive(Debug, Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The newest memory that is not on disk.
    newest: Option<Snapshot>,
    /// Whether one is being written.
    writing: bool,
    /// Whether to end.
    closing: bool,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Starts the thread; `tell` is called on it for every [`Report`] and must not wait.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Store, tell: impl Fn(Report) + Send + 'static) -> io::Result<Self> {
        Self::start_with(move |content| store.write(content), tell, FIRST_PAUSE)
    }

    fn start_with(
        write: impl Fn(&[u8]) -> io::Result<()> + Send + 'static,
        tell: impl Fn(Report) + Send + 'static,
        first_pause: Duration,
    ) -> io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let theirs = Arc::clone(&desk);
        let run = move || work(&theirs, &write, &tell, first_pause);
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(run)?;
        Ok(Self { desk, thread: Some(thread) })
    }

    /// Has this memory written soon. Never waits; an older one that isn't written yet is forgotten.
    pub fn save(&self, memory: Snapshot) {
        self.desk.lock().newest = Some(memory);
        self.desk.changed.notify_all();
    }

    /// Waits until everything is on disk, at most `patience`; false when it isn't by then.
    pub fn flush(&self, patience: Duration) -> bool {
        let unwritten = |state: &mut State| state.newest.is_some() || state.writing;
        let waited = self.desk.changed.wait_timeout_while(self.desk.lock(), patience, unwritten);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.desk.lock().closing = true;
        self.desk.changed.notify_all();
        // It ends after at most one more write. Had it panicked, there would be nobody left to tell.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The thread: takes the newest, writes it, and again. At the end one last try, without patience.
fn work(
    desk: &Desk,
    write: &impl Fn(&[u8]) -> io::Result<()>,
    tell: &impl Fn(Report),
    first_pause: Duration,
) {
    let mut pause: Option<Duration> = None;
    loop {
        let mut state = desk.lock();
        while state.newest.is_none() && !state.closing {
            state = desk.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let Some(memory) = state.newest.take() else { return };
        let closing = state.closing;
        state.writing = true;
        drop(state);
        let written = write(&memory.to_json());
        let mut state = desk.lock();
        state.writing = false;
        if written.is_err() && state.newest.is_none() {
            state.newest = Some(memory);
        }
        desk.changed.notify_all();
        match written {
            Ok(()) => {
                if pause.take().is_some() {
                    tell(Report::Resumed);
                }
            }
            Err(_) if closing => return,
            Err(error) => {
                if pause.is_none() {
                    tell(Report::Failed(trouble(&error)));
                }
                let wait = pause.map_or(first_pause, |p| (p * 2).min(LONGEST_PAUSE));
                pause = Some(wait);
                let until = Instant::now() + wait;
                while !state.closing && Instant::now() < until {
                    let left = until.saturating_duration_since(Instant::now());
                    state = desk.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }
}

/// One line: what happened, what it means, what to do.
fn trouble(error: &io::Error) -> String {
    let cause = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full: make room".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the disk is read-only".to_owned(),
        _ => error.to_string(),
    };
    format!("parked calls are not being saved ({cause}); calls go on, and saving is tried again")
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
