//! How the binary is started: in a terminal or plainly, with a configuration around a server of the test's choice.

use crate::peers::pty::{Terminal, TerminalOptions, xdg_folders};
use crate::peers::{LOOPBACK, free_udp_port};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// The binary under test.
pub const PARKDECK: &str = env!("CARGO_BIN_EXE_parkdeck");
/// What should be there at once may take this long on a busy machine.
pub const SOON: Duration = Duration::from_secs(10);
/// How long the console takes to leave: its good-bye to the server, and some.
pub const LEAVING: Duration = Duration::from_secs(4);
/// The password of every account here, and the variable that has it.
pub const PASSWORD: &str = "correct horse";
pub const PASSWORD_VARIABLE: &str = "PARKDECK_TEST_PASSWORD";

pub fn parkdeck(arguments: &[&str]) -> TerminalOptions {
    TerminalOptions::new(Path::new(PARKDECK)).arguments(arguments).environment(PASSWORD_VARIABLE, PASSWORD)
}

/// The demo, silent, with these callers.
pub fn demo(seed: u64) -> TerminalOptions {
    parkdeck(&["demo", "--silent", "--seed", &seed.to_string()])
}

/// A console's configuration.
pub struct Setup {
    pub server: String,
    /// The console's own SIP port; 0: any.
    pub port: u16,
    /// Put behind the rest: more lines of `[network]`, or other tables.
    pub more: &'static str,
}

impl Setup {
    pub fn towards(server: impl ToString) -> Self {
        Self { server: server.to_string(), port: 0, more: "" }
    }

    /// A home with this configuration in it.
    pub fn home(&self) -> Arc<TempDir> {
        let Self { server, port, more } = self;
        home_with(&format!(
            "[account]\nuser = \"reception\"\nserver = \"{server}\"\npassword_env = \"{PASSWORD_VARIABLE}\"\n\
             [lot]\ndialect = \"parkdeck\"\nslots = \"701-704\"\n[sound]\nenabled = false\n\
             [network]\nport = {port}\n{more}\n"
        ))
    }

    /// The console with it, at 80×24.
    pub fn start(&self) -> Terminal {
        parkdeck(&[]).home(self.home()).start()
    }
}

/// A home with this text as the console's configuration.
pub fn home_with(config: &str) -> Arc<TempDir> {
    let home = tempfile::tempdir().unwrap();
    let file = config_file(home.path());
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, config).unwrap();
    Arc::new(home)
}

pub fn config_file(home: &Path) -> PathBuf {
    home.join("config/parkdeck/config.toml")
}

/// What the console has logged.
pub fn log_of(terminal: &Terminal) -> String {
    crate::peers::process::read_text(&terminal.home().path().join("state/parkdeck/parkdeck.log"))
}

/// What a run without a terminal came to.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs the binary without a terminal until its end.
pub fn run(home: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(PARKDECK);
    command.args(arguments).env_clear().env("HOME", home).envs(xdg_folders(home)).current_dir(home);
    let done = command.envs(environment.iter().copied()).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ran { code: done.status.code(), out: text(&done.stdout), err: text(&done.stderr) }
}

/// An address on loopback that nobody listens at.
pub fn nobody() -> SocketAddr {
    SocketAddr::from((LOOPBACK, free_udp_port(LOOPBACK)))
}

/// A key works: the help opens, within a second, and closes.
pub fn a_key_works(terminal: &Terminal) {
    // Whatever is open is closed first: a prompt is under another window at most.
    terminal.keys("<esc>");
    std::thread::sleep(Duration::from_millis(60));
    terminal.keys("<esc>");
    std::thread::sleep(Duration::from_millis(60));
    terminal.keys("?");
    terminal.wait_text("search", Duration::from_secs(1));
    terminal.keys("<esc>");
    terminal.wait_gone("search", Duration::from_secs(1));
}

/// Leaves with a signal, and the terminal is as it was.
pub fn leave(mut terminal: Terminal) {
    terminal.signal("TERM");
    assert_eq!(terminal.wait_exit(LEAVING).exit_code(), 0);
    assert_eq!(terminal.unrestored(), Vec::<String>::new());
    let log = log_of(&terminal);
    assert!(!log.contains("panicked"), "{log}");
}

/// Resident memory of a process in kB.
pub fn memory_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}
