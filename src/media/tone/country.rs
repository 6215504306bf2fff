//! The tones of the countries' networks, as ITU-T E.180 (supplement 2) and the national numbering authorities list them:
//! frequencies and cadences, nothing else. What isn't listed sounds as E.180 recommends.

use super::{Part, beep, chord, pause};

/// The tones of one country.
#[derive(Debug, PartialEq)]
pub struct Country {
    /// ISO 3166 code in small letters; empty: E.180's recommendation.
    pub code: &'static str,
    pub(super) ring_back: &'static [Part],
    pub(super) busy: &'static [Part],
    pub(super) waiting: &'static [Part],
}

/// A steady tone in a rhythm of one sound and one pause.
const fn even(hz: f32, on_ms: u32, off_ms: u32) -> [Part; 2] {
    [beep(hz, on_ms), pause(off_ms)]
}

const EVEN_HALF: &[Part] = &even(425.0, 500, 500);
const ONE_IN_FIVE: &[Part] = &even(425.0, 1_000, 4_000);
const TWO_SHORT: &[Part] = &[beep(425.0, 200), pause(200), beep(425.0, 200), pause(4_000)];

const RECOMMENDED: Country =
    Country { code: "", ring_back: ONE_IN_FIVE, busy: EVEN_HALF, waiting: TWO_SHORT };

const NORTH_AMERICAN: Country = Country {
    code: "us",
    ring_back: &[chord(440.0, 480.0, 2_000), pause(4_000)],
    busy: &[chord(480.0, 620.0, 500), pause(500)],
    waiting: &even(440.0, 300, 10_000),
};

const COUNTRIES: &[Country] = &[
    RECOMMENDED,
    Country {
        code: "at",
        ring_back: &even(420.0, 1_000, 5_000),
        busy: &even(420.0, 400, 400),
        waiting: &even(420.0, 40, 1_950),
    },
    Country {
        code: "be",
        ring_back: &even(425.0, 1_000, 3_000),
        busy: EVEN_HALF,
        waiting: &[beep(1_400.0, 175), pause(175), beep(1_400.0, 175), pause(3_500)],
    },
    Country { code: "ca", ..NORTH_AMERICAN },
    Country { code: "ch", ring_back: ONE_IN_FIVE, busy: EVEN_HALF, waiting: TWO_SHORT },
    Country {
        code: "de",
        ring_back: ONE_IN_FIVE,
        busy: &even(425.0, 480, 480),
        waiting: &[beep(425.0, 200), pause(200), beep(425.0, 200), pause(5_000)],
    },
    Country {
        code: "dk",
        ring_back: ONE_IN_FIVE,
        busy: EVEN_HALF,
        waiting: &[
            beep(425.0, 200),
            pause(600),
            beep(425.0, 200),
            pause(3_000),
            beep(425.0, 200),
            pause(200),
            beep(425.0, 200),
            pause(3_000),
        ],
    },
    Country {
        code: "es",
        ring_back: &even(425.0, 1_500, 3_000),
        busy: &even(425.0, 200, 200),
        waiting: &[beep(425.0, 175), pause(175), beep(425.0, 175), pause(3_500)],
    },
    Country {
        code: "fi",
        ring_back: ONE_IN_FIVE,
        busy: &even(425.0, 300, 300),
        waiting: &[beep(425.0, 150), pause(150), beep(425.0, 150), pause(8_000)],
    },
    Country {
        code: "fr",
        ring_back: &even(440.0, 1_500, 3_500),
        busy: &even(440.0, 500, 500),
        waiting: &even(440.0, 300, 10_000),
    },
    Country {
        code: "gb",
        ring_back: &[chord(400.0, 450.0, 400), pause(200), chord(400.0, 450.0, 400), pause(2_000)],
        busy: &even(400.0, 375, 375),
        waiting: &even(400.0, 100, 3_000),
    },
    Country {
        code: "it",
        ring_back: ONE_IN_FIVE,
        busy: EVEN_HALF,
        waiting: &[
            beep(425.0, 400),
            pause(100),
            beep(425.0, 250),
            pause(100),
            beep(425.0, 150),
            pause(14_000),
        ],
    },
    Country { code: "nl", ring_back: ONE_IN_FIVE, busy: EVEN_HALF, waiting: &even(425.0, 500, 9_500) },
    Country {
        code: "no",
        ring_back: ONE_IN_FIVE,
        busy: EVEN_HALF,
        waiting: &[beep(425.0, 200), pause(600), beep(425.0, 200), pause(10_000)],
    },
    Country {
        code: "pl",
        ring_back: ONE_IN_FIVE,
        busy: EVEN_HALF,
        waiting: &[beep(425.0, 150), pause(150), beep(425.0, 150), pause(4_000)],
    },
    Country {
        code: "se",
        ring_back: &even(425.0, 1_000, 5_000),
        busy: &even(425.0, 250, 250),
        waiting: &[beep(425.0, 200), pause(500), beep(425.0, 200), pause(9_100)],
    },
    NORTH_AMERICAN,
];

impl Country {
    /// What E.180 recommends.
    pub const INTERNATIONAL: &'static Self = &RECOMMENDED;

    /// The country of this code, in whatever letters.
    pub fn find(code: &str) -> Option<&'static Self> {
        COUNTRIES.iter().find(|country| country.code.eq_ignore_ascii_case(code))
    }

    /// The codes there are.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        COUNTRIES.iter().map(|country| country.code).filter(|code| !code.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_country_is_found_once_and_its_tones_can_be_heard() {
        let codes: std::collections::BTreeSet<_> = Country::codes().collect();
        assert_eq!(codes.len(), Country::codes().count());
        for code in ["at", "ch", "de", "es", "fr", "gb", "it", "nl", "us"] {
            let country = Country::find(&code.to_uppercase()).unwrap();
            for tone in [country.ring_back, country.busy, country.waiting] {
                assert!(tone.len() % 2 == 0 && tone.iter().step_by(2).all(|part| part.hz >= 400.0), "{code}");
                assert!(tone.iter().skip(1).step_by(2).all(|part| part.hz == 0.0), "{code}: a pause follows");
            }
        }
        assert!(Country::find("xx").is_none());
    }
}
