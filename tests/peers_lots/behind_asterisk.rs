//! A real Asterisk 22 with the phones, and the lot as the place that its calls are parked to: a server that is known by its
//! address.

use super::peers::asterisk::{Asterisk, AsteriskOptions, password};
use super::peers::baresip::{Baresip, BaresipOptions};
use super::peers::console::SOON;
use super::peers::lot::Lot;
use super::{ALICE_HZ, BOB_HZ};

/// The lot as a peer of Asterisk's, by address on both sides.
fn pjsip(lot: std::net::SocketAddr) -> String {
    format!(
        "[lot]\ntype=aor\ncontact=sip:{lot}\nqualify_frequency=5\n\
         [lot]\ntype=endpoint\ncontext=from-lot\ndisallow=all\nallow=ulaw\naors=lot\nsend_pai=yes\ntrust_id_outbound=yes\n\
         trust_id_inbound=yes\ndirect_media=no\nmedia_address=127.0.0.1\nbind_rtp_to_media_address=yes\n\
         [lot]\ntype=identify\nendpoint=lot\nmatch={lot}\n"
    )
}

#[test]
fn calls_are_parked_retrieved_and_come_back_from_phones_of_an_asterisk() {
    let at = Lot::free_address();
    // Whoever transfers is named by his endpoint (few phones send Referred-By).
    let dialplan = "exten => _7XX,1,Set(__SENT_BY=${CUT(CUT(BLINDTRANSFER,/,2),-,1)})\n \
                    same => n,Dial(PJSIP/${EXTEN}@lot,60,b(to-lot^s^1))\n same => n,Hangup()\n\
                    [to-lot]\nexten => s,1,ExecIf($[\"${SENT_BY}\" != \"\"]?Set(PJSIP_HEADER(add,Referred-By)=<sip:${SENT_BY}@pbx>))\n \
                    same => n,Return()\n\
                    [from-lot]\nexten => _[a-z].,1,Dial(PJSIP/${EXTEN},30)\n same => n,Hangup()\n";
    let asterisk = Asterisk::start(AsteriskOptions {
        parking: false,
        pjsip_lines: pjsip(at),
        dialplan_lines: dialplan.to_owned(),
        ..AsteriskOptions::default()
    });
    let tables = format!(
        "[[users]]\nname = \"asterisk\"\nsecret = \"nobody uses it\"\naddress = \"{}\"\n\
         permissions = {{ assert_identity = true }}\n\
         [[lots]]\nname = \"front\"\nparkext = \"700\"\nparkpos = \"701-709\"\nparkingtime = 4\nsayslot = \"never\"\n",
        asterisk.sip()
    );
    let lot = Lot::start(at, "", &tables);
    let phone = |user: &str, hz: f64| {
        let phone = Baresip::start(&BaresipOptions::new(user, &password(user), asterisk.sip()).tone(hz));
        phone.wait_registered();
        phone
    };
    let (mut alice, mut bob) = (phone("alice", ALICE_HZ), phone("bob", BOB_HZ));
    alice.dial(&asterisk.uri("102"));
    bob.wait_ringing(SOON);
    bob.answer();
    alice.wait_established(SOON);
    assert!(alice.hears(BOB_HZ, SOON), "they talk");
    bob.transfer(&asterisk.uri("700"));
    bob.wait_closed(SOON);
    lot.wait_parked(1);
    assert!(lot.log().contains("Alice Adams"), "the lot is told who it is:\n{}", lot.log());

    // Fetched by number, from another of its phones or the same.
    bob.dial(&asterisk.uri("701"));
    bob.wait_event("CALL_ESTABLISHED", 2, SOON);
    assert!(bob.hears(ALICE_HZ, SOON) && alice.hears(BOB_HZ, SOON), "Bob has Alice");
    assert_eq!(lot.parked(), 0);

    // Parked again, and nobody fetches her: she comes back to Bob, through Asterisk.
    bob.transfer(&asterisk.uri("700"));
    bob.wait_event("CALL_CLOSED", 2, SOON);
    lot.wait_parked(1);
    bob.wait_event("CALL_INCOMING", 2, SOON);
    bob.answer();
    lot.wait_count("came_back", 1);
    assert!(bob.hears(ALICE_HZ, SOON) && alice.hears(BOB_HZ, SOON), "and again");
    assert_eq!(alice.count("CALL_CLOSED"), 0);
    alice.hang_up();
    bob.wait_event("CALL_CLOSED", 3, SOON);
    asterisk.wait_for_channels(0, SOON);
}
