//! The checks of where callers are sent.

use super::super::raw::RawCalls;
use super::super::{Calls, MAX_NIGHT_HOURS, NightHours};
use super::{Check, MAX_TIME_S};
use toml::Spanned;

/// The shortest time after which somebody may be sent on, in seconds: shorter, and nobody could answer.
const OVERFLOW_LEAST_S: u32 = 5;

impl Check<'_> {
    pub(super) fn calls(&mut self, raw: &RawCalls) -> Calls {
        for target in [&raw.night, &raw.busy, &raw.overflow, &raw.voicemail].into_iter().flatten() {
            let text = target.get_ref().trim();
            if text.is_empty() || text.len() > 128 || text.chars().any(|c| c.is_control() || c == ' ') {
                self.say(target, "callers are sent to what can be dialled: a number or a sip: address", None);
            }
        }
        if let Some(time) = &raw.overflow_after {
            if !(OVERFLOW_LEAST_S..=MAX_TIME_S).contains(time.get_ref()) {
                self.say(time, format!("between {OVERFLOW_LEAST_S} and {MAX_TIME_S} seconds"), None);
            } else if raw.overflow.is_none() {
                self.say(time, "where to? add overflow = \"…\"", None);
            }
        }
        if let Some(prefix) = &raw.voicemail_prefix
            && crate::parking::SlotId::new(prefix.get_ref()).is_none()
        {
            self.say(prefix, "the prefix is what is dialled before the extension: digits, “*” or “#”", None);
        }
        let night_hours = self.night_hours(raw);
        let text =
            |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.get_ref().trim().to_owned());
        Calls {
            night: text(&raw.night),
            night_hours,
            busy: text(&raw.busy),
            overflow: text(&raw.overflow),
            overflow_after_s: raw
                .overflow_after
                .as_ref()
                .map_or(Calls::OVERFLOW_AFTER_S, |time| *time.get_ref()),
            voicemail: text(&raw.voicemail),
            voicemail_prefix: text(&raw.voicemail_prefix),
        }
    }

    fn night_hours(&mut self, raw: &RawCalls) -> Vec<NightHours> {
        let Some(hours) = &raw.night_hours else { return Vec::new() };
        let mut read = Vec::new();
        for span in hours.get_ref().items.iter().take(MAX_NIGHT_HOURS) {
            match NightHours::read(span) {
                Ok(span) => read.push(span),
                Err(why) => self.say(hours, why, None),
            }
        }
        if hours.get_ref().items.len() > MAX_NIGHT_HOURS {
            self.say(hours, format!("at most {MAX_NIGHT_HOURS} spans of night hours"), None);
        }
        if raw.night.is_none() {
            self.say(hours, "where do callers go at night? add night = \"…\"", None);
        }
        read
    }
}
