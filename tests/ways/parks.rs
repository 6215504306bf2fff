//! Ways to lose a caller while he is being parked.

use super::console::Console;
use super::model::{ACME, BOB, JANE, PATEL, Place, Why};
use super::pbx::{Setup, Tells};
use super::world::World;
use parkdeck::desk::{Command, LineId, LotId, LotKey, Phase};
use parkdeck::parking::Lamp;
use std::time::Duration;

pub const PARK: Command = Command::Park { slot: None };

pub fn press(number: &str) -> Command {
    Command::PressSlot(Console::slot_key(number))
}

/// Jane talks in a lot with one slot. It is taken by somebody whose lamp comes too late.
fn the_last_slot_is_gone(tells: Tells) -> World {
    let mut world = World::jane_talks(Setup { slots: 1, tells, ..Setup::asterisk() });
    world.pbx.setup.lamps_late = Duration::from_secs(40);
    world.colleague_parks(BOB);
    world.press(PARK);
    world
}

#[test]
fn a_202_and_a_sipfrag_200_without_a_lamp_never_end_our_leg() {
    let mut world = World::jane_talks(Setup { swallows_refer: true, ..Setup::asterisk() });
    world.press(PARK);
    world.run(1_000);
    assert!(matches!(world.place(JANE), Place::With(_)));
    world.run(20_000);
    world.is_given_back(JANE);
    world.told("Jane Doe is with you");
    world.keeps_its_promises();
}

#[test]
fn a_full_lot_that_says_200_keeps_its_caller() {
    let mut world = the_last_slot_is_gone(Tells::Identity);
    world.run(25_000);
    world.is_given_back(JANE);
    world.told("park failed");
    world.keeps_its_promises();
}

#[test]
fn a_full_lot_that_gives_no_sign_at_all_keeps_its_caller() {
    let mut world = the_last_slot_is_gone(Tells::Nothing);
    world.run(25_000);
    world.is_given_back(JANE);
    world.told("park failed");
    world.keeps_its_promises();
}

/// Parks in the second of two lots.
const PARK_IN_SECOND: Command = Command::ParkIn(LotKey { line: LineId(0), lot: LotId(1) });

#[test]
fn a_lot_that_is_full_keeps_its_caller_though_another_of_the_same_server_has_room() {
    for tells in [Tells::Identity, Tells::Nothing] {
        for lamps_late in [0, 40_000] {
            // Jane's phone is silent: the server waits half a second for it, and Bob is quicker.
            let silent_callers = Duration::from_millis(500);
            let setup = Setup { slots: 3, second: 1, tells, silent_callers, ..Setup::asterisk() };
            let mut world = World::jane_talks(setup);
            world.pbx.setup.lamps_late = Duration::from_millis(lamps_late);
            world.press(PARK_IN_SECOND);
            world.run(20);
            world.colleague_parks_in_the_second(BOB);
            world.run(25_000);
            world.is_given_back(JANE);
            world.told("park failed");
            world.keeps_its_promises();
        }
    }
}

#[test]
fn a_lamp_of_another_lot_that_lights_at_the_same_moment_is_nobodys_sign() {
    for apart in 0..8 {
        let mut world = World::jane_talks(Setup { slots: 4, second: 2, ..Setup::asterisk() });
        world.press(PARK_IN_SECOND);
        world.run(apart);
        world.colleague_parks(BOB);
        world.run(4_000);
        assert_eq!(
            (world.place(JANE), world.place(BOB)),
            (Place::Slot(2), Place::Slot(0)),
            "{}",
            world.tells()
        );
        let desk = world.consoles[0].desk();
        let shown = |slot: usize| desk.slots[slot].parked.as_ref().map(|p| p.parkee.label().to_owned());
        assert_eq!(shown(2).as_deref(), Some("Jane Doe"), "{apart} ms apart{}", world.tells());
        assert_ne!(shown(0).as_deref(), Some("Jane Doe"));
        world.keeps_its_promises();
    }
}

#[test]
fn a_lot_that_shows_as_full_is_not_even_asked() {
    let mut world = World::jane_talks(Setup::asterisk());
    world.fill(0);
    world.run(100);
    world.press(PARK);
    world.run(1_000);
    assert_eq!(world.refers(), [""; 0]);
    world.talks_with(JANE);
    world.told("every slot is taken");
    world.keeps_its_promises();
}

