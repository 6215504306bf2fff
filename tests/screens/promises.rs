//! What holds for every desk, every key and every size of the screen.

use crate::desks::*;
use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use parkdeck::console::{Console, SCOPES, THEMES, Theme, command_table};
use parkdeck::desk::*;
use parkdeck::parking::{Identity, Lamp, Strength, Text};
use proptest::prelude::*;
use ratatui::layout::Rect;
use std::time::Duration;

#[test]
fn every_meaning_of_a_colour_is_also_in_the_text() {
    for desk in [busy(), lamps(), full(), just_parked(), board(12)] {
        for keys in ["", "?", ":", "q", "n", "tab", ",", "t", "A"] {
            let (mut console, mut typed) = (console(), desk.clone());
            type_keys(&mut console, &mut typed, keys);
            for (width, height) in [(80, 24), (160, 50)] {
                let dark = screen(&typed, &console, &dark(), width, height);
                for name in THEMES {
                    let theme = Theme::named(name).unwrap();
                    for theme in [theme.with_16_colours(), theme.without_colour(), theme] {
                        assert_eq!(screen(&typed, &console, &theme, width, height), dark, "{name}");
                    }
                }
            }
        }
    }
}

#[test]
fn no_two_lamp_states_read_alike() {
    let shown = small(&lamps());
    let cells: Vec<String> = shown
        .lines()
        .filter_map(|l| l.rsplit_once("│")?.0.rsplit_once('│'))
        .filter(|(_, cell)| cell.contains(" 7") && !cell.contains("longest"))
        .take(12)
        .map(|(_, cell)| cell.chars().skip(6).collect())
        .collect();
    assert_eq!(cells.len(), 12, "{shown}");
    for (i, cell) in cells.iter().enumerate() {
        assert!(!cells[..i].contains(cell), "{cell}");
    }
    for glyph in ["□ free", "◐ asking", "■ 00:12", "◉ 04:05", "? unknown", "? stale 00:35", "✕ refused"]
    {
        assert!(shown.contains(glyph), "{glyph}");
    }
}

#[test]
fn no_two_states_of_a_colleague_read_alike() {
    let mut desk = board(6);
    let lamps = [
        StaffLamp::Unknown,
        StaffLamp::Free,
        StaffLamp::Ringing,
        StaffLamp::Talking,
        StaffLamp::Held,
        StaffLamp::Away,
        StaffLamp::Stale { since: ago(9) },
        StaffLamp::Refused { reason: Text::new("403") },
    ];
    let colleague = |lamp: &StaffLamp| Colleague {
        line: LineId(0),
        who: Identity::new("Sam", "101"),
        lamp: lamp.clone(),
        since: ago(9),
        caller: Identity::default(),
    };
    desk.staff = lamps.iter().map(colleague).collect();
    let mono = Theme::named("mono").unwrap();
    let shown = screen(&desk, &console(), &mono, 160, 50);
    let cell = |nth: usize| {
        let (_, after) = shown.split_once(&format!("F{nth} ")).unwrap();
        after.chars().take(20).collect::<String>()
    };
    let cells: Vec<String> = (1..=lamps.len()).map(cell).collect();
    for (nth, cell) in cells.iter().enumerate() {
        assert!(cell.contains("Sam") && !cells[..nth].contains(cell), "{cells:#?}");
    }
}

