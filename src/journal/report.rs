//! The journal as tables for a spreadsheet: calls, a line each, and the shift report.

use super::database::way_name;
use crate::desk::{CallRecord, Quality, ShiftReport, Waits};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::io::Write;

/// The report as CSV: a line for each figure.
///
/// # Errors
/// What the writer says.
pub fn write_shift_csv(shift: &ShiftReport, zone: &TimeZone, out: impl Write) -> Result<(), csv::Error> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(["figure", "value"])?;
    table.write_record(["from", &time(shift.from_ms, zone)])?;
    table.write_record(["until", &time(shift.until_ms, zone)])?;
    let waits = |name: &str, waits: &Waits| {
        [("average", waits.average_s), ("median", waits.median_s), ("longest", waits.longest_s)]
            .map(|(which, seconds)| (format!("{name}_{which}_s"), seconds))
    };
    let count = |name: &str, count: usize| (name.to_owned(), count as u64);
    let mut figures = vec![
        count("came_in", shift.came_in),
        count("answered", shift.answered),
        count("missed", shift.missed),
        count("turned_away", shift.turned_away),
        count("redirected", shift.redirected),
        count("answered_quickly_percent", shift.answered_quickly_percent),
    ];
    figures.extend(waits("answer_wait", &shift.answer_waits));
    figures.extend(waits("missed_wait", &shift.missed_waits));
    figures.extend([
        count("went_out", shift.went_out),
        count("transferred", shift.transferred),
        ("talked_s".to_owned(), shift.talked_s),
        count("parked", shift.parked),
        count("parked_here", shift.parked_here),
        count("retrieved_here", shift.retrieved_here),
        count("retrieved_elsewhere", shift.retrieved_elsewhere),
        count("abandoned", shift.abandoned),
        count("recalled", shift.recalled),
        count("left", shift.left),
        count("waiting", shift.waiting),
    ]);
    figures.extend(waits("park_wait", &shift.park_waits));
    for hour in &shift.hours {
        figures.push(count(&format!("came_in_{:02}", hour.hour), hour.came_in));
    }
    for (name, value) in figures {
        table.write_record([name, value.to_string()])?;
    }
    table.flush()?;
    Ok(())
}

fn zoned(ms: u64, zone: &TimeZone) -> jiff::Zoned {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

/// `2026-11-28 14:03:22`, which every spreadsheet takes for a time.
pub fn time(ms: u64, zone: &TimeZone) -> String {
    zoned(ms, zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Text for a cell: a spreadsheet takes what begins with `=`, `+`, `-` or `@` for a formula and would carry it out.
fn cell(text: &str) -> String {
    match text.trim_start().chars().next() {
        Some('=' | '+' | '-' | '@' | '|' | '%' | '\t' | '＝' | '＋' | '－' | '＠') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

/// Calls as CSV, a line each, with a line of headings.
///
/// # Errors
/// What the writer says.
pub fn write_calls_csv<'r>(
    calls: impl IntoIterator<Item = &'r CallRecord>,
    now_ms: u64,
    zone: &TimeZone,
    out: impl Write,
) -> Result<(), csv::Error> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record([
        "id",
        "account",
        "way",
        "began",
        "answered",
        "ended",
        "waited_s",
        "talked_s",
        "held_s",
        "number",
        "network_name",
        "directory_name",
        "called",
        "slot",
        "outcome",
        "detail",
        "note",
        "mos",
        "mos_worst",
        "lost_percent",
        "jitter_ms",
        "one_way",
    ])?;
    for call in calls {
        let at = |ms: Option<u64>| ms.map(|ms| time(ms, zone)).unwrap_or_default();
        let sound =
            |figure: &dyn Fn(&Quality) -> String| call.quality.as_ref().map(figure).unwrap_or_default();
        table.write_record([
            call.id.to_string(),
            cell(call.account.as_str()),
            way_name(call.way).to_owned(),
            at(Some(call.began_ms)),
            at(call.answered_ms),
            at(call.ended_ms),
            (call.waited_ms(now_ms) / 1_000).to_string(),
            (call.talked_ms(now_ms) / 1_000).to_string(),
            (call.held_ms / 1_000).to_string(),
            cell(call.party.number.as_str()),
            cell(call.party.name.as_str()),
            cell(call.known.as_str()),
            cell(call.called.as_str()),
            cell(call.slot.as_ref().map_or("", |slot| slot.as_str())),
            call.outcome.name().to_owned(),
            cell(call.detail.as_str()),
            cell(call.note.as_str()),
            sound(&|quality| format!("{:.2}", f32::from(quality.mos_of_call_hundredths) / 100.0)),
            sound(&|quality| format!("{:.2}", f32::from(quality.mos_worst_hundredths) / 100.0)),
            sound(&|quality| format!("{:.1}", f32::from(quality.lost_permille) / 10.0)),
            sound(&|quality| quality.jitter_ms.to_string()),
            sound(&|quality| quality.one_way.map_or_else(String::new, |dead| dead.mark().to_lowercase())),
        ])?;
    }
    table.flush()?;
    Ok(())
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
