//! Every option of Asterisk's call parking, one test each, named after the option and reading like its description; and
//! those of our own beside them. All over a virtual clock.
//!
//! | file | options |
//! | --- | --- |
//! | `extensions` | parkext, parkext_exclusive, parkpos, context, parkinghints, findslot, several lots |
//! | `dynamic` | parkeddynamic and what the PARKINGDYN… variables say |
//! | `times` | parkingtime, comebacktoorigin, comebackdialtime, comebackcontext's role, comebackwhenidle, exitkey |
//! | `sounds` | parkedmusicclass, courtesytone, parkedplay, park and announce, what the parker hears |
//! | `features` | one-step parking and its permissions, parkedcallreparking, -transfers, -hangup |
//! | `rights` | who may park and retrieve, where; what the parker is told; addresses that can be handed on |

mod dynamic;
mod extensions;
mod features;
mod rights;
mod sounds;
mod times;

use super::*;

/// A second lot beside the office's own, with these options.
fn and_a_second_lot(config: &mut toml::Table, lines: &str) {
    let lot: toml::Table = lines.parse().unwrap();
    config["lots"].as_array_mut().unwrap().push(lot.into());
}

/// Other options for a user.
fn of_user(config: &mut toml::Table, user: usize, lines: &str) {
    let other: toml::Table = lines.parse().unwrap();
    config["users"][user].as_table_mut().unwrap().extend(other);
}

/// Somebody calls Ann, who sends the call to `extension`; where it is parked, or the refusal.
fn park_by(world: &mut World, caller: usize, parker: usize, extension: &str) -> Result<String, u16> {
    let number = ["100", "101", "102"][parker];
    let (_, at_parker) = talk(world, caller, parker, number);
    let refer = world.refer(parker, at_parker, extension, &[]);
    world.run_ms(100);
    match world.refusal(parker, refer) {
        Some(status) => {
            assert!(world.talk(caller, parker), "whoever isn't parked stays");
            Err(status)
        }
        None => Ok(world.parked_slot(parker, refer)),
    }
}

/// The options of the first lot, as a reader of TOML takes them.
fn read(lot_lines: &str) -> Result<LotConfig, String> {
    let mut config: toml::Table = OFFICE.parse().unwrap();
    let other: toml::Table = lot_lines.parse().map_err(|error| format!("{error}"))?;
    config["lots"][0].as_table_mut().unwrap().extend(other);
    let config: LotConfig = config.try_into().map_err(|error: toml::de::Error| error.to_string())?;
    match config.problems().first() {
        Some(problem) => Err(format!("{}: {}", problem.path, problem.message)),
        None => Ok(config),
    }
}
