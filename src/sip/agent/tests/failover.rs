//! Several servers: in order, passed over while they fail, gone back to; and the routes that lead to them.

use super::flows::{account, call, registered, watch};
use super::net::*;
use super::wire::{ms, reply_to, s};
use super::*;
use crate::sip::message::{Message, Method, NameAddr};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

/// A phone that knows two servers, and the two.
fn two_servers(seed: u64, servers: [Peer; 2]) -> (Net, SocketAddr, AccountKey) {
    let mut net = Net::new(seed);
    let phone = net.add_phone(1);
    for number in [8, 9] {
        let server = net.add_server(number);
        net.script(server, obliging);
    }
    let account = Account { servers: servers.to_vec(), ..account(servers[0]) };
    let key = net.with(phone, |ua, _| ua.add_account(account));
    (net, phone, key)
}

fn server_of(net: &Net, phone: SocketAddr, key: AccountKey) -> Peer {
    net.agents[&phone].server_of(key).unwrap()
}

#[test]
fn a_server_that_refuses_gives_way_to_the_next_at_once_and_is_gone_back_to_later() {
    let (mut net, phone, key) = two_servers(1, [tcp(8), tcp(9)]);
    net.refused.insert(tcp(8));
    net.with(phone, |ua, now| ua.register(now, key));
    net.run(s(1));
    assert_eq!(server_of(&net, phone, key), tcp(9));
    assert!(net.names(phone).contains(&"Registered".to_owned()));
    // Calls follow the registration.
    net.with(phone, |ua, now| ua.invite(now, call(key, tcp(8))));
    net.run(s(1));
    assert!(net.names(phone).contains(&"CallAnswered".to_owned()));
    assert!(net.requests(phone, "INVITE").iter().all(|(_, to, _)| *to == tcp(9)));
    net.refused.clear();
    net.run(s(600));
    assert_eq!(server_of(&net, phone, key), tcp(8), "with the next refresh");
}

#[test]
fn a_silent_server_is_left_when_its_transaction_times_out_and_the_call_goes_on_elsewhere() {
    for seed in 0..5 {
        let (mut net, phone, key) = two_servers(seed, [udp(8), udp(9)]);
        net.with(phone, |ua, now| ua.register(now, key));
        net.run(s(1));
        assert_eq!(server_of(&net, phone, key), udp(8));
        net.dead.insert(host(8));
        net.with(phone, |ua, now| {
            ua.invite(now, call(key, udp(8)));
            ua.subscribe(now, watch(key, udp(8), "701"));
        });
        net.names(phone);
        net.run(s(35));
        let names = net.names(phone);
        for name in ["CallAnswered", "Notified", "Registered"] {
            assert!(names.contains(&name.to_owned()), "seed {seed}: {names:?}");
        }
        assert_eq!(server_of(&net, phone, key), udp(9));
        // What comes next doesn't wait for the dead one any more.
        net.with(phone, |ua, now| ua.invite(now, call(key, udp(8))));
        net.run(ms(100));
        assert!(net.names(phone).contains(&"CallAnswered".to_owned()));
    }
}

#[test]
fn a_503_with_retry_after_is_respected_for_that_server() {
    let (mut net, phone, key) = two_servers(1, [udp(8), udp(9)]);
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    net.script(host(8), move |ua, now, event| {
        if let Event::RequestReceived { key, .. } = event {
            count.set(count.get() + 1);
            let after = vec![("Retry-After".to_owned(), "120".to_owned())];
            ua.answer(now, *key, 503, after, Vec::new());
        }
    });
    net.with(phone, |ua, now| ua.register(now, key));
    net.run(s(1));
    assert!(net.names(phone).contains(&"Registered".to_owned()));
    for _ in 0..110 {
        net.with(phone, |ua, now| ua.register(now, key));
        net.run(s(1));
    }
    assert_eq!(asked.get(), 1);
    net.run(s(30));
    net.with(phone, |ua, now| ua.register(now, key));
    net.run(s(2));
    assert_eq!(asked.get(), 2, "and asked again after that");
}

