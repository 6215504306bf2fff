//! The journal on disk: every call and every stay in a slot, in SQLite, so that a kill at any moment loses nothing that
//! was confirmed and other programs can read it.
//!
//! Write-ahead logging with a sync at each commit: a record is confirmed when [`Database::write`] has returned.

use crate::desk::{CallRecord, CallWay, Entry, Fate, Outcome, ParkRecord, RecordId};
use crate::parking::{Identity, SlotId, Text};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The format's number, in the file's `user_version`.
const FORMAT: i64 = 2;
/// What makes the first format the second.
const FROM_FIRST: &str = "BEGIN; ALTER TABLE calls ADD COLUMN quality TEXT; PRAGMA user_version = 2; COMMIT;";
/// How long another program that reads the journal is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pages of 4 kB that are kept in memory.
const CACHE_PAGES: i64 = 128;

const SCHEMA: &str = "
CREATE TABLE sessions (id INTEGER PRIMARY KEY, began_ms INTEGER NOT NULL, ended_ms INTEGER);
CREATE TABLE calls (
  id INTEGER PRIMARY KEY, account TEXT NOT NULL, way TEXT NOT NULL, name TEXT NOT NULL, number TEXT NOT NULL,
  known TEXT NOT NULL, called TEXT NOT NULL, slot TEXT, note TEXT NOT NULL, began_ms INTEGER NOT NULL,
  answered_ms INTEGER, ended_ms INTEGER, held_ms INTEGER NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL,
  quality TEXT);
CREATE INDEX calls_began ON calls (began_ms);
CREATE TABLE parks (
  id INTEGER PRIMARY KEY, account TEXT NOT NULL, slot TEXT NOT NULL, name TEXT NOT NULL, number TEXT NOT NULL,
  known TEXT NOT NULL, parker_name TEXT NOT NULL, parker_number TEXT NOT NULL, ours INTEGER NOT NULL,
  note TEXT NOT NULL, parked_ms INTEGER NOT NULL, left_ms INTEGER, fate TEXT NOT NULL, by TEXT NOT NULL);
CREATE INDEX parks_parked ON parks (parked_ms);
";

/// Why the journal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The directory or the file can't be made or read.
    #[error("the journal {file}: {reason}")]
    Unusable {
        /// Which.
        file: PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// A later version of this program wrote it.
    #[error("the journal {0} was written by a newer parkdeck: it is left alone")]
    Newer(PathBuf),
}

/// The open journal.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    session: u64,
}

/// What was found when it was opened.
#[derive(Debug)]
pub struct Found {
    /// To write to.
    pub database: Database,
    /// This session's number.
    pub session: u64,
    /// Calls that went on when the last session stopped without a word: they are over, and marked so now.
    pub interrupted: Vec<CallRecord>,
    /// Who was parked then.
    pub parked: Vec<ParkRecord>,
    /// One line for the operator, when a damaged file was set aside.
    pub warning: Option<String>,
}

