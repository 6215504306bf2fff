//! Errands: requests of ours on their way, what each is for, and what happens with its answer.

use super::servers::{Trouble, Way};
use super::wallet::Answered;
use super::{
    AccountKey, CallKey, MAX_ERRANDS, ProbeKey, ReferKey, SentKey, SubscriptionKey, Transmit, UserAgent,
    WatcherKey,
};
use crate::sip::message::{Headers, Method, NameAddr, Request, Response, Scheme};
use crate::sip::transaction::{ClientId, Loss, News, cancel_of};
use crate::sip::{Moment, Peer, Transport};

/// The longest request that goes as a datagram where TCP may be used (RFC 3261 18.1.1: within 200 bytes of the path's
/// MTU, or 1300 where that is unknown).
const DATAGRAM_REQUEST_MAX: usize = 1300;

/// What a request of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Register(AccountKey),
    Invite(CallKey),
    /// PRACK in that branch of an INVITE.
    Prack(CallKey, u32),
    Reinvite(CallKey),
    /// An offer in that branch of a call that is not answered yet.
    EarlyOffer(CallKey, u32),
    /// UPDATE, INFO, REFER, or a REFER's NOTIFY inside a call: its wish in hand.
    Wish(CallKey),
    Bye(CallKey),
    /// CANCEL, or the BYE of a dialog that nobody wants: whatever is answered.
    Farewell,
    Subscribe(SubscriptionKey),
    Notify(WatcherKey),
    ReferNotify(ReferKey),
    /// A REFER outside of calls.
    Refer(ReferKey),
    Probe(ProbeKey, Moment),
    Ask(SentKey),
}

/// One request of ours whose final answer is awaited (of an INVITE: all its 2xx).
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) purpose: Purpose,
    pub(super) account: Option<AccountKey>,
    pub(super) to: Peer,
    pub(super) answered: Answered,
    /// Which other ways it may take.
    pub(super) way: Way,
    /// Servers that it was sent to in vain.
    pub(super) tried: Vec<Peer>,
    /// Whether its Contact is the one that we make, and so is made anew when it is sent again.
    pub(super) own_contact: bool,
    /// Whether it was sent a second time after the connection was lost.
    pub(super) reopened: bool,
    /// Whether it goes over TCP only because it is too long for a datagram.
    pub(super) grown: bool,
    /// The ACKs given to 2xx, by the far end's tag: repeated with them (RFC 3261 13.2.2.4).
    pub(super) acks: Vec<(String, Transmit)>,
}

impl Errand {
    fn new(purpose: Purpose, account: Option<AccountKey>, way: Way, to: Peer) -> Self {
        Self {
            purpose,
            account,
            to,
            answered: Answered::default(),
            way,
            tried: Vec::new(),
            own_contact: false,
            reopened: false,
            grown: false,
            acks: Vec::new(),
        }
    }

    /// The same for another attempt.
    pub(super) fn begun_again(&self) -> Self {
        let Self { purpose, account, to, way, own_contact, reopened, grown, .. } = *self;
        let (answered, tried) = (self.answered.clone(), self.tried.clone());
        Self { answered, tried, own_contact, reopened, grown, ..Self::new(purpose, account, way, to) }
    }
}

/// What came of an errand: the final answer, or silence told as 408.
pub(super) struct Answer {
    pub(super) from: Peer,
    pub(super) response: Response,
    /// True when nobody answered at all: 408, or 503 when there was no connection (RFC 3261 8.1.3.1).
    pub(super) silent: bool,
    /// The request that it answers, unless nobody answered.
    pub(super) asked: Option<Box<Request>>,
    /// True when the phrase is ours: it says more than the status.
    pub(super) reworded: bool,
}

