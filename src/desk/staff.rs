//! The colleagues' lamps: what the server says of their phones, picking up what rings there, and whether one of them is
//! free to take a caller.

use super::line::LineId;
use super::{CallId, Desk, Effect, Severity};
use crate::parking::{Identity, Moment, Text};
use serde::{Deserialize, Serialize};

/// The most colleagues whose phones are watched, of all lines together.
pub const MAX_STAFF: usize = 48;

/// What a server says of somebody's phone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StaffLamp {
    /// Nothing was heard yet.
    #[default]
    Unknown,
    /// In no call, as far as the server says.
    Free,
    /// It rings there.
    Ringing,
    /// In a call, or calling.
    Talking,
    /// In a call, and that is on hold.
    Held,
    /// The server says that nobody can be reached there: switched off, or away.
    Away,
    /// What was heard last holds no longer.
    Stale {
        /// When it was heard.
        since: Moment,
    },
    /// The server won't tell.
    Refused {
        /// Its words, with the status.
        reason: Text,
    },
}

impl StaffLamp {
    /// The state in one word, for whoever sees no glyph and no colour.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Free => "free",
            Self::Ringing => "ringing",
            Self::Talking => "talking",
            Self::Held => "on hold",
            Self::Away => "away",
            Self::Stale { .. } => "stale",
            Self::Refused { .. } => "not told",
        }
    }
}

/// A colleague whose phone is watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colleague {
    /// By which line.
    pub line: LineId,
    /// His extension, and his name where it is known.
    pub who: Identity,
    /// What the server says.
    pub lamp: StaffLamp,
    /// Since when.
    pub since: Moment,
    /// Who rings there, if told.
    pub caller: Identity,
}

/// Whether somebody can take a caller now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// The server says that he is in no call.
    Free,
    /// The server says why he can't, in a word.
    Busy(&'static str),
    /// Nobody knows: his phone isn't watched, or the server doesn't tell.
    Unknown,
}

impl Availability {
    /// In a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Busy(word) => word,
            Self::Unknown => "unknown",
        }
    }
}

impl Desk {
    /// The server of a line said something of a colleague's phone.
    pub(super) fn staff_told(
        &mut self,
        line: LineId,
        number: &Text,
        lamp: StaffLamp,
        caller: Identity,
    ) -> Vec<Effect> {
        let now = self.now;
        let there = self.staff.iter_mut().find(|one| one.line == line && one.who.number == *number);
        if let Some(one) = there {
            if one.lamp != lamp {
                one.since = now;
            }
            one.lamp = lamp;
            one.caller = caller;
        }
        Vec::new()
    }

    /// Whether the person with this number, at the server of that line, can take a caller now.
    pub fn availability(&self, line: LineId, number: &str) -> Availability {
        let watched = self.staff.iter().find(|one| one.line == line && one.who.number.as_str() == number);
        match watched.map(|one| &one.lamp) {
            Some(StaffLamp::Free) => Availability::Free,
            Some(lamp @ (StaffLamp::Ringing | StaffLamp::Talking | StaffLamp::Held | StaffLamp::Away)) => {
                Availability::Busy(lamp.word())
            }
            Some(StaffLamp::Unknown | StaffLamp::Stale { .. } | StaffLamp::Refused { .. }) | None => {
                Availability::Unknown
            }
        }
    }

    /// Answers here what rings at a colleague's phone: a call to his extension behind the code that the server has for it.
    pub(super) fn pick_up(&mut self, line: LineId, number: &Text) -> Vec<Effect> {
        let Some(one) = self.staff.iter().find(|one| one.line == line && one.who.number == *number).cloned()
        else {
            return self.nothing(&format!("{number} isn't watched here"));
        };
        let who = one.who.label().to_owned();
        if one.lamp != StaffLamp::Ringing {
            return self.nothing(&format!("nothing rings at {who}: {}", one.lamp.word()));
        }
        let prefix = self.line(line).map(|there| there.pickup_prefix.to_string()).unwrap_or_default();
        if prefix.is_empty() {
            return self
                .nothing(&format!("it rings at {who}, but no pickup code is set: pickup_prefix in [team]"));
        }
        let effects = self.call_by(line, &format!("{prefix}{number}"));
        let Some(Effect::Dial { call, .. }) = effects.last() else { return effects };
        self.picks_up(*call, one);
        effects
    }

    fn picks_up(&mut self, call: CallId, one: Colleague) {
        let remark = Text::new(&format!("picked up for {}", one.who.label()));
        if let Some(call) = self.call_mut(call) {
            call.remark = remark;
            // Who rings there was told by the server; whom we get, it says when it answers.
            if one.caller.is_comparable() {
                call.party = one.caller;
            }
        }
    }

