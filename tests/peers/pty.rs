//! A terminal for a program under test: a pseudo-terminal with an emulator behind it. Keys go in as a person
//! types them, the screen comes out as a person sees it.

use super::{process, wait_for};
use nix::sys::termios::{LocalFlags, tcgetattr};
use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vt100::{MouseProtocolMode, Screen};

type Shared<T> = Arc<Mutex<T>>;

/// A program in a terminal.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Shared<Box<dyn Write + Send>>,
    emulator: Shared<vt100::Parser>,
    raw: Shared<Vec<u8>>,
    paused: Arc<AtomicBool>,
    home: Arc<tempfile::TempDir>,
}

/// How the program is started.
pub struct TerminalOptions {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    columns: u16,
    rows: u16,
    home: Option<Arc<tempfile::TempDir>>,
}

impl TerminalOptions {
    /// `program` at 80×24 with an empty home of its own. Give `Path::new(env!("CARGO_BIN_EXE_parkdeck"))`.
    pub fn new(program: &Path) -> Self {
        Self {
            program: program.to_path_buf(),
            arguments: Vec::new(),
            environment: Vec::new(),
            columns: 80,
            rows: 24,
            home: None,
        }
    }

    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_string()));
        self
    }

    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub fn size(self, columns: u16, rows: u16) -> Self {
        Self { columns, rows, ..self }
    }

    /// The home of an earlier run ([`Terminal::home`]), to see what survives a restart.
    pub fn home(self, home: Arc<tempfile::TempDir>) -> Self {
        Self { home: Some(home), ..self }
    }

    /// Starts it. The environment is bare: PATH, TERM, a UTF-8 locale, HOME and the XDG folders in the home.
    pub fn start(self) -> Terminal {
        let home = self.home.unwrap_or_else(|| Arc::new(tempfile::tempdir().unwrap()));
        let size = PtySize { rows: self.rows, cols: self.columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(&self.program);
        command.args(&self.arguments);
        command.env_clear();
        command.cwd(home.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env("LANG", "C.UTF-8");
        command.env("RUST_BACKTRACE", "1");
        command.env("HOME", home.path());
        for (name, folder) in xdg_folders(home.path()) {
            make_private_folder(&folder);
            command.env(name, folder);
        }
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        let child =
            pair.slave.spawn_command(command).unwrap_or_else(|error| panic!("{:?}: {error}", self.program));
        // The slave stays open on the program's side only, so that its end is seen as the end of the output.
        drop(pair.slave);
        let writer = Arc::new(Mutex::new(pair.master.take_writer().unwrap()));
        let size = |value| NonZeroU16::new(value).unwrap();
        let emulator = Arc::new(Mutex::new(vt100::Parser::new(size(self.rows), size(self.columns), 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let reader = pair.master.try_clone_reader().unwrap();
        let paused = Arc::new(AtomicBool::new(false));
        let shared = (emulator.clone(), raw.clone(), writer.clone(), paused.clone());
        std::thread::spawn(move || show(reader, &shared.0, &shared.1, &shared.2, &shared.3));
        Terminal { child, master: pair.master, writer, emulator, raw, paused, home }
    }
}

/// Where the program looks for its files: name of the variable, folder.
pub fn xdg_folders(home: &Path) -> [(&'static str, PathBuf); 5] {
    [
        ("XDG_CONFIG_HOME", home.join("config")),
        ("XDG_DATA_HOME", home.join("data")),
        ("XDG_STATE_HOME", home.join("state")),
        ("XDG_CACHE_HOME", home.join("cache")),
        ("XDG_RUNTIME_DIR", home.join("run")),
    ]
}

fn make_private_folder(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(folder).unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
}

impl Terminal {
    /// The folder with HOME and the XDG folders.
    pub fn home(&self) -> Arc<tempfile::TempDir> {
        self.home.clone()
    }

    /// Types: plain characters, and names in angle brackets (`<enter>`, `<esc>`, `<tab>`, `<backspace>`,
    /// `<up>`, `<down>`, `<left>`, `<right>`, `<f1>`–`<f12>`, `<c-c>`, `<lt>` for `<` itself).
    pub fn keys(&self, keys: &str) {
        let mut writer = self.writer.lock().unwrap();
        writer.write_all(&key_bytes(keys)).unwrap();
        writer.flush().unwrap();
    }

    /// Sends bytes as they are: a mouse report, a paste, garbage.
    pub fn bytes(&self, bytes: &[u8]) {
        let mut writer = self.writer.lock().unwrap();
        writer.write_all(bytes).unwrap();
        writer.flush().unwrap();
    }

    /// Makes the terminal another size, as a person drags its corner.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = |value| NonZeroU16::new(value).unwrap();
        self.emulator.lock().unwrap().screen_mut().set_size(size(rows), size(columns));
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Stops reading what the program writes, as a terminal does whose network hangs, or goes on. One more piece
    /// may still be read after stopping.
    pub fn pause_reading(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
    }

    /// The screen now.
    pub fn screen(&self) -> Screen {
        self.emulator.lock().unwrap().screen().clone()
    }

    /// The screen as lines of text, without the blanks at their ends.
    pub fn screen_text(&self) -> String {
        text_of(&self.screen())
    }

    /// Every byte that the program has written to the terminal.
    pub fn raw(&self) -> Vec<u8> {
        self.raw.lock().unwrap().clone()
    }

    /// Waits until the screen's text satisfies `wanted`, and returns it; panics with the screen otherwise.
    pub fn wait_for(&self, what: &str, timeout: Duration, wanted: impl Fn(&str) -> bool) -> String {
        let found = wait_for(timeout, || Some(self.screen_text()).filter(|text| wanted(text)));
        found.unwrap_or_else(|| {
            let log = self.raw_tail();
            panic!("waited {timeout:?} in vain for: {what}\n{}\n{log}", framed(&self.screen_text()))
        })
    }

    /// Waits until this text is on the screen.
    pub fn wait_text(&self, text: &str, timeout: Duration) -> String {
        self.wait_for(&format!("“{text}” on the screen"), timeout, |screen| screen.contains(text))
    }

    /// Waits until a line of the screen contains all of `parts`, and returns the line.
    pub fn wait_line(&self, parts: &[&str], timeout: Duration) -> String {
        let fits = |line: &&str| parts.iter().all(|part| line.contains(part));
        let screen = self
            .wait_for(&format!("a line with {parts:?}"), timeout, |screen| screen.lines().any(|l| fits(&l)));
        screen.lines().find(fits).unwrap_or_default().to_string()
    }

    /// Waits until this text is gone from the screen.
    pub fn wait_gone(&self, text: &str, timeout: Duration) {
        self.wait_for(&format!("“{text}” to leave the screen"), timeout, |screen| !screen.contains(text));
    }

    /// Watches for `watch` and panics when the screen satisfies `unwanted` at any moment of it.
    pub fn never(&self, what: &str, watch: Duration, unwanted: impl Fn(&str) -> bool) {
        if let Some(screen) = wait_for(watch, || Some(self.screen_text()).filter(|text| unwanted(text))) {
            panic!("the screen must not show {what}, but it did:\n{}", framed(&screen));
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Sends a signal by name: "TERM", "HUP", "INT", "KILL" …
    pub fn signal(&self, name: &str) {
        process::signal(self.pid(), name);
    }

    /// Waits for the program's end; panics with the screen when it goes on.
    pub fn wait_exit(&mut self, timeout: Duration) -> ExitStatus {
        match wait_for(timeout, || self.child.try_wait().unwrap()) {
            Some(status) => status,
            None => panic!("still running after {timeout:?}:\n{}", framed(&self.screen_text())),
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What the program has left behind that it should have put back; empty when the terminal is as it was.
    pub fn unrestored(&self) -> Vec<String> {
        // The last bytes may still be on their way through the emulator.
        let mut left = self.look_for_leftovers();
        let _ = wait_for(Duration::from_millis(500), || {
            left = self.look_for_leftovers();
            left.is_empty().then_some(())
        });
        left
    }

    fn look_for_leftovers(&self) -> Vec<String> {
        let screen = self.screen();
        let slave = self.master.tty_name().expect("a pty has a name");
        // Without becoming its controlling terminal: this process stays out of it.
        let opened = {
            use std::os::unix::fs::OpenOptionsExt;
            std::fs::OpenOptions::new().read(true).write(true).custom_flags(nix::libc::O_NOCTTY).open(slave)
        };
        let flags = tcgetattr(opened.unwrap()).unwrap().local_flags;
        let checks = [
            (screen.alternate_screen(), "the alternate screen is still shown"),
            (screen.hide_cursor(), "the cursor is still hidden"),
            (screen.mouse_protocol_mode() != MouseProtocolMode::None, "the mouse is still captured"),
            (screen.bracketed_paste(), "bracketed paste is still on"),
            (!flags.contains(LocalFlags::ICANON), "raw mode is still on"),
            (!flags.contains(LocalFlags::ECHO), "echo is still off"),
        ];
        checks.into_iter().filter(|(left, _)| *left).map(|(_, words)| words.to_string()).collect()
    }

    fn raw_tail(&self) -> String {
        let raw = self.raw();
        let tail = &raw[raw.len().saturating_sub(400)..];
        format!("last bytes: {}", String::from_utf8_lossy(tail).escape_debug())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("── the screen at the end ──\n{}", framed(&self.screen_text()));
        }
        if let Ok(None) = self.child.try_wait() {
            process::signal(self.pid(), "KILL");
            let _ = self.child.wait();
        }
    }
}

fn text_of(screen: &Screen) -> String {
    let (_, columns) = screen.size();
    let lines: Vec<String> = screen.rows(0, columns.get()).map(|line| line.trim_end().to_string()).collect();
    lines.join("\n")
}

/// The screen with a frame, so that blanks and its edge are seen in a failure.
pub fn framed(text: &str) -> String {
    let width = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let edge = "─".repeat(width);
    let body: String = text.lines().map(|line| format!("│{line:width$}│\n")).collect();
    format!("┌{edge}┐\n{body}└{edge}┘")
}

/// Feeds the emulator, and answers what programs ask a terminal (cursor position, device attributes): a real
/// one answers, and a program that waits for it must not wait here for ever.
fn show(
    mut reader: Box<dyn Read + Send>,
    emulator: &Mutex<vt100::Parser>,
    raw: &Mutex<Vec<u8>>,
    writer: &Mutex<Box<dyn Write + Send>>,
    paused: &AtomicBool,
) {
    let mut chunk = [0; 16_384];
    while let Ok(length @ 1..) = reader.read(&mut chunk) {
        while paused.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let bytes = &chunk[..length];
        raw.lock().unwrap().extend_from_slice(bytes);
        let position = {
            let mut emulator = emulator.lock().unwrap();
            emulator.process(bytes);
            emulator.screen().cursor_position()
        };
        let mut answer = String::new();
        let asks = |question: &[u8]| bytes.windows(question.len()).any(|window| window == question);
        if asks(b"\x1b[6n") {
            answer += &format!("\x1b[{};{}R", position.0 + 1, position.1 + 1);
        }
        if asks(b"\x1b[c") {
            answer += "\x1b[?62;c";
        }
        if !answer.is_empty() {
            let mut writer = writer.lock().unwrap();
            let _ = writer.write_all(answer.as_bytes());
            let _ = writer.flush();
        }
    }
}

fn key_bytes(keys: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = keys;
    while let Some(next) = rest.chars().next() {
        let named = rest.strip_prefix('<').and_then(|tail| tail.split_once('>'));
        if let Some((sequence, tail)) = named.and_then(|(name, tail)| Some((named_key(name)?, tail))) {
            bytes.extend(sequence);
            rest = tail;
        } else {
            let length = next.len_utf8();
            bytes.extend(&rest.as_bytes()[..length]);
            rest = &rest[length..];
        }
    }
    bytes
}

fn named_key(name: &str) -> Option<Vec<u8>> {
    const FUNCTION_KEYS: [&str; 12] = [
        "\x1bOP", "\x1bOQ", "\x1bOR", "\x1bOS", "\x1b[15~", "\x1b[17~", "\x1b[18~", "\x1b[19~", "\x1b[20~",
        "\x1b[21~", "\x1b[23~", "\x1b[24~",
    ];
    let name = name.to_lowercase();
    let sequence = match name.as_str() {
        "enter" => "\r",
        "esc" => "\x1b",
        "tab" => "\t",
        "s-tab" => "\x1b[Z",
        "backspace" => "\x7f",
        "space" => " ",
        "lt" => "<",
        "up" => "\x1b[A",
        "down" => "\x1b[B",
        "right" => "\x1b[C",
        "left" => "\x1b[D",
        "home" => "\x1b[H",
        "end" => "\x1b[F",
        "pageup" => "\x1b[5~",
        "pagedown" => "\x1b[6~",
        "del" => "\x1b[3~",
        other => {
            if let Some(letter) = other.strip_prefix("c-").and_then(|letter| letter.bytes().next()) {
                return Some(vec![letter & 0x1f]);
            }
            let number: usize = other.strip_prefix('f')?.parse().ok()?;
            FUNCTION_KEYS.get(number.checked_sub(1)?)?
        }
    };
    Some(sequence.into())
}
