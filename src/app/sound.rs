//! The desk's sound plan and the phone's steps as commands for the media threads, and their reports as events.

use crate::desk::{CallId, Desk, Event, RingTone, SoundDeed, SoundPlan, SoundState};
use crate::dialect::SoundStep;
use crate::media::{
    Clip, Codec, Command, Cue, DtlsRole, Protection, Report, RingPattern, Role, Sink, Source, SrtpKey,
    SrtpSuite, StreamConfig, StreamId,
};
use crate::parking::Text;
use crate::sip::sdp::{self, Negotiated};
use std::collections::{BTreeMap, VecDeque};

/// What the media threads were last told, so that only differences are sent.
#[derive(Default)]
pub struct SoundDirector {
    commands: VecDeque<Command>,
    /// The open streams, and whether each has media of the far end.
    open: BTreeMap<CallId, bool>,
    plan: SoundPlan,
    muted: bool,
    ring_back: bool,
    waiting_tone: bool,
}

impl SoundDirector {
    /// The next command.
    pub fn poll(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// The phone's step.
    pub fn step(&mut self, step: SoundStep) {
        match step {
            SoundStep::Open { call, port } => {
                self.open.insert(call, false);
                self.commands.push_back(Command::Open { stream: stream(call), port });
            }
            SoundStep::Configure { call, negotiated, signalling } => {
                let Some(configured) = self.open.get_mut(&call) else { return };
                *configured = true;
                let stream = stream(call);
                let Some(protection) = protection(&negotiated) else {
                    tracing::error!("keys that don't fit their suite: the stream stays closed");
                    return;
                };
                self.commands.push_back(Command::Protect { stream, protection });
                let config = StreamConfig { signalling, ..stream_config(&negotiated) };
                self.commands.push_back(Command::Configure { stream, config });
            }
            SoundStep::Digit { call, digit } => {
                self.commands.push_back(Command::Digit { stream: stream(call), digit });
            }
            SoundStep::Close { call } => {
                self.open.remove(&call);
                // A plan that still names this call must be sent anew should the number ever be open again.
                self.plan.heard = self.plan.heard.filter(|c| *c != call);
                self.plan.spoken_to = self.plan.spoken_to.filter(|c| *c != call);
                self.commands.push_back(Command::Close { stream: stream(call) });
            }
        }
    }

    /// Plays a recording into a call, once; the call is heard by nobody here.
    pub fn speak(&mut self, call: CallId, clip: Clip) {
        self.switch(Some(call), |stream| Command::Send { stream, source: Source::Prompt(clip.clone()) });
    }

    /// Brings microphone, ear and ringer in line with the plan. The microphone closes before another opens, and the tone
    /// of the ladder ends before anybody is heard.
    pub fn follow(&mut self, plan: SoundPlan, muted: bool) {
        let plan = SoundPlan {
            heard: plan.heard.filter(|c| self.open.contains_key(c)),
            spoken_to: plan.spoken_to.filter(|c| self.open.contains_key(c)),
            ..plan
        };
        let before = std::mem::replace(&mut self.plan, plan);
        if self.waiting_tone && !plan.waiting_tone {
            self.waiting_tone = false;
            self.commands.push_back(Command::Play { cue: Cue::Off });
        }
        if before.spoken_to != plan.spoken_to {
            self.switch(before.spoken_to, |stream| Command::Send { stream, source: Source::Silence });
            self.switch(plan.spoken_to, |stream| Command::Send { stream, source: Source::Headset });
        }
        if before.heard != plan.heard {
            self.switch(before.heard, |stream| Command::Hear { stream, sink: Sink::Discard });
            self.switch(plan.heard, |stream| Command::Hear { stream, sink: Sink::Headset });
        }
        if before.ring != plan.ring {
            let pattern = match plan.ring {
                RingTone::Silent => RingPattern::Off,
                RingTone::Call => RingPattern::Call,
                RingTone::Comeback => RingPattern::Comeback,
            };
            self.commands.push_back(Command::Ring { pattern });
        }
        if std::mem::replace(&mut self.muted, muted) != muted {
            self.commands.push_back(Command::Mute { on: muted });
        }
        // A far end that rings with a sound of its own needs none of ours.
        let has_media = plan.heard.is_some_and(|c| self.open.get(&c).copied().unwrap_or(false));
        let ring_back = plan.ring_back && !has_media;
        if std::mem::replace(&mut self.ring_back, ring_back) != ring_back {
            let cue = if ring_back { Cue::RingBack } else { Cue::Off };
            self.commands.push_back(Command::Play { cue });
        }
        if plan.waiting_tone && !self.waiting_tone {
            self.waiting_tone = true;
            self.commands.push_back(Command::Play { cue: Cue::Waiting });
        }
    }

    /// Does what the desk wants of sound.
    pub fn perform(&mut self, deed: SoundDeed) {
        match deed {
            SoundDeed::TakeDevice => self.commands.push_back(Command::TakeOffered),
        }
    }

    fn switch(&mut self, call: Option<CallId>, command: impl Fn(StreamId) -> Command) {
        if let Some(call) = call.filter(|c| self.open.contains_key(c)) {
            self.commands.push_back(command(stream(call)));
        }
    }

    /// What a report means for the desk, if anything.
    pub fn report(&self, desk: &Desk, report: Report) -> Option<Event> {
        let sound = desk.sound.clone();
        let state = match report {
            Report::Digit { stream, digit } => {
                return Some(Event::DigitHeard { call: call(stream), digit });
            }
            Report::PromptEnded { stream } => return Some(Event::Announced { call: CallId(stream.0) }),
            Report::Protected { stream } => {
                return Some(Event::SoundSecured { call: call(stream), outcome: Ok(()) });
            }
            Report::ProtectionFailed { stream, reason } => {
                let outcome = Err(Text::new(&reason));
                return Some(Event::SoundSecured { call: call(stream), outcome });
            }
            Report::Levels { microphone_dbfs, headset_dbfs } => SoundState {
                microphone_level: meter(microphone_dbfs),
                ear_level: meter(headset_dbfs),
                ..sound
            },
            Report::DeviceReady { role: Role::Microphone, name, .. } => {
                SoundState { microphone: Some(Ok(Text::new(&name))), offered: None, ..sound }
            }
            Report::DeviceReady { role: Role::Headset, name, loud } => {
                SoundState { headset: Some(Ok(Text::new(&name))), loud, offered: None, ..sound }
            }
            Report::DeviceLost { role, name, reason } => {
                let text = format!("{name} is gone ({reason}): the call goes on, plug it in again");
                without(sound, role, &text)?
            }
            Report::NoDevice { role, reason } => without(sound, role, &reason)?,
            Report::DeviceOffered { role: Role::Microphone | Role::Headset, name } => {
                SoundState { offered: Some(Text::new(&name)), ..sound }
            }
            _ => return None,
        };
        Some(Event::SoundChanged(state))
    }
}

/// The sound without that device; `None`: it is none that the board shows.
fn without(sound: SoundState, role: Role, why: &str) -> Option<SoundState> {
    let why = Some(Err(Text::new(why)));
    match role {
        Role::Microphone => Some(SoundState { microphone: why, microphone_level: 0, ..sound }),
        Role::Headset => Some(SoundState { headset: why, ear_level: 0, ..sound }),
        Role::Ringer | Role::SecondEar => None,
    }
}

fn stream(call: CallId) -> StreamId {
    StreamId(call.0)
}

/// The call whose sound a stream is.
pub(super) fn call(stream: StreamId) -> CallId {
    CallId(stream.0)
}

/// A level as a meter from 0 to 100 over the 60 dB in which speech lives.
fn meter(dbfs: f32) -> u8 {
    let share = ((dbfs + 60.0) / 60.0).clamp(0.0, 1.0);
    // Clamped to 0..=100 above.
    (share * 100.0) as u8
}

/// How offer and answer protect the sound, in the words of the media threads. `None` can't come from what was read:
/// a key that doesn't fit its suite.
pub fn protection(negotiated: &Negotiated) -> Option<Protection> {
    let key = |key: &sdp::MediaKey| {
        let suite = match key.suite() {
            sdp::Suite::AeadAes256Gcm => SrtpSuite::AeadAes256Gcm,
            sdp::Suite::AeadAes128Gcm => SrtpSuite::AeadAes128Gcm,
            sdp::Suite::AesCm128HmacSha1_80 => SrtpSuite::AesCm128HmacSha1_80,
            sdp::Suite::AesCm128HmacSha1_32 => SrtpSuite::AesCm128HmacSha1_32,
        };
        let made = SrtpKey::new(suite, key.expose())?.lasting(key.lifetime());
        match key.name() {
            Some(name) => made.named(name.value, name.length),
            None => Some(made),
        }
    };
    Some(match &negotiated.protection {
        sdp::Protection::Clear => Protection::Clear,
        sdp::Protection::Sdes { send, receive } => {
            Protection::Srtp { send: key(send)?, receive: receive.iter().map(key).collect::<Option<_>>()? }
        }
        sdp::Protection::Dtls { role, fingerprint } => Protection::Dtls {
            role: match role {
                sdp::DtlsRole::Active => DtlsRole::Active,
                sdp::DtlsRole::Passive => DtlsRole::Passive,
            },
            fingerprint: fingerprint.0,
        },
    })
}

/// The agreement of offer and answer in the words of the media threads.
pub fn stream_config(negotiated: &Negotiated) -> StreamConfig {
    let sends = matches!(negotiated.direction, sdp::Direction::SendRecv | sdp::Direction::SendOnly);
    let receives = matches!(negotiated.direction, sdp::Direction::SendRecv | sdp::Direction::RecvOnly);
    StreamConfig {
        remote: negotiated.remote,
        codec: match negotiated.codec {
            sdp::Codec::Opus => Codec::Opus,
            sdp::Codec::G722 => Codec::G722,
            sdp::Codec::Pcmu => Codec::Pcmu,
            sdp::Codec::Pcma => Codec::Pcma,
        },
        payload_type: negotiated.payload_type,
        receive_payload_type: negotiated.receive_payload_type,
        dtmf_payload_type: negotiated.dtmf_payload_type,
        dtmf_receive_payload_type: negotiated.dtmf_receive_payload_type,
        send: sends,
        receive: receives,
        fec: negotiated.fec,
        red_payload_type: negotiated.red_payload_type,
        red_receive_payload_type: negotiated.red_receive_payload_type,
        signalling: None,
        rtcp_mux: negotiated.rtcp_mux,
        rtcp_remote: negotiated.rtcp_remote,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JANE: CallId = CallId(1);
    const PAGE: CallId = CallId(2);

    fn commands(director: &mut SoundDirector) -> Vec<String> {
        std::iter::from_fn(|| director.poll()).map(|command| format!("{command:?}")).collect()
    }

    fn open(calls: &[CallId]) -> SoundDirector {
        let mut director = SoundDirector::default();
        for (call, port) in calls.iter().zip(20_000..) {
            director.step(SoundStep::Open { call: *call, port });
        }
        commands(&mut director);
        director
    }

    #[test]
    fn the_tone_of_the_ladder_ends_before_anybody_is_heard() {
        let mut director = open(&[JANE]);
        let tone = SoundPlan { waiting_tone: true, ..SoundPlan::default() };
        director.follow(tone, false);
        director.follow(tone, false);
        assert_eq!(commands(&mut director), ["Play { cue: Waiting }"], "once");
        let talk = SoundPlan { heard: Some(JANE), spoken_to: Some(JANE), ..SoundPlan::default() };
        director.follow(talk, false);
        let said = commands(&mut director);
        assert_eq!(said.first().map(String::as_str), Some("Play { cue: Off }"), "{said:?}");
        assert!(said.iter().any(|command| command.starts_with("Hear")), "{said:?}");
    }

    #[test]
    fn an_announcement_goes_into_the_paging_call_and_into_no_other() {
        let mut director = open(&[JANE, PAGE]);
        let talk = SoundPlan { heard: Some(JANE), spoken_to: Some(JANE), ..SoundPlan::default() };
        director.follow(talk, false);
        commands(&mut director);
        director.speak(PAGE, Clip::new(&[1_000; 800], 8_000));
        director.follow(talk, false);
        let said = commands(&mut director);
        assert!(said.len() == 1 && said[0].contains("StreamId(2)") && said[0].contains("Prompt"), "{said:?}");
        director.step(SoundStep::Close { call: PAGE });
        commands(&mut director);
        director.speak(PAGE, Clip::new(&[1_000; 800], 8_000));
        assert!(commands(&mut director).is_empty(), "the page is over");
        let ended = director.report(&Desk::default(), Report::PromptEnded { stream: StreamId(2) });
        assert_eq!(ended, Some(Event::Announced { call: PAGE }));
    }
}
