//! The desk's sound plan and the phone's steps as commands for the media threads, and their reports as events.

use crate::desk::{self, CallId, Desk, Event, Processed, RingTone, SoundDeed, SoundPlan, SoundState};
use crate::dialect::SoundStep;
use crate::media::{
    self, Clip, Codec, Command, Cue, DeviceDelay, DtlsRole, FRAMES_MAX, OpusTerms, Processing,
    ProcessingFigures, Protection, QualityMeter, Report, RingPattern, Role, Sink, Source, SrtpKey, SrtpSuite,
    StreamConfig, StreamFigures, StreamId,
};
use crate::parking::{Moment, Text};
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
    call_waits: bool,
    listening: BTreeMap<CallId, Listening>,
    devices: DeviceDelay,
}

/// How a call's sound is followed.
struct Listening {
    codec: Codec,
    /// Both of us send: either direction can be missed.
    both_ways: bool,
    meter: Option<QualityMeter>,
    /// It is another state than before: what was missing before is no sign.
    anew: bool,
    told: Option<desk::Quality>,
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
                let both_ways = config.send && config.receive;
                let before = self.listening.remove(&call);
                let (meter, told) = before.map_or((None, None), |before| (before.meter, before.told));
                let listening = Listening { codec: config.codec, both_ways, meter, anew: true, told };
                self.listening.insert(call, listening);
                self.commands.push_back(Command::Configure { stream, config });
            }
            SoundStep::Digit { call, digit } => {
                self.commands.push_back(Command::Digit { stream: stream(call), digit });
            }
            SoundStep::Close { call } => {
                self.open.remove(&call);
                self.listening.remove(&call);
                // A plan that still names this call must be sent anew should the number ever be open again.
                self.plan.heard = self.plan.heard.filter(|c| *c != call);
                self.plan.spoken_to = self.plan.spoken_to.filter(|c| *c != call);
                self.plan.joined = self.plan.joined.filter(|c| *c != call);
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
            joined: plan.joined.filter(|c| self.open.contains_key(c)),
            ..plan
        };
        let before = std::mem::replace(&mut self.plan, plan);
        if self.waiting_tone && !plan.waiting_tone {
            self.waiting_tone = false;
            self.commands.push_back(Command::Play { cue: Cue::Off });
        }
        self.route(&before, &plan);
        if before.tried != plan.tried {
            self.commands.push_back(Command::Try { on: plan.tried });
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
        self.let_know_of_calls(&plan);
        if plan.waiting_tone && !self.waiting_tone {
            self.waiting_tone = true;
            self.commands.push_back(Command::Play { cue: Cue::Waiting });
        }
    }

    /// Who is sent what, and who is heard: first what ends, then what begins.
    fn route(&mut self, before: &SoundPlan, plan: &SoundPlan) {
        let (was_sent, is_sent) = (sources(before), sources(plan));
        for (call, source) in &was_sent {
            if !is_sent.contains(&(*call, *source)) {
                self.switch(Some(*call), |stream| Command::Send { stream, source: Source::Silence });
            }
        }
        for (call, with) in &is_sent {
            if !was_sent.contains(&(*call, *with)) {
                let source = with.map_or(Source::Headset, |other| Source::Joined(stream(other)));
                self.switch(Some(*call), |stream| Command::Send { stream, source: source.clone() });
            }
        }
        let (was_heard, is_heard) = ([before.heard, before.joined], [plan.heard, plan.joined]);
        for call in was_heard.into_iter().flatten().filter(|call| !is_heard.contains(&Some(*call))) {
            self.switch(Some(call), |stream| Command::Hear { stream, sink: Sink::Discard });
        }
        for call in is_heard.into_iter().flatten().filter(|call| !was_heard.contains(&Some(*call))) {
            self.switch(Some(call), |stream| Command::Hear { stream, sink: Sink::Headset });
        }
    }

    /// Somebody rings while the operator talks: a tone in the second ear, where there is one.
    fn let_know_of_calls(&mut self, plan: &SoundPlan) {
        let waits = plan.ring != RingTone::Silent && plan.spoken_to.is_some();
        if std::mem::replace(&mut self.call_waits, waits) != waits && !self.ring_back {
            let cue = if waits { Cue::CallWaiting } else { Cue::Off };
            self.commands.push_back(Command::Play { cue });
        }
    }

    /// Does what the desk wants of sound.
    pub fn perform(&mut self, deed: SoundDeed) {
        match deed {
            SoundDeed::TakeDevice => self.commands.push_back(Command::TakeOffered),
            // Asking takes long: the program around does it.
            SoundDeed::ListDevices => {}
            SoundDeed::Process { process, switch } => {
                let process = match process {
                    desk::Process::Echo => media::Process::Echo,
                    desk::Process::Noise => media::Process::Noise,
                    desk::Process::Gain => media::Process::Gain,
                };
                let switch = match switch {
                    desk::Switch::Auto => media::Switch::Auto,
                    desk::Switch::On => media::Switch::On,
                    desk::Switch::Off => media::Switch::Off,
                };
                self.commands.push_back(Command::Process { process, switch });
            }
            SoundDeed::Record { call, label } => {
                let (stream, label) = (stream(call), label.to_string());
                self.commands.push_back(Command::Record { stream, label });
            }
            SoundDeed::StopRecording { call } => {
                self.commands.push_back(Command::StopRecording { stream: stream(call) });
            }
        }
    }

    fn switch(&mut self, call: Option<CallId>, command: impl Fn(StreamId) -> Command) {
        if let Some(call) = call.filter(|c| self.open.contains_key(c)) {
            self.commands.push_back(command(stream(call)));
        }
    }

    /// What a report means for the desk, if anything.
    pub fn report(&mut self, now: Moment, desk: &Desk, report: Report) -> Option<Event> {
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
            Report::Figures { stream, figures } => return self.measured(now, desk, call(stream), &figures),
            Report::RecordingStarted { stream, file } => {
                return Some(Event::RecordingBegun { call: call(stream), file: Text::new(&file) });
            }
            Report::RecordingEnded { stream, file } => {
                let file = Some(Text::new(&file));
                return Some(Event::RecordingOver { call: call(stream), file, failed: None });
            }
            Report::RecordingFailed { stream, file, reason } => {
                let (file, failed) = (file.map(|file| Text::new(&file)), Some(Text::new(&reason)));
                return Some(Event::RecordingOver { call: call(stream), file, failed });
            }
            Report::Levels { microphone_dbfs, processing, headset_dbfs, delay } => {
                self.devices = delay;
                self.hear_ourselves(now, desk, microphone_dbfs);
                SoundState {
                    microphone_level: meter(microphone_dbfs),
                    ear_level: meter(headset_dbfs),
                    processed: measured(&sound.processed, processing),
                    ..sound
                }
            }
            Report::ProcessingChanged { in_force } => {
                let Processing { echo, noise, gain } = in_force;
                SoundState { processed: Processed { echo, noise, gain, ..Processed::default() }, ..sound }
            }
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

impl SoundDirector {
    /// Tells the call that is spoken to how loud we are.
    fn hear_ourselves(&mut self, now: Moment, desk: &Desk, level_dbfs: f32) {
        let live = matches!(desk.sound.microphone, Some(Ok(_))) && !desk.sound.muted;
        for (call, listening) in &mut self.listening {
            let spoken_to = self.plan.spoken_to == Some(*call) || self.plan.joined == Some(*call);
            if let Some(meter) = &mut listening.meter {
                meter.hear_ourselves(now, Some(level_dbfs).filter(|_| live && spoken_to));
            }
        }
    }

    /// A call's figures as what the board shows; `None` where that is the same as before.
    fn measured(&mut self, now: Moment, desk: &Desk, id: CallId, figures: &StreamFigures) -> Option<Event> {
        let live = matches!(desk.sound.microphone, Some(Ok(_)));
        let talks = self.plan.spoken_to == Some(id) || self.plan.joined == Some(id);
        let devices = self.devices;
        let listening = self.listening.get_mut(&id)?;
        let meter = listening.meter.get_or_insert_with(|| QualityMeter::new(now));
        if std::mem::take(&mut listening.anew) || !talks {
            meter.begin_again(now);
        }
        if !live {
            meter.hear_ourselves(now, None);
        }
        let measured = meter.take(now, listening.codec, figures, devices);
        let one_way = meter.one_way(now).filter(|_| listening.both_ways && talks);
        let quality = whole(&measured, one_way);
        (listening.told.replace(quality) != Some(quality)).then_some(Event::QualityTold { call: id, quality })
    }
}

/// What was measured, in the desk's whole numbers.
fn whole(quality: &media::Quality, one_way: Option<media::OneWay>) -> desk::Quality {
    // `as` saturates.
    let number = |value: f32| value.round() as u16;
    desk::Quality {
        lost_permille: number(quality.lost_percent * 10.0),
        concealed_permille: number(quality.concealed_percent * 10.0),
        jitter_ms: number(quality.jitter_ms),
        network_ms: quality.network_ms.map(number),
        buffer_ms: number(quality.buffer_ms),
        device_ms: number(quality.device_ms),
        mos_hundredths: number(quality.opinion * 100.0),
        mos_of_call_hundredths: number(quality.opinion_of_call * 100.0),
        mos_worst_hundredths: number(quality.opinion_worst * 100.0),
        remote_lost_permille: quality.remote_lost_percent.map(|lost| number(lost * 10.0)),
        one_way: one_way.map(|one_way| match one_way {
            media::OneWay::NothingCame => desk::OneWay::NothingCame,
            media::OneWay::NothingComes => desk::OneWay::NothingComes,
            media::OneWay::NotHeard => desk::OneWay::NotHeard,
            media::OneWay::DeadMicrophone => desk::OneWay::DeadMicrophone,
        }),
    }
}

/// Who is sent the microphone, and with whom else's voice.
fn sources(plan: &SoundPlan) -> Vec<(CallId, Option<CallId>)> {
    match (plan.heard, plan.joined) {
        // Also while we are muted: they still hear each other.
        (Some(hand), Some(other)) => vec![(hand, Some(other)), (other, Some(hand))],
        _ => plan.spoken_to.map(|call| (call, None)).into_iter().collect(),
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

/// What is done to the microphone's sound, with what that makes of it.
fn measured(before: &Processed, figures: Option<ProcessingFigures>) -> Processed {
    // `as` saturates.
    Processed {
        level_before: figures.map(|figures| meter(figures.before_dbfs)),
        echo_weaker_db: figures.and_then(|f| f.erle_db).map(|db| db.round() as u8),
        echo_delay_ms: figures.and_then(|f| f.echo_delay_ms).map(|ms| u16::try_from(ms).unwrap_or(u16::MAX)),
        ..before.clone()
    }
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
        opus: opus(&negotiated.opus),
        frames: (negotiated.ptime_ms / 20).clamp(1, u16::from(FRAMES_MAX)) as u8,
        red_payload_type: negotiated.red_payload_type,
        red_receive_payload_type: negotiated.red_receive_payload_type,
        signalling: None,
        rtcp_mux: negotiated.rtcp_mux,
        rtcp_remote: negotiated.rtcp_remote,
    }
}

/// The same in the words of the media threads.
fn opus(terms: &sdp::OpusTerms) -> OpusTerms {
    let sdp::OpusTerms { fec, deep, dtx, cbr, bitrate_max, playback_hz } = *terms;
    OpusTerms { fec, deep, dtx, cbr, bitrate_max, playback_hz }
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
        let ended =
            director.report(Moment::ZERO, &Desk::default(), Report::PromptEnded { stream: StreamId(2) });
        assert_eq!(ended, Some(Event::Announced { call: PAGE }));
    }
}
