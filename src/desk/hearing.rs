//! What the operator wishes of headset and sound, beside the calls themselves, and what the sound threads do about it.

use super::{Call, CallId, Desk, Effect, ListedDevice, MAX_DEVICES, Process, Severity, SoundRole, Switch};
use crate::parking::{Moment, Text};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a tone sounds that is tested.
const TEST_LASTS: Duration = Duration::from_secs(3);
/// How long microphone and ear stay open for trying, unless the operator goes on.
const TRY_LASTS: Duration = Duration::from_secs(60);

/// A wish about sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SoundWish {
    /// Take the devices that are offered instead of those that are gone.
    TakeDevice,
    /// Record the call in hand, or stop.
    Record,
    /// Join the call in hand and the one on hold, or take them apart.
    Conference,
    /// Find out which devices there are.
    ListDevices,
    /// Open microphone and ear without a call for a while, to see the meters move; or close them.
    Try(bool),
    /// Play a tone where this device plays.
    Test(SoundRole),
    /// Switch something that is done to the microphone's sound; `None`: the other of on and off.
    Process {
        /// What.
        process: Process,
        /// From now on.
        switch: Option<Switch>,
    },
}

/// What the sound threads are to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SoundDeed {
    /// Take the devices that were offered.
    TakeDevice,
    /// Find out which devices there are.
    ListDevices,
    /// Record this call.
    Record {
        /// Which.
        call: CallId,
        /// Who it is, for the file's name.
        label: Text,
    },
    /// Stop recording it.
    StopRecording {
        /// Which.
        call: CallId,
    },
    /// Switch something that is done to the microphone's sound.
    Process {
        /// What.
        process: Process,
        /// From now on.
        switch: Switch,
    },
}

/// A call's recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recording {
    /// Asked for; no file yet.
    Asked,
    /// It records.
    Running {
        /// Since when.
        since: Moment,
        /// The file's name.
        file: Text,
    },
}

impl SoundDeed {
    /// The call that it is about, if it is about one.
    pub(super) fn call(&self) -> Option<CallId> {
        match self {
            Self::TakeDevice | Self::ListDevices | Self::Process { .. } => None,
            Self::Record { call, .. } | Self::StopRecording { call } => Some(*call),
        }
    }
}

impl Desk {
    pub(super) fn sound_wish(&mut self, wish: SoundWish) -> Vec<Effect> {
        match wish {
            SoundWish::TakeDevice => self.take_device(),
            SoundWish::Record => self.toggle_recording(),
            SoundWish::Conference => self.toggle_conference(),
            SoundWish::ListDevices => vec![Effect::Sound(SoundDeed::ListDevices)],
            SoundWish::Try(on) => {
                self.sound.tried_until = on.then_some(self.now + TRY_LASTS);
                Vec::new()
            }
            SoundWish::Process { process, switch } => self.switch_process(process, switch),
            SoundWish::Test(role) => self.test_sound(role),
        }
    }

    /// A tone to hear whether a device is the right one. Never into a conversation.
    fn test_sound(&mut self, role: SoundRole) -> Vec<Effect> {
        if self.sound.off {
            return self.nothing("sound is switched off: enabled = false in [sound]");
        }
        if role != SoundRole::Ringer && self.hand().is_some_and(Call::is_audible) {
            return self.nothing("not into a conversation: hold or park the call first");
        }
        if role == SoundRole::Microphone {
            return self.nothing("speak: the meter shows what the microphone hears");
        }
        self.sound.tested = Some((role, self.now + TEST_LASTS));
        Vec::new()
    }

    /// Whether the tone of this device is being tested.
    pub(super) fn tests(&self, role: SoundRole) -> bool {
        self.sound.tested.is_some_and(|(tested, until)| tested == role && self.now < until)
    }

    /// What was tried or tested for long enough ends.
    pub(super) fn end_sound_tests(&mut self) {
        let now = self.now;
        self.sound.tried_until.take_if(|until| now >= *until);
        self.sound.tested.take_if(|(_, until)| now >= *until);
    }

    /// When one of those is to end.
    pub(super) fn sound_test_deadline(&self) -> Option<Moment> {
        [self.sound.tried_until, self.sound.tested.map(|(_, until)| until)].into_iter().flatten().min()
    }

