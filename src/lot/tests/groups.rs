//! Ring groups: everybody at once, one after another, and what comes behind them; and who is busy.

use super::*;

const SALES: &str = r#"
    [[groups]]
    name = "Sales"
    extension = "200"
    members = ["100", "bob"]
    timeout = 15
"#;

#[test]
fn a_group_rings_all_its_members_and_the_first_to_answer_gets_the_call() {
    let mut world = office_of("", SALES);
    let call = world.dial(JANE, "200");
    world.run_ms(100);
    let (ann, bob) = (world.ringing(ANN), world.ringing(BOB));
    assert!(world.try_ringing(SHOP).is_none());
    let to = world.invite_of(ANN, ann).headers.to().unwrap();
    assert_eq!((to.display.as_deref(), to.uri.user.as_deref()), (Some("Sales"), Some("200")));
    world.answer(BOB, bob);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB) && world.is_over(ANN, ann));
    world.hang_up(JANE, call);
    world.assert_at_rest();
}

#[test]
fn who_says_no_in_a_group_says_it_for_himself_alone() {
    let mut world = office_of("", SALES);
    let call = world.dial(JANE, "200");
    world.run_ms(100);
    let (ann, bob) = (world.ringing(ANN), world.ringing(BOB));
    world.reject(ANN, ann, 603);
    world.run_ms(100);
    assert!(!world.is_over(JANE, call) && !world.is_over(BOB, bob), "Bob's phone goes on ringing");
    world.reject(BOB, bob, 486);
    world.run_ms(100);
    assert_eq!(world.end_of(JANE, call).unwrap().0, Some(486));
    world.assert_at_rest();
}

#[test]
fn one_after_another_each_for_his_time_and_then_the_fallback() {
    let mut world = office_of("", &format!("{SALES}\nstrategy = 'linear'\nfallback = '102'"));
    let call = world.dial(JANE, "200");
    world.run_ms(100);
    let ann = world.ringing(ANN);
    assert!(world.try_ringing(BOB).is_none());
    world.run_s(15);
    assert!(world.is_over(ANN, ann));
    let bob = world.ringing(BOB);
    world.reject(BOB, bob, 480);
    world.run_ms(100);
    let shop = world.ringing(SHOP);
    world.run_s(60);
    world.answer(SHOP, shop);
    world.run_ms(100);
    assert!(world.talk(JANE, SHOP));
    world.hang_up(JANE, call);
    world.assert_at_rest();
}

#[test]
fn members_on_a_call_are_passed_over_unless_the_group_says_otherwise() {
    for (lines, rings) in [("", false), ("ringinuse = true", true)] {
        let mut world = office_of("", &format!("{SALES}\n{lines}"));
        talk(&mut world, KURT, ANN, "100");
        world.dial(JANE, "200");
        world.run_ms(100);
        assert_eq!(world.try_ringing(ANN).is_some(), rings);
        world.ringing(BOB);
    }
}

#[test]
fn groups_that_fall_back_on_one_another_come_to_an_end() {
    let two = "[[groups]]\nname='A'\nextension='200'\nmembers=['100']\ntimeout=5\nfallback='201'\n\
               [[groups]]\nname='B'\nextension='201'\nmembers=['101']\ntimeout=5\nfallback='200'";
    let mut world = office_of("", two);
    let call = world.dial(JANE, "200");
    world.run_s(60);
    assert_eq!(world.end_of(JANE, call).unwrap().0, Some(480));
    world.assert_at_rest();
}

#[test]
fn a_call_that_is_given_up_stops_the_group_and_its_lamp_goes_out() {
    let mut world = office_of("", SALES);
    let lamp = world.watch(SHOP, "200");
    world.run_ms(100);
    let state = |world: &World| world.lamp(SHOP, lamp).dialogs[0].state;
    assert_eq!(state(&world), crate::sip::dialog_info::DialogState::Terminated);
    let call = world.dial(JANE, "200");
    world.run_ms(100);
    assert_eq!(state(&world), crate::sip::dialog_info::DialogState::Early);
    world.hang_up(JANE, call);
    world.run_ms(100);
    assert_eq!(state(&world), crate::sip::dialog_info::DialogState::Terminated);
    assert!(world.try_ringing(ANN).is_none() && world.try_ringing(BOB).is_none());
}

#[test]
fn a_call_is_transferred_to_a_group_and_a_parked_one_falls_back_on_it() {
    let mut world = office_of("comebacktoorigin = false\nfallback = '200'\nparkingtime = 5", SALES);
    let (_, ann) = jane_talks_with_ann(&mut world);
    let refer = world.refer(ANN, ann, "200", &[]);
    world.run_ms(100);
    let bob = world.ringing(BOB);
    world.answer(BOB, bob);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
    assert_eq!(world.progress(ANN, refer).last(), Some(&200));
    world.refer(BOB, bob, "700", &[]);
    world.run_s(6);
    let ann = world.ringing(ANN);
    world.ringing(BOB);
    world.answer(ANN, ann);
    world.run_ms(100);
    assert!(world.talk(JANE, ANN));
}

#[test]
fn a_user_with_as_many_calls_as_he_wants_is_busy() {
    let mut config: toml::Table = OFFICE.parse().unwrap();
    config["users"][0].as_table_mut().unwrap().insert("max_calls".into(), 1.into());
    let mut world = open_office(config.try_into().unwrap());
    let first = world.dial(KURT, "100");
    world.run_ms(100);
    let second = world.dial(JANE, "100");
    world.run_ms(100);
    assert_eq!(world.end_of(JANE, second).unwrap().0, Some(486), "one that rings counts");
    world.hang_up(KURT, first);
    world.run_ms(100);
    jane_talks_with_ann(&mut world);
}
