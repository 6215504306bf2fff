//! What of the configuration the desk takes over while it runs. Calls go on as if nothing had happened.

use super::{Desk, Effect, MAX_PEOPLE, Routes};
use crate::parking::Identity;
use serde::{Deserialize, Serialize};

/// That part of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Where callers are sent whom nobody can answer.
    pub routes: Routes,
    /// People and their numbers; at most [`MAX_PEOPLE`].
    pub people: Vec<Identity>,
    /// Whether an idle headset hears a tone when a parked call waits too long.
    pub waiting_tone: bool,
}

impl Desk {
    pub(super) fn settings_changed(&mut self, settings: Settings) -> Vec<Effect> {
        self.routes = settings.routes;
        self.people = settings.people;
        self.people.truncate(MAX_PEOPLE);
        self.waiting_tone = settings.waiting_tone;
        if self.presence.night && self.routes.night.is_empty() {
            return self.set_night(false);
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{Abilities, Command, Event};
    use crate::parking::{Moment, Text};

    #[test]
    fn without_a_place_for_the_night_it_is_day_again() {
        let mut desk = Desk::new("a", "", Vec::new(), Abilities::default());
        let routes = Routes { night: Text::new("105"), ..Routes::default() };
        desk.learn(Moment::ZERO, Event::SettingsChanged(Settings { routes, ..Settings::default() }));
        desk.obey(Moment::ZERO, Command::Night(Some(true)));
        assert!(desk.presence.night);
        desk.learn(Moment::ZERO, Event::SettingsChanged(Settings::default()));
        assert!(!desk.presence.night, "callers would go nowhere");
    }
}
