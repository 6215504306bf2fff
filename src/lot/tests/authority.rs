//! Who may: strangers, wrong passwords, other people's calls.

use super::*;
use crate::sip::message::{Method, NameAddr, Request, Uri, read_datagram};
use std::time::Duration;

const STRANGER: Peer = Peer {
    transport: crate::sip::Transport::Udp,
    address: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9)), 5060),
};

/// Sends a bare request from a stranger's address and gives the statuses of all answers.
fn bare(world: &mut World, method: Method, extension: &str, more: &[(&str, &str)]) -> Vec<String> {
    let mut request = Request::new(method.clone(), Uri::at(extension, world.lot_address().address));
    let n = world.traffic.len();
    let lines = [
        ("Via", format!("SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bKx{n};rport")),
        ("Max-Forwards", "70".into()),
        ("From", "<sip:ann@parkdeck>;tag=1".into()),
        ("To", format!("<sip:{extension}@parkdeck>")),
        ("Call-ID", format!("call{n}")),
        ("CSeq", format!("1 {method}")),
        ("Contact", "<sip:ann@203.0.113.9:5060>".into()),
    ];
    for (name, value) in lines {
        request.headers.push(name, value);
    }
    for (name, value) in more {
        request.headers.push(name, *value);
    }
    let now = world.now;
    world.lot.receive(now, STRANGER, &request.to_bytes());
    let mut answers = Vec::new();
    while let Some(transmit) = world.lot.poll_transmit() {
        assert_eq!(transmit.to, STRANGER, "nothing goes anywhere else");
        answers.push(String::from_utf8_lossy(&transmit.bytes).into_owned());
    }
    for answer in &answers {
        assert!(read_datagram(answer.as_bytes()).is_ok(), "{answer}");
    }
    answers
}

#[test]
fn without_a_password_everything_is_refused() {
    let mut world = office();
    let (jane, _) = ann_parks_jane(&mut world);
    for (method, extension, more) in [
        (Method::Invite, "100", vec![]),
        (Method::Invite, "700", vec![]),
        (Method::Invite, "701", vec![]),
        (Method::Invite, "799", vec![]),
        (Method::Refer, "100", vec![("Refer-To", "<sip:700@parkdeck>")]),
        (Method::Subscribe, "701", vec![("Event", "dialog")]),
        (Method::Message, "701", vec![("Content-Type", "text/plain")]),
        (Method::Register, "ann", vec![]),
    ] {
        let answers = bare(&mut world, method.clone(), extension, &more);
        let last = answers.last().expect("an answer");
        assert!(last.starts_with("SIP/2.0 401 "), "{method} {extension}: {last}");
        let sha = last.find("algorithm=SHA-256").expect("SHA-256 is offered");
        assert!(sha < last.find("algorithm=MD5").expect("MD5 is offered"), "the stronger first");
    }
    assert!(!world.is_over(JANE, jane));
    assert_eq!(world.lot.census().parked, 1);
}

#[test]
fn requests_that_make_no_sense_are_refused_without_harm() {
    let mut world = office();
    for method in [Method::Bye, Method::Update, Method::Info, Method::Notify, Method::Publish] {
        let answers = bare(&mut world, method.clone(), "100", &[]);
        let status = answers.last().expect("an answer").get(8..11).expect("a status").to_owned();
        assert!(["481", "405", "501"].contains(&status.as_str()), "{method}: {status}");
    }
}

#[test]
fn the_answer_is_the_same_whether_a_user_exists_or_not() {
    let mut world = office();
    let strange = world.add_phone("nobody", "wrong", "Nobody");
    let wrong = world.add_phone("ann", "wrong", "Ann");
    let statuses = |world: &World, phone: usize| -> Vec<Option<u16>> {
        let status = |e: &crate::sip::Event| match e {
            crate::sip::Event::RegistrationFailed { status, .. } => Some(*status),
            _ => None,
        };
        world.phones[phone].events.iter().filter_map(status).collect()
    };
    world.register(strange);
    world.register(wrong);
    world.run_s(2);
    assert!(!statuses(&world, strange).is_empty());
    assert_eq!(statuses(&world, strange).first(), statuses(&world, wrong).first());
}

#[test]
fn nobody_registers_for_somebody_else() {
    let mut world = office();
    let liar = world.add_phone("bob", "bob", "Bob");
    let server = world.lot_address();
    let account = world.phones[liar].agent.add_account(crate::sip::Account {
        realm: None,
        expires_s: 600,
        ..crate::sip::Account::new(
            NameAddr::new(Uri::sip("ann", "parkdeck")),
            server,
            "bob",
            secrecy::SecretString::from("bob"),
        )
    });
    let now = world.now;
    world.phones[liar].agent.register(now, account);
    world.run_s(2);
    assert_eq!(world.lot.registrar.phones("ann").len(), 1);
}

