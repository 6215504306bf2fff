//! Desk, phones and lot under a virtual clock and bad weather: no caller lost, no two callers joined, the right
//! caller back, nothing left over. A failing seed is printed; `PARKDECK_SEED=n` runs that one alone,
//! `PARKDECK_FIRST_SEED` and `PARKDECK_SEEDS` choose others than the first five hundred.

// A step that fails here is a test that fails, inside `#[test]` or not.
#![allow(clippy::unwrap_used)]

mod net;
mod people;
mod world;

use net::Weather;
use world::World;

/// How many seeds; the README's test command runs them all.
const SEEDS: u64 = 500;
/// Split among so many tests, so that both cores work.
const SHARES: u64 = 20;

fn seeds(share: u64) -> Vec<u64> {
    if let Some(seed) = std::env::var("PARKDECK_SEED").ok().and_then(|s| s.parse().ok()) {
        return if share == 0 { vec![seed] } else { Vec::new() };
    }
    let first = std::env::var("PARKDECK_FIRST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let count = std::env::var("PARKDECK_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(SEEDS);
    (first..first + count).filter(|seed| seed % SHARES == share).collect()
}

/// Runs a share of the seeds, every `each`-th of them.
fn run(share: u64, each: usize, new: fn(u64, Weather) -> World) {
    let (mut parks, mut retrieves) = (0, 0);
    let mut failures = Vec::new();
    for seed in seeds(share).into_iter().step_by(each) {
        let weather = Weather::of(seed);
        let mut world = new(seed, weather);
        world.run();
        parks += world.parks;
        retrieves += world.retrieves;
        if !world.broken.is_empty() {
            let story = &world.story[world.story.len().saturating_sub(60)..];
            let (story, broken) = (story.join("\n      "), world.broken.join("\n    "));
            failures.push(format!("PARKDECK_SEED={seed} {weather:?}\n      {story}\n    {broken}"));
        }
        if failures.len() >= 5 {
            break;
        }
    }
    assert!(failures.is_empty(), "{} seeds failed:\n{}", failures.len(), failures.join("\n"));
    // A world in which nobody parks proves nothing.
    let worlds = seeds(share).len().div_ceil(each);
    assert!(
        worlds < 10 || parks > 3 * worlds && retrieves > 2 * worlds,
        "{parks} parks and {retrieves} retrieves"
    );
}

#[test]
fn a_broken_promise_is_seen() {
    let mut world = World::new(1, Weather::of(0));
    world.break_promises();
    assert_eq!(world.broken.len(), 2, "{:?}", world.broken);
    assert!(world.broken[0].contains("joined") && world.broken[1].contains("lost"), "{:?}", world.broken);
}

macro_rules! shares {
    ($each:expr, $world:expr; $($name:ident = $share:expr),* $(,)?) => {$(
        #[test]
        fn $name() {
            run($share, $each, $world);
        }
    )*};
}

shares! { 1, World::new;
    no_caller_is_lost_or_joined_00 = 0,
    no_caller_is_lost_or_joined_01 = 1,
    no_caller_is_lost_or_joined_02 = 2,
    no_caller_is_lost_or_joined_03 = 3,
    no_caller_is_lost_or_joined_04 = 4,
    no_caller_is_lost_or_joined_05 = 5,
    no_caller_is_lost_or_joined_06 = 6,
    no_caller_is_lost_or_joined_07 = 7,
    no_caller_is_lost_or_joined_08 = 8,
    no_caller_is_lost_or_joined_09 = 9,
    no_caller_is_lost_or_joined_10 = 10,
    no_caller_is_lost_or_joined_11 = 11,
    no_caller_is_lost_or_joined_12 = 12,
    no_caller_is_lost_or_joined_13 = 13,
    no_caller_is_lost_or_joined_14 = 14,
    no_caller_is_lost_or_joined_15 = 15,
    no_caller_is_lost_or_joined_16 = 16,
    no_caller_is_lost_or_joined_17 = 17,
    no_caller_is_lost_or_joined_18 = 18,
    no_caller_is_lost_or_joined_19 = 19,
}

shares! { 4, World::with_two_lots;
    two_accounts_keep_their_promises_00 = 0,
    two_accounts_keep_their_promises_01 = 1,
    two_accounts_keep_their_promises_02 = 2,
    two_accounts_keep_their_promises_03 = 3,
    two_accounts_keep_their_promises_04 = 4,
    two_accounts_keep_their_promises_05 = 5,
    two_accounts_keep_their_promises_06 = 6,
    two_accounts_keep_their_promises_07 = 7,
    two_accounts_keep_their_promises_08 = 8,
    two_accounts_keep_their_promises_09 = 9,
    two_accounts_keep_their_promises_10 = 10,
    two_accounts_keep_their_promises_11 = 11,
    two_accounts_keep_their_promises_12 = 12,
    two_accounts_keep_their_promises_13 = 13,
    two_accounts_keep_their_promises_14 = 14,
    two_accounts_keep_their_promises_15 = 15,
    two_accounts_keep_their_promises_16 = 16,
    two_accounts_keep_their_promises_17 = 17,
    two_accounts_keep_their_promises_18 = 18,
    two_accounts_keep_their_promises_19 = 19,
}

#[test]
fn one_account_down_leaves_the_other_at_work() {
    World::with_two_lots(1, Weather::of(0)).one_house_goes_dark();
}
