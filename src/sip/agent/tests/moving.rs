//! Another address, a resume from suspend, a NAT: everything comes along by itself, once.

use super::flows::{account, call, registered, watch};
use super::net::*;
use super::wire::{ms, s};
use super::*;
use std::net::SocketAddr;

fn public(port: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 7], port))
}

/// Moves an agent to another address, as a laptop does that changes its network.
fn carry(net: &mut Net, from: SocketAddr, number: u8) -> SocketAddr {
    let agent = net.agents.remove(&from).unwrap();
    let to = host(number);
    net.agents.insert(to, agent);
    net.with(to, |ua, now| ua.network_changed(now, to));
    to
}

#[test]
fn a_new_address_brings_one_register_all_lamps_and_the_media_of_running_calls() {
    for (seed, server) in (0..6).map(|seed| (seed, [udp(9), tcp(9), tls(9)][seed as usize % 3])) {
        let (mut net, phone, office, key) = registered(seed, server);
        let watched: Vec<_> = net.with(phone, |ua, now| {
            (0..120).map(|n| ua.subscribe(now, watch(key, server, &n.to_string()))).collect()
        });
        let ours = net.with(phone, |ua, now| ua.invite(now, call(key, server)));
        net.run(s(20));
        net.names(phone);
        net.sent.clear();
        let phone = carry(&mut net, phone, 2);
        net.run(s(25));
        let told = net.events.iter().filter_map(|(_, _, event)| match event {
            Event::Notified { subscription, .. } => Some(*subscription),
            _ => None,
        });
        let told = told.collect::<std::collections::BTreeSet<_>>().len();
        let names = net.names(phone);
        assert_eq!(names.iter().filter(|n| *n == "MediaAddressWanted").count(), 1, "seed {seed}: {names:?}");
        assert_eq!(told, watched.len(), "seed {seed}, {server}");
        // Over a stream the first were asked for before the server had said from where it sees us come.
        let times = names.iter().filter(|n| *n == "Notified").count();
        assert!(times <= watched.len() + 2 * MAX_SUBSCRIBES_PER_SECOND, "{times}");
        let registers = net.requests(phone, "REGISTER");
        let most = if server.transport.is_reliable() { 2 } else { 1 };
        assert!(registers.len() <= most, "seed {seed}: {}", registers.len());
        assert_eq!(registers[0].0, net.now - s(25), "at once");
        // The old address is given back.
        assert!(
            registers[0]
                .2
                .headers
                .get_all("Contact")
                .any(|c| c.contains("10.0.0.1") && c.ends_with("expires=0"))
        );
        let subscribes = net.requests(phone, "SUBSCRIBE");
        for (at, ..) in &subscribes {
            let second = subscribes.iter().filter(|(other, ..)| *other >= *at && *other < *at + s(1)).count();
            assert!(second <= MAX_SUBSCRIBES_PER_SECOND, "{second} in a second");
        }
        net.with(phone, |ua, now| ua.reoffer(now, ours, b"v=0 moved".to_vec()));
        net.run(s(1));
        assert!(net.names(phone).contains(&"OfferAnswered".to_owned()), "seed {seed}");
        let (_, _, reinvite) = net.requests(phone, "INVITE").remove(0);
        let contact = reinvite.headers.get("Contact").unwrap();
        assert!(contact.contains("10.0.0.2"), "{contact}");
        let theirs = *net.agents[&office].calls.keys().next().unwrap();
        assert!(net.agents[&office].remote_target(theirs).unwrap().host.contains("10.0.0.2"));
    }
}

#[test]
fn a_resume_with_the_same_address_renews_everything_once() {
    let (mut net, phone, _, key) = registered(1, udp(9));
    net.with(phone, |ua, now| ua.subscribe(now, watch(key, udp(9), "701")));
    net.run(s(5));
    // Suspended for an hour: timers have passed, and all of it is due at once.
    net.now += s(3600);
    net.names(phone);
    net.sent.clear();
    net.with(phone, |ua, now| ua.network_changed(now, host(1)));
    net.run(s(5));
    assert_eq!(net.requests(phone, "REGISTER").len(), 1);
    let names = net.names(phone);
    assert!(names.contains(&"Registered".to_owned()) && names.contains(&"Notified".to_owned()), "{names:?}");
}

