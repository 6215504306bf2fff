//! `parkdeck check`: reads every configuration file strictly and says what is wrong with it.

use super::theme::theme;
use super::{dialects, people};
use crate::config::load::{self, LoadError};
use crate::config::paths::{self, Paths};
use crate::config::{Config, PasswordSource, secret};
use crate::console::Keymap;
use std::path::Path;

/// What was found: one paragraph a file, and whether all of it is sound.
pub struct Findings {
    /// For the operator.
    pub text: String,
    /// Nothing is wrong.
    pub sound: bool,
}

/// Checks the console's file and, where there is one, the lot's.
pub fn check(paths: &Paths, lot: Option<&Path>) -> Findings {
    let mut found = Findings { text: String::new(), sound: true };
    match load::console(&paths.config) {
        Ok(config) => {
            found.good(&format!("{}: well formed", paths.config.display()));
            if let Err(problems) = Keymap::with_overrides(&config.keys) {
                problems.iter().for_each(|p| found.bad(&format!("[keys] {p}")));
            }
            let base = paths.config.parent().unwrap_or(Path::new("."));
            if let Err(error) = theme(config.screen.theme.as_deref(), Some(&base.join("themes"))) {
                found.bad(&format!("[screen] {error}"));
            }
            for name in config.accounts.iter().map(|account| account.dialect.as_str()) {
                if let Err(error) = dialects::preset(name, Some(&base.join("dialects"))) {
                    found.bad(&error.to_string());
                }
            }
            files(&config, base, &mut found);
        }
        Err(LoadError::Absent { .. }) if lot.is_some() => {}
        Err(error) => found.bad(&error.to_string()),
    }
    let lot_file =
        lot.map(Path::to_owned).or_else(|| paths.lot_config.exists().then(|| paths.lot_config.clone()));
    if let Some(file) = lot_file {
        match super::lot::read(&file) {
            Ok(_) => found.good(&format!("{}: well formed", file.display())),
            Err(error) => found.bad(&error.to_string()),
        }
    }
    found
}

/// The files that the configuration names: whether they are there, and secret ones for their owner only.
fn files(config: &Config, base: &Path, found: &mut Findings) {
    let home = paths::home();
    let place = |file: &Path| paths::resolve(file, base, home.as_deref());
    for account in &config.accounts {
        if let PasswordSource::File(file) = &account.password
            && let Err(error) = secret::check_file(&place(file), "password file")
        {
            match config.accounts.len() {
                1 => found.bad(&error.to_string()),
                _ => found.bad(&format!("account “{}”: {error}", account.name)),
            }
        }
    }
    for account in &config.accounts {
        if let Some(PasswordSource::File(file)) = account.ami.as_ref().map(|ami| &ami.secret)
            && let Err(error) = secret::check_file(&place(file), "secret file")
        {
            match config.accounts.len() {
                1 => found.bad(&format!("AMI: {error}")),
                _ => found.bad(&format!("account “{}”: AMI: {error}", account.name)),
            }
        }
    }
    for file in &config.directory.files {
        match people::read_file(&place(file)) {
            Ok(reading) => {
                let about = format!("{}: {} people", place(file).display(), reading.people.len());
                found.good(&about);
                reading.complaints.iter().for_each(|line| found.bad(&format!("  {line}")));
            }
            Err(error) => found.bad(&format!("[directory] {}: {error}", place(file).display())),
        }
    }
    if let Some(PasswordSource::File(file)) = config.directory.ldap.as_ref().and_then(|l| l.password.as_ref())
        && let Err(error) = secret::check_file(&place(file), "password file")
    {
        found.bad(&format!("[directory] ldap: {error}"));
    }
    if let Some(own) = &config.tls.own
        && let Err(error) = secret::check_file(&place(&own.key_file), "key file")
    {
        found.bad(&format!("[tls] {error}"));
    }
    let certificates =
        [config.tls.ca_file.as_ref(), config.tls.own.as_ref().map(|own| &own.certificate_file)];
    for file in certificates.into_iter().flatten() {
        if let Err(error) = std::fs::File::open(place(file)) {
            found.bad(&format!("[tls] {} can't be read: {error}", place(file).display()));
        }
    }
}

impl Findings {
    fn good(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn bad(&mut self, line: &str) {
        self.sound = false;
        self.good(line);
    }
}
