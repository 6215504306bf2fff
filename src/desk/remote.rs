//! Commands that name their call: what the control socket speaks. The call in hand stays in hand, unless the command is
//! about it.

use super::line::SlotKey;
use super::{Call, CallId, Command, Desk, Effect, Phase, Severity};
use crate::parking::{Moment, Text};
use serde::{Deserialize, Serialize};

/// What is to be done with a call that is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// Answer it (holding the one in hand).
    Answer,
    /// Hang up, or turn it away.
    HangUp,
    /// Put it on hold.
    Hold,
    /// Take it off hold (holding the one in hand).
    Resume,
    /// Park it: in this slot, or in any of the chosen lot.
    Park(Option<SlotKey>),
    /// Park it in any slot of this lot.
    ParkIn(super::LotKey),
    /// Hand it over blindly.
    Transfer(String),
    /// Send it elsewhere while it rings.
    Redirect(String),
    /// Send one digit.
    Digit(char),
}

/// A number that somebody outside offers to be dialled, for example a link that was clicked. Nobody is called before the
/// operator's own key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Counts the offers, so that each is shown once.
    pub nth: u64,
    /// The number or address.
    pub to: Text,
    /// When.
    pub at: Moment,
}

impl Desk {
    /// Does what is wished with this very call.
    pub(super) fn for_call(&mut self, id: CallId, wish: Wish) -> Vec<Effect> {
        let Some(call) = self.call(id) else { return self.nothing(&format!("there is no call {}", id.0)) };
        let (phase, who) = (call.phase.clone(), self.label(&call.party).to_owned());
        match (wish, phase) {
            (Wish::Answer, Phase::Ringing) => self.obey_inside(Command::Take(id)),
            (Wish::Answer, _) => self.nothing(&format!("{who} does not ring here")),
            (Wish::Resume, Phase::Held | Phase::Holding) => self.obey_inside(Command::Take(id)),
            (Wish::Resume, _) => self.nothing(&format!("{who} is not on hold")),
            (Wish::Hold, Phase::Talking | Phase::Resuming) => self.hold_call(id),
            (Wish::Hold, _) => self.nothing(&format!("{who} can't be held now")),
            (Wish::Redirect(to), Phase::Ringing) => self.redirect(id, &to),
            (Wish::Redirect(_), _) => self.nothing(&format!("{who} does not ring any more")),
            (Wish::HangUp, Phase::Ringing) => {
                self.drop_call(id);
                self.say(Severity::Info, &format!("{who} was turned away as busy"));
                vec![Effect::Reject(id)]
            }
            (Wish::HangUp, _) => self.with_hand(id, Command::HangUp),
            (Wish::Park(slot), _) => self.with_hand(id, Command::Park { slot }),
            (Wish::ParkIn(lot), _) => self.with_hand(id, Command::ParkIn(lot)),
            (Wish::Transfer(to), _) => self.with_hand(id, Command::Transfer { to }),
            (Wish::Digit(digit), _) => self.with_hand(id, Command::SendDigit(digit)),
        }
    }

    /// Obeys a command that acts on the call in hand as if this one were, and gives the hand back.
    fn with_hand(&mut self, id: CallId, command: Command) -> Vec<Effect> {
        let before = self.in_hand.replace(id);
        let effects = self.obey_inside(command);
        if before != Some(id) && self.in_hand.is_none_or(|hand| hand == id) {
            self.in_hand = before.filter(|before| self.call(*before).is_some());
        }
        effects
    }

    /// Somebody outside offers a number to dial.
    pub(super) fn offered(&mut self, to: &str) -> Vec<Effect> {
        let to = Text::new(to);
        if to.is_empty() {
            return self.nothing("nothing to dial was offered");
        }
        self.offer = Offer { nth: self.offer.nth + 1, to: to.clone(), at: self.now };
        self.nothing(&format!("{to} was offered to be dialled"))
    }

    /// Sends a ringing call elsewhere. Where to is the server's business from then on.
    pub(super) fn redirect(&mut self, id: CallId, to: &str) -> Vec<Effect> {
        let to = to.trim().to_owned();
        let Some(call) = self.call(id).filter(|call| call.phase == Phase::Ringing) else {
            return self.nothing("that call does not ring any more");
        };
        if !self.abilities(call.line).redirects {
            return self.nothing("this server sends nobody on unanswered: answer first, then transfer");
        }
        if to.is_empty() {
            return self.nothing("nobody to send the caller to");
        }
        // A slot is no place to send a caller to who has not been spoken to: in an occupied one, two would be joined.
        if self.slot_meant(call.line, &to).is_some() {
            return self.nothing(&format!("{to} is a park slot: answer first, then park"));
        }
        let who = self.label(&call.party).to_owned();
        self.drop_call(id);
        self.say(Severity::Info, &format!("{who} was sent on to {to}"));
        vec![Effect::Redirect { call: id, to }]
    }

    /// The calls that a command could be about, for those who name none.
    pub fn calls_in(&self, fits: impl Fn(&Call) -> bool) -> Vec<&Call> {
        self.calls.iter().filter(|call| fits(call)).collect()
    }
}
