//! Subscriptions and watchers: heard, refreshed, lost and found again.

use super::*;
use crate::sip::message::{Message, Request};

const SERVER: u16 = 5060;

fn watch(port: u16, slot: &str) -> Subscribe {
    Subscribe {
        account: None,
        target: Uri::sip(slot, "127.0.0.1"),
        send_to: at(port),
        event: "dialog".to_owned(),
        accept: "application/dialog-info+xml".to_owned(),
        expires_s: 600,
        list: false,
    }
}

/// A server that admits everybody and tells the state at once.
fn add_server(world: &mut World) -> Peer {
    let server = world.add(SERVER);
    world.script(server, |ua, now, event| match event {
        Event::RequestReceived { key, .. } => {
            if let Some(watcher) = ua.admit_watcher(now, *key, 600) {
                ua.notify(now, watcher, "application/dialog-info+xml", b"state".to_vec());
            }
        }
        Event::WatcherRefreshed { watcher } => {
            ua.notify(now, *watcher, "application/dialog-info+xml", b"again".to_vec());
        }
        _ => {}
    });
    server
}

/// A NOTIFY of a server that is no agent.
fn raw_notify(asked: &Message, cseq: u32, state: &str, body: &str) -> Vec<u8> {
    let Message::Request(Request { headers, .. }) = asked else { panic!() };
    let (from, call_id) = (headers.from().unwrap(), headers.call_id().unwrap());
    format!(
        "NOTIFY sip:alice@127.0.0.1:6001 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:{SERVER};branch=z9hG4bKn{cseq}{};rport\r\n\
         From: <sip:701@127.0.0.1>;tag=script\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} NOTIFY\r\n\
         Contact: <sip:127.0.0.1:{SERVER}>\r\nEvent: dialog\r\nSubscription-State: {state}\r\n\
         Content-Type: application/dialog-info+xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len(),
        body.len()
    )
    .into_bytes()
}

/// One agent that watches a server that is no agent; the SUBSCRIBE it has sent.
fn watching_a_script() -> (World, Peer, SubscriptionKey, Message) {
    let mut world = World::new(4, Weather::default());
    let alice = world.add(6001);
    let key = world.with(alice, |ua, now| ua.subscribe(now, watch(SERVER, "701")));
    world.run(ms(10));
    let (_, _, asked) = world.mail.remove(0);
    (world, alice, key, asked)
}

fn status_of(mail: &[(Peer, Peer, Message)]) -> Vec<u16> {
    mail.iter()
        .filter_map(|(_, _, message)| match message {
            Message::Response(response) => Some(response.status),
            Message::Request(_) => None,
        })
        .collect()
}

fn subscribes(mail: &[(Peer, Peer, Message)]) -> usize {
    mail.iter().filter(|(_, _, message)| is_request(message, "SUBSCRIBE")).count()
}

#[test]
fn the_state_is_told_refreshed_and_given_up() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    let server = add_server(&mut world);
    let key = world.with(alice, |ua, now| ua.subscribe(now, watch(SERVER, "701")));
    world.run(ms(20));
    assert_eq!(world.names(alice), ["SubscriptionActive", "Notified"]);
    world.run(s(600));
    assert_eq!(
        world.names(alice),
        ["SubscriptionRefreshed", "Notified"],
        "refreshed once before its time was over"
    );
    assert_eq!(world.names(server), ["RequestReceived", "WatcherRefreshed"]);
    world.with(alice, |ua, now| ua.unsubscribe(now, key));
    world.run(ms(20));
    assert_eq!(world.names(server), ["WatcherLeft"]);
    assert!(world.names(alice).is_empty());
    world.assert_empty();
}

#[test]
fn a_notify_may_come_before_the_200() {
    let (mut world, alice, _, asked) = watching_a_script();
    world.inject(at(SERVER), alice, raw_notify(&asked, 1, "active;expires=599", "one"));
    world.run(ms(5));
    world.inject(
        at(SERVER),
        alice,
        reply_to(&asked, 200, &[("Expires", "600"), ("Contact", "<sip:127.0.0.1>")]),
    );
    world.run(ms(5));
    assert_eq!(world.names(alice), ["SubscriptionActive", "Notified"]);
    assert_eq!(status_of(&world.mail), [200]);
}

#[test]
fn a_notify_of_a_stranger_or_of_no_subscription_changes_nothing() {
    let (mut world, alice, _, asked) = watching_a_script();
    world.inject(at(6666), alice, raw_notify(&asked, 1, "active", "evil"));
    world.run(ms(5));
    world.inject(
        at(SERVER),
        alice,
        reply_to(&asked, 200, &[("Expires", "600"), ("Contact", "<sip:127.0.0.1>")]),
    );
    world.run(ms(5));
    let notify = String::from_utf8(raw_notify(&asked, 2, "active", "evil")).unwrap();
    world.inject(at(SERVER), alice, notify.replace("tag=script", "tag=other").into_bytes());
    world.inject(at(SERVER), alice, notify.replace("Call-ID: ", "Call-ID: x").into_bytes());
    world.inject(at(SERVER), alice, notify.replace("Event: dialog", "Event: presence").into_bytes());
    world.run(ms(5));
    assert_eq!(world.names(alice), ["SubscriptionActive"]);
    assert_eq!(status_of(&world.mail), [481, 481, 481, 489]);
}

