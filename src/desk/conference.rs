//! Three-way calls: the call in hand and one that is on hold are mixed with the operator, by his key alone. Whoever goes,
//! is held, parked or handed over ends it; nobody is left alone with a stranger.

use super::{Call, CallId, Desk, Effect, Phase, Severity};
use serde::{Deserialize, Serialize};

/// Two calls that hear each other and the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conference {
    /// The call that was in hand.
    pub first: CallId,
    /// The call that was on hold; it is heard once it is off hold.
    pub second: CallId,
}

impl Desk {
    /// The calls that are mixed now: both are up.
    pub fn three_way(&self) -> Option<Conference> {
        let talks = |id| self.call(id).is_some_and(|call| call.phase == Phase::Talking && !call.returned);
        self.conference.filter(|three| talks(three.first) && talks(three.second))
    }

    /// Whether this call is one of three.
    pub fn is_joined(&self, id: CallId) -> bool {
        self.three_way().is_some_and(|three| three.first == id || three.second == id)
    }

    /// Joins the call in hand and the one on hold; or, joined, takes them apart again.
    pub(super) fn toggle_conference(&mut self) -> Vec<Effect> {
        if let Some(three) = self.conference {
            return self.take_apart(three);
        }
        let Some(hand) = self.hand().filter(|call| call.phase == Phase::Talking && !call.returned) else {
            return self.nothing("three-way: talk to one caller with another one on hold");
        };
        let held: Vec<&Call> = self.calls.iter().filter(|call| call.phase == Phase::Held).collect();
        let second = match held.as_slice() {
            [] => return self.nothing("three-way: hold one caller, take the other, then this key"),
            [only] => *only,
            several => {
                let text = format!("three-way: {} callers are on hold, and it must be one", several.len());
                return self.nothing(&text);
            }
        };
        let three = Conference { first: hand.id, second: second.id };
        let text = format!(
            "{} and {} are about to hear each other",
            self.called(&hand.party),
            self.called(&second.party)
        );
        self.conference = Some(three);
        self.say(Severity::Info, &text);
        let now = self.now;
        if let Some(call) = self.call_mut(three.second) {
            call.enter(Phase::Resuming, now);
        }
        vec![Effect::Resume(three.second)]
    }

    /// The one in hand stays, the other goes on hold.
    fn take_apart(&mut self, three: Conference) -> Vec<Effect> {
        self.conference = None;
        let other = if self.in_hand == Some(three.first) { three.second } else { three.first };
        let Some(call) = self.call(other) else { return Vec::new() };
        let text = format!("{} goes on hold: they don't hear each other any more", self.called(&call.party));
        self.say(Severity::Info, &text);
        self.hold_call(other)
    }

