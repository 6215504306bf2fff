//! The legs: every phone the lot talks with is one leg, one dialog of the user agent. Where a leg is (`Place`)
//! decides what it hears, what its lamp shows, and what happens when it ends.

use super::attempts::Bell;
use super::hunt::Step;
use super::prompts::Prompt;
use super::slots::{ParkedCall, Ticket};
use super::sound::LegSound;
use crate::parking::{Identity, Moment, SlotId};
use crate::sip::Peer;
use crate::sip::message::NameAddr;
use crate::sip::{CallKey, DialogId, ReferKey};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// The most legs at once; beyond it an INVITE gets 503.
pub const MAX_LEGS: usize = 2_000;
/// The most calls that one user may have placed at once (a gateway is one user); beyond it his INVITE gets 486.
pub const MAX_LEGS_PER_USER: usize = 256;
/// For how long a call rings before the lot gives up on it with 480.
pub const RING_TIME: Duration = Duration::from_secs(180);
/// Nobody takes a call to end it so soon: a retriever's CANCEL has crossed our 200 (RFC 3261 9.1), and what follows is
/// ACK and BYE. The caller goes back into his slot.
pub const SECOND_THOUGHTS: Duration = Duration::from_millis(700);
/// A phone that hangs up so soon after its REFER was refused has not waited for the answer: it believes that the caller is
/// on his way, and so he comes back to its user.
pub const EARLY_BYE: Duration = Duration::from_millis(1_000);
/// For how long the recipient of a blind transfer is rung.
pub const TRANSFER_RING_TIME: Duration = Duration::from_secs(60);

/// Names one attempt to reach somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AttemptId(pub u64);

/// Where a leg is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It called, and somebody is being rung for it.
    Asking(AttemptId),
    /// It is being rung.
    Dialled(AttemptId),
    /// It talks with that leg.
    With(CallKey),
    /// It is in a slot.
    Parked(Ticket),
    /// It was transferred by somebody who is gone, and somebody is being rung for it.
    Transferring(AttemptId),
    /// It has no place: it is parked as soon as there is one.
    Stranded,
    /// It talks with nobody, hears something to its end, and is hung up then.
    Listening,
    /// It speaks to all who hear it.
    Paging,
    /// It hears that leg page.
    Hearing(CallKey),
    /// It is being hung up.
    Leaving,
}

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    /// Whose phone it is, proven by digest or by the registration; `None` for a fallback URI.
    pub user: Option<String>,
    /// Who is at this end, as the other end is shown.
    pub identity: Identity,
    /// Its signalling address.
    pub source: Peer,
    pub place: Place,
    pub sound: Option<LegSound>,
    /// The body of its INVITE, for a leg that called in: its offer; empty: it wants ours.
    pub offer: Option<Vec<u8>>,
    /// The answer that went out with 183, and the leg that it hears early.
    pub early: Option<(Vec<u8>, CallKey)>,
    /// The three-way handshake is done: somebody is really there.
    pub confirmed: bool,
    /// Since when.
    pub confirmed_at: Moment,
    /// The parked call that this leg takes out, to be put back if he doesn't really take it: no ACK, or gone again
    /// within [`SECOND_THOUGHTS`].
    pub takes: Option<ParkedCall<CallKey>>,
    /// Whom to ring when this leg is stranded: the user who transferred it.
    pub sent_by: Option<String>,
    /// 180 was passed on.
    pub rang: bool,
    /// What it hears once, before whatever follows from its place.
    pub prompt: Option<Prompt>,
    /// It is dialling an extension to which the other end is to be transferred.
    pub dials: bool,
    /// What a lot said about features after a retrieve, for as long as these two talk.
    pub retrieved: Option<Retrieved>,
    /// Whose ringing call this leg has taken, and brings back to him if he doesn't really take it: no ACK, or gone again
    /// within [`SECOND_THOUGHTS`].
    pub picked_from: Option<String>,
    /// When it is hung up, for one that pages.
    pub ends_at: Option<Moment>,
    /// The name of the trunk that it goes over, or came by.
    pub trunk: Option<String>,
    /// When a REFER of its phone's was refused last.
    pub refused_at: Option<Moment>,
    /// What it hears and says is recorded.
    pub recorded: bool,
    /// Where its phone has sent the call on, until its end is heard of.
    pub moved_to: Vec<NameAddr>,
    /// Its dialog, noted while it is parked: the user agent forgets it as soon as it ends.
    pub dialog: Option<DialogId>,
}

impl Leg {
    pub(super) fn new(user: Option<String>, identity: Identity, source: Peer, place: Place) -> Self {
        Self {
            user,
            identity,
            source,
            place,
            sound: None,
            offer: None,
            early: None,
            confirmed: false,
            confirmed_at: Moment::ZERO,
            takes: None,
            sent_by: None,
            rang: false,
            prompt: None,
            dials: false,
            retrieved: None,
            picked_from: None,
            ends_at: None,
            trunk: None,
            refused_at: None,
            recorded: false,
            moved_to: Vec::new(),
            dialog: None,
        }
    }

    /// The leg it talks with.
    pub(super) fn peer(&self) -> Option<CallKey> {
        match self.place {
            Place::With(peer) => Some(peer),
            _ => None,
        }
    }
}

/// A leg's side of a retrieved call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Retrieved {
    /// The lot's name.
    pub lot: String,
    /// This is the retriever, and not who was parked.
    pub retriever: bool,
}

/// What somebody is being rung for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// An ordinary call.
    Call { caller: CallKey },
    /// A parked call that came back to its parker.
    Comeback { ticket: Ticket },
    /// A parked call that its parker didn't take.
    Fallback { ticket: Ticket },
    /// He is to hear where a call is parked.
    Announce { ticket: Ticket, slot: SlotId },
    /// A page.
    Page { pager: CallKey },
    /// A blind transfer; the transferor may hang up meanwhile.
    Transfer { transferee: CallKey, transferor: Option<CallKey>, refer: Option<ReferKey>, sent_by: String },
}

/// Somebody who is being rung, on all his phones.
#[derive(Debug)]
pub(super) struct Attempt {
    pub purpose: Purpose,
    pub branches: BTreeSet<CallKey>,
    /// When it is given up.
    pub ends_at: Moment,
    /// The best of the refusals so far (RFC 3261 16.7).
    pub refusal: u16,
    /// How those who ring now were chosen.
    pub step: Step,
    /// Who is rung after them.
    pub then: VecDeque<Step>,
    /// How they are rung.
    pub bell: Bell,
    /// The users who have sent it on, in that order.
    pub sent_on_by: Vec<String>,
}

/// Of two final refusals the one that says more to the caller (RFC 3261 16.7 step 6, simplified: 6xx, then what the
/// person did, then what the network did).
pub(super) fn better_refusal(a: u16, b: u16) -> u16 {
    let weight = |status: u16| match status {
        600..=699 => 0,
        486 => 1,
        480..=485 | 487..=489 => 2,
        400..=499 => 3,
        _ => 4,
    };
    if weight(b) < weight(a) { b } else { a }
}