    /// The devices there are.
    pub(super) fn devices_listed(&mut self, mut devices: Vec<ListedDevice>) -> Vec<Effect> {
        devices.truncate(MAX_DEVICES);
        self.sound.devices = devices;
        Vec::new()
    }

    /// Says what it will be, for nothing on the board may show it.
    fn switch_process(&mut self, process: Process, switch: Option<Switch>) -> Vec<Effect> {
        if self.sound.off {
            return self.nothing("there is no sound here");
        }
        let other = if self.sound.processed.has(process) { Switch::Off } else { Switch::On };
        let switch = switch.unwrap_or(other);
        let words = match switch {
            Switch::On => "on",
            Switch::Off => "off",
            Switch::Auto => "on with a loudspeaker, off with a headset",
        };
        self.say(Severity::Info, &format!("{}: {words}", process.name()));
        vec![Effect::Sound(SoundDeed::Process { process, switch })]
    }

    /// The yes without which no other device is used.
    fn take_device(&mut self) -> Vec<Effect> {
        let Some(name) = self.sound.offered.take() else {
            return self.nothing("no other sound device is offered");
        };
        self.say(Severity::Info, &format!("“{name}” is used from now on"));
        vec![Effect::Sound(SoundDeed::TakeDevice)]
    }

    fn toggle_recording(&mut self) -> Vec<Effect> {
        let Some(call) = self.hand().filter(|call| call.is_up()) else {
            return self.nothing("no call in hand to record");
        };
        let id = call.id;
        if call.recording.is_some() {
            if let Some(call) = self.call_mut(id) {
                call.recording = None;
            }
            return vec![Effect::Sound(SoundDeed::StopRecording { call: id })];
        }
        let label = label(call);
        if let Some(call) = self.call_mut(id) {
            call.recording = Some(Recording::Asked);
        }
        vec![Effect::Sound(SoundDeed::Record { call: id, label })]
    }

    /// The recording has begun: now the mark is true.
    pub(super) fn recording_begun(&mut self, id: CallId, file: &Text) -> Vec<Effect> {
        let now = self.now;
        if let Some(call) = self.call_mut(id).filter(|call| call.recording.is_some()) {
            call.recording = Some(Recording::Running { since: now, file: file.clone() });
        }
        Vec::new()
    }

    /// The recording is over, or never was: `failed` says why, where it wasn't meant.
    pub(super) fn recording_over(
        &mut self,
        id: CallId,
        file: Option<&Text>,
        failed: Option<&Text>,
    ) -> Vec<Effect> {
        let who = self.call(id).map(|call| self.called(&call.party));
        if let Some(call) = self.call_mut(id) {
            call.recording = None;
        }
        let of = who.map_or_else(String::new, |who| format!(" of {who}"));
        match (file, failed) {
            (Some(file), None) => self.say(Severity::Info, &format!("recorded: {file}")),
            (Some(file), Some(why)) => {
                let text = format!("NOT RECORDED ANY MORE{of}: {why} · what there is: {file}");
                self.say(Severity::Error, &text);
            }
            (None, why) => {
                let why = why.map_or("", Text::as_str);
                self.say(Severity::Error, &format!("NOT RECORDED{of}: {why} · the call goes on"));
            }
        }
        Vec::new()
    }
}

