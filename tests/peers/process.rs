//! A child process that can't outlive the test: killed by its own pid on drop, and by the kernel when the
//! test dies first. Its output goes to a file that a failing test can show.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// One running program.
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `program`; its standard output and error go to `output`. Must be called on the thread that
    /// keeps the process: when that thread ends, the process is killed.
    pub fn start(program: &Path, arguments: &[String], folder: &Path, output: &Path) -> Self {
        Self::start_with("KILL", program, arguments, folder, output)
    }

    /// The same for a program with children of its own, which it ends only when it is ended politely: the kernel sends
    /// it this signal when the test dies first.
    pub fn start_with(
        last_signal: &str,
        program: &Path,
        arguments: &[String],
        folder: &Path,
        output: &Path,
    ) -> Self {
        let name = program.file_name().unwrap().to_string_lossy().into_owned();
        let log = File::create(output).unwrap();
        // setpriv replaces itself by the program, so the pid is the program's.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", last_signal])
            .arg(program)
            .args(arguments)
            .current_dir(folder)
            // What it writes for its next start is nobody else's.
            .env("XDG_STATE_HOME", folder.join("state"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} can't be started: {error}. Run tests/setup.sh first"));
        Self { name, child, output: output.to_path_buf() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `Some` once it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end; `None` when it is still running after `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        super::wait_for(timeout, || self.exited())
    }

    /// Everything it has printed so far.
    pub fn output(&self) -> String {
        read_text(&self.output)
    }

    /// Sends a signal by name ("TERM", "STOP", …) to this process alone.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Ends it now.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("── last lines of {} ──\n{}", self.name, last_lines(&self.output(), 30));
        }
    }
}

/// Sends a signal to one pid; `kill` from the system, since the crate has no unsafe code and no other way.
pub fn signal(pid: u32, name: &str) {
    let done = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(done.success(), "kill -s {name} {pid}");
}

/// A file as text, whatever bytes are in it; empty when it isn't there.
pub fn read_text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Sockets of one process ("udp 127.0.0.1:13C4", port in hexadecimal), from the kernel's own tables.
pub fn sockets_of(pid: u32) -> Vec<String> {
    let folder = format!("/proc/{pid}/fd");
    let links =
        std::fs::read_dir(folder).unwrap().flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
    let inodes: Vec<String> = links
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_string()))
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if inodes.iter().any(|inode| words.get(9) == Some(&inode.as_str())) {
                let local = words[1].replace("0100007F", "127.0.0.1");
                found.push(format!("{table} {local}"));
            }
        }
    }
    found
}
