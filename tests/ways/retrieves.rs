//! Ways to get the wrong caller, or nobody, out of a slot, and to lose him on the way.

use super::console::Console;
use super::model::{ACME, BOB, CallerId, EVE, JANE, NOBODY, PATEL, Place, Why};
use super::parks::{PARK, press};
use super::pbx::{Setup, Tells};
use super::world::World;
use parkdeck::desk::{Command, Phase};
use parkdeck::parking::{Lamp, Strength};
use std::time::Duration;

/// Jane was parked by us; now somebody else is in her slot, and no lamp has told of it.
fn a_stranger_is_in_janes_slot() -> World {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    world.pbx.lies.insert(0, true);
    world.colleague_takes(0);
    world.colleague_parks(BOB);
    assert_eq!(world.place(BOB), Place::Slot(0));
    world.pbx.lies.clear();
    world.run(100);
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
fn the_caller_who_was_seen_is_the_caller_who_is_spoken_to() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    world.is_parked(BOB, 1);
    world.press(press("702"));
    world.run(1_000);
    world.talks_with(BOB);
    assert_eq!(world.consoles[0].desk().hand().and_then(|c| c.strength), Some(Strength::Verified));
    world.keeps_its_promises();
}

#[test]
fn an_empty_slot_that_answers_200_is_no_caller() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    world.pbx.lies.insert(0, true);
    world.colleague_takes(0);
    world.press(press("701"));
    speaks_to_nobody_for(&mut world, 6_000);
    world.told("was not retrieved");
    world.pbx.lies.clear();
    world.keeps_its_promises();
}

#[test]
fn an_empty_slots_voice_is_not_spoken_to_though_it_is_accepted_by_a_key() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    world.pbx.lies.insert(0, true);
    world.colleague_takes(0);
    world.press(press("701"));
    world.run(3_000);
    world.told("the server doesn't say who this is");
    world.press(Command::Answer);
    world.run(4_000);
    assert_eq!(world.consoles[0].desk().calls.len(), 0, "the voice has ended, and the call with it");
    world.pbx.lies.clear();
    world.keeps_its_promises();
}

#[test]
fn of_two_operators_who_want_one_slot_one_wins_and_the_other_speaks_to_nobody() {
    for apart in 0..8 {
        let mut world = World::with(Setup::asterisk(), 2, false);
        world.is_parked(JANE, 0);
        world.press_at(0, press("701"));
        world.run(apart);
        world.press_at(1, press("701"));
        world.run(1_500);
        let spoken = [world.spoken_to(0), world.spoken_to(1)];
        assert_eq!(spoken.iter().flatten().count(), 1, "{apart} ms apart: {spoken:?}");
        world.run(6_000);
        assert!(matches!(world.place(JANE), Place::With(_)));
        world.keeps_its_promises();
    }
}

#[test]
fn a_stranger_in_a_slot_that_was_used_again_is_not_spoken_to_and_goes_back() {
    let mut world = a_stranger_is_in_janes_slot();
    world.press(press("701"));
    speaks_to_nobody_for(&mut world, 3_000);
    world.told("holds Bob Roe now, not Jane Doe: not spoken to, going back");
    assert!(matches!(world.place(BOB), Place::Slot(_)), "{:?}", world.place(BOB));
    world.told("nobody spoke to them");
    world.keeps_its_promises();
}

#[test]
fn a_stranger_who_can_t_go_back_because_the_lot_is_full_waits_on_hold_unspoken_to() {
    let mut world = a_stranger_is_in_janes_slot();
    world.pbx.setup.lamps_late = Duration::from_secs(40);
    for who in [PATEL, ACME] {
        world.colleague_parks(who);
    }
    world.press(press("701"));
    // The slot that he leaves is taken at once.
    while world.place(BOB) == Place::Slot(0) {
        world.run(1);
    }
    world.pbx.leaving.clear();
    assert_eq!(world.colleague_parks(EVE), Some(0));
    speaks_to_nobody_for(&mut world, 14_000);
    assert!(matches!(world.place(BOB), Place::With(_)), "{:?}", world.place(BOB));
    world.told("held with you, microphone closed");
    world.keeps_its_promises();
}

#[test]
fn a_stranger_who_hangs_up_on_his_way_back_is_no_loss() {
    for ms in [0, 1, 2, 5, 22, 25, 30, 40, 100] {
        let mut world = a_stranger_is_in_janes_slot();
        world.press(press("701"));
        world.run(ms);
        world.hangs_up(BOB);
        world.run(10_000);
        assert_eq!(world.ended(BOB), Some(Why::OwnWish));
        world.keeps_its_promises();
    }
}