#[test]
fn one_call_that_finds_no_line_does_not_move_the_whole_account() {
    let (mut net, phone, key) = two_servers(1, [udp(8), udp(9)]);
    net.script(host(8), |ua, now, event| match event {
        Event::CallReceived { call, .. } => ua.reject(now, *call, 503, Vec::new()),
        other => obliging(ua, now, other),
    });
    net.with(phone, |ua, now| ua.register(now, key));
    net.run(s(1));
    net.with(phone, |ua, now| ua.invite(now, call(key, udp(8))));
    net.run(s(1));
    assert!(net.names(phone).contains(&"CallAnswered".to_owned()), "by the other one");
    assert_eq!(server_of(&net, phone, key), udp(8));
}

#[test]
fn when_all_have_failed_new_ones_are_asked_for_and_used_at_once() {
    let (mut net, phone, key) = two_servers(1, [tcp(7), tcp(6)]);
    net.with(phone, |ua, now| ua.register(now, key));
    net.run(s(1));
    assert_eq!(net.names(phone), ["ServersWanted", "RegistrationFailed None"]);
    net.with(phone, |ua, now| ua.set_servers(now, key, vec![tcp(9)]));
    net.run(s(2));
    assert!(net.names(phone).contains(&"Registered".to_owned()));
    assert_eq!(server_of(&net, phone, key), tcp(9));
    // A list that is old is asked for anew, while everything goes on.
    net.run(s(3600));
    let names = net.names(phone);
    assert!(names.contains(&"ServersWanted".to_owned()));
    assert!(!names.iter().any(|name| name.starts_with("RegistrationFailed")), "{names:?}");
}

#[test]
fn an_empty_list_of_servers_changes_nothing() {
    let (mut net, phone, key) = two_servers(1, [tcp(8), tcp(9)]);
    net.with(phone, |ua, now| ua.set_servers(now, key, Vec::new()));
    assert_eq!(server_of(&net, phone, key), tcp(8));
}

#[test]
fn a_refer_or_message_that_may_have_arrived_is_not_said_twice() {
    for (silent, copies) in [(true, 1), (false, 2)] {
        let (mut net, phone, key) = two_servers(1, [tcp(8), tcp(9)]);
        net.with(phone, |ua, now| ua.register(now, key));
        net.run(s(2));
        if silent {
            net.script(host(8), |_, _, _| {});
        } else {
            // Nobody can have heard it there.
            net.cut(phone, "connection reset");
            net.run(ms(1));
            net.refused.insert(tcp(8));
        }
        let ask = Ask {
            account: Some(key),
            from: None,
            method: Method::Message,
            target: Uri::sip("bob", "office.example"),
            send_to: tcp(8),
            headers: Vec::new(),
            body: Vec::new(),
        };
        net.with(phone, |ua, now| ua.request(now, ask));
        net.run(ms(100));
        if silent {
            net.cut(phone, "connection reset");
        }
        net.run(s(3));
        let sent = net.requests(phone, "MESSAGE");
        assert_eq!(sent.len(), copies, "{:?}", net.names(phone));
        assert!(
            net.names(phone).contains(&format!("RequestAnswered {}", if silent { 503 } else { 200 }))
                || silent
        );
    }
}

