//! Questions that no phone asks: who is registered already, whether an extension can be dialled from our context, whether
//! it has a hint, whether a call in one codec alone would be taken. A second user agent of the same account asks them,
//! so that the phone that is examined is the very one that a receptionist has.

use crate::parking::Moment;
use crate::sip::message::{Method, NameAddr, Uri};
use crate::sip::sdp::{self, Codec, LocalMedia};
use crate::sip::{
    Account, AccountKey, Ask, CallKey, Event, Invite, Peer, SentKey, Subscribe, SubscriptionKey, Transmit,
    UaConfig, UserAgent, dialog_info,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// The most questions of one run.
const MAX_QUESTIONS: usize = 256;
/// How long a hint is asked for: the answer is all that is wanted.
const HINT_EXPIRES_S: u32 = 60;

/// Whether an extension has a hint that we may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// The server told its state.
    Told,
    /// It refused with this status.
    Refused(u16),
}

/// What became of a call in one codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// The server took the offer: it rang, or was answered.
    Taken,
    /// It refused with this status.
    Refused(u16),
}

/// The second user agent.
pub(super) struct Enquirer {
    ua: UserAgent,
    account: AccountKey,
    aor: NameAddr,
    server: Peer,
    /// What arrives for these is ours, everything else the phone's.
    call_ids: BTreeSet<String>,
    bindings: Option<(SentKey, Option<Vec<String>>)>,
    options: BTreeMap<SentKey, String>,
    hints: BTreeMap<SubscriptionKey, String>,
    trial: Option<(CallKey, Option<Trial>)>,
    /// The status of OPTIONS to an extension: Asterisk says 404 where the endpoint's context has none.
    pub extensions: BTreeMap<String, u16>,
    /// What SUBSCRIBE to an extension brought.
    pub lamps: BTreeMap<String, Hint>,
}

impl Enquirer {
    pub fn new(local: SocketAddr, account: Account, seed: [u8; 32]) -> Self {
        let aor = account.aor.clone();
        let server = account.servers.first().copied().unwrap_or_else(|| local.into());
        let product = concat!("parkdeck-doctor/", env!("CARGO_PKG_VERSION"));
        let mut ua = UserAgent::new(UaConfig::new(local, product, seed));
        let account = ua.add_account(account);
        Self {
            ua,
            account,
            aor,
            server,
            call_ids: BTreeSet::new(),
            bindings: None,
            options: BTreeMap::new(),
            hints: BTreeMap::new(),
            trial: None,
            extensions: BTreeMap::new(),
            lamps: BTreeMap::new(),
        }
    }

    fn uri(&self, user: &str) -> Uri {
        Uri { user: (!user.is_empty()).then(|| user.to_owned()), ..self.aor.uri.clone() }
    }

    fn ask(&mut self, now: Moment, method: Method, target: Uri, headers: Vec<(String, String)>) -> SentKey {
        let (account, send_to) = (Some(self.account), self.server);
        self.ua.request(now, Ask { account, from: None, method, target, send_to, headers, body: Vec::new() })
    }

    /// Asks who is registered for our account (RFC 3261 10.2.3); binds nothing.
    pub fn ask_bindings(&mut self, now: Moment) {
        let to = ("To".to_owned(), self.aor.to_string());
        let sent = self.ask(now, Method::Register, self.uri(""), vec![to]);
        self.bindings = Some((sent, None));
        self.settle(now);
    }

    /// The Contacts of the account; `None` while nobody has answered.
    pub fn bindings(&self) -> Option<&[String]> {
        self.bindings.as_ref()?.1.as_deref()
    }

    /// Asks by OPTIONS whether an extension can be dialled.
    pub fn ask_extension(&mut self, now: Moment, extension: &str) {
        if self.options.len() < MAX_QUESTIONS {
            let accept = ("Accept".to_owned(), "application/sdp".to_owned());
            let sent = self.ask(now, Method::Options, self.uri(extension), vec![accept]);
            self.options.insert(sent, extension.to_owned());
            self.settle(now);
        }
    }

    /// Asks by SUBSCRIBE whether an extension has a hint, and unsubscribes at once.
    pub fn ask_hint(&mut self, now: Moment, extension: &str) {
        if self.hints.len() < MAX_QUESTIONS {
            let subscribe = Subscribe {
                account: Some(self.account),
                target: self.uri(extension),
                send_to: self.server,
                event: "dialog".to_owned(),
                accept: dialog_info::CONTENT_TYPE.to_owned(),
                expires_s: HINT_EXPIRES_S,
                list: false,
            };
            let key = self.ua.subscribe(now, subscribe);
            self.hints.insert(key, extension.to_owned());
            self.settle(now);
        }
    }

    /// Calls somebody with that codec alone, and hangs up as soon as it is known whether the server takes it.
    pub fn try_codec(&mut self, now: Moment, media: LocalMedia, codec: Codec, to: &str) {
        let invite = Invite {
            account: Some(self.account),
            from: None,
            target: self.uri(to),
            send_to: self.server,
            sdp: sdp::offer(&LocalMedia { codecs: vec![codec], ..media }),
            headers: Vec::new(),
        };
        self.trial = Some((self.ua.invite(now, invite), None));
        self.settle(now);
    }

