//! A transfer that asks first: the caller waits on hold while somebody is called for him; then the two are joined, or the
//! operator goes from one to the other, or the caller is back.

use super::{Call, CallId, Desk, Direction, Effect, Phase, Severity};
use crate::parking::Text;

impl Desk {
    /// Calls somebody on behalf of the caller in hand, who is put on hold.
    pub(super) fn consult(&mut self, to: &str) -> Vec<Effect> {
        let Some(caller) = self.hand().filter(|call| call.is_up()).map(|call| (call.id, call.line)) else {
            return self.nothing("no call in hand to ask for");
        };
        let (caller, line) = caller;
        let to = to.trim().to_owned();
        if to.is_empty() {
            return self.nothing("nobody to ask");
        }
        if self.slot_meant(line, &to).is_some() {
            return self.nothing(&format!("{to} is a park slot: nobody to ask there"));
        }
        let effects = self.call_by(line, &to);
        if let Some(asked) = self.in_hand.filter(|hand| *hand != caller).and_then(|id| self.call_mut(id)) {
            asked.consult_for = Some(caller);
        }
        effects
    }

    /// The caller for whom the call in hand was made, if he is there still.
    pub fn consulted_for(&self) -> Option<&Call> {
        self.hand().and_then(|call| call.consult_for).and_then(|id| self.call(id))
    }

    /// The call that was made for a caller.
    fn asked_for(&self, caller: CallId) -> Option<&Call> {
        self.calls.iter().find(|call| call.consult_for == Some(caller))
    }

    /// Brings together the caller and whoever was called for him. While it rings there still, nobody has been asked: then
    /// the caller is handed over as without asking, and comes back if nobody takes him.
    pub(super) fn join(&mut self) -> Vec<Effect> {
        // From either side: the operator may have gone back to the caller meanwhile.
        let hand = self.hand();
        let asked = hand.filter(|call| call.consult_for.is_some()).map(|call| call.id);
        let asked = asked.or_else(|| hand.and_then(|call| self.asked_for(call.id)).map(|call| call.id));
        let Some((asked, caller)) = asked.and_then(|asked| Some((asked, self.call(asked)?.consult_for?)))
        else {
            return self.nothing("nobody was asked for the call in hand: t asks for a number");
        };
        let (Some(there), Some(waits)) = (self.call(asked), self.call(caller)) else {
            return self.nothing("the caller has hung up: there is nobody to hand over");
        };
        if !waits.is_up() {
            return self.nothing("the caller is not on hold yet: a moment");
        }
        let (now, to) = (self.now, there.called.to_string());
        let was_held = matches!(waits.phase, Phase::Held | Phase::Holding);
        match there.phase {
            Phase::Dialling | Phase::RingingThere => {
                self.drop_call(asked);
                self.in_hand = Some(caller);
                let mut effects = vec![Effect::HangUp(asked)];
                effects.extend(self.transfer(&to));
                effects
            }
            _ if there.is_up() => {
                let names = (self.label(&there.party).to_owned(), self.label(&waits.party).to_owned());
                if let Some(call) = self.call_mut(caller) {
                    call.enter(Phase::Transferring { to: Text::new(&names.0), was_held }, now);
                }
                if let Some(call) = self.call_mut(asked) {
                    let was_held = matches!(call.phase, Phase::Held | Phase::Holding);
                    call.enter(Phase::Transferring { to: Text::new(&names.1), was_held }, now);
                }
                vec![Effect::Join { call: caller, with: asked }]
            }
            _ => self.nothing("the other call is not up: a moment"),
        }
    }

    /// From the caller to whoever was called for him, and back.
    pub(super) fn swap(&mut self) -> Vec<Effect> {
        let hand = self.hand();
        let other = hand.and_then(|call| match call.consult_for {
            Some(caller) => self.call(caller),
            None => self.asked_for(call.id),
        });
        match other.map(|call| (call.id, call.phase.clone())) {
            Some((id, Phase::Held | Phase::Holding)) => self.obey_inside(super::Command::Take(id)),
            Some(_) => self.nothing("the other call is not on hold"),
            None => self.nothing("there is nobody to go to and fro with"),
        }
    }

    /// The two are together: whoever was called is with the caller now, and not with us.
    pub(super) fn joined(&mut self, caller: CallId) -> Vec<Effect> {
        let asked = self.asked_for(caller).filter(|call| matches!(call.phase, Phase::Transferring { .. }));
        match asked.map(|call| call.id) {
            Some(asked) => {
                self.drop_call(asked);
                vec![Effect::HangUp(asked)]
            }
            None => Vec::new(),
        }
    }

    /// It failed: both are as they were.
    pub(super) fn not_joined(&mut self, caller: CallId) {
        let now = self.now;
        let asked = self.asked_for(caller).map(|call| call.id);
        if let Some(call) = asked.and_then(|id| self.call_mut(id))
            && let Phase::Transferring { was_held, .. } = call.phase
        {
            call.come_back(was_held, now);
        }
    }

    /// Whoever was called for a caller is gone: the caller is under the keys again, still on hold.
    pub(super) fn consult_ended(&mut self, asked: &Call) {
        let Some(caller) = asked.consult_for.filter(|_| asked.direction == Direction::Outbound) else {
            return;
        };
        let Some(waits) = self.call(caller).filter(|call| matches!(call.phase, Phase::Held | Phase::Holding))
        else {
            return;
        };
        let who = self.label(&waits.party).to_owned();
        if self.in_hand.is_none() {
            self.in_hand = Some(caller);
            self.say(
                Severity::Info,
                &format!("{who} waits on hold: enter speaks, t asks for another number"),
            );
        }
    }
}
