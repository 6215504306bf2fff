//! The operator's commands, one by one: what each means at this moment, or why it can't be done.

use super::line::{LineId, SlotKey};
use super::slot::AskingFor;
use super::{Call, CallId, Command, Desk, Direction, Effect, MAX_CALLS, Phase, Severity};
use crate::parking::{Identity, Lamp, Moment, SlotId, Strength, Text};
use std::time::Duration;

/// How long `x` spares a caller who has only just begun to ring.
const JUST_RANG: Duration = Duration::from_secs(1);

impl Desk {
    /// Does what the operator said, at `now`.
    pub fn obey(&mut self, now: Moment, command: Command) -> Vec<Effect> {
        let mut effects = self.carry_out(now, command);
        effects.extend(self.tend_conference());
        self.escalate();
        effects.extend(self.tell_team());
        effects
    }

    fn carry_out(&mut self, now: Moment, command: Command) -> Vec<Effect> {
        self.now = self.now.max(now);
        if command != Command::Quit {
            self.leaving = false;
        }
        match command {
            Command::Answer => self.answer_next(),
            Command::Take(call) => self.take(call),
            Command::Choose { forward } => self.choose(forward),
            Command::HangUp => self.hang_up(),
            Command::Hold => self.toggle_hold(),
            Command::Mute => self.toggle_mute(),
            Command::Park { slot } => self.park(slot),
            Command::ParkIn(lot) => self.park_in(lot),
            Command::PressSlot(slot) => self.press_slot(&slot),
            Command::RetrieveLongest => self.retrieve_longest(None),
            Command::RetrieveLongestIn(lot) => self.retrieve_longest(Some(lot)),
            Command::ChooseLot(lot) => self.choose_lot(lot),
            Command::ChooseLine(line) => self.choose_line(line),
            Command::Register(line) => self.register(line),
            Command::Dial(to) => self.dial(&to),
            Command::CallVoicemail => self.call_voicemail(),
            Command::SendDigit(digit) => self.send_digit(digit),
            Command::NoteCall { call, text } => self.note_call(call, &text),
            Command::NoteSlot { slot, text } => self.note_slot(&slot, &text),
            Command::Transfer { to } => self.transfer(&to),
            Command::TransferToNamed => self.transfer_to_named(),
            Command::Consult { to } => self.consult(&to),
            Command::Join => self.join(),
            Command::Swap => self.swap(),
            Command::Redirect { call, to } => self.redirect(call, &to),
            Command::ToVoicemail => {
                let chosen = self.hand().filter(|call| call.phase == Phase::Ringing);
                match chosen.or_else(|| self.longest_ringing()).map(|call| call.id) {
                    Some(call) => self.send_to_voicemail(call),
                    None => self.nothing("nobody is ringing"),
                }
            }
            Command::DoNotDisturb(on) => self.set_do_not_disturb(on.unwrap_or(!self.presence.do_not_disturb)),
            Command::Night(on) => self.set_night(on.unwrap_or(!self.presence.night)),
            Command::For { call, wish } => self.for_call(call, wish),
            Command::Offer { to } => self.offered(&to),
            Command::PickUp { line, number } => self.pick_up(line, &number),
            Command::Tell { slot, seen, to } => self.tell(&slot, &seen, &to),
            Command::Page { slot } => self.page(slot),
            Command::Sound(wish) => self.sound_wish(wish),
            Command::Undo => self.undo_park(),
            Command::Quit => self.quit(),
        }
    }

    /// A command within another one.
    pub(super) fn obey_inside(&mut self, command: Command) -> Vec<Effect> {
        self.carry_out(self.now, command)
    }

