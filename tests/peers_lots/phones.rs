//! linphone as a phone of the lot: it registers, calls, parks by a transfer, sees by presence that somebody is parked,
//! retrieves, and parks by `#72`. (baresip does all that in `tests/peers_lot`, SIPp in `shared`.)

use super::BOB_HZ;
use super::peers::baresip::{Baresip, BaresipOptions};
use super::peers::console::SOON;
use super::peers::linphone::Linphone;
use super::peers::lot::{self, Lot};

const TALKS: &str = "Media streams established";

#[test]
fn linphone_parks_by_transfer_and_by_keys_sees_the_lamp_and_retrieves() {
    // A second between two keys is little for a phone that is steered by words, on a busy machine.
    let tables = format!(
        "[features]\nfeaturedigittimeout = 4000\n{}{}[[lots]]\nname = \"front\"\nparkext = \"700\"\n\
         parkpos = \"701-703\"\nparkingtime = 60\n",
        lot::user("alice", "101", "Alice"),
        lot::user("bob", "102", "Bob"),
    );
    let lot = Lot::start(Lot::free_address(), "", &tables);
    let options = BaresipOptions::new("bob", "bob-secret", lot.sip).tone(BOB_HZ).answering();
    let bob = Baresip::start(&options);
    bob.wait_registered();
    let mut alice = Linphone::start("alice", lot.sip, "office.test", &["701"]);
    lot.wait_count("registered", 2);
    alice.wait("is Online", 1, SOON);

    alice.command(&format!("call {}", lot.uri("102")));
    alice.wait(TALKS, 1, SOON);
    alice.command(&format!("transfer {}", lot.uri("700")));
    lot.wait_parked(1);
    alice.wait("is On the phone", 1, SOON);
    alice.wait("ended", 1, SOON);
    alice.command(&format!("call {}", lot.uri("701")));
    alice.wait(TALKS, 2, SOON);
    lot.wait_count("call_retrieved", 1);
    alice.wait("is Online", 2, SOON);

    for key in ["#", "7", "2"] {
        alice.command(key);
    }
    lot.wait_parked(1);
    assert_eq!(lot.count("call_parked"), 2);
    assert_eq!(bob.count("CALL_CLOSED"), 0, "Bob is in the slot");
}
