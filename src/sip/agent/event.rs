//! What the agent tells its owner, and the plain data that goes with it.

use super::keys::{
    AccountKey, CallKey, ProbeKey, ReferKey, RequestKey, SentKey, SubscriptionKey, WatcherKey,
};
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::message::{Headers, NameAddr, Request};
use std::time::Duration;

/// A message to be sent: as one datagram, or on the connection to `to`, which is opened if there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: Peer,
    /// One whole SIP message, or a keep-alive.
    pub bytes: Vec<u8>,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// We did: `hang_up`, `reject`, or a limit of ours.
    Local,
    /// The far end did: BYE, CANCEL, or a refusal of our INVITE.
    Remote,
    /// Nobody answered in time, or the far end no longer knows the dialog.
    Timeout,
}

/// Why a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndCause {
    /// Who ended it.
    pub by: EndedBy,
    /// The final status, if one was sent or received; for BYE and CANCEL the `SIP` cause of a Reason header.
    pub status: Option<u16>,
    /// In words, as the network gave them (untrusted), else ours.
    pub reason: String,
}

/// The three words that name a dialog (RFC 3261 12), as we see it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The far end's tag.
    pub remote_tag: String,
}

/// How many of everything an agent keeps: all zero when nothing is left over. Accounts are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Client transactions (RFC 3261 17.1).
    pub client_transactions: usize,
    /// Server transactions (RFC 3261 17.2).
    pub server_transactions: usize,
    /// Calls, those included that have ended but are not yet forgotten.
    pub calls: usize,
    /// Entries in the table of dialogs.
    pub dialogs: usize,
    /// Subscriptions of ours.
    pub subscriptions: usize,
    /// Watchers.
    pub watchers: usize,
    /// REFERs, sent and received.
    pub refers: usize,
    /// Incoming requests that await the owner.
    pub requests: usize,
    /// Requests of ours whose final answer is awaited.
    pub errands: usize,
    /// Timers that are set, those of registrations included, those of connections not.
    pub alarms: usize,
    /// Connections, those included that are being opened.
    pub flows: usize,
}

