//! The screen's thread: keys become commands, the newest desk becomes a picture. A terminal that stalls stalls only
//! this thread, never a call.

use super::ladder::Ladder;
use super::records::wall_ms;
use super::replay::Recording;
use super::theme::{fitted, names, theme};
use super::trace;
use crate::config::{self, Change, Config};
use crate::console::{self, Console, Theme};
use crate::desk::{CallId, Command, Desk, History};
use crate::directory::Directory;
use crate::io::clock::Clock;
use crate::io::terminal::{Notify, Screen};
use crate::parking::Moment;
use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use jiff::tz::TimeZone;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Everything the screen's thread is given.
pub struct ScreenLink {
    /// The newest desk.
    pub desk: watch::Receiver<Arc<Desk>>,
    /// The newest directory, to search.
    pub directory: watch::Receiver<Arc<Directory>>,
    /// The newest calls.
    pub history: watch::Receiver<Arc<History>>,
    /// Where commands go. Bounded: keys pressed while the engine is stuck are dropped, not hoarded.
    pub commands: mpsc::Sender<Keyed>,
    /// How the desktop is told of a ringing call.
    pub notify: Notify,
    /// The engine's clock: waits count on between its words.
    pub clock: Clock,
    /// The newest SIP messages.
    pub ladder: Ladder,
    /// How they are redacted.
    pub wish: trace::Wish,
    /// What the session is recorded in.
    pub record: Option<Recording>,
}

/// A command, and when the key was pressed that gave it.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// What the operator said.
    pub command: Command,
    /// When this program had the key in hand.
    pub at: Moment,
}

/// What the board alone needs besides: the configuration, and how to change it.
pub struct BoardLink {
    /// The configuration in force.
    pub config: watch::Receiver<Arc<Config>>,
    /// What the operator changes of it.
    pub changes: SyncSender<Change>,
    /// The folder of the user's own themes.
    pub themes: Option<PathBuf>,
    /// Where changes are kept; `None`: they last until the end.
    pub file: Option<PathBuf>,
}

/// How often at most the picture is drawn in the long run.
const FRAME: Duration = Duration::from_millis(16);
/// Pictures that may come at once after a rest: a key, the server's word on it and the proof follow each other within
/// milliseconds, and each is worth seeing at once.
const AT_ONCE: u32 = 6;

/// When the next picture may be drawn.
struct Pace {
    next: Duration,
}

impl Pace {
    /// A picture was drawn at `now`. A rest saves up for [`AT_ONCE`] pictures, not more.
    fn drawn(&mut self, now: Duration) {
        self.next = self.next.max(now.saturating_sub(FRAME * (AT_ONCE - 1))) + FRAME;
    }
}

/// Runs until the engine hangs up (or the terminal is gone). Blocks; give it a thread of its own.
///
/// # Errors
/// When the terminal can't be drawn on.
pub fn run(
    mut screen: Screen,
    mut console: Console,
    theme: Theme,
    link: ScreenLink,
    board: BoardLink,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let worn = board.config.borrow().screen.theme.clone();
    let mut look = Look { theme, worn, board };
    console.configure(Arc::clone(&look.board.config.borrow_and_update()), look.board.file.is_some());
    runtime.block_on(serve(&mut screen, &mut console, &mut look, link))
}

/// The theme that is worn, and where others come from.
struct Look {
    theme: Theme,
    /// Its name.
    worn: Option<String>,
    board: BoardLink,
}

impl Look {
    /// Wears the theme that the console shows now: the configured one, or one that is tried on.
    fn dress(&mut self, console: &mut Console, now: Moment) {
        let wanted = console.theme_shown();
        if wanted == self.worn.as_deref() {
            return;
        }
        let wanted = wanted.map(str::to_owned);
        match theme(wanted.as_deref(), self.board.themes.as_deref()) {
            Ok(theme) => self.theme = fitted(theme),
            Err(error) => console.show_hint(now, &error.to_string()),
        }
        self.worn = wanted;
    }

    /// Takes over another configuration.
    fn adopt(&mut self, console: &mut Console, screen: &mut Screen, now: Moment) -> io::Result<Notify> {
        let config = Arc::clone(&self.board.config.borrow_and_update());
        screen.set_mouse(config.screen.mouse)?;
        let notify = terminal_notify(config.outside.notify);
        console.configure(config, self.board.file.is_some());
        // Its file may be another one under the same name.
        self.worn = None;
        if console.theme_shown().is_none() {
            self.theme = fitted(Theme::named("dark").unwrap_or_default());
        }
        self.dress(console, now);
        Ok(notify)
    }

    /// What the operator changed goes to whoever keeps the configuration; and a list of themes to whoever opens it.
    fn pass_on(&self, console: &mut Console, now: Moment) {
        for change in console.take_changes() {
            if self.board.changes.try_send(change).is_err() {
                console.show_hint(now, "the disk is slow: that change was not kept");
            }
        }
        if console.wants_themes() {
            console.set_themes(names(self.board.themes.as_deref()));
        }
    }
}

