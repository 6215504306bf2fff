//! Client transactions: INVITE (RFC 3261 17.1.1, RFC 6026 7.2) and the others (17.1.2).

use super::timers::{D, K, LIMIT, T1, T2};
use super::{ClientId, Loss, MAX_CLIENTS, News, Transactions, Why, ack_of};
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::alarms::Alarm;
use crate::sip::message::{Method, Request, Response};
use std::time::Duration;

/// How far a client transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calling or Trying: nothing was heard.
    Trying,
    /// A provisional response was heard.
    Proceeding,
    /// Refused, or (not INVITE) answered: repetitions are absorbed.
    Completed,
    /// An INVITE with a 2xx: every further one goes up.
    Accepted,
}

#[derive(Debug)]
pub(super) struct Client {
    state: State,
    to: Peer,
    request: Request,
    branch: String,
    bytes: Vec<u8>,
    ack: Vec<u8>,
    interval: Duration,
    resend: Option<Alarm>,
    end: Option<Alarm>,
}

impl Client {
    /// From where a final answer is still awaited.
    pub(super) fn awaits_answer(&self) -> Option<Peer> {
        matches!(self.state, State::Trying | State::Proceeding).then_some(self.to)
    }

    /// Whether it was asked there, and nothing came back yet.
    pub(super) fn is_unheard(&self, to: Peer) -> bool {
        self.state == State::Trying && self.to == to
    }
}

impl Transactions {
    /// Sends a request, whose topmost Via carries a fresh branch, and repeats it as its method wants.
    pub(crate) fn send(&mut self, now: Moment, to: Peer, request: Request) -> ClientId {
        let id = ClientId(self.next_number());
        if self.clients.len() >= MAX_CLIENTS {
            self.news.push_back(News::TimedOut { client: id, to, request: Box::new(request) });
            return id;
        }
        let branch =
            request.headers.via().and_then(|via| via.branch().map(str::to_owned)).unwrap_or_default();
        let bytes = request.to_bytes();
        self.transmit(to, bytes.clone());
        // Timers A and E are for datagrams only.
        let repeats = !to.transport.is_reliable();
        let resend = repeats.then(|| self.alarms.set(now + T1, Why::ClientResends(id)));
        let end = Some(self.alarms.set(now + LIMIT, Why::ClientEnds(id)));
        self.client_by_branch.insert((branch.clone(), request.method.clone()), id);
        let state = State::Trying;
        let client = Client { state, to, request, branch, bytes, ack: Vec::new(), interval: T1, resend, end };
        self.clients.insert(id, client);
        id
    }

    /// A request that can't even be sent: it has failed before it began.
    pub(crate) fn refuse(&mut self, to: Peer, request: Request, reason: &str) -> ClientId {
        let client = ClientId(self.next_number());
        let loss = Loss { was_open: false, heard: false, reason: reason.to_owned() };
        self.news.push_back(News::Failed { client, to, request: Box::new(request), loss });
        client
    }

    /// The request of a transaction that lives, and where it went.
    pub(crate) fn request_of(&self, id: ClientId) -> Option<(&Request, Peer)> {
        self.clients.get(&id).map(|client| (&client.request, client.to))
    }

    /// Takes a response; one that belongs to no transaction is dropped.
    pub(crate) fn receive_response(&mut self, now: Moment, from: Peer, response: Response) {
        let Some(id) = self.client_of(&response) else { return };
        let Some(client) = self.clients.get_mut(&id) else { return };
        if client.to.transport != from.transport {
            // Nobody answers over another transport than he was asked over (RFC 3261 18.2.2): a datagram with a branch
            // that was seen somewhere is no answer to what went over TLS.
            return;
        }
        let reliable = from.transport.is_reliable();
        let invite = client.request.method == Method::Invite;
        let class = response.status / 100;
        match (client.state, class) {
            (State::Trying, 1) => {
                client.state = State::Proceeding;
                if invite {
                    // Timers A and B stop: from here on the far end decides.
                    self.alarms.cancel(&mut client.resend);
                    self.alarms.cancel(&mut client.end);
                } else {
                    client.interval = T2;
                }
            }
            (State::Proceeding, 1) => {}
            (State::Trying | State::Proceeding, 2) if invite => {
                client.state = State::Accepted;
                self.finish_client(now, id, LIMIT);
            }
            (State::Accepted, 2) => {}
            (State::Trying | State::Proceeding, 2..) => {
                client.state = State::Completed;
                if invite {
                    client.ack = ack_of(&client.request, &response).to_bytes();
                    self.repeat_ack(id);
                }
                let linger = if invite { D } else { K };
                self.finish_client(now, id, if reliable { Duration::ZERO } else { linger });
            }
            (State::Completed, 3..) if invite => return self.repeat_ack(id),
            _ => return,
        }
        self.news.push_back(News::Answered { client: id, from, response: Box::new(response) });
    }

