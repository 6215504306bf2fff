//! What a server must hold against those who mean it no good. The rows, and what holds each; what the console and the user
//! agent hold stands in `tests/hostile`.
//!
//! | row | held by |
//! | --- | --- |
//! | UDP loss, reorder, duplicates | `office::nor_when_one_datagram_in_ten_is_lost`, `days`, `tests/simulation` |
//! | kill -9 at any instant | `restart`, above all `…_at_random_instants`; a real process: `tests/peers_lot_life` |
//! | disk full, read-only, I/O error | `tests/journal` |
//! | hostile names | `parking::Text` at every door; the log: `app::log`; a console's terminal: `tests/terminal/hostile` |
//! | hostile SDP | `no_description_costs_more_than_its_own_call` |
//! | mutated messages | `mutated_messages_…`; a million: `fuzz/` |
//! | 200 ringing calls at once | `calls::two_hundred_callers_…` |
//! | 302 loops | `redirects::nobody_is_sent_in_circles_…` |
//! | REFER from anybody | `authority::another_users_call_…`, `trunk::a_user_who_may_not_…` |
//! | user enumeration | `what_a_stranger_is_answered_…`; the same work: `sip::digest`, one hash for whatever name |
//! | brute force | `ten_guesses_a_minute_…`; growing delay, bounded memory: `gate` |
//! | replayed nonce | `sip::digest`: bound to source and time, each count once |
//! | unauthenticated requests | `authority::without_a_password_…`, `authority::requests_that_make_no_sense_…` |
//! | toll fraud | `trunk::whoever_comes_from_outside_…`, `trunk::a_user_who_may_not_…`, `redirects::outside_only_…`, `servers` |
//! | Replaces, Target-Dialog, pickup | `authority`, `retrieving::replaces_…`, `pickup::who_may_not_…` |
//! | who sees dialog tags and identities | `lamps::who_may_not_retrieve_…`, `events`, `retrieving::who_was_parked_…` |
//! | SUBSCRIBE flood, reflection | `lamps::a_user_has_at_most_two_…`, `news_go_to_where_…` |
//! | datagram flood | `authority::a_flood_…`, `nothing_is_amplified` |
//! | TCP slow, half-open, idle | `io::net`: `hundreds_of_half_open_…`, `one_address_holds_…`, `who_says_nothing_…` |
//! | Content-Length: huge, lying, two of them | `sip::message`; `tests/torture` |
//! | RTP injection, garbage | `io::sound::tests::injection_…`, `media::gate` |
//! | SRTP replay, bad tags | `media::srtp` |
//! | bad certificates, stalled handshake | `io::tls`, `io::net` |
//! | full lot, early BYE | `a_full_lot_and_a_phone_that_hangs_up_at_once_…` |

use super::*;
use crate::sip::message::{Method, Request, Uri};
use rand::seq::IndexedRandom;
use std::time::Duration;

const MALLORY: Peer = Peer {
    transport: crate::sip::Transport::Udp,
    address: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9)), 5060),
};

/// A request as a desk phone writes it.
fn request(method: Method, extension: &str, name: &str, nth: usize, more: &[(&str, String)]) -> Request {
    let mut request = Request::new(method.clone(), Uri::sip(extension, "192.0.2.1"));
    let lines = [
        ("Via", format!("SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK{nth:016x};rport")),
        ("Max-Forwards", "70".to_owned()),
        ("From", format!("\"{name}\" <sip:{name}@parkdeck>;tag={nth:08x}")),
        ("To", format!("<sip:{extension}@parkdeck>")),
        ("Call-ID", format!("{nth:016x}@203.0.113.9")),
        ("CSeq", format!("1 {method}")),
        ("Contact", format!("<sip:{name}@203.0.113.9:5060;transport=udp>")),
        ("User-Agent", "Desk phone 7.1".to_owned()),
        ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, REFER, NOTIFY, SUBSCRIBE, INFO, UPDATE".to_owned()),
        ("Supported", "replaces, timer, outbound, path, gruu".to_owned()),
    ];
    lines.into_iter().for_each(|(name, value)| request.headers.push(name, value));
    more.iter().for_each(|(name, value)| request.headers.push(name, value));
    request
}

