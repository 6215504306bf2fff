//! Connections: opened, sliced, cut, silent, useless; and what hangs on them.

use super::net::*;
use super::wire::{ms, s};
use super::*;
use crate::sip::message::{Message, NameAddr};
use std::net::SocketAddr;

pub fn account(server: Peer) -> Account {
    let aor = NameAddr::new(Uri::sip("alice", "office.example"));
    Account { expires_s: 600, ..Account::new(aor, server, "alice", "secret".into()) }
}

pub fn watch(account: AccountKey, server: Peer, user: &str) -> Subscribe {
    Subscribe {
        account: Some(account),
        target: Uri::sip(user, "office.example"),
        send_to: server,
        event: "dialog".to_owned(),
        accept: "text/plain".to_owned(),
        expires_s: 600,
        list: false,
    }
}

pub fn call(account: AccountKey, server: Peer) -> Invite {
    Invite {
        account: Some(account),
        from: None,
        target: Uri::sip("bob", "office.example"),
        send_to: server,
        sdp: OFFER.to_vec(),
        headers: Vec::new(),
    }
}

/// A phone, registered at a server over that transport.
pub fn registered(seed: u64, server: Peer) -> (Net, SocketAddr, SocketAddr, AccountKey) {
    let mut net = Net::new(seed);
    let (phone, office) = (net.add_phone(1), net.add_server(9));
    net.script(office, obliging);
    let key = net.with(phone, |ua, now| {
        let key = ua.add_account(account(server));
        ua.register(now, key);
        key
    });
    net.run(s(3));
    assert!(net.names(phone).contains(&"Registered".to_owned()));
    (net, phone, office, key)
}

#[test]
fn over_a_stream_everything_goes_once_over_one_connection_however_it_is_sliced() {
    for (seed, server) in (0..20).map(|seed| (seed, if seed % 2 == 0 { tcp(9) } else { tls(9) })) {
        let (mut net, phone, office, key) = registered(seed, server);
        let watched = net.with(phone, |ua, now| ua.subscribe(now, watch(key, server, "701")));
        let ours = net.with(phone, |ua, now| ua.invite(now, call(key, server)));
        net.run(s(2));
        net.with(phone, |ua, now| ua.hang_up(now, ours));
        net.run(s(2));
        let names = net.names(phone);
        for name in ["Notified", "CallAnswered", "CallEnded Local"] {
            assert!(names.contains(&name.to_owned()), "seed {seed}: {names:?}");
        }
        // The other way round it is the same connection.
        let seen = net.lines[0].client_seen;
        let theirs = Invite { account: None, from: Some(account(server).aor), ..call(key, seen) };
        net.script(phone, |ua, now, event| {
            if let Event::CallReceived { call, .. } = event {
                ua.accept(now, *call, ANSWER.to_vec());
            }
        });
        net.with(office, |ua, now| ua.invite(now, theirs));
        net.run(s(2));
        assert!(net.names(office).contains(&"CallAnswered".to_owned()), "seed {seed}");
        assert_eq!(net.lines.len(), 1, "seed {seed}");
        let word = server.transport.via_word();
        for (method, count) in [("INVITE", 1), ("SUBSCRIBE", 1), ("BYE", 1), ("ACK", 1)] {
            let sent = net.requests(phone, method);
            assert_eq!(sent.len(), count, "seed {seed}: {method} is sent once");
            let (_, to, request) = &sent[0];
            assert_eq!((*to, request.headers.via().unwrap().transport.as_str()), (server, word));
            let contact = request.headers.get("Contact").unwrap_or("transport=tcptls");
            assert!(
                contact.contains(&format!("transport={}", server.transport.uri_word()))
                    || ["BYE", "ACK"].contains(&method),
                "{contact}"
            );
        }
        net.with(phone, |ua, now| ua.unsubscribe(now, watched));
    }
}

#[test]
fn nothing_is_repeated_on_a_stream_and_the_waiting_ends_all_the_same() {
    let mut net = Net::new(1);
    let (phone, _) = (net.add_phone(1), net.add_server(9));
    // A server whose owner never answers.
    net.with(phone, |ua, now| {
        let key = ua.add_account(account(tcp(9)));
        ua.register(now, key);
    });
    net.run(s(19));
    assert_eq!(net.requests(phone, "REGISTER").len(), 1, "timer E is off");
    net.run(s(2));
    assert_eq!(net.names(phone), ["RegistrationFailed Some(500)"], "the server's patience with its owner");
    net.dead.insert(host(9));
    net.run(s(4));
    assert!(net.requests(phone, "REGISTER").len() >= 2);
    net.run(s(40));
    assert!(net.names(phone).iter().any(|name| name == "RegistrationFailed None"), "timer F is not");
}

