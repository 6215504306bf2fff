//! The words between the owner of the calls and the media thread: commands in, reports out. Plain data only.

use super::{Clip, Codec, DeviceDelay, Music, Processing, ProcessingFigures, SrtpKey, StreamFigures};
use std::net::{IpAddr, SocketAddr};

/// One call's media, as its owner numbers it. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What offer and answer have settled for a stream (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// Where the far end wants its RTP. Also the source that is trusted at once; see [`Stream::receive`](super::Stream::receive).
    pub remote: SocketAddr,
    /// The codec, both ways.
    pub codec: Codec,
    /// The payload type we send.
    pub payload_type: u8,
    /// The payload type we expect.
    pub receive_payload_type: u8,
    /// The payload type of telephone events we send (RFC 4733); `None`: the far end takes none.
    pub dtmf_payload_type: Option<u8>,
    /// The payload type of telephone events we expect.
    pub dtmf_receive_payload_type: Option<u8>,
    /// We may send (not held).
    pub send: bool,
    /// We listen; packets are dropped otherwise.
    pub receive: bool,
    /// What the far end wants of the Opus that it hears.
    pub opus: OpusTerms,
    /// Frames of 20 ms that go into a packet, 1 to [`FRAMES_MAX`].
    pub frames: u8,
    /// The payload type in which we send earlier packets again beside new ones (RFC 2198); `None`: the far end reads it
    /// not.
    pub red_payload_type: Option<u8>,
    /// The payload type in which that may come.
    pub red_receive_payload_type: Option<u8>,
    /// The host that the signalling of this leg comes from: a phone behind NAT is learned there.
    pub signalling: Option<IpAddr>,
    /// RTCP shares RTP's port (RFC 5761).
    pub rtcp_mux: bool,
    /// Where reports go; `None`: nowhere.
    pub rtcp_remote: Option<SocketAddr>,
}

/// Most frames of 20 ms that we put into a packet: more would only be waited for.
pub const FRAMES_MAX: u8 = 3;

/// What the far end's description says of the Opus that it wants to hear (RFC 7587 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusTerms {
    /// It reads in-band forward error correction (`useinbandfec`).
    pub fec: bool,
    /// It reads deep redundancy (DRED), which says sound of the last half second again in few bits.
    pub deep: bool,
    /// It wants nothing sent while nobody speaks (`usedtx`).
    pub dtx: bool,
    /// It wants every packet equally long (`cbr`).
    pub cbr: bool,
    /// The most bits a second that it wants on average (`maxaveragebitrate`).
    pub bitrate_max: Option<u32>,
    /// The highest sampling rate that it makes use of, in Hz (`maxplaybackrate`).
    pub playback_hz: u32,
}

impl Default for OpusTerms {
    /// As between two of us, but for deep redundancy.
    fn default() -> Self {
        Self { fec: true, deep: false, dtx: false, cbr: false, bitrate_max: None, playback_hz: 48_000 }
    }
}

impl StreamConfig {
    /// Both ways, with the static or usual payload types (PCMU 0, PCMA 8, G.722 9, Opus 111, events 101 or 110) and FEC on.
    pub fn new(remote: SocketAddr, codec: Codec) -> Self {
        let (payload_type, dtmf) = match codec {
            Codec::Opus => (111, 110),
            Codec::G722 => (9, 101),
            Codec::Pcmu => (0, 101),
            Codec::Pcma => (8, 101),
        };
        Self {
            remote,
            codec,
            payload_type,
            receive_payload_type: payload_type,
            dtmf_payload_type: Some(dtmf),
            dtmf_receive_payload_type: Some(dtmf),
            send: true,
            receive: true,
            opus: OpusTerms::default(),
            frames: 1,
            red_payload_type: None,
            red_receive_payload_type: None,
            signalling: None,
            rtcp_mux: true,
            rtcp_remote: Some(remote),
        }
    }
}

/// Who begins a DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtlsRole {
    /// We do: the client.
    Active,
    /// They do: we are the server.
    Passive,
}

/// How a stream's packets are protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Not at all.
    #[default]
    Clear,
    /// With these keys (SDES, RFC 4568).
    Srtp {
        /// For what we send.
        send: SrtpKey,
        /// For what the far end sends: one, or those that its packets name.
        receive: Vec<SrtpKey>,
    },
    /// With keys that a handshake makes (RFC 5763); until then nothing is sent and nothing taken.
    Dtls {
        /// Who begins it.
        role: DtlsRole,
        /// SHA-256 of the certificate that the far end must show.
        fingerprint: [u8; 32],
    },
}

