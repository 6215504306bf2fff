//! The ways that every server has, on each of them: what FreeSWITCH, BroadWorks, PortSIP and the rest do otherwise than
//! Asterisk must be nobody's loss either.

use super::model::{BOB, JANE, PATEL, Place, Why};
use super::parks::press;
use super::pbx::{Kind, Setup};
use super::world::{Mishap, World};
use parkdeck::desk::Command;
use parkdeck::parking::Lamp;
use std::time::Duration;

fn on_each(play: impl Fn(Setup)) {
    for kind in Kind::ALL {
        play(Setup { parking_time: Duration::from_secs(300), ..Setup::of(kind) });
    }
}

fn jane_is_parked(setup: Setup) -> World {
    let mut world = World::calm(setup);
    world.is_parked(JANE, 0);
    world
}

/// Never, at any moment of so long, does the operator speak to anybody.
fn speaks_to_nobody_for(world: &mut World, ms: u64) {
    for _ in 0..ms / 10 {
        world.run(10);
        assert_eq!(world.spoken_to(0), None, "{}", world.tells());
    }
}

#[test]
fn who_is_parked_is_who_is_fetched() {
    on_each(|setup| {
        let mut world = World::calm(setup);
        world.is_parked(JANE, 0);
        world.is_parked(BOB, 1);
        for (slot, who) in [("702", BOB), ("701", JANE)] {
            world.press(press(slot));
            world.run(1_000);
            world.talks_with(who);
        }
        world.keeps_its_promises();
    });
}

#[test]
fn a_lot_that_is_full_though_a_lamp_says_free_loses_nobody() {
    on_each(|setup| {
        let mut world = World::jane_talks(Setup { slots: 1, ..setup });
        world.pbx.lies.insert(0, false);
        world.colleague_parks(BOB);
        world.parks(0, 0);
        world.run(25_000);
        assert_eq!(world.place(BOB), Place::Slot(0));
        // With us, or, where the dialplan had her already, at our door again.
        let there = matches!(world.place(JANE), Place::With(_) | Place::Ringing(_));
        assert!(there, "{:?}{}", world.place(JANE), world.tells());
        world.pbx.lies.clear();
        world.pbx.tell_lamp(world.now, 0);
        world.settle();
        world.keeps_its_promises();
    });
}

#[test]
fn two_consoles_want_the_last_slot_and_both_callers_are_kept() {
    on_each(|setup| {
        for apart in 0..6 {
            let mut world = World::with(Setup { slots: 1, ..setup.clone() }, 2, false);
            world.talks_at(0, JANE);
            world.talks_at(1, BOB);
            world.parks(0, 0);
            world.run(apart);
            world.parks(1, 0);
            world.run(12_000);
            for who in [JANE, BOB] {
                let kept = matches!(world.place(who), Place::Slot(0) | Place::With(_) | Place::Ringing(_));
                assert!(kept, "{apart} ms apart: {:?}{}", world.place(who), world.tells());
            }
            world.keeps_its_promises();
        }
    });
}

#[test]
fn two_consoles_name_the_same_slot_and_nobody_is_joined() {
    on_each(|setup| {
        for apart in 0..6 {
            let mut world = World::with(setup.clone(), 2, true);
            world.talks_at(0, JANE);
            world.talks_at(1, BOB);
            world.press_at(0, press("702"));
            world.run(apart);
            world.press_at(1, press("702"));
            world.run(12_000);
            assert_ne!(world.place(JANE), world.place(BOB));
            world.keeps_its_promises();
        }
    });
}

#[test]
fn two_consoles_fetch_the_same_caller_and_one_speaks() {
    on_each(|setup| {
        for apart in 0..6 {
            let mut world = World::with(setup.clone(), 2, false);
            world.is_parked(JANE, 0);
            world.press_at(0, press("701"));
            world.run(apart);
            world.press_at(1, press("701"));
            world.run(1_500);
            let spoken = [world.spoken_to(0), world.spoken_to(1)];
            assert_eq!(spoken.iter().flatten().count(), 1, "{apart} ms apart: {spoken:?}");
            world.run(10_000);
            assert!(matches!(world.place(JANE), Place::With(_)));
            world.keeps_its_promises();
        }
    });
}

