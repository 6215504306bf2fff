//! What an agent is told when it is made, and the named maximum of everything it keeps.

use crate::sip::Peer;
use crate::sip::message::Method;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// How many calls an agent keeps at once; beyond it an INVITE gets 503 and `invite` ends at once.
pub const MAX_CALLS: usize = 4096;
/// How many incoming calls of a phone may wait for `accept` or `reject`; beyond it an INVITE gets 486.
pub const MAX_RINGING: usize = 512;
/// The same for a server. So many that a few users, each at his own limit, don't shut out everybody else; as many again
/// are left for the calls that it makes for them.
pub const MAX_RINGING_SERVER: usize = MAX_CALLS / 2;
/// How many subscriptions of ours; beyond it `subscribe` is refused at once.
pub const MAX_SUBSCRIPTIONS: usize = 4096;
/// How many watchers; beyond it a SUBSCRIBE gets 503.
pub const MAX_WATCHERS: usize = 8192;
/// How many incoming requests may await the owner's answer; beyond it they get 503.
pub const MAX_REQUESTS: usize = 1024;
/// How many REFERs, of both directions; beyond it one gets 503, or is refused at once.
pub const MAX_REFERS: usize = 4096;
/// While so many requests of ours are under way, a new call, probe or request outside a dialog fails at once.
pub const MAX_ERRANDS: usize = 16_384;
/// How many accounts.
pub const MAX_ACCOUNTS: usize = 256;
/// How many wishes (re-INVITE, REFER, UPDATE, INFO) may queue in one call; beyond it one fails at once.
pub const MAX_WISHES: usize = 32;
/// How many events may wait for `poll_event`; while as many wait, datagrams are not read (the peer repeats them).
pub const MAX_EVENTS: usize = 16_384;
/// How many datagrams may wait for `poll_transmit`; beyond it the oldest is dropped (the transaction repeats it).
pub const MAX_TRANSMITS: usize = 16_384;
/// How many SUBSCRIBEs an agent begins in any second, over all subscriptions; the others wait their turn.
pub const MAX_SUBSCRIBES_PER_SECOND: usize = 50;
/// How many `Event::Malformed` in [`MALFORMED_WINDOW`]; the others are only counted.
pub const MAX_MALFORMED_EVENTS: u32 = 10;
/// See [`MAX_MALFORMED_EVENTS`].
pub const MALFORMED_WINDOW: Duration = Duration::from_secs(10);
/// How long the owner may think about a request outside a dialog, a REFER or an offer; then it gets 500.
pub const OWNER_PATIENCE: Duration = Duration::from_secs(20);

/// How long a session lasts without a refresh when a phone begins it (RFC 4028 4 recommends half an hour).
pub const SESSION_EXPIRES_S: u32 = 1_800;

/// What an agent is told when it is made.
#[derive(Clone, Debug)]
pub struct UaConfig {
    /// What Via and Contact say; where answers must reach us.
    pub local: SocketAddr,
    /// The same for whoever is reached by the other family of addresses; `None`: nobody is.
    pub local_other: Option<SocketAddr>,
    /// Where connections are accepted, for transports over which that is not `local`: what Via and Contact say there.
    pub listens: Vec<Peer>,
    /// The value of User-Agent and Server.
    pub product: String,
    /// Where tags, branches, Call-IDs and jitter come from. Must be unguessable outside of tests.
    pub seed: Seed,
    /// Methods that are understood; the others get 405. Add `Register` and `Subscribe` for a server.
    pub allow: Vec<Method>,
    /// Option tags that are understood; `Require` of any other gets 420.
    pub supported: Vec<String>,
    /// Whether OPTIONS outside a dialog is answered 200 without asking the owner.
    pub answers_options: bool,
    /// Whether a call goes on when a request inside it was answered by silence (RFC 3261 12.2.1.2 would have it end).
    pub keeps_silent_calls: bool,
    /// How many incoming calls may ring at once, at most [`MAX_RINGING_SERVER`]; beyond it an INVITE gets 486.
    pub ringing_max: usize,
    /// How long a session we begin lasts without a refresh, in seconds (RFC 4028); 0: no timer unless the far end asks.
    pub session_expires_s: u32,
    /// Whether an INVITE that is answered with 3xx is sent where that says; never to another server.
    pub follows_redirects: bool,
    /// Whether a call stays with the address that it came from or went to: requests in it go nowhere else, and those
    /// from other addresses get 481. For a server, whose phones are where they registered and whose dialogs' names are
    /// published by lamps; a phone follows Contact and Record-Route instead.
    pub bound_to_peer: bool,
    /// Whether connections are opened to anybody. A server answers on those that its phones opened, and opens none but
    /// to servers of its own accounts.
    pub opens_connections: bool,
}