#[test]
fn an_old_number_changes_nothing_and_a_jump_begins_anew() {
    let (mut world, alice, _, asked) = watching_a_script();
    world.inject(
        at(SERVER),
        alice,
        reply_to(&asked, 200, &[("Expires", "600"), ("Contact", "<sip:127.0.0.1:5060>")]),
    );
    world.inject(at(SERVER), alice, raw_notify(&asked, 10, "active", "one"));
    world.inject(at(SERVER), alice, raw_notify(&asked, 9, "active", "older"));
    world.run(ms(10));
    assert_eq!(world.names(alice), ["SubscriptionActive", "Notified"]);
    assert_eq!(status_of(&world.mail), [200, 500]);
    world.mail.clear();
    world.inject(at(SERVER), alice, raw_notify(&asked, 1 << 30, "active", "jump"));
    world.run(s(2));
    assert_eq!(world.names(alice), ["SubscriptionStale"]);
    let (_, _, anew) = world.mail.iter().find(|(_, _, m)| is_request(m, "SUBSCRIBE")).unwrap();
    assert_ne!(anew.headers().call_id(), asked.headers().call_id());
    let anew = anew.clone();
    world.inject(at(SERVER), alice, raw_notify(&asked, (1 << 30) + 1, "active", "jump"));
    world.inject(at(SERVER), alice, raw_notify(&anew, 3, "active;expires=600", "fresh"));
    world.run(ms(10));
    let events = world.take_events(alice);
    assert!(
        matches!(&events[..], [Event::SubscriptionActive { .. }, Event::Notified { body, .. }] if body == b"fresh")
    );
}

#[test]
fn a_forgotten_subscription_is_made_again() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    let server = add_server(&mut world);
    let key = world.with(alice, |ua, now| ua.subscribe(now, watch(SERVER, "701")));
    world.run(ms(20));
    world.agents.insert(server, UserAgent::new(UaConfig::server(server.address, "restarted", 77)));
    world.names(alice);
    world.with(alice, |ua, now| ua.renew(now, key));
    world.run(s(2));
    assert_eq!(world.names(alice), ["SubscriptionStale", "SubscriptionActive", "Notified"]);
}

#[test]
fn silence_makes_stale_and_is_asked_ever_more_rarely() {
    let (mut world, alice, _, asked) = watching_a_script();
    world.inject(
        at(SERVER),
        alice,
        reply_to(&asked, 200, &[("Expires", "60"), ("Contact", "<sip:127.0.0.1>")]),
    );
    let began = world.now;
    world.run(s(61));
    assert_eq!(world.names(alice), ["SubscriptionActive", "SubscriptionStale"]);
    world.run(s(3600));
    let asked = world.sent.iter().filter(|(at, _, _, m)| *at > began && is_request(m, "SUBSCRIBE")).count();
    // Each attempt is 11 datagrams over 32 s, then up to a minute of rest.
    assert!(asked < 11 * 3600 / 60, "{asked}");
    assert!(asked > 11 * 3600 / 100, "{asked}");
}

#[test]
fn a_refusal_is_told_and_tried_again_slowly() {
    for status in [403, 404, 489] {
        let (mut world, alice, key, asked) = watching_a_script();
        world.inject(at(SERVER), alice, reply_to(&asked, status, &[]));
        world.run(s(290));
        assert_eq!(world.names(alice), [format!("SubscriptionRefused {status}")]);
        assert_eq!(subscribes(&world.mail), 0);
        world.run(s(320));
        assert!(subscribes(&world.mail) > 0);
        world.with(alice, |ua, now| ua.unsubscribe(now, key));
        world.assert_empty();
    }
}

#[test]
fn terminated_says_when_to_come_back() {
    for (state, event, least, most) in [
        ("terminated;reason=deactivated", "SubscriptionStale", 0, 1),
        ("terminated;reason=timeout", "SubscriptionStale", 0, 1),
        ("terminated;reason=giveup;retry-after=30", "SubscriptionStale", 29, 35),
        ("terminated;reason=rejected", "SubscriptionRefused 403", 290, 610),
        ("terminated;reason=noresource", "SubscriptionRefused 404", 290, 610),
    ] {
        let (mut world, alice, _, asked) = watching_a_script();
        world.inject(
            at(SERVER),
            alice,
            reply_to(&asked, 200, &[("Expires", "600"), ("Contact", "<sip:127.0.0.1>")]),
        );
        world.run(ms(10));
        world.names(alice);
        world.inject(at(SERVER), alice, raw_notify(&asked, 5, state, ""));
        world.run(s(least) + ms(5));
        assert_eq!(world.names(alice), [event], "{state}");
        assert_eq!(subscribes(&world.mail), 0, "{state}");
        world.run(s(most - least));
        assert!(subscribes(&world.mail) > 0, "{state}");
    }
}

