//! The terminal after every kind of end: out of the alternate screen, cursor shown, cooked, mouse and paste off.

use crate::peers::pty::Terminal;
use crate::rig::{LEAVING, SOON, Setup, demo, home_with, log_of, nobody, parkdeck, run};
use std::time::{Duration, Instant};

/// The demo with its board up.
fn board() -> Terminal {
    let terminal = demo(3).start();
    terminal.wait_text("parked · lot", SOON);
    assert!(!terminal.unrestored().is_empty(), "it was taken");
    terminal
}

#[track_caller]
fn ends_well(mut terminal: Terminal, code: u32) -> String {
    assert_eq!(terminal.wait_exit(LEAVING).exit_code(), code);
    assert_eq!(terminal.unrestored(), Vec::<String>::new());
    terminal.screen_text()
}

#[test]
fn the_terminal_comes_back_after_q() {
    let terminal = board();
    terminal.keys("q");
    ends_well(terminal, 0);
}

#[test]
fn the_terminal_comes_back_after_ctrl_c() {
    let terminal = board();
    terminal.keys("<c-c>");
    ends_well(terminal, 0);
}

#[test]
fn q_asks_first_when_a_caller_would_be_lost_and_ctrl_c_twice_leaves() {
    let terminal = board();
    terminal.wait_text("RINGING", SOON);
    terminal.keys("<enter>");
    terminal.wait_line(&["talking", "Jane Doe"], SOON);
    terminal.keys("q");
    terminal.wait_text("leave", SOON);
    terminal.keys("<esc>");
    terminal.wait_line(&["talking", "Jane Doe"], SOON);
    // Another press of the same key at once counts as a slip.
    std::thread::sleep(Duration::from_millis(800));
    terminal.keys("<c-c>");
    std::thread::sleep(Duration::from_millis(800));
    terminal.keys("<c-c>");
    ends_well(terminal, 0);
}

#[test]
fn the_terminal_comes_back_after_sigterm_sighup_and_sigint() {
    for name in ["TERM", "HUP", "INT"] {
        let terminal = board();
        terminal.signal(name);
        ends_well(terminal, 0);
    }
}

#[test]
fn a_signal_while_the_server_is_still_sought_gives_the_terminal_back_too() {
    for name in ["TERM", "HUP", "INT"] {
        let terminal = Setup::towards("no-such-host.invalid").start();
        terminal.wait_text("parked · lot", SOON);
        terminal.signal(name);
        ends_well(terminal, 0);
    }
}

#[test]
fn a_panic_gives_the_terminal_back_says_so_on_it_and_tells_the_log_all() {
    for thread in ["engine", "screen"] {
        let mut terminal = demo(3).environment("PARKDECK_PANIC", thread).start();
        assert_eq!(terminal.wait_exit(SOON).exit_code(), 101);
        assert_eq!(terminal.unrestored(), Vec::<String>::new(), "{thread}");
        terminal.wait_text("parkdeck: this is a bug: PARKDECK_PANIC asks for it", Duration::from_secs(1));
        let log = log_of(&terminal);
        assert!(log.contains("panicked at") && log.contains("parkdeck::app"), "with a backtrace:\n{log}");
    }
}

#[test]
fn an_error_at_the_start_leaves_the_terminal_alone() {
    let config =
        "[account]\nuser = \"a\"\nserver = \"127.0.0.1\"\npassword_env = \"PARKDECK_TEST_PASSWORD\"\n";
    for (more, words) in [
        ("[screen]\ntheme = \"drak\"\n", "there is no theme “drak”"),
        ("[keys]\nprak = \"p\"\n", "did you mean “park”?"),
    ] {
        let terminal = parkdeck(&[]).home(home_with(&format!("{config}{more}"))).start();
        let terminal = {
            terminal.wait_text(words, SOON);
            assert!(!terminal.raw().windows(8).any(|bytes| bytes == b"\x1b[?1049h"), "never taken");
            terminal
        };
        ends_well(terminal, 1);
    }
}

#[test]
fn without_a_terminal_the_board_says_that_it_needs_one() {
    let home = Setup::towards(nobody()).home();
    let environment = [(crate::rig::PASSWORD_VARIABLE, "x")];
    for arguments in [&[][..], &["demo", "--silent"]] {
        let ran = run(home.path(), arguments, &environment);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        assert_eq!(ran.err, "parkdeck: the board needs a terminal for its input and output\n");
    }
}

#[test]
fn a_terminal_that_no_longer_reads_does_not_keep_the_program() {
    let mut terminal = demo(3).size(200, 60).start();
    terminal.wait_text("parked · lot", SOON);
    terminal.pause_reading(true);
    // Whole pictures, until nothing more fits into the terminal.
    for columns in [180, 200].repeat(15) {
        terminal.resize(columns, 60);
        std::thread::sleep(Duration::from_millis(30));
    }
    let began = Instant::now();
    terminal.signal("TERM");
    assert_eq!(terminal.wait_exit(LEAVING).exit_code(), 0);
    assert!(began.elapsed() < LEAVING);
    terminal.pause_reading(false);
    assert_eq!(terminal.unrestored(), Vec::<String>::new());
}
