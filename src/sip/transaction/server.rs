//! Server transactions: INVITE (RFC 3261 17.2.1, RFC 6026 7.1) and the others (17.2.2).

use super::timers::{I, LIMIT, T1, T2};
use super::{Arrival, MAX_SERVERS, ServerId, Transactions, Why};
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::alarms::Alarm;
use crate::sip::message::{Method, Request, Response, Via};
use std::net::SocketAddr;
use std::time::Duration;

/// How far a server transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not yet answered finally.
    Proceeding,
    /// Answered; an INVITE: refused, and the refusal is repeated until its ACK.
    Completed,
    /// An INVITE refused, and the ACK has come.
    Confirmed,
    /// An INVITE with a 2xx, which the user repeats.
    Accepted,
}

#[derive(Debug)]
pub(super) struct Server {
    state: State,
    invite: bool,
    to: Peer,
    /// Where answers go when the connection is gone: the address it came from and the port of Via (RFC 3261 18.2.2).
    way_back: Option<Peer>,
    branch: String,
    origin: Option<String>,
    last: Vec<u8>,
    interval: Duration,
    resend: Option<Alarm>,
    end: Option<Alarm>,
}

impl Server {
    /// The connection is gone by which the request came.
    pub(super) fn lose_flow(&mut self, flow: Peer) {
        if self.to == flow
            && let Some(way_back) = self.way_back
        {
            self.to = way_back;
        }
    }

    pub(super) fn owes_answer_to(&self, flow: Peer) -> bool {
        self.to == flow && self.state == State::Proceeding
    }
}

impl Transactions {
    /// Says what an incoming request is; deals with repetitions.
    pub(crate) fn receive_request(&mut self, now: Moment, from: Peer, request: &Request) -> Arrival {
        match request.method {
            Method::Ack => return self.receive_ack(now, from, request),
            Method::Cancel => {
                let invite = self.server_by_branch.get(&branch_key(from, request, &Method::Invite));
                return invite.map_or(Arrival::New, |id| Arrival::Cancels(*id));
            }
            _ => {}
        }
        if let Some(id) = self.server_by_branch.get(&branch_key(from, request, &request.method)).copied() {
            self.receive_repetition(id);
            return Arrival::Absorbed;
        }
        let merged = origin_key(request).is_some_and(|origin| self.server_by_origin.contains_key(&origin));
        if merged { Arrival::Merged } else { Arrival::New }
    }

    /// Opens a transaction for a new request; `None` when there are too many.
    pub(crate) fn open(&mut self, to: Peer, request: &Request) -> Option<ServerId> {
        if self.servers.len() >= MAX_SERVERS && !self.forget_oldest_answered() {
            return None;
        }
        let id = ServerId(self.next_number());
        let branch = branch_key(to, request, &request.method);
        let origin = origin_key(request);
        self.server_by_branch.insert(branch.clone(), id);
        if let Some(origin) = &origin {
            self.server_by_origin.insert(origin.clone(), id);
        }
        let server = Server {
            state: State::Proceeding,
            invite: request.method == Method::Invite,
            to,
            way_back: way_back(to, request),
            branch,
            origin,
            last: Vec::new(),
            interval: T1,
            resend: None,
            end: None,
        };
        self.servers.insert(id, server);
        Some(id)
    }