#[test]
fn a_server_that_never_says_who_it_is_waits_for_the_operators_key() {
    let mut world = World::calm(Setup { tells: Tells::Nothing, ..Setup::asterisk() });
    world.is_parked(JANE, 0);
    world.press(press("701"));
    speaks_to_nobody_for(&mut world, 4_000);
    world.press(Command::Answer);
    world.run(100);
    world.talks_with(JANE);
    assert_eq!(world.consoles[0].desk().hand().and_then(|c| c.strength), Some(Strength::Unverified));
    world.keeps_its_promises();
}

#[test]
fn an_enter_before_the_question_was_asked_opens_no_microphone() {
    let mut world = World::calm(Setup { tells: Tells::Nothing, ..Setup::asterisk() });
    world.is_parked(JANE, 0);
    world.press(press("701"));
    world.run(500);
    world.press(Command::Answer);
    speaks_to_nobody_for(&mut world, 1_000);
    world.keeps_its_promises();
}

#[test]
fn a_withheld_caller_is_spoken_to_only_by_the_operators_key() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(NOBODY, 0);
    world.press(press("701"));
    speaks_to_nobody_for(&mut world, 4_000);
    world.press(Command::Answer);
    world.run(100);
    world.talks_with(NOBODY);
    world.keeps_its_promises();
}

#[test]
fn a_stranger_behind_a_withheld_caller_is_never_called_proven() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(NOBODY, 0);
    world.pbx.lies.insert(0, true);
    world.colleague_takes(0);
    world.colleague_parks(BOB);
    world.pbx.lies.clear();
    world.press(press("701"));
    world.run(3_000);
    let strength = world.consoles[0].desk().hand().and_then(|c| c.strength);
    assert_ne!(strength, Some(Strength::Verified));
    world.keeps_its_promises();
}

#[test]
fn x_before_the_server_has_answered_a_retrieve_puts_the_caller_back() {
    for ms in 0..6 {
        let mut world = World::calm(Setup::asterisk());
        world.is_parked(JANE, 0);
        world.press(press("701"));
        world.run(ms);
        world.press(Command::HangUp);
        world.run(8_000);
        let fine = matches!(world.place(JANE), Place::Slot(_));
        assert!(fine || world.spoken_to(0) == Some(JANE), "{ms} ms: {:?}", world.place(JANE));
        world.keeps_its_promises();
    }
}

#[test]
fn x_while_the_proof_is_missing_puts_the_caller_back_unheard() {
    let mut world = World::calm(Setup { tells: Tells::Nothing, ..Setup::asterisk() });
    world.is_parked(JANE, 0);
    world.press(press("701"));
    world.run(3_000);
    world.press(Command::HangUp);
    speaks_to_nobody_for(&mut world, 3_000);
    assert!(matches!(world.place(JANE), Place::Slot(_)), "{:?}", world.place(JANE));
    world.keeps_its_promises();
}

#[test]
fn a_parked_caller_who_hangs_up_as_he_is_fetched_is_missed_by_nobody() {
    for ms in 0..30 {
        let mut world = World::calm(Setup::asterisk());
        world.is_parked(JANE, 0);
        world.press(press("701"));
        world.run(ms);
        world.hangs_up(JANE);
        world.run(8_000);
        assert_eq!(world.consoles[0].desk().calls.len(), 0, "{ms} ms");
        assert_eq!(world.consoles[0].lamp("701"), Lamp::Free);
        world.keeps_its_promises();
    }
}

#[test]
fn a_lost_200_to_a_retrieve_is_repeated_and_brings_him() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    world.server_loses("SIP/2.0 200", 2);
    world.press(press("701"));
    world.run(4_000);
    world.talks_with(JANE);
    world.keeps_its_promises();
}

#[test]
fn an_invite_that_never_arrives_leaves_the_caller_in_his_slot() {
    let mut world = World::calm(Setup { parking_time: Duration::from_secs(90), ..Setup::asterisk() });
    world.is_parked(JANE, 0);
    world.console_loses("INVITE sip:701", 1_000);
    world.press(press("701"));
    world.run(40_000);
    assert_eq!(world.place(JANE), Place::Slot(0));
    assert_eq!(world.consoles[0].desk().calls.len(), 0);
    world.keeps_its_promises();
}

#[test]
fn an_identity_that_overtakes_its_200_still_verifies() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    // The 200 is repeated after 500 ms; the UPDATE is there before.
    world.server_loses("CSeq: 1 INVITE", 1);
    world.press(press("701"));
    world.run(4_000);
    world.talks_with(JANE);
    world.keeps_its_promises();
}

#[test]
fn a_lost_identity_is_repeated_and_the_microphone_waits_for_it() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    world.server_loses("UPDATE sip", 1);
    world.press(press("701"));
    speaks_to_nobody_for(&mut world, 400);
    world.run(1_000);
    world.talks_with(JANE);
    world.keeps_its_promises();
}