#[test]
fn of_two_parks_for_the_last_slot_one_is_parked_and_one_stays() {
    for apart in 0..8 {
        let mut world = World::with(Setup { slots: 1, ..Setup::asterisk() }, 2, false);
        world.talks_at(0, JANE);
        world.talks_at(1, BOB);
        world.press_at(0, PARK);
        world.run(apart);
        world.press_at(1, PARK);
        world.run(12_000);
        let parked = [JANE, BOB].iter().filter(|who| world.place(**who) == Place::Slot(0)).count();
        let with = [JANE, BOB].iter().filter(|who| matches!(world.place(**who), Place::With(_))).count();
        assert_eq!((parked, with), (1, 1), "{apart} ms apart{}", world.tells());
        world.keeps_its_promises();
    }
}

#[test]
fn of_two_parks_at_once_neither_is_shown_as_the_other() {
    for apart in 0..8 {
        let mut world = World::with(Setup::asterisk(), 2, false);
        world.talks_at(0, JANE);
        world.talks_at(1, BOB);
        world.press_at(0, PARK);
        world.run(apart);
        world.press_at(1, PARK);
        world.run(4_000);
        for console in &world.consoles {
            for slot in &console.desk().slots {
                let index = world.pbx.slot_numbered(slot.id.as_str()).unwrap();
                let truly = world.pbx.model.who_is(Place::Slot(index));
                let shown = slot.parked.as_ref().filter(|p| !p.parkee.is_withheld());
                let right = shown.is_none_or(|p| truly.is_some_and(|truly| truly.is(&p.parkee)));
                assert!(right, "{apart} ms apart, {}: {shown:?} is {truly:?}", console.user);
            }
        }
        world.keeps_its_promises();
    }
}

#[test]
fn a_colleagues_park_that_lights_a_lamp_is_no_proof_of_ours() {
    let mut world = World::jane_talks(Setup { slots: 1, ..Setup::asterisk() });
    // The colleague is quicker by a hair; his lamp lights just when ours should.
    world.colleague_parks(BOB);
    world.press(PARK);
    world.run(12_000);
    world.is_given_back(JANE);
    assert_eq!(world.place(BOB), Place::Slot(0));
    world.told("park failed");
    world.keeps_its_promises();
}

#[test]
fn a_refused_refer_gives_the_caller_back_at_once_with_the_reason() {
    for status in [403, 404, 405, 488, 500, 503, 603] {
        let mut world = World::jane_talks(Setup { refuses_refer: Some(status), ..Setup::asterisk() });
        world.press(PARK);
        world.run(500);
        world.told("park failed");
        world.is_given_back(JANE);
        assert_eq!(world.refers().len(), 1, "{status}: not tried again by itself");
        world.keeps_its_promises();
    }
}

#[test]
fn a_refer_that_nobody_answers_gives_the_caller_back() {
    let mut world = World::jane_talks(Setup::asterisk());
    world.console_loses("REFER sip", 1_000);
    world.press(PARK);
    world.run(60_000);
    world.is_given_back(JANE);
    world.told("park failed");
    world.keeps_its_promises();
}

#[test]
fn a_refer_that_arrives_half_a_minute_late_has_been_withdrawn_or_parks_and_is_seen() {
    let mut world = World::jane_talks(Setup::asterisk());
    // Every copy but the last is lost: Timer E repeats it for 32 s.
    world.console_loses("REFER sip", 9);
    world.press(PARK);
    world.run(60_000);
    let held = matches!(world.place(JANE), Place::With(_));
    let parked = world.place(JANE) == Place::Slot(0) && world.consoles[0].lamp("701") == Lamp::Parked;
    assert!(held || parked, "{:?}", world.place(JANE));
    world.keeps_its_promises();
}

#[test]
fn a_lost_202_is_repeated_and_parks_once() {
    let mut world = World::jane_talks(Setup::asterisk());
    world.server_loses("SIP/2.0 202", 1);
    world.press(PARK);
    world.run(3_000);
    assert_eq!(world.place(JANE), Place::Slot(0));
    assert_eq!(world.pbx.model.parks, 1);
    world.told("Jane Doe is parked on 701");
    world.keeps_its_promises();
}

#[test]
fn a_lamp_that_is_lost_for_a_while_is_waited_for() {
    let mut world = World::jane_talks(Setup::asterisk());
    world.server_loses("<state>confirmed", 2);
    world.press(PARK);
    world.run(1_000);
    assert_eq!(world.consoles[0].desk().calls.len(), 1, "not ended without its proof");
    world.run(6_000);
    world.told("Jane Doe is parked on 701");
    assert_eq!(world.place(JANE), Place::Slot(0));
    world.keeps_its_promises();
}