#[test]
fn another_users_call_cannot_be_transferred_away() {
    let mut world = office();
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    let (bob, _) = talk(&mut world, BOB, SHOP, "102");
    let theirs = world.replaces_of(ANN, at_ann);
    let mut target = NameAddr::new(world.uri("100"));
    target.uri.headers.push(("Replaces".into(), theirs));
    let now = world.now;
    let refer = world.phones[BOB].agent.refer(now, bob, target, Vec::new());
    world.run_ms(100);
    assert_eq!(world.refusal(BOB, refer), Some(403));
    assert!(world.talk(JANE, ANN) && world.talk(BOB, SHOP));
}

#[test]
fn a_parked_call_cannot_be_joined_with_another_by_refer() {
    let mut world = office();
    let lamp = world.watch(BOB, "701");
    ann_parks_jane(&mut world);
    let dialog = world.lamp(BOB, lamp).dialogs[0].clone();
    let (id, to, from) = (dialog.call_id.unwrap(), dialog.local_tag.unwrap(), dialog.remote_tag.unwrap());
    let (kurt, at_bob) = talk(&mut world, KURT, BOB, "101");
    let mut target = NameAddr::new(world.uri("701"));
    target.uri.headers.push(("Replaces".into(), format!("{id};to-tag={to};from-tag={from}")));
    let now = world.now;
    let refer = world.phones[BOB].agent.refer(now, at_bob, target, Vec::new());
    world.run_ms(100);
    assert_eq!(world.refusal(BOB, refer), Some(403), "two callers are never joined");
    assert!(!world.hears_anything_of(KURT, JANE) && world.hears_music(JANE));
    assert!(world.talk(KURT, BOB) && !world.is_over(KURT, kurt));
}

#[test]
fn who_may_not_retrieve_gets_403_by_number_and_by_replaces() {
    let mut world = office();
    let lamp = world.watch(BOB, "701");
    let (jane, slot) = ann_parks_jane(&mut world);
    let dialog = world.lamp(BOB, lamp).dialogs[0].clone();
    let (id, to, from) = (dialog.call_id.unwrap(), dialog.local_tag.unwrap(), dialog.remote_tag.unwrap());
    let by_number = world.dial(SHOP, &slot);
    let by_name = world.dial_with(SHOP, &slot, &[("Replaces", &format!("{id};to-tag={to};from-tag={from}"))]);
    world.run_ms(100);
    assert_eq!(world.end_of(SHOP, by_number).unwrap().0, Some(403));
    assert_eq!(world.end_of(SHOP, by_name).unwrap().0, Some(403));
    assert!(world.hears_music(JANE) && !world.is_over(JANE, jane));
}

#[test]
fn garbage_does_no_harm() {
    let mut world = office();
    let (jane, _) = jane_talks_with_ann(&mut world);
    for bytes in [&b""[..], b"\0\0\0\0", b"INVITE", &[0xff; 2_000], b"SIP/2.0 200 OK\r\n\r\n", b"\r\n\r\n"] {
        let now = world.now;
        world.lot.receive(now, STRANGER, bytes);
    }
    world.run_s(1);
    assert!(world.talk(JANE, ANN));
    world.hang_up(JANE, jane);
    world.assert_at_rest();
}

#[test]
fn a_flood_of_strangers_leaves_nothing_behind() {
    let mut world = office();
    for n in 0..2_000 {
        world.traffic.push(String::new());
        let method = if n % 2 == 0 { Method::Invite } else { Method::Subscribe };
        bare(&mut world, method, "701", &[("Event", "dialog")]);
        world.now += Duration::from_millis(1);
    }
    world.assert_at_rest();
    assert_eq!(world.lot.presence.count(), 0);
}

#[test]
fn a_flood_of_invites_from_strangers_leaves_nothing_and_is_not_multiplied() {
    let mut world = office();
    world.run_s(60);
    let base = world.lot.census();
    let (mut bytes_in, mut bytes_out) = (0, 0);
    let sdp = "v=0\r\no=- 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n\
               m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
               a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";
    for n in 0..20_000_u32 {
        let invite = format!(
            "INVITE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bKf{n}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:ann@parkdeck>;tag=f{n}\r\nTo: <sip:100@parkdeck>\r\n\
             Call-ID: f{n}\r\nCSeq: 1 INVITE\r\nContact: <sip:ann@203.0.113.9:5060>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        let [_, b, c, d] = n.to_be_bytes();
        let from = Peer::udp(([198, b, c, d], 5060).into());
        // A lost answer is given again: the same INVITE is no repetition of anything that is kept.
        for _ in 0..=usize::from(n == 0) {
            world.lot.receive(world.now, from, invite.as_bytes());
            bytes_in += invite.len();
            let answer = world.lot.poll_transmit().unwrap();
            assert!(answer.to == from && answer.bytes.starts_with(b"SIP/2.0 401 "));
            assert!(world.lot.poll_transmit().is_none(), "no 100 before the proof");
            bytes_out += answer.bytes.len();
        }
    }
    assert_eq!(world.lot.census(), base);
    assert!(bytes_out <= 2 * bytes_in, "{bytes_out} for {bytes_in}");
    let registered = |world: &World| world.noticed(|n| matches!(n, Notice::Registered { .. }));
    let before = registered(&world);
    world.register(ANN);
    world.run_ms(100);
    assert_eq!(registered(&world), before + 1);
}