#[test]
fn a_hostile_name_stays_in_its_place() {
    let mut desk = busy();
    let evil = "\u{1b}[2J\u{1b}]52;c;x\u{7}■ 00:01\u{202e}evil\u{200b}\u{9b}31m▶│┌";
    last(&mut desk).party = Identity::new(evil, evil);
    last(&mut desk).note = Text::new(evil);
    let parked = park(&mut desk, 6, 9, evil, evil);
    parked.note = Text::new(evil);
    parked.parker = Identity::new(evil, evil);
    desk.lines[0].account.label = Text::new(evil);
    desk.lines[0].lots[0].name = Text::new(evil);
    say(&mut desk, Severity::Error, evil);
    let mut console = console();
    console.set_clock(evil);
    console.show_hint(desk.now, evil);
    for (width, height) in [(80, 24), (200, 60), (30, 9)] {
        let shown = screen(&desk, &console, &dark(), width, height);
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'));
        assert!(
            !shown
                .chars()
                .any(|c| ('\u{200b}'..='\u{200f}').contains(&c) || ('\u{202a}'..='\u{202e}').contains(&c))
        );
        assert_eq!(shown.lines().count(), usize::from(height));
        assert_eq!(shown.matches('▶').count(), 1, "only the call in hand has the mark");
    }
}

#[test]
fn every_command_is_in_the_help_and_the_palette() {
    let mut desk = board(12);
    let mut console = console();
    console.set_area(Rect::new(0, 0, 200, 80));
    type_keys(&mut console, &mut desk, "?");
    let help = screen(&desk, &console, &dark(), 200, 80);
    for row in command_table() {
        let about: String = row.about.chars().take(30).collect();
        assert!(help.contains(&about), "{} is not in the help", row.name);
        let mut console = crate::desks::console();
        let name: Vec<String> = row.name.chars().map(|c| c.to_string()).collect();
        type_keys(&mut console, &mut desk.clone(), &format!(": {}", name.join(" ")));
        let listed = screen(&desk, &console, &dark(), 80, 24).contains(&format!("▸ {}", row.name));
        assert!(listed || row.name == "close", "{} is not in the palette", row.name);
    }
    assert!(SCOPES.len() > 40);
}

/// Text as it may come from anywhere, already through the scrubber, as all of it is.
fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        Just(Text::default()),
        "\\PC{0,40}".prop_map(|t| Text::new(&t)),
        ".{0,300}".prop_map(|t| Text::new(&t))
    ]
}

fn moment() -> impl Strategy<Value = Duration> {
    prop_oneof![0u64..200_000_000, Just(0), Just(u64::MAX / 2)].prop_map(Duration::from_millis)
}

fn lamp() -> impl Strategy<Value = Lamp> {
    prop_oneof![
        Just(Lamp::Unknown),
        Just(Lamp::Free),
        Just(Lamp::Parked),
        Just(Lamp::RingingBack),
        (moment(), any::<bool>()).prop_map(|(since, was_parked)| Lamp::Stale { since, was_parked }),
        text().prop_map(|reason| Lamp::Refused { reason }),
    ]
}

prop_compose! {
    fn parked()(name in text(), number in text(), parker in text(), since in moment(), note in text(),
        back in prop::option::of((moment(), any::<bool>())), flags in any::<(bool, bool)>(), weak in any::<bool>())
        -> ParkedCall {
        let strength = if weak { Strength::Unverified } else { Strength::Exact };
        ParkedCall {
            parkee: Identity { name, number, mark: None }, parker: Identity::new(parker.as_str(), ""), since,
            since_inferred: flags.0, note, comes_back_at: back, ours: flags.1, strength, key: None, told_by: Text::default(),
        }
    }
}

