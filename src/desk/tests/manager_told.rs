//! What the manager interface tells, on the board; and what is left of it when it falls silent.

use super::*;

/// 701 to 703 on a server that verifies; told to be connected.
fn desk() -> Desk {
    let lot = front();
    let abilities = Abilities { parking_time_s: Some(45), ..lot.abilities.clone() };
    let mut desk = desk_on(NewLine { lots: vec![NewLot { abilities, ..lot }], ..ordinary() });
    desk.learn(at(0), Event::ManagerTold(ManagerInterface::Connected));
    desk
}

fn tell(desk: &mut Desk, ms: u64, id: &str, report: LampReport) {
    desk.learn(at(ms), Event::LampChanged { slot: slot(id), report });
}

/// Jane, parked by Bob 5 s ago, back in 40 s, as the interface tells.
fn told_jane() -> LampReport {
    LampReport {
        lamp: Lamp::Parked,
        parkee: Some(jane()),
        parker: Some(Identity::new("Bob Brown", "102")),
        parked_for_s: Some(5),
        comes_back_in_s: Some(40),
        ..LampReport::default()
    }
}

fn parked(desk: &Desk, id: &str) -> ParkedCall {
    desk.slot(&key(id)).unwrap().parked.clone().unwrap()
}

fn notices(desk: &Desk) -> String {
    desk.notices.iter().map(|n| format!("{}\n", n.text)).collect()
}

#[test]
fn the_time_left_that_was_told_is_no_guess_and_does_not_flicker() {
    let mut desk = desk();
    tell(&mut desk, 10_000, "701", told_jane());
    let there = parked(&desk, "701");
    assert_eq!((there.comes_back_at, there.since), (Some((at(50_000), false)), at(5_000)));
    assert_eq!((there.strength, there.parker.label()), (Strength::Verified, "Bob Brown"));
    tell(&mut desk, 11_900, "701", LampReport { comes_back_in_s: Some(39), ..told_jane() });
    assert_eq!(parked(&desk, "701").comes_back_at, Some((at(50_000), false)));
    tell(&mut desk, 12_000, "701", LampReport { comes_back_in_s: Some(90), ..told_jane() });
    assert_eq!(parked(&desk, "701").comes_back_at, Some((at(102_000), false)));
}

#[test]
fn who_nobody_can_name_any_more_takes_no_name_over() {
    let mut desk = desk();
    tell(&mut desk, 10_000, "701", told_jane());
    tell(
        &mut desk,
        11_000,
        "701",
        LampReport { parkee: Some(Identity::default()), lamp: Lamp::Parked, ..LampReport::default() },
    );
    let there = parked(&desk, "701");
    assert!(there.parkee.is_withheld() && there.note.is_empty());
    assert_eq!(there.strength, Strength::Unverified);
}

#[test]
fn a_withheld_caller_is_compared_by_his_digest() {
    let mut desk = desk();
    let withheld = |number: &str| LampReport { parkee: Some(Identity::withheld(number)), ..told_jane() };
    tell(&mut desk, 10_000, "701", withheld("0777"));
    desk.obey(at(10_500), Command::NoteSlot { slot: key("701"), text: "for Sam".into() });
    tell(&mut desk, 11_000, "701", withheld("0777"));
    let there = parked(&desk, "701");
    assert_eq!(
        (there.strength, there.note.as_str(), there.parkee.label()),
        (Strength::Verified, "for Sam", "withheld")
    );
    tell(&mut desk, 12_000, "701", withheld("0888"));
    assert_eq!(parked(&desk, "701").note, Text::default(), "that is somebody else");
}

#[test]
fn what_only_the_interface_knew_is_remembered_when_it_is_lost_and_never_called_verified() {
    let mut desk = desk();
    tell(&mut desk, 10_000, "701", told_jane());
    let lost = ManagerInterface::Lost {
        reason: Text::new("the manager interface doesn't answer"),
        retry_at: at(12_000),
    };
    desk.learn(at(11_000), Event::ManagerTold(lost.clone()));
    assert_eq!(parked(&desk, "701").strength, Strength::Unverified);
    assert_eq!(parked(&desk, "701").comes_back_at, Some((at(50_000), true)));
    let without = LampReport { lamp: Lamp::Parked, ..LampReport::default() };
    tell(&mut desk, 11_500, "701", without.clone());
    assert_eq!((parked(&desk, "701").parkee, parked(&desk, "701").strength), (jane(), Strength::Unverified));
    assert_eq!(notices(&desk).matches("no longer tells who is parked: the manager interface").count(), 1);
    desk.learn(at(12_000), Event::ManagerTold(lost));
    assert_eq!(notices(&desk).matches("no longer tells").count(), 1, "said once");
    desk.learn(at(13_000), Event::ManagerTold(ManagerInterface::Connected));
    tell(&mut desk, 13_001, "701", told_jane());
    assert_eq!(parked(&desk, "701").strength, Strength::Verified);
    assert!(notices(&desk).contains("the server tells again who is parked"));
    tell(&mut desk, 14_000, "701", without);
    assert_eq!(parked(&desk, "701").strength, Strength::Verified);
}