    fn answer_next(&mut self) -> Vec<Effect> {
        // A retrieve that waits for proof: the operator takes the responsibility.
        // Only once he has been asked: the key may have been meant for somebody who rings.
        let asked = |phase: &Phase| matches!(phase, Phase::Verifying { until, .. } if *until == Moment::MAX);
        if let Some(call) = self.hand().filter(|c| asked(&c.phase)) {
            return self.accept_unproven(call.id);
        }
        if let Some(call) = self.hand().filter(|c| c.waits_for_key()) {
            return self.speak(call.id);
        }
        // A ringing call chosen by hand goes before the longest one.
        let chosen = self.hand().filter(|c| c.phase == Phase::Ringing).map(|c| c.id);
        if let Some(id) = chosen.or_else(|| self.longest_ringing().map(|c| c.id)) {
            return self.answer(id);
        }
        match self.hand() {
            Some(call) if call.phase == Phase::Held => self.resume_call(call.id),
            Some(call) if matches!(call.phase, Phase::Verifying { .. }) => {
                self.nothing("the server hasn't said yet who this is: a moment")
            }
            Some(_) => self.nothing("nobody else is ringing"),
            None => match self.sole_held() {
                Some(id) => self.take(id),
                None => self.nothing("nobody is ringing"),
            },
        }
    }

    /// The one call on hold, if there is exactly one call at all.
    fn sole_held(&self) -> Option<CallId> {
        match self.calls.as_slice() {
            [only] if only.phase == Phase::Held => Some(only.id),
            _ => None,
        }
    }

    fn answer(&mut self, id: CallId) -> Vec<Effect> {
        let now = self.now;
        let mut effects = self.free_the_hand(id);
        if let Some(call) = self.call_mut(id) {
            call.enter(Phase::Answering, now);
            effects.push(Effect::Answer(id));
            self.in_hand = Some(id);
        }
        effects
    }

    /// Puts the call in hand on hold (or gives up a dialling one) because `next` wants the hand.
    pub(super) fn free_the_hand(&mut self, next: CallId) -> Vec<Effect> {
        let Some(call) = self.hand().filter(|c| c.id != next && c.is_engaged()) else { return Vec::new() };
        let id = call.id;
        match call.phase {
            Phase::Dialling | Phase::RingingThere => {
                let who = self.called(&call.party);
                self.say(Severity::Info, &format!("the call to {who} was given up"));
                self.drop_call(id);
                vec![Effect::HangUp(id)]
            }
            // A retrieve under way goes on; it will wait on hold when it is up and the hand is elsewhere.
            Phase::Retrieving { .. } | Phase::Verifying { .. } | Phase::Answering => Vec::new(),
            _ => self.hold_call(id),
        }
    }

    fn take(&mut self, id: CallId) -> Vec<Effect> {
        let Some(call) = self.call(id) else { return Vec::new() };
        match call.phase {
            Phase::Ringing => self.answer(id),
            Phase::Held | Phase::Holding => {
                let mut effects = self.free_the_hand(id);
                self.in_hand = Some(id);
                effects.extend(self.resume_call(id));
                effects
            }
            _ => {
                let mut effects = self.free_the_hand(id);
                self.in_hand = Some(id);
                effects.extend(self.speak(id));
                effects
            }
        }
    }

    /// Opens the microphone to a caller who came back from a park that failed.
    fn speak(&mut self, id: CallId) -> Vec<Effect> {
        let who = self.called_of(id);
        let Some(call) = self.call_mut(id).filter(|call| call.waits_for_key()) else { return Vec::new() };
        call.returned = false;
        self.nothing(&format!("you speak with {who} again"))
    }

    fn choose(&mut self, forward: bool) -> Vec<Effect> {
        if self.hand().is_some_and(Call::is_engaged) {
            return self.nothing("hold (h) or park (p) the call in hand before choosing another");
        }
        let here = self.in_hand.and_then(|id| self.calls.iter().position(|c| c.id == id));
        let last = match self.calls.len() {
            0 => return Vec::new(),
            n => n - 1,
        };
        let next = match (here, forward) {
            (None, true) => 0,
            (None, false) => last,
            (Some(i), true) => (i + 1).min(last),
            (Some(i), false) => i.saturating_sub(1),
        };
        self.in_hand = self.calls.get(next).map(|c| c.id);
        Vec::new()
    }

