//! Another configuration while the console runs: what can be taken over at once is, and what needs a start is said. No
//! running call suffers.

use super::super::keeping::{Adopted, News};
use super::super::settings::{desk_settings, device, driver};
use super::{Carrier, sources};
use crate::config::Config;
use crate::desk::{Command, ListedDevice, Severity, SoundRole};
use crate::io::sound::devices_there;
use crate::media::{self, Role};
use crate::parking::{Moment, Text};
use std::sync::Arc;
use std::time::Duration;

/// Seconds of a minute: hours of the night are told in minutes.
const MINUTE_S: u64 = 60;

impl Carrier {
    /// What has become of the configuration.
    pub(super) fn take_news(&mut self, news: News) {
        let now = self.clock.now();
        match news {
            News::Refused(why) => {
                self.no_longer_refused(now);
                self.engine.tell(now, Severity::Error, &why);
                self.refused = Some(why);
            }
            News::Adopted(adopted) => self.adopt(*adopted),
        }
    }

    /// What was wrong with the file isn't any more, or something else is.
    fn no_longer_refused(&mut self, now: Moment) {
        if let Some(why) = self.refused.take() {
            self.engine.mended(now, &why);
        }
    }

    fn adopt(&mut self, adopted: Adopted) {
        let now = self.clock.now();
        let Adopted { config, ldap_password, by_hand } = adopted;
        // A change on the board says nothing of whether it could be kept.
        if !by_hand {
            self.no_longer_refused(now);
        }
        let before = std::mem::replace(&mut self.config, Arc::new(config));
        let config = Arc::clone(&self.config);
        self.adopt_sound(&before, &config);
        let settings = desk_settings(&config);
        if settings != desk_settings(&before) {
            self.engine.settings_changed(now, settings);
        }
        let directory =
            |config: &Config| (config.directory.clone(), config.people.clone(), config.tls.clone());
        if directory(&config) != directory(&before) {
            self.people.renew(sources(&config, ldap_password, self.base.as_deref()));
        }
        self.hooks.renew(&config.outside);
        if config.calls.night_hours != before.calls.night_hours {
            (self.night_by_hours, self.hours_due) = (None, Moment::ZERO);
        }
        let later = needs_start(&before, &config);
        if !later.is_empty() {
            let text =
                format!("the configuration was read again; {} only from the next start on", later.join(", "));
            self.engine.tell(now, Severity::Warning, &text);
        } else if !by_hand {
            self.engine.tell(now, Severity::Info, "the configuration was read again");
        }
        self.adopted.send_replace(config);
    }

    /// Other devices and another loudness at once: a call that is on goes on with them.
    fn adopt_sound(&mut self, before: &Config, config: &Config) {
        let Some(media) = &mut self.media else { return };
        for role in SoundRole::ALL {
            let wanted = device(&config.sound, role);
            if wanted != device(&before.sound, role) && config.sound.enabled == before.sound.enabled {
                media.send(media::Command::Use { role: media_role(role), device: wanted });
            }
        }
        if config.sound.ring_volume != before.sound.ring_volume {
            media.send(media::Command::RingVolume { percent: config.sound.ring_volume });
        }
    }

    /// Finds out which sound devices there are, on a thread of its own: they are tried, and one may hang.
    pub(super) fn list_devices(&mut self) {
        if !self.listing.is_empty() {
            return;
        }
        let driver = driver(self.config.sound.driver);
        self.listing.spawn_blocking(move || {
            let listed = devices_there(driver).into_iter();
            listed
                .map(|device| ListedDevice {
                    name: Text::new(&device.name),
                    records: device.records,
                    monitor: device.monitor,
                    loud: device.loud,
                })
                .collect()
        });
    }

    /// Night and day by the configured hours. The operator's key counts until they next change.
    pub(super) fn follow_the_hours(&mut self) {
        let now = self.clock.now();
        if self.config.calls.night_hours.is_empty() || now < self.hours_due {
            return;
        }
        let local = jiff::Zoned::now();
        let seconds = u64::try_from(local.second()).unwrap_or(0);
        self.hours_due = now + Duration::from_secs(MINUTE_S.saturating_sub(seconds).max(1));
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
        let minute =
            u16::try_from(local.hour()).unwrap_or(0) * 60 + u16::try_from(local.minute()).unwrap_or(0);
        let Some(night) = self.config.calls.is_night(day, minute) else { return };
        let changed = self.night_by_hours.replace(night) != Some(night);
        if changed && self.engine.desk().presence.night != night {
            self.engine.obey(now, Command::Night(Some(night)));
            self.flush();
        }
    }

    /// When the hours are looked at next.
    pub(super) fn hours_wake(&self) -> Option<Moment> {
        (!self.config.calls.night_hours.is_empty()).then_some(self.hours_due)
    }
}

fn media_role(role: SoundRole) -> Role {
    match role {
        SoundRole::Microphone => Role::Microphone,
        SoundRole::Headset => Role::Headset,
        SoundRole::Ringer => Role::Ringer,
        SoundRole::SecondEar => Role::SecondEar,
    }
}

/// What has changed and can't be taken over while calls go on.
fn needs_start(before: &Config, config: &Config) -> Vec<&'static str> {
    let sound = |config: &Config| {
        let sound = config.sound.clone();
        (sound.enabled, sound.driver, sound.country, sound.codecs)
    };
    let all = [
        (before.accounts != config.accounts, "accounts and lots"),
        (before.tls != config.tls, "[tls]"),
        (sound(before) != sound(config), "[sound] enabled, driver, country, codecs"),
        (before.recording != config.recording, "[recording]"),
        (before.journal != config.journal, "[journal]"),
        (before.outside.socket != config.outside.socket, "[control] socket"),
        (before.network != config.network, "[network]"),
        (before.log != config.log, "[log]"),
    ];
    all.into_iter().filter(|(changed, _)| *changed).map(|(_, what)| what).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_start_is_named_and_the_rest_is_not() {
        let example = Config::example();
        let read = |text: &str| Config::parse(text, "x").unwrap();
        let before = read(example);
        let later = |from: &str, to: &str| {
            assert!(example.contains(from), "{from}");
            needs_start(&before, &read(&example.replacen(from, to, 1)))
        };
        assert_eq!(later("slots = \"701-709\"", "slots = \"701-708\""), ["accounts and lots"]);
        assert_eq!(later("keep_days = 365", "keep_days = 30"), ["[journal]"]);
        assert_eq!(later("level = \"info\"", "level = \"warn\""), ["[log]"]);
        for (from, to) in [
            ("ring_volume = 100", "ring_volume = 60"),
            ("# theme = \"dark\"", "theme = \"light\""),
            ("# night = \"105\"", "night = \"105\""),
            ("# Sam = \"101\"", "Sam = \"101\""),
            ("# ringing = [", "ringing = ["),
            ("# park = \"p\"", "park = \"z\""),
        ] {
            assert!(later(from, to).is_empty(), "{from}");
        }
    }
}
