//! Snapshots, each read with a receptionist's eyes before it was accepted.

use crate::desks::*;
use parkdeck::console::Theme;
use parkdeck::desk::*;
use parkdeck::parking::{Lamp, Strength, Text};

/// Compares with `tests/screens/<name>.snap`.
macro_rules! picture {
    ($name:expr, $screen:expr) => {
        insta::with_settings!({
            snapshot_path => ".",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($name, $screen) })
    };
}

/// At both sizes.
macro_rules! pictures {
    ($name:expr, $desk:expr, $console:expr) => {{
        picture!(concat!($name, "_80"), screen($desk, $console, &dark(), 80, 24));
        picture!(concat!($name, "_160"), screen($desk, $console, &dark(), 160, 50));
    }};
}

#[test]
fn an_empty_board_is_calm() {
    pictures!("empty", &board(12), &console());
}

#[test]
fn a_busy_board_shows_who_why_how_long() {
    pictures!("busy", &busy(), &console());
}

#[test]
fn every_lamp_state_looks_different() {
    pictures!("lamps", &lamps(), &console());
    let mut desk = lamps();
    let mut console = console();
    type_keys(&mut console, &mut desk, "tab down down down down");
    desk.now = s(NOW_S);
    picture!("lamps_chosen_80", screen(&desk, &console, &dark(), 80, 24));
}

#[test]
fn every_phase_of_a_call_has_its_word() {
    let mut desk = board(3);
    for phase in phases() {
        call(&mut desk, phase, 5, "Jane Doe", "0161 496 0100");
        if desk.calls.len() == 8 {
            last(&mut desk).strength = Some(Strength::Verified);
        }
    }
    let back = call(&mut desk, Phase::Ringing, 25, "Jane Doe", "0161 496 0100");
    last(&mut desk).comeback = Some(Comeback { slot: Some(slot_id("703")), waited_s: 238 });
    last(&mut desk).note = Text::new("Sam, bay 3");
    call(&mut desk, Phase::Held, 140, "Dr Patel", "0113 496 0777");
    desk.in_hand = Some(back);
    picture!("phases_160", screen(&desk, &console(), &dark(), 160, 50));
    picture!("phases_80", small(&desk));
    desk.calls.drain(..8);
    picture!("phases_end_80", small(&desk));
    let mut desk = board(3);
    for phase in phases().into_iter().take(8) {
        call(&mut desk, phase, 5, "Jane Doe", "0161 496 0100");
    }
    desk.in_hand = Some(desk.calls[7].id);
    desk.sound.muted = true;
    picture!("phases_begin_80", small(&desk));
}

#[test]
fn a_full_board_is_whole_on_the_smallest_screen() {
    pictures!("full", &full(), &console());
}

#[test]
fn more_calls_and_slots_than_fit_are_counted_and_can_be_reached() {
    let mut desk = board(60);
    for i in 0..30 {
        call(&mut desk, Phase::Ringing, 30 - i, &format!("Caller {i}"), "100");
    }
    park(&mut desk, 41, 30, "Jane Doe", "");
    park(&mut desk, 4, 70, "Tom Okafor", "");
    pictures!("crowded", &desk, &console());
}

#[test]
fn a_proven_park_is_read_at_a_glance() {
    pictures!("parked", &just_parked(), &console());
    let mut desk = full();
    let parked = desk.slots[2].parked.clone().unwrap();
    desk.undo = Some(Undo { line: LineId(0), slot: slot_id("703"), parked, until: s(NOW_S + 8) });
    picture!("parked_full_80", small(&desk));
    let mut desk = just_parked();
    for i in 0..4 {
        call(&mut desk, Phase::Ringing, i, "Nora Lind", "204");
    }
    picture!("parked_five_calls_80", small(&desk));
}

