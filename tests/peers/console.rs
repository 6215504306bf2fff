//! The real console in a terminal, registered at a peer: its configuration, and what its board says.

use super::pty::{Terminal, TerminalOptions};
use super::sound_card::SoundCard;
use super::wait_for;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How a console is configured.
pub struct ConsoleOptions<'a> {
    pub server: SocketAddr,
    /// What stands for its address in the file, where that matters: the name that a certificate must prove.
    pub host: Option<&'static str>,
    pub user: String,
    pub password: String,
    /// "asterisk" or "parkdeck".
    pub dialect: &'static str,
    pub lot_name: &'static str,
    pub park_extension: String,
    /// As in the file: "701-709".
    pub slots: String,
    pub parking_time_s: Option<u32>,
    pub directed_prefix: Option<&'static str>,
    /// Without one, no device is opened.
    pub card: Option<&'a SoundCard>,
    /// As in the file.
    pub codecs: &'static str,
    /// Its own SIP port; 0: any.
    pub port: u16,
    /// More lines of the account.
    pub account: String,
    /// More lines of the lot.
    pub lot: String,
    /// Several lots instead of the one: `[[lots]]`, as in the file.
    pub lots: &'static str,
    /// Another account, with its lot, on the same console; of these options, only what is about those two counts.
    pub beside: Option<Box<ConsoleOptions<'a>>>,
    /// More tables at the file's end.
    pub more: String,
}

impl<'a> ConsoleOptions<'a> {
    pub fn new(server: SocketAddr, user: &str, password: &str, slots: std::ops::Range<u16>) -> Self {
        Self {
            server,
            host: None,
            user: user.into(),
            password: password.into(),
            dialect: "asterisk",
            lot_name: "front",
            park_extension: "700".into(),
            slots: format!("{}-{}", slots.start, slots.end - 1),
            parking_time_s: None,
            directed_prefix: None,
            card: None,
            codecs: r#"["pcmu"]"#,
            port: 0,
            account: String::new(),
            lot: String::new(),
            lots: "",
            beside: None,
            more: String::new(),
        }
    }

    /// Where it will take SIP: its port is chosen now.
    pub fn choose_port(&mut self) -> SocketAddr {
        self.port = super::free_udp_port(super::LOOPBACK);
        SocketAddr::from((super::LOOPBACK, self.port))
    }

    /// What stands in its file of the password of the account, and of that beside it.
    const PASSWORDS: [&'static str; 2] = ["password", "password-2"];

    fn accounts(&self) -> impl Iterator<Item = (&Self, &'static str)> {
        std::iter::once(self).chain(self.beside.as_deref()).zip(Self::PASSWORDS)
    }

    fn file(&self) -> String {
        let mut text = String::new();
        for (account, password) in self.accounts() {
            let (account_table, lot_table) = match self.beside {
                None => ("[account]", "[lot]"),
                Some(_) => ("[[accounts]]", "[accounts.lot]"),
            };
            let lot = match account.lots {
                "" => format!("{lot_table}\n{}", account.lot()),
                several => several.to_owned(),
            };
            text += &format!("{account_table}\n{}{lot}", account.account(password));
        }
        text += &format!("[sound]\nenabled = {}\ncodecs = {}\n", self.card.is_some(), self.codecs);
        if self.port != 0 {
            text += &format!("[network]\nport = {}\n", self.port);
        }
        text + &self.more
    }

    fn account(&self, password: &str) -> String {
        format!(
            "user = \"{}\"\nserver = \"{}\"\npassword_file = \"{password}\"\n{}",
            self.user,
            self.host.map_or(self.server.to_string(), |host| format!("{host}:{}", self.server.port())),
            self.account,
        )
    }

    fn lot(&self) -> String {
        let mut text = format!(
            "name = \"{}\"\ndialect = \"{}\"\npark_extension = \"{}\"\nslots = \"{}\"\n{}",
            self.lot_name, self.dialect, self.park_extension, self.slots, self.lot,
        );
        if let Some(seconds) = self.parking_time_s {
            text += &format!("parking_time = {seconds}\n");
        }
        if let Some(prefix) = self.directed_prefix {
            text += &format!("directed_prefix = \"{prefix}\"\n");
        }
        text
    }
}

/// A running console.
pub struct Console {
    pub terminal: Terminal,
    typed: Mutex<(String, Instant)>,
}

/// The console takes the same key within 0.7 s for a slip of the finger; nobody types so fast on purpose.
const PACE: Duration = Duration::from_millis(800);

/// Between a key or a message and the board: generous, since the machine is shared.
pub const SOON: Duration = Duration::from_secs(8);

impl Console {
    /// Starts it at 160×50, where every row has a second line with more.
    pub fn start(options: &ConsoleOptions<'_>) -> Self {
        Self::start_with(options, &[])
    }