    fn hang_up(&mut self) -> Vec<Effect> {
        let Some(call) = self.hand() else { return self.nothing("no call in hand to hang up") };
        let (id, who) = (call.id, self.called(&call.party));
        match call.phase {
            // A key meant for the call that has just ended must not turn the next caller away.
            Phase::Ringing if self.now.saturating_sub(call.since) < JUST_RANG => {
                self.nothing(&format!("{who} has only just rung: x again turns them away"))
            }
            Phase::Ringing => {
                self.drop_call(id);
                self.say(Severity::Info, &format!("{who} was turned away as busy"));
                vec![Effect::Reject(id)]
            }
            // Between REFER and proof nobody knows where the caller is: ending our leg now could lose him.
            Phase::Parking { .. } | Phase::PuttingBack { .. } | Phase::Transferring { .. } => {
                self.say(Severity::Warning, &format!("{who} is on the way: wait for the server's word"));
                Vec::new()
            }
            Phase::Holding => {
                self.drop_call(id);
                vec![Effect::HangUp(id)]
            }
            // Taken from the slot but not yet proven: hanging up would end somebody's call unheard.
            Phase::Verifying { ref target, .. } => {
                let slot = target.slot.clone();
                self.put_back(id, slot)
            }
            // The server may have taken him out already: a CANCEL that comes too late would end his call. He goes back
            // as soon as the server has answered.
            Phase::Retrieving { ref target } if target.strength != Strength::Exact => {
                let (slot, now) = (target.slot.clone(), self.now);
                if let Some(call) = self.call_mut(id) {
                    call.enter(Phase::PuttingBack { slot: slot.clone() }, now);
                }
                self.nothing(&format!("{who} goes back to {slot} as soon as the server has answered"))
            }
            _ => {
                self.drop_call(id);
                vec![Effect::HangUp(id)]
            }
        }
    }

    /// Mutes or unmutes the microphone. Where it is closed because a park has failed, the key that opens it is `enter`.
    fn toggle_mute(&mut self) -> Vec<Effect> {
        self.sound.muted = !self.sound.muted;
        match self.hand().filter(|call| call.waits_for_key() && !self.sound.muted).map(|call| call.id) {
            Some(call) => self.speak(call),
            None => Vec::new(),
        }
    }

    fn toggle_hold(&mut self) -> Vec<Effect> {
        let Some(call) = self.hand() else { return self.nothing("no call in hand to hold") };
        match call.phase {
            Phase::Talking | Phase::Resuming => self.hold_call(call.id),
            Phase::Held => self.resume_call(call.id),
            Phase::Holding => self.nothing("hold is under way"),
            _ => self.nothing("this call can't be held now"),
        }
    }

    /// Holds a call; our microphone is off at once, whatever the server says.
    pub(super) fn hold_call(&mut self, id: CallId) -> Vec<Effect> {
        let now = self.now;
        if let Some(call) = self.call_mut(id) {
            call.enter(Phase::Holding, now);
        }
        vec![Effect::Hold(id)]
    }

    fn resume_call(&mut self, id: CallId) -> Vec<Effect> {
        let now = self.now;
        if let Some(call) = self.call_mut(id) {
            call.enter(Phase::Resuming, now);
        }
        vec![Effect::Resume(id)]
    }

    fn press_slot(&mut self, key: &SlotKey) -> Vec<Effect> {
        let id = self.place(key);
        let Some(slot) = self.slot(key) else { return self.nothing(&format!("there is no slot {id}")) };
        if let Some(asking) = &slot.asking {
            let text = match asking.what {
                AskingFor::Park(_) => format!("{id}: a park is under way, wait for the lamp"),
                AskingFor::Retrieve(_) => format!("{id}: a retrieve is under way"),
                AskingFor::State { .. } => format!("{id}: the server was asked, wait for its word"),
            };
            return self.nothing(&text);
        }
        let parkable = self.hand().filter(|c| c.is_up()).map(|c| (c.id, c.line));
        match slot.lamp {
            Lamp::Parked | Lamp::RingingBack => self.press_occupied(key),
            // Whether the lot is the right one is judged by the park itself, in words.
            Lamp::Free if parkable.is_some() => self.press_free(key),
            Lamp::Free => self.nothing(&format!("{id} is free, and there is no call in hand to park")),
            Lamp::Unknown | Lamp::Stale { .. } => {
                let parkable = parkable.filter(|(_, line)| *line == key.line).map(|(call, _)| call);
                self.ask_state(key, parkable)
            }
            Lamp::Refused { ref reason } => {
                let text = format!("{id}: the server won't tell its state ({reason}), so it is left alone");
                self.nothing(&text)
            }
        }
    }

