//! What the world says ([`Event`], past tense) and what the desk wants done ([`Effect`], imperative).

use super::call::{CallId, RetrieveTarget};
use super::line::{LineId, ManagerInterface, SlotKey, Way};
use super::lot::LotId;
use super::slot::DialogKey;
use crate::parking::{Identity, Lamp, Moment, SlotId, Text};
use serde::{Deserialize, Serialize};

/// A call that began to ring here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallArrival {
    /// Its id, from [`super::Desk::new_call_id`].
    pub call: CallId,
    /// Who calls.
    pub party: Identity,
    /// The line called.
    pub called: Text,
    /// Set when the server said outright that this is a comeback: slot and seconds waited.
    pub comeback: Option<(Option<SlotId>, u32)>,
    /// Whether the caller was once handed over by us (Referred-By names this account).
    pub referred_by_us: bool,
    /// The note that the server kept with the caller.
    pub note: Text,
}

/// What a server says of one slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LampReport {
    /// The lamp.
    pub lamp: Lamp,
    /// Who is parked, if told. Somebody who can't be compared: nobody can say, and whoever was thought to be there isn't.
    pub parkee: Option<Identity>,
    /// Who parked him, if told.
    pub parker: Option<Identity>,
    /// Seconds parked so far, if told.
    pub parked_for_s: Option<u32>,
    /// Seconds until the call comes back, if told.
    #[serde(default)]
    pub comes_back_in_s: Option<u32>,
    /// The note, if the server keeps one.
    pub note: Option<Text>,
    /// What names this very call.
    pub key: Option<DialogKey>,
    /// Until when the server's word holds, unless it is confirmed before; `None` when nobody said so.
    #[serde(default)]
    pub fresh_until: Option<Moment>,
    /// Whether the server may have said something since its last word that was not heard: whoever was there may have left,
    /// and another have come.
    #[serde(default)]
    pub gap: bool,
}

/// The messages in a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Whether any wait: all that some servers say.
    pub waiting: bool,
    /// How many were not heard yet, if told.
    pub new: Option<u32>,
    /// How many were heard and kept, if told.
    pub old: Option<u32>,
    /// How many of the new ones are urgent.
    pub urgent: u32,
}

impl Messages {
    /// Whether there is something to listen to.
    pub fn has_news(&self) -> bool {
        self.waiting || self.new.is_some_and(|new| new > 0)
    }
}