#[test]
fn five_hundred_subscriptions_never_send_more_than_fifty_a_second() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    let server = add_server(&mut world);
    let keys: Vec<SubscriptionKey> = world
        .with(alice, |ua, now| (0..500).map(|n| ua.subscribe(now, watch(SERVER, &n.to_string()))).collect());
    world.run(s(15));
    assert_eq!(world.names(alice).iter().filter(|n| *n == "SubscriptionActive").count(), 500);
    // The server is restarted, and everybody notices at once.
    world.agents.insert(server, UserAgent::new(UaConfig::server(server.address, "restarted", 77)));
    world.with(alice, |ua, now| keys.iter().for_each(|key| ua.renew(now, *key)));
    world.run(s(25));
    assert_eq!(world.names(alice).iter().filter(|n| *n == "SubscriptionActive").count(), 500);
    let times: Vec<Moment> =
        world.sent.iter().filter(|(_, _, _, m)| is_request(m, "SUBSCRIBE")).map(|(at, ..)| *at).collect();
    let most =
        times.iter().map(|from| times.iter().filter(|t| *t >= from && **t < *from + s(1)).count()).max();
    assert!(most.unwrap() <= 50, "{most:?}");
}

#[test]
fn one_notify_at_a_time_and_the_newest_state_wins() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    let server = world.add(SERVER);
    world.with(alice, |ua, now| ua.subscribe(now, watch(SERVER, "701")));
    world.run(ms(5));
    let events = world.take_events(server);
    let [Event::RequestReceived { key, .. }] = &events[..] else { panic!("{events:?}") };
    let key = *key;
    world.with(server, |ua, now| {
        let watcher = ua.admit_watcher(now, key, 600).unwrap();
        for n in 0..5 {
            ua.notify(now, watcher, "text/plain", format!("{n}").into_bytes());
        }
    });
    world.run(ms(20));
    let bodies: Vec<Vec<u8>> = world
        .take_events(alice)
        .into_iter()
        .filter_map(|event| match event {
            Event::Notified { body, .. } => Some(body),
            _ => None,
        })
        .collect();
    assert_eq!(bodies, [b"0".to_vec(), b"4".to_vec()]);
}

#[test]
fn a_watcher_that_is_gone_is_told_and_forgotten() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    let server = add_server(&mut world);
    world.with(alice, |ua, now| ua.subscribe(now, watch(SERVER, "701")));
    world.run(ms(20));
    // It has restarted and knows nothing: 481.
    world.agents.insert(alice, UserAgent::new(UaConfig::new(alice.address, "restarted", 9)));
    let watcher = *world.agents[&server].watchers.keys().next().unwrap();
    world.names(server);
    world.with(server, |ua, now| ua.notify(now, watcher, "text/plain", b"x".to_vec()));
    world.run(ms(20));
    assert_eq!(world.names(server), ["WatcherLeft"]);
    world.assert_empty();
}

#[test]
fn a_silent_watcher_and_an_expired_one_leave_too() {
    for silent in [true, false] {
        let mut world = World::new(1, Weather::default());
        let alice = world.add(6001);
        let server = add_server(&mut world);
        world.with(alice, |ua, now| ua.subscribe(now, watch(SERVER, "701")));
        world.run(ms(20));
        world.agents.remove(&alice);
        let watcher = *world.agents[&server].watchers.keys().next().unwrap();
        if silent {
            world.with(server, |ua, now| ua.notify(now, watcher, "text/plain", b"x".to_vec()));
            world.run(s(33));
        } else {
            world.run(s(601));
        }
        assert!(world.names(server).contains(&"WatcherLeft".to_owned()));
        world.assert_empty();
    }
}

#[test]
fn a_dismissed_watcher_is_told_why() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    let server = add_server(&mut world);
    world.with(alice, |ua, now| ua.subscribe(now, watch(SERVER, "701")));
    world.run(ms(20));
    let watcher = *world.agents[&server].watchers.keys().next().unwrap();
    world.names(alice);
    world.with(server, |ua, now| ua.dismiss(now, watcher, "noresource"));
    world.run(ms(20));
    assert_eq!(world.names(alice), ["SubscriptionRefused 404"]);
    assert!(world.agents[&server].watchers.is_empty());
}

#[test]
fn notify_goes_only_where_the_subscribe_came_from() {
    let mut world = World::new(1, Weather::default());
    let server = add_server(&mut world);
    let subscribe = "SUBSCRIBE sip:701@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:7000;branch=z9hG4bKs\r\n\
         From: <sip:x@127.0.0.1>;tag=x\r\nTo: <sip:701@127.0.0.1>\r\nCall-ID: s\r\nCSeq: 1 SUBSCRIBE\r\n\
         Contact: <sip:victim@127.0.0.1:9999>\r\nEvent: dialog\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n";
    world.inject(at(7000), server, subscribe.into());
    world.run(s(1));
    assert!(world.mail.iter().any(|(_, to, m)| *to == at(7000) && is_request(m, "NOTIFY")));
    assert!(world.mail.iter().all(|(_, to, _)| *to == at(7000)));
}
