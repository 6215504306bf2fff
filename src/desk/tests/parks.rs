//! Parking: asked, proven, refused, undone; and nothing is sent into a slot that isn't known to be free.

use super::*;

#[test]
fn a_key_press_lights_no_lamp() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    let effects = desk.obey(at(1000), Command::Park { slot: None });
    assert_eq!(
        effects,
        [Effect::Park { call, lot: LotId(0), slot: None, note: Text::default(), party: jane() }]
    );
    assert!(desk.slots.iter().all(|s| s.lamp == Lamp::Free && s.parked.is_none()));
    assert_eq!(desk.sound_plan().spoken_to, None, "nobody is spoken to while the park is under way");
}

#[test]
fn a_proven_park_shows_who_is_where_and_can_be_undone() {
    let mut desk = desk();
    park_jane(&mut desk);
    let parked = desk.slot(&key("701")).unwrap().parked.clone().unwrap();
    assert_eq!(parked.parkee, jane());
    assert!(parked.ours && desk.calls.is_empty());
    let effects = desk.obey(at(2000), Command::Undo);
    let [Effect::Retrieve { target, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(target.seen.parkee, jane());
}

#[test]
fn a_park_proven_before_its_lamp_tells_of_it_can_be_undone_before_and_after() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(1000), Command::Park { slot: None });
    desk.learn(at(1003), Event::ParkProven { call, slot: Some(slot("701")) });
    let mut quick = desk.clone();
    assert!(matches!(quick.obey(at(1010), Command::Undo).as_slice(), [Effect::Retrieve { .. }]));
    let key = Some(DialogKey("abc;to-tag=1;from-tag=2".into()));
    let report = LampReport { lamp: Lamp::Parked, parkee: Some(jane()), key, ..LampReport::default() };
    desk.learn(at(1020), Event::LampChanged { slot: slot("701"), report });
    let effects = desk.obey(at(2000), Command::Undo);
    let [Effect::Retrieve { target, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(target.key.is_some(), "and by the name that the lamp told meanwhile");
}

#[test]
fn undo_says_when_it_is_too_late_or_the_caller_is_gone() {
    let mut desk = desk();
    park_jane(&mut desk);
    let mut late = desk.clone();
    assert_eq!(late.obey(at(60_000), Command::Undo), []);
    assert!(last_words(&late).contains("too late to undo"));
    lamp(&mut desk, 2000, "701", Lamp::Free);
    assert_eq!(desk.obey(at(2001), Command::Undo), []);
    assert!(last_words(&desk).contains("has left 701"));
}

#[test]
fn a_refused_park_gives_the_caller_back_with_the_reason() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(1000), Command::Park { slot: None });
    desk.learn(at(1500), Event::ParkRefused { call, reason: Text::new("the lot is full") });
    assert_eq!(desk.call(call).unwrap().phase, Phase::Talking);
    let words = last_words(&desk);
    assert!(words.contains("the lot is full") && words.contains("Jane Doe is with you"), "{words}");
}

#[test]
fn a_caller_who_comes_back_is_heard_at_once_and_hears_the_operator_at_his_key() {
    for key in [Command::Answer, Command::Take(CallId(1))] {
        let mut desk = desk();
        let call = talking(&mut desk, 10, jane());
        assert_eq!(call, CallId(1));
        desk.obey(at(1000), Command::Park { slot: None });
        desk.learn(at(1500), Event::ParkRefused { call, reason: Text::new("the lot is full") });
        let plan = desk.sound_plan();
        assert_eq!((plan.heard, plan.spoken_to), (Some(call), None));
        assert!(last_words(&desk).contains("microphone closed · enter speaks"), "{}", last_words(&desk));
        desk.obey(at(2000), key);
        assert_eq!(desk.sound_plan().spoken_to, Some(call));
    }
}

#[test]
fn a_caller_who_comes_back_parks_again_without_a_word() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(1000), Command::Park { slot: None });
    desk.learn(at(1500), Event::ParkRefused { call, reason: Text::new("the lot is full") });
    assert!(matches!(desk.obey(at(2000), Command::Park { slot: None }).as_slice(), [Effect::Park { .. }]));
    desk.learn(at(2500), Event::ParkRefused { call, reason: Text::new("the lot is full") });
    assert_eq!(desk.sound_plan().spoken_to, None, "it is as new");
    // Hold and resume are keys of the operator's as well.
    desk.obey(at(3000), Command::Hold);
    desk.learn(at(3010), Event::CallHeld { call });
    desk.obey(at(3100), Command::Hold);
    desk.learn(at(3110), Event::CallResumed { call });
    assert_eq!(desk.sound_plan().spoken_to, Some(call));
}

