//! The screen's thread: keys become commands, the newest desk becomes a picture. A terminal that stalls stalls only
//! this thread, never a call.

use crate::console::{self, Console, Theme};
use crate::desk::{Command, Desk};
use crate::io::terminal::Screen;
use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Everything the screen's thread is given.
pub struct ScreenLink {
    /// The newest desk.
    pub desk: watch::Receiver<Arc<Desk>>,
    /// Where commands go. Bounded: keys pressed while the engine is stuck are dropped, not hoarded.
    pub commands: mpsc::Sender<Command>,
}

/// How often at most the picture is drawn.
const FRAME: Duration = Duration::from_millis(16);

/// Runs until the engine hangs up (or the terminal is gone). Blocks; give it a thread of its own.
///
/// # Errors
/// When the terminal can't be drawn on.
pub fn run(mut screen: Screen, mut console: Console, theme: &Theme, link: ScreenLink) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(&mut screen, &mut console, theme, link))
}

async fn serve(screen: &mut Screen, console: &mut Console, theme: &Theme, link: ScreenLink) -> io::Result<()> {
    let ScreenLink { mut desk, commands } = link;
    let mut keys = EventStream::new();
    let mut seen = desk.borrow_and_update().clone();
    loop {
        console.set_clock(local_time());
        screen.terminal.draw(|frame| console::draw(frame, &seen, console, theme))?;
        let drawn = tokio::time::Instant::now();
        tokio::select! {
            biased;
            event = keys.next() => match event {
                Some(Ok(event)) => take_key(console, &seen, &event, screen, &commands)?,
                // The terminal is gone: the calls must not be.
                Some(Err(_)) | None => {
                    let _ = commands.send(Command::Quit).await;
                    let _ = commands.send(Command::Quit).await;
                    return Ok(());
                }
            },
            changed = desk.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                // A lamp must be seen at once; a storm of them only sixty times a second.
                if desk.borrow().as_ref() != seen.as_ref() {
                    seen = desk.borrow_and_update().clone();
                }
                pace(drawn, &mut desk, &mut seen).await;
            }
            () = tokio::time::sleep(console::next_change(&seen)) => {
                seen = advance(&seen);
            }
        }
    }
}

/// Waits out the rest of the frame if the last picture is very young, and takes the newest desk then.
async fn pace(drawn: tokio::time::Instant, desk: &mut watch::Receiver<Arc<Desk>>, seen: &mut Arc<Desk>) {
    if drawn.elapsed() < Duration::from_millis(2) {
        tokio::time::sleep_until(drawn + FRAME).await;
        *seen = desk.borrow_and_update().clone();
    }
}

/// The wall clock for the top line.
fn local_time() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}

/// The same desk a moment later: waits count on even when nothing happens.
fn advance(seen: &Arc<Desk>) -> Arc<Desk> {
    let mut later = Desk::clone(seen);
    later.now += console::next_change(seen);
    Arc::new(later)
}

fn take_key(
    console: &mut Console,
    desk: &Desk,
    event: &Event,
    screen: &mut Screen,
    commands: &mpsc::Sender<Command>,
) -> io::Result<()> {
    let said = match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => console.key(desk, *key),
        Event::Mouse(mouse) => {
            let size = screen.terminal.size()?;
            console.mouse(desk, *mouse, ratatui::layout::Rect::new(0, 0, size.width, size.height))
        }
        Event::Paste(text) => console.paste(text),
        _ => Vec::new(),
    };
    for command in said {
        // Full only while the engine is stuck; then the key is lost and the screen shows that nothing happened.
        let _ = commands.try_send(command);
    }
    if let Some(text) = console.copy_request() {
        crossterm::execute!(io::stdout(), crossterm::clipboard::CopyToClipboard::to_clipboard_from(text))?;
    }
    Ok(())
}
