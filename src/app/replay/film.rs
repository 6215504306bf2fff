//! The file of a recording: asciicast version 2, read strictly and within limits.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

/// The most bytes of a file.
const MAX_FILE: u64 = 128 << 20;
/// The most bytes of a line; a whole picture of the largest screen is a twentieth of it.
const MAX_LINE: u64 = 4 << 20;
/// The most events.
const MAX_EVENTS: usize = 2_000_000;
/// The largest screen, in columns and rows.
pub(super) const MAX_SIZE: (u16, u16) = (500, 200);
/// The smallest.
pub(super) const MIN_SIZE: (u16, u16) = (2, 1);
/// Longer is no session.
const MAX_LENGTH_S: f64 = 30.0 * 86_400.0;
/// The kind of event that says who is on the screens from then on; players that don't know it pass over it.
pub(super) const PEOPLE: &str = "parkdeck-people";

/// Why a file is no recording.
#[derive(Debug, thiserror::Error)]
pub enum FilmError {
    /// It can't be read.
    #[error("it can't be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is longer than anything that was recorded.
    #[error("it is longer than {} MiB", MAX_FILE >> 20)]
    TooLong,
    /// A line is wrong.
    #[error("line {line}: {reason}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// What happens at a moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Happens {
    /// Written to the terminal.
    Output(String),
    /// The terminal's size from then on.
    Resize(u16, u16),
}

/// A recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Film {
    pub(super) size: (u16, u16),
    pub(super) events: Vec<(Duration, Happens)>,
    /// Everybody who is on its screens; `None`: it doesn't say.
    pub(super) people: Option<Vec<String>>,
}

/// The first line.
#[derive(Deserialize, Serialize)]
pub(super) struct Header {
    pub version: u8,
    pub width: u16,
    pub height: u16,
    /// Seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

impl Film {
    /// Reads a file.
    ///
    /// # Errors
    /// See [`FilmError`].
    pub fn open(file: &Path) -> Result<Self, FilmError> {
        // Opening a named pipe would wait for its writer.
        let meta = std::fs::metadata(file)?;
        if !meta.is_file() {
            return Err(FilmError::Unreadable(std::io::Error::other("this is not a file")));
        }
        if meta.len() > MAX_FILE {
            return Err(FilmError::TooLong);
        }
        Self::read(File::open(file)?)
    }

    /// Reads what a file has in it.
    ///
    /// # Errors
    /// See [`FilmError`].
    pub fn read(input: impl Read) -> Result<Self, FilmError> {
        let mut input = BufReader::new(input.take(MAX_FILE + 1));
        let (mut bytes, mut total) = (Vec::new(), 0);
        let mut film: Option<Self> = None;
        for line in 1.. {
            bytes.clear();
            let length = (&mut input).take(MAX_LINE + 1).read_until(b'\n', &mut bytes)?;
            total += length as u64;
            if total > MAX_FILE {
                return Err(FilmError::TooLong);
            }
            if length == 0 {
                break;
            }
            let wrong = |reason: String| FilmError::Line { line, reason };
            if length as u64 > MAX_LINE {
                return Err(wrong(format!("it is longer than {} MiB", MAX_LINE >> 20)));
            }
            let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is no UTF-8".to_owned()))?.trim();
            match &mut film {
                None => film = Some(Self::begun(text).map_err(wrong)?),
                Some(_) if text.is_empty() => {}
                Some(film) => film.add(text).map_err(wrong)?,
            }
        }
        film.ok_or(FilmError::Line { line: 1, reason: "there is nothing in it".to_owned() })
    }

    fn begun(text: &str) -> Result<Self, String> {
        let header: Header = serde_json::from_str(text)
            .map_err(|error| format!("this is no asciicast: {}", plain(&error.to_string())))?;
        if header.version != 2 {
            return Err(format!("asciicast version {}; version 2 is known here", header.version));
        }
        let size = size(header.width, header.height)?;
        Ok(Self { size, events: Vec::new(), people: None })
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        if self.events.len() >= MAX_EVENTS {
            return Err(format!("a recording has at most {MAX_EVENTS} events"));
        }
        let event: (f64, String, Value) = serde_json::from_str(text)
            .map_err(|error| format!("this is no event: {}", plain(&error.to_string())))?;
        let (at_s, kind, data) = event;
        if !at_s.is_finite() || !(0.0..MAX_LENGTH_S).contains(&at_s) {
            return Err("its time is none".to_owned());
        }
        // Time never runs back, whatever a file says.
        let last = self.events.last().map_or(Duration::ZERO, |(at, _)| *at);
        let at = Duration::from_secs_f64(at_s).max(last);
        match (kind.as_str(), data) {
            ("o", Value::String(data)) => self.events.push((at, Happens::Output(data))),
            ("r", Value::String(data)) => {
                let (columns, rows) = data.split_once('x').ok_or("a size is written 80x24")?;
                let number = |text: &str| text.parse::<u16>().map_err(|_| "a size is written 80x24");
                let (columns, rows) = size(number(columns)?, number(rows)?)?;
                self.events.push((at, Happens::Resize(columns, rows)));
            }
            (PEOPLE, Value::Array(people)) => {
                let names = people.into_iter().filter_map(|name| name.as_str().map(str::to_owned));
                self.people.get_or_insert_default().extend(names);
            }
            // Input, markers, and whatever else a version to come may have.
            _ => {}
        }
        Ok(())
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        self.events.last().map_or(Duration::ZERO, |(at, _)| *at)
    }
}

fn size(columns: u16, rows: u16) -> Result<(u16, u16), String> {
    let fits = (MIN_SIZE.0..=MAX_SIZE.0).contains(&columns) && (MIN_SIZE.1..=MAX_SIZE.1).contains(&rows);
    fits.then_some((columns, rows)).ok_or_else(|| {
        format!(
            "a screen of {columns}x{rows}: from {}x{} to {}x{} can be shown",
            MIN_SIZE.0, MIN_SIZE.1, MAX_SIZE.0, MAX_SIZE.1
        )
    })
}

/// What a library says of hostile text may quote it.
fn plain(text: &str) -> String {
    crate::parking::Text::new(text).to_string()
}