#[test]
fn a_cut_connection_comes_back_with_registration_and_subscriptions() {
    for seed in 0..20 {
        let (mut net, phone, office, key) = registered(seed, tcp(9));
        let keys: Vec<_> = net.with(phone, |ua, now| {
            (0..9).map(|n| ua.subscribe(now, watch(key, tcp(9), &n.to_string()))).collect()
        });
        let ours = net.with(phone, |ua, now| ua.invite(now, call(key, tcp(9))));
        net.run(s(5));
        net.names(phone);
        let before = net.requests(phone, "REGISTER").len();
        net.cut(phone, "connection reset");
        net.run(s(5));
        let names = net.names(phone);
        assert_eq!(names.iter().filter(|n| *n == "FlowLost").count(), 1, "seed {seed}: {names:?}");
        assert!(names.contains(&"Registered".to_owned()), "seed {seed}: {names:?}");
        // Each lamp was told again, over the new connection.
        assert_eq!(names.iter().filter(|n| *n == "Notified").count(), 9, "seed {seed}: {names:?}");
        let stale = names.iter().filter(|n| *n == "SubscriptionStale").count();
        assert_eq!(stale, 9, "none is believed until it is told again: {names:?}");
        // The Contact has changed with the connection, which the running call's far end must know.
        assert!(names.contains(&"MediaAddressWanted".to_owned()), "seed {seed}: {names:?}");
        assert!(
            net.requests(phone, "REGISTER").len() - before <= 2,
            "one, and one that corrects the address"
        );
        net.with(phone, |ua, now| ua.reoffer(now, ours, b"v=0 again".to_vec()));
        net.run(s(1));
        assert!(net.names(phone).contains(&"OfferAnswered".to_owned()), "the dialog goes on");
        // And the server's side of it goes on over the new connection too.
        let theirs = *net.agents[&office].calls.keys().next().unwrap();
        net.with(office, |ua, now| ua.hang_up(now, theirs));
        net.run(s(1));
        assert!(net.names(phone).iter().any(|n| n.starts_with("CallEnded Remote")), "seed {seed}");
        net.with(phone, |ua, now| keys.iter().for_each(|key| ua.unsubscribe(now, *key)));
        net.with(phone, |ua, now| ua.unregister(now, key));
        net.run(s(700));
        for who in [phone, office] {
            assert_eq!(net.agents[&who].census(), Census::default(), "seed {seed}: {who}");
        }
    }
}

#[test]
fn a_server_that_refuses_connections_is_tried_ever_more_rarely_and_found_again() {
    let (mut net, phone, _, _) = registered(3, tcp(9));
    net.refused.insert(tcp(9));
    net.cut(phone, "connection reset");
    net.run(s(900));
    let tries: Vec<Moment> = net.connects.iter().skip(1).map(|(at, _, _)| *at).collect();
    assert!((6..=14).contains(&tries.len()), "{tries:?}");
    let gaps: Vec<Duration> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] <= s(4) && gaps.last().unwrap() >= &s(60), "{gaps:?}");
    let reasons = net.events.iter().filter_map(|(_, _, event)| match event {
        Event::RegistrationFailed { reason, status: None, .. } => Some(reason.as_str()),
        _ => None,
    });
    assert!(reasons.clone().all(|r| r.contains("connection refused")), "{:?}", reasons.collect::<Vec<_>>());
    net.names(phone);
    net.refused.clear();
    net.run(s(600));
    assert!(net.names(phone).contains(&"Registered".to_owned()));
}

#[test]
fn a_server_that_accepts_late_is_waited_for_and_one_that_never_does_is_not() {
    for (delay, works) in [(s(9), true), (s(3600), false)] {
        let mut net = Net::new(5);
        let (phone, office) = (net.add_phone(1), net.add_server(9));
        net.script(office, obliging);
        net.accept_delay = delay;
        net.with(phone, |ua, now| {
            let key = ua.add_account(account(tcp(9)));
            ua.register(now, key);
        });
        net.run(s(11));
        let names = net.names(phone);
        assert_eq!(names.contains(&"Registered".to_owned()), works, "{names:?}");
        assert_eq!(names.contains(&"RegistrationFailed None".to_owned()), !works, "{names:?}");
    }
}

