//! The line, before any call is made: who is registered, whether we are let in, whether the server answers.

use super::advice::{Server, Words};
use super::enquiry::host_of;
use super::examiner::{Examiner, Stage};
use super::finding::{Finding, Verdict};
use crate::parking::{Moment, Text};
use std::time::Duration;

/// How long the first answer of a server is waited for.
const FIRST_ANSWER: Duration = Duration::from_secs(8);
/// How long a server may be silent before the next is tried (RFC 3261 17.1.2.2, with room).
const SERVER_PATIENCE: Duration = Duration::from_secs(34);
/// Silent servers that are waited for.
const MAX_OTHERS: u32 = 3;
/// A server that answers REGISTER answers OPTIONS within this time.
const PROBE_PATIENCE: Duration = Duration::from_secs(6);
/// Contacts that are named.
const MAX_NAMED: usize = 4;

impl Examiner {
    pub(super) fn words(&self) -> Words<'_> {
        Words { server: Server::of(self.witness.server(), self.plan.dialect_name()), user: &self.plan.user }
    }

    pub(super) fn look_at_bindings(&mut self, now: Moment) -> Option<Stage> {
        match self.enquirer.bindings() {
            Some([]) => Some(Stage::Registering),
            Some(_) => Some(Stage::Displacing),
            // Whatever keeps it from answering keeps it from REGISTER as well, which tells more.
            None => (self.lasted(now) >= FIRST_ANSWER).then_some(Stage::Registering),
        }
    }

    /// The phones that are registered for this account, for people.
    fn others(&self) -> String {
        let contacts = self.enquirer.bindings().unwrap_or_default();
        let named: Vec<String> =
            contacts.iter().take(MAX_NAMED).map(|c| Text::new(&host_of(c)).to_string()).collect();
        named.join(", ")
    }

    pub(super) fn ask_to_displace(&mut self) {
        let others = self.others();
        self.question = Some(format!(
            "A phone at {others} is registered as this account now. While it is examined calls may not reach that phone, \
             and afterwards not before it registers again. Go on?"
        ));
    }

    pub(super) fn look_at_displacing(&mut self) -> Option<Stage> {
        let others = self.others();
        let seen = format!("a phone at {others} was registered as this account");
        Some(match self.answer.take()? {
            true => {
                let advice = "if the server allows one phone only (max_contacts=1), that one has lost its place until it \
                              registers again: restart it, or wait";
                self.find(Finding::new("other phones", Verdict::Doubtful, seen).advise([advice.to_owned()]));
                Stage::Registering
            }
            false => {
                self.find(Finding::new("other phones", Verdict::Skipped, format!("{seen}: left alone")));
                Stage::HangingUp
            }
        })
    }

    pub(super) fn look_at_registration(&mut self, now: Moment) -> Option<Stage> {
        let told = self.witness.registration();
        if self.facts.registered {
            let realm = told.challenges.last().map(|c| {
                let realm = Text::new(&c.realm);
                format!(", {} for realm “{realm}”", c.algorithm.name())
            });
            let mut seen = format!(
                "as {} at {} for {} s{}",
                self.plan.aor.uri,
                self.facts.way.as_deref().unwrap_or_default(),
                told.expires_s.unwrap_or_default(),
                realm.unwrap_or_else(|| ", and no password was asked for".to_owned()),
            );
            if let Some(at) = told.seen_at.filter(|at| !at.contains(&self.own_address().to_string())) {
                seen += &format!("; the server sees us at {} (NAT)", Text::new(&at));
            }
            if told.contacts > 1 {
                seen += &format!("; {} phones share the account", told.contacts);
            }
            self.find(Finding::new("registration", Verdict::Good, seen));
            self.judge_first_server();
            return Some(Stage::Reaching);
        }
        // A server that is silent is given up before REGISTER itself does so (RFC 3261 17.1.2.2: 32 s).
        let reason = self.facts.registration_failed.take();
        let silent = || self.lasted(now) >= self.registration_patience();
        let reason = reason.or_else(|| silent().then(|| "no answer".to_owned()))?;
        self.facts.refused = true;
        // Without an answer it is the connection that says why, of every server that was tried.
        let silent = told.status.is_none() && !self.facts.closed.is_empty();
        let reason = if silent { self.facts.closed.join("; ") } else { reason };
        let status = told.status;
        let seen = match status.filter(|status: &u16| !reason.contains(&status.to_string())) {
            Some(status) => format!("{reason} ({status})"),
            None => reason.clone(),
        };
        let advice = self.words().registration(status, &reason);
        self.find(Finding::new("registration", Verdict::Bad, seen).advise(advice));
        Some(Stage::HangingUp)
    }

    /// As long as the console itself would go from one server to the next.
    fn registration_patience(&self) -> Duration {
        let others = u32::try_from(self.plan.servers.len().saturating_sub(1)).unwrap_or(0);
        2 * FIRST_ANSWER + SERVER_PATIENCE * others.min(MAX_OTHERS)
    }

    /// Another than the first of the servers has let us in.
    fn judge_first_server(&mut self) {
        let (Some(first), Some(server)) = (self.plan.servers.first().copied(), self.facts.server) else {
            return;
        };
        if first.address == server {
            return;
        }
        let why = match self.facts.closed.is_empty() {
            true => "it does not answer".to_owned(),
            false => self.facts.closed.join("; "),
        };
        let seen = format!(
            "{} {} is to be tried first, and {server} serves: {why}",
            first.transport.via_word(),
            first.address
        );
        let advice = "every start waits for it: have the server listen there too, or take that address out of its DNS name";
        self.find(Finding::new("first server", Verdict::Doubtful, seen).advise([advice.to_owned()]));
    }

    pub(super) fn look_at_reach(&mut self, now: Moment) -> Option<Stage> {
        if let Some(ms) = self.facts.round_trip_ms {
            let seen = format!("OPTIONS answered in {} ms", ms.max(1));
            self.find(Finding::new("reachability", Verdict::Good, seen));
            return Some(Stage::Managing);
        }
        if self.lasted(now) < PROBE_PATIENCE {
            return None;
        }
        let seen =
            "OPTIONS isn't answered: the console would take the server for dead and every lamp for stale";
        let advice = "the server, or what stands before it, must answer OPTIONS, whatever the status";
        self.find(Finding::new("reachability", Verdict::Bad, seen).advise([advice.to_owned()]));
        Some(Stage::HangingUp)
    }

    /// The server fell silent, or ended the registration, in the middle of it.
    pub(super) fn server_gone(&mut self) -> Option<Stage> {
        let during = match self.stage {
            Stage::Bindings | Stage::Displacing | Stage::Registering | Stage::Reaching => return None,
            Stage::HangingUp | Stage::Leaving | Stage::Over => return None,
            Stage::Managing => "while the manager interface was examined",
            Stage::Lamps | Stage::Extensions | Stage::Consent => "while the lamps were examined",
            _ => "during the test call",
        };
        if !self.facts.unreachable {
            return None;
        }
        let advice = "calls and subscriptions of the examination end on the server by their own timers, if it still has them";
        let seen = format!("it fell silent {during}");
        self.find(Finding::new("server", Verdict::Bad, seen).advise([advice.to_owned()]));
        Some(Stage::HangingUp)
    }

    /// What will be done, before it is done.
    pub(super) fn ask_consent(&mut self) {
        if self.plan.quick {
            return;
        }
        let park = self.plan.way();
        let number = &self.plan.number;
        let back = if self.plan.comeback { ", waits until it comes back" } else { "" };
        let held = if self.plan.only_parking { "" } else { " put on hold," };
        let lot = self.plan.lot.as_ref().map(|lot| format!(" in lot “{lot}”")).unwrap_or_default();
        self.question = Some(format!(
            "Now {number} is called (from this account, for about 20 s, with tones),{held} parked{lot} ({park}), fetched \
             again{back}. Slots that are taken are not touched; whoever calls this account meanwhile hears busy. Go on?"
        ));
    }

    pub(super) fn look_at_consent(&mut self) -> Option<Stage> {
        let skipped = |why: &str| Finding::new("test call", Verdict::Skipped, why.to_owned());
        if self.plan.quick {
            self.find(skipped("--quick"));
            return Some(Stage::HangingUp);
        }
        match self.answer.take()? {
            true => Some(Stage::Dialling),
            false => {
                self.find(skipped("not wanted"));
                Some(Stage::HangingUp)
            }
        }
    }
}