#[test]
fn a_lamp_that_lights_five_seconds_late_is_proof_enough() {
    let mut world = World::jane_talks(Setup::asterisk());
    // Whoever asks for it meanwhile is told that it is free, too.
    world.pbx.lies.insert(0, false);
    world.press(PARK);
    world.run(5_000);
    assert_eq!(world.consoles[0].desk().calls.len(), 1, "not ended without its proof");
    world.pbx.lies.clear();
    world.pbx.tell_lamp(world.now, 0);
    world.settle();
    world.run(1_000);
    world.told("Jane Doe is parked on 701");
    assert_eq!(world.place(JANE), Place::Slot(0));
    world.keeps_its_promises();
}

#[test]
fn a_lamp_that_never_lights_is_made_up_for_by_the_probe() {
    let mut world = World::jane_talks(Setup::asterisk());
    world.pbx.lies.insert(0, false);
    world.press(PARK);
    world.run(20_000);
    // He is in 701, whose lamp says that it is free; the server has said that nobody is left to transfer.
    assert_eq!(world.place(JANE), Place::Slot(0));
    world.told("Jane Doe is parked");
    assert_eq!(world.consoles[0].desk().calls.len(), 0);
    world.pbx.lies.clear();
    world.pbx.tell_lamp(world.now, 0);
    world.settle();
    world.keeps_its_promises();
}

#[test]
fn a_slot_that_is_on_no_board_is_found_out_by_the_probe() {
    let mut world = World::jane_talks(Setup { slots: 1, hidden: 2, ..Setup::asterisk() });
    world.pbx.lies.insert(0, false);
    world.colleague_parks(BOB);
    world.press(PARK);
    world.run(20_000);
    assert_eq!(world.place(JANE), Place::Slot(1));
    world.pbx.lies.clear();
    world.pbx.tell_lamp(world.now, 0);
    world.settle();
    world.told("the server doesn't say where");
    world.keeps_its_promises();
}

#[test]
fn a_lost_answer_to_the_probe_loses_nobody() {
    let mut world = World::jane_talks(Setup::asterisk());
    world.server_loses("SIP/2.0 400", 1);
    world.press(PARK);
    world.run(6_000);
    assert_eq!(world.place(JANE), Place::Slot(0));
    world.told("Jane Doe is parked on 701");
    world.keeps_its_promises();
}

#[test]
fn a_probe_that_parks_after_all_is_noticed() {
    let mut world = World::jane_talks(Setup { slots: 1, ..Setup::asterisk() });
    world.colleague_parks(BOB);
    world.press(PARK);
    world.run(20);
    // Room again, before the server has looked at the probe.
    world.console_loses("REFER sip", 1);
    world.colleague_takes(0);
    world.run(15_000);
    let with_us = matches!(world.place(JANE), Place::With(_));
    let seen = world.place(JANE) == Place::Slot(0) && world.consoles[0].lamp("701") == Lamp::Parked;
    assert!(with_us || seen, "{:?}", world.place(JANE));
    world.keeps_its_promises();
}

#[test]
fn a_silent_callers_park_takes_half_a_second_more_and_is_proven_all_the_same() {
    let silent = Setup { silent_callers: Duration::from_millis(500), ..Setup::asterisk() };
    let mut world = World::jane_talks(silent);
    world.press(PARK);
    world.run(3_000);
    assert_eq!(world.place(JANE), Place::Slot(0));
    world.told("Jane Doe is parked on 701");
    world.keeps_its_promises();
}

#[test]
fn a_caller_who_hangs_up_at_any_moment_of_his_park_leaves_nothing_behind() {
    for ms in (0..40).chain([200, 1_000, 2_610, 4_000]) {
        let mut world = World::jane_talks(Setup::asterisk());
        world.press(PARK);
        world.run(ms);
        world.hangs_up(JANE);
        world.run(20_000);
        assert_eq!(world.ended(JANE), Some(Why::OwnWish));
        assert_eq!(world.consoles[0].lamp("701"), Lamp::Free, "{ms} ms");
        world.keeps_its_promises();
    }
}

#[test]
fn a_caller_who_hangs_up_while_a_full_lot_speaks_is_told_of_and_nobody_else_is_ended() {
    let mut world = the_last_slot_is_gone(Tells::Identity);
    world.run(300);
    world.hangs_up(JANE);
    world.run(70_000);
    assert_eq!(world.place(BOB), Place::Colleague, "he came back to the colleague");
    assert_eq!(world.consoles[0].desk().calls.len(), 0);
    world.keeps_its_promises();
}

