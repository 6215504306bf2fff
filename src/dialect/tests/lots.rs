//! Two lots of one account, each with its own park extension: what one lot's lamps say proves nothing of the other, and room
//! in one is no room in the other.

use super::*;
use crate::ami::Fact;

const FRONT: LotId = LotId(0);
const SALES: LotId = LotId(1);

/// 701 and 702 are parked in by 700, 703 and 704 by 750.
fn two_lots(dialect: &str) -> Dialect {
    let lot = |park: &str, slots: [&str; 2]| LotNumbers::new(slot(park), slots.map(slot).to_vec());
    let preset = Preset::named(dialect).unwrap();
    Dialect::new(dialect, preset, vec![lot("700", ["701", "702"]), lot("750", ["703", "704"])])
}

fn talking(dialect: &str) -> Scene {
    let mut scene = Scene::registered_in(two_lots(dialect), crate::dialect::MediaSecurity::default());
    scene.ring(address(1));
    scene.run(Duration::from_millis(100));
    scene.phone.perform(scene.now, LineId::default(), Effect::Answer(CALL));
    scene.run(Duration::from_millis(100));
    scene.heard.clear();
    scene
}

fn park_in(scene: &mut Scene, lot: LotId) {
    let party = Identity::new("Jane Doe", "0161");
    let effect = Effect::Park { call: CALL, lot, slot: None, note: Text::default(), party };
    scene.phone.perform(scene.now, LineId(0), effect);
    scene.run(Duration::from_millis(1));
}

fn referred_to(scene: &Scene) -> Vec<&str> {
    scene.server.refers.iter().map(|(_, target)| target.as_str()).collect()
}

#[test]
fn each_lot_is_parked_in_by_its_own_extension_and_so_is_its_probe() {
    for (lot, park, lit) in [(FRONT, "700", "702"), (SALES, "750", "704")] {
        let mut scene = talking("asterisk");
        park_in(&mut scene, lot);
        assert_eq!(referred_to(&scene), [park]);
        scene.light(lit);
        assert_eq!(referred_to(&scene), [park, park]);
        scene.report(1, 400);
        assert_eq!(scene.proven(), Some(Some(slot(lit))));
    }
}

#[test]
fn a_lamp_of_the_other_lot_is_no_sign_of_this_park_and_casts_no_doubt_on_it() {
    let mut scene = talking("asterisk");
    park_in(&mut scene, SALES);
    scene.light("701");
    assert_eq!(referred_to(&scene), ["750"], "nothing is asked because of it");
    scene.light("703");
    scene.report(1, 400);
    assert_eq!(scene.proven(), Some(Some(slot("703"))));
    scene.light("702");
    assert!(!scene.heard.iter().any(|e| matches!(e, Event::ParkDoubted { .. })), "{:?}", scene.heard);
}

#[test]
fn a_full_lot_is_not_believed_to_have_room_because_the_other_has() {
    let mut scene = talking("asterisk");
    scene.light("703");
    park_in(&mut scene, SALES);
    // Somebody else takes the last slot; Asterisk says yes to both, and nothing to the probe.
    scene.report(0, 200);
    scene.light("704");
    scene.run(Duration::from_secs(4));
    assert_eq!(scene.proven(), None);
    assert!(scene.refused().unwrap().contains("the lot is full"), "{:?}", scene.refused());
    assert_eq!(scene.server.ended, None, "the caller is still with us");
}

#[test]
fn a_lot_with_room_speaks_for_a_park_that_nobody_answers_for() {
    let mut scene = talking("asterisk");
    park_in(&mut scene, SALES);
    scene.light("703");
    scene.run(Duration::from_secs(4));
    assert_eq!(scene.proven(), Some(Some(slot("703"))), "704 was free all the time");
}

/// Two lots of which neither has its park extension for itself (Asterisk's `parkext_exclusive`).
#[test]
fn a_caller_whom_the_server_parks_in_the_other_lot_is_told_to_be_parked_and_where_a_lamp_lit() {
    let mut scene = talking("asterisk");
    park_in(&mut scene, SALES);
    scene.light("701");
    scene.run(Duration::from_secs(9));
    assert_eq!(referred_to(&scene), ["750", "750"], "asked once more, when no lamp of the lot has lit");
    scene.report(1, 400);
    assert_eq!(scene.proven(), Some(None), "somebody else may be in 701");
    let told = |e: &Event| matches!(e, Event::Told(notice) if notice.text.as_str().starts_with("701 of another lot lit"));
    assert!(scene.heard.iter().any(told), "{:?}", scene.heard);
}

#[test]
fn lots_that_are_parked_in_by_the_same_keys_are_told_apart_by_no_lamp() {
    let mut scene = talking("asterisk-dtmf");
    park_in(&mut scene, SALES);
    scene.run(Duration::from_secs(1));
    assert_eq!(scene.keys, "#72");
    scene.light("701");
    let call = scene.server.call.unwrap();
    scene.server.ua.hang_up(scene.now, call);
    scene.run(Duration::from_millis(20));
    assert_eq!(scene.proven(), Some(Some(slot("701"))), "{:?}", scene.refused());
}

#[test]
fn a_transfer_to_either_park_extension_is_a_park_in_that_lot() {
    for (typed, lit) in [("700", "701"), ("750", "703")] {
        let mut scene = talking("asterisk");
        let effect = Effect::Transfer { call: CALL, to: typed.into() };
        scene.phone.perform(scene.now, LineId(0), effect);
        scene.run(Duration::from_millis(5));
        scene.light(lit);
        scene.report(1, 400);
        assert_eq!(scene.proven(), Some(Some(slot(lit))), "{typed}");
    }
}

#[test]
fn the_manager_interface_tells_of_all_lots() {
    let mut scene = talking("asterisk");
    scene.phone.hear_ami(scene.now, LineId(0), Fact::Connected(vec![]));
    for id in ["702", "704"] {
        scene.light(id);
        let call = super::told_by_ami::parked(id, "0777", "bob");
        scene.phone.hear_ami(scene.now, LineId(0), Fact::Parked(call));
        scene.run(Duration::from_millis(1));
        let told = |e: &Event| matches!(e, Event::LampChanged { slot: which, report } if *which == slot(id) && !report.parker.clone().unwrap_or_default().is_withheld());
        assert!(scene.heard.iter().any(told), "{id}: {:?}", scene.heard);
    }
}
