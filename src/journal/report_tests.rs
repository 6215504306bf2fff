//! The shift in figures, and cells that no spreadsheet carries out.

use super::*;
use crate::desk::{CallWay, Fate, Outcome, ParkRecord};
use crate::parking::{Identity, SlotId, Text};

fn call(way: CallWay, began_s: u64, waited_s: u64, talked_s: u64, outcome: Outcome) -> CallRecord {
    let answered = (talked_s > 0).then_some((began_s + waited_s) * 1_000);
    CallRecord {
        id: began_s,
        account: "front".into(),
        way,
        party: Identity::new("=cmd|'/C calc'!A0", "+441614960100"),
        known: Text::default(),
        called: "100".into(),
        slot: None,
        note: "@SUM(1)".into(),
        began_ms: began_s * 1_000,
        answered_ms: answered,
        ended_ms: Some((began_s + waited_s + talked_s) * 1_000),
        held_ms: 0,
        outcome,
        detail: Text::default(),
        quality: None,
    }
}

fn stay(fate: Fate, waited_s: u64) -> ParkRecord {
    ParkRecord {
        id: waited_s,
        account: "front".into(),
        slot: SlotId::new("701").unwrap(),
        party: Identity::default(),
        known: Text::default(),
        parker: Identity::default(),
        ours: true,
        note: Text::default(),
        parked_ms: 1_000,
        left_ms: Some(1_000 + waited_s * 1_000),
        fate,
        by: Text::default(),
    }
}

fn shift() -> ShiftReport {
    let calls = [
        call(CallWay::In, 10, 5, 60, Outcome::HungUp),
        call(CallWay::In, 20, 25, 60, Outcome::Parked),
        call(CallWay::In, 3_700, 40, 0, Outcome::Missed),
        call(CallWay::In, 3_800, 1, 0, Outcome::TurnedAway),
        call(CallWay::CameBack, 3_900, 3, 20, Outcome::Transferred),
        call(CallWay::Out, 4_000, 3, 20, Outcome::Ended),
        call(CallWay::In, 90_000, 3, 20, Outcome::Ended),
    ];
    let parks = [stay(Fate::RetrievedHere, 30), stay(Fate::GaveUp, 90), stay(Fate::CameBack, 60)];
    ShiftReport::of(&calls, &parks, (0, 86_400_000), |ms| (ms / 3_600_000 % 24) as u8)
}

#[test]
fn a_shift_is_counted_within_its_times() {
    let shift = shift();
    assert_eq!((shift.came_in, shift.answered, shift.missed, shift.turned_away), (4, 2, 1, 1));
    assert_eq!((shift.went_out, shift.transferred, shift.talked_s), (1, 1, 160));
    assert_eq!(shift.answered_quickly_percent, 50);
    assert_eq!(shift.answer_waits, Waits { average_s: 15, median_s: 25, longest_s: 25 });
    assert_eq!((shift.retrieved_here, shift.abandoned, shift.recalled), (1, 1, 1));
    assert_eq!(shift.park_waits, Waits { average_s: 60, median_s: 60, longest_s: 90 });
    let hours: Vec<_> = shift.hours.iter().map(|h| (h.hour, h.came_in, h.missed)).collect();
    assert_eq!(hours, [(0, 2, 0), (1, 2, 1)]);
    let nothing = ShiftReport::of(&[], &[], (0, 1), |_| 0);
    assert_eq!((nothing.came_in, nothing.answer_waits), (0, Waits::default()));
}

#[test]
fn the_report_fits_a_small_screen() {
    for line in shift().lines() {
        assert!(line.chars().count() <= 72, "{line}");
    }
}

#[test]
fn no_cell_is_a_formula() {
    let mut table = Vec::new();
    let calls = [call(CallWay::In, 10, 5, 60, Outcome::HungUp)];
    write_calls_csv(&calls, 0, &TimeZone::UTC, &mut table).unwrap();
    let mut rows = csv::Reader::from_reader(table.as_slice());
    let row = rows.records().next().unwrap().unwrap();
    for field in &row {
        assert!(!field.starts_with(['=', '+', '-', '@', '\t']), "{field}");
    }
    assert_eq!((&row[9], &row[10], &row[16]), ("'+441614960100", "'=cmd|'/C calc'!A0", "'@SUM(1)"));
    assert_eq!(&row[3], "1970-01-01 00:00:10");
    let mut figures = Vec::new();
    write_shift_csv(&shift(), &TimeZone::UTC, &mut figures).unwrap();
    assert!(String::from_utf8(figures).unwrap().contains("\nabandoned,1\n"));
}
