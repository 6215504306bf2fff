//! Messages from user to user: to every phone, from whom the lot has proven, bounded.

use super::*;
use crate::lot::relay::{MAX_MESSAGE_BODY, MAX_RELAYS};
use crate::sip::message::{Method, Request};

const TEXT: (&str, &str) = ("Content-Type", "text/plain");

/// The messages that a phone got.
fn received(world: &World, phone: usize) -> Vec<Request> {
    let messages = world.phones[phone].events.iter().filter_map(|event| match event {
        Event::RequestReceived { request, .. } if request.method == Method::Message => {
            Some((**request).clone())
        }
        _ => None,
    });
    messages.collect()
}

#[test]
fn a_message_reaches_the_other_and_says_who_wrote_it_whatever_the_writer_claims() {
    let mut world = office();
    let forged = [TEXT, ("P-Asserted-Identity", "\"Ann\" <sip:100@parkdeck>"), ("X-Other", "1")];
    assert_eq!(world.message(SHOP, "101", &forged, "parkdeck-team/1 {}"), 200);
    let got = received(&world, BOB);
    let [message] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!(message.body, b"parkdeck-team/1 {}");
    let asserted: Vec<_> = message.headers.get_all("P-Asserted-Identity").collect();
    assert_eq!(asserted, ["\"Shop\" <sip:102@parkdeck>"]);
    assert_eq!(message.headers.from().unwrap().uri.user.as_deref(), Some("102"));
    assert_eq!(message.headers.get("X-Other"), None, "nothing of his own making goes along");
    assert_eq!(world.message(ANN, "bob", &[TEXT], "by name"), 200);
    assert_eq!(received(&world, BOB).len(), 2);
    assert!(received(&world, ANN).is_empty());
    world.run_s(40);
    assert_eq!(world.lot.census().messages, 0);
}

#[test]
fn all_phones_of_a_user_get_it_and_one_that_takes_it_is_enough() {
    let mut world = office();
    let second = world.add_phone("bob", "bob", "Bob");
    world.register(second);
    world.run_ms(100);
    world.phones[second].message_status = 486;
    assert_eq!(world.message(ANN, "101", &[TEXT], "hello"), 200);
    assert_eq!((received(&world, BOB).len(), received(&world, second).len()), (1, 1));
    world.phones[BOB].message_status = 415;
    assert_eq!(world.message(ANN, "101", &[TEXT], "hello"), 486);
    world.phones[second].dead = true;
    world.phones[BOB].message_status = 200;
    assert_eq!(world.message(ANN, "101", &[TEXT], "hello"), 200, "the silent one is not waited for");
    world.run_s(40);
    assert_eq!(world.lot.census().messages, 0);
}

#[test]
fn who_is_not_there_who_is_unknown_and_what_is_no_text_are_told_apart() {
    let mut world = office();
    assert_eq!(world.message(ANN, "999", &[TEXT], "x"), 404);
    let account = world.phones[BOB].account;
    let now = world.now;
    world.phones[BOB].agent.unregister(now, account);
    world.run_s(1);
    assert_eq!(world.lot.census().phones, 4);
    assert_eq!(world.message(ANN, "101", &[TEXT], "x"), 480);
    assert_eq!(world.message(ANN, "102", &[("Content-Type", "image/png")], "x"), 415);
    assert_eq!(world.message(ANN, "102", &[TEXT], &"x".repeat(MAX_MESSAGE_BODY + 1)), 413);
    assert!(received(&world, SHOP).is_empty());
}

#[test]
fn a_phone_that_never_answers_is_told_to_the_writer_and_keeps_nothing() {
    let mut world = office();
    world.phones[SHOP].dead = true;
    let account = Some(world.phones[ANN].account);
    let (target, send_to) = (world.uri("102"), world.lot_address());
    let headers = vec![("Content-Type".to_owned(), "text/plain".to_owned())];
    let (from, body, method) = (None, b"x".to_vec(), Method::Message);
    let ask = crate::sip::Ask { account, from, method, target, send_to, headers, body };
    let now = world.now;
    world.phones[ANN].agent.request(now, ask);
    world.run_s(1);
    assert_eq!(world.lot.census().messages, 1);
    world.run_s(5);
    assert_eq!(world.lot.census().messages, 0);
    let answered = world.phones[ANN].events.iter().rev().find_map(|event| match event {
        Event::RequestAnswered { status, .. } => Some(*status),
        _ => None,
    });
    assert!(answered == Some(480), "{answered:?}");
}

#[test]
fn one_user_can_write_only_so_much_and_others_are_not_kept_from_it() {
    let mut world = office();
    let mut sent = 0;
    while world.message(ANN, "101", &[TEXT], "x") == 200 {
        sent += 1;
        assert!(sent < 2 * MAX_RELAYS, "no end");
    }
    assert!((100..200).contains(&sent), "{sent}");
    assert_eq!(world.message(SHOP, "101", &[TEXT], "x"), 200);
    world.run_s(5);
    assert_eq!(world.message(ANN, "101", &[TEXT], "x"), 200, "after a while again");
}
