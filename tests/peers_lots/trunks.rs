//! A real Asterisk as the provider of a trunk, over TCP and over TLS (over UDP: `tests/peers_lot`).

use super::peers::asterisk::{Asterisk, AsteriskOptions, Streams, password};
use super::peers::baresip::{Baresip, BaresipOptions};
use super::peers::certificates::Authority;
use super::peers::console::SOON;
use super::peers::lot::{self, Lot};
use super::{ALICE_HZ, BOB_HZ};

/// Registers by this transport, calls out, is called, parks who called.
fn a_provider_by(transport: &str) {
    let authority = Authority::new("the provider");
    let pair = authority.sign("provider", &["localhost", "127.0.0.1"]);
    let tls = transport == "tls";
    let asterisk = Asterisk::start(AsteriskOptions {
        parking: false,
        streams: Some(Streams { tls: tls.then_some(pair) }),
        ..AsteriskOptions::default()
    });
    let server = if tls { asterisk.tls() } else { asterisk.sip() };
    let tables = format!(
        "{}{}[[trunks]]\nname = \"provider\"\nserver = \"{server}\"\ntransport = \"{transport}\"\nusername = \"reception\"\n\
         secret = \"{}\"\ninbound = [ {{ to = \"102\" }} ]\noutbound = [ {{ prefix = \"9\", min_digits = 4, strip = 1 }} ]\n\
         [[lots]]\nname = \"front\"\nparkext = \"700\"\nparkpos = \"701-703\"\n",
        lot::user("bob", "102", "Bob Brown"),
        "permissions = { trunk = true }\n",
        password("reception"),
    );
    let head = format!("tls_authority = \"{}\"\n", authority.file().display());
    let lot = Lot::start(Lot::free_address(), if tls { &head } else { "" }, &tables);
    lot.wait_count("trunk_registered", 1);
    let mut bob = lot.phone("bob", BOB_HZ);
    bob.dial(&lot.uri("9600"));
    bob.wait_established(SOON);
    assert!(bob.hears(BOB_HZ, SOON), "{transport}: an echo, there and back");
    bob.hang_up();
    bob.wait_closed(SOON);

    let alice = BaresipOptions::new("alice", &password("alice"), asterisk.sip()).tone(ALICE_HZ);
    let mut alice = Baresip::start(&alice);
    alice.wait_registered();
    alice.dial(&asterisk.uri("100"));
    bob.wait_event("CALL_INCOMING", 1, SOON);
    bob.answer();
    alice.wait_established(SOON);
    assert!(bob.hears(ALICE_HZ, SOON) && alice.hears(BOB_HZ, SOON), "{transport}: both ways");
    bob.transfer(&lot.uri("700"));
    bob.wait_event("CALL_CLOSED", 2, SOON);
    lot.wait_parked(1);
    alice.hang_up();
    lot.wait_parked(0);
    asterisk.wait_for_channels(0, SOON);
}

#[test]
fn a_trunk_over_tcp() {
    a_provider_by("tcp");
}

#[test]
fn a_trunk_over_tls_to_a_server_that_proves_itself() {
    a_provider_by("tls");
}
