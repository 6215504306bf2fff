//! The journal as the console uses it: opened at the start, told of everything new, shown to the screen. Nothing here
//! stops a console: what goes wrong becomes one line to show.

use crate::desk::{CallRecord, Entry, History, MAX_HISTORY};
use crate::journal::{Database, Follower, Found, Journal, JournalReport};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Reports that may wait to be shown.
const MAX_REPORTS: usize = 8;
/// Lines about calls that the last session left open; more are in the journal.
const MAX_INTERRUPTED: usize = 3;
/// Stays in slots that are kept at hand from before this session.
const PARKS_BACK_MS: u64 = 24 * 3_600_000;

/// The journal of one console.
pub(super) struct Records {
    journal: Option<Journal>,
    reports: mpsc::Receiver<JournalReport>,
    history: History,
    shown: watch::Sender<Arc<History>>,
}

/// What the opening gave.
pub(super) struct Opened {
    pub records: Records,
    /// Who follows the desk from now on.
    pub follower: Follower,
    /// For the operator, a line each.
    pub lines: Vec<String>,
}

impl Records {
    /// Opens the journal; `file` is `None` where none is kept. `origin_ms` is the wall-clock time of moment zero.
    pub fn open(
        file: Option<&Path>,
        keep_days: u32,
        origin_ms: u64,
        shown: watch::Sender<Arc<History>>,
    ) -> Opened {
        let now_ms = wall_ms();
        let (tell, reports) = mpsc::sync_channel(MAX_REPORTS);
        let mut records =
            Self { journal: None, reports, history: History::new(vec![], vec![], now_ms), shown };
        let mut follower = Follower::new(0, origin_ms, Vec::new());
        let mut lines = Vec::new();
        let found = file.map(|file| Database::open(file, now_ms, keep_days));
        match found {
            None => {}
            Some(Err(error)) => lines.push(format!("{error} · calls are not written down")),
            Some(Ok(Found { database, session, interrupted, parked, warning })) => {
                lines.extend(warning);
                lines.extend(told(&interrupted));
                let calls = database.newest(MAX_HISTORY).unwrap_or_default();
                let mut parks =
                    database.parks_since(now_ms.saturating_sub(PARKS_BACK_MS)).unwrap_or_default();
                parks.reverse();
                records.history = History::new(calls, parks, now_ms);
                follower = Follower::new(session, origin_ms, parked);
                // A full channel means that nobody reads; the journal must not wait for him.
                match Journal::start(database, move |report| drop(tell.try_send(report))) {
                    Ok(journal) => records.journal = Some(journal),
                    Err(error) => lines.push(format!("calls are not written down: {error}")),
                }
            }
        }
        records.show();
        Opened { records, follower, lines }
    }

    /// Takes what is new.
    pub fn take(&mut self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        entries.iter().for_each(|entry| self.history.take(entry.clone()));
        self.show();
        if let Some(journal) = &self.journal {
            journal.record(entries);
        }
    }

    /// What the journal's thread had to say, if anything: look now and then.
    pub fn poll_report(&self) -> Option<JournalReport> {
        self.reports.try_recv().ok()
    }

    /// Waits until everything is on disk, at most `patience`.
    pub fn flush(&self, patience: Duration) -> bool {
        self.journal.as_ref().is_none_or(|journal| journal.flush(patience))
    }

    fn show(&self) {
        let _ = self.shown.send(Arc::new(self.history.clone()));
    }
}

/// What became of the calls that went on when the last session stopped.
fn told(interrupted: &[CallRecord]) -> Vec<String> {
    let line = |record: &CallRecord| {
        let state = if record.answered_ms.is_some() { "you spoke with" } else { "it rang from or at" };
        format!(
            "when the console stopped, {state} {} ({}): that call is over",
            record.label(),
            record.party.number
        )
    };
    let mut lines: Vec<String> = interrupted.iter().take(MAX_INTERRUPTED).map(line).collect();
    let more = interrupted.len().saturating_sub(MAX_INTERRUPTED);
    if more > 0 {
        lines.push(format!("{more} more calls were cut off then: the journal has them"));
    }
    lines
}

/// The wall clock, milliseconds since 1970.
pub(super) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
