//! What the world says, one event at a time, and what follows from it.

use super::line::{LineId, SlotKey};
use super::slot::AskingFor;
use super::{CallId, Desk, Effect, Event, Phase, Severity};
use crate::parking::{Identity, Moment, Text};
use std::time::Duration;

/// How long a remark stays on a slot.
const REMARK_FOR: Duration = Duration::from_secs(6);

impl Desk {
    /// Takes in one event of the first line, or of none, at `now`.
    pub fn learn(&mut self, now: Moment, event: Event) -> Vec<Effect> {
        self.learn_on(now, LineId::default(), event)
    }

    /// Takes in one event of this line, at `now`. What names a call is about that call, whatever line tells it.
    pub fn learn_on(&mut self, now: Moment, line: LineId, event: Event) -> Vec<Effect> {
        let mut effects = self.take_in(now, line, event);
        effects.extend(self.tend_conference());
        self.escalate();
        effects.extend(self.tell_team());
        effects
    }

    fn take_in(&mut self, now: Moment, line: LineId, event: Event) -> Vec<Effect> {
        self.now = self.now.max(now);
        match event {
            Event::Registered => self.registered(line),
            Event::Named { number, known } => {
                self.named(number, known);
                Vec::new()
            }
            Event::DirectoryChanged { people } => {
                self.directory_changed(people);
                Vec::new()
            }
            Event::WayTold { way, registered_until } => self.way_told(line, way, registered_until),
            Event::LineTroubled { reason } => {
                let now = self.now;
                if let Some(there) = self.line_mut(line) {
                    there.account.last_trouble = Some((reason, now));
                }
                Vec::new()
            }
            Event::RegistrationFailed { reason, retry_at } => {
                self.registration_failed(line, reason, retry_at)
            }
            Event::Reached { round_trip_ms } => self.reached(line, Some(round_trip_ms)),
            Event::Unreachable => self.reached(line, None),
            Event::LampChanged { slot, report } => self.lamp_changed(&SlotKey { line, id: slot }, report),
            Event::LampConfirmed { slot, until } => self.lamp_confirmed(&SlotKey { line, id: slot }, until),
            Event::StaffTold { number, lamp, caller } => self.staff_told(line, &number, lamp, caller),
            Event::ManagerTold(manager) => self.manager_told(line, manager),
            Event::Fetched { slot, parkee, by } => self.fetched(&SlotKey { line, id: slot }, &parkee, &by),
            Event::CameBack { call, slot, waited_s } => self.came_back(call, &slot, waited_s),
            Event::GaveUp { slot, parkee, waited_s } => {
                self.gave_up(&SlotKey { line, id: slot }, &parkee, waited_s)
            }
            Event::MessagesTold(messages) => self.messages_told(line, messages),
            Event::CallArrived(arrival) => self.call_arrived(line, arrival),
            Event::AutoAnswerAsked { call, by } => self.auto_answer_asked(line, call, &by),
            Event::CallProgressed { call } => self.call_progressed(call),
            Event::CallAnswered { call } => self.call_answered(call),
            Event::CallEnded { call, reason, by_them } => self.call_ended(call, &reason, by_them),
            Event::CallHeld { call } => self.call_held(call),
            Event::CallResumed { call } => self.call_resumed(call),
            Event::HoldRefused { call, reason } => self.hold_refused(call, &reason),
            Event::PartyTold { call, party } => self.party_told(call, party),
            Event::CallRemarked { call, remark } => {
                if let Some(call) = self.call_mut(call) {
                    call.remark = remark;
                }
                Vec::new()
            }
            Event::TransferWished { call, to } => self.transfer_wished(call, &to),
            Event::ParkProven { call, slot } => self.park_proven(call, slot),
            Event::ParkDoubted { slots } => self.park_doubted(line, &slots),
            Event::ParkRefused { call, reason } => self.park_refused(call, &reason),
            Event::TransferDone { call } => self.transfer_done(call),
            Event::TransferRefused { call, reason } => self.transfer_refused(call, &reason),
            Event::CallSecured { call, security } => self.call_secured(call, security),
            Event::SoundSecured { call, outcome } => self.sound_secured(call, outcome),
            Event::DigitHeard { call, digit } => {
                let who = self.call(call).map(|c| self.called(&c.party)).unwrap_or_default();
                self.nothing(&format!("{who} pressed {digit}"))
            }
            Event::TeamTold { from, news } => self.team_told(line, from, news),
            Event::MessageAnswered { to, outcome } => self.message_answered(line, &to, outcome),
            Event::Announced { call } => self.announced(call),
            Event::QualityTold { call, quality } => self.quality_told(call, quality),
            Event::RecordingBegun { call, file } => self.recording_begun(call, &file),
            Event::RecordingOver { call, file, failed } => {
                self.recording_over(call, file.as_ref(), failed.as_ref())
            }
            Event::SoundChanged(sound) => {
                let muted = self.sound.muted;
                self.sound = super::SoundState { muted, ..sound };
                Vec::new()
            }
            Event::DevicesListed(devices) => self.devices_listed(devices),
            Event::SettingsChanged(settings) => self.settings_changed(settings),
            Event::KeysTimed(figures) => {
                self.key_to_wire = Some(figures);
                Vec::new()
            }
            Event::Told(notice) => {
                self.say(notice.severity, notice.text.as_str());
                Vec::new()
            }
            Event::Mended(told) => {
                self.mend(told.as_str());
                Vec::new()
            }
            Event::Ticked => self.ticked(),
        }
    }

