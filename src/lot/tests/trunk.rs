//! A trunk: registered by digest, calls in by number, calls out only for users who may.

use super::*;
use crate::sip::digest::{Asking, Authenticator, Verdict};
use crate::sip::message::{Method, Request};
use crate::sip::{Event, RequestKey};

const PROVIDER: usize = 5;

const TRUNK: &str = r#"
    [[groups]]
    name = "Sales"
    extension = "200"
    members = ["100", "101"]
    [[trunks]]
    name = "provider"
    server = "192.0.2.15"
    username = "acct7"
    secret = "trunk-secret"
    domain = "provider.test"
    number = "+49301000"
    max_calls = 2
    mailbox = "100"
    inbound = [ { number = "+49301001", to = "101" }, { number = "+49301009", to = "700" }, { to = "200" } ]
    outbound = [ { prefix = "0", min_digits = 4, strip = 1, prepend = "+49" }, { prefix = "112", max_digits = 3 } ]
"#;

/// An office with a trunk whose provider has granted the registration; Ann may call outside.
fn office_with_trunk() -> World {
    let mut config: toml::Table = OFFICE.parse().unwrap();
    config.extend(TRUNK.parse::<toml::Table>().unwrap());
    let ann = config["users"][ANN].as_table_mut().unwrap();
    ann.insert("permissions".into(), "trunk = true".parse::<toml::Table>().unwrap().into());
    let mut world = open_office(config.try_into().unwrap());
    let provider = world.add_phone("provider", "", "Provider");
    assert_eq!(provider, PROVIDER);
    let address = world.phones[PROVIDER].address;
    let mut agent = UserAgent::new(UaConfig::server(address.address, "provider", 77));
    let account = crate::sip::Account::new(
        crate::sip::message::NameAddr::new(crate::sip::message::Uri::sip("+491701234567", "provider.test")),
        world.lot_address(),
        "",
        secrecy::SecretString::from(""),
    );
    world.phones[PROVIDER].account = agent.add_account(account);
    world.phones[PROVIDER].agent = agent;
    let lookup = world.lot.poll_lookup().unwrap();
    assert_eq!((lookup.trunk.as_str(), lookup.host.as_str(), lookup.port), ("provider", "192.0.2.15", None));
    world.lot.set_trunk_servers(world.now, "provider", vec![address]);
    world.run_ms(20);
    let register = serve(&mut world);
    assert_eq!(register.headers.to().unwrap().uri.to_string(), "sip:acct7@provider.test");
    assert_eq!(world.noticed(|n| matches!(n, Notice::TrunkRegistered { .. })), 1);
    world
}

/// The requests that wait for the provider.
fn waiting(world: &World, method: &Method) -> Option<(RequestKey, Request)> {
    world.phones[PROVIDER].events.iter().rev().find_map(|event| match event {
        Event::RequestReceived { key, request, .. } if request.method == *method => {
            Some((*key, (**request).clone()))
        }
        _ => None,
    })
}

/// The provider challenges a REGISTER, checks the answer and grants it.
fn serve(world: &mut World) -> Request {
    let mut authenticator = Authenticator::new("provider.test", [3; 32]);
    let lot = world.lot_address();
    let (key, _) = waiting(world, &Method::Register).expect("a REGISTER");
    let challenge = authenticator.challenge(world.now, lot.address);
    let headers = challenge.into_iter().map(|value| ("WWW-Authenticate".to_owned(), value)).collect();
    world.phones[PROVIDER].agent.answer(world.now, key, 401, headers, Vec::new());
    world.run_ms(20);
    let (key, request) = waiting(world, &Method::Register).expect("another REGISTER");
    let uri = request.uri.to_string();
    let asking = Asking { method: "REGISTER", uri: &uri, body: b"" };
    let credentials = request.headers.get("Authorization").expect("credentials");
    let verdict = authenticator.verify(world.now, lot.address, asking, credentials, |name| {
        (name == "acct7").then(|| secrecy::SecretString::from("trunk-secret"))
    });
    assert!(matches!(verdict, Verdict::Accepted { .. }));
    let contact = request.headers.get("Contact").unwrap().to_owned();
    let headers = vec![("Contact".to_owned(), contact), ("Expires".to_owned(), "600".to_owned())];
    world.phones[PROVIDER].agent.answer(world.now, key, 200, headers, Vec::new());
    world.run_ms(20);
    request
}

