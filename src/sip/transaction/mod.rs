//! Transactions (RFC 3261 17, RFC 6026): what is repeated, until when, and what is a repetition. Over a stream nothing is
//! repeated, and what can't go wrong there is not waited for. Knows nothing of dialogs; the agent above is the
//! transaction user, and knows which connections there are.

mod client;
mod server;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
pub mod timers;

use super::Moment;
use super::agent::{MAX_TRANSMITS, Transmit};
use super::alarms::Alarms;
use super::message::{Method, Request, Response};
use crate::sip::Peer;
use client::Client;
use server::Server;
use std::collections::{BTreeMap, VecDeque};

/// How many client transactions; beyond it a request times out at once.
pub const MAX_CLIENTS: usize = 32_768;
/// How many server transactions; beyond it the oldest answered one is forgotten, or else a request gets no transaction.
pub const MAX_SERVERS: usize = 8_192;

/// Names a client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientId(u64);

/// Names a server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServerId(u64);

/// What a transaction tells its user.
#[derive(Debug)]
pub(crate) enum News {
    /// A response, provisional or final, once each; every 2xx to an INVITE, repeated ones too.
    Answered { client: ClientId, from: Peer, response: Box<Response> },
    /// Timer B or F: nobody answers. The request is given back, for the transaction is gone.
    TimedOut { client: ClientId, to: Peer, request: Box<Request> },
    /// There is no connection (RFC 3261 17.1.4).
    Failed { client: ClientId, to: Peer, request: Box<Request>, loss: Loss },
    /// No further 2xx of this INVITE can come (timer M).
    Settled { client: ClientId },
}

/// Why a request has failed for want of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Whether the connection was open once: then the request may have arrived.
    pub(crate) was_open: bool,
    /// Whether a provisional response came: then it has arrived.
    pub(crate) heard: bool,
    /// In words for people.
    pub(crate) reason: String,
}

/// What an incoming request is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// New to us: the user answers it without a transaction, or opens one.
    New,
    /// A repetition, or the ACK of a refusal: dealt with.
    Absorbed,
    /// A CANCEL of this INVITE.
    Cancels(ServerId),
    /// The same request by another way (RFC 3261 8.2.2.2): 482.
    Merged,
}

/// Why a timer goes off.
#[derive(Clone, Copy, Debug)]
enum Why {
    ClientResends(ClientId),
    ClientEnds(ClientId),
    ServerResends(ServerId),
    ServerEnds(ServerId),
}

/// All transactions of one agent.
#[derive(Debug)]
pub(crate) struct Transactions {
    clients: BTreeMap<ClientId, Client>,
    client_by_branch: BTreeMap<(String, Method), ClientId>,
    servers: BTreeMap<ServerId, Server>,
    server_by_branch: BTreeMap<String, ServerId>,
    server_by_origin: BTreeMap<String, ServerId>,
    answered: VecDeque<ServerId>,
    alarms: Alarms<Why>,
    transmits: VecDeque<Transmit>,
    news: VecDeque<News>,
    made_total: u64,
}

impl Transactions {
    pub(crate) fn new() -> Self {
        Self {
            clients: BTreeMap::new(),
            client_by_branch: BTreeMap::new(),
            servers: BTreeMap::new(),
            server_by_branch: BTreeMap::new(),
            server_by_origin: BTreeMap::new(),
            answered: VecDeque::new(),
            alarms: Alarms::new(),
            transmits: VecDeque::new(),
            news: VecDeque::new(),
            made_total: 0,
        }
    }

    /// Lets all timers go off that are due.
    pub(crate) fn wake(&mut self, now: Moment) {
        while let Some(why) = self.alarms.pop_due(now) {
            match why {
                Why::ClientResends(id) => self.client_resends(now, id),
                Why::ClientEnds(id) => self.client_ends(id),
                Why::ServerResends(id) => self.server_resends(now, id),
                Why::ServerEnds(id) => self.forget_server(id),
            }
        }
    }

