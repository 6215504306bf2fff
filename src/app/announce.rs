//! The words that are spoken to a page group and to whoever parks: recordings of our own, or an administrator's.

use super::lot_sounds::{read_file, samples_of};
use crate::lot::Words;
use crate::media::{Clip, RATE_HZ, resample};
use crate::parking::SlotId;
use color_eyre::eyre::Context;
use std::path::Path;
use std::sync::OnceLock;

macro_rules! word {
    ($letter:literal, $file:literal) => {
        ($letter, $file, include_bytes!(concat!("../../assets/announce/", $file)))
    };
}

/// "A call is parked on".
const PARKED_ON: (&str, &[u8]) = ("parked-on.wav", include_bytes!("../../assets/announce/parked-on.wav"));
/// What is said for a letter of an extension, and the file of it.
const LETTERS: [(char, &str, &[u8]); 12] = [
    word!('0', "0.wav"),
    word!('1', "1.wav"),
    word!('2', "2.wav"),
    word!('3', "3.wav"),
    word!('4', "4.wav"),
    word!('5', "5.wav"),
    word!('6', "6.wav"),
    word!('7', "7.wav"),
    word!('8', "8.wav"),
    word!('9', "9.wav"),
    word!('*', "star.wav"),
    word!('#', "hash.wav"),
];

/// The words, from `folder` as far as it has files of these names, else our own.
///
/// # Errors
/// When a file that is there can't be used.
pub fn words(folder: Option<&Path>) -> color_eyre::Result<Words> {
    let word = |name: &str, own: &[u8]| -> color_eyre::Result<Vec<i16>> {
        let Some(file) = folder.map(|folder| folder.join(name)).filter(|file| file.exists()) else {
            return at_our_rate(own);
        };
        let told = || format!("prompt {}", file.display());
        at_our_rate(&read_file(&file).wrap_err_with(told)?).wrap_err_with(told)
    };
    let mut words = Words { parked_on: word(PARKED_ON.0, PARKED_ON.1)?, ..Words::default() };
    for (letter, name, own) in LETTERS {
        words.letters.insert(letter, word(name, own)?);
    }
    Ok(words)
}

fn at_our_rate(wav: &[u8]) -> color_eyre::Result<Vec<i16>> {
    let (samples, rate_hz) = samples_of(wav)?;
    Ok(resample(&samples, rate_hz, RATE_HZ))
}

/// The announcement of a slot, said twice, in our own words. `None` for one that is not all digits, `*` and `#`.
pub fn clip(slot: &SlotId) -> Option<Clip> {
    static OWN: OnceLock<Option<Words>> = OnceLock::new();
    OWN.get_or_init(|| words(None).ok()).as_ref()?.page(slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(id: &str) -> SlotId {
        SlotId::new(id).unwrap()
    }

    #[test]
    fn every_word_is_there_at_the_same_rate_and_no_louder_than_speech() {
        for wav in LETTERS.iter().map(|(.., wav)| *wav).chain([PARKED_ON.1]) {
            let (samples, rate) = samples_of(wav).unwrap();
            assert_eq!(rate, 8_000);
            let power =
                samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>() / samples.len() as f64;
            let dbfs = 20.0 * (power.sqrt() / 32_768.0).log10();
            assert!((-32.0..-12.0).contains(&dbfs), "{dbfs}");
            assert!((1_600..24_000).contains(&samples.len()), "{}", samples.len());
        }
    }

    #[test]
    fn a_slot_is_spoken_digit_by_digit_and_letters_are_not() {
        let words = words(None).unwrap();
        let (one, three) = (words.say(&slot("7")).unwrap().len(), words.say(&slot("701")).unwrap().len());
        assert!(three > one + 18_000);
        assert!(clip(&slot("*8#")).is_some());
        assert!(clip(&slot("bay")).is_none() && clip(&slot("7+1")).is_none());
        assert!(clip(&slot("701")).unwrap().samples().len() < 48_000 * 10);
    }

    #[test]
    fn a_folder_of_ones_own_replaces_the_words_that_it_has_and_a_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("7.wav"), LETTERS[1].2).unwrap();
        let (mine, own) = (words(Some(folder.path())).unwrap(), words(None).unwrap());
        assert_eq!(mine.letters[&'7'], own.letters[&'1']);
        assert_eq!(mine.letters[&'8'], own.letters[&'8']);
        std::fs::write(folder.path().join("8.wav"), b"RIFF").unwrap();
        let error = words(Some(folder.path())).unwrap_err();
        assert!(format!("{error:#}").contains("8.wav"), "{error:#}");
    }
}
