//! Line mode's thread: lines typed become commands, what is new on the newest desk becomes lines written. Whoever does not
//! read what is written stalls only this thread, never a call.

use super::records::wall_ms;
use super::screen::{Keyed, ScreenLink};
use crate::console::{LineConsole, MAX_TYPED};
use crate::desk::Desk;
use jiff::tz::TimeZone;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Lines that may wait to be obeyed; whoever writes more of them at once waits.
const LINES_MAX: usize = 64;

/// What comes from whoever types.
enum Came {
    Line(String),
    /// Ctrl-C: as if `quit` were typed.
    Interrupt,
    /// Nobody can type any more.
    End,
    /// Something is new, or time has passed.
    News,
    /// The engine has ended.
    Over,
}

/// Runs until the engine hangs up, the input ends or nobody reads any more. Blocks; give it a thread of its own.
///
/// # Errors
/// When signals can't be heard.
pub fn run(console: LineConsole, link: ScreenLink) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (typed, lines) = mpsc::channel(LINES_MAX);
    // It sits in a read that nothing ends but the end of the program: nobody waits for it.
    std::thread::Builder::new().name("typed".into()).spawn(move || read_lines(io::stdin().lock(), &typed))?;
    runtime.block_on(serve(console, link, lines))
}

async fn serve(
    mut console: LineConsole,
    link: ScreenLink,
    mut lines: mpsc::Receiver<String>,
) -> io::Result<()> {
    let ScreenLink {
        mut desk,
        mut directory,
        mut history,
        commands,
        clock,
        ladder,
        wish,
        notify: _,
        record: _,
    } = link;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut seen = newest(&mut desk);
    loop {
        seen.now = clock.now();
        console.set_wall(wall_ms(), TimeZone::system());
        if write(&console.hear(&seen)).is_err() {
            return Ok(());
        }
        let wait = console.patience(&seen);
        let came = tokio::select! {
            biased;
            changed = desk.changed() => match changed {
                Ok(()) => {
                    seen = newest(&mut desk);
                    Came::News
                }
                Err(_) => Came::Over,
            },
            _ = interrupt.recv() => Came::Interrupt,
            line = lines.recv() => line.map_or(Came::End, Came::Line),
            Ok(()) = directory.changed() => {
                console.set_directory(Arc::clone(&directory.borrow_and_update()));
                Came::News
            }
            Ok(()) = history.changed() => {
                console.set_history(Arc::clone(&history.borrow_and_update()));
                Came::News
            }
            () = tokio::time::sleep(wait) => Came::News,
        };
        let line = match came {
            Came::Line(line) => line,
            Came::Interrupt => "quit".to_owned(),
            Came::News => continue,
            Came::Over => return Ok(()),
            Came::End => {
                let _ =
                    write(&["The input has ended: nobody can give commands any more. Leaving.".to_owned()]);
                return Ok(());
            }
        };
        // A command means what was written when it was typed, as near as that can be known.
        seen.now = clock.now();
        let answered = console.enter(&seen, &line, |call| ladder.messages(call, wish));
        for command in answered.commands {
            // Full only while the engine is stuck; then nothing happens, and nothing is said to have happened.
            let _ = commands.try_send(Keyed { command, at: seen.now });
        }
        if write(&answered.said).is_err() {
            return Ok(());
        }
    }
}

fn newest(desk: &mut watch::Receiver<Arc<Desk>>) -> Desk {
    let newest = Arc::clone(&desk.borrow_and_update());
    Desk::clone(&newest)
}

fn write(lines: &[String]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// Passes lines on until the input ends. What is longer than [`MAX_TYPED`] bytes is cut there.
fn read_lines(input: impl Read, typed: &mpsc::Sender<String>) {
    let mut input = BufReader::new(input);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let most = u64::try_from(MAX_TYPED).unwrap_or(u64::MAX);
        match (&mut input).take(most).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) if bytes.ends_with(b"\n") || bytes.len() < MAX_TYPED => {}
            Ok(_) if skip_line(&mut input).is_err() => return,
            Ok(_) => {}
        }
        if typed.blocking_send(String::from_utf8_lossy(&bytes).into_owned()).is_err() {
            return;
        }
    }
}

/// Passes over the rest of a line that is too long.
fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let there = input.fill_buf()?;
        let end = there.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(there.len(), |end| end + 1);
        if there.is_empty() {
            return Ok(());
        }
        input.consume(taken);
        if end.is_some() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_the_next_one_is_whole() {
        let input = [b"x".repeat(MAX_TYPED * 3), b"\npark\nlast".to_vec()].concat();
        let (typed, mut lines) = mpsc::channel(8);
        read_lines(input.as_slice(), &typed);
        assert_eq!(lines.blocking_recv().unwrap().len(), MAX_TYPED);
        assert_eq!(lines.blocking_recv().unwrap(), "park\n");
        assert_eq!(lines.blocking_recv().unwrap(), "last");
    }
}
