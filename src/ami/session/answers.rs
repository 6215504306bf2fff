//! What the server answers, step by step, and what is asked next.

use super::{ANSWER_PATIENCE, Errand, Session, Stage, Step};
use crate::ami::block::Block;
use crate::ami::fact::Fact;
use crate::ami::ledger::MAX_PARKED;
use crate::ami::login;
use crate::parking::{Moment, Text};
use secrecy::ExposeSecret;
use std::time::Duration;

/// How often the whole list is read again.
const LIST_EVERY: Duration = Duration::from_secs(60);
/// The same where the server tells us nothing of its own accord.
const LIST_EVERY_WHEN_DEAF: Duration = Duration::from_secs(5);
/// Somebody who has been parked for so long must have been told of.
const TOLD_BY_THEN_S: u32 = 2;
/// The most lots whose names are kept.
const MAX_LOTS: usize = 32;
/// What of all events we want: those of parked calls (an extended regular expression over the event's text).
const FILTER: &str = "^Event: (Un)?ParkedCall";

impl Session {
    pub(super) fn greeted(&mut self, now: Moment) {
        self.step(now, Step::Challenge, "Challenge", &[("AuthType", "MD5")]);
    }

    pub(super) fn take_block(&mut self, now: Moment, block: &Block) {
        match block.action() {
            Some(number) if self.ledger.asked(number) => {
                let answer = block.get("Value").filter(|_| block.succeeded() == Some(true));
                let fact = self.ledger.answered(number, answer);
                self.facts.extend(fact);
            }
            Some(number) if self.awaiting.is_some_and(|(awaited, _)| awaited == number) => {
                self.take_answer(now, number, block);
            }
            Some(_) => {}
            // What was told before the list is in the list, or was over by then.
            None if self.stage == Stage::Up(Step::Listening) => {
                let fact = self.ledger.apply(block);
                self.facts.extend(fact);
            }
            None => {}
        }
    }

    fn take_answer(&mut self, now: Moment, number: u64, block: &Block) {
        let Stage::Up(step) = self.stage else { return };
        let well = block.succeeded();
        self.awaiting = Some((number, now + ANSWER_PATIENCE));
        match (step, well) {
            (Step::Challenge, Some(true)) => self.answer_challenge(now, block),
            (Step::Challenge, _) => self.tell_secret(now),
            (Step::Login, Some(true)) => {
                let fields = [("Operation", "Add"), ("Filter", FILTER)];
                self.step(now, Step::Filter, "Filter", &fields);
            }
            (Step::Login, _) => {
                let reason =
                    format!("the manager interface refuses this user or his secret ({})", message(block));
                self.give_up(now, &reason, true);
            }
            // Only who may write “system” may filter; without, there is more to read and nothing else is different.
            (Step::Filter, _) => self.step(now, Step::Events, "Events", &[("EventMask", "call")]),
            (Step::Events, Some(true)) => self.step(now, Step::Lots, "Parkinglots", &[]),
            (Step::Events | Step::Lots, Some(false)) => self.refused(now, block),
            (Step::Lots, _) => self.take_lot(now, block),
            (Step::List, Some(false)) => self.refused(now, block),
            (Step::List, _) => self.take_entry(now, block),
            (Step::Listening, _) if self.errand == Some(Errand::List) && well != Some(false) => {
                self.take_entry(now, block);
            }
            (Step::Listening, _) => self.errand_done(),
            (Step::Greeting | Step::Events, _) => {}
        }
    }

    fn answer_challenge(&mut self, now: Moment, block: &Block) {
        match login::key(block.known("Challenge"), &self.config.secret) {
            Some(key) => {
                let user = self.config.user.clone();
                let fields = [("AuthType", "MD5"), ("Username", &user), ("Key", &key), ("Events", "off")];
                self.step(now, Step::Login, "Login", &fields);
            }
            None => self.tell_secret(now),
        }
    }

    /// The server has no challenge: the secret itself is told, where nobody can listen.
    fn tell_secret(&mut self, now: Moment) {
        if !self.private && !self.config.allow_plain_login {
            let reason = "the manager interface wants the secret itself, and the connection isn't encrypted: nothing \
                          was told · tls = true, or allow_plain_login = true";
            return self.give_up(now, reason, true);
        }
        let (user, secret) = (self.config.user.clone(), self.config.secret.clone());
        let fields = [("Username", user.as_str()), ("Secret", secret.expose_secret()), ("Events", "off")];
        self.step(now, Step::Login, "Login", &fields);
    }

    fn refused(&mut self, now: Moment, block: &Block) {
        let message = message(block);
        // A server that is starting takes connections before it has loaded its parking.
        let unknown = message.starts_with("Invalid/unknown command");
        let reason = match unknown {
            true => format!("the server has no call parking, or not yet ({message})"),
            false => format!(
                "the manager user may not see parked calls ({message}): he needs read = call and write = call"
            ),
        };
        self.give_up(now, &reason, !unknown);
    }

    fn take_lot(&mut self, now: Moment, block: &Block) {
        if block.is_event("Parkinglot") && self.lots.len() < MAX_LOTS {
            self.lots.extend(block.get("Name").map(str::to_owned));
        }
        if !block.is_event("ParkinglotsComplete") {
            return;
        }
        let missing = self.config.lots.iter().find(|lot| !self.lots.contains(lot));
        if let Some(missing) = missing.filter(|_| self.lots.len() < MAX_LOTS) {
            let there = self.lots.join(", ");
            let reason = format!("the server has no parking lot “{missing}”, but: {there}");
            return self.give_up(now, &reason, false);
        }
        self.ask_who_is_parked(now, Step::List);
    }

    fn take_entry(&mut self, now: Moment, block: &Block) {
        if block.is_event("ParkedCall")
            && self.listed.len() < MAX_PARKED
            && let Some(read) = self.ledger.read(block)
        {
            self.listed.push(read);
        }
        if block.is_event("ParkedCallsComplete") {
            self.list_complete(now);
        }
    }

    fn list_complete(&mut self, now: Moment) {
        let listed = std::mem::take(&mut self.listed);
        let first = self.stage == Stage::Up(Step::List);
        let untold =
            listed.iter().any(|r| r.call.parked_for_s >= TOLD_BY_THEN_S && !self.ledger.knows(&r.call));
        if first {
            self.stage = Stage::Up(Step::Listening);
            self.listening_since = now;
        } else if untold && !std::mem::replace(&mut self.deaf, true) {
            let reason = "the server doesn't tell this manager user what happens (read = call is missing): parked \
                          calls are looked up every few seconds";
            self.facts.push_back(Fact::Troubled { reason: Text::new(reason) });
        }
        self.ledger.replace(listed);
        let all = self.ledger.all();
        self.facts.push_back(if first { Fact::Connected(all) } else { Fact::Listed(all) });
        self.list_at = now + if self.deaf { LIST_EVERY_WHEN_DEAF } else { LIST_EVERY };
        self.errand_done();
    }
}

/// What the server gave as its reason.
fn message(block: &Block) -> &str {
    match block.known("Message") {
        "" => "no reason given",
        words => words,
    }
}
