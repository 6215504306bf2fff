//! The console behind a real Kamailio: as registrar and presence server, and as the outbound proxy before an Asterisk.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod peers;

use peers::asterisk::{Asterisk, AsteriskOptions, password};
use peers::baresip::{Baresip, BaresipOptions};
use peers::console::{Console, ConsoleOptions, SOON};
use peers::kamailio::{Kamailio, KamailioOptions};
use peers::kamailio_files::{ASTERISK_REALM, PROXY_REALM};
use peers::sipp::{Caller, CallerOptions};
use std::time::Duration;

const SLOTS: std::ops::Range<u16> = 701..703;
/// After silence and a restart: probes, back-off, and a new registration.
const RECOVERY: Duration = Duration::from_secs(40);

const DIALOG_INFO: &str = "application/dialog-info+xml";

/// The state of a slot, as a park server would publish it (RFC 4235).
fn state(slot: u16, version: u32, dialogs: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
         state=\"full\" entity=\"sip:{slot}@127.0.0.1\">{dialogs}</dialog-info>"
    )
}

fn publish(kamailio: &Kamailio, slot: u16, dialogs: &str) {
    kamailio.publish(&slot.to_string(), "dialog", DIALOG_INFO, &state(slot, 0, dialogs));
}

const JANE: &str = "<dialog id=\"j\" direction=\"initiator\"><state>confirmed</state><remote>\
                    <identity display=\"Jane Doe\">sip:01614960100@127.0.0.1</identity></remote></dialog>";

#[test]
fn lamps_that_a_presence_server_tells_light_go_out_and_come_back_after_its_restart() {
    let mut kamailio = Kamailio::start(&KamailioOptions::presence());
    for slot in SLOTS {
        publish(&kamailio, slot, "");
    }
    let options = ConsoleOptions::new(kamailio.sip(), "reception", &password("reception"), SLOTS);
    let console = Console::start(&options);
    console.wait_ready(SLOTS);
    publish(&kamailio, 701, JANE);
    console.wait_slot(701, &["■", "Jane Doe"], SOON);
    console.wait_slot(702, &["□ free"], SOON);

    // Calls between its phones go through it, with Record-Route.
    let phone = BaresipOptions::new("alice", &password("alice"), kamailio.sip()).display("Alice Adams");
    let mut alice = Baresip::start(&phone);
    alice.wait_registered();
    alice.dial(&kamailio.uri("reception"));
    console.wait_call(&["RINGING", "Alice Adams"], SOON);
    console.keys("<enter>");
    alice.wait_established(SOON);
    console.wait_call(&["▶", "talking", "Alice Adams"], SOON);
    console.keys("h");
    console.wait_call(&["held", "Alice Adams"], SOON);
    alice.hang_up();
    console.wait_calls(0, SOON);

    kamailio.stop();
    console.terminal.wait_text("✕ no answer", RECOVERY);
    console.wait_slot(701, &["? stale"], SOON);
    kamailio.start_again();
    for slot in SLOTS {
        publish(&kamailio, slot, "");
    }
    console.terminal.wait_line(&["registered, reachable", "lamps fresh"], RECOVERY);
    console.wait_slot(701, &["□ free"], SOON);
    publish(&kamailio, 702, JANE);
    console.wait_slot(702, &["■", "Jane Doe"], SOON);
    console.leave();
}

#[test]
fn through_an_outbound_proxy_that_asks_the_console_registers_parks_and_retrieves() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    // Both ask, one with 407 and one with 401, and they share their users.
    let options = KamailioOptions { realm: ASTERISK_REALM, ..KamailioOptions::proxy(asterisk.sip()) };
    let kamailio = Kamailio::start(&options);
    let console = Console::start(&ConsoleOptions {
        account: format!("outbound_proxy = \"{}\"\n", kamailio.sip()),
        ..ConsoleOptions::new(asterisk.sip(), "reception", &password("reception"), asterisk.slots())
    });
    console.wait_ready(asterisk.slots());
    asterisk.log_sip();
    let caller = Caller::call(&CallerOptions::new(asterisk.sip(), "100", "Jane Doe", "01614960100"));
    console.wait_call(&["RINGING", "Jane Doe"], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    console.keys("p");
    console.wait_slot(701, &["■", "Jane Doe", "by you", "verified"], SOON);
    console.wait_calls(0, SOON);
    assert_eq!(asterisk.parked(), [701]);
    console.keys("1");
    console.wait_call(&["▶", "talking", "Jane Doe", "verified"], SOON);
    console.wait_slot(701, &["□ free"], SOON);
    console.keys("x");
    caller.wait_ended_by_peer(SOON);
    asterisk.wait_for_channels(0, SOON);
    // Everything of the console's passed the proxy, which was shown who it is, and Asterisk behind it asked once more.
    let own = kamailio.sip().to_string();
    let messages = asterisk.sip_messages();
    let of_console = |m: &&peers::asterisk::SipMessage| m.received && m.text.contains("parkdeck/");
    assert!(messages.iter().filter(of_console).all(|m| m.far == own), "nothing goes round the proxy");
    for method in ["REGISTER", "SUBSCRIBE", "INVITE"] {
        assert!(kamailio.count(&format!("proven {method}")) > 0, "{method}:\n{}", kamailio.log());
    }
    assert!(kamailio.count("heard REFER") > 0 && kamailio.count("heard BYE") > 0);
    console.leave();
}

#[test]
fn a_proxy_and_a_registrar_with_realms_of_their_own_are_both_answered_where_both_are_named() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let kamailio = Kamailio::start(&KamailioOptions::proxy(asterisk.sip()));
    let console = |realms: &str| {
        Console::start(&ConsoleOptions {
            account: format!(
                "outbound_proxy = \"{}\"\nrealm = \"{ASTERISK_REALM}\"\n{realms}",
                kamailio.sip()
            ),
            ..ConsoleOptions::new(asterisk.sip(), "reception", &password("reception"), asterisk.slots())
        })
    };
    // The password is for those who are named: the proxy's realm is not, and the board says whose it is.
    let wary = console("");
    wary.terminal.wait_text("NOT REGISTERED", SOON);
    wary.terminal.wait_text(PROXY_REALM, SOON);
    assert_eq!(kamailio.count("proven"), 0, "{}", kamailio.log());
    wary.leave();

    let console = console(&format!("further_realms = [\"{PROXY_REALM}\"]\n"));
    console.wait_ready(asterisk.slots());
    let caller = Caller::call(&CallerOptions::new(asterisk.sip(), "100", "Jane Doe", "01614960100"));
    console.wait_call(&["RINGING", "Jane Doe"], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.keys("p");
    console.wait_slot(701, &["■", "Jane Doe", "by you", "verified"], SOON);
    console.keys("1");
    console.wait_call(&["▶", "talking", "Jane Doe", "verified"], SOON);
    console.keys("x");
    caller.wait_ended_by_peer(SOON);
    console.wait_calls(0, SOON);
    for method in ["REGISTER", "SUBSCRIBE", "INVITE"] {
        assert!(kamailio.count(&format!("proven {method}")) > 0, "{method}:\n{}", kamailio.log());
    }
    console.leave();
}