    /// When [`Event::Ticked`] is next needed for a deadline of the desk's own.
    pub fn next_deadline(&self) -> Option<Moment> {
        let asking = self.slots.iter().filter_map(|s| s.asking.as_ref().map(|a| a.until));
        let remarks = self.slots.iter().filter_map(|s| s.remark.as_ref().map(|(_, until)| *until));
        let proofs = self.calls.iter().filter_map(|c| match &c.phase {
            Phase::Verifying { until, .. } if *until != Moment::MAX => Some(*until),
            _ => None,
        });
        let lamps = self.slots.iter().filter_map(|s| s.fresh_until).filter(|until| *until != Moment::MAX);
        let lamps = lamps.map(|until| until + Duration::from_millis(1));
        let departed = self.departed.iter().filter_map(|d| d.tell_at);
        let claims = self.slots.iter().filter_map(|s| s.claimed(self.now).map(|claim| claim.until));
        let undo = self.undo.as_ref().map(|u| u.until);
        let tests = self.sound_test_deadline();
        let others = [undo, self.page_deadline(), self.next_step(), self.overflow_deadline(), tests];
        asking
            .chain(remarks)
            .chain(departed)
            .chain(claims)
            .chain(lamps)
            .chain(proofs)
            .chain(others.into_iter().flatten())
            .min()
    }

    /// A call answers itself only for those whom the configuration names, and only while nothing else is going on here:
    /// nobody is put on hold, and nobody's microphone opens in the midst of another talk.
    fn auto_answer_asked(&mut self, line: LineId, id: CallId, by: &Text) -> Vec<Effect> {
        let may = |line: &super::Line| {
            line.answers_for.iter().any(|user| user.as_str().eq_ignore_ascii_case(by.as_str()))
        };
        let alone = self.calls.len() == 1 && self.in_hand == Some(id);
        let rings = self.call(id).filter(|call| call.phase == Phase::Ringing && call.comeback.is_none());
        let (Some(call), true) = (rings, alone && self.line(line).is_some_and(may)) else {
            return Vec::new();
        };
        let who = self.called(&call.party);
        let effects = self.obey(self.now, super::Command::Take(id));
        self.say(
            Severity::Warning,
            &format!("{who} is answered by itself: you are heard · m mutes, x hangs up"),
        );
        effects
    }

    fn call_progressed(&mut self, id: CallId) -> Vec<Effect> {
        let now = self.now;
        if let Some(call) = self.call_mut(id).filter(|c| c.phase == Phase::Dialling) {
            call.enter(Phase::RingingThere, now);
        }
        Vec::new()
    }

    fn call_answered(&mut self, id: CallId) -> Vec<Effect> {
        let now = self.now;
        if let Some(effects) = self.page_answered(id) {
            return effects;
        }
        let in_hand = self.in_hand == Some(id);
        let Some(call) = self.call_mut(id) else { return vec![Effect::HangUp(id)] };
        match call.phase.clone() {
            Phase::Retrieving { target } => self.retrieve_answered(id, target),
            // Given up before the server had answered: now he can go back.
            Phase::PuttingBack { slot } => self.put_back(id, slot),
            Phase::Answering | Phase::Dialling | Phase::RingingThere => {
                call.enter(Phase::Talking, now);
                call.waiting_since = now;
                if in_hand { Vec::new() } else { self.hold_call(id) }
            }
            _ => Vec::new(),
        }
    }

