//! Trunks: the lot's accounts at providers. Calls come in by a rule for the number that was called, and reach nothing
//! else: whoever sends them is a server that we know by its address, and no user of ours. Calls go out by a rule for
//! the number that is dialled, and only for users who may.

use super::attempts::Target;
use super::config::{TrunkConfig, TrunkTransport};
use super::legs::{Leg, MAX_LEGS, Place};
use super::notice::Notice;
use super::plan::Destination;
use super::words::{Refusal, asserted_in};
use super::{Lot, LotConfig};
use crate::parking::{Identity, Moment};
use crate::sip::message::{Method, NameAddr, Request, Uri};
use crate::sip::message_summary::{self, MessageSummary};
use crate::sip::{Account, AccountKey, CallKey, Peer, Subscribe, SubscriptionKey, Transport};
use std::collections::VecDeque;
use std::time::Duration;

/// How soon a server is looked up again that was not found.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(30);
/// For how long we ask to be told of messages, in seconds.
const MESSAGES_EXPIRES_S: u32 = 3_600;

/// A server that is to be looked up (RFC 3263).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkLookup {
    /// The trunk's name: for [`Lot::set_trunk_servers`].
    pub trunk: String,
    /// A host or an address.
    pub host: String,
    /// A port, where one is named.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub transport: Transport,
}

/// One trunk and what has become of it.
struct Trunk {
    config: TrunkConfig,
    /// Once its servers are known.
    account: Option<AccountKey>,
    /// When its server is looked up again that was not found.
    look_up_at: Option<Moment>,
    /// The subscription to its messages, and what was told.
    messages: Option<SubscriptionKey>,
    summary: Option<MessageSummary>,
    /// Whether the last thing said of it was that it is registered.
    registered: bool,
}

/// All trunks, in the order of the configuration.
#[derive(Default)]
pub(super) struct Trunks {
    list: Vec<Trunk>,
    lookups: VecDeque<TrunkLookup>,
    /// Accounts of trunks that a reload took away.
    retired: Vec<AccountKey>,
}

impl Trunk {
    fn new(config: TrunkConfig) -> Self {
        Self { config, account: None, look_up_at: None, messages: None, summary: None, registered: false }
    }

    fn lookup(&self) -> Option<TrunkLookup> {
        let (host, port) = self.config.host_port()?;
        let transport = match self.config.transport {
            TrunkTransport::Udp => Transport::Udp,
            TrunkTransport::Tcp => Transport::Tcp,
            TrunkTransport::Tls => Transport::Tls,
        };
        Some(TrunkLookup { trunk: self.config.name.clone(), host, port, transport })
    }

    /// Our address of record there.
    fn aor(&self) -> NameAddr {
        NameAddr::new(Uri::sip(&self.config.username, &self.config.domain()))
    }

    fn account(&self, server: Peer) -> Account {
        let config = &self.config;
        let name = config.auth_username.as_ref().unwrap_or(&config.username).clone();
        let account = Account::new(self.aor(), server, name, config.secret.clone());
        // Phones are told nothing over a transport that the provider has not agreed to.
        Account { expires_s: config.expires, udp_to_tcp: false, ..account }
    }
}

impl Trunks {
    pub(super) fn new(config: &LotConfig) -> Self {
        let list: Vec<Trunk> = config.trunks.iter().cloned().map(Trunk::new).collect();
        let lookups = list.iter().filter_map(Trunk::lookup).collect();
        Self { list, lookups, retired: Vec::new() }
    }

