//! A colleague's phone that rings on a real Asterisk: its lamp says so, with the caller; his key takes the call here.

use super::peers::asterisk::Version;
use super::peers::sound_card::SoundCard;
use super::*;

const OPERATOR_HZ: f64 = 2600.0;
const JANE_HZ: f64 = 1730.0;

/// An Asterisk whose `*8` with an extension picks up what rings there (`Pickup` of the phones' context).
fn picking_up(version: Version) -> Asterisk {
    Asterisk::start(AsteriskOptions {
        dialplan_lines: "exten => _*8XXX,1,Pickup(${EXTEN:2}@phones)\n same => n,Hangup()\n".into(),
        ..AsteriskOptions::of(version)
    })
}

fn a_colleagues_lamp_says_who_rings_and_his_key_takes_the_call(version: Version) {
    let asterisk = picking_up(version);
    let bob = Baresip::start(&BaresipOptions::new("bob", &password("bob"), asterisk.sip()));
    asterisk.wait_for_registration("bob", SOON);
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let team =
        "[team]\nwatch = [\"102\", \"104\", \"199\"]\npickup_prefix = \"*8\"\n[people]\nBob = \"102\"\n";
    let console = Console::start(&ConsoleOptions { card: Some(&card), ..desk(&asterisk, "reception", team) });
    console.wait_ready(asterisk.slots());
    console.wait_text("F1 ○ Bob");
    // A phone that nobody has registered, and an extension without a hint.
    console.terminal.wait_line(&["F2", "104", "away"], SOON);
    console.terminal.wait_line(&["F3", "✕", "199"], SOON);
    let jane = CallerOptions::new(asterisk.sip(), "102", "Jane Doe", "01614960100").tone(JANE_HZ);
    let caller = Caller::call(&jane);
    bob.wait_ringing(SOON);
    console.terminal.wait_line(&["F1", "◌", "Bob", "RINGING", "Jane"], SOON);
    console.keys("<f1>");
    caller.wait_answered(SOON);
    console.wait_call(&["▶", "talking", "Jane Doe", "picked up for Bob"], SOON);
    bob.wait_closed(SOON);
    console.terminal.wait_line(&["F1", "○", "Bob", "free"], SOON);
    assert!(caller.voice().hears(OPERATOR_HZ, SOON), "Jane hears the operator");
    assert!(card.hears(JANE_HZ, SOON), "the operator hears Jane");
    // The key of somebody at whose phone nothing rings takes nothing.
    console.keys("x");
    caller.wait_ended_by_peer(SOON);
    console.keys("<f1>");
    console.wait_text("102");
    console.wait_calls(0, SOON);
}

mod asterisk_22 {
    #[test]
    fn a_colleagues_lamp_says_who_rings_and_his_key_takes_the_call() {
        super::a_colleagues_lamp_says_who_rings_and_his_key_takes_the_call(super::Version::V22);
    }
}

mod asterisk_16 {
    #[test]
    fn a_colleagues_lamp_says_who_rings_and_his_key_takes_the_call() {
        super::a_colleagues_lamp_says_who_rings_and_his_key_takes_the_call(super::Version::V16);
    }
}
