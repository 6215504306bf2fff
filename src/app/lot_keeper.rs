//! Keeps what the lot must not forget: its journal, and who has it. What goes wrong with the disk stops no call: it is
//! said once, and the journal resumes by itself.

use crate::io::clock::Clock;
use crate::journal::ledger::{self, Ledger};
use crate::lot::memory::{Entry, Past};
use crate::lot::{Lot, LotConfig};
use color_eyre::eyre::{Context, eyre};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// After a failed write the whole journal is written anew, not sooner than this.
const AGAIN: Duration = Duration::from_secs(2);
/// How long the command that has the configuration read again waits for word of it.
const RELOAD_PATIENCE: Duration = Duration::from_secs(10);

/// What a running lot says of itself beside its journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Status {
    pid: i32,
    /// How often its configuration was read again.
    reloads: u64,
    /// Why the last time was in vain, if it was.
    refused: Option<String>,
}

/// What is taken at the start and can't be changed by reading the configuration again.
#[derive(PartialEq, Eq)]
pub(super) struct Bound {
    sockets: [Option<std::net::SocketAddr>; 5],
    files: [Option<PathBuf>; 5],
    recording_tone: bool,
}

impl Bound {
    pub(super) fn of(config: &LotConfig) -> Self {
        Self {
            sockets: [
                Some(config.listen),
                config.listen_tcp,
                config.listen_tls,
                config.advertise,
                config.metrics,
            ],
            files: [
                config.tls_certificate.clone(),
                config.tls_key.clone(),
                config.tls_authority.clone(),
                config.journal.clone(),
                config.recordings.clone(),
            ],
            recording_tone: config.recording_tone,
        }
    }
}

/// The journal of a running lot.
pub(super) struct Keeper {
    ledger: Option<Ledger>,
    status: Status,
    failing: bool,
    try_at: Option<Instant>,
}

/// Where the journal of a lot is.
pub(super) fn file(config: &LotConfig, base: &Path, state: &Path) -> PathBuf {
    let home = crate::config::paths::home();
    match &config.journal {
        Some(file) => crate::config::paths::resolve(file, base, home.as_deref()),
        // By its address: several lots may live on one machine.
        None => {
            state.join(format!("lot-{}.journal", config.listen.to_string().replace([':', '[', ']'], "-")))
        }
    }
}

impl Keeper {
    /// Keeps nothing: the demo's.
    pub(super) fn none() -> Self {
        Self { ledger: None, status: Status::default(), failing: false, try_at: None }
    }

    /// Opens the journal at `file` and has `lot` go on from what is in it.
    pub(super) fn open(file: &Path, realm: &str, lot: &mut Lot, clock: &Clock) -> Self {
        let mut keeper = Self::none();
        let (ledger, content) = match Ledger::open(file) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!("nothing is kept for the next start: {error}");
                return keeper;
            }
        };
        let past = read(&ledger, &content, realm);
        keeper.ledger = Some(ledger);
        keeper.status.pid = i32::try_from(std::process::id()).unwrap_or_default();
        lot.keep(clock.origin_wall_ms());
        lot.revive(clock.now(), past);
        keeper.rewrite(lot);
        keeper.announce();
        keeper
    }

    /// Writes down what has changed: before anything is sent.
    pub(super) fn write(&mut self, lot: &mut Lot) {
        let Some(ledger) = &mut self.ledger else { return };
        let mut lines = Vec::new();
        while let Some(entry) = lot.poll_entry() {
            line(&entry, &mut lines);
        }
        if self.failing {
            if self.try_at.is_none_or(|at| Instant::now() >= at) {
                self.rewrite(lot);
            }
        } else if !lines.is_empty() {
            let written = ledger.append(&lines);
            let long = ledger.is_long();
            match written {
                Ok(()) if long => self.rewrite(lot),
                Ok(()) => {}
                Err(error) => self.fail(&error),
            }
        }
    }

    /// Writes all of it anew.
    fn rewrite(&mut self, lot: &mut Lot) {
        let Some(ledger) = &mut self.ledger else { return };
        let mut content = Vec::new();
        lot.snapshot().iter().for_each(|entry| line(entry, &mut content));
        match ledger.replace(&content) {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the journal is written again");
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &std::io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!("the journal can't be written ({error}); calls go on, and it is tried again");
        }
        self.try_at = Some(Instant::now() + AGAIN);
    }

    /// When to look again, though nothing has happened.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.try_at.filter(|_| self.failing)
    }

    /// Whether what happens is not written down, though it should be.
    pub(super) fn is_failing(&self) -> bool {
        self.failing
    }

    /// Says what became of reading the configuration again.
    pub(super) fn reloaded(&mut self, refused: Option<String>) {
        self.status.reloads += 1;
        self.status.refused = refused;
        self.announce();
    }

    fn announce(&mut self) {
        let Some(ledger) = &mut self.ledger else { return };
        let mut status = self.status.clone();
        if let Some(refused) = &mut status.refused {
            *refused = refused.chars().take(600).collect();
        }
        let words = serde_json::to_string(&status).unwrap_or_default();
        if let Err(error) = ledger.announce(&words) {
            tracing::warn!("`parkdeck lot reload` can't find this lot: {error}");
        }
    }
}

