//! G.722 (ITU-T, 64 kbit/s, mode 1): two bands of adaptive differential coding behind a filter bank. The names of the
//! steps and the tables are the recommendation's.

/// The filter bank's coefficients (11/92, table 11), the half that is not a mirror image.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];
/// Decision levels of the low band's quantiser (Q6).
const Q6: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023, 1_121,
    1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
/// The low band's inverse quantisers of 6 and 4 bits (QM6 and QM4).
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232,
    -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776,
    -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280,
    11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008, 3_576, 3_168,
    2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432, 136, -432, -136,
];
const QM4: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584,
    1_200, 0,
];
/// The high band's inverse quantiser (QM2).
const QM2: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];
/// Logarithmic scale factor multipliers (WL by RL42, WH by RH2).
const WL: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1_198, 3_042];
const RL42: [usize; 16] = [0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0];
const WH: [i32; 3] = [0, -214, 798];
const RH2: [usize; 4] = [2, 1, 2, 1];
/// Logarithm to linear (ILB).
const ILB: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774,
    2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838,
    3_922, 4_008,
];

fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// A band's predictor and scale.
struct Band {
    /// The prediction, and its part by zeros.
    s: i32,
    sz: i32,
    /// Reconstructed and partially reconstructed signals, newest first.
    r: [i32; 3],
    p: [i32; 3],
    /// Pole and zero coefficients; index 0 is not used.
    a: [i32; 3],
    b: [i32; 7],
    /// Quantised differences, newest first.
    d: [i32; 7],
    nb: i32,
    det: i32,
}

impl Band {
    fn new(det: i32) -> Self {
        Self { s: 0, sz: 0, r: [0; 3], p: [0; 3], a: [0; 3], b: [0; 7], d: [0; 7], nb: 0, det }
    }

    /// LOGSCL or LOGSCH, and SCALEL or SCALEH.
    fn rescale(&mut self, step: i32, most: i32, shift: i32) {
        self.nb = (((self.nb * 127) >> 7) + step).clamp(0, most);
        let linear = ILB[(self.nb >> 6 & 31) as usize];
        let by = shift - (self.nb >> 11);
        self.det = (if by < 0 { linear << -by } else { linear >> by }) << 2;
    }

    /// Block 4: adapts the predictor to a quantised difference and predicts the next sample.
    fn adapt(&mut self, difference: i32) {
        // RECONS and PARREC.
        self.d[0] = difference;
        self.r[0] = saturate(self.s + difference);
        self.p[0] = saturate(self.sz + difference);
        let alike = |one: i32, other: i32| (one >> 15) == (other >> 15);
        // UPPOL2.
        let first = saturate(self.a[1] << 2);
        let first = if alike(self.p[0], self.p[1]) { -first } else { first }.min(32_767);
        let sign = if alike(self.p[0], self.p[2]) { 128 } else { -128 };
        let a2 = (sign + (first >> 7) + ((self.a[2] * 32_512) >> 15)).clamp(-12_288, 12_288);
        // UPPOL1.
        let sign = if alike(self.p[0], self.p[1]) { 192 } else { -192 };
        let most = saturate(15_360 - a2);
        let a1 = saturate(sign + ((self.a[1] * 32_640) >> 15)).clamp(-most, most);
        (self.a[1], self.a[2]) = (a1, a2);
        // UPZERO.
        let step = if difference == 0 { 0 } else { 128 };
        for at in 1..7 {
            let sign = if alike(self.d[at], difference) { step } else { -step };
            self.b[at] = saturate(sign + ((self.b[at] * 32_640) >> 15));
        }
        // DELAYA.
        self.d.copy_within(0..6, 1);
        self.r.copy_within(0..2, 1);
        self.p.copy_within(0..2, 1);
        // FILTEP, FILTEZ and PREDIC.
        let poles = (1..3).map(|at| (self.a[at] * saturate(2 * self.r[at])) >> 15).sum();
        self.sz =
            (1..7).rev().fold(0, |sum, at| saturate(sum + ((self.b[at] * saturate(2 * self.d[at])) >> 15)));
        self.s = saturate(saturate(poles) + self.sz);
    }

    /// Adapts the low band to a code of 4 bits.
    fn adapt_low(&mut self, code: usize) {
        let difference = (self.det * QM4[code]) >> 15;
        self.rescale(WL[RL42[code]], 18_432, 8);
        self.adapt(difference);
    }

    /// Adapts the high band to a code of 2 bits.
    fn adapt_high(&mut self, code: usize) {
        let difference = (self.det * QM2[code]) >> 15;
        self.rescale(WH[RH2[code]], 22_528, 10);
        self.adapt(difference);
    }
}

/// The last 24 samples of the filter bank, oldest first.
struct Bank([i32; 24]);

impl Bank {
    fn put(&mut self, one: i32, other: i32) {
        self.0.copy_within(2.., 0);
        (self.0[22], self.0[23]) = (one, other);
    }

