//! Retrieving: the call that was seen, and the microphone for nobody else.

use super::*;

#[test]
fn an_occupied_slot_with_a_call_in_hand_holds_and_retrieves_and_never_joins() {
    let mut desk = desk();
    park_jane(&mut desk);
    let other = talking(&mut desk, 3000, bob());
    let effects = desk.obey(at(4000), Command::PressSlot(key("701")));
    assert_eq!(effects[0], Effect::Hold(other));
    assert!(matches!(&effects[1], Effect::Retrieve { target, .. } if target.seen.parkee == jane()));
    assert_eq!(desk.sound_plan().spoken_to, None);
}

#[test]
fn the_microphone_opens_only_when_it_is_the_caller_that_was_seen() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    let call = desk.in_hand.unwrap();
    desk.learn(at(4010), Event::CallAnswered { call });
    assert_eq!(desk.sound_plan().spoken_to, None, "a 200 is no proof");
    desk.learn(at(4030), Event::PartyTold { call, party: jane() });
    assert_eq!(desk.sound_plan().spoken_to, Some(call));
    assert_eq!(desk.call(call).unwrap().strength, Some(Strength::Verified));
}

#[test]
fn an_identity_that_overtakes_the_answer_counts() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    let call = desk.in_hand.unwrap();
    desk.learn(at(4009), Event::PartyTold { call, party: jane() });
    assert_eq!(desk.sound_plan().spoken_to, None);
    desk.learn(at(4010), Event::CallAnswered { call });
    assert_eq!(desk.sound_plan().spoken_to, Some(call));
}

#[test]
fn a_stranger_in_the_slot_is_not_spoken_to_but_put_back() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    let call = desk.in_hand.unwrap();
    desk.learn(at(4010), Event::CallAnswered { call });
    let effects = desk.learn(at(4030), Event::PartyTold { call, party: bob() });
    assert!(matches!(effects.as_slice(), [Effect::Park { slot: None, .. }]), "{effects:?}");
    assert_eq!(desk.sound_plan(), SoundPlan::default());
    desk.learn(at(4100), Event::ParkProven { call, slot: Some(slot("702")) });
    assert!(last_words(&desk).contains("Bob Roe is back in 702"), "{}", last_words(&desk));
}

#[test]
fn without_proof_the_operator_decides() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    let call = desk.in_hand.unwrap();
    desk.learn(at(4010), Event::CallAnswered { call });
    desk.learn(at(4020), Event::PartyTold { call, party: Identity::new("", "701") });
    desk.learn(desk.next_deadline().unwrap().max(at(6010)), Event::Ticked);
    assert!(last_words(&desk).contains("doesn't say who this is"));
    assert_eq!(desk.sound_plan().spoken_to, None);
    desk.obey(at(7000), Command::Answer);
    assert_eq!(desk.sound_plan().spoken_to, Some(call));
    assert_eq!(desk.call(call).unwrap().strength, Some(Strength::Unverified));
}

#[test]
fn a_retrieved_caller_who_rings_again_is_no_comeback() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    lamp(&mut desk, 4005, "701", Lamp::Free);
    let call = ring(&mut desk, 5000, jane());
    assert_eq!(desk.call(call).unwrap().comeback, None);
}

#[test]
fn memory_of_an_earlier_session_counts_only_while_the_lamp_is_lit() {
    let mut first = desk();
    park_jane(&mut first);
    let memory = first.memory(LineId(0));
    let mut second = Desk::new(
        "x",
        "front",
        first.slots.iter().map(|s| s.id.clone()).collect(),
        first.lines[0].lots[0].abilities.clone(),
    );
    second.remember(LineId(0), memory);
    assert!(second.slots[0].parked.is_none(), "no lamp, no caller");
    let mut freed = second.clone();
    lamp(&mut second, 10, "701", Lamp::Parked);
    assert_eq!(second.slots[0].parked.as_ref().unwrap().parkee, jane());
    lamp(&mut freed, 10, "701", Lamp::Free);
    lamp(&mut freed, 20, "701", Lamp::Parked);
    assert!(freed.slots[0].parked.as_ref().unwrap().parkee.is_withheld());
}

#[test]
fn giving_up_a_retrieve_ends_nobodys_call() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    let call = desk.in_hand.unwrap();
    assert_eq!(desk.obey(at(4005), Command::HangUp), [], "the server may have taken her out already");
    let effects = desk.learn(at(4010), Event::CallAnswered { call });
    assert!(matches!(effects.as_slice(), [Effect::Park { .. }]), "{effects:?}");
    assert_eq!(desk.sound_plan().spoken_to, None);
}

#[test]
fn a_key_meant_for_a_ring_opens_no_microphone() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    let call = desk.in_hand.unwrap();
    desk.learn(at(4010), Event::CallAnswered { call });
    assert_eq!(desk.obey(at(4020), Command::Answer), [], "nobody was asked anything yet");
    assert_eq!(desk.sound_plan().spoken_to, None);
    desk.learn(at(4030), Event::PartyTold { call, party: bob() });
    assert!(matches!(desk.call(call).unwrap().phase, Phase::PuttingBack { .. }));
}
