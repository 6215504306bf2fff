//! Two consoles that want the same thing at the same moment.

use super::*;

on_each_asterisk! {
    two_consoles_that_park_at_once_each_know_where_their_caller_is_or_say_that_they_don_t,
    of_two_consoles_that_take_the_same_caller_one_has_him_and_the_other_is_told,
}

/// What the second operator says, Hz.
const SECOND_HZ: f64 = 3100.0;

/// Presses this key at both consoles within microseconds; who is first changes with the round.
fn both_press(desks: [&Console; 2], key: &str, round: usize) {
    for turn in 0..2 {
        desks[(round + turn) % 2].terminal.keys(key);
    }
}

fn two_consoles_that_park_at_once_each_know_where_their_caller_is_or_say_that_they_don_t(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions::of(version));
    let first = Console::start(&reception(&asterisk));
    let second = Console::start(&second_desk(&asterisk));
    first.wait_ready(asterisk.slots());
    second.wait_ready(asterisk.slots());
    for round in 0..4 {
        // Other people each time: who calls again a moment after he left a slot would count as its comeback.
        let caller = |extension: &str, name: &str| {
            let name = format!("{name} {round}");
            CallerOptions::new(asterisk.sip(), extension, &name, &format!("04{extension}{round}"))
        };
        let people = [caller("100", "Jane").tone(JANE_HZ), caller("105", "Peter").tone(STRANGER_HZ)];
        let desks = [&first, &second];
        let callers: Vec<Caller> =
            desks.iter().zip(&people).map(|(desk, person)| answered(desk, person)).collect();
        asterisk.log_sip();
        both_press(desks, "p", round);
        for desk in desks {
            desk.wait_calls(0, Duration::from_secs(12));
            desk.wait_slot(701, &["■"], SOON);
            desk.wait_slot(702, &["■"], SOON);
        }
        assert_eq!(asterisk.parked(), [701, 702]);
        assert!(callers.iter().all(Caller::is_up));
        for (desk, person) in desks.iter().zip(&people) {
            // A moment later the second lamp may have cast doubt.
            let named = |slot: &u16| desk.slot(*slot).contains(&person.name);
            let slots: Vec<u16> = [701, 702].into_iter().filter(named).collect();
            let truth = asterisk.slot_of(&person.number);
            match slots.as_slice() {
                [slot] => assert_eq!(Some(*slot), truth, "round {round}: {} is elsewhere", person.name),
                _ => {
                    desk.wait_text(&format!("{} is on 701 or 702: two parks met", person.name));
                }
            }
            eprintln!("round {round}: {} is in {truth:?}, the board says {slots:?}", person.name);
        }
        for mut caller in callers {
            caller.hang_up();
        }
        asterisk.wait_for_channels(0, SOON);
        for desk in desks {
            desk.wait_slot(701, &["□ free"], SOON);
            desk.wait_slot(702, &["□ free"], SOON);
        }
    }
}

fn of_two_consoles_that_take_the_same_caller_one_has_him_and_the_other_is_told(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions::of(version));
    let cards = [SoundCard::start(OPERATOR_HZ as u32), SoundCard::start(SECOND_HZ as u32)];
    let first = Console::start(&ConsoleOptions { card: Some(&cards[0]), ..reception(&asterisk) });
    let second = Console::start(&ConsoleOptions { card: Some(&cards[1]), ..second_desk(&asterisk) });
    first.wait_ready(asterisk.slots());
    second.wait_ready(asterisk.slots());
    let desks = [&first, &second];
    let caller = answered(&first, &jane(&asterisk));
    for round in 0..3 {
        let holder = desks.iter().position(|desk| !desk.calls().is_empty()).expect("one has her");
        desks[holder].keys("p");
        for desk in desks {
            desk.wait_calls(0, SOON);
            desk.wait_slot(701, &["■"], SOON);
        }
        let before = cards.each_ref().map(|card| card.played().len());
        both_press(desks, "1", round);
        let talks = |desk: &Console| desk.calls().iter().any(|call| call.contains("talking"));
        let winner =
            peers::wait_until("one of them to have her", SOON, || desks.iter().position(|desk| talks(desk)));
        let loser = 1 - winner;
        desks[winner].wait_call(&["▶", "talking", "Jane Doe"], SOON);
        // By the server's voice and BYE, or already by the lamp when the other was quicker than this key.
        let told = [
            "Jane Doe was not retrieved",
            "the caller was not retrieved",
            "701 is free, and there is no call",
        ];
        let told = desks[loser].wait_any(&told, Duration::from_secs(12));
        desks[loser].wait_calls(0, SOON);
        let voices = [OPERATOR_HZ, SECOND_HZ];
        assert!(caller.voice().hears(voices[winner], SOON), "round {round}: she hears who has her");
        assert!(cards[winner].hears(JANE_HZ, SOON));
        assert!(caller.voice().hears_nothing_of(voices[loser], Duration::from_millis(500)));
        let heard = cards[loser].played();
        assert_eq!(tone_ms(&heard[before[loser]..], JANE_HZ), 0, "round {round}: the loser never heard her");
        eprintln!("round {round}: {} had her, the other: {told}", ["the first", "the second"][winner]);
    }
    assert!(caller.is_up());
}
