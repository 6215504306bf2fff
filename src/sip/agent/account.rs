//! Accounts, and what an owner says when it begins something: plain data.

use crate::sip::Peer;
use crate::sip::agent::AccountKey;
use crate::sip::digest::Algorithm;
use crate::sip::message::{NameAddr, Uri};
use secrecy::SecretString;

/// Who we are at a server. Credentials go only to `server`, and only for its realm.
#[derive(Clone, Debug)]
pub struct Account {
    /// Our address of record: From, and To of a REGISTER; its user part is also that of our Contact.
    pub aor: NameAddr,
    /// The registrar and outbound proxy.
    pub server: Peer,
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
    /// How long a registration shall hold.
    pub expires_s: u32,
}

impl Account {
    /// An account whose registration holds for an hour and whose realm is the first that the server names.
    pub fn new(
        aor: NameAddr,
        server: impl Into<Peer>,
        username: impl Into<String>,
        password: SecretString,
    ) -> Self {
        Self {
            aor,
            server: server.into(),
            username: username.into(),
            password,
            realm: None,
            further_realms: Vec::new(),
            weakest_digest: Algorithm::Md5,
            expires_s: 3600,
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
    /// Where the INVITE goes.
    pub send_to: Peer,
    /// The offer, never empty.
    pub sdp: Vec<u8>,
    /// Further headers (Replaces, P-Asserted-Identity, Alert-Info …); a `To` here replaces the one made from `target`.
    pub headers: Vec<(String, String)>,
}

/// Something to watch.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// Gives From and credentials.
    pub account: Option<AccountKey>,
    /// Whose state: Request-URI and To.
    pub target: Uri,
    /// The server; NOTIFY is taken from nobody else.
    pub send_to: Peer,
    /// Event package, for example `dialog`.
    pub event: String,
    /// Content types that are understood, for example `application/dialog-info+xml`.
    pub accept: String,
    /// How long; refreshed by itself.
    pub expires_s: u32,
}

/// A request outside a dialog.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Gives From and credentials.
    pub account: Option<AccountKey>,
    /// From without an account.
    pub from: Option<NameAddr>,
    /// MESSAGE, PUBLISH … (not INVITE, ACK, CANCEL or SUBSCRIBE).
    pub method: crate::sip::message::Method,
    /// Request-URI and To.
    pub target: Uri,
    /// Where it goes.
    pub send_to: Peer,
    /// Further headers; `Content-Type` among them if there is a body.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}
