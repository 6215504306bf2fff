//! The terminal: taken over whole, and given back whole, on exit, error, panic and signal.

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the screen is ours at this moment; a panic anywhere gives it back first.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Bytes of a large picture, all of it new; ratatui writes out at the end of each.
const PICTURE: usize = 64 << 10;

/// The screen while it is ours. Dropping it gives it back.
pub struct Screen {
    /// Ratatui's view of it. A picture goes out whole: standard output by itself writes every kilobyte.
    pub terminal: ratatui::Terminal<CrosstermBackend<BufWriter<io::Stdout>>>,
    stderr: Option<OwnedFd>,
}

impl Screen {
    /// Takes the screen. What libraries print to stderr (ALSA does) goes to the log meanwhile.
    ///
    /// # Errors
    /// When stdin or stdout is no terminal, or it can't be switched.
    pub fn take(mouse: bool, log: Option<&Path>) -> io::Result<Self> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(io::Error::other("the board needs a terminal for its input and output"));
        }
        give_back_on_panic();
        let stderr = redirect_stderr(log);
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let mut stdout = io::stdout();
        execute!(stdout, EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
        if mouse {
            execute!(stdout, EnableMouseCapture)?;
        }
        let stdout = BufWriter::with_capacity(PICTURE, stdout);
        let terminal = ratatui::Terminal::new(CrosstermBackend::new(stdout))?;
        Ok(Self { terminal, stderr })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
        if let Some(stderr) = self.stderr.take() {
            let _ = rustix::stdio::dup2_stderr(&stderr);
        }
    }
}

/// Gives the terminal back, if it is ours. Safe to call at any time, any number of times.
pub fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut stdout = io::stdout();
    let _ = execute!(stdout, DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = stdout.flush();
    let _ = disable_raw_mode();
}

fn give_back_on_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            next(info);
        }));
    });
}

/// Points fd 2 at the log (or at nothing) and returns the real one.
fn redirect_stderr(log: Option<&Path>) -> Option<OwnedFd> {
    let open = |path: &Path| File::options().create(true).append(true).open(path);
    let sink = log.and_then(|path| open(path).ok()).or_else(|| open(Path::new("/dev/null")).ok())?;
    let saved = rustix::io::dup(rustix::stdio::stderr()).ok()?;
    rustix::stdio::dup2_stderr(&sink).ok()?;
    Some(saved)
}