#[test]
fn a_server_that_stops_answering_pings_is_left_and_one_that_never_did_is_not() {
    for pongs in [true, false] {
        let (mut net, phone, _, _) = registered(8, tcp(9));
        if pongs {
            net.run(s(121));
            let pings = net.sent.iter().filter(|(_, from, _, b)| *from == phone && b == b"\r\n\r\n").count();
            let answers = net.sent.iter().filter(|(_, from, _, b)| *from != phone && b == b"\r\n").count();
            assert_eq!((pings, answers), (1, 1));
        }
        let connects = net.connects.len();
        net.silence(phone);
        net.run(s(131));
        let lost = net.names(phone).contains(&"FlowLost".to_owned());
        assert_eq!(lost, pongs, "within the longest interval and 10 s");
        assert_eq!(net.connects.len() > connects, pongs);
    }
}

#[test]
fn pings_are_jittered_and_follow_the_servers_flow_timer() {
    let mut firsts = std::collections::BTreeSet::new();
    for seed in 0..10 {
        let mut net = Net::new(seed);
        let (phone, office) = (net.add_phone(1), net.add_server(9));
        net.script(office, |ua, now, event| {
            let Event::RequestReceived { key, request, .. } = event else { return };
            let contact = request.headers.get("Contact").unwrap().to_owned();
            let headers = [("Contact", contact.as_str()), ("Flow-Timer", "30"), ("Require", "outbound")];
            ua.answer(
                now,
                *key,
                200,
                headers.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec(),
                Vec::new(),
            );
        });
        net.with(phone, |ua, now| {
            let instance = Some("urn:uuid:00000000-0000-1000-8000-000a95a0e128".to_owned());
            let key = ua.add_account(Account { instance, ..account(tcp(9)) });
            ua.register(now, key);
        });
        net.run(s(600));
        let pings: Vec<Moment> = net
            .sent
            .iter()
            .filter(|(_, from, _, b)| *from == phone && b == b"\r\n\r\n")
            .map(|(at, ..)| *at)
            .collect();
        // The first was planned before the server had said anything.
        let gaps: Vec<Duration> = pings.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap >= s(24) && *gap <= s(30)), "{gaps:?}");
        assert!(gaps.len() >= 15, "{gaps:?}");
        firsts.insert(pings[0]);
        let (_, _, register) = &net.requests(phone, "REGISTER")[0];
        let contact = register.headers.get("Contact").unwrap();
        assert!(contact.contains("+sip.instance=\"<urn:uuid:") && contact.contains("reg-id=1"), "{contact}");
        assert!(register.headers.list("Supported").iter().any(|tag| tag == "outbound"));
    }
    assert!(firsts.len() > 5, "{firsts:?}");
}

