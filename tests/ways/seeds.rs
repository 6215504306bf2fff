//! The property: whatever people do in whatever weather, nobody is lost and no two are joined.

use super::console::dialect;
use super::model::{CALLERS, CallerId, Place};
use super::net::Weather;
use super::pbx::{Setup, Tells};
use super::world::World;
use parkdeck::desk::Command;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::{Duration, Instant};

/// How long people act; then everybody hangs up.
const BUSY_FOR: Duration = Duration::from_secs(30);

/// A house as the seed has it.
fn house(seed: u64) -> (Setup, bool) {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x0a57);
    let setup = Setup {
        slots: rng.random_range(1..=4),
        hidden: usize::from(rng.random_bool(0.1)),
        tells: if rng.random_bool(0.8) { Tells::Identity } else { Tells::Nothing },
        feature_codes: rng.random_bool(0.5),
        parking_time: Duration::from_secs(rng.random_range(8..40)),
        comeback_rings: Duration::from_secs(rng.random_range(4..12)),
        lamps_late: Duration::from_millis(if rng.random_bool(0.2) { 400 } else { 0 }),
        silent_callers: Duration::from_millis(if rng.random_bool(0.2) { 500 } else { 0 }),
        ..Setup::asterisk()
    };
    (setup, rng.random_bool(0.3))
}

/// Plays one seed to its end.
fn play(seed: u64) -> World {
    let (setup, prefix) = house(seed);
    let dialect = dialect(&setup, prefix);
    let mut rng = StdRng::seed_from_u64(seed);
    let consoles = if rng.random_bool(0.5) { 2 } else { 1 };
    let mut world = World::new(setup, consoles, &dialect, seed, Weather::of(seed));
    world.begin();
    world.run(2_000);
    let until = world.now + BUSY_FOR;
    while world.now < until && world.broken.is_empty() {
        act(&mut world, &mut rng);
        world.run(rng.random_range(20..1_500));
    }
    if world.broken.is_empty() {
        world.ends();
    }
    world
}

/// One thing that people do.
fn act(world: &mut World, rng: &mut StdRng) {
    let console = rng.random_range(0..world.consoles.len());
    match rng.random_range(0..100) {
        0..22 => {
            let caller = CallerId(rng.random_range(0..CALLERS.len()));
            match world.place(caller) {
                Place::Outside => world.rings_at(console, caller),
                _ if rng.random_bool(0.2) => world.hangs_up(caller),
                _ => {}
            }
        }
        22..26 => {
            world.colleague_takes(rng.random_range(0..world.pbx.setup.slots));
        }
        26..30 => {
            let caller = CallerId(rng.random_range(0..CALLERS.len()));
            match world.place(caller) {
                Place::Outside | Place::Colleague => {
                    world.colleague_parks(caller);
                }
                _ => {}
            }
        }
        30..31 => {
            world.dark = !world.dark;
        }
        31 if rng.random_bool(0.3) => world.restart(),
        _ => {
            if let Some(key) = world.consoles[console].key(rng) {
                world.press_at(console, key);
            }
        }
    }
}

#[test]
fn figures() {
    let count = std::env::var("PARKDECK_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(200);
    let first = std::env::var("PARKDECK_SEED").ok().and_then(|s| s.parse().ok());
    let seeds = first.map_or(0..count, |seed: u64| seed..seed + 1);
    let begun = Instant::now();
    let (mut parks, mut retrieves, mut datagrams, mut failed) = (0, 0, 0, Vec::new());
    let mut n = 0;
    for seed in seeds {
        n += 1;
        let world = play(seed);
        parks += world.pbx.model.parks;
        retrieves += world.pbx.model.retrieves;
        datagrams += world.datagrams;
        if !world.broken.is_empty() {
            failed.push(format!("PARKDECK_SEED={seed} {}", if failed.len() < 4 { world.tells() } else { world.broken.join("; ").chars().take(200).collect::<String>() }));
        }
    }
    let ms = begun.elapsed().as_millis();
    let figures = format!("{n} worlds, {parks} parks, {retrieves} retrieves, {datagrams} datagrams, {ms} ms");
    assert!(failed.is_empty() && n == 1, "{figures}; {} failed\n{}", failed.len(), failed.join("\n"));
}
#[allow(dead_code)]
fn unused(_: Command) {}
