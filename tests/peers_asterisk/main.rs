//! The console against a real Asterisk 22 and a real Asterisk 16: the real program in a terminal, real phones and
//! callers around it. What the board says, what the server knows and what everybody hears have to agree.
//!
//! @TABLE@

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