    fn call_ended(&mut self, id: CallId, reason: &Text, by_them: bool) -> Vec<Effect> {
        self.page_ended(id, reason);
        let Some(call) = self.call(id).cloned() else { return Vec::new() };
        let who = self.called(&call.party);
        self.drop_call(id);
        match &call.phase {
            Phase::Retrieving { target } | Phase::Verifying { target, .. } => {
                self.retrieve_failed(&call, &target.slot.clone(), reason);
            }
            Phase::Ringing if !reason.is_empty() => self.say(Severity::Info, &format!("{who}: {reason}")),
            Phase::Ringing if call.comeback.is_some() => self.comeback_unanswered(&call),
            Phase::Ringing => self.say(Severity::Info, &format!("{who} gave up ringing")),
            Phase::Parking { .. } | Phase::PuttingBack { .. } => {
                let why = if reason.is_empty() { "hung up".to_owned() } else { reason.to_string() };
                self.say(Severity::Warning, &format!("{who} left while being parked: {why}"));
            }
            Phase::Dialling | Phase::RingingThere => {
                let why = if reason.is_empty() { "no answer".to_owned() } else { reason.to_string() };
                self.say(Severity::Warning, &format!("{who}: {why}"));
            }
            // The server takes this leg away when the two are together: its word on that follows.
            Phase::Transferring { .. } if call.consult_for.is_some() => return Vec::new(),
            _ if !reason.is_empty() => self.say(Severity::Warning, &format!("{who}: call ended, {reason}")),
            _ if by_them => self.say(Severity::Info, &format!("{who} hung up")),
            _ => {}
        }
        self.consult_ended(&call);
        Vec::new()
    }

    fn call_held(&mut self, id: CallId) -> Vec<Effect> {
        let now = self.now;
        if let Some(call) = self.call_mut(id).filter(|c| c.phase == Phase::Holding) {
            call.enter(Phase::Held, now);
        }
        Vec::new()
    }

    fn call_resumed(&mut self, id: CallId) -> Vec<Effect> {
        let now = self.now;
        // Or it is resumed to be the third of a three-way call.
        let in_hand = self.in_hand == Some(id) || self.conference.is_some_and(|three| three.second == id);
        let Some(call) = self.call_mut(id).filter(|c| c.phase == Phase::Resuming) else { return Vec::new() };
        call.enter(Phase::Talking, now);
        if in_hand { Vec::new() } else { self.hold_call(id) }
    }

    fn hold_refused(&mut self, id: CallId, reason: &Text) -> Vec<Effect> {
        let now = self.now;
        let who = self.called_of(id);
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        let text = match call.phase {
            // Our microphone is off whatever they said, so the operator's wish is kept as well as it can be.
            Phase::Holding => {
                call.enter(Phase::Held, now);
                format!("{who}: the server refused the hold ({reason}) · they hear silence")
            }
            // A server that held him for a park that failed won't take him off hold again.
            Phase::Resuming | Phase::Talking => {
                call.enter(Phase::Held, now);
                format!("{who}: resume failed ({reason}) · still on hold, h tries again")
            }
            _ => return Vec::new(),
        };
        self.say(Severity::Warning, &text);
        Vec::new()
    }

    fn party_told(&mut self, id: CallId, party: Identity) -> Vec<Effect> {
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        match call.phase.clone() {
            Phase::Verifying { target, .. } => self.retrieve_told(id, &target, &party),
            // Judged when the call is up.
            Phase::Retrieving { .. } => {
                call.told = Some(party);
                Vec::new()
            }
            // A server may name its park extension while it parks the call: that is not the caller.
            Phase::Parking { .. } | Phase::PuttingBack { .. } | Phase::Transferring { .. } => Vec::new(),
            _ if !party.is_comparable() => Vec::new(),
            _ => {
                call.party = party;
                Vec::new()
            }
        }
    }

    /// The operator decides: nobody is put through because he asked for it.
    fn transfer_wished(&mut self, id: CallId, to: &Text) -> Vec<Effect> {
        let Some(call) = self.call(id) else { return Vec::new() };
        let who = self.called(&call.party);
        let first = if self.in_hand == Some(id) { "" } else { "choose that call, then " };
        let text = format!("{who} asks to be put through to {to} · {first}t does it");
        self.say(Severity::Warning, &text);
        Vec::new()
    }