    /// Ends the three-way call as soon as one of the two isn't up any more, or another call is in hand. Whoever is left
    /// stays with the operator if his hand is free, and waits on hold if it isn't.
    pub(super) fn tend_conference(&mut self) -> Vec<Effect> {
        let Some(three) = self.conference else { return Vec::new() };
        let phase = |id| self.call(id).map(|call| &call.phase);
        let first = matches!(phase(three.first), Some(Phase::Talking));
        let second = matches!(phase(three.second), Some(Phase::Talking | Phase::Resuming));
        let in_hand = [Some(three.first), Some(three.second)].contains(&self.in_hand);
        if first && second && in_hand {
            return Vec::new();
        }
        self.conference = None;
        let left: Vec<CallId> = [(three.first, first), (three.second, second)]
            .into_iter()
            .filter_map(|(id, up)| up.then_some(id))
            .collect();
        let mut effects = Vec::new();
        for id in left {
            let Some(who) = self.call(id).map(|call| self.called(&call.party)) else { continue };
            if self.in_hand.is_none() {
                self.in_hand = Some(id);
            }
            if self.in_hand == Some(id) {
                self.say(Severity::Info, &format!("the three-way call is over: you are alone with {who}"));
            } else {
                self.say(Severity::Info, &format!("the three-way call is over: {who} goes on hold"));
                effects.extend(self.hold_call(id));
            }
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{Abilities, CallArrival, Command, Event, SoundWish};
    use crate::parking::{Identity, Moment, Text};
    use std::time::Duration;

    const C: Command = Command::Sound(SoundWish::Conference);

    fn at(ms: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(ms)
    }

    fn rings(desk: &mut Desk, now: u64, name: &str) -> CallId {
        let call = desk.new_call_id();
        let arrival = CallArrival {
            call,
            party: Identity::new(name, name),
            called: Text::default(),
            comeback: None,
            referred_by_us: false,
            note: Text::default(),
        };
        desk.learn(at(now), Event::CallArrived(arrival));
        call
    }

    fn answer(desk: &mut Desk, now: u64, call: CallId) {
        desk.obey(at(now), Command::Take(call));
        desk.learn(at(now), Event::CallAnswered { call });
    }

    /// Jane on hold, Bob in hand.
    fn two() -> (Desk, CallId, CallId) {
        let slots = vec![crate::parking::SlotId::new("701").unwrap()];
        let mut desk = Desk::new("a", "", slots, Abilities::default());
        let jane = rings(&mut desk, 0, "Jane");
        answer(&mut desk, 1_000, jane);
        let bob = rings(&mut desk, 2_000, "Bob");
        answer(&mut desk, 4_000, bob);
        desk.learn(at(4_500), Event::CallHeld { call: jane });
        (desk, jane, bob)
    }

    fn joined() -> (Desk, CallId, CallId) {
        let (mut desk, jane, bob) = two();
        assert_eq!(desk.obey(at(5_000), C), [Effect::Resume(jane)]);
        assert_eq!(desk.sound_plan().joined, None, "not before the server has taken Jane off hold");
        desk.learn(at(5_200), Event::CallResumed { call: jane });
        (desk, jane, bob)
    }

    #[test]
    fn two_callers_hear_each_other_only_by_the_operators_key_and_once_both_are_up() {
        let (desk, jane, bob) = two();
        assert_eq!((desk.sound_plan().heard, desk.sound_plan().joined), (Some(bob), None));
        let (desk, jane, bob) = (joined().0, jane, bob);
        let plan = desk.sound_plan();
        assert_eq!((plan.heard, plan.spoken_to, plan.joined), (Some(bob), Some(bob), Some(jane)));
    }

    #[test]
    fn who_leaves_ends_it_and_the_other_stays_with_the_operator() {
        for leaves_first in [true, false] {
            let (mut desk, jane, bob) = joined();
            let (gone, left) = if leaves_first { (bob, jane) } else { (jane, bob) };
            let effects = desk
                .learn(at(6_000), Event::CallEnded { call: gone, reason: Text::default(), by_them: true });
            assert_eq!(effects, []);
            let plan = desk.sound_plan();
            assert_eq!((plan.heard, plan.spoken_to, plan.joined), (Some(left), Some(left), None));
        }
    }

    #[test]
    fn the_key_again_takes_them_apart() {
        let (mut desk, jane, _) = joined();
        assert_eq!(desk.obey(at(6_000), C), [Effect::Hold(jane)]);
        assert_eq!(desk.sound_plan().joined, None);
    }

    #[test]
    fn whatever_becomes_of_one_nobody_is_left_alone_with_the_other() {
        for command in [Command::Hold, Command::HangUp, Command::Transfer { to: "9".into() }] {
            let (mut desk, jane, bob) = joined();
            let effects = desk.obey(at(6_000), command.clone());
            assert_eq!(desk.sound_plan().joined, None, "{command:?}");
            let jane_is_tended = effects.contains(&Effect::Hold(jane)) || desk.in_hand == Some(jane);
            assert!(jane_is_tended, "{command:?}: {effects:?}");
            assert!(!desk.is_joined(bob));
        }
        let (mut desk, jane, _) = joined();
        let third = rings(&mut desk, 6_000, "Zoe");
        let effects = desk.obey(at(8_000), Command::Take(third));
        assert!(effects.contains(&Effect::Hold(jane)), "{effects:?}");
        assert_eq!(desk.sound_plan().joined, None);
    }

    #[test]
    fn with_nobody_or_several_on_hold_it_is_refused_in_words() {
        let (mut desk, jane, bob) = two();
        desk.learn(at(4_600), Event::CallEnded { call: jane, reason: Text::default(), by_them: true });
        assert_eq!(desk.obey(at(5_000), C), []);
        let zoe = rings(&mut desk, 5_100, "Zoe");
        answer(&mut desk, 7_000, zoe);
        desk.learn(at(7_100), Event::CallHeld { call: bob });
        let sam = rings(&mut desk, 7_200, "Sam");
        answer(&mut desk, 9_000, sam);
        desk.learn(at(9_100), Event::CallHeld { call: zoe });
        assert_eq!(desk.obey(at(9_500), C), []);
        assert!(desk.notices.back().is_some_and(|n| n.text.as_str().contains("must be one")));
    }
}
