//! The rush: callers sent on, asked for and joined; whoever was parked comes back in any case.

use super::*;
use crate::parking::{Lamp, Text};
use std::time::Duration;

fn at(seconds: u64) -> Moment {
    Duration::from_secs(seconds)
}

fn desk() -> Desk {
    let slots = ["701", "702"].map(|id| SlotId::new(id).unwrap()).to_vec();
    let mut desk = Desk::new("reception@pbx", "front", slots, Abilities::default());
    desk.learn(at(0), Event::Registered);
    desk.routes = Routes {
        busy: Text::default(),
        night: "105".into(),
        overflow: "600".into(),
        overflow_after: Some(at(30)),
        voicemail: "*99".into(),
        voicemail_prefix: Text::default(),
    };
    desk
}

fn ring(desk: &mut Desk, seconds: u64, comeback: Option<(Option<SlotId>, u32)>) -> (CallId, Vec<Effect>) {
    let call = desk.new_call_id();
    let arrival = CallArrival {
        call,
        party: Identity::new("Jane Doe", "01614960100"),
        called: Text::default(),
        comeback,
        referred_by_us: false,
        note: Text::default(),
    };
    (call, desk.learn(at(seconds), Event::CallArrived(arrival)))
}

fn talk(desk: &mut Desk, seconds: u64) -> CallId {
    let (call, _) = ring(desk, seconds, None);
    desk.obey(at(seconds), Command::Take(call));
    desk.learn(at(seconds), Event::CallAnswered { call });
    call
}

fn redirect(call: CallId, to: &str) -> Effect {
    Effect::Redirect { call, to: to.into() }
}

#[test]
fn at_night_and_with_do_not_disturb_new_callers_go_elsewhere_and_parked_ones_come_back() {
    let mut desk = desk();
    desk.obey(at(1), Command::Night(None));
    let (call, effects) = ring(&mut desk, 2, None);
    assert_eq!((effects, desk.calls.len()), (vec![redirect(call, "105")], 0));
    let (_, effects) = ring(&mut desk, 3, Some((SlotId::new("701"), 60)));
    assert_eq!((effects, desk.calls.len()), (vec![], 1), "who was promised somebody rings");
    desk.obey(at(4), Command::Night(Some(false)));
    desk.obey(at(4), Command::DoNotDisturb(Some(true)));
    let (call, effects) = ring(&mut desk, 5, None);
    assert_eq!(effects, vec![Effect::Reject(call)], "no target: busy");
    desk.routes.busy = "600".into();
    let (call, effects) = ring(&mut desk, 6, None);
    assert_eq!(effects, vec![redirect(call, "600")]);
    desk.obey(at(7), Command::DoNotDisturb(None));
    assert_eq!(ring(&mut desk, 8, None).1, vec![]);
}

#[test]
fn a_server_that_would_refuse_the_caller_is_never_asked_to_send_him_on() {
    let slots = ["701"].map(|id| SlotId::new(id).unwrap()).to_vec();
    let abilities = Abilities { redirects: false, ..Abilities::default() };
    let mut desk = Desk { routes: desk().routes, ..Desk::new("100@lot", "front", slots, abilities) };
    desk.obey(at(1), Command::Night(Some(true)));
    assert!(!desk.presence.night);
    let (call, effects) = ring(&mut desk, 2, None);
    assert_eq!(effects, vec![]);
    assert_eq!(desk.obey(at(3), Command::Redirect { call, to: "105".into() }), vec![]);
    assert_eq!(desk.learn(at(90), Event::Ticked), vec![], "nobody overflows");
    assert_eq!((desk.calls.len(), desk.overflow_deadline()), (1, None), "he rings on");
}

#[test]
fn without_a_target_it_does_not_become_night() {
    let mut desk = desk();
    desk.routes.night = Text::default();
    desk.obey(at(1), Command::Night(Some(true)));
    assert!(!desk.presence.night);
    assert_eq!(ring(&mut desk, 2, None).1, vec![]);
}

#[test]
fn who_has_rung_too_long_overflows_and_nobody_else() {
    let mut desk = desk();
    let (first, _) = ring(&mut desk, 10, None);
    let (back, _) = ring(&mut desk, 12, Some((SlotId::new("701"), 60)));
    let (second, _) = ring(&mut desk, 20, None);
    assert!(desk.next_deadline().is_some_and(|deadline| deadline <= at(40)));
    assert_eq!(desk.learn(at(39), Event::Ticked), vec![]);
    assert_eq!(desk.learn(at(40), Event::Ticked), vec![redirect(first, "600")]);
    let left: Vec<CallId> = desk.calls.iter().map(|call| call.id).collect();
    assert_eq!(left, [back, second]);
}