/// Something that happened. What names no call happened on the line that it is told of (see [`super::Desk::learn_on`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The account of this line is registered.
    Registered,
    /// How the server of this line is reached now, and until when the registration holds.
    WayTold {
        /// How.
        way: Way,
        /// Until when; `None`: not registered.
        registered_until: Option<Moment>,
    },
    /// It is not; tried again at `retry_at`.
    RegistrationFailed {
        /// In words.
        reason: Text,
        /// When next.
        retry_at: Option<Moment>,
    },
    /// Something went wrong on the way to the server of this line; it is mended by itself.
    LineTroubled {
        /// What, in words.
        reason: Text,
    },
    /// The server answered a probe.
    Reached {
        /// Round trip in ms.
        round_trip_ms: u32,
    },
    /// The server answers no probe.
    Unreachable,
    /// A lamp was told, or died.
    LampChanged {
        /// Which.
        slot: SlotId,
        /// What is known now.
        report: LampReport,
    },
    /// The server said something of a colleague's phone.
    StaffTold {
        /// Whose: the extension.
        number: Text,
        /// What.
        lamp: super::StaffLamp,
        /// Who rings there, if told.
        caller: Identity,
    },
    /// The server has confirmed that it would tell of changes: what it said of this slot last holds for longer.
    LampConfirmed {
        /// Which.
        slot: SlotId,
        /// Until when.
        until: Moment,
    },
    /// The server's manager interface began or ceased to tell who is parked.
    ManagerTold(ManagerInterface),
    /// Somebody else fetched a parked call.
    Fetched {
        /// From where.
        slot: SlotId,
        /// Whom.
        parkee: Identity,
        /// Who did it; withheld when it may not be shown.
        by: Identity,
    },
    /// A call that rings already is a comeback: the server says so a moment late.
    CameBack {
        /// Which.
        call: CallId,
        /// From where.
        slot: SlotId,
        /// How long he had waited there, in seconds.
        waited_s: u32,
    },
    /// A parked caller hung up.
    GaveUp {
        /// Where.
        slot: SlotId,
        /// Who.
        parkee: Identity,
        /// How long he had waited, in seconds.
        waited_s: u32,
    },
    /// How many messages wait in the account's mailbox; `None` when that is no longer known.
    MessagesTold(Option<Messages>),
    /// A call rings here.
    CallArrived(CallArrival),
    /// A call that has just arrived asks to be answered at once, and the server asserts who it is from.
    AutoAnswerAsked {
        /// Which call.
        call: CallId,
        /// The user of our server.
        by: Text,
    },
    /// The other end rings (`early`: with sound of its own).
    CallProgressed {
        /// Which.
        call: CallId,
    },
    /// The call is up: our dialled or retrieved call was answered, or our answer has arrived.
    CallAnswered {
        /// Which.
        call: CallId,
    },
    /// The call is over.
    CallEnded {
        /// Which.
        call: CallId,
        /// Why, for a person; empty for an ordinary hang-up.
        reason: Text,
        /// Whether the other side ended it.
        by_them: bool,
    },
    /// Hold is in force.
    CallHeld {
        /// Which.
        call: CallId,
    },
    /// The call is off hold again.
    CallResumed {
        /// Which.
        call: CallId,
    },
    /// Hold or resume was refused.
    HoldRefused {
        /// Which.
        call: CallId,
        /// Why.
        reason: Text,
    },
    /// The server said who is at the other end now.
    PartyTold {
        /// Which.
        call: CallId,
        /// Who.
        party: Identity,
    },
    /// Something worth knowing of a call: where it was diverted from or to, whom it was joined to.
    CallRemarked {
        /// Which.
        call: CallId,
        /// In words.
        remark: Text,
    },
    /// The other end asks to be put through to somebody. Nothing is done about it.
    TransferWished {
        /// Which call.
        call: CallId,
        /// To whom.
        to: Text,
    },
    /// The park is proven: by the lamp, or by the lot's own word. Our leg is ending.
    ParkProven {
        /// Which.
        call: CallId,
        /// The slot; `None` when the server doesn't say.
        slot: Option<SlotId>,
    },
    /// A second lamp lit so soon after a proven park that nobody can say which of them it was.
    ParkDoubted {
        /// The slots in question.
        slots: Vec<SlotId>,
    },
    /// The park failed; the call is with us still.
    ParkRefused {
        /// Which.
        call: CallId,
        /// Why, in words.
        reason: Text,
    },
    /// The blind transfer went through; our leg is ending.
    TransferDone {
        /// Which.
        call: CallId,
    },
    /// The blind transfer failed; the call is with us still.
    TransferRefused {
        /// Which.
        call: CallId,
        /// Why.
        reason: Text,
    },
    /// Offer and answer have settled how signalling and sound are protected.
    CallSecured {
        /// Which.
        call: CallId,
        /// How.
        security: super::Security,
    },
    /// The handshake for the keys of the sound has come to an end.
    SoundSecured {
        /// Which call.
        call: CallId,
        /// Or why there are none.
        outcome: Result<(), Text>,
    },
    /// A key on their phone.
    DigitHeard {
        /// Which call.
        call: CallId,
        /// Which key.
        digit: char,
    },
    /// A colleague's console told something; the server vouches for who it is.
    TeamTold {
        /// Who.
        from: Identity,
        /// What.
        news: super::TeamNews,
    },
    /// A message that was sent has been answered.
    MessageAnswered {
        /// To whom it went, as it was asked for.
        to: String,
        /// Or why it did not arrive.
        outcome: Result<(), Text>,
    },
    /// An announcement was spoken to its end.
    Announced {
        /// In which call.
        call: CallId,
    },
    /// How a call sounds was measured.
    QualityTold {
        /// Which call.
        call: CallId,
        /// What was measured.
        quality: super::Quality,
    },
    /// A call is being recorded from now on.
    RecordingBegun {
        /// Which call.
        call: CallId,
        /// The file's name.
        file: Text,
    },
    /// A call's recording has ended, or could not be made.
    RecordingOver {
        /// Which call; it may be over, too.
        call: CallId,
        /// The file, if there is one.
        file: Option<Text>,
        /// Why, when it wasn't meant.
        failed: Option<Text>,
    },
    /// Headset or ringer changed.
    SoundChanged(super::SoundState),
    /// The sound devices there are.
    DevicesListed(Vec<super::ListedDevice>),
    /// The configuration is another one.
    SettingsChanged(super::Settings),
    /// How long keys took to the packets that they caused, so far.
    KeysTimed(super::KeyToWire),
    /// What the directory knows of a number on the board.
    Named {
        /// The number.
        number: Text,
        /// Who has it; an empty name: nobody.
        known: super::Known,
    },
    /// The directory is another one.
    DirectoryChanged {
        /// How many people are in it.
        people: usize,
    },
    /// Something to tell the operator that belongs to no call.
    Told(super::Notice),
    /// What was told in this sentence is mended.
    Mended(Text),
    /// Time went on.
    Ticked,
}

