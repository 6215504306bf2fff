//! 24 simulated hours of one phone with 500 lamps: its server restarts, its own address changes, and the wire loses,
//! doubles and reorders 1 to 30 of a hundred datagrams. Afterwards every lamp is what a fresh start would show, and when
//! the phone has left nothing is left over: no dialog, transaction, timer or port.
//!
//! Seeds are printed; `PARKDECK_SEED=n` runs that one alone, `PARKDECK_SOAK_SEEDS=n` so many of them (1), and
//! `PARKDECK_SOAK_HOURS=n` so many hours (24).

// A step that fails here is a test that fails, inside `#[test]` or not; what it did is worth a line.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod pbx;
mod world;

use world::World;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|s| s.parse().ok())
}

#[test]
fn after_24_hours_of_bad_weather_all_is_as_after_a_fresh_start() {
    let seeds = match number("PARKDECK_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("PARKDECK_SOAK_SEEDS").unwrap_or(1)).collect(),
    };
    let hours = number("PARKDECK_SOAK_HOURS").unwrap_or(24);
    for seed in seeds {
        let began = std::time::Instant::now();
        let mut world = World::new(seed);
        world.run_hours(hours);
        world.settle();
        let wrong = world.differs_from_a_fresh_start();
        let figures = world.figures();
        println!("PARKDECK_SEED={seed}: {figures}, in {:.1} s", began.elapsed().as_secs_f64());
        assert!(wrong.is_empty(), "PARKDECK_SEED={seed}: {wrong:#?}");
        let left = world.leave();
        assert!(left.is_empty(), "PARKDECK_SEED={seed}: {left:#?}");
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed| {
        let mut world = World::new(seed);
        world.run_hours(1);
        world.figures()
    };
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}

/// A lamp that is made to lie is found out: the comparison sees what it is for.
#[test]
fn a_lamp_that_lies_is_seen() {
    let mut world = World::new(1);
    world.settle();
    assert_eq!(world.differs_from_a_fresh_start(), Vec::<String>::new());
    world.make_one_lamp_lie();
    assert_eq!(world.differs_from_a_fresh_start().len(), 1);
}
