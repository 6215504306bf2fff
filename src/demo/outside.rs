//! The callers. Each rings the reception, says his line when answered, knows by the music that he waits, says it again
//! when somebody is back, and hangs up when his patience is over.

use super::cast::{Entrance, Patience};
use super::people::Person;
use super::phone::{Exchange, Phone};
use crate::media::{Clip, StreamFigures, StreamId};
use crate::parking::Moment;
use crate::sip::message::{NameAddr, Uri};
use crate::sip::{CallKey, Event};
use std::collections::BTreeMap;
use std::time::Duration;

/// Louder than this is somebody, or music.
const SOUND_DBFS: f32 = -45.0;
/// Sound for so long without a pause is music: people breathe.
const MUSIC_AFTER: Duration = Duration::from_secs(4);
/// Silence for so long, and the music has stopped.
const MUSIC_OVER_AFTER: Duration = Duration::from_millis(700);
/// Before one speaks.
const BREATH: Duration = Duration::from_millis(700);
/// When nobody answers, one says it again after so long.
const SAY_AGAIN_AFTER: Duration = Duration::from_secs(18);
/// And not more often than this in one conversation.
const MAX_TIMES_SAID: u32 = 3;

/// Where a caller is with his call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It rings.
    Ringing,
    /// Somebody is there, or should be.
    Talking,
    /// There is music.
    Waiting,
}

/// One caller's call.
#[derive(Debug)]
struct Visit {
    person: usize,
    patience: Patience,
    phase: Phase,
    /// Since when the phase lasts.
    since: Moment,
    speak_at: Option<Moment>,
    times_said: u32,
    /// Whether there is sound, and since when it is so.
    sound: (bool, Moment),
}

impl Visit {
    fn gives_up_at(&self) -> Moment {
        let patience = match self.phase {
            Phase::Ringing => self.patience.ringing,
            Phase::Waiting => self.patience.waiting,
            Phase::Talking => self.patience.talking,
        };
        self.since + patience
    }

    fn enter(&mut self, now: Moment, phase: Phase) {
        (self.phase, self.since) = (phase, now);
        self.speak_at = (phase == Phase::Talking).then_some(now + BREATH);
        self.times_said = 0;
    }

    /// Hears whether there is sound now; knows music when it hears it.
    fn hear(&mut self, now: Moment, sounds: bool) {
        if self.sound.0 != sounds {
            self.sound = (sounds, now);
        }
        let lasts = now.saturating_sub(self.sound.1);
        match (self.phase, sounds) {
            (Phase::Talking, true) if lasts >= MUSIC_AFTER => self.enter(now, Phase::Waiting),
            (Phase::Waiting, false) if lasts >= MUSIC_OVER_AFTER => self.enter(now, Phase::Talking),
            _ => {}
        }
    }
}

/// All callers, on one line from the outside.
pub(super) struct Outside {
    pub phone: Phone,
    people: Vec<(Person, Clip)>,
    visits: BTreeMap<CallKey, Visit>,
    /// Whose call is over, until the director asks.
    gone: Vec<usize>,
}

impl Outside {
    pub fn new(phone: Phone, people: Vec<(Person, Clip)>) -> Self {
        Self { phone, people, visits: BTreeMap::new(), gone: Vec::new() }
    }

    /// Somebody rings the reception.
    pub fn enter(&mut self, now: Moment, exchange: &mut Exchange, target: &str, entrance: Entrance) {
        let Entrance { person: index, patience } = entrance;
        let Some((person, _)) = self.people.get(index) else { return };
        let (from, headers) = identify(person, &self.phone);
        match self.phone.call(now, exchange, target, Some(from), person.codecs, headers) {
            Some(call) => {
                let visit = Visit {
                    person: index,
                    patience,
                    phase: Phase::Ringing,
                    since: now,
                    speak_at: None,
                    times_said: 0,
                    sound: (false, now),
                };
                self.visits.insert(call, visit);
            }
            None => self.gone.push(index),
        }
    }

