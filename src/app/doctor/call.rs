//! The test call: the account calls itself (or a phone that was named), both sides speak, one puts the other on hold.

use super::enquiry::Trial;
use super::examiner::{Examiner, Stage};
use super::finding::{Finding, Verdict};
use super::legs::{AUDIBLE_DBFS, PARKEE_HZ, PARKER_HZ};
use crate::desk::{CallId, Effect};
use crate::parking::{Moment, Text};
use crate::sip::sdp::{Codec, Direction, LocalMedia, LocalSecurity};
use std::time::Duration;

/// A call to ourselves is answered at once.
const OWN_PATIENCE: Duration = Duration::from_secs(12);
/// Somebody may have to walk to the phone.
const OTHER_PATIENCE: Duration = Duration::from_secs(45);
/// After an answer without a call that rings here it is somebody else's phone that answered.
const ARRIVAL_PATIENCE: Duration = Duration::from_millis(1_500);
/// Until both sides hear each other.
const SOUND_PATIENCE: Duration = Duration::from_secs(8);
/// A server that answers re-INVITE at all does so within this time.
const HOLD_PATIENCE: Duration = Duration::from_secs(8);
/// How long it is listened to what a held party hears.
const HELD_FOR: Duration = Duration::from_millis(1_200);
/// The same before a call that is only there to be parked is parked: a server waits for the first packet.
const WARM_UP: Duration = Duration::from_millis(800);
/// One codec's call.
const TRIAL_PATIENCE: Duration = Duration::from_secs(4);

impl Examiner {
    pub(super) fn dial(&mut self, now: Moment) {
        (self.parker, self.retriever, self.slot, self.parked_at) = (None, None, None, None);
        let call = self.new_leg(Some(PARKEE_HZ));
        self.parkee = Some(call);
        let to = self.plan.number.clone();
        self.perform(now, Effect::Dial { call, to });
    }

    /// Our own call rings here.
    pub(super) fn take_test_call(&mut self, now: Moment, call: CallId) {
        self.parker = Some(call);
        self.play(call, Some(PARKER_HZ));
        self.perform(now, Effect::Answer(call));
    }

    pub(super) fn look_at_call(&mut self, now: Moment) -> Option<Stage> {
        let parkee = self.parkee?;
        let since = self.since;
        let call_id = self.witness.began_call(true, since).map(str::to_owned);
        let leg = self.legs.get_mut(&parkee)?;
        leg.call_id = leg.call_id.take().or(call_id);
        let (up_at, ended) = (leg.up_at, leg.ended.clone());
        if let Some(reason) = ended {
            return Some(self.call_failed(&reason));
        }
        let patience = if self.plan.number_named { OTHER_PATIENCE } else { OWN_PATIENCE };
        match up_at {
            Some(_) if self.is_up(self.parker) => self.call_is_up(now),
            Some(at) if self.parker.is_none() && now >= at + ARRIVAL_PATIENCE => {
                Some(self.somebody_answered())
            }
            _ if self.lasted(now) >= patience => {
                let number = Text::new(&self.plan.number);
                let seen = format!("{number} was not answered within {} s", patience.as_secs());
                self.find(Finding::new("test call", Verdict::Bad, seen));
                Some(Stage::HangingUp)
            }
            _ => None,
        }
    }

    fn call_is_up(&mut self, now: Moment) -> Option<Stage> {
        if self.second_call || self.parks_anew {
            let answered = self.leg(self.parker).and_then(|leg| leg.up_at)?;
            return (now >= answered + WARM_UP).then_some(Stage::Parking);
        }
        let parties = self.leg(self.parker).map(|leg| leg.parties.clone()).unwrap_or_default();
        let shown = parties.first().map(|party| match party.name.is_empty() {
            true => party.number.to_string(),
            false => format!("“{}” {}", party.name, party.number),
        });
        let seen = format!(
            "{} rings here, shows {}, and was answered",
            Text::new(&self.plan.number),
            shown.unwrap_or_default()
        );
        self.find(Finding::new("test call", Verdict::Good, seen));
        Some(Stage::Hearing)
    }

    fn call_failed(&mut self, reason: &str) -> Stage {
        let status =
            self.leg(self.parkee).and_then(|leg| self.witness.invite_status(leg.call_id.as_deref()?));
        let number = Text::new(&self.plan.number).to_string();
        let mut finding = Finding::new("test call", Verdict::Bad, format!("{number}: {reason}"));
        match &self.facts.stranger {
            Some(shown) => {
                finding = finding.advise([format!(
                    "a call rang here and showed {}; if that is the account's own number: --caller-id {0}",
                    Text::new(shown)
                )]);
            }
            None => {
                let mut advice = self.words().call(status, &number, self.plan.number_named);
                if let (Some(488 | 606), Some(keys)) = (status, self.plan.keys) {
                    advice.splice(0..0, self.words().encryption(keys));
                }
                finding = finding.advise(advice);
            }
        }
        self.find(finding);
        Stage::HangingUp
    }