#[test]
fn a_held_call_parks_without_resuming_and_falls_back_to_hold() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(500), Command::Hold);
    desk.learn(at(510), Event::CallHeld { call });
    assert!(matches!(desk.obey(at(1000), Command::Park { slot: None }).as_slice(), [Effect::Park { .. }]));
    desk.learn(at(1500), Event::ParkRefused { call, reason: Text::new("no") });
    assert_eq!(desk.call(call).unwrap().phase, Phase::Held);
    assert_eq!(desk.sound_plan().spoken_to, None);
}

#[test]
fn nothing_is_ever_sent_into_a_slot_that_is_not_known_to_be_free() {
    let stale = Lamp::Stale { since: at(1), was_parked: false };
    let refused = Lamp::Refused { reason: Text::new("403") };
    for state in [Lamp::Parked, Lamp::RingingBack, Lamp::Unknown, stale, refused] {
        let mut desk = desk();
        desk.lines[0].lots[0].abilities.directed_park = true;
        talking(&mut desk, 10, jane());
        lamp(&mut desk, 20, "702", state.clone());
        let effects = desk.obey(at(30), Command::Park { slot: Some(key("702")) });
        assert_eq!(effects, [], "{state:?}");
        let pressed = desk.obey(at(31), Command::PressSlot(key("702")));
        assert!(!pressed.iter().any(|e| matches!(e, Effect::Park { .. })), "{state:?}: {pressed:?}");
        let transferred = desk.clone().obey(at(32), Command::Transfer { to: "702".into() });
        assert!(!transferred.iter().any(|e| matches!(e, Effect::Transfer { .. } | Effect::Park { .. })));
    }
}

#[test]
fn a_full_lot_is_found_out_before_any_packet() {
    let mut desk = desk();
    talking(&mut desk, 10, jane());
    for id in ["701", "702", "703"] {
        lamp(&mut desk, 20, id, Lamp::Parked);
    }
    assert_eq!(desk.can_park(None), Err(ParkBar::LotFull));
    assert_eq!(desk.obey(at(30), Command::Park { slot: None }), []);
    assert!(last_words(&desk).contains("every slot is taken"));
}

#[test]
fn a_lamp_that_is_not_fresh_is_asked_before_anything_is_done() {
    let mut desk = desk();
    desk.lines[0].lots[0].abilities.directed_park = true;
    let call = talking(&mut desk, 10, jane());
    lamp(&mut desk, 20, "702", Lamp::Stale { since: at(1), was_parked: true });
    assert_eq!(desk.obey(at(30), Command::PressSlot(key("702"))), [Effect::AskLamp(key("702"))]);
    let mut occupied = desk.clone();
    let effects = lamp(&mut desk, 40, "702", Lamp::Free);
    assert!(effects.contains(&Effect::Park {
        call,
        lot: LotId(0),
        slot: Some(slot("702")),
        note: Text::default(),
        party: jane()
    }));
    let effects = lamp(&mut occupied, 40, "702", Lamp::Parked);
    assert!(!effects.iter().any(|e| matches!(e, Effect::Park { .. } | Effect::Retrieve { .. })));
    assert!(last_words(&occupied).contains("press its key again"));
}

#[test]
fn a_park_that_met_another_before_it_was_proven_claims_neither_slot() {
    let mut desk = desk();
    // Lit before: not in question.
    lamp(&mut desk, 5, "703", Lamp::Parked);
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(1000), Command::Park { slot: None });
    lamp(&mut desk, 1001, "701", Lamp::Parked);
    lamp(&mut desk, 1002, "702", Lamp::Parked);
    desk.learn(at(1003), Event::ParkProven { call, slot: Some(slot("701")) });
    assert_eq!(last_words(&desk), "Jane Doe is on 701 or 702: two parks met, the server doesn't say which");
    let ours = desk.slots.iter().filter(|s| s.parked.as_ref().is_some_and(|p| p.ours)).count();
    assert_eq!((ours, desk.undo), (0, None));
}

#[test]
fn of_two_parks_that_met_no_slot_claims_to_be_ours() {
    let mut desk = desk();
    park_jane(&mut desk);
    lamp(&mut desk, 1010, "702", Lamp::Parked);
    desk.learn(at(1010), Event::ParkDoubted { slots: vec![slot("701"), slot("702")] });
    for id in ["701", "702"] {
        let parked = desk.slot(&key(id)).unwrap().parked.as_ref().unwrap();
        assert!(
            parked.parkee.is_withheld() && parked.parker.is_withheld() && !parked.ours,
            "{id}: {parked:?}"
        );
    }
}

#[test]
fn a_transfer_that_turned_out_to_be_a_park_can_fail_like_one() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(20), Command::Transfer { to: "700".into() });
    desk.learn(at(30), Event::ParkRefused { call, reason: Text::new("the lot is full") });
    assert_eq!(desk.call(call).unwrap().phase, Phase::Talking);
}