    /// The same with more files beside the configuration: name and text.
    pub fn start_with(options: &ConsoleOptions<'_>, files: &[(&str, &str)]) -> Self {
        let home = tempfile::Builder::new().prefix("parkdeck-console-").tempdir().unwrap();
        let folder = home.path().join("config/parkdeck");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), options.file()).unwrap();
        for (name, text) in files {
            let file = folder.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        for (account, file) in options.accounts() {
            let password = folder.join(file);
            std::fs::write(&password, &account.password).unwrap();
            std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self::start_at(Arc::new(home), options.card)
    }

    /// The same once more in the home of an earlier run.
    pub fn start_at(home: Arc<tempfile::TempDir>, card: Option<&SoundCard>) -> Self {
        let mut terminal =
            TerminalOptions::new(Path::new(env!("CARGO_BIN_EXE_parkdeck"))).size(160, 50).home(home);
        for (name, value) in card.map(SoundCard::environment).unwrap_or_default() {
            terminal = terminal.environment(name, &value);
        }
        Self { terminal: terminal.start(), typed: Mutex::new((String::new(), Instant::now())) }
    }

    /// Waits until it is registered and knows that all of these slots are free.
    pub fn wait_ready(&self, slots: std::ops::Range<u16>) {
        self.terminal.wait_line(&["registered, reachable", "lamps fresh"], SOON);
        for slot in slots {
            self.wait_slot(slot, &["□ free"], SOON);
        }
    }

    /// Types, at a person's pace.
    pub fn keys(&self, keys: &str) {
        let mut typed = self.typed.lock().unwrap();
        if typed.0 == keys {
            std::thread::sleep(PACE.saturating_sub(typed.1.elapsed()));
        }
        self.terminal.keys(keys);
        *typed = (keys.to_string(), Instant::now());
    }

    /// Waits until this text is on the board: a notice, above all.
    pub fn wait_text(&self, text: &str) -> String {
        self.terminal.wait_text(text, SOON)
    }

    /// The part of the board to the right that is about a slot, its lines joined; empty when it isn't there.
    pub fn slot(&self, slot: u16) -> String {
        slot_of(&self.terminal.screen_text(), slot)
    }

    /// Waits until what is said of a slot contains all of `parts`, and returns it.
    pub fn wait_slot(&self, slot: u16, parts: &[&str], timeout: Duration) -> String {
        let fits = |text: &str| parts.iter().all(|part| text.contains(part));
        let screen = self
            .terminal
            .wait_for(&format!("slot {slot} with {parts:?}"), timeout, |screen| fits(&slot_of(screen, slot)));
        slot_of(&screen, slot)
    }

    /// The calls, each with its two lines joined.
    pub fn calls(&self) -> Vec<String> {
        calls_of(&self.terminal.screen_text())
    }

    /// Waits until a call's row contains all of `parts`, and returns it.
    pub fn wait_call(&self, parts: &[&str], timeout: Duration) -> String {
        let fits = |call: &String| parts.iter().all(|part| call.contains(part));
        let screen = self
            .terminal
            .wait_for(&format!("a call with {parts:?}"), timeout, |screen| calls_of(screen).iter().any(fits));
        calls_of(&screen).into_iter().find(fits).unwrap_or_default()
    }

    /// Waits until there are exactly `count` calls on the board.
    pub fn wait_calls(&self, count: usize, timeout: Duration) {
        let what = format!("{count} calls on the board");
        self.terminal.wait_for(&what, timeout, |screen| calls_of(screen).len() == count);
    }

    /// Leaves with `q`; the terminal must be as it was.
    pub fn leave(mut self) {
        self.keys("q");
        let status = self.terminal.wait_exit(SOON);
        assert!(status.success(), "{status:?}");
        assert!(self.terminal.unrestored().is_empty(), "{:?}", self.terminal.unrestored());
    }

    /// The log that it has written.
    pub fn log(&self) -> String {
        let state = self.terminal.home().path().join("state/parkdeck");
        let files = std::fs::read_dir(state).into_iter().flatten().flatten();
        files.map(|file| super::process::read_text(&file.path())).collect()
    }

    /// Waits for any of these texts and says which one came.
    pub fn wait_any<'t>(&self, texts: &[&'t str], timeout: Duration) -> &'t str {
        let found = wait_for(timeout, || {
            let screen = self.terminal.screen_text();
            texts.iter().find(|text| screen.contains(**text)).copied()
        });
        found.unwrap_or_else(|| {
            panic!("none of {texts:?} on the screen:\n{}", super::pty::framed(&self.terminal.screen_text()))
        })
    }
}

/// The two panels, line by line.
fn panels(screen: &str) -> impl Iterator<Item = (&str, &str)> {
    screen.lines().filter_map(|line| {
        let mut parts = line.strip_prefix('│')?.split('│');
        Some((parts.next()?, parts.next()?))
    })
}

fn slot_of(screen: &str, slot: u16) -> String {
    let number = format!(" {slot} ");
    let mut lines = panels(screen).map(|(_, right)| right);
    // "1 701 ■ …": the key and the number come first.
    let is_head = |line: &&str| line.get(1..).is_some_and(|rest| rest.starts_with(&number));
    let Some(head) = lines.find(|line| is_head(line) || line.starts_with(&format!(" ▸{slot} "))) else {
        return String::new();
    };
    let more = lines.take_while(|line| line.starts_with("      "));
    std::iter::once(head).chain(more).map(str::trim).collect::<Vec<_>>().join(" · ")
}

fn calls_of(screen: &str) -> Vec<String> {
    let mut calls: Vec<String> = Vec::new();
    for (left, _) in panels(screen) {
        let mut characters = left.chars();
        let (mark, tens, ones) = (characters.next(), characters.next(), characters.next());
        let numbered = matches!(mark, Some('▶' | ' '))
            && tens.is_some_and(|c| c == ' ' || c.is_ascii_digit())
            && ones.is_some_and(|c| c.is_ascii_digit())
            && characters.next() == Some(' ');
        if numbered {
            calls.push(left.trim_end().to_string());
        } else if left.starts_with("    ")
            && !left.trim().is_empty()
            && let Some(last) = calls.last_mut()
        {
            *last += &format!(" · {}", left.trim());
        }
    }
    calls
}
