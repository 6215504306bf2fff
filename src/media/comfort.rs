//! Comfort noise (RFC 3389): what is heard while the far end sends nothing because nobody speaks there. It says how loud
//! its room is and how it sounds; we make noise of that kind.

/// Most reflection coefficients that are heeded; a far end with more says finer things than anybody hears.
const ORDER: usize = 10;
/// Coefficients of this size and more would ring.
const STEEP: f32 = 0.98;
/// Share of the way to the wanted loudness that a sample goes: it is there after some 20 ms, without a click.
const APPROACH: f32 = 0.01;
/// Noise that nobody described: -60 dB below overload, flat.
const UNKNOWN_DBOV: u8 = 60;

/// The noise of a far end.
pub(crate) struct Comfort {
    reflections: [f32; ORDER],
    /// Root mean square of what is put in, to come out as loud as was said; and as it is now.
    wanted: f32,
    gain: f32,
    /// The lattice's state: the backward errors.
    state: [f32; ORDER + 1],
    random: u32,
}

impl Comfort {
    pub(crate) fn new() -> Self {
        Self {
            reflections: [0.0; ORDER],
            wanted: 0.0,
            gain: 0.0,
            state: [0.0; ORDER + 1],
            random: 0x2545_F491,
        }
    }

    /// A packet's payload: the level in -dBov, then reflection coefficients of 8 bits each (RFC 3389 3).
    pub(crate) fn describe(&mut self, payload: &[u8]) {
        let level = payload.first().map_or(UNKNOWN_DBOV, |byte| byte & 0x7F);
        self.reflections = [0.0; ORDER];
        for (to, byte) in self.reflections.iter_mut().zip(payload.iter().skip(1)) {
            *to = ((f32::from(*byte) - 127.0) / 127.0).clamp(-STEEP, STEEP);
        }
        // Overload is a square wave at full scale; what the filter lifts is taken back.
        let loud = 32_767.0 * 10.0_f32.powf(-f32::from(level) / 20.0);
        let lifted: f32 = self.reflections.iter().map(|k| 1.0 - k * k).product();
        self.wanted = loud * lifted.sqrt();
    }

    /// The next samples of the noise.
    pub(crate) fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 17;
            self.random ^= self.random << 5;
            // Even between -1 and 1, whose root mean square is the root of a third.
            let even = self.random as f32 / (u32::MAX / 2) as f32 - 1.0;
            self.gain += (self.wanted - self.gain) * APPROACH;
            let mut forward = even * 1.732 * self.gain;
            for at in (0..ORDER).rev() {
                let k = self.reflections[at];
                forward -= k * self.state[at];
                self.state[at + 1] = self.state[at] + k * forward;
            }
            self.state[0] = forward;
            // `as` saturates.
            *sample = forward as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::level::level_dbfs;

    fn noise(payload: &[u8]) -> Vec<i16> {
        let mut comfort = Comfort::new();
        comfort.describe(payload);
        let mut out = vec![0; 8_000];
        comfort.fill(&mut out);
        out.split_off(1_600)
    }

    #[test]
    fn noise_is_as_loud_as_was_said_whatever_its_colour() {
        for (payload, level) in [
            (&[40_u8][..], -40.0),
            (&[55], -55.0),
            (&[40, 30, 180, 127], -40.0),
            (&[45, 220, 60, 150, 100], -45.0),
        ] {
            let heard = level_dbfs(&noise(payload));
            assert!((heard - level).abs() < 1.5, "{payload:?}: {heard} dB");
        }
    }

    #[test]
    fn it_begins_without_a_click_and_garbage_is_bounded() {
        let mut comfort = Comfort::new();
        comfort.describe(&[20]);
        let mut out = [0; 8];
        comfort.fill(&mut out);
        assert!(out.iter().all(|sample| sample.unsigned_abs() < 500), "{out:?}");
        use rand::{Rng, SeedableRng, rngs::SmallRng};
        let mut random = SmallRng::seed_from_u64(2);
        let mut payload = [0; 40];
        for length in 0..400 {
            random.fill_bytes(&mut payload);
            comfort.describe(&payload[..length % 40]);
            comfort.fill(&mut [0; 800]);
            assert!(comfort.state.iter().all(|value| value.is_finite()));
        }
    }
}
