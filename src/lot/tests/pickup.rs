//! Taking a call that rings somebody else: by the code, by the dialog that a lamp tells, and who may not.

use super::*;
use crate::sip::dialog_info::{DialogInfo, DialogState};

/// Jane calls Ann, whose phone rings.
fn jane_rings_ann(world: &mut World) -> (CallKey, CallKey) {
    let jane = world.dial(JANE, "100");
    world.run_ms(100);
    (jane, world.ringing(ANN))
}

/// The Replaces that a lamp's dialog leads to.
fn replaces(lamp: &DialogInfo) -> Option<String> {
    let dialog = &lamp.dialogs[0];
    let (call_id, local, remote) =
        (dialog.call_id.as_ref()?, dialog.local_tag.as_ref()?, dialog.remote_tag.as_ref()?);
    Some(format!("{call_id};to-tag={local};from-tag={remote};early-only"))
}

#[test]
fn the_code_and_an_extension_take_the_call_that_rings_there() {
    let mut world = office();
    let (jane, ann) = jane_rings_ann(&mut world);
    let bob = world.dial(BOB, "*8100");
    world.run_ms(100);
    assert!(world.talk(JANE, BOB) && world.is_over(ANN, ann));
    assert!(world.told_identity(BOB, bob).unwrap().contains("Jane Doe"));
    assert!(world.told_identity(JANE, jane).unwrap().contains("Bob"));
    let nobody = world.dial(BOB, "*8101");
    world.run_ms(100);
    assert_eq!(world.end_of(BOB, nobody).unwrap().0, Some(404));
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}

#[test]
fn of_two_the_one_that_rang_first_is_taken() {
    let mut world = office();
    let (_, _) = jane_rings_ann(&mut world);
    world.dial(KURT, "100");
    world.run_ms(100);
    world.dial(BOB, "*8100");
    world.run_ms(100);
    assert!(world.talk(JANE, BOB) && !world.talk(KURT, BOB));
}

#[test]
fn a_lamp_names_the_ringing_call_and_replaces_takes_it() {
    let mut world = office();
    let lamp = world.watch(BOB, "100");
    world.run_ms(100);
    jane_rings_ann(&mut world);
    let told = world.lamp(BOB, lamp);
    assert_eq!(told.dialogs[0].state, DialogState::Early);
    assert_eq!(told.dialogs[0].remote.as_ref().unwrap().display.as_deref(), Some("Jane Doe"));
    let value = replaces(&told).unwrap();
    world.dial_with(BOB, "100", &[("Replaces", &value)]);
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
    // Once more it is too late, and nobody is taken from anybody.
    let late = world.dial_with(BOB, "100", &[("Replaces", &value)]);
    world.run_ms(100);
    assert!(world.is_over(BOB, late) && world.talk(JANE, BOB));
}

#[test]
fn who_may_not_neither_takes_a_call_nor_learns_who_calls() {
    let mut config: toml::Table = OFFICE.parse().unwrap();
    let shop = config["users"][SHOP]["permissions"].as_table_mut().unwrap();
    shop.insert("pickup".into(), false.into());
    let mut world = open_office(config.try_into().unwrap());
    let (shop, bob) = (world.watch(SHOP, "100"), world.watch(BOB, "100"));
    world.run_ms(100);
    let (jane, _) = jane_rings_ann(&mut world);
    let told = world.lamp(SHOP, shop);
    assert_eq!((told.dialogs[0].state, replaces(&told)), (DialogState::Early, None));
    assert!(told.dialogs[0].remote.is_none());
    let stolen = replaces(&world.lamp(BOB, bob)).unwrap();
    for call in [world.dial(SHOP, "*8100"), world.dial_with(SHOP, "100", &[("Replaces", &stolen)])] {
        world.run_ms(100);
        assert_eq!(world.end_of(SHOP, call).unwrap().0, Some(403));
    }
    // Nor does a caller of a gateway, whatever the configuration says of it.
    let kurt = world.dial(KURT, "*8100");
    world.run_ms(100);
    assert_eq!(world.end_of(KURT, kurt).unwrap().0, Some(403));
    assert!(!world.is_over(JANE, jane));
    world.ringing(ANN);
}

#[test]
fn a_call_for_a_group_is_taken_by_the_groups_extension() {
    let group = "[[groups]]\nname='Sales'\nextension='200'\nmembers=['100']";
    let mut world = office_of("", group);
    world.dial(JANE, "200");
    world.run_ms(100);
    world.dial(BOB, "*8200");
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
}

#[test]
fn whoever_takes_a_call_and_is_gone_at_once_loses_nobody() {
    let mut world = office();
    let (jane, _) = jane_rings_ann(&mut world);
    let bob = world.dial(BOB, "*8100");
    world.run_ms(20);
    assert!(world.talk(JANE, BOB));
    world.hang_up(BOB, bob);
    world.run_s(2);
    assert!(!world.is_over(JANE, jane));
    let back = world.ringing(ANN);
    world.answer(ANN, back);
    world.run_ms(100);
    assert!(world.talk(JANE, ANN));
}

#[test]
fn a_comeback_is_taken_by_those_who_may_retrieve() {
    let mut world = office_with("parkingtime = 5");
    ann_parks_jane(&mut world);
    world.run_s(6);
    world.ringing(ANN);
    let shop = world.dial(SHOP, "*8100");
    world.run_ms(100);
    assert_eq!(world.end_of(SHOP, shop).unwrap().0, Some(403));
    world.dial(BOB, "*8100");
    world.run_ms(100);
    assert!(world.talk(JANE, BOB));
    assert_eq!(world.lot.census().parked, 0);
}

#[test]
fn a_transfer_that_rings_is_taken_and_its_sender_is_told() {
    let mut world = office();
    let (_, ann) = jane_talks_with_ann(&mut world);
    let refer = world.refer(ANN, ann, "102", &[]);
    world.run_ms(100);
    world.ringing(SHOP);
    world.dial(BOB, "*8102");
    world.run_ms(100);
    assert!(world.talk(JANE, BOB) && world.is_over(ANN, ann));
    assert_eq!(world.progress(ANN, refer).last(), Some(&200));
}
