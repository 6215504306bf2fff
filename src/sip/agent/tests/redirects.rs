//! 3xx: where a call is sent on to, and where not.

use super::dialogs::{calling, respond};
use super::*;
use crate::sip::message::{Message, Request};

/// A redirect to these places.
fn redirect_to(asked: &Message, status: u16, places: &str) -> Vec<u8> {
    let text = String::from_utf8(respond(asked, status, "r", &[], b"")).unwrap();
    text.replace("Contact: <sip:you@127.0.0.1:7000>", &format!("Contact: {places}")).into_bytes()
}

/// The newest INVITE that came for 7000.
fn newest(world: &mut World) -> Option<Message> {
    let mail = std::mem::take(&mut world.mail).into_iter().rev();
    mail.map(|(_, _, m)| m).find(|m| is_request(m, "INVITE"))
}

fn target(message: &Message) -> String {
    let Message::Request(Request { uri, .. }) = message else { panic!() };
    uri.to_string()
}

#[test]
fn the_places_are_tried_in_their_order_and_the_call_stays_what_it_was() {
    let (mut world, alice, ours, asked) = calling(&[]);
    let contacts = "<sip:low@x>;q=0.1, <sip:best@x?Replaces=evil&Subject=x>, \"Half\" <tel:+44161>;q=0.5";
    let redirect = redirect_to(&asked, 302, contacts);
    world.inject(at(7000), alice, redirect);
    let mut places = Vec::new();
    for status in [486, 404, 480] {
        world.run(ms(10));
        let again = newest(&mut world).unwrap();
        places.push(target(&again));
        let (old, new) = (asked.headers(), again.headers());
        assert_eq!(
            (old.get("From"), old.get("To"), old.call_id()),
            (new.get("From"), new.get("To"), new.call_id())
        );
        assert_eq!((new.get("Subject"), new.get("Replaces")), (None, None), "their headers are not taken");
        assert_eq!(again.body(), OFFER);
        world.inject(at(7000), alice, respond(&again, status, "s", &[], b""));
    }
    world.run(ms(10));
    assert_eq!(places, ["sip:best@x", "tel:+44161", "sip:low@x"]);
    let names = world.names(alice);
    assert_eq!(names, ["CallRedirected", "CallRedirected", "CallRedirected", "CallEnded Remote 480"]);
    assert!(
        world.sent.iter().all(|(_, from, to, _)| *from != alice || *to == at(7000)),
        "to the same server"
    );
    let _ = ours;
    world.assert_empty();
}

#[test]
fn circles_and_endless_chains_end_after_five() {
    for endless in [true, false] {
        let (mut world, alice, _, mut asked) = calling(&[]);
        let mut count = 0;
        for n in 0..50 {
            let place = if endless { format!("<sip:place{n}@x>") } else { format!("<sip:place{}@x>", n % 2) };
            let redirect = redirect_to(&asked, 302, &place);
            world.inject(at(7000), alice, redirect);
            world.run(ms(10));
            let Some(again) = newest(&mut world) else { break };
            asked = again;
            count += 1;
        }
        assert_eq!(count, if endless { 5 } else { 2 });
        let events = world.take_events(alice);
        let Some(Event::CallEnded { cause, .. }) = events.last() else { panic!("{events:?}") };
        assert_eq!(cause.status, Some(302));
        assert!(cause.reason.contains("can't go"), "{}", cause.reason);
        world.assert_empty();
    }
}

#[test]
fn what_is_no_telephone_and_what_needs_another_server_is_not_followed() {
    for (status, contact, words) in [
        (302, "<https://example.com/voicemail>", "redirected to https://example.com/voicemail"),
        (301, "<mailto:jane@x>", "mailto:jane@x"),
        (302, "<sips:jane@x>", "sips:jane@x"),
        (305, "<sip:proxy@evil:5060>", "another proxy"),
        (380, "<sip:112@x>", "another service"),
    ] {
        let (mut world, alice, _, asked) = calling(&[]);
        let redirect = redirect_to(&asked, status, contact);
        world.inject(at(7000), alice, redirect);
        world.run(ms(10));
        assert!(newest(&mut world).is_none());
        let events = world.take_events(alice);
        let [Event::CallEnded { cause, .. }] = &events[..] else { panic!("{events:?}") };
        assert!(cause.reason.contains(words), "{}", cause.reason);
        world.assert_empty();
    }
}

#[test]
fn a_server_sends_nobody_on_by_itself_and_a_declined_call_is_not_tried_elsewhere() {
    let mut world = World::new(1, Weather::default());
    let server = world.add_server(6001);
    world.with(server, |ua, now| ua.invite(now, invite(7000)));
    world.run(ms(10));
    let (_, _, asked) = world.mail.remove(0);
    world.inject(at(7000), server, reply_to(&asked, 302, &[("Contact", "<sip:premium@x>")]));
    world.run(ms(10));
    assert_eq!(
        world.names(server),
        ["CallMoved", "CallEnded Remote 302"],
        "its owner is told where to, and calls there or not"
    );
    let (mut world, alice, _, asked) = calling(&[]);
    let redirect = redirect_to(&asked, 300, "<sip:a@x>, <sip:b@x>");
    world.inject(at(7000), alice, redirect);
    world.run(ms(10));
    let again = newest(&mut world).unwrap();
    world.inject(at(7000), alice, respond(&again, 603, "s", &[], b""));
    world.run(ms(10));
    assert_eq!(
        world.names(alice),
        ["CallRedirected", "CallEnded Remote 603"],
        "nobody there wants it (RFC 3261 21.6)"
    );
}
