//! The lot in virtual time: real user agents as phones, a pure wire between them, and a model of the media engine.

mod authority;
mod calls;
mod comeback;
mod days;
mod events;
mod groups;
mod hostile;
mod lamps;
mod messages;
mod office;
mod options;
mod paging;
mod parking;
mod pickup;
mod redirects;
mod restart;
mod retrieving;
mod servers;
mod trunk;
mod wire;

use super::*;
use wire::World;

/// An office: two at the desk, a workshop phone without rights, and callers who come in through a gateway's rights.
const OFFICE: &str = r#"
    listen = "192.0.2.1:5060"
    realm = "parkdeck"
    users = [
      { name = "ann", secret = "ann", display_name = "Ann", extension = "100" },
      { name = "bob", secret = "bob", display_name = "Bob", extension = "101" },
      { name = "shop", secret = "shop", display_name = "Shop", extension = "102", permissions = { park = false, retrieve = false } },
      { name = "jane", secret = "jane", permissions = { park = false, retrieve = false, assert_identity = true } },
      { name = "kurt", secret = "kurt", permissions = { park = false, retrieve = false, assert_identity = true } },
    ]
    [[lots]]
    name = "front"
    parkpos = "701-703"
    parkingtime = 60
    comebackdialtime = 20
"#;

const ANN: usize = 0;
const BOB: usize = 1;
const SHOP: usize = 2;
const JANE: usize = 3;
const KURT: usize = 4;

/// The office with everybody registered.
fn office() -> World {
    office_with("")
}

/// The same with other options for the lot.
fn office_with(lot_lines: &str) -> World {
    office_of(lot_lines, "")
}

/// The same with more than the lot: groups, trunks.
fn office_of(lot_lines: &str, more: &str) -> World {
    office_as(|config| {
        let other: toml::Table = lot_lines.parse().unwrap();
        config["lots"][0].as_table_mut().unwrap().extend(other);
        config.extend(more.parse::<toml::Table>().unwrap());
    })
}

/// The same with a configuration that is changed before it is read.
fn office_as(change: impl FnOnce(&mut toml::Table)) -> World {
    let mut config: toml::Table = OFFICE.parse().unwrap();
    change(&mut config);
    open_office(config.try_into().unwrap())
}

/// An office of this configuration with everybody registered.
fn open_office(config: LotConfig) -> World {
    assert_eq!(config.problems(), []);
    let mut world = World::new(config, 1);
    for (name, display) in
        [("ann", "Ann"), ("bob", "Bob"), ("shop", "Shop"), ("jane", "Jane Doe"), ("kurt", "Kurt Weill")]
    {
        let phone = world.add_phone(name, name, display);
        world.register(phone);
    }
    world.run_ms(100);
    assert_eq!(world.lot.census().phones, 5);
    world
}

/// Jane calls Ann, who answers. Jane's call and Ann's.
fn jane_talks_with_ann(world: &mut World) -> (CallKey, CallKey) {
    talk(world, JANE, ANN, "100")
}

/// One calls another, who answers.
fn talk(world: &mut World, from: usize, to: usize, extension: &str) -> (CallKey, CallKey) {
    let out = world.dial(from, extension);
    world.run_ms(50);
    let incoming = world.ringing(to);
    world.answer(to, incoming);
    world.run_ms(50);
    assert!(world.talk(from, to), "{:?}", world.notices);
    (out, incoming)
}

/// Ann parks Jane; the slot.
fn ann_parks_jane(world: &mut World) -> (CallKey, String) {
    let (jane, ann) = jane_talks_with_ann(world);
    let refer = world.refer(ANN, ann, "700", &[]);
    world.run_ms(100);
    let slot = world.parked_slot(ANN, refer);
    assert!(world.is_over(ANN, ann), "the end of our leg is the proof");
    assert!(world.hears_music(JANE));
    (jane, slot)
}
