//! How the server parks and which are its slots: taken from what it tells, and asked where it tells nothing.

use super::ask::Asker;
use super::found::{Found, USUAL_SLOTS, dialects};
use super::{Wish, doctor};
use crate::app::doctor::{Examined, in_short};
use crate::config::slot_list;
use crate::dialect::Preset;
use crate::parking::SlotId;
use color_eyre::eyre::eyre;
use secrecy::SecretString;

/// Asks until dialect, park extension and slots are known, or known to be untold.
///
/// # Errors
/// When nobody can be asked.
pub(super) fn find(
    asker: &Asker,
    wish: &Wish,
    found: &mut Found,
    password: &SecretString,
) -> color_eyre::Result<()> {
    dialect(asker, wish, found)?;
    if let Some(extension) = &wish.park_extension {
        extension.clone_into(&mut found.park_extension);
    }
    if let Some(slots) = &wish.slots {
        found.slots = slot_list([slots.as_str()]).map_err(|why| eyre!("--slots: {why}"))?;
        found.slots_told = false;
    }
    if found.slots_told {
        asker.say(&format!("It tells the lamps of {}.", in_short(&found.slots)))?;
    } else if wish.slots.is_none() {
        asker.say(&format!("It tells no lamp at {USUAL_SLOTS}, where slots usually are."))?;
    }
    if !asker.is_unasked() {
        answers(asker, wish, found)?;
    }
    loop {
        asker.say(&format!(
            "Looking at {} and at the park extension {} …",
            in_short(&found.slots),
            found.park_extension
        ))?;
        let examined = examine(found, password)?;
        if judge(asker, found, &examined)? || asker.is_unasked() {
            return Ok(());
        }
        if !asker.yes("Other slots, or another park extension?", true)? {
            asker.say("Without them callers can be held and handed over, not parked.")?;
            return Ok(());
        }
        answers(asker, &Wish::default(), found)?;
    }
}

fn dialect(asker: &Asker, wish: &Wish, found: &mut Found) -> color_eyre::Result<()> {
    let known = |name: &str| Preset::names().any(|preset| preset == name);
    if wish.dialect.is_some() || known(&found.dialect) && found.dialect != "generic" {
        return match known(&found.dialect) {
            true => Ok(()),
            false => Err(eyre!("there is no dialect “{}”; there are {}", found.dialect, dialects())),
        };
    }
    if asker.is_unasked() {
        return Ok(());
    }
    loop {
        let question = format!("How does it park? One of {}", dialects());
        let name = asker.line(&question, &found.dialect, "--dialect")?;
        if known(&name) {
            found.dialect = name;
            return Ok(());
        }
        asker.say(&format!("There is no dialect “{}”.\n", crate::parking::Text::new(&name)))?;
    }
}

/// Asks for slots and park extension.
fn answers(asker: &Asker, wish: &Wish, found: &mut Found) -> color_eyre::Result<()> {
    while wish.slots.is_none() {
        let usual = in_short(&found.slots).replace('–', "-");
        let typed = asker.line("Slots (as 701-709, 711)", &usual, "--slots")?;
        match slot_list([typed.as_str()]) {
            Ok(slots) => {
                found.slots_told &= slots == found.slots;
                found.slots = slots;
                break;
            }
            Err(why) => asker.say(&format!("That can't be: {why}.\n"))?,
        }
    }
    while wish.park_extension.is_none() {
        let typed = asker.line("Extension that parks", &found.park_extension, "--park-extension")?;
        let slot = SlotId::new(&typed);
        match slot {
            Some(slot) if found.slots.contains(&slot) => asker.say(&format!("{slot} is a slot itself.\n"))?,
            Some(_) => {
                found.park_extension = typed;
                break;
            }
            None => asker.say("That is no extension.\n")?,
        }
    }
    Ok(())
}

fn examine(found: &Found, password: &SecretString) -> color_eyre::Result<Examined> {
    let config = super::config(found)?;
    let dialects = super::dialects::of(&config, None)?;
    let quick = doctor::Wish { quick: true, ..doctor::Wish::default() };
    doctor::examine_account(&config, &dialects, password.clone(), &quick, false)
}

/// Says what is wrong with them; whether all is well.
fn judge(asker: &Asker, found: &mut Found, examined: &Examined) -> color_eyre::Result<bool> {
    let untold: Vec<SlotId> =
        found.slots.iter().filter(|slot| !examined.slots.contains(slot)).cloned().collect();
    found.slots_told = untold.is_empty();
    let parks = examined.parks != Some(false);
    if found.slots_told {
        asker.say(&format!("The lamps of {} are told.", in_short(&found.slots)))?;
    } else {
        asker.say(&format!("The server tells nothing of {}.", in_short(&untold)))?;
        let others: Vec<SlotId> =
            examined.slots.iter().filter(|slot| !untold.contains(slot)).cloned().collect();
        if !others.is_empty() {
            asker.say(&format!("It does of {}.", in_short(&others)))?;
            found.slots = others;
        }
    }
    if !parks {
        asker.say(&format!("{} can't be dialled by this account: it parks nobody.", found.park_extension))?;
    }
    if !(found.slots_told && parks) {
        let findings = examined.findings.iter().filter(|finding| !finding.advice.is_empty());
        for advice in findings.flat_map(|finding| &finding.advice) {
            asker.say(&format!("  → {advice}"))?;
        }
    }
    Ok(found.slots_told && parks)
}
