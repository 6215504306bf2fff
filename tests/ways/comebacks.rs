//! Ways to lose a caller whose time in the slot is over, or to take him for somebody else.

use super::model::{BOB, JANE, PATEL, Place, Why};
use super::parks::{PARK, press};
use super::pbx::Setup;
use super::world::World;
use parkdeck::desk::{Command, RingTone};
use parkdeck::parking::Lamp;
use std::time::Duration;

fn soon() -> Setup {
    let parking_time = Duration::from_secs(10);
    Setup { parking_time, comeback_rings: Duration::from_secs(8), ..Setup::asterisk() }
}

/// Jane is parked, and her time is over in so many milliseconds.
fn janes_time_is_over_in(ms: u64) -> World {
    let mut world = World::calm(soon());
    world.is_parked(JANE, 0);
    let parked = world.pbx.parkings[&JANE].since;
    let over = parked + Duration::from_secs(10) - Duration::from_millis(ms);
    let wait = over.saturating_sub(world.now);
    world.run(u64::try_from(wait.as_millis()).unwrap());
    world
}

#[test]
fn a_comeback_rings_as_one_and_says_from_where() {
    let mut world = janes_time_is_over_in(0);
    world.run(100);
    assert!(matches!(world.place(JANE), Place::Ringing(_)));
    world.told("Jane Doe comes back from 701, waited 0:10");
    assert_eq!(world.consoles[0].desk().sound_plan().ring, RingTone::Comeback);
    world.press(Command::Answer);
    world.run(200);
    world.talks_with(JANE);
    world.keeps_its_promises();
}

#[test]
fn a_comeback_while_talking_rings_on_and_the_microphone_stays_where_it_is() {
    let mut world = janes_time_is_over_in(2_000);
    world.talks(BOB);
    world.run(3_000);
    assert!(matches!(world.place(JANE), Place::Ringing(_)));
    world.talks_with(BOB);
    world.press(Command::Answer);
    world.run(300);
    world.talks_with(JANE);
    assert!(matches!(world.place(BOB), Place::With(_)));
    world.keeps_its_promises();
}

#[test]
fn a_comeback_that_nobody_answers_is_ended_by_the_servers_rule_and_by_nothing_of_ours() {
    let mut world = janes_time_is_over_in(0);
    world.run(10_000);
    assert_eq!(world.ended(JANE), Some(Why::ServersRule));
    assert_eq!(world.consoles[0].desk().calls.len(), 0);
    world.keeps_its_promises();
}

#[test]
fn a_slots_key_in_the_moment_of_the_comeback_loses_nobody() {
    for ms in 0..12 {
        let mut world = janes_time_is_over_in(6);
        world.run(ms);
        world.press(press("701"));
        world.run(3_000);
        let fine = matches!(world.place(JANE), Place::With(_) | Place::Ringing(_));
        assert!(fine, "{ms} ms: {:?}", world.place(JANE));
        world.press(Command::Answer);
        world.run(500);
        if let Some(spoken) = world.spoken_to(0) {
            assert_eq!(spoken, JANE);
        }
        world.keeps_its_promises();
    }
}

#[test]
fn undo_in_the_moment_of_the_comeback_loses_nobody() {
    for ms in 0..12 {
        let mut world = World::calm(Setup { parking_time: Duration::from_secs(5), ..soon() });
        world.is_parked(JANE, 0);
        let over = world.pbx.parkings[&JANE].since + Duration::from_millis(4_994 + ms);
        let wait = over.saturating_sub(world.now);
        world.run(u64::try_from(wait.as_millis()).unwrap());
        world.press(Command::Undo);
        world.run(3_000);
        let fine = matches!(world.place(JANE), Place::With(_) | Place::Ringing(_));
        assert!(fine, "{ms} ms: {:?}", world.place(JANE));
        world.keeps_its_promises();
    }
}