#[test]
fn overlays_leave_calls_and_lamps_in_sight() {
    for (name, keys) in [
        ("note", "n"),
        ("dial", "d 0 1 6 1"),
        ("transfer", "t 2 0 4"),
        ("park_on", "P"),
        ("park_on_taken", "P 7 0 1"),
        ("keypad", "# 1 2"),
        ("help", "?"),
        ("help_search", "? p a r k"),
        ("palette", ":"),
        ("palette_search", ": h o l d"),
        ("quit", "q"),
    ] {
        let mut desk = busy();
        let mut console = console();
        for command in type_keys(&mut console, &mut desk, keys) {
            let now = desk.now;
            desk.obey(now, command);
        }
        desk.now = s(NOW_S);
        picture!(format!("overlay_{name}_80"), screen(&desk, &console, &dark(), 80, 24));
    }
    let mut desk = busy();
    let mut console = console();
    type_keys(&mut console, &mut desk, "?");
    picture!("overlay_help_160", screen(&desk, &console, &dark(), 160, 50));
}

#[test]
fn how_a_call_sounds_is_told_in_figures_words_and_a_remedy() {
    let mut desk = busy();
    let hand = desk.in_hand.unwrap();
    let one_way = Some(parkdeck::desk::OneWay::NothingCame);
    let quality = parkdeck::desk::Quality {
        lost_permille: 23,
        concealed_permille: 8,
        jitter_ms: 12,
        network_ms: Some(21),
        buffer_ms: 62,
        device_ms: 24,
        mos_hundredths: 421,
        mos_of_call_hundredths: 433,
        mos_worst_hundredths: 288,
        remote_lost_permille: Some(104),
        one_way,
    };
    for call in desk.calls.iter_mut().filter(|call| call.id == hand) {
        call.quality = Some(quality);
        let file = Text::new("/r/jane.opus");
        call.recording = Some(parkdeck::desk::Recording::Running { since: ago(75), file });
    }
    let mut console = console();
    picture!("call_recorded_and_one_way_80", screen(&desk, &console, &dark(), 80, 24));
    type_keys(&mut console, &mut desk, "Q");
    picture!("overlay_quality_80", screen(&desk, &console, &dark(), 80, 24));
}

/// Every reason for which the park key can be off.
fn bars() -> Vec<(ParkBar, Desk)> {
    let up = || {
        let mut desk = board(2);
        let hand = call(&mut desk, Phase::Talking, 5, "Jane Doe", "100");
        desk.in_hand = Some(hand);
        desk
    };
    let with = |change: fn(&mut Desk)| {
        let mut desk = up();
        change(&mut desk);
        desk
    };
    let id = || slot_id("701");
    vec![
        (ParkBar::NoCall, board(2)),
        (ParkBar::NotUp, with(|d| d.calls[0].phase = Phase::Dialling)),
        (ParkBar::ServerCannot, with(|d| d.lines[0].lots[0].abilities.park = false)),
        (ParkBar::ServerChoosesSlot, with(|d| d.lines[0].lots[0].abilities.directed_park = false)),
        (
            ParkBar::Offline,
            with(|d| {
                let reason = Text::new("401 wrong password");
                d.lines[0].account.registration =
                    Registration::Failed { reason, retry_at: Some(s(NOW_S + 12)) };
            }),
        ),
        (
            ParkBar::LampsStale,
            with(|d| {
                d.slots.iter_mut().for_each(|s| s.lamp = Lamp::Stale { since: ago(9), was_parked: false })
            }),
        ),
        (
            ParkBar::LotFull,
            with(|d| {
                park(d, 0, 5, "A", "");
                park(d, 1, 5, "B", "");
            }),
        ),
        (
            ParkBar::Occupied(id()),
            with(|d| {
                park(d, 0, 5, "A", "");
            }),
        ),
        (
            ParkBar::Asked(id()),
            with(|d| {
                let what = AskingFor::Park(d.calls[0].id);
                d.slots[0].asking = Some(Asking { what, since: ago(1), until: s(NOW_S + 5) });
            }),
        ),
        (ParkBar::NotKnownFree(id()), with(|d| d.slots[0].lamp = Lamp::Unknown)),
        (ParkBar::NoSuchSlot(slot_id("799")), up()),
        (
            ParkBar::OtherLot { slot: slot_id("703"), there: Text::new("Yard"), own: Text::new("Front") },
            two_lots(),
        ),
    ]
}

