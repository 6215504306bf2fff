//! Where callers are sent whom nobody at this desk can answer.

use super::NightHours;

/// What a dialplan has for callers whom nobody answers; what is `None` is nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Where new callers go at night.
    pub night: Option<String>,
    /// When it is night by itself; empty: only by the operator's key.
    pub night_hours: Vec<NightHours>,
    /// Where they go while do not disturb is on; `None`: they hear busy.
    pub busy: Option<String>,
    /// Where they go when they have rung too long.
    pub overflow: Option<String>,
    /// How long that is, in seconds.
    pub overflow_after_s: u32,
    /// Where a ringing caller leaves a message.
    pub voicemail: Option<String>,
    /// What is dialled before an extension to reach its mailbox.
    pub voicemail_prefix: Option<String>,
}

impl Calls {
    /// When a caller has rung too long, unless the file says otherwise.
    pub const OVERFLOW_AFTER_S: u32 = 60;

    /// Whether it is night by the hours, on that day (0 is Monday) so many minutes after midnight; `None` where there are
    /// no hours.
    pub fn is_night(&self, day: usize, minute: u16) -> Option<bool> {
        (!self.night_hours.is_empty()).then(|| self.night_hours.iter().any(|hours| hours.covers(day, minute)))
    }
}
