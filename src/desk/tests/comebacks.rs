//! Callers who come back, and callers who are gone.

use super::*;

#[test]
fn a_comeback_is_recognised_without_help_from_the_server() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(2000), Command::NoteSlot { slot: key("701"), text: "for Sam".into() });
    lamp(&mut desk, 46_003, "701", Lamp::Free);
    let call = ring(&mut desk, 46_005, jane());
    let call = desk.call(call).unwrap();
    assert_eq!(call.comeback, Some(Comeback { slot: Some(slot("701")), waited_s: 45 }));
    assert_eq!(call.note.as_str(), "for Sam");
    assert_eq!(desk.sound_plan().ring, RingTone::Comeback);
}

#[test]
fn a_comeback_that_nobody_answers_is_told_with_the_number_to_call() {
    let mut desk = desk();
    park_jane(&mut desk);
    lamp(&mut desk, 46_003, "701", Lamp::Free);
    let call = ring(&mut desk, 46_005, jane());
    desk.learn(at(66_005), Event::CallEnded { call, reason: Text::default(), by_them: true });
    assert_eq!(
        last_words(&desk),
        "Jane Doe came back from 701 and nobody answered: the call is over · 01614960100"
    );
    let gone = desk.notices.iter().any(|n| n.text.as_str().contains("no longer"));
    assert!(!gone, "a caller who rang is not told of as gone as well: {:?}", desk.notices);
}

#[test]
fn a_caller_of_ours_who_leaves_his_slot_and_does_not_ring_is_told_of_once() {
    let mut desk = desk();
    park_jane(&mut desk);
    lamp(&mut desk, 9000, "701", Lamp::Free);
    assert_eq!(desk.next_deadline(), Some(at(10_000)));
    for ms in [9_500, 10_000, 11_000] {
        desk.learn(at(ms), Event::Ticked);
        let told = last_words(&desk).starts_with("Jane Doe is no longer on 701: taken elsewhere, or hung up");
        assert_eq!(told, ms >= 10_000, "{ms}");
    }
    let told = desk.notices.iter().filter(|n| n.text.as_str().contains("no longer on 701")).count();
    assert_eq!(told, 1);
}

#[test]
fn who_was_told_of_as_gone_and_calls_anew_is_no_comeback_unless_the_server_says_that_we_parked_him() {
    let mut desk = desk();
    park_jane(&mut desk);
    lamp(&mut desk, 9000, "701", Lamp::Free);
    desk.learn(at(10_000), Event::Ticked);
    let call = ring(&mut desk, 11_000, jane());
    assert_eq!(desk.call(call).unwrap().comeback, None);
    desk.learn(at(11_500), Event::CallEnded { call, reason: Text::default(), by_them: true });
    let call = desk.new_call_id();
    let arrival = CallArrival {
        call,
        party: jane(),
        called: Text::new("100"),
        comeback: None,
        referred_by_us: true,
        note: Text::default(),
    };
    desk.learn(at(12_000), Event::CallArrived(arrival));
    assert!(desk.call(call).unwrap().comeback.is_some());
}

#[test]
fn a_caller_of_ours_who_left_while_the_server_was_silent_is_told_of_as_such() {
    let mut desk = desk();
    park_jane(&mut desk);
    lamp(&mut desk, 9000, "701", Lamp::Stale { since: at(8000), was_parked: true });
    lamp(&mut desk, 20_000, "701", Lamp::Free);
    desk.learn(at(21_000), Event::Ticked);
    assert!(last_words(&desk).starts_with("Jane Doe was on 701 before the server fell silent"));
}

#[test]
fn whom_others_parked_leaves_in_silence_and_whom_we_fetched_as_well() {
    let mut desk = desk();
    lamp(&mut desk, 10, "702", Lamp::Parked);
    lamp(&mut desk, 20, "702", Lamp::Free);
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    lamp(&mut desk, 4005, "701", Lamp::Free);
    desk.learn(at(9000), Event::Ticked);
    assert!(desk.notices.iter().all(|n| !n.text.as_str().contains("no longer")), "{:?}", desk.notices);
}
