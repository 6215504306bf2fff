//! Line mode by what is typed and read: desks in, sentences out.

use super::{Answered, LineConsole};
use crate::console::{Console, Keymap};
use crate::desk::{Abilities, CallArrival, CallId, Command, Desk, Event, LampReport, Wish};
use crate::parking::{Identity, Lamp, Moment, SlotId, Strength, Text};
use std::time::Duration;

const START: Moment = Duration::from_secs(100);

/// A desk whose slots are free and whose people are Sam and Samantha, and line mode that has heard of all that.
fn office() -> (Desk, LineConsole) {
    let slots = ["701", "702", "703"].map(|id| SlotId::new(id).unwrap()).to_vec();
    let abilities = Abilities { directed_park: true, strength: Strength::Exact, ..Abilities::default() };
    let mut desk = Desk::new("reception@pbx", "front", slots, abilities);
    desk.people = vec![Identity::new("Sam Hill", "101"), Identity::new("Samantha Ray", "102")];
    let mut line = LineConsole::new(Console::new(Keymap::default()));
    line.hear(&desk);
    desk.learn(START, Event::Registered);
    desk.learn(START, Event::Reached { round_trip_ms: 3 });
    for slot in ["701", "702", "703"] {
        let report = LampReport { lamp: Lamp::Free, ..LampReport::default() };
        desk.learn(START, Event::LampChanged { slot: SlotId::new(slot).unwrap(), report });
    }
    (desk, line)
}

fn ring(desk: &mut Desk, now: Moment, name: &str, number: &str) -> CallId {
    let call = desk.new_call_id();
    desk.learn(
        now,
        Event::CallArrived(CallArrival {
            call,
            party: Identity::new(name, number),
            called: "100".into(),
            comeback: None,
            referred_by_us: false,
            note: Text::default(),
        }),
    );
    call
}

fn say(line: &mut LineConsole, desk: &Desk, typed: &str) -> Answered {
    line.enter(desk, typed, |_| Vec::new())
}

/// Types a line and has the desk obey what comes of it; what was said at once.
fn type_in(desk: &mut Desk, line: &mut LineConsole, typed: &str) -> Vec<String> {
    let Answered { said, commands } = say(line, desk, typed);
    let now = desk.now;
    for command in commands {
        desk.obey(now, command);
    }
    said
}

fn tick(desk: &mut Desk, line: &mut LineConsole, seconds: u64) -> Vec<String> {
    let now = desk.now + Duration::from_secs(seconds);
    desk.learn(now, Event::Ticked);
    line.hear(desk)
}

/// The desk with Jane talked to.
fn talking() -> (Desk, LineConsole, CallId) {
    let (mut desk, mut line) = office();
    let jane = ring(&mut desk, START, "Jane Doe", "01614960100");
    line.hear(&desk);
    type_in(&mut desk, &mut line, "");
    desk.learn(START, Event::CallAnswered { call: jane });
    (desk, line, jane)
}

#[test]
fn a_session_begins_with_what_there_is_and_lamps_come_in_one_sentence() {
    let (mut desk, mut line) = office();
    assert_eq!(line.hear(&desk), ["Reception@pbx is registered."]);
    assert_eq!(tick(&mut desk, &mut line, 1), ["Three slots are free: 701, 702 and 703."]);
    assert_eq!(tick(&mut desk, &mut line, 60), Vec::<String>::new(), "a board at rest is silent");
}

#[test]
fn a_call_rings_is_told_again_rarely_and_is_answered_by_an_empty_line() {
    let (mut desk, mut line) = office();
    tick(&mut desk, &mut line, 1);
    tick(&mut desk, &mut line, 1);
    let now = desk.now;
    let jane = ring(&mut desk, now, "Jane Doe", "01614960100");
    assert_eq!(line.hear(&desk), ["Call 1 rings: Jane Doe, 01614960100."]);
    let said: Vec<String> = (0..90).flat_map(|_| tick(&mut desk, &mut line, 1)).collect();
    assert_eq!(
        said,
        [
            "Jane Doe still rings, after fifteen seconds.",
            "Jane Doe still rings, after thirty seconds.",
            "Jane Doe still rings, after one minute.",
            "Jane Doe still rings, after one minute and thirty seconds.",
        ]
    );
    ring(&mut desk, now, "Bob Roe", "0200");
    line.hear(&desk);
    let said: Vec<String> = (0..30).flat_map(|_| tick(&mut desk, &mut line, 1)).collect();
    assert_eq!(said, ["Two calls ring. Jane Doe has waited longest, two minutes."]);
    type_in(&mut desk, &mut line, "");
    let now = desk.now;
    desk.learn(now, Event::CallAnswered { call: jane });
    assert_eq!(line.hear(&desk), ["Talking to Jane Doe."]);
    assert_eq!(desk.in_hand, Some(jane));
}

