//! Client transactions: INVITE (RFC 3261 17.1.1, RFC 6026 7.2) and the others (17.1.2).

use super::timers::{D, K, LIMIT, T1, T2};
use super::{ClientId, MAX_CLIENTS, News, Transactions, Why, ack_of};
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

impl Transactions {
    /// Sends a request, whose topmost Via carries a fresh branch, and repeats it as its method wants.
    pub(crate) fn send(&mut self, now: Moment, to: Peer, request: Request) -> ClientId {
        let id = ClientId(self.next_number());
        if self.clients.len() >= MAX_CLIENTS {
            self.news.push_back(News::TimedOut { client: id });
            return id;
        }
        let branch =
            request.headers.via().and_then(|via| via.branch().map(str::to_owned)).unwrap_or_default();
        let bytes = request.to_bytes();
        self.transmit(to, bytes.clone());
        let resend = Some(self.alarms.set(now + T1, Why::ClientResends(id)));
        let end = Some(self.alarms.set(now + LIMIT, Why::ClientEnds(id)));
        self.client_by_branch.insert((branch.clone(), request.method.clone()), id);
        let state = State::Trying;
        let client = Client { state, to, request, branch, bytes, ack: Vec::new(), interval: T1, resend, end };
        self.clients.insert(id, client);
        id
    }

    /// The request of a transaction that lives, and where it went.
    pub(crate) fn request_of(&self, id: ClientId) -> Option<(&Request, Peer)> {
        self.clients.get(&id).map(|client| (&client.request, client.to))
    }

    /// Takes a response; one that belongs to no transaction is dropped.
    pub(crate) fn receive_response(&mut self, now: Moment, from: Peer, response: Response) {
        let Some(id) = self.client_of(&response) else { return };
        let Some(client) = self.clients.get_mut(&id) else { return };
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
                self.finish_client(now, id, if invite { D } else { K });
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
            Some(State::Trying | State::Proceeding) => self.news.push_back(News::TimedOut { client: id }),
            Some(State::Accepted) => self.news.push_back(News::Settled { client: id }),
            Some(State::Completed) | None => {}
        }
        self.forget_client(id);
    }

    /// Forgets a transaction at once, and whatever may still come for it.
    pub(crate) fn forget_client(&mut self, id: ClientId) {
        if let Some(mut client) = self.clients.remove(&id) {
            self.alarms.cancel(&mut client.resend);
            self.alarms.cancel(&mut client.end);
            self.client_by_branch.remove(&(client.branch, client.request.method));
        }
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
