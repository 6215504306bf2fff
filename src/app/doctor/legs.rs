//! The calls of the examination and their sound: which tone each leg plays, which one it hears.

use super::examiner::Examiner;
use crate::desk::{CallId, Effect, LineId};
use crate::dialect::SoundStep;
use crate::media::{Command, Sink, Source, StreamFigures, StreamId};
use crate::parking::{Identity, Moment};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the party plays that is going to be parked, Hz. No music is mistaken for a steady tone, and none of these for
/// another or for a telephone's own signals.
pub(super) const PARKEE_HZ: u16 = 740;
/// What the party plays that parks.
pub(super) const PARKER_HZ: u16 = 1_130;
/// What the party plays that retrieves.
pub(super) const RETRIEVER_HZ: u16 = 1_530;
const TONES: [u16; 3] = [PARKEE_HZ, PARKER_HZ, RETRIEVER_HZ];
const LEVEL_DBFS: f32 = -18.0;
/// A tone that was measured within this time is heard now.
const LATELY: Duration = Duration::from_millis(700);
/// Louder than this is somebody, or music.
pub(super) const AUDIBLE_DBFS: f32 = -60.0;

/// One leg.
#[derive(Clone, Debug, Default)]
pub(super) struct Leg {
    /// It rang here.
    pub incoming: bool,
    /// Who the server said is at the other end, in order.
    pub parties: Vec<Identity>,
    /// SIP's name for it.
    pub call_id: Option<String>,
    pub up_at: Option<Moment>,
    /// Why it is over.
    pub ended: Option<String>,
    /// Hold as last confirmed, or why it was refused.
    pub held: Option<Result<bool, String>>,
    /// Our port for its sound.
    pub port: Option<u16>,
    plays: Option<u16>,
    pub figures: StreamFigures,
    /// Steady tones that arrived, and when last.
    heard: BTreeMap<u16, Moment>,
}

impl Leg {
    pub fn is_up(&self) -> bool {
        self.up_at.is_some() && self.ended.is_none()
    }

    /// Whether it plays nothing.
    pub fn is_silent(&self) -> bool {
        self.plays.is_none()
    }

    /// The media threads have measured once more. On a busy machine or network a tone isn't steady in every window.
    pub fn measured(&mut self, now: Moment, figures: StreamFigures) {
        self.figures = figures;
        let near = |hz: &u16| figures.tone_hz.is_some_and(|heard| heard.abs_diff(*hz) <= hz / 25);
        if let Some(hz) = TONES.into_iter().find(near) {
            self.heard.insert(hz, now);
        }
    }

    /// What arrives, for people.
    pub fn heard(&self) -> String {
        match (self.figures.packets, self.figures.tone_hz) {
            (0, _) => "hears nothing: no packet has arrived".to_owned(),
            (_, Some(hz)) => format!("hears {hz} Hz"),
            (_, None) if self.figures.level_dbfs < AUDIBLE_DBFS => "hears silence".to_owned(),
            (_, None) => "hears something else".to_owned(),
        }
    }
}

impl Examiner {
    /// A number for a leg of which the phones are told next.
    pub(super) fn new_leg(&mut self, plays: Option<u16>) -> CallId {
        self.calls_total += 1;
        let call = CallId(self.calls_total);
        self.legs.insert(call, Leg { plays, ..Leg::default() });
        call
    }

    pub(super) fn leg(&self, call: Option<CallId>) -> Option<&Leg> {
        self.legs.get(&call?)
    }

    pub(super) fn is_up(&self, call: Option<CallId>) -> bool {
        self.leg(call).is_some_and(Leg::is_up)
    }

    /// Whether that tone has arrived on a leg since then.
    pub(super) fn has_heard(&self, call: Option<CallId>, hz: u16, since: Moment) -> bool {
        self.leg(call).and_then(|leg| leg.heard.get(&hz)).is_some_and(|at| *at >= since)
    }

    /// Whether that tone has arrived on a leg in the present stage.
    pub(super) fn hears(&self, call: Option<CallId>, hz: u16) -> bool {
        self.has_heard(call, hz, self.since)
    }

    /// Whether that tone arrives on a leg just now.
    pub(super) fn still_hears(&self, now: Moment, call: Option<CallId>, hz: u16) -> bool {
        self.has_heard(call, hz, now.saturating_sub(LATELY))
    }

    pub(super) fn perform(&mut self, now: Moment, effect: Effect) {
        self.phones.perform(now, LineId::default(), effect);
    }

    /// From now on this leg plays that tone, or silence.
    pub(super) fn play(&mut self, call: CallId, hz: Option<u16>) {
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.plays = hz;
            if leg.port.is_some() {
                self.sound.push_back(send(call, hz));
            }
        }
    }

    /// A step of the phones' sound path. Every leg is measured and plays its tone from the first moment.
    pub(super) fn take_step(&mut self, step: SoundStep) {
        let opened = match &step {
            SoundStep::Open { call, port } => Some((*call, *port)),
            _ => None,
        };
        self.director.step(step);
        while let Some(command) = self.director.poll() {
            self.sound.push_back(command);
        }
        if let Some((call, port)) = opened {
            let leg = self.legs.entry(call).or_default();
            leg.port = Some(port);
            let plays = leg.plays;
            self.sound.push_back(Command::Hear { stream: StreamId(call.0), sink: Sink::Meter });
            self.sound.push_back(send(call, plays));
        }
    }

    pub(super) fn hang_up(&mut self, now: Moment, call: Option<CallId>) {
        let Some((call, leg)) = call.and_then(|call| Some((call, self.legs.get_mut(&call)?))) else { return };
        if leg.ended.is_none() {
            leg.ended = Some(String::new());
            self.perform(now, Effect::HangUp(call));
        }
    }

    pub(super) fn hang_up_all(&mut self, now: Moment) {
        for call in self.legs.keys().copied().collect::<Vec<_>>() {
            self.hang_up(now, Some(call));
        }
    }
}

fn send(call: CallId, hz: Option<u16>) -> Command {
    let source = match hz {
        Some(hz) => Source::Tone { hz, level_dbfs: LEVEL_DBFS },
        None => Source::Silence,
    };
    Command::Send { stream: StreamId(call.0), source }
}