/// What is said of a server whose proof (`rspauth`) is wrong.
pub(super) const UNPROVEN: &str = "the answer does not prove that the server knows the password";

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.response.status
    }

    pub(super) fn is_ok(&self) -> bool {
        (200..300).contains(&self.response.status)
    }

    /// Retry-After, in seconds.
    pub(super) fn retry_after_s(&self) -> Option<u64> {
        let value = self.response.headers.get("Retry-After")?;
        value.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// The far end's words for people: Warning (RFC 3261 20.43) or Reason (RFC 3326) where it used one, else the
    /// phrase.
    pub(super) fn words(&self) -> String {
        if self.silent {
            return self.response.reason.clone();
        }
        let headers = &self.response.headers;
        let quoted =
            |name| headers.get(name).and_then(|value| value.split('"').nth(1)).filter(|t| !t.is_empty());
        quoted("Warning").or_else(|| quoted("Reason")).unwrap_or(&self.response.reason).to_owned()
    }

    /// Says it in words of ours.
    pub(super) fn reword(&mut self, words: String) {
        self.response.headers.remove("Warning");
        self.response.headers.remove("Reason");
        self.response.reason = words;
        self.reworded = true;
    }

    fn silence(from: Peer) -> Self {
        Self::none(from, 408, "no answer")
    }

    /// There is no connection, as RFC 3261 8.1.3.1 wants it told.
    fn unreachable(from: Peer, reason: &str) -> Self {
        Self::none(from, 503, reason)
    }

    fn none(from: Peer, status: u16, reason: &str) -> Self {
        let (headers, body) = (Headers::new(), Vec::new());
        let response = Response { status, reason: reason.to_owned(), headers, body };
        Self { from, response, silent: true, asked: None, reworded: false }
    }
}

impl UserAgent {
    /// Sends a request on an errand. When there are too many transactions it is answered by silence at once.
    pub(super) fn send_errand(
        &mut self,
        now: Moment,
        purpose: Purpose,
        account: Option<AccountKey>,
        to: Peer,
        mut request: Request,
    ) -> ClientId {
        let (way, to) = self.way_of(purpose, account, to, &request);
        if let Way::Servers(key) = way {
            self.preload_route(key, &mut request);
        }
        self.add_known_credentials(account, to, &mut request);
        request.headers.push("User-Agent", self.config.product.clone());
        self.dispatch(now, Errand::new(purpose, account, way, to), request)
    }

    /// Sends a CANCEL, which keeps the Via of its INVITE.
    pub(super) fn send_cancelling(&mut self, now: Moment, to: Peer, cancel: Request) {
        let errand = Errand::new(Purpose::Farewell, None, Way::Fixed, to);
        let client = match self.may_go(now, &errand, &cancel) {
            Ok(()) => self.transactions.send(now, to, cancel),
            Err(reason) => self.transactions.refuse(to, cancel, reason),
        };
        self.errands.insert(client, errand);
    }

    fn dispatch(&mut self, now: Moment, mut errand: Errand, mut request: Request) -> ClientId {
        self.add_via(&mut request, errand.to);
        if self.outgrows_datagram(now, &errand, &request) {
            errand.grown = true;
            errand.to = Peer::new(Transport::Tcp, errand.to.address);
            self.add_via(&mut request, errand.to);
        }
        let to = errand.to;
        errand.own_contact = self.has_own_contact(&request, to);
        let client = match self.may_go(now, &errand, &request) {
            Ok(()) => self.transactions.send(now, to, request),
            Err(reason) => self.transactions.refuse(to, request, reason),
        };
        self.errands.insert(client, errand);
        client
    }

    fn has_own_contact(&self, request: &Request, to: Peer) -> bool {
        let Some(contact) = request.headers.get("Contact") else { return false };
        let user = NameAddr::parse(contact).and_then(|contact| contact.uri.user).unwrap_or_default();
        contact == self.contact(&user, to)
    }

