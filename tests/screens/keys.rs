//! Keys and clicks become the desk's commands; at the wrong moment they become a hint, and never another caller's harm.

use crate::desks::*;
use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use parkdeck::console::{Console, Keymap, KeymapProblem, command_table, key_events, next_change};
use parkdeck::desk::*;
use parkdeck::parking::Identity;
use ratatui::layout::Rect;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a fresh console makes of these keys on a copy of this desk.
fn said(desk: &Desk, keys: &str) -> Vec<Command> {
    type_keys(&mut console(), &mut desk.clone(), keys)
}

fn press(id: &str) -> Vec<Command> {
    vec![Command::PressSlot(key(id))]
}

#[test]
fn single_keys_say_what_they_mean() {
    let desk = busy();
    for (keys, command) in [
        ("enter", Command::Answer),
        ("x", Command::HangUp),
        ("h", Command::Hold),
        ("m", Command::Mute),
        ("p", Command::Park { slot: None }),
        ("r", Command::RetrieveLongest),
        ("u", Command::Undo),
        ("down", Command::Choose { forward: true }),
        ("j", Command::Choose { forward: true }),
        ("up", Command::Choose { forward: false }),
        ("k", Command::Choose { forward: false }),
    ] {
        assert_eq!(said(&desk, keys), vec![command], "{keys}");
    }
    for (keys, slot) in [("1", "701"), ("9", "709"), ("0", "710")] {
        assert_eq!(said(&desk, keys), press(slot), "{keys}");
    }
}

#[test]
fn with_several_lots_a_key_chooses_one_and_the_cursor_goes_before_it() {
    let desk = several_lots();
    let lot = |lot| LotKey { line: LineId(0), lot: LotId(lot) };
    assert_eq!(said(&desk, "L"), [Command::ChooseLot(None)]);
    assert_eq!(said(&desk, "p"), [Command::Park { slot: None }], "in the chosen one");
    assert_eq!(said(&desk, "tab p"), [Command::ParkIn(lot(0))]);
    let to_workshop = format!("tab{}", " down".repeat(10));
    assert_eq!(said(&desk, &format!("{to_workshop} p")), [Command::ParkIn(lot(2))]);
    assert_eq!(said(&desk, &format!("{to_workshop} r")), [Command::RetrieveLongestIn(lot(2))]);
    assert_eq!(said(&desk, "r"), [Command::RetrieveLongest]);
    assert_eq!(
        said(&busy(), "tab p"),
        [Command::Park { slot: None }],
        "with one lot there is nothing to tell apart"
    );
}

#[test]
fn a_ringing_call_that_was_chosen_is_the_one_answered() {
    let mut desk = busy();
    desk.in_hand = Some(desk.calls[2].id);
    assert_eq!(said(&desk, "enter"), vec![Command::Take(desk.calls[2].id)]);
}

#[test]
fn a_typed_slot_is_parked_on_or_pressed() {
    let mut desk = busy();
    assert_eq!(said(&desk, "P 7 0 2 enter"), vec![Command::Park { slot: Some(key("702")) }]);
    desk.in_hand = None;
    assert_eq!(said(&desk, "P 7 1 2 enter"), press("712"));
    assert_eq!(said(&desk, "P enter"), vec![], "nothing typed, nothing said");
    assert_eq!(said(&desk, "P 7 0 2 esc enter"), vec![Command::Answer], "esc takes it back");
}

#[test]
fn numbers_are_dialled_as_people_write_them() {
    let desk = board(2);
    let dial = |to: &str| vec![Command::Dial(to.into())];
    assert_eq!(said(&desk, "d 2 0 4 enter"), dial("204"));
    assert_eq!(said(&desk, "d + 4 4 space ( 2 0 ) - 7 enter"), dial("+44207"));
    assert_eq!(said(&desk, "d s a m @ b space enter"), dial("sam@b"));
    assert_eq!(said(&desk, "d 1 2 backspace 3 home 9 enter"), dial("913"));
    assert_eq!(said(&desk, "d enter"), vec![]);
}

#[test]
fn a_transfer_goes_with_the_call_it_was_opened_for_and_with_no_other() {
    let mut desk = busy();
    assert_eq!(said(&desk, "t 2 0 4 enter"), vec![Command::Transfer { to: "204".into() }]);
    let mut console = console();
    type_keys(&mut console, &mut desk, "t 2 0 4");
    desk.in_hand = Some(desk.calls[3].id);
    assert_eq!(type_keys(&mut console, &mut desk, "enter"), vec![]);
    assert!(screen(&desk, &console, &dark(), 80, 24).contains("nothing was sent"));
    desk.in_hand = None;
    assert_eq!(said(&desk, "t 2 0 4 enter"), vec![], "without a call the digits are no slot keys either");
}

