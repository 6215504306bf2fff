//! What a page group hears: "a call is parked on seven zero one", put together from recordings of our own.

use super::lot::samples_of;
use crate::media::Clip;
use crate::parking::SlotId;

macro_rules! word {
    ($file:literal) => {
        include_bytes!(concat!("../../assets/announce/", $file, ".wav"))
    };
}

/// "A call is parked on".
const PARKED_ON: &[u8] = word!("parked-on");
const DIGITS: [&[u8]; 10] = [
    word!("0"),
    word!("1"),
    word!("2"),
    word!("3"),
    word!("4"),
    word!("5"),
    word!("6"),
    word!("7"),
    word!("8"),
    word!("9"),
];
const STAR: &[u8] = word!("star");
const HASH: &[u8] = word!("hash");

/// The rate of all of them, in Hz.
const RATE_HZ: u32 = 8_000;
/// Before the first word: phones that answer by themselves play a tone of their own first.
const LEAD_MS: usize = 900;
/// Between the two times that it is said.
const PAUSE_MS: usize = 600;

/// The announcement of a slot, said twice. `None` for one that is not all digits, `*` and `#`.
pub fn clip(slot: &SlotId) -> Option<Clip> {
    let once = spoken(slot)?;
    let silence = |ms: usize| vec![0; ms * RATE_HZ as usize / 1_000];
    let all = [silence(LEAD_MS), once.clone(), silence(PAUSE_MS), once, silence(PAUSE_MS)].concat();
    Some(Clip::new(&all, RATE_HZ))
}

fn spoken(slot: &SlotId) -> Option<Vec<i16>> {
    let word = |letter: char| match letter {
        '*' => Some(STAR),
        '#' => Some(HASH),
        digit => DIGITS.get(digit.to_digit(10)? as usize).copied(),
    };
    let mut samples = samples_of(PARKED_ON).ok()?.0;
    for letter in slot.as_str().chars() {
        samples.extend(samples_of(word(letter)?).ok()?.0);
    }
    Some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(id: &str) -> SlotId {
        SlotId::new(id).unwrap()
    }

    #[test]
    fn every_word_is_there_at_the_same_rate_and_no_louder_than_speech() {
        let words = DIGITS.iter().chain([&PARKED_ON, &STAR, &HASH]);
        for wav in words {
            let (samples, rate) = samples_of(wav).unwrap();
            assert_eq!(rate, RATE_HZ);
            let power =
                samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>() / samples.len() as f64;
            let dbfs = 20.0 * (power.sqrt() / 32_768.0).log10();
            assert!((-32.0..-12.0).contains(&dbfs), "{dbfs}");
            assert!((1_600..24_000).contains(&samples.len()), "{}", samples.len());
        }
    }

    #[test]
    fn a_slot_is_spoken_digit_by_digit_and_letters_are_not() {
        let (one, three) = (spoken(&slot("7")).unwrap().len(), spoken(&slot("701")).unwrap().len());
        assert!(three > one + 3_000);
        assert!(clip(&slot("*8#")).is_some());
        assert!(clip(&slot("bay")).is_none() && clip(&slot("7+1")).is_none());
        assert!(clip(&slot("701")).unwrap().samples().len() < 48_000 * 10);
    }
}
