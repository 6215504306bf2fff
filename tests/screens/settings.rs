//! The settings' window and the tour by what is typed and seen; and what the board asks before somebody suffers.

use crate::desks::*;
use parkdeck::config::{Change, Config};
use parkdeck::console::Console;
use parkdeck::desk::*;
use parkdeck::parking::{Strength, Text};
use std::sync::Arc;

fn configured(more: &str) -> Console {
    let text = format!(
        "[account]\nuser = \"reception\"\nserver = \"pbx.test\"\npassword_env = \"P\"\n[lot]\nslots = \"701-712\"\n{more}"
    );
    let mut console = console();
    console.configure(Arc::new(Config::parse(&text, "config.toml").unwrap()), true);
    console
}

/// A quiet board whose computer has these devices.
fn room() -> Desk {
    let mut desk = board(12);
    let device =
        |name: &str, records, monitor, loud| ListedDevice { name: Text::new(name), records, monitor, loud };
    desk.sound.devices = vec![
        device("Jabra Evolve2 65", true, false, false),
        device("Monitor of Built-in Audio", true, true, false),
        device("Webcam", true, false, false),
        device("Jabra Evolve2 65", false, false, false),
        device("Built-in Audio", false, false, true),
    ];
    desk.sound.microphone = Some(Ok(Text::new("Jabra Evolve2 65")));
    desk.sound.headset = Some(Ok(Text::new("Jabra Evolve2 65")));
    desk
}

fn keys(console: &mut Console, desk: &Desk, keys: &str) -> Vec<Command> {
    type_keys(console, &mut desk.clone(), keys)
}

fn wish(wish: SoundWish) -> Command {
    Command::Sound(wish)
}

#[test]
fn the_window_opens_the_meters_and_closes_them() {
    let (mut console, desk) = (configured(""), room());
    assert_eq!(keys(&mut console, &desk, ","), [wish(SoundWish::ListDevices), wish(SoundWish::Try(true))]);
    let said = keys(&mut console, &desk, "esc");
    assert_eq!(said, [wish(SoundWish::Try(false))], "nobody hears the room any more");
    let mut silent = room();
    silent.sound.off = true;
    assert_eq!(keys(&mut console, &silent, ", enter esc"), []);
}

#[test]
fn a_device_is_chosen_from_the_list_and_a_monitor_only_after_a_yes() {
    let (mut console, desk) = (configured(""), room());
    keys(&mut console, &desk, ", enter down enter");
    let change = |name: &str| Change::Device { role: SoundRole::Microphone, name: Some(name.to_owned()) };
    assert_eq!(console.take_changes(), [change("Jabra Evolve2 65")]);
    keys(&mut console, &desk, "enter end esc enter down down enter");
    let asked = screen(&desk, &console, &dark(), 80, 24);
    assert!(asked.contains("is no microphone") && asked.contains("y use it all the same"), "{asked}");
    keys(&mut console, &desk, "n");
    assert_eq!(console.take_changes(), [], "no yes, no monitor");
    keys(&mut console, &desk, "enter y");
    assert_eq!(console.take_changes(), [change("Monitor of Built-in Audio")]);
    keys(&mut console, &desk, "enter up up up enter");
    let default = Change::Device { role: SoundRole::Microphone, name: None };
    assert_eq!(console.take_changes(), [default], "the system's choice");
}

#[test]
fn tones_are_tested_where_the_cursor_is() {
    let (mut console, desk) = (configured(""), room());
    let said = keys(&mut console, &desk, ", down t down t down t down t");
    let tested: Vec<&Command> =
        said.iter().filter(|c| matches!(c, Command::Sound(SoundWish::Test(_)))).collect();
    let roles = [SoundRole::Headset, SoundRole::Ringer, SoundRole::SecondEar, SoundRole::Ringer];
    assert_eq!(tested, roles.map(|role| wish(SoundWish::Test(role))).iter().collect::<Vec<_>>());
}