fn line(entry: &Entry, lines: &mut Vec<u8>) {
    // Plain strings and numbers always serialise; an entry too long to be read again would only do harm.
    if let Ok(json) = serde_json::to_vec(entry)
        && json.len() <= crate::lot::memory::MAX_LINE
    {
        lines.extend_from_slice(&json);
        lines.push(b'\n');
    }
}

/// What the last process left. What can't be understood is kept under another name and told; the lines before it count.
fn read(ledger: &Ledger, content: &[u8], realm: &str) -> Past {
    let mut past = Past::default();
    let lines = content.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    for (number, line) in lines.enumerate() {
        if let Err(reason) = past.read_line(line) {
            let fate = match ledger.set_aside() {
                Ok(file) => format!("a copy is kept as {}", file.display()),
                Err(error) => format!("and no copy could be made ({error})"),
            };
            tracing::error!("the journal can't be understood from line {} on ({reason}); {fate}", number + 1);
            break;
        }
    }
    if past.realm.as_deref().is_some_and(|kept| kept != realm) {
        tracing::warn!("the journal is of another realm; nothing is taken from it");
        return Past::default();
    }
    past
}

/// Has the running lot of this configuration read it again: first looks whether it can be read, then waits until the lot
/// has it.
///
/// # Errors
/// What is wrong with the file, with line and column; that no lot runs; or why it keeps its old configuration.
pub fn reload(config: &Path, state: &Path) -> color_eyre::Result<()> {
    let read = super::lot::read(config)?;
    let base = config.parent().unwrap_or(Path::new("."));
    let journal = file(&read, base, state);
    let status = || -> color_eyre::Result<Option<Status>> {
        let words = ledger::holder(&journal).wrap_err_with(|| format!("{}", journal.display()))?;
        Ok(words.and_then(|words| serde_json::from_str(&words).ok()))
    };
    let before = status()?.ok_or_else(|| eyre!("no lot of {} is running", config.display()))?;
    let pid =
        rustix::process::Pid::from_raw(before.pid).ok_or_else(|| eyre!("the lot's process is unknown"))?;
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).wrap_err("the lot can't be told")?;
    let patience = Instant::now() + RELOAD_PATIENCE;
    while Instant::now() < patience {
        match status()? {
            Some(now) if now.reloads > before.reloads => {
                return now.refused.map_or(Ok(()), |why| Err(eyre!("the old configuration runs on: {why}")));
            }
            Some(_) => std::thread::sleep(Duration::from_millis(20)),
            None => return Err(eyre!("the lot has ended")),
        }
    }
    Err(eyre!("the lot doesn't answer"))
}