#[test]
fn an_empty_slot_that_shows_as_taken_is_spoken_to_by_nobody_and_left_again() {
    on_each(|setup| {
        let mut world = jane_is_parked(setup);
        world.pbx.lies.insert(0, true);
        world.colleague_takes(0);
        world.press(press("701"));
        speaks_to_nobody_for(&mut world, 8_000);
        world.pbx.lies.clear();
        // On FreeSWITCH the operator sits in the stall now; x twice at most lets go of it.
        for _ in 0..2 {
            world.press(Command::HangUp);
            world.run(4_000);
        }
        world.pbx.tell_lamp(world.now, 0);
        world.settle();
        world.run(500);
        assert_eq!(world.consoles[0].desk().calls.len(), 0, "{}", world.consoles[0].calls());
        assert_eq!(world.consoles[0].lamp("701"), Lamp::Free);
        world.keeps_its_promises();
    });
}

#[test]
fn a_stranger_in_a_slot_that_was_used_again_is_not_spoken_to() {
    on_each(|setup| {
        if setup.kind == Kind::BroadWorks {
            // Its lamp has named him: no stranger.
            return;
        }
        let mut world = jane_is_parked(setup);
        world.pbx.lies.insert(0, true);
        world.colleague_takes(0);
        world.colleague_parks(BOB);
        world.pbx.lies.clear();
        world.run(100);
        world.press(press("701"));
        speaks_to_nobody_for(&mut world, 3_000);
        let kept = matches!(world.place(BOB), Place::Slot(_) | Place::With(_));
        assert!(kept, "{:?}{}", world.place(BOB), world.tells());
        world.keeps_its_promises();
    });
}

#[test]
fn a_refer_that_is_refused_or_forgotten_gives_the_caller_back() {
    on_each(|setup| {
        if matches!(setup.kind, Kind::AsteriskDtmf | Kind::BroadWorks) {
            return;
        }
        for (refuses_refer, swallows_refer) in [(Some(403), false), (Some(603), false), (None, true)] {
            let mut world = World::jane_talks(Setup { refuses_refer, swallows_refer, ..setup.clone() });
            world.parks(0, 0);
            world.run(20_000);
            world.told("park failed");
            world.is_given_back(JANE);
            world.keeps_its_promises();
        }
    });
}

#[test]
fn a_caller_who_hangs_up_at_any_moment_of_park_or_retrieve_leaves_nothing_behind() {
    on_each(|setup| {
        for ms in (0..24).step_by(2).chain([200, 1_000, 4_000]) {
            let mut world = World::jane_talks(setup.clone());
            world.parks(0, 0);
            world.run(ms);
            world.hangs_up(JANE);
            world.run(15_000);
            assert_eq!(world.ended(JANE), Some(Why::OwnWish));
            assert_eq!(world.consoles[0].lamp("701"), Lamp::Free, "{ms} ms");
            world.talks(PATEL);
            world.parks(0, 0);
            world.run(4_000);
            world.press(press("701"));
            world.run(ms);
            world.hangs_up(PATEL);
            world.run(15_000);
            if matches!(setup.kind, Kind::FreeSwitch | Kind::PortSip) {
                // The operator sits in the stall himself, or has a leg that the server leaves to him: x lets go of it.
                for _ in 0..4 {
                    world.press(Command::Choose { forward: false });
                    world.press(Command::HangUp);
                    world.run(4_000);
                }
            }
            assert_eq!(world.consoles[0].desk().calls.len(), 0, "{ms} ms{}", world.tells());
            world.keeps_its_promises();
        }
    });
}

#[test]
fn one_mishap_at_any_step_of_a_park_loses_nobody() {
    for mishap in [Mishap::Loss, Mishap::Double, Mishap::Dark, Mishap::Restart] {
        on_each(|setup| {
            for step in 0..14 {
                let mut world = World::jane_talks(setup.clone());
                world.mishap_at(step, mishap);
                world.parks(0, 0);
                world.run(20_000);
                world.dark = false;
                world.run(60_000);
                let kept = matches!(world.place(JANE), Place::With(_) | Place::Slot(_));
                let kept = kept || mishap == Mishap::Restart;
                assert!(kept, "{mishap:?} at {step}: {:?}{}", world.place(JANE), world.tells());
                world.keeps_its_promises();
            }
        });
    }
}

