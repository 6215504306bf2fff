//! What polite peers never do, by SIPp, against the real console in a terminal: in the end it stands there as before.
//!
//! | file | who is rude |
//! | --- | --- |
//! | `callers` | who rings at the console and then breaks the rules of the call |
//! | `sessions` | who wants to hear that it rings, and that the call still lives |
//! | `servers` | the console's own server, when the console calls, registers or watches |

// Outside `#[test]` functions a failed step may panic here too.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "../peers/mod.rs"]
mod peers;

mod callers;
mod servers;
mod sessions;

use peers::console::{Console, ConsoleOptions, SOON};
use peers::rude::{Rude, ServerScript};

/// The slots that the rude server knows.
const SLOTS: std::ops::Range<u16> = 701..703;

/// A console at this server, ready for calls.
fn console_at(server: &Rude) -> Console {
    let console = Console::start(&ConsoleOptions::new(server.sip(), "reception", "reception-secret", SLOTS));
    console.wait_ready(SLOTS);
    console
}

/// The same at a server without any fault but what the test adds.
fn console() -> (Console, Rude) {
    let server = Rude::serve(&ServerScript::default());
    (console_at(&server), server)
}

/// Nothing is left on the board, the lamps are fresh, and the console takes leave as it should.
fn stands_as_before(console: Console) {
    console.wait_calls(0, SOON);
    console.terminal.wait_line(&["registered, reachable", "lamps fresh"], SOON);
    assert!(!console.log().contains("panicked"), "{}", console.log());
    console.leave();
}
