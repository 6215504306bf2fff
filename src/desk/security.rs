//! Whether a call is protected from those who listen in: its signalling, and its sound. Plain data.

use super::{Call, CallId, Desk, Effect, Severity};
use crate::parking::Text;
use serde::{Deserialize, Serialize};

/// How the signalling of a call travels to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignallingCover {
    /// In clear.
    #[default]
    Clear,
    /// Encrypted, to whoever answered: certificates aren't checked.
    Unproven,
    /// Encrypted, to a server that has proven who it is.
    Encrypted,
}

/// How the sound of a call travels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaCover {
    /// Nothing was agreed on yet.
    #[default]
    Unknown,
    /// In clear.
    Clear,
    /// The handshake for its keys is under way; there is no sound meanwhile.
    Awaited,
    /// Encrypted.
    Encrypted,
    /// The handshake failed; there is no sound.
    Failed(Text),
}

/// Both together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    /// The account wants its sound encrypted.
    pub wanted: bool,
    /// The signalling.
    pub signalling: SignallingCover,
    /// The sound.
    pub media: MediaCover,
}

impl Security {
    /// Whether the lock may be shown: both are protected.
    pub fn is_locked(&self) -> bool {
        self.signalling == SignallingCover::Encrypted && self.media == MediaCover::Encrypted
    }

    /// What is missing for the lock, in words; empty where nothing is, or nothing is known yet.
    pub fn missing(&self) -> &'static str {
        match (&self.media, self.signalling) {
            (MediaCover::Unknown, _) | (MediaCover::Encrypted, SignallingCover::Encrypted) => "",
            (MediaCover::Awaited, _) => "keys are being agreed on",
            (MediaCover::Failed(_), _) => "no keys, no sound",
            (MediaCover::Clear, _) => "sound in clear",
            (MediaCover::Encrypted, SignallingCover::Clear) => "signalling in clear",
            (MediaCover::Encrypted, SignallingCover::Unproven) => "server not proven",
        }
    }
}

impl Desk {
    pub(super) fn call_secured(&mut self, id: CallId, security: Security) -> Vec<Effect> {
        if let Some(call) = self.call_mut(id) {
            call.security = security;
        }
        Vec::new()
    }

    /// The sound's handshake came to an end.
    pub(super) fn sound_secured(&mut self, id: CallId, outcome: Result<(), Text>) -> Vec<Effect> {
        let who = self.called_of(id);
        let Some(call) = self.call_mut(id) else { return Vec::new() };
        match outcome {
            Ok(()) => call.security.media = MediaCover::Encrypted,
            Err(reason) => {
                call.security.media = MediaCover::Failed(reason.clone());
                let text =
                    format!("{who}: no sound, it could not be encrypted ({reason}) · hang up and call again");
                self.say(Severity::Error, &text);
            }
        }
        Vec::new()
    }
}

impl Call {
    /// Whether nobody listens in between here and the server.
    pub fn is_locked(&self) -> bool {
        self.security.is_locked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_shown_only_where_both_halves_are_protected_and_else_the_missing_half_is_named() {
        use MediaCover as M;
        use SignallingCover as S;
        for signalling in [S::Clear, S::Unproven, S::Encrypted] {
            for media in [M::Unknown, M::Clear, M::Awaited, M::Encrypted, M::Failed(Text::default())] {
                let both = signalling == S::Encrypted && media == M::Encrypted;
                let security = Security { wanted: true, signalling, media: media.clone() };
                assert_eq!(security.is_locked(), both, "{security:?}");
                assert_eq!(security.missing().is_empty(), both || media == M::Unknown, "{security:?}");
            }
        }
    }
}