impl Database {
    /// Opens the journal for writing, makes it where there is none, and begins a session at `now_ms`.
    ///
    /// A file that is no journal any more is set aside as `….corrupt`. Calls older than `keep_days` are forgotten; 0
    /// keeps all.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn open(file: &Path, now_ms: u64, keep_days: u32) -> Result<Found, JournalError> {
        let unusable = |reason: String| JournalError::Unusable { file: file.to_owned(), reason };
        let directory = super::directory_of(file);
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(directory).map_err(|e| unusable(e.to_string()))?;
        let (connection, warning) = match prepared(file) {
            Ok(connection) => (connection, None),
            Err(Trouble::Newer) => return Err(JournalError::Newer(file.to_owned())),
            Err(Trouble::Damaged(reason)) => {
                let aside = set_aside(file).map_err(|e| unusable(format!("{reason}; {e}")))?;
                let warning =
                    format!("the journal was unreadable ({reason}); it is kept as {}", aside.display());
                let connection = prepared(file).map_err(|trouble| unusable(trouble.words()))?;
                (connection, Some(warning))
            }
            Err(Trouble::Other(reason)) => return Err(unusable(reason)),
        };
        begin(connection, now_ms, keep_days, warning).map_err(|e| unusable(e.to_string()))
    }

    /// Opens a journal to read only; a console may be writing to it meanwhile.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn read_only(file: &Path) -> Result<Reader, JournalError> {
        let unusable =
            |e: rusqlite::Error| JournalError::Unusable { file: file.to_owned(), reason: words(&e) };
        // Its write-ahead log may have to be made to be read.
        let connection = Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(unusable)?;
        connection.busy_timeout(PATIENCE).map_err(unusable)?;
        connection.pragma_update(None, "query_only", true).map_err(unusable)?;
        let format: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(unusable)?;
        match format {
            1..=FORMAT => Ok(Reader { connection }),
            _ => Err(JournalError::Newer(file.to_owned())),
        }
    }

    /// Writes all of these or none, and waits until the disk has them.
    ///
    /// # Errors
    /// As the system says.
    pub fn write<'e>(&mut self, entries: impl IntoIterator<Item = &'e Entry>) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for entry in entries {
            match entry {
                Entry::Call(record) => write_call(&transaction, record)?,
                Entry::Park(record) => write_park(&transaction, record)?,
            }
        }
        transaction.commit()
    }

    /// The newest calls, newest first, at most `most`.
    ///
    /// # Errors
    /// As the system says.
    pub fn newest(&self, most: usize) -> rusqlite::Result<Vec<CallRecord>> {
        newest(&self.connection, most)
    }

    /// The stays in slots that began at or after this time.
    ///
    /// # Errors
    /// As the system says.
    pub fn parks_since(&self, from_ms: u64) -> rusqlite::Result<Vec<ParkRecord>> {
        parks(&self.connection, from_ms, u64::MAX)
    }

    /// The session ends as it should.
    ///
    /// # Errors
    /// As the system says.
    pub fn close(self, now_ms: u64) -> rusqlite::Result<()> {
        self.connection.execute(
            "UPDATE sessions SET ended_ms = ?1 WHERE id = ?2",
            params![sql(now_ms), sql(self.session)],
        )?;
        self.connection.close().map_err(|(_, error)| error)
    }
}

/// A journal that is only read.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// The calls that began between two times, oldest first.
    ///
    /// # Errors
    /// As the system says.
    pub fn calls(&self, from_ms: u64, until_ms: u64) -> rusqlite::Result<Vec<CallRecord>> {
        let mut statement = self
            .connection
            .prepare("SELECT * FROM calls WHERE began_ms >= ?1 AND began_ms < ?2 ORDER BY began_ms, id")?;
        let rows = statement.query_map(params![sql(from_ms), sql(until_ms)], call)?;
        rows.collect()
    }

    /// The stays in slots that began between two times, oldest first.
    ///
    /// # Errors
    /// As the system says.
    pub fn parks(&self, from_ms: u64, until_ms: u64) -> rusqlite::Result<Vec<ParkRecord>> {
        parks(&self.connection, from_ms, until_ms)
    }
}

enum Trouble {
    Damaged(String),
    Newer,
    Other(String),
}

impl Trouble {
    fn words(self) -> String {
        match self {
            Self::Damaged(reason) | Self::Other(reason) => reason,
            Self::Newer => "a newer parkdeck wrote it".to_owned(),
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged(words(&error)),
            _ => Self::Other(words(&error)),
        }
    }
}

fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, None) => code.to_string(),
        error => error.to_string(),
    }
}

/// Opens a file and sees to it that it is a sound journal of this format, for its owner only.
fn prepared(file: &Path) -> Result<Connection, Trouble> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "cache_size", CACHE_PAGES)?;
    let _: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let _ = std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600));
    let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match format {
        0 => {
            connection.execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;"))?;
        }
        1..=FORMAT => {
            let sound: Option<String> =
                connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).optional()?;
            if let Some(fault) = sound.filter(|said| said != "ok") {
                return Err(Trouble::Damaged(fault));
            }
            if format == 1 {
                connection.execute_batch(FROM_FIRST)?;
            }
        }
        _ => return Err(Trouble::Newer),
    }
    Ok(connection)
}

