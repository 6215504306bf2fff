//! The console's side of the control socket: takes lines in, hands requests to the event loop, writes answers and events
//! out. A client that does not read is dropped; nobody here can delay a call.

use super::protocol::{Reply, Request};
use super::view::View;
use super::{MAX_CLIENTS, MAX_LINE};
use serde_json::json;
use std::collections::HashMap;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Requests that may wait for the event loop; a client that sends more waits.
const REQUESTS_MAX: usize = 32;
/// Lines that may wait for one client; one that lets more pile up is dropped.
const LINES_MAX: usize = 1_024;

/// A request, and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    client: usize,
    /// What is asked; or why it can't be read.
    pub request: Result<Request, String>,
    answers: mpsc::Sender<String>,
}

/// The socket, and who watches. Dropped, it takes the socket away.
pub struct Server {
    path: PathBuf,
    accepting: AbortHandle,
    asked: mpsc::Receiver<Asked>,
    watchers: HashMap<usize, mpsc::Sender<String>>,
    seen: View,
}

impl Server {
    /// Opens the socket, for its owner only. A socket that a dead console left is taken away first.
    ///
    /// # Errors
    /// As the system says; `AddrInUse` when another console listens there.
    pub async fn open(path: &Path) -> io::Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        if std::fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_socket()) {
            if UnixStream::connect(path).await.is_ok() {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another parkdeck listens there"));
            }
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        // Its directory is our own: nobody else could get in before this.
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
        let (ask, asked) = mpsc::channel(REQUESTS_MAX);
        let accepting = tokio::spawn(accept(listener, ask)).abort_handle();
        let (watchers, seen) = (HashMap::new(), View::default());
        Ok(Self { path: path.to_owned(), accepting, asked, watchers, seen })
    }

    /// The next request. Cancel-safe.
    pub async fn next(&mut self) -> Asked {
        match self.asked.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }

    /// Answers.
    pub fn answer(&self, asked: &Asked, reply: &Reply) {
        let _ = asked.answers.try_send(line(&json!(reply)));
    }

    /// Whoever asked hears of every change from now on; the board as it is comes first, in the answer.
    pub fn watch(&mut self, asked: &Asked, now: View) {
        if self.watchers.is_empty() {
            self.seen = now;
        }
        self.watchers.insert(asked.client, asked.answers.clone());
    }

    /// Whether somebody watches.
    pub fn is_watched(&self) -> bool {
        !self.watchers.is_empty()
    }

    /// Tells the watchers what is new.
    pub fn show(&mut self, now: View) {
        let mut lines = Vec::new();
        for call in &now.calls {
            let before = self.seen.calls.iter().find(|before| before.call == call.call);
            if before.is_none_or(|before| before.timeless() != call.timeless()) {
                lines.push(line(&json!({"event": "call", "call": call})));
            }
        }
        for before in &self.seen.calls {
            if !now.calls.iter().any(|call| call.call == before.call) {
                lines.push(line(&json!({"event": "gone", "call": before})));
            }
        }
        for (nth, slot) in now.slots.iter().enumerate() {
            if self.seen.slots.get(nth).is_none_or(|before| before.timeless() != slot.timeless()) {
                lines.push(line(&json!({"event": "slot", "slot": slot})));
            }
        }
        let registered = |view: &View| view.accounts.iter().map(|a| a.registered).collect::<Vec<_>>();
        let desk =
            |view: &View| (view.in_hand, view.muted, view.do_not_disturb, view.night, registered(view));
        if desk(&self.seen) != desk(&now) {
            lines.push(line(&json!({
                "event": "desk", "in_hand": now.in_hand, "muted": now.muted, "accounts": now.accounts,
                "do_not_disturb": now.do_not_disturb, "night": now.night,
            })));
        }
        self.seen = now;
        self.tell(lines);
    }

    /// Tells the watchers what the board says.
    pub fn say(&mut self, severity: &str, text: &str) {
        let notice = line(&json!({"event": "notice", "severity": severity, "text": text}));
        self.tell(vec![notice]);
    }

    fn tell(&mut self, lines: Vec<String>) {
        self.watchers.retain(|_, watcher| lines.iter().all(|line| watcher.try_send(line.clone()).is_ok()));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

fn line(value: &serde_json::Value) -> String {
    format!("{value}\n")
}

async fn accept(listener: UnixListener, ask: mpsc::Sender<Asked>) {
    let open = Arc::new(AtomicUsize::new(0));
    for client in 0.. {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files: it may be better in a moment.
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            continue;
        };
        if open.load(Ordering::Relaxed) >= MAX_CLIENTS {
            continue;
        }
        open.fetch_add(1, Ordering::Relaxed);
        let (ask, open) = (ask.clone(), Arc::clone(&open));
        tokio::spawn(async move {
            let (read, write) = stream.into_split();
            let (answers, lines) = mpsc::channel(LINES_MAX);
            let writing = tokio::spawn(write_lines(write, lines));
            read_lines(client, read, ask, answers).await;
            let _ = writing.await;
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Until the client closes, or sends what is no line.
async fn read_lines(
    client: usize,
    read: OwnedReadHalf,
    ask: mpsc::Sender<Asked>,
    answers: mpsc::Sender<String>,
) {
    let mut read = BufReader::new(read);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let most = u64::try_from(MAX_LINE + 1).unwrap_or(u64::MAX);
        match (&mut read).take(most).read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let too_long = bytes.len() > MAX_LINE;
        let text = bytes.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let request = match too_long {
            true => Err(format!("a line has at most {MAX_LINE} bytes")),
            false => serde_json::from_slice(text).map_err(|error| error.to_string()),
        };
        let asked = Asked { client, request, answers: answers.clone() };
        if ask.send(asked).await.is_err() || too_long {
            return;
        }
    }
}

async fn write_lines(mut write: OwnedWriteHalf, mut lines: mpsc::Receiver<String>) {
    while let Some(line) = lines.recv().await {
        if write.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}
