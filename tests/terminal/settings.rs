//! Settings without leaving the board, a configuration that changes while the console runs, and the wallboard.

use crate::peers::sound_card::SoundCard;
use crate::rig::{SOON, Setup, config_file, demo, home_with, leave, nobody, parkdeck, run};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

#[test]
fn what_is_changed_on_the_board_is_in_the_file_and_its_comments_are_kept() {
    let more = "[screen]\ntheme = \"light\"   # by the window\n";
    let terminal = Setup { more, ..Setup::towards(nobody()) }.start();
    let file = config_file(terminal.home().path());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    terminal.wait_text("parked · lot “front”", SOON);
    terminal.keys(",");
    terminal.wait_text("ring volume", SOON);
    // Down to the volume, two steps softer; then the theme: the next one.
    for key in ["<down>", "<down>", "<down>", "<down>", "<left>", "<left>", "<down>", "<enter>"] {
        terminal.keys(key);
        std::thread::sleep(Duration::from_millis(160));
    }
    terminal.wait_text("● light", SOON);
    terminal.keys("<down>");
    std::thread::sleep(Duration::from_millis(160));
    terminal.keys("<enter>");
    terminal.wait_line(&["theme", "high-contrast"], SOON);
    let written = || std::fs::read_to_string(&file).unwrap();
    terminal.wait_for("the file", SOON, |_| written().contains("high-contrast"));
    let text = written();
    assert!(text.contains("theme = \"high-contrast\"   # by the window"), "{text}");
    assert!(text.contains("ring_volume = 80"), "{text}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    leave(terminal);
}

#[test]
fn a_changed_file_counts_at_once_and_a_bad_one_keeps_the_old() {
    let terminal = Setup::towards(nobody()).start();
    let file = config_file(terminal.home().path());
    let good = std::fs::read_to_string(&file).unwrap();
    terminal.wait_text("parked · lot “front”", SOON);
    std::fs::write(&file, good.replace("[sound]", "[keys]\nreport = \"z\"\n[sound]")).unwrap();
    terminal.wait_text("the configuration was read again", SOON);
    terminal.keys("z");
    terminal.wait_text("today so far", SOON);
    terminal.keys("<esc>");
    std::fs::write(&file, good.replace("[sound]", "[calls]\nnigt = \"105\"\n[sound]")).unwrap();
    let said = terminal.wait_text("✕ config.toml, line 9, column 1:", SOON);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("did you mean “night”?"), "{said}");
    terminal.keys("z");
    terminal.wait_text("today so far", SOON);
    terminal.keys("<esc>");
    // Mended, it is no longer complained of.
    std::fs::write(&file, &good).unwrap();
    terminal.wait_for("the complaint gone", SOON, |screen| {
        screen.contains("the configuration was read again") && !screen.contains("✕ config.toml")
    });
    std::fs::write(&file, good.replace("701-704", "701-705")).unwrap();
    terminal.wait_text("the configuration was read again; accounts and lots only from", SOON);
    leave(terminal);
}

#[test]
fn a_wallboard_shows_who_waits_masked_and_outlives_the_console() {
    let home = home_with("[wallboard]\n");
    std::fs::remove_file(config_file(home.path())).unwrap();
    let console = demo(21).home(home.clone()).start();
    console.wait_line(&["RINGING", "Jane Doe"], SOON);
    let wall = parkdeck(&["wallboard", "--demo"]).home(home.clone()).start();
    wall.wait_text("1 RINGING", SOON);
    console.keys("<enter>");
    console.wait_line(&["talking", "Jane Doe"], SOON);
    console.keys("p");
    let shown = wall.wait_for("Jane, masked", SOON, |screen| screen.contains("J. D. …00"));
    assert!(shown.contains("1 parked") && !shown.contains("Jane"), "{shown}");
    leave(console);
    let shown = wall.wait_text("the console has ended", SOON);
    assert!(!shown.contains("J. D.") && shown.contains("? unknown"), "no lamp is believed: {shown}");
    let console = demo(21).home(home).start();
    wall.wait_gone("the console has ended", SOON);
    leave(console);
    let mut wall = wall;
    wall.keys("q");
    assert_eq!(wall.wait_exit(SOON).exit_code(), 0);
    assert_eq!(wall.unrestored(), Vec::<String>::new());
}

