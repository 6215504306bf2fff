//! The shift report: what came in, what became of it and how long people waited.

use super::record::{CallRecord, CallWay, Fate, Outcome, ParkRecord};
use serde::Serialize;

/// A call answered within this time was answered quickly, in milliseconds.
const QUICKLY_MS: u64 = 20_000;

/// How long people waited, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// On average.
    pub average_s: u64,
    /// Half of them waited no longer.
    pub median_s: u64,
    /// At most.
    pub longest_s: u64,
}

impl Waits {
    fn of(mut waits_ms: Vec<u64>) -> Self {
        waits_ms.sort_unstable();
        let (Some(longest), count) = (waits_ms.last(), waits_ms.len()) else { return Self::default() };
        let total: u64 = waits_ms.iter().sum();
        Self {
            average_s: total / count as u64 / 1_000,
            median_s: waits_ms[count / 2] / 1_000,
            longest_s: longest / 1_000,
        }
    }
}

/// One hour of the day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// From 0 to 23, local time.
    pub hour: u8,
    /// Calls that came in.
    pub came_in: usize,
    /// Of them answered.
    pub answered: usize,
    /// Of them missed.
    pub missed: usize,
}

/// What a shift was like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShiftReport {
    /// From when, milliseconds since 1970.
    pub from_ms: u64,
    /// Until when.
    pub until_ms: u64,
    /// Calls that came in, comebacks not counted.
    pub came_in: usize,
    /// Of them answered here.
    pub answered: usize,
    /// Of them nobody answered.
    pub missed: usize,
    /// Of them turned away.
    pub turned_away: usize,
    /// Of them sent elsewhere unanswered.
    pub redirected: usize,
    /// How many of a hundred answered ones were answered within 20 s.
    pub answered_quickly_percent: usize,
    /// Until they were answered.
    pub answer_waits: Waits,
    /// Until they gave up.
    pub missed_waits: Waits,
    /// Calls made.
    pub went_out: usize,
    /// Calls handed over.
    pub transferred: usize,
    /// Time on the phone, in seconds.
    pub talked_s: u64,
    /// Callers parked, by whomever.
    pub parked: usize,
    /// Of them parked at this desk.
    pub parked_here: usize,
    /// Retrieved at this desk.
    pub retrieved_here: usize,
    /// Retrieved by somebody else.
    pub retrieved_elsewhere: usize,
    /// Callers who hung up while they were parked.
    pub abandoned: usize,
    /// Callers who came back to their parker.
    pub recalled: usize,
    /// Callers of whom the server doesn't say how they left.
    pub left: usize,
    /// Callers who wait still.
    pub waiting: usize,
    /// How long they were parked.
    pub park_waits: Waits,
    /// The hours in which something came in.
    pub hours: Vec<Hour>,
}