#[test]
fn with_a_call_in_hand_an_occupied_slots_key_holds_it_first_and_joins_nobody() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    world.talks(BOB);
    world.press(press("701"));
    assert_eq!(world.spoken_to(0), None, "the microphone is closed at once");
    world.run(1_000);
    world.talks_with(JANE);
    assert!(matches!(world.place(BOB), Place::With(_)));
    let bob = world.consoles[0].desk().calls.iter().find(|c| BOB.is(&c.party)).unwrap();
    assert_eq!(bob.phase, Phase::Held);
    world.keeps_its_promises();
}

#[test]
fn a_hold_that_is_refused_while_another_is_fetched_closes_the_microphone_all_the_same() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    world.talks(BOB);
    world.console_loses("a=sendonly", 1_000);
    world.press(press("701"));
    world.run(2_000);
    world.talks_with(JANE);
    world.loses_no_more();
    world.keeps_its_promises();
}

#[test]
fn undo_brings_back_exactly_the_caller_who_was_parked_last() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(BOB, 0);
    world.is_parked(JANE, 1);
    world.press(Command::Undo);
    world.run(1_000);
    world.talks_with(JANE);
    world.keeps_its_promises();
}

#[test]
fn undo_after_the_slot_was_used_again_speaks_to_no_stranger() {
    let mut world = a_stranger_is_in_janes_slot();
    world.press(Command::Undo);
    speaks_to_nobody_for(&mut world, 3_000);
    assert!(matches!(world.place(BOB), Place::Slot(_)), "{:?}", world.place(BOB));
    world.keeps_its_promises();
}

#[test]
fn the_longest_parked_is_fetched_and_no_other() {
    let mut world = World::calm(Setup::asterisk());
    for (slot, who) in [JANE, BOB, PATEL].into_iter().enumerate() {
        world.is_parked(who, slot);
        world.run(2_000);
    }
    world.press(Command::RetrieveLongest);
    world.run(1_000);
    world.talks_with(JANE);
    world.keeps_its_promises();
}

#[test]
fn whom_a_colleague_fetched_first_is_not_spoken_to_and_not_ended() {
    for ms in 0..6 {
        let mut world = World::calm(Setup::asterisk());
        world.is_parked(JANE, 0);
        world.colleague_takes(0);
        world.run(ms);
        world.press(press("701"));
        speaks_to_nobody_for(&mut world, 6_000);
        assert_eq!(world.place(JANE), Place::Colleague, "{ms} ms");
        world.keeps_its_promises();
    }
}

#[test]
fn a_number_dialled_that_is_a_slots_is_fetched_with_the_care_of_its_key() {
    let mut world = a_stranger_is_in_janes_slot();
    world.press(Command::Dial("701".to_owned()));
    speaks_to_nobody_for(&mut world, 3_000);
    assert!(matches!(world.place(BOB), Place::Slot(_)), "{:?}", world.place(BOB));
    world.press(Command::Dial("703".to_owned()));
    world.run(500);
    assert!(!world.pbx.invites_seen.contains(&"703".to_owned()), "nobody is in it: nothing was sent");
    world.keeps_its_promises();
}

#[test]
fn a_retrieve_that_is_up_only_after_the_hand_has_gone_on_waits_on_hold() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    world.rings(BOB);
    world.run(50);
    world.server_loses("CSeq: 1 INVITE", 2);
    world.press(press("701"));
    world.run(5);
    world.press(Command::Answer);
    world.run(4_000);
    world.talks_with(BOB);
    let jane = world.consoles[0].desk().calls.iter().find(|c| JANE.is(&c.party)).unwrap();
    assert_eq!(jane.phase, Phase::Held);
    world.keeps_its_promises();
}

#[test]
fn two_callers_with_one_number_are_both_somebodys_and_neither_is_lost() {
    // A company's trunk: the same number twice. The second is Jane's as far as any number says.
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    world.is_parked(CallerId(1), 1);
    for slot in ["701", "702"] {
        world.press(press(slot));
        world.run(1_000);
        assert!(world.spoken_to(0).is_some());
        world.press(PARK);
        world.run(1_000);
    }
    assert!(matches!((world.place(JANE), world.place(BOB)), (Place::Slot(_), Place::Slot(_))));
    world.keeps_its_promises();
}

#[test]
fn a_slots_key_pressed_again_while_it_is_asked_sends_nothing_more() {
    let mut world = World::calm(Setup::asterisk());
    world.is_parked(JANE, 0);
    for _ in 0..5 {
        world.press(press("701"));
    }
    world.press(Command::RetrieveLongest);
    world.run(1_000);
    assert_eq!(world.pbx.invites_seen, ["701"]);
    world.talks_with(JANE);
    let key = Console::slot_key("701");
    assert!(world.consoles[0].desk().slot(&key).is_some_and(|slot| slot.asking.is_none()));
    world.keeps_its_promises();
}
