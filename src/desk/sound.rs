//! Which call is heard, which one is spoken to and what rings: derived from the desk, never stored.

use super::{CallId, Desk, Phase};
use crate::parking::{Moment, Text};
use serde::{Deserialize, Serialize};

/// Headset and ringer as last reported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundState {
    /// The headset's name, or why there is none.
    pub headset: Option<Result<Text, Text>>,
    /// The microphone's name, or why there is none.
    #[serde(default)]
    pub microphone: Option<Result<Text, Text>>,
    /// A device that could be used instead of one that is gone, at the operator's key.
    #[serde(default)]
    pub offered: Option<Text>,
    /// What is heard here is heard in the room, too: a speaker, not a headset.
    #[serde(default)]
    pub loud: bool,
    /// Microphone level, 0 to 100 (the louder, the more; 100 = full scale).
    pub microphone_level: u8,
    /// Level in the ear, 0 to 100.
    pub ear_level: u8,
    /// Whether the operator muted the microphone.
    pub muted: bool,
    /// Whether sound is switched off by configuration: nothing is missing then.
    pub off: bool,
    /// The devices there are, as far as somebody asked; at most [`MAX_DEVICES`].
    #[serde(default)]
    pub devices: Vec<ListedDevice>,
    /// Until when microphone and ear are open without a call, so that the operator sees the meters move.
    #[serde(default)]
    pub tried_until: Option<Moment>,
    /// What plays a tone to be tested, and until when.
    #[serde(default)]
    pub tested: Option<(SoundRole, Moment)>,
    /// What is done to the microphone's sound.
    #[serde(default)]
    pub processed: Processed,
}

/// The most devices that are listed.
pub const MAX_DEVICES: usize = 64;

/// What a sound device is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SoundRole {
    /// The headset's microphone.
    Microphone,
    /// The headset's ear-piece.
    Headset,
    /// Where it rings.
    Ringer,
    /// The second ear-piece, for tones.
    SecondEar,
}

impl SoundRole {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Microphone, Self::Headset, Self::Ringer, Self::SecondEar];

    /// What people call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Microphone => "microphone",
            Self::Headset => "ear-piece",
            Self::Ringer => "ringer",
            Self::SecondEar => "second ear",
        }
    }
}

/// What is done to the microphone's sound before it is sent, and what that makes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processed {
    /// The echo of the loudspeaker is taken out.
    pub echo: bool,
    /// Steady noise is lowered.
    pub noise: bool,
    /// The level is brought to where it is understood.
    pub gain: bool,
    /// The microphone's level before all that, as [`SoundState::microphone_level`] is after it; `None`: nothing is done.
    pub level_before: Option<u8>,
    /// How much weaker the echo has become, in dB.
    pub echo_weaker_db: Option<u8>,
    /// How long the loudspeaker's sound takes to the microphone, in ms.
    pub echo_delay_ms: Option<u16>,
}

impl Processed {
    /// Whether this is done.
    pub fn has(&self, process: Process) -> bool {
        match process {
            Process::Echo => self.echo,
            Process::Noise => self.noise,
            Process::Gain => self.gain,
        }
    }
}

/// A sound device that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedDevice {
    /// Its name as the system gives it.
    pub name: Text,
    /// It records; else it plays.
    pub records: bool,
    /// It is no microphone: it records what a speaker plays.
    pub monitor: bool,
    /// It is heard in the room.
    pub loud: bool,
}

/// What can be done to the microphone's sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Process {
    /// The echo canceller.
    Echo,
    /// The noise suppressor.
    Noise,
    /// The gain control.
    Gain,
}

impl Process {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo canceller",
            Self::Noise => "noise suppression",
            Self::Gain => "gain control",
        }
    }
}

/// Whether something is done to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Switch {
    /// With a loudspeaker, and not with a headset.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// What the ringer plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RingTone {
    /// Nothing.
    #[default]
    Silent,
    /// A new caller.
    Call,
    /// A caller who came back from a slot.
    Comeback,
}

/// What the sound threads should be doing now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundPlan {
    /// The call that is heard in the headset.
    pub heard: Option<CallId>,
    /// The call that the microphone goes to.
    pub spoken_to: Option<CallId>,
    /// The call that hears, and is heard by, both of them: a three-way call.
    #[serde(default)]
    pub joined: Option<CallId>,
    /// Whether the headset plays a ring-back tone of ours (the far end rings and sends no sound).
    pub ring_back: bool,
    /// What rings.
    pub ring: RingTone,
    /// Whether the idle headset hears that a parked call waits too long. Never while anything else is heard.
    #[serde(default)]
    pub waiting_tone: bool,
    /// Whether microphone and ear are open although there is no call.
    #[serde(default)]
    pub tried: bool,
}

impl Desk {
    /// The plan that follows from the calls as they are.
    ///
    /// Only the call in hand is heard, and only one that is up and whose party is proven, or accepted by the
    /// operator's key, is spoken to: two callers can't hear each other because there is only ever one, unless the operator
    /// has joined two ([`SoundPlan::joined`]).
    pub fn sound_plan(&self) -> SoundPlan {
        let hand = self.hand().filter(|c| c.is_audible());
        let ringing = self.calls.iter().filter(|c| c.phase == Phase::Ringing);
        let ring = ringing.fold(RingTone::Silent, |ring, call| match (ring, &call.comeback) {
            (RingTone::Comeback, _) | (_, Some(_)) => RingTone::Comeback,
            _ => RingTone::Call,
        });
        let tests = |role| self.tests(role);
        SoundPlan {
            heard: hand.map(|c| c.id),
            spoken_to: hand
                .filter(|c| c.phase == Phase::Talking && !c.returned && !self.sound.muted)
                .map(|c| c.id),
            joined: self
                .three_way()
                .map(|three| if self.in_hand == Some(three.first) { three.second } else { three.first }),
            ring_back: hand.is_some_and(|c| c.phase == Phase::RingingThere)
                || (hand.is_none() && tests(SoundRole::Headset)),
            ring: if ring == RingTone::Silent && tests(SoundRole::Ringer) { RingTone::Call } else { ring },
            waiting_tone: (self.tone_until.is_some_and(|until| self.now < until)
                || tests(SoundRole::SecondEar))
                && self.headset_is_idle(),
            tried: self.sound.tried_until.is_some_and(|until| self.now < until),
        }
    }
}
