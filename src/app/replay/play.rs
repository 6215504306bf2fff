//! The player: time goes on, space pauses, the arrows step.

use super::film::Film;
use super::project::Projector;
use crate::io::terminal::Screen;
use color_eyre::eyre::{Context, eyre};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, poll, read};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Between two looks at the keys while nothing is due.
const REST: Duration = Duration::from_millis(100);
/// A pause of the session that is longer is shortened to this: nobody watches an empty board.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How far `pageup` and `pagedown` go.
const LEAP: Duration = Duration::from_secs(10);

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The recording.
    pub file: PathBuf,
    /// Hide whoever is on its screens.
    pub mask: bool,
    /// Print its last screen as text, and play nothing.
    pub text: bool,
}

/// Shows a recording until it is left. Blocks.
///
/// # Errors
/// When the file is no recording, can't be masked, or there is no terminal.
pub fn run(wish: &Wish) -> color_eyre::Result<String> {
    let film = Film::open(&wish.file).map_err(|error| eyre!("{}: {error}", wish.file.display()))?;
    if wish.mask && film.people.is_none() {
        return Err(eyre!(
            "{}: this recording does not say who is on its screens, so nobody can be hidden",
            wish.file.display()
        ));
    }
    let mut projector = Projector::new(film, wish.mask);
    if wish.text {
        projector.seek(Duration::MAX);
        return Ok(projector.lines().join("\n") + "\n");
    }
    let screen = Screen::take(false, None)?;
    let played = Player { projector, at: Duration::ZERO, playing: true, speed: 1 }.play(screen);
    crate::io::terminal::give_back();
    played.wrap_err("the terminal could not be drawn on")?;
    Ok(String::new())
}

struct Player {
    projector: Projector,
    at: Duration,
    playing: bool,
    /// So many times as quick as it was.
    speed: u32,
}

impl Player {
    fn play(mut self, mut screen: Screen) -> std::io::Result<()> {
        let mut last = Instant::now();
        loop {
            self.projector.seek(self.at);
            screen.draw(|frame| self.draw(frame.area(), frame.buffer_mut()))?;
            let wait = match self.projector.next().filter(|_| self.playing) {
                Some(next) => (next.saturating_sub(self.at) / self.speed).min(REST),
                None => REST,
            };
            let key = poll(wait)?.then(read).transpose()?;
            let now = Instant::now();
            if self.playing {
                self.go_on((now - last) * self.speed);
            }
            last = now;
            if let Some(Event::Key(key)) = key
                && key.kind != KeyEventKind::Release
                && !self.obey(key)
            {
                return Ok(());
            }
        }
    }

    /// Time went on. What nothing happens in for long is passed over.
    fn go_on(&mut self, by: Duration) {
        self.at = (self.at + by).min(self.projector.length());
        if let Some(next) = self.projector.next()
            && next.saturating_sub(self.at) > LONGEST_PAUSE
        {
            self.at = next - LONGEST_PAUSE;
        }
        self.playing &= self.at < self.projector.length();
    }

    /// Whether to go on.
    fn obey(&mut self, key: KeyEvent) -> bool {
        let end = self.projector.length();
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
            KeyCode::Char(' ') if !self.playing && self.at >= end => {
                (self.at, self.playing) = (Duration::ZERO, true)
            }
            KeyCode::Char(' ') => self.playing = !self.playing,
            KeyCode::Right | KeyCode::Left => {
                self.playing = false;
                self.at = self.projector.step(key.code == KeyCode::Right);
            }
            KeyCode::PageDown => self.at = (self.at + LEAP).min(end),
            KeyCode::PageUp => self.at = self.at.saturating_sub(LEAP),
            KeyCode::Home => self.at = Duration::ZERO,
            KeyCode::End => (self.at, self.playing) = (end, false),
            KeyCode::Char('+') => self.speed = (self.speed * 2).min(16),
            KeyCode::Char('-') => self.speed = (self.speed / 2).max(1),
            _ => {}
        }
        true
    }

    fn draw(&self, area: Rect, buffer: &mut Buffer) {
        let picture = Rect { height: area.height.saturating_sub(1), ..area };
        self.projector.draw(buffer, picture);
        let clock = |at: Duration| format!("{:02}:{:02}", at.as_secs() / 60, at.as_secs() % 60);
        let state = match (self.playing, self.speed) {
            (true, 1) => "▶".to_owned(),
            (true, speed) => format!("▶ ×{speed}"),
            (false, _) => "❚❚ paused".to_owned(),
        };
        let (columns, rows) = self.projector.size();
        let cut = if columns > picture.width || rows > picture.height {
            format!(" · recorded at {columns}×{rows}: a larger terminal shows all of it")
        } else {
            String::new()
        };
        let line = format!(
            " {state} {} of {} · space pauses · ← → step · pageup pagedown · + - · q leaves{cut}",
            clock(self.at),
            clock(self.projector.length())
        );
        let foot = Rect { y: area.bottom().saturating_sub(1), height: area.height.min(1), ..area };
        let style = Style::new().add_modifier(Modifier::REVERSED);
        buffer.set_style(foot, style);
        if foot.height > 0 {
            buffer.set_stringn(foot.x, foot.y, &line, foot.width.into(), style);
        }
    }
}