    /// Whether a request may go there; a connection that it needs is asked for.
    fn may_go(&mut self, now: Moment, errand: &Errand, request: &Request) -> Result<(), &'static str> {
        let standing = errand.account.and_then(|key| self.accounts.get(&key));
        let sips = request.uri.scheme == Scheme::Sips || standing.is_some_and(|standing| standing.is_sips());
        if sips && errand.to.transport != Transport::Tls {
            return Err("sips: goes over TLS only");
        }
        let opens = self.opens_to(errand.to);
        self.flows.want(now, errand.to, errand.grown, opens)
    }

    /// Whether a request is too long for a datagram (RFC 3261 18.1.1), and may go over TCP.
    fn outgrows_datagram(&self, now: Moment, errand: &Errand, request: &Request) -> bool {
        let standing = errand.account.and_then(|key| self.accounts.get(&key));
        errand.to.transport == Transport::Udp
            && self.config.opens_connections
            && standing.is_some_and(|standing| standing.account.udp_to_tcp)
            && self.flows.takes_tcp(now, errand.to.address)
            && request.to_bytes().len() > DATAGRAM_REQUEST_MAX
    }

    /// A fresh Via on top.
    pub(super) fn add_via(&mut self, request: &mut Request, to: Peer) {
        request.headers.remove("Via");
        let via = self.fresh_via(to);
        request.headers.push_front("Via", via);
    }

    /// Whether there is room for one more errand that nobody else has counted.
    pub(super) fn has_room_for_errand(&self) -> bool {
        self.errands.len() < MAX_ERRANDS
    }

    /// Deals with everything that the transactions have to tell.
    pub(super) fn take_news(&mut self, now: Moment) {
        while let Some(news) = self.transactions.poll_news() {
            match news {
                News::Answered { client, from, response } => self.take_response(now, client, from, *response),
                News::TimedOut { client, to, request } => self.take_silence(now, client, to, &request),
                News::Failed { client, to, request, loss } => {
                    self.take_failure(now, client, to, &request, &loss);
                }
                News::Settled { client } => {
                    self.errands.remove(&client);
                }
            }
        }
    }

    fn take_silence(&mut self, now: Moment, client: ClientId, to: Peer, request: &Request) {
        let Some(errand) = self.errands.remove(&client) else { return };
        self.doubt_flow(now, to);
        if !self.try_elsewhere(now, &errand, request, Trouble::Silent) {
            self.conclude(now, errand.purpose, Answer::silence(errand.to));
        }
    }

    /// There is no connection. A call that was already ringing is not begun a second time: it is given up, there too.
    fn take_failure(&mut self, now: Moment, client: ClientId, to: Peer, request: &Request, loss: &Loss) {
        let Some(errand) = self.errands.remove(&client) else { return };
        let invite = matches!(errand.purpose, Purpose::Invite(_));
        let trouble = if loss.was_open { Trouble::Cut } else { Trouble::Unreachable };
        if invite && loss.heard {
            if self.opens_to(to) {
                self.send_cancelling(now, to, cancel_of(request));
            }
        } else if self.try_elsewhere(now, &errand, request, trouble) {
            return;
        }
        self.conclude(now, errand.purpose, Answer::unreachable(to, &loss.reason));
    }

    fn take_response(&mut self, now: Moment, client: ClientId, from: Peer, response: Response) {
        let Some(errand) = self.errands.get(&client) else { return };
        let purpose = errand.purpose;
        let invite = matches!(purpose, Purpose::Invite(_) | Purpose::Reinvite(_));
        match response.status {
            ..200 => {
                if let Purpose::Invite(call) = purpose {
                    self.take_progress(now, call, from, response);
                }
            }
            200..300 if invite => self.take_invite_ok(now, client, from, response),
            _ => {
                let Some(mut errand) = self.errands.remove(&client) else { return };
                if let Purpose::Register(account) = purpose {
                    self.learn_address(account, from, &response);
                }
                let asked = self.transactions.request_of(client).map(|(request, _)| request.clone());
                let Some(asked) = asked else { return };
                let mut answer = Answer { from, response, silent: false, asked: None, reworded: false };
                let busy = Trouble::Busy(answer.retry_after_s());
                if answer.status() == 503 && self.try_elsewhere(now, &errand, &asked, busy) {
                    return;
                }
                if matches!(answer.status(), 401 | 407) && self.wants_retry(purpose) {
                    match self.answer_challenge(&mut errand, from, &asked, &answer.response) {
                        Ok(request) => return self.send_again(now, errand, request),
                        Err(words) => words.into_iter().for_each(|words| answer.reword(words)),
                    }
                }
                let party = (errand.account, errand.to);
                if answer.is_ok() && !self.take_acknowledgement(party, from, &asked, &answer.response) {
                    answer.response.status = 403;
                    answer.reword(UNPROVEN.to_owned());
                }
                answer.asked = Some(Box::new(asked));
                self.conclude(now, purpose, answer);
            }
        }
    }

    /// Sends a request again that was challenged, or found no server, with the next number of its dialog (RFC 3261 22.2).
    pub(super) fn send_again(&mut self, now: Moment, errand: Errand, mut request: Request) {
        let purpose = errand.purpose;
        if errand.own_contact {
            let contact = request.headers.contacts().into_iter().next();
            let user = contact.and_then(|contact| contact.uri.user).unwrap_or_default();
            request.headers.set("Contact", self.contact(&user, errand.to));
        }
        if let Purpose::Register(account) = purpose {
            // The refusal may have said from where we are seen to come.
            self.write_contacts(account, errand.to, &mut request.headers);
        }
        let old = request.headers.cseq().map_or(0, |(number, _)| number);
        let number = self.next_cseq(purpose, old);
        request.headers.set("CSeq", format!("{number} {}", request.method));
        let client = self.dispatch(now, errand, request);
        match purpose {
            Purpose::Invite(call) | Purpose::Reinvite(call) => self.moved_invite(call, client),
            Purpose::Wish(call) => self.moved_wish(call, number),
            _ => {}
        }
        if let Purpose::Subscribe(key) = purpose {
            self.pace.count(now, key);
        }
    }

    pub(super) fn next_cseq(&mut self, purpose: Purpose, old: u32) -> u32 {
        let dialog = match purpose {
            Purpose::Invite(call) | Purpose::Reinvite(call) | Purpose::Wish(call) | Purpose::Bye(call) => {
                self.calls.get_mut(&call).map(|call| &mut call.dialog)
            }
            Purpose::EarlyOffer(call, branch) => {
                self.calls.get_mut(&call).and_then(|call| call.dialog_of_branch(branch))
            }
            Purpose::Prack(call, fork) => self.calls.get_mut(&call).and_then(|call| call.dialog_of(fork)),
            Purpose::Subscribe(key) => self.subscriptions.get_mut(&key).map(|s| &mut s.dialog),
            Purpose::Notify(key) => self.watchers.get_mut(&key).map(|w| &mut w.dialog),
            Purpose::ReferNotify(key) | Purpose::Refer(key) => {
                self.refers.get_mut(&key).and_then(|r| r.own_dialog_mut())
            }
            Purpose::Register(key) => {
                return self.accounts.get_mut(&key).map_or(old + 1, |s| s.registration.next_cseq());
            }
            Purpose::Farewell | Purpose::Probe(..) | Purpose::Ask(_) => None,
        };
        match dialog {
            Some(dialog) => {
                dialog.local_cseq = dialog.local_cseq.saturating_add(1);
                dialog.local_cseq
            }
            None => old.saturating_add(1),
        }
    }

    /// Hands the final answer to whoever sent the errand.
    fn conclude(&mut self, now: Moment, purpose: Purpose, answer: Answer) {
        match purpose {
            Purpose::Register(account) => self.conclude_register(now, account, answer),
            Purpose::Invite(call) => self.conclude_invite(now, call, answer),
            Purpose::Reinvite(call) => self.conclude_reinvite(now, call, answer),
            Purpose::EarlyOffer(call, branch) => self.conclude_early_offer(now, call, branch, answer),
            Purpose::Wish(call) => self.conclude_wish(now, call, answer),
            Purpose::Bye(call) => self.conclude_bye(call),
            // A branch that does not take its PRACK repeats itself, or gives up.
            Purpose::Farewell | Purpose::Prack(..) => {}
            Purpose::Refer(key) => self.conclude_refer(now, key, &answer),
            Purpose::Subscribe(key) => self.conclude_subscribe(now, key, answer),
            Purpose::Notify(key) => self.conclude_notify(now, key, answer),
            Purpose::ReferNotify(key) => self.conclude_refer_notify(now, key, answer),
            Purpose::Probe(key, sent) => self.conclude_probe(now, key, sent, answer),
            Purpose::Ask(key) => self.conclude_ask(key, answer),
        }
    }

    /// A request outside any dialog: From tag and Call-ID of its own, CSeq 1.
    pub(super) fn outside_request(
        &mut self,
        method: Method,
        target: crate::sip::message::Uri,
        from: crate::sip::message::NameAddr,
    ) -> Request {
        let mut request = Request::new(method.clone(), target.clone());
        let from = from.with_tag(&self.token());
        let call_id = self.long_token();
        request.headers.push("Max-Forwards", "70");
        request.headers.push("From", from.to_string());
        request.headers.push("To", crate::sip::message::NameAddr::new(bare(target)).to_string());
        request.headers.push("Call-ID", call_id);
        request.headers.push("CSeq", format!("1 {method}"));
        request
    }
}

/// A target as it may stand in To: without `?headers`.
pub(super) fn bare(mut target: crate::sip::message::Uri) -> crate::sip::message::Uri {
    target.headers.clear();
    target
}