#[test]
fn every_reason_against_a_park_is_read_in_full_in_footer_prompt_and_notice() {
    let mut all = String::new();
    for (bar, mut desk) in bars() {
        let now = desk.now;
        let slot = match &bar {
            ParkBar::Occupied(slot)
            | ParkBar::Asked(slot)
            | ParkBar::NotKnownFree(slot)
            | ParkBar::NoSuchSlot(slot) => Some(key(slot.as_str())),
            ParkBar::ServerChoosesSlot => Some(key("701")),
            ParkBar::OtherLot { slot, .. } => Some(SlotKey { line: LineId(1), id: slot.clone() }),
            _ => None,
        };
        assert_eq!(desk.can_park(slot.as_ref()), Err(bar.clone()));
        desk.obey(now, Command::Park { slot });
        let screen = small(&desk);
        let lines: Vec<&str> = screen.lines().collect();
        let said = lines[21..23].iter().map(|l| l.trim()).collect::<Vec<_>>().join(" ");
        assert!(said.contains(&bar.sentence()), "{said}\nlacks {}", bar.sentence());
        all.push_str(&format!("{}\n{}\n", lines[21..24].join("\n").trim_end(), "-".repeat(80)));
    }
    picture!("park_bars_80", all);
}

#[test]
fn every_kind_of_notice_is_read_in_full() {
    let mut all = String::new();
    for (severity, text) in [
        (Severity::Info, "nobody else is ringing"),
        (
            Severity::Warning,
            "not parked: every slot is taken: the call stays with you; hold (h) or transfer (t)",
        ),
        (Severity::Error, "park failed: 503 Service Unavailable · Jane Doe is with you · p tries again"),
        (
            Severity::Error,
            "Lakshmi Venkataraghavan-Featherstonehaugh could not be put back in 703: the server said nothing for 32 s, held",
        ),
    ] {
        let mut desk = board(2);
        say(&mut desk, severity, text);
        let screen = small(&desk);
        let lines: Vec<&str> = screen.lines().skip(21).take(2).map(str::trim).collect();
        assert!(lines.join(" ").contains(text), "{screen}");
        all.push_str(&format!("{}\n{}\n", lines.join("\n").trim_end(), "-".repeat(80)));
    }
    picture!("notices_80", all);
}

#[test]
fn an_error_stays_in_sight_though_something_newer_is_said() {
    let mut desk = board(2);
    say(&mut desk, Severity::Error, "the line to Jane Doe was cut: she is gone");
    say(&mut desk, Severity::Info, "nobody else is ringing");
    let screen = small(&desk);
    assert!(screen.contains("· nobody else is ringing") && screen.contains("✕ the line to Jane Doe was cut"));
}

#[test]
fn an_error_longer_than_two_lines_is_not_cut_off() {
    let mut desk = busy();
    let text = Text::new(&"错误 ".repeat(60));
    say(&mut desk, Severity::Error, text.as_str());
    let mut console = console();
    console.show_hint(desk.now, &"hint ".repeat(25));
    let screen = screen(&desk, &console, &dark(), 80, 24);
    assert_eq!(screen.matches("错误").count(), text.as_str().matches("错误").count());
    assert_eq!(screen.matches("hint").count(), 25);
}

#[test]
fn a_server_or_headset_that_fails_is_told_in_the_top_line_and_in_words() {
    let mut desk = board(12);
    let reason = Text::new("401 wrong user or password");
    desk.lines[0].account.registration = Registration::Failed { reason, retry_at: Some(s(NOW_S + 12)) };
    desk.lines[0].account.round_trip_ms = None;
    desk.sound.headset = Some(Err(Text::new("no sound device was found")));
    desk.sound.muted = true;
    for slot in &mut desk.slots {
        slot.lamp = Lamp::Unknown;
    }
    pictures!("offline", &desk, &console());
    let starting = Desk::new("reception@pbx", "", vec![], Abilities::default());
    picture!("starting_80", small(&starting));
}

#[test]
fn several_accounts_show_each_with_its_light_and_its_lot() {
    pictures!("accounts_two", &two_lots(), &console());
    let mut desk = two_lots();
    let reason = Text::new("the server refused user or password");
    desk.lines[1].account.registration = Registration::Failed { reason, retry_at: Some(s(NOW_S + 42)) };
    for slot in desk.slots.iter_mut().filter(|slot| slot.line == LineId(1)) {
        slot.lamp = Lamp::Stale { since: ago(35), was_parked: slot.parked.is_some() };
    }
    pictures!("accounts_one_down", &desk, &console());
    pictures!("accounts_three", &three_lots(), &console());
}