#[test]
fn digits_go_into_the_call_from_the_keypad_only() {
    let desk = busy();
    let digits = |all: &str| all.chars().map(Command::SendDigit).collect::<Vec<_>>();
    assert_eq!(said(&desk, "# 1 * # a esc"), digits("1*#A"));
    assert_eq!(said(&desk, "# z enter 1"), press("701"), "enter closes it, then 1 is a slot again");
    assert_eq!(said(&board(2), "# 1"), vec![], "without a call the digits are no slot keys");
}

#[test]
fn a_note_follows_its_caller_and_nobody_else() {
    let mut desk = busy();
    let (hand, party) = (desk.calls[0].id, desk.calls[0].party.clone());
    let note = |text: &str| vec![Command::NoteCall { call: hand, text: text.into() }];
    assert_eq!(said(&desk, "n ctrl-u h i enter"), note("hi"));
    assert_eq!(said(&desk, "n ! enter"), note("wants the March invoice!"));
    let mut typing = console();
    type_keys(&mut typing, &mut desk, "n ctrl-u h i");
    // He is parked while it is typed.
    desk.calls.remove(0);
    desk.in_hand = None;
    park(&mut desk, 6, 0, party.name.as_str(), party.number.as_str());
    let follows = vec![Command::NoteSlot { slot: key("707"), text: "hi".into() }];
    assert_eq!(type_keys(&mut typing.clone(), &mut desk, "enter"), follows);
    // He is gone.
    desk.slots[6].parked = None;
    assert_eq!(type_keys(&mut typing, &mut desk, "enter"), vec![]);
    assert!(screen(&desk, &typing, &dark(), 80, 24).contains("has ended"));
}

#[test]
fn without_a_call_the_note_is_for_the_chosen_or_longest_parked() {
    let mut desk = busy();
    desk.in_hand = None;
    let note = |slot| vec![Command::NoteSlot { slot: key(slot), text: "hi".into() }];
    assert_eq!(said(&desk, "n h i enter"), note("704"));
    assert_eq!(said(&desk, "tab n ctrl-u h i enter"), note("701"));
    let mut console = console();
    type_keys(&mut console, &mut desk, "n h i");
    desk.slots[3].parked.as_mut().unwrap().parkee = Identity::new("Somebody Else", "1");
    assert_eq!(type_keys(&mut console, &mut desk, "enter"), vec![], "another one is there now");
    assert_eq!(said(&board(2), "n h q enter"), vec![], "with nobody there the letters are no commands");
}

#[test]
fn the_arrow_keys_reach_every_slot_and_enter_presses_the_chosen_one() {
    let mut desk = board(60);
    assert_eq!(said(&desk, "tab enter"), press("701"));
    assert_eq!(said(&desk, "tab down down up enter"), press("702"));
    assert_eq!(said(&desk, "right right enter"), press("719"), "to the second column");
    let far = format!("tab {}enter", "down ".repeat(59));
    assert_eq!(said(&desk, &far), press("760"));
    assert_eq!(
        said(&desk, "tab left enter"),
        vec![Command::Answer],
        "left of the first column are the calls"
    );
    assert_eq!(said(&desk, "tab enter enter"), [press("701"), vec![Command::Answer]].concat());
    let mut console = console();
    type_keys(&mut console, &mut desk, "tab");
    desk.now += s(20);
    assert_eq!(
        type_keys(&mut console, &mut desk, "enter"),
        vec![Command::Answer],
        "left alone, enter answers again"
    );
}

#[test]
fn leaving_asks_only_while_a_caller_would_suffer() {
    assert_eq!(said(&board(2), "q"), vec![Command::Quit]);
    assert_eq!(said(&board(2), "ctrl-c"), vec![Command::Quit]);
    let desk = busy();
    assert_eq!(said(&desk, "q"), vec![]);
    assert_eq!(said(&desk, "q esc enter"), vec![Command::Answer]);
    assert_eq!(said(&desk, "q p p"), vec![Command::Park { slot: None }], "any other key only stays");
    assert_eq!(said(&desk, "d ctrl-c enter"), vec![Command::Answer], "ctrl-c closes a prompt first");
    let mut leaving = busy();
    let mut effects = Vec::new();
    for command in said(&desk, "q ctrl-c") {
        let now = leaving.now;
        effects = leaving.obey(now, command);
    }
    assert!(effects.contains(&Effect::Leave), "the desk understands it as meant");
}