    /// When a server is to be looked up again.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.list.iter().filter_map(|trunk| trunk.look_up_at).min()
    }

    fn by_account(&mut self, account: AccountKey) -> Option<&mut Trunk> {
        self.list.iter_mut().find(|trunk| trunk.account == Some(account))
    }

    fn want_lookup(&mut self, at: usize) {
        let lookup = self.list.get(at).and_then(Trunk::lookup);
        // Whoever looks them up is slow: one wish for each is enough.
        self.lookups.extend(lookup.filter(|wanted| !self.lookups.contains(wanted)));
    }

    /// What waits for the user of this name or extension at a provider; `None`: he has no mailbox anywhere.
    pub(super) fn messages_of(&self, is_his: impl Fn(&str) -> bool) -> Option<MessageSummary> {
        let of_user = self.list.iter().find(|trunk| trunk.config.mailbox.as_deref().is_some_and(&is_his))?;
        Some(of_user.summary.clone().unwrap_or_default())
    }
}

impl Lot {
    /// The next server to look up; its answer goes to [`Lot::set_trunk_servers`] or [`Lot::trunk_not_found`].
    pub fn poll_lookup(&mut self) -> Option<TrunkLookup> {
        self.trunks.lookups.pop_front()
    }

    /// Where the servers of a trunk are, the preferred first: the trunk is opened, or follows them.
    pub fn set_trunk_servers(&mut self, now: Moment, trunk: &str, servers: Vec<Peer>) {
        let named = self.trunks.list.iter_mut().find(|held| held.config.name == trunk);
        let (Some(held), Some(first)) = (named, servers.first().copied()) else { return };
        held.look_up_at = None;
        match held.account {
            Some(account) => self.agent.set_servers(now, account, servers),
            None => {
                let account = self.agent.add_account(held.account(first));
                held.account = Some(account);
                let registers = held.config.register;
                self.agent.set_servers(now, account, servers);
                if registers {
                    self.agent.register(now, account);
                } else {
                    self.watch_messages(now, account);
                }
                self.trunk_is_back(now, trunk, account);
            }
        }
        self.settle(now);
    }

    /// The server of a trunk can't be found; why, in words. It will be asked for again.
    pub fn trunk_not_found(&mut self, now: Moment, trunk: &str, reason: &str) {
        if let Some(held) = self.trunks.list.iter_mut().find(|held| held.config.name == trunk) {
            held.look_up_at = Some(now + LOOK_UP_AGAIN);
            self.say(Notice::TrunkFailed { trunk: trunk.to_owned(), reason: reason.to_owned() });
        }
    }

    /// Asks again for servers that were not found.
    pub(super) fn look_up_overdue_trunks(&mut self, now: Moment) {
        for at in 0..self.trunks.list.len() {
            if let Some(trunk) = self.trunks.list.get_mut(at)
                && trunk.look_up_at.is_some_and(|due| due <= now)
            {
                trunk.look_up_at = None;
                self.trunks.want_lookup(at);
            }
        }
    }

    /// The list of servers of a trunk is old, or all of them failed.
    pub(super) fn on_servers_wanted(&mut self, account: AccountKey) {
        if let Some(at) = self.trunks.list.iter().position(|trunk| trunk.account == Some(account)) {
            self.trunks.want_lookup(at);
        }
    }

    /// After a reload: trunks that are as they were go on, the others are given back and opened anew.
    pub(super) fn reload_trunks(&mut self, now: Moment, config: &LotConfig) {
        let mut old = std::mem::take(&mut self.trunks);
        for account in old.retired {
            self.agent.remove_account(account);
        }
        let mut new = Trunks::new(config);
        for trunk in &mut new.list {
            let same = |held: &Trunk| held.config.is_same_account(&trunk.config);
            if let Some(at) = old.list.iter().position(same) {
                let held = old.list.remove(at);
                // Its rules may be others; who we are there is not.
                let config = trunk.config.clone();
                if held.account.is_some() {
                    new.lookups.retain(|lookup| lookup.trunk != config.name);
                }
                *trunk = Trunk { config, ..held };
            }
        }
        for gone in old.list {
            if let Some(messages) = gone.messages {
                self.agent.unsubscribe(now, messages);
            }
            if let Some(account) = gone.account {
                // Its calls go on, and may be asked for its password: it is forgotten with the next change.
                self.agent.unregister(now, account);
                new.retired.push(account);
            }
        }
        self.trunks = new;
    }

