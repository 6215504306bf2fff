//! The console at a real Asterisk, after it did not run for a while: stopped, as a suspended computer or a frozen virtual
//! machine stops it.

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod peers;

use peers::asterisk::{Asterisk, AsteriskOptions, password};
use peers::console::{Console, ConsoleOptions, SOON};
use peers::sipp::{Caller, CallerOptions};
use peers::{wait_for, wait_until};
use std::time::{Duration, Instant};

/// So long the console is stopped: more than it takes for a pause to be doubted.
const PAUSE: Duration = Duration::from_secs(12);
/// So long it may take afterwards until every lamp is known again.
const FRESH_AGAIN: Duration = Duration::from_secs(5);

fn answered(asterisk: &Asterisk, console: &Console, name: &str, number: &str) -> Caller {
    let caller = Caller::call(&CallerOptions::new(asterisk.sip(), "100", name, number));
    console.wait_call(&["RINGING", name], SOON);
    console.keys("<enter>");
    caller.wait_answered(SOON);
    console.wait_call(&["▶", "talking", name], SOON);
    caller
}

#[test]
fn after_a_pause_lamps_are_stale_at_once_and_fresh_within_seconds_by_one_register() {
    let asterisk = Asterisk::start(AsteriskOptions { slots: 4, ..Default::default() });
    let console = Console::start(&ConsoleOptions::new(
        asterisk.sip(),
        "reception",
        &password("reception"),
        asterisk.slots(),
    ));
    console.wait_ready(asterisk.slots());
    let first = answered(&asterisk, &console, "Jane Doe", "01614960100");
    console.keys("p");
    console.wait_slot(701, &["■", "Jane Doe"], SOON);
    let second = answered(&asterisk, &console, "Peter Walsh", "02079460123");
    console.keys("p");
    console.wait_slot(702, &["■", "Peter Walsh"], SOON);
    console.wait_calls(0, SOON);
    asterisk.log_sip();

    let drawn = console.terminal.raw().len();
    console.terminal.signal("STOP");
    let mut second = second;
    // One of the two gives up while nobody looks.
    std::thread::sleep(PAUSE / 2);
    second.hang_up();
    wait_until("Asterisk has freed the slot", SOON, || (asterisk.parked() == [701]).then_some(()));
    std::thread::sleep(PAUSE / 2);
    console.terminal.signal("CONT");
    let woken = Instant::now();
    console.wait_slot(702, &["□ free"], FRESH_AGAIN);
    console.terminal.wait_line(&["registered, reachable", "lamps fresh"], FRESH_AGAIN);
    let jane = console.slot(701);
    let fresh = woken.elapsed();
    eprintln!("after a pause of {PAUSE:?} everything was fresh in {fresh:?}: {jane}");
    assert!(fresh < FRESH_AGAIN, "{fresh:?}");
    let since = console.terminal.raw().split_off(drawn);
    assert!(
        String::from_utf8_lossy(&since).contains("stale"),
        "nothing was believed until it was told again"
    );
    // Jane has waited all the time, and no clock on the board went backwards.
    assert!(jane.contains("■") && jane.contains("Jane Doe"), "{jane}");
    let screen = console.terminal.screen_text();
    assert!(!screen.contains("-0:") && !screen.contains("−"), "{screen}");

    let granted = || {
        let messages = asterisk.sip_messages();
        messages.iter().filter(|m| !m.received && m.kind() == "200 REGISTER").count()
    };
    assert!(
        wait_for(Duration::from_secs(6), || (granted() > 1).then_some(())).is_none(),
        "REGISTERs: {}",
        granted()
    );
    assert_eq!(granted(), 1);
    console.keys("1");
    console.wait_call(&["▶", "talking", "Jane Doe"], SOON);
    assert!(first.is_up());
    console.keys("x");
    first.wait_ended_by_peer(SOON);
    console.wait_calls(0, SOON);
    console.leave();
}
