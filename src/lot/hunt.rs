//! Whom a call rings: a user, a group, a number outside, and who is rung after them when nobody answers. Works out the
//! steps; `attempts` takes them.

use super::Lot;
use super::attempts::{Bell, Target};
use super::config::{Strategy, UserConfig};
use super::legs::{AttemptId, Place, Purpose};
use super::plan::Destination;
use super::words::{Refusal, identity_of};
use crate::parking::{Identity, Moment};
use crate::sip::message::Uri;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// How many groups may follow one another as fallbacks.
const MAX_FALLBACKS: usize = 4;

/// Who is rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Callee {
    /// All phones of a user.
    User(String),
    /// Somebody behind a server of ours (a proxy, another phone system), by the number that it knows him by.
    Behind {
        /// The server's user.
        server: String,
        /// Whom.
        number: String,
    },
    /// A URI that the administrator wrote down; its host is a literal address.
    Uri(Uri),
    /// A number over a trunk.
    Outside {
        /// Index of the trunk.
        trunk: usize,
        /// What is dialled there.
        number: String,
    },
}

/// Those who are rung at the same time.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub callees: Vec<Callee>,
    /// For how long; `None`: as long as the call itself is given.
    pub time: Option<Duration>,
    /// The group for which they are rung.
    group: Option<Group>,
}

/// What of a group matters to those who are rung for it.
#[derive(Clone, Debug)]
struct Group {
    extension: String,
    name: String,
    ringinuse: bool,
}

impl Step {
    /// Those who are on no call, at the same time.
    pub(super) fn of_free(users: Vec<String>, name: &str, extension: &str) -> Self {
        let (name, extension) = (name.to_owned(), extension.to_owned());
        let group = Some(Group { extension, name, ringinuse: false });
        Self { callees: users.into_iter().map(Callee::User).collect(), time: None, group }
    }

    /// One who is rung.
    pub(super) fn of(callee: Callee) -> Self {
        Self { callees: vec![callee], time: None, group: None }
    }

    pub(super) fn is_group(&self) -> bool {
        self.group.is_some()
    }

    /// Whether it rings the group of that extension.
    pub(super) fn rings_group(&self, extension: &str) -> bool {
        self.group.as_ref().is_some_and(|group| group.extension == extension)
    }
}

impl Lot {
    /// Who is rung for this destination; empty for what doesn't ring.
    pub(super) fn steps_to(&self, destination: &Destination) -> VecDeque<Step> {
        let mut steps = VecDeque::new();
        let mut next = Some(destination.clone());
        for _ in 0..=MAX_FALLBACKS {
            match next.take() {
                Some(Destination::User(user)) => steps.push_back(Step::of(Callee::User(user))),
                Some(Destination::Outside { trunk, number }) => {
                    steps.push_back(Step::of(Callee::Outside { trunk, number }));
                }
                Some(Destination::Group { group }) => next = self.group_steps(group, &mut steps),
                Some(Destination::Park { .. } | Destination::Slot { .. } | Destination::Page { .. })
                | None => {
                    break;
                }
            }
        }
        steps
    }

    /// The steps of a group; what comes behind it.
    fn group_steps(&self, group: usize, steps: &mut VecDeque<Step>) -> Option<Destination> {
        let ring = self.config.groups.get(group)?;
        let members = ring.members.iter().filter_map(|member| self.plan.user_at(member));
        let callees: Vec<Callee> = members.map(|user| Callee::User(user.name.clone())).collect();
        let step = |callees: Vec<Callee>| Step {
            callees,
            time: Some(Duration::from_secs(ring.timeout.into())),
            group: Some(Group {
                extension: ring.extension.to_string(),
                name: ring.name.clone(),
                ringinuse: ring.ringinuse,
            }),
        };
        match ring.strategy {
            Strategy::Ringall => steps.push_back(step(callees)),
            Strategy::Linear => steps.extend(callees.into_iter().map(|callee| step(vec![callee]))),
        }
        self.written_down(ring.fallback.as_deref()?)
    }

    /// Who a destination is, as others are shown it.
    pub(super) fn who_is(&self, destination: &Destination) -> Identity {
        match destination {
            Destination::User(user) => self.plan.user(user).map(identity_of).unwrap_or_default(),
            Destination::Group { group } => self
                .config
                .groups
                .get(*group)
                .map_or_else(Identity::default, |g| Identity::new(&g.name, g.extension.as_str())),
            Destination::Outside { number, .. } => Identity::new("", number),
            Destination::Park { .. } | Destination::Slot { .. } | Destination::Page { .. } => {
                Identity::default()
            }
        }
    }

    /// What an extension or number in the configuration means, those of trunks included: the administrator may.
    pub(super) fn written_down(&self, dialled: &str) -> Option<Destination> {
        self.destination(dialled).or_else(|| self.outside(dialled))
    }

