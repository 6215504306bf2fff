//! The second look at the console's file: what the types alone can't say, and how it becomes a [`Config`].

mod account;
mod ami;
mod calls;
mod directory;
mod lot;
mod lots;
mod outside;
mod secret;
mod team;
#[cfg(test)]
mod tests;

use self::lots::Given;
use super::problem::{ConfigError, Problem, Source};
use super::raw::{RawConfig, RawSound, RawTls, remedy};
use super::strict::Reading;
use super::{
    Account, COUNTRIES, Codec, Config, Journal, Log, MAX_ACCOUNTS, Network, OwnCertificate, Recording,
    Screen, Sound, Tls, Wallboard,
};
use crate::desk::MAX_SLOTS;
use std::path::PathBuf;
use toml::Spanned;

/// Longest time an option may name, in seconds: a day.
const MAX_TIME_S: u32 = 86_400;
/// The most characters of a name, a host or a path.
const MAX_LENGTH: usize = 1_024;

pub(super) fn parse(text: &str, file_name: &str, dialects: &[String]) -> Result<Config, ConfigError> {
    let source = Source::new(text, file_name);
    let mut reading = Reading::<RawConfig>::of(&source, remedy)?;
    let mut check = Check {
        source: &source,
        problems: std::mem::take(&mut reading.problems),
        reading: &reading,
        dialects,
    };
    let config = reading.value.as_ref().and_then(|raw| check.config(raw));
    match (config, ConfigError::of(file_name, check.problems)) {
        (Some(config), None) => Ok(config),
        (_, Some(error)) => Err(error),
        (None, None) => Err(source.refusal("the file can't be read".to_owned())),
    }
}

struct Check<'t> {
    source: &'t Source<'t>,
    reading: &'t Reading<RawConfig>,
    problems: Vec<Problem>,
    /// The user's own dialects.
    dialects: &'t [String],
}