    pub(super) fn on_trunk_registered(&mut self, now: Moment, account: AccountKey, expires_s: u32) {
        let Some(trunk) = self.trunks.by_account(account) else { return };
        if !std::mem::replace(&mut trunk.registered, true) {
            let trunk = trunk.config.name.clone();
            self.say(Notice::TrunkRegistered { trunk, expires_s });
        }
        self.watch_messages(now, account);
    }

    pub(super) fn on_trunk_failed(&mut self, account: AccountKey, reason: String) {
        let Some(trunk) = self.trunks.by_account(account) else { return };
        trunk.registered = false;
        let trunk = trunk.config.name.clone();
        self.say(Notice::TrunkFailed { trunk, reason });
    }

    /// Asks the provider whether messages wait (RFC 3842), where that is wanted.
    fn watch_messages(&mut self, now: Moment, account: AccountKey) {
        let Some(server) = self.agent.server_of(account) else { return };
        let Some(trunk) = self.trunks.by_account(account) else { return };
        if trunk.config.mailbox.is_none() || trunk.messages.is_some() {
            return;
        }
        let subscribe = Subscribe {
            account: Some(account),
            target: trunk.aor().uri,
            send_to: server,
            event: message_summary::EVENT.to_owned(),
            accept: message_summary::CONTENT_TYPE.to_owned(),
            expires_s: MESSAGES_EXPIRES_S,
            list: false,
        };
        trunk.messages = Some(self.agent.subscribe(now, subscribe));
    }

    /// A provider tells of messages, asked or not.
    pub(super) fn on_messages_told(
        &mut self,
        account: Option<AccountKey>,
        subscription: Option<SubscriptionKey>,
        body: &[u8],
    ) {
        let told = |trunk: &&mut Trunk| {
            (account.is_some() && trunk.account == account)
                || (subscription.is_some() && trunk.messages == subscription)
        };
        let Some(trunk) = self.trunks.list.iter_mut().find(told) else { return };
        let Ok(summary) = message_summary::read(body) else { return };
        trunk.summary = Some(summary);
        if let Some(user) = trunk.config.mailbox.as_deref().and_then(|who| self.plan.user_at(who)) {
            self.presence.touch_all(&[user.number(), &user.name]);
        }
    }

    /// The trunk whose server that is; of several the one whose account the request names.
    pub(super) fn trunk_at(&self, from: Peer, request: &Request) -> Option<usize> {
        let at = |trunk: &Trunk| trunk.account.is_some_and(|a| self.agent.is_own_server(a, from));
        let named = |trunk: &Trunk| request.uri.user.as_deref() == Some(&trunk.config.username);
        let list = &self.trunks.list;
        list.iter().position(|t| at(t) && named(t)).or_else(|| list.iter().position(at))
    }

    /// A call came in over a trunk.
    pub(super) fn on_trunk_invite(
        &mut self,
        now: Moment,
        call: CallKey,
        from: Peer,
        trunk: usize,
        request: &Request,
    ) {
        if let Err(refusal) = self.route_inbound(now, call, from, trunk, request) {
            self.turn_away(now, call, &refusal);
            self.note_refusal(Method::Invite, from, None, &refusal);
        }
    }

    fn route_inbound(
        &mut self,
        now: Moment,
        call: CallKey,
        from: Peer,
        trunk: usize,
        request: &Request,
    ) -> Result<(), Refusal> {
        if self.legs.len() >= MAX_LEGS || self.lines_of(trunk) == 0 {
            return Err(Refusal::new(486, "All lines are busy."));
        }
        let Some(held) = self.trunks.list.get(trunk) else {
            return Err(Refusal::new(404, "There is no such number."));
        };
        let called = called_numbers(request);
        let to = held.config.inbound_for(&called).map(str::to_owned);
        let mut leg = Leg::new(None, asserted_in(&request.headers), from, Place::Leaving);
        leg.offer = Some(request.body.clone());
        leg.trunk = Some(held.config.name.clone());
        self.legs.insert(call, leg);
        match to.and_then(|to| self.destination(&to)) {
            Some(Destination::Park { lot }) => self.park_himself(now, call, "", lot, None, request),
            Some(destination @ (Destination::User(_) | Destination::Group { .. })) => {
                self.place_call(now, call, &destination)
            }
            _ => Err(Refusal::new(404, "There is no such number.")),
        }
    }

