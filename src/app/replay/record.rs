//! A session becomes a file: the board is drawn a second time, into bytes, and a thread of its own writes them. A disk that
//! can't keep up ends the recording, never the session.

use super::film::{Header, PEOPLE};
use crate::console::{self, Console, Theme};
use crate::desk::Desk;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use serde_json::json;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Lines that may wait for the disk.
const MAX_WAITING: usize = 256;
/// When a file has grown to this many bytes the recording ends.
const MAX_BYTES: u64 = 100 << 20;
/// The most names that are told.
const MAX_PEOPLE: usize = 20_000;

/// Bytes that a picture becomes, taken out after each.
#[derive(Clone, Debug, Default)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is recorded, before it has a size: made where errors can be told, drawn on the screen's thread.
pub struct Recording {
    lines: SyncSender<String>,
}

impl Recording {
    /// Makes the file, readable by its owner only; what was there before is replaced.
    ///
    /// # Errors
    /// When it can't be made.
    pub(in crate::app) fn create(file: &Path) -> io::Result<Self> {
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        // A file that others may read already is not written into: it is made anew.
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        let (lines, received) = sync_channel(MAX_WAITING);
        std::thread::Builder::new().name("recording".into()).spawn(move || write_all(opened, &received))?;
        Ok(Self { lines })
    }

    /// Begins with the first picture.
    ///
    /// # Errors
    /// Never, as far as anybody knows: bytes are always taken.
    pub(in crate::app) fn begin(self, now: Duration, area: Rect, wall_ms: u64) -> io::Result<Recorder> {
        let header = Header {
            version: 2,
            width: area.width,
            height: area.height,
            timestamp: Some(wall_ms / 1_000),
            title: Some("parkdeck".to_owned()),
        };
        let sink = Sink::default();
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        let terminal = Terminal::with_options(CrosstermBackend::new(sink.clone()), options)?;
        let mut recorder = Recorder {
            lines: Some(self.lines),
            terminal,
            sink,
            area,
            began: now,
            told: HashSet::new(),
            bytes: 0,
        };
        recorder.line(&serde_json::to_string(&header)?);
        // The pictures begin on an empty screen without a cursor.
        recorder.event(now, "o", &json!("\u{1b}[?25l\u{1b}[2J"));
        Ok(recorder)
    }
}

/// A session that is being recorded.
pub struct Recorder {
    lines: Option<SyncSender<String>>,
    terminal: Terminal<CrosstermBackend<Sink>>,
    sink: Sink,
    area: Rect,
    began: Duration,
    told: HashSet<String>,
    bytes: u64,
}

impl Recorder {
    /// Adds a picture, if it differs from the one before.
    ///
    /// # Errors
    /// Never, as far as anybody knows.
    pub(in crate::app) fn picture(
        &mut self,
        area: Rect,
        desk: &Desk,
        console: &Console,
        theme: &Theme,
    ) -> io::Result<()> {
        if self.lines.is_none() {
            return Ok(());
        }
        let now = desk.now;
        if area != self.area {
            self.area = area;
            self.event(now, "r", &json!(format!("{}x{}", area.width, area.height)));
            self.terminal.resize(area)?;
        }
        self.tell_people(now, desk, console);
        self.terminal.draw(|frame| console::draw(frame, desk, console, theme))?;
        let bytes = std::mem::take(&mut *self.sink.0.borrow_mut());
        if !bytes.is_empty() {
            self.event(now, "o", &json!(String::from_utf8_lossy(&bytes)));
        }
        Ok(())
    }

    /// Everybody who may be on the next picture and was not on one before.
    fn tell_people(&mut self, now: Duration, desk: &Desk, console: &Console) {
        let mut fresh = Vec::new();
        let mut tell = |text: &str| {
            if !text.is_empty() && self.told.len() < MAX_PEOPLE && !self.told.contains(text) {
                self.told.insert(text.to_owned());
                fresh.push(text.to_owned());
            }
        };
        for call in &desk.calls {
            for text in [&call.party.name, &call.party.number, &call.note, &call.remark] {
                tell(text.as_str());
            }
            tell(desk.label(&call.party));
            tell(desk.known(&call.party).map_or("", |known| known.about.as_str()));
        }
        for parked in desk.slots.iter().filter_map(|slot| slot.parked.as_ref()) {
            for text in [&parked.parkee.name, &parked.parkee.number, &parked.parker.name, &parked.note] {
                tell(text.as_str());
            }
            tell(desk.label(&parked.parkee));
            tell(desk.label(&parked.parker));
        }
        for colleague in &desk.staff {
            tell(colleague.who.name.as_str());
            tell(desk.label(&colleague.caller));
        }
        for person in &desk.people {
            tell(person.name.as_str());
        }
        tell(desk.offer.to.as_str());
        for text in console.people_shown() {
            tell(&text);
        }
        if !fresh.is_empty() {
            self.event(now, PEOPLE, &json!(fresh));
        }
    }

    fn event(&mut self, now: Duration, kind: &str, data: &serde_json::Value) {
        let at = now.saturating_sub(self.began).as_secs_f64();
        let at = (at * 1e6).round() / 1e6;
        self.line(&json!([at, kind, data]).to_string());
    }

    fn line(&mut self, line: &str) {
        let Some(lines) = &self.lines else { return };
        self.bytes += line.len() as u64 + 1;
        let full = self.bytes > MAX_BYTES;
        // A picture that is missing would spoil all that follow: then rather none.
        if full || lines.try_send(format!("{line}\n")).is_err() {
            tracing::warn!(
                full,
                "the recording of the session ends here: the file is full, or the disk is behind"
            );
            self.lines = None;
        }
    }
}

fn write_all(file: File, lines: &Receiver<String>) {
    let mut out = BufWriter::new(file);
    while let Ok(line) = lines.recv() {
        if out.write_all(line.as_bytes()).is_err() {
            return;
        }
        // What waits goes out together; a crash loses no more than that.
        while let Ok(line) = lines.try_recv() {
            if out.write_all(line.as_bytes()).is_err() {
                return;
            }
        }
        if out.flush().is_err() {
            return;
        }
    }
}