fn label(call: &Call) -> Text {
    let (name, number) = (call.party.label(), call.party.number.as_str());
    if name == number { Text::new(name) } else { Text::new(&format!("{name} {number}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{Abilities, CallArrival, Command, Event, SoundState};
    use crate::parking::Identity;

    #[test]
    fn what_is_done_to_the_microphone_is_switched_by_one_key_and_said() {
        let mut desk = Desk::new("a", "", Vec::new(), Abilities::default());
        let wish = |switch| Command::Sound(SoundWish::Process { process: Process::Echo, switch });
        let deed = |switch| [Effect::Sound(SoundDeed::Process { process: Process::Echo, switch })];
        assert_eq!(desk.obey(Moment::ZERO, wish(None)), deed(Switch::On));
        desk.sound.processed.echo = true;
        assert_eq!(desk.obey(Moment::ZERO, wish(None)), deed(Switch::Off));
        assert_eq!(desk.obey(Moment::ZERO, wish(Some(Switch::Auto))), deed(Switch::Auto));
        let said: Vec<_> = desk.notices.iter().map(|notice| notice.text.to_string()).collect();
        assert!(said.iter().any(|text| text == "echo canceller: off"), "{said:?}");
        desk.sound.off = true;
        assert_eq!(desk.obey(Moment::ZERO, wish(None)), []);
    }

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

    #[test]
    fn the_mark_stands_only_while_the_file_is_written() {
        let mut desk = Desk::new("a", "", Vec::new(), Abilities::default());
        let wish = Command::Sound(SoundWish::Record);
        assert_eq!(desk.obey(Moment::ZERO, wish.clone()), [], "there is no call");
        let call = desk.new_call_id();
        let arrival = CallArrival {
            call,
            party: Identity::new("Jane", "0161"),
            called: Text::default(),
            comeback: None,
            referred_by_us: false,
            note: Text::default(),
        };
        desk.learn(Moment::ZERO, Event::CallArrived(arrival));
        desk.obey(Moment::ZERO, Command::Take(call));
        desk.learn(Moment::ZERO, Event::CallAnswered { call });
        let label = Text::new("Jane 0161");
        let asked = [Effect::Sound(SoundDeed::Record { call, label })];
        assert_eq!(desk.obey(Moment::ZERO, wish.clone()), asked);
        assert_eq!(desk.call(call).unwrap().recording, Some(Recording::Asked));
        let file = Text::new("/r/jane.opus");
        desk.learn(Moment::ZERO, Event::RecordingBegun { call, file: file.clone() });
        assert!(matches!(desk.call(call).unwrap().recording, Some(Recording::Running { .. })));
        let why = Text::new("the disk is full");
        desk.learn(Moment::ZERO, Event::RecordingOver { call, file: Some(file), failed: Some(why) });
        assert_eq!(desk.call(call).unwrap().recording, None);
        let said = desk.notices.back().unwrap();
        assert!(said.severity == Severity::Error && said.text.as_str().contains("disk is full"));
        assert_eq!(desk.call(call).unwrap().phase, super::super::Phase::Talking, "the call goes on");
        desk.obey(Moment::ZERO, wish.clone());
        let stop = [Effect::Sound(SoundDeed::StopRecording { call })];
        assert_eq!(desk.obey(Moment::ZERO, wish), stop);
    }

    #[test]
    fn a_tone_is_tested_for_a_moment_and_never_in_a_conversation() {
        let mut desk = Desk::new("a", "", Vec::new(), Abilities::default());
        let test = |role| Command::Sound(SoundWish::Test(role));
        desk.obey(Moment::ZERO, test(SoundRole::Ringer));
        assert_eq!(desk.sound_plan().ring, crate::desk::RingTone::Call);
        assert_eq!(desk.next_deadline(), Some(TEST_LASTS));
        desk.learn(TEST_LASTS, Event::Ticked);
        assert_eq!((desk.sound_plan(), desk.next_deadline()), (crate::desk::SoundPlan::default(), None));
        desk.obey(TEST_LASTS, test(SoundRole::Headset));
        assert!(desk.sound_plan().ring_back);
        desk.obey(TEST_LASTS, Command::Dial("101".to_owned()));
        let call = desk.in_hand.unwrap();
        desk.learn(TEST_LASTS, Event::CallAnswered { call });
        assert!(!desk.sound_plan().ring_back, "somebody is heard now");
        desk.sound.tested = None;
        desk.obey(TEST_LASTS, test(SoundRole::Headset));
        assert_eq!(desk.sound.tested, None);
        assert!(desk.notices.back().unwrap().text.as_str().contains("not into a conversation"));
    }

    #[test]
    fn the_microphone_is_open_without_a_call_only_while_it_is_tried() {
        let mut desk = Desk::new("a", "", Vec::new(), Abilities::default());
        let wish = |on| Command::Sound(SoundWish::Try(on));
        desk.obey(Moment::ZERO, wish(true));
        assert!(desk.sound_plan().tried);
        desk.obey(Moment::ZERO, wish(false));
        assert!(!desk.sound_plan().tried);
        desk.obey(Moment::ZERO, wish(true));
        desk.learn(TRY_LASTS, Event::Ticked);
        assert!(
            !desk.sound_plan().tried && desk.sound.tried_until.is_none(),
            "forgotten, it closes by itself"
        );
    }
}
