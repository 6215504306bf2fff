//! The checks of the directory.

use super::super::raw::{RawDirectory, RawLdap};
use super::super::{Directory, Ldap, MAX_DIRECTORY_FILES};
use super::secret::Sources;
use super::{Check, MAX_TIME_S};
use toml::Spanned;

/// The shortest time between two readings of an LDAP server, in seconds.
const REFRESH_LEAST_S: u32 = 30;

impl Check<'_> {
    pub(super) fn directory(&mut self, raw: &RawDirectory) -> Option<Directory> {
        for file in &raw.files {
            let name = file.get_ref().to_string_lossy();
            let known = ["toml", "csv", "tsv", "vcf", "vcard"]
                .iter()
                .any(|ending| name.to_lowercase().ends_with(&format!(".{ending}")));
            if !known {
                self.say(file, "a directory file ends in .toml, .csv, .tsv or .vcf", None);
            }
        }
        if let Some(beyond) = raw.files.get(MAX_DIRECTORY_FILES) {
            self.say(beyond, format!("at most {MAX_DIRECTORY_FILES} directory files"), None);
        }
        if let Some(country) = &raw.country {
            let letters = country.get_ref();
            if letters.len() != 2 || !letters.bytes().all(|b| b.is_ascii_alphabetic()) {
                self.say(country, "a country is its two letters: \"GB\", \"DE\", \"US\"", None);
            }
        }
        let ldap = match &raw.ldap {
            Some(ldap) => Some(self.ldap(ldap)?),
            None => None,
        };
        Some(Directory {
            files: raw.files.iter().map(|file| file.get_ref().clone()).collect(),
            country: raw.country.as_ref().map(|country| country.get_ref().to_ascii_uppercase()),
            ldap,
        })
    }

    fn ldap(&mut self, raw: &Spanned<RawLdap>) -> Option<Ldap> {
        let ldap = raw.get_ref();
        let url = ldap.url.get_ref();
        if !url.starts_with("ldaps://") && !url.starts_with("ldap://") {
            let meant = (!url.contains("://")).then(|| format!("ldaps://{url}"));
            self.say(&ldap.url, "an LDAP server is ldaps://host or ldap://host", meant);
        }
        self.printable(&ldap.base, "a base entry");
        if let Some(filter) = ldap.filter.as_ref()
            && !(filter.get_ref().starts_with('(') && filter.get_ref().ends_with(')'))
        {
            self.say(filter, "a filter is written in brackets: (telephoneNumber=*)", None);
        }
        if let Some(time) = &ldap.refresh
            && !(REFRESH_LEAST_S..=MAX_TIME_S).contains(time.get_ref())
        {
            self.say(time, format!("between {REFRESH_LEAST_S} and {MAX_TIME_S} seconds"), None);
        }
        let sources = Sources {
            what: "password",
            file: ldap.password_file.as_ref(),
            environment: ldap.password_env.as_ref(),
            command: ldap.password_command.as_ref(),
        };
        let named =
            ldap.password_file.is_some() || ldap.password_env.is_some() || ldap.password_command.is_some();
        let password = match (&ldap.user, named) {
            (Some(_), _) => Some(self.source(&sources, raw.span(), &["directory", "ldap"])?),
            (None, true) => {
                self.say(raw, "whose password is this? add user = \"cn=…\"", None);
                None
            }
            (None, false) => None,
        };
        Some(Ldap {
            url: url.clone(),
            base: ldap.base.get_ref().clone(),
            filter: ldap.filter.as_ref().map_or_else(|| Ldap::FILTER.to_owned(), |f| f.get_ref().clone()),
            user: ldap.user.as_ref().map(|user| user.get_ref().clone()),
            password,
            refresh_s: ldap.refresh.as_ref().map_or(Ldap::REFRESH_S, |time| *time.get_ref()),
            allow_plain: ldap.allow_plain.unwrap_or(false),
        })
    }
}
