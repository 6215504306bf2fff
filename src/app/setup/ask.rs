//! Questions on the terminal, or lines of a pipe: what is typed in answer, and a password that is never shown.

use color_eyre::eyre::{Context, eyre};
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, read};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use secrecy::SecretString;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

/// The longest answer, in bytes.
const ANSWER_MAX: u64 = 4_096;

/// Whoever answers.
pub(super) struct Asker {
    /// Nobody is asked: what isn't given is taken from what is usual, or is missing.
    unasked: bool,
    /// Asks for a line of the input.
    wanted: Sender<()>,
    /// What was typed; `None`: the input has ended.
    typed: Receiver<Option<String>>,
}

impl Asker {
    /// Somebody at the terminal; `unasked`: nobody.
    pub(super) fn new(unasked: bool) -> color_eyre::Result<Self> {
        let (wanted, wishes) = channel();
        let (lines, typed) = channel();
        // A read can't be taken back: a thread of its own sits in it, so that Ctrl-C is heard meanwhile.
        std::thread::Builder::new().name("answers".into()).spawn(move || {
            while wishes.recv().is_ok() {
                if lines.send(read_line()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { unasked, wanted, typed })
    }

    /// Whether nobody can be asked.
    pub(super) fn is_unasked(&self) -> bool {
        self.unasked
    }

    /// Says something.
    pub(super) fn say(&self, text: &str) -> color_eyre::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush().wrap_err("nobody reads what is said")
    }

    /// An answer, without the white space around it; an empty one is `usual`, which stands in brackets behind the question.
    ///
    /// # Errors
    /// When the input has ended, Ctrl-C was pressed, or nobody is to be asked and nothing is usual; `flag` is what would
    /// have answered.
    pub(super) fn line(&self, question: &str, usual: &str, flag: &str) -> color_eyre::Result<String> {
        match (self.unasked, usual) {
            (true, "") => return Err(eyre!("{flag} is missing, and with --yes nobody is asked")),
            (true, usual) => return Ok(usual.to_owned()),
            (false, "") => prompt(&format!("{question}: "))?,
            (false, usual) => prompt(&format!("{question} [{usual}]: "))?,
        }
        let typed =
            self.next_line()?.ok_or_else(|| eyre!("the input has ended: {flag} would have answered"))?;
        let typed = typed.trim();
        Ok(if typed.is_empty() { usual } else { typed }.to_owned())
    }

    /// Yes or no; an empty answer is `usual`.
    ///
    /// # Errors
    /// When the input has ended or Ctrl-C was pressed.
    pub(super) fn yes(&self, question: &str, usual: bool) -> color_eyre::Result<bool> {
        if self.unasked {
            return Ok(usual);
        }
        let shown = if usual { "Y/n" } else { "y/N" };
        loop {
            prompt(&format!("{question} [{shown}]: "))?;
            let typed = self.next_line()?.ok_or_else(|| eyre!("the input has ended"))?;
            match typed.trim().to_lowercase().as_str() {
                "" => return Ok(usual),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.say("Please answer yes or no.")?,
            }
        }
    }

    /// A password. On a terminal nothing of it shows, not even its length.
    ///
    /// # Errors
    /// As [`Asker::line`].
    pub(super) fn password(&self, question: &str) -> color_eyre::Result<SecretString> {
        if self.unasked {
            return Err(eyre!(
                "--password-file or --password-env is missing, and with --yes nobody is asked"
            ));
        }
        let question = format!("{question} (it does not show): ");
        if !io::stdin().is_terminal() {
            prompt(&question)?;
            let typed = self.next_line()?.ok_or_else(|| eyre!("the input has ended before the password"))?;
            return Ok(SecretString::from(typed.trim_end_matches(['\r', '\n']).to_owned()));
        }
        let typed = read_hidden(&question);
        prompt("\n")?;
        typed
    }

    fn next_line(&self) -> color_eyre::Result<Option<String>> {
        self.wanted.send(()).map_err(|_| eyre!("the input can't be read"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            loop {
                if let Ok(typed) = self.typed.try_recv() {
                    return Ok(typed);
                }
                let rest = tokio::time::sleep(std::time::Duration::from_millis(20));
                tokio::select! {
                    _ = interrupt.recv() => return Err(eyre!("interrupted: nothing was written")),
                    () = rest => {}
                }
            }
        })
    }
}

fn prompt(text: &str) -> color_eyre::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush().wrap_err("nobody reads what is asked")
}

/// A line of the standard input; `None` at its end.
fn read_line() -> Option<String> {
    let mut bytes = Vec::new();
    match io::stdin().lock().take(ANSWER_MAX).read_until(b'\n', &mut bytes) {
        Ok(1..) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        _ => None,
    }
}

/// The terminal without echo and line editing, as long as this lives.
struct Hidden;

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = disable_raw_mode();
    }
}

/// Keys until enter.
fn read_hidden(question: &str) -> color_eyre::Result<SecretString> {
    // Before the question is put: whoever answers at once would see it.
    enable_raw_mode()?;
    let _hidden = Hidden;
    prompt(question)?;
    // With room from the beginning: a string that grows leaves copies behind.
    let mut typed = Zeroizing::new(String::with_capacity(usize::try_from(ANSWER_MAX).unwrap_or(4_096)));
    loop {
        let Event::Key(key) = read()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => return Ok(SecretString::from(typed.as_str())),
            KeyCode::Char('c' | 'd') if ctrl => return Err(eyre!("interrupted: nothing was written")),
            KeyCode::Char('u') if ctrl => typed.clear(),
            KeyCode::Char(c) if !ctrl && typed.len() + 4 < typed.capacity() => typed.push(c),
            KeyCode::Backspace => {
                typed.pop();
            }
            _ => {}
        }
    }
}