impl ShiftReport {
    /// Counts calls and stays that began between two times; `hour_of` tells the hour of the day of a time.
    pub fn of<'r>(
        calls: impl IntoIterator<Item = &'r CallRecord>,
        parks: impl IntoIterator<Item = &'r ParkRecord>,
        (from_ms, until_ms): (u64, u64),
        hour_of: impl Fn(u64) -> u8,
    ) -> Self {
        let within = |began: u64| (from_ms..until_ms).contains(&began);
        let calls: Vec<&CallRecord> = calls.into_iter().filter(|call| within(call.began_ms)).collect();
        let parks: Vec<&ParkRecord> = parks.into_iter().filter(|park| within(park.parked_ms)).collect();
        let came: Vec<&CallRecord> = calls.iter().copied().filter(|call| call.way == CallWay::In).collect();
        let ended = |outcome: Outcome| came.iter().filter(|call| call.outcome == outcome).count();
        let fated = |fate: Fate| parks.iter().filter(|park| park.fate == fate).count();
        let answered: Vec<&CallRecord> = came.iter().copied().filter(|c| c.answered_ms.is_some()).collect();
        let waits = |calls: &[&CallRecord]| calls.iter().map(|c| c.waited_ms(until_ms)).collect::<Vec<_>>();
        let quickly = waits(&answered).iter().filter(|wait| **wait <= QUICKLY_MS).count();
        let missed: Vec<&CallRecord> = came.iter().copied().filter(|call| call.is_missed()).collect();
        Self {
            from_ms,
            until_ms,
            came_in: came.len(),
            answered: answered.len(),
            missed: missed.len(),
            turned_away: ended(Outcome::TurnedAway),
            redirected: ended(Outcome::Redirected),
            answered_quickly_percent: (quickly * 100).checked_div(answered.len()).unwrap_or(0),
            answer_waits: Waits::of(waits(&answered)),
            missed_waits: Waits::of(waits(&missed)),
            went_out: calls.iter().filter(|call| call.way == CallWay::Out).count(),
            transferred: calls.iter().filter(|call| call.outcome == Outcome::Transferred).count(),
            talked_s: calls.iter().map(|call| call.talked_ms(until_ms)).sum::<u64>() / 1_000,
            parked: parks.len(),
            parked_here: parks.iter().filter(|park| park.ours).count(),
            retrieved_here: fated(Fate::RetrievedHere),
            retrieved_elsewhere: fated(Fate::RetrievedElsewhere),
            abandoned: fated(Fate::GaveUp),
            recalled: fated(Fate::CameBack),
            left: fated(Fate::Left),
            waiting: fated(Fate::Waiting),
            park_waits: Waits::of(parks.iter().map(|park| park.waited_ms(until_ms)).collect()),
            hours: hours(&came, hour_of),
        }
    }

    /// The report as lines of at most 72 columns.
    pub fn lines(&self) -> Vec<String> {
        let percent = self.answered_quickly_percent;
        let mut lines = vec![
            format!(
                "calls in      {:>5}   answered {} · missed {}",
                self.came_in, self.answered, self.missed
            ),
            format!(
                "              {:>5}   turned away {} · sent on {}",
                "", self.turned_away, self.redirected
            ),
            format!("answered in   {}", self.answer_waits.words(self.answered)),
            format!("              {percent:>5} % within 20 s"),
            format!("gave up after {}", self.missed_waits.words(self.missed)),
            format!("calls out     {:>5}   handed over {}", self.went_out, self.transferred),
            format!("on the phone  {}", long(self.talked_s)),
            String::new(),
            format!("parked        {:>5}   {} of them at this desk", self.parked, self.parked_here),
            format!("  retrieved   {:>5}   by others {}", self.retrieved_here, self.retrieved_elsewhere),
            format!("  came back   {:>5}   hung up {} · left {}", self.recalled, self.abandoned, self.left),
            format!("  waiting     {:>5}", self.waiting),
            format!("  parked for  {}", self.park_waits.words(self.parked)),
        ];
        if !self.hours.is_empty() {
            lines.push(String::new());
            lines.push("hour     in  answered  missed".to_owned());
        }
        for Hour { hour, came_in, answered, missed } in &self.hours {
            lines.push(format!("{hour:02}:00 {came_in:>5} {answered:>9} {missed:>7}"));
        }
        lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
    }
}

impl Waits {
    /// In words; of nobody there is nothing to say.
    fn words(&self, count: usize) -> String {
        if count == 0 {
            return format!("{:>5}", "–");
        }
        let Self { average_s, median_s, longest_s } = self;
        format!(
            "{:>5} on average, half within {}, at most {}",
            long(*average_s),
            long(*median_s),
            long(*longest_s)
        )
    }
}

/// `1:05`, `2:03:00`.
fn long(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

fn hours(came: &[&CallRecord], hour_of: impl Fn(u64) -> u8) -> Vec<Hour> {
    let mut hours: Vec<Hour> = (0..24).map(|hour| Hour { hour, ..Hour::default() }).collect();
    for call in came {
        let Some(hour) = hours.get_mut(usize::from(hour_of(call.began_ms))) else { continue };
        hour.came_in += 1;
        hour.answered += usize::from(call.answered_ms.is_some());
        hour.missed += usize::from(call.is_missed());
    }
    hours.retain(|hour| hour.came_in > 0);
    hours
}