/// All that the lot answers to this, wherever it goes.
fn answers(world: &mut World, from: Peer, bytes: &[u8]) -> Vec<(Peer, String)> {
    world.lot.receive(world.now, from, bytes);
    let mut said = Vec::new();
    while let Some(transmit) = world.lot.poll_transmit() {
        said.push((transmit.to, String::from_utf8_lossy(&transmit.bytes).into_owned()));
    }
    said
}

/// An answer without what is different each time: nonces and tags.
fn without_chance(answer: &str) -> String {
    let line = |line: &str| {
        let cut = ["nonce=\"", ";tag="].iter().filter_map(|word| line.find(word)).min();
        let rest = line.rsplit_once("\", algorithm").map_or("", |(_, rest)| rest);
        cut.map_or_else(|| line.to_owned(), |at| format!("{}{rest}", &line[..at]))
    };
    answer.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Credentials with that password for the challenge in an answer.
fn credentials(answer: &str, name: &str, password: &str, method: &str, uri: &str) -> String {
    let challenge =
        answer.lines().find_map(|line| line.strip_prefix("WWW-Authenticate: ")).expect("a challenge");
    let challenge = crate::sip::digest::Challenge::read(challenge).unwrap();
    let asking = crate::sip::digest::Asking { method, uri, body: b"" };
    let password = secrecy::SecretString::from(password);
    crate::sip::digest::answer(&challenge, name, &password, asking, 1, "c")
}

#[test]
fn what_a_stranger_is_answered_says_nothing_of_who_exists() {
    for method in [Method::Register, Method::Invite, Method::Subscribe, Method::Message] {
        let mut told = Vec::new();
        for name in ["ann", "nob"] {
            let mut world = office();
            let first = request(method.clone(), name, name, 1, &[("Event", "dialog".into())]);
            let challenged = answers(&mut world, MALLORY, &first.to_bytes());
            let line = credentials(
                &challenged.last().unwrap().1,
                name,
                "wrong",
                method.as_str(),
                &first.uri.to_string(),
            );
            let second = request(
                method.clone(),
                name,
                name,
                2,
                &[("Event", "dialog".into()), ("Authorization", line)],
            );
            let refused = answers(&mut world, MALLORY, &second.to_bytes());
            let all = challenged.iter().chain(&refused).map(|(_, answer)| without_chance(answer));
            told.push(all.map(|answer| answer.replace(name, "NAME")).collect::<Vec<_>>());
        }
        assert_eq!(told[0], told[1], "{method}");
        assert!(told[0].iter().all(|answer| answer.starts_with("SIP/2.0 401")), "{:?}", told[0]);
    }
}

#[test]
fn ten_guesses_a_minute_and_the_owner_elsewhere_is_never_locked_out() {
    let mut world = office();
    let mut statuses = Vec::new();
    for nth in 0..40 {
        let challenged =
            answers(&mut world, MALLORY, &request(Method::Register, "ann", "ann", 2 * nth, &[]).to_bytes());
        let line =
            credentials(&challenged[0].1, "ann", &format!("guess {nth}"), "REGISTER", "sip:ann@192.0.2.1");
        let guess = request(Method::Register, "ann", "ann", 2 * nth + 1, &[("Authorization", line)]);
        let answer = answers(&mut world, MALLORY, &guess.to_bytes());
        statuses.push(answer[0].1[8..11].to_owned());
        if nth == 20 {
            assert!(answer[0].1.contains("Retry-After: "), "{}", answer[0].1);
        }
        world.now += Duration::from_millis(500);
    }
    let looked_at = statuses.iter().filter(|status| *status == "401").count();
    assert!(looked_at <= 10, "{looked_at} passwords were looked at in 20 s");
    assert_eq!(world.noticed(|n| matches!(n, Notice::Guessing { .. })), 0, "not collected yet");
    let registered = |world: &World| world.noticed(|n| matches!(n, Notice::Registered { .. }));
    let before = registered(&world);
    world.register(ANN);
    world.run_ms(100);
    assert_eq!(registered(&world), before + 1);
    assert_eq!(world.noticed(|n| matches!(n, Notice::Guessing { .. })), 1, "and the log has one line of it");
}

#[test]
fn nothing_is_amplified() {
    let mut world = office();
    let sdp = "v=0\r\no=- 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n\
               m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    let (mut came, mut left) = (0, 0);
    for nth in 0..200 {
        for method in [Method::Register, Method::Invite, Method::Subscribe, Method::Message, Method::Options]
        {
            let mut asked = request(method.clone(), "100", "ann", nth, &[("Event", "dialog".into())]);
            if method == Method::Invite {
                asked.headers.push("Content-Type", "application/sdp");
                asked.body = sdp.as_bytes().to_vec();
            }
            let bytes = asked.to_bytes();
            let said = answers(&mut world, MALLORY, &bytes);
            assert!(said.len() <= 1, "{method}: one answer, never repeated by itself: {said:?}");
            came += bytes.len();
            left += said.iter().map(|(_, answer)| answer.len()).sum::<usize>();
        }
    }
    assert!(2 * left <= 3 * came, "{left} bytes for {came}");
    let base = world.lot.census();
    world.run_s(60);
    assert_eq!(world.lot.census().legs, base.legs);
    world.assert_at_rest();
}

#[test]
fn news_go_to_where_the_subscription_came_from_whatever_its_contact_says() {
    let mut world = office();
    let ann = world.phones[ANN].address;
    let subscribe = |nth, more: Vec<(&'static str, String)>| {
        let mut all = vec![("Event", "dialog".to_owned()), ("Expires", "600".to_owned())];
        all.extend(more);
        request(Method::Subscribe, "701", "ann", nth, &all)
    };
    // The Contact is that of a third party, who shall be flooded.
    let challenged = answers(&mut world, ann, &subscribe(1, vec![]).to_bytes());
    let line = credentials(&challenged[0].1, "ann", "ann", "SUBSCRIBE", "sip:701@192.0.2.1");
    let said = answers(&mut world, ann, &subscribe(2, vec![("Authorization", line)]).to_bytes());
    assert!(said.iter().any(|(_, text)| text.starts_with("NOTIFY ")), "{said:?}");
    assert!(said.iter().all(|(to, _)| *to == ann), "nothing goes to 203.0.113.9: {said:?}");
    // Nor what is repeated, because nobody has answered.
    let mut told = 0;
    for _ in 0..40 {
        world.now += Duration::from_millis(500);
        world.lot.wake(world.now);
        while let Some(transmit) = world.lot.poll_transmit() {
            assert_ne!(transmit.to.ip(), MALLORY.ip());
            told += usize::from(transmit.bytes.starts_with(b"NOTIFY "));
        }
    }
    assert!(told > 0);
}

#[test]
fn a_full_lot_and_a_phone_that_hangs_up_at_once_lose_none_of_fourteen_callers() {
    let mut world = office_with("parkpos = '701-703'\nparkingtime = 0");
    world.bind_ports(64);
    let mut callers = Vec::new();
    for nth in 0..14 {
        let caller = if nth % 2 == 0 { JANE } else { KURT };
        let call = world.dial(caller, "100");
        world.run_ms(50);
        let at_ann = world.ringing(ANN);
        world.answer(ANN, at_ann);
        world.run_ms(50);
        // REFER, and BYE without waiting for what becomes of it.
        world.refer(ANN, at_ann, "700", &[]);
        world.hang_up(ANN, at_ann);
        world.run_ms(200);
        callers.push((caller, call));
    }
    let lost: Vec<_> = callers.iter().filter(|(who, call)| world.is_over(*who, *call)).collect();
    assert!(lost.is_empty(), "{} of 14 are lost", lost.len());
    assert_eq!(world.lot.census().parked, 3);
    // Those who had no room come back to Ann, one after another, as slots become free.
    world.dial(BOB, "701");
    world.run_s(4);
    assert!(world.try_ringing(ANN).is_some(), "{:?}", world.notices.last());
    assert!(!world.hears_anything_of(JANE, KURT) && !world.hears_anything_of(KURT, JANE));
}

#[test]
fn no_description_costs_more_than_its_own_call() {
    let good = "v=0\r\no=- 1 1 IN IP4 192.0.2.13\r\ns=-\r\nc=IN IP4 192.0.2.13\r\nt=0 0\r\n\
                m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
    let many = |line: &str, times: usize| format!("{good}{}", line.repeat(times));
    let bad = [
        String::new(),
        "v=0\r\n".to_owned(),
        "\0".repeat(500),
        good.replace("4000", "99999"),
        good.replace("4000", "-1"),
        good.replace("192.0.2.13", "224.0.0.1"),
        good.replace("192.0.2.13", "host.example"),
        good.replace("RTP/AVP 0", "RTP/AVP"),
        good.replace("RTP/AVP 0", "RTP/AVP 300"),
        good.replace("m=audio", "m=video"),
        many("m=audio 5000 RTP/AVP 0\r\n", 400),
        many("a=rtpmap:0 PCMU/8000\r\n", 2_000),
        many("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n", 200),
        good.replace("\r\n", "\n"),
        good.replace("s=-", &format!("s={}", "x".repeat(50_000))),
    ];
    let mut world = office();
    let (jane, _) = jane_talks_with_ann(&mut world);
    for (nth, sdp) in bad.iter().enumerate() {
        let first = request(Method::Invite, "700", "bob", 2 * nth, &[]);
        let bob = world.phones[BOB].address;
        let challenged = answers(&mut world, bob, &first.to_bytes());
        let line = credentials(&challenged.last().unwrap().1, "bob", "bob", "INVITE", "sip:700@192.0.2.1");
        let more = [("Authorization", line), ("Content-Type", "application/sdp".to_owned())];
        let mut invite = request(Method::Invite, "700", "bob", 2 * nth + 1, &more);
        invite.body = sdp.as_bytes().to_vec();
        let said = answers(&mut world, bob, &invite.to_bytes());
        assert!(!said.is_empty(), "it is answered: {sdp:.60}");
        world.run_ms(50);
    }
    assert!(world.talk(JANE, ANN) && !world.is_over(JANE, jane), "the others talk on");
    world.run_s(120);
    assert_eq!(world.lot.census().parked, 0, "nobody sits there who can hear nothing");
}

#[test]
fn mutated_messages_do_nobody_any_harm() {
    let mut world = office();
    world.watch(BOB, "701");
    let (jane, _) = jane_talks_with_ann(&mut world);
    let (_, at_bob) = talk(&mut world, KURT, BOB, "101");
    world.refer(BOB, at_bob, "702", &[]);
    world.run_ms(100);
    let texts: Vec<String> = world.traffic.clone();
    let mut chance = StdRng::seed_from_u64(7);
    let from = [MALLORY, Peer::udp(([203, 0, 113, 10], 5060).into())];
    for _ in 0..4_000 {
        let mut bytes = texts.choose(&mut chance).unwrap().clone().into_bytes();
        for _ in 0..chance.random_range(1..6) {
            let at = chance.random_range(0..bytes.len());
            match chance.random_range(0..4) {
                0 => bytes[at] = chance.random(),
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, *b"\r\n;:<>\"@\0\xff".choose(&mut chance).unwrap()),
                _ => bytes.truncate(at.max(1)),
            }
            if bytes.is_empty() {
                bytes.push(b' ');
            }
        }
        let now = world.now;
        world.lot.receive(now, *from.choose(&mut chance).unwrap(), &bytes);
        while world.lot.poll_transmit().is_some() {}
    }
    world.run_s(5);
    assert!(world.talk(JANE, ANN) && !world.is_over(JANE, jane));
    assert_eq!(world.lot.census().parked, 1);
    world.hang_up(JANE, jane);
}