#[test]
fn a_call_in_the_middle_of_its_own_reinvite_gets_the_new_address_after_it() {
    let (mut net, phone, _, key) = registered(1, udp(9));
    let ours = net.with(phone, |ua, now| ua.invite(now, call(key, udp(9))));
    net.run(s(1));
    net.with(phone, |ua, now| ua.reoffer(now, ours, b"v=0 hold".to_vec()));
    let phone = carry(&mut net, phone, 2);
    net.script(phone, |ua, now, event| {
        if let Event::MediaAddressWanted { call } = event {
            ua.reoffer(now, *call, b"v=0 moved".to_vec());
        }
    });
    net.run(s(10));
    let bodies: Vec<Vec<u8>> = net.requests(phone, "INVITE").into_iter().map(|(_, _, r)| r.body).collect();
    assert_eq!(bodies.last().unwrap(), b"v=0 moved", "and neither overtakes the other");
    assert!(net.names(phone).iter().filter(|n| *n == "OfferAnswered").count() >= 1);
}

#[test]
fn behind_a_nat_the_contact_says_the_public_address_after_one_correction() {
    for server in [udp(9), tcp(9)] {
        let mut net = Net::new(2);
        let (phone, office) = (net.add_phone(1), net.add_server(9));
        net.nat.insert(phone, public(61_000));
        net.script(office, obliging);
        net.with(phone, |ua, now| {
            let key = ua.add_account(account(server));
            ua.register(now, key);
        });
        net.run(s(20));
        let registers = net.requests(phone, "REGISTER");
        assert_eq!(registers.len(), 2, "{server}: one, and one that corrects it");
        let contacts: Vec<&str> = registers[1].2.headers.get_all("Contact").collect();
        assert!(contacts[0].contains("203.0.113.7"), "{contacts:?}");
        assert!(contacts[1].contains("10.0.0.1") && contacts[1].ends_with("expires=0"), "{contacts:?}");
        // Over UDP the binding in the NAT is kept open.
        net.run(s(100));
        let kept =
            net.sent.iter().filter(|(_, from, to, b)| *from == phone && *to == server && b == b"\r\n\r\n");
        let kept: Vec<Moment> = kept.map(|(at, ..)| *at).collect();
        if server == udp(9) {
            assert!((4..=5).contains(&kept.len()), "{kept:?}");
            assert!(kept.windows(2).all(|pair| pair[1] - pair[0] >= s(24) && pair[1] - pair[0] <= s(29)));
        } else {
            assert!(kept.len() <= 1);
        }
        net.run(s(3000));
        let all = net.requests(phone, "REGISTER").len();
        assert!(all <= 9, "no loop: {all} in 52 minutes of 10 each");
    }
}

#[test]
fn where_it_is_switched_off_the_contact_says_our_own_address() {
    let mut net = Net::new(2);
    let (phone, office) = (net.add_phone(1), net.add_server(9));
    net.nat.insert(phone, public(61_000));
    net.script(office, obliging);
    net.with(phone, |ua, now| {
        let key = ua.add_account(Account { learns_address: false, ..account(udp(9)) });
        ua.register(now, key);
    });
    net.run(s(20));
    assert_eq!(net.requests(phone, "REGISTER").len(), 1);
}

#[test]
fn a_nat_that_changes_its_mind_with_every_register_makes_no_loop() {
    let mut net = Net::new(2);
    let (phone, office) = (net.add_phone(1), net.add_server(9));
    net.nat.insert(phone, public(61_000));
    net.script(office, obliging);
    net.with(phone, |ua, now| {
        let key = ua.add_account(account(udp(9)));
        ua.register(now, key);
    });
    for n in 0..600u16 {
        net.nat.insert(phone, public(61_000 + n));
        net.run(ms(100));
    }
    let sent = net.requests(phone, "REGISTER").into_iter().map(|(_, _, r)| r.headers.cseq().unwrap().0);
    assert!(sent.clone().max() <= Some(3), "{:?} in a minute", sent.collect::<Vec<_>>());
}

#[test]
fn a_nat_that_forgot_us_is_noticed_with_the_next_register_and_calls_learn_the_new_address() {
    let mut net = Net::new(2);
    let (phone, office) = (net.add_phone(1), net.add_server(9));
    net.nat.insert(phone, public(61_000));
    net.script(office, obliging);
    let key = net.with(phone, |ua, now| {
        let key = ua.add_account(account(udp(9)));
        ua.register(now, key);
        key
    });
    net.run(s(3));
    net.with(phone, |ua, now| {
        ua.invite(now, call(key, udp(9)));
        ua.subscribe(now, watch(key, udp(9), "701"));
    });
    net.run(s(3));
    net.names(phone);
    net.nat.insert(phone, public(62_000));
    net.run(s(600));
    let names = net.names(phone);
    for name in ["MediaAddressWanted", "Notified"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
}