#[test]
fn a_comeback_whose_lamp_is_late_is_answered_as_the_caller_he_is() {
    let mut world = janes_time_is_over_in(0);
    world.server_loses("<state>terminated", 3);
    world.run(100);
    world.told("Jane Doe comes back from 701");
    world.press(Command::Answer);
    world.run(300);
    world.talks_with(JANE);
    world.run(10_000);
    assert_eq!(world.consoles[0].lamp("701"), Lamp::Free);
    world.keeps_its_promises();
}

#[test]
fn another_caller_who_rings_as_somebody_comes_back_is_not_taken_for_him() {
    let mut world = janes_time_is_over_in(0);
    world.rings(BOB);
    world.run(100);
    let desk = world.consoles[0].desk();
    let of = |who: super::model::CallerId| desk.calls.iter().find(|c| who.is(&c.party)).unwrap();
    assert!(of(JANE).comeback.is_some());
    assert!(of(BOB).comeback.is_none());
    world.keeps_its_promises();
}

#[test]
fn a_caller_who_hangs_up_while_he_comes_back_is_gone_by_his_own_wish() {
    for ms in 0..12 {
        let mut world = janes_time_is_over_in(4);
        world.run(ms);
        world.hangs_up(JANE);
        world.run(2_000);
        assert_eq!(world.ended(JANE), Some(Why::OwnWish));
        assert_eq!(world.consoles[0].desk().calls.len(), 0, "{ms} ms");
        world.keeps_its_promises();
    }
}

#[test]
fn a_comeback_is_parked_again_and_comes_back_again() {
    let mut world = janes_time_is_over_in(0);
    for _ in 0..3 {
        world.run(100);
        world.press(Command::Answer);
        world.run(300);
        world.talks_with(JANE);
        world.press(PARK);
        world.run(1_000);
        assert_eq!(world.place(JANE), Place::Slot(0));
        world.run(9_100);
        assert!(matches!(world.place(JANE), Place::Ringing(_)), "{:?}", world.place(JANE));
    }
    world.keeps_its_promises();
}

#[test]
fn x_just_as_a_comeback_begins_to_ring_spares_him() {
    let mut world = janes_time_is_over_in(0);
    world.run(30);
    world.press(Command::HangUp);
    world.run(200);
    assert!(matches!(world.place(JANE), Place::Ringing(_)), "{:?}", world.place(JANE));
    world.keeps_its_promises();
}

#[test]
fn an_answer_in_the_moment_in_which_the_server_gives_up_reaches_nobody_and_harms_nobody() {
    for ms in 0..8 {
        let mut world = janes_time_is_over_in(0);
        world.run(7_997 + ms);
        world.press(Command::Answer);
        world.run(5_000);
        let fine = match world.place(JANE) {
            Place::With(_) => world.spoken_to(0) == Some(JANE),
            place => place == Place::Outside && world.consoles[0].desk().calls.is_empty(),
        };
        assert!(fine, "{ms} ms{}", world.tells());
        world.keeps_its_promises();
    }
}

#[test]
fn a_comeback_of_a_colleagues_caller_never_rings_here_and_his_slot_is_free_again() {
    let mut world = World::calm(soon());
    world.colleague_parks(PATEL);
    world.run(11_000);
    assert_eq!(world.place(PATEL), Place::Colleague);
    assert_eq!(world.consoles[0].desk().calls.len(), 0);
    assert_eq!(world.consoles[0].lamp("701"), Lamp::Free);
    world.keeps_its_promises();
}

#[test]
fn a_comeback_with_every_line_busy_still_rings() {
    let mut world = World::calm(soon());
    world.is_parked(JANE, 0);
    for who in 1..6 {
        world.talks(super::model::CallerId(who));
    }
    world.run(11_000);
    assert!(matches!(world.place(JANE), Place::Ringing(_)), "{:?}", world.place(JANE));
    world.keeps_its_promises();
}
