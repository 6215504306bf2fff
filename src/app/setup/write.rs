//! The configuration and its password file, written for their owner alone; what was there before is kept.

use super::found::Found;
use crate::app::doctor::{backup_of, in_short};
use crate::config::Config;
use color_eyre::eyre::{Context, eyre};
use secrecy::{ExposeSecret, SecretString};
use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The name of the password's file, beside the configuration.
pub(super) const PASSWORD_FILE: &str = "password";

/// Where the password comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PasswordPlace {
    /// It was typed: a file is written for it.
    Beside,
    /// A file that is there already.
    File(PathBuf),
    /// A variable.
    Environment(String),
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// The whole file.
pub(super) fn text(found: &Found, password: &PasswordPlace) -> String {
    let mut text = String::from(
        "# parkdeck's configuration, written by `parkdeck setup`. All that can be set: `parkdeck example`.\n\
         # `parkdeck check` tells every mistake with its line, `parkdeck doctor` examines the server.\n\n[account]\n",
    );
    let _ = writeln!(text, "user = {}", quoted(&found.user));
    let _ = writeln!(text, "server = {}", quoted(&found.server));
    if let Some(transport) = found.transport {
        let _ = writeln!(text, "transport = {}", quoted(transport.word()));
    }
    let _ = match password {
        PasswordPlace::Beside => {
            writeln!(
                text,
                "password_file = {}   # beside this file, for your eyes only",
                quoted(PASSWORD_FILE)
            )
        }
        PasswordPlace::File(file) => writeln!(text, "password_file = {}", quoted(&file.to_string_lossy())),
        PasswordPlace::Environment(name) => writeln!(text, "password_env = {}", quoted(name)),
    };
    let product = match &found.product {
        Some(product) => format!("   # the server calls itself {}", one_line(product)),
        None => String::new(),
    };
    let _ = writeln!(text, "\n[lot]\ndialect = {}{product}", quoted(&found.dialect));
    let _ = writeln!(text, "park_extension = {}", quoted(&found.park_extension));
    let untold =
        if found.slots_told { "" } else { "   # the server told of none of them: are these the slots?" };
    let _ = writeln!(text, "slots = {}{untold}", slots(found));
    if found.ca_file.is_some() || !found.verify {
        text.push_str("\n[tls]\n");
    }
    if let Some(file) = &found.ca_file {
        let _ = writeln!(text, "ca_file = {}", quoted(&file.to_string_lossy()));
    }
    if !found.verify {
        text.push_str("verify = false   # nobody looks at the server's certificate: better is ca_file\n");
    }
    text
}

/// What somebody else wrote, for a comment.
fn one_line(text: &str) -> String {
    crate::parking::Text::new(text).to_string()
}

fn slots(found: &Found) -> String {
    let short = in_short(&found.slots).replace('–', "-");
    let parts: Vec<String> = short.split(", ").map(quoted).collect();
    match parts.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// Writes both files; returns what was kept of an older configuration.
///
/// # Errors
/// When something can't be written, or the text would not be read again: then nothing was.
pub(super) fn write(
    file: &Path,
    found: &Found,
    place: &PasswordPlace,
    password: &SecretString,
) -> color_eyre::Result<Vec<PathBuf>> {
    let text = text(found, place);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Config::parse(&text, &file.display().to_string()).map_err(|error| {
        eyre!("what was found doesn't fit into a configuration, nothing was written: {error}")
    })?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .wrap_err_with(|| folder.display().to_string())?;
    let mut kept = Vec::new();
    if *place == PasswordPlace::Beside {
        let line = Zeroizing::new(format!("{}\n", password.expose_secret()));
        kept.extend(put(&folder.join(PASSWORD_FILE), line.as_bytes())?);
    }
    kept.extend(put(file, text.as_bytes())?);
    Ok(kept)
}

/// Puts a file in its place in one step, readable by its owner only; what was there, unless it is the same, is kept beside it.
fn put(file: &Path, bytes: &[u8]) -> color_eyre::Result<Option<PathBuf>> {
    let of = || file.display().to_string();
    let mut backup = None;
    if let Ok(before) = std::fs::read(file) {
        let before = Zeroizing::new(before);
        if before.as_slice() != bytes {
            let to = backup_of(file);
            owned(&to)?.write_all(&before).wrap_err_with(|| to.display().to_string())?;
            backup = Some(to);
        }
    }
    let mut fresh = file.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let written = owned(&fresh).and_then(|mut new| {
        new.write_all(bytes)?;
        new.sync_all()?;
        Ok(std::fs::rename(&fresh, file)?)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
    written.wrap_err_with(of)?;
    Ok(backup)
}

/// A new file that nobody else could ever read, in place of an older one.
fn owned(file: &Path) -> color_eyre::Result<File> {
    let _ = std::fs::remove_file(file);
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    opened.wrap_err_with(|| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{PasswordSource, TransportChoice};
    use crate::parking::SlotId;
    use std::os::unix::fs::PermissionsExt;

    fn found() -> Found {
        Found {
            server: "pbx.test:5070".into(),
            user: "recep\"tion".into(),
            transport: Some(TransportChoice::Tls),
            dialect: "asterisk".into(),
            park_extension: "700".into(),
            slots: ["701", "702", "711"].iter().filter_map(|id| SlotId::new(id)).collect(),
            slots_told: true,
            product: Some("Asterisk\n[x]\u{1b}[2J".into()),
            ca_file: Some("/etc/ca \"one\".pem".into()),
            verify: false,
        }
    }

    #[test]
    fn what_was_found_is_read_back_whatever_is_in_it() {
        let mut plain = found();
        plain.user = "reception".into();
        let text = text(&plain, &PasswordPlace::Beside);
        let config = Config::parse(&text, "x").unwrap_or_else(|error| panic!("{error}\n{text}"));
        let account = &config.accounts[0];
        assert_eq!((account.server.port, account.transport), (Some(5070), TransportChoice::Tls));
        assert_eq!(account.password, PasswordSource::File(PASSWORD_FILE.into()));
        assert_eq!(account.lots[0].slots, plain.slots);
        assert_eq!((config.tls.ca_file, config.tls.verify), (plain.ca_file, false));
        assert!(!text.contains('\u{1b}') && text.contains("calls itself Asterisk [x]"), "{text}");
    }

    #[test]
    fn both_files_are_their_owners_alone_and_older_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("made/for/it/config.toml");
        let password = SecretString::from("correct horse");
        let mut found = found();
        found.user = "reception".into();
        assert_eq!(write(&file, &found, &PasswordPlace::Beside, &password).unwrap(), Vec::<PathBuf>::new());
        found.dialect = "generic".into();
        let kept = write(&file, &found, &PasswordPlace::Beside, &SecretString::from("another")).unwrap();
        assert_eq!(kept.len(), 2);
        let mut names: Vec<_> =
            std::fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        for name in &names {
            assert_eq!(std::fs::metadata(name).unwrap().permissions().mode() & 0o777, 0o600, "{name:?}");
        }
        assert_eq!(names.len(), 4, "{names:?}");
        assert_eq!(std::fs::read_to_string(file.with_file_name("password.bak")).unwrap(), "correct horse\n");
        assert!(std::fs::read_to_string(&file).unwrap().contains("generic"));
    }

    #[test]
    fn what_would_not_be_read_again_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let mut found = found();
        found.user = String::new();
        assert!(write(&file, &found, &PasswordPlace::Beside, &SecretString::from("x")).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