async fn serve(
    screen: &mut Screen,
    console: &mut Console,
    look: &mut Look,
    link: ScreenLink,
) -> io::Result<()> {
    let ScreenLink {
        mut desk,
        mut directory,
        mut history,
        commands,
        mut notify,
        clock,
        ladder,
        wish,
        mut record,
    } = link;
    let (mut shown_ladder, mut recorder) = (None, None);
    let mut keys = EventStream::new();
    let mut seen = newest(&mut desk);
    let mut pace = Pace { next: Duration::ZERO };
    // Whether the picture is older than what it shows, and whether there is a newer desk than `seen`.
    let (mut due, mut newer) = (true, false);
    loop {
        let now = clock.now();
        if due && now >= pace.next {
            if std::mem::take(&mut newer) {
                seen = newest(&mut desk);
            }
            seen.now = now;
            console.heed_offer(&seen);
            if let Some(text) = console.notification(&seen) {
                screen.notify(notify, &text)?;
            }
            console.set_clock(&local_time());
            console.set_wall(wall_ms(), TimeZone::system());
            console.set_area(screen.size()?.into());
            look.dress(console, now);
            console.follow(&seen);
            show_ladder(console, &ladder, wish, &mut shown_ladder);
            screen.draw(|frame| console::draw(frame, &seen, console, &look.theme))?;
            let area = screen.size()?.into();
            if let Some(recording) = record.take() {
                recorder = Some(recording.begin(now, area, wall_ms())?);
            }
            if let Some(recorder) = &mut recorder {
                recorder.picture(area, &seen, console, &look.theme)?;
            }
            #[cfg(debug_assertions)]
            super::console::panic_on_request("screen");
            pace.drawn(now);
            due = false;
        }
        let wait = if due { pace.next.saturating_sub(now) } else { console::next_change(&seen) };
        tokio::select! {
            biased;
            event = keys.next() => match event {
                Some(Ok(event)) => {
                    // A key means what the picture showed when it was pressed.
                    seen.now = clock.now();
                    take_key(console, &seen, &event, screen, &commands)?;
                    look.pass_on(console, seen.now);
                    due = true;
                }
                // The terminal is gone: the engine hears of it when `commands` closes.
                Some(Err(_)) | None => return Ok(()),
            },
            // Of a storm of lamps, sixty pictures a second; keys are heard all the while.
            changed = desk.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                (due, newer) = (true, true);
            }
            Ok(()) = directory.changed() => console.set_directory(Arc::clone(&directory.borrow_and_update())),
            Ok(()) = history.changed() => {
                console.set_history(Arc::clone(&history.borrow_and_update()));
                due = true;
            }
            Ok(()) = look.board.config.changed() => {
                notify = look.adopt(console, screen, clock.now())?;
                due = true;
            }
            () = tokio::time::sleep(wait) => due = true,
        }
    }
}

/// Gives the open ladder its messages, if it is open and there are others than last time.
fn show_ladder(
    console: &mut Console,
    ladder: &Ladder,
    wish: trace::Wish,
    shown: &mut Option<(Option<CallId>, u64)>,
) {
    let wanted = console.ladder_wanted().map(|call| (call, ladder.nth()));
    if let Some((call, _)) = wanted.filter(|_| wanted != *shown) {
        console.set_ladder(ladder.messages(call, wish));
    }
    *shown = wanted;
}

/// How the terminal is to tell the desktop of a ringing call.
pub(super) fn terminal_notify(notify: config::Notify) -> Notify {
    match notify {
        config::Notify::Osc777 => Notify::Osc777,
        config::Notify::Osc9 => Notify::Osc9,
        config::Notify::Off | config::Notify::NotifySend => Notify::Off,
    }
}

/// A copy of the newest desk; the engine is kept from putting a newer one there no longer than an `Arc` takes.
fn newest(desk: &mut watch::Receiver<Arc<Desk>>) -> Desk {
    let newest = Arc::clone(&desk.borrow_and_update());
    Desk::clone(&newest)
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
    commands: &mpsc::Sender<Keyed>,
) -> io::Result<()> {
    let said = match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => console.key(desk, *key),
        Event::Mouse(mouse) => {
            let size = screen.size()?;
            console.mouse(desk, *mouse, ratatui::layout::Rect::new(0, 0, size.width, size.height))
        }
        Event::Paste(text) => {
            console.paste(desk, text);
            Vec::new()
        }
        _ => Vec::new(),
    };
    for command in said {
        // Full only while the engine is stuck; then the key is lost and the screen shows that nothing happened.
        let _ = commands.try_send(Keyed { command, at: desk.now });
    }
    if let Some(text) = console.copy_request() {
        screen.copy(&text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_rest_pictures_come_at_once_and_in_a_storm_sixty_a_second() {
        let second = Duration::from_secs(1);
        let (mut pace, mut now) = (Pace { next: Duration::ZERO }, 60 * second);
        let mut at_once = 0;
        while now >= pace.next {
            pace.drawn(now);
            at_once += 1;
        }
        assert_eq!(at_once, AT_ONCE);
        let (end, mut drawn) = (now + second, 0);
        while pace.next < end {
            now = pace.next;
            pace.drawn(now);
            drawn += 1;
        }
        assert!((60..=63).contains(&drawn), "{drawn} pictures in a second");
    }
}
