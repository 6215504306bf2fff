//! Kamailio as the registrar of the phones, with what we ship for it (`assets/kamailio-lots.cfg`), and two lots to park in;
//! one of them is killed.

use super::peers::baresip::{Baresip, BaresipOptions};
use super::peers::console::{Console, ConsoleOptions, SOON};
use super::peers::kamailio::{Kamailio, KamailioOptions};
use super::peers::lot::Lot;
use super::peers::{asterisk::password, wait_until};
use super::{ALICE_HZ, BOB_HZ, CAROL_HZ, RECOVERY};
use std::net::SocketAddr;

/// A lot behind that Kamailio with the slots of its number.
fn lot(number: usize, sip: SocketAddr, kamailio: SocketAddr) -> Lot {
    let tables = format!(
        "[[users]]\nname = \"kamailio\"\nsecret = \"nobody uses it\"\naddress = \"{kamailio}\"\n\
         permissions = {{ assert_identity = true }}\n\
         [[lots]]\nname = \"front\"\nparkext = \"700\"\nparkpos = \"7{number}1-7{number}9\"\nparkingtime = 600\n\
         sayslot = \"never\"\n"
    );
    Lot::start(sip, "", &tables)
}

/// A phone of Kamailio's.
fn phone(kamailio: &Kamailio, user: &str, hz: f64) -> Baresip {
    let phone = Baresip::start(&BaresipOptions::new(user, &password(user), kamailio.sip()).tone(hz));
    phone.wait_registered();
    phone
}

/// Somebody calls Bob, who sends the call to the park extension.
fn parked_by_bob(kamailio: &Kamailio, bob: &mut Baresip, caller: &mut Baresip) {
    let (rang, up) = (bob.count("CALL_INCOMING"), caller.count("CALL_ESTABLISHED"));
    caller.dial(&kamailio.uri("bob"));
    bob.wait_event("CALL_INCOMING", rang + 1, SOON);
    bob.answer();
    caller.wait_event("CALL_ESTABLISHED", up + 1, SOON);
    bob.transfer(&kamailio.uri("700"));
    caller.wait_event("CALL_ESTABLISHED", up + 2, SOON);
}

/// The lot, by its place among them, in which the last call was parked.
fn parked_in(lots: &[Lot; 2], before: [usize; 2]) -> usize {
    wait_until("a lot to have the call", SOON, || (0..2).find(|at| lots[*at].parked() > before[*at]))
}

#[test]
fn of_two_lots_one_is_killed_the_other_parks_on_and_the_first_comes_back_with_its_callers() {
    let addresses: [SocketAddr; 3] = std::array::from_fn(|_| Lot::free_address());
    let [own, first, second] = addresses;
    let mut lots = [lot(1, first, own), lot(2, second, own)];
    let kamailio = Kamailio::start_at(&KamailioOptions::lots(vec![first, second]), own);
    let (mut alice, mut bob, mut carol) = (
        phone(&kamailio, "alice", ALICE_HZ),
        phone(&kamailio, "bob", BOB_HZ),
        phone(&kamailio, "carol", CAROL_HZ),
    );
    // The reception's board has the lamps of both lots.
    let console = Console::start(&ConsoleOptions {
        slots: "711-719,721-729".into(),
        dialect: "generic",
        ..ConsoleOptions::new(kamailio.sip(), "reception", &password("reception"), 711..720)
    });
    for free in [711, 719, 721, 729] {
        console.wait_slot(free, &["□ free"], SOON);
    }

    parked_by_bob(&kamailio, &mut bob, &mut alice);
    let at = parked_in(&lots, [0, 0]);
    let slot = 711 + 10 * u16::try_from(at).unwrap();
    console.wait_slot(slot, &["■", "alice"], SOON);

    lots[at].kill();
    // At once, while Kamailio has not missed it yet: the call that would be parked there goes to the other.
    let other = 1 - at;
    for callers in 1..=2 {
        if callers == 2 {
            carol.hang_up();
            lots[other].wait_parked(0);
        }
        parked_by_bob(&kamailio, &mut bob, &mut carol);
        lots[other].wait_parked(1);
    }
    // Alice is on the line all the while, in a slot that is away: nobody gets anybody else there.
    assert_eq!(alice.count("CALL_CLOSED"), 1, "of her two calls that with Bob is over, by the transfer");
    let (closed, up) = (bob.count("CALL_CLOSED"), bob.count("CALL_ESTABLISHED"));
    bob.dial(&kamailio.uri(&slot.to_string()));
    let refused = bob.wait_event("CALL_CLOSED", closed + 1, RECOVERY);
    assert!(refused.contains("480"), "{refused}");
    assert_eq!(bob.count("CALL_ESTABLISHED"), up);

    lots[at].start_again();
    lots[at].wait_count("recovered", 1);
    console.wait_slot(slot, &["■", "alice"], RECOVERY);
    let found = || {
        bob.dial(&kamailio.uri(&slot.to_string()));
        let done = super::peers::wait_for(SOON, || {
            let answered = bob.count("CALL_ESTABLISHED") > up;
            (answered || bob.count("CALL_CLOSED") > closed + 1).then_some(answered)
        });
        (done == Some(true)).then_some(())
    };
    // As soon as Kamailio has heard from it again.
    wait_until("the lot to be reached again", RECOVERY, found);
    assert!(bob.hears(ALICE_HZ, SOON) && alice.hears(BOB_HZ, SOON), "Bob has Alice");
    console.wait_slot(slot, &["□ free"], SOON);
    bob.hang_up();
    alice.wait_event("CALL_CLOSED", 2, SOON);
    console.leave();
}

#[test]
fn a_caller_comes_back_to_whoever_parked_him_through_the_proxy_and_no_transfer_reaches_a_slot() {
    let (own, at) = (Lot::free_address(), Lot::free_address());
    let tables = format!(
        "[[users]]\nname = \"kamailio\"\nsecret = \"nobody uses it\"\naddress = \"{own}\"\n\
         permissions = {{ assert_identity = true }}\n\
         [[lots]]\nname = \"front\"\nparkext = \"700\"\nparkpos = \"711-719\"\nparkingtime = 2\n"
    );
    let lot = Lot::start(at, "", &tables);
    let kamailio = Kamailio::start_at(&KamailioOptions::lots(vec![at]), own);
    let (mut alice, mut bob) = (phone(&kamailio, "alice", ALICE_HZ), phone(&kamailio, "bob", BOB_HZ));
    parked_by_bob(&kamailio, &mut bob, &mut alice);
    lot.wait_parked(1);
    // baresip says nothing of who sent it: the proxy does.
    bob.wait_event("CALL_INCOMING", 2, SOON);
    bob.answer();
    lot.wait_count("came_back", 1);
    assert!(bob.hears(ALICE_HZ, SOON) && alice.hears(BOB_HZ, SOON), "Bob has Alice again");
    // Into a slot: his phone would take whoever is there.
    let asked = kamailio.count("heard INVITE");
    bob.transfer(&kamailio.uri("711"));
    wait_until("the refusal", SOON, || bob.output().contains("403 Park by 700").then_some(()));
    assert_eq!(kamailio.count("heard INVITE"), asked, "nobody is sent there");
}