#[test]
fn credentials_go_to_the_accounts_own_servers_and_over_their_transport_only() {
    let challenge = [("WWW-Authenticate", "Digest realm=\"office\", nonce=\"n\", qop=\"auth\"")];
    let signed = |net: &Net| {
        let all = net.sent.iter().filter(|(_, _, _, bytes)| {
            String::from_utf8_lossy(bytes).lines().any(|line| line.starts_with("Authorization:"))
        });
        let mut all: Vec<Peer> = all.map(|(_, _, to, _)| *to).collect();
        all.dedup();
        all
    };
    for (server, from, given) in [
        (tls(9), tls(9), true),
        (tls(9), Peer::new(crate::sip::Transport::Tcp, tls(9).address), false),
        (udp(9), udp(9), true),
        (udp(9), udp(8), false),
        (tcp(9), tcp(9), true),
        (tcp(9), udp(9), false),
    ] {
        let mut net = Net::new(4);
        let phone = net.add_phone(1);
        net.add_server(9);
        net.script(host(9), |_, _, _| {});
        net.with(phone, |ua, now| {
            let key = ua.add_account(account(server));
            ua.register(now, key);
        });
        net.run(ms(100));
        let (_, _, request) = net.requests(phone, "REGISTER").remove(0);
        let answer = reply_to(&Message::Request(request), 401, &challenge);
        net.with(phone, |ua, now| {
            if from.transport.is_reliable() {
                ua.flow_opened(now, from, if from == tls(9) { Secured::Tls } else { Secured::No });
                ua.receive_stream(now, from, &answer);
            } else {
                ua.receive(now, from, &answer);
            }
        });
        net.run(s(5));
        let expected = if given { vec![server] } else { Vec::new() };
        assert_eq!(signed(&net), expected, "{server} {from}");
    }
}

#[test]
fn requests_go_along_the_outbound_proxy_and_the_service_route() {
    let mut net = Net::new(4);
    let (phone, office) = (net.add_phone(1), net.add_server(9));
    let names = "<sip:proxy.example;lr>, <sip:pbx.example;lr;x=1>";
    net.script(office, move |ua, now, event| match event {
        Event::RequestReceived { key, request, .. } if request.method == Method::Register => {
            let contact = request.headers.get("Contact").unwrap().to_owned();
            let headers = [("Contact", contact.as_str()), ("Service-Route", names)];
            ua.answer(
                now,
                *key,
                200,
                headers.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec(),
                Vec::new(),
            );
        }
        other => obliging(ua, now, other),
    });
    let key = net.with(phone, |ua, now| {
        let outbound = vec![Uri::parse("sip:proxy.example;lr").unwrap()];
        let key = ua.add_account(Account { outbound, ..account(udp(9)) });
        ua.register(now, key);
        key
    });
    net.run(s(1));
    let ours = net.with(phone, |ua, now| {
        ua.subscribe(now, watch(key, udp(9), "701"));
        ua.invite(now, call(key, udp(9)))
    });
    net.run(s(1));
    net.with(phone, |ua, now| ua.hang_up(now, ours));
    net.run(s(1));
    let route = |method: &str| {
        let (_, to, request) = net.requests(phone, method).remove(0);
        assert_eq!(to, udp(9), "{method}");
        let all: Vec<String> = request.headers.routes("Route").iter().map(ToString::to_string).collect();
        all.join(", ")
    };
    assert_eq!(route("REGISTER"), "<sip:proxy.example;lr>");
    assert!(net.requests(phone, "REGISTER")[0].2.headers.list("Supported").iter().any(|tag| tag == "path"));
    // The proxy that both name stands there once.
    assert_eq!(route("INVITE"), names);
    assert_eq!(route("SUBSCRIBE"), names);
    assert_eq!(route("BYE"), "", "a dialog has a route of its own");
}

#[test]
fn a_strict_router_gets_itself_in_the_request_uri() {
    let mut net = Net::new(4);
    let phone = net.add_phone(1);
    net.with(phone, |ua, now| {
        let outbound = vec![Uri::parse("sip:old.example").unwrap()];
        let key = ua.add_account(Account { outbound, ..account(udp(9)) });
        ua.invite(now, call(key, udp(9)));
    });
    let (_, _, invite) = net.requests(phone, "INVITE").remove(0);
    assert_eq!(invite.uri.to_string(), "sip:old.example");
    assert_eq!(invite.headers.get("Route"), Some("<sip:bob@office.example>"));
    assert_eq!(invite.headers.get("To"), Some("<sip:bob@office.example>"));
}

