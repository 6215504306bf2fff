//! Everything again on a wire that loses, doubles and reorders; and nothing is left over.

use super::registrations::account;
use super::*;
use crate::sip::message::NameAddr;

/// A callee that accepts, agrees to offers, and reports success of REFERs; a server for subscriptions.
fn obliging(ua: &mut UserAgent, now: Moment, event: &Event) {
    match event {
        Event::CallReceived { call, .. } => {
            ua.ring(now, *call, None);
            ua.accept(now, *call, ANSWER.to_vec());
        }
        Event::OfferReceived { call, .. } => ua.answer_offer(now, *call, Ok(ANSWER.to_vec())),
        Event::ReferReceived { refer, .. } => {
            ua.answer_refer(now, *refer, 202, Vec::new());
            ua.report_refer(now, *refer, 200);
        }
        Event::RequestReceived { key, request, .. } => match request.method.as_str() {
            "SUBSCRIBE" => {
                if let Some(watcher) = ua.admit_watcher(now, *key, 600) {
                    ua.notify(now, watcher, "text/plain", b"state".to_vec());
                }
            }
            _ => ua.answer(now, *key, 200, Vec::new(), Vec::new()),
        },
        Event::WatcherRefreshed { watcher } => ua.notify(now, *watcher, "text/plain", b"state".to_vec()),
        _ => {}
    }
}

fn foul_world(seed: u64, percent: u32) -> (World, Peer, Peer) {
    let mut world = World::new(seed, Weather::foul(percent));
    let (alice, bob) = (world.add(6001), world.add(6002));
    world.script(bob, obliging);
    world.script(alice, obliging);
    (world, alice, bob)
}

fn count(names: &[String], name: &str) -> usize {
    names.iter().filter(|n| n.starts_with(name)).count()
}

#[test]
fn calls_with_hold_and_refer_come_to_their_end_in_any_weather() {
    for percent in [0, 5, 10, 20, 30] {
        for seed in 0..40 {
            let (mut world, alice, bob) = foul_world(seed, percent);
            let ours = world.with(alice, |ua, now| ua.invite(now, invite(6002)));
            world.run(s(20));
            world.with(alice, |ua, now| {
                ua.reoffer(now, ours, b"hold".to_vec());
                ua.refer(now, ours, NameAddr::new(Uri::sip("700", "127.0.0.1")), Vec::new());
                ua.reoffer(now, ours, b"resume".to_vec());
            });
            world.run(s(90));
            world.with(alice, |ua, now| ua.hang_up(now, ours));
            world.run(s(60));
            let (us, them) = (world.names(alice), world.names(bob));
            let why = format!("seed {seed}, {percent} %: {us:?} {them:?}");
            assert_eq!(count(&us, "CallEnded"), 1, "{why}");
            assert!(count(&them, "CallEnded") == count(&them, "CallReceived"), "{why}");
            if percent <= 10 {
                assert_eq!(count(&us, "CallAnswered"), 1, "{why}");
                assert_eq!(count(&us, "OfferAnswered"), 2, "{why}");
                assert_eq!(count(&us, "ReferAccepted"), 1, "{why}");
                assert_eq!(count(&us, "ReferProgress 200"), 1, "{why}");
                assert_eq!(count(&them, "CallConfirmed"), 1, "{why}");
                assert_eq!(count(&them, "ReferReceived"), 1, "{why}");
            }
            world.assert_empty();
        }
    }
}

#[test]
fn hanging_up_at_any_moment_leaves_nothing_on_either_side() {
    for seed in 0..300 {
        let (mut world, alice, bob) = foul_world(seed, (seed % 31) as u32);
        let ours = world.with(alice, |ua, now| ua.invite(now, invite(6002)));
        world.run(ms(seed * 7 % 400));
        if seed % 3 == 0 {
            world.with(alice, |ua, now| ua.reoffer(now, ours, b"hold".to_vec()));
        }
        world.run(ms(seed % 5));
        if seed % 2 == 0 {
            world.with(alice, |ua, now| ua.hang_up(now, ours));
        } else {
            let theirs = world.agents[&bob].calls.keys().next().copied();
            world.with(bob, |ua, now| theirs.into_iter().for_each(|call| ua.hang_up(now, call)));
        }
        world.run(s(80));
        if !world.agents[&alice].is_idle() {
            world.with(alice, |ua, now| ua.hang_up(now, ours));
            world.run(s(80));
        }
        let (us, them) = (world.names(alice), world.names(bob));
        assert_eq!(count(&us, "CallEnded"), 1, "seed {seed}: {us:?} {them:?}");
        assert_eq!(us.last().map(|n| n.starts_with("CallEnded")), Some(true), "seed {seed}: {us:?}");
        assert_eq!(count(&them, "CallEnded"), count(&them, "CallReceived"), "seed {seed}: {us:?} {them:?}");
        world.assert_empty();
    }
}