    /// Whose call is over.
    pub fn take_gone(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.gone)
    }

    /// Everything that has happened on the line.
    pub fn settle(&mut self, now: Moment, exchange: &mut Exchange) {
        while let Some(event) = self.phone.poll_event(now, exchange) {
            match event {
                Event::CallAnswered { call, .. } => {
                    if let Some(visit) = self.visits.get_mut(&call) {
                        visit.enter(now, Phase::Talking);
                    }
                }
                // Nobody calls these numbers back: they are only shown.
                Event::CallReceived { call, .. } => self.phone.agent.reject(now, call, 404, Vec::new()),
                Event::CallEnded { call, cause } => {
                    if let Some(visit) = self.visits.remove(&call) {
                        tracing::debug!(target: "demo", person = visit.person, ?cause, "a caller's call is over");
                        self.gone.push(visit.person);
                    }
                }
                _ => {}
            }
        }
    }

    /// What a caller hears. True when the stream is one of this line's.
    pub fn hear(&mut self, now: Moment, stream: StreamId, figures: &StreamFigures) -> bool {
        let Some(call) = self.phone.call_of(stream) else { return false };
        if let Some(visit) = self.visits.get_mut(&call) {
            visit.hear(now, figures.level_dbfs > SOUND_DBFS);
        }
        true
    }

    /// Speaks and hangs up where it is time.
    pub fn wake(&mut self, now: Moment, exchange: &mut Exchange) {
        let mut leaving = Vec::new();
        for (call, visit) in &mut self.visits {
            if visit.gives_up_at() <= now {
                leaving.push(*call);
            } else if visit.speak_at.is_some_and(|at| at <= now) {
                if let Some((_, clip)) = self.people.get(visit.person) {
                    self.phone.speak(exchange, *call, clip);
                }
                visit.times_said += 1;
                visit.speak_at = (visit.times_said < MAX_TIMES_SAID).then_some(now + SAY_AGAIN_AFTER);
            }
        }
        for call in leaving {
            // Once is enough; `CallEnded` tells the rest.
            if let Some(visit) = self.visits.get_mut(&call) {
                visit.since = Moment::MAX / 2;
                visit.speak_at = None;
            }
            self.phone.agent.hang_up(now, call);
        }
    }

    /// When to call [`Outside::wake`] next.
    pub fn next_wake(&self) -> Option<Moment> {
        let due = self.visits.values().flat_map(|visit| [Some(visit.gives_up_at()), visit.speak_at]);
        due.flatten().min()
    }

    /// How many callers there are, ringing ones included.
    pub fn live(&self) -> usize {
        self.visits.len()
    }
}

/// How the network tells who calls.
fn identify(person: &Person, phone: &Phone) -> (NameAddr, Vec<(String, String)>) {
    if person.is_withheld() {
        let anonymous = NameAddr::new(Uri::sip("anonymous", "anonymous.invalid")).with_display("Anonymous");
        return (anonymous, vec![("Privacy".to_owned(), "id".to_owned())]);
    }
    (NameAddr::new(phone.uri(person.number)).with_display(person.name), Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Duration::from_millis(ms)
    }

    fn visit() -> Visit {
        let patience = Patience {
            ringing: Duration::from_secs(45),
            waiting: Duration::from_secs(200),
            talking: Duration::from_secs(120),
        };
        let mut visit = Visit {
            person: 0,
            patience,
            phase: Phase::Ringing,
            since: at(0),
            speak_at: None,
            times_said: 0,
            sound: (false, at(0)),
        };
        visit.enter(at(0), Phase::Talking);
        visit
    }

    #[test]
    fn speech_with_its_pauses_is_not_taken_for_music() {
        let mut visit = visit();
        for quarter in 1..100 {
            visit.hear(at(quarter * 250), quarter % 14 != 0);
        }
        assert_eq!((visit.phase, visit.since), (Phase::Talking, at(0)));
    }

    #[test]
    fn a_caller_knows_that_he_waits_and_when_somebody_is_back() {
        let mut visit = visit();
        for quarter in 1..=20 {
            visit.hear(at(quarter * 250), true);
        }
        assert_eq!((visit.phase, visit.speak_at), (Phase::Waiting, None));
        assert_eq!(visit.gives_up_at(), visit.since + Duration::from_secs(200));
        visit.hear(at(5_250), false);
        assert_eq!(visit.phase, Phase::Waiting, "music may breathe as well");
        for quarter in 22..=26 {
            visit.hear(at(quarter * 250), false);
        }
        assert_eq!(visit.phase, Phase::Talking);
        assert_eq!(visit.speak_at, Some(visit.since + BREATH), "and he says again what he wants");
    }

    #[test]
    fn while_it_rings_no_sound_means_anything() {
        let mut visit = visit();
        visit.phase = Phase::Ringing;
        for quarter in 1..=100 {
            visit.hear(at(quarter * 250), true);
        }
        assert_eq!((visit.phase, visit.gives_up_at()), (Phase::Ringing, Duration::from_secs(45)));
    }
}
