//! The ladder on the board, and a session that is recorded and shown again.

use crate::peers::pty::Terminal;
use crate::rig::{LEAVING, SOON, parkdeck, run};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_call_is_seen_as_a_ladder_and_the_session_is_recorded_and_shown_again() {
    let terminal = parkdeck(&["demo", "--silent", "--seed", "27", "--record", "session.cast"]).start();
    terminal.wait_line(&["RINGING", "Jane Doe"], SOON);
    terminal.keys("<enter>");
    terminal.wait_line(&["talking", "Jane Doe"], SOON);
    terminal.keys("l");
    terminal.wait_line(&["│", "INVITE sip:", "+SDP"], SOON);
    terminal.wait_line(&["◀─", "ACK sip:"], SOON);
    terminal.keys("<up><up><up><up><up><up><enter>");
    terminal.wait_line(&["Call-ID:"], SOON);
    terminal.keys("<esc>");
    terminal.wait_gone("Call-ID:", SOON);
    let home = terminal.home();
    let mut terminal = terminal;
    terminal.signal("TERM");
    assert_eq!(terminal.wait_exit(LEAVING).exit_code(), 0);
    let file = home.path().join("session.cast");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let file = file.to_str().unwrap();
    let whole = run(home.path(), &["replay", file, "--text"], &[]);
    assert!(
        whole.code == Some(0) && whole.out.contains("parked · lot “front”"),
        "{}{}",
        whole.out,
        whole.err
    );
    assert!(whole.out.contains("Jane Doe"), "{}", whole.out);
    let masked = run(home.path(), &["replay", file, "--text", "--mask"], &[]);
    assert!(
        masked.code == Some(0) && masked.out.contains("talking") && !masked.out.contains("Jane"),
        "{}",
        masked.out
    );
    plays(parkdeck(&["replay", file]).home(home).start());
    shows_the_session_that_comes_with_it();
}

/// Plays, pauses, steps, and leaves the terminal as it was.
fn plays(mut terminal: Terminal) {
    terminal.wait_text("space pauses", SOON);
    terminal.wait_line(&["Jane Doe"], SOON);
    terminal.keys(" ");
    terminal.wait_text("paused", SOON);
    terminal.keys("<left><left>");
    terminal.wait_text("paused", SOON);
    terminal.keys("q");
    assert_eq!(terminal.wait_exit(LEAVING).exit_code(), 0);
    assert_eq!(terminal.unrestored(), Vec::<String>::new());
}

fn shows_the_session_that_comes_with_it() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.cast");
    let home = tempfile::tempdir().unwrap();
    let shown = run(home.path(), &["replay", file, "--text"], &[]);
    assert!(
        shown.code == Some(0) && shown.out.contains("parked · lot “front”"),
        "{}{}",
        shown.out,
        shown.err
    );
}

#[test]
fn what_is_no_recording_is_refused_in_words_and_reaches_no_terminal() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("evil.cast");
    std::fs::write(&file, "\u{1b}]52;c;eA==\u{7}\n").unwrap();
    let refused = run(home.path(), &["replay", file.to_str().unwrap()], &[]);
    assert!(
        refused.code == Some(1) && refused.err.contains("line 1: this is no asciicast"),
        "{}",
        refused.err
    );
    assert!(!refused.err.contains('\u{1b}'));
    let evil = "{\"version\":2,\"width\":20,\"height\":3}\n[0.1,\"o\",\"\\u001b]52;c;eA==\\u0007\\u001b[2Jshown\"]\n";
    std::fs::write(&file, evil).unwrap();
    let shown = run(home.path(), &["replay", file.to_str().unwrap(), "--text"], &[]);
    assert!(shown.out.contains("shown") && !shown.out.contains('\u{1b}'), "{:?}", shown.out);
}
