//! Text of callers on every way out of the program: the real renderer's bytes, line mode, the control socket's JSON, the
//! journal in SQLite as text, CSV and JSON, the clipboard. Whatever it is made of, it steers nothing.

use parkdeck::app::control::View;
use parkdeck::app::history::{self, Form, Wish};
use parkdeck::console::{self, Console, Keymap, LineConsole, Theme, key_events};
use parkdeck::desk::*;
use parkdeck::journal::Database;
use parkdeck::parking::{Identity, Lamp, SlotId, Strength, Text};
use proptest::prelude::*;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::time::Duration;

const NOW: Duration = Duration::from_secs(100);

/// Names, numbers and notes as nobody should have them.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[\\x00-\\x1f\\x7f\u{80}-\u{9f}]{1,3}",
        "\\x1b\\[[0-9;?]{0,6}[@-~]",
        "\\x1b\\](0|8|9|52|777);[ -~]{0,10}(\\x07|\\x1b\\\\)",
        "\\x1b[P_^X][ -~]{0,6}\\x1b\\\\",
        "[\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2060}-\u{2069}\u{ad}\u{feff}\u{61c}\u{34f}]{1,3}",
        "[\u{e000}\u{fff9}\u{e0041}\u{115f}\u{3164}\u{ffa0}]{1,2}",
        "(■|□|│|▶|═|█|⣿){1,3}",
        "(会議|👩‍👩‍👧‍👦|🇬🇧|e\u{301}\u{302}\u{303}|שלום|مرحبا|한){1,3}",
        "(=cmd\\||@SUM|\\+1|-2|\"|,|;|\\r\\n|\\t){1,3}",
        "\\{\"do\":\"hang_up\",\"call\":1\\}\\n",
        "\\PC{0,8}",
    ];
    proptest::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
}

/// What steers a terminal, reorders a line or hides in it.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}')
}

/// A desk on which somebody of that name rings, is talked to, and is parked, with that note and that remark.
fn desk(name: &str, number: &str, note: &str) -> Desk {
    let slots = ["701", "702"].map(|id| SlotId::new(id).unwrap()).to_vec();
    let abilities = Abilities { strength: Strength::Exact, directed_park: true, ..Abilities::default() };
    let mut desk = Desk::new("reception@pbx", "front", slots, abilities);
    desk.learn(NOW, Event::Registered);
    for slot in ["701", "702"] {
        let report = LampReport { lamp: Lamp::Free, ..LampReport::default() };
        desk.learn(NOW, Event::LampChanged { slot: SlotId::new(slot).unwrap(), report });
    }
    for nth in 0..3u64 {
        let call = desk.new_call_id();
        let arrival = CallArrival {
            call,
            party: Identity::new(name, &format!("{number}{nth}")),
            called: Text::new(name),
            comeback: None,
            referred_by_us: false,
            note: Text::new(note),
        };
        desk.learn(NOW, Event::CallArrived(arrival));
        desk.learn(NOW, Event::CallRemarked { call, remark: Text::new(note) });
        if nth == 0 {
            desk.obey(NOW, Command::Take(call));
            desk.learn(NOW, Event::CallAnswered { call });
            desk.obey(NOW, Command::NoteCall { call, text: note.to_owned() });
        }
    }
    let report = LampReport {
        lamp: Lamp::Parked,
        parkee: Some(Identity::new(name, number)),
        parker: Some(Identity::new(note, "")),
        note: Some(Text::new(note)),
        ..LampReport::default()
    };
    desk.learn(NOW, Event::LampChanged { slot: SlotId::new("702").unwrap(), report });
    desk.learn(NOW, Event::Told(Notice { at: NOW, severity: Severity::Error, text: Text::new(name) }));
    desk
}

/// The bytes that the terminal gets for this desk, at this size, after these keys.
fn bytes_of(desk: &Desk, keys: &str, columns: u16, rows: u16) -> (Vec<u8>, Option<String>) {
    let area = Rect::new(0, 0, columns, rows);
    let mut console = Console::new(Keymap::default());
    console.set_area(area);
    for key in key_events(keys).unwrap() {
        console.key(desk, key);
    }
    let copied = console.copy_request();
    let mut bytes = Vec::new();
    let options = TerminalOptions { viewport: Viewport::Fixed(area) };
    let mut terminal = Terminal::with_options(CrosstermBackend::new(&mut bytes), options).unwrap();
    let theme = Theme::named("dark").unwrap();
    terminal.draw(|frame| console::draw(frame, desk, &console, &theme)).unwrap();
    drop(terminal);
    (bytes, copied)
}