/// Gives a damaged file and what belongs to it other names.
fn set_aside(file: &Path) -> std::io::Result<PathBuf> {
    let named = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = named(".corrupt");
    std::fs::rename(file, &aside)?;
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::rename(named(suffix), named(&format!(".corrupt{suffix}")));
    }
    Ok(aside)
}

fn begin(
    mut connection: Connection,
    now_ms: u64,
    keep_days: u32,
    warning: Option<String>,
) -> rusqlite::Result<Found> {
    let transaction = connection.transaction()?;
    transaction.execute("INSERT INTO sessions (began_ms) VALUES (?1)", params![sql(now_ms)])?;
    let session = u64::try_from(transaction.last_insert_rowid()).unwrap_or(1);
    let mut open = transaction.prepare("SELECT * FROM calls WHERE outcome = 'open' ORDER BY began_ms")?;
    let mut interrupted: Vec<CallRecord> = open.query_map([], call)?.collect::<rusqlite::Result<_>>()?;
    drop(open);
    for record in &mut interrupted {
        record.outcome = Outcome::Interrupted;
        // When exactly it was over nobody knows; the last that is known of it is that it went on.
        record.ended_ms = Some(record.answered_ms.unwrap_or(record.began_ms));
        write_call(&transaction, record)?;
    }
    let mut waiting = transaction.prepare("SELECT * FROM parks WHERE fate = 'waiting' ORDER BY parked_ms")?;
    let parked: Vec<ParkRecord> = waiting.query_map([], park)?.collect::<rusqlite::Result<_>>()?;
    drop(waiting);
    if keep_days > 0 {
        let oldest = sql(now_ms.saturating_sub(u64::from(keep_days) * 86_400_000));
        transaction.execute("DELETE FROM calls WHERE began_ms < ?1", params![oldest])?;
        transaction.execute("DELETE FROM parks WHERE parked_ms < ?1", params![oldest])?;
        transaction.execute("DELETE FROM sessions WHERE began_ms < ?1", params![oldest])?;
    }
    transaction.commit()?;
    Ok(Found { database: Database { connection, session }, session, interrupted, parked, warning })
}

fn write_call(connection: &Connection, record: &CallRecord) -> rusqlite::Result<()> {
    let sentence = "INSERT OR REPLACE INTO calls (id, account, way, name, number, known, called, slot, note, began_ms, \
                    answered_ms, ended_ms, held_ms, outcome, detail, quality) \
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
    connection.prepare(sentence)?.execute(params![
        sql(record.id),
        record.account.as_str(),
        way_name(record.way),
        record.party.name.as_str(),
        record.party.number.as_str(),
        record.known.as_str(),
        record.called.as_str(),
        record.slot.as_ref().map(SlotId::as_str),
        record.note.as_str(),
        sql(record.began_ms),
        record.answered_ms.map(sql),
        record.ended_ms.map(sql),
        sql(record.held_ms),
        record.outcome.name(),
        record.detail.as_str(),
        record.quality.and_then(|quality| serde_json::to_string(&quality).ok()),
    ])?;
    Ok(())
}

fn write_park(connection: &Connection, record: &ParkRecord) -> rusqlite::Result<()> {
    let sentence = "INSERT OR REPLACE INTO parks (id, account, slot, name, number, known, parker_name, parker_number, \
                    ours, note, parked_ms, left_ms, fate, by) \
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    connection.prepare(sentence)?.execute(params![
        sql(record.id),
        record.account.as_str(),
        record.slot.as_str(),
        record.party.name.as_str(),
        record.party.number.as_str(),
        record.known.as_str(),
        record.parker.name.as_str(),
        record.parker.number.as_str(),
        record.ours,
        record.note.as_str(),
        sql(record.parked_ms),
        record.left_ms.map(sql),
        record.fate.name(),
        record.by.as_str(),
    ])?;
    Ok(())
}