#[test]
fn the_lots_of_one_account_stand_under_their_names_and_the_park_key_says_which_is_meant() {
    pictures!("lots", &several_lots(), &console());
    let mut full = several_lots();
    for slot in full.slots.iter_mut().filter(|slot| slot.lot == LotId(1)) {
        slot.lamp = Lamp::Parked;
    }
    full.learn(s(NOW_S), Event::Ticked);
    full.obey(s(NOW_S), Command::Park { slot: None });
    picture!("lots_full_80", small(&full));
}

#[test]
fn the_accounts_window_tells_everything_of_each() {
    let desks = [("one", busy()), ("two", two_lots()), ("three", three_lots()), ("lots", several_lots())];
    for (name, desk) in desks {
        let (mut desk, mut console) = (desk, console());
        type_keys(&mut console, &mut desk, "A");
        desk.now = s(NOW_S);
        picture!(format!("overlay_accounts_{name}_80"), screen(&desk, &console, &dark(), 80, 24));
    }
    let (mut desk, mut console) = (three_lots(), console());
    type_keys(&mut console, &mut desk, "A down down");
    desk.now = s(NOW_S);
    picture!("overlay_accounts_scrolled_80", screen(&desk, &console, &dark(), 80, 24));
    picture!("overlay_accounts_three_160", screen(&desk, &console, &dark(), 160, 50));
}

#[test]
fn the_account_that_a_number_is_dialled_by_is_chosen_before_it_is_sent() {
    let (mut desk, mut console) = (two_lots(), console());
    assert_eq!(type_keys(&mut console, &mut desk, "d"), []);
    let said = type_keys(&mut console, &mut desk, "tab");
    assert_eq!(said, [Command::ChooseLine(None)]);
    for command in said {
        let now = desk.now;
        desk.obey(now, command);
    }
    type_keys(&mut console, &mut desk, "2 0 4");
    desk.now = s(NOW_S);
    picture!("overlay_dial_two_80", screen(&desk, &console, &dark(), 80, 24));
    assert_eq!(type_keys(&mut console, &mut desk, "enter"), [Command::Dial("204".into())]);
    let now = desk.now;
    desk.obey(now, Command::Dial("204".into()));
    assert_eq!(desk.calls.last().unwrap().line, LineId(1));
}

#[test]
fn a_screen_too_small_says_so_and_keeps_what_matters() {
    for (width, height) in [(79, 24), (40, 12), (20, 5)] {
        let mut desk = busy();
        say(&mut desk, Severity::Warning, "not parked: every slot is taken");
        picture!(
            format!("tiny_{width}x{height}"),
            screen(&desk, &console(), &Theme::named("mono").unwrap(), width, height)
        );
    }
}

#[test]
fn the_settings_show_what_is_in_force_and_what_moves() {
    let text = "[account]\nuser = \"a\"\nserver = \"pbx.test\"\npassword_env = \"P\"\n[lot]\nslots = \"701\"\n[sound]\n\
                ringer = \"Built-in Audio\"\nring_volume = 70\n[calls]\nnight = \"105\"\nnight_hours = \"18:00-08:00\"\n";
    let config = std::sync::Arc::new(parkdeck::config::Config::parse(text, "x").unwrap());
    let mut desk = board(6);
    desk.routes.night = Text::new("105");
    let device =
        |name: &str, records, monitor, loud| ListedDevice { name: Text::new(name), records, monitor, loud };
    desk.sound.devices = vec![
        device("Jabra Evolve2 65", true, false, false),
        device("Monitor of Built-in Audio", true, true, false),
        device("Jabra Evolve2 65", false, false, false),
        device("Built-in Audio", false, false, true),
    ];
    desk.sound.microphone = Some(Ok(Text::new("Jabra Evolve2 65")));
    for (name, keys) in [
        ("settings_80", ","),
        ("settings_microphone_80", ", enter down"),
        ("settings_keys_80", ", down down down down down down enter p a r k"),
    ] {
        let mut console = console();
        console.configure(config.clone(), true);
        type_keys(&mut console, &mut desk.clone(), keys);
        picture!(name, screen(&desk, &console, &dark(), 80, 24));
    }
    let mut console = console();
    console.begin_tour();
    console.follow(&desk);
    picture!("tour_80", screen(&desk, &console, &dark(), 80, 24));
}
