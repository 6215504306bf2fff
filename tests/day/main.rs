//! A receptionist's day, played: callers of the demo ring, and every task of a switchboard is done by key strings. Nobody
//! is lost, the journal says of each call what became of it, and the screens at set moments are committed.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `world` | the day in virtual time: lot, callers, Sam, engine, screen |
//! | `tasks` | what a receptionist does, in key strings |
//! | `keys.md` | how many keys each task takes, here and elsewhere |
//! | `kill` | the real program, killed in the middle of it |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what helps a test may fail it"
)]

mod kill;
#[path = "../peers/mod.rs"]
mod peers;
mod tasks;
mod world;

use parkdeck::desk::{CallWay, Fate, Outcome};
use std::collections::BTreeMap;
use std::time::Duration;
use tasks::{TASKS, Task};
use world::Day;

/// Callers of the day in the ordinary run; all of them with `--run-ignored`.
const CALLERS: usize = 60;
const CALLERS_OF_A_DAY: usize = 200;

/// Plays until so many have rung; tells how often each task came to its end, and with how many keys.
fn play(
    day: &mut Day,
    callers: usize,
    mut after: impl FnMut(&mut Day, usize),
) -> BTreeMap<&'static str, Vec<usize>> {
    let mut done: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
    for (nth, (name, task)) in TASKS.iter().cycle().enumerate() {
        let task: &Task = &(*name, *task);
        if day.rang.len() >= callers && nth >= TASKS.len() {
            break;
        }
        // Whoever came in between is served first: a task begins with nobody in hand.
        serve(day);
        day.keys_pressed();
        let ended = (task.1)(day);
        let keys = day.keys_pressed();
        day.story.push(format!("{} {name}: {}", day.clock(), if ended { "done" } else { "cut short" }));
        if ended {
            done.entry(name).or_default().push(keys);
        }
        after(day, nth);
    }
    serve(day);
    done
}

/// Serves everybody who is on the board: answered or fetched, spoken to, and let go.
fn serve(day: &mut Day) {
    day.keys("esc");
    for _ in 0..40 {
        let desk = day.desk();
        let waits = desk.longest_ringing().is_some()
            || desk.calls.iter().any(|call| call.phase == parkdeck::desk::Phase::Held);
        if desk.hand().is_some_and(|call| call.phase != parkdeck::desk::Phase::Ringing) {
            tasks::hang_up(day);
        } else if waits {
            day.keys("enter");
            day.wait(4, |desk| desk.hand().is_some_and(|call| call.phase == parkdeck::desk::Phase::Talking));
        } else if desk.longest_parked().is_some() {
            day.keys("r");
            day.wait(4, |desk| desk.hand().is_some_and(|call| call.phase == parkdeck::desk::Phase::Talking));
        } else {
            return;
        }
        day.pass(Duration::from_secs(1));
    }
}

/// What became of everybody: by the callers themselves and by the journal.
fn nobody_is_lost(day: &Day) {
    let story = || day.story.join("\n");
    let inbound = day.calls.values().filter(|call| call.way == CallWay::In).count();
    assert_eq!(inbound, day.rang.len(), "each caller is in the journal once\n{}", story());
    for call in day.calls.values() {
        let bad = matches!(call.outcome, Outcome::Open | Outcome::Lost | Outcome::Interrupted);
        assert!(!bad && call.ended_ms.is_some(), "{call:?}\n{}", story());
    }
    for park in day.parks.values() {
        assert!(park.fate != Fate::Waiting && park.left_ms.is_some(), "{park:?}\n{}", story());
    }
    assert!(day.desk().calls.is_empty() && day.desk().longest_parked().is_none(), "{}", story());
    let broken = day.desk().notices.iter().find(|n| n.text.as_str().contains("can't be trusted"));
    assert_eq!(broken, None);
}

#[test]
fn a_day_is_played_and_nobody_is_lost() {
    let mut day = Day::new(4);
    let done = play(&mut day, CALLERS, |day, nth| {
        // The board after certain tasks, as it stands.
        let moment = match TASKS.get(nth).map(|(name, _)| *name) {
            Some("answer, talk, hang up") => "after_the_first_call",
            Some("note, park, retrieve the longest") => "after_a_note",
            Some("let a parked caller come back") => "after_a_comeback",
            _ => return,
        };
        insta::assert_snapshot!(moment, day.screen());
    });
    day.end();
    nobody_is_lost(&day);
    let missing: Vec<&str> =
        TASKS.iter().map(|(name, _)| *name).filter(|name| !done.contains_key(name)).collect();
    assert!(missing.is_empty(), "never came to their ends: {missing:?}\n{}", day.story.join("\n"));
    day.keys("R");
    insta::assert_snapshot!("the_report_of_the_day", day.screen());
    day.keys("esc J");
    insta::assert_snapshot!("the_journal_of_the_day", day.screen());
    the_table_is_true(&done);
}

#[test]
fn a_day_in_the_making_looks_like_this() {
    let mut day = Day::new(4);
    day.wait(30, |desk| desk.longest_ringing().is_some());
    insta::assert_snapshot!("morning_it_rings", day.screen());
    day.keys("enter n");
    day.types("for Sam, about the invoice");
    insta::assert_snapshot!("morning_a_note_is_typed", day.screen());
    day.keys("enter p");
    insta::assert_snapshot!("morning_parked", day.screen());
    day.wait(60, |desk| desk.calls.len() > 1 || desk.longest_ringing().is_some());
    day.pass(Duration::from_secs(12));
    insta::assert_snapshot!("morning_somebody_waits_long", day.screen());
    day.keys("enter t s a");
    insta::assert_snapshot!("morning_to_whom", day.screen());
    day.keys("esc l");
    let ladder = day.screen();
    assert!(ladder.contains("ladder · "), "{ladder}");
    day.keys("esc");
    serve(&mut day);
    day.end();
    nobody_is_lost(&day);
}

#[test]
#[ignore = "all 200 callers of a day, with four seeds: minutes"]
fn all_callers_of_four_days_are_served() {
    for seed in 1..=4 {
        let mut day = Day::new(seed);
        let done = play(&mut day, CALLERS_OF_A_DAY, |_, _| {});
        day.end();
        nobody_is_lost(&day);
        println!(
            "seed {seed}: {} callers, {} calls, {} parks, {} tasks done at {}",
            day.rang.len(),
            day.calls.len(),
            day.parks.len(),
            done.values().map(Vec::len).sum::<usize>(),
            day.clock()
        );
    }
}

/// `keys.md` says how many keys each task takes; these are the fewest that were pressed.
fn the_table_is_true(done: &BTreeMap<&'static str, Vec<usize>>) {
    let table = include_str!("keys.md");
    let mut untrue = Vec::new();
    for (name, keys) in done {
        let fewest = keys.iter().min().unwrap();
        // What isn't one task of a phone isn't in the table.
        let Some(row) = table.lines().find(|line| line.starts_with(&format!("| {name} |"))) else { continue };
        let told = row.split('|').nth(2).unwrap().trim();
        if told != fewest.to_string() {
            untrue.push(format!("{name}: {told} is told, {fewest} were pressed"));
        }
    }
    assert!(untrue.is_empty(), "tests/day/keys.md: {untrue:?}");
}