    /// The call was answered, and nothing rang here.
    fn somebody_answered(&mut self) -> Stage {
        let number = Text::new(&self.plan.number).to_string();
        if !self.plan.number_named {
            let seen = format!("{number} was answered by somebody else than this account");
            let advice = "say which number rings this account (or which phone may be called): --call NUMBER"
                .to_owned();
            self.find(Finding::new("test call", Verdict::Bad, seen).advise([advice]));
            return Stage::HangingUp;
        }
        self.other_phone = true;
        self.parker = self.parkee;
        self.find(Finding::new("test call", Verdict::Good, format!("{number} answered (another phone)")));
        Stage::Hearing
    }

    pub(super) fn look_at_sound(&mut self, now: Moment) -> Option<Stage> {
        if self.other_phone {
            let packets = self.leg(self.parkee).map_or(0, |leg| leg.figures.packets);
            if packets == 0 && self.lasted(now) < SOUND_PATIENCE {
                return None;
            }
            let finding = match packets {
                0 => Finding::new("sound", Verdict::Bad, "nothing is heard from there")
                    .advise(self.words().sound()),
                _ => Finding::new(
                    "sound",
                    Verdict::Good,
                    "their sound arrives; whether they hear ours can't be measured",
                ),
            };
            self.find(finding);
            self.judge_codecs_answered();
            return Some(Stage::Holding);
        }
        let both = self.hears(self.parkee, PARKER_HZ) && self.hears(self.parker, PARKEE_HZ);
        if !both && self.lasted(now) < SOUND_PATIENCE {
            return None;
        }
        let of = |call| self.leg(call).map(|leg| leg.heard()).unwrap_or_default();
        let finding = match both {
            true => Finding::new("sound", Verdict::Good, "both sides hear each other"),
            false => {
                let seen = format!("who calls {}; who answers {}", of(self.parkee), of(self.parker));
                Finding::new("sound", Verdict::Bad, seen).advise(self.words().sound())
            }
        };
        self.find(finding);
        self.judge_codecs_answered();
        Some(Stage::Holding)
    }

    /// Codecs that the server's answer doesn't name are tried by themselves later: many servers name only one.
    fn judge_codecs_answered(&mut self) {
        let call_id = self.leg(self.parkee).and_then(|leg| leg.call_id.clone()).unwrap_or_default();
        let answered = self.witness.answered_codecs(&call_id);
        self.codec_findings.extend(answered.iter().map(|codec| (*codec, Trial::Taken)));
        self.untried = self.plan.codecs.iter().filter(|codec| !answered.contains(codec)).copied().collect();
        self.untried.reverse();
    }

