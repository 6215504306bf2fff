//! What was found, put into the configuration: comments and order stay, the old file is kept, and a file that would not
//! be read again is never written.

use super::advice::Server;
use super::examiner::Examiner;
use crate::config::{Config, save};
use crate::dialect::Preset;
use crate::parking::SlotId;
use color_eyre::eyre::{Context, eyre};
use serde::Serialize;
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

/// Backups of one file that are kept beside each other; the last is overwritten.
const MAX_BACKUPS: u32 = 9;

/// A key of a lot's section, or of a table in it (`ami.device`), that should have another value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which lot of the account, from 0.
    pub lot: usize,
    /// Its name.
    pub key: &'static str,
    /// Its value, as it is written.
    pub value: String,
    /// Why.
    pub why: String,
}

impl Examiner {
    /// What the configuration should say instead, as far as it is evident.
    pub(super) fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut change =
            |key, value: String, why: &str| changes.push(Change { lot: 0, key, value, why: why.to_owned() });
        let server = Server::of(self.witness.server(), "");
        let dialect = match server {
            Server::Lot => Some("parkdeck"),
            // Whoever wrote a dialect of his own knows why.
            Server::Asterisk if Preset::names().any(|name| name == self.plan.dialect_name()) => {
                Some("asterisk").filter(|_| !self.plan.dialect_name().starts_with("asterisk"))
            }
            _ => None,
        };
        if let Some(name) = dialect.filter(|name| *name != self.plan.dialect_name()) {
            change("dialect", format!("\"{name}\""), "the server says so in its Server header");
        }
        let slots = self.evident_slots();
        if !slots.is_empty() {
            change("slots", written(&slots), "these have lamps");
        }
        if let Some(extension) =
            self.facts.park_extension_tried.as_ref().filter(|_| self.facts.park_extension_found)
        {
            change("park_extension", format!("\"{extension}\""), "the test call was parked by it");
        }
        if let Some(package) = self.working_package() {
            let word = if package == "x-broadworks-callpark-info" { "callpark" } else { &package };
            change("lamps", format!("\"{word}\""), "the package that this server knows");
        }
        if let Some(after) = self.facts.came_back_after {
            let seconds = after.as_secs();
            if self.plan.parking_time_s.is_none_or(|known| u64::from(known).abs_diff(seconds) > 1) {
                change("parking_time", seconds.to_string(), "measured");
            }
        }
        if let Some(device) = &self.manager.device {
            change(
                "ami.device",
                Value::from(device.as_str()).to_string(),
                "what the server calls this phone",
            );
        }
        changes
    }
}

impl Change {
    /// Whether it is about the account's server, and so the same for all of its lots.
    pub fn is_of_server(&self) -> bool {
        matches!(self.key, "dialect" | "lamps" | "ami.device")
    }
}

