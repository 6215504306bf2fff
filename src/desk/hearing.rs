//! What the operator wishes of headset and sound, beside the calls themselves, and what the sound threads do about it.

use super::{CallId, Desk, Effect, Severity};
use serde::{Deserialize, Serialize};

/// A wish about sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SoundWish {
    /// Take the devices that are offered instead of those that are gone.
    TakeDevice,
}

/// What the sound threads are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SoundDeed {
    /// Take the devices that were offered.
    TakeDevice,
}

impl SoundDeed {
    /// The call that it is about, if it is about one.
    pub(super) fn call(self) -> Option<CallId> {
        match self {
            Self::TakeDevice => None,
        }
    }
}

impl Desk {
    pub(super) fn sound_wish(&mut self, wish: SoundWish) -> Vec<Effect> {
        match wish {
            SoundWish::TakeDevice => self.take_device(),
        }
    }

    /// The yes without which no other device is used.
    fn take_device(&mut self) -> Vec<Effect> {
        let Some(name) = self.sound.offered.take() else {
            return self.nothing("no other sound device is offered");
        };
        self.say(Severity::Info, &format!("“{name}” is used from now on"));
        vec![Effect::Sound(SoundDeed::TakeDevice)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{Abilities, Command, SoundState};
    use crate::parking::{Moment, Text};

    #[test]
    fn another_device_is_used_by_the_operators_key_and_only_when_one_is_offered() {
        let mut desk = Desk::new("a", "", Vec::new(), Abilities::default());
        let wish = Command::Sound(SoundWish::TakeDevice);
        assert_eq!(desk.obey(Moment::ZERO, wish.clone()), []);
        desk.sound = SoundState { offered: Some(Text::new("Built-in")), ..SoundState::default() };
        let taken = [Effect::Sound(SoundDeed::TakeDevice)];
        assert_eq!(desk.obey(Moment::ZERO, wish.clone()), taken);
        assert_eq!(desk.obey(Moment::ZERO, wish), [], "once");
    }
}