    /// Whether such a call is under way, or its outcome not yet taken.
    pub fn is_trying(&self) -> bool {
        self.trial.is_some()
    }

    /// Forgets the last such call; one that nobody has answered is taken back.
    pub fn end_trial(&mut self, now: Moment) {
        if let Some((call, _)) = self.trial.take() {
            self.ua.hang_up(now, call);
        }
    }

    /// What became of the last trial.
    pub fn trial(&self) -> Option<Trial> {
        self.trial.and_then(|(_, outcome)| outcome)
    }

    /// Whether all questions have their answers.
    pub fn is_answered(&self) -> bool {
        self.extensions.len() >= self.options.len() && self.lamps.len() >= self.hints.len()
    }

    /// Whether a message with this Call-ID is for us.
    pub fn is_about(&self, call_id: &str) -> bool {
        self.call_ids.contains(call_id)
    }

    pub fn receive(&mut self, now: Moment, from: Peer, bytes: &[u8]) {
        self.ua.receive(now, from, bytes);
        self.settle(now);
    }

    pub fn receive_stream(&mut self, now: Moment, from: Peer, bytes: &[u8]) {
        self.ua.receive_stream(now, from, bytes);
        self.settle(now);
    }

    pub fn user_agent(&mut self) -> &mut UserAgent {
        &mut self.ua
    }

    pub fn wake(&mut self, now: Moment) {
        self.ua.wake(now);
        self.settle(now);
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.ua.poll_transmit()?;
        if let Ok(message) = crate::sip::message::read_datagram(&transmit.bytes)
            && let Some(call_id) = message.headers().call_id()
        {
            self.call_ids.insert(call_id.to_owned());
        }
        Some(transmit)
    }

    /// Ends whatever is under way.
    pub fn stop(&mut self, now: Moment) {
        for key in self.hints.keys() {
            self.ua.unsubscribe(now, *key);
        }
        if let Some((call, _)) = self.trial {
            self.ua.hang_up(now, call);
        }
        self.settle(now);
    }

    /// How many hints are watched still.
    pub fn watched(&self) -> usize {
        self.ua.census().subscriptions
    }

    fn settle(&mut self, now: Moment) {
        while let Some(event) = self.ua.poll_event() {
            match event {
                Event::RequestAnswered { sent, status, headers, .. } => match self.options.get(&sent) {
                    Some(extension) => {
                        self.extensions.insert(extension.clone(), status);
                    }
                    None => self.take_bindings(sent, status, &headers.contacts()),
                },
                Event::Notified { subscription, .. } => self.take_hint(now, subscription, Hint::Told),
                Event::SubscriptionRefused { subscription, status, .. } => {
                    self.take_hint(now, subscription, Hint::Refused(status));
                }
                Event::CallProgress { call, .. } => self.take_trial(now, call, Trial::Taken),
                Event::CallAnswered { call, .. } => self.take_trial(now, call, Trial::Taken),
                Event::CallEnded { call, cause } => {
                    self.take_trial(now, call, Trial::Refused(cause.status.unwrap_or(408)));
                }
                Event::CallReceived { call, .. } => self.ua.reject_unkept(now, call, 486, Vec::new()),
                Event::RequestReceived { key, .. } => self.ua.answer(now, key, 405, Vec::new(), Vec::new()),
                Event::ReferReceived { refer, .. } => self.ua.answer_refer(now, refer, 603, Vec::new()),
                Event::OfferReceived { call, .. } => self.ua.answer_offer(now, call, Err(488)),
                _ => {}
            }
        }
    }

    fn take_bindings(&mut self, sent: SentKey, status: u16, contacts: &[NameAddr]) {
        if let Some((asked, answer)) = &mut self.bindings
            && *asked == sent
        {
            let known = if status == 200 { contacts } else { &[] };
            *answer = Some(known.iter().map(|contact| contact.uri.to_string()).collect());
        }
    }

    fn take_hint(&mut self, now: Moment, subscription: SubscriptionKey, hint: Hint) {
        if let Some(extension) = self.hints.get(&subscription) {
            self.lamps.entry(extension.clone()).or_insert(hint);
        }
        self.ua.unsubscribe(now, subscription);
    }

    fn take_trial(&mut self, now: Moment, call: CallKey, outcome: Trial) {
        if let Some((tried, known)) = &mut self.trial
            && *tried == call
            && known.is_none()
        {
            *known = Some(outcome);
            self.ua.hang_up(now, call);
        }
    }
}

/// What says whether a message is for the enquirer or for the phone.
pub(super) fn call_id_of(bytes: &[u8]) -> Option<String> {
    let message = crate::sip::message::read_datagram(bytes).ok()?;
    message.headers().call_id().map(str::to_owned)
}

/// Where a contact is, for the sentence about a phone that is registered already.
pub(super) fn host_of(contact: &str) -> String {
    let uri = Uri::parse(contact);
    uri.map_or_else(
        || contact.to_owned(),
        |uri| match uri.port {
            Some(port) => format!("{}:{port}", uri.host),
            None => uri.host,
        },
    )
}
