//! The terminal: taken over whole, and given back whole, on exit, error, panic and signal.

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Size;
use rustix::termios::{Action, QueueSelector, tcflow, tcflush};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::panic::PanicHookInfo;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

/// Whether the screen is ours at this moment.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Held while bytes go to the terminal, so that no picture comes after the last word.
static WRITING: Mutex<()> = Mutex::new(());
/// The real stderr while stray output goes to the log.
static STDERR: Mutex<Option<OwnedFd>> = Mutex::new(None);

/// How long a picture that is being written may take before a terminal counts as stalled.
const PICTURE_PATIENCE: Duration = Duration::from_millis(200);
/// How long a stalled terminal is pressed to let go.
const STALL_PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// What the program ends with after a panic, as Rust's own programs do.
const PANIC_CODE: i32 = 101;

/// Bytes of a large picture, all of it new; ratatui writes out at the end of each.
const PICTURE: usize = 64 << 10;

/// How the terminal tells the desktop something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notify {
    /// Not at all.
    #[default]
    Off,
    /// `OSC 777`: VTE, foot, WezTerm, Ghostty.
    Osc777,
    /// `OSC 9`: iTerm2, kitty, Windows Terminal.
    Osc9,
}

/// The longest text of a notification, in characters.
const NOTIFY_MAX: usize = 200;

/// The screen while it is ours. Dropping it gives it back.
pub struct Screen {
    /// A picture goes out whole: standard output by itself writes every kilobyte.
    terminal: ratatui::Terminal<CrosstermBackend<BufWriter<io::Stdout>>>,
    mouse: bool,
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
        redirect_stderr(log);
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let mut stdout = io::stdout();
        execute!(stdout, EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
        if mouse {
            execute!(stdout, EnableMouseCapture)?;
        }
        let stdout = BufWriter::with_capacity(PICTURE, stdout);
        let terminal = ratatui::Terminal::new(CrosstermBackend::new(stdout))?;
        Ok(Self { terminal, mouse })
    }

    /// Draws a picture; nothing once the screen was given back.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, paint: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        if TAKEN.load(Ordering::SeqCst) {
            self.terminal.draw(paint)?;
        }
        Ok(())
    }

    /// Puts text on the clipboard of whoever sits at the terminal (OSC 52).
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        if TAKEN.load(Ordering::SeqCst) {
            execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))?;
        }
        Ok(())
    }

    /// Has the terminal tell the desktop something: `OSC 777` or `OSC 9`. Control characters and what would end the
    /// text early are left out.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn notify(&mut self, how: Notify, text: &str) -> io::Result<()> {
        let text: String = text.chars().filter(|c| !c.is_control() && *c != ';').take(NOTIFY_MAX).collect();
        let sequence = match how {
            Notify::Off => return Ok(()),
            Notify::Osc777 => format!("\x1b]777;notify;parkdeck;{text}\x1b\\"),
            Notify::Osc9 => format!("\x1b]9;{text}\x1b\\"),
        };
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        if TAKEN.load(Ordering::SeqCst) {
            execute!(io::stdout(), crossterm::style::Print(sequence))?;
        }
        Ok(())
    }

    /// Switches the mouse on or off.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        if !TAKEN.load(Ordering::SeqCst) || std::mem::replace(&mut self.mouse, on) == on {
            return Ok(());
        }
        match on {
            true => execute!(io::stdout(), EnableMouseCapture),
            false => execute!(io::stdout(), DisableMouseCapture),
        }
    }

    /// Its size now.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn size(&self) -> io::Result<Size> {
        self.terminal.size()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, if it is ours. Safe to call at any time, any number of times; never waits for long, even
/// if nobody reads what is written.
pub fn give_back() {
    let writing = stop_writing();
    if TAKEN.swap(false, Ordering::SeqCst) {
        if writing.is_some() {
            write_last();
        } else {
            // Whoever still writes may hold stdout's lock for ever; a thread that waits for it can be left behind.
            let writer = thread::spawn(write_last);
            let began = Instant::now();
            while !writer.is_finished() && began.elapsed() < PICTURE_PATIENCE {
                thread::sleep(LOOK_AGAIN);
            }
        }
        let _ = disable_raw_mode();
    }
    restore_stderr();
}

fn write_last() {
    let mut stdout = io::stdout();
    let _ = execute!(stdout, DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = stdout.flush();
}

/// Waits for the picture that is being written. A terminal that has stopped reading would keep it for ever: then what
/// waits for it is thrown away.
fn stop_writing() -> Option<MutexGuard<'static, ()>> {
    let began = Instant::now();
    while began.elapsed() < STALL_PATIENCE {
        match WRITING.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if began.elapsed() > PICTURE_PATIENCE => {
                let _ = tcflush(rustix::stdio::stdout(), QueueSelector::OFlush);
                // Stopping and starting the output wakes the writer: he sees that there is room.
                let _ = tcflow(rustix::stdio::stdout(), Action::OOff);
                let _ = tcflow(rustix::stdio::stdout(), Action::OOn);
            }
            Err(TryLockError::WouldBlock) => {}
        }
        thread::sleep(LOOK_AGAIN);
    }
    // A panic in the middle of a picture: the pen is in this very thread's hand.
    None
}

/// A panic anywhere is a bug, after which no thread can be trusted to go on: the whole story goes to the log, the
/// terminal comes back, the story's end stands on it, and the program ends.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let was_taken = TAKEN.load(Ordering::SeqCst);
            next(info);
            give_back();
            if was_taken {
                let _ = writeln!(io::stderr(), "{}", last_words(info));
                std::process::exit(PANIC_CODE);
            }
        }));
    });
}

fn last_words(info: &PanicHookInfo<'_>) -> String {
    // A panic may quote what a caller wrote, and the terminal is the user's own again: no escapes.
    let said: String = info
        .payload_as_str()
        .unwrap_or("no reason given")
        .chars()
        .filter(|c| !c.is_control())
        .take(500)
        .collect();
    let place = info.location().map(|place| format!(" ({place})")).unwrap_or_default();
    format!("parkdeck: this is a bug: {said}{place}\nThe log has the whole story; please report it.")
}

/// Has what libraries print to stderr (ALSA does) go to the log, without taking the screen: for line mode, whose output
/// may be the same terminal.
pub fn keep_stderr_out(log: Option<&Path>) {
    give_back_on_panic();
    redirect_stderr(log);
}

/// Points fd 2 at the log (or at nothing) and keeps the real one.
fn redirect_stderr(log: Option<&Path>) {
    let open = |path: &Path| File::options().create(true).append(true).open(path);
    let sink = log.and_then(|path| open(path).ok()).or_else(|| open(Path::new("/dev/null")).ok());
    let Some((sink, saved)) = sink.zip(rustix::io::dup(rustix::stdio::stderr()).ok()) else { return };
    if rustix::stdio::dup2_stderr(&sink).is_ok() {
        *STDERR.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
    }
}

fn restore_stderr() {
    let saved = STDERR.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(stderr) = saved {
        let _ = rustix::stdio::dup2_stderr(&stderr);
    }
}