#[test]
fn a_key_held_down_or_pressed_twice_never_acts_on_the_next_caller() {
    let mut desk = busy();
    let repeat = |code| KeyEvent::new_with_kind(code, KeyModifiers::NONE, KeyEventKind::Repeat);
    for (code, name) in [(KeyCode::Enter, "enter"), (KeyCode::Char('x'), "x"), (KeyCode::Char('h'), "h")] {
        let mut console = console();
        type_keys(&mut console, &mut desk, name);
        assert_eq!(console.key(&desk, repeat(code)), vec![], "{name} held down");
    }
    for keys in ["enter", "x", "p", "r", "u", "1", "h", "m"] {
        let mut console = console();
        let key = key_events(keys).unwrap()[0];
        assert_eq!(console.key(&desk, key).len(), 1);
        for _ in 0..40 {
            desk.now += Duration::from_millis(30);
            assert_eq!(console.key(&desk, key), vec![], "{keys}, as terminals tell a key held down");
        }
        desk.now += s(1);
        assert_eq!(console.key(&desk, key).len(), 1, "{keys} a second later is meant");
    }
    let mut console = console();
    type_keys(&mut console, &mut desk, "d 2 0 4");
    let enter = key_events("enter").unwrap()[0];
    assert_eq!(console.key(&desk, enter).len(), 1);
    assert_eq!(console.key(&desk, enter), vec![], "the enter that dialled doesn't answer too");
    let q = key_events("q").unwrap()[0];
    assert_eq!((console.key(&desk, q), console.key(&desk, q)), (vec![], vec![]), "q held down doesn't leave");
    let moved = console.key(&board(12), repeat(KeyCode::Esc));
    assert_eq!(moved, vec![]);
    let released = KeyEvent::new_with_kind(KeyCode::Char('p'), KeyModifiers::NONE, KeyEventKind::Release);
    assert_eq!(console.key(&desk, released), vec![]);
}

#[test]
fn a_key_without_meaning_says_where_help_is() {
    let mut desk = board(2);
    let mut console = console();
    assert_eq!(type_keys(&mut console, &mut desk, "z"), vec![]);
    assert!(screen(&desk, &console, &dark(), 80, 24).contains("“z” does nothing here · ? shows all keys"));
    assert_eq!(type_keys(&mut console, &mut desk, "9"), vec![]);
    assert!(screen(&desk, &console, &dark(), 80, 24).contains("there is no slot number 9"));
    desk.now += s(10);
    assert!(!screen(&desk, &console, &dark(), 80, 24).contains("there is no slot"), "hints fade");
}

#[test]
fn pasted_text_is_scrubbed_and_bounded() {
    let desk = board(2);
    let mut console = console();
    type_keys(&mut console, &mut desk.clone(), "d");
    console.paste(&desk, "\u{1b}]52;c;evil\u{7}\r\n +44 (20) 7946\u{202e} 0018");
    let mut later = desk.clone();
    later.now += s(5);
    let said = type_keys(&mut console, &mut later, "enter");
    assert_eq!(said, vec![Command::Dial("]52;c;evil +44 (20) 7946 0018".into())]);
    type_keys(&mut console, &mut later, "d");
    console.paste(&desk, &"9".repeat(100_000));
    console.paste(&desk, "9");
    assert_eq!(type_keys(&mut console, &mut later, "enter"), vec![Command::Dial("9".repeat(64))]);
    console.paste(&desk, "nowhere to go");
}

#[test]
fn what_is_copied_tells_which_slot_to_dial() {
    let mut desk = busy();
    let mut console = console();
    type_keys(&mut console, &mut desk, "tab c");
    let text = "Tom Okafor waits on 701 for Sam, bay 3 · dial 701 (sip:701@pbx)";
    assert_eq!(console.copy_request().as_deref(), Some(text));
    assert_eq!(console.copy_request(), None);
    type_keys(&mut console, &mut board(2), "c");
    assert_eq!(console.copy_request(), None);
}

#[test]
fn the_palette_does_what_is_found() {
    let desk = busy();
    assert_eq!(said(&desk, ": m u t e enter"), vec![Command::Mute]);
    assert_eq!(said(&desk, ": d i a l enter 2 0 4 enter"), vec![Command::Dial("204".into())]);
    assert_eq!(said(&desk, ": p a r k enter"), vec![Command::Park { slot: None }]);
    assert_eq!(said(&desk, ": z z z enter"), vec![]);
    let row = command_table().iter().position(|r| r.name == "hold").unwrap();
    assert_eq!(said(&desk, &format!(": {}enter", "down ".repeat(row))), vec![Command::Hold]);
}

/// Clicks on the first place where this text shows.
fn click(console: &mut Console, desk: &Desk, text: &str) -> Vec<Command> {
    let shown = screen(desk, console, &dark(), 80, 24);
    let (row, line) =
        shown.lines().enumerate().find(|(_, l)| l.contains(text)).unwrap_or_else(|| panic!("{text}"));
    let column = line[..line.find(text).unwrap()].chars().count();
    let event = MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: u16::try_from(column).unwrap(),
        row: u16::try_from(row).unwrap(),
        modifiers: KeyModifiers::NONE,
    };
    console.mouse(desk, event, Rect::new(0, 0, 80, 24))
}

