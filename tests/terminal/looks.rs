//! Sizes, themes and NO_COLOR.

use crate::peers::pty::Terminal;
use crate::rig::{SOON, Setup, a_key_works, demo, leave, nobody, parkdeck};
use std::time::Duration;

/// The parameters of every SGR sequence that was written.
fn sgr_parameters(raw: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(raw);
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        (rest.as_bytes()[end] == b'm').then(|| rest[..end].to_owned())
    });
    sequences.collect()
}

/// Whether an SGR sequence sets a colour (39 and 49 set none).
fn is_colour(parameters: &str) -> bool {
    parameters.split(';').any(|p| {
        let p = p.split(':').next().and_then(|p| p.parse::<u16>().ok());
        p.is_some_and(|p| matches!(p, 30..=38 | 40..=48 | 90..=97 | 100..=107))
    })
}

fn colours(terminal: &Terminal) -> usize {
    sgr_parameters(&terminal.raw()).iter().filter(|p| is_colour(p)).count()
}

#[test]
fn no_color_gives_no_colour_and_everything_is_still_told() {
    let terminal = demo(3).environment("NO_COLOR", "1").start();
    terminal.wait_line(&["RINGING", "Jane Doe"], SOON);
    assert_eq!(colours(&terminal), 0);
    assert!(sgr_parameters(&terminal.raw()).iter().any(|p| p == "1" || p == "7"), "bold and reverse stay");
    leave(terminal);
    let terminal = demo(3).environment("NO_COLOR", "").start();
    terminal.wait_line(&["RINGING", "Jane Doe"], SOON);
    assert!(colours(&terminal) > 0, "an empty NO_COLOR is none (no-color.org)");
    leave(terminal);
}

#[test]
fn all_themes_start() {
    for (theme, more, coloured) in [
        ("dark", "[screen]\ntheme = \"dark\"", true),
        ("light", "[screen]\ntheme = \"light\"", true),
        ("high-contrast", "[screen]\ntheme = \"high-contrast\"", true),
        ("mono", "[screen]\ntheme = \"mono\"", false),
    ] {
        let terminal = Setup { more, ..Setup::towards(nobody()) }.start();
        terminal.wait_text("parked · lot “front”", SOON);
        assert_eq!(colours(&terminal) > 0, coloured, "{theme}");
        leave(terminal);
    }
}

#[test]
fn the_window_may_become_any_size_at_any_time() {
    let terminal = demo(4).start();
    terminal.wait_line(&["RINGING", "Jane Doe"], SOON);
    terminal.resize(20, 5);
    terminal.wait_text("make the window", SOON);
    terminal.keys("<enter>");
    terminal.wait_for("the call, even there", SOON, |screen| screen.contains("talking"));
    terminal.resize(200, 60);
    let line = terminal.wait_line(&["talking", "Jane Doe", "01614960100"], SOON);
    assert!(line.chars().count() > 190, "the board uses all the room: {line}");
    for (columns, rows) in [(1, 1), (79, 24), (80, 23), (300, 100), (80, 24), (2, 200), (500, 2), (80, 24)] {
        terminal.resize(columns, rows);
        std::thread::sleep(Duration::from_millis(50));
    }
    terminal.wait_line(&["talking", "Jane Doe"], SOON);
    a_key_works(&terminal);
    leave(terminal);
}

#[test]
fn with_sound_switched_off_nobody_waits_for_a_headset() {
    let terminal = Setup::towards(nobody()).start();
    let top = terminal.wait_line(&["parkdeck", "sound off"], SOON);
    assert!(!top.contains("headset"), "{top}");
    leave(terminal);
}

#[test]
fn the_wall_clock_and_the_greeting_are_there_for_a_newcomer() {
    let terminal = parkdeck(&["demo", "--silent", "--seed", "7"]).start();
    terminal.wait_for("the greeting, while it is needed", SOON, |screen| {
        screen.contains("(seed 7)") && screen.contains("reachable") && screen.contains("? shows every key")
    });
    leave(terminal);
}
