//! Lots that are not the nine slots 701 to 709.

use super::*;

on_each_asterisk! {
    a_lot_with_other_numbers_parks_and_gives_back_under_them,
    two_lots_of_one_account_are_parked_into_as_the_keys_say_and_a_full_one_sends_nobody_into_the_other,
    two_lots_of_two_accounts_are_parked_into_and_taken_from_each_by_its_own,
    a_lot_of_sixty_slots_is_watched_whole_and_shown_as_far_as_the_screen_goes,
}

fn a_lot_with_other_numbers_parks_and_gives_back_under_them(version: Version) {
    let asterisk =
        Asterisk::start(AsteriskOptions { first_slot: 7101, slots: 4, ..AsteriskOptions::of(version) });
    let console = Console::start(&ConsoleOptions { park_extension: "7100".into(), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    let caller = answered(&console, &jane(&asterisk));
    park(&console, 7101, "Jane Doe");
    console.wait_text("PARKED ON 7101");
    console.wait_calls(0, SOON);
    assert_eq!(asterisk.parked(), [7101]);
    console.keys("d");
    console.wait_text("a number or address");
    console.keys("7101<enter>");
    console.wait_call(&["▶", "talking", "Jane Doe", "verified"], SOON);
    console.wait_slot(7101, &["□ free"], SOON);
    assert!(caller.is_up());
}

/// `[[lots]]` of one account, as they are on a server with [`AsteriskOptions::second_lot`] “shop”.
const TWO_LOTS: &str = "[[lots]]\nname = \"front\"\npark_extension = \"700\"\nslots = \"701-703\"\n\
                        [[lots]]\nname = \"shop\"\npark_extension = \"800\"\nslots = \"801-803\"\n";

fn two_lots_of_one_account_are_parked_into_as_the_keys_say_and_a_full_one_sends_nobody_into_the_other(
    version: Version,
) {
    let asterisk = Asterisk::start(AsteriskOptions {
        slots: 3,
        second_lot: Some(SecondLot { name: "shop", slots: 801..804 }),
        ..AsteriskOptions::of(version)
    });
    let console = Console::start(&ConsoleOptions { lots: TWO_LOTS, ..reception(&asterisk) });
    console.terminal.wait_line(&["registered, reachable", "lamps fresh"], SOON);
    console.wait_text("2 lots");
    console.wait_text("› front");
    let parked = || (asterisk.parked(), asterisk.parked_in("shop"));
    let caller = answered(&console, &jane(&asterisk));
    console.wait_text("park in front");
    // The fourth lamp is the shop's first: its key means that lot, whichever is chosen.
    console.keys("4");
    console.wait_slot(801, &["■", "Jane Doe", "by you"], SOON);
    console.wait_text("PARKED ON 801 shop");
    console.wait_calls(0, SOON);
    assert_eq!(parked(), (vec![], vec![801]));
    let other = answered(&console, &stranger(&asterisk, "100", "Peter Pan", "0302"));
    park(&console, 701, "Peter Pan");
    console.wait_calls(0, SOON);
    assert_eq!(parked(), (vec![701], vec![801]));
    // The shop is full, and the front has room: whoever is to be parked in the shop stays here.
    let more = ["Ann", "Ben"].map(|name| self_parked(&asterisk, "800", name, "0303"));
    console.wait_slot(803, &["■"], SOON);
    let late = answered(&console, &stranger(&asterisk, "100", "Wendy", "0304"));
    console.keys("L");
    console.wait_text("p parks in lot “shop” now, where 0 slots are free");
    console.keys("p");
    console.wait_text("every slot of lot “shop” is taken: the call stays with you; “front” has room");
    assert_eq!(parked(), (vec![701], vec![801, 802, 803]));
    console.keys("L");
    console.keys("p");
    console.wait_slot(702, &["■", "Wendy", "by you"], SOON);
    // Undo takes back exactly her.
    console.keys("u");
    console.wait_call(&["▶", "talking", "Wendy", "verified"], SOON);
    console.keys("4");
    console.wait_call(&["▶", "talking", "Jane Doe", "verified"], SOON);
    console.wait_call(&["held", "Wendy"], SOON);
    assert_eq!(parked(), (vec![701], vec![802, 803]));
    assert!([&caller, &other, &late].iter().all(|caller| caller.is_up()) && more.iter().all(Caller::is_up));
    assert_eq!(tone_ms(&caller.voice().heard(), STRANGER_HZ), 0, "they never hear each other");
}

fn two_lots_of_two_accounts_are_parked_into_and_taken_from_each_by_its_own(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions {
        slots: 3,
        second_lot: Some(SecondLot { name: "shop", slots: 801..804 }),
        ..AsteriskOptions::of(version)
    });
    let named = |name: &str| format!("name = \"{name}\"\n");
    let shop = ConsoleOptions {
        account: named("shop"),
        lot_name: "shop",
        park_extension: "800".into(),
        slots: "801-803".into(),
        ..second_desk(&asterisk)
    };
    let console = Console::start(&ConsoleOptions {
        account: named("front desk"),
        beside: Some(Box::new(shop)),
        ..reception(&asterisk)
    });
    for slot in (701..704).chain(801..804) {
        console.wait_slot(slot, &["□ free"], SOON);
    }
    let parked = || (asterisk.parked(), asterisk.parked_in("shop"));
    let caller = answered(&console, &jane(&asterisk));
    // 801 is the fourth lamp, and no place for who came by the other account.
    console.keys("4");
    console
        .wait_text("801 is in lot “shop”, but this caller can only be parked in “front”: nothing was sent");
    assert_eq!(parked(), (vec![], vec![]));
    park(&console, 701, "Jane Doe");
    console.wait_calls(0, SOON);
    let other = answered(&console, &stranger(&asterisk, "105", "Peter Pan", "0302"));
    park(&console, 801, "Peter Pan");
    console.wait_calls(0, SOON);
    assert_eq!(parked(), (vec![701], vec![801]));
    console.keys("4");
    console.wait_call(&["▶", "talking", "Peter Pan", "verified"], SOON);
    console.wait_slot(801, &["□ free"], SOON);
    console.keys("1");
    console.wait_call(&["▶", "talking", "Jane Doe", "verified"], SOON);
    console.wait_call(&["held", "Peter Pan"], SOON);
    assert_eq!(parked(), (vec![], vec![]));
    assert!(caller.is_up() && other.is_up());
    assert_eq!(tone_ms(&caller.voice().heard(), STRANGER_HZ), 0, "they never hear each other");
}

fn a_lot_of_sixty_slots_is_watched_whole_and_shown_as_far_as_the_screen_goes(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions { slots: 60, ..AsteriskOptions::of(version) });
    let console = Console::start(&reception(&asterisk));
    console.terminal.wait_line(&["registered, reachable", "lamps fresh"], SOON);
    let first = self_parked(&asterisk, "9735", "First", "0301");
    let last = self_parked(&asterisk, "9760", "Last", "0302");
    let caller = answered(&console, &jane(&asterisk));
    park(&console, 701, "Jane Doe");
    console.wait_calls(0, SOON);
    for shown in ["3 of 60", "701 ■", "735 ■", "760 ■"] {
        console.wait_text(shown);
    }
    // What doesn't fit is counted.
    console.terminal.resize(80, 24);
    console.wait_text("1–36 shown, 1 parked elsewhere");
    // And is taken by its number.
    console.keys("P");
    console.wait_text("which slot?");
    console.keys("760");
    console.wait_text("enter takes this call");
    console.keys("<enter>");
    console.wait_text("talking");
    console.terminal.resize(160, 50);
    console.wait_call(&["▶", "talking", "Last", "unverified"], SOON);
    peers::wait_until("slot 760 to be free", SOON, || (asterisk.parked() == [701, 735]).then_some(()));
    console.wait_text("760 □ free");
    assert!(caller.is_up() && first.is_up() && last.is_up());
}