#[test]
fn a_registrar_that_knows_no_outbound_is_asked_without_it() {
    let mut net = Net::new(4);
    let (phone, office) = (net.add_phone(1), net.add_server(9));
    net.script(office, |ua, now, event| match event {
        Event::RequestReceived { key, request, .. }
            if request.headers.get("Contact").unwrap().contains("reg-id") =>
        {
            ua.answer(now, *key, 439, Vec::new(), Vec::new());
        }
        other => obliging(ua, now, other),
    });
    net.with(phone, |ua, now| {
        let instance = Some("urn:uuid:1".to_owned());
        let key = ua.add_account(Account { instance, ..account(udp(9)) });
        ua.register(now, key);
    });
    net.run(s(3));
    assert!(net.names(phone).contains(&"Registered".to_owned()));
}

#[test]
fn a_gruu_is_the_contact_of_calls_and_an_instance_cannot_break_out() {
    let mut net = Net::new(4);
    let (phone, office) = (net.add_phone(1), net.add_server(9));
    net.script(office, |ua, now, event| match event {
        Event::RequestReceived { key, request, .. } if request.method == Method::Register => {
            let contact = request.headers.get("Contact").unwrap();
            let headers =
                vec![("Contact".to_owned(), format!("{contact};pub-gruu=\"sip:alice@office.example;gr=1\""))];
            ua.answer(now, *key, 200, headers, Vec::new());
        }
        other => obliging(ua, now, other),
    });
    let key = net.with(phone, |ua, now| {
        let key = ua.add_account(Account { instance: Some("urn:uuid:1".to_owned()), ..account(udp(9)) });
        ua.register(now, key);
        let evil = Some("urn:uuid:1>\"\r\nEvil: 1".to_owned());
        let other = ua.add_account(Account { instance: evil, ..account(udp(8)) });
        ua.register(now, other);
        key
    });
    net.run(s(1));
    net.with(phone, |ua, now| ua.invite(now, call(key, udp(9))));
    net.run(s(1));
    let (_, _, invite) = net.requests(phone, "INVITE").remove(0);
    assert_eq!(invite.headers.get("Contact"), Some("<sip:alice@office.example;gr=1>"));
    let registers = net.requests(phone, "REGISTER");
    let other = registers.iter().find(|(_, to, _)| *to == udp(8)).unwrap();
    assert!(!other.2.headers.get("Contact").unwrap().contains("instance"));
    assert!(other.2.headers.get("Evil").is_none());
}

#[test]
fn several_accounts_at_one_server_keep_their_own_names() {
    let (mut net, phone, office, _) = registered(4, tcp(9));
    let second = net.with(phone, |ua, now| {
        let aor = NameAddr::new(Uri::sip("desk", "office.example"));
        let key = ua.add_account(Account { aor, ..account(tcp(9)) });
        ua.register(now, key);
        key
    });
    net.run(s(2));
    let theirs = Invite {
        target: Uri::sip("desk", "office.example"),
        from: Some(NameAddr::new(Uri::sip("bob", "office.example"))),
        account: None,
        ..call(second, net.lines[0].client_seen)
    };
    net.with(office, |ua, now| ua.invite(now, theirs));
    net.run(s(1));
    let ours = net.agents[&phone].calls.values().next().unwrap();
    assert_eq!(ours.account, Some(second));
    assert_eq!(net.lines.len(), 1, "one connection serves both");
}

#[test]
fn registration_calls_and_lamps_come_through_a_failover_in_any_weather() {
    for percent in [1, 5, 10, 20, 30] {
        for seed in 0..10 {
            let (mut net, phone, key) = two_servers(seed, [udp(8), udp(9)]);
            net.loss = f64::from(percent) / 100.0;
            let keys: Vec<_> = net.with(phone, |ua, now| {
                ua.register(now, key);
                (0..5).map(|n| ua.subscribe(now, watch(key, udp(8), &n.to_string()))).collect()
            });
            net.run(s(120));
            net.dead.insert(host(8));
            net.names(phone);
            net.with(phone, |ua, now| keys.iter().for_each(|key| ua.renew(now, *key)));
            net.run(s(240));
            let last = net.events.iter().filter(|(_, who, _)| *who == phone);
            let mut fresh = std::collections::BTreeMap::new();
            for (_, _, event) in last {
                match event {
                    Event::Notified { subscription, .. } => fresh.insert(*subscription, true),
                    Event::SubscriptionStale { subscription, .. } => fresh.insert(*subscription, false),
                    _ => None,
                };
            }
            assert!(
                fresh.len() == 5 && fresh.values().all(|fresh| *fresh),
                "seed {seed}, {percent} %: {fresh:?}"
            );
            assert_eq!(server_of(&net, phone, key), udp(9), "seed {seed}, {percent} %");
            net.with(phone, |ua, now| {
                keys.iter().for_each(|key| ua.unsubscribe(now, *key));
                ua.unregister(now, key);
            });
            net.run(s(1500));
            assert_eq!(net.agents[&phone].census(), Census::default(), "seed {seed}, {percent} %");
        }
    }
}