    fn transfer_done(&mut self, id: CallId) -> Vec<Effect> {
        let Some(call) = self.call(id) else { return Vec::new() };
        let (who, to) = match &call.phase {
            Phase::Transferring { to, .. } => (self.called(&call.party), to.clone()),
            _ => return Vec::new(),
        };
        self.drop_call(id);
        self.say(Severity::Info, &format!("{who} was handed to {to}"));
        self.joined(id)
    }

    fn transfer_refused(&mut self, id: CallId, reason: &Text) -> Vec<Effect> {
        let now = self.now;
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        let Phase::Transferring { to, was_held } = call.phase.clone() else { return Vec::new() };
        self.not_joined(id);
        let who = self.called_of(id);
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        call.come_back(was_held, now);
        let where_now = if was_held { "on hold" } else { "with you, microphone closed · enter speaks" };
        self.say(Severity::Error, &format!("transfer to {to} failed: {reason} · {who} is {where_now}"));
        if self.in_hand.is_none() {
            self.in_hand = Some(id);
        }
        if !was_held && self.in_hand != Some(id) { self.hold_call(id) } else { Vec::new() }
    }

    fn ticked(&mut self) -> Vec<Effect> {
        let now = self.now;
        if self.undo.as_ref().is_some_and(|u| now >= u.until) {
            self.undo = None;
        }
        for slot in &mut self.slots {
            slot.claim.take_if(|claim| now >= claim.until);
        }
        self.end_sound_tests();
        self.outdate_lamps();
        self.tell_of_departed();
        let mut overdue = Vec::new();
        for slot in &mut self.slots {
            if slot.remark.as_ref().is_some_and(|(_, until)| now >= *until) {
                slot.remark = None;
            }
            if slot.asking.as_ref().is_some_and(|a| now >= a.until) {
                overdue.extend(slot.asking.take().map(|a| (slot.key(), a.what)));
            }
        }
        let mut effects = self.give_up_page();
        effects.extend(self.overflow());
        for (slot, what) in overdue {
            effects.extend(self.overdue(&slot, what));
        }
        for id in self.unproven() {
            effects.extend(self.proof_missing(id));
        }
        effects
    }

    fn overdue(&mut self, slot: &SlotKey, what: AskingFor) -> Vec<Effect> {
        let slot = self.place(slot);
        match what {
            AskingFor::State { .. } => {
                self.say(
                    Severity::Warning,
                    &format!("{slot}: the server didn't tell its state; nothing was done"),
                );
                Vec::new()
            }
            AskingFor::Park(call) => self.park_refused(call, &Text::new("the server gave no answer in time")),
            AskingFor::Retrieve(call) => match self.call(call).map(|c| &c.phase) {
                Some(Phase::Retrieving { .. } | Phase::PuttingBack { .. }) => {
                    self.say(
                        Severity::Warning,
                        &format!("{slot}: the server gave no answer; the caller is still there"),
                    );
                    self.drop_call(call);
                    vec![Effect::HangUp(call)]
                }
                _ => Vec::new(),
            },
        }
    }

    /// Retrieves whose time for proof has just run out.
    fn unproven(&self) -> Vec<CallId> {
        let over =
            |c: &&super::Call| matches!(&c.phase, Phase::Verifying { until, .. } if self.now >= *until);
        self.calls.iter().filter(over).map(|c| c.id).collect()
    }

    /// No proof came: the microphone stays closed until the operator's key (or the server hangs up).
    fn proof_missing(&mut self, id: CallId) -> Vec<Effect> {
        let now = self.now;
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        let Phase::Verifying { target, .. } = call.phase.clone() else { return Vec::new() };
        // Asked once; the phase stays, without a deadline.
        call.phase = Phase::Verifying { until: Moment::MAX, target: target.clone() };
        call.since = now;
        let place = call.slot_key(&target.slot);
        let place = self.place(&place);
        let first = if self.in_hand == Some(id) { "" } else { "choose that call, then " };
        let text = format!(
            "{place}: the server doesn't say who this is · microphone closed · {first}enter speaks, x puts them back"
        );
        self.say(Severity::Warning, &text);
        Vec::new()
    }

    /// Shows for a few seconds what another operator does with a slot.
    pub fn remark(&mut self, slot: &SlotKey, text: &str) {
        let until = self.now + REMARK_FOR;
        if let Some(slot) = self.slot_mut(slot) {
            slot.remark = Some((Text::new(text), until));
        }
    }
}