#[test]
fn a_call_comes_in_by_its_number_and_its_caller_is_shown() {
    let mut world = office_with_trunk();
    let called = ("To", "<sip:+49301001@provider.test>");
    let out = world.dial_with(PROVIDER, "acct7", &[called, ("P-Asserted-Identity", "\"Jo\" <sip:0170@x>")]);
    world.run_ms(100);
    let bob = world.ringing(BOB);
    let shown = world.invite_of(BOB, bob);
    assert!(shown.headers.get("P-Asserted-Identity").unwrap().contains("\"Jo\" <sip:0170@parkdeck>"));
    assert!(world.try_ringing(ANN).is_none());
    world.answer(BOB, bob);
    world.run_ms(100);
    assert!(world.talk(PROVIDER, BOB));
    // He is parked like any other.
    let refer = world.refer(BOB, bob, "700", &[]);
    world.run_ms(100);
    assert_eq!(world.parked_slot(BOB, refer), "701");
    world.hang_up(PROVIDER, out);
    world.run_ms(100);
    assert_eq!(world.lot.census().parked, 0);
}

#[test]
fn other_numbers_ring_the_group_and_one_goes_straight_into_the_lot() {
    let mut world = office_with_trunk();
    let out = world.dial(PROVIDER, "49309999");
    world.run_ms(100);
    world.ringing(ANN);
    world.ringing(BOB);
    world.hang_up(PROVIDER, out);
    world.run_ms(100);
    world.dial(PROVIDER, "+49301009");
    world.run_ms(100);
    assert_eq!(world.lot.census().parked, 1);
    assert!(world.hears_music(PROVIDER));
}

#[test]
fn whoever_comes_from_outside_reaches_nothing_but_the_rules() {
    let mut world = office_with_trunk();
    ann_parks_jane(&mut world);
    for dialled in ["701", "*8100", "00441614960100", "0301234567", "102"] {
        let out = world.dial(PROVIDER, dialled);
        world.run_ms(100);
        // The last rule's group rings, whatever was dialled.
        let ann = world.ringing(ANN);
        assert!(!world.is_answered(PROVIDER, out), "{dialled}");
        assert!(world.try_ringing(SHOP).is_none());
        world.hang_up(PROVIDER, out);
        world.run_ms(100);
        assert!(world.is_over(ANN, ann));
    }
    assert_eq!(world.lot.census().parked, 1);
    // Nor may he send a call on that was answered: he is no user.
    let out = world.dial(PROVIDER, "1");
    world.run_ms(100);
    let ann = world.ringing(ANN);
    world.answer(ANN, ann);
    world.run_ms(100);
    let refer = world.refer(PROVIDER, out, "0301234567", &[]);
    world.run_ms(100);
    assert_eq!(world.refusal(PROVIDER, refer), Some(403));
    assert!(world.talk(PROVIDER, ANN));
}

#[test]
fn who_may_calls_outside_and_shows_the_offices_number() {
    let mut world = office_with_trunk();
    let out = world.dial(ANN, "0301234567");
    world.run_ms(100);
    let call = world.ringing(PROVIDER);
    let invite = world.invite_of(PROVIDER, call);
    assert_eq!(invite.uri.to_string(), "sip:+49301234567@provider.test");
    let from = invite.headers.from().unwrap();
    assert_eq!((from.display, from.uri.to_string()), (None, "sip:+49301000@provider.test".to_owned()));
    assert!(!String::from_utf8_lossy(&invite.to_bytes()).contains("Ann"), "nothing of ours but the number");
    world.answer(PROVIDER, call);
    world.run_ms(100);
    assert!(world.talk(ANN, PROVIDER));
    world.hang_up(ANN, out);
    world.run_ms(100);
    assert!(world.is_over(PROVIDER, call));
}