#[test]
fn a_ringing_caller_is_sent_on_or_to_the_mailbox_but_never_into_a_slot() {
    let mut desk = desk();
    let (call, _) = ring(&mut desk, 1, None);
    assert_eq!(desk.obey(at(2), Command::Redirect { call, to: "701".into() }), vec![]);
    assert_eq!(desk.calls.len(), 1, "a slot is no place for him");
    assert_eq!(desk.obey(at(3), Command::ToVoicemail), vec![redirect(call, "*99")]);
    let spoken = talk(&mut desk, 4);
    assert_eq!(desk.obey(at(5), Command::Redirect { call: spoken, to: "105".into() }), vec![]);
    assert_eq!(desk.calls.len(), 1, "who is spoken to is not sent away");
}

#[test]
fn somebody_is_asked_and_then_the_two_are_joined() {
    let mut desk = desk();
    let caller = talk(&mut desk, 1);
    let effects = desk.obey(at(2), Command::Consult { to: "101".into() });
    let asked = desk.in_hand.unwrap();
    assert_eq!(effects, vec![Effect::Hold(caller), Effect::Dial { call: asked, to: "101".into() }]);
    desk.learn(at(3), Event::CallHeld { call: caller });
    desk.learn(at(4), Event::CallAnswered { call: asked });
    assert_eq!(desk.consulted_for().map(|call| call.id), Some(caller));
    assert_eq!(desk.obey(at(5), Command::Swap), vec![Effect::Hold(asked), Effect::Resume(caller)]);
    desk.learn(at(6), Event::CallHeld { call: asked });
    desk.learn(at(6), Event::CallResumed { call: caller });
    // From the caller's side as well.
    assert_eq!(desk.obey(at(7), Command::Join), vec![Effect::Join { call: caller, with: asked }]);
    assert_eq!(desk.learn(at(8), Event::TransferDone { call: caller }), vec![Effect::HangUp(asked)]);
    assert!(desk.calls.is_empty());
}

#[test]
fn a_join_that_fails_leaves_both_where_they_were() {
    let mut desk = desk();
    let caller = talk(&mut desk, 1);
    desk.obey(at(2), Command::Consult { to: "101".into() });
    let asked = desk.in_hand.unwrap();
    desk.learn(at(3), Event::CallHeld { call: caller });
    desk.learn(at(4), Event::CallAnswered { call: asked });
    desk.obey(at(5), Command::Join);
    desk.learn(at(6), Event::TransferRefused { call: caller, reason: "declined".into() });
    assert_eq!(desk.call(caller).unwrap().phase, Phase::Held);
    assert!(desk.call(asked).unwrap().is_up());
    assert_eq!(desk.in_hand, Some(asked));
}

#[test]
fn while_it_rings_there_the_caller_is_handed_over_as_without_asking() {
    let mut desk = desk();
    let caller = talk(&mut desk, 1);
    desk.obey(at(2), Command::Consult { to: "101".into() });
    let asked = desk.in_hand.unwrap();
    desk.learn(at(3), Event::CallHeld { call: caller });
    desk.learn(at(3), Event::CallProgressed { call: asked });
    let effects = desk.obey(at(4), Command::Join);
    assert_eq!(effects, vec![Effect::HangUp(asked), Effect::Transfer { call: caller, to: "101".into() }]);
}

#[test]
fn when_nobody_is_reached_the_caller_is_under_the_keys_again() {
    let mut desk = desk();
    let caller = talk(&mut desk, 1);
    desk.obey(at(2), Command::Consult { to: "101".into() });
    let asked = desk.in_hand.unwrap();
    desk.learn(at(3), Event::CallHeld { call: caller });
    desk.learn(at(4), Event::CallEnded { call: asked, reason: "busy".into(), by_them: true });
    assert_eq!(desk.in_hand, Some(caller));
    assert_eq!(desk.obey(at(5), Command::Answer), vec![Effect::Resume(caller)]);
    assert_eq!(desk.obey(at(6), Command::Join), vec![], "there is nobody to join");
}

#[test]
fn nobody_is_asked_at_an_occupied_slot() {
    let mut desk = desk();
    let caller = talk(&mut desk, 1);
    let report = LampReport { lamp: Lamp::Parked, ..LampReport::default() };
    desk.learn(at(2), Event::LampChanged { slot: SlotId::new("701").unwrap(), report });
    assert_eq!(desk.obey(at(3), Command::Consult { to: "701".into() }), vec![]);
    assert_eq!(desk.call(caller).unwrap().phase, Phase::Talking);
}