/// Slots as the configuration has them: one range, or a list of ranges and numbers.
fn written(slots: &[SlotId]) -> String {
    let short = super::plan::in_short(slots).replace('–', "-");
    let parts: Vec<String> = short.split(", ").map(|part| format!("\"{part}\"")).collect();
    match parts.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// Writes the changes into the lots of that account, and says where the old file is.
///
/// # Errors
/// When the file can't be read or written, or would no longer be understood.
pub fn write(file: &Path, index: usize, several: bool, changes: &[Change]) -> color_eyre::Result<PathBuf> {
    // Where it is a link, what it leads to is exchanged.
    let file = std::fs::canonicalize(file).wrap_err_with(|| file.display().to_string())?;
    let before = std::fs::read_to_string(&file).wrap_err_with(|| file.display().to_string())?;
    let after = edited(&before, index, several, changes)?;
    Config::parse(&after, &file.display().to_string())
        .map_err(|error| eyre!("what was found doesn't fit into the file, nothing was written: {error}"))?;
    let backup = backup_of(&file);
    std::fs::copy(&file, &backup).wrap_err_with(|| backup.display().to_string())?;
    save::exchange(&file, &after).wrap_err_with(|| file.display().to_string())?;
    Ok(backup)
}

/// `config.toml.bak`, or with a number where that exists.
pub(in crate::app) fn backup_of(file: &Path) -> PathBuf {
    let named = |suffix: String| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let numbered = (1..=MAX_BACKUPS).map(|number| named(format!(".bak{number}")));
    let mut names = std::iter::once(named(".bak".to_owned())).chain(numbered);
    names.find(|name| !name.exists()).unwrap_or_else(|| named(format!(".bak{MAX_BACKUPS}")))
}

/// The text with the changes in it.
fn edited(text: &str, index: usize, several: bool, changes: &[Change]) -> color_eyre::Result<String> {
    let mut document: DocumentMut = text.parse().wrap_err("the file can't be edited")?;
    for change in changes {
        let lot = lot_of(&mut document, index, several, change)
            .ok_or_else(|| eyre!("the file has no such account or lot"))?;
        let value: Value = change.value.parse().wrap_err_with(|| change.key.to_owned())?;
        let (table, key) = match change.key.split_once('.') {
            None => (&mut *lot as &mut dyn TableLike, change.key),
            Some((inner, key)) => {
                let inner = lot.get_mut(inner).and_then(Item::as_table_like_mut);
                (inner.ok_or_else(|| eyre!("the file has no place for {}", change.key))?, key)
            }
        };
        match table.get_mut(key).and_then(Item::as_value_mut) {
            // What stands around the old value (a comment behind it) stays.
            Some(old) => {
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            None => {
                table.insert(key, Item::Value(value));
            }
        }
    }
    Ok(document.to_string())
}

/// The lot that a change belongs in: its own; of several the one that says the same of the server already, else the first.
fn lot_of<'d>(
    document: &'d mut DocumentMut,
    index: usize,
    several: bool,
    change: &Change,
) -> Option<&'d mut Table> {
    let holder = match several || document.contains_key("accounts") {
        true => document.get_mut("accounts")?.as_array_of_tables_mut()?.get_mut(index)?,
        false => document.as_table_mut(),
    };
    if holder.contains_key("lots") {
        let lots = holder.get_mut("lots")?.as_array_of_tables_mut()?;
        let key = change.key.split('.').next().unwrap_or_default();
        let said = lots.iter().position(|lot| lot.contains_key(key)).unwrap_or(0);
        return lots.get_mut(if change.is_of_server() { said } else { change.lot });
    }
    holder.entry("lot").or_insert_with(|| Item::Table(Table::new())).as_table_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# mine\n[account]\nuser = \"reception\"\nserver = \"pbx.test\"\npassword_file = \"p\"\n\n[lot]\n\
                        name = \"front\"\nslots = \"701-709\"   # nine of them\n";

    fn slots(value: &str) -> Vec<Change> {
        vec![Change { lot: 0, key: "slots", value: value.to_owned(), why: String::new() }]
    }

    #[test]
    fn comments_and_order_stay() {
        let text = edited(FILE, 0, false, &slots("\"701-705\"")).unwrap();
        assert_eq!(text, FILE.replace("701-709", "701-705"));
    }

    #[test]
    fn a_key_and_a_section_that_were_missing_are_added() {
        let bare = FILE.split("\n[lot]").next().unwrap();
        let time = [Change { lot: 0, key: "parking_time", value: "45".to_owned(), why: String::new() }];
        let text = edited(bare, 0, false, &time).unwrap();
        assert!(text.starts_with(bare) && text.trim_end().ends_with("[lot]\nparking_time = 45"), "{text}");
    }

    #[test]
    fn a_key_of_the_manager_interface_goes_where_that_is_written() {
        let device =
            [Change { lot: 0, key: "ami.device", value: "\"PJSIP/desk-7\"".to_owned(), why: String::new() }];
        for (ami, after) in [
            ("[lot.ami]\nuser = \"p\"\n", "[lot.ami]\nuser = \"p\"\ndevice = \"PJSIP/desk-7\"\n"),
            (
                "ami = { user = \"p\" }   # ours\n",
                "ami = { user = \"p\" , device = \"PJSIP/desk-7\" }   # ours\n",
            ),
        ] {
            assert_eq!(edited(&format!("{FILE}{ami}"), 0, false, &device).unwrap(), format!("{FILE}{after}"));
        }
        assert!(edited(FILE, 0, false, &device).is_err());
    }

    #[test]
    fn of_several_accounts_only_the_examined_ones_lot_changes() {
        let two = "[[accounts]]\nname = \"a\"\n[accounts.lot]\nslots = \"1-2\"\n[[accounts]]\nname = \"b\"\n\
                   [accounts.lot]\nslots = \"3-4\" # b's\n";
        let text = edited(two, 1, true, &slots("[\"3\", \"5-6\"]")).unwrap();
        assert_eq!(text, two.replace("\"3-4\"", "[\"3\", \"5-6\"]"));
    }

    #[test]
    fn of_several_lots_each_has_its_own_changes_and_the_server_is_named_once() {
        let file = "[account]\nuser = \"r\"\n[[lots]]\nslots = \"1-2\"\n[[lots]]\nslots = \"3-4\"\nlamps = \"dialog\"\n\
                    [lots.ami]\nuser = \"p\"\n";
        let change = |lot, key, value: &str| Change { lot, key, value: value.to_owned(), why: String::new() };
        let changes = [
            change(1, "slots", "\"3-9\""),
            change(0, "dialect", "\"parkdeck\""),
            change(0, "lamps", "\"presence\""),
            change(0, "ami.device", "\"PJSIP/a\""),
        ];
        let after = edited(file, 0, false, &changes).unwrap();
        let expected = file
            .replace("slots = \"1-2\"\n", "slots = \"1-2\"\ndialect = \"parkdeck\"\n")
            .replace("\"3-4\"", "\"3-9\"")
            .replace("\"dialog\"", "\"presence\"")
            .replace("user = \"p\"\n", "user = \"p\"\ndevice = \"PJSIP/a\"\n");
        assert_eq!(after, expected);
        assert!(edited(file, 0, false, &[change(2, "slots", "\"5\"")]).is_err());
    }

    #[test]
    fn the_file_is_exchanged_whole_with_a_backup_and_its_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, FILE).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let first = write(&file, 0, false, &slots("\"701-705\"")).unwrap();
        let second = write(&file, 0, false, &slots("\"701-703\"")).unwrap();
        assert_eq!(std::fs::read_to_string(&first).unwrap(), FILE);
        assert!(std::fs::read_to_string(&second).unwrap().contains("701-705"));
        assert!(std::fs::read_to_string(&file).unwrap().contains("\"701-703\"   # nine of them"));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_would_not_be_read_again_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, FILE).unwrap();
        assert!(write(&file, 0, false, &slots("17")).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), FILE);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn slots_are_written_as_the_configuration_has_them() {
        let slots = |numbers: &[&str]| numbers.iter().filter_map(|n| SlotId::new(n)).collect::<Vec<_>>();
        assert_eq!(written(&slots(&["701", "702", "703"])), "\"701-703\"");
        assert_eq!(written(&slots(&["701", "702", "705"])), "[\"701-702\", \"705\"]");
    }
}
