//! What is confirmed is there, whatever happens to the program or to the file.

use super::*;

fn record(id: u64, began_ms: u64, outcome: Outcome) -> CallRecord {
    CallRecord {
        id,
        account: "front".into(),
        way: CallWay::CameBack,
        party: Identity::new("Jane Doe", "01614960100"),
        known: "Doe, Jane".into(),
        called: "100".into(),
        slot: SlotId::new("701"),
        note: "for Sam; '); DROP TABLE calls; --".into(),
        began_ms,
        answered_ms: Some(began_ms + 4_000),
        ended_ms: None,
        held_ms: 5,
        outcome,
        detail: "why".into(),
        quality: None,
    }
}

fn stay(id: u64, fate: Fate) -> ParkRecord {
    ParkRecord {
        id,
        account: "front".into(),
        slot: SlotId::new("701").unwrap(),
        party: Identity::new("Jane Doe", "1"),
        known: Text::default(),
        parker: Identity::new("Ann", "105"),
        ours: false,
        note: "n".into(),
        parked_ms: 77,
        left_ms: None,
        fate,
        by: "Sam".into(),
    }
}

#[test]
fn everything_comes_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deep").join("journal.sqlite");
    let Found { mut database, session, warning, .. } = Database::open(&file, 1_000, 0).unwrap();
    assert_eq!((session, warning), (1, None));
    let (first, second) = (record(1, 1_000, Outcome::HungUp), record(2, 2_000, Outcome::Parked));
    database.write(&[Entry::Call(first.clone()), Entry::Call(record(2, 2_000, Outcome::Open))]).unwrap();
    database.write(&[Entry::Call(second.clone()), Entry::Park(stay(3, Fate::CameBack))]).unwrap();
    assert_eq!(database.newest(1).unwrap(), std::slice::from_ref(&second));
    let reader = Database::read_only(&file).unwrap();
    assert_eq!(reader.calls(0, 5_000).unwrap(), [first, second], "read beside the writer");
    assert_eq!(reader.calls(1_001, 2_000).unwrap(), []);
    assert_eq!(reader.parks(0, 78).unwrap(), [stay(3, Fate::CameBack)]);
    database.close(9).unwrap();
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "for its owner only");
}

#[test]
fn a_session_that_stopped_without_a_word_leaves_interrupted_calls_and_open_stays() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.sqlite");
    let mut database = Database::open(&file, 1_000, 0).unwrap().database;
    let entries = [Entry::Call(record(1, 1_000, Outcome::Open)), Entry::Park(stay(2, Fate::Waiting))];
    database.write(&entries).unwrap();
    // Never closed, as by kill -9.
    std::mem::forget(database);
    let found = Database::open(&file, 2_000, 0).unwrap();
    assert_eq!(found.session, 2);
    assert_eq!(found.interrupted.len(), 1);
    assert_eq!(found.interrupted[0].outcome, Outcome::Interrupted);
    assert_eq!(found.parked, [stay(2, Fate::Waiting)]);
    drop(found);
    assert!(Database::open(&file, 3_000, 0).unwrap().interrupted.is_empty(), "told once");
}

#[test]
fn old_calls_are_forgotten_only_where_that_is_wished() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.sqlite");
    let day = 86_400_000;
    let mut database = Database::open(&file, 0, 0).unwrap().database;
    database.write(&[1, 2, 3].map(|n| Entry::Call(record(n, n * day, Outcome::Ended)))).unwrap();
    drop(database);
    assert_eq!(Database::open(&file, 5 * day, 0).unwrap().database.newest(9).unwrap().len(), 3);
    assert_eq!(Database::open(&file, 5 * day, 3).unwrap().database.newest(9).unwrap().len(), 2);
}

#[test]
fn a_damaged_or_newer_file_is_never_lost() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.sqlite");
    std::fs::write(&file, vec![b'x'; 8_192]).unwrap();
    let found = Database::open(&file, 1, 0).unwrap();
    assert!(found.warning.unwrap().contains("journal.sqlite.corrupt"));
    assert!(dir.path().join("journal.sqlite.corrupt").exists());
    found.database.connection.pragma_update(None, "user_version", 99).unwrap();
    drop(found.database);
    assert!(matches!(Database::open(&file, 2, 0), Err(JournalError::Newer(_))));
    assert!(matches!(Database::read_only(&file), Err(JournalError::Newer(_))));
}

#[test]
fn how_a_call_sounded_is_kept_and_a_journal_of_the_first_format_goes_on() {
    use crate::desk::{OneWay, Quality};
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal.sqlite");
    let first = SCHEMA.replace(",\n  quality TEXT", "");
    assert_ne!(first, SCHEMA);
    let old = Connection::open(&file).unwrap();
    old.execute_batch(&format!("BEGIN; {first} PRAGMA user_version = 1; COMMIT;")).unwrap();
    old.execute(
        "INSERT INTO calls VALUES (7, 'a', 'in', 'Jane', '1', '', '', NULL, '', 1, 2, 3, 0, 'ended', '')",
        [],
    )
    .unwrap();
    drop(old);
    assert_eq!(Database::read_only(&file).unwrap().calls(0, 10).unwrap()[0].quality, None);
    let mut found = Database::open(&file, 5, 0).unwrap();
    assert_eq!(found.warning, None);
    let quality = Quality {
        mos_of_call_hundredths: 421,
        mos_worst_hundredths: 300,
        one_way: Some(OneWay::NotHeard),
        ..Quality::default()
    };
    let sounded = CallRecord { quality: Some(quality), ..record(8, 6, Outcome::Ended) };
    found.database.write([&Entry::Call(sounded.clone())]).unwrap();
    let calls = found.database.newest(9).unwrap();
    assert_eq!((&calls[0], calls[1].id, calls[1].quality), (&sounded, 7, None));
    assert_eq!(calls[0].sounded(), "MOS 4.2, worst 3.0, they don't hear you");
    found.database.close(9).unwrap();
    assert_eq!(Database::read_only(&file).unwrap().calls(6, 10).unwrap(), [sounded]);
}