#[test]
fn a_call_that_goes_on_at_a_server_of_the_other_family_names_our_address_of_that_family() {
    let (ours, dead) = ("[fd00::1]:5060".parse().unwrap(), Peer::udp("[fd00::9]:5060".parse().unwrap()));
    let mut net = Net::new(3);
    let (phone, office) = (host(1), net.add_server(9));
    net.script(office, obliging);
    net.agents.insert(phone, UserAgent::new(UaConfig::new(ours, "phone", 3)));
    let sdp =
        "v=0\r\no=- 7 1 IN IP6 fd00::1\r\ns=-\r\nc=IN IP6 fd00::1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let ours = net.with(phone, |ua, now| {
        ua.add_address(phone);
        let key = ua.add_account(Account { servers: vec![dead, udp(9)], ..account(dead) });
        ua.register(now, key);
        ua.invite(now, Invite { sdp: sdp.into(), ..call(key, dead) })
    });
    net.run(s(40));
    assert!(net.names(phone).contains(&"CallAnswered".to_owned()));
    for (method, to, ip, body) in [
        ("INVITE", dead, "[fd00::1]", "IN IP6 fd00::1"),
        ("INVITE", udp(9), "10.0.0.1", "IN IP4 10.0.0.1"),
        ("REGISTER", dead, "[fd00::1]", ""),
        ("REGISTER", udp(9), "10.0.0.1", ""),
    ] {
        let all = net.requests(phone, method);
        let (_, _, request) = all.iter().find(|(_, at, _)| *at == to).unwrap();
        for name in ["Via", "Contact"] {
            let value = request.headers.get(name).unwrap();
            assert!(value.contains(ip), "{method} {to} {name}: {value}");
        }
        let text = String::from_utf8(request.body.clone()).unwrap();
        assert_eq!(text.matches(body).count(), if body.is_empty() { text.len() + 1 } else { 2 }, "{text}");
    }
    assert_eq!(net.agents[&phone].peer_address(ours), Some(udp(9)));
}