    /// Rings what the administrator wrote down: a user, an extension, a number of a trunk, or a `sip:` URI.
    ///
    /// # Errors
    /// 404 when it means nothing; else see [`Lot::ring`].
    pub(super) fn ring_written_down(
        &mut self,
        now: Moment,
        purpose: Purpose,
        target: &str,
        bell: &Bell,
    ) -> Result<AttemptId, Refusal> {
        let steps = match (self.written_down(target), Uri::parse(target)) {
            (Some(destination), _) => self.steps_to(&destination),
            (None, Some(uri)) if target.starts_with("sip:") => [Step::of(Callee::Uri(uri))].into(),
            _ => return Err(Refusal::new(404, "The fallback is not known.")),
        };
        self.ring(now, purpose, steps, bell)
    }

    /// The phones of one step, for a call of this user.
    ///
    /// # Errors
    /// Why none of them can be rung.
    pub(super) fn targets_of(&self, step: &Step, caller: Option<&str>) -> Result<Vec<Target>, Refusal> {
        let mut targets = Vec::new();
        let mut why = None;
        for callee in &step.callees {
            let found = match callee {
                Callee::User(user) => self.phones_to_ring(user, step.group.as_ref()),
                Callee::Behind { server, number } => self.ways_to(server, number),
                Callee::Uri(uri) => target_at(uri).map(|target| vec![target]),
                Callee::Outside { trunk, number } => {
                    self.outside_target(*trunk, number, caller).map(|target| vec![target])
                }
            };
            match found {
                Ok(phones) => targets.extend(phones),
                // Of a group's members a busy one says more than one who isn't there.
                Err(refusal) if why.as_ref().is_none_or(|why: &Refusal| why.status != 486) => {
                    why = Some(refusal);
                }
                Err(_) => {}
            }
        }
        match why {
            Some(refusal) if targets.is_empty() => Err(refusal),
            _ => Ok(targets),
        }
    }

    fn phones_to_ring(&self, user: &str, group: Option<&Group>) -> Result<Vec<Target>, Refusal> {
        let config = self.plan.user(user);
        let identity = config.map(identity_of).unwrap_or_default();
        let calls = self.calls_of(user);
        let most = config.map_or(0, |user| usize::from(user.max_calls));
        let engaged = calls > 0 && group.is_some_and(|group| !group.ringinuse);
        if engaged || (most > 0 && calls >= most) {
            return Err(Refusal::new(486, format!("{} is on a call.", identity.label())));
        }
        // Who is called is shown as he was called: a group by its own name (RFC 3261 8.1.1.2).
        let to = group.map(|group| {
            let address = self.address(&Identity::new(&group.name, &group.extension));
            ("To".to_owned(), address.to_string())
        });
        let phone = |b: &super::registrar::Binding| Target {
            user: Some(user.to_owned()),
            trunk: None,
            identity: identity.clone(),
            contact: b.contact.clone(),
            source: b.source,
            from: None,
            headers: to.iter().cloned().chain(routes(b)).collect(),
            account: None,
        };
        let mut targets: Vec<Target> = self.registrar.phones(user).iter().map(phone).collect();
        if let Some((config, address)) = config.and_then(|user| Some((user, user.address?))) {
            targets.push(at_server(config, config.number(), address));
        }
        if targets.is_empty() {
            return Err(Refusal::new(480, format!("{} has no phone registered.", identity.label())));
        }
        Ok(targets)
    }

    /// The ways to somebody behind a server.
    fn ways_to(&self, server: &str, number: &str) -> Result<Vec<Target>, Refusal> {
        let mut targets = self.phones_to_ring(server, None)?;
        for target in &mut targets {
            target.contact.user = Some(number.to_owned());
            target.identity = Identity::new("", number);
        }
        Ok(targets)
    }

    /// How many calls a user has; those that ring all his phones count once.
    fn calls_of(&self, user: &str) -> usize {
        let of_user = self.legs.values().filter(|leg| leg.user.as_deref() == Some(user));
        let mut ringing = std::collections::BTreeSet::new();
        let counts = of_user.filter(|leg| match leg.place {
            Place::Dialled(id) => ringing.insert(id),
            Place::Leaving => false,
            _ => true,
        });
        counts.count()
    }

    /// The lamp of the group that a step rings may have changed.
    pub(super) fn touch_step(&mut self, step: &Step) {
        if let Some(group) = &step.group {
            self.presence.touch(&group.extension);
        }
    }
}

/// The proxies that lie between us and a phone (RFC 3327 5.3).
fn routes(phone: &super::registrar::Binding) -> impl Iterator<Item = (String, String)> {
    phone.path.iter().map(|path| ("Route".to_owned(), path.clone()))
}

/// A server of ours that is known by its address.
fn at_server(server: &UserConfig, number: &str, address: SocketAddr) -> Target {
    Target {
        user: Some(server.name.clone()),
        trunk: None,
        identity: identity_of(server),
        contact: Uri::at(number, address),
        source: address.into(),
        from: None,
        headers: Vec::new(),
        account: None,
    }
}

/// A URI that the administrator wrote down.
fn target_at(uri: &Uri) -> Result<Target, Refusal> {
    let Some(source) = uri.host_port_addr() else {
        return Err(Refusal::new(404, format!("{uri} has no literal address.")));
    };
    Ok(Target {
        user: None,
        trunk: None,
        identity: Identity::new("", uri.user.as_deref().unwrap_or_default()),
        contact: uri.clone(),
        source: source.into(),
        from: None,
        headers: Vec::new(),
        account: None,
    })
}
