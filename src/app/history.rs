//! `parkdeck journal` and `parkdeck report`: what the journal has, for the eye, as JSON and as CSV.

use crate::desk::{CallRecord, ParkRecord, ShiftReport};
use crate::directory::fold;
use crate::journal::{Database, Reader, report};
use color_eyre::eyre::{Context, eyre};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use std::io::Write;
use std::path::Path;

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// For the eye.
    #[default]
    Text,
    /// A line of JSON each.
    Json,
    /// A table.
    Csv,
}

/// Which calls.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// From when: `today`, `yesterday`, `08:00`, `2026-11-28`, `2026-11-28 08:00`.
    pub since: Option<String>,
    /// Until when.
    pub until: Option<String>,
    /// Only those with these words.
    pub search: Option<String>,
    /// Only missed ones.
    pub missed: bool,
    /// The form.
    pub form: Form,
}

/// Prints calls, oldest first.
///
/// # Errors
/// In words: no journal, no such time.
pub fn journal(file: &Path, wish: &Wish, out: &mut impl Write) -> color_eyre::Result<()> {
    let zone = TimeZone::system();
    let now = Zoned::now();
    let (reader, from, until) = opened(file, wish, &now)?;
    let calls = reader.calls(from, until)?;
    let wanted = |call: &&CallRecord| (!wish.missed || call.is_missed()) && has(call, wish.search.as_deref());
    let calls = calls.iter().filter(wanted);
    let now_ms = ms(&now);
    match wish.form {
        Form::Csv => report::write_calls_csv(calls, now_ms, &zone, out)?,
        Form::Json => {
            for call in calls {
                serde_json::to_writer(&mut *out, call)?;
                out.write_all(b"\n")?;
            }
        }
        Form::Text => {
            for call in calls {
                writeln!(out, "{}", line(call, now_ms, &zone))?;
            }
        }
    }
    Ok(())
}

/// Prints the shift report.
///
/// # Errors
/// In words: no journal, no such time.
pub fn shift(file: &Path, wish: &Wish, out: &mut impl Write) -> color_eyre::Result<()> {
    let zone = TimeZone::system();
    let now = Zoned::now();
    let (reader, from, until) = opened(file, wish, &now)?;
    let calls = reader.calls(from, until)?;
    let parks: Vec<ParkRecord> = reader.parks(from, until)?;
    let shift = ShiftReport::of(&calls, &parks, (from, until.min(ms(&now) + 1)), |ms| hour(ms, &zone));
    match wish.form {
        Form::Csv => report::write_shift_csv(&shift, &zone, out)?,
        Form::Json => {
            serde_json::to_writer_pretty(&mut *out, &shift)?;
            out.write_all(b"\n")?;
        }
        Form::Text => {
            writeln!(out, "{} to {}\n", report::time(from, &zone), report::time(shift.until_ms, &zone))?;
            for line in shift.lines() {
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(())
}

fn opened(file: &Path, wish: &Wish, now: &Zoned) -> color_eyre::Result<(Reader, u64, u64)> {
    if !file.exists() {
        return Err(eyre!("there is no journal yet ({})", file.display()));
    }
    let time = |text: &Option<String>| text.as_deref().map(|text| moment(text, now)).transpose();
    let from = time(&wish.since).wrap_err("--since")?;
    let until = time(&wish.until).wrap_err("--until")?;
    let today = || now.start_of_day().map(|day| ms(&day)).unwrap_or(0);
    Ok((Database::read_only(file)?, from.unwrap_or_else(today), until.unwrap_or(u64::MAX >> 1)))
}

/// The hour of the day.
pub(super) fn hour(ms: u64, zone: &TimeZone) -> u8 {
    let stamp = Timestamp::from_millisecond(i64::try_from(ms).unwrap_or(0)).unwrap_or(Timestamp::UNIX_EPOCH);
    u8::try_from(stamp.to_zoned(zone.clone()).hour()).unwrap_or(0)
}

fn ms(at: &Zoned) -> u64 {
    u64::try_from(at.timestamp().as_millisecond()).unwrap_or(0)
}

/// A time as people write it; a time of day is today's.
fn moment(text: &str, now: &Zoned) -> color_eyre::Result<u64> {
    let text = text.trim();
    let midnight = Time::midnight();
    let civil: DateTime = match text {
        "today" => now.date().to_datetime(midnight),
        "yesterday" => now.date().checked_sub(1.day())?.to_datetime(midnight),
        _ => {
            let date = || text.parse::<Date>().map(|date| date.to_datetime(midnight));
            let time = || text.parse::<Time>().map(|time| now.date().to_datetime(time));
            let both = || text.replacen(' ', "T", 1).parse::<DateTime>();
            let read = if text.len() > 10 { both() } else { date().or_else(|_| time()) };
            read.map_err(|_| {
                eyre!("“{text}” is no time: today, yesterday, 08:00, 2026-11-28 or \"2026-11-28 08:00\"")
            })?
        }
    };
    Ok(ms(&civil.to_zoned(now.time_zone().clone())?))
}

fn has(call: &CallRecord, search: Option<&str>) -> bool {
    let Some(search) = search else { return true };
    let all = [&call.party.name, &call.party.number, &call.known, &call.called, &call.note, &call.detail];
    let all = fold(&all.map(|text| text.as_str()).join(" "));
    fold(search).split_whitespace().all(|word| all.contains(word))
}

fn line(call: &CallRecord, now_ms: u64, zone: &TimeZone) -> String {
    use crate::desk::CallWay::{CameBack, In, Out, Retrieved};
    let way = match call.way {
        In => "in",
        Out => "out",
        Retrieved => "retrieved",
        CameBack => "came back",
    };
    let clock = |ms: u64| format!("{}:{:02}", ms / 60_000, ms / 1_000 % 60);
    let mut text = format!(
        "{}  {way:<9}  {:<24}  {:<16}  waited {:>5}  talked {:>6}  {}",
        report::time(call.began_ms, zone),
        call.label(),
        call.party.number.as_str(),
        clock(call.waited_ms(now_ms)),
        clock(call.talked_ms(now_ms)),
        call.outcome.word(),
    );
    let slot = call.slot.as_ref().map(|slot| slot.as_str().to_owned()).unwrap_or_default();
    let sounded = call.sounded();
    for more in [slot.as_str(), call.detail.as_str(), call.note.as_str(), sounded.as_str()] {
        if !more.is_empty() {
            text.push_str(" · ");
            text.push_str(more);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        let now: Zoned = "2026-11-28T14:03:22+00:00[UTC]".parse().unwrap();
        let day = |text: &str| moment(text, &now).unwrap() / 1_000 % 86_400;
        assert_eq!(
            (day("today"), day("08:30"), day("2026-11-27"), day("2026-11-27 01:00")),
            (0, 30_600, 0, 3_600)
        );
        assert_eq!(moment("yesterday", &now).unwrap() + 86_400_000, moment("today", &now).unwrap());
        assert!(moment("soon", &now).unwrap_err().to_string().contains("no time"));
    }
}
