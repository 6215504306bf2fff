//! The manager interface (AMI), where one is configured: whether it lets us in, whether it tells of our own park, and by
//! which name it knows our phone. It is listened to beside the phones, which go on as without it.

use super::examiner::{Examiner, Stage};
use super::finding::{Finding, Verdict};
use crate::ami::{Fact, Parked};
use crate::config::{self, Ami};
use crate::parking::{Moment, SlotId, Text};
use std::time::Duration;

/// Connection, login and the list of parked calls together. The session gives up earlier where something answers.
const LOGIN_PATIENCE: Duration = Duration::from_secs(12);
/// The most parked calls that are remembered of those that were told of.
const MAX_TOLD: usize = 256;

/// The interface as the configuration has it.
#[derive(Clone, Debug)]
pub(super) struct ManagerPlan {
    host: String,
    port: u16,
    tls: bool,
    user: String,
    lot: String,
    /// What the server calls our phone, by the configuration.
    device: String,
}

impl ManagerPlan {
    /// `None` where none is configured.
    pub fn new(account: &config::Account) -> Option<Self> {
        let Ami { host, port, tls, user, lots, device, .. } = account.ami.clone()?;
        let lot = lots.into_iter().next().unwrap_or_default();
        let device = device.unwrap_or_else(|| format!("PJSIP/{}", account.user));
        Some(Self { host, port, tls, user, lot, device })
    }
}

/// How far the session has come.
#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Waiting,
    /// Logged in and listening; so many were parked then.
    Listening(usize),
    /// It ended, or never began.
    Lost(Text),
}

/// What the interface has said.
#[derive(Default)]
pub(super) struct Manager {
    state: State,
    /// Whether nobody on the way can read the connection; `None` before there is one.
    private: Option<bool>,
    /// The finding on the login is out.
    judged: bool,
    /// Whom it told of, and when.
    parked: Vec<(Moment, Parked)>,
    /// What it calls our phone, where the configuration has another name.
    pub device: Option<String>,
}

impl Examiner {
    /// The connection is up; `private` if nobody on the way can read it.
    pub fn manager_opened(&mut self, private: bool) {
        self.manager.private = Some(private);
    }

    /// It said something, or was lost. It is not tried again.
    pub fn hear_manager(&mut self, now: Moment, fact: Fact) {
        let manager = &mut self.manager;
        match fact {
            Fact::Connected(all) => manager.state = State::Listening(all.len()),
            Fact::Lost { reason, .. } => {
                let was_up = matches!(manager.state, State::Listening(_));
                manager.state = State::Lost(reason.clone());
                if was_up && manager.judged {
                    let seen = format!("it was lost in the middle: {reason}");
                    self.find(Finding::new("manager", Verdict::Bad, seen));
                }
            }
            Fact::Troubled { reason } => {
                self.find(Finding::new("manager", Verdict::Doubtful, reason.to_string()));
            }
            Fact::Parked(call) | Fact::Swapped(call) if manager.parked.len() < MAX_TOLD => {
                manager.parked.push((now, call));
            }
            _ => {}
        }
        self.settle(now);
    }

    /// Whether nothing is to be expected of it that hasn't come.
    pub(super) fn manager_is_known(&self) -> bool {
        self.plan.manager.is_none() || !matches!(self.manager.state, State::Waiting)
    }

    pub(super) fn look_at_manager(&mut self, now: Moment) -> Option<Stage> {
        if !self.manager_is_known() && self.lasted(now) < LOGIN_PATIENCE {
            return None;
        }
        self.judge_manager();
        Some(Stage::Lamps)
    }

    /// Whether we were let in; once, and nothing where no interface is configured.
    pub(super) fn judge_manager(&mut self) {
        let Some(plan) = self.plan.manager.clone() else { return };
        if std::mem::replace(&mut self.manager.judged, true) {
            return;
        }
        let at = format!("{}:{}", plan.host, plan.port);
        let finding = match &self.manager.state {
            State::Listening(parked) => {
                let private = self.manager.private == Some(true);
                let how = match (plan.tls, private) {
                    (true, true) => "over TLS, the server has proven its name",
                    (true, false) => "over TLS, but nobody has looked at the certificate",
                    (false, true) => "within this computer",
                    (false, false) => "not encrypted",
                };
                let seen = format!(
                    "logged in as {} at {at}, {how}; lot “{}”, {parked} parked now",
                    Text::new(&plan.user),
                    Text::new(&plan.lot)
                );
                match private {
                    true => Finding::new("manager", Verdict::Good, seen),
                    false => Finding::new("manager", Verdict::Doubtful, seen).advise(readable(plan.tls)),
                }
            }
            State::Lost(reason) => {
                let advice = refused(&plan, reason.as_str());
                Finding::new("manager", Verdict::Bad, format!("{at}: {reason}")).advise(advice)
            }
            State::Waiting => {
                let advice = refused(&plan, "does not answer");
                Finding::new("manager", Verdict::Bad, format!("{at}: no answer")).advise(advice)
            }
        };
        self.find(finding);
    }