prop_compose! {
    fn any_desk()(
        now in moment(),
        slots in prop::collection::vec((lamp(), prop::option::of(parked()), prop::option::of(0u64..9), prop::option::of((text(), moment()))), 0..70),
        calls in prop::collection::vec((0usize..14, text(), text(), moment(), any::<bool>(), text()), 0..40),
        hand in prop::option::of(1u64..12),
        notices in prop::collection::vec((moment(), 0u8..3, text()), 0..4),
        sound in (prop::option::of(prop::result::maybe_ok(text(), text())), any::<u8>(), any::<bool>()),
        (directed, failed, label, undo) in (any::<bool>(), prop::option::of((text(), prop::option::of(moment()))), text(), prop::option::of((0u32..70, parked(), moment()))),
    ) -> Desk {
        let mut desk = board(u32::try_from(slots.len()).unwrap());
        desk.lines[0].lots[0].abilities.directed_park = directed;
        desk.lines[0].account.label = label;
        if let Some((reason, retry_at)) = failed {
            desk.lines[0].account.registration = Registration::Failed { reason, retry_at };
        }
        for (slot, (lamp, parked, asked, remark)) in desk.slots.iter_mut().zip(slots) {
            let what = |n| match n % 3 {
                0 => AskingFor::Park(CallId(n)),
                1 => AskingFor::Retrieve(CallId(n)),
                _ => AskingFor::State { then_park: None },
            };
            slot.asking = asked.map(|n| Asking { what: what(n), since: now, until: now });
            (slot.lamp, slot.parked, slot.remark) = (lamp, parked, remark);
        }
        for (phase, name, number, since, back, note) in calls {
            let phase = phases().swap_remove(phase);
            call(&mut desk, phase, 1, name.as_str(), number.as_str());
            let call = last(&mut desk);
            (call.since, call.waiting_since, call.note) = (since, since, note);
            call.called = Text::new("line");
            call.comeback = back.then_some(Comeback { slot: None, waited_s: u32::MAX });
        }
        desk.in_hand = hand.map(CallId);
        for (at, severity, text) in notices {
            let severity = [Severity::Info, Severity::Warning, Severity::Error][usize::from(severity)];
            desk.notices.push_back(Notice { at, severity, text });
        }
        let (headset, level, muted) = sound;
        desk.sound = SoundState { headset, microphone_level: level, ear_level: level, muted, ..SoundState::default() };
        desk.undo = undo.map(|(n, parked, until)| Undo { line: LineId(0), slot: slot_id(&(690 + n).to_string()), parked, until });
        desk.now = now;
        desk
    }
}

/// A name in letters that are wide, run from right to left, combine, or are put together of several.
fn name_of_any_script() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "王芳",
        "李小龙",
        "김철수",
        "محمد",
        "علي",
        "שרה",
        "लक्ष्मी",
        "e\u{301}va",
        "Ж",
        "Jane",
        "👩‍👩‍👧",
        "🇬🇧",
        "ﬁ",
        "ก้",
        "…",
        "■",
        "│",
        "\u{202e}evil",
        "\u{200b}",
        "Featherstonehaugh-Venkataraghavan",
    ]);
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.join(" "))
}

/// One thing an operator, a terminal or a cat can do.
#[derive(Clone, Debug)]
enum Act {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let code = prop_oneof![
        6 => prop::sample::select("1234567890pPrxhmndtuckjq?:#abc*,y ü李 ".chars().collect::<Vec<_>>()).prop_map(KeyCode::Char),
        4 => prop::sample::select(vec![
            KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::Up, KeyCode::Down, KeyCode::Left,
            KeyCode::Right, KeyCode::Home, KeyCode::End, KeyCode::PageDown, KeyCode::PageUp, KeyCode::Backspace,
            KeyCode::Delete, KeyCode::F(1), KeyCode::Null,
        ]),
        1 => any::<char>().prop_map(KeyCode::Char),
    ];
    let kind = prop::sample::select(vec![
        KeyEventKind::Press,
        KeyEventKind::Press,
        KeyEventKind::Repeat,
        KeyEventKind::Release,
    ]);
    let key = (code, 0u8..16, kind).prop_map(|(code, modifiers, kind)| {
        let modifiers =
            if modifiers < 8 { KeyModifiers::NONE } else { KeyModifiers::from_bits_truncate(modifiers) };
        Act::Key(KeyEvent::new_with_kind(code, modifiers, kind))
    });
    let kind = prop::sample::select(vec![
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::ScrollDown,
        MouseEventKind::ScrollUp,
        MouseEventKind::Moved,
    ]);
    let mouse = (kind, 0u16..210, 0u16..70).prop_map(|(kind, column, row)| {
        Act::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    });
    prop_oneof![8 => key, 3 => mouse, 1 => ".{0,200}".prop_map(Act::Paste), 2 => (0u64..3000).prop_map(Act::Wait)]
}