#[test]
fn one_mishap_at_any_step_of_a_retrieve_loses_nobody() {
    for mishap in [Mishap::Loss, Mishap::Double, Mishap::HangsUp(JANE), Mishap::Restart] {
        on_each(|setup| {
            for step in 0..12 {
                let mut world = jane_is_parked(setup.clone());
                world.mishap_at(step, mishap);
                world.press(press("701"));
                world.run(60_000);
                if matches!(mishap, Mishap::Loss | Mishap::Double) {
                    world.talks_with(JANE);
                }
                world.keeps_its_promises();
            }
        });
    }
}

#[test]
fn a_comeback_while_talking_waits_for_its_answer() {
    on_each(|setup| {
        let mut world = World::calm(Setup { parking_time: Duration::from_secs(10), ..setup });
        world.is_parked(JANE, 0);
        world.talks(BOB);
        world.run(11_000);
        assert!(matches!(world.place(JANE), Place::Ringing(_)), "{:?}", world.place(JANE));
        world.talks_with(BOB);
        world.press(Command::Answer);
        world.run(500);
        world.talks_with(JANE);
        assert!(matches!(world.place(BOB), Place::With(_)));
        world.keeps_its_promises();
    });
}

#[test]
fn keys_that_nobody_listens_to_park_nobody_and_the_caller_is_back() {
    let mut world = World::jane_talks(Setup { feature_codes: false, ..Setup::of(Kind::AsteriskDtmf) });
    world.parks(0, 0);
    world.run(20_000);
    world.told("you may not park here");
    world.is_given_back(JANE);
    world.keeps_its_promises();
}

#[test]
fn of_two_held_calls_the_one_that_was_meant_is_parked_by_a_call_to_the_code() {
    let mut world = World::jane_talks(Setup::of(Kind::BroadWorks));
    world.talks(BOB);
    // Bob in hand, Jane on hold already: the server moves whoever was held last.
    world.parks(0, 1);
    world.run(3_000);
    assert_eq!(world.place(BOB), Place::Slot(1), "{}", world.tells());
    let jane = world.consoles[0].desk().calls.iter().find(|c| JANE.is(&c.party)).map(|c| c.id).unwrap();
    // Jane stays on hold while Patel is answered and held: Jane is meant, Patel was held last.
    world.talks(PATEL);
    world.press(Command::Hold);
    world.run(200);
    world.press(Command::Take(jane));
    world.run(200);
    world.parks(0, 0);
    world.run(3_000);
    assert_eq!(world.place(JANE), Place::Slot(0), "{}", world.tells());
    assert!(matches!(world.place(PATEL), Place::With(_)));
    world.keeps_its_promises();
}

#[test]
fn whom_the_server_moves_instead_of_the_one_that_was_meant_is_shown_as_himself_and_nobody_is_lost() {
    let mut world = World::jane_talks(Setup::of(Kind::BroadWorks));
    world.press(Command::Hold);
    world.run(200);
    world.talks(BOB);
    world.press(Command::Hold);
    world.run(200);
    // Both on hold, Bob last; Jane is chosen without being resumed, and parked: a server may take the last one held.
    for _ in 0..2 {
        world.press(Command::Choose { forward: false });
    }
    world.parks(0, 0);
    world.run(15_000);
    let Some(there) = world.pbx.model.who_is(Place::Slot(0)) else { panic!("{}", world.tells()) };
    let key = super::console::Console::slot_key("701");
    let shown = world.consoles[0].desk().slot(&key).and_then(|slot| slot.parked.clone()).unwrap();
    assert!(there.is(&shown.parkee), "{} is shown as {:?}", there.name(), shown.parkee);
    assert!(matches!(world.place(JANE), Place::With(_) | Place::Slot(0)), "{}", world.tells());
    world.keeps_its_promises();
}

#[test]
fn an_announcement_that_delays_the_lamp_behind_the_bye_is_waited_for() {
    let mut world = World::jane_talks(Setup { announces: true, ..Setup::of(Kind::FreeSwitch) });
    world.parks(0, 0);
    world.run(6_000);
    assert_eq!(world.place(JANE), Place::Slot(0));
    world.told("Jane Doe is parked on 701");
    world.keeps_its_promises();
}
