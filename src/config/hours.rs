//! Hours of the week at which it is night: `"mon-fri 18:00-08:00"`, `"sat-sun"`. Pure: day and minute are handed in.

/// The days as they are written, Monday first.
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// The fewest letters that name a day.
const DAY_LETTERS: usize = 3;
/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// The most spans of one configuration.
pub const MAX_NIGHT_HOURS: usize = 16;

/// One span of the week. One that ends at an earlier time than it begins goes on into the next day, and belongs to the
/// day on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NightHours {
    /// On which days it begins, Monday first.
    days: [bool; 7],
    /// Minutes after midnight.
    from: u16,
    /// Minutes after midnight, up to 1440.
    until: u16,
}

impl NightHours {
    /// Reads `"mon-fri 18:00-08:00"`, `"18:00-08:00"` (every day) or `"sat,sun"` (the whole of them).
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, hours) = match words.as_slice() {
            [hours] if hours.contains(':') => (None, Some(*hours)),
            [days] => (Some(*days), None),
            [days, hours] => (Some(*days), Some(*hours)),
            _ => return Err(FORM.to_owned()),
        };
        let days = days.map_or(Ok([true; 7]), read_days)?;
        let (from, until) = hours.map_or(Ok((0, DAY)), read_span)?;
        if from == until {
            return Err("it ends when it begins: leave the hours out for the whole day".to_owned());
        }
        Ok(Self { days, from, until })
    }

    /// Whether it is night on that day (0 is Monday), so many minutes after midnight.
    pub fn covers(&self, day: usize, minute: u16) -> bool {
        let begins = |day: usize| self.days[day % 7];
        if self.from < self.until {
            return begins(day) && (self.from..self.until).contains(&minute);
        }
        (begins(day) && minute >= self.from) || (begins(day + 6) && minute < self.until)
    }
}

const FORM: &str = "night hours are written as \"mon-fri 18:00-08:00\", \"18:00-08:00\" or \"sat,sun\"";

fn read_days(text: &str) -> Result<[bool; 7], String> {
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (read_day(first)?, read_day(last)?);
        // From Friday to Monday is over the week's end.
        let count = (last + 7 - first) % 7;
        for day in first..=first + count {
            days[day % 7] = true;
        }
    }
    Ok(days)
}

fn read_day(text: &str) -> Result<usize, String> {
    let day = text.to_ascii_lowercase();
    let known = |name: &&str| day.len() >= DAY_LETTERS && name.starts_with(&day);
    DAYS.iter()
        .position(known)
        .ok_or_else(|| format!("“{}” is no day: mon, tue, wed, thu, fri, sat or sun", text.escape_debug()))
}

fn read_span(text: &str) -> Result<(u16, u16), String> {
    let (from, until) = text.split_once('-').ok_or(FORM)?;
    Ok((read_time(from)?, read_time(until)?))
}

fn read_time(text: &str) -> Result<u16, String> {
    let wrong = || format!("“{}” is no time of day: as 18:00", text.escape_debug());
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let number = |digits: &str| -> Option<u16> {
        let plain = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|_| plain)
    };
    match (number(hours), number(minutes).filter(|_| minutes.len() == 2)) {
        (Some(24), Some(0)) => Ok(DAY),
        (Some(hour @ 0..=23), Some(minute @ 0..=59)) => Ok(hour * 60 + minute),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MON: usize = 0;
    const FRI: usize = 4;
    const SAT: usize = 5;
    const SUN: usize = 6;

    fn night(text: &str, day: usize, hour: u16, minute: u16) -> bool {
        NightHours::read(text).unwrap().covers(day, hour * 60 + minute)
    }

    #[test]
    fn a_night_goes_on_into_the_next_morning() {
        let week = "mon-fri 18:00-08:00";
        assert!(night(week, MON, 18, 0) && night(week, FRI, 23, 59) && night(week, SAT, 7, 59));
        assert!(!night(week, MON, 17, 59) && !night(week, SAT, 8, 0) && !night(week, SAT, 20, 0));
        assert!(!night(week, MON, 7, 0), "Sunday's evening is none of it");
    }

    #[test]
    fn whole_days_every_day_and_spans_within_a_day() {
        assert!(night("sat,sun", SUN, 12, 0) && night("sat,sun", SAT, 0, 0) && !night("sat,sun", MON, 0, 0));
        assert!(night("12:30-13:15", FRI, 13, 14) && !night("12:30-13:15", FRI, 13, 15));
        assert!(night("fri-mon 20:00-24:00", SUN, 23, 59) && !night("fri-mon 20:00-24:00", 1, 22, 0));
        assert!(night("Saturday 00:00-24:00", SAT, 23, 59));
    }

    #[test]
    fn what_is_no_time_of_the_week_is_refused_in_words() {
        for (text, part) in [
            ("", "written as"),
            ("mon-fri", ""),
            ("mo 18:00-08:00", "“mo” is no day"),
            ("mon 18-08:00", "“18” is no time"),
            ("mon 25:00-08:00", "25:00"),
            ("mon 18:00", "written as"),
            ("mon 08:00-08:00", "ends when it begins"),
            ("mon 18:60-08:00", "18:60"),
            ("a b c", "written as"),
        ] {
            match NightHours::read(text) {
                Ok(_) => assert!(part.is_empty(), "{text}"),
                Err(why) => assert!(!part.is_empty() && why.contains(part), "{text}: {why}"),
            }
        }
    }
}
