//! A phone sends a call on (302): followed within the plan, with its user's rights, a bounded number of times.

use super::*;
use crate::sip::message::{NameAddr, Uri};

/// A phone answers the call that rings with 302 to that number.
fn send_on(world: &mut World, phone: usize, number: &str) {
    let call = world.ringing(phone);
    let place = NameAddr::new(Uri::sip(number, "elsewhere.example"));
    let now = world.now;
    let contact = vec![("Contact".to_owned(), place.to_string())];
    world.phones[phone].agent.reject(now, call, 302, contact);
    world.run_ms(50);
}

#[test]
fn a_call_rings_where_the_phone_sends_it_and_says_for_whom_it_was() {
    let mut world = office();
    let jane = world.dial(JANE, "100");
    world.run_ms(50);
    send_on(&mut world, ANN, "101");
    assert!(!world.is_over(JANE, jane));
    let bob = world.ringing(BOB);
    let diversion = world.invite_of(BOB, bob).headers.get("Diversion").unwrap().to_owned();
    assert!(
        diversion.contains("sip:100@parkdeck") && diversion.ends_with("reason=deflection"),
        "{diversion}"
    );
    world.answer(BOB, bob);
    world.run_ms(50);
    assert!(world.talk(JANE, BOB));
    assert_eq!(world.noticed(|n| matches!(n, Notice::SentOn { .. })), 1);
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}

#[test]
fn whoever_sends_a_call_on_does_it_for_all_his_phones() {
    let mut world = office();
    let second = world.add_phone("ann", "ann", "Ann");
    world.register(second);
    world.run_ms(50);
    world.dial(JANE, "100");
    world.run_ms(50);
    let other = world.ringing(second);
    send_on(&mut world, ANN, "101");
    world.run_ms(50);
    assert!(world.is_over(second, other), "his other phone stops ringing");
    world.ringing(BOB);
}

#[test]
fn nobody_is_sent_in_circles_nor_into_the_lot_nor_nowhere() {
    let mut world = office();
    let jane = world.dial(JANE, "100");
    world.run_ms(50);
    send_on(&mut world, ANN, "101");
    // Bob sends it back to Ann, who has sent it on already: for him that is a no.
    send_on(&mut world, BOB, "100");
    assert!(world.try_ringing(ANN).is_none());
    assert_eq!(world.end_of(JANE, jane).unwrap().0, Some(480));
    for nowhere in ["700", "701", "999", "100"] {
        let jane = world.dial(JANE, "100");
        world.run_ms(50);
        send_on(&mut world, ANN, nowhere);
        assert_eq!(world.end_of(JANE, jane).unwrap().0, Some(480), "{nowhere}");
    }
    assert_eq!(world.lot.census().parked, 0);
    world.assert_at_rest();
}

#[test]
fn outside_only_for_users_who_may_call_there() {
    for (may, status) in [(false, 480), (true, 480)] {
        let trunk = "[[trunks]]\nname='p'\nserver='192.0.2.99'\nusername='u'\nregister=false\n\
                     outbound=[{prefix='0',min_digits=4}]";
        let mut world = office_as(|config| {
            config.extend(trunk.parse::<toml::Table>().unwrap());
            let rights: toml::Table = format!("trunk = {may}").parse().unwrap();
            config["users"][ANN].as_table_mut().unwrap().insert("permissions".into(), rights.into());
        });
        let jane = world.dial(JANE, "100");
        world.run_ms(50);
        send_on(&mut world, ANN, "0301234567");
        // Nobody answers for the trunk here; whether it was wanted is what counts.
        assert_eq!(world.end_of(JANE, jane).unwrap().0, Some(status));
        assert_eq!(world.noticed(|n| matches!(n, Notice::SentOn { .. })), usize::from(may));
    }
}

#[test]
fn no_member_sends_on_what_its_group_is_called_for() {
    let mut world = office_of("", "[[groups]]\nname='All'\nextension='200'\nmembers=['100','101']");
    let jane = world.dial(JANE, "200");
    world.run_ms(50);
    send_on(&mut world, ANN, "102");
    assert!(world.try_ringing(SHOP).is_none() && !world.is_over(JANE, jane));
    let bob = world.ringing(BOB);
    world.answer(BOB, bob);
    world.run_ms(50);
    assert!(world.talk(JANE, BOB));
}

#[test]
fn a_transfer_and_a_comeback_follow_too() {
    let mut world = office();
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    world.refer(ANN, at_ann, "101", &[]);
    world.run_ms(50);
    send_on(&mut world, BOB, "102");
    let shop = world.ringing(SHOP);
    world.answer(SHOP, shop);
    world.run_ms(50);
    assert!(world.talk(JANE, SHOP));
    let mut world = office();
    ann_parks_jane(&mut world);
    world.run_s(61);
    send_on(&mut world, ANN, "101");
    let bob = world.ringing(BOB);
    world.answer(BOB, bob);
    world.run_ms(50);
    assert!(world.talk(JANE, BOB));
    assert_eq!(world.lot.census().parked, 0);
}