    /// Sends a response and keeps it for repetitions. Without effect once a final one was given.
    pub(crate) fn respond(&mut self, now: Moment, id: ServerId, response: &Response) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        if server.state != State::Proceeding {
            return;
        }
        server.last = response.to_bytes();
        server.last.shrink_to_fit();
        let (to, bytes) = (server.to, server.last.clone());
        match response.status {
            ..200 => {}
            200..300 if server.invite => {
                server.state = State::Accepted;
                server.end = Some(self.alarms.set(now + LIMIT, Why::ServerEnds(id)));
            }
            _ => {
                server.state = State::Completed;
                // Timer H is for both kinds of transport, G for datagrams; J is zero over a stream.
                let reliable = to.transport.is_reliable();
                let linger = if reliable && !server.invite { Duration::ZERO } else { LIMIT };
                server.end = Some(self.alarms.set(now + linger, Why::ServerEnds(id)));
                if server.invite && !reliable {
                    server.resend = Some(self.alarms.set(now + T1, Why::ServerResends(id)));
                } else if !server.invite {
                    self.answered.push_back(id);
                }
            }
        }
        if response.status >= 200 {
            self.forget_origin(id);
        }
        self.transmit(to, bytes);
    }

    /// Sends a provisional response and keeps it, if nothing was answered yet.
    pub(crate) fn respond_first(&mut self, id: ServerId, provisional: &Response) {
        let Some(server) = self.servers.get_mut(&id).filter(|server| server.last.is_empty()) else { return };
        server.last = provisional.to_bytes();
        let (to, bytes) = (server.to, server.last.clone());
        self.transmit(to, bytes);
    }

    /// Once it is answered, the same request by another way is no longer merged with this one.
    fn forget_origin(&mut self, id: ServerId) {
        let Some(origin) = self.servers.get_mut(&id).and_then(|server| server.origin.take()) else { return };
        if self.server_by_origin.get(&origin) == Some(&id) {
            self.server_by_origin.remove(&origin);
        }
    }

    /// Sends the last response once more: the 2xx to an INVITE is its user's to repeat (RFC 3261 13.3.1.4).
    pub(crate) fn repeat_last(&mut self, id: ServerId) {
        if let Some(server) = self.servers.get(&id).filter(|server| !server.last.is_empty()) {
            let (to, bytes) = (server.to, server.last.clone());
            self.transmit(to, bytes);
        }
    }

    /// The last response, as it was sent.
    pub(crate) fn last_response(&self, id: ServerId) -> Option<&[u8]> {
        self.servers.get(&id).map(|server| &server.last[..]).filter(|last| !last.is_empty())
    }

    fn receive_repetition(&mut self, id: ServerId) {
        let answerable = |server: &Server| matches!(server.state, State::Proceeding | State::Completed);
        if self.servers.get(&id).is_some_and(answerable) {
            self.repeat_last(id);
        }
    }

    fn receive_ack(&mut self, now: Moment, from: Peer, request: &Request) -> Arrival {
        let id = self.server_by_branch.get(&branch_key(from, request, &Method::Invite)).copied();
        let Some((id, server)) = id.and_then(|id| Some((id, self.servers.get_mut(&id)?))) else {
            return Arrival::New;
        };
        match server.state {
            State::Completed => {
                server.state = State::Confirmed;
                self.alarms.cancel(&mut server.resend);
                let linger = if server.to.transport.is_reliable() { Duration::ZERO } else { I };
                self.alarms.reset(&mut server.end, now + linger, Why::ServerEnds(id));
                Arrival::Absorbed
            }
            State::Confirmed => Arrival::Absorbed,
            // Some phones give the ACK of a 2xx the INVITE's branch: it's the user's all the same.
            State::Proceeding | State::Accepted => Arrival::New,
        }
    }

    /// Timer G.
    pub(super) fn server_resends(&mut self, now: Moment, id: ServerId) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        server.interval = (server.interval * 2).min(T2);
        server.resend = Some(self.alarms.set(now + server.interval, Why::ServerResends(id)));
        self.repeat_last(id);
    }

    /// Timers H, I, J and L, and for a user who will never answer.
    pub(crate) fn forget_server(&mut self, id: ServerId) {
        self.forget_origin(id);
        let Some(mut server) = self.servers.remove(&id) else { return };
        self.alarms.cancel(&mut server.resend);
        self.alarms.cancel(&mut server.end);
        self.server_by_branch.remove(&server.branch);
        while self.answered.front().is_some_and(|oldest| !self.servers.contains_key(oldest)) {
            self.answered.pop_front();
        }
    }

    fn forget_oldest_answered(&mut self) -> bool {
        while let Some(id) = self.answered.pop_front() {
            if self.servers.contains_key(&id) {
                self.forget_server(id);
                return true;
            }
        }
        false
    }
}

/// Where an answer goes when the connection that brought the request is gone.
fn way_back(from: Peer, request: &Request) -> Option<Peer> {
    let via = request.headers.via().filter(|_| from.transport.is_reliable())?;
    let port = via.port.unwrap_or(from.transport.default_port());
    (port != 0).then(|| Peer::new(from.transport, SocketAddr::new(from.ip(), port)))
}

/// RFC 3261 17.2.3: branch, sent-by and method, and the transport, since what comes over another one is no repetition; for a branch of the old kind, everything that repeats with the request.
fn branch_key(from: Peer, request: &Request, method: &Method) -> String {
    let via = request.headers.via();
    let transport = from.transport.uri_word();
    match &via {
        Some(Via { host, port, .. }) if has_magic(&via) => {
            let branch = via.as_ref().and_then(Via::branch).unwrap_or_default();
            format!("{transport} {branch} {}:{} {method}", host.to_ascii_lowercase(), port.unwrap_or(5060))
        }
        _ => {
            let number = request.headers.cseq().map_or(0, |(number, _)| number);
            let via = via.map(|mut via| {
                via.params.remove("received");
                via.params.remove("rport");
                via.to_string()
            });
            let from = request.headers.from().and_then(|from| from.tag().map(str::to_owned));
            let call_id = request.headers.call_id().unwrap_or_default();
            format!("{transport} {} {number} {method} {call_id} {from:?} {via:?}", request.uri)
        }
    }
}

fn has_magic(via: &Option<Via>) -> bool {
    via.as_ref().and_then(Via::branch).is_some_and(|b| b.len() > 7 && b.starts_with(Via::MAGIC))
}

/// What a request outside a dialog keeps on every way that it takes: From tag, Call-ID, CSeq.
fn origin_key(request: &Request) -> Option<String> {
    let headers = &request.headers;
    if headers.to()?.tag().is_some() {
        return None;
    }
    let (number, method) = headers.cseq()?;
    let from = headers.from()?;
    Some(format!("{} {number} {method} {}", headers.call_id()?, from.tag().unwrap_or_default()))
}

#[cfg(test)]
impl Transactions {
    /// State, and when the timers that resend and end go off (for the table of transitions).
    pub(super) fn server_stands(&self, id: ServerId) -> Option<(String, Option<Moment>, Option<Moment>)> {
        let server = self.servers.get(&id)?;
        let trying = server.state == State::Proceeding && server.last.is_empty();
        let state = if trying { "Trying".to_owned() } else { format!("{:?}", server.state) };
        Some((state, server.resend.map(Alarm::at), server.end.map(Alarm::at)))
    }
}