    /// Whether the configuration has a trunk of that name.
    pub(super) fn has_trunk(&self, name: &str) -> bool {
        self.trunks.list.iter().any(|trunk| trunk.config.name == name)
    }

    /// The first trunk over which this number goes out.
    pub(super) fn outside(&self, dialled: &str) -> Option<Destination> {
        let goes = |(trunk, held): (usize, &Trunk)| {
            Some(Destination::Outside { trunk, number: held.config.outbound_for(dialled)? })
        };
        self.trunks.list.iter().enumerate().find_map(goes)
    }

    /// The same for a user, who must be allowed to.
    pub(super) fn outside_for(&self, user: &str, dialled: &str) -> Result<Destination, Refusal> {
        let Some(destination) = self.outside(dialled) else {
            return Err(Refusal::new(404, "There is no such extension."));
        };
        match self.plan.user(user) {
            Some(user) if user.permissions.trunk => Ok(destination),
            _ => Err(Refusal::new(403, "You may not call outside.")),
        }
    }

    /// How many more calls a trunk takes.
    fn lines_of(&self, trunk: usize) -> usize {
        let Some(held) = self.trunks.list.get(trunk) else { return 0 };
        let up = |leg: &&Leg| leg.trunk.as_ref() == Some(&held.config.name) && leg.place != Place::Leaving;
        usize::from(held.config.max_calls).saturating_sub(self.legs.values().filter(up).count())
    }

    /// A number outside, as one phone to ring. `caller` is the user for whom it is rung: nothing else of who calls goes
    /// out, for a provider shows no number that isn't its customer's.
    ///
    /// # Errors
    /// 480 when the trunk isn't open, 486 when all its lines are in use.
    pub(super) fn outside_target(
        &self,
        trunk: usize,
        number: &str,
        caller: Option<&str>,
    ) -> Result<Target, Refusal> {
        let held = self.trunks.list.get(trunk);
        let open = held.and_then(|held| {
            let account = held.account?;
            Some((held, account, self.agent.server_of(account)?))
        });
        let Some((held, account, server)) = open else {
            return Err(Refusal::new(480, "The line to the outside is not open."));
        };
        if self.lines_of(trunk) == 0 {
            return Err(Refusal::new(486, "All lines are busy."));
        }
        let own = caller.and_then(|user| self.plan.user(user)).and_then(|u| u.outside_number.clone());
        let shown = own.or_else(|| held.config.number.clone()).unwrap_or(held.config.username.clone());
        let domain = held.config.domain();
        let from = NameAddr::new(Uri::sip(&shown, &domain));
        Ok(Target {
            user: None,
            trunk: Some(held.config.name.clone()),
            identity: Identity::new("", number),
            contact: Uri::sip(number, &domain),
            source: server,
            headers: vec![("P-Preferred-Identity".to_owned(), from.to_string())],
            from: Some(from),
            account: Some(account),
        })
    }

    /// Whether the trunk's servers are known.
    #[cfg(test)]
    pub(super) fn trunk_account(&self, trunk: usize) -> Option<AccountKey> {
        self.trunks.list.get(trunk)?.account
    }
}

/// By what a number may be named that was called: the Request-URI, what it was before the provider exchanged it for our
/// Contact (RFC 7315 4.2), and To.
fn called_numbers(request: &Request) -> Vec<String> {
    let party = request.headers.name_addr("P-Called-Party-ID").and_then(|party| party.uri.user);
    let to = request.headers.to().and_then(|to| to.uri.user);
    [request.uri.user.clone(), party, to].into_iter().flatten().collect()
}