    pub(crate) fn next_wake(&self) -> Option<Moment> {
        self.alarms.next()
    }

    /// Whether there is something to tell.
    pub(crate) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// How many messages wait to be sent.
    pub(crate) fn transmits_waiting(&self) -> usize {
        self.transmits.len()
    }

    pub(crate) fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// How many client and server transactions live.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.clients.len(), self.servers.len())
    }

    /// How many timers are set.
    pub(crate) fn alarms_set(&self) -> usize {
        self.alarms.len()
    }

    /// Sends a datagram that belongs to no transaction.
    pub(crate) fn transmit(&mut self, to: Peer, bytes: Vec<u8>) {
        if self.transmits.len() >= MAX_TRANSMITS {
            self.transmits.pop_front();
        }
        self.transmits.push_back(Transmit { to, bytes });
    }

    /// A connection is gone. What was asked on it has failed; answers to what it brought go the way that the Via names,
    /// if `opens_connections` (RFC 3261 18.2.2), else nowhere.
    pub(crate) fn lose_flow(&mut self, flow: Peer, was_open: bool, reason: &str, opens_connections: bool) {
        self.fail_clients(was_open, reason, |to| to == flow);
        for server in self.servers.values_mut().filter(|_| opens_connections) {
            server.lose_flow(flow);
        }
    }

    /// The transactions whose request went to `to` and of which nothing was heard yet.
    pub(crate) fn unheard(&self, to: Peer) -> Vec<ClientId> {
        self.clients.iter().filter(|(_, client)| client.is_unheard(to)).map(|(id, _)| *id).collect()
    }

    /// Our address is another: answers to what was asked by datagrams go to the old one.
    pub(crate) fn lose_datagrams(&mut self, reason: &str) {
        self.fail_clients(true, reason, |to| !to.transport.is_reliable());
    }

    fn fail_clients(&mut self, was_open: bool, reason: &str, fails: impl Fn(Peer) -> bool) {
        let asked = self.clients.iter().filter(|(_, client)| client.awaits_answer().is_some_and(&fails));
        for id in asked.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.fail_client(id, was_open, reason);
        }
    }

    /// Whether any transaction still wants to hear or say something on that connection.
    pub(crate) fn has_use_for(&self, flow: Peer) -> bool {
        self.clients.values().any(|client| client.awaits_answer() == Some(flow))
            || self.servers.values().any(|server| server.owes_answer_to(flow))
    }

    fn next_number(&mut self) -> u64 {
        self.made_total += 1;
        self.made_total
    }
}

/// The ACK of a refusal (RFC 3261 17.1.1.3): the INVITE's branch, the refusal's To.
fn ack_of(invite: &Request, refusal: &Response) -> Request {
    let mut ack = in_the_steps_of(invite, Method::Ack);
    if let Some(to) = refusal.headers.get("To") {
        ack.headers.set("To", to);
    }
    ack
}

/// The CANCEL of an INVITE (RFC 3261 9.1): everything that names the transaction is the same.
pub(crate) fn cancel_of(invite: &Request) -> Request {
    in_the_steps_of(invite, Method::Cancel)
}

fn in_the_steps_of(invite: &Request, method: Method) -> Request {
    let mut request = Request::new(method.clone(), invite.uri.clone());
    if let Some(via) = invite.headers.get("Via") {
        request.headers.push("Via", via);
    }
    request.headers.push("Max-Forwards", "70");
    for name in ["From", "To", "Call-ID"] {
        if let Some(value) = invite.headers.get(name) {
            request.headers.push(name, value);
        }
    }
    let number = invite.headers.cseq().map_or(1, |(number, _)| number);
    request.headers.push("CSeq", format!("{number} {method}"));
    for route in invite.headers.get_all("Route") {
        request.headers.push("Route", route);
    }
    request
}
