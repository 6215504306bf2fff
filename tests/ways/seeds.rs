//! The property: whatever people do in whatever weather, nobody is lost and no two are joined. A failing seed is
//! printed; `PARKDECK_SEED=n` runs that one alone (of each server), `PARKDECK_SEEDS` chooses how many of each server,
//! `PARKDECK_FIRST_SEED` where they begin. The ordinary run takes a share, the `#[ignore]`d test all ten thousand.

use super::console::dialect;
use super::model::{CALLERS, CallerId, Place};
use super::net::Weather;
use super::pbx::{Kind, Setup, Tells};
use super::world::World;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::{Duration, Instant};

/// How long people act; then everybody hangs up.
const BUSY_FOR: Duration = Duration::from_secs(30);
/// How many seeds there are, of all servers together.
const ALL: u64 = 10_000;
/// How many of them the ordinary run takes.
const ORDINARY: u64 = 600;
/// Split among so many tests of each server, so that both cores work.
const SHARES: u64 = 2;

/// A house as the seed has it.
fn house(kind: Kind, seed: u64) -> (Setup, bool) {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x0a57);
    let mut setup = Setup {
        slots: rng.random_range(1..=4),
        hidden: usize::from(rng.random_bool(0.1)),
        tells: if rng.random_bool(0.8) { Tells::Identity } else { Tells::Nothing },
        feature_codes: rng.random_bool(0.5),
        parking_time: Duration::from_secs(rng.random_range(8..40)),
        comeback_rings: Duration::from_secs(rng.random_range(4..12)),
        lamps_late: Duration::from_millis(if rng.random_bool(0.2) { 400 } else { 0 }),
        silent_callers: Duration::from_millis(if rng.random_bool(0.2) { 500 } else { 0 }),
        announces: rng.random_bool(0.3),
        ..Setup::of(kind)
    };
    let prefix = rng.random_bool(0.3);
    if kind == Kind::Asterisk && setup.slots > 1 && rng.random_bool(0.4) {
        setup.second = rng.random_range(1..setup.slots);
    }
    (setup, prefix)
}

/// Plays one seed to its end.
fn play(kind: Kind, seed: u64) -> World {
    let (setup, prefix) = house(kind, seed);
    let dialect = dialect(&setup, prefix);
    let mut rng = StdRng::seed_from_u64(seed);
    let consoles = if rng.random_bool(0.5) { 2 } else { 1 };
    let mut world = World::new(setup, consoles, &dialect, seed, Weather::of(seed));
    world.begin();
    world.run(2_000);
    let until = world.now + BUSY_FOR;
    let calm = Weather::of(seed).loss == 0.0;
    let mut troubled = false;
    while world.now < until && world.broken.is_empty() {
        act(&mut world, &mut rng);
        world.run(rng.random_range(20..1_500));
        if calm && !troubled && world.broken.is_empty() {
            world.nobody_is_shown_as_another();
        }
        troubled |= world.dark;
    }
    if world.broken.is_empty() {
        world.ends();
    }
    world
}

/// One thing that people do, or that befalls them.
fn act(world: &mut World, rng: &mut StdRng) {
    let console = rng.random_range(0..world.consoles.len());
    let caller = CallerId(rng.random_range(0..CALLERS.len()));
    match rng.random_range(0..100) {
        0..22 => match world.place(caller) {
            Place::Outside => world.rings_at(console, caller),
            _ if rng.random_bool(0.2) => world.hangs_up(caller),
            _ => {}
        },
        22..26 => {
            world.colleague_takes(rng.random_range(0..world.pbx.setup.slots));
        }
        26..30 if matches!(world.place(caller), Place::Outside | Place::Colleague) => {
            world.colleague_parks(caller);
        }
        30 => world.dark = !world.dark,
        31 if rng.random_bool(0.3) => world.restart(),
        _ => {
            if let Some(key) = world.consoles[console].key(rng) {
                world.press_at(console, key);
            }
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|s| s.parse().ok())
}

/// Every so-manyth seed of a server.
fn run(kind: Kind, count: u64, share: u64, shares: u64) {
    let (first, count) = match number("PARKDECK_SEED") {
        Some(_) if share > 0 => return,
        Some(seed) => (seed, 1),
        None => (number("PARKDECK_FIRST_SEED").unwrap_or(0), number("PARKDECK_SEEDS").unwrap_or(count)),
    };
    let shares = if count == 1 { 1 } else { shares };
    let begun = Instant::now();
    let (mut worlds, mut parks, mut retrieves) = (0, 0, 0);
    let mut failures = Vec::new();
    for seed in
        (first..first + count).skip(usize::try_from(share).unwrap()).step_by(usize::try_from(shares).unwrap())
    {
        let world = play(kind, seed);
        worlds += 1;
        parks += world.pbx.model.parks;
        retrieves += world.pbx.model.retrieves;
        if !world.broken.is_empty() {
            failures.push(format!("PARKDECK_SEED={seed} {kind:?}{}", world.tells()));
        }
        if failures.len() >= 5 {
            break;
        }
    }
    let took = begun.elapsed();
    println!("{kind:?}: {worlds} worlds, {parks} parks, {retrieves} retrieves, {took:.1?}");
    assert!(failures.is_empty(), "{} seeds failed:\n{}", failures.len(), failures.join("\n"));
    // A world in which nobody parks proves nothing.
    assert!(
        worlds < 10 || 2 * parks > worlds && 4 * retrieves > worlds,
        "{parks} parks and {retrieves} retrieves"
    );
}

fn ordinary(kind: Kind, share: u64) {
    run(kind, ORDINARY / Kind::ALL.len() as u64, share, SHARES);
}

#[test]
#[ignore = "a quarter of an hour: the ordinary run takes every tenth of them"]
fn nobody_is_lost_and_no_two_are_joined_in_ten_thousand_worlds() {
    let each = ALL.div_ceil(Kind::ALL.len() as u64);
    std::thread::scope(|scope| {
        let shares: Vec<_> = (0..2)
            .map(|share| scope.spawn(move || Kind::ALL.iter().for_each(|kind| run(*kind, each, share, 2))))
            .collect();
        assert!(shares.into_iter().all(|share| share.join().is_ok()), "see above");
    });
}

macro_rules! servers {
    ($($name:ident = $kind:expr),* $(,)?) => {$(
        mod $name {
            use super::*;

            #[test]
            fn nobody_is_lost_and_no_two_are_joined_0() {
                ordinary($kind, 0);
            }

            #[test]
            fn nobody_is_lost_and_no_two_are_joined_1() {
                ordinary($kind, 1);
            }

        }
    )*};
}

servers! {
    asterisk = Kind::Asterisk,
    asterisk_dtmf = Kind::AsteriskDtmf,
    freeswitch = Kind::FreeSwitch,
    broadworks = Kind::BroadWorks,
    portsip = Kind::PortSip,
    generic = Kind::Generic,
}