/// What happened. Everything inside that came from the network is untrusted text.
#[derive(Clone, Debug)]
pub enum Event {
    /// A REGISTER was granted, the first or a refresh.
    Registered {
        /// Of which account.
        account: AccountKey,
        /// For how long, as the registrar said.
        expires_s: u32,
    },
    /// A REGISTER failed.
    RegistrationFailed {
        /// Which server was asked last.
        server: Peer,
        /// Of which account.
        account: AccountKey,
        /// The status; `None` when nobody answered.
        status: Option<u16>,
        /// In words.
        reason: String,
        /// When it will be tried again by itself.
        retry_in: Option<Duration>,
    },
    /// An `unregister` is done, answered or not.
    Unregistered {
        /// Of which account.
        account: AccountKey,
    },
    /// An INVITE outside a dialog; 100 is sent. The owner decides: `ring`, `accept`, `reject`.
    CallReceived {
        /// The new call.
        call: CallKey,
        /// Its source.
        from: Peer,
        /// The INVITE; an empty body asks us to offer (the answer comes as `OfferAnswered`).
        request: Box<Request>,
    },
    /// A provisional response other than 100 to our INVITE.
    CallProgress {
        /// Which call.
        call: CallKey,
        /// The branch that it came from, from 1 (a proxy may ring several); 0 if it named none.
        fork: u32,
        /// 101 to 199.
        status: u16,
        /// Of the response.
        headers: Box<Headers>,
        /// Early media.
        sdp: Option<Vec<u8>>,
    },
    /// Our INVITE was answered with 3xx and is on its way to another place.
    CallRedirected {
        /// Which call.
        call: CallKey,
        /// Where to.
        to: Box<NameAddr>,
        /// The status that led there.
        status: u16,
    },
    /// Our INVITE was answered with 3xx, which isn't followed here (`UaConfig::follows_redirects`): where it leads, the
    /// most wished for first, at most five. The call's end follows.
    CallMoved {
        /// Which call.
        call: CallKey,
        /// Where to; headers and methods in the URIs are left out.
        places: Vec<NameAddr>,
        /// The status that said so.
        status: u16,
    },
    /// A 2xx to our INVITE; the ACK is sent.
    CallAnswered {
        /// Which call.
        call: CallKey,
        /// The branch that answered, as in `CallProgress`; 0 if it had not been heard before.
        fork: u32,
        /// Of the response.
        headers: Box<Headers>,
        /// The answer to our offer.
        sdp: Option<Vec<u8>>,
    },
    /// The ACK to our 2xx arrived.
    CallConfirmed {
        /// Which call.
        call: CallKey,
    },
    /// Exactly once for each call, and its last event (those of a REFER may follow: it has its own key).
    CallEnded {
        /// Which call.
        call: CallKey,
        /// Why.
        cause: EndCause,
    },
    /// A re-INVITE or UPDATE with an offer: reply with `answer_offer`. An empty `sdp` asks us to offer.
    OfferReceived {
        /// Which call.
        call: CallKey,
        /// The offer.
        sdp: Vec<u8>,
        /// Of the request.
        headers: Box<Headers>,
    },
    /// The answer to an offer of ours (`reoffer`, or a 2xx of ours to an INVITE without an offer).
    OfferAnswered {
        /// Which call.
        call: CallKey,
        /// The answer.
        sdp: Vec<u8>,
    },
    /// An offer of ours was refused; the session is as it was before.
    OfferFailed {
        /// Which call.
        call: CallKey,
        /// The status, 408 when nobody answered.
        status: u16,
        /// In words.
        reason: String,
    },
    /// An UPDATE or re-INVITE with P-Asserted-Identity or Remote-Party-ID.
    IdentityChanged {
        /// Which call.
        call: CallKey,
        /// Of the request.
        headers: Box<Headers>,
    },
    /// An INFO, already answered 200.
    InfoReceived {
        /// Which call.
        call: CallKey,
        /// Its Content-Type.
        content_type: String,
        /// Its body.
        body: Vec<u8>,
    },
    /// Our REFER has gone out (it may have waited for something else in its call).
    ReferSent {
        /// Which REFER.
        refer: ReferKey,
    },
    /// A 2xx to our REFER. Proves nothing yet. (A NOTIFY that overtakes it shows as progress before it.)
    ReferAccepted {
        /// In which call; `None` outside of any.
        call: Option<CallKey>,
        /// Which REFER.
        refer: ReferKey,
        /// 200 or 202.
        status: u16,
        /// Of the response.
        headers: Box<Headers>,
    },
    /// Our REFER was refused, or never sent; its last event.
    ReferRefused {
        /// In which call; `None` outside of any.
        call: Option<CallKey>,
        /// Which REFER.
        refer: ReferKey,
        /// The status, 408 when nobody answered, 487 when the call ended first.
        status: u16,
        /// In words.
        reason: String,
    },
    /// What became of our REFER, as the far end says (sipfrag).
    ReferProgress {
        /// In which call; `None` outside of any.
        call: Option<CallKey>,
        /// Which REFER.
        refer: ReferKey,
        /// The status inside the sipfrag; 408 when the far end fell silent.
        status: u16,
        /// Its phrase.
        reason: String,
        /// True for the last one.
        ended: bool,
    },
    /// Somebody asks us to call somebody: reply with `answer_refer`. Never acted upon by itself.
    ReferReceived {
        /// In which call; `None` outside of any.
        call: Option<CallKey>,
        /// Its key.
        refer: ReferKey,
        /// The REFER.
        request: Box<Request>,
        /// Its source.
        from: Peer,
    },
    /// A NOTIFY with a body, in order and from the right server.
    Notified {
        /// Which subscription.
        subscription: SubscriptionKey,
        /// Its Content-Type.
        content_type: String,
        /// Its body.
        body: Vec<u8>,
        /// Of the NOTIFY.
        headers: Box<Headers>,
    },
    /// The server tells us from now on (again).
    SubscriptionActive {
        /// Which subscription.
        subscription: SubscriptionKey,
        /// For how long until the next refresh is due.
        expires_s: u32,
    },
    /// The server has confirmed by a refresh that it still tells us.
    SubscriptionRefreshed {
        /// Which subscription.
        subscription: SubscriptionKey,
        /// For how long until the next refresh is due.
        expires_s: u32,
    },
    /// A NOTIFY that nobody asked for, from the server of an account: answered 200, and of no consequence to the agent.
    NotifiedUnasked {
        /// The account.
        account: AccountKey,
        /// The event package, without parameters, in small letters.
        event: String,
        /// Its Content-Type.
        content_type: String,
        /// Its body.
        body: Vec<u8>,
    },
    /// What was heard no longer holds; it is being subscribed to again.
    SubscriptionStale {
        /// Which subscription.
        subscription: SubscriptionKey,
        /// When the server was last heard about it.
        since: Moment,
    },
    /// The server won't tell us; asked again slowly.
    SubscriptionRefused {
        /// Which subscription.
        subscription: SubscriptionKey,
        /// The status.
        status: u16,
        /// In words.
        reason: String,
    },
    /// A watcher has refreshed: notify the full state again.
    WatcherRefreshed {
        /// Which watcher.
        watcher: WatcherKey,
    },
    /// A watcher is gone: it unsubscribed, expired, or can't be reached. Its last event.
    WatcherLeft {
        /// Which watcher.
        watcher: WatcherKey,
    },
    /// A request outside a dialog: reply with `answer`, or `admit_watcher`.
    RequestReceived {
        /// Its key.
        key: RequestKey,
        /// Its source.
        from: Peer,
        /// The request.
        request: Box<Request>,
    },
    /// Somebody answered our OPTIONS: alive, whatever the status.
    ProbeAnswered {
        /// Which probe.
        probe: ProbeKey,
        /// The status.
        status: u16,
        /// From sending to the answer.
        round_trip: Duration,
    },
    /// Nobody answered our OPTIONS.
    ProbeLost {
        /// Which probe.
        probe: ProbeKey,
    },
    /// The final answer to `request()`.
    RequestAnswered {
        /// Which request.
        sent: SentKey,
        /// The status; 408 when nobody answered.
        status: u16,
        /// In words.
        reason: String,
        /// Of the response; empty when nobody answered.
        headers: Box<Headers>,
        /// Of the response.
        body: Vec<u8>,
    },
    /// All servers of an account failed, or their list is old: look their names up again and tell `set_servers`. Nothing
    /// stops meanwhile.
    ServersWanted {
        /// Of which account.
        account: AccountKey,
    },
    /// The connection over which an account was registered is gone. It comes back by itself, and with it registration and
    /// subscriptions.
    FlowLost {
        /// Of which account.
        account: AccountKey,
        /// In words.
        reason: String,
    },
    /// We are reached at another address than before: give this running call a new description (`reoffer`), with the
    /// address at which media now arrives. Its re-INVITE tells the far end the new Contact as well.
    MediaAddressWanted {
        /// Which call.
        call: CallKey,
    },
    /// Bytes that are no SIP message. Rate-limited; [`super::UserAgent::malformed_total`] counts them all.
    Malformed {
        /// Their source.
        from: Peer,
        /// What is wrong with them.
        reason: String,
    },
}
