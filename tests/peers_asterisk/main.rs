//! The console against a real Asterisk 22 and a real Asterisk 16: the real program in a terminal, real phones and
//! callers around it. What the board says, what the server knows and what everybody hears have to agree.
//!
//! Every line of what this server was seen to do when it parks, as far as a console meets it, with the test that holds it and the
//! versions it runs on:
//!
//! | on the server | the console | test | on |
//! | --- | --- | --- | --- |
//! | SUBSCRIBE to a slot: free, taken, by nobody's name; to anything else 404 | draws that, and says why it is refused | `lamps::a_lamp_says_…` | 22, 16 |
//! | a ringing extension: early, with who rings; confirmed, with nobody's name | a colleague's lamp says who rings, his key takes the call | `peers_team::staff::…` | 22, 16 |
//! | a resource list | one subscription, the rest one by one | `lamps::one_subscription_…` | 22, 16 |
//! | PUBLISH: 489 | never sends one | – | – |
//! | blind REFER to the park extension: no BYE, the slot told only by the lamp | ends its leg after the proof, never before | `parks::a_caller_is_answered_…` | 22, 16 |
//! | `Refer-Sub: false` would silence the sipfrags | never asks for it: they are part of the proof | `parks::a_caller_is_answered_…` | 22, 16 |
//! | full lot: 202 and sipfrag 200 to a park that failed | keeps the caller, says so; sends nothing when all lamps are lit | `full::…` | 22, 16 |
//! | two lots, one of them full | parks where it was meant, and sends nobody into the other | `lots::two_lots_of_one_account_…` | 22, 16 |
//! | hold, then park | works, and back | `parks::a_call_is_held_…` | 22, 16 |
//! | attended transfer to the park extension | the lamp stays lit; taken, it is who is there | `parks::whom_another_phone_parks_…` | 22, 16 |
//! | REFER to a slot: free, the caller is lost; taken, two are joined | never sends one | `parks::a_slots_number_is_no_place_…` | 22, 16 |
//! | a slot by prefix; taken, the next one without a word | says where the caller really is | `parks::a_slot_that_was_named_…` | 22, 16 |
//! | `#72` by the caller: *we* are parked | shows who takes us | `parks::a_caller_who_parks_the_operator_…` | 22, 16 |
//! | `#72` by us | the lamp lights; the caller is there | `parks::a_call_that_is_parked_by_digits_…` | 22, 16 |
//! | REFER without a second party: sipfrag 400 | the call stays, with the reason | `parks::a_call_that_has_nobody_…` | 22, 16 |
//! | retrieve: identity by UPDATE after the 200 | verified before the microphone opens | `parks::a_caller_is_answered_…`, `retrieves::…` | 22, 16 |
//! | the same by re-INVITE, to phones that take no UPDATE | our Allow has UPDATE always; the words are the same | `sip::agent::tests::calls::identity_comes_by_…` | a model |
//! | retrieve of an empty slot, or a lost race: 200, a voice, BYE | the microphone stays closed, and it is said | `retrieves::who_was_taken_…`, `races::of_two_…` | 22, 16 |
//! | another caller in the slot | not spoken to, back again | `retrieves::a_stranger_…` | 22, 16 |
//! | a caller who withholds his number | known again, never shown | `retrieves::a_caller_who_withholds_…` | 22, 16 |
//! | time is up, back to the parker | distinct, with slot, wait and note | `comebacks::a_comeback_says_…` | 22, 16 |
//! | the same, unanswered: the caller is dropped | said, with the number to call | `comebacks::a_comeback_that_nobody_…` | 22, 16 |
//! | time is up, to another place | no comeback, unless a header names the slot | `comebacks::whose_time_is_up_…` | 22, 16 |
//! | the parked caller hangs up | the lamp goes out, nothing comes back | `parks::a_phones_call_…` | 22, 16 |
//! | the manager interface: who is parked by whom, for how long, who fetched him; every park told of at once | shows it; its word is proof, no probe | `peers_ami::…` | 22, the first two 16 |
//! | the same without it, refused, lost, back | as without it; says why | `peers_ami::a_wrong_secret_…`, `…::reloads_change_nothing_…` | 22 |
//! | restart: BYE to everybody, lamps out | nothing false; says who left the slot; works again | `restarts::a_server_that_restarts_…` | 22, 16 |
//! | restart between REFER or INVITE and what comes of it | nothing false; works again | `restarts::a_server_that_restarts_between_…` | 22, 16 |
//! | silence, and back | lamps stale, then fresh | `restarts::a_server_that_stops_…` | 22, 16 |
//! | no lot at all | says so, sends nothing | `restarts::a_server_without_park_…` | 22, 16 |
//!
//! Beside the table: other numbers, two accounts, sixty slots (`lots`), two consoles at the same moment (`races`), the waiting
//! tone and the live page (`headset`), what is configured wrong (`peers_doctor`; on 16 in `peers_doctor::sixteen`).

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "../peers/mod.rs"]
mod peers;