fn play(desk: &mut Desk, console: &mut Console, act: Act, area: Rect, obeyed: bool) {
    let commands = match act {
        Act::Key(key) => console.key(desk, key),
        Act::Mouse(event) => console.mouse(desk, event, area),
        Act::Paste(text) => {
            console.paste(desk, &text);
            Vec::new()
        }
        Act::Wait(ms) => {
            desk.now += Duration::from_millis(ms);
            Vec::new()
        }
    };
    if obeyed {
        for command in commands {
            let now = desk.now;
            desk.obey(now, command);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_desk_no_key_and_no_size_makes_it_panic(
        mut desk in any_desk(),
        acts in prop::collection::vec(act(), 0..40),
        sizes in prop::collection::vec((1u16..=200, 1u16..=60), 1..5),
        obeyed in any::<bool>(),
    ) {
        let mut console = console();
        let theme = dark();
        for (nth, act) in acts.into_iter().enumerate() {
            let (width, height) = sizes[nth % sizes.len()];
            play(&mut desk, &mut console, act, Rect::new(0, 0, width, height), obeyed);
            if nth % 8 == 0 {
                screen(&desk, &console, &theme, width, height);
            }
        }
        for (width, height) in sizes.into_iter().chain([(1, 1), (2, 1), (1, 9), (80, 24), (81, 25), (200, 60)]) {
            let shown = screen(&desk, &console, &theme, width, height);
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'));
        }
    }

    #[test]
    fn whatever_people_are_called_the_columns_stand(
        names in prop::collection::vec(name_of_any_script(), 20),
        (width, height) in (80u16..=300, 24u16..=100),
        several in any::<bool>(),
    ) {
        let mut names = names.iter().cycle();
        let mut name = || names.next().cloned().unwrap_or_default();
        let mut desk = if several { two_lots() } else { busy() };
        for call in &mut desk.calls {
            (call.party, call.note) = (Identity::new(&name(), "0161 496 0100"), Text::new(&name()));
        }
        for slot in &mut desk.slots {
            if let Some(parked) = &mut slot.parked {
                parked.parkee = Identity::new(&name(), "0161 496 0100");
                (parked.parker, parked.note) = (Identity::new(&name(), ""), Text::new(&name()));
            }
        }
        let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(width, height)).unwrap();
        let (console, theme) = (console(), dark());
        terminal.draw(|frame| parkdeck::console::draw(frame, &desk, &console, &theme)).unwrap();
        let buffer = terminal.backend().buffer();
        let divider = 1 + (35 + (width - 80) * 2 / 5).min(90);
        for y in 1..height - 3 {
            for (x, allowed) in [(0, "┌│└"), (divider, "┬│┴"), (width - 1, "┐│┘")] {
                let there = buffer[(x, y)].symbol();
                prop_assert!(allowed.contains(there), "“{there}” at {x},{y} of {width}×{height}");
            }
        }
        for call in desk.calls.iter().filter(|call| !call.party.name.is_empty()) {
            let first: String = call.party.name.as_str().chars().take(1).collect();
            prop_assert!(screen(&desk, &console, &theme, width, height).contains(&first), "{first}");
        }
    }

    #[test]
    fn what_matters_now_is_always_said_in_full(severity in 0u8..3, text in "[a-zäø李 ]{1,120}") {
        let mut desk = busy();
        let severity = [Severity::Info, Severity::Warning, Severity::Error][usize::from(severity)];
        say(&mut desk, severity, &text);
        let words = |t: &str| t.split_whitespace().collect::<String>();
        let said = words(Text::new(&text).as_str());
        prop_assert!(words(&small(&desk)).contains(&said));
    }
}