/// What a stream sends.
#[derive(Clone, Debug, Default)]
pub enum Source {
    /// Silence, which is still sent: it opens NAT bindings and keeps the far end from thinking the call dead.
    #[default]
    Silence,
    /// The headset's microphone (silence while muted or without a device).
    Headset,
    /// A loop from its beginning; encoded once for all streams.
    Music(Music),
    /// A recording, once; [`Report::PromptEnded`] follows and the source becomes silence.
    Prompt(Clip),
    /// A steady sine.
    Tone {
        /// Frequency in Hz.
        hz: u16,
        /// Level in dB below full scale (−20.0 is comfortable).
        level_dbfs: f32,
    },
    /// A tone as telephones know it, for example ring-back to a caller whose call is being placed; silence when it is
    /// over.
    Cue(Cue),
    /// What another stream receives, but for its keys: see [`Report::Digit`].
    Bridge(StreamId),
    /// The headset's microphone and what another stream receives, mixed: one side of a three-way call.
    Joined(StreamId),
}

/// Where a stream's received sound goes, besides a bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sink {
    /// Nowhere: packets are counted, nothing is decoded.
    #[default]
    Discard,
    /// Nowhere, but it is decoded, for level and pitch in the figures.
    Meter,
    /// The headset, mixed with every other stream heard there.
    Headset,
}

/// How the ringer rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RingPattern {
    /// Silent.
    #[default]
    Off,
    /// A caller rings.
    Call,
    /// A parked call has come back: another pitch and rhythm.
    Comeback,
}

/// A tone in the operator's ear or towards a caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cue {
    /// None: stops the one that plays.
    #[default]
    Off,
    /// The far end rings; repeats.
    RingBack,
    /// Busy; repeats.
    Busy,
    /// One short courtesy beep.
    Beep,
    /// A parked call waits too long: two short beeps, once.
    Waiting,
    /// Another call rings meanwhile; repeats. Only in a second ear-piece, never into a conversation.
    CallWaiting,
    /// A parked call has come back: three rising notes, once.
    Comeback,
}

/// What the owner of the calls wants. Executed in the order given.
#[derive(Clone, Debug)]
pub enum Command {
    /// Takes the free `port` (one that [`Report::PortsBound`] named) for a stream; it sends nothing and drops what it
    /// gets until configured. A port is free until it is opened: a call that ends before costs nothing.
    Open {
        /// The new stream.
        stream: StreamId,
        /// A free port.
        port: u16,
    },
    /// Sets what offer and answer settled; again after a re-INVITE. Sequence, timestamps and source lock survive when
    /// codec and remote stay the same.
    Configure {
        /// The stream.
        stream: StreamId,
        /// All of it.
        config: StreamConfig,
    },
    /// Says how the stream is protected from its next [`Command::Configure`] on; never said, it is in clear. The same
    /// again changes nothing.
    Protect {
        /// The stream.
        stream: StreamId,
        /// From then on.
        protection: Protection,
    },
    /// Chooses what the stream sends.
    Send {
        /// The stream.
        stream: StreamId,
        /// From now on.
        source: Source,
    },
    /// Chooses where the stream is heard.
    Hear {
        /// The stream.
        stream: StreamId,
        /// From now on.
        sink: Sink,
    },
    /// Joins two streams: each sends what the other receives. The same as two `Send` with [`Source::Bridge`].
    /// The same codec is forwarded on arrival without transcoding.
    Bridge {
        /// One side.
        a: StreamId,
        /// The other.
        b: StreamId,
    },
    /// Sends one telephone event, `0`–`9`, `*`, `#`, `A`–`D`; up to 32 queue up in a stream.
    Digit {
        /// The stream.
        stream: StreamId,
        /// The key.
        digit: char,
    },
    /// Ends a stream and closes its port. Bridges to it become silence.
    Close {
        /// The stream.
        stream: StreamId,
    },
    /// Rings the ringer, or stops it.
    Ring {
        /// From now on.
        pattern: RingPattern,
    },
    /// How loud the ringer rings from now on.
    RingVolume {
        /// In percent of its full loudness.
        percent: u8,
    },
    /// Keeps microphone and headset open without a stream, so that [`Report::Levels`] come; or no longer.
    Try {
        /// Open or not.
        on: bool,
    },
    /// Mutes the microphone for all streams.
    Mute {
        /// Muted or not.
        on: bool,
    },
    /// Records a stream, both ways, until it closes or [`Command::StopRecording`].
    Record {
        /// The stream.
        stream: StreamId,
        /// Who it is, for the file's name.
        label: String,
    },
    /// Ends the recording of a stream.
    StopRecording {
        /// The stream.
        stream: StreamId,
    },
    /// Uses another device from now on.
    Use {
        /// For what.
        role: Role,
        /// Which.
        device: Device,
    },
    /// Takes the devices that [`Report::DeviceOffered`] named instead of those that are gone.
    TakeOffered,
    /// Plays a cue in the headset.
    Play {
        /// The cue; [`Cue::Off`] stops it.
        cue: Cue,
    },
    /// Switches a kind of processing of the microphone's sound, at once; [`Report::ProcessingChanged`] follows where that
    /// changes anything.
    Process {
        /// Which.
        process: Process,
        /// From now on.
        switch: Switch,
    },
}

