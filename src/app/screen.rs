//! The screen's thread: keys become commands, the newest desk becomes a picture. A terminal that stalls stalls only
//! this thread, never a call.

use crate::console::{self, Console, Theme};
use crate::desk::{Command, Desk};
use crate::io::clock::Clock;
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
    /// The engine's clock: waits count on between its words.
    pub clock: Clock,
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

async fn serve(
    screen: &mut Screen,
    console: &mut Console,
    theme: &Theme,
    link: ScreenLink,
) -> io::Result<()> {
    let ScreenLink { mut desk, commands, clock } = link;
    let mut keys = EventStream::new();
    let mut seen = Desk::clone(&desk.borrow_and_update());
    let mut next_frame = clock.now();
    loop {
        seen.now = clock.now();
        console.set_clock(&local_time());
        console.set_area(screen.size()?.into());
        screen.draw(|frame| console::draw(frame, &seen, console, theme))?;
        #[cfg(debug_assertions)]
        super::console::panic_on_request("screen");
        tokio::select! {
            biased;
            event = keys.next() => match event {
                Some(Ok(event)) => {
                    seen.now = clock.now();
                    take_key(console, &seen, &event, screen, &commands)?;
                }
                // The terminal is gone: the engine hears of it when `commands` closes.
                Some(Err(_)) | None => return Ok(()),
            },
            changed = desk.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                // A lamp is seen at once; of a storm of them, sixty pictures a second.
                if clock.now() < next_frame {
                    tokio::time::sleep_until(clock.instant(next_frame).into()).await;
                }
                next_frame = clock.now() + FRAME;
                seen = Desk::clone(&desk.borrow_and_update());
            }
            () = tokio::time::sleep(console::next_change(&seen)) => {}
        }
    }
}

/// The wall clock for the top line.
fn local_time() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
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
            let size = screen.size()?;
            console.mouse(desk, *mouse, ratatui::layout::Rect::new(0, 0, size.width, size.height))
        }
        Event::Paste(text) => {
            console.paste(text);
            Vec::new()
        }
        _ => Vec::new(),
    };
    for command in said {
        // Full only while the engine is stuck; then the key is lost and the screen shows that nothing happened.
        let _ = commands.try_send(command);
    }
    if let Some(text) = console.copy_request() {
        screen.copy(&text)?;
    }
    Ok(())
}
