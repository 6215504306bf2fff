//! The console in a pseudo-terminal whose output is kept with the time at which it came. What the screen showed when
//! is worked out afterwards, byte by byte, so that looking costs the measured time nothing.

use super::parkdeck;
use super::peers::{process, pty};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

type Log = Arc<(Mutex<Vec<(Instant, Vec<u8>)>>, Condvar)>;

/// The running console.
pub struct Board {
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    log: Log,
    read: usize,
    emulator: vt100::Parser,
    home: tempfile::TempDir,
}

/// What to wait for on the screen.
pub type Sight<'a> = &'a dyn Fn(&str) -> bool;

impl Board {
    /// Starts `parkdeck` with this configuration text; `password` is that of its account.
    pub fn start(config: &str, password: &str, columns: u16, rows: u16) -> Self {
        let home = tempfile::Builder::new().prefix("parkdeck-bench-").tempdir().unwrap();
        let file = home.path().join("config.toml");
        std::fs::write(&file, config).unwrap();
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(parkdeck());
        command.args(["--config", &file.to_string_lossy()]);
        command.env_clear();
        command.cwd(home.path());
        for (name, value) in [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "C.UTF-8")] {
            command.env(name, value);
        }
        command.env("HOME", home.path());
        command.env(PASSWORD_VARIABLE, password);
        for (name, folder) in pty::xdg_folders(home.path()) {
            private_folder(&folder);
            command.env(name, folder);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let writer = pair.master.take_writer().unwrap();
        let reader = pair.master.try_clone_reader().unwrap();
        let log = Log::default();
        let shared = log.clone();
        std::thread::spawn(move || keep(reader, &shared));
        let size = |value| NonZeroU16::new(value).unwrap();
        let emulator = vt100::Parser::new(size(rows), size(columns), 0);
        Self { child, _master: pair.master, writer, log, read: 0, emulator, home }
    }

    /// Types these bytes; the moment just before they went in.
    pub fn keys(&mut self, keys: &str) -> Instant {
        let at = Instant::now();
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
        at
    }

    /// When each of these sights first was on the screen; panics with the screen when one doesn't come.
    pub fn see(&mut self, timeout: Duration, sights: &[(&str, Sight<'_>)]) -> Vec<Instant> {
        let until = Instant::now() + timeout;
        let now_shown = self.text();
        let mut seen: Vec<Option<Instant>> =
            sights.iter().map(|(_, sight)| sight(&now_shown).then(Instant::now)).collect();
        while seen.iter().any(Option::is_none) {
            let Some((at, bytes)) = self.next(until) else {
                let missing: Vec<&str> = sights
                    .iter()
                    .zip(&seen)
                    .filter(|(_, s)| s.is_none())
                    .map(|((name, _), _)| *name)
                    .collect();
                panic!("waited {timeout:?} in vain for {missing:?}:\n{}", self.text());
            };
            self.emulator.process(&bytes);
            let text = self.text();
            for (sight, seen) in sights.iter().zip(&mut seen) {
                if seen.is_none() && (sight.1)(&text) {
                    *seen = Some(at);
                }
            }
        }
        seen.into_iter().flatten().collect()
    }

    /// Takes in what has come; true if `sight` shows now.
    pub fn shows(&mut self, sight: impl Fn(&str) -> bool) -> bool {
        while let Some((_, bytes)) = self.next(Instant::now()) {
            self.emulator.process(&bytes);
        }
        sight(&self.text())
    }

    fn next(&mut self, until: Instant) -> Option<(Instant, Vec<u8>)> {
        let (log, came) = &*self.log;
        let mut chunks = log.lock().unwrap();
        while chunks.len() <= self.read {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            chunks = came.wait_timeout(chunks, left).unwrap().0;
        }
        self.read += 1;
        chunks.get(self.read - 1).cloned()
    }

    /// The screen as far as it was taken in.
    pub fn text(&self) -> String {
        let screen = self.emulator.screen();
        let (_, columns) = screen.size();
        let lines: Vec<String> = screen.rows(0, columns.get()).collect();
        lines.join("\n")
    }

    /// Bytes that the program has written to the terminal so far.
    pub fn written(&self) -> usize {
        self.log.0.lock().unwrap().iter().map(|(_, bytes)| bytes.len()).sum()
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            process::signal(self.pid(), "KILL");
            let _ = self.child.wait();
        }
    }
}

/// Where the console finds its password.
pub const PASSWORD_VARIABLE: &str = "PARKDECK_BENCH_PASSWORD";

fn keep(mut reader: Box<dyn Read + Send>, log: &Log) {
    let mut chunk = vec![0; 65_536];
    while let Ok(length @ 1..) = reader.read(&mut chunk) {
        let at = Instant::now();
        log.0.lock().unwrap().push((at, chunk[..length].to_vec()));
        log.1.notify_all();
    }
}

fn private_folder(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(folder).unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
}