    /// A free slot's key with a call in hand. Where the server chooses slots, the safe meaning is to let it.
    fn press_free(&mut self, key: &SlotKey) -> Vec<Effect> {
        let own_lot = self.hand().is_some_and(|call| call.line == key.line);
        let lot = self.slot(key).map(super::Slot::lot_key).filter(|_| own_lot);
        match lot.filter(|_| !self.abilities_at(key).directed_park) {
            Some(lot) => {
                self.say(Severity::Info, "this server chooses the slot itself: watch which lamp lights");
                self.park_in(lot)
            }
            None => self.park(Some(key.clone())),
        }
    }

    fn dial(&mut self, to: &str) -> Vec<Effect> {
        let to = to.trim();
        if to.is_empty() {
            return self.nothing("nothing to dial");
        }
        let line = self.line_out();
        // Whoever is in a slot is fetched with the care that takes, however its number was typed.
        if let Some(slot) = self.slot_meant(line, to) {
            let place = self.place(&slot);
            return match self.slot(&slot).map(|s| &s.lamp) {
                Some(Lamp::Parked | Lamp::RingingBack) => self.press_occupied(&slot),
                Some(Lamp::Unknown | Lamp::Stale { .. }) => self.ask_state(&slot, None),
                _ => self.nothing(&format!("{place} is a park slot, and nobody is in it")),
            };
        }
        self.call_by(line, to)
    }

    fn call_voicemail(&mut self) -> Vec<Effect> {
        match self.mailbox_line().and_then(|line| Some((line, self.line(line)?.voicemail.to_string()))) {
            Some((line, number)) => self.call_by(line, &number),
            None => self.nothing("no account has a mailbox: set “voicemail” to its number"),
        }
    }

    /// Calls a number that is no slot's by this line.
    pub(super) fn call_by(&mut self, line: LineId, to: &str) -> Vec<Effect> {
        if self.calls.len() >= MAX_CALLS {
            return self.nothing("too many calls at once");
        }
        let id = self.new_call_id();
        let mut effects = self.free_the_hand(id);
        let mut call = self.fresh_call(id, line, Direction::Outbound, Identity::new("", to), Phase::Dialling);
        call.called = Text::new(to);
        self.calls.push(call);
        self.in_hand = Some(id);
        effects.push(Effect::Dial { call: id, to: to.to_owned() });
        effects
    }

    /// A call that begins now, on this line.
    pub(super) fn fresh_call(
        &self,
        id: CallId,
        line: LineId,
        direction: Direction,
        party: Identity,
        phase: Phase,
    ) -> Call {
        Call {
            id,
            line,
            direction,
            phase,
            party,
            called: Text::default(),
            since: self.now,
            waiting_since: self.now,
            note: Text::default(),
            comeback: None,
            strength: None,
            told: None,
            remark: Text::default(),
            digits: String::new(),
            security: super::Security::default(),
            returned: false,
            consult_for: None,
            quality: None,
            recording: None,
        }
    }