#[test]
fn x_between_refer_and_proof_is_not_obeyed() {
    for (mut world, end) in [
        (World::jane_talks(Setup::asterisk()), Place::Slot(0)),
        (the_last_slot_is_gone(Tells::Identity), Place::Outside),
    ] {
        world.press(PARK);
        for _ in 0..5 {
            world.press(Command::HangUp);
            world.run(1);
        }
        world.told("on the way");
        world.run(12_000);
        if end == Place::Outside {
            world.is_given_back(JANE);
        } else {
            assert_eq!(world.place(JANE), end);
        }
        world.keeps_its_promises();
    }
}

#[test]
fn leaving_the_program_between_refer_and_proof_ends_no_leg() {
    let mut world = the_last_slot_is_gone(Tells::Identity);
    world.run(2);
    world.press(Command::Quit);
    world.press(Command::Quit);
    world.run(1_000);
    assert!(matches!(world.place(JANE), Place::With(_)), "{:?}", world.place(JANE));
    world.keeps_its_promises();
}

#[test]
fn a_park_key_pressed_again_and_again_sends_one_refer() {
    let mut world = World::jane_talks(Setup::asterisk());
    for _ in 0..10 {
        world.press(PARK);
        world.press(press("702"));
    }
    world.run(3_000);
    // The second is the probe, which found nobody left.
    assert_eq!(world.refers(), ["700", "700"]);
    assert_eq!(world.pbx.model.parks, 1);
    world.keeps_its_promises();
}

#[test]
fn two_parks_of_one_operator_are_never_taken_for_each_other() {
    let mut world = World::jane_talks(Setup::asterisk());
    world.talks(BOB);
    // Bob in hand, Jane on hold: both parked in one breath.
    world.press(PARK);
    let jane = world.consoles[0].desk().calls.iter().find(|c| JANE.is(&c.party)).map(|c| c.id).unwrap();
    world.press(Command::Take(jane));
    world.press(PARK);
    world.run(8_000);
    for who in [JANE, BOB] {
        let Place::Slot(slot) = world.place(who) else { panic!("{:?}", world.place(who)) };
        let key = Console::slot_key(&world.pbx.number(slot));
        let shown = world.consoles[0].desk().slot(&key).and_then(|slot| slot.parked.clone()).unwrap();
        assert!(who.is(&shown.parkee), "{} is shown as {:?}", who.name(), shown.parkee);
    }
    world.keeps_its_promises();
}

#[test]
fn a_caller_on_hold_is_parked_and_if_that_fails_is_on_hold_again() {
    for full in [false, true] {
        let mut world = World::jane_talks(Setup { slots: 1, ..Setup::asterisk() });
        world.press(Command::Hold);
        world.run(100);
        if full {
            world.pbx.setup.lamps_late = Duration::from_secs(40);
            world.colleague_parks(BOB);
        }
        world.press(PARK);
        world.run(12_000);
        if full {
            world.told("Jane Doe is on hold");
            assert_eq!(world.spoken_to(0), None);
            assert!(matches!(world.place(JANE), Place::With(_)));
        } else {
            assert_eq!(world.place(JANE), Place::Slot(0));
        }
        world.keeps_its_promises();
    }
}

#[test]
fn a_park_that_overtakes_its_hold_waits_for_it() {
    let mut world = World::jane_talks(Setup::asterisk());
    world.press(Command::Hold);
    world.press(PARK);
    world.run(3_000);
    assert_eq!(world.place(JANE), Place::Slot(0));
    world.told("Jane Doe is parked on 701");
    world.keeps_its_promises();
}

#[test]
fn a_failed_park_never_takes_the_microphone_from_the_caller_answered_meanwhile() {
    let mut world = the_last_slot_is_gone(Tells::Identity);
    world.rings(PATEL);
    world.run(100);
    world.press(Command::Answer);
    world.run(12_000);
    world.talks_with(PATEL);
    world.told("park failed");
    assert!(matches!(world.place(JANE), Place::With(_)));
    let jane = world.consoles[0].desk().calls.iter().find(|c| JANE.is(&c.party)).unwrap();
    assert_eq!(jane.phase, Phase::Held);
    world.keeps_its_promises();
}

#[test]
fn a_named_slot_that_was_taken_meanwhile_becomes_the_next_free_one_and_joins_nobody() {
    let mut world = World::with(Setup::asterisk(), 1, true);
    world.talks(JANE);
    world.pbx.setup.lamps_late = Duration::from_secs(3);
    world.colleague_parks(BOB);
    world.press(press("701"));
    world.run(12_000);
    assert_eq!(world.refers().first().map(String::as_str), Some("9701"));
    assert_eq!((world.place(BOB), world.place(JANE)), (Place::Slot(0), Place::Slot(1)));
    world.keeps_its_promises();
}