#[test]
fn a_request_that_meets_silence_shows_that_a_connection_only_looks_open() {
    let (mut net, phone, _, key) = registered(8, tcp(9));
    net.silence(phone);
    net.with(phone, |ua, now| ua.subscribe(now, watch(key, tcp(9), "701")));
    net.run(s(31));
    assert_eq!(net.names(phone), Vec::<String>::new());
    net.run(s(8));
    let names = net.names(phone);
    for name in ["FlowLost", "Registered", "Notified"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
}

#[test]
fn a_call_whose_connection_is_cut_while_it_rings_ends_and_is_cancelled_there() {
    let (mut net, phone, office, key) = registered(8, tcp(9));
    net.script(office, |ua, now, event| match event {
        Event::CallReceived { call, .. } => ua.ring(now, *call, None),
        other => obliging(ua, now, other),
    });
    net.with(phone, |ua, now| ua.invite(now, call(key, tcp(9))));
    net.run(s(1));
    net.names(phone);
    net.cut(phone, "connection reset");
    net.run(s(5));
    let names = net.names(phone);
    assert!(names.contains(&"CallEnded Timeout".to_owned()), "{names:?}");
    assert!(net.names(office).contains(&"CallEnded Remote".to_owned()));
    assert_eq!(net.requests(phone, "INVITE").len(), 1, "nobody is rung twice");
    net.run(s(60));
    assert!(net.agents[&phone].is_idle() && net.agents[&office].is_idle());
}

#[test]
fn a_request_on_a_connection_that_just_closed_goes_over_the_next() {
    let (mut net, phone, office, key) = registered(8, tcp(9));
    // The cut is on its way while the INVITE leaves.
    net.cut(office, "connection reset");
    net.with(phone, |ua, now| ua.invite(now, call(key, tcp(9))));
    net.run(s(2));
    assert!(net.names(phone).contains(&"CallAnswered".to_owned()));
    assert_eq!(net.agents[&office].calls.len(), 1);
}

#[test]
fn ten_thousand_useless_connections_are_closed_within_30_s_and_the_honest_one_is_served() {
    let mut net = Net::new(4);
    let (phone, office) = (net.add_phone(1), net.add_server(9));
    net.script(office, obliging);
    let stranger = |n: u16| {
        Peer::new(crate::sip::Transport::Tcp, SocketAddr::from(([10, 9, (n >> 8) as u8, n as u8], 40_000)))
    };
    for n in 0..10_000 {
        net.dial(stranger(n), office);
    }
    let began = net.now;
    let slow: Vec<u8> = b"REGISTER sip:office SIP/2.0\r\nX: ".to_vec();
    let whole = "OPTIONS sip:office SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
                 To: <sip:office>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    for round in 0..30 {
        for n in 0..10_000u16 {
            // Some are silent, some drip, some send pings, some ask what anybody may ask.
            let bytes: &[u8] = match n % 4 {
                0 => continue,
                1 => &slow[round..=round],
                2 => b"\r\n\r\n",
                _ if round % 5 == 0 => whole.as_bytes(),
                _ => continue,
            };
            net.with(office, |ua, now| ua.receive_stream(now, stranger(n), bytes));
        }
        if round == 3 {
            net.with(phone, |ua, now| {
                let key = ua.add_account(account(tcp(9)));
                ua.register(now, key);
            });
            net.run(s(1));
            assert!(net.names(phone).contains(&"Registered".to_owned()), "within a second");
        } else {
            net.run(s(1));
        }
        net.sent.clear();
    }
    assert_eq!(net.now - began, s(30));
    assert_eq!(net.agents[&office].census().flows, 1, "only the registered one is left");
    net.run(s(500));
    assert_eq!(net.agents[&office].census().flows, 1, "and stays");
    net.with(phone, |ua, now| {
        let key = *ua.accounts.keys().next().unwrap();
        ua.unregister(now, key);
    });
    net.run(s(700));
    assert_eq!(net.agents[&office].census(), Census::default(), "until it is given back");
}

#[test]
fn a_connection_with_a_dialog_stays_although_nothing_is_said_on_it() {
    let (mut net, phone, office, key) = registered(4, tcp(9));
    net.with(phone, |ua, now| ua.unregister(now, key));
    let ours = net.with(phone, |ua, now| ua.invite(now, call(key, tcp(9))));
    net.run(s(700));
    assert_eq!(net.agents[&office].census().flows, 1);
    net.with(phone, |ua, now| ua.hang_up(now, ours));
    net.run(s(100));
    for who in [phone, office] {
        assert_eq!(net.agents[&who].census(), Census::default());
    }
}

#[test]
fn content_length_that_lies_or_stands_twice_ends_the_connection_with_400() {
    let head = "OPTIONS sip:office SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
                To: <sip:office>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n";
    let inner = "OPTIONS sip:inner SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKinner\r\nFrom: <sip:a@h>;tag=1\r\n\
                 To: <sip:inner>\r\nCall-ID: inner\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    let twice = format!("Content-Length: 0\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    let huge = "Content-Length: 99999999999\r\n\r\n".to_owned();
    let none = format!("\r\n{inner}");
    for lie in [twice, huge, none] {
        let mut net = Net::new(4);
        let office = net.add_server(9);
        let from = Peer::new(crate::sip::Transport::Tcp, SocketAddr::from(([10, 9, 9, 9], 40_000)));
        net.dial(from, office);
        net.with(office, |ua, now| ua.receive_stream(now, from, format!("{head}{lie}").as_bytes()));
        let statuses: Vec<u16> = net.responses(office).iter().map(|(_, _, r)| r.status).collect();
        assert!(statuses.len() == 1 && [400, 413].contains(&statuses[0]), "{lie}: {statuses:?}");
        assert_eq!(net.agents[&office].census().flows, 0, "{lie}");
        net.with(office, |ua, now| ua.receive_stream(now, from, inner.as_bytes()));
        assert_eq!(net.responses(office).len(), 1, "what comes after is not looked at");
    }
}

#[test]
fn the_answer_to_a_broken_message_leaves_before_its_connection_is_closed() {
    let mut agent = UserAgent::new(UaConfig::server(host(9), "server", 1));
    let from = Peer::new(crate::sip::Transport::Tcp, SocketAddr::from(([10, 9, 9, 9], 40_000)));
    agent.flow_opened(s(1), from, Secured::No);
    let broken = "OPTIONS sip:o SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
                  To: <sip:o>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: x\r\n\r\n";
    agent.receive_stream(s(1), from, broken.as_bytes());
    assert!(agent.poll_transmit().is_some_and(|t| t.to == from && t.bytes.starts_with(b"SIP/2.0 400")));
    assert_eq!((agent.poll_transmit(), agent.poll_close()), (None, Some(from)));
}

#[test]
fn what_is_for_a_new_connection_waits_until_the_old_one_is_closed() {
    let mut agent = UserAgent::new(UaConfig::new(host(1), "phone", 1));
    let probe = |agent: &mut UserAgent| agent.probe(s(2), None, Uri::sip("", "office"), tcp(9));
    probe(&mut agent);
    assert!(agent.poll_transmit().is_some());
    agent.flow_opened(s(1), tcp(9), Secured::No);
    agent.network_changed(s(2), host(1));
    // The request that was lost with the connection is sent again by itself.
    assert_eq!(agent.poll_transmit(), None);
    assert_eq!(agent.poll_close(), Some(tcp(9)));
    assert!(agent.poll_transmit().is_some_and(|t| t.to == tcp(9)));
}

#[test]
fn a_tls_connection_that_is_not_proven_is_no_connection() {
    let mut agent = UserAgent::new(UaConfig::server(host(9), "server", 1));
    agent.flow_opened(s(1), tls(1), Secured::No);
    assert_eq!((agent.poll_close(), agent.census().flows), (Some(tls(1)), 0));
}

#[test]
fn a_datagram_is_no_answer_to_what_went_over_tls() {
    let (mut net, phone, office, key) = registered(4, tls(9));
    net.script(office, |_, _, _| {});
    let asked = net.with(phone, |ua, now| {
        let ask = Ask {
            account: Some(key),
            from: None,
            method: crate::sip::message::Method::Message,
            target: Uri::sip("bob", "office.example"),
            send_to: tls(9),
            headers: Vec::new(),
            body: Vec::new(),
        };
        ua.request(now, ask)
    });
    net.run(ms(100));
    let (_, _, request) = net.requests(phone, "MESSAGE").remove(0);
    net.names(phone);
    let forged = super::wire::reply_to(&Message::Request(request), 200, &[]);
    net.with(phone, |ua, now| ua.receive(now, Peer::udp(tls(9).address), &forged));
    net.with(phone, |ua, now| ua.receive(now, udp(9), &forged));
    assert_eq!(net.names(phone), Vec::<String>::new());
    let _ = asked;
}

#[test]
fn what_began_over_tls_is_never_said_in_the_clear() {
    for contact in [
        "<sip:bob@10.0.0.9:5060>",
        "<sip:bob@10.0.0.66:5060;transport=udp>",
        "<sip:bob@10.0.0.66;transport=tcp>",
    ] {
        let (mut net, phone, office, key) = registered(4, tls(9));
        net.script(office, move |ua, now, event| {
            if let Event::CallReceived { call, .. } = event {
                let headers = vec![("Contact".to_owned(), contact.to_owned())];
                ua.accept_with(now, *call, ANSWER.to_vec(), headers);
            }
        });
        let ours = net.with(phone, |ua, now| ua.invite(now, call(key, tls(9))));
        net.run(s(1));
        net.with(phone, |ua, now| ua.hang_up(now, ours));
        net.run(s(1));
        assert!(net.names(phone).contains(&"CallEnded Local".to_owned()));
        assert!(net.sent.iter().all(|(_, _, to, _)| to.transport == crate::sip::Transport::Tls), "{contact}");
        assert_eq!(net.requests(phone, "BYE").len(), 1);
    }
}

#[test]
fn a_sips_account_or_target_knows_tls_only() {
    let mut net = Net::new(4);
    let (phone, office) = (net.add_phone(1), net.add_server(9));
    net.script(office, obliging);
    let aor = NameAddr::new(Uri::parse("sips:alice@office.example").unwrap());
    let key = net.with(phone, |ua, now| {
        let key = ua.add_account(Account { aor: aor.clone(), ..account(udp(9)) });
        ua.register(now, key);
        key
    });
    net.run(s(1));
    assert!(net.sent.is_empty(), "not in the clear");
    assert!(net.names(phone).contains(&"RegistrationFailed None".to_owned()));
    net.with(phone, |ua, now| {
        ua.set_servers(now, key, vec![tls(9)]);
        ua.register(now, key);
    });
    net.run(s(2));
    assert!(net.names(phone).contains(&"Registered".to_owned()));
    let (_, to, register) = net.requests(phone, "REGISTER").remove(0);
    assert_eq!(to, tls(9));
    assert!(register.headers.get("Contact").unwrap().starts_with("<sips:alice@"), "{:?}", register.headers);
    // A sips: target of somebody without TLS.
    let target = Uri::parse("sips:bob@office.example").unwrap();
    net.with(phone, |ua, now| {
        let plain = ua.add_account(account(udp(9)));
        ua.invite(now, Invite { target, ..call(plain, udp(9)) });
    });
    assert!(net.requests(phone, "INVITE").is_empty());
    assert!(net.names(phone).contains(&"CallEnded Timeout".to_owned()));
}

#[test]
fn a_request_too_long_for_a_datagram_goes_over_tcp_and_back_where_that_is_refused() {
    for (refused, allowed) in [(false, true), (true, true), (false, false)] {
        let mut net = Net::new(4);
        let (phone, office) = (net.add_phone(1), net.add_server(9));
        net.script(office, obliging);
        if refused {
            net.refused.insert(tcp(9));
        }
        let key = net.with(phone, |ua, _| ua.add_account(Account { udp_to_tcp: allowed, ..account(udp(9)) }));
        let mut calls = Vec::new();
        for _ in 0..2 {
            calls.push(net.with(phone, |ua, now| {
                ua.invite(now, Invite { sdp: vec![b'x'; 1200], ..call(key, udp(9)) })
            }));
            net.run(s(1));
        }
        assert_eq!(
            net.names(phone).iter().filter(|n| *n == "CallAnswered").count(),
            2,
            "{refused} {allowed}"
        );
        assert_eq!(net.names(office).iter().filter(|n| *n == "CallReceived").count(), 2);
        let over: Vec<Peer> = net.requests(phone, "INVITE").iter().map(|(_, to, _)| *to).collect();
        match (refused, allowed) {
            (_, false) => assert_eq!(over, [udp(9), udp(9)]),
            (false, _) => assert_eq!(over, [tcp(9), tcp(9)]),
            // Tried once, and remembered.
            (true, _) => assert_eq!(over, [tcp(9), udp(9), udp(9)]),
        }
        net.with(phone, |ua, now| calls.iter().for_each(|call| ua.hang_up(now, *call)));
        net.run(s(100));
        for who in [phone, office] {
            assert_eq!(
                net.agents[&who].census(),
                Census::default(),
                "the connection is not kept for nothing"
            );
        }
    }
}

#[test]
fn a_server_answers_on_the_connection_that_asked_and_opens_none() {
    let mut net = Net::new(4);
    let (phone, office) = (net.add_phone(1), net.add_server(9));
    net.with(phone, |ua, now| {
        let key = ua.add_account(account(tcp(9)));
        ua.invite(now, call(key, tcp(9)));
    });
    net.run(s(1));
    let theirs = *net.agents[&office].calls.keys().next().unwrap();
    let connects = net.connects.len();
    net.cut(phone, "connection reset");
    net.run(ms(1));
    net.with(office, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    net.run(s(70));
    assert!(net.connects[connects..].iter().all(|(_, who, _)| *who == phone), "{:?}", net.connects);
    net.run(s(700));
    assert_eq!(net.agents[&office].census(), Census::default());
}
