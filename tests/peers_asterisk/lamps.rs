//! What lamps say, watched one by one or as a list.

use super::*;

on_each_asterisk! {
    a_lamp_says_free_or_taken_and_a_number_without_a_hint_is_refused_in_words,
    one_subscription_tells_the_lamps_of_a_list_and_what_it_leaves_out_is_watched_by_itself,
}

/// What the server told of this extension's lamp, the oldest first: bodies of dialog-info.
fn told_of(asterisk: &Asterisk, slot: u16) -> Vec<String> {
    let entity = format!("entity=\"sip:{slot}@");
    let messages = asterisk.sip_messages().into_iter();
    messages.filter(|m| !m.received && m.text.contains(&entity)).map(|m| m.text).collect()
}

/// Which extensions the console has subscribed to for their lamps, each once.
fn watched(asterisk: &Asterisk) -> Vec<String> {
    let messages = asterisk.sip_messages();
    let lamps = messages
        .iter()
        .filter(|m| m.received && m.kind() == "SUBSCRIBE" && m.header("Event") == Some("dialog"));
    let user = |m: &SipMessage| m.head().split(['@', ':']).nth(1).map(str::to_string);
    let mut users: Vec<String> = lamps.filter_map(user).collect();
    users.sort();
    users.dedup();
    users
}

fn a_lamp_says_free_or_taken_and_a_number_without_a_hint_is_refused_in_words(version: Version) {
    let asterisk = Asterisk::start(AsteriskOptions { slots: 3, ..AsteriskOptions::of(version) });
    asterisk.log_sip();
    // 700 is the lot's own park extension and has no lamp; 799 is nothing at all.
    let options =
        ConsoleOptions { park_extension: "790".into(), slots: "700-703, 799".into(), ..reception(&asterisk) };
    let console = Console::start(&options);
    for unknown in [700, 799] {
        console.wait_slot(unknown, &["✕ refused: no hint for this slot on the server (404)"], SOON);
    }
    for slot in asterisk.slots() {
        console.wait_slot(slot, &["□ free"], SOON);
    }
    console.terminal.wait_line(&["registered, reachable", "2 refused"], SOON);
    assert!(told_of(&asterisk, 701).iter().all(|body| body.contains("<state>terminated</state>")));
    let caller = self_parked(&asterisk, "700", "Jane Doe", "01614960100");
    console.wait_slot(701, &["■", "~somebody"], SOON);
    // Whom the server doesn't name, the board doesn't name.
    let told = told_of(&asterisk, 701);
    assert!(
        told.last().is_some_and(|body| body.contains("<state>confirmed</state>") && !body.contains("Jane"))
    );
    console.keys("2");
    console.wait_call(&["▶", "talking", "Jane Doe", "unverified"], SOON);
    console.wait_slot(701, &["□ free"], SOON);
    console.keys("x");
    caller.wait_ended_by_peer(SOON);
    asterisk.wait_for_channels(0, SOON);
}

fn one_subscription_tells_the_lamps_of_a_list_and_what_it_leaves_out_is_watched_by_itself(version: Version) {
    let parks = ResourceList { name: "parks", items: vec![701, 702, 703] };
    let asterisk =
        Asterisk::start(AsteriskOptions { slots: 4, lists: vec![parks], ..AsteriskOptions::of(version) });
    asterisk.log_sip();
    let console =
        Console::start(&ConsoleOptions { lot: "list = \"parks\"\n".into(), ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());
    assert_eq!(watched(&asterisk), ["704", "parks"]);
    let caller = answered(&console, &jane(&asterisk));
    park(&console, 701, "Jane Doe");
    console.wait_calls(0, SOON);
    let told = told_of(&asterisk, 701);
    let last = told.last().expect("the lamp was told");
    assert!(last.contains("fullState=\"false\"") && !last.contains("sip:702@"), "only what changed: {last}");
    let second = self_parked(&asterisk, "700", "Second", "0302");
    console.wait_slot(702, &["■", "~somebody"], SOON);
    let third = self_parked(&asterisk, "9704", "Third", "0303");
    console.wait_slot(704, &["■", "~somebody"], SOON);
    console.keys("1");
    console.wait_call(&["▶", "talking", "Jane Doe", "verified"], SOON);
    console.wait_slot(701, &["□ free"], SOON);
    console.wait_slot(702, &["■"], SOON);
    assert_eq!(asterisk.parked(), [702, 704]);
    assert!(caller.is_up() && second.is_up() && third.is_up());
    console.keys("x");
    console.wait_calls(0, SOON);
    console.leave();
}