#[test]
fn everything_that_shows_is_clickable() {
    let desk = busy();
    let clicked = |text: &str| click(&mut console(), &desk, text);
    assert_eq!(clicked("Jane Doe"), vec![Command::Take(desk.calls[1].id)]);
    assert_eq!(clicked("Front desk"), vec![Command::Take(desk.calls[1].id)]);
    assert_eq!(clicked("711"), press("711"));
    assert_eq!(clicked("p park"), vec![Command::Park { slot: None }]);
    assert_eq!(clicked("answer next"), vec![Command::Answer]);
    assert_eq!(clicked("mic"), vec![Command::Mute]);
    assert_eq!(clicked("lamps"), vec![]);
    assert_eq!(click(&mut console(), &just_parked(), "PARKED ON"), vec![Command::Undo]);
    let mut console = console();
    assert_eq!(click(&mut console, &desk, "? help"), vec![]);
    assert!(screen(&desk, &console, &dark(), 80, 24).contains("all keys"));
    assert_eq!(click(&mut console, &desk, "esc close"), vec![]);
    assert!(!screen(&desk, &console, &dark(), 80, 24).contains("all keys"));
}

#[test]
fn a_double_click_acts_once_and_a_click_beside_a_window_only_closes_it() {
    let mut desk = busy();
    let mut console = console();
    assert_eq!(click(&mut console, &desk, "Jane Doe").len(), 1);
    assert_eq!(click(&mut console, &desk, "Jane Doe").len(), 0);
    desk.now += s(1);
    type_keys(&mut console, &mut desk, "d");
    assert_eq!(click(&mut console, &desk, "Jane Doe"), vec![]);
    assert_eq!(type_keys(&mut console, &mut desk, "m"), vec![Command::Mute], "the prompt is closed");
    type_keys(&mut console, &mut desk, ":");
    assert_eq!(click(&mut console, &desk, "hold "), vec![Command::Hold], "a line of the palette does it");
}

#[test]
fn keys_can_be_bound_anew() {
    let keys = |pairs: &[(&str, &[&str])]| -> BTreeMap<String, Vec<String>> {
        let owned = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect();
        pairs.iter().map(|(name, keys)| ((*name).to_owned(), owned(keys))).collect()
    };
    let keymap =
        Keymap::with_overrides(&keys(&[("park", &["f5", "ctrl-p"]), ("hold", &["p"]), ("undo", &[])]))
            .unwrap();
    let mut console = Console::new(keymap);
    let mut desk = busy();
    let said = type_keys(&mut console, &mut desk, "f5 ctrl-p p u h");
    assert_eq!(said, [Command::Park { slot: None }, Command::Park { slot: None }, Command::Hold]);
    let footer = screen(&desk, &console, &dark(), 80, 24).lines().last().unwrap().to_owned();
    assert!(footer.contains("f5 park · p hold"), "{footer}");
    let wrong = Keymap::with_overrides(&keys(&[
        ("parc", &["f5"]),
        ("mute", &["entr"]),
        ("hold", &["x"]),
        ("undo", &["a", "b", "c", "d", "e", "f", "g", "i", "o"]),
    ]))
    .unwrap_err();
    let told: Vec<String> = wrong.iter().map(KeymapProblem::to_string).collect();
    assert_eq!(
        told,
        [
            "“entr” for mute is not a key: did you mean “enter”?",
            "there is no command “parc”: did you mean “park”?",
            "undo has more than 8 keys",
            "the key “x” would mean both hang-up and hold: give one of them another key",
        ]
    );
    assert_eq!(Keymap::with_overrides(&BTreeMap::new()).unwrap(), Keymap::default());
    let out = Keymap::with_overrides(&keys(&[("quit", &["f10"])])).unwrap();
    assert_eq!(
        type_keys(&mut Console::new(out), &mut board(1), "ctrl-c"),
        [Command::Quit],
        "there is a way out"
    );
}

#[test]
fn the_picture_is_true_until_the_next_second_and_all_timers_change_together() {
    let mut desk = busy();
    desk.now = Duration::from_millis(50_000_250);
    desk.calls[0].since = Duration::from_millis(49_999_900);
    assert_eq!(next_change(&desk), Duration::from_millis(750));
    let before = screen(&desk, &console(), &dark(), 80, 24);
    desk.now += next_change(&desk) - Duration::from_millis(1);
    assert_eq!(screen(&desk, &console(), &dark(), 80, 24), before);
    desk.now += Duration::from_millis(1);
    assert_ne!(screen(&desk, &console(), &dark(), 80, 24), before);
    assert_eq!(next_change(&desk), s(1));
}
