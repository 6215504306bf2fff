//! Accounts, and what an owner says when it begins something: plain data.

use crate::sip::Peer;
use crate::sip::agent::{AccountKey, CallKey};
use crate::sip::digest::Algorithm;
use crate::sip::identity;
use crate::sip::message::{NameAddr, Uri};
use secrecy::SecretString;

/// Who we are at a phone system. Credentials go only to its `servers`, and only for its realm.
#[derive(Clone, Debug)]
pub struct Account {
    /// Our address of record: From, and To of a REGISTER; its user part is also that of our Contact. With a `sips:` one
    /// nothing of this account goes over anything but TLS.
    pub aor: NameAddr,
    /// Where requests go first, in order of preference (RFC 3263): the registrar's addresses, or the outbound proxy's if
    /// there is one. [`super::UserAgent::set_servers`] replaces them.
    pub servers: Vec<Peer>,
    /// The route that every request outside a dialog is sent along (RFC 3261 8.1.2): the outbound proxy, if there is one.
    pub outbound: Vec<Uri>,
    /// For digest.
    pub username: String,
    /// For digest.
    pub password: SecretString,
    /// The only realm that is answered; `None` pins the first one that the server names.
    pub realm: Option<String>,
    /// Further realms that are answered, such as those of proxies on the way to the registrar; at most
    /// [`super::MAX_REALMS`] in all.
    pub further_realms: Vec<String>,
    /// The weakest digest that is answered; a challenge that offers only weaker ones is refused.
    pub weakest_digest: Algorithm,
    /// Which headers of its server say who somebody is, the first that is there; what is left out isn't believed.
    pub identity: Vec<identity::Source>,
    /// How long a registration shall hold.
    pub expires_s: u32,
    /// `urn:uuid:…`, the same after every restart: names this device, so that a new registration of it replaces the old
    /// one (RFC 5626 4.1).
    pub instance: Option<String>,
    /// Whether a request that is too long for a datagram may go over TCP instead (RFC 3261 18.1.1).
    pub udp_to_tcp: bool,
    /// Whether our Contact says the address from which the server sees us come, where that differs from our own (NAT).
    pub learns_address: bool,
}

impl Account {
    /// An account at one server, with what most have: an hour's registration, any digest, any one realm.
    pub fn new(
        aor: NameAddr,
        server: impl Into<Peer>,
        username: impl Into<String>,
        password: SecretString,
    ) -> Self {
        Self {
            aor,
            servers: vec![server.into()],
            outbound: Vec::new(),
            username: username.into(),
            password,
            realm: None,
            further_realms: Vec::new(),
            weakest_digest: Algorithm::Md5,
            identity: identity::Source::ALL.to_vec(),
            expires_s: 3600,
            instance: None,
            udp_to_tcp: true,
            learns_address: true,
        }
    }
}

/// A call to begin.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Gives From and credentials.
    pub account: Option<AccountKey>,
    /// From without an account (or another From than the account's).
    pub from: Option<NameAddr>,
    /// Request-URI and To.
    pub target: Uri,
    /// Where the INVITE goes. One of the account's own servers means whichever of them serves at the moment.
    pub send_to: Peer,
    /// The offer, never empty.
    pub sdp: Vec<u8>,
    /// Further headers (Replaces, P-Asserted-Identity, Alert-Info …); a `To` here replaces the one made from `target`.
    pub headers: Vec<(String, String)>,
}

/// A REFER outside of calls.
#[derive(Clone, Debug)]
pub struct ReferOut {
    /// Gives From and credentials.
    pub account: Option<AccountKey>,
    /// Who is asked: Request-URI and To.
    pub target: Uri,
    /// Where it goes; NOTIFY is taken from nobody else.
    pub send_to: Peer,
    /// Whom to call.
    pub refer_to: NameAddr,
    /// The call that it is about (Target-Dialog, RFC 4538).
    pub about: Option<CallKey>,
    /// Further headers (`Refer-Sub: false` …).
    pub headers: Vec<(String, String)>,
}

/// Something to watch.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// Gives From and credentials.
    pub account: Option<AccountKey>,
    /// Whose state: Request-URI and To.
    pub target: Uri,
    /// The server; NOTIFY is taken from nobody else. One of the account's own servers means whichever of them serves at
    /// the moment.
    pub send_to: Peer,
    /// Event package, for example `dialog`.
    pub event: String,
    /// Content types that are understood, for example `application/dialog-info+xml`.
    pub accept: String,
    /// How long; refreshed by itself.
    pub expires_s: u32,
    /// Whether `target` may be a resource list (RFC 4662): NOTIFYs of several resources at once are understood.
    pub list: bool,
}

/// A request outside a dialog.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Gives From and credentials.
    pub account: Option<AccountKey>,
    /// From without an account.
    pub from: Option<NameAddr>,
    /// MESSAGE, PUBLISH … (not INVITE, ACK, CANCEL or SUBSCRIBE, and REGISTER only without a Contact, which asks who is
    /// registered).
    pub method: crate::sip::message::Method,
    /// Request-URI and To.
    pub target: Uri,
    /// Where it goes. One of the account's own servers means whichever of them serves at the moment.
    pub send_to: Peer,
    /// Further headers; `Content-Type` among them if there is a body. A `To` replaces the one made from `target`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}