    /// Whether a caller may be handed to somebody without another word: not to one who is known to be busy, until the
    /// operator has pressed twice.
    pub(super) fn hands_to_busy(&mut self, call: CallId, line: LineId, person: &Identity) -> bool {
        let Availability::Busy(word) = self.availability(line, person.number.as_str()) else { return true };
        let meant = (call, person.number.clone());
        if self.warned_of.take().as_ref() == Some(&meant) {
            return true;
        }
        self.warned_of = Some(meant);
        let text =
            format!("{} is {word}: nobody was handed over · again does it all the same", person.label());
        self.say(Severity::Warning, &text);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CallArrival, Command, Event, NewLine, NewLot, Phase};
    use super::*;
    use std::time::Duration;

    const SAM: &str = "104";

    fn desk_with_code(prefix: &str) -> Desk {
        Desk::with_lines([NewLine {
            label: "me@pbx".to_owned(),
            lots: vec![NewLot::default()],
            staff: vec![Identity::new("Sam", SAM), Identity::new("", "105")],
            pickup_prefix: prefix.to_owned(),
            ..NewLine::default()
        }])
    }

    fn s(seconds: u64) -> Moment {
        Duration::from_secs(seconds)
    }

    fn tell(desk: &mut Desk, at: Moment, lamp: StaffLamp, caller: Identity) {
        desk.learn(at, Event::StaffTold { number: Text::new(SAM), lamp, caller });
    }

    /// Jane is talked to, and her note names Sam.
    fn jane_for_sam(desk: &mut Desk) -> CallId {
        let call = desk.new_call_id();
        let arrival = CallArrival {
            call,
            party: Identity::new("Jane Doe", "01614960100"),
            note: Text::new("for Sam"),
            called: Text::default(),
            comeback: None,
            referred_by_us: false,
        };
        desk.learn(s(1), Event::CallArrived(arrival));
        desk.obey(s(2), Command::Take(call));
        desk.learn(s(3), Event::CallAnswered { call });
        call
    }

    #[test]
    fn a_colleague_is_unknown_until_the_server_has_spoken_and_counts_from_each_change() {
        let mut desk = desk_with_code("");
        assert_eq!((&desk.staff[0].lamp, desk.staff.len()), (&StaffLamp::Unknown, 2));
        assert_eq!(desk.availability(LineId(0), SAM), Availability::Unknown);
        tell(&mut desk, s(5), StaffLamp::Talking, Identity::default());
        tell(&mut desk, s(9), StaffLamp::Talking, Identity::default());
        assert_eq!((&desk.staff[0].lamp, desk.staff[0].since), (&StaffLamp::Talking, s(5)));
        assert_eq!(desk.staff[1].lamp, StaffLamp::Unknown);
        tell(&mut desk, s(12), StaffLamp::Stale { since: s(9) }, Identity::default());
        assert_eq!(desk.availability(LineId(0), SAM), Availability::Unknown);
    }

    #[test]
    fn a_caller_is_handed_at_once_to_a_free_colleague_and_on_a_second_key_to_a_busy_one() {
        for (lamp, at_once) in [
            (StaffLamp::Free, true),
            (StaffLamp::Unknown, true),
            (StaffLamp::Talking, false),
            (StaffLamp::Ringing, false),
            (StaffLamp::Held, false),
            (StaffLamp::Away, false),
        ] {
            let mut desk = desk_with_code("");
            let call = jane_for_sam(&mut desk);
            tell(&mut desk, s(4), lamp.clone(), Identity::default());
            let handed = vec![Effect::Transfer { call, to: SAM.to_owned() }];
            let first = desk.obey(s(5), Command::TransferToNamed);
            assert_eq!(first, if at_once { handed.clone() } else { Vec::new() }, "{lamp:?}");
            if !at_once {
                assert!(desk.notices.back().unwrap().text.as_str().starts_with("Sam is "), "{lamp:?}");
                assert_eq!(desk.obey(s(6), Command::TransferToNamed), handed, "{lamp:?}");
            }
        }
    }

    #[test]
    fn what_rings_at_a_colleague_is_picked_up_by_the_servers_code_and_nothing_else_is_dialled() {
        let mut desk = desk_with_code("**");
        let pick_up = Command::PickUp { line: LineId(0), number: Text::new(SAM) };
        tell(&mut desk, s(1), StaffLamp::Free, Identity::default());
        assert_eq!(desk.obey(s(2), pick_up.clone()), []);
        tell(&mut desk, s(3), StaffLamp::Ringing, Identity::new("Bob Roe", "01614960101"));
        let effects = desk.obey(s(4), pick_up.clone());
        let [Effect::Dial { call, to }] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!(to, "**104");
        let there = desk.call(*call).unwrap();
        assert_eq!((there.party.label(), &there.phase), ("Bob Roe", &Phase::Dialling));
        // Without a code there is nothing that could be dialled.
        let mut desk = desk_with_code("");
        tell(&mut desk, s(3), StaffLamp::Ringing, Identity::default());
        assert_eq!(desk.obey(s(4), pick_up), []);
        assert!(desk.calls.is_empty());
    }
}