    /// RFC 3261 17.1.3: the branch, and the method since a CANCEL shares its INVITE's branch.
    fn client_of(&self, response: &Response) -> Option<ClientId> {
        let branch = response.headers.via()?.branch()?.to_owned();
        let (_, method) = response.headers.cseq()?;
        self.client_by_branch.get(&(branch, method)).copied()
    }

    /// A final answer came: no more repeating; what still arrives is known for `linger`.
    fn finish_client(&mut self, now: Moment, id: ClientId, linger: Duration) {
        if let Some(client) = self.clients.get_mut(&id) {
            self.alarms.cancel(&mut client.resend);
            self.alarms.reset(&mut client.end, now + linger, Why::ClientEnds(id));
            client.bytes = Vec::new();
        }
    }

    fn repeat_ack(&mut self, id: ClientId) {
        if let Some(client) = self.clients.get(&id) {
            let (to, bytes) = (client.to, client.ack.clone());
            self.transmit(to, bytes);
        }
    }

    /// Timers A and E.
    pub(super) fn client_resends(&mut self, now: Moment, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let invite = client.request.method == Method::Invite;
        let doubled = client.interval * 2;
        client.interval = if invite { doubled } else { doubled.min(T2) };
        client.resend = Some(self.alarms.set(now + client.interval, Why::ClientResends(id)));
        let (to, bytes) = (client.to, client.bytes.clone());
        self.transmit(to, bytes);
    }

    /// Timers B, F and M tell the user; D and K end silently.
    pub(super) fn client_ends(&mut self, id: ClientId) {
        match self.clients.get(&id).map(|client| client.state) {
            Some(State::Trying | State::Proceeding) => {
                if let Some(Client { to, request, .. }) = self.take_client(id) {
                    self.news.push_back(News::TimedOut { client: id, to, request: Box::new(request) });
                }
            }
            Some(State::Accepted) => self.news.push_back(News::Settled { client: id }),
            Some(State::Completed) | None => {}
        }
        self.forget_client(id);
    }

    /// The connection is gone on which this was asked.
    pub(super) fn fail_client(&mut self, id: ClientId, was_open: bool, reason: &str) {
        if let Some(Client { to, request, state, .. }) = self.take_client(id) {
            let loss = Loss { was_open, heard: state == State::Proceeding, reason: reason.to_owned() };
            self.news.push_back(News::Failed { client: id, to, request: Box::new(request), loss });
        }
    }

    /// Forgets a transaction at once, and whatever may still come for it.
    pub(crate) fn forget_client(&mut self, id: ClientId) {
        self.take_client(id);
    }

    fn take_client(&mut self, id: ClientId) -> Option<Client> {
        let mut client = self.clients.remove(&id)?;
        self.alarms.cancel(&mut client.resend);
        self.alarms.cancel(&mut client.end);
        self.client_by_branch.remove(&(client.branch.clone(), client.request.method.clone()));
        Some(client)
    }
}

#[cfg(test)]
impl Transactions {
    /// State, and when the timers that resend and end go off (for the table of transitions).
    pub(super) fn client_stands(&self, id: ClientId) -> Option<(String, Option<Moment>, Option<Moment>)> {
        let client = self.clients.get(&id)?;
        Some((format!("{:?}", client.state), client.resend.map(Alarm::at), client.end.map(Alarm::at)))
    }
}