fn newest(connection: &Connection, most: usize) -> rusqlite::Result<Vec<CallRecord>> {
    let mut statement = connection.prepare("SELECT * FROM calls ORDER BY began_ms DESC, id DESC LIMIT ?1")?;
    let rows = statement.query_map(params![sql(most as u64)], call)?;
    rows.collect()
}

fn parks(connection: &Connection, from_ms: u64, until_ms: u64) -> rusqlite::Result<Vec<ParkRecord>> {
    let mut statement = connection
        .prepare("SELECT * FROM parks WHERE parked_ms >= ?1 AND parked_ms < ?2 ORDER BY parked_ms, id")?;
    let rows = statement.query_map(params![sql(from_ms), sql(until_ms)], park)?;
    rows.collect()
}

/// SQLite's integers are signed; no time and no number of ours is beyond them.
fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(row: &Row<'_>, name: &str) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(name)?).unwrap_or(0))
}

fn maybe(row: &Row<'_>, name: &str) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(name)?.map(|number| u64::try_from(number).unwrap_or(0)))
}

/// Scrubbed again: another program may have written here.
fn text(row: &Row<'_>, name: &str) -> rusqlite::Result<Text> {
    Ok(Text::new(&row.get::<_, String>(name)?))
}

fn call(row: &Row<'_>) -> rusqlite::Result<CallRecord> {
    let (way, outcome): (String, String) = (row.get("way")?, row.get("outcome")?);
    let id: RecordId = number(row, "id")?;
    Ok(CallRecord {
        id,
        account: text(row, "account")?,
        way: WAYS.into_iter().find(|known| way_name(*known) == way).unwrap_or(CallWay::In),
        party: Identity { name: text(row, "name")?, number: text(row, "number")?, mark: None },
        known: text(row, "known")?,
        called: text(row, "called")?,
        slot: row.get::<_, Option<String>>("slot")?.and_then(|slot| SlotId::new(&slot)),
        note: text(row, "note")?,
        began_ms: number(row, "began_ms")?,
        answered_ms: maybe(row, "answered_ms")?,
        ended_ms: maybe(row, "ended_ms")?,
        held_ms: number(row, "held_ms")?,
        outcome: Outcome::ALL.into_iter().find(|known| known.name() == outcome).unwrap_or(Outcome::Ended),
        detail: text(row, "detail")?,
        // A journal that is only read may be of the first format, which has none.
        quality: row
            .get::<_, Option<String>>("quality")
            .ok()
            .flatten()
            .and_then(|quality| serde_json::from_str(&quality).ok()),
    })
}

fn park(row: &Row<'_>) -> rusqlite::Result<ParkRecord> {
    let fate: String = row.get("fate")?;
    let slot: String = row.get("slot")?;
    let slot = SlotId::new(&slot).ok_or(rusqlite::Error::InvalidQuery)?;
    Ok(ParkRecord {
        id: number(row, "id")?,
        account: text(row, "account")?,
        slot,
        party: Identity { name: text(row, "name")?, number: text(row, "number")?, mark: None },
        known: text(row, "known")?,
        parker: Identity { name: text(row, "parker_name")?, number: text(row, "parker_number")?, mark: None },
        ours: row.get("ours")?,
        note: text(row, "note")?,
        parked_ms: number(row, "parked_ms")?,
        left_ms: maybe(row, "left_ms")?,
        fate: FATES.into_iter().find(|known| known.name() == fate).unwrap_or(Fate::Left),
        by: text(row, "by")?,
    })
}

const WAYS: [CallWay; 4] = [CallWay::In, CallWay::Out, CallWay::Retrieved, CallWay::CameBack];
const FATES: [Fate; 6] =
    [Fate::Waiting, Fate::RetrievedHere, Fate::RetrievedElsewhere, Fate::CameBack, Fate::GaveUp, Fate::Left];

/// A way's name in the database, in JSON and in CSV.
pub(super) fn way_name(way: CallWay) -> &'static str {
    match way {
        CallWay::In => "in",
        CallWay::Out => "out",
        CallWay::Retrieved => "retrieved",
        CallWay::CameBack => "came_back",
    }
}

#[cfg(test)]
#[path = "database_tests.rs"]
mod tests;