    fn sums(&self) -> (i32, i32) {
        let (mut odd, mut even) = (0, 0);
        for at in 0..12 {
            odd += self.0[2 * at] * QMF[at];
            even += self.0[2 * at + 1] * QMF[11 - at];
        }
        (odd, even)
    }
}

/// The encoder: two samples at 16 kHz to a byte.
pub(crate) struct Encoder {
    bank: Bank,
    low: Band,
    high: Band,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self { bank: Bank([0; 24]), low: Band::new(32), high: Band::new(8) }
    }

    /// Encodes pairs of samples; the number of bytes.
    pub(crate) fn encode(&mut self, sound: &[i16], payload: &mut [u8]) -> usize {
        let mut count = 0;
        for (pair, byte) in sound.chunks_exact(2).zip(payload) {
            self.bank.put(i32::from(pair[0]), i32::from(pair[1]));
            let (odd, even) = self.bank.sums();
            *byte = self.byte((even + odd) >> 14, (even - odd) >> 14);
            count += 1;
        }
        count
    }

    fn byte(&mut self, low: i32, high: i32) -> u8 {
        let off = saturate(low - self.low.s);
        let size = if off < 0 { -(off + 1) } else { off };
        let level = (1..30).find(|at| size < (Q6[*at] * self.low.det) >> 12).unwrap_or(30) as i32;
        // MIL to IL: the first two negative levels have codes of their own.
        let code = match (off < 0, level) {
            (true, 1..=2) => 64 - level,
            (true, _) => 34 - level,
            (false, _) => 62 - level,
        };
        self.low.adapt_low((code >> 2) as usize);
        let off = saturate(high - self.high.s);
        let size = if off < 0 { -(off + 1) } else { off };
        let far = size >= (564 * self.high.det) >> 12;
        let high_code = match (off < 0, far) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        self.high.adapt_high(high_code);
        (high_code as u8) << 6 | code as u8
    }
}

/// The decoder: a byte to two samples at 16 kHz.
pub(crate) struct Decoder {
    bank: Bank,
    low: Band,
    high: Band,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self { bank: Bank([0; 24]), low: Band::new(32), high: Band::new(8) }
    }

    /// Decodes bytes; the number of samples.
    pub(crate) fn decode(&mut self, payload: &[u8], sound: &mut [i16]) -> usize {
        let mut count = 0;
        for (byte, pair) in payload.iter().zip(sound.chunks_exact_mut(2)) {
            let (code, high_code) = (usize::from(byte & 0x3F), usize::from(byte >> 6));
            let low = (self.low.s + ((self.low.det * QM6[code]) >> 15)).clamp(-16_384, 16_383);
            self.low.adapt_low(code >> 2);
            let high = (self.high.s + ((self.high.det * QM2[high_code]) >> 15)).clamp(-16_384, 16_383);
            self.high.adapt_high(high_code);
            self.bank.put(low + high, low - high);
            let (odd, even) = self.bank.sums();
            (pair[0], pair[1]) = (saturate(even >> 11) as i16, saturate(odd >> 11) as i16);
            count += 2;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2,000 frames' worth of sound that reaches every corner: silence, full scale, steps, noise of every loudness.
    fn sound() -> Vec<i16> {
        let mut state = 12_345_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16
        };
        (0..64_000_usize)
            .map(|at| match at / 4_000 % 8 {
                0 => 0,
                1 => {
                    if at / 40 % 2 == 0 {
                        32_767
                    } else {
                        -32_768
                    }
                }
                loud @ 2..=6 => next() >> (2 * (loud - 2)),
                _ => (at % 4_000) as i16 * 8,
            })
            .collect()
    }

    /// FNV-1a, of 64 bits.
    fn print(bytes: impl Iterator<Item = u8>) -> u64 {
        bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
    }

    #[test]
    fn every_bit_is_as_another_implementation_has_it() {
        let sound = sound();
        let mut coded = vec![0; 32_000];
        assert_eq!(Encoder::new().encode(&sound, &mut coded), 32_000);
        // Of libg722, which holds to the recommendation's own test sequences.
        assert_eq!(coded[2_000..2_008], CODED);
        assert_eq!(print(coded.iter().copied()), CODED_PRINT);
        let mut heard = vec![0; 64_000];
        assert_eq!(Decoder::new().decode(&coded, &mut heard), 64_000);
        assert_eq!(print(heard.iter().flat_map(|sample| sample.to_le_bytes())), HEARD_PRINT);
        // And bytes that no encoder makes.
        let all: Vec<u8> = (0..32_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        assert_eq!(Decoder::new().decode(&all, &mut heard), 64_000);
        assert_eq!(print(heard.iter().flat_map(|sample| sample.to_le_bytes())), WILD_PRINT);
    }

    const CODED: [u8; 8] = [140, 32, 132, 32, 132, 32, 160, 34];
    const CODED_PRINT: u64 = 0x5CD2_FCFB_9AB4_F6FA;
    const HEARD_PRINT: u64 = 0xA41A_DF29_050C_7300;
    const WILD_PRINT: u64 = 0xD683_87EF_28FD_665E;
}
