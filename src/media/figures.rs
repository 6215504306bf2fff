//! What is counted and measured about one stream.

/// Counters since the stream was opened, and the present state of its jitter buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StreamFigures {
    /// RTP packets sent.
    pub sent: u64,
    /// RTP packets taken from the far end.
    pub packets: u64,
    /// Packets that never came (RFC 3550 A.3: expected less received).
    pub lost: u64,
    /// Packets that came after their time and were of no use.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that came after a later one but in time.
    pub reordered: u64,
    /// Lost packets that forward error correction brought back.
    pub recovered: u64,
    /// Frames of 20 ms that had to be made up.
    pub concealed: u64,
    /// Times that the sound was shortened or lengthened by a pitch period, to bring it to its right delay.
    pub stretched: u64,
    /// Datagrams refused: not RTP, wrong payload type, or not from the far end.
    pub refused: u64,
    /// Interarrival jitter (RFC 3550 6.4.1), in ms.
    pub jitter_ms: f32,
    /// Sound waiting in the jitter buffer, in ms.
    pub buffer_ms: f32,
    /// How long the jitter buffer would have sound wait beyond the fastest packet, in ms.
    pub target_ms: f32,
    /// Level of the received sound in the last quarter second, dB below full scale (−90: silence). Only measured
    /// where it is decoded: a pass-through bridge decodes nothing.
    pub level_dbfs: f32,
    /// The pitch of the received sound in Hz, when the last quarter second was a steady tone. Measured where the level is.
    pub tone_hz: Option<u16>,
    /// The far end is known and locked: from the negotiated or a learned address.
    pub locked: bool,
    /// Packets that pretended to have the key and hadn't, or were changed on their way (SRTP, SRTCP).
    pub forged: u64,
    /// Genuine packets that came again (SRTP, SRTCP).
    pub replayed: u64,
    /// Reports of the far end that were understood (RTCP).
    pub reports: u64,
    /// Round trip to the far end in ms, as its reports tell.
    pub round_trip_ms: Option<f32>,
    /// Share of our packets that the far end missed lately, in percent.
    pub remote_lost_percent: Option<f32>,
    /// Interarrival jitter of our packets over there, in ms.
    pub remote_jitter_ms: Option<f32>,
}
