//! How a call sounds, as the board shows it: whole numbers, and a dead direction in words with what to do about it.

use super::{CallId, Desk, Effect, Phase, Severity};
use serde::{Deserialize, Serialize};

/// What is known of a call's sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quality {
    /// Lost or late of what was expected in the last seconds, in tenths of a percent.
    pub lost_permille: u16,
    /// Sound that had to be made up in the last seconds, in tenths of a percent.
    pub concealed_permille: u16,
    /// How unevenly packets come, in ms.
    pub jitter_ms: u16,
    /// One way through the network in ms, where the far end tells.
    pub network_ms: Option<u16>,
    /// Coding and the jitter buffer, in ms.
    pub buffer_ms: u16,
    /// The device in the ear, in ms.
    pub device_ms: u16,
    /// The estimated mean opinion in hundredths: 100 to 450.
    pub mos_hundredths: u16,
    /// The same for the whole call.
    pub mos_of_call_hundredths: u16,
    /// The worst so far.
    pub mos_worst_hundredths: u16,
    /// What the far end lost of ours, in tenths of a percent, where it tells.
    pub remote_lost_permille: Option<u16>,
    /// The direction that is dead.
    pub one_way: Option<OneWay>,
}

/// Why a call is heard in one direction only, or in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OneWay {
    /// Nothing came from the far end, ever.
    NothingCame,
    /// Nothing comes any more.
    NothingComes,
    /// The far end gets nothing of ours.
    NotHeard,
    /// The microphone is switched off at the device.
    DeadMicrophone,
}

impl OneWay {
    /// What happens, and what to do about it.
    pub fn words(self) -> &'static str {
        match self {
            Self::NothingCame => {
                "you hear nothing: no sound has come · call back; if all calls are so, a firewall keeps RTP away"
            }
            Self::NothingComes => {
                "you hear nothing: their sound has stopped · hold and resume (h h) asks for it again"
            }
            Self::NotHeard => {
                "they don't hear you: your sound isn't arriving · hold and resume (h h), or call back"
            }
            Self::DeadMicrophone => {
                "they don't hear you: the microphone is off · its own mute key or switch, or the plug"
            }
        }
    }

    /// In two words, for the call's row.
    pub fn mark(self) -> &'static str {
        match self {
            Self::NothingCame | Self::NothingComes => "NO SOUND FROM THEM",
            Self::NotHeard | Self::DeadMicrophone => "THEY DON'T HEAR YOU",
        }
    }
}

impl Desk {
    /// Takes a call's figures. A direction that dies is told once.
    pub(super) fn quality_told(&mut self, id: CallId, quality: Quality) -> Vec<Effect> {
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        let before = call.quality.replace(quality).and_then(|before| before.one_way);
        let (talking, party) = (call.phase == Phase::Talking, call.party.clone());
        let who = self.called(&party);
        match quality.one_way.filter(|_| talking) {
            Some(now) if before != Some(now) => {
                self.say(Severity::Warning, &format!("{who}: {}", now.words()));
            }
            None if before.is_some() && talking => {
                self.say(Severity::Info, &format!("{who}: sound goes both ways again"));
            }
            _ => {}
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{Abilities, CallArrival, Command, Event};
    use crate::parking::{Identity, Moment, Text};
    use std::time::Duration;

    #[test]
    fn a_dead_direction_is_told_once_with_a_remedy_and_so_is_its_return() {
        let mut desk = Desk::new("a", "", Vec::new(), Abilities::default());
        let call = desk.new_call_id();
        let party = Identity::new("Jane Doe", "0161");
        desk.learn(
            Moment::ZERO,
            Event::CallArrived(CallArrival {
                call,
                party,
                called: Text::default(),
                comeback: None,
                referred_by_us: false,
                note: Text::default(),
            }),
        );
        let at = |s| Moment::ZERO + Duration::from_secs(s);
        desk.obey(at(1), Command::Answer);
        desk.learn(at(1), Event::CallAnswered { call });
        let dead = Quality { one_way: Some(OneWay::NothingCame), ..Quality::default() };
        let told = |desk: &Desk, words: &str| {
            desk.notices.iter().filter(|notice| notice.text.as_str().contains(words)).count()
        };
        for second in 4..8 {
            desk.learn(at(second), Event::QualityTold { call, quality: dead });
        }
        assert_eq!(told(&desk, "Jane Doe: you hear nothing"), 1, "{:?}", desk.notices);
        desk.learn(at(9), Event::QualityTold { call, quality: Quality::default() });
        desk.learn(at(10), Event::QualityTold { call, quality: Quality::default() });
        assert_eq!(told(&desk, "both ways again"), 1);
    }
}
