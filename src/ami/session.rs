//! One session with a manager interface: log in, read the list of parked calls, listen, and begin again after a loss.
//! Here is what happens to the connection and in time; what the server's answers lead to is in `answers`.

mod answers;

use super::block::action;
use super::fact::Fact;
use super::ledger::Ledger;
use super::parked::Read;
use super::reader::{Item, Reader};
use crate::parking::{Moment, Text};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use secrecy::SecretString;
use std::collections::VecDeque;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);
/// How long the answer to an action is waited for; a list may go on for so long without an entry.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// After so much silence the server is asked whether it is there.
const PING_AFTER: Duration = Duration::from_secs(15);
/// The first pause after a loss, doubled with each one that follows, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The same after a refusal: a server may lock out who knocks too often.
const PAUSE_WHEN_REFUSED: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(300));
/// A session that has lasted so long begins counting its losses anew.
const LASTING: Duration = Duration::from_secs(30);

/// Whom to be, and what to listen to.
pub struct SessionConfig {
    /// The manager user.
    pub user: String,
    /// His secret.
    pub secret: SecretString,
    /// The lots' names on the server.
    pub lots: Vec<String>,
    /// Whether the secret may be told over a connection that others can read.
    pub allow_plain_login: bool,
    /// Where jitter comes from.
    pub seed: u64,
}

/// What a session wants done. A login has the secret in it, so this can't be printed.
#[derive(PartialEq, Eq)]
pub enum Wish {
    /// Open a connection.
    Connect,
    /// Send this on it.
    Send(Vec<u8>),
    /// Close it, or give it up.
    Disconnect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Stopped,
    Away { retry_at: Moment },
    Connecting { until: Moment },
    Up(Step),
}

/// How far a connection has come, or what was asked last; in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Greeting,
    Challenge,
    Login,
    Filter,
    Events,
    Lots,
    List,
    Listening,
}

/// What is asked while we listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errand {
    Ping,
    List,
}

/// A session. After each call that takes `now`, drain [`Session::poll_wish`] and [`Session::poll_fact`].
pub struct Session {
    config: SessionConfig,
    rng: StdRng,
    stage: Stage,
    reader: Reader,
    ledger: Ledger,
    /// Whether nobody on the way can read the connection.
    private: bool,
    /// The number of the next action.
    next: u64,
    /// The action whose answer is awaited, and until when.
    awaiting: Option<(u64, Moment)>,
    errand: Option<Errand>,
    lots: Vec<String>,
    listed: Vec<Read>,
    heard_at: Moment,
    list_at: Moment,
    listening_since: Moment,
    deaf: bool,
    losses: u32,
    wishes: VecDeque<Wish>,
    facts: VecDeque<Fact>,
}

impl Session {
    /// One that has not begun.
    pub fn new(config: SessionConfig) -> Self {
        Self {
            rng: StdRng::seed_from_u64(config.seed),
            ledger: Ledger::new(&config.lots),
            config,
            stage: Stage::Stopped,
            reader: Reader::default(),
            private: false,
            next: 1,
            awaiting: None,
            errand: None,
            lots: Vec::new(),
            listed: Vec::new(),
            heard_at: Moment::ZERO,
            list_at: Moment::ZERO,
            listening_since: Moment::ZERO,
            deaf: false,
            losses: 0,
            wishes: VecDeque::new(),
            facts: VecDeque::new(),
        }
    }

    /// Begins, and goes on by itself.
    pub fn start(&mut self, now: Moment) {
        self.stage = Stage::Connecting { until: now + CONNECT_PATIENCE };
        self.wishes.push_back(Wish::Connect);
    }

    /// Says good-bye.
    pub fn stop(&mut self) {
        if let Stage::Up(step) = self.stage {
            if step > Step::Login {
                self.send("Logoff", &[]);
            }
            self.wishes.push_back(Wish::Disconnect);
        }
        self.stage = Stage::Stopped;
        self.forget();
    }

    /// The connection is up; `private` if nobody on the way can read it.
    pub fn opened(&mut self, now: Moment, private: bool) {
        if !matches!(self.stage, Stage::Connecting { .. }) {
            return;
        }
        self.forget();
        self.private = private;
        self.stage = Stage::Up(Step::Greeting);
        self.awaiting = Some((0, now + ANSWER_PATIENCE));
    }

    /// The connection is gone, or did not come about.
    pub fn closed(&mut self, now: Moment, reason: &str) {
        match self.stage {
            Stage::Up(Step::Challenge | Step::Login) => {
                self.lose(now, "the manager interface hung up while we logged in", false);
            }
            Stage::Up(_) | Stage::Connecting { .. } => self.lose(now, reason, false),
            Stage::Away { .. } | Stage::Stopped => {}
        }
    }