#[test]
fn a_note_a_park_and_undo_are_one_line_each() {
    let (mut desk, mut line, jane) = talking();
    line.hear(&desk);
    type_in(&mut desk, &mut line, "note for Sam, bay 3");
    assert_eq!(line.hear(&desk), ["Note of Jane Doe: for Sam, bay 3."]);
    type_in(&mut desk, &mut line, "park 702");
    assert_eq!(line.hear(&desk), ["Parking Jane Doe on 702."]);
    let now = desk.now;
    let report = LampReport { lamp: Lamp::Parked, ..LampReport::default() };
    desk.learn(now, Event::LampChanged { slot: SlotId::new("702").unwrap(), report });
    desk.learn(now, Event::ParkProven { call: jane, slot: SlotId::new("702") });
    assert_eq!(line.hear(&desk), ["Jane Doe is parked on 702. u takes it back."]);
    let said = say(&mut line, &desk, "who").said;
    assert!(
        said.contains(
            &"702: Jane Doe, parked for less than a second, note: for Sam, bay 3, exact.".to_owned()
        ),
        "{said:?}"
    );
    assert!(
        said.contains(&"No calls.".to_owned())
            && said.contains(&"Two slots are free: 701 and 703.".to_owned()),
        "{said:?}"
    );
    assert_eq!(say(&mut line, &desk, "u").commands, [Command::Undo]);
    assert!(
        matches!(&say(&mut line, &desk, "702").commands[..], [Command::PressSlot(slot)] if slot.id.as_str() == "702")
    );
}

#[test]
fn a_name_that_several_people_have_is_asked_back_and_chosen_by_its_number() {
    let (mut desk, mut line, _) = talking();
    line.hear(&desk);
    let said = type_in(&mut desk, &mut line, "transfer sam");
    assert_eq!(
        said,
        [
            "Transfer Jane Doe: Sam Hill, ext 101? yes does it.",
            "Type which: 1: Sam Hill, ext 101 or 2: Samantha Ray, ext 102.",
            "An empty line leaves it.",
        ]
    );
    let answered = say(&mut line, &desk, "2");
    assert_eq!(answered.commands, [Command::Transfer { to: "102".into() }]);
    assert_eq!(answered.said, ["To Samantha Ray, ext 102."]);
    assert_eq!(say(&mut line, &desk, "t sam hill").commands, [Command::Transfer { to: "101".into() }]);
    assert_eq!(
        say(&mut line, &desk, "transfer 0161 555").commands,
        [Command::Transfer { to: "0161555".into() }]
    );
    assert_eq!(say(&mut line, &desk, "ask sam hill").commands, [Command::Consult { to: "101".into() }]);
    type_in(&mut desk, &mut line, "transfer sam");
    assert_eq!(
        say(&mut line, &desk, ""),
        Answered { said: vec!["Left as it was.".into()], commands: vec![] }
    );
}

#[test]
fn a_question_is_about_the_caller_it_was_put_for() {
    let (mut desk, mut line, jane) = talking();
    type_in(&mut desk, &mut line, "transfer");
    let now = desk.now;
    desk.learn(now, Event::CallEnded { call: jane, reason: Text::default(), by_them: true });
    ring(&mut desk, now, "Bob Roe", "0200");
    type_in(&mut desk, &mut line, "");
    type_in(&mut desk, &mut line, "");
    type_in(&mut desk, &mut line, "transfer");
    let answered = say(&mut line, &desk, "101");
    assert!(!answered.commands.iter().any(|c| matches!(c, Command::Transfer { .. })), "{answered:?}");
}

#[test]
fn a_call_is_named_by_its_number_and_the_hand_is_left_alone() {
    let (mut desk, mut line, jane) = talking();
    let now = desk.now;
    let bob = ring(&mut desk, now, "Bob Roe", "0200");
    let wish = Wish::HangUp;
    assert_eq!(
        say(&mut line, &desk, &format!("hang-up {}", bob.0)).commands,
        [Command::For { call: bob, wish }]
    );
    assert_eq!(say(&mut line, &desk, &format!("answer {}", bob.0)).commands, [Command::Take(bob)]);
    assert_eq!(say(&mut line, &desk, "hold 99").said, ["There is no call 99."]);
    assert_eq!(desk.in_hand, Some(jane));
}

#[test]
fn leaving_with_a_caller_is_asked_first() {
    let (mut desk, mut line, _) = talking();
    let said = type_in(&mut desk, &mut line, "quit");
    assert!(said[0].starts_with("1 call would be lost. quit again leaves"), "{said:?}");
    assert_eq!(say(&mut line, &desk, "").said, ["Left as it was."]);
    type_in(&mut desk, &mut line, "quit");
    assert_eq!(say(&mut line, &desk, "quit").commands, [Command::Quit, Command::Quit]);
}

#[test]
fn every_command_of_the_table_says_something_or_does_something_and_leaves_nothing_open_but_a_question() {
    for row in crate::console::command_table() {
        let (mut desk, mut line, _) = talking();
        let answered = say(&mut line, &desk, row.name);
        let moves = matches!(row.name, "close" | "left");
        assert!(moves || !answered.said.is_empty() || !answered.commands.is_empty(), "{}", row.name);
        for text in &answered.said {
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        for command in answered.commands {
            desk.obey(START, command);
        }
        line.hear(&desk);
    }
}

#[test]
fn names_with_teeth_are_harmless_in_every_sentence() {
    let (mut desk, mut line) = office();
    let name = "\u{1b}[2J\u{1b}]52;c;eA==\u{7}Eve\u{202e}drow\u{200b}\r\nCall 9 rings: nobody";
    ring(&mut desk, START, name, "0100");
    let mut said = line.hear(&desk);
    said.extend(say(&mut line, &desk, "who").said);
    said.extend(say(&mut line, &desk, "nonsense\u{1b}[31m").said);
    for text in said {
        assert!(text.chars().all(|c| !c.is_control() && !"\u{202e}\u{200b}".contains(c)), "{text:?}");
    }
}

#[test]
fn what_is_too_long_is_cut_and_nothing_panics() {
    let (desk, mut line) = office();
    for typed in
        ["é".repeat(10_000), " ".repeat(9_000), "note ".repeat(2_000), "\u{0}".into(), "701 702".into()]
    {
        say(&mut line, &desk, &typed);
    }
}