impl Check<'_> {
    fn say<T>(&mut self, at: &Spanned<T>, meaning: impl Into<String>, did_you_mean: Option<String>) {
        self.problems.push(self.source.problem(at.span(), meaning.into(), did_you_mean));
    }

    fn config(&mut self, raw: &RawConfig) -> Option<Config> {
        let accounts = self.all_accounts(raw);
        let sound = self.sound(&raw.sound);
        let tls = self.tls(&raw.tls);
        let people = self.people(&raw.people);
        let directory = self.directory(&raw.directory);
        let calls = self.calls(&raw.calls);
        let outside = self.outside(raw);
        let rtp_ports = raw.network.rtp_ports.as_ref().and_then(|ports| self.rtp_ports(ports));
        Some(Config {
            accounts: accounts?,
            tls: tls?,
            sound,
            recording: Recording {
                folder: raw.recording.folder.clone(),
                format: raw.recording.format,
                tone: raw.recording.tone,
            },
            screen: Screen {
                theme: raw.screen.theme.clone(),
                mouse: raw.screen.mouse.unwrap_or(true),
                record: raw.screen.record.clone(),
            },
            keys: raw.keys.iter().map(|(command, keys)| (command.clone(), keys.items.clone())).collect(),
            log: Log { level: raw.log.level, trace: raw.log.trace, file: raw.log.file.clone() },
            network: Network { address: raw.network.address, port: raw.network.port.unwrap_or(0), rtp_ports },
            people,
            directory: directory?,
            calls,
            outside,
            wallboard: Wallboard { callers: raw.wallboard.callers },
            journal: Journal {
                enabled: raw.journal.enabled.unwrap_or(true),
                keep_days: raw.journal.keep_days.unwrap_or(Journal::default().keep_days),
            },
        })
    }

    /// The accounts in either form: `[account]` with `[lot]`, or `[[accounts]]` each with its own.
    fn all_accounts(&mut self, raw: &RawConfig) -> Option<Vec<Account>> {
        let accounts: Option<Vec<Account>> = match (&raw.account, raw.accounts.as_slice()) {
            (Some(one), []) => {
                if let Some(lot) = &one.get_ref().lot {
                    self.say(lot, "the lot of the one account is [lot]", Some("[lot]".to_owned()));
                }
                let place = ["account"];
                if let Some(team) = &one.get_ref().team {
                    self.say(team, "the team of the one account is [team]", Some("[team]".to_owned()));
                }
                if let Some(lot) = one.get_ref().lots.first() {
                    let remedy = Some("[[lots]]".to_owned());
                    self.say(lot, "the lots of the one account are [[lots]]", remedy);
                }
                let lots = Given { one: raw.lot.as_ref(), several: &raw.lots };
                self.account(one, &place, lots, raw.team.as_ref()).map(|account| vec![account])
            }
            (Some(_), [first, ..]) => {
                let words = "there is [account] as well as [[accounts]]: keep one form; several accounts are all written \
                             [[accounts]], each with its [accounts.lot]";
                self.say(first, words, None);
                return None;
            }
            (None, []) => {
                let refused =
                    [["account", "0"], ["accounts", "0"]].iter().any(|path| self.reading.left_out(path));
                if !refused {
                    self.problems.push(self.source.problem(
                        0..0,
                        "the file lacks “account”".to_owned(),
                        None,
                    ));
                }
                return None;
            }
            (None, several) => {
                if let Some(lot) = &raw.lot {
                    let words = "with [[accounts]] each account has a lot of its own, written behind it";
                    self.say(lot, words, Some("[accounts.lot]".to_owned()));
                }
                if let Some(lot) = raw.lots.first() {
                    let words = "with [[accounts]] each account has lots of its own, written behind it";
                    self.say(lot, words, Some("[[accounts.lots]]".to_owned()));
                }
                if let Some(team) = &raw.team {
                    let words = "with [[accounts]] each account has a team of its own, written behind it";
                    self.say(team, words, Some("[accounts.team]".to_owned()));
                }
                self.several(several)
            }
        };
        let accounts = accounts.filter(|accounts| !accounts.is_empty())?;
        self.fits_the_board(raw, &accounts);
        Some(accounts)
    }

    fn several(&mut self, several: &[Spanned<super::raw::RawAccount>]) -> Option<Vec<Account>> {
        if let Some(beyond) = several.get(MAX_ACCOUNTS) {
            self.say(beyond, format!("a console has at most {MAX_ACCOUNTS} accounts"), None);
            return None;
        }
        let mut accounts: Vec<Option<Account>> = Vec::with_capacity(several.len());
        for (index, raw) in several.iter().enumerate() {
            let number = index.to_string();
            let account = raw.get_ref();
            let lots = Given { one: account.lot.as_ref(), several: &account.lots };
            let account = self.account(raw, &["accounts", &number], lots, account.team.as_ref());
            if let Some(account) = &account {
                let others: Vec<&Account> = accounts.iter().flatten().collect();
                self.unlike(raw.get_ref(), account, &others);
            }
            accounts.push(account);
        }
        let all: Option<Vec<Account>> = accounts.into_iter().collect();
        let all = all?;
        Some(all)
    }

    /// The board's slots are those of all lots together.
    fn fits_the_board(&mut self, raw: &RawConfig, accounts: &[Account]) {
        let lots = accounts.iter().flat_map(|account| &account.lots);
        if lots.map(|lot| lot.slots.len()).sum::<usize>() <= MAX_SLOTS {
            return;
        }
        let of_accounts = raw.accounts.iter().flat_map(|a| a.get_ref().lot.iter().chain(&a.get_ref().lots));
        let all = raw.lot.iter().chain(&raw.lots).chain(of_accounts);
        let slots = all.filter_map(|lot| lot.get_ref().slots.as_ref()).next_back();
        if let Some(slots) = slots {
            let words = format!("a board has at most {MAX_SLOTS} slots, those of all lots together");
            self.say(slots, words, None);
        }
    }

    fn tls(&mut self, raw: &RawTls) -> Option<Tls> {
        for file in [&raw.ca_file, &raw.certificate_file, &raw.key_file].into_iter().flatten() {
            if file.get_ref().as_os_str().is_empty() {
                self.say(file, "the name of the file is empty", None);
            }
        }
        let path = |file: &Spanned<PathBuf>| file.get_ref().clone();
        let own = match (&raw.certificate_file, &raw.key_file) {
            (Some(certificate), Some(key)) => {
                Some(OwnCertificate { certificate_file: path(certificate), key_file: path(key) })
            }
            (Some(lonely), None) if !self.reading.left_out(&["tls", "key_file"]) => {
                self.say(lonely, "a certificate of our own needs its key: add key_file", None);
                None
            }
            (None, Some(lonely)) if !self.reading.left_out(&["tls", "certificate_file"]) => {
                self.say(lonely, "a key needs its certificate: add certificate_file", None);
                None
            }
            _ => None,
        };
        Some(Tls { ca_file: raw.ca_file.as_ref().map(path), own, verify: raw.verify.unwrap_or(true) })
    }

    fn sound(&mut self, raw: &RawSound) -> Sound {
        let default = Sound::default();
        let codecs = raw.codecs.as_ref().map(|codecs| self.codecs(codecs, &["sound", "codecs"]));
        if let Some(volume) = raw.ring_volume.as_ref().filter(|volume| *volume.get_ref() > 100) {
            self.say(volume, "the volume is a number of percent, from 0 to 100", None);
        }
        let device = |name: &Option<String>| name.clone().filter(|n| !n.is_empty() && n != "default");
        Sound {
            enabled: raw.enabled.unwrap_or(default.enabled),
            headset_in: device(&raw.headset_in),
            headset_out: device(&raw.headset_out),
            ringer: device(&raw.ringer),
            ring_volume: raw.ring_volume.as_ref().map_or(default.ring_volume, |volume| {
                u8::try_from(*volume.get_ref()).unwrap_or(100).min(100)
            }),
            second_ear: device(&raw.second_ear),
            driver: raw.driver,
            echo_canceller: raw.echo_canceller,
            noise_suppression: raw.noise_suppression,
            gain_control: raw.gain_control,
            country: self.country(raw.country.as_ref()),
            codecs: codecs.unwrap_or(default.codecs),
            waiting_tone: raw.waiting_tone.unwrap_or(default.waiting_tone),
        }
    }

    /// A list of codecs in the file: at least one, none twice.
    fn codecs(&mut self, codecs: &Spanned<Vec<Codec>>, place: &[&str]) -> Vec<Codec> {
        let list = codecs.get_ref();
        if list.is_empty() && !self.reading.left_out_inside(place) {
            self.say(codecs, "at least one codec is needed: \"opus\", \"g722\", \"pcmu\", \"pcma\"", None);
        } else if (1..list.len()).any(|i| list[..i].contains(&list[i])) {
            self.say(codecs, "a codec is listed twice", None);
        }
        list.clone()
    }

    fn country(&mut self, code: Option<&Spanned<String>>) -> Option<String> {
        let code = code?;
        let known = COUNTRIES.iter().find(|known| known.eq_ignore_ascii_case(code.get_ref()));
        if known.is_none() {
            let words = format!("the tones of this country aren't known; those of: {}", COUNTRIES.join(", "));
            self.say(code, words, None);
        }
        known.map(|known| (*known).to_owned())
    }

    fn rtp_ports(&mut self, ports: &Spanned<String>) -> Option<(u16, u16)> {
        let ends = ports.get_ref().split_once('-').map(|(a, b)| (a.trim().parse(), b.trim().parse()));
        match ends {
            Some((Ok(first), Ok(last))) if first >= 1_024 && last > first => Some((first, last)),
            _ => {
                self.say(ports, "ports are written first-last, from 1024 on: \"16384-16484\"", None);
                None
            }
        }
    }
}
