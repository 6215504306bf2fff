//! What the lot did, as plain data for the log and for tests. Nothing acts upon these.

use crate::parking::{Identity, SlotId, Text};
use crate::sip::Peer;
use crate::sip::message::Method;
use serde::Serialize;

/// The most notices that wait to be read; beyond it the oldest are dropped.
pub const MAX_NOTICES: usize = 10_000;

/// Something that happened. Texts inside were scrubbed; no secret, ticket or dialog tag is among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Notice {
    /// A phone registered or refreshed.
    Registered {
        /// Whose phone.
        user: String,
        /// Its address.
        source: Peer,
        /// For how long.
        expires_s: u32,
    },
    /// A phone unregistered, or its registration expired.
    Unregistered {
        /// Whose phone.
        user: String,
    },
    /// A call began to ring.
    CallPlaced {
        /// Who calls.
        from: Identity,
        /// Whom.
        to: Identity,
    },
    /// A call was answered.
    CallAnswered {
        /// Who calls.
        from: Identity,
        /// Who answered.
        by: Identity,
    },
    /// A call was transferred.
    CallTransferred {
        /// Who was transferred.
        who: Identity,
        /// To whom.
        to: Identity,
    },
    /// A call is recorded, because somebody in it typed so.
    RecordingStarted {
        /// Who.
        by: Identity,
        /// The file's whole name.
        file: String,
    },
    /// A call that was to be recorded isn't, or no longer; it goes on.
    RecordingFailed {
        /// Who wanted it.
        by: Identity,
        /// Why.
        reason: String,
    },
    /// A phone sent a call on that rang it (3xx).
    SentOn {
        /// Whose phone.
        by: Identity,
        /// Where to.
        to: Identity,
    },
    /// A call that rang somebody was taken by somebody else.
    CallPickedUp {
        /// Who calls.
        who: Identity,
        /// Who took the call.
        by: Identity,
    },
    /// Somebody pages a group.
    Paged {
        /// Who.
        by: Identity,
        /// The group's name.
        group: String,
    },
    /// A trunk is open.
    TrunkRegistered {
        /// Its name.
        trunk: String,
        /// For how long.
        expires_s: u32,
    },
    /// A trunk is not open; it is tried again.
    TrunkFailed {
        /// Its name.
        trunk: String,
        /// Why.
        reason: String,
    },
    /// A call is parked.
    CallParked {
        /// Where.
        slot: SlotId,
        /// Who.
        parkee: Identity,
        /// By whom.
        by: Identity,
    },
    /// A parked call was retrieved.
    CallRetrieved {
        /// From where.
        slot: SlotId,
        /// Who was parked.
        parkee: Identity,
        /// By whom.
        by: Identity,
    },
    /// A retrieve was not completed: the caller is parked again.
    CallPutBack {
        /// Where.
        slot: SlotId,
        /// Who.
        parkee: Identity,
    },
    /// A parked call's time is over: somebody is being rung.
    RingingBack {
        /// Where the call still is.
        slot: SlotId,
        /// Who.
        parkee: Identity,
        /// Who is being rung.
        to: String,
    },
    /// The parker answered the comeback.
    CameBack {
        /// Where the call was.
        slot: SlotId,
        /// Who.
        parkee: Identity,
        /// Who answered.
        by: Identity,
    },
    /// The fallback answered.
    FallbackReached {
        /// Where the call was.
        slot: SlotId,
        /// Who.
        parkee: Identity,
        /// Who answered.
        by: Identity,
    },
    /// Nobody answered the comeback: the call waits another time.
    WaitsAgain {
        /// Where.
        slot: SlotId,
        /// Who.
        parkee: Identity,
    },
    /// A parked caller hung up.
    GivenUp {
        /// Where he was.
        slot: SlotId,
        /// Who.
        parkee: Identity,
        /// How long he waited.
        waited_s: u32,
    },
    /// A caller without a place waits for a free slot: a transfer failed, its sender is gone and the lot is full.
    Stranded {
        /// Who.
        who: Identity,
    },
    /// The lot goes on from the journal of the process before it; each call is being asked whether it is still there.
    Restarted {
        /// Calls.
        calls: usize,
        /// Registered phones.
        phones: usize,
        /// Watchers.
        watchers: usize,
    },
    /// A call of the process before this one goes on.
    Recovered {
        /// Where, if it is parked.
        slot: Option<SlotId>,
        /// Who.
        who: Identity,
    },
    /// A call of the process before this one does not.
    Lost {
        /// Where it was, if it was parked.
        slot: Option<SlotId>,
        /// Who.
        who: Identity,
        /// Who parked it.
        parker: Option<Identity>,
        /// How long it had been parked.
        waited_s: u32,
        /// In words.
        reason: &'static str,
    },
    /// Somebody was sent a message about a call that was lost.
    OperatorTold {
        /// Who.
        user: Identity,
        /// What.
        text: Text,
    },
    /// A note was written on a parked call.
    NoteWritten {
        /// Where the call is.
        slot: SlotId,
        /// Who wrote.
        by: String,
    },
    /// A request was refused for a reason other than a missing password.
    Refused {
        /// What.
        method: Method,
        /// From where.
        from: Peer,
        /// Whose, if that is proven.
        user: Option<String>,
        /// The status.
        status: u16,
        /// In words.
        reason: String,
    },
    /// Something that was typed into a call isn't done; the call goes on.
    KeysRefused {
        /// Whose phone.
        user: Option<String>,
        /// In words.
        reason: String,
    },
    /// Somebody guesses passwords and is put off.
    Guessing {
        /// From where.
        from: Peer,
        /// The name that was tried.
        user: String,
    },
}