#[test]
fn subscriptions_are_heard_again_after_a_restart_in_any_weather() {
    for percent in [0, 10, 20, 30] {
        for seed in 0..10 {
            let (mut world, alice, bob) = foul_world(seed, percent);
            let order = |n: u64| Subscribe {
                account: None,
                target: Uri::sip(&n.to_string(), "127.0.0.1"),
                send_to: bob,
                event: "dialog".to_owned(),
                accept: "text/plain".to_owned(),
                expires_s: 600,
                list: false,
            };
            let keys: Vec<SubscriptionKey> =
                world.with(alice, |ua, now| (0..9).map(|n| ua.subscribe(now, order(n))).collect());
            world.run(s(90));
            let names = world.names(alice);
            assert!(count(&names, "SubscriptionActive") >= 9, "seed {seed}, {percent} %: {names:?}");
            world.agents.insert(bob, UserAgent::new(UaConfig::server(bob.address, "restarted", seed)));
            world.with(alice, |ua, now| keys.iter().for_each(|key| ua.renew(now, *key)));
            world.run(s(120));
            let mut states: BTreeMap<SubscriptionKey, &str> = BTreeMap::new();
            let events = world.take_events(alice);
            for event in &events {
                match event {
                    Event::SubscriptionStale { subscription, .. } => states.insert(*subscription, "stale"),
                    Event::Notified { subscription, .. } => states.insert(*subscription, "heard"),
                    _ => None,
                };
            }
            assert_eq!(states.len(), 9, "seed {seed}, {percent} %");
            assert!(states.values().all(|state| *state == "heard"), "seed {seed}, {percent} %: {states:?}");
            world.with(alice, |ua, now| keys.iter().for_each(|key| ua.unsubscribe(now, *key)));
            world.assert_empty();
        }
    }
}

#[test]
fn registration_and_requests_leave_nothing_in_any_weather() {
    for seed in 0..20 {
        let (mut world, alice, bob) = foul_world(seed, (seed % 4 * 10) as u32);
        let key = world.with(alice, |ua, now| {
            let key = ua.add_account(account(6002, "secret", None));
            ua.register(now, key);
            ua.probe(now, None, to(6002), bob);
            key
        });
        world.run(s(2000));
        let names = world.names(alice);
        assert!(count(&names, "Registered") >= 4, "seed {seed}: {names:?}");
        assert_eq!(count(&names, "Probe"), 1, "seed {seed}");
        world.with(alice, |ua, now| ua.unregister(now, key));
        world.assert_empty();
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed: u64| {
        let (mut world, alice, _) = foul_world(seed, 20);
        let ours = world.with(alice, |ua, now| ua.invite(now, invite(6002)));
        world.run(s(20));
        world.with(alice, |ua, now| ua.hang_up(now, ours));
        world.run(s(60));
        format!("{:?}", world.sent)
    };
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}

#[test]
fn reliable_ringing_and_refreshed_sessions_come_to_their_end_in_any_weather() {
    for percent in [0, 5, 10, 30] {
        for seed in 0..25 {
            let mut world = World::new(seed, Weather::foul(percent));
            let (alice, bob) = (world.add(6001), world.add(6002));
            world.script(bob, |ua, now, event| match event {
                Event::CallReceived { call, .. } => {
                    ua.ring(now, *call, None);
                    ua.ring(now, *call, Some(ANSWER.to_vec()));
                    ua.accept(now, *call, ANSWER.to_vec());
                }
                Event::OfferReceived { call, .. } => ua.answer_offer(now, *call, Ok(ANSWER.to_vec())),
                _ => {}
            });
            let headers = [("Require", "100rel"), ("Session-Expires", "120")];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
            let ours = world.with(alice, |ua, now| ua.invite(now, Invite { headers, ..invite(6002) }));
            world.run(s(400));
            world.with(alice, |ua, now| ua.hang_up(now, ours));
            world.run(s(60));
            let (us, them) = (world.names(alice), world.names(bob));
            let why = format!("seed {seed}, {percent} %: {us:?} {them:?}");
            assert_eq!(count(&us, "CallEnded"), 1, "{why}");
            assert!(count(&them, "CallEnded") == count(&them, "CallReceived"), "{why}");
            if percent <= 5 {
                assert_eq!(count(&us, "CallAnswered"), 1, "{why}");
                assert!(
                    us.last().is_some_and(|name| name == "CallEnded Local"),
                    "alive after six minutes: {why}"
                );
                assert!(world.ladder().contains("UPDATE"), "{why}");
            }
            world.assert_empty();
        }
    }
}