#[test]
fn the_ring_volume_goes_by_tens_and_ends_at_both_ends() {
    let (mut console, desk) = (configured("[sound]\nring_volume = 15\n"), room());
    keys(&mut console, &desk, ", down down down down left left left right");
    let volumes = [5, 0, 10].map(Change::RingVolume);
    assert_eq!(console.take_changes(), volumes);
}

#[test]
fn a_theme_is_worn_while_it_is_chosen_and_kept_only_by_enter() {
    let (mut console, desk) = (configured("[screen]\ntheme = \"light\"\n"), room());
    keys(&mut console, &desk, ", down down down down down enter down");
    assert!(console.wants_themes());
    assert_eq!(console.theme_shown(), Some("high-contrast"), "tried on");
    keys(&mut console, &desk, "esc");
    assert_eq!(console.theme_shown(), Some("light"));
    assert_eq!(console.take_changes(), []);
    console.set_themes(vec!["dark".into(), "light".into(), "mine".into()]);
    keys(&mut console, &desk, "enter down enter esc");
    assert_eq!(console.theme_shown(), Some("mine"));
    assert_eq!(console.take_changes(), [Change::Theme("mine".into())]);
}

#[test]
fn a_key_is_given_by_pressing_it_and_a_conflict_is_named() {
    let (mut console, desk) = (configured(""), room());
    let change = |command: &str, keys: &[&str]| Change::Keys {
        command: command.to_owned(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    };
    keys(&mut console, &desk, ", down down down down down down enter r e p o r t enter");
    let catching = screen(&desk, &console, &dark(), 80, 24);
    assert!(catching.contains("press the key that it shall have"), "{catching}");
    keys(&mut console, &desk, "p");
    let refused = screen(&desk, &console, &dark(), 80, 24);
    assert!(refused.contains("the key “p” would mean both park and report"), "{refused}");
    assert_eq!(console.take_changes(), []);
    keys(&mut console, &desk, "enter esc enter z");
    assert_eq!(console.take_changes(), [change("report", &["z"])]);
    keys(&mut console, &desk, "esc esc z");
    assert!(screen(&desk, &console, &dark(), 80, 24).contains("today so far"), "it works at once");
    keys(&mut console, &desk, "esc , down down down down down down enter r e p o r t delete");
    assert_eq!(console.take_changes(), [change("report", &["R"])], "the first ones again");
    // ctrl-c is no key to be given away: it is the way out.
    keys(&mut console, &desk, "enter ctrl-c");
    assert_eq!(console.take_changes(), []);
}

#[test]
fn night_do_not_disturb_and_accounts_are_within_reach() {
    let (mut console, desk) = (configured(""), room());
    let said = keys(&mut console, &desk, ", end enter up enter up enter");
    let said: Vec<&Command> = said.iter().filter(|c| !matches!(c, Command::Sound(_))).collect();
    let wanted = [Command::Register(LineId(0)), Command::Night(None), Command::DoNotDisturb(None)];
    assert_eq!(said, wanted.iter().collect::<Vec<_>>());
}

#[test]
fn whoever_waits_on_hold_is_hung_up_on_only_by_a_second_key() {
    let mut desk = board(3);
    let held = call(&mut desk, Phase::Held, 30, "Dr Patel", "0113 496 0777");
    desk.in_hand = Some(held);
    let mut console = console();
    assert_eq!(type_keys(&mut console, &mut desk, "x"), []);
    assert!(screen(&desk, &console, &dark(), 80, 24).contains("Dr Patel waits on hold: x again hangs up"));
    assert_eq!(type_keys(&mut console, &mut desk, "x"), [Command::HangUp]);
    assert_eq!(type_keys(&mut console, &mut desk, "x"), [], "the next time is asked again");
    desk.now += s(10);
    assert_eq!(type_keys(&mut console, &mut desk, "x"), [], "what was asked long ago is forgotten");
    let other = call(&mut desk, Phase::Held, 3, "Jane Doe", "");
    desk.in_hand = Some(other);
    assert_eq!(type_keys(&mut console, &mut desk, "x"), [], "another caller, another question");
    last(&mut desk).phase = Phase::Talking;
    assert_eq!(type_keys(&mut console, &mut desk, "x"), [Command::HangUp], "who is talked to hears why");
}

/// What the tour says now.
fn tour(desk: &Desk, console: &mut Console) -> String {
    console.follow(desk);
    let shown = screen(desk, console, &dark(), 80, 24);
    let lines = shown.lines().filter_map(|line| line.strip_prefix('│')?.split('│').next());
    let words = lines.skip_while(|line| !line.contains("first day")).take(4).collect::<String>();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_tour_sees_what_is_really_done_and_takes_no_key() {
    let (mut desk, mut console) = (board(6), console());
    console.begin_tour();
    assert!(tour(&desk, &mut console).starts_with("first day 1/7 · ctrl-t ends it In a moment"));
    let jane = call(&mut desk, Phase::Ringing, 2, "Jane Doe", "0161 496 0100");
    assert!(tour(&desk, &mut console).contains("enter answers whoever has waited longest"));
    assert_eq!(keys(&mut console, &desk, "enter"), [Command::Answer]);
    last(&mut desk).phase = Phase::Talking;
    desk.in_hand = Some(jane);
    assert!(tour(&desk, &mut console).contains("2/7 · ctrl-t ends it p parks the caller"));
    let kept = desk.calls.remove(0);
    desk.in_hand = None;
    assert!(tour(&desk, &mut console).contains("First have somebody on the line"));
    park(&mut desk, 0, 1, "Jane Doe", "0161 496 0100");
    assert!(tour(&desk, &mut console).contains("3/7"));
    type_keys(&mut console, &mut desk, "tab");
    assert!(tour(&desk, &mut console).contains("4/7 · ctrl-t ends it r takes the caller back"));
    desk.slots[0].parked = None;
    desk.calls.push(kept);
    last(&mut desk).strength = Some(Strength::Exact);
    desk.in_hand = Some(jane);
    assert!(tour(&desk, &mut console).contains("5/7 · ctrl-t ends it n writes a note"));
    last(&mut desk).note = Text::new("for Sam");
    assert!(tour(&desk, &mut console).contains("6/7"));
    let parked = park(&mut desk, 0, 1, "Jane Doe", "").clone();
    desk.undo = Some(Undo { line: LineId(0), slot: slot_id("701"), parked, until: desk.now + s(9) });
    assert!(tour(&desk, &mut console).contains("6/7"), "not yet taken back");
    desk.undo = None;
    assert!(tour(&desk, &mut console).contains("7/7"));
    last(&mut desk).phase = Phase::Transferring { to: Text::new("101"), was_held: false };
    assert!(tour(&desk, &mut console).contains("7/7"));
    last(&mut desk).phase = Phase::Talking;
    assert!(tour(&desk, &mut console).contains("7/7"), "nobody took the caller");
    last(&mut desk).phase = Phase::Transferring { to: Text::new("101"), was_held: false };
    tour(&desk, &mut console);
    desk.calls.clear();
    desk.in_hand = None;
    assert!(tour(&desk, &mut console).contains("done That is most of a day. ? shows every key"));
    desk.now += s(21);
    assert_eq!(tour(&desk, &mut console), "", "it is over by itself");
}

#[test]
fn the_tour_ends_at_its_key_and_never_covers_a_call() {
    let (mut desk, mut console) = (full(), console());
    console.begin_tour();
    let with = screen(&desk, &console, &dark(), 80, 24);
    type_keys(&mut console, &mut desk, "ctrl-t");
    assert!(screen(&desk, &console, &dark(), 80, 24).contains("the tour is over"));
    for call in &desk.calls {
        let label = desk.label(&call.party);
        assert!(with.contains(label), "{label} is covered:\n{with}");
    }
    type_keys(&mut console, &mut desk, "ctrl-t");
    assert!(tour(&board(3), &mut console).contains("1/7"), "and begins again");
}
