//! Several lots of one account: a call is parked in the one that is meant, and what is said of one says nothing of another.

use super::*;

const SALES: LotKey = LotKey { line: LineId(0), lot: LotId(1) };

/// Lots “front” (701–703) and “sales” (801, 802) at one server, which chooses slots itself; all free.
fn desk() -> Desk {
    desk_with(false)
}

fn desk_with(directed_sales: bool) -> Desk {
    let abilities =
        Abilities { directed_park: directed_sales, parking_time_s: Some(120), ..front().abilities };
    let sales = NewLot {
        name: "sales".into(),
        slots: ["801", "802"].map(slot).to_vec(),
        abilities,
        page: Some(PageGroup { number: "780".into(), live: false }),
        escalate_s: Some(vec![10]),
        comeback_prefix: "Sales ".into(),
    };
    desk_on(NewLine { lots: vec![front(), sales], ..ordinary() })
}

fn parks_in(effects: &[Effect]) -> Vec<(LotId, Option<SlotId>)> {
    let lot = |effect: &Effect| match effect {
        Effect::Park { lot, slot, .. } => Some((*lot, slot.clone())),
        _ => None,
    };
    effects.iter().filter_map(lot).collect()
}

/// Jane is parked on 801, by the lot's own slot key.
fn park_in_sales(desk: &mut Desk) -> CallId {
    let call = talking(desk, 10, jane());
    assert_eq!(parks_in(&desk.obey(at(1000), Command::PressSlot(key("802")))), [(LotId(1), None)]);
    lamp(desk, 1002, "801", Lamp::Parked);
    desk.learn(at(1003), Event::ParkProven { call, slot: Some(slot("801")) });
    call
}

#[test]
fn the_park_key_parks_in_the_chosen_lot_and_a_slots_key_in_that_slots() {
    let mut desk = desk();
    talking(&mut desk, 10, jane());
    assert_eq!(parks_in(&desk.clone().obey(at(1000), Command::Park { slot: None })), [(LotId(0), None)]);
    let pressed = desk.clone().obey(at(1000), Command::PressSlot(key("801")));
    assert_eq!(parks_in(&pressed), [(LotId(1), None)], "where the server chooses, the lot is still meant");
    assert_eq!(parks_in(&desk.clone().obey(at(1000), Command::ParkIn(SALES))), [(LotId(1), None)]);
    desk.obey(at(1000), Command::ChooseLot(None));
    assert_eq!(last_words(&desk), "p parks in lot “sales” now, where 2 slots are free");
    assert_eq!(parks_in(&desk.clone().obey(at(1001), Command::Park { slot: None })), [(LotId(1), None)]);
    desk.obey(at(1002), Command::ChooseLot(None));
    assert_eq!(parks_in(&desk.obey(at(1003), Command::Park { slot: None })), [(LotId(0), None)]);
}

#[test]
fn a_lot_that_takes_named_slots_is_told_the_slot_and_the_other_is_not() {
    let mut desk = desk_with(true);
    talking(&mut desk, 10, jane());
    let pressed = |id: &str| parks_in(&desk.clone().obey(at(1000), Command::PressSlot(key(id))));
    assert_eq!(pressed("802"), [(LotId(1), Some(slot("802")))]);
    assert_eq!(pressed("702"), [(LotId(0), None)]);
    let bar = desk.can_park(Some(&key("702")));
    assert_eq!(bar, Err(ParkBar::ServerChoosesSlot));
}

#[test]
fn a_full_lot_refuses_though_the_other_has_room_and_says_which_has() {
    let mut desk = desk();
    for id in ["701", "702", "703"] {
        lamp(&mut desk, 20, id, Lamp::Parked);
    }
    talking(&mut desk, 30, jane());
    assert_eq!(desk.obey(at(1000), Command::Park { slot: None }), []);
    let words = "not parked: every slot of lot “front” is taken: the call stays with you; “sales” has room, L chooses it";
    assert_eq!(last_words(&desk), words);
    for id in ["801", "802"] {
        lamp(&mut desk, 1100, id, Lamp::Parked);
    }
    assert_eq!(desk.can_park(None), Err(ParkBar::LotFull));
    lamp(&mut desk, 1200, "701", Lamp::Free);
    assert!(desk.can_park(None).is_ok());
    assert!(matches!(desk.can_park_in(SALES), Err(ParkBar::ThisLotFull { .. })));
}

