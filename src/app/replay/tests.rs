//! Recordings, good and hostile: what is written is shown again, and nothing of a file reaches the terminal as it is.

use super::film::{Film, FilmError};
use super::project::Projector;
use super::record::Recording;
use crate::console::{Console, Keymap, Theme};
use crate::desk::{Abilities, CallArrival, Desk, Event};
use crate::parking::{Identity, SlotId, Text};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Duration;

fn read(text: &str) -> Result<Film, FilmError> {
    Film::read(text.as_bytes())
}

fn wrong(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

const HEAD: &str = "{\"version\":2,\"width\":20,\"height\":3}\n";

#[test]
fn a_session_is_recorded_for_its_owner_and_shown_again_and_its_people_can_be_hidden() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("made/session.cast");
    let slots = vec![SlotId::new("701").unwrap()];
    let mut desk = Desk::new("reception@pbx", "front", slots, Abilities::default());
    let console = Console::new(Keymap::default());
    let theme = Theme::named("dark").unwrap();
    let area = Rect::new(0, 0, 80, 24);
    let begun = Recording::create(&file).unwrap();
    let mut recorder = begun.begin(Duration::from_secs(5), area, 0).unwrap();
    desk.learn(Duration::from_secs(5), Event::Ticked);
    recorder.picture(area, &desk, &console, &theme).unwrap();
    let call = desk.new_call_id();
    desk.learn(
        Duration::from_secs(7),
        Event::CallArrived(CallArrival {
            call,
            party: Identity::new("Jane Doe", "01614960100"),
            called: "100".into(),
            comeback: None,
            referred_by_us: false,
            note: Text::default(),
        }),
    );
    recorder.picture(area, &desk, &console, &theme).unwrap();
    let wide = Rect::new(0, 0, 100, 30);
    recorder.picture(wide, &desk, &console, &theme).unwrap();
    drop(recorder);
    let film = loop {
        // Its thread writes what waits.
        match Film::open(&file) {
            Ok(film) if film.events.len() >= 5 => break film,
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(film.length(), Duration::from_secs(2));
    let mut shown = Projector::new(film.clone(), false);
    shown.seek(Duration::from_secs(1));
    assert!(shown.lines().iter().any(|line| line.contains("parked · lot “front”")), "{:#?}", shown.lines());
    assert!(!shown.lines().concat().contains("Jane"));
    shown.seek(Duration::from_secs(2));
    assert_eq!(shown.size(), (100, 30));
    assert!(shown.lines().iter().any(|line| line.contains("RINGING") && line.contains("Jane Doe")));
    let mut hidden = Projector::new(film, true);
    hidden.seek(Duration::from_secs(2));
    let all = hidden.lines().concat();
    assert!(!all.contains("Jane") && !all.contains("0161496") && all.contains("RINGING"), "{all}");
}

#[test]
fn time_goes_both_ways_and_never_back_by_itself() {
    let film =
        read(&format!("{HEAD}[1.0,\"o\",\"a\"]\n[0.5,\"o\",\"b\"]\n\n[2,\"o\",\"\\u001b[2Jc\"]\n")).unwrap();
    let mut shown = Projector::new(film, false);
    assert_eq!(shown.step(true), Duration::from_secs(1));
    assert_eq!((shown.lines()[0].as_str(), shown.step(true)), ("a", Duration::from_secs(1)));
    assert_eq!(shown.lines()[0], "ab");
    shown.step(true);
    assert_eq!((shown.lines()[0].as_str(), shown.next()), ("  c", None));
    shown.step(false);
    assert_eq!(shown.lines()[0], "ab");
    shown.seek(Duration::ZERO);
    assert_eq!(shown.lines()[0], "");
}

#[test]
fn what_is_no_recording_is_refused_with_its_line() {
    assert_eq!(wrong(""), "line 1: there is nothing in it");
    assert!(wrong("\u{1b}[2J\n").starts_with("line 1: this is no asciicast"));
    assert!(!wrong("{\"version\":\"\u{1b}[2J\"}").contains('\u{1b}'));
    assert_eq!(
        wrong("{\"version\":1,\"width\":80,\"height\":24}"),
        "line 1: asciicast version 1; version 2 is known here"
    );
    for size in ["\"width\":0,\"height\":24", "\"width\":80,\"height\":65535", "\"width\":501,\"height\":24"]
    {
        assert!(wrong(&format!("{{\"version\":2,{size}}}")).contains("can be shown"), "{size}");
    }
    for line in [
        "[]",
        "[1e999,\"o\",\"x\"]",
        "[-1,\"o\",\"x\"]",
        "{}",
        "[1,\"r\",\"0x0\"]",
        "[1,\"r\",\"x\"]",
        "[1,\"o\"",
    ] {
        assert!(wrong(&format!("{HEAD}{line}\n")).starts_with("line 2: "), "{line}");
    }
    assert!(
        read(&format!("{HEAD}[1,\"i\",\"x\"]\n[1,\"m\",\"\"]\n[1,\"future\",{{}}]\n"))
            .unwrap()
            .events
            .is_empty()
    );
    let long = format!("{HEAD}[1,\"o\",\"{}\"]\n", "x".repeat(5 << 20));
    assert!(wrong(&long).contains("longer than 4 MiB"));
    let latin = [HEAD.as_bytes(), b"[1,\"o\",\"\xff\"]\n"].concat();
    assert_eq!(Film::read(latin.as_slice()).unwrap_err().to_string(), "line 2: it is no UTF-8");
}

/// Output as it may stand in a hostile file: escapes of all kinds, sizes, bidi, zero width, wide characters.
fn output() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[\\x00-\\x1f]{0,3}",
        "\\x1b\\[[0-9;?]{0,8}[@-~]",
        "\\x1b\\][0-9]{1,3};[ -~]{0,8}(\\x07|\\x1b\\\\)",
        "[\u{200b}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{ad}\u{feff}]{1,3}",
        "(会|👩|e\u{301}|שלום|■|│){1,4}",
        "\\PC{0,6}",
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_hostile_is_drawn_and_nothing_panics(
        outputs in proptest::collection::vec((output(), 2u16..60, 1u16..20), 1..8),
        mask in any::<bool>(),
    ) {
        let mut text = HEAD.to_owned();
        for (output, columns, rows) in &outputs {
            text.push_str(&format!("{}\n", serde_json::json!([0.1, "o", output])));
            text.push_str(&format!("{}\n", serde_json::json!([0.1, "r", format!("{columns}x{rows}")])));
        }
        text.push_str("[0.1,\"parkdeck-people\",[\"Jane\"]]\n");
        let mut shown = Projector::new(read(&text).unwrap(), mask);
        while shown.next().is_some() {
            shown.step(true);
            let area = Rect::new(0, 0, 40, 12);
            let mut buffer = Buffer::empty(area);
            shown.draw(&mut buffer, area);
            for cell in buffer.content() {
                let bad = |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{ad}' | '\u{feff}');
                prop_assert!(!cell.symbol().contains(bad), "{:?}", cell.symbol());
            }
        }
    }
}
