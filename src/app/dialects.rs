//! The dialects of the configured servers: presets, or the user's own files, which go before a preset of the same name.

use crate::config::load::{self, LoadError};
use crate::config::{self, Config, ConfigError, Lamps};
use crate::dialect::{Dialect, LampEvent, LotNumbers, Preset};
use std::path::Path;

/// The dialect of each account's server with its lots, in their order; the user's own files are in `folder`.
///
/// # Errors
/// What is wrong with a file, with line and column.
pub fn of(config: &Config, folder: Option<&Path>) -> Result<Vec<Dialect>, LoadError> {
    config.accounts.iter().map(|account| of_account(account, folder)).collect()
}

fn of_account(account: &config::Account, folder: Option<&Path>) -> Result<Dialect, LoadError> {
    let mut preset = preset(&account.dialect, folder)?;
    let first = match account.lamps {
        Lamps::Auto => None,
        Lamps::Dialog => Some(LampEvent::Dialog),
        Lamps::Presence => Some(LampEvent::Presence),
        Lamps::Callpark => Some(LampEvent::CallPark),
    };
    if let Some(first) = first {
        let events = &mut preset.lamps.events;
        events.retain(|event| *event != first);
        events.insert(0, first);
    }
    let numbers = |lot: &config::Lot| LotNumbers {
        park_extension: Some(lot.park_extension.clone()),
        directed_prefix: lot.directed_prefix.clone(),
        list: lot.list.clone(),
        slots: lot.slots.clone(),
    };
    let dialect = Dialect::new(&account.dialect, preset, account.lots.iter().map(numbers).collect());
    Ok(Dialect {
        own: account.user.clone(),
        device: account.ami.as_ref().and_then(|ami| ami.device.clone()),
        has_mailbox: account.voicemail.is_some(),
        ..dialect
    })
}

/// Reads a dialect by its name.
///
/// # Errors
/// There is none, or it is wrong.
pub fn preset(name: &str, folder: Option<&Path>) -> Result<Preset, LoadError> {
    let own = folder.map(|folder| folder.join(format!("{name}.toml")));
    if let Some(file) = own.filter(|file| file.exists()) {
        return read(&file);
    }
    Preset::named(name).ok_or_else(|| LoadError::Absent { file: format!("dialects/{name}.toml") })
}

/// Reads a dialect's file, strictly.
///
/// # Errors
/// What is wrong with it.
pub fn read(file: &Path) -> Result<Preset, LoadError> {
    let (preset, text): (Preset, String) = load::file(file)?;
    match ConfigError::at_paths(&text, &file.display().to_string(), preset.problems()) {
        Some(error) => Err(error.into()),
        None => Ok(preset),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_knows_the_presets_by_name() {
        assert!(Preset::names().eq(config::DIALECTS));
    }

    #[test]
    fn a_file_of_the_users_own_goes_before_the_preset_and_is_read_strictly() {
        let dir = tempfile::tempdir().unwrap();
        let text = Preset::text("asterisk").unwrap();
        let own = text.replace("patience = 8", "patience = 12");
        std::fs::write(dir.path().join("asterisk.toml"), own).unwrap();
        assert_eq!(preset("asterisk", Some(dir.path())).unwrap().proof.patience, 12);
        assert_eq!(preset("asterisk", None).unwrap().proof.patience, 8);
        std::fs::write(dir.path().join("ours.toml"), text.replace("{prefix}{slot}", "{slot}")).unwrap();
        let error = preset("ours", Some(dir.path())).unwrap_err().to_string();
        assert!(error.contains("ours.toml:") && error.contains("[never] forbids"), "{error}");
        std::fs::write(dir.path().join("ours.toml"), text.replace("patience", "patiense")).unwrap();
        let error = preset("ours", Some(dir.path())).unwrap_err().to_string();
        assert!(error.contains("did you mean “patience”"), "{error}");
        assert!(matches!(preset("none", Some(dir.path())), Err(LoadError::Absent { .. })));
    }
}
