//! Real traffic, bent out of shape: nothing brings the agent down, and nothing of it is left in the end.

use super::*;
use crate::sip::message::NameAddr;

/// A message with some bytes changed, lines dropped, doubled or swapped, or its end cut off.
fn bent(bytes: &[u8], rng: &mut StdRng) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    for _ in 0..rng.random_range(1..4) {
        let (one, other) = (rng.random_range(0..lines.len()), rng.random_range(0..lines.len()));
        match rng.random_range(0..6) {
            0 if lines.len() > 1 => drop(lines.remove(one)),
            1 => lines.insert(one, lines[other].clone()),
            2 => lines.swap(one, other),
            3 => lines[one].truncate(other),
            4 => {
                let value = rng.random::<u8>();
                if let Some(byte) = lines[one].get_mut(other) {
                    *byte = value;
                }
            }
            _ => {
                let digits = lines[one].iter().position(u8::is_ascii_digit);
                if let Some(at) = digits {
                    lines[one].splice(at..at, *b"4294967295");
                }
            }
        }
    }
    lines.join(&b'\n')
}

#[test]
fn bent_traffic_brings_nothing_down_and_leaves_nothing() {
    for seed in 0..30 {
        let (mut world, alice, bob, ours, theirs) = in_a_call(seed);
        for who in [alice, bob] {
            world.script(who, |ua, now, event| match event {
                Event::CallReceived { call, .. } if call.number() % 2 == 0 => {
                    ua.ring(now, *call, Some(ANSWER.to_vec()));
                    ua.accept(now, *call, ANSWER.to_vec());
                }
                Event::CallReceived { call, .. } => ua.reject(now, *call, 486, Vec::new()),
                Event::OfferReceived { call, .. } => ua.answer_offer(now, *call, Ok(ANSWER.to_vec())),
                Event::ReferReceived { refer, .. } => ua.answer_refer(now, *refer, 202, Vec::new()),
                Event::RequestReceived { key, request, .. } => {
                    if request.method.as_str() == "SUBSCRIBE" {
                        let watcher = ua.admit_watcher(now, *key, 60);
                        watcher.into_iter().for_each(|w| ua.notify(now, w, "text/plain", b"x".to_vec()));
                    } else {
                        ua.answer(now, *key, 200, Vec::new(), Vec::new());
                    }
                }
                _ => {}
            });
        }
        let watch = Subscribe {
            account: None,
            target: to(6002),
            send_to: bob,
            event: "dialog".to_owned(),
            accept: "text/plain".to_owned(),
            expires_s: 600,
            list: false,
        };
        let reliable = vec![
            ("Require".to_owned(), "100rel".to_owned()),
            ("Session-Expires".to_owned(), "90".to_owned()),
        ];
        let second =
            world.with(alice, |ua, now| ua.invite(now, Invite { headers: reliable, ..invite(6002) }));
        let subscription = world.with(alice, |ua, now| {
            ua.reoffer(now, ours, b"hold".to_vec());
            ua.refer(now, ours, NameAddr::new(Uri::sip("700", "127.0.0.1")), Vec::new());
            ua.update(now, ours, Vec::new());
            ua.info(now, ours, "text/plain", b"x".to_vec());
            ua.subscribe(now, watch)
        });
        world.run(s(1));
        let traffic: Vec<_> = world.sent.iter().map(|(_, from, to, m)| (*from, *to, m.to_bytes())).collect();
        let mut rng = StdRng::seed_from_u64(seed);
        for _ in 0..400 {
            let (from, to, bytes) = &traffic[rng.random_range(0..traffic.len())];
            let bytes = bent(bytes, &mut rng);
            let now = world.now;
            world.agents.get_mut(to).unwrap().receive(now, *from, &bytes);
            world.with(*to, |_, _| ());
            world.run(ms(3));
        }
        world.with(alice, |ua, now| {
            ua.hang_up(now, ours);
            ua.hang_up(now, second);
            ua.unsubscribe(now, subscription);
        });
        world.with(bob, |ua, now| ua.hang_up(now, theirs));
        world.assert_empty();
    }
}
