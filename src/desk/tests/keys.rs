//! Keys that come at a bad moment, and what a call says of itself.

use super::*;

#[test]
fn hanging_up_never_drops_a_caller_whose_park_is_undecided() {
    let mut desk = desk();
    talking(&mut desk, 10, jane());
    desk.obey(at(1000), Command::Park { slot: None });
    assert_eq!(desk.obey(at(1001), Command::HangUp), []);
    assert!(last_words(&desk).contains("wait for the server's word"));
}

#[test]
fn leaving_with_calls_up_asks_once() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    assert_eq!(desk.obey(at(20), Command::Quit), []);
    assert!(last_words(&desk).contains("1 of your calls would end"));
    let effects = desk.obey(at(30), Command::Quit);
    assert!(effects.contains(&Effect::HangUp(call)) && effects.contains(&Effect::Leave));
}

#[test]
fn a_slot_is_a_slot_however_it_is_typed() {
    for typed in ["701", "7 01", "70-1", "(701)", "sip:701@pbx", "701@pbx", "tel:701"] {
        let mut desk = desk();
        talking(&mut desk, 10, jane());
        lamp(&mut desk, 20, "701", Lamp::Parked);
        let effects = desk.obey(at(30), Command::Transfer { to: typed.into() });
        assert_eq!(effects, [], "{typed}: a transfer there would join two callers");
        let effects = desk.obey(at(40), Command::Dial(typed.into()));
        assert!(effects.iter().any(|e| matches!(e, Effect::Retrieve { .. })), "{typed}: {effects:?}");
    }
}

#[test]
fn a_caller_who_has_just_begun_to_ring_is_not_turned_away_by_a_late_key() {
    let mut desk = desk();
    let call = ring(&mut desk, 1000, jane());
    assert_eq!(desk.obey(at(1200), Command::HangUp), []);
    assert_eq!(desk.obey(at(2100), Command::HangUp), [Effect::Reject(call)]);
}

#[test]
fn a_transfer_that_the_caller_asks_for_is_told_and_left_to_the_operator() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    let effects = desk.learn(at(20), Event::TransferWished { call, to: "Sam".into() });
    assert!(effects.is_empty(), "nobody is put through unasked");
    assert_eq!(last_words(&desk), "Jane Doe asks to be put through to Sam · t does it");
}

#[test]
fn a_call_says_where_it_was_diverted_from_and_that_somebody_else_took_it() {
    let mut desk = desk();
    let call = ring(&mut desk, 10, jane());
    desk.learn(at(11), Event::CallRemarked { call, remark: "diverted from Sam".into() });
    assert_eq!(desk.call(call).unwrap().remark.as_str(), "diverted from Sam");
    let reason = Text::new("answered elsewhere");
    desk.learn(at(20), Event::CallEnded { call, reason, by_them: true });
    assert_eq!(last_words(&desk), "Jane Doe: answered elsewhere");
}
