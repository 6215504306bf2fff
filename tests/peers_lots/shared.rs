//! The same SIPp scenarios on Asterisk and on the lot: park by REFER, retrieve by dialling, comeback, `#72`, lamps. What
//! differs, and why:
//!
//! | | Asterisk | the lot |
//! | --- | --- | --- |
//! | the answer to a REFER that parks | 202, whatever becomes of it | 202 with the slot (`Parkdeck-Slot`), or a refusal: the parker keeps the call |
//! | the parker's leg after it | stays until he hangs up | is ended: that is the proof |
//! | REFER to a slot | the caller is hung up on, or joined with who is there | parks there, or is refused: nobody is lost or joined |
//! | a retriever who hangs up in the first 0.7 s | the caller is dropped | the caller is in his slot again |
//! | a lamp | that somebody is there | who, by whom, since when, for those who may know |
//! | a comeback | a call of the caller's | the same, with slot, wait and reason in headers |
//!
//! The first two are looked at here; the others stand in `tests/peers_asterisk` and in the lot's own tests.

use super::desk::{Desk, Lamp};
use super::peers::asterisk::{Asterisk, AsteriskOptions};
use super::peers::console::SOON;
use super::peers::lot::Lot;
use super::peers::sipp::{Caller, CallerOptions};
use super::peers::{OUTSIDE, free_udp_port};
use std::net::SocketAddr;

const DESK_HZ: f64 = 2600.0;
const CALLER_HZ: f64 = 1730.0;
const COLLEAGUE_HZ: f64 = 2210.0;

/// Where SIPp's phones are: the desk, three who call, and a lamp.
struct Ports {
    desk: u16,
    caller: u16,
    another: u16,
    colleague: u16,
    lamp: u16,
}

impl Ports {
    fn free() -> Self {
        let [desk, caller, another, colleague, lamp] = std::array::from_fn(|_| free_udp_port(OUTSIDE));
        Self { desk, caller, another, colleague, lamp }
    }
}

/// Everything that both can.
fn play(server: SocketAddr, ports: &Ports, ends_the_leg: bool) {
    let mut desk = Desk::start(server, ports.desk, DESK_HZ);
    let lamp = Lamp::start(server, ports.lamp, "701");
    let call = |extension: &str, name: &str, port: u16, hz: f64| {
        let options = CallerOptions::new(server, extension, name, "01614960100").tone(hz);
        let caller = Caller::call(&CallerOptions { port: Some(port), ..options });
        caller.wait_answered(SOON);
        caller
    };
    // Park by REFER.
    let jane = call("199", "Jane Doe", ports.caller, CALLER_HZ);
    assert!(desk.wait_call(1, SOON).hears(CALLER_HZ, SOON) && jane.voice().hears(DESK_HZ, SOON), "they talk");
    desk.transfer(&format!("sip:700@{server}"));
    desk.wait("transfer accepted", 1, SOON);
    lamp.wait("confirmed", 1);
    assert_eq!(desk.messages().contains("Parkdeck-Slot: 701"), ends_the_leg, "only the lot names the slot");
    if ends_the_leg {
        desk.wait("peer hung up", 1, SOON);
    } else {
        desk.hang_up();
    }
    assert!(jane.is_up());
    // Retrieve by dialling, somewhere else.
    let mut colleague = call("701", "Colleague", ports.colleague, COLLEAGUE_HZ);
    assert!(colleague.voice().hears(CALLER_HZ, SOON) && jane.voice().hears(COLLEAGUE_HZ, SOON), "retrieved");
    lamp.wait("terminated", 2);
    // Whoever hangs up at once didn't want the call: the lot puts the caller back then, Asterisk drops him.
    for _ in 0..3 {
        assert!(colleague.voice().hears(CALLER_HZ, SOON));
    }
    colleague.hang_up();
    jane.wait_ended_by_peer(SOON);
    drop(colleague);

    // `#72`, and nobody comes: it comes back.
    let mut jane = call("199", "Jane Doe", ports.another, CALLER_HZ);
    desk.wait_call(2, SOON);
    let ended = desk.count("peer hung up");
    desk.type_park_code();
    desk.wait("typed", 1, SOON);
    lamp.wait("confirmed", 2);
    desk.wait("peer hung up", ended + 1, SOON);
    assert!(
        desk.wait_call(3, SOON).hears(CALLER_HZ, SOON) && jane.voice().hears(DESK_HZ, SOON),
        "back at the desk"
    );
    lamp.wait("terminated", 3);
    jane.hang_up();
}

#[test]
fn on_asterisk() {
    let ports = Ports::free();
    let desk = format!(
        "[desk]\ntype=aor\ncontact=sip:desk@{OUTSIDE}:{}\n\
         [desk]\ntype=endpoint\ncontext=phones\ndisallow=all\nallow=ulaw\naors=desk\ndtmf_mode=info\ndirect_media=no\n\
         media_address=127.0.0.1\nbind_rtp_to_media_address=yes\n",
        ports.desk
    );
    let asterisk = Asterisk::start(AsteriskOptions {
        parking_s: 6,
        pjsip_lines: desk,
        dialplan_lines: "exten => 199,1,Dial(PJSIP/desk,60,kK)\n same => n,Hangup()\n".into(),
        ..AsteriskOptions::default()
    });
    play(asterisk.sip(), &ports, false);
}

#[test]
fn on_the_lot() {
    let ports = Ports::free();
    let user = |name: &str, port: u16, more: &str| {
        format!(
            "[[users]]\nname = \"{name}\"\nsecret = \"nobody uses it\"\naddress = \"{OUTSIDE}:{port}\"\n\
             permissions = {{ assert_identity = true }}\n{more}"
        )
    };
    let tables = format!(
        "{}{}{}{}{}[[lots]]\nname = \"front\"\nparkext = \"700\"\nparkpos = \"701-709\"\nparkingtime = 6\n",
        user("desk", ports.desk, "extension = \"199\"\n"),
        user("caller", ports.caller, ""),
        user("another", ports.another, ""),
        user("colleague", ports.colleague, ""),
        user("lamp", ports.lamp, ""),
    );
    let lot = Lot::start(Lot::free_address(), "", &tables);
    play(lot.sip, &ports, true);
}
