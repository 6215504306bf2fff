//! The director: who rings when, how patient everybody is, and what the colleague feels like. Seeded, in virtual time:
//! the same seed and the same moments bring the same show.

use crate::parking::Moment;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// The most callers at once: a busy reception, not a hopeless one.
pub const MAX_LIVE: usize = 5;
/// When the first callers ring; after them chance decides.
const OPENING_S: [u64; 2] = [2, 9];
/// Between two calls, in seconds.
const PAUSE_S: std::ops::RangeInclusive<u64> = 14..=40;
/// Before somebody who has hung up calls again, in seconds.
const REST_S: std::ops::RangeInclusive<u64> = 60..=150;
/// In how many of ten cases the colleague cares for a parked call.
const COLLEAGUE_CARES: f64 = 0.4;
/// How long the colleague lets a call wait before he fetches it, in seconds.
const COLLEAGUE_AFTER_S: std::ops::RangeInclusive<u64> = 25..=70;

/// How long somebody puts up with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// With ringing unanswered.
    pub ringing: Duration,
    /// With music: parked or held.
    pub waiting: Duration,
    /// With talking, or with silence.
    pub talking: Duration,
}

/// Somebody rings now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// Which of the people, by index.
    pub person: usize,
    /// How patient he is this time.
    pub patience: Patience,
}

/// What somebody is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// Something else, at least until then.
    Resting { until: Moment },
    /// Calling.
    Calling,
}

/// The director.
#[derive(Debug)]
pub struct Cast {
    chance: StdRng,
    people: Vec<Doing>,
    next_entrance: Moment,
    entrances: usize,
}

impl Cast {
    /// A cast of so many people whose show begins at `start`.
    pub fn new(seed: u64, people: usize, start: Moment) -> Self {
        Self {
            chance: StdRng::seed_from_u64(seed),
            people: vec![Doing::Resting { until: start }; people],
            next_entrance: start + Duration::from_secs(OPENING_S[0]),
            entrances: 0,
        }
    }

    /// When to call [`Cast::wake`] next; `None` while nobody can ring.
    pub fn next_wake(&self) -> Option<Moment> {
        let free = self.people.iter().filter_map(|doing| match doing {
            Doing::Resting { until } => Some(*until),
            Doing::Calling => None,
        });
        let first = free.min().filter(|_| self.live() < MAX_LIVE)?;
        Some(first.max(self.next_entrance))
    }

    /// Sends somebody on, if it is time and somebody is there.
    pub fn wake(&mut self, now: Moment) -> Option<Entrance> {
        if self.next_wake().is_none_or(|at| at > now) {
            return None;
        }
        let ready = |doing: &Doing| matches!(doing, Doing::Resting { until } if *until <= now);
        let there: Vec<usize> = (0..self.people.len()).filter(|i| ready(&self.people[*i])).collect();
        // The show opens with the first of the people, whose name is the one that everybody reads about.
        let person = if self.entrances == 0 { 0 } else { self.chance.random_range(0..there.len()) };
        let person = *there.get(person)?;
        self.people[person] = Doing::Calling;
        self.entrances += 1;
        let pause = match OPENING_S.get(self.entrances) {
            Some(opening) => opening - OPENING_S[self.entrances - 1],
            None => self.chance.random_range(PAUSE_S),
        };
        self.next_entrance = now + Duration::from_secs(pause);
        let mut seconds = |range| Duration::from_secs(self.chance.random_range(range));
        let patience =
            Patience { ringing: seconds(38..=52), waiting: seconds(180..=240), talking: seconds(100..=160) };
        Some(Entrance { person, patience })
    }

    /// Somebody's call is over.
    pub fn exit(&mut self, now: Moment, person: usize) {
        let rest = Duration::from_secs(self.chance.random_range(REST_S));
        if let Some(doing) = self.people.get_mut(person) {
            *doing = Doing::Resting { until: now + rest };
        }
    }

    /// A slot has lit: whether the colleague will fetch that call, and after how long.
    pub fn colleague_cares(&mut self) -> Option<Duration> {
        let after = Duration::from_secs(self.chance.random_range(COLLEAGUE_AFTER_S));
        self.chance.random_bool(COLLEAGUE_CARES).then_some(after)
    }

    /// How many are calling.
    pub fn live(&self) -> usize {
        self.people.iter().filter(|doing| **doing == Doing::Calling).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Duration::from_secs(1_000);

    /// The entrances of an hour in which everybody's call lasts `call_s`.
    fn hour(seed: u64, call_s: u64) -> Vec<(Moment, Entrance)> {
        let (mut cast, mut seen, mut calls) = (Cast::new(seed, 7, START), Vec::new(), Vec::new());
        for second in 0..3_600 {
            let now = START + Duration::from_secs(second);
            calls.retain(|(until, person)| {
                if *until <= now {
                    cast.exit(now, *person);
                }
                *until > now
            });
            while let Some(entrance) = cast.wake(now) {
                assert!(!calls.iter().any(|(_, p)| *p == entrance.person), "one telephone each");
                calls.push((now + Duration::from_secs(call_s), entrance.person));
                seen.push((now, entrance));
            }
            assert!(cast.live() == calls.len() && calls.len() <= MAX_LIVE);
        }
        seen
    }

    #[test]
    fn the_same_seed_brings_the_same_show() {
        assert_eq!(hour(7, 60), hour(7, 60));
        assert_ne!(hour(7, 60), hour(8, 60));
    }

    #[test]
    fn the_first_callers_come_soon_and_the_first_is_always_the_same() {
        for seed in 0..20 {
            let show = hour(seed, 60);
            assert_eq!((show[0].0 - START, show[0].1.person), (Duration::from_secs(2), 0));
            assert_eq!(show[1].0 - START, Duration::from_secs(9));
        }
    }

    #[test]
    fn calls_keep_coming_and_everybody_gets_a_turn() {
        for (call_s, least) in [(10, 60), (60, 60), (600, 20)] {
            let show = hour(3, call_s);
            assert!(show.len() >= least && show.len() < 260, "{call_s}: {}", show.len());
            assert!((0..7).all(|person| show.iter().any(|(_, e)| e.person == person)));
        }
    }

    #[test]
    fn nobody_is_more_patient_than_agreed() {
        for (_, entrance) in hour(1, 30) {
            let Patience { ringing, waiting, talking } = entrance.patience;
            assert!((38..=52).contains(&ringing.as_secs()));
            assert!((180..=240).contains(&waiting.as_secs()));
            assert!((100..=160).contains(&talking.as_secs()));
        }
    }

    #[test]
    fn the_colleague_cares_now_and_then() {
        let mut cast = Cast::new(5, 7, START);
        let cared = (0..1_000).filter(|_| cast.colleague_cares().is_some()).count();
        assert!((300..500).contains(&cared), "{cared}");
    }

    #[test]
    fn an_empty_cast_never_rings() {
        let mut cast = Cast::new(5, 0, START);
        assert_eq!((cast.next_wake(), cast.wake(START * 2)), (None, None));
    }
}