#[test]
fn a_user_who_may_not_and_a_stranger_can_not_call_the_trunk() {
    let mut world = office_with_trunk();
    for phone in [BOB, SHOP, JANE] {
        let out = world.dial(phone, "0301234567");
        world.run_ms(100);
        assert_eq!(world.end_of(phone, out).unwrap().0, Some(403));
    }
    // A number that no rule fits leads nowhere, for those who may as well.
    for (dialled, status) in [("99999", 404), ("012", 404), ("1123", 404), ("0301234567x", 404)] {
        let out = world.dial(ANN, dialled);
        world.run_ms(100);
        assert_eq!(world.end_of(ANN, out).unwrap().0, Some(status), "{dialled}");
    }
    // A REFER passes the same gate.
    let (_, bob) = talk(&mut world, JANE, BOB, "101");
    let refer = world.refer(BOB, bob, "0301234567", &[]);
    world.run_ms(100);
    assert_eq!(world.refusal(BOB, refer), Some(403));
    assert!(world.talk(JANE, BOB) && world.try_ringing(PROVIDER).is_none());
    let (_, ann) = talk(&mut world, KURT, ANN, "100");
    world.refer(ANN, ann, "0301234567", &[]);
    world.run_ms(100);
    let call = world.ringing(PROVIDER);
    world.answer(PROVIDER, call);
    world.run_ms(100);
    assert!(world.talk(KURT, PROVIDER) && world.is_over(ANN, ann));
}

#[test]
fn a_trunk_has_so_many_lines() {
    let mut world = office_with_trunk();
    for _ in 0..2 {
        world.dial(ANN, "112");
    }
    world.run_ms(100);
    let third = world.dial(ANN, "112");
    world.run_ms(100);
    assert_eq!(world.end_of(ANN, third).unwrap().0, Some(486));
    let inbound = world.dial(PROVIDER, "1");
    world.run_ms(100);
    assert_eq!(world.end_of(PROVIDER, inbound).unwrap().0, Some(486));
}

#[test]
fn a_reload_keeps_a_trunk_that_is_as_it_was_and_gives_back_another() {
    let mut world = office_with_trunk();
    let account = world.lot.trunk_account(0);
    let mut config = world.lot.config.clone();
    config.trunks[0].max_calls = 5;
    world.lot.reload(world.now, config.clone());
    assert_eq!((world.lot.trunk_account(0), world.lot.poll_lookup()), (account, None));
    config.trunks[0].username = "other".to_owned();
    world.lot.reload(world.now, config);
    assert_eq!(world.lot.trunk_account(0), None);
    assert!(world.lot.poll_lookup().is_some());
    world.run_s(2);
    let (_, request) = waiting(&world, &Method::Register).unwrap();
    assert_eq!(request.headers.expires(), Some(0), "the old registration is given back");
}

#[test]
fn a_server_that_is_not_found_is_looked_up_again() {
    let mut world = office_of("", TRUNK);
    world.lot.poll_lookup().unwrap();
    world.lot.trunk_not_found(world.now, "provider", "no such name");
    assert_eq!(world.lot.poll_lookup(), None);
    world.run_s(31);
    assert!(world.lot.poll_lookup().is_some());
}

#[test]
fn a_connection_is_opened_to_a_trunks_server_and_to_nobody_else() {
    let mut world = office_of("", &TRUNK.replace("server = ", "transport = \"tcp\"\n    server = "));
    let lookup = world.lot.poll_lookup().unwrap();
    assert_eq!(lookup.transport, crate::sip::Transport::Tcp);
    let server = Peer::new(crate::sip::Transport::Tcp, "192.0.2.15:5060".parse().unwrap());
    world.lot.set_trunk_servers(world.now, "provider", vec![server]);
    let sent = world.lot.poll_transmit().expect("a REGISTER, for which the connection is opened");
    assert_eq!(sent.to, server);
    assert!(sent.bytes.starts_with(b"REGISTER sip:provider.test SIP/2.0"));
    assert!(world.lot.poll_transmit().is_none());
}