#[test]
fn whom_we_parked_ourselves_we_know_without_the_interface() {
    let mut desk = desk();
    let call = desk.new_call_id();
    let (called, note) = (Text::new("100"), Text::default());
    let arrival = CallArrival { call, party: jane(), called, comeback: None, referred_by_us: false, note };
    desk.learn(at(10), Event::CallArrived(arrival));
    desk.obey(at(20), Command::Take(call));
    desk.learn(at(30), Event::CallAnswered { call });
    desk.obey(at(40), Command::Park { slot: None });
    tell(&mut desk, 50, "701", told_jane());
    desk.learn(at(51), Event::ParkProven { call, slot: Some(slot("701")) });
    let reason = Text::new("gone");
    desk.learn(at(60), Event::ManagerTold(ManagerInterface::Lost { reason, retry_at: at(100) }));
    assert_eq!(parked(&desk, "701").strength, Strength::Verified);
}

#[test]
fn what_an_earlier_session_was_told_is_remembered_too_and_no_more() {
    for ours in [true, false] {
        let mut desk = desk();
        tell(&mut desk, 10, "702", told_jane());
        let call = ParkedCall { ours, ..parked(&desk, "702") };
        desk.remember(LineId(0), vec![(slot("701"), call)]);
        tell(&mut desk, 20, "701", LampReport { lamp: Lamp::Parked, ..LampReport::default() });
        let remembered = parked(&desk, "701");
        assert_eq!((remembered.parkee, remembered.strength), (jane(), Strength::Unverified));
        assert!(desk.slot(&key("701")).is_some_and(|slot| slot.remembered));
    }
}

#[test]
fn who_fetched_a_caller_is_said_at_the_slot_and_to_the_loser_of_a_race() {
    let mut desk = desk();
    tell(&mut desk, 10_000, "701", told_jane());
    let effects = desk.obey(at(11_000), Command::PressSlot(key("701")));
    let [Effect::Retrieve { call, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let fetched = Event::Fetched { slot: slot("701"), parkee: jane(), by: Identity::new("Ann", "104") };
    assert_eq!(desk.learn(at(11_010), fetched), []);
    let (remark, _) = desk.slot(&key("701")).unwrap().remark.clone().unwrap();
    assert_eq!(remark.as_str(), "Ann retrieved 701");
    assert!(notices(&desk).contains("701: Ann was quicker"), "{}", notices(&desk));
    desk.learn(at(11_020), Event::CallAnswered { call: *call });
    desk.learn(at(16_000), Event::CallEnded { call: *call, reason: Text::default(), by_them: true });
    assert!(notices(&desk).contains("Jane Doe was not retrieved: Ann retrieved 701"), "{}", notices(&desk));
}

#[test]
fn a_retriever_who_withholds_himself_is_somebody() {
    let mut desk = desk();
    desk.learn(at(10), Event::Fetched { slot: slot("701"), parkee: jane(), by: Identity::withheld("0777") });
    let (remark, _) = desk.slot(&key("701")).unwrap().remark.clone().unwrap();
    assert_eq!(remark.as_str(), "somebody retrieved 701");
}

#[test]
fn who_gave_up_is_named_and_is_no_comeback_when_he_rings_again() {
    for lamp_first in [true, false] {
        let mut desk = desk();
        tell(&mut desk, 10_000, "701", told_jane());
        let free = LampReport { lamp: Lamp::Free, ..LampReport::default() };
        if lamp_first {
            tell(&mut desk, 20_000, "701", free.clone());
        }
        desk.learn(at(20_001), Event::GaveUp { slot: slot("701"), parkee: jane(), waited_s: 75 });
        assert!(notices(&desk).contains("Jane Doe hung up while parked on 701, waited 1:15"));
        tell(&mut desk, 20_002, "701", free);
        let call = desk.new_call_id();
        let (called, note) = (Text::new("100"), Text::default());
        let arrival = CallArrival { call, party: jane(), called, comeback: None, referred_by_us: true, note };
        desk.learn(at(21_000), Event::CallArrived(arrival));
        assert_eq!(desk.call(call).unwrap().comeback, None);
    }
}

#[test]
fn a_comeback_that_is_told_while_it_rings_is_one_unless_it_has_rung_for_long() {
    for (told_ms, is_one) in [(50_010, true), (53_000, false)] {
        let mut desk = desk();
        tell(&mut desk, 10_000, "701", LampReport { note: Some(Text::new("for Sam")), ..told_jane() });
        let call = desk.new_call_id();
        let (called, note) = (Text::new("100"), Text::default());
        let arrival =
            CallArrival { call, party: jane(), called, comeback: None, referred_by_us: false, note };
        desk.learn(at(50_000), Event::CallArrived(arrival));
        desk.learn(at(told_ms), Event::CameBack { call, slot: slot("701"), waited_s: 45 });
        let back = desk.call(call).unwrap();
        assert_eq!(back.comeback.is_some(), is_one);
        assert_eq!(back.note.as_str(), if is_one { "for Sam" } else { "" });
    }
}

#[test]
fn a_comeback_that_was_announced_brings_its_note_though_the_lamp_is_off_already() {
    let mut desk = desk();
    tell(&mut desk, 10_000, "701", LampReport { note: Some(Text::new("for Sam")), ..told_jane() });
    tell(&mut desk, 50_000, "701", LampReport { lamp: Lamp::Free, ..LampReport::default() });
    let call = desk.new_call_id();
    let comeback = Some((Some(slot("701")), 45));
    let (called, note) = (Text::new("100"), Text::default());
    let arrival = CallArrival { call, party: jane(), called, comeback, referred_by_us: false, note };
    desk.learn(at(50_002), Event::CallArrived(arrival));
    let back = desk.call(call).unwrap();
    assert_eq!(back.note.as_str(), "for Sam");
    assert_eq!(back.comeback, Some(Comeback { slot: Some(slot("701")), waited_s: 45 }));
}