/// What all randomness of an agent is drawn from: 256 bits, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// The bits, for a generator or a key.
    pub fn bits(&self) -> [u8; 32] {
        self.0
    }

    /// A number for that purpose, which says nothing about any other or about the seed.
    pub fn number(&self, purpose: &str) -> u64 {
        let sealed = crate::sip::digest::seal(&self.0, purpose);
        sealed.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
    }
}

impl From<[u8; 32]> for Seed {
    fn from(bits: [u8; 32]) -> Self {
        Self(bits)
    }
}

/// For tests, which print the number and tell the same story again.
impl From<u64> for Seed {
    fn from(number: u64) -> Self {
        Self(StdRng::seed_from_u64(number).random())
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl UaConfig {
    /// An agent for a phone: all methods of a call, MESSAGE, NOTIFY; Replaces; no REGISTER or SUBSCRIBE to us.
    pub fn new(local: SocketAddr, product: &str, seed: impl Into<Seed>) -> Self {
        let allow = vec![
            Method::Invite,
            Method::Ack,
            Method::Bye,
            Method::Cancel,
            Method::Options,
            Method::Notify,
            Method::Refer,
            Method::Info,
            Method::Update,
            Method::Message,
            Method::Prack,
        ];
        let supported = ["replaces", "norefersub", "100rel", "timer", "tdialog"].map(str::to_owned).to_vec();
        let ringing_max = MAX_RINGING;
        Self {
            local,
            local_other: None,
            listens: Vec::new(),
            product: product.to_owned(),
            seed: seed.into(),
            allow,
            supported,
            answers_options: true,
            keeps_silent_calls: false,
            ringing_max,
            session_expires_s: SESSION_EXPIRES_S,
            follows_redirects: true,
            bound_to_peer: false,
            opens_connections: true,
        }
    }

    /// Where answers and requests of that peer must reach us: by his transport, in his family of addresses.
    pub(super) fn local_towards(&self, peer: Peer) -> SocketAddr {
        let listens = self.listens.iter().find(|listens| listens.transport == peer.transport);
        let other = || self.local_other.filter(|other| other.is_ipv4() == peer.address.is_ipv4());
        match listens {
            Some(listens) => listens.address,
            None if self.local.is_ipv4() == peer.address.is_ipv4() => self.local,
            None => other().unwrap_or(self.local),
        }
    }

    /// We are at that address now, in its family.
    pub(super) fn move_to(&mut self, local: SocketAddr) {
        if local.is_ipv4() == self.local.is_ipv4() {
            self.local = local;
        } else {
            self.local_other = Some(local);
        }
    }

    /// The same, and REGISTER and SUBSCRIBE reach the owner as well.
    pub fn server(local: SocketAddr, product: &str, seed: impl Into<Seed>) -> Self {
        let mut config = Self::new(local, product, seed);
        config.allow.extend([Method::Register, Method::Subscribe]);
        config.ringing_max = MAX_RINGING_SERVER;
        config.session_expires_s = 0;
        config.follows_redirects = false;
        config.bound_to_peer = true;
        config.opens_connections = false;
        config
    }
}