/// Makes of each `fn name(version: Version)` a test for either server.
macro_rules! on_each_asterisk {
    ($($name:ident),+ $(,)?) => {
        mod asterisk_22 {
            $(#[test] fn $name() { super::$name(super::Version::V22); })+
        }
        mod asterisk_16 {
            $(#[test] fn $name() { super::$name(super::Version::V16); })+
        }
    };
}

mod comebacks;
mod full;
mod headset;
mod lamps;
mod lots;
mod parks;
mod races;
mod restarts;
mod retrieves;

use peers::asterisk::{Asterisk, AsteriskOptions, ResourceList, SecondLot, SipMessage, Version, password};
use peers::baresip::{Baresip, BaresipOptions};
use peers::console::{Console, ConsoleOptions, SOON};
use peers::sipp::{Caller, CallerOptions};
use peers::sound_card::SoundCard;
use peers::tone::tone_ms;
use std::time::Duration;

/// What the receptionist says, Hz. All of them are too high and too pure for the server's music to be taken for one.
const OPERATOR_HZ: f64 = 2600.0;
/// What Jane says.
const JANE_HZ: f64 = 1730.0;
/// What somebody says whom the operator must not hear, or not now.
const STRANGER_HZ: f64 = 2210.0;

fn reception(asterisk: &Asterisk) -> ConsoleOptions<'static> {
    ConsoleOptions::new(asterisk.sip(), "reception", &password("reception"), asterisk.slots())
}

fn jane(asterisk: &Asterisk) -> CallerOptions {
    CallerOptions::new(asterisk.sip(), "100", "Jane Doe", "01614960100").tone(JANE_HZ)
}

fn phone(asterisk: &Asterisk, user: &str, hz: f64) -> BaresipOptions {
    BaresipOptions::new(user, &password(user), asterisk.sip()).tone(hz)
}

/// Somebody calls and is answered.
fn answered(console: &Console, options: &CallerOptions) -> Caller {
    let caller = Caller::call(options);
    console.wait_call(&["RINGING", &options.name], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.wait_call(&["▶", "talking", &options.name], SOON);
    caller
}

/// Parks the call in hand and waits until the board says where.
fn park(console: &Console, slot: u16, name: &str) {
    console.keys("p");
    console.wait_slot(slot, &["■", name, "by you"], SOON);
}

/// How often the console has sent this, as the server logged it.
fn sent_by_console(asterisk: &Asterisk, kind: &str) -> usize {
    asterisk.sip_messages().iter().filter(|m| m.received && m.kind() == kind).count()
}

/// A second console, at the desk of extension 105.
fn second_desk(asterisk: &Asterisk) -> ConsoleOptions<'static> {
    ConsoleOptions::new(asterisk.sip(), "desk2", &password("desk2"), asterisk.slots())
}

/// Somebody from outside who speaks with a voice that isn't Jane's.
fn stranger(asterisk: &Asterisk, extension: &str, name: &str, number: &str) -> CallerOptions {
    CallerOptions::new(asterisk.sip(), extension, name, number).tone(STRANGER_HZ)
}

/// Somebody who parked himself: who dials the park extension, or a slot with its prefix, does.
fn self_parked(asterisk: &Asterisk, extension: &str, name: &str, number: &str) -> Caller {
    let caller = Caller::call(&stranger(asterisk, extension, name, number));
    caller.wait_answered(SOON);
    caller
}

/// Whom the REFERs of the console pointed at, one after the other.
fn refer_targets(asterisk: &Asterisk) -> Vec<String> {
    let messages = asterisk.sip_messages();
    let refers = messages.iter().filter(|m| m.received && m.kind() == "REFER");
    let target = |m: &SipMessage| {
        let value = m.header("Refer-To").unwrap_or_default();
        value.split_once("sip:").and_then(|(_, uri)| uri.split_once('@')).map(|(user, _)| user.to_string())
    };
    refers.filter_map(target).collect()
}