    /// The connection brought this.
    pub fn received(&mut self, now: Moment, bytes: &[u8]) {
        for byte in bytes {
            if !matches!(self.stage, Stage::Up(_)) {
                return;
            }
            self.heard_at = now;
            match self.reader.take(*byte) {
                Ok(None) => {}
                Ok(Some(Item::Greeting(_))) => self.greeted(now),
                Ok(Some(Item::Block(block))) => self.take_block(now, &block),
                Err(garbage) => return self.give_up(now, &garbage.to_string(), true),
            }
        }
        self.ask_questions(now);
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Moment) {
        match self.stage {
            Stage::Away { retry_at } if now >= retry_at => self.start(now),
            Stage::Connecting { until } if now >= until => {
                self.give_up(now, "no connection to the manager interface", false);
            }
            Stage::Up(_) if self.awaiting.is_some_and(|(_, until)| now >= until) => {
                self.give_up(now, "the manager interface doesn't answer", false);
            }
            Stage::Up(Step::Listening) => self.go_on(now),
            _ => {}
        }
    }

    /// When [`Session::wake`] is wanted next.
    pub fn next_wake(&self) -> Option<Moment> {
        match self.stage {
            Stage::Stopped => None,
            Stage::Away { retry_at: at } | Stage::Connecting { until: at } => Some(at),
            Stage::Up(step) => {
                let idle = step == Step::Listening && self.awaiting.is_none();
                let errand = idle.then(|| self.list_at.min(self.heard_at + PING_AFTER));
                let answer = self.awaiting.map(|(_, until)| until);
                [errand, answer, self.ledger.next_wake()].into_iter().flatten().min()
            }
        }
    }

    /// What it wants done next.
    pub fn poll_wish(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }

    /// What it knows next.
    pub fn poll_fact(&mut self) -> Option<Fact> {
        self.facts.pop_front()
    }

    /// Nothing of an earlier connection is left.
    fn forget(&mut self) {
        self.reader = Reader::default();
        self.ledger.clear();
        (self.awaiting, self.errand) = (None, None);
        self.lots.clear();
        self.listed.clear();
        self.deaf = false;
    }

    fn give_up(&mut self, now: Moment, reason: &str, refused: bool) {
        self.wishes.push_back(Wish::Disconnect);
        self.lose(now, reason, refused);
    }

    fn lose(&mut self, now: Moment, reason: &str, refused: bool) {
        let listening = self.stage == Stage::Up(Step::Listening);
        if listening && now.saturating_sub(self.listening_since) >= LASTING {
            self.losses = 0;
        }
        let (least, most) = if refused { PAUSE_WHEN_REFUSED } else { PAUSE };
        let full = (least * (1 << self.losses.min(10))).min(most);
        self.losses = self.losses.saturating_add(1);
        let pause = self.rng.random_range(full / 2..=full);
        let retry_at = now + pause;
        self.stage = Stage::Away { retry_at };
        self.forget();
        self.facts.push_back(Fact::Lost { reason: Text::new(reason), retry_at });
    }

    fn send(&mut self, name: &str, fields: &[(&str, &str)]) -> u64 {
        let number = self.next;
        self.next += 1;
        self.wishes.push_back(Wish::Send(action(name, number, fields)));
        number
    }

    /// Sends an action on which everything else waits.
    fn step(&mut self, now: Moment, step: Step, name: &str, fields: &[(&str, &str)]) {
        let number = self.send(name, fields);
        self.stage = Stage::Up(step);
        self.awaiting = Some((number, now + ANSWER_PATIENCE));
    }

    /// Asks for the list of parked calls: of our lot, or of all where we have several.
    fn ask_who_is_parked(&mut self, now: Moment, step: Step) {
        let only = match self.config.lots.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        };
        let fields: Vec<(&str, &str)> = only.iter().map(|lot| ("ParkingLot", lot.as_str())).collect();
        self.step(now, step, "ParkedCalls", &fields);
    }

    fn errand_done(&mut self) {
        (self.awaiting, self.errand) = (None, None);
        self.listed.clear();
    }

    /// What is to be done while we listen.
    fn go_on(&mut self, now: Moment) {
        while let Some(number) = self.ledger.overdue(now) {
            let fact = self.ledger.answered(number, None);
            self.facts.extend(fact);
        }
        self.ask_questions(now);
        if self.awaiting.is_some() {
            return;
        }
        if now >= self.list_at {
            self.ask_who_is_parked(now, Step::Listening);
            self.errand = Some(Errand::List);
        } else if now >= self.heard_at + PING_AFTER {
            self.step(now, Step::Listening, "Ping", &[]);
            self.errand = Some(Errand::Ping);
        }
    }

    fn ask_questions(&mut self, now: Moment) {
        if self.stage != Stage::Up(Step::Listening) {
            return;
        }
        while let Some(question) = self.ledger.ask(now, self.next) {
            self.send("Getvar", &[("Channel", &question.channel), ("Variable", question.variable)]);
        }
    }

    #[cfg(test)]
    pub(super) fn is_reading_the_list(&self) -> bool {
        self.errand == Some(Errand::List)
    }

    /// How much is kept: parked calls, retrievals, questions, bytes of the block that is being read.
    #[cfg(test)]
    pub(super) fn kept(&self) -> ((usize, usize, usize), usize) {
        (self.ledger.size(), self.reader.kept())
    }
}