    fn send_digit(&mut self, digit: char) -> Vec<Effect> {
        /// Digits shown; older ones scroll away.
        const SHOWN: usize = 32;
        let digit = digit.to_ascii_uppercase();
        if !matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D') {
            return self.nothing("only 0-9 * # A-D can be sent into a call");
        }
        let audible = self.hand().filter(|c| c.is_audible()).map(|c| c.id);
        let Some(call) = audible.and_then(|id| self.call_mut(id)) else {
            return self.nothing("no call in hand to send digits to");
        };
        if call.digits.len() >= SHOWN {
            call.digits.remove(0);
        }
        call.digits.push(digit);
        vec![Effect::SendDigit { call: call.id, digit }]
    }

    fn note_call(&mut self, id: CallId, text: &str) -> Vec<Effect> {
        match self.call_mut(id) {
            Some(call) => call.note = Text::new(text),
            None => return self.nothing("that call has ended; the note was not kept"),
        }
        Vec::new()
    }

    fn note_slot(&mut self, id: &SlotKey, text: &str) -> Vec<Effect> {
        let note = Text::new(text);
        let Some(parked) = self.slot_mut(id).and_then(|s| s.parked.as_mut()) else {
            let place = self.place(id);
            return self.nothing(&format!("nobody is parked on {place}; the note was not kept"));
        };
        parked.note = note.clone();
        let key = parked.key.clone();
        self.team_hears_of_note(id);
        vec![Effect::TellNote { slot: id.clone(), key, note }, Effect::SaveMemory]
    }

    pub(super) fn transfer(&mut self, to: &str) -> Vec<Effect> {
        let (now, to) = (self.now, to.trim().to_owned());
        if to.is_empty() {
            return self.nothing("nobody to transfer to");
        }
        let Some(call) = self.hand().filter(|c| c.is_up()) else {
            return self.nothing("no call in hand to transfer");
        };
        let (line, call) = (call.line, call.id);
        // A slot is no place to transfer to: in an occupied one, two callers would be joined. The number means what it
        // means to the caller's own server.
        if let Some(slot) = self.slot_meant(line, &to) {
            return self.press_slot_for_transfer(&slot);
        }
        let Some(call) = self.call(call) else { return Vec::new() };
        let (id, was_held) = (call.id, matches!(call.phase, Phase::Held | Phase::Holding));
        if let Some(call) = self.call_mut(id) {
            call.enter(Phase::Transferring { to: Text::new(&to), was_held }, now);
        }
        vec![Effect::Transfer { call: id, to }]
    }

    /// The slot on the board that a typed number means to the server of a line: `701`, `7 01`, `(701)`, `sip:701@pbx` …
    pub(super) fn slot_meant(&self, line: LineId, typed: &str) -> Option<SlotKey> {
        if !self.abilities(line).slots_are_dialled {
            return None;
        }
        let bare =
            ["sip:", "sips:", "tel:"].iter().find_map(|scheme| typed.strip_prefix(scheme)).unwrap_or(typed);
        let user = bare.split(['@', ';']).next().unwrap_or_default();
        let number: String = user.chars().filter(|c| !matches!(c, ' ' | '(' | ')' | '/' | '-')).collect();
        let ids = [user, number.as_str()].into_iter().filter_map(SlotId::new);
        ids.map(|id| SlotKey { line, id }).find(|slot| self.slot(slot).is_some())
    }

    fn press_slot_for_transfer(&mut self, slot: &SlotKey) -> Vec<Effect> {
        if self.slot(slot).is_some_and(|s| s.holds_somebody()) {
            let place = self.place(slot);
            let text =
                format!("{place} is taken: transferring there would join two callers; nothing was sent");
            self.say(Severity::Warning, &text);
            return Vec::new();
        }
        self.press_slot(slot)
    }

    fn quit(&mut self) -> Vec<Effect> {
        let at_risk = self.calls.iter().filter(|c| c.phase != Phase::Ringing).count();
        if at_risk > 0 && !self.leaving {
            self.leaving = true;
            let text = format!("{at_risk} of your calls would end: q again leaves, any other key stays");
            self.say(Severity::Warning, &text);
            return Vec::new();
        }
        self.leaving = true;
        let ends = self.calls.iter().filter_map(|c| match c.phase {
            Phase::Ringing => Some(Effect::Reject(c.id)),
            // Nobody knows yet where this caller is: a BYE now could be the end of him.
            Phase::Parking { .. } | Phase::PuttingBack { .. } | Phase::Transferring { .. } => None,
            _ => Some(Effect::HangUp(c.id)),
        });
        let page = self.paging_call().map(Effect::HangUp);
        ends.chain(page).chain([Effect::SaveMemory, Effect::Leave]).collect()
    }

    /// Says why nothing was done.
    pub(super) fn nothing(&mut self, why: &str) -> Vec<Effect> {
        self.say(Severity::Info, why);
        Vec::new()
    }
}