#[test]
fn a_server_that_takes_no_datagrams_gives_way_to_the_next_at_once() {
    let (mut net, phone, key) = two_servers(1, [udp(8), udp(9)]);
    net.refused.insert(udp(8));
    net.with(phone, |ua, now| {
        ua.register(now, key);
        ua.invite(now, call(key, udp(8)));
        ua.subscribe(now, watch(key, udp(8), "701"));
    });
    net.run(ms(200));
    let names = net.names(phone);
    for name in ["Registered", "CallAnswered", "Notified"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    assert_eq!(server_of(&net, phone, key), udp(9));
    for method in ["REGISTER", "INVITE", "SUBSCRIBE"] {
        let there = net.requests(phone, method).into_iter().filter(|(_, to, _)| *to == udp(8));
        assert!(there.count() <= 1, "{method}");
    }
}

#[test]
fn a_forged_refusal_ends_nothing_and_moves_only_what_nobody_has_answered() {
    // One server: whatever the network says, it is asked as long as RFC 3261 wants, and comes through.
    let mut net = Net::new(1);
    let (phone, office) = (net.add_phone(1), net.add_server(8));
    net.script(office, obliging);
    let key = net.with(phone, |ua, _| ua.add_account(account(udp(8))));
    net.refused.insert(udp(8));
    net.with(phone, |ua, now| ua.register(now, key));
    net.run(s(3));
    assert_eq!(net.names(phone), Vec::<String>::new());
    net.refused.clear();
    net.run(s(5));
    assert_eq!(net.names(phone), ["Registered"]);
    // Two servers: what is running stays where it is, and nothing is said twice that must not be.
    let (mut net, phone, key) = two_servers(1, [udp(8), udp(9)]);
    net.with(phone, |ua, now| ua.register(now, key));
    net.run(s(1));
    let ask = Ask {
        account: Some(key),
        from: None,
        method: Method::Message,
        target: Uri::sip("bob", "office.example"),
        send_to: udp(8),
        headers: Vec::new(),
        body: Vec::new(),
    };
    net.with(phone, |ua, now| {
        ua.datagram_refused(now, host(8));
        ua.request(now, ask);
        (0..100).for_each(|_| ua.datagram_refused(now, host(8)));
        ua.datagram_refused(now, host(7));
    });
    net.run(s(1));
    assert_eq!(server_of(&net, phone, key), udp(8));
    assert_eq!(net.requests(phone, "MESSAGE").len(), 1);
    assert_eq!(net.requests(phone, "REGISTER").len(), 1);
    assert!(net.names(phone).contains(&"RequestAnswered 200".to_owned()));
    // A call that rings already is not begun a second time.
    net.script(host(8), |ua, now, event| {
        if let Event::CallReceived { call, .. } = event {
            ua.ring(now, *call, None);
        }
    });
    net.with(phone, |ua, now| ua.invite(now, call(key, udp(8))));
    net.run(ms(100));
    net.with(phone, |ua, now| ua.datagram_refused(now, host(8)));
    net.run(s(1));
    assert!(net.requests(phone, "INVITE").iter().all(|(_, to, _)| *to == udp(8)));
}

#[test]
fn a_running_call_that_goes_on_at_a_server_of_the_other_family_is_heard_there() {
    let (ours, six) = ("[fd00::1]:5060".parse().unwrap(), "[fd00::9]:5060".parse().unwrap());
    let mut net = Net::new(3);
    let (phone, office) = (host(1), net.add_server(9));
    net.script(office, obliging);
    net.agents.insert(phone, UserAgent::new(UaConfig::new(ours, "phone", 3)));
    let sdp = |direction: &str| {
        format!(
            "v=0\r\no=- 7 1 IN IP6 fd00::1\r\ns=-\r\nc=IN IP6 fd00::1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na={direction}\r\n"
        )
    };
    let six = Peer::udp(six);
    let ours = net.with(phone, |ua, now| {
        ua.add_address(phone);
        let key = ua.add_account(Account { servers: vec![six, udp(9)], ..account(six) });
        ua.invite(now, Invite { sdp: sdp("sendrecv").into(), ..call(key, six) })
    });
    let (_, _, invite) = net.requests(phone, "INVITE").remove(0);
    // The far end is where the name of the office leads, not at one address.
    let contact = [("Contact", "<sip:bob@office.example>")];
    let answer = reply_to(&Message::Request(invite), 200, &contact);
    net.with(phone, |ua, now| ua.receive(now, six, &answer));
    assert!(net.names(phone).contains(&"CallAnswered".to_owned()));
    net.refused.insert(six);
    net.with(phone, |ua, now| ua.reoffer(now, ours, sdp("sendonly").into()));
    net.run(s(1));
    let all = net.requests(phone, "INVITE");
    let (_, _, moved) = all.iter().find(|(_, to, _)| *to == udp(9)).expect("a re-INVITE at the other server");
    let text = String::from_utf8(moved.body.clone()).unwrap();
    assert_eq!((text.matches("IN IP4 10.0.0.1").count(), text.matches("IP6").count()), (2, 0), "{text}");
    assert!(text.contains("a=sendonly") && moved.headers.get("Contact").unwrap().contains("10.0.0.1"));
}