#[test]
fn a_named_slot_that_shows_as_taken_is_not_sent_to() {
    let mut world = World::with(Setup::asterisk(), 1, true);
    world.talks(JANE);
    world.colleague_parks(BOB);
    world.run(100);
    world.press(Command::Park { slot: Some(Console::slot_key("701")) });
    world.run(500);
    assert_eq!(world.refers(), [""; 0]);
    world.told("701 is taken");
    world.talks_with(JANE);
    world.keeps_its_promises();
}

#[test]
fn a_transfer_typed_to_a_slot_or_the_park_extension_is_parked_with_the_same_care() {
    for (typed, occupied) in [
        ("701", false),
        ("701", true),
        ("sip:701@10.0.0.1", true),
        ("7 01", true),
        ("700", false),
        ("9701", true),
        ("sip:9701@10.0.0.1", true),
    ] {
        let mut world = World::with(Setup::asterisk(), 1, true);
        world.talks(JANE);
        if occupied {
            world.colleague_parks(BOB);
            world.run(100);
        }
        world.press(Command::Transfer { to: typed.to_owned() });
        world.run(3_000);
        let never = ["701"];
        assert!(world.refers().iter().all(|target| !never.contains(&target.as_str())), "{typed}");
        let fine = matches!(world.place(JANE), Place::With(_) | Place::Slot(_));
        assert!(fine, "{typed}: {:?}", world.place(JANE));
        world.keeps_its_promises();
    }
}

#[test]
fn a_transfer_that_succeeds_is_no_loss_and_one_that_is_refused_gives_back() {
    let mut world = World::jane_talks(Setup::asterisk());
    world.press(Command::Transfer { to: "110".to_owned() });
    world.run(1_000);
    assert_eq!(world.place(JANE), Place::Colleague);
    assert_eq!(world.consoles[0].desk().calls.len(), 0);
    world.keeps_its_promises();
    let mut world = World::jane_talks(Setup { refuses_refer: Some(603), ..Setup::asterisk() });
    world.press(Command::Transfer { to: "110".to_owned() });
    world.run(1_000);
    world.is_given_back(JANE);
    world.keeps_its_promises();
}

#[test]
fn a_transferred_caller_whose_202_comes_but_nothing_more_stays() {
    let mut world = World::jane_talks(Setup { swallows_refer: true, ..Setup::asterisk() });
    world.press(Command::Transfer { to: "110".to_owned() });
    world.run(30_000);
    assert!(matches!(world.place(JANE), Place::With(_)));
    world.keeps_its_promises();
}

#[test]
fn a_caller_taken_out_of_the_slot_before_his_park_was_proven_is_not_ended() {
    for ms in 0..12 {
        let mut world = World::jane_talks(Setup::asterisk());
        world.press(PARK);
        world.run(ms);
        world.colleague_takes(0);
        world.run(15_000);
        let fine = matches!(world.place(JANE), Place::Colleague | Place::Slot(_) | Place::With(_));
        assert!(fine, "{ms} ms: {:?}", world.place(JANE));
        world.keeps_its_promises();
    }
}

#[test]
fn a_lot_of_one_slot_parks_again_and_again() {
    let mut world = World::calm(Setup { slots: 1, ..Setup::asterisk() });
    for who in [JANE, BOB, ACME] {
        world.is_parked(who, 0);
        world.press(press("701"));
        world.run(1_000);
        world.talks_with(who);
        world.press(Command::HangUp);
        world.run(500);
        assert_eq!(world.ended(who), Some(Why::Dismissed));
    }
    world.keeps_its_promises();
}

#[test]
fn a_slot_freed_while_a_full_lot_speaks_proves_nothing_about_our_park() {
    // The lot is full, Bob's lamp lights late, so that it looks like ours; then Bob is fetched: there is room *now*.
    let setup = Setup { slots: 1, tells: Tells::Nothing, ..Setup::asterisk() };
    let mut world = World::jane_talks(setup);
    world.pbx.setup.lamps_late = Duration::from_millis(20);
    world.colleague_parks(BOB);
    world.press(PARK);
    world.run(600);
    world.colleague_takes(0);
    world.run(12_000);
    world.is_given_back(JANE);
    world.keeps_its_promises();
}
