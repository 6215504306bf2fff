//! What is known of whoever is in a slot, as long as its lamp is watched; and what is only remembered.

use super::*;

/// A desk at a server whose lamps name nobody, at which we have parked Jane on 701.
fn jane_is_parked() -> Desk {
    let mut desk = desk();
    park_jane(&mut desk);
    desk
}

/// The lamp at so many seconds, after a gap or not.
fn told(desk: &mut Desk, now: u64, id: &str, lamp: Lamp, gap: bool) {
    let report = LampReport { lamp, gap, ..LampReport::default() };
    desk.learn(at(now * 1_000), Event::LampChanged { slot: slot(id), report });
}

/// Whom 701 shows, whether as remembered, and how strong a retrieve would be.
fn shown(desk: &Desk) -> (String, bool, Strength) {
    let slot = desk.slot(&key("701")).unwrap();
    let parked = slot.parked.clone().unwrap();
    (parked.parkee.label().to_owned(), slot.remembered, parked.strength)
}

#[test]
fn a_name_is_known_as_long_as_the_lamp_was_watched_and_remembered_after_a_gap() {
    let mut desk = jane_is_parked();
    assert_eq!(shown(&desk), ("Jane Doe".into(), false, Strength::Verified));
    // Stale for a while, and then the word that follows the last: nothing was missed.
    told(&mut desk, 20, "701", Lamp::Stale { since: at(10_000), was_parked: true }, false);
    told(&mut desk, 30, "701", Lamp::Parked, false);
    assert_eq!(shown(&desk), ("Jane Doe".into(), false, Strength::Verified));
    told(&mut desk, 40, "701", Lamp::Parked, true);
    assert_eq!(shown(&desk), ("Jane Doe".into(), true, Strength::Unverified));
    // It stays so, whatever the lamp says afterwards, until the slot is empty.
    told(&mut desk, 50, "701", Lamp::Parked, false);
    assert_eq!(shown(&desk), ("Jane Doe".into(), true, Strength::Unverified));
    told(&mut desk, 60, "701", Lamp::Free, false);
    told(&mut desk, 61, "701", Lamp::Parked, false);
    assert_eq!(shown(&desk), ("withheld".into(), false, Strength::Unverified));
}

#[test]
fn whom_the_server_names_is_known_again_at_once() {
    let mut desk = jane_is_parked();
    told(&mut desk, 40, "701", Lamp::Parked, true);
    let report = LampReport { lamp: Lamp::Parked, parkee: Some(jane()), ..LampReport::default() };
    desk.learn(at(50_000), Event::LampChanged { slot: slot("701"), report });
    assert_eq!(shown(&desk), ("Jane Doe".into(), false, Strength::Verified));
}

#[test]
fn a_lamp_that_was_out_of_sight_does_not_say_when_it_lit() {
    let mut desk = jane_is_parked();
    told(&mut desk, 30, "702", Lamp::Parked, true);
    assert!(desk.slot(&key("702")).and_then(|s| s.parked.as_ref()).is_some_and(|p| p.since_inferred));
}

#[test]
fn a_remembered_caller_is_compared_before_he_is_spoken_to_and_a_stranger_goes_back() {
    for (there, verified) in [(jane(), true), (Identity::new("Bob Roe", "01614960101"), false)] {
        let mut desk = jane_is_parked();
        told(&mut desk, 40, "701", Lamp::Parked, true);
        let effects = desk.obey(at(50_000), Command::PressSlot(key("701")));
        let [Effect::Retrieve { call, .. }] = effects.as_slice() else { panic!("{effects:?}") };
        let call = *call;
        desk.learn(at(51_000), Event::CallAnswered { call });
        assert_eq!(desk.sound_plan().spoken_to, None, "nobody is spoken to yet");
        let effects = desk.learn(at(51_000), Event::PartyTold { call, party: there.clone() });
        assert_eq!(desk.call(call).unwrap().phase == Phase::Talking, verified);
        assert_eq!(effects.iter().any(|e| matches!(e, Effect::Park { .. })), !verified);
        // Either way Jane is not there: whoever lights the lamp next is not called by her name.
        assert_eq!(desk.slot(&key("701")).unwrap().parked, None);
        told(&mut desk, 52, "701", Lamp::Parked, false);
        assert_eq!(shown(&desk).0, "withheld");
    }
}

#[test]
fn a_slot_whose_caller_was_just_fetched_is_nobody_to_fetch_next() {
    let mut desk = jane_is_parked();
    told(&mut desk, 30, "702", Lamp::Parked, false);
    let effects = desk.obey(at(50_000), Command::PressSlot(key("701")));
    let [Effect::Retrieve { call, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let call = *call;
    desk.learn(at(51_000), Event::CallAnswered { call });
    desk.learn(at(51_000), Event::PartyTold { call, party: jane() });
    assert_eq!(desk.longest_parked().map(Slot::key), Some(key("702")));
}

#[test]
fn a_park_that_is_proven_after_its_caller_was_fetched_again_names_nobody_in_the_slot() {
    let mut desk = jane_is_parked();
    let first = desk.obey(at(20_000), Command::PressSlot(key("701")));
    let [Effect::Retrieve { call, .. }] = first.as_slice() else { panic!("{first:?}") };
    let call = *call;
    desk.learn(at(21_000), Event::CallAnswered { call });
    desk.learn(at(21_000), Event::PartyTold { call, party: jane() });
    told(&mut desk, 21, "701", Lamp::Free, false);
    // She is parked once more; before anything is proven her slot's key fetches her, and another comes in there.
    desk.obey(at(30_000), Command::Park { slot: None });
    told(&mut desk, 31, "701", Lamp::Parked, false);
    let again = desk.obey(at(32_000), Command::PressSlot(key("701")));
    assert!(matches!(again.as_slice(), [.., Effect::Retrieve { .. }]), "{again:?}");
    told(&mut desk, 33, "701", Lamp::Free, false);
    told(&mut desk, 34, "701", Lamp::Parked, false);
    desk.learn(at(35_000), Event::ParkProven { call, slot: Some(slot("701")) });
    assert_eq!(shown(&desk).0, "withheld");
    assert_eq!(desk.undo, None);
}
