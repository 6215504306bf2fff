//! The lot as a phone system: baresips as its phones, and a real Asterisk as the provider of its trunk.

use super::peers::asterisk::{Asterisk, AsteriskOptions, password};
use super::peers::baresip::{Baresip, BaresipOptions};
use super::peers::console::SOON;
use super::{ALICE_HZ, BOB_HZ, Lot};
use std::time::Duration;

const CAROL_HZ: f64 = 1310.0;

/// A group of Bob and Carol, and a page group of everybody.
const TABLES: &str = r#"
[[groups]]
name = "Sales"
extension = "200"
members = ["102", "103"]
[[pages]]
name = "Page"
extension = "300"
members = ["101", "102", "103"]
"#;

#[test]
fn a_provider_calls_the_group_is_parked_by_a_transfer_and_is_called() {
    let asterisk = Asterisk::start(AsteriskOptions { parking: false, ..AsteriskOptions::default() });
    let trunk = format!(
        "{TABLES}\n[[trunks]]\nname = \"provider\"\nserver = \"{}\"\nusername = \"reception\"\nsecret = \"{}\"\n\
         inbound = [ {{ to = \"200\" }} ]\noutbound = [ {{ prefix = \"9\", min_digits = 4, strip = 1 }} ]\n",
        asterisk.sip(),
        password("reception"),
    );
    let lot = Lot::start_with(9, 45, &trunk);
    lot.wait_said("TrunkRegistered", 1);
    let mut bob = lot.phone("bob", BOB_HZ);
    let mut carol = lot.phone("carol", CAROL_HZ);
    // Outside: an echo.
    bob.dial(&lot.uri("9600"));
    bob.wait_established(SOON);
    assert!(bob.hears(BOB_HZ, SOON), "Bob must hear himself, there and back");
    bob.hang_up();
    bob.wait_closed(SOON);
    asterisk.wait_for_channels(0, SOON);

    // From outside: Alice, a phone of the provider's, calls our number. Both ring, Carol is quicker.
    let alice = BaresipOptions::new("alice", &password("alice"), asterisk.sip()).tone(ALICE_HZ);
    let mut alice = Baresip::start(&alice);
    alice.wait_registered();
    alice.dial(&asterisk.uri("100"));
    bob.wait_event("CALL_INCOMING", 1, SOON);
    carol.wait_event("CALL_INCOMING", 1, SOON);
    carol.answer();
    carol.wait_established(SOON);
    bob.wait_event("CALL_CLOSED", 2, SOON);
    assert!(carol.hears(ALICE_HZ, SOON) && alice.hears(CAROL_HZ, SOON), "Alice and Carol talk");
    // Parked by a transfer, fetched by dialling the slot.
    carol.transfer(&lot.uri("700"));
    carol.wait_closed(SOON);
    lot.wait_said("CallParked", 1);
    bob.dial(&lot.uri("701"));
    bob.wait_event("CALL_ESTABLISHED", 2, SOON);
    assert!(bob.hears(ALICE_HZ, SOON) && alice.hears(BOB_HZ, SOON), "Bob has her");
    alice.hang_up();
    bob.wait_event("CALL_CLOSED", 3, SOON);
    asterisk.wait_for_channels(0, SOON);
}

#[test]
fn a_ringing_call_is_picked_up_and_a_page_is_heard() {
    let lot = Lot::start_with(9, 45, TABLES);
    let mut alice = lot.phone("alice", ALICE_HZ);
    let bob = lot.phone("bob", BOB_HZ);
    let options = BaresipOptions::new("carol", "carol-secret", lot.sip).tone(CAROL_HZ).answering();
    let mut carol = Baresip::start(&options);
    carol.wait_registered();
    alice.dial(&lot.uri("102"));
    bob.wait_ringing(SOON);
    carol.dial(&lot.uri("*8102"));
    carol.wait_established(SOON);
    bob.wait_closed(SOON);
    assert!(carol.hears(ALICE_HZ, SOON) && alice.hears(CAROL_HZ, SOON), "Carol has taken Alice's call");
    alice.hang_up();
    carol.wait_closed(SOON);

    alice.dial(&lot.uri("300"));
    alice.wait_event("CALL_ESTABLISHED", 2, SOON);
    carol.wait_event("CALL_ESTABLISHED", 2, SOON);
    assert!(carol.hears(ALICE_HZ, SOON), "Carol's phone has answered by itself");
    assert!(alice.hears_nothing_of(CAROL_HZ, Duration::from_millis(400)), "nobody talks back");
    alice.hang_up();
    carol.wait_event("CALL_CLOSED", 2, SOON);
}