#[test]
fn the_configuration_can_be_named_before_and_behind_the_command() {
    let home = home_with("broken = ");
    let file = config_file(home.path());
    let other = home.path().join("other.toml");
    std::fs::write(
        &other,
        "[account]\nuser = \"a\"\nserver = \"x\"\npassword_env = \"P\"\n[lot]\nslots = \"1-2\"\n",
    )
    .unwrap();
    let other = other.to_str().unwrap();
    for arguments in [["--config", other, "check"], ["check", "--config", other]] {
        let ran = run(home.path(), &arguments, &[]);
        assert!(ran.code == Some(0) && ran.out.contains("well formed"), "{}{}", ran.out, ran.err);
    }
    assert_ne!(run(home.path(), &["check"], &[]).code, Some(0), "the usual file is broken");
    let named = [("PARKDECK_CONFIG", other)];
    assert_eq!(run(home.path(), &["check"], &named).code, Some(0));
    // The lot has a file of its own: the console's is never taken for it.
    let ran = run(home.path(), &["lot", "--config", file.to_str().unwrap()], &named);
    assert!(ran.code != Some(0) && ran.err.contains("config.toml"), "{}", ran.err);
    for arguments in [["lot", "reload", "--config", "/no/such"], ["lot", "--config", "/no/such", "reload"]] {
        let ran = run(home.path(), &arguments, &named);
        assert!(ran.code != Some(0), "{}", ran.out);
    }
}

#[test]
fn the_meter_moves_the_tone_is_heard_and_a_monitor_is_taken_only_after_a_yes() {
    let card = SoundCard::start(440);
    let server = nobody();
    let home = home_with(&format!(
        "[account]\nuser = \"reception\"\nserver = \"{server}\"\npassword_env = \"PARKDECK_TEST_PASSWORD\"\n\
         [lot]\nslots = \"701\"\n[sound]\ndriver = \"pulse\"   # the server\n\
         [calls]\nnight = \"105\"\nnight_hours = \"00:00-24:00\"\n"
    ));
    let file = config_file(home.path());
    let written = || std::fs::read_to_string(&file).unwrap();
    let variables = card.environment();
    let options =
        variables.iter().fold(parkdeck(&[]), |options, (name, value)| options.environment(name, value));
    let terminal = options.home(home.clone()).start();
    terminal.wait_text("parked · lot", SOON);
    terminal.wait_line(&["parkdeck", "NIGHT"], SOON);
    terminal.keys(",");
    terminal.wait_for("a microphone that hears something", SOON, |screen| {
        screen.lines().any(|line| line.contains("microphone") && line.contains('▇'))
    });
    terminal.keys("<down>t");
    assert!(card.hears(425.0, SOON), "ring-back, in the ear");
    terminal.keys("<up><enter>");
    let listed = terminal.wait_text("no microphone: hears the speaker", SOON);
    assert!(listed.contains("○ ") && listed.contains("● the system's choice"), "{listed}");
    terminal.keys("<down><down><down><down><down><enter>");
    terminal.wait_text("Use it all the same?", SOON);
    terminal.keys("n");
    terminal.wait_gone("Use it all the same?", SOON);
    assert!(!written().contains("headset_in"));
    terminal.keys("<enter>");
    terminal.wait_text("Use it all the same?", SOON);
    terminal.keys("y");
    terminal.wait_for("the file", SOON, |_| written().contains("headset_in = \"Monitor of"));
    assert!(written().contains("driver = \"pulse\"   # the server"));
    // The meter goes on with the other device; and closed, nobody listens any more.
    terminal.wait_text("Monitor of", SOON);
    terminal.keys("<esc>");
    terminal.wait_gone("ring volume", SOON);
    leave(terminal);
}