/// Something to do. Each call effect names a call that the desk knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Accept this ringing call.
    Answer(CallId),
    /// Turn this ringing call away as busy.
    Reject(CallId),
    /// End it, whatever its state.
    HangUp(CallId),
    /// Put it on hold.
    Hold(CallId),
    /// Take it off hold.
    Resume(CallId),
    /// Call somebody.
    Dial {
        /// The new call.
        call: CallId,
        /// Number or URI, as typed.
        to: String,
    },
    /// Park it.
    Park {
        /// Which.
        call: CallId,
        /// In which lot of its line.
        lot: LotId,
        /// Where there; known free a moment ago.
        slot: Option<SlotId>,
        /// The note that goes along.
        note: Text,
        /// Who it is: a lamp may name him.
        party: Identity,
    },
    /// Fetch a parked call.
    Retrieve {
        /// The new call.
        call: CallId,
        /// Bound to this.
        target: RetrieveTarget,
    },
    /// Ask the server for a lamp's state again.
    AskLamp(SlotKey),
    /// Hand the call over blindly.
    Transfer {
        /// Which.
        call: CallId,
        /// Number or URI, as typed.
        to: String,
    },
    /// Hand this call over to whoever is at the other end of that one (REFER with Replaces, RFC 5589).
    Join {
        /// The caller.
        call: CallId,
        /// The other call.
        with: CallId,
    },
    /// Send this ringing call elsewhere (302).
    Redirect {
        /// Which.
        call: CallId,
        /// Number or URI, as typed.
        to: String,
    },
    /// Send a digit.
    SendDigit {
        /// Which call.
        call: CallId,
        /// `0-9 * # A-D`.
        digit: char,
    },
    /// Register again at once.
    Register {
        /// Which line.
        line: LineId,
    },
    /// Tell the server the note of a parked call, where it keeps notes.
    TellNote {
        /// The slot.
        slot: SlotKey,
        /// The call it belongs to.
        key: Option<DialogKey>,
        /// The text.
        note: Text,
    },
    /// Tell the colleagues' consoles something, or one of them.
    TellTeam {
        /// At whose server.
        line: LineId,
        /// Whom alone; `None`: all of them.
        to: Option<Text>,
        /// What.
        news: super::TeamNews,
    },
    /// Send a message for people to read.
    SendMessage {
        /// By which line.
        line: LineId,
        /// Number or URI, as typed.
        to: String,
        /// The text.
        text: String,
    },
    /// Call a page group, which is to answer by itself.
    Page {
        /// By which line.
        line: LineId,
        /// The new call.
        call: CallId,
        /// Its extension.
        to: String,
    },
    /// Speak into this call, and into no other, in which slot somebody is parked.
    Announce {
        /// Which call.
        call: CallId,
        /// The slot.
        slot: SlotId,
    },
    /// Do something about headset and sound.
    Sound(super::SoundDeed),
    /// Keep what is known of parked calls.
    SaveMemory,
    /// End the program.
    Leave,
}

impl Effect {
    /// The call that it is about, if it is about one.
    pub fn call(&self) -> Option<CallId> {
        match self {
            Self::Answer(call)
            | Self::Reject(call)
            | Self::HangUp(call)
            | Self::Hold(call)
            | Self::Resume(call)
            | Self::Dial { call, .. }
            | Self::Park { call, .. }
            | Self::Retrieve { call, .. }
            | Self::Transfer { call, .. }
            | Self::Join { call, .. }
            | Self::Redirect { call, .. }
            | Self::Announce { call, .. }
            | Self::SendDigit { call, .. } => Some(*call),
            Self::Sound(deed) => deed.call(),
            // The page is nobody's call yet: its line says who makes it.
            Self::Page { .. } | Self::TellTeam { .. } | Self::SendMessage { .. } => None,
            Self::Register { .. } => None,
            Self::AskLamp(_) | Self::TellNote { .. } | Self::SaveMemory | Self::Leave => None,
        }
    }
}
