//! The writer with good, slow, full and broken disks, and with kill -9 at any instant.

use super::*;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

/// A memory that can be told apart by its number.
fn memory(number: usize) -> Snapshot {
    Snapshot::of([(format!("account {number}").as_str(), &[][..])], 1)
}

#[test]
fn what_is_saved_is_on_disk_after_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("memory.json");
    let writer = Writer::start(Store::open(&file).unwrap().store, |_| {}).unwrap();
    for number in 0..100 {
        writer.save(memory(number));
    }
    assert!(writer.flush(Duration::from_secs(5)));
    assert_eq!(Snapshot::from_json(&std::fs::read(&file).unwrap()).unwrap(), memory(99));
}

#[test]
fn the_last_memory_is_written_when_the_writer_goes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("memory.json");
    let writer = Writer::start(Store::open(&file).unwrap().store, |_| {}).unwrap();
    writer.save(memory(7));
    drop(writer);
    assert_eq!(Store::open(&file).unwrap().memory, Some(memory(7)), "and the lock is free again");
}

#[test]
fn a_slow_disk_makes_nobody_wait_and_gets_only_the_newest() {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let slow = move |_: &[u8]| {
        count.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(50));
        Ok(())
    };
    let writer = Writer::start_with(slow, |_| {}, FIRST_PAUSE).unwrap();
    let start = Instant::now();
    for number in 0..1_000 {
        writer.save(memory(number));
    }
    assert!(start.elapsed() < Duration::from_secs(1), "a thousand slow writes would take 50 s");
    assert!(writer.flush(Duration::from_secs(10)));
    assert!(written.load(Ordering::SeqCst) < 100);
}

#[test]
fn a_full_disk_is_told_once_and_writing_resumes_by_itself() {
    let full = Arc::new(AtomicBool::new(true));
    let (tell, told) = mpsc::channel();
    let (disk, tries) = (Arc::clone(&full), Arc::new(AtomicUsize::new(0)));
    let (counted, got) = (Arc::clone(&tries), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&got);
    let write = move |content: &[u8]| {
        counted.fetch_add(1, Ordering::SeqCst);
        if disk.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        *kept.lock().unwrap() = content.to_vec();
        Ok(())
    };
    let writer = Writer::start_with(write, move |r| tell.send(r).unwrap(), Duration::from_millis(2)).unwrap();
    writer.save(memory(1));
    while tries.load(Ordering::SeqCst) < 3 {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!writer.flush(Duration::from_millis(10)), "nothing is on disk yet");
    writer.save(memory(2));
    full.store(false, Ordering::SeqCst);
    assert!(writer.flush(Duration::from_secs(5)));
    drop(writer);
    assert_eq!(Snapshot::from_json(&got.lock().unwrap()).unwrap(), memory(2));
    let reports: Vec<Report> = told.iter().collect();
    assert!(
        matches!(&reports[..], [Report::Failed(line), Report::Resumed] if line.contains("disk is full")),
        "{reports:?}"
    );
}

#[test]
fn a_disk_that_stays_full_does_not_hold_up_the_end() {
    let full = |_: &[u8]| Err(io::Error::from(io::ErrorKind::StorageFull));
    let writer = Writer::start_with(full, |_| {}, Duration::from_secs(3_600)).unwrap();
    writer.save(memory(1));
    let start = Instant::now();
    drop(writer);
    assert!(start.elapsed() < Duration::from_secs(2));
}

/// Where the child below writes; unset in an ordinary test run.
const CHILD: &str = "PARKDECK_TEST_JOURNAL";

/// Not a test of its own: the process that the next one kills.
#[test]
#[ignore = "run by the next test, in a process of its own"]
fn a_child_that_saves_without_end() {
    let Some(file) = std::env::var_os(CHILD) else { return };
    let writer = Writer::start(Store::open(Path::new(&file)).unwrap().store, |_| {}).unwrap();
    for number in 0.. {
        writer.save(memory(number));
        assert!(writer.flush(Duration::from_secs(5)));
        println!("saved {number}.");
    }
}

#[test]
fn kill_9_at_any_instant_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("memory.json");
    for round in 0..12 {
        let child = "journal::writer::tests::a_child_that_saves_without_end";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", child, "--ignored", "--nocapture"])
            .env(CHILD, &file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_micros(60_000 + round * 3_711));
        child.kill().unwrap();
        let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let saved = |line: &str| line.strip_prefix("saved ")?.strip_suffix('.')?.parse::<usize>().ok();
        let Some(acknowledged) = output.lines().filter_map(saved).next_back() else { continue };
        let opened = Store::open(&file).unwrap();
        assert_eq!(opened.warning, None);
        let found = opened.memory.unwrap();
        assert!(
            [memory(acknowledged), memory(acknowledged + 1)].contains(&found),
            "{acknowledged}: {found:?}"
        );
    }
    assert!(file.exists(), "the child never saved anything: it was too slow to be tested");
}
