//! Requests outside of dialogs, and what must be refused.

use super::*;
use crate::sip::message::{Message, Method};

fn raw(method: &str, more: &str) -> Vec<u8> {
    format!(
        "{method} sip:you@127.0.0.1:6002 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5999;branch=z9hG4bKq{method};rport\r\n\
         From: <sip:x@127.0.0.1>;tag=x\r\nTo: <sip:you@127.0.0.1>\r\nCall-ID: q\r\nCSeq: 1 {method}\r\n\
         {more}Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// What a phone answers.
fn answer_of(bytes: Vec<u8>) -> Option<crate::sip::message::Response> {
    let mut world = World::new(1, Weather::default());
    world.agents.insert(at(6002), UserAgent::new(UaConfig::new(at(6002).address, "test", 5)));
    world.inject(at(7000), at(6002), bytes);
    world.run(ms(10));
    let (_, to, message) = world.mail.pop()?;
    assert_eq!(to, at(7000), "answers go where the request came from");
    match message {
        Message::Response(response) => Some(response),
        Message::Request(_) => panic!("a request?"),
    }
}

#[test]
fn everything_has_its_status() {
    for (bytes, status) in [
        (raw("OPTIONS", ""), 200),
        (raw("OPTIONS", "Max-Forwards: 0\r\n"), 200),
        (raw("OPTIONS", "Require: telepathy, replaces\r\n"), 420),
        (raw("REGISTER", ""), 405),
        (raw("SUBSCRIBE", ""), 405),
        (raw("PUBLISH", ""), 405),
        (raw("DANCE", ""), 501),
        (raw("BYE", ""), 481),
        (raw("CANCEL", ""), 481),
        (raw("NOTIFY", "Event: dialog\r\n"), 481),
        (raw("UPDATE", ""), 481),
        (raw("INFO", ""), 481),
        (raw("REFER", ""), 400),
    ] {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(answer_of(bytes).map(|r| r.status), Some(status), "{text}");
    }
    assert!(answer_of(raw("ACK", "")).is_none());
}

#[test]
fn refusals_say_what_would_be_right() {
    let response = answer_of(raw("REGISTER", "")).unwrap();
    assert!(response.headers.get("Allow").unwrap().contains("INVITE"));
    let response = answer_of(raw("OPTIONS", "Require: telepathy, replaces\r\n")).unwrap();
    assert_eq!(response.headers.get("Unsupported"), Some("telepathy"));
    let via = response.headers.via().unwrap();
    assert_eq!((via.params.get("received"), via.params.get("rport")), (Some("127.0.0.1"), Some("7000")));
    assert!(response.headers.to().unwrap().tag().is_some());
}

#[test]
fn a_repeated_request_gets_the_same_answer_and_reaches_the_owner_once() {
    let mut world = World::new(1, Weather::default());
    let bob = world.add(6002);
    for _ in 0..3 {
        world.inject(at(7000), bob, raw("MESSAGE", ""));
    }
    world.run(ms(10));
    let events = world.take_events(bob);
    let [Event::RequestReceived { key, .. }] = &events[..] else { panic!("{events:?}") };
    let key = *key;
    world.with(bob, |ua, now| ua.answer(now, key, 202, Vec::new(), Vec::new()));
    world.run(s(31));
    world.inject(at(7000), bob, raw("MESSAGE", ""));
    world.run(ms(10));
    assert_eq!(world.mail.len(), 2);
    assert_eq!(world.mail[0], world.mail[1]);
    world.run(s(1));
    world.inject(at(7000), bob, raw("MESSAGE", ""));
    world.run(ms(10));
    assert_eq!(world.names(bob), ["RequestReceived"], "after timer J it is a new one");
    world.assert_empty();
}

#[test]
fn an_owner_that_does_not_answer_is_spoken_for() {
    let mut world = World::new(1, Weather::default());
    let bob = world.add(6002);
    world.inject(at(7000), bob, raw("MESSAGE", ""));
    world.run(s(25));
    assert!(matches!(&world.mail[..], [(_, _, Message::Response(r))] if r.status == 500));
    world.assert_empty();
}

#[test]
fn the_same_request_by_two_ways_is_merged() {
    let mut world = World::new(1, Weather::default());
    let bob = world.add(6002);
    let other = String::from_utf8(raw("MESSAGE", "")).unwrap().replace("z9hG4bKq", "z9hG4bKother");
    world.inject(at(7000), bob, raw("MESSAGE", ""));
    world.inject(at(7000), bob, other.into_bytes());
    world.run(ms(10));
    assert!(matches!(&world.mail[..], [(_, _, Message::Response(r))] if r.status == 482));
}

#[test]
fn a_flood_leaves_no_more_than_the_named_maximum() {
    let mut agent = UserAgent::new(UaConfig::server(at(6002).address, "test", 5));
    for n in 0..20_000 {
        let text = String::from_utf8(raw("MESSAGE", "")).unwrap();
        let text =
            text.replace("z9hG4bKq", &format!("z9hG4bK{n}")).replace("Call-ID: q", &format!("Call-ID: {n}"));
        agent.receive(s(1), at(7000), text.as_bytes());
        while let Some(event) = agent.poll_event() {
            if let Event::RequestReceived { key, .. } = event {
                agent.answer(s(1), key, 200, Vec::new(), Vec::new());
            }
        }
        while agent.poll_transmit().is_some() {}
    }
    assert_eq!(agent.census().server_transactions, crate::sip::transaction::MAX_SERVERS);
    agent.wake(s(40));
    assert_eq!(agent.census(), Census::default());
}

#[test]
fn a_register_asks_who_is_registered_and_binds_nothing() {
    let mut agent = UserAgent::new(UaConfig::new(at(6002).address, "test", 5));
    let mut ask = |headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let target = Uri::parse("sip:office.test").unwrap();
        let (account, from, method) = (None, None, Method::Register);
        let ask = Ask { account, from, method, target, send_to: at(7000), headers, body: Vec::new() };
        agent.request(s(1), ask);
        let sent = agent.poll_transmit().map(|transmit| String::from_utf8(transmit.bytes).unwrap());
        (sent, agent.poll_event())
    };
    let (sent, event) = ask(&[("To", "<sip:sam@office.test>")]);
    let sent = sent.unwrap();
    assert!(sent.starts_with("REGISTER sip:office.test SIP/2.0"), "{sent}");
    assert!(sent.contains("To: <sip:sam@office.test>") && !sent.contains("Contact:"), "{sent}");
    assert!(event.is_none());
    let (sent, event) = ask(&[("Contact", "<sip:sam@127.0.0.1>")]);
    assert!(sent.is_none() && matches!(event, Some(Event::RequestAnswered { status: 405, .. })));
}

#[test]
fn probes_tell_alive_or_lost() {
    let mut world = World::new(1, Weather::default());
    let (alice, bob) = (world.add(6001), world.add(6002));
    world.with(alice, |ua, now| {
        ua.probe(now, None, to(6002), bob);
        ua.probe(now, None, to(7000), at(7000));
    });
    world.run(s(33));
    let events = world.take_events(alice);
    assert!(
        matches!(&events[..], [Event::ProbeAnswered { status: 200, round_trip, .. }, Event::ProbeLost { .. }]
        if *round_trip == ms(2))
    );
    world.assert_empty();
}

#[test]
fn garbage_is_told_of_now_and_then_and_counted_always() {
    let mut agent = UserAgent::new(UaConfig::new(at(6002).address, "test", 5));
    for n in 0..1000 {
        agent.receive(ms(n), at(7000), b"\x01\x02 garbage");
    }
    agent.receive(s(1), at(7000), b"\r\n\r\n");
    let told = std::iter::from_fn(|| agent.poll_event()).count();
    assert_eq!((told, agent.malformed_total()), (10, 1000));
    assert!(agent.poll_transmit().is_none());
}

#[test]
fn a_broken_request_that_can_be_answered_gets_400() {
    let mut agent = UserAgent::new(UaConfig::new(at(6002).address, "test", 5));
    let text = String::from_utf8(raw("INVITE", "")).unwrap().replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    agent.receive(s(1), at(7000), text.as_bytes());
    let transmit = agent.poll_transmit().unwrap();
    let answer = String::from_utf8(transmit.bytes).unwrap();
    assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
    assert!(answer.contains("To: <sip:you@127.0.0.1>;tag="), "{answer}");
    assert_eq!(transmit.to, at(7000));
}

#[test]
fn of_a_body_with_several_parts_the_description_is_taken_and_what_must_be_understood_refused() {
    let part = |more: &str| format!("--b\r\n{more}\r\n\r\nv=0 offer\r\n");
    let sdp = part("Content-Type: application/sdp");
    let optional =
        part("Content-Type: application/pidf+xml\r\nContent-Disposition: by-reference;handling=optional");
    let required = part("Content-Type: application/isup\r\nContent-Disposition: signal;handling=required");
    for (parts, status) in [
        ([sdp.clone(), optional.clone()].concat(), 180),
        (sdp.clone(), 180),
        ([sdp.clone(), required].concat(), 415),
        ([sdp.clone(), sdp.clone()].concat(), 415),
        (optional, 415),
    ] {
        let mut world = World::new(1, Weather::default());
        let bob = world.add(6002);
        let body = format!("{parts}--b--\r\n");
        let text = String::from_utf8(super::calls::raw_invite("z9hG4bKx", "")).unwrap();
        let head = format!("Content-Type: multipart/mixed;boundary=b\r\nContent-Length: {}", body.len());
        let text = text.replace("Content-Length: 0", &head);
        world.inject(at(7000), bob, format!("{text}{body}").into_bytes());
        world.run(ms(1));
        if status == 180 {
            let theirs = the_call(&world, bob);
            let offered = world.take_events(bob).into_iter().find_map(|event| match event {
                Event::CallReceived { request, .. } => Some(request.body),
                _ => None,
            });
            assert_eq!(offered.as_deref(), Some(&b"v=0 offer"[..]));
            world.with(bob, |ua, now| ua.ring(now, theirs, None));
        }
        assert!(
            world.ladder().contains(&format!("6002 > 7000 {status} INVITE")),
            "{parts}\n{}",
            world.ladder()
        );
    }
}