    pub(super) fn hold(&mut self, now: Moment, on: bool) {
        let Some(call) = self.parker else { return };
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.held = None;
        }
        // As an operator's microphone is: closed towards whom is held.
        self.play(call, (!on).then_some(PARKER_HZ));
        self.perform(now, if on { Effect::Hold(call) } else { Effect::Resume(call) });
    }

    pub(super) fn look_at_hold(&mut self, now: Moment) -> Option<Stage> {
        match self.leg(self.parker)?.held.clone() {
            Some(Ok(true)) => Some(Stage::Held),
            Some(Err(reason)) => Some(self.hold_failed(&format!("hold was refused: {reason}"))),
            _ if !self.is_up(self.parker) => Some(self.hold_failed("the call ended when it was put on hold")),
            _ if self.lasted(now) >= HOLD_PATIENCE => Some(self.hold_failed("hold was not answered")),
            _ => None,
        }
    }

    fn hold_failed(&mut self, seen: &str) -> Stage {
        let advice = "the server must take a re-INVITE with a=sendonly".to_owned();
        self.find(Finding::new("hold", Verdict::Bad, seen).advise([advice]));
        if self.is_up(self.parker) { Stage::Parking } else { Stage::HangingUp }
    }

    pub(super) fn look_at_held(&mut self, now: Moment) -> Option<Stage> {
        if self.lasted(now) < HELD_FOR {
            return None;
        }
        self.held_music = self.is_audible(self.parkee);
        Some(Stage::Resuming)
    }

    pub(super) fn look_at_resume(&mut self, now: Moment) -> Option<Stage> {
        let leg = self.leg(self.parker)?;
        let resumed = leg.held == Some(Ok(false));
        let heard =
            self.other_phone || self.hears(self.parkee, PARKER_HZ) && self.hears(self.parker, PARKEE_HZ);
        if resumed && heard {
            let music = match (self.other_phone, self.held_music) {
                (true, _) => "held",
                (false, true) => "held with music",
                (false, false) => "held in silence",
            };
            let seen = format!("{music}, and resumed with sound both ways");
            self.find(Finding::new("hold", Verdict::Good, seen));
            self.judge_direct_media();
            return Some(Stage::Parking);
        }
        if let Some(Err(reason)) = leg.held.clone() {
            return Some(self.hold_failed(&format!("it could not be resumed: {reason}")));
        }
        (self.lasted(now) >= HOLD_PATIENCE)
            .then(|| self.hold_failed("after it was resumed the two don't hear each other any more"))
    }

    /// The server sends the two sides' sound straight to each other.
    fn judge_direct_media(&mut self) {
        let ports: Vec<u16> = self.legs.values().filter_map(|leg| leg.port).collect();
        if self.witness.sound_sent_to(&ports) {
            let seen = "the server takes itself out of the way of the sound (direct media)";
            let advice = self.words().direct_media();
            self.find(Finding::new("direct media", Verdict::Doubtful, seen).advise([advice]));
        }
    }

    pub(super) fn look_at_codecs(&mut self, now: Moment) -> Option<Stage> {
        let under_way = self.untried.last().copied().filter(|_| !self.other_phone);
        let Some(codec) = under_way else { return Some(self.codecs_done()) };
        let Some(port) = self.spare_port else { return Some(self.codecs_done()) };
        match self.enquirer.trial() {
            None if self.lasted(now) < TRIAL_PATIENCE => {
                if !self.enquirer.is_trying() {
                    let number = self.plan.number.clone();
                    let media = self.media_at(port);
                    self.enquirer.try_codec(now, media, codec, &number);
                }
                None
            }
            outcome => {
                self.codec_findings.push((codec, outcome.unwrap_or(Trial::Refused(408))));
                self.untried.pop();
                self.enquirer.end_trial(now);
                Some(Stage::Codecs)
            }
        }
    }

    fn media_at(&self, port: u16) -> LocalMedia {
        LocalMedia {
            address: self.own_address(),
            port,
            codecs: Vec::new(),
            redundancy: false,
            direction: Direction::SendRecv,
            session_id: u64::from(port),
            version: 1,
            security: LocalSecurity::default(),
        }
    }

    fn codecs_done(&mut self) -> Stage {
        let outcomes = std::mem::take(&mut self.codec_findings);
        let tried =
            |codec: &Codec| outcomes.iter().find(|(tried, _)| tried == codec).map(|(_, outcome)| *outcome);
        let named = |wanted: fn(Option<Trial>) -> bool| {
            let of: Vec<&str> =
                self.plan.codecs.iter().filter(|c| wanted(tried(c))).map(|c| name(*c)).collect();
            of.join(", ")
        };
        let taken = named(|outcome| outcome == Some(Trial::Taken));
        let refused = named(|outcome| matches!(outcome, Some(Trial::Refused(_))));
        let unknown = named(|outcome| outcome.is_none());
        if !taken.is_empty() || !refused.is_empty() {
            let mut seen = format!("the server takes {}", if taken.is_empty() { "none" } else { &taken });
            if !refused.is_empty() {
                seen += &format!("; it refuses {refused}");
            }
            if !unknown.is_empty() {
                seen += &format!("; not tried: {unknown}");
            }
            let verdict = if refused.is_empty() { Verdict::Good } else { Verdict::Doubtful };
            let advice =
                refused.split(", ").filter(|name| !name.is_empty()).map(|name| self.words().codec(name));
            let finding = Finding::new("codecs", verdict, seen).advise(advice.collect::<Vec<_>>());
            self.find(finding);
        }
        Stage::HangingUp
    }

    /// Whether something is heard on a leg just now.
    pub(super) fn is_audible(&self, call: Option<CallId>) -> bool {
        self.leg(call).is_some_and(|leg| leg.figures.packets > 0 && leg.figures.level_dbfs > AUDIBLE_DBFS)
    }
}

/// As the configuration has it.
fn name(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "opus",
        Codec::G722 => "g722",
        Codec::Pcmu => "pcmu",
        Codec::Pcma => "pcma",
    }
}