    /// Our test call is parked in that slot, without a doubt: was it told of, and as whose?
    pub(super) fn judge_manager_events(&mut self, slot: &SlotId) {
        let Some(plan) = self.plan.manager.clone() else { return };
        if !matches!(self.manager.state, State::Listening(_)) {
            return;
        }
        let since = self.facts.lit.first().map_or(self.since, |(at, _)| *at);
        // Both come at once, by two ways: either may be the first.
        let lately = |at: &Moment| *at + Duration::from_secs(1) >= since;
        let told = self.manager.parked.iter().rev().find(|(at, call)| call.slot == *slot && lately(at));
        let Some((_, call)) = told else {
            let seen = format!("the test call is on {slot}, and nothing was said of it");
            return self.find(Finding::new("manager events", Verdict::Bad, seen).advise(silent(&plan)));
        };
        let device = call.parker_device.clone();
        let name = Text::new(device.as_str());
        let mut verdict = Verdict::Good;
        let mut seen = format!("{slot} was told of, parked by {name}");
        let mut advice = Vec::new();
        if device.is_called(&plan.device) {
            seen += ", which is us";
        } else {
            verdict = Verdict::Doubtful;
            seen += &format!("; the console takes only {} for itself", Text::new(&plan.device));
            advice.push(format!(
                "[lot.ami] device = \"{name}\": without it the console knows its own parks and comebacks only by its lamps"
            ));
            self.manager.device = Some(device.as_str().to_owned());
        }
        self.find(Finding::new("manager events", verdict, seen).advise(advice));
    }
}

/// Others can read what is told.
fn readable(tls: bool) -> Vec<String> {
    let advice = match tls {
        true => "[tls] verify = true, and ca_file for an authority of your own",
        false => {
            "callers' names and numbers can be read on the way. manager.conf, [general]: tlsenable=yes, \
             tlsbindaddr, tlscertfile, tlsprivatekey; here tls = true"
        }
    };
    vec![advice.to_owned()]
}

/// Why we were not let in. The sentences are those of the session and of the connection.
fn refused(plan: &ManagerPlan, reason: &str) -> Vec<String> {
    let user = Text::new(&plan.user);
    let has = |words: &str| reason.contains(words);
    let advice = if has("refuses this user") {
        format!(
            "manager.conf, [{user}]: is there such a section, is its secret ours, do its permit/deny/acl let this computer in?"
        )
    } else if has("no parking lot") {
        "[lot.ami] lot: the section of res_parking.conf that has the slots".to_owned()
    } else if has("has no call parking") {
        "is the parking module there? `module show like res_parking`".to_owned()
    } else if has("may not see parked calls") {
        format!("manager.conf, [{user}]: read = call and write = call (then `manager reload`)")
    } else if has("wants the secret itself") {
        "[lot.ami] tls = true, and tlsenable=yes in manager.conf".to_owned()
    } else if has("certificate") {
        "[tls] has ca_file; `host` of [lot.ami], else the account's server, must be a name that the certificate has"
            .to_owned()
    } else if plan.tls {
        "manager.conf, [general]: enabled=yes, tlsenable=yes, tlsbindaddr (its port is 5039 as a rule); or tls = false"
            .to_owned()
    } else {
        "manager.conf, [general]: enabled=yes, bindaddr (127.0.0.1 lets nobody in from outside) and port (5038 as a rule; with TLS 5039 and tls = true)".to_owned()
    };
    vec![advice]
}

/// We were let in and are told nothing.
fn silent(plan: &ManagerPlan) -> Vec<String> {
    let user = Text::new(&plan.user);
    vec![
        format!("manager.conf, [{user}]: read = call, and no eventfilter that leaves ParkedCall out"),
        format!("or [lot.ami] lot = \"{}\" is not the lot of these slots", Text::new(&plan.lot)),
    ]
}