/// What can be done to the microphone's sound before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    /// Taking out the echo of the loudspeaker.
    Echo,
    /// Lowering steady noise.
    Noise,
    /// Bringing the voice to a level at which it is understood.
    Gain,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// Where it is needed: with a loudspeaker, which the microphone hears; not with a headset.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Which sound device to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// None at all: silent, and not a word about it.
    Off,
    /// The system's default; but once one was in use, that one and no other.
    #[default]
    Default,
    /// The one whose name is, or else contains, this.
    Named(String),
}

/// Which device a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The headset's microphone.
    Microphone,
    /// The headset's ear-piece.
    Headset,
    /// The ringer.
    Ringer,
    /// The second ear-piece, for tones.
    SecondEar,
}

/// What the media thread tells the owner of the calls.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// These ports are bound and free, besides those named before.
    PortsBound {
        /// UDP ports on the engine's address.
        ports: Vec<u16>,
    },
    /// No port could be bound; it is tried again with the next `Close` or `Open`.
    PortsExhausted {
        /// What the system said.
        reason: String,
    },
    /// `Open` named a port that is not free, or there are too many streams. The stream does not exist.
    OpenRefused {
        /// The stream that is not.
        stream: StreamId,
        /// The port it wanted.
        port: u16,
    },
    /// The far end pressed a key (reported once, when first heard).
    Digit {
        /// The stream.
        stream: StreamId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: char,
    },
    /// Figures of one stream, four times a second while it is open.
    Figures {
        /// The stream.
        stream: StreamId,
        /// Since it was opened.
        figures: StreamFigures,
    },
    /// Meters, ten times a second while the headset is in use. dB below full scale, −90 is silence.
    Levels {
        /// What goes out.
        microphone_dbfs: f32,
        /// What processing of the microphone's sound does; `None`: there is none.
        processing: Option<ProcessingFigures>,
        /// What is heard.
        headset_dbfs: f32,
        /// What the devices add to the delay.
        delay: DeviceDelay,
    },
    /// A recording has begun.
    RecordingStarted {
        /// The stream.
        stream: StreamId,
        /// The file's whole name.
        file: String,
    },
    /// A recording is over, and its file whole.
    RecordingEnded {
        /// The stream.
        stream: StreamId,
        /// The file's whole name.
        file: String,
    },
    /// A recording can't be made, or ended early; the call goes on.
    RecordingFailed {
        /// The stream.
        stream: StreamId,
        /// The file with what there is, if there is any.
        file: Option<String>,
        /// In words.
        reason: String,
    },
    /// A device is open and runs.
    DeviceReady {
        /// Which.
        role: Role,
        /// Its name as the system gives it.
        name: String,
        /// It is heard in the room: a speaker, not a headset.
        loud: bool,
    },
    /// A device is there that could be used instead of the one that is missing. It isn't used unless
    /// [`Command::TakeOffered`] says so: it may stand in another room.
    DeviceOffered {
        /// For what.
        role: Role,
        /// Its name as the system gives it.
        name: String,
    },
    /// Other kinds of processing than before are in force.
    ProcessingChanged {
        /// Which.
        in_force: Processing,
    },
    /// A device went while in use; the call goes on, and the device is taken again when it returns.
    DeviceLost {
        /// Which.
        role: Role,
        /// Its name as the system gives it.
        name: String,
        /// In words.
        reason: String,
    },
    /// There is no such device; everything goes on silently. Said once until something changes.
    NoDevice {
        /// Which.
        role: Role,
        /// In words.
        reason: String,
    },
    /// A prompt was sent to its end.
    PromptEnded {
        /// The stream.
        stream: StreamId,
    },
    /// Nothing has been heard from the far end for so long (said at 3, 10, 30 s and every 30 s after that).
    StreamSilent {
        /// The stream.
        stream: StreamId,
        /// How long.
        silent_ms: u32,
    },
    /// The far end is heard: the first packet, or the first after a `StreamSilent`.
    StreamHeard {
        /// The stream.
        stream: StreamId,
    },
    /// The handshake is done: the stream's packets are protected, both ways.
    Protected {
        /// The stream.
        stream: StreamId,
    },
    /// A key of the stream comes near the end of its lifetime: both ends want fresh ones.
    KeysAging {
        /// The stream.
        stream: StreamId,
    },
    /// The handshake failed: nothing is sent and nothing taken.
    ProtectionFailed {
        /// The stream.
        stream: StreamId,
        /// In words.
        reason: String,
    },
    /// The engine fell behind and dropped so many reports.
    ReportsDropped {
        /// Since the last such report.
        count: u32,
    },
}