#[test]
fn lamps_of_one_lot_that_are_stale_or_refused_keep_nobody_out_of_the_other() {
    let mut desk = desk();
    let stale = Lamp::Stale { since: at(5), was_parked: false };
    for id in ["801", "802"] {
        lamp(&mut desk, 20, id, stale.clone());
    }
    talking(&mut desk, 30, jane());
    assert!(desk.can_park(None).is_ok());
    assert_eq!(desk.can_park_in(SALES), Err(ParkBar::LampsStale));
    for id in ["801", "802"] {
        lamp(&mut desk, 40, id, Lamp::Refused { reason: Text::new("404") });
    }
    assert_eq!(desk.can_park_in(SALES), Err(ParkBar::NoLamps));
}

#[test]
fn undo_retrieve_and_the_longest_wait_are_those_of_the_lot() {
    let mut desk = desk();
    park_in_sales(&mut desk);
    assert_eq!(desk.lot_of(&key("801")).unwrap().name.as_str(), "sales");
    let undone = desk.clone().obey(at(2000), Command::Undo);
    assert!(matches!(&undone[..], [Effect::Retrieve { target, .. }] if target.slot == slot("801")));
    talking(&mut desk, 3000, bob());
    desk.obey(at(4000), Command::ParkIn(LotKey::default()));
    let call = desk.calls[0].id;
    lamp(&mut desk, 4002, "701", Lamp::Parked);
    desk.learn(at(4003), Event::ParkProven { call, slot: Some(slot("701")) });
    let takes = |command: Command| match &desk.clone().obey(at(9000), command)[..] {
        [Effect::Retrieve { target, .. }] => target.slot.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(takes(Command::RetrieveLongest), "801");
    assert_eq!(takes(Command::RetrieveLongestIn(LotKey::default())), "701");
    assert_eq!(takes(Command::RetrieveLongestIn(SALES)), "801");
    lamp(&mut desk, 9000, "801", Lamp::Free);
    assert_eq!(desk.obey(at(9001), Command::RetrieveLongestIn(SALES)), []);
    assert_eq!(last_words(&desk), "nobody is parked in lot “sales”");
}

#[test]
fn time_ladder_page_group_and_comeback_are_the_lots_own() {
    let mut desk = desk();
    park_in_sales(&mut desk);
    let parked = desk.slot(&key("801")).unwrap().parked.clone().unwrap();
    assert_eq!(parked.comes_back_at, Some((at(121_002), true)), "120 s there, no end in the other");
    let step = |desk: &Desk| desk.step_of(desk.slot(&key("801")).unwrap());
    desk.learn(at(10_500), Event::Ticked);
    assert_eq!(step(&desk), Step::Calm);
    desk.learn(at(12_000), Event::Ticked);
    assert_eq!(step(&desk), Step::Long);
    let paged = desk.obey(at(12_001), Command::Page { slot: Some(key("801")) });
    assert!(matches!(&paged[..], [Effect::Page { to, .. }] if to == "780"), "{paged:?}");
    lamp(&mut desk, 20_000, "801", Lamp::Free);
    let call = ring(&mut desk, 20_010, Identity::new("Sales 801: Jane Doe", "01614960100"));
    let back = desk.call(call).unwrap().comeback.clone().expect("a comeback");
    assert_eq!((back.slot, desk.call(call).unwrap().party.name.as_str()), (Some(slot("801")), "Jane Doe"));
}

#[test]
fn whom_a_retrieve_must_put_back_goes_into_the_lot_that_he_was_in() {
    let mut desk = desk();
    park_in_sales(&mut desk);
    desk.obey(at(1500), Command::ChooseLot(Some(LotKey::default())));
    let effects = desk.obey(at(2000), Command::PressSlot(key("801")));
    let Some(Effect::Retrieve { call, .. }) = effects.last() else { panic!("{effects:?}") };
    let call = *call;
    desk.learn(at(2010), Event::CallAnswered { call });
    let effects = desk.learn(at(2020), Event::PartyTold { call, party: bob() });
    assert_eq!(parks_in(&effects), [(LotId(1), None)], "{effects:?}");
}

#[test]
fn two_lamps_of_different_lots_that_light_together_cast_no_doubt_on_each_other() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(1000), Command::ParkIn(SALES));
    lamp(&mut desk, 1002, "801", Lamp::Parked);
    lamp(&mut desk, 1002, "701", Lamp::Parked);
    desk.learn(at(1003), Event::ParkProven { call, slot: Some(slot("801")) });
    let there = |id: &str| desk.slot(&key(id)).unwrap().parked.clone().unwrap();
    assert!(there("801").ours && there("801").parkee == jane());
    assert!(!there("701").ours && there("701").parkee.is_withheld());
    assert!(desk.undo.is_some());
}
