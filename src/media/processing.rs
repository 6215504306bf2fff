//! What is done to the microphone's sound before it is sent, where somebody wants it: the echo of the loudspeaker taken
//! out, steady noise lowered, the level brought to where it is understood. By WebRTC's processing, as sonora has it.
//!
//! It allocates while it works, so it has no place in the 20 ms tick: `io::sound` runs it on a thread of its own, between
//! the card and the tick, and only while something is switched on.

use super::level::level_dbfs;
use super::resample::{Down, Up};
use super::{Process, RATE_HZ};
use sonora::config::{
    AdaptiveDigital, EchoCanceller, FixedDigital, GainController2, NoiseSuppression, NoiseSuppressionLevel,
    Pipeline,
};
use sonora::{AudioProcessing, Config};

/// Samples that are processed at a time: 10 ms at 48 kHz.
pub const PIECE: usize = (RATE_HZ / 100) as usize;
/// The rate of the processing, in Hz: no codec of ours carries more than that rate holds, and it costs a third.
const INNER_HZ: u32 = 16_000;
/// 48 kHz over it.
const FACTOR: usize = (RATE_HZ / INNER_HZ) as usize;
/// Samples of a piece at that rate.
const INNER: usize = PIECE / FACTOR;
/// Gain that a quiet voice gets at first and at most, in dB, and how fast it may change. More would lift the room.
const GAIN_FIRST_DB: f32 = 6.0;
const GAIN_MAX_DB: f32 = 30.0;
const GAIN_DB_PER_SECOND: f32 = 6.0;
/// What a loud voice keeps below full scale, and what noise is lifted to at most, in dB.
const HEADROOM_DB: f32 = 5.0;
const NOISE_MAX_DBFS: f32 = -50.0;

/// Which kinds of processing are in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Processing {
    /// The echo canceller.
    pub echo: bool,
    /// The noise suppressor.
    pub noise: bool,
    /// The gain control.
    pub gain: bool,
}

impl Processing {
    /// Whether any is.
    pub fn any(self) -> bool {
        self.echo || self.noise || self.gain
    }

    /// Whether this one is.
    pub fn has(self, process: Process) -> bool {
        match process {
            Process::Echo => self.echo,
            Process::Noise => self.noise,
            Process::Gain => self.gain,
        }
    }
}

/// What processing has done, as far as it knows itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessingFigures {
    /// The loudest piece before processing since the last look, in dB below full scale.
    pub before_dbfs: f32,
    /// How much weaker the echo has become (echo return loss enhancement), in dB, where there is an echo canceller.
    pub erle_db: Option<f32>,
    /// How long the loudspeaker's sound takes to the microphone, in ms, where that was found.
    pub echo_delay_ms: Option<u32>,
}

/// The processing of one microphone.
pub struct Processor {
    inner: AudioProcessing,
    wanted: Processing,
    far: Down,
    near: Down,
    up: Up,
}

impl Processor {
    /// With these kinds; starts knowing nothing of the room.
    pub fn new(wanted: Processing) -> Self {
        let stream = sonora::StreamConfig::new(INNER_HZ, 1);
        let config = Config {
            pipeline: Pipeline {
                multi_channel_render: false,
                multi_channel_capture: false,
                ..Pipeline::default()
            },
            echo_canceller: wanted.echo.then(EchoCanceller::default),
            noise_suppression: wanted.noise.then(|| NoiseSuppression {
                level: NoiseSuppressionLevel::Moderate,
                ..NoiseSuppression::default()
            }),
            gain_controller2: wanted.gain.then(|| GainController2 {
                input_volume_controller: false,
                adaptive_digital: Some(AdaptiveDigital {
                    headroom_db: HEADROOM_DB,
                    max_gain_db: GAIN_MAX_DB,
                    initial_gain_db: GAIN_FIRST_DB,
                    max_gain_change_db_per_second: GAIN_DB_PER_SECOND,
                    max_output_noise_level_dbfs: NOISE_MAX_DBFS,
                }),
                fixed_digital: FixedDigital::default(),
            }),
            ..Config::default()
        };
        let inner =
            AudioProcessing::builder().config(config).capture_config(stream).render_config(stream).build();
        Self { inner, wanted, far: Down::new(FACTOR), near: Down::new(FACTOR), up: Up::new(FACTOR) }
    }

    /// What it does.
    pub fn wanted(&self) -> Processing {
        self.wanted
    }

    /// What the loudspeaker is about to play: 10 ms at 48 kHz, before the piece of the microphone that may hear it.
    pub fn hear(&mut self, far: &[i16; PIECE]) {
        let (mut narrow, mut unused) = ([0; INNER], [0; INNER]);
        self.far.process(far, &mut narrow);
        // The lengths fit; an error would leave the canceller without a reference, and the sound as it is.
        let _ = self.inner.process_render_i16(&narrow, &mut unused);
    }

    /// Processes 10 ms of the microphone at 48 kHz, in place.
    pub fn process(&mut self, near: &mut [i16; PIECE]) {
        let (mut narrow, mut clean) = ([0; INNER], [0; INNER]);
        self.near.process(near, &mut narrow);
        if self.inner.process_capture_i16(&narrow, &mut clean).is_err() {
            clean = narrow;
        }
        self.up.process(&clean, near);
    }

    /// What it says of itself; `before_dbfs` is the caller's to measure.
    pub fn figures(&self) -> ProcessingFigures {
        let said = self.inner.statistics();
        ProcessingFigures {
            before_dbfs: super::SILENCE_DBFS,
            erle_db: said.echo_return_loss_enhancement.map(|db| db as f32),
            echo_delay_ms: said.delay_ms.and_then(|ms| u32::try_from(ms).ok()),
        }
    }
}

/// The level of a piece, in dB below full scale.
pub fn piece_level_dbfs(piece: &[i16; PIECE]) -> f32 {
    level_dbfs(piece)
}

#[cfg(test)]
mod tests;
