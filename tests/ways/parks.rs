//! Ways to lose a caller while he is being parked.

use super::console::Console;
use super::model::{BOB, JANE, PATEL, Place, Why};
use super::pbx::{Setup, Tells};
use super::world::{Mishap, World};
use parkdeck::desk::{Command, Phase};
use parkdeck::parking::Lamp;
use std::time::Duration;

const PARK: Command = Command::Park { slot: None };

#[test]
fn a_202_and_a_sipfrag_200_without_a_lamp_never_end_our_leg() {
    let mut world = World::jane_talks(Setup { swallows_refer: true, ..Setup::asterisk() });
    world.press(PARK);
    world.run(1_000);
    assert!(matches!(world.place(JANE), Place::With(_)));
    world.run(20_000);
    world.talks_with(JANE);
    world.told("Jane Doe is with you");
    world.keeps_its_promises();
}

#[test]
fn a_full_lot_that_says_200_keeps_its_caller() {
    let mut world = World::jane_talks(Setup { slots: 1, hidden: 0, ..Setup::asterisk() });
    // Taken, and the lamp has not told it yet.
    world.pbx.setup.lamps_late = Duration::from_secs(30);
    world.colleague_parks(BOB);
    world.press(PARK);
    world.run(25_000);
    world.talks_with(JANE);
    world.told("park failed");
    world.pbx.setup.lamps_late = Duration::ZERO;
    world.keeps_its_promises();
}