/// What is left of a picture's bytes without the orders that a picture is made of: colours, and where the cursor goes.
fn without_orders(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).expect("a picture is UTF-8");
    let mut left = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        left.push_str(&rest[..at]);
        let order = rest[at + 1..].strip_prefix('[').expect("nothing but CSI");
        let end = order.find(|c: char| ('@'..='~').contains(&c)).expect("it ends");
        let (parameters, last) = (&order[..end], &order[end..=end]);
        assert!(parameters.chars().all(|c| c.is_ascii_digit() || ";?:".contains(c)), "{parameters:?}");
        let cursor = matches!(last, "l" | "h") && parameters == "?25";
        assert!(cursor || matches!(last, "m" | "H"), "an order of a picture: {parameters}{last}");
        rest = &order[end + 1..];
    }
    left + rest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_screen_says_it_and_obeys_none_of_it(name in hostile(), number in hostile(), note in hostile()) {
        let desk = desk(&name, &number, &note);
        for (keys, columns, rows) in [("esc", 80, 24), ("t", 80, 24), ("n", 100, 30), ("tab down down g", 80, 24), ("J", 80, 24), ("esc", 40, 12)] {
            let (bytes, copied) = bytes_of(&desk, keys, columns, rows);
            let left = without_orders(&bytes);
            prop_assert_eq!(left.chars().find(|c| is_harmful(*c)), None, "{}", left.escape_debug());
            prop_assert_eq!(copied, None, "nothing reaches the clipboard by itself");
        }
        // By the operator's own key the sentence does, and it is one line of plain text.
        let (_, copied) = bytes_of(&desk, "c", 80, 24);
        let copied = copied.unwrap_or_default();
        prop_assert_eq!(copied.chars().find(|c| is_harmful(*c)), None, "{}", copied.escape_debug());
    }

    #[test]
    fn line_mode_writes_a_sentence_a_line(name in hostile(), number in hostile(), note in hostile(), typed in hostile()) {
        let desk = desk(&name, &number, &note);
        let mut line = LineConsole::new(Console::new(Keymap::default()));
        line.hear(&Desk::new("reception@pbx", "front", vec![], Abilities::default()));
        let mut said = line.hear(&desk);
        for typed in ["who", "journal", "accounts", "report", "copy", "tell", "again", "transfer", typed.as_str(), "", typed.as_str(), ""] {
            said.extend(line.enter(&desk, typed, |_| Vec::new()).said);
        }
        for text in said {
            prop_assert_eq!(text.chars().find(|c| is_harmful(*c)), None, "{}", text.escape_debug());
        }
    }

    #[test]
    fn the_control_socket_writes_one_line_of_json(name in hostile(), number in hostile(), note in hostile()) {
        let line = serde_json::to_string(&View::of(&desk(&name, &number, &note))).unwrap();
        prop_assert_eq!(line.chars().find(|c| is_harmful(*c)), None, "{}", line.escape_debug());
        prop_assert!(serde_json::from_str::<View>(&line).is_ok());
    }
}

/// A record with that text in every place that has room for it.
fn record(id: u64, name: &str, number: &str, note: &str) -> CallRecord {
    CallRecord {
        id,
        account: Text::new(name),
        way: CallWay::In,
        party: Identity::new(name, number),
        known: Text::new(name),
        called: Text::new(number),
        slot: None,
        note: Text::new(note),
        began_ms: 1_000 + id,
        answered_ms: None,
        ended_ms: Some(2_000 + id),
        held_ms: 0,
        outcome: Outcome::Missed,
        detail: Text::new(note),
        quality: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_journal_gives_a_line_a_row_and_an_object_for_each_call(
        texts in proptest::collection::vec((hostile(), hostile(), hostile()), 1..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.sqlite");
        let mut database = Database::open(&file, 0, 0).unwrap().database;
        let records = texts.iter().zip(1..).map(|((name, number, note), id)| Entry::Call(record(id, name, number, note)));
        let records: Vec<Entry> = records.collect();
        database.write(&records).unwrap();
        drop(database);
        let printed = |form| {
            let mut out = Vec::new();
            let wish = Wish { since: Some("1970-01-01".into()), form, ..Wish::default() };
            history::journal(&file, &wish, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        for form in [Form::Text, Form::Json, Form::Csv] {
            let text = printed(form);
            let harmful = text.chars().find(|c| is_harmful(*c) && *c != '\n');
            prop_assert_eq!(harmful, None, "{:?}", text.escape_debug());
        }
        for line in printed(Form::Json).lines() {
            prop_assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{}", line);
        }
        let csv = printed(Form::Csv);
        let mut rows = csv::Reader::from_reader(csv.as_bytes());
        let mut count = 0;
        for row in rows.records() {
            count += 1;
            for field in &row.unwrap() {
                // A spreadsheet carries out what begins so; a number of a telephone may.
                let formula = field.starts_with(['=', '@', '-', '+']) && !field.chars().all(|c| c.is_ascii_digit() || c == '+');
                prop_assert!(!formula, "{}", field);
            }
        }
        prop_assert_eq!(count, texts.len());
    }
}
